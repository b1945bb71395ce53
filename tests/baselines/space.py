"""The smallest substrate that lies in space, and a champion on it."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from evodev.baselines import Setting
from evodev.fitness import Fitness
from evodev.genome import GenomeSpec
from evodev.learners import Gradient
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits
from tests.tiny import random_network

FIELD = Substrate(
    (
        Population("input", (8, 8), activation="linear"),
        Population("edges", (4, 4), 4),
        Population("parts", (2, 2), 6),
        Population("output", (2,), activation="linear"),
    ),
    (Projection("input", "edges"), Projection("edges", "parts"), Projection("parts", "output", blank=True)),
)
"""4096 + 1536 + 48 synapses."""


class Fixed:
    """Grows the same sparse network of any genome."""

    stochastic = False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return GenomeSpec()

    def grow(self, genome: Any, substrate: Substrate, *, key: Any, shared: bool = False) -> Any:
        return random_network(substrate, density=0.25)


def champion_setting(synapses: int, **changes: Any) -> Setting:
    """A champion of so many synapses on few-shot digits, on the field."""
    organism = Organism(FIELD, Fixed(), Gradient())
    genome = jnp.zeros(organism.genome_spec.size)
    task = FewShotDigits(canvas=8, shift=False, ways=2, shots=3, probes=2)
    schedule = Schedule(2, lives=2, validation_lives=2, block=1, probes=2)
    setting = Setting(organism, genome, genome, synapses, task, Strategy("Open_ES", 4), schedule, Fitness(), 100, False, 0)
    return replace(setting, **changes)
