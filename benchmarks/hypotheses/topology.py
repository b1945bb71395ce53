"""Claim 4: topology under permutation. Does wiring matter the more, the sparser it is, and names of neurons never?

A mask of two hidden layers (40-50-50-10, the second adds to the first; the output layer is dense) is evolved on MNIST-1D by a
genome of 22 numbers at each of three densities: every neuron keeps 20, 4 or 1 of 40 inputs and 25, 5 or 1 of 50 neurons. Fitness
is validation accuracy after a short training with fresh weights. Then every mask is trained for longer, from the same newborn
weights, and told on test signals that no search saw.

Independent variable: the density. Arms: the evolved mask; the same with hidden neurons relabelled, weights moved with them;
rewired at equal fan-ins and fan-outs (curveball trades), at equal layers, at equal density (Erdos-Renyi); the initial genome's
mask. Measure: test accuracy, mean over draws of a control. Beside it what ``evodev.analysis`` says of the masks against their
nulls at equal degrees. Harm is the evolved mask's accuracy less the control's.

Expected, written down before the run: relabelling changes nothing (0); the harm of rewiring at equal degrees is larger at the
lowest density than at the highest (+), and there at the lowest (+). Section 2 of the plan adds: perhaps negative once degrees
are matched, and neurons with a single input leave little to rewire, so that the harm may peak between the ends.
"""

from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.comparison.mnist1d_arms import as_params, born, dense_shapes, divided, mlp, trained, trainings, wired
from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.analysis.graph import of_masks
from evodev.analysis.nulls import against
from evodev.baselines.masks import Masks, same_degrees, same_density, same_layers
from evodev.content import digest, source
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.relative import RelativePosition
from evodev.models import from_params
from evodev.network import matrix
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate
from evodev.types import Array, Genome, Key

HIDDEN, POSITIONS, BATCH, RATE, TRAIN = 50, 25, 50, 1e-2, 3200
FAN_INS = {"50%": (20, 25), "10%": (4, 5), "2%": (1, 1)}
"""Inputs of a neuron of either hidden layer, by density."""
REWIRED = {"equal degrees": same_degrees, "equal layers": same_layers, "equal density": same_density}
ARMS = ("evolved", "relabelled", *REWIRED, "initial genome")
COLOURS = ("#0b4f9e", "#7fa8d9", "#c45a00", "#e09a55", "#8c8c8c", "#c9c9c9")
CACHE = Path(__file__).parent / ".cache" / "masks"
SHAPES = dense_shapes(40, HIDDEN, HIDDEN, 10)
LAYERS = ("hidden1", "hidden2")


@cache
def substrate() -> Substrate:
    """Inputs and hidden layers on one line, two neurons at each of 25 positions."""
    shapes = jax.eval_shape(lambda: born(SHAPES, key=jax.random.key(0)))
    grids = {"hidden1": (POSITIONS,), "output": (POSITIONS,)}
    return from_params(shapes, pattern=[f"{n}/kernel" for n in LAYERS], grids=grids)


DECODER = Decoder(CellTypes(), RelativePosition(radius=(2.0,), waves=(3,)), AllSynapses())
"""A kernel a pair of cell types over relative position, as wide as the whole line: nearness can be said, and is not built in."""


def masks_of(genome: Genome, fan_ins: Array) -> dict[str, Array]:
    """The inputs that every neuron wants most, by layer; how many may be traced."""
    network = DECODER.grow(genome, substrate(), key=jax.random.key(0))
    wishes = [jnp.abs(matrix(network.weights[p.name])) for p in substrate().projections]
    ranks = [jnp.argsort(jnp.argsort(-wish, 0), 0) for wish in wishes]
    return {name: (rank < k).astype(jnp.float32) for name, rank, k in zip(LAYERS, ranks, fan_ins, strict=True)}


@partial(jax.jit, static_argnames=("population", "generations", "steps"))
def searched(
    fan_ins: Array, train: Any, validation: Any, initial: Genome, *, population: int, generations: int, steps: int, key: Key
) -> tuple[Genome, Array]:
    """The centre of a search by CMA-ES, and the best score of each generation, whose genomes share newborn weights."""

    def score(genomes: Array, *, key: Key) -> Array:
        params = born(SHAPES, key=key)

        def one(genome: Genome) -> Array:
            masks = as_params(masks_of(genome, fan_ins), params)
            told = trained(mlp, wired(params, masks), masks, train, validation, rate=RATE, steps=steps, batch=BATCH, looks=3)
            return told[1:].mean()

        return jax.vmap(one)(genomes)

    _, centre, history = maximise(
        score, len(initial), Strategy("CMA_ES", population, sigma=0.5), generations, key=key, initial=initial
    )
    return centre, history


