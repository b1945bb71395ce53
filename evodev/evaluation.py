"""Genomes x lives -> lifetime logs. The only place that batches: vmap, chunks, devices."""

from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from evodev.chunks import Chunk, chunked
from evodev.devices import LIVES, SUBJECTS, division, everywhere, mesh_of
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
    neither the chunk nor the number of devices or processes changes anything beyond float32 rounding. Only logs cross from
    device to device: subjects and lives come whole to each, and every device ends with all logs.

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
        devices: how many to divide the subjects, and where these are few their lives, among (:func:`division`).
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
    shape = division(devices, count, life_count)
    mesh = mesh_of(shape)
    spread = jax.shard_map(
        all_lives,
        mesh=mesh,
        in_specs=(PartitionSpec(SUBJECTS), PartitionSpec(LIVES)),
        out_specs=PartitionSpec(SUBJECTS, LIVES),
        check_vma=False,
    )
    log = spread(_equal_shares(numbered_subjects, shape[0]), _equal_shares(numbered_lives, shape[1]))
    log = jax.lax.with_sharding_constraint(log, everywhere(mesh))
    return jax.tree.map(lambda x: x[:count, :life_count], log)


def _equal_shares(xs: Any, shares: int) -> Any:
    """Padded so that the shares are equal; the extra entries are copies of the last, whose logs are dropped."""
    total = jax.tree.leaves(xs)[0].shape[0]
    if total % shares == 0:
        return xs
    taken = jnp.minimum(jnp.arange(-(-total // shares) * shares), total - 1)
    return jax.tree.map(lambda x: x[taken], xs)


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
