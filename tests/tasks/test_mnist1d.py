from typing import Any

import jax
import numpy as np
import pytest

import evodev.tasks.base
from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, Mnist1D
from evodev.tasks.mnist1d import published, shuffle, signals

SMALL: dict[str, Any] = {"ways": 3, "shots": 4, "probes": 2}


def test_signals_are_drawn_once_without_disturbing_other_draws() -> None:
    signals.cache_clear()
    published.cache_clear()
    np.random.seed(5)
    expected = np.random.default_rng(0).permutation(40)
    before = np.random.get_state(legacy=False)
    own = signals()
    after = np.random.get_state(legacy=False)
    jax.tree.map(np.testing.assert_array_equal, after, before)
    assert own.shape == (10, 500, 40)
    assert abs(own.mean()) < 0.01
    assert own.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(shuffle(), expected)


def test_the_published_division_is_kept() -> None:
    train, test = published()
    assert train.inputs.shape == (4000, 40)
    assert test.inputs.shape == (1000, 40)
    # shuffled before it was divided, so that the share of a class is near a tenth and never just that in all classes
    counts = np.bincount(test.labels, minlength=10)
    assert counts.sum() == 1000
    assert 1 < np.ptp(counts) < 80
    np.testing.assert_array_equal(signals()[3], np.concatenate([part.inputs[part.labels == 3] for part in (train, test)]))


def test_families_share_no_signal_and_a_label_is_redrawn() -> None:
    where = {x.tobytes(): (label, i) for label, own in enumerate(signals()) for i, x in enumerate(own)}
    bounds = {"train": (0, 300), "validation": (300, 400), "test": (400, 500)}
    for split in SPLITS:
        lives = jax.device_get(sample_lives(Mnist1D(**SMALL), split, 20, key=jax.random.key(0)))
        x = np.concatenate([lives.inputs.reshape(20, -1, 40), lives.probe_inputs], axis=1)
        labels = np.concatenate([lives.targets.reshape(20, -1), lives.probe_targets], axis=1)
        meanings = []
        for signals_of_life, own in zip(x, labels, strict=True):
            known = [where[s.tobytes()] for s in signals_of_life]
            assert len(set(known)) == 18
            assert all(bounds[split][0] <= i < bounds[split][1] for _, i in known)
            meaning = {(label, digit) for label, (digit, _) in zip(own.tolist(), known, strict=True)}
            assert len(meaning) == 3
            meanings.append(tuple(sorted(meaning)))
        assert len(set(meanings)) > 15


def test_the_twin_differs_only_in_the_order_of_positions() -> None:
    plain, twin = (Mnist1D(shuffled=s, **SMALL).sample("test", key=jax.random.key(1)) for s in (False, True))
    np.testing.assert_array_equal(np.asarray(plain.inputs)[..., shuffle()], twin.inputs)
    np.testing.assert_array_equal(np.asarray(plain.probe_inputs)[..., shuffle()], twin.probe_inputs)
    np.testing.assert_array_equal(plain.targets, twin.targets)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evodev.tasks.base, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"the package mnist1d is not installed; pip install 'evodev-jax\[data\]'"):
        Mnist1D()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ways": 11}, "ways must be from 2 to 10, the classes of MNIST-1D; given 11"),
        ({"shots": 95}, r"shots \+ probes must be at most 100, the signals of a class to test with; given 95 \+ 10"),
        ({"shots": 0}, "shots must be at least 1"),
    ],
)
def test_impossible_settings_are_refused_by_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mnist1D(**fields)
