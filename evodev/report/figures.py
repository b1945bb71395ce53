"""The figures, one function each: numbers in, PNG bytes out. All are ``style.WIDTH`` inches wide at ``style.DPI``."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from evodev.comparison import CHAMPION
from evodev.genome import GenomeSpec
from evodev.network import Network
from evodev.report import geometry
from evodev.report.style import (
    DPI,
    FAINT,
    GRID,
    HALO,
    INK,
    NEGATIVE,
    POSITIVE,
    SIGNS,
    WIDTH,
    Stroke,
    canvas,
    drawn,
    panel,
    plain,
    spread,
    strokes,
)  # fmt: skip
from evodev.report.table import Results, aulc, decimals, interval, ordered
from evodev.substrate import Population, Projection, Substrate

LINES = 500
"""Most synapses that a network is drawn with, shared equally among its grown projections."""
GENES = 45
"""Most genes that a genome is drawn with; the least moved are left out."""
DOTS = 400
"""Most numbers of one gene that are drawn."""
TYPES = 10
"""Most cell types for which receptive fields are drawn."""

LABEL_HEIGHT = 0.135
"""Height of a line of label text, inches."""


# learning curves


@drawn
def learning_curves(comparison: Results) -> Figure:
    """Loss (and accuracy) against samples: a row a measure; baselines and references left, controls right.

    The evolved arms are in every panel. Bands are the comparison's intervals; the horizontal axis is logarithmic from
    birth on; curves that leave a panel are clipped, and their label says so.
    """
    groups = _groups(comparison)
    measures = [m for m in ("loss", "accuracy") if any(m in a["curves"] for a in comparison["arms"].values())]
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
            ax.set_title(f"{measure} – {title}", x=0)
            ax.set_ylabel(_measure_name(comparison, measure))
            ax.set_xlabel(plain(f"{comparison['unit']} (log scale from birth)"))
    return figure


def _measure_name(comparison: Results, measure: str) -> str:
    if measure != "loss":
        return measure
    return "squared error, log scale" if comparison["problem"] == "regression" else "cross-entropy, nats"


def _groups(comparison: Results) -> list[tuple[str, list[str]]]:
    """What is drawn together: title and names; the evolved arms are in every group."""
    names, arms = ordered(comparison), comparison["arms"]
    evolved = [n for n in names if arms[n]["role"] == "evolved"]
    controls = [n for n in names if arms[n]["role"] == "control"]
    others = [n for n in names if n not in evolved and n not in controls]
    groups = [("against baselines", evolved + others)] if others or not controls else []
    return groups + ([("taken apart: controls", evolved + controls)] if controls else [])


def _limits(comparison: Results, measure: str) -> tuple[float, float]:
    """Range of a measure. A linear loss axis ends where the champion, the best baseline and ignorance still fit well."""
    arms = {n: a for n, a in comparison["arms"].items() if measure in a["curves"]}
    low = min(min(a["curves"][measure]["lo"]) for a in arms.values())
    high = max(max(a["curves"][measure]["hi"]) for a in arms.values())
    if measure == "accuracy":
        low = min(low, comparison["chance"] or low)
        return max(low - 0.04, -0.02), min(high + 0.04, 1.02)
    if comparison["problem"] == "regression":
        return max(low, 1e-9) / 1.25, high * 1.25
    best = min((n for n in arms if arms[n]["role"] == "baseline"), key=lambda n: aulc(arms[n]), default=None)
    core = [max(arms[n]["curves"]["loss"]["hi"]) for n in (CHAMPION, best) if n in arms] + [comparison["ignorant_loss"]]
    top = min(high, low + 1.35 * (max(core) - low))
    margin = 0.05 * (top - low)
    return low - margin, top + margin


def _curves(ax: Axes, comparison: Results, measure: str, names: Sequence[str], limits: tuple[float, float]) -> None:
    samples = np.asarray(comparison["samples"], float)
    x = np.log2(1 + samples / max(samples[1:].min(initial=np.inf), 1e-9)) if len(samples) > 1 else samples
    pens = strokes(comparison["arms"], ordered(comparison))
    if measure == "loss" and comparison["problem"] == "regression":
        ax.set_yscale("log")
    ax.set_ylim(*limits)
    ax.set_xlim(-0.02 * x[-1], 1.01 * x[-1])
    ax.grid(axis="y")
    _line(ax, comparison, measure)
    for name in names:
        curve, pen = comparison["arms"][name]["curves"][measure], pens[name]
        ax.fill_between(x, curve["lo"], curve["hi"], color=pen.color, alpha=pen.band, linewidth=0, zorder=pen.order - 2)
        ax.plot(x, curve["mean"], color=pen.color, linestyle=pen.dash, linewidth=pen.width, zorder=pen.order)
    _sample_ticks(ax, x, samples)
    _end_labels(ax, x[-1], {n: comparison["arms"][n]["curves"][measure]["mean"][-1] for n in names}, pens)


def _line(ax: Axes, comparison: Results, measure: str) -> None:
    """What guessing gets."""
    value, label = comparison["chance"], "chance"
    if measure == "loss":
        value, label = comparison["ignorant_loss"], "knows nothing"
    if value is None or not ax.get_ylim()[0] < value < ax.get_ylim()[1]:
        return
    ax.axhline(value, color=FAINT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.2)
    ax.annotate(
        label, (1, value), (-3, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", va="bottom", fontsize=7.5, color=FAINT, style="italic", zorder=7, path_effects=HALO,
    )  # fmt: skip


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
        pen = pens[name]
        ax.plot(
            [1.0, 1.035, 1.06, 1.12], [start, start, place, place], transform=ax.transAxes, clip_on=False,
            color=pen.color, linewidth=min(pen.width, 1.8), linestyle=pen.dash if pen.width > 1.8 else "-", zorder=pen.order,
        )  # fmt: skip
        weight = "bold" if pen.width > 1.8 else "normal"
        ax.text(
            1.135, place, text, transform=ax.transAxes, color=pen.color, fontsize=7.6, va="center", linespacing=1.05,
            fontweight=weight,
        )  # fmt: skip


# scores


@drawn
def forest(comparison: Results) -> Figure:
    """AULC of every arm with its interval, best first; the band is the champion's interval."""
    arms = comparison["arms"]
    names = sorted((n for n in arms if "aulc" in arms[n]["scores"]), key=lambda n: aulc(arms[n]))
    pens = strokes(arms, ordered(comparison))
    rows, left, right, top, bottom = 0.27 * len(names), 3.2, 1.75, 0.1, 0.5
    figure = canvas(rows + top + bottom)
    ax = panel(figure, left, bottom, WIDTH - left - right, rows)
    digits = decimals(arms[n]["scores"]["aulc"] for n in names)
    scores = [arms[n]["scores"]["aulc"] for n in names]
    if min(s["lo"] for s in scores) > 0 and max(s["hi"] for s in scores) > 4 * min(s["lo"] for s in scores):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    if CHAMPION in names:
        band = arms[CHAMPION]["scores"]["aulc"]
        ax.axvspan(band["lo"], band["hi"], color=pens[CHAMPION].color, alpha=0.10, linewidth=0)
    for y, name in enumerate(names):
        score, pen = arms[name]["scores"]["aulc"], pens[name]
        weight = "bold" if arms[name]["role"] == "evolved" else "normal"
        ax.plot([score["lo"], score["hi"]], [y, y], color=pen.color, linewidth=1.8 + (weight == "bold"), zorder=3)
        ax.plot(score["value"], y, _mark(arms[name]["role"]), color=pen.color, markersize=5.5, zorder=4)
        ax.text(
            1.02, y, interval(score, digits), transform=ax.get_yaxis_transform(), va="center", fontweight=weight, fontsize=8.5
        )
        ax.text(
            -0.02, y, plain(name, 46, 1), transform=ax.get_yaxis_transform(), va="center", ha="right", fontsize=8.5,
            color=pen.color, fontweight=weight,
        )  # fmt: skip
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.set_xlabel("AULC: mean loss over a life (lower is better)" + (", log scale" if ax.get_xscale() == "log" else ""))
    return figure


