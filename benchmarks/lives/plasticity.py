"""Evolved plasticity masks against learning in all synapses (sparse-MAML, von Oswald et al. 2021, arXiv 2110.14402).

    python -m benchmarks.lives.plasticity [--seeds K] [--only sine|class|task ...]

Direct wiring (a gene a weight, a gene a rate) that learns by plain gradient descent; arms differ in what else is evolved, by
the same SNES with the same lives: nothing (all plastic), a gate a projection, or a gate a synapse. ``random mask`` evolves
everything but the mask, which is the evolved one of the same seed dealt out anew within each projection: equal plastic share.
``shuffled`` and ``opened`` take the evolved organism itself and deal out or take away its mask. On digits, ``replay`` is all
plastic and learns from one batch of the life so far after each new one.

*sine*: the substrate and the lives of the preset, five labelled points, ten updates. *class*, *task*: continual digits, four
phases of two classes, five examples of each; fitness is the loss on all phases at the end of the life. In *task* the phase
is known, to the judge and to the learner's loss (a head a phase). Retention is the score on a phase at the end of the life
less that when it ended, mean over phases but the last.

Expected before the first run: on sine the mask helps a little (+). It lessens forgetting where the phase is known (+ on
*task*), since there the hidden layer is what interferes; where it is not, the read-out is, and the mask does nothing (about
0 on *class*). Replay beats every mask on *class*.

Writes benchmarks/results/lives/plasticity.json and plasticity.png; finished searches are kept in ``.cache``.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from evodev.chunks import choose_chunk
from evodev.cli import prepare_jax
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.fitness import Fitness, retention
from evodev.genome import branch
from evodev.learners import Gradient
from evodev.learners.plasticity import gates
from evodev.lifetime import probe_steps
from evodev.organism import Organism
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate, mlp
from evodev.tasks import ContinualDigits, Sine, Task

CACHE = Path(__file__).parent / ".cache" / "plasticity"
DECODER = Decoder(CellTypes(), Direct(channels=("plastic",)), AllSynapses())
START = 0.3
"""The gate at the start where a mask evolves: channels are 0.3 x N(0, 1), so that 84% of the synapses are plastic."""
OPEN = 1e3


@dataclass(frozen=True)
class World:
    """Where arms live and what one search may spend: ``generations`` of 64 genomes x ``lives``."""

    task: Task
    substrate: Substrate
    learner: Gradient
    fitness: Fitness
    generations: int
    lives: int
    test_lives: int

    def organism(self, replays: bool = False) -> Organism:
        """Decoder and learner on the substrate; every arm's but for what is evolved."""
        return Organism(self.substrate, DECODER, replace(self.learner, replay=int(replays)))


def _continual(scenario: Any) -> World:
    task = ContinualDigits(phases=4, ways=2, shots=5, probes=4, scenario=scenario, canvas=8)
    learner = Gradient(plastic="synapse", heads=task.heads)
    return World(task, mlp((task.inputs, 10, task.outputs)), learner, Fitness("final"), generations=400, lives=4, test_lives=256)


@cache
def world(name: str) -> World:
    """The world of a name."""
    if name != "sine":
        return _continual(name)
    learner = Gradient(loss="squared_error", log_rate=-3.5, plastic="synapse")
    return World(
        Sine(shots=5), mlp((1, 40, 40, 1), activation="tanh"), learner, Fitness(), generations=1000, lives=8, test_lives=512
    )


WORLDS = ("sine", "class", "task")
EVOLVED = {
    "sine": ("all plastic", "gate a projection", "evolved mask", "random mask"),
    "class": ("all plastic", "evolved mask", "random mask", "replay"),
    "task": ("all plastic", "evolved mask", "random mask", "replay"),
}
REMARKS = {
    "sine": "in every arm one seed or two of five end far from the others",
    "class": "the mask closes whole projections rather than synapses (see its plastic shares): dealing it out changes little",
    "task": "all plastic forgets next to nothing with a head a phase: there is nothing to win",
}
TAKEN_APART = ("shuffled", "opened")
NOTES = {
    "all plastic": "weights and rates evolved",
    "gate a projection": "and whether a projection is plastic at all",
    "evolved mask": "and which synapses are",
    "random mask": "weights and rates evolved around a random mask of the evolved one's share in each projection",
    "replay": "all plastic, one replayed batch after each new one",
    "shuffled": "the evolved organism, its mask dealt out anew within each projection; nothing evolved again",
    "opened": "the evolved organism, all its synapses plastic; nothing evolved again; diverged seeds count 100",
}


