"""Claim 5: are a trained matrix's directions more of a genome than its largest entries?

Teachers learn a hundred letters. Of their two hidden kernels so many bits are kept, in one of several ways, and a student is
born with what was kept, scaled alike, its read-out blank. It then learns ten letters from pictures that its teacher never
saw: letters that the teacher did not know (which decide), or ten that it knew.

Independent variable: what is kept within equal bits. Arms: the first singular directions, all of the same strength; the same
with their values; the largest entries (value and place), their signs and places, their places alone with fresh values; random
directions, as many; random directions with the trained singular values; a genome fitted to the kernels (GEM: what every neuron
expresses, and rules); weights distilled from the teacher's answers; and nothing. Every number is rounded to 4 bits, places
are paid for. Each arm's share of noise at birth and rate of learning are chosen on lives of their own.

Measure: accuracy on unseen pictures, mean over the life of 16 pictures a letter. Expected, before the run: directions are
better than the best of the three that read entries (+); they are better than random directions with the trained spectrum (+:
it is the directions); and yet most of the gain over nothing is the spectrum's (reported). Pilots on seeds from 100 on
chose sizes, the grid of rates and noise, and the teacher's weight decay (by its own accuracy on unseen pictures); in them
directions were worse than entries, which changed no expectation.
"""

from itertools import count
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.chains import Examples, Kernels, answer, cross_entropy, he, largest, letters, taught
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.analysis.extraction import WAYS, distilled, extract, fitted_genome, seeded
from evodev.compress import walk
from evodev.decoders import Decoder
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.substrate import mlp
from evodev.types import Array, Key, Scalar

SIZES, WAYS_OUT, KNOWN, PRECISION = (144, 64, 64), 10, 100, 4
BODY = mlp((*SIZES, WAYS_OUT), blank_readout=True)
KEPT, READOUT = tuple(p.name for p in BODY.grown), "hidden2->output"
SHOTS, PROBES, EVERY = 16, 8, 4
SHARES, RATES = (0.03, 0.1, 0.3, 1.0), (0.002, 0.006)
"""Share of a student's weights at birth that was kept, the rest being noise; rates of Adam."""
ENTRIES = ("magnitude", "signs", "mask")
ARMS = (*WAYS, "genome", "distilled")
FITTING, LEARNING = optax.adam(0.03), optax.adam(0.003)
TASKS = ("new letters", "known letters")
SHOWN, DRAWN = 0.5, ("directions", "magnitude", "genome", "spectrum")
"""Bits a weight, and arms, of which the figure shows what neurons are born with."""


def gem(genes: int) -> Decoder:
    """What every neuron expresses, and the rules between genes."""
    return Decoder(ExpressionTable(genes), Bilinear(), AllSynapses())


def kept(arm: str, teacher: Kernels, pictures: Array, bits: int, seed: int) -> tuple[Kernels, int]:
    """What an arm keeps of the teacher's hidden kernels, and the bits it takes."""
    body, key = {name: teacher[name] for name in KEPT}, jax.random.key(seed)
    if arm == "genome":
        decoder = largest(map(gem, count(1)), BODY, bits, PRECISION)
        if decoder is None:
            return jax.tree.map(jnp.zeros_like, body), 0
        found = fitted_genome(decoder, BODY, body, bits, precision=PRECISION, steps=400, key=key, optimiser=FITTING)
    elif arm == "distilled":
        options: dict[str, Any] = {"precision": PRECISION, "steps": 600, "key": key, "optimiser": LEARNING}
        found = distilled(teacher, answer, pictures, bits, names=KEPT, **options)
    else:
        found = extract(body, arm, bits, precision=PRECISION, seed=seed)
    return found.kernels, found.total


