"""Critical periods (10): is what is missed early missed for good, what is learned early forgotten, and is the rate why?

Independent variables: when the world is blurred (never; early: the first quarter of a life; late: the third), crossed with
how the learning rate goes: constant, falling (cosine over the life), cyclic (cosine in every eighth of the life, warm
restarts); both end at a tenth of their peak. A network of 64-48-48-48-10 sees real digits in eight blocks, one after the
other, never again; a seventh of each block's images are facts, pixels in disorder with a label drawn at random, so that
what is remembered of a block can be told from what is known of digits. A blurred world shows means of 4x4 pixels. Whatever
the window, images, steps and clear blocks are as many; after the early window six clear blocks follow, after the late one
two, so that the early one has more time to recover. The peak rate is chosen for each kind of schedule by validation
accuracy in the life without a deficit (five rates); a deficit is the accuracy on unseen clear digits without the blur less
that with it, at the end.

Expected before the run (Achille et al. 2019, ICLR, saw it in deep networks): with a falling rate an early deficit costs more
than a late one (+); a cyclic rate removes most of it (+ for falling less cyclic); and even at a constant rate facts of the
first block are remembered worse than those of the last (-), infant amnesia. A pilot (seeds 100, 101) set steps and rates, and
showed that the label of a true digit is no fact to be learned by, since the rate that suits digits passes it over; after it
both falling rates end at a tenth of their peak, and infant amnesia is asked at the constant rate instead of the falling one.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.baselines.random_networks import RandomNetwork
from evodev.learners import Gradient
from evodev.substrate import mlp
from evodev.types import Array, Key

BLOCKS, IMAGES, FACTS, BATCH = 8, 140, 20, 20
VALIDATION = 250
RATES = (0.01, 0.03, 0.1, 0.2, 0.4)
SCHEDULES = ("constant", "falling", "cyclic")
WINDOWS = {"none": (), "early": (0, 1), "late": (4, 5)}
SUBSTRATE = mlp((64, 48, 48, 48, 10))
LEARNER, BIRTH = Gradient(), RandomNetwork()


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: images (n, 64) in [0, 1], labels (n,)."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return (data.data / 16.0).astype(np.float32), data.target.astype(np.int32)


def blurred(images: np.ndarray) -> np.ndarray:
    """Every 4x4 pixels by their mean."""
    means = images.reshape(-1, 2, 4, 2, 4).mean((2, 4), keepdims=True)
    return np.broadcast_to(means, (len(images), 2, 4, 2, 4)).reshape(len(images), 64)


def rates(steps: int) -> np.ndarray:
    """Share of the peak rate, (schedules, blocks, steps of a block)."""
    life, block = (np.arange(n) / n for n in (BLOCKS * steps, steps))
    falling, cycle = (0.1 + 0.45 * (1 + np.cos(np.pi * age)) for age in (life, block))
    return np.stack([np.ones(BLOCKS * steps), falling, np.tile(cycle, BLOCKS)]).reshape(3, BLOCKS, steps).astype(np.float32)


@cache
def program() -> Any:
    """Compiled lives of all schedules x windows x peak rates -> accuracy by block's end on test, validation and every block's
    facts: the last axes are (blocks, 2 + blocks)."""

    def right(network: Any, x: Array, y: Array) -> Array:
        state = LEARNER.init({}, network, SUBSTRATE, key=jax.random.key(0))
        return (LEARNER.predict({}, state, x, SUBSTRATE).argmax(-1) == y).mean()

    def life(peak: Array, share: Array, shown: Array, labels: Array, probes: Any, *, key: Key) -> Array:
        key_birth, key_steps = jax.random.split(key)
        network = BIRTH.grow(jnp.zeros(len(SUBSTRATE.projections)), SUBSTRATE, key=key_birth)
        names = [g.name for g in LEARNER.genome_spec(SUBSTRATE).genes]

        def block(network: Any, now: Any) -> tuple[Any, Array]:
            x, y, shares, keys = now

            def step(network: Any, now: Any) -> tuple[Any, None]:
                share, key = now
                chosen = jax.random.choice(key, IMAGES, (BATCH,), replace=False)
                genes = dict.fromkeys(names, jnp.log(peak * share + 1e-12))
                state = LEARNER.init(genes, network, SUBSTRATE, key=key)
                return LEARNER.step(genes, state, x[chosen], y[chosen], SUBSTRATE, key=key).network, None

            network, _ = jax.lax.scan(step, network, (shares, keys))
            facts = jax.vmap(lambda x, y: right(network, x, y))(*probes["facts"])
            return network, jnp.concatenate([jnp.stack([right(network, *probes[of]) for of in ("test", "validation")]), facts])

        keys = jax.random.split(key_steps, share.shape)
        return jax.lax.scan(block, network, (shown, labels, share, keys))[1]

    @jax.jit
    def lives(peaks: Array, shares: Array, shown: Array, labels: Array, probes: Any, key: Key) -> Array:
        def one(share: Array, x: Array, peak: Array) -> Array:
            return life(peak, share, x, labels, probes, key=key)

        by_rate = jax.vmap(one, (None, None, 0))
        return jax.vmap(jax.vmap(by_rate, (None, 0, None)), (0, None, None))(shares, shown, peaks)

    return lives


def run(seed: int, budget: Budget) -> Measures:
    """One draw of blocks, facts and newborn, the same in all conditions."""
    rng, (images, labels) = np.random.default_rng([seed, 10]), digits()
    order = rng.permutation(len(images))
    train, validation, test = np.split(order, [BLOCKS * IMAGES, BLOCKS * IMAGES + VALIDATION])
    blocks = train.reshape(BLOCKS, IMAGES)
    told, clear = labels[blocks], images[blocks]
    told[:, :FACTS] = rng.integers(0, 10, (BLOCKS, FACTS))
    clear[:, :FACTS] = rng.permuted(clear[:, :FACTS], axis=-1)
    dim = blurred(clear.reshape(-1, 64)).reshape(clear.shape)
    shown = np.stack([np.where(np.isin(np.arange(BLOCKS), when)[:, None, None], dim, clear) for when in WINDOWS.values()])
    probes = {"test": (images[test], labels[test]), "validation": (images[validation], labels[validation])}
    probes["facts"] = clear[:, :FACTS], told[:, :FACTS]
    shares = rates(budget["steps"])
    found = np.asarray(program()(jnp.asarray(RATES), shares, shown, told, probes, jax.random.key(seed)))
    # (schedules, windows, rates, blocks, measures); the rate of a schedule is chosen in the life without a deficit
    best = found[:, 0, :, -1, 1].argmax(1)
    out: Measures = {}
    for i, schedule in enumerate(SCHEDULES):
        own = found[i, :, best[i]]
        out[schedule] = {"rate": RATES[best[i]], "facts": own[0, :, 2:]}
        out[schedule] |= {window: own[j, :, 0] for j, window in enumerate(WINDOWS)}
    return out


def deficit(measures: Measures, schedule: str, window: str) -> float:
    """Accuracy that a blur cost at the end of the life."""
    return float(measures[schedule]["none"][-1] - measures[schedule][window][-1])


def amnesia(measures: Measures, schedule: str) -> float:
    """Facts of the first block remembered at the end, less those of the last."""
    return float(measures[schedule]["facts"][-1][0] - measures[schedule]["facts"][-1][-1])


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Test accuracy over life by schedule and window, what a blur costs at the end, and what is remembered of each block."""
    figure = Figure(figsize=(12.5, 7.2), layout="constrained")
    panels = figure.subplots(2, 3)
    blues = {"none": "#444444", "early": "#c45a00", "late": "#0b4f9e"}
    x = np.arange(1, BLOCKS + 1)
    for axis, schedule in zip(panels[0], SCHEDULES, strict=True):
        for window, when in WINDOWS.items():
            label = {"none": "never blurred"}.get(window, f"blurred {window}")
            band(axis, x, [m[schedule][window] for m in measures], color=blues[window], label=label)
            if when:
                axis.axvspan(when[0] + 0.5, when[-1] + 1.5, color=blues[window], alpha=0.07, linewidth=0)
        axis.set_title(f"{schedule} rate", loc="left")
        axis.set_xlabel("blocks lived")
        axis.set_ylabel("accuracy on unseen clear digits")
        axis.set_ylim(0.1, 1.0)
    panels[0, 0].legend(frameon=False, loc="lower right")
    costs, facts, course = panels[1]
    tones = {"constant": "#9a9a9a", "falling": "#2a7f62", "cyclic": "#7a4fa3"}
    for i, schedule in enumerate(SCHEDULES):
        for j, window in enumerate(("early", "late")):
            values, label = [deficit(m, schedule, window) for m in measures], None if i else f"{window} blur"
            points(costs, i + (j - 0.5) * 0.3, values, color=blues[window], label=label)
        remembered = np.array([m[schedule]["facts"] for m in measures])
        band(facts, x, remembered[:, -1], color=tones[schedule], label=schedule)
        band(course, x, remembered[:, :, 0], color=tones[schedule], label=schedule)
    costs.set_xticks(range(3), SCHEDULES)
    costs.axhline(0, color="0.7", linewidth=0.8)
    costs.set_ylabel("accuracy lost at the end")
    costs.set_title("Expected: early > late if falling, little if cyclic", loc="left", fontsize=10)
    facts.set_title("Facts known at the end; expected to rise", loc="left", fontsize=10)
    facts.set_xlabel("block they were met in")
    course.set_title("Facts of the first block, through life", loc="left", fontsize=10)
    course.set_xlabel("blocks lived")
    for axis in (facts, course):
        axis.axhline(0.1, color="0.7", linestyle=":", linewidth=1)
        axis.set_ylabel("share remembered (chance 0.1)")
        axis.legend(frameon=False)
    costs.legend(frameon=False)
    for axis in panels.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def spends(steps: int) -> str:
    """A seed's budget in words."""
    return f"3 schedules x 3 windows x {len(RATES)} rates, each 8 blocks of {IMAGES} images, {steps} steps of {BATCH} a block"


