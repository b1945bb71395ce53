"""Energy (3): how few operations does an answer need, where activity has a price, and is it evolution that finds so few?

Independent variable: the price of activity. Arms: *evolved*, genomes of Fourier gradients of expression (fourier_gem, every
synapse there) moved by OpenES, whose fitness is charged for the operations themselves, at five prices; *L1 by backprop* and
*k-WTA by backprop*, every weight free (18.6 times as many numbers: 8,320 to 447), moved by Adam through whole lives, with an
L1 penalty on normalised activity (L1 over L2 length, which no scale escapes) or with so many winners a layer; *random*, the
genomes that the searches start from, with so many winners. All are 64-64-64 networks with the same local (Hebbian) read-out,
whose genes are trained too, and live few-shot lives of five classes of digits, ten examples of each.

Backprop has two rates and looks at six moments each, chosen by lives of held-out training digits (4, 5), for every penalty;
the evolved centre is taken at the end of its only search. Tested are classes never trained on (digits 6-9),
in one fixed draw of lives for all seeds, quick and full.

Lives are not equal: at full size a search lives 38,400 a price, and backprop 1,920 at each of its two rates, 3,840 a penalty
(with gradients). That favours the evolved arm.

Measure: operations of an answer behind the senses (active hidden neurons times their synapses), against accuracy at the end
of life: a frontier an arm. Operations at matched accuracy: where the frontiers cross .98 of the lowest of the three trained
arms' best accuracies, linear between neighbours in log2 operations.

Expected before the run: the evolved arm needs fewer than the better of the two by backprop (-), and a price cuts its own
operations to less than half at no more than .02 of accuracy (-).
"""

from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.compress import walk
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.gaussians import Gradients
from evodev.decoders.sparsity import AllSynapses
from evodev.evaluation import sample_lives
from evodev.learners import Hebbian
from evodev.learners.hebbian import HebbianState
from evodev.organism import Organism
from evodev.ranking import top_mask
from evodev.strategies import Strategy, maximise
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import FewShotDigits, Life
from evodev.types import Array, Genomes, Key, Scalar

TASK = FewShotDigits(canvas=8, shift=False, rotations=(0, 1, 2, 3), ways=5, shots=10, probes=4, fold=(4, 5))
WIDTH, ROUNDS = 64, 6
SUBSTRATE = Substrate(
    (
        Population("input", (8, 8), activation="linear"),
        Population("first", (8, 8)),
        Population("second", (8, 8)),
        Population("output", (5,), activation="linear"),
    ),
    (Projection("input", "first"), Projection("first", "second"), Projection("second", "output", blank=True)),
)
LEARNER = Hebbian()
ORGANISM = Organism(SUBSTRATE, Decoder(Gradients(12), DECODERS["fourier_gem"].wiring, AllSynapses()), LEARNER)
PRICES = (0.0, 0.03, 0.1, 0.3, 1.0)
"""Nats a thousand operations."""
PENALTIES = (0.0, 0.3, 1.0, 3.0, 10.0)
"""Nats a unit of normalised activity, which is 1 where all neurons are equally active and 1/8 where a single one is."""
WINNERS = (32, 16, 8, 4, 2)
ADAM = (0.002, 0.01)
BATCH_LIVES, TEST_LIVES = 8, 256


def features(weights: Any, winners: Any, x: Array) -> tuple[Array, list[Array]]:
    """Activity of the last hidden layer and of both: rectified, so many winners (None for all), at unit length."""
    layers = []
    for name, into in (("input->first", "first"), ("first->second", "second")):
        x = jax.nn.relu(x @ weights["weights"][name] + weights["biases"][into])
        if winners is not None:
            x = x * top_mask(jax.lax.stop_gradient(x), jnp.broadcast_to(winners, x.shape[:-1]))
        x = x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-6)
        layers.append(x)
    return x, layers


