"""A calibration: what neurons are called must not matter."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Substrate
from evodev.types import Genes, Key

Orders = dict[str, np.ndarray]


def numberings(substrate: Substrate, rng: np.random.Generator) -> Orders:
    """Another order of the neurons of each population, by name: positions and types of the hidden ones permuted."""
    orders = {p.name: np.arange(p.size) for p in substrate.populations}
    for p in substrate.populations[1:-1]:
        positions, types = rng.permutation(p.size // p.types), rng.permutation(p.types)
        orders[p.name] = (positions[:, None] * p.types + types).ravel()
    return orders


def renumbered(network: Network, substrate: Substrate, orders: Orders) -> Network:
    """The same network with its neurons in another order; weights must be matrices."""
    ends = {p.name: (p.pre, p.post) for p in substrate.projections}

    def matrices(of: dict[str, Any]) -> dict[str, Any]:
        return {name: m[orders[ends[name][0]]][:, orders[ends[name][1]]] for name, m in of.items()}

    def vectors(of: dict[str, Any]) -> dict[str, Any]:
        return {name: v[orders[name]] for name, v in of.items()}

    return Network(
        matrices(network.weights),
        matrices(network.masks),
        matrices(network.gains),
        vectors(network.biases),
        vectors(network.alive),
        {channel: matrices(of) for channel, of in network.channels.items()},
    )


@dataclass(frozen=True)
class Renumber:
    """Development followed by another numbering of the hidden neurons, and of the learner's genes where it has one a neuron."""

    organism: Organism
    seed: int

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
        substrate = self.organism.substrate
        network, genes = self.organism.develop(subject, key=key)
        orders = numberings(substrate, np.random.default_rng(self.seed))
        sizes = {name: (len(order),) for name, order in orders.items()}
        owner = {name: name.rpartition("/")[2] for name in genes}
        moved = {n: g[orders[owner[n]]] if g.shape == sizes.get(owner[n]) else g for n, g in genes.items()}
        return renumbered(network, substrate, orders), moved


@dataclass(frozen=True)
class Relabelled(Baseline):
    """The champion with its hidden neurons numbered otherwise: a calibration that must change nothing.

    True up to rounding, and to what a learner draws at random for each neuron (the feedback of ``neuromodulated``, say).
    """

    role: ClassVar[Role] = "control"
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        # the populations of a modular substrate belong to somebody else's model
        return not setting.organism.substrate.modular

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = setting.organism
        return Arm(
            name=name,
            role=self.role,
            subject=setting.champion,
            develop=Renumber(organism, setting.seed),
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=organism.decoder.stochastic,
            genome_size=organism.genome_spec.size,
            note="positions and types of hidden neurons permuted: a calibration, must change nothing",
        )
