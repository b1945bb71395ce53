"""Rows 1-3 of the science: gradient meta-learning at published numbers, and an evolved genome beside it.

    python -m benchmarks.comparison.maml [--seeds K] [--steps N] [--arms NAME ...] [--finished]

Sine regression as Finn et al. 2017 have it (arXiv 1703.03400): a 1-40-40-1 relu network, one step of plain gradient descent at
.01 on 10 points in a training life, the loss on 10 others at its end, 25 lives a step of Adam at .001, 70,000 steps; what it has
learned then takes up to ten steps on 5 or on 10 points of a new sine. The family is trained alike; Reptile, which asks for no
other points, on five steps on the same 10. Multi-task pretraining learns all 20 points of all lives at once, and its rate in a
test life is chosen on validation lives. The evolved genome is the preset `sine`: every weight a gene (tanh), rates a projection,
lives of ten steps on 5 points, 50 points more by which they are judged. Its numbers are also trained by gradient through the same
lives, so that what is due to the strategy and what to lives and genes can be told apart.

Weights start from those of He et al. 2015. Two more MAML were added after a first run, in which a few test lives in a thousand
diverged within ten steps and governed the mean: one starts from the standard deviation of .01 of the authors' code
(github.com/cbfinn/maml), the other also takes that code's default rate of .001 in life, which the command that it prints for
sines leaves as it is, where the paper says .01. Otherwise that code is this protocol: trained on 10 points and 10 others, tested
on 5 points by ``--update_batch_size=5 --train_update_batch_size=10``, the mean over 600 lives of the error on 5 other points.
Here it is 1000 lives and 100 points: the same expectation with less noise, and less luck.

An outer sample is one labelled point of a training life that one genome used, points of judgement included. A generation shows
the same lives to all its genomes: the points that differ are 64 times fewer, and are told apart in the figure.

Written down before the run, the signs expected:

1. MAML comes out as published: .67/.38/.35 after 1/5/10 steps on 5 points, within .1.
2. MAML is more data-efficient (Fernando et al. 2018, arXiv 1806.07917, in simple cases): it needs fewer outer samples than
   evolution for any error after ten steps that both reach.
3. Evolution ends lower after ten steps, as its lives have ten steps and its rates are genes, and no lower than the same numbers
   trained by gradient.
4. Meta-SGD is better than MAML after one step; first-order MAML a little worse; ANIL, whose features cannot move, about as good;
   Reptile worse after one step; pretraining, which can only learn the mean of all sines, far behind.

Finished arms are kept in benchmarks/comparison/.cache/maml: a killed script goes on where it was.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import read_result, result_path, write_result
from evodev.baselines.meta import MetaLearning, Method
from evodev.chunks import Chunk
from evodev.cli import prepare_jax
from evodev.evaluation import live_subjects, sample_lives
from evodev.lifetime import probe_steps
from evodev.organism import Organism
from evodev.presets import preset
from evodev.statistics import interval
from evodev.substrate import mlp
from evodev.tasks import Sine, Split
from evodev.types import Genome

Results = dict[str, list[dict[str, Any]]]

STEPS = (0, 1, 5, 10)
SHOTS = (5, 10)
PUBLISHED = {5: {1: 0.67, 5: 0.38, 10: 0.35}, 10: {1: 0.4, 10: 0.2}}
"""MAML's errors: K=5 from table 2; K=10 read off a plot."""
PRETRAINED = {1: 2.41, 5: 2.23, 10: 2.19}
"""Published for K=5."""
INNER_RATE, BATCH, TRAIN_SHOTS = 0.01, 25, 10
FINE_TUNING = (0.001, 0.003, 0.01, 0.03, 0.1)
BLOCK = 100
DIVERGED, LOST = 1000.0, 25.0
"""The most that one life counts, and, told apart, the square of the largest amplitude: a life that is worse has diverged."""
SMALL, AUTHORS, SPREAD = "MAML, small weights at first", "MAML, small weights at first and rate .001", 0.01
"""As in the authors' code; all others start from the weights of He et al. 2015."""
RATES = {AUTHORS: 0.001}
"""In life, where it is not ``INNER_RATE``."""
AS_PUBLISHED = ("MAML", SMALL, AUTHORS)
"""Three readings of one protocol, each held against the published errors."""
METHODS: dict[str, Method] = {
    AUTHORS: "maml",
    SMALL: "maml",
    "MAML": "maml",
    "first-order MAML": "first-order maml",
    "Meta-SGD": "meta-sgd",
    "ANIL": "anil",
    "Reptile": "reptile",
    "multi-task pretraining": "pretraining",
}
EVOLVED, BY_GRADIENT = "evolved genome", "the genome's numbers by gradient"
SHARE = {BY_GRADIENT: 0.05}
"""Steps of Adam, as a share of MAML's, where each of them is ten steps of life and not one."""
REACHED = (1.0, 0.5, 0.3)
"""Errors after ten steps for which the outer samples are told."""
PAINTS = ("C5", "C2", "C3", "C1", "C6", "C4", "C8", "C7", "black", "C0")
COLOURS = dict(zip((*METHODS, EVOLVED, BY_GRADIENT), PAINTS, strict=True))
CACHE = Path(__file__).parent / ".cache" / "maml"


