"""A graph described by what no renaming of neurons can change.

:func:`describe` says in numbers all there is to say of a :class:`~evodev.analysis.graph.Graph`; what they are worth only null
models tell (``analysis.nulls``). Computed with numpy, for up to a few thousand neurons.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh, svds

from evodev.analysis.graph import Graph
from evodev.types import Float, Int

HUBS = 0.1
"""The share of neurons, those with the most partners, that counts as hubs; more of them where the last are equal."""
DENSE = 200
"""Above so many rows single eigenvectors and singular values are found by iteration."""


# ---- degrees


class Spread(NamedTuple):
    """How unequal degrees are: their mean, coefficient of variation, Gini coefficient, and the share of the largest."""

    mean: float
    cv: float
    gini: float
    largest: float


def degrees(graph: Graph) -> dict[str, dict[str, Int[np.ndarray, " n"]]]:
    """Fan-ins (``in``) and fan-outs (``out``) by population, of the populations that receive or send at all."""
    out: dict[str, dict[str, np.ndarray]] = {"in": {}, "out": {}}
    for name, mask in graph.masks.items():
        for side, population, axis in (("out", graph.ends[name][0], 1), ("in", graph.ends[name][1], 0)):
            out[side][population] = out[side].get(population, 0) + mask.sum(axis)
    return out


def spread(values: Int[np.ndarray, " n"]) -> Spread:
    """See :class:`Spread`; zeros where there is nothing to share."""
    n, total = len(values), float(values.sum())
    if not total:
        return Spread(0.0, 0.0, 0.0, 0.0)
    gini = 2 * float(np.arange(1, n + 1) @ np.sort(values)) / (n * total) - (n + 1) / n
    return Spread(total / n, float(values.std() * n / total), gini, float(values.max()) / total)


def _pooled(of: Mapping[str, np.ndarray]) -> Spread:
    """Mean over populations of their spreads, weighted by their neurons."""
    total = sum(len(values) for values in of.values())
    if not total:
        return spread(np.zeros(0, int))
    each = [np.array(spread(values)) * len(values) / max(total, 1) for values in of.values()]
    return Spread(*map(float, np.sum(each, axis=0)))


# ---- neighbourhoods


def clustering(graph: Graph) -> Float[np.ndarray, " n"]:
    """Of each neuron's pairs of partners, the share that are partners too (Watts and Strogatz 1998); 0 in a chain of layers."""
    joined, degree = graph.undirected, graph.undirected.sum(1)
    triangles = ((joined @ joined) * joined).sum(1) / 2
    return 2 * triangles / np.maximum(degree * (degree - 1), 1)


def squares(graph: Graph) -> float:
    """Clustering of layers: the share of paths over three synapses of one projection that a fourth closes to a square.

    Robins and Alexander 2004 (doi 10.1023/B:CMOT.0000032580.12184.c0), 4 C4 / L3, projections together; 0 without any path.
    """
    closed = paths = 0.0
    for mask in graph.masks.values():
        closed += 4 * _shared_pairs(sp.csr_array((mask if len(mask) < mask.shape[1] else mask.T).astype(float)))
        pre, post = mask.sum(1) - 1, mask.sum(0) - 1
        paths += float(pre @ mask @ post)
    return closed / paths if paths else 0.0


def _shared_pairs(sends: sp.csr_array) -> float:
    """Pairs of rows times pairs of columns that both rows hold."""
    common = sp.triu(sends @ sends.T, 1).data
    return float((common * (common - 1)).sum() / 2)


def motifs(graph: Graph) -> dict[str, float]:
    """How often small patterns occur, other synapses among the same neurons allowed (Milo et al. 2002).

    ``feedforward``: i to j, j to k and i to k. ``bifan``: two neurons that both send to the same two. ``loop``: three in a
    circle. ``reciprocal``: share of synapses that are answered.
    """
    sends = graph.adjacency
    two = sends @ sends
    return {
        "feedforward": float((two * sends).sum()),
        "bifan": _shared_pairs(sends),
        "loop": float((two * sends.T).sum() / 3),
        "reciprocal": float((sends * sends.T).sum() / max(sends.sum(), 1)),
    }


def rich_club(graph: Graph) -> float:
    """How densely hubs are joined with each other: the tenth of neurons with the most partners, and all who have as many."""
    degree = graph.undirected.sum(1)
    hubs = np.flatnonzero(degree >= np.sort(degree)[-max(1, round(HUBS * len(degree)))])
    return float(graph.undirected[hubs][:, hubs].sum() / max(len(hubs) * (len(hubs) - 1), 1))


def hub_share(graph: Graph) -> float:
    """Share of all ends of synapses that the tenth of neurons with the most partners holds."""
    degree = np.sort(graph.undirected.sum(1))[::-1]
    return float(degree[: max(1, round(HUBS * len(degree)))].sum() / max(degree.sum(), 1))


