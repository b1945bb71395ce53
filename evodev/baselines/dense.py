"""Dense networks from scratch: of the champion's substrate, or narrowed until they have no more synapses than the champion."""

from dataclasses import dataclass, replace

from evodev.baselines.base import Setting
from evodev.baselines.random_networks import backprop_organism
from evodev.baselines.scratch import Scratch, feed_forward, narrowed, widest
from evodev.organism import Organism
from evodev.types import Key


@dataclass(frozen=True)
class Dense(Scratch):
    """Every synapse of the champion's substrate."""

    lives: int = 8

    def applies(self, setting: Setting) -> bool:
        return not setting.organism.substrate.modular

    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        organism = backprop_organism(setting, "dense")
        return replace(organism, substrate=narrowed(organism.substrate, width))

    def about(self, setting: Setting, organism: Organism) -> str:
        return _hidden(organism)


@dataclass(frozen=True)
class EqualSynapses(Scratch):
    """The champion's substrate, all hidden populations narrowed in the same proportion, and every synapse of that.

    The widest that has no more synapses than the champion, what learners remember counted on both sides. Inputs, outputs and
    depth stay.
    """

    lives: int = 8

    def applies(self, setting: Setting) -> bool:
        substrate = setting.organism.substrate
        if not feed_forward(substrate):
            return False
        most, least = _synapses(setting, 1.0), _synapses(setting, 0.0)
        return least <= setting.synapses < most

    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        organism = backprop_organism(setting, "dense")
        fits = widest(lambda w: _synapses(setting, w), setting.synapses)
        return replace(organism, substrate=narrowed(organism.substrate, fits * width))

    def about(self, setting: Setting, organism: Organism) -> str:
        return _hidden(organism)


def _synapses(setting: Setting, width: float) -> int:
    """Synapses of the dense network of that width, and of what its learner remembers."""
    organism = backprop_organism(setting, "dense")
    substrate = narrowed(organism.substrate, width)
    return substrate.synapses + organism.learner.memory(substrate)


def _hidden(organism: Organism) -> str:
    sizes = " x ".join(str(p.size) for p in organism.substrate.populations[1:-1])
    return f"dense, {sizes or 'no'} hidden neurons"
