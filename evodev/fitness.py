"""Lifetime log -> scalars. The only place for sign, cost terms and the handling of failure."""

from dataclasses import dataclass, field
from typing import Literal

import jax.numpy as jnp
import numpy as np

from evodev.lifetime import Energy, LifetimeLog
from evodev.pareto import merit
from evodev.types import Array, Curve, Float, Scalar

Batched = Float[Array | np.ndarray, "*lives probes"]

WITHOUT_PHASES = (
    "fitness: retention needs a task whose lives have phases, one that ends before the life does: continual-digits, or "
    "switching with probe: all"
)


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


def retention(log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
    """How much of what was reached on a phase is left at the end of the life, mean over the phases that ended before it.

    Score on the phase's own probe set at the end of the life less the score when the phase ended: the backward transfer of
    Lopez-Paz and Ranzato (2017, arXiv 1706.08840, eq. 3). Below 0 is forgetting; 0 is all retained, and also all that one
    can retain who never learned, so that it is to be read beside the score at the end.

    Raises:
        ValueError: for a life without such phases.
    """
    phases = log.phases
    earlier = np.flatnonzero(np.array(phases.ends if phases else ()) < schedule[-1])
    if phases is None or not len(earlier):
        raise ValueError(WITHOUT_PHASES)
    return (jnp.asarray(phases.score)[..., -1, earlier] - jnp.asarray(phases.reached)[..., earlier]).mean(-1)


MEASURES = ("aulc", "final", "slope", "jumpstart", "steps_to", "operations_to", "retention")
COSTS = ("operations", "synapses", "activity", "traffic")
"""What a life costs, as an objective: all but the share of active neurons in thousands, and with a minus."""


@dataclass(frozen=True)
class Fitness:
    """Higher is better.

    With ``objectives``, genomes are moved by all of them at once (:meth:`merit`). The champion is chosen by the scalar all the
    same: of the first front of a generation the genome of the highest scalar is the best, and validation compares it with the
    centre of the search by their scalars. The scalar is the say of whoever has to take one point of the trade-off.

    Attributes:
        measure: ``aulc`` (minus the mean loss over the life), ``final`` (minus the loss at its end), ``slope``
            (:func:`slope_aligned`), ``jumpstart`` (minus the loss at birth), ``steps_to`` (minus the steps to the threshold,
            those of the life where it is never reached), ``operations_to`` (minus the thousands of operations to it),
            ``retention`` (:func:`retention`, for tasks with phases).
        operations_cost: subtracted for each thousand synaptic operations that learning from one sample takes.
        worst: given to a failed life, and the least that any life can get, so that failing is never the better choice.
        also: further measures and the weights with which they are added.
        threshold: the score of ``steps_to`` and ``operations_to``.
        activity_cost: subtracted times the share of neurons that are active, mean over probes.
        traffic_cost: subtracted for each thousand synaptic operations that an answer needs, mean over probes.
        objectives: measures, and of the costs ``operations``, ``synapses``, ``activity``, ``traffic``, that genomes are ranked by
            (NSGA-II); the scalar alone if there are none.
    """

    measure: Literal["aulc", "final", "slope", "jumpstart", "steps_to", "operations_to", "retention"] = "aulc"
    operations_cost: float = 0.0
    worst: float = -100.0
    also: dict[str, float] = field(default_factory=dict)
    threshold: float = 0.9
    activity_cost: float = 0.0
    traffic_cost: float = 0.0
    objectives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for where, names in (("measure is", [self.measure]), ("also names", self.also)):
            for name in names:
                if name not in MEASURES:
                    raise ValueError(f"fitness: {where} {name!r}; one of {', '.join(MEASURES)}")
        if not np.isfinite(self.worst):
            raise ValueError("fitness: worst must be finite")
        for name in self.objectives:
            if name not in (*MEASURES, *COSTS):
                raise ValueError(f"fitness: objectives names {name!r}; out of {', '.join((*MEASURES, *COSTS))}")
        if len(self.objectives) == 1 or len(set(self.objectives)) < len(self.objectives):
            raise ValueError(
                f"fitness: objectives must be at least two different ones, or none; given {', '.join(self.objectives)}"
            )

    def __call__(self, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
        """Fitness of each life of a log, always finite."""
        value = self._measured(self.measure, log, schedule)
        for name, weight in self.also.items():
            value = value + weight * self._measured(name, log, schedule)
        value = value - self.operations_cost * log.operations / 1000
        if self.needs_ledger:
            energy = _energy(log)
            value = value - self.activity_cost * energy.active.mean(-1)
            value = value - self.traffic_cost * energy.traffic.mean(-1) / 1000
        return jnp.where(log.failed | ~jnp.isfinite(value), self.worst, jnp.maximum(value, self.worst))

    @property
    def needs_ledger(self) -> bool:
        """Whether a life has to be lived with ``ledger`` to be scored."""
        return self.activity_cost != 0 or self.traffic_cost != 0 or bool({"activity", "traffic"} & set(self.objectives))

    def merit(self, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, " genomes"]:
        """What the strategy is told of each genome of a population; the log has axes (genomes, lives).

        The scalar, mean over lives; with ``objectives`` :func:`evodev.pareto.merit` of :meth:`trade_off`: 0 or more for the
        first front and less for all others. That is relative to this population, so that a strategy which keeps fitness from
        one generation to the next (a genetic algorithm's elite) compares ranks in different populations.
        """
        return merit(self.trade_off(log, schedule)) if self.objectives else self(log, schedule).mean(1)

    def trade_off(self, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "genomes objectives"]:
        """Every objective of each genome, mean over its lives, higher is better, always finite.

        A failed life counts as ``worst`` in a measure, as in the scalar, and in a cost as the dearest life of the log.
        """
        return jnp.stack([self._objective(name, log, schedule).mean(1) for name in self.objectives], -1)

    def _objective(self, name: str, log: LifetimeLog, schedule: tuple[int, ...]) -> Float[Array, "*lives"]:
        value = -_spent(name, log) if name in COSTS else jnp.maximum(self._measured(name, log, schedule), self.worst)
        failed = jnp.asarray(log.failed) | ~jnp.isfinite(value)
        if name not in COSTS:
            return jnp.where(failed, self.worst, value)
        dearest = jnp.where(failed, 0.0, value).min()
        return jnp.where(failed, dearest, value)

    @property
    def needs_phases(self) -> bool:
        """Whether it can be told only of lives with phases."""
        return "retention" in (self.measure, *self.also, *self.objectives)

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
                return retention(log, schedule)


def _spent(cost: str, log: LifetimeLog) -> Float[Array, "*lives"]:
    """What a life costs: one of :data:`COSTS`."""
    match cost:
        case "operations":
            return jnp.asarray(log.operations) / 1000
        case "synapses":
            return jnp.asarray(log.synapses) / 1000
        case "activity":
            return jnp.asarray(_energy(log).active).mean(-1)
        case _:
            return jnp.asarray(_energy(log).traffic).mean(-1) / 1000


def _energy(log: LifetimeLog) -> Energy:
    if log.energy is None:
        raise ValueError(
            "fitness: activity and traffic, as costs or objectives, need a life whose activity was measured, and this learner "
            "does not tell its own; set both to 0 and leave both out of objectives, or choose another learner"
        )
    return log.energy


__all__ = [
    "COSTS",
    "MEASURES",
    "Batched",
    "Curve",
    "Fitness",
    "Scalar",
    "aulc",
    "jumpstart",
    "operations_to",
    "retention",
    "slope_aligned",
    "steps_to",
]
