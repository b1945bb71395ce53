"""What is kept within so many bits: budgets hold, and what should be kept is."""

from functools import partial
from math import comb, log2

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from evodev.analysis.extraction import (
    WAYS,
    distilled,
    extract,
    fitted_genome,
    genome_bits,
    place_bits,
    rounded_about_zero,
    rounded_genome,
    seeded,
)
from evodev.analysis.spectra import overlap
from evodev.decoders import Decoder
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.genome import Gene, spec_of
from tests.tiny import WHOLE

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
TWO = {"a": RNG.normal(size=(12, 10)).astype(np.float32), "b": RNG.normal(size=(10, 6)).astype(np.float32)}


@pytest.mark.parametrize("way", WAYS)
def test_bits_stay_within_the_budget_and_more_of_them_keep_no_less(way: str) -> None:
    ranks = []
    for bits in (0, 300, 900, 100_000):
        kept = extract(TWO, way, bits, precision=4)
        assert 0 <= kept.total <= bits
        assert {name: k.shape for name, k in kept.kernels.items()} == {"a": (12, 10), "b": (10, 6)}
        ranks.append(int((kept.kernels["a"] != 0).sum()) + int(np.linalg.matrix_rank(np.asarray(kept.kernels["a"]))))
    assert ranks == sorted(ranks)
    assert ranks[0] == 0 < ranks[-1]
    if way in ("magnitude", "directions", "low rank"):
        # nobody is given a smaller budget than it can use
        assert extract(TWO, way, 900, precision=4).total > 500


def test_places_cost_what_it_takes_to_tell_them_apart() -> None:
    assert [int(place_bits(10, k)) for k in (0, 1, 3, 10)] == [0, 4, 7, 0]
    assert int(place_bits(200, 30)) == int(np.ceil(log2(comb(200, 30))))
    kept = extract({"w": TWO["a"]}, "magnitude", 200, precision=4)
    k = int((kept.kernels["w"] != 0).sum())
    assert kept.bits == {"numbers": 4 * k, "places": int(np.ceil(log2(comb(120, k))))}
    assert 4 * (k + 1) + log2(comb(120, k + 1)) > 200  # one more could not be paid for


def test_the_largest_entries_are_kept() -> None:
    kernel = np.zeros((6, 5), np.float32)
    kernel[1, 2], kernel[4, 0], kernel[0, 0] = -8.0, 5.0, 0.1
    kept = extract({"w": kernel}, "magnitude", 2 * 8 + int(place_bits(30, 2))).kernels["w"]
    np.testing.assert_allclose(kept, np.where(np.abs(kernel) > 1, kernel, 0.0), atol=8 / 127)
    signs = extract({"w": kernel}, "signs", 2 + int(place_bits(30, 2))).kernels["w"]
    np.testing.assert_array_equal(signs, np.where(np.abs(kernel) > 1, np.sign(kernel), 0.0))
    mask = extract({"w": kernel}, "mask", int(place_bits(30, 2))).kernels["w"]
    np.testing.assert_array_equal(mask != 0, np.abs(kernel) > 1)


def test_a_matrix_of_rank_one_is_kept_by_one_direction() -> None:
    left, right = RNG.normal(size=12), RNG.normal(size=10)
    kernel = np.outer(left, right).astype(np.float32)
    kept = extract({"w": kernel}, "directions", 22 * 12, precision=12)
    assert kept.total == 22 * 12
    unit = kernel / np.linalg.norm(kernel)
    np.testing.assert_allclose(kept.kernels["w"], unit, atol=1e-3)
    assert not extract({"w": kernel}, "directions", 22 * 12 - 1, precision=12).kernels["w"].any()


def test_directions_are_the_matrix_s_own_and_equally_strong_and_random_ones_are_not() -> None:
    kernel = TWO["a"]
    own, random, valued = (
        np.asarray(extract({"w": kernel}, way, 3 * 23 * 10, precision=10).kernels["w"])
        for way in ("directions", "random directions", "low rank")
    )
    left = np.linalg.svd(kernel)[0][:, :3]
    for kept in (own, random):
        np.testing.assert_allclose(np.linalg.svd(kept, compute_uv=False)[:4], [1, 1, 1, 0], atol=0.02)
    assert float(overlap(jnp.asarray(left), jnp.asarray(np.linalg.svd(own)[0][:, :3]))) > 0.99
    assert float(overlap(jnp.asarray(left), jnp.asarray(np.linalg.svd(random)[0][:, :3]))) < 0.7
    ratios = np.linalg.svd(kernel, compute_uv=False)[:3]
    np.testing.assert_allclose(np.linalg.svd(valued, compute_uv=False)[:3], ratios, rtol=0.02)


def test_the_spectrum_alone_is_kept_on_random_directions() -> None:
    values = np.linalg.svd(TWO["a"], compute_uv=False)
    kept = extract({"w": TWO["a"]}, "spectrum", 10 * 12, precision=12)
    assert kept.bits == {"numbers": 120}
    np.testing.assert_allclose(np.linalg.svd(kept.kernels["w"], compute_uv=False), values, atol=values[0] / 2**11)


