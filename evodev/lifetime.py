"""One life of one network: a single scan, unbatched."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.episodes import episodes
from evodev.learners import Learner
from evodev.network import Network, active_share, activities, synapses, traffic
from evodev.substrate import Substrate
from evodev.tasks import Acting, Life, Task, World
from evodev.types import Array, Curve, Flag, Genes, Key, Scalar


@struct.dataclass
class Energy:
    """What answering and learning cost; curves have one entry a probe, means over the probe set.

    ``active`` is the share of neurons between inputs and outputs that are active, ``traffic`` the synaptic operations that
    answering one sample needs: active neurons times their synapses, and the learner's memory whole. ``updates`` are the
    operations of learning from one sample beyond answering it, ``dense`` the multiply-adds of an answer by whole matrices.
    """

    active: Curve
    traffic: Curve
    updates: Scalar
    dense: Scalar


@struct.dataclass
class LifetimeLog:
    """What is written down of a life; curves have one entry a probe, the first at birth.

    ``operations`` are synaptic operations to learn from one sample, ``synapses`` those of the network at birth and of the
    learner's memory, ``failed`` is set if any probe was not finite. ``energy`` is there if it was asked for and the learner
    tells; ``batch`` are the samples of a step.
    """

    loss: Curve
    score: Curve
    operations: Scalar
    synapses: Scalar
    failed: Flag
    energy: Energy | None = None
    batch: int = struct.field(pytree_node=False, default=1)


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
    life: Life | World,
    schedule: tuple[int, ...],
    *,
    key: Key,
    ledger: bool = False,
) -> LifetimeLog:
    """Let one network learn through one life.

    Args:
        learner: the rule of change, with its ``genes``.
        network: the network at birth.
        substrate: what it grew in.
        task: gives loss and score.
        life: the stream and the probe set, or the world to act in.
        schedule: :func:`probe_steps` of the task's steps.
        key: for learners that draw at random.
        ledger: also measure, at each probe, what answering costs.
    """
    if isinstance(task, Acting) and isinstance(life, World):
        curves = episodes(learner, genes, network, substrate, task, life, schedule, key=key, ledger=ledger)
        curves = jnp.concatenate([curves[:, :1], 1.0 - curves[:, :1], curves[:, 1:]], axis=1)
        return _written(learner, network, substrate, curves, task.batch)
    assert isinstance(life, Life)
    steps, batch = life.inputs.shape[:2]
    everything = jnp.concatenate([life.inputs.reshape(steps * batch, -1), life.probe_inputs.reshape(len(life.probe_inputs), -1)])
    seen = learner.perceive(network, everything, substrate)
    stream, probe_inputs = seen[: steps * batch].reshape(steps, batch, -1), seen[steps * batch :]

    # where perceiving changes nothing, the answers and their cost are read off one and the same pass
    raw = probe_inputs if type(learner).perceive is Learner.perceive else life.probe_inputs.reshape(len(life.probe_inputs), -1)

    def cost(own: Network, active: dict[str, Array]) -> list[Scalar]:
        return [active_share(substrate, own, active), traffic(substrate, own, active)]

    key_init, key_steps = jax.random.split(key)
    state = learner.init(genes, network, substrate, key=key_init)
    # a network that no life changes answers at the same cost throughout: worked out once
    tells = not ledger or learner.activity(genes, state, raw, substrate) is not None
    unchanged = not tells and learner.frozen and not substrate.modular
    resting = cost(network, activities(substrate, network, raw)) if unchanged else []

    def spent(state: Any) -> list[Scalar]:
        active = learner.activity(genes, state, raw, substrate)
        return resting if active is None else cost(getattr(state, "network", network), active)

    def probe(state: Any) -> Array:
        outputs = learner.predict(genes, state, probe_inputs, substrate)
        measures = [task.loss(outputs, life.probe_targets), task.score(outputs, life.probe_targets)]
        return jnp.stack(measures + (spent(state) if ledger else []))

    def step(state: Any, now: tuple[Array, Array, Array, Array]) -> tuple[Any, Array]:
        inputs, targets, step_key, is_probed = now
        state = learner.step(genes, state, inputs, targets, substrate, key=step_key)
        # the schedule is the same for every life, so that under vmap this stays a branch: no probe, no cost
        return state, jax.lax.cond(is_probed, probe, lambda _: jnp.zeros(birth.shape), state)

    birth = probe(state)
    is_probed = np.isin(np.arange(1, steps + 1), schedule)
    moments = (stream, life.targets, jax.random.split(key_steps, steps), jnp.asarray(is_probed))
    _, measured = jax.lax.scan(step, state, moments)
    curves = jnp.concatenate([birth[None], measured[np.flatnonzero(is_probed)]])
    return _written(learner, network, substrate, curves, batch)


def _written(learner: Learner, network: Network, substrate: Substrate, curves: Array, batch: int) -> LifetimeLog:
    """The log of a life: ``curves`` (probes, measures) are loss, score and, if asked for, what answering costs."""
    operations, held = learner.operations(network, substrate), learner.memory(substrate)
    energy = None
    if curves.shape[1] > 2:
        dense = jnp.asarray(float(substrate.ticks * substrate.synapses + held))
        energy = Energy(curves[:, 2], curves[:, 3] + held, jnp.maximum(operations - synapses(network), 0.0), dense)
    return LifetimeLog(
        loss=curves[:, 0],
        score=curves[:, 1],
        operations=operations,
        synapses=synapses(network) + held,
        failed=~jnp.isfinite(curves[:, :2]).all(),
        energy=energy,
        batch=batch,
    )
