"""Claim 15: blind variation and selection. Is either enough, where the way to the goal leads away from it?

Independent variable: what a search is made of. A walker on a plane, whose network of 2-8-2 says at every place where to go,
has 80 steps to reach a goal behind a cul-de-sac that it starts in (after Lehman & Stanley 2011, whose maze is larger): going
straight ends in the trap at a good half of the way, and the ways around begin by going back. Without the wall, the same world
deceives nobody. Weights are genes; fitness is progress, 1 less the distance left over the distance at the start. A pilot
(seeds 100 to 103) made the wall long enough that neither random search nor the gradient always gets around it; *both* had
then been seen only behind a shorter one, where it did about as well as the gradient.

Arms, each with as many evaluations, from the same 64 random genomes: *both* (a quarter survives by progress, offspring are
mutated), *variation alone* (parents at random, mutated: drift), *selection alone* (survivors copied, nothing new),
*gradient* (64 genomes by Adam through the physics, a gradient counted as one evaluation, the best of three rates by its
result, which favours it), *random search* (fresh genomes all the time), *novelty* (survival by distance to where others have
ended, blind to the goal). The measure is the progress of the best genome evaluated at any time, so that a search that keeps
nothing is still given its best.

Expected, before the run: behind the wall both is better than variation alone, than selection alone and than the gradient,
which is stopped by the trap. Reported, with no say in the verdict: random search below both, novelty above it.
"""

from functools import cache
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.network import forward
from evodev.substrate import mlp
from evodev.types import Array, Genome, Genomes, Key, Scalar

STEPS, SPEED, POPULATION, SURVIVORS, NEAREST, KEPT = 80, 0.08, 64, 16, 10, 4
START, GOAL = (0.0, -0.5), (0.0, 0.8)
WALLS = ((-0.7, 0.3, 0.7, 0.42), (-0.82, -0.8, -0.7, 0.42), (0.7, -0.8, 0.82, 0.42))
"""Rectangles (left, low, right, high), thicker than a step is long."""
RATES = (0.01, 0.1, 0.5)
SUBSTRATE, DECODER = mlp((2, 8, 2), activation="tanh"), Decoder(CellTypes(), Direct(), AllSynapses())
SPEC = DECODER.genome_spec(SUBSTRATE)
WORLDS = {"behind the wall": 1.0, "open field": 0.0}
COLOURS = {
    "both": "#0b4f9e", "variation alone": "#c45a00", "selection alone": "#9b2d7a", "gradient": "#22262b",
    "random search": "#6b7280", "novelty": "#2a7f4f",
}  # fmt: skip


class Made(NamedTuple):
    """What a search is made of: by what survivors are chosen (weights of progress, novelty and chance), how strongly
    offspring are mutated, and whether all genomes are drawn afresh instead."""

    progress: float
    novelty: float
    chance: float
    mutation: float
    fresh: float = 0.0


MADE = {
    "both": Made(1.0, 0.0, 0.0, 0.3),
    "variation alone": Made(0.0, 0.0, 1.0, 0.3),
    "selection alone": Made(1.0, 0.0, 0.0, 0.0),
    "random search": Made(0.0, 0.0, 1.0, 0.0, 1.0),
    "novelty": Made(0.0, 1.0, 0.0, 0.3),
}


def walk(genome: Genome, walled: Array) -> Array:
    """Where a genome's network leads, step by step (STEPS, 2); along walls it slides."""
    network = DECODER.grow(genome, SUBSTRATE, key=jax.random.key(0))
    walls = jnp.array(WALLS)

    def free(place: Array) -> Array:
        inside = (place > walls[:, :2]).all(1) & (place < walls[:, 2:]).all(1)
        return ~(inside.any() & (walled > 0)) & (jnp.abs(place) <= 1).all()

    def step(place: Array, _: None) -> tuple[Array, Array]:
        move = SPEED * jnp.tanh(forward(SUBSTRATE, network, place[None])[0])
        for axis in range(2):
            there = place + jnp.where(jnp.arange(2) == axis, move, 0.0)
            place = jnp.where(free(there), there, place)
        return place, place

    return jax.lax.scan(step, jnp.array(START), None, STEPS)[1]


def progress(end: Array) -> Scalar:
    """1 at the goal, 0 as far from it as the start."""
    left, whole = end - jnp.array(GOAL), np.subtract(GOAL, START)
    # smooth at the goal itself
    return 1 - jnp.sqrt((left**2).sum() + 1e-8) / float(np.hypot(*whole))


