"""NDNA on a transformer: some projections of a small character model wired by a genome, the others free.

NDNA (Sudarshan 2026) wired matrices of GPT-2 by a genome. Here the attention outputs and both matrices of each MLP of a
two-layer flax transformer (width 64, context 64) are wired by the preset `ndna` (or another), a quarter of their synapses,
and everything else is free. Genome and weights are first trained together by gradient, masks straight through. Then plain
masks are trained from fresh weights for as many steps: the trained genome's, an untrained genome's, and random ones that
match the trained genome's in each matrix's density and in every neuron's degrees. Text: Python's own help topics
(`pydoc_data.topics`, sorted by name); the last tenth of its characters is held out.

    python -m benchmarks.papers.transformer [--seeds N] [--steps N] [--decoder PRESET]

Finished seeds are kept in benchmarks/papers/.cache: a killed script goes on where it was.
"""

import argparse
import json
import platform
import re
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from evodev.baselines.masks import same_degrees, same_layers
from evodev.cli import prepare_jax
from evodev.compress import descend, train_genome
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.sparsity import Budget
from evodev.models import from_params, masks_like, sparse
from evodev.network import Network
from evodev.statistics import interval
from evodev.types import Array, Key, Scalar

CONTEXT, WIDTH, LAYERS, HEADS, BATCH = 64, 64, 2, 4, 8
DENSITY, RATE, GENOME_RATE = 0.25, 3e-3, 0.03
WIRED = re.compile(r".*block_\d/(attention_out|mlp_in|mlp_out)/kernel")
CACHE = Path(__file__).parent / ".cache" / "transformer"
JOINT, OWN = "genome and weights together", "trained genome's mask, fresh weights"
RANDOM = {"random mask, same densities": "as many synapses in each matrix",
          "random mask, same degrees": "every neuron keeps its fan-in and fan-out"}  # fmt: skip
ARMS = {
    JOINT: "the genome's mask while it changes",
    OWN: "the final mask, trained anew",
    "random genome's mask, fresh weights": "a genome that was not trained",
    **RANDOM,
    "dense": "every synapse",
}
COLOURS = dict(zip(ARMS, ("#08519c", "#3a8bc9", "#8fc1e3", "#c04a00", "#d4820f", "#3f4650"), strict=True))


