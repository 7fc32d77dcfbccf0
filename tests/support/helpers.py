"""Small assertions shared by the tests; `tests/package/test_helpers.py` shows that each can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dask
import numpy as np
import pandas as pd
import xarray as xr


@contextmanager
def raise_if_dask_computes() -> Iterator[None]:
    """Fail when anything inside computes a dask graph."""

    def forbid(dsk, keys, **kwargs):
        raise AssertionError("a dask graph was computed where everything must stay lazy")

    with dask.config.set(scheduler=forbid):
        yield


@contextmanager
def unchanged(*objects: xr.DataArray | xr.Dataset) -> Iterator[None]:
    """Fail when any of the labelled objects differs afterwards (values, coords, attrs)."""
    before = [obj.copy(deep=True) for obj in objects]
    yield
    for old, new in zip(before, objects, strict=True):
        xr.testing.assert_identical(old, new)


def follow(cure: str, **names: object) -> dict[str, object]:
    """Do literally what an error says: run its line of code on the given names; the names as they are afterwards."""
    known = dict(names)
    exec(cure.rstrip(" ;.").split(" # ")[0], {"xarray": xr, "pandas": pd, "numpy": np}, known)
    return known


def from_python(kernel: Callable) -> Callable:
    """A way in from Python to compiled code that only other compiled code calls."""
    from numba import njit

    return njit(lambda *args: kernel(*args))
