"""One life of one network: a single scan, unbatched."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.episodes import episodes
from evodev.learners import Learner
from evodev.network import Network, active_share, activities, collapsed, synapses, traffic
from evodev.substrate import Substrate
from evodev.tasks import Acting, Life, Task, World
from evodev.types import Array, Curve, Flag, Float, Genes, Key, Scalar


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
class Phases:
    """How each phase of a life (``Task.phase_ends``) was answered, by its own part of the probe set.

    ``loss`` and ``score`` have a row a probe and a column a phase; ``reached`` is the score on a phase when it ended.
    """

    loss: Float[Array, "probes phases"]
    score: Float[Array, "probes phases"]
    reached: Float[Array, " phases"]
    ends: tuple[int, ...] = struct.field(pytree_node=False)


@struct.dataclass
class LifetimeLog:
    """What is written down of a life; curves have one entry a probe, the first at birth.

    ``operations`` are synaptic operations to learn from one sample, ``synapses`` those of the network at birth and of the
    learner's memory, ``failed`` is set if any probe was not finite. ``energy`` is there if it was asked for and the learner
    tells, ``phases`` if the task has any: ``loss`` and ``score`` are the means over them. ``batch`` are the samples of a step.
    ``online`` is the loss on each batch before it was learned from (steps,), if asked for: the honest measure of a life in
    which the world changes (prequential, Dawid 1984).
    """

    loss: Curve
    score: Curve
    operations: Scalar
    synapses: Scalar
    failed: Flag
    collapsed: Flag | None = None
    energy: Energy | None = None
    phases: Phases | None = None
    online: Float[Array, " steps"] | None = None
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
    online: bool = False,
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
        online: also answer each batch before learning from it.
    """
    if isinstance(task, Acting) and isinstance(life, World):
        curves = episodes(learner, genes, network, substrate, task, life, schedule, key=key, ledger=ledger)
        return written(learner, network, substrate, curves[:, :1], 1.0 - curves[:, :1], curves[:, 1:], task.batch)
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

    ends = task.phase_ends
    parts = max(1, len(ends))
    if len(probe_inputs) % parts:
        raise ValueError(f"task: a probe set of {len(probe_inputs)} cannot be shared equally among {parts} phases")

    def by_phase(x: Array) -> Array:
        return x.reshape(parts, -1, *x.shape[1:])

    def probe(state: Any) -> Array:
        answers = by_phase(learner.predict(genes, state, probe_inputs, substrate)), by_phase(life.probe_targets)
        measures = [jax.vmap(task.loss)(*answers), jax.vmap(task.score)(*answers)]
        return jnp.concatenate(measures + ([jnp.atleast_1d(x) for x in spent(state)] if ledger else []))

    def step(state: Any, now: tuple[Array, Array, Array, Array]) -> tuple[Any, tuple[Array, Scalar | None]]:
        inputs, targets, step_key, is_probed = now
        unlearned = task.loss(learner.predict(genes, state, inputs, substrate), targets) if online else None
        state = learner.step(genes, state, inputs, targets, substrate, key=step_key)
        # the schedule is the same for every life, so that under vmap this stays a branch: no probe, no cost
        return state, (jax.lax.cond(is_probed, probe, lambda _: jnp.zeros(birth.shape), state), unlearned)

    birth = probe(state)
    # a phase is also probed when it ends, so that what is left of it does not hang on the schedule
    is_probed = np.isin(np.arange(1, steps + 1), (*schedule, *ends))
    moments = (stream, life.targets, jax.random.split(key_steps, steps), jnp.asarray(is_probed))
    _, (measured, unlearned) = jax.lax.scan(step, state, moments)
    scheduled = np.flatnonzero(np.isin(np.arange(1, steps + 1), schedule))
    curves = jnp.concatenate([birth[None], measured[scheduled]])
    loss, score, costs = curves[:, :parts], curves[:, parts : 2 * parts], curves[:, 2 * parts :]
    phases = Phases(loss, score, measured[np.array(ends) - 1, parts + np.arange(parts)], ends) if ends else None
    return written(learner, network, substrate, loss, score, costs, batch, phases, unlearned)


def written(
    learner: Learner,
    network: Network,
    substrate: Substrate,
    loss: Float[Array, "probes phases"],
    score: Float[Array, "probes phases"],
    costs: Float[Array, "probes measures"],
    batch: int,
    phases: Phases | None = None,
    online: Float[Array, " steps"] | None = None,
) -> LifetimeLog:
    """The log of a life; ``costs``, if there are any, are the share of active neurons and the operations of an answer."""
    operations, held = learner.operations(network, substrate), learner.memory(substrate)
    energy = None
    if costs.shape[1]:
        dense = jnp.asarray(float(substrate.ticks * substrate.synapses + held))
        energy = Energy(costs[:, 0], costs[:, 1] + held, jnp.maximum(operations - synapses(network), 0.0), dense)
    return LifetimeLog(
        loss=loss.mean(1),
        score=score.mean(1),
        operations=operations,
        synapses=synapses(network) + held,
        failed=~(jnp.isfinite(loss).all() & jnp.isfinite(score).all() & (online is None or jnp.isfinite(online).all())),
        collapsed=collapsed(substrate, network),
        energy=energy,
        phases=phases,
        online=online,
        batch=batch,
    )
