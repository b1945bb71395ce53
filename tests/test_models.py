"""Somebody else's models: plain dicts, flax linen and flax nnx; dense, convolution and attention kernels."""

import inspect
import re
from dataclasses import replace
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from evodev.compress import target_weights
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses, Budget
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.relative import RelativePosition
from evodev.learners import Gradient
from evodev.models import (
    from_params,
    grow_like,
    kernel_paths,
    masks_like,
    model_forward,
    read_params,
    sparse,
    write_params,
)
from evodev.network import forward, matrix
from evodev.pytrees import leaves_of
from evodev.substrate import mlp
from tests.tiny import DIRECT, random_network

KEY = jax.random.key(0)
MODEL = nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(2)])
HALF = Decoder(CellTypes(), Direct(), Budget(0.5))


@pytest.fixture(scope="module")
def params() -> Any:
    return MODEL.init(KEY, jnp.ones((1, 3)))["params"]


def _zeros(**shapes: tuple[int, ...]) -> dict[str, Any]:
    return {name: {"kernel": np.zeros(shape, np.float32)} for name, shape in shapes.items()}


class Attention(nn.Module):
    """Attention and a readout: kernels that are no chain, some of rank 3."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(3)(nn.MultiHeadDotProductAttention(num_heads=2)(x, x))


class Convolution(nnx.Module):
    """A flax nnx model of one convolution and one dense layer, and state that is no parameter."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(2, 3, (3, 3), rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs)
        self.head = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.conv(x)).mean((1, 2)))


# ---- reading


def test_a_chain_is_read_off_a_plain_dict() -> None:
    s = from_params({"one": {"kernel": np.zeros((4, 3)), "bias": np.zeros(3)}, "two": {"kernel": np.zeros((3, 2))}})
    assert [(p.name, p.size) for p in s.populations] == [("input", 4), ("hidden1", 3), ("output", 2)]
    assert [p.kernel for p in s.projections] == ["one/kernel", "two/kernel"]
    assert not s.modular


def test_a_chain_is_read_off_flax_linen_without_parameters_in_memory() -> None:
    params = jax.eval_shape(lambda: MODEL.init(KEY, np.zeros((1, 3))))["params"]
    assert [p.size for p in from_params(params).populations] == [3, 4, 2]


def test_layers_are_ordered_by_number() -> None:
    s = from_params(_zeros(**{f"layer_{i}": (i + 1, i + 2) for i in range(11)}))
    assert [p.size for p in s.populations] == list(range(1, 13))


def test_patterns_choose_kernels_and_their_order() -> None:
    tree = {"decoder": _zeros(a=(4, 3), b=(5, 2)), "encoder": _zeros(a=(2, 4)), "table": np.zeros((9, 9)), "bias": np.zeros(3)}
    everything = ["decoder/a/kernel", "decoder/b/kernel", "encoder/a/kernel"]
    assert kernel_paths(tree) == everything
    assert kernel_paths(tree, "**/kernel") == everything
    assert kernel_paths(tree, "*/a/kernel") == [everything[0], everything[2]]
    assert kernel_paths(tree, "table") == ["table"]
    assert kernel_paths(tree, re.compile(r"decoder/[ab]/kernel")) == everything[:2]
    s = from_params(tree, pattern=("encoder/**", "decoder/a/*"))
    assert [p.kernel for p in s.projections] == ["encoder/a/kernel", "decoder/a/kernel"]
    assert [p.size for p in s.populations] == [2, 4, 3]
    assert kernel_paths({"a": np.zeros((4, 3)), "b": np.zeros(3)}) == ["a"]


def test_kernels_that_do_not_chain_get_a_pair_of_populations_each() -> None:
    s = from_params({"x": _zeros(up=(5, 4), down=(3, 2))})
    assert s.modular
    assert [(p.name, p.size) for p in s.populations] == [("x/down.in", 3), ("x/down.out", 2), ("x/up.in", 5), ("x/up.out", 4)]
    assert (s.depths["x/down.in"], s.depths["x/up.out"]) == (0, 1)
    assert from_params(_zeros(a=(2, 3), b=(3, 2)), modular=True).modular


