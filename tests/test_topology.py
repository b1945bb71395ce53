from dataclasses import replace

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.algorithms import bipartite

from evodev.analysis import topology
from evodev.analysis.graph import Graph, of_adjacency, of_mask, of_network, of_params
from evodev.analysis.nulls import NULLS, against, null_graph
from evodev.analysis.topology import describe
from evodev.sparse import find_sources, gather
from evodev.substrate import Population, Projection, Substrate
from tests.tiny import GRID, random_network


def random_graph(seed: int, n: int = 30, density: float = 0.15) -> Graph:
    return of_adjacency(np.random.default_rng(seed).random((n, n)) < density)


def layered(seed: int, density: float = 0.3) -> Graph:
    rng, sizes = np.random.default_rng(seed), {"a": 9, "b": 12, "c": 7}
    ends = {"a->b": ("a", "b"), "b->b": ("b", "b"), "b->c": ("b", "c")}
    masks = {name: rng.random([sizes[end] for end in pair]) < density for name, pair in ends.items()}
    return Graph(masks, ends, sizes, {name: rng.normal(size=(n, 2)) for name, n in sizes.items()})


def networkx_of(graph: Graph, *, directed: bool = False) -> nx.Graph:
    if directed:
        return nx.from_scipy_sparse_array(graph.adjacency, create_using=nx.DiGraph)
    return nx.from_scipy_sparse_array(graph.undirected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.0, 0.6))
def test_renaming_neurons_changes_no_measure(seed: int, density: float) -> None:
    graph, rng = layered(seed, density), np.random.default_rng(seed)
    orders = {name: rng.permutation(n) for name, n in graph.sizes.items()}
    masks = {name: mask[np.ix_(*(orders[end] for end in graph.ends[name]))] for name, mask in graph.masks.items()}
    renamed = replace(graph, masks=masks, places={name: at[orders[name]] for name, at in graph.places.items()})
    before, after = describe(graph), describe(renamed)
    assert len(before) > 20
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("seed", range(3))
def test_measures_agree_with_networkx(seed: int) -> None:
    graph = random_graph(seed)
    plain, directed = networkx_of(graph), networkx_of(graph, directed=True)
    assert topology.clustering(graph).mean() == pytest.approx(nx.average_clustering(plain))
    ways = topology.paths(graph)
    assert nx.is_connected(plain)
    assert ways["path_length"] == pytest.approx(nx.average_shortest_path_length(plain))
    assert ways["efficiency"] == pytest.approx(nx.global_efficiency(plain))
    far = topology.distances(graph, directed=True)
    for source, lengths in nx.all_pairs_shortest_path_length(directed):
        assert {i: int(d) for i, d in enumerate(far[source]) if np.isfinite(d)} == lengths
    assert topology.motifs(graph)["reciprocal"] == pytest.approx(nx.overall_reciprocity(directed))
    labels = topology.communities(graph)
    groups = [set(np.flatnonzero(labels == of).tolist()) for of in set(labels)]
    q = topology.modularity(graph, labels)
    assert q == pytest.approx(nx.community.modularity(plain, groups))
    assert q >= nx.community.modularity(plain, nx.community.greedy_modularity_communities(plain)) - 0.01
    degree = dict(plain.degree)
    least = sorted(degree.values())[-3]
    club = nx.rich_club_coefficient(plain, normalized=False)[least - 1]
    assert topology.rich_club(graph) == pytest.approx(club)


def test_a_part_that_hangs_apart_is_no_way() -> None:
    adjacency = np.zeros((6, 6))
    adjacency[0, 1] = adjacency[1, 2] = adjacency[3, 4] = 1
    ways = topology.paths(of_adjacency(adjacency))
    assert ways["path_length"] == pytest.approx((1 + 1 + 2 + 1) * 2 / 8)
    assert ways["efficiency"] == pytest.approx(nx.global_efficiency(networkx_of(of_adjacency(adjacency))))
    assert ways["largest_component"] == 0.5
    assert np.isnan(ways["joined"])


