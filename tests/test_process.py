"""Real processes: whatever stops a search, resuming it ends where one that was never stopped ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from evodev.experiment import to_plain
from evodev.runs import load_champion
from evodev.search import Schedule
from tests.tiny import digits_experiment

GENERATIONS, BLOCK = 80, 2
TIMEOUT = 300

RESUME = """
import sys
from evodev import cli
cli.conclude = lambda run: None  # comparing takes long and is tested elsewhere
for run in sys.argv[1:]:
    print(f"resume {run}", file=sys.stderr, flush=True)
    code = cli.main(["resume", run])
    if code:
        sys.exit(code)
"""

SLOWLY = """
import sys, time
from evodev import cli
cli.prepare_jax()  # evosax uses jax as it is imported, and devices cannot be counted anew after that
from evodev import runs, workflow
workflow.SECONDS_BETWEEN_CHECKPOINTS = float(sys.argv.pop(1))
append = runs.Run.append_metrics
def slowly(run, records):
    append(run, records)
    time.sleep(0.05)  # or a search as small as this is over before it can be stopped
runs.Run.append_metrics = slowly
raise SystemExit(cli.main())
"""


@dataclass(frozen=True)
class Stopped:
    """A run as it was found after its process had ended, and after it was resumed."""

    path: Path
    code: int
    errors: str
    generations: int
    checkpoint: int
    champion: bool
    resumed: str


@dataclass(frozen=True)
class Case:
    """Least seconds between checkpoints, when the search is stopped, and by what."""

    seconds: int
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
    "killed early": Case(5, lambda run: len(_generations(run)) >= BLOCK, signal.SIGKILL),
    "killed between checkpoints": Case(0, lambda run: max(_checkpoints(run), default=0) >= 5 * BLOCK, signal.SIGKILL),
    "interrupted": Case(5, lambda run: len(_generations(run)) >= 10 * BLOCK, signal.SIGINT),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("processes")
    schedule = Schedule(GENERATIONS, lives=2, validation_lives=4, block=BLOCK, probes=2)
    (place / "tiny.yaml").write_text(yaml.safe_dump(to_plain(digits_experiment(schedule=schedule))))
    return place


def _start(place: Path, python: list[str], *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "EVODEV_CACHE": str(place / "cache"),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])),
    }
    return subprocess.Popen(
        [sys.executable, *python, *arguments],
        cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _search(place: Path, python: list[str], run: Path) -> subprocess.Popen[str]:
    return _start(place, python, "search", "--config", "tiny.yaml", "--search-only", "--out", run.name)


def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, errors = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    return process.returncode, errors


def _wait(process: subprocess.Popen[str], ripe: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT
    while not ripe() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


@pytest.fixture(scope="module")
def never_stopped(place: Path) -> Path:
    code, errors = _end(_search(place, ["-m", "evodev.cli"], place / "whole"))
    assert code == 0, errors
    return place / "whole"


@pytest.fixture(scope="module")
def stopped(place: Path, never_stopped: Path) -> dict[str, Stopped]:
    """All cases, searched and stopped one after the other, then resumed in one process."""
    runs = {name: place / name.replace(" ", "-") for name in CASES}
    found: dict[str, Stopped] = {}
    for name, case in CASES.items():
        run = runs[name]
        process = _search(place, ["-c", SLOWLY, str(case.seconds)], run)
        _wait(process, lambda case=case, run=run: case.ripe(run))
        process.send_signal(case.by)
        code, errors = _end(process)
        found[name] = Stopped(
            run, code, errors, len(_generations(run)), max(_checkpoints(run), default=0), (run / "champion.json").exists(), ""
        )
    code, errors = _end(_start(place, ["-c", RESUME], *(run.name for run in runs.values())))
    assert code == 0, errors
    said = dict(part.split("\n", 1) for part in errors.split("resume ")[1:])
    return {name: Stopped(**{**vars(one), "resumed": said[one.path.name]}) for name, one in found.items()}


def _metrics(run: Path) -> list[dict[str, float]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


@pytest.mark.parametrize("case", CASES)
def test_it_was_stopped_halfway(case: str, stopped: dict[str, Stopped]) -> None:
    one = stopped[case]
    assert one.code == (130 if CASES[case].by == signal.SIGINT else -signal.SIGKILL), one.errors
    assert 0 < one.generations < GENERATIONS
    assert not one.champion


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_from_its_newest_checkpoint(case: str, stopped: dict[str, Stopped]) -> None:
    one = stopped[case]
    assert f"generation {one.checkpoint + BLOCK}/{GENERATIONS}" in one.resumed.splitlines()[0]
    assert "warning" not in one.resumed
    if case != "killed early":
        assert one.checkpoint > 0


@pytest.mark.parametrize("case", CASES)
def test_it_ends_where_one_that_was_never_stopped_ends(case: str, stopped: dict[str, Stopped], never_stopped: Path) -> None:
    run = stopped[case].path
    wanted = _metrics(never_stopped)
    assert [record["generation"] for record in wanted] == list(range(1, GENERATIONS + 1))
    assert _metrics(run) == wanted
    assert (run / "champion.safetensors").read_bytes() == (never_stopped / "champion.safetensors").read_bytes()
    assert (run / "champion.json").read_bytes() == (never_stopped / "champion.json").read_bytes()
    assert load_champion(run).experiment == digits_experiment(schedule=load_champion(run).experiment.schedule)
    assert not [path for path in run.rglob("*") if "partial" in path.name]


def test_an_interruption_is_checkpointed_and_says_how_to_go_on(stopped: dict[str, Stopped]) -> None:
    one = stopped["interrupted"]
    assert one.code == 130
    assert one.checkpoint == one.generations
    assert one.errors.splitlines()[-1] == "stopped and checkpointed; go on with: evodev resume interrupted"
    assert "Traceback" not in one.errors