def _mark(role: str) -> str:
    return {"evolved": "o", "baseline": "s", "control": "D"}.get(role, "^")


# search


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
        ax.plot(at, curves[kind], color=shade, marker=mark or None, **style)
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
    """Room for means and validation; the worst genomes may leave the panel, else one failure would flatten the rest."""
    values = np.concatenate([c[np.isfinite(c)] for c in curves])
    top, floor = values.max(), values.min()
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
    above = ax.secondary_xaxis("top", functions=(lambda g: g * each, lambda n: n / each))
    above.xaxis.set_major_locator(MaxNLocator(6))
    above.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    above.set_xlabel("lives lived", fontsize=8, color=FAINT)
    above.spines["top"].set_visible(True)


# phenotype


@drawn
def matrices(substrate: Substrate, network: Network) -> Figure:
    """Weights at birth, a panel a projection: pre down, post across, grouped by cell type; missing synapses are white."""
    columns = min(3, len(substrate.projections))
    lines = -(-len(substrate.projections) // columns)
    wide, tall, left, bottom = (WIDTH - 0.25) / columns, 2.85, 0.72, 0.5
    figure = canvas(lines * tall)
    for i, projection in enumerate(substrate.projections):
        x, y = (i % columns) * wide, (lines - 1 - i // columns) * tall
        ax = panel(figure, x + left, y + bottom, wide - left - 0.72, tall - bottom - 0.42)
        _matrix(
            ax, substrate, projection, np.asarray(network.weights[projection.name]), np.asarray(network.masks[projection.name])
        )
    return figure


def _matrix(ax: Axes, substrate: Substrate, projection: Projection, weights: np.ndarray, mask: np.ndarray) -> None:
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    rows, cols = _by_type(pre), _by_type(post)
    shown = np.ma.masked_where(mask[rows][:, cols] <= 0, weights[rows][:, cols])
    ax.set_title(f"{plain(projection.name, 30, 1)}   {(mask > 0).mean():.1%} dense", x=0)
    for spine in ax.spines.values():
        spine.set_visible(True)
    ax.set_xlabel(_axis_name("post", post))
    ax.set_ylabel(_axis_name("pre", pre))
    _type_ticks(ax, post, "x")
    _type_ticks(ax, pre, "y")
    if projection.blank:
        ax.set_facecolor("#f3f4f6")
        ax.set(xlim=(-0.5, post.size - 0.5), ylim=(pre.size - 0.5, -0.5))
        ax.text(0.5, 0.5, "blank slate:\ndense, written in life", transform=ax.transAxes, ha="center", va="center", color=FAINT)
        return
    limit = _scale(shown)
    image = ax.imshow(
        shown, cmap=SIGNS, norm=TwoSlopeNorm(0, -limit, limit), aspect="auto", interpolation="antialiased",
        interpolation_stage="rgba",
    )  # fmt: skip
    _scale_bar(ax, image)


def _by_type(population: Population) -> np.ndarray:
    """Neurons in order of type, then position."""
    return np.arange(population.size).reshape(-1, population.types).T.ravel()


def _axis_name(side: str, population: Population) -> str:
    kinds = f", {population.types} types" if population.types > 1 else ""
    return f"{side}: {plain(population.name, 18, 1)} ({population.size:,}{kinds})"


def _type_ticks(ax: Axes, population: Population, axis: str) -> None:
    """Boundaries between types as ticks; numbers of neurons if there is one type."""
    target = ax.xaxis if axis == "x" else ax.yaxis
    if population.types == 1:
        target.set_major_locator(MaxNLocator(4, integer=True))
        return
    places = population.size // population.types
    step = -(-population.types // 8)
    target.set_ticks(
        [(t + 0.5) * places - 0.5 for t in range(0, population.types, step)],
        [f"t{t}" for t in range(0, population.types, step)],
    )
    for edge in range(1, population.types):
        (ax.axvline if axis == "x" else ax.axhline)(edge * places - 0.5, color=GRID, linewidth=0.6, zorder=1.5)


def _scale(values: Any) -> float:
    """Where the colours saturate: the largest size but for the outermost half percent."""
    sizes = np.abs(np.ma.compressed(values))
    sizes = sizes[np.isfinite(sizes)]
    return max(float(np.quantile(sizes, 0.995)), 1e-9) if len(sizes) else 1.0


def _scale_bar(ax: Axes, image: Any) -> None:
    cax = ax.inset_axes((1.03, 0, 0.035, 1))
    bar = ax.figure.colorbar(image, cax=cax, extend="both", extendfrac=0.03)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    cax.tick_params(labelsize=7, length=2)
    cax.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))


def has_fields(substrate: Substrate, projection: Projection) -> bool:
    """Whether :func:`receptive_fields` can draw a projection: grown, from a 2-D grid, few types on either side."""
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    few = pre.types <= TYPES and post.types <= TYPES
    return not projection.blank and len(pre.grid) == 2 and min(pre.grid) > 2 and len(post.grid) == 2 and few


@drawn
def receptive_fields(substrate: Substrate, network: Network, projection: Projection) -> Figure:
    """Incoming weights of example neurons, laid out on the grid they come from; a cross is the neuron's own place.

    A column a post type. With one pre type, a row is a place in the post grid; with several, a row is a pre type and
    all are of the neuron in the middle.
    """
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    weights, mask = (np.asarray(side[projection.name]) for side in (network.weights, network.masks))
    places = _example_places(post) if pre.types == 1 else {"middle": _example_places(post)["middle"]}
    rows = [(label, at, 0) for label, at in places.items()]
    if pre.types > 1:
        rows = [(f"from t{t}", places["middle"], t) for t in range(pre.types)]
    cell = min((WIDTH - 1.9) / post.types, 1.15 if pre.types == 1 else 0.8)
    tall = cell * pre.grid[0] / pre.grid[1]
    figure = canvas(len(rows) * tall + 0.65)
    shown = [places[k] * post.types + t for k in places for t in range(post.types)]
    limit = _scale(np.ma.masked_where(mask[:, shown] <= 0, weights[:, shown]))
    image = None
    for r, (label, at, source) in enumerate(rows):
        for t in range(post.types):
            neuron, own = at * post.types + t, slice(source, None, pre.types)
            ax = panel(figure, 1.0 + t * cell, 0.1 + (len(rows) - 1 - r) * tall, cell * 0.92, tall * 0.92)
            field = np.ma.masked_where(mask[own, neuron] <= 0, weights[own, neuron]).reshape(pre.grid)
            image = ax.imshow(field, cmap=SIGNS, norm=TwoSlopeNorm(0, -limit, limit), interpolation="nearest")
            row, col = ((post.positions[at] + 1) / 2 * np.array(pre.grid)) - 0.5
            ax.plot(col, row, "+", color=INK, markersize=5, markeredgewidth=0.8)
            ax.set(xticks=[], yticks=[])
            for spine in ax.spines.values():
                spine.set(visible=True, color="#c3c8cf")
            if r == 0:
                ax.set_title(f"t{t}", fontsize=8.5, loc="center", pad=4, fontweight="normal")
            if t == 0:
                ax.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6, fontsize=8.5)
    cax = panel(figure, 1.0 + post.types * cell + 0.12, 0.1, 0.13, len(rows) * tall * 0.97)
    bar = figure.colorbar(image, cax=cax, extend="both", extendfrac=0.03)  # pyright: ignore[reportArgumentType]
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    cax.set_ylabel("weight at birth", fontsize=8)
    title = f"{plain(projection.name)}: one column a type of {plain(projection.post)}"
    figure.text(1.0 / WIDTH, 1 - 0.06 / figure.get_size_inches()[1], title, fontweight="bold", va="top")
    return figure