def life(body: Kernels, share: Scalar, rate: Scalar, pictures: Array, key: Key) -> Array:
    """Accuracy of a student on its unseen pictures, after each few of its shots; ``pictures`` are (letters, pictures, pixels)."""
    labels = jnp.arange(WAYS_OUT)
    shots, probes = pictures[:, :SHOTS].swapaxes(0, 1), pictures[:, SHOTS:].swapaxes(0, 1)
    student = seeded(body, share=share, key=key) | {READOUT: jnp.zeros((SIZES[-1], WAYS_OUT))}
    optimiser = optax.adam(rate)

    def loss(student: Kernels, step: Array, *, key: Key) -> Scalar:
        return cross_entropy(answer(student, shots[step]), labels)

    def some(carry: Any, steps: Array) -> tuple[Any, Scalar]:
        student, memory, _ = walk(loss, carry[0], carry[1], optimiser, (steps, jax.random.split(key, EVERY)))
        right = answer(student, probes.reshape(-1, SIZES[0])).reshape(PROBES, WAYS_OUT, WAYS_OUT).argmax(-1) == labels
        return (student, memory), right.mean()

    return jax.lax.scan(some, (student, optimiser.init(student)), jnp.arange(SHOTS).reshape(-1, EVERY))[1]


@jax.jit
def lives(bodies: Kernels, shares: Array, rates: Array, pictures: Array, keys: Array) -> Array:
    """Accuracies (cells, settings, lives, probes): every body with each of its settings (cells, settings) in the same lives."""
    each = jax.vmap(jax.vmap(life, (None, None, None, 0, 0)), (None, 0, 0, None, None))
    return jax.lax.map(lambda cell: each(cell[0], cell[1], cell[2], pictures, keys), (bodies, shares, rates))


def drawn(bank: np.ndarray, among: np.ndarray, many: int, rng: np.random.Generator) -> Array:
    """Pictures (lives, letters, pictures, pixels) of ten letters a life, in random order."""
    out = np.stack([bank[rng.choice(among, WAYS_OUT, replace=False)] for _ in range(many)])
    return jnp.asarray(out[:, :, rng.permutation(out.shape[2])])


def run(seed: int, budget: Budget) -> Measures:
    """One teacher, and a student of every arm at every budget, in lives of both kinds."""
    rng, bank = np.random.default_rng(seed), letters()
    order, half = rng.permutation(len(bank)), bank.shape[1] // 2
    bank = bank[:, rng.permutation(bank.shape[1])]
    known, spare, new = np.split(order, [KNOWN, KNOWN + 60])
    inputs = jnp.asarray(bank[known, :half].reshape(-1, SIZES[0]))
    key_born, key_taught, key_lives = jax.random.split(jax.random.key(seed), 3)
    data = Examples(inputs, jnp.repeat(jnp.arange(KNOWN), half))
    teacher = taught(he((*SIZES, KNOWN), key=key_born), data, answer, budget["teaching"], 0.003, 0.5, key=key_taught)
    unseen = answer(teacher, jnp.asarray(bank[known, half:].reshape(-1, SIZES[0])))
    weights = sum(teacher[name].size for name in KEPT)
    found = {arm: [kept(arm, teacher, inputs, int(level * weights), seed) for level in budget["levels"]] for arm in ARMS}
    # a cell for each arm and budget, and one that keeps nothing
    cells = [*(body for own in found.values() for body, _ in own), {name: jnp.zeros_like(teacher[name]) for name in KEPT}]
    bodies = {name: jnp.stack([body[name] for body in cells]) for name in KEPT}
    settings = np.stack(np.meshgrid(SHARES, RATES, indexing="ij"), -1).reshape(-1, 2)
    grid = np.broadcast_to(settings, (len(cells), *settings.shape))

    def by_arm(values: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(ARMS, values[:-1].reshape(len(ARMS), len(budget["levels"]), *values.shape[1:]), strict=True))

    measures: Measures = {"teacher": (unseen.argmax(1) == data.labels).mean(), "weights": weights}
    measures["bits"] = {arm: [bits for _, bits in own] for arm, own in found.items()}
    for i, (task, tuning, among) in enumerate(zip(TASKS, (spare, known), (new, known), strict=True)):
        tune, test = (drawn(bank[:, half:], of, budget[n], rng) for of, n in ((tuning, "tuning"), (among, "lives")))
        keys = jax.random.split(jax.random.fold_in(key_lives, i), len(tune) + len(test))
        tuned = np.asarray(lives(bodies, grid[..., 0], grid[..., 1], tune, keys[: len(tune)])).mean((2, 3))
        best = settings[tuned.argmax(1)][:, None]
        curves = np.asarray(lives(bodies, best[..., 0], best[..., 1], test, keys[len(tune) :])).mean((1, 2))
        measures[task] = {"nothing": curves[-1], **by_arm(curves)}
        measures[f"{task}, tuned"] = by_arm(tuned.max(1))
    shown = {arm: found[arm][budget["levels"].index(SHOWN)][0] for arm in DRAWN}
    measures["fields"] = {arm: body[KEPT[0]][:, :6].T for arm, body in {"teacher": teacher, **shown}.items()}
    return measures


