"""The report: honest words, one table, figures of whatever a comparison holds, a page that is safe to open."""

import copy
import io
import re
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from evodev.across import across_runs
from evodev.baselines.factorial import cell, effects
from evodev.decoders import DECODERS
from evodev.decoders.base import Tissue, Trace
from evodev.decoders.cells.types import CellTypes
from evodev.genome import Gene, spec_of
from evodev.learners import Gradient
from evodev.network import Network
from evodev.organism import Organism
from evodev.report import ReportData, console_table, figures, geometry, rows
from evodev.report.costs import compactness_lines, cost, ledger_table, ledgers
from evodev.report.curves import learning_curves
from evodev.report.effects import forest
from evodev.report.evidence import curse, factorial, fairness, levels
from evodev.report.geometry import strongest
from evodev.report.page import build, grown
from evodev.report.style import DPI, WIDTH, spread
from evodev.report.table import (
    caption,
    console_front,
    decimals,
    front_rows,
    interval,
    number,
    probability,
    rows_by_seeds,
    warning,
)
from evodev.report.verdict import outcome, verdict
from evodev.substrate import Population, Projection, Substrate, recurrent
from tests.tiny import CHAIN, DIRECT, GRID

SAMPLES = [0, 1, 2, 5, 10]
EVIL = "<script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(2)> $\\frac{ [bold][/x] {{7*7}}{% x %} \u6f22"
LONG = "{{7*7}} " + "x" * 300


def _around(value: float, half: float) -> dict[str, float]:
    return {"value": value, "lo": value - half, "hi": value + half}


def _curve(start: float, end: float) -> dict[str, list[float]]:
    mean = np.linspace(start, end, len(SAMPLES))
    return {"mean": mean.tolist(), "lo": (mean - 0.02).tolist(), "hi": (mean + 0.02).tolist()}


def _arm(role: str, aulc: float | None, *, half: float = 0.02, accuracy: float = 0.5) -> dict[str, Any]:
    """An entry as ``measure`` writes it; no AULC makes it an arm without a loss."""
    reached = {"0.5": {**_around(4.0, 1.0), "censored": 0.25}, "0.9": {**_around(10.0, 0.0), "censored": 1.0}}
    arm: dict[str, Any] = {
        "role": role, "synapses": 1234 if aulc else 0, "density": 0.2, "genome_size": 40 if role == "evolved" else None,
        "tuning_lives": 480 if role == "baseline" else 0, "failed": 0.0, "note": "a note",
        "curves": {"accuracy": _curve(0.2, accuracy)}, "scores": {"synops_per_sample": 10.0, "samples_to": reached},
    }  # fmt: skip
    if aulc is not None:
        arm["curves"]["loss"] = _curve(1.6, aulc)
        arm["scores"] |= {
            "aulc": _around(aulc, half),
            "jumpstart": _around(0.0, 0.0),
            "slope_aligned": _around(0.1, 0.01),
            "aulc_minus_champion": _around(aulc - 1.0, half),
        }
    return arm


def _comparison(**aulc: float) -> dict[str, Any]:
    """A comparison; ``champion``, ``backprop`` and ``control`` may be given an AULC."""
    arms = {
        "nearest": _arm("reference", None, accuracy=0.9),
        "shuffled": _arm("control", aulc.get("control", 1.4)),
        "slow backprop": _arm("baseline", 1.5),
        "backprop": _arm("baseline", aulc.get("backprop", 1.2)),
        "evolved centroid": _arm("evolved", 1.05),
        "evolved champion": _arm("evolved", aulc.get("champion", 1.0)),
    }
    return {
        "schema_version": 1, "task": "Toy", "split": "test", "unit": "samples", "problem": "classification",
        "intervals": "95% bootstrap over 32 lives of one search", "samples": SAMPLES, "samples_per_step": 5,
        "chance": 0.2, "ignorant_loss": 1.609, "held_out": "classes", "arms": arms,
        "ledger": {
            "outer_lifetimes": 1000, "outer_samples": 50_000, "baseline_tuning_lifetimes": 960,
            "break_even_lives": 123.4, "best_baseline": "backprop", "samples_saved_per_life": 20.0,
        },
        "comparison": {"lives": 32},
    }  # fmt: skip


def _seeds(backprop: float = 0.2, *, control: float = 0.4, seeds: int = 8, noise: float = 0.01) -> dict[str, Any]:
    """Searches on so many seeds, in which backprop and the shuffled control are so much worse than the champion."""
    draw, runs = np.random.default_rng(0), []
    for _ in range(seeds):
        run = _comparison(champion=1.0)
        own = 1.0 + 0.1 * draw.normal()
        for name, more in (("evolved champion", 0.0), ("backprop", backprop), ("shuffled", control)):
            value = own + (more + noise * draw.normal() if name != "evolved champion" else 0.0)
            run["arms"][name] = _arm(run["arms"][name]["role"], value)
        runs.append(run)
    return across_runs(runs)


