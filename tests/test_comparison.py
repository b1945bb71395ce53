import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import evodev
from evodev.across import across_runs
from evodev.baselines import BASELINES, Arm, Setting
from evodev.comparison import CENTROID, CHAMPION, asked_for, champion_arms, judge, synapses_of
from evodev.experiment import Experiment
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.ledgers import cost, ledger, samples_saved
from evodev.lifetime import Energy, LifetimeLog, probe_steps
from evodev.measurement import Comparison, measure, trade_off
from evodev.network import Network
from evodev.organism import Organism
from evodev.report.table import console_table, rows
from evodev.search import Schedule
from evodev.statistics import interval
from evodev.strategies import Strategy
from evodev.substrate import mlp
from evodev.tasks import Acting, Bandit, ContinualDigits, Task
from evodev.types import Genes, Key
from tests.tiny import CHAIN, DIRECT, Blobs, Guess, Levers, Line, digits_experiment, guesser

ROUTINE = {name for name, baseline in BASELINES.items() if baseline.routine}
EVOLVED = {name for name in BASELINES if "evolved hyperparameters" in name}
BUDGET = 100


def _compare(organism: Organism, task: Task, config: Comparison, **options: Any) -> dict[str, Any]:
    """A comparison of a random genome, as if 100 lives had been spent on it."""
    genomes = jax.random.normal(jax.random.key(0), (3, organism.genome_spec.size))
    setting = Setting(
        organism=organism,
        champion=genomes[0],
        initial=genomes[2],
        synapses=synapses_of(organism, genomes[0], key=jax.random.key(0)),
        task=task,
        strategy=Strategy("Open_ES", 4),
        schedule=Schedule(2, lives=2, validation_lives=2, block=1, probes=2),
        fitness=Fitness(),
        budget=BUDGET,
        evolve=config.evolve_baselines,
        seed=0,
    )
    own = champion_arms(organism, genomes[0], genomes[1])
    return judge(setting, [*own, *options.pop("arms", ())], config, **options)


@dataclass(frozen=True)
class Relabelled:
    """Development followed by another numbering of the hidden neurons."""

    organism: Organism

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
        network, genes = self.organism.develop(subject, key=key)
        order = jnp.array([2, 0, 3, 1])

        def renumbered(part: dict[str, Any]) -> dict[str, Any]:
            return {"input->hidden": part["input->hidden"][:, order], "hidden->output": part["hidden->output"][order]}

        biases = network.biases | {"hidden": network.biases["hidden"][order]}
        return replace(network, weights=renumbered(network.weights), masks=renumbered(network.masks), biases=biases), genes


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return digits_experiment()


@pytest.fixture(scope="module")
def result(experiment: Experiment) -> dict[str, Any]:
    """All arms but the slowest on tiny digits, and the champion with its hidden neurons renumbered."""
    organism = experiment.organism
    champion = jax.random.normal(jax.random.key(0), (3, organism.genome_spec.size))[0]
    relabelled = Arm(
        "relabelled", "control", champion, Relabelled(organism), organism.learner, organism.substrate, stochastic=False
    )
    return _compare(organism, experiment.task, experiment.comparison, arms=[relabelled])


def _check_interval(entry: dict[str, float]) -> None:
    assert entry["lo"] <= entry["value"] <= entry["hi"]


