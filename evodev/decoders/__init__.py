"""Decoders: genome -> network, in three moves. Registries are in ``presets``."""

from evodev.decoders.base import Cells, Decoder, Refinement, Sparsity, Tissue, Trace, Wires, Wiring
from evodev.decoders.presets import CELLS, DECODERS, REFINEMENTS, SPARSITIES, WIRINGS

__all__ = [
    "CELLS",
    "DECODERS",
    "REFINEMENTS",
    "SPARSITIES",
    "WIRINGS",
    "Cells",
    "Decoder",
    "Refinement",
    "Sparsity",
    "Tissue",
    "Trace",
    "Wires",
    "Wiring",
]
