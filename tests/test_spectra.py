"""Spectra, subspaces, codes and permutation matching, where the answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.analysis.matching import against_untrained, chain, match, renamed
from evodev.analysis.spectra import (
    chance_overlap,
    cka,
    directions,
    effective_rank,
    overlap,
    principal_cosines,
    procrustes,
    spectra,
    stable_rank,
)
from evodev.models import kernels_of
from tests.tiny import TOLD, WHOLE, random_network

RNG = np.random.default_rng(0)


def _gauss(*shape: int) -> jax.Array:
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def _rotation(n: int) -> jax.Array:
    return jnp.linalg.qr(_gauss(n, n))[0]


# ---- spectra


def test_ranks_of_a_matrix_of_rank_one_and_of_an_orthogonal_one() -> None:
    one, whole = jnp.outer(jnp.arange(1.0, 5.0), jnp.ones(3)), 7.0 * _rotation(6)
    found = spectra({"one": one, "whole": whole, "none": jnp.zeros((3, 2))})
    assert found["one"].values[0] == pytest.approx((30 * 3) ** 0.5, rel=1e-5)  # lengths of both factors
    assert [float(x) for x in found["one"][1:]] == pytest.approx([1.0, 1.0], abs=1e-4)
    np.testing.assert_allclose(found["whole"].values, 7.0, rtol=1e-5)
    assert [float(x) for x in found["whole"][1:]] == pytest.approx([6.0, 6.0], rel=1e-5)
    assert [float(x) for x in found["none"][1:]] == [0.0, 0.0]


def test_ranks_by_hand() -> None:
    values = jnp.array([2.0, 1.0, 1.0])  # shares 1/2, 1/4, 1/4: entropy 1.5 bits
    assert float(effective_rank(values)) == pytest.approx(2**1.5, rel=1e-6)
    assert float(stable_rank(values)) == pytest.approx(6 / 4)


def test_directions_are_those_that_the_matrix_was_made_of() -> None:
    left, right = _rotation(5), _rotation(4)
    kernel = left[:, :2] @ jnp.diag(jnp.array([3.0, 1.0])) @ right[:, :2].T
    sends, receives = directions(kernel, 2)
    np.testing.assert_allclose(jnp.abs((sends * left[:, :2]).sum(0)), 1.0, atol=1e-5)
    np.testing.assert_allclose(sends @ jnp.diag(jnp.array([3.0, 1.0])) @ receives.T, kernel, atol=1e-5)
    with pytest.raises(ValueError, match="has 4; given k 5"):
        directions(kernel, 5)


def test_spectra_do_not_know_what_neurons_are_called() -> None:
    kernel, before, after = _gauss(5, 4), RNG.permutation(5), RNG.permutation(4)
    np.testing.assert_allclose(*(spectra({"w": k})["w"].values for k in (kernel, kernel[before][:, after])), rtol=1e-5)


# ---- subspaces


def test_overlap_of_known_angles() -> None:
    angle = 0.3
    a, b = jnp.eye(4)[:, :2], jnp.array([[jnp.cos(angle), 0], [0, 0], [jnp.sin(angle), 0], [0, 1]])
    np.testing.assert_allclose(principal_cosines(a, b), [np.cos(angle), 0.0], atol=1e-6)
    assert float(overlap(a, b)) == pytest.approx(np.cos(angle) ** 2 / 2, rel=1e-5)
    assert float(overlap(a, a @ _gauss(2, 2))) == pytest.approx(1.0, abs=1e-5)  # the same space, however it is spanned
    assert float(overlap(a, jnp.eye(4)[:, :3])) == pytest.approx(1.0)  # it lies in the larger


@pytest.mark.parametrize(("k", "other"), [(1, 1), (3, 3), (2, 5), (11, 7), (12, 4)])
def test_overlap_of_random_subspaces_has_the_mean_and_the_spread_of_the_null(k: int, other: int) -> None:
    n, many = 12, 2000
    found = np.asarray(jax.vmap(overlap)(_gauss(many, n, k), _gauss(many, n, other)))
    mean, deviation = chance_overlap(n, k, other)
    assert mean == max(k, other) / n
    assert found.mean() == pytest.approx(mean, abs=4 * deviation / many**0.5 + 1e-5)
    assert found.std() == pytest.approx(deviation, rel=0.1, abs=1e-5)


def test_overlap_of_two_lines_in_a_plane_by_hand() -> None:
    assert chance_overlap(2, 1) == pytest.approx((0.5, 0.125**0.5))  # cos^2 of a uniform angle
    assert chance_overlap(1, 1) == (1.0, 0.0)
    with pytest.raises(ValueError, match="in 3 dimensions have 1 to 3; given 2 and 4"):
        chance_overlap(3, 2, 4)


# ---- codes


def test_rotated_and_scaled_codes_are_the_same_code() -> None:
    code = _gauss(20, 4)
    moved = 3.0 * code @ _rotation(4) + 5.0
    for debiased in (False, True):
        assert float(cka(code, moved, debiased=debiased)) == pytest.approx(1.0, abs=1e-4)
    assert float(procrustes(code, moved)) == pytest.approx(0.0, abs=1e-4)
    assert float(cka(jnp.zeros((20, 4)), code)) == 0


@pytest.mark.parametrize("debiased", [False, True])
def test_alignment_does_not_depend_on_scale(debiased: bool) -> None:
    own, other = _gauss(20, 4), _gauss(20, 6)
    found = [float(cka(own * scale, other, debiased=debiased)) for scale in (1.0, 1e-6, 1e-4, 1e4, 1e6, 1e20)]
    assert found == pytest.approx([found[0]] * 6, rel=1e-3)
    assert float(cka(own * 1e-6, own * 1e6, debiased=debiased)) == pytest.approx(1.0, abs=1e-4)


def test_unrelated_codes_are_alike_by_the_biased_measure_alone() -> None:
    pairs = _gauss(400, 16, 12), _gauss(400, 16, 12)
    biased, honest = (jax.vmap(lambda a, b, d=d: cka(a, b, debiased=d))(*pairs) for d in (False, True))
    assert float(biased.mean()) > 0.4
    assert float(honest.mean()) == pytest.approx(0.0, abs=4 * float(honest.std()) / 20)


def test_cka_by_hand() -> None:
    x, y = jnp.array([[1.0], [-1.0], [0.0]]), jnp.array([[1.0], [0.0], [-1.0]])
    assert float(cka(x, y)) == pytest.approx(0.25)  # the squared correlation of two numbers
    assert float(procrustes(x, y)) == pytest.approx(2 - 2 * 0.5)
    with pytest.raises(ValueError, match="at least 4"):
        cka(x, y, debiased=True)


# ---- matching


def test_a_planted_renaming_is_found_exactly() -> None:
    kernels = [np.asarray(_gauss(*shape)) for shape in ((6, 16), (16, 12), (12, 3))]
    planted = [np.arange(6), RNG.permutation(16), RNG.permutation(12), np.arange(3)]
    inverse = [np.argsort(order) for order in planted]
    found = match(kernels, renamed(kernels, inverse))
    assert all((a == b).all() for a, b in zip(found.orders, planted, strict=True))
    np.testing.assert_allclose(found.cosines, 1.0, atol=1e-6)
    assert found.cosine == pytest.approx(1.0)


def test_a_planted_renaming_is_found_under_noise_and_free_ends() -> None:
    kernels = [np.asarray(_gauss(16, 16)) for _ in range(2)]
    inverse = [RNG.permutation(16) for _ in range(3)]
    noisy = [k + 0.1 * RNG.normal(size=k.shape) for k in renamed(kernels, inverse)]
    found = match(kernels, noisy, free_ends=True, restarts=40)
    assert all((order == np.argsort(of)).all() for order, of in zip(found.orders, inverse, strict=True))


def test_untrained_networks_are_no_match() -> None:
    shapes = ((8, 24), (24, 24), (24, 8))
    own, other = ([np.asarray(_gauss(*shape)) for shape in shapes] for _ in range(2))
    found = match(own, other)
    assert 0.1 < found.cosine < 0.7  # better than unmatched, which is about 0, and far from a copy
    assert found.cosine > np.mean(
        [abs((a * b).sum()) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(own, other, strict=True)]
    )


def test_against_untrained_networks_kin_stand_out_and_strangers_do_not() -> None:
    shapes = ((8, 12), (12, 12), (12, 8))
    own, *others = ([np.asarray(_gauss(*shape)) for shape in shapes] for _ in range(41))
    kin = [a + 0.7 * b for a, b in zip(own, others[0], strict=True)]
    found = against_untrained(own, kin, samples=12)
    assert found.value == match(own, kin).cosine
    assert found.z > 4
    pairs = zip(others[::2], others[1::2], strict=True)
    strangers = [against_untrained(a, b, samples=12, seed=i).z for i, (a, b) in enumerate(pairs)]
    assert abs(np.mean(strangers)) < 1
    assert np.mean(np.abs(strangers) > 3) <= 0.1


def test_untrained_networks_are_as_they_are_said_to_be_born() -> None:
    kernels = [np.eye(4)] * 2
    assert against_untrained(kernels, kernels, born=lambda rng: kernels, samples=2)[:4] == (1.0, 1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="samples must be at least 2"):
        against_untrained(kernels, kernels, samples=1)


def test_chains_are_read_off_networks_and_others_refused() -> None:
    network = random_network(WHOLE)
    assert [k.shape for k in chain(WHOLE, network)] == [(6, 5), (5, 2)]
    np.testing.assert_array_equal(chain(WHOLE, network)[0], network.weights["input->hidden1"])
    with pytest.raises(ValueError, match="chain"):
        chain(TOLD, network)
    with pytest.raises(ValueError, match="match: other has NaN"):
        match([np.ones((2, 3))], [np.full((2, 3), np.nan)])
    with pytest.raises(ValueError, match="same kernels"):
        match([np.ones((2, 3))], [np.ones((3, 2))])


def test_kernels_are_read_off_networks_and_pytrees() -> None:
    network = random_network(WHOLE)
    assert set(kernels_of(network)) == set(network.weights)
    assert list(kernels_of(network, "input->*")) == ["input->hidden1"]
    params = {"one": {"kernel": np.ones((4, 3)), "bias": np.zeros(3)}, "conv": {"kernel": np.ones((2, 2, 3, 5))}}
    assert {name: k.shape for name, k in kernels_of(params).items()} == {"one/kernel": (4, 3), "conv/kernel": (12, 5)}
