"""Part one of ``hebbian``: few-shot digits, learned in life by an evolved local rule on every synapse."""

import time
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines import BASELINES, Arm, Setting
from evodev.comparison import live_arm
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.relative import RelativePosition
from evodev.evaluation import Chunk, live_subjects, sample_lives
from evodev.fitness import Fitness, aulc, jumpstart, slope_aligned
from evodev.genome import GenomeSpec
from evodev.learners import HebbianRule, Learner, Neuromodulated
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.search import Schedule, Search, Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits
from evodev.types import Array, Genome, Key

TASK = FewShotDigits()
RULES: dict[str, Learner] = {
    "delta": HebbianRule(log_rate=1.0),
    "target": HebbianRule(teaching="target", log_rate=1.0),
    "oja": HebbianRule("oja", log_rate=1.0),
    "three-factor": Neuromodulated(log_rate=1.0),
}
"""The rules whose coefficients evolve. ``target`` knows no error at all; the others know that of the outputs, at the outputs (and
``three-factor`` sends it back through weights drawn at birth that never change)."""
STRATEGY = Strategy("Open_ES", population=32, sigma=0.1, sigma_final=0.03, learning_rate=0.1, learning_rate_final=0.01)
TEST_LIVES, DRAWS = 128, 6
COEFFICIENTS = ("/A", "/B", "/C", "/D")


def substrate() -> Substrate:
    """The preset's, smaller: every synapse is written in every step, which no shared kernel makes cheap."""
    return Substrate(
        (
            Population("input", (12, 12), activation="linear"),
            Population("edges", (6, 6), 6, activation="abs", normalisation="types"),
            Population("parts", (4, 4), 16, activation="relu", normalisation="types"),
            Population("pooled", (2, 2), 16, activation="linear", normalisation="standard"),
            Population("output", (5,), activation="linear"),
        ),
        (
            Projection("input", "edges"),
            Projection("edges", "parts"),
            Projection("parts", "pooled"),
            Projection("pooled", "output", blank=True),
        ),
    )


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

    def coefficients(self, but: str = "-") -> list[str]:
        """Names of the rule's coefficients, but those of the projection so named."""
        names = [g.name.removeprefix("learner/") for g in self.spec.genes if g.name.startswith("learner/")]
        return [name for name in names if name[-2:] in COEFFICIENTS and not name.startswith(but)]

    def start(self, key: Key) -> Genome:
        """A random wiring and a rule that knows nothing: no projection has a coefficient, not even the built-in delta rule's."""
        return self.silent(self.spec.init(key=key))

    def silent(self, genome: Genome, but: str = "-") -> Genome:
        """Nothing changes in life; or only what the named projection weighs.

        By its coefficients: under a rate however small the largest of the answers would be right as often.
        """
        return self.written(genome, dict.fromkeys(self.coefficients(but), 0.0))

    def random_rule(self, genome: Genome, key: Key) -> Genome:
        """Coefficients about zero, of spread 1 at the outputs and of the spread of their genes elsewhere; rates kept."""
        values = {}
        for i, name in enumerate(self.coefficients()):
            gene = next(g for g in self.spec.genes if g.name == f"learner/{name}")
            spread = 1.0 if "->output/" in name else gene.scale
            values[name] = spread * jax.random.normal(jax.random.fold_in(key, i))
        return self.written(genome, values)

    def built_in(self, genome: Genome) -> Genome:
        """The rule as its author wrote it: a learner's genome of zeros."""
        own, _ = self.organism.split(genome)
        return genome.at[own.size :].set(0.0)

    def every(self, genome: Genome, key: Key) -> dict[str, list[Genome]]:
        """Arms by name, of one or several genomes each."""
        own, _ = self.organism.split(genome)
        keys = jax.random.split(key, (3, DRAWS))
        strange = [self.spec.init(key=k) for k in keys[1]]
        return {
            "evolved": [genome],
            "learning off": [self.silent(genome)],
            "random rule": [self.random_rule(genome, k) for k in keys[0]],
            "random genome": strange,
            "evolved rule, random wiring": [jnp.concatenate([g[: own.size], genome[own.size :]]) for g in strange],
            "built-in rule": [self.built_in(genome)],
            "rule at the outputs only": [self.silent(genome, but="pooled->output")],
        }


