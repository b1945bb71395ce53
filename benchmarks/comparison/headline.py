"""The headline: the default preset over ten outer seeds against every kind of arm.

    python -m benchmarks.comparison.headline [--seeds K [--first S]] [--minutes M] [--arms NAME ...] [--again] [--finished]

Ten searches of the preset `few-shot-digits` as shipped, and for each of them the arms below on 64 held-out lives of unseen
classes, through `evodev.comparison.judge`, with all that it tunes. The unit is the outer seed. A search's champion has at most
20% of the substrate's synapses; sparse arms have as many as the champion.

Written down before the run, the signs expected:

1. The champion's AULC is lower than that of "dense + evolved hyperparameters" and of every arm of sparse training.
2. It is lower than MAML's, early-stopped on validation classes.
3. Its accuracy at every probe after birth is no lower than that of the nearest centroid and of 1-NN on the inputs.
4. Its lead over a network that was meta-learned by gradient through the same decoder is nil or negative: the advantage is in the
   developmental genome, not in evolving it (seen on one seed before).
5. Taking the champion apart costs: masks with fresh or shuffled weights and random genomes are worse; other names for neurons
   change nothing.

Finished searches lie in benchmarks/comparison/champions, so that an arm can be added without searching again; what each arm did
in each seed is in the result, which the script reads back. Until it is written there, it is kept in
benchmarks/comparison/.cache/headline, an arm of a seed a file: a killed script goes on where it was. `--again` lives the named
arms anew. Arms that cost most have fewer seeds where the machine did not allow for more; the rows say how many.
"""

import argparse
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import read_result, result_path, write_result
from benchmarks.figures import band, points
from evodev.baselines import BASELINES, META
from evodev.baselines.factorial import effects
from evodev.cli import prepare_jax
from evodev.comparison import CENTROID, CHAMPION
from evodev.lifetime import probe_steps
from evodev.measurement import Comparison
from evodev.presets import preset
from evodev.runs import Run
from evodev.statistics import estimate, improvement, interval, jointly, paired
from evodev.workflow import compare_run, search

LIVES = 64
PROBES = probe_steps(preset("few-shot-digits").task.steps, preset("few-shot-digits").schedule.probes)
COLOURS = {"evolved": "#1f5fa8", "baseline": "#d9731a", "control": "#7a4fa3", "reference": "#777777"}
SPARSE_TRAINING = ("magnitude pruning", "SNIP", "GraSP", "SynFlow", "SET", "RigL", "lottery ticket")
BEATEN = ("dense + evolved hyperparameters", "MAML", *SPARSE_TRAINING)
"""Beginnings of the names of arms that the champion is to beat."""
CACHE = Path(__file__).parent / ".cache" / "headline"
CHAMPIONS = Path(__file__).parent / "champions"
SEARCHED = ("champion.json", "champion.safetensors", "config.yaml", "manifest.json", "metrics.jsonl")
"""Files of a finished search that a comparison reads."""
UNAFFORDABLE = "a step of 8 lives through 2.5 million synapses takes 5 s and 8 GB, a seed hours"
NOT_RUN = {
    **dict.fromkeys(META, f"{UNAFFORDABLE}; its narrow arm stands in for it"),
    "distilled from a dense teacher": f"{UNAFFORDABLE}, teacher and student; nothing stands in for it",
    "MAML through the decoder": "a seed takes as long as several searches; two are in meta_gradient, better than the champion",
    "ES on direct weights": "a population of 2.5 million weights each; its narrow arm stands in for it",
}
"""Why arms are not in the table, as long as they are not."""
FIRST = (
    "1-NN on inputs",
    "nearest centroid on inputs",
    "dense + evolved hyperparameters",
    "random sparse + evolved hyperparameters",
    "initial genome",
    "random genome",
    "shuffled genome",
    "neutral drift",
    "champion's mask, fresh weights",
    "champion's mask, shuffled weights",
    "rewired mask, same degrees",
    "rewired mask, same layers",
    "rewired mask, same density",
    "neurons relabelled",
    "learning off",
    "dense + champion's learner",
    "random sparse + champion's learner",
)
"""Arms in the order in which they are run, all seeds of one before the next."""


