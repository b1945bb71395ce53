"""Laws of two variables: learn m*a from a thousand examples, and be asked inside and far outside of what was seen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any, ClassVar, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, Task, check_counts, check_split, without_replacement
from evodev.types import Array, Key

Law = Literal["force", "kinetic energy", "current", "gravitation", "pendulum", "lens", "fall", "resultant"]

LAWS: dict[Law, Callable[[Any, Any], Any]] = {
    "force": lambda m, a: m * a,
    "kinetic energy": lambda m, v: m * v**2 / 2,
    "current": lambda u, r: u / r,
    "gravitation": lambda m, r: m / r**2,
    "pendulum": lambda length, g: 2 * np.pi * (length / g) ** 0.5,
    "lens": lambda object_, image: object_ * image / (object_ + image),
    "fall": lambda v, t: v * t + t**2 / 2,
    "resultant": lambda x, y: (x**2 + y**2) ** 0.5,
}
UNITS = (0.5, 2.0)
"""Between these a life draws the unit of the answer, log-uniformly; its sign is a coin toss."""

Range = tuple[float, float]


def _pieces(outer: Range, hole: Range) -> np.ndarray:
    """The square outer x outer without hole x hole, as rectangles (pieces, variable, end)."""
    (a, d), (b, c) = outer, hole
    if not (a < b and c < d):
        return np.array([[(a, d), (a, d)]], np.float32)
    return np.array([[(a, d), (a, b)], [(a, d), (c, d)], [(a, b), (b, c)], [(c, d), (b, c)]], np.float32)


def _drawn(pieces: np.ndarray, many: int, *, key: Key) -> Array:
    """Points (many, 2), uniform on rectangles."""
    key_piece, key_point = jax.random.split(key)
    areas = np.prod(pieces[..., 1] - pieces[..., 0], axis=1)
    piece = jnp.asarray(pieces)[jax.random.choice(key_piece, len(areas), (many,), p=jnp.asarray(areas / areas.sum()))]
    return piece[..., 0] + jax.random.uniform(key_point, (many, 2)) * (piece[..., 1] - piece[..., 0])


@cache
def scale_of(law: Law, train: Range, validation: Range) -> tuple[float, float]:
    """Mean and standard deviation of a law over all inputs to train on."""
    draw = np.random.default_rng(0)
    pieces = _pieces(train, validation)
    areas = np.prod(pieces[..., 1] - pieces[..., 0], axis=1)
    piece = pieces[draw.choice(len(areas), 100_000, p=areas / areas.sum())].astype(np.float64)
    x, y = (piece[..., 0] + draw.uniform(size=(100_000, 2)) * (piece[..., 1] - piece[..., 0])).T
    values = LAWS[law](x, y)
    return float(values.mean()), float(values.std())


@dataclass(frozen=True)
class Laws(Task):
    """One of some physical laws of two positive variables, in a unit of measurement drawn in each life, sign included.

    Every life learns on ``train``; the split decides where it is probed. Train: fresh points of ``train``. Validation: both
    variables in ``validation``, a hole in the training range that is never learned from (interpolation) if it lies within.
    Test: both variables in ``test``, outside (extrapolation). Inputs are scaled to [-1, 1] over ``train``; targets are
    ``unit * (law - mean) / deviation``, both taken over ``train``.

    Attributes:
        laws: out of them a life draws one.
        examples: different labelled points of a life.
        shots: how many of them at each step.
        epochs: how often each is seen, in a new order every time.
        probes: points by which the life is probed.
        train: range of both variables to learn on.
        validation: range to probe within ``train``, or apart from it.
        test: range to probe, apart from both.
    """

    laws: tuple[Law, ...] = ("force",)
    examples: int = 1000
    shots: int = 20
    epochs: int = 1
    probes: int = 100
    train: tuple[float, float] = (0.5, 2.0)
    validation: tuple[float, float] = (1.0, 1.5)
    test: tuple[float, float] = (2.0, 3.0)
    problem: ClassVar[Literal["classification", "regression"]] = "regression"

    def __post_init__(self) -> None:
        check_counts(self, "examples", "shots", "epochs", "probes")
        if not self.laws or not set(self.laws) <= set(get_args(Law)):
            raise ValueError(f"task: laws must be out of {', '.join(LAWS)}; given {self.laws}")
        if self.examples % self.shots:
            raise ValueError(f"task: examples must be a multiple of shots; given {self.examples} and {self.shots}")
        for name in ("train", "validation", "test"):
            ends = getattr(self, name)
            if len(ends) != 2 or not 0 < ends[0] < ends[1]:
                raise ValueError(f"task: {name} must be a range low, high with 0 < low < high; given {ends}")
        train, validation, test = self.train, self.validation, self.test
        within = train[0] < validation[0] and validation[1] < train[1]
        if not within and _overlap(train, validation):
            raise ValueError(f"task: validation must lie within train or apart from it; given {validation} and {train}")
        for name, other in (("train", train), ("validation", validation)):
            if _overlap(test, other):
                raise ValueError(f"task: the ranges test {test} and {name} {other} overlap")

    @property
    def inputs(self) -> int:
        return 2

    @property
    def outputs(self) -> int:
        return 1

    @property
    def steps(self) -> int:
        return self.epochs * self.examples // self.shots

    @property
    def batch(self) -> int:
        return self.shots

    @property
    def labels(self) -> int:
        return self.examples

    @property
    def ignorant_loss(self) -> float:
        # E[unit^2]; in training lives, where the law has variance 1
        low, high = UNITS
        return (high**2 - low**2) / (2 * log(high / low))

    @property
    def held_out(self) -> str:
        within = "within" if self.train[0] < self.validation[0] < self.train[1] else "outside"
        return (
            f"ranges of both variables: validation {self.validation}, {within} the training range; "
            f"test {self.test}, outside; learned on {self.train}"
        )

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        key_law, key_unit, key_sign, key_points, key_order, key_probes = jax.random.split(key, 6)
        learned = _pieces(self.train, self.validation)
        asked = {"train": learned, "validation": np.array([[self.validation] * 2]), "test": np.array([[self.test] * 2])}[split]
        points = _drawn(learned, self.examples, key=key_points)
        probes = _drawn(asked.astype(np.float32), self.probes, key=key_probes)
        orders = without_replacement(self.examples, self.examples, self.epochs, key=key_order)
        stream = points[orders.ravel()].reshape(self.steps, self.shots, 2)
        unit = jnp.exp(jax.random.uniform(key_unit, (), minval=log(UNITS[0]), maxval=log(UNITS[1])))
        unit = unit * jax.random.rademacher(key_sign, (), jnp.float32)
        which = jax.random.randint(key_law, (), 0, len(self.laws))

        def world(x: Array) -> Array:
            answers = []
            for law in self.laws:
                mean, deviation = scale_of(law, self.train, self.validation)
                answers.append((LAWS[law](x[..., 0], x[..., 1]) - mean) / deviation)
            return unit * jnp.stack(answers)[which][..., None]

        def seen(x: Array) -> Array:
            low, high = self.train
            return 2 * (x - low) / (high - low) - 1

        return Life(seen(stream), world(stream), seen(probes), world(probes))


def _overlap(one: Range, other: Range) -> bool:
    return one[0] < other[1] and other[0] < one[1]
