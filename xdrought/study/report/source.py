"""The data of a study: read, screened, with the drivers that they have and the names of what they lack."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from xdrought.data import open_fluxnet, screen_sites
from xdrought.data import twin as simulated
from xdrought.data.era5 import DRIVERS

# What a FLUXNET2015 tower measures of what the paper takes from ERA5.
TOWER_DRIVERS = ("TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature")
PATCH = ("patch_lat", "patch_lon")


@dataclass(frozen=True, eq=False)
class Source:
    """Daily data of sites, ready for the study."""

    name: str
    ds: xr.Dataset
    features: tuple[Hashable, ...]
    sites: pd.DataFrame
    is_simulated: bool = False

    @property
    def size(self) -> int:
        """Cells on a side of the maps around a site, 1 where there are none."""
        return int(self.ds.sizes.get(PATCH[0], 1))

    @property
    def has_maps(self) -> bool:
        return self.size > 1

    @property
    def lacking(self) -> list[str]:
        """Drivers of the paper that are not there."""
        return [name for name in DRIVERS if name not in self.features]


def open_source(data: str | Path | None, target: str = "soil_moisture") -> Source:
    """The twin without `data`; a folder of FLUXNET2015 files; or one netCDF file or zarr store of sites with maps."""
    if data is None:
        return simulated_source()
    path = Path(data)
    if not path.exists():
        raise FileNotFoundError(f"study: there is no {path}; give a folder of FLUXNET2015 files, or a netCDF or zarr")
    if path.is_dir() and path.suffix != ".zarr":
        return _towers(path)
    ds = xr.open_zarr(path) if path.suffix == ".zarr" else xr.open_dataset(path)
    if target not in ds or "site" not in ds.dims:
        raise ValueError(
            f"study: {path} needs {target!r} on (site, time), found {sorted(map(str, ds.data_vars))} on "
            f"{tuple(ds.sizes)}; xdrought.data.collocate.collocate makes such data of a grid and sites"
        )
    kept, report = _screened(ds)
    features = tuple(str(v) for v in kept.data_vars if v != target and "time" in kept[v].dims)
    named = tuple(name for name in DRIVERS if name in features) or features
    return Source(path.name, kept, named, report)


def simulated_source(n_sites: int = 10, n_days: int = 1461, size: int = 6, seed: int = 3) -> Source:
    """The twin, small enough for a laptop."""
    ds = simulated.simulate(n_sites=n_sites, n_days=n_days, size=size, seed=seed)
    _, report = _screened(ds)
    return Source("simulated twin", ds, tuple(simulated.DRIVERS), report, is_simulated=True)


def _towers(folder: Path) -> Source:
    inner = folder / "fluxnet2015"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture are in the report
        kept, report = _screened(open_fluxnet(inner if inner.is_dir() else folder))
    features = tuple(name for name in TOWER_DRIVERS if name in kept)
    return Source(f"FLUXNET2015 towers of {folder.name}", kept, features, report)


def _screened(ds: xr.Dataset) -> tuple[xr.Dataset, pd.DataFrame]:
    kept, report = screen_sites(ds)
    return kept.transpose("site", "time", ...), report