def genes_of(organism: Organism, kind: str) -> np.ndarray:
    """Places in the genome of the ``channel`` genes of the mask, or of the ``gate`` genes."""
    ends, begins = "/plastic", {"channel": "decoder/", "gate": "learner/"}[kind]
    own = [where for name, where in organism.genome_spec.slices.items() if name.startswith(begins) and name.endswith(ends)]
    return np.concatenate([np.arange(where.start, where.stop) for where in own])


def start(organism: Organism, arm: str, seed: int, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The genome to start from, and the places that are evolved; ``mask`` is the genome whose mask is dealt out anew."""
    channel, gate = genes_of(organism, "channel"), genes_of(organism, "gate")
    both = np.concatenate([channel, gate])
    genome, held = np.array(organism.genome_spec.init(key=jax.random.key(seed))), both
    if arm == "evolved mask":
        genome[gate], held = START - 1.0, both[:0]
    elif arm == "random mask":
        assert mask is not None
        genome[both] = dealt(organism, mask, seed)[both]
    elif arm == "gate a projection":
        genome[both], held = 0.0, channel
    else:
        genome[channel], genome[gate] = 0.0, OPEN
    return genome, np.setdiff1d(np.arange(len(genome)), held)


def dealt(organism: Organism, genome: np.ndarray, seed: int) -> np.ndarray:
    """A genome whose plastic synapses have changed places at random within each projection."""
    rng, out = np.random.default_rng([seed, 7]), genome.copy()
    for name, where in organism.genome_spec.slices.items():
        if name.startswith("decoder/") and name.endswith("/plastic"):
            out[where] = rng.permutation(out[where])
    return out


def search_program(own: World, organism: Organism, places: np.ndarray) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Compiled: (genome at the start, key) -> the centre of the search at its end, only these places evolved."""
    steps = own.task.steps
    schedule = (0, steps) if own.fitness.measure == "final" else probe_steps(steps, 8)
    strategy = Strategy("SNES", population=64, sigma=0.2)
    chunk = choose_chunk(organism, own.task, subjects=64, lives=own.lives)

    def run(genome: jax.Array, key: jax.Array) -> jax.Array:
        def score(parts: jax.Array, *, key: jax.Array) -> jax.Array:
            key_lives, key_run = jax.random.split(key)
            genomes = jnp.broadcast_to(genome, (len(parts), len(genome))).at[:, places].set(parts)
            lives = sample_lives(own.task, "train", own.lives, key=key_lives)
            log = evaluate_organism(organism, genomes, own.task, lives, schedule, key=key_run, chunk=chunk)
            return own.fitness(log, schedule).mean(1)

        found = maximise(score, len(places), strategy, own.generations, key=key, initial=genome[places])
        return genome.at[places].set(found[1])

    return jax.jit(run)


@cache
def searcher(name: str, replays: bool, evolved: tuple[int, ...]) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """One :func:`search_program` for all seeds."""
    return search_program(world(name), world(name).organism(replays), np.array(evolved))


def test_program(own: World, organism: Organism) -> Callable[[jax.Array], dict[str, jax.Array]]:
    """Compiled: genome -> its measures, means over the held-out lives, the same for all arms; and its plastic share."""
    schedule = probe_steps(own.task.steps, 8)
    chunk = choose_chunk(organism, own.task, subjects=1, lives=own.test_lives)

    @jax.jit
    def test(genome: jax.Array) -> dict[str, jax.Array]:
        lives = sample_lives(own.task, "test", own.test_lives, key=jax.random.key(4242))
        log = evaluate_organism(organism, genome[None], own.task, lives, schedule, key=jax.random.key(7), chunk=chunk)
        network, genes = organism.develop(genome, key=jax.random.key(0))
        # a learner that wraps another has the other's genes under a name of their own
        gate = gates(branch(genes, "learner") or genes, network, organism.substrate, by_synapse=True)
        out = {f"share {k}": v.mean() for k, v in gate.items()}
        out |= {"loss": log.loss[0, :, -1].mean(), "failed": log.failed.mean(), "curve": log.loss[0].mean(0)}
        if log.phases is not None:
            out |= {"retention": retention(log, schedule).mean(), "accuracy": log.score[0, :, -1].mean()}
            out |= {"reached": log.phases.reached.mean(), "phases": log.phases.score[0].mean(0)}
        return out

    return test


@cache
def tester(name: str, replays: bool) -> Callable[[jax.Array], dict[str, jax.Array]]:
    """One :func:`test_program` for all seeds."""
    return test_program(world(name), world(name).organism(replays))


def told(name: str, genome: np.ndarray, *, replays: bool = False) -> dict[str, Any]:
    """Measures of a genome as plain numbers and lists."""
    return {k: np.asarray(v).tolist() for k, v in tester(name, replays)(jnp.asarray(genome, jnp.float32)).items()}


def kept(name: str, arm: str, seed: int) -> Path:
    """Where a finished search is kept."""
    return CACHE / f"{name}-{arm.replace(' ', '_')}-{seed}-{world(name).generations}.json"


def one_search(name: str, arm: str, seed: int) -> dict[str, Any]:
    """Evolve an arm and measure it; the evolved mask also with its mask dealt out anew and taken away."""
    organism, replays = world(name).organism(), arm == "replay"
    mask = np.array(json.loads(kept(name, "evolved mask", seed).read_text())["genome"]) if arm == "random mask" else None
    genome, places = start(organism, arm, seed, mask)
    search = searcher(name, replays, tuple(places.tolist()))
    began = time.perf_counter()
    found = np.array(search(jnp.asarray(genome, jnp.float32), jax.random.key(1000 + seed)))
    entry = {"genome": found.tolist(), "numbers": len(places), "seconds": time.perf_counter() - began}
    entry["measures"] = {arm: told(name, found, replays=replays)}
    if arm == "evolved mask":
        opened = found.copy()
        opened[genes_of(organism, "gate")] = OPEN
        entry["measures"] |= {"shuffled": told(name, dealt(organism, found, seed)), "opened": told(name, opened)}
    return entry


def evolve(name: str, seeds: int) -> None:
    """Search for whatever is not in the cache yet; the mask first, since the random one is dealt out of it."""
    for arm in sorted(EVOLVED[name], key=lambda a: a != "evolved mask"):
        for seed in range(seeds):
            path = kept(name, arm, seed)
            if not path.exists():
                CACHE.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(one_search(name, arm, seed)))
            measures = json.loads(path.read_text())["measures"][arm]
            shown = {k: round(v, 3) for k, v in measures.items() if isinstance(v, float)}
            print(f"{time.strftime('%X')} {name}, {arm}, seed {seed}", shown, flush=True)


