"""A run directory: configuration, manifest, metrics, checkpoints, champion."""

import contextlib
import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from evodev.checkpoints import Checkpoints
from evodev.comparison import SCHEMA_VERSION
from evodev.experiment import Experiment, from_plain, to_plain
from evodev.files import Kept, RunError, inside, of_schema, proposed, read_json, read_records, sealed, unsealed, write, write_json
from evodev.manifest import MANIFEST_SCHEMA, manifest, version
from evodev.organism import Organism
from evodev.processes import only_writer
from evodev.search import SearchState

COMPARED = ("task", "samples", "judged", "arms", "ledger")
"""What a comparison must say to be shown."""

COMPARED_ARM = ("role", "synapses", "curves", "scores")
"""What each of its arms must say."""

CONFIG_SCHEMA = 1
CHAMPION_SCHEMA = 2
"""1 had no seal over champion.json, and did not say which evodev wrote it."""


def load_experiment(path: Path) -> Experiment:
    """Read a configuration file.

    Raises:
        RunError: if there is none or it is not YAML; ValueError for a wrong field.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"config: no file {path}") from error
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"config: {path} cannot be read: {reason}") from error
    if not isinstance(data, Mapping):
        raise RunError(f"config: {path} holds no names with values; config.yaml of a run is an example")
    data = of_schema(data, CONFIG_SCHEMA, path)
    data.pop("schema_version", None)
    return from_plain(Experiment, data, "config")


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
        plain = {"schema_version": CONFIG_SCHEMA, **to_plain(experiment)}
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            go_on = f", or `{proposed('resume', path)}`" if (path / "config.yaml").is_file() else ""
            raise RunError(f"out: {path} exists already; choose another --out{go_on}") from error
        except OSError as error:
            raise RunError(f"out: {path} cannot be made: {error.strerror}") from error
        try:
            write(path / "manifest.json", json.dumps(manifest(command), indent=1))
            write(path / "config.yaml", yaml.safe_dump(plain, sort_keys=False))  # last: with it, there is a run
        except OSError as error:
            (path / "manifest.json").unlink(missing_ok=True)
            path.rmdir()
            raise RunError(f"out: {path} cannot be written: {error.strerror}") from error
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
        found = [p.name for p in base.iterdir() if re.fullmatch(r"seed-\d+", p.name) and (p / "config.yaml").is_file()]
        return [cls.open(inside(base, name)) for name in sorted(found, key=lambda name: int(name.removeprefix("seed-")))]

    def writing(self, again: str = "resume") -> contextlib.AbstractContextManager[None]:
        """Around all that writes: one process at a time, see :func:`evodev.processes.only_writer`."""
        return only_writer(self.path, again)

    # metrics

    def append_metrics(self, records: list[dict[str, Any]]) -> None:
        """Add one line a generation to metrics.jsonl."""
        with inside(self.path, "metrics.jsonl").open("a+b") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            torn = file.read() not in (b"", b"\n")  # a record after half a line would be lost with it
            file.write(b"\n" * torn + "".join(json.dumps(record) + "\n" for record in records).encode())

    def metrics(self) -> list[dict[str, Any]]:
        """Every whole line of metrics.jsonl; a line torn by a kill is left out."""
        return read_records(self.path / "metrics.jsonl")

    def forget_after(self, generation: int) -> None:
        """Drop metrics later than a checkpoint: the resumed search writes them again."""
        kept = [r for r in self.metrics() if r["generation"] <= generation]
        write(self.path / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in kept))

    # checkpoints

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the search can go on from."""
        return Checkpoints(inside(self.path, "checkpoints"), self.experiment)

    def save(self, state: SearchState) -> None:
        """:meth:`Checkpoints.save`"""
        self.checkpoints.save(state)

    def restore(self, template: SearchState) -> SearchState | None:
        """:meth:`Checkpoints.restore`"""
        return self.checkpoints.restore(template)

    # champion

    def save_champion(self, state: SearchState) -> None:
        """champion.safetensors (the genomes) and champion.json (what they mean), loadable without the run."""
        genomes = {name: np.asarray(getattr(state, name)) for name in ("champion", "centroid", "initial")}
        plain = to_plain(self.experiment)
        about = {
            "schema_version": CHAMPION_SCHEMA,
            "evodev": version("evodev-jax"),
            "spec": _spec(self.experiment.organism),
            "validation": float(state.champion_validation),
            "generation": int(state.champion_generation),
            "is_centroid": bool(state.champion_is_centroid),
            "experiment": plain,
            "digest": _digest(list(genomes.values())),
        }
        self.write_bytes("champion.safetensors", save(genomes))
        self.write_json("champion.json", sealed(about))

    # results

    @property
    def arms(self) -> "Kept":
        """Arms of comparisons that were measured before."""
        return Kept(inside(self.path, "arms"))

    def comparison(self) -> dict[str, Any] | None:
        """What comparison.json holds, or None if nothing was compared yet.

        Raises:
            RunError: if it is damaged, incomplete or of a later schema.
        """
        path = self.path / "comparison.json"
        if not path.exists():
            return None
        mend = f"; move it away and compare again: {proposed('compare', self.path)}"
        data = of_schema(read_json(path, mend), SCHEMA_VERSION, path)
        arms = data.get("arms")
        arms = arms if isinstance(arms, Mapping) else {data.get("judged"): None}
        parts = {"": (data, COMPARED)} | {f"arms.{name}.": (arm, COMPARED_ARM) for name, arm in arms.items()}
        for name, (part, asked) in parts.items():
            missing = [key for key in asked if not isinstance(part, Mapping) or key not in part]
            if missing:
                raise RunError(f"run: {path} lacks {name}{missing[0]}{mend}")
        return data

    def manifest(self) -> dict[str, Any]:
        """What manifest.json holds.

        Raises:
            RunError: if it is missing, damaged or of a later schema.
        """
        path = self.path / "manifest.json"
        return of_schema(read_json(path), MANIFEST_SCHEMA, path)

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


