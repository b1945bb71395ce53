import json
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from evodev import cli, exports, workflow
from evodev.baselines import BASELINES
from evodev.decoders import CELLS, DECODERS, REFINEMENTS, SPARSITIES, WIRINGS, Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Threshold
from evodev.decoders.wiring.direct import Direct
from evodev.experiment import to_plain
from evodev.learners import LEARNERS
from evodev.presets import PRESETS
from evodev.processes import LOCK, Interrupted
from evodev.rerun import Unequal, Verdict
from evodev.runs import Run, load_experiment
from evodev.strategies import STRATEGIES
from evodev.tasks import TASKS
from tests.tiny import digits_experiment

Files = dict[str, bytes | None]
Refused = Callable[[str], str]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current directory with configuration files beside, and jax as conftest.py has set it up."""
    monkeypatch.setattr(cli, "prepare_jax", lambda: None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def _files(folder: Path) -> Files:
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.name != LOCK}
    return {name: p.read_bytes() if p.is_file() else None for name, p in found.items()}


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Refused:
    """Runs a command that must fail as bad input does; returns the line on stderr."""

    def call(command: str) -> str:
        before = _files(tmp_path)
        caplog.clear()
        code = cli.main(shlex.split(command))
        out, err = capsys.readouterr()
        assert code == 2
        assert re.fullmatch(r"evodev: [^\n]+\n", err), err
        assert out == ""
        assert _files(tmp_path) == before
        # outside pytest these would be lines on stderr too
        assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
        return err.strip()

    return call


def test_a_search_too_large_for_the_machine_is_refused_before_a_run_is_made(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evodev.memory.free_bytes", lambda: 1000)
    _config("tiny.yaml")
    line = refused("search --config tiny.yaml --strategy.population 1000")
    assert "1,000 genomes" in line
    assert "lower strategy.population" in line


def _config(name: str, change: Callable[[dict[str, Any]], Any] = lambda data: None) -> None:
    """A configuration file that differs from the tiny experiment's by one change."""
    data = json.loads(json.dumps(to_plain(digits_experiment())))
    change(data)
    Path(name).write_text(yaml.safe_dump(data, sort_keys=False))


NAMES = {
    "serch": "did you mean 'search'?",
    "search sinus": "did you mean 'sine'?",
    "search few-shot-digit": "did you mean 'few-shot-digits'?",
    "search --decoder retinotopc": "decoder: unknown name 'retinotopc'; did you mean 'retinotopic'?",
    "search --learner=hebian": "did you mean 'hebbian'?",
    "search --strategy.name SNE": "did you mean 'SNES'?",
}


@pytest.mark.parametrize("command", NAMES)
def test_an_unknown_name_names_the_nearest(command: str, refused: Refused) -> None:
    assert NAMES[command] in refused(command)


VALUES = {
    "search --task.ways 99": "task: ways must be from 2 to",
    "search --strategy.population 0": "strategy: population must be even and at least 4, given 0",
    "search --strategy.population 7": "given 7",
    "search --strategy.sigma nan": "strategy: sigma must be positive",
    "search --schedule.lives 0": "schedule: lives must be at least 1",
    "search --generations 0": "schedule: generations must be at least 1",
    "search --seeds 0": "seeds: must be at least 1",
    "search --seed -1": "evodev: seed: at least 0, given -1",
    "search --comparison.bootstrap 1": "comparison: bootstrap",
    "search --decoder.sparsity.fraction nan": "sparsity: fraction must be in (0, 1]",
    "search --learner gradient --learner.loss squared_error": "use cross_entropy",
    "search --substrate.populations.1.activation sofplus": "softplus",
    "search --substrate.projections.0.pre nobody": "substrate: projection nobody->",
    "search --schedule.lives many": "evodev: --schedule.lives: expected INT, given 'many'",
    "search --generations x": "evodev: --generations: expected INT, given 'x'",
    "search --generations": "evodev: --generations: expected a value",
    "search --form zap": "evodev: --form: expected one of 'auto', 'dense', 'gather', 'block', given 'zap'",
    "search --xyzzy 3": "evodev: --xyzzy: no such option; see evodev search [PRESET] --help",
    "search --config": "--config: expected a value",
    "search --decoder": "--decoder: expected a value",
    "search --learner": "--learner: expected a value",
    "search few-shot-digits sine": "sine",
    "search sine --config x.yaml": "not both",
    "resume": "resume: expected one run directory, given 0",
    "resume a b": "given 2",
    "compare": "compare: expected run directories, given 0",
    "report --quick a": "report: no option --quick",
    "grow": "grow: expected one run directory",
    "grow a --out": "--out: expected a value",
    "list --jsn": "list: no argument '--jsn'",
    "rerun": "rerun: expected one run directory, given 0",
    "rerun a --once": "rerun: no option --once",
    "watch a b": "watch: expected one run directory, given 2",
    "watch --forever a": "watch: no option --forever",
}


