"""Processes that share a run directory, and how they are stopped: one writer at a time, and signals."""

import contextlib
import errno
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evodev.files import RunError, proposed

try:
    import fcntl
except ImportError:  # Windows has other locks; there, nobody is kept out
    fcntl = None

LOCK = ".lock"
MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO)
"""What a disk may answer that is not our doing: full, over quota, read only, not permitted, file too large, broken."""


class Interrupted(Exception):
    """The user or the machine asked to stop, and nothing is lost; its message is how to go on.

    ``code`` is what the process ends with: 130 after Ctrl-C; 0 after SIGTERM, with which machines are taken back.
    """

    def __init__(self, path: Path, by: int) -> None:
        super().__init__(f"stopped and checkpointed; go on with: {proposed('resume', path)}")
        self.code = 0 if by == signal.SIGTERM else 130


class Lost(Exception):
    """Another process of a run of many is gone, and with it what this one was computing."""


class Stop(threading.Event):
    """Set by a signal, which is then ``by``."""

    by: int = signal.SIGINT


@contextlib.contextmanager
def _handled(handle: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Signals handled so; outside of the main thread, where none arrive, left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """An event that Ctrl-C or SIGTERM sets; a second one stops at once."""
    stop = Stop()

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.by = number
        stop.set()

    with _handled(handle, signal.SIGINT, signal.SIGTERM):
        yield stop


@contextlib.contextmanager
def end_on_sigterm(path: Path) -> Iterator[None]:
    """Work on a run that may be broken off anywhere, as what is done is kept: SIGTERM raises :class:`Interrupted`."""

    def handle(number: int, frame: Any) -> None:
        raise Interrupted(path, number)

    with _handled(handle, signal.SIGTERM):
        yield


@contextlib.contextmanager
def only_writer(folder: Path, again: str = "resume") -> Iterator[None]:
    """Be the only process that writes into a folder; ``again`` is the command that goes on there after a failure.

    The lock is of the operating system (flock, which NFS turns into a lock of its server), so that it goes with its
    process however that ends; the file that it is on stays.

    Raises:
        RunError: if another process is writing there, naming it; or, for what happens within, if the disk is full, read only
            or broken.
    """
    try:
        with _locked(folder):
            yield
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        where = f"run: {error.filename or folder} cannot be written: {error.strerror}"
        raise RunError(f"{where}. What was written before is whole; mend that, then: {proposed(again, folder)}") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                who = os.read(lock, 200).decode(errors="replace") or "another process"
                raise RunError(f"run: {who} is writing to {folder}; wait until it has ended, or stop it") from error
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a file system without locks keeps nobody out
                    raise
        with contextlib.suppress(OSError):  # a full disk still has a lock, if a nameless one
            os.ftruncate(lock, 0)
            os.write(lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(lock)


def writer(folder: Path) -> tuple[str, bool | None] | None:
    """Who wrote to a folder last, as its lock names him, and whether he lives; None if nobody has.

    Only read. Of another machine's process, and where there is no asking, it is not known whether he lives.
    """
    try:
        who = (folder / LOCK).read_text(errors="replace")[:200]
    except OSError:
        return None
    found = re.fullmatch(r"process (\d+) on (.+)", who)
    if found is None:
        return None
    if found[2] != socket.gethostname() or fcntl is None:
        return who, None
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return who, False
    except PermissionError:  # somebody else's, and alive
        pass
    return who, True
