"""LNDP: its gates, its edges, its dreams, in cases small enough to work out by hand."""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.learners import LNDP
from evodev.learners.graph import blocks, legal, whole
from evodev.learners.graph_transformer import KEEP, attend, cell, opens
from evodev.learners.lndp import LNDPState
from evodev.lifetime import live
from evodev.network import Network
from evodev.substrate import Substrate, recurrent
from evodev.tasks import Foraging
from evodev.types import Array, Genes, Moment
from tests.tiny import digits_experiment, random_network

HOME = recurrent(2, 3, 2)
SMALL = LNDP(node_features=2, edge_features=2, heads=1)
DREAMING = replace(SMALL, spontaneous=4)
FIXED = replace(DREAMING, structural=False)
KEY = jax.random.key(0)
OBSERVATION = jnp.array([0.5, -0.3])
CLOSED: dict[str, Any] = {"prune__bias": -50.0, "add__bias": -50.0}
"""Gates shut, whatever the genome."""


def _moment(reward: float = 0.0) -> Moment:
    no = jnp.asarray(False)
    return Moment(OBSERVATION, jnp.array([1.0, 0.0]), jnp.asarray(reward), OBSERVATION, no, no)


@cache
def _programs(learner: LNDP, substrate: Substrate) -> tuple[Any, Any]:
    """Birth, and one step of life."""

    def born(genes: Genes, network: Network, key: Array) -> LNDPState:
        return learner.init(genes, network, substrate, key=key)

    def lived(genes: Genes, state: LNDPState, moment: Moment) -> LNDPState:
        return learner.experience(genes, state, moment, substrate, discrete=True, key=KEY)

    return jax.jit(born), jax.jit(lived)


def _life(
    learner: LNDP,
    genome: Array | float = 0.0,
    steps: int = 1,
    *,
    network: Network | None = None,
    reward: float = 0.0,
    **genes: Any,
) -> tuple[LNDPState, LNDPState]:
    """State at birth and after some steps; ``genes`` by name, ``__`` for a slash, take the place of the genome's."""
    born, lived = _programs(learner, HOME)
    spec = learner.genome_spec(HOME)
    values = spec.unpack(jnp.broadcast_to(jnp.asarray(genome), (spec.size,)))
    values |= {name.replace("__", "/"): jnp.asarray(value, jnp.float32) for name, value in genes.items()}
    birth = state = born(values, network if network is not None else random_network(HOME, density=0.5), KEY)
    for _ in range(steps):
        state = lived(values, state, _moment(reward))
    return birth, state


def test_three_ticks_of_tanh_from_silence() -> None:
    learner, (birth, _) = SMALL, _life(SMALL, steps=0)
    w, bias = (
        np.asarray(whole(birth.network.weights, HOME)),
        np.concatenate([birth.network.biases[p.name] for p in HOME.populations]),
    )
    active = np.array([0.5, -0.3, 0, 0, 0, 0, 0])
    for _ in range(3):
        active = np.tanh(active @ w + bias)
        active[:2] = 0.5, -0.3
    answer = learner.predict({}, birth, OBSERVATION[None], HOME)
    np.testing.assert_allclose(answer[0], active[-2:], rtol=1e-5)
    told = learner.activity({}, birth, OBSERVATION[None], HOME)
    np.testing.assert_allclose(told["hidden"][0], active[2:5], rtol=1e-5)
    np.testing.assert_allclose(told["input"][0], OBSERVATION)


def test_a_pruned_edge_conducts_no_more_and_all_of_them_silence_the_network() -> None:
    _, after = _life(SMALL, prune__bias=2.0, add__bias=-2.0)
    assert not any(mask.any() for mask in after.network.masks.values())
    assert not any(w.any() for w in after.network.weights.values())
    assert not after.edges.any()
    silent = replace(after.network, biases=jax.tree.map(jnp.zeros_like, after.network.biases))
    answer = SMALL.predict({}, after._replace(network=silent), OBSERVATION[None], HOME)
    np.testing.assert_array_equal(answer, 0.0)


def test_one_edge_goes_and_the_others_stay() -> None:
    # the only hidden unit is relu(w - .5): it asks of the weight alone
    hidden, state = -0.5 * jnp.ones(16), jnp.zeros((2, 16)).at[0].set(1.0)
    birth, after = _life(
        SMALL, prune__state=state, prune__hidden=hidden, prune__out=jnp.ones(16), add__bias=-2.0, edge__keep=50.0 * jnp.ones(2)
    )
    w, mask = np.asarray(whole(birth.network.weights, HOME)), np.asarray(whole(birth.network.masks, HOME))
    goes = 16 * np.maximum(w - 0.5, 0) > np.log(1.5)
    assert 0 < (goes & (mask > 0)).sum() < mask.sum()
    np.testing.assert_array_equal(whole(after.network.masks, HOME), mask * ~goes)
    np.testing.assert_allclose(whole(after.network.weights, HOME), w * ~goes, rtol=1e-5)


