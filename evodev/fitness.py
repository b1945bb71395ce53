"""Lifetime log -> scalars. The only place for sign, cost terms and the handling of failure."""

from dataclasses import dataclass, field
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


def operations_to(log: LifetimeLog, schedule: tuple[int, ...], threshold: float) -> tuple[Array, Array]:
    """Synaptic operations of learning until a probe first reaches a score, and whether none did; see :func:`steps_to`."""
    steps, censored = steps_to(log.score, schedule, threshold)
    return steps * log.batch * jnp.asarray(log.operations), censored


MEASURES = ("aulc", "final", "slope", "jumpstart", "steps_to", "operations_to", "online")


@dataclass(frozen=True)
class Fitness:
    """Higher is better.

    Attributes:
        measure: ``aulc`` (minus the mean loss over the life), ``final`` (minus the loss at its end), ``slope``
            (:func:`slope_aligned`), ``jumpstart`` (minus the loss at birth), ``steps_to`` (minus the steps to the threshold,
            those of the life where it is never reached), ``operations_to`` (minus the thousands of operations to it),
            ``online`` (minus the mean loss on the batches of the life, each answered before it was learned from).
        operations_cost: subtracted for each thousand synaptic operations that learning from one sample takes.
        worst: given to a failed life, and the least that any life can get, so that failing is never the better choice.
        also: further measures and the weights with which they are added.
        threshold: the score of ``steps_to`` and ``operations_to``.
        activity_cost: subtracted times the share of neurons that are active, mean over probes.
        traffic_cost: subtracted for each thousand synaptic operations that an answer needs, mean over probes.
    """

    measure: Literal["aulc", "final", "slope", "jumpstart", "steps_to", "operations_to", "online"] = "aulc"
    operations_cost: float = 0.0
    worst: float = -100.0
    also: dict[str, float] = field(default_factory=dict)
    threshold: float = 0.9
    activity_cost: float = 0.0
    traffic_cost: float = 0.0

    def __post_init__(self) -> None:
        for where, names in (("measure is", [self.measure]), ("also names", self.also)):
            for name in names:
                if name not in MEASURES:
                    raise ValueError(f"fitness: {where} {name!r}; one of {', '.join(MEASURES)}")
        if not np.isfinite(self.worst):
            raise ValueError("fitness: worst must be finite")

    def __call__(self, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
        """Fitness of each life of a log, always finite."""
        value = self._measured(self.measure, log, schedule)
        for name, weight in self.also.items():
            value = value + weight * self._measured(name, log, schedule)
        value = value - self.operations_cost * log.operations / 1000
        if self.needs_ledger:
            if log.energy is None:
                raise ValueError(
                    "fitness: activity_cost and traffic_cost need a life whose activity was measured, and this learner does "
                    "not tell its own; set both to 0 or choose another learner"
                )
            value = value - self.activity_cost * log.energy.active.mean(-1)
            value = value - self.traffic_cost * log.energy.traffic.mean(-1) / 1000
        return jnp.where(log.failed | ~jnp.isfinite(value), self.worst, jnp.maximum(value, self.worst))

    @property
    def needs_ledger(self) -> bool:
        """Whether a life has to be lived with ``ledger`` to be scored."""
        return self.activity_cost != 0 or self.traffic_cost != 0

    @property
    def needs_online(self) -> bool:
        """Whether a life has to be lived with ``online`` to be scored."""
        return "online" in (self.measure, *self.also)

    def _measured(self, name: str, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
        match name:
            case "aulc":
                return -aulc(log.loss, schedule)
            case "final":
                return -log.loss[..., -1]
            case "slope":
                return slope_aligned(log.loss, schedule)
            case "jumpstart":
                return -log.loss[..., 0]
            case "steps_to":
                return -steps_to(log.score, schedule, self.threshold)[0].astype(jnp.float32)
            case "operations_to":
                return -operations_to(log, schedule, self.threshold)[0] / 1000
            case _:
                if log.online is None:
                    raise ValueError("fitness: online needs a life whose batches were answered before they were learned from")
                return -log.online.mean(-1)


__all__ = ["MEASURES", "Batched", "Curve", "Fitness", "Scalar", "aulc", "jumpstart", "operations_to", "slope_aligned", "steps_to"]
