"""Do evolved local rules learn in life, with no gradient?

Part one, few-shot digits: five classes a life, labels redrawn, digits 6-9 never seen by the search. A small version of the
default search's decoder grows the wiring; a local rule changes every synapse in every step of a life. Wiring and rule evolve
together, from a random wiring and a rule whose coefficients are all zero, so that no delta rule is given. Controls take the
champion apart: learning off, coefficients drawn at random, the rule on random wiring, only the outputs plastic.

Expected, written before any run: learning off stays at chance (0.2), as labels are redrawn. Every evolved rule ends far
above that and above random rules (target: 0.2 of accuracy after 20 samples a class, the interval's lower end); the rule that
knows an error ends above the purely Hebbian one, because class sums stop improving; what changes inside the network in life
helps little. The wiring does most of it: the rule on random wiring is far below. The episodic read-out of the default search
(0.91) is not reached.

Part two, CartPole for three episodes of at most 200 steps: which output pushes which way is redrawn in each life, and physics
too, in the test beyond the ranges of the search. What the outputs read is blank at birth for a learner, so that a policy has
to be learned; the rivals' is evolved and never changes.

Expected: a static network cannot know which way its outputs push; half its lives fall at once, in every episode alike (105 of
200 steps). A rule recovers by the third episode (target: above the static network by 20 steps, the interval's lower end).
Learning off, random rules and random genomes fall at once (20 steps or so).

    python -m benchmarks.lives.hebbian [--seeds N] [--finished]

Finished searches are kept in benchmarks/lives/.cache: a killed script goes on where it was.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.figures import band
from benchmarks.lives import hebbian_cartpole as cartpole
from benchmarks.lives import hebbian_digits as digits
from evodev.cli import prepare_jax
from evodev.statistics import interval

CACHE = Path(__file__).parent / ".cache" / "hebbian"
LEAD, STEPS = 0.2, 20.0
"""Targets: of accuracy over the controls after 20 samples a class; of steps over a static network in the third episode."""

COLOURS = ("#08519c", "#d4820f", "#2f8f5b", "#22262b", "#7f8792")
CONTROLS = {
    "learning off": "#9c2f78",
    "random rule": "#c4669f",
    "random genome": "#651a4e",
    "evolved rule, random wiring": "#b58db0",
}

Result = dict[str, Any]
"""Of one seed: arms by search."""


def kept(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result from the cache, or made and put there."""
    path = CACHE / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


def row(label: str, values: list[float], unit: str, note: str = "", target: float | None = None) -> dict[str, Any]:
    """Mean over seeds with its interval; a target is met by the interval's lower end, of five seeds or more."""
    mean, lo, hi = (float(x) for x in interval(np.array(values, np.float64), 2000))
    met = None if target is None or len(values) < 5 else bool(lo > target)
    note = f"{note}; {len(values)} seeds".removeprefix("; ")
    return {"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": unit, "target": target, "met": met, "note": note}


def digit_rows(results: list[Result], references: dict[str, Any]) -> list[dict[str, Any]]:
    """Accuracy, loss and leads of every rule; then the references."""
    rows = []
    for rule in results[0]:
        seeds = [r for r in results if rule in r]
        arms = {name: [r[rule]["arms"][name] for r in seeds] for name in results[0][rule]["arms"]}
        own = arms["evolved"]
        for count in (1, 5, 20):
            at = digits.PROBES.index(count)
            rows.append(row(f"digits, {rule}: {count} samples a class", [a["accuracy"][at] for a in own], "accuracy"))
        rows.append(row(f"digits, {rule}: AULC", [a["aulc"] for a in own], "nats", "ignorance is 1.609"))
        rows.append(row(f"digits, {rule}: jumpstart", [a["jumpstart"] for a in own], "nats", "below ignorance at birth"))
        rows.append(row(f"digits, {rule}: slope", [a["slope"] for a in own], "nats a doubling", "from aligned starts"))
        for name in (n for n in arms if n != "evolved"):
            final, aulc = [a["accuracy"][-1] for a in arms[name]], np.mean([a["aulc"] for a in arms[name]])
            rows.append(row(f"digits, {rule}, {name}: 20 samples a class", final, "accuracy", f"AULC {aulc:.3f}"))
        for name in ("learning off", "random rule", "random genome"):
            lead = [a["accuracy"][-1] - b["accuracy"][-1] for a, b in zip(own, arms[name], strict=True)]
            note = "after 20 samples a class, paired by seed; met: the lower end of the interval is above"
            rows.append(row(f"digits, {rule}: lead over {name}", lead, "accuracy", note, LEAD))
    for name, measured in references.items():
        one, five, last = (measured["accuracy"][digits.PROBES.index(n)] for n in (1, 5, 20))
        note = f"{one:.2f} after 1, {five:.2f} after 5; tuned once, no interval"
        rows.append({"label": f"digits, {name}: 20 samples a class", "measured": last, "unit": "accuracy", "note": note})
    return rows


