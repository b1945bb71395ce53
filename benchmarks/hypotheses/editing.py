"""Claim 20: one gene of another specialist brings its skill at less harm to one's own than edits of equal size do.

Two specialists descend from one ancestor, which was selected in two worlds at once: digits written bright on dark, and their
negatives. Each then lives on in one world, for much longer (in a pilot, seed 100, descendants of an ancestor that was
selected as long as they were as good in either world). A gene of the donor is set into the recipient in place of its own,
one gene at a time; skill in the donor's world is on target, skill in the recipient's own is off target. Both directions, all
genes of development.

Independent variable: what is edited. Arms: the donor's gene; a random change of the same gene of equal norm (8 draws); a
direct edit of the grown weights, moved towards the donor's in every projection by as much (Frobenius norm) as the swapped gene
moves them. The biases and the learner stay the recipient's in the last, as the swapped gene's own changes of them are its own.

Measure: on held-out classes, what is gained on target and lost off target, in skill (1 - AULC / ignorance), mean over genes;
and selectivity, the gain less the loss.

Expected, before the run. (1) Off-target loss, donor's gene less equal random edit: -. (2) Selectivity, donor's gene less direct
edit of weights: + (weights moved without their partners make no part that works). Reported: selectivity against the random
edit (+), and what the whole donor would bring, as the ceiling.
"""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.retina import FITNESS, LIVES, SCHEDULE, TASK
from benchmarks.hypotheses.retina import ORGANISM as RETINA
from evodev.analysis.genes import swapped
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.gaussians import Gradients
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.evaluation import evaluate, sample_lives
from evodev.network import Network, matrix
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.tasks import FewShotDigits, Life, Split
from evodev.types import Array, Genome, Genomes, Key


@dataclass(frozen=True)
class Negatives(FewShotDigits):
    """The same digits, dark on bright."""

    def sample(self, split: Split, *, key: Key) -> Life:
        life = super().sample(split, key=key)
        return replace(life, inputs=1 - life.inputs, probe_inputs=1 - life.probe_inputs)


WORLDS = (TASK, Negatives(**{f.name: getattr(TASK, f.name) for f in fields(TASK)}))
ORGANISM = replace(RETINA, decoder=Decoder(Gradients(6), Bilinear(scaled=True), AllSynapses()))
SPEC = ORGANISM.genome_spec
STRATEGY = Strategy("SNES", population=32, sigma=0.3)
DRAWS = 8
ARMS = ("donor's gene", "random edit", "weights edited")
GENES = {
    name.removeprefix("decoder/"): i
    for i, name in enumerate(SPEC.slices)
    if name.startswith("decoder/") and not name.startswith("decoder/cells/output/")
}
"""Genes of development by their place in the spec; what outputs behind a blank slate express is read by nothing."""


def edited(subject: dict[str, Array], /, *, key: Key) -> tuple[Network, dict[str, Array]]:
    """The network of a genome, its weights moved towards the donor's as far as those of another genome are moved from it."""
    network, genes = ORGANISM.develop(subject["genome"], key=key)
    donor, _ = ORGANISM.develop(subject["donor"], key=key)
    model, _ = ORGANISM.develop(subject["as far as"], key=key)
    weights = dict(network.weights)
    for name in (p.name for p in ORGANISM.substrate.grown):
        own, there, far = (matrix(n.weights[name]) for n in (network, donor, model))
        share = jnp.linalg.norm(far - own) / jnp.maximum(jnp.linalg.norm(there - own), 1e-20)
        weights[name] = own + share * (there - own)
    return replace(network, weights=weights), genes


def losses(subjects: Any, world: int, split: Split, lives: int, *, key: Key) -> Array:
    """AULC (subjects, lives) in a world, of genomes or subjects of :func:`edited`; both worlds have the same digits."""
    key_lives, key_run = jax.random.split(key)
    task, chunk = WORLDS[world], Chunk(min(len(jax.tree.leaves(subjects)[0]), 64), lives)
    sampled = sample_lives(task, split, lives, key=key_lives)
    log = evaluate(
        edited if isinstance(subjects, dict) else ORGANISM.hatch, subjects, ORGANISM.learner, ORGANISM.substrate, task, sampled,
        SCHEDULE, key=key_run, stochastic=False, chunk=chunk,
    )  # fmt: skip
    return -FITNESS(log, SCHEDULE)


