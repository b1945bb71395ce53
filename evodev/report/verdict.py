"""What the numbers say, in plain sentences: who wins, by how much, and how far that can be trusted."""

from collections.abc import Sequence

from evodev.across import ALPHA
from evodev.report.table import (
    Entry,
    Results,
    aulc,
    champion_of,
    decimals,
    gain_digits,
    gain_name,
    interval,
    ordered,
    probability,
    seeds_of,
    tested,
    warning,
)

NAMED = 4
"""Most arms that a sentence names one by one."""


def verdict(comparison: Results) -> list[str]:
    """Sentences, the headline first. AULC is lower-is-better throughout."""
    champion = comparison["arms"].get(champion_of(comparison))
    if champion is None or "aulc" not in champion["scores"]:
        return ["This comparison has no evolved champion to judge."]
    if tested(comparison):
        said = [*_tested_baselines(comparison, champion), _tested_controls(comparison, champion)]
    else:
        said = [_against_baselines(comparison, champion), _against_controls(comparison, champion)]
    said += [_gain(comparison, champion), _failures(champion), _trust(comparison)]
    return [sentence for sentence in said if sentence]


def best(comparison: Results, role: str) -> str | None:
    """The arm of a role with the lowest AULC."""
    names = [n for n in ordered(comparison) if comparison["arms"][n]["role"] == role]
    return next((n for n in names if "aulc" in comparison["arms"][n]["scores"]), None)


def overlap(one: Entry, other: Entry) -> bool:
    """Whether the AULC intervals of two arms overlap."""
    a, b = one["scores"]["aulc"], other["scores"]["aulc"]
    return max(a["lo"], b["lo"]) <= min(a["hi"], b["hi"])


def _number(comparison: Results, arm: Entry) -> str:
    """An arm's AULC with its interval, to as many decimals as in the table."""
    scores = [a["scores"]["aulc"] for a in comparison["arms"].values() if "aulc" in a["scores"]]
    return interval(arm["scores"]["aulc"], decimals(scores))


def outcome(arm: Entry) -> str:
    """How the champion did against an arm over seeds: ``wins``, ``loses``, ``equivalent`` or ``open``, at 5% corrected."""
    told = arm["statistics"]
    if told["difference"]["p_corrected"] < ALPHA:
        return "wins" if told["difference"]["value"] > 0 else "loses"
    return "equivalent" if told.get("equivalence", {"p_holm": 1.0})["p_holm"] < ALPHA else "open"


def _evidence(comparison: Results, champion: Entry, name: str) -> str:
    """The numbers of a sentence on an arm over seeds."""
    arm = comparison["arms"][name]
    told = arm["statistics"]
    return (
        f"AULC {_number(comparison, champion)} against {_number(comparison, arm)} (lower is better), probability of improvement "
        f"{interval(told['improvement'], 2)}, corrected p {probability(told['difference']['p_corrected'])}"
    )


def _tested_baselines(comparison: Results, champion: Entry) -> list[str]:
    """Over seeds: the best baseline, and how many baselines there are of each outcome."""
    arms, name = comparison["arms"], best(comparison, "baseline")
    if name is None:
        return [_against_baselines(comparison, champion)]
    found, numbers = outcome(arms[name]), _evidence(comparison, champion, name)
    margin = f"{comparison['power']['margin'] or 0:.2g}"
    said = {
        "wins": f"The evolved champion wins against {name}, the best baseline",
        "loses": f"The evolved champion loses to {name}, the best baseline",
        "equivalent": f"The evolved champion and {name}, the best baseline, are equivalent within ±{margin}",
        "open": f"No difference shown between the evolved champion and {name}, the best baseline",
    }[found]
    small = found in ("wins", "loses") and arms[name]["statistics"].get("equivalence", {"p_holm": 1.0})["p_holm"] < ALPHA
    headline = f"{said}: {numbers}" + (f"; the difference is within the margin of ±{margin}" if small else "") + "."
    return [headline, _tally(comparison, "baseline", margin)]


