"""The way back to a genome: from weights, from a task, and what it saves."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.compress import Fit, compression, descend, fit, fit_by_evolution, target_weights, train_genome, weight_error
from evodev.decoders import Decoder, Sparsity
from evodev.decoders.cells.gaussians import SpatialGaussians
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses, FanIn
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.direct import Direct
from evodev.network import Network, forward
from evodev.strategies import Strategy
from evodev.substrate import Substrate, mlp
from evodev.types import Key, Scalar

LINE = mlp((6, 5, 2))
GEM = Decoder(SpatialGaussians(2), Bilinear(), AllSynapses())
WEIGHTS = 6 * 5 + 5 * 2 + 5 + 2


def _grown(decoder: Decoder = GEM, seed: int = 3) -> tuple[jax.Array, Network]:
    genome = decoder.genome_spec(LINE).init(key=jax.random.key(seed))
    return genome, decoder.grow(genome, LINE, key=jax.random.key(0))


@pytest.fixture(scope="module")
def copied() -> Fit:
    genome, network = _grown()
    start = genome + 0.1 * jax.random.normal(jax.random.key(1), genome.shape)

    def score(network: Network) -> Scalar:
        return network.weights["input->hidden1"][2, 3]

    return fit(GEM, LINE, network, steps=600, key=jax.random.key(2), genome=start, score=score)


def test_the_weights_of_a_genome_are_fitted_to_nothing_left(copied: Fit) -> None:
    assert copied.history.shape == (600,)
    assert copied.history[0] > 0.03
    assert copied.error < 0.01


def test_a_fit_comes_with_the_network_that_its_genome_grows_and_that_networks_score(copied: Fit) -> None:
    again = GEM.grow(copied.genome, LINE, key=jax.random.key(0))
    np.testing.assert_allclose(copied.network.weights["input->hidden1"], again.weights["input->hidden1"], rtol=1e-5)
    assert copied.innate == pytest.approx(float(again.weights["input->hidden1"][2, 3]), rel=1e-5)
    goal = target_weights(_grown()[1], LINE)
    assert copied.error == pytest.approx(float(weight_error(again, goal, LINE)), rel=1e-4)


def test_factors_count_weights_and_biases_against_the_genome(copied: Fit) -> None:
    # 3 populations x 2 genes x (1 center + 1 width), 2 x 2 rules in 2 projections, 2 bias genes in 2 populations
    size = 3 * 2 * 2 + 2 * 4 + 2 * 2
    assert copied.genome.shape == (size,)
    assert copied.factor == copied.bit_factor == pytest.approx(WEIGHTS / size)
    assert compression(GEM, LINE) == pytest.approx((WEIGHTS / size, WEIGHTS / size))
    # a gene a weight compresses nothing
    assert compression(Decoder(CellTypes(), Direct(), AllSynapses()), LINE)[0] == 1.0


def test_a_sparse_target_has_no_more_weights_than_synapses() -> None:
    _, sparse = _grown(replace(GEM, sparsity=FanIn(2)))
    found = fit(GEM, LINE, sparse, steps=1, key=jax.random.key(0))
    assert found.factor * found.genome.size == pytest.approx(2 * 5 + 2 * 2 + 5 + 2)


def test_the_weight_error_by_hand() -> None:
    _, network = _grown()
    blank = jax.tree.map(jnp.zeros_like, network)
    goal = {"input->hidden1": 2 * jnp.ones((6, 5)), "hidden1->output": jnp.ones((5, 2))}
    assert weight_error(blank, goal, LINE) == pytest.approx(1.0)
    half = replace(blank, weights=blank.weights | {"input->hidden1": jnp.ones((6, 5))})
    # the hidden layer is off by a quarter of the squares, the outputs by all of them; biases are nobody's goal
    assert weight_error(half, goal, LINE) == pytest.approx(((0.25 + 1.0) / 2) ** 0.5)


def test_a_target_of_some_projections_leaves_the_others_free() -> None:
    genome, network = _grown()
    part = {"hidden1->output": network.weights["hidden1->output"]}
    # as far as the target says, another first projection is no error
    rules = GEM.genome_spec(LINE).slices["wiring/input->hidden1/rules"]
    found = fit(GEM, LINE, part, steps=1, key=jax.random.key(0), genome=genome.at[rules].add(1.0))
    assert found.history[0] < 1e-5
    assert found.factor * found.genome.size == pytest.approx(5 * 2)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, "nothing"),
        ({"input->output": jnp.zeros((6, 2))}, "input->output; what is grown here: input->hidden1"),
        ({"input->hidden1": jnp.zeros((5, 6))}, r"shape \(5, 6\), the substrate's is \(6, 5\)"),
    ],
)
def test_a_target_that_cannot_be_grown_is_refused(target: dict[str, jax.Array], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit(GEM, LINE, target, steps=1, key=jax.random.key(0))


def test_evolution_comes_nearer() -> None:
    genome, network = _grown()
    start = genome + 0.3 * jax.random.normal(jax.random.key(1), genome.shape)
    before = weight_error(GEM.grow(start, LINE, key=jax.random.key(0)), target_weights(network, LINE), LINE)
    strategy = Strategy("SNES", population=16, sigma=0.1)
    found = fit_by_evolution(GEM, LINE, network, strategy, generations=60, key=jax.random.key(2), genome=start, chunk=5)
    assert found.history.shape == (60,)
    assert found.error == pytest.approx(float(found.history.min()), rel=1e-3)
    assert found.error < 0.5 * before


def test_descent_gets_progress_and_a_new_key_in_every_step() -> None:
    def loss(params: jax.Array, progress: Scalar, *, key: Key) -> Scalar:
        return progress + 0 * params.sum() + 10 * jax.random.uniform(key).round(6)

    _, history = descend(loss, jnp.zeros(2), steps=5, key=jax.random.key(0))
    _, again = descend(loss, jnp.zeros(2), steps=5, key=jax.random.key(0))
    np.testing.assert_array_equal(history, again)
    drawn = np.asarray(history) - np.linspace(0, 1, 5)
    assert len(set(drawn.round(3).tolist())) == 5


@dataclass(frozen=True)
class Fading(AllSynapses):
    """All synapses, fewer in effect the further training has come."""

    strength: Scalar | float = 1.0

    def at(self, progress: Scalar | float) -> Sparsity:
        return replace(self, strength=1.0 - progress)

    def select(self, genes, wires, windows, substrate, *, key):  # type: ignore[no-untyped-def]
        return {name: self.strength * jnp.ones_like(x) for name, x in wires.logits.items()}


def test_sparsity_anneals_over_the_steps_and_is_grown_at_its_end() -> None:
    fading = replace(GEM, sparsity=Fading())

    def loss(network: Network, free: None, *, key: Key) -> Scalar:
        return network.masks["input->hidden1"].mean()

    _, _, history = train_genome(fading, LINE, loss, steps=3, key=jax.random.key(0))
    np.testing.assert_allclose(history, [1.0, 0.5, 0.0])
    found = fit(fading, LINE, _grown()[1], steps=2, key=jax.random.key(0))
    assert (found.network.weights["input->hidden1"] == 0).all()


def _task(substrate: Substrate, x: jax.Array, y: jax.Array):  # type: ignore[no-untyped-def]
    def loss(network: Network, free: jax.Array | None, *, key: Key) -> Scalar:
        outputs = forward(substrate, network, x)
        return ((outputs + (0.0 if free is None else free) - y) ** 2).mean()

    return loss


def test_genome_and_free_weights_are_trained_together_and_alone() -> None:
    x = jax.random.normal(jax.random.key(0), (8, 6))
    loss = _task(LINE, x, x[:, :2] + 20.0)
    genome, _ = _grown()
    alone, nothing, history = train_genome(GEM, LINE, loss, steps=50, key=jax.random.key(1), genome=genome)
    assert nothing is None
    assert history[-1] < history[0]
    assert not np.allclose(alone, genome)
    both, free, jointly = train_genome(GEM, LINE, loss, steps=50, key=jax.random.key(1), genome=genome, free=jnp.zeros(2))
    assert (free > 0.1).all()
    assert not np.allclose(both, genome)
    assert jointly[-1] < history[-1]
