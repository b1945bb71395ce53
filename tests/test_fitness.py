import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.fitness import Fitness, aulc, jumpstart, operations_to, retention, slope_aligned, steps_to
from evodev.lifetime import Energy, LifetimeLog, Phases

SCHEDULE = (0, 1, 2, 4, 8)
LOSS = jnp.array([9.0, 4.0, 3.0, 2.0, 1.0])
losses = st.lists(st.floats(0, 10, width=16), min_size=5, max_size=5).map(lambda values: np.array(values, np.float32))


def _log(loss: jnp.ndarray, *, failed: bool = False, operations: float = 0.0) -> LifetimeLog:
    return LifetimeLog(loss, -loss, jnp.asarray(operations), jnp.asarray(1.0), jnp.asarray(failed))


def test_aulc_is_the_trapezoid_after_birth_by_hand() -> None:
    # (3.5 * 1 + 2.5 * 2 + 1.5 * 4) / 7; the loss at birth does not count
    assert float(aulc(LOSS, SCHEDULE)) == pytest.approx(14.5 / 7)


def test_aulc_of_a_single_probe_is_the_loss_there() -> None:
    assert float(aulc(jnp.array([5.0, 2.0]), (0, 3))) == 2.0


@given(losses, st.floats(0, 3, width=16))
def test_aulc_of_a_constant_is_the_constant_and_shifts_add(loss: np.ndarray, shift: float) -> None:
    assert float(aulc(jnp.full(5, shift), SCHEDULE)) == pytest.approx(shift, abs=1e-5)
    assert float(aulc(jnp.asarray(loss + shift), SCHEDULE)) == pytest.approx(
        float(aulc(jnp.asarray(loss), SCHEDULE)) + shift, abs=1e-3
    )


def test_jumpstart_is_what_is_known_at_birth() -> None:
    assert float(jumpstart(LOSS, 10.0)) == 1.0


@given(losses, st.floats(-5, 5, width=16))
def test_slope_ignores_a_head_start(loss: np.ndarray, shift: float) -> None:
    own, shifted = (float(slope_aligned(jnp.asarray(x), SCHEDULE)) for x in (loss, loss + np.float32(shift)))
    assert own == pytest.approx(shifted, abs=1e-3)


def test_slope_is_the_fall_a_doubling_of_samples() -> None:
    assert float(slope_aligned(LOSS, SCHEDULE)) == pytest.approx(1.0)
    assert float(slope_aligned(2 * LOSS, SCHEDULE)) == pytest.approx(2.0)


def test_steps_to_a_score_and_censoring() -> None:
    score = jnp.array([[0.0, 0.5, 0.4, 0.9, 0.9], [0.9, 0.1, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4, 0.5]])
    steps, censored = steps_to(score, SCHEDULE, 0.5)
    np.testing.assert_array_equal(steps, [1, 0, 8])
    np.testing.assert_array_equal(censored, [False, False, False])
    steps, censored = steps_to(score, SCHEDULE, 0.6)
    np.testing.assert_array_equal(steps, [4, 0, 8])
    np.testing.assert_array_equal(censored, [False, False, True])


@pytest.mark.parametrize(("measure", "expected"), [("aulc", -14.5 / 7), ("final", -1.0), ("slope", 1.0)])
def test_fitness_is_higher_for_the_better_life(measure, expected: float) -> None:
    fitness = Fitness(measure)
    assert float(fitness(_log(LOSS), SCHEDULE)) == pytest.approx(expected)
    slower = jnp.array([9.0, 4.0, 3.9, 3.5, 3.0])
    assert float(fitness(_log(slower), SCHEDULE)) < expected


def test_operations_cost_by_the_thousand() -> None:
    assert float(Fitness("final", operations_cost=0.5)(_log(LOSS, operations=2000.0), SCHEDULE)) == pytest.approx(-2.0)


def test_operations_to_a_score_are_those_of_all_samples_till_then() -> None:
    score = jnp.array([[0.0, 0.5, 0.4, 0.9, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5]])
    log = LifetimeLog(score, score, jnp.array([100.0, 10.0]), jnp.ones(2), jnp.zeros(2, bool), batch=3)
    operations, censored = operations_to(log, SCHEDULE, 0.6)
    np.testing.assert_array_equal(operations, [4 * 3 * 100, 8 * 3 * 10])
    np.testing.assert_array_equal(censored, [False, True])
    np.testing.assert_allclose(Fitness("operations_to", threshold=0.6)(log, SCHEDULE), [-1.2, -0.24], rtol=1e-5)
    np.testing.assert_allclose(Fitness("steps_to", threshold=0.6)(log, SCHEDULE), [-4, -8])


def test_measures_add_up_with_their_weights() -> None:
    fitness = Fitness("final", also={"slope": 0.5, "jumpstart": 2.0})
    assert float(fitness(_log(LOSS), SCHEDULE)) == pytest.approx(-1.0 + 0.5 - 18.0)


def test_activity_and_traffic_cost_what_they_are_on_the_mean_of_the_probes() -> None:
    energy = Energy(jnp.array([0.2, 0.4]), jnp.array([1000.0, 3000.0]), jnp.asarray(0.0), jnp.asarray(0.0))
    fitness = Fitness("final", activity_cost=10.0, traffic_cost=0.5)
    assert fitness.needs_ledger
    assert not Fitness().needs_ledger
    assert float(fitness(_log(LOSS).replace(energy=energy), SCHEDULE)) == pytest.approx(-1.0 - 3.0 - 1.0)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="this learner does not tell its own; set both to 0"):
        fitness(_log(LOSS), SCHEDULE)


