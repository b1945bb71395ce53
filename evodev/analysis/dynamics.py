"""Dynamics: how much of a network is awake, what an answer costs it, and how much of what it becomes is upbringing.

What is left of earlier phases of a life is :func:`evodev.fitness.retention`; what a life costs, learning included, is
``LifetimeLog.energy`` of a life lived with ``ledger``.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import stdtrit

from evodev.evaluation import Develop
from evodev.learners import Learner
from evodev.network import Network, activities, traffic
from evodev.substrate import Substrate
from evodev.tasks import Life
from evodev.types import Array, Float, Inputs, Key

Activity = Float[Array | np.ndarray, "samples neurons"]


class Sparseness(NamedTuple):
    """How sparse an activity is; all between 0 and 1.

    ``active`` is the share of neurons that are active on a sample, ``silent`` of those that never are. ``lifetime`` is how
    selective a neuron is among samples, mean over neurons that are ever active; ``population`` how few neurons carry a sample,
    mean over samples on which any is active. Both are 0 where all are equally active and 1 where a single one is.
    """

    active: float
    silent: float
    lifetime: float
    population: float


def selectivity(rates: Float[Array | np.ndarray, "..."], axis: int) -> Float[np.ndarray, "..."]:
    """Sparseness along an axis, (1 - a) / (1 - 1/n) with a = mean(r)^2 / mean(r^2); NaN where nothing is active.

    a is Treves and Rolls (1991, Network 2:371), the scale from 0 to 1 Vinje and Gallant (2000, Science 287:1273). Signed
    activity counts by its magnitude.

    Raises:
        ValueError: for fewer than two entries along the axis.
    """
    size = np.abs(np.asarray(rates, np.float64))
    n = size.shape[axis]
    if n < 2:
        raise ValueError(f"selectivity: two or more entries along axis {axis} are needed, given {n}")
    power = (size**2).mean(axis)
    a = size.mean(axis) ** 2 / np.where(power > 0, power, np.nan)
    return (1 - a) / (1 - 1 / n)


def sparseness(activity: Activity, threshold: float = 0.0) -> Sparseness:
    """Sparseness of the activity of any neurons.

    Args:
        activity: a row a sample, a column a neuron.
        threshold: magnitudes up to which a neuron counts as silent.
    """
    size = np.abs(np.asarray(activity, np.float64))
    size = np.where(size > threshold, size, 0.0)
    awake = size > 0
    if not awake.any():
        return Sparseness(0.0, 1.0, float("nan"), float("nan"))
    lifetime, population = selectivity(size[:, awake.any(0)], 0), selectivity(size[awake.any(1)], 1)
    return Sparseness(float(awake.mean()), float((~awake.any(0)).mean()), float(lifetime.mean()), float(population.mean()))


class Operations(NamedTuple):
    """Synaptic operations that an answer takes: of ``active`` neurons alone, over all ``synapses``, by ``dense`` matrices."""

    active: float
    synapses: float
    dense: float


def operations(kernels: Mapping[str, Any], activity: Mapping[str, Activity]) -> Operations:
    """What an answer costs any model.

    Args:
        kernels: matrices (senders, receivers) by name; a weight of zero is no synapse.
        activity: by the same names, of each kernel's senders (samples, senders).

    Raises:
        ValueError: naming a kernel that is no matrix, or whose senders are missing or not as many.
    """
    active, present, dense = 0.0, 0, 0
    for name, kernel in kernels.items():
        matrix = np.asarray(kernel) != 0
        sent = np.asarray(activity[name]) != 0 if name in activity else np.empty((0, 0))
        if matrix.ndim != 2 or sent.shape[1:] != matrix.shape[:1]:
            raise ValueError(
                f"operations: kernel {name} has shape {matrix.shape} and its senders' activity {sent.shape}; give a matrix "
                "(senders, receivers) and an activity (samples, senders)"
            )
        active += float((sent @ matrix.sum(1)).mean())
        present, dense = present + int(matrix.sum()), dense + matrix.size
    return Operations(active, float(present), float(dense))


def answering(substrate: Substrate, network: Network, inputs: Inputs) -> tuple[Operations, dict[str, Sparseness]]:
    """What answering costs a grown network, and how sparse each population behind the inputs is."""
    state = activities(substrate, network, inputs)
    present = float(sum(mask.sum() for mask in network.masks.values()))
    spent = Operations(
        float(traffic(substrate, network, state)), substrate.ticks * present, float(substrate.ticks * substrate.synapses)
    )
    return spent, {p.name: sparseness(state[p.name]) for p in substrate.populations[1:] if p.size > 1}


class Canalisation(NamedTuple):
    """How far the genome decides a phenotype, whatever the upbringing (Waddington 1942, Nature 150:563).

    ``within`` is the variance among upbringings of one genome, ``across`` that among genomes beyond it, both summed over the
    numbers of a phenotype. ``share`` = across / (across + within) is the intraclass correlation, 1 where upbringing changes
    nothing and 0 where the genome does not show, with its 95% interval over genomes. It is taken of the estimate of ``across``
    as it comes out, so that it has no bias where genomes do not show: chance makes it negative then (no less than
    -1 / (upbringings - 1)), while ``across``, a variance, is shown as 0.
    """

    within: float
    across: float
    share: float
    lo: float
    hi: float


def canalisation(phenotypes: Float[Array | np.ndarray, "genomes upbringings *features"]) -> Canalisation:
    """Variance components of a one-way layout: ICC(1) of Shrout and Fleiss (1979, Psychol. Bull. 86:420).

    The interval is a jackknife over genomes of the logarithm of the ratio of mean squares (Arvesen 1970, Ann. Math. Stat.
    41:2076), which asks for no normal distribution and serves phenotypes of many numbers.

    Raises:
        ValueError: for fewer than three genomes or two upbringings.
    """
    x = np.asarray(phenotypes, np.float64)
    genomes, upbringings = x.shape[:2]
    if genomes < 3 or upbringings < 2:
        raise ValueError(f"canalisation: needs 3 genomes of 2 upbringings or more, given {genomes} of {upbringings}")
    x = x.reshape(genomes, upbringings, -1)
    means, spread = x.mean(1), x.var(1, ddof=1).sum(-1)

    def squares(kept: np.ndarray) -> tuple[float, float]:
        """Mean squares between and within, summed over features."""
        return float(upbringings * means[kept].var(0, ddof=1).sum()), float(spread[kept].mean())

    def share(ratio: Any) -> Any:
        # where nothing varies among upbringings the ratio is infinite
        return np.where(np.isinf(ratio), 1.0, (ratio - 1) / (np.where(np.isinf(ratio), 0.0, ratio) + upbringings - 1))

    every = np.arange(genomes)
    between, within = squares(every)
    across = max((between - within) / upbringings, 0.0)
    if not between or not within:
        certain = 1.0 if between else float("nan")
        return Canalisation(within, across, certain, certain, certain)
    logs = np.log([b / w for b, w in (squares(np.delete(every, i)) for i in every)])
    centre = np.log(between / within)
    pseudo = genomes * centre - (genomes - 1) * logs
    room = stdtrit(genomes - 1, 0.975) * pseudo.std(ddof=1) / genomes**0.5
    lo, hi = (float(share(np.exp(pseudo.mean() + sign * room))) for sign in (-1, 1))
    return Canalisation(within, across, float(share(between / within)), lo, hi)


def similarities(activity: Activity) -> Float[Array, " pairs"]:
    """What a population takes for alike: correlation of its activity between every two samples, 0 where it is constant.

    The same whatever its neurons are called and however many there are, so that networks of different genomes compare.
    """
    x = jnp.asarray(activity)
    x = x - x.mean(1, keepdims=True)
    x = x * jax.lax.rsqrt((x**2).sum(1, keepdims=True) + 1e-12)
    return (x @ x.T)[np.triu_indices(len(x), 1)]


class Phenotype(NamedTuple):
    """What somebody is like on common inputs: ``machinery``, the :func:`similarities` of the neurons between inputs and
    outputs, side by side (pairs,); and ``knowledge``, the answers (samples, outputs)."""

    machinery: Array
    knowledge: Array


def brought_up(
    develop: Develop, subject: Any, learner: Learner, substrate: Substrate, life: Life, inputs: Inputs, *, key: Key
) -> Phenotype:
    """Phenotype of one subject after one life, shown inputs that all subjects are shown.

    For one subject and one life, to be vmapped over both; a key each, which a stochastic decoder grows by.

    Args:
        develop: subject -> (network at birth, learner's genes), as ``Organism.develop``.
        subject: a genome.
        learner: how it learns.
        substrate: where it grows.
        life: its upbringing.
        inputs: (samples, ...), what it is looked at with.
        key: of growth and of learning.
    """
    key_grow, key_init, key_steps = jax.random.split(key, 3)
    network, genes = develop(subject, key=key_grow)
    steps, shown = len(life.inputs), inputs.reshape(len(inputs), -1)
    stream = learner.perceive(network, life.inputs.reshape(-1, shown.shape[1]), substrate).reshape(
        steps, life.inputs.shape[1], -1
    )

    def step(state: Any, now: tuple[Array, Array, Array]) -> tuple[Any, None]:
        return learner.step(genes, state, now[0], now[1], substrate, key=now[2]), None

    born = learner.init(genes, network, substrate, key=key_init)
    state, _ = jax.lax.scan(step, born, (stream, life.targets, jax.random.split(key_steps, steps)))
    active = learner.activity(genes, state, shown, substrate)
    if active is None:
        active = activities(substrate, network, shown)
    hidden = jnp.concatenate([active[p.name] for p in substrate.populations[1:-1]], axis=1)
    return Phenotype(similarities(hidden), learner.predict(genes, state, learner.perceive(network, shown, substrate), substrate))