def ordered(seed: int) -> tuple[Any, Any, Any]:
    """All training signals in the order of a seed; those to select on and to validate on."""
    (x, y), _ = divided(False)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = jnp.asarray(x[order]), jnp.asarray(y[order])
    return (x, y), (x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:])


def evolved(seed: int, fan_ins: tuple[int, int], budget: Budget) -> tuple[Genome, Genome]:
    """Where a search began and ended; kept, so that claims share it."""
    initial = DECODER.genome_spec(substrate()).init(key=jax.random.fold_in(jax.random.key(seed), 0x9E))
    settings = {name: budget[name] for name in ("population", "generations")} | {"steps": budget["short"]}
    kept = CACHE / f"{digest(source(), settings, fan_ins)[:16]}-{seed}.npy"
    if not kept.exists():
        _, train, validation = ordered(seed)
        key = jax.random.fold_in(jax.random.key(seed), 0x5E)
        centre, _ = searched(jnp.asarray(fan_ins), train, validation, initial, key=key, **settings)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial_ = kept.with_suffix(".partial")
        with partial_.open("wb") as file:
            np.save(file, np.asarray(centre))
        partial_.replace(kept)
    return initial, jnp.asarray(np.load(kept, allow_pickle=False))


def masks_at(genome: Genome, fan_ins: tuple[int, int]) -> dict[str, np.ndarray]:
    """A genome's masks (pre, post) by layer."""
    return {name: np.asarray(mask) for name, mask in masks_of(genome, jnp.asarray(fan_ins)).items()}


# ---- what is measured


def trained_at(seed: int, arms: list[tuple[Any, Masks]], rates: Any, *, steps: int, looks: int) -> np.ndarray:
    """Test accuracies (arms, looks) of newborn parameters with masks, all in the order of one seed."""
    train, _, _ = ordered(seed)
    test = tuple(map(jnp.asarray, divided(False)[1]))
    masks = [as_params(own, params) for params, own in arms]
    params = [wired(params, mask) for (params, _), mask in zip(arms, masks, strict=True)]
    params, masks, train = (jax.tree.map(lambda *x: jnp.stack(x), *of) for of in (params, masks, [train] * len(arms)))
    rates = jnp.broadcast_to(jnp.asarray(rates), (len(arms),))
    told = trainings(mlp, params, masks, train, test, rates, jnp.zeros(len(arms)), steps=steps, batch=BATCH, looks=looks)
    return np.asarray(told)


def relabelled(params: Any, masks: Masks, rng: np.random.Generator) -> tuple[Any, Masks]:
    """The same network, its hidden neurons in another order; the second layer adds to the first, so that both have one."""
    order = rng.permutation(HIDDEN)
    ins, outs = {"hidden2": order, "output": order}, {"hidden1": order, "hidden2": order}

    def moved(kernel: Any, layer: str) -> Any:
        kernel = kernel[ins[layer]] if layer in ins else kernel
        return kernel[:, outs[layer]] if layer in outs else kernel

    own = {
        n: {"kernel": moved(of["kernel"], n), "bias": of["bias"][outs[n]] if n in outs else of["bias"]}
        for n, of in params.items()
    }
    return own, {n: moved(mask, n) for n, mask in masks.items()}


def run(seed: int, budget: Budget) -> Measures:
    """Accuracy by density and arm, and where the evolved masks stand among their nulls."""
    params = born(SHAPES, key=jax.random.fold_in(jax.random.key(seed), 0xB0))
    accuracy, stands, curves = {}, {}, {}
    for i, (density, fan_ins) in enumerate(FAN_INS.items()):
        rng = np.random.default_rng([seed, i])
        initial, genome = evolved(seed, fan_ins, budget)
        own = masks_at(genome, fan_ins)
        arms = [("evolved", (params, own)), ("relabelled", relabelled(params, own, rng))]
        arms += [(name, (params, rewire(own, rng))) for name, rewire in REWIRED.items() for _ in range(budget["draws"])]
        arms += [("initial genome", (params, masks_at(initial, fan_ins)))]
        told = trained_at(seed, [arm for _, arm in arms], RATE, steps=budget["steps"], looks=10)
        curves[density] = {name: np.mean([c for (n, _), c in zip(arms, told, strict=True) if n == name], 0) for name in ARMS}
        accuracy[density] = {name: float(curve[-3:].mean()) for name, curve in curves[density].items()}
        names = [p.name for p in substrate().projections]
        graph = of_masks(dict(zip(names, own.values(), strict=True)), substrate())
        among = against(graph, ["degrees"], samples=10, seed=seed)["degrees"]
        stands[density] = {name: float(np.clip(among[name].z, -1e3, 1e3)) for name in STANDS}
    return {"accuracy": accuracy, "stands": stands, "curves": curves}


