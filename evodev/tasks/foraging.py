"""Foraging in a row of cells: food lies at one end, unseen, and now and then at the other (Plantec et al. 2024)."""

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.acting import Acting, World
from evodev.tasks.base import Split, check_split
from evodev.types import Array, Count, Flag, Float, Key, Scalar

PERIODS: dict[str, tuple[int, int]] = {"train": (4, 8), "validation": (9, 11), "test": (12, 16)}
"""Trips after which the food is at the other end: fewest and most of each family."""
MOVES = (1, -1, 0)
"""What each of the three actions does: right, left, stay."""


class Place(NamedTuple):
    """Where the forager is, where the food is (-1 or 1), steps of this trip, and trips until the food moves."""

    cell: Count
    side: Count
    steps: Count
    left: Count


@dataclass(frozen=True)
class Foraging(Acting):
    """A trip starts in the middle, ends at the food (reward 1) or when patience runs out, and the next starts at once.

    After every ``period`` trips the food is at the other end; the period is drawn anew in each life, the end and how far into
    the period an episode starts anew in each episode. All that is seen is where one is, from -1 to 1.

    As in the authors' code: 5 cells, three actions, a trip of at most 10 steps, 100 steps in all. Departs from it: there the
    food moves with a probability after each trip, and the reward is 10.

    Attributes:
        cells: in the row, an odd number.
        patience: most steps of a trip.

    Raises:
        ValueError: for a row without a middle, a trip too short for its end, or an episode without a trip.
    """

    horizon: int = 100
    cells: int = 5
    patience: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cells < 3 or self.cells % 2 == 0:
            raise ValueError(f"task: foraging needs an odd number of cells, 3 or more, given {self.cells}")
        if not self.cells // 2 <= min(self.patience, self.horizon):
            raise ValueError(
                f"task: foraging needs {self.cells // 2} steps to the food; given a patience of {self.patience} and a horizon "
                f"of {self.horizon}"
            )

    @property
    def observations(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return len(MOVES)

    @property
    def held_out(self) -> str:
        ranges = ", ".join(f"{split} {low}-{high}" for split, (low, high) in PERIODS.items())
        return f"trips after which the food moves: {ranges}"

    @property
    def span(self) -> tuple[float, float]:
        """What :meth:`returns` gives: exact, and the same in all worlds."""
        # whoever knows where the food is walks straight; where it is makes no difference to who walks at random
        return _wandered(self.cells, self.patience, self.horizon), float(self.horizon // (self.cells // 2))

    def returns(self, world: World) -> tuple[float, float]:
        return self.span

    def sample(self, split: Split, *, key: Key) -> World:  # pyright: ignore[reportIncompatibleMethodOverride]
        check_split(split)
        key_period, key_life = jax.random.split(key)
        low, high = PERIODS[split]
        period = jax.random.randint(key_period, (), low, high + 1)
        return World(period, jnp.eye(1), jnp.arange(len(MOVES)), key_life)

    def begin(self, world: World, *, key: Key) -> tuple[Any, Float[Array, " observations"]]:
        key_side, key_left = jax.random.split(key)
        side = jax.random.rademacher(key_side, (), jnp.int32)
        left = jax.random.randint(key_left, (), 1, world.physics + 1)
        return self._seen(Place(jnp.asarray(self.cells // 2), side, jnp.asarray(0), left))

    def act(self, world: World, state: Any, action: Any, *, key: Key) -> tuple[Any, Float[Array, " observations"], Scalar, Flag]:
        middle = self.cells // 2
        cell = jnp.clip(state.cell + jnp.asarray(MOVES)[action], 0, self.cells - 1)
        fed = cell == middle + state.side * middle
        back = fed | (state.steps + 1 == self.patience)
        left = state.left - back
        moves = left == 0
        place = Place(
            jnp.where(back, middle, cell),
            jnp.where(moves, -state.side, state.side),
            jnp.where(back, 0, state.steps + 1),
            jnp.where(moves, world.physics, left),
        )
        return *self._seen(place), fed.astype(jnp.float32), jnp.asarray(False)

    def _seen(self, place: Place) -> tuple[Place, Float[Array, " observations"]]:
        middle = self.cells // 2
        return place, (place.cell[None] - middle).astype(jnp.float32) / middle


@cache
def _wandered(cells: int, patience: int, horizon: int) -> float:
    """Meals expected of one who moves at random, exactly: chances of all cells and steps of a trip, step after step."""
    chance = np.zeros((patience, cells))
    chance[0, cells // 2] = 1.0
    meals = 0.0
    for _ in range(horizon):
        moved = np.zeros_like(chance)
        for move in MOVES:
            for cell in range(cells):
                moved[:, min(max(cell + move, 0), cells - 1)] += chance[:, cell] / len(MOVES)
        # the food is at the last cell; by symmetry it might as well be at the first
        fed = moved[:, -1].sum()
        meals += fed
        moved[:, -1] = 0.0
        chance = np.zeros_like(moved)
        chance[1:] = moved[:-1]
        chance[0, cells // 2] = fed + moved[-1].sum()
    return float(meals)
