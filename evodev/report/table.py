"""The result table: arms grouped by role and sorted, numbers with their intervals. Shared by page and terminal."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from evodev.across import ALPHA
from evodev.comparison import CHAMPION
from evodev.fairness import SEEDS
from evodev.health import health_line

Results = Mapping[str, Any]
"""comparison.json as :func:`evodev.comparison.compare` returns it."""
Entry = Mapping[str, Any]
"""One arm of it."""

ROLES = ("evolved", "baseline", "control", "reference")
"""Groups of arms, in the order in which they are shown."""
GROUPS = {
    "baseline": "baselines",
    "control": "controls: the champion taken apart",
    "reference": "references: no network",
}
"""Headings of these groups where they are not the role."""
NONE = "–"
"""What is shown where an arm has no such number."""
DECIMALS = (1, 4)
"""Fewest and most decimals of a number with an interval."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        title: its heading.
        cell: an arm's name and entry -> what stands in its row.
        brief: whether a terminal shows it.
        full: whether the page's table of results does.
    """

    title: str
    cell: Callable[[str, Entry], str]
    brief: bool = False
    full: bool = True


def rows(comparison: Results, *, brief: bool = False) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of the result table, arms as in :func:`ordered`; the first column is the arm's name.

    Args:
        comparison: the results.
        brief: only what fits a terminal.
    """
    chosen = [c for c in columns(comparison) if (c.brief if brief else c.full)]
    body = [[c.cell(name, comparison["arms"][name]) for c in chosen] for name in ordered(comparison)]
    return [c.title for c in chosen], body


def seeds_of(comparison: Results) -> int:
    """Searches behind the results."""
    return comparison.get("seeds", 1)


def champion_of(comparison: Results) -> str:
    """Name of the arm that the others are set against."""
    return comparison.get("judged") or CHAMPION


def warning(comparison: Results) -> str:
    """What the number of seeds forbids to claim; nothing where there are enough."""
    seeds = seeds_of(comparison)
    if seeds == 1:
        return "one outer seed: no claim about the method"
    few = f"{seeds} outer seeds: a claim about the method takes {SEEDS}" if seeds < SEEDS else ""
    power = comparison.get("power", {"least_p": 0.0})
    return "; ".join(filter(None, [few, power["cannot"] if power["least_p"] > ALPHA else ""]))


def console_table(comparison: Results) -> Table:
    """The brief table for a terminal, a section a role."""
    header, body = rows(comparison, brief=True)
    title = Text(f"{comparison['task']}, {comparison['split']} lives")
    table = Table(title=title, caption=Text(caption(comparison)), box=SIMPLE_HEAD)
    for i, heading in enumerate(header):
        # an interval stays on one line; only names may wrap
        table.add_column(Text(heading.replace(" ", "\n", 1)), justify="right" if i else "left", no_wrap=i > 0)
    roles = [comparison["arms"][name]["role"] for name in ordered(comparison)]
    for row, role, after in zip(body, roles, [*roles[1:], ""], strict=True):
        # Text, because a name or an interval in brackets must not be read as markup
        table.add_row(*map(Text, row), style="bold" if role == "evolved" else "", end_section=role != after)
    return table


def front_rows(metrics: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]] | None:
    """Heading and rows of the first front that the search ended with; None if it had one objective."""
    front = metrics[-1].get("front") if metrics else None
    if not front:
        return None
    return list(front[0]), [[f"{value:.4g}" for value in point.values()] for point in front]


FRONT = (
    "first front of the last generation on its train lives; higher is better; costs have a minus, all but activity in thousands"
)
"""How to read :func:`front_rows`."""


def console_front(metrics: Sequence[Mapping[str, Any]]) -> Table | None:
    """:func:`front_rows` for a terminal."""
    found = front_rows(metrics)
    if found is None:
        return None
    table = Table(title="Trade-off", caption=FRONT, box=SIMPLE_HEAD, min_width=72)
    for name in found[0]:
        table.add_column(Text(name))
    for row in found[1]:
        table.add_row(*row)
    return table


def caption(comparison: Results, *, tests: bool = True) -> str:
    """How to read the numbers; of the tests over seeds too, where the table shows them."""
    loss, warned = loss_name(comparison), warning(comparison)
    text = f"{warned}; " if warned else ""
    text += f"mean [95% interval]; AULC is the mean {loss} over a life, lower is better; {comparison['intervals']}"
    text += f"; {tests_caption(comparison)}" if tests and tested(comparison) else ""
    text += "" if any(arm["failed"] for arm in comparison["arms"].values()) else "; no life of any arm diverged"
    text += f"; health of the search: {health_line(comparison['health'])}" if "health" in comparison else ""
    objectives = next((arm["objectives"] for arm in comparison["arms"].values() if "pareto" in arm), None)
    if objectives:
        text += f"; Pareto: no other arm is as good in all of {', '.join(objectives)} and better in one (by the means)"
    return text


