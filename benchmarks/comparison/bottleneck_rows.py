"""Rows and figure of ``bottleneck``: what each genome makes of each world, where direct weights overtake, and the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.comparison.bottleneck_arms import DIRECT, FAMILIES, READOUT, SCHEDULE, WORLDS, World, size_of
from evodev.statistics import holm, interval, paired

Cell = tuple[str, World, str, int]
"""Optimiser, world, genome, seed."""
COMPACT = ("relative", "cosine")
DATA = ("glyphs", "digits")
SHADES = {
    READOUT: "#9aa1ab",
    **dict(zip(FAMILIES["relative"], ("#6db3d9", "#0b5a8f"), strict=True)),
    **dict(zip(FAMILIES["cosine"], ("#f5c38a", "#e58a1f", "#a65200"), strict=True)),
    DIRECT: "black",
}
MARKS = {READOUT: "x", **dict.fromkeys(FAMILIES["relative"], "o"), **dict.fromkeys(FAMILIES["cosine"], "s"), DIRECT: "D"}


@dataclass(frozen=True)
class Results:
    """Finished cells, and accuracies of 1-NN on pixels (lives, probes) by data set."""

    cells: Mapping[Cell, dict[str, Any]]
    nearest: Mapping[str, np.ndarray]

    def seeds(self, optimiser: str, world: World, *genomes: str) -> list[int]:
        """Those of which all these genomes are finished."""
        had = [{s for o, w, g, s in self.cells if (o, w, g) == (optimiser, world, genome)} for genome in genomes]
        return sorted(set.intersection(*had))

    def values(self, optimiser: str, world: World, genome: str, what: str, seeds: Sequence[int] | None = None) -> np.ndarray:
        """One AULC a seed: ``test``, ``train``, ``birth`` or ``last``; ``validation`` is that of the chosen check."""
        of = [self.cells[optimiser, world, genome, s] for s in (seeds or self.seeds(optimiser, world, genome))]
        return np.array([min(c["validation"]) if what == "validation" else c[what]["area"] for c in of])

    def worlds(self, optimiser: str, data: str, *genomes: str) -> list[World]:
        """Of a data set, those in which all these genomes have a finished seed."""
        return [world for world in WORLDS if world.data == data and self.seeds(optimiser, world, *genomes)]

    def chosen(self, optimiser: str, world: World, family: str) -> str | None:
        """The genome of a family that is best on validation, mean over seeds."""
        there = [genome for genome in FAMILIES[family] if self.seeds(optimiser, world, genome)]
        return min(there, key=lambda g: self.values(optimiser, world, g, "validation").mean(), default=None)

    def margin(self, optimiser: str, world: World, family: str) -> np.ndarray:
        """Held-out AULC of direct weights less that of the family's chosen genome, one a seed: above 0 the compact one wins."""
        compact = self.chosen(optimiser, world, family)
        if compact is None:
            return np.zeros(0)
        seeds = self.seeds(optimiser, world, compact, DIRECT)
        if not seeds:
            return np.zeros(0)
        return self.values(optimiser, world, DIRECT, "test", seeds) - self.values(optimiser, world, compact, "test", seeds)


def banded(values: np.ndarray) -> tuple[float, float | None, float | None]:
    """Mean and 95% interval over seeds; one seed has none."""
    mean, low, high = (float(x) for x in interval(np.asarray(values, np.float64), 2000))
    return (mean, low, high) if len(values) > 1 else (mean, None, None)


def row(label: str, values: np.ndarray, note: str, **more: Any) -> dict[str, Any]:
    """Mean over seeds."""
    mean, low, high = banded(values)
    return {"label": label, "measured": mean, "lo": low, "hi": high, "unit": "nats", "note": note, **more}


def words(values: np.ndarray) -> str:
    """A mean with its interval, in words."""
    mean, low, high = banded(values)
    return f"{mean:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def cell_rows(results: Results, optimiser: str) -> list[dict[str, Any]]:
    """Held-out AULC of every genome in every world; what it was in training is told in the note."""
    rows = []
    for world in WORLDS:
        for genome in SHADES:
            seeds = results.seeds(optimiser, world, genome)
            if not seeds:
                continue
            test, own = (results.values(optimiser, world, genome, what) for what in ("test", "train"))
            of = [results.cells[optimiser, world, genome, s] for s in seeds]
            at = [SCHEDULE.index(step) for step in (1, 3, 5)]
            accuracy = "/".join(f"{np.mean([c['test']['accuracy'][i] for c in of]):.2f}" for i in at)
            note = f"train classes {words(own)}, gap {words(test - own)}; accuracy {accuracy} at 1/3/5 samples a class; "
            note += (
                f"at the last step, not stopped: {words(results.values(optimiser, world, genome, 'last'))}; {len(seeds)} seeds"
            )
            label = f"{world.data}, {world.classes} classes, by {optimiser}: {genome}, {size_of(genome):,} numbers"
            rows.append(row(label, test, note))
    return rows


