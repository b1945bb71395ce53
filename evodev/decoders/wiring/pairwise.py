"""Pairwise wiring: a small network reads two neurons and answers with their synapse.

The wiring of G-net (Shuvaev et al. 2024, PNAS 121(38) e2409160121).
"""

from dataclasses import dataclass
from itertools import pairwise

import jax
import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit, scale_genes, scaled
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Key, Matrix

TILE = 1 << 15
"""Pairs of neurons whose hidden layers are held at a time, so that they stay in the cache; see benchmarks/speed/decoding."""


@dataclass(frozen=True)
class PairwiseMLP(Wiring):
    """weight = MLP([state_i, state_j]), one MLP a projection, and one a population for its biases.

    The first layer is applied to the two sides apart and added, so that the table of pairs is built only once, at the
    width of the hidden layer, and of a large projection only for some receiving neurons at a time.

    Attributes:
        hidden: widths of the MLP's tanh layers.
        bias_hidden: widths of the MLP of the biases; those of ``hidden`` if not given.
        scaled: the weights of each projection have an evolved scale. It begins at He's spread, sqrt(2 / inputs); without
            it, weights are of unit size.
        channels: what to express beyond the weight (see ``base.emit``), an output of the same MLP each.
    """

    hidden: tuple[int, ...] = (16, 8)
    bias_hidden: tuple[int, ...] | None = None
    scaled: bool = False
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, widths in (("hidden", self.hidden), ("bias_hidden", self._bias_hidden)):
            if not widths or min(widths) < 1:
                raise ValueError(f"wiring: {name} needs one or more positive widths, given {widths}")

    @property
    def _bias_hidden(self) -> tuple[int, ...]:
        return self.hidden if self.bias_hidden is None else self.bias_hidden

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            out += _layers(p.name, (widths[p.pre] + widths[p.post], *self.hidden, 1 + len(self.channels)))
        for name in biased(substrate):
            out += _layers(f"{name}/bias", (widths[name], *self._bias_hidden, 1))
        return spec_of(out + (scale_genes(substrate) if self.scaled else []))

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values: dict[str, dict[str, Matrix]] = {channel: {} for channel in ("weight", *self.channels)}
        biases = {}
        for p in substrate.grown:
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            first = genes[f"{p.name}/layer0"]
            sides = (pre @ first[: pre.shape[1]]).T, (post @ first[pre.shape[1] :] + genes[f"{p.name}/offset0"]).T
            layers = [(genes[f"{p.name}/layer{i}"], genes[f"{p.name}/offset{i}"]) for i in range(1, len(self.hidden) + 1)]
            # the first layer's offset is in the sides already
            for channel, answer in zip(values, _tiled(*sides, layers), strict=True):
                values[channel][p.name] = answer
        for name in biased(substrate):
            x = tissue.states[name] @ genes[f"{name}/bias/layer0"] + genes[f"{name}/bias/offset0"]
            for i in range(1, len(self._bias_hidden) + 1):
                x = jnp.tanh(x) @ genes[f"{name}/bias/layer{i}"] + genes[f"{name}/bias/offset{i}"]
            biases[name] = 0.3 * x[:, 0]
        if self.scaled:
            values["weight"] = scaled(values["weight"], genes)
        return emit(values, biases)


def _layers(name: str, widths: tuple[int, ...]) -> list[Gene]:
    """Weights and offsets of an MLP of so wide layers, inputs first."""
    out = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        out.append(Gene(f"{name}/layer{i}", (inputs, outputs), scale=inputs**-0.5))
        out.append(Gene(f"{name}/offset{i}", (outputs,), scale=0.5))
    return out


def _answers(
    pre: Float[Array, "width pre"], post: Float[Array, "width post"], layers: list[tuple[Array, Array]]
) -> Float[Array, "outputs pre post"]:
    """The rest of the MLP for every pair, given its first layer's two sides. Features come first: pairs fill the vectors."""
    x = (pre[:, :, None] + post[:, None, :]).reshape(pre.shape[0], -1)
    for weights, offset in layers:
        x = weights.T @ jnp.tanh(x) + offset[:, None]
    return x.reshape(-1, pre.shape[1], post.shape[1])


def _tiled(
    pre: Float[Array, "width pre"], post: Float[Array, "width post"], layers: list[tuple[Array, Array]]
) -> Float[Array, "outputs pre post"]:
    """:func:`_answers`, some receiving neurons after the other; a tile is worked out again for its gradient."""
    count, most = post.shape[1], max(1, TILE // pre.shape[1])
    if count <= most:
        return _answers(pre, post, layers)
    tiles = -(-count // most)
    each = -(-count // tiles)
    # the last tile is filled up with neurons that do not exist
    padded = jnp.pad(post, ((0, 0), (0, tiles * each - count))).reshape(-1, tiles, each).swapaxes(0, 1)
    answers = jax.lax.map(jax.checkpoint(lambda tile: _answers(pre, tile, layers)), padded)
    return answers.transpose(1, 2, 0, 3).reshape(-1, pre.shape[1], tiles * each)[:, :, :count]
