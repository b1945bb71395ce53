"""How much memory a program will need, read off its jaxpr before anything is compiled or run."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
from jax.extend.core import Literal

CALLS = {"jit", "pjit", "closed_call"}
"""What a compiler dissolves into its body."""
APART = {"dot_general", "conv_general_dilated", "sort", "concatenate", "gather", "transpose", "while", "scan", "shard_map"}
"""What cannot write over its arguments; whatever works number by number can."""
THREEFRY = 9
"""Arrays of the size of the bits drawn that are held while threefry makes them, as XLA compiles it within a generation."""


class Forecast(NamedTuple):
    """Bytes that a program needs at its fullest and at the very least, what this process holds already, and what is free.

    Of all devices where they share one memory, as on a CPU; elsewhere of one.
    """

    peak: int
    least: int
    held: int
    free: int

    def __str__(self) -> str:
        total, held, free = (size / 1024**3 for size in (self.held + self.peak, self.held, self.free))
        return f"about {total:.2f} GiB at the fullest, {held:.2f} of them held already; {free:.1f} GiB free"


def forecast(program: Any, *, least: int, devices: int) -> Forecast:
    """What a program, told as a jaxpr, will need on so many devices."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return Forecast(devices * peak(program), least, resident("VmRSS"), free_bytes())
    stats = device.memory_stats() or {}
    held, limit = stats.get("bytes_in_use", 0), stats.get("bytes_limit", 1 << 62)
    return Forecast(peak(program), least, held, limit - held)


def resident(field: str) -> int:
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
    is_key = jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)
    return value.size * (8 if is_key else value.dtype.itemsize)


def peak(jaxpr: Any) -> int:
    """Bytes that a program holds at its fullest on one device, its arguments included.

    A walk over its equations in order: what one gives is made, what nobody asks for any more is dropped. An equation that
    works number by number writes over an argument of the same size that nobody else needs, as a compiler does that fuses.
    """
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)  # closed or open
    given = sum(size_of(v.aval) for v in (*jaxpr.invars, *jaxpr.constvars))
    return given + _beyond(jaxpr)


def _beyond(jaxpr: Any, spare: Mapping[Any, int] = MappingProxyType({})) -> int:
    """Bytes at the fullest beyond the arguments that somebody else holds throughout; ``spare`` are the others."""
    uses = Counter(v for eqn in jaxpr.eqns for v in _variables(eqn.invars))
    uses.update(_variables(jaxpr.outvars))
    own = dict(spare)
    held = fullest = sum(own.values())
    for eqn in jaxpr.eqns:
        name, bodies = eqn.primitive.name, list(_bodies(eqn))
        uses.subtract(_variables(eqn.invars))
        done = {v: own[v] for v in _variables(eqn.invars) if v in own and not uses[v]}
        made = {v: size_of(v.aval) for v in eqn.outvars if uses[v]}
        if name in CALLS:
            (body,) = bodies
            given = {v: inner for v, inner in zip(eqn.invars, body.invars, strict=True) if not isinstance(v, Literal)}
            now = _beyond(body, {given[v]: size for v, size in done.items()}) - sum(done.values())
        else:
            # what a body holds at its fullest includes what it gives; what a scan stacks up is there all the time
            pairs = zip(eqn.outvars, bodies[0].outvars, strict=True) if name == "scan" else ()
            stacked = sum(made.get(v, 0) for v, one in pairs if v.aval.shape != one.aval.shape)
            now = max(max(map(_beyond, bodies), default=0) + stacked, sum(made.values()))
            now *= THREEFRY if name == "random_bits" else 1
            now -= 0 if name in APART else min(sum(done.values()), now)
        fullest = max(fullest, held + now)
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
