"""What ``mnist1d`` says of what is finished: accuracy of every arm, differences, what shuffling costs, and the picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison.mnist1d_arms import (
    AS_TUNED,
    CONTROLS,
    EVOLVED,
    INITIAL,
    MOVED,
    MOVED_RANDOM,
    NEAREST,
    POSITIONS,
    RANDOM,
    WEIGHTS,
)
from evodev.statistics import Verdict, equivalent, estimate, holm, improvement, interval, paired

Told = dict[str, dict[str, np.ndarray]]
"""Test accuracy after the last step by world, arm and seed."""

WORLDS = {"original": False, "shuffled": True}
CACHE = Path(__file__).parent / ".cache" / "mnist1d"
MARGIN = 0.02
"""What counts as no difference."""
SOURCE = "arXiv 2011.14439"
REPORTED = {"linear": (0.32, 0.32), "MLP": (0.68, 0.68), "CNN": (0.94, 0.56)}
"""Accuracy on the original and on the shuffled signals."""
FAMILIES: dict[str, tuple[str, ...]] = {
    EVOLVED: ("CNN", "locally connected", "MLP, tuned", "MLP, evolved hyperparameters", "MLP", *CONTROLS, INITIAL),
    EVOLVED + AS_TUNED: ("MLP, tuned", RANDOM + AS_TUNED, EVOLVED, "MLP"),
    WEIGHTS: ("its mask, fresh weights", EVOLVED, "MLP, evolved hyperparameters", "MLP"),
}
"""What is set against what on the original signals, the comparisons of one family corrected together."""


def kept(name: str) -> dict[str, Any] | None:
    """A finished piece of work."""
    path = CACHE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def searches(kind: str) -> list[dict[str, Any]]:
    """Finished searches on the original signals."""
    return [json.loads(path.read_text()) for path in sorted(CACHE.glob(f"search-original-{kind}-*.json"))]


def verdict_row(label: str, verdict: Verdict, corrected: float, above: Any, *, sign: int, note: str = "") -> dict[str, Any]:
    """A paired difference in points; ``sign`` is the expected one."""
    met = corrected < 0.05 and sign * verdict.value > 0
    said = f"sign-flip p {verdict.p:.4f}, Holm {corrected:.4f}; probability of improvement {above.value:.2f}"
    points = {k: 100 * v for k, v in zip(("measured", "lo", "hi"), verdict[:3], strict=True)}
    return {"label": label, **points, "unit": "points", "target": 0.0, "met": bool(met), "note": f"{said}{note}"}


def rows_of(told: Told) -> list[dict[str, Any]]:
    """Accuracy of every arm, the evolved mask against each on the original, and what is left of it when shuffled."""
    rows = list[dict[str, Any]]()
    for world, arms in told.items():
        for arm, values in sorted(arms.items(), key=lambda item: -item[1].mean()):
            mean, low, high = (float(v) for v in interval(values, 2000))
            row: dict[str, Any] = {"label": f"{world}: {arm}", "measured": mean, "lo": low, "hi": high, "unit": "accuracy"}
            if arm in REPORTED:
                reported = REPORTED[arm][list(WORLDS).index(world)]
                near = bool(abs(mean - reported) <= 0.04)
                row |= {"reference": reported, "source": SOURCE, "target": reported, "met": near, "note": "met: within 4 points"}
            else:
                row["note"] = noted(world, arm)
            if len(values) > 1:
                middle = estimate(values[:, None])
                row["note"] += f"{'; ' if row['note'] else ''}IQM {middle.value:.3f} [{middle.lo:.3f}, {middle.hi:.3f}]"
            rows.append(row)
    for own, rivals in FAMILIES.items():
        rows += differences(told["original"], own, rivals)
    rows += lost(told)
    if WEIGHTS not in told["original"]:
        note = "not measured yet: its searches are the last pieces of work, the script goes on with them"
        rows.append({"label": f"original: {WEIGHTS}", "unit": "accuracy", "met": False, "note": note})
    return rows


def noted(world: str, arm: str) -> str:
    """What was tuned, evolved or kept equal, in a phrase."""
    done = kept(f"arm-{world}-{arm}") or {}
    best = (kept("tuning") or {}).get("best")
    if arm == "MLP, tuned" and best:
        width = "200" if best["network"] == "mlp200" else "100"
        return (
            f"{(kept('tuning') or {})['trainings']} trainings on validation: rate {best['rate']:g}, decay {best['decay']:g}, "
            f"width {width}, {best['steps']} steps"
        )
    if arm == "MLP, evolved hyperparameters" and "rate" in done:
        return f"median rate {np.median(done['rate']):.2g}, decay {np.median(done['decay']):.2g}; same search as the masks"
    if arm == WEIGHTS:
        ends = (np.mean([search["history"][-1] for search in searches(kind)]) for kind in ("weights", "mask"))
        return "scores at the end of its searches {:.3f}, of those of masks {:.3f}".format(*ends)
    if "fan_in" in done:
        fan, near = (done[k] for k in ("fan_in", "nearness"))
        numbers = ", ".join(f"{n} {fan[n]:.0f} inputs a neuron, distance {near[n]:.2f} of chance" for n in fan)
        return numbers
    return ""


def differences(arms: dict[str, np.ndarray], own: str, rivals: tuple[str, ...]) -> list[dict[str, Any]]:
    """An arm of the original signals against its family, strongest first; networks with windows are expected to be better."""
    known = [n for n in rivals if n in arms]
    if own not in arms:
        return []
    known.sort(key=lambda n: -arms[n].mean())
    verdicts = [paired(arms[own], arms[n]) for n in known]
    rows = []
    for name, verdict, corrected in zip(known, verdicts, holm([v.p for v in verdicts]), strict=True):
        above = improvement(arms[own][:, None], arms[name][:, None])
        below = name in ("CNN", "locally connected")
        note = "; expected below" if below else ""
        row = verdict_row(f"original: {own} - {name}", verdict, corrected, above, sign=-1 if below else 1, note=note)
        rows.append(row if name != NEAREST else row | alike(arms[own], arms[name], row["note"]))
    return rows


def alike(own: np.ndarray, other: np.ndarray, before: str) -> dict[str, Any]:
    """What to say of two arms that are expected to be equally good."""
    p = equivalent(own, other, MARGIN)
    note = f"{before}; expected equal, within {100 * MARGIN:.0f} points: p {p:.4f} of two one-sided t tests"
    return {"met": bool(p < 0.05), "note": note}


def lost(told: Told) -> list[dict[str, Any]]:
    """On shuffled positions: the difference to random masks, whether it is none, and how much of the gain went."""
    rows, shuffled, original = [], told["shuffled"], told["original"]
    for arm, random in ((EVOLVED, RANDOM), (MOVED, MOVED_RANDOM)):
        if arm not in shuffled or random not in shuffled:
            continue
        verdict = paired(shuffled[arm], shuffled[random])
        points = {k: 100 * v for k, v in zip(("measured", "lo", "hi"), verdict[:3], strict=True)}
        same = alike(shuffled[arm], shuffled[random], f"sign-flip p {verdict.p:.4f}")
        rows.append({"label": f"shuffled: {arm} - {random}", **points, "unit": "points", "target": 0.0, **same})
        if arm == EVOLVED and {arm, RANDOM} <= set(original):
            gains = original[arm] - original[RANDOM], shuffled[arm] - shuffled[RANDOM]
            verdict, above = paired(*gains), improvement(gains[0][:, None], gains[1][:, None])
            label = f"gain over {RANDOM}: original - shuffled"
            rows.append(verdict_row(label, verdict, verdict.p, above, sign=1))
    for arm in ("CNN", "locally connected", NEAREST, EVOLVED, "MLP"):
        if arm in original and arm in shuffled:
            verdict = paired(original[arm], shuffled[arm])
            points = {k: 100 * v for k, v in zip(("measured", "lo", "hi"), verdict[:3], strict=True)}
            label, note = f"{arm}: original - shuffled", f"what nearness is worth to it; sign-flip p {verdict.p:.4f}"
            rows.append({"label": label, **points, "unit": "points", "note": note})
    return rows


def draw(told: Told, seeds: int, path: Path) -> None:
    """Accuracy of the arms, a point a seed, original beside shuffled, published values marked; masks of the first seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    means = {n: v.mean() for world in reversed(WORLDS) for n, v in told[world].items()}
    names = sorted(means, key=lambda n: means[n])
    figure = plt.figure(figsize=(12, 0.34 * len(names) + 1.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 1.2))
    axes = figure.add_subplot(grid[:, 0])
    for world, colour, shift in (("original", "C0", 0.14), ("shuffled", "C1", -0.14)):
        for i, name in enumerate(names):
            values = told[world].get(name)
            if values is None:
                continue
            jitter = np.linspace(-0.07, 0.07, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(100 * values, i + shift + jitter, ".", color=colour, alpha=0.5, markersize=5)
            mean, low, high = (100 * float(v) for v in interval(values, 2000))
            axes.plot([low, high], [i + shift] * 2, color=colour, linewidth=2)
            axes.plot([mean], [i + shift], "|", color=colour, markersize=11, label=world if name == "MLP" else None)
            if name in REPORTED:
                reported = 100 * REPORTED[name][list(WORLDS).index(world)]
                label = "published" if name == "MLP" and world == "original" else None
                axes.plot([reported], [i + shift], "D", markerfacecolor="none", color="black", markersize=6, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="test accuracy (%)", xlim=(25, 100), title=f"MNIST-1D, {seeds} seeds, 95% intervals")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right")
    for row, world in enumerate(WORLDS):
        done = kept(f"arm-{world}-{EVOLVED}")
        panel = figure.add_subplot(grid[row, 1])
        panel.set_axis_off()
        if done:
            mask = np.array(done["masks"]["hidden1"]).T
            # by type, so that a kernel shows as a diagonal
            panel.imshow(
                mask.reshape(POSITIONS, -1, mask.shape[1]).swapaxes(0, 1).reshape(mask.shape), cmap="Greys", aspect="auto"
            )
            panel.set_title(f"first layer's mask, {world}, seed 0\n(neurons by type and place; inputs across)", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
