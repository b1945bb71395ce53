"""Which neuron of one network is which of another: permutation matching by weights (Ainsworth et al. 2023, arXiv 2209.04836).

Networks here are dense chains: a kernel (pre, post) a layer, in order. Their hidden neurons have no names of their own, so
that two networks are compared after the renaming that makes their weights most alike; what untrained networks of the same
shape reach by the same search is the null (:func:`against_untrained`).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from evodev.analysis.nulls import Against, beside
from evodev.network import Network, matrix
from evodev.substrate import Substrate
from evodev.types import Array, Float

Kernel = Float[np.ndarray | Array, "_ _"]
Orders = list[np.ndarray]
"""A permutation for each population of the chain, ends included: neuron ``i`` of the one is ``order[i]`` of the other."""


class Matching(NamedTuple):
    """The renaming of the other network's neurons, and the cosine of each kernel with its partner under it."""

    orders: Orders
    cosines: np.ndarray
    cosine: float


def chain(substrate: Substrate, network: Network) -> list[np.ndarray]:
    """The kernels of a network from inputs to outputs, without biases.

    Raises:
        ValueError: if the substrate is no chain, or the network lies in a sparse form.
    """
    names = [f"{a.name}->{b.name}" for a, b in pairwise(substrate.populations)]
    if [p.name for p in substrate.projections] != names or network.sources:
        raise ValueError(
            f"matching: needs a chain of matrices, one projection from each population to the next; these are "
            f"{', '.join(p.name for p in substrate.projections)}; pass a list of kernels"
        )
    return [np.asarray(matrix(network.weights[name])) for name in names]


def renamed(kernels: Sequence[Kernel], orders: Orders) -> list[np.ndarray]:
    """The same network with its neurons in these orders."""
    return [np.asarray(k)[before][:, after] for k, (before, after) in zip(kernels, pairwise(orders), strict=True)]


def match(
    own: Sequence[Kernel],
    other: Sequence[Kernel],
    *,
    free_ends: bool = False,
    restarts: int = 4,
    rounds: int = 100,
    seed: int = 0,
) -> Matching:
    """The renaming of ``other`` whose weights agree best with ``own``: the sum of products over all kernels is maximised.

    Coordinate descent: each population in turn takes the assignment that is best while the others stay (the paper's
    algorithm 1), until no order changes. It ends in a local optimum, the best of several starts.

    Args:
        own: kernels in order.
        other: of the same shapes.
        free_ends: rename inputs and outputs too, for networks whose ends have nothing to do with each other.
        restarts: starts; the first without any renaming, the others random.
        rounds: the most passes over all populations.
        seed: of starts, and of the order in which populations take their turn.

    Raises:
        ValueError: if the kernels are no chains of the same shapes, or have weights that are not finite.
    """
    mine, its = ([np.asarray(k, np.float64) for k in kernels] for kernels in (own, other))
    shapes = [k.shape for k in mine]
    if not mine or shapes != [k.shape for k in its] or any(a[1] != b[0] for a, b in pairwise(shapes)):
        raise ValueError(f"match: needs two chains of the same kernels; given {shapes} and {[k.shape for k in its]}")
    for side, kernels in (("own", mine), ("other", its)):
        if not all(np.isfinite(k).all() for k in kernels):
            raise ValueError(f"match: {side} has NaN or infinite weights; take a network that did not fail")
    sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
    free = range(len(sizes)) if free_ends else range(1, len(sizes) - 1)
    # each kernel counts for what it is relative to its size, whichever layer is larger
    mine, its = ([k / max(float(np.linalg.norm(k)), 1e-30) for k in kernels] for kernels in (mine, its))
    rng, best = np.random.default_rng(seed), None
    for start in range(restarts):
        orders = [rng.permutation(n) if start and i in free else np.arange(n) for i, n in enumerate(sizes)]
        _settle(mine, its, orders, free, rounds, rng)
        cosines = np.array([(a * b).sum() for a, b in zip(mine, renamed(its, orders), strict=True)])
        if best is None or cosines.mean() > best.cosine:
            best = Matching(orders, cosines, float(cosines.mean()))
    if best is None:
        raise ValueError(f"match: restarts must be at least 1, given {restarts}")
    return best


def against_untrained(
    own: Sequence[Kernel],
    other: Sequence[Kernel],
    *,
    born: Callable[[np.random.Generator], Sequence[Kernel]] | None = None,
    samples: int = 20,
    free_ends: bool = False,
    restarts: int = 4,
    rounds: int = 100,
    seed: int = 0,
) -> Against:
    """How alike two networks are after :func:`match`, against pairs of untrained networks matched by the same search.

    A search over permutations finds likeness in noise, the more the smaller the layers are: a cosine says nothing by itself.

    Args:
        own: kernels in order.
        other: of the same shapes.
        born: draws an untrained network of these shapes; by default all weights are independent and normal, as of He et al.
            (2015) or LeCun (a layer's scale does not matter). Say how yours are born if it is otherwise: masked, orthogonal.
        samples: pairs of the null, each of two networks born apart.
        free_ends: as of :func:`match`, like ``restarts`` and ``rounds``.
        restarts: starts.
        rounds: the most passes over all populations.
        seed: of the pairs that are drawn, and of :func:`match`.

    Raises:
        ValueError: as :func:`match`; or for fewer than two samples.
    """
    if samples < 2:
        raise ValueError(f"matching: samples must be at least 2, so that they have a deviation; given {samples}")
    shapes, rng = [np.shape(kernel) for kernel in own], np.random.default_rng(seed)
    draw = born or (lambda rng: [rng.standard_normal(shape) for shape in shapes])

    def likeness(a: Sequence[Kernel], b: Sequence[Kernel]) -> float:
        return match(a, b, free_ends=free_ends, restarts=restarts, rounds=rounds, seed=seed).cosine

    return beside(likeness(own, other), np.array([likeness(draw(rng), draw(rng)) for _ in range(samples)]))


def _settle(
    own: list[np.ndarray], other: list[np.ndarray], orders: Orders, free: range, rounds: int, rng: np.random.Generator
) -> None:
    """Improve the orders in place, a population at a time, until they stay."""
    for _ in range(rounds):
        before = [order.copy() for order in orders]
        for i in rng.permutation(np.asarray(free, int)):
            gain = np.zeros((len(orders[i]), len(orders[i])))
            if i > 0:  # what comes in
                gain += own[i - 1].T @ other[i - 1][orders[i - 1]]
            if i < len(own):  # what goes out
                gain += own[i] @ other[i][:, orders[i + 1]].T
            orders[i] = linear_sum_assignment(gain, maximize=True)[1]
        if all((a == b).all() for a, b in zip(before, orders, strict=True)):
            return