def test_a_convolution_reads_a_patch_of_channels() -> None:
    shapes = {"one": (5, 2, 3), "two": (3, 4, 2, 6), "three": (2, 2, 2, 1, 3)}
    s = from_params(_zeros(**shapes))
    laid = {p.name: (p.grid, p.types) for p in s.populations}
    assert [laid["one.in"], laid["one.out"]] == [((5,), 2), ((1,), 3)]
    assert [laid["two.in"], laid["two.out"]] == [((3, 4), 2), ((1, 1), 6)]
    assert [laid["three.in"], laid["three.out"]] == [((2, 2, 2), 1), ((1, 1, 1), 3)]


def test_axes_of_attention_are_told() -> None:
    tree = _zeros(query=(8, 2, 4), out=(2, 4, 8))
    s = from_params(tree, input_axes={"**/query/kernel": 1, "out/kernel": 2})
    laid = {p.name: (p.grid, p.types) for p in s.populations}
    assert laid == {"out.in": ((2,), 4), "out.out": ((8,), 1), "query.in": ((8,), 1), "query.out": ((2,), 4)}


def test_neurons_lie_where_told() -> None:
    chain = {"a": np.zeros((6, 4)), "b": np.zeros((4, 2))}
    s = from_params(chain, grids={"input": (2, 3), "hidden*": (2,)}, coordinates={"output": [[0.0, 1.0], [1.0, 0.0]]})
    assert [(p.grid, p.types) for p in s.populations] == [((2, 3), 1), ((2,), 2), ((2,), 1)]
    np.testing.assert_array_equal(s.output.positions, [[0, 1], [1, 0]])
    conv = {"c": np.zeros((2, 3, 4))}
    a_position = from_params(conv, coordinates={"c.in": np.array([[0.0], [7.0]])}).input
    np.testing.assert_array_equal(a_position.coordinates.ravel(), [0, 0, 0, 7, 7, 7])
    a_neuron = from_params(conv, coordinates={"c.in": np.arange(6.0)[:, None]}).input
    np.testing.assert_array_equal(a_neuron.coordinates.ravel(), range(6))


TREE = {"a": {"kernel": np.zeros((4, 3)), "bias": np.zeros(3)}, "b": {"kernel": np.zeros((2, 2))}}


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (partial(from_params, {"bias": np.zeros(3)}), r"no leaf is a kernel \(rank 2 to 5\); there are bias$"),
        (partial(from_params, {}), "there are none$"),
        (partial(from_params, TREE, modular=False), "kernel a/kernel gives 3 outputs but b/kernel takes 2 inputs; not a chain"),
        (partial(from_params, _zeros(c=(3, 1, 2)), modular=False), r"kernel c/kernel of shape \(3, 1, 2\) is not dense"),
        (partial(from_params, TREE, pattern="**/kernels"), r"'\*\*/kernels' matches no path; there are a/bias, a/kernel, b"),
        (partial(from_params, TREE, pattern=("a/kernel", "c/*")), r"'c/\*' matches no path; there are a/bias"),
        (partial(from_params, TREE, pattern=re.compile("z+")), r"pattern 'z\+' matches no path"),
        (partial(from_params, TREE, pattern="a/*"), r"kernel a/bias of shape \(3,\) has rank 1, not 2 \(dense\) or 3 to 5"),
        (partial(from_params, _zeros(x=(1,) * 6)), r"kernel x/kernel of shape \(1, 1, 1, 1, 1, 1\) has rank 6"),
        (partial(from_params, TREE, input_axes={"c/*": 1}), r"'c/\*' matches no kernel; there are a/kernel, b/kernel"),
        (partial(from_params, TREE, input_axes={"a/*": 2}), "input_axes 2 leaves kernel a/kernel .* without inputs or outputs"),
        (partial(from_params, TREE, grids={"input": (2, 2)}), "'input' matches no population; there are a.in, a.out, b.in"),
        (partial(from_params, TREE, grids={"a.in": (3,)}), r"grid \(3,\) does not divide the 4 neurons of a.in"),
        (partial(from_params, TREE, coordinates={"a.in": np.zeros((3, 2))}), r"coordinates of a.in must be 4 .* shape \(3, 2\)"),
        (partial(from_params, TREE, coordinates={"a.in": np.zeros(4)}), r"coordinates of a.in must be 4 .* shape \(4,\)"),
        (
            partial(from_params, _zeros(c=(2, 3, 1)), coordinates={"c.in": np.zeros((5, 1))}),
            r"coordinates of c.in must be 6 \(or 2, one a position\) rows",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line(read: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        read()
    assert "\n" not in str(refusal.value)


def test_a_decoder_that_cannot_serve_a_model_says_which_can() -> None:
    tree = {"a": np.zeros((4, 3)), "b": np.zeros((4, 2))}
    s = from_params(tree, grids={"a.in": (2, 2)})
    with pytest.raises(ValueError, match=r"joins grids .* bilinear wiring serves any"):
        grow_like(tree, Decoder(CellTypes(), RelativePosition(), AllSynapses()), substrate=s, key=KEY)


# ---- writing


def test_a_network_written_into_a_flax_model_computes_the_same(params: dict) -> None:
    substrate, x = from_params(params), jax.random.normal(jax.random.key(2), (5, 3))
    network = random_network(substrate, density=0.5)
    run = model_forward(lambda p, x: jnp.asarray(MODEL.apply({"params": p}, x)), params, substrate)
    np.testing.assert_allclose(run(network, x), forward(substrate, network, x), rtol=1e-5, atol=1e-6)


def test_writing_keeps_every_other_leaf_and_every_type(params: dict) -> None:
    given = {**params, "temperature": jnp.ones(7), "steps": jnp.arange(2)}
    given["layers_0"] = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params["layers_0"])
    written = write_params(from_params(params), random_network(from_params(params)), given)
    np.testing.assert_array_equal(written["temperature"], jnp.ones(7))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), written) == jax.tree.map(lambda x: (x.shape, x.dtype), given)


