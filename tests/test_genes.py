"""Genes taken out, exchanged and doubled, where it is known what they do."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.analysis.genes import duplicated, gene_map, knocked_out, swapped, weight_changes
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.relative import RelativePosition
from evodev.genome import Gene, spec_of
from evodev.learners import Gradient
from evodev.network import activities
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate, recurrent
from evodev.types import Array
from tests.tiny import DIRECT, WHOLE, Blobs

KEY = jax.random.key(0)
SPEC = spec_of([Gene("a", (2,)), Gene("b", ())])
TYPED = Substrate(
    (
        Population("input", (4,), activation="linear"),
        Population("hidden", (2,), 3),
        Population("output", (2,), activation="linear"),
    ),
    (Projection("input", "hidden"), Projection("hidden", "output")),
)


def test_one_gene_at_a_time_is_exchanged_or_taken_out() -> None:
    own, donor = jnp.array([1.0, 2.0, 3.0]), jnp.array([4.0, 5.0, 6.0])
    assert swapped(SPEC, own, donor).tolist() == [[4.0, 5.0, 3.0], [1.0, 2.0, 6.0]]
    assert knocked_out(SPEC, own).tolist() == [[0.0, 0.0, 3.0], [1.0, 2.0, 0.0]]


def test_a_map_shows_which_gene_moves_which_projection_and_whether_it_matters() -> None:
    organism = Organism(WHOLE, DIRECT, Gradient())
    spec = organism.genome_spec
    # prejudiced towards one of two classes
    genome = spec.init(key=KEY).at[spec.slices["decoder/wiring/output/bias"]].set(jnp.array([-4.0, 4.0]))
    found = gene_map(organism, genome, {"points": Blobs(shots=2)}, lives=8, key=KEY)
    assert found.genes == tuple(spec.slices)
    assert found.projections == ("input->hidden1", "hidden1->output")
    table = dict(zip(found.genes, found.synapses.round(5).tolist(), strict=True))
    # a gene a weight: taken out, all of its own projection is gone and nothing of the other
    assert table["decoder/wiring/input->hidden1/weight"] == [1.0, 0.0]
    assert table["decoder/wiring/hidden1->output/weight"] == [0.0, 1.0]
    assert table["decoder/wiring/output/bias"] == [0.0, 0.0]
    losses = dict(zip(found.genes, found.losses[:, 0].tolist(), strict=True))
    assert losses["decoder/wiring/output/bias"] < -0.1, "a prejudice is well lost"
    same = gene_map(organism, genome, {"points": Blobs(shots=2)}, donor=genome, lives=8, key=KEY)
    assert np.abs(same.synapses).max() == 0
    np.testing.assert_allclose(same.losses, 0, atol=1e-6)
    failing = gene_map(organism, jnp.full_like(genome, 1e30), {"points": Blobs(shots=2)}, donor=genome, lives=8, key=KEY)
    assert np.isfinite(failing.losses).all()


def test_half_a_gene_moves_half_of_its_projection() -> None:
    organism = Organism(WHOLE, DIRECT, Gradient())
    genome, where = jnp.ones(organism.genome_spec.size), organism.genome_spec.slices["decoder/wiring/input->hidden1/weight"]
    edited = genome.at[where].set(0.5)[None]
    np.testing.assert_allclose(weight_changes(organism, genome, edited, key=KEY), [[0.5, 0.0]], rtol=1e-6)


@partial(jax.jit, static_argnums=0)
def _answers(organism: Organism, genome: Array, inputs: Array) -> Array:
    return activities(organism.substrate, organism.develop(genome, key=KEY)[0], inputs)["output"]


@pytest.mark.parametrize(
    ("substrate", "decoder", "population", "index", "share"),
    [
        (recurrent(3, 4, 2, ticks=3), DIRECT, "hidden", 0, 0.2),
        (TYPED, DIRECT, "hidden", 1, 0.5),
        (TYPED, Decoder(CellTypes(), RelativePosition(radius=(2.0,)), AllSynapses()), "hidden", 2, 1.0),
    ],
    ids=["recurrent", "direct types", "kernels"],
)
def test_duplication_leaves_the_function_as_it_was(
    substrate: Substrate, decoder: Decoder, population: str, index: int, share: float
) -> None:
    organism = Organism(substrate, decoder, Gradient())
    genome = organism.genome_spec.init(key=KEY)
    larger, longer = duplicated(organism, genome, population, index, share=share, key=KEY)
    assert longer.size == larger.genome_spec.size > genome.size
    inputs = jax.random.normal(jax.random.key(1), (5, substrate.input.size))
    before, after = (_answers(o, g, inputs) for o, g in ((organism, genome), (larger, longer)))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    assert np.abs(before).max() > 0.1
    assert larger.substrate.population(population).size > substrate.population(population).size


def test_what_cannot_be_doubled_is_refused() -> None:
    # a mean over types depends on how many there are
    middle = replace(TYPED.populations[1], normalisation="types")
    normalised = replace(TYPED, populations=(TYPED.populations[0], middle, TYPED.populations[2]))
    organism = Organism(normalised, DIRECT, Gradient())
    genome = organism.genome_spec.init(key=KEY)
    with pytest.raises(ValueError, match="keep its function"):
        duplicated(organism, genome, "hidden", 0, key=KEY)
    with pytest.raises(ValueError, match="between inputs and outputs"):
        duplicated(organism, genome, "output", 0, key=KEY)
    with pytest.raises(ValueError, match="index must be from 0 to 2"):
        duplicated(organism, genome, "hidden", 3, key=KEY)
