"""Searches merged over their seeds: means with intervals, tests, profiles, and what no outcome could show."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from evodev.across import THRESHOLDS, across_runs, fairness_across, power_of, profiles
from evodev.baselines.factorial import cell
from evodev.comparison import CENTROID, CHAMPION
from evodev.fairness import rules
from evodev.measurement import mark_front
from evodev.statistics import holm, interval, jointly, paired

RNG = np.random.default_rng(0)


def _run(value: float, **changes: Any) -> dict[str, Any]:
    value_and = {"value": value, "lo": 0, "hi": 9}
    arm = {
        "role": "evolved", "synapses": round(100 * value), "note": "same", "chosen": f"rate {value}",
        "curves": {"loss": {"mean": [value, 0.0], "lo": [0.0, 0.0], "hi": [9.0, 9.0]}},
        "scores": {"aulc": {"value": value, "lo": 0.0, "hi": 9.0}, "samples_to": {"0.5": value_and | {"censored": 0.5}}},
    }  # fmt: skip
    only = {"extra": arm} if value == 1.0 else {}
    ledger = {"outer_lifetimes": 10, "break_even_lives": None}
    whole = {"task": "Toy", "split": "test", "samples": [0, 1], "arms": {"a": arm, **only}, "ledger": ledger}
    return whole | {"intervals": "over lives"} | changes


def test_fronts_of_arms_are_those_of_the_merged_means() -> None:
    def arm(aulc: float, operations: float) -> dict[str, Any]:
        return {"role": "evolved", "objectives": {"aulc": aulc, "operations": operations}}

    # each wins once; on the average a is as dear as b and worse
    arms = (
        {"a": arm(-1.0, -2.0), "b": arm(-2.0, -3.0), "none": {"role": "reference"}},
        {"a": arm(-3.0, -4.0), "b": arm(-1.0, -3.0)},
    )
    for own in arms:
        mark_front(own)
    assert [{n: a["pareto"] for n, a in own.items() if "pareto" in a} for own in arms] == [
        {"a": True, "b": False},
        {"a": False, "b": True},
    ]
    merged = across_runs([_run(1.0, arms=own) for own in arms])["arms"]
    assert merged == {"a": arm(-2.0, -3.0) | {"pareto": False}, "b": arm(-1.5, -3.0) | {"pareto": True}}


def test_several_runs_are_merged_with_intervals_over_runs() -> None:
    values = [1.0, 2.0, 4.0, 5.0]
    merged = across_runs([_run(v) for v in values], bootstrap=200)
    assert set(merged["arms"]) == {"a"}
    arm = merged["arms"]["a"]
    mean, lo, hi = map(float, interval(np.array(values), 200))
    assert arm["scores"]["aulc"] == pytest.approx({"value": mean, "lo": lo, "hi": hi})
    assert arm["curves"]["loss"]["mean"] == pytest.approx([mean, 0.0])
    assert arm["curves"]["loss"]["hi"] == pytest.approx([hi, 0.0])
    assert arm["scores"]["samples_to"]["0.5"]["censored"] == 0.5
    assert (arm["synapses"], arm["note"], arm["chosen"]) == (300, "same", None)
    assert merged["ledger"] == {"outer_lifetimes": 10, "break_even_lives": None}
    assert "4 searches" in merged["intervals"]


@pytest.mark.parametrize("changes", [{"task": "Other"}, {"split": "validation"}, {"samples": [0, 2]}])
def test_runs_of_different_kinds_are_not_merged(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"compare: runs differ in {next(iter(changes))}: .*; compare like with like"):
        across_runs([_run(1.0), _run(2.0, **changes)])


def test_a_factorial_of_several_runs_has_intervals_over_runs() -> None:
    def arm(aulc: float) -> dict[str, Any]:
        return {"role": "control", "scores": {"aulc": {"value": aulc, "lo": aulc, "hi": aulc}}}

    whole, without = cell((True,) * 4), cell((False, True, True, True))
    runs = [_run(1.0, arms={whole: arm(1.0), without: arm(1.0 + gain)}, factorial={}) for gain in (1.0, 3.0)]
    topology = across_runs(runs, bootstrap=200)["factorial"]["topology"]
    assert topology["main"] == topology["last"]
    assert (topology["main"]["value"], topology["main"]["lo"], topology["main"]["hi"]) == (2.0, 1.0, 3.0)
    assert across_runs([_run(1.0, factorial={}), _run(2.0, factorial={})])["factorial"] == {}


def test_levels_the_winners_curse_and_tuning_are_merged_where_every_run_has_them() -> None:
    def whole(value: float) -> dict[str, Any]:
        score = {"value": value, "lo": value - 1, "hi": value + 1}
        return _run(
            value,
            levels={"test": {"held_out": "classes", "arms": {"a": {"aulc": score, "final": score}}}},
            winners_curse={"selected": score, "fresh": score, "split": "validation"},
            ledger={"search": {"lives": 10, "seconds": 2 * value}, "break_even_lives": None if value > 1 else 5.0},
        )

    merged = across_runs([whole(1.0), whole(3.0)])
    between = {"value": 2.0, "lo": 1.0, "hi": 3.0}
    assert merged["levels"] == {"test": {"held_out": "classes", "arms": {"a": {"aulc": between, "final": between}}}}
    assert merged["winners_curse"] == {"selected": between, "fresh": between, "split": "validation"}
    assert merged["ledger"]["search"] == {"lives": 10, "seconds": 4.0}
    assert merged["ledger"]["break_even_lives"] is None, "one search never pays for itself, so nor do all of them"
    assert "levels" not in across_runs([whole(1.0), _run(2.0)])


AREAS: dict[str, np.ndarray] = {
    CHAMPION: np.linspace(0.30, 0.37, 8),
    CENTROID: np.linspace(0.30, 0.37, 8) + 0.01 * (-1.0) ** np.arange(8),
    "backprop": np.linspace(1.4, 1.5, 8)[::-1],
    "lucky": np.append(np.linspace(0.30, 0.36, 7) + 0.1, 0.1),
}
"""AULC by seed: a copy but for noise, one that is far worse, one that is worse in seven seeds of eight."""


def _of_seeds(areas: dict[str, np.ndarray] = AREAS, **changes: Any) -> list[dict[str, Any]]:
    """A comparison a seed, of arms with these AULCs and of one without a loss."""

    def arm(value: float | None) -> dict[str, Any]:
        curves = {"accuracy": {"mean": [0.2, 0.9], "lo": [0.1, 0.8], "hi": [0.3, 1.0]}}
        around = {} if value is None else {"value": value, "lo": value - 0.01, "hi": value + 0.01}
        return {"role": "baseline", "curves": curves, "scores": {"aulc": around, "jumpstart": around} if around else {}}

    return [
        _run(1.0, ignorant_loss=1.6, arms={n: arm(float(own[seed])) for n, own in areas.items()} | {"1-NN": arm(None)}, **changes)
        for seed in range(len(areas[CHAMPION]))
    ]


@pytest.fixture(scope="module")
def merged() -> dict[str, Any]:
    return across_runs(_of_seeds())


def test_every_seeds_scores_are_kept(merged: dict[str, Any]) -> None:
    for name, own in AREAS.items():
        assert merged["arms"][name]["by_seed"] == {"aulc": own.tolist(), "jumpstart": own.tolist(), "accuracy": [0.9] * 8}
    assert merged["arms"]["1-NN"]["by_seed"] == {"accuracy": [0.9] * 8}
    assert merged["seeds"] == 8


def test_arms_are_told_apart_from_the_champion_seed_by_seed(merged: dict[str, Any]) -> None:
    others = [n for n in AREAS if n != CHAMPION]
    verdicts = {n: paired(AREAS[n], AREAS[CHAMPION]) for n in others}
    corrected = dict(zip(others, holm([verdicts[n].p for n in others]), strict=True))
    for name in others:
        found = merged["arms"][name]["statistics"]
        assert found["difference"]["value"] == pytest.approx(AREAS[name].mean() - AREAS[CHAMPION].mean())
        assert found["difference"]["p"] == verdicts[name].p
        assert found["difference"]["p_holm"] == found["difference"]["p_corrected"] == corrected[name]
        own = stats.mannwhitneyu(AREAS[name], AREAS[CHAMPION]).statistic / 64
        assert found["improvement"]["value"] == pytest.approx(own), "lower is better"
        assert found["improvement"]["lo"] <= own <= found["improvement"]["hi"]
        assert found["iqm"]["value"] == pytest.approx(stats.trim_mean(AREAS[name], 0.25))
        told = {k: found["difference"][k] for k in ("value", "lo", "hi")}
        assert merged["arms"][name]["scores"]["aulc_minus_champion"] == told
    assert corrected["backprop"] == 3 * 2 / 2**8
    assert set(merged["arms"][CHAMPION]["statistics"]) == {"iqm"}
    assert "statistics" not in merged["arms"]["1-NN"]
    assert merged["power"] == {"arms": 3, "least_p": 2 / 2**8, "correction": "Holm", "cannot": "", "margin": pytest.approx(0.08)}


def test_equivalence_is_within_a_declared_share_of_what_ignorance_loses(merged: dict[str, Any]) -> None:
    near, far = (merged["arms"][n]["statistics"]["equivalence"] for n in (CENTROID, "backprop"))
    assert near["margin"] == pytest.approx(0.05 * 1.6)
    assert near["p"] <= near["p_holm"] < 0.01
    assert far["p"] > 0.99
    strict = across_runs(_of_seeds(), margin=1e-4)["arms"][CENTROID]["statistics"]["equivalence"]
    assert strict["margin"] == pytest.approx(1.6e-4)
    assert strict["p"] > 0.05
    unknown = across_runs([{**c, "ignorant_loss": None} for c in _of_seeds()])
    assert "equivalence" not in unknown["arms"][CENTROID]["statistics"]


def test_profiles_tell_the_share_of_seeds_at_or_below_each_threshold(merged: dict[str, Any]) -> None:
    thresholds = np.array(merged["profiles"]["thresholds"])
    assert (thresholds[0], thresholds[-1]) == (0.0, 1.5), "as far as any run"
    assert (np.diff(thresholds) > 0).all()
    assert set(merged["profiles"]["arms"]) == set(AREAS)
    for name, shares in merged["profiles"]["arms"].items():
        assert shares == [float(np.mean(AREAS[name] <= t)) for t in thresholds]


def test_profiles_of_many_runs_are_told_at_few_thresholds_and_reach_the_worst_of_them() -> None:
    many = {"a": RNG.uniform(0.1, 1.0, 400), "b": RNG.uniform(2.0, 3.0, 400)}
    found = profiles(many)
    assert len(found["thresholds"]) <= THRESHOLDS + 1
    assert found["thresholds"][-1] == many["b"].max()
    assert {name: shares[-1] for name, shares in found["arms"].items()} == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    ("seeds", "arms", "correction", "cannot"),
    [
        (2, 1, "Holm", "with 2 seeds no difference can be significant at 5%"),
        (5, 1, "Holm", "never below 0.062"),
        (6, 1, "Holm", ""),
        (10, 25, "Holm", ""),
        (10, 30, "joint", "with 10 seeds and 30 arms Holm's p is never below 0.059"),
    ],
)
def test_what_no_outcome_could_show_is_said(seeds: int, arms: int, correction: str, cannot: str) -> None:
    told = power_of(seeds, arms)
    assert told["correction"] == correction
    assert cannot in told["cannot"]
    assert bool(told["cannot"]) == bool(cannot)


def test_many_arms_are_corrected_by_joint_flips() -> None:
    champion = RNG.uniform(0.3, 0.4, 7)
    areas = {CHAMPION: champion} | {f"arm {i}": champion + RNG.uniform(0.5, 0.6, 7) for i in range(9)}
    merged = across_runs(_of_seeds(areas))
    assert merged["power"]["correction"] == "joint"
    differences = np.stack([areas[f"arm {i}"] - champion for i in range(9)], 1)
    for i, p in enumerate(jointly(differences)):
        found = merged["arms"][f"arm {i}"]["statistics"]["difference"]
        assert found["p_corrected"] == found["p_joint"] == p == 2 / 2**7
        assert found["p_holm"] == 9 * 2 / 2**7 > 0.05


def test_one_search_has_no_statistics() -> None:
    one = across_runs(_of_seeds()[:1])
    assert one["seeds"] == 1
    assert "profiles" not in one
    assert "power" not in one
    assert not any("statistics" in arm for arm in one["arms"].values())


def test_a_fairness_rule_holds_if_it_holds_in_every_run() -> None:
    def told(*holds: bool | None) -> list[dict[str, Any]]:
        return [{"rule": i + 1, "name": f"rule {i + 1}", "holds": h, "why": f"because {h}"} for i, h in enumerate(holds)]

    eleven = {"rule": 11, "name": "seeds", "holds": False, "why": "one"}
    merged = [*told(True, True, None, True, True), eleven | {"holds": True, "why": "twelve"}]
    runs = [[*told(True, True, True, None, True), eleven], [*told(True, False, None, None), eleven]]
    found = {r["rule"]: (r["holds"], r["why"]) for r in fairness_across(merged, runs)}
    assert found[1] == (True, "because True")
    assert found[2] == (False, "because False")
    assert found[3] == (None, "because None")
    assert found[4] == (None, "because None")
    assert found[5] == (None, "not told")
    assert found[11] == (True, "twelve")


def test_the_eleventh_rule_is_told_by_the_number_of_searches() -> None:
    def run(index: int) -> dict[str, Any]:
        one = _run(float(index + 1))
        return one | {"fairness": rules(one)}

    for seeds, holds in ((9, False), (10, True)):
        merged = across_runs([run(i) for i in range(seeds)], bootstrap=100)
        eleven = merged["fairness"][10]
        assert (eleven["rule"], eleven["holds"]) == (11, holds)
        assert str(seeds) in eleven["why"]
    assert "fairness" not in across_runs([run(0), _run(2.0)])


def test_arms_are_set_against_the_one_that_is_judged() -> None:
    merged = across_runs([c | {"judged": "backprop"} for c in _of_seeds()])
    assert set(merged["arms"]["backprop"]["statistics"]) == {"iqm"}
    assert merged["arms"][CHAMPION]["statistics"]["improvement"]["value"] == 0.0, "backprop is never better than it"
