"""Claim 18: doubling genes and letting the copies part is a faster way to a second function than new random genes.

A network of 8-4-2 with a gene a weight is selected for one subgoal: its first output is to answer as a teacher network does.
Then a second subgoal is added: the second output is to answer as another teacher, and the first to go on as before. Half of
the searches meet a second teacher that is a variation of the first (its hidden neurons' inputs correlate by .9: what a copy
is good for), half one that has nothing to do with it (correlation 0).

Independent variable: where the neurons of the second half come from. Arms, all with the same population, generations and final
size of 8 hidden neurons: every hidden neuron doubled (evodev.analysis.genes.duplicated: the function stays as it was);
as many new neurons with random inputs, of the same sizes since they are the old ones' numbers shuffled, silent until
selection gives them a voice (the function stays as it was, too); a network that was that large from the start and was selected
for the first subgoal as long. Control: no new neurons at all (4).

Measure: error on both subgoals (variance of an answer is 1), mean over the generations after the second is added, of the
best of each generation on fresh inputs; and of the centre at the end on held-out inputs.

Expected, before the run. With a related second subgoal the error after duplication is (1) below that with random genes: -, and
(2) below that of the larger start: -. Reported: the same with an unrelated one (0 for random genes); against no growth (-).
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.analysis.genes import duplicated
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.learners import Gradient
from evodev.network import forward
from evodev.organism import Organism
from evodev.strategies import Strategy, maximise
from evodev.substrate import mlp
from evodev.types import Array, Genome, Genomes, Key

INPUTS, SMALL, TEACHER = 8, 4, 4
RELATED = {"related": 0.9, "unrelated": 0.0}
ARMS = ("duplicated", "random genes", "larger start", "no growth")
EXAMPLES = 128
STRATEGY = Strategy("SNES", population=32, sigma=0.1)


def organism(hidden: int) -> Organism:
    """A gene a weight; its learner is never asked, since what is asked for is inborn."""
    substrate = mlp((INPUTS, hidden, 2), activation="tanh")
    return Organism(substrate, Decoder(CellTypes(), Direct(), AllSynapses()), Gradient(loss="squared_error"))


def teachers(relation: float, *, key: Key) -> tuple[Array, Array]:
    """Two teachers: inputs of their hidden neurons (2, inputs, hidden), correlated; and their outputs' weights (2, hidden)."""
    key_in, key_new, key_out = jax.random.split(key, 3)
    first, other = (jax.random.normal(k, (INPUTS, TEACHER)) for k in (key_in, key_new))
    second = relation * first + (1 - relation**2) ** 0.5 * other
    out = jnp.sign(jax.random.normal(key_out, (2, TEACHER)))
    return 1.5 * jnp.stack([first, second]) / INPUTS**0.5, out


def errors(hidden: int, genomes: Genomes, taught: tuple[Array, Array], *, key: Key) -> Array:
    """Mean squared error on both subgoals (genomes, 2), in variances of an answer."""
    body = organism(hidden)
    inputs = jax.random.normal(key, (EXAMPLES, INPUTS))
    answers = jnp.einsum("tnh,th->nt", jnp.tanh(jnp.einsum("ni,tih->tnh", inputs, taught[0])), taught[1])
    answers = answers / answers.std(0)

    def one(genome: Genome) -> Array:
        network, _ = body.develop(genome, key=key)
        return ((forward(body.substrate, network, inputs) - answers) ** 2).mean(0)

    return jax.vmap(one)(genomes)


@cache
def evolver(hidden: int, generations: int) -> Any:
    """Compiled searches: start, teachers, weights of the subgoals (2,), key -> centre, and best error of each generation."""

    def evolve(start: Genome, taught: tuple[Array, Array], goals: Array, key: Key) -> tuple[Genome, Array]:
        def score(genomes: Genomes, *, key: Key) -> Array:
            return -(errors(hidden, genomes, taught, key=key) @ goals)

        centre, history = maximise(score, start.size, STRATEGY, generations, key=key, initial=start)[1:]
        return centre, -history

    return jax.jit(evolve)


def grown(genome: Genome, *, key: Key) -> Genome:
    """Every hidden neuron doubled."""
    body = organism(SMALL)
    for index in range(0, 2 * SMALL, 2):
        body, genome = duplicated(body, genome, "hidden1", index, key=key)
    return genome


def enlarged(genome: Genome, *, key: Key) -> Genome:
    """As many new neurons: the old ones' inputs and biases in random order, and no outputs yet."""
    spec, larger = organism(SMALL).genome_spec, organism(2 * SMALL).genome_spec
    values = spec.unpack(genome)
    into, out, bias = (f"decoder/wiring/{name}" for name in ("input->hidden1/weight", "hidden1->output/weight", "hidden1/bias"))
    key_in, key_bias = jax.random.split(key)
    shuffled = jax.random.permutation(key_in, values[into].ravel()).reshape(values[into].shape)
    values[into] = jnp.concatenate([values[into], shuffled], 1)
    values[bias] = jnp.concatenate([values[bias], jax.random.permutation(key_bias, values[bias])])
    values[out] = jnp.concatenate([values[out], jnp.zeros_like(values[out])])
    return larger.pack(values)


