import jax
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import Sine


def test_targets_are_a_sine_of_a_published_amplitude_and_phase() -> None:
    lives = jax.device_get(sample_lives(Sine(shots=10, updates=2), "test", 300, key=jax.random.key(0)))
    amplitudes, phases = [], []
    for x, y, px, py in zip(lives.inputs, lives.targets, lives.probe_inputs, lives.probe_targets, strict=True):
        # a sin(x - p) = (a cos p) sin x - (a sin p) cos x
        (along, across), *_ = np.linalg.lstsq(np.concatenate([np.sin(x[0]), -np.cos(x[0])], axis=1), y[0][:, 0], rcond=None)
        np.testing.assert_allclose(along * np.sin(px) - across * np.cos(px), py, atol=2e-3)
        amplitudes.append(np.hypot(along, across))
        phases.append(np.arctan2(across, along))
    assert 0.1 - 1e-3 < min(amplitudes) < 0.3 < 4.7 < max(amplitudes) < 5 + 1e-3
    assert -1e-2 < min(phases) < 0.1 < 3.0 < max(phases) < np.pi + 1e-2
    assert -5 <= lives.inputs.min() < -4.9
    assert 4.9 < lives.inputs.max() <= 5


def test_a_life_sees_the_same_points_at_every_step() -> None:
    task = Sine(shots=5, updates=4)
    life = task.sample("train", key=jax.random.key(3))
    assert (np.asarray(life.inputs) == np.asarray(life.inputs[0])).all()
    assert (np.asarray(life.targets) == np.asarray(life.targets[0])).all()
    assert (task.steps, task.batch, task.labels) == (4, 5, 5)


@pytest.mark.parametrize("field", ["shots", "updates", "probes"])
def test_impossible_settings_are_refused_by_field(field: str) -> None:
    with pytest.raises(ValueError, match=f"task: {field} must be at least 1, given 0"):
        Sine(**{field: 0})  # pyright: ignore[reportArgumentType]
