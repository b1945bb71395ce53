import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import DECODERS
from evodev.genome import Gene, spec_of
from evodev.learners import Episodic, Gradient
from evodev.network import matrix
from evodev.organism import Organism, shuffle_genes
from evodev.substrate import mlp
from tests.tiny import CHAIN, DIRECT, GRID


def test_a_genome_is_the_decoders_genes_then_the_learners() -> None:
    organism = Organism(CHAIN, DIRECT, Gradient())
    decoder, learner = DIRECT.genome_spec(CHAIN), Gradient().genome_spec(CHAIN)
    assert organism.genome_spec.size == decoder.size + learner.size
    assert list(organism.genome_spec.slices) == [
        *(f"decoder/{n}" for n in decoder.slices),
        *(f"learner/{n}" for n in learner.slices),
    ]
    genome = jnp.arange(float(organism.genome_spec.size))
    own, genes = organism.split(genome)
    np.testing.assert_array_equal(own, genome[: decoder.size])
    expected = learner.unpack(genome[decoder.size :])
    assert {name: float(value) for name, value in genes.items()} == {name: float(value) for name, value in expected.items()}


@pytest.mark.parametrize("learner", [Gradient(), Episodic()], ids=lambda learner: type(learner).__name__)
def test_hatching_is_developing_in_the_form_the_learner_lives_fastest_with(learner) -> None:
    organism = Organism(GRID, DECODERS["retinotopic"], learner)
    genome = organism.genome_spec.init(key=jax.random.key(0))
    developed, hatched = (jax.jit(grow)(genome, key=jax.random.key(1))[0] for grow in (organism.develop, organism.hatch))
    for name, weights in developed.weights.items():
        np.testing.assert_allclose(matrix(hatched.weights[name]), weights, rtol=1e-5, atol=1e-6)
    if not learner.frozen:
        assert jax.tree.structure(developed) == jax.tree.structure(hatched)


def test_a_learner_that_cannot_serve_the_substrate_is_refused() -> None:
    with pytest.raises(ValueError, match="needs every projection into the outputs to be blank"):
        Organism(mlp((2, 2)), DIRECT, Episodic()).genome_spec  # noqa: B018


def test_shuffling_permutes_the_numbers_of_each_gene_among_themselves() -> None:
    spec = spec_of([Gene("a", (4, 5)), Gene("b", ()), Gene("c", (6,))])
    genome = jnp.arange(27.0)
    shuffled = shuffle_genes(spec, genome, key=jax.random.key(0))
    for where in spec.slices.values():
        np.testing.assert_array_equal(jnp.sort(shuffled[where]), genome[where])
    assert not np.array_equal(shuffled[spec.slices["a"]], genome[spec.slices["a"]])
