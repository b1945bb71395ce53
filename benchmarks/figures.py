"""What the figures share: a mean over seeds with its 95% interval, as a band along a line or as a point with its bar."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from evodev.statistics import interval

RESAMPLES = 2000


def band(
    axis: Axes, x: Any, values: Any, *, color: str, strength: float = 0.2, base: float | None = None, dots: str = "o", **line: Any
) -> None:
    """A line through the means over seeds, and their intervals as a band.

    Args:
        axis: to draw on.
        x: (points,).
        values: (seeds, points).
        color: of both.
        strength: opacity of the band.
        base: values are logarithms to this base, averaged as such and drawn as what they are logarithms of.
        dots: marker of the means; empty for none.
        line: of the line, as matplotlib has it.
    """
    mean, low, high = interval(np.asarray(values, np.float64), RESAMPLES)
    if base is not None:
        mean, low, high = base**mean, base**low, base**high
    axis.plot(x, mean, color=color, **({"marker": dots, "markersize": 4} if dots else {}) | line)
    axis.fill_between(x, low, high, color=color, alpha=strength, linewidth=0)


def point(
    axis: Axes, at: float, values: Any, *, color: str, along: str = "y", base: float | None = None, dots: bool = True, **mark: Any
) -> None:
    """The mean over seeds as a marker, its interval as a bar, every seed as a dot.

    Args:
        axis: to draw on.
        at: place on the other axis.
        values: (seeds,).
        color: of all.
        along: the axis that values run along, ``x`` or ``y``.
        base: as in :func:`band`.
        dots: whether seeds are shown.
        mark: of the marker, as matplotlib's ``errorbar`` has it.
    """
    values = np.asarray(values, np.float64)
    mean, low, high = (float(v) for v in interval(values, RESAMPLES))
    if base is not None:
        values, mean, low, high = base**values, base**mean, base**low, base**high
    places = np.full(len(values), at)
    if dots:
        axis.plot(*((places, values) if along == "y" else (values, places)), ".", color=color, alpha=0.4, zorder=2)
    where = (at, mean) if along == "y" else (mean, at)
    style: dict[str, Any] = {"fmt": "o", "capsize": 3, "zorder": 3}
    axis.errorbar(*where, **{f"{along}err": [[mean - low], [high - mean]]}, color=color, **style | mark)
