"""Known answers for what the claims sample_efficiency, neurons, genome_size and bottleneck add of their own."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hypotheses import bottleneck, genome_size, neurons, sample_efficiency
from benchmarks.hypotheses.frame import Measures
from evodev.genome import branch


def test_a_life_knows_as_many_points_as_it_is_told_whatever_its_batches_hold() -> None:
    task = neurons.Few(32, 3, known=(4,))
    life = task.sample("test", key=jax.random.key(0))
    assert life.inputs.shape == (3, 32, 1)
    assert len(np.unique(life.inputs)) == 4
    # each as often, so that a mean over the batch is the mean over what is known
    assert np.unique(life.inputs[0], return_counts=True)[1].tolist() == [8] * 4


@pytest.mark.parametrize("arm", [neurons.GENOME, neurons.RANDOM])
def test_the_grid_moves_rates_and_scales_by_its_factors_and_nothing_else(arm: str) -> None:
    own = neurons.organism(arm, 8, 1)
    genome = own.genome_spec.init(key=jax.random.key(0))
    before, first = (own.genome_spec.unpack(g) for g in (genome, neurons.grid(own, genome)[0]))
    factors = {"log_rate": neurons.RATES[0], "log_scale": neurons.SCALES[0]}
    for name in before:
        moved = math.log(factors.get(name.rpartition("/")[2], 1.0))
        np.testing.assert_allclose(first[name], before[name] + moved, atol=1e-5)


def test_a_genome_grows_at_any_width() -> None:
    sizes = {neurons.organism(neurons.GENOME, width, 2).genome_spec.size for width in (8, 16, 32)}
    assert len(sizes) == 1


def test_a_planted_power_law_is_read_off() -> None:
    octaves = [3.0 - 0.7 * math.log2(n) for n in neurons.SAMPLES]
    m = {neurons.GENOME: [[octaves]], neurons.RANDOM: [[[o + 1 for o in octaves]]]}
    assert neurons.law(neurons.of_samples(m, neurons.GENOME)) == pytest.approx(-0.7)
    assert neurons.saved(m, 0) == pytest.approx(-1.0)


def named(classes: tuple[int, ...]) -> np.ndarray:
    """Which digit each label stands for in each of 4 lives, told by their pictures (lives, labels)."""
    lives = genome_size.lives(classes, 1, 4, key=jax.random.key(0))
    pixels, rows = genome_size.images(classes, 1)
    digit = {pixels[i].tobytes(): c for c, own in zip(classes, rows, strict=True) for i in own}
    first = np.asarray(lives.inputs[:, 0])
    assert (np.asarray(lives.targets[:, 0]) == np.arange(genome_size.WAYS)).all()
    learned = {picture.tobytes() for picture in np.asarray(lives.inputs[0]).reshape(-1, 64)}
    assert learned.isdisjoint(picture.tobytes() for picture in np.asarray(lives.probe_inputs[0]))
    return np.array([[digit[picture.tobytes()] for picture in life] for life in first])


def test_labels_are_fixed_at_home_and_drawn_anew_abroad() -> None:
    assert (named(genome_size.HOME) == np.array(genome_size.HOME)).all()
    abroad = named(genome_size.ABROAD)
    assert len({tuple(life) for life in abroad}) > 1
    assert all(sorted(life) == list(genome_size.ABROAD) for life in abroad)


def test_a_peak_is_above_both_ends() -> None:
    m: Measures = {"genes": [10, 219, 4281], "transfer": [0.3, 0.6, 0.5]}
    assert genome_size.peak(m) == pytest.approx(0.1)
    assert genome_size.at(m, "transfer", 4000) == 0.5


def test_a_gap_that_rises_with_every_doubling_has_that_slope() -> None:
    m = {"classes": [4, 16], f"gradient: {bottleneck.COMPACT}": [1.0, 1.2], f"gradient: {bottleneck.DIRECT}": [1.1, 0.9]}
    assert bottleneck.gaps(m) == pytest.approx([-0.1, 0.3])
    assert bottleneck.slope(m) == pytest.approx(0.2)


def test_controls_keep_the_champions_learner() -> None:
    own = neurons.organism(neurons.GENOME, 8, 1)
    champion = own.genome_spec.init(key=jax.random.key(1))
    kept = branch(own.genome_spec.unpack(champion), "learner")
    redrawn, shuffled = sample_efficiency.controls(own, champion, key=jax.random.key(2))
    for genome in (redrawn, shuffled):
        assert not jnp.allclose(genome, champion)
        assert jax.tree.all(jax.tree.map(jnp.array_equal, branch(own.genome_spec.unpack(genome), "learner"), kept))
    np.testing.assert_allclose(np.sort(shuffled), np.sort(champion))
