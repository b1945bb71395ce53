"""One life that acts: episodes of seeing, doing and feeling, the learner awake throughout."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.learners import Learner
from evodev.network import Network, active_share, traffic
from evodev.substrate import Substrate
from evodev.tasks import Acting, World
from evodev.types import Array, Float, Genes, Key, Moment, Scalar

PRIOR = 10.0
"""Samples of mean 0 and variance 1 that a life's statistics start with."""


@struct.dataclass
class Habit:
    """Mean and sum of squared deviations of what a life has seen (Welford 1962), and how often it looked."""

    count: Scalar
    mean: Array
    squares: Array

    @staticmethod
    def of(shape: tuple[int, ...]) -> "Habit":
        """What is expected before anything was seen."""
        return Habit(jnp.asarray(PRIOR), jnp.zeros(shape), jnp.full(shape, PRIOR))

    def seen(self, x: Array) -> "Habit":
        """With one more sample."""
        off, count = x - self.mean, self.count + 1.0
        mean = self.mean + off / count
        return Habit(count, mean, self.squares + off * (x - mean))

    def standard(self, x: Array) -> Array:
        """A sample with the mean taken off, in spreads."""
        return (x - self.mean) * jax.lax.rsqrt(self.squares / self.count + 1e-6)


@struct.dataclass
class _Instant:
    """What goes from one step of an episode to the next."""

    learner: Any
    world: Any
    observation: Float[Array, " inputs"]
    habits: tuple[Habit, Habit]
    felt: tuple[Float[Array, " outputs"], Scalar]
    total: Scalar
    spent: Float[Array, " two"]
    time: Array
    over: Array
    finite: Array


def episodes(
    learner: Learner,
    genes: Genes,
    network: Network,
    substrate: Substrate,
    task: Acting,
    world: World,
    schedule: tuple[int, ...],
    *,
    key: Key,
    ledger: bool = False,
) -> Float[Array, "probes measures"]:
    """Regret at each probe, and with ``ledger`` the share of active neurons and the synaptic operations of an answer.

    The first is that of one episode lived by the newborn, of which it remembers nothing; after that each is the mean over
    the episodes since the probe before, lived once and learned from. Not a number where an output was not finite.

    Args:
        learner: the rule of change, with its ``genes``.
        network: the network at birth.
        substrate: what it grew in.
        task: how worlds answer.
        world: the one that is lived in.
        schedule: episodes after which it is probed, the first 0.
        key: for learners that draw at random.
        ledger: also measure what answering costs.
    """
    key_init, key_lives = jax.random.split(key)

    def seen(there: Array, felt: tuple[Array, Array], sights: Habit) -> Array:
        sight = world.sensors @ there
        sight = sights.standard(sight) if task.normalise else sight
        return jnp.concatenate([sight, felt[0], felt[1][None]]) if task.recall else sight

    def episode(state: Any, habits: Any, felt: Any, number: Array) -> tuple[_Instant, Array]:
        # chance in a world is the world's affair: all networks that live in it meet the same
        key, key_chance = jax.random.fold_in(key_lives, number), jax.random.fold_in(world.key, number)

        def step(now: _Instant) -> _Instant:
            key_act, key_learn = jax.random.split(jax.random.fold_in(key, now.time))
            outputs, state = learner.act(genes, now.learner, now.observation, substrate, discrete=task.discrete, key=key_act)
            spent = now.spent
            if ledger:
                active = learner.activity(genes, now.learner, now.observation[None], substrate)
                if active is not None:
                    own = getattr(now.learner, "network", network)
                    spent = spent + jnp.stack([active_share(substrate, own, active), traffic(substrate, own, active)])
            finite = now.finite & jnp.isfinite(outputs).all()
            outputs = jnp.nan_to_num(outputs)
            if task.discrete:
                choice = outputs.argmax()
                action, done = jax.nn.one_hot(choice, task.outputs), world.muscles[choice]
            else:
                action, done = outputs, world.muscles * outputs
            physical, there, reward, over = task.act(world, now.world, done, key=jax.random.fold_in(key_chance, now.time))
            sights, rewards = now.habits[0].seen(world.sensors @ there), now.habits[1].seen(reward)
            felt = action, rewards.standard(reward)
            following = seen(there, felt, sights)
            last = over | (now.time + 1 == task.horizon)
            moment = Moment(now.observation, *felt, following, over, last)

            def learned(state: Any) -> Any:
                return learner.experience(genes, state, moment, substrate, discrete=task.discrete, key=key_learn)

            # all lives are in the same episode, so that under vmap this stays a branch
            state = jax.lax.cond(number > 0, learned, lambda state: state, state)
            total = now.total + reward
            return _Instant(state, physical, following, (sights, rewards), felt, total, spent, now.time + 1, last, finite)

        physical, there = task.begin(world, key=jax.random.fold_in(key_chance, task.horizon))
        start = _Instant(
            state, physical, seen(there, felt, habits[0]), habits, felt, jnp.zeros(()), jnp.zeros(2), jnp.asarray(0),
            jnp.asarray(False), jnp.asarray(True),
        )  # fmt: skip
        end = jax.lax.while_loop(lambda now: ~now.over, step, start)
        regret = jnp.where(end.finite, task.regret(world, end.total), jnp.nan)
        return end, jnp.concatenate([regret[None], end.spent / end.time])

    state = learner.init(genes, network, substrate, key=key_init)
    newborn = state, (Habit.of((task.observations,)), Habit.of(())), (jnp.zeros(task.outputs), jnp.zeros(()))

    def lived(before: tuple[Any, Any, Any], number: Array) -> tuple[tuple[Any, Any, Any], Array]:
        end, measured = episode(*before, number)
        after = end.learner, end.habits, end.felt
        # nothing of the episode at birth is remembered
        return jax.tree.map(lambda old, new: jnp.where(number > 0, new, old), before, after), measured

    _, measured = jax.lax.scan(lived, newborn, jnp.arange(task.episodes + 1))
    number, bounds = np.arange(1, task.episodes + 1), np.asarray(schedule)
    among = (number > bounds[:-1, None]) & (number <= bounds[1:, None])
    means = jnp.asarray(among / among.sum(1, keepdims=True), jnp.float32)
    curves = jnp.concatenate([measured[:1], means @ measured[1:]])
    return curves if ledger else curves[:, :1]
