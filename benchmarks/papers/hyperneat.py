"""HyperNEAT-style wiring (Stanley, D'Ambrosio, Gauci 2009): a CPPN over the coordinates of the neurons balances CartPole-v1.

    python -m benchmarks.papers.hyperneat [--seeds N]

Two decoders on four inputs, eight recurrent hidden neurons and two outputs, ten sweeps an action: the plain one, where a
CPPN output of less than 0.3 is no synapse, and the preset `hyperneat`, whose links are expressed apart within a budget.
CMA-ES moves the weights of a CPPN of fixed topology. A champion is tested on 100 episodes that the search never saw. Needs
the extra `control`. Finished seeds are kept in benchmarks/papers/.cache: a killed script goes on where it was. Writes
benchmarks/results/papers/hyperneat.json and hyperneat.png.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.papers.control import Balance, balance_rows, draw_learning, remembered
from evodev.cli import prepare_jax
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.sparsity import Threshold
from evodev.decoders.wiring.cppn import CPPN
from evodev.network import Network, matrix
from evodev.strategies import Strategy
from evodev.substrate import recurrent

BODY = recurrent(4, 8, 2, ticks=10)
STRATEGY, GENERATIONS, EPISODES = Strategy("CMA_ES", 64, 0.1), 40, 32
PLAIN = Decoder(Coordinates(), CPPN(), Threshold(0.0, evolved=False, relative=False))
# a plain CPPN of zeros wires nothing, and nothing near it does: that search starts from a random genome
ARMS = {"plain CPPN": (PLAIN, 1.0), "preset hyperneat": (DECODERS["hyperneat"], 0.0)}


def whole(network: Network) -> np.ndarray:
    """All weights in one matrix, neurons in the order of their populations."""
    names = [p.name for p in BODY.populations]
    sizes = [p.size for p in BODY.populations]
    starts = dict(zip(names, np.cumsum([0, *sizes]), strict=False))
    out = np.zeros((sum(sizes), sum(sizes)))
    for p in BODY.projections:
        weights = np.asarray(matrix(network.weights[p.name]))
        out[starts[p.pre] :, starts[p.post] :][: weights.shape[0], : weights.shape[1]] = weights
    return out


def draw(results: dict[str, list[dict[str, Any]]]) -> None:
    """The weights of seed 0's champion and the learning curves, a row a decoder."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    panels = figure.subplots(len(ARMS), 2, width_ratios=(1, 2), squeeze=False)
    for (weights, curve), (name, of) in zip(panels, results.items(), strict=True):
        network = ARMS[name][0].grow(jnp.asarray(of[0]["champion"]), BODY, key=jax.random.key(0))
        image = whole(network)
        limit = max(float(np.abs(image).max()), 1e-9)
        weights.imshow(np.where(image == 0, np.nan, image), cmap="RdBu_r", vmin=-limit, vmax=limit)
        for edge in (3.5, 11.5):
            weights.axhline(edge, color="#999999", linewidth=0.5)
            weights.axvline(edge, color="#999999", linewidth=0.5)
        weights.set_xticks([1.5, 7.5, 12.5], ["input", "hidden", "output"])
        weights.set_yticks([1.5, 7.5, 12.5], ["input", "hidden", "output"])
        weights.set_title(f"{name}, weights row to column", loc="left", fontsize=8)
        draw_learning(curve, of)
    figure.savefig(result_path("papers", "hyperneat").with_suffix(".png"), dpi=150)


def main() -> None:
    """Run all seeds, or read those that have run, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="outer seeds (default 10)")
    options = parser.parse_args()
    prepare_jax()
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ARMS}
    rows, budget = [], ""
    for name, (decoder, start) in ARMS.items():
        balance = Balance(decoder, BODY, STRATEGY, generations=GENERATIONS, count=EPISODES, start=start)
        for seed in range(options.seeds):
            path = f"hyperneat/{name.replace(' ', '-')}-{GENERATIONS}-{EPISODES}-{seed}"
            results[name].append(remembered(path, lambda seed=seed, balance=balance: balance.one_seed(seed)))
            last = results[name][-1]
            print(name, seed, np.mean(last["returns"]), last["episodes"], last["seconds"], flush=True)
        rows += balance_rows(results[name], balance.spec.size, who=f"CartPole-v1, {name}")
        budget = balance.budget
    draw(results)
    write_result(
        "papers", "hyperneat", rows, command="python -m benchmarks.papers.hyperneat", seeds=options.seeds, budget=budget,
        figure="hyperneat.png",
    )  # fmt: skip


if __name__ == "__main__":
    main()
