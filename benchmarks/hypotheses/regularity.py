"""Claim 24: do genomes that say rules win where the world is regular, and lose where it is not?

After Clune et al. 2011 (doi 10.1109/TEVC.2010.2104157): a layer of 12 linear neurons has to answer 12 inputs as a target does.
The regular target says the same everywhere: a weight depends on where the sender lies as seen from the receiver, through a random
smooth curve (two bumps). Each weight is replaced, with a probability that is varied, by one drawn on its own. One of the targets
is wholly regular with its neurons in random order: as regular, but in no way that coordinates could say.

Independent variable: regularity, the share of weights that follow the rule, from 0 to 1. Arms: three indirect encodings (a CPPN
on coordinates, cosine coefficients, a kernel over relative position, in whose alphabet the rule itself is), a gene a weight
(direct), and each encoding's initial genomes. All by CMA-ES with 640 evaluations, 4.4 a weight. A pilot on two other seeds chose
each arm's mutation strength, the best of three over all targets, and the evaluations: after 1,600 the direct encoding was nearly
done. Measure: squared error on further inputs over that of answering 0; an arm's is that of the centre of its search. Advantage:
direct less indirect, mean over the three.

Expected, written down before the run: the advantage is positive at regularity 1 (+) and negative at 0 (-).
"""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.verdict import Sign
from evodev.decoders import Decoder
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.cppn import CPPN
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.relative import RelativePosition
from evodev.network import matrix
from evodev.strategies import Strategy, maximise
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Array, Genome, Key, Matrix

SIZE, INPUTS, HELD_OUT = 12, 32, 1000
"""Neurons on a line on either side; inputs by which a generation is judged, and those of the measure."""
SUBSTRATE = Substrate((Population("input", (SIZE,)), Population("output", (SIZE,))), (Projection("input", "output"),))
INDIRECT = {
    "CPPN": Decoder(Coordinates(), CPPN((6, 6), threshold=0.0), AllSynapses()),
    "cosines": Decoder(CosineBasis((6,)), Bilinear(), AllSynapses()),
    "relative position": Decoder(CellTypes(), RelativePosition(radius=(2.0,), waves=(8,)), AllSynapses()),
}
ARMS = {"direct": Decoder(CellTypes(), Direct(), AllSynapses()), **INDIRECT}
COLOURS = ("#c45a00", "#0b4f9e", "#7fa8d9", "#2a7f62")
REGULAR = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
REGULAREST, SCRAMBLED = len(REGULAR) - 1, len(REGULAR)
"""Places of two targets."""
ENDS: dict[int, Sign] = {REGULAREST: "+", 0: "-"}
"""Expected of an indirect encoding at either end."""
SIGMAS = {"direct": 1.0, "CPPN": 0.1, "cosines": 0.3, "relative position": 0.3}


@cache
def size_of(arm: str) -> int:
    """Numbers in an arm's genome."""
    return ARMS[arm].genome_spec(SUBSTRATE).size


def weights(arm: str, genome: Genome) -> Matrix:
    """What a genome grows."""
    return matrix(ARMS[arm].grow(genome, SUBSTRATE, key=jax.random.key(0)).weights["input->output"])


def targets(seed: int) -> np.ndarray:
    """Weights of mean square 1 by regularity, the scrambled ones last: (targets, pre, post)."""
    rng = np.random.default_rng([24, seed])
    place = np.linspace(-1, 1, SIZE)
    offset = place[:, None] - place[None]
    bumps = [
        rng.choice([-1, 1]) * np.exp(-((offset - rng.uniform(-1, 1)) ** 2) / (2 * rng.uniform(0.15, 0.5) ** 2)) for _ in "ab"
    ]
    rule, own = np.sum(bumps, 0), rng.normal(size=offset.shape)
    rule /= np.sqrt((rule**2).mean())
    # the same draw for all shares, so that a less regular target is the more regular one with more weights replaced
    draw = rng.random(offset.shape)
    made = [np.where(draw < share, rule, own) for share in REGULAR]
    made.append(rule[rng.permutation(SIZE)][:, rng.permutation(SIZE)])
    return np.stack([target / np.sqrt((target**2).mean()) for target in made])


def error(own: Matrix, target: Matrix, inputs: Array) -> Array:
    """Squared error of the answers over that of answering 0."""
    return ((inputs @ (own - target)) ** 2).mean() / ((inputs @ target) ** 2).mean()


@partial(jax.jit, static_argnames=("arm", "population", "generations"))
def searched(arm: str, target: Array, keys: Key, *, population: int, generations: int) -> tuple[Array, Array, Array]:
    """A search for each target: errors of its centre and of its initial genome (targets,), the best by generation."""

    def one(target: Matrix, key: Key) -> Any:
        key_initial, key_run, key_held_out = jax.random.split(key, 3)

        def score(genomes: Array, *, key: Key) -> Array:
            inputs = jax.random.normal(key, (INPUTS, SIZE))
            return -jax.vmap(lambda genome: error(weights(arm, genome), target, inputs))(genomes)

        initial = ARMS[arm].genome_spec(SUBSTRATE).init(key=key_initial)
        strategy = Strategy("CMA_ES", population, sigma=SIGMAS[arm])
        _, centre, history = maximise(score, size_of(arm), strategy, generations, key=key_run, initial=initial)
        held_out = jax.random.normal(key_held_out, (HELD_OUT, SIZE))
        return *[error(weights(arm, genome), target, held_out) for genome in (centre, initial)], -history

    return jax.vmap(one)(target, keys)


