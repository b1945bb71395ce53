"""The library against torch and against a plain flax, optax and evosax script: the same lives, side by side in one run.

Networks of 64-64-64-5, batches of five, twenty steps of plain gradient descent, 128 networks x 8 lives, float32, the same
weights and data for all (``same_work.py``); losses must agree to rounding or nothing is measured. A life-step is one such
step of one life. Then whole generations: OpenAI-ES moves every weight, bias and rate, the same genomes and lives for both.

Targets, set before the run: 4 times torch.func.vmap, 30 times a loop over networks in torch, 2.5 times the flax script, on the
life loop and on whole generations. The ceiling, as ``life_loop`` measures it, is the batched matrix products alone: what it is
ahead of a rival bounds what any arrangement of them can be.

    python -m benchmarks.speed.torch [--repeats N]

Contenders take turns; torch has as many threads as there are cores, and one. Needs torch (CPU) beside the development extra.
Writes benchmarks/results/speed/torch.json and torch.png.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.speed import flax_rival, torch_rivals
from benchmarks.speed.life_loop import LIFE_STEPS, ceiling, row
from benchmarks.speed.same_work import Run, Work, library, library_search, sampler, work
from benchmarks.speed.turns import measure, ratio
from evodev.cli import prepare_jax

LOOPED = 32
"""Lives that the loop over networks really lives; it is as slow for each of the others."""
GENERATIONS = 2
"""Generations a round."""
TOLERANCE = 1e-3
"""By which the loss of any life may differ, in nats: twenty steps of sums in another order."""
TARGETS = {"torch.func.vmap": 4.0, "torch, a loop over networks": 30.0, "flax + optax, one vmap": 2.5}


def threaded(threads: int, run: Run) -> np.ndarray:
    """A run of torch on so many threads."""
    torch_rivals.torch.set_num_threads(threads)
    return run()


def life_contenders(cores: int) -> dict[str, Run]:
    """Everyone that lives the same lives, the library first."""
    shared = work()
    own = shared.each_life()
    few = Work([w[:LOOPED] for w in own.weights], *(x[:LOOPED] for x in own[1:]))
    torches = {
        "torch, a loop over networks": torch_rivals.loop(few),
        "torch.func.vmap": torch_rivals.by_vmap(own),
        "torch.func.vmap, compiled": torch_rivals.by_vmap(own, compiled=True),
        "torch, bmm by hand": torch_rivals.by_hand(own),
    }
    runs = {"evodev": library(cores), "flax + optax, one vmap": flax_rival.by_vmap(shared)}
    for name, run in torches.items():
        runs[name] = partial(threaded, cores, run)
        runs[f"{name}, one thread"] = partial(threaded, 1, run)
    return runs


def search_contenders() -> dict[str, Run]:
    """Whole generations of the library and of the flax script, from the same genome on."""
    search, run = library_search(GENERATIONS)
    # as the library derives the keys of its generations
    root = jax.random.fold_in(search.root, 1)
    initial = search.start().initial
    return {
        "evodev, generations": run,
        "flax + optax + evosax, generations": flax_rival.search(sampler, initial, root, GENERATIONS),
    }


def agreement(runs: dict[str, Run]) -> dict[str, float]:
    """Largest difference of a loss from the first contender's; who cannot run is left out, and told.

    Raises:
        ValueError: if anyone did other work.
    """
    answers: dict[str, np.ndarray] = {}
    for name, run in runs.items():
        try:
            answers[name] = run()
        except RuntimeError as error:
            print(f"{name} cannot run here: {error}")
    first = next(iter(answers.values()))
    apart = {name: float(np.abs(answer - first[: len(answer)]).max()) for name, answer in answers.items()}
    wrong = {name: gap for name, gap in apart.items() if not gap <= TOLERANCE}
    if wrong:
        raise ValueError(f"contenders differ in their losses by more than {TOLERANCE}: {wrong}")
    return apart


def versus(label: str, rival: str, ours: str, seconds: dict[str, list[float]], best: str, target: float) -> dict[str, Any]:
    """How many times faster the library is; where that is too little, what the bare matrix products would be."""
    entry = ratio(label, seconds[rival], seconds[ours], target=target)
    bound = float(np.median(np.array(seconds[rival]) / np.array(seconds[best])))
    said = f"the bare matrix products are {bound:.1f} times as fast as the rival"
    if bound < target and not entry["met"]:
        said += ": no arrangement of them reaches the target"
    return entry | {"note": f"{entry['note']}; {said}"}


def draw(rows: list[dict[str, Any]], best: float) -> Figure:
    """Life-steps a second, slowest below, the ceiling as a line."""
    bars = sorted((r for r in rows if r["unit"] == "life-steps/s" and r["measured"]), key=lambda r: r["measured"])
    figure = Figure(figsize=(9, 0.36 * len(bars) + 1.2), layout="constrained")
    axes = figure.subplots()
    colours = ["#08519c" if "evodev" in r["label"] else "#e3e6ea" if "ceiling" in r["label"] else "#9aa1ab" for r in bars]
    values = [r["measured"] for r in bars]
    errors = [[r["measured"] - r["lo"] for r in bars], [r["hi"] - r["measured"] for r in bars]]
    axes.barh([r["label"] for r in bars], values, xerr=errors, color=colours, error_kw={"linewidth": 0.9})
    for i, value in enumerate(values):
        axes.text(bars[i]["hi"] * 1.03, i, f"{value:,.0f}", va="center", fontsize=8, backgroundcolor="white")
    axes.axvline(best, color="#b2182b", linestyle="--", linewidth=1, zorder=0)
    axes.set(
        xscale="log", xlabel="life-steps a second (dashed: the matrix products alone)", xlim=(min(values) / 2, max(values) * 2)
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Measure and write benchmarks/results/speed/torch.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12, help="rounds after the warm-up (default 12)")
    repeats = parser.parse_args().repeats
    # what else ran: the load of this machine before anything was started here
    load = os.getloadavg()[0]
    prepare_jax()
    cores = jax.local_device_count()
    lives, searches = life_contenders(cores), search_contenders()
    apart = agreement(lives) | agreement(searches)
    runs: dict[str, Callable[[], Any]] = {name: run for name, run in (lives | searches).items() if name in apart}
    runs |= {f"ceiling, chunks of {n}": ceiling(n, by_sample=True) for n in (4, 8, 16, 64)}
    seconds = measure(runs, repeats)
    for name in seconds:
        share = 1024 / LOOPED if "loop" in name else 1 / GENERATIONS if "generations" in name else 1.0
        seconds[name] = [s * share for s in seconds[name]]
    median = {name: LIFE_STEPS / float(np.median(times)) for name, times in seconds.items()}
    best = max((name for name in median if name.startswith("ceiling")), key=lambda name: median[name])
    rows = []
    for name in lives | searches:
        if name not in apart:
            rows.append({"label": name, "unit": "life-steps/s", "note": "cannot run here"})
            continue
        entry = row(name, median[name], seconds[name], unit="life-steps/s")
        said = f"losses within {apart[name]:.0e}" + (f"; {LOOPED} lives, extrapolated" if "loop" in name else "")
        rows.append(entry | {"note": f"{entry['note']}; {said}"})
    ceiling_note = f"the best of four chunk sizes ({best}); median, IQR"
    rows.append(
        row("ceiling: the matrix products alone", median[best], seconds[best], unit="life-steps/s") | {"note": ceiling_note}
    )
    for rival, target in TARGETS.items():
        # the better of torch's two thread counts
        fastest = max((name for name in median if name in (rival, f"{rival}, one thread")), key=lambda name: median[name])
        rows.append(versus(f"evodev / {rival}", fastest, "evodev", seconds, best, target))
    ours, script = searches
    rows.append(versus("a generation: evodev / flax + optax + evosax", script, ours, seconds, best, 2.5))
    for entry in rows:
        print(f"{entry['label']:45} {entry.get('measured')} {entry.get('target') or ''} {entry['note']}")
    draw(rows, median[best]).savefig(result_path("speed", "torch").with_suffix(".png"), dpi=150)
    budget = f"{repeats} rounds of {LIFE_STEPS} life-steps; {GENERATIONS} generations a round; load before {load:.1f}"
    command = "python -m benchmarks.speed.torch"
    write_result("speed", "torch", rows, command=command, seeds=1, budget=budget, figure="torch.png")


if __name__ == "__main__":
    main()
