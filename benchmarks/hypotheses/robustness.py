"""Claim 16: grown weights bear noise and coarse writing better than the genome that they grew from.

The same champions are damaged in two places: the genome before it grows (search units, decoder's genes only), or the network
that has grown (every projection and its biases). Same relative size of damage, same lives. Three kinds of damage: normal noise
relative to the values' own size; rounding to 1 to 8 bits a number; and bits of 8-bit numbers turned over at random.

Independent variable: where it is damaged, and how much. Arms: genome and phenotype of evolved champions; genome and phenotype of
random development with the champion's learner, as a control of whether robustness is selection's work or the decoder's.

Measure: skill on classes never selected on (AULC). Tolerated noise is that at which half is lost of what the champion is
better by than random development with its own learner (mean of 16); bits needed are the fewest at which no more than a tenth of
it is lost.

Expected, before the run. (1) The phenotype tolerates more noise than the genome: one number of the genome moves many synapses
together, where independent noise on synapses averages out; in octaves, +. (2) A bit turned over costs more in the genome than
in the phenotype, in octaves, +. Reported: bits a number that the phenotype needs, less those of the genome (-); all bits that
the genome needs over those of the phenotype, in octaves (-: the genome is the shorter description all the same).

Noticed after the full run: (2) can hardly fail, as a bit is the scarcer where there are fewer, so that 4.1 octaves of it are
the phenotype's 2,544 numbers over the genome's 148. It stays as it was written down; added, and deciding nothing, is the same
less the octaves of that ratio: the skill that an equal share of all bits costs, turned over here or there.
"""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.retina import FITNESS, LIVES, ORGANISM, SCHEDULE, TASK, skill
from benchmarks.hypotheses.searches import Evolution
from evodev.analysis.information import description
from evodev.analysis.robustness import CODE, Change, Place, robustness, tolerated
from evodev.evaluation import sample_lives
from evodev.fitness import aulc
from evodev.network import matrix
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.types import Genome

