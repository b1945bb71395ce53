"""Learning by gradient: any optax transformation, on the synapses that exist, at rates that the genome owns."""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners.base import Learner
from evodev.network import Forward, Network, forward, synapses
from evodev.substrate import Substrate
from evodev.types import Genes, Inputs, Key, Outputs, Scalar, Targets

OPTIMISERS = {
    "sgd": lambda: optax.identity(),
    "momentum": lambda: optax.trace(decay=0.9),
    "adam": lambda: optax.scale_by_adam(),
    "rmsprop": lambda: optax.scale_by_rms(),
}
"""Transformations by name, all without a rate of their own: rates are genes."""


class GradientState(NamedTuple):
    """The network as learned so far and the optimiser's memory."""

    network: Network
    memory: Any


@dataclass(frozen=True)
class Gradient(Learner):
    """One step of gradient descent on each batch.

    A synapse moves by ``-rate[projection] * gain[synapse] * update``, where ``update`` is what the optax transformation
    makes of the gradient; a synapse that does not exist stays at zero. Rates are genes, one for each projection and one
    for each population's biases.

    Attributes:
        optimiser: a name in ``OPTIMISERS``, or any ``optax.GradientTransformation`` (whose own rate then multiplies).
        loss: ``cross_entropy`` for classes, ``squared_error`` for values.
        log_rate: natural logarithm of a rate in a genome of zeros.
        spread: size of one search unit of a log rate.
        forward: the substrate's own (None) or any ``(network, inputs) -> outputs``; see ``models.model_forward``.
    """

    optimiser: str | optax.GradientTransformation = "sgd"
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    log_rate: float = -2.5
    spread: float = 0.5
    forward: Forward | None = None

    def __post_init__(self) -> None:
        if isinstance(self.optimiser, str) and self.optimiser not in OPTIMISERS:
            raise ValueError(f"learner: optimiser is {self.optimiser!r}; one of {', '.join(OPTIMISERS)}")
        if self.loss not in ("cross_entropy", "squared_error"):
            raise ValueError(f"learner: loss is {self.loss!r}; one of cross_entropy, squared_error")

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        rates = [Gene(f"{p.name}/log_rate", (), self.log_rate, self.spread) for p in substrate.projections]
        names = [p.name for p in substrate.populations[1:]]
        return spec_of(rates + [Gene(f"{name}/log_rate", (), self.log_rate, self.spread) for name in names])

    def _transform(self) -> optax.GradientTransformation:
        return OPTIMISERS[self.optimiser]() if isinstance(self.optimiser, str) else self.optimiser

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> GradientState:
        return GradientState(network, self._transform().init({"weights": network.weights, "biases": network.biases}))

    def step(
        self, genes: Genes, state: GradientState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> GradientState:
        network = state.network

        def objective(params: dict[str, dict[str, jax.Array]]) -> Scalar:
            outputs = self._run(replace(network, **params), inputs, substrate)
            if self.loss == "squared_error":
                return jnp.mean((outputs - targets) ** 2)
            return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()

        params = {"weights": network.weights, "biases": network.biases}
        updates, memory = cast(Any, self._transform().update(jax.grad(objective)(params), state.memory, params))
        # clipped so that no genome makes a rate infinite; a rate of e^5 has long diverged
        rate = {name.removesuffix("/log_rate"): jnp.exp(jnp.clip(value, -20.0, 5.0)) for name, value in genes.items()}
        sign = 1.0 if not isinstance(self.optimiser, str) else -1.0
        weights = {
            name: w + sign * rate[name] * network.gains.get(name, 1.0) * network.masks[name] * updates["weights"][name]
            for name, w in network.weights.items()
        }
        biases = {
            name: b + sign * rate[name] * network.alive[name] * updates["biases"][name] if name in rate else b
            for name, b in network.biases.items()
        }
        return GradientState(replace(network, weights=weights, biases=biases), memory)

    def predict(self, genes: Genes, state: GradientState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self._run(state.network, inputs, substrate)

    def _run(self, network: Network, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, network, inputs) if self.forward is None else self.forward(network, inputs)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # forward, errors backward, and the update itself
        return 3.0 * synapses(network)
