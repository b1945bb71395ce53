"""Plasticity masks: which of the grown synapses may change in life, owned by the genome."""

import jax.numpy as jnp

from evodev.genome import Gene
from evodev.network import Network
from evodev.ranking import straight_through
from evodev.substrate import Substrate
from evodev.types import Array, Genes

CHANNEL = "plastic"
"""The channel in which a wiring expresses how much each synapse is to be plastic, a logit."""


def gate_genes(substrate: Substrate) -> list[Gene]:
    """A gate for each grown projection, open in a genome of zeros; blank slates, which are there to be written on, have none."""
    return [Gene(f"{p.name}/plastic", (), 1.0) for p in substrate.grown]


def gates(genes: Genes, network: Network, substrate: Substrate, *, by_synapse: bool) -> dict[str, Array]:
    """1 where synapses may change and 0 where they may not, a grown projection: one number, or (pre, post).

    Open where the projection's gene is positive; ``by_synapse`` adds to it what the wiring expressed for each synapse. The
    genome's gradient is that of a sigmoid (straight through).
    """
    own = network.channels.get(CHANNEL, {}) if by_synapse else {}
    wishes = {p.name: genes[f"{p.name}/plastic"] + own.get(p.name, 0.0) for p in substrate.grown}
    return {name: straight_through((wish > 0).astype(jnp.float32), wish) for name, wish in wishes.items()}
