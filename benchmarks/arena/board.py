"""The arena's table and figure, of whatever is finished."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.arena.cells import ARMS, RANDOM, REFERENCES, RIVALS, Cell, Entry, flagged
from benchmarks.arena.worlds import BUDGETS, MAKERS, WORST, worlds
from benchmarks.common import result_path, write_result
from evodev.decoders import DECODERS
from evodev.statistics import estimate, improvement, interval, iqm, paired, profile

Results = dict[str, dict[str, list[Entry]]]
"""Finished seeds from the first on, by arm and world."""
ACTED = "CartPole"
COMPACT = tuple(name for name in DECODERS if name != "direct")
FLOOR = -0.35
"""Where panels of the figure end on the left."""
RESAMPLES = 2000


def finished(budget: str, seeds: int) -> tuple[Results, dict[tuple[str, str], Cell]]:
    """What the cache has, and every cell by arm and world."""
    cells = {(arm, name): Cell(arm, world, BUDGETS[budget]) for arm in ARMS for name, world in worlds(BUDGETS[budget]).items()}
    results: Results = {arm: {} for arm in ARMS}
    for (arm, name), cell in cells.items():
        if cell.reason:
            continue
        done: list[Entry] = []
        for seed in range(seeds):
            entry = cell.finished(seed)
            if entry is None:
                break
            done.append(entry)
        if done:
            results[arm][name] = done
    return results, cells


def values(results: Results, arm: str, where: Iterable[str]) -> np.ndarray | None:
    """Scores (seeds, worlds) of an arm, as many seeds as all of these worlds have; None where one has none."""
    own = [results[arm].get(name) for name in where]
    if arm in REFERENCES or not all(own):
        return None
    count = min(len(entries) for entries in own if entries)
    return np.array([[entry["score"] for entry in entries[:count]] for entries in own if entries]).T


def mean(results: Results, arm: str, world: str) -> float:
    """Mean score over seeds; minus infinity where there is none."""
    own = values(results, arm, [world])
    return -np.inf if own is None else float(own.mean())


def best(results: Results, arms: Sequence[str], world: str) -> str | None:
    """The arm of the highest mean score; None if none has one."""
    known = [arm for arm in arms if np.isfinite(mean(results, arm, world))]
    return max(known, key=lambda arm: mean(results, arm, world)) if known else None


def strongest(results: Results, where: Sequence[str]) -> np.ndarray | None:
    """Scores (seeds, worlds) of the strongest rival of each world."""
    names = [best(results, RIVALS, world) for world in where]
    own = [values(results, name, [world]) for name, world in zip(names, where, strict=True) if name]
    if len(own) < len(where) or any(v is None for v in own):
        return None
    count = min(len(v) for v in own if v is not None)
    return np.concatenate([v[:count] for v in own if v is not None], axis=1)


def ranked(results: Results, where: Sequence[str]) -> list[str]:
    """Arms with scores in all of these worlds, the best interquartile mean first."""
    tables = {arm: own for arm in ARMS if (own := values(results, arm, where)) is not None}
    return sorted(tables, key=lambda arm: -iqm(tables[arm]))


def leaderboard(results: Results, where: Sequence[str], title: str) -> list[dict[str, Any]]:
    """A row an arm: the interquartile mean over worlds and seeds, and how often it beats the strongest rival of each world."""
    rows, rival = [], strongest(results, where)
    for rank, arm in enumerate(ranked(results, where), 1):
        own = values(results, arm, where)
        assert own is not None
        told = estimate(own, resamples=RESAMPLES)
        note = ", ".join(f"{name} {score:.2f}" for name, score in zip(where, own.mean(0), strict=True))
        if rival is not None and arm not in RIVALS:
            over = improvement(own, rival, resamples=RESAMPLES)
            note += f"; above the strongest rival of each world with P = {over.value:.2f} [{over.lo:.2f}, {over.hi:.2f}]"
        rows.append({
            "label": f"{title}{rank}. {arm}", "measured": told.value, "lo": told.lo, "hi": told.hi, "unit": "IQM of scores",
            "note": f"{note}; {len(own)} seeds" + ("; rival, no genome of development" if arm in RIVALS else ""),
        })  # fmt: skip
    return rows


def spread(scores: np.ndarray) -> dict[str, Any]:
    """Mean of seeds with its interval; none of a single seed."""
    value, low, high = (float(v) for v in interval(scores, RESAMPLES))
    return {"measured": value} | ({"lo": low, "hi": high} if len(scores) > 1 else {})


def entry_row(cell: Cell, entries: list[Entry]) -> dict[str, Any]:
    """A row of one cell: the score, and all that is to be equal."""
    label, many = f"{cell.world.name}: {cell.arm}", f"{len(entries)} seeds" if len(entries) > 1 else "one seed"
    if cell.arm in REFERENCES:
        told = spread(np.array([e["accuracy"] for e in entries]))
        return {"label": label, **told, "unit": "accuracy at the end", "note": f"no score, as it has no loss; {many}"}
    first, notes = entries[0], []
    notes.append("AULC " + f"{np.mean([e['aulc'] for e in entries]):.3g}")
    if first["numbers"]:
        off = f" ({first['numbers'] / cell.world.numbers - 1:+.0%}: NOT equal)" if flagged(cell) else ""
        notes.append(f"{first['numbers']:,} numbers{off}")
    notes.append(f"{np.mean([e['synapses'] for e in entries]):,.0f} synapses")
    if "initial" in first:
        notes.append(f"before selection {np.mean([e['initial'] for e in entries]):.2f}")
    if "accuracy" in first:
        notes.append(f"accuracy {np.mean([e['accuracy'] for e in entries]):.2f}")
    if any(e["failed"] for e in entries):
        notes.append(f"{np.mean([e['failed'] for e in entries]):.1%} of lives failed")
    notes.append(f"{np.mean([e['lives'] for e in entries]):,.0f} outer lives")
    if "note" in first:
        notes.append(first["note"])
    return {"label": label, **spread(np.array([e["score"] for e in entries])), "unit": "score", "note": "; ".join([*notes, many])}


def expected(results: Results) -> list[dict[str, Any]]:
    """The signs that were written down before the run, those that can be told."""
    rows: list[dict[str, Any]] = []

    def gap(label: str, own: str | None, other: str | None, where: Sequence[str], wanted: bool = True) -> None:
        a, b = (values(results, arm, where) if arm else None for arm in (own, other))
        if a is None or b is None:
            return
        count = min(len(a), len(b))
        told = paired(a[:count].mean(1), b[:count].mean(1))
        rows.append({
            "label": f"expected: {label}", "measured": told.value, "lo": told.lo, "hi": told.hi, "unit": "score",
            "met": bool(told.value > 0) == wanted, "note": f"{own} less {other}, {count} seeds",
        })  # fmt: skip

    others = [name for name in COMPACT if name != "retinotopic"]
    for world, wanted in (("digits", True), ("MNIST-1D", True), ("sine", False), (ACTED, False)):
        label = f"on {world}, retinotopic above all other compact decoders"
        gap(
            label if wanted else label.replace("retinotopic", "retinotopic NOT"),
            "retinotopic",
            best(results, others, world),
            [world],
            wanted,
        )
    gap("ndna not above random sparse with the same learner, all worlds", "ndna", RANDOM, list(MAKERS), False)
    gap("on digits, the best compact decoder above direct", best(results, COMPACT, "digits"), "direct", ["digits"])
    gap(f"on {ACTED}, direct above the best compact decoder", "direct", best(results, COMPACT, ACTED), [ACTED])
    for world in MAKERS:
        rival, own = best(results, RIVALS, world), best(results, tuple(DECODERS), world)
        if world == "sine":
            gap("on sine, MAML above the best decoder", "MAML", own, [world])
        else:
            gap(f"on {world}, the best decoder above the strongest rival", own, rival, [world])
    return rows


def rows_of(results: Results, cells: dict[tuple[str, str], Cell]) -> list[dict[str, Any]]:
    """Leaderboards, expectations, cells world by world, and what does not exist."""
    told = [name for name in MAKERS if name != ACTED]
    rows = leaderboard(results, list(MAKERS), "") + leaderboard(results, told, f"without {ACTED}: ")
    rows += expected(results)
    for world in MAKERS:
        here = [arm for arm in ARMS if world in results[arm]]
        for arm in sorted(here, key=lambda arm: -mean(results, arm, world) if arm not in REFERENCES else np.inf):
            rows.append(entry_row(cells[arm, world], results[arm][world]))
        for arm in ARMS:
            if (reason := cells[arm, world].reason) is not None:
                rows.append({"label": f"{world}: {arm}", "note": reason})
    for arm in ARMS:
        missing = [world for world in MAKERS if world not in results[arm] and cells[arm, world].reason is None]
        if missing:
            rows.append({"label": f"not run yet: {arm}", "note": ", ".join(missing)})
    return rows


def dots(axis: Axes, arms: list[str], results: Results, world: str) -> None:
    """Means with intervals over seeds, and open dots for genomes before selection."""
    for y, arm in enumerate(reversed(arms)):
        own = values(results, arm, [world])
        if own is None:
            continue
        colour = "C3" if arm in RIVALS else "C0"
        told = spread(own[:, 0])
        axis.plot([told.get("lo", told["measured"]), told.get("hi", told["measured"])], [y, y], color=colour, linewidth=2)
        axis.plot(told["measured"], y, "o" if arm in DECODERS else "s", color=colour, markersize=5)
        first = [e["initial"] for e in results[arm][world] if "initial" in e]
        if first:
            before = float(np.mean(first))
            mark = "o" if before >= FLOOR else "<"
            axis.plot(max(before, FLOOR), y, mark, color=colour, markerfacecolor="none", markersize=4, clip_on=False)


def draw(results: Results, budget: str) -> None:
    """A panel a world and one for the interquartile mean; below, the performance profiles."""
    shown = [arm for arm in ARMS if arm not in REFERENCES and results[arm]]
    order = ranked(results, list(MAKERS))
    order += sorted((a for a in shown if a not in order), key=lambda a: -np.mean([mean(results, a, w) for w in results[a]]))
    figure = Figure(figsize=(13, 0.27 * len(order) + 5.2), layout="constrained")
    grid = figure.add_gridspec(2, len(MAKERS) + 1, height_ratios=[0.27 * len(order) + 0.8, 3.2])
    first: Axes | None = None
    for i, name in enumerate((*MAKERS, "all worlds")):
        axis = figure.add_subplot(grid[0, i], sharey=first)
        first = first or axis
        if name in MAKERS:
            dots(axis, order, results, name)
            high = max([mean(results, arm, name) for arm in order] + [0.0])
            axis.set_xlim(FLOOR, min(1.0, high * 1.25 + 0.1))
        else:
            for y, arm in enumerate(reversed(order)):
                own = values(results, arm, list(MAKERS))
                if own is not None:
                    told, colour = estimate(own, resamples=RESAMPLES), "C3" if arm in RIVALS else "C0"
                    axis.plot([told.lo, told.hi], [y, y], color=colour, linewidth=2)
                    axis.plot(told.value, y, "D", color=colour, markersize=5)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set_title(name if name in MAKERS else "all four (IQM)", loc="left", fontsize=10)
        axis.set_xlabel("score", fontsize=9)
        axis.grid(axis="both", linewidth=0.4, alpha=0.5)
        axis.spines[["top", "right"]].set_visible(False)
        if i:
            axis.tick_params(labelleft=False)
    if first is not None:
        first.set_yticks(range(len(order)), list(reversed(order)), fontsize=9)
        for label, arm in zip(first.get_yticklabels(), reversed(order), strict=True):
            label.set_color("C3" if arm in RIVALS else "black")
    axis = figure.add_subplot(grid[1, :3])
    profiles(axis, results)
    words = figure.add_subplot(grid[1, 3:])
    words.axis("off")
    words.text(
        0, 0.95,
        "Score: 1 - AULC / loss of ignorance on lives of the test family; 1 perfect, 0 ignorant.\n"
        "Bars: 95% intervals over outer seeds. Filled: the champion, best on validation lives.\n"
        "Open: the same genome before any selection (<: beyond the panel).\n"
        "Blue dots: decoders, equal genome numbers (direct: a gene a synapse) and synapses.\n"
        f"Red squares: rivals without a genome of development, at most the same outer lives.\n\nBudget: {budget}",
        va="top", fontsize=9, transform=words.transAxes, wrap=True,
    )  # fmt: skip
    figure.savefig(result_path("comparison", "arena").with_suffix(".png"), dpi=150)


def profiles(axis: Axes, results: Results) -> None:
    """Share of runs above each score, all worlds: the best decoders and rivals in colour, the others grey."""
    order, thresholds = ranked(results, list(MAKERS)), np.linspace(FLOOR, 1, 200)
    bright = [arm for arm in order if arm in DECODERS][:3] + [arm for arm in order if arm in RIVALS][:2]
    bright += [arm for arm in ("direct",) if arm in order and arm not in bright]
    for arm in reversed(order):
        own = values(results, arm, list(MAKERS))
        if own is None:
            continue
        style: dict[str, Any] = {"color": "0.85", "linewidth": 1}
        if arm in bright:
            style = {
                "color": f"C{bright.index(arm)}",
                "linewidth": 1.8,
                "label": arm,
                "linestyle": "--" if arm in RIVALS else "-",
            }
        axis.plot(thresholds, profile(own, thresholds), **style)
    axis.set_xlim(FLOOR, 1)
    axis.set_xlabel("score t")
    axis.set_ylabel("share of runs above t")
    axis.set_title("performance profile over the four worlds", loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    if bright:
        axis.legend(frameon=False, fontsize=8)


def write(budget: str, seeds: int) -> None:
    """benchmarks/results/comparison/arena.json and .png of what is finished at this budget."""
    results, cells = finished(budget, seeds)
    rows, own = rows_of(results, cells), BUDGETS[budget]
    some = next(iter(cells.values()))
    spent = [e["seconds"] for arm in results.values() for entries in arm.values() for e in entries]
    equal = "; ".join(
        f"{w.name}: about {w.numbers} numbers, {w.grown:,} of {w.possible:,} synapses to be grown" for w in worlds(own).values()
    )
    told = (
        f"{budget}: {own.strategy.name}, {own.population} genomes x {own.generations} generations x {own.lives} lives = "
        f"{some.lives:,} outer lives a search with validation, the most that a rival may spend; {own.test_lives} test lives; "
        f"a probe counts at most {WORST:g} times ignorance; {equal}; {len(spent)} searches and tunings in "
        f"{sum(spent) / 60:.0f} core-minutes"
    )
    done = [len(entries) for arm in results.values() for entries in arm.values()]
    write_result(
        "comparison", "arena", rows, command=f"python -m benchmarks.arena --budget {budget} --seeds {seeds}",
        seeds=min(done, default=0), budget=told, figure="arena.png",
    )  # fmt: skip
    draw(results, told.split("; ")[0])
