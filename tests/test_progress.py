import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from evodev import progress
from evodev.files import RunError
from evodev.processes import LOCK, writer


def _record(generation: int, **more: Any) -> dict[str, Any]:
    return {"generation": generation, "fitness_mean": -2.0 + 0.1 * generation, "failed": 0.0, "seconds": 0.5, **more}


def _run(
    path: Path, records: list[dict[str, Any]] | None = None, *, tail: str = "", lock: str = "", champion: bool = False
) -> Path:
    """A run of 10 generations of 8 genomes in 4 lives, as its process would have left it."""
    path.mkdir()
    (path / "config.yaml").write_text(
        yaml.safe_dump({"schedule": {"generations": 10, "lives": 4}, "strategy": {"population": 8}})
    )
    if records is not None:
        (path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records) + tail)
    if lock:
        (path / LOCK).write_text(lock)
    if champion:
        (path / "champion.json").write_text("{}")
    return path


ME = f"process {os.getpid()} on {socket.gethostname()}"
FIVE = [_record(i, **({"validation_centroid": -1.0} if i == 5 else {})) for i in range(1, 6)]


@pytest.fixture(scope="module")
def nobody() -> str:
    """The lock of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"process {process.pid} on {socket.gethostname()}"


def test_a_search_that_runs_is_seen_with_its_pace_and_what_is_left(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", FIVE, lock=ME)
    for step in (2, 4):
        (run / "checkpoints" / str(step)).mkdir(parents=True)
    os.utime(run / "checkpoints" / "4", times=(time.time() - 65, time.time() - 65))
    seen = progress.look(run)
    assert (seen.generation, seen.generations, seen.lives, seen.seconds) == (5, 10, 32, 0.5)
    assert not seen.over
    said = progress.line(seen)
    for part in ("run generation 5/10", "fitness -1.500", "validation -1.000", "64 lives/s", "left 0:00:02", "health good"):
        assert part in said
    assert "checkpoint 4, 0:01:05 ago" in said
    assert "records" not in dict(progress.rows(seen, "ab"))
    assert f"running, {ME}, last record 0:00:0" in said


def test_records_that_are_lost_are_missed(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [*FIVE[:2], FIVE[4]], lock=ME)
    (run / "checkpoints" / "6").mkdir(parents=True)
    assert dict(progress.rows(progress.look(run), "ab"))["records"] == "metrics.jsonl lacks 3 of 6 generations: 3, 4, 6"


def test_one_look_at_what_is_not_started_torn_stopped_and_finished(
    tmp_path: Path, nobody: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ten = [_record(i) for i in range(1, 11)]
    cases = {
        "waiting": (_run(tmp_path / "waiting"), "generation 0/10  not started"),
        "compiling": (_run(tmp_path / "compiling", lock=ME), f"generation 0/10  running, {ME}, no generation yet"),
        "torn": (_run(tmp_path / "torn", FIVE, tail='{"generation": 6, "fit', lock=ME), "torn generation 5/10"),
        "stopped": (_run(tmp_path / "stopped", FIVE, lock=nobody), f"go on with: evodev resume {tmp_path / 'stopped'}"),
        "finished": (_run(tmp_path / "finished", ten, lock=nobody, champion=True), "finished generation 10/10"),
        "elsewhere": (_run(tmp_path / "elsewhere", FIVE, lock="process 7 on elsewhere"), "process 7 on elsewhere, last record"),
        "old": (_run(tmp_path / "old", FIVE), "nobody has written here, last record"),
        "longer": (_run(tmp_path / "longer", FIVE, lock=ME, champion=True), "running"),
    }
    for name, (path, expected) in cases.items():
        progress.watch(path, once=True)
        out = capsys.readouterr().out
        assert expected in out, name
        assert out.count("\n") == 1
    over = {name for name, (path, _) in cases.items() if progress.look(path).over}
    assert over == {"stopped", "finished"}


def test_watching_prints_what_is_new_until_the_search_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, slept = _run(tmp_path / "run", [], lock=ME), []
    blocks = iter([2, 2, 4, 10])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        upto = next(blocks)
        (run / "metrics.jsonl").write_text("".join(json.dumps(_record(i)) + "\n" for i in range(1, upto + 1)))
        if upto == 10:
            (run / "champion.json").write_text("{}")

    progress.watch(run, sleep=sleep)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("generation ")[1].split("/")[0] for line in lines] == ["0", "2", "4", "10"]
    assert "finished" in lines[-1]
    assert slept == [2.0] * 4
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    progress.watch(run)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before, "watching only reads"


def test_a_terminal_sees_bar_curve_and_health_and_names_are_no_markup(tmp_path: Path) -> None:
    from rich.console import Console

    run = _run(tmp_path / "[red]run", [*FIVE, _record(6, flat=1.0, failed=0.25)], lock=ME)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(progress.drawn(progress.look(run), "_.-=*#"))
    text = console.export_text()
    assert "[red]run" in text
    assert "6/10 generations" in text
    assert "_.-=*#" in text
    assert "failed 4.17%, flat 1 of 6 generations" in text


def test_a_curve_rises_from_low_to_high_and_a_failure_does_not_flatten_it() -> None:
    assert progress.curve([0.0, 1.0, 2.0], "abc") == "abc"
    assert progress.curve([3.0, 3.0], "abc") == "aa"
    assert progress.curve([], "abc") == ""
    long = progress.curve([-1e6, *range(479)], "abc")
    assert len(long) == progress.WIDTH
    assert (long[0], long[1], long[24], long[-1]) == ("a", "a", "b", "c")


def test_the_writer_of_a_run_is_told_with_whether_it_lives(tmp_path: Path, nobody: str) -> None:
    assert writer(tmp_path) is None
    for text, expected in {
        ME: (ME, True),
        nobody: (nobody, False),
        "gibberish": None,
        "process 7 on x": ("process 7 on x", None),
    }.items():
        (tmp_path / LOCK).write_text(text)
        assert writer(tmp_path) == expected


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    for text in ("a: [", "- 1", "schedule: {generations: many}"):
        (run / "config.yaml").write_text(text)
        with pytest.raises(RunError, match=r"config\.yaml cannot be read"):
            progress.look(run)


@pytest.mark.slow
def test_watching_takes_no_device() -> None:
    code = "import sys, evodev.progress; from jax._src import xla_bridge; sys.exit(bool(xla_bridge._backends))"
    environment = os.environ | {"PYTHONPATH": str(Path(progress.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=120).returncode == 0
