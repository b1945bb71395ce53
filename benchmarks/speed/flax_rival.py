"""What one would write without this library: flax, optax and evosax, jit, everything under one vmap, scan over the steps."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from evosax.algorithms import Open_ES
from flax import linen

from benchmarks.speed.same_work import GENOMES, RATE, SIZES, Run, Work
from evodev.types import Array, Genome, Key, Scalar


class MLP(linen.Module):
    """64-64-64-5 with relu."""

    @linen.compact
    def __call__(self, x: Array) -> Array:
        for size in SIZES[1:-1]:
            x = linen.relu(linen.Dense(size)(x))
        return linen.Dense(SIZES[-1])(x)


def variables(weights: Any, biases: Any) -> Any:
    """Matrices and biases a layer as flax holds them."""
    return {"params": {f"Dense_{i}": {"kernel": w, "bias": b} for i, (w, b) in enumerate(zip(weights, biases, strict=True))}}


def loss(params: Any, x: Array, y: Array) -> Scalar:
    """Mean cross-entropy of a batch."""
    logits: Any = MLP().apply(params, x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def live(optimizer: optax.GradientTransformation, params: Any, inputs: Array, targets: Array, probe: Any) -> Array:
    """One life of one network: loss on the probe set at birth and at the end."""

    def step(carry: Any, batch: Any) -> tuple[Any, None]:
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, *batch), state, params)
        return (optax.apply_updates(params, updates), state), None

    (learned, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), (inputs, targets))
    return jnp.stack([loss(params, *probe), loss(learned, *probe)])


def by_vmap(work: Work) -> Run:
    """All lives of all networks together, at one rate."""
    params = variables([jnp.asarray(w) for w in work.weights], [jnp.zeros((GENOMES, n)) for n in SIZES[1:]])
    each_life = jax.vmap(partial(live, optax.sgd(RATE)), in_axes=(None, 0, 0, 0))
    every_life = jax.jit(jax.vmap(each_life, in_axes=(0, None, None, None)))
    inputs, targets, *probe = (jnp.asarray(x) for x in work[1:])
    return lambda: np.asarray(every_life(params, inputs, targets, tuple(probe))).reshape(-1, 2)


def express(genome: Genome) -> tuple[Any, Any]:
    """Genome -> parameters and a learning rate for each of them: every weight, bias and log rate is a gene.

    A standard normal genome has weights of spread 1 / sqrt(inputs), biases of .3 and rates about e^-2.5.
    """
    shapes = list(pairwise(SIZES))
    sizes = [a * b for a, b in shapes] + list(SIZES[1:])
    parts = jnp.split(genome, np.cumsum(sizes))
    weights = [w.reshape(shape) / shape[0] ** 0.5 for w, shape in zip(parts, shapes, strict=False)]
    biases = [0.3 * b for b in parts[len(shapes) : -1]]
    rates = list(jnp.exp(0.5 * parts[-1] - 2.5))
    return variables(weights, biases), variables(rates[: len(shapes)], rates[len(shapes) :])


def descent(rates: Any) -> optax.GradientTransformation:
    """SGD at a rate for each parameter."""
    return optax.stateless(lambda updates, _: jax.tree.map(lambda rate, update: -rate * update, rates, updates))


def search(sample: Callable[[Key], Any], initial: Genome, root: Key, count: int) -> Callable[[], np.ndarray]:
    """OpenAI-ES on the loss at the end of the lives that ``sample`` draws; a run is ``count`` generations' mean losses."""
    spread = optax.constant_schedule(0.1)
    algorithm = Open_ES(GENOMES, jnp.zeros_like(initial), optimizer=optax.adam(0.03), std_schedule=spread)
    params = algorithm.default_params

    def lived(genome: Genome, lives: Any) -> Array:
        network, rates = express(genome)
        each_life = jax.vmap(partial(live, descent(rates), network))
        return each_life(*lives)[:, 1].mean()

    @jax.jit
    def generation(state: Any, key: Key) -> tuple[Any, Scalar]:
        key_ask, key_lives, key_tell = jax.random.split(key, 3)
        genomes, state = algorithm.ask(key_ask, state, params)
        losses = jax.vmap(lived, in_axes=(0, None))(genomes, sample(key_lives))
        state, _ = algorithm.tell(key_tell, genomes, losses, state, params)
        return state, losses.mean()

    state, done = algorithm.init(root, initial, params), 0

    def run() -> np.ndarray:
        nonlocal state, done
        history = []
        for _ in range(count):
            state, mean = generation(state, jax.random.fold_in(root, done))
            history.append(float(mean))
            done += 1
        return np.array(history)

    return run
