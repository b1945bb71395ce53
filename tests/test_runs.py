import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from evodev.files import Kept, RunError, fresh_path, sealed, write_new
from evodev.runs import CHAMPION_SCHEMA, Run, load_champion, load_experiment
from evodev.search import SearchState
from tests.tiny import digits_experiment

EXPERIMENT = digits_experiment()


@pytest.fixture(scope="module")
def start() -> SearchState:
    return EXPERIMENT.search(devices=1).start()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", EXPERIMENT, command="evodev search")


def _at(start: SearchState, generation: int) -> SearchState:
    """A state as it might be after so many generations."""
    return replace(start, generation=jnp.asarray(generation, jnp.int32), centroid=start.initial + generation)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


# the directory


def test_a_run_says_what_it_is_and_opens_again(run: Run) -> None:
    assert Run.open(run.path) == run
    assert load_experiment(run.path / "config.yaml") == EXPERIMENT
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["command"] == "evodev search"
    assert manifest["packages"]["jax"] == jax.__version__
    assert {"platform", "device", "devices", "cores", "python", "date"} <= manifest.keys()


def test_nothing_that_exists_is_written_over(run: Run) -> None:
    before = _contents(run.path)
    with pytest.raises(RunError, match=r"exists already; choose another --out, or `evodev resume"):
        Run.create(run.path, digits_experiment(seed=9))
    assert _contents(run.path) == before


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"out: .* cannot be made"):
        Run.create(tmp_path / "file" / "run", EXPERIMENT)


def test_a_run_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", _full_disk)
    with pytest.raises(RunError, match=r"out: .*run cannot be written: No space left on device"):
        Run.create(tmp_path / "run", EXPERIMENT)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_there_is_refused_with_the_nearest(run: Run) -> None:
    with pytest.raises(RunError, match=rf"no run in .*rum \(no config.yaml\); did you mean {run.path}\?"):
        Run.open(run.path.with_name("rum"))


@pytest.mark.parametrize("text", ["task: [", "\x00", "a: b: c"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunError, match=r"config: .* cannot be read") as caught:
        load_experiment(tmp_path / "config.yaml")
    assert "\n" not in str(caught.value)


def test_a_configuration_of_another_schema_is_refused_and_one_without_is_of_the_first(run: Run) -> None:
    data = yaml.safe_load((run.path / "config.yaml").read_text())
    assert data.pop("schema_version") == 1
    for schema, message in (
        (2, "has schema 2, this evodev reads up to schema 1; use the evodev that wrote it"),
        ("1", "has schema 1"),
    ):
        (run.path / "config.yaml").write_text(yaml.safe_dump({"schema_version": schema, **data}))
        with pytest.raises(RunError, match=message):
            Run.open(run.path)
    (run.path / "config.yaml").write_text(yaml.safe_dump(data))
    assert Run.open(run.path) == run


@pytest.mark.parametrize("name", ["comparison", "manifest"])
def test_results_of_another_schema_are_refused(run: Run, name: str) -> None:
    run.write_json(f"{name}.json", {"schema_version": 2})
    with pytest.raises(RunError, match=rf"{name}.json has schema 2, this evodev reads up to schema 1"):
        getattr(run, name)()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "lacks task"),
        ({"task": "t", "samples": [], "judged": "a", "ledger": {}, "arms": []}, "lacks arms.a"),
        ({"task": "t", "samples": [], "judged": "a", "ledger": {}, "arms": {"a": {"role": "evolved"}}}, "lacks arms.a.synapses"),
        ({"task": "t", "samples": [], "judged": "a", "ledger": {}, "arms": {"a": None}}, "lacks arms.a.role"),
    ],
)
def test_an_incomplete_comparison_is_refused_with_what_it_lacks(run: Run, held: object, message: str) -> None:
    (run.path / "comparison.json").write_text(json.dumps(held))
    with pytest.raises(RunError, match=message):
        run.comparison()


def test_a_missing_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="config: no file"):
        load_experiment(tmp_path / "none.yaml")


