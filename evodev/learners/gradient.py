"""Learning by gradient: any optax transformation, on the synapses that exist, at rates that the genome owns."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.heads import asked
from evodev.learners.base import Learner
from evodev.learners.plasticity import CHANNEL, gate_genes, gates
from evodev.learners.replay import draw, empty, store
from evodev.network import Forward, Network, forward, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Outputs, Scalar, Targets

OPTIMISERS = {
    "sgd": lambda: optax.identity(),
    "momentum": lambda: optax.trace(decay=0.9),
    "adam": lambda: optax.scale_by_adam(),
    "rmsprop": lambda: optax.scale_by_rms(),
}
"""Transformations by name, all without a rate of their own: rates are genes."""

FALLS = {
    "linear": lambda horizon: optax.linear_schedule(1.0, 0.0, horizon),
    "cosine": lambda horizon: optax.cosine_decay_schedule(1.0, horizon),
}
"""What is left of every rate after so many updates: 1 at birth, 0 at the horizon (cosine: Loshchilov & Hutter 2017)."""


Params = dict[str, dict[str, jax.Array]]
"""``weights`` by projection and ``biases`` by population."""


class GradientState(NamedTuple):
    """The network as learned so far, the optimiser's memory, and the samples to replay."""

    network: Network
    memory: Any
    replay: Any = ()


