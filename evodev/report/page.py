"""The report of a run: one self-contained page, and its figures."""

import base64
import re
import struct
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import jinja2
import numpy as np

from evodev.decoders import Decoder
from evodev.decoders.base import Tissue
from evodev.health import SIGNS, gaps, health, health_line
from evodev.manifest import flat
from evodev.network import Network
from evodev.report import figures
from evodev.report.costs import compactness_lines, ledger_table, ledgers
from evodev.report.data import ReportData
from evodev.report.evidence import curse, factorial, fairness, levels
from evodev.report.table import (
    FRONT,
    GROUPS,
    Results,
    caption,
    front_rows,
    loss_name,
    ordered,
    rows,
    rows_by_seeds,
    seeds_of,
    tested,
    tests_caption,
    warning,
)
from evodev.report.template import STYLE, TEMPLATE
from evodev.report.verdict import verdict


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its file name, PNG bytes, title and caption."""

    file: str
    png: bytes = field(repr=False)
    title: str
    caption: str

    @property
    def base64(self) -> str:
        """The image as a data address holds it."""
        return base64.b64encode(self.png).decode()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the PNG's header says."""
        return struct.unpack(">II", self.png[16:24])


def build(data: ReportData) -> tuple[str, dict[str, bytes]]:
    """The page as HTML, and its figures as file name -> PNG bytes.

    The page holds everything, figures included, and asks for nothing from anywhere. What comes from files is escaped.
    """
    network = grown(data)
    results, search = result_figures(data), search_figures(data)
    champion, genome = champion_figures(data, network), genome_figure(data)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    html = environment.from_string(TEMPLATE).render(
        style=STYLE,
        name=data.name,
        warning=warning(data.comparison) if data.comparison else "",
        subtitle=subtitle(data),
        held_out=data.comparison["held_out"] if data.comparison else "",
        sections=sections(data),
        verdict=[unbroken(s) for s in verdict(data.comparison)] if data.comparison else [NOT_COMPARED],
        table=result_table(data.comparison) if data.comparison else None,
        results=results,
        tests=tests_table(data.comparison) if data.comparison and tested(data.comparison) else None,
        curse=unbroken(curse(data.comparison)) if data.comparison else "",
        levels=levels(data.comparison) if data.comparison else None,
        fairness=fairness(data.comparison) if data.comparison else None,
        search=search,
        front=front_rows(data.metrics),
        front_caption=FRONT,
        champion=champion,
        ledgers=ledgers(data.comparison, data.metrics) if data.comparison else None,
        factorial=factorial(data.comparison) if data.comparison else None,
        costs=ledger_table(data.comparison) if data.comparison else None,
        compactness=compactness_lines(data.organism, network),
        genome=genome,
        genes=data.organism.genome_spec.genes,
        command=data.command,
        seeds_note=data.seeds_note,
        manifest=[(k, str(v)) for k, v in flat(data.manifest).items() if k != "command" and v not in (None, "")],
        config=data.config,
    )
    return html, {p.file: p.png for p in [*results, *search, *champion, genome]}


NOT_COMPARED = "This champion has not been compared with anything yet: `evodev compare` does that."


def grown(data: ReportData) -> Network:
    """The champion's network at birth; one of those that it may grow, where growth draws at random."""
    organism = data.organism
    return jax.jit(lambda genome: organism.develop(genome, key=jax.random.key(0))[0])(data.genomes["champion"])


def tissue(data: ReportData) -> Tissue | None:
    """The cells from which :func:`grown` was wired, if its decoder is one that shows its stages."""
    organism = data.organism
    decoder = organism.decoder
    if not isinstance(decoder, Decoder):
        return None
    own = organism.split(jnp.asarray(data.genomes["champion"]))[0]
    return jax.jit(lambda genome: decoder.trace(genome, organism.substrate, key=jax.random.key(0)).tissue)(own)