def run_of(seed: int) -> Run:
    """The finished search of a seed, of which only the lives of the comparison differ from the preset."""
    path, finished = CACHE / f"seed-{seed}", CHAMPIONS / f"seed-{seed}"
    if finished.exists() and not path.exists():
        shutil.copytree(finished, path)
    experiment = replace(preset("few-shot-digits"), seed=seed)
    run = Run.open(path) if path.exists() else Run.create(path, experiment, command=f"evodev search --seed {seed}")
    if not (path / "champion.json").exists():
        search(run)
    if not finished.exists():
        finished.mkdir(parents=True)
        for name in SEARCHED:
            shutil.copy(path / name, finished / name)
    return Run(path, replace(run.experiment, comparison=Comparison(lives=LIVES, levels="none")))


Entry = dict[str, Any]
Entries = dict[int, Entry]
"""What an arm did, by seed: ``aulc``, ``accuracy`` a probe, ``density``, ``synapses``, ``tuning_lives``, ``note``, ``role``,
``core_seconds``. An entry taken over from an earlier table has three decimals of AULC, and null for what the table left out."""


def entry_of(arm: dict[str, Any]) -> Entry:
    """What the result holds of an arm of comparison.json."""
    return {field: arm[field] for field in ("role", "synapses", "density", "tuning_lives", "note")} | {
        "aulc": arm["scores"]["aulc"]["value"] if "aulc" in arm["scores"] else None,
        "accuracy": [round(value, 5) for value in arm["curves"]["accuracy"]["mean"]] if "accuracy" in arm["curves"] else None,
    }


def file_of(name: str, seed: int) -> Path:
    """Where an arm of a seed is kept until it is in the result."""
    return CACHE / f"arms-{seed}" / ("".join(c if c.isalnum() or c in "+-" else "_" for c in name) + ".json")


def one_arm(name: str, seed: int) -> None:
    """Compare a seed's champion with one baseline, or with none, and keep what comes of it."""
    run, path, began = run_of(seed), file_of(name, seed), time.process_time()
    if name == CHAMPION:
        run = replace(run, experiment=replace(run.experiment, comparison=replace(run.experiment.comparison, levels="evolved")))
    whole = compare_run(run, names=[] if name == CHAMPION else [name])
    names = (CHAMPION, CENTROID) if name == CHAMPION else (name,)
    spent = time.process_time() - began
    kept = {"arms": {n: entry_of(whole["arms"][n]) | {"core_seconds": spent} for n in names if n in whole["arms"]}}
    if name == CHAMPION:
        levels = {
            level: {"held_out": own["held_out"], "final": {n: arm["final"]["value"] for n, arm in own["arms"].items()}}
            for level, own in whole["levels"].items()
        }
        curse = whole["winners_curse"]
        kept["levels"], kept["winners_curse"] = levels, curse["fresh"]["value"] - curse["selected"]["value"]
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(kept))
    partial.replace(path)
    score = kept["arms"].get(name, {}).get("aulc")
    print(f"{name}, seed {seed}: {score and round(score, 3)}, {spent:.0f} core-s", flush=True)


def finished(seeds: int) -> tuple[dict[str, Entries], Entries]:
    """What is finished, here or in the result: entries by arm and seed, the champion first; the champions' levels and curse."""
    result = read_result("comparison", "headline") or {}
    arms: dict[str, Entries] = {name: {} for name in (CHAMPION, CENTROID, *BASELINES)}
    for name, own in arms.items():
        own |= {int(seed): entry for seed, entry in result.get("arms", {}).get(name, {}).items()}
    whole: Entries = {int(seed): own for seed, own in result.get("champions", {}).items()}
    for name in (CHAMPION, *BASELINES):
        for seed in range(seeds):
            if file_of(name, seed).exists():
                kept = json.loads(file_of(name, seed).read_text())
                for arm, entry in kept.pop("arms").items():
                    arms[arm][seed] = entry
                whole |= {seed: kept} if kept else {}
    return {name: dict(sorted(own.items())) for name, own in arms.items() if own}, dict(sorted(whole.items()))


