"""The published systems at sizes that a hand can compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.decoders import DECODERS, Decoder
from evodev.decoders.base import Tissue
from evodev.decoders.cells.address import BinaryAddress
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.cells.cosine import CosineBasis, cosine_basis
from evodev.decoders.cells.soft_types import SoftTypes
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.automaton import CellularAutomaton, update
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.compatibility import TypeCompatibility
from evodev.decoders.wiring.cppn import CPPN, mixed
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.network import Network
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.types import Genes

KEY = jax.random.key(0)


def _grow(decoder: Decoder, substrate: Substrate, genes: Genes) -> Network:
    """The network of named genes."""
    return decoder.grow(decoder.genome_spec(substrate).pack(genes), substrate, key=KEY)


def _tissue(**states: list) -> Tissue:
    arrays = {name: jnp.asarray(state, jnp.float32) for name, state in states.items()}
    return Tissue(arrays, {name: jnp.ones(len(state)) for name, state in arrays.items()})


# GEM


def test_gem_of_two_genes_by_hand() -> None:
    s, decoder = mlp((2, 1, 1)), Decoder(ExpressionTable(2), Bilinear(shared=True), AllSynapses())
    genes = {
        "cells/input/expression": jnp.array([[1.0, 2.0], [0.0, 1.0]]),
        "cells/hidden1/expression": jnp.array([[3.0, -1.0]]),
        "cells/output/expression": jnp.array([[1.0, 1.0]]),
        "wiring/rules": jnp.array([[1.0, 0.0], [2.0, 1.0]]),
        "wiring/hidden1/bias": jnp.array([1.0, 0.0]),
        "wiring/output/bias": jnp.array([0.5, 1.0]),
    }
    network = _grow(decoder, s, genes)
    # X O = [[5, 2], [2, 1]], times (3, -1); then (3, -1) O = (1, -1), times (1, 1)
    np.testing.assert_allclose(network.weights["input->hidden1"], [[13.0], [5.0]])
    np.testing.assert_allclose(network.weights["hidden1->output"], [[0.0]])
    np.testing.assert_allclose(network.biases["hidden1"], [3.0])
    np.testing.assert_allclose(network.biases["output"], [1.5])


def test_gem_takes_as_many_numbers_as_the_paper_says() -> None:
    # G (inputs + outputs + G), and what we add: a scale, and G rules of the outputs' biases
    s, genes = mlp((784, 10)), 9
    decoder = Decoder(ExpressionTable(genes), Bilinear(shared=True, scaled=True), AllSynapses())
    assert decoder.genome_spec(s).size == genes * (784 + 10 + genes) + 1 + genes


def test_scaled_rules_begin_at_the_spread_of_he() -> None:
    s, decoder = mlp((50, 40)), Decoder(ExpressionTable(9), Bilinear(scaled=True), AllSynapses())
    genome = decoder.genome_spec(s).init(key=KEY).at[decoder.genome_spec(s).slices["wiring/input->output/log_scale"]].set(0.0)
    weights = decoder.grow(genome, s, key=KEY).weights["input->output"]
    assert np.std(weights) == pytest.approx((2 / 50) ** 0.5, rel=0.3)


def test_rules_can_only_be_shared_by_states_of_one_length() -> None:
    with pytest.raises(ValueError, match=r"shared rules need states of one length .*'input': 3, 'output': 2.*shared: false"):
        Decoder(CosineBasis(), Bilinear(shared=True), AllSynapses()).genome_spec(mlp((3, 2)))


def test_a_population_of_blank_slates_alone_expresses_no_genes() -> None:
    spec = ExpressionTable(2).genome_spec(mlp((3, 4, 2), blank_readout=True))
    assert list(spec.slices) == ["input/expression", "hidden1/expression"]


# DCT


def test_a_dct_of_two_by_two_by_hand() -> None:
    s, decoder = mlp((2, 2)), Decoder(CosineBasis((2,)), Bilinear(), AllSynapses())
    genes = {"wiring/input->output/rules": jnp.array([[4.0, 1.0], [2.0, 3.0]]), "wiring/output/bias": jnp.array([1.0, 2.0])}
    network = _grow(decoder, s, genes)
    # the basis is (1, sqrt 2 cos(pi/4)) = (1, 1) and (1, sqrt 2 cos(3 pi/4)) = (1, -1): w = c00 +- c01 +- c10 +- c11
    np.testing.assert_allclose(network.weights["input->output"], [[4 + 1 + 2 + 3, 4 - 1 + 2 - 3], [4 + 1 - 2 - 3, 4 - 1 - 2 + 3]])
    np.testing.assert_allclose(network.biases["output"], [3.0, -1.0], rtol=1e-6)


def test_the_lowest_cosines_of_a_grid_in_order() -> None:
    basis = cosine_basis(Population("p", (3, 2)), 3)
    # orders (0,0), (0,1), (1,0), (1,1), (2,0): two columns tell only two waves apart
    assert basis.shape == (6, 5)
    down, across = np.cos(np.pi * np.array([1, 3, 5]) / 6), np.cos(np.pi * np.array([1, 3]) / 4)
    np.testing.assert_allclose(basis[:, 3], 2 * np.outer(down, across).ravel(), atol=1e-6)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple), st.integers(1, 2), st.integers(1, 12))
def test_cosines_over_a_grid_are_orthogonal_and_of_unit_size(grid: tuple[int, ...], types: int, order: int) -> None:
    p = Population("p", grid, types)
    basis = cosine_basis(p, order)
    assert 1 <= basis.shape[1] <= p.size
    np.testing.assert_allclose(basis.T @ basis / p.size, np.eye(basis.shape[1]), atol=1e-5)
    assert order < 12 or basis.shape[1] == p.size  # high enough orders can say anything


def test_orders_are_one_or_one_a_population() -> None:
    assert CosineBasis((4, 2)).widths(mlp((9, 9))) == {"input": 4, "output": 2}
    with pytest.raises(ValueError, match=r"cells: orders needs 1 or 3 values, one a population; given \(4, 2\)"):
        CosineBasis((4, 2)).widths(mlp((9, 9, 9)))


# HyperNEAT


def test_coordinates_are_depth_and_place() -> None:
    s = Substrate(
        (Population("a", (2, 1)), Population("b", (2,), types=2), Population("c", (1,))),
        (Projection("a", "b"), Projection("b", "c")),
    )
    states = Coordinates().express({}, s, key=KEY).states
    np.testing.assert_allclose(states["a"], [[-1, -0.5, 0], [-1, 0.5, 0]])
    np.testing.assert_allclose(states["b"], [[0, -0.5, -0.5], [0, -0.5, 0.5], [0, 0.5, -0.5], [0, 0.5, 0.5]])
    np.testing.assert_allclose(states["c"], [[1, 0]])
    assert Coordinates().widths(s) == {"a": 3, "b": 3, "c": 2}


def test_units_of_a_layer_have_five_activations_in_turn() -> None:
    x = np.array([2.0, 1.0, -1.0, -1.0, -3.0], np.float32)
    np.testing.assert_allclose(mixed(jnp.asarray(x)), [np.sin(2), np.exp(-1), np.tanh(-1), 0, 3], rtol=1e-6)
    np.testing.assert_allclose(mixed(jnp.asarray(np.repeat(x, 2))), np.repeat(mixed(jnp.asarray(x)), 2))


def _cppn(channels: tuple[str, ...] = ()) -> tuple[CPPN, Genes]:
    """Two units, sin(x_i + x_j) and exp(-(x_i - x_j)^2), of a state of one number each."""
    genes = {
        "pre": jnp.array([[1.0, 1.0]]),
        "post": jnp.array([[1.0, -1.0]]),
        "offset0": jnp.zeros(2),
        "weight_output": jnp.array([1.0, 1.0]),
        "weight_offset": jnp.array(-0.5),
        "bias_output": jnp.array([1.0, 0.0]),
        "bias_offset": jnp.array(0.25),
    }
    for channel in channels:
        genes |= {f"{channel}_output": jnp.array([0.0, 2.0]), f"{channel}_offset": jnp.array(-1.0)}
    return CPPN(hidden=(2,), channels=channels), genes


PRE, POST = np.array([[0.5], [-1.0]]), np.array([[0.25]])
Q = np.tanh(np.sin(PRE + POST.T) + np.exp(-((PRE - POST.T) ** 2)) - 0.5)
"""(.81, -.75): one on either side of the higher threshold below."""


@pytest.mark.parametrize("threshold", [0.3, 0.78])
def test_a_tiny_cppn_by_hand(threshold: float) -> None:
    wiring, genes = _cppn()
    wiring = CPPN(wiring.hidden, threshold=threshold)
    wires = wiring.connect(genes, _tissue(input=PRE.tolist(), output=POST.tolist()), mlp((2, 1)), key=KEY)
    expected = np.where(np.abs(Q) < threshold, 0, np.sign(Q) * (np.abs(Q) - threshold) / (1 - threshold) * 5)
    assert (expected != 0).sum() == (2 if threshold == 0.3 else 1)
    np.testing.assert_allclose(wires.weights["input->output"], expected, rtol=1e-4)
    np.testing.assert_allclose(wires.logits["input->output"], np.abs(Q) - threshold, rtol=1e-4)
    np.testing.assert_allclose(wires.biases["output"], np.tanh(np.sin(0.25) + 0.25)[None], rtol=1e-5)


def test_a_cppn_can_weigh_by_the_number_of_inputs() -> None:
    wiring, genes = _cppn()
    tissue, s = _tissue(input=[*PRE.tolist(), [0.3]], output=POST.tolist()), mlp((3, 1))
    plain, scaled = (CPPN(wiring.hidden, scaled=on).connect(genes, tissue, s, key=KEY) for on in (False, True))
    np.testing.assert_allclose(scaled.weights["input->output"], plain.weights["input->output"] * (2 / 3) ** 0.5, rtol=1e-6)
    np.testing.assert_array_equal(scaled.logits["input->output"], plain.logits["input->output"])


def test_links_can_be_expressed_apart() -> None:
    wiring, genes = _cppn(("logit",))
    wires = wiring.connect(genes, _tissue(input=PRE.tolist(), output=POST.tolist()), mlp((2, 1)), key=KEY)
    np.testing.assert_allclose(wires.weights["input->output"], 5 * Q, rtol=1e-5)
    np.testing.assert_allclose(wires.logits["input->output"], 2 * np.exp(-((PRE - POST.T) ** 2)) - 1, rtol=1e-5)


def test_a_cppn_can_read_how_far_apart_two_neurons_are() -> None:
    s, wiring = mlp((2, 1)), CPPN(hidden=(1,), distance=True, threshold=0.0, largest=1.0)
    genes = {
        "pre": jnp.zeros((2, 1)), "post": jnp.zeros((1, 1)), "distance": jnp.ones(1), "offset0": jnp.zeros(1),
        "weight_output": jnp.ones(1), "weight_offset": jnp.zeros(()), "bias_output": jnp.ones(1), "bias_offset": jnp.zeros(()),
    }  # fmt: skip
    wires = wiring.connect(genes, _tissue(input=[[3.0, 1.0], [0.0, 4.0]], output=[[3.0]]), s, key=KEY)
    np.testing.assert_allclose(wires.weights["input->output"], np.tanh(np.sin([[1.0], [5.0]])), atol=1e-5)


def test_one_cppn_serves_all_projections() -> None:
    size = {len(sizes): CPPN().genome_spec(s := mlp(sizes), Coordinates().widths(s)).size for sizes in [(3, 2), (30, 20, 10, 5)]}
    assert size[2] == size[4]


# G-net


def _digits(hidden: int = 800) -> Substrate:
    """784-800-10, the inputs being a square."""
    populations = (
        Population("input", (28, 28)),
        Population("hidden", (hidden,)),
        Population("output", (10,), activation="linear"),
    )
    return Substrate(populations, (Projection("input", "hidden"), Projection("hidden", "output")))


def test_labels_of_the_paper_have_ten_bits_a_neuron() -> None:
    cells = BinaryAddress("paper", zero=0.0)
    assert cells.widths(_digits()) == {"input": 10, "hidden": 10, "output": 10}
    states = cells.express({}, _digits(), key=KEY).states
    assert all(np.isin(state, (0, 1)).all() and len(np.unique(state, axis=0)) == len(state) for state in states.values())
    # pixel (3, 1) is 00010 and 00001 in Gray code; hidden neuron 5 is 101; output 2 is the third of ten
    np.testing.assert_array_equal(states["input"][3 * 28 + 1], [0, 0, 0, 1, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(states["hidden"][5], [0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal(states["output"][2], np.eye(10)[2])
    symmetric = BinaryAddress("paper").express({}, _digits(), key=KEY).states
    np.testing.assert_array_equal(symmetric["hidden"], 2 * states["hidden"] - 1)


def test_the_preset_has_the_weight_networks_of_gn30() -> None:
    sizes = {gene.name: gene.size for gene in DECODERS["gnet"].genome_spec(_digits()).genes}
    for projection in ("input->hidden", "hidden->output"):
        assert (
            sum(n for name, n in sizes.items() if name.startswith(f"wiring/{projection}/"))
            == 20 * 30 + 30 + 30 * 10 + 10 + 10 + 1
        )


def test_a_gnet_of_two_bits_by_hand() -> None:
    s, decoder = mlp((4, 1)), Decoder(BinaryAddress("paper", zero=0.0), PairwiseMLP((1,)), AllSynapses())
    genes = {
        "layer0": jnp.array([[2.0], [1.0], [-0.5]]), "offset0": jnp.array([0.5]),
        "layer1": jnp.array([[3.0]]), "offset1": jnp.array([1.0]),
    }  # fmt: skip
    bias = {"layer0": jnp.array([[1.0]]), "offset0": jnp.zeros(1), "layer1": jnp.array([[1.0]]), "offset1": jnp.zeros(1)}
    named = {f"wiring/input->output/{n}": g for n, g in genes.items()} | {f"wiring/output/bias/{n}": g for n, g in bias.items()}
    network = _grow(decoder, s, named)
    # Gray codes 00, 01, 11, 10 give 0, 1, 3, 2; the output's one bit takes .5 off and the offset puts it on again
    np.testing.assert_allclose(network.weights["input->output"][:, 0], 3 * np.tanh([0, 1, 3, 2]) + 1, rtol=1e-5)


# NDNA


def test_a_neurons_types_lean_with_its_place() -> None:
    s = mlp((2, 1))
    genes = {"input/base": jnp.array([0.0, 1.0]), "input/slope": jnp.array([[2.0, 0.0]])}
    genes |= {"output/base": jnp.zeros(2), "output/slope": jnp.array([[0.0, 1.0]])}
    states = SoftTypes(2).express(genes, s, key=KEY).states
    # places .25 and .75: leanings (.5, 1) and (1.5, 1), times 3
    share = 1 / (1 + np.exp([1.5, -1.5]))
    np.testing.assert_allclose(states["input"], np.stack([share, 1 - share], 1), rtol=1e-5)
    np.testing.assert_allclose(states["output"][0, 1], 1 / (1 + np.exp(-1.5)), rtol=1e-5)


def test_type_compatibility_by_hand() -> None:
    s, wiring = mlp((2, 1, 1)), TypeCompatibility(affinity=4)
    tissue = _tissue(input=[[1, 0], [0.5, 0.5]], hidden1=[[0, 1]], output=[[1, 0]])
    genes = {
        "affinities": jnp.array([[1.0, 1, 0, 0], [2.0, 0, 0, 2]]),
        "compatibility": jnp.array([[-1.0, 0.5], [-2.0, 0.0]]),
        "scale": jnp.log(jnp.expm1(2.0)),
        "depth": jnp.log(jnp.expm1(0.6)),
        "log_weight": jnp.log(jnp.array(3.0)),
    }
    wires = wiring.connect(genes, tissue, s, key=KEY)
    # A A^T / 2 = [[1, 1], [1, 4]]; rules 2 [[0, 1.5], [-1, 4]]; depth .6 / 3
    np.testing.assert_allclose(wires.logits["input->hidden1"], [[3 - 0.2], [(3 + 8) / 2 - 0.2]], rtol=1e-4)
    np.testing.assert_allclose(wires.logits["hidden1->output"], [[-2 - 0.2]], rtol=1e-4)
    plain = wiring.connect(genes | {"log_weight": jnp.zeros(())}, tissue, s, key=KEY)
    np.testing.assert_allclose(wires.weights["input->hidden1"], 3 * plain.weights["input->hidden1"], rtol=1e-5)
    assert wires.biases == {}


def test_ndna_takes_as_many_numbers_as_the_paper_says_and_one_for_the_weights() -> None:
    spec = DECODERS["ndna"].genome_spec(mlp((784, 48, 48, 48, 48, 10)))
    assert sum(gene.size for gene in spec.genes if not gene.name.startswith("sparsity")) == 226 + 1


def test_ndna_is_born_disconnected_and_with_weights_from_the_key() -> None:
    s, decoder = mlp((60, 40, 10)), DECODERS["ndna"]
    assert decoder.stochastic
    spec = decoder.genome_spec(s)
    born = decoder.trace(spec.init(key=KEY), s, key=KEY).wires
    assert all((logits < 0).all() for logits in born.logits.values())
    middle = decoder.trace(jnp.zeros(spec.size), s, key=KEY).wires.weights["input->hidden1"]
    assert np.std(middle) == pytest.approx(2 / 100**0.5, rel=0.1)
    assert not np.allclose(middle, decoder.trace(jnp.zeros(spec.size), s, key=jax.random.key(1)).wires.weights["input->hidden1"])


# HyperNCA


def test_one_update_of_the_automaton_by_hand() -> None:
    # one number a cell, one unit: twice the cell above, once the cell to the right, minus a half
    sense = jnp.zeros((3, 3, 1, 1)).at[0, 1].set(2.0).at[1, 2].set(1.0)
    genes = {"sense": sense, "offset": jnp.array([-0.5]), "act": jnp.array([[10.0]])}
    state = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    sensed = np.array([[0.2, 0.0], [2 * 0.1 + 0.4, 2 * 0.2]]) - 0.5
    expected = np.tanh(state + 10 * np.maximum(sensed, 0))
    np.testing.assert_allclose(update(jnp.asarray(state)[None], genes)[0], expected, rtol=1e-5)


def test_an_automaton_with_an_idle_rule_lets_the_seed_fade() -> None:
    s, wiring = mlp((2, 1)), CellularAutomaton(cells=2, hidden=1, steps=2, channels=("gain",))
    genes = {
        "pre": jnp.array([[1.0, 0.0]]), "post": jnp.array([[1.0, 1.0]]), "sense": jnp.ones((3, 3, 2, 1)),
        "offset": jnp.zeros(1), "act": jnp.zeros((1, 2)),
    }  # fmt: skip
    wires = wiring.connect(genes, _tissue(input=[[1.0], [-2.0]], output=[[0.5]]), s, key=KEY)
    faded = np.tanh(np.tanh(np.tanh([[1.5], [-1.5]])))
    np.testing.assert_allclose(wires.weights["input->output"], 3**0.5 * faded, rtol=1e-5)
    np.testing.assert_allclose(wires.gains["input->output"], np.exp(np.tanh(np.tanh(np.tanh([[0.5], [0.5]])))), rtol=1e-5)


def test_news_travels_one_cell_an_update() -> None:
    s, decoder = mlp((9, 9)), DECODERS["hypernca"]
    spec = decoder.wiring.genome_spec(s, {"input": 1, "output": 1})
    genes, steps = spec.unpack(spec.init(key=KEY)), CellularAutomaton(steps=3)
    states = {"input": jnp.zeros((9, 1)), "output": jnp.zeros((9, 1))}
    quiet = steps.stages(genes, _tissue(**{n: x.tolist() for n, x in states.items()}), s, key=KEY)
    states["input"] = states["input"].at[0].set(1.0)
    told = steps.stages(genes, _tissue(**{n: x.tolist() for n, x in states.items()}), s, key=KEY)
    for t, (a, b) in enumerate(zip(quiet, told, strict=True)):
        rows = np.flatnonzero((np.abs(a.weights["input->output"] - b.weights["input->output"]) > 1e-7).any(1))
        assert rows.max() == t + 1


def test_the_film_of_an_automaton_ends_with_its_network() -> None:
    s, decoder = mlp((5, 4)), Decoder(Coordinates(), CellularAutomaton(steps=3), AllSynapses())
    genome = decoder.genome_spec(s).init(key=KEY)
    film = decoder.film(genome, s, key=KEY)
    weights = [trace.network.weights["input->output"] for trace in film]
    assert len(weights) == 3
    assert not np.allclose(weights[0], weights[1])
    np.testing.assert_allclose(weights[-1], decoder.grow(genome, s, key=KEY).weights["input->output"], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExpressionTable(0), "cells: genes must be at least 1, given 0"),
        (lambda: CosineBasis((0,)), r"cells: orders must be at least 1, given \(0,\)"),
        (lambda: CPPN(hidden=()), "wiring: hidden needs one or more positive widths"),
        (lambda: BinaryAddress("plain"), "cells: code must be gray or paper and zero -1 or 0, given 'plain'"),  # type: ignore[arg-type]
        (lambda: BinaryAddress(zero=0.5), "cells: code must be gray or paper and zero -1 or 0, given 'gray' and 0.5"),
        (lambda: SoftTypes(1), "cells: types must be at least 2, given 1"),
        (lambda: TypeCompatibility(0), "wiring: affinity must be at least 1, given 0"),
        (lambda: CellularAutomaton(cells=1, channels=("gain",)), "cells of at least 2 .*, given 12, 8 and 1"),
        (lambda: CPPN(threshold=1.0), "needs 0 <= threshold < 1 and largest > 0, given 1.0 and 5.0"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["gem", "spatial_gem", "gnet", "hyperneat", "dct", "ndna", "hypernca"])
def test_the_published_systems_are_presets(name: str) -> None:
    assert DECODERS[name].genome_spec(mlp((10, 12, 4))).size > 0
