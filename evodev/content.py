"""What something is, as a short text: equal content has an equal digest, in any process and on any machine."""

import dataclasses
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import jax
import numpy as np

SHOWN = ("report", "cli.py", "arguments.py", "workflow.py", "runs.py", "onnx.py")
"""Parts of the package that no measured number depends on."""


def digest(*things: Any) -> str:
    """64 hexadecimal digits that tell apart whatever differs in type, configuration, code or numbers.

    Args:
        things: dataclasses, arrays, keys, functions with what they close over, containers and plain values.
    """
    whole = hashlib.sha256()
    for thing in things:
        _add(whole, thing)
    return whole.hexdigest()


def _add(whole: Any, thing: Any) -> None:
    """Feed one thing, its kind first, so that no two kinds are confused."""
    whole.update(f"<{type(thing).__module__}.{type(thing).__qualname__}>".encode())
    if isinstance(thing, jax.Array) and jax.numpy.issubdtype(thing.dtype, jax.dtypes.prng_key):
        thing = jax.random.key_data(thing)
    if isinstance(thing, jax.Array | np.ndarray):
        array = np.asarray(thing)
        whole.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        # what does not count for equality (a memory shared by baselines) is no part of what it is
        _add(whole, {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing) if f.compare})
    elif isinstance(thing, Mapping):
        for key in sorted(thing, key=str):
            whole.update(f"{key}=".encode())
            _add(whole, thing[key])
    elif isinstance(thing, list | tuple):
        for part in thing:
            _add(whole, part)
    elif isinstance(thing, FunctionType):
        whole.update(
            f"{thing.__module__}.{thing.__qualname__}".encode() + thing.__code__.co_code + repr(thing.__code__.co_consts).encode()
        )
        _add(whole, [c.cell_contents for c in thing.__closure__ or ()])
    elif isinstance(thing, MethodType):
        _add(whole, (thing.__self__, thing.__func__))
    elif isinstance(thing, type):
        whole.update(f"{thing.__module__}.{thing.__qualname__}".encode())
    else:
        whole.update(repr(thing).encode())
    whole.update(b";")


@cache
def source() -> str:
    """Digest of the package's own code, but for what only shows results: numbers of older code are not taken for new ones."""
    root, whole = Path(__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(SHOWN):
            whole.update(name.encode() + path.read_bytes())
    return whole.hexdigest()
