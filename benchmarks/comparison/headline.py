"""The headline: the default preset over ten outer seeds against every kind of arm.

    python -m benchmarks.comparison.headline [--seeds K] [--minutes M] [--arms NAME ...] [--finished]

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

Searches and finished arms are kept in benchmarks/comparison/.cache/headline, an arm of a seed a file: a killed script goes on
where it was. Arms that cost most have fewer seeds where the machine did not allow for more; the rows say how many.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from evodev.baselines import BASELINES
from evodev.cli import prepare_jax
from evodev.comparison import CHAMPION, Comparison
from evodev.presets import preset
from evodev.runs import Run
from evodev.workflow import compare_run, search

CACHE = Path(__file__).parent / ".cache" / "headline"
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
    path = CACHE / f"seed-{seed}"
    experiment = replace(preset("few-shot-digits"), seed=seed)
    run = Run.open(path) if path.exists() else Run.create(path, experiment, command=f"evodev search --seed {seed}")
    if not (path / "champion.json").exists():
        search(run)
    return Run(path, replace(run.experiment, comparison=Comparison(lives=64, levels="none")))


def one_arm(name: str, seed: int) -> dict[str, Any]:
    """The comparison of a seed's champion with one baseline, kept once it is finished; with none, for the champion itself."""
    path = CACHE / f"arms-{seed}" / f"{''.join(c if c.isalnum() else '-' for c in name)}.json"
    if path.exists():
        return json.loads(path.read_text())
    run, began = run_of(seed), time.process_time()
    if name == CHAMPION:
        run = replace(run, experiment=replace(run.experiment, comparison=replace(run.experiment.comparison, levels="evolved")))
    result = compare_run(run, names=[] if name == CHAMPION else [name])
    result["core_seconds"] = time.process_time() - began
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result))
    partial.replace(path)
    arm = result["arms"].get(name)
    score = arm["scores"].get("aulc") if arm else None
    print(f"{name}, seed {seed}: {score and round(score['value'], 3)}, {result['core_seconds']:.0f} core-s", flush=True)
    return result


def main() -> None:
    """Run what is missing, for so long; write the result of what is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no arm after so long")
    parser.add_argument("--arms", nargs="*", default=[CHAMPION, *FIRST], choices=[CHAMPION, *BASELINES])
    parser.add_argument("--finished", action="store_true", help="run nothing, write what is finished")
    options = parser.parse_args()
    prepare_jax()
    until = time.monotonic() + 60 * options.minutes
    for name in options.arms:
        for seed in range(options.seeds):
            if not options.finished and time.monotonic() < until:
                one_arm(name, seed)


if __name__ == "__main__":
    main()
