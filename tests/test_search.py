from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.fitness import Fitness
from evodev.search import Schedule, Search, SearchState
from evodev.strategies import STRATEGIES, Strategy
from tests.tiny import Line, digits_experiment, guess_search, guesser

REPRESENTATIVE = ("Open_ES", "SNES", "CMA_ES", "PGPE", "SV_Open_ES", "GuidedES", "SimpleGA", "DifferentialEvolution")
"""A family each; the others are run with ``-m slow``."""

Bits = dict[str, np.ndarray]


def _bits(state: SearchState) -> Bits:
    """Every number of a state; keys as their data."""
    paths = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(jax.device_get(leaf)) for path, leaf in paths}


def _assert_same(a: SearchState, b: SearchState) -> None:
    left, right = _bits(a), _bits(b)
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def _finished(search: Search, state: SearchState | None = None) -> tuple[SearchState, list[dict[str, float]]]:
    records = []
    state = search.start() if state is None else state
    for after, more in search.run(state):
        state = after
        records += more
    return state, records


@pytest.mark.parametrize("name", [n if n in REPRESENTATIVE else pytest.param(n, marks=pytest.mark.slow) for n in STRATEGIES])
def test_every_strategy_searches(name: str) -> None:
    search = guess_search(Strategy(name, 8))
    state, records = search.advance(search.start())
    assert [record["generation"] for record in records] == [1, 2]
    assert all(np.isfinite(list(record.values())).all() for record in records)
    assert all(r["fitness_min"] <= r["fitness_mean"] <= r["fitness_max"] for r in records)
    assert {"validation_centroid", "validation_best", "validation_champion"} <= records[-1].keys()
    assert int(state.generation) == 2
    for genome in (state.centroid, state.best, state.champion):
        assert genome.shape == (search.spec.size,)
        assert np.isfinite(genome).all()


@pytest.mark.parametrize("name", ["Open_ES", "SimpleGA"])
def test_a_search_finds_the_known_optimum(name: str) -> None:
    """The slope of the line is 1, so that the guess 1 has no loss; the genome of zeros guesses 0."""
    strategy = Strategy(name, 16, sigma=0.3, sigma_final=0.1, learning_rate=0.2, learning_rate_final=0.05)
    search = guess_search(strategy, generations=40, block=40)
    state, records = search.advance(search.start(jnp.zeros(search.spec.size)))
    assert records[-1]["fitness_mean"] > records[0]["fitness_mean"] + 0.2
    guess = search.organism.split(state.champion)[1]["guess"]
    assert float(guess) == pytest.approx(1.0, abs=0.15)
    assert records[-1]["validation_champion"] > -0.05


@pytest.mark.parametrize(
    ("asked", "told"), [("tensorfloat32", "Precision.HIGH,"), ("float32", "Precision.HIGHEST,"), ("default", "")]
)
def test_all_products_of_a_life_are_of_the_precision_asked_for(asked: Any, told: str) -> None:
    search = digits_experiment(schedule=Schedule(1, lives=2, precision=asked)).search(devices=1)
    genomes, key = jnp.zeros((2, search.spec.size)), jax.random.key(0)
    program = str(jax.make_jaxpr(lambda g: search.evaluate(g, "train", 2, key=key))(genomes))
    assert program.count("dot_general") > 5
    assert program.count("precision=") == program.count(f"precision=({told}") == (program.count("dot_general") if told else 0)


def test_the_block_size_does_not_change_the_search() -> None:
    (one, first), (three, second) = (_finished(guess_search(generations=4, block=block)) for block in (1, 3))
    np.testing.assert_allclose(one.centroid, three.centroid, rtol=1e-5, atol=1e-6)
    for a, b in zip(first, second, strict=True):
        assert a["fitness_mean"] == pytest.approx(b["fitness_mean"], rel=1e-5)


