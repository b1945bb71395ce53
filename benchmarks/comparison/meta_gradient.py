"""Evolved champion against meta-learning by gradient: does it beat the best early-stopped gradient meta-learner?

    taskset -c 1 python -m benchmarks.comparison.meta_gradient [RUN]

RUN is a finished run of the default preset; by default the one that `benchmarks.comparison.default_search` leaves. The
rivals learn, by Adam through the whole life, what the champion's search evolves: everything that a life starts from.

- direct weights: a dense 144-128-64 perceptron, every weight free;
- CNN: two 3x3 convolutions of 16 channels, each followed by 2x2 max-pooling;
- the champion's genome: the same decoder and learner, by gradient instead of evolution.

The first two carry the champion's kind of read-out or the Hebbian one, whose genes are trained as well. All arms live the
train lives of the search's task, minimise the AULC that the search minimises and are stopped at the best of their checks
on validation lives. The winner of a family is chosen by validation alone; the test lives are those of `evodev compare`
for the same run. As the validation family holds out images and not classes, the AULC of the best check on the *test* lives
is shown too: no fair arm, but a bound for every choice among these checks.

Finished arms are kept in benchmarks/comparison/.cache, so that a killed benchmark goes on where it was. Writes
benchmarks/results/comparison/meta_gradient.json and meta_gradient.png.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.comparison.meta_arms import (
    DIRECT,
    RATES,
    Arm,
    Budget,
    Trained,
    areas,
    arms,
    live,
    organism_of,
    schedule_of,
    trained_arms,
    validation_lives,
)
from evodev.cli import prepare_jax
from evodev.comparison import CHAMPION
from evodev.evaluation import sample_lives
from evodev.experiment import Experiment
from evodev.organism import Organism
from evodev.runs import Run, load_champion
from evodev.statistics import interval
from evodev.tasks import Life

COLOURS = {"episodic": "#0b4f9e", "hebbian": "#c45a00"}


@dataclass(frozen=True)
class Tested:
    """Of some genomes on the test lives: AULC (genomes, lives), loss and accuracy at every probe (genomes, probes)."""

    area: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray


def test_lives(experiment: Experiment) -> Life:
    """The held-out lives of `evodev compare` for a run of this experiment; see ``comparison.compare``."""
    key = jax.random.split(jax.random.fold_in(jax.random.key(experiment.seed), 0xC0), 3)[0]
    return sample_lives(experiment.task, experiment.comparison.split, experiment.comparison.lives, key=key)


def test(organism: Organism, genomes: Any, experiment: Experiment, lives: Life) -> Tested:
    """Let genomes live the test lives."""
    log = live(organism, genomes, experiment, lives)
    return Tested(areas(log, experiment), np.asarray(log.loss).mean(1), np.asarray(log.score).mean(1))


def row(label: str, values: np.ndarray, **more: Any) -> dict[str, Any]:
    """A row of the result: mean over lives with its interval; a target is met if the whole interval lies above it."""
    mean, low, high = (float(v) for v in interval(values, 1000))
    if "target" in more:
        more["met"] = low > more["target"]
    return {"label": label, "measured": mean, "lo": low, "hi": high, "unit": "nats", **more}


@dataclass(frozen=True)
class Measured:
    """Everything that the rows and the figure are made of."""

    run: Run
    budget: Budget
    trained: dict[Arm, Trained]
    tested: dict[Arm, Tested]
    champion: Tested
    champion_validation: float

    @property
    def champion_budget(self) -> tuple[int, float]:
        """Lives that the search lived, and its wall seconds."""
        metrics = self.run.metrics()
        return int(metrics[-1]["lives"]), sum(m.get("seconds", 0.0) for m in metrics)

    def winner(self, arms: list[Arm]) -> Arm:
        """The arm of the best validation."""
        return min(arms, key=lambda arm: self.trained[arm].validation.min())

    def lives(self, check: int) -> int:
        """Train lives at a check."""
        return (check + 1) * self.budget.every * self.budget.lives

    def spent(self, arm: Arm) -> str:
        """An arm's budget in words."""
        return f"{self.budget.steps * self.budget.lives:,} outer lives, {self.trained[arm].seconds:.0f} s wall"

    def accuracy(self, tested: Tested, check: int = 0) -> str:
        """Accuracies after the probes nearest to 1, 6 and 20 samples a class, in words."""
        steps = schedule_of(self.run.experiment)
        at = [min(range(1, len(steps)), key=lambda i, n=n: abs(steps[i] - n)) for n in (1, 6, 20)]
        values = "/".join(f"{tested.accuracy[check][i]:.2f}" for i in at)
        return f"accuracy {values} at {'/'.join(str(steps[i]) for i in at)} samples a class"

    def rows(self) -> list[dict[str, Any]]:
        """Champion, winners, then every arm."""
        own = self.champion.area[0]
        lives, seconds = self.champion_budget
        known = self.run.read_json("comparison.json")["arms"][CHAMPION]["scores"]["aulc"]["value"]
        about = f"validation AULC {self.champion_validation:.3f}; {self.accuracy(self.champion)}"
        note = f"{about}; search: {lives:,} outer lives, {seconds:.0f} s wall"
        rows = [row("evolved champion, test AULC", own, reference=known, source="evodev compare, same lives", note=note)]
        for family in RATES:
            family_arms = [arm for arm in self.trained if arm.family == family]
            if not family_arms:
                continue
            best = self.winner(family_arms)
            check, area = self.trained[best].best, self.tested[best].area
            wall = sum(self.trained[arm].seconds for arm in family_arms)
            chosen = f"by validation: {best.label}, stopped at {self.lives(check):,} lives"
            budget = f"{self.spent(best)}; {len(family_arms)} arms of the family: {wall:.0f} s"
            rows += [
                row(
                    f"best {family} by gradient, test AULC", area[check], reference=float(own.mean()), source="champion",
                    note=f"{chosen}; {self.accuracy(self.tested[best], check)}; {budget}",
                ),
                row(f"best {family} by gradient - champion", area[check] - own, target=0.0, note="above 0: champion better"),
            ]  # fmt: skip
            lucky = min(family_arms, key=lambda arm: self.tested[arm].area.mean(1).min())
            check = int(self.tested[lucky].area.mean(1).argmin())
            note = f"no fair arm, a bound for any choice among these checks: {lucky.label}"
            note += f", at {self.lives(check):,} lives; {self.spent(lucky)}"
            rows.append(
                row(f"{family} by gradient, stopped and chosen on the test lives", self.tested[lucky].area[check], note=note)
            )
        best = self.winner(list(self.trained))
        gap = self.tested[best].area[self.trained[best].best] - own
        rows.append(
            row("best of all by gradient - champion", gap, target=0.0, note=f"by validation: {best.label}; {self.spent(best)}")
        )
        for arm, t in self.trained.items():
            note = f"validation AULC {t.validation[t.best]:.3f}, stopped at {self.lives(t.best):,} lives; "
            note += f"{self.accuracy(self.tested[arm], t.best)}; {self.spent(arm)}"
            note += f"; {t.skipped} steps skipped, gradient not finite" if t.skipped else ""
            rows.append(row(f"{arm.label}, test AULC", self.tested[arm].area[t.best], note=note))
        missing = [arm for arm in arms() if arm not in self.trained]
        return rows + [{"label": f"{arm.label}, test AULC", "note": "not trained yet"} for arm in missing]

    def draw(self, path: Path) -> None:
        """AULC along meta-training, a panel a family, and the winners' curves in life."""
        figure = Figure(figsize=(13, 3.8), layout="constrained")
        panels = figure.subplots(1, len(RATES) + 1)
        for axis, family in zip(panels, RATES, strict=False):
            for arm in (a for a in self.trained if a.family == family):
                t, x = self.trained[arm], [self.lives(i) for i in range(len(self.trained[arm].validation))]
                means, colour = self.tested[arm].area.mean(1), COLOURS[arm.readout]
                axis.plot(x, means, color=colour, linewidth=1)
                axis.plot(x, t.validation, color=colour, linewidth=0.8, linestyle=":")
                axis.plot(x[t.best], means[t.best], color=colour, marker="o", markersize=4)
            axis.axhline(self.champion.area.mean(), color="black", linewidth=1.2)
            axis.axhline(self.champion_validation, color="black", linewidth=0.8, linestyle=":")
            axis.set_title(f"{family}, by gradient", loc="left", fontsize=10)
            axis.set_xlabel("outer lives")
            axis.set_ylim(0, 1.5)
        panels[0].set_ylabel("AULC, nats: test (solid), validation (dotted)", fontsize=9)
        names = {"episodic read-out": COLOURS["episodic"], "Hebbian read-out": COLOURS["hebbian"], "evolved champion": "black"}
        for line, (name, colour) in enumerate(names.items()):
            panels[0].text(0.98, 0.97 - 0.07 * line, name, color=colour, ha="right", va="top", transform=panels[0].transAxes)
        steps = schedule_of(self.run.experiment)[1:]
        panels[-1].semilogx(steps, self.champion.loss[0, 1:], color="black", label="evolved champion")
        for family, style in zip(RATES, ("-", "--", ":"), strict=True):
            family_arms = [arm for arm in self.trained if arm.family == family]
            if not family_arms:
                continue
            best = self.winner(family_arms)
            loss = self.tested[best].loss[self.trained[best].best, 1:]
            panels[-1].semilogx(steps, loss, color=COLOURS[best.readout], linestyle=style, label=f"best {family}")
        panels[-1].set_title("test lives of the winners", loc="left", fontsize=10)
        panels[-1].set_xlabel("samples a class")
        panels[-1].set_ylabel("loss, nats")
        panels[-1].set_xticks(steps, [str(s) for s in steps])
        panels[-1].minorticks_off()
        panels[-1].set_ylim(bottom=0)
        panels[-1].legend(frameon=False, fontsize=8)
        for axis in panels:
            axis.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150)