@pytest.mark.parametrize(("bias", "opens_at"), [(0.40, False), (0.41, True)])
def test_the_add_gate_opens_beyond_log_odds_of_three_to_two(bias: float, opens_at: bool) -> None:
    birth, after = _life(SMALL, add__bias=bias, prune__bias=-2.0)
    before = np.asarray(whole(birth.network.masks, HOME))
    assert before.sum() < legal(HOME).sum()
    np.testing.assert_array_equal(whole(after.network.masks, HOME), legal(HOME) if opens_at else before)


def test_an_added_edge_has_no_weight_yet_and_is_not_pruned_by_a_bias_that_it_has_not_lived_under() -> None:
    # both gates stand open: what is there goes, what is not comes, step after step
    birth, after = _life(SMALL, add__bias=2.0, prune__bias=2.0)
    mask = np.asarray(whole(birth.network.masks, HOME))
    np.testing.assert_array_equal(whole(after.network.masks, HOME), legal(HOME) * (1 - mask))
    assert not after.edges.any()
    # with pruning shut it gets its weight in the step after
    _, later = _life(SMALL, steps=2, add__bias=2.0, prune__bias=-2.0, edge__candidate=jnp.ones(2), edge__keep=jnp.zeros(2))
    grown = np.asarray(later.edges[0])[(legal(HOME) & (mask == 0))]
    np.testing.assert_allclose(grown, 0.5 * np.tanh(1.0), rtol=1e-5)


def test_nothing_comes_where_the_substrate_has_no_projection_or_a_neuron_is_dead() -> None:
    network = random_network(HOME, density=0.0)
    network = replace(network, alive=network.alive | {"hidden": jnp.array([1.0, 0.0, 1.0])})
    for genome in jax.random.normal(KEY, (5, SMALL.genome_spec(HOME).size)):
        _, after = _life(SMALL, genome, steps=3, network=network, add__bias=5.0, prune__bias=-5.0)
        full = np.asarray(whole(after.network.masks, HOME))
        assert full.sum() > 0
        assert not full[~legal(HOME)].any()
        assert not full[3].any()
        assert not full[:, 3].any()
        assert not np.asarray(after.edges)[:, full == 0].any()


def test_without_structural_plasticity_weights_change_and_topology_does_not() -> None:
    names = {gene.name.split("/")[0] for gene in FIXED.genome_spec(HOME).genes}
    assert names == {"perceive", "attention", "node", "edge", "spontaneous"}
    birth, after = _life(FIXED, jax.random.normal(KEY, (FIXED.genome_spec(HOME).size,)), steps=3)
    jax.tree.map(np.testing.assert_array_equal, birth.network.masks, after.network.masks)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), birth.network.weights, after.network.weights)
    assert all(change > 1e-4 for change in moved.values())


def test_spontaneous_activity_changes_the_network_before_any_reward_and_is_all_that_an_unplastic_one_has() -> None:
    genome = jax.random.normal(KEY, (DREAMING.genome_spec(HOME).size,))
    birth, _ = _life(DREAMING, genome, steps=0, **CLOSED)
    awake, _ = _life(SMALL, genome[: SMALL.genome_spec(HOME).size], steps=0)
    assert float(jnp.abs(birth.edges - awake.edges).max()) > 1e-2
    # other sensors that are active make another network
    other, _ = _life(DREAMING, genome, steps=0, spontaneous__mean=jnp.array([3.0, -3.0]), **CLOSED)
    assert float(jnp.abs(birth.edges - other.edges).max()) > 1e-3
    unplastic = replace(DREAMING, plastic=False)
    spec = unplastic.genome_spec(HOME)
    assert "edge/reward" not in spec.slices
    before, after = _life(unplastic, jax.random.normal(KEY, (spec.size,)), steps=2, reward=1.0)
    jax.tree.map(np.testing.assert_array_equal, before, after)
    with pytest.raises(ValueError, match="lndp changes nothing"):
        LNDP(plastic=False)


def test_reward_reaches_every_synapse() -> None:
    genome = jax.random.normal(KEY, (SMALL.genome_spec(HOME).size,))
    _, pleased = _life(SMALL, genome, reward=2.0, **CLOSED)
    _, hurt = _life(SMALL, genome, reward=-2.0, **CLOSED)
    there = np.asarray(whole(pleased.network.masks, HOME)) > 0
    assert (np.abs(np.asarray(pleased.edges - hurt.edges))[:, there] > 1e-6).all()


