"""Part two of ``hebbian``: CartPole whose muscles are redrawn in each life, learned within three episodes."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.lives.hebbian_controls import live_controls, test_lives
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import live_subjects
from evodev.learners import HebbianRule, Learner, Neuromodulated, NoLearning
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import CartPole

TASK = CartPole(horizon=200)
RULES: dict[str, Learner] = {"own modulator": Neuromodulated("own"), "hebbian": HebbianRule()}
LEARNERS: dict[str, Learner] = RULES | {"innate": NoLearning()}
"""With the rival in which no synapse ever changes."""
STRATEGY = Strategy("SNES", population=32, sigma=0.5, learning_rate=0.1, learning_rate_final=0.02)
GENERATIONS, TEST_LIVES, DRAWS = 300, 256, 6
SCHEDULE = Schedule(GENERATIONS, lives=16, validation_lives=64, block=25)


def organism_of(name: str) -> Organism:
    """Every weight a gene: seven inputs (the last action and reward among them), and two kinds of hidden neurons.

    ``lean`` is odd in what is seen, for an answer that has to be; ``worry`` is even, for a modulator that tells how far things
    are from right. What the outputs read is blank at birth where a rule is to write on it: a policy that is right in half the
    worlds, and never learned, would be the easiest thing to evolve.
    """
    substrate = Substrate(
        (
            Population("input", (TASK.inputs,), activation="linear"),
            Population("lean", (6,), activation="tanh"),
            Population("worry", (6,), activation="abs"),
            Population("output", (TASK.outputs,), activation="linear"),
        ),
        (Projection("input", "lean"), Projection("input", "worry"), Projection("lean", "output", blank=name in RULES)),
    )
    return Organism(substrate, Decoder(CellTypes(), Direct(), AllSynapses()), LEARNERS[name])


def measures(log: LifetimeLog) -> dict[str, Any]:
    """Return of each episode, the first lived by the newborn: mean over lives and draws, and the share of lives below 60."""
    ignorant, perfect = TASK.returns(TASK.sample("test", key=jax.random.key(0)))
    score = np.nan_to_num(np.asarray(log.score)).reshape(-1, TASK.episodes + 1)
    returns = ignorant + score * (perfect - ignorant)
    return {
        "returns": returns.mean(0).tolist(),
        "fallen": (returns < 60).mean(0).tolist(),
        "failed": float(np.mean(np.asarray(log.failed))),
    }


def one_search(name: str, seed: int) -> dict[str, Any]:
    """Evolve weights and rule together."""
    organism, began = organism_of(name), time.perf_counter()
    search = Search(organism, TASK, STRATEGY, SCHEDULE, seed=seed, devices=1)
    state, validation = search.start(), []
    while int(state.generation) < GENERATIONS:
        state, records = search.advance(state)
        validation.append(records[-1]["validation_champion"])
    genes = {n: v for n, v in search.spec.unpack(state.champion).items() if n.startswith("learner/")}
    return {
        "champion": np.asarray(state.champion).tolist(),
        "rule": {n.removeprefix("learner/"): np.asarray(v).tolist() for n, v in genes.items()},
        "validation": validation,
        "lives": search.lives_at(GENERATIONS),
        "seconds": time.perf_counter() - began,
    }


def one_test(name: str, seed: int, champion: list[float]) -> dict[str, Any]:
    """The champion, and for a rule its controls, in test worlds."""
    organism, key, genome = organism_of(name), jax.random.fold_in(jax.random.key(seed), 0x7E5), jnp.asarray(champion)
    chunk, worlds, schedule = Chunk(1, TEST_LIVES), test_lives(TASK, TEST_LIVES), probe_steps(TASK.steps)
    if name in RULES:
        logs = live_controls(organism, genome, TASK, worlds, schedule, DRAWS, chunk, key=key)
        return {"arms": {arm: measures(log) for arm, log in logs.items()}}
    log = live_subjects(
        organism.hatch, genome[None], organism.learner, organism.substrate, TASK, worlds, schedule,
        key=key, stochastic=False, chunk=chunk, devices=1,
    )  # fmt: skip
    return {"arms": {"evolved": measures(log)}}
