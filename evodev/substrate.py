"""The substrate: the fixed physics in which networks grow.

Named neuron populations with coordinates, and the projections allowed between them. A substrate is static and
hashable: it holds no arrays, only what is needed to make them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

ACTIVATIONS = ("linear", "relu", "abs", "tanh", "sin", "gauss", "softplus", "square", "gelu", "log", "exp")
NORMALISATIONS = ("none", "standard", "unit", "types")


@dataclass(frozen=True)
class Population:
    """A named set of neurons on a grid: ``types`` neurons at each grid position.

    Neuron ``p * types + t`` sits at position ``p`` (row-major) and is of type ``t``. Positions are the centres of the
    grid's cells in [-1, 1], one axis a grid dimension, so that populations of different resolution overlay each other.

    Attributes:
        name: unique in its substrate.
        grid: positions along each axis, for example ``(12, 12)`` or ``(40,)``.
        types: neurons at each position.
        activation: one of ``ACTIVATIONS``.
        normalisation: ``none``; ``standard`` (zero mean, unit variance over the population); ``unit`` (unit length);
            ``types`` (divisive: each position by .2 plus the root mean square of its types).
        at: coordinates of the positions, in the grid's order, where they are not those of a grid.
        winners: share of the neurons that may be active at once, those of the largest magnitude after activation; the
            others are silent (k winners take all). Before normalisation; 1 silences nobody.

    Raises:
        ValueError: for a name that cannot stand in a terminal, an XML file or an archive, an empty grid, an unknown
            activation or normalisation, coordinates that are not as many, or a share outside (0, 1].
    """

    name: str
    grid: tuple[int, ...]
    types: int = 1
    activation: str = "relu"
    normalisation: str = "none"
    at: tuple[tuple[float, ...], ...] | None = None
    winners: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isprintable() or self.name.startswith("/") or ".." in self.name.split("/"):
            raise ValueError(f"substrate: population name {self.name!r} must be printable, and no path that leads elsewhere")
        if not self.grid or min(self.grid) < 1 or self.types < 1:
            raise ValueError(f"substrate: population {self.name!r} has no neurons (grid {self.grid}, {self.types} types)")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"substrate: {self.name}.activation is {self.activation!r}; one of {', '.join(ACTIVATIONS)}")
        if self.normalisation not in NORMALISATIONS:
            known = ", ".join(NORMALISATIONS)
            raise ValueError(f"substrate: {self.name}.normalisation is {self.normalisation!r}; one of {known}")
        if not 0 < self.winners <= 1:
            raise ValueError(f"substrate: {self.name}.winners must be a share in (0, 1], given {self.winners}")
        if self.at is not None and (len(self.at) != math.prod(self.grid) or len({len(place) for place in self.at}) != 1):
            raise ValueError(
                f"substrate: {self.name}.at needs {math.prod(self.grid)} coordinates of one dimension, one a grid position; "
                f"given {len(self.at)}"
            )

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.grid) * self.types

    @cached_property
    def positions(self) -> np.ndarray:
        """Where the positions are, shape (positions, dimensions); in [-1, 1] on a grid."""
        if self.at is not None:
            return np.array(self.at, np.float32)
        axes = [(np.arange(n) + 0.5) / n * 2 - 1 for n in self.grid]
        return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=-1).astype(np.float32)

    @cached_property
    def coordinates(self) -> np.ndarray:
        """Where each neuron is, shape (n, dimensions)."""
        return np.repeat(self.positions, self.types, axis=0)

    @cached_property
    def places(self) -> np.ndarray:
        """Coordinates that tell all neurons apart: where there are several types, they are a further axis."""
        if self.types == 1:
            return self.coordinates
        kinds = (np.arange(self.types, dtype=np.float32) + 0.5) / self.types * 2 - 1
        return np.concatenate([self.coordinates, np.tile(kinds, self.size // self.types)[:, None]], axis=1)


@dataclass(frozen=True)
class Projection:
    """Synapses that may exist from one population to another.

    Attributes:
        pre: name of the population that sends.
        post: name of the population that receives.
        blank: a blank slate: not grown from the genome but born dense with zero weights, for a learner to write on.
            Right where the meaning of the outputs is drawn afresh in each life.
        kernel: path of the kernel that the projection stands for in somebody else's model (``models.from_params``).
    """

    pre: str
    post: str
    blank: bool = False
    kernel: str = ""

    @property
    def name(self) -> str:
        """``pre->post``."""
        return f"{self.pre}->{self.post}"


@dataclass(frozen=True)
class Substrate:
    """Populations in order (first the inputs, last the outputs) and the projections between them.

    A projection from an earlier to a later population is feedforward, skips included; any other is recurrent and
    reads the activity of the tick before.

    Attributes:
        populations: in the order in which a tick updates them.
        projections: at most one for each pair.
        ticks: sweeps over the populations for one input.
        modular: the projections are parts of a larger model that has its own way of passing activity between them
            (``models.from_params``). They need not make a path, the substrate has no forward pass of its own, and what
            joins inputs to outputs is that every projection has a synapse.

    Raises:
        ValueError: naming the field at fault: unknown or repeated populations, repeated projections, an output that no
            input can reach, a recurrent projection with a single tick.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    ticks: int = 1
    modular: bool = False

    def __post_init__(self) -> None:
        names = [p.name for p in self.populations]
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError(f"substrate: populations need two or more different names, given {names}")
        for projection in self.projections:
            for end in (projection.pre, projection.post):
                if end not in names:
                    raise ValueError(f"substrate: projection {projection.name} names {end!r}, not one of {', '.join(names)}")
        labels = [p.name for p in self.projections]
        if len(set(labels)) != len(labels):
            raise ValueError(f"substrate: projections repeat: {labels}")
        if any(p.post == names[0] for p in self.projections):
            raise ValueError(f"substrate: projections into the inputs {names[0]!r} would never be read; take them out")
        if self.ticks < 1 or (self.ticks == 1 and any(self.is_recurrent(p) for p in self.projections)):
            raise ValueError("substrate: ticks must be at least 2 with recurrent projections (1 without)")
        if not self.reaches({p.name: 1 for p in self.projections}):
            raise ValueError(f"substrate: no path from {names[0]!r} to {names[-1]!r}; add projections")

    @property
    def input(self) -> Population:
        """The population that is clamped to the input."""
        return self.populations[0]

    @property
    def output(self) -> Population:
        """The population that is read."""
        return self.populations[-1]

    @cached_property
    def depths(self) -> dict[str, float]:
        """How deep each population lies: its place in their order, from 0 (the inputs) to 1 (the outputs)."""
        return {p.name: i / (len(self.populations) - 1) for i, p in enumerate(self.populations)}

    @property
    def grown(self) -> tuple[Projection, ...]:
        """The projections that development fills, the others being blank slates."""
        return tuple(p for p in self.projections if not p.blank)

    @property
    def synapses(self) -> int:
        """Possible synapses of all projections: the denominator of density."""
        return sum(math.prod(self.shape(p)) for p in self.projections)

    def population(self, name: str) -> Population:
        """The population of that name."""
        return next(p for p in self.populations if p.name == name)

    def shape(self, projection: Projection) -> tuple[int, int]:
        """(pre, post) sizes of a projection."""
        return self.population(projection.pre).size, self.population(projection.post).size

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections that end in a population."""
        return tuple(p for p in self.projections if p.post == name)

    def is_recurrent(self, projection: Projection) -> bool:
        """Whether a projection reads the activity of the tick before."""
        names = [p.name for p in self.populations]
        return names.index(projection.pre) >= names.index(projection.post)

    def reaches(self, counts: Mapping[str, Any]) -> bool:
        """Whether a path of projections with a synapse (a positive count) leads from the inputs to the outputs.

        In a modular substrate: whether every projection has a synapse.
        """
        if self.modular:
            return all(counts[p.name] > 0 for p in self.projections)
        seen, frontier = {self.input.name}, [self.input.name]
        while frontier:
            here = frontier.pop()
            for projection in self.projections:
                if projection.pre == here and projection.post not in seen and counts[projection.name] > 0:
                    seen.add(projection.post)
                    frontier.append(projection.post)
        return self.output.name in seen


def mlp(sizes: tuple[int, ...], *, activation: str = "relu", skip: bool = False, blank_readout: bool = False) -> Substrate:
    """A chain of one-dimensional populations, inputs first.

    Args:
        sizes: neurons a layer, two or more layers.
        activation: of the hidden layers; the outputs are linear.
        skip: also project the inputs straight to the outputs.
        blank_readout: make every projection into the outputs a blank slate.

    Raises:
        ValueError: for fewer than two layers.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes: at least inputs and outputs, given {sizes}")
    last = len(sizes) - 1
    names = ["input", *[f"hidden{i}" for i in range(1, last)], "output"]
    acts = ["linear", *[activation] * (last - 1), "linear"]
    populations = tuple(Population(n, (s,), activation=a) for n, s, a in zip(names, sizes, acts, strict=True))
    pairs = list(pairwise(names)) + ([("input", "output")] if skip and last > 1 else [])
    return Substrate(populations, tuple(Projection(a, b, blank_readout and b == "output") for a, b in pairs))


def recurrent(inputs: int, hidden: int, outputs: int, *, ticks: int = 5, activation: str = "tanh") -> Substrate:
    """Inputs, one fully recurrent hidden population, outputs; ``ticks`` sweeps an input."""
    populations = (
        Population("input", (inputs,), activation="linear"),
        Population("hidden", (hidden,), activation=activation),
        Population("output", (outputs,), activation="linear"),
    )
    pairs = (("input", "hidden"), ("hidden", "hidden"), ("hidden", "output"))
    return Substrate(populations, tuple(Projection(a, b) for a, b in pairs), ticks)


def complete(inputs: int, hidden: int, outputs: int, *, ticks: int = 5, activation: str = "tanh") -> Substrate:
    """Three populations and every projection that does not end in the inputs, recurrent ones included.

    A tick is W^T s through the activation, outputs too, with the inputs clamped; ``hidden`` is the most there can be.
    """
    populations = (
        Population("input", (inputs,), activation="linear"),
        Population("hidden", (hidden,), activation=activation),
        Population("output", (outputs,), activation=activation),
    )
    names = [p.name for p in populations]
    return Substrate(populations, tuple(Projection(a, b) for b in names[1:] for a in names), ticks)