CLAIM = Claim(
    number=10,
    name="critical_periods",
    words="And during this development, the neurons are constantly rewiring itself such that babies hardly remember the first 5 "
    "years of their lives (in humans), why? Why not let them remember?",
    hypothesis="What is missed early in a life costs more than what is missed late, because learning slows down and not because "
    "time is short; and facts met first are remembered least.",
    varies="when the world is blurred (never, early, late), crossed with the rate schedule (constant, falling, cyclic)",
    arms=tuple(f"{s} rate, blurred {w}" for s in SCHEDULES for w in WINDOWS),
    measure="accuracy on unseen clear digits lost by a blur, at the end of the life; facts of a block still known then",
    smallest="deep convolutional networks on natural images, trained to convergence (Achille et al. 2019); here a perceptron of "
    "three hidden layers on 8x8 digits, and nothing in it rewires but by gradient",
    contrasts=(
        Contrast(
            "falling rate: what an early blur costs, less a late one",
            lambda m: deficit(m, "falling", "early") - deficit(m, "falling", "late"), "+", 0.01, "accuracy",
        ),
        Contrast(
            "early blur: its cost under a falling rate, less a cyclic one",
            lambda m: deficit(m, "falling", "early") - deficit(m, "cyclic", "early"), "+", 0.01, "accuracy",
        ),
        Contrast(
            "constant rate: facts of the first block known at the end, less the last", lambda m: amnesia(m, "constant"), "-", 0.1,
            "share of facts",
        ),
        Contrast("constant rate: what an early blur costs, less a late one",
                 lambda m: deficit(m, "constant", "early") - deficit(m, "constant", "late"), "0", 0.01, "accuracy",
                 decides=False),
        Contrast("falling rate: what an early blur costs", lambda m: deficit(m, "falling", "early"), "+", 0.01, "accuracy",
                 decides=False),
        Contrast("cyclic rate: what an early blur costs", lambda m: deficit(m, "cyclic", "early"), "0", 0.01, "accuracy",
                 decides=False),
        *(Contrast(f"{s} rate: facts of the first block known at the end, less the last", lambda m, s=s: amnesia(m, s), "-", 0.1,
                   "share of facts", decides=False) for s in ("falling", "cyclic")),
        Contrast("facts of the first block: falling less cyclic rate",
                 lambda m: m["falling"]["facts"][-1][0] - m["cyclic"]["facts"][-1][0], "+", 0.05, "share of facts",
                 decides=False),
    ),
    budgets={"quick": Budget(3, spends(60), {"steps": 60}), "full": Budget(16, spends(100), {"steps": 100})},
    run=run,
    draw=draw,
)  # fmt: skip
