import numpy as np
import pytest

from evodev.baselines.masks import same_degrees, same_density, same_layers, strongest


@pytest.fixture
def masks() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "a->b": (rng.random((12, 9)) < 0.5).astype(np.float32),
        "b->c": (rng.random((9, 4)) < 0.2).astype(np.float32),
    }


def test_each_control_keeps_what_its_name_says_and_nothing_else(masks: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    anywhere, layers, degrees = same_density(masks, rng), same_layers(masks, rng), same_degrees(masks, rng)
    for name, mask in masks.items():
        for drawn in (anywhere, layers, degrees):
            assert drawn[name].shape == mask.shape
            assert set(np.unique(drawn[name])) <= {0.0, 1.0}
            assert (drawn[name] != mask).any()
        np.testing.assert_array_equal(degrees[name].sum(0), mask.sum(0))
        np.testing.assert_array_equal(degrees[name].sum(1), mask.sum(1))
        assert layers[name].sum() == mask.sum()
    assert sum(m.sum() for m in anywhere.values()) == sum(m.sum() for m in masks.values())
    assert (layers["a->b"].sum(0) != masks["a->b"].sum(0)).any()
    assert anywhere["a->b"].sum() != masks["a->b"].sum()


def test_a_mask_that_degrees_determine_stays_as_it_is() -> None:
    whole, single = np.ones((3, 2), np.float32), np.array([[1.0, 0.0, 1.0]], np.float32)
    rewired = same_degrees({"whole": whole, "single": single}, np.random.default_rng(0))
    np.testing.assert_array_equal(rewired["whole"], whole)
    np.testing.assert_array_equal(rewired["single"], single)


def test_degree_preserving_draws_cover_every_pairing_alike() -> None:
    # 3 senders, 3 receivers, one synapse each: the six permutations, equally often
    rng, seen = np.random.default_rng(0), {}
    for _ in range(600):
        drawn = same_degrees({"p": np.eye(3, dtype=np.float32)}, rng, trades=8)["p"]
        order = tuple(drawn.argmax(1).tolist())
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert min(seen.values()) > 70


def test_the_strongest_are_counted_over_all_projections() -> None:
    scores = {"a->b": np.array([[3.0, -5.0], [0.5, 2.0]]), "b->c": np.array([[1.0], [-np.inf]])}
    kept = strongest(scores, 3)
    np.testing.assert_array_equal(kept["a->b"], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(kept["b->c"], [[1], [0]])
    assert sum(m.sum() for m in strongest({"p": np.zeros((2, 3))}, 4).values()) == 4  # equals do not add up to more


@pytest.mark.parametrize("fan_in", [1, 2, 5, 25])
def test_a_mask_of_the_same_degrees_owes_its_start_nothing(fan_in: int) -> None:
    # a third of the senders has no synapse, and cannot be who trades
    rng = np.random.default_rng(fan_in)
    starts = (rng.random((12, 64, 64)).argsort(1) < fan_in).astype(np.float32)
    starts[:, :20] *= fan_in > 5

    def shared(**trades: int) -> np.ndarray:
        return np.array([(start * same_degrees({"p": start}, rng, **trades)["p"]).sum() / start.sum() for start in starts])

    drawn, mixed = shared(), shared(trades=300)
    assert abs(drawn.mean() - mixed.mean()) < 4 * np.hypot(drawn.std(), mixed.std()) / len(starts) ** 0.5