def errors(organism: Organism, genome: Genome, shots: int, *, split: Split = "test", lives: int = 1000) -> np.ndarray:
    """Mean squared error (lives, ``STEPS``), in lives that are the same for everybody; one that diverges counts as very bad."""
    task = Sine(shots=shots, updates=10, probes=100)
    worlds = sample_lives(task, split, lives, key=jax.random.key(4242))
    log = live_subjects(
        organism.hatch, jnp.asarray(genome)[None], organism.learner, organism.substrate, task, worlds, STEPS,
        key=jax.random.key(7), stochastic=False, chunk=Chunk(1, 100),
    )  # fmt: skip
    loss = np.nan_to_num(np.asarray(log.loss[0], np.float64), nan=DIVERGED, posinf=DIVERGED)
    return np.minimum(loss, DIVERGED)


def moments(last: int) -> set[int]:
    """Multiples of ``BLOCK`` at which to test, two or three a factor of ten."""
    return {n * 10**e for e in range(2, 6) for n in (1, 2, 5) if n * 10**e < last} | {last}


def at_rate(organism: Organism, genome: Genome, rate: float) -> Genome:
    """A genome with another rate in life."""
    for name, where in organism.genome_spec.slices.items():
        if name.endswith("/log_rate"):
            gene = next(g for g in organism.genome_spec.genes if g.name == name)
            genome = genome.at[where].set((np.log(rate) - gene.center) / gene.scale)
    return genome


Moment = tuple[int, int, Genome]


def meta_learned(name: str, seed: int, steps: int) -> tuple[Organism, Iterator[Moment]]:
    """An organism, and (samples used, samples that differ, genome) as they come."""
    key_start, key_train = jax.random.split(jax.random.key(seed))
    if name == BY_GRADIENT:
        experiment = preset("sine")
        task, organism = experiment.task, experiment.organism
        schedule, meta = probe_steps(task.steps, experiment.schedule.probes), MetaLearning("meta-sgd", rate=0.01, lives=BATCH)
        genome = organism.genome_spec.init(key=key_start)
        progress = meta.start(organism, INNER_RATE, key=key_start)._replace(genome=genome, memory=meta.optimiser.init(genome))
        samples = BATCH * (task.labels + cast(Sine, experiment.task).probes)
    else:
        reptile = name == "Reptile"
        task, schedule = Sine(TRAIN_SHOTS, updates=5 if reptile else 1, probes=1 if reptile else TRAIN_SHOTS), (0, 1)
        meta = MetaLearning(METHODS[name], objective="end", lives=BATCH, spread=SPREAD if name in (SMALL, AUTHORS) else None)
        organism = meta.organism(mlp((1, 40, 40, 1)), task)
        progress = meta.start(organism, RATES.get(name, INNER_RATE), key=key_start)
        samples = BATCH * TRAIN_SHOTS * (1 if reptile else 2)

    def trained() -> Iterator[Moment]:
        now = progress
        tested = moments(steps)
        for step in range(BLOCK, steps + 1, BLOCK):
            now, _ = meta.advance(organism, task, schedule, now, BLOCK, key_train)
            if step in tested:
                genome = now.genome
                if name == "multi-task pretraining":
                    genome = max(
                        (at_rate(organism, genome, rate) for rate in FINE_TUNING),
                        key=lambda g: -errors(organism, g, 5, split="validation", lives=200)[:, -1].mean(),
                    )
                yield step * samples, step * samples, genome

    return organism, trained()


def evolved(seed: int) -> tuple[Organism, Iterator[Moment]]:
    """The same of a search: the centre of the search on its way, and the champion at its end."""
    experiment = dataclasses.replace(preset("sine"), seed=seed)
    search, schedule = experiment.search(), experiment.schedule
    points = experiment.task.labels + cast(Sine, experiment.task).probes

    def found() -> Iterator[Moment]:
        for state, records in search.run():
            generation = int(records[-1]["generation"])
            lives, distinct = search.lives_at(generation), generation * schedule.lives + schedule.validation_lives
            if generation in (50, 100, 200, 300, 500, 700):
                yield lives * points, distinct * points, state.centroid
            elif generation == schedule.generations:
                yield lives * points, distinct * points, state.champion

    return experiment.organism, found()