def aulcs(entries: Entries) -> dict[int, float]:
    """AULC by seed, of an arm that has one."""
    return {seed: e["aulc"] for seed, e in entries.items() if e["aulc"] is not None}


def against(name: str, arms: dict[str, Entries], ps: dict[str, float]) -> list[dict[str, Any]]:
    """Rows of one arm: its AULC, and how the champion fares against it on the seeds that both have."""
    own = aulcs(arms[name])
    champion = {seed: value for seed, value in aulcs(arms[CHAMPION]).items() if seed in own}
    other = np.array([own[seed] for seed in champion])
    mine = np.array(list(champion.values()))
    mean, low, high = interval(other, 2000)
    entry = next(iter(arms[name].values()))
    many, each = f"{len(other)} seeds", ", ".join(f"{value:.3f}" for value in other)
    taken = "; taken over from an earlier table, three decimals each" if entry["accuracy"] is None else ""
    about = f"{entry['synapses']:,} synapses; {entry['tuning_lives']:,} tuning lives; {entry['note']}{taken}; seeds {each}"
    rows: list[dict[str, Any]] = [{
        "label": f"{name}, AULC", "measured": float(mean), "lo": float(low), "hi": float(high), "unit": "nats",
        "note": f"{many}; {entry['role']}; {about}",
    }]  # fmt: skip
    corrected = f", corrected over {len(ps)} arms by joint sign flips {ps[name]:.3g}" if name in ps else ""
    verdict, ahead = paired(other, mine), improvement(-mine[:, None], -other[:, None])
    # one seed is no claim
    target = {"target": 0.0, "met": bool(verdict.lo > 0) if len(other) > 1 else None} if name.startswith(BEATEN) else {}
    rows.append({
        "label": f"{name} less champion, AULC", "measured": verdict.value, "lo": verdict.lo, "hi": verdict.hi, "unit": "nats",
        "note": f"paired by seed; p {verdict.p:.3g}{corrected}; {many}", **target,
    })  # fmt: skip
    rows.append({
        "label": f"probability that a champion is better than {name}", "measured": ahead.value, "lo": ahead.lo, "hi": ahead.hi,
        "unit": "", "note": f"of a search and a run of the arm at random; {many}",
    })  # fmt: skip
    return rows


def accuracies(entries: Entries) -> np.ndarray:
    """Mean accuracy, (seeds, probes)."""
    return np.array([e["accuracy"] for e in entries.values()])


