"""`evodev ...`: parses what was typed, shows progress, and turns what went wrong into one line."""

import contextlib
import dataclasses
import difflib
import io
import json
import os
import re
import sys
import time
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

COMMANDS = {
    "search": "run a search, then compare its champion with baselines and draw the report",
    "resume": "go on from a run's last checkpoint, to the report",
    "compare": "champion against baselines and controls on held-out lives; several runs: intervals over seeds",
    "report": "(re)draw a run's report.html and figures",
    "grow": "grow a champion: compactness, pictures, npz, safetensors, GraphML, ONNX",
    "list": "decoders, learners, tasks, baselines, strategies, presets",
}


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
            return run_command(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # what is still in the buffer goes nowhere, or the interpreter would complain of it on leaving
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


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
    """Persistent compilation cache, and one device a core where there is no accelerator; before jax is first used."""
    import jax

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # somebody has used jax in this process before
            jax.config.update("jax_num_cpu_devices", cores)
    cache = os.environ.get("EVODEV_CACHE", str(Path.home() / ".cache" / "evodev"))
    with contextlib.suppress(OSError):
        Path(cache).mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


# what was typed -> configuration


def parse(kind: Any, arguments: list[str], *, prog: str, default: Any = None) -> Any:
    """tyro, with its framed messages folded to one line.

    Raises:
        ValueError: for anything that tyro does not accept.
    """
    import tyro

    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            extra = {} if default is None else {"default": default}
            return tyro.cli(kind, args=arguments, prog=prog, **extra)
    except SystemExit as stop:
        if not stop.code:
            raise
        text = re.sub(r"[─-╿]+|-{5,}", " ", message.getvalue())  # frames, which are dashes where there is no UTF-8
        text = " ".join(text.split())
        text = re.sub(r"For full helptext.*", f"See {prog} --help", text)
        raise ValueError(text) from None


def concrete(value: Any) -> tuple[Any, Any]:
    """A dataclass like the value's, each field of the type that its value has; and the value as one of those.

    An experiment's parts are abstract (`a learner`); flags are made for the parts at hand (`Hebbian`).
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return type(value), value
    hints = typing.get_type_hints(type(value))
    made, values = [], {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if not field.init or not _settable(hints[field.name], content):
            continue
        if dataclasses.is_dataclass(content):
            kind, content = concrete(content)
        elif isinstance(content, tuple) and content and dataclasses.is_dataclass(content[0]):
            pairs = [concrete(entry) for entry in content]
            kind, content = tuple[tuple(p[0] for p in pairs)], tuple(p[1] for p in pairs)  # type: ignore[misc]
        else:
            kind = type(content) if typing.get_origin(hints[field.name]) is None else _plain_hint(hints[field.name], content)
        made.append((field.name, kind, dataclasses.field()))
        values[field.name] = content
    cls = dataclasses.make_dataclass(type(value).__name__, made, frozen=True)
    cls.__doc__ = type(value).__doc__
    return cls, cls(**values)


def _plain_hint(hint: Any, content: Any) -> Any:
    return hint if not _is_open(hint) else type(content)


def _is_open(hint: Any) -> bool:
    """Whether a hint admits more than a command line can say (an optax object, a function)."""
    return any(not (a is type(None) or a in (int, float, str, bool)) for a in typing.get_args(hint)) and typing.get_origin(
        hint
    ) not in (tuple, dict, typing.Literal)


def _settable(hint: Any, content: Any) -> bool:
    if dataclasses.is_dataclass(content):
        return True
    if content == ():  # what could stand in it must be plain to say
        return typing.get_args(hint) in [(kind, ...) for kind in (str, int, float)]
    return content is not None and not callable(content)


def rebuilt(original: Any, typed: Any) -> Any:
    """The original dataclass with what was typed put in its place; checks of every part run again."""
    if not dataclasses.is_dataclass(original) or isinstance(original, type):
        return typed
    changes = {}
    for field in dataclasses.fields(typed):
        before, after = getattr(original, field.name), getattr(typed, field.name)
        if isinstance(before, tuple) and before and dataclasses.is_dataclass(before[0]):
            changes[field.name] = tuple(rebuilt(b, a) for b, a in zip(before, after, strict=True))
        else:
            changes[field.name] = rebuilt(before, after)
    return dataclasses.replace(original, **changes)


@dataclass(frozen=True)
class SearchOptions:
    """Run a search, then compare and report.

    usage: evodev search [PRESET] [OPTIONS]. PRESET is one of PRESETS; the first by default.
    --config FILE starts from a configuration file instead of a preset; --decoder NAME and --learner NAME exchange that
    part (see evodev list). Every setting below can be given too.

    Attributes:
        out: directory of the run; must not exist. runs/PRESET by default, with a number if that is taken.
        generations: generations of the search; as the preset says by default.
        seeds: searches to run, on consecutive seeds, in OUT/seed-N.
        search_only: stop after the search; compare and report later with evodev compare and evodev report.
    """

    out: Path | None = None
    generations: int | None = None
    seeds: int = 1
    search_only: bool = False


def take_option(arguments: list[str], name: str) -> str | None:
    """Remove ``--name VALUE`` or ``--name=VALUE`` and return the value."""
    for i, argument in enumerate(arguments):
        if argument == name:
            if i + 1 >= len(arguments):
                raise ValueError(f"{name}: expected a value")
            value = arguments[i + 1]
            del arguments[i : i + 2]
            return value
        if argument.startswith(name + "="):
            del arguments[i]
            return argument.partition("=")[2]
    return None


def experiment_from(arguments: list[str]) -> tuple[str, Any, SearchOptions]:
    """Name, experiment and options of ``evodev search``.

    Raises:
        ValueError: naming the field.
    """
    from evodev.decoders import DECODERS, Decoder
    from evodev.experiment import fitted, from_plain
    from evodev.learners import Learner
    from evodev.presets import PRESETS, preset
    from evodev.runs import load_experiment

    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else None
    config = take_option(arguments, "--config")
    if config and name:
        raise ValueError(f"config: give a preset ({name}) or --config, not both")
    experiment = load_experiment(Path(config)) if config else preset(name or next(iter(PRESETS)))
    decoder, learner = take_option(arguments, "--decoder"), take_option(arguments, "--learner")
    if decoder:
        grown = from_plain(Decoder, decoder, "decoder")
        fraction = getattr(experiment.decoder.sparsity, "fraction", None)
        if fraction is not None and grown == DECODERS[decoder]:
            grown = dataclasses.replace(grown, sparsity=experiment.decoder.sparsity)
        experiment = dataclasses.replace(experiment, decoder=grown)
    if learner:
        experiment = dataclasses.replace(experiment, learner=from_plain(Learner, learner, "learner"))
    kind, typed = concrete(experiment)
    fields = [
        (f.name, f.type, dataclasses.field(default=getattr(SearchOptions(), f.name))) for f in dataclasses.fields(SearchOptions)
    ]
    import tyro

    fields.append(("experiment", Annotated[kind, tyro.conf.arg(name="")], dataclasses.field(default_factory=lambda: typed)))
    both = dataclasses.make_dataclass("Search", fields, frozen=True)
    both.__doc__ = (SearchOptions.__doc__ or "").replace("PRESETS", ", ".join(PRESETS))
    parsed = parse(both, arguments, prog="evodev search")
    options = SearchOptions(**{f.name: getattr(parsed, f.name) for f in dataclasses.fields(SearchOptions)})
    if options.seeds < 1:
        raise ValueError(f"seeds: must be at least 1, given {options.seeds}")
    task = rebuilt(experiment.task, parsed.experiment.task)
    parts = {
        field.name: rebuilt(getattr(experiment, field.name), getattr(parsed.experiment, field.name))
        for field in dataclasses.fields(parsed.experiment)
    }
    if task != experiment.task:
        parts["substrate"] = fitted(parts["substrate"], task, parts["learner"])
    experiment = dataclasses.replace(experiment, **parts)
    if options.generations is not None:
        experiment = dataclasses.replace(
            experiment, schedule=dataclasses.replace(experiment.schedule, generations=options.generations)
        )
    experiment.strategy.build(experiment.organism.genome_spec.size, experiment.schedule.generations)  # raises if it cannot be
    return name or (Path(config).stem if config else next(iter(PRESETS))), experiment, options


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
    """Search (from wherever it is), compare, report."""
    from evodev import workflow

    try:
        with search_progress(run.path.name, run.experiment.schedule.generations) as watch:
            workflow.search(run, watch=watch, warn=lambda line: say(f"warning: {line}"))
    except workflow.Interrupted:
        say(f"stopped and checkpointed; go on with: evodev resume {run.path}")
        return 130
    return 0


def conclude(run: Any) -> None:
    """Compare, report and print the table of one run."""
    from evodev import workflow

    result = workflow.compare_run(run, say=say)
    page = workflow.report_run(run)
    show_front(run)
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
    from evodev.runs import Run, command_line, fresh_path

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
        if not options.search_only:
            conclude(run)
    if len(runs) > 1 and not options.search_only:
        show(workflow.merge_seeds(base, runs))
    return 0


def _run_argument(arguments: list[str], command: str, *, many: bool = False) -> list[Path]:
    if any(a in ("-h", "--help") for a in arguments):
        print(f"usage: evodev {command} RUN{' [RUN ...]' if many else ''}\n\n{COMMANDS[command]}")
        raise SystemExit(0)
    flags = [a for a in arguments if a.startswith("-")]
    if flags:
        raise ValueError(f"{command}: no option {flags[0]}; usage: evodev {command} RUN")
    if not arguments or (len(arguments) > 1 and not many):
        raise ValueError(f"{command}: expected {'run directories' if many else 'one run directory'}, given {len(arguments)}")
    return [Path(a) for a in arguments]


def resume_command(arguments: list[str]) -> int:
    """evodev resume"""
    from evodev.runs import Run

    (path,) = _run_argument(arguments, "resume")
    run = Run.open(path)
    code = finish(run)
    if not code:
        conclude(run)
    return code


def compare_command(arguments: list[str]) -> int:
    """evodev compare"""
    from evodev import workflow
    from evodev.runs import Run

    runs = [Run.open(path) for path in _run_argument(arguments, "compare", many=True)]
    show(workflow.compare_runs(runs, say=say))
    return 0


def report_command(arguments: list[str]) -> int:
    """evodev report"""
    from evodev import workflow
    from evodev.runs import Run

    (path,) = _run_argument(arguments, "report")
    print(f"report: {workflow.report_run(Run.open(path))}")
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