# ---- paths


def distances(graph: Graph, *, directed: bool = False) -> Float[np.ndarray, "n n"]:
    """Synapses on the shortest way from each neuron (row) to each other; infinite where there is none."""
    n, ways = graph.neurons, graph.adjacency if directed else graph.undirected
    partners = np.split(ways.indices, ways.indptr[1:-1])
    here = np.eye(n, dtype=bool)
    out, length = np.where(here, 0.0, np.inf), 0
    # who can be reached from each neuron, a bit each: one step further is all that its partners reach
    seen = np.packbits(here, axis=1)
    while here.any():
        length += 1
        wider = seen | np.stack([np.bitwise_or.reduce(seen[row], axis=0) for row in partners])
        here = np.unpackbits(wider & ~seen, axis=1, count=n).astype(bool)
        out[here], seen = length, wider
    return out


def paths(graph: Graph) -> dict[str, float]:
    """Lengths of the shortest ways.

    ``path_length``: mean over all pairs of neurons that any way joins, whichever the direction of synapses (NaN if none).
    ``efficiency``: mean of 1 / length over all pairs, 0 where there is no way. ``largest_component``: share of neurons in the
    largest part that hangs together. ``joined``: share of pairs of an input (a population that receives nothing) and an
    output (one that sends nothing) with a way along the synapses; NaN where there is no such population.
    """
    n, far = graph.neurons, distances(graph)
    others = ~np.eye(n, dtype=bool)
    lengths = far[others]
    found = np.isfinite(lengths)
    first, last = (_only(graph, side) for side in (1, 0))
    ways = np.isfinite(distances(graph, directed=True)[np.ix_(first, last)])
    return {
        "path_length": float(lengths[found].mean()) if found.any() else np.nan,
        "efficiency": float((1 / lengths).mean()) if n > 1 else 0.0,
        "largest_component": float(np.isfinite(far).sum(1).max() / n),
        "joined": float(ways.mean()) if ways.size else np.nan,
    }


def _only(graph: Graph, side: int) -> np.ndarray:
    """Neurons of the populations that are at this end of no projection, by place in the adjacency."""
    used = {ends[side] for ends in graph.ends.values()}
    return np.flatnonzero(np.concatenate([np.full(n, name not in used) for name, n in graph.sizes.items()]))


def small_world(clusters: float, length: float, neurons: int, degree: float) -> float:
    """(C / C_random) / (L / L_random) of Humphries and Gurney 2008, with k / n and ln n / ln k of a random graph.

    NaN where neurons have no more than one partner.
    """
    if not degree > 1:
        return np.nan
    return float((clusters * neurons / degree) / (length * np.log(degree) / np.log(neurons)))


# ---- blocks


def communities(graph: Graph) -> Int[np.ndarray, " n"]:
    """Which community each neuron belongs to: splits by leading eigenvectors, then single moves, as long as Q grows.

    Newman 2006 (doi 10.1103/PhysRevE.74.036104), whichever the direction of synapses. Deterministic. A synapse weighs a
    millionth more where many walks lead through its ends, so that ties are broken alike whatever neurons are called, as long as
    no symmetry of the graph exchanges them.
    """
    n = graph.neurons
    if not graph.undirected.nnz:
        return np.arange(n)
    walks = [np.asarray(graph.undirected.sum(1))]
    for _ in range(3):
        walks.append(graph.undirected @ walks[-1] / walks[-1].max())
    sight = np.sum([w / w.max() for w in walks], axis=0)
    pre, post = graph.undirected.nonzero()
    weighted = sp.csr_array((1 + 1e-6 * sight[pre] * sight[post], (pre, post)), (n, n))
    labels, waiting = np.zeros(n, int), [np.arange(n)]
    while waiting:
        members = waiting.pop()
        side = _split(weighted, members)
        if side is not None:
            labels[members[side]] = labels.max() + 1
            waiting += [members[side], members[~side]]
    return _moved(weighted, labels)


def _split(weighted: sp.csr_array, members: np.ndarray) -> np.ndarray | None:
    """The half of a community that is better apart, as booleans; None if there is none."""
    degree = weighted.sum(1)
    inside = weighted[members][:, members].toarray() - np.outer(degree[members], degree[members]) / degree.sum()
    inside[np.diag_indices(len(members))] -= inside.sum(1)
    if len(members) > DENSE:
        side = np.ravel(eigsh(inside, 1, which="LA", v0=degree[members] ** 2)[1]) > 0
    else:
        side = np.linalg.eigh(inside)[1][:, -1] > 0
    sign = np.where(side, 1.0, -1.0)
    return side if 0 < side.sum() < len(side) and sign @ inside @ sign > 1e-7 else None


