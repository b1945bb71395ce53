"""Small chains of kernels, trained: the teachers and students of the claims about what weights hold."""

from collections.abc import Iterable
from functools import partial
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from evodev.analysis.extraction import genome_bits
from evodev.compress import descend
from evodev.decoders import Decoder
from evodev.substrate import Substrate
from evodev.tasks.glyphs import bank
from evodev.types import Array, Inputs, Key, Matrix, Outputs, Scalar

Kernels = dict[str, Matrix]
SIDE = 12


class Examples(NamedTuple):
    """Inputs (..., features) and classes (...)."""

    inputs: Any
    labels: Any


def named(sizes: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Shape of each kernel of a chain, by the name that its projection has in ``substrate.mlp``."""
    inner = [f"hidden{i}" for i in range(1, len(sizes) - 1)]
    return {f"{a}->{b}": shape for (a, b), shape in zip(pairwise(["input", *inner, "output"]), pairwise(sizes), strict=True)}


def he(sizes: tuple[int, ...], *, key: Key) -> Kernels:
    """Untrained kernels of He's size."""
    keys = jax.random.split(key, len(sizes) - 1)
    return {
        name: (2 / shape[0]) ** 0.5 * jax.random.normal(own, shape)
        for own, (name, shape) in zip(keys, named(sizes).items(), strict=True)
    }


def hidden(kernels: Kernels, inputs: Inputs) -> list[Outputs]:
    """Activity of each hidden layer of a ReLU chain without biases; its last kernel is the read-out."""
    out = []
    for i in range(1, len(kernels)):
        pre = f"hidden{i - 1}" if i > 1 else "input"
        out.append(jax.nn.relu((out[-1] if out else inputs) @ kernels[f"{pre}->hidden{i}"]))
    return out


def answer(kernels: Kernels, inputs: Inputs) -> Outputs:
    """What the chain says."""
    return hidden(kernels, inputs)[-1] @ kernels[f"hidden{len(kernels) - 1}->output"]


def cross_entropy(said: Outputs, labels: Array) -> Scalar:
    """Mean over examples, in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(said, labels).mean()


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def taught(kernels: Any, data: Examples, apply: Any, steps: int, rate: float, decay: float = 0.0, *, key: Key) -> Any:
    """Any parameters after so many steps of Adam on batches of 64, its rate falling to nothing, with weight decay."""

    def loss(kernels: Any, progress: Scalar, *, key: Key) -> Scalar:
        rows = jax.random.randint(key, (64,), 0, len(data.labels))
        return cross_entropy(apply(kernels, data.inputs[rows]), data.labels[rows])

    optimiser = optax.adamw(optax.cosine_decay_schedule(rate, steps), weight_decay=decay)
    return descend(loss, kernels, steps=steps, key=key, optimiser=optimiser)[0]


def letters(side: int = SIDE) -> np.ndarray:
    """Pictures of the letters to train on (letters, pictures, side * side), in the middle of their field, centred and scaled."""
    pictures, sizes = bank("train", side)
    out = np.zeros(pictures.shape, np.float32)
    for at in np.ndindex(pictures.shape[:2]):
        out[at] = np.roll(pictures[at], (side - sizes[at]) // 2, (0, 1))
    out = out.reshape(*pictures.shape[:2], -1) / 255
    return 2 * (out - out.mean((0, 1)))


def largest(offers: Iterable[Decoder], substrate: Substrate, bits: int, precision: int) -> Decoder | None:
    """The last of ever larger decoders whose genome so many bits can write down; none if the first takes more."""

    def affordable(decoder: Decoder) -> bool:
        return sum(genome_bits(decoder.genome_spec(substrate), precision).values()) <= bits

    return max(takewhile(affordable, offers), key=lambda d: d.genome_spec(substrate).size, default=None)