@cache
def evolver(generations: int) -> Any:
    """Compiled search: start, weights of the two worlds (2,), key -> centre at the end."""

    @jax.jit
    def evolve(start: Genome, worlds: Array, key: Key) -> Genome:
        def score(genomes: Genomes, *, key: Key) -> Array:
            return -sum((worlds[i] * losses(genomes, i, "train", LIVES, key=key).mean(1) for i in range(2)), jnp.zeros(()))

        return maximise(score, SPEC.size, STRATEGY, generations, key=key, initial=start)[1]

    return evolve


@cache
def tester(lives: int) -> Any:
    """Compiled test: subjects, key -> skill in both worlds (2, subjects)."""

    @jax.jit
    def test(subjects: Any, key: Key) -> Array:
        found = jnp.stack([losses(subjects, i, "test", lives, key=key).mean(1) for i in range(2)])
        return 1 - found / TASK.ignorant_loss

    return test


def run(seed: int, budget: Budget) -> Measures:
    """One ancestor, two specialists, and every gene of each set into the other."""
    key_start, key_old, key_new, key_edit, key_test = jax.random.split(jax.random.key(seed), 5)
    evolve, test = evolver(budget["generations"]), tester(budget["lives"])
    ancestor = evolver(budget["ancestor"])(SPEC.init(key=key_start), jnp.array([0.5, 0.5]), key_old)
    specialists = [evolve(ancestor, jnp.eye(2)[i], key_new) for i in range(2)]
    out: dict[str, Any] = {"gain": {arm: [] for arm in ARMS}, "loss": {arm: [] for arm in ARMS}, "whole": []}
    many = len(GENES)
    for own in range(2):
        recipient, donor = specialists[own], specialists[1 - own]
        genes = swapped(SPEC, recipient, donor)[np.array(list(GENES.values()))]
        noise = jax.random.normal(jax.random.fold_in(key_edit, own), (DRAWS, *genes.shape)) * (genes != recipient)
        size = jnp.linalg.norm(genes - recipient, axis=-1) / jnp.maximum(jnp.linalg.norm(noise, axis=-1), 1e-20)
        random = (recipient + noise * size[..., None]).reshape(-1, SPEC.size)
        alike = {name: jnp.tile(g, (many, 1)) for name, g in (("genome", recipient), ("donor", donor))}
        first = np.asarray(test(jnp.concatenate([jnp.stack([recipient, donor]), genes, random]), key_test))
        whole, grown = first[:, :2], np.asarray(test(alike | {"as far as": genes}, key_test))
        skills = {
            ARMS[0]: first[:, 2 : 2 + many], ARMS[1]: first[:, 2 + many :].reshape(2, DRAWS, many).mean(1), ARMS[2]: grown,
        }  # fmt: skip
        for arm, skill in skills.items():
            out["gain"][arm].append(skill[1 - own] - whole[1 - own, 0])
            out["loss"][arm].append(whole[own, 0] - skill[own])
        out["whole"].append([whole[1 - own, 1] - whole[1 - own, 0], whole[own, 0] - whole[own, 1]])
    return out


def mean(what: str, arm: str, measures: Measures) -> float:
    """Mean over both directions and all genes."""
    return float(np.mean(measures[what][arm]))


def selectivity(arm: str, measures: Measures) -> float:
    """Gain on target less loss off target."""
    return mean("gain", arm, measures) - mean("loss", arm, measures)


