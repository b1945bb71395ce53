"""What a claim's file says, and what is done with it: seeds, resuming, statistics, verdict, JSON, figure."""

import inspect
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import RESULTS, code_of, write_result
from benchmarks.hypotheses.verdict import Judgement, Sign, Word, judge, together
from evodev.content import digest
from evodev.manifest import commit
from evodev.statistics import interval

CACHE = Path(__file__).parent / ".cache"
SUITE = "hypotheses"
SHOWN = ("benchmarks.figures", "benchmarks.hypotheses.frame", "benchmarks.hypotheses.verdict")
"""What no measured number depends on."""
FIRST_SEED = {"quick": 1000, "full": 0}
"""A quick run has seeds of its own: whether it agrees with a full one is a second look, not the same one."""
MOST = 24
"""Numbers of a list that a result still shows the means of."""
Measures = dict[str, Any]
"""What one outer seed measured: numbers, text and lists of them, by name."""


@dataclass(frozen=True)
class Contrast:
    """A difference whose sign the claim foretells.

    Attributes:
        label: in words, what less what.
        effect: one seed's measures -> the effect, paired within the seed.
        expected: its sign, written down before the run.
        margin: the smallest effect that would matter, in ``unit``; for an expected 0 the margin of equivalence.
        unit: of the effect.
        decides: whether the verdict rests on it; otherwise it is only reported.
        note: for the table.
    """

    label: str
    effect: Callable[[Measures], float]
    expected: Sign
    margin: float
    unit: str = ""
    decides: bool = True
    note: str = ""


@dataclass(frozen=True)
class Budget:
    """What a run may spend.

    Attributes:
        seeds: outer seeds, each a search, data and initial networks of its own.
        says: what one seed spends, in words.
        settings: by which the claim's ``run`` knows it.
    """

    seeds: int
    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]


@dataclass(frozen=True)
class Claim:
    """One claim of the essays as an experiment.

    Attributes:
        number: of the claim in the list.
        name: of its file.
        words: the essay's own.
        hypothesis: in one sentence.
        varies: the independent variable.
        arms: what is compared, controls included.
        measure: what is measured of each arm.
        smallest: the smallest honest size of such an experiment, and how far this one is from it.
        contrasts: what the verdict rests on, and what else is reported.
        budgets: ``quick`` and ``full``.
        run: one outer seed -> its measures.
        draw: the measures of all seeds -> the figure.
    """

    number: int
    name: str
    words: str
    hypothesis: str
    varies: str
    arms: tuple[str, ...]
    measure: str
    smallest: str
    contrasts: tuple[Contrast, ...]
    budgets: Mapping[str, Budget]
    run: Callable[[int, Budget], Measures]
    draw: Callable[[list[Measures], Budget], Figure]


def measured(claim: Claim, budget: str, seed: int, *, fresh: bool = False, redraw: bool = False) -> tuple[Measures, bool]:
    """Measures of a seed, and whether they were kept from before.

    A finished seed of the same settings and code is not run again unless ``fresh``; with ``redraw`` none is, whatever its code.
    """
    own = claim.budgets[budget]
    kept = CACHE / claim.name / f"{budget}-{digest(dict(own.settings))[:10]}-{seed}.json"
    code = code_of(Path(inspect.getfile(claim.run)), SHOWN)
    if kept.exists() and not fresh:
        measures = json.loads(kept.read_text())
        if redraw or measures.get("code") == code:
            return measures, True
    began = time.perf_counter()
    measures = claim.run(seed, own)
    measures |= {"seconds": time.perf_counter() - began, "code": code, "commit": commit()}
    # through JSON, so that a kept seed and a fresh one are the same thing
    text = json.dumps(measures, default=_plain)
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(kept)
    return json.loads(text), False


def _plain(value: Any) -> Any:
    """Arrays and their numbers as JSON has them."""
    return np.asarray(value).tolist()


def _number(value: float) -> float | None:
    """As JSON has it: null for what is undefined."""
    return float(value) if np.isfinite(value) else None