@dataclass(frozen=True)
class Gradient(Learner):
    """One step of gradient descent on each batch, and on batches of the life so far where they are replayed.

    A synapse moves by ``-rate[projection] * gain[synapse] * update``, where ``update`` is what the optax transformation
    makes of the gradient; a synapse that does not exist stays at zero. Rates are genes, one for each projection and one
    for each population's biases; so is what is plastic at all, and momentum, where asked for.

    Attributes:
        optimiser: a name in ``OPTIMISERS``, or any ``optax.GradientTransformation`` (whose own rate then multiplies).
        loss: ``cross_entropy`` for classes, ``squared_error`` for values.
        log_rate: natural logarithm of a rate in a genome of zeros.
        spread: size of one search unit of a log rate.
        forward: the substrate's own (None) or any ``(network, inputs) -> outputs``; see ``models.model_forward``.
        plastic: which grown synapses may change: ``all``; ``projection``, a gate gene for each; ``synapse``, that gate and
            the wiring's channel ``plastic`` (see ``plasticity.gates``).
        momentum: of the updates (Polyak 1964) in a genome of zeros, between 0 and 1; makes it a gene.
        replay: batches drawn from the life so far, each learned from after the new one.
        capacity: samples to draw them from, the latest.
        accumulate: batches, new or replayed, whose mean gradient makes one update.
        heads: groups of equal size into which the outputs fall, if only those of the target's own compete for a sample
            (``heads.asked``). It is the learner's own knowledge, whatever the task judges answers by: with the phases of a
            continual life as heads, learning a phase pushes down no class of another (task-incremental).
        fall: how all rates fall over the life: ``none``, or a name in ``FALLS``.
        horizon: updates after which they have fallen to zero.
    """

    optimiser: str | optax.GradientTransformation = "sgd"
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    log_rate: float = -2.5
    spread: float = 0.5
    forward: Forward | None = None
    plastic: Literal["all", "projection", "synapse"] = "all"
    momentum: float | None = None
    replay: int = 0
    capacity: int = 256
    accumulate: int = 1
    heads: int = 1
    fall: Literal["none", "linear", "cosine"] = "none"
    horizon: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.optimiser, str) and self.optimiser not in OPTIMISERS:
            raise ValueError(f"learner: optimiser is {self.optimiser!r}; one of {', '.join(OPTIMISERS)}")
        known = {"loss": ("cross_entropy", "squared_error"), "plastic": ("all", "projection", "synapse")}
        known |= {"fall": ("none", *FALLS)}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"learner: {name} is {getattr(self, name)!r}; one of {', '.join(values)}")
        if self.momentum is not None and not 0 < self.momentum < 1:
            raise ValueError(f"learner: momentum must lie between 0 and 1, given {self.momentum}")
        for name, least in {"replay": 0, "capacity": 1, "accumulate": 1, "heads": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"learner: {name} must be at least {least}, given {getattr(self, name)}")
        if (self.fall != "none") != (self.horizon > 0):
            raise ValueError(f"learner: fall {self.fall!r} with horizon {self.horizon}; give both, or leave out both")
        if self.heads > 1 and self.loss != "cross_entropy":
            raise ValueError("learner: heads are of classes; leave them at 1 for squared_error")
        if self.replay and self.forward is not None:
            raise ValueError("learner: replay keeps inputs of the substrate's size; leave out replay or forward")

    @property
    def asks(self) -> tuple[str, ...]:
        return (CHANNEL,) if self.plastic == "synapse" else ()

    @property
    def synapsewise(self) -> bool:
        # an optimiser by name looks at one number at a time; of any other, and of another's forward pass, nothing is known
        return self.forward is None and isinstance(self.optimiser, str)

    @property
    def rhythm(self) -> int:
        return math.ceil(self.accumulate / (1 + self.replay))

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        if substrate.output.size % self.heads:
            raise ValueError(f"learner: {substrate.output.size} outputs do not fall into {self.heads} heads of equal size")
        names = [*(p.name for p in substrate.projections), *(p.name for p in substrate.populations[1:])]
        genes = [Gene(f"{name}/log_rate", (), self.log_rate, self.spread) for name in names]
        if self.plastic != "all":
            genes += gate_genes(substrate)
        if self.momentum is not None:
            genes.append(Gene("momentum", (), math.log(self.momentum / (1 - self.momentum))))
        return spec_of(genes)

    def _transform(self, genes: Genes) -> optax.GradientTransformation:
        transform = OPTIMISERS[self.optimiser]() if isinstance(self.optimiser, str) else self.optimiser
        if self.momentum is not None:
            transform = optax.chain(transform, optax.trace(decay=cast(Any, jax.nn.sigmoid(genes["momentum"]))))
        if self.fall != "none":
            transform = optax.chain(transform, optax.scale_by_schedule(FALLS[self.fall](self.horizon)))
        if self.accumulate > 1:
            transform = optax.MultiSteps(transform, self.accumulate).gradient_transformation()
        return cast(optax.GradientTransformation, transform)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> GradientState:
        kept = empty(self.capacity, substrate, classes=self.loss == "cross_entropy") if self.replay else ()
        return GradientState(network, self.unmoved(genes, network), kept)

    def unmoved(self, genes: Genes, network: Network) -> Any:
        """The optimiser's memory before the first :meth:`move`."""
        return self._transform(genes).init({"weights": network.weights, "biases": network.biases})

    def step(
        self, genes: Genes, state: GradientState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> GradientState:
        state = self._update(genes, state, inputs, targets, substrate)
        if not self.replay:
            return state
        kept = store(state.replay, inputs, targets)

        def again(state: GradientState, key: Key) -> tuple[GradientState, None]:
            return self._update(genes, state, *draw(kept, len(inputs), key=key), substrate), None

        state, _ = jax.lax.scan(again, state._replace(replay=()), jax.random.split(key, self.replay))
        return state._replace(replay=kept)

    def gradient(self, network: Network, inputs: Inputs, targets: Targets, substrate: Substrate) -> Params:
        """Gradient of the batch's loss in all weights and biases, those of synapses that do not exist included."""

        def objective(params: Params) -> Scalar:
            outputs = self._run(replace(network, **params), inputs, substrate)
            if self.loss == "squared_error":
                return jnp.mean((outputs - targets) ** 2)
            own = asked(outputs, targets, self.heads)
            return optax.softmax_cross_entropy_with_integer_labels(own, targets).mean()

        return jax.grad(objective)({"weights": network.weights, "biases": network.biases})

    def _update(
        self, genes: Genes, state: GradientState, inputs: Inputs, targets: Targets, substrate: Substrate
    ) -> GradientState:
        gradient = self.gradient(state.network, inputs, targets, substrate)
        network, memory = self.move(genes, state.network, state.memory, gradient, substrate)
        return state._replace(network=network, memory=memory)

    def move(self, genes: Genes, network: Network, memory: Any, gradient: Params, substrate: Substrate) -> tuple[Network, Any]:
        """The network moved against a gradient, and the optimiser's memory: rates, gains, masks and gates as evolved."""
        params = {"weights": network.weights, "biases": network.biases}
        updates, memory = cast(Any, self._transform(genes).update(cast(Any, gradient), memory, cast(Any, params)))
        paces = self.paces(genes, network, substrate)
        weights = {name: w + paces["weights"][name] * updates["weights"][name] for name, w in network.weights.items()}
        moved = {name: network.biases[name] + pace * updates["biases"][name] for name, pace in paces["biases"].items()}
        return replace(network, weights=weights, biases=network.biases | moved), memory

    def paces(self, genes: Genes, network: Network, substrate: Substrate) -> Params:
        """How far each synapse and bias moves for an update of 1: rates, gains, masks and gates as evolved.

        Negative where an update is a gradient; of the biases only those that have a rate.
        """
        # clipped so that no genome makes a rate infinite; a rate of e^5 has long diverged
        rates = {name: value for name, value in genes.items() if name.endswith("/log_rate")}
        rate = {name.removesuffix("/log_rate"): jnp.exp(jnp.clip(value, -20.0, 5.0)) for name, value in rates.items()}
        sign = 1.0 if not isinstance(self.optimiser, str) else -1.0
        by_synapse = self.plastic == "synapse"
        gate = {} if self.plastic == "all" else gates(genes, network, substrate, by_synapse=by_synapse)
        weights = {
            name: sign * rate[name] * network.gains.get(name, 1.0) * network.masks[name] * gate.get(name, 1.0)
            for name in network.weights
        }
        biases = {name: sign * rate[name] * network.alive[name] for name in network.biases if name in rate}
        return {"weights": weights, "biases": biases}

    def predict(self, genes: Genes, state: GradientState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self._run(state.network, inputs, substrate)

    def _run(self, network: Network, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, network, inputs) if self.forward is None else self.forward(network, inputs)

    def activity(self, genes: Genes, state: GradientState, inputs: Inputs, substrate: Substrate) -> dict[str, Array] | None:
        return super().activity(genes, state, inputs, substrate) if self.forward is None else None

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # forward, errors backward, and the update itself, for the sample and for each that is replayed
        return 3.0 * (1 + self.replay) * synapses(network)
