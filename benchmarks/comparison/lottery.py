"""Row 17 of the science: a lottery ticket learns faster than the whole network, and no longer does when re-initialised.

Frankle & Carbin 2019 (arXiv 1803.03635): LeNet-300-100 on MNIST, Adam at .0012 on batches of 60, Glorot's Gaussian weights.
After training, the smallest 20% of the weights of each hidden layer (10% of the output layer) are cut and the others rewound
to what they were at first; seven such rounds leave 21%. Reported there: it reaches its early stop (the least validation
loss) 27% sooner than the whole network, and with fresh weights 2.44 times later than with its own.

Expected, written down before the run: the ticket needs fewer iterations than the whole network, and the same mask with fresh
weights needs more than the ticket, both to early stopping and to a fixed validation accuracy of 90%; a random mask with as
many weights a layer is no better than the ticket. With a thirteenth of the data everything stops earlier, and intervals are
wider than the paper's. Departs from it: 3,500 images to train on (not 55,000), 500 to stop by, 1,000 to test.

Run twice, which was decided after the first run: there all trainings of a seed saw the same batches in the same order, so that
a mask was tried on the very batches it was found by. The rows and the figure are of the second, in which every training
draws its own; the first is told below them.

    python -m benchmarks.comparison.lottery [--seeds N] [--steps N]

Needs the extra `data`. Finished seeds are kept in benchmarks/comparison/.cache: a killed script goes on where it was.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.common import result_path, write_result
from benchmarks.papers.images import Images, mnist
from evodev.baselines.masks import same_layers, strongest
from evodev.cli import prepare_jax
from evodev.network import Network, forward
from evodev.statistics import interval
from evodev.substrate import Substrate, mlp
from evodev.types import Array, Key, Scalar

LENET = mlp((784, 300, 100, 10))
BATCH, RATE, EVERY, GOAL = 60, 1.2e-3, 5, 0.9
"""Images a batch, Adam's rate, iterations between two looks at the validation images, and the accuracy to reach."""
ROUNDS, TICKET = 10, 7
"""Rounds of pruning, and the one after which 21% are left."""
FRESH = (3, TICKET, ROUNDS)
"""Rounds whose masks are also trained from fresh weights."""
CACHE = Path(__file__).parent / ".cache" / "lottery"
SOURCE = "Frankle & Carbin 2019, 55,000 images"

Weights = dict[str, Array]
Masks = dict[str, np.ndarray]
Parts = tuple[Images, Images, Images]
"""To train on, to stop by, and to test."""


def glorot(*, key: Key) -> Weights:
    """Gaussian weights with the variance of Glorot & Bengio 2010."""
    weights = {}
    for i, p in enumerate(LENET.projections):
        pre, post = LENET.shape(p)
        weights[p.name] = jax.random.normal(jax.random.fold_in(key, i), (pre, post)) * (2 / (pre + post)) ** 0.5
    return weights


def network_of(params: Any, masks: Any, substrate: Substrate = LENET) -> Network:
    """The network of these weights and biases where a mask has a synapse."""
    alive = {p.name: jnp.ones(p.size) for p in substrate.populations}
    return Network({n: w * masks[n] for n, w in params["weights"].items()}, masks, {}, params["biases"], alive)


def losses(params: Any, masks: Any, images: Images) -> tuple[Scalar, Scalar]:
    """Cross-entropy, and share told right."""
    outputs = forward(LENET, network_of(params, masks), images.inputs)
    loss = optax.softmax_cross_entropy_with_integer_labels(outputs, images.labels).mean()
    return loss, (outputs.argmax(-1) == images.labels).mean()