def _check_arm(name: str, arm: dict[str, Any], samples: list[int]) -> None:
    """The entry of one arm as the design describes it."""
    assert arm["role"] in ("evolved", "baseline", "control", "reference")
    assert isinstance(arm["synapses"], int)
    assert arm["density"] >= 0
    assert arm["genome_size"] is None or arm["genome_size"] > 0
    assert 0 <= arm["failed"] <= 1
    assert arm["note"] or name == "relabelled"
    for curve in arm["curves"].values():
        lo, mean, hi = (np.array(curve[k]) for k in ("lo", "mean", "hi"))
        assert len(mean) == len(samples)
        assert (lo - 1e-9 <= mean).all()
        assert (mean <= hi + 1e-9).all()
    scores = arm["scores"]
    assert scores["synops_per_sample"] >= 0
    if "loss" in arm["curves"]:
        for score in ("aulc", "jumpstart", "slope_aligned", "asymptote", "aulc_minus_champion"):
            _check_interval(scores[score])
    if "accuracy" in arm["curves"]:
        assert set(scores["samples_to"]) == {"0.5", "0.7", "0.9"}
        for reached in scores["samples_to"].values():
            _check_interval(reached)
            assert 0 <= reached["censored"] <= 1
            assert 0 <= reached["value"] <= samples[-1]
        assert scores["operations_to"].keys() == scores["samples_to"].keys()
    if "energy" in scores:
        for spent in scores["energy"].values():
            _check_interval(spent)
        assert 0 <= scores["energy"]["active"]["value"] <= 1
        assert 0 < scores["energy"]["traffic"]["value"] <= scores["energy"]["dense"]["value"]


def test_evolved_arms_say_how_compact_they_are(experiment: Experiment, result: dict[str, Any]) -> None:
    spec = experiment.organism.genome_spec
    for name, arm in result["arms"].items():
        assert ("compactness" in arm) == (arm["role"] == "evolved"), name
    ledger = result["arms"][CHAMPION]["compactness"]
    # half of (64 x 4 + 4 x 2) synapses, 8 of them the blank read-out, which no gene shapes
    assert (ledger["genome_numbers"], ledger["genome_bits"], ledger["synapses"]) == (spec.size, spec.bits, 124)
    assert ledger["factor_bits"] == 32 * 124 / spec.bits < 1
    assert ledger["larger"] is True
    merged = across_runs([result, result])["arms"][CHAMPION]["compactness"]
    assert merged == ledger


def test_every_baseline_and_control_that_applies_becomes_an_arm(result: dict[str, Any]) -> None:
    assert set(result["arms"]) == {CHAMPION, CENTROID, "relabelled", *ROUTINE} - EVOLVED
    for name in set(BASELINES) & set(result["arms"]):
        assert result["arms"][name]["role"] == BASELINES[name].role
        assert result["arms"][name]["failed"] == 0


def test_the_comparison_has_the_schema_of_the_design(result: dict[str, Any], experiment: Experiment) -> None:
    result = json.loads(json.dumps(result))
    assert result["schema_version"] == 1
    assert (result["task"], result["split"]) == ("FewShotDigits", "test")
    assert result["samples"] == list(probe_steps(3, 2))
    assert result["chance"] == 0.5
    for name, arm in result["arms"].items():
        _check_arm(name, arm, result["samples"])
    assert {"outer_lifetimes", "outer_samples", "baseline_tuning_lifetimes", "break_even_lives"} <= result["ledger"].keys()
    assert result["ledger"]["outer_lifetimes"] == BUDGET
    assert result["ledger"]["outer_samples"] == BUDGET * experiment.task.steps * experiment.task.batch


def test_sparse_arms_have_the_champions_synapses_and_dense_ones_all(result: dict[str, Any], experiment: Experiment) -> None:
    arms, possible = result["arms"], experiment.substrate.synapses
    champion = arms[CHAMPION]["synapses"]
    assert 0 < champion <= 0.5 * possible
    for name, arm in arms.items():
        if name.startswith("dense"):
            assert arm["synapses"] == possible
        if name.startswith("random sparse"):
            assert arm["synapses"] == pytest.approx(champion, rel=0.25)
        if name.startswith("champion's mask") or name == "shuffled genome":
            assert arm["synapses"] == champion
        if arm["role"] == "reference":
            assert arm["synapses"] == 0


