"""Claim 22: does it pay to make the genome ever larger? It is expected to saturate, and what it carries abroad to peak between.

The essay: "there's a ceiling. The human genome is 3 billion base pairs. It stopped growing. What scaled was what the genome
builds." What is varied is the number of genes, 10 to 4,281, that build one and the same network (64-64-5): the lowest cosines of
its weights, at the top end nearly all of them. Every genome is trained through development and life at home, on digits 0 to 4
that keep their labels, to be good at birth and to learn well: Adam, equal lives. Then measured, on images never trained on:

- *innate*: accuracy at birth, at home;
- *learned*: accuracy after ten examples a class, at home;
- *transfer*: the same abroad, on digits 5 to 9, labels drawn anew in each life, so that nothing there can be innate.

Control: each genome before training, the trained learning rates kept. Expected: innate accuracy rises with the first 500 genes
by over .1, and no more than .03 from there to 4,281; transfer of the middle size (219) is above that of both ends, as few genes
can say little and many say what is true only at home.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.papers.images import digits
from evodev.chunks import Chunk
from evodev.compress import descend
from evodev.decoders import Decoder
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.evaluation import evaluate_organism
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits, Life
from evodev.types import Array, Genome, Genomes, Key, Scalar

WAYS, SHOTS, PROBES = 5, 10, 4
HOME, ABROAD = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
TASK = FewShotDigits(canvas=8, shift=False, shots=SHOTS, probes=PROBES)
"""Gives loss and score alone; the lives are those of :func:`lives`."""
SCHEDULE = probe_steps(SHOTS, 4)
FITNESS = Fitness("aulc", also={"jumpstart": 1.0}, worst=-10.0)
SUBSTRATE = Substrate(
    (
        Population("input", (8, 8), activation="linear"),
        Population("hidden", (8, 8), activation="relu"),
        Population("output", (WAYS,), activation="linear"),
    ),
    (Projection("input", "hidden"), Projection("hidden", "output")),
)
ORDERS = ((1, 1, 1), (2, 3, 1), (3, 4, 2), (4, 5, 3), (6, 6, 4), (8, 9, 5), (15, 13, 5))
"""Of the cosines of inputs, hidden neurons and outputs, each step of the ladder about three times as many genes."""
MIDDLE = 219
"""Genes half-way up, in octaves."""
RATE = 0.05
"""Of Adam, in search units."""
COLOURS = {"innate": "#c45a00", "learned": "#7d8a99", "transfer": "#0b4f9e", "transfer before": "#b0b7bf"}


@cache
def organism(rung: int) -> Organism:
    """So many cosines build the network; one rate of gradient descent for each projection and population."""
    return Organism(SUBSTRATE, Decoder(CosineBasis(ORDERS[rung]), Bilinear(scaled=True), AllSynapses()), Gradient())


def genes(rung: int) -> int:
    """Numbers in a genome, those of the learner included."""
    return organism(rung).genome_spec.size


@cache
def images(classes: tuple[int, ...], part: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the train (0) or held-out (1) images, centred, and rows of each class, as many of each (classes, images)."""
    train, own = digits()[0], digits()[part]
    rows = [np.flatnonzero(own.labels == c) for c in classes]
    least = min(len(r) for r in rows)
    return 3 * (own.inputs - train.inputs.mean(0)), np.stack([r[:least] for r in rows])


def lives(classes: tuple[int, ...], part: int, count: int, *, key: Key) -> Life:
    """Lives of these classes, images drawn anew; at home with the same labels in all lives, abroad with new ones."""
    pixels, rows = map(jnp.asarray, images(classes, part))

    def one(key: Key) -> Life:
        key_label, key_image = jax.random.split(key)
        own = rows if classes == HOME else jax.random.permutation(key_label, rows)
        keys = jax.random.split(key_image, WAYS)
        chosen = jax.vmap(lambda key, rows: jax.random.permutation(key, rows)[: SHOTS + PROBES])(keys, own)
        pictures, labels = pixels[chosen.T], jnp.broadcast_to(jnp.arange(WAYS), (SHOTS + PROBES, WAYS))
        return Life(pictures[:SHOTS], labels[:SHOTS], pictures[SHOTS:].reshape(-1, 64), labels[SHOTS:].reshape(-1))

    return jax.vmap(one)(jax.random.split(key, count))


def lived(own: Organism, genomes: Genomes, sampled: Life) -> LifetimeLog:
    """Logs (genomes, lives)."""
    count = len(sampled.targets)
    return evaluate_organism(own, genomes, TASK, sampled, SCHEDULE, key=jax.random.key(0), chunk=Chunk(len(genomes), count))


@cache
def trainer(rung: int, steps: int, batch: int) -> Any:
    """Compiled training: key -> genomes before and after."""
    own = organism(rung)

    def loss(genome: Genome, progress: Scalar, *, key: Key) -> Scalar:
        return -FITNESS(lived(own, genome[None], lives(HOME, 0, batch, key=key)), SCHEDULE).mean()

    @jax.jit
    def train(key: Key) -> Genomes:
        key_init, key_run = jax.random.split(key)
        # a weak read-out: whatever the cosines, decoded weights agree with each other
        spec = own.genome_spec
        weak = spec.slices["decoder/wiring/hidden->output/log_scale"]
        begin = spec.init(key=key_init).at[weak].add(-4.0)
        adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(RATE, steps)))
        end, _ = descend(loss, begin, steps=steps, key=key_run, optimiser=adam)
        return jnp.stack([begin, end])

    return train


