"""Modularly varying goals: a retina of two halves and a goal that combines them (Kashtan and Alon 2005, PNAS 102:13773)."""

from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, check_counts, check_split
from evodev.tasks.supervised import FreshSamples
from evodev.types import Key

Goal = Literal["and", "nand", "or", "nor", "xor", "xnor", "only left", "not only left", "only right", "not only right"]

# whether the goal is met with an object (neither, on the right alone, on the left alone, on both)
MEANING: dict[Goal, tuple[int, int, int, int]] = {
    "and": (0, 0, 0, 1),
    "nand": (1, 1, 1, 0),
    "or": (0, 1, 1, 1),
    "nor": (1, 0, 0, 0),
    "xor": (0, 1, 1, 0),
    "xnor": (1, 0, 0, 1),
    "only left": (0, 0, 1, 0),
    "not only left": (1, 1, 0, 1),
    "only right": (0, 1, 0, 0),
    "not only right": (1, 0, 1, 1),
}


def objects() -> np.ndarray:
    """Is there an object on the left, on the right? (256, 2), for retina number sum(pixel_i 2^i), row by row of 2 x 4.

    An object is three or four pixels of a half, or one or two in its outer column and none beside it: half of all patterns.
    """
    retina = ((np.arange(256)[:, None] >> np.arange(8)) & 1).reshape(256, 2, 4)
    halves = [(retina[:, :, 0], retina[:, :, 1]), (retina[:, :, 3], retina[:, :, 2])]
    counts = [(outer.sum(1), inner.sum(1)) for outer, inner in halves]
    return np.stack([(outer + inner >= 3) | ((outer >= 1) & (inner == 0)) for outer, inner in counts], axis=1)


@dataclass(frozen=True)
class Goals(FreshSamples):
    """Eight pixels (-1 or 1), two subproblems that stay, and a goal on both that is drawn in each life.

    Classes are whether the goal is met. Families have disjoint goals. To vary the goal inside a life, wrap this task in
    switching. No pattern is seen twice in a life.

    Attributes:
        train: goals to train on; a single one never varies.
        validation: goals to validate with.
        test: goals to test with.
        updates: learning steps.
        shots: labelled patterns at each of them.
        probes: other patterns by which the life is probed.
    """

    train: tuple[Goal, ...] = ("and", "nand", "or", "nor")
    validation: tuple[Goal, ...] = ("only left", "not only left", "only right", "not only right")
    test: tuple[Goal, ...] = ("xor", "xnor")
    updates: int = 16
    shots: int = 8
    probes: int = 128
    problem: ClassVar[Literal["classification", "regression"]] = "classification"

    def __post_init__(self) -> None:
        check_counts(self, "updates", "shots", "probes")
        families = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, own in families.items():
            if not own or not set(own) <= set(MEANING):
                raise ValueError(f"task: {name} must be goals out of {', '.join(MEANING)}; given {own}")
        every = [goal for own in families.values() for goal in set(own)]
        shared = sorted({goal for goal in every if every.count(goal) > 1})
        if shared:
            raise ValueError(f"task: the goal {shared[0]!r} is in two families; train, validation, test must be disjoint")
        self.check_samples(256, "the patterns of eight pixels")

    @property
    def inputs(self) -> int:
        return 8

    @property
    def grid(self) -> tuple[int, ...]:
        return (2, 4)

    @property
    def outputs(self) -> int:
        return 2

    @property
    def ignorant_loss(self) -> float:
        return log(2)

    @property
    def held_out(self) -> str:
        own = {"validation": self.validation, "test": self.test, "trained on": self.train}
        return "goals; " + "; ".join(f"{name}: {', '.join(goals)}" for name, goals in own.items())

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        goals = {"train": self.train, "validation": self.validation, "test": self.test}[split]
        key_goal, key_patterns = jax.random.split(key)
        meaning = jax.random.choice(key_goal, jnp.array([MEANING[goal] for goal in goals]))
        numbers = jax.random.permutation(key_patterns, 256)[: self.samples]
        there = jnp.asarray(objects().astype(np.int32))[numbers]
        labels = meaning[2 * there[:, 0] + there[:, 1]]
        pixels = (2.0 * ((numbers[:, None] >> jnp.arange(8)) & 1) - 1.0).reshape(-1, 2, 4)
        return self.life_of(pixels, labels)
