"""The wiring of a network as a graph: who projects to whom, by projection.

A :class:`Graph` is read off a grown network (:func:`of_network`), masks on a substrate (:func:`of_masks`), any pytree of
weights (:func:`of_params`), the mask of one projection (:func:`of_mask`) or an adjacency (:func:`of_adjacency`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from evodev.baselines.masks import Masks, strongest
from evodev.models import from_params, read_params
from evodev.network import Network
from evodev.pytrees import Pattern
from evodev.sparse import scatter
from evodev.substrate import Substrate
from evodev.types import Bool


@dataclass(frozen=True, eq=False)
class Graph:
    """Who projects to whom, by projection.

    Attributes:
        masks: (pre, post) booleans by projection.
        ends: names of the populations (pre, post) that a projection joins.
        sizes: neurons of each population, in order.
        places: coordinates (n, dimensions) of the populations that lie somewhere.

    Raises:
        ValueError: if a mask is not as large as its populations, or there are no neurons at all.
    """

    masks: Mapping[str, Bool[np.ndarray, "pre post"]]
    ends: Mapping[str, tuple[str, str]]
    sizes: Mapping[str, int]
    places: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if not self.neurons:
            raise ValueError("graph: sizes has no neurons; give a population of at least one")
        for name, mask in self.masks.items():
            wanted = tuple(self.sizes[end] for end in self.ends[name])
            if mask.shape != wanted:
                raise ValueError(f"graph: the mask of {name} has shape {mask.shape}, but joins populations of {wanted} neurons")

    @property
    def neurons(self) -> int:
        """Of all populations."""
        return sum(self.sizes.values())

    @property
    def synapses(self) -> int:
        """Of all projections."""
        return int(sum(mask.sum() for mask in self.masks.values()))

    @cached_property
    def adjacency(self) -> sp.csr_array:
        """Zeros and ones (neurons, neurons), row to column, populations in order; synapses of a neuron on itself left out."""
        starts = dict(zip(self.sizes, np.cumsum([0, *self.sizes.values()]), strict=False))
        found = [(np.nonzero(mask), self.ends[name]) for name, mask in self.masks.items()]
        if not found:
            return sp.csr_array((self.neurons, self.neurons))
        rows = np.concatenate([pre + starts[a] for (pre, _), (a, _) in found])
        columns = np.concatenate([post + starts[b] for (_, post), (_, b) in found])
        other = rows != columns
        return sp.csr_array((np.ones(other.sum()), (rows[other], columns[other])), (self.neurons, self.neurons))

    @cached_property
    def undirected(self) -> sp.csr_array:
        """Who is joined with whom, in either direction."""
        joined = (self.adjacency + self.adjacency.T).tocsr()
        joined.data[:] = 1
        return joined


# ---- reading


def of_network(network: Network, substrate: Substrate) -> Graph:
    """The living neurons of a grown network and the synapses between them, blank slates included."""
    alive = {name: np.flatnonzero(np.asarray(lives) > 0) for name, lives in network.alive.items()}
    masks = {}
    for p in substrate.projections:
        mask, sources = network.masks[p.name], network.sources.get(p.name)
        masks[p.name] = np.asarray(mask if sources is None else scatter(mask, sources, substrate.population(p.pre).size))
    whole = of_masks(masks, substrate)
    masks = {name: mask[np.ix_(*(alive[end] for end in whole.ends[name]))] for name, mask in whole.masks.items()}
    sizes = {name: len(alive[name]) for name in whole.sizes}
    return Graph(masks, whole.ends, sizes, {name: at[alive[name]] for name, at in whole.places.items()})


def of_masks(masks: Masks, substrate: Substrate) -> Graph:
    """All neurons of a substrate, and a synapse wherever the mask (pre, post) of a projection is not zero.

    Raises:
        ValueError: if a mask has entries that are not finite.
    """
    ends = {p.name: (p.pre, p.post) for p in substrate.projections}
    places = {p.name: p.coordinates for p in substrate.populations}
    return Graph({n: _finite(n, masks[n]) != 0 for n in ends}, ends, {n: len(at) for n, at in places.items()}, places)


def of_params(params: Any, *, density: float | None = None, pattern: Pattern | None = None) -> Graph:
    """The kernels of any pytree of weights; a synapse is a weight that is not zero.

    Args:
        params: as of ``models.from_params``.
        density: keep this share of all weights, those largest beside their own kernel's root mean square; for dense networks.
        pattern: which leaves are kernels.

    Raises:
        ValueError: where ``models.from_params`` does, for a density outside (0, 1], or weights that are not finite.
    """
    if density is not None and not 0 < density <= 1:
        raise ValueError(f"graph: density must be in (0, 1], given {density}")
    substrate = from_params(params, pattern=pattern)
    sizes = {name: np.abs(_finite(name, w)) for name, w in read_params(substrate, params).items()}
    if density is not None:
        scores = {name: w / max(float(np.sqrt((w**2).mean())), 1e-30) for name, w in sizes.items()}
        sizes = strongest(scores, round(density * substrate.synapses))
    return of_masks(sizes, substrate)


def of_mask(mask: Any) -> Graph:
    """Two populations, ``pre`` and ``post``, and what a mask (pre, post) joins; places unknown.

    Raises:
        ValueError: if the mask has other than two axes, or entries that are not finite.
    """
    if np.ndim(mask) != 2:
        raise ValueError(f"graph: mask must have two axes (pre, post), given shape {np.shape(mask)}; reshape it")
    masks = {"pre->post": _finite("mask", mask) != 0}
    return Graph(masks, {"pre->post": ("pre", "post")}, dict(zip(("pre", "post"), np.shape(mask), strict=True)), {})


def of_adjacency(adjacency: Any) -> Graph:
    """One population of which row i projects to column j where the entry is not zero; a symmetric one projects both ways.

    Raises:
        ValueError: if it is not square, or has entries that are not finite.
    """
    shape = np.shape(adjacency)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"graph: adjacency must be square, given shape {shape}; give a mask of two populations to of_mask")
    own = "neurons->neurons"
    return Graph({own: _finite("adjacency", adjacency) != 0}, {own: ("neurons", "neurons")}, {"neurons": len(adjacency)}, {})


def _finite(name: str, values: Any) -> np.ndarray:
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise ValueError(f"graph: {name} has entries that are NaN or infinite; zero them or take a network that did not fail")
    return values
