"""Small files in the shapes of published products, for the page "Files and formats"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import simulation


def soil(days: pd.DatetimeIndex, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Soil moisture (time, *shape) between 0.05 and 0.45 that remembers a month, with a season."""
    rng = np.random.default_rng(seed)
    values = np.zeros((days.size, *shape))
    for k in range(1, days.size):
        values[k] = 0.97 * values[k - 1] + 0.24 * rng.normal(size=shape)
    season = np.cos(2 * np.pi * days.day_of_year.to_numpy() / 365.25).reshape(-1, *(1 for _ in shape))
    return np.clip(0.25 + 0.04 * season + 0.04 * values, 0.05, 0.45)


def write_all(folder: Path) -> None:
    """Every file that the page reads."""
    days = pd.date_range("2003-01-01", "2005-12-31")
    rng = np.random.default_rng(0)
    lat, lon = np.array([48.75, 48.25, 47.75]), np.array([10.25, 10.75, 11.25, 11.75])
    grid = soil(days, (3, 4), 1).astype("f4")

    def field(values: np.ndarray, name: str, attrs: dict, dims: tuple = ("time", "lat", "lon")) -> xr.Dataset:
        return xr.Dataset({name: (dims, values, attrs)}, dict(zip(dims, (days, lat, lon), strict=True)))

    for year in (2003, 2004, 2005):
        gleam = field(grid, "SMrz", {"units": "m3 m-3", "long_name": "root-zone soil moisture"})
        gleam.sel(time=str(year)).to_netcdf(folder / f"SMrz_{year}_GLEAM_v4.2a.nc", engine="h5netcdf")
    seen = np.where(rng.random(grid.shape) < 0.3, np.nan, grid)
    cci = field(seen, "sm", {"units": "m3 m-3", "long_name": "Volumetric Soil Moisture"})
    cci["flag"] = (("time", "lat", "lon"), np.where(rng.random(grid.shape) < 0.02, 1, 0).astype("i1"))
    cci.to_netcdf(folder / "ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED.nc", engine="h5netcdf")
    smap = field(grid, "sm_rootzone", {"units": "m3 m-3"}, ("time", "y", "x"))
    smap.chunk(time=100).to_zarr(folder / "smap_l4.zarr", zarr_format=3, consolidated=False)
    places = xr.Dataset(
        {"swc": (("location", "time"), 100 * soil(days, (3,), 2).T, {"units": "percent"})},
        {"location": ["North", "Mid", "South"], "time": days, "latitude": ("location", [53.0, 50.0, 47.5])},
    ).assign_coords(longitude=("location", [9.0, 10.0, 11.0]))
    places.to_netcdf(folder / "locations.nc", engine="h5netcdf")
    ismn(folder / "ismn", days)
    towers = simulation.simulate(n_sites=2, n_days=730, size=2, seed=1)
    (folder / "fluxnet").mkdir()
    simulation.to_fluxnet_csv(towers, folder / "fluxnet")
    world = simulation.simulate_grid(3, 3, 400, seed=2)
    (folder / "era5_land").mkdir()
    simulation.to_era5(world, folder / "era5_land" / "era5_land_2001.nc", step="day")


def ismn(folder: Path, days: pd.DatetimeIndex) -> None:
    """One station with two depths."""
    folder.mkdir()
    hours = pd.date_range(days[0], days[-1] + pd.Timedelta(hours=23), freq="h")
    for depth, seed in ((0.05, 4), (0.2, 5)):
        values = np.repeat(soil(days, (), seed), 24)
        place = f"NET NET Abc 47.0 11.0 900.0 {depth:.2f} {depth:.2f} Probe"
        rows = [f"{t} {v:.3f} G M" for t, v in zip(hours.strftime("%Y/%m/%d %H:%M"), values, strict=True)]
        name = f"NET_NET_Abc_sm_{depth:.6f}_{depth:.6f}_Probe_{days[0]:%Y%m%d}_{days[-1]:%Y%m%d}.stm"
        (folder / name).write_text("\n".join([place, *rows]) + "\n", encoding="utf-8")
