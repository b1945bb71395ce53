"""Learners: one file a rule, one line here each."""

from evodev.learners.base import Learner
from evodev.learners.gradient import Gradient
from evodev.learners.hebbian import Hebbian

LEARNERS: dict[str, type[Learner]] = {
    "gradient": Gradient,
    "hebbian": Hebbian,
}

__all__ = ["LEARNERS", "Gradient", "Hebbian", "Learner"]
