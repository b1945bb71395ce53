"""Learners: one file a rule, one line here each."""

from evodev.learners.base import Learner
from evodev.learners.episodic import Episodic
from evodev.learners.gradient import Gradient
from evodev.learners.hebbian import Hebbian

LEARNERS: dict[str, type[Learner]] = {
    "gradient": Gradient,
    "hebbian": Hebbian,
    "episodic": Episodic,
}

__all__ = ["LEARNERS", "Episodic", "Gradient", "Hebbian", "Learner"]
