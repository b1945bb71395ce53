"""Claim 12: how does the number of neurons matter, and what does a genome change of it?

The essay: "How does the number of neurons matter for an arbitrary dataset? What's the dependency? Does more neurons mean better
model? If so, in what configuration of width/depth?" What is varied: width x depth x samples n, with and without a genome. A life
is a sine of which n points are known; every network takes as many steps of Adam on them, whatever n. Error: mean squared error
between the points at the end, against ignorance's, its logarithm averaged over lives and over all widths and depths.

Arms: *genome*, the lowest cosines of all weights, evolved for each depth at one width and grown at all of them (its length knows
no width); *random*, drawn anew in each life, the spread of weights and biases and all rates evolved likewise, in as many lives.
In every cell and for every n both have the best of the same grid of rates and scales on validation lives. Control: a redrawn
genome with the evolved one's rates, at the width that it evolved at.

Expected: the genome lowers the error at the fewest samples (offset), and leaves the exponent, by how many octaves the error falls
with each doubling of n, as it is: within a tenth. More width is expected to help both a little; that is only reported.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.arena.worlds import WORST
from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.searches import Evolution
from benchmarks.lives.laws_arms import Drawn
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import mlp
from evodev.tasks import Life, Sine, Split
from evodev.types import Genome, Genomes, Key

GENOME, RANDOM, REDRAWN = "genome", "random", "redrawn genome"
COLOURS = {GENOME: "#0b4f9e", RANDOM: "#c45a00", REDRAWN: "#7d8a99"}
SAMPLES = (2, 4, 8, 16, 32)
STEPS, ORDER, EVOLVED_AT = 24, 8, 16
RATES, SCALES = (0.4, 1.0, 2.5), (0.6, 1.0, 1.6)
"""Times those that were evolved; the best in each cell on validation lives."""
VALIDATION, TEST = 8, 16
"""Lives for each n."""


@dataclass(frozen=True)
class Few(Sine):
    """Sines of which some points are known: a batch repeats them, so that lives are as long whatever is known.

    Attributes:
        known: different points, one of these numbers a life; each divides ``shots``.
    """

    known: tuple[int, ...] = SAMPLES

    def sample(self, split: Split, *, key: Key) -> Life:
        life = super().sample(split, key=key)
        count = jax.random.choice(jax.random.fold_in(key, 0xFE3), jnp.array(self.known))
        own = jnp.arange(self.shots) % count
        return replace(life, inputs=life.inputs[:, own], targets=life.targets[:, own])


TASK = Few(max(SAMPLES), STEPS)


@cache
def organism(arm: str, width: int, depth: int) -> Organism:
    """So many hidden layers of equal width under Adam, its rates falling to zero."""
    orders = (1, *(ORDER,) * depth, 1)
    grown = Decoder(CosineBasis(orders), Bilinear(scaled=True), AllSynapses())
    decoder = grown if arm == GENOME else Decoder(CellTypes(), Drawn(), AllSynapses())
    learner = Gradient("adam", loss="squared_error", log_rate=-4.0, spread=1.0, fall="cosine", horizon=STEPS)
    return Organism(mlp((1, *(width,) * depth, 1), activation="tanh"), decoder, learner)


@cache
def evolution(arm: str, depth: int, generations: int) -> Evolution:
    """The search of an arm at one width, on lives of every n."""
    strategy = Strategy("Open_ES", 32, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)
    schedule = Schedule(generations, 8, 64, block=-(-generations // 4), probes=1)
    return Evolution(
        organism(arm, EVOLVED_AT, depth), TASK, strategy, schedule, Fitness("final", worst=-WORST * TASK.ignorant_loss)
    )


def grid(own: Organism, genome: Genome) -> Genomes:
    """The genome with all rates, and all initial scales, times each of the grid's factors."""
    spec = own.genome_spec

    def moved(suffix: str) -> Genome:
        # in search units, a gene's scale is what one unit is worth
        parts = [jnp.full(g.shape, 1 / g.scale if g.name.endswith(suffix) else 0.0).ravel() for g in spec.genes]
        return jnp.concatenate(parts)

    rate, scale = moved("/log_rate"), moved("/log_scale")
    return jnp.stack([genome + math.log(a) * rate + math.log(b) * scale for a, b in product(RATES, SCALES)])


