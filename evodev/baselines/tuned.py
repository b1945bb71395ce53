"""Backprop from scratch, tuned harder than by a grid: a random search over how it learns and how wide it is."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Setting, arm_of
from evodev.baselines.random_networks import hyperparameters, rule_of, validated
from evodev.baselines.scratch import Scratch
from evodev.learners import ActorCritic, Gradient, Learner
from evodev.organism import Organism
from evodev.types import Key


class Structure(NamedTuple):
    """What a program is compiled for: a row of the table that the search draws from."""

    optimiser: str
    fall: Any
    replay: int
    width: float

    def __str__(self) -> str:
        """In words."""
        fall = "constant rate" if self.fall == "none" else f"{self.fall} fall"
        again = f", {self.replay} replayed batches a step" if self.replay else ""
        return f"{self.optimiser}, {fall}{again}, width {self.width:g}"


class Candidate(NamedTuple):
    """One configuration: where it belongs in the list of structures, and its numbers."""

    structure: int
    rate: float
    scale: float


@dataclass(frozen=True)
class RandomSearch(Baseline):
    """Backprop from scratch by the best of a random search on validation lives, by successive halving.

    Halving after Jamieson & Talwalkar 2016 (arXiv 1502.07943): all configurations live a few lives; of each round one in
    ``keep`` goes on to ``keep`` times as many, drawn anew, so that all rounds cost the same. Each structure (optimiser, fall
    of the rate, replay, width) is one compiled program, whose rates and initial scales are drawn log-uniformly; structures
    are drawn so that every value of a field comes up equally often.

    Attributes:
        of: the networks.
        structures: programs.
        draws: rates and scales drawn for each.
        lives: validation lives of a configuration in the first round.
        rounds: of halving.
        keep: one in so many goes on.
        rates: optimiser, smallest and largest rate.
        falls: see ``Gradient.fall``.
        replays: batches replayed at each step.
        widths: of the hidden populations, against those that ``of`` gives them.
        scales: smallest and largest initial scale.
    """

    of: Scratch
    structures: int = 12
    draws: int = 8
    lives: int = 4
    rounds: int = 3
    keep: int = 4
    rates: tuple[tuple[str, float, float], ...] = (("sgd", 3e-3, 3.0), ("momentum", 3e-4, 0.3), ("adam", 3e-5, 0.1))
    falls: tuple[str, ...] = ("none", "linear", "cosine")
    replays: tuple[int, ...] = (0, 1, 3)
    widths: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    scales: tuple[float, float] = (0.25, 4.0)
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return self.of.applies(setting)

    def drawn(self, setting: Setting, rng: np.random.Generator) -> tuple[list[Structure], list[Candidate]]:
        """The configurations of the first round."""
        # what acts has nothing to replay
        replays = (0,) if setting.task.problem == "control" else self.replays
        columns: list[list[Any]] = []
        for values in ([name for name, _, _ in self.rates], self.falls, replays, self.widths):
            evenly = [values[i % len(values)] for i in range(self.structures)]
            columns.append([evenly[i] for i in rng.permutation(self.structures)])
        structures = [Structure(*row) for row in zip(*columns, strict=True)]
        ranges = {name: (least, most) for name, least, most in self.rates}
        candidates = []
        for number, structure in enumerate(structures):
            for _ in range(self.draws):
                rate, scale = (np.exp(rng.uniform(*np.log(r))) for r in (ranges[structure.optimiser], self.scales))
                candidates.append(Candidate(number, float(rate), float(scale)))
        return structures, candidates

    def organism(self, setting: Setting, structure: Structure, *, key: Key) -> Organism:
        """What lives, as the structure has it."""
        task = setting.task
        organism = self.of.organism(setting, width=structure.width, key=key)
        updates = task.steps * (1 + structure.replay) * getattr(task, "horizon", 1)
        changes: dict[str, Any] = {"optimiser": structure.optimiser}
        if structure.fall != "none":
            changes |= {"fall": structure.fall, "horizon": updates}
        if structure.replay:
            changes |= {"replay": structure.replay, "capacity": max(task.batch, min(task.steps * task.batch, 1024))}
        return replace(organism, learner=changed(organism.learner, changes))

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        key_draw, key_network, key_lives = jax.random.split(key, 3)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_draw)))
        structures, candidates = self.drawn(setting, rng)
        first, lives, spent, chosen = len(candidates), self.lives, 0, ""
        organisms = [self.organism(setting, s, key=key_network) for s in structures]
        genomes = [hyperparameters(organisms[c.structure].genome_spec, rate=c.rate, scale=c.scale) for c in candidates]
        for number in range(self.rounds):
            scores = np.zeros(len(candidates))
            for i in sorted({c.structure for c in candidates}):
                own = [j for j, c in enumerate(candidates) if c.structure == i]
                stack = jnp.stack([genomes[j] for j in own])
                key_round = jax.random.fold_in(key_lives, number)
                scores[own] = validated(setting, organisms[i], stack, lives=lives, key=key_round)
            spent += lives * len(candidates)
            best = np.argsort(-scores, kind="stable")
            last = number == self.rounds - 1
            best = best[: 1 if last else max(1, len(candidates) // self.keep)]
            candidates, genomes = [candidates[j] for j in best], [genomes[j] for j in best]
            chosen = f"{structures[candidates[0].structure]}, rate {candidates[0].rate:.2g}, scale {candidates[0].scale:.2g}"
            say(f"{name}: {lives} lives each, best {scores[best[0]]:.3f}, {chosen}")
            lives *= self.keep
        organism = organisms[candidates[0].structure]
        tried = f"{first} configurations of optimiser, rate, fall, scale, replay and width on validation, {self.rounds} rounds"
        note = f"{rule_of(setting)}{self.of.about(setting, organism)}; {tried}; {chosen}"
        return arm_of(name, organism, genomes[0], lives=spent, note=note)


def changed(learner: Learner, changes: dict[str, Any]) -> Learner:
    """A learner by gradient, of loss or of reward, with these fields of ``Gradient`` changed."""
    if isinstance(learner, ActorCritic):
        return replace(learner, learner=changed(learner.learner, changes))
    assert isinstance(learner, Gradient)
    return replace(learner, **changes)
