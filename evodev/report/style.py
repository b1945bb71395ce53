"""What the figures share: size, type, a palette safe for colour-blind readers, and labels that do not collide.

Arms are told apart twice, by a colour family for the role and by shade and line style within it, so that neither a
colour-blind reader nor a grey print loses them.
"""

import functools
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH = 10.4
"""Width of every figure, inches."""
DPI = 150
INK, FAINT, GRID = "#22262b", "#6b7280", "#e3e6ea"
SIGNS = "RdBu_r"
"""Colour map of signed weights: blue below zero, white at it, red above."""
NEGATIVE, POSITIVE = "#2166ac", "#b2182b"

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.usetex": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa1ab",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "evolved": ("#08519c", "#3a8bc9", "#2171b5"),
    "baseline": ("#c04a00", "#d4820f", "#823600"),
    "control": ("#9c2f78", "#c4669f", "#651a4e"),
    "reference": ("#3f4650", "#7f8792", "#60676f"),
}
"""Colours of each role, the leading arm's first."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))

P = ParamSpec("P")


@dataclass(frozen=True)
class Stroke:
    """How an arm is drawn: colour, line style, width in points, opacity of its band, and what lies on top."""

    color: str
    dash: Any
    width: float
    band: float
    order: float


def drawn(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """Make a function that draws a Figure into one that returns its PNG bytes, the same for the same input."""

    @functools.wraps(draw)
    def render(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with matplotlib.rc_context(cast(Any, STYLE)):
            figure = draw(*args, **kwargs)
            buffer = io.BytesIO()
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
        return buffer.getvalue()

    return render


def canvas(height: float) -> Figure:
    """An empty figure of the report's width; height in inches."""
    return Figure(figsize=(WIDTH, height), dpi=DPI)


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def strokes(arms: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Stroke]:
    """A stroke for each arm; ``names`` in the order in which shades are given out within a role."""
    seen: dict[str, int] = {}
    out = {}
    for name in names:
        role = arms[name]["role"]
        rank = seen[role] = seen.get(role, -1) + 1
        family = FAMILIES.get(role, FAMILIES["reference"])
        evolved, reference = role == "evolved", role == "reference"
        dash = DASHES[(rank + 2 * reference) % len(DASHES)]
        width = (2.8 if rank == 0 else 1.9) if evolved else 1.4
        band = 0.22 if evolved and rank == 0 else 0.12 if evolved else 0.10
        order = 6 - rank / 10 if evolved else 3 - rank / 10
        out[name] = Stroke(family[rank % len(family)], dash, width, band, order)
    return out


def plain(text: str, width: int = 0, lines: int = 2) -> str:
    """Text that matplotlib shows as it is, on at most so many lines of ``width`` letters if that is not 0."""
    text = " ".join(str(text).split())
    if width:
        text = "\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder=" …")) or text[:width]
    return text.replace("$", r"\$")


def spread(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> np.ndarray:
    """Centres of labels along a line, close to where they are wanted, in order and without overlap.

    Args:
        wanted: where each label would like to be.
        heights: how much room each takes.
        low: lower end of the line.
        high: upper end; labels that need more room than there is reach beyond both ends alike.
    """
    order = np.argsort(wanted, kind="stable")
    size, want = np.asarray(heights, float)[order], np.asarray(wanted, float)[order]
    # overlapping neighbours merge into a block that sits at the mean of what its members want
    blocks: list[list[int]] = []
    starts: list[float] = []
    for i in range(len(want)):
        blocks.append([i])
        starts.append(want[i] - size[i] / 2)
        while len(blocks) > 1 and starts[-2] + size[blocks[-2]].sum() > starts[-1]:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
            members = blocks[-1]
            inside = np.cumsum(size[members]) - size[members] / 2
            starts[-2:] = [float(np.mean(want[members] - inside))]
    place = np.concatenate([s + np.cumsum(size[b]) - size[b] / 2 for s, b in zip(starts, blocks, strict=True)])
    place = _within(place, size, low, high)
    out = np.empty_like(place)
    out[order] = place
    return out


def _within(place: np.ndarray, size: np.ndarray, low: float, high: float) -> np.ndarray:
    """Push ordered labels back between the ends of the line."""
    if size.sum() >= high - low:
        return (low + high - size.sum()) / 2 + np.cumsum(size) - size / 2
    for i in range(len(place)):
        floor = low if i == 0 else place[i - 1] + size[i - 1] / 2
        place[i] = max(place[i], floor + size[i] / 2)
    for i in reversed(range(len(place))):
        ceiling = high if i == len(place) - 1 else place[i + 1] - size[i + 1] / 2
        place[i] = min(place[i], ceiling - size[i] / 2)
    return place
