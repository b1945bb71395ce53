"""Real processes: whatever stops a search, resuming it ends where one that was never stopped ends."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from evodev.experiment import to_plain
from evodev.files import RunError
from evodev.processes import only_writer
from evodev.runs import load_champion
from evodev.search import Schedule
from tests.tiny import digits_experiment

GENERATIONS, BLOCK = 56, 2
TIMEOUT = 300

SERVER = """
import json, os, sys, time
import jax, flax, optax, orbax.checkpoint, rich.progress, tyro
assert len(os.listdir("/proc/self/task")) == 1 if os.path.isdir("/proc/self/task") else True, "only a lone thread may fork"

def evodev(arguments, errors, between, slowly):
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from evodev import cli
    cli.prepare_jax()  # evosax uses jax as it is imported, and devices cannot be counted anew after that
    from evodev import runs, workflow
    workflow.SECONDS_BETWEEN_CHECKPOINTS = between
    cli.conclude = lambda run: None  # comparing takes long and is tested elsewhere
    append = runs.Run.append_metrics
    def slowed(run, records):
        append(run, records)
        time.sleep(slowly)  # or a search as small as this is over before it can be stopped
    runs.Run.append_metrics = slowed
    return cli.main(arguments)

for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 1
        try:
            code = evodev(**json.loads(line))
        finally:
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Forks a process for each command: all that takes long to import is there already, and jax has not yet been used."""


@dataclass(frozen=True)
class Stopped:
    """A run as it was found after its process had ended, what a second writer was told, and what the next process said."""

    code: int
    process: int
    errors: str
    generations: int
    checkpoint: int
    champion: bool
    refused: str
    resumed: str = ""


@dataclass(frozen=True)
class Case:
    """Least seconds between checkpoints, when the search is stopped, and by what."""

    between: float
    ripe: Callable[[Path], bool]
    by: signal.Signals


def _generations(run: Path) -> list[int]:
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line)["generation"])
        except json.JSONDecodeError:  # being written
            break
    return found


def _checkpoints(run: Path) -> list[int]:
    folder = run / "checkpoints"
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit()) if folder.is_dir() else []


CASES = {
    "killed early": Case(99, lambda run: len(_generations(run)) >= BLOCK, signal.SIGKILL),
    "killed between checkpoints": Case(0, lambda run: max(_checkpoints(run), default=0) >= 4 * BLOCK, signal.SIGKILL),
    "interrupted": Case(99, lambda run: len(_generations(run)) >= 8 * BLOCK, signal.SIGINT),
    "terminated": Case(99, lambda run: len(_generations(run)) >= 14 * BLOCK, signal.SIGTERM),
}
"""One after the other on one run: each goes on where the one before was stopped."""

CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 0}


@dataclass(frozen=True)
class Server:
    """A place with a configuration in it, and :data:`SERVER` at work there."""

    place: Path
    process: subprocess.Popen[str]

    def start(self, *arguments: str, between: float = 99, slowly: float = 0.05) -> int:
        """Start a command; the id of its process."""
        order = {"arguments": arguments, "errors": str(self.place / "errors"), "between": between, "slowly": slowly}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._said()

    def end(self) -> tuple[int, str]:
        """Exit code and stderr of the command, once it has ended."""
        return self._said(), (self.place / "errors").read_text()

    def _said(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())


SEARCH = ("search", "--config", "tiny.yaml", "--search-only", "--out")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("processes")
    schedule = Schedule(GENERATIONS, lives=2, validation_lives=4, block=BLOCK, probes=2)
    (place / "tiny.yaml").write_text(yaml.safe_dump(to_plain(digits_experiment(schedule=schedule))))
    environment = os.environ | {
        "EVODEV_CACHE": str(place / "cache"),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(
        command, cwd=place, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Server(place, process)
        process.kill()


@pytest.fixture(scope="module")
def never_stopped(server: Server) -> Path:
    server.start(*SEARCH, "whole", slowly=0)
    code, errors = server.end()
    assert code == 0, errors
    return server.place / "whole"


def _wait(process: int, ripe: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT
    with contextlib.suppress(ProcessLookupError):
        while not ripe() and time.monotonic() < until:
            os.kill(process, 0)
            time.sleep(0.002)


def _second_writer(run: Path) -> str:
    """What somebody is told who wants to write to a run too."""
    try:
        with only_writer(run):
            return ""
    except RunError as error:
        return str(error)


@pytest.fixture(scope="module")
def stopped(server: Server, never_stopped: Path) -> dict[str, Stopped]:
    """All cases, one after the other, and the run that is then at its end."""
    run = server.place / "stopped"
    found: dict[str, Stopped] = {}
    said = []
    for name, case in CASES.items():
        process = server.start(*(("resume",) if found else SEARCH), "stopped", between=case.between)
        _wait(process, lambda case=case: case.ripe(run))
        refused = _second_writer(run)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, case.by)
        code, errors = server.end()
        said.append(errors)
        assert not _second_writer(run), "the lock is gone with its process"
        checkpoint, champion = max(_checkpoints(run), default=0), (run / "champion.json").exists()
        found[name] = Stopped(code, process, errors, len(_generations(run)), checkpoint, champion, refused)
    server.start("resume", "stopped", slowly=0)
    code, errors = server.end()
    assert code == 0, errors
    return {
        name: Stopped(**{**vars(one), "resumed": resumed})
        for (name, one), resumed in zip(found.items(), [*said[1:], errors], strict=True)
    }


def _metrics(run: Path) -> list[dict[str, float]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


def _assert_same_search(run: Path, wanted: Path) -> None:
    assert _metrics(run) == _metrics(wanted)
    for name in ("champion.safetensors", "champion.json"):
        assert (run / name).read_bytes() == (wanted / name).read_bytes()
    assert not [path for path in run.rglob("*") if "partial" in path.name or "tmp" in path.name]


@pytest.mark.parametrize("case", CASES)
def test_it_was_stopped_halfway(case: str, stopped: dict[str, Stopped]) -> None:
    one = stopped[case]
    assert one.code == CODES[CASES[case].by], one.errors
    assert 0 < one.generations < GENERATIONS
    assert not one.champion


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_from_its_newest_checkpoint(case: str, stopped: dict[str, Stopped]) -> None:
    one = stopped[case]
    assert f"generation {one.checkpoint + BLOCK}/{GENERATIONS}" in one.resumed.splitlines()[0]
    assert "warning" not in one.resumed
    assert (one.checkpoint > 0) == (case != "killed early")


@pytest.mark.parametrize("case", CASES)
def test_nobody_else_writes_there_meanwhile(case: str, stopped: dict[str, Stopped]) -> None:
    who = f"run: process {stopped[case].process} on .+ is writing to .+/stopped; wait until it has ended, or stop it"
    assert re.fullmatch(who, stopped[case].refused)


def test_it_ends_where_one_that_was_never_stopped_ends(server: Server, stopped: dict[str, Stopped], never_stopped: Path) -> None:
    run = server.place / "stopped"
    assert [record["generation"] for record in _metrics(never_stopped)] == list(range(1, GENERATIONS + 1))
    _assert_same_search(run, never_stopped)
    assert load_champion(run).experiment == digits_experiment(schedule=load_champion(run).experiment.schedule)


@pytest.mark.parametrize("case", ["interrupted", "terminated"])
def test_an_interruption_is_checkpointed_and_says_how_to_go_on(case: str, stopped: dict[str, Stopped]) -> None:
    one = stopped[case]
    assert one.checkpoint == one.generations
    assert one.errors.splitlines()[-1] == "stopped and checkpointed; go on with: evodev resume stopped"
    assert "Traceback" not in one.errors


@pytest.mark.slow
def test_it_may_be_killed_at_any_moment(server: Server, never_stopped: Path) -> None:
    """EVODEV_KILLS kills (50) at moments drawn from EVODEV_KILL_SEED, spread over start, search and checkpoints.

    A run is killed and resumed until it reaches its end, and must then be the run that was never stopped; then the next.
    """
    kills, seed = int(os.environ.get("EVODEV_KILLS", "50")), int(os.environ.get("EVODEV_KILL_SEED", "0"))
    moments, wanted = random.Random(seed), _metrics(never_stopped)
    began = time.monotonic()
    server.start(*SEARCH, "unhurried", between=0)
    assert server.end()[0] == 0
    whole = time.monotonic() - began
    struck = {"before the search": 0, "in the search": 0, "in a checkpoint": 0}
    runs = 0
    while sum(struck.values()) < kills:
        runs += 1
        run, code = server.place / f"killed-{runs}", -1
        while code:
            arguments = ("resume", run.name) if run.exists() else (*SEARCH, run.name)
            done = len(_generations(run))
            process = server.start(*arguments, between=0)
            if sum(struck.values()) < kills:
                until = time.monotonic() + moments.uniform(0.0, whole)
                _wait(process, lambda until=until: time.monotonic() > until)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            code, errors = server.end()
            assert code in (0, -signal.SIGKILL), errors
            assert "Traceback" not in errors
            if code:
                writing = [p for p in run.glob("checkpoints/*") if "tmp" in p.name]
                searched = len(_generations(run)) != done or f"/{GENERATIONS}" in errors
                struck["in a checkpoint" if writing else "in the search" if searched else "before the search"] += 1
                found = _generations(run)
                assert _metrics_of(run, len(found)) == wanted[: len(found)]
        _assert_same_search(run, never_stopped)
    print(f"seed {seed}: {sum(struck.values())} kills in {runs} runs: {struck}")


def _metrics_of(run: Path, whole: int) -> list[dict[str, float]]:
    """The first lines of a killed run's metrics, which are whole."""
    lines = (run / "metrics.jsonl").read_text().splitlines()[:whole] if whole else []
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]
