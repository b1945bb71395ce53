"""A critical period: early experience decides not only what synapses weigh but which there are."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from evodev.genome import Gene
from evodev.learners.rewiring import Rewiring, exchange, pairs, reach
from evodev.network import Network, activities, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Scalar, Targets


class CriticalNotes(NamedTuple):
    """By projection: mean product of activities, synapses grown in life, and the fraction of a synapse that was due and put
    off; and the share of the synapses that has come due since the last exchange.
    """

    together: dict[str, Array]
    young: dict[str, Array]
    due: dict[str, Array]
    share: Array


@dataclass(frozen=True)
class CriticalPeriod(Rewiring):
    """Wraps a learner; while a window is open the grown synapses are rewired by use, and after that only weights change.

    In every step the inner learner learns first. Then, every ``period`` steps, in each grown projection, the synapses of
    least use, |weight| times co-activity, are pruned, and as many grow, with weight zero, where pre and post are most
    co-active. Co-activity is the magnitude of the mean product of the two activities over the life so far: local to a pair
    of neurons. The share of synapses that comes due for exchange in a step is evolved and falls linearly to zero as the
    window closes, after an evolved number of steps.

    Synapses grow only between neurons that have one in the projection, where there is an axon or a dendrite to sprout
    from. One that has grown in life is not pruned, as it has had no time to prove its use.

    Genes: ``log_window`` (steps), ``log_turnover``, and the inner learner's as ``learner/...``.

    Attributes:
        learner: any that changes the weights of a network which its state holds.
        window: steps until it is closed, in a genome of zeros.
        turnover: share of the synapses that comes due in the first step, in a genome of zeros.
        period: steps from one exchange to the next.

    Raises:
        ValueError: if the inner learner's network does not change in life, or is not the substrate's own.
    """

    called: ClassVar[str] = "critical_period"

    window: float = 10.0
    turnover: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if getattr(self.learner, "forward", None) is not None:
            raise ValueError("learner: critical_period reads activity off the substrate; leave its learner's forward out")
        if self.window <= 0 or not 0 < self.turnover <= 1:
            raise ValueError(
                "learner: critical_period needs a positive window and a turnover in (0, 1], given "
                f"{self.window} and {self.turnover}"
            )

    def genes(self) -> list[Gene]:
        return [Gene("log_window", (), math.log(self.window), 0.5), Gene("log_turnover", (), math.log(self.turnover), 0.5)]

    def blank(self, network: Network, substrate: Substrate) -> CriticalNotes:
        none = {p.name: jnp.zeros(substrate.shape(p)) for p in substrate.grown}
        return CriticalNotes(none, dict(none), {name: jnp.zeros(()) for name in none}, jnp.zeros(()))

    def watch(
        self, genes: Genes, notes: CriticalNotes, network: Network, inputs: Inputs, substrate: Substrate, *, age: Array
    ) -> CriticalNotes:
        active = activities(substrate, network, inputs)
        # clipped so that no genome makes either infinite
        window = jnp.exp(jnp.clip(genes["log_window"], -5.0, 20.0))
        turnover = jnp.exp(jnp.clip(genes["log_turnover"], -20.0, 0.0))
        share = turnover * jnp.clip(1.0 - (age - 1) / window, 0.0, 1.0)
        together = {}
        for p in substrate.grown:
            before = notes.together[p.name]
            # divided before the product, so that nothing is left to do for a pair but to add
            together[p.name] = before * (1.0 - 1.0 / age) + (active[p.pre] / (age * len(inputs))).T @ active[p.post]
        return notes._replace(together=together, share=notes.share + share)

    def rewire(
        self,
        genes: Genes,
        notes: CriticalNotes,
        network: Network,
        inputs: Inputs,
        targets: Targets,
        substrate: Substrate,
        *,
        age: Array,
        key: Key,
    ) -> tuple[dict[str, Array], dict[str, Array], CriticalNotes]:
        masks, weights, young, due = {}, {}, {}, {}
        for p in substrate.grown:
            name, mask, weight = p.name, network.masks[p.name], network.weights[p.name]
            promise = jnp.abs(notes.together[name])
            old, room = (mask > 0) & (notes.young[name] == 0), reach(mask) & (mask == 0)
            owed = notes.due[name] + notes.share * mask.sum(0).sum()
            gone, come = exchange(jnp.abs(weight) * promise, promise, old, room, jnp.floor(owed))
            due[name], young[name] = owed - jnp.floor(owed), notes.young[name] + come
            masks[name], weights[name] = mask - gone + come, weight * (1.0 - gone)
        return masks, weights, CriticalNotes(notes.together, young, due, jnp.zeros(()))

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once more for its activity, co-activity wherever a synapse could be, and its ranking
        watched = synapses(network) + pairs(substrate) * (1.0 + 1.0 / self.period)
        return self.learner.operations(network, substrate) + watched
