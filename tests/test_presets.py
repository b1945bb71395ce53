import json

import pytest

from evodev.baselines import BASELINES
from evodev.decoders import DECODERS
from evodev.experiment import Experiment
from evodev.learners import LEARNERS
from evodev.presets import PRESETS, catalogue, preset
from evodev.strategies import STRATEGIES
from evodev.tasks import TASKS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_an_experiment_that_fits_together(name: str) -> None:
    experiment = preset(name)
    assert isinstance(experiment, Experiment)
    assert experiment.organism.genome_spec.size > 0


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="no preset 'few-shot-digit'; did you mean 'few-shot-digits'"):
        preset("few-shot-digit")


def test_the_catalogue_lists_everything_with_a_name_and_a_line_on_it() -> None:
    entries = json.loads(json.dumps(catalogue()))
    wanted = {
        "presets": PRESETS, "decoders": DECODERS, "learners": LEARNERS, "tasks": TASKS, "baselines": BASELINES,
        "strategies": STRATEGIES,
    }  # fmt: skip
    for kind, registry in wanted.items():
        assert set(entries[kind]) == set(registry)
    without = {
        f"{kind}/{name}" for kind, rows in entries.items() for name, line in rows.items() if not line and kind != "strategies"
    }
    assert not without


def test_a_task_whose_extra_is_missing_is_listed_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evodev.tasks.base.find_spec", lambda name: None)
    listed = catalogue()["tasks"]
    assert "pip install 'evodev-jax[data]'" in listed["mnist1d"]
    assert "labelled samples a life" in listed["sine"]
