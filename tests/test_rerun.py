import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from evodev import workflow
from evodev.baselines import BASELINES
from evodev.manifest import differences, manifest
from evodev.rerun import Verdict, compared, judged, prepared, rerun
from evodev.runs import Run
from tests.tiny import digits_experiment

pytestmark = pytest.mark.usefixtures("one_device")
FEW = {name: BASELINES[name] for name in ("1-NN on inputs",)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run searched to its end on one device and compared with one arm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_device_count", lambda: 1)
        patch.setattr("evodev.comparison.BASELINES", FEW)
        run = Run.create(tmp_path_factory.mktemp("runs") / "first", digits_experiment(), command="evodev search")
        workflow.search(run)
        workflow.compare_run(run)
    return run


def test_a_rerun_beside_the_run_matches_bit_for_bit_and_a_changed_one_does_not(finished: Run) -> None:
    before = {p: p.read_bytes() for p in finished.path.rglob("*") if p.is_file()}
    again, verdict = rerun(finished, search=workflow.search)
    assert again.path == finished.path.with_name("first-rerun")
    assert verdict.unequal == ()
    assert verdict.manifests == ()
    assert verdict.lines() == ["matched bit for bit: champion, metrics of 2 generations, comparison of 3 arms"]
    assert {p: p.read_bytes() for p in finished.path.rglob("*") if p.is_file()} == before

    # what was rerun is a run like any other: with one number changed, it no longer is the first
    records = again.metrics()
    records[1]["density"] += 0.25
    (again.path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    (again.path / "manifest.json").write_text(json.dumps(again.manifest() | {"devices": 7}))
    told = judged(finished, again, finished.comparison(), again.comparison())
    assert [(u.where, u.before, u.after) for u in told.unequal] == [("metrics of 2 generations 2, density", 0.5, 0.75)]
    assert told.manifests == ("devices: 1, now 7",)
    # a finished one is not written over
    assert prepared(finished).path == finished.path.with_name("first-rerun-2")


def test_a_rerun_that_was_broken_off_is_gone_on_with(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", digits_experiment())
    assert prepared(run).path == prepared(run).path == tmp_path / "run-rerun"
    other = replace(run, experiment=replace(run.experiment, seed=5))
    assert prepared(other).path == tmp_path / "run-rerun-2"
    shutil.rmtree(tmp_path / "run-rerun")
    (tmp_path / "run-rerun").mkdir()
    assert prepared(run).path == tmp_path / "run-rerun-3"


def test_all_but_times_is_compared_and_the_largest_difference_is_told() -> None:
    old = {"a": [1.0, 2.0, float("nan")], "seconds": 1.0, "search_seconds": 2.0, "b": {"x": "same", "y": 4.0}}
    assert list(compared(old, {**old, "seconds": 9.0, "search_seconds": 9.0, "a": [1.0, 2.0, float("nan")]}, "it")) == []
    new = {"a": [1.0, 2.0 + 1e-6, float("nan")], "b": {"x": "same", "y": 5.0}, "seconds": 1.0}
    found = list(compared(old, new, "it"))
    assert [u.where for u in found] == ["it, a 1", "it, b, y"]
    assert [u.by for u in found] == pytest.approx([0.5e-6, 0.2], rel=1e-3)
    lines = Verdict(("it",), tuple(found), ()).lines()
    assert lines == [
        "not matched: 2 numbers differ of it",
        "largest difference: it, b, y was 4.0, is 5.0 (0.2 of it)",
        "manifest: nothing that is recorded differs",
    ]
    (missing,) = compared({"a": 1.0}, {}, "it")
    assert np.isinf(missing.by)
    assert [u.where for u in compared([1, 2], [1], "it")] == ["it"]
    assert list(compared("ab", "ab", "it")) == []
    (text,) = compared("ab", "ac", "it")
    assert (text.where, text.by) == ("it", np.inf)


def test_manifests_differ_in_what_may_change_numbers() -> None:
    now = manifest("evodev search")
    assert differences(now, now) == []
    assert differences(now | {"date": "before", "command": "evodev search --seed 3"}, now) == []
    then = {**now, "devices": 64, "packages": {**now["packages"], "jax": "0.1"}, "jax": {**now["jax"], "enable_x64": True}}
    then.pop("processor")
    assert set(differences(then, now)) == {
        f"devices: 64, now {now['devices']}",
        f"packages / jax: 0.1, now {jax.__version__}",
        "jax / enable_x64: True, now False",
        f"processor: not recorded, now {now['processor']}",
    }
