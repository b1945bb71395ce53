"""Run claims of the essays as experiments, on one machine, whichever way they fall.

Each claim is judged by a rule from its own numbers: supported, not supported or inconclusive. A finished seed is kept, so
that a run that was broken off goes on where it was. A quick run has too few seeds for a verdict and shows the sign.
"""

import argparse
import difflib
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from benchmarks.common import RESULTS, read_result
from benchmarks.hypotheses import CLAIMS
from benchmarks.hypotheses.frame import FIRST_SEED, SUITE, Claim, finish, measured, shown
from evodev.cli import prepare_jax


def claim_of(name: str) -> Claim:
    """A claim by the name of its file.

    Raises:
        ValueError: for an unknown name, with the nearest.
    """
    if name not in CLAIMS:
        near = difflib.get_close_matches(name, CLAIMS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"experiment: no claim {name!r}; {hint}Claims: {', '.join(CLAIMS)}")
    return importlib.import_module(f"benchmarks.hypotheses.{name}").CLAIM


def run(name: str, budget: str, seeds: int | None, first: int | None, *, fresh: bool, redraw: bool) -> None:
    """One claim: every seed, then verdict, JSON and figure."""
    from rich.progress import Progress

    claim = claim_of(name)
    count = seeds or claim.budgets[budget].seeds
    first = FIRST_SEED[budget] if first is None else first
    prepare_jax()
    measures = []
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{name} ({budget})", total=count)
        for seed in range(first, first + count):
            own, before = measured(claim, budget, seed, fresh=fresh, redraw=redraw)
            measures.append(own)
            progress.advance(task)
            if not sys.stderr.isatty():
                took = "kept" if before else f"{own['seconds']:.1f} s"
                print(f"{name}, seed {seed}: {took}", file=sys.stderr, flush=True)
    print(show(finish(claim, measures, budget, first), claim, budget))


def show(path: object, claim: Claim, budget: str) -> str:
    """The closing lines of one claim."""
    data = read_result(SUITE if budget == "full" else f"{SUITE}/{budget}", claim.name) or {}
    lines = [f"{claim.number}. {claim.hypothesis}"]
    for row in data["rows"]:
        lines.append(f"   {row['label']}: {shown(row)}, expected {row['target']}: {row['note']}")
    return "\n".join([*lines, f"   verdict: {data['claim']['verdict']} ({data['seeds']} seeds, {budget})", f"   {path}"])


def run_all(budget: str, arguments: Sequence[str], jobs: int) -> int:
    """Every claim in a process of its own, so many at a time; returns how many failed."""
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

    waiting, running, failed = list(CLAIMS), {}, []
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(f"claims ({budget})", total=len(waiting))
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                command = [sys.executable, "-m", "benchmarks.hypotheses", name, "--budget", budget, *arguments]
                running[name] = subprocess.Popen(
                    command, cwd=RESULTS.parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            for name, process in list(running.items()):
                try:
                    out, error = process.communicate(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
                del running[name]
                if process.returncode:
                    failed.append(name)
                said = out.rstrip() if not process.returncode else f"{name} failed:\n{error.rstrip()[-2000:]}"
                progress.console.print(said, markup=False, highlight=False, soft_wrap=True)
                progress.advance(task)
    return len(failed)


class Parser(argparse.ArgumentParser):
    """One that raises what is wrong with an argument, as everything else does."""

    def error(self, message: str) -> NoReturn:
        """A ValueError that begins with the argument's name, where there is one."""
        name = message.removeprefix("argument --")
        raise ValueError(name if name != message else f"experiment: {message}")


def main(argv: Sequence[str] | None = None, program: str = "python -m benchmarks.hypotheses") -> int:
    """Entry point; returns the exit code."""
    parser = Parser(
        prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="claims: " + ", ".join(CLAIMS),
    )  # fmt: skip
    parser.add_argument("name", nargs="?", help="one claim")
    parser.add_argument("--all", action="store_true", help="every claim, then the scorecard")
    parser.add_argument("--budget", default="quick", choices=FIRST_SEED, help="minutes and few seeds, or all (default quick)")
    parser.add_argument("--seeds", type=int, help="outer seeds, if other than the budget's")
    defaults = ", ".join(f"{budget} {seed}" for budget, seed in FIRST_SEED.items())
    parser.add_argument("--first-seed", type=int, help=f"begin with this seed (default: {defaults})")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--fresh", action="store_true", help="run finished seeds again")
    again.add_argument("--redraw", action="store_true", help="judge and draw finished seeds again, those of other code included")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="claims at a time with --all (default: cores)")
    options = parser.parse_args(argv)
    if options.all == (options.name is not None):
        raise ValueError("experiment: name one claim, or ask for --all; claims: " + ", ".join(CLAIMS))
    least = {"seeds": (options.seeds, 1), "first-seed": (options.first_seed, 0), "jobs": (options.jobs, 1)}
    for name, (given, low) in least.items():
        if given is not None and given < low:
            raise ValueError(f"{name}: at least {low}, given {given}")
    began = time.perf_counter()
    if not options.all:
        run(options.name, options.budget, options.seeds, options.first_seed, fresh=options.fresh, redraw=options.redraw)
        return 0
    passed = [flag for flag, given in (("--fresh", options.fresh), ("--redraw", options.redraw)) if given]
    for option, value in (("--seeds", options.seeds), ("--first-seed", options.first_seed)):
        passed += [option, str(value)] if value is not None else []
    failed = run_all(options.budget, passed, options.jobs)
    from benchmarks.hypotheses.scorecard import write

    print(f"{len(CLAIMS) - failed} of {len(CLAIMS)} claims in {(time.perf_counter() - began) / 60:.1f} min; {write()}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        print(f"experiment: {error}".replace("experiment: experiment: ", "experiment: "), file=sys.stderr)
        sys.exit(2)
