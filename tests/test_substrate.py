import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.substrate import Population, Projection, Substrate, complete, mlp, recurrent

A, B, C = Population("a", (2,)), Population("b", (3,)), Population("c", (1,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Population("a", ()), r"population 'a' has no neurons \(grid \(\), 1 types\)"),
        (lambda: Population("a", (3, 0)), "population 'a' has no neurons"),
        (lambda: Population("a", (3,), types=0), "population 'a' has no neurons .*0 types"),
        (lambda: Population("a", (3,), activation="reluu"), "a.activation is 'reluu'; one of linear, relu"),
        (lambda: Population("a", (3,), winners=0.0), r"a.winners must be a share in \(0, 1\], given 0.0"),
        (lambda: Population("a", (3,), normalisation="batch"), "a.normalisation is 'batch'; one of none, standard"),
        (lambda: Substrate((A,), ()), "two or more different names, given"),
        (lambda: Substrate((A, A), ()), "two or more different names"),
        (lambda: Substrate((A, B), (Projection("a", "x"),)), "projection a->x names 'x', not one of a, b"),
        (lambda: Substrate((A, B), (Projection("a", "b"), Projection("a", "b"))), "projections repeat"),
        (lambda: Substrate((A, B), (Projection("a", "b"), Projection("b", "a"))), "projections into the inputs 'a'"),
        (lambda: Substrate((A, B), (Projection("a", "b"), Projection("b", "b"))), "ticks must be at least 2"),
        (lambda: Substrate((A, B), (Projection("a", "b"),), ticks=0), "ticks must be at least"),
        (lambda: Substrate((A, B, C), (Projection("a", "b"),)), "no path from 'a' to 'c'; add projections"),
        (lambda: mlp((64,)), r"sizes: at least inputs and outputs, given \(64,\)"),
    ],
)
def test_an_impossible_substrate_is_refused_by_field(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_positions_are_centres_of_cells_in_row_major_order() -> None:
    np.testing.assert_allclose(Population("p", (4,)).positions, [[-0.75], [-0.25], [0.25], [0.75]])
    grid = Population("p", (2, 3)).positions
    np.testing.assert_allclose(grid[:4], [[-0.5, -2 / 3], [-0.5, 0], [-0.5, 2 / 3], [0.5, -2 / 3]], atol=1e-6)


def test_types_share_a_position_and_are_told_apart_by_a_further_axis() -> None:
    p = Population("p", (2,), types=2)
    assert p.size == 4
    np.testing.assert_allclose(p.coordinates, [[-0.5], [-0.5], [0.5], [0.5]])
    np.testing.assert_allclose(p.places, [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), st.integers(1, 3))
def test_every_neuron_has_a_place_of_its_own_inside_the_tissue(grid: tuple[int, ...], types: int) -> None:
    places = Population("p", grid, types).places
    assert len(np.unique(places, axis=0)) == len(places) == int(np.prod(grid)) * types
    assert (np.abs(places) < 1).all()


def test_complete_has_every_projection_but_those_into_the_inputs() -> None:
    s = complete(2, 3, 1, ticks=4)
    assert {(p.pre, p.post) for p in s.projections} == {(a.name, b.name) for a in s.populations for b in s.populations[1:]}
    assert [(p.size, p.activation) for p in s.populations] == [(2, "linear"), (3, "tanh"), (1, "tanh")]
    assert s.synapses == 6 * 4
    assert s.ticks == 4


def test_mlp_is_a_chain_with_linear_ends() -> None:
    s = mlp((4, 3, 2), activation="tanh", skip=True, blank_readout=True)
    assert [(p.name, p.size, p.activation) for p in s.populations] == [
        ("input", 4, "linear"), ("hidden1", 3, "tanh"), ("output", 2, "linear"),
    ]  # fmt: skip
    assert [(p.name, p.blank) for p in s.projections] == [
        ("input->hidden1", False), ("hidden1->output", True), ("input->output", True),
    ]  # fmt: skip
    assert s.synapses == 4 * 3 + 3 * 2 + 4 * 2
    assert [p.name for p in s.grown] == ["input->hidden1"]
    assert [p.name for p in s.into("output")] == ["hidden1->output", "input->output"]


def test_recurrent_projections_are_those_that_do_not_go_forward() -> None:
    s = recurrent(2, 3, 1, ticks=4)
    assert {p.name: s.is_recurrent(p) for p in s.projections} == {
        "input->hidden": False, "hidden->hidden": True, "hidden->output": False,
    }  # fmt: skip
    assert s.ticks == 4


def test_reaches_follows_only_projections_with_synapses() -> None:
    s = mlp((2, 2, 2), skip=True)
    whole = {p.name: 1 for p in s.projections}
    assert s.reaches(whole)
    assert s.reaches(whole | {"hidden1->output": 0})
    assert not s.reaches(whole | {"hidden1->output": 0, "input->output": 0})


def test_depth_is_the_place_in_the_order_of_populations() -> None:
    assert mlp((2, 3, 4, 1), skip=True).depths == pytest.approx({"input": 0, "hidden1": 1 / 3, "hidden2": 2 / 3, "output": 1})


def test_a_modular_substrate_needs_no_path_but_a_synapse_everywhere() -> None:
    pairs = (Projection("a", "b"), Projection("c", "d"))
    s = Substrate((A, B, C, Population("d", (2,))), pairs, modular=True)
    assert s.reaches({"a->b": 1, "c->d": 2})
    assert not s.reaches({"a->b": 1, "c->d": 0})
    with pytest.raises(ValueError, match="no path from 'a' to 'd'"):
        Substrate(s.populations, pairs)
