"""Claim 1: does an evolved network need fewer samples than a tuned random one? Head start and speed of learning apart.

The essay: "A child learns to catch a ball in 50 tries. An LLM needs millions of examples". What is varied is where the network
comes from, in two worlds of the arena: shifted digits of classes never seen (five classes, labels drawn anew, ten examples of
each), and sines (ten points, ten passes). Arms, all on the same substrate, test lives and inner samples:

- *evolved*: the champion of a search over a genome (relative-position wiring on digits, a cosine transform on sines);
- *tuned*: dense, freshly drawn in each life, Adam; its rates and the initial spread of weights and biases, one a projection or
  population, are evolved. On digits also the evolved arm's own memory on random sparse wiring, its scales and genes evolved.
  Each is searched by the same strategy in as many outer lives, and what does better on validation is *the* tuned arm of a seed;
- controls: *random genome* and *shuffled genome* with the champion's learner genes; and on digits the memory on bare pixels,
  tuned likewise, which is no network at all.

Losses are in units of ignorance's. Expected: the evolved arm has the lower AULC in both worlds, and on sines the higher jumpstart
(how far below ignorance it is at birth). On digits no honest network can have one, as labels are drawn anew: 0. The slope with
starts aligned (fall of the loss a doubling of samples, after the first) may be 0: a hot start is not faster learning; reported.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.arena.cells import BARE, RANDOM, Cell
from benchmarks.arena.worlds import Budget as Spent
from benchmarks.arena.worlds import World, worlds
from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.searches import Evolution
from benchmarks.lives.laws_arms import Drawn
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.fitness import aulc, jumpstart, slope_aligned
from evodev.learners import Gradient
from evodev.organism import Organism, shuffle_genes
from evodev.types import Genome, Key

DECODERS = {"digits": "retinotopic", "sine": "dct"}
EVOLVED, TUNED, BACKPROP, FEATURES = "evolved", "tuned", "dense, Adam", "random, same learner"
RANDOM_GENOME, SHUFFLED, PIXELS = "random genome", "shuffled genome", "no network"
COLOURS = {
    EVOLVED: "#0b4f9e", BACKPROP: "#c45a00", FEATURES: "#e0a35c", RANDOM_GENOME: "#7d8a99", SHUFFLED: "#b0b7bf",
    PIXELS: "#1b7f3b",
}  # fmt: skip


@cache
def evolution(world: World, arm: str, spent: Spent) -> Evolution:
    """The search of an arm; equal strategy, lives and fitness for all."""
    if arm == BACKPROP:
        loss = "cross_entropy" if world.task.problem == "classification" else "squared_error"
        random = Decoder(CellTypes(), Drawn(), AllSynapses())
        organism: Organism | None = Organism(world.substrate, random, Gradient("adam", loss=loss, log_rate=-3.5))
    else:
        organism = Cell({EVOLVED: DECODERS[world.name], FEATURES: RANDOM, PIXELS: BARE}[arm], world, spent).organism
    assert organism is not None
    return Evolution(organism, world.task, spent.strategy, spent.schedule, world.fitness)


def controls(own: Organism, champion: Genome, *, key: Key) -> list[Genome]:
    """A redrawn and a shuffled genome, the champion's learner genes kept."""
    key_random, key_shuffle = jax.random.split(key)
    spec = own.decoder.genome_spec(own.substrate)
    parts = spec.init(key=key_random), shuffle_genes(spec, champion[: spec.size], key=key_shuffle)
    return [champion.at[: spec.size].set(part) for part in parts]


def told(world: World, log: Any, schedule: tuple[int, ...]) -> dict[str, Any]:
    """Curve, jumpstart, AULC and aligned slope of one arm's lives, in ignorance's losses; what diverged counts as the worst."""
    ignorant, worst = world.task.ignorant_loss, -world.fitness.worst
    loss = jnp.minimum(jnp.nan_to_num(log.loss, nan=worst, posinf=worst), worst) / ignorant
    return {
        "curve": loss.mean(0),
        "jumpstart": jumpstart(loss, 1.0).mean(),
        "aulc": aulc(loss, schedule).mean(),
        "slope": slope_aligned(loss, schedule).mean(),
    }


def run(seed: int, budget: Budget) -> Measures:
    """By world and arm: curve, jumpstart, AULC and slope; and which tuned arm is the tuned one."""
    spent = Spent(32, budget["generations"], lives=4, validation_lives=32, test_lives=budget["test"], seeds=1)
    out: Measures = {}
    for name in DECODERS:
        world = worlds(spent)[name]
        rivals = (BACKPROP, FEATURES) if name == "digits" else (BACKPROP,)
        lived, validation = {}, {}
        for arm in (EVOLVED, *rivals, *((PIXELS,) if name == "digits" else ())):
            search = evolution(world, arm, spent)
            champion = search.found(seed).champion
            genomes = [champion]
            if arm == EVOLVED:
                genomes += controls(search.organism, champion, key=jax.random.fold_in(jax.random.key(seed), 0xC0117))
            log = search.lived(jnp.stack(genomes), "test", budget["test"], seed=10_000 + seed)
            schedule = search.search.probe_steps
            for i, label in enumerate((arm, RANDOM_GENOME, SHUFFLED)[: len(genomes)]):
                lived[label] = told(world, jax.tree.map(lambda x, i=i: x[i], log), schedule)
            if arm in rivals:
                before = search.lived(champion[None], "validation", budget["test"], seed=20_000 + seed)
                validation[arm] = float(world.fitness(before, schedule).mean())
        best = max(rivals, key=lambda arm: validation[arm])
        out[name] = lived | {TUNED: lived[best], "best": best, "schedule": schedule}
    return out


