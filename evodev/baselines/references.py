"""Reference lines that ask for nothing: bottom, ceiling, and the mean of what was seen."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import jax.numpy as jnp

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.baselines.neighbours import reference
from evodev.genome import GenomeSpec, spec_of
from evodev.learners import Learner
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.tasks import Task
from evodev.types import Array, Genes, Inputs, Key, Outputs, Scalar, Targets


@dataclass(frozen=True)
class Mean(Learner):
    """Answers whatever it is asked with the mean of the targets so far; with 0 before the first."""

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> tuple[Array, Array]:
        return jnp.zeros(substrate.output.size), jnp.zeros(())

    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        total, count = state
        return total + targets.reshape(len(targets), -1).sum(0), count + len(targets)

    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        total, count = state
        return jnp.broadcast_to(total / jnp.maximum(count, 1.0), (len(inputs), substrate.output.size))

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        return jnp.asarray(0.0)


def _bottom(task: Task) -> tuple[float, float]:
    """Loss and score of answers that know nothing."""
    loss = task.ignorant_loss
    scores = {"classification": task.heads / task.outputs, "regression": -loss, "control": 0.0}
    return loss, scores[task.problem]


def _ceiling(task: Task) -> tuple[float, float]:
    """Loss and score of answers without a fault."""
    return 0.0, 0.0 if task.problem == "regression" else 1.0


@dataclass(frozen=True)
class Line(Baseline):
    """A straight line: ``chance`` knows nothing of its world, the ``oracle`` all of it from birth.

    Nobody lives them. Chance is ``Task.ignorant_loss`` with equal log-odds, the mean, or actions at random. The oracle is the
    perfect answer: the task's own labels or values, and the best return of its ``span``. That is a ceiling and no learner's
    goal: how well the labels can be told from the inputs at all, with every picture of a class known, is not said.

    Attributes:
        kind: ``chance`` or ``oracle``.
    """

    kind: Literal["chance", "oracle"]
    role: ClassVar[Role] = "reference"
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return True

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        task = setting.task
        where = "its best return (regret 0)" if task.problem == "control" else "the targets themselves: loss 0"
        notes = {"chance": "knows nothing: the task's ignorant loss", "oracle": f"a ceiling, not a learner: {where}"}
        known = {"chance": _bottom, "oracle": _ceiling}[self.kind](task)
        return reference(name, task, Mean(), notes[self.kind], known=known)


@dataclass(frozen=True)
class MeanTarget(Baseline):
    """The mean of the targets so far, whatever the input: what a regression must beat."""

    role: ClassVar[Role] = "reference"
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return setting.task.problem == "regression"

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        return reference(name, setting.task, Mean(), "no network; mean of the targets so far")