def test_arms_that_no_other_is_better_than_in_all_are_marked(result: dict[str, Any]) -> None:
    points = {name: arm["objectives"] for name, arm in result["arms"].items() if "loss" in arm["curves"]}
    marked = {name for name, arm in result["arms"].items() if arm.get("pareto")}
    assert marked
    assert {name for name, arm in result["arms"].items() if "pareto" in arm} == set(points)
    for name, own in points.items():
        assert own["aulc"] == pytest.approx(-result["arms"][name]["scores"]["aulc"]["value"], rel=1e-4)
        assert own["operations"] == pytest.approx(-result["arms"][name]["scores"]["synops_per_sample"] / 1000, rel=1e-4)
        beaten = any(all(o[k] >= own[k] for k in own) and o != own for o in points.values())
        assert (name in marked) == (not beaten)


def test_every_arm_that_lives_as_a_network_says_what_answering_costs(result: dict[str, Any]) -> None:
    assert all("energy" in arm["scores"] for arm in result["arms"].values() if "loss" in arm["curves"])
    assert result["arms"][CHAMPION]["scores"]["energy"]["updates"]["value"] > 0


def test_only_tuned_baselines_spent_lives(result: dict[str, Any]) -> None:
    spent = {name: arm["tuning_lives"] for name, arm in result["arms"].items() if arm["tuning_lives"]}
    assert set(spent) == {"dense, tuned backprop", "random sparse, tuned backprop"}
    assert result["ledger"]["baseline_tuning_lifetimes"] == sum(spent.values())
    assert result["ledger"]["best_baseline"] in spent


def test_the_numbering_of_hidden_neurons_changes_nothing(result: dict[str, Any]) -> None:
    for score in ("aulc", "jumpstart"):
        for bound in ("value", "lo", "hi"):
            own, renumbered = (result["arms"][name]["scores"][score][bound] for name in (CHAMPION, "relabelled"))
            assert own == pytest.approx(renumbered, rel=1e-4)
    assert result["arms"]["relabelled"]["scores"]["aulc_minus_champion"]["value"] == pytest.approx(0, abs=1e-4)


def test_arms_live_the_same_lives_so_that_a_copy_differs_by_nothing(result: dict[str, Any]) -> None:
    assert result["arms"][CHAMPION]["scores"]["aulc_minus_champion"] == {"value": 0.0, "lo": 0.0, "hi": 0.0}


def test_arms_asked_for_by_name_calibrate_the_comparison(experiment: Experiment, one_device: None) -> None:
    names = ["neurons relabelled", "learning off"]
    result = _compare(experiment.organism, experiment.task, experiment.comparison, names=names)
    assert set(result["arms"]) == {CHAMPION, CENTROID, *names}
    for name in names:
        _check_arm(name, result["arms"][name], result["samples"])
    for bound in ("value", "lo", "hi"):
        assert result["arms"]["neurons relabelled"]["scores"]["aulc_minus_champion"][bound] == pytest.approx(0, abs=1e-5)
    own, inborn = (result["arms"][name]["curves"]["loss"]["mean"] for name in (CHAMPION, "learning off"))
    assert inborn == pytest.approx([own[0]] * len(own), rel=1e-5)
    assert abs(own[-1] - own[0]) > 1e-3


@pytest.mark.slow
def test_baselines_with_evolved_hyperparameters_stay_within_the_budget(experiment: Experiment, one_device: None) -> None:
    config = replace(experiment.comparison, evolve_baselines=True)
    result = _compare(experiment.organism, experiment.task, config, names=sorted(EVOLVED))
    assert set(result["arms"]) >= EVOLVED
    for name in EVOLVED:
        _check_arm(name, result["arms"][name], result["samples"])
        assert result["arms"][name]["genome_size"] > 0
        assert result["arms"][name]["tuning_lives"] > 30 * 8


def test_regression_is_compared_by_loss_alone() -> None:
    result = _compare(guesser(), Line(), Comparison(lives=8, evolve_baselines=False), names=["initial genome", "1-NN on inputs"])
    assert set(result["arms"]) == {CHAMPION, CENTROID, "initial genome"}
    assert result["chance"] is None
    for name, arm in result["arms"].items():
        assert set(arm["curves"]) == {"loss"}
        assert "samples_to" not in arm["scores"]
        _check_arm(name, arm, result["samples"])


