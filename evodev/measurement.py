"""One arm lives the lives of a comparison, and what is written down of it: curves, scores, objectives, with intervals."""

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines import Arm, Setting
from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import choose_chunk
from evodev.devices import device_count
from evodev.evaluation import live_subjects
from evodev.fitness import Fitness, aulc, jumpstart, operations_to, retention, slope_aligned, steps_to
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.pareto import fronts
from evodev.statistics import interval
from evodev.tasks import SPLITS, Acting, Life, Split, World
from evodev.types import Key

OBJECTIVES = ("aulc", "operations")
"""What arms are compared by, all at once, where the fitness names no objectives."""


@dataclass(frozen=True)
class Comparison:
    """How arms are compared.

    Attributes:
        lives: held-out lives that every arm lives.
        split: family of those lives.
        thresholds: scores for samples-to-threshold.
        bootstrap: resamples behind an interval.
        evolve_baselines: also evolve hyperparameters of backprop (the strongest and slowest baselines).
        levels: arms that also live nearer and further lives than the compared family (:mod:`evodev.levels`): ``evolved``
            ones and references, ``all``, or ``none``.
    """

    lives: int = 192
    split: Split = "test"
    thresholds: tuple[float, ...] = (0.5, 0.7, 0.9)
    bootstrap: int = 1000
    evolve_baselines: bool = True
    levels: Literal["evolved", "all", "none"] = "evolved"

    def __post_init__(self) -> None:
        if self.lives < 2:
            raise ValueError(f"comparison: lives must be at least 2, given {self.lives}")
        if self.split not in SPLITS:
            raise ValueError(f"comparison: split is {self.split!r}; one of {', '.join(SPLITS)}")
        if self.bootstrap < 100:
            raise ValueError(f"comparison: bootstrap must be at least 100, given {self.bootstrap}")
        if self.levels not in ("evolved", "all", "none"):
            raise ValueError(f"comparison: levels is {self.levels!r}; one of evolved, all, none")


def live_arm(arm: Arm, setting: Setting, lives: Life | World, *, key: Key) -> LifetimeLog:
    """Logs of one arm, a life each along the first axis."""
    count = jax.tree.leaves(lives)[0].shape[0]
    if arm.known is not None:
        probes = len(probe_steps(setting.task.steps, setting.schedule.probes))
        told: list[Any] = [np.full((count, probes), value) for value in arm.known]
        none: Any = np.zeros(count)
        return LifetimeLog(told[0], told[1], none, none, none > 0, batch=setting.task.batch)
    # what fits the cache depends on the learner and the substrate, not on how the network came about
    like = Organism(arm.substrate, RandomNetwork(), arm.learner)
    log = live_subjects(
        arm.develop, jax.tree.map(lambda x: jnp.asarray(x)[None], arm.subject), arm.learner, arm.substrate,
        setting.task, lives, probe_steps(setting.task.steps, setting.schedule.probes),
        key=key, stochastic=arm.stochastic, chunk=choose_chunk(like, setting.task, subjects=1, lives=count),
        devices=device_count(count), ledger=True, online=setting.fitness.needs_online,
    )  # fmt: skip
    return jax.tree.map(lambda x: np.asarray(x)[0], log)


def worst_where_failed(loss: Any, setting: Setting) -> np.ndarray:
    """Losses in which a diverged life counts as the worst that fitness allows, so that it stays in every mean."""
    loss = np.asarray(loss)
    return np.where(np.isfinite(loss), np.minimum(loss, -setting.fitness.worst), -setting.fitness.worst)


def scalar(values: Any, bootstrap: int) -> dict[str, float]:
    """Mean over lives with its interval."""
    mean, low, high = interval(np.asarray(values, np.float64), bootstrap)
    return {"value": float(mean), "lo": float(low), "hi": float(high)}


