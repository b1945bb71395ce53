"""Is a search well? Examined inside the compiled program, written into every record, said in one line.

What would destroy a search is survived: a generation in which all genomes did equally well tells a strategy nothing, but
one that ranks would take the order of ties for an answer; and a state that is no longer finite never becomes finite again.
Both times the strategy stays as it was, and draws other genomes in the next generation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from evodev.lifetime import LifetimeLog
from evodev.types import Array, Flag, Float, Scalar

ROUNDING = 2.0**-22
"""Fitness that differs by no more than this share is equal: two roundings of float32."""
EXPLODED, VANISHED = 1e3, 1e-6
"""Step sizes, in mutation strengths, at which a strategy no longer searches."""

SIGNS = {
    "failed": "train lives that diverged: a loss was not finite, and the life counts as the worst",
    "validation_failed": "validation lives that diverged",
    "collapsed": "networks in which no path of synapses leads from an input to an output",
    "flat": "generations in which all genomes did equally well; the strategy was left as it was",
    "undone": "generations that left the strategy with numbers that are not finite; it was put back",
    "exploded": f"generations of genomes more than {EXPLODED:,.0f} sigmas apart; lower strategy.sigma, its rate or its options",
    "vanished": f"generations of genomes less than {VANISHED:g} sigmas apart; the search stands still",
}
"""What may be wrong, by its name in a record, and what it means. The first three are shares, the others 0 or 1."""
SHARES = ("failed", "validation_failed", "collapsed")


def examine(
    before: Any,
    after: Any,
    merit: Float[Array, "genomes measures"],
    genomes: Float[Array, "*populations n size"],
    log: LifetimeLog,
    sigmas: tuple[float, float],
) -> tuple[Any, dict[str, Array]]:
    """The state that a strategy goes on with after a generation, and the signs of the generation.

    Args:
        before: the strategy's state as it was before it was asked.
        after: its state once it was told; the same pytree.
        merit: what the genomes were told apart by, always finite.
        genomes: those that were asked for; each population of a strategy with several has its own spread.
        log: their lives, with axes (genomes, lives).
        sigmas: mutation strengths that the strategy was given for its start and its end.
    """
    flat, step = is_flat(merit), step_size(genomes)
    undone = lost(before, after) & ~flat
    state = jax.tree.map(lambda old, new: jnp.where(flat | undone, old, new), before, after)
    collapsed = jnp.zeros(()) if log.collapsed is None else log.collapsed.mean()
    signs = {
        "failed": log.failed.mean(),
        "collapsed": collapsed,
        "flat": flat,
        "undone": undone,
        "exploded": step > EXPLODED * max(sigmas),
        "vanished": step < VANISHED * min(sigmas),
        "step": step,
    }
    return state, signs


def is_flat(merit: Float[Array, "genomes measures"]) -> Flag:
    """Whether no measure tells any genome from another, but for rounding."""
    low, high = merit.min(0), merit.max(0)
    return (high - low <= ROUNDING * jnp.maximum(jnp.abs(low), jnp.abs(high))).all()


def lost(before: Any, after: Any) -> Flag:
    """Whether a number became infinite that was finite, or NaN that was none.

    Strategies begin with numbers that are not finite where nothing is known yet, the best fitness for one.
    """

    def worse(old: Array, new: Array) -> Flag:
        return ((jnp.isfinite(old) & ~jnp.isfinite(new)) | (jnp.isnan(new) & ~jnp.isnan(old))).any()

    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    found = [worse(old, new) for old, new in pairs if jnp.issubdtype(jnp.asarray(new).dtype, jnp.inexact)]
    return jnp.stack(found).any() if found else jnp.asarray(False)


def step_size(genomes: Float[Array, "*populations n size"]) -> Scalar:
    """How far genomes of a generation are from the mean of their population: root mean square over their numbers.

    It is told by what a strategy does, not by what it calls its step size; always finite.
    """
    # scaled, so that large genomes have a square
    largest = jnp.maximum(jnp.abs(genomes).max(), 1e-30)
    return jnp.nan_to_num(largest * jnp.sqrt((genomes / largest).var(-2).mean()), nan=jnp.finfo(jnp.float32).max)


def health(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Signs of a whole search, or of a part: shares of all lives or networks, and numbers of generations."""
    out = {"generations": float(len(records))}
    for name in SIGNS:
        values = [float(record[name]) for record in records if name in record]
        out[name] = sum(values) / max(len(values), 1) if name in SHARES else sum(values)
    return out


def health_line(found: Mapping[str, float]) -> str:
    """:func:`health` in one line."""
    parts = [f"{name.replace('_', ' ')} {found[name]:.2%}" for name in SHARES if found.get(name)]
    many = f"of {found['generations']:g} generations"
    parts += [f"{name} {found[name]:g} {many}" for name in SIGNS if name not in SHARES and found.get(name)]
    return ", ".join(parts) or "good"


def gaps(generations: Sequence[int], last: int) -> str:
    """Generations up to the ``last`` that have no record, in words; empty if none is missing."""
    missing = sorted(set(range(1, last + 1)) - set(generations))
    if not missing:
        return ""
    some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return f"{len(missing)} of {last} generations: {some}"