def test_a_continual_life_also_tells_what_was_retained(one_device: None) -> None:
    task = ContinualDigits(phases=2, shots=2, probes=2, canvas=8, scenario="task")
    organism = Organism(mlp((64, 3, 4)), DIRECT, Gradient(heads=2))
    config = Comparison(lives=4, bootstrap=100, evolve_baselines=False)
    result = _compare(organism, task, config, names=["dense + champion's learner", "1-NN on inputs"])
    assert len(result["arms"]) == 4
    for name, arm in result["arms"].items():
        _check_arm(name, arm, result["samples"])
        _check_interval(arm["scores"]["retention"])
        assert -1 <= arm["scores"]["retention"]["value"] <= 1
    header, body = rows(result)
    assert all("[" in row[header.index("retention")] for row in body)


def test_a_perfect_guess_has_no_loss() -> None:
    organism = Organism(guesser().substrate, DIRECT, Guess(center=1.0))
    given = jnp.zeros(organism.genome_spec.size)
    network, genes = organism.develop(given, key=jax.random.key(0))
    mine = evodev.arm("mine", network, organism.learner, organism.substrate, genes=genes)
    result = evodev.compare(Line(), [mine], Comparison(lives=4), names=[])
    assert result["judged"] == "mine"
    assert result["arms"]["mine"]["scores"]["aulc"]["value"] == pytest.approx(0, abs=1e-6)
    assert result["arms"]["mine"]["scores"]["jumpstart"]["value"] == pytest.approx(1.0)


# parts of a comparison


def _setting(**changes: Any) -> Setting:
    organism = Organism(CHAIN, DIRECT, Gradient())
    genome = jnp.zeros(organism.genome_spec.size)
    setting = Setting(
        organism, genome, genome, 40, Blobs(shots=4), Strategy("Open_ES", 4), Schedule(), Fitness(), BUDGET, evolve=False, seed=0
    )
    return replace(setting, **changes)


def test_a_diverged_life_counts_as_the_worst_in_every_mean() -> None:
    loss = jnp.array([[1.0, 0.5, 0.5, 0.5, 0.5], [1.0, jnp.nan, jnp.inf, 1e9, 0.5]])
    log = LifetimeLog(loss, jnp.zeros((2, 5)).at[1, 2].set(jnp.nan), jnp.zeros(2), jnp.full(2, 40.0), jnp.array([False, True]))
    setting = _setting(fitness=Fitness(worst=-10.0))
    arm = champion_arms(setting.organism, setting.champion, setting.champion)[0]
    entry = measure(arm, log, setting, Comparison(bootstrap=100))
    assert entry["failed"] == 0.5
    assert entry["curves"]["loss"]["mean"] == pytest.approx([1.0, 5.25, 5.25, 5.25, 0.5])
    assert np.isfinite(entry["curves"]["accuracy"]["mean"]).all()


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = rng.exponential(size=(300, 60))  # skewed, as losses are
    bounds = [interval(sample, 300, seed=i)[1:] for i, sample in enumerate(draws)]
    covered = np.mean([lo <= 1.0 <= hi for lo, hi in bounds])
    assert 0.88 < covered < 0.99


