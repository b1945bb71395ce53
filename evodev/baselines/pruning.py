"""Sparse training from masks found at birth or by training, at the champion's number of synapses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Setting
from evodev.baselines.masks import strongest
from evodev.baselines.random_networks import (
    backprop_organism,
    best_of_grid,
    best_of_subjects,
    distinct,
    grown_count,
    rate_grid,
)
from evodev.evaluation import sample_lives
from evodev.learners import Learner
from evodev.network import Network, forward
from evodev.organism import Organism
from evodev.substrate import Substrate
from evodev.tasks import Life, Task
from evodev.types import Array, Genes, Key, Scalar

DRAWS = 8
"""Initialisations, each with its own mask; every life gets one of them."""
TEMPERATURE = 200.0
"""What GraSP's authors divide the outputs by, so that classes are nearly equally likely at birth."""

Weights = dict[str, Array]
Criterion = Literal["magnitude", "snip", "grasp", "synflow"]
Loss = Callable[[Weights], Scalar]


def sensitivity(loss: Loss, weights: Weights) -> Weights:
    """SNIP (Lee et al. 2019, arXiv 1810.02340): |w dL/dw|, how much the loss feels that a synapse is there."""
    slopes = jax.grad(loss)(weights)
    return {name: jnp.abs(w * slopes[name]) for name, w in weights.items()}


def gradient_flow(loss: Loss, weights: Weights) -> Weights:
    """GraSP (Wang et al. 2020, arXiv 2002.07376): w * Hg, the gradient norm that would be lost with a synapse.

    The paper removes the highest of -w * Hg; here, as everywhere, the highest are kept.
    """
    slope = jax.grad(loss)
    _, bent = jax.jvp(slope, (weights,), (slope(weights),))
    return {name: w * bent[name] for name, w in weights.items()}


def synaptic_flow(substrate: Substrate, network: Network) -> Weights:
    """SynFlow's saliency (Tanaka et al. 2020, arXiv 2006.05467): w dR/dw, R the flow of ones through a linear net of |w|.

    What enters a neuron is what leaves it, so that each layer's saliencies add up to R.
    """
    plain = [replace(p, activation="linear", normalisation="none", winners=1.0) for p in substrate.populations]
    linear = replace(substrate, populations=tuple(plain))
    still = {p.name: jnp.zeros(p.size) for p in substrate.populations}

    def flow(weights: Weights) -> Scalar:
        return forward(linear, replace(network, weights=weights, biases=still), jnp.ones((1, substrate.input.size))).sum()

    weights = {name: jnp.abs(w) for name, w in network.weights.items()}
    slopes = jax.grad(flow)(weights)
    return {name: w * slopes[name] for name, w in weights.items()}


_synaptic_flow = jax.jit(synaptic_flow, static_argnums=0)


def by_flow(substrate: Substrate, network: Network, count: int, rounds: int = 100) -> dict[str, np.ndarray]:
    """SynFlow: grown masks of ``count`` synapses, cut little by little so that no layer collapses; looks at no data."""
    masks = {p.name: np.ones(substrate.shape(p), np.float32) for p in substrate.grown}
    total = sum(mask.size for mask in masks.values())
    for number in range(1, rounds + 1):
        cut = {n: w * masks[n] if n in masks else w for n, w in network.weights.items()}
        saliency = _synaptic_flow(substrate, replace(network, weights=cut))
        scores = {n: np.where(mask > 0, np.asarray(saliency[n], np.float64), -np.inf) for n, mask in masks.items()}
        masks = strongest(scores, round(total * (count / total) ** (number / rounds)))
    return masks


def life_loss(task: Task, substrate: Substrate, network: Network, life: Life, weights: Weights, warmth: float) -> Scalar:
    """Loss of a network with these grown weights on all that a life shows, the outputs divided by ``warmth``."""
    steps, batch = life.inputs.shape[:2]
    whole = replace(network, weights=network.weights | weights)
    outputs = forward(substrate, whole, life.inputs.reshape(steps * batch, -1)) / warmth
    return task.loss(outputs, life.targets.reshape(steps * batch, *life.targets.shape[2:]))


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def scores_of(
    criterion: Criterion,
    task: Task,
    substrate: Substrate,
    learner: Learner,
    genes: Genes,
    network: Network,
    lives: Life,
    key: Key,
) -> Weights:
    """Score of each grown synapse, mean over lives; of the magnitudes where each life's training ends, for ``magnitude``.

    Scores and not gradients are averaged: labels are drawn anew in each life, and gradients would cancel out.
    """
    grown = {p.name: network.weights[p.name] for p in substrate.grown}

    def one(numbered: tuple[Life, Key]) -> Weights:
        life, own_key = numbered
        if criterion == "magnitude":
            return trained(learner, genes, network, substrate, life, key=own_key)
        measure, warmth = (gradient_flow, TEMPERATURE) if criterion == "grasp" else (sensitivity, 1.0)
        warmth = warmth if task.problem == "classification" else 1.0
        return measure(lambda weights: life_loss(task, substrate, network, life, weights, warmth), grown)

    count = jax.tree.leaves(lives)[0].shape[0]
    return jax.tree.map(lambda x: x.mean(0), jax.lax.map(one, (lives, jax.random.split(key, count))))


