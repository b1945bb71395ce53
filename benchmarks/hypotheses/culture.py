"""Cultural transmission: what compounds over ten generations, and how it has to be passed on (claim 21).

A child is born of the same evolved genome in every generation, into a world (a teacher network) that outlives it. It lives
64 steps of 4 examples, the first half at school: there its parent answers, afterwards the world, whose answers are noisy.
At its death it is asked about 64 examples it never saw, and is the next child's parent. In regression an answer is an
example's label and its soft label at once. What is varied is what passes from parent to child, at equal samples a life:

- nothing: the world answers at school too, so that this child has twice as many examples of the world's own as a taught one;
- answers: the parent's, on fresh questions of the world;
- answers, scrambled: the same answers, each to another question (the control: teaching without meaning);
- nothing is said: at school nobody answers and nothing is learned (what the words add);
- weights (Lamarck): the child is born with the weights its parent died with, and the world answers at school;
- genome (Lamarck through the bottleneck): the parent's weights are fitted by its genome before it is passed on, so that what
  was learned has to go through a development of half as many numbers.

Expected, written before the run: where the world's answers are less reliable (noise of twice the signal), what parents say
compounds: taught children of the tenth generation err less than those whom the world taught as much, and less than those told
scrambled answers. Reported without deciding: they err less than those of the second generation; where the world's answers are
reliable, a parent's cannot be worth more (expected -); weights pass on more than answers, a genome less than weights.

A pilot on seed 100 set the noises, the length of a life and that half of it is school. All arms choose their pace at school and
after it, a factor on the evolved rates, from the same grid by the last generation's error in worlds of the validation
family. The genome was evolved alone: for the life in which nothing is passed on.
"""

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.compress import descend, target_weights, weight_error
from evodev.decoders import Decoder
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.learners import Gradient
from evodev.network import Network, forward
from evodev.organism import Organism
from evodev.strategies import Strategy, maximise
from evodev.substrate import mlp
from evodev.tasks import Life, Split, Teacher
from evodev.types import Array, Float, Genes, Genome, Genomes, Key, Scalar

FEATURES, HIDDEN, STEPS, SHOTS, PROBES, GENERATIONS = 4, 24, 64, 4, 64, 10
SCHOOL = STEPS // 2
NOISES = (0.5, 1.0, 2.0)
HARD = NOISES.index(2.0)
WORST = 10.0
ORGANISM = Organism(
    mlp((FEATURES, HIDDEN, 1), activation="tanh"),
    Decoder(CosineBasis((FEATURES, 12, 1)), Bilinear(scaled=True), AllSynapses()),
    Gradient(loss="squared_error", log_rate=-3.0, spread=1.5),
)
SUBSTRATE, LEARNER, SPEC = ORGANISM.substrate, ORGANISM.learner, ORGANISM.genome_spec
STRATEGY = Strategy("SNES", 64, sigma=0.3)
KEY = jax.random.key(0)
"""Neither this decoder nor this learner draws anything."""

SCRAMBLED = "answers, scrambled"
ARMS = ("nothing", "answers", SCRAMBLED, "nothing is said", "weights", "genome")
PACES = tuple(product((0.25, 0.5, 1.0, 2.0, 4.0, 8.0), (0.125, 0.25, 0.5, 1.0, 2.0)))
"""Factors on all rates at school and after it."""


def world(steps: int, split: Split, noise: Scalar, *, key: Key) -> Life:
    """One teacher's examples; what is learned from is noisy, what is probed is not."""
    task = Teacher(FEATURES, updates=steps, shots=SHOTS, probes=PROBES, train=(2, 4, 6), validation=(3,), test=(5,))
    life = task.sample(split, key=key)
    return replace(life, targets=life.targets + noise * jax.random.normal(jax.random.fold_in(key, 1), life.targets.shape))


def lived(genes: Genes, network: Network, inputs: Array, targets: Array, paces: Float[Array, " steps"]) -> Network:
    """The network after a life."""

    def step(state: Any, now: tuple[Array, Array, Scalar]) -> tuple[Any, None]:
        own = {name: value + jnp.log(now[2]) for name, value in genes.items()}
        return LEARNER.step(own, state, now[0], now[1], SUBSTRATE, key=KEY), None

    return jax.lax.scan(step, LEARNER.init(genes, network, SUBSTRATE, key=KEY), (inputs, targets, paces))[0].network


def error(network: Network, life: Life) -> Scalar:
    """Squared error on the probes; 0 is perfect, 1 ignorant."""
    off = jnp.mean((forward(SUBSTRATE, network, life.probe_inputs) - life.probe_targets) ** 2)
    return jnp.where(jnp.isfinite(off), jnp.minimum(off, WORST), WORST)