@cache
def evolver(generations: int) -> Any:
    """Compiled searches, one of each a :class:`Made`: best progress so far (searches, generations), last ends, best walk."""

    def search(made: Made, walled: Array, key: Key) -> tuple[Array, Array, Array]:
        def generation(carry: Any, now: tuple[Array, Key]) -> tuple[Any, tuple[Array, Array]]:
            genomes, archive, best, champion = carry
            number, key = now
            key_chance, key_parent, key_mutate, key_fresh = jax.random.split(key, 4)
            ends = jax.vmap(lambda g: walk(g, walled)[-1])(genomes)
            reached = jax.vmap(progress)(ends)
            top = reached.argmax()
            champion = jnp.where(reached[top] > best, genomes[top], champion)
            others = jnp.concatenate([ends, archive])
            apart = jnp.linalg.norm(ends[:, None] - others, axis=-1)
            # the nearest of all is the walker itself
            novelty = -jax.lax.top_k(-apart, NEAREST + 1)[0].mean(1)
            worth = made.progress * reached + made.novelty * novelty
            worth = worth + made.chance * jax.random.uniform(key_chance, (POPULATION,))
            parents = genomes[jax.lax.top_k(worth, SURVIVORS)[1]]
            born = parents[jax.random.randint(key_parent, (POPULATION,), 0, SURVIVORS)]
            born = born + made.mutation * jax.random.normal(key_mutate, born.shape)
            genomes = jnp.where(made.fresh > 0, crowd(key_fresh), born)
            archive = jax.lax.dynamic_update_slice(archive, ends[:KEPT], (number * KEPT, 0))
            best = jnp.maximum(best, reached[top])
            return (genomes, archive, best, champion), (best, ends)

        key_start, key_run = jax.random.split(key)
        first = crowd(key_start)
        carry = first, jnp.full((generations * KEPT, 2), 100.0), jnp.asarray(-jnp.inf), first[0]
        moments = jnp.arange(generations), jax.random.split(key_run, generations)
        (_, _, _, champion), (best, ends) = jax.lax.scan(generation, carry, moments)
        return best, ends[-1], walk(champion, walled)

    return jax.jit(jax.vmap(search, in_axes=(0, None, None)))


def crowd(key: Key) -> Genomes:
    """As many random genomes as live at a time."""
    return jax.vmap(lambda k: SPEC.init(key=k))(jax.random.split(key, POPULATION))


@cache
def descender(generations: int) -> Any:
    """Compiled gradient ascent of every first genome, one of each a rate; returns what :func:`evolver` does."""

    def descend(rate: Array, walled: Array, key: Key) -> tuple[Array, Array, Array]:
        adam = optax.scale_by_adam()
        climb = jax.vmap(jax.value_and_grad(lambda g: (progress(end := walk(g, walled)[-1]), end), has_aux=True))

        def update(carry: Any, _: None) -> tuple[Any, tuple[Array, Array]]:
            genomes, memory, best, champion = carry
            (reached, ends), gradient = climb(genomes)
            top = reached.argmax()
            champion = jnp.where(reached[top] > best, genomes[top], champion)
            best = jnp.maximum(best, reached[top])
            change, memory = adam.update(jnp.nan_to_num(gradient), memory)
            return (genomes + rate * jnp.asarray(change), memory, best, champion), (best, ends)

        first = crowd(jax.random.split(key)[0])
        carry = first, adam.init(first), jnp.asarray(-jnp.inf), first[0]
        (_, _, _, champion), (best, ends) = jax.lax.scan(update, carry, None, generations)
        return best, ends[-1], walk(champion, walled)

    return jax.jit(jax.vmap(descend, in_axes=(0, None, None)))


def run(seed: int, budget: Budget) -> Measures:
    """All arms in both worlds: best progress by generation, the last generation's ends, the best walk."""
    generations, out = budget["generations"], {}
    key = jax.random.fold_in(jax.random.key(15), seed)
    made = jax.tree.map(lambda *x: jnp.array(x), *MADE.values())
    for world, walled in WORLDS.items():
        evolved = [np.asarray(x) for x in evolver(generations)(made, jnp.asarray(walled), key)]
        descended = [np.asarray(x) for x in descender(generations)(jnp.array(RATES), jnp.asarray(walled), key)]
        best_rate = descended[0][:, -1].argmax()
        every = {arm: [x[i] for x in evolved] for i, arm in enumerate(MADE)} | {"gradient": [x[best_rate] for x in descended]}
        out[world] = {
            arm: {"best": best.round(4), "ends": ends.round(3), "walk": path.round(3)}
            for arm, (best, ends, path) in every.items()
        }
    return out


