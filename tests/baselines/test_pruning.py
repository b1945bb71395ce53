from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.lottery import Lottery
from evodev.baselines.masks import strongest
from evodev.baselines.pruning import DRAWS, Pruned, born, by_flow, gradient_flow, masked, scores_of, sensitivity, synaptic_flow
from evodev.baselines.random_networks import RandomNetwork, backprop_organism, rate_grid
from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.learners.structural import Structural
from evodev.measurement import live_arm
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import mlp
from evodev.tasks import Life
from evodev.types import Array, Scalar
from tests.tiny import CHAIN, DIRECT, Blobs, Line, random_network

Weights = dict[str, Array]


def test_snip_is_weight_times_slope() -> None:
    def loss(weights: Weights) -> Scalar:
        return 3 * weights["p"][0, 0] ** 2 + weights["p"][0, 1]

    # slopes 6 * -1 and 1
    scores = sensitivity(loss, {"p": jnp.array([[-1.0, 2.0]])})
    np.testing.assert_allclose(scores["p"], [[6.0, 2.0]])


def test_grasp_takes_first_what_hinders_the_gradient() -> None:
    def loss(weights: Weights) -> Scalar:
        return 0.5 * (weights["p"][0, 0] - weights["p"][0, 1]) ** 2

    def norm(w: list[list[float]]) -> float:
        return float((jax.grad(loss)({"p": jnp.array(w)})["p"] ** 2).sum())

    # g = (-1, 1), H = [[1, -1], [-1, 1]], Hg = (-2, 2)
    scores = gradient_flow(loss, {"p": jnp.array([[1.0, 2.0]])})
    np.testing.assert_allclose(scores["p"], [[-2.0, 4.0]])
    # less of the first makes the gradient larger, less of the second smaller
    assert norm([[0.9, 2.0]]) > norm([[1.0, 2.0]]) > norm([[1.0, 1.9]])


def test_synflow_is_conserved_from_layer_to_layer() -> None:
    substrate = mlp((2, 2, 1))
    middle = replace(substrate.populations[1], normalisation="standard", winners=0.5)  # none of which the flow knows
    substrate = replace(substrate, populations=(substrate.populations[0], middle, substrate.populations[2]))
    network = random_network(substrate)
    first, second = (p.name for p in substrate.projections)
    weights = {first: jnp.array([[1.0, -2.0], [0.5, 3.0]]), second: jnp.array([[2.0], [-1.0]])}
    network = replace(network, weights=weights, biases={name: b + 9 for name, b in network.biases.items()})
    scores = synaptic_flow(substrate, network)
    # 1.5 and 5 arrive in the middle, 2 * 1.5 + 5 = 8 at the end
    np.testing.assert_allclose(scores[first], [[2.0, 2.0], [1.0, 3.0]], rtol=1e-6)
    np.testing.assert_allclose(scores[second], [[3.0], [5.0]], rtol=1e-6)


def test_synflow_never_cuts_a_layer_off() -> None:
    substrate = mlp((12, 4, 2))
    network = RandomNetwork().grow(jnp.zeros(2), substrate, key=jax.random.key(0))
    # one projection a hundred times the weaker: the largest saliencies of one round all lie in one layer
    second = substrate.projections[1].name
    network = replace(network, weights=network.weights | {second: network.weights[second] * 0.01})
    masks = by_flow(substrate, network, 5)
    assert sum(mask.sum() for mask in masks.values()) == 5
    flow = synaptic_flow(substrate, masked(network, masks))
    for name, mask in masks.items():
        assert mask.sum() > 0
        assert (np.asarray(flow[name])[mask == 1] > 0).all()  # no synapse is left that leads nowhere


def _line_life(inputs: float, target: float) -> Life:
    x, y = jnp.full((1, 1, 1), inputs), jnp.full((1, 1, 1), target)
    return Life(x, y, x[0], y[0])


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        # a weight of .5 that sees (1, 2) and (2, 2): slopes 2 x (w x - y) = -3 and -4
        ("snip", (0.5 * 3 + 0.5 * 4) / 2),
        # Hg = 2 x^2 g = -6 and -32
        ("grasp", (0.5 * -6 + 0.5 * -32) / 2),
        # one step at a rate of .1: .5 + .3 and .5 + .4
        ("magnitude", (0.8 + 0.9) / 2),
    ],
)
def test_scores_are_means_over_lives_by_hand(criterion: Any, expected: float) -> None:
    substrate = mlp((1, 1))
    learner = Gradient(loss="squared_error")
    network = random_network(substrate)
    network = replace(
        network, weights={"input->output": jnp.array([[0.5]])}, biases={n: 0 * b for n, b in network.biases.items()}
    )
    genes = {"input->output/log_rate": jnp.log(0.1), "output/log_rate": jnp.array(-20.0)}
    lives = jax.tree.map(lambda *x: jnp.stack(x), _line_life(1.0, 2.0), _line_life(2.0, 2.0))
    scores = scores_of(criterion, Line(), substrate, learner, genes, network, lives, jax.random.key(0))
    np.testing.assert_allclose(scores["input->output"], [[expected]], rtol=1e-5)