def test_retention_is_what_is_left_of_the_phases_that_ended_before_the_life() -> None:
    score = jnp.zeros((5, 3)).at[-1].set(jnp.array([0.5, 0.9, 0.8]))
    reached = jnp.array([0.75, 0.8, 0.7])
    # the phase that lasts to the end has nothing to lose yet: (-0.25 + 0.1) / 2
    log = _log(LOSS).replace(phases=Phases(score, score, reached, (3, 8, 5)))  # type: ignore[attr-defined]
    assert float(retention(log, SCHEDULE)) == pytest.approx((-0.25 + 0.1) / 2)
    assert float(Fitness("final", also={"retention": 2.0})(log, SCHEDULE)) == pytest.approx(-1.0 - 0.15)
    lives = jax.tree.map(lambda x: jnp.stack([x, x]), log)
    np.testing.assert_allclose(Fitness("retention")(lives, SCHEDULE), [-0.075, -0.075], rtol=1e-5)


@pytest.mark.parametrize("ends", [None, (8,)])
def test_a_life_of_one_piece_has_no_retention(ends: tuple[int, ...] | None) -> None:
    column = jnp.zeros((5, 1))
    log = _log(LOSS).replace(phases=ends and Phases(column, column, column[0], ends))  # type: ignore[attr-defined]
    assert Fitness("retention").needs_phases
    assert not Fitness().needs_phases
    with pytest.raises(ValueError, match="retention needs a task whose lives have phases"):
        Fitness("retention")(log, SCHEDULE)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize("failed", [True, False])
def test_a_diverged_life_is_finite_and_worst(value: float, failed: bool) -> None:
    diverged = _log(LOSS.at[3].set(value), failed=failed)
    assert float(Fitness(worst=-7.0)(diverged, SCHEDULE)) == -7.0


@given(losses, st.booleans())
def test_failing_is_never_the_better_choice(loss: np.ndarray, failed: bool) -> None:
    fitness = Fitness(worst=-3.0)
    assert (
        -3.0
        == float(fitness(_log(jnp.asarray(loss), failed=True), SCHEDULE))
        <= float(fitness(_log(jnp.asarray(loss)), SCHEDULE))
    )


def test_a_batch_of_lives_is_scored_life_by_life() -> None:
    log = LifetimeLog(jnp.stack([LOSS, 2 * LOSS]), jnp.zeros((2, 5)), jnp.zeros(2), jnp.ones(2), jnp.array([False, True]))
    np.testing.assert_allclose(Fitness()(log, SCHEDULE), [-14.5 / 7, -100.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"measure": "speed"}, "measure is 'speed'; one of aulc, final, slope"),
        ({"worst": -np.inf}, "worst must be finite"),
        ({"also": {"speed": 1.0}}, "also names 'speed'; one of aulc"),
    ],
)
def test_impossible_settings_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fitness(**fields)


def _population() -> LifetimeLog:
    """Three genomes with two lives each: (loss at the end, operations); the second life of the last genome failed."""
    final = jnp.array([[1.0, 3.0], [2.0, 4.0], [0.0, 0.0]])
    operations = jnp.array([[1000.0, 3000.0], [1000.0, 1000.0], [2000.0, 9000.0]])
    loss = jnp.broadcast_to(final[..., None], (3, 2, 5)).at[2, 1, 2].set(jnp.nan)
    failed = jnp.zeros((3, 2), bool).at[2, 1].set(True)
    return LifetimeLog(loss, -loss, operations, operations / 10, failed)


def test_objectives_are_means_over_lives_and_a_failed_life_is_worst_in_each() -> None:
    fitness = Fitness(worst=-7.0, objectives=("final", "operations", "synapses"))
    # the failed life: worst in the measure; in the costs the dearest life that did not fail
    expected = [[-2.0, -2.0, -0.2], [-3.0, -1.0, -0.1], [-3.5, -2.5, -0.25]]
    np.testing.assert_allclose(fitness.trade_off(_population(), SCHEDULE), expected, rtol=1e-6)
    # the first two are on the front, both its ends; both dominate the last
    np.testing.assert_allclose(jax.jit(lambda log: fitness.merit(log, SCHEDULE))(_population()), [0.5, 0.5, -1.0])


def test_without_objectives_a_genome_is_worth_its_mean_over_lives() -> None:
    fitness, log = Fitness("final", operations_cost=0.5), _population()
    np.testing.assert_array_equal(fitness.merit(log, SCHEDULE), fitness(log, SCHEDULE).mean(1))


def test_activity_and_traffic_as_objectives_are_read_off_the_ledger() -> None:
    fitness = Fitness(objectives=("activity", "traffic"))
    assert fitness.needs_ledger
    assert not Fitness(objectives=("aulc", "operations")).needs_ledger
    energy = Energy(jnp.array([[[0.2, 0.4]]]), jnp.array([[[1000.0, 3000.0]]]), jnp.zeros((1, 1)), jnp.zeros((1, 1)))
    log = jax.tree.map(lambda x: x[:1, :1], _population())
    np.testing.assert_allclose(fitness.trade_off(log.replace(energy=energy), SCHEDULE), [[-0.3, -2.0]], rtol=1e-6)
    with pytest.raises(ValueError, match="leave both out of objectives, or choose another learner"):
        fitness.merit(log, SCHEDULE)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (("aulc", "speed"), "objectives names 'speed'; out of aulc, .*traffic"),
        (("aulc",), "objectives must be at least two different ones, or none; given aulc"),
        (("aulc", "traffic", "aulc"), "at least two different ones, or none; given aulc, traffic, aulc"),
    ],
)
def test_impossible_objectives_are_refused(objectives: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fitness(objectives=objectives)