def one_arm(name: str, seed: int, steps: int) -> dict[str, Any]:
    """Errors (K by step) at every moment of one training, kept once it is finished."""
    path = CACHE / f"{name.replace(' ', '-').replace(chr(39), '')}-{steps}-{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    began = time.process_time()
    organism, coming = evolved(seed) if name == EVOLVED else meta_learned(name, seed, steps)
    trail = []
    for used, distinct, genome in coming:
        lives = {str(shots): errors(organism, genome, shots) for shots in SHOTS}
        trail.append({
            "used": used, "distinct": distinct,
            "errors": {shots: e.mean(0).tolist() for shots, e in lives.items()},
            "median": {shots: np.median(e, 0).tolist() for shots, e in lives.items()},
            "bounded": {shots: np.minimum(e, LOST).mean(0).tolist() for shots, e in lives.items()},
            "lost": {shots: (e > LOST).mean(0).tolist() for shots, e in lives.items()},
        })  # fmt: skip
    seconds = time.process_time() - began
    last = trail[-1]["errors"]
    print(
        f"{name}, seed {seed}: {[round(e, 3) for e in last['5']]} {[round(e, 3) for e in last['10']]}, {seconds:.0f} s",
        flush=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"trail": trail, "seconds": seconds}))
    partial.replace(path)
    return {"trail": trail, "seconds": seconds}


def finished(seeds: int, steps: int) -> Results:
    """What the cache has, by arm."""
    out = {}
    for name in COLOURS:
        own = round(steps * SHARE.get(name, 1))
        paths = [CACHE / f"{name.replace(' ', '-').replace(chr(39), '')}-{own}-{seed}.json" for seed in range(seeds)]
        done = [json.loads(path.read_text()) for path in paths if path.exists()]
        if done:
            out[name] = done
    return out


def curve(arm: list[dict[str, Any]], shots: int, step: int) -> np.ndarray:
    """Error at every moment, shape (seeds, moments)."""
    return np.array([[moment["errors"][str(shots)][STEPS.index(step)] for moment in run["trail"]] for run in arm])


def final(arm: list[dict[str, Any]], shots: int, step: int) -> np.ndarray:
    """Error at the end, one a seed."""
    return curve(arm, shots, step)[:, -1]


def samples_to(arm: list[dict[str, Any]], shots: int, goal: float, count: str = "used") -> list[float | None]:
    """Outer samples after which the error after ten steps first was no more than that, one a seed; None for never."""
    out: list[float | None] = []
    for run in arm:
        reached = [m[count] for m in run["trail"] if m["errors"][str(shots)][-1] <= goal]
        out.append(reached[0] if reached else None)
    return out


def known(number: Any) -> float | None:
    """None for NaN: with one seed there is no interval."""
    return None if np.isnan(number) else float(number)


def row(label: str, values: np.ndarray, **more: Any) -> dict[str, Any]:
    """Mean over seeds with its interval."""
    mean, low, high = interval(np.asarray(values, np.float64), 2000)
    if len(values) == 1:
        low = high = np.nan
    seeds = f"95% bootstrap over {len(values)} seeds" if len(values) > 1 else "one seed"
    note = f"{more.pop('note')}; {seeds}" if "note" in more else seeds
    return {"label": label, "measured": float(mean), "lo": known(low), "hi": known(high), "unit": "MSE", "note": note, **more}