STANDS = {"wiring_length": "length of synapses", "squares": "squares", "modularity": "modularity", "efficiency": "efficiency"}


def harm(m: Measures, density: str, control: str) -> float:
    """Points of accuracy that the evolved mask has over a control."""
    own = m["accuracy"][density]
    return 100 * (own["evolved"] - own[control])


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Accuracy, harm and topology against density."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    x, names = np.arange(len(FAN_INS)), list(FAN_INS)
    for arm, colour in zip(ARMS, COLOURS, strict=True):
        values = [[100 * m["accuracy"][d][arm] for d in names] for m in measures]
        label = arm if arm in ("evolved", "relabelled", "initial genome") else f"rewired, {arm}"
        band(left, x, values, color=colour, label=label, linestyle="--" if arm == "relabelled" else "-")
    for control, colour in (("relabelled", COLOURS[1]), *zip(REWIRED, COLOURS[2:5], strict=True)):
        values = [[harm(m, d, control) for d in names] for m in measures]
        label = "relabelled (expected: 0)" if control == "relabelled" else f"rewired, {control}"
        band(middle, x, values, color=colour, label=label, linestyle="--" if control == "relabelled" else "-")
    for (measure, label), colour in zip(STANDS.items(), ("#0b4f9e", "#c45a00", "#2a7f62", "#8c8c8c"), strict=True):
        band(right, x, [[m["stands"][d][measure] for d in names] for m in measures], color=colour, label=label)
    left.set(title=f"MNIST-1D, {len(measures)} seeds, 95% intervals", ylabel="test accuracy (%)")
    middle.set(title="harm (expected: grows to the right)", ylabel="evolved mask less control (points)")
    right.set(title="evolved among nulls of equal degrees", ylabel="z-score (symmetric log scale)")
    right.set_yscale("symlog")
    for axis in (left, middle, right):
        axis.set_xticks(x, names)
        axis.set_xlabel("density of the hidden layers' synapses")
        axis.legend(fontsize=7)
    for axis in (middle, right):
        axis.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    return figure


CLAIM = Claim(
    number=4,
    name="topology",
    words="At low sparsity, pattern doesn't matter because everything is connected. At high sparsity, pattern becomes everything "
    "because topology is the only thing that distinguishes one sparse network from another.",
    hypothesis="Renaming the neurons of an evolved mask changes nothing, and rewiring it at equal degrees harms the more, the "
    "sparser it is.",
    varies="density of the two hidden layers: 50%, 10%, 2%",
    arms=("evolved mask", "neurons relabelled", *[f"rewired, {name}" for name in REWIRED], "initial genome's mask"),
    measure="test accuracy on MNIST-1D after the same training from the same newborn weights",
    smallest="hundreds of inputs and neurons a layer, so that 2% leaves several inputs a neuron; here (40 inputs, 50 neurons) it "
    "leaves one, which degrees alone nearly determine",
    contrasts=(
        Contrast("relabelled less evolved, mean over densities",
                 lambda m: -float(np.mean([harm(m, d, "relabelled") for d in FAN_INS])), "0", 1.0, "points"),
        Contrast("harm of rewiring at equal degrees, 2% less 50%",
                 lambda m: harm(m, "2%", "equal degrees") - harm(m, "50%", "equal degrees"), "+", 1.0, "points"),
        Contrast("harm of rewiring at equal degrees, 2%", lambda m: harm(m, "2%", "equal degrees"), "+", 1.0, "points"),
        *[Contrast(f"harm of rewiring at {control}, {density}", lambda m, d=density, c=control: harm(m, d, c), "+", 1.0, "points",
                   decides=False) for control in REWIRED for density in FAN_INS if (control, density) != ("equal degrees", "2%")],
        Contrast("harm of rewiring at equal degrees, 10% less 50%",
                 lambda m: harm(m, "10%", "equal degrees") - harm(m, "50%", "equal degrees"), "+", 1.0, "points", decides=False),
        *[Contrast(f"initial genome's mask less evolved mask, {density}", lambda m, d=density: -harm(m, d, "initial genome"), "-",
                   1.0, "points", decides=False, note="added after the full run") for density in FAN_INS],
    ),
    budgets={
        "quick": Budget(3, "3 searches of 16 x 10 trainings of 150 steps; 9 trainings of 600 steps a density",
                        {"population": 16, "generations": 10, "short": 150, "steps": 600, "draws": 2}),
        "full": Budget(10, "3 searches of 16 x 40 trainings of 200 steps; 15 trainings of 2,000 steps a density",
                       {"population": 16, "generations": 40, "short": 200, "steps": 2000, "draws": 4}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
