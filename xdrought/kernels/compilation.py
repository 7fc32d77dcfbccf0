"""Whether compiled code is there already, so that short jobs use it and nobody waits for a compiler unawares."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def is_stored(dispatcher: Any, accepts: Callable[[tuple], bool] = lambda types: True) -> bool:
    """Whether a numba function was compiled in this process, or on this machine before.

    `accepts` chooses among its compiled versions by the types of the arguments. Numba has no public way to ask for
    those on disk: where its private one is another, they count as not there.
    """
    if any(accepts(types) for types in dispatcher.overloads):
        return True
    try:
        on_disk = [key[0] for key in dispatcher._cache._cache_file._load_index()]
    except Exception:
        return False
    return any(accepts(types) for types in on_disk)


def as_one_type(values: np.ndarray) -> np.ndarray:
    """An array that numba has one type for: in order, and writable. Each other kind would be compiled once more."""
    return np.require(values, requirements=["C", "W"])


def announce(what: str) -> None:
    """Say that something is being compiled, in a line on terminals and to the log elsewhere."""
    line = f"xdrought: compiling {what} once on this machine, some seconds"
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)
    else:
        logging.getLogger("xdrought").info(line)
