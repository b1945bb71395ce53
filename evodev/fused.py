"""A whole life in one kernel: the weights are read once, learn on chip, and only the answers to the probes are written.

The plain program (``lifetime.live``) is a scan whose every step passes all weights through memory: on an accelerator the
batched matrix products, their transposes and the update are kernels of their own. With W weights that is, per life-step,

    forward W, backward W, gradient written W and read W, update read W, pace W and written W: 7 W numbers

beside the activity; the pace (rate x gain x mask) is common to all lives of a genome and may come from a cache. Here a life of s
steps, batches of b examples with i inputs, and p probes of q examples with o outputs moves ``(2 W + p q o) / s + b (i + o)``
numbers a life-step: weights and pace once, its answers and its batches, which are common to all genomes. For 64-64-64-5
(W = 8,512), b = 5, s = 20, p = 9, q = 40: 238 kB against 5 kB, or 10 kB with what is padded. The pace is read again in each
step, from a cache. Arithmetic is not saved: batches padded to 16 rows make it three times as much, on tensor cores. All this
is an estimate; ``benchmarks/speed/gpu.py`` measures it.

Written for one life with Pallas; ``vmap`` makes genomes and lives the grid. For CUDA it is lowered through Triton, which keeps
the weights in registers, for TPU through Mosaic, in VMEM; on a CPU it is interpreted: right, and slow. It has not been run on
either accelerator; it lowers for both (``tests/test_fused.py``), and Triton 3.9 compiles it for sm_90: 64-64-64-5 in 255
registers of 256 threads without spilling (on sm_80 1.2 kB a thread are spilled, to a cache), 144-64-5 no longer. Matrix
products follow ``jax.default_matmul_precision``, as in the plain program.
"""

from dataclasses import fields
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.learners import Gradient, Learner
from evodev.learners.base import wanted
from evodev.lifetime import LifetimeLog, written
from evodev.network import Network, respond
from evodev.substrate import Substrate
from evodev.tasks import Acting, Life, Task, World
from evodev.types import Array, Genes, Key

Kernel = Literal["plain", "fused"]
"""How a life is computed: step by step (``lifetime.live``), or all of it in one kernel (:func:`live_fused`)."""

LIMIT = 64 * 1024
"""Bytes that a life may hold on chip: a quarter of the registers of a streaming multiprocessor, beyond which Triton spills."""

REGISTERS = 50
"""Registers of a thread, of 255, that hold what a life holds on chip; the others are for gradients and operands."""

FREE = ("loss", "log_rate", "spread", "plastic", "capacity")
"""Fields of the gradient learner that may differ from its defaults."""

Params = tuple[dict[str, Any], dict[str, Any]]
"""Weights (pre, post) by projection and biases (1, n) by population, padded."""


def _power_of_two(size: int) -> int:
    """The next power of two."""
    return 1 << max(size - 1, 0).bit_length()


def padded(size: int) -> int:
    """The next power of two, at least 16: the sizes that tensor cores multiply."""
    return max(16, _power_of_two(size))


def resident(substrate: Substrate, batch: int) -> int:
    """Bytes that one life holds on chip: weights, biases and a batch's activity, padded."""
    sizes = {p.name: padded(p.size) for p in substrate.populations}
    weights = sum(sizes[p.pre] * sizes[p.post] for p in substrate.projections)
    return 4 * (weights + (1 + padded(batch)) * sum(sizes.values()))