def test_one_program_serves_the_forecast_whole_blocks_and_what_is_left_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    search = guess_search(generations=5, block=3)
    traced: list[int] = []
    generation = search._generation
    monkeypatch.setattr(search, "_generation", lambda *given: (traced.append(1), generation(*given))[1])
    search.forecast()
    assert [record["generation"] for record in _finished(search)[1]] == [1, 2, 3, 4, 5]
    assert len(traced) == 1


@pytest.mark.parametrize("name", ["Open_ES", "SNES", "SimpleGA"])
def test_a_restored_state_goes_on_bit_for_bit(name: str) -> None:
    through = guess_search(Strategy(name, 8), generations=3, block=1)
    end, records = _finished(through)

    stopped = guess_search(Strategy(name, 8), generations=3, block=1)
    middle, first = stopped.advance(stopped.start())
    kept = jax.tree.map(np.asarray, jax.device_get(middle))
    again = guess_search(Strategy(name, 8), generations=3, block=1)
    restored, rest = _finished(again, jax.tree.map(jnp.asarray, kept))
    _assert_same(end, restored)
    assert records == first + rest


def test_the_seed_decides_the_search() -> None:
    states = [guess_search(seed=seed).start() for seed in (0, 0, 1)]
    _assert_same(states[0], states[1])
    assert not np.array_equal(states[0].initial, states[2].initial)


def test_lives_are_fresh_in_every_generation() -> None:
    # a genome that strategies cannot move: whatever changes from generation to generation is the lives
    search = guess_search(Strategy("Open_ES", 8, sigma=1e-9, sigma_final=1e-9, learning_rate=1e-9, learning_rate_final=1e-9))
    _, (first, second) = search.advance(search.start())
    assert first["fitness_mean"] != second["fitness_mean"]
    assert first["fitness_min"] == pytest.approx(first["fitness_max"], rel=1e-5)


@pytest.mark.parametrize("name", ["Open_ES", "SNES", "SimpleGA"])
def test_lives_that_fail_are_counted_and_never_reach_the_strategy_as_nan(name: str) -> None:
    search = guess_search(Strategy(name, 8, sigma=1.0), fused=True)
    state, records = search.advance(search.start(jnp.zeros(search.spec.size)))
    assert any(0 < record["failed"] < 1 for record in records)
    failing = [record for record in records if record["failed"]]
    assert all(record["fitness_min"] == search.fitness.worst for record in failing)
    assert all(np.isfinite(value).all() for path, value in _bits(state).items() if np.issubdtype(value.dtype, np.floating))
    assert float(search.organism.split(state.champion)[1]["fuse"]) <= 0


def test_the_champion_is_the_best_on_validation_so_far() -> None:
    search = guess_search(Strategy("Open_ES", 8, sigma=0.5, learning_rate=0.5), generations=6, block=1)
    best = -np.inf
    for state, records in search.run():
        last = records[-1]
        assert last["validation_champion"] == max(best, last["validation_centroid"], last["validation_best"])
        if last["validation_champion"] > best:
            champion = state.centroid if bool(state.champion_is_centroid) else state.best
            np.testing.assert_array_equal(state.champion, champion)
            assert int(state.champion_generation) == last["generation"]
        best = last["validation_champion"]


def test_the_last_block_is_what_is_left_and_then_it_is_over() -> None:
    search = guess_search(generations=3, block=2)
    state, records = _finished(search)
    assert [record["generation"] for record in records] == [1, 2, 3]
    with pytest.raises(ValueError, match="all 3 generations are done; ask for more generations"):
        search.advance(state)


@pytest.mark.parametrize(("name", "extra"), [("Open_ES", 0), ("SimpleGA", 8 * 2)])
def test_the_ledger_counts_training_and_validation_lives(name: str, extra: int) -> None:
    search = guess_search(Strategy(name, 8), generations=5, block=2)  # 2 lives a genome, 4 validation lives
    assert search.lives_at(5) == extra + 5 * 8 * 2 + 3 * 2 * 4


