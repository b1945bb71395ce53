"""Row 16 of the science: does NDNA's mask beat random masks that match it in more than overall density?

NDNA (tejassudsfp/ndna) reports, for one seed on MNIST, 97.54 with 226 genome numbers against 97.09 for a random mask of the
same overall density and 98.33 dense. Here genome and weights are trained together as it does, the hard mask by straight-through
gradients of rising temperature and a wiring cost. Then plain masks are trained for as many steps: the genome's own, with
fresh weights, and random ones that match it in overall density, in each layer's density, and in every neuron's degrees.

    python -m benchmarks.papers.ndna [--seeds N] [--steps N]

Needs the extra `data`. Finished seeds are kept in benchmarks/papers/.cache: a killed script goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.common import write_result
from benchmarks.papers.images import Images, mnist
from evodev.baselines.masks import same_degrees, same_density, same_layers
from evodev.cli import prepare_jax
from evodev.compress import descend, train_genome
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.sparsity import StraightThrough
from evodev.network import Network, forward, synapses
from evodev.statistics import interval
from evodev.substrate import Substrate, mlp
from evodev.types import Array, Key, Scalar

SIZES = (784, 128, 64, 10)
BATCH, RATE, GENOME_RATE = 64, 1e-3, 1e-2
WIRING_COST, DENSITY = 1.0, 0.2
"""What a density that is off by one costs, in nats, and the density asked for. A cost of every synapse, as NDNA has it, empties
the network sooner or later, and then no gradient finds its way back."""
CACHE = Path(__file__).parent / ".cache" / "ndna"
ARMS = {
    "ndna, genome and weights together": "the genome's mask while it changes",
    "ndna's mask, fresh weights": "the final mask, trained anew",
    "random, same degrees": "every neuron keeps its fan-in and fan-out",
    "random, same layers": "as many synapses in each projection",
    "random, same density": "as many synapses in all; NDNA's own control",
    "dense": "every synapse",
}
REPORTED = {"ndna, genome and weights together": 0.9754, "random, same density": 0.9709, "dense": 0.9833}
SOURCE = "tejassudsfp/ndna, 60,000 training images, one seed"

Weights = dict[str, dict[str, Array]]


def fresh(substrate: Substrate, *, key: Key) -> Weights:
    """He's weights and no biases."""
    weights = {}
    for i, p in enumerate(substrate.projections):
        shape = substrate.shape(p)
        weights[p.name] = jax.random.normal(jax.random.fold_in(key, i), shape) * (2 / shape[0]) ** 0.5
    return {"weights": weights, "biases": {p.name: jnp.zeros(p.size) for p in substrate.populations}}


def newborn(decoder: Decoder, substrate: Substrate, *, key: Key) -> Array:
    """A random genome whose types like each other, so that everything is connected and the wiring cost takes away.

    Departs from NDNA, where nothing is connected at first: no gradient finds its way into a network without synapses.
    """
    spec = decoder.genome_spec(substrate)
    gene = next(g for g in spec.genes if g.name == "wiring/compatibility")
    genome = spec.init(key=key)
    return genome.at[spec.slices[gene.name]].add((0.3 - gene.center) / gene.scale)


def masked(substrate: Substrate, weights: Weights, masks: Mapping[str, Array]) -> Network:
    """The network of these weights where a mask has a synapse."""
    kept = {name: w * masks[name] for name, w in weights["weights"].items()}
    alive = {p.name: jnp.ones(p.size) for p in substrate.populations}
    return Network(kept, dict(masks), {}, weights["biases"], alive)


def batch_loss(substrate: Substrate, network: Network, images: Images, *, key: Key) -> Scalar:
    """Cross-entropy of a batch that the key draws."""
    chosen = jax.random.randint(key, (BATCH,), 0, len(images.inputs))
    outputs = forward(substrate, network, images.inputs[chosen])
    return optax.softmax_cross_entropy_with_integer_labels(outputs, images.labels[chosen]).mean()


def accuracy(substrate: Substrate, network: Network, images: Images) -> float:
    """Share of images that are told right."""
    return float((forward(substrate, network, images.inputs).argmax(-1) == images.labels).mean())


