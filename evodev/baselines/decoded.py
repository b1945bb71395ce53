"""MAML through the decoder: the champion's kind of genome, trained by gradient through development and life."""

from dataclasses import dataclass

import jax.numpy as jnp

from evodev.baselines.base import Setting
from evodev.baselines.meta import MetaLearned, MetaLearning, Plan, Progress
from evodev.types import Key


@dataclass(frozen=True)
class ThroughDecoder(MetaLearned):
    """The champion's decoder and learner, their genome moved by Adam instead of a strategy; all else as :class:`MetaLearned`.

    It starts where the champion's search did. Which synapses exist follows from the genome; a rule of sparsity without a
    straight-through gradient is moved through the weights alone.

    Attributes:
        rates: of Adam, in search units.
    """

    rates: tuple[float, ...] = (0.02, 0.05)

    def applies(self, setting: Setting) -> bool:
        return super().applies(setting) and setting.grows and "targets" in setting.organism.learner.needs

    def plans(self, setting: Setting, *, key: Key) -> list[Plan]:
        organism, plans = setting.organism, []
        for rate in self.rates:
            meta = MetaLearning(rate=rate, whole=True, clip=1.0)
            begun = Progress(setting.initial, meta.optimiser.init(setting.initial), jnp.zeros((), jnp.int32))
            plans.append(Plan(f"Adam's rate {rate:g}", meta, organism, begun))
        return plans