def less(world: str, measure: str, other: str = TUNED) -> Any:
    """Evolved less another arm."""
    return lambda m: m[world][EVOLVED][measure] - m[world][other][measure]


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Learning curves of both worlds, and what the evolved arm has over the tuned one."""
    figure = Figure(figsize=(12.5, 4.4), layout="constrained")
    axes = figure.subplots(1, 3)
    units = {"digits": "examples of each class", "sine": "steps on the same ten points"}
    for axis, (name, unit) in zip(axes, units.items(), strict=False):
        steps = measures[0][name]["schedule"]
        for arm, colour in COLOURS.items():
            if arm not in measures[0][name]:
                continue
            values, style = [m[name][arm]["curve"] for m in measures], ":" if arm == PIXELS else "-"
            band(axis, steps, values, color=colour, label=arm, linestyle=style)
        axis.axhline(1, color="0.7", linestyle=":", linewidth=1)
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xticks(steps, [str(s) for s in steps])
        axis.minorticks_off()
        axis.set_ylim(0, 1.8)
        axis.set_xlabel(unit)
        axis.set_ylabel("loss (1 = ignorance)")
        axis.set_title({"digits": "shifted digits, unseen classes", "sine": "sines"}[name], loc="left")
        axis.legend(frameon=False, fontsize=8)
    rows = [(name, measure) for name in DECODERS for measure in ("jumpstart", "aulc", "slope")]
    for y, (name, measure) in enumerate(reversed(rows)):
        values = np.array([less(name, measure)(m) for m in measures]) * (-1 if measure == "aulc" else 1)
        points(axes[2], y, values, along="x", color=COLOURS[EVOLVED])
    axes[2].axvline(0, color="0.6", linewidth=0.8)
    names = {"jumpstart": "jumpstart", "aulc": "lower AULC", "slope": "aligned slope"}
    axes[2].set_yticks(range(len(rows)), [f"{name}: {names[measure]}" for name, measure in reversed(rows)])
    axes[2].set_xlabel("evolved over tuned (losses of ignorance)")
    axes[2].set_title("expected right of 0; slopes may be 0", loc="left")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Samples needed: evolved against tuned random networks; mean and 95% interval over {len(measures)} seeds")
    return figure


def spends(generations: int) -> str:
    """A budget in words."""
    return (
        f"a world and an arm: OpenES, {generations} generations of 32 genomes x 4 lives, champion by 32 validation lives; "
        "256 test lives"
    )


CLAIM = Claim(
    number=1,
    name="sample_efficiency",
    words="In an abstracted representation, why is a pre trained model so bad at sample efficiency? Almost like its starting "
    "from scratch and doing the analogous of evolution.",
    hypothesis="A network grown from an evolved genome learns from fewer samples than a random one tuned in as many outer lives, "
    "by a head start.",
    varies="where the network at birth comes from",
    arms=(EVOLVED, TUNED, RANDOM_GENOME, SHUFFLED, PIXELS),
    measure="loss over a life on unseen classes or sines, in losses of ignorance: jumpstart, AULC, slope with starts aligned",
    smallest="Two worlds, networks of 800 to 8,600 synapses: the smallest in which all arms learn. The 16,000 outer lives of "
    "each arm's search are no part of the samples counted here.",
    contrasts=(
        Contrast("digits: AULC, evolved less tuned", less("digits", "aulc"), "-", 0.05, "of ignorance"),
        Contrast("sine: AULC, evolved less tuned", less("sine", "aulc"), "-", 0.05, "of ignorance"),
        Contrast("sine: jumpstart, evolved less tuned", less("sine", "jumpstart"), "+", 0.05, "of ignorance"),
        Contrast("digits: jumpstart, evolved less tuned", less("digits", "jumpstart"), "0", 0.05, "of ignorance", False),
        Contrast("digits: aligned slope, evolved less tuned", less("digits", "slope"), "0", 0.02, "a doubling", False),
        Contrast("sine: aligned slope, evolved less tuned", less("sine", "slope"), "0", 0.02, "a doubling", False),
        Contrast(
            "digits: AULC, evolved less random genome", less("digits", "aulc", RANDOM_GENOME), "-", 0.05, "of ignorance", False
        ),
        Contrast("sine: AULC, evolved less random genome", less("sine", "aulc", RANDOM_GENOME), "-", 0.05, "of ignorance", False),
        Contrast(
            "digits: AULC, evolved less shuffled genome", less("digits", "aulc", SHUFFLED), "-", 0.05, "of ignorance", False
        ),
        Contrast("sine: AULC, evolved less shuffled genome", less("sine", "aulc", SHUFFLED), "-", 0.05, "of ignorance", False),
        Contrast("digits: AULC, evolved less no network", less("digits", "aulc", PIXELS), "-", 0.05, "of ignorance", False),
    ),
    budgets={
        "quick": Budget(3, spends(40), {"generations": 40, "test": 256}),
        "full": Budget(10, spends(120), {"generations": 120, "test": 256}),
    },
    run=run,
    draw=draw,
)
