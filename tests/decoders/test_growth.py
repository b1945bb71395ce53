"""Growth from one cell (NDP), by hand: messages, divisions, places, and what wiring makes of them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import DECODERS, Decoder, Trace, Wiring
from evodev.decoders.base import Tissue
from evodev.decoders.cells import growth
from evodev.decoders.cells.growth import Embryo, Growth
from evodev.decoders.sparsity import AllSynapses, Budget
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.edge import EdgeMLP
from evodev.network import forward
from evodev.substrate import Substrate, complete, mlp
from evodev.types import Genes

KEY = jax.random.key(0)
POLE = complete(4, 4, 2)
# one program each, where step by step every operation would be one
talk, divide, settle = jax.jit(growth.talk), jax.jit(growth.divide), jax.jit(growth.settle, static_argnums=1)


def _chain(states: list[float], slots: int) -> Embryo:
    """Living cells of one number each, linked to the next."""
    n = len(states)
    graph = np.zeros((slots, slots), np.float32)
    graph[np.arange(n - 1), np.arange(1, n)] = graph[np.arange(1, n), np.arange(n - 1)] = 1
    column = jnp.asarray(np.pad(np.array(states, np.float32), (0, slots - n))[:, None])
    return Embryo(column, column, jnp.asarray(graph), jnp.asarray(n))


def _genes(cells: Growth, **changed: float) -> Genes:
    """All genes zero, so that no cell divides, but for those named (``growth_offset1``)."""
    genes = {
        name: jnp.zeros_like(x) for name, x in cells.genome_spec(POLE).unpack(jnp.zeros(cells.genome_spec(POLE).size)).items()
    }
    genes |= {name.replace("_", "/"): np.full_like(genes[name.replace("_", "/")], x) for name, x in changed.items()}
    return {name: jnp.asarray(x) for name, x in genes.items()}


def _trace(decoder: Decoder, seed: int = 1) -> Trace:
    """What a random genome grows where a pole is balanced."""
    genome = decoder.genome_spec(POLE).init(key=jax.random.key(seed))
    return jax.jit(lambda genome: decoder.trace(genome, POLE, key=KEY))(genome)


def _living(tissue: Tissue) -> int:
    return int(sum(alive.sum() for alive in tissue.alive.values()))


def test_a_message_by_hand() -> None:
    genes = _genes(Growth(1, 1), message_layer0=1.0, message_layer1=2.0, message_offset1=0.5)
    told = talk(genes, _chain([0.1, 0.3, -0.2], slots=4))
    heard = np.array([0.3, (0.1 - 0.2) / 2, 0.3])
    expected = np.tanh(np.array([0.1, 0.3, -0.2]) + 2 * np.tanh(heard) + 0.5)
    np.testing.assert_allclose(told.states[:, 0], [*expected, 0], rtol=1e-5)
    again = talk(genes, told)
    heard = np.array([expected[1], (expected[0] + expected[2]) / 2, expected[1]])
    # what a cell was born with is added anew, not what it has become
    np.testing.assert_allclose(again.states[:3, 0], np.tanh([0.1, 0.3, -0.2] + 2 * np.tanh(heard) + 0.5), rtol=1e-5)


def test_two_divisions_by_hand() -> None:
    grown = divide(_chain([1.0, 2.0, 4.0], slots=6), jnp.array([-1.0, 0.5, 0.1, 9, 9, 9]), jnp.asarray([0.2]))
    assert int(grown.count) == 5
    links = {(0, 1), (1, 2), *[(1, 3), (0, 3), (2, 3)], *[(2, 4), (1, 4)]}
    expected = np.zeros((6, 6))
    for i, j in links:
        expected[i, j] = expected[j, i] = 1
    np.testing.assert_array_equal(grown.graph, expected)
    born = np.array([(1 + 2 + 4) / 3 + 0.5, (2 + 4) / 2 + 0.1])
    np.testing.assert_allclose(grown.births[:, 0], [1, 2, 4, *born, 0], rtol=1e-6)
    np.testing.assert_allclose(grown.states[:, 0], [1, 2, 4, *np.tanh(born), 0], rtol=1e-6)


def test_the_elder_divides_where_one_slot_is_left() -> None:
    grown = divide(_chain([1.0, 2.0, 4.0], slots=4), jnp.array([-1.0, 0.5, 0.1, 9]), jnp.zeros(1))
    assert int(grown.count) == 4
    np.testing.assert_array_equal(grown.graph[3], [1, 1, 1, 0])
    full = divide(grown, jnp.ones(4), jnp.zeros(1))
    jax.tree.map(np.testing.assert_array_equal, full, grown)


def test_the_first_born_are_inputs_and_the_last_born_outputs() -> None:
    s = mlp((2, 2, 1, 1))
    tissue = settle(_chain([1.0, 2.0, 3.0, 4.0], slots=6), s)
    assert {n: x.tolist() for n, x in tissue.alive.items()} == {"input": [1, 1], "hidden1": [1, 0], "hidden2": [0], "output": [1]}
    assert {n: x[:, 0].tolist() for n, x in tissue.states.items()} == {
        "input": [1, 2], "hidden1": [3, 0], "hidden2": [0], "output": [4],
    }  # fmt: skip
    np.testing.assert_array_equal(tissue.graph["input->hidden1"], [[0, 0], [1, 0]])
    np.testing.assert_array_equal(tissue.graph["hidden1->hidden2"], [[0], [0]])


@pytest.mark.parametrize(("count", "inputs", "outputs"), [(1, 1, [0, 0]), (2, 2, [0, 0]), (3, 2, [0, 1]), (4, 2, [1, 1])])
def test_inputs_come_first_where_cells_are_few(count: int, inputs: int, outputs: list[int]) -> None:
    tissue = settle(_chain([1.0] * count, slots=7), complete(2, 3, 2))
    assert tissue.alive["input"].sum() == inputs
    assert tissue.alive["output"].tolist() == outputs
    assert _living(tissue) == count


def test_one_cell_becomes_many_until_the_substrate_is_full() -> None:
    cells = Growth(2, 3, cycles=5)
    genes = _genes(cells, growth_offset1=1.0)
    film, finished = jax.jit(lambda g: (cells.stages(g, POLE, key=KEY), cells.express(g, POLE, key=KEY)))(genes)
    assert [_living(tissue) for tissue in film] == [1, 2, 4, 8, 10, 10]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), film[-1], finished)


def test_without_an_urge_there_is_one_cell_and_silence() -> None:
    cells = Growth(2, 3)
    decoder = replace(DECODERS["ndp"], cells=cells)
    spec = decoder.genome_spec(POLE)
    genes = spec.unpack(spec.init(key=KEY)) | {f"cells/{name}": x for name, x in _genes(cells, embedding=0.3).items()}
    trace = jax.jit(lambda genome: decoder.trace(genome, POLE, key=KEY))(spec.pack(genes))
    assert _living(trace.tissue) == 1
    assert sum(mask.sum() for mask in trace.network.masks.values()) == 0
    assert (forward(POLE, trace.network, jnp.ones((1, 4))) == 0).all()


def test_by_itself_growth_takes_as_many_cycles_as_fill_the_substrate() -> None:
    cells, s = Growth(2, 2), mlp((7, 19, 7))
    film = jax.jit(lambda genes: cells.stages(genes, s, key=KEY))(_genes(cells, growth_offset1=1.0))
    assert [_living(tissue) for tissue in film] == [1, 2, 4, 8, 16, 32, 33]


def test_a_daughter_is_not_her_mothers_twin() -> None:
    spec = Growth().genome_spec(POLE)
    grow = jax.vmap(lambda key: Growth(cycles=1).express(spec.unpack(spec.init(key=key)), POLE, key=KEY))
    tissues = jax.jit(grow)(jax.random.split(KEY, 20))
    both = np.asarray(tissues.alive["input"][:, 1]) > 0
    mother, daughter = (np.asarray(tissues.states["input"][both, i]) for i in (0, 1))
    assert both.sum() >= 10
    assert np.median(np.abs(mother - daughter).max(1)) > 0.05


@pytest.mark.parametrize("wiring", [EdgeMLP(), Bilinear(), Direct()], ids=lambda w: type(w).__name__)
def test_any_wiring_keeps_to_the_links_of_growth(wiring: Wiring) -> None:
    trace = _trace(Decoder(Growth(), wiring, AllSynapses()))
    assert set(trace.tissue.graph) == {p.name for p in POLE.projections}
    links = sum(graph.sum() for graph in trace.tissue.graph.values())
    assert 0 < links < POLE.synapses
    for name, graph in trace.tissue.graph.items():
        np.testing.assert_array_equal(trace.network.masks[name], graph)
        assert (np.asarray(trace.network.weights[name])[np.asarray(graph) == 0] == 0).all()


def test_a_budget_is_not_spent_where_nothing_is_linked() -> None:
    trace = _trace(Decoder(Growth(), EdgeMLP(), Budget(0.6)))
    assert sum(mask.sum() for mask in trace.network.masks.values()) > 0
    for name, graph in trace.tissue.graph.items():
        assert (np.asarray(trace.network.masks[name]) <= np.asarray(graph)).all()


def test_the_genes_of_division_are_trained_through_the_daughters_states() -> None:
    decoder = DECODERS["ndp"]
    spec = decoder.genome_spec(POLE)
    genome = spec.init(key=jax.random.key(1))
    slope = jax.jit(jax.grad(lambda g: sum((w**2).sum() for w in decoder.grow(g, POLE, key=KEY).weights.values())))(genome)
    assert np.isfinite(slope).all()
    assert np.abs(slope[spec.slices["cells/growth/layer1"]]).max() > 0


@pytest.mark.parametrize(
    ("cells", "wiring", "substrate", "numbers"),
    [(Growth(5, 5, cycles=5), EdgeMLP(), POLE, 162), (Growth(1, 1), EdgeMLP((1,)), complete(2, 4, 1), 14)],
    ids=["cartpole", "xor"],
)
def test_genomes_are_as_small_as_published(cells: Growth, wiring: EdgeMLP, substrate: Substrate, numbers: int) -> None:
    assert replace(DECODERS["ndp"], cells=cells, wiring=wiring).genome_spec(substrate).size == numbers


def test_the_film_shows_every_cycle() -> None:
    decoder = replace(DECODERS["ndp"], cells=Growth(2, 2, cycles=3))
    genome = decoder.genome_spec(POLE).init(key=jax.random.key(1))
    film = jax.jit(lambda genome: decoder.film(genome, POLE, key=KEY))(genome)
    assert len(film) == 1 + 3
    synapses = [float(sum(mask.sum() for mask in trace.network.masks.values())) for trace in film]
    assert synapses == sorted(synapses)
    assert synapses[0] == 0 < synapses[-1]
    whole = _trace(decoder)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), film[-1], whole)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Growth(embedding=0), "cells: embedding must be at least 1, given 0"),
        (lambda: Growth(cycles=-1), "cells: cycles must be at least 0, given -1"),
        (lambda: Growth(messages=0), "cells: messages must be at least 1, given 0"),
        (lambda: EdgeMLP(hidden=()), "wiring: hidden needs one or more positive widths"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_one_edge_mlp_serves_all_projections_by_hand() -> None:
    s, wiring = mlp((2, 2, 1)), EdgeMLP(hidden=(2,), channels=("gain",))
    states = {"input": jnp.array([[1.0, 2.0], [0.5, -1.0]]), "hidden1": jnp.array([[3.0], [-1.0]]), "output": jnp.array([[0.5]])}
    tissue = Tissue(states, {name: jnp.ones(len(x)) for name, x in states.items()})
    spec = wiring.genome_spec(s, {"input": 2, "hidden1": 1, "output": 1})
    genes = spec.unpack(spec.init(key=KEY))
    wires = wiring.connect(genes, tissue, s, key=KEY)
    assert wires.biases == {}
    g = {name: np.asarray(x) for name, x in genes.items()}
    # a state of one number reads the first row of the side that can hold two
    for name, pre, post in (("input->hidden1", [0.5, -1.0], [-1.0]), ("hidden1->output", [-1.0, 0.0], [0.5])):
        answer = np.tanh(pre @ g["pre"] + post @ g["post"] + g["offset0"]) @ g["layer1"] + g["offset1"]
        last = -1
        np.testing.assert_allclose(wires.weights[name][last, last if name.endswith("hidden1") else 0], answer[0], rtol=1e-5)
        np.testing.assert_allclose(wires.gains[name][last, -1], np.exp(np.clip(answer[1], -5, 5)), rtol=1e-5)
