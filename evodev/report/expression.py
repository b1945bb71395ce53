"""Expression maps: what the cells of a tissue have become, gene by gene, where they are."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from evodev.decoders.base import Tissue
from evodev.report.anatomy import by_type, saturation, scale_bar, type_ticks
from evodev.report.style import SIGNS, WIDTH, canvas, drawn, panel, plain
from evodev.substrate import Population, Substrate

MAPS = 12
"""Most genes of a population that have a map of their own."""
ROWS = 64
"""Most genes of a population that are rows of one picture."""
TYPES = 4
"""Most types of which each has a row of maps."""
AMOUNTS = "viridis"
"""Colour map of expression that is never negative."""
LEFT, RIGHT, TITLE, GAP = 0.75, 0.85, 0.30, 0.26
"""Inches beside, above and below a population's maps."""


@dataclass(frozen=True)
class Block:
    """One population's maps: states (n, genes) with the dead masked, the genes shown, and a height in inches."""

    population: Population
    states: np.ma.MaskedArray
    genes: np.ndarray
    by_type: bool
    height: float

    @property
    def is_map(self) -> bool:
        """Whether a gene is drawn over two coordinates; else all genes are rows over one."""
        return _in_plane(self.population) and not self.by_type


@drawn
def expression_maps(substrate: Substrate, tissue: Tissue) -> Figure:
    """Every gene over the coordinates of each population; the dead are white.

    Populations in the plane: a map a gene, a row a type. Others: a row a gene, over the one coordinate or the neurons'
    order. Tissue that depends on types alone: a row a gene, a column a type.
    """
    blocks = [_block(p, tissue) for p in substrate.populations]
    blocks = [block for block in blocks if block.states.size]
    figure = canvas(max(sum(b.height + TITLE + GAP for b in blocks), 0.6) + 0.05)
    up = figure.get_size_inches()[1]
    if not blocks:
        figure.text(0.5, 0.5, "cells express no genes", ha="center", va="center")
    for block in blocks:
        figure.text(0.12 / WIDTH, 1 - (figure.get_size_inches()[1] - up + 0.08) / figure.get_size_inches()[1], _title(block),
                    fontweight="bold", va="top")  # fmt: skip
        up -= TITLE + 0.16 * block.is_map
        (_maps if block.is_map else _rows)(figure, block, up)
        up -= block.height + GAP - 0.16 * block.is_map
    return figure


def _in_plane(population: Population) -> bool:
    places = population.positions
    return places.shape[1] == 2 and all(len(np.unique(axis)) > 1 for axis in places.T)


def _block(population: Population, tissue: Tissue) -> Block:
    states, alive = np.asarray(tissue.states[population.name]), np.asarray(tissue.alive[population.name])
    if tissue.by_type:
        states, alive = states[: population.types], alive[: population.types]
    shown = np.ma.masked_where(np.broadcast_to((alive <= 0)[:, None], states.shape), states)
    plane = _in_plane(population) and not tissue.by_type
    most = MAPS if plane else ROWS
    genes = np.arange(states.shape[1])
    if len(genes) > most:
        genes = np.sort(np.argsort(-np.asarray(states.var(0)), kind="stable")[:most])
    rows = float(np.clip(0.13 * len(genes), 0.35, 2.6)) + 0.28
    height = len(_kinds(population)) * _cell(population)[1] if plane else rows
    return Block(population, shown, genes, tissue.by_type, height)


def _kinds(population: Population) -> np.ndarray:
    """The types that are shown, evenly spread."""
    return np.unique(np.linspace(0, population.types - 1, min(population.types, TYPES)).round().astype(int))


def _cell(population: Population) -> tuple[float, float]:
    """Width and height of a map with the room around it."""
    spans = population.grid if population.at is None else np.ptp(population.positions, axis=0)
    wide = (WIDTH - LEFT - RIGHT) / MAPS
    return wide, (wide - 0.06) * float(np.clip(spans[0] / spans[1], 0.4, 2.5)) + 0.22


