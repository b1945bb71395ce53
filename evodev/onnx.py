"""Export of grown networks to ONNX, for any runtime; needs the extra ``onnx``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from evodev.network import Network, matrix
from evodev.substrate import Population, Substrate

OPSET = 20
"""The first operator set with Gelu."""
IR_VERSION = 10
"""The file format of about that time, as runtimes refuse files newer than themselves."""
INSTALLED = find_spec("onnx") is not None
"""Whether the package is there."""
MISSING = "the package onnx is not installed; pip install 'evodev-jax[onnx]'"


@dataclass
class _Graph:
    """Nodes and constants in the order of making; every method returns the name of what it made."""

    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, name: str = "", dtype: Any = np.float32) -> str:
        name = name or f"constant{len(self.constants)}"
        self.constants.setdefault(name, np.asarray(value, dtype))
        return name

    def mean(self, x: str) -> str:
        """Over the last axis."""
        return self.op("ReduceMean", x, self.constant([-1], "last axis", np.int64), keepdims=1)

    def squares(self, x: str) -> str:
        return self.op("Mul", x, x)

    def root(self, x: str, small: float = 1e-6) -> str:
        """Square root of x and a little."""
        return self.op("Sqrt", self.op("Add", x, self.constant(small, f"add {small}")))


def _activate(g: _Graph, name: str, x: str) -> str:
    match name:
        case "linear":
            return x
        case "relu" | "abs" | "tanh" | "sin" | "softplus":
            return g.op(name.capitalize(), x)
        case "gauss":
            return g.op("Exp", g.op("Neg", g.squares(x)))
        case "square":
            return g.squares(g.op("Relu", x))
        case "gelu":
            return g.op("Gelu", x, approximate="tanh")
        case "log":
            return g.op("Log", g.op("Add", g.op("Abs", x), g.constant(0.1, "add 0.1")))
        case "exp":
            return g.op("Exp", g.op("Min", x, g.constant(10.0, "at most 10")))
    raise ValueError(f"onnx: activation {name!r} cannot be exported; evodev.onnx has to say how")


def _normalise(g: _Graph, population: Population, x: str) -> str:
    match population.normalisation:
        case "none":
            return x
        case "standard":
            centred = g.op("Sub", x, g.mean(x))
            return g.op("Div", centred, g.root(g.mean(g.squares(centred))))
        case "unit":
            # the length's square is the mean times the size; the constant below the root is scaled along
            size = population.size
            length = g.op("Mul", g.root(g.mean(g.squares(x)), 1e-6 / size), g.constant(size**0.5))
            return g.op("Div", x, length)
        case "types":
            local = g.op("Reshape", x, g.constant([0, -1, population.types], dtype=np.int64))
            divisor = g.op("Add", g.root(g.mean(g.squares(local))), g.constant(0.2, "add 0.2"))
            return g.op("Reshape", g.op("Div", local, divisor), g.constant([0, population.size], dtype=np.int64))
    raise ValueError(f"onnx: normalisation {population.normalisation!r} cannot be exported; evodev.onnx has to say how")


def _respond(g: _Graph, population: Population, arriving: Sequence[str], network: Network) -> str:
    """``network.respond`` to the sum of what arrives."""
    drive = g.constant(network.biases[population.name], f"bias of {population.name}")
    for x in arriving:
        drive = g.op("Add", x, drive)
    activity = _activate(g, population.activation, drive)
    alive = np.asarray(network.alive[population.name])
    if not alive.all():
        activity = g.op("Mul", activity, g.constant(alive, f"alive in {population.name}"))
    activity = _normalise(g, population, activity)
    if population.normalisation == "standard" and not alive.all():
        activity = g.op("Mul", activity, f"alive in {population.name}")
    return activity


def to_onnx(substrate: Substrate, network: Network) -> bytes:
    """A network as an ONNX file: input ``inputs`` (batch, input size), output ``outputs`` (batch, outputs).

    Computes ``network.forward``, the ticks of a recurrent network unrolled. Where the outputs read blank slates, which are
    zero until something is learned, a second output ``features`` is the activity of all neurons that project to them, side
    by side in the order of their projections.

    Raises:
        ValueError: if the package ``onnx`` is not installed, for a modular substrate, or for an activation,
            normalisation or choice of winners that has no ONNX form here.
    """
    if not INSTALLED:
        raise ValueError(f"onnx: {MISSING}")
    if substrate.modular:
        raise ValueError("onnx: a modular substrate has no forward pass of its own; export the model that it is part of")
    from onnx import TensorProto, checker, helper, numpy_helper

    if any(p.winners < 1 for p in substrate.populations):
        raise ValueError("onnx: a population of which only some may be active (winners) cannot be exported; set winners to 1")
    g = _Graph()
    state = {substrate.input.name: "inputs"}
    for _ in range(substrate.ticks):
        before = dict(state)
        for population in substrate.populations[1:]:
            arriving = []
            for p in substrate.into(population.name):
                source = before if substrate.is_recurrent(p) else state
                if p.pre in source:  # who has not been active yet sends zeros
                    weights = g.constant(matrix(network.weights[p.name]), f"weights {p.name}")
                    arriving.append(g.op("MatMul", source[p.pre], weights))
            if not arriving:  # nothing arrives, so that the batch size has to be told
                nothing = g.constant(np.zeros((substrate.input.size, population.size)), f"nothing to {population.name}")
                arriving = [g.op("MatMul", "inputs", nothing)]
            state[population.name] = _respond(g, population, arriving, network)
    outputs = {"outputs": (state[substrate.output.name], substrate.output.size)}
    blank = [p for p in substrate.into(substrate.output.name) if p.blank]
    if blank:
        width = sum(substrate.population(p.pre).size for p in blank)
        outputs["features"] = g.op("Concat", *(state[p.pre] for p in blank), axis=1), width
    for name, (made, _) in outputs.items():
        g.nodes.append(helper.make_node("Identity", [made], [name]))

    def described(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    graph = helper.make_graph(
        g.nodes,
        "network",
        [described("inputs", substrate.input.size)],
        [described(name, size) for name, (_, size) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in g.constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="evodev",
        producer_version=version("evodev-jax"),
    )
    checker.check_model(model)
    return model.SerializeToString()
