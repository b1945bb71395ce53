"""`evodev ...`: finds the command, shows progress, and turns what went wrong into one line."""

import contextlib
import difflib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evodev.arguments import experiment_from, take_option
from evodev.files import proposed
from evodev.processes import Interrupted, Lost

COMMANDS = {
    "search": "run a search, then compare its champion with baselines and draw the report",
    "resume": "go on from a run's last checkpoint, to the report",
    "compare": "champion against baselines and controls on held-out lives; several runs: intervals and tests over seeds",
    "report": "(re)draw report.html and figures of a run, or over the seeds of a search with --seeds",
    "grow": "grow a champion: compactness, pictures, npz, safetensors, GraphML, ONNX (into RUN/network, or --out FOLDER)",
    "rerun": "run a finished search once more, and say whether it ends with the same numbers",
    "watch": "show how far a search is that runs in another terminal",
    "experiment": "test claims about evolution, development and learning: NAME, or --all",
    "list": "decoders, learners, tasks, baselines, strategies, presets",
}

OPTIONS = {"compare": " [--arms NAME|all ...]", "grow": " [--out FOLDER]", "watch": " [--once]"}
"""What else a command on runs takes; --arms once for each baseline, else the routine ones; --out is else RUN/network."""

APART = ("watch", "experiment")
"""Commands that take no device themselves: one looks at a search in another terminal, one starts processes that do."""

TOGETHER = ("search", "resume")
"""Commands that many processes run together where the environment says so (``devices.join``)."""


def usage() -> str:
    """The text of ``evodev --help``."""
    lines = "\n".join(f"  {name:11}{what}" for name, what in COMMANDS.items())
    return f"""evodev: search over developmental programs

usage: evodev COMMAND [ARGUMENTS] [--debug]

{lines}

`evodev search` alone runs the default preset, few-shot-digits. `evodev search --help` shows every setting.
--debug shows the traceback of an error."""


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 2 for bad input, 130 after Ctrl-C, 141 if nobody reads on (``| head``).

    It is 0 after SIGTERM too, once what was done is safe, and 1 where another process of a run was lost.
    """
    try:
        try:
            code = run_command(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # what is still in the buffer goes nowhere, or the interpreter would complain of it on leaving
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    if code and "evodev.devices" in sys.modules:
        from evodev import devices

        if devices.together():
            devices.abandon(code)
    return code


def run_command(argv: list[str] | None) -> int:
    """Find the command, run it, and say what went wrong in one line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        from importlib import metadata

        print(metadata.version("evodev-jax"))
        return 0
    try:
        if arguments[0] not in COMMANDS:
            near = difflib.get_close_matches(arguments[0], list(COMMANDS), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"command: no command {arguments[0]!r}; {hint}Commands: {', '.join(COMMANDS)}")
        if arguments[0] not in APART:
            prepare_jax()
        if arguments[0] in TOGETHER and not {"-h", "--help"} & set(arguments):
            from evodev import devices

            devices.join()
            if not devices.leads():
                from evodev import workflow

                return workflow.follow()
        command: Callable[[list[str]], int] = globals()[f"{arguments[0]}_command"]
        return command(arguments[1:])
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        if debug:
            raise
        said = str(error)
        if isinstance(error, PermissionError) and error.filename:
            said = f"{error.filename}: {error.strerror}; ask its owner for the right to it (chmod), or take another directory"
        print("evodev: " + " ".join(said.split()), file=sys.stderr)
        return 2
    except Interrupted as stop:
        say(str(stop))
        if arguments[0] in TOGETHER:  # the others were asked too, and leave
            from evodev import devices

            devices.leave()
        return stop.code
    except Lost as error:
        say(f"evodev: {error}")
        return 1
    except KeyboardInterrupt:
        print("evodev: stopped", file=sys.stderr)
        return 130


def prepare_jax() -> None:
    """:func:`evodev.devices.prepare_jax`, imported late: jax takes a second, and ``--help`` does without it."""
    from evodev import devices

    devices.prepare_jax()


def say(line: str) -> None:
    """A line of progress, apart from results."""
    print(line, file=sys.stderr, flush=True)


# commands


