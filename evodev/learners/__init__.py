"""Learners: one file a rule, one line here each."""

from evodev.learners.actor_critic import ActorCritic
from evodev.learners.base import Learner
from evodev.learners.critical_period import CriticalPeriod
from evodev.learners.elastic import Elastic
from evodev.learners.episodic import Episodic
from evodev.learners.gradient import Gradient
from evodev.learners.hebbian import Hebbian
from evodev.learners.hebbian_rule import HebbianRule
from evodev.learners.in_context import InContext
from evodev.learners.innate import NoLearning
from evodev.learners.lndp import LNDP
from evodev.learners.neuromodulated import Neuromodulated
from evodev.learners.structural import Structural

LEARNERS: dict[str, type[Learner]] = {
    "gradient": Gradient,
    "hebbian": Hebbian,
    "episodic": Episodic,
    "hebbian_rule": HebbianRule,
    "neuromodulated": Neuromodulated,
    "actor_critic": ActorCritic,
    "critical_period": CriticalPeriod,
    "structural": Structural,
    "elastic": Elastic,
    "lndp": LNDP,
    "innate": NoLearning,
    "in_context": InContext,
}

__all__ = [
    "LEARNERS",
    "LNDP",
    "ActorCritic",
    "CriticalPeriod",
    "Elastic",
    "Episodic",
    "Gradient",
    "Hebbian",
    "HebbianRule",
    "InContext",
    "Learner",
    "Neuromodulated",
    "NoLearning",
    "Structural",
]