def margin_rows(results: Results, optimiser: str, data: str) -> list[dict[str, Any]]:
    """Direct less compact at each number of classes, and the number at which they cross."""
    rows = []
    for family in COMPACT:
        worlds = [w for w in results.worlds(optimiser, data, DIRECT) if len(results.margin(optimiser, w, family))]
        margins = [results.margin(optimiser, world, family) for world in worlds]
        chance = [paired(m, np.zeros_like(m)).p for m in margins]
        for world, margin, p in zip(worlds, margins, holm(chance), strict=True):
            more, wanted = {}, expected(optimiser, world)
            low, high = banded(margin)[1:]
            if wanted and low is not None and high is not None:
                more = {"target": 0.0, "met": bool(low > 0 if wanted > 0 else high < 0)}
            note = f"compact: {results.chosen(optimiser, world, family)}, by validation; above 0 the compact one wins; "
            note += f"sign-flip p {p:.3f} after Holm, with {len(margin)} seeds never below {2 / 2 ** len(margin):.3f} before"
            if more:
                note += f"; met: the interval lies {'above' if wanted > 0 else 'below'} 0, as expected"
            label = f"{data}, {world.classes} classes, by {optimiser}: direct less {family}"
            rows.append(row(label, margin, note, **more))
        if worlds:
            rows.append(crossing_row(f"{data}, by {optimiser}: classes at which direct overtakes {family}", worlds, margins))
    return rows


def expected(optimiser: str, world: World) -> int:
    """Sign of the margin that was written down before the run; 0 where none was."""
    if optimiser == "evolution" or world.classes == 8:
        return 1
    return -1 if world.classes == 316 else 0


def crossing(classes: Sequence[int], margins: Sequence[float]) -> float:
    """Classes at which the margin falls below 0 for good, linear in their logarithm; infinite if it never does, 0 if always."""
    above = [i for i, m in enumerate(margins) if m > 0]
    if not above:
        return 0.0
    last = above[-1]
    if last == len(margins) - 1:
        return np.inf
    share = margins[last] / (margins[last] - margins[last + 1])
    return float(np.exp(np.log(classes[last]) + share * (np.log(classes[last + 1]) - np.log(classes[last]))))


