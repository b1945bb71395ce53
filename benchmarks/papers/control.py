"""Episodes of a gymnax environment for networks that act: the score of the control benchmarks."""

from typing import Any

import jax
import jax.numpy as jnp

from evodev.network import Network, activities
from evodev.substrate import Substrate
from evodev.types import Array, Float, Key

Returns = Float[Array, " episodes"]


def environment(name: str = "CartPole-v1") -> tuple[Any, Any]:
    """A gymnax environment and its parameters.

    Raises:
        ImportError: without gymnax, naming the extra.
    """
    try:
        import gymnax
    except ImportError as error:
        raise ImportError("control needs gymnax: pip install 'evodev-jax[control]'") from error
    return gymnax.make(name)


def episodes(
    network: Network, substrate: Substrate, world: tuple[Any, Any], count: int, *, key: Key, memory: bool = False
) -> Returns:
    """Return of each of ``count`` episodes in which the strongest output of a network is its action.

    Args:
        network: one that grew in ``substrate``, an input an observation, an output an action.
        substrate: its ``ticks`` are the sweeps of the network between two actions.
        world: of :func:`environment`.
        count: episodes.
        key: of the first states and of the environment's noise.
        memory: start a step from the activity of the step before, rather than from silence.
    """
    env, params = world
    key_reset, key_steps = jax.random.split(key)
    seen, state = jax.vmap(env.reset_env, (0, None))(jax.random.split(key_reset, count), params)

    def going(carry: Any) -> Array:
        step, running = carry[0], carry[1]
        return (step < params.max_steps_in_episode) & running.any()

    def act(carry: Any) -> Any:
        step, running, total, seen, state, activity = carry
        activity = activities(substrate, network, seen, activity if memory else None)
        action = activity[substrate.output.name].argmax(1)
        keys = jax.random.split(jax.random.fold_in(key_steps, step), count)
        seen, state, reward, done, _ = jax.vmap(env.step_env, (0, 0, 0, None))(keys, state, action, params)
        return step + 1, running & ~done, total + reward * running, seen, state, activity

    silence = {p.name: jnp.zeros((count, p.size)) for p in substrate.populations}
    start = (jnp.asarray(0), jnp.ones(count, bool), jnp.zeros(count), seen, state, silence)
    return jax.lax.while_loop(going, act, start)[2]
