"""Files written whole or not at all, and read with one clear line where they cannot be."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RunError(ValueError):
    """Something about a run directory or a file that the user can mend; its message is one line."""


def write(path: Path, data: str | bytes) -> None:
    """Write a file whole or not at all: what was there stays until the new one is complete."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(partial, path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


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


def read_json(path: Path) -> Any:
    """A JSON file; RunError if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise RunError(f"run: {path} is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"run: {path} is not valid JSON: {error}") from error


@dataclass(frozen=True)
class Kept(MutableMapping[str, Any]):
    """Results by digest, a JSON file each, written whole; one that is damaged counts as not there."""

    folder: Path

    def _path(self, digest: str) -> Path:
        if not digest.isalnum():
            raise KeyError(digest)
        return self.folder / f"{digest}.json"

    def __getitem__(self, digest: str) -> Any:
        try:
            return read_json(self._path(digest))
        except RunError as error:
            raise KeyError(digest) from error

    def __setitem__(self, digest: str, value: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._path(digest), value)

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
