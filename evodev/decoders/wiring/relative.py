"""Relative-position wiring: one kernel a pair of cell types, read over p_i - p_j inside a local window."""

from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Tissue, Wires, Wiring, biased
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Projection, Substrate
from evodev.types import Genes, Key


@cache
def offsets_basis(substrate: Substrate, projection: Projection, radius: float, waves: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of p_i - p_j, shape (pre positions, post positions, waves ** dimensions), and the window's mask."""
    pre, post = substrate.population(projection.pre).positions, substrate.population(projection.post).positions
    offset = pre[:, None, :] - post[None, :, :]
    inside = (np.abs(offset) <= radius + 1e-6).all(-1)
    orders = np.stack(np.meshgrid(*[np.arange(waves)] * pre.shape[1], indexing="ij"), -1).reshape(-1, pre.shape[1])
    phase = np.pi * (offset[:, :, None, :] + radius) / (2 * radius) * orders
    return np.cos(phase).prod(-1).astype(np.float32), inside


@dataclass(frozen=True)
class RelativePosition(Wiring):
    """w(i -> j) = sum over cell state of s_i K s_j, where every entry of K is a kernel over p_i - p_j.

    With one-hot cell types this is one kernel a pair of types, the same everywhere: weight sharing falls out of it. A
    kernel is ``waves ** dimensions`` cosine coefficients over a local window; outside of it no synapse can exist.

    Attributes:
        radius: half-width of the window in units of the tissue's half-width; one for all projections, or one for each
            grown projection in order.
        waves: cosines along each dimension, from the constant up; one, or one for each grown projection.
    """

    radius: tuple[float, ...] = (0.45,)
    waves: tuple[int, ...] = (3,)

    def __post_init__(self) -> None:
        if not self.radius or min(self.radius) <= 0:
            raise ValueError(f"wiring: radius must be positive, given {self.radius}")
        if not self.waves or min(self.waves) < 1:
            raise ValueError(f"wiring: waves must be at least 1, given {self.waves}")

    def _windows(self, substrate: Substrate) -> list[tuple[Projection, float, int]]:
        many = len(substrate.grown)
        for name in ("radius", "waves"):
            if len(getattr(self, name)) not in (1, many):
                raise ValueError(f"wiring: {name} needs 1 or {many} values, one a grown projection; given {getattr(self, name)}")
        for p in substrate.grown:
            if len(substrate.population(p.pre).grid) != len(substrate.population(p.post).grid):
                raise ValueError(
                    f"wiring: relative position needs populations of equal dimension; {p.name} joins grids "
                    f"{substrate.population(p.pre).grid} and {substrate.population(p.post).grid}; bilinear wiring serves any"
                )
        radius = self.radius * many if len(self.radius) == 1 else self.radius
        waves = self.waves * many if len(self.waves) == 1 else self.waves
        return list(zip(substrate.grown, radius, waves, strict=True))

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p, radius, waves in self._windows(substrate):
            basis, inside = offsets_basis(substrate, p, radius, waves)
            if not inside.any(0).all():
                raise ValueError(f"wiring: radius {radius} leaves neurons of {p.post} without any input from {p.pre}; enlarge it")
            # unit variance of the drive for unit inputs: fan-in times the number of coefficients
            fan_in = inside.sum(0).mean() * widths[p.pre] * basis.shape[-1]
            out.append(Gene(f"{p.name}/kernels", (widths[p.pre], widths[p.post], basis.shape[-1]), scale=float(fan_in**-0.5)))
        out += [Gene(f"{name}/bias", (widths[name],), scale=0.3) for name in biased(substrate)]
        return spec_of(out)

    def windows(self, substrate: Substrate) -> dict[str, np.ndarray]:
        out = {}
        for p, radius, waves in self._windows(substrate):
            inside = offsets_basis(substrate, p, radius, waves)[1]
            types = substrate.population(p.pre).types, substrate.population(p.post).types
            out[p.name] = np.repeat(np.repeat(inside, types[0], 0), types[1], 1)
        return out

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        weights = {}
        for p, radius, waves in self._windows(substrate):
            basis, inside = offsets_basis(substrate, p, radius, waves)
            pre, post = substrate.population(p.pre), substrate.population(p.post)
            kernels = genes[f"{p.name}/kernels"]
            s = tissue.states[p.pre].reshape(len(pre.positions), pre.types, -1)
            t = tissue.states[p.post].reshape(len(post.positions), post.types, -1)
            w = jnp.einsum("ija,ikn,nma,jlm->ikjl", basis * inside[..., None], s, kernels, t)
            weights[p.name] = w.reshape(pre.size, post.size)
        biases = {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)}
        gains = {name: jnp.ones_like(w) for name, w in weights.items()}
        logits = {name: jnp.abs(w) for name, w in weights.items()}
        return Wires(logits, weights, gains, biases)
