from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import DECODERS
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.learners import CriticalPeriod, HebbianRule
from evodev.network import Network
from evodev.substrate import mlp
from evodev.types import Genes
from tests.tiny import digits_experiment, random_network

KEY = jax.random.key(0)
NET, FIRST, LAST = mlp((2, 2, 2), activation="linear"), "input->hidden1", "hidden1->output"
X = jnp.array([[1.0, 2.0], [3.0, 0.0]])
CLASSES = jnp.array([0, 1])
RATE = 0.5
"""Of a synapse: that of the drive, divided by the two inputs."""


def _network(**changes) -> Network:
    """Hidden 0 reads input 0, hidden 1 twice input 1; the outputs copy the hidden; one synapse each does not exist."""
    network = random_network(NET)
    weights = {FIRST: jnp.array([[1.0, 0.0], [0.0, 2.0]]), LAST: jnp.array([[1.0, 0.0], [0.5, 1.0]])}
    masks = {FIRST: jnp.array([[1.0, 1.0], [0.0, 1.0]]), LAST: jnp.array([[1.0, 0.0], [1.0, 1.0]])}
    biases = {name: jnp.zeros_like(b) for name, b in network.biases.items()}
    return replace(network, **({"weights": weights, "masks": masks, "biases": biases} | changes))


HIDDEN = np.array([[1.0, 4.0], [3.0, 0.0]])
ANSWERS = np.array([[1.0 + 2.0, 4.0], [3.0, 0.0]])


def _genes(rule: HebbianRule, **values: float) -> Genes:
    """All coefficients zero but those given, ``F_A`` for A of the first projection, ``L_A`` of the last."""
    genes = {gene.name: jnp.zeros(()) for gene in rule.genome_spec(NET).genes} | {"log_rate": jnp.log(2 * RATE)}
    named = {f"{FIRST if k[0] == 'F' else LAST}/{k[2:]}": jnp.asarray(v) for k, v in values.items()}
    assert set(named) <= set(genes)
    return genes | named


def _step(rule: HebbianRule, genes: Genes, network: Network, steps: int = 1, targets: jax.Array = CLASSES) -> Network:
    state = rule.init(genes, network, NET, key=KEY)
    for _ in range(steps):
        state = rule.step(genes, state, X, targets, NET, key=KEY)
    return state.network


def test_a_hidden_synapse_changes_by_the_four_terms() -> None:
    learned = _step(HebbianRule(), _genes(HebbianRule(), F_A=0.1, F_B=0.2, F_C=0.3, F_D=0.4), _network())
    x = np.asarray(X)
    change = 0.1 * x.T @ HIDDEN / 2 + 0.2 * x.mean(0)[:, None] + 0.3 * HIDDEN.mean(0) + 0.4
    expected = np.array([[1, 0], [0, 2]]) + RATE * change * np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(learned.weights[FIRST], expected, rtol=1e-5)
    np.testing.assert_array_equal(learned.weights[LAST], _network().weights[LAST])


