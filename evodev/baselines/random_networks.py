"""Backprop from scratch, of loss or of reward: dense and random sparse networks of the champion's substrate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting, arm_of
from evodev.chunks import choose_chunk
from evodev.devices import device_count
from evodev.evaluation import Develop, live_subjects, sample_lives
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import ActorCritic, Gradient, Learner
from evodev.lifetime import probe_steps
from evodev.network import Network
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Substrate
from evodev.types import Genome, Genomes, Key


@dataclass(frozen=True)
class RandomNetwork:
    """Grows nothing: uniform weights on a dense or uniformly random mask, drawn afresh in each life.

    Weights have the variance of He et al. 2015 for the synapses that exist, times an evolved scale a projection. Blank
    slates are drawn too (gradient learners start from them), and are always dense.

    Attributes:
        density: of the grown projections.
        layers: densities of single grown projections, by name, where they have their own.
    """

    density: float = 1.0
    layers: tuple[tuple[str, float], ...] = ()

    @property
    def stochastic(self) -> bool:
        return True

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of([Gene(f"{p.name}/log_scale", (), 0.0, 0.5) for p in substrate.projections])

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        genes = self.genome_spec(substrate).unpack(genome)
        weights, masks = {}, {}
        for i, p in enumerate(substrate.projections):
            shape, density = substrate.shape(p), 1.0 if p.blank else dict(self.layers).get(p.name, self.density)
            # one draw for both: below the density there is a synapse, and its place below is a uniform weight
            draw = jax.random.uniform(jax.random.fold_in(key, i), shape)
            mask = jnp.ones(shape) if density == 1.0 else (draw < density).astype(jnp.float32)
            scale = jnp.exp(jnp.clip(genes[f"{p.name}/log_scale"], -10.0, 5.0)) * (6 / (shape[0] * density)) ** 0.5
            masks[p.name] = mask
            weights[p.name] = mask * scale * (2 * draw / density - 1)
        biases = {p.name: jnp.zeros(p.size) for p in substrate.populations}
        alive = {p.name: jnp.ones(p.size) for p in substrate.populations}
        return Network(weights, masks, {}, biases, alive)


def density_of(setting: Setting, kind: Literal["dense", "sparse"]) -> float:
    """1, or the density of grown projections at which the network has as many synapses as the champion's."""
    if kind == "dense":
        return 1.0
    substrate = setting.organism.substrate
    blank = sum(int(np.prod(substrate.shape(p))) for p in substrate.projections if p.blank)
    return float(np.clip((setting.synapses - blank) / max(substrate.synapses - blank, 1), 1e-4, 1.0))


def grown_count(setting: Setting) -> int:
    """Grown synapses at which a network whose blank slates are whole has as many synapses as the champion's."""
    substrate = setting.organism.substrate
    return round(density_of(setting, "sparse") * sum(int(np.prod(substrate.shape(p))) for p in substrate.grown))


def distinct(setting: Setting, kind: Literal["dense", "sparse"]) -> bool:
    """Whether the arm is not the dense one again, as it would be beside a dense champion."""
    return kind == "dense" or density_of(setting, kind) < 1


def backprop_organism(setting: Setting, kind: Literal["dense", "sparse"]) -> Organism:
    """A random network that learns by plain gradient descent, of reward where it acts, on the champion's substrate."""
    task = setting.task
    loss = "cross_entropy" if task.problem == "classification" else "squared_error"
    learner = ActorCritic() if task.problem == "control" else Gradient(loss=loss, heads=task.heads)
    return Organism(setting.organism.substrate, RandomNetwork(density_of(setting, kind)), learner)


def rule_of(setting: Setting) -> str:
    """What is to be said of how it learns, before the rest of a note."""
    return "policy gradient (actor-critic); " if setting.task.problem == "control" else ""


def hyperparameters(spec: GenomeSpec, *, rate: float, scale: float) -> Genome:
    """A genome in which all rates are this one and all initial scales that one, other genes at their centres."""
    # what is neither (a discount, say) stays as it is in a genome of zeros
    values = {"log_rate": np.log(rate), "log_scale": np.log(scale)}
    chosen = {g.name: values.get(g.name.rpartition("/")[2], g.center) for g in spec.genes}
    return spec.pack({g.name: jnp.full(g.shape, chosen[g.name]) for g in spec.genes})


def best_of_subjects(setting: Setting, develop: Develop, subjects: Sequence[Any], learner: Learner, *, lives: int) -> int:
    """Which of the subjects does best on the validation lives that all grids are tuned on."""
    like = Organism(setting.organism.substrate, RandomNetwork(), learner)
    schedule = probe_steps(setting.task.steps, setting.schedule.probes)
    key_lives, key_run = jax.random.split(jax.random.fold_in(jax.random.key(setting.seed), 0x641D))
    validation = sample_lives(setting.task, "validation", lives, key=key_lives)
    scores = []
    for subject in subjects:  # one at a time: they share their networks, which a stack of subjects would copy
        log = live_subjects(
            develop, jax.tree.map(lambda x: jnp.asarray(x)[None], subject), learner, like.substrate, setting.task, validation,
            schedule, key=key_run, stochastic=True, chunk=choose_chunk(like, setting.task, subjects=1, lives=lives),
            devices=device_count(lives), ledger=setting.fitness.needs_ledger, online=setting.fitness.needs_online,
        )  # fmt: skip
        scores.append(float(setting.fitness(log, schedule).mean()))
    return int(np.argmax(scores))


