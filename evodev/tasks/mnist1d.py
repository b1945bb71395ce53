"""MNIST-1D (Greydanus and Kobak 2024, arXiv 2011.14439) with labels permuted in each life; drawn here, never downloaded."""

import random
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, check_extra, check_split, without_replacement
from evodev.tasks.supervised import FewShot
from evodev.types import Key

LENGTH, CLASSES, EXAMPLES = 40, 10, 500
SHARES: dict[Split, slice] = {"train": slice(0, 300), "validation": slice(300, 400), "test": slice(400, EXAMPLES)}
"""Which examples of every class belong to a family."""


class Signals(NamedTuple):
    """Signals (n, length) of mean 0 and deviation 1, and the digit (n,) of each."""

    inputs: np.ndarray
    labels: np.ndarray


@cache
def published() -> tuple[Signals, Signals]:
    """The 4,000 signals to train on and the 1,000 to test with, divided and ordered as published."""
    from mnist1d.data import get_dataset_args, make_dataset

    arguments: Any = get_dataset_args()
    arguments.num_samples = CLASSES * EXAMPLES
    # the package seeds the global generators; whoever else draws from them is not to notice
    before = random.getstate(), np.random.get_state()
    try:
        data = make_dataset(arguments)
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
    train, test = (Signals(data[f"x{of}"].astype(np.float32), data[f"y{of}"].astype(np.int32)) for of in ("", "_test"))
    return train, test


@cache
def signals() -> np.ndarray:
    """All signals (classes, examples, length) by class, otherwise in the package's own order."""
    x, y = (np.concatenate(parts) for parts in zip(*published(), strict=True))
    return np.stack([x[y == label] for label in range(CLASSES)])


@cache
def shuffle() -> np.ndarray:
    """The one permutation of positions (length,) of the shuffled twin."""
    return np.random.default_rng(0).permutation(LENGTH)


@dataclass(frozen=True)
class Mnist1D(FewShot):
    """``ways`` of ten one-dimensional digits a life, one signal of each at every step; labels are permuted in each life.

    The families share the ten classes and hold out examples: of the 500 signals of each class the first 300 are to train
    on, the next 100 to validate, the last 100 to test. No signal is seen twice in a life.

    Attributes:
        shuffled: positions in one fixed random order: the same task without neighbourhood.
        ways: classes in a life.
        shots: learning steps, each with one signal of every class.
        probes: probe signals of each class.

    Raises:
        ImportError: without the extra ``data``.
    """

    shuffled: bool = False
    ways: int = 10
    shots: int = 50
    probes: int = 10

    def __post_init__(self) -> None:
        check_extra("mnist1d", "data")
        self.check_few_shot((CLASSES, "the classes of MNIST-1D"), (100, "the signals of a class to test with"))

    @property
    def grid(self) -> tuple[int, ...]:
        return (LENGTH,)

    @property
    def held_out(self) -> str:
        return "examples (of each class 100 for validation, 100 for test, 300 to train on); the ten classes are the same"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        own = signals()[:, SHARES[split]]
        own = jnp.asarray(own[..., shuffle()] if self.shuffled else own)
        key_class, key_example = jax.random.split(key)
        classes = jax.random.permutation(key_class, CLASSES)[: self.ways]
        examples = without_replacement(own.shape[1], self.shots + self.probes, self.ways, key=key_example).T  # (examples, ways)
        return self.life_of(own[classes, examples])
