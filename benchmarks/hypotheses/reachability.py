"""Claim 2: is what evolved wiring does unreachable for random wiring of the same size, or only slower to reach?

Masks of 100 and of 200 synapses (one and two inputs a neuron, 2% and 4% of the hidden layers' 4,500) are evolved on MNIST-1D as
in claim 4, judged by trainings of 200 steps. Evolved and random masks are then trained a hundred times as long at each of three
rates. What a mask has reached after so many steps is the test accuracy at the moment, up to then, and the rate at which its
validation accuracy was highest; so that neither a bad rate nor overfitting counts as out of reach.

Independent variable: steps of training, from the search's own 1x to 100x. Arms: the evolved mask, masks rewired at equal fan-ins
and fan-outs (each input is seen as often, so that nothing is disconnected which was not), masks of equal layers. Measure: test
accuracy reached; the gap is the evolved mask's less the control's. Mean over both budgets.

Expected, written down before the run, as the essay has it: a gap is there after 100x the training (+), and more than half of the
gap at 1x is left of it (+). The plan expects it small, or none, except under extreme sparsity: both budgets are also told apart.

The gap to masks of equal layers, which need not see each input as often, is reported since the run; it decides nothing.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.comparison.mnist1d_arms import Params, accuracy, as_params, born, divided, mlp, wired
from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.topology import BATCH, SHAPES, evolved, masks_at, ordered
from evodev.baselines.masks import same_degrees, same_layers
from evodev.models import sparse
from evodev.types import Array

FAN_INS = {"2%": (1, 1), "4%": (2, 2)}
RATES = (1e-3, 3e-3, 1e-2)
TIMES = (1, 2, 5, 10, 20, 50, 100)
"""How many times as long as the trainings of the search."""
ARMS = ("evolved", "equal degrees", "equal layers")
COLOURS = ("#0b4f9e", "#c45a00", "#8c8c8c")


@partial(jax.jit, static_argnames="start")
def long_trainings(params: Params, masks: Params, rates: Array, train: Any, sets: Any, *, start: int) -> Array:
    """Adam on several networks; accuracies (networks, moments, sets) at ``start`` steps times ``TIMES``."""
    x, y = train
    ends = start * jnp.array(TIMES)

    def one(params: Params, masks: Params, rate: Array) -> Array:
        optimiser = sparse(optax.adam(rate), masks)

        def loss(params: Params, x: Array, y: Array) -> Array:
            return optax.softmax_cross_entropy_with_integer_labels(mlp(params, x), y).mean()

        def step(i: Array, carry: Any) -> Any:
            params, memory = carry
            batch = [jax.lax.dynamic_slice_in_dim(part, (i % (len(x) // BATCH)) * BATCH, BATCH) for part in (x, y)]
            updates, memory = optimiser.update(jax.grad(loss)(params, *batch), memory, params)
            return optax.apply_updates(params, updates), memory

        def until(carry: Any, span: Array) -> tuple[Any, Array]:
            carry = jax.lax.fori_loop(span[0], span[1], step, carry)
            return carry, jnp.stack([accuracy(mlp, carry[0], own) for own in sets])

        spans = jnp.stack([jnp.concatenate([jnp.zeros(1, ends.dtype), ends[:-1]]), ends], 1)
        return jax.lax.scan(until, (params, optimiser.init(params)), spans)[1]

    return jax.vmap(one)(params, masks, rates)


def reached(told: np.ndarray) -> np.ndarray:
    """Accuracies (rates, moments, sets), validation first -> what was reached by each moment, (moments, sets)."""
    out = []
    for moment in range(1, told.shape[1] + 1):
        rate, when = np.unravel_index(told[:, :moment, 0].argmax(), (len(told), moment))
        out.append(told[rate, when])
    return np.array(out)


def run(seed: int, budget: Budget) -> Measures:
    """Accuracy reached by budget of synapses, arm and moment."""
    params = born(SHAPES, key=jax.random.fold_in(jax.random.key(seed), 0xB0))
    _, train, validation = ordered(seed)
    sets = (validation, tuple(map(jnp.asarray, divided(False)[1])), jax.tree.map(lambda part: part[:1000], train))
    arms, labels = [], []
    for i, (name, fan_ins) in enumerate(FAN_INS.items()):
        rng, own = np.random.default_rng([seed, i]), masks_at(evolved(seed, fan_ins, budget)[1], fan_ins)
        arms += [own, *[same_degrees(own, rng) for _ in range(budget["draws"])], same_layers(own, rng)]
        labels += [(name, "evolved"), *[(name, "equal degrees")] * budget["draws"], (name, "equal layers")]
    masks = [as_params(own, params) for own in arms for _ in RATES]
    starts = [wired(params, mask) for mask in masks]
    starts, masks = (jax.tree.map(lambda *x: jnp.stack(x), *of) for of in (starts, masks))
    rates = jnp.tile(jnp.array(RATES), len(arms))
    told = np.asarray(long_trainings(starts, masks, rates, train, sets, start=budget["short"]))
    each = [reached(own) for own in told.reshape(len(arms), len(RATES), len(TIMES), len(sets))]
    out: Measures = {"test": {}, "train": {}}
    for name in FAN_INS:
        for which, place in (("test", 1), ("train", 2)):
            found = {arm: [r[:, place] for r, label in zip(each, labels, strict=True) if label == (name, arm)] for arm in ARMS}
            out[which][name] = {arm: np.mean(curves, 0) for arm, curves in found.items()}
    return out


def gap(
    m: Measures, times: int, *, which: str = "test", budgets: tuple[str, ...] = tuple(FAN_INS), control: str = "equal degrees"
) -> float:
    """Points of accuracy between the evolved and a random mask after so many times the search's training."""
    at = TIMES.index(times)
    return 100 * float(np.mean([m[which][b]["evolved"][at] - m[which][b][control][at] for b in budgets]))