def main() -> None:
    """Train what is not cached, test, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=Path("runs/benchmarks/default-0"), metavar="RUN")
    parser.add_argument("--steps", type=int, default=Budget.steps, help=f"of Adam, an arm (default {Budget.steps})")
    parser.add_argument("--finished", action="store_true", help="train nothing, write what is finished")
    parser.add_argument("--remark", help="on how it was run, to be written beside the budget")
    options = parser.parse_args()
    prepare_jax()
    run, budget = Run.open(options.run), Budget(options.steps)
    experiment, genome = run.experiment, load_champion(options.run).genomes["champion"][None]
    organism_of(Arm(DIRECT, "episodic", 0.0, 0), experiment)  # tells at once if the run is of another kind
    trained = trained_arms(experiment, budget, lambda line: print(line, flush=True), finished=options.finished)
    lives = test_lives(experiment)
    tested = {arm: test(organism_of(arm, experiment), t.genomes, experiment, lives) for arm, t in trained.items()}
    champion = test(experiment.organism, genome, experiment, lives)
    seen = validation_lives(experiment, budget.validation)
    validation = areas(live(experiment.organism, genome, experiment, seen), experiment).mean()
    measured = Measured(run, budget, trained, tested, champion, float(validation))
    rows = measured.rows()
    for entry in (r for r in rows if "measured" in r):
        print(f"{entry['label']:75} {entry['measured']:+.3f} [{entry['lo']:+.3f}, {entry['hi']:+.3f}]  {entry['note']}")
    wall = sum(t.seconds for t in trained.values())
    words = [
        f"{len(trained)} of {len(arms())} arms, each of {budget.steps} steps x {budget.lives} lives, {wall:.0f} s in all",
        f"{budget.steps // budget.every} checks of {budget.validation} validation lives each",
        f"{experiment.comparison.lives} test lives; intervals: 95% bootstrap over lives; one search",
        *([options.remark] if options.remark else []),
    ]
    write_result(
        "comparison", "meta_gradient", rows, command="python -m benchmarks.comparison.meta_gradient", seeds=1,
        budget="; ".join(words), figure="meta_gradient.png",
    )  # fmt: skip
    measured.draw(result_path("comparison", "meta_gradient").with_suffix(".png"))


if __name__ == "__main__":
    main()
