"""How much is evaluated together: as many subjects and lives as fit a CPU's caches or an accelerator's memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from evodev.organism import Organism
from evodev.tasks import Acting, Task
from evodev.types import Key


class Chunk(NamedTuple):
    """What is evaluated together on one device: so many subjects, and of each so many lives at a time."""

    subjects: int
    lives: int


CACHES = 8
"""Second-level caches that a chunk may fill on a CPU; benchmarks/speed measures the neighbours of this choice."""

GRID = 65_535
"""Subjects that one kernel of ``fused`` may have on CUDA, where they are the second axis of its grid."""


def chunked(function: Callable[[Any], Any], xs: Any, size: int) -> Any:
    """``vmap`` over the leading axis, ``size`` entries at a time; a plain vmap if that is all of them.

    One at a time is not batched at all: products of two matrices need no transposed copies then.
    """
    count = jax.tree.leaves(xs)[0].shape[0]
    if size == 1:
        return jax.lax.map(function, xs)
    return jax.vmap(function)(xs) if size >= count else jax.lax.map(function, xs, batch_size=size)


def working_set(organism: Organism, task: Task) -> int:
    """Bytes that one life keeps in hand: what it learns, before and after a step, its examples, and a batch's activity."""
    learner, spec = organism.learner, organism.genome_spec

    # one observation at a time where it acts, and nothing perceived ahead
    life = jax.eval_shape(lambda: task.sample("train", key=jax.random.key(0)))
    probed = 0 if isinstance(task, Acting) else life.probe_inputs.shape[0]

    def parts(genome: Any, key: Key) -> Any:
        network, genes = organism.develop(genome, key=key)
        everything = jnp.zeros((task.steps * task.batch + probed if probed else 1, task.inputs))
        state = learner.init(genes, network, organism.substrate, key=key)
        return state, learner.perceive(network, everything, organism.substrate), (network.masks, network.gains, network.alive)

    def size(tree: Any) -> int:
        return sum(4 * int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))

    key = jax.eval_shape(lambda: jax.random.key(0))
    genome = jax.ShapeDtypeStruct((spec.size,), jnp.float32)
    state, seen, fixed = jax.eval_shape(parts, genome, key)
    # the masks of a genome's network serve all its lives; a learner of the read-out carries no network at all
    own = size(state) - (0 if learner.frozen or organism.decoder.stochastic else size(fixed))
    # and it sends every example of a life through the network at once
    batch = seen.shape[0] if learner.frozen else max(task.batch, probed) if probed else 1
    return 2 * own + size(seen) + 4 * batch * sum(p.size for p in organism.substrate.populations)


def cache_bytes() -> int:
    """Size of one core's second-level cache where the system tells it, else 1 MiB."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(text[:-1]) * {"K": 1024, "M": 1024**2}[text[-1]]
    except (OSError, KeyError, ValueError):
        return 1024**2


def choose_chunk(organism: Organism, task: Task, *, subjects: int, lives: int) -> Chunk:
    """What to evaluate together: as much as fits the caches of a CPU, or the memory of an accelerator."""
    need = working_set(organism, task)
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        room = CACHES * cache_bytes()
    else:
        room = int(0.5 * (device.memory_stats() or {}).get("bytes_limit", 8 * 1024**3))
    together = max(1, min(lives, room // need))
    return Chunk(max(1, min(subjects, GRID, room // (need * together))), together)
