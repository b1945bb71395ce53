"""What the numbers say, in plain sentences: who wins, by how much, and how far that can be trusted."""

from evodev.comparison import CHAMPION
from evodev.report.table import Entry, Results, aulc, decimals, gain_digits, gain_name, interval, ordered


def verdict(comparison: Results) -> list[str]:
    """Sentences, the headline first. AULC is lower-is-better throughout."""
    champion = comparison["arms"].get(CHAMPION)
    if champion is None or "aulc" not in champion["scores"]:
        return ["This comparison has no evolved champion to judge."]
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
    if CHAMPION not in curves:
        return ""
    last = {n: {"value": c["mean"][-1], "lo": c["lo"][-1], "hi": c["hi"][-1]} for n, c in curves.items()}
    when = f"At the end of a life ({comparison['samples'][-1]} {comparison['unit']})"
    text = f"{when} its {gain} is {interval(last[CHAMPION], digits)}"
    text += f"; chance is {comparison['chance']:.2f}" if comparison["chance"] is not None else ""
    text += "; acting at random has {:g}, the best is {:g}".format(*comparison["span"]) if comparison.get("span") else ""
    others = [n for n in last if comparison["arms"][n]["role"] != "evolved"]
    if not others:
        return text + "."
    other = max(others, key=lambda n: last[n]["value"])
    if last[other]["value"] > last[CHAMPION]["value"]:
        return f"{text}. That is not the highest: {other} has {interval(last[other], digits)}."
    return f"{text}. The highest of the others is that of {other}, {interval(last[other], digits)}."


def _failures(champion: Entry) -> str:
    return f"{champion['failed']:.1%} of its lives diverged; they count with the worst loss." if champion["failed"] else ""


def _trust(comparison: Results) -> str:
    text = f"Intervals: {comparison['intervals']}."
    if "one search" in comparison["intervals"]:
        text += " They say how sure the numbers of this one champion are, not whether another search would do as well."
    return text
