"""Canalisation (9): does a genome build the same machinery whatever the upbringing, and different knowledge?

Independent variable: upbringing, twelve lives of few-shot digits that show classes, examples and labels of their own; and
the genome, five a seed, each from a search of its own. Every synapse of the grown network is plastic (gradient descent, rates
evolved), so that upbringing may change all of it. Arms: *evolved*, genomes of Fourier gradients of expression (fourier_gem);
*tuned random*, five random networks whose rates and scales are evolved by the same strategy in as many lives, so that
slowness alone is not canalisation; *random genome*, those that the evolved ones began as, with the rates they ended with.

Measure: machinery is how alike the hidden neurons make common images of classes that nobody was brought up on (correlations
of activity between images, whatever neurons are called); knowledge is the answers to those images. Of both the share of
variance that is the genome's, across / (across + within), the intraclass correlation of evodev.analysis.dynamics.

Expected before the run: the genome's share of machinery far above that of knowledge (+), and above that of tuned random
networks of as good rates (+).
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks.figures import points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.analysis.dynamics import Phenotype, brought_up, canalisation
from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import Chunk
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.gaussians import Gradients
from evodev.decoders.sparsity import AllSynapses
from evodev.evaluation import evaluate, evaluate_organism, sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.organism import Organism
from evodev.strategies import Strategy, maximise
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits, Life
from evodev.types import Array, Genome, Genomes, Key

TASK = FewShotDigits(canvas=8, shift=False, rotations=(0, 1, 2, 3), ways=5, shots=20, probes=4)
SUBSTRATE = Substrate(
    (
        Population("input", (8, 8), activation="linear"),
        Population("first", (4, 4), 2),
        Population("second", (4, 4), 1),
        Population("output", (5,), activation="linear"),
    ),
    (Projection("input", "first"), Projection("first", "second"), Projection("second", "output")),
)
GENOMES, UPBRINGINGS, SHOWN = 5, 12, 40
GROWN = Organism(SUBSTRATE, Decoder(Gradients(8), DECODERS["fourier_gem"].wiring, AllSynapses()), Gradient())
ARMS = ("evolved", "tuned random", "random genome")
SCHEDULE = (0, 2, 6, TASK.steps)
FITNESS = Fitness()


RANDOM = Organism(SUBSTRATE, RandomNetwork(), Gradient())
LEARNING = GROWN.learner.genome_spec(SUBSTRATE).size
"""Genes of the learner, the last of every genome."""


@cache
def evolver(arm: str, generations: int) -> Any:
    """Compiled: (genomes to start from, key) -> the centres that as many searches end at."""
    organism = RANDOM if arm == "tuned random" else GROWN
    strategy = Strategy("Open_ES", 32, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)

    def score(genomes: Genomes, *, key: Key) -> Array:
        key_lives, key_run = jax.random.split(key)
        lives = sample_lives(TASK, "train", 4, key=key_lives)
        log = evaluate_organism(organism, genomes, TASK, lives, SCHEDULE, key=key_run, chunk=Chunk(8, 4))
        return FITNESS(log, SCHEDULE).mean(1)

    @jax.jit
    def evolve(starts: Genomes, key: Key) -> Genomes:
        def one(now: tuple[Genome, Key]) -> Genome:
            return maximise(score, starts.shape[1], strategy, generations, key=now[1], initial=now[0])[1]

        return jax.lax.map(one, (starts, jax.random.split(key, len(starts))))

    return evolve


@cache
def examiner(arm: str) -> Any:
    """Compiled: (genomes, births, key) -> phenotypes with axes (genomes, upbringings), and accuracy on held-out lives."""
    organism = RANDOM if arm == "tuned random" else GROWN

    def born(subject: tuple[Genome, Key], /, *, key: Key) -> tuple[Any, Any]:
        return organism.develop(subject[0], key=subject[1])  # the same network whatever the upbringing

    @jax.jit
    def examine(genomes: Genomes, births: Array, key: Key) -> tuple[Phenotype, Array]:
        key_lives, key_shown, key_test = jax.random.split(key, 3)
        lives = sample_lives(TASK, "train", UPBRINGINGS, key=key_lives)
        # class by class, so that what is taken for alike shows in blocks
        shown = TASK.sample("test", key=key_shown).inputs[: SHOWN // TASK.ways].swapaxes(0, 1).reshape(SHOWN, -1)

        def one(subject: Any, life: Life) -> Phenotype:
            return brought_up(born, subject, organism.learner, SUBSTRATE, life, shown, key=key)

        phenotypes = jax.vmap(jax.vmap(one, (None, 0)), (0, None))((genomes, births), lives)
        tests = sample_lives(TASK, "test", 64, key=key_test)
        log = evaluate(
            born, (genomes, births), organism.learner, SUBSTRATE, TASK, tests, SCHEDULE, key=key, stochastic=False,
            chunk=Chunk(GENOMES, 16),
        )  # fmt: skip
        return phenotypes, log.score[..., -1].mean()

    return examine


def run(seed: int, budget: Budget) -> Measures:
    """Five searches of each kind; the same upbringings and images for all."""
    key_start, key_search, key_exam = jax.random.split(jax.random.key(seed), 3)
    births = jax.random.split(key_start, GENOMES)
    starts = jax.vmap(lambda k: GROWN.genome_spec.init(key=k))(births)
    bare = jnp.zeros((GENOMES, RANDOM.genome_spec.size))
    evolved = evolver("evolved", budget["generations"])(starts, key_search)
    subjects = {
        "evolved": evolved,
        "tuned random": evolver("tuned random", budget["generations"])(bare, key_search),
        "random genome": jnp.concatenate([starts[:, :-LEARNING], evolved[:, -LEARNING:]], axis=1),
    }
    out: Measures = {}
    for arm in ARMS:
        phenotypes, accuracy = examiner("tuned random" if arm == "tuned random" else "grown")(subjects[arm], births, key_exam)
        own = {name: canalisation(np.asarray(x))._asdict() for name, x in phenotypes._asdict().items()}
        out[arm] = {"accuracy": float(accuracy), **own}
        # two genomes and two upbringings, to look at
        out[arm]["seen"] = np.asarray(phenotypes.machinery)[:2, :2].round(3)
    return out


def share(measures: Measures, arm: str, what: str) -> float:
    """Share of the variance that is the genome's."""
    return float(measures[arm][what]["share"])


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """What two upbringings make of two genomes; the genome's share of machinery and of knowledge, and variances."""
    figure = Figure(figsize=(13, 5.4), layout=ConstrainedLayoutEngine(w_pad=0.1))
    panels = figure.subplot_mosaic([["00", "01", "share", "spread"], ["10", "11", "share", "spread"]], width_ratios=[1, 1, 2, 2])
    seen, among = np.array(measures[0]["evolved"]["seen"]), np.triu_indices(SHOWN, 1)
    for i in range(2):
        for j in range(2):
            matrix = np.eye(SHOWN)
            matrix[among] = seen[i, j]
            axis = panels[f"{i}{j}"]
            axis.imshow(np.maximum(matrix, matrix.T), cmap="RdBu_r", vmin=-1, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title(f"genome {i + 1}, upbringing {j + 1}", fontsize=8)
    said = "evolved machinery, first seed: correlation of\n40 unseen images, by class (white 0, dark red 1)"
    panels["10"].set_xlabel(said, fontsize=8, loc="left")
    colours = {"machinery": "#c45a00", "knowledge": "#0b4f9e"}
    for x, arm in enumerate(ARMS):
        for y, (what, colour) in enumerate(colours.items()):
            at = x + (y - 0.5) * 0.25
            values = [share(m, arm, what) for m in measures]
            within, across = (np.array([m[arm][what][of] for m in measures]) for of in ("within", "across"))
            ratio = np.log2(within / np.maximum(across, 1e-9))
            for axis, own in ((panels["share"], values), (panels["spread"], ratio)):
                points(axis, at, own, color=colour, label=None if x else what)
    names = [f"{arm}\naccuracy {np.mean([m[arm]['accuracy'] for m in measures]):.2f}" for arm in ARMS]
    for name, title, label in (
        ("share", "Expected: machinery above knowledge,\nevolved above tuned", "the genome's share of the variance (ICC)"),
        ("spread", "Variance among upbringings\nover that among genomes", "log2 (within a genome / across genomes)"),
    ):
        panels[name].set_xticks(range(len(ARMS)), names)
        panels[name].set_xlim(-0.5, len(ARMS) - 0.5)
        panels[name].set_title(title, loc="left", fontsize=10)
        panels[name].set_ylabel(label)
        panels[name].axhline(0, color="0.7", linewidth=0.8)
        panels[name].spines[["top", "right"]].set_visible(False)
    panels["share"].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 0.06))
    return figure


