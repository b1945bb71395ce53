"""Figures of results: learning curves, scores, and the search."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from evodev.report.style import FAINT, WIDTH, Stroke, canvas, drawn, panel, plain, spread, strokes
from evodev.report.table import Results, aulc, champion_of, gain_name, loss_name, ordered

LABEL_HEIGHT = 0.135
"""Height of a line of label text, inches."""


@drawn
def learning_curves(comparison: Results) -> Figure:
    """Loss (and accuracy, or return) against samples: a row a measure; baselines and references left, controls right.

    The evolved arms are in every panel. Bands are the comparison's intervals; the horizontal axis is logarithmic from
    birth on; curves that leave a panel are clipped, and their label says so.
    """
    groups = together(comparison)
    measures = [m for m in ("loss", gain_name(comparison)) if any(m in a["curves"] for a in comparison["arms"].values())]
    lines = max(2 * len(names) for _, names in groups)
    height = max(2.7, lines * LABEL_HEIGHT * 1.02)
    gap, top, bottom, left, text = 0.9, 0.35, 0.5, 0.62, 2.05
    wide = (WIDTH - len(groups) * (left + text)) / len(groups)
    figure = canvas(top + bottom + len(measures) * height + (len(measures) - 1) * gap)
    for row, measure in enumerate(measures):
        limits = _limits(comparison, measure)
        y = bottom + (len(measures) - 1 - row) * (height + gap)
        for column, (title, names) in enumerate(groups):
            ax = panel(figure, left + column * (wide + left + text), y, wide, height)
            _curves(ax, comparison, measure, [n for n in names if measure in comparison["arms"][n]["curves"]], limits)
            ax.set_title(f"{loss_name(comparison) if measure == 'loss' else measure} – {title}", x=0)
            ax.set_ylabel(_measure_name(comparison, measure))
            ax.set_xlabel(plain(f"{comparison['unit']} (log scale from birth)"))
    return figure


def _measure_name(comparison: Results, measure: str) -> str:
    if measure == "return":
        return "return of an episode" if comparison["span"] else "share of what can be had"
    if comparison["problem"] == "control":
        return "regret"
    if measure != "loss":
        return measure
    return "squared error, log scale" if comparison["problem"] == "regression" else "cross-entropy, nats"


def together(comparison: Results) -> list[tuple[str, list[str]]]:
    """What is drawn together: title and names; the evolved arms are in every group."""
    names, arms = ordered(comparison), comparison["arms"]
    evolved = [n for n in names if arms[n]["role"] == "evolved"]
    controls = [n for n in names if arms[n]["role"] == "control"]
    others = [n for n in names if n not in evolved and n not in controls]
    groups = [("against baselines", evolved + others)] if others or not controls else []
    return groups + ([("taken apart: controls", evolved + controls)] if controls else [])


def _limits(comparison: Results, measure: str) -> tuple[float, float]:
    """Range of a measure. That of a loss leaves out what is far above the champion, the best baseline and ignorance."""
    arms = {n: a for n, a in comparison["arms"].items() if measure in a["curves"]}
    low = min(min(a["curves"][measure]["lo"]) for a in arms.values())
    high = max(max(a["curves"][measure]["hi"]) for a in arms.values())
    if measure == "return":
        ends = comparison["span"] or (0.0, 1.0)
        low, high = max(min(low, ends[0]), ends[0] - 0.5 * (ends[1] - ends[0])), max(high, ends[1])
        return low - 0.04 * (high - low), high + 0.04 * (high - low)
    if measure == "accuracy":
        low = min(low, comparison["chance"] or low)
        return max(low - 0.04, -0.02), min(high + 0.04, 1.02)
    best = min((n for n in arms if arms[n]["role"] == "baseline"), key=lambda n: aulc(arms[n]), default=None)
    shown = [n for n in (champion_of(comparison), best) if n in arms]
    core = [max(arms[n]["curves"]["loss"]["hi"]) for n in shown] + [comparison["ignorant_loss"]]
    if comparison["problem"] == "regression":
        floor = np.log(max(low, 1e-9))
        top = min(np.log(high), floor + 1.6 * (np.log(max(core)) - floor))
        return float(np.exp(floor - 0.1)), float(np.exp(top + 0.1))
    top = min(high, low + 1.35 * (max(core) - low))
    margin = 0.05 * (top - low)
    return low - margin, top + margin


def _curves(ax: Axes, comparison: Results, measure: str, names: Sequence[str], limits: tuple[float, float]) -> None:
    samples = np.asarray(comparison["samples"], float)
    x = np.log2(1 + samples / max(samples[1:].min(initial=np.inf), 1e-9)) if len(samples) > 1 else samples
    pens = strokes(comparison["arms"], ordered(comparison))
    if measure == "loss" and comparison["problem"] == "regression":
        log_axis(ax, "y", limits[1] / limits[0])
    ax.set_ylim(*limits)
    ax.set_xlim(-0.02 * x[-1], 1.01 * x[-1])
    ax.grid(axis="y")
    for name in names:
        curve, pen = comparison["arms"][name]["curves"][measure], pens[name]
        ax.fill_between(x, curve["lo"], curve["hi"], color=pen.color, alpha=pen.band, linewidth=0, zorder=pen.order - 2)
        ax.plot(x, curve["mean"], color=pen.color, linestyle=pen.dash, linewidth=pen.width, zorder=pen.order)
    _sample_ticks(ax, x, samples)
    ends = {n: float(comparison["arms"][n]["curves"][measure]["mean"][-1]) for n in names}
    label = "acts at random" if comparison["problem"] == "control" else "knows nothing" if measure == "loss" else "chance"
    ignorant = {"loss": comparison["ignorant_loss"], "return": (comparison.get("span") or (0.0,))[0]}
    guess = ignorant.get(measure, comparison["chance"])
    if guess is not None and limits[0] < guess < limits[1]:
        pens[label], ends[label] = Stroke(FAINT, (0, (1, 2)), 0.9, 0, 1.2), guess
        ax.axhline(guess, color=FAINT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.2)
    _end_labels(ax, x[-1], ends, pens)


def log_axis(ax: Axes, axis: str, ratio: float) -> None:
    """A log axis with plain numbers at round places; ``ratio`` is that of its ends."""
    (ax.set_yscale if axis == "y" else ax.set_xscale)("log")
    target = ax.yaxis if axis == "y" else ax.xaxis
    target.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio > 20 else (1, 1.5, 2, 3, 5, 7)))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _sample_ticks(ax: Axes, x: np.ndarray, samples: np.ndarray) -> None:
    """A tick at each probe, a number where there is room, ``birth`` at the first."""
    ax.set_xticks(x, ["birth" if s == 0 else "" for s in samples])
    shown, labels = -np.inf, []
    for place, sample in zip(x, samples, strict=True):
        room = (place - shown) / x[-1] > 0.085 if x[-1] else True
        labels.append(("birth" if sample == 0 else f"{sample:,.0f}") if room else "")
        shown = place if room else shown
    ax.set_xticks(x, labels)


def _end_labels(ax: Axes, x: float, ends: Mapping[str, float], pens: Mapping[str, Stroke]) -> None:
    """Names at the right of the panel, each tied to the end of its curve."""
    names = list(ends)
    low, high = ax.get_ylim()
    inch = ax.figure.get_size_inches()[1] * ax.get_position().height  # pyright: ignore[reportAttributeAccessIssue]
    texts = [plain(n + (" (above)" if ends[n] > high else ""), 27) for n in names]
    heights = [(t.count("\n") + 1) * LABEL_HEIGHT + 0.03 for t in texts]
    to_axes = ax.transData + ax.transAxes.inverted()
    wanted = [float(to_axes.transform((x, np.clip(ends[n], low, high)))[1]) for n in names]
    places = spread(wanted, [h / inch for h in heights], 0.0, 1.0)
    for name, text, start, place in zip(names, texts, wanted, places, strict=True):
        pen, bold = pens[name], pens[name].width > 1.8
        ax.plot(
            [1.0, 1.012, 1.105, 1.12], [start, start, place, place], transform=ax.transAxes, clip_on=False,
            color=pen.color, linewidth=min(pen.width, 1.8), linestyle=pen.dash if bold else "-", zorder=pen.order,
        )  # fmt: skip
        ax.text(
            1.135, place, text, transform=ax.transAxes, color=pen.color, fontsize=7.6, va="center", linespacing=1.05,
            fontweight="bold" if bold else "normal",
        )  # fmt: skip


@drawn
def search_curve(metrics: Sequence[Mapping[str, float]], lives: float | None = None) -> Figure:
    """Fitness against generation: train min to max as a band and its mean; validation of centroid, best and champion.

    Args:
        metrics: one record a generation, as :meth:`evodev.search.Search.advance` gives them.
        lives: lives lived by the last generation, for the axis on top; no axis if None.
    """
    generation = np.array([r["generation"] for r in metrics], float)
    low, mean, high = (np.array([r[f"fitness_{k}"] for r in metrics], float) for k in ("min", "mean", "max"))
    figure = canvas(3.4)
    ax = panel(figure, 0.72, 0.5, WIDTH - 0.72 - 2.1, 2.35)
    color = "#6b7280"
    ax.fill_between(generation, low, high, color=color, alpha=0.16, linewidth=0)
    ax.plot(generation, mean, color=color, linewidth=1.5)
    blocks = [r for r in metrics if "validation_champion" in r]
    at = np.array([r["generation"] for r in blocks], float)
    kinds = {"centroid": ("#e08a1e", "o"), "best": ("#9c2f78", "D"), "champion": ("#08519c", "")}
    curves = {k: np.array([r[f"validation_{k}"] for r in blocks], float) for k in kinds}
    for kind, (shade, mark) in kinds.items() if len(blocks) else ():
        style = {"drawstyle": "steps-post", "linewidth": 2.2} if kind == "champion" else {"linewidth": 1.1, "markersize": 4}
        ax.plot(at, curves[kind], color=shade, marker=mark or None, **cast(Any, style))
    _fitness_limits(ax, low, [mean, high, *curves.values()])
    ends = {"train: mean, and band\nfrom worst to best genome": (mean[-1], color)}
    for kind, label in (
        ("centroid", "validation: centroid"),
        ("best", "validation: generation's best"),
        ("champion", "validation: champion so far"),
    ):
        ends |= {label: (float(curves[kind][-1]), kinds[kind][0])} if len(blocks) else {}
    _search_labels(ax, ends)
    if len(blocks):
        found = int(np.argmax(curves["champion"] >= curves["champion"][-1]))
        ax.plot(at[found], curves["champion"][found], "*", color="#08519c", markersize=13, markeredgecolor="white", zorder=6)
    ax.set_xlim(min(generation[0], 1) - 0.5, generation[-1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.grid(axis="y")
    ax.set_xlabel("generation")
    ax.set_ylabel("fitness (higher is better)")
    if lives:
        _lives_axis(ax, lives / generation[-1])
    return figure


def _fitness_limits(ax: Axes, low: np.ndarray, curves: Sequence[np.ndarray]) -> None:
    """Room for means and validation; what is far below leaves the panel, else one failure would flatten the rest."""
    values = np.concatenate([c[np.isfinite(c)] for c in curves])
    top, floor = values.max(), np.quantile(values, 0.05)
    span = max(top - floor, 1e-9)
    ax.set_ylim(max(low.min(), floor - 0.6 * span) - 0.05 * span, top + 0.08 * span)


def _search_labels(ax: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    inch = ax.figure.get_size_inches()[1] * ax.get_position().height  # pyright: ignore[reportAttributeAccessIssue]
    low, high = ax.get_ylim()
    wanted = [float(np.clip((value - low) / (high - low), 0, 1)) for value, _ in ends.values()]
    places = spread(wanted, [(t.count("\n") + 1.35) * LABEL_HEIGHT / inch for t in ends], 0.0, 1.0)
    for (text, (_, color)), start, place in zip(ends.items(), wanted, places, strict=True):
        ax.plot([1.003, 1.03], [start, place], transform=ax.transAxes, clip_on=False, color=color, linewidth=1.2)
        ax.text(1.037, place, text, transform=ax.transAxes, color=color, fontsize=8, va="center", linespacing=1.05)


def _lives_axis(ax: Axes, each: float) -> None:
    above = ax.secondary_xaxis("top", functions=(lambda g: np.asarray(g) * each, lambda n: np.asarray(n) / each))
    above.xaxis.set_major_locator(MaxNLocator(6))
    above.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    above.set_xlabel("lives lived", fontsize=8, color=FAINT)
    above.spines["top"].set_visible(True)
