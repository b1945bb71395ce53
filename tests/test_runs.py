import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from evodev.files import RunError, fresh_path, write_new
from evodev.runs import KEEP, Run, load_champion, load_experiment
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


def _assert_same(a: SearchState | None, b: SearchState) -> None:
    assert a is not None
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)), a, b)


def _spoil(folder: Path) -> None:
    """Cut every file of a checkpoint in half."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


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


def test_a_run_that_is_not_there_is_refused_with_the_nearest(run: Run) -> None:
    with pytest.raises(RunError, match=rf"no run in .*rum \(no config.yaml\); did you mean {run.path}\?"):
        Run.open(run.path.with_name("rum"))


@pytest.mark.parametrize("text", ["task: [", "\x00", "a: b: c"])
def test_a_file_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunError, match=r"config: .* cannot be read") as caught:
        load_experiment(tmp_path / "config.yaml")
    assert "\n" not in str(caught.value)


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


# checkpoints


def test_a_checkpoint_restores_every_bit(run: Run, start: SearchState) -> None:
    assert run.restore(start) is None
    run.save(_at(start, 3))
    _assert_same(run.restore(start), _at(start, 3))


def test_the_newest_checkpoint_is_taken_and_old_ones_go(run: Run, start: SearchState) -> None:
    for generation in range(1, KEEP + 3):
        run.save(_at(start, generation))
    _assert_same(run.restore(start), _at(start, KEEP + 2))
    assert len([p for p in (run.path / "checkpoints").iterdir() if p.name.isdigit()]) == KEEP


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    run.save(_at(start, 2))
    _spoil(run.path / "checkpoints" / "2")
    with pytest.warns(UserWarning, match="checkpoint 2: .* Going on from generation 1"):
        restored = run.restore(start)
    _assert_same(restored, _at(start, 1))


def _empty(folder: Path) -> None:
    """Leave every file of a checkpoint there, with nothing in it."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"")


def _flip(folder: Path) -> None:
    """Turn one bit in the middle of every file that holds numbers."""
    files = [file for file in (folder / "state").rglob("d/*") if file.is_file()]
    assert files
    for file in files:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [_empty, _flip])
def test_an_emptied_or_bit_flipped_checkpoint_is_passed_over(
    run: Run, start: SearchState, damage: Callable[[Path], None]
) -> None:
    run.save(_at(start, 1))
    run.save(_at(start, 2))
    damage(run.path / "checkpoints" / "2")
    with pytest.warns(UserWarning, match="checkpoint 2: .* Going on from generation 1"):
        restored = run.restore(start)
    _assert_same(restored, _at(start, 1))


def test_a_checkpoint_whose_digest_is_of_other_numbers_is_refused(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    (about,) = (run.path / "checkpoints" / "1" / "about").glob("metadata")
    content = json.loads(about.read_text())
    about.write_text(json.dumps(content | {"digest": "0"}))
    with pytest.raises(RunError, match="its numbers are damaged"):
        run.restore(start)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda s: replace(s, champion=s.champion[:-1]), r"float32\[(\d+)\] where float32\[(\d+)\] is needed"),
        (lambda s: replace(s, champion=s.champion.astype(jnp.float16)), r"float32\[\d+\] where float16\[\d+\] is needed"),
    ],
)
def test_a_checkpoint_of_other_shapes_says_which(run: Run, start: SearchState, other, message: str) -> None:
    run.save(_at(start, 1))
    with pytest.raises(RunError, match=f"its shapes are of another search: {message}"):
        run.restore(other(start))


@pytest.mark.filterwarnings("ignore")
def test_nothing_is_restored_where_every_checkpoint_is_damaged(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    _spoil(run.path / "checkpoints" / "1")
    with pytest.raises(RunError, match=r"checkpoint: none of 1 in .*checkpoints can be used \(1: "):
        run.restore(start)


def test_a_checkpoint_of_another_experiment_is_refused(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    other = Run(run.path, digits_experiment(seed=5))
    with pytest.raises(RunError, match=r"it belongs to another experiment than config.yaml describes"):
        other.restore(start)


def test_how_the_champion_is_compared_is_no_part_of_a_checkpoint(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    other = replace(EXPERIMENT, comparison=replace(EXPERIMENT.comparison, lives=99))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _assert_same(Run(run.path, other).restore(start), _at(start, 1))


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
    about = json.loads((champion / "champion.json").read_text()) | changes
    (champion / "champion.json").write_text(json.dumps({k: v for k, v in about.items() if v is not None}))


def _tamper(champion: Path) -> None:
    genomes = load_file(champion / "champion.safetensors")
    genomes["champion"] = genomes["champion"] + 1
    save_file(genomes, champion / "champion.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: _edit(c, schema_version=2), "has schema 2, this evodev reads schema 1"),
        (lambda c: _edit(c, schema_version=None), "has schema None"),
        (lambda c: _edit(c, spec=[["a", [2], 0.0, 1.0, 32]]), "its genes are not those of this version's parts"),
        (lambda c: _edit(c, experiment=None), "champion: .* lacks 'experiment'"),
        (lambda c: _edit(c, experiment={"task": "few-shot-digits"}), "champion.experiment: missing"),
        (lambda c: _edit(c, digest="0"), "the numbers in .* are not those of champion.json"),
        (_tamper, "the numbers in .* are not those of champion.json"),
        (lambda c: (c / "champion.safetensors").write_bytes(b"torn"), "champion.safetensors is damaged"),
        (lambda c: (c / "champion.safetensors").unlink(), "champion.safetensors is missing"),
        (lambda c: (c / "champion.json").unlink(), "champion.json is missing"),
        (lambda c: (c / "champion.json").write_text("{"), "champion.json is not valid JSON"),
        (lambda c: (c / "champion.json").write_text("[]"), "has schema None"),
    ],
)
def test_a_champion_that_is_damaged_or_of_another_schema_is_refused(champion: Path, damage, message: str) -> None:
    damage(champion)
    with pytest.raises(ValueError, match=message):
        load_champion(champion)


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


@pytest.mark.parametrize("function", ["os.replace", "pathlib.Path.write_bytes"])
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
    assert plain["task"] == {"kind": "few-shot-digits"} | {
        "canvas": 8, "shift": False, "rotations": [0, 1], "ways": 2, "shots": 3, "probes": 2, "fold": [],
        "classes": None, "subset": 0, "size": 8,
    }  # fmt: skip
