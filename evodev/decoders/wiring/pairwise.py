"""Pairwise wiring: a small network reads two neurons and answers with their synapse.

The wiring of G-net (Shuvaev et al. 2024, PNAS 121(38) e2409160121).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
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
        channels: what to express beyond the weight (see ``base.emit``), an output of the same MLP each.
    """

    hidden: tuple[int, ...] = (16, 8)
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"wiring: hidden needs one or more positive widths, given {self.hidden}")

    def _layers(self, name: str, inputs: int, outputs: int) -> list[Gene]:
        out, width = [], inputs
        for i, size in enumerate((*self.hidden, outputs)):
            out.append(Gene(f"{name}/layer{i}", (width, size), scale=width**-0.5))
            out.append(Gene(f"{name}/offset{i}", (size,), scale=0.5))
            width = size
        return out

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            out += self._layers(p.name, widths[p.pre] + widths[p.post], 1 + len(self.channels))
        for name in biased(substrate):
            out += self._layers(f"{name}/bias", widths[name], 1)
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values: dict[str, dict[str, Matrix]] = {channel: {} for channel in ("weight", *self.channels)}
        biases = {}
        for p in substrate.grown:
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            first = genes[f"{p.name}/layer0"]
            sides = (pre @ first[: pre.shape[1]]).T, (post @ first[pre.shape[1] :] + genes[f"{p.name}/offset0"]).T
            layers = [(genes[f"{p.name}/layer{i}"], genes[f"{p.name}/offset{i}"]) for i in range(1, len(self.hidden) + 1)]
            for channel, answer in zip(values, _tiled(*sides, layers), strict=True):
                values[channel][p.name] = answer
        for name in biased(substrate):
            x = tissue.states[name] @ genes[f"{name}/bias/layer0"] + genes[f"{name}/bias/offset0"]
            for i in range(1, len(self.hidden) + 1):
                x = jnp.tanh(x) @ genes[f"{name}/bias/layer{i}"] + genes[f"{name}/bias/offset{i}"]
            biases[name] = 0.3 * x[:, 0]
        return emit(values, biases)


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
