import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.decoders.base import Wires
from evodev.decoders.sparsity import AllSynapses, Budget, FanIn
from evodev.ranking import top_mask
from evodev.substrate import Substrate, mlp
from tests.tiny import CHAIN

KEY = jax.random.key(0)
NETS = {"chain": CHAIN, "skip": mlp((6, 8, 3), skip=True), "deep": mlp((4, 6, 5, 2), blank_readout=True)}

# a program for each length
logits = st.sampled_from([1, 2, 7, 12]).flatmap(lambda n: st.lists(st.floats(-3, 3, width=16), min_size=n, max_size=n))
compiled_mask = jax.jit(top_mask)


def _by_sorting(values: np.ndarray, count: int) -> np.ndarray:
    """Entries among the largest ``count``, without those that tie with the first left out."""
    if count >= len(values):
        return np.ones(len(values))
    return (values > np.sort(values)[::-1][count]).astype(float)


@given(logits, st.integers(0, 14))
def test_the_largest_are_kept_and_ties_across_the_boundary_dropped(values: list[float], count: int) -> None:
    array = np.asarray(values, np.float32) + 0.0  # no negative zeros
    mask = np.asarray(compiled_mask(jnp.asarray(array), jnp.asarray(count)))
    np.testing.assert_array_equal(mask, _by_sorting(array, count))
    assert mask.sum() <= count


def test_each_row_is_masked_by_itself() -> None:
    mask = top_mask(jnp.array([[1.0, 5.0, 3.0], [2.0, -1.0, -jnp.inf]]), jnp.asarray(2))
    np.testing.assert_array_equal(mask, [[0, 1, 1], [1, 1, 0]])


def test_the_count_may_be_traced() -> None:
    mask = jax.jit(lambda count: top_mask(jnp.array([1.0, 2.0, 3.0]), count))(jnp.asarray(1.0))
    np.testing.assert_array_equal(mask, [0, 0, 1])


def _wires(substrate: Substrate, seed: int = 0) -> Wires:
    draw = {p.name: jax.random.normal(jax.random.fold_in(jax.random.key(seed), i), substrate.shape(p))
            for i, p in enumerate(substrate.grown)}  # fmt: skip
    return Wires(draw, draw, {}, {})


def _half_windows(substrate: Substrate) -> dict[str, np.ndarray]:
    """Every other synapse of every grown projection is impossible."""
    return {p.name: np.indices(substrate.shape(p)).sum(0) % 2 == 0 for p in substrate.grown}


def test_all_synapses_are_those_inside_the_windows() -> None:
    windows = _half_windows(CHAIN)
    masks = AllSynapses().select({}, _wires(CHAIN), windows, CHAIN, key=KEY)
    np.testing.assert_array_equal(masks["input->hidden1"], windows["input->hidden1"])


@pytest.mark.parametrize("windowed", [False, True])
def test_fan_in_keeps_each_neurons_most_wanted_inputs(windowed: bool) -> None:
    windows, wires = _half_windows(CHAIN) if windowed else {}, _wires(CHAIN)
    mask = np.asarray(FanIn(2).select({}, wires, windows, CHAIN, key=KEY)["input->hidden1"])
    wanted = np.asarray(wires.logits["input->hidden1"])
    if windowed:
        wanted = np.where(windows["input->hidden1"], wanted, -np.inf)
    assert (mask.sum(0) == 2).all()
    for column, kept in zip(wanted.T, mask.T, strict=True):
        np.testing.assert_array_equal(np.sort(np.flatnonzero(kept)), np.sort(np.argsort(column)[-2:]))


def test_a_fan_in_beyond_the_window_keeps_the_window() -> None:
    windows = _half_windows(CHAIN)
    mask = FanIn(99).select({}, _wires(CHAIN), windows, CHAIN, key=KEY)["input->hidden1"]
    np.testing.assert_array_equal(mask, windows["input->hidden1"])


