import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from evodev.manifest import differences, divide_as, manifest
from evodev.rerun import Verdict, compared, prepared
from evodev.runs import Run
from tests.tiny import digits_experiment


def test_a_rerun_that_was_broken_off_is_gone_on_with(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", digits_experiment())
    run.write_json("champion.json", {})
    assert prepared(run).path == prepared(run).path == tmp_path / "run-rerun"
    other = replace(run, experiment=replace(run.experiment, seed=5))
    assert prepared(other).path == tmp_path / "run-rerun-2"
    (tmp_path / "run-rerun" / "champion.json").write_text("{}")
    assert prepared(run).path == tmp_path / "run-rerun-3"
    run.write_json("comparison.json", {})
    assert prepared(run).path == tmp_path / "run-rerun", "it was broken off in its comparison"
    (tmp_path / "run-rerun" / "config.yaml").unlink()
    assert prepared(run).path == tmp_path / "run-rerun-4"


def test_a_processor_is_divided_as_the_manifest_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []
    monkeypatch.setattr("jax.config.update", lambda name, value: made.append((name, value)))
    path = tmp_path / "manifest.json"
    for content in (
        {"platform": "cpu", "devices": 10**6},
        {"platform": "cpu", "devices": "3"},
        {"platform": "gpu", "devices": 3},
        [],
    ):
        path.write_text(json.dumps(content))
        divide_as(path)
    divide_as(tmp_path / "nowhere")
    assert made == []
    path.write_text(json.dumps({"platform": "cpu", "devices": 3}))
    divide_as(path)
    assert made == [("jax_num_cpu_devices", 3)]


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
