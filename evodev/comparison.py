"""Arms on equal lives: curves with intervals, scores, and both ledgers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines import BASELINES, Arm, Setting
from evodev.baselines.base import Baseline, Report
from evodev.baselines.factorial import effects
from evodev.baselines.random_networks import RandomNetwork
from evodev.compactness import compactness
from evodev.evaluation import choose_chunk, device_count, live_subjects, sample_lives
from evodev.fitness import Fitness, aulc, jumpstart, operations_to, retention, slope_aligned, steps_to
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.pareto import fronts
from evodev.statistics import interval
from evodev.tasks import SPLITS, Acting, Life, Split, World
from evodev.types import Genome, Key

SCHEMA_VERSION = 1
CHAMPION = "evolved champion"
CENTROID = "evolved centroid"
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
    """

    lives: int = 192
    split: Split = "test"
    thresholds: tuple[float, ...] = (0.5, 0.7, 0.9)
    bootstrap: int = 1000
    evolve_baselines: bool = True

    def __post_init__(self) -> None:
        if self.lives < 2:
            raise ValueError(f"comparison: lives must be at least 2, given {self.lives}")
        if self.split not in SPLITS:
            raise ValueError(f"comparison: split is {self.split!r}; one of {', '.join(SPLITS)}")
        if self.bootstrap < 100:
            raise ValueError(f"comparison: bootstrap must be at least 100, given {self.bootstrap}")


def champion_arms(organism: Organism, champion: Genome, centroid: Genome) -> list[Arm]:
    """The evolved champion and the centre of the search."""
    size = organism.genome_spec.size
    return [
        Arm(
            name=name,
            role="evolved",
            subject=genome,
            develop=organism.hatch,
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=organism.decoder.stochastic,
            genome_size=size,
            note=note,
        )
        for name, genome, note in (
            (CHAMPION, champion, "best on validation"),
            (CENTROID, centroid, "mean of the final search distribution"),
        )
    ]


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
        "note": arm.note,
        "curves": curves,
        "scores": scores,
    }