def test_reading_undoes_writing_whatever_the_rank() -> None:
    tree = {
        "dense": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)},
        "conv": {"kernel": jnp.zeros((3, 2, 1, 4)), "bias": jnp.zeros(4)},
    }
    s = from_params(tree)
    network = random_network(s)
    written: Any = write_params(s, network, tree)
    for name, weights in read_params(s, written).items():
        np.testing.assert_array_equal(weights, network.weights[name])
    assert set(target_weights(read_params(s, written), s)) == {p.name for p in s.projections}
    # neuron p * types + t of the patch is position p of the window and channel t
    np.testing.assert_array_equal(written["conv"]["kernel"][2, 1, 0], network.weights["conv.in->conv.out"][5])
    np.testing.assert_array_equal(written["conv"]["bias"], network.biases["conv.out"])


def test_a_convolution_is_its_matrix_on_patches() -> None:
    model = nn.Conv(4, (3, 2), padding="VALID", use_bias=False)
    x = jax.random.normal(KEY, (1, 3, 2, 5))
    params = model.init(KEY, x)["params"]
    s = from_params(params)
    network = random_network(s, density=0.5)
    (weights,) = network.weights.values()
    answer = model.apply({"params": write_params(s, network, params)}, x)
    np.testing.assert_allclose(jnp.asarray(answer).ravel(), x.reshape(-1) @ weights, rtol=1e-4, atol=1e-5)


def test_a_substrate_of_other_parameters_is_refused(params: dict) -> None:
    s = from_params(params)
    network = random_network(s)
    with pytest.raises(ValueError, match=r"no kernel 'layers_0/kernel' for projection input->hidden1; .* there are other$"):
        write_params(s, network, {"other": np.zeros((3, 4))})
    with pytest.raises(
        ValueError, match=r"kernel layers_0/kernel has shape \(5, 4\) but the substrate was read off one of 3 x 4"
    ):
        write_params(s, network, {**params, "layers_0": {"kernel": np.zeros((5, 4))}})
    with pytest.raises(ValueError, match="no kernel '' for projection input->output; use the substrate that from_params reads"):
        write_params(mlp((3, 2)), random_network(mlp((3, 2))), params)


# ---- growing


@pytest.mark.parametrize("name", ["spatial_gem", "gnet"])
def test_attention_is_grown_some_kernels_under_the_genome_and_the_rest_free(name: str) -> None:
    model, x = Attention(), jax.random.normal(KEY, (2, 5, 8))
    params = model.init(KEY, x)["params"]
    pattern = ("**/query/kernel", "**/out/kernel")
    s = from_params(params, pattern=pattern, input_axes={"**/query/kernel": 1})
    decoder = replace(DECODERS[name], sparsity=Budget(0.3, per_neuron=True))
    grown, masks = grow_like(params, decoder, substrate=s, key=KEY)
    before, after, marks = leaves_of(params), leaves_of(grown), leaves_of(masks)
    wired = {path for path in marks if marks[path].ndim}
    assert len(wired) == 2
    assert wired == {p.kernel for p in s.projections}
    for path in before:
        if path in wired:
            assert 0 < float(marks[path].mean()) < 0.4
            np.testing.assert_array_equal(np.asarray(after[path]) != 0, np.asarray(marks[path]) != 0)
        elif path.rpartition("/")[0] + "/kernel" not in wired:
            np.testing.assert_array_equal(after[path], before[path])
    assert jax.tree.structure(masks) == jax.tree.structure(params)
    assert np.isfinite(np.asarray(model.apply({"params": grown}, x))).all()