def test_a_search_starts_from_a_given_genome() -> None:
    search = guess_search()
    initial = jnp.arange(float(search.spec.size))
    state = search.start(initial)
    for genome in (state.initial, state.centroid, state.champion):
        np.testing.assert_array_equal(genome, initial)
    with pytest.raises(ValueError, match=rf"expected {search.spec.size} numbers to start from, given shape \(2,\)"):
        search.start(jnp.zeros(2))


def test_rates_decay_to_their_final_values() -> None:
    strategy = Strategy("Open_ES", 8, sigma=0.4, sigma_final=0.1)
    algorithm, _ = strategy.build(5, generations=10)
    assert [float(algorithm.std_schedule(g)) for g in (0, 5, 10, 20)] == pytest.approx([0.4, 0.2, 0.1, 0.1])


@pytest.mark.parametrize("spelling", ["Open_ES", "open-es", "OPENES", "open_es"])
def test_a_strategy_is_found_however_it_is_spelt(spelling: str) -> None:
    assert Strategy(spelling).algorithm == "Open_ES"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "OpenEES"}, "no strategy named 'OpenEES'; did you mean 'Open_ES'?"),
        ({"population": 7}, "population must be even and at least 4, given 7"),
        ({"population": 2}, "population must be even and at least 4"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"learning_rate_final": -1.0}, "learning_rate_final must be positive"),
    ],
)
def test_an_impossible_strategy_is_refused_by_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Strategy(**fields)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"SimpleGA has no option 'elite'; it has: .*crossover_rate"):
        Strategy("SimpleGA", 8, options={"elite": 0.5}).build(4, 10)
    _, params = Strategy("SimpleGA", 8, options={"crossover_rate": 0.25}).build(4, 10)
    assert float(params.crossover_rate) == 0.25


@pytest.mark.parametrize(
    ("field", "value"), [("generations", 0), ("lives", 0), ("validation_lives", 0), ("block", 0), ("probes", 0), ("chunk", -1)]
)
def test_an_impossible_schedule_is_refused_by_field(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"schedule: {field} must be"):
        replace(Schedule(), **{field: value})


def test_a_population_is_divided_among_two_devices() -> None:
    schedule = Schedule(2, lives=2, validation_lives=4, block=2)
    records = []
    for devices in (1, 2):
        search = Search(guesser(), Line(), Strategy("Open_ES", 8), schedule, devices=devices)
        records.append(search.advance(search.start())[1])
    for one, two in zip(*records, strict=True):
        assert one == pytest.approx(two, rel=1e-5)


def test_several_objectives_are_searched_by_rank_and_leave_their_front() -> None:
    fitness = Fitness(objectives=("final", "jumpstart"))
    schedule = Schedule(2, lives=2, validation_lives=4, block=2)
    search = Search(guesser(fused=True), Line(), Strategy("SNES", 8, sigma=1.0), schedule, fitness=fitness, devices=1)
    state, (first, last) = search.advance(search.start(jnp.zeros(search.spec.size)))
    assert "front" not in first
    assert last["front"]
    for point in last["front"]:
        assert point.keys() == {"final", "jumpstart"}
        assert not any(all(other[k] > point[k] for k in point) for other in last["front"])
    # the best is of the front: a guess that learns nothing is as good at birth as at the end, and none has a higher scalar
    assert np.isfinite(state.best).all()
    assert last["fitness_max"] == pytest.approx(max(point["final"] for point in last["front"]), rel=1e-5)


def test_the_order_among_genomes_is_all_that_a_strategy_sees_of_one_measure_twice() -> None:
    """Final loss and the loss at birth are the same of who learns nothing: fronts in the order of the scalar."""
    schedule = Schedule(3, lives=2, validation_lives=4, block=3)
    ends = [
        Search(guesser(), Line(), Strategy("SNES", 8, sigma=0.3), schedule, fitness=fitness, devices=1)
        for fitness in (Fitness("final"), Fitness("final", objectives=("final", "jumpstart")))
    ]
    one, two = (search.advance(search.start())[0] for search in ends)
    np.testing.assert_allclose(one.centroid, two.centroid, rtol=1e-5)
    np.testing.assert_allclose(one.best, two.best, rtol=1e-5)