def finish(run: Any, *, track: bool = False, engine: Any = None) -> None:
    """Search, from wherever it is; tracked if asked for, or if it was before; by an engine made and traced already, if any."""
    from evodev import devices, tracking, workflow
    from evodev.progress import search_progress

    if devices.together():
        say(f"{devices.size()}; should one be lost, go on with: {proposed('resume', run.path)}")
    with contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(search_progress(run.path.name, run.experiment.schedule.generations))]
        if track or (tracking.is_tracked(run.path) and tracking.INSTALLED):
            watchers.append(stack.enter_context(tracking.tracking(run)))

        def watch(*block: Any) -> None:
            for watcher in watchers:
                watcher(*block)

        workflow.search(run, engine=engine, watch=watch, warn=lambda line: say(f"warning: {line}"))
    show_front(run)


def conclude(run: Any) -> None:
    """Compare, report and print the table of one run."""
    from evodev import workflow

    result = workflow.compare_run(run, say=say)
    page = workflow.report_run(run)
    show(result)
    print(f"report: {page}")


def show(comparison: dict[str, Any]) -> None:
    """The closing table."""
    from rich.console import Console

    from evodev.report.table import console_table

    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(console_table(comparison))


def show_front(run: Any) -> None:
    """The trade-off of a search by several objectives."""
    from rich.console import Console

    from evodev.report.table import console_front

    table = console_front(run.metrics())
    if table is not None:
        Console(width=None if sys.stdout.isatty() else 180).print(table)


def memory_line(engine: Any) -> str:
    """What a search will need; a warning where that may be more than there is.

    Raises:
        ValueError: where even its population is more.
    """
    need, chunk, many = engine.forecast(), engine.chunk, engine.population
    what = f"{many:,} genomes of {engine.spec.size:,} numbers x {engine.schedule.lives} lives"
    if need.least > need.free:
        least, free = (size / 1024**3 for size in (need.least, need.free))
        raise ValueError(
            f"strategy: {what} take {least:,.1f} GiB at the very least and {free:,.1f} GiB are free; lower strategy.population"
        )
    line = f"memory: {what}, {chunk.subjects} x {chunk.lives} at a time on {engine.devices} devices: {need}"
    return line + "; lower strategy.population or schedule.chunk if it fails" * (need.peak > need.free)


def search_command(arguments: list[str]) -> int:
    """evodev search"""
    name, experiment, options = experiment_from(arguments)
    from evodev import tracking, workflow
    from evodev.files import fresh_path, read_json
    from evodev.manifest import command_line
    from evodev.runs import Run

    if options.track:
        tracking.refuse_untracked()
    engine = experiment.search()
    needed = memory_line(engine)
    base = options.out or fresh_path(Path("runs") / name)
    if options.seeds == 1:
        runs = [Run.create(base, experiment, command=command_line())]
    else:
        runs = workflow.search_seeds(base, experiment, options.seeds, command=command_line())
    say(needed)
    began = time.perf_counter()
    for run in runs:
        say(f"run: {run.path}")
        finish(run, track=options.track, engine=engine if len(runs) == 1 else None)
        say(f"search: {time.perf_counter() - began:.0f} s so far")
    workflow.alone()
    if options.search_only:
        return 0
    for run in runs:
        conclude(run)
    if len(runs) > 1:
        page = workflow.report_seeds(base, runs)
        show(read_json(base / "comparison.json"))
        print(f"report: {page}")
    return 0


def _run_argument(arguments: list[str], command: str, *, many: bool = False) -> list[Path]:
    if any(a in ("-h", "--help") for a in arguments):
        print(f"usage: evodev {command} RUN{' [RUN ...]' if many else ''}{OPTIONS.get(command, '')}\n\n{COMMANDS[command]}")
        raise SystemExit(0)
    flags = [a for a in arguments if a.startswith("-")]
    if flags:
        raise ValueError(f"{command}: no option {flags[0]}; usage: evodev {command} RUN{OPTIONS.get(command, '')}")
    if not arguments or (len(arguments) > 1 and not many):
        raise ValueError(f"{command}: expected {'run directories' if many else 'one run directory'}, given {len(arguments)}")
    return [Path(a) for a in arguments]


def resume_command(arguments: list[str]) -> int:
    """evodev resume"""
    from evodev import workflow
    from evodev.runs import Run

    (path,) = _run_argument(arguments, "resume")
    run = Run.open(path)
    finish(run)
    workflow.alone()
    conclude(run)
    return 0


def compare_command(arguments: list[str]) -> int:
    """evodev compare"""
    from evodev import workflow
    from evodev.runs import Run

    rest, names = list(arguments), list[str]()
    while (name := take_option(rest, "--arms")) is not None:
        names.append(name)
    paths = _run_argument(rest, "compare", many=True)
    runs = [run for path in paths for run in Run.of_seeds(path) or [Run.open(path)]]
    show(workflow.compare_runs(runs, names=names or None, say=say))
    return 0


