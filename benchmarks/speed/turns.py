"""Contenders that take turns, and what the rounds say: medians of ratios, which a noisy moment of the machine leaves alone."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def measure(
    contenders: dict[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds a run, taking turns so that a noisy moment hits all alike; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(repeats + 1):
        for name, run in contenders.items():
            began = clock()
            run()
            if number:
                seconds[name].append(clock() - began)
    return seconds


def ratio(label: str, slow: list[float], fast: list[float], *, target: float | None) -> dict[str, Any]:
    """Median of the round-by-round ratios; met from the target up."""
    low, value, high = np.percentile(np.array(slow) / np.array(fast), [25, 50, 75])
    return {
        "label": label, "measured": float(value), "lo": float(low), "hi": float(high), "unit": "x", "target": target,
        "met": None if target is None else bool(value >= target), "note": "median and IQR of ratios within a round",
    }  # fmt: skip
