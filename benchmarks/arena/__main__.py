"""python -m benchmarks.arena [--budget quick|overnight|gpu] [--seeds K] [--only NAME ...] [--minutes M] [--finished]"""

import argparse
import os
import time

# half of the time of a quick cell would go into compiling faster code than it needs; set XLA_FLAGS to have it otherwise
FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"


def main() -> None:
    """Do the cells that are not done, arm by arm; write the table and the figure of what is."""
    from benchmarks.arena.board import write
    from benchmarks.arena.cells import ARMS, Cell
    from benchmarks.arena.worlds import BUDGETS, MAKERS, worlds
    from evodev.cli import prepare_jax

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", choices=list(BUDGETS), default="quick")
    parser.add_argument("--seeds", type=int, help="outer seeds (default: the budget's)")
    parser.add_argument(
        "--only", nargs="+", choices=[*ARMS, *MAKERS], metavar="NAME", help="arms (done in this order), worlds, or both"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no cell after so long")
    parser.add_argument("--finished", action="store_true", help="do nothing new, write what is done")
    options = parser.parse_args()
    prepare_jax()
    budget, began = BUDGETS[options.budget], time.monotonic()
    seeds = options.seeds or budget.seeds
    arms = [name for name in options.only or () if name in ARMS] or list(ARMS)
    where = [name for name in MAKERS if not options.only or not set(options.only) & set(MAKERS) or name in options.only]
    cells = [Cell(arm, world, budget) for arm in arms for name, world in worlds(budget).items() if name in where]
    for cell in [] if options.finished else cells:
        if (time.monotonic() - began) / 60 > options.minutes:
            break
        if cell.reason:
            continue
        for seed, entry in enumerate(cell.run(seeds)):
            told = entry.get("score", entry.get("accuracy"))
            print(f"{cell.world.name}, {cell.arm}, seed {seed}: {told:.3f}, {entry['seconds']:.0f} s", flush=True)
    write(options.budget, seeds)


if __name__ == "__main__":
    if os.environ.get("JAX_PLATFORMS", "cpu") == "cpu":
        os.environ.setdefault("XLA_FLAGS", FLAGS)
    main()
