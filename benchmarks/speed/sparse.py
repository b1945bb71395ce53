"""From which size and density sparse forms of the weights pay: the gather and the block form against masked matrices.

Three uses of a projection between two populations of equal size: to *answer* a batch; to *learn* from one (answer, gradient of
the weights, update: a life-step of the learner gradient at the inputs); and to also hand errors *back* through it (the same,
deeper in). Contenders take turns within a round, steps run in a scan as in a life, and ratios are medians of those within a
round. The density of the block form is that of the blocks: 16 neurons which share all their inputs.

Written before the first run: gathers should lose against a matrix product of many rows, and win wherever the dense step has to
read and write megabytes of weights that are zero. Targets, on a CPU and a batch of 5: learning 5x at 1,024 neurons and a density
of 1/64, answering 1.5x there; a generation of a search 1.5x in a network of 784-800-5 with 16 inputs a neuron, by ``form: auto``.

It also writes the table by which ``form: auto`` chooses, ``evodev/crossovers.json``, for the platform that it runs on: on a GPU
the same command adds the GPU's. Parts can be run one after the other; what they do not measure is kept.

    python -m benchmarks.speed.sparse [--parts table population search] [--sizes N ...] [--rounds N]
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import read_result, result_path, write_result
from benchmarks.speed.turns import measure, ratio
from evodev.cli import prepare_jax
from evodev.decoders import DECODERS
from evodev.decoders.sparsity import FanIn
from evodev.experiment import Experiment, fitted
from evodev.forms import MARGIN, TABLE, WIDTHS, Crossover, Form, FormName, crossovers, lay
from evodev.learners import Gradient
from evodev.network import Network, forward
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Substrate, mlp
from evodev.tasks import FewShotDigits
from evodev.types import Key

SIZES = (64, 256, 512, 1024, 2048, 4096)
DENSITIES = (1 / 4, 1 / 16, 1 / 64)
BATCHES = {"answer": (5, 128), "learn": (5, 32), "back": (5, 32)}
SAID = {"answer": "answering", "learn": "learning", "back": "learning and errors back"}
POPULATIONS = ((64, 1), (64, 8), (64, 64), (256, 1), (256, 8), (256, 64), (1024, 8))
"""Neurons and networks at once, where a population is measured."""


def substrate_of(use: str, neurons: int) -> Substrate:
    """The measured projection alone, or behind one from a single neuron, so that errors have to pass it."""
    return mlp((1, neurons, neurons) if use == "back" else (neurons, neurons))


def born(substrate: Substrate, inputs: int, width: int, sparse: bool, *, key: Key) -> Network:
    """Random weights, and so many random inputs for each group of neurons in the last projection."""
    name, neurons = substrate.projections[-1].name, substrate.output.size
    key_mask, key_weights = jax.random.split(key)
    order = jax.random.uniform(key_mask, (neurons, neurons // width)).argsort(0).argsort(0)
    mask = jnp.repeat((order < inputs).astype(jnp.float32), width, axis=1)
    weights = {p.name: jax.random.normal(key_weights, substrate.shape(p)) for p in substrate.projections}
    masks = {n: jnp.ones_like(w) for n, w in weights.items()} | {name: mask}
    sizes = {p.name: p.size for p in substrate.populations}
    network = Network(
        weights={n: w * masks[n] / inputs**0.5 for n, w in weights.items()},
        masks=masks,
        gains={},
        biases={n: jnp.zeros(size) for n, size in sizes.items()},
        alive={n: jnp.ones(size) for n, size in sizes.items()},
    )
    return lay(network, {name: Form(inputs, width)} if sparse else {}, {})


def life(substrate: Substrate, use: str, network: Network, inputs: jax.Array, targets: jax.Array) -> jax.Array:
    """So many batches answered or learned from, one after the other; inputs (steps, batch, n)."""
    learner = Gradient(loss="squared_error")
    spec = learner.genome_spec(substrate)
    genes = spec.unpack(jnp.zeros(spec.size))

    def answer(total: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return total + forward(substrate, network, now[0]).sum(), None

    def learn(state: Any, now: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
        return learner.step(genes, state, *now, substrate, key=jax.random.key(0)), None

    if use == "answer":
        return jax.lax.scan(answer, jnp.zeros(()), (inputs, targets))[0]
    state = learner.init(genes, network, substrate, key=jax.random.key(0))
    state, _ = jax.lax.scan(learn, state, (inputs, targets))
    return sum((w.sum() for w in state.network.weights.values()), jnp.zeros(()))


def contender(
    use: str, neurons: int, batch: int, inputs: int, width: int, sparse: bool, population: int = 1
) -> Callable[[], Any]:
    """Compiled lives of a population of networks, each with inputs of its own."""
    substrate, steps = substrate_of(use, neurons), int(np.clip(2**24 // neurons**2, 2, 512))
    keys = jax.random.split(jax.random.key(1), population)
    networks = jax.jit(jax.vmap(lambda key: born(substrate, inputs, width, sparse, key=key)))(keys)
    stream = jax.random.normal(jax.random.key(2), (steps, batch, substrate.input.size))
    targets = jax.random.normal(jax.random.key(3), (steps, batch, neurons))
    one = partial(life, substrate, use)
    if population == 1:
        networks = jax.tree.map(lambda x: x[0], networks)
        run = jax.jit(one)
    else:
        run = jax.jit(jax.vmap(one, in_axes=(0, None, None)))
    return lambda: jax.block_until_ready(run(networks, stream, targets))


def against_dense(use: str, neurons: int, batch: int, rounds: int) -> list[Crossover]:
    """Speed-ups of both sparse forms at every density."""
    offers = [(round(neurons * density), width) for width, density in product(WIDTHS.values(), DENSITIES)]
    runs = {"dense": contender(use, neurons, batch, offers[0][0], 1, sparse=False)}
    runs |= {str(offer): contender(use, neurons, batch, *offer, sparse=True) for offer in offers}
    seconds = {name: np.array(own) for name, own in measure(runs, rounds).items()}
    gains = [float(f"{np.median(seconds['dense'] / seconds[str(offer)]):.3g}") for offer in offers]
    return [Crossover(width, neurons, inputs, batch, gain) for (inputs, width), gain in zip(offers, gains, strict=True)]


def measured_table(neurons: int, rounds: int) -> dict[str, list[Crossover]]:
    """The table of this platform: what is measured now at this size, in place of what was."""
    before = crossovers().get(jax.default_backend(), {})
    table = {use: [row for row in before.get(use, []) if row.neurons != neurons] for use in BATCHES}
    for use, batches in BATCHES.items():
        for batch in batches:
            table[use] += against_dense(use, neurons, batch, rounds)
            print(use, neurons, batch, [(r.width, r.inputs, r.speedup) for r in table[use][-6:]], flush=True)
    return {use: sorted(rows) for use, rows in table.items()}


def write_table(table: dict[str, list[Crossover]]) -> None:
    """Put the platform's rows in their place, a line each."""
    platforms = crossovers() | {jax.default_backend(): table}
    # a measurement a line
    text = json.dumps(platforms, separators=(",", ":")).replace("],[", "],\n[").replace(":[[", ":[\n[") + "\n"
    partial_file = TABLE.with_suffix(".partial")
    partial_file.write_text(text)
    os.replace(partial_file, TABLE)
    crossovers.cache_clear()


