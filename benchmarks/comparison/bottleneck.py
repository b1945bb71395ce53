"""When does a bottleneck help? Claim 26: genome size x training classes x optimiser, on classes never trained on.

One substrate (12x12 pixels -> 6x6x4 -> 3x3x8 neurons -> 5 classes), one learner (a Hebbian read-out), and genomes of 135 to
31,323 numbers in two families, reported apart. ``relative``: kernels over relative position, the same everywhere, which is a
convolution's prior. ``cosine``: the lowest coefficients of the weights' cosine transform, no convolution; all of them would be
``direct`` again, a number a weight. Lives: five classes, five examples of each, labels drawn anew. Trained on 5, 8, 32 or 316
Latin and Cyrillic letters, chosen on Greek ones, tested on Armenian and Georgian; and on 8 or 16 classes of digits (0-3, in up to
four rotations), chosen on the digits 4 and 5, tested on 6 to 9. Every outer seed draws its own training classes, genome at
birth and lives. By gradient: Adam through development and life. By evolution: OpenES. Equal budgets for all genomes.

Expected, written down before the run: a compact genome wins on held-out classes when training classes are few, direct weights
when they are many, by gradient; by evolution, at this budget, a compact genome wins throughout.

After the first seed, on which direct weights overtook near 8 letters, 5 letters took the place of 128, to see the other side.

    python -m benchmarks.comparison.bottleneck [--seeds N] [--minutes M] [--finished]

Finished cells are kept in benchmarks/comparison/.cache: a killed script goes on where it was.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.common import result_path, write_result
from benchmarks.comparison.bottleneck_arms import (
    DECODERS,
    LETTERS,
    PIXELS,
    READOUT,
    SCHEDULE,
    WORLDS,
    Budget,
    World,
    by_evolution,
    by_gradient,
    drawn,
    judged,
    lived,
    organism_of,
    train_lives,
)
from benchmarks.comparison.bottleneck_rows import DATA, Cell, Results, cell_rows, control_rows, draw, margin_rows
from evodev.baselines.neighbours import Neighbours, Nothing
from evodev.chunks import Chunk
from evodev.cli import prepare_jax
from evodev.evaluation import live_subjects
from evodev.types import Key

GRADIENT, EVOLUTION = "gradient", "evolution"
BUDGETS = {GRADIENT: Budget(504, 8), EVOLUTION: Budget(108, 4, population=32)}
RATES = {GRADIENT: (0.01, 0.03, 0.1, 0.3), EVOLUTION: (1.0, 2.0, 4.0)}
"""Adam's in search units; scales of mutation. Each genome has the best on validation in one world, on a seed of its own."""
TUNED_IN, TUNING_SEED = World("glyphs", 32), 100
GENOMES = (READOUT, *DECODERS)
LIVES = {"validation": 128, "test": 512, "train": 256}
CACHE = Path(__file__).parent / ".cache" / "bottleneck"


def cell_path(cell: Cell, rate: float) -> Path:
    """Where a finished cell is kept."""
    optimiser, world, genome, seed = cell
    budget = BUDGETS[optimiser]
    spent = f"{budget.steps}x{budget.lives}x{budget.population}"
    plain = genome.replace(", ", "-").replace(" ", "-")
    return CACHE / f"{optimiser}-{spent}-{world.data}-{world.classes}-{plain}-{rate:g}-{seed}.json"


def train(cell: Cell, rate: float, lives: Any) -> dict[str, Any]:
    """Find a genome, stop it on validation, and let it live the test lives; kept once it is done."""
    path = cell_path(cell, rate)
    if path.exists():
        return json.loads(path.read_text())
    began = time.process_time()
    optimiser, world, genome, seed = cell
    organism, budget = organism_of(genome), BUDGETS[optimiser]
    key = jax.random.fold_in(jax.random.key(seed), 0xB0771E)
    found = (by_gradient if optimiser == GRADIENT else by_evolution)(organism, lives, budget, rate, key=key)
    seen = judged(world.data, "validation", LIVES["validation"])
    validation = [lived(organism, g, seen).area for g in found]
    best = int(np.argmin(validation))
    out = {"validation": validation, "best": best, "size": organism.genome_spec.size}
    if seed != TUNING_SEED:
        unseen = judged(world.data, "test", LIVES["test"])
        own = drawn(world, seed, LIVES["train"], key=jax.random.fold_in(key, 1))
        out["test"], out["birth"] = lived(organism, found[best], unseen)._asdict(), lived(organism, found[0], unseen)._asdict()
        out["last"], out["train"] = lived(organism, found[-1], unseen)._asdict(), lived(organism, found[best], own)._asdict()
        out["train_last"] = lived(organism, found[-1], own)._asdict()
    out["seconds"] = time.process_time() - began
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(out))
    partial.replace(path)
    return out


def lives_key(cell: Cell) -> Key:
    """Of the lives of a training, which all genomes share."""
    optimiser, world, _, seed = cell
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1000 * (optimiser == EVOLUTION) + world.classes), 0x11FE)


def tuned(optimiser: str, genome: str) -> float | None:
    """The best of the rates on validation; None if they have not all been tried."""
    paths = {rate: cell_path((optimiser, TUNED_IN, genome, TUNING_SEED), rate) for rate in RATES[optimiser]}
    if not all(path.exists() for path in paths.values()):
        return None
    return min(paths, key=lambda rate: min(json.loads(paths[rate].read_text())["validation"]))


