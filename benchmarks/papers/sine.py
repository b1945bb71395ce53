"""Sine regression against MAML (Finn et al. 2017, arXiv 1703.03400): error against labelled samples of the outer loop.

    python -m benchmarks.papers.sine [--seeds K] [--lives N]

Evolves the preset `sine` (lives of five labelled points) and tests its centroid, at several moments of the search, on
fresh lives of five and of ten points. An outer sample is one labelled point consumed by one genome in one life:
population x lives x points a generation. Writes benchmarks/results/papers/sine.json and sine.png.
"""

import argparse
import dataclasses
import time
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from evodev.chunks import Chunk
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.experiment import Experiment
from evodev.presets import preset
from evodev.statistics import interval
from evodev.tasks import Sine

STEPS = (0, 1, 5, 10)
MAML = {5: {1: 0.67, 5: 0.38, 10: 0.35}, 10: {1: 0.4, 10: 0.2}}
"""Published errors: K=5 from table 2; K=10 read off a plot."""
TARGETS = {(5, 10): 0.35, (10, 10): 0.6}


def errors(experiment: Experiment, genome: jax.Array, shots: int, lives: int) -> np.ndarray:
    """Mean squared error of every test life at ``STEPS``, shape (lives, steps)."""
    task = Sine(shots=shots, updates=10, probes=100)
    worlds = sample_lives(task, "test", lives, key=jax.random.key(4242))
    log = jax.jit(
        lambda g: evaluate_organism(experiment.organism, g[None], task, worlds, STEPS, key=jax.random.key(7), chunk=Chunk(1, 100))
    )(genome)
    return np.asarray(log.loss[0])


def one_search(seed: int, lives: int) -> dict[str, Any]:
    """Errors (lives, steps) at the end, and mean errors along the search, for both numbers of points."""
    experiment = dataclasses.replace(preset("sine"), seed=seed)
    search, task = experiment.search(), experiment.task
    a_generation = search.population * experiment.schedule.lives * task.labels
    began, seconds, state = time.perf_counter(), 0.0, None
    trail: dict[int, list[tuple[int, list[float]]]] = {5: [], 10: []}
    for state, records in search.run():
        seconds = time.perf_counter() - began
        generation = records[-1]["generation"]
        if generation in (50, 100, 200, 300, 500, 700) or generation == experiment.schedule.generations:
            for shots, points in trail.items():
                mean = errors(experiment, state.centroid, shots, lives).mean(0)
                points.append((int(generation) * a_generation, mean.tolist()))
            print(f"seed {seed}, generation {generation}: {trail[5][-1][1]} {trail[10][-1][1]}", flush=True)
    assert state is not None
    final = {shots: errors(experiment, state.champion, shots, lives) for shots in trail}
    return {"trail": trail, "final": final, "seconds": seconds}


def rows_of(results: list[dict[str, Any]], lives: int) -> list[dict[str, Any]]:
    """Champion errors with intervals over lives of one search, or over seeds of several."""
    rows = []
    for shots in (5, 10):
        if len(results) > 1:
            values, unit = np.stack([r["final"][shots].mean(0) for r in results]), f"95% over {len(results)} seeds"
        else:
            values, unit = results[0]["final"][shots], f"95% over {lives} lives of one search"
        mean, low, high = interval(values, 1000)
        for i, step in enumerate(STEPS):
            target = TARGETS.get((shots, step))
            published = MAML[shots].get(step)
            rows.append({
                "label": f"K={shots}, error after {step} steps", "measured": float(mean[i]), "lo": float(low[i]),
                "hi": float(high[i]), "unit": "MSE", "reference": published, "source": "MAML, published" if published else None,
                "target": target, "met": None if target is None else bool(mean[i] <= target), "note": unit,
            })  # fmt: skip
    for samples, mean in results[0]["trail"][10]:
        rows.append({"label": f"K=10, error after 10 steps, {samples:,} outer samples", "measured": mean[-1], "unit": "MSE",
                     "note": "centroid of seed 0"})  # fmt: skip
    seconds = [r["seconds"] for r in results]
    rows.append(
        {"label": "search", "measured": float(np.median(seconds)), "unit": "s", "note": "median, tests along it included"}
    )
    return rows


def draw(results: list[dict[str, Any]]) -> None:
    """Error after one and ten steps against outer samples, both numbers of points, with the published lines."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = {1: "#c45a00", 10: "#0b4f9e"}
    for axis, shots in zip(panels, (5, 10), strict=True):
        for column, step in ((1, 1), (3, 10)):
            for r in results:
                samples, means = zip(*r["trail"][shots], strict=True)
                axis.loglog(samples, [m[column] for m in means], color=colours[step], marker="o", markersize=3)
            axis.text(samples[-1], means[-1][column], f"  after {step}", color=colours[step], va="center")
            if step in MAML[shots]:
                axis.axhline(MAML[shots][step], color=colours[step], linestyle=":", linewidth=1)
                axis.text(samples[0], MAML[shots][step], f"MAML, {step}", color=colours[step], va="bottom", fontsize=8)
        axis.set_title(f"{shots} labelled points a life", loc="left")
        axis.set_xlabel("labelled points consumed by the search, over all genomes")
        axis.margins(x=0.15)
        axis.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("mean squared error, test lives")
    figure.savefig(result_path("papers", "sine").with_suffix(".png"), dpi=160)


def main() -> None:
    """Run all seeds; write the result after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--lives", type=int, default=1000, help="test lives")
    options = parser.parse_args()
    results = []
    for seed in range(options.seeds):
        results.append(one_search(seed, options.lives))
        command = f"python -m benchmarks.papers.sine --seeds {seed + 1}"
        budget = f"1000 generations of SNES, 64 genomes x 8 lives of 5 points; {options.lives} test lives"
        write_result(
            "papers", "sine", rows_of(results, options.lives), command=command, seeds=seed + 1, budget=budget, figure="sine.png"
        )
        draw(results)


if __name__ == "__main__":
    main()
