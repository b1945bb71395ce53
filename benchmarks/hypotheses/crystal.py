"""Claim 7: the crystal. How much plasticity does evolution leave, in a world that lasts so long?

Independent variable: how long a world lasts, from one step of learning over a life of 32 steps to many lives and for ever.
A generation is a life long, so a world of 64 lives reigns over 64 generations before the next is drawn. World, network,
learner and strategy are those of ``benchmarks.lives.crystal``: a network of 3-8-1, its weights, rates and gates all genes,
predicts a teacher's noisy answers before it learns from them. There worlds that outlast a life were only the frozen one.

Measures, on held-out lives: the ablation loss, what switching learning off adds to the squared error of predictions (1 is
ignorance); the evolved rate (gate x rate, mean over weights). Within-life worlds are tested with teachers of a width never
trained on; worlds that outlast a life are tested in the one that reigns when the search ends, at a phase of its reign that
differs from seed to seed. Controls: the same genomes with learning off, and the random genomes that searches started from.

Expected, before the run: an inverted U. Learning is worth nothing (ablation loss, rate) where the world is frozen and
where it is new at every step, and much between. Worlds that outlast a life are expected to fall between a life and for
ever, lower the longer they last, without a sign that decides. The earlier experiment (8 seeds, 800 generations) had this
shape; keys here are others and searches shorter.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.lives.crystal import FITNESS, LIVES, SCHEDULE, SPEC, STEPS, STRATEGY, TEST_LIVES, capacity, lived, rigid, world
from evodev.strategies import maximise
from evodev.tasks import Life, Split, Switching
from evodev.types import Array, Genomes, Key

NOISE = 0.5
EVER = 1 << 20
"""Steps that no search reaches the end of."""
LEARNING, RIGID, BORN = "#0b4f9e", "#22262b", "#c45a00"


@dataclass(frozen=True)
class Lasting(Switching):
    """Worlds that last any number of steps, known only to the running program, so that all searches are one program.

    Attributes:
        lasts: steps of a world; beyond a life it is the one of ``reign``, the same in all lives and families.
        reign: key of that world.
    """

    lasts: Any = STEPS
    reign: Any = None

    def sample(self, split: Split, *, key: Key) -> Life:
        key_worlds, key_order, key_noise = jax.random.split(key, 3)
        own = jax.vmap(lambda k: self.task.sample(split, key=k))(jax.random.split(key_worlds, STEPS))
        # as in Switching the last world of a life always reigns for a whole period
        visited = (jnp.arange(STEPS) + -STEPS % self.lasts) // self.lasts
        outlasting, order = self.task.sample("train", key=self.reign), jax.random.permutation(key_order, STEPS)

        def seen(many: Array, one: Array) -> Array:
            return jnp.where(self.lasts > STEPS, one[order], many[visited, jnp.arange(STEPS)])

        targets = seen(own.targets, outlasting.targets)
        return Life(
            seen(own.inputs, outlasting.inputs),
            targets + self.noise * jax.random.normal(key_noise, targets.shape),
            outlasting.probe_inputs,
            outlasting.probe_targets,
        )


@cache
def experience(generations: int) -> Any:
    """Compiled search and test: seed, steps that a world lasts -> excess losses (4,) and log10 rates (2,).

    Losses are of the search's centre, of its start, and of both with learning switched off; rates of centre and start.
    """

    @jax.jit
    def run(seed: Array, lasts: Array) -> tuple[Array, Array]:
        root = jax.random.fold_in(jax.random.key(7), seed)
        key_start, key_run, key_reign, key_test = jax.random.split(root, 4)
        reigns = jnp.maximum(lasts // STEPS, 1)
        # spread evenly over seeds: where in the last world's reign the search ends
        phase = (reigns * ((0.618 * (seed + 1)) % 1.0)).astype(jnp.int32)

        def at(generation: Array) -> Lasting:
            base = world(STEPS, NOISE, 0)
            reign = jax.random.fold_in(key_reign, (generation + phase) // reigns)
            return Lasting(base.task, STEPS, noise=NOISE, lasts=lasts, reign=reign)

        def score(genomes: Genomes, *, key: Key, generation: Array) -> Array:
            return FITNESS(lived(genomes, at(generation), "train", LIVES, key=key), SCHEDULE).mean(1)

        start = SPEC.init(key=key_start)
        end = maximise(score, SPEC.size, STRATEGY, generations, key=key_run, initial=start, numbered=True)[1]
        genomes = jnp.stack([end, start, rigid(end), rigid(start)])
        log = lived(genomes, at(jnp.asarray(generations - 1)), "test", TEST_LIVES, key=key_test)
        return -FITNESS(log, SCHEDULE).mean(1) - NOISE**2, jnp.log10(jnp.stack([capacity(end), capacity(start)]))

    return run


def run(seed: int, budget: Budget) -> Measures:
    """A search for each duration; lists have an entry a duration."""
    found = [experience(budget["generations"])(jnp.asarray(seed), jnp.asarray(lasts)) for lasts in budget["lasts"]]
    loss, rate = (np.array([np.asarray(f[i]) for f in found], np.float64) for i in (0, 1))
    return {
        "lasts": list(budget["lasts"]), "evolved": loss[:, 0], "rigid": loss[:, 2], "ablation": loss[:, 2] - loss[:, 0],
        "random ablation": loss[:, 3] - loss[:, 1], "rate": rate[:, 0], "random rate": rate[:, 1],
    }  # fmt: skip


def at(measures: Measures, what: str, lasts: int) -> float:
    """A measure where worlds last so long."""
    return measures[what][measures["lasts"].index(lasts)]


def named(lasts: int) -> str:
    """A duration in words."""
    if lasts >= EVER:
        return "for ever"
    return f"{lasts}" if lasts < STEPS else "a life" if lasts == STEPS else f"{lasts // STEPS} lives"


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """What learning is worth, what genes allow, and how well worlds are predicted, against how long they last."""
    figure = Figure(figsize=(12.5, 4.4), layout="constrained")
    panels = figure.subplots(1, 3)
    lasts = measures[0]["lasts"]
    x, ticks = np.arange(len(lasts)), [named(p) for p in lasts]
    shown = (
        (panels[0], "ablation", LEARNING, "evolved", None), (panels[1], "rate", LEARNING, "evolved", 10.0),
        (panels[2], "evolved", LEARNING, "evolved", None), (panels[2], "rigid", RIGID, "the same, learning off", None),
    )  # fmt: skip
    for axis, what, colour, label, base in shown:
        band(axis, x, [m[what] for m in measures], color=colour, base=base, seeds=True, label=label)
    panels[0].set(title="What learning is worth", ylabel="squared error added by switching learning off")
    panels[0].axhline(0, color="0.7", lw=0.8, zorder=0)
    born = 10 ** np.median([m["random rate"] for m in measures])
    panels[1].axhline(born, color=BORN, ls=":", lw=1.2, label="random genome")
    panels[1].set(title="What the genes allow", ylabel="learning rate, mean over weights", yscale="log")
    panels[2].axhline(1, color="0.6", ls=":", lw=1, label="ignorant")
    panels[2].set(title="How well its world is predicted", ylabel="squared error above noise")
    for axis in panels:
        life = lasts.index(STEPS)
        axis.axvspan(life + 0.5, len(lasts) - 0.5, color="0.94", lw=0, zorder=-1)
        axis.text(life + 0.6, 0.98, "outlasts a life", transform=axis.get_xaxis_transform(), va="top", fontsize=8, color="0.4")
        axis.margins(y=0.12)
        axis.set_xticks(x, ticks, rotation=40, ha="right")
        axis.set(xlabel="how long a world lasts (steps of learning)", xlim=(-0.5, len(lasts) - 0.5))
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8.5, loc="upper left" if axis is panels[0] else "best")
    figure.suptitle(
        f"Frozen or too fast: plasticity is worth nothing ({len(measures)} searches a duration; expected: inverted U)"
    )
    return figure


_LONG = tuple(STEPS * lives for lives in (4, 16, 64, 256))
CLAIM = Claim(
    number=7, name="crystal",
    words="It wouldn't need adaptation, learning, or plasticity. All of those are responses to non-stationarity in the data.",
    hypothesis="Evolved plasticity is an inverted U in how long a world lasts: none where it is frozen or always new.",
    varies="steps of learning that a world lasts, from 1 to for ever; a life is 32",
    arms=("evolved", "evolved, learning switched off", "random genome", "random genome, learning switched off"),
    measure="squared error that switching learning off adds on held-out lives; evolved learning rate",
    smallest="A network of 49 synapses and biases on teacher networks, searches of tens of thousands of lives: enough for the "
    "shape of the curve, not for what memory or prediction would add in a richer world.",
    contrasts=(
        Contrast("learning's worth, worlds of 8 steps less new at every step",
                 lambda m: at(m, "ablation", 8) - at(m, "ablation", 1), "+", 0.1, "squared error"),
        Contrast("learning's worth, worlds of 8 steps less frozen",
                 lambda m: at(m, "ablation", 8) - at(m, "ablation", EVER), "+", 0.1, "squared error"),
        Contrast("evolved rate, worlds of 8 steps less frozen",
                 lambda m: at(m, "rate", 8) - at(m, "rate", EVER), "+", 0.5, "decades"),
        Contrast("evolved rate, worlds of 8 steps less new at every step",
                 lambda m: at(m, "rate", 8) - at(m, "rate", 1), "+", 0.5, "decades", decides=False),
        Contrast("learning's worth, worlds of a life less 64 lives",
                 lambda m: at(m, "ablation", STEPS) - at(m, "ablation", 64 * STEPS), "+", 0.1, "squared error", decides=False,
                 note="worlds that outlast a life but not for ever"),
        Contrast("learning's worth, worlds of 64 lives less frozen",
                 lambda m: at(m, "ablation", 64 * STEPS) - at(m, "ablation", EVER), "+", 0.1, "squared error", decides=False,
                 note="worlds that outlast a life but not for ever"),
    ),
    budgets={
        "quick": Budget(3, "6 searches of 150 generations x 64 genomes x 8 lives; 512 test lives",
                        {"generations": 150, "lasts": (1, 8, STEPS, 4 * STEPS, 64 * STEPS, EVER)}),
        "full": Budget(12, "11 searches of 400 generations x 64 genomes x 8 lives; 512 test lives",
                       {"generations": 400, "lasts": (1, 2, 4, 8, 16, STEPS, *_LONG, EVER)}),
    },
    run=run, draw=draw,
)  # fmt: skip