def collected(name: str, seeds: int) -> list[dict[str, dict[str, Any]]]:
    """Measures on the test lives of the arms that are done in all seeds, a dictionary a seed."""
    results: list[dict[str, dict[str, Any]]] = [{} for _ in range(seeds)]
    for arm in EVOLVED[name]:
        paths = [kept(name, arm, seed) for seed in range(seeds)]
        if all(path.exists() for path in paths):
            for result, path in zip(results, paths, strict=True):
                entry = json.loads(path.read_text())
                result |= entry["measures"]
                # lives that diverge count as the worst that a fitness allows
                for measures in entry["measures"].values():
                    measures["loss"] = min(measures["loss"], -world(name).fitness.worst)
                result[arm] |= {"numbers": entry["numbers"], "seconds": entry["seconds"]}
    return results


def row(label: str, values: Any, unit: str, note: str, *, lead: bool = False) -> dict[str, Any]:
    """Mean over seeds with its interval; a ``lead`` is met where the interval lies above zero."""
    mean, lo, hi = (float(x) for x in interval(np.asarray(values, np.float64), 2000))
    judged = {"target": 0.0, "met": lo > 0} if lead else {}
    return {"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": unit, "note": note, **judged}


def rows_of(name: str, results: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """An entry an arm and measure, and the leads of the mask, paired by seed."""

    def of(arm: str, measure: str) -> np.ndarray:
        return np.array([r[arm][measure] for r in results])

    arms = [arm for arm in (*EVOLVED[name], *TAKEN_APART) if arm in results[0]]
    measures = {"loss": "MSE" if name == "sine" else "nats"} | (
        {} if name == "sine" else {"accuracy": "accuracy", "retention": "accuracy", "reached": "accuracy"}
    )
    called = {
        "loss": "loss after learning",
        "accuracy": "final accuracy",
        "retention": "retention",
        "reached": "reached at phase ends",
    }
    rows = []
    for arm in arms:
        size = f"; {results[0][arm]['numbers']:,} numbers evolved" if arm in EVOLVED[name] else ""
        rows += [row(f"{name}: {arm}, {called[m]}", of(arm, m), unit, NOTES[arm] + size) for m, unit in measures.items()]
    expected = {"sine": "+", "class": "about 0", "task": "+"}[name]
    for m in ("loss",) if name == "sine" else ("retention", "accuracy"):
        sign = -1 if m == "loss" else 1
        for rival in (arm for arm in ("all plastic", "random mask", *TAKEN_APART) if arm in arms):
            values = sign * (of("evolved mask", m) - of(rival, m))
            main = rival == "all plastic" and m in ("loss", "retention")
            note = "paired by seed; better is above zero"
            if main:
                note += f"; expected {expected}; {REMARKS[name]}"
            rows.append(
                row(
                    f"{name}: lead of the evolved mask over {rival}, {called[m]}",
                    values,
                    measures[m],
                    note,
                    lead=main and expected == "+",
                )
            )
        if "replay" in arms:
            values = of("replay", m) - of("evolved mask", m)
            rows.append(row(f"{name}: lead of replay over the evolved mask, {called[m]}", values, measures[m], "paired by seed"))
    for part in (k for k in results[0]["evolved mask"] if k.startswith("share ")):
        rows.append(row(f"{name}: plastic {part}", of("evolved mask", part), "share", "of the evolved mask; 0.84 at the start"))
    seconds = [r[arm]["seconds"] for r in results for arm in EVOLVED[name] if arm in arms]
    rows.append({"label": f"{name}: search", "measured": float(np.median(seconds)), "unit": "s", "note": "median of all arms"})
    return rows


def draw(found: dict[str, list[dict[str, dict[str, Any]]]]) -> None:
    """A dot a seed and the mean with its interval, an arm a line; the evolved mask stands out."""
    mosaic: Any = [["class accuracy", "class retention"], ["task accuracy", "task retention"]]
    if "sine" in found:
        mosaic = [["sine loss", *line] for line in mosaic]
    figure = Figure(figsize=(12.5, 5.2), layout="constrained")
    panels = figure.subplot_mosaic(mosaic)
    titles = {
        "sine loss": "sine, five points: MSE after ten updates", "class accuracy": "class-incremental digits: final accuracy",
        "class retention": "retention", "task accuracy": "task-incremental digits: final accuracy", "task retention": "retention",
    }  # fmt: skip
    for key, axis in panels.items():
        name, measure = key.split()
        axis.set_title(titles[key], loc="left", fontsize=10)
        axis.spines[["top", "right", "left"]].set_visible(False)
        if name not in found:
            continue
        arms = [arm for arm in (*EVOLVED[name], *TAKEN_APART) if arm in found[name][0]]
        for y, arm in enumerate(arms):
            colour = "#c45a00" if arm == "evolved mask" else "#444444" if arm in EVOLVED[name] else "#9a9a9a"
            values = np.array([r[arm][measure] for r in found[name]])
            mean, lo, hi = (float(x) for x in interval(values, 2000))
            axis.plot(values, np.full(len(values), y), ".", color=colour, alpha=0.4, markersize=6)
            axis.plot([lo, hi], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
            axis.plot(mean, y, "o", color=colour, markersize=6)
        axis.set_yticks(range(len(arms)), arms if measure != "retention" else [""] * len(arms))
        axis.set_ylim(len(arms) - 0.5, -0.5)
        axis.tick_params(axis="y", length=0)
        if measure == "loss":
            axis.set_xscale("log")
        axis.grid(axis="y", color="#eeeeee")
        chance = {"class accuracy": 1 / 8, "task accuracy": 1 / 2, "class retention": 0.0, "task retention": 0.0}
        if key in chance:
            axis.axvline(chance[key], color="#9a9a9a", linewidth=1, linestyle=":")
            if measure == "accuracy":
                axis.text(chance[key], len(arms) - 0.55, " chance", color="#9a9a9a", fontsize=8, va="bottom")
    figure.savefig(result_path("lives", "plasticity").with_suffix(".png"), dpi=150)


def main() -> None:
    """Measure what is not in the cache yet, and write benchmarks/results/lives/plasticity.json and its figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="outer seeds (default 5)")
    parser.add_argument(
        "--only", nargs="*", choices=WORLDS, default=WORLDS, help="worlds to measure now; all that are done are written"
    )
    options = parser.parse_args()
    prepare_jax()
    for name in options.only:
        evolve(name, options.seeds)
    found = {name: collected(name, options.seeds) for name in WORLDS}
    done = [name for name in WORLDS if {"evolved mask", "all plastic"} <= set(found[name][0])]
    found = {name: found[name] for name in done}
    rows = [r for name in done for r in rows_of(name, found[name])]
    spent = "; ".join(f"{n}: {world(n).generations} generations of 64 genomes x {world(n).lives} lives" for n in done)
    tested = ", ".join(f"{world(n).test_lives} {n}" for n in done)
    write_result(
        "lives", "plasticity", rows, command="python -m benchmarks.lives.plasticity", seeds=options.seeds,
        budget=f"{spent}; the centre of the search is tested, on the same test lives in all arms ({tested})",
        figure="plasticity.png",
    )  # fmt: skip
    draw(found)


if __name__ == "__main__":
    main()
