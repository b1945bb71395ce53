"""Experiments by name, and the catalogue of everything that has a name."""

import difflib
import re
from collections.abc import Callable
from typing import Any

from evodev.baselines import BASELINES
from evodev.decoders import CELLS, DECODERS, REFINEMENTS, SPARSITIES, WIRINGS, Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses, Budget
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.relative import RelativePosition
from evodev.experiment import Experiment
from evodev.learners import LEARNERS, ActorCritic, Episodic, Gradient
from evodev.measurement import Comparison
from evodev.search import Schedule
from evodev.strategies import STRATEGIES, Strategy
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.tasks import TASKS, Acting, CartPole, FewShotDigits, Sine


def few_shot_digits() -> Experiment:
    """The default: shifted digits, held-out classes, relative-position wiring, an episodic read-out."""
    substrate = Substrate(
        (
            Population("input", (12, 12), activation="linear"),
            Population("edges", (12, 12), 8, activation="abs", normalisation="types"),
            Population("parts", (6, 6), 48, activation="relu", normalisation="types"),
            Population("pooled", (2, 2), 48, activation="linear"),
            Population("output", (5,), activation="linear"),
        ),
        (
            Projection("input", "edges"),
            Projection("edges", "parts"),
            Projection("parts", "pooled"),
            Projection("pooled", "output", blank=True),
        ),
    )
    wiring = RelativePosition(radius=(0.35, 0.45, 1.5), waves=(3, 3, 1), form=("kernel", "kernel", "pool"))
    return Experiment(
        task=FewShotDigits(),
        substrate=substrate,
        decoder=Decoder(CellTypes(), wiring, Budget(0.2)),
        learner=Episodic(),
        strategy=Strategy("Open_ES", population=64, sigma=0.1, sigma_final=0.03, learning_rate=0.05, learning_rate_final=0.005),
        schedule=Schedule(generations=300, lives=4, validation_lives=64, block=10),
    )


def sine() -> Experiment:
    """Sine regression from five labelled points: every weight a gene, plain gradient descent at evolved rates."""
    return Experiment(
        task=Sine(shots=5),
        substrate=mlp((1, 40, 40, 1), activation="tanh"),
        decoder=Decoder(CellTypes(), Direct(), AllSynapses()),
        learner=Gradient(loss="squared_error", log_rate=-3.5),
        strategy=Strategy("SNES", population=64, sigma=0.2),
        schedule=Schedule(generations=1000, lives=8, validation_lives=128, block=50),
        comparison=Comparison(lives=512),
    )


def cartpole() -> Experiment:
    """CartPole with other physics and actions in each life of three episodes: every weight a gene, an actor-critic learns;
    needs pip install 'evodev-jax[control]'.
    """
    task = CartPole()
    return Experiment(
        task=task,
        substrate=mlp((task.inputs, 16, task.outputs), activation="tanh"),
        decoder=Decoder(CellTypes(), Direct(), AllSynapses()),
        learner=ActorCritic(),
        strategy=Strategy("SNES", population=64, sigma=0.5),
        schedule=Schedule(generations=100, lives=8, validation_lives=64, block=10),
        comparison=Comparison(lives=128),
    )


PRESETS: dict[str, Callable[[], Experiment]] = {
    "few-shot-digits": few_shot_digits,
    "sine": sine,
    "cartpole": cartpole,
}


def preset(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        ValueError: for an unknown name, with the nearest known one.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, list(PRESETS), n=1, cutoff=0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"preset: no preset {name!r}; {hint}Known: {', '.join(PRESETS)}")
    return PRESETS[name]()


def readable(text: str) -> str:
    """A docstring as people read it on a terminal: without roles and double backticks."""
    return re.sub(r":\w+:`(?:~[\w.]*\.)?([^`]*)`", r"\1", text).replace("``", "")


def _first_line(thing: Any) -> str:
    """The first line of a docstring, and of those after it what its sentence still needs."""
    first, *rest = (thing.__doc__ or "").strip().split("\n\n")[0].split("\n")
    for line in rest:
        if first.endswith("."):
            break
        first += " " + re.split(r"(?<=\.) ", line.strip())[0]
    return readable(first.strip())


def _acted(task: Acting) -> str:
    """A line on a task that acts."""
    does = f"{task.outputs} actions to choose from" if task.discrete else f"{task.outputs} values to give"
    reward = (
        f"; acting at random returns {task.span[0]:g} (regret 1), at best {task.span[1]:g} (regret 0)"
        if task.span
        else ("; acting at random has regret 1, the best that could be 0")
    )
    return (
        f"{task.observations} observations ({task.inputs} inputs), {does}, {task.episodes} {task.unit} a life of "
        f"{f'at most {task.horizon} steps' if task.horizon > 1 else '1 step'} each{reward}; held out: {task.held_out}"
    )


def catalogue() -> dict[str, dict[str, str]]:
    """Everything that has a name, kind by kind, with a line on each."""
    tasks = {}
    for name, cls in TASKS.items():
        try:
            task = cls()
        except ImportError as error:  # an extra that is not installed
            tasks[name] = f"{_first_line(cls)} Not here: {error}"
            continue
        if isinstance(task, Acting):
            tasks[name] = _acted(task)
            continue
        tasks[name] = (
            f"{task.inputs} inputs, {task.outputs} outputs, {task.labels} labelled samples a life; an ignorant learner scores "
            f"{task.ignorant_loss:.2f}, a perfect one 0; held out: {task.held_out}"
        )
    parts = {"cells": CELLS, "wirings": WIRINGS, "sparsities": SPARSITIES, "refinements": REFINEMENTS, "learners": LEARNERS}
    return {
        "presets": {name: _first_line(make) for name, make in PRESETS.items()},
        "decoders": {
            name: f"{type(d.cells).__name__} x {type(d.wiring).__name__} x {type(d.sparsity).__name__}"
            for name, d in DECODERS.items()
        },
        **{kind: {name: _first_line(cls) for name, cls in registry.items()} for kind, registry in parts.items()},
        "tasks": tasks,
        "baselines": {name: f"{b.role}: {_first_line(b)}" for name, b in BASELINES.items()},
        "strategies": {name: _first_line(cls) for name, cls in STRATEGIES.items()},
    }
