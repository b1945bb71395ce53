import json
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Threshold
from evodev.decoders.wiring.direct import Direct
from evodev.health import SIGNS, health, health_line, is_flat, lost, step_size
from evodev.organism import Organism
from evodev.search import Schedule, Search, SearchState
from evodev.strategies import STRATEGIES, Strategy
from evodev.substrate import mlp
from evodev.types import Outputs, Scalar, Targets
from tests.tiny import Guess, Line, guess_search, guesser

EMPTY = Decoder(CellTypes(), Direct(), Threshold(1e6, evolved=False, relative=False))


@dataclass(frozen=True)
class Indifferent(Line):
    """Every answer is as good as any other."""

    def loss(self, outputs: Outputs, targets: Targets) -> Scalar:
        return jnp.asarray(0.7)


def _search(strategy: Strategy, *, organism: Organism | None = None, task: Line | None = None, generations: int = 2) -> Search:
    schedule = Schedule(generations, lives=2, validation_lives=2, block=generations)
    return Search(organism or guesser(), task or Line(), strategy, schedule, devices=1)


def _strategy(state: SearchState) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state.strategy)]


def _assert_left_as_it_was(before: list[np.ndarray], after: list[np.ndarray]) -> None:
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def _assert_well(state: SearchState, records: list[dict[str, Any]]) -> None:
    """There is a champion, and what was written down of every generation is JSON."""
    for genome in (state.champion, state.centroid, state.best):
        assert np.isfinite(genome).all()
    assert np.isfinite(state.champion_validation)
    json.dumps(records, allow_nan=False)


# planted cases


@pytest.mark.parametrize("name", ["SNES", "SimpleGA"])
def test_a_search_in_which_every_life_diverges_stays_where_it_is(name: str) -> None:
    search = guess_search(Strategy(name, 8), fused=True)
    blown = search.spec.pack({**search.spec.unpack(jnp.zeros(search.spec.size)), "learner/fuse": jnp.asarray(50.0)})
    start = search.start(blown)
    before = _strategy(start)
    state, records = search.advance(start)
    assert [(r["failed"], r["flat"], r["undone"]) for r in records] == [(1.0, 1.0, 0.0)] * 2
    assert records[-1]["validation_failed"] == 1.0
    _assert_left_as_it_was(before, _strategy(state))
    _assert_well(state, records)
    np.testing.assert_array_equal(state.champion, state.centroid)
    assert health_line(health(records)) == "failed 100.00%, validation failed 100.00%, flat 2 of 2 generations"


def test_constant_fitness_moves_no_strategy() -> None:
    search = _search(Strategy("Open_ES", 8), task=Indifferent())
    start = search.start()
    before = _strategy(start)
    state, records = search.advance(start)
    assert all(r["flat"] == 1.0 and r["failed"] == 0.0 and r["fitness_mean"] == pytest.approx(-0.7) for r in records)
    _assert_left_as_it_was(before, _strategy(state))
    _assert_well(state, records)


def test_empty_networks_are_counted() -> None:
    search = _search(Strategy("SNES", 8), organism=Organism(mlp((1, 2, 1)), EMPTY, Guess()))
    state, records = search.advance(search.start())
    assert [(r["collapsed"], r["density"], r["flat"]) for r in records] == [(1.0, 0.0, 0.0)] * 2
    _assert_well(state, records)
    assert health_line(health(records)) == "collapsed 100.00%"


@pytest.mark.parametrize(
    ("strategy", "sign"),
    [
        (Strategy("MR15_GA", 8, options={"std_init": 1e5, "std_max": 1e6}), "exploded"),
        (Strategy("SNES", 8, options={"std_init": 1e-9}), "vanished"),
        (Strategy("SNES", 8, options={"std_init": 1e38}), "exploded"),
    ],
)
def test_a_step_size_out_of_all_bounds_is_said_and_survived(strategy: Strategy, sign: str) -> None:
    search = _search(strategy)
    state, records = search.advance(search.start())
    other = {"exploded": "vanished", "vanished": "exploded"}[sign]
    assert records[0][sign] == 1.0
    assert all(r[other] == 0.0 for r in records)
    _assert_well(state, records)
    assert sign in health_line(health(records))