def test_an_interval_keeps_the_shape_and_contains_the_mean() -> None:
    values = np.random.default_rng(1).normal(size=(20, 3, 2))
    mean, lo, hi = interval(values, 200)
    assert mean.shape == lo.shape == hi.shape == (3, 2)
    np.testing.assert_allclose(mean, values.mean(0))
    assert ((lo < mean) & (mean < hi)).all()
    assert interval(np.ones(5), 100) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("own", "rival", "saved"),
    [
        ([4, 2, 1, 1], [4, 3, 2, 2], 3.0),  # reaches 2 at step 1 instead of 4
        ([4, 3, 1, 1], [4, 3, 3, 2], 2.5),  # reaches 2 half way between steps 1 and 2
        ([1, 1, 1, 1], [4, 3, 3, 2], 4.0),  # is there at birth
        ([4, 4, 4, 3], [4, 3, 3, 2], 0.0),  # never gets there
        ([4, 3, 3, 2], [4, 3, 3, 2], 0.0),  # is no faster
    ],
)
def test_samples_saved_by_hand(own: list[int], rival: list[int], saved: float) -> None:
    assert samples_saved(np.array([0.0, 1, 2, 4]), np.array(own, float), np.array(rival, float)) == pytest.approx(saved)


def _entry(role: str, loss: list[float], tuning: int = 0) -> dict[str, Any]:
    return {
        "role": role,
        "tuning_lives": tuning,
        "curves": {"loss": {"mean": loss}},
        "scores": {"aulc": {"value": np.mean(loss[1:])}},
    }


@pytest.mark.parametrize(
    ("champion", "saved", "even"),
    [
        ([4.0, 1.0, 1.0, 1.0], 2 * 3.0, (BUDGET - 30) * 8 / 6.0),  # reaches 1 at step 1, not 4; two samples a step
        ([4.0, 3.9, 3.9, 3.9], None, None),
    ],
)
def test_the_ledger_says_when_a_search_has_paid_for_itself(
    champion: list[float], saved: float | None, even: float | None
) -> None:
    report = {
        CHAMPION: _entry("evolved", champion),
        "slow": _entry("baseline", [4.0, 4.0, 4.0, 4.0], tuning=50),
        "tuned": _entry("baseline", [4.0, 3.0, 2.0, 1.0], tuning=30),
        "untuned": _entry("baseline", [0.0, 0.0, 0.0, 0.0]),
    }
    setting = _setting(schedule=Schedule(probes=3))
    out = ledger(setting, report, CHAMPION)
    assert (out["outer_lifetimes"], out["outer_samples"], out["baseline_tuning_lifetimes"]) == (BUDGET, 800, 80)
    assert out["best_baseline"] == "tuned"
    assert out.get("samples_saved_per_life") == saved
    assert out["break_even_lives"] == (even if even is None else pytest.approx(even))