def crossings(worlds: Sequence[World], margins: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """The crossing of the mean margins, and of bootstrap resamples of the seeds."""
    classes, rng = [w.classes for w in worlds], np.random.default_rng(0)
    seeds = min(len(m) for m in margins)
    drawn = rng.integers(0, seeds, (2000, seeds))
    return crossing(classes, [m.mean() for m in margins]), np.array(
        [crossing(classes, [m[i].mean() for m in margins]) for i in drawn]
    )


def crossing_row(label: str, worlds: Sequence[World], margins: Sequence[np.ndarray]) -> dict[str, Any]:
    """Where it is; beyond the range trained on, null."""

    def known(number: float) -> float | None:
        return float(number) if 0 < number < np.inf else None

    here, drawn = crossings(worlds, margins)
    low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
    seen = f"{worlds[0].classes} to {worlds[-1].classes} classes"
    never, always = (drawn == np.inf).mean(), (drawn == 0).mean()
    note = {np.inf: f"never within {seen}", 0.0: f"ahead throughout, {seen}"}.get(here, f"within {seen}")
    if min(len(m) for m in margins) == 1:
        return {"label": label, "measured": known(here), "unit": "classes", "note": f"{note}; one seed"}
    note += f"; of 2000 resamples of the seeds {never:.0%} never cross, {always:.0%} have direct ahead throughout"

    return {"label": label, "measured": known(here), "lo": known(low), "hi": known(high), "unit": "classes", "note": note}


def control_rows(results: Results) -> list[dict[str, Any]]:
    """Genomes at birth, and 1-NN on pixels."""
    rows = []
    for data in DATA:
        for genome in SHADES:
            worlds = results.worlds("gradient", data, genome)
            if worlds:
                birth = results.values("gradient", worlds[0], genome, "birth")
                rows.append(
                    row(f"{data}, at birth, untrained: {genome}, {size_of(genome):,} numbers", birth, f"{len(birth)} seeds")
                )
        accuracy = results.nearest[data]
        mean, low, high = (float(x) for x in interval(accuracy[:, -1].astype(np.float64), 2000))
        at = "/".join(f"{accuracy[:, SCHEDULE.index(step)].mean():.2f}" for step in (1, 3, 5))
        note = f"accuracy {at} at 1/3/5 samples a class; interval over {len(accuracy)} lives"
        label, unit = f"{data}, 1-NN on pixels, no network", "accuracy"
        rows.append({"label": label, "measured": mean, "lo": low, "hi": high, "unit": unit, "note": note})
    return rows


# figure


def by_classes(axis: Axes, results: Results, optimiser: str, data: str) -> None:
    """Held-out AULC against training classes, a line a genome."""
    for genome, colour in SHADES.items():
        worlds = results.worlds(optimiser, data, genome)
        if not worlds:
            continue
        bands = np.array([interval(results.values(optimiser, w, genome, "test"), 2000) for w in worlds])
        x, order = [w.classes for w in worlds], 3 if genome == DIRECT else 2
        width, dash = (2.4 if genome == DIRECT else 1.5), ":" if genome == READOUT else "-"
        axis.plot(x, bands[:, 0], dash, color=colour, marker=MARKS[genome], markersize=4.5, linewidth=width, zorder=order)
        axis.fill_between(x, bands[:, 1], bands[:, 2], color=colour, alpha=0.18, linewidth=0)
    ticks = [w.classes for w in WORLDS if w.data == data]
    axis.set_xscale("log")
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.minorticks_off()
    axis.set_xlabel("classes trained on")
    found = {}
    for family in COMPACT:
        worlds = [w for w in results.worlds(optimiser, data, DIRECT) if len(results.margin(optimiser, w, family))]
        margins = [results.margin(optimiser, world, family).mean() for world in worlds]
        found[family] = crossing([world.classes for world in worlds], margins) if worlds else 0.0
    found = {family: here for family, here in found.items() if 0 < here < np.inf}
    for row_of_text, (family, here) in enumerate(found.items()):
        colour = SHADES[FAMILIES[family][-1]]
        axis.axvline(here, color=colour, linestyle=(0, (4, 2)), linewidth=1)
        axis.annotate(
            f"direct overtakes {family} at {here:.0f}", (max(found.values()), 0.96 - 0.06 * row_of_text), color=colour,
            xycoords=("data", "axes fraction"), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5,
        )  # fmt: skip


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights, those too near the one below moved up."""
    out, last = list(heights), -np.inf
    for i in np.argsort(heights):
        last = out[i] = max(heights[i], last + gap)
    return out


def by_size(axis: Axes, results: Results, optimiser: str, data: str) -> None:
    """Held-out AULC against numbers in the genome, a line a family and number of classes."""
    worlds, ends = [w for w in WORLDS if w.data == data], {}
    for depth, world in enumerate(worlds):
        strength = 0.25 + 0.75 * (depth + 1) / len(worlds)
        for family in COMPACT:
            names = [*FAMILIES[family], *((DIRECT,) if family == "cosine" else ())]
            names = [n for n in names if results.seeds(optimiser, world, n)]
            if not names:
                continue
            bands = np.array([interval(results.values(optimiser, world, n, "test"), 2000) for n in names])
            colour, x = SHADES[FAMILIES[family][-1]], [size_of(n) for n in names]
            axis.plot(x, bands[:, 0], color=colour, marker=MARKS[names[0]], markersize=4, linewidth=1.5, alpha=strength)
            axis.fill_between(x, bands[:, 1], bands[:, 2], color=colour, alpha=0.1 * strength, linewidth=0)
            if family == "cosine" and DIRECT in names:
                axis.plot(x[-1], bands[-1, 0], MARKS[DIRECT], color="black", markersize=5, alpha=strength, zorder=4)
                ends[f"{world.classes} classes"] = bands[-1, 0]
    low, high = axis.get_ylim()
    for name, height in zip(ends, apart(list(ends.values()), 0.055 * (high - low)), strict=True):
        axis.annotate(name, (size_of(DIRECT), height), xytext=(7, 0), textcoords="offset points", va="center", fontsize=7.5)
    axis.set_xscale("log")
    axis.set_xlim(80, 250_000)
    axis.set_xlabel("numbers in the genome")


def draw(results: Results, path: Path, optimisers: Sequence[str]) -> None:
    """Above, what more classes do; below, what a larger genome does."""
    figure = Figure(figsize=(13.5, 8), layout="constrained")
    grid = figure.subplots(2, 4, gridspec_kw={"width_ratios": (1.25, 1.25, 0.9, 0.9)})
    columns = [(column, data, optimiser) for column, (data, optimiser) in enumerate((d, o) for d in DATA for o in optimisers)]
    for column, data, optimiser in columns:
        by_classes(grid[0, column], results, optimiser, data)
        first = grid[0, 0 if data == "glyphs" else 2]
        for axis in grid[:, column]:
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", linewidth=0.4, alpha=0.5)
            if axis is not first:
                axis.sharey(first)
        seeds = min((len(results.seeds(optimiser, world, DIRECT)) for world in WORLDS if world.data == data), default=0)
        title = f"{data}, by {optimiser} ({seeds} seed{'' if seeds == 1 else 's'})"
        grid[0, column].set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    for column, data, optimiser in columns:
        by_size(grid[1, column], results, optimiser, data)
    for axis in grid[:, 0]:
        axis.set_ylabel("loss on held-out classes (AULC, nats)")
    handles = [
        Line2D(
            [], [], linestyle=":" if g == READOUT else "-", color=c, marker=MARKS[g], markersize=4.5,
            linewidth=2.4 if g == DIRECT else 1.5, label=f"{g}, {size_of(g):,}",
        )
        for g, c in SHADES.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9, title="genome, numbers in it")
    figure.suptitle("When does a bottleneck help? Classes never trained on; mean and 95% interval over outer seeds", fontsize=12)
    figure.savefig(path, dpi=140)
