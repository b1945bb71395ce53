"""What the figures share: means over seeds with their 95% intervals, as a band along a line or as points with bars."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from evodev.statistics import interval

RESAMPLES = 2000


def band(
    axis: Axes, x: ArrayLike, values: ArrayLike, *, color: str, base: float | None = None, seeds: bool = False, **line: Any
) -> None:
    """A line through the means over seeds, and their intervals as a band.

    Args:
        axis: to draw on.
        x: (points,).
        values: (seeds, points).
        color: of all.
        base: values are logarithms to this base, averaged as such and drawn as what they are logarithms of.
        seeds: whether every seed is shown, as a thin line.
        line: of the line, as matplotlib's ``plot`` has it.
    """
    own, mean, low, high = _drawn(values, base)
    if seeds:
        axis.plot(x, own.T, color=color, alpha=0.15, linewidth=0.7)
    axis.plot(x, mean, color=color, **{"marker": "o", "markersize": 4} | line)
    axis.fill_between(x, low, high, color=color, alpha=0.2 * line.get("alpha", 1), linewidth=0)


def points(
    axis: Axes, at: ArrayLike, values: ArrayLike, *, color: str, base: float | None = None, along: str = "y", **mark: Any
) -> None:
    """Means over seeds as markers, their intervals as bars, every seed as a dot.

    Args:
        axis: to draw on.
        at: (points,), places on the other axis; or one.
        values: (seeds, points); or (seeds,).
        color: of all.
        base: as in :func:`band`.
        along: the axis that values run along, ``x`` or ``y``.
        mark: of the markers, as matplotlib's ``errorbar`` has it.
    """
    own, mean, low, high = _drawn(values, base)
    at, turn = np.atleast_1d(at), slice(None, None, -1 if along == "x" else 1)
    (x, y), each = (at, mean)[turn], (np.broadcast_to(at, own.shape), own)[turn]
    axis.plot(*each, ".", color=color, alpha=0.3, markersize=5)
    style = {"fmt": "o", "markersize": 6, "capsize": 3, "zorder": 3, f"{along}err": abs(np.array([low, high]) - mean)}
    axis.errorbar(x, y, color=color, **style | mark)


def _drawn(values: ArrayLike, base: float | None) -> tuple[np.ndarray, ...]:
    """Values (seeds, points), their mean and the ends of its interval, as they are drawn."""
    own = np.asarray(values, np.float64)
    own = own.reshape(len(own), -1)
    found = own, *interval(own, RESAMPLES)
    return found if base is None else tuple(base**each for each in found)
