"""What every task promises that acts, over the registry; a new one is covered by being registered."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.cli import main
from evodev.evaluation import sample_lives
from evodev.learners import ActorCritic, Gradient, NoLearning, Structural
from evodev.lifetime import live
from evodev.network import Network
from evodev.presets import catalogue
from evodev.substrate import mlp
from evodev.tasks import SPLITS, TASKS, Acrobot, Acting, Bandit, CartPole, MountainCar, Pendulum, World
from evodev.tasks.classic import Classic, _made
from evodev.types import Array, Key
from tests.tiny import digits_experiment, random_network

pytest.importorskip("gymnax")
LIVES = 100
KEY = jax.random.key(1)
Policy = Callable[[Array, World, Key], Any]


@pytest.fixture(scope="module", params=[name for name, cls in TASKS.items() if issubclass(cls, Acting)])
def task(request: pytest.FixtureRequest) -> Acting:
    task = TASKS[request.param]()
    assert isinstance(task, Acting)
    return task


@pytest.fixture(scope="module")
def worlds(task: Acting) -> dict[str, World]:
    return {split: sample_lives(task, split, LIVES, key=KEY) for split in SPLITS}


def _regrets(task: Acting, worlds: World, policy: Policy) -> np.ndarray:
    """Of an episode in each world of a policy that knows what its muscles do."""

    def one(world: World) -> Array:
        def step(now: tuple[Array, Any, Array, Array], key: Key) -> tuple[Any, None]:
            seen, state, over, total = now
            key_policy, key_world = jax.random.split(key)
            action = policy(seen, world, key_policy)
            state, after, reward, ends = task.act(world, state, action, key=key_world)
            assert after.shape == (task.observations,)
            return (after, state, over | ends, total + jnp.where(over, 0.0, reward)), None

        state, seen = task.begin(world, key=world.key)
        assert seen.shape == (task.observations,)
        start = seen, jax.tree.map(jnp.asarray, state), jnp.asarray(False), jnp.zeros(())
        end, _ = jax.lax.scan(step, start, jax.random.split(world.key, task.horizon))
        return task.regret(world, end[-1])

    return np.asarray(jax.jit(jax.vmap(one))(worlds))


def _random(task: Acting) -> Policy:
    if task.discrete:
        return lambda seen, world, key: jax.random.randint(key, (), 0, task.outputs)
    return lambda seen, world, key: 0.6 * jax.random.normal(key, (task.outputs,))


def _balance(seen: Array, world: World, key: Key) -> Array:
    return (jnp.array([0.1, 0.3, 3.0, 1.5]) @ seen > 0).astype(int)


def _swing(seen: Array, world: World, key: Key) -> Array:
    """Pump energy up to that of standing upright, then hold."""
    (c, s, speed), (g, m, length) = seen, (world.physics[name] for name in "gml")
    energy = m * length**2 / 6 * speed**2 + m * g * length / 2 * (c - 1)
    pump = -2.0 * jnp.sign(energy) * jnp.sign(speed + 1e-9) * jnp.clip(5 * jnp.abs(energy), 0, 1)
    hold = -(m * g * length + 6 * m * length**2) * s - 2 * m * length**2 * speed
    return jnp.where((c > 0.9) & (jnp.abs(speed) < 2), hold, pump)[None]


HAND: dict[type[Acting], tuple[Policy, float]] = {
    CartPole: (_balance, 0.01),
    MountainCar: (lambda seen, world, key: jnp.where(seen[1] >= 0, 2, 0), 0.4),
    Acrobot: (lambda seen, world, key: jnp.where(seen[4] > 0, 0, 2), 0.3),
    Pendulum: (_swing, 0.3),
}
"""A good policy for each, written by hand, and the mean regret that it stays below in worlds of the test family."""


def test_worlds_have_the_declared_shapes_and_the_key_decides_them(task: Acting, worlds: dict[str, World]) -> None:
    assert task.inputs == task.observations + task.outputs + 1
    assert (task.steps, task.batch, task.ignorant_loss) == (task.episodes, task.horizon, 1.0)
    for split, drawn in worlds.items():
        assert drawn.sensors.shape == (LIVES, task.observations, task.observations)
        assert drawn.muscles.shape == (LIVES, task.outputs)
        draw = jax.jit(lambda key, split=split: task.sample(cast(Any, split), key=key))
        again, other = draw(jax.random.split(KEY, LIVES)[0]), draw(jax.random.key(2))
        first = jax.tree.map(lambda x: x[0], drawn)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *((w.physics, w.muscles) for w in (again, first)))
        assert (jax.random.key_data(again.key) != jax.random.key_data(other.key)).any()
        assert any(len(np.unique(leaf, axis=0)) > 1 for leaf in jax.tree.leaves(drawn.physics))


def test_what_an_output_does_is_drawn_anew_in_each_life(task: Acting, worlds: dict[str, World]) -> None:
    muscles = np.asarray(worlds["test"].muscles)
    if isinstance(task, Classic):
        assert len(np.unique(muscles, axis=0)) > 1
        same = replace(task, redraw=("physics",))
        assert len(np.unique(sample_lives(same, "test", LIVES, key=KEY).muscles, axis=0)) == 1
        upside_down = sample_lives(replace(task, redraw=("sensors",)), "test", LIVES, key=KEY).sensors
        assert len(np.unique(upside_down, axis=0)) > 1
    if isinstance(task, Bandit):
        assert len(np.unique(worlds["test"].physics.argmax(1))) == task.outputs


def test_the_families_of_physics_do_not_overlap(task: Acting, worlds: dict[str, World]) -> None:
    if isinstance(task, Classic):
        usual = _made(task.name)[1]
        size = {
            split: np.abs([np.log(np.asarray(drawn.physics[name]) / getattr(usual, name)) for name in task.varied])
            for split, drawn in worlds.items()
        }
        assert size["train"].max() <= np.log(task.train) + 1e-5
        assert size["validation"].min() >= np.log(task.train) - 1e-5
        assert size["validation"].max() <= np.log(task.validation) + 1e-5
        assert size["test"].min() >= np.log(task.validation) - 1e-5
        assert size["test"].max() <= np.log(task.test) + 1e-5
        # both lighter and heavier than usual
        for drawn in worlds.values():
            assert all(len({bool(f > getattr(usual, name)) for f in drawn.physics[name]}) == 2 for name in task.varied)
    elif isinstance(task, Bandit):
        contrast = {split: np.asarray(drawn.physics.max(1) - drawn.physics.min(1)) for split, drawn in worlds.items()}
        assert contrast["train"].min() >= 0.5 - 1e-5
        assert 0.4 - 1e-5 <= contrast["validation"].min() < contrast["validation"].max() <= 0.5 + 1e-5
        assert contrast["test"].max() <= 0.4 + 1e-5
    else:
        kinds = [set(np.asarray(drawn.physics).tolist()) for drawn in worlds.values()]
        assert sum(map(len, kinds)) == len(set.union(*kinds))


def test_what_depends_on_other_physics_is_changed_with_it() -> None:
    physics = CartPole().sample("test", key=KEY).physics
    assert physics["total_mass"] == pytest.approx(float(physics["masscart"] + physics["masspole"]))
    assert physics["polemass_length"] == pytest.approx(float(physics["masspole"] * physics["length"]))
    physics = Acrobot().sample("test", key=KEY).physics
    assert physics["link_com_pos_1"] == pytest.approx(float(physics["link_length_1"]) / 2)


@pytest.mark.parametrize("split", ["train", "test"])
def test_acting_at_random_has_regret_1(task: Acting, worlds: dict[str, World], split: str) -> None:
    many = worlds[split] if task.horizon > 1 else sample_lives(task, split, 20_000, key=KEY)
    assert _regrets(task, many, _random(task)).mean() == pytest.approx(1.0, abs=0.1)


def test_a_good_policy_has_little_regret_and_nothing_has_less_than_none(task: Acting, worlds: dict[str, World]) -> None:
    if isinstance(task, Bandit):
        regrets = _regrets(task, sample_lives(task, "test", 20_000, key=KEY), lambda seen, world, key: world.physics.argmax())
        assert regrets.mean() == pytest.approx(0.0, abs=0.1)
        return
    if type(task) not in HAND:
        pytest.skip("its own tests have policies written by hand")
    policy, bound = HAND[type(task)]
    regrets = _regrets(task, worlds["test"], policy)
    assert regrets.min() >= -1e-5
    assert regrets.mean() < bound
    assert np.mean(regrets < 0.99) > 0.8


def test_a_network_that_balances_does_so_in_a_life_and_fails_where_its_muscles_are_exchanged() -> None:
    task = CartPole(episodes=2, recall=False, normalise=False)
    body, scales = mlp((4, 2)), jnp.asarray(CartPole.scales)
    push = jnp.array([0.1, 0.3, 3.0, 1.5]) * scales
    network: Network = replace(
        random_network(body), weights={"input->output": jnp.stack([-push, push], 1)},
        biases={"input": jnp.zeros(4), "output": jnp.zeros(2)},
    )  # fmt: skip
    lives = sample_lives(task, "test", 16, key=KEY)
    log = jax.jit(jax.vmap(lambda life: live(NoLearning(), {}, network, body, task, life, (0, 1, 2), key=KEY)))(lives)
    as_usual = np.asarray(lives.muscles[:, 0] == 0)
    assert 0 < as_usual.sum() < 16
    np.testing.assert_allclose(log.loss[as_usual], 0.0, atol=1e-5)
    assert (log.loss[~as_usual] > 0.9).all()
    # chance is the world's affair, episode by episode
    assert (np.ptp(np.asarray(log.loss[~as_usual]), axis=1) > 0).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CartPole(train=1.4), "families of physics overlap unless 1 < train < validation < test, given 1.4"),
        (lambda: CartPole(redraw=("physics", "colours")), "redraw names physics, colours; each one of physics, actions, sensors"),
        (lambda: Pendulum(horizon=0), "horizon must be at least 1, given 0"),
        (lambda: CartPole(episodes=0), "episodes must be at least 1, given 0"),
        (lambda: Bandit(arms=1), "at least 2 arms"),
        (lambda: Bandit(horizon=5), "a horizon of 1"),
        (lambda: Bandit(recall=False), "and recall"),
        (lambda: digits_experiment(learner=ActorCritic()), "needs reward, which FewShotDigits does not.*gradient.*cartpole"),
        (lambda: _acting(Gradient()), "needs targets, which Bandit does not offer.*learner one of .*actor_critic.*sine"),
        (lambda: _acting(Structural(ActorCritic(), period=51)), "only every 51 steps.* a life has 50"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def _acting(learner: Any) -> Any:
    task = Bandit()
    return digits_experiment(task=task, substrate=mlp((task.inputs, 4, task.outputs)), learner=learner)


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evodev.tasks.base.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'evodev-jax\[control\]'"):
        CartPole()
    assert main(["search", "cartpole"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "evodev-jax[control]" in said
    assert "evodev-jax[control]" in catalogue()["tasks"]["acrobot"]


def test_the_catalogue_says_what_is_seen_done_and_scored() -> None:
    said = catalogue()["tasks"]
    for part in ("4 observations (7 inputs)", "2 actions", "3 episodes a life of at most 200 steps", "at random returns 22"):
        assert part in said["cartpole"]
    assert "acting at random has regret 1" in said["bandit"]
    assert "values to give" in said["pendulum"]
