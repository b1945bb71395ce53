"""One device, many devices, many processes: the same search. Every wait here ends: processes are killed at a deadline."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from evodev import devices, workflow
from evodev.experiment import to_plain
from evodev.processes import Interrupted
from evodev.runs import Run
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from tests.tiny import digits_experiment

GENERATIONS, BLOCK, STOPPED = 12, 2, 4
DEADLINE, PATIENCE = 480, 20
EXPERIMENT = digits_experiment(
    strategy=Strategy("Open_ES", 6), schedule=Schedule(GENERATIONS, lives=2, validation_lives=2, block=BLOCK, probes=2)
)
"""Six genomes on four devices: three of them on each pair, and to each of a pair one of the two lives."""

SLOWLY = """
import sys, time
from evodev import cli, devices
cli.prepare_jax()
devices.join()  # evosax uses jax as it is imported
devices.join = lambda: None
from evodev import runs, workflow
workflow.SECONDS_BETWEEN_CHECKPOINTS = 0
cli.conclude = lambda run: None  # comparing takes long and is tested elsewhere
append = runs.Run.append_metrics
def slowly(run, records):
    append(run, records)
    time.sleep(float(sys.argv[1]))
runs.Run.append_metrics = slowly
raise SystemExit(cli.main(sys.argv[2:]))
"""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, what it said, and how long after the other was stopped."""

    code: int
    said: str
    seconds: float


