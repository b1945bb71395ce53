"""Switching: a world that does not stay as it is, from frozen to new at every step."""

from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np

from evodev.tasks.acting import Acting
from evodev.tasks.base import Life, Split, Task, check_split
from evodev.tasks.teacher import Teacher
from evodev.types import Key, Outputs, Scalar, Targets


@dataclass(frozen=True)
class Switching(Task):
    """Another task whose world switches inside the life, every ``period`` steps.

    Periods are counted from the end of the life: the last world always reigns for a whole one, the first may be cut short.
    The probe set belongs to one world all life long, so such lives are to be scored by their last probe: with ``last`` it
    says how far a period brings a learner in a new world, with ``previous`` what it retains of the world before. A world is
    a life of the wrapped task of the same family, so that the held-out families stay what they are.

    Attributes:
        task: gives the worlds.
        period: steps between switches, from 1 (every step) to the steps of a life; frozen if none.
        worlds: different worlds of a life, which then come around in turn; a new one at every switch if none.
        probe: the world that is probed: the one that reigns last, or the one before it.
    """

    task: Task = Teacher()
    period: int | None = 10
    worlds: int | None = None
    probe: Literal["last", "previous"] = "last"

    def __post_init__(self) -> None:
        if isinstance(self.task, Acting):
            raise ValueError(f"task: switching wraps tasks with a stream of samples, and {type(self.task).__name__} acts")
        if self.period is not None and not 1 <= self.period <= self.task.steps:
            raise ValueError(
                f"task: period must be from 1 to {self.task.steps}, the steps of a life, or none for frozen; given {self.period}"
            )
        if self.worlds is not None and self.worlds < 2:
            raise ValueError(f"task: worlds must be at least 2, or none for always new ones; given {self.worlds}")
        if self.probe == "previous" and self._visited.max() == 0:
            raise ValueError("task: there is no previous world to probe in a life that never switches; probe last")

    @property
    def _visited(self) -> np.ndarray:
        """Which world reigns at each step (steps,)."""
        period = self.period or self.task.steps
        since = np.arange(self.task.steps) + -self.task.steps % period
        return since // period % (self.worlds or self.task.steps)

    @property
    def problem(self) -> Literal["classification", "regression", "control"]:
        """That of the wrapped task."""
        return self.task.problem

    @property
    def inputs(self) -> int:
        return self.task.inputs

    @property
    def grid(self) -> tuple[int, ...]:
        return self.task.grid

    @property
    def outputs(self) -> int:
        return self.task.outputs

    @property
    def steps(self) -> int:
        return self.task.steps

    @property
    def batch(self) -> int:
        return self.task.batch

    @property
    def labels(self) -> int:
        return min(self.steps * self.batch, (int(self._visited.max()) + 1) * self.task.labels)

    @property
    def unit(self) -> str:
        return self.task.unit

    @property
    def ignorant_loss(self) -> float:
        return self.task.ignorant_loss

    @property
    def held_out(self) -> str:
        return f"that of the worlds: {self.task.held_out}"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        visited = self._visited
        worlds = jax.vmap(lambda k: self.task.sample(split, key=k))(jax.random.split(key, int(visited.max()) + 1))
        steps = np.arange(self.steps)
        probed = visited[-1] if self.probe == "last" else visited[visited != visited[-1]][-1]
        return Life(
            worlds.inputs[visited, steps],
            worlds.targets[visited, steps],
            worlds.probe_inputs[probed],
            worlds.probe_targets[probed],
        )

    def loss(self, outputs: Outputs, targets: Targets) -> Scalar:
        return self.task.loss(outputs, targets)

    def score(self, outputs: Outputs, targets: Targets) -> Scalar:
        return self.task.score(outputs, targets)
