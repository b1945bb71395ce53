"""Rows and figure of ``scaling``: what the model makes of its constants, beside what was measured."""

import math
import statistics
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.speed.cost_model import Machine, Work, generation, work_of
from benchmarks.speed.scaling import ERROR, GRID, HIDDEN, LAYOUTS, LEAST, LOG, SPEEDUP, WIDER, parts

Found = dict[str, dict[str, dict[str, float]]]
"""Seconds by layout, "constants" or "generations", and name."""

FURTHER = ((4096, 16, 64), (4096, 16, 512), (100_000, 4, 512))
"""Population, lives and devices that nobody lent."""


def small(hidden: int = HIDDEN) -> Work:
    """The work of one life of the measured search."""
    organism, task = parts(hidden)
    return work_of(organism, task, probes=1, probe_samples=task.probes * task.outputs)


def machine_of(found: Found, layout: str) -> Machine:
    """The model's constants of a layout, from what was measured outside generations."""
    alone, own, work = found["1 device"]["constants"], found[layout]["constants"], small()
    slope = max(0.0, alone["strategy 512"] - alone["strategy 64"]) / ((512 - 64) * work.genome)
    message = max(0.0, own["messages 4096"] - own["messages 8"]) / ((4096 - 8) * LOG) if "messages 8" in own else 0.0
    rate = work.flops * 64 * 8 / alone["lives"]
    # what the least generation takes beyond its few lives, strategy and messages included
    block = max(0.0, own["block"] - math.prod(LEAST) * work.flops / rate)
    # the work stays in cache, whose speed is in the rate
    return Machine(rate, math.inf, slope, message, block)


def grid(found: Found) -> list[tuple[int, int]]:
    """Populations and lives that were measured, by their product."""
    return sorted((point for point in GRID if "{} x {}".format(*point) in found["1 device"]["generations"]), key=math.prod)


def predicted(found: Found, layout: str) -> dict[str, float]:
    """Seconds of every generation that was measured, from the model."""
    machine, devices = machine_of(found, layout), math.prod(LAYOUTS[layout])
    out = {f"{p} x {n}": sum(generation(small(), machine, p, n, devices).values()) for p, n in grid(found)}
    wider = {f"256 x 2, hidden {WIDER}": sum(generation(small(WIDER), machine, 256, 2, devices).values())}
    return out | (wider if devices == 1 else {})


def rows_of(found: Found) -> list[dict[str, Any]]:
    """Constants, generations with their predictions as reference, errors, speed-ups, and what was not lent."""
    rows, errors = [], []
    for layout in LAYOUTS:
        machine = machine_of(found, layout)
        if layout == "1 device":
            rows.append({"label": "constant: rate of a device", "measured": machine.rate / 1e9, "unit": "Gflop/s"})
            rows.append({"label": "constant: ask and tell", "measured": 1e9 * machine.strategy, "unit": "ns a genome number"})
        else:
            rows.append({"label": f"constant: gathering logs, {layout}", "measured": 1e9 * machine.message, "unit": "ns a byte"})
        rows.append({"label": f"constant: a block, {layout}", "measured": 1e3 * machine.block, "unit": "ms a generation"})
        for name, foretold in predicted(found, layout).items():
            seconds = found[layout]["generations"][name]
            errors.append(abs(foretold / seconds - 1))
            note = f"reference: predicted, {foretold / seconds - 1:+.0%}"
            rows.append(
                {"label": f"{layout}, {name}", "measured": 1e3 * seconds, "unit": "ms", "reference": 1e3 * foretold, "note": note}
            )
    error = statistics.median(errors)
    worst = f"{len(errors)} generations, the worst off by {max(errors):.0%}"
    rows.append({"label": "median relative error", "measured": error, "target": ERROR, "met": error <= ERROR, "note": worst})
    for layout in list(LAYOUTS)[1:]:
        for p, n in grid(found):
            times = [found[which]["generations"][f"{p} x {n}"] for which in ("1 device", layout)]
            asked = p * n >= 256 * 16
            foretold = [predicted(found, which)[f"{p} x {n}"] for which in ("1 device", layout)]
            rows.append({
                "label": f"{layout} / 1 device, {p} x {n}", "measured": times[0] / times[1], "unit": "x",
                "reference": foretold[0] / foretold[1], "target": SPEEDUP if asked else None,
                "met": times[0] / times[1] >= SPEEDUP if asked else None,
                "note": "reference: predicted; " + shares(found, layout, p, n),
            })  # fmt: skip
    for p, n, devices in FURTHER:
        foretold = generation(small(), machine_of(found, "2 processes"), p, n, devices)
        alone = sum(generation(small(), machine_of(found, "1 device"), p, n, 1).values())
        note = (
            f"not measured: neither a GPU nor further machines were lent; {alone / sum(foretold.values()):.0f} times one device"
        )
        label = f"on paper: {p} x {n} on {devices} such devices"
        rows.append({"label": label, "unit": "ms", "reference": 1e3 * sum(foretold.values()), "note": note})
    return rows


def shares(found: Found, layout: str, population: int, lives: int) -> str:
    """Where the predicted time of a generation goes."""
    foretold = generation(small(), machine_of(found, layout), population, lives, math.prod(LAYOUTS[layout]))
    return ", ".join(f"{part} {seconds / sum(foretold.values()):.0%}" for part, seconds in foretold.items())


def draw(found: Found, path: Path) -> None:
    """Measured against predicted seconds, and how much two devices gain."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for layout, marker in zip(LAYOUTS, "osD", strict=True):
        foretold = predicted(found, layout)
        left.plot(list(foretold.values()), [found[layout]["generations"][name] for name in foretold], marker, label=layout)
    ends = [*left.get_xlim()]
    left.plot(ends, ends, color="0.6", lw=1, zorder=0)
    left.set(xscale="log", yscale="log", xlabel="predicted, s a generation", ylabel="measured, s a generation")
    left.legend(frameon=False)
    names = [f"{p} x {n}" for p, n in grid(found)]
    for number, layout in enumerate(list(LAYOUTS)[1:]):
        gained = [found["1 device"]["generations"][name] / found[layout]["generations"][name] for name in names]
        foretold = [predicted(found, "1 device")[name] / predicted(found, layout)[name] for name in names]
        at = [i + 0.4 * number - 0.2 for i in range(len(names))]
        right.bar(at, gained, 0.36, label=layout, color=f"C{number + 1}")
        right.plot(at, foretold, "k_", ms=16, label="predicted" if number else None)
    right.axhline(1, color="0.6", lw=1)
    right.set_xticks(range(len(names)), names, rotation=25)
    right.set(xlabel="population x lives", ylabel="times as fast as one device")
    right.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    figure.savefig(path, dpi=130)