@pytest.mark.parametrize("name", DECODERS)
def test_every_preset_serves_convolutions_and_dense_kernels_side_by_side(name: str) -> None:
    bias = jnp.ones(8)
    tree = {"conv": {"kernel": jnp.ones((3, 3, 4, 8)), "bias": bias}, "dense": {"kernel": jnp.ones((8, 8), jnp.bfloat16)}}
    grown, masks = jax.eval_shape(lambda: grow_like(tree, DECODERS[name], key=KEY))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), grown) == jax.tree.map(lambda x: (x.shape, x.dtype), tree)
    assert [m.shape for m in jax.tree.leaves(masks)] == [(), (3, 3, 4, 8), (8, 8)]


def test_growing_is_the_decoders_own_growth(params: dict) -> None:
    s = from_params(params)
    genome = HALF.genome_spec(s).init(key=jax.random.key(3))
    grown, masks = jax.jit(lambda g: grow_like(params, HALF, g, key=KEY))(genome)
    network = HALF.grow(genome, s, key=KEY)
    for name, weights in read_params(s, grown).items():
        np.testing.assert_allclose(weights, matrix(network.weights[name]), rtol=1e-6)
        np.testing.assert_array_equal(read_params(s, masks)[name], network.masks[name])
    np.testing.assert_allclose(grown["layers_0"]["bias"], network.biases["hidden1"], rtol=1e-6)
    with pytest.raises(ValueError, match=f"genome: expected {genome.size} numbers, given shape"):
        grow_like(params, HALF, genome[1:], key=KEY)


def test_kept_weights_are_masked_only(params: dict) -> None:
    grown, masks = grow_like(params, HALF, weights="kept", key=KEY)
    jax.tree.map(np.testing.assert_array_equal, grown, jax.tree.map(jnp.multiply, params, masks))
    assert 0 < float(masks["layers_0"]["kernel"].mean()) < 1


def test_scales() -> None:
    tree = {"a": jnp.array([[3.0, 0.0], [0.0, 4.0]]), "zero": jnp.zeros((2, 2))}
    s = from_params(tree)
    as_before, _ = grow_like(tree, DIRECT, substrate=s, scale="original", key=KEY)
    np.testing.assert_allclose(jnp.sqrt((as_before["a"] ** 2).mean()), 2.5, rtol=1e-5)
    plain, _ = grow_like(tree, DIRECT, substrate=s, key=KEY)
    np.testing.assert_allclose(as_before["a"] / plain["a"], jnp.full((2, 2), as_before["a"][0, 0] / plain["a"][0, 0]), rtol=1e-5)
    np.testing.assert_array_equal(as_before["zero"], plain["zero"])
    sparse_one, mask = grow_like(tree, HALF, substrate=s, scale="kaiming", key=KEY)
    assert float(mask["a"].mean()) < 1
    np.testing.assert_allclose(jnp.sqrt((sparse_one["a"] ** 2).mean()), 1.0, rtol=1e-5)
    for field in ("scale", "weights"):
        with pytest.raises(ValueError, match=f"{field}: is 'orignal'; one of .*, "):
            inspect.unwrap(grow_like)(tree, DIRECT, key=KEY, **{field: "orignal"})


def test_the_genome_has_a_gradient_through_a_model_also_where_nothing_is_wired(params: dict) -> None:
    x = jnp.ones((2, 3))

    def loss(genome: jax.Array) -> jax.Array:
        grown, _ = grow_like(params, HALF, genome, scale="original", key=KEY)
        return (jnp.asarray(MODEL.apply({"params": grown}, x)) ** 2).sum()

    genome = HALF.genome_spec(from_params(params)).init(key=KEY)
    gradient = jax.jit(jax.grad(loss))(genome)
    assert np.isfinite(gradient).all()
    assert np.asarray(gradient).any()
    assert np.isfinite(jax.grad(loss)(jnp.zeros_like(genome))).all()


