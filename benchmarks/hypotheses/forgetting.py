"""Forgetting (19): does an evolved plasticity mask keep what earlier phases taught, where EWC and replay are at hand?

Independent variable: what guards earlier phases. Arms, all evolved by the same SNES in the same lives, weights at birth and
rates included: all plastic; an evolved mask (a gate a synapse); a random mask of the evolved one's share in each projection
(weights and rates evolved around it); EWC, whose strength is a gene; replay of one batch of the life so far after each new one.
Each in both scenarios of split digits: task-incremental (the phase of a question is known: two classes compete) and
class-incremental (all eight do). Built on benchmarks/lives/plasticity.py, where with ten hidden neurons and the phase known
nothing was forgotten, so that nothing could be won; here two hidden neurons serve four phases. That size was chosen by what
*all plastic* forgets in a pilot (seed 100: 0.106 of accuracy with 2 hidden neurons, 0.017 with 4); no mask was looked at.

Measure: retention, the score on a phase at the end of the life less that when it ended, mean over phases but the last.
Expected before the run: mask less all plastic + where the phase is known, about 0 where it is not, since there it is the
read-out that is overwritten.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.verdict import Sign
from benchmarks.lives.plasticity import DECODER, World, dealt, search_program, start, test_program
from evodev.fitness import Fitness
from evodev.learners import Elastic, Gradient
from evodev.organism import Organism
from evodev.substrate import mlp
from evodev.tasks import ContinualDigits

SCENARIOS = {"task": "the phase is known (task-incremental)", "class": "it is not (class-incremental)"}
ARMS = ("all plastic", "evolved mask", "random mask", "EWC", "replay")
SHOTS, HIDDEN = 5, 2
Scenario = Literal["class", "task"]


@cache
def organism(scenario: Scenario, arm: str) -> Organism:
    """The first three arms are one organism: they differ in which of its genes are evolved."""
    own = world(scenario, 0)
    if arm == "EWC":
        return Organism(own.substrate, DECODER, Elastic(own.learner, period=SHOTS))
    return own.organism(arm == "replay")


@cache
def world(scenario: Scenario, generations: int) -> World:
    """Four phases of two classes of centred digits, five examples of each class."""
    task = ContinualDigits(phases=4, ways=2, shots=SHOTS, probes=4, scenario=scenario, canvas=8)
    learner = Gradient(plastic="synapse", heads=task.heads)
    return World(task, mlp((task.inputs, HIDDEN, task.outputs)), learner, Fitness("final"), generations, lives=4, test_lives=256)


@cache
def programs(
    scenario: Scenario, arm: str, generations: int, evolved: tuple[int, ...]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compiled search and test of an arm, the same for all seeds."""
    own = world(scenario, generations)
    return search_program(own, organism(scenario, arm), np.array(evolved)), tester(scenario, arm == "replay", arm == "EWC")


@cache
def tester(scenario: Scenario, replays: bool, elastic: bool) -> Callable[..., Any]:
    """Arms that are one organism share one test."""
    return test_program(world(scenario, 0), organism(scenario, "replay" if replays else "EWC" if elastic else "all plastic"))


def run(seed: int, budget: Budget) -> Measures:
    """Both scenarios, every arm evolved and tested on the same held-out lives."""
    out: Measures = {}
    for scenario in SCENARIOS:
        scenario, mask = cast(Scenario, scenario), None
        out[scenario] = {}
        for arm in ARMS:
            begun, places = start(organism(scenario, arm), arm, seed, mask)
            search, test = programs(scenario, arm, budget["generations"], tuple(places.tolist()))
            found = np.array(search(jnp.asarray(begun, jnp.float32), jax.random.key(1000 + seed)))
            mask = found if arm == "evolved mask" else mask
            told = {k: np.asarray(v).tolist() for k, v in test(jnp.asarray(found, jnp.float32)).items()}
            out[scenario][arm] = told | {"numbers": len(places)}
            if arm == "evolved mask":
                shuffled = dealt(organism(scenario, arm), found, seed)
                out[scenario]["shuffled"] = {
                    k: np.asarray(v).tolist() for k, v in test(jnp.asarray(shuffled, jnp.float32)).items()
                }
    return out


