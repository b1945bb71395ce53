"""How much memory a program will need, read off its jaxpr before anything is compiled or run."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.extend.core import Literal

APART = {"dot_general", "conv_general_dilated", "sort", "concatenate", "gather", "transpose", "while", "scan", "shard_map"}
"""What cannot write over its arguments; whatever works number by number can."""


class Forecast(NamedTuple):
    """The peak of a program in bytes, what this process holds already, and what it could hold; all its devices together."""

    peak: int
    held: int
    room: int

    @property
    def fits(self) -> bool:
        """Whether it is expected to."""
        return self.held + self.peak <= self.room

    def __str__(self) -> str:
        held, peak, room = (size / 1024**3 for size in (self.held, self.peak, self.room))
        return f"at most {held + peak:.2f} GiB expected ({peak:.2f} for the search), {room:.1f} GiB there"


def forecast(jaxpr: Any, devices: int) -> Forecast:
    """What a program will need on so many devices; on a CPU they share one memory, elsewhere each has its own."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        held = _status("VmRSS")
        return Forecast(devices * peak(jaxpr), held, held + free_bytes())
    stats = device.memory_stats() or {}
    return Forecast(peak(jaxpr), stats.get("bytes_in_use", 0), stats.get("bytes_limit", 0) or 1 << 62)


def _status(field: str) -> int:
    """A size in bytes that the kernel keeps of this process (``VmRSS`` now, ``VmHWM`` at most); 0 where it tells nothing."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def free_bytes() -> int:
    """Main memory that this process could still get: what the machine has left, or its control group."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        left = 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        left = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        return min(left, int(limit) - int(used))
    except (OSError, ValueError):  # no control group, or one without a limit
        return left


def size_of(value: Any) -> int:
    """Bytes of an array of this shape and kind; a key counts as the numbers that it holds."""
    dtype = value.dtype
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        return value.size * 8
    return value.size * dtype.itemsize


def peak(jaxpr: Any) -> int:
    """Bytes that a program holds at its fullest on one device, its arguments included.

    A walk over its equations in order: what one gives is made, what nobody asks for any more is dropped. An equation that
    works number by number writes over an argument of the same size that nobody else needs, as a compiler does that fuses.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    given = sum(size_of(v.aval) for v in (*jaxpr.invars, *jaxpr.constvars))
    return given + _beyond(jaxpr)


def _beyond(jaxpr: Any) -> int:
    """Bytes at the fullest beyond the arguments, which somebody else holds throughout."""
    uses = Counter(v for eqn in jaxpr.eqns for v in _variables(eqn.invars))
    uses.update(_variables(jaxpr.outvars))
    own: dict[Any, int] = {}
    held = fullest = 0
    for eqn in jaxpr.eqns:
        name, asked = eqn.primitive.name, list(_variables(eqn.invars))
        inner = max((_beyond(body) for body in _bodies(eqn)), default=0)
        made = {v: size_of(v.aval) for v in eqn.outvars if uses[v]}
        uses.subtract(asked)
        done = {v: own[v] for v in asked if v in own and not uses[v]}
        # what a body holds at its fullest includes what it gives; what a scan stacks up is there all the time
        stacked = sum(made.get(v, 0) for v in eqn.outvars[eqn.params["num_carry"] :]) if name == "scan" else 0
        now = max(inner + stacked, sum(made.values()))
        overwritten = 0 if name in APART else min(sum(done.values()), now)
        fullest = max(fullest, held + now - overwritten)
        held += sum(made.values()) - sum(done.values())
        own = {v: size for v, size in own.items() if v not in done} | made
    return max(fullest, held)


def _variables(values: Any) -> Iterator[Any]:
    return (v for v in values if not isinstance(v, Literal))


def _bodies(eqn: Any) -> Iterator[Any]:
    """Programs within an equation: of a call, a loop, or the branches of a condition."""
    for parameter in eqn.params.values():
        for value in parameter if isinstance(parameter, tuple | list) else (parameter,):
            body = getattr(value, "jaxpr", value)
            if hasattr(body, "eqns"):
                yield body
