"""A grown network as files: arrays, a graph, ONNX, pictures. Apart from the workflow, because a search waits for none of it."""

import io
from collections.abc import Callable
from typing import Any, cast

import networkx as nx
import numpy as np
from safetensors.numpy import save as safetensors

from evodev import onnx
from evodev.decoders import Decoder
from evodev.network import Network
from evodev.report import figures
from evodev.substrate import Substrate
from evodev.types import Genome, Key


def pictures(decoder: Decoder, genome: Genome, substrate: Substrate, network: Network, *, key: Key) -> dict[str, bytes]:
    """Pictures of a grown network by file name: itself, its matrices, its tissue, receptive fields, a film of its growth."""
    film = decoder.film(genome, substrate, key=key)
    out = {
        "network.png": figures.drawn_network(substrate, network),
        "matrices.png": figures.matrices(substrate, network),
        "expression.png": figures.expression_maps(substrate, film[-1].tissue),
    }
    fields = [p for p in substrate.projections if p.pre == substrate.input.name and figures.has_fields(substrate, p)]
    for i, projection in enumerate(fields):
        out[f"receptive_fields{f'_{i + 1}' * bool(i)}.png"] = figures.receptive_fields(substrate, network, projection)
    if len(film) > 1:
        out["growth.gif"] = figures.growth(substrate, film)
    return out


def as_arrays(network: Network) -> dict[str, np.ndarray]:
    """Everything of a network by name: ``weights/pre->post``, ``biases/population``, ``channels/A/pre->post``."""
    parts = {"weights": network.weights, "masks": network.masks, "gains": network.gains, "biases": network.biases}
    parts |= {"alive": network.alive} | {f"channels/{channel}": of for channel, of in network.channels.items()}
    return {f"{part}/{name}": np.asarray(value) for part, values in parts.items() for name, value in values.items()}


def as_npz(substrate: Substrate, network: Network) -> bytes:
    """:func:`as_arrays` as an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **cast(dict[str, Any], as_arrays(network)))
    return buffer.getvalue()


def as_safetensors(substrate: Substrate, network: Network) -> bytes:
    """:func:`as_arrays` as a safetensors file."""
    return safetensors(as_arrays(network))


def as_graphml(substrate: Substrate, network: Network) -> bytes:
    """:func:`as_graph` as a GraphML file."""
    buffer = io.BytesIO()
    nx.write_graphml(as_graph(substrate, network), buffer)
    return buffer.getvalue()


def as_graph(substrate: Substrate, network: Network) -> nx.DiGraph:
    """The network as a directed graph: neurons with population and coordinates, synapses with weights."""
    graph = nx.DiGraph()
    for p in substrate.populations:
        for i, place in enumerate(p.places):
            where = {f"x{axis}": float(value) for axis, value in enumerate(place)}
            graph.add_node(f"{p.name}:{i}", population=p.name, bias=float(network.biases[p.name][i]), **where)
    for p in substrate.projections:
        mask, weights = np.asarray(network.masks[p.name]), np.asarray(network.weights[p.name])
        for i, j in zip(*np.nonzero(mask), strict=True):
            graph.add_edge(f"{p.pre}:{i}", f"{p.post}:{j}", weight=float(weights[i, j]))
    return graph


EXPORTS: dict[str, Callable[[Substrate, Network], bytes]] = {
    "network.npz": as_npz,
    "network.safetensors": as_safetensors,
    "network.graphml": as_graphml,
    **({"network.onnx": onnx.to_onnx} if onnx.INSTALLED else {}),
}
"""What a grown network is written as, a file each."""
