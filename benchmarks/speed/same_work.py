"""The work that all contenders of ``benchmarks.speed.torch`` are given as plain numpy, and the library doing it.

1,024 lives: 128 networks of 64-64-64-5, each of which lives 8 lives of few-shot digits. A life is twenty steps of plain
gradient descent on batches of five, and is probed at birth and at its end on five further examples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import choose_chunk
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.network import Network
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import mlp
from evodev.tasks import FewShotDigits
from evodev.types import Array, Genes, Key

SIZES = (64, 64, 64, 5)
GENOMES, LIVES, STEPS, BATCH = 128, 8, 20, 5
RATE = 0.1
TASK = FewShotDigits(canvas=8, shift=False, rotations=(0, 1, 2, 3), ways=BATCH, shots=STEPS, probes=1)
ORGANISM = Organism(mlp(SIZES), DECODERS["direct"], Gradient())

Run = Callable[[], np.ndarray]
"""Lives every life from birth; the losses at birth and at the end, (GENOMES * LIVES, 2), a network's lives side by side.
Of a search: the mean loss at the end of a life in each of its next generations."""


class Work(NamedTuple):
    """Weights a layer (GENOMES, pre, post), biases being zero; data with a leading axis of LIVES."""

    weights: list[np.ndarray]
    inputs: np.ndarray
    targets: np.ndarray
    probe_inputs: np.ndarray
    probe_targets: np.ndarray

    def each_life(self) -> "Work":
        """The same with a leading axis of GENOMES * LIVES everywhere, for contenders that batch by hand."""
        data = [np.concatenate([x] * GENOMES) for x in self[1:]]
        return Work([np.repeat(w, LIVES, axis=0) for w in self.weights], *data)


def networks() -> Network:
    """The networks at birth, with a leading axis of GENOMES."""
    random, keys = RandomNetwork(), jax.random.split(jax.random.key(1), GENOMES)
    genome = jnp.zeros(random.genome_spec(ORGANISM.substrate).size)
    return jax.vmap(lambda key: random.grow(genome, ORGANISM.substrate, key=key))(keys)


def work() -> Work:
    """The networks and lives as numpy arrays."""
    lives = sample_lives(TASK, "train", LIVES, key=jax.random.key(0))
    data: list[Any] = [lives.inputs, lives.targets, lives.probe_inputs, lives.probe_targets]
    data[0], data[2] = data[0].reshape(LIVES, STEPS, BATCH, -1), data[2].reshape(LIVES, BATCH, -1)
    weights = networks().weights
    return Work([np.asarray(weights[p.name]) for p in ORGANISM.substrate.projections], *(np.asarray(x) for x in data))


def newborn(network: Network, /, *, key: Key) -> tuple[Network, Genes]:
    """A network that is grown already, and equal rates everywhere."""
    return network, {gene.name: jnp.log(RATE) for gene in ORGANISM.learner.genome_spec(ORGANISM.substrate).genes}


def library(devices: int) -> Run:
    """The library's evaluation on so many devices, at the chunk that it chooses."""
    grown, lives = networks(), sample_lives(TASK, "train", LIVES, key=jax.random.key(0))
    chunk = choose_chunk(ORGANISM, TASK, subjects=GENOMES // devices, lives=LIVES)

    def run() -> np.ndarray:
        log = live_subjects(
            newborn, grown, ORGANISM.learner, ORGANISM.substrate, TASK, lives, (0, STEPS),
            key=jax.random.key(0), stochastic=False, chunk=chunk, devices=devices,
        )  # fmt: skip
        return np.asarray(log.loss).reshape(-1, 2)

    return run


def library_search(count: int) -> tuple[Search, Run]:
    """The library's search for a network's every weight, bias and rate; a run is ``count`` generations' mean losses."""
    organism = Organism(mlp(SIZES), Decoder(CellTypes(), Direct(), AllSynapses()), Gradient())
    # one life of validation: the rival has none
    schedule = Schedule(generations=1_000_000, lives=LIVES, validation_lives=1, block=count, probes=2)
    search = Search(organism, TASK, Strategy("Open_ES", GENOMES, 0.1), schedule, fitness=Fitness("final"))
    state = search.start()

    def run() -> np.ndarray:
        nonlocal state
        state, records = search.advance(state)
        return -np.array([record["fitness_mean"] for record in records])

    return search, run


def sampler(key: Key) -> tuple[Array, Array, tuple[Array, Array]]:
    """The lives that the library's search draws from a generation's key, for the rival."""
    lives = sample_lives(TASK, "train", LIVES, key=jax.random.split(key)[0])
    inputs, probe_inputs = lives.inputs.reshape(LIVES, STEPS, BATCH, -1), lives.probe_inputs.reshape(LIVES, BATCH, -1)
    return inputs, lives.targets, (probe_inputs, lives.probe_targets)
