import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto import event_pb2

from evodev.runs import Run
from evodev.tracking import FOLDER, scalars, tracking
from tests.tiny import digits_experiment

Event: Any = vars(event_pb2)["Event"]  # protobuf makes its classes as it is imported


def _written(folder: Path) -> dict[tuple[str, int], float]:
    """Values of all event files by tag and step; none may be there twice."""
    out: dict[tuple[str, int], float] = {}
    for path in folder.glob("events.out.tfevents.*"):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]
            for value in event.summary.value:
                assert (value.tag, event.step) not in out
                out[value.tag, event.step] = value.simple_value
    return out


def _records(*generations: int) -> list[dict[str, Any]]:
    return [{"generation": i, "fitness_mean": -1.0 / i, "flat": 0.0, "lives": 8 * i} for i in generations]


def test_a_resumed_run_is_tracked_without_a_step_twice(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", digits_experiment())
    for kept, block in ((0, (1, 2)), (2, (3, 4)), (3, (4, 5))):  # the third goes on from a checkpoint before the second's end
        run.forget_after(kept)
        with tracking(run) as watch:
            seen: Any = watch
            for generation in block:
                records = _records(generation)
                run.append_metrics(records)
                seen(None, None, records)
    found = _written(run.path / FOLDER)
    assert {step for _, step in found} == {1, 2, 3, 4, 5}
    assert found["fitness/mean", 4] == pytest.approx(-0.25)
    assert {tag for tag, _ in found} == {"fitness/mean", "health/flat", "search/lives"}


def test_numbers_are_grouped_and_fronts_are_none() -> None:
    record = {"generation": 3, "validation_best": 1, "validation_failed": 0.5, "genome_norm": 2.0, "front": [{"aulc": 1.0}]}
    assert scalars(record) == {"validation/best": 1.0, "health/validation_failed": 0.5, "search/genome_norm": 2.0}
