import json
from dataclasses import replace
from typing import Any

import optax
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evodev.decoders import CELLS, DECODERS, SPARSITIES, WIRINGS, Decoder
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.relative import RelativePosition
from evodev.experiment import REGISTRIES, Experiment, fitted, from_plain, to_plain
from evodev.fitness import Fitness
from evodev.learners import LEARNERS, Episodic, Gradient
from evodev.measurement import Comparison
from evodev.presets import PRESETS
from evodev.search import Schedule
from evodev.strategies import STRATEGIES, Strategy
from evodev.substrate import mlp
from evodev.tasks import FewShotDigits, Sine
from tests.tiny import CHAIN, digits_experiment, home

positive = st.floats(0.001, 10)
counts = st.integers(1, 50)

decoders = st.builds(
    lambda cells, wiring, sparsity: Decoder(CELLS[cells](), wiring, sparsity),
    st.sampled_from(sorted(CELLS)),
    st.sampled_from([WIRINGS[name]() for name in WIRINGS if name != "relative_position"]),
    st.one_of(st.sampled_from([SPARSITIES[name]() for name in SPARSITIES]), st.builds(Budget, st.floats(0.1, 1), st.booleans())),
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "task": st.builds(
            lambda shots, turns: FewShotDigits(8, False, turns, 2, shots, 2), st.integers(1, 9), st.sampled_from([(0,), (1, 3)])
        ),
        "decoder": decoders,
        "learner": st.one_of(
            st.sampled_from([cls() for cls in LEARNERS.values() if home(cls()) == CHAIN and cls().rhythm == 1]),
            st.builds(Episodic, counts),
        ),
        "strategy": st.builds(
            Strategy, st.sampled_from(sorted(STRATEGIES)), st.integers(2, 50).map(lambda n: 2 * n), positive, positive,
            options=st.dictionaries(st.sampled_from(["elite_ratio", "crossover_rate"]), st.floats(0, 1)),
        ),
        "schedule": st.builds(Schedule, counts, counts, counts, counts, counts, st.integers(0, 9)),
        "fitness": st.builds(Fitness, st.sampled_from(["aulc", "final", "slope"]), positive, st.floats(-1e3, -1)),
        "comparison": st.builds(Comparison, st.integers(2, 99), st.sampled_from(["test", "validation"]), st.just((0.5, 0.75))),
        "seed": st.integers(0, 2**31),
    },
)  # fmt: skip


def _through_files(experiment: Experiment) -> list[Experiment]:
    plain = to_plain(experiment)
    return [from_plain(Experiment, data) for data in (yaml.safe_load(yaml.safe_dump(plain)), json.loads(json.dumps(plain)))]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_file(name: str) -> None:
    experiment = PRESETS[name]()
    assert _through_files(experiment) == [experiment] * 2


@given(changes)
def test_any_configuration_survives_the_file(changes: dict[str, Any]) -> None:
    experiment = digits_experiment(**changes)
    assert _through_files(experiment) == [experiment] * 2


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, registry in REGISTRIES.items() for name in registry])
def test_every_registered_part_is_read_by_its_name(kind: type, name: str) -> None:
    part = REGISTRIES[kind][name]()
    assert from_plain(kind, name) == part
    assert from_plain(kind, to_plain(part)) == part
    assert to_plain(part)["kind"] == name


def test_a_decoder_is_read_by_its_name() -> None:
    for name, decoder in DECODERS.items():
        assert from_plain(Decoder, name) == decoder


def _edited(path: str, value: Any) -> dict[str, Any]:
    plain = to_plain(digits_experiment())
    *parents, last = path.split(".")
    inner = plain
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schedule.generation", 3, "config.schedule: unknown name 'generation'; did you mean 'generations'?"),
        ("scedule", {}, "config: unknown name 'scedule'; did you mean 'schedule'?"),
        ("schedule.generations", "many", "config.schedule.generations: expected int, given 'many'"),
        ("schedule.generations", True, "config.schedule.generations: expected int, given True"),
        ("schedule.generations", 2.5, "config.schedule.generations: expected int, given 2.5"),
        ("schedule", 5, "config.schedule: expected a mapping with the fields of Schedule, given 5"),
        ("task.rotations", 0, r"config.task.rotations: expected a list, given 0"),
        ("task.rotations", [0, "left"], r"config.task.rotations\[1\]: expected int, given 'left'"),
        ("task.kind", "few-shot-digit", "config.task.kind: unknown name 'few-shot-digit'; did you mean 'few-shot-digits'?"),
        ("task", {"ways": 2}, "config.task: needs a kind, one of .*few-shot-digits"),
        ("decoder", "retinotopc", "config.decoder: unknown name 'retinotopc'; did you mean 'retinotopic'?"),
        ("decoder.cells", "gradient", "config.decoder.cells.kind: unknown name 'gradient'; did you mean 'gradients'?"),
        ("learner.loss", "crossentropy", "config.learner.loss: unknown name 'crossentropy'; did you mean 'cross_entropy'?"),
        ("learner.optimiser", 3, "config.learner.optimiser: 3 cannot be read from a file; expected"),
        ("strategy.options", [1], r"config.strategy.options: expected a mapping, given \[1\]"),
        ("strategy.options", {"elite_ratio": "all"}, "config.strategy.options.elite_ratio: expected float, given 'all'"),
        ("substrate.populations", [{"grid": [2]}], r"config.substrate.populations\[0\]: missing name"),
        ("comparison.split", "tests", "config.comparison.split: unknown name 'tests'; did you mean 'test'?"),
        ("fitness.worst", None, "config.fitness.worst: expected float, given None"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_path(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        from_plain(Experiment, _edited(path, value))


def test_whole_numbers_are_read_as_floats_where_floats_are_wanted() -> None:
    assert from_plain(Experiment, _edited("strategy.sigma", 1)).strategy.sigma == 1.0


def test_what_no_file_can_hold_is_named() -> None:
    with pytest.raises(ValueError, match=r"config.learner.optimiser.*cannot be written to a file"):
        to_plain(digits_experiment(learner=Gradient(optax.sgd(0.1))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": FewShotDigits(canvas=9, ways=2)}, "the input population 'input' has 64 neurons, the task has 81 inputs"),
        ({"task": FewShotDigits(canvas=8, ways=3)}, "the output population 'output' has 2 neurons, the task has 3 outputs"),
        (
            {"learner": Gradient(loss="squared_error")},
            "loss is squared_error, but the task is a classification; use cross_entropy",
        ),
        ({"fitness": Fitness(also={"retention": 1.0})}, "retention needs a task whose lives have phases"),
        ({"learner": Gradient(heads=3)}, "2 outputs do not fall into 3 heads"),
        ({"decoder": replace(DECODERS["direct"], sparsity=Budget(0.01))}, "disconnects the outputs"),
        ({"decoder": replace(DECODERS["direct"], wiring=RelativePosition())}, "needs populations of equal dimension"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digits_experiment(**changes)


def test_a_substrate_is_fitted_to_its_task_and_otherwise_kept() -> None:
    substrate, task = digits_experiment().substrate, FewShotDigits(canvas=10, ways=3)
    new = fitted(substrate, task)
    assert [(p.name, p.grid) for p in new.populations] == [("input", (10, 10)), ("hidden", (4,)), ("output", (3,))]
    assert new.projections == substrate.projections
    assert fitted(mlp((1, 5, 1)), Sine()) == mlp((1, 5, 1))