@pytest.mark.parametrize("command", VALUES)
def test_a_wrong_value_is_named(command: str, refused: Refused) -> None:
    assert VALUES[command] in refused(command)


def test_a_fraction_that_disconnects_holds_the_remedy_and_the_remedy_works(refused: Refused) -> None:
    line = refused("search --decoder.sparsity.fraction 0.0001")
    remedy = re.search(r"use at least (0\.\d+)$", line)
    assert remedy
    _, experiment, _ = cli.experiment_from(["--decoder.sparsity.fraction", remedy[1]])
    assert experiment.decoder.sparsity.fraction == float(remedy[1])


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("--generation 3", "--generations"),
        ("--shcedule.lives 3", "--schedule.lives"),
        ("--strategy.popultion 8", "--strategy.population"),
        ("--task.way 3", "--task.ways"),
        ("--search-onl", "--search-only"),
    ],
)
def test_an_unknown_flag_suggests_the_right_one(typed: str, right: str, refused: Refused) -> None:
    line = refused(f"search {typed}")
    assert line == f"evodev: {typed.split()[0]}: no such option; did you mean {right}?"


CONFIGS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "unknown field": (lambda d: d["schedule"].update(generatons=4), "unknown name 'generatons'; did you mean 'generations'?"),
    "unknown part": (lambda d: d.update(lerner="gradient"), "did you mean 'learner'?"),
    "unknown kind": (lambda d: d["task"].update(kind="few_shot_digit"), "did you mean 'few-shot-digits'?"),
    "unknown decoder": (lambda d: d.update(decoder="retinotopc"), "did you mean 'retinotopic'?"),
    "no kind": (lambda d: d["task"].pop("kind"), "config.task: needs a kind"),
    "wrong type": (lambda d: d["schedule"].update(generations="many"), "config.schedule.generations: expected int, given 'many'"),
    "float for int": (lambda d: d["schedule"].update(lives=2.5), "config.schedule.lives: expected int, given 2.5"),
    "no list": (lambda d: d["substrate"].update(populations=7), "config.substrate.populations: expected a list"),
    "no mapping": (lambda d: d.update(schedule=None), "config.schedule: expected a mapping"),
    "missing": (lambda d: d.pop("learner"), "config: missing learner"),
    "does not fit": (lambda d: d["task"].update(ways=3), "the output population 'output' has 2 neurons, the task has 3"),
    "unknown option": (lambda d: d["strategy"].update(options={"zap": 1.0}), "has no option 'zap'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFIGS)
def test_a_wrong_configuration_names_its_field(case: str, refused: Refused) -> None:
    change, reason = CONFIGS[case]
    _config("x.yaml", change)
    assert reason in refused("search --config x.yaml --search-only")


@pytest.mark.parametrize(
    "content", [b"task: [1,\n", b"- a\n", b"", b"text", b"\xff\xfe\x00abc", b"a: b: c", b"!!python/object:x.Y {}"]
)
def test_a_file_that_is_no_configuration_is_refused(content: bytes, refused: Refused) -> None:
    Path("broken.yaml").write_bytes(content)
    assert "config: " in refused("search --config broken.yaml")


def test_a_missing_configuration_is_refused(refused: Refused) -> None:
    assert "no file nowhere.yaml" in refused("search --config nowhere.yaml")
    Path("folder").mkdir()
    assert "folder cannot be read" in refused("search --config folder")


@pytest.mark.parametrize("options", ["", "--seeds 2"])
def test_what_is_there_is_not_written_over(options: str, refused: Refused) -> None:
    _config("x.yaml")
    Path("taken").mkdir()
    Path("taken/precious").write_text("mine")
    assert "taken exists already" in refused(f"search --config x.yaml --out taken {options}")
    assert "cannot be made" in refused(f"search --config x.yaml --out taken/precious/run {options}")


# runs


@pytest.mark.parametrize("command", ["resume", "compare", "report", "grow", "rerun", "watch"])
def test_a_missing_run_is_named(command: str, refused: Refused) -> None:
    assert "nowhere" in refused(f"{command} nowhere")
    Path("nowhere").mkdir()
    line = refused(f"{command} nowhere")
    assert "nowhere" in line
    assert "did you mean" not in line


@pytest.mark.parametrize("command", ["resume", "compare", "report", "rerun", "watch"])
def test_a_misspelt_run_names_the_nearest(command: str, refused: Refused) -> None:
    Run.create(Path("first"), digits_experiment())
    assert "did you mean first?" in refused(f"{command} frist")


def test_an_unfinished_run_cannot_be_compared_reported_or_grown(refused: Refused) -> None:
    Run.create(Path("half"), digits_experiment())
    for command in ("compare half", "rerun half", "report half", "grow half"):
        assert "finish it with `evodev resume half`" in refused(command)
    assert refused("search --out half").endswith("choose another --out, or `evodev resume half`")
    Path("file").touch()
    assert refused("search --out file").endswith("choose another --out")
    Path("half").rename("a half")
    assert "`evodev resume 'a half'`" in refused("compare 'a half'")


def test_a_damaged_configuration_is_no_run(refused: Refused) -> None:
    Run.create(Path("run"), digits_experiment())
    Path("run/config.yaml").write_text("task: [")
    for command in ("resume", "compare", "report", "rerun", "watch"):
        assert "run/config.yaml cannot be read" in refused(f"{command} run")


@pytest.fixture
def finished() -> Run:
    """A run with a champion and two checkpoints; nobody has searched for long."""
    experiment = digits_experiment()
    run = Run.create(Path("run"), experiment)
    state = experiment.search().start()
    for generation in (1, 2):
        run.save(state.replace(generation=state.generation * 0 + generation))  # type: ignore[attr-defined]
    run.save_champion(state)
    return run


def test_a_champion_that_cannot_be_read_is_not_grown(finished: Run, refused: Refused) -> None:
    path = finished.path / "champion.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"schema_version": 99}))
    assert "has schema 99, this evodev reads up to schema 2" in refused("grow run")
    path.write_text(json.dumps(about))
    genomes = finished.path / "champion.safetensors"
    genomes.write_bytes(genomes.read_bytes()[:100])
    for command in ("grow run", "compare run", "report run"):
        line = refused(command)
        assert "champion.safetensors is damaged" in line
        assert line.endswith("written anew from the last checkpoint: evodev resume run")


def test_a_misspelt_run_is_not_the_champion_of_the_current_directory(
    finished: Run, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.path)
    assert "nowhere" in refused("grow nowhere")


@pytest.mark.parametrize("name", ["network.npz", "expression.png"])
def test_what_was_grown_before_is_not_written_over(name: str, finished: Run, refused: Refused) -> None:
    Path("out").mkdir()
    Path(f"out/{name}").write_text("mine")
    assert f"out/{name} exists already" in refused("grow run --out out")
    assert f"out: out/{name} cannot be made" in refused(f"grow run --out out/{name}")


def _truncate(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_search_gets_past_the_generation_of_a_truncated_checkpoint(finished: Run) -> None:
    _truncate(finished.path / "checkpoints" / "2")
    template = finished.experiment.search().start()
    with pytest.warns(UserWarning, match="Going on from generation 1"):
        state = finished.restore(template)
    assert state is not None
    finished.save(state.replace(generation=state.generation + 1))  # type: ignore[attr-defined]
    found = finished.restore(template)
    assert found is not None
    assert int(found.generation) == 2


def test_truncated_checkpoints_cannot_be_resumed(finished: Run, refused: Refused) -> None:
    _truncate(finished.path / "checkpoints")
    assert "checkpoint: none of 2 in run/checkpoints can be used" in refused("resume run")


def test_checkpoints_of_another_experiment_cannot_be_resumed(finished: Run, refused: Refused) -> None:
    _config("run/config.yaml", lambda data: data.update(seed=99))
    assert "another experiment" in refused("resume run")


# what is understood


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that would be searched; nobody searches."""
    runs: list[Run] = []
    monkeypatch.setattr(workflow, "search", lambda run, **_: runs.append(run))
    return runs


def test_objectives_are_named_one_after_the_other() -> None:
    _, experiment, _ = cli.experiment_from(["sine", "--fitness.objectives", "aulc", "operations"])
    assert experiment.fitness.objectives == ("aulc", "operations")
    assert cli.experiment_from(["sine"])[1].fitness.objectives == ()


def test_an_unknown_objective_is_refused(refused: Refused) -> None:
    assert "objectives names 'speed'; out of aulc" in refused("search --fitness.objectives aulc speed")


def test_settings_override_the_preset_and_the_substrate_follows_the_task(searched: list[Run]) -> None:
    flags = "--task.ways 3 --task.canvas 10 --task.no-shift --strategy.population 8 --schedule.lives 2 --generations 30 --seed 5"
    assert cli.main(["search", "--out", "deep/run", "--search-only", *flags.split()]) == 0
    (run,) = searched
    experiment = run.experiment
    assert load_experiment(Path("deep/run/config.yaml")) == experiment
    assert experiment.substrate.output.size == experiment.task.outputs == 3
    assert experiment.substrate.input.size == experiment.task.inputs == 100
    assert (experiment.strategy.population, experiment.schedule.lives, experiment.schedule.generations) == (8, 2, 30)
    assert experiment.seed == 5
    assert experiment.decoder == PRESETS["few-shot-digits"]().decoder


def test_parts_are_exchanged_by_name(searched: list[Run]) -> None:
    _config("x.yaml")
    assert cli.main(["search", "--config", "x.yaml", "--decoder", "gnet", "--learner", "hebbian", "--search-only"]) == 0
    (run,) = searched
    assert run.path == Path("runs/x")
    assert type(run.experiment.decoder.wiring) is type(DECODERS["gnet"].wiring)
    assert run.experiment.decoder.sparsity == digits_experiment().decoder.sparsity
    assert type(run.experiment.learner) is LEARNERS["hebbian"]


def test_runs_without_a_name_are_numbered(searched: list[Run]) -> None:
    for _ in range(2):
        assert cli.main(["search", "--search-only"]) == 0
    assert cli.main(["search", "sine", "--search-only"]) == 0
    assert [str(run.path) for run in searched] == ["runs/few-shot-digits", "runs/few-shot-digits-2", "runs/sine"]


def test_seeds_are_runs_of_their_own(searched: list[Run]) -> None:
    _config("x.yaml")
    assert cli.main(["search", "--config", "x.yaml", "--seeds", "2", "--seed", "4", "--out", "many", "--search-only"]) == 0
    assert [(str(run.path), run.experiment.seed) for run in searched] == [("many/seed-4", 4), ("many/seed-5", 5)]


def test_seeds_are_compared_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(workflow, "search", lambda run, **_: None)
    monkeypatch.setattr(cli, "conclude", lambda run: None)
    monkeypatch.setattr(cli, "show", shown.append)

    def report(base: Path, runs: list[Run]) -> Path:
        (base / "comparison.json").write_text(json.dumps({"arms": {}, "runs": len(runs)}))
        return base / "report.html"

    monkeypatch.setattr(workflow, "report_seeds", report)
    _config("x.yaml")
    assert cli.main(["search", "--config", "x.yaml", "--seeds", "2", "--out", "many"]) == 0
    assert shown == [{"arms": {}, "runs": 2}]
    assert capsys.readouterr().out == "report: many/report.html\n"
    assert cli.main(["report", "many"]) == 0
    assert capsys.readouterr().out == "report: many/report.html\n"
    compared: list[str] = []
    monkeypatch.setattr(workflow, "compare_runs", lambda runs, **_: compared.extend(str(run.path) for run in runs))
    assert cli.main(["compare", "many"]) == 0
    assert compared == ["many/seed-0", "many/seed-1"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_search_stopped_in_its_last_block_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    def stopped(run: Run, **_: Any) -> None:
        raise Interrupted(run.path, number)

    concluded: list[Run] = []
    monkeypatch.setattr(workflow, "search", stopped)
    monkeypatch.setattr(cli, "conclude", concluded.append)
    _config("x.yaml")
    assert cli.main(["search", "--config", "x.yaml", "--out", "run"]) == code
    assert not concluded
    assert "go on with: evodev resume run" in capsys.readouterr().err


def test_without_onnx_growing_says_which_extra_to_install(
    finished: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evodev.onnx.INSTALLED", False)
    monkeypatch.delitem(exports.EXPORTS, "network.onnx")
    assert cli.main(["grow", str(finished.path), "--out", "network"]) == 0
    assert not Path("network/network.onnx").exists()
    assert capsys.readouterr().out.endswith("no ONNX file: the package onnx is not installed; pip install 'evodev-jax[onnx]'\n")


def test_without_its_extra_nothing_is_tracked_and_nothing_begun(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evodev.tracking.INSTALLED", False)
    _config("x.yaml")
    assert "pip install 'evodev-jax[track]'" in refused("search --config x.yaml --track")


@pytest.mark.parametrize("matched", [True, False])
def test_the_exit_code_of_a_rerun_says_whether_it_matched(
    matched: bool, finished: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unequal = () if matched else (Unequal("champion, validation", 1.0, 0.5, 0.5),)
    told = Verdict(("champion",), unequal, ("packages / jax: 0.9, now 0.10",))
    monkeypatch.setattr("evodev.rerun.rerun", lambda run, **_: (run, told))
    assert cli.main(["rerun", "run"]) == (0 if matched else 1)
    out = capsys.readouterr().out
    assert (out == "matched bit for bit: champion\n") == matched
    assert ("largest difference: champion, validation was 1.0, is 0.5 (0.5 of it)\nmanifest: packages / jax" in out) != matched


def test_a_champion_is_grown_without_its_run(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("alone").mkdir()
    for name in ("champion.json", "champion.safetensors"):
        shutil.move(finished.path / name, "alone")
    assert cli.main(["grow", "alone/champion.safetensors", "--out", "network"]) == 0
    assert sorted(os.listdir("network")) == [
        "expression.png",
        "matrices.png",
        "network.graphml",
        "network.npz",
        "network.onnx",
        "network.png",
        "network.safetensors",
        "receptive_fields.png",
    ]
    out = capsys.readouterr().out
    # half of (64 x 4 + 4 x 2) synapses, the read-out's 8 among them, which are no work of the genome
    assert "124 of 256 synapses" in out
    assert re.search(r"grown weights +124 synapses, 3,968 bits", out)
    assert re.search(r"compression +0\.\d+x in numbers", out)
    assert "larger than what it grows" in out
    assert "32 bits a synapse" in out


# what is said


def test_the_list_as_json_holds_every_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    registries = {
        "presets": PRESETS, "decoders": DECODERS, "cells": CELLS, "wirings": WIRINGS, "sparsities": SPARSITIES,
        "refinements": REFINEMENTS, "learners": LEARNERS, "tasks": TASKS, "baselines": BASELINES, "strategies": STRATEGIES,
    }  # fmt: skip
    assert {kind: list(names) for kind, names in listed.items()} == {kind: list(r) for kind, r in registries.items()}
    assert all(isinstance(what, str) for names in listed.values() for what in names.values())


def test_the_list_names_everything_to_readers_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in [*PRESETS, *DECODERS, *LEARNERS, *TASKS, *STRATEGIES])
    assert "MLP([state_i, state_j])" in out
    assert "evodev-jax[control]" in out
    assert not re.search(r"``|:\w+:`", out)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_teaches_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out and what in out for name, what in cli.COMMANDS.items())
    assert "few-shot-digits" in out
    assert "evodev search --help" in out


def _help(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    try:
        code = cli.main(command)
    except SystemExit as stop:
        code = stop.code or 0
    assert code == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_help_on_search_teaches_presets_and_settings_with_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    out = _help(["search", "--help"], capsys)
    assert out.count("usage:") == 1
    assert "usage: evodev search [PRESET]" in out
    assert not re.search(r"``|:\w+:`", out)
    assert all(flag in out for flag in ("--config", "--decoder", "--learner", "evodev list"))
    assert f"PRESET is one of {', '.join(PRESETS)};" in " ".join(out.split())
    text = " ".join(out.replace("│", " ").split())
    default = PRESETS["few-shot-digits"]()
    for flag, value in {
        "--seeds INT": 1,
        "--seed INT": default.seed,
        "--strategy.population INT": default.strategy.population,
        "--schedule.lives INT": default.schedule.lives,
        "--task.ways INT": default.task.ways,  # type: ignore[attr-defined]
        "--comparison.lives INT": default.comparison.lives,
    }.items():
        assert re.search(rf"{re.escape(flag)} [^-].*?\(default: {value}\)", text), flag


def test_help_follows_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--task.ways" not in _help(["search", "sine", "--help"], capsys)


@pytest.mark.parametrize("command", ["resume", "compare", "report", "grow", "rerun", "watch", "list"])
def test_help_on_the_others_is_one_of_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = _help([command, "--help"], capsys)
    assert f"usage: evodev {command}" in out
    assert cli.COMMANDS[command] in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert re.match(r"\d+\.\d+", capsys.readouterr().out)


def test_a_terminal_without_utf8_gets_no_frames(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    import tyro

    def ascii_frames(*_: Any, **__: Any) -> None:
        print(f" Parsing error {'-' * 60} no --frobnicate {'-' * 60} For full helptext, run x --help", file=sys.stderr)
        raise SystemExit(2)

    monkeypatch.setattr(tyro, "cli", ascii_frames)
    assert refused("search --frobnicate 1") == "evodev: Parsing error no --frobnicate See evodev search [PRESET] --help"


def test_a_reader_that_leaves_is_no_error_of_the_process() -> None:
    read, write = os.pipe()
    os.close(read)
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    with os.fdopen(write, "wb") as pipe:
        command = [sys.executable, "-m", "evodev", "--help"]
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=environment, timeout=120)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["list", "--json"]])
def test_a_reader_that_leaves_is_no_error(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert cli.main(arguments) == 141
    assert capsys.readouterr().err == ""


def test_debug_raises() -> None:
    with pytest.raises(ValueError, match="no command 'serch'"):
        cli.main(["serch", "--debug"])
    with pytest.raises(ValueError, match="population must be even"):
        cli.main(["--debug", "search", "--strategy.population", "0"])


def test_an_interruption_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "list_command", interrupt)
    assert cli.main(["list"]) == 130
    assert capsys.readouterr().err == "evodev: stopped\n"


def test_neurons_that_no_input_reaches_are_reported(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cut = replace(finished.experiment, decoder=Decoder(CellTypes(), Direct(), Threshold(1e6, evolved=False, relative=False)))
    run = Run.create(Path("cut"), cut)
    run.save_champion(cut.search().start())
    assert cli.main(["grow", "cut"]) == 0
    said = capsys.readouterr().out
    assert "hidden, cut off  " in said
    assert "4 neurons that no input reaches" in said
