"""The networks of ``benchmarks.lives.laws``: one hidden layer, born at random or grown, and how they live."""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

import jax
import jax.numpy as jnp
import optax

from evodev.decoders.base import Cells, Decoder, Tissue, Wires, Wiring, biased, emit
from evodev.decoders.cells.gaussians import Gradients
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import Gradient
from evodev.learners.gradient import GradientState
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import Laws, Life, Split
from evodev.tasks.laws import LAWS, scale_of
from evodev.types import Array, Genes, Genome, Key, Scalar

KINDS = ("tanh", "relu", "square")
"""Activations that a genome may deal out."""
DIAGONAL = tuple(0.1 * i for i in range(1, 46))
"""Values that both variables take at once, to see what a network makes of them."""


def layer(width: int, kinds: tuple[str, ...]) -> Substrate:
    """Two inputs, a hidden population of ``width`` neurons for each kind of activation, one output."""
    hidden = [Population(kind, (width,), activation=kind) for kind in kinds]
    ends = Population("input", (2,), activation="linear"), Population("output", (1,), activation="linear")
    projections = [Projection("input", kind) for kind in kinds] + [Projection(kind, "output") for kind in kinds]
    return Substrate((ends[0], *hidden, ends[1]), tuple(projections))


@dataclass(frozen=True)
class Fates(Cells):
    """The hidden layer is divided into zones, one a kind of activation, and the genome says how wide each zone is.

    At every place there is a neuron of each kind, of which the one whose zone the place lies in is alive: as many neurons
    live as one population has. The other state of a neuron is that of ``cells``.

    Attributes:
        cells: who each neuron is beyond its fate.
    """

    cells: Cells

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return self.cells.widths(substrate)

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        kinds = len(substrate.populations) - 2
        own = [Gene("leaning", (kinds,))] if kinds > 1 else []
        return spec_of([*own, *self.cells.genome_spec(substrate).genes])

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        tissue = self.cells.express(genes, substrate, key=key)
        hidden = substrate.populations[1:-1]
        if len(hidden) == 1:
            return tissue
        ends = jnp.cumsum(jax.nn.softmax(genes["leaning"]))
        place = (jnp.arange(hidden[0].size) + 0.5) / hidden[0].size
        # the last zone takes what rounding leaves
        zone = jnp.minimum((place[:, None] > ends).sum(1), len(hidden) - 1)
        fates = {p.name: (zone == i).astype(jnp.float32) for i, p in enumerate(hidden)}
        return replace(tissue, alive=tissue.alive | fates)


@dataclass(frozen=True)
class Drawn(Wiring):
    """Weights and biases drawn from the key, a new network for each life; how widely, the genome says.

    In a genome of zeros weights have the spread of He et al. 2015 and biases a spread of .3.
    """

    stochastic: ClassVar[bool] = True

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        scales = [Gene(f"{p.name}/log_scale", (), 0.5 * math.log(2 / substrate.shape(p)[0]), 0.5) for p in substrate.grown]
        return spec_of([*scales, *(Gene(f"{name}/log_bias", (), math.log(0.3)) for name in biased(substrate)[:-1])])

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        def drawn(name: str, shape: tuple[int, ...], number: int) -> Array:
            # clipped so that no genome makes a weight infinite
            return jnp.exp(jnp.clip(genes[name], -20.0, 5.0)) * jax.random.normal(jax.random.fold_in(key, number), shape)

        weights = {p.name: drawn(f"{p.name}/log_scale", substrate.shape(p), i) for i, p in enumerate(substrate.grown)}
        hidden = biased(substrate)[:-1]
        biases = {n: drawn(f"{n}/log_bias", (substrate.population(n).size,), 100 + i) for i, n in enumerate(hidden)}
        return emit({"weight": weights}, biases)


@cache
def falling_adam(steps: int) -> optax.GradientTransformation:
    """Adam whose rate falls to zero on a cosine over a life."""
    return optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(optax.cosine_decay_schedule(-1.0, steps)))