def rows_of(arms: dict[str, Entries], whole: Entries) -> list[dict[str, Any]]:
    """The headline table."""
    champion = arms[CHAMPION]
    own = np.array(list(aulcs(champion).values()))
    middle, density = estimate(own[:, None]), [e["density"] for e in champion.values()]
    mean, low, high = interval(own, 2000)
    rows: list[dict[str, Any]] = [
        {"label": "champion, AULC", "measured": float(mean), "lo": float(low), "hi": float(high), "unit": "nats",
         "note": f"95% bootstrap over {len(own)} searches; seeds {', '.join(f'{v:.3f}' for v in own)}"},
        {"label": "champion, IQM of AULC", "measured": middle.value, "lo": middle.lo, "hi": middle.hi, "unit": "nats",
         "note": "stratified bootstrap over seeds"},
        {"label": "champion, share of the substrate's synapses", "measured": float(np.max(density)), "target": 0.2,
         "met": bool(np.max(density) <= 0.2), "note": "the largest of all seeds; the memory of the read-out counted in"},
    ]  # fmt: skip
    others = [name for name in arms if name != CHAMPION and aulcs(arms[name])]
    # flipped together: with so many arms Holm's correction could not reach 5% whatever was found
    whole_arms = [name for name in others if aulcs(arms[name]).keys() == aulcs(champion).keys()]
    differences = np.array([[aulcs(arms[name])[seed] - value for name in whole_arms] for seed, value in aulcs(champion).items()])
    ps = dict(zip(whole_arms, jointly(differences), strict=True))
    for name in others:
        rows += against(name, arms, ps)
    for name in ("nearest centroid on inputs", "1-NN on inputs"):
        seeds = [s for s in champion if s in arms.get(name, {})]
        if seeds:
            lead = (accuracies({s: champion[s] for s in seeds}) - accuracies({s: arms[name][s] for s in seeds}))[:, 1:]
            worst = int(lead.mean(0).argmin())
            mean, low, high = interval(lead[:, worst], 2000)
            rows.append({
                "label": f"least accuracy above {name}, over all probes after birth", "measured": float(mean), "lo": float(low),
                "hi": float(high), "target": 0.0, "met": bool(low >= 0), "note": f"{len(seeds)} seeds",
            })  # fmt: skip
    for name, why in NOT_RUN.items():
        rows += [] if name in arms else [{"label": f"{name}, AULC", "met": False, "note": f"not run on the preset: {why}"}]
    rows += apart(arms)
    for level, about in next(iter(whole.values()))["levels"].items():
        for name in about["final"]:
            final = [own["levels"][level]["final"][name] for own in whole.values()]
            mean, low, high = interval(np.array(final), 2000)
            rows.append({
                "label": f"{name}, accuracy at the end of a life, level {level!r}", "measured": float(mean), "lo": float(low),
                "hi": float(high), "unit": "", "note": about["held_out"],
            })  # fmt: skip
    mean, low, high = interval(np.array([own["winners_curse"] for own in whole.values()]), 2000)
    rows.append({
        "label": "winner's curse: fitness on fresh lives less that by which the champion was chosen", "unit": "nats",
        "measured": float(mean), "lo": float(low), "hi": float(high), "note": "validation family; below 0: the choice flattered",
    })  # fmt: skip
    return rows


def apart(arms: dict[str, Entries]) -> list[dict[str, Any]]:
    """What each part of the champion saves, and which parts need each other, by the factorial; a unit is a search."""
    areas = {name: aulcs(own) for name, own in arms.items()}
    whole = {name: np.array(list(own.values())) for name, own in areas.items() if own.keys() == areas[CHAMPION].keys()}
    found = effects(whole, 2000)
    said = {
        "main": "mean of {} pairs of cells that differ in this alone",
        "first": "where as much as can be of all else is replaced",
        "last": "where as much as can be of all else is the champion's",
    }
    told = [
        (f"factorial: {pair}", "what the one saves more where the other is the champion's too", own)
        for pair, own in found.pop("interactions", {}).items()
    ]
    for what, own in found.items():
        told += [
            (f"factorial: {what}, {kind}", f"AULC saved; {note.format(own['pairs'])}", own[kind]) for kind, note in said.items()
        ]
    return [
        {"label": label, "measured": own["value"], "lo": own["lo"], "hi": own["hi"], "unit": "nats", "note": note}
        for label, note, own in told
    ]