def tests_caption(comparison: Results) -> str:
    """How to read the tests over seeds."""
    power = comparison["power"]
    how = {"Holm": f"Holm's correction for {power['arms']} arms", "joint": f"corrected by joint sign flips, as {power['cannot']}"}
    return (
        "P(improvement): probability that a champion is better than a run of this arm; corrected p: sign-flip test of the "
        f"difference seed by seed, {how[power['correction']]}"
    )


def tested(comparison: Results) -> bool:
    """Whether arms were told apart over seeds."""
    return any("improvement" in arm.get("statistics", {}) for arm in comparison["arms"].values())


def probability(p: float) -> str:
    """A p as it is read: three decimals, or two digits where it is smaller."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def loss_name(comparison: Results) -> str:
    """What the loss of a task is called."""
    return "regret" if comparison["problem"] == "control" else "loss"


def gain_name(comparison: Results) -> str:
    """The curve that rises as the loss falls."""
    return "return" if comparison["problem"] == "control" else "accuracy"


def ordered(comparison: Results) -> list[str]:
    """Names of all arms: the champion, then by role and AULC; those without a loss after those with, the accurate first."""
    arms, gain, judged = comparison["arms"], gain_name(comparison), champion_of(comparison)
    known = {role: i for i, role in enumerate(ROLES)}

    def place(name: str) -> tuple[bool, int, float, float]:
        best = arms[name]["curves"].get(gain, {"mean": [0.0]})["mean"][-1]
        return name != judged, known.get(arms[name]["role"], len(known)), aulc(arms[name]), -best

    return sorted(arms, key=place)


def aulc(arm: Entry) -> float:
    """Mean loss over a life; infinite for an arm that has only an accuracy."""
    return arm["scores"]["aulc"]["value"] if "aulc" in arm["scores"] else math.inf


def columns(comparison: Results) -> list[Column]:
    """Every column that these results can fill."""
    arms = list(comparison["arms"].values())
    out = [
        Column("arm", lambda name, arm: name, brief=True),
        Column("role", lambda name, arm: arm["role"]),
        Column("synapses", lambda name, arm: count(arm["synapses"] or None), brief=True),
        Column("density", lambda name, arm: f"{arm['density']:.1%}" if arm["synapses"] else NONE),
        Column("numbers evolved", lambda name, arm: count(arm["genome_size"]), brief=True),
        _score("AULC", "aulc", arms, brief=True),
    ]
    if tested(comparison):
        # on the page they are in a table of their own
        out += [replace(c, full=False) for c in told_by_seeds(comparison) if c.brief]
    if any("pareto" in arm for arm in arms):
        marks = {True: "yes", False: "no", None: NONE}
        out.append(Column("Pareto", lambda name, arm: marks[arm.get("pareto")], brief=True))
    if comparison["problem"] != "regression":
        out += _gains(comparison)
    out += [_score("jumpstart", "jumpstart", arms), _score("slope", "slope_aligned", arms)]
    if any("retention" in arm["scores"] for arm in arms):
        out.append(_score("retention", "retention", arms))
    out += _thresholds(comparison)
    for title, sign in (("failed lives", "failed"), ("empty networks", "collapsed")):
        if any(arm.get(sign) for arm in arms):
            out.append(Column(title, lambda name, arm, sign=sign: f"{arm.get(sign, 0.0):.1%}", brief=True))
    spent = comparison["ledger"]["outer_lifetimes"]
    return [*out, Column("tuning lives", lambda name, arm: _tuning(arm, spent))]


def told_by_seeds(comparison: Results) -> list[Column]:
    """What is known of each arm over seeds; its places in an entry's ``statistics``."""
    arms = [a["statistics"] for a in comparison["arms"].values() if "statistics" in a]

    def found(part: str, key: str = "") -> Callable[[str, Entry], str]:
        digits = 2 if part == "improvement" else decimals(a[part] for a in arms if part in a and "lo" in a[part])

        def cell(name: str, arm: Entry) -> str:
            told = arm.get("statistics", {}).get(part)
            return NONE if told is None else probability(told[key]) if key else interval(told, digits)

        return cell

    holm = comparison["power"]["correction"] == "Holm"
    return [
        Column("IQM of AULC", found("iqm")),
        Column("minus champion", found("difference")),
        Column("P(improvement)", found("improvement"), brief=True),
        Column("p", found("difference", "p")),
        *([] if holm else [Column("p by Holm", found("difference", "p_holm"))]),
        Column("corrected p", found("difference", "p_corrected"), brief=True),
        Column("equivalence p", found("equivalence", "p_holm")),
    ]