def run(seed: int, budget: Budget) -> Measures:
    """Error by arm and target, of the centre and of the initial genome; the way there at both ends."""
    target = jnp.asarray(targets(seed), jnp.float32)
    keys = jax.random.split(jax.random.key(seed), len(target))
    out: Measures = {"error": {}, "initial": {}, "history": {}}
    for arm in ARMS:
        spent = {name: budget[name] for name in ("population", "generations")}
        centre, out["initial"][arm], history = jax.device_get(searched(arm, target, keys, **spent))
        out["error"][arm], out["history"][arm] = centre, history[[0, REGULAREST]]
    return out


def advantage(m: Measures, target: int, arms: tuple[str, ...] = tuple(INDIRECT)) -> float:
    """Error of the direct encoding less that of indirect ones, at a target by place."""
    return m["error"]["direct"][target] - float(np.mean([m["error"][arm][target] for arm in arms]))


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Error and advantage against regularity; the way there at both ends."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    beyond = 1.15
    for i, (arm, colour) in enumerate(zip(ARMS, COLOURS, strict=True)):
        told = np.array([m["error"][arm] for m in measures])
        band(left, REGULAR, told[:, :SCRAMBLED], color=colour, label=f"{arm}, {size_of(arm)} numbers")
        points(left, beyond + 0.03 * (i - 1.5), told[:, SCRAMBLED], color=colour, fmt="s")
        if arm in INDIRECT:
            each = [[advantage(m, i, (arm,)) for i in range(SCRAMBLED)] for m in measures]
            band(middle, REGULAR, each, color=colour, label=arm)
        history = np.array([m["history"][arm] for m in measures])
        evaluations = budget["population"] * np.arange(1, history.shape[-1] + 1)
        for end, style in ((1, "-"), (0, ":")):
            label = f"{arm}, regularity {end}"
            band(right, evaluations, history[:, end], color=colour, label=label, linestyle=style, marker="")
    mean = [[advantage(m, i) for i in range(SCRAMBLED)] for m in measures]
    band(middle, REGULAR, mean, color="k", label="mean (decides at both ends)", linestyle="--")
    left.axhline(1, color="0.6", linestyle=":", linewidth=1, label="answering 0")
    left.set(title=f"{len(measures)} seeds, 95% intervals", ylabel="error (1: answering 0)", xlabel="regularity of the target")
    left.set_xticks([0, 0.25, 0.5, 0.75, 1, beyond], ["0", ".25", ".5", ".75", "1", "1,\nscrambled"])
    middle.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    left.set_ylim(top=1.3 * left.get_ylim()[1])  # room for the legends
    middle.set(title="advantage; expected: left -, right +", xlabel="regularity of the target",
               ylabel="error, direct less indirect")  # fmt: skip
    right.set(title="the search", xlabel="evaluations", ylabel="best of the generation (error)", yscale="log")
    right.set_ylim(top=4 * right.get_ylim()[1])
    for axis in (left, middle, right):
        axis.legend(fontsize=7)
    return figure


CLAIM = Claim(
    number=24,
    name="regularity",
    words="The genome doesn't specify every synapse. It specifies wiring rules, density patterns, connectivity principles.",
    hypothesis="Genomes that say wiring rules beat a gene a synapse where the target is regular, and lose to it where it is not.",
    varies="share of the target's weights that follow a rule: 0 to 1",
    arms=("CPPN", "cosine coefficients", "relative position", "a gene a synapse", "initial genomes", "neurons scrambled"),
    measure="squared error on further inputs over that of answering 0, after equal evaluations",
    smallest="this one: Clune's continuum on one layer of 144 weights; a task that is learned in life, and whose regularity was "
    "not set by hand, would say more",
    contrasts=(
        Contrast("direct less indirect, regularity 1", lambda m: advantage(m, REGULAREST), "+", 0.1, "of answering 0"),
        Contrast("direct less indirect, regularity 0", lambda m: advantage(m, 0), "-", 0.1, "of answering 0"),
        *[Contrast(f"direct less {arm}, regularity {REGULAR[place]:g}", lambda m, a=arm, p=place: advantage(m, p, (a,)), sign,
                   0.1, "of answering 0", decides=False) for place, sign in ENDS.items() for arm in INDIRECT],
        *[Contrast(f"initial genome less evolved, {arm}, regularity 1",
                   lambda m, a=arm: m["initial"][a][REGULAREST] - m["error"][a][REGULAREST], "+", 0.1, "of answering 0",
                   decides=False) for arm in ARMS],
        Contrast("direct less indirect, regular but scrambled", lambda m: advantage(m, SCRAMBLED), "-", 0.1, "of answering 0",
                 decides=False),
    ),
    budgets={
        "quick": Budget(3, "7 targets x 4 arms, each a search of 16 x 40 evaluations", {"population": 16, "generations": 40}),
        "full": Budget(20, "7 targets x 4 arms, each a search of 16 x 40 evaluations", {"population": 16, "generations": 40}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
