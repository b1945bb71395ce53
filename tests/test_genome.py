import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.genome import Gene, GenomeSpec, branch, spec_of
from evodev.types import Genes, Genome, Key

numbers = st.floats(-2, 2, width=32)
shapes = st.lists(st.integers(1, 3), max_size=3).map(tuple)
genes = st.builds(
    Gene, st.text("abc/", min_size=1, max_size=4), shapes, numbers, st.floats(0.125, 4, width=32), st.integers(1, 64)
)
gene_lists = st.lists(genes, max_size=4, unique_by=lambda gene: gene.name)

TWO = spec_of([Gene("a", (2, 2), center=1.0, scale=0.5, bits=8), Gene("b", (), center=-1.0, scale=2.0)])


@given(gene_lists, st.integers(0, 99))
def test_pack_undoes_unpack(listed: list[Gene], seed: int) -> None:
    spec = spec_of(listed)

    @jax.jit  # one program an example, rather than one an operation
    def there_and_back(key: Key) -> tuple[Genome, Genes, Genome]:
        genome = spec.init(key=key)
        values = spec.unpack(genome)
        return genome, values, spec.pack(values)

    genome, values, again = there_and_back(jax.random.key(seed))
    assert genome.shape == (spec.size,)
    assert {name: value.shape for name, value in values.items()} == {gene.name: gene.shape for gene in spec.genes}
    np.testing.assert_allclose(again, genome, atol=1e-5)


@given(gene_lists)
def test_slices_tile_the_genome_in_order(listed: list[Gene]) -> None:
    spec = spec_of(listed)
    covered = [i for where in spec.slices.values() for i in range(where.start, where.stop)]
    assert covered == list(range(spec.size))
    assert spec.bits == sum(
        (where.stop - where.start) * g.bits for where, g in zip(spec.slices.values(), spec.genes, strict=True)
    )


def test_values_are_centers_plus_scaled_search_units() -> None:
    values = TWO.unpack(jnp.array([0.0, 1.0, 2.0, -2.0, 3.0]))
    np.testing.assert_array_equal(values["a"], [[1.0, 1.5], [2.0, 0.0]])
    assert float(values["b"]) == 5.0


def test_sizes_bits_and_slices_of_a_hand_made_spec() -> None:
    assert (TWO.size, TWO.bits) == (5, 4 * 8 + 32)
    assert TWO.slices == {"a": slice(0, 4), "b": slice(4, 5)}


def test_an_empty_spec_packs_nothing() -> None:
    assert spec_of(()).size == 0
    assert spec_of(()).pack({}).shape == (0,)


def test_join_prefixes_genes_and_branch_takes_the_prefix_off() -> None:
    joined = GenomeSpec.join({"one": TWO, "two": spec_of([Gene("a", (3,))])})
    assert list(joined.slices) == ["one/a", "one/b", "two/a"]
    values = joined.unpack(jnp.arange(8.0))
    assert set(branch(values, "one")) == {"a", "b"}
    np.testing.assert_array_equal(branch(values, "two")["a"], [5.0, 6.0, 7.0])


def test_repeated_gene_names_are_refused() -> None:
    with pytest.raises(ValueError, match="gene names must be unique; repeated: a"):
        spec_of([Gene("a", ()), Gene("a", (2,))])


def test_a_genome_of_the_wrong_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(ValueError, match=r"expected 5 numbers, given shape \(4,\)"):
        TWO.unpack(jnp.zeros(4))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": jnp.zeros((2, 2))}, r"missing genes \['b'\]"),
        ({"a": jnp.zeros((2, 2)), "b": jnp.zeros(()), "c": jnp.zeros(())}, r"unknown genes \['c'\]"),
        ({"a": jnp.zeros((4,)), "b": jnp.zeros(())}, r"gene a has shape \(2, 2\), given \(4,\)"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TWO.pack(values)


def test_numbers_that_are_not_finite_are_refused_by_the_name_of_their_gene() -> None:
    spec = GenomeSpec((Gene("a", (2,)), Gene("b", (3,)), Gene("c", ())))
    for bad in (jnp.nan, jnp.inf):
        with pytest.raises(ValueError, match="genome: 1 numbers are not finite, in b"):
            spec.unpack(jnp.zeros(6).at[3].set(bad))
    assert jnp.isnan(jax.jit(spec.unpack)(jnp.zeros(6).at[3].set(jnp.nan))["b"][1])