COLOURS = {"donor's gene": "#c45a00", "random edit": "0.55", "weights edited": "#0b4f9e"}


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Gain against loss of each gene; and the means by gene."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    cloud, bars = figure.subplots(1, 2, width_ratios=(1, 1.5))
    for i, (arm, colour) in enumerate(COLOURS.items()):
        gain, loss = (np.array([m[what][arm] for m in measures]).mean(1) for what in ("gain", "loss"))
        cloud.scatter(loss.mean(0), gain.mean(0), color=colour, s=26, alpha=0.7, linewidth=0)
        (x, left, right), (y, below, above) = (interval(v.mean(1), 2000) for v in (loss, gain))
        cloud.errorbar(x, y, xerr=[[x - left], [right - x]], yerr=[[y - below], [above - y]], color=colour, marker="D",
                       markeredgecolor="k", label=f"{arm}, mean of genes")  # fmt: skip
        points(bars, np.arange(len(GENES)) + 0.25 * (i - 1), gain - loss, along="x", color=colour, markersize=4)
    ends = np.array([0.0, max(cloud.get_xlim()[1], 0.0)])
    cloud.plot(ends, ends, color="0.7", linewidth=1, linestyle="--", label="as much gained as lost")
    for axis in (cloud, bars):
        axis.axvline(0, color="0.85", linewidth=1, zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    cloud.axhline(0, color="0.85", linewidth=1, zorder=0)
    cloud.set_xlabel("lost off target, in one's own world (skill)")
    cloud.set_ylabel("gained on target, in the donor's world (skill)")
    cloud.set_title("Each gene, mean over seeds", loc="left")
    cloud.legend(frameon=False, fontsize=8)
    bars.set_yticks(range(len(GENES)), [name.replace("->", " to ") for name in GENES], fontsize=7)
    bars.invert_yaxis()
    bars.set_xlabel("selectivity: gained less lost (skill)")
    bars.set_title("Selectivity, by gene", loc="left")
    gain, harm = np.mean([m["whole"] for m in measures], axis=(0, 1))
    said = f"the whole donor would gain {gain:.2f} and lose {harm:.2f}"
    said += "; expected: the donor's gene loses less than a random edit and is more selective than weights"
    figure.suptitle(f"{len(measures)} outer seeds, 95% intervals over seeds; {said}", fontsize=9, x=0.01, ha="left")
    return figure


CLAIM = Claim(
    number=20,
    name="editing",
    words="akin to selective breeding or even genetic engineering in biology, where changes are introduced in a directed way to "
    "achieve a desired trait faster than random mutation would allow",
    hypothesis="One gene of another specialist does less harm to one's own skill than an equal random edit of that gene, and is "
    "more selective than an equal direct edit of the weights.",
    varies="what is edited: the donor's gene, a random change of the gene, the grown weights",
    arms=ARMS,
    measure="skill gained in the donor's world and lost in one's own on held-out classes, mean over genes and both directions",
    smallest="two specialists of one ancestor, twelve genes, worlds that differ in contrast alone; specialists that share less "
    "have fewer genes that fit, which this does not vary",
    contrasts=(
        Contrast("off-target loss, donor's gene less equal random edit",
                 lambda m: mean("loss", ARMS[0], m) - mean("loss", ARMS[1], m), "-", 0.01, "skill"),
        Contrast("selectivity, donor's gene less equal edit of weights",
                 lambda m: selectivity(ARMS[0], m) - selectivity(ARMS[2], m), "+", 0.01, "skill"),
        Contrast("selectivity, donor's gene less equal random edit",
                 lambda m: selectivity(ARMS[0], m) - selectivity(ARMS[1], m), "+", 0.01, "skill", decides=False),
        Contrast("gain on target of the donor's gene", lambda m: mean("gain", ARMS[0], m), "+", 0.01, "skill", decides=False),
        Contrast("gain on target of the whole donor", lambda m: float(np.mean(m["whole"], 0)[0]), "+", 0.05, "skill",
                 decides=False, note="whether the specialists are any"),
    ),
    budgets={
        "quick": Budget(3, "2 searches of 100 generations after one of 20, 32 genomes x 4 lives in each world; 128 test lives",
                        {"ancestor": 20, "generations": 100, "lives": 128}),
        "full": Budget(10, "2 searches of 300 generations after one of 20, 32 genomes x 4 lives in each world; 256 test lives",
                       {"ancestor": 20, "generations": 300, "lives": 256}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
