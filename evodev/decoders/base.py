"""Development in three moves: cells (who am I?), wiring with sparsity (whom do I touch?), refinement (what is kept?).

A part is a frozen dataclass: its fields are its configuration, it holds no arrays, and what evolves is declared by
its ``genome_spec``. Any cells go with any wiring.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.genome import Gene, GenomeSpec, branch
from evodev.network import Network, matrix
from evodev.substrate import Projection, Substrate
from evodev.types import Array, Float, Genes, Genome, Key, Matrix, Scalar, Vector

NEVER = -1e30
"""The logit of a synapse that cannot be; finite, so that gradients stay so."""

Windows = dict[str, np.ndarray]
"""Where synapses can exist at all, booleans (pre, post) a projection; one that is not named has no limits."""


@struct.dataclass
class Tissue:
    """What cells have become before wiring: a state (n, genes) and who is alive (n,), a population.

    ``graph`` has the projections (pre, post) between which growth made links; a synapse outside them cannot exist, and a
    projection that is not named has no limits. ``by_type`` says that a state depends on the type of a neuron alone, and
    repeats from position to position.
    """

    states: dict[str, Float[Array, "n genes"]]
    alive: dict[str, Vector]
    graph: dict[str, Matrix] = struct.field(default_factory=dict)
    by_type: bool = struct.field(pytree_node=False, default=False)


@struct.dataclass
class Wires:
    """What wiring proposes: channels (pre, post) for each grown projection, and a bias for each neuron.

    ``logits`` say how much a synapse is wanted (higher is kept first), ``weights`` what it would weigh at birth,
    ``gains`` how plastic it would be (1 where a projection has none), ``channels`` whatever else a learner asks for, by
    channel and projection. Weights may be in a shared form (``network.Weights``).
    """

    logits: dict[str, Matrix]
    weights: dict[str, Any]
    gains: dict[str, Matrix]
    biases: dict[str, Vector]
    channels: dict[str, dict[str, Matrix]] = struct.field(default_factory=dict)


def emit(values: Mapping[str, Mapping[str, Any]], biases: dict[str, Vector]) -> Wires:
    """Wires of named channels, channel -> projection -> (pre, post).

    ``weight`` must be there. ``logit`` is the wish for a synapse, the size of its weight where it is not expressed apart;
    ``gain`` is the logarithm of the plasticity gain; any other channel is handed to the learner as it is.
    """
    values = dict(values)
    weights = dict(values.pop("weight"))
    logits = {name: jnp.abs(matrix(w)) for name, w in weights.items()} | dict(values.pop("logit", {}))
    # clipped so that no genome makes a gain infinite
    gains = {name: jnp.exp(jnp.clip(g, -5.0, 5.0)) for name, g in values.pop("gain", {}).items()}
    return Wires(logits, weights, gains, biases, {channel: dict(of) for channel, of in values.items()})


@struct.dataclass
class Trace:
    """The stages of one development, for pictures and analysis."""

    tissue: Tissue
    wires: Wires
    masks: dict[str, Matrix]
    network: Network


class Cells(ABC):
    """First move: genes and substrate -> tissue."""

    stochastic: ClassVar[bool] = False
    """Whether the key changes the tissue."""

    @abstractmethod
    def widths(self, substrate: Substrate) -> dict[str, int]:
        """Length of a cell's state in each population."""

    @abstractmethod
    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """The genes that these cells read."""

    @abstractmethod
    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        """Grow the tissue."""

    def stages(self, genes: Genes, substrate: Substrate, *, key: Key) -> list[Tissue]:
        """The tissue after each step of its growth, the finished one last; for pictures."""
        return [self.express(genes, substrate, key=key)]