def finished(seeds: int) -> dict[Cell, dict[str, Any]]:
    """What the cache has."""
    out = {}
    for cell in cells(seeds):
        rate = tuned(cell[0], cell[2])
        if rate is not None and cell_path(cell, rate).exists():
            out[cell] = json.loads(cell_path(cell, rate).read_text())
    return out


def cells(seeds: int) -> list[Cell]:
    """All there are: a seed of each optimiser, then the other seeds of one and of the other."""
    turns = sorted((seed > 0, o == EVOLUTION, seed, o) for seed in range(seeds) for o in BUDGETS)
    return [(o, world, genome, seed) for *_, seed, o in turns for world in WORLDS for genome in GENOMES]


def work(seeds: int, minutes: float) -> None:
    """Train what is not finished, until the time is up."""
    began = time.perf_counter()
    trained_on: tuple[Any, Any] = (None, None)
    planned: list[tuple[Cell, float | None]] = []
    for cell in cells(seeds):
        optimiser = cell[0]
        if all(other != optimiser for (other, *_), _ in planned):
            planned += [((optimiser, TUNED_IN, genome, TUNING_SEED), rate) for genome in GENOMES for rate in RATES[optimiser]]
        planned.append((cell, None))
    for cell, rate in planned:
        chosen = tuned(cell[0], cell[2]) if rate is None else rate
        assert chosen is not None
        if cell_path(cell, chosen).exists():
            continue
        if time.perf_counter() - began > 60 * minutes:
            return
        optimiser, world, _, seed = cell
        if trained_on[0] != (optimiser, world, seed):
            trained_on = (None, None)
            trained_on = (optimiser, world, seed), train_lives(world, seed, BUDGETS[optimiser], key=lives_key(cell))
        out = train(cell, chosen, trained_on[1])
        shown = [f"{out[k]['area']:.3f}" for k in ("train", "test", "birth", "last") if k in out]
        print(*cell, chosen, f"{min(out['validation']):.3f} at {out['best']},", *shown, f"{out['seconds']:.1f} s", flush=True)
    print("all finished", flush=True)


def nearest(data: str) -> np.ndarray:
    """Accuracy of 1-NN on the pixels of the test lives (lives, probes)."""
    log = live_subjects(
        Nothing(PIXELS), np.zeros((1, 1), np.float32), Neighbours("nearest", LETTERS.steps * LETTERS.batch), PIXELS, LETTERS,
        judged(data, "test", LIVES["test"]), SCHEDULE, key=jax.random.key(0), stochastic=False, chunk=Chunk(1, 32),
    )  # fmt: skip
    return np.asarray(log.score[0])


def write(seeds: int) -> None:
    """The result of what is finished, and its figure."""
    done = finished(seeds)
    if not done:
        return
    results = Results(done, {data: nearest(data) for data in DATA})
    rows = [r for o in BUDGETS for data in DATA for r in margin_rows(results, o, data)]
    rows += [r for o in BUDGETS for r in cell_rows(results, o)] + control_rows(results)
    whole = len(cells(seeds)) // seeds
    full = sum(sum(cell[3] == seed for cell in done) == whole for seed in range(seeds))
    spent = sum(cell["seconds"] for cell in done.values())
    gradient, evolution = BUDGETS[GRADIENT], BUDGETS[EVOLUTION]
    budget = (
        f"gradient: {gradient.steps} steps of Adam x {gradient.lives} lives = {gradient.outer:,} outer lives; evolution: OpenES, "
        f"{evolution.steps} generations of {evolution.population} genomes x {evolution.lives} lives = {evolution.outer:,}; "
        f"both stopped at the best of {gradient.checks + 1} checks on {LIVES['validation']} validation lives, tested on "
        f"{LIVES['test']}; "
        f"rate or mutation strength of each genome the best of {len(RATES[GRADIENT])} or {len(RATES[EVOLUTION])} on validation, "
        f"{TUNED_IN.data} {TUNED_IN.classes} classes, those trainings apart; "
        f"{len(done)} trainings, {full} whole seeds, {spent / 60:.0f} core-minutes"
    )
    command = f"python -m benchmarks.comparison.bottleneck --seeds {seeds}"
    write_result("comparison", "bottleneck", rows, command=command, seeds=full, budget=budget, figure="bottleneck.png")
    draw(results, result_path("comparison", "bottleneck").with_suffix(".png"), tuple(BUDGETS))
    for entry in rows:
        lo, hi = (f"{entry[k]:.3f}" if entry.get(k) is not None else "" for k in ("lo", "hi"))
        measured = f"{entry['measured']:.3f}" if entry["measured"] is not None else "-"
        print(f"{entry['label']:75} {measured} [{lo}, {hi}] {entry.get('met', '')} {entry['note'][:60]}")


def main() -> None:
    """Train what is not finished; write the result of what is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop training then, and write what is finished")
    parser.add_argument("--finished", action="store_true", help="train nothing, write what is finished")
    options = parser.parse_args()
    prepare_jax()
    if not options.finished:
        work(options.seeds, options.minutes)
    write(options.seeds)


if __name__ == "__main__":
    main()
