"""What every learner promises in a life that acts, over the registry; a new one is covered by being registered."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.learners import LEARNERS, ActorCritic, CriticalPeriod, Gradient, Learner, Neuromodulated, Structural
from evodev.learners.actor_critic import ActorCriticState
from evodev.lifetime import LifetimeLog, live, probe_steps
from evodev.network import Network
from evodev.substrate import Substrate, mlp, recurrent
from evodev.tasks import Bandit
from evodev.types import Array, Genes, Moment
from tests.tiny import WHOLE, Levers, random_network

TASK = Levers()
SCHEDULE = probe_steps(TASK.episodes)
KEY = jax.random.key(0)
BLIND = 2
"""The input neuron that has no synapse."""

EVERY: dict[str, Learner] = {name: cls() for name, cls in LEARNERS.items() if "targets" not in cls().needs} | {
    "actor_critic with every option": ActorCritic(Gradient("adam", plastic="projection", momentum=0.5, accumulate=2)),
    "neuromodulated by reward": Neuromodulated("reward"),
    "neuromodulated by itself": Neuromodulated("own"),
    "structural actor_critic": Structural(ActorCritic(), period=2),
    "critical_period of an actor_critic": CriticalPeriod(ActorCritic(), period=2),
}
FOLLOW_REWARD = ("actor_critic", "neuromodulated by reward", "structural actor_critic")
"""Those that must find out in life which lever pays, whatever network they are given."""


@pytest.fixture(scope="module", params=EVERY)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def learner(name: str) -> Learner:
    return EVERY[name]


@pytest.fixture(scope="module")
def substrate(name: str) -> Substrate:
    return recurrent(6, 5, 2, ticks=2) if name == "in_context" else WHOLE


@pytest.fixture(scope="module")
def network(substrate: Substrate) -> Network:
    whole = random_network(substrate, seed=3, density=0.7)
    first = {p.name for p in substrate.projections if p.pre == substrate.input.name}
    masks = {name: mask.at[BLIND].set(0) if name in first else mask for name, mask in whole.masks.items()}
    return replace(whole, masks=masks, weights={name: 0.5 * w * masks[name] for name, w in whole.weights.items()})


def _after(learner: Learner, network: Network, substrate: Substrate, genes: Genes, sights: Array, *, discrete: bool) -> Any:
    """State after acting on sights (steps, inputs) and being paid at random; the first episode ends after three steps."""
    rng, count = np.random.default_rng(1), len(sights) - 1
    done = np.eye(2)[rng.integers(0, 2, count)] if discrete else rng.normal(size=(count, 2))
    last = jnp.arange(count) == 2
    felt = jnp.asarray(done, jnp.float32), jnp.asarray(rng.normal(size=count), jnp.float32)
    moments = Moment(sights[:-1], *felt, sights[1:], last, last)

    def step(state: Any, moment: Moment) -> tuple[Any, None]:
        _, state = learner.act(genes, state, moment.observation, substrate, discrete=discrete, key=KEY)
        return learner.experience(genes, state, moment, substrate, discrete=discrete, key=KEY), None

    return jax.lax.scan(step, learner.init(genes, network, substrate, key=KEY), moments)[0]


def test_reward_is_followed_by_who_claims_to_and_batching_changes_nothing(
    name: str, learner: Learner, network: Network, substrate: Substrate
) -> None:
    lives = sample_lives(TASK, "train", 24, key=KEY)
    genes = learner.genome_spec(substrate).unpack(jnp.zeros(learner.genome_spec(substrate).size))

    def one(life: Any) -> LifetimeLog:
        return live(learner, genes, network, substrate, TASK, life, SCHEDULE, key=jax.random.key(1), ledger=True)

    logs = jax.jit(jax.vmap(one))(lives)
    assert not logs.failed.any()
    np.testing.assert_allclose(logs.score, 1 - logs.loss, atol=1e-5)
    assert logs.energy is not None
    assert (logs.energy.traffic > 0).all()
    if name in FOLLOW_REWARD:
        assert logs.loss[:, -1].mean() < 0.5 * logs.loss[:, 1].mean()
    if name == "innate":
        # one and the same lever for ever, and in half of the lives it pays
        np.testing.assert_allclose(logs.loss, jnp.where(logs.loss[:, :1] > 1, 2.0, 0.0) * jnp.ones(logs.loss.shape), atol=1e-5)
        assert 0.5 < logs.loss.mean() < 1.5
    alone = jax.jit(one)(jax.tree.map(lambda x: x[5], lives))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b[5], rtol=1e-3, atol=1e-3), alone, logs)


@pytest.mark.parametrize("discrete", [True, False], ids=["choices", "values"])
def test_absent_synapses_stay_absent_and_every_gene_matters(
    discrete: bool, name: str, learner: Learner, network: Network, substrate: Substrate
) -> None:
    if name == "lndp":
        pytest.skip("it grows synapses where there are none, and a genome of zeros does nothing: see test_lndp")
    spec, rng = learner.genome_spec(substrate), np.random.default_rng(0)
    sights = jnp.asarray(rng.normal(size=(9, 6)), jnp.float32)

    @jax.jit
    def answers(genome: Array, sights: Array) -> Array:
        genes = spec.unpack(genome)
        state = _after(learner, network, substrate, genes, sights, discrete=discrete)
        return jnp.stack([learner.act(genes, state, x, substrate, discrete=discrete, key=KEY)[0] for x in sights[:4]])

    base = answers(jnp.zeros(spec.size), sights)
    assert base.shape == (4, 2)
    np.testing.assert_allclose(answers(jnp.zeros(spec.size), sights.at[:, BLIND].add(3.0)), base, rtol=1e-4, atol=1e-5)
    for gene, where in spec.slices.items():
        changed = [answers(jnp.zeros(spec.size).at[where].set(units), sights) for units in (1.0, -2.0)]
        assert any(not np.allclose(c, base, rtol=1e-5, atol=1e-6) for c in changed), f"{gene} changes nothing"


def test_a_wild_genome_lives_or_fails_and_is_counted(learner: Learner, network: Network, substrate: Substrate) -> None:
    spec, lives = learner.genome_spec(substrate), sample_lives(TASK, "train", 2, key=KEY)

    @jax.jit
    @jax.vmap
    def logs(genome: Array) -> LifetimeLog:
        def one(life: Any) -> LifetimeLog:
            return live(learner, spec.unpack(genome), network, substrate, TASK, life, SCHEDULE, key=KEY)

        return jax.vmap(one)(lives)

    log = logs(1e4 * jax.random.normal(KEY, (4, spec.size)))
    np.testing.assert_array_equal(log.failed, ~jnp.isfinite(log.loss).all(-1))
    assert jnp.isfinite(Fitness()(log, SCHEDULE)).all()


def test_the_error_of_the_prediction_moves_actor_and_critic_as_by_hand() -> None:
    body = mlp((2, 2), activation="linear")
    name, learner = "input->output", ActorCritic()
    network = replace(random_network(body, seed=1), biases={"input": jnp.zeros(2), "output": jnp.zeros(2)})
    rates = {f"learner/{name}/log_rate": np.log(0.1), "learner/output/log_rate": np.log(0.2), "critic/log_rate": np.log(0.5)}
    genes = {key: jnp.asarray(v, jnp.float32) for key, v in {**rates, "discount": 0.0, "decay": np.log(4.0)}.items()}
    state: ActorCriticState = learner.init(genes, network, body, key=KEY)
    weights, biases, critic = np.array(network.weights[name]), np.zeros(2), np.zeros(3)
    trace, critic_trace = np.zeros((3, 2)), np.zeros(3)
    sights = np.array([[1.0, -0.5], [0.3, 2.0], [-1.0, 0.2]])
    ends, rewards, actions = ((False, False), (True, True), (False, True)), (1.0, -2.0, 0.5), (0, 1, 1)
    for i, (over, last) in enumerate(ends):
        seen, following = np.append(sights[i], 1), np.append(sights[(i + 1) % 3], 1)
        logits = np.append(weights, biases[None], 0).T @ seen
        felt = np.eye(2)[actions[i]] - np.exp(logits) / np.exp(logits).sum()
        error = rewards[i] + 0.5 * (0 if over else following @ critic) - seen @ critic
        trace, critic_trace = 0.4 * trace + np.outer(seen, felt), 0.4 * critic_trace + seen
        critic = critic + 0.5 * error * critic_trace / (seen @ seen)
        weights, biases = weights + 0.1 * error * trace[:2], biases + 0.2 * error * trace[2]
        moment = Moment(
            jnp.asarray(sights[i], jnp.float32), jnp.eye(2)[actions[i]], jnp.asarray(rewards[i]),
            jnp.asarray(following[:2], jnp.float32), jnp.asarray(over), jnp.asarray(last),
        )  # fmt: skip
        state = learner.experience(genes, state, moment, body, discrete=True, key=KEY)
        np.testing.assert_allclose(state.network.weights[name], weights, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.network.biases["output"], biases, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.critic, critic, rtol=1e-4, atol=1e-5)
        if last:
            trace, critic_trace = np.zeros((3, 2)), np.zeros(3)
            assert not any(leaf.any() for leaf in jax.tree.leaves((state.traces, state.critic_trace)))
    assert learner.memory(body) == 3


def test_the_better_arm_of_a_bandit_is_found_within_a_life() -> None:
    task, learner = Bandit(episodes=150), ActorCritic()
    body = mlp((task.inputs, 8, task.outputs))
    genes = learner.genome_spec(body).unpack(jnp.zeros(learner.genome_spec(body).size))
    lives, network = sample_lives(task, "train", 32, key=KEY), random_network(body, seed=1)
    network = replace(network, weights={name: 0.5 * w for name, w in network.weights.items()})
    log = jax.jit(jax.vmap(lambda life: live(learner, genes, network, body, task, life, (0, 30, 100, 150), key=KEY)))(lives)
    assert log.loss[:, 0].mean() == pytest.approx(1, abs=0.4)
    assert log.loss[:, -1].mean() < 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learner": Neuromodulated()}, "moves a network as gradient does, not Neuromodulated"),
        ({"learner": Gradient(replay=1)}, "no use for forward, replay and heads"),
        ({"discount": 1.0}, "discount must lie between 0 and 1, given 1"),
        ({"noise": 0.0}, "noise must be positive, given 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ActorCritic(**settings)
