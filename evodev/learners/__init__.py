"""Learners: one file a rule, one line here each."""

from evodev.learners.base import Learner
from evodev.learners.critical_period import CriticalPeriod
from evodev.learners.episodic import Episodic
from evodev.learners.gradient import Gradient
from evodev.learners.hebbian import Hebbian
from evodev.learners.hebbian_rule import HebbianRule

LEARNERS: dict[str, type[Learner]] = {
    "gradient": Gradient,
    "hebbian": Hebbian,
    "episodic": Episodic,
    "hebbian_rule": HebbianRule,
    "critical_period": CriticalPeriod,
}

__all__ = ["LEARNERS", "CriticalPeriod", "Episodic", "Gradient", "Hebbian", "HebbianRule", "Learner"]
