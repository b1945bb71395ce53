"""The six questions of the first essay, asked of evolution and of backprop in numbers: one task searched by both.

"To properly compare evolution and backprop without borrowing mechanics from either, you need mechanistically neutral questions."
No claim is tested: what the essay says of each stands in the notes beside what was measured.

The task is to fit a sine of unknown amplitude and phase from ten points in ten steps of gradient descent. Three searchers have
as many lives a step (128), as many steps and the same substrate, 1-40-40-1:

- *evolution*: Open_ES over a cosine genome of 409 numbers that develops into half of the synapses and their rates;
- *backprop through lives*: Adam on the weights at birth and their rates, the gradient through all ten steps (MAML);
- *backprop*: Adam on the weights, on the loss of all points of the same lives without learning in life, as nets are trained.

    python -m benchmarks.hypotheses.six_questions [--seeds N] [--steps N]

What a searcher does is compared where it can be: in the weights and biases of the network at birth, its phenotype.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.arena.sizes import sized
from benchmarks.arena.worlds import WORST, sine
from benchmarks.common import write_result
from benchmarks.hypotheses.frame import SUITE
from evodev.analysis.graph import of_network
from evodev.analysis.nulls import null_graph
from evodev.analysis.topology import communities, modularity
from evodev.baselines.masks import strongest
from evodev.baselines.meta import MetaLearning
from evodev.chunks import Chunk
from evodev.cli import prepare_jax
from evodev.evaluation import live_subjects, sample_lives
from evodev.lifetime import live, probe_steps
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.statistics import interval
from evodev.strategies import Strategy
from evodev.tasks import Life, Sine, Split, Task
from evodev.types import Array, Genome, Genomes, Key, Scalar

WORLD = sine(1)
TASK, SUBSTRATE = Sine(10, updates=10, probes=40), WORLD.substrate
AWAY = replace(TASK, amplitude=(5.0, 8.0))
"""Sines larger than any that was met."""
POPULATION, LIVES, SIGMA = 32, 4, 0.1
STRATEGY = Strategy("Open_ES", POPULATION, sigma=SIGMA, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02)
BATCH = POPULATION * LIVES
PROBES = probe_steps(TASK.steps, 6)
BIRTH_RATE, OUTER_RATE = 0.01, 0.01
MANY, LOOKS = 20 * BATCH, 6
"""Lives of a test, and points of a search at which the gradient is looked up."""
DENSITY = 0.25
"""Share of the synapses, the strongest, of which modularity is told."""
EVOLUTION, THROUGH, BACKPROP = SEARCHERS = ("evolution", "backprop through lives", "backprop")
META = {
    THROUGH: MetaLearning("maml", rate=OUTER_RATE, lives=BATCH, whole=True, clip=10.0),
    BACKPROP: MetaLearning("pretraining", rate=OUTER_RATE, lives=BATCH),
}


@dataclass(frozen=True)
class Question:
    """A number that all searchers are asked for.

    Attributes:
        asks: which of the six, and what is measured.
        unit: of the number.
        said: by the essay, or what the number means.
    """

    asks: str
    unit: str
    said: str


QUESTIONS = {
    "numbers": Question("1 search space: numbers searched", "numbers",
                        "the essay: evolution's space has no fixed dimensionality, backprop's is set before; here both are set"),
    "explored": Question("1 search space: dimensions explored", "dimensions",
                         "participation ratio of the steps, in the phenotype's 1,761"),
    "sampled": Question("1 search space: dimensions looked at around one point", "dimensions",
                        "participation ratio of the phenotypes lived at one step"),
    "feedback": Question("2 signal: numbers of feedback a life", "numbers", "the essay: a single bit, or a dense gradient"),
    "agreement": Question("2 signal: agreement of two readings", "cosine",
                          "of the step that two independent batches of 128 lives ask for, half way"),
    "bits": Question("2 signal: bits a life", "bits",
                     "of a Gaussian channel with the signal-to-noise ratio of the two readings, at most"),
    "others": Question("3 search and data: lives that depend on the searcher", "share",
                       "none, since a key alone draws them; the essay: organisms make each other's world"),
    "ground": Question("3 search and data: how far the ground moves", "share",
                       "deviation of an unmoved network's loss from step to step, over what the search gained in all"),
    "viable": Question("4 what persists: steps at which the network lives better than ignorance", "share",
                       "the essay: every step of evolution must function, a checkpoint need not"),
    "alive": Question("4 what persists: lived individuals better than ignorance, half way", "share", "of a step's own sample"),
    "modularity": Question("4 what persists: modularity less that of equal degrees", "Q",
                           "the essay: evolution is forced to modularity; of the strongest quarter of the synapses"),
    "length": Question("5 scope of a step: length over that of the phenotype", "share", "median over steps"),
    "moved": Question("5 scope of a step: coordinates moved", "share",
                      "participation ratio of a step over the phenotype's numbers, median; the essay: local, or all at once"),
    "downhill": Question("5 scope of a step: cosine with the gradient", "cosine",
                         "of the loss of 512 lives in the phenotype, mean of six steps; the essay: blind, or informed"),
    "loss": Question("6 what is created: loss at the end of a life", "squared error", "unseen lives"),
    "frozen": Question("6 what is created: loss frozen at birth", "squared error",
                       "the essay: backprop makes the crystal, evolution what searches itself"),
    "rate": Question("6 what is created: learning rate left", "rate", "geometric mean over projections; backprop began at .01"),
    "away": Question("6 how it lasts: loss where sines are larger than any met", "share of ignorance", "end of a life"),
}  # fmt: skip


# ---- the searches


@cache
def evolver(steps: int) -> Search:
    """A block a step, so that every centre is seen; one compiled search for all seeds."""
    organism = Organism(SUBSTRATE, sized("dct", WORLD), WORLD.learner)
    return Search(organism, TASK, STRATEGY, Schedule(steps, LIVES, 8, block=1, probes=6), fitness=WORLD.fitness)


def evolved(seed: int, steps: int) -> tuple[Organism, Genomes]:
    """Every centre of a search by evolution, the first included."""
    search = evolver(steps)
    search.root = jax.random.key(seed)
    state = search.start()
    centres = [np.asarray(state.initial)]
    while int(state.generation) < steps:
        state, _ = search.advance(state)
        centres.append(np.asarray(state.centroid))
    return search.organism, jnp.asarray(np.stack(centres))


def descended(searcher: str, seed: int, steps: int) -> tuple[Organism, Genomes]:
    """Every point of a search by gradient."""
    meta, key = META[searcher], jax.random.key(seed)
    organism = _organism(searcher)
    progress = meta.start(organism, BIRTH_RATE, key=jax.random.fold_in(key, 0))
    points = [np.asarray(progress.genome)]
    for _ in range(steps):
        progress, _ = meta.advance(organism, TASK, PROBES, progress, 1, jax.random.fold_in(key, 1))
        points.append(np.asarray(progress.genome))
    return organism, jnp.asarray(np.stack(points))


@cache
def _organism(searcher: str) -> Organism:
    return META[searcher].organism(SUBSTRATE, TASK)


# ---- what they are asked


def phenotype(organism: Organism, genome: Genome) -> Array:
    """Weights and biases at birth, one after the other."""
    network, _ = organism.develop(genome, key=jax.random.key(0))
    return ravel_pytree((network.weights, network.biases))[0]


phenotypes = jax.jit(lambda organism, genomes: jax.vmap(partial(phenotype, organism))(genomes), static_argnums=0)


def losses(organism: Organism, genomes: Genomes, lives: int, *, key: Key, split: Split = "train", of: Task = TASK) -> np.ndarray:
    """Loss at every probe of the same fresh lives, (genomes, lives, probes); at most ``WORST``, in losses of ignorance."""
    key_lives, key_run = jax.random.split(key)
    log = live_subjects(
        organism.hatch, genomes, organism.learner, SUBSTRATE, TASK, sample_lives(of, split, lives, key=key_lives), PROBES,
        key=key_run, stochastic=False, chunk=Chunk(len(genomes), lives),
    )  # fmt: skip
    worst = WORST * of.ignorant_loss
    return np.nan_to_num(np.asarray(log.loss), nan=worst, posinf=worst).clip(max=worst)


@partial(jax.jit, static_argnums=0)
def slope(organism: Organism, genome: Genome, *, key: Key) -> Array:
    """Gradient of the mean loss of 512 lives in the phenotype; zero where there is no synapse."""
    network, genes = organism.develop(genome, key=key)
    born, unravel = ravel_pytree((network.weights, network.biases))
    lives = sample_lives(TASK, "train", 512, key=key)

    def lost(flat: Array) -> Scalar:
        weights, biases = unravel(flat)
        own = replace(network, weights=weights, biases=biases)

        def one(life: Life) -> Scalar:
            return live(organism.learner, genes, own, SUBSTRATE, TASK, life, PROBES, key=key).loss[1:].mean()

        return jax.vmap(one)(lives).mean()

    masks = ravel_pytree((network.masks, jax.tree.map(jnp.ones_like, network.biases)))[0]
    return jax.grad(lost)(born) * masks


@partial(jax.jit, static_argnums=(0, 1))
def gradient(searcher: str, organism: Organism, genome: Genome, *, key: Key) -> Array:
    """What one batch of lives asks a gradient searcher to do."""
    lives = sample_lives(TASK, "train", BATCH, key=key)

    def lost(genome: Genome) -> Scalar:
        return jax.vmap(lambda life: META[searcher].loss(organism, TASK, PROBES, genome, life, key=key))(lives).mean()

    return -jax.grad(lost)(genome)


def reading(searcher: str, organism: Organism, genome: Genome, *, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """What one batch of 128 lives asks for, in the searcher's own space; and the individuals' losses (individuals, lives)."""
    if searcher != EVOLUTION:
        told = losses(organism, genome[None], MANY, key=key)
        return np.asarray(gradient(searcher, organism, genome, key=key)), told[..., 1:].mean(-1)
    noise = jax.random.normal(jax.random.fold_in(key, 1), (POPULATION // 2, genome.size))
    noise = jnp.concatenate([noise, -noise])
    told = losses(organism, genome + SIGMA * noise, LIVES, key=key)[..., 1:].mean(-1)
    return -told.mean(1) @ np.asarray(noise), told


def participation(deviations: np.ndarray) -> float:
    """(sum of variances)^2 / sum of their squares, along principal directions; how many dimensions rows fill."""
    values = np.linalg.eigvalsh(deviations @ deviations.T)
    return float(values.sum() ** 2 / (values**2).sum())


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of two vectors."""
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30))