def check_fused(learner: Learner, substrate: Substrate, task: Task, *, ledger: bool = False, online: bool = False) -> None:
    """Raises ValueError, naming what does not fit and the remedy, for a life that the kernel cannot live."""
    plain, name = Gradient(), type(task).__name__
    changed = [f.name for f in fields(plain) if f.name not in FREE and getattr(learner, f.name, None) != getattr(plain, f.name)]
    shaped = [p.name for p in substrate.populations[1:] if p.normalisation != "none" or p.winners < 1]
    need = resident(substrate, task.batch)
    refusals = {
        f"learner: {type(learner).__name__} is not the gradient learner": type(learner) is not Gradient,
        f"learner: {', '.join(changed)} must be as by default": bool(changed),
        "substrate: it must be feedforward, with a forward pass of its own": substrate.modular or substrate.ticks > 1,
        f"substrate: {', '.join(shaped)} must be without normalisation and winners": bool(shaped),
        f"substrate: a life needs {need / 1024:.0f} KiB on chip, of at most {LIMIT // 1024}": need > LIMIT,
        f"task: {name} acts": isinstance(task, Acting),
        f"task: {name} has phases": bool(task.phase_ends),
        "fitness: it asks for more than loss and score at the probes": ledger or online,
    }
    for reason, holds in refusals.items():
        if holds:
            raise ValueError(f"schedule: kernel 'fused' does not fit ({reason}); set schedule.kernel to plain")


def _filled(x: Array, rows: int, columns: int) -> Array:
    """(..., n, m) -> (..., rows, columns): the last row repeated, so that padding overflows only where it does, and zeros."""
    x = x[..., np.minimum(np.arange(rows), x.shape[-2] - 1), :]
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, columns - x.shape[-1])])


def _zeroed(x: Array, rows: int, columns: int) -> Array:
    """(n, m) -> (rows, columns), with zeros beside."""
    return jnp.pad(x, [(0, rows - x.shape[0]), (0, columns - x.shape[1])])


def _within(x: Array, rows: int, columns: int, beside: float = 0.0) -> Array:
    """The first rows and columns of a matrix, and another number beside them whatever stood there: NaN, too."""
    if x.shape == (rows, columns):
        return x
    row, column = (jax.lax.broadcasted_iota(jnp.int32, x.shape, axis) for axis in (0, 1))
    return jnp.where((row < rows) & (column < columns), x, beside)


def _forward(substrate: Substrate, alive: dict[str, Any], params: Params, inputs: Array) -> Array:
    """``network.forward`` where every population is padded."""
    weights, biases = params
    state = {substrate.input.name: inputs}
    for population in substrate.populations[1:]:
        name = population.name
        silence = jnp.zeros((len(inputs), biases[name].shape[1]))
        drive = sum((state[p.pre] @ weights[p.name] for p in substrate.into(name)), silence)
        drive = _within(drive, len(inputs), population.size)
        state[name] = respond(population, drive, biases[name].reshape(-1), alive[name][...].reshape(-1))
    return state[substrate.output.name]


def _slope(loss: str, answers: Array, targets: Array, batch: int, outputs: int) -> Array:
    """Gradient of the mean loss of a batch in the padded answers to it."""
    if loss == "squared_error":
        slope = 2.0 / (batch * outputs) * (answers - targets)
    else:
        slope = (jax.nn.softmax(_within(answers, len(answers), outputs, -jnp.inf)) - targets) / batch
    return _within(slope, batch, outputs)


def _life(
    substrate: Substrate,
    loss: str,
    batch: int,
    probes: tuple[int, ...],
    born: Any,
    pace: Any,
    alive: Any,
    stream: Any,
    targets: Any,
    probe_inputs: Any,
    answers: Any,
) -> None:
    """The kernel: all that is given without a type is memory, ``answers`` to be written, the rest to be read."""
    size = {p.name: p.size for p in substrate.populations}

    def step(number: Array, params: Params) -> Params:
        said, pull = jax.vjp(lambda params: _forward(substrate, alive, params, stream[number]), params)
        (slope,) = pull(_slope(loss, said, targets[number], batch, substrate.output.size))
        weights, biases = jax.tree.map(lambda x, pace, slope: x + pace[...] * slope, params, pace, slope)
        # zero times an infinite slope is NaN: what is only padding must not spread it
        return (
            {p.name: _within(weights[p.name], size[p.pre], size[p.post]) for p in substrate.projections},
            {name: _within(bias, 1, size[name]) for name, bias in biases.items()},
        )

    def stretch(number: Array, params: Params) -> Params:
        """The steps that lead to a probe, none to the first, and the probe: a loop in a loop, either body compiled once."""
        # looked up by arithmetic: kernels have no constant arrays, and Triton mistakes the type of a choice between numbers
        begin, end = (sum(at * (number == i).astype(jnp.int32) for i, at in enumerate(ends)) for ends in ((0, *probes), probes))
        params = jax.lax.fori_loop(begin, end, step, params)

        def ask(tile: Array, _: Array) -> Array:
            answers[number, tile] = _forward(substrate, alive, params, probe_inputs[tile])
            return _

        jax.lax.fori_loop(0, len(probe_inputs), ask, 0)
        return params

    jax.lax.fori_loop(0, len(probes), stretch, jax.tree.map(lambda memory: memory[...], born))


