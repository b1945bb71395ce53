"""The metrics of a run for TensorBoard, beside metrics.jsonl; needs the extra ``track``."""

import contextlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evodev.files import RunError, inside
from evodev.health import SIGNS
from evodev.runs import Run
from evodev.workflow import Watcher

FOLDER = "tensorboard"
INSTALLED = find_spec("tensorboardX") is not None
"""Whether the package is there."""
MISSING = "track: the package tensorboardX is not installed; pip install 'evodev-jax[track]'"


def refuse_untracked() -> None:
    """Stop before a search that could not be tracked.

    Raises:
        RunError: if the extra is not installed, naming it.
    """
    if not INSTALLED:
        raise RunError(MISSING)


@contextlib.contextmanager
def tracking(run: Run) -> Iterator[Watcher]:
    """Yields a watcher of :func:`evodev.workflow.search` that writes ``RUN/tensorboard``.

    It is drawn from metrics.jsonl: what a resumed search forgot is forgotten here too, and no step is there twice.
    """
    from tensorboardX import SummaryWriter

    writers: list[Any] = []

    def watch(engine: Any, state: Any, records: list[dict[str, Any]]) -> None:
        if not writers:
            folder = inside(run.path, FOLDER)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            writers.append(SummaryWriter(str(folder)))
            records = run.metrics()
        for record in records:
            for tag, value in scalars(record).items():
                writers[0].add_scalar(tag, value, record["generation"])
        writers[0].flush()

    try:
        yield watch
    finally:
        for writer in writers:
            writer.close()


def is_tracked(run: Path) -> bool:
    """Whether a run was tracked before."""
    return (run / FOLDER).is_dir()


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a record by tags that TensorBoard groups, such as ``fitness/mean``, ``health/flat`` and ``search/lives``."""

    def tag(name: str) -> str:
        group, _, rest = name.partition("_")
        if name in SIGNS:
            return f"health/{name}"
        return f"{group}/{rest}" if group in ("fitness", "validation") else f"search/{name}"

    return {tag(n): float(v) for n, v in record.items() if n != "generation" and isinstance(v, int | float)}