# ---- flax nnx


def test_a_flax_nnx_model_is_grown_trained_and_stays_sparse() -> None:
    model = Convolution(nnx.Rngs(0))
    _, state, _ = nnx.split(model, nnx.Param, ...)
    s = from_params(state)
    assert [p.kernel for p in s.projections] == ["conv/kernel", "head/kernel"]
    assert from_params(model) == s == from_params(nnx.to_pure_dict(state))
    decoder = Decoder(CellTypes(), Bilinear(), Budget(0.5))
    grown, masks = grow_like(state, decoder, genome=None, key=KEY)
    nnx.update(model, grown)
    optimizer = nnx.Optimizer(model, sparse(optax.adamw(1e-2), masks), wrt=nnx.Param)
    x = jax.random.normal(KEY, (4, 5, 5, 2))
    before = leaves_of(nnx.state(model, nnx.Param))
    for _ in range(2):
        optimizer.update(model, nnx.grad(lambda m: ((m(x) - 1) ** 2).mean())(model))
    after, kept = leaves_of(nnx.state(model, nnx.Param)), leaves_of(masks)
    mask = np.asarray(kept["conv/kernel"])
    assert mask.shape == (3, 3, 2, 3)
    assert 0 < mask.mean() < 1
    assert not np.asarray(after["conv/kernel"])[mask == 0].any()
    assert (np.asarray(after["conv/kernel"]) != np.asarray(before["conv/kernel"]))[mask == 1].all()


# ---- staying sparse


@pytest.mark.parametrize(
    "optimizer",
    [optax.sgd(0.1, 0.9), optax.adamw(0.1, weight_decay=0.1), optax.chain(optax.add_noise(0.1, 0.5, 0), optax.adam(0.1))],
    ids=["momentum", "weight decay", "noise"],
)  # fmt: skip
def test_synapses_that_do_not_exist_stay_at_zero(optimizer: optax.GradientTransformation) -> None:
    masks = {"kernel": jnp.array([[1.0, 0.0], [0.0, 1.0]]), "bias": jnp.ones(())}
    # one weight is not zero though it should be
    params: Any = {"kernel": jnp.array([[1.0, 5.0], [0.0, 2.0]]), "bias": jnp.ones(2)}
    wrapped = sparse(optimizer, masks)
    state = wrapped.init(params)
    start = params
    for _ in range(3):
        updates, state = wrapped.update(jax.tree.map(lambda p: p + 1, params), state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_array_equal(np.asarray(params["kernel"])[[0, 1], [1, 0]], 0)
    assert (np.asarray(params["kernel"]) != np.asarray(start["kernel"]))[[0, 1], [0, 1]].all()
    assert (np.asarray(params["bias"]) != 1).all()


def test_absent_synapses_do_not_count_in_a_norm() -> None:
    masks = {"w": jnp.array([1.0, 0.0])}
    wrapped = sparse(optax.clip_by_global_norm(1.0), masks)
    updates: Any
    updates, _ = wrapped.update({"w": jnp.array([0.5, 100.0])}, wrapped.init({"w": jnp.zeros(2)}))
    np.testing.assert_array_equal(updates["w"], [0.5, 0])


def test_masks_of_another_model_are_refused() -> None:
    wrapped = sparse(optax.sgd(0.1), {"a": jnp.ones(())})
    with pytest.raises(ValueError, match="masks: 1 leaves for 2 parameters"):
        wrapped.update({"a": jnp.ones(1), "b": jnp.ones(1)}, wrapped.init({"a": jnp.ones(1)}))


def test_masks_serve_the_gradient_learner_too(params: dict) -> None:
    s = from_params(params)
    network = random_network(s, density=0.5)
    learner = Gradient(forward=model_forward(lambda p, x: jnp.asarray(MODEL.apply({"params": p}, x)), params, s))
    genes = learner.genome_spec(s).unpack(jnp.zeros(learner.genome_spec(s).size))
    state = learner.init(genes, network, s, key=KEY)
    learned = learner.step(genes, state, jnp.ones((2, 3)), jnp.array([0, 1]), s, key=KEY)
    written = write_params(s, learned.network, params)
    masks = masks_like(s, network, params)
    jax.tree.map(np.testing.assert_array_equal, written, jax.tree.map(jnp.multiply, written, masks))
