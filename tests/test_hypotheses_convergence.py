"""What the claims on convergence and on priors measure, on weights and genomes whose answer is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hypotheses import octopus, prior
from evodev.decoders.wiring.relative import offsets


@pytest.fixture(scope="module")
def offset() -> np.ndarray:
    """p_i - p_j of pixels and edges, (144, 36, 2)."""
    return offsets(prior.SUBSTRATE, prior.FIRST)


def weights_of(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A field (144, 36) times another sign and size for each of the four types of edges, (144, 144)."""
    return (field[..., None] * rng.normal(size=prior.FIRST_TYPES)).reshape(len(field), -1)


def test_a_kernel_is_shared_and_random_weights_are_not(offset: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    kernel = np.exp(-(offset**2).sum(-1) / 0.1) * np.cos(3 * offset[..., 0])
    assert prior.sharing(weights_of(kernel, rng)) == pytest.approx(1, abs=1e-6)
    assert abs(prior.sharing(rng.normal(size=(144, 144)))) < 0.02
    # half of the variance each
    both = weights_of(kernel, rng)
    both = both / both.std() + rng.normal(size=both.shape)
    assert prior.sharing(both) == pytest.approx(0.5, abs=0.06)


def test_locality_is_zero_without_a_window_and_grows_as_it_narrows(offset: np.ndarray) -> None:
    rng, squared = np.random.default_rng(0), (offset**2).sum(-1)
    assert abs(prior.locality(rng.normal(size=(144, 144)))) < 0.02
    found = [prior.locality(weights_of(np.exp(-squared / (2 * width**2)), rng)) for width in (2.0, 0.8, 0.3)]
    assert 0 < found[0] < found[1] < found[2] < 1


def test_a_genome_with_its_cell_types_renamed_is_the_same_genome() -> None:
    genome, other = np.random.default_rng(0).normal(size=(2, octopus.SPEC.size)).astype(np.float32)
    shapes, renamed = {gene.name: gene.shape for gene in octopus.SPEC.genes}, genome.copy()
    edges, parts = [2, 0, 3, 1], [7, 3, 0, 1, 6, 2, 5, 4]
    orders = {"input->edges/kernels": (1, edges), "edges/bias": (0, edges), "parts/bias": (0, parts)}
    for name, (axis, order) in orders.items():
        where = octopus.SPEC.slices[f"decoder/wiring/{name}"]
        renamed[where] = genome[where].reshape(shapes[f"decoder/wiring/{name}"]).take(order, axis).ravel()
    where = octopus.SPEC.slices["decoder/wiring/edges->parts/kernels"]
    kernels = genome[where].reshape(shapes["decoder/wiring/edges->parts/kernels"])
    renamed[where] = kernels[edges][:, parts].ravel()
    assert octopus.alike(jnp.array(genome), jnp.array(renamed)) == pytest.approx(1)
    assert octopus.alike(jnp.array(genome), jnp.array(other)) < 0.5
