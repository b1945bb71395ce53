from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.relabelled import Renumber, numberings, renumbered
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.learners import Episodic, Gradient, Learner, Neuromodulated
from evodev.lifetime import LifetimeLog
from evodev.measurement import live_arm
from evodev.network import forward
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate, recurrent
from tests.tiny import Blobs, home, random_network

TYPED = Substrate(
    (
        Population("input", (6,), activation="linear"),
        Population("middle", (3,), 2, normalisation="types"),
        Population("last", (5,), winners=0.6),
        Population("output", (2,), activation="linear"),
    ),
    (Projection("input", "middle"), Projection("middle", "last"), Projection("last", "output", blank=True)),
)
"""With everything that might notice who is who: types normalised apart, and winners."""
SPARSE = Decoder(CellTypes(), Direct(), Budget(0.6))


def setting_of(learner: Learner, substrate: Substrate = TYPED) -> Setting:
    """A champion with random genes on the smallest task."""
    organism = Organism(substrate, SPARSE, learner)
    genome = organism.genome_spec.init(key=jax.random.key(3))
    return Setting(organism, genome, genome, 40, Blobs(), Strategy("Open_ES", 4), Schedule(), Fitness(), 1, evolve=False, seed=5)


def lives_of(name: str, setting: Setting) -> LifetimeLog:
    arm = BASELINES[name].build(name, setting, key=jax.random.key(0), say=lambda line: None)
    return live_arm(arm, setting, sample_lives(setting.task, "test", 6, key=jax.random.key(1)), key=jax.random.key(2))


def test_positions_and_types_are_permuted_and_types_stay_together() -> None:
    orders = numberings(TYPED, np.random.default_rng(0))
    np.testing.assert_array_equal(orders["input"], np.arange(6))
    np.testing.assert_array_equal(orders["output"], np.arange(2))
    middle = orders["middle"].reshape(3, 2)
    np.testing.assert_array_equal(np.sort(middle.ravel()), np.arange(6))
    assert (middle // 2 == middle[:, :1] // 2).all()  # a position moves as a whole
    assert (middle % 2 == middle[:1] % 2).all()  # types alike at every position


@pytest.mark.parametrize("substrate", [TYPED, recurrent(3, 6, 2, ticks=3)], ids=["typed", "recurrent"])
def test_every_part_of_a_network_moves_with_its_neurons(substrate: Substrate) -> None:
    network = random_network(substrate, density=0.5)
    # a read-out that is not blank
    network = replace(network, weights={n: w + 0.1 * network.masks[n] for n, w in network.weights.items()})
    network = replace(
        network,
        biases={p.name: jnp.linspace(-1, 1, p.size) for p in substrate.populations},
        alive={p.name: jnp.ones(p.size).at[0].set(float(p is substrate.input)) for p in substrate.populations},
        gains={n: w**2 for n, w in network.weights.items()},
        channels={"own": {n: w**3 for n, w in network.weights.items()}},
    )
    orders = numberings(substrate, np.random.default_rng(0))
    other = renumbered(network, substrate, orders)
    inputs = jax.random.normal(jax.random.key(0), (4, substrate.input.size))
    np.testing.assert_allclose(forward(substrate, other, inputs), forward(substrate, network, inputs), atol=1e-5)
    for p in substrate.projections:
        np.testing.assert_allclose(other.gains[p.name], other.weights[p.name] ** 2)
        np.testing.assert_allclose(other.channels["own"][p.name], other.weights[p.name] ** 3)
        np.testing.assert_array_equal(other.masks[p.name] > 0, np.asarray(other.weights[p.name]) != 0)
    hidden = substrate.populations[1].name
    assert not np.array_equal(other.biases[hidden], network.biases[hidden])


@pytest.mark.parametrize(
    "learner",
    # gradient: see test_calibration
    [pytest.param(Gradient(), marks=pytest.mark.slow), Episodic(), pytest.param(Neuromodulated("own"), marks=pytest.mark.slow)],
    ids=lambda learner: type(learner).__name__,
)
def test_lives_are_the_same_whatever_neurons_are_called(learner: Learner) -> None:
    setting = setting_of(learner, home(learner) if isinstance(learner, Neuromodulated) else TYPED)
    own = BASELINES["initial genome"].build("own", setting, key=jax.random.key(0), say=lambda line: None)
    lives = sample_lives(setting.task, "test", 6, key=jax.random.key(1))
    before = live_arm(own, setting, lives, key=jax.random.key(2))
    after = lives_of("neurons relabelled", setting)
    key = jax.random.key(4)
    born, moved = (develop(setting.champion, key=key)[0] for develop in (own.develop, Renumber(setting.organism, setting.seed)))
    first = setting.organism.substrate.projections[0].name
    assert not np.allclose(born.weights[first], moved.weights[first])
    np.testing.assert_allclose(after.loss, before.loss, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(after.synapses, before.synapses)
    assert np.ptp(np.asarray(before.loss)) > 1e-3


def test_with_learning_off_the_champion_stays_as_it_is_born() -> None:
    setting = setting_of(Episodic())
    own = BASELINES["initial genome"].build("own", setting, key=jax.random.key(0), say=lambda line: None)
    lives = sample_lives(setting.task, "test", 6, key=jax.random.key(1))
    learned = np.asarray(live_arm(own, setting, lives, key=jax.random.key(2)).loss)
    inborn = lives_of("learning off", setting)
    np.testing.assert_allclose(inborn.loss, np.broadcast_to(learned[:, :1], learned.shape), rtol=1e-5)
    assert np.ptp(learned, axis=1).min() > 1e-3
    assert float(np.asarray(inborn.operations)[0]) <= float(np.asarray(inborn.synapses)[0])