def _tally(comparison: Results, role: str, margin: str) -> str:
    """How many arms of a role there are of each outcome, the fewer ones named."""
    arms = comparison["arms"]
    names = [n for n in ordered(comparison) if arms[n]["role"] == role and "improvement" in arms[n].get("statistics", {})]
    if len(names) < 2:
        return ""
    sorts = {o: [n for n in names if outcome(arms[n]) == o] for o in ("wins", "loses", "equivalent", "open")}
    parts = [f"wins against {_listed(sorts['wins'])}"] if sorts["wins"] else []
    parts += [f"loses to {_listed(sorts['loses'])}"] if sorts["loses"] else []
    parts += [f"is equivalent within ±{margin} to {_listed(sorts['equivalent'])}"] if sorts["equivalent"] else []
    parts += [f"shows no difference from {_listed(sorts['open'])}"] if sorts["open"] else []
    return f"Of {len(names)} {role}s the champion {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    """Their number, and their names if they are few."""
    return f"{len(names)}" + (f" ({', '.join(names)})" if len(names) <= NAMED else "")


def _tested_controls(comparison: Results, champion: Entry) -> str:
    """Over seeds: whether what each control takes away is shown to matter."""
    arms, name = comparison["arms"], best(comparison, "control")
    if name is None:
        return ""
    controls = [n for n in ordered(comparison) if arms[n]["role"] == "control" and "statistics" in arms[n]]
    better = [n for n in controls if outcome(arms[n]) == "loses"]
    unshown = [n for n in controls if outcome(arms[n]) in ("equivalent", "open")]
    if better:
        return f"A control does better than the champion itself: {better[0]}, {_evidence(comparison, champion, better[0])}."
    if unshown:
        text = f"Of {len(controls)} controls {len(controls) - len(unshown)} are worse; "
        return text + f"for {_listed(unshown)} it is not shown that what they take away matters."
    return (
        f"Every one of {len(controls)} controls is worse, the best of them being {name}: {_evidence(comparison, champion, name)}."
    )


def _against_baselines(comparison: Results, champion: Entry) -> str:
    name = best(comparison, "baseline")
    if name is None:
        return f"The evolved champion's AULC is {_number(comparison, champion)}; there is no baseline to compare it with."
    rival = comparison["arms"][name]
    own, others = _number(comparison, champion), _number(comparison, rival)
    wins, open_ = aulc(champion) < aulc(rival), overlap(champion, rival)
    numbers = f"AULC {own} against {others} for {name}, the best baseline (lower is better)"
    if wins and not open_:
        return f"The evolved champion wins: {numbers}; the intervals do not overlap."
    if wins:
        return f"The evolved champion is ahead, but not clearly: {numbers}; the intervals overlap."
    if open_:
        return f"The evolved champion does not win: {numbers}; the intervals overlap."
    return f"The evolved champion loses: {numbers}; the intervals do not overlap."


def _against_controls(comparison: Results, champion: Entry) -> str:
    name = best(comparison, "control")
    if name is None:
        return ""
    control = comparison["arms"][name]
    own, others = _number(comparison, champion), _number(comparison, control)
    numbers = f"{others} against the champion's {own}"
    if overlap(champion, control):
        return (
            f"The best control, {name}, comes within the intervals ({numbers}): "
            "this comparison does not show that what it takes away matters."
        )
    if aulc(control) < aulc(champion):
        return f"A control does better than the champion itself: {name}, {numbers}."
    return f"Every control is worse, the best of them being {name} ({numbers})."


def _gain(comparison: Results, champion: Entry) -> str:
    gain, digits = gain_name(comparison), gain_digits(comparison)
    curves = {n: a["curves"][gain] for n, a in comparison["arms"].items() if gain in a["curves"]}
    own = champion_of(comparison)
    if own not in curves:
        return ""
    last = {n: {"value": c["mean"][-1], "lo": c["lo"][-1], "hi": c["hi"][-1]} for n, c in curves.items()}
    when = f"At the end of a life ({comparison['samples'][-1]} {comparison['unit']})"
    text = f"{when} its {gain} is {interval(last[own], digits)}"
    text += f"; chance is {comparison['chance']:.2f}" if comparison["chance"] is not None else ""
    text += "; acting at random has {:g}, the best is {:g}".format(*comparison["span"]) if comparison.get("span") else ""
    others = [n for n in last if comparison["arms"][n]["role"] != "evolved"]
    if not others:
        return text + "."
    other = max(others, key=lambda n: last[n]["value"])
    if last[other]["value"] > last[own]["value"]:
        return f"{text}. That is not the highest: {other} has {interval(last[other], digits)}."
    return f"{text}. The highest of the others is that of {other}, {interval(last[other], digits)}."


def _failures(champion: Entry) -> str:
    return f"{champion['failed']:.1%} of its lives diverged; they count with the worst loss." if champion["failed"] else ""


def _trust(comparison: Results) -> str:
    text = f"Intervals: {comparison['intervals']}."
    if seeds_of(comparison) > 1:
        warned = warning(comparison)
        text += f" {warned[0].upper()}{warned[1:]}." if warned else ""
    elif "one search" in comparison["intervals"]:
        text += " They say how sure the numbers of this one champion are, not whether another search would do as well."
    return text
