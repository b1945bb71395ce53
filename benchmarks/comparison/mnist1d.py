"""Row 5 of the science: MNIST-1D in its published setting, and what an evolved mask adds to the published MLP.

Greydanus & Kobak 2024 (arXiv 2011.14439): 40 inputs, 4,000 signals to train on and 1,000 to test with; Adam at .01, batches of
100 in one order, 6,000 steps, layers born uniform within 1 / sqrt(inputs), the accuracy after the last step. A linear layer, an
MLP 40-100-100-10 whose second hidden layer adds to the first, a CNN of three layers of 25 channels. Reported, in percent: linear
32, MLP 68, CNN 94; with the positions in a fixed random order 32, 68 and 56 (the authors' later notebook, one seed: 32, 65, 92;
shuffled 32, 66, 59).

The evolved mask: a genome of 24 numbers says which quarter of the synapses of the MLP's two hidden layers exist; the output
layer is dense. Neurons of two types lie on the line of the inputs; a pair of types has a kernel over relative position, three
cosines as wide as the whole line, so that nearness can be said but is not built in. One search an outer seed, CMA-ES; fitness is
the accuracy on 800 of the 4,000 training signals late in a short training on the other 3,200 with fresh weights (300 steps, mean
of three looks in its second half). No search saw a test signal. The centre of the search is then trained as published. Weights of
a mask are as large in root mean square as the dense layer's. The search is run again on the shuffled positions, where the mask
found on the original ones is tried too. A further search lets the same genome also set the initial weights. Hyperparameters of
the dense MLP (rate, decay, scales of its layers) are evolved by the same strategy, from the same short trainings, as many of
them; another arm tunes rate, weight decay, width and the moment to stop by a grid on the same validation. Cosines, types, density
and the length of a search were settled by hand in three pilot searches of another seed, and by hand-made masks, on validation.

Expected, written down before the run:
- linear, MLP and CNN come within a few points of 32, 68 and 94, and the CNN falls to the MLP or below when shuffled;
- on the original: evolved mask above the MLP, tuned or not, and below the CNN; above random masks of the same density, layers and
  degrees and above the mask of its initial genome; within 2 points of a hand-made mask of nearest inputs of the same fan-in;
  below a locally connected network (the CNN with a kernel of its own at each position), which has seven times its synapses;
- shuffled: the mask evolved there equals random masks of the same layers within 2 points, and the transplanted one as well.

    python -m benchmarks.comparison.mnist1d [--seeds N] [--minutes M]

Needs the extra `data`. What is finished is kept in benchmarks/comparison/.cache: a killed script, or one that was told to stop
after M minutes, goes on where it was, and several copies share the work.
"""

import argparse
import fcntl
import json
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import result_path, write_result
from benchmarks.comparison.mnist1d_arms import (
    AS_TUNED,
    BATCH,
    CONTROLS,
    EVOLVED,
    INITIAL,
    MOVED,
    MOVED_RANDOM,
    NETWORKS,
    RANDOM,
    RATE,
    STEPS,
    WEIGHTS,
    Params,
    as_params,
    born,
    by_layer,
    decoder_of,
    divided,
    grown,
    mlp,
    nearness,
    trained,
    trainings,
    whole,
    wired,
    wired_substrate,
)
from benchmarks.comparison.mnist1d_rows import CACHE, WORLDS, Told, draw, kept, rows_of
from evodev.cli import prepare_jax
from evodev.strategies import Strategy, maximise
from evodev.types import Array, Genome, Key

DENSITY = 0.25
STRATEGY, GENERATIONS, SHORT = Strategy("CMA_ES", 20, sigma=0.5), 30, 300
"""The search of masks and that of hyperparameters, and steps of the short training behind a fitness."""
TRAIN, LOOKS = 3200, 12
"""Signals of a short training, and moments at which a full one is looked at."""
TUNING_STEPS, TUNING_LOOKS, TUNING_SEEDS = 4000, 16, 2
HYPER = ("log rate", "decay", "scale of hidden1", "scale of hidden2", "scale of output")
Unit = tuple[str, Callable[[], dict[str, Any]]]


