"""What the search and the tuning of each arm cost, when that is paid back, and how compact the champion is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evodev.compactness import COUNTED, compactness, times
from evodev.ledgers import COSTS
from evodev.network import Network
from evodev.organism import Organism
from evodev.report.table import NONE, Results, aulc, champion_of, count, ordered, seeds_of


@dataclass(frozen=True)
class Line:
    """A line of a ledger."""

    label: str
    value: str
    note: str = ""
    warn: bool = False


def ledgers(comparison: Results, metrics: Sequence[Mapping[str, Any]]) -> tuple[list[Line], list[Line]]:
    """What the search cost; what tuning the baselines cost, and when the search has paid for itself.

    What :func:`ledger_table` tells too is left out where it can be made.
    """
    ledger, told = comparison["ledger"], bool(comparison["ledger"].get("search"))
    search = [
        Line("lives lived by the search", count(ledger["outer_lifetimes"]), "training and validation"),
        Line("samples presented in them", count(ledger["outer_samples"])),
    ]
    seconds = ledger.get("search_seconds") or sum(r.get("seconds", 0.0) for r in metrics)
    search += [Line("time of the search", duration(seconds))] if seconds else []
    baselines = [Line("lives spent on tuning baselines", count(ledger["baseline_tuning_lifetimes"]), "all of them together")]
    search, baselines = ([], []) if told else (search, baselines)
    if "comparison_seconds" in ledger:
        (baselines if told else search).append(Line("time of this comparison", duration(ledger["comparison_seconds"])))
    name = ledger["best_baseline"]
    if name in comparison["arms"]:
        baselines.append(Line("best tuned baseline", name, f"{count(comparison['arms'][name]['tuning_lives'])} lives of tuning"))
    saved = ledger.get("samples_saved_per_life")
    if saved:
        baselines.append(Line("samples saved in each life", f"{saved:,.1f}", "until the champion has that baseline's final loss"))
    return search, [*baselines, _break_even(comparison)]


def _break_even(comparison: Results) -> Line:
    lives, name, arms = (
        comparison["ledger"]["break_even_lives"],
        comparison["ledger"]["best_baseline"],
        comparison["arms"],
    )
    label = "lives until the search has paid for itself"
    if lives is None:
        why = "the champion saves no samples" if name else "there is no tuned baseline to save samples against"
        why = why if seeds_of(comparison) == 1 else "it does not in every one of the searches"
        return Line(label, "never", why, warn=True)
    note = "samples that the search took beyond the baseline's tuning, over samples saved in each life"
    champion = champion_of(comparison)
    worse = name in arms and champion in arms and aulc(arms[champion]) > aulc(arms[name])
    if worse:
        note += "; over a whole life that baseline's loss is lower all the same"
    return Line(label, count(lives), note, warn=worse)


def compactness_lines(organism: Organism, network: Network) -> list[Line]:
    """The genome's size beside that of the weights it grows, and what is counted."""
    spec = organism.genome_spec
    ledger = compactness(spec, organism.substrate, network)
    learner = sum(g.size for g in spec.genes if g.name.startswith("learner/"))
    notes = {"genome": f"{learner:,} of the numbers are the learner's", "grown weights": f"counted: {COUNTED}"}
    out = [Line(label, text, notes[label]) for label, text in ledger.lines() if label in notes]
    factors = (("compression in numbers", ledger.factor_numbers), ("compression in bits", ledger.factor_bits))
    for label, factor in factors:
        less = factor is not None and factor < 1
        out.append(Line(label, times(factor), "below 1: the genome is larger than what it grows" if less else "", warn=less))
    return out


def ledger_table(comparison: Results) -> tuple[list[str], list[list[str]]] | None:
    """Both ledgers, a row the search and each arm that was tuned; None if the comparison does not hold the search's."""
    ledger, arms = comparison["ledger"], comparison["arms"]
    if not ledger.get("search"):
        return None
    spent = {n: arms[n]["tuning"] for n in ordered(comparison) if (arms[n].get("tuning") or {}).get("lives")}
    every = {"the search": ledger["search"], **{f"tuning of {name}": own for name, own in spent.items()}}
    if ledger.get("baselines"):
        every["tuning of all baselines"] = ledger["baselines"]
    shown = [c for c in COSTS if any(own.get(c) is not None for own in every.values())]
    titles = {
        "lives": "lives", "samples": "labelled samples", "environment_steps": "environment steps",
        "operations": "multiply-adds of answering", "seconds": "wall time",
    }  # fmt: skip
    body = [[label, *(cost(own.get(c), c) for c in shown)] for label, own in every.items()]
    return ["", *(titles[c] for c in shown)], body


def cost(value: float | None, kind: str) -> str:
    """An amount of a ledger: a whole number, a power of ten where it is large, or a time."""
    if value is None or kind != "seconds":
        return count(value) if value is None or value < 1e9 else _power(value)
    return duration(value) if value else NONE


def _power(value: float) -> str:
    """A large number as people write it."""
    digits, exponent = f"{value:.2e}".split("e")
    return f"{float(digits):g} × 10{str(int(exponent)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
