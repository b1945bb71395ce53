"""Claim 27: does evolution find the prior of a convolution where it can be said but is not built in?

The world is few-shot digits at random places of a 12x12 field, held-out digits to be told apart; its twin has the pixels in one
fixed random order, so that everything can be learned that could before, but nearness and place mean nothing. In the alphabet
every synapse has a gene of its own and every pair of cell types has a kernel over relative position; two genes a projection say
the rest: how wide a window neurons look through (kernels stretch with it), and which share of the weights' variance is the
kernel's, the same everywhere, rather than the synapses' own. Random genomes spread these genes evenly around a window of most of
the field and a share of one half: neither a convolution nor its opposite. A third search has the prior typed in
(``RelativePosition``: local windows, then the whole field, kernels alone). Same cells, learner, strategy and lives.

Locality and sharing are read off the grown weights from pixels to edges, whatever the genes say. *Locality*: 1 less the mean
distance of a synapse's ends by squared weight, over that of all pairs. *Sharing*: share of the variance of the weights that
relative position and types tell (R squared, adjusted for chance). Both are 0 in the mean for random weights.

Expected, before the run: the centre of the search ends more local and more shared in the ordered world than in the shuffled one
that began with the same genome (these decide); it gains both over its start where there is order, and loses them where there is
none; with the prior typed in, held-out loss (on one fixed draw of lives for all seeds, quick and full) is lower at equal
generations. Bits: how much less likely than at the start a random genome has a window as narrow and a share as large as the
genes at the end. Pilots of seeds 100 to 102 set generations and the windows of the typed-in prior (local windows in both layers
did worse).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.special import log_ndtr

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.searches import Evolution
from evodev.decoders import Decoder
from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.relative import RelativePosition, offsets
from evodev.genome import Gene, GenomeSpec, branch, spec_of
from evodev.learners import Episodic
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits, Life, Split
from evodev.types import Array, Genes, Genome, Key

SUBSTRATE = Substrate(
    (
        Population("input", (12, 12), activation="linear"),
        Population("edges", (6, 6), 4, activation="abs", normalisation="types"),
        Population("parts", (3, 3), 8, normalisation="types"),
        Population("output", (5,), activation="linear"),
    ),
    (Projection("input", "edges"), Projection("edges", "parts"), Projection("parts", "output", blank=True)),
)
FIRST = SUBSTRATE.projections[0]
FIRST_TYPES = SUBSTRATE.population(FIRST.post).types
ORDERS = np.array([(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)])
"""Cosine waves of a kernel along the two axes."""
WORLDS, TYPED = ("ordered", "shuffled"), "typed in"
MEASURES = {"locality": "locality", "sharing": "weight sharing", "loss": "loss on validation lives (AULC, nats)"}
COLOURS = {"ordered": "#0b4f9e", "shuffled": "#c45a00", TYPED: "0.35"}
STRATEGY = Strategy("Open_ES", 32, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)
PLACES, TEST_LIVES = (7, 22), 128
"""Positions of edges whose weights are shown, and lives on held-out digits."""


@dataclass(frozen=True)
class Words(Wiring):
    """An alphabet in which locality and weight sharing can be said: w = window x (kernel, or the synapse's own gene).

    Genes of each projection: ``log_width`` of a Gaussian window over p_i - p_j, in half-widths of the tissue; ``sharing``, the
    logit of the share of the variance that the ``kernels`` have; these, a coefficient for each wave and pair of types; and
    ``own``, a number a synapse. Drives have the same variance whatever these say.
    """

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            out += [Gene(f"{p.name}/log_width", (), float(np.log(0.8)), 0.5), Gene(f"{p.name}/sharing", ())]
            out.append(Gene(f"{p.name}/kernels", (widths[p.pre], widths[p.post], len(ORDERS))))
            out.append(Gene(f"{p.name}/own", substrate.shape(p)))
        return spec_of([*out, *(Gene(f"{name}/bias", (widths[name],), scale=0.1) for name in biased(substrate))])

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        weights = {}
        for p in substrate.grown:
            of, offset = branch(genes, p.name), jnp.asarray(offsets(substrate, p))
            width, share = jnp.exp(jnp.clip(of["log_width"], -3.0, 2.0)), jax.nn.sigmoid(of["sharing"])
            waves = jnp.cos(jnp.pi / 2 * (offset[:, :, None] / (2 * width) + 1) * ORDERS).prod(-1)
            kernel = jnp.einsum("pqc,abc->paqb", waves, of["kernels"])
            own = of["own"].reshape(kernel.shape)
            mixed = jnp.sqrt(share) * kernel / _size(kernel) + jnp.sqrt(1 - share) * own / _size(own)
            seen = mixed * jnp.exp(-(offset**2).sum(-1) / (2 * width**2))[:, None, :, None]
            weights[p.name] = (2**0.5 * seen / (_size(seen) * substrate.shape(p)[0] ** 0.5)).reshape(substrate.shape(p))
        return emit({"weight": weights}, {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)})


def _size(x: Array) -> Array:
    return jnp.sqrt((x**2).mean() + 1e-12)


@dataclass(frozen=True)
class Shuffled(FewShotDigits):
    """The same digits with the pixels of the whole field in one fixed random order."""

    def sample(self, split: Split, *, key: Key) -> Life:
        life, order = super().sample(split, key=key), np.random.default_rng(0).permutation(self.inputs)

        def mixed(x: Array) -> Array:
            return x.reshape(-1, self.inputs)[:, order].reshape(x.shape)

        return replace(life, inputs=mixed(life.inputs), probe_inputs=mixed(life.probe_inputs))


def locality(weights: np.ndarray) -> float:
    """See the top of this file; of weights (pixels, edges)."""
    distance = np.linalg.norm(offsets(SUBSTRATE, FIRST), axis=-1)
    share = (weights**2).reshape(len(weights), distance.shape[1], -1).sum(-1)
    return float(1 - (distance * share).sum() / share.sum() / distance.mean())


def sharing(weights: np.ndarray) -> float:
    """See the top of this file; of weights (pixels, edges)."""
    places = np.round(offsets(SUBSTRATE, FIRST) * 1000).astype(int).reshape(-1, 2)
    _, group = np.unique(places, axis=0, return_inverse=True)
    values = weights.reshape(len(group), -1)  # a column a type
    counts = np.bincount(group.ravel())
    means = np.stack([np.bincount(group.ravel(), column) for column in values.T], 1) / counts[:, None]
    within, total = ((values - means[group.ravel()]) ** 2).sum(), ((values - values.mean(0)) ** 2).sum()
    return float(1 - within / (len(values) - len(counts)) / (total / (len(values) - 1)))


@cache
def evolution(arm: str, generations: int, blocks: int) -> Evolution:
    """One compiled search for all seeds."""
    wiring = RelativePosition(radius=(0.45, 2.0)) if arm == TYPED else Words()
    task = (Shuffled if arm == "shuffled" else FewShotDigits)(shots=10, probes=4)
    organism = Organism(SUBSTRATE, Decoder(CellTypes(), wiring, AllSynapses()), Episodic(50))
    return Evolution(organism, task, STRATEGY, Schedule(generations, 4, 64, block=generations // blocks, probes=6))


@cache
def grower(organism: Organism) -> Callable[[Genome], Array]:
    """Compiled: genome -> weights from pixels to edges."""
    return jax.jit(lambda genome: organism.develop(genome, key=jax.random.key(0))[0].weights[FIRST.name])


def bits(own: Search, genome: Genome) -> float:
    """Surprisal of a window as narrow and a share as large, among random genomes; genes are stored in their deviations."""
    width, share = (own.spec.slices[f"decoder/wiring/{FIRST.name}/{gene}"].start for gene in ("log_width", "sharing"))
    return float(-(log_ndtr(float(genome[width])) + log_ndtr(-float(genome[share]))) / np.log(2))


def searched(arm: str, seed: int, budget: Budget) -> Measures:
    """The centre of one search, block by block, and at the end."""
    evolves = evolution(arm, budget["generations"], budget["blocks"])
    own = evolves.search
    own.root = jax.random.key(seed)
    state = own.start()
    start, out = state.initial, {"generation": [], "locality": [], "sharing": [], "loss": []}

    def lost(genome: Genome, split: Split) -> float:
        log = evolves.lived(genome[None], split, TEST_LIVES, seed=2026)
        return -float(evolves.fitness(log, own.probe_steps).mean())

    def note(generation: int, genome: Genome, loss: float) -> np.ndarray:
        weights = np.asarray(grower(own.organism)(genome))
        for name, value in zip(out, (generation, locality(weights), sharing(weights), loss), strict=True):
            out[name].append(value)
        return weights

    weights = note(0, start, lost(start, "validation"))
    while int(state.generation) < own.schedule.generations:
        state, records = own.advance(state)
        weights = note(records[-1]["generation"], state.centroid, -records[-1]["validation_centroid"])
    fields = weights.reshape(len(weights), -1, FIRST_TYPES)[:, PLACES]
    told: dict[str, Any] = {"held out": lost(state.centroid, "test"), "fields": np.round(fields, 3).tolist()}
    if arm != TYPED:
        told["bits"] = bits(own, state.centroid) - bits(own, start)
    return out | told


def run(seed: int, budget: Budget) -> Measures:
    """Three searches from one seed; those in the alphabet begin with the same genome."""
    return {arm: searched(arm, seed, budget) for arm in (*WORLDS, TYPED)}


def change(measures: Measures, arm: str, measure: str) -> float:
    """From the start of a search to its end."""
    return measures[arm][measure][-1] - measures[arm][measure][0]


def reached(measures: Measures) -> float:
    """Generations in the alphabet, as a share of the search, until the typed-in prior's loss at the end; 1 if never."""
    own = measures["ordered"]
    found = np.flatnonzero(np.array(own["loss"]) <= measures[TYPED]["loss"][-1])
    return own["generation"][found[0]] / own["generation"][-1] if len(found) else 1.0


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Locality, sharing and loss over a search, and what neurons look at in the end."""
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    above, below = cast(Any, figure.subfigures(2, 1, height_ratios=(1.7, 1)))
    for axis, (measure, label) in zip(above.subplots(1, 3), MEASURES.items(), strict=True):
        for arm, colour in COLOURS.items():
            x, values = measures[0][arm]["generation"], [m[arm][measure] for m in measures]
            style = {"linewidth": 2, "linestyle": "--" if arm == TYPED else "-", "marker": ""}
            band(axis, x, values, color=colour, seeds=True, label=arm, **style)
        axis.set(xlabel="generation", ylabel=label)
        # random genomes know nothing of the read-out's temperature: far above guessing
        axis.set_ylim((0.4, 2) if measure == "loss" else (-0.05, 1.05))
        axis.spines[["top", "right"]].set_visible(False)
        if measure == "loss":
            axis.legend(frameon=False, fontsize=8, loc="upper right")
        axis.set_title("" if measure == "loss" else "expected: ordered above shuffled", loc="left", fontsize=9)
    for part, arm in zip(below.subfigures(1, 3), COLOURS, strict=True):
        fields = np.array(measures[0][arm]["fields"])
        for j, axis in enumerate(part.subplots(1, 4)):
            place, kind = divmod(j, 2)
            image = fields[:, place, kind].reshape(SUBSTRATE.input.grid)
            axis.imshow(image, cmap="RdBu_r", vmin=-np.abs(image).max(), vmax=np.abs(image).max())
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(f"place {place + 1}\ntype {kind + 1}", fontsize=8)
        part.suptitle(f"{arm}, first seed: weights from pixels to four edges", fontsize=9, color=COLOURS[arm])
    figure.suptitle(f"{len(measures)} searches an arm, means with 95% intervals", fontsize=9, color="0.3")
    return figure


CLAIM = Claim(
    number=27,
    name="prior",
    words="Genome as compressed extracted inductive biases, not a replay of the search.",
    hypothesis="An alphabet in which locality and weight sharing can be said but are not built in comes to say them in a world "
    "of shifted things, and not in the same world with its pixels in random order.",
    varies="whether pixels lie in order or in one fixed random order",
    arms=("alphabet, ordered", "alphabet, shuffled", "prior typed in, ordered", "the random genome that both began with"),
    measure="locality and weight sharing of the grown weights from pixels to edges, at the centre of the search",
    smallest="An alphabet that could as well say any other prior, and images of natural scenes. Here four genes say window and "
    "sharing outright, among 31,000 that say weights, for one layer of 144 pixels: finding takes a choice, not an invention.",
    contrasts=(
        Contrast("locality, ordered less shuffled", lambda m: m["ordered"]["locality"][-1] - m["shuffled"]["locality"][-1], "+",
                 0.1, "index"),
        Contrast("weight sharing, ordered less shuffled", lambda m: m["ordered"]["sharing"][-1] - m["shuffled"]["sharing"][-1],
                 "+", 0.1, "R squared"),
        Contrast("locality, end less start, ordered", lambda m: change(m, "ordered", "locality"), "+", 0.1, "index", False),
        Contrast("weight sharing, end less start, ordered", lambda m: change(m, "ordered", "sharing"), "+", 0.1, "R squared",
                 False),
        Contrast("locality, end less start, shuffled", lambda m: change(m, "shuffled", "locality"), "-", 0.1, "index", False),
        Contrast("weight sharing, end less start, shuffled", lambda m: change(m, "shuffled", "sharing"), "-", 0.1, "R squared",
                 False),
        Contrast("bits gained, ordered", lambda m: m["ordered"]["bits"], "+", 1.0, "bits", False,
                 "surprisal of window and share of the first layer among random genomes, end less start"),
        Contrast("bits gained, ordered less shuffled", lambda m: m["ordered"]["bits"] - m["shuffled"]["bits"], "+", 1.0, "bits",
                 False),
        Contrast("held-out loss, alphabet less typed in", lambda m: m["ordered"]["held out"] - m[TYPED]["held out"], "+", 0.05,
                 "nats", False, "unseen digits, ordered"),
        Contrast("generations to where the typed-in prior ends", reached, "+", 0.25, "share of the search", False,
                 "1 where it is never reached"),
    ),
    budgets={
        "quick": Budget(3, "three searches of 40 generations x 32 genomes x 4 lives", {"generations": 40, "blocks": 4}),
        "full": Budget(10, "three searches of 150 generations x 32 genomes x 4 lives", {"generations": 150, "blocks": 10}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
