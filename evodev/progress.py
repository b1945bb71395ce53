"""How far a search is: the bar of the one that runs here, and a look at one that runs elsewhere.

Looking only reads, and never uses a device: the search beside may have all of its memory.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evodev.files import RunError, proposed, read_records
from evodev.health import gaps, health, health_line
from evodev.processes import writer

Records = Sequence[Mapping[str, Any]]

RECENT = 50
"""Generations whose median time tells how long the rest takes."""
WIDTH = 48
"""Characters of a curve."""


@contextlib.contextmanager
def search_progress(title: str, generations: int) -> Iterator[Any]:
    """A bar with generation, :func:`told`, health of the last block and time left; yields the watcher."""
    title = escape(title)  # a directory may be called anything
    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.description}"), BarColumn(bar_width=20), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[state]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=generations, state="compiling")

        def watch(engine: Any, state: Any, records: list[dict[str, Any]]) -> None:
            last = records[-1]
            text = f"{told(last, engine.population * engine.schedule.lives)}  health {health_line(health(records))}"
            bar.update(task, completed=last["generation"], state=text)
            if not console.is_terminal:
                console.print(f"{title} generation {last['generation']}/{generations}  {text}", highlight=False, soft_wrap=True)

        yield watch


def told(record: Mapping[str, Any], lives: int) -> str:
    """Fitness, validation and speed of a generation of so many lives, as far as its record has them."""
    parts = [f"fitness {record['fitness_mean']:.3f}"] if "fitness_mean" in record else []
    parts += [f"validation {record['validation_centroid']:.3f}"] if "validation_centroid" in record else []
    parts += [f"{lives / record['seconds']:,.0f} lives/s"] if record.get("seconds") else []
    return "  ".join(parts)


@dataclass(frozen=True)
class Look:
    """A run directory at one moment.

    Attributes:
        path: of the run.
        generations: that it is to have.
        lives: in a generation.
        records: of the generations that it had.
        writer: who wrote last, and whether he lives, as :func:`evodev.processes.writer` tells.
        silent: seconds since the last record; None before the first.
        checkpoint: generation of the newest checkpoint and seconds since; None before the first.
        finished: whether there is a champion.
    """

    path: Path
    generations: int
    lives: int
    records: Records = field(repr=False)
    writer: tuple[str, bool | None] | None
    silent: float | None
    checkpoint: tuple[int, float] | None
    finished: bool

    @property
    def generation(self) -> int:
        """The last that was written down."""
        return self.records[-1]["generation"] if self.records else 0

    @property
    def seconds(self) -> float | None:
        """Wall time of a generation, the median of recent ones: the first of a process are compiled."""
        known = [record["seconds"] for record in self.records[-RECENT:] if record.get("seconds")]
        return statistics.median(known) if known else None

    @property
    def over(self) -> bool:
        """Whether nothing is to come: the search is finished, or its process has ended."""
        return self.finished or (self.writer is not None and self.writer[1] is False)

    @property
    def status(self) -> str:
        """What is going on, in one phrase."""
        who, alive = self.writer or ("", None)
        since = f"last record {_ago(self.silent)}" if self.silent is not None else "no generation yet"
        if self.finished:
            return "finished" + f", {who} is at work on it" * bool(alive)
        if alive:
            return f"running, {who}, {since}"
        if alive is False:
            return f"stopped, {who} has ended, {since}; go on with: {proposed('resume', self.path)}"
        return f"{who or 'nobody has written here'}, {since}" if self.records or who else "not started"


def look(path: Path) -> Look:
    """Read what there is to see of a run.

    Raises:
        RunError: if its config.yaml cannot be read.
    """
    try:
        config = yaml.safe_load((path / "config.yaml").read_text())
        generations = int(config["schedule"]["generations"])
        lives = int(config["schedule"]["lives"]) * int(config["strategy"]["population"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, OSError) as error:
        raise RunError(f"config: {path / 'config.yaml'} cannot be read: {' '.join(str(error).split())}") from error
    records = read_records(path / "metrics.jsonl")
    folder = path / "checkpoints"
    steps = [int(p.name) for p in folder.iterdir() if p.name.isdigit()] if folder.is_dir() else []
    saved = _age(folder / str(max(steps))) if steps else None
    return Look(
        path,
        generations,
        lives,
        records,
        writer(path),
        _age(path / "metrics.jsonl") if records else None,
        None if saved is None else (max(steps), saved),
        (path / "champion.json").exists() and bool(records) and records[-1]["generation"] >= generations,
    )


def _age(path: Path) -> float | None:
    """Seconds since a file was written; none below zero, whatever clocks do."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return None