def cartpole_rows(results: list[Result]) -> list[dict[str, Any]]:
    """Returns by episode of every learner, the third of the controls, and leads over the static network."""
    rows = []
    for name in results[0]:
        seeds = [r for r in results if name in r and "innate" in r]
        arms = {arm: [r[name]["arms"][arm] for r in seeds] for arm in results[0][name]["arms"]}
        static = [r["innate"]["arms"]["evolved"]["returns"] for r in seeds]
        own = arms["evolved"]
        for episode in (1, 2, 3):
            fallen = np.mean([a["fallen"][episode] for a in own])
            note = f"{fallen:.0%} of lives below 60 steps"
            rows.append(row(f"CartPole, {name}: episode {episode}", [a["returns"][episode] for a in own], "steps", note))
        for arm in (a for a in arms if a != "evolved"):
            rows.append(row(f"CartPole, {name}, {arm}: episode 3", [a["returns"][3] for a in arms[arm]], "steps"))
        if name != "innate":
            lead = [a["returns"][3] - b[3] for a, b in zip(own, static, strict=True)]
            by_seed = ", ".join(f"{a['returns'][3]:.0f}" for a in own)
            note = f"episode 3, paired by seed ({by_seed}); met: the lower end of the interval is above"
            target = STEPS if name in cartpole.RULES else None
            rows.append(row(f"CartPole, {name}: lead over the static network", lead, "steps", note, target))
    return rows


def draw(on_digits: list[Result], on_cartpole: list[Result], references: dict[str, Any]) -> Figure:
    """Accuracy against samples a class, and steps balanced against episodes; bands are intervals over seeds."""
    figure = Figure(figsize=(11.5, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = list(digits.PROBES)
    for rule, color in zip(on_digits[0], COLOURS, strict=False):
        curves = [r[rule]["arms"]["evolved"]["accuracy"] for r in on_digits if rule in r]
        band(left, x, curves, color=color, label=f"evolved: {rule}", linewidth=2.2, marker="")
    first = next(iter(digits.LEARNERS))
    for arm, color in CONTROLS.items():
        curves = [r[first]["arms"][arm]["accuracy"] for r in on_digits if first in r]
        band(left, x, curves, color=color, label=f"{first}, {arm}", linestyle="--", marker="")
    for (name, measured), dash in zip(references.items(), ((0, (1, 2)), (0, (4, 3)), (0, (8, 2))), strict=False):
        left.plot(x, measured["accuracy"], color="#3f4650", linestyle=dash, label=name)
    left.set(xlabel="samples a class", ylabel="accuracy, test lives", title="Few-shot digits, labels redrawn")
    left.set_xticks([1, 5, 10, 15, 20])
    for name, color in zip(on_cartpole[0], COLOURS, strict=False):
        curves = [r[name]["arms"]["evolved"]["returns"][1:] for r in on_cartpole if name in r]
        band(right, [1, 2, 3], curves, color=color, label=f"evolved: {name}", linewidth=2.2)
    first = next(iter(cartpole.LEARNERS))
    for arm, color in CONTROLS.items():
        curves = [r[first]["arms"][arm]["returns"][1:] for r in on_cartpole if first in r]
        band(right, [1, 2, 3], curves, color=color, label=f"{first}, {arm}", linestyle="--")
    right.set(xlabel="episode of a life", ylabel="steps balanced, of 200", title="CartPole, muscles and physics redrawn")
    right.set_xticks([1, 2, 3])
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def main() -> None:
    """Measure and write benchmarks/results/lives/hebbian.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="outer seeds (default 5)")
    parser.add_argument("--finished", action="store_true", help="report what is finished, and start no search")
    options = parser.parse_args()
    prepare_jax()
    parts: tuple[list[Result], list[Result]] = ([], [])
    for name, part, found in (("digits", digits, parts[0]), ("cartpole", cartpole, parts[1])):
        for seed in range(options.seeds):
            found.append({})
            for learner in part.LEARNERS:
                what = f"{name}-{learner}-{seed}-{part.GENERATIONS}"
                if options.finished and not (CACHE / f"{what}-test.json").exists():
                    continue
                search = kept(what, partial(part.one_search, learner, seed))
                found[-1][learner] = kept(f"{what}-test", partial(part.one_test, learner, seed, search["champion"]))
                print(what, flush=True)
    references = {}
    if not options.finished or (CACHE / "digits-reference-0.json").exists():
        references = kept("digits-reference-0", partial(digits.one_reference, 0))
    budget = "; ".join(
        f"{name}: {part.GENERATIONS} generations of {part.STRATEGY.population} genomes x {part.SCHEDULE.lives} lives, "
        f"{part.TEST_LIVES} test lives" for name, part in (("digits", digits), ("CartPole", cartpole))
    )  # fmt: skip
    rows = digit_rows(parts[0], references) + cartpole_rows(parts[1])
    write_result(
        "lives", "hebbian", rows, command="python -m benchmarks.lives.hebbian", seeds=options.seeds,
        budget=budget, figure="hebbian.png",
    )  # fmt: skip
    draw(*parts, references).savefig(result_path("lives", "hebbian").with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    main()
