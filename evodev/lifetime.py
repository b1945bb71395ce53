"""One life of one network: a single scan, unbatched."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.learners import Learner
from evodev.network import Network, synapses
from evodev.substrate import Substrate
from evodev.tasks import Life, Task
from evodev.types import Array, Curve, Flag, Genes, Key, Scalar


@struct.dataclass
class LifetimeLog:
    """What is written down of a life; curves have one entry a probe, the first at birth.

    ``operations`` are synaptic operations to learn from one sample, ``synapses`` those of the network at birth and of the
    learner's memory, ``failed`` is set if any probe was not finite.
    """

    loss: Curve
    score: Curve
    operations: Scalar
    synapses: Scalar
    failed: Flag


def probe_steps(steps: int, probes: int = 8) -> tuple[int, ...]:
    """Steps after which a life is probed: birth (0), the first, the last, and log-spaced between.

    Args:
        steps: steps in a life.
        probes: how many probes after birth at most.
    """
    spaced = np.unique(np.round(np.geomspace(1, steps, min(probes, steps))).astype(int))
    return (0, *(int(s) for s in spaced))


def live(
    learner: Learner,
    genes: Genes,
    network: Network,
    substrate: Substrate,
    task: Task,
    life: Life,
    schedule: tuple[int, ...],
    *,
    key: Key,
) -> LifetimeLog:
    """Let one network learn through one life.

    Args:
        learner: the rule of change, with its ``genes``.
        network: the network at birth.
        substrate: what it grew in.
        task: gives loss and score.
        life: the stream and the probe set.
        schedule: :func:`probe_steps` of the task's steps.
        key: for learners that draw at random.
    """
    steps, batch = life.inputs.shape[:2]
    everything = jnp.concatenate([life.inputs.reshape(steps * batch, -1), life.probe_inputs.reshape(len(life.probe_inputs), -1)])
    seen = learner.perceive(network, everything, substrate)
    stream, probe_inputs = seen[: steps * batch].reshape(steps, batch, -1), seen[steps * batch :]

    def probe(state: Any) -> Array:
        outputs = learner.predict(genes, state, probe_inputs, substrate)
        return jnp.stack([task.loss(outputs, life.probe_targets), task.score(outputs, life.probe_targets)])

    def step(state: Any, now: tuple[Array, Array, Array, Array]) -> tuple[Any, Array]:
        inputs, targets, step_key, is_probed = now
        state = learner.step(genes, state, inputs, targets, substrate, key=step_key)
        # the schedule is the same for every life, so that under vmap this stays a branch: no probe, no cost
        return state, jax.lax.cond(is_probed, probe, lambda _: jnp.zeros(2), state)

    key_init, key_steps = jax.random.split(key)
    state = learner.init(genes, network, substrate, key=key_init)
    is_probed = np.isin(np.arange(1, steps + 1), schedule)
    moments = (stream, life.targets, jax.random.split(key_steps, steps), jnp.asarray(is_probed))
    _, measured = jax.lax.scan(step, state, moments)
    curves = jnp.concatenate([probe(state)[None], measured[np.flatnonzero(is_probed)]])
    return LifetimeLog(
        loss=curves[:, 0],
        score=curves[:, 1],
        operations=learner.operations(network, substrate),
        synapses=synapses(network) + learner.memory(substrate),
        failed=~jnp.isfinite(curves).all(),
    )