def trade_offs(logs: Mapping[str, LifetimeLog], fitness: Fitness, schedule: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Every objective of each arm, mean over lives, higher is better; see :meth:`evodev.fitness.Fitness.trade_off`.

    An arm that does not tell what an objective needs has none.
    """
    # costs of the scalar may need a ledger that the objectives do not
    fitness = replace(fitness, objectives=fitness.objectives or OBJECTIVES, activity_cost=0.0, traffic_cost=0.0)
    if fitness.needs_ledger:
        told = {name: log for name, log in logs.items() if log.energy is not None}
    else:
        told = {name: replace(log, energy=None) for name, log in logs.items()}
    if not told:
        return {}
    together = jax.tree.map(lambda *arms: jnp.stack(arms), *told.values())
    points = np.asarray(fitness.trade_off(together, schedule), np.float64)
    return {name: dict(zip(fitness.objectives, own.tolist(), strict=True)) for name, own in zip(told, points, strict=True)}


def mark_front(arms: dict[str, dict[str, Any]]) -> None:
    """Write ``pareto`` into each arm with ``objectives``: does no other do as well in all of them and better in one?"""
    for arm in arms.values():
        arm.pop("pareto", None)
    known = {name: list(arm["objectives"].values()) for name, arm in arms.items() if arm.get("objectives")}
    for name, front in zip(known, fronts(jnp.array(list(known.values()))).tolist() if known else [], strict=True):
        arms[name]["pareto"] = front == 0


def asked_for(names: Sequence[str] | None) -> dict[str, Baseline]:
    """Baselines in their order: the routine ones for None, those named (in capitals or not), or every one for ``all``.

    A name may be that of a group (``factorial``).

    Raises:
        ValueError: for a name that no baseline has.
    """
    if names is None:
        return {name: baseline for name, baseline in BASELINES.items() if baseline.routine}
    known, wanted = {name.lower(): name for name in BASELINES}, {name.lower() for name in names}
    groups = {baseline.group for baseline in BASELINES.values()} - {""}
    for name in sorted(wanted - set(known) - groups - {"all"}):
        near = [known[n] for n in get_close_matches(name, list(known), n=1)]
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"arms: no baseline {name!r}; {hint}Known: all, {', '.join([*sorted(groups), *BASELINES])}")
    return {name: baseline for name, baseline in BASELINES.items() if wanted & {"all", name.lower(), baseline.group}}


def compare(
    organism: Organism,
    champion: Genome,
    centroid: Genome,
    setting_of: dict[str, Any],
    config: Comparison,
    *,
    names: Sequence[str] | None = None,
    arms: Sequence[Arm] = (),
    seed: int = 0,
    say: Report = lambda line: None,
) -> dict[str, Any]:
    """Tune the baselines, let every arm live the same held-out lives, and write down curves, scores and ledgers.

    Args:
        organism: the champion's.
        champion: genome of the champion.
        centroid: genome at the centre of the search.
        setting_of: the other fields of :class:`evodev.baselines.Setting`.
        config: how to compare.
        names: baselines as :func:`asked_for`; those that make no sense here are left out.
        arms: further arms of one's own.
        seed: root of all keys here.
        say: takes lines of progress.

    Returns:
        The contents of comparison.json (schema_version 1).

    Raises:
        ValueError: for a name that no baseline has.
    """
    chosen = asked_for(names)
    root = jax.random.key(seed)
    key_lives, key_run, key_build = jax.random.split(jax.random.fold_in(root, 0xC0), 3)
    own = champion_arms(organism, champion, centroid)
    grow = jax.jit(lambda g: organism.develop(g, key=key_build)[0])
    network = grow(champion)
    synapses = int(sum(np.asarray(mask).sum() for mask in network.masks.values())) + organism.learner.memory(organism.substrate)
    setting = Setting(
        organism=organism, champion=champion, synapses=synapses, evolve=config.evolve_baselines, seed=seed, **setting_of
    )
    task = setting.task
    samples = task.steps * task.batch
    schedule = probe_steps(task.steps, setting.schedule.probes)
    areas: dict[str, np.ndarray] = {}
    logs: dict[str, LifetimeLog] = {}
    lives = sample_lives(setting.task, config.split, config.lives, key=key_lives)
    report: dict[str, Any] = {}
    every: list[tuple[str, Any]] = [(arm.name, arm) for arm in [*own, *arms]]
    every += [(n, b) for n, b in chosen.items() if b.applies(setting)]
    for index, (name, item) in enumerate(every):
        began = time.perf_counter()
        key_arm = jax.random.fold_in(key_build, index)
        arm = item if isinstance(item, Arm) else item.build(name, setting, key=key_arm, say=say)
        tuned = time.perf_counter()
        log = live_arm(arm, setting, lives, key=key_run)
        report[name] = measure(arm, log, setting, config)
        if arm.has_loss:
            # a reference has no network whose cost could be set against its loss
            logs |= {name: log} if arm.role != "reference" else {}
            areas[name] = np.asarray(aulc(cast(Any, worst_where_failed(log.loss, setting)), schedule), np.float64)
            # the same lives, so that the difference life by life is what tells arms apart
            report[name]["scores"]["aulc_minus_champion"] = scalar(areas[name] - areas[CHAMPION], config.bootstrap)
        if index < len(own):
            grown = grow(arm.subject)
            report[name]["compactness"] = compactness(organism.genome_spec, organism.substrate, grown).plain()
        report[name]["seconds"] = {"tuning": tuned - began, "lives": time.perf_counter() - tuned}
        say(f"{name}: done")
    for name, point in trade_offs(logs, setting.fitness, schedule).items():
        report[name]["objectives"] = point
    mark_front(report)
    return {
        "schema_version": SCHEMA_VERSION,
        "task": type(task).__name__,
        "split": config.split,
        "unit": task.unit,
        "problem": task.problem,
        "intervals": f"95% bootstrap over {config.lives} lives of one search",
        "samples": list(schedule),
        "samples_per_step": task.batch,
        "chance": 1 / task.outputs if task.problem == "classification" else None,
        "ignorant_loss": task.ignorant_loss,
        "span": list(task.span) if isinstance(task, Acting) and task.span else None,
        "held_out": task.held_out,
        "arms": report,
        "factorial": effects(areas, config.bootstrap),
        "ledger": ledger(setting, report, samples),
        "comparison": asdict(config),
    }


def ledger(setting: Setting, report: dict[str, Any], samples: int) -> dict[str, Any]:
    """Both ledgers: what the search and the tuning of baselines cost, and when the search has paid for itself.

    ``break_even_lives`` is the number of test lives after which the labelled samples saved by the champion, against the
    best tuned backprop, outweigh those that the search consumed beyond the baseline's tuning. A life saves the samples
    by which the champion reaches the baseline's final loss earlier. It is None where the champion's AULC is no better.
    """
    spent = setting.budget
    rivals = {n: a for n, a in report.items() if a["role"] == "baseline" and "aulc" in a["scores"] and a["tuning_lives"]}
    out: dict[str, Any] = {
        "outer_lifetimes": spent,
        "outer_samples": spent * samples,
        "baseline_tuning_lifetimes": sum(a["tuning_lives"] for a in rivals.values()),
        "break_even_lives": None,
        "best_baseline": None,
    }
    if not rivals:
        return out
    name = min(rivals, key=lambda n: rivals[n]["scores"]["aulc"]["value"])
    out["best_baseline"] = name
    steps = np.array(probe_steps(setting.task.steps, setting.schedule.probes), float)
    own, rival = (np.array(report[n]["curves"]["loss"]["mean"]) for n in (CHAMPION, name))
    saved = samples_saved(steps, own, rival) * setting.task.batch
    better = report[CHAMPION]["scores"]["aulc"]["value"] < rivals[name]["scores"]["aulc"]["value"]
    if saved > 0 and better:
        out["samples_saved_per_life"] = saved
        out["break_even_lives"] = max(0.0, (spent - rivals[name]["tuning_lives"]) * samples / saved)
    return out


def samples_saved(steps: np.ndarray, own: np.ndarray, rival: np.ndarray) -> float:
    """Steps by which ``own`` reaches the rival's final loss earlier than the rival did; 0 if it never reaches it.

    Linear between probes. What lies beyond the end of the rival's life is not extrapolated, so that this is a lower
    bound when ``own`` is better throughout.
    """
    goal = rival[-1]
    below = np.flatnonzero(own <= goal)
    if not len(below):
        return 0.0
    i = below[0]
    if i == 0:
        return float(steps[-1])
    share = (own[i - 1] - goal) / max(own[i - 1] - own[i], 1e-12)
    return float(steps[-1] - (steps[i - 1] + share * (steps[i] - steps[i - 1])))


def across_runs(comparisons: Sequence[dict[str, Any]], bootstrap: int = 1000) -> dict[str, Any]:
    """Comparisons of several searches that differ in their seed -> one, with intervals over seeds.

    Raises:
        ValueError: if they are of different tasks, families or probe schedules.
    """
    first = comparisons[0]
    for other in comparisons[1:]:
        for name in ("task", "split", "samples"):
            if other[name] != first[name]:
                raise ValueError(f"compare: runs differ in {name}: {first[name]} and {other[name]}; compare like with like")

    def merge(values: list[Any]) -> Any:
        if isinstance(values[0], dict) and {"value", "lo", "hi"} <= set(values[0]):
            mean, low, high = interval(np.array([v["value"] for v in values]), bootstrap)
            extra = {k: merge([v[k] for v in values]) for k in values[0] if k not in ("value", "lo", "hi")}
            return {"value": float(mean), "lo": float(low), "hi": float(high), **extra}
        if isinstance(values[0], dict) and {"mean", "lo", "hi"} <= set(values[0]):
            mean, low, high = interval(np.array([v["mean"] for v in values]), bootstrap)
            return {"mean": mean.tolist(), "lo": low.tolist(), "hi": high.tolist()}
        if isinstance(values[0], dict):
            return {k: merge([v[k] for v in values]) for k in values[0] if all(k in v for v in values)}
        if all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            return round(float(np.mean(values)))
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            return float(np.mean(values))
        # what is not the same in all runs has no one value
        return values[0] if all(v == values[0] for v in values) else None

    shared = [n for n in first["arms"] if all(n in c["arms"] for c in comparisons)]
    arms = {name: merge([c["arms"][name] for c in comparisons]) for name in shared}
    mark_front(arms)
    whole = [name for name in shared if all("aulc" in c["arms"][name].get("scores", {}) for c in comparisons)]
    areas = {name: np.array([c["arms"][name]["scores"]["aulc"]["value"] for c in comparisons]) for name in whole}
    return {
        **first,
        "intervals": f"95% bootstrap over {len(comparisons)} searches (outer seeds)",
        "arms": arms,
        "factorial": effects(areas, bootstrap),
        "ledger": merge([c["ledger"] for c in comparisons]),
    }