def measure(arm: Arm, log: LifetimeLog, setting: Setting, config: Comparison) -> dict[str, Any]:
    """One arm's entry of comparison.json, with intervals over lives."""
    schedule = probe_steps(setting.task.steps, setting.schedule.probes)
    loss, score = np.asarray(log.loss), np.asarray(log.score)
    loss = worst_where_failed(loss, setting)
    score = np.where(np.isfinite(score), score, 0.0)

    def summary(values: np.ndarray) -> dict[str, Any]:
        mean, low, high = interval(np.asarray(values, np.float64), config.bootstrap)
        return {"mean": mean.tolist(), "lo": low.tolist(), "hi": high.tolist()}

    curves: dict[str, Any] = {}
    scores: dict[str, Any] = {"synops_per_sample": float(np.mean(np.asarray(log.operations)))}
    if log.energy is not None:
        spent = {name: getattr(log.energy, name) for name in ("active", "traffic", "updates", "dense")}
        # curves are told by where the life ends
        ends = {name: np.asarray(values).reshape(len(loss), -1)[:, -1] for name, values in spent.items()}
        scores["energy"] = {name: scalar(np.nan_to_num(values), config.bootstrap) for name, values in ends.items()}
    if arm.has_loss:
        curves["loss"] = summary(loss)
        scores["aulc"] = scalar(aulc(cast(Any, loss), schedule), config.bootstrap)
        scores["jumpstart"] = scalar(jumpstart(cast(Any, loss), setting.task.ignorant_loss), config.bootstrap)
        scores["slope_aligned"] = scalar(slope_aligned(cast(Any, loss), schedule), config.bootstrap)
        scores["asymptote"] = scalar(loss[:, -1], config.bootstrap)
    if log.phases is not None:
        # scores of a regression are losses below zero: a diverged life counts as the worst here too
        left = np.asarray(retention(log, schedule))
        worst = setting.fitness.worst
        scores["retention"] = scalar(np.where(np.isfinite(left), np.maximum(left, worst), worst), config.bootstrap)
    if log.online is not None:
        scores["online"] = scalar(worst_where_failed(np.asarray(log.online).mean(1), setting), config.bootstrap)
    if setting.task.problem == "classification":
        curves["accuracy"] = summary(score)
    if isinstance(setting.task, Acting):
        # where worlds differ in what can be had, a return says nothing but where between the two it lies
        ignorant, perfect = setting.task.span or (0.0, 1.0)
        curves["return"] = summary(ignorant + (perfect - ignorant) * score)
    if setting.task.problem != "regression":
        scores["samples_to"], scores["operations_to"] = {}, {}
        for threshold in config.thresholds:
            steps, censored = steps_to(cast(Any, jnp.asarray(score)), schedule, threshold)
            scores["samples_to"][str(threshold)] = {
                **scalar(steps, config.bootstrap),
                "censored": float(np.mean(np.asarray(censored))),
            }
            spent = scalar(operations_to(log, schedule, threshold)[0], config.bootstrap)
            scores["operations_to"][str(threshold)] = spent | {"censored": float(np.mean(np.asarray(censored)))}
    synapses = float(np.mean(np.asarray(log.synapses)))
    return {
        "role": arm.role,
        "synapses": round(synapses),
        "density": synapses / (arm.substrate.synapses + arm.learner.memory(arm.substrate)),
        "genome_size": arm.genome_size,
        "tuning_lives": arm.tuning_lives,
        "failed": float(np.mean(np.asarray(log.failed))),
        # a reference has no network that could be empty
        "collapsed": 0.0 if arm.role == "reference" or log.collapsed is None else float(np.mean(np.asarray(log.collapsed))),
        "note": arm.note,
        "curves": curves,
        "scores": scores,
    }


def trade_off(log: LifetimeLog, fitness: Fitness, schedule: tuple[int, ...]) -> dict[str, float] | None:
    """Every objective of an arm, mean over lives, higher is better; see :meth:`evodev.fitness.Fitness.trade_off`.

    None for an arm that does not tell what an objective needs.
    """
    # costs of the scalar may need a ledger that the objectives do not
    fitness = replace(fitness, objectives=fitness.objectives or OBJECTIVES, activity_cost=0.0, traffic_cost=0.0)
    if fitness.needs_ledger and log.energy is None:
        return None
    told = log if fitness.needs_ledger else replace(log, energy=None)
    point = np.asarray(fitness.trade_off(jax.tree.map(lambda x: jnp.asarray(x)[None], told), schedule), np.float64)[0]
    return dict(zip(fitness.objectives, point.tolist(), strict=True))


def mark_front(arms: dict[str, dict[str, Any]]) -> None:
    """Write ``pareto`` into each arm with ``objectives``: does no other do as well in all of them and better in one?"""
    for arm in arms.values():
        arm.pop("pareto", None)
    known = {name: list(arm["objectives"].values()) for name, arm in arms.items() if arm.get("objectives")}
    for name, front in zip(known, fronts(jnp.array(list(known.values()))).tolist() if known else [], strict=True):
        arms[name]["pareto"] = front == 0
