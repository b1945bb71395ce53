"""Part one of ``hebbian``: few-shot digits, learned in life by an evolved local rule on every synapse."""

import time
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.lives.hebbian_controls import Controls, live_controls, test_lives
from evodev.baselines import BASELINES, Arm, Setting
from evodev.baselines.random_networks import TunedGrid
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.relative import RelativePosition
from evodev.evaluation import live_subjects
from evodev.fitness import Fitness, aulc, jumpstart, slope_aligned
from evodev.learners import HebbianRule, Learner
from evodev.lifetime import LifetimeLog
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits

TASK = FewShotDigits()
LEARNERS: dict[str, Learner] = {
    "target": HebbianRule(teaching="target", log_rate=1.0),
    "delta": HebbianRule(log_rate=1.0),
}
"""The rules whose coefficients evolve. ``target`` knows no error at all; ``delta`` knows that of the outputs, at the outputs."""
STRATEGY = Strategy("Open_ES", population=32, sigma=0.1, sigma_final=0.03, learning_rate=0.1, learning_rate_final=0.01)
GENERATIONS, TEST_LIVES, DRAWS = 200, 128, 6
SCHEDULE = Schedule(GENERATIONS, lives=4, validation_lives=32, block=10, probes=3)
PROBES = (0, 1, 2, 3, 5, 8, 13, 20)
"""Samples a class after which test lives are probed."""


def substrate() -> Substrate:
    """The preset's, smaller: every synapse is written in every step, which no shared kernel makes cheap."""
    return Substrate(
        (
            Population("input", (12, 12), activation="linear"),
            Population("edges", (6, 6), 6, activation="abs", normalisation="types"),
            Population("parts", (4, 4), 16, activation="relu", normalisation="types"),
            Population("pooled", (2, 2), 16, activation="linear", normalisation="standard"),
            Population("output", (5,), activation="linear"),
        ),
        (
            Projection("input", "edges"),
            Projection("edges", "parts"),
            Projection("parts", "pooled"),
            Projection("pooled", "output", blank=True),
        ),
    )


def measures(log: LifetimeLog) -> dict[str, Any]:
    """Accuracy at every probe, and what the loss says, means over lives and draws."""
    loss = np.where(np.isfinite(log.loss), np.minimum(log.loss, 100.0), 100.0).reshape(-1, len(PROBES))
    score = np.nan_to_num(np.asarray(log.score)).reshape(-1, len(PROBES))
    return {
        "accuracy": score.mean(0).tolist(),
        "aulc": float(np.mean(aulc(cast(Any, loss), PROBES))),
        "jumpstart": float(np.mean(jumpstart(cast(Any, loss), TASK.ignorant_loss))),
        "slope": float(np.mean(slope_aligned(cast(Any, loss), PROBES))),
        "failed": float(np.mean(np.asarray(log.failed))),
    }


def organism_of(rule: str) -> Organism:
    """The decoder of the default search with a local rule in place of its episodic read-out."""
    wiring = RelativePosition(radius=(0.35, 0.45, 1.5), waves=(3, 3, 1), form=("kernel", "kernel", "pool"))
    return Organism(substrate(), Decoder(CellTypes(), wiring, Budget(0.2)), LEARNERS[rule])


def one_search(rule: str, seed: int) -> dict[str, Any]:
    """Evolve wiring and rule together."""
    organism, began = organism_of(rule), time.perf_counter()
    key_start = jax.random.fold_in(jax.random.key(seed), 0x4EB)
    search = Search(organism, TASK, STRATEGY, SCHEDULE, seed=seed, devices=1)
    state, validation = search.start(Controls(organism).start(key_start)), []
    while int(state.generation) < GENERATIONS:
        state, records = search.advance(state)
        validation.append(records[-1]["validation_champion"])
    genes = {n: v for n, v in search.spec.unpack(state.champion).items() if n.startswith("learner/")}
    return {
        "champion": np.asarray(state.champion).tolist(),
        "rule": {n.removeprefix("learner/"): float(v) for n, v in genes.items()},
        "validation": validation,
        "lives": search.lives_at(GENERATIONS),
        "seconds": time.perf_counter() - began,
    }


def one_test(rule: str, seed: int, champion: list[float]) -> dict[str, Any]:
    """The champion and its controls on test lives."""
    organism, key = organism_of(rule), jax.random.fold_in(jax.random.key(seed), 0x7E5)
    logs = live_controls(organism, jnp.asarray(champion), TASK, test_lives(TASK, TEST_LIVES), PROBES, DRAWS, Chunk(1, 4), key=key)
    return {"arms": {name: measures(log) for name, log in logs.items()}, "synapses": float(logs["evolved"].synapses.mean())}


def one_reference(seed: int) -> dict[str, Any]:
    """Nearest neighbours on pixels, and the same substrate, dense, by tuned gradient from scratch."""
    organism = organism_of("delta")
    genome = organism.genome_spec.init(key=jax.random.key(seed))
    setting = Setting(
        organism=organism, champion=genome, initial=genome, synapses=0, task=TASK, strategy=STRATEGY, schedule=Schedule(),
        fitness=Fitness(), budget=0, evolve=False, seed=seed,
    )  # fmt: skip
    lives, out = test_lives(TASK, TEST_LIVES), {}
    known = {name: BASELINES[name] for name in ("nearest centroid on inputs", "1-NN on inputs")}
    for name, baseline in (known | {"dense, tuned backprop": TunedGrid("dense", lives=4)}).items():
        arm: Arm = baseline.build(name, setting, key=jax.random.key(seed), say=lambda line: None)
        log = live_subjects(
            arm.develop, jax.tree.map(lambda x: jnp.asarray(x)[None], arm.subject), arm.learner, arm.substrate, TASK, lives,
            PROBES, key=jax.random.key(seed), stochastic=arm.stochastic, chunk=Chunk(1, 4), devices=1,
        )  # fmt: skip
        out[name] = measures(log)
    return out
