"""On any model: a substrate read off a parameter pytree, and a grown network written back as its parameters and masks.

Serves flax nnx (a ``State``, or a module itself), flax linen, haiku-style and plain dicts: whatever ``jax.tree`` walks.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax

from evodev.decoders.base import Decoder
from evodev.network import Forward, Network, matrix
from evodev.pytrees import Pattern, leaves_of, listed, matching, path_name
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.types import Array, Genome, Inputs, Key, Matrix, Outputs

Weights = Literal["grown", "kept"]
Scale = Literal["none", "original", "kaiming"]
RANKS = range(2, 6)
"""Ranks of dense kernels (2) and of convolution kernels over 1 to 3 dimensions (3 to 5)."""


# ---- reading


def kernel_paths(params: Any, pattern: Pattern | None = None) -> list[str]:
    """Paths of the kernels that a pattern chooses: see :func:`from_params`.

    Raises:
        ValueError: if there are none, or if one has an unsupported rank.
    """
    leaves = leaves_of(params)
    if pattern is not None:
        return matching(leaves, pattern)
    called = [path for path in leaves if path.rpartition("/")[2] == "kernel"]
    paths = called or [path for path, leaf in leaves.items() if np.ndim(leaf) in RANKS]
    if not paths:
        raise ValueError(f"params: no leaf is a kernel (rank 2 to 5); {listed(list(leaves))}")
    return paths


def from_params(
    params: Any,
    *,
    pattern: Pattern | None = None,
    modular: bool | None = None,
    input_axes: Mapping[str, int] | None = None,
    grids: Mapping[str, tuple[int, ...]] | None = None,
    coordinates: Mapping[str, Any] | None = None,
) -> Substrate:
    """Read a substrate off the kernels of a parameter pytree.

    A dense kernel is (inputs, outputs). A convolution kernel (*window, inputs, outputs) has as its senders a patch, a grid
    of the window with a type a channel, and as its receivers one position with a type a channel: its matrix is
    ``kernel.reshape(-1, outputs)``. Dense kernels that chain become a chain of shared populations ``input``, ``hidden1``,
    ..., ``output``. Otherwise the substrate is *modular*: a pair of populations ``PATH.in`` and ``PATH.out`` a kernel
    (``PATH`` without a last ``/kernel``), and no forward pass but the model's own.

    Args:
        params: parameters; shapes are enough (``jax.eval_shape``).
        pattern: which leaves are kernels. Without one: every leaf called ``kernel``, or if there is none every leaf of rank
            2 to 5. Order, and with it depth, is that of the patterns, then of the paths with numbers counted as such.
        modular: a chain (False) or a pair of populations a kernel (True); left out, a chain where there is one.
        input_axes: glob of paths -> how many leading axes of those kernels are inputs, the rest being outputs, for kernels
            that are no convolutions: ``{"**/query/kernel": 1}`` for the (features, heads, width) of flax attention. The
            last of several axes counts types, the others make the grid.
        grids: glob of population names -> grid, for neurons that do not lie on a line: ``{"input": (28, 28)}``; the rest of
            a population's size counts types.
        coordinates: glob of population names -> array (positions, dimensions), one a position or one a neuron.

    Raises:
        ValueError: in one line: a pattern that matches nothing, a kernel of unsupported rank, kernels that do not chain
            though they should, a grid or coordinates that do not fit.
    """
    leaves = leaves_of(params)
    paths = kernel_paths(params, pattern)
    split = {path: axes for glob, axes in (input_axes or {}).items() for path in matching(paths, glob, "kernel")}
    for path in paths:
        _check_rank(path, np.shape(leaves[path]), split.get(path))
    shapes = {path: np.shape(leaves[path]) for path in paths}
    gap = _gap(shapes)
    if modular is False and gap:
        raise ValueError(f"params: {gap}; not a chain: pass modular=True")
    if gap or modular:
        substrate = _modules(shapes, split)
    else:
        chain = mlp((shapes[paths[0]][0], *[shape[1] for shape in shapes.values()]))
        projections = tuple(replace(p, kernel=path) for p, path in zip(chain.projections, paths, strict=True))
        substrate = replace(chain, projections=projections)
    names = [p.name for p in substrate.populations]
    laid = {name: grid for glob, grid in (grids or {}).items() for name in matching(names, glob, "population")}
    placed = {name: at for glob, at in (coordinates or {}).items() for name in matching(names, glob, "population")}
    populations = (_on_grid(p, laid[p.name]) if p.name in laid else p for p in substrate.populations)
    return replace(substrate, populations=tuple(_placed(p, placed[p.name]) if p.name in placed else p for p in populations))


def _check_rank(path: str, shape: tuple[int, ...], inputs: int | None) -> None:
    if inputs is None and len(shape) not in RANKS:
        raise ValueError(
            f"params: kernel {path} of shape {shape} has rank {len(shape)}, not 2 (dense) or 3 to 5 (convolution); "
            "choose others by the pattern, or say with input_axes how many axes are inputs"
        )
    if inputs is not None and not 0 < inputs < len(shape):
        raise ValueError(f"params: input_axes {inputs} leaves kernel {path} of shape {shape} without inputs or outputs")


def _gap(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Why the kernels are no chain; empty if they are one."""
    for path, shape in shapes.items():
        if len(shape) != 2:
            return f"kernel {path} of shape {shape} is not dense"
    for (path, a), (after, b) in pairwise(shapes.items()):
        if a[1] != b[0]:
            return f"kernel {path} gives {a[1]} outputs but {after} takes {b[0]} inputs"
    return ""