def rows_of(results: Results) -> list[dict[str, Any]]:
    """Errors of each arm, the evolved genome less MAML, and outer samples to an error."""
    rows = []
    for name, arm in results.items():
        for shots in SHOTS:
            for step in STEPS[1:]:
                values, more = final(arm, shots, step), {}
                reported = PUBLISHED[shots].get(step) if name in AS_PUBLISHED else None
                if name == "multi-task pretraining" and shots == 5:
                    reported = PRETRAINED[step]
                if reported is not None:
                    source = "arXiv 1703.03400, " + ("table 2" if shots == 5 else "read off a plot")
                    more = {"reference": reported, "source": source}
                if name in AS_PUBLISHED and shots == 5:
                    more |= {"target": reported, "met": bool(abs(values.mean() - reported) <= 0.1), "note": within(values)}
                if name == EVOLVED and step == 10:
                    goal = PUBLISHED[shots][10]
                    more = {"target": goal, "met": bool(values.mean() <= goal), "note": "met: at or below published MAML"}
                rows.append(row(f"{name}, K={shots}, after {step}", values, **more))
                if all("lost" in run["trail"][-1] for run in arm):
                    rows += diverged(name, arm, shots, step)
    if EVOLVED not in results:
        rows += [r for r, _ in evolved_before()]
    pairs = [(EVOLVED, AUTHORS), (EVOLVED, SMALL), (EVOLVED, BY_GRADIENT)]
    pairs += [(name, "MAML") for name in ("Meta-SGD", "first-order MAML", "ANIL", "Reptile")]
    for one, other in pairs:
        if one in results and other in results:
            for shots in SHOTS:
                for step in (1, 10):
                    rows.append(difference(f"{one} less {other}, K={shots}, after {step}",
                                           final(results[one], shots, step), final(results[other], shots, step)))  # fmt: skip
    for shots in SHOTS:
        for goal in REACHED:
            for name, count in (
                (EVOLVED, "used"),
                (EVOLVED, "distinct"),
                (AUTHORS, "used"),
                (SMALL, "used"),
                ("MAML", "used"),
                (BY_GRADIENT, "used"),
            ):
                if name not in results:
                    continue
                needed = samples_to(results[name], shots, goal, count)
                which = ", those that differ" if count == "distinct" else ""
                reached = [n for n in needed if n is not None]
                rows.append({
                    "label": f"{name}, outer samples{which} to {goal} after 10, K={shots}", "unit": "labelled points",
                    "measured": float(np.median(reached)) if 2 * len(reached) > len(needed) else None,
                    "note": f"median of the tested moments that were first; {len(reached)} of {len(needed)} seeds reach it",
                })  # fmt: skip
    return rows


def within(values: np.ndarray) -> str:
    """What the target is, and the seeds one by one: the mean of one in which lives diverge is that of those lives."""
    seeds = ", ".join(f"{value:.2f}" for value in values)
    far = "; a few test lives in a thousand diverge" if values.max() > 1 else ""
    return f"met: within .1; seeds {seeds}{far}"


def diverged(name: str, arm: list[dict[str, Any]], shots: int, step: int) -> list[dict[str, Any]]:
    """Share of lives that diverged at the end, and the error if each of them counts no more than ``LOST``; none if none did."""
    bounded, lost = (
        np.array([run["trail"][-1][kind][str(shots)][STEPS.index(step)] for run in arm]) for kind in ("bounded", "lost")
    )
    if not lost.any():
        return []
    label = f"{name}, K={shots}, after {step}"
    rows = [
        row(f"{label}, a life counting at most {LOST:g}", bounded, note="the square of the largest amplitude"),
        row(f"{label}, share of lives above {LOST:g}", lost) | {"unit": ""},
    ]
    if all("median" in run["trail"][-1] for run in arm):
        middle = np.array([run["trail"][-1]["median"][str(shots)][STEPS.index(step)] for run in arm])
        rows.append(row(f"{label}, the median life", middle))
    return rows


def evolved_before() -> list[tuple[dict[str, Any], tuple[int, int, float] | None]]:
    """Rows of benchmarks.papers.sine on the same search and test lives, where this script has evolved nothing yet.

    Each with (K, outer samples, error after ten steps) if it is of that; points of judgement counted, validation not.
    """
    past, task = read_result("papers", "sine"), cast(Sine, preset("sine").task)
    share, out = (task.labels + task.probes) / task.labels, []
    for r in past["rows"] if past else []:
        words = r["label"].replace(",", " ").replace("=", " ").split()
        if words[:1] != ["K"] or words[5] == "0":
            continue
        shots, step = int(words[1]), int(words[4])
        many = r["label"].endswith("samples")
        samples = int("".join(words[6:-2])) if many else 2_560_000
        where = (shots, round(samples * share), r["measured"]) if step == 10 else None
        label = f"{EVOLVED}, K={shots}, after {step}" + (f", {round(samples * share):,} outer samples" if many else "")
        goal = PUBLISHED[shots].get(step) if step == 10 and not many else None
        more = {"target": goal, "met": None if goal is None else bool(r["measured"] <= goal)}
        note = f"{r['note']}; benchmarks.papers.sine, commit {past['commit'] if past else ''}"
        out.append(({**r, **more, "label": label, "reference": None, "source": None, "note": note}, where))
    return out