PLACES: tuple[Place, ...] = ("genome", "phenotype")
STRENGTHS: dict[Change, tuple[float, ...]] = {
    "noise": (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4),
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


def numbers() -> dict[Place, int]:
    """Numbers that are damaged in each place: the decoder's genes; synapses that exist, and biases that are grown."""
    spec, substrate = ORGANISM.decoder.genome_spec(ORGANISM.substrate), ORGANISM.substrate
    network, _ = ORGANISM.develop(jnp.ones(ORGANISM.genome_spec.size), key=jax.random.key(0))
    fed = dict.fromkeys(p.post for p in substrate.grown)
    grown = sum(int(network.masks[p.name].sum()) for p in substrate.grown) + sum(substrate.population(n).size for n in fed)
    return {"genome": spec.size, "phenotype": grown}


def described(genome: Genome, place: Place, bits: int) -> float:
    """Description length of the decoder's genes, or of the synapses that exist and the biases."""
    own, _ = ORGANISM.split(genome)
    if place == "genome":
        return description(own, bits).bits
    network, _ = ORGANISM.develop(genome, key=jax.random.key(0))
    names = [p.name for p in ORGANISM.substrate.grown]
    synapses = [np.asarray(matrix(network.weights[n]))[np.asarray(network.masks[n]) > 0] for n in names]
    return description([*synapses, *(network.biases[n.rpartition("->")[2]] for n in names)], bits).bits


def known(seed: int, arm: str, genome: Genome, budget: Budget) -> dict[str, dict[Change, np.ndarray]]:
    """Held-out skill of one genome by place and damage, a number a strength."""
    key_lives, key_run = jax.random.split(jax.random.key(seed))
    lives = sample_lives(TASK, "test", budget["lives"], key=key_lives)
    out: dict[str, dict[Change, np.ndarray]] = {}
    for place in PLACES:
        out[f"{arm} {place}"] = {}
        for change, strengths in STRENGTHS.items():
            log = robustness(
                ORGANISM, genome, TASK, lives, SCHEDULE, place=place, change=change, strengths=strengths,
                draws=budget["draws"], key=key_run,
            )  # fmt: skip
            out[f"{arm} {place}"][change] = 1 - np.asarray(aulc(log.loss, SCHEDULE)).mean((1, 2)) / TASK.ignorant_loss
    return out


def run(seed: int, budget: Budget) -> Measures:
    """One search: skill of its champion and of random development under every damage, on the same test lives."""
    found = evolution(budget["generations"]).found(seed)
    key, size = jax.random.key(seed), ORGANISM.split(found.champion)[0].size
    # random development and the champion's own learner, as in the champion with all its development lost
    drawn = jax.random.normal(jax.random.fold_in(key, 1), (16, size))
    randoms = jnp.tile(found.champion, (16, 1)).at[:, :size].set(drawn)
    genomes = jnp.concatenate([found.champion[None], randoms])
    # the lives that the damaged live too
    intact = skill(genomes, budget["lives"], key=key)
    curves = known(seed, "evolved", found.champion, budget) | known(seed, "random", randoms[0], budget)
    best, floor, count = float(intact[0]), float(intact[1:].mean()), numbers()
    out: Measures = {"intact": best, "floor": floor, "skill": curves, "numbers": count}
    for place in PLACES:
        own = curves[f"evolved {place}"]
        tolerance = tolerated(STRENGTHS["noise"], -own["noise"], -best, -floor)
        enough = [int(b) for b, s in zip(STRENGTHS["rounding"], own["rounding"], strict=True) if s >= best - 0.1 * (best - floor)]
        bits = min(enough, default=CODE)
        flips = STRENGTHS["flips"][FLIPPED] * CODE * count[place]
        out[place] = {
            "tolerated": tolerance, "bits": bits, "description": described(found.champion, place, bits),
            # never below what the lives can tell
            "a bit": max(best - float(own["flips"][FLIPPED]), 1e-3) / flips,
        }  # fmt: skip
    return out


def octaves(name: str, more: str, less: str) -> Callable[[Measures], float]:
    """Logarithm to the base 2 of one place's measure over the other's."""
    return lambda m: float(np.log2(m[more][name] / m[less][name]))


def at_equal_shares(m: Measures) -> float:
    """Octaves by which a bit turned over costs more in the genome, less those that there are fewer of them."""
    return octaves("a bit", "genome", "phenotype")(m) - float(np.log2(m["numbers"]["phenotype"] / m["numbers"]["genome"]))


COLOURS = {"evolved genome": "#c45a00", "evolved phenotype": "#0b4f9e", "random genome": "#e3b98f", "random phenotype": "#9db8d9"}
AXES: dict[Change, tuple[str, str]] = {
    "noise": ("noise, as a share of the values' size", "Noise"),
    "rounding": ("bits a number", "Rounding"),
    "flips": ("share of all bits turned over (8 a number)", "Bits turned over"),
}


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Skill under each damage, in the genome and in what it grows."""
    figure = Figure(figsize=(12.5, 4.3), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    best, floor = (np.mean([m[name] for m in measures]) for name in ("intact", "floor"))
    for panel, (change, (label, title)) in zip(panels, AXES.items(), strict=True):
        for arm, colour in COLOURS.items():
            band(panel, STRENGTHS[change], [m["skill"][arm][change] for m in measures], color=colour, label=arm)
        panel.axhline(best, color="0.5", linewidth=1, linestyle=":", label="champions, intact")
        panel.axhline(floor, color="0.5", linewidth=1, linestyle="--", label="random development, intact")
        if change != "rounding":
            panel.set_xscale("log")
        else:
            panel.invert_xaxis()
        panel.set_xlabel(label)
        panel.set_title(title, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("held-out skill (1 - AULC / ignorance)")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    count = measures[0]["numbers"]
    figure.suptitle(
        f"{len(measures)} outer seeds, 95% intervals over seeds; genome {count['genome']} numbers, phenotype "
        f"{count['phenotype']}; damage grows to the right; expected: the phenotype's curves fall later",
        fontsize=9, x=0.01, ha="left",
    )  # fmt: skip
    return figure


CLAIM = Claim(
    number=16,
    name="robustness",
    words="This robustness means the phenotype is not overly brittle - small genetic changes might result in no visible effect "
    "(neutral variation) or only minor changes",
    hypothesis="What a genome grows tolerates more noise than the genome does, and a bit of the genome is worth more than a bit "
    "of what it grows.",
    varies="where the damage is done (genome, phenotype) and how much",
    arms=tuple(COLOURS),
    measure="noise at which half of the champion's lead over random development is lost; skill lost a bit turned over; bits a "
    "number at which a tenth is lost",
    smallest="one decoder in one world, genomes of 150 numbers that grow 2,000 synapses; how much more robust the phenotype is "
    "hangs on how many synapses a number moves, so that decoders of other compression would be the next size",
    contrasts=(
        Contrast("noise tolerated, phenotype over genome", octaves("tolerated", "phenotype", "genome"), "+", 0.5, "octaves"),
        Contrast("skill lost a bit turned over, genome over phenotype", octaves("a bit", "genome", "phenotype"), "+", 1.0,
                 "octaves", note="1% of the bits of 8-bit numbers; 4.1 octaves are that the phenotype has 17 times as many bits"),
        Contrast("the same less the ratio of the numbers, in octaves", at_equal_shares, "+", 1.0, "octaves", decides=False,
                 note="skill lost when 1% of all bits are turned over, genome over phenotype; added after the full run"),
        Contrast("bits a number needed, phenotype less genome", lambda m: m["phenotype"]["bits"] - m["genome"]["bits"], "-", 0.5,
                 "bits", decides=False, note="a tenth of the lead lost at most"),
        Contrast("all bits needed, genome over phenotype", octaves("description", "genome", "phenotype"), "-", 1.0, "octaves",
                 decides=False, note="entropy coded at the bits a number that are needed"),
    ),
    budgets={
        "quick": Budget(3, "60 generations of SNES, 32 genomes x 4 lives; 4 draws of each damage on 32 test lives",
                        {"generations": 60, "draws": 4, "lives": 32}),
        "full": Budget(10, "200 generations of SNES, 32 genomes x 4 lives; 8 draws of each damage on 64 test lives",
                       {"generations": 200, "draws": 8, "lives": 64}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
