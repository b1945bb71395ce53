"""The rivals of ``meta_gradient``: organisms whose numbers are learned by Adam through whole lives, and their training."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

import evodev
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import evaluate_organism, live_subjects, sample_lives
from evodev.experiment import Experiment, to_plain
from evodev.fitness import Fitness
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import Hebbian
from evodev.learners.episodic import Episodic
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.tasks import Life, Task
from evodev.types import Array, Genome, Inputs, Key, Scalar

DIRECT, CNN, OWN = "direct weights", "CNN", "champion's genome"
RATES = {DIRECT: (0.002, 0.005), CNN: (0.002, 0.005), OWN: (0.02, 0.05)}
"""Adam's rates: in natural units for weights, in search units for genomes (where .05 is the search's own first rate)."""
READOUT_RATE = 0.02
"""Adam's rate for the genes of a read-out, in search units."""
READOUTS = ("episodic", "hebbian")
SEEDS = (0, 1)
HIDDEN = (128, 64)
CHANNELS = (16, 16)
CACHE = Path(__file__).parent / ".cache"


# organisms


def convolve(images: Array, kernel: Array) -> Array:
    """A "same" 3x3 convolution of images (n, height, width, channels) as one matrix product, kernel (9 channels, outputs)."""
    _, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return jnp.concatenate([padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], -1) @ kernel


def features(weights: dict[str, Array], images: Array) -> Array:
    """Convolution, relu and 2x2 max-pooling, once a layer; a row of features an image."""
    for layer in range(len(CHANNELS)):
        images = jax.nn.relu(convolve(images, weights[f"kernel{layer}"]) + weights[f"bias{layer}"])
        n, height, width, channels = images.shape
        images = images.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
    return images.reshape(len(images), -1)


@dataclass(frozen=True)
class Kernels:
    """Grows the weights of :func:`features` straight from the genome: a gene a number."""

    @property
    def stochastic(self) -> bool:
        """Whether the key changes the network: never."""
        return False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """A kernel and a bias each layer, in natural units."""
        genes = []
        for layer, (before, after) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False)):
            genes += [Gene(f"kernel{layer}", (9 * before, after)), Gene(f"bias{layer}", (after,))]
        return spec_of(genes)

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        """A network whose first projection has all the kernels for weights, and its read-out a blank slate."""
        seen, read = substrate.projections
        blank = jnp.zeros(substrate.shape(read))
        weights: dict[str, Any] = {seen.name: self.genome_spec(substrate).unpack(genome), read.name: blank}
        masks = {seen.name: jnp.ones((genome.size, 1)), read.name: jnp.ones_like(blank)}
        sizes = {p.name: p.size for p in substrate.populations}
        biases = {name: jnp.zeros(size) for name, size in sizes.items()}
        return Network(weights, masks, {}, biases, {name: jnp.ones(size) for name, size in sizes.items()})


class Convolutional:
    """Mixed into a read-out learner, it perceives through :func:`features`."""

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        """Features of flat images."""
        weights = cast(Any, network.weights[substrate.projections[0].name])
        return features(weights, inputs.reshape(-1, *substrate.input.grid, 1))


@dataclass(frozen=True)
class ConvolutionalEpisodic(Convolutional, Episodic):
    """The champion's read-out on convolutions."""


@dataclass(frozen=True)
class ConvolutionalHebbian(Convolutional, Hebbian):
    """Class means on convolutions."""


@dataclass(frozen=True)
class Arm:
    """One meta-training: a family, its read-out, Adam's rate, and the seed of initial values and of lives."""

    family: str
    readout: str
    rate: float
    seed: int

    @property
    def label(self) -> str:
        """As printed."""
        return f"{self.family}, {self.readout} read-out, rate {self.rate:g}, seed {self.seed}"


def arms() -> list[Arm]:
    """Every arm; the champion's genome has only the champion's read-out."""
    return [
        Arm(family, readout, rate, seed)
        for family, rates in RATES.items()
        for readout in (READOUTS[:1] if family == OWN else READOUTS)
        for rate in rates
        for seed in SEEDS
    ]


