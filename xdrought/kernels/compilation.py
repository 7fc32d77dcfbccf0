"""Whether compiled code is there already, so that short jobs use it and nobody waits for a compiler unawares.

A small job of a kernel that is not compiled is run by Python itself, from the same text: the compiler takes seconds,
a station some milliseconds.
"""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

# Steps (days of a series) that Python takes while compiled code is loaded from the disk, and while it is made.
WORTH_LOADING, WORTH_COMPILING = 50_000, 500_000
_steps_by_python: dict[Any, int] = {}
_by_numpy: dict[Any, Callable] = {}
_compiled_kinds: set[tuple] = set()


def inner(function: Callable | None = None, **options: Any) -> Any:
    """Decorator: compiled code that other compiled code calls and nobody else.

    It has no ways in from Python, which take a sixth of the time of the compiler, and is stored with what calls it.
    `options` are further ones of ``numba.njit``.
    """
    if function is None:
        return partial(inner, **options)
    from numba import njit  # cross mapping takes its small jobs without it

    without: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(nogil=True, error_model="numpy", **without, **options)(function)


def by_numpy(kernel: Any) -> Callable:
    """Decorator: what numpy does at once in Python, instead of the text of a numba function with a loop."""

    def keep(text: Callable) -> Any:
        _by_numpy[kernel] = text
        return kernel

    return keep


def run(kernel: Any, n_steps: int, *args: Any, what: str = "drought events") -> Any:
    """Call a numba function, or, for a small job while it is not compiled, the same text in Python.

    Both give the same to the last bit. `n_steps` is how many days of series the job takes; what Python has taken before
    counts too, so that many small jobs are compiled like a large one.
    """
    return choose(kernel, n_steps, args, what)(*args)


def choose_once(kernel: Any, n_steps: int, what: str = "drought events") -> Callable:
    """The same for a job of many calls with arguments of the same types: the first one decides for all."""
    chosen: list[Callable] = []

    def call(*args: Any) -> Any:
        if not chosen:
            chosen.append(choose(kernel, n_steps, args, what))
        return chosen[0](*args)

    return call


def choose(kernel: Any, n_steps: int, args: tuple, what: str) -> Callable:
    """The compiled function or the Python one, see :func:`run`."""
    kinds = kernel, _kind(args)
    if kinds in _compiled_kinds:
        return kernel
    wanted = tuple(kernel.typeof_pyval(arg) for arg in args)  # takes half a millisecond of many arrays
    if wanted in kernel.overloads:
        _compiled_kinds.add(kinds)
        return kernel
    taken = _steps_by_python.get(kernel, 0) + n_steps
    if taken > WORTH_LOADING:
        is_there = is_stored(kernel, lambda types: tuple(types) == wanted)
        if is_there or taken > WORTH_COMPILING:
            if not is_there:
                announce(what)
            return kernel
    _steps_by_python[kernel] = taken
    return np.errstate(all="ignore")(interpreted(kernel))


def _kind(value: Any) -> Any:
    """Values of one kind have one type for numba."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    return (type(value), *map(_kind, value)) if isinstance(value, tuple) else type(value)


@cache
def interpreted(kernel: Any) -> Callable:
    """The Python text of a numba function, with that of all numba functions that it calls."""
    if kernel in _by_numpy:
        return _by_numpy[kernel]
    plain = kernel.py_func
    known = dict(plain.__globals__)
    for name in plain.__code__.co_names:
        called = known.get(name)
        if hasattr(called, "py_func") or (callable(called) and called in _by_numpy):
            known[name] = interpreted(called)
    return types.FunctionType(plain.__code__, known, plain.__name__, plain.__defaults__, plain.__closure__)


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
