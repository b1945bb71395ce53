"""Files written whole or not at all, and read with one clear line where they cannot be."""

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RunError(ValueError):
    """Something about a run directory or a file that the user can mend; its message is one line."""


def proposed(name: str, path: Path) -> str:
    """A command on a run as it can be typed in a shell."""
    return f"evodev {name} {shlex.quote(str(path))}"


def write(path: Path, data: str | bytes) -> None:
    """Write a file whole or not at all: what was there stays until the new one is complete, and on the disk."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)  # of a process that was killed; were it a link, it would be followed
    try:
        with partial.open("xb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def inside(folder: Path, name: str) -> Path:
    """``folder/name``, once it is sure that no link leads out of the folder there.

    Raises:
        RunError: if one does.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RunError(f"run: {path} leads out of {folder}, to {path.resolve()}; nothing is written there: remove the link")
    return path


def refuse_existing(folder: Path, names: Iterable[str]) -> None:
    """Stop before a file of a folder would be written over.

    Raises:
        RunError: naming the first that is there already.
    """
    for name in names:
        if (folder / name).exists():
            raise RunError(f"out: {folder / name} exists already; choose another --out")


def write_new(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, made if need be; all of them or, where one of them is there already, none.

    Raises:
        RunError: if a file is there already or the folder cannot be made.
    """
    refuse_existing(folder, files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"out: {folder} cannot be made: {error.strerror}") from error
    for name, data in files.items():
        write(folder / name, data)
    return [folder / name for name in files]


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write results into a folder that exists, each whole or not at all, over what is there."""
    for name, data in files.items():
        write(folder / name, data)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    write(path, json.dumps(data, indent=1))


def read_json(path: Path, mend: str = "") -> Any:
    """A JSON file; RunError, with how to mend it, if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"run: {path} is missing{mend}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"run: {path} is not valid JSON: {error}{mend}") from error


def of_schema(data: Any, newest: int, path: Path) -> dict[str, Any]:
    """What a file holds, if its ``schema_version`` is one that can be read; without one it is of version 1.

    Raises:
        RunError: if it is of a later version than the newest that is known here, or holds no names with values.
    """
    if not isinstance(data, Mapping):
        raise RunError(f"run: {path} does not hold what a {path.name} holds")
    version = data.get("schema_version", 1)
    if type(version) is not int or not 1 <= version <= newest:
        raise RunError(f"run: {path} has schema {version}, this evodev reads up to schema {newest}; use the evodev that wrote it")
    return dict(data)


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with a digest of all of it as ``seal``."""
    as_read = json.loads(json.dumps(data))  # whose keys are strings, and sorted as such
    return {**data, "seal": hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()}


def unsealed(data: Any, path: Path, mend: str = "") -> dict[str, Any]:
    """What was :func:`sealed`.

    Raises:
        RunError: if it is no longer that, with how to mend it.
    """
    content = {name: value for name, value in data.items() if name != "seal"} if isinstance(data, Mapping) else {}
    if not content or sealed(content)["seal"] != data.get("seal"):
        raise RunError(f"run: {path} is damaged: its seal is broken{mend}")
    return content


def read_records(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a metrics.jsonl, a record a generation; none if there is no such file, or a line was torn by a kill."""
    out = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("generation"), int):
            out.append(record)
    return out


@dataclass(frozen=True)
class Kept(MutableMapping[str, Any]):
    """Results by digest, a sealed JSON file each, written whole; one that is damaged counts as not there."""

    folder: Path

    def _path(self, digest: str) -> Path:
        if not digest.isalnum():
            raise KeyError(digest)
        return self.folder / f"{digest}.json"

    def __getitem__(self, digest: str) -> Any:
        path = self._path(digest)
        try:
            return unsealed(read_json(path), path)["value"]
        except RunError as error:
            raise KeyError(digest) from error

    def __setitem__(self, digest: str, value: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._path(digest), sealed({"value": value}))

    def __delitem__(self, digest: str) -> None:
        try:
            self._path(digest).unlink()
        except FileNotFoundError as error:
            raise KeyError(digest) from error

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self.folder.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def fresh_path(base: Path) -> Path:
    """``base``, or the first of ``base-2``, ``base-3``, ... that does not exist."""
    if not base.exists():
        return base
    number = 2
    while base.with_name(f"{base.name}-{number}").exists():
        number += 1
    return base.with_name(f"{base.name}-{number}")
