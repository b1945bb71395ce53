"""The figures, one function each: numbers in, PNG bytes out. All are ``style.WIDTH`` inches wide at ``style.DPI``."""

from evodev.report.anatomy import GENES, LINES, drawn_network, genome_strip, has_fields, matrices, receptive_fields
from evodev.report.curves import forest, learning_curves, search_curve

__all__ = [
    "GENES",
    "LINES",
    "drawn_network",
    "forest",
    "genome_strip",
    "has_fields",
    "learning_curves",
    "matrices",
    "receptive_fields",
    "search_curve",
]