def _moved(weighted: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Neurons moved one at a time, the best move first, to where Q is higher; as long as there is such a move."""
    labels, degree = np.unique(labels, return_inverse=True)[1], weighted.sum(1)
    total, every = degree.sum(), np.arange(len(labels))
    to = weighted @ np.eye(labels.max() + 1)[labels]
    held = np.bincount(labels, degree)
    while True:
        own = to[every, labels] - degree * (held[labels] - degree) / total
        gain = to - degree[:, None] * held / total - own[:, None]
        gain[every, labels] = -np.inf
        best, where = np.unravel_index(gain.argmax(), gain.shape)
        if not gain[best, where] > 1e-7:
            return np.unique(labels, return_inverse=True)[1]
        _, partners, sizes = sp.find(weighted[[best]])
        to[partners, labels[best]] -= sizes
        to[partners, where] += sizes
        held[labels[best]] -= degree[best]
        held[where] += degree[best]
        labels[best] = where


def modularity(graph: Graph, labels: Int[np.ndarray, " n"]) -> float:
    """Newman's Q of these communities: the share of synapses inside, less what degrees alone would put there."""
    degree = graph.undirected.sum(1)
    if not degree.sum():
        return 0.0
    pre, post = graph.undirected.nonzero()
    return float((labels[pre] == labels[post]).mean() - ((np.bincount(labels, degree) / degree.sum()) ** 2).sum())


def blocks(graph: Graph) -> float:
    """How nearly projections fall apart into blocks: their second singular value, each synapse divided by its ends' degrees.

    Of D^-1/2 M D^-1/2 (Dhillon 2001, doi 10.1145/502512.502550): 1 where senders and receivers fall into two groups without a
    synapse between them, 0 where all are joined with all. Mean over projections, weighted by their synapses.
    """
    told = []
    for mask in graph.masks.values():
        part = mask[mask.any(1)][:, mask.any(0)].astype(float)
        if min(part.shape) > 1:
            scaled = part / np.sqrt(np.outer(part.sum(1), part.sum(0)))
            told.append((part.sum(), _second(scaled)))
    return float(np.average([v for _, v in told], weights=[w for w, _ in told])) if told else 0.0


def _second(matrix: np.ndarray) -> float:
    """The second singular value."""
    if min(matrix.shape) > DENSE:
        return float(min(svds(matrix, 2, v0=np.cos(np.arange(min(matrix.shape))))[1]))
    return float(np.linalg.svd(matrix, compute_uv=False)[1])


# ---- cost


def wiring(graph: Graph) -> tuple[float, float]:
    """Distance between the ends of all synapses, in sum and in the mean.

    Of projections whose ends lie in a space of the same number of dimensions; NaN if there is none.
    """
    total, many = 0.0, 0
    for name, mask in graph.masks.items():
        pre, post = (graph.places.get(end) for end in graph.ends[name])
        if pre is not None and post is not None and pre.shape[1] == post.shape[1]:
            senders, receivers = np.nonzero(mask)
            total += float(np.linalg.norm(pre[senders] - post[receivers], axis=1).sum())
            many += len(senders)
    return (total, total / many) if many else (np.nan, np.nan)


def describe(graph: Graph) -> dict[str, float]:
    """Every measure of this module; NaN where a graph has nothing to measure.

    No renaming of neurons changes any of them, but for rounding; ``modularity`` alone is what a search finds, and where a
    graph has symmetries that leave ties, a renaming may lead it elsewhere (by a few hundredths of Q on a grid of 8 x 8).

    Fan-ins and fan-outs are told apart: mean, ``cv``, ``gini`` and share of the ``largest`` are means over populations.
    """
    into, out = (_pooled(of) for of in degrees(graph).values())
    possible = sum(mask.size for mask in graph.masks.values())
    clusters, ways = float(clustering(graph).mean()), paths(graph)
    partners = float(graph.undirected.sum() / graph.neurons)
    cost, length = wiring(graph)
    return {
        "neurons": float(graph.neurons),
        "synapses": float(graph.synapses),
        "density": graph.synapses / possible if possible else np.nan,
        "fan_in": into.mean,
        **{f"fan_in_{name}": value for name, value in into._asdict().items() if name != "mean"},
        **{f"fan_out_{name}": value for name, value in out._asdict().items() if name != "mean"},
        "clustering": clusters,
        "squares": squares(graph),
        "modularity": modularity(graph, communities(graph)),
        "blocks": blocks(graph),
        "hub_share": hub_share(graph),
        "rich_club": rich_club(graph),
        **motifs(graph),
        **ways,
        "small_world": small_world(clusters, ways["path_length"], graph.neurons, partners),
        "wiring_cost": cost,
        "wiring_length": length,
    }
