"""Umwelt: one world, two ways of sensing it, and genomes that trade places (claim 25).

A reciprocal transplant (Kawecki and Ebert 2004): two kinds of animals evolve in the same world, few-shot digits with classes
held out, and each has sixteen sensors that are fixed linear functions of the scene. The eye sees a coarse picture, means of
4x4 fields. The feelers run over it, eight along the rows and eight along the columns, and feel how much there is. Network,
learner, genome and budget are the same, every weight and rate is a gene, and all weights go on learning in life. Then genomes
are swapped: each lives with the other's sensors, on the same held-out lives. Varied are the sensors of evolution and of life.

Arms in each life: the genome evolved with these sensors (own), that of a second search with them (kin), the one evolved with
the other's sensors (foreign), the own with the numbers of each gene shuffled, and a random genome (where the searches began).

Expected, written before the run: specialisation, in both directions: foreign genomes have a higher AULC (mean loss of a life)
than own ones, with the eye and with the feelers. Reported without deciding: kin is as good as own, so that it is the sensors
and not the lineage that matter (0); something is common to both umwelten, learning rates at least, so that foreign genomes
are better than random ones (+). A pilot on seed 100 set the budget.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.chunks import Chunk
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism, shuffle_genes
from evodev.strategies import Strategy, maximise
from evodev.substrate import mlp
from evodev.tasks import FewShotDigits, Split
from evodev.types import Array, Float, Genome, Genomes, Key

TASK = FewShotDigits(canvas=8, shift=False, ways=5, shots=10, probes=4)
SENSORS, LIVES = 16, 8
ORGANISM = Organism(
    mlp((SENSORS, 24, 5), activation="tanh"), Decoder(CellTypes(), Direct(), AllSynapses()), Gradient(log_rate=-1.5)
)
SPEC = ORGANISM.genome_spec
STRATEGY = Strategy("SNES", 64, sigma=0.3)
SCHEDULE = probe_steps(TASK.steps, 6)
FITNESS = Fitness(worst=-6 * TASK.ignorant_loss)
BODIES = ("eye", "feelers")
ARMS = ("own", "kin", "foreign", "shuffled", "random")


def sensors() -> Float[np.ndarray, "bodies pixels sensors"]:
    """How each body's sensors weigh the pixels of a scene; each has unit length."""
    row, column = np.divmod(np.arange(64), 8)
    eye = np.eye(SENSORS)[row // 2 * 4 + column // 2]
    feelers = np.concatenate([np.eye(8)[row], np.eye(8)[column]], axis=1)
    return np.stack([own / np.linalg.norm(own, axis=0) for own in (eye, feelers)]).astype(np.float32)


def lived(genomes: Genomes, body: Float[Array, "pixels sensors"], split: Split, lives: int, *, key: Key) -> LifetimeLog:
    """Every genome lives the same fresh lives, as its sensors tell it of them."""
    key_lives, key_run = jax.random.split(key)
    seen = sample_lives(TASK, split, lives, key=key_lives)

    def sensed(scenes: Array) -> Array:
        return scenes.reshape(*scenes.shape[:-2], 64) @ body

    seen = replace(seen, inputs=sensed(seen.inputs), probe_inputs=sensed(seen.probe_inputs))
    return evaluate_organism(ORGANISM, genomes, TASK, seen, SCHEDULE, key=key_run, chunk=Chunk(len(genomes), lives))


@cache
def evolver(generations: int) -> Any:
    """Compiled search: body, key, initial genome -> the centre of the search at its end."""

    @jax.jit
    def evolve(body: Array, key: Key, initial: Genome) -> Genome:
        def score(genomes: Genomes, *, key: Key) -> Array:
            return FITNESS(lived(genomes, body, "train", LIVES, key=key), SCHEDULE).mean(1)

        return maximise(score, SPEC.size, STRATEGY, generations, key=key, initial=initial)[1]

    return evolve


@jax.jit
def tested(genomes: Genomes, body: Array, key: Key) -> tuple[Array, Array]:
    """AULC (genomes,) and mean accuracy at each probe (genomes, probes) on classes never trained on."""
    log = lived(genomes, body, "test", 512, key=key)
    return -FITNESS(log, SCHEDULE).mean(1), log.score.mean(1)


def run(seed: int, budget: Budget) -> Measures:
    """AULC (bodies, arms) and accuracy (bodies, arms, probes) of the genomes of four searches, two with each body."""
    key_start, key_shuffle, key_test, *keys = jax.random.split(jax.random.key(seed), 7)
    start, bodies = SPEC.init(key=key_start), jnp.asarray(sensors())
    own, kin = (
        [evolver(budget["generations"])(body, key, start) for body, key in zip(bodies, pair, strict=True)]
        for pair in (keys[:2], keys[2:])
    )
    aulc, accuracy = [], []
    for i, body in enumerate(bodies):
        arms = jnp.stack([own[i], kin[i], own[1 - i], shuffle_genes(SPEC, own[i], key=key_shuffle), start])
        found = tested(arms, body, key_test)
        aulc.append(found[0])
        accuracy.append(found[1])
    return {"aulc": aulc, "accuracy": accuracy}


COLOURS = dict(zip(ARMS, ("#0b4f9e", "#8fb8de", "#c45a00", "0.55", "0.8"), strict=True))


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """A scene as both bodies sense it, and learning curves in each body."""
    accuracy, aulc = (np.array([m[name] for m in measures]) for name in ("accuracy", "aulc"))
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    grid = figure.add_gridspec(3, 3, width_ratios=(0.6, 1.6, 1.6))
    scene = np.asarray(sample_lives(TASK, "test", 1, key=jax.random.key(3)).inputs)[0, 0, 0]
    eye, feelers = (scene.ravel() @ own for own in sensors())
    for i, (title, picture) in enumerate({"the scene": scene, "by eye": eye.reshape(4, 4)}.items()):
        axis = figure.add_subplot(grid[i, 0])
        axis.imshow(picture, cmap="Greys")
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    axis = figure.add_subplot(grid[2, 0])
    axis.bar(np.arange(SENSORS), feelers, color=["0.3"] * 8 + ["0.6"] * 8)
    axis.set_title("by feelers (rows, columns)", fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
    panels = []
    for body, name in enumerate(BODIES):
        axis = figure.add_subplot(grid[:, 1 + body], sharey=panels[0] if panels else None)
        for i, arm in enumerate(ARMS):
            label = f"{arm}, AULC {aulc[:, body, i].mean():.2f}"
            band(axis, SCHEDULE, accuracy[:, body, i], color=COLOURS[arm], label=label)
        axis.axhline(1 / TASK.ways, color="0.85", linestyle=":", linewidth=1, zorder=0)
        axis.set_title(f"Life with {'an eye' if name == 'eye' else name}; expected: own above foreign", loc="left", fontsize=10)
        axis.set_xlabel("samples a class")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(title="genome", frameon=False, fontsize=8)
        panels.append(axis)
    panels[0].set_ylabel("accuracy on classes never trained on")
    return figure


def above(arm: str, than: str, body: int) -> Any:
    """Effect: AULC of one arm less another's in a body, or the mean of both bodies if it is 2."""
    i, j = ARMS.index(arm), ARMS.index(than)
    return lambda m: float(np.mean([m["aulc"][b][i] - m["aulc"][b][j] for b in ((0, 1) if body == 2 else (body,))]))


CLAIM = Claim(
    number=25,
    name="umwelt",
    words="Every biological orgnaism lives on the same planet but perceive its own world differently? Why? A cockroach's reality "
    "about the world is not the same as a human's.",
    hypothesis="Genomes that evolved in one world with different sensors do not fit each other's bodies.",
    varies="sensors during evolution, and sensors in life",
    arms=ARMS,
    measure="AULC: mean loss over a life on classes never trained on",
    smallest="two bodies of sixteen fixed linear sensors and a nervous system of 504 synapses; sensors do not evolve, and "
    "neither body acts on its world",
    contrasts=(
        Contrast("foreign less own, eye", above("foreign", "own", 0), "+", 0.05, "nats"),
        Contrast("foreign less own, feelers", above("foreign", "own", 1), "+", 0.05, "nats"),
        Contrast("kin less own, both bodies", above("kin", "own", 2), "0", 0.03, "nats", decides=False,
                 note="another search with the same sensors: the sensors matter, not the lineage"),
        Contrast("random less foreign, both bodies", above("random", "foreign", 2), "+", 0.05, "nats", decides=False,
                 note="what is common to both umwelten"),
        Contrast("shuffled less own, both bodies", above("shuffled", "own", 2), "+", 0.05, "nats", decides=False),
    ),
    budgets={
        name: Budget(
            seeds,
            f"two searches a body of {generations} generations x {STRATEGY.population} genomes x {LIVES} lives; 512 test lives",
            {"generations": generations},
        )
        for name, seeds, generations in (("quick", 3, 150), ("full", 10, 400))
    },
    run=run,
    draw=draw,
)  # fmt: skip
