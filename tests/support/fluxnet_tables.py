"""Small FLUXNET2015 tables and archives, and the reader told where their towers stand."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data import open_fluxnet

NAME = "FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
ZIP = "FLX_XX-Abc_FLUXNET2015_SUBSET_2001-2001_1-4.zip"
PLACES = pd.DataFrame({"site": ["XX-Abc", "XX-Def"], "lat": [47.0, -10.5], "lon": [11.0, 131.0]})


def table(start="2001-01-01", days=365, **columns) -> pd.DataFrame:
    """A small daily FLUXNET2015 table; soil moisture is 20 + a tenth of the day's number."""
    time = pd.date_range(start, periods=days)
    base = {
        "TIMESTAMP": time.strftime("%Y%m%d"),
        "TA_F": 10.0,
        "P_F": 1.5,
        "TS_F_MDS_1": 8.0,
        "SWC_F_MDS_1": 20 + 0.1 * np.arange(days),
        "SWC_F_MDS_1_QC": 1.0,
        "RECO_SR_N": -9999,
    }
    return pd.DataFrame({**base, **columns}, index=range(days))


def write(folder: Path, frame: pd.DataFrame, name: str = NAME) -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def write_zip(folder: Path, members: dict[str, str], name: str = ZIP) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def read(path, **options) -> xr.Dataset:
    return open_fluxnet(path, **{"site_table": PLACES, **options})
