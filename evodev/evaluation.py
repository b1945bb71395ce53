"""Genomes x lives -> lifetime logs. The only place that batches: vmap, chunks, devices."""

from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from evodev.chunks import Chunk, chunked
from evodev.fused import Kernel, live_fused
from evodev.learners import Learner
from evodev.lifetime import LifetimeLog, live
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Substrate
from evodev.tasks import Life, Split, Task, World
from evodev.types import Genes, Genomes, Key


@runtime_checkable
class Develop(Protocol):
    """Makes a network at birth, and the learner's genes, of a subject: a genome or any other pytree."""

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]: ...


AXIS = "devices"


@partial(jax.jit, static_argnums=(0, 1, 2))
def sample_lives(task: Task, split: Split, count: int, *, key: Key) -> Any:
    """``count`` lives of a family (:class:`Life`, or :class:`World` where it acts), stacked along a first axis."""
    return jax.vmap(lambda k: task.sample(split, key=k))(jax.random.split(key, count))


def evaluate(
    develop: Develop,
    subjects: Any,
    learner: Learner,
    substrate: Substrate,
    task: Task,
    lives: Life | World,
    schedule: tuple[int, ...],
    *,
    key: Key,
    stochastic: bool,
    chunk: Chunk,
    devices: int = 1,
    ledger: bool = False,
    online: bool = False,
    kernel: Kernel = "plain",
) -> LifetimeLog:
    """Every subject lives every life; logs have leading axes (subjects, lives).

    A subject is a genome, or whatever else ``develop`` makes a network of. Keys belong to (subject, life), so that
    neither the chunk nor the number of devices changes anything beyond float32 rounding.

    Args:
        develop: subject -> (network at birth, learner's genes).
        subjects: pytree with a leading axis of subjects.
        learner: how the networks learn.
        substrate: where they grew.
        task: gives loss and score.
        lives: common to all subjects, with a leading axis.
        schedule: steps at which a life is probed.
        key: root of all keys of this evaluation.
        stochastic: grow a network for each life rather than for each subject.
        chunk: what is evaluated together on one device.
        devices: local devices to divide the subjects (or the lives of a single one) among.
        ledger: also measure what answering costs (``LifetimeLog.energy``).
        online: also answer each batch before learning from it (``LifetimeLog.online``).
        kernel: how a life is computed.
    """
    count = jax.tree.leaves(subjects)[0].shape[0]
    life_count = jax.tree.leaves(lives)[0].shape[0]
    key_grow, key_live = jax.random.split(key)

    def one_life(subject: Any, grown: Any, index: Any, numbered_life: tuple[Any, Any]) -> LifetimeLog:
        life, life_index = numbered_life
        if stochastic:
            grown = develop(subject, key=jax.random.fold_in(jax.random.fold_in(key_grow, index), life_index))
        network, genes = grown
        own_key = jax.random.fold_in(jax.random.fold_in(key_live, index), life_index)
        lived = live_fused if kernel == "fused" else live
        return lived(learner, genes, network, substrate, task, life, schedule, key=own_key, ledger=ledger, online=online)

    def all_lives(numbered_subjects: tuple[Any, Any], numbered_lives: tuple[Any, Any]) -> LifetimeLog:
        def one_subject(numbered: tuple[Any, Any]) -> LifetimeLog:
            index, subject = numbered
            grown = None if stochastic else develop(subject, key=jax.random.fold_in(key_grow, index))
            return chunked(partial(one_life, subject, grown, index), numbered_lives, chunk.lives)

        return chunked(one_subject, numbered_subjects, chunk.subjects)

    numbered_subjects, numbered_lives = (jnp.arange(count), subjects), (lives, jnp.arange(life_count))
    if devices == 1:
        return all_lives(numbered_subjects, numbered_lives)
    # subjects are divided among the devices, or the lives of a single subject
    axis = 0 if count > 1 else 1
    total = (count, life_count)[axis]
    share = jnp.minimum(jnp.arange(-(-total // devices) * devices), total - 1)
    divided = [numbered_subjects, numbered_lives]
    # padded so that the devices share equally; the extra ones are copies whose logs are dropped
    divided[axis] = jax.tree.map(lambda x: x[share], divided[axis])
    specs = [PartitionSpec(), PartitionSpec()]
    specs[axis] = PartitionSpec(AXIS)
    spread = jax.shard_map(
        all_lives,
        mesh=Mesh(np.array(jax.local_devices()[:devices]), (AXIS,)),
        in_specs=tuple(specs),
        out_specs=PartitionSpec(AXIS) if axis == 0 else PartitionSpec(None, AXIS),
        check_vma=False,
    )
    return jax.tree.map(lambda x: jax.lax.slice_in_dim(x, 0, total, axis=axis), spread(*divided))


live_subjects = jax.jit(
    evaluate,
    static_argnames=(
        "develop", "learner", "substrate", "task", "schedule", "stochastic", "chunk", "devices", "ledger", "online", "kernel",
    ),
)  # fmt: skip
"""A compiled :func:`evaluate`; arms of equal parts share one program."""


def evaluate_organism(
    organism: Organism,
    genomes: Genomes,
    task: Task,
    lives: Life | World,
    schedule: tuple[int, ...],
    *,
    key: Key,
    chunk: Chunk,
    devices: int = 1,
    ledger: bool = False,
    online: bool = False,
    kernel: Kernel = "plain",
) -> LifetimeLog:
    """:func:`evaluate` for genomes of an organism."""
    return evaluate(
        organism.hatch,
        genomes,
        organism.learner,
        organism.substrate,
        task,
        lives,
        schedule,
        key=key,
        stochastic=organism.decoder.stochastic,
        chunk=chunk,
        devices=devices,
        ledger=ledger,
        online=online,
        kernel=kernel,
    )


def device_count(count: int) -> int:
    """Local devices worth dividing so many subjects or lives among."""
    return max(1, min(jax.local_device_count(), count))