def _spec(organism: Organism) -> list[list[Any]]:
    """Name, shape, center, scale and bits of each gene."""
    return [[g.name, list(g.shape), g.center, g.scale, g.bits] for g in organism.genome_spec.genes]


def _same_genes(found: list[list[Any]], wanted: list[list[Any]]) -> bool:
    """Whether two :func:`_spec` are of the same genes; logarithms may differ in their last bit between machines."""
    rounded = ([[*gene[:2], *(f"{x:.12g}" for x in gene[2:4]), *gene[4:]] for gene in genes] for genes in (found, wanted))
    return next(rounded) == next(rounded)


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
    mend = ""
    if (folder / "config.yaml").is_file():
        again = proposed("resume", folder)
        if not (folder / "champion.json").exists():
            raise RunError(f"run: {folder} has no champion yet; finish it with `{again}`")
        mend = f"; to have it written anew from the last checkpoint: {again}"
    about = of_schema(read_json(folder / "champion.json", mend), CHAMPION_SCHEMA, folder / "champion.json")
    if "seal" in about or about.get("schema_version", 1) > 1:
        about = unsealed(about, folder / "champion.json", mend)
    writer = f"use evodev {about['evodev']}, which wrote it" if "evodev" in about else "use the evodev that wrote it"
    try:
        genomes = load_file(folder / "champion.safetensors")
    except FileNotFoundError as error:
        raise RunError(f"champion: {folder / 'champion.safetensors'} is missing{mend}") from error
    except (SafetensorError, OSError, LookupError, ValueError, TypeError) as error:
        raise RunError(f"champion: {folder / 'champion.safetensors'} is damaged: {error}{mend}") from error
    try:
        ordered = [genomes[name] for name in ("champion", "centroid", "initial")]
        if _digest(ordered) != about["digest"]:
            raise RunError(f"champion: the numbers in {folder / 'champion.safetensors'} are not those of champion.json{mend}")
        try:
            experiment = from_plain(Experiment, about["experiment"], "champion.experiment")
        except ValueError as error:
            raise RunError(f"{error}. If this version knows it no more, {writer}") from error
        if not _same_genes(about["spec"], _spec(experiment.organism)):
            raise RunError(f"champion: its genes are not those of this version's parts; {writer}")
        about["validation"]
    except KeyError as error:
        raise RunError(f"champion: {folder} lacks {error}") from error
    except TypeError as error:
        raise RunError(f"champion: {folder / 'champion.json'} is damaged: {error}") from error
    return Champion(experiment, {k: jax.numpy.asarray(v) for k, v in genomes.items()}, about)
