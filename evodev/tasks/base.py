"""The contract of a task: a distribution over worlds, in three disjoint families."""

from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from evodev.heads import asked
from evodev.types import Array, Float, Int, Key, Outputs, Scalar, Shaped, Targets

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@struct.dataclass
class Life:
    """One sampled world: its stream of batches and the examples by which it is probed.

    ``inputs`` (steps, batch, ...) and ``targets`` (steps, batch) or (steps, batch, outputs) are what is learned from,
    in order; ``probe_inputs`` and ``probe_targets`` are never learned from. Where a life has phases (``Task.phase_ends``),
    the probe set is that of the first phase, then as many examples of the second, and so on.
    """

    inputs: Float[Array, "steps batch *features"]
    targets: Shaped[Array, "steps batch *outputs"]
    probe_inputs: Float[Array, "probe_batch *features"]
    probe_targets: Shaped[Array, "probe_batch *outputs"]


class Task(ABC):
    """A distribution over worlds; a frozen dataclass whose fields are its parameters."""

    problem: ClassVar[Literal["classification", "regression", "control"]]
    offers: ClassVar[tuple[str, ...]] = ("targets",)
    """What a learner is given to learn from: ``targets``, or ``reward``."""

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
    def phase_ends(self) -> tuple[int, ...]:
        """Steps after which the probed phases of a life have ended; none for a life that is all of one piece.

        The probe set has an equal part for each, in this order, and the log says how each is answered.
        """
        return ()

    @property
    def heads(self) -> int:
        """Groups of equal size into which the outputs fall, if only those of the target's own compete to be the answer."""
        return 1

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

    def folded(self) -> "Task":
        """This task with some of its training classes held out for validation instead, to stop a training by.

        Itself where validation is of other classes than those trained on already, or where there are too few to spare.
        """
        return self

    @abstractmethod
    def sample(self, split: Split, *, key: Key) -> Life:
        """Draw one life of a family."""

    def loss(self, outputs: Outputs, targets: Targets) -> Scalar:
        """Mean cross-entropy in nats, or mean squared error."""
        if self.problem == "regression":
            return jnp.mean((outputs - targets) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(asked(outputs, targets, self.heads), targets).mean()

    def score(self, outputs: Outputs, targets: Targets) -> Scalar:
        """Accuracy in [0, 1]; for regression the negative loss."""
        if self.problem == "regression":
            return -self.loss(outputs, targets)
        return jnp.mean(asked(outputs, targets, self.heads).argmax(-1) == targets)


def check_split(split: str) -> None:
    """Raises ValueError for an unknown family."""
    if split not in SPLITS:
        raise ValueError(f"task: split is {split!r}; one of {', '.join(SPLITS)}")


def check_counts(task: Task, *names: str) -> None:
    """Raises ValueError, naming the field, for a field that is less than 1."""
    for name in names:
        if getattr(task, name) < 1:
            raise ValueError(f"task: {name} must be at least 1, given {getattr(task, name)}")


def check_extra(package: str, extra: str) -> None:
    """Raises ImportError, naming the extra to install, if a package is missing."""
    if find_spec(package) is None:
        raise ImportError(f"task: the package {package} is not installed; pip install 'evodev-jax[{extra}]'")


def without_replacement(choices: int, many: int, rows: int, *, key: Key) -> Int[Array, "rows many"]:
    """In every row ``many`` different numbers below ``choices``, in random order."""
    return jax.vmap(lambda k: jax.random.permutation(k, choices)[:many])(jax.random.split(key, rows))


def some_of(available: int, classes: int | None, subset: int) -> np.ndarray:
    """The classes to train on: all, or so many of them; of one ``subset`` fewer are always among more."""
    order = np.arange(available) if subset == 0 else np.random.default_rng(subset).permutation(available)
    return order[:classes]


def placed(images: Float[Array, "n a b"], corners: Int[Array, "n 2"], side: int) -> Float[Array, "n side side"]:
    """Each image on a blank field, its upper left pixel at its corner; what lies outside is cut off."""
    # shifting by two one-hot matrices is a pair of small matmuls, many times faster on a CPU than a scatter
    rows, columns = (
        (jnp.arange(side)[:, None] - corners[:, None, axis, None] == jnp.arange(images.shape[1 + axis])).astype(jnp.float32)
        for axis in (0, 1)
    )
    return jnp.einsum("nai,nij,nbj->nab", rows, images, columns)
