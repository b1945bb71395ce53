"""Networks of the MNIST-1D comparison, the one training that all of them get, and masks on the published MLP.

Parameters are dictionaries ``layer -> {"kernel", "bias"}`` in the manner of flax, so that the decoders of evodev can read
and wire them (``models``). All functions are of one network; they are mapped over seeds or genomes.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from evodev.baselines.masks import Masks, same_degrees, same_density, same_layers
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.relative import RelativePosition
from evodev.models import from_params, grow_like, sparse
from evodev.substrate import Substrate
from evodev.tasks.mnist1d import CLASSES, LENGTH, Signals, published, shuffle
from evodev.types import Array, Genome, Key

Params = Any
Forward = Callable[[Params, Array], Array]

HIDDEN, POSITIONS, CHANNELS = 100, 50, 25
"""Neurons of a hidden layer, the positions they are laid out on (two a position), and channels of the CNN."""
RATE, BATCH, STEPS = 1e-2, 100, 6000
"""Adam's rate, signals a batch and steps of the published training."""
WIRED = ("hidden1", "hidden2")
"""Layers that a mask wires; the output layer stays dense."""


def divided(shuffled: bool) -> tuple[Signals, Signals]:
    """Published signals to train on and to test with, their positions in a fixed random order if ``shuffled``."""
    train, test = (Signals(x[:, shuffle()] if shuffled else x, y) for x, y in published())
    return train, test


# ---- networks


def uniform(shape: tuple[int, ...], inputs: int, *, key: Key) -> Array:
    """Uniform within 1 / sqrt(inputs), as layers of the published code are born."""
    return jax.random.uniform(key, shape, minval=-1, maxval=1) / inputs**0.5


def born(shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]], *, key: Key) -> Params:
    """Parameters of layers given as shapes of kernel and bias; the last axis but one of a kernel counts inputs."""
    out = {}
    for i, (layer, (kernel, bias)) in enumerate(shapes.items()):
        key_kernel, key_bias = jax.random.split(jax.random.fold_in(key, i))
        out[layer] = {"kernel": uniform(kernel, kernel[-2], key=key_kernel), "bias": uniform(bias, kernel[-2], key=key_bias)}
    return out


def dense_shapes(*sizes: int) -> dict[str, Any]:
    """Shapes of dense layers ``hidden1``, ``hidden2``, ..., ``output``."""
    names = [*[f"hidden{i}" for i in range(1, len(sizes) - 1)], "output"]
    return {name: ((a, b), (b,)) for name, a, b in zip(names, sizes[:-1], sizes[1:], strict=True)}


def through(layer: Any, x: Array) -> Array:
    """Drive of a dense layer."""
    return x @ layer["kernel"] + layer["bias"]


def linear(params: Params, x: Array) -> Array:
    """Inputs (batch, length) -> logits."""
    return through(params["output"], x)


def mlp(params: Params, x: Array) -> Array:
    """Two hidden layers; the second adds to the first, as in the published code."""
    h = jax.nn.relu(through(params["hidden1"], x))
    h = h + jax.nn.relu(through(params["hidden2"], h))
    return through(params["output"], h)


