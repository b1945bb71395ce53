"""The figures, one function each: numbers in, PNG bytes out. All are ``style.WIDTH`` inches wide at ``style.DPI``."""

from evodev.report.anatomy import GENES, LINES, drawn_network, genome_strip, matrices
from evodev.report.curves import learning_curves, search_curve
from evodev.report.effects import compared, forest, performance_profiles, scatter
from evodev.report.expression import expression_maps
from evodev.report.fields import fields_caption, has_fields, receptive_fields
from evodev.report.film import growth

__all__ = [
    "GENES",
    "LINES",
    "compared",
    "drawn_network",
    "expression_maps",
    "fields_caption",
    "forest",
    "genome_strip",
    "growth",
    "has_fields",
    "learning_curves",
    "matrices",
    "performance_profiles",
    "receptive_fields",
    "scatter",
    "search_curve",
]