def lived(weights: Any, genes: Any, winners: Any, life: Life) -> dict[str, Scalar]:
    """One life: mean loss over it, accuracy at its end, operations of an answer and normalised activity."""
    seen, layers = features(weights, winners, jnp.concatenate([life.inputs.reshape(-1, 64), life.probe_inputs.reshape(-1, 64)]))
    stream, probes = seen[: TASK.steps * TASK.ways].reshape(TASK.steps, TASK.ways, -1), seen[TASK.steps * TASK.ways :]
    key = jax.random.key(0)

    def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, tuple[Scalar, Scalar]]:
        state = LEARNER.step(genes, state, *now, SUBSTRATE, key=key)
        answers = LEARNER.predict(genes, state, probes, SUBSTRATE)
        return state, (TASK.loss(answers, life.probe_targets), TASK.score(answers, life.probe_targets))

    blank = jnp.zeros((WIDTH, TASK.outputs))
    born = HebbianState(blank, jnp.zeros(TASK.outputs), blank)
    _, (loss, score) = jax.lax.scan(step, born, (stream, life.targets))
    sent = [(layer > 0).sum(-1).mean() * fan for layer, fan in zip(layers, (WIDTH, TASK.outputs), strict=True)]
    crowded = sum(layer.sum(-1).mean() for layer in layers) / 2 / WIDTH**0.5
    return {"loss": loss.mean(), "accuracy": score[-1], "operations": sent[0] + sent[1], "crowded": crowded}


def many(params: tuple[Any, Any], winners: Any, split: Any, lives: int, *, key: Key) -> dict[str, Scalar]:
    """Means over fresh lives of weights and the learner's genes."""
    drawn = sample_lives(TASK, split, lives, key=key)
    return jax.tree.map(jnp.mean, jax.vmap(lambda life: lived(*params, winners, life))(drawn))


def grown(genome: Array) -> tuple[Any, Any]:
    """Weights and the learner's genes."""
    network, genes = ORGANISM.develop(genome, key=jax.random.key(0))
    names, layers = ("input->first", "first->second"), ("first", "second")
    return {"weights": {n: network.weights[n] for n in names}, "biases": {n: network.biases[n] for n in layers}}, genes


@cache
def programs(generations: int, steps: int) -> tuple[Any, Any, Any]:
    """Compiled: search at a price, training at a penalty and a number of winners, test."""
    strategy = Strategy("Open_ES", 64, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)

    @jax.jit
    def evolve(genome: Array, price: Array, key: Key) -> Array:
        def score(genomes: Genomes, *, key: Key) -> Array:
            drawn = sample_lives(TASK, "train", 4, key=key)

            def one(genome: Array) -> Scalar:
                weights, genes = grown(genome)
                out = jax.vmap(lambda life: lived(weights, genes, None, life))(drawn)
                return -(out["loss"] + price * out["operations"] / 1000).mean()

            return jax.lax.map(one, genomes, batch_size=16)

        return maximise(score, len(genome), strategy, generations, key=key, initial=genome)[1]

    @jax.jit
    def train(params: Any, penalty: Array, winners: Array, key: Key) -> Any:
        """The moment and rate best on held-out training digits."""
        key_train, key_look = jax.random.split(key)

        def loss(params: Any, _: Any, *, key: Key) -> Scalar:
            out = many(params, winners, "train", BATCH_LIVES, key=key)
            return out["loss"] + penalty * out["crowded"]

        def at(rate: Array) -> Any:
            optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))

            def round_(carry: Any, key: Key) -> Any:
                (params, memory), keys = carry, (jnp.arange(steps // ROUNDS), jax.random.split(key, steps // ROUNDS))
                params, memory, _ = walk(loss, params, memory, optimiser, keys)
                looked = many(params, winners, "validation", 32, key=key_look)
                return (params, memory), (params, looked["loss"] + penalty * looked["crowded"])

            return jax.lax.scan(round_, (params, optimiser.init(params)), jax.random.split(key_train, ROUNDS))[1]

        seen, value = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), jax.lax.map(at, jnp.array(ADAM)))
        return jax.tree.map(lambda x: x[value.argmin()], seen)

    test = jax.jit(lambda params, winners, key: many(params, winners, "test", TEST_LIVES, key=key))
    return evolve, train, test