def test_a_fresh_path_is_one_that_does_not_exist(tmp_path: Path) -> None:
    assert fresh_path(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert fresh_path(tmp_path / "a") == tmp_path / "a-3"


# metrics


def test_metrics_come_back_and_a_torn_last_line_is_left_out(run: Run) -> None:
    assert run.metrics() == []
    records = [{"generation": g, "fitness_mean": -1.0 / g} for g in (1, 2, 3)]
    run.append_metrics(records[:1])
    run.append_metrics(records[1:])
    assert run.metrics() == records
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"generation": 4, "fitn')
    assert run.metrics() == records
    run.forget_after(2)
    assert run.metrics() == records[:2]
    run.append_metrics(records[2:])
    assert run.metrics() == records


@pytest.mark.parametrize("torn", [b'{"generation": 2, "fitn', b"12", b"\xff\xfe\x00", b'{"generation": "2"}', b"[1]\n\n"])
def test_a_torn_line_takes_no_other_with_it(run: Run, torn: bytes) -> None:
    records = [{"generation": g, "fitness_mean": -1.0 / g} for g in (1, 2)]
    run.append_metrics(records[:1])
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    run.append_metrics(records[1:])
    assert run.metrics() == records
    run.forget_after(2)
    assert (run.path / "metrics.jsonl").read_text().count("\n") == 2


# one writer


def test_a_second_writer_is_refused_until_the_first_is_done(run: Run) -> None:
    who = rf"run: process {os.getpid()} on .* is writing to .*run; wait until it has ended"
    with run.writing(), pytest.raises(RunError, match=who), run.writing():
        raise AssertionError("two write")
    with run.writing():
        pass


def test_where_there_are_no_locks_nobody_is_kept_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with run.writing():
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_directory_that_cannot_be_written_is_said_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("os.open", refuse)
    said = rf"{os.strerror(number)}\. What was written before is whole; mend that, then: evodev resume {run.path}"
    with pytest.raises(RunError, match=said), run.writing():
        raise AssertionError("it has no lock")


def test_what_is_not_of_the_disk_is_not_taken_for_it(run: Run) -> None:
    with pytest.raises(BrokenPipeError), run.writing():
        raise BrokenPipeError(errno.EPIPE, "nobody reads")


# what leads out of the directory


def test_links_out_of_the_run_are_not_written_through(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "seed-1").mkdir(parents=True)
    (outside / "kept").write_text("kept")
    before = _contents(outside)
    (run.path / "metrics.jsonl").symlink_to(outside / "kept")
    (run.path / "arms").symlink_to(outside)
    (run.path / "report.html").symlink_to(outside / "kept")
    (run.path / ".figure.png.partial").symlink_to(outside / "kept")
    for attempt in (lambda: run.append_metrics([{"generation": 1}]), lambda: run.arms):
        with pytest.raises(RunError, match=r"leads out of .*nothing is written there: remove the link"):
            attempt()
    run.write_bytes("report.html", b"page")
    run.write_bytes("figure.png", b"png")
    assert (run.path / "report.html").read_bytes() == b"page"
    assert not (run.path / "report.html").is_symlink()
    (run.path / ".lock").unlink(missing_ok=True)
    (run.path / ".lock").symlink_to(outside / "kept")
    with pytest.raises(OSError, match="symbolic link"), run.writing():
        raise AssertionError("it wrote its name elsewhere")
    assert _contents(outside) == before


def test_a_seed_that_lies_elsewhere_is_refused(run: Run, tmp_path: Path) -> None:
    base = tmp_path / "many"
    base.mkdir()
    (base / "seed-0").symlink_to(run.path)
    with pytest.raises(RunError, match=r"many/seed-0 leads out of .*many"):
        Run.of_seeds(base)


@pytest.mark.parametrize("name", ["../escaped", "a/b", "..", "", "a.b", "/etc/passwd"])
def test_a_result_is_kept_under_a_digest_and_under_nothing_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyError):
        Kept(tmp_path / "arms")[name] = {}
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_kept_result_is_as_it_was_or_not_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept["a1"] = {"score": 0.125, "by": {"10": 1, "9": float("nan")}}
    assert kept["a1"]["score"] == 0.125
    text = (tmp_path / "a1.json").read_text()
    for damaged in (text.replace("0.125", "0.126"), text[:-20], "{}", "[]", "null", text.replace("seal", "zeal")):
        (tmp_path / "a1.json").write_text(damaged)
        assert "a1" not in kept


# champion


@pytest.fixture
def champion(run: Run, start: SearchState) -> Path:
    run.save_champion(replace(_at(start, 4), champion_validation=jnp.asarray(-0.5)))
    return run.path


