"""What ``hebbian`` takes away from a champion: its learning, its rule, its wiring."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.learning_off import Unchanging
from evodev.chunks import Chunk
from evodev.evaluation import live_subjects, sample_lives
from evodev.genome import GenomeSpec
from evodev.learners import Learner
from evodev.lifetime import LifetimeLog
from evodev.organism import Organism
from evodev.tasks import Task
from evodev.types import Array, Genome, Key

COEFFICIENTS = ("/A", "/B", "/C", "/D")
OUTPUTS = "->output/"


@dataclass(frozen=True)
class Controls:
    """Genomes that take an evolved one apart; all are lived by one organism."""

    organism: Organism

    @property
    def spec(self) -> GenomeSpec:
        """Of the whole genome."""
        return self.organism.genome_spec

    def written(self, genome: Genome, values: dict[str, Array | float]) -> Genome:
        """The genome with genes of the learner set to natural values."""
        for gene in self.spec.genes:
            name = gene.name.removeprefix("learner/")
            if gene.name.startswith("learner/") and name in values:
                units = (jnp.asarray(values[name]) - gene.center) / gene.scale
                genome = genome.at[self.spec.slices[gene.name]].set(units)
        return genome

    def coefficients(self, *, outputs: bool = True) -> list[str]:
        """Names of the rule's coefficients; without those of synapses onto the outputs, if they are to be spared."""
        names = [g.name.removeprefix("learner/") for g in self.spec.genes if g.name.startswith("learner/")]
        return [name for name in names if name[-2:] in COEFFICIENTS and (outputs or OUTPUTS not in name)]

    def start(self, key: Key) -> Genome:
        """A random wiring and a rule that knows nothing: no projection has a coefficient, not even the built-in delta rule's."""
        return self.silent(self.spec.init(key=key))

    def silent(self, genome: Genome, *, outputs: bool = True) -> Genome:
        """All coefficients zero; or all but those of synapses onto the outputs."""
        return self.written(genome, dict.fromkeys(self.coefficients(outputs=outputs), 0.0))

    def random_rule(self, genome: Genome, key: Key) -> Genome:
        """Coefficients about zero, of spread 1 at the outputs and of the spread of their genes elsewhere; rates kept."""
        values = {}
        for i, name in enumerate(self.coefficients()):
            gene = next(g for g in self.spec.genes if g.name == f"learner/{name}")
            spread = 1.0 if OUTPUTS in name else gene.scale
            values[name] = spread * jax.random.normal(jax.random.fold_in(key, i))
        return self.written(genome, values)

    def built_in(self, genome: Genome) -> Genome:
        """The rule as its author wrote it: a learner's genome of zeros."""
        own, _ = self.organism.split(genome)
        return genome.at[own.size :].set(0.0)

    def arms(self, genome: Genome, draws: int, *, key: Key) -> dict[str, list[Genome]]:
        """The champion and its controls by name, of one or several genomes each; all are lived by the same organism."""
        own, _ = self.organism.split(genome)
        keys = jax.random.split(key, (2, draws))
        strange = [self.spec.init(key=k) for k in keys[1]]
        return {
            "evolved": [genome],
            "random rule": [self.random_rule(genome, k) for k in keys[0]],
            "random genome": strange,
            "evolved rule, random wiring": [jnp.concatenate([g[: own.size], genome[own.size :]]) for g in strange],
            "built-in rule": [self.built_in(genome)],
            "outputs only": [self.silent(genome, outputs=False)],
        }


def test_lives(task: Task, count: int) -> Any:
    """Lives that are the same for all seeds and arms."""
    return sample_lives(task, "test", count, key=jax.random.key(0x7E57))


def live_controls(
    organism: Organism,
    champion: Genome,
    task: Task,
    worlds: Any,
    schedule: tuple[int, ...],
    draws: int,
    chunk: Chunk,
    *,
    key: Key,
) -> dict[str, LifetimeLog]:
    """Logs (genomes, lives) by arm."""
    key_arms, key_live = jax.random.split(key)
    arms = Controls(organism).arms(champion, draws, key=key_arms)

    def lived(genomes: Array, learner: Learner) -> LifetimeLog:
        return live_subjects(
            organism.hatch, genomes, learner, organism.substrate, task, worlds, schedule,
            key=key_live, stochastic=organism.decoder.stochastic, chunk=chunk, devices=1,
        )  # fmt: skip

    log = lived(jnp.stack([g for group in arms.values() for g in group]), organism.learner)
    logs, first = {}, 0
    for name, group in arms.items():
        chosen = slice(first, first + len(group))
        logs[name] = jax.tree.map(lambda x, chosen=chosen: np.asarray(x)[chosen], log)
        first += len(group)
    logs["learning off"] = jax.tree.map(np.asarray, lived(champion[None], Unchanging(organism.learner)))
    return logs