@pytest.mark.parametrize("seed", range(3))
def test_squares_agree_with_networkx_on_layers(seed: int) -> None:
    graph = of_mask(np.random.default_rng(seed).random((8, 11)) < 0.4)
    assert topology.squares(graph) == pytest.approx(bipartite.robins_alexander_clustering(networkx_of(graph)))
    assert topology.clustering(graph) == pytest.approx(np.zeros(19))


def test_motifs_are_counted_exactly() -> None:
    adjacency = np.random.default_rng(0).random((9, 9)) < 0.4
    np.fill_diagonal(adjacency, False)
    n = range(9)
    feedforward = sum(adjacency[i, j] & adjacency[j, k] & adjacency[i, k] for i in n for j in n for k in n)
    bifans = sum(
        adjacency[i, k] & adjacency[i, m] & adjacency[j, k] & adjacency[j, m]
        for i in n for j in range(i) for k in n for m in range(k)
    )  # fmt: skip
    loops = sum(adjacency[i, j] & adjacency[j, k] & adjacency[k, i] for i in n for j in n for k in n) / 3
    told = topology.motifs(of_adjacency(adjacency))
    assert (told["feedforward"], told["bifan"], told["loop"]) == (feedforward, bifans, loops)
    assert feedforward > 5
    assert (
        topology.motifs(of_adjacency(np.triu(adjacency)))["feedforward"]
        == nx.triadic_census(nx.from_numpy_array(np.triu(adjacency).astype(int), create_using=nx.DiGraph))["030T"]
    )


def test_blocks_are_seen_where_there_are_some() -> None:
    apart = np.kron(np.eye(2), np.ones((4, 5)))
    assert topology.blocks(of_mask(apart)) == pytest.approx(1)
    assert topology.blocks(of_mask(np.ones((4, 5)))) == pytest.approx(0, abs=1e-6)
    assert describe(of_mask(apart))["modularity"] == pytest.approx(0.5)
    # known by hand: rows [1,1,0], [0,1,1] have singular values 1 and sqrt(1/2) when scaled by degrees
    assert topology.blocks(of_mask(np.array([[1, 1, 0], [0, 1, 1]]))) == pytest.approx(np.sqrt(0.5))


def test_planted_communities_are_found_among_many_neurons() -> None:
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(3), 100)
    graph = of_adjacency(rng.random((300, 300)) < np.where(groups[:, None] == groups, 0.1, 0.005))
    labels = topology.communities(graph)
    assert len(set(zip(labels, groups, strict=True))) == 3
    # the same number by iteration as by all singular values
    mask = rng.random((260, 250)) < 0.1
    scaled = mask / np.sqrt(np.outer(mask.sum(1), mask.sum(0)))
    assert topology.blocks(of_mask(mask)) == pytest.approx(np.linalg.svd(scaled, compute_uv=False)[1])


def test_spreads_known_by_hand() -> None:
    even, one = topology.spread(np.array([3, 3, 3, 3])), topology.spread(np.array([0, 0, 0, 8]))
    assert even == pytest.approx((3, 0, 0, 0.25))
    assert one == pytest.approx((2, np.sqrt(3), 0.75, 1))
    told = topology.degrees(layered(0))
    assert set(told["in"]) == {"b", "c"}
    assert set(told["out"]) == {"a", "b"}
    star = np.zeros((10, 10))
    star[0, 1:] = 1
    assert topology.hub_share(of_adjacency(star)) == pytest.approx(0.5)
    assert topology.rich_club(of_adjacency(star)) == 0  # the one hub is nobody's equal
    # a tenth of 20 are two hubs, which know each other only through the third most joined
    joined = np.zeros((20, 20))
    joined[0, 2:15] = joined[1, 2:14] = joined[2, 3:6] = 1
    assert topology.rich_club(of_adjacency(joined)) == 0
    joined[0, 1] = 1
    assert topology.rich_club(of_adjacency(joined)) == 1