@cache
def organism(width: int, kinds: tuple[str, ...], steps: int, *, grown: bool = False) -> Organism:
    """One hidden layer under Adam, born at random (a fresh network each life) or grown from the genome.

    Args:
        width: living hidden neurons.
        kinds: activations among them.
        steps: of a life.
        grown: weights and biases are expressed by the genome, which is as long for any width.
    """
    # waves so short that neighbours differ: a layer is to hold many features, not one that varies
    cells, wiring = (Gradients(4, frequency=20.0), Bilinear(shared=True, scaled=True)) if grown else (CellTypes(), Drawn())
    learner = Gradient(falling_adam(steps), loss="squared_error", log_rate=-5.0, spread=1.0)
    return Organism(layer(width, kinds), Decoder(Fates(cells), wiring, AllSynapses()), learner)


def plain_genome(being: Organism, rate: float, bias: float) -> Genome:
    """Weights of He's spread, biases of the spread given, one rate for all; an organism that is not grown."""
    spec = being.genome_spec
    values = {g.name: jnp.full(g.shape, g.center) for g in spec.genes}
    values |= {name: jnp.log(jnp.asarray(rate)) for name in values if name.endswith("log_rate")}
    values |= {name: jnp.log(jnp.asarray(bias + 1e-9)) for name in values if name.endswith("log_bias")}
    return spec.pack(values)


def learned(being: Organism, genome: Genome, life: Life, *, key: Key) -> tuple[Genes, GradientState]:
    """Live a life to its end: the learner's genes and what it has become."""
    key_grow, key_init, key_step = jax.random.split(key, 3)
    network, genes = being.develop(genome, key=key_grow)
    learner, substrate = being.learner, being.substrate
    state = learner.init(genes, network, substrate, key=key_init)

    def step(state: GradientState, batch: tuple[Array, Array]) -> tuple[GradientState, None]:
        return learner.step(genes, state, *batch, substrate, key=key_step), None

    return genes, jax.lax.scan(step, state, (life.inputs, life.targets))[0]


def relative(outputs: Array, targets: Array) -> Scalar:
    """Mean squared error over the variance of the targets: 1 is what their own mean would get."""
    error = ((outputs - targets) ** 2).mean() / targets.var()
    # a life that has diverged counts as one that is very wrong, so that means over lives stay finite
    return jnp.clip(jnp.nan_to_num(error, nan=1e6, posinf=1e6), 1e-12, 1e6)


def asked(being: Organism, genome: Genome, task: Laws, splits: tuple[Split, ...], *, key: Key) -> tuple[Array, Array]:
    """One life of a single law, asked at its end: relative errors (splits,), and the answers for ``DIAGONAL``.

    The answers are in the law's own unit, that of the life taken out.
    """
    key_world, key_life = jax.random.split(key)
    # the same key gives the same stream whatever the split; only the probes differ
    lives = [task.sample(split, key=key_world) for split in splits]
    genes, state = learned(being, genome, lives[0], key=key_life)

    def answer(inputs: Array) -> Array:
        return being.learner.predict(genes, state, inputs, being.substrate)

    errors = jnp.stack([relative(answer(life.probe_inputs), life.probe_targets) for life in lives])
    (low, high), (mean, deviation) = task.train, scale_of(task.laws[0], task.train, task.validation)
    seen = low + (lives[0].inputs[0] + 1) / 2 * (high - low)
    law = (LAWS[task.laws[0]](seen[:, 0], seen[:, 1]) - mean) / deviation
    unit = (lives[0].targets[0, :, 0] * law).sum() / (law**2).sum()
    diagonal = jnp.repeat(2 * (jnp.asarray(DIAGONAL, jnp.float32)[:, None] - low) / (high - low) - 1, 2, axis=1)
    return errors, mean + deviation * answer(diagonal)[:, 0] / unit