def judged(claim: Claim, measures: list[Measures]) -> tuple[list[Judgement], Word]:
    """Every contrast's judgement, and the claim's verdict; what decides is corrected for its number, the rest alone."""
    deciding = [c for c in claim.contrasts if c.decides]
    others = [[c] for c in claim.contrasts if not c.decides]
    found = {}
    for group in [deciding, *others]:
        effects = [[float(c.effect(m)) for m in measures] for c in group]
        judgements = judge(effects, [c.expected for c in group], [c.margin for c in group])
        found |= dict(zip((c.label for c in group), judgements, strict=True))
    return [found[c.label] for c in claim.contrasts], together([found[c.label].word for c in deciding])


def rows_of(claim: Claim, measures: list[Measures]) -> list[dict[str, Any]]:
    """One row a contrast."""
    met = {"supported": True, "not supported": False, "inconclusive": None}
    rows = []
    for contrast, found in zip(claim.contrasts, judged(claim, measures)[0], strict=True):
        least = {"+": f"> 0, at least {contrast.margin:g}", "-": f"< 0, at least {contrast.margin:g}"}
        if np.isfinite(found.value):
            said = f"{found.word}; p {found.p:.2g}{', corrected' if contrast.decides else '; decides nothing'}"
        else:
            unknown = sum(not np.isfinite(contrast.effect(m)) for m in measures)
            said = f"{found.word}; undefined in {unknown} of {len(measures)} seeds"
        rows.append(
            {
                "label": contrast.label, "unit": contrast.unit,
                "measured": _number(found.value), "lo": _number(found.lo), "hi": _number(found.hi),
                "target": least.get(contrast.expected, f"within {contrast.margin:g} of 0"), "met": met[found.word],
                "note": f"{said}. {contrast.note}".removesuffix(". "),
            }
        )  # fmt: skip
    return rows


def means_of(measures: list[Measures]) -> dict[str, Any]:
    """Mean of every number, and of every short list of numbers, that all seeds measured, with its interval, by path."""
    found: dict[str, Any] = {}

    def walk(path: tuple[str, ...], values: list[Any]) -> None:
        if all(isinstance(v, Mapping) for v in values):
            for name in values[0]:
                if all(name in v for v in values):
                    walk((*path, name), [v[name] for v in values])
            return
        try:
            numbers = np.array(values, np.float64)
        except (TypeError, ValueError):
            return  # text, nothing, or lists of different lengths
        if numbers[0].size <= MOST and np.isfinite(numbers).all():
            three = (np.vectorize(lambda x: float(f"{x:.4g}"), otypes=[float])(part).tolist() for part in interval(numbers, 2000))
            found["/".join(path)] = dict(zip(("mean", "lo", "hi"), three, strict=True))

    walk((), [{k: v for k, v in m.items() if k not in ("seconds", "code", "commit")} for m in measures])
    return found


def told(claim: Claim, measures: list[Measures], budget: str, first_seed: int) -> dict[str, Any]:
    """What a result says beside its rows: the claim in words, every seed's effects, and the verdict that follows."""
    return {
        "number": claim.number, "words": claim.words, "hypothesis": claim.hypothesis, "varies": claim.varies,
        "arms": claim.arms, "measure": claim.measure, "smallest": claim.smallest, "budget": budget, "first_seed": first_seed,
        "seconds": sum(m["seconds"] for m in measures), "measured_at": sorted({m.get("commit") or "unknown" for m in measures}),
        "verdict": judged(claim, measures)[1],
        "contrasts": [
            {
                "label": c.label, "expected": c.expected, "margin": c.margin, "unit": c.unit, "decides": c.decides,
                "effects": [_number(c.effect(m)) for m in measures],
            }
            for c in claim.contrasts
        ],
        "means": means_of(measures),
    }  # fmt: skip


def finish(claim: Claim, measures: list[Measures], budget: str, first_seed: int) -> Path:
    """Write the result and its figure; a quick one stands apart and never takes the place of a full one."""
    own = claim.budgets[budget]
    suite = SUITE if budget == "full" else f"{SUITE}/{budget}"
    picture = (RESULTS / suite / claim.name).with_suffix(".png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    claim.draw(measures, own).savefig(picture, dpi=130)
    return write_result(
        suite, claim.name, rows_of(claim, measures),
        command=f"evodev experiment {claim.name} --budget {budget}"
        + (f" --first-seed {first_seed}" if first_seed != FIRST_SEED[budget] else ""),
        seeds=len(measures), budget=own.says, figure=picture.name, more={"claim": told(claim, measures, budget, first_seed)},
    )  # fmt: skip
