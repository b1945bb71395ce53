"""The type checker that :mod:`tests.conftest` puts on every function of evodev: shapes by name, checked under test only."""

from collections.abc import Callable
from typing import TypeVar

from beartype import BeartypeConf, beartype

Function = TypeVar("Function", bound=Callable)

check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Function) -> Function:
    """The function with its annotations checked at every call.

    Not so constructors: jax rebuilds pytrees from whatever it has in place of arrays, and a wrong configuration must
    reach the library's own checks.
    """
    return function if function.__name__ == "__init__" else check(function)
