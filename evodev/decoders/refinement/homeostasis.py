"""Homeostasis: each neuron scales its synapses towards the drive that its genes set (Turrigiano et al. 1998)."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp

from evodev.decoders.base import Refinement, biased
from evodev.decoders.refinement.base import spontaneous_waves
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.network import Network, activities
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Key, Vector


@dataclass(frozen=True)
class Homeostasis(Refinement):
    """Synaptic scaling: all weights into a neuron are multiplied by one factor, (target / drive) ** pull.

    Populations are scaled one after the other from the inputs on, so that each is scaled for what will reach it.

    Genes of a population: ``log_target``, and ``pull`` through a sigmoid: 0 leaves the weights, 1 reaches the target.

    Attributes:
        measure: what the drive of a neuron is: ``norm``, the root sum of squares of its incoming weights, which is its root
            mean square drive by unit inputs that are independent; or ``waves``, that under spontaneous activity on the
            sensors (then the network depends on the key).
        target: of the drive in a genome of zeros.
        moments: patterns of activity.
        length: of the waves, see ``spontaneous_waves``.
    """

    measure: Literal["norm", "waves"] = "norm"
    target: float = 1.0
    moments: int = 32
    length: float = 0.5

    def __post_init__(self) -> None:
        if self.measure not in ("norm", "waves"):
            raise ValueError(f"refinement: measure is {self.measure!r}; one of norm, waves")
        if self.target <= 0 or self.moments < 1 or self.length <= 0:
            raise ValueError(
                f"refinement: target, moments and length must be positive, given {self.target}, {self.moments} and {self.length}"
            )

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether waves are drawn."""
        return self.measure == "waves"

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        out = []
        for name in biased(substrate):
            out += [Gene(f"{name}/log_target", (), math.log(self.target), 0.3), Gene(f"{name}/pull", (), 2.0, 1.0)]
        return spec_of(out)

    def refine(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Network:
        waves = spontaneous_waves(substrate.input, self.moments, length=self.length, key=key)
        for population in (p.name for p in substrate.populations if p.name in biased(substrate)):
            into = [p for p in substrate.into(population) if not p.blank]
            if self.measure == "norm":
                log_drive = _log_root(jnp.concatenate([network.weights[p.name] for p in into]), 0.0)
            else:
                state = activities(substrate, jax.lax.stop_gradient(network), waves)
                drive = sum((_calm(state[p.pre]) @ network.weights[p.name] for p in into), jnp.zeros(()))
                log_drive = jax.lax.stop_gradient(_log_root(drive, math.log(self.moments)))
            pull = jax.nn.sigmoid(genes[f"{population}/pull"])
            # clipped so that neither the silent nor a wild genome makes a factor infinite
            factor = jnp.exp(jnp.clip(pull * (genes[f"{population}/log_target"] - log_drive), -60.0, 20.0))
            scaled = {p.name: network.weights[p.name] * factor for p in into}
            network = replace(network, weights=network.weights | scaled)
        return network


def _calm(activity: Float[Array, "moments n"]) -> Float[Array, "moments n"]:
    return jnp.clip(jnp.nan_to_num(activity), -1e9, 1e9)


def _log_root(x: Float[Array, "m n"], log_count: float) -> Vector:
    """Logarithm of the root of the sum of squares over the first axis (less the count: of the mean), without overflow."""
    largest = jax.lax.stop_gradient(jnp.maximum(jnp.abs(x).max(0), 1e-12))
    return jnp.log(largest) + 0.5 * (jnp.log(((x / largest) ** 2).sum(0) + 1e-12) - log_count)
