"""What ``bottleneck`` compares: genomes of many sizes on one substrate, worlds of many sizes, and two ways to find a genome."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax

from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.relative import RelativePosition
from evodev.evaluation import evaluate, sample_lives
from evodev.fitness import Fitness
from evodev.learners import Hebbian
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits, FewShotGlyphs, Life
from evodev.types import Array, Genome, Key, Scalar

# worlds

LIFE: dict[str, Any] = {"shots": 5, "probes": 6}
"""Of every life: 5 classes, five examples of each to learn from, six to be probed by."""
LETTERS = FewShotGlyphs(**LIFE)
TOGETHER = 504
"""Lives drawn at a time."""
BLOCK = 128
"""Lives judged at a time."""
SCHEDULE = probe_steps(LETTERS.steps, 8)
FOLD = (4, 5)
TURNS = (0, 1, 2, 3)
VALIDATION = {"glyphs": LETTERS, "digits": FewShotDigits(rotations=TURNS, fold=FOLD, **LIFE)}
TEST = {"glyphs": LETTERS, "digits": FewShotDigits(**LIFE)}


@dataclass(frozen=True)
class World:
    """A data set, and how many of its classes are trained on."""

    data: str
    classes: int

    def task(self, seed: int) -> FewShotGlyphs | FewShotDigits:
        """Every seed draws classes of its own."""
        subset: dict[str, Any] = {"classes": self.classes, "subset": seed + 1}
        return (
            FewShotGlyphs(**LIFE, **subset)
            if self.data == "glyphs"
            else FewShotDigits(rotations=TURNS, fold=FOLD, **LIFE, **subset)
        )


WORLDS = (
    World("glyphs", 5),
    World("glyphs", 8),
    World("glyphs", 32),
    World("glyphs", 316),
    World("digits", 8),
    World("digits", 16),
)

# genomes

SUBSTRATE = Substrate(
    (
        Population("input", (12, 12), activation="linear"),
        Population("edges", (6, 6), 4),
        Population("parts", (3, 3), 8),
        Population("output", (5,), activation="linear"),
    ),
    (Projection("input", "edges"), Projection("edges", "parts"), Projection("parts", "output", blank=True)),
)
PIXELS = Substrate(
    (Population("input", (12, 12), activation="linear"), Population("output", (5,), activation="linear")),
    (Projection("input", "output", blank=True),),
)


def relative(radius: tuple[float, float], waves: tuple[int, int]) -> Decoder:
    """The same kernels everywhere: a convolution's prior."""
    return Decoder(CellTypes(), RelativePosition(radius, waves), AllSynapses())


def cosine(order: int) -> Decoder:
    """The lowest coefficients of the weights' cosine transform: no convolution; with all of them it is direct, turned."""
    return Decoder(CosineBasis((order,)), Bilinear(scaled=True), AllSynapses())


READOUT, DIRECT = "read-out alone", "direct"
DECODERS: dict[str, Decoder] = {
    "relative, small": relative((0.45, 0.55), (3, 2)),
    "relative, large": relative((0.45, 0.9), (6, 7)),
    "cosine, small": cosine(3),
    "cosine, middle": cosine(5),
    "cosine, large": cosine(8),
    DIRECT: Decoder(CellTypes(), Direct(), AllSynapses()),
}
FAMILIES = {family: tuple(name for name in DECODERS if name.startswith(family)) for family in ("relative", "cosine", DIRECT)}


@cache
def organism_of(name: str) -> Organism:
    """All are the same substrate and learner, but for the read-out alone, which has no network."""
    if name == READOUT:
        return Organism(PIXELS, DECODERS[DIRECT], Hebbian())
    return Organism(SUBSTRATE, DECODERS[name], Hebbian())


def size_of(name: str) -> int:
    """Numbers in a genome, the read-out's three included."""
    return organism_of(name).genome_spec.size


