"""What every decoder promises, over every composition of registered parts; a new part is covered by being registered."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import CELLS, DECODERS, REFINEMENTS, SPARSITIES, WIRINGS, Decoder, Trace
from evodev.network import Network, forward, matrix
from evodev.substrate import Population, Projection, Substrate, mlp, recurrent
from evodev.types import Genome, Genomes, Key

FIELD = Substrate(
    (
        Population("input", (4, 4), activation="linear"),
        Population("hidden", (2, 2), 3),
        Population("deep", (2, 2), 2),
        Population("output", (2,), activation="linear"),
    ),
    (Projection("input", "hidden"), Projection("hidden", "deep"), Projection("deep", "output", blank=True)),
)
LINE, LOOP = mlp((10, 12, 4), skip=True), recurrent(6, 10, 2)


def _compositions(rounds: int = 3) -> list[tuple[str, str, str]]:
    """A Latin walk over the parts: all of them in every round, each time in other company."""
    parts = [list(CELLS), list(WIRINGS), list(SPARSITIES)]
    most = max(map(len, parts))
    walk = [
        tuple(names[(i + turn * k) % len(names)] for k, names in enumerate(parts)) for turn in range(rounds) for i in range(most)
    ]
    return list(dict.fromkeys(walk))  # type: ignore[arg-type]


COMPOSED = {f"{c}-{w}-{s}": (Decoder(CELLS[c](), WIRINGS[w](), SPARSITIES[s]()), FIELD) for c, w, s in _compositions()}
REFINED = {
    f"{name}-{kind}": (replace(DECODERS["spatial_gem"], refinement=(part(),)), s)
    for name, part in REFINEMENTS.items()
    for kind, s in {"field": FIELD, "loop": LOOP}.items()
}
NAMED = {f"{name}-{kind}": (d, s) for name, d in DECODERS.items() for kind, s in {"line": LINE, "loop": LOOP}.items()}
CASES = COMPOSED | REFINED | NAMED


class Grown:
    """One decoder's networks for a base genome, for the same with one gene after the other changed, and for wild ones."""

    def __init__(self, decoder: Decoder, substrate: Substrate) -> None:
        self.decoder, self.substrate, self.spec = decoder, substrate, decoder.genome_spec(substrate)
        rng = np.random.default_rng(0)
        genome, other = rng.normal(size=(2, self.spec.size))
        changed = np.tile(genome, (2 * len(self.spec.genes), 1))
        for i, where in enumerate(self.spec.slices.values()):
            changed[2 * i : 2 * i + 2, where] = 10 * other[where], -10 * other[where]
        wild = 1e4 * rng.normal(size=(2, self.spec.size))
        key, x = jax.random.key(5), jnp.asarray(rng.normal(size=(3, substrate.input.size)), jnp.float32)

        def trace(genome: Genome, key: Key) -> Trace:
            return decoder.trace(genome, substrate, key=key)

        def energy(genome: Genome) -> tuple[jax.Array, Trace]:
            grown = trace(genome, key)
            parts = (*grown.network.weights.values(), *grown.network.biases.values())
            return jnp.stack([((w - 0.1) ** 2).sum() for w in parts]).sum(), grown

        @jax.jit
        def everything(genomes: Genomes, keys: jax.Array) -> tuple[Any, ...]:
            gradient, alone = jax.grad(energy, has_aux=True)(genomes[0])
            shared = decoder.grow(genomes[0], substrate, key=key, shared=True)
            answers = forward(substrate, alone.network, x), forward(substrate, shared, x)
            matrices = {name: matrix(weights) for name, weights in shared.weights.items()}
            return jax.vmap(trace)(genomes, keys), alone, gradient, matrices, answers

        # the last is the first again, but for its key
        genomes = jnp.asarray(np.concatenate([genome[None], wild, changed, genome[None]]), jnp.float32)
        keys = jnp.stack([key] * (len(genomes) - 1) + [jax.random.key(6)])
        many, self.alone, self.gradient, self.matrices, self.answers = jax.device_get(everything(genomes, keys))
        traces: list[Trace] = [jax.tree.map(lambda x, i=i: x[i], many) for i in range(len(genomes))]
        self.base, self.wild, self.changed, self.other_key = traces[0], traces[1:3], traces[3:-1], traces[-1]

    @property
    def all(self) -> list[Network]:
        return [trace.network for trace in (self.base, *self.wild, *self.changed)]


@pytest.fixture(scope="module", params=CASES)
def grown(request: pytest.FixtureRequest) -> Grown:
    return Grown(*CASES[request.param])


def _assert_same(a: object, b: object, rtol: float, atol: float = 0.0) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b)


def test_a_network_is_the_same_batched_or_not(grown: Grown) -> None:
    _assert_same(grown.alone.network.masks, grown.base.network.masks, rtol=0)
    _assert_same(grown.alone.network, grown.base.network, rtol=1e-4, atol=1e-5)


def test_only_a_stochastic_decoder_heeds_the_key(grown: Grown) -> None:
    if not grown.decoder.stochastic:
        _assert_same(grown.base, grown.other_key, rtol=0)


def test_no_genome_grows_a_number_that_is_not_finite(grown: Grown) -> None:
    for network in grown.all:
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(network))


def test_every_declared_gene_is_read(grown: Grown) -> None:
    for i, name in enumerate(grown.spec.slices):
        base, changed = jax.tree.leaves([grown.base] * 2), jax.tree.leaves(grown.changed[2 * i : 2 * i + 2])
        assert any(not np.allclose(a, b, rtol=1e-6) for a, b in zip(base, changed, strict=True)), f"{name} changes nothing"


@pytest.mark.parametrize("change", [-1, 1])
def test_a_genome_of_another_length_is_refused(grown: Grown, change: int) -> None:
    with pytest.raises(ValueError, match=rf"expected {grown.spec.size} numbers"):
        grown.decoder.grow(jnp.zeros(grown.spec.size + change), grown.substrate, key=jax.random.key(0))


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
            living = [np.asarray(grown.base.network.alive[end]) for end in (projection.pre, projection.post)]
            np.testing.assert_array_equal(grown.base.network.masks[projection.name], np.outer(*living))
            assert (grown.base.network.weights[projection.name] == 0).all()


def test_gradients_reach_the_genome(grown: Grown) -> None:
    assert np.isfinite(grown.gradient).all()
    assert np.abs(grown.gradient).max() > 1e-4


def test_the_shared_form_is_the_same_function(grown: Grown) -> None:
    for name, weights in grown.base.network.weights.items():
        np.testing.assert_allclose(grown.matrices[name], weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(*grown.answers, rtol=1e-3, atol=1e-4)
