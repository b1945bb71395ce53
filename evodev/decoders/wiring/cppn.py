"""CPPN wiring: one pattern-producing network for all synapses (HyperNEAT, Stanley et al. 2009, Artificial Life 15(2))."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Key, Matrix

PATTERNS: tuple[Callable[[Array], Array], ...] = (jnp.sin, lambda x: jnp.exp(-(x**2)), jnp.tanh, jax.nn.relu, jnp.abs)


def mixed(x: Float[Array, "*pairs units"]) -> Float[Array, "*pairs units"]:
    """sin, gauss, tanh, relu and abs, each of a fifth of the units (the first ones take what does not divide)."""
    # clipped so that no genome makes a number infinite between one layer and the next
    blocks = jnp.array_split(jnp.clip(x, -1e6, 1e6), len(PATTERNS), axis=-1)
    return jnp.concatenate([pattern(block) for pattern, block in zip(PATTERNS, blocks, strict=True)], axis=-1)


@dataclass(frozen=True)
class CPPN(Wiring):
    """weight = CPPN(state_i, state_j), the same CPPN for every projection; cells that know their depth tell these apart.

    The output q = tanh(.) is no synapse while |q| < ``threshold`` and grows from 0 to ``largest`` beyond: the wish for the
    synapse is |q| - ``threshold``. With the channel ``logit`` a link-expression output of its own (Verbancsics & Stanley
    2011) says that instead, and the weight is ``largest`` * q. A bias is what the CPPN says of a pair without a sender, by
    an output of its own.

    Departs from HyperNEAT in that the topology is fixed (layers of mixed activations) and its weights evolve, not NEAT.
    As the first layer is linear, it holds the difference of the two states too; only their distance would be new.

    Attributes:
        hidden: widths of the layers, activations sin, gauss, tanh, relu, abs in turn.
        distance: also read how far apart the two states are.
        threshold: size of q below which there is no synapse, where links are not expressed apart.
        largest: the weight of a synapse with q = 1.
        scaled: weights are times sqrt(2 / inputs), so that large populations do not drown in their inputs; the paper's
            are not.
        channels: what to express beyond the weight (see ``base.emit``), an output of the CPPN each.
    """

    hidden: tuple[int, ...] = (10, 10)
    distance: bool = False
    threshold: float = 0.3
    largest: float = 5.0
    scaled: bool = False
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"wiring: hidden needs one or more positive widths, given {self.hidden}")
        if not 0 <= self.threshold < 1 or self.largest <= 0:
            raise ValueError(f"wiring: needs 0 <= threshold < 1 and largest > 0, given {self.threshold} and {self.largest}")

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        pre, post = (max(widths[getattr(p, side)] for p in substrate.grown) for side in ("pre", "post"))
        sizes = (pre + post + self.distance, *self.hidden)
        out = [
            Gene(side, (width, self.hidden[0]), scale=1.5 * sizes[0] ** -0.5) for side, width in (("pre", pre), ("post", post))
        ]
        if self.distance:
            out.append(Gene("distance", (self.hidden[0],), scale=1.5 * sizes[0] ** -0.5))
        for i, size in enumerate(self.hidden):
            out += [Gene(f"layer{i}", sizes[i : i + 2], scale=1.5 * sizes[i] ** -0.5)] if i else []
            out.append(Gene(f"offset{i}", (size,), scale=0.5))
        for name in ("weight", *self.channels, "bias"):
            out.append(Gene(f"{name}_output", (sizes[-1],), scale=1.5 * sizes[-1] ** -0.5))
            out.append(Gene(f"{name}_offset", (), scale=0.5))
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values: dict[str, dict[str, Matrix]] = {channel: {} for channel in ("weight", *self.channels)}
        for p in substrate.grown:
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            # the table of pairs is built only once, at the width of the first layer
            pairs = (pre @ genes["pre"][: pre.shape[1]])[:, None] + (post @ genes["post"][: post.shape[1]])[None]
            if self.distance:
                pairs = pairs + _distance(pre, post)[:, :, None] * genes["distance"]
            top = self._patterns(genes, pairs)
            for name, of in values.items():
                of[p.name] = top @ genes[f"{name}_output"] + genes[f"{name}_offset"]
        largest = {p.name: self.largest * ((2 / substrate.shape(p)[0]) ** 0.5 if self.scaled else 1) for p in substrate.grown}
        q = {name: jnp.tanh(x) for name, x in values["weight"].items()}
        if "logit" not in values:
            values["logit"] = {name: jnp.abs(x) - self.threshold for name, x in q.items()}
            q = {name: jnp.sign(x) * jax.nn.relu(values["logit"][name]) / (1 - self.threshold) for name, x in q.items()}
        values["weight"] = {name: largest[name] * x for name, x in q.items()}
        biases = {}
        for name in biased(substrate):
            alone = tissue.states[name] @ genes["post"][: tissue.states[name].shape[1]]
            biases[name] = jnp.tanh(self._patterns(genes, alone) @ genes["bias_output"] + genes["bias_offset"])
        return emit(values, biases)

    def _patterns(self, genes: Genes, first: Float[Array, "*pairs units"]) -> Float[Array, "*pairs units"]:
        """Activity of the last layer, given the drive of the first."""
        x = mixed(first + genes["offset0"])
        for i in range(1, len(self.hidden)):
            x = mixed(x @ genes[f"layer{i}"] + genes[f"offset{i}"])
        return x


def _distance(pre: Float[Array, "pre genes_pre"], post: Float[Array, "post genes_post"]) -> Matrix:
    """Euclidean distance between states, the shorter ones filled up with zeros."""
    width = max(pre.shape[1], post.shape[1])
    a, b = (jnp.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in (pre, post))
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    # a root has no slope at zero
    return jnp.sqrt(jnp.maximum(squared, 0.0) + 1e-6)