def test_a_strategy_that_steps_to_infinity_is_put_back() -> None:
    search = _search(Strategy("SNES", 8, options={"lr_std_init": 1e6}))
    start = search.start()
    before = _strategy(start)
    state, records = search.advance(start)
    assert [(r["undone"], r["flat"]) for r in records] == [(1.0, 0.0)] * 2
    assert records[0]["fitness_mean"] != records[1]["fitness_mean"], "it asks for other genomes of the same state"
    _assert_left_as_it_was(before, _strategy(state))
    _assert_well(state, records)
    assert health_line(health(records)) == "undone 2 of 2 generations"


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_is_ill_where_nothing_is_wrong(name: str) -> None:
    search = guess_search(Strategy(name, 8), generations=6, block=6)
    _, records = search.advance(search.start())
    found = health(records)
    assert not any(found[sign] for sign in SIGNS if sign != "vanished"), found


# the parts


@pytest.mark.parametrize(
    ("merit", "expected"),
    [
        ([[1.0], [1.0], [1.0]], True),
        ([[-100.0], [-100.0], [-99.999]], False),
        ([[0.7], [np.nextafter(np.float32(0.7), np.float32(1))], [0.7]], True),
        ([[0.0], [0.0], [0.0]], True),
        ([[0.0], [1e-12], [0.0]], False),
        ([[1.0, 2.0], [1.0, 2.5]], False),
        ([[1.0, 2.0], [1.0, 2.0]], True),
    ],
)
def test_fitness_is_flat_if_no_measure_tells_anyone_apart(merit: list[list[float]], expected: bool) -> None:
    assert bool(is_flat(jnp.asarray(merit, jnp.float32))) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1.0, 2.0], [3.0, 4.0], False),
        ([1.0, 2.0], [3.0, np.inf], True),
        ([1.0, 2.0], [np.nan, 4.0], True),
        ([np.inf, np.nan], [np.inf, np.nan], False),
        ([np.inf, np.nan], [1.0, np.inf], False),
        ([np.inf, 1.0], [np.nan, 1.0], True),
    ],
)
def test_what_was_not_known_before_is_not_lost(before: list[float], after: list[float], expected: bool) -> None:
    count = jnp.arange(2)
    assert bool(lost((jnp.array(before), count), (jnp.array(after), count))) == expected


def test_the_step_is_the_distance_from_the_mean_of_the_own_population() -> None:
    pair = jnp.array([[1.0, 5.0], [3.0, 5.0]])  # one and zero from the mean
    assert float(step_size(pair)) == pytest.approx(np.sqrt(0.5))
    assert float(step_size(jnp.stack([pair, pair + 100.0]))) == pytest.approx(np.sqrt(0.5))
    assert float(step_size(pair * 1e30)) == pytest.approx(np.sqrt(0.5) * 1e30, rel=1e-5)
    assert float(step_size(jnp.zeros((2, 2)))) == 0.0
    assert np.isfinite(step_size(jnp.array([[jnp.inf, 1.0], [jnp.nan, 1.0]])))


def test_a_healthy_search_says_so_and_records_without_signs_are_read() -> None:
    assert health_line(health([{"generation": 1, "fitness_mean": 0.0}])) == "good"
    assert health_line(health([])) == "good"
    old = [{"failed": 0.5}, {"failed": 0.0, "flat": 1.0}, {"failed": 0.1, "flat": 0.0}]
    assert health(old)["failed"] == pytest.approx(0.2)
    assert health_line(health(old)) == "failed 20.00%, flat 1 of 3 generations"
