"""Claim 23: in-context learning leaves nothing behind. Frozen recurrent networks against plastic ones, interrupted in mid-life.

Independent variable: where a life's learning is held (in activity, in synapses, in either), crossed with what happens in
mid-life: nothing; a pause, eight steps without sight or target, through which activity goes on (to a frozen network silence
looks like samples of 0); a reset of all activity; and a reset of all synapses to those of birth.

A life is 24 samples of a teacher network with one input, each answered before its answer is told. Arms, all evolved from
random genomes by one strategy in equally many lives, every weight a gene: *in context*, a recurrent network that is frozen
and told the last target with the next sample (``evodev.learners.in_context``); *plastic*, the same hidden layer under
gradient descent at evolved rates, which holds no activity from sample to sample; *both*, the in-context network whose
read-out also follows the delta rule at an evolved rate, so that evolution chooses where to learn. Control: the random
genomes that searches started from. Tested on teachers of a width that no search met.

Measures: what half a life teaches (squared error at birth less in mid-life, 1 is ignorance) and retention, the share of that
which is left right after the event.

Expected, before the run: both learn; after a reset of activity plastic retains all and in context nothing; through a pause
in context loses some of it and plastic nothing. The reset is nearly a tautology, since the silent network is the one of
birth: what can fail is that a frozen network learns at all, that a mere pause costs it, and what *both* does (reported). A
pilot (seed 100) set the budget.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import band, points
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import Gradient, InContext
from evodev.learners.in_context import InContextState
from evodev.organism import Organism
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate, recurrent
from evodev.tasks import Life, Teacher
from evodev.types import Array, Genes, Genome, Genomes, Inputs, Key, Targets

STEPS, PAUSE, HIDDEN = 24, 8, 16
HALF = STEPS // 2
TASK = Teacher(features=1, updates=STEPS, shots=1, probes=32, train=(1, 2), validation=(4,), test=(3,))
EVENTS = ("nothing", "pause", "activity reset", "synapses reset")
COLOURS = {"in context": "#c45a00", "plastic": "#0b4f9e", "both": "#2a7f4f"}


@dataclass(frozen=True)
class Both(InContext):
    """In-context learning whose read-out also follows the delta rule (Widrow & Hoff 1960). Gene: ``log_rate``."""

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        super().genome_spec(substrate)
        return spec_of([Gene("log_rate", (), -4.0)])

    def step(
        self, genes: Genes, state: InContextState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> InContextState:
        active = self.activity(genes, state, inputs, substrate)
        change = jnp.exp(jnp.clip(genes["log_rate"], -20.0, 0.0)) * (targets - active["output"])
        network = state.network
        weights = network.weights | {"hidden->output": network.weights["hidden->output"] + active["hidden"].T @ change}
        biases = network.biases | {"output": network.biases["output"] + change[0]}
        return super().step(
            genes, state._replace(network=replace(network, weights=weights, biases=biases)), inputs, targets, substrate, key=key
        )


def _being(learner: Any, inputs: int) -> Organism:
    return Organism(recurrent(inputs, HIDDEN, 1, ticks=2), Decoder(CellTypes(), Direct(), AllSynapses()), learner)


BEINGS = {
    "in context": _being(InContext(), 2),
    "plastic": _being(Gradient(loss="squared_error", log_rate=-3.0, spread=1.0), 1),
    "both": _being(Both(), 2),
}


class Way(NamedTuple):
    """One being in one life: its network and genes at birth, how it answers, and how it takes one sample."""

    birth: Any
    answer: Callable[[Any, Array], Array]
    take: Callable[[Any, tuple[Array, Array]], Any]


def way(being: Organism, genome: Genome, *, key: Key) -> Way:
    """A newborn."""
    network, genes = being.develop(genome, key=key)
    learner, substrate = being.learner, being.substrate
    return Way(
        learner.init(genes, network, substrate, key=key),
        lambda state, x: learner.predict(genes, state, x, substrate),
        lambda state, now: learner.step(genes, state, now[0], now[1], substrate, key=key),
    )


def fitness(being: Organism, genome: Genome, life: Life, *, key: Key) -> Array:
    """Minus the mean squared error of answers given before each was told."""
    own = way(being, genome, key=key)

    def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, Array]:
        return own.take(state, now), ((own.answer(state, now[0]) - now[1]) ** 2).mean()

    error = jax.lax.scan(step, own.birth, (life.inputs, life.targets))[1].mean()
    return -jnp.minimum(jnp.nan_to_num(error, nan=10.0, posinf=10.0), 10.0)


def interrupted(state: Any, birth: Any, event: str, idle: Callable[[Any], Any]) -> Any:
    """What is left of a learner's state by an event in mid-life."""
    if event == "pause":
        return idle(state)
    if event == "synapses reset":
        return state._replace(network=birth.network)
    lasting = event == "activity reset" and isinstance(state, InContextState)
    return birth._replace(network=state.network) if lasting else state