def run(seed: int, budget: Budget) -> Measures:
    """Every arm at every price, tested on the same lives."""
    evolve, train, test = programs(budget["generations"], budget["steps"])
    key = jax.random.key(seed)
    genome = ORGANISM.genome_spec.init(key=key)
    drawn, genes = grown(genome)
    he = {
        n: jax.random.normal(jax.random.fold_in(key, i), w.shape) / 32**0.5 for i, (n, w) in enumerate(drawn["weights"].items())
    }
    start = {"weights": he, "biases": jax.tree.map(jnp.zeros_like, drawn["biases"])}, genes
    whole = jnp.asarray(WIDTH)

    def told(params: Any, winners: Any) -> dict[str, float]:
        found = test(params, jnp.asarray(winners), jax.random.key(3_000_000))
        return {name: float(value) for name, value in found.items()}

    out: Measures = {"random": [told((drawn, genes), k) for k in (WIDTH, *WINNERS)]}
    out["evolved"] = [told(grown(evolve(genome, jnp.asarray(price), key)), WIDTH) for price in PRICES]
    out["L1"] = [told(train(start, jnp.asarray(c), whole, key), WIDTH) for c in PENALTIES]
    out["k-WTA"] = [out["L1"][0]]
    out["k-WTA"] += [told(train(start, jnp.asarray(0.0), jnp.asarray(k), key), k) for k in WINNERS]
    return out


TRAINED = ("evolved", "L1", "k-WTA")


def matched(measures: Measures) -> float:
    """The accuracy at which operations are compared."""
    return 0.98 * min(max(point["accuracy"] for point in measures[arm]) for arm in TRAINED)


def needed(points: list[dict[str, float]], accuracy: float) -> float:
    """log2 of the fewest operations at which a frontier reaches an accuracy, linear between neighbours; inf if it never does."""
    ordered = sorted((np.log2(max(p["operations"], 1.0)), p["accuracy"]) for p in points)
    found = [x for x, y in ordered if y >= accuracy]
    for (x, y), (x2, y2) in pairwise(ordered):
        if y < accuracy <= y2:
            found.append(x + (x2 - x) * (accuracy - y) / (y2 - y))
    return float(min(found, default=np.inf))


def fewer(measures: Measures, *rivals: str) -> float:
    """Octaves of operations that the evolved arm needs less the best of the rivals, at matched accuracy."""
    accuracy = matched(measures)
    return needed(measures["evolved"], accuracy) - min(needed(measures[r], accuracy) for r in rivals)