@cache
def tester(rung: int, count: int) -> Any:
    """Compiled test: genomes, key -> accuracies (genomes, probes) at home and abroad, mean over lives."""
    own = organism(rung)

    @jax.jit
    def test(genomes: Genomes, key: Key) -> tuple[Array, Array]:
        keys = jax.random.split(key)
        both = [lives(classes, 1, count, key=k) for classes, k in zip((HOME, ABROAD), keys, strict=True)]
        score = lived(own, genomes, jax.tree.map(lambda *x: jnp.concatenate(x), *both)).score
        return score[:, :count].mean(1), score[:, count:].mean(1)

    return test


def run(seed: int, budget: Budget) -> Measures:
    """Accuracies by size: innate, learned, transfer, and transfer before training."""
    out: Measures = {"genes": [], **{name: [] for name in COLOURS}}
    for rung in budget["rungs"]:
        own = organism(rung)
        key_train, key_test = jax.random.split(jax.random.fold_in(jax.random.key(seed), 0x512E))
        begin, end = trainer(rung, budget["steps"], budget["batch"])(key_train)
        grown = own.decoder.genome_spec(SUBSTRATE).size
        before = end.at[:grown].set(begin[:grown])
        home, abroad = tester(rung, budget["test"])(jnp.stack([end, before]), key_test)
        found = {"genes": genes(rung), "innate": home[0, 0], "learned": home[0, -1], "transfer": abroad[0, -1]}
        for name, value in (found | {"transfer before": abroad[1, -1]}).items():
            out[name].append(float(value))
    return out


def at(m: Measures, name: str, size: float) -> float:
    """A measure at the rung nearest to a number of genes."""
    return m[name][int(np.abs(np.log(np.array(m["genes"]) / size)).argmin())]


def peak(m: Measures) -> float:
    """Transfer of the middle size less that of the better end."""
    return at(m, "transfer", MIDDLE) - max(m["transfer"][0], m["transfer"][-1])


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Accuracies against genes; the shaded size is where transfer was expected to peak."""
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = np.array(measures[0]["genes"])
    labels = {
        "innate": "innate, home", "learned": f"learned, home ({SHOTS} examples a class)",
        "transfer": f"transfer, abroad ({SHOTS})", "transfer before": "transfer before training",
    }  # fmt: skip
    for axis, names in ((left, tuple(COLOURS)), (right, ("transfer", "transfer before"))):
        for name in names:
            band(axis, sizes, [m[name] for m in measures], color=COLOURS[name], label=labels[name])
        axis.axvspan(MIDDLE / 1.4, MIDDLE * 1.4, color="0.93", zorder=0)
        axis.set_xscale("log")
        axis.set_xticks(sizes, [f"{n:,.0f}" for n in sizes])
        axis.minorticks_off()
        axis.set_xlabel("numbers in the genome")
        axis.spines[["top", "right"]].set_visible(False)
    left.axhline(1 / WAYS, color="0.6", linestyle=":", linewidth=1)
    left.set_ylabel("accuracy on unseen images")
    left.set_title("at home: digits 0-4; abroad: digits 5-9", loc="left")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    right.set_title("transfer alone; expected to peak in the grey band", loc="left")
    figure.suptitle(f"How large a genome? Mean and 95% interval over {len(measures)} seeds; dotted: chance")
    return figure


CLAIM = Claim(
    number=22,
    name="genome_size",
    words="But there's a ceiling. The human genome is 3 billion base pairs. It stopped growing. What scaled was what the genome "
    "builds.",
    hypothesis="More genes say more at birth only up to a ceiling, and what a genome is worth abroad peaks at a middle size.",
    varies="numbers in the genome, 10 to 4,281, of one and the same network",
    arms=("10 to 4,281 genes, trained", "the same before training"),
    measure="accuracy on unseen images: at birth and after ten examples a class at home, after ten a class on other digits",
    smallest="A network of 4,400 synapses, two worlds of five digits, genomes found by gradient through development and life. "
    "The essay's ceiling is of genomes that evolved in a world of endless detail.",
    contrasts=(
        Contrast("innate accuracy, 556 genes less 10", lambda m: at(m, "innate", 556) - at(m, "innate", 10), "+", 0.1, "share"),
        Contrast(
            "innate accuracy, 4,281 genes less 556", lambda m: at(m, "innate", 4281) - at(m, "innate", 556), "0", 0.03, "share"
        ),
        Contrast("transfer, 219 genes less the better of 10 and 4,281", peak, "+", 0.01, "share"),
        Contrast(
            "learned accuracy at home, 4,281 genes less 556",
            lambda m: at(m, "learned", 4281) - at(m, "learned", 556),
            "0",
            0.03,
            "share",
            False,
        ),
        Contrast(
            "transfer at 219 genes, trained less before",
            lambda m: at(m, "transfer", 219) - at(m, "transfer before", 219),
            "+",
            0.01,
            "share",
            False,
        ),
        Contrast(
            "transfer at 4,281 genes, trained less before",
            lambda m: m["transfer"][-1] - m["transfer before"][-1],
            "+",
            0.01,
            "share",
            False,
        ),
    ),
    budgets={
        "quick": Budget(
            3,
            "4 sizes; 60 steps of Adam x 8 lives; 128 test lives",
            {"rungs": [0, 3, 4, 6], "steps": 60, "batch": 8, "test": 128},
        ),
        "full": Budget(
            10,
            "7 sizes; 150 steps of Adam x 8 lives; 256 test lives",
            {"rungs": list(range(7)), "steps": 150, "batch": 8, "test": 256},
        ),
    },
    run=run,
    draw=draw,
)
