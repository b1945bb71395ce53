import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.checkpoints import SCHEMA
from evodev.files import RunError, sealed
from evodev.runs import Run
from evodev.search import SearchState
from tests.tiny import digits_experiment

EXPERIMENT = digits_experiment()
KEEP = EXPERIMENT.schedule.keep


@pytest.fixture(scope="module")
def start() -> SearchState:
    return EXPERIMENT.search(devices=1).start()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", EXPERIMENT)


def _at(start: SearchState, generation: int) -> SearchState:
    """A state as it might be after so many generations."""
    return replace(start, generation=jnp.asarray(generation, jnp.int32), centroid=start.initial + generation)


def _assert_same(a: SearchState | None, b: SearchState) -> None:
    assert a is not None
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)), a, b)
    assert jax.tree.map(lambda x: x.dtype, a) == jax.tree.map(lambda x: x.dtype, b)


def _steps(run: Run) -> set[str]:
    return {path.name for path in run.checkpoints.folder.iterdir()}


def test_a_checkpoint_restores_every_bit(run: Run, start: SearchState) -> None:
    assert run.restore(start) is None
    odd = replace(_at(start, 3), champion_validation=jnp.asarray(jnp.nan), best=jnp.full_like(start.best, -0.0))
    run.save(odd)
    _assert_same(run.restore(start), odd)


@pytest.mark.parametrize("keep", [KEEP, 1])
def test_the_newest_checkpoints_are_kept_as_many_as_asked_for(tmp_path: Path, start: SearchState, keep: int) -> None:
    run = Run.create(tmp_path / "run", replace(EXPERIMENT, schedule=replace(EXPERIMENT.schedule, keep=keep)))
    for generation in range(1, keep + 3):
        run.save(_at(start, generation))
    assert _steps(run) == {str(generation) for generation in range(3, keep + 3)}
    _assert_same(run.restore(start), _at(start, keep + 2))


