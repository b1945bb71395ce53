"""Sparse parity: the label is the parity of a few hidden bits among many (after Barak et al. 2022, arXiv 2207.08799)."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import comb, log
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, check_counts, check_split
from evodev.tasks.supervised import FreshSamples
from evodev.types import Key


@cache
def subsets(bits: int, hidden: int) -> dict[Split, np.ndarray]:
    """Sets of hidden bits of each family (sets, hidden): half of all to train, a quarter each to validate and to test."""
    every = np.array(list(combinations(range(bits), hidden)), np.int32)
    train, validation, test = np.split(np.random.default_rng(0).permutation(every), [len(every) // 2, 3 * len(every) // 4])
    return {"train": train, "validation": validation, "test": test}


@dataclass(frozen=True)
class SparseParity(FreshSamples):
    """Is an odd number of ``hidden`` bits set? Which of the ``bits`` they are is drawn in each life; bits are -1 or 1.

    No input is seen twice in a life. Train, validation and test hide disjoint families of subsets.

    Attributes:
        bits: numbers in an input, at most 16.
        hidden: how many of them matter.
        updates: learning steps.
        shots: labelled inputs at each of them.
        probes: fresh inputs by which the life is probed.
    """

    bits: int = 12
    hidden: int = 3
    updates: int = 50
    shots: int = 20
    probes: int = 200
    problem: ClassVar[Literal["classification", "regression"]] = "classification"

    def __post_init__(self) -> None:
        check_counts(self, "hidden", "updates", "shots", "probes")
        if self.bits > 16:
            raise ValueError(f"task: bits must be at most 16, given {self.bits}")
        if self.hidden > self.bits or comb(self.bits, self.hidden) < 4:
            raise ValueError(f"task: fewer than 4 sets of {self.hidden} of {self.bits} bits; three families need more")
        self.check_samples(2**self.bits, f"the different inputs of {self.bits} bits")

    @property
    def inputs(self) -> int:
        return self.bits

    @property
    def outputs(self) -> int:
        return 2

    @property
    def ignorant_loss(self) -> float:
        return log(2)

    @property
    def held_out(self) -> str:
        many = {split: len(own) for split, own in subsets(self.bits, self.hidden).items()}
        return (
            f"the hidden bits: {many['validation']} subsets for validation and {many['test']} for test, "
            f"disjoint from the {many['train']} to train on"
        )

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        key_subset, key_inputs = jax.random.split(key)
        chosen = jax.random.choice(key_subset, jnp.asarray(subsets(self.bits, self.hidden)[split]))
        numbers = jax.random.permutation(key_inputs, 2**self.bits)[: self.samples]
        bits = (numbers[:, None] >> jnp.arange(self.bits)) & 1
        return self.life_of(2.0 * bits - 1.0, bits[:, chosen].sum(1) % 2)