def test_an_arm_that_does_not_tell_its_traffic_has_no_trade_off_with_it() -> None:
    loss, one = np.ones((2, 3)), np.ones(2)
    log = LifetimeLog(loss, loss, 1000 * one, one, np.zeros(2, bool))  # type: ignore[arg-type]
    told = replace(log, energy=Energy(loss, 4000 * loss, one, one))  # type: ignore[arg-type]
    for own in (told, log):
        assert trade_off(own, Fitness(traffic_cost=1.0), (0, 1, 2)) == {"aulc": -1.0, "operations": -1.0}
    both = Fitness(objectives=("traffic", "final"))
    assert trade_off(told, both, (0, 1, 2)) == {"traffic": -4.0, "final": -1.0}
    assert trade_off(log, both, (0, 1, 2)) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Comparison(lives=1), "lives must be at least 2"),
        (lambda: Comparison(split="tests"), "split is 'tests'; one of train, validation, test"),  # type: ignore[arg-type]
        (lambda: Comparison(bootstrap=10), "bootstrap must be at least 100"),
    ],
)
def test_an_impossible_comparison_is_refused(make: Callable[[], Comparison], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("task", [Levers(episodes=3), Bandit(episodes=3)], ids=["one span", "a span a world"])
def test_a_life_that_acts_has_returns_and_samples_to_a_score(task: Acting) -> None:
    schedule = probe_steps(3)
    loss = jnp.array([[1.0, 0.5, 0.25, 0.0], [1.0, 1.0, 1.5, jnp.nan]])
    ones = jnp.ones(2)
    log = LifetimeLog(loss, 1 - loss, 10 * ones, 4 * ones, jnp.array([False, True]), batch=task.batch)
    body = mlp((task.inputs, 2, task.outputs))
    arm = Arm("x", "evolved", None, Relabelled(guesser()), Guess(), body, stochastic=False)
    setting = Setting(
        guesser(), jnp.zeros(1), jnp.zeros(1), 4, task, Strategy(), Schedule(2, lives=2), Fitness(), 10, evolve=False, seed=0
    )
    entry = measure(arm, log, setting, Comparison(bootstrap=100))
    low, high = task.span or (0.0, 1.0)
    # a life that failed has the return of acting at random where it did
    np.testing.assert_allclose(entry["curves"]["return"]["mean"], low + (high - low) * np.array([0, 0.25, 0.125, 0.5]), atol=1e-6)
    assert "accuracy" not in entry["curves"]
    found = entry["scores"]["samples_to"]["0.5"]
    assert (found["value"], found["censored"]) == ((1 + schedule[-1]) / 2, 0.5)


# what is kept, and anyone's network


class Counted(dict[str, Any]):
    """A memory that breaks off after so many arms."""

    left = 3

    def __setitem__(self, key: str, value: Any) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().__setitem__(key, json.loads(json.dumps(value)))


def test_a_comparison_that_was_broken_off_goes_on_where_it_was(one_device: None) -> None:
    names = ["champion's mask, shuffled weights", "initial genome", "1-NN on inputs"]
    organism, task, config = (
        Organism(CHAIN, DIRECT, Gradient()),
        Blobs(shots=4),
        Comparison(lives=4, bootstrap=100, levels="none"),
    )
    whole = _compare(organism, task, config, names=names)
    kept, said = Counted(), list[str]()
    with pytest.raises(KeyboardInterrupt):
        _compare(organism, task, config, names=names, kept=kept)
    kept.left = 9
    again = _compare(organism, task, config, names=names, kept=kept, say=said.append)
    assert [line for line in said if "kept from before" in line] == [
        f"{name}: kept from before" for name in (CHAMPION, CENTROID, "initial genome")
    ]
    for result in (whole, again):
        for entry in result["arms"].values():
            del entry["seconds"], entry["tuning"]
        del result["ledger"]
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(whole))
    # other lives are other content
    _compare(organism, task, replace(config, lives=5), names=["1-NN on inputs"], kept=kept, say=said.append)
    assert said[-1] == "1-NN on inputs: done"


def test_an_arm_is_the_same_whatever_others_are_asked_for_beside_it(one_device: None) -> None:
    organism, config = Organism(CHAIN, DIRECT, Gradient()), Comparison(lives=4, bootstrap=100, levels="none")
    name = "champion's mask, fresh weights"
    alone, among = (
        _compare(organism, Blobs(shots=4), config, names=names)["arms"][name] for names in ([name], ["initial genome", name])
    )
    assert alone["curves"] == among["curves"]


