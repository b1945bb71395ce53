from typing import Any

import pytest

from evodev.fairness import FACTORIAL, GENOMES, GEOMETRY, MASKS, META, TUNED, rules


def _comparison(*names: str, **more: Any) -> dict[str, Any]:
    arms = {
        name: {"scores": {"aulc_minus_champion": {"value": 0.0}}} for name in ("evolved champion", "evolved centroid", *names)
    }
    ledger = {"search": {}, "baselines": {}, "break_even_lives": 12345.6}
    return {"arms": arms, "ledger": ledger} | more


def _holds(comparison: dict[str, Any]) -> dict[int, Any]:
    return {rule["rule"]: rule["holds"] for rule in rules(comparison)}


def test_a_comparison_with_nothing_in_it_keeps_few_rules_and_says_what_is_missing() -> None:
    found = _comparison()
    assert _holds(found) == {
        1: False, 2: True, 3: True, 4: False, 5: False, 6: False, 7: False, 8: False, 9: False, 10: True, 11: False, 12: None,
        13: None,
    }  # fmt: skip
    why = {rule["rule"]: rule["why"] for rule in rules(found)}
    assert "optimiser, schedule and width" in why[1]
    assert "12,346 test lives" in why[3]
    assert why[11] == "1 outer seed, a claim needs 10"


@pytest.mark.parametrize(("rule", "needs"), [(1, TUNED), (4, META), (5, GENOMES), (6, MASKS), (7, FACTORIAL), (8, GEOMETRY)])
def test_a_rule_holds_with_all_its_arms_and_fails_without_any_one(rule: int, needs: Any) -> None:
    names = [need.arms[0] for need in needs]
    assert _holds(_comparison(*names))[rule] is True
    for gone, need in zip(names, needs, strict=True):
        without = rules(_comparison(*(name for name in names if name != gone)))[rule - 1]
        assert without["holds"] is False
        assert need.what in without["why"]


def test_seeds_levels_and_relabelling_are_looked_at() -> None:
    levels = {level: {} for level in ("train", "validation", "shifted", "another size", "another family")}
    whole = _comparison("neurons relabelled", seeds=10, levels=levels, winners_curse={"fresh": {}})
    assert [_holds(whole)[n] for n in (9, 11, 13)] == [True, True, True]
    assert _holds(whole | {"winners_curse": None})[9] is False
    assert _holds(whole | {"levels": {"train": {}}})[9] is False
    whole["arms"]["neurons relabelled"]["scores"]["aulc_minus_champion"]["value"] = 0.01
    assert _holds(whole)[13] is False


def test_a_ledger_that_lacks_a_side_breaks_its_rule() -> None:
    broken = _comparison()
    del broken["ledger"]["search"]
    assert _holds(broken)[3] is False
