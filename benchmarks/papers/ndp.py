"""NDP (Najarro, Sudhakaran, Risi 2023, arXiv 2307.08197): CartPole-v1 with 162 evolved numbers, XOR with 14.

    python -m benchmarks.papers.ndp [--seeds N] [--xor-seeds N]

A network grows from one cell in five cycles; CMA-ES moves the genomes as published (sigma 0.1, 64 genomes). A champion is
tested on 100 episodes that the search never saw. Needs the extra `control`. Finished seeds are kept in
benchmarks/papers/.cache: a killed script goes on where it was. Writes benchmarks/results/papers/ndp.json, ndp.png and
ndp.gif, the film of a champion's growth.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.papers.control import Balance, balance_rows, draw_learning, remembered
from evodev.cli import prepare_jax
from evodev.decoders import DECODERS, Trace
from evodev.decoders.cells.growth import Growth
from evodev.decoders.wiring.edge import EdgeMLP
from evodev.network import forward, synapses
from evodev.report.film import growth
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate, complete
from evodev.types import Array, Genome, Key

SOURCE = "Najarro et al. 2023"
STRATEGY = Strategy("CMA_ES", 64, 0.1)
POLE, POLE_DECODER = complete(4, 4, 2), replace(DECODERS["ndp"], cells=Growth(5, 5, cycles=5))
GATE, GATE_DECODER = complete(2, 4, 1), replace(DECODERS["ndp"], cells=Growth(1, 1), wiring=EdgeMLP((1,)))
CASES, ANSWERS = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), jnp.array([0.0, 1, 1, 0])
POLE_NUMBERS, GATE_NUMBERS = 162, 14
# cells that a genome of zeros grows are nearly alike: its search would live on rounding
START = 0.5
POLE_GENERATIONS, POLE_EPISODES, GATE_GENERATIONS = 60, 32, 200


def gate(genome: Genome) -> Array:
    """What the grown network answers in the four cases of XOR."""
    return forward(GATE, GATE_DECODER.grow(genome, GATE, key=jax.random.key(0)), CASES)[:, 0]


@jax.jit
def search_gate(key: Key) -> tuple[Genome, Array, Array]:
    """The champion, its answers and the best negative squared error of each generation."""

    def score(genomes: Array, *, key: Key) -> Array:
        return jax.vmap(lambda genome: -((gate(genome) - ANSWERS) ** 2).mean())(genomes)

    best, _, history = maximise(score, GATE_DECODER.genome_spec(GATE).size, STRATEGY, GATE_GENERATIONS, key=key)
    return best, gate(best), history


def one_gate(seed: int) -> dict[str, Any]:
    """Answers of a seed's champion and its errors along the search."""
    best, answers, history = search_gate(jax.random.key(seed))
    right = (np.asarray(answers) > 0.5) == np.asarray(ANSWERS)
    grown = GATE_DECODER.grow(best, GATE, key=jax.random.key(0))
    return {
        "answers": np.asarray(answers).tolist(),
        "right": int(right.sum()),
        "error": float(-history.max()),
        "cells": int(jnp.concatenate(list(grown.alive.values())).sum()),
        "synapses": int(synapses(grown)),
        "champion": np.asarray(best).tolist(),
    }


