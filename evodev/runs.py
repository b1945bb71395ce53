"""A run directory: configuration, manifest, metrics, checkpoints, champion."""

import difflib
import hashlib
import json
import logging
import os
import platform
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from evodev.experiment import Experiment, from_plain, to_plain
from evodev.files import Kept, RunError, read_json, write, write_json
from evodev.organism import Organism
from evodev.search import SearchState

CHAMPION_SCHEMA = 1
KEEP = 3
"""Checkpoints kept: the newest and two to fall back on."""


def load_experiment(path: Path) -> Experiment:
    """Read a configuration file.

    Raises:
        RunError: if there is none or it is not YAML; ValueError for a wrong field.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"config: no file {path}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"config: {path} cannot be read: {reason}") from error
    return from_plain(Experiment, data, "config")


def manifest(command: str) -> dict[str, Any]:
    """Versions, device, host, commit and jax flags of this process."""
    packages = {}
    for name in ("evodev-jax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy", "orbax-checkpoint"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = "not installed"
    device = jax.local_devices()[0]
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "packages": packages,
        "platform": device.platform,
        "device": getattr(device, "device_kind", str(device)),
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "cores": os.cpu_count(),
        "host": platform.machine(),
        "commit": commit(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def commit() -> str | None:
    """Commit of the checkout that this package runs from, if it is one."""
    try:
        out = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip() or None


def _layout(leaves: Iterable[Any]) -> list[str]:
    """Kind and shape of each array."""
    return [f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves]


def _digest(leaves: list[np.ndarray]) -> str:
    total = hashlib.sha256()
    for leaf in leaves:
        total.update(f"{leaf.shape}{leaf.dtype}".encode())
        total.update(np.ascontiguousarray(leaf).tobytes())
    return total.hexdigest()


@dataclass(frozen=True)
class Run:
    """A run directory that exists; see :meth:`create` and :meth:`open`."""

    path: Path
    experiment: Experiment

    @classmethod
    def create(cls, path: Path, experiment: Experiment, *, command: str = "") -> "Run":
        """Make the directory and write configuration and manifest.

        Raises:
            RunError: if something is there already or it cannot be made; nothing is written over.
        """
        plain = to_plain(experiment)
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise RunError(f"out: {path} exists already; choose another --out, or `evodev resume {path}`") from error
        except OSError as error:
            raise RunError(f"out: {path} cannot be made: {error.strerror}") from error
        write(path / "config.yaml", yaml.safe_dump(plain, sort_keys=False))
        write(path / "manifest.json", json.dumps(manifest(command), indent=1))
        return cls(path, experiment)

    @classmethod
    def open(cls, path: Path) -> "Run":
        """A run made before.

        Raises:
            RunError: if there is none.
        """
        if not (path / "config.yaml").is_file():
            near = []
            if path.parent.is_dir():
                near = difflib.get_close_matches(
                    path.name, [p.name for p in path.parent.iterdir() if (p / "config.yaml").is_file()], n=1
                )
            hint = f"; did you mean {path.parent / near[0]}?" if near else ""
            raise RunError(f"run: no run in {path} (no config.yaml){hint}")
        return cls(path, load_experiment(path / "config.yaml"))

    @classmethod
    def of_seeds(cls, base: Path) -> list["Run"]:
        """Runs ``base/seed-<n>`` in the order of their seeds; none where ``base`` is a run itself or holds no such run."""
        if (base / "config.yaml").is_file() or not base.is_dir():
            return []
        found = [p for p in base.iterdir() if re.fullmatch(r"seed-\d+", p.name) and (p / "config.yaml").is_file()]
        return [cls.open(path) for path in sorted(found, key=lambda p: int(p.name.removeprefix("seed-")))]

    # metrics

    def append_metrics(self, records: list[dict[str, Any]]) -> None:
        """Add one line a generation to metrics.jsonl."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)

    def metrics(self) -> list[dict[str, Any]]:
        """Every whole line of metrics.jsonl; a line torn by a kill is left out."""
        path = self.path / "metrics.jsonl"
        out = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                out.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return out

    def forget_after(self, generation: int) -> None:
        """Drop metrics later than a checkpoint: the resumed search writes them again."""
        kept = [r for r in self.metrics() if r["generation"] <= generation]
        write(self.path / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in kept))

    # checkpoints

    def _manager(self) -> Any:
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.CRITICAL)  # what orbax finds broken is said in our own words
        # of many processes the first writes alone, and waits for no other
        mine = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEEP, enable_async_checkpointing=False, create=False, multiprocessing_options=mine
        )
        folder = (self.path / "checkpoints").resolve()
        folder.mkdir(exist_ok=True)
        return ocp.CheckpointManager(folder, options=options)

    def save(self, state: SearchState) -> None:
        """Checkpoint a search, atomically, with a digest of every number.

        Raises:
            RunError: if it cannot be written.
        """
        import orbax.checkpoint as ocp

        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.device_get(state))]
        numbered = {f"{i:04d}": leaf for i, leaf in enumerate(leaves)}
        about = {"digest": _digest(leaves), "layout": _layout(leaves), "experiment": self._fingerprint()}
        try:
            with self._manager() as manager:
                arguments = ocp.args.Composite(state=ocp.args.StandardSave(numbered), about=ocp.args.JsonSave(about))
                if int(state.generation) in manager.all_steps():
                    manager.delete(int(state.generation))  # a damaged one that the search was resumed from before
                manager.save(int(state.generation), args=arguments, force=True)
        except OSError as error:
            raise RunError(f"checkpoint: cannot write to {self.path / 'checkpoints'}: {error}") from error

    def restore(self, template: SearchState) -> SearchState | None:
        """The newest checkpoint that is whole, or None if the run has none.

        A broken one is passed over with a warning.

        Raises:
            RunError: if there are checkpoints but none can be used.
        """
        if not (self.path / "checkpoints").is_dir():
            return None
        reasons = []
        with self._manager() as manager:
            steps = sorted(manager.all_steps(), reverse=True)
            for step in steps:
                try:
                    state = self._read(manager, step, template)
                except Exception as error:  # orbax and tensorstore raise many kinds for a damaged file
                    reasons.append(f"{step}: {' '.join(str(error).split())[:160]}")
                    continue
                if reasons:
                    warnings.warn(f"checkpoint {'; '.join(reasons)}. Going on from generation {step}", stacklevel=2)
                return state
        if steps:
            raise RunError(f"checkpoint: none of {len(steps)} in {self.path / 'checkpoints'} can be used ({reasons[0]})")
        return None

    def _read(self, manager: Any, step: int, template: SearchState) -> SearchState:
        import orbax.checkpoint as ocp

        about = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
        if about["experiment"] != self._fingerprint():
            raise RunError("it belongs to another experiment than config.yaml describes")
        leaves, structure = jax.tree.flatten(template)
        wanted = {f"{i:04d}": np.asarray(leaf) for i, leaf in enumerate(jax.device_get(leaves))}
        found = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore(wanted))).state
        values = [np.asarray(found[name]) for name in wanted]
        # shapes first, because the digest of other shapes is another too; orbax casts kinds silently, hence the record
        stored, needed = about.get("layout", _layout(values)), _layout(wanted.values())
        if stored != needed or _layout(values) != needed:
            pairs = zip(stored if stored != needed else _layout(values), needed, strict=False)
            differing = next((f": {a} where {b} is needed" for a, b in pairs if a != b), "")
            raise RunError(f"its shapes are of another search{differing}")
        if _digest(values) != about["digest"]:
            raise RunError("its numbers are damaged")
        return jax.tree.unflatten(structure, [jax.numpy.asarray(v) for v in values])

    def _fingerprint(self) -> str:
        """Of all that the numbers in a checkpoint depend on; how the champion is compared is not of it."""
        plain = to_plain(self.experiment)
        plain.pop("comparison")
        plain["schedule"].pop("chunk")
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    # champion

    def save_champion(self, state: SearchState) -> None:
        """champion.safetensors (the genomes) and champion.json (what they mean), loadable without the run."""
        organism = self.experiment.organism
        genomes = {name: np.asarray(getattr(state, name)) for name in ("champion", "centroid", "initial")}
        plain = to_plain(self.experiment)
        about = {
            "schema_version": CHAMPION_SCHEMA,
            "spec": [[g.name, list(g.shape), g.center, g.scale, g.bits] for g in organism.genome_spec.genes],
            "validation": float(state.champion_validation),
            "generation": int(state.champion_generation),
            "is_centroid": bool(state.champion_is_centroid),
            "experiment": plain,
            "digest": _digest(list(genomes.values())),
        }
        self.write_bytes("champion.safetensors", save(genomes))
        self.write_json("champion.json", about)

    # results

    @property
    def arms(self) -> "Kept":
        """Arms of comparisons that were measured before."""
        return Kept(self.path / "arms")

    def write_json(self, name: str, data: Mapping[str, Any]) -> Path:
        """Write a result file whole or not at all; returns its path."""
        write_json(self.path / name, data)
        return self.path / name

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a figure or page whole or not at all; returns its path."""
        write(self.path / name, data)
        return self.path / name

    def read_json(self, name: str) -> Any:
        """A result file.

        Raises:
            RunError: if it is missing or damaged.
        """
        return read_json(self.path / name)


@dataclass(frozen=True)
class Champion:
    """A champion file: the organism that it is a genome of, its genomes, and where it came from."""

    experiment: Experiment
    genomes: dict[str, Any]
    about: dict[str, Any]

    @property
    def organism(self) -> Organism:
        """What the genome means."""
        return self.experiment.organism


def load_champion(path: Path) -> Champion:
    """Load a champion from its run directory, or from champion.json or champion.safetensors.

    Raises:
        RunError: if a file is missing, damaged, of another schema or does not fit its own specification.
    """
    if not path.exists():
        raise RunError(f"run: no run or champion at {path}")
    folder = path if path.is_dir() else path.parent
    about = read_json(folder / "champion.json")
    version = about.get("schema_version") if isinstance(about, dict) else None
    if version != CHAMPION_SCHEMA:
        raise RunError(f"champion: {folder} has schema {version}, this evodev reads schema {CHAMPION_SCHEMA}")
    try:
        genomes = load_file(folder / "champion.safetensors")
    except FileNotFoundError as error:
        raise RunError(f"champion: {folder / 'champion.safetensors'} is missing") from error
    except (SafetensorError, OSError) as error:
        raise RunError(f"champion: {folder / 'champion.safetensors'} is damaged: {error}") from error
    try:
        experiment = from_plain(Experiment, about["experiment"], "champion.experiment")
        spec = [[g.name, list(g.shape), g.center, g.scale, g.bits] for g in experiment.organism.genome_spec.genes]
        if spec != about["spec"]:
            raise RunError("champion: its genes are not those of this version's parts; use the evodev that wrote it")
        ordered = [genomes[name] for name in ("champion", "centroid", "initial")]
        if _digest(ordered) != about["digest"]:
            raise RunError(f"champion: the numbers in {folder / 'champion.safetensors'} are not those of champion.json")
    except KeyError as error:
        raise RunError(f"champion: {folder} lacks {error}") from error
    return Champion(experiment, {k: jax.numpy.asarray(v) for k, v in genomes.items()}, about)


def command_line() -> str:
    """The command as typed."""
    return " ".join(["evodev", *sys.argv[1:]])
