"""What every learner promises, over the registry; a new one is covered by being registered."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.learners import LEARNERS, Gradient, Learner, Neuromodulated, Structural
from evodev.lifetime import LifetimeLog, live, probe_steps
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Key
from tests.tiny import Blobs, home, random_network

TASK = Blobs(features=6, ways=2, shots=24)
SCHEDULE = probe_steps(TASK.steps)
BLIND = 2
"""The input neuron that has no synapse."""


EVERY: dict[str, Learner] = {
    # those that learn from nothing but reward are promised about where they act
    name: learner
    for name, learner in ((name, cls()) for name, cls in LEARNERS.items())
    if "targets" in learner.needs or "reward" not in learner.needs
} | {
    "gradient with every option": Gradient(plastic="projection", momentum=0.5, replay=1, accumulate=2),
    "neuromodulated by itself": Neuromodulated("own"),
    "structural by gradient": Structural(Gradient("momentum"), "gradient", period=3, end=20),
}
"""Each learner as it is by default, and some as different from that as can be."""


@pytest.fixture(scope="module", params=EVERY)
def learner(request: pytest.FixtureRequest) -> Learner:
    return EVERY[request.param]


@pytest.fixture(scope="module")
def substrate(learner: Learner) -> Substrate:
    return home(learner)


@pytest.fixture(scope="module")
def network(substrate: Substrate) -> Network:
    whole, masks = random_network(substrate, seed=3, density=0.7), {}
    for p in substrate.projections:
        mask = whole.masks[p.name]
        masks[p.name] = mask.at[BLIND].set(0) if p.pre == substrate.input.name and not p.blank else mask
    return replace(whole, masks=masks, weights={name: w * masks[name] for name, w in whole.weights.items()})


def _after(
    learner: Learner, network: Network, substrate: Substrate, genes: Genes, inputs: Array, probes: Array, *, key: Key
) -> tuple[Any, Array]:
    """State and answers after learning from inputs (steps, batch, features)."""
    seen = learner.perceive(network, jnp.concatenate([inputs.reshape(-1, inputs.shape[-1]), probes]), substrate)
    stream, seen_probes = seen[: len(seen) - len(probes)].reshape(*inputs.shape[:2], -1), seen[len(seen) - len(probes) :]
    state = learner.init(genes, network, substrate, key=key)
    targets = jnp.broadcast_to(jnp.arange(2), inputs.shape[:2])

    def step(state: Any, inputs: Array) -> tuple[Any, None]:
        return learner.step(genes, state, inputs, targets[0], substrate, key=key), None

    state, _ = jax.lax.scan(step, state, stream)
    return state, learner.predict(genes, state, seen_probes, substrate)


def test_it_learns_what_is_separable_or_changes_nothing_and_batching_changes_nothing(
    learner: Learner, network: Network, substrate: Substrate
) -> None:
    lives = sample_lives(TASK, "train", 12, key=jax.random.key(0))
    genes = learner.genome_spec(substrate).unpack(jnp.zeros(learner.genome_spec(substrate).size))

    def one(life: Any) -> LifetimeLog:
        return live(learner, genes, network, substrate, TASK, life, SCHEDULE, key=jax.random.key(1))

    logs = jax.jit(jax.vmap(one))(lives)
    assert not logs.failed.any()
    if learner.learns:
        assert logs.loss[:, -1].mean() < 0.75 * logs.loss[:, 0].mean()
        assert logs.score[:, -1].mean() > 0.8
    else:
        # one that claims to learn nothing must not do so, by its synapses at least
        assert learner.frozen
        assert learner.memory(substrate) == 0
        assert logs.score.mean() < 0.75
    alone = jax.jit(one)(jax.tree.map(lambda x: x[5], lives))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[5], rtol=1e-3, atol=1e-4), alone, logs)


def test_absent_synapses_stay_absent_and_every_gene_matters(learner: Learner, network: Network, substrate: Substrate) -> None:
    spec, rng = learner.genome_spec(substrate), np.random.default_rng(0)
    inputs, probes = jnp.asarray(rng.normal(size=(6, 2, 6)), jnp.float32), jnp.asarray(rng.normal(size=(4, 6)), jnp.float32)

    @jax.jit
    def answers(genome: Array, inputs: Array, probes: Array) -> Array:
        return _after(learner, network, substrate, spec.unpack(genome), inputs, probes, key=jax.random.key(2))[1]

    base = answers(jnp.zeros(spec.size), inputs, probes)
    assert base.shape == (4, 2)
    unseen = answers(jnp.zeros(spec.size), inputs.at[..., BLIND].add(3.0), probes.at[..., BLIND].add(-5.0))
    np.testing.assert_allclose(unseen, base, rtol=1e-4, atol=1e-5)
    for name, where in spec.slices.items():
        # a gate that is open already is only felt when it closes
        changed = [answers(jnp.zeros(spec.size).at[where].set(units), inputs, probes) for units in (1.0, -2.0)]
        assert any(not np.allclose(c, base, rtol=1e-5, atol=1e-6) for c in changed), f"{name} changes nothing"


def test_its_ledger_counts_synapses(learner: Learner, network: Network, substrate: Substrate) -> None:
    assert float(learner.operations(network, substrate)) > 0
    assert isinstance(learner.memory(substrate), int)
    assert learner.memory(substrate) + sum(float(mask.sum()) for mask in network.masks.values()) > 0


def test_a_frozen_learner_changes_no_grown_synapse(learner: Learner, network: Network, substrate: Substrate) -> None:
    inputs = jnp.ones((2, 2, 6)) * jnp.array([1.0, -1.0])[None, :, None]
    genes = learner.genome_spec(substrate).unpack(jnp.zeros(learner.genome_spec(substrate).size))
    state, _ = _after(learner, network, substrate, genes, inputs, inputs[0], key=jax.random.key(0))
    learned = getattr(state, "network", network)
    same = {p.name: bool((learned.weights[p.name] == network.weights[p.name]).all()) for p in substrate.grown}
    assert all(same.values()) or not learner.frozen
