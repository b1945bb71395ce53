"""Structural plasticity all life long: sparse networks whose synapses move (SET: Mocanu et al. 2018; RigL: Evci et al. 2020)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from evodev.genome import Gene
from evodev.learners.gradient import Gradient
from evodev.learners.rewiring import Rewiring, exchange, pairs, reach
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Scalar, Targets


@dataclass(frozen=True)
class Structural(Rewiring):
    """Wraps a learner; every ``period`` steps, in each grown projection, the synapses of least magnitude go and as many come.

    They come at random (SET, arXiv 1707.04780), or where the magnitude of the loss's gradient would be largest (RigL, arXiv
    1911.11134), with weight zero; how many synapses there are never changes. The share exchanged is evolved, and falls as
    half a cosine to zero at step ``end`` (RigL) or stays (SET's, and the default).

    Departs from both: synapses grow only between neurons that were born with one in the projection, what has just gone does
    not come back at once, and the learner learns from the batch of a rewiring step too. The optimiser's memory is left as it is.

    Genes: ``log_share``, and the inner learner's as ``learner/...``.

    Attributes:
        learner: any that changes the weights of a network which its state holds; ``gradient`` where synapses come by it.
        regrow: ``random`` or ``gradient``.
        share: of the synapses of a projection exchanged at a time, in a genome of zeros.
        end: step at which the share has fallen to zero, if it falls.
        period: steps from one exchange to the next.

    Raises:
        ValueError: for a learner that cannot be rewired, or settings that make no sense.
    """

    called: ClassVar[str] = "structural"

    regrow: Literal["random", "gradient"] = "random"
    share: float = 0.3
    end: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = type(self.learner).__name__
        if self.regrow not in ("random", "gradient"):
            raise ValueError(f"learner: regrow is {self.regrow!r}; one of random, gradient")
        if self.regrow == "gradient" and not isinstance(self.learner, Gradient):
            raise ValueError(f"learner: {kind} knows no gradient to regrow by; use regrow: random, or the learner gradient")
        if not 0 < self.share < 1:
            raise ValueError(f"learner: structural needs a share in (0, 1), given {self.share}")
        if self.end is not None and self.end <= self.period:
            raise ValueError(f"learner: end {self.end} must be later than the first exchange, at step {self.period}")

    def genes(self) -> list[Gene]:
        return [Gene("log_share", (), math.log(self.share), 0.5)]

    def blank(self, network: Network, substrate: Substrate) -> dict[str, Array]:
        """Where synapses can be, booleans (pre, post) by grown projection."""
        return {p.name: reach(network.masks[p.name]) for p in substrate.grown}

    def rewire(
        self,
        genes: Genes,
        notes: dict[str, Array],
        network: Network,
        inputs: Inputs,
        targets: Targets,
        substrate: Substrate,
        *,
        age: Array,
        key: Key,
    ) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
        # clipped so that no genome makes it infinite
        share = jnp.exp(jnp.clip(genes["log_share"], -20.0, 0.0))
        if self.end is not None:
            share = share * (1.0 + jnp.cos(jnp.pi * jnp.minimum(age / self.end, 1.0))) / 2
        masks, weights = {}, {}
        for name, hope in self._promise(network, inputs, targets, substrate, key=key).items():
            mask, weight = network.masks[name], network.weights[name]
            room = notes[name] & (mask == 0)
            gone, come = exchange(jnp.abs(weight), hope, mask > 0, room, jnp.floor(share * mask.sum(0).sum()))
            masks[name], weights[name] = mask - gone + come, weight * (1.0 - gone)
        return masks, weights, notes

    def _promise(self, network: Network, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> dict[str, Array]:
        """What a synapse promises wherever one could be, by grown projection."""
        if self.regrow == "gradient" and isinstance(self.learner, Gradient):
            slopes = self.learner.gradient(network, inputs, targets, substrate)["weights"]
            return {p.name: jnp.abs(slopes[p.name]) for p in substrate.grown}
        keys = jax.random.split(key, len(substrate.grown))
        return {p.name: _lots(substrate.shape(p), key=k) for p, k in zip(substrate.grown, keys, strict=True)}

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # wherever a synapse could be: ranked, and by gradient also visited forward and backward
        visits = 3.0 if self.regrow == "gradient" else 1.0
        return self.learner.operations(network, substrate) + visits * pairs(substrate) / self.period


def _lots(shape: tuple[int, int], *, key: Key) -> Array:
    """A lot (uint32, not zero) for each pair, from one draw a neuron, stirred together as Murmur3 ends: a draw for each pair
    would cost as much as the rest of the step.
    """
    key_pre, key_post = jax.random.split(key)
    x = jax.random.bits(key_pre, (shape[0], 1)) ^ jax.random.bits(key_post, (1, shape[1]))
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return jnp.maximum(x ^ (x >> 16), jnp.uint32(1))