def errors(own: Organism, genome: Genome, seed: int) -> list[float]:
    """Octaves of relative error at each n: the grid's best on validation lives, on test lives."""
    keys = jax.random.split(jax.random.key(30_000 + seed))
    lives = [
        sample_lives(replace(TASK, known=(n,)), split, count, key=key)
        for split, count, key in (("validation", VALIDATION, keys[0]), ("test", TEST, keys[1]))
        for n in SAMPLES
    ]
    log = live_subjects(
        own.hatch, grid(own, genome), own.learner, own.substrate, TASK, jax.tree.map(lambda *x: jnp.concatenate(x), *lives),
        (0, STEPS), key=jax.random.key(seed), stochastic=own.decoder.stochastic, chunk=Chunk(1, 40),
    )  # fmt: skip
    relative = np.nan_to_num(np.asarray(log.loss)[..., -1] / TASK.ignorant_loss, nan=WORST, posinf=WORST)
    octaves = np.log2(np.clip(relative, 1e-6, WORST))
    split = VALIDATION * len(SAMPLES)
    chosen, test = (part.reshape(len(part), len(SAMPLES), -1).mean(2) for part in (octaves[:, :split], octaves[:, split:]))
    return test[chosen.argmin(0), np.arange(len(SAMPLES))].tolist()


def run(seed: int, budget: Budget) -> Measures:
    """Octaves of error by arm: (depths, widths, samples); the control at one width alone."""
    widths, depths = budget["widths"], budget["depths"]
    out: Measures = {"widths": widths, GENOME: [], RANDOM: [], REDRAWN: []}
    for arm, depth in product((GENOME, RANDOM), depths):
        champion = evolution(arm, depth, budget["generations"]).found(seed).champion
        out[arm].append([errors(organism(arm, width, depth), champion, seed) for width in widths])
        if arm == GENOME:
            own = organism(arm, EVOLVED_AT, depth)
            spec = own.decoder.genome_spec(own.substrate)
            other = champion.at[: spec.size].set(spec.init(key=jax.random.fold_in(jax.random.key(seed), 0x4ED)))
            out[REDRAWN].append([errors(own, other, seed)])
    return out


def law(octaves: np.ndarray) -> float:
    """Exponent of a power law through errors at all n: octaves of error a doubling of samples, by least squares."""
    return float(np.polyfit(np.log2(SAMPLES), octaves, 1)[0])


def of_samples(m: Measures, arm: str) -> np.ndarray:
    """Octaves of error at each n, mean over depths and widths."""
    return np.array(m[arm]).mean((0, 1))


def saved(m: Measures, n: int) -> float:
    """Octaves of error, genome less random, at one n of the list."""
    return float(of_samples(m, GENOME)[n] - of_samples(m, RANDOM)[n])


def wider(m: Measures, arm: str) -> float:
    """Octaves of error, widest less narrowest, mean over depths and n."""
    octaves = np.array(m[arm])
    return float((octaves[:, -1] - octaves[:, 0]).mean())


def deeper(m: Measures, arm: str) -> float:
    """Octaves of error, deepest less shallowest, mean over widths and n."""
    octaves = np.array(m[arm])
    return float((octaves[-1] - octaves[0]).mean())