def _example_places(post: Population) -> dict[str, int]:
    """A corner, the middle and the opposite edge of a 2-D grid, as position numbers."""
    high, wide = post.grid
    named = {"upper left": (high // 4, wide // 4), "middle": (high // 2, wide // 2), "lower edge": (high - 1, wide // 2)}
    return {label: row * wide + col for label, (row, col) in named.items()}


@drawn
def drawn_network(substrate: Substrate, network: Network) -> Figure:
    """Populations as columns (1-D) or sheets (2-D) in order, with their strongest synapses.

    At most ``LINES`` synapses, the same number for each grown projection, each neuron's strongest input first: red
    excites, blue inhibits; opacity and width go with the size of the weight. Blank slates are a grey band.
    """
    figure = canvas(4.9)
    ax = panel(figure, 0.05, 0.05, WIDTH - 0.1, 4.8)
    ax.set_axis_off()
    places = geometry.places(substrate)
    each = LINES // max(len(substrate.grown), 1)
    captions = []
    for projection in substrate.projections:
        mask, weights = np.asarray(network.masks[projection.name]) > 0, np.asarray(network.weights[projection.name])
        if projection.blank:
            ax.add_patch(Polygon(geometry.band(places, projection), closed=True, color="#eceef1", linewidth=0, zorder=0))
            captions.append((projection, "blank slate"))
            continue
        pairs = geometry.strongest(weights * mask, mask, each)
        _synapses(ax, geometry.paths(substrate, places, projection, pairs), weights[pairs[:, 0], pairs[:, 1]])
        captions.append((projection, f"{len(pairs):,} of {mask.sum():,}"))
    for population in substrate.populations:
        _neurons(ax, population, places[population.name], np.asarray(network.alive[population.name]) > 0)
    _captions(ax, substrate, places, captions)
    return figure


def _synapses(ax: Axes, curves: np.ndarray, weights: np.ndarray) -> None:
    if not len(weights):
        return
    share = np.abs(weights) / max(np.abs(weights).max(), 1e-12)
    colors = np.array(
        [[*_rgb(POSITIVE if w > 0 else NEGATIVE), 0.08 + 0.6 * s**1.5] for w, s in zip(weights, share, strict=True)]
    )
    order = np.argsort(share)
    ax.add_collection(LineCollection(list(curves[order]), colors=colors[order], linewidths=0.4 + 1.1 * share[order], zorder=2))


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _neurons(ax: Axes, population: Population, place: np.ndarray, alive: np.ndarray) -> None:
    for corners in geometry.sheets(population, place):
        ax.add_patch(Polygon(corners, closed=True, facecolor="#f5f6f8", edgecolor="#c3c8cf", linewidth=0.7, alpha=0.75, zorder=1))
    size = float(np.clip(900 / population.size, 3, 34))
    ax.scatter(*place[alive].T, s=size, color=INK, linewidths=0.3, edgecolors="white", zorder=3)
    ax.scatter(*place[~alive].T, s=size, facecolors="white", edgecolors="#b6bcc5", linewidths=0.6, zorder=3)


def _captions(
    ax: Axes, substrate: Substrate, places: Mapping[str, np.ndarray], captions: Sequence[tuple[Projection, str]]
) -> None:
    """Names above the populations; beneath, how many synapses of each projection are drawn."""
    every = np.concatenate(list(places.values()))
    (left, low), (right, high) = every.min(0), every.max(0)
    recurrent, back, over = (any(kind(substrate, p) for p in substrate.projections) for kind in geometry.KINDS)
    low, high, right = low - 0.6 * back, high + 0.6 * over, right + 0.4 * recurrent
    for population in substrate.populations:
        own = places[population.name][:, 0]
        middle = (own.min() + own.max()) / 2
        grid = "×".join(map(str, population.grid)) + (f" × {population.types} types" if population.types > 1 else "")
        ax.text(middle, high + 0.34, plain(population.name, 18, 1), ha="center", va="bottom", fontweight="bold")
        ax.text(middle, high + 0.30, grid, ha="center", va="top", fontsize=8, color=FAINT)
    for i, (projection, text) in enumerate(captions):
        x, line = left + (right - left) * (i % 3 + 0.5) / min(len(captions), 3), i // 3
        text = f"{plain(projection.name, 34, 1)}: {text}"
        ax.text(x, low - 0.34 - 0.14 * line, text, ha="center", va="top", fontsize=8, color=FAINT)
    margin = 0.03 * (right - left)
    ax.set(xlim=(left - margin, right + margin), ylim=(low - 0.45 - 0.14 * (len(captions) - 1) // 3, high + 0.5))


# genome


@drawn
def genome_strip(spec: GenomeSpec, champion: np.ndarray, initial: np.ndarray) -> Figure:
    """Every gene's numbers in search units: the champion's above, those that its search started from below."""
    names = _genes_shown(spec, champion, initial)
    slices, sizes = spec.slices, {g.name: g.size for g in spec.genes}
    row, left, right, top, bottom = 0.3, 3.5, 1.45, 0.42, 0.5
    figure = canvas(row * len(names) + top + bottom)
    ax = panel(figure, left, bottom, WIDTH - left - right, row * len(names))
    reach = max(float(np.abs(np.concatenate([champion, initial])).max(initial=0.0)), 1.0) * 1.06
    ax.axvspan(-1, 1, color="#f1f3f5", linewidth=0, zorder=0)
    ax.axvline(0, color="#c3c8cf", linewidth=0.8, zorder=1)
    across = ax.get_yaxis_transform()
    for y, name in enumerate(names):
        own, first = champion[slices[name]], initial[slices[name]]
        _strip(ax, first, y + 0.2, "#868e99")
        _strip(ax, own, y - 0.2, "#08519c")
        if y:
            ax.axhline(y - 0.5, color=GRID, linewidth=0.6, zorder=0.5)
        moved = float(np.sqrt(np.mean((own - first) ** 2))) if len(own) else 0.0
        ax.text(-0.015, y, plain(name, 48, 1), transform=across, ha="right", va="center", fontsize=8, family="DejaVu Sans Mono")
        ax.text(1.085, y, f"{sizes[name]:,}", transform=across, ha="right", va="center", fontsize=8)
        ax.text(1.245, y, f"{moved:.2f}", transform=across, ha="right", va="center", fontsize=8)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(-reach, reach), yticks=[])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("value in search units (grey band: ±1, the spread of a random genome)")
    y = 1 + 0.12 / max(row * len(names), 0.1)
    for x, text, color in ((0.0, "● champion", "#08519c"), (0.16, "● initial genome", "#868e99")):
        ax.text(x, y, text, transform=ax.transAxes, color=color, fontsize=8.5, fontweight="bold")
    for x, text in ((1.085, "numbers"), (1.245, "moved (rms)")):
        ax.text(x, y, text, transform=ax.transAxes, ha="right", fontsize=8, color=FAINT)
    return figure


def _genes_shown(spec: GenomeSpec, champion: np.ndarray, initial: np.ndarray) -> list[str]:
    """Genes in order; if there are too many, those that moved furthest."""
    moved = {n: float(np.mean((champion[s] - initial[s]) ** 2)) if s.stop > s.start else 0.0 for n, s in spec.slices.items()}
    kept = set(sorted(moved, key=lambda n: -moved[n])[:GENES])
    return [n for n in moved if n in kept]


def _strip(ax: Axes, values: np.ndarray, y: float, color: str) -> None:
    """Dots, jittered up and down where there are many, over a bar from the 5th to the 95th percentile."""
    if not len(values):
        return
    dots = values[:: -(-len(values) // DOTS)]
    jitter = ((np.arange(len(dots)) * 0.6180339887) % 1 - 0.5) * (0.26 if len(dots) > 3 else 0.0)
    if len(values) > 11:
        low, high = np.quantile(values, [0.05, 0.95])
        ax.plot([low, high], [y, y], color=color, alpha=0.25, linewidth=6, solid_capstyle="butt", zorder=2)
    alpha = float(np.clip(12 / len(dots), 0.25, 0.95))
    ax.scatter(dots, y + jitter, s=9 if len(dots) > 30 else 16, color=color, alpha=alpha, linewidths=0, zorder=3)


__all__ = [
    "DPI",
    "LINES",
    "NullLocator",
    "drawn_network",
    "forest",
    "genome_strip",
    "has_fields",
    "learning_curves",
    "matrices",
    "receptive_fields",
    "search_curve",
]