def _evidence() -> dict[str, Any]:
    """What a comparison holds beside its arms: tuning, levels, the winner's curse, fairness rules."""
    out = _comparison()
    five = {"lives": 1000, "samples": 50_000, "environment_steps": None, "operations": 2.5e12, "seconds": 120.0}
    for name, arm in out["arms"].items():
        arm["tuning"] = five | {"lives": 480} if name == "backprop" else dict.fromkeys(five, 0)
    out["ledger"] |= {"search": five, "baselines": five | {"lives": 480}}
    told = {n: {"aulc": _around(1.1, 0.02), "final": _around(0.6, 0.02)} for n in ("evolved champion", "backprop")}
    out["levels"] = {"test": {"held_out": EVIL, "arms": told}, EVIL: {"held_out": "another family", "arms": told}}
    out["winners_curse"] = {"selected": _around(0.9, 0.01), "fresh": _around(0.95, 0.01), "split": "validation"}
    out["fairness"] = [
        {"rule": 1, "name": "backprop tuned harder", "holds": True, "why": "it is"},
        {"rule": 4, "name": EVIL, "holds": False, "why": EVIL},
        {"rule": 13, "name": "calibrations", "holds": None, "why": "not of a run"},
    ]
    return out


def _regression() -> dict[str, Any]:
    out = _comparison()
    out |= {"problem": "regression", "chance": None, "ignorant_loss": 4.2}
    del out["arms"]["nearest"]
    for arm in out["arms"].values():
        del arm["curves"]["accuracy"], arm["scores"]["samples_to"]
    out["arms"]["slow backprop"] = {**out["arms"]["slow backprop"], "failed": 0.5}
    out["arms"]["slow backprop"]["curves"]["loss"] = {k: [100.0] * len(SAMPLES) for k in ("mean", "lo", "hi")}
    return out


def _acted(span: list[float] | None) -> dict[str, Any]:
    out = _comparison()
    out |= {"problem": "control", "chance": None, "ignorant_loss": 1.0, "unit": "episodes", "span": span}
    del out["arms"]["nearest"]
    for arm in out["arms"].values():
        arm["curves"]["return"] = arm["curves"].pop("accuracy")
    return out


def _organism(maps: str = "maps", memory: str = "memory") -> Organism:
    substrate = Substrate(
        (
            Population("input", (5, 4), activation="linear"),
            Population(maps, (3, 3), 2),
            Population(memory, (6,), activation="tanh"),
            Population("output", (3,), activation="linear"),
        ),
        (
            Projection("input", maps),
            Projection(maps, memory),
            Projection(memory, memory),
            Projection(memory, maps),
            Projection("input", memory),
            Projection(memory, "output", blank=True),
        ),
        ticks=2,
    )
    return Organism(substrate, DECODERS["direct"], Gradient())


def _metrics(generations: int = 4) -> list[dict[str, float]]:
    records = [
        {"generation": float(g + 1), "fitness_min": -100.0, "fitness_mean": -1.5, "fitness_max": -1.0, "failed": 0.1}
        for g in range(generations)
    ]
    scores = {"validation_centroid": -1.3, "validation_best": -1.2, "validation_champion": -1.2}
    return [r | scores if i % 2 else r for i, r in enumerate(records)]


def _data(comparison: dict[str, Any] | None, **changes: Any) -> ReportData:
    organism = _organism()
    draw = np.random.default_rng(0).normal(size=(3, organism.genome_spec.size)).astype(np.float32)
    genomes = dict(zip(("champion", "centroid", "initial"), draw, strict=True))
    fields: dict[str, Any] = {
        "name": "a run", "command": "evodev search", "comparison": comparison, "metrics": _metrics(),
        "manifest": {"device": "cpu", "packages": {"jax": "0.10"}}, "config": "seed: 0\n", "organism": organism,
        "genomes": genomes,
    }  # fmt: skip
    return ReportData(**(fields | changes))


def _full(substrate: Substrate) -> Network:
    """Every synapse there, weights at random."""
    draw = np.random.default_rng(0)
    weights: dict[str, Any] = {p.name: draw.normal(size=substrate.shape(p)) for p in substrate.projections}
    ones: dict[str, Any] = {name: np.ones_like(w) for name, w in weights.items()}
    alive: dict[str, Any] = {p.name: np.ones(p.size) for p in substrate.populations}
    return Network(weights, ones, ones, {name: np.zeros_like(a) for name, a in alive.items()}, alive)


