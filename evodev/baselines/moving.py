"""Sparse training whose synapses move: SET and RigL at the champion's number of synapses."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from evodev.baselines.base import Arm, Baseline, Report, Setting, arm_of
from evodev.baselines.random_networks import backprop_organism, best_of_grid, density_of, distinct
from evodev.learners import Structural
from evodev.types import Key


@dataclass(frozen=True)
class Moving(Baseline):
    """Backprop on a uniformly random mask, 30% of whose weakest synapses move ten times in a life, at the best of the grid.

    To random places (SET, Mocanu et al. 2018), or to where the gradient is largest, by a share that falls to zero over three
    quarters of the life (RigL, Evci et al. 2020); see the learner ``structural`` for how it departs from them.

    Attributes:
        regrow: ``random`` (SET) or ``gradient`` (RigL).
        lives: validation lives a grid point.
    """

    regrow: Literal["random", "gradient"]
    lives: int = 8
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        supervised = setting.task.problem in ("classification", "regression")
        return supervised and not setting.organism.substrate.modular and distinct(setting, "sparse")

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism, steps = backprop_organism(setting, "sparse"), setting.task.steps
        period = max(1, steps // 10)
        end = max(period + 1, 3 * steps // 4) if self.regrow == "gradient" else None
        learner = Structural(organism.learner, self.regrow, end=end, period=period)
        organism = replace(organism, learner=learner)
        genome, chosen, lives = best_of_grid(setting, organism, lives=self.lives)
        say(f"{name}: {chosen}")
        note = (
            f"synapses move every {period} steps; density {density_of(setting, 'sparse'):.3g}; grid of 30 on validation; {chosen}"
        )
        return arm_of(name, organism, genome, lives=lives, note=note)