def test_small_world_of_watts_and_strogatz() -> None:
    ring, rewired, random = (
        describe(of_adjacency(nx.to_numpy_array(nx.watts_strogatz_graph(200, 8, p, seed=0))))["small_world"]
        for p in (0.0, 0.1, 1.0)
    )
    assert rewired > ring > random
    assert 0.5 < random < 2


def test_a_grown_network_is_read_with_its_places() -> None:
    network = random_network(GRID, density=0.3)
    graph = of_network(network, GRID)
    assert graph.synapses == int(sum(mask.sum() for mask in network.masks.values()))
    dead = replace(network, alive=network.alive | {"hidden": jnp.ones(12).at[:5].set(0.0)})
    part = of_network(dead, GRID)
    assert part.sizes["hidden"] == 7
    assert part.masks["hidden->output"].sum() == 14
    name = "input->hidden"
    sources = find_sources(network.masks[name], int(network.masks[name].sum(0).max()))
    sparse = replace(
        network,
        masks=network.masks | {name: gather(network.masks[name], sources)},
        sources={name: sources},
    )
    assert (of_network(sparse, GRID).masks[name] == graph.masks[name]).all()


def test_wiring_cost_by_hand() -> None:
    line = Substrate(
        (Population("in", (2,)), Population("mid", (2,)), Population("out", (2, 2))),
        (Projection("in", "mid"), Projection("mid", "out")),
    )
    network = random_network(line, density=1.0)
    # positions -.5 and .5: two synapses straight ahead, two across; the plane of the outputs is another space
    assert topology.wiring(of_network(network, line)) == pytest.approx((2, 0.5))
    assert np.isnan(topology.wiring(of_mask(np.ones((2, 2))))).all()


def test_weights_of_any_model_are_a_graph() -> None:
    params = {f"layer{i}": {"kernel": jax.random.normal(jax.random.key(i), (6, 6)) * 10**i} for i in range(2)}
    params["layer0"]["kernel"] = params["layer0"]["kernel"].at[0].set(0.0)
    graph = of_params(params)
    assert [int(mask.sum()) for mask in graph.masks.values()] == [30, 36]
    assert list(graph.sizes.values()) == [6, 6, 6]
    strong = of_params(params, density=0.25)
    assert strong.synapses == 18
    assert all(mask.any() for mask in strong.masks.values())
    with pytest.raises(ValueError, match="density must be in"):
        of_params(params, density=0.0)


def test_nulls_keep_what_they_promise() -> None:
    graph = layered(3)
    drawn = {null: null_graph(graph, null, seed=1) for null in NULLS}
    assert all(g.synapses == graph.synapses for g in drawn.values())
    for null in ("layers", "degrees"):
        assert {n: m.sum() for n, m in drawn[null].masks.items()} == {n: m.sum() for n, m in graph.masks.items()}
    for side, of in topology.degrees(drawn["degrees"]).items():
        for name, values in of.items():
            assert (values == topology.degrees(graph)[side][name]).all()
    assert any((drawn["degrees"].masks[n] != m).any() for n, m in graph.masks.items())
    with pytest.raises(ValueError, match="no null model 'lattice'; one of density, layers, degrees"):
        null_graph(graph, "lattice", seed=0)


def test_a_graph_against_its_nulls() -> None:
    apart = np.kron(np.eye(3), np.ones((6, 6)))
    told = against(of_mask(apart), samples=8)
    for null in NULLS:
        assert told[null]["modularity"].z > 5
        assert told[null]["squares"].ratio > 1.5
        assert told[null]["synapses"].z == 0
    assert told["degrees"]["fan_in_cv"].z == 0
    assert "wiring_cost" not in told["density"]
    # a graph drawn from the null is nothing special against it
    drawn = against(null_graph(of_mask(apart), "layers", seed=99), ["layers"], samples=20)["layers"]
    assert abs(drawn["modularity"].z) < 4
    assert abs(drawn["squares"].z) < 4
    assert told == against(of_mask(apart), samples=8)


