"""Reference lines that need no network: nearest class centroid and nearest neighbour on raw inputs."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.genome import GenomeSpec, spec_of
from evodev.learners import Learner
from evodev.network import Network
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import Task
from evodev.types import Array, Genes, Inputs, Key, Outputs, Scalar, Targets


class Memory(NamedTuple):
    """Every sample seen (capacity, features), its one-hot label (capacity, classes), and how many there are."""

    inputs: Array
    labels: Array
    count: Array


class Remembering(Learner):
    """Remembers every sample of a life, and has no synapse; a leaf says how it answers.

    Attributes:
        capacity: samples in a life.
    """

    # declared, not a field: a leaf gives it its place
    capacity: int

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Memory:
        inputs = jnp.zeros((self.capacity, substrate.input.size))
        return Memory(inputs, jnp.zeros((self.capacity, substrate.output.size)), jnp.zeros((), jnp.int32))

    def step(self, genes: Genes, state: Memory, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Memory:
        labels = jax.nn.one_hot(targets, substrate.output.size)
        return Memory(
            jax.lax.dynamic_update_slice(state.inputs, inputs, (state.count, 0)),
            jax.lax.dynamic_update_slice(state.labels, labels, (state.count, 0)),
            state.count + len(inputs),
        )

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        return jnp.asarray(0.0)


@dataclass(frozen=True)
class Neighbours(Remembering):
    """Answers with the class of the nearest sample, or of the nearest class mean.

    Attributes:
        kind: ``nearest`` (1-NN) or ``centroid``; both Euclidean.
        capacity: samples in a life.
    """

    kind: Literal["nearest", "centroid"]
    capacity: int

    def predict(self, genes: Genes, state: Memory, inputs: Inputs, substrate: Substrate) -> Outputs:
        if self.kind == "centroid":
            points = state.labels.T @ state.inputs / jnp.maximum(state.labels.sum(0), 1.0)[:, None]
            known, classes = state.labels.sum(0) > 0, jnp.eye(substrate.output.size)
        else:
            points, known, classes = state.inputs, jnp.arange(self.capacity) < state.count, state.labels
        # squared distances less the part that all points share
        distance = (points**2).sum(1) - 2 * inputs @ points.T
        return classes[jnp.where(known, distance, jnp.inf).argmin(1)]


@dataclass(frozen=True)
class Nothing:
    """Develops no synapses at all."""

    substrate: Substrate

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
        nothing = {p.name: jnp.zeros(self.substrate.shape(p)) for p in self.substrate.projections}
        return Network(nothing, nothing, nothing, {}, {}), {}


def reference(name: str, task: Task, learner: Learner, note: str, **more: Any) -> Arm:
    """A line without a network: a learner that sees a task's inputs, with nothing grown between them and the outputs.

    Args:
        name: as printed.
        task: of the lives.
        learner: what answers.
        note: how, in one phrase.
        more: further fields of :class:`evodev.baselines.base.Arm`.
    """
    inputs, outputs = Population("input", (task.inputs,)), Population("output", (task.outputs,))
    substrate = Substrate((inputs, outputs), (Projection("input", "output", blank=True),))
    return Arm(name, "reference", jnp.zeros(()), Nothing(substrate), learner, substrate, stochastic=False, note=note, **more)


@dataclass(frozen=True)
class PixelNeighbours(Baseline):
    """A reference line on raw inputs; accuracy only."""

    kind: Literal["nearest", "centroid"] = "nearest"
    role: ClassVar[Role] = "reference"

    def applies(self, setting: Setting) -> bool:
        return setting.task.problem == "classification"

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        learner = Neighbours(self.kind, setting.task.steps * setting.task.batch)
        return reference(name, setting.task, learner, "no network; Euclidean on raw inputs", has_loss=False)
