"""The way back: from trained weights, or straight from a task, to a genome.

What the grown network can do before it has learned anything is its *innate* score (Shuvaev et al. 2024, PNAS 121(38)
e2409160121). Genomes are moved by gradient through development (as in NDNA), alone or together with free weights, or by
evolution where development has no useful gradient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from evodev.chunks import chunked
from evodev.decoders import Decoder
from evodev.network import Network, matrix
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genome, Genomes, Key, Scalar

Target = Network | Mapping[str, Array]
Score = Callable[[Network], Scalar]
Steps = Float[Array, " steps"]


@dataclass(frozen=True)
class Fit:
    """A genome found for given weights, and what is left of them when it is grown again.

    Attributes:
        genome: numbers in search units.
        network: what it grows.
        error: relative weight error, 0 for a perfect copy; see :func:`weight_error`.
        factor: weights and biases copied, for each number of the genome.
        bit_factor: the same in bits, weights counted as 32 and genes as they declare.
        history: the error after each step or generation.
        innate: the score of the network before any learning; None where no score was given.
    """

    genome: Genome
    network: Network
    error: float
    factor: float
    bit_factor: float
    history: Steps
    innate: float | None = None


def descend(
    loss: Callable[..., Scalar], params: Any, *, steps: int, key: Key, optimiser: optax.GradientTransformation | None = None
) -> tuple[Any, Steps]:
    """Move any pytree down a loss: the one training loop by gradient. Pure; ``jax.jit`` or ``jax.vmap`` it for many keys.

    Args:
        loss: ``loss(params, progress, key=key)``; ``progress`` runs from 0 to 1, the key is new in every step.
        params: where to start.
        steps: how many.
        key: root of the keys of the steps.
        optimiser: an optax transformation, rate included; Adam at .01 if not given.

    Returns:
        The parameters after the last step, and the loss before each step.
    """
    optimiser = optimiser or optax.adam(0.01)
    xs = jnp.linspace(0.0, 1.0, steps), jax.random.split(key, steps)
    params, _, history = walk(loss, params, optimiser.init(params), optimiser, xs)
    return params, history


def walk(
    loss: Callable[..., Scalar], params: Any, memory: Any, optimiser: optax.GradientTransformation, steps: tuple[Array, Array]
) -> tuple[Any, Any, Steps]:
    """:func:`descend` from wherever it is: ``steps`` are progress and key of each.

    Returns:
        Parameters and the optimiser's memory after the last step, and the loss before each.
    """

    def step(carry: Any, xs: tuple[Array, Array]) -> tuple[Any, Scalar]:
        params, memory = carry
        progress, key = xs
        value, slope = jax.value_and_grad(loss)(params, progress, key=key)
        updates, memory = optimiser.update(slope, memory, params)
        return (optax.apply_updates(params, updates), memory), value

    (params, memory), history = jax.lax.scan(step, (params, memory), steps)
    return params, memory, history


def train_genome(
    decoder: Decoder,
    substrate: Substrate,
    loss: Callable[..., Scalar],
    *,
    steps: int,
    key: Key,
    genome: Genome | None = None,
    free: Any = None,
    optimiser: optax.GradientTransformation | None = None,
) -> tuple[Genome, Any, Steps]:
    """Train a genome through its decoder, and free weights with it; sparsity that anneals does so over the steps. Pure.

    Args:
        decoder: grows the genome; differentiable in it.
        substrate: where it grows.
        loss: ``loss(network, free, key=key)``, of a batch that the key draws.
        steps: of the optimiser.
        key: of everything that is drawn.
        genome: where to start; random if not given.
        free: any pytree of weights that are under no genome, trained at the same time.
        optimiser: as in :func:`descend`.

    Returns:
        Genome and free weights after the last step, and the loss before each step.
    """
    key_init, key_steps = jax.random.split(key)
    initial = decoder.genome_spec(substrate).init(key=key_init) if genome is None else genome

    def through_growth(params: tuple[Genome, Any], progress: Scalar, *, key: Key) -> Scalar:
        key_grow, key_loss = jax.random.split(key)
        return loss(decoder.at(progress).grow(params[0], substrate, key=key_grow), params[1], key=key_loss)

    (trained, free), history = descend(through_growth, (initial, free), steps=steps, key=key_steps, optimiser=optimiser)
    return trained, free, history


def fit(
    decoder: Decoder,
    substrate: Substrate,
    target: Target,
    *,
    steps: int,
    key: Key,
    genome: Genome | None = None,
    optimiser: optax.GradientTransformation | None = None,
    score: Score | None = None,
) -> Fit:
    """The genome whose network is nearest to given weights, by gradient through the decoder.

    Args:
        decoder: grows the genome; differentiable in it.
        substrate: of the target.
        target: a network, or matrices by projection and biases by population; what is not named may be anything.
        steps: of the optimiser.
        key: of everything that is drawn.
        genome: where to start; random if not given.
        optimiser: as in :func:`descend`.
        score: of a network, higher is better, for example its accuracy on held-out examples.

    Raises:
        ValueError: if the target names nothing, or something that the decoder does not grow, or has another shape.
    """
    goal = target_weights(target, substrate)
    key_train, key_grow = jax.random.split(key)

    found, history = _fitted(goal, genome, key_train, decoder, substrate, steps, optimiser)
    return _regrown(decoder.at(1.0), substrate, target, goal, found, history, key_grow, score)


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _fitted(
    goal: dict[str, Array],
    genome: Genome | None,
    key: Key,
    decoder: Decoder,
    substrate: Substrate,
    steps: int,
    optimiser: optax.GradientTransformation | None,
) -> tuple[Genome, Steps]:
    """Compiled once for a decoder, whatever the weights."""

    def loss(network: Network, free: None, *, key: Key) -> Scalar:
        return weight_error(network, goal, substrate) ** 2

    found, _, history = train_genome(decoder, substrate, loss, steps=steps, key=key, genome=genome, optimiser=optimiser)
    return found, jnp.sqrt(history)


def fit_by_evolution(
    decoder: Decoder,
    substrate: Substrate,
    target: Target,
    strategy: Strategy,
    *,
    generations: int,
    key: Key,
    genome: Genome | None = None,
    chunk: int = 8,
    score: Score | None = None,
) -> Fit:
    """As :func:`fit`, by an evolution strategy; ``chunk`` genomes are grown at a time."""
    goal = target_weights(target, substrate)
    key_search, key_grow = jax.random.split(key)
    decoder = decoder.at(1.0)

    def nearness(genomes: Genomes, *, key: Key) -> Float[Array, " population"]:
        def one(genome: Genome) -> Scalar:
            return -weight_error(decoder.grow(genome, substrate, key=key), goal, substrate)

        return chunked(one, genomes, chunk)

    size = decoder.genome_spec(substrate).size
    best, _, history = maximise(nearness, size, strategy, generations, key=key_search, initial=genome)
    return _regrown(decoder, substrate, target, goal, best, -history, key_grow, score)


def target_weights(target: Target, substrate: Substrate) -> dict[str, Array]:
    """What there is to copy: a matrix for each grown projection and biases for each population, those that are given.

    Raises:
        ValueError: if that is nothing, or something that is not grown, or has another shape.
    """
    shapes = {p.name: substrate.shape(p) for p in substrate.grown}
    shapes |= {p.post: (substrate.population(p.post).size,) for p in substrate.grown}
    if isinstance(target, Network):
        given = {name: matrix(weights) for name, weights in target.weights.items()} | target.biases
        target = {name: given[name] for name in shapes}
    unknown = sorted(set(target) - set(shapes))
    if unknown or not target:
        raise ValueError(f"target: names {', '.join(unknown) or 'nothing'}; what is grown here: {', '.join(shapes)}")
    goal = {name: jnp.asarray(value) for name, value in target.items()}
    for name, value in goal.items():
        if value.shape != shapes[name]:
            raise ValueError(f"target: {name} has shape {value.shape}, the substrate's is {shapes[name]}")
    return goal


def weight_error(network: Network, goal: Mapping[str, Array], substrate: Substrate) -> Scalar:
    """Root of the relative squared error, averaged over the populations that receive: 0 a copy, 1 as bad as no weights.

    A population's biases count with the weights into it: they are the weight of a constant input, and may all be zero.
    """
    errors = []
    for population in substrate.populations[1:]:
        names = [p.name for p in substrate.into(population.name)] + [population.name]
        pairs = [(goal[n], network.biases[n] if n == population.name else matrix(network.weights[n])) for n in names if n in goal]
        if pairs:
            off = jnp.stack([((mine - its) ** 2).sum() for its, mine in pairs]).sum()
            all_of_it = jnp.stack([(its**2).sum() for its, _ in pairs]).sum()
            errors.append(off / jnp.maximum(all_of_it, 1e-12))
    # the root has no slope at a perfect copy
    return jnp.sqrt(jnp.maximum(jnp.stack(errors).mean(), 1e-12))


def compression(decoder: Decoder, substrate: Substrate, weights: int | None = None) -> tuple[float, float]:
    """Weights for each number of the genome, and weight bits for each of its bits; below 1 the genome is the larger.

    ``weights`` are all weights and biases that can be grown if not given. A decoder without genes compresses infinitely.
    """
    spec = decoder.genome_spec(substrate)
    if weights is None:
        shapes = [substrate.shape(p) for p in substrate.grown]
        weights = sum(a * b for a, b in shapes) + sum(substrate.population(n).size for n in {p.post for p in substrate.grown})
    return (weights / spec.size, 32 * weights / spec.bits) if spec.size else (float("inf"), float("inf"))


def _regrown(
    decoder: Decoder,
    substrate: Substrate,
    target: Target,
    goal: dict[str, Array],
    genome: Genome,
    history: Steps,
    key: Key,
    score: Score | None,
) -> Fit:
    """What a genome makes of a target."""
    network = decoder.grow(genome, substrate, key=key)
    # a sparse network has no more weights than synapses
    masks = target.masks if isinstance(target, Network) else {}
    count = sum(int(masks[name].sum()) if name in masks else value.size for name, value in goal.items())
    factor, bits = compression(decoder, substrate, count)
    error = float(weight_error(network, goal, substrate))
    return Fit(genome, network, error, factor, bits, history, None if score is None else float(score(network)))
