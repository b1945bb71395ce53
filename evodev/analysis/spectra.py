"""What a matrix does as a whole: its singular directions and values, and how alike two matrices, subspaces or codes are.

Of a grown network, or of any pytree of weights, ``models.kernels_of`` gives the matrices. All functions are pure and can be
compiled; responses are (examples, neurons), one row for each example that both networks were shown.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp

from evodev.types import Array, Float, Matrix, Scalar

Values = Float[Array, " rank"]
Basis = Float[Array, "n k"]
Responses = Float[Array, "examples neurons"]


class Spectrum(NamedTuple):
    """Singular values of a matrix, largest first, and how many of them count."""

    values: Values
    effective_rank: Scalar
    stable_rank: Scalar


def effective_rank(values: Values) -> Scalar:
    """Exponential of the entropy of the values' shares, from 1 to their number (Roy and Vetterli 2007, EUSIPCO); 0 of zeros."""
    shares = values / jnp.maximum(values.sum(), 1e-30)
    entropy = -jnp.where(shares > 0, shares * jnp.log(jnp.maximum(shares, 1e-30)), 0.0).sum()
    return jnp.where(values.max() > 0, jnp.exp(entropy), 0.0)


def stable_rank(values: Values) -> Scalar:
    """Sum of squares over the largest square: a rank that small values hardly change; 0 of zeros."""
    return (values**2).sum() / jnp.maximum((values**2).max(), 1e-30)


def spectra(kernels: Mapping[str, Matrix]) -> dict[str, Spectrum]:
    """The spectrum of every kernel."""
    found = {name: jnp.linalg.svd(kernel, compute_uv=False) for name, kernel in kernels.items()}
    return {name: Spectrum(values, effective_rank(values), stable_rank(values)) for name, values in found.items()}


def directions(kernel: Matrix, k: int) -> tuple[Float[Array, "pre k"], Float[Array, "post k"]]:
    """The first ``k`` singular directions: among the senders (pre, k), and what each becomes among the receivers (post, k).

    Raises:
        ValueError: if the kernel has fewer.
    """
    if not 0 <= k <= min(kernel.shape):
        raise ValueError(f"directions: a kernel of {kernel.shape[0]} x {kernel.shape[1]} has {min(kernel.shape)}; given k {k}")
    left, _, right = jnp.linalg.svd(kernel, full_matrices=False)
    return left[:, :k], right[:k].T


def principal_cosines(a: Basis, b: Float[Array, "n l"]) -> Values:
    """Cosines of the principal angles between the spaces that the columns span, largest first; columns must be independent."""
    return jnp.clip(jnp.linalg.svd(jnp.linalg.qr(a)[0].T @ jnp.linalg.qr(b)[0], compute_uv=False), 0.0, 1.0)


def overlap(a: Basis, b: Float[Array, "n l"]) -> Scalar:
    """Mean squared cosine of the principal angles: 1 if the smaller space lies in the other, 0 if they are orthogonal."""
    return (principal_cosines(a, b) ** 2).mean()


class Chance(NamedTuple):
    """Mean and standard deviation of a measure where there is nothing to find."""

    mean: float
    deviation: float


def chance_overlap(n: int, k: int, other: int | None = None) -> Chance:
    """What :func:`overlap` is if one of the spaces is random; in the mean k / n for two of ``k`` dimensions out of ``n``.

    The trace of the product of two projectors, of ``k`` and ``l`` dimensions and one of them uniformly rotated, has mean
    k l / n and variance 2 k l (n - k) (n - l) / (n^2 (n - 1) (n + 2)), by the moments of the beta matrix (Muirhead 1982,
    Aspects of Multivariate Statistical Theory, section 3.3); ``overlap`` is the trace over the smaller of both.

    Raises:
        ValueError: unless both spaces have 1 to ``n`` dimensions.
    """
    also = k if other is None else other
    if not (1 <= k <= n and 1 <= also <= n):
        raise ValueError(f"chance_overlap: spaces in {n} dimensions have 1 to {n}; given {k} and {also}")
    if n == 1:
        return Chance(1.0, 0.0)
    variance = 2 * k * also * (n - k) * (n - also) / (n**2 * (n - 1) * (n + 2))
    return Chance(max(k, also) / n, variance**0.5 / min(k, also))


def cka(own: Responses, other: Float[Array, "examples others"], *, debiased: bool = False) -> Scalar:
    """Linear centred kernel alignment of two codes of the same examples (Kornblith et al. 2019, arXiv 1905.00414, eq. 2).

    1 for codes that are rotations of each other, whatever their scale. With few examples it is large for unrelated codes;
    the debiased one (Song et al. 2012, JMLR 13, eq. 5, in the place of HSIC) is then 0 in expectation, and may be negative.

    Raises:
        ValueError: if the examples are not as many, or the debiased one is asked of fewer than four.
    """
    if len(own) != len(other) or (debiased and len(own) < 4):
        raise ValueError(f"cka: needs the same examples for both (debiased: at least 4); given {len(own)} and {len(other)}")
    own, other = _unit(own), _unit(other)
    hsic = _debiased_hsic if debiased else _hsic
    scale = jnp.sqrt(jnp.maximum(hsic(own, own) * hsic(other, other), 1e-30))
    return hsic(own, other) / scale


def _unit(x: Array) -> Array:
    """Responses centred and of unit size, whatever their scale in float32; zeros stay zeros."""
    x = x - x.mean(0)
    x = x / jnp.maximum(jnp.abs(x).max(), 1e-30)  # first, so that no square is lost
    return x / jnp.maximum(jnp.sqrt((x**2).sum()), 1e-30)


def _hsic(x: Array, y: Array) -> Scalar:
    return ((x.T @ y) ** 2).sum()


def _debiased_hsic(x: Array, y: Array) -> Scalar:
    n = len(x)
    a, b = ((g @ g.T) * (1 - jnp.eye(n)) for g in (x, y))
    return ((a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (a.sum(0) @ b.sum(1))) / (n * (n - 3))


def procrustes(own: Responses, other: Float[Array, "examples others"]) -> Scalar:
    """Squared distance of two codes of the same examples after the best rotation; 0 the same, 2 nothing in common.

    Both are centred and of unit size first (Ding, Denain and Steinhardt 2021, arXiv 2108.01661).
    """
    own, other = _unit(own), _unit(other)
    return 2 - 2 * jnp.linalg.svd(own.T @ other, compute_uv=False).sum()
