"""The contract of a task: a distribution over worlds, in three disjoint families."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import jax.numpy as jnp
import optax
from flax import struct

from evodev.types import Array, Float, Key, Outputs, Scalar, Shaped, Targets

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@struct.dataclass
class Life:
    """One sampled world: its stream of batches and the examples by which it is probed.

    ``inputs`` (steps, batch, ...) and ``targets`` (steps, batch) or (steps, batch, outputs) are what is learned from,
    in order; ``probe_inputs`` and ``probe_targets`` are never learned from.
    """

    inputs: Float[Array, "steps batch *features"]
    targets: Shaped[Array, "steps batch *outputs"]
    probe_inputs: Float[Array, "probe_batch *features"]
    probe_targets: Shaped[Array, "probe_batch *outputs"]


class Task(ABC):
    """A distribution over worlds; a frozen dataclass whose fields are its parameters."""

    problem: ClassVar[Literal["classification", "regression"]]

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Numbers in one input."""

    @property
    def grid(self) -> tuple[int, ...]:
        """How the inputs lie in space; the product is ``inputs``."""
        return (self.inputs,)

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Numbers in one output: classes, or values."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Learning steps in a life."""

    @property
    @abstractmethod
    def batch(self) -> int:
        """Samples presented at one step."""

    @property
    def labels(self) -> int:
        """Different labelled samples in a life; fewer than are presented when a life sees some of them again."""
        return self.steps * self.batch

    @property
    def unit(self) -> str:
        """What one step of a learning curve is called on an axis."""
        return "learning steps"

    @property
    @abstractmethod
    def ignorant_loss(self) -> float:
        """Loss of a learner that knows nothing of its world."""

    @property
    @abstractmethod
    def held_out(self) -> str:
        """One sentence: what validation and test hold out."""

    @abstractmethod
    def sample(self, split: Split, *, key: Key) -> Life:
        """Draw one life of a family."""

    def loss(self, outputs: Outputs, targets: Targets) -> Scalar:
        """Mean cross-entropy in nats, or mean squared error."""
        if self.problem == "regression":
            return jnp.mean((outputs - targets) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()

    def score(self, outputs: Outputs, targets: Targets) -> Scalar:
        """Accuracy in [0, 1]; for regression the negative loss."""
        if self.problem == "regression":
            return -self.loss(outputs, targets)
        return jnp.mean(outputs.argmax(-1) == targets)


def check_split(split: str) -> None:
    """Raises ValueError for an unknown family."""
    if split not in SPLITS:
        raise ValueError(f"task: split is {split!r}; one of {', '.join(SPLITS)}")
