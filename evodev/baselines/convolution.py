"""Convolutional networks from scratch: local receptive fields whose weights all positions share."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from evodev.baselines.base import Setting
from evodev.baselines.kernels import Convolving, Grid, Kernels, Window
from evodev.baselines.scratch import Scratch, spatial, widest
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Key


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
