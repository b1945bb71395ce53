"""Development in three moves: cells (who am I?), wiring with sparsity (whom do I touch?), refinement (what is kept?).

A part is a frozen dataclass: its fields are its configuration, it holds no arrays, and what evolves is declared by
its ``genome_spec``. Any cells go with any wiring.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.genome import GenomeSpec, branch
from evodev.network import Network, matrix
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Genome, Key, Matrix, Vector


@struct.dataclass
class Tissue:
    """What cells have become before wiring: a state (n, genes) and who is alive (n,), a population.

    ``by_type`` says that a state depends on the type of a neuron alone, and repeats from position to position.
    """

    states: dict[str, Float[Array, "n genes"]]
    alive: dict[str, Vector]
    by_type: bool = struct.field(pytree_node=False, default=False)


@struct.dataclass
class Wires:
    """What wiring proposes: channels (pre, post) for each grown projection, and a bias for each neuron.

    ``logits`` say how much a synapse is wanted (higher is kept first), ``weights`` what it would weigh at birth,
    ``gains`` how plastic it would be (1 where a projection has none). Weights may be in a shared form
    (``network.Weights``).
    """

    logits: dict[str, Matrix]
    weights: dict[str, Any]
    gains: dict[str, Matrix]
    biases: dict[str, Vector]


@struct.dataclass
class Trace:
    """The stages of one development, for pictures and analysis."""

    tissue: Tissue
    wires: Wires
    masks: dict[str, Matrix]
    network: Network


class Cells(ABC):
    """First move: genes and substrate -> tissue."""

    @abstractmethod
    def widths(self, substrate: Substrate) -> dict[str, int]:
        """Length of a cell's state in each population."""

    @abstractmethod
    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """The genes that these cells read."""

    @abstractmethod
    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        """Grow the tissue."""


class Wiring(ABC):
    """Second move: tissue -> channels for every grown projection."""

    @abstractmethod
    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        """The genes that this wiring reads, given the length of a cell's state in each population."""

    def windows(self, substrate: Substrate) -> dict[str, np.ndarray]:
        """Where a synapse can exist at all, (pre, post) booleans; projections that are not named have no limits."""
        return {}

    @abstractmethod
    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        """Propose synapses."""


class Sparsity(ABC):
    """Second move, second half: which of the proposed synapses exist."""

    @abstractmethod
    def genome_spec(self, windows: dict[str, np.ndarray], substrate: Substrate) -> GenomeSpec:
        """The genes that this rule reads; none where :meth:`keeps_all` leaves it no choice."""

    def keeps_all(self, windows: dict[str, np.ndarray], substrate: Substrate) -> bool:
        """Whether every synapse that the wiring allows exists, whatever the genome."""
        return False

    @abstractmethod
    def select(
        self, genes: Genes, wires: Wires, windows: dict[str, np.ndarray], substrate: Substrate, *, key: Key
    ) -> dict[str, Matrix]:
        """Masks of zeros and ones for every grown projection, inside the wiring's windows."""


class Refinement(ABC):
    """Third move: network -> network, before experience."""

    @abstractmethod
    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """The genes that this refinement reads."""

    @abstractmethod
    def refine(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Network:
        """Refine the network."""


@dataclass(frozen=True)
class Decoder:
    """A developmental program: cells x wiring x sparsity x refinement, genome -> network.

    Pure, jit-able, vmap-able and differentiable in the genome where its parts are; the same key gives the same network.

    Attributes:
        cells: who each neuron is.
        wiring: what each pair of neurons would share.
        sparsity: which synapses exist.
        refinement: what is changed before experience, in order.
    """

    cells: Cells
    wiring: Wiring
    sparsity: Sparsity
    refinement: tuple[Refinement, ...] = ()

    @property
    def stochastic(self) -> bool:
        """Whether growth depends on the key; if not, one network is grown for all lives of a genome."""
        return False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """Genes of all parts, named ``cells/...``, ``wiring/...``, ``sparsity/...``, ``refinement<i>/...``.

        Raises:
            ValueError: if a part cannot serve the substrate, naming the field and the remedy.
        """
        parts = {
            "cells": self.cells.genome_spec(substrate),
            "wiring": self.wiring.genome_spec(substrate, self.cells.widths(substrate)),
            "sparsity": self.sparsity.genome_spec(self.wiring.windows(substrate), substrate),
        }
        parts |= {f"refinement{i}": part.genome_spec(substrate) for i, part in enumerate(self.refinement)}
        return GenomeSpec.join(parts)

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        """Genome -> network.

        Args:
            genome: vector of ``genome_spec(substrate).size`` numbers.
            substrate: where to grow.
            key: for parts that draw at random.
            shared: leave weights that repeat in their shared form where possible: the same function, grown and computed
                at a fraction of the cost, for learners that change no grown synapse.
        """
        return self.trace(genome, substrate, key=key, shared=shared).network

    def trace(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Trace:
        """Genome -> every stage of its development; see :meth:`grow`."""
        genes = self.genome_spec(substrate).unpack(genome)
        key_cells, key_wiring, key_sparsity, key_refine = jax.random.split(key, 4)
        tissue = self.cells.express(branch(genes, "cells"), substrate, key=key_cells)
        wires = self.wiring.connect(branch(genes, "wiring"), tissue, substrate, key=key_wiring)
        windows = self.wiring.windows(substrate)
        masks = self.sparsity.select(branch(genes, "sparsity"), wires, windows, substrate, key=key_sparsity)
        whole = not self.refinement and self.sparsity.keeps_all(windows, substrate)
        network = assemble(substrate, tissue, wires, masks, shared=shared and whole)
        for i, part in enumerate(self.refinement):
            part_key = jax.random.fold_in(key_refine, i)
            network = part.refine(branch(genes, f"refinement{i}"), network, substrate, key=part_key)
        return Trace(tissue, wires, masks, network)


def assemble(substrate: Substrate, tissue: Tissue, wires: Wires, masks: dict[str, Matrix], *, shared: bool = False) -> Network:
    """Masked wires and blank slates -> network; synapses of the dead are removed.

    ``shared`` leaves weights as the wiring made them, which is right where the masks take nothing away.
    """
    weights, kept = {}, {}
    for projection in substrate.projections:
        name = projection.name
        living = tissue.alive[projection.pre][:, None] * tissue.alive[projection.post][None, :]
        if projection.blank:
            kept[name], weights[name] = living, jnp.zeros_like(living)
        else:
            kept[name] = masks[name] * living
            weights[name] = wires.weights[name] if shared else matrix(wires.weights[name]) * kept[name]
    biases = {p.name: wires.biases.get(p.name, jnp.zeros(p.size)) for p in substrate.populations}
    return Network(weights, kept, wires.gains, biases, tissue.alive)


def all_alive(substrate: Substrate) -> dict[str, Vector]:
    """Every neuron alive."""
    return {p.name: jnp.ones(p.size) for p in substrate.populations}


def biased(substrate: Substrate) -> list[str]:
    """Populations whose bias is grown: those that a grown projection feeds."""
    return list(dict.fromkeys(p.post for p in substrate.grown))
