"""Bandits: a few arms, one of them better, and nothing to see but what came of the last pull (Thompson 1933)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from evodev.tasks.acting import Acting, World
from evodev.tasks.base import Split, check_split
from evodev.types import Array, Flag, Float, Key, Scalar

CONTRASTS: dict[str, tuple[float, float]] = {"train": (0.5, 0.9), "validation": (0.4, 0.5), "test": (0.2, 0.4)}


@dataclass(frozen=True)
class Bandit(Acting):
    """Every arm pays 1 or nothing; the best pays more often than the others by a contrast drawn anew in each life.

    A step is one pull; there is nothing to see but the last arm and what it paid. The best arm pays with probability
    (1 + contrast) / 2, each other with (1 - contrast) / 2.

    Attributes:
        arms: to choose from.
    """

    episodes: int = 50
    horizon: int = 1
    arms: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.arms < 2 or self.horizon != 1 or not self.recall:
            raise ValueError(
                "task: a bandit needs at least 2 arms, a horizon of 1 (a pull is an episode) and recall, as there is nothing "
                f"else to see; given {self.arms}, {self.horizon}, {self.recall}"
            )

    @property
    def observations(self) -> int:
        return 0

    @property
    def outputs(self) -> int:
        return self.arms

    @property
    def unit(self) -> str:
        return "pulls"

    @property
    def held_out(self) -> str:
        ranges = ", ".join(f"{split} {low:g}-{high:g}" for split, (low, high) in CONTRASTS.items())
        return f"how much better the best arm is: {ranges}"

    def returns(self, world: World) -> tuple[Scalar, Scalar]:
        return world.physics.mean(), world.physics.max()

    def sample(self, split: Split, *, key: Key) -> World:  # pyright: ignore[reportIncompatibleMethodOverride]
        check_split(split)
        key_best, key_contrast, key_life = jax.random.split(key, 3)
        contrast = jax.random.uniform(key_contrast, (), minval=CONTRASTS[split][0], maxval=CONTRASTS[split][1])
        best = jax.random.randint(key_best, (), 0, self.arms)
        pays = jnp.where(jnp.arange(self.arms) == best, 1 + contrast, 1 - contrast) / 2
        return World(pays, jnp.zeros((0, 0)), jnp.arange(self.arms), key_life)

    def begin(self, world: World, *, key: Key) -> tuple[Any, Float[Array, " observations"]]:
        return (), jnp.zeros(0)

    def act(self, world: World, state: Any, action: Any, *, key: Key) -> tuple[Any, Float[Array, " observations"], Scalar, Flag]:
        paid = jax.random.bernoulli(key, world.physics[action]).astype(jnp.float32)
        return (), jnp.zeros(0), paid, jnp.asarray(True)