def organism_of(arm: Arm, experiment: Experiment) -> Organism:
    """What an arm's genome means.

    Raises:
        ValueError: if the experiment is not one of images and an episodic read-out.
    """
    task, own = experiment.task, experiment.learner
    if not isinstance(own, Episodic) or len(task.grid) != 2 or task.problem != "classification":
        raise ValueError("needs a run on images with an episodic read-out, as of the preset few-shot-digits")
    if arm.family == OWN:
        return experiment.organism
    episodic = arm.readout == "episodic"
    if arm.family == DIRECT:
        substrate = mlp((task.inputs, *HIDDEN, task.outputs), blank_readout=True)
        return Organism(substrate, Decoder(CellTypes(), Direct(), AllSynapses()), own if episodic else Hebbian())
    small = tuple(side // 2 ** len(CHANNELS) for side in task.grid)
    populations = (
        Population("input", task.grid),
        Population("features", small, CHANNELS[-1]),
        Population("output", (task.outputs,)),
    )
    substrate = Substrate(populations, (Projection("input", "features"), Projection("features", "output", blank=True)))
    return Organism(substrate, Kernels(), ConvolutionalEpisodic(own.capacity) if episodic else ConvolutionalHebbian())


def beginning(arm: Arm, organism: Organism, *, key: Key) -> Genome:
    """Where an arm starts: where a search would, or at weights of He et al. 2015 and the read-out's default genes."""
    spec = organism.genome_spec
    if arm.family == OWN:
        return spec.init(key=key)
    values = {}
    for i, gene in enumerate(spec.genes):
        values[gene.name] = jnp.full(gene.shape, gene.center)
        if len(gene.shape) == 2:
            values[gene.name] = (2 / gene.shape[0]) ** 0.5 * jax.random.normal(jax.random.fold_in(key, i), gene.shape)
    return spec.pack(values)


def rates_of(arm: Arm, organism: Organism) -> Genome:
    """Adam's rate in search units for each number of a genome."""
    spec = organism.genome_spec
    if arm.family == OWN:
        return jnp.full(spec.size, arm.rate)
    sizes = [READOUT_RATE if g.name.startswith("learner/") else arm.rate / g.scale for g in spec.genes]
    return jnp.concatenate([jnp.full(g.size, size) for g, size in zip(spec.genes, sizes, strict=True)])


# lives


def schedule_of(experiment: Experiment) -> tuple[int, ...]:
    """When the lives of an experiment are probed."""
    return probe_steps(experiment.task.steps, experiment.schedule.probes)


def live(organism: Organism, genomes: Any, experiment: Experiment, lives: Life) -> LifetimeLog:
    """Logs (genomes, lives)."""
    return live_subjects(
        organism.hatch, jnp.asarray(genomes), organism.learner, organism.substrate, experiment.task, lives,
        schedule_of(experiment), key=jax.random.key(0), stochastic=organism.decoder.stochastic, chunk=Chunk(1, 16),
    )  # fmt: skip


def areas(log: LifetimeLog, experiment: Experiment) -> np.ndarray:
    """AULC of every life, a diverged one counting as the worst; lower is better."""
    return np.asarray(-Fitness()(log, schedule_of(experiment)), np.float64)


def validation_lives(experiment: Experiment, count: int) -> Life:
    """The same for all arms and checks."""
    return sample_lives(experiment.task, "validation", count, key=jax.random.key(0x7A11DA7E))


# meta-training


@dataclass(frozen=True)
class Budget:
    """What every arm may spend: steps of Adam, train lives a step, steps between checks, validation lives a check."""

    steps: int = 1600
    lives: int = 8
    every: int = 100
    validation: int = 128

    def __post_init__(self) -> None:
        if self.steps < self.every or self.steps % self.every:
            raise ValueError(f"steps must be a multiple of {self.every}, given {self.steps}")


@dataclass(frozen=True)
class Trained:
    """A finished arm: genome (checks, size) and validation AULC (checks,) of every check, steps skipped, wall seconds."""

    genomes: np.ndarray
    validation: np.ndarray
    skipped: int
    seconds: float

    @property
    def best(self) -> int:
        """The check at which early stopping stops."""
        return int(self.validation.argmin())


class Climb(NamedTuple):
    """What meta-training carries from step to step."""

    genome: Genome
    memory: Any
    step: Array


def optimiser() -> optax.GradientTransformation:
    """Adam on clipped gradients, of rate one; a gradient that is not finite is skipped and counted."""
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
    return optax.apply_if_finite(adam, max_consecutive_errors=10**9)


@partial(jax.jit, static_argnames=("organism", "task", "schedule", "budget"))
def climb(
    organism: Organism, task: Task, schedule: tuple[int, ...], budget: Budget, state: Climb, rates: Genome, *, key: Key
) -> Climb:
    """Steps of Adam from one check to the next, each on fresh train lives, for the AULC that the search minimises."""

    def one(state: Climb, _: None) -> tuple[Climb, None]:
        lives = sample_lives(task, "train", budget.lives, key=jax.random.fold_in(key, state.step))

        def loss(genome: Genome) -> Scalar:
            chunk = Chunk(1, budget.lives)
            log = evaluate_organism(organism, genome[None], task, lives, schedule, key=jax.random.key(0), chunk=chunk)
            return -Fitness()(log, schedule).mean()

        update, memory = optimiser().update(jax.grad(loss)(state.genome), state.memory)
        return Climb(state.genome - rates * cast(Array, update), memory, state.step + 1), None

    return jax.lax.scan(one, state, None, length=budget.every)[0]


def train(arm: Arm, experiment: Experiment, budget: Budget) -> Trained:
    """Meta-train one arm, checking it on validation lives."""
    began = time.perf_counter()
    organism = organism_of(arm, experiment)
    seen = validation_lives(experiment, budget.validation)
    key_begin, key_lives = jax.random.split(jax.random.fold_in(jax.random.key(arm.seed), 0x6D67))
    genome, rates = beginning(arm, organism, key=key_begin), rates_of(arm, organism)
    state = Climb(genome, optimiser().init(genome), jnp.zeros((), jnp.int32))
    genomes, validation = [], []
    for _ in range(budget.steps // budget.every):
        state = climb(organism, experiment.task, schedule_of(experiment), budget, state, rates, key=key_lives)
        genomes.append(np.asarray(state.genome))
        validation.append(areas(live(organism, state.genome[None], experiment, seen), experiment).mean())
    skipped = int(cast(Any, state.memory).total_notfinite)
    return Trained(np.stack(genomes), np.array(validation), skipped, time.perf_counter() - began)


# finished arms are kept


@cache
def source_digest() -> str:
    """Of this file and of the library."""
    files = [Path(__file__), *sorted(Path(evodev.__file__).parent.rglob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def cache_path(arm: Arm, experiment: Experiment, budget: Budget) -> Path:
    """The file of a finished arm; another experiment, budget or code has another."""
    parts = {name: to_plain(getattr(experiment, name)) for name in ("task", "substrate", "decoder", "learner")}
    about = [asdict(arm), asdict(budget), parts, experiment.schedule.probes, jax.__version__, source_digest()]
    return CACHE / f"{hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]}.npz"


def trained_arms(
    experiment: Experiment, budget: Budget, say: Callable[[str], None], *, finished: bool = False
) -> dict[Arm, Trained]:
    """Every arm, from the cache or trained now and kept there; only those in the cache if ``finished``."""
    CACHE.mkdir(exist_ok=True)
    out = {}
    for arm in arms():
        path = cache_path(arm, experiment, budget)
        cached = path.exists()
        if finished and not cached:
            continue
        if not cached:
            new, partial_path = train(arm, experiment, budget), path.with_suffix(".partial")
            with partial_path.open("wb") as file:
                np.savez(file, genomes=new.genomes, validation=new.validation, skipped=new.skipped, seconds=new.seconds)
            os.replace(partial_path, path)
        with np.load(path) as data:
            out[arm] = Trained(data["genomes"], data["validation"], int(data["skipped"]), float(data["seconds"]))
        t = out[arm]
        step, origin = (t.best + 1) * budget.every, "cached" if cached else f"{t.seconds:.0f} s"
        say(f"{arm.label}: validation AULC {t.validation[t.best]:.3f} at step {step} of {budget.steps} ({origin})")
    return out
