"""The champion without its life: what is inborn."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting, arm_of
from evodev.genome import GenomeSpec
from evodev.learners import Learner
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Outputs, Targets


@dataclass(frozen=True)
class Unchanging(Learner):
    """Answers as another learner does at birth, and never learns."""

    learner: Learner
    frozen: ClassVar[bool] = True
    learns: ClassVar[bool] = False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return self.learner.genome_spec(substrate)

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        return self.learner.perceive(network, inputs, substrate)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Any:
        return self.learner.init(genes, network, substrate, key=key)

    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        return state

    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.learner.predict(genes, state, inputs, substrate)

    def act(
        self, genes: Genes, state: Any, observation: Float[Array, " inputs"], substrate: Substrate, *, discrete: bool, key: Key
    ) -> tuple[Float[Array, " outputs"], Any]:
        return self.learner.act(genes, state, observation, substrate, discrete=discrete, key=key)

    def activity(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> dict[str, Array] | None:
        return self.learner.activity(genes, state, inputs, substrate)

    def memory(self, substrate: Substrate) -> int:
        return self.learner.memory(substrate)


@dataclass(frozen=True)
class LearningOff(Baseline):
    """The champion as born: its learner's step changes nothing."""

    role: ClassVar[Role] = "control"
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return True

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        note = "as born: no step of the learner is taken"
        arm = arm_of(name, setting.organism, setting.champion, role=self.role, evolved=True, note=note)
        return replace(arm, learner=Unchanging(arm.learner))
