"""The crystal: how much plasticity does evolution leave, in a world that changes every so often?

Experiment 7 of the essays' claims. "Imagine evolution, but it runs at a single instant": in a world that never changes
nothing is left to learn, and the answer is a crystal, perfectly fitted and rigid.

Expected, written down before the run: an inverted U. Evolved plasticity, and what is lost when learning is switched off,
go to 0 where the world is frozen (all there is to know can be inborn) and where it changes at every step (what has just
been learned is never of use again), and lie well above 0 between. Met if, paired by seed, a period of 8 steps, the middle,
exceeds each end, and the end is below a tenth of it. Without noise learning costs nothing in the frozen world once it is
known by birth, since where there is no error nothing changes; so the *rates* are expected to go to 0 only where labels
are noisy, and both arms are reported. No charge for plasticity is made in either.

    python -m benchmarks.lives.crystal [--seeds N] [--generations N]

A network of 3-8-1 with every weight a gene, and the rates and gates of its gradient descent genes too, predicts the
answers of a teacher network for 32 steps of 4 examples. A teacher reigns for 1, 2, 4, 8, 16 or all 32 steps of a life, or
is one and the same in all lives. Fitness and all losses are of predictions made before learning from the answers, so that
each is made in the reigning world. Tested are the centres of the searches, on teachers of a width never trained on (the
frozen world has no other). Finished searches are kept in benchmarks/lives/.cache: a killed script goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from evodev.chunks import Chunk
from evodev.cli import prepare_jax
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import evaluate_organism
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.lifetime import LifetimeLog
from evodev.organism import Organism
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.substrate import mlp
from evodev.tasks import Split, Switching, Teacher
from evodev.types import Array, Genome, Genomes, Key, Scalar

STEPS, POPULATION, LIVES, TEST_LIVES = 32, 64, 8, 512
PERIODS: tuple[int | None, ...] = (1, 2, 4, 8, 16, STEPS, None)
NAMES = {1: "every step", STEPS: "a life", None: "frozen"}
MIDDLE = 8
NOISES = {"no noise": 0.0, "noisy labels": 0.5}
SCHEDULE = (0, STEPS)
ORGANISM = Organism(
    mlp((3, 8, 1), activation="tanh"),
    Decoder(CellTypes(), Direct(), AllSynapses()),
    Gradient(loss="squared_error", log_rate=-3.0, spread=1.5, plastic="projection"),
)
SPEC = ORGANISM.genome_spec
LEARNING = np.concatenate([np.arange(SPEC.size)[where] for name, where in SPEC.slices.items() if name.startswith("learner/")])
"""Where the genome says how to learn."""
FITNESS = Fitness("online", worst=-10.0)
STRATEGY = Strategy("SNES", POPULATION, sigma=0.3)
CACHE = Path(__file__).parent / ".cache" / "crystal"


def world(period: int | None, noise: float, seed: Any) -> Switching:
    """Teachers that reign for so many steps; the frozen one is another for each seed."""
    teachers = Teacher(features=3, updates=STEPS, shots=4, probes=4, train=(2, 4, 6), validation=(3,), test=(5,))
    task = Switching(teachers, period, noise=noise)
    return replace(task, frozen=seed) if period is None else task


def lived(genomes: Genomes, task: Switching, split: Split, lives: int, *, key: Key) -> LifetimeLog:
    """Every genome lives the same fresh lives."""
    key_lives, key_run = jax.random.split(key)
    sampled = jax.vmap(lambda k: task.sample(split, key=k))(jax.random.split(key_lives, lives))
    return evaluate_organism(
        ORGANISM, genomes, task, sampled, SCHEDULE, key=key_run, chunk=Chunk(len(genomes), lives), online=True
    )


@cache
def evolver(period: int | None, noise: float, generations: int) -> Callable[[Array], tuple[Genome, Genome]]:
    """Compiled search: seed -> the random genome it starts from, and the centre it ends at."""

    @jax.jit
    def evolve(seed: Array) -> tuple[Genome, Genome]:
        task = world(period, noise, seed)
        # apart from the key of the frozen world, which is the bare seed
        key_start, key_run = jax.random.split(jax.random.fold_in(jax.random.key(seed), 0x5EA2C4))

        def score(genomes: Genomes, *, key: Key) -> Array:
            return FITNESS(lived(genomes, task, "train", LIVES, key=key), SCHEDULE).mean(1)

        start = SPEC.init(key=key_start)
        return start, maximise(score, SPEC.size, STRATEGY, generations, key=key_run, initial=start)[1]

    return evolve


def searched(period: int | None, noise: float, seed: int, generations: int) -> dict[str, Any]:
    """The genomes of one search, from the cache if it is finished."""
    kept = CACHE / f"{noise:g}-{NAMES.get(period, period)}-{seed}-{generations}.json"
    if not kept.exists():
        began = time.perf_counter()
        start, end = (np.asarray(g).tolist() for g in evolver(period, noise, generations)(jnp.asarray(seed)))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"start": start, "end": end, "seconds": time.perf_counter() - began}))
        print(kept.stem, f"{time.perf_counter() - began:.1f} s", flush=True)
    return json.loads(kept.read_text())


def rigid(genome: Genome) -> Genome:
    """The genome with learning switched off: every rate the smallest there is."""
    rates = [i for name, where in SPEC.slices.items() if name.endswith("log_rate") for i in range(SPEC.size)[where]]
    return genome.at[jnp.array(rates)].set(-100.0)


def capacity(genome: Genome) -> Scalar:
    """How plastic the genes say to be: gate x rate, mean over all weights and biases."""
    genes, substrate = ORGANISM.split(genome)[1], ORGANISM.substrate
    rate = {name.removesuffix("/log_rate"): jnp.exp(jnp.clip(v, -20, 5)) for name, v in genes.items() if "log_rate" in name}
    weights = [np.prod(substrate.shape(p)) * rate[p.name] * (genes[f"{p.name}/plastic"] > 0) for p in substrate.projections]
    biases = [p.size * rate[p.name] for p in substrate.populations[1:]]
    return sum([*weights, *biases], jnp.zeros(())) / (substrate.synapses + sum(p.size for p in substrate.populations[1:]))


def change(genome: Genome, task: Switching, lives: int, *, key: Key) -> Scalar:
    """How plastic a life is: length of a step of learning over that of all weights and biases, mean over steps and lives."""
    learner, substrate = ORGANISM.learner, ORGANISM.substrate
    network, genes = ORGANISM.develop(genome, key=key)

    def one(key: Key) -> Scalar:
        life = task.sample("test", key=key)

        def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, Scalar]:
            after = learner.step(genes, state, *now, substrate, key=key)
            old, new = (jnp.concatenate([x.ravel() for x in parameters(s)]) for s in (state, after))
            return after, jnp.linalg.norm(new - old) / jnp.linalg.norm(old)

        start = learner.init(genes, network, substrate, key=key)
        return jax.lax.scan(step, start, (life.inputs, life.targets))[1].mean()

    def parameters(state: Any) -> list[Array]:
        return jax.tree.leaves((state.network.weights, state.network.biases))

    return jax.vmap(one)(jax.random.split(key, lives)).mean()


@cache
def tester(period: int | None, noise: float) -> Callable[[Array, Genomes], tuple[Array, Array]]:
    """Compiled test: seed and genomes -> mean excess loss of each (genomes,), and the change in life of the first two."""

    @jax.jit
    def test(seed: Array, genomes: Genomes) -> tuple[Array, Array]:
        task, key = world(period, noise, seed), jax.random.key(20261122)
        log = lived(genomes, task, "test", TEST_LIVES, key=key)
        # what nobody can predict is taken off: an excess of 0 is perfect, of 1 ignorant
        excess = -FITNESS(log, SCHEDULE).mean(1) - noise**2
        return excess, jnp.stack([change(g, task, TEST_LIVES, key=key) for g in genomes[:2]])

    return test


def tested(noise: float, seed: int, generations: int) -> list[dict[str, Any]]:
    """What the searches of one seed and noise came to, an entry a period."""
    kept = CACHE / f"tested-{noise:g}-{seed}-{generations}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    found = [searched(period, noise, seed, generations) for period in PERIODS]
    ends = jnp.array([f["end"] for f in found])
    out = []
    for period, own, start in zip(PERIODS, ends, jnp.array([f["start"] for f in found]), strict=True):
        swapped = [own.at[LEARNING].set(other[LEARNING]) for other in ends]
        genomes = jnp.stack([own, start, rigid(own), rigid(start), *swapped])
        excess, changed = tester(period, noise)(jnp.asarray(seed), genomes)
        out.append(
            {
                "evolved": float(excess[0]), "rigid": float(excess[2]), "ablation": float(excess[2] - excess[0]),
                "capacity": float(jnp.log10(capacity(own))), "change": float(changed[0]),
                "random ablation": float(excess[3] - excess[1]), "random capacity": float(jnp.log10(capacity(start))),
                "random": float(excess[1]), "swapped": np.asarray(excess[4:]).tolist(),
            }
        )  # fmt: skip
    kept.write_text(json.dumps(out))
    return out


Results = dict[str, dict[str, np.ndarray]]
"""By noise and measure, (seeds, periods); ``swapped`` (seeds, periods, whose learning)."""


def collected(seeds: int, generations: int) -> Results:
    """All measures of all searches."""
    out: Results = {}
    for name, noise in NOISES.items():
        runs = [tested(noise, seed, generations) for seed in range(seeds)]
        out[name] = {key: np.array([[entry[key] for entry in run] for run in runs]) for key in runs[0][0]}
    return out


MEASURES = {
    "ablation": ("ablation loss", "MSE", "what switching learning off adds to the loss"),
    "change": ("change in life", "share", "length of a step of learning over that of all weights"),
    "capacity": ("rate in the genes", "rate", "gate x rate, mean over weights and biases; geometric mean over seeds"),
    "evolved": ("excess loss", "MSE", "evolved; 0 is perfect, 1 is ignorant"),
}


def rows_of(results: Results) -> list[dict[str, Any]]:
    """Every measure at every period, random genomes, the two ends against the middle, and exchanged learning."""
    rows = []
    middle = PERIODS.index(MIDDLE)
    for noise, own in results.items():
        for measure, (label, unit, note) in MEASURES.items():
            back = (lambda x: 10**x) if measure == "capacity" else float
            for i, period in enumerate(PERIODS):
                mean, lo, hi = (float(back(float(x))) for x in interval(own[measure][:, i], 2000))
                where = NAMES.get(period, f"{period} steps")
                rows.append({"label": f"{label}, {where}, {noise}", "measured": mean, "lo": lo, "hi": hi, "unit": unit,
                             "note": note})  # fmt: skip
        for measure in ("ablation", "change", "capacity"):
            label, unit, _ = MEASURES[measure]
            for end in (0, -1):
                values, name = own[measure], NAMES[PERIODS[end]]
                mean, lo, hi = (float(x) for x in interval(values[:, middle] - values[:, end], 2000))
                share = values.mean(0)[end] / values.mean(0)[middle]
                if measure == "capacity":
                    share = 10 ** (values.mean(0)[end] - values.mean(0)[middle])
                # nothing was expected to select against rates where there is no error to learn from
                stays = measure == "capacity" and PERIODS[end] is None and noise == "no noise"
                met = share >= 0.1 if stays else lo > 0 and share < 0.1
                rows.append(
                    {
                        "label": f"{label}, {MIDDLE} steps less {name}, {noise}", "measured": mean, "lo": lo, "hi": hi,
                        "unit": "decades" if measure == "capacity" else unit, "target": 0.0, "met": bool(met),
                        "note": f"paired; the end has {share:.2g} of the middle, expected {'at least' if stays else 'below'} 0.1",
                    }
                )  # fmt: skip
        births = {"random capacity": "rate in the genes", "random ablation": "ablation loss", "random": "excess loss"}
        for measure, label in births.items():
            mean, lo, hi = (float(x) for x in interval(np.median(own[measure], axis=1), 2000))
            if measure == "random capacity":
                mean, lo, hi = 10**mean, 10**lo, 10**hi
            rows.append({"label": f"{label}, random genomes, {noise}", "measured": mean, "lo": lo, "hi": hi,
                         "note": "those that the searches start from; median over periods"})  # fmt: skip
        foreign = own["swapped"] - own["evolved"][:, :, None]
        others = ~np.eye(len(PERIODS), dtype=bool)
        mean, lo, hi = (float(x) for x in interval(foreign[:, others].mean(1), 2000))
        label = f"cost of another period's learning genes, {noise}"
        rows.append({"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": "MSE",
                     "note": "rates and gates exchanged between the genomes of a seed; mean over all pairs"})  # fmt: skip
    return rows


def draw(results: Results) -> None:
    """Rates, change in life and ablation loss against the period, and what another period's learning would cost."""
    figure = Figure(figsize=(10.5, 7.6), layout="constrained")
    panels = figure.subplots(2, 2)
    colours = {"no noise": "#0b4f9e", "noisy labels": "#c45a00"}
    x, ticks = np.arange(len(PERIODS)), [NAMES.get(p, str(p)) for p in PERIODS]
    titles = {
        "ablation": ("What learning is worth", "loss added by switching learning off (MSE)"),
        "change": ("How much a life changes", "change of all weights at a step (%)"),
        "capacity": ("What the genes allow", "evolved learning rate, mean over weights"),
    }
    for axis, (measure, (title, label)) in zip(panels.flat, titles.items(), strict=False):
        for noise, own in results.items():
            values = own[measure] * (100 if measure == "change" else 1)
            mean, lo, hi = interval(values, 2000)
            if measure == "capacity":
                mean, lo, hi, values = 10**mean, 10**lo, 10**hi, 10**values
            axis.plot(x, mean, color=colours[noise], marker="o", markersize=4, label=noise)
            axis.fill_between(x, lo, hi, color=colours[noise], alpha=0.2, linewidth=0)
        # worlds that outlast a life but not for ever were not lived in
        axis.axvline(len(PERIODS) - 1.5, color="0.8", linestyle="--", linewidth=0.8, zorder=0)
        axis.set_title(title, loc="left")
        axis.set_ylabel(label)
        axis.set_xticks(x, ticks)
        axis.set_xlabel("how long a world lasts (steps of learning)")
        axis.spines[["top", "right"]].set_visible(False)
    level = np.median(np.concatenate([own["random capacity"].ravel() for own in results.values()]))
    panels[1, 0].axhline(10**level, color="0.5", linestyle=":", linewidth=1, label="random genome")
    panels[1, 0].set_yscale("log")
    panels[0, 0].axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panels[0, 0].legend(frameon=False)
    panels[1, 0].legend(frameon=False)
    own = results["noisy labels"]
    cost = (own["swapped"] - own["evolved"][:, :, None]).mean(0)
    image = panels[1, 1].imshow(np.clip(cost, 0, 1), cmap="Greys", vmin=0, vmax=1, origin="lower")
    for i, j in np.ndindex(cost.shape):
        panels[1, 1].text(j, i, f"{cost[i, j]:.2f}", ha="center", va="center", fontsize=7, color="w" if cost[i, j] > 0.5 else "k")
    panels[1, 1].set_xticks(x, ticks, rotation=30, ha="right")
    panels[1, 1].set_yticks(x, ticks)
    panels[1, 1].set_xlabel("learning genes of")
    panels[1, 1].set_ylabel("lived in, and wired for")
    panels[1, 1].set_title("Loss added by another world's learning", loc="left")
    figure.colorbar(cast(Any, image), ax=panels[1, 1], label="MSE", shrink=0.8)
    figure.savefig(result_path("lives", "crystal").with_suffix(".png"), dpi=160)


def main() -> None:
    """Measure and write benchmarks/results/lives/crystal.json and crystal.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="outer seeds (default 8)")
    parser.add_argument("--generations", type=int, default=800, help="of a search (default 800)")
    options = parser.parse_args()
    prepare_jax()
    # a seed at a time, so that a killed script leaves whole seeds
    for seed in range(options.seeds):
        for noise in NOISES.values():
            for period in PERIODS:
                searched(period, noise, seed, options.generations)
    results = collected(options.seeds, options.generations)
    write_result(
        "lives", "crystal", rows_of(results), command="python -m benchmarks.lives.crystal", seeds=options.seeds,
        budget=f"{options.generations} generations of SNES, {POPULATION} genomes x {LIVES} lives of {STEPS} x 4 examples; "
        f"{TEST_LIVES} test lives", figure="crystal.png",
    )  # fmt: skip
    draw(results)


if __name__ == "__main__":
    main()