def modular(organism: Organism, genome: Genome) -> float:
    """Modularity of the strongest quarter of the synapses, less the mean of five random graphs of equal degrees."""
    network, _ = organism.develop(genome, key=jax.random.key(0))
    sizes = {name: np.abs(np.asarray(w)) for name, w in network.weights.items()}
    sizes = {name: w / max(float(np.sqrt((w**2).mean())), 1e-30) for name, w in sizes.items()}
    graph = of_network(replace(network, masks=strongest(sizes, round(DENSITY * SUBSTRATE.synapses))), SUBSTRATE)
    own, *random = [modularity(g, communities(g)) for g in (graph, *(null_graph(graph, "degrees", seed=i) for i in range(5)))]
    return own - float(np.mean(random))


def asked(searcher: str, organism: Organism, genomes: Genomes, seed: int) -> dict[str, float]:
    """Every question's number, of one search from its points."""
    key = jax.random.fold_in(jax.random.key(seed), 0x6)
    born = np.asarray(phenotypes(organism, genomes), np.float64)
    steps, middle, end = np.diff(born, axis=0), genomes[len(genomes) // 2], genomes[-1]
    first, told = reading(searcher, organism, middle, key=jax.random.fold_in(key, 0))
    second, _ = reading(searcher, organism, middle, key=jax.random.fold_in(key, 1))
    # of a coordinate: what both readings share is signal, half of what they differ by noise
    searched = len(first) if searcher != BACKPROP else int((first != 0).sum())
    signal, noise = max(float(first @ second), 0.0), float(((first - second) ** 2).sum() / 2)
    whole = losses(organism, genomes, 64, key=jax.random.fold_in(key, 2), split="validation")[..., 1:].mean((1, 2))
    unmoved = losses(organism, end[None], MANY, key=jax.random.fold_in(key, 3))[0, :, 1:].mean(-1)
    test, away = (
        losses(organism, end[None], MANY, key=jax.random.key(2026), split="test", of=t)[0].mean(0) for t in (TASK, AWAY)
    )
    looks = np.linspace(0, len(steps) - 1, LOOKS).astype(int)
    slopes = [np.asarray(slope(organism, genomes[i], key=jax.random.fold_in(key, 4))) for i in looks]
    sample = born[len(born) // 2][None]
    if searcher == EVOLUTION:
        noise_of = jax.random.normal(key, (POPULATION, middle.size))
        sample = np.asarray(phenotypes(organism, jnp.concatenate([middle[None], middle + SIGMA * noise_of])), np.float64)
    deviations = sample[1:] - sample[0]
    rates = [float(v) for n, v in organism.split(end)[1].items() if n.endswith("log_rate") and "->" in n]
    squares = steps**2
    return {
        "numbers": float(searched),
        "explored": participation(steps),
        "sampled": participation(deviations) if len(deviations) else 0.0,
        "feedback": 1.0 if searcher == EVOLUTION else float(searched),
        "agreement": cosine(first, second),
        "bits": searched / 2 * float(np.log2(1 + signal / max(noise, 1e-30))) / BATCH,
        "others": 0.0,
        "ground": float(unmoved.reshape(-1, BATCH).mean(1).std() / max(float(whole[0] - whole[-1]), 1e-9)),
        "viable": float((whole < TASK.ignorant_loss).mean()),
        "alive": float((told.mean(1) < TASK.ignorant_loss).mean()),
        "modularity": modular(organism, end),
        "length": float(np.median(np.linalg.norm(steps, axis=1) / np.linalg.norm(born[:-1], axis=1))),
        "moved": float(np.median(squares.sum(1) ** 2 / np.maximum((squares**2).sum(1), 1e-30)) / born.shape[1]),
        "downhill": float(np.mean([cosine(steps[i], -g) for i, g in zip(looks, slopes, strict=True)])),
        "loss": float(test[-1]),
        "frozen": float(test[0]),
        "rate": float(np.exp(np.mean(rates))),
        "away": float(away[-1] / AWAY.ignorant_loss),
    }


def rows_of(told: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Searchers side by side, question by question."""
    rows = []
    for name, question in QUESTIONS.items():
        for searcher, seeds in told.items():
            mean, lo, hi = (float(x) for x in interval(np.array([s[name] for s in seeds]), 2000))
            rows.append({"label": f"{question.asks}, {searcher}", "measured": mean, "lo": lo, "hi": hi, "unit": question.unit,
                         "note": question.said})  # fmt: skip
    return rows


def main() -> None:
    """Search, ask, and write benchmarks/results/hypotheses/six_questions.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="outer seeds (default 10)")
    parser.add_argument("--steps", type=int, default=150, help="of every search (default 150)")
    options = parser.parse_args()
    prepare_jax()
    searches: dict[str, Callable[[int, int], tuple[Organism, Genomes]]] = {
        EVOLUTION: evolved, THROUGH: partial(descended, THROUGH), BACKPROP: partial(descended, BACKPROP),
    }  # fmt: skip
    told: dict[str, list[dict[str, float]]] = {name: [] for name in SEARCHERS}
    for seed in range(options.seeds):
        for name, search in searches.items():
            told[name].append(asked(name, *search(seed, options.steps), seed))
            print(f"seed {seed}, {name}: loss {told[name][-1]['loss']:.2f}", flush=True)
    budget = f"{options.steps} steps of {BATCH} lives for every searcher"
    command = "python -m benchmarks.hypotheses.six_questions"
    print(write_result(SUITE, "six_questions", rows_of(told), command=command, seeds=options.seeds, budget=budget))


if __name__ == "__main__":
    main()
