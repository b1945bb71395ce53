"""Figures of the champion: its matrices, its network drawn, and its genome."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import TwoSlopeNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

from evodev.genome import GenomeSpec
from evodev.network import Network
from evodev.report import geometry
from evodev.report.style import FAINT, GRID, INK, NEGATIVE, POSITIVE, SIGNS, WIDTH, canvas, drawn, panel, plain
from evodev.substrate import Population, Projection, Substrate

LINES = 500
"""Most synapses that a network is drawn with, shared equally among its grown projections."""
GENES = 45
"""Most genes that a genome is drawn with; the least moved are left out."""
CAPTIONS = 4
"""Captions of projections in a line."""
DOTS = 400
"""Most numbers of one gene that are drawn."""
EDGES = 12
"""Most cell types between which a matrix has lines."""


@drawn
def matrices(substrate: Substrate, network: Network) -> Figure:
    """Weights at birth, a panel a projection: pre down, post across, grouped by type; missing synapses are white."""
    columns = min(3, len(substrate.projections))
    lines = -(-len(substrate.projections) // columns)
    wide, tall, left, bottom = (WIDTH - 0.25) / columns, 2.85, 0.72, 0.5
    figure = canvas(lines * tall)
    for i, projection in enumerate(substrate.projections):
        x, y = (i % columns) * wide, (lines - 1 - i // columns) * tall
        ax = panel(figure, x + left, y + bottom, wide - left - 0.72, tall - bottom - 0.42)
        weights, mask = (np.asarray(side[projection.name]) for side in (network.weights, network.masks))
        draw_matrix(figure, ax, substrate, projection, weights, mask)
    return figure


def draw_matrix(
    figure: Figure,
    ax: Axes,
    substrate: Substrate,
    projection: Projection,
    weights: np.ndarray,
    mask: np.ndarray,
    limit: float | None = None,
) -> None:
    """One projection's matrix with its scale of colours, which saturates at ``limit`` if that is given."""
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    rows, cols = by_type(pre), by_type(post)
    shown = np.ma.masked_where(mask[rows][:, cols] <= 0, weights[rows][:, cols])
    ax.set_title(f"{plain(projection.name, 30, 1)}   {(mask > 0).mean():.1%} dense", x=0)
    for spine in ax.spines.values():
        spine.set_visible(True)
    ax.set_xlabel(_axis_name("post", post))
    ax.set_ylabel(_axis_name("pre", pre))
    type_ticks(ax, post, "x")
    type_ticks(ax, pre, "y")
    if projection.blank:
        ax.set_facecolor("#f3f4f6")
        ax.set(xlim=(-0.5, post.size - 0.5), ylim=(pre.size - 0.5, -0.5))
        ax.text(
            0.5,
            0.5,
            "blank slate:\ndense, written in life",
            transform=ax.transAxes,
            ha="center",
            va="center",
            color=FAINT,
        )
        return
    limit = limit or saturation(shown)
    image = ax.imshow(
        shown, cmap=SIGNS, norm=TwoSlopeNorm(0, -limit, limit), aspect="auto", interpolation="antialiased",
        interpolation_stage="rgba",
    )  # fmt: skip
    scale_bar(figure, ax.inset_axes((1.03, 0, 0.035, 1)), image)


def by_type(population: Population) -> np.ndarray:
    """Neurons in order of type, then position."""
    return np.arange(population.size).reshape(-1, population.types).T.ravel()


def _axis_name(side: str, population: Population) -> str:
    kinds = f", {population.types} types" if population.types > 1 else ""
    return f"{side}: {plain(population.name, 18, 1)} ({population.size:,}{kinds})"


