"""Neurons have no numbers: hidden neurons that change places with all they are change nothing that the network computes."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import WIRINGS, Cells, Decoder, Wiring
from evodev.decoders.base import Tissue
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians
from evodev.decoders.cells.soft_types import SoftTypes
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.cppn import CPPN
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.decoders.wiring.relative import RelativePosition
from evodev.network import Network, forward
from evodev.substrate import Substrate, mlp
from evodev.types import Genome

KEY = jax.random.key(0)
ORDER = np.array([3, 0, 4, 1, 2])
PLACES = ((-0.9,), (-0.3,), (0.1,), (0.4,), (0.95,))
READ_THE_PLACE = {"direct", "relative_position", "cellular_automaton"}
"""Wirings to which a neuron is more than its state: its gene, its place, its neighbours in the matrix."""


def _placed(places: tuple[tuple[float, ...], ...]) -> Substrate:
    s = mlp((4, 5, 3))
    return replace(s, populations=tuple(replace(p, at=places) if p.name == "hidden1" else p for p in s.populations))


def _assert_permuted(whole: Network, permuted: Network, substrate: Substrate) -> None:
    """Columns into and rows out of the hidden neurons have changed places, and nothing that comes out has."""
    assert not np.allclose(whole.weights["input->hidden1"], permuted.weights["input->hidden1"])
    for a, b in ((whole.weights, permuted.weights), (whole.masks, permuted.masks)):
        np.testing.assert_allclose(a["input->hidden1"][:, ORDER], b["input->hidden1"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a["hidden1->output"][ORDER], b["hidden1->output"], rtol=1e-4, atol=1e-5)
    x = jax.random.normal(KEY, (6, 4))
    answers = forward(substrate, whole, x)
    assert np.std(answers) > 0
    np.testing.assert_allclose(answers, forward(substrate, permuted, x), rtol=1e-3, atol=1e-4)


def _grow(decoder: Decoder, genome: Genome, substrate: Substrate) -> Network:
    return decoder.grow(genome, substrate, key=KEY)


@pytest.mark.parametrize(
    ("cells", "wiring"),
    [
        (Coordinates(), CPPN()),
        (Coordinates(), CPPN(channels=("logit",), distance=True)),
        (Coordinates(), PairwiseMLP()),
        (CosineBasis((4,)), Bilinear()),
        (SpatialGaussians(4), Bilinear()),
        (Gradients(4), PairwiseMLP()),
        (SoftTypes(), CPPN()),
        (CellTypes(), RelativePosition(radius=(2.0,))),
    ],
    ids=lambda part: type(part).__name__,
)
def test_hidden_neurons_change_places_with_their_coordinates(cells: Cells, wiring: Wiring) -> None:
    decoder, here, there = Decoder(cells, wiring, Budget(0.5)), _placed(PLACES), _placed(tuple(PLACES[i] for i in ORDER))
    genome = decoder.genome_spec(here).init(key=KEY)
    _assert_permuted(_grow(decoder, genome, here), _grow(decoder, genome, there), here)


@pytest.mark.parametrize(
    ("decoder", "axes"),
    [
        (Decoder(ExpressionTable(4), Bilinear(), Budget(0.5)), {"cells/hidden1/expression": 0}),
        (Decoder(ExpressionTable(4), CPPN(), Budget(0.5)), {"cells/hidden1/expression": 0}),
        (
            Decoder(CellTypes(), Direct(), Budget(0.5)),
            {"wiring/input->hidden1/weight": 1, "wiring/hidden1->output/weight": 0, "wiring/hidden1/bias": 0},
        ),
    ],
    ids=["table-bilinear", "table-cppn", "direct"],
)
def test_hidden_neurons_change_places_with_their_genes(decoder: Decoder, axes: dict[str, int]) -> None:
    s, spec = mlp((4, 5, 3)), decoder.genome_spec(mlp((4, 5, 3)))
    genome = spec.init(key=KEY)
    genes = spec.unpack(genome)
    genes |= {name: jnp.take(genes[name], ORDER, axis) for name, axis in axes.items()}
    _assert_permuted(_grow(decoder, genome, s), _grow(decoder, spec.pack(genes), s), s)


@pytest.mark.parametrize("name", sorted(set(WIRINGS) - READ_THE_PLACE))
def test_a_wiring_that_reads_states_knows_no_order(name: str) -> None:
    s, wiring, sizes = mlp((4, 5, 3)), WIRINGS[name](), {"input": 4, "hidden1": 5, "output": 3}
    states = {n: jax.random.normal(jax.random.fold_in(KEY, size), (size, 3)) for n, size in sizes.items()}
    alive = {n: jnp.ones(size) for n, size in sizes.items()}
    spec = wiring.genome_spec(s, dict.fromkeys(sizes, 3))
    genes = spec.unpack(spec.init(key=KEY))
    a = wiring.connect(genes, Tissue(states, alive), s, key=KEY)
    b = wiring.connect(genes, Tissue(states | {"hidden1": states["hidden1"][ORDER]}, alive), s, key=KEY)
    # what is drawn from the key belongs to a slot, not to a neuron
    for x, y in ((a.logits, b.logits), *([] if wiring.stochastic else [(a.weights, b.weights)])):
        assert not np.allclose(x["input->hidden1"], y["input->hidden1"])
        np.testing.assert_allclose(x["input->hidden1"][:, ORDER], y["input->hidden1"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(x["hidden1->output"][ORDER], y["hidden1->output"], rtol=1e-4, atol=1e-5)
    if a.biases:
        np.testing.assert_allclose(a.biases["hidden1"][ORDER], b.biases["hidden1"], rtol=1e-4, atol=1e-5)
