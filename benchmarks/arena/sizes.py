"""Every preset at a given number of genes: its knobs, and the setting of them that comes nearest."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

from benchmarks.arena.worlds import World
from evodev.decoders import DECODERS, Cells, Decoder
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians
from evodev.decoders.cells.growth import Growth
from evodev.decoders.cells.soft_types import SoftTypes
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.automaton import CellularAutomaton
from evodev.decoders.wiring.compatibility import TypeCompatibility
from evodev.decoders.wiring.edge import EdgeMLP
from evodev.decoders.wiring.relative import RelativePosition
from evodev.organism import Organism

TOLERANCE = 0.15
"""How far from the world's number of genes a decoder may be before it is flagged."""

Knobs = Callable[[Decoder, World], Iterator[Decoder]]


def _genes(kind: Callable[[int], Cells], most: int) -> Knobs:
    """Expressed genes in each population."""
    return lambda decoder, world: (replace(decoder, cells=kind(genes)) for genes in range(1, most))


def _hidden(decoder: Decoder, world: World) -> Iterator[Decoder]:
    """Two hidden layers of the wiring's network, the second from half as wide as the first to as wide."""
    for a, b in product(range(4, 25), range(2, 25)):
        if a // 2 <= b <= a:
            wiring: Any = decoder.wiring
            yield replace(decoder, wiring=replace(wiring, hidden=(a, b)))


def _retinotopic(decoder: Decoder, world: World) -> Iterator[Decoder]:
    """Waves of the first kernels and of the others; windows as wide as the tissue where places mean nothing."""
    flat = not any(p.blank for p in world.substrate.projections)
    many = len(world.substrate.grown)
    for a, b in product(range(1, 41 if len(world.substrate.input.grid) == 1 else 13), repeat=2):
        if abs(a - b) <= 1:
            wiring = RelativePosition(radius=(2.0,) if flat else (0.45,), waves=(a, *(b,) * (many - 1)))
            yield replace(decoder, wiring=wiring)


def _dct(decoder: Decoder, world: World) -> Iterator[Decoder]:
    """Orders of the inputs and of the hidden populations; of outputs all that are told apart."""
    hidden = len(world.substrate.populations) - 2
    for a, b in product(range(1, 15), repeat=2):
        if abs(a - b) <= 2:
            yield replace(decoder, cells=CosineBasis((a, *(b,) * hidden, 6)))


def _ndna(decoder: Decoder, world: World) -> Iterator[Decoder]:
    for types, affinity in product(range(4, 33), (4, 8, 12)):
        yield replace(decoder, cells=SoftTypes(types), wiring=TypeCompatibility(affinity))


def _hypernca(decoder: Decoder, world: World) -> Iterator[Decoder]:
    for cells, hidden in product((4, 5, 6), range(2, 17)):
        yield replace(decoder, wiring=CellularAutomaton(cells, hidden))


def _ndp(decoder: Decoder, world: World) -> Iterator[Decoder]:
    for embedding, hidden in product(range(3, 17), repeat=2):
        if abs(embedding - hidden) <= 2:
            yield replace(decoder, cells=Growth(embedding, hidden), wiring=EdgeMLP((hidden,)))


KNOBS: dict[str, Knobs] = {
    "retinotopic": _retinotopic,
    "gem": _genes(ExpressionTable, 25),
    "spatial_gem": _genes(SpatialGaussians, 33),
    "fourier_gem": _genes(Gradients, 33),
    "gnet": _hidden,
    "hyperneat": _hidden,
    "dct": _dct,
    "ndna": _ndna,
    "hypernca": _hypernca,
    "ndp": _ndp,
}
"""Settings that a preset may take; one that is not named has no knob."""


def budgeted(decoder: Decoder, world: World) -> Decoder:
    """The decoder with the world's synapse budget, and an evolved scale a projection where its wiring has one to offer."""
    slope = decoder.sparsity.slope if isinstance(decoder.sparsity, Budget) else 0.0
    wiring: Any = decoder.wiring
    if hasattr(wiring, "scaled"):
        wiring = replace(wiring, scaled=True)
    return replace(decoder, wiring=wiring, sparsity=Budget(world.fraction, slope=slope))


def numbers(decoder: Decoder, world: World) -> int:
    """Evolved numbers of decoder and learner."""
    return Organism(world.substrate, decoder, world.learner).genome_spec.size


@cache
def sized(name: str, world: World) -> Decoder:
    """A preset at the world's synapse budget, its knobs where its numbers are nearest to the world's.

    Raises:
        ValueError: if no setting can serve the substrate, with the reason that the last one gave.
    """
    plain = budgeted(DECODERS[name], world)
    best, least, reason = None, float("inf"), f"{name}: no setting to try"
    for decoder in KNOBS.get(name, lambda decoder, world: iter((decoder,)))(plain, world):
        try:
            off = abs(numbers(decoder, world) - world.numbers)
        except ValueError as error:
            reason = str(error)
            continue
        if off < least:
            best, least = decoder, off
    if best is None:
        raise ValueError(reason)
    return best


def off_size(decoder: Decoder, world: World) -> bool:
    """Whether a decoder's numbers are further from the world's than what counts as equal."""
    return abs(numbers(decoder, world) / world.numbers - 1) > TOLERANCE
