"""What two claims share: a small retina whose genomes are few and whose parts are many, in a world with held-out classes."""

import jax
import numpy as np

from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.relative import RelativePosition
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import Fitness, aulc
from evodev.learners import Episodic
from evodev.lifetime import probe_steps
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits
from evodev.types import Genomes, Key

TASK = FewShotDigits(canvas=10, shots=8, probes=4)
"""Digits shifted over a canvas, five classes a life; train: digits 0-5, test: 6-9."""
LIVES = 4
"""Of a genome, each generation."""
SCHEDULE = probe_steps(TASK.steps, 6)
FITNESS = Fitness(worst=-6 * TASK.ignorant_loss)
ORGANISM = Organism(
    Substrate(
        (
            Population("input", (10, 10), activation="linear"),
            Population("edges", (4, 4), 4, normalisation="types"),
            Population("parts", (2, 2), 8, normalisation="types"),
            Population("output", (5,), activation="linear"),
        ),
        (Projection("input", "edges"), Projection("edges", "parts"), Projection("parts", "output", blank=True)),
    ),
    Decoder(CellTypes(), RelativePosition(radius=(0.45, 1.0), waves=(4, 2)), AllSynapses()),
    Episodic(5 * TASK.shots),
)


def skill(genomes: Genomes, lives: int, *, key: Key) -> np.ndarray:
    """1 - AULC / ignorance of every genome on the same test lives (genomes,); 0 is ignorant, 1 perfect."""
    key_lives, key_run = jax.random.split(key)
    log = live_subjects(
        ORGANISM.hatch, genomes, ORGANISM.learner, ORGANISM.substrate, TASK, sample_lives(TASK, "test", lives, key=key_lives),
        SCHEDULE, key=key_run, stochastic=False, chunk=Chunk(16, lives),
    )  # fmt: skip
    return 1 - np.asarray(aulc(log.loss, SCHEDULE)).mean(1) / TASK.ignorant_loss