def report_command(arguments: list[str]) -> int:
    """evodev report"""
    from evodev import workflow
    from evodev.runs import Run

    (path,) = _run_argument(arguments, "report")
    seeds = Run.of_seeds(path)
    print(f"report: {workflow.report_seeds(path, seeds) if seeds else workflow.report_run(Run.open(path))}")
    return 0


def rerun_command(arguments: list[str]) -> int:
    """evodev rerun; 1 if the numbers are not the same"""
    (path,) = _run_argument(arguments, "rerun")
    from evodev.manifest import divide_as

    divide_as(path / "manifest.json")  # before what follows makes jax count its devices
    from evodev.rerun import rerun
    from evodev.runs import Run

    try:
        _, verdict = rerun(Run.open(path), search=finish, say=say)
    except Interrupted:
        say(f"and to be told whether it matches: {proposed('rerun', path)}")
        raise
    print("\n".join(verdict.lines()))
    return int(bool(verdict.unequal))


def watch_command(arguments: list[str]) -> int:
    """evodev watch"""
    from evodev.progress import watch

    once = "--once" in arguments
    (path,) = _run_argument([a for a in arguments if a != "--once"], "watch")
    seeds = sorted(path.glob("seed-*/config.yaml"), key=lambda p: (len(p.parent.name), p))
    if not (path / "config.yaml").is_file() and not seeds:
        from evodev.runs import Run

        Run.open(path)  # says what is wrong; otherwise not imported, as it makes jax take hold of a device
    for found in [path] if (path / "config.yaml").is_file() else [p.parent for p in seeds]:
        watch(found, once=once)
    return 0


def grow_command(arguments: list[str]) -> int:
    """evodev grow"""
    from evodev import onnx, workflow
    from evodev.compactness import COUNTED, compactness
    from evodev.files import inside
    from evodev.network import disconnected, synapse_counts
    from evodev.runs import load_champion

    rest = list(arguments)
    out = take_option(rest, "--out")
    (path,) = _run_argument(rest, "grow")
    champion = load_champion(path)
    folder = Path(out) if out else inside(path if path.is_dir() else path.parent, "network")
    network, paths = workflow.grow(champion, folder)
    organism = champion.organism
    lines = [
        (name, f"{int(count):,} of {network.masks[name].size:,} synapses") for name, count in synapse_counts(network).items()
    ]
    lines += [*compactness(organism.genome_spec, organism.substrate, network).lines(), ("counted", COUNTED)]
    cut = disconnected(organism.substrate, network)
    lines += [(f"{name}, cut off", f"{len(neurons)} neurons that no input reaches") for name, neurons in cut.items()]
    width = max(len(label) for label, _ in lines)
    print("\n".join(f"{label:{width}}  {text}" for label, text in lines))
    print("\n".join(str(p) for p in paths))
    if not onnx.INSTALLED:
        print(f"no ONNX file: {onnx.MISSING}")
    return 0


def experiment_command(arguments: list[str]) -> int:
    """evodev experiment"""
    root = Path(__file__).parents[1]
    if not (root / "benchmarks" / "hypotheses").is_dir():
        raise ValueError(
            "experiment: the experiments come with the sources, not with the package; clone them and pip install -e ."
        )
    # the sources' own, whatever else is called benchmarks
    sys.path.insert(0, str(root))
    return importlib.import_module("benchmarks.hypotheses.__main__").main(arguments, program="evodev experiment")


def list_command(arguments: list[str]) -> int:
    """evodev list"""
    from evodev.presets import catalogue

    unknown = [a for a in arguments if a not in ("--json", "-h", "--help")]
    if unknown:
        raise ValueError(f"list: no argument {unknown[0]!r}; usage: evodev list [--json]")
    if {"-h", "--help"} & set(arguments):
        print(f"usage: evodev list [--json]\n\n{COMMANDS['list']}")
        return 0
    entries = catalogue()
    if "--json" in arguments:
        print(json.dumps(entries, indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 180)
    for kind, rows in entries.items():
        table = Table(title=kind, title_justify="left", show_header=False, box=None, padding=(0, 2))
        for name, what in rows.items():
            table.add_row(Text(name, style="bold"), Text(what))  # what stands in brackets is no markup
        console.print(table)
        console.print()
    return 0