def grown(genome: Genome) -> Network:
    """What the decoder's part of a genome grows."""
    return ORGANISM.decoder.grow(genome, SUBSTRATE, key=KEY)


@cache
def evolver(generations: int) -> Any:
    """Compiled search for a genome whose network learns a noisy world in one life: seed, noise -> genome."""

    @jax.jit
    def evolve(seed: Array, noise: Scalar) -> Genome:
        key_start, key_run = jax.random.split(jax.random.key(seed))

        def score(genomes: Genomes, *, key: Key) -> Array:
            lives = jax.vmap(lambda k: world(STEPS, "train", noise, key=k))(jax.random.split(key, 8))

            def one(genome: Genome, life: Life) -> Scalar:
                network, genes = ORGANISM.develop(genome, key=KEY)
                return -error(lived(genes, network, life.inputs, life.targets, jnp.ones(STEPS)), life)

            return jax.vmap(lambda genome: jax.vmap(lambda life: one(genome, life))(lives).mean())(genomes)

        return maximise(score, SPEC.size, STRATEGY, generations, key=key_run, initial=SPEC.init(key=key_start))[1]

    return evolve


def lineage(genome: Genome, arm: Array, paces: Float[Array, "2"], life: Life) -> Float[Array, " generations"]:
    """Error of each generation at its death; the first has no parent, and the world answers at its school in every arm."""
    own, genes = ORGANISM.split(genome)
    answers, scrambled, silent, weights, through = (arm == ARMS.index(name) for name in ARMS[1:])
    school = jnp.arange(STEPS) < SCHOOL

    def generation(carry: tuple[Network, Genome, Array], now: tuple[Array, Array]) -> tuple[Any, Scalar]:
        parent, passed, index = carry
        inputs, targets = now
        said = forward(SUBSTRATE, parent, inputs.reshape(STEPS * SHOTS, FEATURES)).reshape(targets.shape)
        order = jax.random.permutation(jax.random.fold_in(KEY, index), SCHOOL * SHOTS)
        mixed = said[:SCHOOL].reshape(-1, 1)[order].reshape(SCHOOL, SHOTS, 1)
        said = jnp.where(scrambled, said.at[:SCHOOL].set(mixed), said)
        taught = school & (answers | scrambled) & (index > 0)
        pace = jnp.where(school, jnp.where(silent & (index > 0), 1e-9, paces[0]), paces[1])
        birth = jax.tree.map(lambda a, b: jnp.where(weights, a, b), parent, grown(jnp.where(through, passed, own)))
        child = lived(genes, birth, inputs, jnp.where(taught[:, None, None], said, targets), pace)
        return (child, jax.lax.cond(through, written_back, lambda child, genome: genome, child, passed), index + 1), error(
            child, life
        )

    def written_back(child: Network, passed: Genome) -> Genome:
        goal = target_weights(child, SUBSTRATE)

        def off(genome: Genome, progress: Scalar, *, key: Key) -> Scalar:
            return weight_error(grown(genome), goal, SUBSTRATE) ** 2

        return descend(off, passed, steps=40, key=KEY, optimiser=optax.adam(0.05))[0]

    shape = (GENERATIONS, STEPS, SHOTS, -1)
    lives = life.inputs.reshape(shape), life.targets.reshape(shape)
    return jax.lax.scan(generation, (grown(own), own, jnp.zeros((), int)), lives)[1]


@cache
def historian(split: Split, worlds: int) -> Any:
    """Compiled: genome, noise, arm numbers (n,) and their paces (n, 2) -> mean error over worlds (n, generations)."""

    @jax.jit
    def histories(genome: Genome, noise: Scalar, arms: Array, paces: Array, key: Key) -> Array:
        lives = jax.vmap(lambda k: world(GENERATIONS * STEPS, split, noise, key=k))(jax.random.split(key, worlds))

        # one arm at a time, so that only one of them is fitted
        def one(custom: tuple[Array, Array]) -> Array:
            return jax.vmap(lambda life: lineage(genome, *custom, life))(lives).mean(0)

        return jax.lax.map(one, (arms, paces))

    return histories


def run(seed: int, budget: Budget) -> Measures:
    """Errors (noises, arms, generations) of this seed's genomes in worlds never seen, and the paces that were chosen."""
    grid, numbers = jnp.array(PACES), jnp.arange(len(ARMS))
    errors, chosen = [], []
    for noise in NOISES:
        genome = evolver(budget["generations"])(seed, noise)
        key_tune, key_test = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1))
        arms, paces = jnp.repeat(numbers, len(grid)), jnp.tile(grid, (len(ARMS), 1))
        tuned = historian("validation", budget["worlds"])(genome, noise, arms, paces, key_tune)[:, -1]
        best = grid[tuned.reshape(len(ARMS), -1).argmin(1)]
        errors.append(historian("test", 4 * budget["worlds"])(genome, noise, numbers, best, key_test))
        chosen.append(best)
    return {"errors": errors, "paces": chosen}


