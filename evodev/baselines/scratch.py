"""What arms that learn by backprop from scratch share: the grid on validation, widths, and weights for a given fan-in."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from evodev.baselines.base import Arm, Baseline, Report, Setting, arm_of
from evodev.baselines.random_networks import best_of_grid, rule_of
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.organism import Organism
from evodev.substrate import Population, Substrate
from evodev.tasks import Task
from evodev.types import Array, Key, Scalar


class Scratch(Baseline):
    """Random weights that learn by backprop at the best of a grid of rates and initial scales; a leaf says in which network.

    A leaf is a frozen dataclass with the field below.

    Attributes:
        lives: validation lives a grid point.
    """

    # declared, not a field: a leaf gives it its place and default
    lives: int
    routine: ClassVar[bool] = False

    @abstractmethod
    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        """What lives; ``width`` multiplies the neurons of every hidden population that it would have."""

    @abstractmethod
    def about(self, setting: Setting, organism: Organism) -> str:
        """The network in one phrase."""

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = self.organism(setting, key=key)
        genome, chosen, lives = best_of_grid(setting, organism, lives=self.lives)
        say(f"{name}: {chosen}")
        note = f"{rule_of(setting)}{self.about(setting, organism)}; grid of 30 on validation; {chosen}"
        return arm_of(name, organism, genome, lives=lives, note=note)


def feed_forward(substrate: Substrate) -> bool:
    """Whether activity only moves on, through something hidden."""
    hidden = len(substrate.populations) > 2
    return hidden and not substrate.modular and not any(substrate.is_recurrent(p) for p in substrate.projections)


def spatial(task: Task) -> bool:
    """Whether the inputs lie in a space of one or two dimensions; a task that says nothing of it has no neighbourhoods."""
    return type(task).grid is not Task.grid and len(task.grid) in (1, 2)


def narrowed(substrate: Substrate, width: float) -> Substrate:
    """The same populations and projections with ``width`` times the hidden neurons, at least one a population.

    Where there are several neurons at a position these become fewer, so that positions stay; else the population becomes a
    line.
    """
    if width == 1:
        return substrate

    def few(p: Population) -> Population:
        if p.types > 1:
            return replace(p, types=max(1, round(p.types * width)))
        return replace(p, grid=(max(1, round(p.size * width)),), at=None)

    first, *hidden, last = substrate.populations
    return replace(substrate, populations=(first, *map(few, hidden), last))


def widest(count: Callable[[float], int], budget: int, most: float = 1.0) -> float:
    """The largest width up to ``most`` at which there are no more synapses than the budget; about 0 if there is none.

    Args:
        count: width -> synapses, never falling.
        budget: synapses.
        most: the largest width to be had.
    """
    if count(most) <= budget:
        return most
    low, high = 0.0, most
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return low


def scales(substrate: Substrate) -> GenomeSpec:
    """A gene a projection: the logarithm of what its weights at birth are multiplied by."""
    return spec_of([Gene(f"{p.name}/log_scale", (), 0.0, 0.5) for p in substrate.projections])


def uniform(shape: tuple[int, ...], fan_in: Array, log_scale: Scalar, *, key: Key) -> Array:
    """Uniform weights of the variance of He et al. 2015 for this fan-in, times a scale."""
    drawn = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
    return drawn * jnp.exp(jnp.clip(log_scale, -10.0, 5.0)) * jnp.sqrt(6 / jnp.maximum(fan_in, 1))