def slope(m: Measures) -> float:
    """Points of the gap that a tenfold training adds."""
    return float(np.polyfit(np.log10(TIMES), [gap(m, times) for times in TIMES], 1)[0])


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """What is reached against steps, by budget of synapses; and the gap."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    panels = figure.subplots(1, 3)
    steps = budget["short"] * np.array(TIMES)
    for axis, (name, fan_ins) in zip(panels, FAN_INS.items(), strict=False):
        for arm, colour in zip(ARMS, COLOURS, strict=True):
            label = arm if arm == "evolved" else f"random, {arm}"
            for of, said, style in (("test", "", "-"), ("train", ", in training", ":")):
                values = 100 * np.array([m[of][name][arm] for m in measures])
                band(axis, steps, values, color=colour, label=label + said, linestyle=style)
        axis.set(title=f"{sum(fan_ins) * 50} synapses ({name})", ylabel="accuracy reached (%)")
    right = panels[2]
    both = np.array([[gap(m, t) for t in TIMES] for m in measures])
    gaps = {
        **{f"equal degrees, {n}": [[gap(m, t, budgets=(n,)) for t in TIMES] for m in measures] for n in FAN_INS},
        "equal degrees, both (decides)": both,
        "equal layers, both": [[gap(m, t, control="equal layers") for t in TIMES] for m in measures],
    }
    for (label, values), colour in zip(gaps.items(), ("#7fa8d9", "#2a7f62", COLOURS[0], COLOURS[2]), strict=True):
        band(right, steps, values, color=colour, label=label)
    start = both[:, 0].mean()
    right.plot(steps[[0, -1]], [start, start / 2], color="k", linestyle="--", linewidth=1, label="half is left: expected above")
    right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    right.set(title=f"the gap; {len(measures)} seeds, 95% intervals", ylabel="evolved less random (points)")
    for axis, place in ((panels[0], "left"), (right, "right")):
        style = {"loc": f"outside lower {place}", "ncols": 3, "columnspacing": 1.2, "fontsize": 8, "frameon": False}
        figure.legend(*axis.get_legend_handles_labels(), **style)
    for axis in panels:
        axis.set(xscale="log", xlabel="steps of training")
    return figure


CLAIM = Claim(
    number=2,
    name="reachability",
    words="But if the structure defines which directions computation can move in under resource constraints, then wrong "
    "directions mean some solutions are permanently inaccessible. Not slow to reach. Unreachable. No amount of training closes "
    "the gap.",
    hypothesis="At a few percent of the synapses, random masks of the same degrees do not catch up with evolved ones in a "
    "hundred times the training.",
    varies="steps of training, 1x to 100x of what the search judged by; at 2% and 4% of the synapses",
    arms=("evolved mask", "random mask of equal degrees", "random mask of equal layers"),
    measure="test accuracy on MNIST-1D at the moment and the rate, of three, at which validation accuracy was highest so far",
    smallest="a network that solves the task when dense and whose 1% still leaves several inputs a neuron; here one or two of 40 "
    "and 50, and 100x is 20,000 steps",
    contrasts=(
        Contrast("gap at 100x", lambda m: gap(m, 100), "+", 1.0, "points"),
        Contrast("gap at 100x less half of that at 1x", lambda m: gap(m, 100) - gap(m, 1) / 2, "+", 0.5, "points"),
        Contrast("gap at 1x", lambda m: gap(m, 1), "+", 1.0, "points", decides=False),
        *[Contrast(f"gap at 100x, {name}", lambda m, n=name: gap(m, 100, budgets=(n,)), "+", 1.0, "points", decides=False)
          for name in FAN_INS],
        Contrast("gap added by ten times the training", slope, "0", 1.0, "points", decides=False),
        Contrast("gap at 100x, signals trained on", lambda m: gap(m, 100, which="train"), "+", 1.0, "points", decides=False),
        Contrast("gap to equal layers at 100x", lambda m: gap(m, 100, control="equal layers"), "+", 1.0, "points", decides=False,
                 note="Reported since the run"),
        Contrast("gap to equal layers at 100x less half of that at 1x",
                 lambda m: gap(m, 100, control="equal layers") - gap(m, 1, control="equal layers") / 2, "+", 0.5, "points",
                 decides=False, note="Reported since the run"),
    ),
    budgets={
        "quick": Budget(3, "2 searches of 16 x 10 trainings of 100 steps; 18 trainings of 10,000 steps",
                        {"population": 16, "generations": 10, "short": 100, "draws": 1}),
        "full": Budget(10, "2 searches of 16 x 40 trainings of 200 steps; 18 trainings of 20,000 steps",
                       {"population": 16, "generations": 40, "short": 200, "draws": 1}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
