"""The contract of a learner: the rule by which a network changes in life."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from evodev.genome import GenomeSpec
from evodev.network import Network, activities, synapses
from evodev.substrate import Population, Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Moment, Outputs, Scalar, Targets


class Learner(ABC):
    """``init`` and one ``step``; the loop over a life belongs to ``lifetime``.

    A learner is a frozen dataclass and holds no arrays. What it carries from step to step is its state, any pytree.
    ``perceive`` is for what a life cannot change: it is applied once to all inputs of a life, so that a learner which
    only writes on the read-out does not send the same input through the same network again at every probe.
    """

    frozen: ClassVar[bool] = False
    """Whether no grown synapse changes in life, only blank slates."""

    learns: ClassVar[bool] = True
    """Whether answers get better in life with whatever network has been grown; false for one that changes no synapse at all,
    and so learns nothing, or only what the activity of an evolved network can."""

    @property
    def asks(self) -> tuple[str, ...]:
        """Channels (``Network.channels``) that the wiring is to express for this learner."""
        return ()

    @property
    def synapsewise(self) -> bool:
        """Whether it changes every grown synapse that exists by itself, all alike and none elsewhere: whether the network may
        come in a sparse form (``Network.sources``)."""
        return False

    @property
    def needs(self) -> tuple[str, ...]:
        """What the task has to give for it to learn from: ``targets``, or ``reward``."""
        return ("targets",)

    @property
    def rhythm(self) -> int:
        """Steps between the rarest of its changes: a shorter life would never see one."""
        return 1

    def senses(self, inputs: int, outputs: int, offers: tuple[str, ...]) -> int:
        """Input neurons that the substrate must have for a task with so many inputs and outputs, and what it offers."""
        return inputs

    @abstractmethod
    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """The genes that the learner owns; raises ValueError for a substrate that it cannot serve."""

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        """What ``step`` and ``predict`` will be given in place of the inputs; the inputs themselves unless overridden."""
        return inputs

    @abstractmethod
    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Any:
        """State at birth."""

    @abstractmethod
    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        """State after learning from one batch; ``targets`` are class numbers (batch,) or values (batch, outputs)."""

    @abstractmethod
    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        """Outputs for a batch: log-odds of classes, or values."""

    def act(
        self, genes: Genes, state: Any, observation: Float[Array, " inputs"], substrate: Substrate, *, discrete: bool, key: Key
    ) -> tuple[Float[Array, " outputs"], Any]:
        """What to do, and the state after deciding it: one number an action, of which the largest is taken, or the values.

        Unless overridden what the network answers, the same whenever it sees the same.
        """
        return self.predict(genes, state, observation[None], substrate)[0], state

    def experience(self, genes: Genes, state: Any, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key) -> Any:
        """State after what came of an action; unchanged unless overridden."""
        return state

    def activity(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> dict[str, Array] | None:
        """Activity of every population while a batch of inputs (as the task gives them) is answered, where its state tells.

        None, unless overridden, where the state holds no network of the substrate: the network at birth then answers.
        """
        network = getattr(state, "network", None)
        if substrate.modular or not isinstance(network, Network):
            return None
        return activities(substrate, network, inputs)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        """Synaptic operations to learn from one sample: a synapse used or changed counts once.

        What exceeds the network's synapses, each used once to answer, is the cost of the update.
        """
        return synapses(network)

    def memory(self, substrate: Substrate) -> int:
        """Synapses that the learner adds to those of the network: counted wherever synapses are."""
        return 0


def wanted(targets: Targets, outputs: int) -> Outputs:
    """Targets as activity of the outputs: 1 for the class and 0 for the others, or the values."""
    classes = jnp.issubdtype(targets.dtype, jnp.integer)
    return jax.nn.one_hot(targets, outputs) if classes else targets.reshape(len(targets), outputs)


def missed(answers: Outputs, targets: Targets) -> Outputs:
    """Target less answer: class probabilities, or values."""
    classes = jnp.issubdtype(targets.dtype, jnp.integer)
    return wanted(targets, answers.shape[1]) - (jax.nn.softmax(answers) if classes else answers)


def explored(outputs: Float[Array, " outputs"], noise: float, *, discrete: bool, key: Key) -> Float[Array, " outputs"]:
    """Outputs with the noise of a policy: the largest is then a draw from their softmax; values have a spread."""
    if discrete:
        return outputs + jax.random.gumbel(key, outputs.shape)
    return outputs + noise * jax.random.normal(key, outputs.shape)


def surprise(outputs: Float[Array, " outputs"], action: Float[Array, " outputs"], *, discrete: bool) -> Float[Array, " outputs"]:
    """Action less what was to be expected of it: the gradient of its log-probability in the outputs (Williams 1992), for
    values times their variance.
    """
    return action - (jax.nn.softmax(outputs) if discrete else outputs)


def inner_populations(substrate: Substrate) -> tuple[Population, ...]:
    """What a learner reads the network's own state off: all between inputs and outputs, or the inputs where nothing is."""
    return substrate.populations[1:-1] or substrate.populations[:1]


def refuse_blank_outputs(name: str, substrate: Substrate) -> None:
    """Raises ValueError if nothing grown projects to the outputs, for a learner that would leave them silent for ever."""
    if all(p.blank for p in substrate.into(substrate.output.name)):
        raise ValueError(
            f"learner: {name} changes no synapse, and the blank slates in front of {substrate.output.name!r} would stay blank; "
            "set blank: false on a projection to it"
        )
