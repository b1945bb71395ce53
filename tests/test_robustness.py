"""Damage to genomes and networks: its size is known, and it costs what it must."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.analysis.robustness import Change, Damage, Damaged, damaged, damaged_network, robustness, tolerated
from evodev.evaluation import sample_lives
from evodev.fitness import aulc
from evodev.learners import Gradient
from evodev.lifetime import probe_steps
from evodev.organism import Organism
from tests.tiny import CHAIN, DIRECT, Blobs, random_network

KEY = jax.random.key(0)
VALUES = jax.random.normal(jax.random.key(1), (40, 30))


def test_noise_is_relative_and_rounding_and_flips_are_of_the_range() -> None:
    noisy = damaged(10 * VALUES, "noise", jnp.asarray(0.5), key=KEY) - 10 * VALUES
    assert float(noisy.std()) == pytest.approx(5.0, rel=0.1)
    assert (damaged(VALUES, "noise", jnp.asarray(0.0), key=KEY) == VALUES).all()
    coarse = damaged(VALUES, "rounding", jnp.asarray(2.0), key=KEY)
    assert len(np.unique(np.asarray(coarse).round(4))) == 4
    assert (damaged(VALUES, "flips", jnp.asarray(0.0), key=KEY) == VALUES).all()
    # an eighth of the bits of a number flip: all eight are spared in (7/8)^8 of the numbers
    turned = damaged(VALUES, "flips", jnp.asarray(0.125), key=KEY) != VALUES
    assert float(turned.mean()) == pytest.approx(1 - 0.875**8, abs=0.05)
    all_over = damaged(VALUES, "flips", jnp.asarray(1.0), key=KEY)
    # every bit turned over: what was least is largest
    np.testing.assert_allclose(all_over, VALUES.max() + VALUES.min() - VALUES, atol=0.05)


@pytest.mark.parametrize("change", ["noise", "rounding", "flips"])
def test_synapses_that_do_not_exist_stay_away_and_count_for_nothing(change: Change) -> None:
    network = random_network(CHAIN, density=0.5)
    hurt = damaged_network(network, ["input->hidden1"], change, jnp.asarray(1.0), key=KEY)
    mask, own, new = (np.asarray(x) for x in (network.masks["input->hidden1"], network.weights["input->hidden1"],
                                              hurt.weights["input->hidden1"]))  # fmt: skip
    assert (new[mask == 0] == 0).all()
    assert (new[mask > 0] != own[mask > 0]).any()
    assert (hurt.weights["hidden1->output"] == network.weights["hidden1->output"]).all(), "the blank slate"
    assert (hurt.biases["hidden1"] != network.biases["hidden1"]).any()
    # weights that all exist, laid out with or without holes, are damaged alike
    far = jnp.array([[5.0, 6.0, 100.0]])
    where = jnp.array([[True, True, False]])
    if change != "noise":
        whole = damaged(far[:, :2], change, jnp.asarray(1.0), key=KEY)
        assert set(np.asarray(whole).ravel().tolist()) <= {5.0, 6.0}
        assert set(np.asarray(damaged(far, change, jnp.asarray(1.0), key=KEY, where=where)).ravel().tolist()) <= {5.0, 6.0, 100.0}


def test_of_a_gene_a_weight_genome_and_phenotype_are_equally_robust_and_harm_grows() -> None:
    organism, task = Organism(CHAIN, DIRECT, Gradient()), Blobs()
    genome, schedule = organism.genome_spec.init(key=KEY), probe_steps(task.steps, 2)
    lives = sample_lives(task, "test", 4, key=KEY)
    losses = {}
    for place in ("genome", "phenotype"):
        log = robustness(
            organism, genome, task, lives, schedule, place=place, change="noise", strengths=(0.0, 0.01, 30.0), draws=3, key=KEY
        )
        losses[place] = np.asarray(aulc(log.loss, schedule)).mean((1, 2))
        assert log.loss.shape[:3] == (3, 3, 4)
    intact = losses["genome"][0]
    assert losses["phenotype"][0] == pytest.approx(intact, rel=1e-5)
    for own in losses.values():
        assert own[1] == pytest.approx(intact, rel=0.1)
        assert own[2] > own[1] + 0.2
    # what the learner reads is left alone
    hurt, genes = Damaged(organism, "genome", "noise")(Damage(genome, jnp.asarray(1.0), KEY), key=KEY)
    network, own_genes = organism.develop(genome, key=KEY)
    assert all((genes[name] == own_genes[name]).all() for name in own_genes)
    assert (hurt.weights["input->hidden1"] != network.weights["input->hidden1"]).all()


def test_what_is_tolerated_lies_between_strengths_or_is_censored() -> None:
    # half of the way from 1 to 3 is 2: reached half way between 0.1 and 0.4 by their logarithm
    assert tolerated((0.1, 0.4), (1.5, 2.5), 1.0, 3.0) == pytest.approx(0.2)
    assert tolerated((0.1, 0.4), (2.5, 3.0), 1.0, 3.0) == pytest.approx(0.1)
    assert tolerated((0.1, 0.4), (1.0, 1.1), 1.0, 3.0) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="ascend"):
        tolerated((0.0, 0.4), (1.0, 1.1), 1.0, 3.0)
    # who fails knows nothing any more
    assert tolerated((0.1, 0.4), (np.nan, np.nan), 1.0, 3.0) == pytest.approx(0.1)
    for failed in (np.nan, np.inf):
        assert tolerated((0.1, 0.4, 0.8), (1.5, failed, 1.0), 1.0, 3.0) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="intact and ignorant must be finite"):
        tolerated((0.1, 0.4), (1.0, 1.1), np.nan, 3.0)
