"""The frame of the claims: a planted effect is found, none is called none, and a verdict follows from its file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from benchmarks import common
from benchmarks.hypotheses import CLAIMS, frame, scorecard
from benchmarks.hypotheses.__main__ import claim_of, main
from benchmarks.hypotheses.frame import Budget, Claim, Contrast
from benchmarks.hypotheses.verdict import FEWEST, LEVEL, judge, together
from evodev import cli

RESULTS = sorted((common.RESULTS / "hypotheses").rglob("*.json"))
RESULTS = [path for path in RESULTS if "claim" in json.loads(path.read_text())]


def words(effects, expected, margins):
    return [found.word for found in judge(effects, expected, margins)]


class TestVerdict:
    def test_a_planted_effect_is_found_and_none_is_called_none(self):
        rng, seeds, trials = np.random.default_rng(0), 10, 300
        draws = rng.standard_normal((trials, seeds))
        found = [words([own + 1.5], ["+"], [0.5])[0] for own in draws]
        assert np.mean(np.array(found) == "supported") > 0.9
        nothing = [words([own], ["+"], [0.5])[0] for own in draws]
        # one half of a two-sided test at 5%
        assert np.mean(np.array(nothing) == "supported") <= 0.045
        equal = [words([0.2 * own], ["0"], [0.5])[0] for own in draws]
        assert np.mean(np.array(equal) == "supported") > 0.95
        apart = [words([own + 0.5], ["0"], [0.5])[0] for own in draws]
        # at the margin itself equivalence is claimed in error in one of twenty cases
        assert np.mean(np.array(apart) == "supported") <= 0.08

    def test_several_contrasts_err_together_at_the_stated_rate(self):
        draws = np.random.default_rng(1).standard_normal((200, 6, 10))
        some = [any(w == "supported" for w in words(own, ["+"] * 6, [1e-6] * 6)) for own in draws]
        assert np.mean(some) <= LEVEL + 0.02

    @pytest.mark.parametrize("sign", ["+", "0"])
    def test_an_effect_at_its_margin_is_seldom_called_too_small_or_too_large(self, sign):
        draws = 1.0 + np.random.default_rng(2).standard_normal((300, 3, 10))
        some = [any(w == "not supported" for w in words(own, [sign] * 3, [1.0] * 3)) for own in draws]
        # one half of a two-sided test at 5%
        assert np.mean(some) <= 0.045

    @pytest.mark.parametrize(
        ("effects", "expected", "margin", "word"),
        [
            ([1.0, 1.1, 0.9, 1.2, 1.0, 0.8], "+", 0.5, "supported"),
            ([1.0, 1.1, 0.9, 1.2, 1.0, 0.8], "-", 0.5, "not supported"),
            ([-1.0, -1.1, -0.9, -1.2, -1.0, -0.8], "-", 0.5, "supported"),
            # significant, and too small to matter
            ([0.10, 0.11, 0.09, 0.12, 0.10, 0.08], "+", 0.5, "not supported"),
            # small enough to be none
            ([0.01, -0.01, 0.02, -0.02, 0.01, -0.01], "+", 0.5, "not supported"),
            ([0.01, -0.01, 0.02, -0.02, 0.01, -0.01], "0", 0.5, "supported"),
            ([1.0, 1.1, 0.9, 1.2, 1.0, 0.8], "0", 0.5, "not supported"),
            ([3.0, -2.0, 2.5, -1.5, 2.0, -1.0], "+", 0.5, "inconclusive"),
            ([1.0, 1.1, 0.9, 1.2, 1.0], "+", 0.5, "inconclusive"),  # too few
            ([1.0, 1.1, 0.9, 1.2, 1.0, float("nan")], "+", 0.5, "inconclusive"),
        ],
    )
    def test_by_hand(self, effects, expected, margin, word):
        assert words([effects], [expected], [margin]) == [word]

    def test_p_is_corrected(self):
        one = [1.0, 1.1, 0.9, 1.2, 1.0, 0.8]
        assert judge([one], ["+"], [0.5])[0].p == pytest.approx(2 / 64)
        assert judge([one, one], ["+", "+"], [0.5, 0.5])[0].p == pytest.approx(4 / 64)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(-10, 10), min_size=FEWEST, max_size=8), st.sampled_from(["+", "-"]))
    def test_turned_around_it_says_the_same_of_the_other_sign(self, effects, sign):
        other = {"+": "-", "-": "+"}[sign]
        assert words([effects], [sign], [0.5]) == words([[-e for e in effects]], [other], [0.5])

    def test_a_claim_stands_with_all_of_its_contrasts(self):
        assert together(["supported", "supported"]) == "supported"
        assert together(["supported", "inconclusive"]) == "inconclusive"
        assert together(["supported", "not supported", "inconclusive"]) == "not supported"

    def test_a_margin_is_positive(self):
        with pytest.raises(ValueError, match="margin"):
            judge([[1.0, 2.0]], ["+"], [0.0])


def coin(calls):
    """A claim whose planted effect is 1, and that writes down when it is run."""

    def run(seed, budget):
        calls.append(seed)
        noise = np.random.default_rng(seed).standard_normal(2) * budget["noise"]
        return {"own": 1 + noise[0], "other": noise[1], "path": np.arange(3)}

    def draw(measures, budget):
        figure = Figure(figsize=(2, 2))
        figure.subplots().plot([m["own"] for m in measures])
        return figure

    return Claim(
        number=1, name="coin", words="words <b>of</b> an essay", hypothesis="A planted effect is found.", varies="nothing",
        arms=("own", "other"), measure="a number", smallest="This is it.",
        contrasts=(
            Contrast("own less other", lambda m: m["own"] - m["other"], "+", 0.2, "points"),
            Contrast("own alone", lambda m: m["own"], "-", 0.2, decides=False),
        ),
        budgets={"quick": Budget(3, "little", {"noise": 0.1}), "full": Budget(8, "more", {"noise": 0.2})}, run=run, draw=draw,
    )  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "CACHE", tmp_path / "cache")
    for module in (common, frame, scorecard):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return tmp_path


class TestFrame:
    def test_a_finished_seed_is_kept_until_the_budget_changes(self, elsewhere):
        calls = []
        claim = coin(calls)
        first, before = frame.measured(claim, "quick", 0)
        again, after = frame.measured(claim, "quick", 0)
        assert first == again
        assert (before, after, calls) == (False, True, [0])
        frame.measured(claim, "quick", 0, fresh=True)
        changed = replace(claim, budgets={"quick": Budget(3, "little", {"noise": 0.3})})
        assert frame.measured(changed, "quick", 0)[0]["own"] != first["own"]
        assert calls == [0, 0, 0]

    def test_a_seed_of_other_code_is_run_again_unless_it_is_only_to_be_drawn(self, elsewhere, monkeypatch):
        calls = []
        claim = coin(calls)
        frame.measured(claim, "quick", 0)
        monkeypatch.setattr(frame, "code_of", lambda *_: "other")
        assert frame.measured(claim, "quick", 0, redraw=True)[1]
        assert calls == [0]
        assert not frame.measured(claim, "quick", 0)[1]
        assert frame.measured(claim, "quick", 0)[1]
        assert calls == [0, 0]

    def test_what_a_seed_rests_on_is_its_file_and_all_that_it_imports(self, tmp_path, monkeypatch):
        monkeypatch.setattr(common, "ROOT", tmp_path)
        (tmp_path / "benchmarks").mkdir()
        texts = {
            "a": "from benchmarks import b, style\n",
            "b": "def f():\n    import benchmarks.c\n",
            "c": "X = 1\n",
            "style": "",
        }
        for name, text in texts.items():
            (tmp_path / "benchmarks" / f"{name}.py").write_text(text)

        def code():
            return common.code_of(tmp_path / "benchmarks" / "a.py", ["benchmarks.style"])

        first = code()
        (tmp_path / "benchmarks" / "b.py").write_text("# a comment\n" + texts["b"])
        (tmp_path / "benchmarks" / "style.py").write_text("X = 2\n")
        assert code() == first
        (tmp_path / "benchmarks" / "c.py").write_text("X = 2\n")
        assert code() != first

    def test_means_of_numbers_and_short_lists_and_nothing_else(self):
        found = frame.means_of([{"a": {"b": i}, "c": [i, 1.0], "d": "text", "e": [0] * 99, "seconds": 1.0} for i in (1, 3)])
        assert set(found) == {"a/b", "c"}
        assert found["a/b"] == {"mean": 2.0, "lo": 1.0, "hi": 3.0}
        assert found["c"]["mean"] == [2.0, 1.0]

    def test_result_says_all_that_the_verdict_needs(self, elsewhere, monkeypatch):
        claim = coin([])
        for budget in ("quick", "full"):
            first = frame.FIRST_SEED[budget]
            seeds = range(first, first + claim.budgets[budget].seeds)
            path = frame.finish(claim, [frame.measured(claim, budget, seed)[0] for seed in seeds], budget, first)
            assert path.with_suffix(".png").exists()
            assert json.loads(path.read_text())["command"] == f"evodev experiment coin --budget {budget}"
            check_verdict(json.loads(path.read_text()))
        full = common.read_result("hypotheses", "coin")
        assert full is not None
        assert full["claim"]["verdict"] == "supported"
        assert [row["met"] for row in full["rows"]] == [True, False]
        quick = common.read_result("hypotheses/quick", "coin")
        assert quick is not None
        assert quick["claim"]["verdict"] == "inconclusive"
        monkeypatch.setattr(scorecard, "CLAIMS", ("coin", "other"))
        assert "signs agree in 1 of 1" in scorecard.markdown()
        page = scorecard.page()
        assert "words &lt;b&gt;of&lt;/b&gt; an essay" in page
        assert "data:image/webp" in page
        assert scorecard.expected({"expected": "0", "margin": 0.25}) == "0 ± 0.25"
        assert "Not run yet: other" in page


def check_verdict(data):
    """The verdict and every row follow from the effects in the file."""
    contrasts = data["claim"]["contrasts"]
    claim = Claim(
        **{k: data["claim"][k] for k in ("number", "words", "hypothesis", "varies", "arms", "measure", "smallest")},
        name=data["name"],
        contrasts=tuple(
            Contrast(c["label"], lambda m, i=i: m["effects"][i], c["expected"], c["margin"], c["unit"], c["decides"])
            for i, c in enumerate(contrasts)
        ),
        budgets={},
        run=lambda seed, budget: {},
        draw=lambda measures, budget: Figure(),
    )
    effects = [[np.nan if e is None else e for e in c["effects"]] for c in contrasts]
    measures = [{"effects": own} for own in zip(*effects, strict=True)]
    judgements, verdict = frame.judged(claim, measures)
    assert verdict == data["claim"]["verdict"]
    assert len(measures) == data["seeds"]
    for row, found in zip(data["rows"], judgements, strict=True):
        told = [np.nan if row[name] is None else row[name] for name in ("measured", "lo", "hi")]
        assert told == pytest.approx([found.value, found.lo, found.hi], nan_ok=True)
        assert row["met"] == {"supported": True, "not supported": False, "inconclusive": None}[found.word]


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_verdicts_that_are_kept_follow_from_their_files(path):
    data = json.loads(path.read_text())
    check_verdict(data)
    assert path.with_suffix(".png").exists()
    if path.parent.name == "hypotheses":
        assert data["seeds"] >= 10 or data["claim"]["verdict"] == "inconclusive"


@pytest.mark.parametrize("name", CLAIMS)
def test_quick_runs_have_other_seeds_and_the_signs_of_what_is_supported(name):
    full, quick = (common.read_result(suite, name) for suite in ("hypotheses", "hypotheses/quick"))
    assert full is not None
    assert quick is not None
    seeds = [set(range(r["claim"]["first_seed"], r["claim"]["first_seed"] + r["seeds"])) for r in (full, quick)]
    assert not seeds[0] & seeds[1]
    if full["claim"]["verdict"] == "supported":
        for one, other, contrast in zip(full["rows"], quick["rows"], full["claim"]["contrasts"], strict=True):
            if contrast["decides"]:
                assert (one["measured"] > 0) == (other["measured"] > 0), one["label"]


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_says_what_it_expects(name):
    claim = claim_of(name)
    assert claim.name == name
    assert claim.number == CLAIMS.index(name) + 1
    assert {"quick", "full"} <= set(claim.budgets)
    assert claim.budgets["full"].seeds >= 10
    assert any(c.decides for c in claim.contrasts)
    assert len({c.label for c in claim.contrasts}) == len(claim.contrasts)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cristal"], "did you mean 'crystal'"),
        ([], "name one claim"),
        (["crystal", "--seeds", "0"], "^seeds: at least 1, given 0$"),
        (["crystal", "--first-seed", "-5"], "^first-seed: at least 0, given -5$"),
        (["crystal", "--first-seed", "x"], "^first-seed: invalid int value: 'x'$"),
        (["--all", "--jobs", "0"], "^jobs: at least 1, given 0$"),
        (["crystal", "--sheds", "3"], "^experiment: unrecognized arguments: --sheds 3$"),
    ],
)
def test_bad_input_is_one_line(arguments, says):
    with pytest.raises(ValueError, match=says):
        main(arguments)


def test_the_command_finds_the_claims(capsys):
    assert cli.main(["experiment", "cristal"]) == 2
    assert "did you mean 'crystal'" in capsys.readouterr().err
