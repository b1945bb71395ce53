"""Cellular automaton on the weights: the wiring of HyperNCA (Najarro et al. 2022, arXiv 2204.11674)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Projection, Substrate
from evodev.types import Array, Float, Genes, Key

Grid = Float[Array, "cells pre post"]
"""The numbers of a cell come first: long rows are what a CPU computes fast."""


@dataclass(frozen=True)
class CellularAutomaton(Wiring):
    """The (pre, post) matrix is a grid of cells that see their 3x3 neighbourhood and all change by one rule, again and again.

    s <- tanh(s + V relu(K * s + b)), with zeros beyond the border, for ``steps`` steps. The first number of a cell is then
    the weight, as a share of the largest of He's uniform spread, sqrt(6 / inputs); the next ones are further channels.
    One rule serves all projections; cells that know their depth tell these apart. There are no biases.

    A seed s = tanh(x_i P + y_j Q) comes from the two neurons' states. Departs from HyperNCA in that, where the seed is
    fixed and says nothing of the neurons; in a grid a projection, where the paper stacks the layers and lets them touch;
    and in the tanh, which keeps every rule bounded. It is the one wiring to which the order of neurons matters.

    Attributes:
        cells: numbers in the state of one cell of the grid.
        hidden: units of the rule.
        steps: updates.
        channels: what to express beyond the weight (see ``base.emit``), further numbers of the state.
    """

    cells: int = 6
    hidden: int = 12
    steps: int = 8
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.cells < 1 + len(self.channels) or min(self.hidden, self.steps) < 1:
            raise ValueError(
                f"wiring: needs hidden and steps of at least 1 and cells of at least {1 + len(self.channels)} (one a channel), "
                f"given {self.hidden}, {self.steps} and {self.cells}"
            )

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        pre, post = (max(widths[getattr(p, side)] for p in substrate.grown) for side in ("pre", "post"))
        return spec_of(
            [
                Gene("pre", (pre, self.cells), scale=pre**-0.5),
                Gene("post", (post, self.cells), scale=post**-0.5),
                Gene("sense", (3, 3, self.cells, self.hidden), scale=(9 * self.cells) ** -0.5),
                Gene("offset", (self.hidden,), scale=0.3),
                Gene("act", (self.hidden, self.cells), scale=self.hidden**-0.5),
            ]
        )

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        last = {
            p.name: jax.lax.scan(lambda s, _: (update(s, genes), None), self._seed(genes, tissue, p), length=self.steps)[0]
            for p in substrate.grown
        }
        return self._read(last, substrate)

    def stages(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> list[Wires]:
        grids = {p.name: self._seed(genes, tissue, p) for p in substrate.grown}
        out = []
        for _ in range(self.steps):
            grids = {name: update(grid, genes) for name, grid in grids.items()}
            out.append(self._read(grids, substrate))
        return out

    def _seed(self, genes: Genes, tissue: Tissue, projection: Projection) -> Grid:
        pre, post = tissue.states[projection.pre], tissue.states[projection.post]
        rows, columns = pre @ genes["pre"][: pre.shape[1]], post @ genes["post"][: post.shape[1]]
        return jnp.tanh(rows.T[:, :, None] + columns.T[:, None, :])

    def _read(self, grids: dict[str, Grid], substrate: Substrate) -> Wires:
        values = {c: {name: grid[i] for name, grid in grids.items()} for i, c in enumerate(("weight", *self.channels))}
        values["weight"] = {p.name: (6 / substrate.shape(p)[0]) ** 0.5 * values["weight"][p.name] for p in substrate.grown}
        return emit(values, {})


def update(state: Grid, genes: Genes) -> Grid:
    """One step of every cell."""
    cells, rows, columns = state.shape
    padded = jnp.pad(state, ((0, 0), (1, 1), (1, 1)))
    sensed = genes["offset"][:, None]
    for i in range(3):
        for j in range(3):
            sensed = sensed + genes["sense"][i, j].T @ padded[:, i : i + rows, j : j + columns].reshape(cells, -1)
    return jnp.tanh(state + (genes["act"].T @ jax.nn.relu(sensed)).reshape(state.shape))
