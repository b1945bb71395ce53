"""Teacher networks: imitate a random network from its answers (after Gardner and Derrida 1989)."""

from dataclasses import dataclass
from math import log
from typing import Literal

import jax
import jax.numpy as jnp

from evodev.tasks.base import Life, Split, check_counts, check_split
from evodev.tasks.supervised import FreshSamples
from evodev.types import Key


@dataclass(frozen=True)
class Teacher(FreshSamples):
    """Answers of a tanh network with one hidden layer, drawn anew in each life; inputs are normal.

    Regression to its output, of mean 0 and variance 1 over the examples of the life, or classification by the largest of
    its centred outputs. The families have teachers of different widths.

    Attributes:
        features: numbers in an input.
        ways: classes; regression to one value if none.
        updates: learning steps.
        shots: labelled inputs at each of them.
        probes: fresh inputs by which the life is probed.
        train: hidden neurons of a teacher to train on, one of these a life.
        validation: the same to validate.
        test: the same to test.
    """

    features: int = 8
    ways: int | None = None
    updates: int = 50
    shots: int = 10
    probes: int = 100
    train: tuple[int, ...] = (4, 8, 16)
    validation: tuple[int, ...] = (6, 12)
    test: tuple[int, ...] = (5, 10, 20)

    def __post_init__(self) -> None:
        check_counts(self, "features", "updates", "shots", "probes")
        if self.ways is not None and self.ways < 2:
            raise ValueError(f"task: ways must be at least 2, or none for regression; given {self.ways}")
        every = (*self.train, *self.validation, *self.test)
        if not (self.train and self.validation and self.test) or min(every) < 1:
            raise ValueError("task: train, validation and test each need the width of a teacher, at least 1")
        shared = {width for width in every if sum(width in own for own in (self.train, self.validation, self.test)) > 1}
        if shared:
            raise ValueError(
                f"task: teachers of {min(shared)} neurons are in two families; train, validation, test must be disjoint"
            )

    @property
    def problem(self) -> Literal["classification", "regression"]:
        """Classification if there are ``ways``."""
        return "classification" if self.ways else "regression"

    @property
    def inputs(self) -> int:
        return self.features

    @property
    def outputs(self) -> int:
        return self.ways or 1

    @property
    def ignorant_loss(self) -> float:
        return log(self.ways) if self.ways else 1.0

    @property
    def held_out(self) -> str:
        return f"teachers of {self.validation} hidden neurons for validation and {self.test} for test; {self.train} to train on"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        widths = {"train": self.train, "validation": self.validation, "test": self.test}[split]
        key_width, key_in, key_bias, key_out, key_inputs = jax.random.split(key, 5)
        width = jax.random.choice(key_width, jnp.array(widths))
        into = 1.5 * jax.random.normal(key_in, (self.features, max(widths))) / self.features**0.5
        bias = 0.5 * jax.random.normal(key_bias, (max(widths),))
        out = jax.random.normal(key_out, (max(widths), self.outputs))
        inputs = jax.random.normal(key_inputs, (self.samples, self.features))
        # neurons beyond the width of this life's teacher say nothing
        hidden = jnp.where(jnp.arange(max(widths)) < width, jnp.tanh(inputs @ into + bias), 0.0)
        answers = hidden @ out
        answers = (answers - answers.mean(0)) / (answers.std(0) + 1e-6)
        return self.life_of(inputs, answers.argmax(-1) if self.ways else answers)
