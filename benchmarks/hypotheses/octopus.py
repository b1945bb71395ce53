"""Claim 8: convergent evolution. Twenty searches that share nothing but the world: is what they find the same?

Each outer seed is two searches from random genomes of their own by two strategies (Open_ES, CMA_ES), as an octopus and a
vertebrate began apart: few-shot digits at random places of a field, a genome of kernels for pairs of cell types, a fifth of
the synapses. The two networks of a seed are compared in four arms:

- *champions* of the two searches;
- *random*: the genomes that they began with;
- *chosen random*: the best of 256 random genomes each, by validation lives;
- *evolved, as good*: the centre of each search at the moment when it did as well, on fresh lives, as the chosen random genome.

What is compared: the *code*, debiased linear CKA of the layer that the read-out sees, on unseen digits (one fixed draw for all
seeds, quick and full); the *genome*, cosine of the kernels and biases after the renaming of cell types that makes them most
alike (every order of the first types, the best assignment of the second); the *wiring*, by measures that no renaming changes:
root mean square difference of spreads of degrees, squares, blocks, modularity, hubs and wiring length, each in its deviations
among random genomes.

Expected, before the run: codes of champions are more alike than those of random genomes, and so are evolved codes than chosen
random ones at equal performance; genomes of champions are no more alike than random ones. Pairs of different seeds are not
independent of each other: they are drawn, and decide nothing. Pilots of seeds 100 and 101 set generations and CMA's first step.
"""

from functools import cache
from itertools import permutations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from benchmarks.figures import points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.searches import Evolution
from evodev.analysis.graph import of_network
from evodev.analysis.spectra import cka
from evodev.analysis.topology import describe
from evodev.decoders import Decoder, sparsity
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.wiring.relative import RelativePosition
from evodev.evaluation import sample_lives
from evodev.learners import Episodic
from evodev.network import Network, activities
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits
from evodev.types import Array, Genome, Genomes

SUBSTRATE = Substrate(
    (
        Population("input", (12, 12), activation="linear"),
        Population("edges", (6, 6), 4, normalisation="types"),
        Population("parts", (3, 3), 8, normalisation="types"),
        Population("output", (5,), activation="linear"),
    ),
    (Projection("input", "edges"), Projection("edges", "parts"), Projection("parts", "output", blank=True)),
)
ORGANISM = Organism(SUBSTRATE, Decoder(CellTypes(), RelativePosition(radius=(0.45, 2.0)), sparsity.Budget(0.2)), Episodic(50))
SPEC = ORGANISM.genome_spec
TASK = FewShotDigits(shots=10, probes=4)
STRATEGIES = (
    Strategy("Open_ES", 32, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02),
    Strategy("CMA_ES", 32, sigma=0.3),
)
CHAMPIONS, RANDOM, CHOSEN, EVOLVED = ARMS = ("champions", "random", "chosen random", "evolved, as good")
COLOURS = dict(zip(ARMS, ("#0b4f9e", "0.6", "0.35", "#3a8bc9"), strict=True))
CANDIDATES, LIVES, FRESH_LIVES = 256, 8, 64
WIRING = ("fan_in_gini", "fan_out_gini", "squares", "modularity", "blocks", "hub_share", "wiring_length")
DEVIATIONS = 16
"""Random genomes that say how much a measure of the wiring varies."""