def _ago(seconds: float) -> str:
    return f"{timedelta(seconds=round(seconds))} ago"


def curve(values: Sequence[float], levels: str) -> str:
    """Numbers as a line of characters, low to high; the lowest twentieth is cut off, or a failure would flatten the rest."""
    if not values:
        return ""
    width = min(WIDTH, len(values))
    bins = [values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width)]
    means = [statistics.fmean(part) for part in bins]
    low, high = sorted(means)[len(means) // 20], max(means)
    share = [(max(mean, low) - low) / ((high - low) or 1.0) for mean in means]
    return "".join(levels[round(s * (len(levels) - 1))] for s in share)


def rows(seen: Look, levels: str) -> list[tuple[str, str]]:
    """Everything about a run but its bar: name and text of each line."""
    out = [("status", seen.status)]
    for title, name in (("fitness", "fitness_mean"), ("validation", "validation_centroid")):
        values = [float(record[name]) for record in seen.records if name in record]
        if values:
            out.append((title, f"{curve(values, levels)}  {values[-1]:.4g}, best {max(values):.4g}"))
    if seen.seconds:
        out.append(("speed", f"{seen.lives / seen.seconds:,.0f} lives/s, {seen.seconds:.3g} s a generation, left {left(seen)}"))
    if seen.records:
        out.append(("health", health_line(health(seen.records))))
    if seen.checkpoint:
        out.append(("checkpoint", f"generation {seen.checkpoint[0]}, {_ago(seen.checkpoint[1])}"))
    if missing := gaps([record["generation"] for record in seen.records], seen.checkpoint[0] if seen.checkpoint else 0):
        out.append(("records", f"metrics.jsonl lacks {missing}"))
    return out


def left(seen: Look) -> str:
    """Time that the rest of the search takes at its pace."""
    remaining = max(0, seen.generations - seen.generation)
    return str(timedelta(seconds=round(remaining * (seen.seconds or 0.0))))


def line(seen: Look) -> str:
    """All of it in one line, for where there is no terminal."""
    last = seen.records[-1] if seen.records else {}
    parts = [f"{seen.path.name} generation {seen.generation}/{seen.generations}", told(last, seen.lives)]
    parts += [f"left {left(seen)}"] if seen.seconds and not seen.over else []
    parts += [f"health {health_line(health(seen.records))}"] if seen.records else []
    parts += [f"checkpoint {seen.checkpoint[0]}, {_ago(seen.checkpoint[1])}"] if seen.checkpoint else []
    return "  ".join(filter(None, [*parts, seen.status]))


def drawn(seen: Look, levels: str) -> RenderableType:
    """All of it for a terminal."""
    bar = Table.grid(padding=(0, 2))
    total = max(seen.generations, 1)
    bar.add_row(
        Text(seen.path.name, style="bold"),
        ProgressBar(total=total, completed=min(seen.generation, total), width=WIDTH),
        Text(f"{seen.generation}/{seen.generations} generations"),
    )
    table = Table.grid(padding=(0, 2))
    for name, text in rows(seen, levels):
        table.add_row(Text(name, style="dim"), Text(text))
    return Group(bar, table)


def watch(path: Path, *, once: bool = False, every: float = 2.0, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show a run until it is over; a terminal is drawn anew, elsewhere a line is printed when something is new.

    Args:
        path: of the run.
        once: a single look.
        every: seconds between looks.
        sleep: waits so long.

    Raises:
        RunError: if the run cannot be read.
    """
    console = Console()
    levels = "▁▂▃▄▅▆▇█" if (sys.stdout.encoding or "").lower().startswith("utf") else "_.-=*#"
    seen = look(path)
    if once or seen.over:
        console.print(drawn(seen, levels) if console.is_terminal else Text(line(seen)), soft_wrap=True)
        return
    shown = -1
    with Live(console=console, auto_refresh=False) if console.is_terminal else contextlib.nullcontext() as live:
        while True:
            if live is not None:
                live.update(drawn(seen, levels), refresh=True)
            elif seen.over or seen.generation != shown:
                console.print(Text(line(seen)), soft_wrap=True)
                shown = seen.generation
            if seen.over:
                return
            sleep(every)
            seen = look(path)
