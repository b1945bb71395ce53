"""Activity before experience: what drives a network that has not seen anything."""

import jax
import jax.numpy as jnp

from evodev.substrate import Population
from evodev.types import Array, Float, Key


def spontaneous_waves(
    population: Population, moments: int, *, length: float, waves: int = 4, key: Key
) -> Float[Array, "moments n"]:
    """Smooth random activity over a population: neurons that lie near each other are active together.

    Every moment is a sum of plane waves of random direction, length and phase (the correlations that retinal waves give
    their target: Meister et al. 1991), of mean 0 and mean square 1.

    Args:
        population: where; its coordinates say who is near.
        moments: how many patterns.
        length: typical wavelength / 2 pi, in the units of the coordinates (2 is the width of a tissue).
        waves: plane waves in a moment.
        key: for the draw.
    """
    key_direction, key_phase = jax.random.split(key)
    # types at one position are places of their own: populations of one position are driven independently
    places = jnp.asarray(population.places)
    numbers = jax.random.normal(key_direction, (moments, waves, places.shape[1])) / length
    phases = jax.random.uniform(key_phase, (moments, waves, 1), maxval=2 * jnp.pi)
    return jnp.cos(numbers @ places.T + phases).sum(1) * (2.0 / waves) ** 0.5