def windows(x: Array, width: int) -> Array:
    """What kernels of a width see, every other position, one zero beyond each end: (batch, positions, width * channels)."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    many = (padded.shape[1] - width) // 2 + 1
    return jnp.concatenate([padded[:, i : i + 2 * many - 1 : 2] for i in range(width)], axis=-1)


def convolutional(params: Params, x: Array) -> Array:
    """Three convolutions (widths 5, 3, 3; stride 2) and a dense layer. One kernel a position makes it locally connected."""
    h = x[..., None]
    for name, width in zip(("conv1", "conv2", "conv3"), (5, 3, 3), strict=True):
        layer, seen = params[name], windows(h, width)
        own = layer["kernel"].ndim == 3
        drive = jnp.einsum("bpi,pio->bpo", seen, layer["kernel"]) if own else seen @ layer["kernel"]
        h = jax.nn.relu(drive + layer["bias"])
    return through(params["output"], h.reshape(len(x), -1))


def convolutional_shapes(*, shared: bool) -> dict[str, Any]:
    """Layers of the CNN, or of the same network with a kernel of its own at each position."""
    out: dict[str, Any] = {}
    for name, positions, inputs in (("conv1", 19, 5), ("conv2", 10, 3 * CHANNELS), ("conv3", 5, 3 * CHANNELS)):
        own = () if shared else (positions,)
        out[name] = ((*own, inputs, CHANNELS), (*own, CHANNELS))
    return out | {"output": ((5 * CHANNELS, CLASSES), (CLASSES,))}


NETWORKS: dict[str, tuple[Forward, dict[str, Any]]] = {
    "linear": (linear, dense_shapes(LENGTH, CLASSES)),
    "mlp": (mlp, dense_shapes(LENGTH, HIDDEN, HIDDEN, CLASSES)),
    "mlp200": (mlp, dense_shapes(LENGTH, 200, 200, CLASSES)),
    "cnn": (convolutional, convolutional_shapes(shared=True)),
    "local": (convolutional, convolutional_shapes(shared=False)),
}


# ---- training


def accuracy(forward: Forward, params: Params, signals: Any) -> Array:
    """Share told right."""
    return (forward(params, signals[0]).argmax(-1) == signals[1]).mean()


def trained(
    forward: Forward, params: Params, masks: Params, train: Any, held_out: Any, *, rate: Any = RATE, decay: Any = 0.0,
    steps: int = STEPS, batch: int = BATCH, looks: int = 1,
) -> Array:  # fmt: skip
    """Adam in epochs of one order; returns the held-out accuracy at each of ``looks`` equally spaced moments, the last the end.

    Args:
        forward: the network.
        params: at first.
        masks: of the same structure, as of ``models.grow_like``; a scalar 1 for what is whole.
        train: inputs (n, length) and labels (n,), in the order in which they are gone through.
        held_out: the same, to be told.
        rate: Adam's.
        decay: decoupled weight decay.
        steps: in all.
        batch: signals a step.
        looks: how often to look.
    """
    optimiser = sparse(optax.adamw(rate, weight_decay=decay), masks)
    x, y = train
    batches = len(x) // batch

    def loss(params: Params, x: Array, y: Array) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(forward(params, x), y).mean()

    def step(carry: Any, i: Array) -> tuple[Any, None]:
        params, memory = carry
        chosen = [jax.lax.dynamic_slice_in_dim(part, (i % batches) * batch, batch) for part in (x, y)]
        updates, memory = optimiser.update(jax.grad(loss)(params, *chosen), memory, params)
        return (optax.apply_updates(params, updates), memory), None

    def block(carry: Any, numbers: Array) -> tuple[Any, Array]:
        carry, _ = jax.lax.scan(step, carry, numbers)
        return carry, accuracy(forward, carry[0], held_out)

    numbers = jnp.arange(steps // looks * looks).reshape(looks, -1)
    _, told = jax.lax.scan(block, (params, optimiser.init(params)), numbers)
    return told


def whole(params: Params) -> Params:
    """Masks that mask nothing."""
    return jax.tree.map(lambda _: jnp.ones(()), params)


# ---- masks on the published MLP


@cache
def wired_substrate() -> Substrate:
    """Inputs and hidden layers of the MLP on one line; the library calls the last of the chain its output."""
    shapes = jax.eval_shape(lambda: born(NETWORKS["mlp"][1], key=jax.random.key(0)))
    return from_params(shapes, pattern=[f"{n}/kernel" for n in WIRED], grids={"hidden1": (POSITIONS,), "output": (POSITIONS,)})


def decoder_of(density: float) -> Decoder:
    """A kernel a pair of cell types over relative position, three cosines as wide as the whole line: no nearness built in.

    The wish for a synapse is the size of its weight, every neuron of a layer keeps as many; the genome divides the synapses
    among the two layers. Few cosines do, as the count of synapses says how far a bump of them reaches.
    """
    return Decoder(CellTypes(), RelativePosition(radius=(2.0,), waves=(3,)), Budget(density, per_neuron=True))


def grown(decoder: Decoder, genome: Genome, params: Params) -> tuple[Params, Params]:
    """Parameters whose wired kernels (and their biases) are the genome's, each of the size of the one it replaces; masks."""
    return grow_like(params, decoder, genome, substrate=wired_substrate(), scale="original", key=jax.random.key(0))


