"""Convolutional networks from scratch: local receptive fields whose weights all positions share."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Setting
from evodev.baselines.scratch import Scratch, scales, spatial, uniform, widest
from evodev.genome import GenomeSpec
from evodev.learners import Gradient
from evodev.network import KernelWeights, Network, activities, forward
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate
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


@dataclass(frozen=True)
class Convolutional(Scratch):
    """Convolutions with strides and relu, then a dense read-out; as many channels as the champion's synapses allow.

    A weight that is shared counts as a synapse at each position where it is used, as it does in the champion.

    Attributes:
        channels: of each layer; only their proportions count if fitted.
        kernels: side of each layer's windows.
        strides: of each layer.
        paddings: of each layer; half the side of its windows if not given.
        fitted: multiply the channels so that there are at most as many synapses as the champion has (and one channel at least).
        readout_only: random features: kernels stay as they are drawn, and only the read-out learns.
        lives: validation lives a grid point.
    """

    channels: tuple[int, ...] = (16, 32)
    kernels: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] = (2, 2)
    paddings: tuple[int, ...] | None = None
    fitted: bool = True
    readout_only: bool = False
    lives: int = 8

    def __post_init__(self) -> None:
        layers = {"kernels": self.kernels, "strides": self.strides, "paddings": self.paddings or self.channels}
        for name, given in layers.items():
            if len(given) != len(self.channels) or not self.channels:
                raise ValueError(f"baseline: {name} {given} must be one a layer, as channels {self.channels}")

    def applies(self, setting: Setting) -> bool:
        supervised = setting.task.problem in ("classification", "regression")
        return supervised and spatial(setting.task) and min(self.windows(setting.task.grid)[-1].over) > 0

    def windows(self, grid: Grid) -> tuple[Window, ...]:
        """One a layer, for inputs on this grid."""
        windows: list[Window] = []
        for size, stride, padding in zip(
            self.kernels, self.strides, self.paddings or [k // 2 for k in self.kernels], strict=True
        ):
            windows.append(Window(windows[-1].over if windows else grid, size, stride, padding))
        return tuple(windows)

    def substrate(self, grid: Grid, outputs: int, width: float = 1.0) -> Substrate:
        """Inputs on this grid, a population a layer with ``width`` times its channels for types, and outputs."""
        layers = [
            Population(f"layer{i}", window.over, max(1, round(width * many)))
            for i, (window, many) in enumerate(zip(self.windows(grid), self.channels, strict=True), 1)
        ]
        first, last = Population("input", grid, activation="linear"), Population("output", (outputs,), activation="linear")
        chain = (first, *layers, last)
        return Substrate(chain, tuple(Projection(a.name, b.name, blank=b == last) for a, b in pairwise(chain)))

    def synapses(self, substrate: Substrate) -> int:
        """Uses of weights in such a substrate."""
        types = [p.types for p in substrate.populations]
        windows = self.windows(substrate.input.grid)
        shared = sum(round(w.basis.sum()) * a * b for w, a, b in zip(windows, types, types[1:], strict=False))
        return shared + prod(substrate.shape(substrate.projections[-1]))

    def weights(self, substrate: Substrate) -> int:
        """Different weights in it."""
        types = [p.types for p in substrate.populations]
        windows = self.windows(substrate.input.grid)
        kernels = sum(w.basis.shape[2] * a * b for w, a, b in zip(windows, types, types[1:], strict=False))
        return kernels + prod(substrate.shape(substrate.projections[-1]))

    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        task = setting.task
        if self.fitted:
            width *= widest(lambda w: self.synapses(self.substrate(task.grid, task.outputs, w)), setting.synapses, most=1e4)
        windows = self.windows(task.grid)
        loss = "cross_entropy" if task.problem == "classification" else "squared_error"
        learner = Convolving(loss=loss, heads=task.heads, windows=windows, readout_only=self.readout_only)
        return Organism(self.substrate(task.grid, task.outputs, width), Kernels(windows), learner)

    def about(self, setting: Setting, organism: Organism) -> str:
        substrate = organism.substrate
        channels = " x ".join(str(p.types) for p in substrate.populations[1:-1])
        counts = f"{self.weights(substrate):,} weights make {self.synapses(substrate):,} synapses"
        return f"{channels} channels, {counts}{', only the read-out learns' if self.readout_only else ''}"