def type_ticks(ax: Axes, population: Population, axis: str) -> None:
    """Boundaries between types as ticks; numbers of neurons if there is one type."""
    target = ax.xaxis if axis == "x" else ax.yaxis
    if population.size == 1:
        target.set_ticks([0])
        return
    if population.types == 1:
        target.set_major_locator(MaxNLocator(4, integer=True))
        return
    places = population.size // population.types
    step = -(-population.types // 8)
    target.set_ticks(
        [(t + 0.5) * places - 0.5 for t in range(0, population.types, step)],
        [f"t{t}" for t in range(0, population.types, step)],
    )
    for edge in range(1, population.types) if population.types <= EDGES else ():
        (ax.axvline if axis == "x" else ax.axhline)(edge * places - 0.5, color=GRID, linewidth=0.6, zorder=1.5)


def saturation(values: Any) -> float:
    """Where the colours saturate: the largest size but for the outermost half percent."""
    sizes = np.abs(np.ma.compressed(values))
    sizes = sizes[np.isfinite(sizes)]
    return max(float(np.quantile(sizes, 0.995)), 1e-9) if len(sizes) else 1.0


def scale_bar(figure: Figure, cax: Axes, image: ScalarMappable, ticks: int = 5) -> None:
    """A colour bar with few ticks."""
    bar = figure.colorbar(image, cax=cax, extend="both", extendfrac=0.03)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    cax.tick_params(labelsize=7, length=2)
    cax.yaxis.set_major_locator(MaxNLocator(ticks, symmetric=True))


@drawn
def drawn_network(substrate: Substrate, network: Network) -> Figure:
    """Populations as columns (1-D) or sheets (2-D) in order, with their strongest synapses; see :func:`draw_network`."""
    figure = canvas(4.9)
    draw_network(panel(figure, 0.05, 0.05, WIDTH - 0.1, 4.8), substrate, network)
    return figure


def draw_network(ax: Axes, substrate: Substrate, network: Network, limits: Mapping[str, float] | None = None) -> None:
    """At most ``LINES`` synapses, the same number for each grown projection, each neuron's strongest input first.

    Red excites, blue inhibits; opacity and width go with the size of the weight, up to the ``limits`` of the
    projections, or to where a tenth of those drawn are larger. Blank slates are a grey band.
    """
    ax.set_axis_off()
    places = geometry.places(substrate)
    captions = []
    for projection in substrate.projections:
        name = projection.name
        if projection.blank:
            ax.add_patch(Polygon(geometry.band(places, projection), closed=True, color="#eceef1", linewidth=0, zorder=0))
            captions.append((projection, "blank slate"))
            continue
        pairs, weights = drawn_synapses(substrate, network, projection)
        limit = (limits or {}).get(name) or line_limit(weights)
        _synapses(ax, geometry.paths(substrate, places, projection, pairs), weights, limit)
        captions.append((projection, f"{len(pairs):,} of {(np.asarray(network.masks[name]) > 0).sum():,}"))
    for population in substrate.populations:
        _neurons(ax, population, places[population.name], np.asarray(network.alive[population.name]) > 0)
    _captions(ax, substrate, places, captions)


def drawn_synapses(substrate: Substrate, network: Network, projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """The synapses of a projection that are drawn, (synapses, 2), and their weights."""
    mask, weights = (np.asarray(side[projection.name]) for side in (network.masks, network.weights))
    pairs = geometry.strongest(weights, mask > 0, LINES // max(len(substrate.grown), 1))
    return pairs, weights[pairs[:, 0], pairs[:, 1]]


def line_limit(weights: np.ndarray) -> float:
    """Size of the weight from which on a line is as strong as any."""
    return max(float(np.quantile(np.abs(weights), 0.9)), 1e-12) if len(weights) else 0.0


def _synapses(ax: Axes, curves: np.ndarray, weights: np.ndarray, limit: float) -> None:
    if not len(weights):
        return
    share = np.minimum(np.abs(weights) / limit, 1.0)
    colors = np.array(
        [[*to_rgb(POSITIVE if w > 0 else NEGATIVE), 0.12 + 0.56 * s**1.5] for w, s in zip(weights, share, strict=True)]
    )
    order = np.argsort(share)
    ax.add_collection(LineCollection(list(curves[order]), colors=colors[order], linewidths=0.4 + 1.1 * share[order], zorder=2))


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
    jumps = [geometry.jump(substrate, p) for p in substrate.projections]
    low, high, right = low - 0.6 * (min(jumps) < 0), high + 0.6 * (max(jumps) > 1), right + 0.4 * (0 in jumps)
    for population in substrate.populations:
        own = places[population.name][:, 0]
        middle = (own.min() + own.max()) / 2
        grid = "×".join(map(str, population.grid)) + (f" × {population.types} types" if population.types > 1 else "")
        ax.text(middle, high + 0.34, plain(population.name, 18, 1), ha="center", va="bottom", fontweight="bold")
        ax.text(middle, high + 0.30, grid, ha="center", va="top", fontsize=8, color=FAINT)
    many = min(len(captions), CAPTIONS)
    for i, (projection, text) in enumerate(captions):
        x, line = left + (right - left) * (i % many + 0.5) / many, i // many
        text = f"{plain(projection.name, 34, 1)}: {text}"
        ax.text(x, low - 0.34 - 0.14 * line, text, ha="center", va="top", fontsize=8, color=FAINT)
    margin = 0.03 * (right - left)
    ax.set(xlim=(left - margin, right + margin), ylim=(low - 0.45 - 0.14 * ((len(captions) - 1) // many), high + 0.5))


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
        ax.text(
            -0.015,
            y,
            plain(name, 48, 1),
            transform=across,
            ha="right",
            va="center",
            fontsize=8,
            family="DejaVu Sans Mono",
        )
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