def sections(data: ReportData) -> list[tuple[str, str]]:
    """Anchors and titles of the page's sections."""
    comparison = data.comparison or {}
    own = [("results", "Results")] * bool(comparison) + [("levels", "Held-out levels")] * bool(comparison.get("levels"))
    own += [("fairness", "Fairness rules")] * bool(comparison.get("fairness")) + [("search", "Search")] * bool(data.metrics)
    return [
        *own,
        ("champion", "Champion"),
        ("ledgers", "Cost and compactness"),
        ("genome", "Genome"),
        ("rerun", "To run it again"),
    ]


def subtitle(data: ReportData) -> str:
    """One line: task, family of lives, size of the organism, length of the search."""
    spec, substrate = data.organism.genome_spec, data.organism.substrate
    parts = [f"{spec.size:,} numbers of genome for {substrate.synapses:,} possible synapses"]
    if data.comparison:
        parts.insert(0, f"{data.comparison['task']}, {data.comparison['split']} lives")
    if data.metrics:
        parts.append(f"{data.metrics[-1]['generation']:,.0f} generations")
    return " · ".join(parts)


def result_table(comparison: Results) -> dict[str, Any]:
    """The table as the template wants it: heading, and rows that name their role where it begins."""
    header, body = rows(comparison)
    roles = [row[1] for row in body]
    lines = [
        {"cells": cells[:1] + cells[2:], "css": role, "first": GROUPS.get(role, role) if role != before else ""}
        for cells, role, before in zip(body, roles, ["", *roles], strict=False)
    ]
    text = caption(comparison, tests=False)
    if comparison["problem"] == "classification":
        text += (
            f". Accuracy and samples to a threshold are in {comparison['unit']}; a life that never reaches a threshold "
            "is censored: it counts as its whole length"
        )
    if comparison["problem"] == "control":
        text += (
            ". Regret: 1 for acting at random, 0 for the best that any world allows. Episodes to a regret: a life that never "
            "gets there is censored, and counts as its whole length"
        )
    loss = loss_name(comparison)
    text += (
        f". Jumpstart: how far the {loss} at birth is below that of knowing nothing. Slope: fall of the {loss} a doubling "
        "of samples, the start subtracted."
    )
    notes = [(name, comparison["arms"][name]["note"]) for name in ordered(comparison)]
    return {"header": header[:1] + header[2:], "rows": lines, "caption": text, "notes": notes}


def tests_table(comparison: Results) -> dict[str, Any]:
    """The arms against the champion over seeds: heading, rows, and how to read them."""
    header, body = rows_by_seeds(comparison)
    text = tests_caption(comparison)
    margin = comparison["power"]["margin"]
    if margin:
        text += f". Equivalence p: two one-sided tests of a difference within ±{margin:.3g}, Holm's correction"
    text += ". IQM: mean of the middle half of the seeds"
    return {"header": header, "rows": body, "caption": f"{text[0].upper()}{text[1:]}."}


def result_figures(data: ReportData) -> list[Picture]:
    """Learning curves and scores."""
    comparison = data.comparison
    if not comparison:
        return []
    bands = f"Bands: {comparison['intervals']}."
    curves = (
        f"Evolved arms in blue are in every panel; baselines orange, references grey, controls purple. {bands} Dotted: "
        "guessing. The axis starts at birth and is logarithmic from there, a tick a probe. What is far above champion, "
        "best baseline and guessing is cut off."
    )
    out = [Picture("learning_curves.png", figures.learning_curves(comparison), "Learning within a life", curves)]
    if figures.compared(comparison):
        out.append(
            Picture("differences.png", figures.forest(comparison), "Difference from the champion", differences(comparison))
        )
    if comparison.get("profiles"):
        shares = (
            "Share of seeds whose AULC is at or below a threshold: the further up and left, the better. Where two curves "
            "cross, which arm is better depends on what is asked of a run."
        )
        out.append(Picture("profiles.png", figures.performance_profiles(comparison), "Performance profiles", shares))
    if any({"jumpstart", "slope_aligned"} <= set(a["scores"]) for a in comparison["arms"].values()):
        starts = (
            "A hot start is not faster learning. Jumpstart: how far the loss at birth is below that of knowing nothing. Slope: "
            "fall of the loss a doubling of samples, from the first probe after birth on, the start subtracted; an arm whose "
            "loss first rises has much to lose again. Dashed: the champion. Lines: " + f"{comparison['intervals']}."
        )
        out.append(Picture("starts.png", figures.scatter(comparison), "Head start and speed of learning", starts))
    return out