def gate_rows(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many seeds answer all four cases, and how exactly."""
    size = GATE_DECODER.genome_spec(GATE).size
    solved = sum(r["right"] == len(CASES) for r in results)
    errors = [r["error"] for r in results]
    genomes = STRATEGY.population * GATE_GENERATIONS
    grown = sorted({f"{r['cells']} cells, {r['synapses']} synapses" for r in results})
    return [
        {
            "label": f"XOR, {size} genome numbers: seeds that solve it", "measured": solved, "unit": f"of {len(results)}",
            "reference": "solved", "source": f"{SOURCE}, {GATE_NUMBERS} numbers", "target": len(results),
            "met": solved == len(results) and size <= GATE_NUMBERS,
            "note": f"0/1 in and out, right side of 0.5 in all four cases; {genomes:,} genomes a seed; {'; '.join(grown)}",
        },
        {
            "label": "XOR: squared error", "measured": float(np.mean(errors)), "lo": min(errors), "hi": max(errors),
            "unit": "MSE", "note": "mean over seeds; the range is from the best seed to the worst",
        },
    ]  # fmt: skip


def draw_stage(axis: Axes, trace: Trace, substrate: Substrate) -> None:
    """The tissue on a ring, inputs in blue and outputs in orange; a line is a link of growth, as wide as its weights."""
    names = [p.name for p in substrate.populations]
    sizes = [p.size for p in substrate.populations]
    angle = np.linspace(0, 2 * np.pi, sum(sizes), endpoint=False) + np.pi / 2
    places = dict(zip(names, np.split(np.stack([-np.cos(angle), np.sin(angle)], 1), np.cumsum(sizes)[:-1]), strict=True))
    for p in substrate.grown:
        mask, weights = (np.asarray(side[p.name]) for side in (trace.network.masks, trace.network.weights))
        for i, j in np.argwhere(mask > 0):
            ends = np.stack([places[p.pre][i], places[p.post][j]])
            width = 0.3 + 1.5 * min(abs(weights[i, j]), 2.0)
            axis.plot(*ends.T, color="#444444" if weights[i, j] > 0 else "#b03a2e", linewidth=width, alpha=0.35, zorder=1)
    for name, colour in zip(names, ("#0b4f9e", "#888888", "#c45a00"), strict=True):
        living = np.asarray(trace.tissue.alive[name]) > 0
        axis.scatter(*places[name][living].T, color=colour, s=60, zorder=2)
        axis.scatter(*places[name][~living].T, facecolors="none", edgecolors="#cccccc", s=60, zorder=2)
    axis.set_aspect("equal")
    axis.axis("off")


def draw(results: Sequence[dict[str, Any]]) -> None:
    """Growth of seed 0's champion, cycle by cycle, above the learning curves of all seeds."""
    film = POLE_DECODER.film(jnp.asarray(results[0]["champion"]), POLE, key=jax.random.key(0))
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    panels = figure.subplot_mosaic([[f"{i}" for i in range(len(film))], ["curve"] * len(film)])
    for i, trace in enumerate(film):
        cells = int(sum(float(alive.sum()) for alive in trace.network.alive.values()))
        draw_stage(panels[f"{i}"], trace, POLE)
        panels[f"{i}"].set_title(
            f"cycle {i}: {cells} cell{'s' * (cells > 1)}, {int(synapses(trace.network))} synapses", fontsize=7.5
        )
    draw_learning(panels["curve"], results)
    figure.savefig(result_path("papers", "ndp").with_suffix(".png"), dpi=150)
    result_path("papers", "ndp").with_suffix(".gif").write_bytes(growth(POLE, film))


def main() -> None:
    """Run all seeds, or read those that have run, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="outer seeds of CartPole (default 6)")
    parser.add_argument("--xor-seeds", type=int, default=10, help="outer seeds of XOR (default 10)")
    options = parser.parse_args()
    prepare_jax()
    balance = Balance(POLE_DECODER, POLE, STRATEGY, generations=POLE_GENERATIONS, count=POLE_EPISODES, start=START)
    poles, gates = [], []
    for seed in range(options.xor_seeds):
        gates.append(remembered(f"ndp/xor-{GATE_GENERATIONS}-{seed}", lambda seed=seed: one_gate(seed)))
        print("xor", seed, gates[-1]["right"], gates[-1]["error"], flush=True)
    for seed in range(options.seeds):
        name = f"ndp/cartpole-{START}-{POLE_GENERATIONS}-{POLE_EPISODES}-{seed}"
        poles.append(remembered(name, lambda seed=seed: balance.one_seed(seed)))
        print("cartpole", seed, np.mean(poles[-1]["returns"]), poles[-1]["episodes"], poles[-1]["seconds"], flush=True)
    luck = remembered("ndp/random", lambda: {"returns": np.asarray(balance.random(jax.random.key(1))).ravel().tolist()})
    published = f"{SOURCE}, {POLE_NUMBERS} numbers, 10 cells, 33 edges"
    rows = balance_rows(poles, balance.spec.size, who="CartPole-v1", most=POLE_NUMBERS, source=published)
    rows.append({
        "label": "CartPole-v1: random genomes that return 500", "measured": float(np.mean(np.array(luck["returns"]) >= 500)),
        "unit": "share", "note": f"of {len(luck['returns'])}, no search, {POLE_EPISODES} episodes each: the task is easy",
    })  # fmt: skip
    draw(poles)
    write_result(
        "papers", "ndp", rows + gate_rows(gates), command="python -m benchmarks.papers.ndp", seeds=len(poles),
        budget=balance.budget, figure="ndp.png",
    )  # fmt: skip


if __name__ == "__main__":
    main()
