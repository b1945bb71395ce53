"""The type checker that the import hook in conftest.py applies to evodev."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check annotations and named shapes at every call; configurations check themselves, with messages of their own."""
    return function if function.__name__ == "__init__" else _check(function)
