"""Devices, of this process alone or of many: joining, the mesh that subjects and lives are spread over, and what is told.

Every process runs the same program on its share of the mesh; what belongs to a file or a person is the first one's alone.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from evodev.processes import Lost

SUBJECTS, LIVES = "subjects", "lives"
"""Axes of every mesh."""

ADDRESS = ("EVODEV_COORDINATOR", "EVODEV_PROCESSES", "EVODEV_PROCESS")
"""Where the first process listens (host:port), how many processes there are, and which of them this is."""

PATIENCE = 100
"""Seconds, unless EVODEV_PATIENCE says otherwise."""


def prepare_jax() -> None:
    """Persistent compilation cache; quick compilation and a device a core without an accelerator; before jax is first used.

    EVODEV_CACHE moves the cache; JAX_NUM_CPU_DEVICES or XLA_FLAGS say another number of devices.
    """
    # lighter optimisation compiles a third faster and ran as fast (digits .9, sine 1.0 of the time); GPUs were not measured
    flag = "--xla_backend_optimization_level"
    if flag not in os.environ.get("XLA_FLAGS", "") and not (metadata.entry_points(group="jax_plugins") or find_spec("libtpu")):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}=1".strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "") or "JAX_NUM_CPU_DEVICES" in os.environ
    if not forced:
        with contextlib.suppress(RuntimeError):  # somebody has used jax in this process before
            jax.config.update("jax_num_cpu_devices", cores)
    cache = os.environ.get("EVODEV_CACHE", str(Path.home() / ".cache" / "evodev"))
    with contextlib.suppress(OSError):
        Path(cache).mkdir(parents=True, exist_ok=True)
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


# processes


def join() -> None:
    """Join the other processes of this run, if the environment speaks of any; before jax is first used.

    EVODEV_COORDINATOR, EVODEV_PROCESSES and EVODEV_PROCESS say it outright, EVODEV_DISTRIBUTED=auto leaves it to jax, which
    knows SLURM, Open MPI, Kubernetes and TPU pods. EVODEV_PATIENCE is how many seconds a process waits for another: to join,
    to show that it lives, and to leave.

    Raises:
        ValueError: naming the variable that is missing or wrong, or the processes that did not come.
    """
    where = _where()
    if where is None:
        return
    patience = _number("EVODEV_PATIENCE", str(PATIENCE), least=1)
    place = "{coordinator_address}, process {process_id} of {num_processes}".format(**where) if where else "what jax detects"
    # jax ends a process whose others do not come, with much text of its own
    print(f"processes: joining at {place}, within {patience} s (EVODEV_PATIENCE)", file=sys.stderr, flush=True)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            **where,
            initialization_timeout=patience,
            heartbeat_timeout_seconds=patience,
            shutdown_timeout_seconds=patience,
        )
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"processes: could not join at {place}: {' '.join(str(error).split())[:200]}") from error


def _where() -> dict[str, Any] | None:
    """Where to join as jax.distributed takes it; nothing in it if jax is to detect that, None to stay alone."""
    said = {name: os.environ[name] for name in ADDRESS if os.environ.get(name)}
    how = os.environ.get("EVODEV_DISTRIBUTED", "")
    if how not in ("", "auto"):
        raise ValueError(f"EVODEV_DISTRIBUTED: only 'auto' is known, given {how!r}")
    if not said:
        return {} if how else None
    if len(said) < len(ADDRESS):
        raise ValueError(f"{next(n for n in ADDRESS if n not in said)}: missing, where {', '.join(said)} is set")
    address = said["EVODEV_COORDINATOR"]
    count = _number("EVODEV_PROCESSES", said["EVODEV_PROCESSES"], least=1)
    mine = _number("EVODEV_PROCESS", said["EVODEV_PROCESS"], least=0)
    if mine >= count:
        raise ValueError(f"EVODEV_PROCESS: {mine} of {count} processes; they are numbered from 0")
    if not re.fullmatch(r".+:\d+", address):
        raise ValueError(f"EVODEV_COORDINATOR: expected host:port, given {address!r}")
    # where all is said jax is not to ask SLURM or MPI as well, which would leave it one device of a node
    return {
        "coordinator_address": address,
        "num_processes": count,
        "process_id": mine,
        "cluster_detection_method": "deactivate",
    }


def _number(name: str, default: str, *, least: int) -> int:
    text = os.environ.get(name, default)
    if not text.isdigit() or int(text) < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, given {text!r}")
    return int(text)


def together() -> bool:
    """Whether this process runs its programs together with others."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def size() -> str:
    """How many run together, in words."""
    return f"{jax.process_count()} processes, {jax.device_count()} devices"


