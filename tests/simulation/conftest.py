"""The simulated world that several files of tests look at."""

from __future__ import annotations

import pytest
import xarray as xr

from xdrought.simulation import twin


@pytest.fixture(scope="session")
def world() -> xr.Dataset:
    """Four years of four sites."""
    return twin.simulate(4, 1461, size=4, seed=3)