def draw(arms: dict[str, Entries]) -> None:
    """AULC of every arm but the factorial's, a point a seed; and accuracy within a life of the strongest of each kind."""
    arms = {name: own for name, own in arms.items() if not name.startswith("factorial")}
    figure = Figure(figsize=(12.5, 0.24 * len(arms) + 2.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    named = sorted((n for n in arms if aulcs(arms[n])), key=lambda n: -np.mean(list(aulcs(arms[n]).values())))
    for place, name in enumerate(named):
        colour = COLOURS[next(iter(arms[name].values()))["role"]]
        points(left, place, list(aulcs(arms[name]).values()), along="x", color=colour)
    left.set_yticks(range(len(named)), named, fontsize=9)
    left.axvline(float(np.mean(list(aulcs(arms[CHAMPION]).values()))), color=COLOURS["evolved"], linewidth=0.8, linestyle=":")
    left.set_xlabel("AULC on unseen classes, nats (lower is better); a point a seed, mean with 95% interval")
    shown = dict.fromkeys([CHAMPION, "1-NN on inputs", "nearest centroid on inputs"])
    for role, many in (("baseline", 4), ("control", 1)):
        own = [n for n in reversed(named) if next(iter(arms[n].values()))["role"] == role and n != "neurons relabelled"]
        shown |= dict.fromkeys(own[:many])
    for number, name in enumerate(n for n in shown if n in arms and all(e["accuracy"] for e in arms[n].values())):
        curve = accuracies(arms[name])
        line = {"color": COLOURS["evolved"], "linewidth": 2.4} if name == CHAMPION else {"color": f"C{number}", "linewidth": 1.4}
        band(right, range(curve.shape[1]), curve, label=name, marker="", **line)
    right.set_xticks(range(len(PROBES)), [str(p) for p in PROBES])
    right.set_xlabel("samples a class")
    right.set_ylabel("accuracy on unseen classes")
    right.set_ylim(top=1.2)  # room for the legend
    right.set_yticks(np.linspace(0.2, 1.0, 5))
    right.legend(frameon=False, fontsize=9, loc="upper left")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(result_path("comparison", "headline").with_suffix(".png"), dpi=130)


def write(seeds: int) -> None:
    """The result of what is finished, and its figure."""
    known, whole = finished(seeds)
    arms = {name: {seed: entry for seed, entry in own.items() if seed in whole} for name, own in known.items()}
    spent = [entry["core_seconds"] for own in arms.values() for entry in own.values()]
    timed = [seconds for seconds in spent if seconds is not None]
    budget = (
        f"{len(whole)} searches of the preset as shipped (80,640 lives each); {LIVES} held-out lives an arm; "
        f"{sum(timed) / 60:.0f} core-minutes for {len(timed)} of {len(spent)} pairs of an arm and a seed"
    )
    command = f"python -m benchmarks.comparison.headline --seeds {seeds}"
    rows = rows_of(arms, whole)
    write_result(
        "comparison", "headline", rows, command=command, seeds=len(whole), budget=budget, figure="headline.png",
        more={"arms": known, "champions": whole},
    )  # fmt: skip
    draw(arms)
    for entry in (row for row in rows if "measured" in row):
        low, high = (entry.get(bound, entry["measured"]) for bound in ("lo", "hi"))
        print(f"{entry['label']:85} {entry['measured']:.3f} [{low:.3f}, {high:.3f}] {entry.get('met', '')}")


def main() -> None:
    """Run what is missing, for so long; write the result of what is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no arm after so long")
    parser.add_argument("--arms", nargs="*", default=[CHAMPION, *FIRST], choices=[CHAMPION, *BASELINES])
    parser.add_argument("--first", type=int, default=0, help="first seed to run; all that are finished are written")
    parser.add_argument("--again", action="store_true", help="live the named arms anew, although they are finished")
    parser.add_argument("--finished", action="store_true", help="run nothing, write what is finished")
    options = parser.parse_args()
    prepare_jax()
    until, (arms, _) = time.monotonic() + 60 * options.minutes, finished(options.seeds)
    for name in () if options.finished else options.arms:
        for seed in range(options.first, options.seeds):
            known = seed in arms.get(name, {}) and not options.again
            if not known and time.monotonic() < until:
                one_arm(name, seed)
    write(options.seeds)


if __name__ == "__main__":
    main()
