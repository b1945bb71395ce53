"""The claims on wiring: what their controls keep, and what their measures say of cases known by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.comparison.mnist1d_arms import born, mlp
from benchmarks.hypotheses import reachability, regularity, topology
from evodev.baselines.masks import Masks


def test_masks_keep_the_inputs_that_the_density_allows() -> None:
    genome = topology.DECODER.genome_spec(topology.substrate()).init(key=jax.random.key(0))
    for fan_ins in topology.FAN_INS.values():
        masks = topology.masks_at(genome, fan_ins)
        assert [set(mask.sum(0)) for mask in masks.values()] == [{fan_ins[0]}, {fan_ins[1]}]


def test_a_relabelled_network_answers_the_same() -> None:
    params, rng = born(topology.SHAPES, key=jax.random.key(1)), np.random.default_rng(0)
    masks = {n: (rng.random(params[n]["kernel"].shape) < 0.5).astype(np.float32) for n in topology.LAYERS}
    other, moved = topology.relabelled(params, masks, rng)
    x = jnp.asarray(rng.normal(size=(5, 40)), jnp.float32)

    def masked(own: dict, by: Masks) -> dict:
        return {n: {**of, "kernel": of["kernel"] * by.get(n, 1.0)} for n, of in own.items()}

    assert (moved["hidden2"] != masks["hidden2"]).any()
    assert mlp(masked(other, moved), x) == pytest.approx(np.asarray(mlp(masked(params, masks), x)), abs=1e-5)


def test_reached_is_the_test_accuracy_where_validation_was_best_so_far() -> None:
    validation = np.array([[0.1, 0.5, 0.4], [0.2, 0.3, 0.6]])
    told = np.stack([validation, validation + 10], axis=-1)
    assert reachability.reached(told)[:, 1] == pytest.approx([10.2, 10.5, 10.6])


def test_a_gap_that_stays_and_one_that_closes() -> None:
    def measures(gaps: np.ndarray) -> dict:
        own = {"evolved": (0.5 + gaps).tolist(), "equal degrees": [0.5] * len(gaps)}
        return {"test": dict.fromkeys(reachability.FAN_INS, own)}

    stays, closes = (measures(of) for of in (np.full(7, 0.04), 0.04 / np.array(reachability.TIMES)))
    left = next(c.effect for c in reachability.CLAIM.contrasts if "half" in c.label)
    assert left(stays) == pytest.approx(2)
    assert left(closes) == pytest.approx(-1.96)
    assert reachability.slope(stays) == pytest.approx(0, abs=1e-9)


def test_targets_are_as_regular_as_they_say() -> None:
    made = regularity.targets(3)
    assert (made**2).mean((1, 2)) == pytest.approx(np.ones(len(made)))

    def same_along_diagonals(target: np.ndarray) -> bool:
        return all(np.ptp(np.diagonal(target, k)) < 1e-9 for k in range(-11, 12))

    assert same_along_diagonals(made[regularity.REGULAREST])
    assert not same_along_diagonals(made[regularity.SCRAMBLED])
    assert sorted(made[regularity.SCRAMBLED].ravel()) == pytest.approx(sorted(made[regularity.REGULAREST].ravel()))
    followed = [np.isclose(target, made[regularity.REGULAREST] * ratio).mean() for target, ratio in _scales(made)]
    assert followed == pytest.approx(regularity.REGULAR, abs=0.12)


def _scales(made: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Every target with the commonest ratio to the regular one, as all were brought to one size."""
    out = []
    for target in made[: len(regularity.REGULAR)]:
        ratios, counts = np.unique(np.round(target / made[regularity.REGULAREST], 6), return_counts=True)
        out.append((target, float(ratios[counts.argmax()])))
    return out


def test_advantage_is_of_the_mean_over_encodings() -> None:
    own = {"error": {"direct": [0.4] * 7, "CPPN": [0.1] * 7, "cosines": [0.2] * 7, "relative position": [0.3] * 7}}
    assert regularity.advantage(own, 0) == pytest.approx(0.2)
    assert regularity.advantage(own, 0, ("CPPN",)) == pytest.approx(0.3)
