"""Faults while a file is written: the process is killed, or the disk takes no more. In a child of this process."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Write = Callable[[int], object]  # writes the first (0) or the second (1) content
WROTE, RAISED = 0, 3


def contents(path: Path) -> bytes:
    """All bytes of a file, or of the files of a folder with their names; empty when there is none."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return b"".join(str(one.relative_to(path)).encode() + b"\0" + one.read_bytes() for one in files)
    return path.read_bytes() if path.is_file() else b""


@dataclass(frozen=True)
class Writer:
    """A way to write one of two contents to a path."""

    path: Path
    write: Write

    def whole(self) -> dict[bytes, str]:
        """What the path may hold: each content, as it is written in peace."""
        found = {}
        for which, name in ((1, "new"), (0, "old")):  # the old one is there at last
            self.write(which)
            found[contents(self.path)] = name
        assert len(found) == 2
        return found


def _in_child(work: Callable[[], object]) -> int:
    """A child that does `work`; gives its process id. It leaves without cleaning up after this process."""
    child = os.fork()
    if child:
        return child
    faulthandler.disable()  # HDF5 itself may crash on a full disk; that is a finding, not to be shouted
    try:
        work()
        os._exit(WROTE)
    except BaseException:
        os._exit(RAISED)


def kill_while_writing(writer: Writer, times: int, seed: int = 0, longest: float = 0.15) -> Counter[str]:
    """What is found after each of so many kills: 'old', 'new', or 'half' for anything else."""
    whole, rng, found = writer.whole(), np.random.default_rng(seed), Counter[str]()

    def for_ever() -> None:
        while True:
            for which in (1, 0):
                writer.write(which)

    for _ in range(times):
        child = _in_child(for_ever)
        time.sleep(rng.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found[whole.get(contents(writer.path), "half")] += 1
    return found


def fill_the_disk(writer: Writer, limits: list[int]) -> Iterator[tuple[int, str, str]]:
    """For each size that no file may pass: it, how the write ended, and what is there afterwards."""
    whole = writer.whole()

    def limited(limit: int) -> Callable[[], object]:
        def work() -> object:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, limit)
            )  # a write past it fails with OSError, as on ENOSPC
            return writer.write(1)

        return work

    for limit in limits:
        _, status = os.waitpid(_in_child(limited(limit)), 0)
        ended = {WROTE: "wrote", RAISED: "raised"}.get(os.waitstatus_to_exitcode(status), "crashed")
        yield limit, ended, whole.get(contents(writer.path), "half")
        writer.write(0)


def limits_below(size: int, n: int, seed: int = 0) -> list[int]:
    """Sizes from nothing to one byte too few."""
    return sorted({0, 1, size // 2, size - 1, *np.random.default_rng(seed).integers(0, size, max(0, n - 4)).tolist()})
