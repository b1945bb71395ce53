"""Figures of how arms differ: from the champion, over seeds, and at birth against in life."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from evodev.report.curves import log_axis, together
from evodev.report.style import FAINT, GRID, WIDTH, Stroke, canvas, drawn, panel, plain, strokes
from evodev.report.table import GROUPS, Results, champion_of, decimals, interval, loss_name, ordered, probability

ROW = 0.25
"""Height of a row, inches."""
MARKS = {"evolved": "o", "baseline": "s", "control": "D", "reference": "^"}
DIFFERENCE = "aulc_minus_champion"


def compared(comparison: Results) -> list[str]:
    """Arms of which the difference from the champion is known, in the order of the table."""
    arms, champion = comparison["arms"], champion_of(comparison)
    return [n for n in ordered(comparison) if n != champion and champion in arms and DIFFERENCE in arms[n]["scores"]]


@drawn
def forest(comparison: Results) -> Figure:
    """AULC of each arm minus the champion's, paired, with its interval; grouped by role, the champion is the line at zero.

    Over several seeds the probability of improvement and the corrected p stand beside it, and a band at zero is the margin of
    equivalence. What lies far beyond ignorance is cut off, with an arrow.
    """
    arms, names = comparison["arms"], compared(comparison)
    pens, lines = strokes(arms, ordered(comparison)), _grouped(comparison, names)
    tested = any("improvement" in arms[n].get("statistics", {}) for n in names)
    left, right, top, bottom = 3.15, 1.85 + 1.77 * tested, 0.36, 0.62
    rows = ROW * len(lines)
    figure = canvas(rows + top + bottom)
    ax = panel(figure, left, bottom, WIDTH - left - right, rows)
    scores = {n: arms[n]["scores"][DIFFERENCE] for n in names}
    low, high = _reach(comparison, list(scores.values()))
    ax.set(xlim=(low, high), ylim=(len(lines) - 0.5, -0.5))
    margin = comparison.get("power", {}).get("margin")
    if margin:
        ax.axvspan(-margin, margin, color="#eceef1", linewidth=0, zorder=0)
    ax.axvline(0, color=pens[champion_of(comparison)].color, linewidth=1.6, zorder=1)
    inch = WIDTH - left - right
    places = {"difference": 1 + 1.7 / inch, "P(improvement)": 1 + 2.98 / inch, "corrected p": 1 + 3.52 / inch}
    digits, side = decimals(scores.values()), ax.get_yaxis_transform()
    for title, x in places.items() if tested else [("difference", places["difference"])]:
        ax.text(x, -0.55, title.replace(" ", "\n"), transform=side, ha="right", va="bottom", fontsize=8, color=FAINT)
    for y, (name, heading) in enumerate(lines):
        if heading:
            ax.text(-0.02, y, heading, transform=side, ha="right", va="center", fontsize=8.5, color=FAINT, style="italic")
            continue
        _bar(ax, y, scores[name], pens[name], MARKS.get(arms[name]["role"], "^"))
        text: dict[str, Any] = {"transform": side, "va": "center", "ha": "right"}
        label(ax, -0.02, y, name, pens[name], left - 0.12, **text)
        text["fontsize"] = 8.5
        ax.text(places["difference"], y, interval(scores[name], digits), **text)
        told = arms[name].get("statistics", {})
        if "improvement" in told:
            ax.text(places["P(improvement)"], y, interval(told["improvement"], 2), **text)
            ax.text(places["corrected p"], y, probability(told["difference"]["p_corrected"]), **text)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.grid(axis="x")
    own = interval(arms[champion_of(comparison)]["scores"]["aulc"])
    ax.set_xlabel(
        f"AULC minus the champion's, which is {own}\n(right of the line: higher {loss_name(comparison)}, the arm is worse)"
    )
    return figure


def label(ax: Axes, x: float, y: float, name: str, pen: Stroke, room: float, **options: Any) -> None:
    """An arm's name in its colour on one line, in the largest type that fits into so many inches; cut if none does."""
    bold = pen.width > 1.8
    for size in (8.2, 7.4, 6.6):
        letters = int(room / (size * (0.0083 if bold else 0.0076)))
        if len(name) <= letters:
            break
    name = name if len(name) <= letters else name[: letters - 1].rstrip() + "…"
    ax.text(x, y, plain(name), color=pen.color, fontsize=size, fontweight="bold" if bold else "normal", **options)


def _grouped(comparison: Results, names: Sequence[str]) -> list[tuple[str, str]]:
    """Rows of the forest plot: an arm's name, or a heading where a role begins."""
    out: list[tuple[str, str]] = []
    before = ""
    for name in names:
        role: str = comparison["arms"][name]["role"]
        if role != before:
            out.append(("", GROUPS.get(role, role)))
        out.append((name, ""))
        before = role
    return out