def spends(generations: int) -> str:
    """A seed's budget in words."""
    return f"2 x {GENOMES} searches of {generations} generations, 32 genomes x 4 lives; {UPBRINGINGS} upbringings a genome"


CLAIM = Claim(
    number=9,
    name="canalisation",
    words="And 99% of five-year-olds have the same cognitive machinery regardless of whether they were born in a Pacific island "
    "jungle in 3000 BC or San Francisco in 2025.",
    hypothesis="What an evolved genome builds is the same machinery after any upbringing, more so than a random network of tuned "
    "rates, while what it knows is the upbringing's.",
    varies="upbringing (classes, examples and labels of a life) within a genome, and the genome",
    arms=ARMS,
    measure="the genome's share of the variance of machinery (likeness of unseen images) and of knowledge (answers)",
    smallest="individuals of one species in different cultures; here five genomes a seed of a 64-32-16-5 network, all synapses "
    "plastic, and upbringings of a hundred labelled images. Labels are drawn in each life, which alone makes knowledge differ",
    contrasts=(
        Contrast("evolved: the genome's share of machinery, less of knowledge",
                 lambda m: share(m, "evolved", "machinery") - share(m, "evolved", "knowledge"), "+", 0.2, "share of variance"),
        Contrast("share of machinery: evolved less tuned random",
                 lambda m: share(m, "evolved", "machinery") - share(m, "tuned random", "machinery"), "+", 0.05,
                 "share of variance"),
        Contrast("share of machinery: evolved less random genome",
                 lambda m: share(m, "evolved", "machinery") - share(m, "random genome", "machinery"), "+", 0.05,
                 "share of variance", decides=False),
        Contrast("variance of machinery among upbringings: evolved less tuned random",
                 lambda m: float(np.log2(m["evolved"]["machinery"]["within"] / m["tuned random"]["machinery"]["within"])),
                 "-", 0.5, "octaves", decides=False),
        Contrast("accuracy on unseen classes: evolved less tuned random",
                 lambda m: m["evolved"]["accuracy"] - m["tuned random"]["accuracy"], "+", 0.05, "accuracy", decides=False),
    ),
    budgets={"quick": Budget(3, spends(15), {"generations": 15}), "full": Budget(10, spends(60), {"generations": 60})},
    run=run,
    draw=draw,
)  # fmt: skip
