"""The launchers: their help, what a dry run says, and what they do with an `evodev` that only writes down what it is asked."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
LAUNCHERS = sorted(path.name for path in SCRIPTS.glob("*.sh") if path.name != "common.sh")
AWKWARD = "it's 50% $HOME, isn't it"
"""A name that only survives where every word is quoted."""

DRY = {
    "local.sh": ["--dry-run", "--processes", "3", "--devices", "2", "--port", "4321", "search", "--out", AWKWARD],
    "slurm_array.sh": ["--dry-run", "--seeds", "3-5", "--at-once", "2", "--sbatch", "--gpus=1", "sine", "--name", AWKWARD],
    "slurm_nodes.sh": ["--dry-run", "--nodes", "4", "search", "--out", AWKWARD],
    "sweep.sh": ["--dry-run", "--seeds", "0 1", "--presets", "sine cartpole", "--vary", "--learner a b c", "--out", AWKWARD],
    "tpu_pod.sh": ["--dry-run", "--name", "pod", "--zone", "here", "search", "--out", AWKWARD],
}

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


def _launch(name: str, *arguments: str, place: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPTS / name), *arguments],
        cwd=place, env=os.environ | environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an `evodev` that appends its arguments, a line a call, to `asked`; BODY is what else it does."""
    stub = tmp_path / "bin" / "evodev"
    stub.parent.mkdir()
    # one write a call: several processes append at the same time
    stub.write_text('#!/usr/bin/env bash\nprintf -v line "%q " "$@"; echo "$line" >> asked\neval "$BODY"\n')
    stub.chmod(0o755)
    return tmp_path


def _path(place: Path) -> str:
    return f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"


def _asked(place: Path) -> list[list[str]]:
    """What the stub was asked. Bash's %q is read back by bash."""
    quoted = (place / "asked").read_text().splitlines()
    return [_words(line) for line in quoted]


def _words(line: str) -> list[str]:
    out = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, timeout=10, check=True)
    return out.stdout.split("\0")[:-1]