@pytest.fixture(scope="module")
def hostile() -> tuple[str, dict[str, bytes]]:
    """A page whose every text comes from somebody who means harm."""
    comparison = _evidence()
    comparison["arms"][EVIL] = {**_arm("baseline", 0.5), "note": EVIL}
    comparison |= {"task": EVIL, "unit": EVIL, "held_out": EVIL}
    comparison["ledger"]["best_baseline"] = EVIL
    metrics: list[Any] = _metrics()
    metrics[-1]["front"] = [{EVIL: -0.5}, {EVIL: -0.75}]
    name, manifest = f"../../{EVIL}\u202e", {EVIL: EVIL}
    evil = {"name": name, "command": EVIL, "config": EVIL, "manifest": manifest, "seeds_note": EVIL, "metrics": metrics}
    return build(_data(comparison, organism=_organism(EVIL, LONG), **evil))


def test_what_comes_from_files_is_escaped(hostile: tuple[str, dict[str, bytes]]) -> None:
    page, _ = hostile
    assert "<script" not in page
    assert "<img src=https" not in page
    assert page.count("&lt;script&gt;") > 8
    assert page.count("{{7*7}}") > 8, "what looks like a template is none"


def test_names_of_figures_are_ours(hostile: tuple[str, dict[str, bytes]]) -> None:
    assert all(re.fullmatch(r"[a-z_]+(_\d+)?\.png", name) for name in hostile[1])