def rows_by_seeds(comparison: Results) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of :func:`told_by_seeds`, arms that have statistics as in :func:`ordered`."""
    names = [n for n in ordered(comparison) if "statistics" in comparison["arms"][n]]
    chosen = told_by_seeds(comparison)
    return ["arm", *(c.title for c in chosen)], [[n, *(c.cell(n, comparison["arms"][n]) for c in chosen)] for n in names]


def _tuning(arm: Entry, spent: float) -> str:
    """Lives that it took to choose an arm; an evolved one cost the search."""
    return f"{count(spent)} (search)" if arm["role"] == "evolved" else count(arm["tuning_lives"] or None)


def _score(title: str, score: str, arms: Sequence[Entry], *, brief: bool = False) -> Column:
    digits = decimals(arm["scores"][score] for arm in arms if score in arm["scores"])

    def cell(name: str, arm: Entry) -> str:
        return interval(arm["scores"][score], digits) if score in arm["scores"] else NONE

    return Column(title, cell, brief)


def probes_shown(samples: Sequence[int]) -> list[int]:
    """Indices of the first probe after birth, the middle one and the last."""
    last = len(samples) - 1
    return sorted({min(1, last), (last + 1) // 2, last})


def _gains(comparison: Results) -> list[Column]:
    samples, gain, digits = comparison["samples"], gain_name(comparison), gain_digits(comparison)
    return [
        Column(f"{gain} at {samples[i]}", lambda name, arm, i=i: _gain(arm, gain, i, digits), brief=i == len(samples) - 1)
        for i in probes_shown(samples)
    ]


def gain_digits(comparison: Results) -> int:
    """Decimals of an accuracy or a return: two, or one where returns are larger than a few."""
    return 1 if comparison.get("span") and max(map(abs, comparison["span"])) > 10 else 2


def _gain(arm: Entry, gain: str, probe: int, digits: int) -> str:
    curve = arm["curves"].get(gain)
    return interval({k: curve[m][probe] for k, m in (("value", "mean"), ("lo", "lo"), ("hi", "hi"))}, digits) if curve else NONE


def _thresholds(comparison: Results) -> list[Column]:
    """Samples to a score, for each score that some life of some arm reached."""
    found = [arm["scores"].get("samples_to", {}) for arm in comparison["arms"].values()]
    names = {n: None for scores in found for n, score in scores.items() if score["censored"] < 1}
    acts = comparison["problem"] == "control"
    goal = {n: f"regret {1 - float(n):.2g}" if acts else n for n in names}
    return [Column(f"{comparison['unit']} to {goal[n]}", lambda name, arm, n=n: _samples_to(arm, n)) for n in names]


def _samples_to(arm: Entry, threshold: str) -> str:
    """Samples to a score; a life that never got there counts as its whole length, and is called censored."""
    found = arm["scores"].get("samples_to", {}).get(threshold)
    if found is None:
        return NONE
    if found["censored"] >= 1:
        return "never"
    return interval(found, 1) + (f", {found['censored']:.0%} censored" if found["censored"] else "")


def count(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return NONE if value is None else f"{value:,.0f}"


def number(value: float, digits: int) -> str:
    """A number to so many decimals, and no minus before a zero."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def interval(score: Mapping[str, float], digits: int | None = None) -> str:
    """``value [lo, hi]``; as many decimals as the interval is worth unless told."""
    digits = decimals([score]) if digits is None else digits
    value, low, high = (number(score[k], digits) for k in ("value", "lo", "hi"))
    return f"{value} [{low}, {high}]"


def decimals(scores: Iterable[Mapping[str, float]]) -> int:
    """Decimals at which the narrowest interval that is not a point still shows a width; 2 if there is none."""
    halves = [(s["hi"] - s["lo"]) / 2 for s in scores if s["hi"] - s["lo"] > 1e-6 * max(abs(s["value"]), 1e-6)]
    if not halves:
        return 2
    return int(np.clip(math.ceil(-math.log10(min(halves)) - 0.3), *DECIMALS))
