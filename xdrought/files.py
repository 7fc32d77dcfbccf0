"""Files that are whole or not there: one atomic write, and one digest of what data hold."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

_LEFTOVER = re.compile(r"\.part-(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}")
_FORGOTTEN = 7 * 24 * 3600.0  # seconds without a change, after which no writer of any machine is still at work
_under_way: set[Path] = set()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file or a folder beside `path`, and move it there when the block ends without an error.

    The block gets a path of the same name, in a hidden folder beside `path`. Afterwards its bytes are waited for
    (``fsync``) and it takes the place of `path` in one step, so that a killed process or a full disk leaves the old
    file or the new one. On an error the part is removed. The hidden folders that killed processes have left beside
    `path` are removed too.

    Parameters
    ----------
    path : str or pathlib.Path
        Where the file or folder goes. The folder that holds it must exist. An old *folder* cannot be exchanged in one
        step: for a moment there is neither, so readers of a folder should not be at work.

    Yields
    ------
    pathlib.Path
        Where the block writes.
    """
    path = Path(path)
    remove_leftovers(path.parent)
    folder = path.with_name(f".part-{_machine()}-{os.getpid()}-{secrets.token_hex(6)}")
    part = folder / path.name
    _under_way.add(folder)
    try:
        folder.mkdir()
        yield part
        _to_disk(part)
        if path.is_dir() and not path.is_symlink():
            _exchange_folders(part, path)
        else:
            os.replace(part, path)
        _to_disk(path.parent, deep=False)
    finally:
        _remove(folder)
        _under_way.discard(folder)


@contextmanager
def locked(path: str | Path, what: str) -> Iterator[None]:
    """Keep `path` for this block alone, through a lock file beside it that the system frees when a process dies.

    Raises
    ------
    BlockingIOError
        When another block, of this process or another one of this machine, holds it; `what` says what `path` is.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # no such locks on Windows
        yield
        return
    path = Path(path)
    beside = path.with_name(f".{path.name}.lock")
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise BlockingIOError(
                f"{what} {path} is in use by another run; wait until it has ended, or name another path"
            ) from error
        if beside.exists() and os.path.samestat(os.fstat(handle), beside.stat()):
            break
        os.close(handle)  # its owner removed it meanwhile
    try:
        yield
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the hidden folders that killed writers have left in `folder`, and return their paths.

    One is left over when the process in its name no longer runs on this machine, or when nothing has changed it for
    a week, whichever machine wrote it.
    """
    removed = []
    for part in folder.glob(".part-*"):
        named = _LEFTOVER.fullmatch(part.name)
        if named is None or part in _under_way:
            continue
        here = named["machine"] == _machine()
        if (here and not _is_running(int(named["pid"]))) or _age(part) > _FORGOTTEN:
            _remove(part)
            removed.append(part)
    return removed


def digest(*things: Any, size: int = 8) -> str:
    """A hexadecimal digest of labelled arrays, arrays, text and bytes: equal for equal names, labels and values.

    Parameters
    ----------
    *things : xarray.Dataset, xarray.DataArray, numpy.ndarray, str, bytes, or an iterator of these
        Their order counts, and so do their kinds, dtypes and shapes. Attributes do not. Lazy arrays are read one slice
        of the first dimension at a time, and of an iterator one item is in memory at a time.
    size : int
        Bytes of the digest.

    Returns
    -------
    str
    """
    result = blake2b(digest_size=size)
    for thing in things:
        for piece in _pieces(thing):
            result.update(len(piece).to_bytes(8, "little"))
            result.update(piece)
    return result.hexdigest()


def _pieces(thing: Any) -> Iterator[bytes | memoryview]:
    if isinstance(thing, xr.DataArray):
        thing = thing.to_dataset(name="_values")
    if isinstance(thing, xr.Dataset):
        for name in sorted(thing.variables, key=str):
            variable = thing[name].variable
            yield f"{name} {variable.dims} {variable.shape} {variable.dtype}".encode()
            for k in range(variable.shape[0] if variable.ndim else 1):
                yield _as_bytes(np.asarray(variable[k] if variable.ndim else variable))
    elif isinstance(thing, Iterator):
        for one in thing:
            yield from _pieces(one)
    elif isinstance(thing, np.ndarray):
        yield f"{thing.shape} {thing.dtype}".encode()
        yield _as_bytes(thing)
    else:
        yield thing if isinstance(thing, bytes | memoryview) else str(thing).encode()


def _as_bytes(values: np.ndarray) -> bytes:
    """The bytes of the values; objects and text, whose bytes are addresses or padded, as they print."""
    return str(values.tolist()).encode() if values.dtype.kind in "OUT" else values.tobytes()


def _machine() -> str:
    """Eight characters for this machine and its table of processes, in which a process id means something."""
    spaces = "/proc/self/ns/pid"
    space = os.readlink(spaces) if os.path.islink(spaces) else ""
    return blake2b(f"{platform.node()} {space}".encode(), digest_size=4).hexdigest()


def _is_running(pid: int) -> bool:
    """Whether a process of that id runs here and can be the writer of what this process does not write."""
    if pid == os.getpid():
        return False
    if os.name != "posix":
        return True  # there is no harmless way to ask; such parts are removed by their age
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _age(path: Path) -> float:
    """Seconds since the last change of a folder or of anything in it."""
    try:
        return time.time() - max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:  # another process removed it
        return 0.0


def _exchange_folders(part: Path, path: Path) -> None:
    old = part.with_name("old" if part.name != "old" else "before")
    os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        os.replace(old, path)
        raise


def _to_disk(path: Path, deep: bool = True) -> None:
    """Wait until what was written to a file, or to all files of a folder, is on the disk."""
    if path.is_dir():
        if deep:
            for one in path.rglob("*"):
                _to_disk(one, deep=False)
        if os.name != "posix":
            return  # elsewhere a folder cannot be opened
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
