"""Lifetime log -> scalars. The only place for sign, cost terms and the handling of failure."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np

from evodev.lifetime import LifetimeLog
from evodev.types import Array, Curve, Float, Scalar

Batched = Float[Array | np.ndarray, "*lives probes"]


def aulc(loss: Batched, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
    """Mean loss over a life after birth: trapezoids between probes, linear in steps; lower is better.

    With a single probe after birth it is the loss there.
    """
    loss, steps = jnp.asarray(loss), np.asarray(schedule[1:], np.float32)
    if len(steps) == 1:
        return loss[..., 1]
    widths = np.diff(steps)
    return ((loss[..., 1:-1] + loss[..., 2:]) / 2 * widths).sum(-1) / widths.sum()


def jumpstart(loss: Batched, ignorant_loss: float) -> Float[Array, "*lives"]:
    """How far below ignorance the loss is at birth, before any sample."""
    return ignorant_loss - jnp.asarray(loss)[..., 0]


def slope_aligned(loss: Batched, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
    """Fall of the loss a doubling of samples: least squares on log2(steps), from the first probe after birth.

    The start is subtracted first, so that a head start does not count as faster learning; higher is better.
    """
    x = np.log2(np.asarray(schedule[1:], np.float32))
    aligned = jnp.asarray(loss)[..., 1:] - jnp.asarray(loss)[..., 1:2]
    # a line through the aligned start, the origin
    return -(aligned * x).sum(-1) / max(float((x * x).sum()), 1e-9)


def steps_to(score: Batched, schedule: tuple[int, ...], threshold: float) -> tuple[Array, Array]:
    """Steps until a probe first reaches a score, and whether none did.

    A life that never does is censored: it is given the length of the life, and counted in the second result.
    """
    reached = jnp.asarray(score) >= threshold
    censored = ~reached.any(-1)
    first = jnp.asarray(schedule)[reached.argmax(-1)]
    return jnp.where(censored, schedule[-1], first), censored


@dataclass(frozen=True)
class Fitness:
    """Higher is better.

    Attributes:
        measure: ``aulc`` (minus the mean loss over the life), ``final`` (minus the loss at its end), ``slope``
            (:func:`slope_aligned`).
        operations_cost: subtracted for each thousand synaptic operations that learning from one sample takes.
        worst: given to a failed life, and the least that any life can get, so that failing is never the better choice.
    """

    measure: Literal["aulc", "final", "slope"] = "aulc"
    operations_cost: float = 0.0
    worst: float = -100.0

    def __post_init__(self) -> None:
        if self.measure not in ("aulc", "final", "slope"):
            raise ValueError(f"fitness: measure is {self.measure!r}; one of aulc, final, slope")
        if not np.isfinite(self.worst):
            raise ValueError("fitness: worst must be finite")

    def __call__(self, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
        """Fitness of each life of a log, always finite."""
        match self.measure:
            case "aulc":
                value = -aulc(log.loss, schedule)
            case "final":
                value = -log.loss[..., -1]
            case "slope":
                value = slope_aligned(log.loss, schedule)
        value = value - self.operations_cost * log.operations / 1000
        return jnp.where(log.failed | ~jnp.isfinite(value), self.worst, jnp.maximum(value, self.worst))


__all__ = ["Batched", "Curve", "Fitness", "Scalar", "aulc", "jumpstart", "slope_aligned", "steps_to"]