class Block(nn.Module):
    """Attention and an MLP, each behind a layer norm and added to what came in."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, length, width = x.shape
        y = nn.LayerNorm()(x)
        q, k, v = (nn.Dense(width, name=n)(y).reshape(batch, length, HEADS, -1) for n in ("query", "key", "value"))
        heads = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(batch, length, width)
        x = x + nn.Dense(width, name="attention_out")(heads)
        y = nn.gelu(nn.Dense(4 * width, name="mlp_in")(nn.LayerNorm()(x)))
        return x + nn.Dense(width, name="mlp_out")(y)


class Transformer(nn.Module):
    """Characters (batch, length) -> logits of the next character (batch, length, characters)."""

    characters: int

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = nn.Embed(self.characters, WIDTH)(tokens)
        x = x + self.param("positions", nn.initializers.normal(0.02), (CONTEXT, WIDTH))
        for i in range(LAYERS):
            x = Block(name=f"block_{i}")(x)
        return nn.Dense(self.characters, name="head")(nn.LayerNorm()(x))


@cache
def text() -> tuple[np.ndarray, np.ndarray, int]:
    """Characters to train on and characters held out, as numbers, and how many different ones there are."""
    whole = "".join(topics[name] for name in sorted(topics))
    known, numbers = np.unique(np.array(list(whole)), return_inverse=True)
    split = len(numbers) * 9 // 10
    return numbers[:split].astype(np.int32), numbers[split:].astype(np.int32), len(known)


def next_character(params: Any, windows: Array) -> Scalar:
    """Cross-entropy of the next character in nats; windows (batch, context + 1)."""
    logits = jnp.asarray(Transformer(text()[2]).apply({"params": params}, windows[:, :-1]))
    return optax.softmax_cross_entropy_with_integer_labels(logits, windows[:, 1:]).mean()


def batch_loss(params: Any, *, key: Key) -> Scalar:
    """Loss on a batch of training windows that the key draws."""
    data = jnp.asarray(text()[0])
    start = jax.random.randint(key, (BATCH, 1), 0, len(data) - CONTEXT - 1)
    return next_character(params, data[start + jnp.arange(CONTEXT + 1)])


def held_out(params: Any) -> Scalar:
    """Loss on windows that tile half of the held-out text."""
    data = text()[1]
    starts = np.arange(0, len(data) - CONTEXT - 1, 2 * CONTEXT)
    starts = starts[: len(starts) // 16 * 16].reshape(16, -1)
    windows = jnp.asarray(data[starts[..., None] + np.arange(CONTEXT + 1)])
    return jax.lax.map(lambda part: next_character(params, part), windows).mean()


def adam(steps: int, rate: float) -> optax.GradientTransformation:
    """Warm-up and cosine decay to zero."""
    return optax.adamw(optax.warmup_cosine_decay_schedule(0.0, rate, steps // 10, steps), weight_decay=0.01)


def wirer(preset: str) -> Decoder:
    """A preset that keeps ``DENSITY`` of the wired synapses and whose masks gradients train."""
    return replace(DECODERS[preset], sparsity=Budget(DENSITY, slope=4.0))


@cache
def programs(preset: str, steps: int) -> tuple[Any, Any]:
    """Compiled trainings: ``together(params, key)`` and ``plain(params, masks, key)``."""
    decoder = wirer(preset)
    shapes = jax.eval_shape(lambda: Transformer(text()[2]).init(jax.random.key(0), jnp.zeros((1, CONTEXT), jnp.int32)))["params"]
    substrate = from_params(shapes, pattern=WIRED)

    def masked(params: Any, network: Network) -> Any:
        return jax.tree.map(jnp.multiply, params, masks_like(substrate, network, params))

    @jax.jit
    def together(params: Any, key: Key) -> tuple[Any, ...]:
        optimiser = optax.partition({"genome": adam(steps, GENOME_RATE), "free": adam(steps, RATE)}, ("genome", "free"))

        def loss(network: Network, free: Any, *, key: Key) -> Scalar:
            return batch_loss(masked(free, network), key=key)

        key_genome, key_train, key_grow = jax.random.split(key, 3)
        untrained = decoder.genome_spec(substrate).init(key=key_genome)
        genome, free, history = train_genome(
            decoder, substrate, loss, steps=steps, key=key_train, genome=untrained, free=params, optimiser=optimiser
        )
        network = decoder.grow(genome, substrate, key=key_grow)
        masks = decoder.grow(untrained, substrate, key=key_grow).masks
        return network, masks, held_out(masked(free, network)), history

    @jax.jit
    def plain(params: Any, network: Network, key: Key) -> tuple[Scalar, Array]:
        masks = masks_like(substrate, network, params)
        start = jax.tree.map(jnp.multiply, params, masks)
        optimiser = sparse(adam(steps, RATE), masks)
        trained, history = descend(
            lambda params, progress, *, key: batch_loss(params, key=key), start, steps=steps, key=key, optimiser=optimiser
        )
        return held_out(trained), history

    return together, plain


def one_seed(preset: str, seed: int, steps: int) -> dict[str, Any]:
    """Held-out loss and training curve of every arm, and the density of the wired matrices."""
    began = time.perf_counter()
    key_init, key_joint, key_train = jax.random.split(jax.random.key(seed), 3)
    params = Transformer(text()[2]).init(key_init, jnp.zeros((1, CONTEXT), jnp.int32))["params"]
    together, plain = programs(preset, steps)
    network, untrained, loss, history = jax.device_get(together(params, key_joint))
    losses, curves = {JOINT: float(loss)}, {JOINT: history}
    rng, own = np.random.default_rng(seed), {name: np.asarray(mask) for name, mask in network.masks.items()}
    rivals = (own, untrained, same_layers(own, rng), same_degrees(own, rng), {name: np.ones_like(m) for name, m in own.items()})
    for name, masks in zip(list(ARMS)[1:], rivals, strict=True):
        loss, curves[name] = plain(params, replace(network, masks={k: jnp.asarray(m) for k, m in masks.items()}), key_train)
        losses[name] = float(loss)
        print(seed, name, losses[name], f"{time.perf_counter() - began:.0f} s", flush=True)
    substrate = from_params(params, pattern=WIRED)
    window = max(steps // 25, 1)
    return {
        "loss": losses,
        "curve": {n: np.asarray(c)[: steps // window * window].reshape(-1, window).mean(1).tolist() for n, c in curves.items()},
        "density": {p.kernel: float(own[p.name].mean()) for p in substrate.projections},
        "unused": {p.kernel: float(1 - own[p.name].any(0).mean()) for p in substrate.projections},
        "genome": wirer(preset).genome_spec(substrate).size,
        "synapses": int(sum(mask.sum() for mask in own.values())),
        "parameters": int(sum(leaf.size for leaf in jax.tree.leaves(params))),
        "seconds": time.perf_counter() - began,
    }


def rows_of(results: list[dict[str, Any]], steps: int) -> list[dict[str, Any]]:
    """A loss an arm, and the lead of the genome's mask, paired by seed."""
    rows = []
    for name, what in ARMS.items():
        mean, lo, hi = (float(x) for x in interval(np.array([r["loss"][name] for r in results]), 2000))
        note = f"{what}; {steps} steps of {BATCH} x {CONTEXT} characters"
        rows.append({"label": name, "measured": mean, "lo": lo, "hi": hi, "unit": "nats a character", "note": note})
    own = np.array([r["loss"][OWN] for r in results])
    for name in (*RANDOM, "dense"):
        lead = np.array([r["loss"][name] for r in results]) - own
        mean, lo, hi = (float(x) for x in interval(lead, 2000))
        # losses on the same batches are equal to the last digit only for equal masks
        note = "met: the interval lies above zero" if lead.any() else "the same mask: it is nested, so degrees leave no choice"
        rows.append({
            "label": f"lead of the trained genome's mask over {name}", "measured": mean, "lo": lo, "hi": hi,
            "unit": "nats a character", "target": 0.0, "met": bool(lo > 0), "note": note,
        })  # fmt: skip
    first = results[0]
    densities = ", ".join(
        f"{k.removesuffix('/kernel')} {np.mean([r['density'][k] for r in results]):.2f}" for k in first["density"]
    )
    unused = np.mean([list(r["unused"].values()) for r in results])
    rows.append({
        "label": "density of the wired matrices", "measured": float(np.mean([list(r["density"].values()) for r in results])),
        "unit": "share", "note": f"{densities}; {unused:.0%} of their receiving neurons have no synapse",
    })  # fmt: skip
    what = f"for {first['synapses']:,} wired synapses of a model of {first['parameters']:,} parameters; the weights are free"
    rows.append({"label": "genome", "measured": first["genome"], "unit": "numbers", "note": what})
    return rows