def score(m: Measures, arm: str, task: str = TASKS[0]) -> np.ndarray:
    """Accuracy (budgets,), mean over the life."""
    return np.mean(m[task][arm], axis=-1) + np.zeros(len(m["bits"][ARMS[0]]))


def over_entries(m: Measures, task: str = TASKS[0]) -> np.ndarray:
    """What directions are better (budgets,) than the best way to keep entries, which is chosen on the lives that tuned it."""
    chosen = np.argmax([m[f"{task}, tuned"][arm] for arm in ENTRIES], axis=0)
    entries = np.stack([score(m, arm, task) for arm in ENTRIES])[chosen, np.arange(len(chosen))]
    return score(m, "directions", task) - entries


def gain(own: str, other: str, task: str = TASKS[0]) -> Any:
    """The effect of one arm over another, mean over budgets."""
    return lambda m: float((score(m, own, task) - score(m, other, task)).mean())


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Accuracy against bits, what directions add to the spectrum, and what neurons are born with."""
    figure = Figure(figsize=(13.5, 7.6), layout="constrained")
    upper, lower = cast(Any, figure).subfigures(2, 1, height_ratios=(2.5, 1))
    panels = upper.subplots(1, 3, width_ratios=(1.15, 1.15, 1))
    x = np.array(budget["levels"]) / 32
    styles = {
        "directions": ("singular directions", "#0b4f9e", "-", "o"), "low rank": ("with their values", "#5b9bd5", "-", "o"),
        "magnitude": ("largest entries", "#c45a00", "-", "s"), "signs": ("their signs", "#e8a15c", "-", "s"),
        "mask": ("their places alone", "#e8a15c", ":", "s"), "distilled": ("distilled weights", "#2e7d32", "-", "^"),
        "genome": ("fitted genome", "#7b2d8b", "-", "D"), "spectrum": ("spectrum, random directions", "0.35", "--", None),
        "random directions": ("random directions", "0.65", "--", None), "nothing": ("nothing", "k", ":", None),
    }  # fmt: skip
    for axis, task in zip(panels, TASKS, strict=False):
        for arm, (label, colour, line, marker) in styles.items():
            values = 100 * np.array([score(m, arm, task) for m in measures])
            style = {"color": colour, "label": label, "linestyle": line, "marker": marker}
            if arm in ("directions", "magnitude", "distilled"):
                band(axis, x, values, **style)
            else:
                axis.plot(x, values.mean(0), markersize=4, **style)
        axis.set_xscale("log", base=2)
        axis.set_xticks(x, [f"1/{round(1 / part)}" for part in x])
        axis.set_xlabel("bits kept, as a share of the teacher's 32 a weight")
        axis.set_ylabel("accuracy, mean over 16 pictures a letter (%)")
        axis.set_title(f"Students of {task}", loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    upper.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncol=10, frameon=False, fontsize=8,
                 columnspacing=1.2, handlelength=1.8)  # fmt: skip
    axis = panels[2]
    bars = {
        "directions\nless largest entries": lambda m, t: over_entries(m, t).mean(),
        "directions less\nrandom, same spectrum": lambda m, t: gain("directions", "spectrum", t)(m),
        "spectrum alone\nless nothing": lambda m, t: gain("spectrum", "nothing", t)(m),
    }
    for row, effect in enumerate(bars.values()):
        for task, colour, shift in zip(TASKS, ("#0b4f9e", "#8fb8de"), (0.14, -0.14), strict=True):
            own = 100 * np.array([effect(m, task) for m in measures])
            points(axis, row + shift, own, along="x", color=colour)
        axis.text(0.3, row + 0.33, "expected →", color="0.45", fontsize=8, va="center")
    axis.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(bars)), bars)
    axis.set_ylim(-0.5, len(bars) - 0.4)
    axis.set_xlabel("accuracy (points), mean over budgets;\ndark: new letters, light: known; dots are seeds")
    axis.set_title("What the bits are worth", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    titles = {"teacher": "the teacher", **{arm: styles[arm][0] for arm in DRAWN}}
    for axis, (arm, title) in zip(lower.subplots(1, len(titles)), titles.items(), strict=True):
        fields = np.asarray(measures[0]["fields"][arm]).reshape(2, 3, 12, 12)
        fields = fields / (np.abs(fields).max((2, 3), keepdims=True) + 1e-12)
        tiles = np.pad(fields, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan).transpose(0, 2, 1, 3).reshape(28, 42)
        axis.imshow(tiles, cmap="RdBu", vmin=-1, vmax=1)
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    said = f"What six neurons of the first layer see, in the teacher and as kept at 1/{round(32 / SHOWN)} of its bits"
    lower.suptitle(said, x=0.01, ha="left")
    return figure


CLAIM = Claim(
    number=5,
    name="svd",
    words="Magnitude-based extraction is like reading DNA by weighing nucleotides. [...] But the actual information is in the "
    "sequence, the pattern, the relationships. SVD reads the relationships.",
    hypothesis="Within equal bits, a trained network's singular directions make a better student than its largest weights.",
    varies="what is kept of trained weights, at 1/256 to 1/16 of their bits",
    arms=("directions", *ENTRIES, "low rank", "random directions", "spectrum", "genome", "distilled", "nothing"),
    measure="accuracy on unseen pictures, mean over a life of 16 pictures of each of ten letters",
    smallest="One hidden kernel, one life. This is two kernels of 13,312 weights; the essay speaks of language models, whose "
    "kernels are a hundred times as wide, so that a direction costs a far smaller share of the bits.",
    contrasts=(
        Contrast("directions less the best way to keep entries", lambda m: float(over_entries(m).mean()), expected="+",
                 margin=0.01, unit="accuracy"),
        Contrast("directions less random directions of the trained spectrum", gain("directions", "spectrum"),
                 expected="+", margin=0.01, unit="accuracy"),
        Contrast("gain of the spectrum alone less what directions add to it",
                 lambda m: gain("spectrum", "nothing")(m) - gain("directions", "spectrum")(m),
                 expected="+", margin=0.01, unit="accuracy", decides=False),
        Contrast("directions less the best way to keep entries, known letters",
                 lambda m: float(over_entries(m, TASKS[1]).mean()),
                 expected="+", margin=0.01, unit="accuracy", decides=False,
                 note="lives that tune and lives that test draw among the same pictures of the same letters"),
        Contrast("directions less the best way to keep entries, most bits",
                 lambda m: float(over_entries(m)[-1]),
                 expected="+", margin=0.01, unit="accuracy", decides=False),
        Contrast("directions less nothing", gain("directions", "nothing"), expected="+", margin=0.01, unit="accuracy",
                 decides=False),
        Contrast("directions less a fitted genome", gain("directions", "genome"), expected="+", margin=0.01, unit="accuracy",
                 decides=False),
        Contrast("directions less distilled weights", gain("directions", "distilled"), expected="-", margin=0.01, unit="accuracy",
                 decides=False),
    ),
    budgets={
        "quick": Budget(3, "a teacher, 3 budgets, 2 lives to tune each of 9 arms and 3 to test", {
            "levels": [0.125, 0.5, 2.0], "teaching": 800, "tuning": 2, "lives": 3}),
        "full": Budget(10, "a teacher, 5 budgets, 4 lives to tune each of 9 arms and 8 to test", {
            "levels": [0.125, 0.25, 0.5, 1.0, 2.0], "teaching": 1500, "tuning": 4, "lives": 8}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
