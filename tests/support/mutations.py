"""Files as a torn cable, a bad disk or a careless hand leaves them, and what a reader makes of them."""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
import xarray as xr

ODD = [
    b"",
    b"\x00",
    b"\n",
    b",",
    b"nan",
    b"-9999",
    b"1e999",
    b"\xff\xfe",
    b"<html>",
    b"99999999",
    b"-" * 40,
    b"\r",
    b'"',
]
PATIENCE = 20  # seconds of the CPU
NO_END = "no end"
REFUSALS = (ValueError, TypeError, OSError, KeyError)  # ImportError would be ours


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes: bits flipped, a piece lost, doubled, moved or replaced, the end cut off."""
    out = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        n = max(1, len(out))
        at, size = int(rng.integers(n)), int(rng.integers(1, max(2, n // 20)))
        kind = rng.integers(6)
        if kind == 0 and out:
            for place in rng.integers(0, n, rng.integers(1, 9)):
                out[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del out[at : at + size]
        elif kind == 2:
            out[at:at] = out[at : at + size]
        elif kind == 3:
            piece = bytes(out[at : at + size])
            del out[at : at + size]
            there = int(rng.integers(len(out) + 1))
            out[there:there] = piece
        elif kind == 4:
            odd = ODD[rng.integers(len(ODD))]
            out[at : at + len(odd)] = odd
        else:
            del out[at:]
    return bytes(out)


@dataclass(frozen=True)
class Reader:
    """A reader, a whole file for it, and the public function that its errors name; `compiled` when it might crash."""

    name: str
    file: str
    content: bytes
    read: Callable[[Path], xr.Dataset | object]
    function: str
    compiled: bool = False


def outcome(reader: Reader, path: Path) -> str:
    """'read', 'refused', or what should not be."""
    try:
        with warnings.catch_warnings(), dask.config.set(scheduler="synchronous"):  # threads do not live in a child
            warnings.simplefilter("ignore")
            found = reader.read(path)
            if isinstance(found, xr.Dataset):
                found.load()
    except REFUSALS as error:
        notes = getattr(error, "__notes__", [])
        named = any(note.startswith("in ") and note.endswith(reader.function) for note in notes)
        return "refused" if named else f"refused without a name: {error!r}"[:300]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    return "read"


def outcome_in_child(reader: Reader, path: Path) -> str:
    """The same from a child, so that a crash in a library is seen, not suffered."""
    said = path.with_name("outcome")
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)  # ends the child
        said.write_text(outcome(reader, path))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    if ended == -signal.SIGVTALRM:
        return NO_END
    return said.read_text() if ended == 0 else f"crash: {ended}"


def attack(reader: Reader, folder: Path, times: int, seed: int = 0) -> tuple[Counter[str], list[bytes]]:
    """How often each outcome came, and the files that led to one that should not be."""
    rng, found, bad = np.random.default_rng(seed), Counter[str](), []
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(reader.content)
    assert outcome(reader, path) == "read"  # whole, and all imports done
    for _ in range(times):
        broken = mutate(reader.content, rng)
        path.write_bytes(broken)
        result = (outcome_in_child if reader.compiled else outcome)(reader, path)
        found[result] += 1
        if result not in ("read", "refused", NO_END):  # a library that loops is told of, and not ours to mend
            bad.append(broken)
    return found, bad
