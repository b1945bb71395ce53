import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.decoders import CELLS, Cells
from evodev.decoders.cells.address import BinaryAddress, address, bits_for, gray_code
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians, spread
from evodev.decoders.cells.types import CellTypes
from evodev.substrate import Population, Projection, Substrate
from tests.tiny import GRID

KEY = jax.random.key(0)


@pytest.mark.parametrize("cells", [pytest.param(cls(), id=name) for name, cls in CELLS.items()])
def test_states_are_as_wide_as_declared_and_only_growth_leaves_neurons_dead(cells: Cells) -> None:
    spec = cells.genome_spec(GRID)
    tissue = cells.express(spec.unpack(spec.init(key=KEY)), GRID, key=KEY)
    widths = cells.widths(GRID)
    for p in GRID.populations:
        assert tissue.states[p.name].shape == (p.size, widths[p.name])
        assert tissue.graph or (tissue.alive[p.name] == 1).all()
        assert (np.asarray(tissue.states[p.name])[np.asarray(tissue.alive[p.name]) == 0] == 0).all()


def test_cell_types_are_one_hot_and_repeat_from_place_to_place() -> None:
    tissue = CellTypes().express({}, GRID, key=KEY)
    np.testing.assert_array_equal(tissue.states["hidden"], np.tile(np.eye(3), (4, 1)))
    assert tissue.by_type


def test_gray_code_by_hand() -> None:
    np.testing.assert_array_equal(gray_code(4), [[-1, -1], [-1, 1], [1, 1], [1, -1]])


@given(st.integers(2, 40))
def test_gray_codes_are_distinct_and_neighbours_differ_in_one_bit(count: int) -> None:
    code = gray_code(count)
    assert code.shape == (count, bits_for(count))
    assert len(np.unique(code, axis=0)) == count
    assert ((code[1:] != code[:-1]).sum(1) == 1).all()


def test_an_address_joins_the_codes_of_axes_and_type() -> None:
    label = address(Population("p", (2, 3), types=2))
    assert label.shape == (12, 1 + 2 + 1)
    # neuron 9: row 1, column 1, type 1 -> gray codes 1, 01, 1
    np.testing.assert_array_equal(label[9], [1, -1, 1, 1])
    np.testing.assert_array_equal(address(Population("p", (1,))), [[1]])


def test_a_population_of_four_has_a_two_bit_address() -> None:
    s = Substrate((Population("a", (4,)), Population("b", (1,))), (Projection("a", "b"),))
    assert BinaryAddress().widths(s) == {"a": 2, "b": 1}
    np.testing.assert_array_equal(BinaryAddress().express({}, s, key=KEY).states["a"], gray_code(4))


def test_a_spatial_gaussian_falls_off_around_its_centre() -> None:
    s = Substrate((Population("a", (4,)), Population("b", (1,))), (Projection("a", "b"),))
    cells = SpatialGaussians(genes=1)
    centre = -0.75 - spread(1, 1)  # the gene moves the centre onto the first neuron
    genes = {"log_widths": jnp.log(jnp.array([0.5])), "centers": jnp.asarray(centre)}
    tissue = cells.express({f"{p}/{name}": value for p in "ab" for name, value in genes.items()}, s, key=KEY)
    distance = np.array([0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(tissue.states["a"][:, 0], np.exp(-(distance**2) / (2 * 0.25)), rtol=1e-5)


def test_a_gradient_is_a_wave_over_the_tissue() -> None:
    s = Substrate((Population("a", (2,)), Population("b", (1,))), (Projection("a", "b"),))
    genes = {"waves": jnp.array([[2.0]]), "phases": jnp.array([0.5])}
    tissue = Gradients(genes=1).express({f"{p}/{name}": value for p in "ab" for name, value in genes.items()}, s, key=KEY)
    np.testing.assert_allclose(tissue.states["a"][:, 0], np.cos([-1 + 0.5, 1 + 0.5]), rtol=1e-5)


@given(st.integers(1, 30), st.integers(1, 3))
def test_centres_of_a_genome_of_zeros_tile_the_tissue(count: int, dimensions: int) -> None:
    points = spread(count, dimensions)
    assert points.shape == (count, dimensions)
    assert (np.abs(points) <= 1).all()
    assert len(np.unique(points, axis=0)) == count


@pytest.mark.parametrize("cls", [SpatialGaussians, Gradients])
def test_cells_without_genes_are_refused(cls: type) -> None:
    with pytest.raises(ValueError, match="cells: genes must be at least 1, given 0"):
        cls(genes=0)