def measures(log: LifetimeLog) -> dict[str, Any]:
    """Accuracy at every probe, and what the loss says, means over lives and draws."""
    schedule = probe_steps(TASK.steps)
    loss = np.where(np.isfinite(log.loss), np.minimum(log.loss, 100.0), 100.0).reshape(-1, len(schedule))
    score = np.nan_to_num(np.asarray(log.score)).reshape(-1, len(schedule))
    return {
        "accuracy": score.mean(0).tolist(),
        "aulc": float(np.mean(aulc(cast(Any, loss), schedule))),
        "jumpstart": float(np.mean(jumpstart(cast(Any, loss), TASK.ignorant_loss))),
        "slope": float(np.mean(slope_aligned(cast(Any, loss), schedule))),
        "failed": float(np.mean(np.asarray(log.failed))),
    }


def organism_of(rule: str) -> Organism:
    """The decoder of the default search with a local rule in place of its episodic read-out."""
    wiring = RelativePosition(radius=(0.35, 0.45, 1.5), waves=(3, 3, 1), form=("kernel", "kernel", "pool"))
    return Organism(substrate(), Decoder(CellTypes(), wiring, Budget(0.2)), RULES[rule])


def one_search(rule: str, seed: int, generations: int) -> dict[str, Any]:
    """Evolve wiring and rule together; the champion and its controls on test lives."""
    organism, began = organism_of(rule), time.perf_counter()
    controls, root = Controls(organism), jax.random.key(seed)
    key_start, key_controls, key_live = jax.random.split(jax.random.fold_in(root, 0x4EB), 3)
    schedule = Schedule(generations, lives=4, validation_lives=32, block=10, probes=3)
    search = Search(organism, TASK, STRATEGY, schedule, seed=seed, devices=1)
    state, validation = search.start(controls.start(key_start)), []
    while int(state.generation) < generations:
        state, records = search.advance(state)
        validation.append(records[-1]["validation_champion"])
    searched = time.perf_counter() - began
    # the same test lives for all seeds and rules
    lives = sample_lives(TASK, "test", TEST_LIVES, key=jax.random.key(0x7E57))
    arms = controls.every(state.champion, key_controls)
    genomes = jnp.stack([g for group in arms.values() for g in group])
    log = live_subjects(
        organism.hatch, genomes, organism.learner, organism.substrate, TASK, lives, probe_steps(TASK.steps),
        key=key_live, stochastic=organism.decoder.stochastic, chunk=Chunk(1, 4), devices=1,
    )  # fmt: skip
    results, first = {}, 0
    for name, group in arms.items():
        chosen = slice(first, first + len(group))
        results[name] = measures(jax.tree.map(lambda x, chosen=chosen: np.asarray(x)[chosen], log))
        first += len(group)
    genes = {n: v for n, v in controls.spec.unpack(state.champion).items() if n.startswith("learner/")}
    return {
        "arms": results,
        "rule": {n.removeprefix("learner/"): float(v) for n, v in genes.items()},
        "genome": controls.spec.size,
        "champion": np.asarray(state.champion).tolist(),
        "synapses": float(np.asarray(log.synapses)[0].mean()),
        "validation": validation,
        "lives": search.lives_at(generations),
        "seconds": {"search": searched, "all": time.perf_counter() - began},
    }


def one_reference(seed: int) -> dict[str, Any]:
    """Nearest neighbours on pixels, and the same substrate, dense, by tuned gradient from scratch."""
    organism = organism_of("delta")
    genome = organism.genome_spec.init(key=jax.random.key(seed))
    setting = Setting(
        organism=organism, champion=genome, initial=genome, synapses=0, task=TASK, strategy=STRATEGY, schedule=Schedule(),
        fitness=Fitness(), budget=0, evolve=False, seed=seed,
    )  # fmt: skip
    lives, out = sample_lives(TASK, "test", TEST_LIVES, key=jax.random.key(0x7E57)), {}
    for name in ("nearest centroid on inputs", "1-NN on inputs", "dense, tuned backprop"):
        arm: Arm = BASELINES[name].build(name, setting, key=jax.random.key(seed), say=lambda line: None)
        out[name] = measures(live_arm(arm, setting, lives, key=jax.random.key(seed)))
    return out
