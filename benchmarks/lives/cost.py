"""What a step of life costs, learner by learner, against a bare forward and backward pass of the same network.

16 networks of 144-128-64-5 (a fifth of the synapses exist) live 20 steps of five samples each, together under one vmap on one
core, as the default few-shot digits would have it. A learner's life-step is a twentieth of such a life, perceiving and being
born included; the bare pass is answer, cross-entropy and gradient in all weights, and nothing is done with the gradient. Both
times are processor time, taken in turns in one process, and a row is the median of the ratios within a round: neighbours on
the machine hit both alike. Networks that the learner needs otherwise (a blank read-out, recurrence) have a bare pass of
their own. Where a life acts, a step is one action and what comes of it, and the bare pass is of one sample.

Expected: one pass and some reading and writing of weights for each batch learned from, so less than 3 for every learner but
replay, which learns from several batches a step and is measured by the batch; what rewires, which
spends most of its time ranking, was still over that when this was written (about 4 to 7 in trial runs on a busy machine). LNDP
runs a graph transformer over all pairs of neurons in each step: far over.

    taskset -c 0 python -m benchmarks.lives.cost [--repeats N] [--only WORD]
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.common import write_result
from evodev.baselines.random_networks import RandomNetwork
from evodev.cli import prepare_jax
from evodev.learners import (
    LNDP,
    ActorCritic,
    CriticalPeriod,
    Episodic,
    Gradient,
    Hebbian,
    HebbianRule,
    InContext,
    Learner,
    Neuromodulated,
    NoLearning,
    Structural,
)
from evodev.network import Network, forward, synapses
from evodev.substrate import Substrate, complete, mlp, recurrent
from evodev.types import Array, Moment

LIVES, STEPS, BATCH = 16, 20, 5
TARGET = 3.0
GROWN = mlp((144, 128, 64, 5))
BLANK = mlp((144, 128, 64, 5), blank_readout=True)
TOLD = recurrent(144 + 5, 128, 5, ticks=2)
SMALL = complete(4, 26, 2, ticks=3)


@dataclass(frozen=True)
class Entry:
    """A learner, where it lives, how many batches it learns from in a step, whether it acts, and where most of its time goes."""

    learner: Learner
    substrate: Substrate = GROWN
    batches: int = 1
    acts: bool = False
    dear: str = "weights, and whatever else it keeps a synapse, are read and written, as much again as in the bare pass"


RANKING = "at each exchange all places of a projection are ranked exactly, twice, in about 25 passes over them each"

ENTRIES: dict[str, Entry] = {
    "innate": Entry(NoLearning()),
    "hebbian": Entry(Hebbian(), BLANK),
    "episodic": Entry(Episodic(), BLANK),
    "in_context": Entry(InContext(), TOLD),
    "gradient": Entry(Gradient()),
    "gradient, momentum": Entry(Gradient(momentum=0.9)),
    "gradient, adam": Entry(Gradient("adam")),
    "gradient, rmsprop": Entry(Gradient("rmsprop")),
    "gradient, plastic by projection": Entry(Gradient(plastic="projection")),
    "gradient, plastic by synapse": Entry(Gradient(plastic="synapse")),
    "gradient, two batches an update": Entry(Gradient(accumulate=2)),
    "gradient, one batch replayed": Entry(Gradient(replay=1), batches=2),
    "gradient, three batches replayed": Entry(Gradient(replay=3), batches=4),
    "hebbian_rule, abcd": Entry(HebbianRule()),
    "hebbian_rule, abcd by synapse": Entry(HebbianRule(source="channels")),
    "hebbian_rule, oja": Entry(HebbianRule("oja")),
    "hebbian_rule, bcm": Entry(HebbianRule("bcm")),
    "neuromodulated, error": Entry(Neuromodulated()),
    "neuromodulated, reward": Entry(Neuromodulated("reward")),
    "neuromodulated, own": Entry(Neuromodulated("own")),
    "structural, random (SET)": Entry(Structural(), dear=RANKING),
    "structural, gradient (RigL)": Entry(Structural(regrow="gradient"), dear=RANKING),
    "critical_period": Entry(CriticalPeriod(), dear=RANKING),
    "hebbian_rule, abcd, acting": Entry(HebbianRule(), acts=True),
    "neuromodulated, reward, acting": Entry(Neuromodulated("reward"), acts=True),
    "actor_critic, acting": Entry(ActorCritic(), acts=True),
    "lndp, acting": Entry(LNDP(), SMALL, acts=True, dear="a graph transformer runs over every pair of neurons"),
    "critical_period, never closing": Entry(CriticalPeriod(window=1000.0, turnover=0.03), dear=RANKING),
}
"""A line a learner."""


def born(substrate: Substrate, learner: Learner) -> tuple[Network, Array, Array]:
    """Networks with the channels that the learner asks for, inputs (lives, steps, batch, features), and targets."""
    keys, random = jax.random.split(jax.random.key(0), LIVES), RandomNetwork(0.2)
    genome = jnp.zeros(random.genome_spec(substrate).size)
    networks = jax.vmap(lambda key: random.grow(genome, substrate, key=key))(keys)
    masks = {p.name: networks.masks[p.name] for p in substrate.grown}
    networks = replace(networks, channels={name: jax.tree.map(lambda mask: 0.1 * mask, masks) for name in learner.asks})
    features = substrate.input.size - (5 if isinstance(learner, InContext) else 0)
    inputs = jax.random.normal(jax.random.key(1), (LIVES, STEPS, BATCH, features))
    rewarded = "reward" in learner.needs
    targets = jnp.tile(jnp.arange(BATCH), (LIVES, STEPS, 1))
    return networks, inputs, targets.astype(jnp.float32) if rewarded else targets


def living(entry: Entry) -> Callable[[], Any]:
    """All lives of one learner."""
    learner, substrate = entry.learner, entry.substrate
    spec = learner.genome_spec(substrate)
    genes = spec.unpack(jnp.zeros(spec.size))

    def acting(network: Network, inputs: Array, targets: Array, key: Array) -> Any:
        def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, None]:
            x, key = now
            outputs, state = learner.act(genes, state, x[0], substrate, discrete=True, key=key)
            action = jax.nn.one_hot(outputs.argmax(), substrate.output.size)
            moment = Moment(x[0], action, x[0, 0], x[1], jnp.asarray(False), jnp.asarray(False))
            return learner.experience(genes, state, moment, substrate, discrete=True, key=key), None

        state = learner.init(genes, network, substrate, key=key)
        return jax.lax.scan(step, state, (inputs, jax.random.split(key, STEPS)))[0]

    def life(network: Network, inputs: Array, targets: Array, key: Array) -> Any:
        seen = learner.perceive(network, inputs.reshape(STEPS * BATCH, -1), substrate).reshape(STEPS, BATCH, -1)
        state = learner.init(genes, network, substrate, key=key)

        def step(state: Any, now: tuple[Array, Array, Array]) -> tuple[Any, None]:
            x, y, key = now
            return learner.step(genes, state, x, y, substrate, key=key), None

        return jax.lax.scan(step, state, (seen, targets, jax.random.split(key, STEPS)))[0], seen

    run, keys = jax.jit(jax.vmap(acting if entry.acts else life)), jax.random.split(jax.random.key(2), LIVES)
    given = (*born(substrate, learner), keys)
    return lambda: jax.block_until_ready(run(*given))


def bare(entry: Entry) -> Callable[[], Any]:
    """As many forward and backward passes of the same networks."""
    substrate = entry.substrate
    networks, _, _ = born(substrate, entry.learner)
    batch = 1 if entry.acts else BATCH
    inputs = jax.random.normal(jax.random.key(1), (LIVES, STEPS, batch, substrate.input.size))
    targets = jnp.tile(jnp.arange(batch), (LIVES, 1))

    def life(network: Network, inputs: Array, targets: Array) -> Any:
        def loss(params: Any, x: Array) -> Array:
            answers = forward(substrate, replace(network, weights=params[0], biases=params[1]), x)
            return optax.softmax_cross_entropy_with_integer_labels(answers, targets).mean()

        # the gradient takes the place of the weights: as in a life, they are new in each step, so that no transposed copy of
        # them can be made ahead, and none of the gradient is left out as unused
        return jax.lax.scan(lambda params, x: (jax.grad(loss)(params, x), None), (network.weights, network.biases), inputs)[0]

    run = jax.jit(jax.vmap(life))
    return lambda: jax.block_until_ready(run(networks, inputs, targets))


def seconds(run: Callable[[], Any]) -> float:
    """Processor time of one run."""
    began = time.process_time()
    run()
    return time.process_time() - began


def row(name: str, entry: Entry, repeats: int) -> dict[str, Any]:
    """Ratio of a learner's life-step to the bare pass, and what the ledger counts."""
    run, alone = living(entry), bare(entry)
    run()
    alone()
    times = np.array([(seconds(run), seconds(alone)) for _ in range(repeats)])
    ratios = times[:, 0] / times[:, 1] / entry.batches
    low, value, high = (float(q) for q in np.percentile(ratios, [25, 50, 75]))
    network = jax.tree.map(lambda x: x[0], born(entry.substrate, entry.learner)[0])
    existing = float(synapses(network))
    counted = float(entry.learner.operations(network, entry.substrate))
    step, floor = np.median(times, axis=0) / (LIVES * STEPS) * 1e6
    note = (
        f"{step:.0f} us a life-step, bare pass {floor:.0f} us; ledger: {counted / existing:.2f} operations a synapse, of "
        f"them {max(counted / existing - 1, 0):.2f} update; median and IQR of ratios within a round"
    )
    if entry.batches > 1:
        note = f"learns from {entry.batches} batches a step, so by {entry.batches} bare passes; {note}"
    if value > TARGET:
        note = f"over, because {entry.dear}; {note}"
    return {
        "label": name, "measured": value, "lo": low, "hi": high, "unit": "bare passes", "target": TARGET, "met": value <= TARGET,
        "note": note,
    }  # fmt: skip


def main() -> None:
    """Measure and write benchmarks/results/lives/cost.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=25, help="rounds after the warm-up (default 25)")
    parser.add_argument("--only", default="", help="learners with this in their name; nothing is written")
    arguments = parser.parse_args()
    prepare_jax()
    chosen = {name: entry for name, entry in ENTRIES.items() if arguments.only in name}
    rows = []
    for name, entry in chosen.items():
        rows.append(row(name, entry, arguments.repeats))
        print(
            f"{name:36} {rows[-1]['measured']:.2f} [{rows[-1]['lo']:.2f}, {rows[-1]['hi']:.2f}]  {rows[-1]['note']}", flush=True
        )
    if not arguments.only:
        budget = f"{arguments.repeats} rounds of {LIVES} lives of {STEPS} steps of {BATCH} samples; 144-128-64-5, density 0.2"
        write_result("lives", "cost", rows, command="taskset -c 0 python -m benchmarks.lives.cost", seeds=1, budget=budget)


if __name__ == "__main__":
    main()