def test_nulls_of_an_undirected_graph_are_undirected() -> None:
    upper = np.triu(np.random.default_rng(4).random((40, 40)) < 0.15, 1)
    graph = of_adjacency(upper | upper.T | np.diag(np.arange(40) < 3))
    (own,) = graph.masks.values()
    for null in NULLS:
        (drawn,) = null_graph(graph, null, seed=1).masks.values()
        assert (drawn == drawn.T).all()
        assert drawn.sum() == own.sum()
        assert (np.diag(drawn) == np.diag(own)).all()
        assert 0.05 < (drawn & own)[upper].mean() < 0.3
        assert (drawn.sum(0) == own.sum(0)).all() == (null == "degrees")
    for null, beside in against(of_adjacency(upper | upper.T), samples=20).items():
        for measure in ("clustering", "path_length", "efficiency", "modularity", "squares", "hub_share"):
            assert abs(beside[measure].z) < 3, (null, measure)
    # beside another projection each keeps its own kind
    both = Graph({"a->a": own, "a->b": upper}, {"a->a": ("a", "a"), "a->b": ("a", "b")}, {"a": 40, "b": 40}, {})
    assert all(null_graph(both, null, seed=0).synapses == both.synapses for null in NULLS)
    layers = null_graph(both, "layers", seed=0).masks["a->a"]
    assert (layers == layers.T).all()


def test_deviations_are_those_of_a_sample() -> None:
    values = iter([1.0, 2.0, 5.0, 6.0])
    told = against(of_mask(np.eye(3)), ["layers"], samples=3, measure=lambda _: {"own": next(values)})["layers"]["own"]
    assert (told.mean, told.deviation) == pytest.approx((13 / 3, np.std([2, 5, 6], ddof=1)))
    with pytest.raises(ValueError, match="samples must be at least 2"):
        against(of_mask(np.eye(3)), samples=1)


def test_dead_layers_and_absent_projections_are_described() -> None:
    ends = {"a->b": ("a", "b"), "b->c": ("b", "c")}
    masks = {"a->b": np.zeros((4, 0), bool), "b->c": np.zeros((0, 3), bool)}
    for graph in (Graph(masks, ends, {"a": 4, "b": 0, "c": 3}, {}), Graph({}, {}, {"a": 4, "c": 3}, {})):
        told = describe(graph)
        assert np.isnan(told["density"])
        assert (told["neurons"], told["synapses"], told["modularity"], told["efficiency"], told["fan_in"]) == (7, 0, 0, 0, 0)
        assert against(graph, samples=2)["density"]["synapses"].z == 0


def test_what_is_no_wiring_is_refused_in_a_line() -> None:
    broken = np.ones((3, 3))
    broken[1, 1] = np.nan
    for read in (
        of_mask,
        of_adjacency,
        lambda w: of_params({"kernel": w}),
        lambda w: of_params({"kernel": w}, density=0.5),
    ):
        with pytest.raises(ValueError, match=r"graph: .* has entries that are NaN or infinite; zero them"):
            read(broken)
    with pytest.raises(ValueError, match="mask must have two axes"):
        of_mask(np.ones(3))
    with pytest.raises(ValueError, match="adjacency must be square"):
        of_adjacency(np.ones((2, 3)))
    with pytest.raises(ValueError, match="sizes has no neurons"):
        Graph({}, {}, {}, {})


def test_masks_must_fit_their_populations() -> None:
    with pytest.raises(ValueError, match="mask of x has shape"):
        Graph({"x": np.ones((2, 3), bool)}, {"x": ("a", "b")}, {"a": 2, "b": 2}, {})