def crossover_rows(table: dict[str, list[Crossover]]) -> list[dict[str, Any]]:
    """The ratio at 1,024 neurons, and from which size on a form pays: of each use, form, density and batch."""
    rows = []
    for use, (form, width), density in product(BATCHES, WIDTHS.items(), DENSITIES):
        alike = [r for r in table[use] if r.width == width and r.inputs == round(r.neurons * density)]
        for batch in BATCHES[use]:
            own = {r.neurons: r.speedup for r in alike if r.batch == batch}
            if 1024 not in own:
                continue
            target = {"answer": 1.5, "learn": 5.0}.get(use) if (form, density, batch) == ("gather", 1 / 64, 5) else None
            first, sizes = pays_from(own), ", ".join(map(str, sorted(own)))
            pays = f"pays from {first} neurons on each side on" if first else "pays at no size"
            rows.append({
                "label": f"{SAID[use]}, batch {batch}, {form}, density 1/{round(1 / density)}: dense / sparse at 1,024 neurons",
                "measured": own[1024], "unit": "x", "target": target, "met": None if target is None else own[1024] >= target,
                "note": f"{pays}, of {sizes} measured; median of ratios within a round",
            })  # fmt: skip
    return rows


def pays_from(speedups: dict[int, float]) -> int | None:
    """The smallest size from which on a form is always at least as fast as dense; none if it is not at the largest."""
    found = None
    for neurons in sorted(speedups, reverse=True):
        if speedups[neurons] < 1:
            break
        found = neurons
    return found


def population_rows(rounds: int) -> list[dict[str, Any]]:
    """Learning at a density of 1/16 by several networks at once, all of them in one batch."""
    rows = []
    for use, (neurons, population) in product(("learn", "back"), POPULATIONS):
        inputs = neurons // 16
        forms = {"dense": (1, False)} | {form: (width, True) for form, width in WIDTHS.items()}
        runs = {form: contender(use, neurons, 5, inputs, width, sparse, population) for form, (width, sparse) in forms.items()}
        seconds = measure(runs, rounds)
        said = f"{SAID[use]}, {neurons} neurons, density 1/16, {population} at once"
        rows += [ratio(f"{said}: dense / {form}", seconds["dense"], seconds[form], target=None) for form in WIDTHS]
        print(rows[-2]["label"], rows[-2]["measured"], rows[-1]["measured"], flush=True)
    return rows