def _softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("teaching", "targets", "post"),
    [
        ("error", CLASSES, np.eye(2) - _softmax(ANSWERS)),
        ("target", CLASSES, np.eye(2)),
        ("error", jnp.array([[3.0, 1.0], [0.0, 1.0]]), np.array([[3.0, 1], [0, 1]]) - ANSWERS),
        ("target", jnp.array([[3.0, 1.0], [0.0, 1.0]]), np.array([[3.0, 1], [0, 1]])),
    ],
)
def test_the_target_enters_as_activity_of_the_outputs(teaching, targets: jax.Array, post: np.ndarray) -> None:
    rule = HebbianRule(teaching=teaching)
    learned = _step(rule, _genes(rule, L_A=1.0, L_C=0.2), _network(), targets=targets)
    change = RATE * (HIDDEN.T @ post / 2 + 0.2 * post.mean(0)) * np.array([[1, 0], [1, 1]])
    np.testing.assert_allclose(learned.weights[LAST], np.array([[1, 0], [0.5, 1]]) + change, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(learned.weights[FIRST], _network().weights[FIRST])


def test_in_a_genome_of_zeros_only_the_delta_rule_works() -> None:
    genes = HebbianRule().genome_spec(NET).unpack(jnp.zeros(9))
    learned = _step(HebbianRule(), genes, _network())
    np.testing.assert_array_equal(learned.weights[FIRST], _network().weights[FIRST])
    delta = np.exp(0.0) / 2 * HIDDEN.T @ (np.eye(2) - _softmax(ANSWERS)) / 2 * np.array([[1, 0], [1, 1]])
    np.testing.assert_allclose(learned.weights[LAST], np.array([[1, 0], [0.5, 1]]) + delta, rtol=1e-4)


@pytest.mark.parametrize("inputs", [2, 50])
def test_a_drive_moves_as_far_in_a_network_of_any_size(inputs: int) -> None:
    substrate, rule = mlp((inputs, 2)), HebbianRule(teaching="target", log_rate=-1.0)
    born, x = random_network(substrate), jnp.ones((1, inputs))
    genes = rule.genome_spec(substrate).unpack(jnp.zeros(rule.genome_spec(substrate).size))
    state = rule.init(genes, born, substrate, key=KEY)
    learned = rule.step(genes, state, x, jnp.array([1]), substrate, key=KEY)
    moved = rule.predict(genes, learned, x, substrate) - rule.predict(genes, state, x, substrate)
    np.testing.assert_allclose(moved, [[0.0, np.exp(-1.0)]], atol=1e-5)


def test_ojas_rule_decays_with_the_square_of_the_post_activity_and_finds_the_first_component() -> None:
    rule = HebbianRule("oja")
    learned = _step(rule, _genes(rule, F_A=0.1), _network())
    change = 0.1 * (np.asarray(X).T @ HIDDEN / 2 - (HIDDEN**2).mean(0) * np.array([[1, 0], [0, 2]]))
    expected = np.array([[1, 0], [0, 2]]) + RATE * change * np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(learned.weights[FIRST], expected, rtol=1e-5)
    whole = _network(masks={name: jnp.ones((2, 2)) for name in (FIRST, LAST)})
    genes = _genes(rule, F_A=0.1)
    settled = jax.lax.fori_loop(
        0, 300, lambda _, s: rule.step(genes, s, X, CLASSES, NET, key=KEY), rule.init(genes, whole, NET, key=KEY)
    )
    first = np.linalg.eigh(np.asarray(X).T @ np.asarray(X))[1][:, -1]
    for column in np.asarray(settled.network.weights[FIRST]).T:
        np.testing.assert_allclose(np.abs(column), np.abs(first), atol=1e-3)


def test_bcm_potentiates_above_a_sliding_threshold_and_depresses_below() -> None:
    rule = HebbianRule("bcm")
    learned = _step(rule, _genes(rule, F_A=0.01), _network())
    threshold = (HIDDEN**2).mean(0)
    change = 0.01 * np.asarray(X).T @ (HIDDEN * (HIDDEN - threshold)) / 2
    expected = np.array([[1, 0], [0, 2]]) + RATE * change * np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(learned.weights[FIRST], expected, rtol=1e-5)


def test_synapses_add_their_own_coefficients_where_the_network_has_channels() -> None:
    own = {"A": {FIRST: jnp.array([[1.0, 0.0], [5.0, -1.0]])}, "D": {FIRST: jnp.array([[0.0, 0.5], [0.0, 0.0]])}}
    told = _network(channels=own)
    rule = HebbianRule(source="channels")
    learned = _step(rule, _genes(rule, F_A=0.1), told)
    change = (0.1 + np.asarray(own["A"][FIRST])) * (np.asarray(X).T @ HIDDEN / 2) + np.asarray(own["D"][FIRST])
    expected = np.array([[1, 0], [0, 2]]) + RATE * change * np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(learned.weights[FIRST], np.clip(expected, -5, 5), rtol=1e-5)
    without = _step(HebbianRule(), _genes(rule, F_A=0.1), told)
    np.testing.assert_array_equal(without.weights[FIRST], _step(rule, _genes(rule, F_A=0.1), _network()).weights[FIRST])


def test_weights_stay_within_the_limit_and_gains_multiply() -> None:
    genes = _genes(HebbianRule(), F_A=100.0)
    born_large = _network(weights=_network().weights | {FIRST: jnp.array([[7.0, 0.0], [0.0, 2.0]])})
    learned = _step(HebbianRule(limit=3.0), genes, born_large, steps=5)
    np.testing.assert_array_equal(learned.weights[FIRST], [[7, 3], [0, 3]])
    gains = {FIRST: jnp.array([[0.0, 0.0], [0.0, 2.0]])}
    small = _genes(HebbianRule(), F_D=0.1)
    np.testing.assert_allclose(_step(HebbianRule(), small, _network(gains=gains)).weights[FIRST], [[1, 0], [0, 2.1]], rtol=1e-6)


@pytest.mark.parametrize("rule", [HebbianRule("abcd"), HebbianRule("oja"), HebbianRule("bcm"), HebbianRule(teaching="target")])
def test_no_genome_makes_a_weight_that_is_not_finite(rule: HebbianRule) -> None:
    spec = rule.genome_spec(NET)
    genes = spec.unpack(1e4 * jax.random.normal(KEY, (spec.size,)))
    learned = _step(rule, genes, _network(), steps=4)
    assert all(bool(jnp.isfinite(w).all()) for w in learned.weights.values())


def test_a_rule_by_channels_needs_a_wiring_that_expresses_them() -> None:
    rule = HebbianRule(source="channels")
    for learner in (rule, CriticalPeriod(rule, period=3)):
        with pytest.raises(ValueError, match=r"asks for the channels A, B, C, D, of which .* none; set decoder.wiring.channels"):
            digits_experiment(learner=learner)
        decoder = replace(digits_experiment().decoder, wiring=Direct(channels=("A", "B", "C", "D")))
        assert digits_experiment(learner=learner, decoder=decoder).learner == learner


def test_a_decoders_channels_reach_the_rule() -> None:
    decoder = replace(DECODERS["direct"], wiring=Direct(channels=("A", "B", "C", "D")), sparsity=AllSynapses())
    spec, rule = decoder.genome_spec(NET), HebbianRule(source="channels")
    genome = jax.random.normal(KEY, (spec.size,))
    network = decoder.grow(genome, NET, key=KEY)
    other = decoder.grow(genome.at[spec.slices[f"wiring/{FIRST}/C"]].add(1.0), NET, key=KEY)
    learned, changed = _step(rule, _genes(rule), network), _step(rule, _genes(rule), other)
    assert not np.allclose(learned.weights[FIRST], changed.weights[FIRST])


@pytest.mark.parametrize(("field", "value"), [("rule", "hebb"), ("teaching", "reward"), ("source", "genes")])
def test_unknown_names_are_refused_with_the_known_ones(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"learner: {field} is '{value}'; one of"):
        HebbianRule(**{field: value})  # type: ignore[arg-type]
