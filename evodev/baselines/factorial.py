"""The champion taken apart all ways: topology x weights x rates x read-out, each its own or replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.baselines.controls import DRAWS, grown, pick, rewired
from evodev.baselines.random_networks import RandomNetwork, backprop_organism, best_of_subjects, distinct, rate_grid
from evodev.learners import Learner
from evodev.network import Network
from evodev.organism import Organism
from evodev.statistics import interval
from evodev.types import Array, Genes, Key

FACTORS = {"T": "topology", "W": "weights", "R": "rates", "O": "read-out"}
Levels = tuple[bool, ...]
"""One for each of :data:`FACTORS`: the champion's, or replaced."""


def cell(levels: Levels) -> str:
    """The name of a cell, such as ``factorial T+ W- R+ O+``."""
    return " ".join(["factorial", *(f"{f}{'+' if own else '-'}" for f, own in zip(FACTORS, levels, strict=True))])


@dataclass(frozen=True)
class Factorial(Baseline):
    """One cell of the factorial; what is not the champion's is what a random network has that learns by plain gradient.

    Topology: a random mask, as many synapses in each projection. Weights: uniform with the variance of He for the synapses
    that exist, blank slates drawn too, no biases; where the champion's weights meet a random mask, which has no places for
    them, they are dealt out at random within each projection. Rates: the learner's genes at their defaults, and where rates
    of gradient descent are among them, all of them the best of ten on validation. Read-out: plain gradient descent (of
    reward where a life acts) in place of the champion's learner, whose evolved genes then mean nothing: those cells exist
    with replaced rates only. Cells whose replacement is the champion's own (a dense champion's mask, a learner that is plain
    gradient descent or has no genes) are left out.

    Attributes:
        topology: the champion's, or replaced; so the others.
        weights: as above.
        rates: as above.
        readout: as above.
        lives: validation lives a rate.
    """

    topology: bool
    weights: bool
    rates: bool
    readout: bool
    lives: int = 8
    role: ClassVar[Role] = "control"
    routine: ClassVar[bool] = False
    group: ClassVar[str] = "factorial"

    @property
    def levels(self) -> Levels:
        """In the order of :data:`FACTORS`."""
        return self.topology, self.weights, self.rates, self.readout

    def applies(self, setting: Setting) -> bool:
        own, plain = setting.organism.learner, backprop_organism(setting, "dense").learner
        moot = {
            "topology": not self.topology and not distinct(setting, "sparse"),
            "rates": not self.rates and self.readout and not own.genome_spec(setting.organism.substrate).size,
            "read-out": not self.readout and (self.rates or isinstance(own, type(plain)) or setting.organism.substrate.modular),
        }
        return not any(moot.values())

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism, lives = setting.organism, 0
        learner = organism.learner if self.readout else backprop_organism(setting, "dense").learner
        develop, stochastic, subject = pick, True, None
        if all(self.levels):
            develop, stochastic, subject = organism.hatch, organism.decoder.stochastic, setting.champion
        else:
            networks = [self.draw(setting, key=k) for k in jax.random.split(key, DRAWS)]
            stack = jax.tree.map(lambda *x: jnp.stack(x), *networks)
            choices = [organism.split(setting.champion)[1]] if self.rates else defaults(setting, learner)
            subjects, best = [(stack, genes) for genes in choices], 0
            if len(subjects) > 1:
                best = best_of_subjects(setting, pick, subjects, learner, lives=self.lives)
                lives = len(subjects) * self.lives
            subject = subjects[best]
        kept = [what for own, what in zip(self.levels, FACTORS.values(), strict=True) if own]
        return Arm(
            name=name,
            role=self.role,
            subject=subject,
            develop=develop,
            learner=learner,
            substrate=organism.substrate,
            stochastic=stochastic,
            genome_size=organism.genome_spec.size if kept else None,
            tuning_lives=lives,
            note=f"{', '.join(kept) or 'nothing'} of the champion{'; one rate of ten on validation' if lives else ''}",
        )

    def draw(self, setting: Setting, *, key: Key) -> Network:
        """One network with what is the champion's of it, every projection a matrix."""
        key_grow, key_mask, key_weights = jax.random.split(key, 3)
        substrate, network = setting.organism.substrate, grown(setting, key=key_grow)
        masks = network.masks if self.topology else rewired(network, substrate, "layers", key=key_mask)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_weights)))
        if not self.weights:
            drawn = RandomNetwork().grow(jnp.zeros(len(substrate.projections)), substrate, key=key_weights)
            # dense by He's variance: larger where there are fewer to add up
            weights = {n: w * masks[n] / jnp.sqrt(jnp.maximum(masks[n].mean(), 1e-6)) for n, w in drawn.weights.items()}
            network = replace(network, weights=weights, biases=drawn.biases)
        elif not self.topology:
            weights = {n: dealt(w, network.masks[n], masks[n], rng) for n, w in network.weights.items()}
            network = replace(network, weights=weights)
        gains = network.gains if self.rates else {}
        return replace(network, masks=masks, gains=gains)


