"""Claims about genomes: what their measures say of numbers made up beforehand, and what their arms begin as."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hypotheses import duplication, editing, information, robustness
from evodev.network import matrix


def test_bits_predict_skill_where_heritabilities_rank_alike() -> None:
    bits = np.outer([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 4.0, 5.0])
    marks = [0, 10, 20, 30]
    alike = {"bits": bits, "skill": np.sqrt(bits), "marks": marks}
    assert information.predicted(alike) == pytest.approx(1)
    assert information.predicted(alike | {"skill": -bits}) == pytest.approx(-1)
    # 4 bits in the first ten generations, 4 in the last ten, 12 between
    assert information.slowing(alike) == pytest.approx(0)
    assert information.slowing(alike | {"bits": bits[:, ::-1]}) == pytest.approx(0)
    assert information.slowing(alike | {"bits": np.outer(np.ones(5), [0.0, 6.0, 8.0, 9.0])}) == pytest.approx(-0.5)


def test_octaves_are_doublings() -> None:
    measures = {"genome": {"tolerated": 0.1}, "phenotype": {"tolerated": 0.8}}
    assert robustness.octaves("tolerated", "phenotype", "genome")(measures) == pytest.approx(3)


def test_new_neurons_change_nothing_at_first_whether_doubled_or_random() -> None:
    small = duplication.organism(duplication.SMALL)
    genome, key = small.genome_spec.init(key=jax.random.key(0)), jax.random.key(1)
    taught = duplication.teachers(0.9, key=key)
    before = duplication.errors(duplication.SMALL, genome[None], taught, key=key)
    after = [
        duplication.errors(2 * duplication.SMALL, grow(genome, key=key)[None], taught, key=key)
        for grow in (duplication.grown, duplication.enlarged)
    ]
    for own in after:
        np.testing.assert_allclose(own, before, rtol=1e-4)
    # a teacher's variation resembles it
    first, second = (np.asarray(taught[0][i]).ravel() for i in (0, 1))
    assert 0.7 < np.corrcoef(first, second)[0, 1] < 1


def test_weights_are_edited_as_far_as_the_gene_moves_them_and_towards_the_donor() -> None:
    spec, key = editing.SPEC, jax.random.key(0)
    own, donor = (spec.init(key=jax.random.key(i)) for i in (1, 2))
    index = editing.GENES["wiring/input->edges/rules"]
    where = list(spec.slices.values())[index]
    swapped = own.at[where].set(donor[where])
    edited, _ = editing.edited({"genome": own, "donor": donor, "as far as": swapped}, key=key)
    before, there, far = (editing.ORGANISM.develop(g, key=key)[0] for g in (own, donor, swapped))
    name = "input->edges"
    moved, wanted, way = (matrix(n.weights[name]) - matrix(before.weights[name]) for n in (edited, far, there))
    assert float(jnp.linalg.norm(moved)) == pytest.approx(float(jnp.linalg.norm(wanted)), rel=1e-4)
    cosine = (moved * way).sum() / (jnp.linalg.norm(moved) * jnp.linalg.norm(way))
    assert float(cosine) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(edited.weights["edges->parts"], before.weights["edges->parts"], atol=1e-6)