def one_seed(seed: int, steps: int, train: Images, test: Images) -> dict[str, Any]:
    """Accuracy of every arm, the genome's density and what it took."""
    began = time.perf_counter()
    substrate, optimiser = mlp(SIZES), optax.adam(RATE)
    decoder = replace(DECODERS["ndna"], sparsity=StraightThrough(threshold=0.0, evolved=False, relative=False))
    key_genome, key_weights, key_train = jax.random.split(jax.random.key(seed), 3)
    start = fresh(substrate, key=key_weights)

    def joint(network: Network, weights: Any, *, key: Key) -> Scalar:
        density = synapses(network) / substrate.synapses
        cost = WIRING_COST * jnp.abs(density - DENSITY)
        return batch_loss(substrate, masked(substrate, weights, network.masks), train, key=key) + cost

    genome, weights, _ = jax.jit(
        lambda weights, key: train_genome(
            decoder, substrate, joint, steps=steps, key=key, genome=newborn(decoder, substrate, key=key), free=weights,
            optimiser=optax.multi_transform({"genome": optax.adam(GENOME_RATE), "free": optimiser}, ("genome", "free")),
        )
    )(start, key_genome)  # fmt: skip
    masks = decoder.at(1.0).grow(genome, substrate, key=key_genome).masks

    @jax.jit
    def plain(weights: Weights, masks: dict[str, Array], key: Key) -> Weights:
        def loss(weights: Weights, progress: Scalar, *, key: Key) -> Scalar:
            return batch_loss(substrate, masked(substrate, weights, masks), train, key=key)

        return descend(loss, weights, steps=steps, key=key, optimiser=optimiser)[0]

    rng = np.random.default_rng(seed)
    own = {name: np.asarray(mask) for name, mask in masks.items()}
    rewired = same_degrees(own, rng)
    rivals = {
        "ndna's mask, fresh weights": own,
        "random, same degrees": rewired,
        "random, same layers": same_layers(own, rng),
        "random, same density": same_density(own, rng),
        "dense": {name: np.ones_like(mask) for name, mask in own.items()},
    }
    scores = {"ndna, genome and weights together": accuracy(substrate, masked(substrate, weights, masks), test)}
    for name, rival in rivals.items():
        rival_masks = {k: jnp.asarray(m) for k, m in rival.items()}
        scores[name] = accuracy(substrate, masked(substrate, plain(start, rival_masks, key_train), rival_masks), test)
    return {
        "accuracy": scores,
        "density": {name: float(mask.mean()) for name, mask in own.items()},
        "rewired": float(sum((own[n] * (1 - rewired[n])).sum() for n in own) / sum(m.sum() for m in own.values())),
        "synapses": int(sum(mask.sum() for mask in own.values())),
        "genome": decoder.genome_spec(substrate).size,
        "seconds": time.perf_counter() - began,
    }


def rows_of(results: list[dict[str, Any]], steps: int) -> list[dict[str, Any]]:
    """An accuracy an arm, and the mask's lead over each random one, paired by seed."""
    rows = []
    for name, what in ARMS.items():
        values = np.array([r["accuracy"][name] for r in results])
        mean, lo, hi = (float(x) for x in interval(values, 2000))
        rows.append(
            {
                "label": name, "measured": mean, "lo": lo, "hi": hi, "unit": "accuracy", "reference": REPORTED.get(name),
                "source": SOURCE if name in REPORTED else None, "note": f"{what}; {steps} steps of {BATCH} images",
            }
        )  # fmt: skip
    own = np.array([r["accuracy"]["ndna's mask, fresh weights"] for r in results])
    for name in ("random, same density", "random, same layers", "random, same degrees"):
        mean, lo, hi = (float(x) for x in interval(own - np.array([r["accuracy"][name] for r in results]), 2000))
        reported = 0.9754 - 0.9709 if name == "random, same density" else None
        rows.append(
            {
                "label": f"lead of ndna's mask over {name}", "measured": mean, "lo": lo, "hi": hi, "unit": "accuracy",
                "reference": reported, "source": SOURCE if reported else None, "target": 0.0, "met": bool(lo > 0),
                "note": "met: the interval of the paired difference lies above zero",
            }
        )  # fmt: skip
    density = np.mean([r["synapses"] for r in results]) / mlp(SIZES).synapses
    layers = ", ".join(f"{n} {np.mean([r['density'][n] for r in results]):.2f}" for n in results[0]["density"])
    rows.append({"label": "density of ndna's mask", "measured": float(density), "unit": "share", "note": layers})
    rows.append(
        {
            "label": "synapses that change places when degrees are kept", "unit": "share",
            "measured": float(np.mean([r["rewired"] for r in results])),
            "note": "0 where the degrees leave no choice: the mask is nested, as types are in order and so are their likes",
        }
    )  # fmt: skip
    rows.append({"label": "genome", "measured": results[0]["genome"], "unit": "numbers", "reference": 226, "source": SOURCE})
    return rows


def main() -> None:
    """Measure and write benchmarks/results/papers/ndna.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="outer seeds (default 10)")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of an arm (default 1500)")
    options = parser.parse_args()
    prepare_jax()
    train, test = (Images(*map(jnp.asarray, part)) for part in mnist())
    results = []
    for seed in range(options.seeds):
        kept = CACHE / f"{seed}-{options.steps}.json"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(one_seed(seed, options.steps, train, test)))
        results.append(json.loads(kept.read_text()))
        print(seed, {k: round(v, 4) for k, v in results[-1]["accuracy"].items()}, results[-1]["density"], flush=True)
    seconds = np.mean([r["seconds"] for r in results])
    budget = f"{options.steps} steps of {BATCH} of 4,000 images an arm; {seconds:.0f} s a seed for all arms"
    write_result(
        "papers", "ndna", rows_of(results, options.steps), command="python -m benchmarks.papers.ndna",
        seeds=len(results), budget=budget,
    )  # fmt: skip


if __name__ == "__main__":
    main()