def dealt(weights: Array, before: Array, after: Array, rng: np.random.Generator) -> Array:
    """The weights under one mask, in random order under another of as many synapses; as they are if the masks are the same."""
    if np.array_equal(before, after):
        return weights
    out = np.zeros(weights.shape, np.float32)
    out[np.asarray(after) > 0] = rng.permutation(np.asarray(weights)[np.asarray(before) > 0])
    return jnp.asarray(out)


def defaults(setting: Setting, learner: Learner) -> list[Genes]:
    """The learner's genes as they are before evolution: one choice, or one a rate where it has rates to be tuned."""
    organism = Organism(setting.organism.substrate, RandomNetwork(), learner)
    if not any(gene.name.endswith("log_rate") for gene in organism.genome_spec.genes):
        return [organism.split(jnp.zeros(organism.genome_spec.size))[1]]
    genomes, names = rate_grid(organism)
    return [organism.split(g)[1] for g, name in zip(genomes, names, strict=True) if name.endswith("scale 1")]


def family() -> dict[str, Factorial]:
    """All sixteen cells by name, the champion itself first."""
    return {cell(levels): Factorial(*levels) for levels in product((True, False), repeat=len(FACTORS))}


def effects(areas: Mapping[str, Any], bootstrap: int = 1000) -> dict[str, Any]:
    """What each part of the champion is worth, in AULC saved by having it (higher is better), and which parts need each other.

    Each pair of cells that differ in one factor alone tells what this factor saves. ``main`` is the mean of all pairs,
    ``pairs`` how many there are, ``first`` what it saves where as much as can be of everything else is replaced, ``last``
    where as much as can be is the champion's (what is lost by replacing it). Of two factors, what the one saves more where
    the other is the champion's too (the interaction): 0 if they add up, negative if either will do.

    Args:
        areas: AULC (units,) of cells by name, of the same units throughout: lives of one search, or searches; other names
            are passed over.
        bootstrap: resamples behind an interval.

    Returns:
        ``main``, ``first``, ``last`` and ``pairs`` by factor; and ``interactions`` by two of them (``topology x weights``).
    """
    cells = {levels: np.asarray(areas[cell(levels)]) for levels in product((True, False), repeat=4) if cell(levels) in areas}

    def entry(units: np.ndarray) -> dict[str, float]:
        return dict(zip(("value", "lo", "hi"), map(float, interval(units, bootstrap)), strict=True))

    def without(levels: Levels, i: int) -> Levels:
        return (*levels[:i], False, *levels[i + 1 :])

    def saved(levels: Levels, i: int) -> np.ndarray | None:
        """By factor ``i`` at these levels of the others, if both cells are there."""
        other = without(levels, i)
        return cells[other] - cells[levels] if levels[i] and levels in cells and other in cells else None

    out: dict[str, Any] = {}
    for i, what in enumerate(FACTORS.values()):
        pairs = {levels: gain for levels in cells if (gain := saved(levels, i)) is not None}
        if not pairs:
            continue
        out[what] = {"main": entry(np.mean(list(pairs.values()), 0)), "pairs": len(pairs)}
        out[what] |= {"first": entry(pairs[min(pairs, key=sum)]), "last": entry(pairs[max(pairs, key=sum)])}
    both: dict[str, Any] = {}
    for (i, one), (j, two) in combinations(enumerate(FACTORS.values()), 2):
        more = []
        for levels in cells:
            together, apart = saved(levels, i), saved(without(levels, j), i)
            if levels[j] and together is not None and apart is not None:
                more.append(together - apart)
        if more:
            both[f"{one} x {two}"] = entry(np.mean(more, 0))
    return out | {"interactions": both} if out else {}