def searching(form: FormName) -> Experiment:
    """Digits on a field of 28 x 28, a hidden layer of 800 neurons of 16 inputs each, all weights learned by gradient."""
    task = FewShotDigits(canvas=28)
    return Experiment(
        task=task,
        substrate=fitted(mlp((784, 800, 5)), task),
        decoder=replace(DECODERS["dct"], sparsity=FanIn(16)),
        learner=Gradient(),
        strategy=Strategy("Open_ES", population=8),
        schedule=Schedule(generations=10**6, lives=4, validation_lives=1, block=1),
        form=form,
    )


def search_rows(rounds: int) -> list[dict[str, Any]]:
    """A generation of a whole search, growth included."""
    runs: dict[str, Callable[[], Any]] = {}
    forms: tuple[FormName, ...] = ("dense", "auto")
    for form in forms:
        search = searching(form).search()
        state = [search.start()]

        def generation(search: Any = search, state: list[Any] = state) -> None:
            state[0], _ = search.advance(state[0])

        runs[form] = generation
    seconds = measure(runs, rounds)
    said = "a generation of 8 genomes x 4 lives x 20 steps, 784-800-5, 16 inputs a neuron: dense / auto"
    return [ratio(said, seconds["dense"], seconds["auto"], target=1.5)]


def draw(table: dict[str, list[Crossover]]) -> str:
    """Speed-up over density, a line a size; answers and life-steps, small batches above large ones."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    sizes = sorted({row.neurons for rows in table.values() for row in rows})
    shades = {neurons: f"C{i}" for i, neurons in enumerate(sizes)}
    for column, use in enumerate(BATCHES):
        for line, batch in enumerate(BATCHES[use]):
            axis = axes[line][column]
            for neurons, width in product(sizes, WIDTHS.values()):
                own = sorted(
                    (r.inputs / r.neurons, r.speedup) for r in table[use] if r[:2] == (width, neurons) and r.batch == batch
                )
                style = "-o" if width == 1 else "--s"
                axis.plot([x for x, _ in own], [y for _, y in own], style, ms=3.5, lw=1.2, color=shades[neurons])
            axis.axhline(1, color="#22262b", lw=0.8)
            axis.set(xscale="log", yscale="log", title=f"{SAID[use]}, batch {batch}")
            axis.set_xticks(DENSITIES, [f"1/{round(1 / d)}" for d in DENSITIES])
            axis.minorticks_off()
            axis.grid(color="#e3e6ea", lw=0.6)
    for axis in axes[1]:
        axis.set_xlabel("density")
    for row in axes:
        row[0].set_ylabel("times as fast as dense")
    marks = [axes[0][0].plot([], [], color=shade, label=f"{neurons} neurons")[0] for neurons, shade in shades.items()]
    marks += [
        axes[0][0].plot([], [], style, color="#6b7280", label=form)[0] for form, style in (("gather", "-o"), ("block", "--s"))
    ]
    figure.legend(handles=marks, loc="outside right upper", frameon=False)
    path = result_path("speed", result_name()).with_suffix(".png")
    figure.savefig(path, dpi=130)
    return path.name


def result_name() -> str:
    """Of the result: a platform each."""
    return "sparse" if jax.default_backend() == "cpu" else f"sparse_{jax.default_backend()}"


def main() -> None:
    """Measure and write benchmarks/results/speed/sparse.json, its figure and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("table", "population", "search")
    parser.add_argument("--parts", nargs="*", choices=parts, default=parts, help="what to measure (default: everything)")
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES, help="neurons on each side, for the table")
    parser.add_argument("--rounds", type=int, default=7, help="rounds after the warm-up (default 7)")
    options = parser.parse_args()
    prepare_jax()
    for neurons in options.sizes if "table" in options.parts else ():
        write_table(measured_table(neurons, options.rounds))
    table = crossovers()[jax.default_backend()]
    rows = crossover_rows(table)
    rows += population_rows(options.rounds) if "population" in options.parts else []
    rows += search_rows(options.rounds) if "search" in options.parts else []
    if "gpu" not in crossovers():
        rows.append({"label": "on a GPU", "note": "not measured: none was available; the same command measures it there"})
    # kept from before: what these parts do not measure
    before = (read_result("speed", result_name()) or {"rows": []})["rows"]
    now = {row["label"]: row for row in before} | {row["label"]: row for row in rows}
    for row in rows:
        print(f"{row['label']:90} {row.get('measured')}")
    write_result(
        "speed", result_name(), list(now.values()), command="python -m benchmarks.speed.sparse", seeds=1,
        budget=f"{options.rounds} rounds of 2 to 512 steps a contender; auto takes a form from {MARGIN}x on",
        figure=draw(table),
    )  # fmt: skip


if __name__ == "__main__":
    main()
