"""Foraging: hand policies whose meals are known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, Foraging
from evodev.tasks.foraging import PERIODS, Place
from evodev.types import Array

TASK = Foraging()
RIGHT, LEFT, STAY = 0, 1, 2
KEY = jax.random.key(0)


def _meals(task: Foraging, policy: Callable[[Any, Array], Array], worlds: int = 64, split: Any = "train") -> Array:
    """Return of one episode in each of some worlds; ``policy`` is told the place, which no network is."""

    def one(key: Array) -> Array:
        world = task.sample(split, key=key)
        state, _ = task.begin(world, key=jax.random.fold_in(world.key, 1))

        def step(state: Any, key: Array) -> tuple[Any, Array]:
            state, _, reward, _ = task.act(world, state, policy(state, key), key=key)
            return state, reward

        return jax.lax.scan(step, state, jax.random.split(jax.random.fold_in(world.key, 2), task.horizon))[1].sum()

    return jax.jit(jax.vmap(one))(jax.random.split(KEY, worlds))


def _knowing(place: Place, key: Array) -> Array:
    return jnp.where(place.side > 0, RIGHT, LEFT)


def test_whoever_knows_where_the_food_is_has_the_perfect_return() -> None:
    for split in SPLITS:
        meals = _meals(TASK, _knowing, 8, split)
        np.testing.assert_array_equal(meals, TASK.span[1])
    wide = Foraging(cells=7, horizon=20)
    np.testing.assert_array_equal(_meals(wide, _knowing, 8), wide.span[1])
    assert wide.span[1] == 6


def test_acting_at_random_has_the_ignorant_return() -> None:
    meals = np.asarray(_meals(TASK, lambda place, key: jax.random.randint(key, (), 0, 3), 2000))
    ignorant, perfect = TASK.returns(TASK.sample("train", key=KEY))
    assert abs(meals.mean() - ignorant) < 4 * meals.std() / 2000**0.5
    assert 0.05 < ignorant / perfect < 0.2


def test_the_ignorant_return_by_hand() -> None:
    # three cells: at either end with a chance of 1/3 after one step, and one end has the food
    assert Foraging(cells=3, patience=1, horizon=1).span[0] == pytest.approx(1 / 3)
    # in two steps: fed at once and then perhaps again; or still in the middle and then perhaps; or at the other end, and not
    two = Foraging(cells=3, patience=2, horizon=2).span[0]
    assert two == pytest.approx(1 / 3 + 1 / 3 * 1 / 3 + 1 / 3 * 1 / 3)


def test_the_food_moves_after_every_period_and_trips_end_in_the_middle() -> None:
    world = replace(TASK.sample("train", key=KEY), physics=jnp.asarray(3))
    act = jax.jit(lambda place, action: TASK.act(world, place, action, key=KEY))
    place = Place(jnp.asarray(2), jnp.asarray(1), jnp.asarray(0), jnp.asarray(3))
    sides, seen = [], []
    for _ in range(6):
        sides.append(int(place.side))
        for _ in range(2):
            place, sight, reward, over = act(place, jnp.asarray(RIGHT if place.side > 0 else LEFT))
            seen.append(float(sight[0]))
            assert not over
        assert reward == 1
    assert sides == [1, 1, 1, -1, -1, -1]
    # half way to the food, and back in the middle once it is eaten
    assert seen == [0.5, 0] * 3 + [-0.5, 0] * 3
    for _ in range(TASK.patience):
        assert int(place.left) == 3
        place, sight, reward, _ = act(place, jnp.asarray(STAY))
        assert reward == 0
    assert (int(place.left), int(place.steps), int(place.cell)) == (2, 0, 2)


def test_walls_hold_and_the_empty_end_feeds_nobody() -> None:
    world = TASK.sample("train", key=KEY)
    place = Place(jnp.asarray(0), jnp.asarray(1), jnp.asarray(4), jnp.asarray(2))
    after, sight, reward, _ = TASK.act(world, place, jnp.asarray(LEFT), key=KEY)
    assert (int(after.cell), float(sight[0]), float(reward), int(after.steps)) == (0, -1.0, 0.0, 5)


def test_families_hold_out_how_often_the_food_moves() -> None:
    drawn = {split: set(np.asarray(sample_lives(TASK, split, 200, key=KEY).physics).tolist()) for split in SPLITS}
    assert drawn == {split: set(range(low, high + 1)) for split, (low, high) in PERIODS.items()}
    assert not drawn["train"] & drawn["test"]
    assert not drawn["validation"] & (drawn["train"] | drawn["test"])


def test_bad_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="an odd number of cells"):
        Foraging(cells=4)
    with pytest.raises(ValueError, match="needs 2 steps to the food"):
        replace(TASK, patience=1)
