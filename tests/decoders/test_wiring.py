import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import Decoder
from evodev.decoders.base import Tissue
from evodev.decoders.cells.gaussians import SpatialGaussians
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.decoders.wiring.relative import RelativePosition, offsets
from evodev.network import PoolWeights, matrix
from evodev.substrate import Population, Projection, Substrate, mlp
from tests.tiny import GRID

KEY = jax.random.key(0)


def _tissue(**states: list) -> Tissue:
    arrays = {name: jnp.asarray(state, jnp.float32) for name, state in states.items()}
    return Tissue(arrays, {name: jnp.ones(len(state)) for name, state in arrays.items()})


def _sheets(pre: tuple[int, ...], post: tuple[int, ...], *, types: tuple[int, int] = (1, 1)) -> Substrate:
    return Substrate((Population("a", pre, types[0]), Population("b", post, types[1])), (Projection("a", "b"),))


def test_bilinear_wiring_of_two_genes_by_hand() -> None:
    s = mlp((2, 1))
    tissue = _tissue(input=[[1, 2], [0, 1]], output=[[3, -1]])
    genes = {"input->output/rules": jnp.array([[1.0, 0.0], [2.0, 1.0]]), "output/bias": jnp.array([0.5, 1.0])}
    wires = Bilinear().connect(genes, tissue, s, key=KEY)
    # X O = [[1 + 4, 2], [2, 1]]; times (3, -1): 15 - 2, 6 - 1
    np.testing.assert_allclose(wires.weights["input->output"], [[13.0], [5.0]])
    np.testing.assert_allclose(wires.biases["output"], [0.5 * 3 - 1])
    assert wires.gains == {}


def test_bilinear_wiring_can_express_gains() -> None:
    s, tissue = mlp((2, 1)), _tissue(input=[[1], [-2]], output=[[1]])
    genes = {"input->output/rules": jnp.ones((1, 1)), "input->output/gain_rules": jnp.ones((1, 1)), "output/bias": jnp.zeros(1)}
    gains = Bilinear(channels=("gain",)).connect(genes, tissue, s, key=KEY).gains["input->output"]
    np.testing.assert_allclose(gains, np.exp([[1.0], [-2.0]]), rtol=1e-6)
    extra = Bilinear(channels=("gain",)).genome_spec(s, {"input": 1, "output": 1}).size
    assert extra == Bilinear().genome_spec(s, {"input": 1, "output": 1}).size + 1


def test_pairwise_wiring_is_the_mlp_on_every_pair() -> None:
    s, wiring = mlp((3, 2)), PairwiseMLP(hidden=(4,))
    rng = np.random.default_rng(0)
    tissue = _tissue(input=rng.normal(size=(3, 2)).tolist(), output=rng.normal(size=(2, 1)).tolist())
    spec = wiring.genome_spec(s, {"input": 2, "output": 1})
    genes = spec.unpack(spec.init(key=KEY))
    weights = wiring.connect(genes, tissue, s, key=KEY).weights["input->output"]
    g = {name.removeprefix("input->output/"): np.asarray(value) for name, value in genes.items()}
    for i in range(3):
        for j in range(2):
            pair = np.concatenate([tissue.states["input"][i], tissue.states["output"][j]])
            expected = np.tanh(pair @ g["layer0"] + g["offset0"]) @ g["layer1"] + g["offset1"]
            np.testing.assert_allclose(weights[i, j], expected[0], rtol=1e-5)


