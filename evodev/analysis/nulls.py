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
fan-out in each projection kept. Where a population projects to itself, a random graph may join a neuron with itself."""


class Against(NamedTuple):
    """A measure beside what it is in random graphs: its z-score and its ratio to their mean.

    ``z`` is 0 where random graphs always have the same value, and infinite where they always have the same other one;
    ``ratio`` is NaN where their mean is zero.
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
    masks = NULLS[null](graph.masks, np.random.default_rng(seed))
    return replace(graph, masks={name: mask > 0 for name, mask in masks.items()})


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
        ValueError: for an unknown null model.
    """
    own, out = measure(graph), {}
    for null in nulls:
        drawn = [measure(null_graph(graph, null, seed=seed * samples + i)) for i in range(samples)]
        out[null] = {n: _beside(v, np.array([d[n] for d in drawn])) for n, v in own.items() if np.isfinite(v)}
    return out


def _beside(value: float, drawn: np.ndarray) -> Against:
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Against(value, np.nan, np.nan, np.nan, np.nan)
    mean, deviation = float(known.mean()), float(known.std())
    off = value - mean
    same = abs(off) <= 1e-9 * max(abs(mean), 1.0)
    z = 0.0 if same else off / deviation if deviation > 1e-12 else float(np.copysign(np.inf, off))
    return Against(value, mean, deviation, z, value / mean if mean else np.nan)
