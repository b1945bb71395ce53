import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines.random_networks import RandomNetwork, rate_grid
from evodev.learners import ActorCritic, Gradient
from evodev.organism import Organism
from evodev.substrate import mlp

WIDE = mlp((200, 100, 3), blank_readout=True)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_weights_have_the_variance_of_he_for_the_synapses_that_exist(density: float) -> None:
    network = RandomNetwork(density).grow(jnp.zeros(2), WIDE, key=jax.random.key(0))
    mask, weights = (np.asarray(part["input->hidden1"]) for part in (network.masks, network.weights))
    assert mask.mean() == pytest.approx(density, abs=0.01)
    assert (weights[mask == 0] == 0).all()
    assert weights[mask == 1].mean() == pytest.approx(0, abs=0.01)
    assert weights[mask == 1].var() == pytest.approx(2 / (200 * density), rel=0.05)
    assert (np.asarray(network.masks["hidden1->output"]) == 1).all()
    assert np.asarray(network.weights["hidden1->output"]).std() > 0


def test_a_gene_scales_its_projection_and_every_key_draws_anew() -> None:
    grow = RandomNetwork().grow
    plain, scaled, other = (
        grow(jnp.asarray(genome), WIDE, key=jax.random.key(key)).weights["input->hidden1"]
        for genome, key in (([0.0, 0.0], 0), ([2.0, 0.0], 0), ([0.0, 0.0], 1))
    )
    np.testing.assert_allclose(scaled, np.e * plain, rtol=1e-5)  # two search units of 0.5
    assert not np.array_equal(plain, other)


def test_the_grid_has_every_rate_at_every_scale() -> None:
    organism = Organism(mlp((2, 2)), RandomNetwork(), Gradient())
    genomes, names = rate_grid(organism)
    assert genomes.shape == (30, organism.genome_spec.size)
    assert len(set(names)) == 30
    values = jax.vmap(organism.genome_spec.unpack)(genomes)
    rates, scales = (
        np.exp(values[f"{part}/input->output/{gene}"]) for part, gene in (("learner", "log_rate"), ("decoder", "log_scale"))
    )
    assert len({(round(float(r), 5), round(float(s), 5)) for r, s in zip(rates, scales, strict=True)}) == 30
    assert (rates.min(), rates.max()) == pytest.approx((0.003, 3.0), rel=1e-4)
    np.testing.assert_allclose(np.unique(scales.round(4)), [0.5, 1.0, 2.0])


def test_the_grid_leaves_alone_what_is_neither_rate_nor_scale() -> None:
    spec = Organism(mlp((2, 2)), RandomNetwork(), ActorCritic()).genome_spec
    values = jax.vmap(spec.unpack)(rate_grid(Organism(mlp((2, 2)), RandomNetwork(), ActorCritic()))[0])
    usual = spec.unpack(jnp.zeros(spec.size))
    for name, value in values.items():
        assert bool((value == usual[name]).all()) == name.endswith(("discount", "decay"))