def test_pairs_in_tiles_are_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    s, wiring = mlp((3, 7)), PairwiseMLP(hidden=(4, 3), channels=("gain",))
    rng = np.random.default_rng(0)
    tissue = _tissue(input=rng.normal(size=(3, 2)).tolist(), output=rng.normal(size=(7, 2)).tolist())
    spec = wiring.genome_spec(s, {"input": 2, "output": 2})

    def both(genome: jax.Array) -> jax.Array:
        wires = wiring.connect(spec.unpack(genome), tissue, s, key=KEY)
        return jnp.stack([wires.weights["input->output"], wires.gains["input->output"]])

    def slope(genome: jax.Array) -> jax.Array:
        return jax.grad(lambda g: (both(g) ** 3).sum())(genome)

    def compiled(genome: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jit(lambda genome: (both(genome), slope(genome)))(genome)

    genome = spec.init(key=KEY)
    whole = compiled(genome)
    # two neurons a tile: four tiles, the last one not full
    monkeypatch.setattr("evodev.decoders.wiring.pairwise.TILE", 6)
    assert "scan" in str(jax.make_jaxpr(both)(genome))
    tiled = compiled(genome)
    np.testing.assert_allclose(tiled[0], whole[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tiled[1], whole[1], rtol=1e-4, atol=1e-5)


def test_a_network_for_biases_may_be_smaller() -> None:
    s = Substrate(
        (Population("input", (28, 28)), Population("hidden", (800,)), Population("output", (10,))),
        (Projection("input", "hidden"), Projection("hidden", "output")),
    )
    wiring = PairwiseMLP((30, 10), bias_hidden=(5,))
    # GN30: 20-30-10-1 for each matrix, 10-5-1 for the hidden biases; ours has one for the outputs' too, in place of 10 numbers
    size = wiring.genome_spec(s, {"input": 10, "hidden": 10, "output": 10}).size
    assert size == 2 * (20 * 30 + 30 + 30 * 10 + 10 + 10 + 1) + 2 * (10 * 5 + 5 + 5 + 1)
    assert size - (10 * 5 + 5 + 5 + 1) + 10 == 1973


def test_pairs_can_have_a_scale_that_begins_at_the_spread_of_he() -> None:
    s, tissue = mlp((8, 2)), _tissue(input=np.eye(8).tolist(), output=[[1], [2]])
    weights = {}
    for scaled in (False, True):
        wiring = PairwiseMLP((4,), scaled=scaled)
        spec = wiring.genome_spec(s, {"input": 8, "output": 1})
        genome = jnp.arange(spec.size) % 7 / 7.0
        weights[scaled] = wiring.connect(spec.unpack(genome.at[-1].multiply(1.0 - scaled)), tissue, s, key=KEY).weights
    np.testing.assert_allclose(weights[True]["input->output"], 0.5 * weights[False]["input->output"], rtol=1e-5)


def test_direct_wiring_is_a_gene_a_weight() -> None:
    s = mlp((2, 3))
    spec = Direct().genome_spec(s, {})
    assert spec.size == 2 * 3 + 3
    genes = spec.unpack(jnp.arange(9.0))
    np.testing.assert_array_equal(
        Direct().connect(genes, _tissue(), s, key=KEY).weights["input->output"], genes["input->output/weight"]
    )


@pytest.mark.parametrize("cells", [CellTypes(), SpatialGaussians(4)], ids=["types", "gaussians"])
def test_relative_weights_are_zero_beyond_the_radius(cells) -> None:
    s, decoder = _sheets((6, 6), (3, 3)), Decoder(cells, RelativePosition(radius=(0.4,)), AllSynapses())
    network = decoder.grow(decoder.genome_spec(s).init(key=KEY), s, key=KEY)
    near = (np.abs(offsets(s, s.projections[0])) <= 0.4 + 1e-6).all(-1)
    assert 0 < near.sum() < near.size
    assert (np.asarray(network.weights["a->b"])[~near] == 0).all()
    np.testing.assert_array_equal(network.masks["a->b"], near)


def test_relative_weights_of_a_type_depend_on_the_offset_alone() -> None:
    s = _sheets((6,), (6,), types=(2, 3))
    decoder = Decoder(CellTypes(), RelativePosition(radius=(0.7,)), AllSynapses())
    network = decoder.grow(decoder.genome_spec(s).init(key=KEY), s, key=KEY)
    by_place = np.asarray(network.weights["a->b"]).reshape(6, 2, 6, 3)
    for shift in (-1, 0, 1):
        kernels = [by_place[i, :, i + shift] for i in range(1, 5)]
        assert np.abs(kernels[0]).max() > 0
        np.testing.assert_allclose(kernels, np.broadcast_to(kernels[0], (4, 2, 3)), atol=1e-6)
    assert not np.allclose(by_place[2, :, 2], by_place[2, :, 3])


def test_relative_kernels_by_hand() -> None:
    # one wave beside the constant, over a window of half-width 1: cos(pi * (x + 1) / 2)
    s, wiring = _sheets((4,), (1,)), RelativePosition(radius=(1.0,), waves=(2,))
    genes = {"a->b/kernels": jnp.array([[[10.0, 1.0]]]), "b/bias": jnp.zeros(1)}
    weights = matrix(wiring.connect(genes, CellTypes().express({}, s, key=KEY), s, key=KEY).weights["a->b"])
    x = np.array([-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(weights[:, 0], 10 + np.cos(np.pi * (x + 1) / 2), rtol=1e-5)


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_pooling_weights_add_up_to_the_strength_and_join_like_types(strength: float) -> None:
    s = _sheets((4, 4), (2, 2), types=(2, 2))
    wiring = RelativePosition(radius=(0.6,), form=("pool",))
    genes = {
        "a->b/log_widths": jnp.log(jnp.array([0.5, 0.3])),
        "a->b/log_strengths": jnp.log(strength * jnp.ones(2)),
        "b/bias": jnp.zeros(2),
    }
    pooled = wiring.connect(genes, CellTypes().express({}, s, key=KEY), s, key=KEY).weights["a->b"]
    assert isinstance(pooled, PoolWeights)
    weights = np.asarray(pooled.dense()).reshape(16, 2, 4, 2)
    assert (weights[:, 0, :, 1] == 0).all()
    assert (weights[:, 1, :, 0] == 0).all()
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum((0, 1)), strength, rtol=1e-4)
    np.testing.assert_array_equal(weights.reshape(32, 8) > 0, wiring.windows(s)["a->b"])


@pytest.mark.parametrize(
    ("wiring", "substrate", "message"),
    [
        (RelativePosition(radius=(0.4, 0.5)), _sheets((4,), (4,)), "radius needs 1 or 1 values, one a grown projection"),
        (RelativePosition(), _sheets((4,), (4, 4)), r"a->b joins grids \(4,\) and \(4, 4\); bilinear wiring serves any"),
        (RelativePosition(radius=(0.1,)), _sheets((2,), (3,)), "radius 0.1 leaves neurons of b without input from a; enlarge it"),
        (RelativePosition(form=("pool",)), _sheets((2,), (2,), types=(2, 3)), "a->b pools 2 types into 3; give both as many"),
    ],
)
def test_a_substrate_that_relative_wiring_cannot_serve_is_refused(wiring, substrate: Substrate, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Decoder(CellTypes(), wiring, AllSynapses()).genome_spec(substrate)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RelativePosition(radius=(-1.0,)), "wiring: radius must be positive"),
        (lambda: RelativePosition(waves=(0,)), "wiring: waves must be at least 1"),
        (lambda: RelativePosition(form=("convolution",)), "wiring: form must be kernel or pool"),  # type: ignore[arg-type]
        (lambda: PairwiseMLP(hidden=()), "wiring: hidden needs one or more positive widths"),
        (lambda: PairwiseMLP(bias_hidden=(0,)), "wiring: bias_hidden needs one or more positive widths"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_blank_projections_take_no_genes() -> None:
    for wiring in (Bilinear(), PairwiseMLP(), Direct(), RelativePosition()):
        spec = wiring.genome_spec(GRID, CellTypes().widths(GRID))
        assert not [gene for gene in spec.slices if gene.startswith(("hidden->output", "output"))]