def live_fused(
    learner: Learner,
    genes: Genes,
    network: Network,
    substrate: Substrate,
    task: Task,
    life: Life | World,
    schedule: tuple[int, ...],
    *,
    key: Key,
    ledger: bool = False,
    online: bool = False,
) -> LifetimeLog:
    """:func:`lifetime.live` in one kernel: the same log beyond float32 rounding.

    Raises:
        ValueError: if the life does not fit the kernel (:func:`check_fused`), or the network is in a sparse form.
    """
    from jax.experimental import pallas as pl  # seconds, which only who asks for a kernel waits for
    from jax.experimental.pallas import triton

    check_fused(learner, substrate, task, ledger=ledger, online=online)
    if network.sources:
        raise ValueError("schedule: kernel 'fused' has no sparse products; set form to dense, or schedule.kernel to plain")
    assert isinstance(learner, Gradient)
    assert isinstance(life, Life)
    (steps, batch), probed, outputs = life.inputs.shape[:2], len(life.probe_inputs), substrate.output.size
    size = {p.name: padded(p.size) for p in substrate.populations}
    shown, said = size[substrate.input.name], size[substrate.output.name]
    rows, tiles = padded(batch), -(-probed // padded(batch))

    def laid(weights: dict[str, Array], biases: dict[str, Array]) -> Params:
        return (
            {p.name: _zeroed(weights[p.name], size[p.pre], size[p.post]) for p in substrate.projections},
            {p.name: _zeroed(biases[p.name][None], 1, size[p.name]) for p in substrate.populations[1:]},
        )

    operands = (
        laid(network.weights, network.biases),
        laid(**learner.paces(genes, network, substrate)),
        laid(network.weights, network.alive)[1],
        _filled(life.inputs.reshape(steps, batch, -1), rows, shown),
        _filled(jax.vmap(lambda own: wanted(own, outputs))(life.targets), rows, said),
        _filled(life.probe_inputs.reshape(probed, -1), tiles * rows, shown).reshape(tiles, rows, -1),
    )
    probes = (0, *sorted({at for at in schedule if 1 <= at <= steps}))
    kernel = partial(_life, substrate, learner.loss, batch, probes)
    shape = jax.ShapeDtypeStruct((len(probes), tiles, rows, said), jnp.float32)
    warps = min(8, max(4, _power_of_two(resident(substrate, batch) // (4 * REGISTERS * 32))))
    answers = jax.lax.platform_dependent(
        *operands,
        cpu=pl.pallas_call(kernel, shape, interpret=True),
        cuda=pl.pallas_call(kernel, shape, compiler_params=triton.CompilerParams(num_warps=warps, num_stages=1)),
        tpu=pl.pallas_call(kernel, shape),
    )
    answers = answers.reshape(len(probes), tiles * rows, said)[:, :probed, :outputs]
    loss, score = (jax.vmap(measure, (0, None))(answers, life.probe_targets) for measure in (task.loss, task.score))
    return written(learner, network, substrate, loss[:, None], score[:, None], jnp.zeros((len(probes), 0)), batch)
