"""Switching: a world that does not stay as it is, from frozen to new at every step."""

from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.acting import Acting
from evodev.tasks.base import Life, Split, Task, check_split
from evodev.tasks.teacher import Teacher
from evodev.types import Key, Outputs, Scalar, Targets


@dataclass(frozen=True)
class Switching(Task):
    """Another task whose world lasts for ``period`` steps: for ever, for a life, for a part of it, or for a single step.

    Periods are counted from the end of the life: the last world always reigns for a whole one, the first may be cut short.
    A world is a life of the wrapped task of the same family, so that the held-out families stay what they are. A frozen
    world is the same in every life and in all families, the one frame that there is; its batches, of the family to train
    on, come in another order in each life.

    The probe set belongs to one world all life long, so lives that switch are to be scored by their last probe: with
    ``last`` it says how far a period brings a learner in a new world, with ``previous`` how it answers in the world
    before. With ``all`` every world is probed, each with its own set, and what is left of a world since it last reigned is
    ``fitness.retention``. What living through the changes costs is ``Fitness(measure="online")``: each batch is answered in
    the world that reigns, before it is learned from.

    Attributes:
        task: gives the worlds.
        period: steps between switches, from 1 (every step) to the steps of a life (one world a life); frozen if none.
        worlds: different worlds of a life, which then come around in turn; a new one at every switch if none.
        probe: the world that is probed: the one that reigns last, or the one before it; or each of them.
        frozen: seed of the world, where it is frozen.
        noise: standard deviation of what is added, drawn anew in each life, to the targets of a regression that are
            learned from.
    """

    task: Task = Teacher()
    period: int | None = 10
    worlds: int | None = None
    probe: Literal["last", "previous", "all"] = "last"
    frozen: int = 0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.task, Acting):
            raise ValueError(f"task: switching wraps tasks with a stream of samples, and {type(self.task).__name__} acts")
        if self.period is not None and not 1 <= self.period <= self.task.steps:
            raise ValueError(
                f"task: period must be from 1 to {self.task.steps}, the steps of a life, or none for frozen; given {self.period}"
            )
        if self.worlds is not None and self.worlds < 2:
            raise ValueError(f"task: worlds must be at least 2, or none for always new ones; given {self.worlds}")
        if self.worlds is not None and self.period is None:
            raise ValueError("task: a frozen world is the only one; leave worlds out, or give a period")
        if self.period is not None and self.frozen:
            raise ValueError("task: frozen is the seed of a world that never changes; leave it out, or leave period out")
        if self.probe != "last" and self._visited.max() == 0:
            raise ValueError("task: there is no previous world to probe in a life that never switches; probe last")
        if self.noise < 0 or (self.noise and self.problem == "classification"):
            raise ValueError(f"task: noise must not be negative, and 0 where targets are classes; given {self.noise}")

    @property
    def _visited(self) -> np.ndarray:
        """Which world of the life reigns at each step (steps,)."""
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
    def phase_ends(self) -> tuple[int, ...]:
        worlds = range(int(self._visited.max()) + 1) if self.probe == "all" else ()
        return tuple(int(np.flatnonzero(self._visited == world)[-1]) + 1 for world in worlds)

    @property
    def heads(self) -> int:
        return self.task.heads

    @property
    def unit(self) -> str:
        return self.task.unit

    @property
    def ignorant_loss(self) -> float:
        return self.task.ignorant_loss

    @property
    def held_out(self) -> str:
        if self.period is None:
            return "nothing but the order of the batches and their noise: the frozen world is one and the same in all families"
        return f"that of the worlds: {self.task.held_out}"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        visited, steps = self._visited, np.arange(self.steps)
        # numbers far above those of the worlds, whose keys are split off the same one
        key_order, key_noise = jax.random.fold_in(key, 0x0DE2), jax.random.fold_in(key, 0x401E)
        if self.period is None:
            world = self.task.sample("train", key=jax.random.key(self.frozen))
            order = jax.random.permutation(key_order, self.steps)
            life = Life(world.inputs[order], world.targets[order], world.probe_inputs, world.probe_targets)
        else:
            worlds = jax.vmap(lambda k: self.task.sample(split, key=k))(jax.random.split(key, int(visited.max()) + 1))
            previous = visited[visited != visited[-1]][-1:]
            probed = {"last": visited[-1:], "previous": previous, "all": np.arange(int(visited.max()) + 1)}[self.probe]
            probes = worlds.probe_inputs[probed], worlds.probe_targets[probed]
            life = Life(
                worlds.inputs[visited, steps],
                worlds.targets[visited, steps],
                *(x.reshape(-1, *x.shape[2:]) for x in probes),
            )
        if not self.noise:
            return life
        return replace(life, targets=life.targets + self.noise * jax.random.normal(key_noise, jnp.shape(life.targets)))

    def loss(self, outputs: Outputs, targets: Targets) -> Scalar:
        return self.task.loss(outputs, targets)

    def score(self, outputs: Outputs, targets: Targets) -> Scalar:
        return self.task.score(outputs, targets)
