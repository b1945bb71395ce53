"""Comparisons of several searches that differ in their seed, merged into one: the unit is the outer seed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evodev.baselines.factorial import effects
from evodev.comparison import CHAMPION
from evodev.fairness import rules
from evodev.measurement import mark_front
from evodev.statistics import equivalent, estimate, holm, improvement, interval, jointly, paired, profile

SCORES = ("aulc", "jumpstart", "slope_aligned", "asymptote")
"""Scores of which every seed's value is kept; beside them the last accuracy or return."""
ALPHA = 0.05
MARGIN = 0.05
"""Share of the ignorant loss by which two arms may differ and still count as equal, unless told."""
THRESHOLDS = 100
"""Most values at which a performance profile is told."""


def across_runs(comparisons: Sequence[dict[str, Any]], bootstrap: int = 1000, margin: float = MARGIN) -> dict[str, Any]:
    """Comparisons of several searches that differ in their seed -> one, with intervals and tests over seeds.

    Means and intervals take the place of each run's, number by number. Beside them stand, for two searches or more:
    ``seeds``; ``arms[NAME]["by_seed"]``, score -> a value a seed; ``arms[NAME]["statistics"]`` as :func:`statistics_of`
    gives them; ``profiles``, see :func:`profiles`; and ``power``, what these statistics can and cannot show.

    Args:
        comparisons: what :func:`evodev.comparison.compare` returned, a search each.
        bootstrap: resamples behind an interval.
        margin: of equivalence, a share of the task's ignorant loss.

    Raises:
        ValueError: if they are of different tasks, families or probe schedules.
    """
    first, seeds = comparisons[0], len(comparisons)
    for other in comparisons[1:]:
        for name in ("task", "split", "samples"):
            if other[name] != first[name]:
                raise ValueError(f"compare: runs differ in {name}: {first[name]} and {other[name]}; compare like with like")
    out = _merge(list(comparisons), bootstrap)
    out |= {"intervals": f"95% bootstrap over {seeds} searches (outer seeds)", "seeds": seeds}
    mark_front(out["arms"])
    if all("fairness" in c for c in comparisons):
        out["fairness"] = fairness_across(rules(out), [c["fairness"] for c in comparisons])
    for name, arm in out["arms"].items():
        if found := by_seed([c["arms"][name] for c in comparisons]):
            arm["by_seed"] = found
    areas = {n: np.array(a["by_seed"]["aulc"]) for n, a in out["arms"].items() if "aulc" in a.get("by_seed", {})}
    champion = out.get("judged") or CHAMPION
    if "factorial" in out:
        out["factorial"] = effects(areas, bootstrap)
    if seeds < 2 or champion not in areas:
        return out
    ignorant = out.get("ignorant_loss")
    out["power"] = statistics_of(areas, champion, margin * ignorant if ignorant else None, out["arms"])
    out["profiles"] = profiles(areas)
    return out


def _merge(values: list[Any], bootstrap: int) -> Any:
    """One value for several runs': the mean of numbers, with its interval where each run has one."""
    first = values[0]
    if all(isinstance(v, dict) for v in values):
        shared = {k: [v[k] for v in values] for k in first if all(k in v for v in values)}
        for middle in ("value", "mean"):
            if {middle, "lo", "hi"} <= set(shared):
                mean, low, high = interval(np.array(shared[middle], np.float64), bootstrap)
                extra = {k: _merge(v, bootstrap) for k, v in shared.items() if k not in (middle, "lo", "hi")}
                return {middle: mean.tolist(), "lo": low.tolist(), "hi": high.tolist(), **extra}
        return {k: _merge(v, bootstrap) for k, v in shared.items()}
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        mean = float(np.mean(values))
        return round(mean) if all(isinstance(v, int) for v in values) else mean
    # what is not the same in all runs has no one value
    return first if all(v == first for v in values) else None


