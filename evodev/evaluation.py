"""Genomes x lives -> lifetime logs. The only place that batches: vmap, chunks, devices."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from evodev.learners import Learner
from evodev.lifetime import LifetimeLog, live
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Substrate
from evodev.tasks import Life, Split, Task
from evodev.types import Genes, Genomes, Key

Develop = Callable[[Any, Key], tuple[Network, Genes]]
AXIS = "population"


def sample_lives(task: Task, split: Split, count: int, *, key: Key) -> Life:
    """``count`` lives of a family, stacked along a first axis."""
    return jax.vmap(lambda k: task.sample(split, key=k))(jax.random.split(key, count))


def evaluate(
    develop: Develop,
    subjects: Any,
    learner: Learner,
    substrate: Substrate,
    task: Task,
    lives: Life,
    schedule: tuple[int, ...],
    *,
    key: Key,
    stochastic: bool,
    chunk: int,
    devices: int = 1,
) -> LifetimeLog:
    """Every subject lives every life; logs have leading axes (subjects, lives).

    A subject is a genome, or whatever else ``develop`` makes a network of. Keys belong to (subject, life), so that
    neither the chunk nor the number of devices changes anything beyond float32 rounding.

    Args:
        develop: (subject, key) -> (network at birth, learner's genes).
        subjects: pytree with a leading axis of subjects.
        learner: how the networks learn.
        substrate: where they grew.
        task: gives loss and score.
        lives: common to all subjects, with a leading axis.
        schedule: steps at which a life is probed.
        key: root of all keys of this evaluation.
        stochastic: grow a network for each life rather than for each subject.
        chunk: subjects evaluated together on one device.
        devices: local devices to divide the subjects among.
    """
    count = jax.tree.leaves(subjects)[0].shape[0]
    life_count = lives.inputs.shape[0]
    key_grow, key_live = jax.random.split(key)

    def one_life(subject: Any, grown: Any, life: Life, index: Any, life_index: Any) -> LifetimeLog:
        if stochastic:
            grown = develop(subject, jax.random.fold_in(jax.random.fold_in(key_grow, index), life_index))
        network, genes = grown
        own_key = jax.random.fold_in(jax.random.fold_in(key_live, index), life_index)
        return live(learner, genes, network, substrate, task, life, schedule, key=own_key)

    def one_subject(numbered: tuple[Any, Any]) -> LifetimeLog:
        index, subject = numbered
        grown = None if stochastic else develop(subject, jax.random.fold_in(key_grow, index))
        over_lives = jax.vmap(partial(one_life, subject, grown), in_axes=(0, None, 0))
        return over_lives(lives, index, jnp.arange(life_count))

    def all_subjects(numbered: tuple[Any, Any]) -> LifetimeLog:
        return jax.lax.map(one_subject, numbered, batch_size=min(chunk, jax.tree.leaves(numbered)[0].shape[0]))

    numbered = (jnp.arange(count), subjects)
    if devices == 1:
        return all_subjects(numbered)
    # pad so that the devices share equally; the extra subjects are copies whose logs are dropped
    padded = jax.tree.map(lambda x: x[jnp.minimum(jnp.arange(-(-count // devices) * devices), count - 1)], numbered)
    mesh = Mesh(np.array(jax.local_devices()[:devices]), (AXIS,))
    spread = jax.shard_map(
        all_subjects, mesh=mesh, in_specs=PartitionSpec(AXIS), out_specs=PartitionSpec(AXIS), check_vma=False
    )
    return jax.tree.map(lambda x: x[:count], spread(padded))


def evaluate_organism(
    organism: Organism,
    genomes: Genomes,
    task: Task,
    lives: Life,
    schedule: tuple[int, ...],
    *,
    key: Key,
    chunk: int,
    devices: int = 1,
) -> LifetimeLog:
    """:func:`evaluate` for genomes of an organism."""
    return evaluate(
        lambda genome, k: organism.develop(genome, key=k),
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
    )


def working_set(organism: Organism, task: Task, lives: int) -> int:
    """Bytes that one genome's lives keep in hand: learner states twice over, and the activity of every example."""
    spec = organism.genome_spec

    def states(genome: Any, life: Life, key: Key) -> Any:
        network, genes = organism.develop(genome, key=key)
        everything = jnp.zeros((task.steps * task.batch + len(life.probe_inputs), task.inputs))
        seen = organism.learner.perceive(network, everything, organism.substrate)
        return organism.learner.init(genes, network, organism.substrate, key=key), seen

    key = jax.eval_shape(lambda: jax.random.key(0))
    life = jax.eval_shape(lambda: task.sample("train", key=jax.random.key(0)))
    genome = jax.ShapeDtypeStruct((spec.size,), jnp.float32)
    shapes = jax.tree.leaves(jax.eval_shape(states, genome, life, key))
    bytes_each = sum(int(np.prod(s.shape)) * 4 for s in shapes)
    neurons = sum(p.size for p in organism.substrate.populations)
    batch = max(task.batch, len(life.probe_inputs))
    return lives * (2 * bytes_each + 4 * batch * neurons)


def cache_bytes() -> int:
    """Size of one core's second-level cache where the system tells it, else 1 MiB."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(text[:-1]) * {"K": 1024, "M": 1024**2}[text[-1]]
    except (OSError, KeyError, ValueError):
        return 1024**2


def choose_chunk(organism: Organism, task: Task, *, population: int, lives: int) -> int:
    """Genomes to evaluate together: what fits the caches of a CPU, or the memory of an accelerator."""
    need = max(working_set(organism, task, lives), 1)
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        room = 4 * cache_bytes()
    else:
        stats = device.memory_stats() or {}
        room = int(0.5 * stats.get("bytes_limit", 8 * 1024**3))
    return max(1, min(population, room // need))


def device_count(population: int) -> int:
    """Local devices worth dividing a population among."""
    return max(1, min(jax.local_device_count(), population))


def cpu_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