def _title(block: Block) -> str:
    population, every = block.population, block.states.shape[1]
    text = f"{plain(population.name, 24, 1)}: {every:,} {'gene' if every == 1 else 'genes'} in {population.size:,} cells"
    alive = int((~np.ma.getmaskarray(block.states)[:, 0]).sum())
    text += f", {alive:,} of them alive" if alive < len(block.states) else ""
    text += f"; shown: the {len(block.genes)} that vary most" if len(block.genes) < every else ""
    kinds = len(_kinds(population))
    return text + (f"; {kinds} of {population.types} types" if block.is_map and kinds < population.types else "")


def _norm(values: np.ma.MaskedArray) -> tuple[Normalize, str]:
    """White is zero where there are negative values; else dark is zero."""
    limit = saturation(values)
    signed = values.count() and values.min() < 0
    return (TwoSlopeNorm(0, -limit, limit), SIGNS) if signed else (Normalize(0, limit), AMOUNTS)


def _maps(figure: Figure, block: Block, up: float) -> None:
    population, (wide, tall) = block.population, _cell(block.population)
    norm, colors = _norm(block.states[:, block.genes])
    for r, kind in enumerate(_kinds(population)):
        for c, gene in enumerate(block.genes):
            ax = panel(figure, LEFT + c * wide, up - r * tall - (tall - 0.22), wide - 0.06, tall - 0.22)
            values = block.states[kind :: population.types, gene]
            if population.at is None:
                ax.imshow(values.reshape(population.grid), cmap=colors, norm=norm, interpolation="nearest", aspect="auto")
            else:
                across = population.positions
                ax.scatter(across[:, 1], -across[:, 0], c=values, cmap=colors, norm=norm, s=6, linewidths=0)
                ax.margins(0.08)
            _bare(ax)
            if r == 0:
                ax.set_title(f"g{gene}", fontsize=8, loc="center", pad=3, fontweight="normal")
            if c == 0 and population.types > 1:
                ax.set_ylabel(f"t{kind}", rotation=0, ha="right", va="center", labelpad=6, fontsize=8.5)
    x = LEFT + len(block.genes) * wide + 0.06
    long = min(block.height - 0.22, 2.0)
    scale_bar(figure, panel(figure, x, up - long, 0.11, long), ScalarMappable(norm, colors), 5 if long > 0.8 else 2)


def _rows(figure: Figure, block: Block, up: float) -> None:
    population = block.population
    tall = block.height - 0.28
    ax = panel(figure, LEFT, up - tall, WIDTH - LEFT - RIGHT, tall)
    line = len(population.grid) == 1 and population.types == 1 and population.at is None and not block.by_type
    values = block.states[:, block.genes] if block.by_type else block.states[by_type(population)][:, block.genes]
    norm, colors = _norm(values)
    sides = (-1.0, 1.0) if line else (-0.5, len(values) - 0.5)
    extent = (*sides, len(block.genes) - 0.5, -0.5)
    ax.imshow(values.T, cmap=colors, norm=norm, interpolation="nearest", aspect="auto", extent=extent)
    step = -(-len(block.genes) // max(int(tall / 0.16), 1))
    ax.set_yticks(range(0, len(block.genes), step), [f"g{g}" for g in block.genes[::step]])
    for spine in ax.spines.values():
        spine.set_visible(True)
    if line:
        ax.set_xlabel("coordinate", labelpad=1)
    elif block.by_type:
        step = -(-population.types // 24)
        ax.set_xticks(range(0, population.types, step), [f"t{t}" for t in range(0, population.types, step)])
    else:
        type_ticks(ax, population, "x")
        if population.types == 1:
            ax.set_xlabel("cell", labelpad=1)
    scale_bar(
        figure, panel(figure, WIDTH - RIGHT + 0.1, up - tall, 0.11, tall), ScalarMappable(norm, colors), 5 if tall > 0.8 else 2
    )


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#c3c8cf")
