"""Relative-position wiring: kernels over p_i - p_j, the same everywhere, inside a local window."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.network import KernelWeights, PoolWeights, Weights, matrix
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Array, Genes, Key

Form = Literal["kernel", "pool"]


@dataclass(frozen=True)
class Reach:
    """How one projection reads its window; see :class:`RelativePosition`."""

    projection: Projection
    radius: float
    waves: int
    form: Form


@cache
def offsets(substrate: Substrate, projection: Projection) -> np.ndarray:
    """p_i - p_j, shape (pre positions, post positions, dimensions)."""
    pre, post = substrate.population(projection.pre).positions, substrate.population(projection.post).positions
    return pre[:, None, :] - post[None, :, :]


@cache
def cosines(substrate: Substrate, reach: Reach) -> np.ndarray:
    """Cosine basis over the window, zero outside, shape (pre positions, post positions, coefficients).

    Coefficients are the products of cosines, one a dimension, whose orders add up to less than ``waves``.
    """
    offset = offsets(substrate, reach.projection)
    dimensions = offset.shape[-1]
    orders = np.stack(np.meshgrid(*[np.arange(reach.waves)] * dimensions, indexing="ij"), -1).reshape(-1, dimensions)
    orders = orders[orders.sum(1) < reach.waves]
    phase = np.pi * (offset[:, :, None, :] + reach.radius) / (2 * reach.radius) * orders
    inside = np.asarray((np.abs(offset) <= reach.radius + 1e-6).all(-1))
    return (np.cos(phase).prod(-1) * inside[..., None]).astype(np.float32)


@cache
def window(substrate: Substrate, reach: Reach) -> np.ndarray:
    """Where a synapse can exist, (pre, post) booleans: within the radius; a pooling neuron reads only its own type."""
    pre, post = substrate.population(reach.projection.pre), substrate.population(reach.projection.post)
    inside = (np.abs(offsets(substrate, reach.projection)) <= reach.radius + 1e-6).all(-1)
    kinds = np.eye(pre.types, dtype=bool) if reach.form == "pool" else np.ones((pre.types, post.types), bool)
    return np.kron(inside, kinds).astype(bool)


@dataclass(frozen=True)
class RelativePosition(Wiring):
    """w(i -> j) depends on where i lies as seen from j, and on what the two cells are.

    Two forms. ``kernel``: w = sum over cell state of s_i K s_j, every entry of K a kernel of a few cosine coefficients
    over a local window; with one-hot cell types, one kernel a pair of types. ``pool``: a neuron reads its own type over a
    Gaussian neighbourhood of evolved width and strength. Weight sharing falls out of both: it is a convolution's prior.

    Attributes:
        radius: half-width of the window in units of the tissue's half-width; one for all projections, or one for each
            grown projection in order.
        waves: a kernel has the cosine products of total order below this; one, or one a grown projection.
        form: ``kernel`` or ``pool``; one, or one a grown projection.
        channels: what to express beyond the weight (see ``base.emit``), a kernel each in the projections of kernels.
    """

    radius: tuple[float, ...] = (0.45,)
    waves: tuple[int, ...] = (3,)
    form: tuple[Form, ...] = ("kernel",)
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.radius or min(self.radius) <= 0:
            raise ValueError(f"wiring: radius must be positive, given {self.radius}")
        if not self.waves or min(self.waves) < 1:
            raise ValueError(f"wiring: waves must be at least 1, given {self.waves}")
        if not self.form or not set(self.form) <= {"kernel", "pool"}:
            raise ValueError(f"wiring: form must be kernel or pool, given {self.form}")

    def reaches(self, substrate: Substrate) -> list[Reach]:
        """One entry a grown projection.

        Raises:
            ValueError: naming the field, for a substrate that this wiring cannot serve.
        """
        grown = substrate.grown
        for name in ("radius", "waves", "form"):
            given = getattr(self, name)
            if len(given) not in (1, len(grown)):
                raise ValueError(f"wiring: {name} needs 1 or {len(grown)} values, one a grown projection; given {given}")
        spread = [v * len(grown) if len(v) == 1 else v for v in (self.radius, self.waves, self.form)]
        out = [Reach(p, r, w, f) for p, r, w, f in zip(grown, *spread, strict=True)]
        for reach in out:
            p, pre, post = reach.projection, *(substrate.population(n) for n in (reach.projection.pre, reach.projection.post))
            if len(pre.grid) != len(post.grid):
                raise ValueError(
                    f"wiring: relative position needs populations of equal dimension; {p.name} joins grids {pre.grid} and "
                    f"{post.grid}; bilinear wiring serves any"
                )
            if reach.form == "pool" and pre.types != post.types:
                raise ValueError(f"wiring: {p.name} pools {pre.types} types into {post.types}; give both as many")
            if not window(substrate, reach).any(0).all():
                raise ValueError(
                    f"wiring: radius {reach.radius} leaves neurons of {p.post} without input from {p.pre}; enlarge it"
                )
        return out

    def windows(self, substrate: Substrate) -> dict[str, np.ndarray]:
        return {r.projection.name: window(substrate, r) for r in self.reaches(substrate)}

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for r in self.reaches(substrate):
            p, n_pre, n_post = r.projection, widths[r.projection.pre], widths[r.projection.post]
            if r.form == "pool":
                out.append(Gene(f"{p.name}/log_widths", (n_post,), np.log(0.5 * r.radius), 0.3))
                out.append(Gene(f"{p.name}/log_strengths", (n_post,), scale=0.3))
                continue
            basis = cosines(substrate, r)
            # unit variance of the drive for unit inputs: inputs of a neuron times coefficients of a kernel
            inputs = float((basis**2).sum((0, 2)).max()) * n_pre
            shape = (n_pre, n_post, basis.shape[-1])
            out.append(Gene(f"{p.name}/kernels", shape, scale=2 * inputs**-0.5))
            out += [Gene(f"{p.name}/{channel}_kernels", shape, scale=0.3 * shape[-1] ** -0.5) for channel in self.channels]
        out += [Gene(f"{name}/bias", (widths[name],), scale=0.1) for name in biased(substrate)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values: dict[str, dict[str, Weights]] = {channel: {} for channel in ("weight", *self.channels)}
        for r in self.reaches(substrate):
            name = r.projection.name
            if r.form == "pool":
                values["weight"][name] = _pool(genes, tissue, substrate, r)
                continue
            values["weight"][name] = _kernel(genes[f"{name}/kernels"], tissue, substrate, r)
            for channel in self.channels:
                values[channel][name] = matrix(_kernel(genes[f"{name}/{channel}_kernels"], tissue, substrate, r))
        return emit(values, {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)})


def _local(tissue: Tissue, population: Population) -> Array:
    """States by position and type, (positions, types, genes)."""
    return tissue.states[population.name].reshape(len(population.positions), population.types, -1)


def _kernel(kernels: Array, tissue: Tissue, substrate: Substrate, reach: Reach) -> Weights:
    p = reach.projection
    pre, post = substrate.population(p.pre), substrate.population(p.post)
    s, t = _local(tissue, pre), _local(tissue, post)
    if tissue.by_type:
        shared = jnp.einsum("an,nmc,bm->abc", s[0], kernels, t[0])
        return KernelWeights(jnp.asarray(cosines(substrate, reach)), shared)
    w = jnp.einsum("pqc,pan,nmc,qbm->paqb", cosines(substrate, reach), s, kernels, t)
    return w.reshape(pre.size, post.size)


def _pool(genes: Genes, tissue: Tissue, substrate: Substrate, reach: Reach) -> Weights:
    p = reach.projection
    state = _local(tissue, substrate.population(p.post))
    # clipped so that no genome makes a width of zero
    width = jnp.exp(jnp.clip(state @ genes[f"{p.name}/log_widths"], -4.0, 4.0))
    strength = jnp.exp(jnp.clip(state @ genes[f"{p.name}/log_strengths"], -4.0, 4.0))
    squared = (offsets(substrate, p) ** 2).sum(-1)
    inside = np.asarray((np.abs(offsets(substrate, p)) <= reach.radius + 1e-6).all(-1))
    near = jnp.exp(-squared[..., None] / (2 * width[None] ** 2)) * inside[..., None]
    pooled = PoolWeights(near / (near.sum(0) + 1e-6) * strength)
    return pooled if tissue.by_type else pooled.dense()
