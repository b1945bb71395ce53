"""Claim 17: selection writes information into a genome, and the bits that it has written tell how good the genome is.

What the essay quotes is a divergence: of the evolved distribution from the one that drift alone would have made. Here it is
taken generation by generation: KL of the search distribution from the ensemble of neutral searches (the same strategy from
the same genome, told random scores), less what a neutral search lies from that ensemble itself (evodev.analysis.information).

Independent variable: the heritability of fitness, h^2. Scores are ranks made normal, times h, plus normal noise times
sqrt(1 - h^2): with h^2 = 0 a search is drift, with 1 it sees true fitness (of a few lives). Same start, same lives, same
strategy, same evaluations for all. Digits on a canvas, few shots, classes held out; retinotopic genomes.

Arms: five heritabilities; 16 neutral runs; and as a control of the meaning of bits the end of the best search with its moves
shuffled among genes, which is a distribution of exactly as many bits. Held-out skill is 1 - AULC / ignorance of the centre of
the search, on classes never selected on.

Expected, before the run. (1) With h^2 = 1 a search ends with more bits than drift: +. (2) At equal generations, heritabilities
rank alike by bits and by held-out skill: Spearman's correlation, mean over the second half of the checkpoints, +. Reported:
equal bits shuffled have lost the skill (+: search less shuffled), so that bits say how much was selected and not what; bits
come slower at the end (last third less first third, -).
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from benchmarks.figures import band
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.hypotheses.retina import FITNESS, LIVES, ORGANISM, SCHEDULE, TASK, skill
from evodev.analysis.information import Drift, bits_gained, drift
from evodev.chunks import Chunk
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.strategies import Strategy, strong
from evodev.types import Array, Genome, Key, Scalar

HERITABILITIES = (0.0, 0.03, 0.1, 0.3, 1.0)
STRATEGY = Strategy("SNES", population=32, sigma=0.3)
CHECKPOINTS = 12
SIZE = ORGANISM.genome_spec.size


@cache
def searcher(generations: int) -> Any:
    """Compiled searches of all heritabilities: key and start -> means and variances (arms, generations + 1, genes)."""
    algorithm, params = STRATEGY.build(SIZE, generations)

    def search(share: Scalar, start: Genome, key: Key) -> tuple[Array, Array]:
        def generation(state: Any, key: Key) -> tuple[Any, tuple[Array, Array]]:
            key_ask, key_lives, key_run, key_noise, key_tell = jax.random.split(key, 5)
            genomes, state = algorithm.ask(key_ask, state, params)
            lives = sample_lives(TASK, "train", LIVES, key=key_lives)
            log = evaluate_organism(ORGANISM, genomes, TASK, lives, SCHEDULE, key=key_run, chunk=Chunk(len(genomes), LIVES))
            fitness = FITNESS(log, SCHEDULE).mean(1)
            quantile = (jnp.argsort(jnp.argsort(fitness)) + 0.5) / len(genomes)
            noise = jax.random.normal(key_noise, fitness.shape)
            score = jnp.sqrt(share) * jax.scipy.stats.norm.ppf(quantile) + jnp.sqrt(1 - share) * noise
            state, _ = algorithm.tell(key_tell, genomes, -score, state, params)
            return state, (state.mean, jnp.broadcast_to(state.std**2, (SIZE,)))

        key_init, key_run = jax.random.split(key)
        first = strong(algorithm.init(key_init, start, params))
        path = jax.lax.scan(generation, first, jax.random.split(key_run, generations))[1]
        born = first.mean, jnp.broadcast_to(first.std**2, (SIZE,))
        means, variances = (jnp.concatenate([a[None], b]) for a, b in zip(born, path, strict=True))
        return means, variances

    # arms draw alike: what differs is what selection makes of it
    return jax.jit(jax.vmap(search, in_axes=(0, None, None)))


def run(seed: int, budget: Budget) -> Measures:
    """One start: its searches at every heritability, its neutral ensemble, and the held-out skill along the way."""
    generations = budget["generations"]
    key_start, key_search, key_drift, key_test, key_shuffle = jax.random.split(jax.random.key(seed), 5)
    start = ORGANISM.genome_spec.init(key=key_start)
    means, variances = searcher(generations)(jnp.array(HERITABILITIES), start, key_search)
    paths = Drift(np.asarray(means), np.asarray(variances))
    neutral = drift(STRATEGY, start, generations, runs=budget["neutral"], key=key_drift)
    marks = np.unique(np.linspace(0, generations, CHECKPOINTS + 1).round().astype(int))
    arms = range(len(HERITABILITIES))
    bits = np.array([bits_gained([paths.run(i, g) for g in marks], marks.tolist(), neutral) for i in arms])
    # the moves of the best search, given to other genes: equally far from drift
    shuffled = start + jax.random.permutation(key_shuffle, means[-1, -1] - start)
    genomes = jnp.concatenate([means[:, marks].reshape(-1, SIZE), shuffled[None]])
    skills = skill(genomes, budget["lives"], key=key_test)
    return {
        "marks": marks, "bits": bits / SIZE, "skill": skills[:-1].reshape(len(HERITABILITIES), -1), "shuffled": skills[-1],
        "neutral": np.array([neutral.bits(g) - neutral.bits(g).mean() for g in marks]).T / SIZE,
    }  # fmt: skip


def predicted(measures: Measures) -> float:
    """Rank correlation of bits and held-out skill over heritabilities, mean over the second half of the checkpoints."""
    bits, skills = np.array(measures["bits"]), np.array(measures["skill"])
    half = bits.shape[1] // 2
    found: list[Any] = [spearmanr(bits[:, i], skills[:, i]) for i in range(half, bits.shape[1])]
    return float(np.mean([one.statistic for one in found]))


def slowing(measures: Measures) -> float:
    """Bits a number and a generation, last third of the search with full heritability less its first third."""
    bits, marks = np.array(measures["bits"])[-1], np.array(measures["marks"])
    third = len(marks) // 3
    return float((bits[-1] - bits[-1 - third]) / (marks[-1] - marks[-1 - third]) - (bits[third] - bits[0]) / marks[third])


COLOURS = ("0.55", "#9db8d9", "#5a8cc4", "#0b4f9e", "#c45a00")


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """Bits over generations against drift; held-out skill over generations; and skill against bits."""
    figure = Figure(figsize=(12.5, 4.3), layout="constrained")
    panels = figure.subplots(1, 3)
    marks = np.array(measures[0]["marks"])
    bits, skills = (np.array([m[name] for m in measures]) for name in ("bits", "skill"))
    low, high = np.percentile(np.concatenate([m["neutral"] for m in measures]), [2.5, 97.5], axis=0)
    panels[0].fill_between(marks, low, high, color="0.85", linewidth=0, label="neutral drift, 95% of runs")
    for i, (share, colour) in enumerate(zip(HERITABILITIES, COLOURS, strict=True)):
        label = f"$h^2$ = {share:g}" + {0.0: ", drift", 1.0: ", as measured"}.get(share, "")
        for panel, values in zip(panels, (bits, skills), strict=False):
            band(panel, marks, values[:, i], color=colour, label=label, marker="")
        panels[2].plot(bits[:, i].mean(0), skills[:, i].mean(0), color=colour, marker="o", markersize=3)
        panels[2].scatter(bits[:, i, -1], skills[:, i, -1], color=colour, s=14, alpha=0.6, linewidth=0)
    lost = np.array([m["shuffled"] for m in measures])
    panels[2].scatter(bits[:, -1, -1], lost, color="k", marker="x", s=22, linewidth=1, label="as many bits, shuffled among genes")
    panels[0].set_ylabel("bits gained over drift, a number of the genome")
    panels[1].set_ylabel("held-out skill (1 - AULC / ignorance)")
    panels[2].set_ylabel("held-out skill (1 - AULC / ignorance)")
    for panel in panels[:2]:
        panel.set_xlabel("generation")
    for panel in panels[1:]:
        panel.set_ylim(-1.05, 0.65)  # drifting confidence costs some neutral searches more than this
    panels[2].set_xlabel("bits gained over drift, a number of the genome")
    panels[0].set_title("Selection writes bits, drift does not", loc="left")
    panels[1].set_title("Skill on classes never selected on", loc="left")
    panels[2].set_title("Bits against skill: paths and ends", loc="left")
    panels[0].legend(frameon=False, fontsize=8)
    panels[2].legend(frameon=False, fontsize=8, loc="lower right")
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    expected = "expected: bits rise with $h^2$, and skill with bits"
    figure.suptitle(f"{len(measures)} outer seeds; bands: 95% intervals over seeds; {expected}", fontsize=9, x=0.01, ha="left")
    return figure


CLAIM = Claim(
    number=17,
    name="information",
    words="selection accumulates information in the genome",
    hypothesis="Selection moves the search distribution further from neutral drift every generation, and the bits gained so "
    "predict skill on classes never selected on.",
    varies="heritability of fitness: 0 (drift), .03, .1, .3, 1",
    arms=(*(f"h2 = {share:g}" for share in HERITABILITIES), "neutral drift", "as many bits, shuffled among genes"),
    measure="KL(search distribution || neutral ensemble) less that of neutral runs, in bits a number of the genome; held-out "
    "skill (1 - AULC / ignorance) of the centre of the search",
    smallest="one genome of some hundred numbers in one world, and one strategy with normal distributions, where the "
    "divergence is known in closed form; populations of living things are not normal, and their neutral ensemble is never seen",
    contrasts=(
        Contrast("bits at the end, selection less drift (h2 = 0)", lambda m: m["bits"][-1][-1] - m["bits"][0][-1],
                 "+", 0.05, "bits a number"),
        Contrast("rank correlation of bits and held-out skill over heritabilities", predicted, "+", 0.5, "Spearman's rho"),
        Contrast("held-out skill, search less as many bits shuffled", lambda m: m["skill"][-1][-1] - m["shuffled"],
                 "+", 0.05, "skill", decides=False, note="bits say how much was selected, not what"),
        Contrast("bits a generation, last third less first third", slowing, "-", 0.0001, "bits a number and generation",
                 decides=False),
    ),
    budgets={
        "quick": Budget(3, "5 searches of 60 generations, 32 genomes x 4 lives; 64 test lives a checkpoint",
                        {"generations": 60, "neutral": 16, "lives": 64}),
        "full": Budget(10, "5 searches of 200 generations, 32 genomes x 4 lives; 256 test lives a checkpoint",
                       {"generations": 200, "neutral": 32, "lives": 256}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