def differences(comparison: Results) -> str:
    """Caption of the forest plot."""
    text = "AULC of each arm minus the champion's on the same lives; right of the line the champion is better. "
    if seeds_of(comparison) == 1:
        text += "Intervals: 95% bootstrap over the paired lives of one search."
    else:
        text += "Intervals: 95% bootstrap over the paired differences of the seeds."
    if tested(comparison):
        margin = comparison["power"]["margin"]
        text += f" Grey: the margin of equivalence, ±{margin:.3g}." if margin else ""
    return text


def search_figures(data: ReportData) -> list[Picture]:
    """The search curve."""
    if not data.metrics:
        return []
    lives = data.comparison["ledger"]["outer_lifetimes"] if data.comparison else None
    text = (
        "Train fitness is on fresh lives in every generation, and noisy for that; validation is always on the same "
        "lives. The star is where the champion was found. Train fitness far below the rest is cut off."
    )
    found, recorded = health(data.metrics), [int(record["generation"]) for record in data.metrics]
    if missing := gaps(recorded, max(recorded)):
        text += f" The file of records lacks {missing}."
    text += f" Health: {health_line(found)}."
    text += "".join(f" {name.replace('_', ' ').capitalize()}: {meaning}." for name, meaning in SIGNS.items() if found[name])
    return [Picture("search.png", figures.search_curve(data.metrics, lives), "The search", text)]


def champion_figures(data: ReportData, network: Network) -> list[Picture]:
    """The network drawn, its matrices, and receptive fields where they can be drawn."""
    substrate = data.organism.substrate
    one = " Growth draws at random: this is one of its networks." if data.organism.decoder.stochastic else ""
    out = [
        Picture(
            "network.png",
            figures.drawn_network(substrate, network),
            "The network at birth",
            f"At most {figures.LINES} synapses are drawn, shared equally among the grown projections, each neuron's "
            f"strongest input first. Red excites, blue inhibits; strength is opacity. Grey: blank slates.{one}",
        ),
        Picture(
            "matrices.png",
            figures.matrices(substrate, network),
            "Weights at birth",
            "Rows send, columns receive; neurons grouped by type (t0, t1, …), by position within a type. White: no "
            "synapse. Colours saturate at the largest half percent.",
        ),
    ]
    cells = tissue(data)
    if cells is not None and not cells.by_type:
        what = "What every cell expresses, gene by gene, where it is in its population. White cells are dead."
        out.append(Picture("expression.png", figures.expression_maps(substrate, cells), "The tissue before wiring", what + one))
    for i, projection in enumerate(p for p in substrate.projections if figures.has_fields(substrate, p)):
        out.append(
            Picture(
                f"receptive_fields_{i + 1}.png",
                figures.receptive_fields(substrate, network, projection),
                f"Receptive fields, {projection.name}",
                figures.fields_caption(substrate, projection),
            )
        )
    return out


def genome_figure(data: ReportData) -> Picture:
    """The genome by gene."""
    spec = data.organism.genome_spec
    champion, initial = (np.asarray(data.genomes[k]) for k in ("champion", "initial"))
    text = "Every number of each gene; bars span the 5th to the 95th percentile where there are many."
    if len(spec.genes) > figures.GENES:
        text += f" Of {len(spec.genes)} genes, the {figures.GENES} that moved furthest."
    return Picture("genome.png", figures.genome_strip(spec, champion, initial), "The genome, gene by gene", text)


def unbroken(text: str) -> str:
    """Text in which a number stays on one line with its interval."""
    return re.sub(r"(\S) \[([^][]*), ([^][]*)\]", "\\1\N{NO-BREAK SPACE}[\\2,\N{NO-BREAK SPACE}\\3]", text)