def beginning(organism: Organism, *, key: Key) -> Genome:
    """Where a search would start, the read-out's genes at their defaults."""
    own = organism.decoder.genome_spec(organism.substrate).size
    return jnp.where(jnp.arange(organism.genome_spec.size) < own, organism.genome_spec.init(key=key), 0.0)


# lives


def logged(organism: Organism, genomes: Array, lives: Life, together: int) -> LifetimeLog:
    """Logs (genomes, lives). Weights are matrices for all: on so small a substrate that is faster than kernels, too."""
    return evaluate(
        organism.develop, genomes, organism.learner, organism.substrate, LETTERS, lives, SCHEDULE,
        key=jax.random.key(0), stochastic=False, chunk=Chunk(1, together),
    )  # fmt: skip


@partial(jax.jit, static_argnames="organism")
def _live(organism: Organism, genome: Genome, lives: Life) -> LifetimeLog:
    return logged(organism, genome[None], lives, 32)


class Lived(NamedTuple):
    """Of one genome: mean AULC, and mean loss and accuracy at every probe."""

    area: float
    loss: list[float]
    accuracy: list[float]


def lived(organism: Organism, genome: Any, lives: Life) -> Lived:
    """What a genome makes of a multiple of ``BLOCK`` lives; a diverged one counts as the worst."""
    parts = jax.tree.map(lambda x: x.reshape(-1, BLOCK, *x.shape[1:]), lives)
    logs = [_live(organism, jnp.asarray(genome), jax.tree.map(lambda x, i=i: x[i], parts)) for i in range(len(parts.targets))]
    area = np.mean([float(-Fitness()(log, SCHEDULE).mean()) for log in logs])
    loss, accuracy = (
        np.mean([np.asarray(x[0]).mean(0) for x in of], 0) for of in ([g.loss for g in logs], [g.score for g in logs])
    )
    return Lived(float(area), loss.tolist(), accuracy.tolist())


@cache
def judged(data: str, split: str, count: int) -> Life:
    """Lives of classes that nobody trains on, common to all."""
    task, number = (VALIDATION, 1) if split == "validation" else (TEST, 2)
    return sample_lives(task[data], cast(Any, split), count, key=jax.random.fold_in(jax.random.key(0x80771E), number))


# two ways to find a genome


@dataclass(frozen=True)
class Budget:
    """What every genome may spend: steps of Adam or generations, train lives in each, genomes in each, checks on the way."""

    steps: int
    lives: int
    population: int = 1
    checks: int = 12

    def __post_init__(self) -> None:
        if self.steps % self.checks:
            raise ValueError(f"steps must be a multiple of {self.checks}, given {self.steps}")

    @property
    def every(self) -> int:
        """Steps from one check to the next."""
        return self.steps // self.checks

    @property
    def outer(self) -> int:
        """Train lives lived."""
        return self.steps * self.lives * self.population


def loss_of(organism: Organism, genomes: Array, lives: Life) -> Array:
    """AULC of each genome, mean over lives."""
    return -Fitness()(logged(organism, genomes, lives, 10**6), SCHEDULE).mean(1)


class Climb(NamedTuple):
    """What training by gradient carries from step to step."""

    genome: Genome
    memory: Any
    step: Array


def adam() -> optax.GradientTransformation:
    """Adam of rate one on clipped gradients; a gradient that is not finite is skipped."""
    return optax.apply_if_finite(optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam()), max_consecutive_errors=10**9)


@partial(jax.jit, static_argnames=("organism", "steps"))
def _climb(organism: Organism, state: Climb, lives: Life, rate: Scalar, steps: int) -> Climb:
    """Steps of Adam, each on its own lives (steps, lives, ...); the rate falls to nothing along half a cosine."""

    def one(state: Climb, lives: Life) -> tuple[Climb, None]:
        slope = jax.grad(lambda genome: loss_of(organism, genome[None], lives)[0])(state.genome)
        update, memory = adam().update(slope, state.memory)
        now = rate * 0.5 * (1 + jnp.cos(jnp.pi * state.step / steps))
        return Climb(state.genome - now * cast(Array, update), memory, state.step + 1), None

    return jax.lax.scan(one, state, lives)[0]


