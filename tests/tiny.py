"""The smallest worlds with known answers, and the smallest organisms that can live in them."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses, Budget
from evodev.decoders.wiring.direct import Direct
from evodev.experiment import Experiment
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import Gradient, Learner
from evodev.measurement import Comparison
from evodev.network import Network
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate, mlp, recurrent
from evodev.tasks import Acting, FewShotDigits, Life, Split, Task, World
from evodev.types import Array, Flag, Float, Genes, Inputs, Key, Outputs, Scalar, Targets


@dataclass(frozen=True)
class Blobs(Task):
    """Two or more points drawn anew in each life; a sample is one of them and a little noise, its class is which.

    ``informative`` false makes the class a coin toss: nothing can be learned, whoever scores above chance cheats.
    """

    features: int = 6
    ways: int = 2
    shots: int = 8
    probes: int = 4
    noise: float = 0.1
    informative: bool = True
    problem: ClassVar[Literal["classification", "regression"]] = "classification"

    @property
    def inputs(self) -> int:
        return self.features

    @property
    def outputs(self) -> int:
        return self.ways

    @property
    def steps(self) -> int:
        return self.shots

    @property
    def batch(self) -> int:
        return self.ways

    @property
    def ignorant_loss(self) -> float:
        return float(np.log(self.ways))

    @property
    def held_out(self) -> str:
        return "every life draws new points"

    def sample(self, split: Split, *, key: Key) -> Life:
        key_points, key_noise, key_labels = jax.random.split(key, 3)
        many = self.shots + self.probes
        points = jax.random.normal(key_points, (self.ways, self.features))
        x = points + self.noise * jax.random.normal(key_noise, (many, self.ways, self.features))
        y = jnp.broadcast_to(jnp.arange(self.ways), (many, self.ways))
        if not self.informative:
            y = jax.random.randint(key_labels, y.shape, 0, self.ways)
        return Life(x[: self.shots], y[: self.shots], x[self.shots :].reshape(-1, self.features), y[self.shots :].ravel())


@dataclass(frozen=True)
class Line(Task):
    """y = slope * x in one dimension; a slope of 1 is the identity."""

    slope: float = 1.0
    updates: int = 3
    problem: ClassVar[Literal["classification", "regression"]] = "regression"

    @property
    def inputs(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return 1

    @property
    def steps(self) -> int:
        return self.updates

    @property
    def batch(self) -> int:
        return 2

    @property
    def ignorant_loss(self) -> float:
        return self.slope**2

    @property
    def held_out(self) -> str:
        return "nothing"

    def sample(self, split: Split, *, key: Key) -> Life:
        x = jax.random.normal(key, (self.updates + 2, 2, 1))
        stream, probes = x[: self.updates], x[self.updates :].reshape(-1, 1)
        return Life(stream, self.slope * stream, probes, self.slope * probes)


@dataclass(frozen=True)
class Levers(Acting):
    """Two levers and always the same sight; which of them pays, 1 a pull, is drawn anew in each life."""

    episodes: int = 80
    horizon: int = 2
    recall: bool = False
    normalise: bool = False
    features: int = 6

    @property
    def observations(self) -> int:
        return self.features

    @property
    def outputs(self) -> int:
        return 2

    @property
    def span(self) -> tuple[float, float]:
        return self.horizon / 2, float(self.horizon)

    @property
    def held_out(self) -> str:
        return "nothing but the draw of each life"

    def returns(self, world: World) -> tuple[float, float]:
        return self.span

    def sample(self, split: Split, *, key: Key) -> World:
        return World((), jnp.eye(self.features), jax.random.permutation(key, 2), key)

    def begin(self, world: World, *, key: Key) -> tuple[Any, Float[Array, " observations"]]:
        return (), jnp.linspace(-1.0, 1.0, self.features)

    def act(self, world: World, state: Any, action: Any, *, key: Key) -> tuple[Any, Float[Array, " observations"], Scalar, Flag]:
        return (), jnp.linspace(-1.0, 1.0, self.features), (action == 0).astype(jnp.float32), jnp.asarray(False)


@dataclass(frozen=True)
class Guess(Learner):
    """Learns nothing: answers ``guess * input``. A positive ``fuse`` blows: every answer is then NaN."""

    center: float = 0.0
    fused: bool = False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of([Gene("guess", (), self.center), *([Gene("fuse", ())] if self.fused else [])])

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Any:
        return ()

    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        return ()

    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        answer = genes["guess"] * inputs
        return jnp.where(genes["fuse"] > 0, jnp.nan, answer) if self.fused else answer


DIRECT = Decoder(CellTypes(), Direct(), AllSynapses())
"""One gene a weight, all synapses: whatever network one wants."""

GRID = Substrate(
    (
        Population("input", (4, 4), activation="linear"),
        Population("hidden", (2, 2), 3),
        Population("output", (2,), activation="linear"),
    ),
    (Projection("input", "hidden"), Projection("hidden", "output", blank=True)),
)
"""A 4x4 field, a 2x2 field of three cell types, and a blank read-out of two classes."""

CHAIN = mlp((6, 5, 2), blank_readout=True)
"""One-dimensional, with a blank read-out: every learner can live here."""

WHOLE = mlp((6, 5, 2))
"""The same, all of it grown: for learners that write on nothing."""

TOLD = recurrent(6 + 2, 5, 2, ticks=2)
"""Recurrent, with an input neuron for each target: for learners that are shown them."""


def home(learner: Learner) -> Substrate:
    """Where a learner can live that learns two classes from six inputs."""
    for substrate in (CHAIN, WHOLE, TOLD):
        try:
            learner.genome_spec(substrate)
        except ValueError:
            continue
        if substrate.input.size == learner.senses(6, 2, ("targets",)):
            return substrate
    raise AssertionError(f"{type(learner).__name__} can live nowhere")


def random_network(substrate: Substrate, seed: int = 0, density: float = 1.0) -> Network:
    """Gaussian weights on a random mask, blank slates zero and whole; biases too."""
    key = jax.random.key(seed)
    network = DIRECT.grow(DIRECT.genome_spec(substrate).init(key=key), substrate, key=key)
    grown = {p.name: jax.random.uniform(jax.random.fold_in(key, i), substrate.shape(p)) for i, p in enumerate(substrate.grown)}
    masks = network.masks | {name: (draw < density).astype(jnp.float32) for name, draw in grown.items()}
    return replace(network, masks=masks, weights={name: w * masks[name] for name, w in network.weights.items()})


def guesser(*, fused: bool = False) -> Organism:
    """The cheapest organism there is: a net that nobody reads, and a guess."""
    return Organism(mlp((1, 2, 1)), DIRECT, Guess(fused=fused))


def guess_search(
    strategy: Strategy | None = None,
    *,
    generations: int = 2,
    block: int = 2,
    slope: float = 1.0,
    fused: bool = False,
    seed: int = 0,
) -> Search:
    """A search for the slope of a line by guessing; the optimum is known."""
    schedule = Schedule(generations, lives=2, validation_lives=4, block=block)
    task = Line(slope)
    return Search(guesser(fused=fused), task, strategy or Strategy("Open_ES", 8), schedule, seed=seed, devices=1)


def digits_experiment(**changes: Any) -> Experiment:
    """Few-shot digits at the smallest size; the parts are all registered, so that it can be written to a file."""
    experiment = Experiment(
        task=FewShotDigits(canvas=8, shift=False, ways=2, shots=3, probes=2),
        substrate=Substrate(
            (
                Population("input", (8, 8), activation="linear"),
                Population("hidden", (4,)),
                Population("output", (2,), activation="linear"),
            ),
            (Projection("input", "hidden"), Projection("hidden", "output", blank=True)),
        ),
        decoder=Decoder(CellTypes(), Direct(), Budget(0.5)),
        learner=Gradient(),
        strategy=Strategy("Open_ES", 4),
        schedule=Schedule(generations=2, lives=2, validation_lives=2, block=1, probes=2),
        comparison=Comparison(lives=4, bootstrap=100, evolve_baselines=False),
    )  # fmt: skip
    return replace(experiment, **changes)
