"""Receptive fields: a neuron's incoming weights on the grid that they come from."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from evodev.network import Network
from evodev.report.anatomy import saturation, scale_bar
from evodev.report.style import FAINT, INK, SIGNS, WIDTH, canvas, drawn, panel, plain
from evodev.substrate import Population, Projection, Substrate

TYPES = 10
"""Most cell types of which each has a column or a row of its own."""
NEURONS = 40
"""Most neurons of which each has a panel of its own."""
ACROSS = 10
"""Panels in a row."""


def has_fields(substrate: Substrate, projection: Projection) -> bool:
    """Whether :func:`receptive_fields` can draw a projection: grown, from a 2-D grid of one or few types."""
    pre = substrate.population(projection.pre)
    if projection.blank or len(pre.grid) != 2 or min(pre.grid) <= 2:
        return False
    return pre.types == 1 or _is_map(substrate, projection)


def _is_map(substrate: Substrate, projection: Projection) -> bool:
    """Whether a projection goes from grid to grid, with few types on either side."""
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    return len(post.grid) == 2 and pre.types <= TYPES and post.types <= TYPES


def fields_caption(substrate: Substrate, projection: Projection) -> str:
    """How to read the figure."""
    if not _is_map(substrate, projection):
        return "Incoming weights laid out on the sending grid, a panel a neuron, its number above. White: no synapse."
    several = substrate.population(projection.pre).types > 1
    rows_are = "a row a sending type, all of the neuron in the middle" if several else "a row a place in the grid"
    return f"Incoming weights laid out on the sending grid; {rows_are}. The cross is the neuron's own place. White: no synapse."


@drawn
def receptive_fields(substrate: Substrate, network: Network, projection: Projection) -> Figure:
    """Incoming weights of example neurons, laid out on the grid that they come from."""
    draw = _fields_of_types if _is_map(substrate, projection) else _fields_of_neurons
    return draw(substrate, network, projection)


def _fields_of_neurons(substrate: Substrate, network: Network, projection: Projection) -> Figure:
    """A panel a neuron: those with synapses, or so many of them evenly spread over the population."""
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    weights, mask = (np.asarray(side[projection.name]) for side in (network.weights, network.masks))
    wired = np.flatnonzero((mask > 0).any(0))
    shown = (
        wired[np.unique(np.linspace(0, len(wired) - 1, min(len(wired), NEURONS)).round().astype(int))] if len(wired) else wired
    )
    lines, left, top = max(-(-len(shown) // ACROSS), 1), 0.12, 0.26
    cell = (WIDTH - left - 0.95) / ACROSS
    tall = (cell - 0.08) * min(pre.grid[0] / pre.grid[1], 3.0) + 0.24
    figure = canvas(lines * tall + top + 0.1)
    limit = saturation(np.ma.masked_where(mask[:, shown] <= 0, weights[:, shown]))
    norm = TwoSlopeNorm(0, -limit, limit)
    for i, neuron in enumerate(shown):
        x, y = left + (i % ACROSS) * cell, 0.1 + (lines - 1 - i // ACROSS) * tall
        ax = panel(figure, x, y, cell - 0.08, tall - 0.24)
        field = np.ma.masked_where(mask[:, neuron] <= 0, weights[:, neuron]).reshape(pre.grid)
        ax.imshow(field, cmap=SIGNS, norm=norm, interpolation="nearest", aspect="auto")
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set(visible=True, color="#c3c8cf")
        ax.set_title(f"{neuron}", fontsize=7.5, loc="center", pad=3, fontweight="normal", color=FAINT)
    scale_bar(figure, panel(figure, WIDTH - 0.75, 0.1, 0.13, min(lines * tall - 0.24, 3.0)), ScalarMappable(norm, SIGNS))
    title = f"{plain(projection.name)}: {len(shown):,} of {post.size:,} neurons, weights at birth"
    figure.text(left / WIDTH, 1 - 0.06 / figure.get_size_inches()[1], title, fontweight="bold", va="top")
    return figure


def _fields_of_types(substrate: Substrate, network: Network, projection: Projection) -> Figure:
    """A cross is the neuron's own place.

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
    limit = saturation(np.ma.masked_where(mask[:, shown] <= 0, weights[:, shown]))
    norm = TwoSlopeNorm(0, -limit, limit)
    for r, (label, at, source) in enumerate(rows):
        for t in range(post.types):
            neuron, own = at * post.types + t, slice(source, None, pre.types)
            ax = panel(figure, 1.0 + t * cell, 0.1 + (len(rows) - 1 - r) * tall, cell * 0.92, tall * 0.92)
            field = np.ma.masked_where(mask[own, neuron] <= 0, weights[own, neuron]).reshape(pre.grid)
            ax.imshow(field, cmap=SIGNS, norm=norm, interpolation="nearest")
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
    scale_bar(figure, cax, ScalarMappable(norm, SIGNS))
    cax.set_ylabel("weight at birth", fontsize=8)
    title = f"{plain(projection.name)}: one column a type of {plain(projection.post)}"
    figure.text(1.0 / WIDTH, 1 - 0.06 / figure.get_size_inches()[1], title, fontweight="bold", va="top")
    return figure


def _example_places(post: Population) -> dict[str, int]:
    """A corner, the middle and the opposite edge of a 2-D grid, as position numbers."""
    high, wide = post.grid
    named = {
        "upper left": (high // 4, wide // 4),
        "middle": (high // 2, wide // 2),
        "lower edge": (high - 1, wide // 2),
    }
    return {label: row * wide + col for label, (row, col) in named.items()}
