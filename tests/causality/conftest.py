"""Records that several files of tests look at."""

from __future__ import annotations

import pandas as pd
import pytest
import xarray as xr

from tests.support.driven_soil import DAYS, DRIVERS, world
from xdrought.causality import driver_gain


@pytest.fixture(scope="session")
def de_hai(data_dir) -> xr.Dataset:
    """1,660 days of FLUXNET2015 DE-Hai from 2000-01-01."""
    path = data_dir / "fluxnet2015" / "FLX_DE-Hai_FLUXNET2015_SUBSET_DD_2000-2012_1-4.csv"
    names = ["TA_F", "SW_IN_F", "VPD_F", "PA_F", "P_F", "WS_F", "SWC_F_MDS_1"]
    table = pd.read_csv(path, usecols=["TIMESTAMP", *names], nrows=1660)
    table.index = pd.DatetimeIndex(pd.to_datetime(table.pop("TIMESTAMP").astype(str)), name="time")
    return table.to_xarray()


@pytest.fixture(scope="session")
def small() -> tuple[xr.Dataset, xr.Dataset]:
    """Three sites, and the gain of each of their drivers."""
    ds = world(3, DAYS, seed=1)
    return ds, driver_gain(ds[DRIVERS], ds["soil"])
