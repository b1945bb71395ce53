import jax
import jax.numpy as jnp
import pytest

from evodev.memory import free_bytes, peak, resident
from evodev.strategies import Strategy
from tests.tiny import guess_search

X = jax.ShapeDtypeStruct((1000,), jnp.float32)
M = jax.ShapeDtypeStruct((100, 100), jnp.float32)


def _squared(row: jax.Array) -> jax.Array:
    """A row of a hundred, by way of ten thousand numbers."""
    return jnp.outer(row, row) @ row


@pytest.mark.parametrize(
    ("function", "given", "wanted"),
    [
        pytest.param(lambda x: x + 1, X, 8_000, id="the argument stays, one array is made"),
        pytest.param(lambda x: jnp.exp(x + 1) * 2, X, 8_000, id="number by number in one place"),
        pytest.param(lambda x: jnp.sort(x + 1), X, 12_000, id="a sort needs another place"),
        pytest.param(lambda x: (x + 1) @ (x + 2), X, 12_004, id="both sides of a product"),
        pytest.param(lambda x: jnp.outer(x, x).sum(), X, 4_004_004, id="what is dropped is counted while it is there"),
        pytest.param(lambda m: jax.lax.map(_squared, m), M, 40_000 + 40_000 + 40_400 + 400, id="one turn at a time"),
        pytest.param(jax.vmap(_squared), M, 40_000 + 4_000_000 + 40_000, id="all at once"),
    ],
)  # fmt: skip
def test_the_peak_of_known_programs(function, given, wanted: int) -> None:
    assert peak(jax.make_jaxpr(function)(given)) == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("name", ["SNES", "CMA_ES"])
def test_a_forecast_grows_with_the_population_and_is_no_less_than_it(name: str) -> None:
    small, large = (guess_search(Strategy(name, many)).forecast() for many in (1_000, 100_000))
    assert large.peak > 20 * small.peak
    assert large.peak >= large.least >= 100_000 * 4
    assert large.held > 0


def test_what_compiles_needs_about_what_was_forecast() -> None:
    """XLA's own account of a product of sorted numbers."""

    def function(m: jax.Array) -> jax.Array:
        ordered = jnp.sort(m + 1, axis=0)
        return jnp.tanh(ordered @ m)

    told = jax.jit(function).lower(M).compile().memory_analysis()
    assert told is not None
    compiled = told.temp_size_in_bytes + told.argument_size_in_bytes + told.output_size_in_bytes
    assert 0.5 < peak(jax.make_jaxpr(function)(M)) / compiled < 2


def test_the_machine_is_asked() -> None:
    assert resident("VmHWM") >= resident("VmRSS") > 10**7
    assert resident("nothing") == 0
    assert free_bytes() > 0