@pytest.mark.parametrize("name", ["", "champion.json", "champion.safetensors"])
def test_a_champion_is_loaded_without_its_run(champion: Path, start: SearchState, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in ("champion.json", "champion.safetensors"):
        (elsewhere / file).write_bytes((champion / file).read_bytes())
    loaded = load_champion(elsewhere / name)
    assert loaded.experiment == EXPERIMENT
    assert loaded.organism == EXPERIMENT.organism
    assert loaded.about["validation"] == -0.5
    np.testing.assert_array_equal(loaded.genomes["champion"], start.champion)
    np.testing.assert_array_equal(loaded.genomes["centroid"], start.initial + 4)
    np.testing.assert_array_equal(loaded.genomes["initial"], start.initial)


def _edit(champion: Path, **changes: object) -> None:
    """Change what a champion says about itself, as an honest writer would: sealed."""
    about = json.loads((champion / "champion.json").read_text()) | changes
    content = {k: v for k, v in about.items() if v is not None and k != "seal"}
    (champion / "champion.json").write_text(json.dumps(sealed(content)))


def _tamper(champion: Path) -> None:
    genomes = load_file(champion / "champion.safetensors")
    genomes["champion"] = genomes["champion"] + 1
    save_file(genomes, champion / "champion.safetensors")


def _renamed(champion: Path) -> None:
    """As if a setting had had another name when the champion was written."""
    experiment = json.loads((champion / "champion.json").read_text())["experiment"]
    experiment["schedule"]["lifes"] = experiment["schedule"].pop("lives")
    _edit(champion, experiment=experiment)


def _reworded(champion: Path) -> None:
    text = (champion / "champion.json").read_text()
    (champion / "champion.json").write_text(text.replace('"validation": -0.5', '"validation": -0.25'))
    assert text != (champion / "champion.json").read_text()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda c: _edit(c, schema_version=99),
            f"has schema 99, this evodev reads up to schema {CHAMPION_SCHEMA}; use the evodev",
        ),
        (lambda c: _edit(c, schema_version="2"), "has schema 2"),
        (lambda c: _edit(c, spec=[["a", [2], 0.0, 1.0, 32]]), "its genes are not those of this version's parts; use evodev 0"),
        (lambda c: _edit(c, validation=None), "champion: .* lacks 'validation'"),
        (
            _renamed,
            "unknown name 'lifes'; did you mean 'lives'.* If this version knows it no more, use evodev 0.*, which wrote it",
        ),
        (_reworded, "champion.json is damaged: its seal is broken"),
        (lambda c: _edit(c, experiment=None), "champion: .* lacks 'experiment'"),
        (lambda c: _edit(c, experiment={"task": "few-shot-digits"}), "champion.experiment: missing"),
        (lambda c: _edit(c, digest="0"), "the numbers in .* are not those of champion.json"),
        (_tamper, "the numbers in .* are not those of champion.json"),
        (lambda c: (c / "champion.safetensors").write_bytes(b"torn"), "champion.safetensors is damaged"),
        (lambda c: (c / "champion.safetensors").unlink(), "champion.safetensors is missing"),
        (lambda c: (c / "champion.json").unlink(), "has no champion yet; finish it with `evodev resume"),
        (lambda c: (c / "champion.json").write_text("{"), "champion.json is not valid JSON"),
        (lambda c: (c / "champion.json").write_text("[]"), "champion.json does not hold what a champion.json holds"),
        (lambda c: (c / "champion.json").write_bytes(b"\xff"), "champion.json is not valid JSON"),
        (lambda c: (c / "champion.json").write_text("[" * 100_000), "champion.json is not valid JSON"),
    ],
)
def test_a_champion_that_is_damaged_or_of_another_schema_is_refused(champion: Path, damage, message: str) -> None:
    damage(champion)
    with pytest.raises(ValueError, match=message):
        load_champion(champion)


def test_a_champion_of_the_first_schema_is_loaded(champion: Path) -> None:
    about = json.loads((champion / "champion.json").read_text())
    for later in ("seal", "evodev", "schema_version"):
        del about[later]
    del about["experiment"]["schedule"]["keep"]  # nor were there settings that came later
    (champion / "champion.json").write_text(json.dumps(about))
    assert load_champion(champion).experiment == EXPERIMENT


# results


def test_results_are_written_whole_and_read_back(run: Run) -> None:
    run.write_json("comparison.json", {"arms": {}})
    assert run.read_json("comparison.json") == {"arms": {}}
    assert run.write_bytes("figure.png", b"png").read_bytes() == b"png"
    assert not [p for p in run.path.iterdir() if p.name.endswith(".partial")]
    with pytest.raises(RunError, match=r"other.json is missing"):
        run.read_json("other.json")


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("function", ["os.replace", "os.fsync"])
def test_a_failed_write_keeps_what_was_there(run: Run, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    run.write_json("comparison.json", {"arms": {"old": 1}})
    run.write_bytes("figure.png", b"old")
    before = _contents(run.path)
    with monkeypatch.context() as broken:
        broken.setattr(function, _full_disk)
        with pytest.raises(OSError, match="No space left"):
            run.write_json("comparison.json", {"arms": {"new": 2}})
        with pytest.raises(OSError, match="No space left"):
            run.write_bytes("figure.png", b"new")
    assert _contents(run.path) == before, "nothing half written is left beside it either"


def test_new_files_are_written_all_or_none(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert write_new(out, {"a": b"1", "b": b"2"}) == [out / "a", out / "b"]
    before = _contents(out)
    with pytest.raises(RunError, match="deep/out/b exists already; choose another --out"):
        write_new(out, {"c": b"3", "b": b"4"})
    assert _contents(out) == before == {"a": b"1", "b": b"2"}
    with pytest.raises(RunError, match=r"out: .*a cannot be made"):
        write_new(out / "a", {"d": b""})


def test_the_configuration_is_plain_yaml(run: Run) -> None:
    plain = yaml.safe_load((run.path / "config.yaml").read_text())
    assert next(iter(plain)) == "schema_version"
    assert plain["task"] == {"kind": "few-shot-digits"} | {
        "canvas": 8, "shift": False, "rotations": [0, 1], "ways": 2, "shots": 3, "probes": 2, "fold": [],
        "classes": None, "subset": 0, "size": 8,
    }  # fmt: skip