def test_a_genome_of_zeros_forgets_a_twentieth_a_step() -> None:
    birth, after = _life(SMALL, steps=1)
    kept = 1 / (1 + np.exp(-KEEP))
    np.testing.assert_allclose(after.edges, kept * birth.edges, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after.nodes, kept * birth.nodes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("learner", [DREAMING, FIXED])
def test_every_gene_matters(learner: LNDP) -> None:
    spec = learner.genome_spec(HOME)
    base = jax.random.normal(jax.random.key(4), (spec.size,))
    if learner.structural:
        # shut for most pairs, open for some
        base = base.at[spec.slices["prune/bias"]].set(-2.0)

    def state(genome: Array) -> Array:
        after = _life(learner, genome, steps=4, reward=1.0)[1]
        return jnp.concatenate([after.edges.ravel(), after.nodes.ravel()])

    start = state(base)
    for name, where in spec.slices.items():
        # gates decide all or nothing, so that a gene of theirs is felt only when it is moved far
        others = [base.at[where].set(units) for units in ((4.0, -4.0) if name.startswith(("prune", "add")) else (1.0,))]
        assert any(float(jnp.abs(state(other) - start).max()) > 1e-6 for other in others), f"{name} changes nothing"


def test_no_genome_is_too_wild() -> None:
    for genome in 1e4 * jax.random.normal(KEY, (5, DREAMING.genome_spec(HOME).size)):
        _, after = _life(DREAMING, genome, steps=3, reward=3.0)
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(after))


def test_its_genome_exceeds_its_synapses() -> None:
    assert LNDP().genome_spec(recurrent(4, 26, 2)).size == 1674
    assert recurrent(4, 26, 2).synapses == 832


def test_attention_by_hand() -> None:
    # one head of one number: queries and keys are 1, the edge alone says who is heard
    x = jnp.array([[1.0, 2.0], [1.0, 4.0], [1.0, 9.0]])
    genes = {
        "query": jnp.array([1.0, 0.0]).reshape(2, 1, 1),
        "key": jnp.array([1.0, 0.0]).reshape(2, 1, 1),
        "value": jnp.array([0.0, 1.0]).reshape(2, 1, 1),
        "edge": jnp.ones((1, 1)),
        "edge_bias": jnp.zeros(1),
        "out": jnp.array([[[0.0, 1.0]]]),
        "out_bias": jnp.array([7.0, 0.0]),
    }
    # node 1 hears node 0 with a score of log 3, itself with 0; node 2 is dead and nobody hears it
    edges = jnp.zeros((1, 3, 3)).at[0, 0, 1].set(jnp.log(3.0))
    heard = attend(genes, x, edges, jnp.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(heard[:, 0], 7.0)
    np.testing.assert_allclose(heard[:, 1], [3.0, (3 * 2 + 4) / 4, 3.0], rtol=1e-5)


def test_a_cell_by_hand() -> None:
    genes = {
        "recurrent": jnp.zeros((1, 2)), "inner": jnp.array([[2.0]]), "reset": jnp.zeros(1), "keep": jnp.zeros(1),
        "candidate": jnp.array([0.1]),
    }  # fmt: skip
    # reset 1/2, keep 3/4, candidate tanh(.3 + 2 * .5 * .4 + .1)
    after = cell(genes, jnp.array([0.0, jnp.log(3.0), 0.3]), jnp.array([0.4]))
    np.testing.assert_allclose(after, [0.75 * 0.4 + 0.25 * np.tanh(0.8)], rtol=1e-5)


def test_a_gate_by_hand() -> None:
    genes = {"hidden": jnp.array([0.5, -1.0]), "out": jnp.array([2.0, 3.0]), "bias": jnp.asarray(-1.0)}
    np.testing.assert_allclose(opens(genes, jnp.array([[1.0, -1.0], [2.0, 0.0]])), [2 * 1.5 + 3 - 1, -1.0], rtol=1e-6)


def test_matrices_by_projection_and_back() -> None:
    weights = random_network(HOME).weights
    jax.tree.map(np.testing.assert_array_equal, blocks(whole(weights, HOME), HOME), weights)


def test_it_lives_and_is_refused_where_there_is_no_reward() -> None:
    task = Foraging(episodes=2, horizon=6)
    body = recurrent(task.inputs, 3, task.outputs)
    spec = SMALL.genome_spec(body)

    @jax.jit
    def lived(genome: Array, key: Array) -> Any:
        world = task.sample("train", key=key)
        return live(SMALL, spec.unpack(genome), random_network(body), body, task, world, (0, 1, 2), key=key, ledger=True)

    log = lived(jax.random.normal(KEY, (spec.size,)), KEY)
    assert not log.failed
    assert log.energy is not None
    assert float(log.energy.updates) > 0
    with pytest.raises(ValueError, match="LNDP needs reward, which FewShotDigits does not offer"):
        digits_experiment(learner=LNDP())


def test_it_refuses_targets_and_modular_substrates() -> None:
    birth, _ = _life(SMALL, steps=0)
    with pytest.raises(TypeError, match="learns from the reward"):
        SMALL.step({}, birth, jnp.zeros((1, 2)), jnp.zeros(1, int), HOME, key=KEY)
    with pytest.raises(ValueError, match="modular"):
        SMALL.genome_spec(replace(HOME, modular=True))
    with pytest.raises(ValueError, match="heads must be at least 1"):
        LNDP(heads=0)