class Wiring(ABC):
    """Second move: tissue -> channels for every grown projection.

    Wirings that can express more than a weight have a field ``channels`` with the names of those further channels; see
    :func:`emit` for what the names mean.
    """

    channels: tuple[str, ...] = ()
    stochastic: ClassVar[bool] = False
    """Whether the key changes the wires."""

    @abstractmethod
    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        """The genes that this wiring reads, given the length of a cell's state in each population."""

    def windows(self, substrate: Substrate) -> Windows:
        """Where a synapse can exist at all, (pre, post) booleans; projections that are not named have no limits."""
        return {}

    @abstractmethod
    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        """Propose synapses."""

    def stages(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> list[Wires]:
        """The wires after each step of their growth, the finished ones last; for pictures."""
        return [self.connect(genes, tissue, substrate, key=key)]


class Sparsity(ABC):
    """Second move, second half: which of the proposed synapses exist."""

    stochastic: ClassVar[bool] = False
    """Whether the key changes the masks."""

    def at(self, progress: Scalar | float) -> "Sparsity":
        """This rule when a share ``progress`` (0 to 1) of a training by gradient is over; annealed rules change."""
        return self

    @abstractmethod
    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        """The genes that this rule reads; none where :meth:`keeps_all` leaves it no choice."""

    def keeps_all(self, windows: Windows, substrate: Substrate) -> bool:
        """Whether every synapse that the wiring allows exists, whatever the genome."""
        return False

    def most_inputs(self, projection: Projection, windows: Windows, substrate: Substrate) -> int:
        """The most inputs that a neuron can keep in a grown projection, whatever the genome; the window's unless overridden."""
        if projection.name in windows:
            return int(windows[projection.name].sum(0).max())
        return substrate.shape(projection)[0]

    @abstractmethod
    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        """Masks of zeros and ones for every grown projection, inside the wiring's windows."""


class Refinement(ABC):
    """Third move: network -> network, before experience."""

    stochastic: ClassVar[bool] = False
    """Whether the key changes the network."""

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
        return any(part.stochastic for part in (self.cells, self.wiring, self.sparsity, *self.refinement))

    def at(self, progress: Scalar | float) -> "Decoder":
        """This decoder when a share ``progress`` (0 to 1) of a training by gradient is over."""
        return replace(self, sparsity=self.sparsity.at(progress))

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
        key_cells, key_wiring, key_rest = jax.random.split(key, 3)
        tissue = self.cells.express(branch(genes, "cells"), substrate, key=key_cells)
        wires = self.wiring.connect(branch(genes, "wiring"), tissue, substrate, key=key_wiring)
        return self._finish(genes, tissue, wires, substrate, key=key_rest, shared=shared)

    def film(self, genome: Genome, substrate: Substrate, *, key: Key) -> list[Trace]:
        """What :meth:`trace` would give were growth broken off after each of its steps; the last is the whole trace."""
        genes = self.genome_spec(substrate).unpack(genome)
        key_cells, key_wiring, key_rest = jax.random.split(key, 3)
        *young, tissue = self.cells.stages(branch(genes, "cells"), substrate, key=key_cells)
        wirings = branch(genes, "wiring")
        grown = [(t, self.wiring.connect(wirings, t, substrate, key=key_wiring)) for t in young]
        grown += [(tissue, wires) for wires in self.wiring.stages(wirings, tissue, substrate, key=key_wiring)]
        return [self._finish(genes, t, w, substrate, key=key_rest) for t, w in grown]

    def _finish(
        self, genes: Genes, tissue: Tissue, wires: Wires, substrate: Substrate, *, key: Key, shared: bool = False
    ) -> Trace:
        """From wires to network: sparsity, assembly, refinement."""
        key_sparsity, key_refine = jax.random.split(key)
        windows = self.wiring.windows(substrate)
        # what growth did not link is wanted least, so that a budget is not spent on it
        logits = {
            name: jnp.where(tissue.graph[name] > 0, x, NEVER) if name in tissue.graph else x for name, x in wires.logits.items()
        }
        wires = replace(wires, logits=logits)
        masks = self.sparsity.select(branch(genes, "sparsity"), wires, windows, substrate, key=key_sparsity)
        masks = {name: mask * tissue.graph.get(name, 1.0) for name, mask in masks.items()}
        whole = not self.refinement and not tissue.graph and self.sparsity.keeps_all(windows, substrate)
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
    return Network(weights, kept, wires.gains, biases, tissue.alive, wires.channels)


def all_alive(substrate: Substrate) -> dict[str, Vector]:
    """Every neuron alive."""
    return {p.name: jnp.ones(p.size) for p in substrate.populations}


def biased(substrate: Substrate) -> list[str]:
    """Populations whose bias is grown: those that a grown projection feeds."""
    return list(dict.fromkeys(p.post for p in substrate.grown))


def within(values: Matrix, windows: Windows, name: str, outside: float = 0.0) -> Matrix:
    """The values of a projection inside its window, a constant outside."""
    return jnp.where(windows[name], values, outside) if name in windows else values


def typical(logits: Matrix, windows: Windows, name: str) -> Scalar:
    """Mean size of a projection's logits over the synapses that can be; a unit in which the genome's own scale drops out."""
    possible = within((logits > NEVER / 2).astype(jnp.float32), windows, name)
    sizes = jnp.where(possible > 0, jnp.abs(jax.lax.stop_gradient(logits)), 0.0)
    return jnp.maximum(sizes.sum() / jnp.maximum(possible.sum(), 1.0), 1e-20)


def scale_genes(substrate: Substrate) -> list[Gene]:
    """A scale of the weights for each grown projection; at first He's spread for weights of unit size, sqrt(2 / inputs)."""
    return [Gene(f"{p.name}/log_scale", (), 0.5 * math.log(2 / substrate.shape(p)[0]), scale=0.3) for p in substrate.grown]


def scaled(weights: Mapping[str, Matrix], genes: Genes) -> dict[str, Matrix]:
    """Weights times the scales that :func:`scale_genes` declares."""
    # clipped so that no genome makes a weight infinite
    return {name: jnp.exp(jnp.clip(genes[f"{name}/log_scale"], -10.0, 5.0)) * w for name, w in weights.items()}