def leads() -> bool:
    """Whether files, prints and comparisons are this process's: it is alone, or the first."""
    return not together() or jax.process_index() == 0


def leave() -> None:
    """End running together, once the others do too; what this process computes from here on it computes alone."""
    if together():
        jax.distributed.shutdown()


def abandon(code: int) -> NoReturn:
    """End this process at once: leaving in order would wait for the others, which its broken connections will tell."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# the mesh


def available() -> list[Any]:
    """The devices of all processes while they run together, else this process's own."""
    return jax.devices() if together() else jax.local_devices()


def device_count(count: int) -> int:
    """Devices worth dividing so many lives among; processes that run together take part with all that they have."""
    return jax.device_count() if together() else max(1, min(jax.local_device_count(), count))


def division(devices: int, subjects: int, lives: int) -> tuple[int, int]:
    """Shares of the subjects and shares of the lives, their product ``devices``, that leave the busiest device least to do.

    Of equals the one that divides lives least: a subject whose lives are divided is grown on several devices.
    """
    shapes = [(n, devices // n) for n in range(devices, 0, -1) if devices % n == 0]
    return min(shapes, key=lambda shape: -(-subjects // shape[0]) * -(-lives // shape[1]))


def mesh_of(shape: tuple[int, int]) -> Mesh:
    """The available devices, in as many rows and columns."""
    return Mesh(np.array(available()[: shape[0] * shape[1]]).reshape(shape), (SUBJECTS, LIVES))


def everywhere(mesh: Mesh) -> NamedSharding:
    """Whole on every device of a mesh."""
    return NamedSharding(mesh, PartitionSpec())


@contextlib.contextmanager
def noticing(way_on: str = "") -> Iterator[None]:
    """Says plainly that a program of many processes broke off because one of them did, and the way on.

    Raises:
        Lost: in place of what jax raises.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not together():
            raise
        reason = " ".join(str(error).split())[:200]
        raise Lost(f"another process of this run died or could not go on ({reason}){way_on}") from error


# what is told


def shared(tree: Any) -> Any:
    """The first process's arrays in every process, bit for bit, as numpy; the others' have the same shapes."""
    leaves, structure = jax.tree.flatten(jax.device_get(tree))
    if together():
        leaves = [np.asarray(leaf) for leaf in leaves]
        # as bytes: the sum behind a broadcast would turn -0 into 0, and the kinds that jax has not into others
        told = multihost_utils.broadcast_one_to_all([np.frombuffer(leaf.tobytes(), np.uint8) for leaf in leaves])
        leaves = [np.frombuffer(t.tobytes(), x.dtype).reshape(x.shape) for t, x in zip(told, leaves, strict=True)]
    return jax.tree.unflatten(structure, leaves)


def shared_text(text: str = "") -> str:
    """The first process's text in every process."""
    data = np.frombuffer(text.encode(), np.uint8)
    size = int(shared(np.asarray(data.size)))
    return bytes(shared(data if leads() else np.zeros(size, np.uint8))).decode()


def anyone(flag: bool) -> bool:
    """Whether it is true in any process; every process is asked."""
    return bool(multihost_utils.process_allgather(np.asarray(flag)).any()) if together() else flag
