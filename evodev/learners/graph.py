"""A network as one graph: the neurons of all populations side by side, in their order, and all pairs of them."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from evodev.substrate import Substrate
from evodev.types import Array, Matrix, Vector


def bounds(substrate: Substrate) -> np.ndarray:
    """Where each population begins among all neurons, and at last their number."""
    return np.cumsum([0, *(p.size for p in substrate.populations)])


def places(substrate: Substrate) -> dict[str, tuple[slice, slice]]:
    """Rows and columns of each projection among all pairs."""
    ends = bounds(substrate)
    span = {p.name: slice(int(a), int(b)) for p, a, b in zip(substrate.populations, ends[:-1], ends[1:], strict=True)}
    return {p.name: (span[p.pre], span[p.post]) for p in substrate.projections}


def legal(substrate: Substrate) -> np.ndarray:
    """Where the substrate has projections, booleans (neurons, neurons)."""
    where = np.zeros((bounds(substrate)[-1],) * 2, bool)
    for place in places(substrate).values():
        where[place] = True
    return where


def whole(parts: Mapping[str, Any], substrate: Substrate) -> Matrix:
    """Matrices by projection as one over all pairs of neurons."""
    full = jnp.zeros((bounds(substrate)[-1],) * 2)
    for name, place in places(substrate).items():
        full = full.at[place].set(parts[name])
    return full


def blocks(full: Matrix, substrate: Substrate) -> dict[str, Array]:
    """Inverse of :func:`whole`."""
    return {name: full[place] for name, place in places(substrate).items()}


def beside(vectors: Mapping[str, Array], substrate: Substrate) -> Vector:
    """Vectors by population side by side."""
    return jnp.concatenate([vectors[p.name] for p in substrate.populations])