def by_gradient(organism: Organism, lives: list[Life], budget: Budget, rate: float, *, key: Key) -> np.ndarray:
    """Adam through development and life; genomes (checks + 1, size), the first at birth."""
    genome = beginning(organism, key=key)
    state, genomes = Climb(genome, adam().init(genome), jnp.zeros((), jnp.int32)), [genome]
    for block in lives:
        state = _climb(organism, state, block, jnp.asarray(rate), budget.steps)
        genomes.append(state.genome)
    return np.stack(genomes)


STRATEGY = ("Open_ES", 0.1, 0.03, 0.06, 0.012)
"""Mutation strength and Adam's rate, each at first and at last, of a search whose scale is 1."""


def strategy_of(budget: Budget) -> Strategy:
    """As the library's search has it."""
    name, sigma, sigma_final, rate, rate_final = STRATEGY
    return Strategy(name, budget.population, sigma, sigma_final, rate, rate_final)


@partial(jax.jit, static_argnames=("organism", "budget"), donate_argnames="state")
def _evolve(organism: Organism, state: Any, lives: Life, begin: Genome, scale: Scalar, budget: Budget, *, key: Key) -> Any:
    """Generations, each on its own lives (generations, lives, ...), common to all its genomes."""
    algorithm, params = strategy_of(budget).build(organism.genome_spec.size, budget.steps)

    def generation(state: Any, now: tuple[Life, Key]) -> tuple[Any, None]:
        key_ask, key_tell = jax.random.split(now[1])
        moves, state = algorithm.ask(key_ask, state, params)
        loss = loss_of(organism, begin + scale * moves, now[0])
        return algorithm.tell(key_tell, moves, loss, state, params)[0], None

    count = jax.tree.leaves(lives)[0].shape[0]
    return jax.lax.scan(generation, state, (lives, jax.random.split(key, count)))[0]


def by_evolution(organism: Organism, lives: list[Life], budget: Budget, scale: float, *, key: Key) -> np.ndarray:
    """The centre of an OpenES; genomes as in :func:`by_gradient`.

    What evolves is the distance from birth in units of ``scale``, so that mutation strength and rate both grow with it.
    """
    algorithm, params = strategy_of(budget).build(organism.genome_spec.size, budget.steps)
    key_init, key_run = jax.random.split(jax.random.fold_in(key, 1))
    genome = beginning(organism, key=key)
    state, genomes = algorithm.init(key_init, jnp.zeros_like(genome), params), [np.asarray(genome)]
    state = jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), state)
    for number, block in enumerate(lives):
        moved = jax.random.fold_in(key_run, number)
        state = _evolve(organism, state, block, genome, jnp.asarray(scale), budget, key=moved)
        genomes.append(np.asarray(genome + scale * state.mean))
    return np.stack(genomes)


def drawn(world: World, seed: int, count: int, *, key: Key) -> Life:
    """Lives of the training classes; always as many at a time, so that one program serves all that is asked for."""
    task = world.task(seed)
    blocks = [sample_lives(task, "train", TOGETHER, key=jax.random.fold_in(key, i)) for i in range(-(-count // TOGETHER))]
    return jax.tree.map(lambda *xs: np.concatenate([np.asarray(x) for x in xs])[:count], *blocks)


def train_lives(world: World, seed: int, budget: Budget, *, key: Key) -> list[Life]:
    """All lives of a training, in its blocks (steps, lives, ...), the same for every genome."""
    every = drawn(world, seed, budget.steps * budget.lives, key=key)
    shape = (budget.checks, budget.every, budget.lives)
    blocks = jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), every)
    return [jax.tree.map(lambda x, i=i: x[i], blocks) for i in range(budget.checks)]
