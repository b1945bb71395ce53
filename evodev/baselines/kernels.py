"""Networks with shared weights that learn: windows on a grid, kernels drawn at random, and gradient descent on kernels."""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.scratch import scales, uniform
from evodev.genome import GenomeSpec
from evodev.learners import Gradient
from evodev.network import KernelWeights, Network, activities, forward
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Genome, Inputs, Key, Outputs, Targets

Grid = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """What a neuron sees of a grid: position q sees ``size`` positions from ``q stride - padding``, along every axis.

    Attributes:
        grid: of the population that sends.
        size: positions along each axis; those beyond the edge are silent.
        stride: between neighbours that receive.
        padding: positions beyond the edge that the first one sees.
    """

    grid: Grid
    size: int
    stride: int
    padding: int

    @property
    def over(self) -> Grid:
        """Grid of the population that receives."""
        return tuple((n + 2 * self.padding - self.size) // self.stride + 1 for n in self.grid)

    @cached_property
    def basis(self) -> np.ndarray:
        """Is p the c-th position that q sees? (pre positions, post positions, size ** axes), for ``KernelWeights``."""
        whole = np.ones((1, 1, 1), np.float32)
        for n, m in zip(self.grid, self.over, strict=True):
            p, q, c = np.ogrid[:n, :m, : self.size]
            axis = (p == q * self.stride - self.padding + c).astype(np.float32)
            whole = np.einsum("pqc,rsd->prqscd", whole, axis).reshape(
                [a * b for a, b in zip(whole.shape, axis.shape, strict=True)]
            )
        return whole


@dataclass(frozen=True)
class Kernels:
    """Grows nothing: kernels of random numbers, drawn afresh in each life, and a dense read-out.

    A network whose weights are kernels, and whose biases are one a channel, in the populations that windows lead to; masks
    are those of the synapses that the kernels make.

    Attributes:
        windows: of the first projections.
    """

    windows: tuple[Window, ...]

    @property
    def stochastic(self) -> bool:
        return True

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return scales(substrate)

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        genes = self.genome_spec(substrate).unpack(genome)
        weights, masks = {}, {}
        biases = {p.name: jnp.zeros(p.size) for p in substrate.populations}
        alive = {name: jnp.ones_like(bias) for name, bias in biases.items()}
        for i, p in enumerate(substrate.projections):
            pre, post = substrate.population(p.pre).types, substrate.population(p.post).types
            shape, seen = substrate.shape(p), substrate.shape(p)[0]
            masks[p.name] = jnp.ones(shape)
            if i < len(self.windows):
                basis = self.windows[i].basis
                there = jnp.asarray(basis.sum(-1))[:, None, :, None]
                masks[p.name] = jnp.broadcast_to(there, (len(basis), pre, basis.shape[1], post)).reshape(shape)
                shape, seen = (pre, post, basis.shape[2]), pre * basis.shape[2]
                biases[p.post] = jnp.zeros(post)
            log_scale = genes[f"{p.name}/log_scale"]
            weights[p.name] = uniform(shape, jnp.asarray(float(seen)), log_scale, key=jax.random.fold_in(key, i))
        return Network(weights, masks, {}, biases, alive)


@dataclass(frozen=True)
class Convolving(Gradient):
    """Gradient descent on kernels: what all positions share moves by the sum of their gradients.

    Attributes:
        windows: of the first projections, whose weights are kernels.
        readout_only: kernels and their biases stay as they were drawn.
    """

    windows: tuple[Window, ...] = ()
    readout_only: bool = False

    def unfolded(self, network: Network, substrate: Substrate) -> Network:
        """The same network with weights and biases for every neuron, in the shared form."""
        weights: dict[str, Any] = dict(network.weights)
        biases = dict(network.biases)
        for window, p in zip(self.windows, substrate.projections, strict=False):
            weights[p.name] = KernelWeights(jnp.asarray(window.basis), weights[p.name])
            biases[p.post] = jnp.tile(biases[p.post], prod(window.over))
        return replace(network, weights=weights, biases=biases)

    def gradient(self, network: Network, inputs: Inputs, targets: Targets, substrate: Substrate) -> dict[str, dict[str, Array]]:
        slope = super().gradient(network, inputs, targets, substrate)
        if not self.readout_only:
            return slope
        kept = {substrate.output.name, substrate.projections[-1].name}
        return {part: {n: x if n in kept else jnp.zeros_like(x) for n, x in entries.items()} for part, entries in slope.items()}

    def move(
        self, genes: Genes, network: Network, memory: Any, gradient: dict[str, dict[str, Array]], substrate: Substrate
    ) -> tuple[Network, Any]:
        # masks and the living are those of neurons; every number of a kernel exists
        free = replace(
            network,
            masks={name: jnp.ones_like(w) for name, w in network.weights.items()},
            alive={name: jnp.ones_like(b) for name, b in network.biases.items()},
        )
        moved, memory = super().move(genes, free, memory, gradient, substrate)
        return replace(network, weights=moved.weights, biases=moved.biases), memory

    def activity(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> dict[str, Array] | None:
        return activities(substrate, self.unfolded(state.network, substrate), inputs)

    def _run(self, network: Network, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, self.unfolded(network, substrate), inputs)