def rate_grid(organism: Organism) -> tuple[Genomes, list[str]]:
    """Ten equal rates by three equal initial scales as genomes, other genes at their centres; and how to call them."""
    genomes, names = [], []
    for scale in (0.5, 1.0, 2.0):
        for rate in np.geomspace(0.003, 3.0, 10):
            genomes.append(hyperparameters(organism.genome_spec, rate=float(rate), scale=scale))
            names.append(f"rate {rate:.2g}, scale {scale:g}")
    return jnp.stack(genomes), names


def validated(setting: Setting, organism: Organism, genomes: Genomes, *, lives: int, key: Key) -> np.ndarray:
    """Fitness of each genome, mean over so many validation lives."""
    schedule = probe_steps(setting.task.steps, setting.schedule.probes)
    key_lives, key_run = jax.random.split(key)
    validation = sample_lives(setting.task, "validation", lives, key=key_lives)
    log = live_subjects(
        organism.hatch, genomes, organism.learner, organism.substrate, setting.task, validation, schedule,
        key=key_run, stochastic=True, chunk=choose_chunk(organism, setting.task, subjects=len(genomes), lives=lives),
        devices=device_count(len(genomes)), ledger=setting.fitness.needs_ledger,
        online=setting.fitness.needs_online,
    )  # fmt: skip
    return np.asarray(setting.fitness(log, schedule).mean(1))


def best_of_grid(setting: Setting, organism: Organism, *, lives: int) -> tuple[Genome, str, int]:
    """The grid's best genome on validation lives, its name, and the lives spent."""
    if organism in setting.shared:
        return setting.shared[organism]
    genomes, names = rate_grid(organism)
    key = jax.random.fold_in(jax.random.key(setting.seed), 0x641D)
    best = int(validated(setting, organism, genomes, lives=lives, key=key).argmax())
    setting.shared[organism] = genomes[best], names[best], len(genomes) * lives
    return setting.shared[organism]


@dataclass(frozen=True)
class TunedGrid(Baseline):
    """Backprop at the best of a grid of rates and initial scales.

    Attributes:
        kind: ``dense``, or ``sparse`` with the champion's number of synapses at random places.
        lives: validation lives a grid point.
    """

    kind: Literal["dense", "sparse"] = "dense"
    lives: int = 8

    def applies(self, setting: Setting) -> bool:
        return distinct(setting, self.kind)

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = backprop_organism(setting, self.kind)
        genome, chosen, lives = best_of_grid(setting, organism, lives=self.lives)
        say(f"{name}: {chosen}")
        return arm_of(name, organism, genome, lives=lives, note=f"{rule_of(setting)}grid of 30 on validation; {chosen}")


@dataclass(frozen=True)
class EvolvedHyperparameters(Baseline):
    """Backprop whose rates and initial scales, one a projection, are evolved by the champion's strategy.

    Starts from the best of the grid, may spend as many lives as the champion's search, and stops on a plateau of the
    validation fitness.

    Attributes:
        kind: ``dense`` or ``sparse``.
        population: genomes a generation; a handful of numbers needs fewer than a genome does.
        block: generations between two looks at the plateau.
        patience: blocks without a gain of 1% before stopping.
    """

    kind: Literal["dense", "sparse"] = "dense"
    population: int = 12
    block: int = 3
    patience: int = 2

    def applies(self, setting: Setting) -> bool:
        return setting.evolve and distinct(setting, self.kind)

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = backprop_organism(setting, self.kind)
        start, _, lives = best_of_grid(setting, organism, lives=8)
        per_generation = self.population * setting.schedule.lives + 2 * 16 / self.block
        generations = max(int((setting.budget - lives) / per_generation), self.block)
        # the strategy's rate and strength suit genomes in search units; hyperparameters are in search units too
        strategy = Strategy(
            setting.strategy.name,
            self.population,
            max(setting.strategy.sigma, 0.2),
            max(setting.strategy.sigma, 0.2),
            max(setting.strategy.learning_rate, 0.1),
            max(setting.strategy.learning_rate, 0.1),
        )
        schedule = Schedule(
            generations, setting.schedule.lives, validation_lives=16, block=self.block, probes=setting.schedule.probes
        )
        seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
        search = Search(organism, setting.task, strategy, schedule, fitness=setting.fitness, seed=seed)
        best, stale = -np.inf, 0
        state = search.start(start)
        while int(state.generation) < generations and stale < self.patience:
            state, records = search.advance(state)
            value = records[-1]["validation_champion"]
            stale = 0 if value > best + 0.01 * abs(best) or not np.isfinite(best) else stale + 1
            best = max(best, value)
            say(f"{name}: generation {records[-1]['generation']}, validation {value:.3f}")
        done = int(state.generation)
        lives += search.lives_at(done)
        many = organism.genome_spec.size
        note = f"{rule_of(setting)}{many} hyperparameters evolved from the grid's best, {done} generations, until a plateau"
        return arm_of(name, organism, state.champion, evolved=True, lives=lives, note=note)


@dataclass(frozen=True)
class SameLearner(Baseline):
    """A random network with the champion's own learner and its evolved genes: what the read-out alone achieves."""

    kind: Literal["dense", "sparse"] = "dense"
    role: ClassVar[Role] = "control"

    def applies(self, setting: Setting) -> bool:
        return distinct(setting, self.kind)

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        champion = setting.organism
        decoder = RandomNetwork(density_of(setting, self.kind))
        own, _ = champion.split(setting.champion)
        size = decoder.genome_spec(champion.substrate).size
        learner_genes = setting.champion[own.size :]
        subject = jnp.concatenate([jnp.zeros(size), learner_genes])
        organism = Organism(champion.substrate, decoder, champion.learner)
        return arm_of(name, organism, subject, role=self.role, evolved=True, note="the champion's learner and its genes")