def by_seed(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Scores of one arm's entries, an entry a seed; scores that an entry lacks are left out."""
    out = {s: [float(e["scores"][s]["value"]) for e in entries] for s in SCORES if all(s in e.get("scores", {}) for e in entries)}
    for gain in ("accuracy", "return"):
        if all(gain in e.get("curves", {}) for e in entries):
            out[gain] = [float(e["curves"][gain]["mean"][-1]) for e in entries]
    return out


def statistics_of(
    areas: Mapping[str, np.ndarray], judged: str, margin: float | None, arms: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Write ``statistics`` into every arm with an AULC; return ``power``, what they are and what they cannot show.

    Each has ``iqm`` of the AULC. The others than the champion have ``improvement``, the probability that a champion is better
    than a run of this arm; ``difference``, arm minus champion seed by seed, with ``p`` of the sign-flip test, corrected for
    the number of arms as ``p_holm`` (Holm) and ``p_joint`` (:func:`evodev.statistics.jointly`), ``p_corrected`` being the one
    that ``power["correction"]`` names; and ``equivalence``, p of a difference within the margin.

    Args:
        areas: AULC of each arm, (seeds,).
        judged: the champion's name.
        margin: of equivalence, in units of the loss; None where there is none to be told.
        arms: entries to write into; their ``aulc_minus_champion`` becomes the difference over seeds.
    """
    champion, others = areas[judged], [n for n in areas if n != judged]
    differences = {n: paired(areas[n], champion) for n in others}
    corrected = {
        "p_holm": holm([differences[n].p for n in others]),
        "p_joint": jointly(np.stack([areas[n] - champion for n in others], 1)) if others else [],
    }
    told = power_of(len(champion), len(others))
    used = corrected["p_holm" if told["correction"] == "Holm" else "p_joint"]
    for name, own in areas.items():
        arms[name]["statistics"] = {"iqm": estimate(own[:, None])._asdict()}
    for i, name in enumerate(others):
        found = differences[name]._asdict() | {key: ps[i] for key, ps in corrected.items()} | {"p_corrected": used[i]}
        better = improvement(-champion[:, None], -areas[name][:, None])
        arms[name]["statistics"] |= {"improvement": better._asdict(), "difference": found}
        arms[name]["scores"]["aulc_minus_champion"] = {k: found[k] for k in ("value", "lo", "hi")}
    if margin:
        ps = [equivalent(areas[n], champion, margin) for n in others]
        for name, p, p_holm in zip(others, ps, holm(ps), strict=True):
            arms[name]["statistics"]["equivalence"] = {"p": p, "p_holm": p_holm, "margin": margin}
    return told | {"margin": margin}


def power_of(seeds: int, arms: int) -> dict[str, Any]:
    """Which correction these numbers of seeds and arms call for, and what no outcome could show.

    Joint sign flips where they can reach 5% and Holm's correction cannot: that hangs on the numbers alone, not on what was
    found.
    """
    floor = 2 / 2**seeds
    correction = "joint" if floor <= ALPHA < arms * floor else "Holm"
    cannot = ""
    if floor > ALPHA:
        cannot = f"with {seeds} seeds no difference can be significant at 5%: p of the sign-flip test is never below {floor:.2g}"
    elif correction == "joint":
        cannot = f"with {seeds} seeds and {arms} arms Holm's p is never below {arms * floor:.2g}"
    return {"arms": arms, "least_p": floor, "correction": correction, "cannot": cannot}


def profiles(areas: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Performance profiles: the share of seeds whose AULC is at or below each threshold, arm by arm.

    Thresholds go from 0 to the largest AULC of any run, so that every arm's curve ends at 1; those between are AULCs that
    runs had, so that few are enough.
    """
    every = np.sort(np.concatenate(list(areas.values())))
    between = every if len(every) <= THRESHOLDS else np.quantile(every, np.linspace(0, 1, THRESHOLDS), method="inverted_cdf")
    thresholds = np.unique(np.concatenate([[min(0.0, every[0])], between]))
    shares = {n: (1 - profile(own[:, None], thresholds)).round(12).tolist() for n, own in areas.items()}
    return {"thresholds": thresholds.tolist(), "arms": shares}


def fairness_across(merged: Sequence[Mapping[str, Any]], runs: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Fairness rules over several runs: a rule holds if it does in every run; the eleventh by the number of runs.

    Args:
        merged: the rules as :func:`evodev.fairness.rules` finds them in the merged comparison.
        runs: those of each run, entries with ``rule`` (its number), ``name``, ``holds`` (None: nothing can tell) and ``why``.
    """
    out = []
    for entry in merged:
        found = [next((r for r in run if r["rule"] == entry["rule"]), {"holds": None, "why": "not told"}) for run in runs]
        held = [r["holds"] for r in found]
        holds = False if False in held else None if None in held else True
        if entry["rule"] == 11 or entry["holds"] is holds:
            out.append(dict(entry))
        else:
            # the reasons of those runs that decide it
            out.append({**entry, "holds": holds, "why": "; ".join(dict.fromkeys(r["why"] for r in found if r["holds"] is holds))})
    return out