@given(st.sampled_from(sorted(NETS)), st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), st.floats(0.6, 1))
def test_budget_counts_sum_to_the_budget_and_fit_their_projections(name: str, shares: list[float], fraction: float) -> None:
    s = NETS[name]
    genes = {"shares": jnp.asarray(shares[: len(s.grown)])}
    counts = {p: float(c) for p, c in Budget(fraction).counts(genes, {}, s).items()}
    sizes = {p.name: float(np.prod(s.shape(p))) for p in s.grown}
    blank = s.synapses - sum(sizes.values())
    assert sum(counts.values()) == pytest.approx(fraction * s.synapses - blank, rel=1e-4)
    for projection in s.grown:
        assert s.shape(projection)[1] - 1e-3 <= counts[projection.name] <= sizes[projection.name] + 1e-3


def test_zero_genes_share_the_budget_in_proportion_to_size() -> None:
    s = NETS["skip"]  # 48 + 24 + 18 possible synapses, 14 go to one a neuron
    counts = Budget(0.5).counts({"shares": jnp.zeros(3)}, {}, s)
    expected = {"input->hidden1": 8 + 31 * 48 / 90, "hidden1->output": 3 + 31 * 24 / 90, "input->output": 3 + 31 * 18 / 90}
    assert {name: float(c) for name, c in counts.items()} == pytest.approx(expected, rel=1e-5)


def test_what_a_small_projection_cannot_hold_goes_to_the_others() -> None:
    s = NETS["skip"]
    counts = Budget(0.5).counts({"shares": jnp.array([0.0, 0.0, 100.0])}, {}, s)
    assert float(counts["input->output"]) == pytest.approx(18)
    assert sum(map(float, counts.values())) == pytest.approx(45)


@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("windowed", [False, True])
def test_a_budget_selects_the_most_wanted_within_its_counts(per_neuron: bool, windowed: bool) -> None:
    s = NETS["skip"]
    budget, wires, windows = Budget(0.25, per_neuron), _wires(s), _half_windows(s) if windowed else {}
    genes = {"shares": jnp.array([0.5, -0.5, 0.0])}
    counts = budget.counts(genes, windows, s)
    for name, mask in budget.select(genes, wires, windows, s, key=KEY).items():
        mask, wanted = np.asarray(mask), np.asarray(wires.logits[name])
        if windowed:
            wanted = np.where(windows[name], wanted, -np.inf)
        if per_neuron:
            assert (mask.sum(0) == np.floor(float(counts[name]) / mask.shape[1])).all()
        else:
            assert mask.sum() == np.floor(float(counts[name]))
            assert wanted[mask == 1].min() > wanted[mask == 0].max()


def test_a_budget_that_affords_everything_keeps_everything() -> None:
    masks = Budget(0.7).select({"shares": jnp.zeros(1)}, _wires(CHAIN), _half_windows(CHAIN), CHAIN, key=KEY)
    np.testing.assert_array_equal(masks["input->hidden1"], _half_windows(CHAIN)["input->hidden1"])


def test_there_is_a_share_gene_for_each_projection_only_where_there_is_something_to_decide() -> None:
    s = NETS["skip"]
    assert Budget(0.5).genome_spec({}, s).size == 3
    assert Budget(1.0).genome_spec({}, s).size == 0  # all synapses are kept
    assert Budget(0.5).genome_spec({}, CHAIN).size == 0  # a single projection grows


def test_a_budget_that_disconnects_names_the_remedy_and_the_remedy_works() -> None:
    s = NETS["skip"]
    with pytest.raises(ValueError, match=r"fraction 0.1 of 90 possible synapses disconnects .* use at least 0.1556"):
        Budget(0.1).genome_spec({}, s)
    Budget(0.1556).genome_spec({}, s)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\]"):
        Budget(fraction).genome_spec({}, CHAIN)


def test_an_impossible_fan_in_is_refused() -> None:
    with pytest.raises(ValueError, match="fan_in must be at least 1, given 0"):
        FanIn(0)