def stacked(parts: list[Any]) -> Any:
    """Pytrees of one structure, stacked."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)


# ---- data and starts of a seed


def order(seed: int) -> np.ndarray:
    """The order in which a seed goes through the training signals; a search validates on the last of them."""
    return np.random.default_rng(seed).permutation(4000)


@cache
def ordered(world: str, seeds: int) -> tuple[Any, Any]:
    """Training signals (seeds, n, length) and labels in the order of each seed; test signals."""
    (x, y), test = divided(WORLDS[world])
    orders = np.stack([order(seed) for seed in range(seeds)])
    return (jnp.asarray(x[orders]), jnp.asarray(y[orders])), tuple(map(jnp.asarray, test))


def start(network: str, seed: int) -> Params:
    """Parameters that every arm of a seed begins with."""
    return born(NETWORKS[network][1], key=jax.random.fold_in(jax.random.key(seed), 0xB0))


def full(
    world: str, network: str, params: list[Params], masks: list[Params], *, rates: Any = RATE, decays: Any = 0.0,
    steps: int = STEPS, looks: int = LOOKS,
) -> dict[str, Any]:  # fmt: skip
    """The whole training of a network for every seed; test accuracy by look."""
    many, began = len(params), time.perf_counter()
    train, test = ordered(world, many)
    told = trainings(
        NETWORKS[network][0], stacked(params), stacked(masks), train, test, jnp.broadcast_to(rates, (many,)),
        jnp.broadcast_to(decays, (many,)), steps=steps, batch=BATCH, looks=looks,
    )  # fmt: skip
    return {"accuracy": np.asarray(told).tolist(), "seconds": time.perf_counter() - began}


# ---- searches


def initial_genome(seed: int) -> Genome:
    """Where the searches of a seed begin, in both worlds."""
    spec = decoder_of(DENSITY).genome_spec(wired_substrate())
    return spec.init(key=jax.random.fold_in(jax.random.key(seed), 0x9E))


def individual(genome: Genome, params: Params, *, weights: bool) -> tuple[Params, Params]:
    """What a genome makes of newborn parameters: its own initial weights or only its mask; and the masks."""
    own, masks = grown(decoder_of(DENSITY), genome, params)
    return (own if weights else wired(params, masks)), masks


def hyper(genes: Array, params: Params) -> tuple[Params, Array, Array]:
    """Five numbers -> scaled parameters, rate and decay; zeros are the published setting without decay."""
    scales = jnp.exp(jnp.clip(genes[2:], -3.0, 3.0))
    layers = ("hidden1", "hidden2", "output")
    scaled = {n: jax.tree.map(partial(jnp.multiply, scales[i]), params[n]) for i, n in enumerate(layers)}
    return scaled, RATE * jnp.exp(jnp.clip(genes[0], -4.0, 3.0)), jnp.clip(genes[1], 0.0, 5.0)


@partial(jax.jit, static_argnames="kind")
def searched(kind: str, train: Any, validation: Any, initial: Genome, *, key: Key) -> tuple[Genome, Array]:
    """One search; its centre and the best score of each generation.

    Args:
        kind: ``mask``, ``weights`` (mask and initial weights) or ``hyper``.
        train: signals of the short trainings.
        validation: signals that score them.
        initial: genome to start from.
        key: of the search and of the weights, which all genomes of a generation share.
    """

    def score(genomes: Array, *, key: Key) -> Array:
        params = born(NETWORKS["mlp"][1], key=key)

        def one(genome: Genome) -> Array:
            rate, decay = jnp.asarray(RATE), jnp.asarray(0.0)
            if kind == "hyper":
                own, rate, decay = hyper(genome, params)
                masks = whole(params)
            else:
                own, masks = individual(genome, params, weights=kind == "weights")
            return trained(mlp, own, masks, train, validation, rate=rate, decay=decay, steps=SHORT, looks=6)[3:].mean()

        return jax.vmap(one)(genomes)

    _, centre, history = maximise(score, len(initial), STRATEGY, GENERATIONS, key=key, initial=initial)
    return centre, history


def one_search(world: str, kind: str, seed: int) -> dict[str, Any]:
    """The search of a seed."""
    began = time.perf_counter()
    (x, y), _ = divided(WORLDS[world])
    x, y = x[order(seed)], y[order(seed)]
    train, validation = (tuple(map(jnp.asarray, (x[part], y[part]))) for part in (slice(0, TRAIN), slice(TRAIN, None)))
    initial = jnp.zeros(len(HYPER)) if kind == "hyper" else initial_genome(seed)
    centre, history = searched(kind, train, validation, initial, key=jax.random.fold_in(jax.random.key(seed), 0x5E))
    genome = np.asarray(centre).tolist()
    return {"genome": genome, "history": np.asarray(history).tolist(), "seconds": time.perf_counter() - began}


def found(world: str, kind: str, seeds: int) -> list[Genome] | None:
    """Genomes of all seeds, or None as long as one is missing."""
    done = [kept(f"search-{world}-{kind}-{seed}") for seed in range(seeds)]
    return [jnp.asarray(d["genome"], jnp.float32) for d in done if d] if all(done) else None


# ---- arms


def published(world: str, network: str, seeds: int) -> dict[str, Any]:
    """A network without masks, in the published training."""
    params = [start(network, seed) for seed in range(seeds)]
    return full(world, network, params, [whole(p) for p in params])


def masked(world: str, arm: str, genomes: list[Genome], **training: Any) -> dict[str, Any]:
    """A mask arm: what it does to the masks of these genomes (one a seed), trained on a world from the seeds' own weights.

    ``training`` departs from the published one, as of :func:`full`.
    """
    params, masks = [start("mlp", seed) for seed in range(len(genomes))], []
    for seed, (genome, own) in enumerate(zip(genomes, params, strict=True)):
        grows = individual(genome, own, weights=False)[1]
        if arm in CONTROLS:
            grows = as_params(CONTROLS[arm](by_layer(grows), np.random.default_rng([7, seed])), own)
        masks.append(grows)
    layers = [by_layer(m) for m in masks]
    fan_in = {name: float(np.mean([m[name].sum(0).mean() for m in layers])) for name in layers[0]}
    near = {name: float(np.mean([nearness(m)[name] for m in layers])) for name in layers[0]}
    told = full(world, "mlp", [wired(p, m) for p, m in zip(params, masks, strict=True)], masks, **training)
    return told | {"fan_in": fan_in, "nearness": near, "masks": {n: layers[0][n].astype(int).tolist() for n in layers[0]}}


def with_weights(arm: str, genomes: list[Genome]) -> dict[str, Any]:
    """The search that also set the initial weights: as grown, in its mask at random, or without the mask."""
    params, masks = [], []
    for seed, genome in enumerate(genomes):
        fresh = start("mlp", seed)
        own, mask = individual(genome, fresh, weights=arm == WEIGHTS)
        params.append(own)
        masks.append(mask)
    return full("original", "mlp", params, masks)


def tuning() -> dict[str, Any]:
    """The grid of the dense MLP: validation accuracy by configuration, and the best with the moment to stop."""
    began, tried = time.perf_counter(), []
    (x, y), _ = divided(False)
    orders = [order(seed) for seed in range(TUNING_SEEDS)]
    for network in ("mlp", "mlp200"):
        grid = [(rate, decay) for rate in (1e-3, 3e-3, 1e-2) for decay in (0.0, 0.1, 1.0)]
        for seed, own in enumerate(orders):
            params = [start(network, seed)] * len(grid)
            train = tuple(jnp.asarray(np.stack([part[own[:TRAIN]]] * len(grid))) for part in (x, y))
            held_out = tuple(jnp.asarray(part[own[TRAIN:]]) for part in (x, y))
            rates, decays = (jnp.array(of) for of in zip(*grid, strict=True))
            told = trainings(
                NETWORKS[network][0], stacked(params), stacked([whole(p) for p in params]), train, held_out, rates, decays,
                steps=TUNING_STEPS, batch=BATCH, looks=TUNING_LOOKS,
            )  # fmt: skip
            for (rate, decay), curve in zip(grid, np.asarray(told).tolist(), strict=True):
                tried.append({"network": network, "rate": rate, "decay": decay, "seed": seed, "curve": curve})
    best: dict[str, Any] = {"validation": -1.0}
    for one in (t for t in tried if t["seed"] == 0):
        same = [t["curve"] for t in tried if all(t[k] == one[k] for k in ("network", "rate", "decay"))]
        curve = np.mean(same, axis=0)
        if curve.max() > best["validation"]:
            steps = int(curve.argmax() + 1) * (TUNING_STEPS // TUNING_LOOKS)
            best = {k: one[k] for k in ("network", "rate", "decay")} | {"validation": float(curve.max()), "steps": steps}
    return {"best": best, "tried": tried, "trainings": len(tried), "seconds": time.perf_counter() - began}


def tuned(seeds: int, best: dict[str, Any]) -> dict[str, Any]:
    """The dense MLP as the grid says."""
    params = [start(best["network"], seed) for seed in range(seeds)]
    masks = [whole(p) for p in params]
    rates, decays = best["rate"], best["decay"]
    return full("original", best["network"], params, masks, rates=rates, decays=decays, steps=best["steps"], looks=1)


def evolved_hyper(genomes: list[Genome]) -> dict[str, Any]:
    """The dense MLP with evolved hyperparameters."""
    params, rates, decays = zip(*(hyper(g, start("mlp", seed)) for seed, g in enumerate(genomes)), strict=True)
    masks = [whole(p) for p in params]
    told = full("original", "mlp", list(params), masks, rates=jnp.stack(rates), decays=jnp.stack(decays))
    return told | {"rate": np.asarray(rates).tolist(), "decay": np.asarray(decays).tolist()}


def neighbour(world: str) -> dict[str, Any]:
    """1-NN on the inputs."""
    (x, y), (x_test, y_test) = divided(WORLDS[world])
    distance = (x**2).sum(1)[None] - 2 * x_test @ x.T
    return {"accuracy": [[float((y[distance.argmin(1)] == y_test).mean())]], "seconds": 0.0}


def units(seeds: int) -> Iterator[Unit]:
    """All pieces of work in order, those that wait for others after them."""
    for world in WORLDS:
        yield f"arm-{world}-1-NN on inputs", partial(neighbour, world)
        for arm, network in (("linear", "linear"), ("MLP", "mlp"), ("CNN", "cnn")):
            yield f"arm-{world}-{arm}", partial(published, world, network, seeds)
    for world in WORLDS:
        for seed in range(seeds):
            yield f"search-{world}-mask-{seed}", partial(one_search, world, "mask", seed)
        genomes = found(world, "mask", seeds)
        if genomes:
            for arm in (EVOLVED, *CONTROLS):
                yield f"arm-{world}-{arm}", partial(masked, world, arm, genomes)
    start_genomes, original = [initial_genome(seed) for seed in range(seeds)], found("original", "mask", seeds)
    yield f"arm-original-{INITIAL}", partial(masked, "original", "initial", start_genomes)
    if original:
        yield f"arm-shuffled-{MOVED}", partial(masked, "shuffled", EVOLVED, original)
        yield f"arm-shuffled-{MOVED_RANDOM}", partial(masked, "shuffled", RANDOM, original)
    yield "tuning", tuning
    best = kept("tuning")
    if best:
        best = best["best"]
        yield "arm-original-MLP, tuned", partial(tuned, seeds, best)
        as_tuned = {"rates": best["rate"], "decays": best["decay"], "steps": best["steps"], "looks": 1}
        for arm in (EVOLVED, RANDOM) if original else ():
            yield f"arm-original-{arm}{AS_TUNED}", partial(masked, "original", arm, original or [], **as_tuned)
    yield "arm-original-locally connected", partial(published, "original", "local", seeds)
    for seed in range(seeds):
        yield f"search-original-hyper-{seed}", partial(one_search, "original", "hyper", seed)
    genomes = found("original", "hyper", seeds)
    if genomes:
        yield "arm-original-MLP, evolved hyperparameters", partial(evolved_hyper, genomes)
    yield "arm-shuffled-locally connected", partial(published, "shuffled", "local", seeds)
    for seed in range(seeds):
        yield f"search-original-weights-{seed}", partial(one_search, "original", "weights", seed)
    genomes = found("original", "weights", seeds)
    if genomes:
        for arm in (WEIGHTS, "its mask, fresh weights"):
            yield f"arm-original-{arm}", partial(with_weights, arm, genomes)


def work(seeds: int, minutes: float) -> bool:
    """Do what is missing for so long; whether everything is done."""
    began = time.perf_counter()
    CACHE.mkdir(parents=True, exist_ok=True)
    for name, unit in units(seeds):
        if kept(name) is not None:
            continue
        if time.perf_counter() - began > 60 * minutes:
            return False
        with open(CACHE / f"{name}.claim", "w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # another copy of this script is at it
                continue
            if kept(name) is not None:
                continue
            did = unit()
            (CACHE / f"{name}.json").write_text(json.dumps(did))
        last = np.mean(did["accuracy"], axis=0)[-1] if "accuracy" in did else did.get("history", [0])[-1]
        print(f"{name}: {last:.3f}, {did['seconds']:.0f} s", flush=True)
    return all(kept(name) is not None for name, _ in units(seeds))


# ---- what it says


def results(seeds: int) -> Told:
    """Test accuracy after the last step by world, arm and seed, as far as it is known."""
    out: Told = {world: {} for world in WORLDS}
    for name, _ in units(seeds):
        _, _, rest = name.partition("arm-")
        world, _, arm = rest.partition("-")
        done = kept(name) if rest else None
        if done:
            out[world][arm] = np.asarray(done["accuracy"], float)[:, -1]
    return out


def budget(seeds: int) -> str:
    """What a search and the whole may spend, in words."""
    one = STRATEGY.population * GENERATIONS
    done = [json.loads(path.read_text()).get("seconds", 0) for path in CACHE.glob("*.json")]
    return (
        f"a search: {STRATEGY.population} genomes x {GENERATIONS} generations, each a training of {SHORT} steps of {BATCH} "
        f"({one * SHORT * BATCH / 1e6:.0f} million labelled samples shown, {TRAIN} different ones, {4000 - TRAIN} to validate; "
        f"as many steps as {one * SHORT / STEPS:.0f} full trainings), hyperparameters the same; masks of {DENSITY:.0%} of the "
        f"hidden layers' synapses; a final training: {STEPS} steps on all 4,000; "
        f"{sum(done) / 60:.0f} minutes on busy cores in all"
    )


def main() -> None:
    """Measure, as far as the minutes go, and write benchmarks/results/comparison/mnist1d.json and its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="outer seeds (default 10)")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin nothing new after so many minutes (default: no end)")
    options = parser.parse_args()
    prepare_jax()
    done, told = work(options.seeds, options.minutes), results(options.seeds)
    draw(told, options.seeds, result_path("comparison", "mnist1d").with_suffix(".png"))
    write_result(
        "comparison", "mnist1d", rows_of(told), command="python -m benchmarks.comparison.mnist1d",
        seeds=options.seeds, budget=budget(options.seeds), figure="mnist1d.png",
    )  # fmt: skip
    print("all done" if done else "to be continued: run it again", flush=True)


if __name__ == "__main__":
    main()
