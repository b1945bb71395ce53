"""What every decoder promises, over every composition of registered parts; a new part is covered by being registered."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import CELLS, DECODERS, SPARSITIES, WIRINGS, Decoder, Trace
from evodev.network import Network, forward, matrix
from evodev.substrate import Substrate, mlp, recurrent
from tests.tiny import GRID

FIELD, BUDGET = GRID, "fraction"
LINE = mlp((6, 8, 3), skip=True)

COMPOSED = {
    f"{c}-{w}-{s}": (Decoder(CELLS[c](), WIRINGS[w](), SPARSITIES[s]()), FIELD) for c, w, s in product(CELLS, WIRINGS, SPARSITIES)
}
NAMED = {f"{name}-{kind}": (d, s) for name, d in DECODERS.items() for kind, s in {"line": LINE, "loop": recurrent(4, 6, 2)}.items()}
CASES = COMPOSED | NAMED


class Grown:
    """One decoder's networks for a base genome, for the same with one gene after the other changed, and for wild ones."""

    def __init__(self, decoder: Decoder, substrate: Substrate) -> None:
        self.decoder, self.substrate, self.spec = decoder, substrate, decoder.genome_spec(substrate)
        self.key = jax.random.key(5)
        self.genome = self.spec.init(key=jax.random.key(0))
        other = self.spec.init(key=jax.random.key(1))
        changed = [self.genome.at[where].set(3 * other[where]) for where in self.spec.slices.values()]
        wild = [1e4 * self.spec.init(key=jax.random.key(i)) for i in (2, 3)]
        self.trace = jax.jit(lambda genome, key: decoder.trace(genome, substrate, key=key))
        batch = jnp.stack([self.genome, *wild, *changed])
        many = jax.jit(jax.vmap(self.trace, (0, None)))(batch, self.key)
        traces: list[Trace] = [jax.tree.map(lambda x, i=i: np.asarray(x[i]), many) for i in range(len(batch))]
        self.base, self.wild, self.changed = traces[0], traces[1:3], dict(zip(self.spec.slices, traces[3:], strict=True))

    @property
    def all(self) -> list[Network]:
        return [trace.network for trace in (self.base, *self.wild, *self.changed.values())]


@pytest.fixture(scope="module", params=CASES)
def grown(request: pytest.FixtureRequest) -> Grown:
    return Grown(*CASES[request.param])


def _assert_same(a: object, b: object, **tolerance: float) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_the_same_key_grows_the_same_network_batched_or_not(grown: Grown) -> None:
    alone = grown.trace(grown.genome, grown.key)
    _assert_same(alone, grown.trace(grown.genome, grown.key), rtol=0)
    _assert_same(alone.network.masks, grown.base.network.masks, rtol=0)
    _assert_same(alone.network, grown.base.network, rtol=1e-4, atol=1e-5)


def test_only_a_stochastic_decoder_heeds_the_key(grown: Grown) -> None:
    if not grown.decoder.stochastic:
        other = grown.trace(grown.genome, jax.random.key(6))
        _assert_same(other, grown.trace(grown.genome, grown.key), rtol=0)


def test_no_genome_grows_a_number_that_is_not_finite(grown: Grown) -> None:
    for network in grown.all:
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(network))


def test_every_declared_gene_is_read(grown: Grown) -> None:
    for name, changed in grown.changed.items():
        pairs = zip(jax.tree.leaves(grown.base), jax.tree.leaves(changed), strict=True)
        assert any(not np.allclose(a, b, rtol=1e-6) for a, b in pairs), f"{name} changes nothing"


@pytest.mark.parametrize("change", [-1, 1])
def test_a_genome_of_another_length_is_refused(grown: Grown, change: int) -> None:
    with pytest.raises(ValueError, match=rf"expected {grown.spec.size} numbers"):
        grown.decoder.grow(jnp.zeros(grown.spec.size + change), grown.substrate, key=grown.key)


def test_weights_are_zero_outside_masks_and_masks_outside_windows(grown: Grown) -> None:
    windows = grown.decoder.wiring.windows(grown.substrate)
    for network in grown.all:
        for name, mask in network.masks.items():
            assert mask.shape == network.weights[name].shape
            assert np.isin(mask, (0, 1)).all()
            assert (network.weights[name][mask == 0] == 0).all()
            if name in windows:
                assert (mask[~windows[name]] == 0).all()


def test_density_stays_within_the_budget(grown: Grown) -> None:
    sparsity = grown.decoder.sparsity
    most = getattr(sparsity, "fraction", 1.0) * grown.substrate.synapses
    for network in grown.all:
        assert sum(mask.sum() for mask in network.masks.values()) <= most + 1e-3
        for projection in grown.substrate.grown:
            assert network.masks[projection.name].sum(0).max() <= getattr(sparsity, "fan_in", np.inf)


def test_blank_slates_are_born_whole_and_zero(grown: Grown) -> None:
    for projection in grown.substrate.projections:
        if projection.blank:
            assert (grown.base.network.masks[projection.name] == 1).all()
            assert (grown.base.network.weights[projection.name] == 0).all()


def test_gradients_reach_the_genome(grown: Grown) -> None:
    def energy(genome: jax.Array) -> jax.Array:
        network = grown.decoder.grow(genome, grown.substrate, key=grown.key)
        return sum(((w - 0.1) ** 2).sum() for w in (*network.weights.values(), *network.biases.values()))  # type: ignore[return-value]

    gradient = np.asarray(jax.jit(jax.grad(energy))(grown.genome))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-4


def test_the_shared_form_is_the_same_function(grown: Grown) -> None:
    substrate, network = grown.substrate, grown.base.network
    shared = grown.decoder.grow(grown.genome, substrate, key=grown.key, shared=True)
    for name, weights in network.weights.items():
        np.testing.assert_allclose(matrix(shared.weights[name]), weights, rtol=1e-4, atol=1e-5)
    x = jax.random.normal(jax.random.key(7), (3, substrate.input.size))
    np.testing.assert_allclose(forward(substrate, shared, x), forward(substrate, network, x), rtol=1e-3, atol=1e-4)