@cache
def evolution(which: int, generations: int, blocks: int) -> Evolution:
    """One compiled search by one of the strategies, for all seeds."""
    return Evolution(ORGANISM, TASK, STRATEGIES[which], Schedule(generations, 4, 64, block=generations // blocks, probes=6))


def snapshots(evolves: Evolution, seed: int) -> tuple[Genome, Genome, Genomes]:
    """Where a search began, its champion, and its centre after every block."""
    search = evolves.search
    search.root = jax.random.key(seed)
    state, centres = search.start(), []
    start = state.initial
    while int(state.generation) < search.schedule.generations:
        state, _ = search.advance(state)
        centres.append(state.centroid)
    return start, state.champion, jnp.stack([start, *centres])


def fitness(evolves: Evolution, genomes: Genomes, lives: int, seed: int) -> np.ndarray:
    """Mean over validation lives."""
    return np.asarray(evolves.fitness(evolves.lived(genomes, "validation", lives, seed=seed), evolves.search.probe_steps)).mean(1)


@jax.jit
def grow(genome: Genome) -> Network:
    """The network at birth."""
    return ORGANISM.develop(genome, key=jax.random.key(0))[0]


@jax.jit
def code(genome: Genome) -> Array:
    """What the read-out sees of unseen digits, (images, neurons)."""
    images = sample_lives(TASK, "test", 32, key=jax.random.key(2026)).probe_inputs
    return activities(SUBSTRATE, grow(genome), images.reshape(-1, TASK.inputs))["parts"]


def alike(a: Genome, b: Genome) -> float:
    """Cosine of two genomes' kernels and biases after the best renaming of their cell types."""
    own, other = (_wiring_genes(genome) for genome in (a, b))
    (first, second, edges, parts), gains = own, []
    for order in permutations(range(len(edges))):
        its_first, its_second, its_edges = other[0][:, order], other[1][list(order)], other[2][list(order)]
        gain = np.einsum("abc,adc->bd", second, its_second) + np.outer(parts, other[3])
        rows, columns = linear_sum_assignment(gain, maximize=True)
        gains.append(gain[rows, columns].sum() + (first * its_first).sum() + edges @ its_edges)
    lengths = [np.sqrt(sum((x**2).sum() for x in genes)) for genes in (own, other)]
    return float(max(gains) / (lengths[0] * lengths[1]))


def _wiring_genes(genome: Genome) -> list[np.ndarray]:
    """Kernels of both projections (pre types, post types, waves) and biases of their types, in deviations of random genomes."""
    shapes, values = {gene.name: gene.shape for gene in SPEC.genes}, np.asarray(genome, np.float64)
    names = [f"decoder/wiring/{gene}" for gene in ("input->edges/kernels", "edges->parts/kernels", "edges/bias", "parts/bias")]
    return [values[SPEC.slices[name]].reshape(shapes[name]) for name in names]


def wired(genome: Genome) -> np.ndarray:
    """The measures of the wiring."""
    told = describe(of_network(grow(genome), SUBSTRATE))
    return np.array([told[name] for name in WIRING])


def run(seed: int, budget: Budget) -> Measures:
    """Two searches, four pairs of genomes, and how alike each pair is."""
    key = jax.random.key(seed)
    pairs: dict[str, list[Genome]] = {arm: [] for arm in ARMS}
    performance: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for i in range(len(STRATEGIES)):
        evolves = evolution(i, budget["generations"], budget["blocks"])
        start, champion, centres = snapshots(evolves, 2 * seed + i)
        candidates = jax.vmap(lambda k: SPEC.init(key=k))(jax.random.split(jax.random.fold_in(key, i), CANDIDATES))
        chosen = candidates[int(fitness(evolves, candidates, LIVES, seed).argmax())]
        # on other lives than those that chose
        told = fitness(evolves, jnp.stack([champion, start, chosen, *centres]), FRESH_LIVES, 1000 + seed)
        nearest = int(np.abs(told[3:] - told[2]).argmin())
        found = (champion, start, chosen, centres[nearest]), (*told[:3], told[3 + nearest])
        for arm, genome, value in zip(ARMS, *found, strict=True):
            pairs[arm].append(genome)
            performance[arm].append(float(value))
    others = jax.vmap(lambda k: SPEC.init(key=k))(jax.random.split(jax.random.fold_in(key, 2), DEVIATIONS))
    deviation = np.std([wired(genome) for genome in others], axis=0) + 1e-9
    return {
        arm: {
            "genomes": [np.asarray(g).tolist() for g in pair],
            "loss": [-value for value in performance[arm]],
            "code": float(cka(code(pair[0]), code(pair[1]), debiased=True)),
            "genome": alike(*pair),
            "wiring": float(np.sqrt((((wired(pair[0]) - wired(pair[1])) / deviation) ** 2).mean())),
        }
        for arm, pair in pairs.items()
    }


def everyone(measures: list[Measures], arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Alikeness of codes and of genomes between all genomes of an arm, those of the first strategy before the others."""
    genomes = [jnp.array(m[arm]["genomes"][i]) for i in range(len(STRATEGIES)) for m in measures]
    codes, compared = [code(g) for g in genomes], jax.jit(lambda a, b: cka(a, b, debiased=True))
    out = np.ones((2, len(genomes), len(genomes)))
    for i in range(len(genomes)):
        for j in range(i):
            out[:, i, j] = out[:, j, i] = float(compared(codes[i], codes[j])), alike(genomes[i], genomes[j])
    return out[0], out[1]


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Everyone against everyone, in code and in genome; and the pairs that decide."""
    figure = Figure(figsize=(12.5, 7.8), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(1.45, 1))
    champions, random = everyone(measures, CHAMPIONS), everyone(measures, RANDOM)
    many = len(measures)
    for i, what in enumerate(("code (what the read-out sees)", "genome (after renaming cell types)")):
        axis = figure.add_subplot(grid[0, 3 * i : 3 * i + 3])
        both = np.triu(champions[i], 1) + np.tril(random[i], -1)
        np.fill_diagonal(both, np.nan)
        image = axis.imshow(both, cmap="Blues", vmin=0, vmax=1)
        means = [np.nanmean(values[np.triu_indices(2 * many, 1)]) for values in (champions[i], random[i])]
        told = f"above the diagonal champions ({means[0]:.2f}), below where they began ({means[1]:.2f})"
        axis.set_title(f"{what}\n{told}", fontsize=9)
        ticks = [many / 2 - 0.5, 1.5 * many - 0.5]
        axis.set_xticks(ticks, [f"{many} searches by {s.name}" for s in STRATEGIES])
        axis.set_yticks(ticks, [s.name for s in STRATEGIES], rotation=90, va="center")
        axis.tick_params(length=0)
        for edge in (axis.axhline, axis.axvline):
            edge(many - 0.5, color="0.4", linewidth=0.8)
        figure.colorbar(image, ax=axis, label=("CKA", "cosine")[i], shrink=0.8)
    panels = {
        "code": "alikeness of codes (CKA)",
        "genome": "alikeness of genomes (cosine)",
        "wiring": "difference of wiring\n(deviations of random genomes)",
    }
    for i, (measure, label) in enumerate(panels.items()):
        axis = figure.add_subplot(grid[1, 2 * i : 2 * i + 2])
        for x, arm in enumerate(ARMS):
            points(axis, x, [m[arm][measure] for m in measures], color=COLOURS[arm])
        losses = [np.mean([m[arm]["loss"] for m in measures]) for arm in ARMS]
        names = ["\n".join([*arm.split(" ", 1), f"({loss:.2f})"]) for arm, loss in zip(ARMS, losses, strict=True)]
        axis.set_xticks(range(len(ARMS)), names, fontsize=8)
        axis.set(ylabel=label, xlim=(-0.6, len(ARMS) - 0.4))
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{2 * many} searches from different random genomes; below pairs of one seed, means with 95% intervals, in brackets the "
        "loss (AULC, nats).\nExpected: codes of the evolved more alike than of random genomes, genomes no more alike",
        fontsize=9, color="0.3",
    )  # fmt: skip
    return figure


def gain(what: str, own: str, other: str) -> Any:
    """Effect: one arm less another."""
    return lambda m: m[own][what] - m[other][what]


CLAIM = Claim(
    number=8,
    name="octopus",
    words="And when you press different search algorithms against the same data, they converge on the same structure.",
    hypothesis="Searches that begin apart and move by different strategies come to compute the same thing, by genomes that "
    "are as different as they were.",
    varies="search against no search, and against choice among random genomes of equal performance",
    arms=ARMS,
    measure="debiased linear CKA of the read-out's inputs on unseen digits; cosine of genomes after the best "
    "renaming of cell types",
    smallest="Lineages with bodies and decoders of their own. Here two strategies move genomes of one alphabet on one "
    "substrate of 360 neurons: what is shared by construction is the physics and the language, so that only the text can differ.",
    contrasts=(
        Contrast("codes, champions less random genomes", gain("code", CHAMPIONS, RANDOM), "+", 0.05, "CKA"),
        Contrast("codes at equal performance, evolved less chosen random", gain("code", EVOLVED, CHOSEN), "+", 0.05, "CKA"),
        Contrast("genomes, champions less random genomes", gain("genome", CHAMPIONS, RANDOM), "0", 0.1, "cosine"),
        Contrast("genomes at equal performance, evolved less chosen random", gain("genome", EVOLVED, CHOSEN), "0", 0.1, "cosine",
                 False),
        Contrast("difference of wiring, champions less random genomes", gain("wiring", CHAMPIONS, RANDOM), "-", 0.2, "deviations",
                 False, "degrees, squares, blocks, modularity, hubs, wiring length"),
        Contrast("loss at equal performance, evolved less chosen random",
                 lambda m: float(np.mean(m[EVOLVED]["loss"]) - np.mean(m[CHOSEN]["loss"])), "0", 0.05, "nats", False,
                 "whether performance was matched"),
        Contrast("loss, champions less random genomes",
                 lambda m: float(np.mean(m[CHAMPIONS]["loss"]) - np.mean(m[RANDOM]["loss"])), "-", 0.2, "nats", False),
    ),
    budgets={
        "quick": Budget(3, f"two searches of 40 generations x 32 genomes x 4 lives, {2 * CANDIDATES} random genomes x {LIVES}",
                        {"generations": 40, "blocks": 10}),
        "full": Budget(10, f"two searches of 150 generations x 32 genomes x 4 lives, {2 * CANDIDATES} random genomes x {LIVES}",
                       {"generations": 150, "blocks": 30}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