def run(seed: int, budget: Budget) -> Measures:
    """One pair of teachers of each relation, one first search of each size, and four ways on."""
    first, then = evolver(SMALL, budget["generations"]), evolver(2 * SMALL, budget["generations"])
    one, both = jnp.array([1.0, 0.0]), jnp.array([0.5, 0.5])
    out: dict[str, Any] = {"curve": {}, "end": {}, "first": {}}
    for number, (name, relation) in enumerate(RELATED.items()):
        key = jax.random.fold_in(jax.random.key(seed), number)
        key_taught, key_start, key_one, key_grow, key_two, key_test = jax.random.split(key, 6)
        taught = teachers(relation, key=key_taught)
        small, large = (
            search(organism(hidden).genome_spec.init(key=key_start), taught, one, key_one)[0]
            for search, hidden in ((first, SMALL), (then, 2 * SMALL))
        )
        starts = {"duplicated": grown(small, key=key_grow), "random genes": enlarged(small, key=key_grow), "larger start": large,
                  "no growth": small}  # fmt: skip
        for arm, start in starts.items():
            hidden = SMALL if arm == "no growth" else 2 * SMALL
            centre, curve = (first if arm == "no growth" else then)(start, taught, both, key_two)
            ends = jnp.concatenate([errors(hidden, g[None], taught, key=key_test) for g in (start, centre)])
            out["curve"][f"{name}, {arm}"] = curve
            out["end"][f"{name}, {arm}"] = ends[1].mean()
            out["first"][f"{name}, {arm}"] = ends[:, 0]
    return out


def area(measures: Measures, relation: str, arm: str) -> float:
    """Error on both subgoals, mean over the generations after the second was added."""
    return float(np.mean(measures["curve"][f"{relation}, {arm}"]))


def against(other: str, relation: str) -> Any:
    """Error after duplication less that of another arm."""
    return lambda m: area(m, relation, "duplicated") - area(m, relation, other)


COLOURS = {"duplicated": "#c45a00", "random genes": "0.45", "larger start": "#0b4f9e", "no growth": "#9db8d9"}


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Error over generations after the second subgoal is added, for both kinds of it; and the differences."""
    figure = Figure(figsize=(12.5, 4.3), layout="constrained")
    *curves, bars = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    for axis, relation in zip(curves, RELATED, strict=True):
        for arm, colour in COLOURS.items():
            values = np.array([m["curve"][f"{relation}, {arm}"] for m in measures])
            band(axis, np.arange(1, values.shape[1] + 1), values, color=colour, label=arm, marker="")
        axis.set_xscale("log")
        axis.set_ylim(0, 1.2)
        axis.set_xlabel("generations since the second subgoal was added")
        axis.set_title(f"Subgoals {relation} (inputs correlate {RELATED[relation]:g})", loc="left", fontsize=10)
    curves[0].set_ylabel("error on both subgoals (variances)")
    curves[1].legend(frameon=False, fontsize=8)
    for i, relation in enumerate(RELATED):
        for j, other in enumerate(ARMS[1:]):
            values, label = [against(other, relation)(m) for m in measures], None if j else f"{relation} subgoal"
            points(bars, j + 0.2 * i, values, along="x", color=COLOURS[other], fmt="os"[i], label=label)
    bars.axvline(0, color="0.8", linewidth=1, zorder=0)
    bars.set_yticks(np.arange(len(ARMS) - 1) + 0.1, [f"less {other}" for other in ARMS[1:]])
    bars.set_ylim(len(ARMS) - 0.7, -0.3)  # room for the legend below
    bars.set_xlabel("difference of the error (variances)")
    bars.set_title("Duplicated less another arm", loc="left", fontsize=10)
    bars.legend(frameon=False, fontsize=8, loc="lower right")
    for axis in (*curves, bars):
        axis.spines[["top", "right"]].set_visible(False)
    expected = "expected: duplication lowest where the subgoals are related"
    figure.suptitle(f"{len(measures)} outer seeds, 95% intervals over seeds; {expected}", fontsize=9, x=0.01, ha="left")
    return figure


CLAIM = Claim(
    number=18,
    name="duplication",
    words="gene duplication (copying a gene so one copy can mutate to a new function while the other copy maintains the original "
    "function)",
    hypothesis="With a second subgoal related to the first, doubled genes reach both sooner than as many random genes, and "
    "than a genome that was as large from the start.",
    varies="where the second half of the hidden neurons comes from, and whether the second subgoal is related to the first",
    arms=ARMS,
    measure="mean squared error on both subgoals, mean over the generations since the second was added",
    smallest="four neurons doubled once, a gene a weight; in nature genes are doubled one at a time and many copies are lost, "
    "for which searches would have to be thousands of times longer",
    contrasts=(
        Contrast("error, duplicated less random genes, related subgoals", against("random genes", "related"), "-", 0.02,
                 "variances"),
        Contrast("error, duplicated less larger start, related subgoals", against("larger start", "related"), "-", 0.02,
                 "variances"),
        Contrast("error, duplicated less random genes, unrelated subgoals", against("random genes", "unrelated"), "0", 0.02,
                 "variances", decides=False),
        Contrast("error, duplicated less no growth, related subgoals", against("no growth", "related"), "-", 0.02, "variances",
                 decides=False),
    ),
    budgets={
        "quick": Budget(3, "100 generations for the first subgoal, 100 for both; 32 genomes x 128 examples",
                        {"generations": 100}),
        "full": Budget(20, "300 generations for the first subgoal, 300 for both; 32 genomes x 128 examples",
                       {"generations": 300}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