@partial(jax.jit, static_argnums=3)
def train(weights: Weights, masks: Any, parts: Parts, steps: int, *, key: Key) -> tuple[Weights, Any, Any]:
    """Train for ``steps``; returns the last weights, validation loss and accuracy (looks, 2), test accuracy at the least loss."""
    train_images, validation, test = parts
    optimiser = optax.adam(RATE)
    params = {"weights": weights, "biases": {p.name: jnp.zeros(p.size) for p in LENET.populations}}

    def step(carry: Any, key: Key) -> tuple[Any, None]:
        params, memory = carry
        chosen = jax.random.randint(key, (BATCH,), 0, len(train_images.inputs))
        batch = Images(train_images.inputs[chosen], train_images.labels[chosen])
        slope = jax.grad(lambda p: losses(p, masks, batch)[0])(params)
        updates, memory = optimiser.update(slope, memory)
        return (optax.apply_updates(params, updates), memory), None

    def block(carry: Any, keys: Any) -> tuple[Any, Array]:
        now, best, least = carry
        now, _ = jax.lax.scan(step, now, keys)
        loss, accuracy = losses(now[0], masks, validation)
        best = jax.tree.map(lambda new, old: jnp.where(loss < least, new, old), now[0], best)
        return (now, best, jnp.minimum(loss, least)), jnp.stack([loss, accuracy])

    keys = jax.random.split(key, (steps // EVERY, EVERY))
    ((params, _), best, _), curves = jax.lax.scan(block, ((params, optimiser.init(params)), params, jnp.inf), keys)
    return params["weights"], curves, losses(best, masks, test)[1]


def pruned(weights: Weights, masks: Masks) -> Masks:
    """Without the smallest fifth of the weights left in each layer; a tenth in the last."""
    out = {}
    for name, mask in masks.items():
        share = 0.1 if name.endswith("->output") else 0.2
        scores = {name: np.where(mask > 0, np.abs(np.asarray(weights[name])), -np.inf)}
        out |= strongest(scores, round((1 - share) * int(mask.sum())))
    return out


def told(curves: Any, test: Any, *, whole: bool) -> dict[str, Any]:
    """Iterations to early stopping and to the goal (the length of the run if it is never reached), and test accuracy then.

    Args:
        curves: validation loss and accuracy (looks, 2).
        test: accuracy.
        whole: keep the curves too.
    """
    loss, accuracy = np.asarray(curves).T
    there = np.flatnonzero(accuracy >= GOAL)
    reached = int(there[0]) if len(there) else len(accuracy) - 1
    stop = {"stop": (int(loss.argmin()) + 1) * EVERY, "reached": (reached + 1) * EVERY, "missed": float(not len(there))}
    return {**stop, "test": float(test), **({"curve": np.asarray(curves).T.tolist()} if whole else {})}


def one_seed(seed: int, steps: int, parts: Parts, *, own: bool) -> dict[str, Any]:
    """Every round of pruning, its masks from fresh weights, and a random mask.

    Args:
        seed: of all keys.
        steps: iterations of a training.
        parts: images.
        own: each training draws batches of its own, or else all see the same ones in the same order, so that a mask is tried
            on the very batches that it was found by.
    """
    began = time.perf_counter()
    key_start, key_fresh, key_train = jax.random.split(jax.random.key(seed), 3)

    def batches(number: int) -> Key:
        return jax.random.fold_in(key_train, number) if own else key_train

    start, other, rng = glorot(key=key_start), glorot(key=key_fresh), np.random.default_rng(seed)
    masks: Masks = {p.name: np.ones(LENET.shape(p), np.float32) for p in LENET.projections}
    rounds, fresh, random = [], {}, {}
    for number in range(ROUNDS + 1):
        weights, *outcome = train(start, masks, parts, steps, key=batches(number))
        left = float(sum(m.sum() for m in masks.values()) / LENET.synapses)
        rounds.append({"left": left, **told(*outcome, whole=number in (0, TICKET))})
        if number in FRESH:
            fresh[str(number)] = told(*train(other, masks, parts, steps, key=batches(100 + number))[1:], whole=True)
        if number == TICKET:
            random = told(*train(start, same_layers(masks, rng), parts, steps, key=batches(200 + number))[1:], whole=True)
        masks = pruned(weights, masks)
    return {"rounds": rounds, "fresh": fresh, "random": random, "seconds": time.perf_counter() - began}


def rows_of(results: list[dict[str, Any]], suffix: str = "") -> list[dict[str, Any]]:
    """Iterations of each arm, and how many times as many as another's, paired by seed; labels end in ``suffix``."""

    def over(values: list[float]) -> dict[str, float]:
        return dict(zip(("measured", "lo", "hi"), map(float, interval(np.array(values), 2000)), strict=True))

    arms = {
        "whole network": [r["rounds"][0] for r in results],
        "ticket, 21% left": [r["rounds"][TICKET] for r in results],
        "ticket's mask, fresh weights": [r["fresh"][str(TICKET)] for r in results],
        "random mask, same layers": [r["random"] for r in results],
    }
    whole, ticket, fresh, random = arms.values()
    share = np.mean([arm["left"] for arm in ticket])
    rows = [
        {"label": "weights left in the ticket", "measured": float(share), "unit": "share", "reference": 0.211, "source": SOURCE}
    ]
    measures = {"stop": "iterations to early stopping", "reached": f"iterations to a validation accuracy of {GOAL:.0%}"}
    for measure, what in measures.items():
        missed = {name: sum(int(a["missed"]) for a in of) if measure == "reached" else 0 for name, of in arms.items()}
        for name, of in arms.items():
            note = f"not reached on {missed[name]} seeds, counted as the whole run" if missed[name] else None
            rows.append({"label": f"{name}: {what}", **over([a[measure] for a in of]), "unit": "iterations", "note": note})
        for label, one, two, reported, wanted in (
            ("ticket / whole network", ticket, whole, 0.73, "less"),
            ("fresh weights / ticket's own", fresh, ticket, 2.44, "more"),
            ("random mask / ticket", random, ticket, None, "more"),
        ):
            ratio = over([np.log(a[measure] / b[measure]) for a, b in zip(one, two, strict=True)])
            ratio = {k: float(np.exp(v)) for k, v in ratio.items()}
            met = ratio["hi"] < 1 if wanted == "less" else ratio["lo"] > 1
            note = f"geometric mean; met: the interval of the paired ratio lies {'below' if wanted == 'less' else 'above'} 1"
            if measure == "stop" and not met:
                note += "; with 500 images to stop by, the stop of one and the same network varies up to twofold with its batches"
            own = measure == "stop" and reported is not None
            rows.append(
                {
                    "label": f"{label}: {what}", **ratio, "unit": "x", "reference": reported if own else None,
                    "source": SOURCE if own else None, "target": 1.0, "met": bool(met), "note": note,
                }
            )  # fmt: skip
    for name, of in arms.items():
        rows.append({"label": f"{name}: test accuracy at early stopping", **over([a["test"] for a in of]), "unit": "accuracy"})
    return [row | {"label": row["label"] + suffix} for row in rows]


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Left: validation accuracy of the arms by iteration. Right: iterations to early stopping by the share of weights left."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    curves = {
        "whole network": [r["rounds"][0]["curve"] for r in results],
        "ticket, 21% left": [r["rounds"][TICKET]["curve"] for r in results],
        "its mask, fresh weights": [r["fresh"][str(TICKET)]["curve"] for r in results],
        "random mask, same layers": [r["random"]["curve"] for r in results],
    }
    for name, of in curves.items():
        mean, low, high = interval(np.array(of)[:, 1], 1000)
        steps = EVERY * np.arange(1, len(mean) + 1)
        left.plot(steps, mean, label=name)
        left.fill_between(steps, low, high, alpha=0.2, linewidth=0)
    left.set(xscale="log", xlim=(20, None), ylim=(0.7, 0.97), xlabel="iterations", ylabel="validation accuracy")
    left.axhline(GOAL, color="grey", linewidth=0.8, linestyle=":")
    left.legend(loc="lower right")
    lines = {
        "rewound to its first weights": (range(ROUNDS + 1), lambda r, i: r["rounds"][i]["stop"]),
        "fresh weights": (FRESH, lambda r, i: r["fresh"][str(i)]["stop"]),
    }
    share = [100 * np.mean([r["rounds"][i]["left"] for r in results]) for i in range(ROUNDS + 1)]
    for (name, (rounds, stop)), colour in zip(lines.items(), ("C1", "C2"), strict=True):
        mean, low, high = interval(np.array([[stop(r, i) for i in rounds] for r in results], float), 1000)
        bars = np.stack([mean - low, high - mean])
        right.errorbar([share[i] for i in rounds], mean, bars, marker="o", capsize=2, label=name, color=colour)
    ticks = [100, 51, 21, 11]
    right.set(xscale="log", xlabel="weights left (%)", ylabel="iterations to early stopping", ylim=(0, None))
    right.set_xticks(ticks, [str(t) for t in ticks])
    right.set_xticks([], minor=True)
    right.invert_xaxis()
    right.legend()
    figure.suptitle(f"LeNet-300-100, 3,500 digits of MNIST, {len(results)} seeds, 95% intervals")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> None:
    """Measure and write benchmarks/results/comparison/lottery.json and its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="outer seeds (default 5)")
    parser.add_argument("--steps", type=int, default=2000, help="iterations of a training (default 2000)")
    options = parser.parse_args()
    prepare_jax()
    images, test = (Images(*map(jnp.asarray, part)) for part in mnist())
    parts = (Images(*(x[:-500] for x in images)), Images(*(x[-500:] for x in images)), test)
    runs: dict[str, list[dict[str, Any]]] = {"own": [], "same": []}
    for batches, results in runs.items():
        for seed in range(options.seeds):
            kept = CACHE / f"{seed}-{options.steps}-{batches}.json"
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(one_seed(seed, options.steps, parts, own=batches == "own")))
            results.append(json.loads(kept.read_text()))
            of = results[-1]
            shown = [(round(r["left"], 2), r["stop"], r["reached"]) for r in of["rounds"]]
            print(seed, batches, f"{of['seconds']:.0f} s", shown, of["fresh"][str(TICKET)]["stop"], flush=True)
    own, same = runs.values()
    draw(own, result_path("comparison", "lottery").with_suffix(".png"))
    again = [row for row in rows_of(same, ", same batches throughout") if row.get("target")]
    seconds = np.mean([r["seconds"] for r in own])
    write_result(
        "comparison", "lottery", rows_of(own) + again, command=f"python -m benchmarks.comparison.lottery --seeds {options.seeds}",
        seeds=len(own), budget=f"{options.steps} iterations of {BATCH} images a training; {seconds:.0f} s a seed for all 15",
        figure="lottery.png",
    )  # fmt: skip


if __name__ == "__main__":
    main()