def best(measures: Measures, arm: str, world: str = "behind the wall") -> float:
    """Progress of the best genome that an arm has evaluated."""
    return measures[world][arm]["best"][-1]


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """A map an arm with the last generation's ends and the best walks; best progress over evaluations, and at the end."""
    figure = Figure(figsize=(14, 6.8), layout="constrained")
    top, bottom = cast(Any, figure.subfigures(2, 1, height_ratios=(1, 1.25)))
    maps, panels = top.subplots(1, 6), bottom.subplots(1, 3)
    for axis, (arm, colour) in zip(maps, COLOURS.items(), strict=True):
        for left, low, right, high in WALLS:
            axis.add_patch(Rectangle((left, low), right - left, high - low, color="0.6", lw=0))
        ends = np.concatenate([m["behind the wall"][arm]["ends"] for m in measures])
        axis.scatter(*ends.T, s=3, color=colour, alpha=0.25, lw=0)
        for m in measures:
            axis.plot(*np.array([START, *m["behind the wall"][arm]["walk"]]).T, color=colour, lw=0.8, alpha=0.7)
        # dots: where the last generation ends; lines: the best walk of each search
        axis.plot(*START, "o", color="#22262b", ms=5)
        axis.plot(*GOAL, "*", color="#22262b", ms=12)
        axis.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal", xticks=[], yticks=[], title=arm)
    for axis, world in zip(panels, WORLDS, strict=False):
        for arm, colour in COLOURS.items():
            curves = np.array([m[world][arm]["best"] for m in measures])
            band(axis, POPULATION * np.arange(1, curves.shape[1] + 1), curves, color=colour, marker="")
        axis.set(xscale="log", title=world, xlabel="evaluations", ylabel="progress of the best so far", ylim=(0.5, 1.03))
        if world == "behind the wall":
            trap = 1 - (GOAL[1] - WALLS[0][1]) / (GOAL[1] - START[1])
            axis.axhline(trap, color="0.6", lw=0.8, ls=":")
            axis.text(1.01, trap, "the trap", transform=axis.get_yaxis_transform(), fontsize=8, va="center", color="0.4")
        axis.spines[["top", "right"]].set_visible(False)
    axis = panels[2]
    for i, (arm, colour) in enumerate(COLOURS.items()):
        points(axis, i, [best(m, arm) for m in measures], along="x", color=colour)
    axis.set_yticks(range(len(COLOURS)), list(COLOURS))
    axis.invert_yaxis()
    axis.set(xlabel="progress of the best, behind the wall", title="At the end", xlim=(0.5, 1.03))
    axis.spines[["top", "right"]].set_visible(False)
    top.supylabel("last ends (dots), best walks", fontsize=9)
    figure.suptitle(
        f"What a search is made of, where the way leads back first ({len(measures)} searches an arm; expected: both leads)"
    )
    return figure


CLAIM = Claim(
    number=15, name="variation",
    words="Neither stage works alone. Blind variation alone is noise. Selection alone converges to local optima.",
    hypothesis="Where the way to the goal leads away from it, variation with selection beats each alone, and the gradient.",
    varies="what a search is made of: blind variation, selection, both, a gradient, fresh draws, novelty",
    arms=tuple(COLOURS),
    measure="progress towards the goal of the best genome evaluated at any time",
    smallest="A walker with 42 weights and one deceptive wall: as small as deception comes; what language models propose, which "
    "the essay has in mind, is not asked.",
    contrasts=(
        Contrast("both less variation alone", lambda m: best(m, "both") - best(m, "variation alone"), "+", 0.1, "progress"),
        Contrast("both less selection alone", lambda m: best(m, "both") - best(m, "selection alone"), "+", 0.1, "progress"),
        Contrast("both less gradient", lambda m: best(m, "both") - best(m, "gradient"), "+", 0.1, "progress"),
        Contrast("both less random search", lambda m: best(m, "both") - best(m, "random search"), "+", 0.1, "progress",
                 decides=False),
        Contrast("novelty less both", lambda m: best(m, "novelty") - best(m, "both"), "+", 0.1, "progress", decides=False),
        Contrast("gradient, open field less behind the wall",
                 lambda m: best(m, "gradient", "open field") - best(m, "gradient"), "+", 0.1, "progress", decides=False,
                 note="that the world deceives"),
    ),
    budgets={
        "quick": Budget(6, "64 genomes x 100 generations an arm", {"generations": 100}),
        "full": Budget(20, "64 genomes x 200 generations an arm", {"generations": 200}),
    },
    run=run, draw=draw,
)  # fmt: skip
