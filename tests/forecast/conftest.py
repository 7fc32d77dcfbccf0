"""A small world, and a network trained on it, that several files of tests look at."""

from __future__ import annotations

import pytest
import xarray as xr

from tests.support.quick_training import quick
from tests.support.towers import random_sites


@pytest.fixture(scope="session")
def sites() -> xr.Dataset:
    return random_sites(2, 120, 2)


@pytest.fixture(scope="session")
def causal(sites):
    """Two runs of the full network on patches of 2 x 2."""
    return quick(sites, "ResAttCauRec", runs=2)
