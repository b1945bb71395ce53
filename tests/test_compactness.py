"""The compactness ledger, counted by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from evodev.compactness import Compactness, compactness, times
from evodev.genome import Gene, spec_of
from tests.tiny import CHAIN, DIRECT, random_network


def test_a_network_is_counted_by_hand() -> None:
    network = random_network(CHAIN)
    mask = jnp.zeros((6, 5)).at[0, 1].set(1.0).at[2, 3].set(1.0).at[5, 0].set(1.0)
    network = replace(network, masks=network.masks | {"input->hidden1": mask})
    spec = spec_of([Gene("a", (2,), bits=8), Gene("b", (), bits=1)])
    ledger = compactness(spec, CHAIN, network)
    # three synapses at 32 bits; the 5 x 2 blank slate is no work of the genome
    assert ledger == Compactness(genome_numbers=3, genome_bits=17, synapses=3)
    assert ledger.plain() == {
        "genome_numbers": 3, "genome_bits": 17, "synapses": 3, "weight_bits": 96,
        "factor_numbers": 1.0, "factor_bits": pytest.approx(96 / 17), "larger": False,
    }  # fmt: skip
    assert [text for _, text in ledger.lines()] == ["3 numbers, 17 bits", "3 synapses, 96 bits", "1.0x in numbers, 5.6x in bits"]


def test_the_uncompressed_control_is_larger_than_what_it_grows() -> None:
    spec = DIRECT.genome_spec(CHAIN)
    network = DIRECT.grow(spec.init(key=jax.random.key(0)), CHAIN, key=jax.random.key(1))
    ledger = compactness(spec, CHAIN, network)
    assert ledger.synapses == 6 * 5
    assert ledger.genome_numbers > ledger.synapses, "a gene a weight, and biases"
    assert ledger.larger
    assert ledger.lines()[-1] == ("warning", "the genome is larger than what it grows")


@pytest.mark.parametrize(("numbers", "bits", "larger"), [(10, 320, False), (11, 11, True), (1, 321, True), (0, 0, False)])
def test_the_flag_is_raised_below_one_in_numbers_or_bits(numbers: int, bits: int, larger: bool) -> None:
    assert Compactness(numbers, bits, 10).larger == larger


def test_nothing_grown_and_no_genome_are_said() -> None:
    assert Compactness(4, 128, 0).factor_bits == 0.0
    assert Compactness(4, 128, 0).larger
    assert Compactness(0, 0, 5).factor_numbers is None
    assert (times(None), times(0.25), times(1234.56)) == ("no genome", "0.25x", "1,234.6x")
