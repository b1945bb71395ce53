"""What a graph's measures are worth: against random graphs that share its density, its layers or all of its degrees."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from evodev.analysis.graph import Graph
from evodev.analysis.topology import describe
from evodev.baselines.masks import Masks, same_degrees, same_density, same_layers

NULLS: dict[str, Callable[[Masks, np.random.Generator], dict[str, np.ndarray]]] = {
    "density": same_density,
    "layers": same_layers,
    "degrees": same_degrees,
}
"""From the freest to the tightest: Erdos-Renyi over all that could be, over each projection, and with every neuron's fan-in and
fan-out in each projection kept. Where a population projects to itself, a random graph may join a neuron with itself; unless it
does so symmetrically: then random graphs are symmetric too, and synapses of a neuron on itself stay."""


class Against(NamedTuple):
    """A measure beside what it is in what was drawn from a null model: its z-score and its ratio to their mean.

    ``deviation`` is that of a sample (n - 1). ``z`` is 0 where all that was drawn has the same value, infinite where it all has
    the same other one, and NaN where only one has any; ``ratio`` is NaN where the mean is zero.
    """

    value: float
    mean: float
    deviation: float
    z: float
    ratio: float


def null_graph(graph: Graph, null: str, *, seed: int) -> Graph:
    """One random graph of a null model.

    Raises:
        ValueError: for a model that is not one of ``NULLS``.
    """
    if null not in NULLS:
        raise ValueError(f"nulls: no null model {null!r}; one of {', '.join(NULLS)}")
    if not graph.masks:
        return graph
    rng, mutual = np.random.default_rng(seed), {n for n, (a, b) in graph.ends.items() if a == b and _symmetric(graph.masks[n])}
    if null == "density" and len(mutual) < len(graph.masks):
        mutual = set()  # what may go anywhere keeps no symmetry
    masks = {name: mask for name, mask in graph.masks.items() if name not in mutual}
    if null != "degrees":
        drawn = NULLS[null](masks | {name: _halved(graph.masks[name]) for name in mutual}, rng)
        return replace(graph, masks={n: _whole(drawn[n], own) if n in mutual else drawn[n] > 0 for n, own in graph.masks.items()})
    drawn = same_degrees(masks, rng)
    return replace(graph, masks={n: _partners(own, rng) if n in mutual else drawn[n] > 0 for n, own in graph.masks.items()})


def _symmetric(mask: np.ndarray) -> bool:
    return bool((mask == mask.T).all())


def _halved(mask: np.ndarray) -> np.ndarray:
    """The pairs of different neurons of a symmetric mask, each once, in a row."""
    return mask[np.triu_indices(len(mask), 1)][None]


def _whole(pairs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A symmetric mask of these pairs, and of the diagonal of another."""
    out = np.diag(np.diag(mask))
    out[np.triu_indices(len(mask), 1)] = pairs[0] > 0
    return out | out.T


def _partners(mask: np.ndarray, rng: np.random.Generator, trades: int = 30) -> np.ndarray:
    """A symmetric mask in which every neuron has as many partners: Curveball trades of undirected graphs.

    Two neurons deal out anew, as in ``masks.same_degrees``, the partners that only one of them has, and these follow (Carstens,
    Berger and Strona 2016, arXiv 1609.05137).
    """
    out = np.array(mask)
    having = np.flatnonzero(mask.any(1) & ~mask.all(1))
    for _ in range(trades):
        for one, other in rng.permutation(having)[: len(having) // 2 * 2].reshape(-1, 2):
            only = out[one] ^ out[other]
            only[[one, other]] = False
            pool = rng.permutation(np.flatnonzero(only))
            first = np.arange(len(pool)) < out[one, pool].sum()
            out[one, pool], out[other, pool] = first, ~first
            out[pool, one], out[pool, other] = first, ~first
    return out


def against(
    graph: Graph,
    nulls: Sequence[str] = tuple(NULLS),
    *,
    samples: int = 20,
    seed: int = 0,
    measure: Callable[[Graph], dict[str, float]] = describe,
) -> dict[str, dict[str, Against]]:
    """Every measure of a graph against random graphs, by null model and measure; measures that are NaN are left out.

    Args:
        graph: of a network.
        nulls: of ``NULLS``.
        samples: random graphs of each null model.
        seed: of what is drawn.
        measure: what is measured; scalars by name.

    Raises:
        ValueError: for an unknown null model, or fewer than two samples.
    """
    if samples < 2:
        raise ValueError(f"nulls: samples must be at least 2, so that they have a deviation; given {samples}")
    own, out = measure(graph), {}
    for null in nulls:
        drawn = [measure(null_graph(graph, null, seed=seed * samples + i)) for i in range(samples)]
        out[null] = {n: beside(v, np.array([d[n] for d in drawn])) for n, v in own.items() if np.isfinite(v)}
    return out


def beside(value: float, drawn: np.ndarray) -> Against:
    """A measure against the same measure of what was drawn; draws that have none are left out."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Against(value, np.nan, np.nan, np.nan, np.nan)
    mean, deviation = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else np.nan
    off = value - mean
    same = abs(off) <= 1e-9 * max(abs(mean), 1.0)
    z = 0.0 if same else float(np.copysign(np.inf, off)) if deviation <= 1e-12 else off / deviation
    return Against(value, mean, deviation, z, value / mean if mean else np.nan)
