"""Claim 13: the same world through an eye and an ear.

A latent of eight numbers is a cloud around one of sixteen prototypes, and means one of four things. The eye and the ear are the
two fixed invertible encoders of ``evodev.tasks.Modality``: what is seen and what is heard have every number changed and no
information lost. Identical perceptrons (8-32-32-4, relu, weights of their own) learn the meanings, one by eye, others by ear:

- *shared*: in the eye's world, so that what goes with what is the same;
- *relabelled*: where each prototype means something else, as learnable, but another statistical relation;
- *scrambled*: where each example has the meaning of another, drawn at random: inputs as before, no relation left;
- *untrained*: neither has learned anything. Both encoders are smooth, so that untrained networks are already somewhat alike;
- *same modality*: a second network by eye, the ceiling.

Alignment is the debiased linear CKA of the last hidden layer on fresh latents given to eye and ear at once. Beside it, what the
eye's read-out tells right when it is given the ear's hidden layer, turned by the best rotation (found on other latents, without
labels).

Expected, before the run: shared above untrained; scrambled no different from untrained. Pilots of other seeds (100 to 103) set
the size of the networks; what is only reported here they had shown before.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.comparison.mnist1d_arms import Params, born, dense_shapes, through
from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.analysis.spectra import cka
from evodev.report.style import spread
from evodev.tasks.modality import Encoder, encoded
from evodev.types import Array, Key

LATENTS, HIDDEN, PROTOTYPES, MEANINGS = 8, 32, 16, 4
NOISE, EXAMPLES, FRESH, BATCH = 0.3, 4096, 512, 64
LAYERS = ("input", "first hidden", "last hidden")
ARMS = ("shared", "relabelled", "scrambled", "untrained", "same modality")
"""What the eye's network is compared with."""
COLOURS = dict(zip(ARMS, ("#0b4f9e", "#3a8bc9", "#c45a00", "0.55", "0.2"), strict=True))
OPTIMISER = optax.adam(3e-3)


def codes(params: Params, x: Array) -> tuple[Array, Array, Array]:
    """Inputs and both hidden layers."""
    first = jax.nn.relu(through(params["hidden1"], x))
    return x, first, jax.nn.relu(through(params["hidden2"], first))