class Pair:
    """Two processes of two devices each on this machine, running one command."""

    def __init__(self, place: Path, *arguments: str, pause: float, patience: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        environment = os.environ | {
            "EVODEV_COORDINATOR": address,
            "EVODEV_PROCESSES": "2",
            "EVODEV_PATIENCE": str(patience),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "JAX_NUM_CPU_DEVICES": "2",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])),
        }
        self.logs = [place / f"log-{arguments[0]}-{number}" for number in (0, 1)]
        command = [sys.executable, "-c", SLOWLY, str(pause), *arguments]
        self.processes = [
            subprocess.Popen(
                command,
                cwd=place,
                env=environment | {"EVODEV_PROCESS": str(number)},
                stdout=log.open("w"),
                stderr=subprocess.STDOUT,
            )
            for number, log in enumerate(self.logs)
        ]

    def wait(self, ripe: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE
        while not ripe():
            assert time.monotonic() < until, self.said()
            assert all(process.poll() is None for process in self.processes), self.said()
            time.sleep(0.01)

    def end(self, number: int) -> Ended:
        began = time.monotonic()
        code = self.processes[number].wait(DEADLINE)
        return Ended(code, self.logs[number].read_text(), time.monotonic() - began)

    def said(self) -> str:
        return "\n".join(log.read_text()[-2000:] for log in self.logs)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(DEADLINE)


@contextmanager
def pair(place: Path, *arguments: str, pause: float = 0, patience: int = 60) -> Iterator[Pair]:
    both = Pair(place, *arguments, pause=pause, patience=patience)
    try:
        yield both
    finally:
        both.kill()


def _metrics(run: Path) -> list[dict[str, float]]:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def _assert_same_search(run: Path, wanted: Path) -> None:
    """The same records and champion to float32 rounding, carried through all generations."""
    assert [record["generation"] for record in _metrics(run)] == list(range(1, GENERATIONS + 1))
    for one, other in zip(_metrics(run), _metrics(wanted), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
    found, champion = (load_file(path / "champion.safetensors") for path in (run, wanted))
    for name in champion:
        np.testing.assert_allclose(found[name], champion[name], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def engine() -> Search:
    """The program of one process on four devices."""
    return EXPERIMENT.search()


@pytest.fixture(scope="module")
def whole(engine: Search, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by one process on four devices, never stopped."""
    run = Run.create(tmp_path_factory.mktemp("devices") / "whole", EXPERIMENT)
    workflow.search(run, engine=engine)
    return run.path


@dataclass(frozen=True)
class Broken:
    """A run of two processes of which one was killed: the survivor, what was left, and the run resumed by two again."""

    survivor: Ended
    left: int
    path: Path
    resumed: tuple[Ended, Ended]


@pytest.fixture(scope="module")
def broken(whole: Path) -> Broken:
    place = whole.parent
    (place / "tiny.yaml").write_text(yaml.safe_dump(to_plain(EXPERIMENT)))
    run = place / "broken"
    with pair(place, "search", "--config", "tiny.yaml", "--search-only", "--out", run.name, pause=0.3) as both:
        both.wait(lambda: len(_metrics(run)) >= STOPPED)
        both.processes[1].kill()
        survivor = both.end(0)
    left = len(_metrics(run))
    with pair(place, "resume", run.name) as both:
        resumed = both.end(0), both.end(1)
    return Broken(survivor, left, run, resumed)


def test_of_two_processes_the_survivor_says_soon_what_happened_and_how_to_go_on(broken: Broken) -> None:
    assert broken.survivor.code == 1, broken.survivor.said
    assert broken.survivor.seconds < 60
    last = broken.survivor.said.splitlines()[-1]
    assert last.startswith("evodev: another process of this run died or could not go on")
    assert last.endswith("go on with: evodev resume broken")
    assert STOPPED <= broken.left < GENERATIONS


def test_two_processes_resume_and_end_where_one_process_on_four_devices_ends(broken: Broken, whole: Path) -> None:
    assert [one.code for one in broken.resumed] == [0, 0], broken.resumed[0].said
    assert "2 processes, 4 devices" in broken.resumed[0].said
    _assert_same_search(broken.path, whole)


def test_only_the_first_process_prints_and_writes(broken: Broken) -> None:
    said = re.sub(r"(\[Gloo\])|Rank \d+ is connected to .*|\d+ is connected to .*", "", broken.resumed[1].said)
    assert "generation" not in said
    assert [record["generation"] for record in _metrics(broken.path)] == list(range(1, GENERATIONS + 1))


def test_a_run_of_four_devices_resumes_on_one(whole: Path, engine: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(whole.parent / "fewer", EXPERIMENT)

    def stop(searching: object, state: object, records: list[dict[str, float]]) -> None:
        if records[-1]["generation"] == STOPPED:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        workflow.search(run, engine=engine, watch=stop)
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
    workflow.search(run)
    _assert_same_search(run.path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "freezes"])
@pytest.mark.parametrize("who", [0, 1])
def test_a_process_without_the_other_ends_within_its_patience(broken: Broken, how: signal.Signals, who: int) -> None:
    """A connection that breaks is noticed at once, a process that answers no more after EVODEV_PATIENCE."""
    run = broken.path.parent / f"{how.name}-{who}"
    with pair(
        run.parent, "search", "--config", "tiny.yaml", "--search-only", "--out", run.name, pause=0.3, patience=PATIENCE
    ) as both:
        both.wait(lambda: len(_metrics(run)) >= BLOCK)
        both.processes[who].send_signal(how)
        survivor = both.end(1 - who)
    assert survivor.code in (1, -signal.SIGABRT), survivor.said
    assert survivor.seconds < 3 * PATIENCE
    assert re.search("another (process|task)|leader task", survivor.said)


@pytest.mark.slow
def test_one_process_that_is_asked_to_stop_stops_both_at_a_checkpoint(broken: Broken) -> None:
    run = broken.path.parent / "interrupted"
    with pair(run.parent, "search", "--config", "tiny.yaml", "--search-only", "--out", run.name, pause=0.3) as both:
        both.wait(lambda: len(_metrics(run)) >= BLOCK)
        both.processes[1].send_signal(signal.SIGINT)
        ends = both.end(0), both.end(1)
    assert [one.code for one in ends] == [130, 130], ends[0].said
    assert "stopped and checkpointed; go on with: evodev resume interrupted" in ends[0].said
    assert len(_metrics(run)) == max(int(p.name) for p in (run / "checkpoints").iterdir() if p.name.isdigit()) < GENERATIONS


@pytest.mark.slow
def test_what_the_first_process_cannot_do_ends_the_other_too(broken: Broken) -> None:
    with pair(broken.path.parent, "search", "--config", "tiny.yaml", "--out", broken.path.name) as both:
        first, second = both.end(0), both.end(1)
    assert first.code == 2
    assert "broken exists already" in first.said.splitlines()[-1]
    assert second.code != 0
    assert second.seconds < 2 * PATIENCE


# what needs no second process


@pytest.mark.parametrize(
    ("devices_and_work", "shares"),
    [
        ((1, 64, 4), (1, 1)),
        ((4, 64, 4), (4, 1)),  # 16 x 4 lives each, as are 32 x 2: whole subjects come first
        ((4, 1, 64), (1, 4)),
        ((4, 2, 64), (2, 2)),
        ((4, 6, 2), (2, 2)),  # 3 x 1 rather than 2 x 2
        ((8, 4, 3), (4, 2)),  # 1 x 2 rather than 1 x 3
        ((6, 5, 4), (6, 1)),
    ],
)
def test_the_population_is_divided_first_and_lives_where_it_does_not_fill_the_devices(
    devices_and_work: tuple[int, int, int], shares: tuple[int, int]
) -> None:
    assert devices.division(*devices_and_work) == shares


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"EVODEV_COORDINATOR": "here:1234"}, "EVODEV_PROCESSES: missing"),
        ({"EVODEV_COORDINATOR": "here", "EVODEV_PROCESSES": "2", "EVODEV_PROCESS": "0"}, "expected host:port, given 'here'"),
        ({"EVODEV_COORDINATOR": "here:1", "EVODEV_PROCESSES": "2", "EVODEV_PROCESS": "2"}, "EVODEV_PROCESS: 2 of 2"),
        (
            {"EVODEV_COORDINATOR": "here:1", "EVODEV_PROCESSES": "two", "EVODEV_PROCESS": "0"},
            "EVODEV_PROCESSES: expected a whole",
        ),
        ({"EVODEV_DISTRIBUTED": "yes"}, "only 'auto' is known"),
        ({"EVODEV_DISTRIBUTED": "auto", "EVODEV_PATIENCE": "0"}, "EVODEV_PATIENCE: expected a whole number of at least 1"),
    ],
)
def test_a_wrong_environment_is_named(environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        devices.join()


def test_a_lone_process_joins_nobody_and_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*devices.ADDRESS, "EVODEV_DISTRIBUTED"):
        monkeypatch.delenv(name, raising=False)
    devices.join()
    assert devices.leads()
    assert not devices.together()
    assert [devices.anyone(flag) for flag in (False, True)] == [False, True]
    assert devices.shared_text("größer") == "größer"
