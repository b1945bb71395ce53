"""Claim 16: grown weights bear noise and coarse writing better than the genome that they grew from.

The same champions are damaged in two places: the genome before it grows (search units, decoder's genes only), or the network
that has grown (every projection and its biases). Same relative size of damage, same lives. Three kinds of damage: normal noise
relative to the values' own size; rounding to 1 to 8 bits a number; and bits of 8-bit numbers turned over at random.

Independent variable: where it is damaged, and how much. Arms: genome and phenotype of evolved champions; genome and phenotype of
the random genomes that the searches started from, as a control of whether robustness is selection's work or the decoder's.

Measure: skill on classes never selected on (AULC). Tolerated noise is that at which half is lost of what the champion is
better by than random genomes (16 of them); bits needed are the fewest at which a tenth or less of it is lost.

Expected, before the run. (1) The phenotype tolerates more noise than the genome: one number of the genome moves many synapses
together, where independent noise on synapses averages out; in octaves, +. (2) A bit turned over costs more in the genome than
in the phenotype, in octaves, +. Reported: bits a number that the phenotype needs, less those of the genome (-); all bits that
the genome needs over those of the phenotype, in octaves (-: the genome is the shorter description all the same).
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.retina import FITNESS, LIVES, ORGANISM, SCHEDULE, TASK, skill
from benchmarks.hypotheses.searches import Evolution
from evodev.analysis.information import description
from evodev.analysis.robustness import CODE, robustness, tolerated
from evodev.evaluation import sample_lives
from evodev.fitness import aulc
from evodev.network import matrix
from evodev.search import Schedule
from evodev.statistics import interval
from evodev.strategies import Strategy
from evodev.types import Genome

PLACES = ("genome", "phenotype")
STRENGTHS: dict[str, tuple[float, ...]] = {
    "noise": (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2),
    "rounding": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0),
    "flips": (0.001, 0.003, 0.01, 0.03, 0.1),
}
FLIPPED = 2
"""The share of bits, by its place, at which what one bit costs is read."""
STRATEGY = Strategy("SNES", population=32, sigma=0.3)


@cache
def evolution(generations: int) -> Evolution:
    """The searches of a budget."""
    schedule = Schedule(generations, LIVES, validation_lives=64, block=-(-generations // 4), probes=6)
    return Evolution(ORGANISM, TASK, STRATEGY, schedule, FITNESS)


def numbers() -> dict[str, int]:
    """Numbers that are damaged in each place: the decoder's genes; synapses that exist, and biases that are grown."""
    spec, substrate = ORGANISM.decoder.genome_spec(ORGANISM.substrate), ORGANISM.substrate
    network, _ = ORGANISM.develop(jnp.ones(ORGANISM.genome_spec.size), key=jax.random.key(0))
    fed = dict.fromkeys(p.post for p in substrate.grown)
    grown = sum(int(network.masks[p.name].sum()) for p in substrate.grown) + sum(substrate.population(n).size for n in fed)
    return {"genome": spec.size, "phenotype": grown}


def described(genome: Genome, place: str, bits: int) -> float:
    """Description length of the decoder's genes, or of the synapses that exist and the biases."""
    own, _ = ORGANISM.split(genome)
    if place == "genome":
        return description(own, bits).bits
    network, _ = ORGANISM.develop(genome, key=jax.random.key(0))
    names = [p.name for p in ORGANISM.substrate.grown]
    synapses = [np.asarray(matrix(network.weights[n]))[np.asarray(network.masks[n]) > 0] for n in names]
    return description([*synapses, *(network.biases[n.rpartition("->")[2]] for n in names)], bits).bits


def run(seed: int, budget: Budget) -> Measures:
    """One search: losses of its champion and of its start under every damage, on the same test lives."""
    found = evolution(budget["generations"]).found(seed)
    key_lives, key_run, key_random = jax.random.split(jax.random.key(seed), 3)
    lives = sample_lives(TASK, "test", budget["lives"], key=key_lives)
    spec = ORGANISM.genome_spec
    randoms = jax.vmap(lambda k: spec.init(key=k))(jax.random.split(key_random, 16))
    knowing = skill(jnp.concatenate([found.champion[None], found.initial[None], randoms]), budget["lives"], key=key_lives)
    out: dict[str, Any] = {"numbers": numbers(), "intact": {"evolved": knowing[0], "random": knowing[1]},
                           "floor": float(knowing[2:].mean()), "skill": {}, "tolerated": {}, "needed": {}, "bits": {}}  # fmt: skip
    for arm, genome in {"evolved": found.champion, "random": found.initial}.items():
        for place in PLACES:
            curves = {}
            for change, strengths in STRENGTHS.items():
                log = robustness(
                    ORGANISM, genome, TASK, lives, SCHEDULE, place=place, change=change, strengths=strengths,  # type: ignore[arg-type]
                    draws=budget["draws"], key=key_run,
                )  # fmt: skip
                curves[change] = 1 - np.asarray(aulc(log.loss, SCHEDULE)).mean((1, 2)) / TASK.ignorant_loss
            out["skill"][f"{arm} {place}"] = curves
    return out


CLAIM = None
