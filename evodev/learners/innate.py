"""No learning: what is known at birth, and nothing else; the control for everything that learns."""

from dataclasses import dataclass
from typing import Any, ClassVar

from evodev.genome import GenomeSpec
from evodev.learners.base import Learner, refuse_blank_outputs
from evodev.network import Network, forward
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Outputs, Targets


@dataclass(frozen=True)
class NoLearning(Learner):
    """Changes nothing: every probe of a life finds the network as it was born. No genes.

    Raises:
        ValueError: for a substrate whose outputs nothing grown projects to, as they would be silent for ever.
    """

    frozen: ClassVar[bool] = True
    learns: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        refuse_blank_outputs("innate", substrate)
        return GenomeSpec()

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        # the answers, once and for all
        return forward(substrate, network, inputs)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Any:
        return network

    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        return state

    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        return inputs

    def act(
        self, genes: Genes, state: Any, observation: Float[Array, " inputs"], substrate: Substrate, *, discrete: bool, key: Key
    ) -> tuple[Float[Array, " outputs"], Any]:
        return forward(substrate, state, observation[None])[0], state
