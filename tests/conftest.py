"""Fixtures that every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import xarray as xr

from xdrought.provenance import without_record

# The same examples in every run, so that a failure belongs to the change; `--hypothesis-profile=random` draws others.
hypothesis.settings.register_profile("default", deadline=None, max_examples=100, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None, max_examples=100, derandomize=False)
hypothesis.settings.load_profile("default")

_strictly_identical = xr.testing.assert_identical


def _identical_but_for_the_record(a, b, *args, **kwargs):
    """What is computed in two ways is compared without the record of how; records have tests of their own."""
    __tracebackhide__ = True
    if isinstance(a, xr.DataArray | xr.Dataset) and isinstance(b, xr.DataArray | xr.Dataset):
        a, b = without_record(a), without_record(b)
    _strictly_identical(a, b, *args, **kwargs)


# Dask and numpy, a monitor and the batch, another order of the same cells: all are the same result of other inputs.
xr.testing.assert_identical = _identical_but_for_the_record


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data, or a skip with the reason."""
    folder = os.environ.get("XDROUGHT_DATA_DIR")
    if not folder:
        pytest.skip("XDROUGHT_DATA_DIR is not set: no real data folder to read")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"XDROUGHT_DATA_DIR={folder} is not a folder")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what takes long to make go first: a process that runs out of work takes others from the end."""
    made = ("quick_report", "client")
    items.sort(key=lambda item: not any(name in getattr(item, "fixturenames", ()) for name in made))