def saved(measures: Measures, arm: str, room: float = 0.02) -> float:
    """Octaves by which a price cuts an arm's operations, at no more than so much accuracy."""
    full = measures[arm][0]
    return needed(measures[arm], full["accuracy"] - room) - float(np.log2(max(full["operations"], 1.0)))


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Frontiers of all seeds and their means; operations at matched accuracy."""
    figure = Figure(figsize=(11.5, 4.8), layout="constrained")
    frontier, compared = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1]})
    colours = {"evolved": "#c45a00", "L1": "#0b4f9e", "k-WTA": "#5a9bd8", "random": "#9a9a9a"}
    labels = {"evolved": "evolved, priced by the operation", "L1": "L1 by backprop", "k-WTA": "k-WTA by backprop"}
    for arm, colour in colours.items():
        x, y = (np.array([[p[name] for p in m[arm]] for m in measures]) for name in ("operations", "accuracy"))
        frontier.plot(np.maximum(x, 1).T, y.T, color=colour, alpha=0.15, linewidth=0.8)
        logs = np.log2(np.maximum(x, 1)).mean(0)
        band(frontier, 2**logs, y, color=colour, label=labels.get(arm, "random genome, k-WTA"))
    frontier.axvline(WIDTH * (WIDTH + TASK.outputs), color="0.7", linestyle="--", linewidth=0.8)
    frontier.axhline(0.2, color="0.7", linestyle=":", linewidth=0.8)
    frontier.text(WIDTH * (WIDTH + TASK.outputs), 0.21, "all neurons active ", ha="right", color="0.5", fontsize=8)
    frontier.set_xscale("log", base=2)
    frontier.set_xlabel("operations of an answer, behind the senses")
    frontier.set_ylabel("accuracy after ten examples a class (chance 0.2)")
    frontier.set_title("Accuracy against operations, price rising to the left", loc="left")
    frontier.legend(frameon=False, fontsize=8)
    for i, arm in enumerate((*TRAINED, "random")):
        values = np.array([needed(m[arm], matched(m)) for m in measures])
        kept = values[np.isfinite(values)]
        if not len(kept):
            compared.text(i, 0.03, "never", ha="center", color=colours[arm], transform=compared.get_xaxis_transform())
            continue
        points(compared, i, kept, color=colours[arm], base=2)
        if len(kept) < len(values):
            said = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": colours[arm]}
            compared.annotate(f"{len(kept)} of {len(values)}", (i, 2 ** kept.mean()), (8, 0), **said)
    compared.set_yscale("log", base=2)
    compared.set_yticks([2**k for k in range(8, 13)], [f"{2**k:,}" for k in range(8, 13)])
    compared.set_xticks(range(4), (*TRAINED, "random"))
    compared.set_ylabel("operations of an answer at matched accuracy")
    compared.set_title("Expected: evolved lowest", loc="left")
    for axis in (frontier, compared):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def spends(generations: int, steps: int) -> str:
    """A seed's budget in words."""
    return (
        f"evolved: {len(PRICES)} searches of {generations} generations, 64 genomes x 4 lives; backprop: "
        f"{len(PENALTIES) + len(WINNERS)} settings x {len(ADAM)} rates x {steps} steps of {BATCH_LIVES} lives; "
        f"{TEST_LIVES} test lives"
    )


CLAIM = Claim(
    number=3,
    name="energy",
    words="If your model still needs 100 megawatts, it's still a crystal. The wattage is the test.",
    hypothesis="Charged for activity, evolution finds networks that answer with fewer operations at the same accuracy than L1 or "
    "k winners under backprop do.",
    varies="the price of activity",
    arms=("evolved, priced by the operation", "L1 by backprop", "k-WTA by backprop", "random genome, k-WTA"),
    measure="operations of an answer behind the senses, at matched accuracy on unseen classes",
    smallest="a model whose size costs real power, and a process that builds a sparse one out of it; here 128 hidden neurons, "
    "and operations are counted, not watts. Encoding and optimiser differ together: a genome of 447 numbers against 8,320 free "
    "weights, and 38,400 lives a price against 3,840 lives with gradients a penalty, which favours the evolved arm",
    contrasts=(
        Contrast("evolved less the better of L1 and k-WTA", lambda m: fewer(m, "L1", "k-WTA"), "-", 0.5, "octaves of operations"),
        Contrast("evolved: what a price cuts, within .02 of accuracy", lambda m: saved(m, "evolved"), "-", 1.0,
                 "octaves of operations"),
        Contrast("evolved less L1", lambda m: fewer(m, "L1"), "-", 0.5, "octaves of operations", decides=False),
        Contrast("evolved less k-WTA", lambda m: fewer(m, "k-WTA"), "-", 0.5, "octaves of operations", decides=False),
        Contrast("L1: what a penalty cuts, within .02 of accuracy", lambda m: saved(m, "L1"), "-", 1.0, "octaves of operations",
                 decides=False),
        Contrast("k-WTA: what winners cut, within .02 of accuracy", lambda m: saved(m, "k-WTA"), "-", 1.0,
                 "octaves of operations", decides=False),
    ),
    budgets={
        "quick": Budget(3, spends(20, 30), {"generations": 20, "steps": 30}),
        "full": Budget(10, spends(150, 240), {"generations": 150, "steps": 240}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
