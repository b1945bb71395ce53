"""The life so far, kept to be lived again: experience replay (Lin 1992)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from evodev.substrate import Substrate
from evodev.types import Array, Float, Inputs, Key, Shaped, Targets


class Replay(NamedTuple):
    """The latest samples of a life, in no order; of their places the first ``count`` are taken, at most all."""

    inputs: Float[Array, "capacity features"]
    targets: Shaped[Array, "capacity ..."]
    count: Array


def empty(capacity: int, substrate: Substrate, *, classes: bool) -> Replay:
    """Room for so many samples, whose targets are class numbers or values."""
    targets = jnp.zeros(capacity, jnp.int32) if classes else jnp.zeros((capacity, substrate.output.size))
    return Replay(jnp.zeros((capacity, substrate.input.size)), targets, jnp.zeros((), jnp.int32))


def store(replay: Replay, inputs: Inputs, targets: Targets) -> Replay:
    """A batch is remembered, the oldest samples forgotten where there is no room.

    Raises:
        ValueError: for a batch that has no room at all.
    """
    capacity, batch = len(replay.inputs), len(inputs)
    if batch > capacity:
        raise ValueError(f"learner: capacity {capacity} is less than a batch of {batch}; replay needs room for one at least")
    places = (replay.count + jnp.arange(batch)) % capacity
    return Replay(
        replay.inputs.at[places].set(inputs.reshape(batch, -1)),
        replay.targets.at[places].set(targets.astype(replay.targets.dtype)),
        replay.count + batch,
    )


def draw(replay: Replay, size: int, *, key: Key) -> tuple[Inputs, Targets]:
    """So many samples of those that are remembered, each as likely as any other."""
    chosen = jax.random.randint(key, (size,), 0, jnp.minimum(replay.count, len(replay.inputs)))
    return replay.inputs[chosen], replay.targets[chosen]
