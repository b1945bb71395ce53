"""Robustness: what noise, rounding and flipped bits cost, in the genome and in what it grows, on the same lives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.analysis.information import rounded
from evodev.chunks import Chunk
from evodev.evaluation import live_subjects
from evodev.lifetime import LifetimeLog
from evodev.network import Network, matrix
from evodev.organism import Organism
from evodev.tasks import Life, Task, World
from evodev.types import Array, Bool, Float, Genes, Genome, Key, Scalar

Place = Literal["genome", "phenotype"]
Change = Literal["noise", "rounding", "flips"]
CODE = 8
"""Bits of a number whose bits are flipped."""


@partial(jax.jit, static_argnames="change")
def damaged(
    values: Float[Array, "..."], change: Change, strength: Scalar, *, key: Key, where: Bool[Array, "..."] | None = None
) -> Float[Array, "..."]:
    """An array with its values changed.

    Args:
        values: of any shape.
        change: ``noise`` adds normal numbers of ``strength`` times the root mean square of the values, ``rounding`` leaves
            ``strength`` bits a number (:func:`evodev.analysis.information.rounded`), ``flips`` writes every number in 8 bits
            and turns each of these over with probability ``strength``.
        strength: how much.
        key: of what is drawn.
        where: the values that exist, such as a mask; others stay as they are, and count for nothing.
    """
    there = jnp.ones(values.shape, bool) if where is None else where
    some = jnp.where(there, values, jnp.where(there, values, jnp.inf).min())  # what does not exist must not widen the range
    match change:
        case "noise":
            size = jnp.sqrt(jnp.where(there, values**2, 0.0).sum() / jnp.maximum(there.sum(), 1))
            out = values + strength * size * jax.random.normal(key, values.shape)
        case "rounding":
            out = rounded(some, strength)
        case "flips":
            low, high = some.min(), some.max()
            step = jnp.maximum((high - low) / (2**CODE - 1), 1e-30)
            turned = jax.random.bernoulli(key, strength, (*values.shape, CODE)) @ (2 ** jnp.arange(CODE))
            out = low + step * jnp.bitwise_xor(jnp.round((some - low) / step).astype(jnp.int32), turned.astype(jnp.int32))
            # undamaged numbers keep all their bits, so that no flip is no change
            out = jnp.where(turned > 0, out, values)
    return jnp.where(there, out, values)


def damaged_network(network: Network, names: Sequence[str], change: Change, strength: Scalar, *, key: Key) -> Network:
    """The network with the weights of some projections changed, and the biases of the populations that they feed.

    Every array is changed by its own measure (its own root mean square, its own range). Synapses that do not exist stay away.
    """
    weights, biases = dict(network.weights), dict(network.biases)
    for i, name in enumerate(names):
        whole = matrix(weights[name])
        own_key = jax.random.fold_in(key, i)
        weights[name] = damaged(whole, change, strength, key=own_key, where=network.masks[name] > 0)
    for i, post in enumerate(dict.fromkeys(name.rpartition("->")[2] for name in names)):
        biases[post] = damaged(biases[post], change, strength, key=jax.random.fold_in(key, len(names) + i))
    return replace(network, weights=weights, biases=biases)


@struct.dataclass
class Damage:
    """A subject: a genome, how strongly it or its network is changed, and the key of the change."""

    genome: Genome
    strength: Scalar
    key: Key


@dataclass(frozen=True)
class Damaged:
    """Grows networks of damaged genomes, or damaged networks of genomes: the ``develop`` of an evaluation.

    Only what development reads and makes is changed: the learner's genes stay as they are in both places. A genome is one
    array, in search units, in which all its genes are of one scale; of a network every projection is one.

    Attributes:
        organism: of the genomes.
        place: what is changed.
        change: how.
    """

    organism: Organism
    place: Place
    change: Change

    def __call__(self, subject: Damage, /, *, key: Key) -> tuple[Network, Genes]:
        if self.place == "genome":
            own, _ = self.organism.split(subject.genome)
            changed = damaged(own, self.change, subject.strength, key=subject.key)
            return self.organism.develop(subject.genome.at[: own.size].set(changed), key=key)
        network, genes = self.organism.develop(subject.genome, key=key)
        names = [p.name for p in self.organism.substrate.grown]
        return damaged_network(network, names, self.change, subject.strength, key=subject.key), genes


def robustness(
    organism: Organism,
    genome: Genome,
    task: Task,
    lives: Life | World,
    schedule: tuple[int, ...],
    *,
    place: Place,
    change: Change,
    strengths: Sequence[float],
    draws: int = 8,
    key: Key,
) -> LifetimeLog:
    """Logs of lives (strengths, draws, lives) after damage of several strengths, each drawn several times.

    All live the same lives, so that curves of genome and phenotype can be subtracted life by life.

    Args:
        organism: of the genome.
        genome: whose robustness is asked for.
        task: what is lived.
        lives: common to all.
        schedule: steps at which a life is probed.
        place: ``genome`` or ``phenotype``.
        change: ``noise``, ``rounding`` or ``flips``; see :func:`damaged`.
        strengths: of the damage; no noise, no flips, are a strength of 0.
        draws: of the damage at each strength; rounding has only one.
        key: of damage and lives.

    Raises:
        ValueError: for rounding to less than a bit.
    """
    if change == "rounding" and min(strengths) < 1:
        raise ValueError(f"robustness: strengths of rounding are bits, at least 1; given {tuple(strengths)}")
    key_damage, key_run = jax.random.split(key)
    # rounding draws nothing
    draws = 1 if change == "rounding" else draws
    many = len(strengths) * draws
    # the same draws at every strength, so that a curve is of the same directions
    keys = jnp.tile(jax.random.split(key_damage, draws), len(strengths))
    subjects = Damage(jnp.tile(genome, (many, 1)), jnp.repeat(jnp.asarray(strengths, jnp.float32), draws), keys)
    life_count = jax.tree.leaves(lives)[0].shape[0]
    log = live_subjects(
        Damaged(organism, place, change), subjects, organism.learner, organism.substrate, task, lives, schedule,
        key=key_run, stochastic=organism.decoder.stochastic, chunk=Chunk(min(many, 64), life_count),
    )  # fmt: skip
    return jax.tree.map(lambda x: x.reshape(len(strengths), draws, *x.shape[1:]), log)


def tolerated(strengths: Sequence[float], losses: Any, intact: float, ignorant: float, share: float = 0.5) -> float:
    """Strength at which a share of what the intact network knows is gone, between strengths by their logarithm.

    Censored, not dropped: the least strength if it is gone there already, the largest if it never is. Who fails (NaN or an
    infinite loss) knows nothing any more, and tolerated only the strength before.

    Args:
        strengths: ascending and positive.
        losses: at each of them.
        intact: loss without damage.
        ignorant: loss of who knows nothing.
        share: of ``ignorant - intact``.

    Raises:
        ValueError: if strengths do not ascend from above 0, or ``intact`` or ``ignorant`` is not finite.
    """
    x, y = np.asarray(strengths, np.float64), np.asarray(losses, np.float64)
    if not (x[0] > 0 and (np.diff(x) > 0).all()):
        raise ValueError(f"tolerated: strengths must ascend from above 0, given {tuple(strengths)}")
    if not np.isfinite([intact, ignorant]).all():
        raise ValueError(f"tolerated: intact and ignorant must be finite, given {intact} and {ignorant}; leave failed lives out")
    line, y = intact + share * (ignorant - intact), np.where(np.isnan(y), np.inf, y)
    gone = np.flatnonzero(y >= line)
    if not len(gone):
        return float(x[-1])
    i = int(gone[0])
    if i == 0:
        return float(x[0])
    part = (line - y[i - 1]) / (y[i] - y[i - 1])
    return float(np.exp(np.log(x[i - 1]) + part * np.log(x[i] / x[i - 1])))
