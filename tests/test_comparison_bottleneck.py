import numpy as np
import pytest

from benchmarks.comparison.bottleneck_arms import DECODERS, DIRECT, FAMILIES, size_of
from benchmarks.comparison.bottleneck_rows import apart, crossing


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        ((1.0, 1.0, 1.0), np.inf),
        ((-1.0, -1.0, -1.0), 0.0),
        ((1.0, -1.0, -1.0), 20.0),
        ((1.0, 1.0, -3.0), 40.0 * 4**0.25),
        # what falls below 0 and comes back has not fallen for good
        ((1.0, -1.0, 1.0), np.inf),
        ((-1.0, 1.0, -1.0), 80.0),
    ],
)
def test_the_crossing_is_where_the_margin_falls_below_zero_for_good(margins: tuple[float, ...], expected: float) -> None:
    assert crossing((10, 40, 160), margins) == pytest.approx(expected)


def test_labels_keep_their_distance_and_their_order() -> None:
    np.testing.assert_allclose(apart([0.0, 1.0, 0.02, 0.5], 0.1), [0.0, 1.0, 0.1, 0.5])
    np.testing.assert_allclose(apart([0.2, 0.21, 0.0], 0.1), [0.2, 0.3, 0.0])


def test_every_genome_belongs_to_one_family_and_grows_with_it_up_to_a_number_a_weight() -> None:
    assert sorted(name for family in FAMILIES.values() for name in family) == sorted(DECODERS)
    for family in FAMILIES.values():
        sizes = [size_of(name) for name in family]
        assert sizes == sorted(set(sizes))
        assert sizes[-1] <= size_of(DIRECT)
    assert size_of(DIRECT) == 144 * 144 + 144 * 72 + 144 + 72 + 3