def redrawn(m: Measures) -> float:
    """Octaves of error at the fewest samples, genome less a redrawn one, at the width it evolved at."""
    return float(np.array(m[GENOME])[:, m["widths"].index(EVOLVED_AT), 0].mean() - np.array(m[REDRAWN])[:, 0, 0].mean())


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """A panel a depth, a line a width and arm; then the fitted laws, mean over all cells."""
    widths, depths = budget["widths"], budget["depths"]
    figure = Figure(figsize=(3.3 * len(depths) + 4, 4.2), layout="constrained")
    *panels, last = figure.subplots(1, len(depths) + 1, sharey=True)
    for axis, (i, depth) in zip(panels, enumerate(depths), strict=True):
        for arm in (GENOME, RANDOM):
            for j, width in enumerate(widths):
                values, label = [m[arm][i][j] for m in measures], f"{arm}, {width} wide"
                strength = 0.35 + 0.65 * j / max(len(widths) - 1, 1)
                band(axis, SAMPLES, values, color=COLOURS[arm], base=2, alpha=strength, label=label)
        axis.set_title(f"{depth} hidden layer{'s' if depth > 1 else ''}", loc="left")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    panels[0].set_ylabel("squared error (1 = ignorance)")
    for arm, aside in ((GENOME, 0.96), (RANDOM, 1.04)):
        values = np.array([of_samples(m, arm) for m in measures])
        points(last, aside * np.array(SAMPLES), values, color=COLOURS[arm], base=2)
        slope, start = np.polyfit(np.log2(SAMPLES), values.mean(0), 1)
        label = f"{arm}: error ~ n^{slope:.2f}"
        last.plot(SAMPLES, 2 ** (start + slope * np.log2(SAMPLES)), color=COLOURS[arm], linewidth=1, label=label)
    last.set_title("all cells; expected: parallel", loc="left")
    last.legend(frameon=False, loc="lower left")
    for axis in (*panels, last):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(SAMPLES, [str(n) for n in SAMPLES])
        axis.set_yticks([2.0**-i for i in range(7)], [f"1/{2**i}" if i else "1" for i in range(7)])
        axis.minorticks_off()
        axis.set_xlabel("different samples known")
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Neurons, samples and a genome on sines; mean and 95% interval over {len(measures)} seeds")
    return figure


def spends(generations: int, widths: Sequence[int], depths: Sequence[int]) -> str:
    """A budget in words."""
    return (
        f"an arm and a depth: OpenES, {generations} generations of 32 genomes x 8 lives of {STEPS} steps at width {EVOLVED_AT}; "
        f"widths {', '.join(map(str, widths))}, depths {', '.join(map(str, depths))}; {len(RATES) * len(SCALES)} settings a cell "
        f"on {VALIDATION} validation lives, {TEST} test lives for each n"
    )


QUICK = {"generations": 200, "widths": [8, 16], "depths": [1]}
FULL = {"generations": 400, "widths": [8, 16, 32], "depths": [1, 2]}

CLAIM = Claim(
    number=12,
    name="neurons",
    words="How does the number of neurons matter for an arbitrary dataset? What's the dependency? Does more neurons mean better "
    "model? If so, in what configuration of width/depth?",
    hypothesis="A genome lowers the error that few samples leave, at any width and depth, and not the rate at which more samples "
    "lower it.",
    varies="width x depth x samples, with and without a genome",
    arms=(GENOME, RANDOM, REDRAWN),
    measure="octaves of squared error against ignorance's on fresh points of a sine, at the end of a life; power laws in n",
    smallest="One family of one-dimensional functions, 8 to 32 neurons a layer, 2 to 32 samples: a power law over four "
    "octaves, far from the arbitrary data set of the question.",
    contrasts=(
        Contrast("error at the fewest samples, genome less random", lambda m: saved(m, 0), "-", 0.5, "octaves"),
        Contrast(
            "exponent, genome less random",
            lambda m: law(of_samples(m, GENOME)) - law(of_samples(m, RANDOM)),
            "0",
            0.1,
            "octaves a doubling",
        ),
        Contrast("error at the most samples, genome less random", lambda m: saved(m, -1), "-", 0.5, "octaves", False),
        Contrast("random: error, widest less narrowest", lambda m: wider(m, RANDOM), "-", 0.25, "octaves", False),
        Contrast("genome: error, widest less narrowest", lambda m: wider(m, GENOME), "-", 0.25, "octaves", False),
        Contrast("random: error, deepest less shallowest", lambda m: deeper(m, RANDOM), "-", 0.25, "octaves", False),
        Contrast("genome: error, deepest less shallowest", lambda m: deeper(m, GENOME), "-", 0.25, "octaves", False),
        Contrast("error at the fewest samples, genome less redrawn genome", redrawn, "-", 0.5, "octaves", False),
    ),
    budgets={name: Budget(seeds, spends(**own), own) for name, seeds, own in (("quick", 3, QUICK), ("full", 10, FULL))},
    run=run,
    draw=draw,
)
