"""What a report is made of; apart from the page, because figures take seconds to import and a search draws none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evodev.organism import Organism
from evodev.report.table import Results
from evodev.types import Array


@dataclass(frozen=True)
class ReportData:
    """All that a report shows.

    Attributes:
        name: of the run.
        command: that started it, as typed.
        comparison: what :func:`evodev.comparison.compare` returned, or None if nothing was compared.
        metrics: a record a generation, as :meth:`evodev.search.Search.advance` gives them.
        manifest: versions, device, commit.
        config: the configuration as YAML text.
        organism: what the genomes mean.
        genomes: ``champion``, ``centroid`` and ``initial``, each (genes,) in search units.
        seeds_note: if there are several seeds, a sentence on which of them search, champion and genome below are of.
    """

    name: str
    command: str
    comparison: Results | None
    metrics: Sequence[Mapping[str, Any]]
    manifest: Mapping[str, Any]
    config: str
    organism: Organism
    genomes: Mapping[str, Array | np.ndarray]
    seeds_note: str = ""