def test_anyones_network_is_set_against_baselines_and_taken_apart(one_device: None) -> None:
    task, learner = Blobs(shots=4), Gradient()
    weights = {p.name: 0.3 * jax.random.normal(jax.random.key(i), CHAIN.shape(p)) for i, p in enumerate(CHAIN.projections)}
    masks = {name: (jnp.abs(w) > 0.1).astype(jnp.float32) for name, w in weights.items()}
    ones = {p.name: jnp.ones(p.size) for p in CHAIN.populations}
    network = Network({n: w * masks[n] for n, w in weights.items()}, masks, {}, {n: 0 * o for n, o in ones.items()}, ones)
    mine = evodev.arm("mine", network, learner, CHAIN, note="by hand")
    names = ["champion's mask, fresh weights", "random genome", "initial genome", "neurons relabelled", "1-NN on inputs"]
    config = evodev.Comparison(lives=4, bootstrap=100)
    result = evodev.compare(task, [mine], config, names=names)
    # what never grew from genes has no genome to be redrawn
    assert set(result["arms"]) == {"mine", "champion's mask, fresh weights", "neurons relabelled", "1-NN on inputs"}
    synapses = int(sum(mask.sum() for mask in masks.values()))
    assert result["arms"]["mine"]["synapses"] == result["arms"]["champion's mask, fresh weights"]["synapses"] == synapses
    assert result["arms"]["neurons relabelled"]["scores"]["aulc_minus_champion"]["value"] == pytest.approx(0, abs=1e-5)
    assert set(result["levels"]) == {"train", "validation"}
    assert set(result["levels"]["train"]["arms"]) == {"mine", "1-NN on inputs"}
    assert result["winners_curse"] is None
    console_table(result)
    with pytest.raises(ValueError, match=r"projection .* needs weights of shape \(.*\), given \(1, 1\)"):
        evodev.arm("mine", replace(network, weights=dict.fromkeys(weights, jnp.ones((1, 1)))), learner, CHAIN)
    with pytest.raises(ValueError, match=r"arm 'mine': needs an evodev\.network\.Network, given int"):
        inspect.unwrap(evodev.arm)("mine", cast(Any, 3), learner, CHAIN)
    with pytest.raises(ValueError, match=r"arm 'mine': the input population 'input' has \d+ neurons, the task has 9 inputs"):
        evodev.compare(Blobs(features=9), [mine], config, names=[])
    with pytest.raises(ValueError, match="arms: two have one name"):
        evodev.compare(task, [mine, mine], config, names=[])
    with pytest.raises(ValueError, match="arms: give at least one of your own"):
        evodev.compare(task, [], config)


def test_the_choice_of_a_champion_is_repeated_on_fresh_lives(one_device: None) -> None:
    organism, config = Organism(CHAIN, DIRECT, Gradient()), Comparison(lives=16, bootstrap=100)
    result = _compare(organism, Blobs(shots=4), config, names=[], selected=-0.1)
    curse, level = result["winners_curse"], result["levels"]["validation"]["arms"]
    assert curse["selected"]["value"] == -0.1
    assert curse["fresh"] == level[CHAMPION]["fitness"]
    # nothing is held out of this task, so that all its levels are fresh draws of one family
    own = result["arms"][CHAMPION]["scores"]["aulc"]
    assert own["lo"] - 0.3 < level[CHAMPION]["aulc"]["value"] < own["hi"] + 0.3
    assert level[CHAMPION]["aulc"]["value"] != own["value"]


def test_what_tuning_took_is_told_in_all_units(result: dict[str, Any], experiment: Experiment) -> None:
    samples = experiment.task.steps * experiment.task.batch
    for name, entry in result["arms"].items():
        tuning = entry["tuning"]
        assert (tuning["lives"], tuning["samples"]) == (entry["tuning_lives"], entry["tuning_lives"] * samples), name
        assert tuning["environment_steps"] is None
        assert tuning["operations"] == pytest.approx(tuning["samples"] * entry["scores"]["synops_per_sample"])
    search, both = result["ledger"]["search"], result["ledger"]["baselines"]
    assert (search["lives"], search["samples"]) == (BUDGET, BUDGET * samples)
    assert both["lives"] == result["ledger"]["baseline_tuning_lifetimes"]
    assert both["seconds"] > 0
    acting = cost(3, 10.0, _setting(task=Levers(episodes=5)))
    assert (acting["samples"], acting["environment_steps"], acting["operations"]) == (0, 3 * 5 * 2, 3 * 5 * 2 * 10.0)


def test_slow_baselines_are_built_only_when_asked_for_by_name() -> None:
    assert set(asked_for(None)) == ROUTINE
    assert "MAML" not in ROUTINE
    assert set(asked_for(["initial genome", "maml"])) == {"MAML", "initial genome"}
    assert asked_for(["all"]) == BASELINES
    assert set(asked_for(["factorial"])) == {name for name in BASELINES if name.startswith("factorial T")}
    with pytest.raises(ValueError, match="did you mean 'Reptile'"):
        asked_for(["reptil"])
