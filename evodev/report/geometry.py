"""Where the drawing of a network puts neurons and synapses: plain geometry in the plane, no plotting."""

from collections.abc import Mapping

import numpy as np

from evodev.substrate import Population, Projection, Substrate

GAP = 1.6
"""Clear space between neighbouring populations; their own coordinates run over [-1, 1]."""
DEPTH, LIFT = 0.34, 0.30
"""How far one unit along a grid's second axis goes right and up."""
TYPE_STEP = 0.13
"""How far apart the sheets of neighbouring types are, at most."""
CURVE = 40
"""Points of a drawn synapse."""

Places = Mapping[str, np.ndarray]
"""Where each population's neurons are drawn: (n, 2)."""


def places(substrate: Substrate) -> dict[str, np.ndarray]:
    """Where to draw every neuron: populations from left to right, the first axis of a grid downwards."""
    out, right = {}, 0.0
    for population in substrate.populations:
        place = _own(population)
        out[population.name] = place + np.array([right - place[:, 0].min(), 0.0])
        right = out[population.name][:, 0].max() + GAP
    return out


def _own(population: Population) -> np.ndarray:
    """A population around the origin, (n, 2): further axes go back into the page, types are sheets side by side."""
    coordinates = population.coordinates
    if population.at is not None:  # of whatever unit; as wide as a grid's
        low, high = coordinates.min(0), coordinates.max(0)
        coordinates = (2 * coordinates - low - high) / max(float((high - low).max()), 1e-9)
    across = coordinates[:, 1:].sum(1)
    kind = np.arange(population.size) % population.types - (population.types - 1) / 2
    step = min(TYPE_STEP, 1.4 / population.types)
    scale = 0.78 if len(population.grid) > 1 else 1.0
    return np.stack([DEPTH * across + step * kind, -scale * coordinates[:, 0] + LIFT * across], axis=1)


def sheets(population: Population, place: np.ndarray) -> list[np.ndarray]:
    """Outlines (4, 2) of a 2-D population, a sheet a type, half a cell beyond its outermost neurons."""
    if len(population.grid) != 2 or population.at is not None:
        return []
    high, wide = population.grid
    down, over = 0.78 / high, np.array([DEPTH, LIFT]) / wide
    out = []
    for kind in range(population.types):
        own = place[kind :: population.types].reshape(high, wide, 2)
        corners = ((0, 0, 1, -1), (0, -1, 1, 1), (-1, -1, -1, 1), (-1, 0, -1, -1))
        out.append(np.array([own[r, c] + np.array([0, up * down]) + side * over for r, c, up, side in corners]))
    return out


def band(where: Places, projection: Projection) -> np.ndarray:
    """Outline (4, 2) of everything between two populations."""
    ends = []
    for name in (projection.pre, projection.post):
        place = where[name]
        ends.append((place[:, 0].mean(), place[:, 1].min(), place[:, 1].max()))
    (x0, low0, high0), (x1, low1, high1) = ends
    return np.array([(x0, low0), (x0, high0), (x1, high1), (x1, low1)])


def strongest(weights: np.ndarray, mask: np.ndarray, most: int) -> np.ndarray:
    """(pre, post) numbers of at most so many synapses: (synapses, 2).

    Each neuron's strongest input comes first, then each one's second, so that a shared kernel with one large weight
    does not take every line.
    """
    sizes = np.where(mask, np.abs(weights), -1.0)
    rank = np.argsort(np.argsort(-sizes, axis=0, kind="stable"), axis=0, kind="stable")
    pre, post = np.nonzero(mask)
    kept = np.lexsort((-sizes[pre, post], rank[pre, post]))[:most]
    return np.stack([pre[kept], post[kept]], axis=1)


def paths(substrate: Substrate, where: Places, projection: Projection, pairs: np.ndarray) -> np.ndarray:
    """Points (synapses, CURVE, 2) along drawn synapses.

    Straight to the next population; in an arc over those that a skip passes, under those that a way back passes, and to
    the right within a population.
    """
    step = jump(substrate, projection)
    start, end = where[projection.pre][pairs[:, 0]], where[projection.post][pairs[:, 1]]
    middle = (start + end) / 2
    if step == 0:
        # a synapse onto itself would be a line there and back; a little height makes it a loop
        start, end = start + np.array([0.0, 0.02]), end - np.array([0.0, 0.02])
        middle = middle + np.array([0.9, 0.0]) * (0.35 + np.abs(start - end)[:, 1:])
    elif step != 1:
        side = np.sign(step)
        peak = side * (1.35 + 0.12 * side * middle[:, 1])
        # the control point of an arc is twice as far out as the arc itself
        middle = np.stack([middle[:, 0], 2 * peak - middle[:, 1]], axis=1)
    t = np.linspace(0, 1, CURVE)[None, :, None]
    return (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * middle[:, None] + t**2 * end[:, None]


def jump(substrate: Substrate, projection: Projection) -> int:
    """How many populations a projection goes forward; 0 within one, negative on a way back."""
    names = [p.name for p in substrate.populations]
    return names.index(projection.post) - names.index(projection.pre)
