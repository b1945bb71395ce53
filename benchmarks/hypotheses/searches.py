"""Searches that claims share: what is found is kept by what it depends on, and a second claim that asks has it at once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from evodev.content import digest, source
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import Fitness
from evodev.lifetime import LifetimeLog
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.tasks import Split, Task
from evodev.types import Genome, Genomes

CACHE = Path(__file__).parent / ".cache" / "searches"


@dataclass(frozen=True)
class Found:
    """What one search ended with.

    Attributes:
        champion: the best genome by validation lives.
        centroid: of the search distribution at the end.
        initial: genome that the search started from.
        lives: outer lives that were lived.
    """

    champion: Genome
    centroid: Genome
    initial: Genome
    lives: int


@dataclass(frozen=True)
class Evolution:
    """A search to be run from several seeds by one compiled program.

    Attributes:
        organism: decoder and learner on a substrate.
        task: whose train lives select, and whose validation lives choose the champion.
        strategy: as in every search.
        schedule: as in every search.
        fitness: what is selected for.
    """

    organism: Organism
    task: Task
    strategy: Strategy
    schedule: Schedule
    fitness: Fitness = field(default_factory=Fitness)

    @cached_property
    def search(self) -> Search:
        """Compiled when first asked."""
        return Search(self.organism, self.task, self.strategy, self.schedule, fitness=self.fitness)

    def found(self, seed: int) -> Found:
        """The search of one seed, kept under .cache/searches."""
        kept = CACHE / f"{digest(source(), self)[:16]}-{seed}.npz"
        if not kept.exists():
            search = self.search
            # the root is told to the program, so that seeds share it
            search.root = jax.random.key(seed)
            state = search.start()
            while int(state.generation) < self.schedule.generations:
                state, _ = search.advance(state)
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(".partial")
            with partial.open("wb") as file:
                np.savez(
                    file,
                    champion=np.asarray(state.champion),
                    centroid=np.asarray(state.centroid),
                    initial=np.asarray(state.initial),
                    lives=search.lives_at(self.schedule.generations),
                )
            partial.replace(kept)
        with np.load(kept, allow_pickle=False) as data:
            champion, centroid, initial = (jnp.asarray(data[name]) for name in ("champion", "centroid", "initial"))
            return Found(champion, centroid, initial, int(data["lives"]))

    def lived(self, genomes: Genomes, split: Split, lives: int, *, seed: int, task: Task | None = None) -> LifetimeLog:
        """Every genome lives the same fresh lives: logs with axes (genomes, lives).

        Args:
            genomes: (genomes, numbers).
            split: family of the lives.
            lives: how many.
            seed: of lives and of what networks draw.
            task: another one than was searched in.
        """
        task, own, search = task or self.task, self.organism, self.search
        key_lives, key_run = jax.random.split(jax.random.key(seed))
        return live_subjects(
            own.hatch, genomes, own.learner, own.substrate, task, sample_lives(task, split, lives, key=key_lives),
            search.probe_steps, key=key_run, stochastic=own.decoder.stochastic, chunk=search.chunk, devices=search.devices,
        )  # fmt: skip
