"""Both ledgers: what the search cost, what tuning each baseline cost, and when the search has paid for itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from evodev.baselines import Setting
from evodev.lifetime import probe_steps
from evodev.tasks import Acting

COSTS = ("lives", "samples", "environment_steps", "operations", "seconds")
"""What is counted. Samples are labelled ones, passes over the same ones counted again; a life that acts has none, but steps of
its world (episodes that end early are counted whole). Operations are the multiply-adds of answering each of them once:
learning multiplies them by a factor of one to three, the same in every row of one learner."""


def cost(lives: float, per_sample: float, setting: Setting, seconds: float | None = None) -> dict[str, float | None]:
    """So many lives in the units of ``COSTS``.

    Args:
        lives: lived.
        per_sample: synaptic operations of one answer.
        setting: tells the task.
        seconds: of wall time, if known.
    """
    seen = lives * setting.task.steps * setting.task.batch
    acts = isinstance(setting.task, Acting)
    return {
        "lives": lives,
        "samples": 0 if acts else seen,
        "environment_steps": seen if acts else None,
        "operations": seen * per_sample,
        "seconds": seconds,
    }


def total(costs: list[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The sum of each; None where nobody knows it."""
    known = {name: [value for c in costs if (value := c[name]) is not None] for name in COSTS}
    return {name: sum(values) if values else None for name, values in known.items()}


def ledger(setting: Setting, report: dict[str, Any], judged: str) -> dict[str, Any]:
    """Both ledgers of a comparison.

    ``break_even_lives`` is the number of test lives after which the samples saved by the judged arm, against the best tuned
    backprop, outweigh those that the search consumed beyond that baseline's tuning. A life saves the samples by which the
    judged arm reaches the baseline's final loss earlier. It is None where the judged arm's AULC is no better.
    """
    samples = setting.task.steps * setting.task.batch
    spent, own = setting.budget, report[judged]
    rivals = {n: a for n, a in report.items() if a["role"] == "baseline" and "aulc" in a["scores"] and a["tuning_lives"]}
    out: dict[str, Any] = {
        "outer_lifetimes": spent,
        "outer_samples": spent * samples,
        "baseline_tuning_lifetimes": sum(a["tuning_lives"] for a in rivals.values()),
        "search": cost(spent, own["scores"].get("synops_per_sample", 0.0), setting),
        "baselines": total([a["tuning"] for a in rivals.values() if "tuning" in a]),
        "break_even_lives": None,
        "best_baseline": None,
    }
    if not rivals or "aulc" not in own["scores"]:
        return out
    name = min(rivals, key=lambda n: rivals[n]["scores"]["aulc"]["value"])
    out["best_baseline"] = name
    steps = np.array(probe_steps(setting.task.steps, setting.schedule.probes), float)
    loss, rival = (np.array(report[n]["curves"]["loss"]["mean"]) for n in (judged, name))
    saved = samples_saved(steps, loss, rival) * setting.task.batch
    if saved > 0 and own["scores"]["aulc"]["value"] < rivals[name]["scores"]["aulc"]["value"]:
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