def test_page_fetches_nothing(hostile: tuple[str, dict[str, bytes]]) -> None:
    page, images = hostile
    page = re.sub(r'alt="[^"]*"', "", page)  # names stand there, between quotes
    sources = re.findall(r"<[^>]*?\b(?:src|href|srcset|action)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert sum(s.startswith("data:image/png;base64,") for s in sources) == len(images)
    assert all(s.startswith(("data:image/png;base64,", "#")) for s in sources)
    assert not re.search(r"url\(|@import|<link|<iframe", page)
    assert "default-src 'none'" in page


def test_figures_are_pngs_of_the_reports_width(hostile: tuple[str, dict[str, bytes]]) -> None:
    page, images = hostile
    assert {
        "learning_curves.png",
        "differences.png",
        "starts.png",
        "search.png",
        "network.png",
        "matrices.png",
        "genome.png",
    } <= set(images)
    assert "receptive_fields_1.png" in images
    for name, data in images.items():
        image = Image.open(io.BytesIO(data))
        image.load()
        assert image.format == "PNG"
        assert image.width == round(WIDTH * DPI), name
        assert 150 < image.height < 3000, name
        assert f'width="{image.width}" height="{image.height}"' in page
        assert np.asarray(image.convert("L")).std() > 2, f"{name} is blank"


def test_regression_has_losses_only() -> None:
    comparison = _regression()
    header, _ = rows(comparison)
    assert not any("accuracy" in title or " to " in title for title in header)
    assert "failed lives" in header
    page, images = build(_data(comparison))
    assert "learning_curves.png" in images
    assert "accuracy" not in page


def test_without_comparison_and_metrics_the_champion_is_still_shown() -> None:
    page, images = build(_data(None, metrics=[]))
    assert "evodev compare" in page
    assert not {"learning_curves.png", "differences.png", "search.png"} & set(images)
    assert "network.png" in images


@pytest.mark.parametrize(
    ("champion", "backprop", "expected"),
    [(1.0, 1.2, "wins"), (1.0, 1.03, "ahead, but not clearly"), (1.03, 1.0, "does not win"), (1.3, 1.0, "loses")],
)
def test_verdict_says_who_wins(champion: float, backprop: float, expected: str) -> None:
    headline = verdict(_comparison(champion=champion, backprop=backprop))[0]
    assert headline.startswith(f"The evolved champion {expected}") or f"is {expected}" in headline
    assert f"{champion:.2f} [{champion - 0.02:.2f}, {champion + 0.02:.2f}]" in headline
    assert f"{backprop:.2f} [{backprop - 0.02:.2f}, {backprop + 0.02:.2f}] for backprop" in headline
    assert ("do not overlap" in headline) == (abs(champion - backprop) > 0.1)


def test_verdict_is_honest_about_controls_references_and_intervals() -> None:
    text = " ".join(verdict(_comparison(champion=1.0, control=1.02)))
    assert "does not show that what it takes away matters" in text
    assert "not the highest: nearest" in text
    assert "not whether another search would do as well" in text
    assert "A control does better" in " ".join(verdict(_comparison(champion=1.0, control=0.5)))
    assert "another search" not in " ".join(verdict(_seeds(0.2)))


def test_verdict_without_rivals() -> None:
    comparison = _comparison()
    comparison["arms"] = {"evolved champion": comparison["arms"]["evolved champion"]}
    assert "no baseline" in verdict(comparison)[0]
    comparison["arms"] = {}
    assert "no evolved champion" in verdict(comparison)[0]


@pytest.mark.parametrize(
    ("backprop", "noise", "seeds", "found", "headline"),
    [
        (0.2, 0.01, 8, "wins", "The evolved champion wins against backprop"),
        (-0.2, 0.01, 8, "loses", "The evolved champion loses to backprop"),
        (0.0, 0.01, 8, "equivalent", "The evolved champion and backprop, the best baseline, are equivalent within ±0.08"),
        (0.05, 0.3, 8, "open", "No difference shown between the evolved champion and backprop"),
        (0.2, 0.01, 5, "open", "No difference shown between the evolved champion and backprop"),
    ],
)
def test_verdict_over_seeds_is_by_improvement_and_corrected_p(
    backprop: float, noise: float, seeds: int, found: str, headline: str
) -> None:
    comparison = _seeds(backprop, noise=noise, seeds=seeds)
    told = comparison["arms"]["backprop"]["statistics"]
    assert outcome(comparison["arms"]["backprop"]) == found
    first = verdict(comparison)[0]
    assert first.startswith(headline)
    assert f"probability of improvement {interval(told['improvement'], 2)}" in first
    assert f"corrected p {probability(told['difference']['p_corrected'])}" in first
    assert "overlap" not in first


def test_verdict_over_seeds_counts_baselines_and_says_which_controls_show_nothing() -> None:
    text = " ".join(verdict(_seeds(0.2, control=0.4)))
    assert "Of 2 baselines the champion wins against 2 (backprop, slow backprop)." in text
    assert "Every one of 1 controls is worse, the best of them being shuffled" in text
    assert "8 outer seeds: a claim about the method takes 10" in text.lower()
    text = " ".join(verdict(_seeds(-0.2, control=0.0)))
    assert "wins against 1 (slow backprop); loses to 1 (backprop)" in text
    assert "for 1 (shuffled) it is not shown that what they take away matters" in text
    assert "A control does better than the champion itself: shuffled" in " ".join(verdict(_seeds(0.2, control=-0.2)))
    # significant, and yet of no account
    assert "the difference is within the margin of ±0.08" in verdict(_seeds(0.03, noise=0.001))[0]


def test_what_the_number_of_seeds_forbids_is_said_first_in_page_and_terminal() -> None:
    assert warning(_comparison()) == "one outer seed: no claim about the method"
    assert "no difference can be significant at 5%" in warning(_seeds(seeds=2))
    assert warning(_seeds(seeds=8)) == "8 outer seeds: a claim about the method takes 10"
    assert warning(_seeds(seeds=10)) == ""
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(console_table(_comparison()))
    assert "one outer seed: no claim about the method; mean [95%" in console.export_text()
    page, images = build(_data(_comparison()))
    assert "One outer seed: no claim about the method." in page.split("<main>")[1].split("<h1>")[0]
    assert "profiles.png" not in images
    assert not any(what in page for what in ("Fairness rules", "Held-out levels", "seed by seed", "Winner"))


def test_tests_over_seeds_are_in_the_terminal_and_in_a_table_of_their_own() -> None:
    comparison = _seeds()
    header, body = rows(comparison, brief=True)
    assert {"P(improvement)", "corrected p"} <= set(header)
    assert not {"P(improvement)", "corrected p"} & set(rows(comparison)[0])
    found = {row[0]: dict(zip(header, row, strict=True)) for row in body}
    assert found["backprop"]["P(improvement)"] == interval(comparison["arms"]["backprop"]["statistics"]["improvement"], 2)
    assert found["backprop"]["corrected p"] == "0.031", "four arms, the least of 2 / 2^8 of each"
    assert found["evolved champion"]["corrected p"] == found["nearest"]["P(improvement)"] == "–"
    assert "Holm's correction for 4 arms" in caption(comparison)
    header, body = rows_by_seeds(comparison)
    assert header == ["arm", "IQM of AULC", "minus champion", "P(improvement)", "p", "corrected p", "equivalence p"]
    assert [row[0] for row in body] == [row[0] for row in rows(comparison)[1]][:-1], "the reference has no loss"
    assert not any("P(" in title for title in rows(_comparison(), brief=True)[0])
    assert [probability(p) for p in (0.5, 0.0123, 0.001, 2e-05)] == ["0.500", "0.012", "0.001", "2e-05"]


def test_many_arms_with_long_names_are_drawn() -> None:
    run = _comparison()
    long = "an arm whose name is far too long for any table or figure, and then some, number"
    run["arms"] |= {f"{EVIL} {long} {i}": _arm("control", 1.2) for i in range(24)}
    few = run | {"arms": dict(list(run["arms"].items())[:10])}
    merged = across_runs([few] * 7)
    assert "as with 7 seeds and 8 arms Holm's p is never below 0.12" in caption(merged)
    drawn = [figures.forest(run), figures.scatter(run), figures.forest(merged), figures.performance_profiles(merged)]
    assert all(Image.open(io.BytesIO(image)).width == round(WIDTH * DPI) for image in drawn)
    assert drawn == [figures.forest(run), figures.scatter(run), figures.forest(merged), figures.performance_profiles(merged)]


def test_differences_are_drawn_from_the_champion_by_role_and_cut_where_they_are_far() -> None:
    comparison = _comparison()
    comparison["arms"]["diverged"] = _arm("baseline", 90.0)
    (ax,) = forest.__wrapped__(comparison).axes  # type: ignore[attr-defined]
    texts = [t.get_text() for t in ax.texts]
    names = [t for t in texts if t in comparison["arms"]]
    assert names == ["evolved centroid", "backprop", "slow backprop", "diverged", "shuffled"], (
        "no champion, no arm without a loss"
    )
    assert texts.index("baselines") < texts.index("backprop") < texts.index("controls: the champion taken apart")
    assert ax.get_xlim()[1] < 3
    assert "89.00 [88.98, 89.02]" in texts
    assert [line.get_xdata()[0] for line in ax.lines if line.get_xdata()[0] == line.get_xdata()[-1] == 0], "a line at zero"
    comparison["arms"].pop("evolved champion")
    assert figures.compared(comparison) == []


def test_evidence_that_a_comparison_lacks_is_left_out() -> None:
    bare = _comparison()
    assert levels(bare) is fairness(bare) is ledger_table(bare) is factorial(bare) is None
    assert curse(bare) == ""


def test_levels_rules_the_winners_curse_and_both_ledgers_are_shown() -> None:
    comparison = _evidence()
    told = levels(comparison)
    assert told is not None
    assert told["header"][1:3] == ["test: AULC", "test: last accuracy"]
    assert told["rows"] == [[n, *["1.10 [1.08, 1.12]", "0.60 [0.58, 0.62]"] * 2] for n in ("evolved champion", "backprop")]
    assert "chosen on the champion's fitness is 0.90 [0.89, 0.91], on fresh lives of the same family 0.95" in curse(comparison)
    assert curse(comparison).endswith("the difference is 0.05.")
    comparison["winners_curse"]["selected"] = _around(0.9, 0.0)
    assert "fitness is 0.90, on fresh lives" in curse(comparison), "of one search it is a single number"
    rules = fairness(comparison)
    assert rules is not None
    assert rules["text"].startswith("Of 3 rules 1 hold in this run, 1 do not (4); 1 cannot be judged here. Most of what")
    assert [row["said"] for row in rules["rows"]] == ["holds", "does not hold", "not judged"]
    header, body = ledger_table(comparison) or ([], [])
    assert header[1:] == ["lives", "labelled samples", "multiply-adds of answering", "wall time"], "no worlds to act in"
    assert body == [
        ["the search", "1,000", "50,000", "2.5 × 10¹²", "2 min"],
        ["tuning of backprop", "480", "50,000", "2.5 × 10¹²", "2 min"],
        ["tuning of all baselines", "480", "50,000", "2.5 × 10¹²", "2 min"],
    ]
    search, baselines = ledgers(comparison, [])
    assert not search, "no line is told twice"
    assert baselines[0].label == "best tuned baseline"
    assert [cost(v, "lives") for v in (None, 0, 12_345.0)] == ["–", "0", "12,345"]


def test_the_parts_of_a_champion_are_told_apart_and_what_needs_what() -> None:
    whole, bare = cell((True, True, False, True)), cell((False, False, False, True))
    cells = {whole: 1.0, cell((False, True, False, True)): 1.75, cell((True, False, False, True)): 1.5, bare: 1.75}
    comparison = _comparison() | {"factorial": effects({name: np.full(4, aulc) for name, aulc in cells.items()}, 100)}
    header, body, _ = factorial(comparison) or ([], [], "")
    point = "{0} [{0}, {0}]".format
    assert header == ["part of the champion", "first", "last", "mean", "pairs"]
    assert body == [
        ["topology", point("0.25"), point("0.75"), point("0.50"), "2"],
        ["weights", point("0.00"), point("0.50"), point("0.25"), "2"],
        ["topology x weights", "–", "–", point("0.50"), "–"],
    ]
    assert "Topology, weights, rates and read-out told apart" in build(_data(comparison))[0]


def test_table_is_grouped_by_role_and_sorted_by_aulc() -> None:
    header, body = rows(_comparison())
    names = [row[0] for row in body]
    assert names == ["evolved champion", "evolved centroid", "backprop", "slow backprop", "shuffled", "nearest"]
    assert all(len(row) == len(header) for row in body)
    champion = dict(zip(header, body[0], strict=True))
    assert champion["AULC"] == "1.00 [0.98, 1.02]"
    assert champion["samples to 0.5"] == "4.0 [3.0, 5.0], 25% censored"
    assert "samples to 0.9" not in header, "no life of any arm got there"
    assert champion["tuning lives"] == "1,000 (search)"
    nearest = dict(zip(header, body[-1], strict=True))
    assert nearest["AULC"] == nearest["synapses"] == nearest["numbers evolved"] == "–"


def test_terminal_and_page_show_the_same_numbers() -> None:
    comparison = _comparison()
    comparison["arms"]["[red]odd[/red] [/]"] = _arm("baseline", 1.31)
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(console_table(comparison))
    text = console.export_text()
    header, body = rows(comparison)
    assert "[red]odd[/red] [/]" in text
    for row in body:
        assert row[0] in text
        assert row[header.index("AULC")] in text


def test_the_table_says_who_is_on_the_front_and_what_of() -> None:
    comparison = _comparison()
    assert "Pareto" not in rows(comparison)[0]
    assert "Pareto" not in caption(comparison)
    for name, pareto in (("backprop", False), ("evolved champion", True)):
        comparison["arms"][name] |= {"pareto": pareto, "objectives": {"aulc": -1.0, "traffic": -2.0}}
    header, body = rows(comparison)
    marks = {row[0]: row[header.index("Pareto")] for row in body}
    assert (marks["evolved champion"], marks["backprop"], marks["nearest"]) == ("yes", "no", "–")
    assert "no other arm is as good in all of aulc, traffic" in caption(comparison)


def test_the_front_of_a_search_is_shown_in_terminal_and_page() -> None:
    assert front_rows(_metrics()) is None
    assert console_front([]) is None
    metrics: list[Any] = _metrics()
    metrics[-1]["front"] = [{"aulc": -0.5, "operations": -12.25}, {"aulc": -0.75, "operations": -3.0}]
    assert front_rows(metrics) == (["aulc", "operations"], [["-0.5", "-12.25"], ["-0.75", "-3"]])
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(console_front(metrics))
    assert "-12.25" in console.export_text()
    console.print(console_front([{"front": [{"[/bold]": -0.5}]}]))
    assert "[/bold]" in console.export_text(), "a name is no markup"
    page, _ = build(_data(None, metrics=metrics))
    assert "<td>-12.25</td>" in page
    assert "Trade-off" in page


def test_numbers_are_written_as_finely_as_they_are_known() -> None:
    assert interval(_around(0.58, 0.03)) == "0.58 [0.55, 0.61]"
    assert interval(_around(97.0, 2.0)) == "97.0 [95.0, 99.0]"
    assert decimals([]) == 2
    assert decimals([_around(1.0, 1e-9)]) == 2, "a point has no width to show"
    assert decimals([_around(1.0, 1e-5)]) == 4
    assert number(-0.0001, 2) == "0.00"


def test_ledgers_and_compactness_flag_what_does_not_pay() -> None:
    comparison = _comparison()
    (*_, paid) = ledgers(comparison, [])[1]
    assert (paid.value, paid.warn) == ("123", False)
    losing = copy.deepcopy(comparison)
    losing["arms"]["evolved champion"]["scores"]["aulc"] = _around(1.4, 0.02)
    assert ledgers(losing, [])[1][-1].warn
    losing["ledger"] |= {"break_even_lives": None, "samples_saved_per_life": None}
    assert ledgers(losing, [])[1][-1].value == "never"

    organism = _organism()
    network = grown(_data(None))
    factor = compactness_lines(organism, network)[-1]
    synapses = sum(int(network.masks[p.name].sum()) for p in organism.substrate.grown)
    assert float(factor.value.rstrip("x")) == pytest.approx(32 * synapses / organism.genome_spec.bits, abs=0.01)
    assert factor.warn


def test_figures_are_the_same_for_the_same_numbers() -> None:
    comparison = _comparison()
    assert figures.forest(comparison) == figures.forest(comparison)


@pytest.mark.parametrize("generations", [1, 2])
def test_search_curve_of_a_short_search(generations: int) -> None:
    assert Image.open(io.BytesIO(figures.search_curve(_metrics(generations), 64.0))).width == round(WIDTH * DPI)


def test_curves_of_a_comparison_with_few_arms_and_one_probe() -> None:
    comparison = _comparison()
    arm = comparison["arms"]["evolved champion"]
    arm["curves"] = {k: {m: v[:2] for m, v in c.items()} for k, c in arm["curves"].items()}
    comparison |= {"samples": [0, 10], "arms": {"evolved champion": arm}}
    assert figures.learning_curves(comparison)
    assert figures.scatter(comparison)
    assert figures.compared(comparison) == [], "there is nothing to draw a difference of"
    assert rows(comparison)[1]


def test_networks_that_are_empty_or_half_dead_are_drawn() -> None:
    substrate = recurrent(1, 5, 1)
    network = _full(substrate)
    nothing: dict[str, Any] = {name: np.zeros_like(mask) for name, mask in network.masks.items()}
    half_dead: dict[str, Any] = network.alive | {"hidden": np.array([1, 0, 0, 1, 0.0])}
    empty = replace(network, masks=nothing, weights=nothing, alive=half_dead)
    assert figures.drawn_network(substrate, network) != figures.drawn_network(substrate, empty)
    assert figures.matrices(substrate, empty)


def _image(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def _tissue(substrate: Substrate, genes: int = 3, *, by_type: bool = False, signed: bool = True) -> Tissue:
    draw = np.random.default_rng(1)
    states: dict[str, Any] = {p.name: draw.uniform(-1.0 if signed else 0.0, 1.0, (p.size, genes)) for p in substrate.populations}
    alive: dict[str, Any] = {p.name: np.ones(p.size) for p in substrate.populations}
    return Tissue(states, alive, by_type=by_type)


PLANE = Substrate(
    (
        Population("input", (4, 5), activation="linear"),
        Population("spiral", (6,), 2, at=tuple((float(i), float(i * i)) for i in range(6))),
        Population("output", (3,), activation="linear"),
    ),
    (Projection("input", "spiral"), Projection("spiral", "output")),
)
"""A grid in the plane, explicit places in the plane, and a line."""


def test_expression_is_drawn_over_the_coordinates_with_one_scale_a_population() -> None:
    tissue = _tissue(PLANE)
    picture = _image(figures.expression_maps(PLANE, tissue))
    assert picture.shape[1] == round(WIDTH * DPI)
    assert picture.std() > 2
    # red is high, blue is low, whatever the gene
    for value, strong, weak in ((1.0, 0, 2), (-1.0, 2, 0)):
        states: dict[str, Any] = {p.name: np.full((p.size, 3), value) for p in PLANE.populations}
        states["input"][0, 0] = -1.0
        one = _image(figures.expression_maps(PLANE, replace(tissue, states=states)))
        colored = one[one.max(-1) - one.min(-1) > 40]
        assert (colored[:, strong] > colored[:, weak]).mean() > 0.6


def test_expression_of_the_dead_is_left_white() -> None:
    tissue = _tissue(PLANE)
    dead: dict[str, Any] = tissue.alive | {"input": np.zeros(20)}
    whole, less = (_image(figures.expression_maps(PLANE, t)) for t in (tissue, replace(tissue, alive=dead)))
    assert whole.shape == less.shape
    assert (less.min(-1) < 250).sum() < (whole.min(-1) < 250).sum() - 3 * 1000, "three maps of twenty cells are gone"


def test_expression_of_cell_types_many_genes_and_none() -> None:
    substrate = _organism().substrate
    few, many = (figures.expression_maps(substrate, _tissue(substrate, n, signed=False)) for n in (2, 100))
    assert Image.open(io.BytesIO(few)).height < Image.open(io.BytesIO(many)).height < 3000
    assert figures.expression_maps(substrate, _tissue(substrate, 2, by_type=True)) != few
    assert _image(figures.expression_maps(substrate, _tissue(substrate, 0))).std() > 0


def test_receptive_fields_of_neurons_that_have_no_place_in_the_plane() -> None:
    substrate = Substrate(
        (Population("input", (6, 5), activation="linear"), Population("hidden", (70,)), Population("output", (2,))),
        (Projection("input", "hidden"), Projection("hidden", "output")),
    )
    into, out = substrate.projections
    assert figures.has_fields(substrate, into)
    assert not figures.has_fields(substrate, out)
    network = _full(substrate)
    picture = figures.receptive_fields(substrate, network, into)
    few: dict[str, Any] = network.masks | {into.name: network.masks[into.name] * (np.arange(70) < 3)}
    assert (
        Image.open(io.BytesIO(picture)).height
        > 2 * Image.open(io.BytesIO(figures.receptive_fields(substrate, replace(network, masks=few), into))).height
    )
    nothing: dict[str, Any] = {name: np.zeros_like(mask) for name, mask in network.masks.items()}
    assert figures.receptive_fields(substrate, replace(network, masks=nothing), into)
    assert "a panel a neuron" in figures.fields_caption(substrate, into)
    assert "own place" not in figures.fields_caption(substrate, into)
    assert "own place" in figures.fields_caption(GRID, GRID.projections[0])


@dataclass(frozen=True)
class Budding(CellTypes):
    """Hidden cells appear one after the other."""

    steps: int = 2

    def stages(self, genes: Any, substrate: Substrate, *, key: Any) -> list[Tissue]:
        grown = self.express(genes, substrate, key=key)
        hidden = substrate.populations[1]
        young = [jnp.asarray(np.arange(hidden.size) < hidden.size * i / self.steps, jnp.float32) for i in range(1, self.steps)]
        return [replace(grown, alive=grown.alive | {hidden.name: alive}) for alive in young] + [grown]


def _film(steps: int) -> tuple[Substrate, list[Trace]]:
    decoder = replace(DIRECT, cells=Budding(steps))
    genome = decoder.genome_spec(CHAIN).init(key=jax.random.key(0))
    return CHAIN, decoder.film(genome, CHAIN, key=jax.random.key(1))


def test_a_film_has_a_frame_a_stage_and_stands_at_the_end() -> None:
    substrate, film = _film(2)
    assert len(film) == 2
    assert float(film[0].network.alive["hidden1"].sum()) == 3 < float(film[1].network.alive["hidden1"].sum()) == 5
    data = figures.growth(substrate, film)
    assert data == figures.growth(substrate, film)
    gif = Image.open(io.BytesIO(data))
    assert gif.format == "GIF"
    frames, durations = [], []
    for i in range(getattr(gif, "n_frames", 1)):
        gif.seek(i)
        frames.append(np.asarray(gif.convert("RGB")).astype(int))
        durations.append(gif.info["duration"])
    assert len(frames) == 2
    assert durations[1] > durations[0] > 0
    assert (frames[0][0, -1] == 255).all(), "the page is white"
    red_or_blue = [int((np.abs(f[..., 0] - f[..., 2]) > 60).sum()) for f in frames]
    assert red_or_blue[1] > red_or_blue[0], "more synapses, more ink"


def test_a_long_film_is_cut_and_one_without_stages_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evodev.report.film.FRAMES", 3)
    substrate, film = _film(5)
    gif = Image.open(io.BytesIO(figures.growth(substrate, film)))
    assert getattr(gif, "n_frames", 1) == 3
    with pytest.raises(ValueError, match="one stage or more"):
        figures.growth(substrate, [])


def test_explicit_coordinates_of_any_unit_are_drawn_as_wide_as_a_grid() -> None:
    far = Population("far", (2, 2), at=((0.0, 0.0), (100.0, 0.0), (0.0, 50.0), (100.0, 50.0)))
    substrate = Substrate((far, Population("output", (1,))), (Projection("far", "output"),))
    place = geometry.places(substrate)["far"]
    assert 0.5 < np.ptp(place[:, 1]) < 3
    assert geometry.sheets(far, place) == []


def test_strongest_synapses_start_with_one_for_each_neuron() -> None:
    weights = np.array([[5.0, 0.1], [4.0, -0.2], [3.0, 9.0]])
    mask = np.array([[1, 1], [1, 1], [1, 0]]) > 0
    assert strongest(weights, mask, 2).tolist() == [[0, 0], [1, 1]], "the largest of each neuron, a missing one not counted"
    assert strongest(weights, mask, 3).tolist()[-1] == [1, 0]
    assert len(strongest(weights, mask, 99)) == 5


def test_labels_do_not_overlap_and_keep_their_order() -> None:
    wanted, heights = [0.5, 0.5, 0.52, 0.99, 0.0], [0.1] * 5
    place = spread(wanted, heights, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    assert np.all(np.diff(place[order]) > 0.1 - 1e-9)
    assert place.min() >= 0.05 - 1e-9
    assert place.max() <= 0.95 + 1e-9
    assert spread([0.2, 0.8], [0.1, 0.1], 0.0, 1.0).tolist() == pytest.approx([0.2, 0.8])


def test_a_genome_of_many_genes_is_cut_to_those_that_moved() -> None:
    spec = spec_of(Gene(f"part/gene{i}", (3,)) for i in range(figures.GENES + 20))
    initial = np.zeros(spec.size)
    few = Image.open(io.BytesIO(figures.genome_strip(spec_of(spec.genes[:10]), initial[:30], initial[:30])))
    many = Image.open(io.BytesIO(figures.genome_strip(spec, initial + 1, initial)))
    assert few.height < many.height < few.height * (figures.GENES + 20) / 10


@pytest.mark.parametrize("span", [[22.0, 200.0], None], ids=["the same in all worlds", "another in each world"])
def test_lives_that_act_are_told_by_return_and_regret(span: list[float] | None) -> None:
    comparison = _acted(span)
    header, body = rows(comparison)
    assert {"return at 1", "return at 2", "return at 10", "episodes to regret 0.5"} <= set(header)
    assert not [h for h in header if "accuracy" in h or "to 0." in h]
    assert body[0][header.index("return at 10")] == ("0.5 [0.5, 0.5]" if span else "0.50 [0.48, 0.52]")
    text = " ".join(verdict(comparison))
    assert "At the end of a life (10 episodes) its return is" in text
    assert ("acting at random has 22, the best is 200" in text) == bool(span)
    assert "mean regret over a life" in caption(comparison)
    figure = learning_curves.__wrapped__(comparison)  # type: ignore[attr-defined]
    titles, labels = ({getattr(ax, f"get_{what}")() for ax in figure.axes} for what in ("title", "ylabel"))
    assert {t.split(" – ")[0] for t in titles} == {"regret", "return"}
    assert labels == {"regret", "return of an episode" if span else "share of what can be had"}
