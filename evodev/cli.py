"""`evodev ...`: finds the command, shows progress, and turns what went wrong into one line."""

import contextlib
import difflib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evodev.arguments import experiment_from, take_option

COMMANDS = {
    "search": "run a search, then compare its champion with baselines and draw the report",
    "resume": "go on from a run's last checkpoint, to the report",
    "compare": "champion against baselines and controls on held-out lives; several runs: intervals and tests over seeds",
    "report": "(re)draw report.html and figures of a run, or over the seeds of a search with --seeds",
    "grow": "grow a champion: compactness, pictures, npz, safetensors, GraphML, ONNX",
    "list": "decoders, learners, tasks, baselines, strategies, presets",
}

OPTIONS = {"compare": " [--arms NAME|all ...]"}
"""What else a command on runs takes; --arms once for each baseline, without it the routine ones."""

TOGETHER = ("search", "resume")
"""Commands that many processes run together where the environment says so (``devices.join``)."""


def usage() -> str:
    """The text of ``evodev --help``."""
    lines = "\n".join(f"  {name:9}{what}" for name, what in COMMANDS.items())
    return f"""evodev: search over developmental programs

usage: evodev COMMAND [ARGUMENTS] [--debug]

{lines}

`evodev search` alone runs the default preset, few-shot-digits. `evodev search --help` shows every setting.
--debug shows the traceback of an error."""


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 2 for bad input, 130 after Ctrl-C, 141 if nobody reads on (``| head``)."""
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
        prepare_jax()
        if arguments[0] in TOGETHER and not {"-h", "--help"} & set(arguments):
            from evodev import devices

            devices.join()
            if not devices.leads():
                return follow()
        command: Callable[[list[str]], int] = globals()[f"{arguments[0]}_command"]
        return command(arguments[1:])
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        if debug:
            raise
        print("evodev: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evodev: stopped", file=sys.stderr)
        return 130


def prepare_jax() -> None:
    """:func:`evodev.devices.prepare_jax`, imported late: jax takes a second, and ``--help`` does without it."""
    from evodev import devices

    devices.prepare_jax()


# progress


@contextlib.contextmanager
def search_progress(title: str, generations: int) -> Iterator[Any]:
    """A bar with generation, fitness, validation, failed lives, lives a second and time left; yields the watcher."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"), BarColumn(bar_width=20), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[state]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=generations, state="compiling")

        def watch(engine: Any, state: Any, records: list[dict[str, Any]]) -> None:
            last = records[-1]
            rate = engine.population * engine.schedule.lives / last["seconds"]
            text = (
                f"fitness {last['fitness_mean']:.3f}  validation {last['validation_centroid']:.3f}  "
                f"failed {last['failed']:.1%}  {rate:,.0f} lives/s"
            )
            bar.update(task, completed=last["generation"], state=text)
            if not console.is_terminal:
                console.print(f"{title} generation {last['generation']}/{generations}  {text}", highlight=False, soft_wrap=True)

        yield watch


def say(line: str) -> None:
    """A line of progress, apart from results."""
    print(line, file=sys.stderr, flush=True)


# commands


def finish(run: Any) -> int:
    """Search, from wherever it is."""
    from evodev import devices, workflow

    if devices.together():
        say(f"{devices.size()}; should one be lost, go on with: evodev resume {run.path}")
    try:
        with search_progress(run.path.name, run.experiment.schedule.generations) as watch:
            workflow.search(run, watch=watch, warn=lambda line: say(f"warning: {line}"))
    except workflow.Interrupted:
        say(f"stopped and checkpointed; go on with: evodev resume {run.path}")
        devices.leave()
        return 130
    except workflow.Lost as error:
        say(f"evodev: {error}; go on with: evodev resume {run.path}")
        return 1
    show_front(run)
    return 0


def follow() -> int:
    """What processes other than the first do of a search; they write and print nothing."""
    from evodev import devices, workflow

    try:
        workflow.follow()
    except workflow.Lost as error:
        say(f"evodev: {error}")
        return 1
    except workflow.Interrupted:
        devices.leave()
        return 130
    devices.leave()
    return 0


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


def search_command(arguments: list[str]) -> int:
    """evodev search"""
    name, experiment, options = experiment_from(arguments)
    from evodev import workflow
    from evodev.files import fresh_path, read_json
    from evodev.runs import Run, command_line

    base = options.out or fresh_path(Path("runs") / name)
    if options.seeds == 1:
        runs = [Run.create(base, experiment, command=command_line())]
    else:
        runs = workflow.search_seeds(base, experiment, options.seeds, command=command_line())
    began = time.perf_counter()
    for run in runs:
        say(f"run: {run.path}")
        code = finish(run)
        if code:
            return code
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
        raise ValueError(f"{command}: no option {flags[0]}; usage: evodev {command} RUN")
    if not arguments or (len(arguments) > 1 and not many):
        raise ValueError(f"{command}: expected {'run directories' if many else 'one run directory'}, given {len(arguments)}")
    return [Path(a) for a in arguments]


def resume_command(arguments: list[str]) -> int:
    """evodev resume"""
    from evodev import workflow
    from evodev.runs import Run

    (path,) = _run_argument(arguments, "resume")
    run = Run.open(path)
    code = finish(run)
    if not code:
        workflow.alone()
        conclude(run)
    return code


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


def grow_command(arguments: list[str]) -> int:
    """evodev grow"""
    from evodev import onnx, workflow
    from evodev.compactness import COUNTED, compactness
    from evodev.network import disconnected, synapse_counts
    from evodev.runs import load_champion

    rest = list(arguments)
    out = take_option(rest, "--out")
    (path,) = _run_argument(rest, "grow")
    champion = load_champion(path)
    folder = Path(out) if out else (path if path.is_dir() else path.parent) / "network"
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

    console = Console(width=None if sys.stdout.isatty() else 180)
    for kind, rows in entries.items():
        table = Table(title=kind, title_justify="left", show_header=False, box=None, padding=(0, 2))
        for name, what in rows.items():
            table.add_row(f"[bold]{name}[/bold]", what)
        console.print(table)
        console.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