# damage


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="module")
def two(start: SearchState, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with checkpoints at generations 1 and 2; to be copied, not to be changed."""
    run = Run.create(tmp_path_factory.mktemp("two") / "run", EXPERIMENT)
    run.save(_at(start, 1))
    run.save(_at(start, 2))
    return run


@pytest.mark.parametrize("damage", [_cut, _flip, _empty, _delete])
def test_whatever_happens_to_a_file_of_a_checkpoint_it_is_whole_or_the_one_before_is_taken(
    two: Run, start: SearchState, tmp_path: Path, damage: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    newest = two.checkpoints.folder / "2"
    parts = [path.relative_to(newest) for path in newest.rglob("*") if path.is_file() or damage is _delete]
    assert Path("about/metadata") in parts
    passed_over = 0
    for i, part in enumerate(parts):
        run = replace(two, path=tmp_path / str(i))
        shutil.copytree(two.path, run.path)
        damage(run.checkpoints.folder / "2" / part)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = run.restore(start)
        said = [str(w.message) for w in caught if str(w.message).startswith("checkpoint 2: ")]
        _assert_same(found, _at(start, 1 if said else 2))
        passed_over += len(said)
        assert all(line.endswith("Going on from generation 1") and "\n" not in line for line in said)
    # commit marks and what orbax knows itself may go; numbers, their metadata and what they belong to may not
    assert passed_over >= 5
    assert "Traceback" not in capfd.readouterr().err, "nothing is left behind that fails later, in a thread of its own"


def test_what_is_no_checkpoint_is_none(two: Run, start: SearchState, tmp_path: Path) -> None:
    run = replace(two, path=tmp_path / "run")
    shutil.copytree(two.path, run.path)
    folder = run.checkpoints.folder
    (folder / "9").write_text("a file")
    (folder / "notes").mkdir()
    (folder / "5.orbax-checkpoint-tmp").mkdir()
    shutil.copytree(folder / "1", folder / "01")
    _assert_same(run.restore(start), _at(start, 2))
    (folder / "3").mkdir()
    (folder / "4").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r"checkpoint 4: .*; 3: .* Going on from generation 2"):
        _assert_same(run.restore(start), _at(start, 2))


def test_damaged_checkpoints_do_not_take_the_place_of_good_ones(run: Run, start: SearchState) -> None:
    for generation in (5, 10, 11):
        run.save(_at(start, generation))
    for generation in (10, 11):
        _delete(run.checkpoints.folder / str(generation) / "state")
    with pytest.warns(UserWarning, match="Going on from generation 5"):
        run.restore(start)
    for generation in (6, 7):
        run.save(_at(start, generation))
    _assert_same(run.restore(start), _at(start, 7))
    assert _steps(run) == {"5", "6", "7"}


def _about(run: Run, generation: int, **changes: object) -> None:
    """Change what a checkpoint says about itself, as an honest writer would: sealed."""
    file = run.checkpoints.folder / str(generation) / "about" / "metadata"
    content = {k: v for k, v in (json.loads(file.read_text()) | changes).items() if v is not None and k != "seal"}
    file.write_text(json.dumps(sealed(content)))


def test_a_checkpoint_whose_digest_is_of_other_numbers_is_refused(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    _about(run, 1, digest="0")
    with pytest.raises(RunError, match=r"none of 1 in .*checkpoints can be used \(1: its numbers are damaged\)"):
        run.restore(start)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (SCHEMA + 1, f"has schema {SCHEMA + 1}, this evodev reads up to schema {SCHEMA}; use the evodev that wrote it"),
        (None, "has schema 1; go on with the evodev that wrote it, or search anew"),
    ],
)
def test_a_checkpoint_of_another_schema_is_refused_and_stays(
    run: Run, start: SearchState, schema: int | None, message: str
) -> None:
    run.save(_at(start, 1))
    run.save(_at(start, 2))
    _about(run, 2, schema_version=schema)
    with pytest.raises(RunError, match=message):
        run.restore(start)
    assert _steps(run) == {"1", "2"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda s: replace(s, champion=s.champion[:-1]), r"float32\[(\d+)\] where float32\[(\d+)\] is needed"),
        (lambda s: replace(s, champion=s.champion.astype(jnp.float16)), r"float32\[\d+\] where float16\[\d+\] is needed"),
    ],
)
def test_a_checkpoint_of_other_shapes_says_which(two: Run, start: SearchState, other, message: str) -> None:
    with pytest.raises(RunError, match=f"its shapes are of another search: {message}"):
        two.restore(other(start))


# what it belongs to


def test_a_checkpoint_of_another_experiment_is_refused(two: Run, start: SearchState) -> None:
    other = replace(two, experiment=digits_experiment(seed=5))
    with pytest.raises(RunError, match=r"it belongs to another experiment than config\.yaml describes: they differ in seed"):
        other.restore(start)


def test_what_moves_no_number_is_no_part_of_a_checkpoint(two: Run, start: SearchState) -> None:
    other = replace(
        EXPERIMENT,
        comparison=replace(EXPERIMENT.comparison, lives=99),
        schedule=replace(EXPERIMENT.schedule, chunk=2, keep=9),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _assert_same(replace(two, experiment=other).restore(start), _at(start, 2))


def test_a_setting_that_came_later_with_a_default_changes_nothing(run: Run, start: SearchState) -> None:
    run.save(_at(start, 1))
    file = run.checkpoints.folder / "1" / "about" / "metadata"
    experiment = json.loads(file.read_text())["experiment"]
    del experiment["schedule"]["keep"], experiment["fitness"]
    _about(run, 1, experiment=experiment)
    _assert_same(run.restore(start), _at(start, 1))


def test_a_link_out_of_the_run_is_not_followed(run: Run, start: SearchState, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run.path / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"checkpoints leads out of .*run, to .*elsewhere; nothing is written there"):
        run.save(_at(start, 1))
    assert not list((tmp_path / "elsewhere").iterdir())