def last(measures: Measures, arm: str, noise: int = HARD) -> float:
    """Error of the last generation."""
    return measures["errors"][noise][ARMS.index(arm)][-1]


COLOURS = dict(zip(ARMS, ("0.45", "#0b4f9e", "#8fb8de", "0.75", "#c45a00", "#e8a15c"), strict=True))


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Error over the generations where the world is least reliable, and of the last generation against reliability."""
    errors, ticks = np.array([m["errors"] for m in measures]), (0.02, 0.05, 0.1, 0.2, 0.5)
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for i, arm in enumerate(ARMS):
        for axis, x, values in (
            (left, np.arange(1, GENERATIONS + 1), errors[:, HARD, i]),
            (right, np.array(NOISES), errors[:, :, i, -1]),
        ):
            # scrambled answers are as good as none: dashed, so that both are seen
            style, order = ("--", 3) if arm == SCRAMBLED else ("-", 2)
            band(axis, x, values, color=COLOURS[arm], label=arm, linestyle=style, zorder=order)
    left.set_title(f"Ten generations, the world's noise {NOISES[HARD]:g} x the signal", loc="left")
    left.set_xlabel("generation")
    left.set_ylabel("error at death (share of ignorance)")
    left.legend(title="what a parent passes on", frameon=False, fontsize=8, ncols=2)
    right.set_title(
        "Tenth generation; expected: answers below nothing\nwhere the world is unreliable, above it where it is not", loc="left"
    )
    right.set_xlabel("noise of the world's own answers (signal = 1)")
    for axis in (left, right):
        axis.set_yscale("log")
        axis.set_yticks(ticks, [f"{t:g}" for t in ticks])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    left.set_xticks(np.arange(1, GENERATIONS + 1))
    right.set_xticks(NOISES)
    return figure


CLAIM = Claim(
    number=21,
    name="culture",
    words="What's the mandatory condition for tribal knowledge to compound rapidly?",
    hypothesis="Answers that parents give their children compound over generations, at equal samples a life, where a life's own "
    "experience is unreliable.",
    varies="what passes from parent to child, and the noise of the world's own answers",
    arms=ARMS,
    measure="squared error at death on unseen examples of the world, tenth generation, mean over worlds never seen",
    smallest="one pupil a parent, worlds of 4 numbers, 256 examples a life; no choice of whom to learn from, no teaching "
    "that was itself evolved, and language is a parent's number for a question",
    contrasts=(
        Contrast("nothing less answers, noise 2", lambda m: last(m, "nothing") - last(m, "answers"), "+", 0.02, "MSE"),
        Contrast("scrambled less answers, noise 2", lambda m: last(m, SCRAMBLED) - last(m, "answers"), "+", 0.02, "MSE"),
        Contrast(
            "answers, second generation less tenth, noise 2",
            lambda m: m["errors"][HARD][ARMS.index("answers")][1] - last(m, "answers"), "+", 0.02, "MSE", decides=False,
            note="paces are chosen for the tenth, which slows the second",
        ),
        Contrast(
            "nothing less answers, noise 0.5", lambda m: last(m, "nothing", 0) - last(m, "answers", 0), "-", 0.01, "MSE",
            decides=False, note="where the world is reliable, its answers are worth more than a parent's",
        ),
        Contrast(
            "nothing is said less answers, noise 2", lambda m: last(m, "nothing is said") - last(m, "answers"), "+", 0.02, "MSE",
            decides=False, note="what the words add to half as much experience",
        ),
        Contrast(
            "answers less weights, noise 2", lambda m: last(m, "answers") - last(m, "weights"), "+", 0.02, "MSE", decides=False,
            note="Lamarckian inheritance",
        ),
        Contrast(
            "genome less weights, noise 2", lambda m: last(m, "genome") - last(m, "weights"), "+", 0.005, "MSE", decides=False,
            note="what the bottleneck costs",
        ),
    ),
    budgets={
        name: Budget(
            seeds,
            f"for each of {len(NOISES)} noises a search of {generations} generations x {STRATEGY.population} genomes x 8 lives, "
            f"{len(PACES)} paces an arm tuned in {worlds} worlds, {4 * worlds} test worlds",
            {"generations": generations, "worlds": worlds},
        )
        for name, seeds, generations, worlds in (("quick", 3, 60, 16), ("full", 10, 200, 64))
    },
    run=run,
    draw=draw,
)  # fmt: skip