def draw(results: list[dict[str, Any]], steps: int, path: Path) -> None:
    """Training curves, and held-out loss of every arm with its seeds."""
    figure = Figure(figsize=(10.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    for i, (name, colour) in enumerate(COLOURS.items()):
        curve = np.mean([r["curve"][name] for r in results], axis=0)
        left.plot((np.arange(len(curve)) + 0.5) * steps / len(curve), curve, color=colour, linewidth=1.4)
        values = np.array([r["loss"][name] for r in results])
        mean, lo, hi = (float(x) for x in interval(values, 2000))
        right.plot([lo, hi], [i, i], color=colour, linewidth=3, alpha=0.5)
        right.plot(values, np.full(len(values), i), "o", color=colour, markersize=3, alpha=0.6)
        right.plot([mean], [i], "D", color=colour, markersize=6)
    left.set(xlabel="step", ylabel="training loss, nats a character", ylim=(2, 3.5))
    left.set_title(f"Mean of {len(results)} seeds", loc="left")
    right.set_yticks(range(len(ARMS)), list(ARMS))
    right.invert_yaxis()
    right.set_xlabel("held-out loss, nats a character")
    right.set_title("Seeds, mean and 95% interval", loc="left")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=160)


def main() -> None:
    """Measure and write benchmarks/results/papers/transformer.json and .png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="outer seeds (default 5)")
    parser.add_argument("--steps", type=int, default=500, help="training steps of an arm (default 500)")
    parser.add_argument("--decoder", default="ndna", choices=sorted(DECODERS), help="preset that wires (default ndna)")
    options = parser.parse_args()
    prepare_jax()
    results, preset = [], options.decoder
    name = "transformer" if preset == "ndna" else f"transformer_{preset}"
    for seed in range(options.seeds):
        kept = CACHE / f"{preset}-{seed}-{options.steps}.json"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(one_seed(preset, seed, options.steps)))
        results.append(json.loads(kept.read_text()))
        print(seed, {k: round(v, 3) for k, v in results[-1]["loss"].items()}, results[-1]["density"], flush=True)
        seconds = np.mean([r["seconds"] for r in results])
        budget = f"{options.steps} steps an arm, {seconds:.0f} s a seed for all arms; text of Python {platform.python_version()}"
        write_result(
            "papers", name, rows_of(results, options.steps),
            command=f"python -m benchmarks.papers.transformer --decoder {preset} --steps {options.steps}",
            seeds=len(results), budget=budget, figure=f"{name}.png",
        )  # fmt: skip
        draw(results, options.steps, result_path("papers", name).with_suffix(".png"))


if __name__ == "__main__":
    main()
