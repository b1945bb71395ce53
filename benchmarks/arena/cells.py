"""One cell of the arena: an arm in a world, for every seed; what is finished is kept."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.arena.sizes import numbers, off_size, sized
from benchmarks.arena.worlds import Budget, World, bare
from evodev.baselines import BASELINES, Baseline, Setting
from evodev.baselines.meta import MetaLearned
from evodev.baselines.random_networks import RandomNetwork
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import aulc
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.measurement import live_arm
from evodev.organism import Organism
from evodev.search import Search
from evodev.types import Key

CACHE = Path(__file__).parent / ".cache"
RANDOM, BARE = "random sparse, same learner", "no network, same learner"
RIVALS = (
    RANDOM, BARE, "dense + evolved hyperparameters", "random sparse + evolved hyperparameters", "RigL", "SNIP", "MAML",
)  # fmt: skip
"""What has no genome of development, by the names that it has in every comparison."""
REFERENCES = ("1-NN on inputs", "nearest centroid on inputs")
"""Told by their accuracy alone."""
LAST = ("ndp", "hypernca")
"""The slowest to grow."""
ARMS = (*(name for name in DECODERS if name not in LAST), *RIVALS, *REFERENCES, *LAST)

Entry = dict[str, Any]
"""What one seed of a cell has to say; see :func:`told`."""


@dataclass(frozen=True)
class Cell:
    """An arm in a world at a budget.

    Attributes:
        arm: one of ``ARMS``.
        world: where.
        budget: what the search may spend.
    """

    arm: str
    world: World
    budget: Budget

    @property
    def reason(self) -> str | None:
        """Why there is no such cell, or None."""
        if self.arm in DECODERS:
            try:
                sized(self.arm, self.world)
            except ValueError as error:
                return str(error)
        elif self.arm in BASELINES and not self.baseline.applies(self.setting(0)):
            where = {"control": "needs targets, which a life that acts has not", "regression": "needs classes"}
            return where.get(self.world.task.problem, "does not apply")
        return None

    @property
    def organism(self) -> Organism | None:
        """What is searched over; None for an arm that tunes itself."""
        world = self.world
        if self.arm in DECODERS:
            return Organism(world.substrate, sized(self.arm, world), world.learner)
        if self.arm == RANDOM:
            return Organism(world.substrate, RandomNetwork(world.grown / world.possible), world.learner)
        if self.arm == BARE:
            return Organism(bare(world), Decoder(CellTypes(), Direct(), AllSynapses()), world.learner)
        return None

    @property
    def baseline(self) -> Baseline:
        """The arm that tunes itself; MAML looks at validation more often, as it has few lives."""
        own = BASELINES[self.arm]
        return replace(own, rates=self.world.rates, block=50, validation=32) if isinstance(own, MetaLearned) else own

    def search(self, organism: Organism) -> Search:
        """The search of every decoder here."""
        return Search(organism, self.world.task, self.budget.strategy, self.budget.schedule, fitness=self.world.fitness)

    @property
    def lives(self) -> int:
        """Outer lives that every search here lives, and that no baseline exceeds."""
        return self.search(Organism(bare(self.world), RandomNetwork(), self.world.learner)).lives_at(self.budget.generations)

    def setting(self, seed: int) -> Setting:
        """What a baseline may know: substrate, synapses and lives of the decoders here."""
        organism = Organism(self.world.substrate, sized("direct", self.world), self.world.learner)
        nothing = jnp.zeros(organism.genome_spec.size)
        return Setting(
            organism=organism, champion=nothing, initial=nothing, synapses=self.world.synapses, task=self.world.task,
            strategy=self.budget.strategy, schedule=self.budget.schedule, fitness=self.world.fitness, budget=self.lives,
            evolve=True, seed=seed,
        )  # fmt: skip

    def path(self, seed: int, cache: Path) -> Path:
        """Where a finished seed is kept: another configuration is another file."""
        own = self.baseline if self.organism is None else self.organism.decoder
        mark = hashlib.sha1(repr((self.world, own, self.budget)).encode()).hexdigest()[:10]
        name = "-".join(f"{self.world.name} {self.arm}".lower().replace("+", "and").replace(",", "").split())
        return cache / f"{name}-{mark}-{seed}.json"

    def finished(self, seed: int, cache: Path = CACHE) -> Entry | None:
        """What a seed said, if it is done."""
        path = self.path(seed, cache)
        return json.loads(path.read_text()) if path.exists() else None

    def run(self, seeds: int, cache: Path = CACHE) -> Iterator[Entry]:
        """Every seed, from the cache or by doing it; one compiled program serves all of them."""
        organism, search = self.organism, None
        for seed in range(seeds):
            entry = self.finished(seed, cache)
            if entry is None:
                began = time.process_time()
                if organism is not None and search is None:
                    search = self.search(organism)
                entry = self.tuned(seed) if search is None else self.searched(search, seed)
                entry |= {"seconds": time.process_time() - began}
                path = self.path(seed, cache)
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial")
                partial.write_text(json.dumps(entry))
                partial.replace(path)
            yield entry

    def searched(self, search: Search, seed: int) -> Entry:
        """One search: champion, centroid, and the genome that it started from, on the test lives."""
        # the root is told to the program, so that seeds share it
        search.root = jax.random.key(seed)
        state = search.start()
        while int(state.generation) < self.budget.generations:
            state, _ = search.advance(state)
        own, genomes = search.organism, jnp.stack([state.champion, state.centroid, state.initial])
        log = live_subjects(
            own.hatch, genomes, own.learner, own.substrate, self.world.task, self.lives_to_test(), search.probe_steps,
            key=self.key_of_test(seed), stochastic=own.decoder.stochastic, chunk=search.chunk, devices=search.devices,
        )  # fmt: skip
        entry, centroid, initial = (self.told(jax.tree.map(lambda x, i=i: x[i], log)) for i in range(3))
        spent = search.lives_at(self.budget.generations)
        return entry | {
            "numbers": own.genome_spec.size,
            "lives": spent,
            "centroid": centroid["score"],
            "initial": initial["score"],
        }

    def tuned(self, seed: int) -> Entry:
        """A baseline, tuned on validation lives within the decoders' outer lives, on the test lives."""
        setting = self.setting(seed)
        arm = self.baseline.build(self.arm, setting, key=jax.random.fold_in(jax.random.key(seed), 0xA2E7A), say=lambda line: None)
        log = live_arm(arm, setting, self.lives_to_test(), key=self.key_of_test(seed))
        own = {"numbers": arm.genome_size, "lives": arm.tuning_lives, "note": arm.note}
        return self.told(log, has_loss=arm.has_loss) | own

    def lives_to_test(self) -> Any:
        """The same for all arms and seeds."""
        return sample_lives(self.world.task, "test", self.budget.test_lives, key=jax.random.key(2026))

    def key_of_test(self, seed: int) -> Key:
        """Of what arms draw in the test lives."""
        return jax.random.fold_in(jax.random.key(seed), 0x7E57)

    def told(self, log: LifetimeLog, *, has_loss: bool = True) -> Entry:
        """Score, AULC and what the network at birth is, mean over the test lives; a probe counts at most ``WORST``."""
        task, worst = self.world.task, -self.world.fitness.worst
        out: Entry = {"synapses": float(np.mean(np.asarray(log.synapses)))}
        if task.problem == "classification":
            out["accuracy"] = float(np.nan_to_num(np.asarray(log.score)[:, -1]).mean())
        if not has_loss:
            return out
        loss = np.minimum(np.nan_to_num(np.asarray(log.loss), nan=worst, posinf=worst), worst)
        area = float(np.mean(np.asarray(aulc(cast(Any, loss), probe_steps(task.steps, self.budget.schedule.probes)))))
        failed = float(np.mean(np.asarray(log.failed)))
        return out | {"score": 1 - area / task.ignorant_loss, "aulc": area, "failed": failed}


def flagged(cell: Cell) -> bool:
    """Whether a decoder's numbers are further from its world's than what counts as equal."""
    organism = cell.organism
    return cell.arm in DECODERS and organism is not None and off_size(cast(Decoder, organism.decoder), cell.world)


__all__ = ["ARMS", "BARE", "CACHE", "RANDOM", "REFERENCES", "RIVALS", "Cell", "Entry", "flagged", "numbers"]