def trained(learner: Learner, genes: Genes, network: Network, substrate: Substrate, life: Life, *, key: Key) -> Weights:
    """Magnitudes of the grown weights at the end of a life."""
    key_init, key_steps = jax.random.split(key)

    def step(state: Any, now: tuple[Array, Array, Key]) -> tuple[Any, None]:
        inputs, targets, own_key = now
        return learner.step(genes, state, inputs.reshape(len(inputs), -1), targets, substrate, key=own_key), None

    moments = (life.inputs, life.targets, jax.random.split(key_steps, len(life.inputs)))
    state, _ = jax.lax.scan(step, learner.init(genes, network, substrate, key=key_init), moments)
    return {p.name: jnp.abs(state.network.weights[p.name]) for p in substrate.grown}


def masked(network: Network, masks: dict[str, np.ndarray]) -> Network:
    """The network where a mask has a synapse, its weights with the variance of He for the synapses that exist."""
    weights, kept = dict(network.weights), dict(network.masks)
    for name, mask in masks.items():
        share = max(float(mask.mean()), 1 / mask.size)
        kept[name] = jnp.asarray(mask)
        weights[name] = network.weights[name] * mask / share**0.5
    return replace(network, weights=weights, masks=kept)


def born(subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
    """One of a stack of networks, at random, its weights times a scale a projection; and the learner's genes."""
    networks, scales, genes = subject
    index = jax.random.randint(key, (), 0, DRAWS)
    network = jax.tree.map(lambda x: x[index], networks)
    return replace(network, weights={name: scales[name] * w for name, w in network.weights.items()}), genes


@dataclass(frozen=True)
class Pruned(Baseline):
    """Backprop from an initialisation on the mask that a criterion finds for it on train lives, at the champion's synapses.

    Blank slates stay whole. Rate and initial scale are the best of the grid on validation, as for other backprop arms; so
    are those of the dense network that ``magnitude`` trains, from whose first weights it then starts again (a lottery ticket
    of one round).

    Attributes:
        criterion: ``magnitude`` of the trained weights, ``snip``, ``grasp`` or ``synflow``.
        lives: train lives that the criterion sees, and validation lives a grid point.
    """

    criterion: Criterion
    lives: int = 8
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        supervised = setting.task.problem in ("classification", "regression")
        return supervised and not setting.organism.substrate.modular and distinct(setting, "sparse")

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        key_draws, key_lives = jax.random.split(key)
        organism, spent = backprop_organism(setting, "dense"), 0
        substrate, spec = organism.substrate, organism.genome_spec
        dense, grid = jnp.zeros(spec.size), rate_grid(organism)
        if self.criterion == "magnitude":
            dense, _, spent = best_of_grid(setting, organism, lives=self.lives)
        count = grown_count(setting)
        networks = []
        for own_key in jax.random.split(key_draws, DRAWS):
            network, lived = self.cut(setting, organism, organism.develop(dense, key=own_key), count, own_key, key_lives)
            networks, spent = [*networks, network], spent + lived
        stack = jax.tree.map(lambda *x: jnp.stack(x), *networks)
        subjects = []
        for genome in grid[0]:
            values, genes = spec.unpack(genome), organism.split(genome)[1]
            subjects.append(
                (stack, {p.name: jnp.exp(values[f"decoder/{p.name}/log_scale"]) for p in substrate.projections}, genes)
            )
        best = best_of_subjects(setting, born, subjects, organism.learner, lives=self.lives)
        say(f"{name}: {grid[1][best]}")
        return Arm(
            name=name,
            role=self.role,
            subject=subjects[best],
            develop=born,
            learner=organism.learner,
            substrate=substrate,
            stochastic=True,
            tuning_lives=spent + len(subjects) * self.lives,
            note=f"masks from {self.found}; {DRAWS} initialisations; grid of {len(subjects)} on validation; {grid[1][best]}",
        )

    @property
    def found(self) -> str:
        """What the masks come from, in one phrase."""
        return "no data" if self.criterion == "synflow" else f"{self.lives} train lives, each with labels of its own"

    def cut(
        self, setting: Setting, organism: Organism, born: tuple[Network, Genes], count: int, key: Key, key_lives: Key
    ) -> tuple[Network, int]:
        """A network at birth with ``count`` of its grown synapses, and the lives that it took to find them.

        Args:
            setting: of the arm.
            organism: whose network it is.
            born: the network, dense, and the learner's genes.
            count: grown synapses to be left.
            key: of this network's lives.
            key_lives: which lives; the same for all networks.
        """
        network, genes = born
        if self.criterion == "synflow":
            return masked(network, by_flow(organism.substrate, network, count)), 0
        lives = sample_lives(setting.task, "train", self.lives, key=key_lives)
        scores = scores_of(self.criterion, setting.task, organism.substrate, organism.learner, genes, network, lives, key)
        return masked(network, strongest({n: np.asarray(s) for n, s in scores.items()}, count)), self.lives
