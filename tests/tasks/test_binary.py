"""Parity of hidden bits, and goals on a retina."""

import jax
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, Goals, SparseParity
from evodev.tasks.goals import objects
from evodev.tasks.parity import subsets


def _found(life_inputs: np.ndarray, labels: np.ndarray, bits: int, hidden: int) -> dict[str, int]:
    """Subsets of each family that explain all labels."""
    odd = {split: (life_inputs[:, own] > 0).sum(-1) % 2 for split, own in subsets(bits, hidden).items()}
    return {split: int((answers == labels[:, None]).all(0).sum()) for split, answers in odd.items()}


def test_hidden_bits_are_of_the_own_family_and_redrawn() -> None:
    task = SparseParity(bits=8, hidden=3, updates=6, shots=10, probes=60)
    for split in SPLITS:
        lives = jax.device_get(sample_lives(task, split, 6, key=jax.random.key(0)))
        for inputs, targets, probes, answers in zip(
            *(getattr(lives, f) for f in ("inputs", "targets", "probe_inputs", "probe_targets")), strict=True
        ):
            found = _found(np.concatenate([inputs.reshape(-1, 8), probes]), np.concatenate([targets.ravel(), answers]), 8, 3)
            assert found == {name: int(name == split) for name in SPLITS}
        patterns = np.concatenate([lives.inputs.reshape(6, -1, 8), lives.probe_inputs], axis=1)
        assert all(len(np.unique(own, axis=0)) == 120 for own in patterns)


def test_families_of_hidden_bits_are_all_subsets_once() -> None:
    own = subsets(8, 3)
    every = {tuple(sorted(row)) for rows in own.values() for row in rows}
    assert len(every) == 56 == sum(map(len, own.values()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits": 17}, "bits must be at most 16, given 17"),
        ({"hidden": 13}, "fewer than 4 sets of 13 of 12 bits"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"bits": 8}, "updates . shots . probes must be at most 256, the different inputs of 8 bits; given 1200"),
    ],
)
def test_impossible_parities_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SparseParity(**fields)


def _retina(rows: tuple[str, str]) -> int:
    return sum(1 << i for i, pixel in enumerate("".join(rows)) if pixel == "#")


@pytest.mark.parametrize(
    ("rows", "left", "right"),
    [
        (("....", "...."), False, False),
        (("#...", "...."), True, False),
        (("#...", "#..."), True, False),
        ((".#..", "...."), False, False),
        (("##..", "...."), False, False),
        (("##..", "#..."), True, False),
        (("##..", "##.#"), True, True),
        (("...#", "...#"), False, True),
        (("..##", "..#."), False, True),
        (("..#.", "..#."), False, False),
    ],
)
def test_objects_on_the_retina(rows: tuple[str, str], left: bool, right: bool) -> None:
    assert objects()[_retina(rows)].tolist() == [left, right]


def test_half_of_all_patterns_have_an_object() -> None:
    assert objects().mean(0).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("goal", "rule"), [("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor)])
def test_a_goal_is_what_its_name_says(goal: str, rule: np.ufunc) -> None:
    rest = {"train": "nand", "validation": "nor", "test": "xnor"}
    task = Goals(**{name: (goal if name == "train" else other,) for name, other in rest.items()})  # type: ignore[arg-type]
    life = jax.device_get(task.sample("train", key=jax.random.key(0)))
    pixels = np.concatenate([life.inputs.reshape(-1, 8), life.probe_inputs.reshape(-1, 8)])
    there = objects()[((pixels > 0) << np.arange(8)).sum(1)]
    assert len(np.unique(pixels, axis=0)) == 256
    np.testing.assert_array_equal(rule(there[:, 0], there[:, 1]), np.concatenate([life.targets.ravel(), life.probe_targets]))


def test_goals_vary_between_lives_and_families() -> None:
    means = {}
    for split in SPLITS:
        lives = jax.device_get(sample_lives(Goals(), split, 40, key=jax.random.key(0)))
        labels = np.concatenate([lives.targets.reshape(40, -1), lives.probe_targets], axis=1)
        means[split] = set(labels.mean(1).tolist())
    # every pattern is in the life: and 1/4, or 3/4, their negations the other way round; of xor a half
    assert means == {"train": {0.25, 0.75}, "validation": {0.25, 0.75}, "test": {0.5}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"test": ("and",)}, "the goal 'and' is in two families"),
        ({"test": ()}, "test must be goals out of and, nand"),
        ({"test": ("maybe",)}, "test must be goals out of and, nand"),
        ({"probes": 200}, "must be at most 256, the patterns of eight pixels; given 328"),
    ],
)
def test_impossible_goals_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Goals(**fields)
