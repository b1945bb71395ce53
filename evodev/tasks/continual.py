"""Continual digits: a few classes after the others, never again; what is left of the first? (van de Ven and Tolias 2019)."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal

import jax.numpy as jnp

from evodev.tasks.base import Life, Split, Task, check_counts
from evodev.tasks.digits import FewShotDigits
from evodev.types import Array, Key


@dataclass(frozen=True)
class ContinualDigits(Task):
    """``phases`` one after the other, each of ``ways`` new classes of shifted digits, one example of each a step.

    Classes and their labels are drawn anew in each life. The probe set covers the classes of all phases, phase by phase, or
    of the first phase only; what is left of a phase at the end of the life is ``fitness.retention``. Class-incremental
    answers are among the classes of all phases; task-incremental ones among those of the phase that the example comes
    from, a head of its own, whatever is said of the others. That is how answers are judged: whether a learner lets only
    the classes of a head compete in its own loss is told it apart (``Gradient.heads``, for both scenarios).

    Attributes:
        phases: sets of classes, in sequence.
        ways: classes of a phase.
        shots: learning steps of a phase, each with one example of every class of it.
        probes: probe images of each class.
        scenario: is the phase of a probe known ("task") or not ("class")?
        probe: which phases the probe set covers.
        canvas: side of the field, at least 8.
        rotations: quarter turns that make classes, from 0, 1, 2, 3.
    """

    phases: int = 4
    ways: int = 2
    shots: int = 10
    probes: int = 8
    scenario: Literal["class", "task"] = "class"
    probe: Literal["all", "first"] = "all"
    canvas: int = 12
    rotations: tuple[int, ...] = (0, 1)
    problem: ClassVar[Literal["classification", "regression"]] = "classification"

    def __post_init__(self) -> None:
        check_counts(self, "phases", "shots", "probes")
        if self.scenario not in ("class", "task") or self.probe not in ("all", "first"):
            raise ValueError(f"task: scenario is class or task, probe all or first; given {self.scenario}, {self.probe}")
        most = 4 * len(self.rotations)
        if self.phases < 2 or self.ways < (2 if self.scenario == "task" else 1) or self.outputs > most:
            raise ValueError(
                f"task: at least 2 phases of {'2 ways' if self.scenario == 'task' else '1 way'}, and phases * ways at most "
                f"{most}, the test classes of these rotations; given {self.phases} and {self.ways}"
            )
        self._digits  # noqa: B018 - raises if the images do not suffice

    @property
    def _digits(self) -> FewShotDigits:
        return FewShotDigits(self.canvas, True, self.rotations, self.phases * self.ways, self.shots, self.probes)

    @property
    def inputs(self) -> int:
        return self.canvas**2

    @property
    def grid(self) -> tuple[int, ...]:
        return (self.canvas, self.canvas)

    @property
    def outputs(self) -> int:
        return self.phases * self.ways

    @property
    def steps(self) -> int:
        return self.phases * self.shots

    @property
    def batch(self) -> int:
        return self.ways

    @property
    def phase_ends(self) -> tuple[int, ...]:
        ends = tuple(self.shots * (1 + i) for i in range(self.phases))
        return ends if self.probe == "all" else ends[:1]

    @property
    def heads(self) -> int:
        return self.phases if self.scenario == "task" else 1

    @property
    def ignorant_loss(self) -> float:
        return log(self.ways if self.scenario == "task" else self.outputs)

    @property
    def held_out(self) -> str:
        return self._digits.held_out

    def sample(self, split: Split, *, key: Key) -> Life:
        life = self._digits.sample(split, key=key)

        def by_phase(x: Array, many: int) -> Array:
            """(many * classes, ...) -> (phases, many, ways, ...)."""
            return jnp.moveaxis(x.reshape(many, self.phases, self.ways, *x.shape[1:]), 1, 0)

        def stream(x: Array) -> Array:
            return by_phase(x.reshape(-1, *x.shape[2:]), self.shots).reshape(self.steps, self.ways, *x.shape[2:])

        def probes(x: Array) -> Array:
            own = by_phase(x, self.probes)
            return own[: 1 if self.probe == "first" else None].reshape(-1, *x.shape[1:])

        return Life(stream(life.inputs), stream(life.targets), probes(life.probe_inputs), probes(life.probe_targets))