def _modules(shapes: Mapping[str, tuple[int, ...]], split: Mapping[str, int]) -> Substrate:
    short = {path: path.removesuffix("/kernel") for path in shapes}
    populations, projections = [], []
    for path, shape in shapes.items():
        name = short[path] if list(short.values()).count(short[path]) == 1 else path
        if path in split or len(shape) == 2:
            axes = split.get(path, 1)
            pre, post = _laid(shape[:axes]), _laid(shape[axes:])
        else:
            pre, post = _laid(shape[:-1]), ((1,) * (len(shape) - 2), shape[-1])
        populations += [Population(f"{name}.{end}", *of, activation="linear") for end, of in (("in", pre), ("out", post))]
        projections.append(Projection(f"{name}.in", f"{name}.out", kernel=path))
    return Substrate(tuple(populations), tuple(projections), modular=True)


def _laid(axes: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Grid and types of neurons counted along these axes."""
    return (axes, 1) if len(axes) == 1 else (axes[:-1], axes[-1])


def _on_grid(population: Population, grid: tuple[int, ...]) -> Population:
    positions = int(np.prod(grid))
    if positions < 1 or population.size % positions:
        raise ValueError(f"params: grid {grid} does not divide the {population.size} neurons of {population.name}")
    return replace(population, grid=tuple(grid), types=population.size // positions)


def _placed(population: Population, at: Any) -> Population:
    given = np.asarray(at, np.float32)
    positions = len(population.positions)
    if given.ndim != 2 or len(given) not in (positions, population.size):
        wanted = f"{population.size}" if positions == population.size else f"{population.size} (or {positions}, one a position)"
        raise ValueError(
            f"params: coordinates of {population.name} must be {wanted} rows of one dimension or more; given shape {given.shape}"
        )
    if len(given) != positions:
        population = replace(population, grid=(population.size,), types=1)
    return replace(population, at=tuple(tuple(float(x) for x in place) for place in given))


# ---- writing


def _kernels(substrate: Substrate, params: Any) -> dict[str, tuple[Projection, Any]]:
    """Projection and leaf a kernel path.

    Raises:
        ValueError: if the substrate was not read off such parameters.
    """
    leaves, out = leaves_of(params), {}
    for p in substrate.projections:
        if p.kernel not in leaves:
            raise ValueError(
                f"params: no kernel {p.kernel!r} for projection {p.name}; use the substrate that from_params reads off these "
                f"parameters; {listed(list(leaves))}"
            )
        if np.size(leaves[p.kernel]) != np.prod(substrate.shape(p)):
            raise ValueError(
                f"params: kernel {p.kernel} has shape {np.shape(leaves[p.kernel])} but the substrate was read off one of "
                f"{' x '.join(map(str, substrate.shape(p)))}"
            )
        out[p.kernel] = p, leaves[p.kernel]
    return out


def read_params(substrate: Substrate, params: Any) -> dict[str, Matrix]:
    """The kernels of a model as matrices (pre, post) by projection; a target for ``compress.fit``."""
    return {p.name: jnp.asarray(leaf).reshape(substrate.shape(p)) for p, leaf in _kernels(substrate, params).values()}


def kernels_of(of: Any, pattern: Pattern | None = None) -> dict[str, Matrix]:
    """The kernels of a network by projection, or of a parameter pytree by path (:func:`from_params`), as matrices (pre, post).

    Raises:
        ValueError: if there are none that the pattern chooses, or the network lies in a sparse form.
    """
    if not isinstance(of, Network):
        substrate = from_params(of, pattern=pattern)
        values = read_params(substrate, of)
        return {p.kernel: values[p.name] for p in substrate.projections}
    if of.sources:
        raise ValueError("network: lies in a sparse form; grow it again, as matrices")
    names = of.weights if pattern is None else matching(of.weights, pattern, "projection")
    return {name: matrix(of.weights[name]) for name in names}


def write_params(substrate: Substrate, network: Network, params: Any) -> Any:
    """A grown network written into a parameter pytree of the shape it was read off (:func:`from_params`).

    Kernels take the masked weights, in their own shape and type; a leaf called ``bias`` beside a kernel takes the biases of
    the population that the kernel feeds. Every other leaf is kept.

    Raises:
        ValueError: if the substrate was not read off such parameters.
    """
    values: dict[str, Array] = {}
    for path, (p, _) in _kernels(substrate, params).items():
        values[path] = matrix(network.weights[p.name])
        values[_beside(path)] = network.biases[p.post]
    return _replaced(params, values)


def _beside(path: str) -> str:
    return f"{path.rpartition('/')[0]}/bias".removeprefix("/")


def _replaced(params: Any, values: Mapping[str, Array]) -> Any:
    def one(path: tuple[Any, ...], leaf: Any) -> Any:
        value = values.get(path_name(path))
        if value is None or value.size != np.size(leaf):
            return leaf
        return value.reshape(np.shape(leaf)).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(one, params)


def masks_like(substrate: Substrate, network: Network, params: Any) -> Any:
    """The masks of a network in the structure of the parameters: kernels have masks of their shape, other leaves a scalar 1.

    ``jax.tree.map(jnp.multiply, params, masks)`` therefore masks, and ``jax.tree.map(lambda m: m.ndim > 0, masks)`` says for
    ``optax.masked`` which leaves were grown.
    """
    ones = jax.tree.map(lambda leaf: jnp.ones((), leaf.dtype if _real(leaf) else jnp.float32), params)
    values = {path: network.masks[p.name] for path, (p, _) in _kernels(substrate, params).items()}

    def one(path: tuple[Any, ...], leaf: Any, scalar: Array) -> Array:
        value = values.get(path_name(path))
        return scalar if value is None else value.reshape(np.shape(leaf)).astype(scalar.dtype)

    return jax.tree_util.tree_map_with_path(one, params, ones)


def _real(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def model_forward(apply: Callable[[Any, Inputs], Outputs], params: Any, substrate: Substrate) -> Forward:
    """A ``network.Forward`` that runs somebody else's model on the network's numbers.

    Args:
        apply: ``apply(params, inputs) -> outputs``, for example ``lambda p, x: module.apply({"params": p}, x)``.
        params: a template pytree of the model's parameters.
        substrate: :func:`from_params` of the same pytree.
    """

    def run(network: Network, inputs: Inputs) -> Outputs:
        return apply(write_params(substrate, network, params), inputs)

    return run


# ---- growing


def grow_like(
    params: Any,
    decoder: Decoder,
    genome: Genome | None = None,
    *,
    pattern: Pattern | None = None,
    substrate: Substrate | None = None,
    weights: Weights = "grown",
    scale: Scale = "none",
    key: Key,
) -> tuple[Any, Any]:
    """Initial parameters and masks for a model, grown from a genome.

    Args:
        params: the model's parameters as it initialises them; leaves that are not grown are kept.
        decoder: how the genome is read.
        genome: ``decoder.genome_spec(substrate).size`` numbers; left out, a random one.
        pattern: which kernels are grown, see :func:`from_params`; the rest are free.
        substrate: what :func:`from_params` read off ``params``, where more than a pattern has to be said.
        weights: what the synapses that exist weigh (and the biases): what was grown, or what ``params`` holds, so that the
            genome decides on the wiring alone.
        scale: multiply each kernel so that its root mean square, zeros included, is that of the kernel it replaces
            (``original``) or what keeps the variance of rectified activity (``kaiming``: sqrt(2 / fan-in)). As the zeros
            count, a sparse kernel drives its neurons as strongly as a dense one would.
        key: for the random genome and for decoders that draw at random.

    Returns:
        Parameters, and masks as of :func:`masks_like`, for :func:`sparse`.

    Raises:
        ValueError: where :func:`from_params` or the decoder's ``genome_spec`` does, or for an unknown ``weights`` or ``scale``.
    """
    for field, given, known in (("weights", weights, Weights), ("scale", scale, Scale)):
        if given not in get_args(known):
            raise ValueError(f"{field}: is {given!r}; one of {', '.join(get_args(known))}")
    substrate = substrate or from_params(params, pattern=pattern)
    if genome is None:
        key, key_genome = jax.random.split(key)
        genome = decoder.genome_spec(substrate).init(key=key_genome)
    network = decoder.grow(genome, substrate, key=key)
    before = read_params(substrate, params)
    source = before if weights == "kept" else network.weights
    values = {}
    for path, (p, _) in _kernels(substrate, params).items():
        kernel = matrix(source[p.name]) * network.masks[p.name]
        if scale != "none":
            wanted = (2 / kernel.shape[0]) ** 0.5 if scale == "kaiming" else jnp.sqrt((before[p.name] ** 2).mean())
            size = jnp.sqrt((kernel**2).mean() + 1e-20)
            # a kernel that started at zero says nothing about a scale
            kernel = jnp.where(wanted > 0, kernel * (wanted / size), kernel)
        values[path] = kernel
        if weights == "grown":
            values[_beside(path)] = network.biases[p.post]
    return _replaced(params, values), masks_like(substrate, network, params)


class SparseState(NamedTuple):
    """What :func:`sparse` carries: the masks, and the state of the optimiser inside."""

    masks: Any
    inner: Any


def sparse(optimizer: optax.GradientTransformation, masks: Any) -> optax.GradientTransformation:
    """An optimiser under which synapses that do not exist stay at zero, whatever its momentum, noise or weight decay.

    Gradients are masked before the optimiser sees them, so that its statistics and norms count existing synapses only, and
    its updates are masked after; a parameter that is not zero where the mask is becomes so with the first update.

    Args:
        optimizer: any optax optimiser; wrap the whole chain.
        masks: as of :func:`grow_like`; part of the state, so that they are no constants of the compiled program.
    """

    def init(params: Any) -> SparseState:
        return SparseState(masks, optimizer.init(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, SparseState]:
        present = _leafwise(lambda u, m: u * m, updates, state.masks)
        raw, inner = optimizer.update(present, state.inner, params)
        if params is None:
            return _leafwise(lambda u, m: u * m, raw, state.masks), SparseState(state.masks, inner)
        return _leafwise(lambda u, m, p: jnp.where(m > 0, u, -p), raw, state.masks, params), SparseState(state.masks, inner)

    return optax.GradientTransformation(init, update)


def _leafwise(function: Callable[..., Array], first: Any, *others: Any) -> Any:
    """``jax.tree.map`` by leaf order, as flax nnx hands the same leaves round in containers that differ in their metadata."""
    leaves, structure = jax.tree.flatten(first)
    columns = [jax.tree.leaves(other) for other in others]
    if any(len(column) != len(leaves) for column in columns):
        raise ValueError(f"masks: {len(columns[0])} leaves for {len(leaves)} parameters; use the masks grown for this model")
    return jax.tree.unflatten(structure, [function(*of) for of in zip(leaves, *columns, strict=True)])