def wired(params: Params, masks: Params) -> Params:
    """Kernels where a mask has a synapse, as large in root mean square as before, so that neurons are driven as strongly."""
    out = dict(params)
    for name in WIRED:
        kernel = params[name]["kernel"]
        kept = kernel * masks[name]["kernel"]
        size = jnp.sqrt((kernel**2).mean() / ((kept**2).mean() + 1e-20))
        out[name] = {**params[name], "kernel": kept * size}
    return out


def as_params(masks: Mapping[str, Any], params: Params) -> Params:
    """Masks by layer in the structure of the parameters."""
    return {n: {**layer, "kernel": jnp.asarray(masks[n])} if n in masks else layer for n, layer in whole(params).items()}


def by_layer(masks: Params) -> dict[str, np.ndarray]:
    """The other way: masks (pre, post) of the wired layers."""
    return {name: np.asarray(masks[name]["kernel"]) for name in WIRED}


def nearest(masks: Masks) -> dict[str, np.ndarray]:
    """Hand-made: every neuron keeps as many inputs as in the given masks, the nearest on the line."""
    substrate, out = wired_substrate(), {}
    for name, projection in zip(WIRED, substrate.projections, strict=True):
        pre, post = (substrate.population(n).coordinates[:, 0] for n in (projection.pre, projection.post))
        ranks = np.abs(pre[:, None] - post[None]).argsort(0, kind="stable").argsort(0)
        out[name] = (ranks < masks[name].sum(0)).astype(np.float32)
    return out


def nearness(masks: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean distance of a synapse's ends, over that of all pairs: 1 is no preference for neighbours."""
    substrate, out = wired_substrate(), {}
    for name, projection in zip(masks, substrate.projections, strict=True):
        pre, post = (substrate.population(n).coordinates[:, 0] for n in (projection.pre, projection.post))
        distance = np.abs(pre[:, None] - post[None])
        out[name] = float((distance * masks[name]).sum() / masks[name].sum() / distance.mean())
    return out


@partial(jax.jit, static_argnames=("forward", "steps", "batch", "looks"))
def trainings(
    forward: Forward, params: Params, masks: Params, train: Any, held_out: Any, rate: Array, decay: Array, *,
    steps: int = STEPS, batch: int = BATCH, looks: int = 1,
) -> Array:  # fmt: skip
    """:func:`trained` of several networks at once, each with an order of its own; accuracies (networks, looks)."""

    def one(params: Params, masks: Params, train: Any, rate: Array, decay: Array) -> Array:
        return trained(
            forward, params, masks, train, held_out, rate=rate, decay=decay, steps=steps, batch=batch, looks=looks
        )  # fmt: skip

    return jax.vmap(one)(params, masks, train, rate, decay)


MOVED, MOVED_RANDOM = "mask evolved on the original", "random mask, same layers as on the original"
NEAREST = "hand-made mask, nearest inputs"
WEIGHTS, INITIAL = "evolved mask and initial weights", "initial genome's mask"
EVOLVED, RANDOM, AS_TUNED = "evolved mask", "random mask, same layers", ", trained as the tuned MLP"
CONTROLS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "random mask, same density": same_density,
    RANDOM: same_layers,
    "random mask, same degrees": same_degrees,
    NEAREST: lambda masks, rng: nearest(masks),
}
"""Each is made of the mask evolved in the same world."""