def _reach(comparison: Results, scores: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """Ends of the axis: all intervals, but nothing that is much worse than knowing nothing."""
    low, high = min([0.0, *(s["lo"] for s in scores)]), max([0.0, *(s["hi"] for s in scores)])
    worst = 1.8 * (comparison["ignorant_loss"] - comparison["arms"][champion_of(comparison)]["scores"]["aulc"]["value"])
    if worst > 0:
        near = [s["hi"] for s in scores if s["hi"] <= worst]
        high = high if len(near) == len(scores) else max([worst / 1.8, *near])
    room = 0.04 * max(high - low, 1e-9)
    return low - room, high + room


def _bar(ax: Axes, y: float, score: Mapping[str, float], pen: Stroke, mark: str) -> None:
    """An interval with its mark; an arrow at the edge for what lies beyond."""
    _, high = ax.get_xlim()
    ax.plot([score["lo"], min(score["hi"], high)], [y, y], color=pen.color, linewidth=1.8, zorder=3, solid_capstyle="butt")
    if score["value"] <= high:
        ax.plot(score["value"], y, mark, color=pen.color, markersize=4.6, zorder=4)
    if score["hi"] > high:
        ax.plot(high, y, ">", color=pen.color, markersize=6, clip_on=False, zorder=4)


@drawn
def performance_profiles(comparison: Results) -> Figure:
    """Share of seeds whose AULC is at or below a threshold; baselines left, controls right, the evolved arms in both."""
    told = comparison["profiles"]
    thresholds = np.asarray(told["thresholds"], float)
    pens, groups = strokes(comparison["arms"], ordered(comparison)), together(comparison)
    groups = [(title, [n for n in names if n in told["arms"]]) for title, names in groups]
    left, text, top, bottom = 0.62, 2.5, 0.35, 0.5
    wide = (WIDTH - len(groups) * (left + text)) / len(groups)
    tall = max(2.7, KEY * max(len(names) for _, names in groups) + 0.1)
    figure = canvas(top + tall + bottom)
    used = thresholds[thresholds > 0]
    logarithmic = len(used) > 1 and used[-1] > 4 * used[0]
    for column, (title, names) in enumerate(groups):
        ax = panel(figure, left + column * (wide + left + text), bottom, wide, tall)
        if logarithmic:
            log_axis(ax, "x", used[-1] / used[0])
        ends = (used[0] * 0.93, used[-1] * 1.05) if logarithmic else (thresholds[0], thresholds[-1] * 1.02)
        ax.set(xlim=ends, ylim=(-0.02, 1.03))
        ax.yaxis.set_major_formatter(PercentFormatter(1))
        ax.grid(axis="y")
        for name in names:
            pen = pens[name]
            ax.step(
                thresholds, told["arms"][name], where="post", color=pen.color, linestyle=pen.dash, linewidth=pen.width,
                zorder=pen.order,
            )  # fmt: skip
        ax.set_title(title, x=0)
        ax.set_xlabel("AULC at or below" + (", log scale" if logarithmic else ""))
        ax.set_ylabel("share of seeds")
        _key(ax, [(n, pens[n], "") for n in names], x=0.08, room=text - 0.12)
    return figure


KEY = 0.19
"""Height of a line of a key, inches."""


def _key(ax: Axes, entries: Sequence[tuple[str, Stroke, str]], x: float, room: float) -> None:
    """Names beside a panel from the top down, each with its line, or with a number in its place; ``x`` and room in inches."""
    wide, tall = (ax.figure.get_size_inches() * (ax.get_position().width, ax.get_position().height)).tolist()  # pyright: ignore[reportAttributeAccessIssue]
    for i, (name, pen, sign) in enumerate(entries):
        y = 1 - (i + 0.5) * KEY / tall
        start = 1 + x / wide
        if sign:
            ax.text(
                start + 0.16 / wide, y, sign, transform=ax.transAxes, va="center", ha="right", color=pen.color, fontsize=7.6,
                fontweight="bold",
            )  # fmt: skip
        else:
            line = Line2D(
                [start, start + 0.26 / wide], [y, y], transform=ax.transAxes, clip_on=False, color=pen.color,
                linestyle=pen.dash, linewidth=min(pen.width, 2),
            )  # fmt: skip
            ax.add_artist(line)
        indent = 0.23 if sign else 0.34
        label(ax, start + indent / wide, y, name, pen, room - indent, transform=ax.transAxes, va="center")


@drawn
def scatter(comparison: Results) -> Figure:
    """Jumpstart against slope, an arm a point with both intervals: a hot start is not faster learning.

    Lines through the champion: above it an arm learns faster, right of it an arm knows more at birth.
    """
    arms = comparison["arms"]
    names = [n for n in ordered(comparison) if {"jumpstart", "slope_aligned"} <= set(arms[n]["scores"])]
    pens = strokes(arms, ordered(comparison))
    points = np.array([[arms[n]["scores"][s]["value"] for s in ("jumpstart", "slope_aligned")] for n in names])
    columns = 1 + (len(names) > 24)
    left, text, top, bottom = 0.75, 2.75 * columns, 0.15, 0.5
    lines = -(-len(names) // columns)
    tall = max(3.6, KEY * lines + 0.1)
    figure = canvas(top + tall + bottom)
    ax = panel(figure, left, bottom, WIDTH - left - text - 0.1, tall)
    limits = [_limits(own, 0.02 * comparison["ignorant_loss"]) for own in points.T]
    ax.set(xlim=limits[0], ylim=limits[1])
    inside = np.stack([np.clip(own, *limit) for own, limit in zip(points.T, limits, strict=True)], 1)
    ax.axvline(0, color=GRID, linewidth=1.2, zorder=0)
    ax.axhline(0, color=GRID, linewidth=1.2, zorder=0)
    if (champion := champion_of(comparison)) in names:
        for line, place in zip((ax.axvline, ax.axhline), points[names.index(champion)], strict=True):
            line(place, color=pens[champion].color, linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.6, zorder=1)
    for name, (x, y) in zip(names, inside, strict=True):
        start, slope, pen = arms[name]["scores"]["jumpstart"], arms[name]["scores"]["slope_aligned"], pens[name]
        ax.plot([start["lo"], start["hi"]], [y, y], color=pen.color, linewidth=1.1, alpha=0.7, zorder=pen.order)
        ax.plot([x, x], [slope["lo"], slope["hi"]], color=pen.color, linewidth=1.1, alpha=0.7, zorder=pen.order)
        ax.plot(x, y, MARKS.get(arms[name]["role"], "^"), color=pen.color, markersize=5, zorder=pen.order + 1, clip_on=False)
    _numbers(ax, inside, [pens[n].color for n in names])
    ax.set_xlabel("jumpstart (right: a hotter start)")
    ax.set_ylabel("slope, a doubling of samples (up: faster learning)")
    off = np.any(inside != points, axis=1)
    entries = [(n + " (off the panel)" * bool(o), pens[n], str(i + 1)) for i, (n, o) in enumerate(zip(names, off, strict=True))]
    for column in range(columns):
        _key(ax, entries[column * lines : (column + 1) * lines], x=0.1 + 2.75 * column, room=2.65)
    return figure


def _limits(values: np.ndarray, least: float) -> tuple[float, float]:
    """Room for the values, but for those that are far from most; at least so much, lest differences of nothing are blown up."""
    low, high = np.quantile(values, [0.1, 0.9])
    reach = 2 * max(high - low, least)
    low, high = max(values.min(), low - reach), min(values.max(), high + reach)
    room = max(0.07 * (high - low), (least - (high - low)) / 2)
    return float(low - room), float(high + room)


def _numbers(ax: Axes, points: np.ndarray, colors: Sequence[str]) -> None:
    """A number beside each point, on the side where it meets the fewest points and numbers."""
    at = ax.transData.transform(points)
    size = ax.figure.dpi / 72  # pixels a point of type
    angles = np.arange(16) * np.pi / 8 + np.pi / 4
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    tries_around = np.concatenate([r * size * ring for r in (9, 15, 22, 30, 38)])
    taken = list(at)
    for i, place in enumerate(at):
        tries = place + tries_around
        apart = (tries[:, None] - np.array(taken)[None]) / (size * np.array([13.0, 10.0]))  # two digits are wider than high
        near = np.maximum(0.0, 1 - np.sqrt((apart**2).sum(-1)))
        near[:, i] = 0.0
        crowd = near.sum(1) + 0.05 * np.repeat(np.arange(5), len(ring))
        best = tries[int(np.argmin(crowd))]
        taken.append(best)
        x, y = ax.transData.inverted().transform(best)
        if np.linalg.norm(best - place) > 10 * size:
            ax.plot([points[i, 0], x], [points[i, 1], y], color=colors[i], linewidth=0.5, alpha=0.6, zorder=2, clip_on=False)
        ax.text(x, y, str(i + 1), color=colors[i], fontsize=7.6, fontweight="bold", ha="center", va="center", zorder=9)
