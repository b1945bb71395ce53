from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import Chunk, choose_chunk, chunked, working_set
from evodev.decoders import DECODERS
from evodev.devices import device_count
from evodev.evaluation import live_subjects, sample_lives
from evodev.learners import Gradient, Hebbian
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from tests.tiny import CHAIN, DIRECT, GRID, Blobs

TASK = Blobs(shots=4)
LIVES, GENOMES = 4, 5
"""Neither divides by the number of devices alike: 5 genomes on 2 or 4 devices leave a remainder."""
ALL = Chunk(GENOMES, LIVES)

ORGANISMS = {
    "one network a genome": Organism(CHAIN, DIRECT, Gradient()),
    "one network a life": Organism(CHAIN, RandomNetwork(0.5), Hebbian()),
}

Evaluate = Callable[..., LifetimeLog]


@pytest.fixture(scope="module", params=ORGANISMS)
def evaluate(request: pytest.FixtureRequest) -> Evaluate:
    """Logs of so many of the same genomes in so many of the same lives."""
    organism = ORGANISMS[request.param]
    genomes = jax.random.normal(jax.random.key(0), (GENOMES, organism.genome_spec.size))
    lives = sample_lives(TASK, "train", LIVES, key=jax.random.key(1))

    def run(*, chunk: Chunk = ALL, devices: int = 1, count: int = GENOMES) -> LifetimeLog:
        return live_subjects(
            organism.hatch, genomes[:count], organism.learner, CHAIN, TASK, lives, probe_steps(TASK.steps),
            key=jax.random.key(2), stochastic=organism.decoder.stochastic, chunk=chunk, devices=devices,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def whole(evaluate: Evaluate) -> LifetimeLog:
    return evaluate()


def _assert_close(a: Any, b: Any) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), jax.device_get(a), jax.device_get(b))


def test_logs_have_a_row_a_genome_and_a_column_a_life(whole: LifetimeLog) -> None:
    assert whole.loss.shape == whole.score.shape == (GENOMES, LIVES, len(probe_steps(TASK.steps)))
    assert whole.failed.shape == whole.synapses.shape == (GENOMES, LIVES)
    assert len(np.unique(np.asarray(whole.loss)[..., 1])) > GENOMES + LIVES


def test_the_same_layout_gives_the_same_bits(evaluate: Evaluate, whole: LifetimeLog) -> None:
    jax.tree.map(np.testing.assert_array_equal, evaluate(), whole)


@pytest.mark.parametrize("chunk", [Chunk(1, 1), Chunk(3, 4), Chunk(5, 3)], ids=str)
def test_the_chunk_changes_nothing_beyond_rounding(evaluate: Evaluate, whole: LifetimeLog, chunk: Chunk) -> None:
    _assert_close(evaluate(chunk=chunk), whole)


@pytest.mark.parametrize("devices", [2, 4])
def test_the_number_of_devices_changes_nothing_beyond_rounding(evaluate: Evaluate, whole: LifetimeLog, devices: int) -> None:
    _assert_close(evaluate(devices=devices), whole)


@pytest.mark.parametrize("devices", [1, 4])
def test_a_genome_is_scored_alike_in_any_company(evaluate: Evaluate, whole: LifetimeLog, devices: int) -> None:
    _assert_close(evaluate(count=1, devices=devices), jax.tree.map(lambda x: x[:1], whole))


def test_lives_are_common_to_all_genomes() -> None:
    organism = ORGANISMS["one network a genome"]
    genomes = jnp.tile(organism.genome_spec.init(key=jax.random.key(0)), (3, 1))
    lives = sample_lives(TASK, "train", LIVES, key=jax.random.key(1))
    log = live_subjects(
        organism.hatch, genomes, organism.learner, CHAIN, TASK, lives, probe_steps(TASK.steps),
        key=jax.random.key(2), stochastic=False, chunk=Chunk(3, LIVES),
    )  # fmt: skip
    np.testing.assert_array_equal(log.loss, np.broadcast_to(log.loss[:1], log.loss.shape))
    assert len(np.unique(np.asarray(log.loss)[0, :, -1])) == LIVES


def test_a_stochastic_subject_grows_another_network_in_each_life() -> None:
    organism = ORGANISMS["one network a life"]
    life = sample_lives(TASK, "train", 1, key=jax.random.key(1))
    twice = jax.tree.map(lambda x: jnp.concatenate([x, x]), life)
    genomes = jnp.zeros((2, organism.genome_spec.size))
    log = live_subjects(
        organism.hatch, genomes, organism.learner, CHAIN, TASK, twice, probe_steps(TASK.steps),
        key=jax.random.key(2), stochastic=True, chunk=Chunk(2, 2),
    )  # fmt: skip
    assert len(np.unique(np.asarray(log.loss)[..., -1])) == 4


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_chunked_is_a_map(size: int) -> None:
    xs = {"a": jnp.arange(7.0), "b": jnp.ones((7, 2))}
    out = chunked(lambda x: x["a"] + x["b"].sum(), xs, size)
    np.testing.assert_array_equal(out, jnp.arange(7.0) + 2)


@pytest.mark.parametrize("learner", [Gradient(), Hebbian()], ids=["gradient", "hebbian"])
def test_a_chunk_fits_the_population_and_shrinks_with_the_network(learner) -> None:
    organism, task = Organism(GRID, DECODERS["retinotopic"], learner), Blobs(features=16)
    chunk = choose_chunk(organism, task, subjects=6, lives=3)
    assert 1 <= chunk.subjects <= 6
    assert 1 <= chunk.lives <= 3
    small, large = (working_set(organism, Blobs(features=16, shots=shots)) for shots in (2, 200))
    assert 0 < small <= large


def test_devices_are_no_more_than_there_is_to_divide() -> None:
    assert [device_count(n) for n in (1, 3, 100)] == [1, 3, 4]
