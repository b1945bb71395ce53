"""What a reviewer asks for beside the main table: held-out levels, the winner's curse, and which fairness rules hold."""

from collections.abc import Mapping
from typing import Any

from evodev.report.table import NONE, Results, decimals, gain_digits, gain_name, interval, number, ordered

HOLDS = {True: "holds", False: "does not hold", None: "not judged"}
"""How a rule's ``holds`` is said; None is what does not apply or cannot be known."""


def levels(comparison: Results) -> dict[str, Any] | None:
    """AULC and last score of every arm at every held-out level: ``header``, ``rows``, and what each level holds out."""
    found: Mapping[str, Any] = comparison.get("levels") or {}
    columns = [(level, score) for level in found for score in ("aulc", "final") if _known(found[level], score)]
    if not columns:
        return None
    # a level tells the score: of a regression the loss below zero, of a life that acts its share of what can be had
    gain = f"last {gain_name(comparison)}" if comparison["problem"] == "classification" else "last score"
    titles = {"aulc": "AULC", "final": gain}
    digits = {c: decimals(a[c[1]] for a in found[c[0]]["arms"].values() if a.get(c[1])) for c in columns}
    if comparison["problem"] == "classification":
        digits |= {c: gain_digits(comparison) for c in columns if c[1] == "final"}
    rows = []
    for name in ordered(comparison):
        if not any(name in level["arms"] for level in found.values()):
            continue
        told = [(found[level]["arms"].get(name) or {}).get(score) for level, score in columns]
        rows.append([name, *(interval(s, digits[c]) if s else NONE for s, c in zip(told, columns, strict=True))])
    return {
        "header": ["arm", *(f"{level}: {titles[score]}" for level, score in columns)],
        "rows": rows,
        "held_out": [(level, str(found[level].get("held_out") or "")) for level in found],
    }


def _known(level: Mapping[str, Any], score: str) -> bool:
    return any(arm.get(score) for arm in level["arms"].values())


def factorial(comparison: Results) -> tuple[list[str], list[list[str]], str] | None:
    """What each part of the champion saves, as :func:`evodev.baselines.factorial.effects` tells it: heading, rows, caption."""
    found: Mapping[str, Any] = comparison.get("factorial") or {}
    parts = {name: effect for name, effect in found.items() if name != "interactions"}
    if not parts:
        return None
    both = found.get("interactions") or {}
    digits = decimals([*(effect["main"] for effect in parts.values()), *both.values()])
    kinds = ("first", "last", "main")
    rows = [[name, *(interval(effect[kind], digits) for kind in kinds), str(effect["pairs"])] for name, effect in parts.items()]
    rows += [[name, NONE, NONE, interval(effect, digits), NONE] for name, effect in both.items()]
    text = (
        "AULC saved by having the champion's own rather than a replacement: first, with all else replaced; last, with all else "
        "its own; mean of all pairs of networks that differ in nothing else. Of two parts: what one saves more where the other "
        f"is there too (0: they add up). {comparison['intervals']}."
    )
    return ["part of the champion", "first", "last", "mean", "pairs"], rows, text


def curse(comparison: Results) -> str:
    """How far the lives that the champion was chosen on flatter it; empty if that was not measured."""
    found = comparison.get("winners_curse")
    if not found or not found.get("selected") or not found.get("fresh"):
        return ""
    digits = decimals([found["selected"], found["fresh"]])
    gap = abs(found["selected"]["value"] - found["fresh"]["value"])
    chosen = found["selected"]
    own = number(chosen["value"], digits) if chosen["lo"] == chosen["hi"] else interval(chosen, digits)
    return (
        f"Winner's curse: on the {found['split']} lives that it was chosen on the champion's fitness is {own}, "
        f"on fresh lives of the same family {interval(found['fresh'], digits)}; "
        f"the difference is {gap:.{digits}f}."
    )


def fairness(comparison: Results) -> dict[str, Any] | None:
    """Which fairness rules hold in this run: a sentence, and rows of number, name, verdict and reason; None if not told."""
    rules = comparison.get("fairness")
    if not rules:
        return None
    counts = {h: sum(r["holds"] is h for r in rules) for h in HOLDS}
    failed = ", ".join(str(r["rule"]) for r in rules if r["holds"] is False)
    text = f"Of {len(rules)} rules {counts[True]} hold in this run"
    text += f", {counts[False]} do not ({failed})" if failed else ", none is broken"
    text += f"; {counts[None]} cannot be judged here" if counts[None] else ""
    text += "." + (" Most of what is missing is added by evodev compare RUN --arms all, and by more seeds." if failed else "")
    rows = [
        {"rule": r["rule"], "name": r["name"], "holds": r["holds"], "said": HOLDS[r["holds"]], "why": r["why"]} for r in rules
    ]
    return {"text": text, "rows": rows}