def learned(params: Params, x: Array, meaning: Array, steps: int, *, key: Key) -> Params:
    """Adam on batches drawn with replacement."""

    def loss(params: Params, x: Array, y: Array) -> Array:
        logits = through(params["output"], codes(params, x)[-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def step(carry: Any, key: Key) -> tuple[Any, None]:
        params, memory = carry
        rows = jax.random.randint(key, (BATCH,), 0, len(x))
        updates, memory = OPTIMISER.update(jax.grad(loss)(params, x[rows], meaning[rows]), memory)
        return (optax.apply_updates(params, updates), memory), None

    return jax.lax.scan(step, (params, OPTIMISER.init(params)), jax.random.split(key, steps))[0][0]


def turned(own: Array, other: Array) -> Array:
    """The rotation that brings ``other`` nearest to ``own``, both centred (orthogonal Procrustes)."""
    left, _, right = jnp.linalg.svd((other - other.mean(0)).T @ (own - own.mean(0)), full_matrices=False)
    return left @ right


@partial(jax.jit, static_argnames="steps")
def worlds(key: Key, steps: int) -> dict[str, dict[str, Array]]:
    """One world and its networks: alignment (arms, layers) with the eye's, and read-out and own accuracies (arms,)."""
    keys = dict(zip(("world", "draw", "fresh", "other", "label", "mix", "birth", "life"), jax.random.split(key, 8), strict=True))
    prototypes = jax.random.normal(keys["world"], (PROTOTYPES, LATENTS))
    even = jnp.arange(PROTOTYPES) % MEANINGS
    meaning, otherwise = (jax.random.permutation(k, even) for k in jax.random.split(keys["label"]))

    def drawn(count: int, *, key: Key) -> tuple[Array, Array]:
        key_which, key_noise = jax.random.split(key)
        which = jax.random.randint(key_which, (count,), 0, PROTOTYPES)
        return prototypes[which] + NOISE * jax.random.normal(key_noise, (count, LATENTS)), which

    latents, which = drawn(EXAMPLES, key=keys["draw"])
    fresh, truth = drawn(FRESH, key=keys["fresh"])
    other, _ = drawn(FRESH, key=keys["other"])

    def through_sense(sense: Encoder, latent: Array) -> Array:
        """Encoded, at mean 0 and deviation 1 over the examples that are learned from."""
        seen = encoded(latents, sense)
        return (encoded(latent, sense) - seen.mean(0)) / seen.std()

    senses: tuple[Encoder, ...] = ("eye", "ear", "ear", "ear", "eye")
    told = meaning[which]
    scrambled = jax.random.permutation(keys["mix"], told)
    labels = jnp.stack([told, told, otherwise[which], scrambled, told])
    seen, shown, shown_other = (jnp.stack([through_sense(s, z) for s in senses]) for z in (latents, fresh, other))
    # all who hear are the same at birth: what they differ in is what they were told
    births = jax.random.split(keys["birth"], 3)
    births = births[jnp.array([0, 1, 1, 1, 2])]
    born_as = jax.vmap(lambda k: born(dense_shapes(LATENTS, HIDDEN, HIDDEN, MEANINGS), key=k))(births)
    grown = jax.vmap(lambda p, x, y, k: learned(p, x, y, steps, key=k))(
        born_as, seen, labels, jax.random.split(keys["life"], len(senses))
    )
    trained, aside = jax.vmap(codes)(grown, shown), jax.vmap(codes)(grown, shown_other)
    at_birth, birth_aside = jax.vmap(codes)(born_as, shown), jax.vmap(codes)(born_as, shown_other)
    readout = jax.tree.map(lambda x: x[0], grown["output"])

    def compared(layers: Any, besides: Any, i: int, eye: Any, eye_aside: Any) -> tuple[Array, Array]:
        align = jnp.stack([cka(a[0], b[i], debiased=True) for a, b in zip(eye, layers, strict=True)])
        rotation = turned(eye_aside[-1][0], besides[-1][i])
        moved = (layers[-1][i] - besides[-1][i].mean(0)) @ rotation + eye_aside[-1][0].mean(0)
        return align, (through(readout, moved).argmax(-1) == meaning[truth]).mean()

    pairs = [compared(trained, aside, i, trained, aside) for i in (1, 2, 3)]
    align_birth, _ = compared(at_birth, birth_aside, 1, at_birth, birth_aside)
    # an eye that has learned reads an ear that has not
    pairs += [(align_birth, compared(at_birth, birth_aside, 1, trained, aside)[1]), compared(trained, aside, 4, trained, aside)]
    right = jnp.stack([meaning, meaning, otherwise])[:, truth]
    own = jnp.stack([(through(jax.tree.map(lambda x, i=i: x[i], grown["output"]), trained[-1][i]).argmax(-1) == right[i]).mean()
                     for i in range(3)])  # fmt: skip
    return {
        "alignment": dict(zip(ARMS, (a for a, _ in pairs), strict=True)),
        "read": dict(zip(ARMS, (r for _, r in pairs), strict=True)),
        "accuracy": dict(zip(("eye", "ear", "ear, relabelled"), own, strict=True)),
    }


def run(seed: int, budget: Budget) -> Measures:
    """One world, its encoders' networks, and how alike they are."""
    return jax.tree.map(lambda x: np.asarray(x).tolist(), worlds(jax.random.key(seed), budget["steps"]))


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Alignment layer by layer, and what the eye's read-out makes of each ear."""
    figure = Figure(figsize=(10.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    x = np.arange(len(LAYERS))
    for arm in ARMS:
        values, style = [m["alignment"][arm] for m in measures], "--" if arm == "same modality" else "-"
        band(left, x, values, color=COLOURS[arm], linestyle=style)
    ends = [float(np.mean([alignment(m, arm) for m in measures])) for arm in ARMS]
    for arm, height in zip(ARMS, spread(ends, [0.05] * len(ARMS), 0.0, 1.0), strict=True):
        left.text(x[-1] + 0.08, height, arm, va="center", color=COLOURS[arm], fontsize=9)
    left.set_xticks(x, LAYERS)
    left.set(xlim=(-0.15, 2.75), ylim=(0, 1.02), ylabel="alignment of eye and ear (debiased CKA)")
    left.set_title("Two senses agree where their worlds agree", loc="left")
    for i, arm in enumerate(ARMS):
        points(right, i, [m["read"][arm] for m in measures], color=COLOURS[arm])
    right.axhline(1 / MEANINGS, color="0.7", linestyle=":", linewidth=1)
    right.text(len(ARMS) - 0.8, 1 / MEANINGS + 0.01, "chance", ha="right", fontsize=8, color="0.4")
    right.set_xticks(range(len(ARMS)), [a.replace(" ", "\n") for a in ARMS], fontsize=8)
    right.set(ylim=(0, 1.02), ylabel="told right by the eye's read-out (share)")
    right.set_title("The eye's read-out on another's hidden layer", loc="left")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        f"{len(measures)} worlds, 95% intervals. Expected: shared above untrained, scrambled no different from untrained",
        fontsize=9, color="0.3",
    )  # fmt: skip
    return figure


def alignment(measures: Measures, arm: str) -> float:
    """Of the last hidden layer."""
    return measures["alignment"][arm][-1]


CLAIM = Claim(
    number=13,
    name="modality",
    words="What happens when you train identical nns to learn the same data but from different modalities and even alter the "
    "statistical relationship of data? What remains the same and what changes if the architecture can be made identical?",
    hypothesis="Networks that learn one world through different senses come to hidden layers that are alike, if and only if "
    "inputs and meanings are related in the same way for both.",
    varies="what the meanings heard by the ear have to do with those seen by the eye",
    arms=ARMS,
    measure="debiased linear CKA of the last hidden layers on fresh latents",
    smallest="Networks that see images and hear sounds of the same events. Here both senses are invertible maps of the same "
    "eight numbers, nothing is lost in either, and networks have 32 neurons a layer: the least in which the question can be put.",
    contrasts=(
        Contrast("alignment, shared less untrained", lambda m: alignment(m, "shared") - alignment(m, "untrained"), "+", 0.1,
                 "CKA"),
        Contrast("alignment, scrambled less untrained", lambda m: alignment(m, "scrambled") - alignment(m, "untrained"), "0", 0.1,
                 "CKA"),
        Contrast("alignment, shared less relabelled", lambda m: alignment(m, "shared") - alignment(m, "relabelled"), "+", 0.05,
                 "CKA", decides=False),
        Contrast("alignment, same modality less shared", lambda m: alignment(m, "same modality") - alignment(m, "shared"), "+",
                 0.05, "CKA", decides=False, note="what a sense of its own costs"),
        Contrast("the eye's read-out on the ear, shared less scrambled", lambda m: m["read"]["shared"] - m["read"]["scrambled"],
                 "+", 0.1, "accuracy", decides=False),
    ),
    budgets={
        "quick": Budget(3, f"five networks, 500 steps of {BATCH} out of {EXAMPLES} examples each", {"steps": 500}),
        "full": Budget(20, f"five networks, 2,000 steps of {BATCH} out of {EXAMPLES} examples each", {"steps": 2000}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
