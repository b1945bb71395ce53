"""What a result was computed with: versions, device, flags and commit, beside the configuration all that a rerun needs."""

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from evodev.files import read_json

MANIFEST_SCHEMA = 1
PACKAGES = ("evodev-jax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy", "orbax-checkpoint")
FLAGS = (
    "jax_enable_x64", "jax_default_matmul_precision", "jax_default_prng_impl", "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion", "jax_disable_most_optimizations",
)  # fmt: skip
"""Settings of jax that change numbers."""
CIRCUMSTANCES = ("schema_version", "command", "date")
"""What may differ between two runs of the same search with no consequence."""
MOST_DEVICES = 256
"""No more processor devices than that are made because a file says so."""


def manifest(command: str) -> dict[str, Any]:
    """Versions, device, commit and flags of this process."""
    device = jax.local_devices()[0]
    return {
        "schema_version": MANIFEST_SCHEMA,
        "command": command,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "platform": device.platform,
        "device": getattr(device, "device_kind", str(device)),
        "devices": jax.local_device_count(),
        "processes": jax.process_count(),
        "cores": os.cpu_count(),
        "processor": processor(),
        "host": platform.machine(),
        **commit_state(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "jax": {name.removeprefix("jax_"): jax.config.values.get(name) for name in FLAGS},
    }


def version(package: str) -> str:
    """Version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """Model of the processor, whose instructions decide how sums are rounded; where the system does not tell, its family."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def commit() -> str | None:
    """Commit of the checkout that this package runs from, if it is one."""
    return _git("rev-parse", "--short", "HEAD") or None


def commit_state() -> dict[str, Any]:
    """:func:`commit`, and whether the package's files were ``changed`` since; None if nobody can tell."""
    found = commit()
    status = _git("status", "--porcelain", "--", ".") if found else None
    return {"commit": found, "changed": None if status is None else bool(status)}


def _git(*arguments: str) -> str | None:
    try:
        here = Path(__file__).parent
        out = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip()


def command_line() -> str:
    """The command as typed."""
    return " ".join(["evodev", *sys.argv[1:]])


def divide_as(path: Path) -> None:
    """Divide a processor as a manifest says, if jax is not in use yet: how lives are divided decides how sums are rounded.

    Flags are not taken over: they are a file's, and could name other files to be written.
    """
    told = read_json(path) if path.is_file() else {}
    devices = told.get("devices") if isinstance(told, Mapping) and told.get("platform") == "cpu" else None
    if isinstance(devices, int) and 1 <= devices <= MOST_DEVICES:
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", devices)


def flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested names -> values by names such as ``packages / jax``."""
    out: dict[str, Any] = {}
    for name, value in data.items():
        out |= flat(value, f"{prefix}{name} / ") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Lines that name what two manifests differ in, and may change numbers."""
    old, new = (flat({name: value for name, value in m.items() if name not in CIRCUMSTANCES}) for m in (then, now))
    names = {**new, **old}
    return [
        f"{name}: {old.get(name, 'not recorded')!s}, now {new.get(name, 'not recorded')!s}"
        for name in names
        if old.get(name) != new.get(name)
    ]