def difference(label: str, own: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Difference of means; seeds of the two are drawn independently of each other, as nothing pairs them."""
    rng = np.random.default_rng(0)
    drawn = [rng.choice(own, len(own)).mean() - rng.choice(other, len(other)).mean() for _ in range(2000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    mean = float(own.mean() - other.mean())
    if len(own) == 1 or len(other) == 1:
        low = high = np.nan
    return {"label": label, "measured": mean, "lo": known(low), "hi": known(high), "unit": "MSE",
            "note": f"95% bootstrap over {len(own)} and {len(other)} seeds"}  # fmt: skip


def draw(results: Results) -> None:
    """Error after ten steps against outer samples, 5 and 10 points: the median seed, and from the best to the worst."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axis, shots in zip(panels, SHOTS, strict=True):
        for name, arm in results.items():
            errors = curve(arm, shots, 10)
            mean, low, high = np.median(errors, 0), errors.min(0), errors.max(0)
            counts = [("used", "-")] + ([("distinct", ":")] if name == EVOLVED else [])
            for count, style in counts:
                x = np.array([moment[count] for moment in arm[0]["trail"]])
                label = f"{name}, points that differ" if count == "distinct" else name
                wide = 2.2 if name in (*AS_PUBLISHED, EVOLVED) else 1.2
                axis.loglog(x, mean, style, color=COLOURS[name], linewidth=wide, label=label)
                axis.fill_between(x, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
        if EVOLVED not in results:
            before = sorted(where[1:] for _, where in evolved_before() if where and where[0] == shots)
            for fewer, style in ((1, "-"), (64, ":")):
                label = EVOLVED if fewer == 1 else f"{EVOLVED}, points that differ"
                axis.loglog([n / fewer for n, _ in before], [e for _, e in before], "k" + style, marker="o", markersize=4,
                            linewidth=2.2, label=label)  # fmt: skip
        axis.axhline(PUBLISHED[shots][10], color=COLOURS["MAML"], linestyle="--", linewidth=0.8)
        axis.text(0.01, PUBLISHED[shots][10] * 1.03, "MAML, published", color=COLOURS["MAML"], fontsize=8,
                  transform=axis.get_yaxis_transform())  # fmt: skip
        axis.set_title(f"test lives of {shots} labelled points", loc="left")
        axis.set_xlabel("labelled outer samples")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", which="major", linewidth=0.4, alpha=0.5)
    panels[0].set_ylabel("mean squared error after 10 steps (median seed, all seeds)")
    ticks = (0.05, 0.1, 0.2, 0.5, 1, 2, 4)
    panels[0].set_yticks(ticks, [f"{t:g}" for t in ticks])
    panels[0].minorticks_off()
    panels[0].set_ylim(0.04, 10)  # what diverges leaves the picture
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    figure.savefig(result_path("comparison", "maml").with_suffix(".png"), dpi=150)


def write(results: Results, seeds: int, steps: int, say: Callable[[str], None] = print) -> None:
    """The result of what is finished, and its figure."""
    rows = rows_of(results)
    wall = sum(run["seconds"] for arm in results.values() for run in arm)
    done = ", ".join(f"{name} {len(arm)}" for name, arm in results.items())
    budget = (
        f"{steps:,} steps of Adam x {BATCH} lives ({BY_GRADIENT}: {round(steps * SHARE[BY_GRADIENT]):,}); evolution: 1000 "
        f"generations of SNES, 64 genomes x 8 lives; 1000 test lives, one counts at most {DIVERGED:g}; "
        f"seeds: {done}; {wall / 60:.0f} core-minutes"
    )
    fewest = min(len(arm) for arm in results.values())
    command = f"python -m benchmarks.comparison.maml --seeds {seeds}"
    write_result("comparison", "maml", rows, command=command, seeds=fewest, budget=budget, figure="maml.png")
    draw(results)
    for entry in rows:
        say(f"{entry['label']:65} {entry['measured']} [{entry.get('lo')}, {entry.get('hi')}] {entry.get('met', '')}")


def main() -> None:
    """Train what is not cached; write the result of what is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=70_000, help="of Adam (default 70,000)")
    parser.add_argument("--arms", nargs="*", default=list(COLOURS), choices=list(COLOURS))
    parser.add_argument("--finished", action="store_true", help="train nothing, write what is finished")
    options = parser.parse_args()
    prepare_jax()
    for seed in range(options.seeds):
        for name in options.arms:
            if not options.finished:
                one_arm(name, seed, round(options.steps * SHARE.get(name, 1)))
    write(finished(options.seeds, options.steps), options.seeds, options.steps)


if __name__ == "__main__":
    main()
