"""In-context learning: no synapse changes; what a life teaches is held in activity (Hochreiter et al. 2001; RL^2, 2016)."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import GenomeSpec
from evodev.learners.base import Learner, refuse_blank_outputs, wanted
from evodev.network import Network, activities
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Outputs, Targets


class InContextState(NamedTuple):
    """The network, which never changes; activity (1, neurons) of each population after the last sample; its target."""

    network: Network
    activity: dict[str, Array]
    target: Float[Array, " outputs"]


@dataclass(frozen=True)
class InContext(Learner):
    """A recurrent network whose activity goes on from sample to sample, told each sample's target with the next. No genes.

    The substrate's input population has a neuron for each input of the task and after those one for each output: there it
    is shown the target of the sample before (1 for the class, 0 for the others; or the values; zeros before the first).
    The samples of a batch are lived one after the other. A probe is answered as if it were the next sample, and leaves no
    trace. In a life that acts there are no targets to be shown: there the task is to show the last action and reward
    (``recall``), and activity lasts from one episode to the next.

    Raises:
        ValueError: for a substrate without recurrent projections, without room for the targets, or whose outputs nothing
            grown projects to.
    """

    frozen: ClassVar[bool] = True
    learns: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def senses(self, inputs: int, outputs: int, offers: tuple[str, ...]) -> int:
        return inputs + (outputs if "targets" in offers else 0)

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        refuse_blank_outputs("in_context", substrate)
        if not any(substrate.is_recurrent(p) for p in substrate.projections):
            raise ValueError(
                "learner: in_context learns in lasting activity, and the substrate has no recurrent projection; use "
                "substrate.recurrent or substrate.complete"
            )
        if substrate.input.size <= substrate.output.size:
            raise ValueError(
                f"learner: in_context is shown the last target on the last {substrate.output.size} neurons of "
                f"{substrate.input.name!r}, which has only {substrate.input.size}; add an input neuron for each output"
            )
        return GenomeSpec()

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> InContextState:
        silent = {p.name: jnp.zeros((1, p.size)) for p in substrate.populations}
        return InContextState(network, silent, jnp.zeros(substrate.output.size))

    def step(
        self, genes: Genes, state: InContextState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> InContextState:
        def one(state: InContextState, sample: tuple[Array, Array]) -> tuple[InContextState, None]:
            x, target = sample
            return InContextState(state.network, self.activity(genes, state, x[None], substrate), target), None

        shown = wanted(targets, substrate.output.size)
        return jax.lax.scan(one, state, (inputs.reshape(len(inputs), -1), shown))[0]

    def activity(
        self, genes: Genes, state: InContextState, inputs: Inputs, substrate: Substrate
    ) -> dict[str, Float[Array, "batch n"]]:
        count = len(inputs)
        told = jnp.broadcast_to(state.target, (count, len(state.target)))
        before = {name: jnp.broadcast_to(a, (count, a.shape[1])) for name, a in state.activity.items()}
        return activities(substrate, state.network, jnp.concatenate([inputs.reshape(count, -1), told], axis=1), before)

    def predict(self, genes: Genes, state: InContextState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.activity(genes, state, inputs, substrate)[substrate.output.name]

    def act(
        self,
        genes: Genes,
        state: InContextState,
        observation: Float[Array, " inputs"],
        substrate: Substrate,
        *,
        discrete: bool,
        key: Key,
    ) -> tuple[Float[Array, " outputs"], InContextState]:
        active = activities(substrate, state.network, observation[None], state.activity)
        return active[substrate.output.name][0], state._replace(activity=active)