def probed(being: Organism, genome: Genome, life: Life, *, key: Key) -> Array:
    """Squared error on the probe set (events, STEPS + 1) after each sample; the event comes after the first half.

    The entry of the middle is that right after the event.
    """
    own = way(being, genome, key=key)

    def asked(state: Any) -> Array:
        error = ((own.answer(state, life.probe_inputs) - life.probe_targets) ** 2).mean()
        return jnp.minimum(jnp.nan_to_num(error, nan=10.0, posinf=10.0), 10.0)

    def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, Array]:
        after = own.take(state, now)
        return after, asked(after)

    def idle(state: Any) -> Any:
        if not isinstance(state, InContextState):
            return state
        # nothing is seen, no target is told, and nothing learned from
        quiet = jnp.zeros((PAUSE, 1, 1))
        frozen = InContext()

        def wait(state: Any, now: tuple[Array, Array]) -> tuple[Any, None]:
            return frozen.step({}, state, now[0], now[1], being.substrate, key=key), None

        return jax.lax.scan(wait, state, (quiet, quiet))[0]

    first, second = ((life.inputs[cut], life.targets[cut]) for cut in (slice(HALF), slice(HALF, None)))
    middle, early = jax.lax.scan(step, own.birth, first)
    out = []
    for event in EVENTS:
        state = interrupted(middle, own.birth, event, idle)
        late = jax.lax.scan(step, state, second)[1]
        out.append(jnp.concatenate([asked(own.birth)[None], early[:-1], asked(state)[None], late]))
    return jnp.stack(out)


@cache
def experience(arm: str, generations: int, population: int, lives: int, tested: int) -> Any:
    """Compiled search and test: key -> error (genome, event, STEPS + 1) of the search's centre and of its start."""
    being = BEINGS[arm]
    strategy = Strategy("Open_ES", population, sigma=0.1, sigma_final=0.03, learning_rate=0.1, learning_rate_final=0.02)

    @jax.jit
    def run(key: Key) -> Array:
        key_start, key_run, key_test = jax.random.split(key, 3)

        def score(genomes: Genomes, *, key: Key) -> Array:
            sampled = jax.vmap(lambda k: TASK.sample("train", key=k))(jax.random.split(key, lives))
            return jax.vmap(lambda g: jax.vmap(lambda life: fitness(being, g, life, key=key))(sampled).mean())(genomes)

        start = being.genome_spec.init(key=key_start)
        end = maximise(score, being.genome_spec.size, strategy, generations, key=key_run, initial=start)[1]
        sampled = jax.vmap(lambda k: TASK.sample("test", key=k))(jax.random.split(key_test, tested))

        def mean(genome: Genome) -> Array:
            return jax.vmap(lambda life: probed(being, genome, life, key=key_test))(sampled).mean(0)

        return jax.vmap(mean)(jnp.stack([end, start]))

    return run


def run(seed: int, budget: Budget) -> Measures:
    """A search an arm; errors by arm and event, and what the random genomes learn."""
    how = (budget[name] for name in ("generations", "population", "lives", "tested"))
    sizes, out = tuple(how), {}
    for number, arm in enumerate(BEINGS):
        own, start = np.asarray(experience(arm, *sizes)(jax.random.fold_in(jax.random.key(23 + number), seed)), np.float64)
        out[arm] = dict(zip(EVENTS, own, strict=True)) | {"random": start[0]}
    return out


def learned(measures: Measures, arm: str) -> float:
    """What half a life teaches."""
    curve = measures[arm]["nothing"]
    return curve[0] - curve[HALF]