def test_rounding_is_to_a_grid_of_so_many_bits() -> None:
    values = RNG.normal(size=1000)
    for precision in (2, 3, 8):
        found = rounded_about_zero(values, precision)
        assert len(np.unique(found)) <= 2**precision - 1
        assert np.abs(found - values).max() <= np.abs(values).max() / (2 ** (precision - 1) - 1) / 2 + 1e-9
    np.testing.assert_array_equal(rounded_about_zero(np.zeros(3), 4), 0.0)
    with pytest.raises(ValueError, match="at least 2 bits"):
        rounded_about_zero(values, 1)
    with pytest.raises(ValueError, match="no way 'svd'"):
        extract(TWO, "svd", 100)


def test_all_students_are_born_of_one_scale() -> None:
    kernels = {"large": jnp.asarray(1000 * TWO["a"]), "none": jnp.zeros((10, 6))}
    for share in (0.0, 0.5, 1.0):
        born = seeded(kernels, share=share, key=KEY)
        for kernel in born.values():
            size = float(jnp.sqrt((kernel**2).mean()))
            assert size == pytest.approx((2 / len(kernel)) ** 0.5, rel=0.25)
    whole = seeded(kernels, share=1.0, key=KEY)["large"]
    np.testing.assert_allclose(whole / jnp.linalg.norm(whole), TWO["a"] / np.linalg.norm(TWO["a"]), atol=1e-5)


def test_a_fitted_genome_is_rounded_paid_for_and_near_what_it_was_fitted_to() -> None:
    decoder = Decoder(ExpressionTable(3), Bilinear(), AllSynapses())
    spec = decoder.genome_spec(WHOLE)
    target = decoder.grow(spec.init(key=KEY), WHOLE, key=KEY)
    bits = 8 * spec.size + 32 * len(spec.genes)
    kept = fitted_genome(decoder, WHOLE, target, bits, steps=300, key=jax.random.key(1), optimiser=optax.adam(0.05))
    assert kept.total == bits
    for name, kernel in kept.kernels.items():
        cosine = (kernel * target.weights[name]).sum() / jnp.linalg.norm(kernel) / jnp.linalg.norm(target.weights[name])
        assert float(cosine) > 0.9
    with pytest.raises(ValueError, match="fewer genes"):
        fitted_genome(decoder, WHOLE, target, bits - 1, steps=1, key=KEY)


def test_a_gene_of_a_single_number_is_written_once() -> None:
    spec = spec_of([Gene("many", (2, 3)), Gene("one", ()), Gene("another", (1,))])
    assert genome_bits(spec, 4) == {"numbers": 6 * 4, "scales": 3 * 32}
    genome = jnp.asarray([0.9, -0.31, 0.0, 0.02, 1.0, -1.0, 0.123456, -7.654321])
    found = rounded_genome(genome, spec, 4)
    np.testing.assert_allclose(found[6:], genome[6:], rtol=1e-6)
    np.testing.assert_allclose(found[:6], np.array([6, -2, 0, 0, 7, -7]) / 7, atol=1e-6)


def _answers(kernels: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
    return jnp.tanh(inputs @ kernels["in"]) @ kernels["out"]


def test_a_distilled_student_pays_for_its_weights_and_answers_as_its_teacher() -> None:
    teacher, inputs = (
        {"in": jnp.asarray(RNG.normal(size=(6, 5)), jnp.float32), "out": jnp.eye(5)},
        jax.random.normal(KEY, (64, 6)),
    )
    learn = partial(distilled, teacher, _answers, inputs, names=["in"], problem="regression", precision=10, key=KEY)
    adam = optax.adam(0.05)
    kept = [learn(bits, steps=300, optimiser=adam) for bits in (300, 200)]
    assert [k.total for k in kept] == [300, 200]
    whole, part = (k.kernels["in"] for k in kept)
    assert int((part != 0).sum()) <= 20 < int((whole != 0).sum())

    def error(kernel: jax.Array) -> float:
        code, goal = jnp.tanh(inputs @ kernel), _answers(teacher, inputs)
        return float(jnp.linalg.lstsq(code, goal)[1].sum() / (goal**2).sum())

    untaught = jax.random.normal(KEY, (6, 5))
    assert error(whole) < 0.05
    assert error(whole) < error(part) < error(untaught)


def test_of_nothing_nothing_is_kept() -> None:
    for way in WAYS:
        if "random" not in way and way != "mask":
            assert not np.asarray(extract({"a": np.zeros((6, 5))}, way, 10_000).kernels["a"]).any(), way
    single = np.outer(np.arange(1.0, 7), np.arange(1.0, 6))
    kept = extract({"a": single}, "directions", 10_000, precision=12)
    assert kept.total == 12 * 11  # the one direction there is
    assert np.linalg.matrix_rank(np.asarray(kept.kernels["a"]), tol=1e-4) == 1
    with pytest.raises(ValueError, match="extract: kernel a has NaN or infinite weights"):
        extract({"a": np.full((3, 3), np.nan)}, "signs", 100)