def test_masked_weights_have_the_variance_of_he_for_what_is_left() -> None:
    substrate = mlp((400, 100, 2), blank_readout=True)
    network = RandomNetwork().grow(jnp.zeros(2), substrate, key=jax.random.key(0))
    mask = (np.random.default_rng(0).random((400, 100)) < 0.25).astype(np.float32)
    cut = masked(network, {"input->hidden1": mask})
    weights = np.asarray(cut.weights["input->hidden1"])
    assert (weights[mask == 0] == 0).all()
    assert weights[mask == 1].var() == pytest.approx(2 / (400 * 0.25), rel=0.05)
    np.testing.assert_array_equal(cut.weights["hidden1->output"], network.weights["hidden1->output"])


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A champion of 20 synapses (10 of them the read-out's), and a grid of two points."""

    def short(organism: Organism) -> tuple[Any, list[str]]:
        genomes, names = rate_grid(organism)
        return genomes[14:16], names[14:16]

    monkeypatch.setattr("evodev.baselines.pruning.rate_grid", short)
    monkeypatch.setattr("evodev.baselines.random_networks.rate_grid", short)
    organism = Organism(CHAIN, DIRECT, Gradient())
    genome = jnp.zeros(organism.genome_spec.size)
    return Setting(organism, genome, genome, 20, Blobs(shots=4), Strategy("Open_ES", 4), Schedule(), Fitness(), 1, False, 0)


@pytest.mark.parametrize("name", [name for name, baseline in BASELINES.items() if isinstance(baseline, Pruned)])
def test_a_pruned_arm_has_the_champions_synapses_and_learns(name: str, setting: Setting) -> None:
    arm = BASELINES[name].build(name, setting, key=jax.random.key(0), say=lambda line: None)
    networks = arm.subject[0]
    masks = np.asarray(networks.masks["input->hidden1"])
    assert masks.shape[0] == DRAWS
    np.testing.assert_array_equal(masks.reshape(DRAWS, -1).sum(1), 10)
    assert len(np.unique(masks.reshape(DRAWS, -1), axis=0)) > 1
    assert (np.asarray(networks.masks["hidden1->output"]) == 1).all()
    assert (np.asarray(networks.weights["input->hidden1"])[masks == 0] == 0).all()
    # two grid points at eight lives; eight masks at eight lives, in five rounds for a ticket; and the dense network's grid
    found = {"magnitude pruning": 2 * 8 + 64, "SNIP": 64, "GraSP": 64, "SynFlow": 0}.get(name, 2 * 8 + 5 * 64)
    assert arm.tuning_lives == 2 * 8 + found
    log = live_arm(arm, setting, sample_lives(setting.task, "test", 16, key=jax.random.key(1)), key=jax.random.key(2))
    assert (np.asarray(log.synapses) == 20).all()
    loss = np.asarray(log.loss)
    assert loss[:, -1].mean() < loss[:, 0].mean()


def test_a_ticket_is_cut_round_by_round_and_rewound(setting: Setting) -> None:
    lottery = BASELINES["lottery ticket (IMP, rewound)"]
    assert isinstance(lottery, Lottery)
    organism = backprop_organism(setting, "dense")
    born = organism.develop(rate_grid(organism)[0][18], key=jax.random.key(0))  # a rate of 1.4: lives leave their mark
    keys = jax.random.key(1), jax.random.key(2)
    rounds = [masks["input->hidden1"] for masks in lottery.rounds(setting, organism, born, 10, *keys)]
    # 30 synapses, at most a fifth cut a round, ten left: five rounds of 30 (1/3)^(i/5)
    assert [int(mask.sum()) for mask in rounds] == [24, 19, 16, 12, 10]
    for before, after in pairwise(rounds):
        assert (after <= before).all()
    ticket, lived = lottery.cut(setting, organism, born, 10, *keys)
    assert lived == 5 * 8
    np.testing.assert_array_equal(ticket.masks["input->hidden1"], rounds[-1])
    np.testing.assert_array_equal(ticket.weights["input->hidden1"], born[0].weights["input->hidden1"] * rounds[-1])
    np.testing.assert_array_equal(ticket.weights["hidden1->output"], born[0].weights["hidden1->output"])
    # what training makes of the weights decides, not what they were: not the ten largest first weights
    largest = strongest({"w": np.abs(born[0].weights["input->hidden1"])}, 10)["w"]
    assert (rounds[-1] != largest).any()


def test_a_life_gets_one_of_the_networks_at_its_scales(setting: Setting) -> None:
    networks = jax.tree.map(lambda *x: jnp.stack(x), *[random_network(CHAIN, seed) for seed in range(DRAWS)])
    subject = (networks, {"input->hidden1": jnp.array(2.0), "hidden1->output": jnp.array(1.0)}, {})
    grown = np.stack([born(subject, key=jax.random.key(k))[0].weights["input->hidden1"] for k in range(12)])
    there = np.asarray(networks.weights["input->hidden1"])
    which = {int(np.isclose(2 * there, one).all((1, 2)).argmax()) for one in grown}
    assert len(which) > 2
    assert np.isclose(2 * there[sorted(which)[0]], grown).all((1, 2)).any()


@pytest.mark.parametrize("name", ["SET", "RigL"])
def test_synapses_that_move_stay_as_many(name: str, setting: Setting) -> None:
    arm = BASELINES[name].build(name, setting, key=jax.random.key(0), say=lambda line: None)
    assert isinstance(arm.learner, Structural)
    assert arm.learner.regrow == {"SET": "random", "RigL": "gradient"}[name]
    genes = arm.develop(arm.subject, key=jax.random.key(0))[1]
    assert float(jnp.exp(genes["log_share"])) == pytest.approx(0.3)  # no rate or scale of the grid
    log = live_arm(arm, setting, sample_lives(setting.task, "test", 16, key=jax.random.key(1)), key=jax.random.key(2))
    assert np.asarray(log.synapses).mean() == pytest.approx(20, abs=2)
    assert np.asarray(log.loss)[:, -1].mean() < np.asarray(log.loss)[:, 0].mean()


def test_nothing_is_pruned_beside_a_dense_champion(setting: Setting) -> None:
    whole = replace(setting, synapses=CHAIN.synapses)
    for name in ("SNIP", "SET"):
        assert BASELINES[name].applies(setting)
        assert not BASELINES[name].applies(whole)
