"""Evolved Hebbian rules: what a synapse does with the activity on its two sides (Najarro & Risi 2020, arXiv 2007.02686)."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners.base import Learner, missed, surprise, wanted
from evodev.network import Network, activities, forward, synapses
from evodev.substrate import Projection, Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Matrix, Moment, Outputs, Scalar, Targets


class HebbianRuleState(NamedTuple):
    """The network as learned so far; mean square activity of each population and steps lived, for BCM."""

    network: Network
    squares: dict[str, Array]
    age: Array


@dataclass(frozen=True)
class HebbianRule(Learner):
    """dw = rate / n (A o_i o_j + B o_i + C o_j + D) on every synapse that exists, averaged over the batch; biases stay.

    n is the size of the population that sends: what moves at the rate is a neuron's drive, in a small and in a large
    network alike. A rate of single synapses that suits ten inputs is unstable with a thousand.

    The label enters as the activity of the outputs while the network learns, the only place where it does: with teaching
    ``target`` they are clamped to it (1 for the class, 0 for the others; or the values), with ``error`` to target less
    answer (class probabilities, or values), so that A alone is the delta rule. No error is sent back: all other neurons are
    as active as the inputs make them. In a life that acts, what was done takes the place of the label: no reward enters but
    as something to be seen. In a genome of zeros synapses onto the outputs learn by A = 1, others do not.

    Departs from the paper, which evolves coefficients for each synapse, random weights at birth and a rule without labels:
    coefficients are genes of a projection, to which each synapse can add its own, expressed by its two cells; weights at
    birth are grown; weights stay within a limit, in place of a normalisation after each step.

    Genes: ``log_rate``, and ``A``, ``B``, ``C``, ``D`` of each projection (only ``A`` where the rule is another).

    Attributes:
        rule: what neurons that are not taught do: ``abcd``; ``oja``, A (o_i o_j - o_j^2 w) (Oja 1982); ``bcm``,
            A o_i o_j (o_j - mean of o_j^2) (Bienenstock, Cooper & Munro 1982). Onto the outputs it is always ``abcd``.
        teaching: what the outputs are clamped to.
        source: ``projection``; or ``channels``, where each synapse adds to its projection's coefficients what the wiring
            expressed for it in channels of the same names.
        log_rate: natural logarithm of the rate in a genome of zeros.
        limit: largest magnitude of a weight that changes.
    """

    rule: Literal["abcd", "oja", "bcm"] = "abcd"
    teaching: Literal["error", "target"] = "error"
    source: Literal["projection", "channels"] = "projection"
    log_rate: float = 0.0
    limit: float = 5.0

    def __post_init__(self) -> None:
        known = {"rule": ("abcd", "oja", "bcm"), "teaching": ("error", "target"), "source": ("projection", "channels")}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"learner: {name} is {getattr(self, name)!r}; one of {', '.join(values)}")
        if self.limit <= 0:
            raise ValueError(f"learner: limit must be positive, given {self.limit}")

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    @property
    def asks(self) -> tuple[str, ...]:
        return ("A", "B", "C", "D") if self.source == "channels" else ()

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        genes = [Gene("log_rate", (), self.log_rate, 0.5)]
        for p in substrate.projections:
            taught = p.post == substrate.output.name
            names = "ABCD" if taught or self.rule == "abcd" else "A"
            # what no target holds back adds up over a life: a random rule must leave the network that was grown standing
            scale = 0.3 if taught else 0.03
            genes += [Gene(f"{p.name}/{name}", (), float(taught and name == "A"), scale) for name in names]
        return spec_of(genes)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> HebbianRuleState:
        squares = {p.name: jnp.zeros(p.size) for p in substrate.populations} if self.rule == "bcm" else {}
        return HebbianRuleState(network, squares, jnp.zeros(()))

    def step(
        self, genes: Genes, state: HebbianRuleState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> HebbianRuleState:
        active = activities(substrate, state.network, inputs)
        active[substrate.output.name] = self._taught(active[substrate.output.name], targets)
        return self._changed(genes, state, active, substrate)

    def experience(
        self, genes: Genes, state: HebbianRuleState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> HebbianRuleState:
        active, output = activities(substrate, state.network, moment.observation[None]), substrate.output.name
        done = moment.action if self.teaching == "target" else surprise(active[output][0], moment.action, discrete=discrete)
        return self._changed(genes, state, active | {output: done[None]}, substrate)

    def _changed(
        self, genes: Genes, state: HebbianRuleState, active: dict[str, Float[Array, "batch n"]], substrate: Substrate
    ) -> HebbianRuleState:
        """State after activity, that of the outputs as taught."""
        network, output = state.network, substrate.output.name
        squares = {name: s + ((active[name] ** 2).mean(0) - s) / (state.age + 1.0) for name, s in state.squares.items()}
        # clipped so that no genome makes the rate infinite
        rate = jnp.exp(jnp.clip(genes["log_rate"], -20.0, 5.0))
        weights = dict(network.weights)
        for p in substrate.projections:
            w, mask = weights[p.name], network.masks[p.name]
            change = self._change(genes, network, p, active[p.pre], active[p.post], squares.get(p.post), taught=p.post == output)
            # a weight that was born beyond the limit may stay there
            limit = jnp.maximum(self.limit, jnp.abs(w))
            moved = w + rate / len(w) * network.gains.get(p.name, 1.0) * change
            weights[p.name] = mask * jnp.clip(moved, -limit, limit)
        return HebbianRuleState(replace(network, weights=weights), squares, state.age + 1.0)

    def _taught(self, answers: Outputs, targets: Targets) -> Outputs:
        """Activity of the outputs while the network learns."""
        return wanted(targets, answers.shape[1]) if self.teaching == "target" else missed(answers, targets)

    def _change(
        self,
        genes: Genes,
        network: Network,
        projection: Projection,
        pre: Float[Array, "batch pre"],
        post: Float[Array, "batch post"],
        squares: Array | None,
        *,
        taught: bool,
    ) -> Matrix:
        """dw n / rate."""

        def coefficient(name: str) -> Array:
            own = network.channels.get(name, {}).get(projection.name) if self.source == "channels" else None
            shared = genes[f"{projection.name}/{name}"]
            return shared if own is None else shared + own

        count = len(pre)
        if taught or self.rule == "abcd":
            hebb = coefficient("A") * (pre.T @ post / count)
            return hebb + coefficient("B") * pre.mean(0)[:, None] + coefficient("C") * post.mean(0) + coefficient("D")
        if squares is not None:
            return coefficient("A") * (pre.T @ (post * (post - squares)) / count)
        decay = (post**2).mean(0) * network.weights[projection.name]
        return coefficient("A") * (pre.T @ post / count - decay)

    def predict(self, genes: Genes, state: HebbianRuleState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, state.network, inputs)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once, and every synapse written
        return 2.0 * synapses(network)