def retained(measures: Measures, arm: str, event: str) -> float:
    """Share of what half a life taught that is left right after the event; nothing where nothing was taught."""
    curve = measures[arm][event]
    return (curve[0] - curve[HALF]) / max(learned(measures, arm), 1e-3)


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Learning curves through each event, an arm a panel, and what is retained."""
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.15))
    dashes = dict(zip(EVENTS, ("-", "-.", "--", ":"), strict=True))
    x = np.arange(STEPS + 1)
    for axis, (arm, colour) in zip(panels, COLOURS.items(), strict=False):
        for event, dash in dashes.items():
            since = 0 if event == "nothing" else HALF
            values = [m[arm][event][since:] for m in measures]
            band(axis, x[since:], values, color=colour, label=event, linestyle=dash, linewidth=1.8, marker="")
        start = np.mean([m[arm]["random"] for m in measures], axis=0)
        axis.plot(x, np.minimum(start, 3), color="#6b7280", lw=1, label="random genome, nothing")
        axis.axhline(1, color="0.7", lw=0.8, ls=":")
        axis.axvline(HALF, color="#e3e6ea", lw=5, zorder=0)
        axis.set(title=arm, xlabel="samples", ylim=(0, 1.6))
    panels[0].set_ylabel("squared error on probes (1: ignorant)")
    panels[2].legend(frameon=False, fontsize=8, title="in mid-life", title_fontsize=8, loc="upper right", borderpad=0)
    for i, (arm, colour) in enumerate(COLOURS.items()):
        for j, event in enumerate(EVENTS[1:]):
            values = [retained(m, arm, event) for m in measures]
            points(panels[3], j + 0.25 * (i - 1), values, color=colour, label=None if j else arm)
    panels[3].set_xticks(range(3), ["pause", "activity\nreset", "synapses\nreset"])
    for level in (0, 1):
        panels[3].axhline(level, color="0.8", lw=0.8, zorder=0)
    panels[3].set(title="What is left of it", ylabel="retained share of what was learned", ylim=(-0.4, 1.3))
    panels[3].legend(frameon=False, fontsize=8)
    for axis in panels:
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Interrupted in mid-life ({len(measures)} searches an arm; expected: only plastic retains)")
    return figure


CLAIM = Claim(
    number=23, name="in_context",
    words="The forward pass reads the genome linearly and produces behavior that mimics flexibility. But nothing persists.",
    hypothesis="What a frozen network learns in context is gone with its activity; what a plastic one learns persists.",
    varies="where learning is held (activity, synapses, either) and what interrupts the life",
    arms=("in context", "plastic", "both", "random genomes"),
    measure="squared error on probes before and after the event; share of what half a life taught that is left",
    smallest="Networks of 16 hidden neurons that learn functions of one input from 12 samples: the smallest in which a frozen "
    "network can be told to have learned; nothing here is as long or rich as a prompt.",
    contrasts=(
        Contrast("what half a life teaches, in context", lambda m: learned(m, "in context"), "+", 0.1, "squared error"),
        Contrast("retained after a reset of activity, plastic less in context",
                 lambda m: retained(m, "plastic", "activity reset") - retained(m, "in context", "activity reset"),
                 "+", 0.5, "share"),
        Contrast("retained through a pause, plastic less in context",
                 lambda m: retained(m, "plastic", "pause") - retained(m, "in context", "pause"), "+", 0.1, "share"),
        Contrast("what half a life teaches, plastic", lambda m: learned(m, "plastic"), "+", 0.1, "squared error", decides=False),
        Contrast("retained after a reset of activity, in context", lambda m: retained(m, "in context", "activity reset"),
                 "0", 0.1, "share", decides=False, note="nearly a tautology: the silent network is the one of birth"),
        Contrast("retained after a reset of activity, both", lambda m: retained(m, "both", "activity reset"), "+", 0.1, "share",
                 decides=False, note="where evolution puts what is learned if it may choose"),
        Contrast("retained after a reset of synapses, both", lambda m: retained(m, "both", "synapses reset"), "+", 0.1, "share",
                 decides=False),
    ),
    budgets={
        "quick": Budget(3, "3 searches of 150 generations x 64 genomes x 16 lives; 256 test lives",
                        {"generations": 150, "population": 64, "lives": 16, "tested": 256}),
        "full": Budget(10, "3 searches of 250 generations x 64 genomes x 16 lives; 512 test lives",
                       {"generations": 250, "population": 64, "lives": 16, "tested": 512}),
    },
    run=run, draw=draw,
)  # fmt: skip
