"""The film of growth: an animated GIF of a network drawn, and its matrices, after each step of its development."""

import io
from collections.abc import Sequence
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from evodev.decoders.base import Trace
from evodev.network import Network
from evodev.report.anatomy import draw_matrix, draw_network, drawn_synapses, line_limit, saturation
from evodev.report.style import INK, NEGATIVE, POSITIVE, SIGNS, STYLE, WIDTH, canvas, panel
from evodev.substrate import Projection, Substrate

FRAMES = 48
"""Most frames; of a longer film, stages evenly spread, the first and the last among them."""
DPI = 80
SECONDS, SLOWEST, FASTEST, LAST = 6.0, 0.6, 0.08, 2.5
"""How long a film takes, the slowest and the fastest frame, and how long the grown network stands."""
MATRICES = 3
"""Most projections whose matrices are shown."""


def growth(substrate: Substrate, film: Sequence[Trace]) -> bytes:
    """The GIF of a :meth:`evodev.decoders.Decoder.film`, played over and over; the same bytes for the same film.

    Colours mean the same in every frame. Cells that are not there yet are hollow.

    Raises:
        ValueError: if there is no stage.
    """
    if not film:
        raise ValueError("film: needs one stage or more")
    steps = np.unique(np.linspace(0, len(film) - 1, min(len(film), FRAMES)).round().astype(int))
    networks = [film[step].network for step in steps]
    shown = substrate.grown[:MATRICES]
    lines = {p.name: max(line_limit(drawn_synapses(substrate, n, p)[1]) for n in networks) for p in substrate.grown}
    colors = {p.name: max(_extent(n, p) for n in networks) for p in shown}
    with matplotlib.rc_context(cast(Any, STYLE)):
        frames = [
            _frame(substrate, network, f"step {step} of {len(film) - 1}", shown, lines, colors)
            for step, network in zip(steps, networks, strict=True)
        ]
    palette = _palette()
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    each = float(np.clip(SECONDS / len(frames), FASTEST, SLOWEST))
    durations = [round(1000 * s) for s in [*[each] * (len(frames) - 1), LAST]]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return buffer.getvalue()


def _palette() -> Image.Image:
    """The colours that frames are made of: one palette for all, or they would flicker, and with a white that is white."""
    signs = matplotlib.colormaps[SIGNS](np.linspace(0, 1, 121))[:, :3]
    white = np.ones(3)
    faded = [
        white + share * (np.array(to_rgb(color)) - white)
        for color, shades in ((POSITIVE, 40), (NEGATIVE, 40), (INK, 40))
        for share in np.linspace(0, 1, shades)
    ]
    colors = np.round(255 * np.concatenate([signs, faded])).astype(int)
    # pillow looks colours up in boxes of four shades: what is nearly white would stand in for white
    colors = np.concatenate([[[255, 255, 255]], colors[colors.min(1) < 244]])
    image = Image.new("P", (1, 1))
    image.putpalette(colors.ravel().tolist())
    return image


def _extent(network: Network, projection: Projection) -> float:
    mask = np.asarray(network.masks[projection.name]) > 0
    return saturation(np.ma.masked_where(~mask, np.asarray(network.weights[projection.name]))) if mask.any() else 1e-9


def _frame(
    substrate: Substrate,
    network: Network,
    step: str,
    shown: Sequence[Projection],
    lines: dict[str, float],
    colors: dict[str, float],
) -> Image.Image:
    """The network above, matrices below, and a line that counts."""
    low = 2.75 if shown else 0.0
    figure = canvas(4.5 + low)
    figure.set_dpi(DPI)
    cells = sum(int((np.asarray(alive) > 0).sum()) for alive in network.alive.values())
    synapses = sum(int((np.asarray(network.masks[p.name]) > 0).sum()) for p in substrate.grown)
    text = f"{step}: {cells:,} {'cell' if cells == 1 else 'cells'}, {synapses:,} {'synapse' if synapses == 1 else 'synapses'}"
    figure.text(0.1 / WIDTH, 1 - 0.1 / (4.5 + low), text, fontweight="bold", fontsize=11, va="top")
    draw_network(panel(figure, 0.05, low + 0.05, WIDTH - 0.1, 4.1), substrate, network, lines)
    wide = (WIDTH - 0.25) / max(len(shown), 1)
    for i, projection in enumerate(shown):
        ax = panel(figure, i * wide + 0.72, 0.5, wide - 1.44, low - 0.85)
        weights, mask = (np.asarray(side[projection.name]) for side in (network.weights, network.masks))
        draw_matrix(figure, ax, substrate, projection, weights, mask, colors[projection.name])
    agg = FigureCanvasAgg(figure)
    agg.draw()
    return Image.fromarray(np.asarray(agg.buffer_rgba())[..., :3].copy())