def test_shellcheck_finds_nothing() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is of the extra dev")
    done = subprocess.run([shellcheck, "-x", *map(str, SCRIPTS.glob("*.sh"))], cwd=SCRIPTS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_shows_the_usage(name: str) -> None:
    done = _launch(name, "--help")
    assert done.returncode == 0
    assert f"scripts/{name}" in done.stdout
    assert "--dry-run" in done.stdout
    assert "set -euo" not in done.stdout


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_dry_run_shows_what_would_be_run_and_runs_nothing(name: str, place: Path) -> None:
    done = _launch(name, *DRY[name], place=place, PATH=_path(place))
    assert done.returncode == 0, done.stderr
    assert "evodev" in done.stdout
    assert AWKWARD in done.stdout.replace("\\", "")
    assert sorted(path.name for path in place.iterdir()) == ["bin"]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("local.sh", ["compare", "run"], "expected search or resume"),
        ("local.sh", ["--processes", "none", "search"], "--processes: expected a whole number"),
        ("slurm_array.sh", ["--seeds", "3"], "--seeds: expected FIRST-LAST"),
        ("slurm_array.sh", ["--seeds", "0-3", "sine", "--seed", "4"], "--seed: the array sets it"),
        ("slurm_nodes.sh", ["--nodes"], "--nodes: needs a value"),
        ("tpu_pod.sh", ["--zone", "here", "search"], "--name: missing"),
        ("sweep.sh", ["--vary", "--learner"], "--vary: expected an option and its values"),
        ("sweep.sh", ["--generations", "3"], "no option --generations"),
    ],
)
def test_a_wrong_option_is_one_line(name: str, arguments: list[str], message: str) -> None:
    done = _launch(name, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_local_processes_are_told_who_they_are() -> None:
    lines = [_words(line) for line in _launch("local.sh", *DRY["local.sh"]).stdout.splitlines()]
    assert [line[-3:] for line in lines] == [["search", "--out", AWKWARD]] * 3
    told = [dict(word.split("=", 1) for word in line if "=" in word) for line in lines]
    assert [t["EVODEV_PROCESS"] for t in told] == ["0", "1", "2"]
    assert {t["EVODEV_COORDINATOR"] for t in told} == {"127.0.0.1:4321"}
    assert [t["JAX_LOCAL_DEVICE_IDS"] for t in told] == ["0,1", "2,3", "4,5"]


def test_when_a_local_process_dies_the_others_are_stopped_and_the_way_on_is_said(place: Path) -> None:
    body = 'if [ "$EVODEV_PROCESS" = 1 ]; then echo last words >&2; exit 9; fi; exec sleep 50'
    began = time.monotonic()
    done = _launch("local.sh", "--processes", "3", "search", "--out", "runs/big", place=place, PATH=_path(place), BODY=body)
    assert time.monotonic() - began < 40
    assert done.returncode == 9
    assert "process 1 ended with 9; stopping the others" in done.stderr
    assert "last words" in done.stderr
    assert "go on with: evodev resume runs/big" in done.stderr.splitlines()[-1]


def test_local_processes_that_end_well_are_a_success(place: Path) -> None:
    done = _launch("local.sh", "search", "--out", AWKWARD, place=place, PATH=_path(place), BODY="exit 0")
    assert (done.returncode, done.stderr) == (0, "")
    assert _asked(place) == [["search", "--out", AWKWARD]] * 2


def test_an_array_job_searches_a_seed_then_resumes_it_then_leaves_it_alone(place: Path) -> None:
    arguments = ["--dry-run", "--seeds", "3-5", "--out", AWKWARD, "sine", "--name", AWKWARD]
    job = _launch("slurm_array.sh", *arguments).stdout.split("\n", 1)[1]
    requeue = place / "bin" / "scontrol"
    requeue.write_text('#!/usr/bin/env bash\nprintf "%s " "$@" >> requeued\n')
    requeue.chmod(0o755)
    run = place / AWKWARD / "seed-4"

    def submit(body: str) -> int:
        environment = os.environ | {"PATH": _path(place), "BODY": body, "SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_JOB_ID": "77"}
        return subprocess.run(["bash", "-c", job], cwd=place, env=environment, timeout=30, check=False).returncode

    assert submit(f"mkdir -p {shlex.quote(str(run))}; touch {shlex.quote(str(run / 'config.yaml'))}; exit 130") == 130
    assert (place / "requeued").read_text() == "requeue 77_4 "
    assert submit(f"touch {shlex.quote(str(run / 'comparison.json'))}") == 0
    assert submit("exit 1") == 0
    relative = f"{AWKWARD}/seed-4"
    assert _asked(place) == [["search", "sine", "--name", AWKWARD, "--seed", "4", "--out", relative], ["resume", relative]]
    assert (place / "requeued").read_text() == "requeue 77_4 "


def test_a_node_learns_its_number_from_slurm(place: Path) -> None:
    job = _launch("slurm_nodes.sh", "--dry-run", "--nodes", "2", "search", "--out", AWKWARD).stdout.split("\n", 1)[1]
    for name, body in {"scontrol": "echo node7; echo node8", "srun": 'shift; export SLURM_PROCID=1; exec "$@"'}.items():
        (place / "bin" / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (place / "bin" / name).chmod(0o755)
    environment = os.environ | {
        "PATH": _path(place),
        "SLURM_JOB_ID": "30007",
        "SLURM_NNODES": "2",
        "SLURM_JOB_NODELIST": "node[7-8]",
    }
    environment |= {"BODY": 'echo "$EVODEV_COORDINATOR $EVODEV_PROCESSES $EVODEV_PROCESS"'}
    done = subprocess.run(["bash", "-c", job], cwd=place, env=environment, capture_output=True, text=True, timeout=30)
    assert done.stdout == "node7:30007 2 1\n", done.stderr
    assert _asked(place) == [["search", "--out", AWKWARD]]


def test_a_sweep_skips_what_is_finished_resumes_what_is_not_and_names_what_failed(place: Path) -> None:
    arguments = ["--seeds", "0 1", "--vary", "--a.b 1 2", "--out", "all", "--", "--name", AWKWARD]
    base = place / "all"
    finished, begun = base / "few-shot-digits,a.b=1" / "seed-0", base / "few-shot-digits,a.b=1" / "seed-1"
    for folder, file in ((finished, "comparison.json"), (begun, "config.yaml")):
        folder.mkdir(parents=True)
        (folder / file).touch()
    body = 'case " $* " in *"--a.b 2"*"--seed 0"*) exit 3 ;; esac'
    done = _launch("sweep.sh", *arguments, place=place, PATH=_path(place), BODY=body)
    assert done.returncode == 1
    other = "all/few-shot-digits,a.b=2"
    search = ["search", "few-shot-digits", "--a.b", "2", "--name", AWKWARD]
    assert _asked(place) == [
        ["resume", "all/few-shot-digits,a.b=1/seed-1"],
        [*search, "--seed", "0", "--out", f"{other}/seed-0"],
        [*search, "--seed", "1", "--out", f"{other}/seed-1"],
    ]
    assert f"not finished: {other}/seed-0" in done.stderr
    assert f"not finished: {other}/seed-1" not in done.stderr


def test_a_sweep_that_is_interrupted_ends(place: Path) -> None:
    done = _launch("sweep.sh", "--seeds", "0 1 2", "--out", "all", place=place, PATH=_path(place), BODY="exit 130")
    assert done.returncode == 1
    assert len(_asked(place)) == 1