def lead(scenario: str, rival: str, measure: str = "retention", arm: str = "evolved mask") -> Callable[[Measures], float]:
    """One arm's measure less a rival's."""
    return lambda m: m[scenario][arm][measure] - m[scenario][rival][measure]


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Retention and final accuracy of every arm, a dot a seed, mean and interval; what is left of each phase."""
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    panels = figure.subplots(2, 3, gridspec_kw={"width_ratios": [1, 1, 1.1]})
    arms, ways = (*ARMS, "shuffled"), 2
    colours = {"evolved mask": "#c45a00", "replay": "#0b4f9e", "EWC": "#5a9bd8", "all plastic": "#444444"}
    for line, (scenario, said) in enumerate(SCENARIOS.items()):
        chance = 1 / ways if scenario == "task" else 1 / (4 * ways)
        for axis, measure in zip(panels[line], ("retention", "accuracy"), strict=False):
            for y, arm in enumerate(arms):
                values = [m[scenario][arm][measure] for m in measures]
                points(axis, y, values, along="x", color=colours.get(arm, "#9a9a9a"))
            axis.set_yticks(range(len(arms)), arms if measure == "retention" else [""] * len(arms))
            axis.set_ylim(len(arms) - 0.5, -0.5)
            axis.tick_params(axis="y", length=0)
            axis.locator_params(axis="x", nbins=5)
            axis.axvline(0.0 if measure == "retention" else chance, color="#9a9a9a", linewidth=1, linestyle=":")
            axis.grid(axis="y", color="#eeeeee")
            axis.set_xlabel(
                "retention (accuracy; 0 forgets nothing)" if measure == "retention" else "accuracy at the end (dotted: chance)"
            )
        panels[line, 0].set_title(said, loc="left", fontsize=10)
        expected = "expected: the mask above all plastic" if scenario == "task" else "expected: the mask as all plastic"
        panels[line, 1].set_title(expected, loc="left", fontsize=10, color="#555555")
        axis = panels[line, 2]
        for arm in ARMS:
            if arm == "random mask":
                continue
            band(axis, range(1, 5), [m[scenario][arm]["phases"][-1] for m in measures], color=colours[arm], label=arm)
        axis.axhline(chance, color="#9a9a9a", linewidth=1, linestyle=":")
        axis.set_xticks(range(1, 5))
        axis.set_xlabel("phase, first to last")
        axis.set_ylabel("accuracy at the end")
        if not line:
            axis.legend(frameon=False, fontsize=8)
    for axis in panels.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def spends(generations: int) -> str:
    """A seed's budget in words."""
    return f"2 scenarios x 5 arms, each {generations} generations of 64 genomes x 4 lives; 256 test lives"


CLAIM = Claim(
    number=19,
    name="forgetting",
    words="This runs on 20 watts. It's sample efficient. It resists catastrophic forgetting.",
    hypothesis="Evolution can say which synapses may change, and a network so masked forgets less of its earlier phases where "
    "the phase of a question is known, and no less where it is not.",
    varies="what guards earlier phases: nothing, an evolved or random plasticity mask, EWC, replay",
    arms=(*ARMS, "shuffled"),
    measure="retention: accuracy on a phase at the end of the life less that when it ended, mean over phases but the last",
    smallest="split digits through hundreds of hidden neurons, phases learned to convergence; here 64-2-8, ten labelled samples "
    "a phase, where two neurons must serve eight classes, and weights at birth are evolved in every arm",
    contrasts=(
        Contrast("phase known: evolved mask less all plastic", lead("task", "all plastic"), "+", 0.03, "accuracy retained"),
        Contrast("phase unknown: evolved mask less all plastic", lead("class", "all plastic"), "0", 0.03, "accuracy retained"),
        *(
            Contrast(f"phase {'known' if s == 'task' else 'unknown'}: evolved mask less {r}", lead(s, r), cast(Sign, sign), 0.03,
                     "accuracy retained", decides=False)
            for s in SCENARIOS for r, sign in (("random mask", "+" if s == "task" else "0"), ("EWC", "0"), ("replay", "-"))
        ),
        *(
            Contrast(f"phase {'known' if s == 'task' else 'unknown'}: evolved mask less all plastic, final accuracy",
                     lead(s, "all plastic", "accuracy"), cast(Sign, sign), 0.03, "accuracy", decides=False)
            for s, sign in (("task", "+"), ("class", "0"))
        ),
        Contrast("phase unknown: EWC less all plastic", lead("class", "all plastic", arm="EWC"), "0", 0.03, "accuracy retained",
                 decides=False),
    ),
    budgets={"quick": Budget(3, spends(15), {"generations": 15}), "full": Budget(10, spends(100), {"generations": 100})},
    run=run,
    draw=draw,
)  # fmt: skip
