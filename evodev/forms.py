"""Which form the weights of a projection take in life: a matrix, or a sparse form where measurement says that it pays."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from evodev.decoders import Decoder
from evodev.decoders.base import Windows
from evodev.learners import Learner
from evodev.network import Network
from evodev.sparse import find_sources, gather
from evodev.substrate import Projection, Substrate

FormName = Literal["auto", "dense", "gather", "block"]

WIDTHS = {"gather": 1, "block": 16}
"""Neurons that share a list of inputs."""

TABLE = Path(__file__).with_name("crossovers.json")
"""Measured speed-ups against dense, platform -> use -> rows of ``Crossover``; ``benchmarks/speed/sparse.py`` writes it."""

MARGIN = 1.2
"""A sparse form is taken if it was measured to be so many times as fast: less does not pay for finding the sources."""


class Form(NamedTuple):
    """A sparse form (``evodev.sparse``): room for so many inputs in each group of ``width`` neurons."""

    inputs: int
    width: int


class Crossover(NamedTuple):
    """A measurement: so many times as fast as dense, between two populations of ``neurons`` each."""

    width: int
    neurons: int
    inputs: int
    batch: int
    speedup: float


@cache
def crossovers() -> dict[str, dict[str, list[Crossover]]]:
    """The measured table."""
    table = json.loads(TABLE.read_text())
    return {on: {use: [Crossover(*row) for row in rows] for use, rows in uses.items()} for on, uses in table.items()}


def use_of(projection: Projection, learner: Learner, substrate: Substrate) -> str:
    """What a life does with a projection: ``answer`` only, ``learn`` its weights, or also hand errors ``back`` through it."""
    if learner.frozen:
        return "answer"
    return "learn" if projection.pre == substrate.input.name else "back"


def speedup(form: Form, pre: int, post: int, batch: int, rows: list[Crossover]) -> float:
    """What to expect of a form, by the measurement next to it that is no larger and no sparser: from there on dense loses ground.

    Of the batches measured on either side of ``batch`` the worse counts; 0 if nothing was measured, or it is not between any.
    """
    alike = [
        row for row in rows
        if row.width == form.width and row.neurons <= min(pre, post) and row.inputs / row.neurons >= form.inputs / pre
    ]  # fmt: skip
    nearest = max(((row.neurons, -row.inputs) for row in alike), default=None)
    by_batch = {row.batch: row.speedup for row in alike if (row.neurons, -row.inputs) == nearest}
    larger, smaller = [b for b in by_batch if b >= batch], [b for b in by_batch if b <= batch]
    return min(by_batch[min(larger)], by_batch[max(smaller)]) if larger and smaller else 0.0


def rooms(decoder: Decoder, substrate: Substrate, width: int) -> dict[str, int]:
    """Inputs that a group of so many neurons can have at most, whatever the genome; only of projections where that is not all."""
    windows, out = decoder.wiring.windows(substrate), {}
    # a refinement may add synapses
    for projection in () if decoder.refinement else substrate.grown:
        (pre, post), name = substrate.shape(projection), projection.name
        if post % width:
            continue
        most = width * decoder.sparsity.most_inputs(projection, windows, substrate)
        room = min(most, _senders(windows[name], width) if name in windows else pre)
        if room < pre:
            out[name] = room
    return out


def _senders(window: np.ndarray, width: int) -> int:
    """The most senders that a group has in a window."""
    return int(window.reshape(len(window), -1, width).any(-1).sum(0).max())


def choose_forms(form: FormName, decoder: Any, learner: Learner, substrate: Substrate, *, batch: int) -> dict[str, Form]:
    """The sparse form of each grown projection that has one; the others stay matrices.

    Args:
        form: one for all, where it is possible; ``auto`` takes the fastest by the measured table of this platform, and dense
            where nothing was measured.
        decoder: its sparsity and its windows must bound the inputs of a neuron; nothing is known of one that is no ``Decoder``.
        learner: must change no grown synapse, or each by itself.
        substrate: where networks grow.
        batch: examples that pass the network together.

    Raises:
        ValueError: if ``gather`` or ``block`` is possible nowhere.
    """
    able = isinstance(decoder, Decoder) and (learner.frozen or learner.synapsewise) and not substrate.modular
    wanted = WIDTHS if form == "auto" else {name: width for name, width in WIDTHS.items() if name == form}
    found = {width: rooms(decoder, substrate, width) if able else {} for width in wanted.values()}
    if form in WIDTHS and not any(found.values()):
        raise ValueError(
            f"form: {form} is possible in no projection; it needs a bound on a neuron's inputs (sparsity fan_in, or wiring with "
            f"a window) in a population of a multiple of {WIDTHS[form]} neurons, no refinement, and a learner that keeps its "
            "synapses (gradient, or one of the read-out); or use form auto"
        )
    out: dict[str, Form] = {}
    for projection in substrate.grown:
        (pre, post), name = substrate.shape(projection), projection.name
        offers = [Form(room[name], width) for width, room in found.items() if name in room]
        if form == "auto" and offers:
            rows = crossovers().get(jax.default_backend(), {}).get(use_of(projection, learner, substrate), [])
            gains = {offer: speedup(offer, pre, post, batch, rows) for offer in offers}
            offers = [max(offers, key=lambda offer: gains[offer])] if max(gains.values()) >= MARGIN else []
        if offers:
            out[name] = offers[0]
    return out


def lay(network: Network, forms: Mapping[str, Form], windows: Windows) -> Network:
    """The network with some of its matrices in a sparse form; weights in a shared form stay so.

    A gradient in what a genome might have grown elsewhere (straight through a mask) does not pass: only synapses that exist
    are left.
    """
    weights, masks, gains, sources = dict(network.weights), dict(network.masks), dict(network.gains), dict(network.sources)
    channels = {channel: dict(of) for channel, of in network.channels.items()}
    for name, (inputs, width) in forms.items():
        if not isinstance(weights[name], jax.Array):
            continue
        if name in windows and _senders(windows[name], width) <= inputs:
            # the same for every genome, and so read off once
            with jax.ensure_compile_time_eval():
                sources[name] = find_sources(jax.numpy.asarray(windows[name], float), inputs, width)
        else:
            sources[name] = find_sources(masks[name], inputs, width)
        for held in (weights, masks, gains, *channels.values()):
            if name in held:
                held[name] = gather(held[name], sources[name])
    return replace(network, weights=weights, masks=masks, gains=gains, channels=channels, sources=sources)
