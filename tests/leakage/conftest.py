"""The towers that every test of the audit looks at."""

from __future__ import annotations

import pytest
import torch
import xarray as xr

from tests.support.audited import eight_towers


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def ds() -> xr.Dataset:
    return eight_towers()
