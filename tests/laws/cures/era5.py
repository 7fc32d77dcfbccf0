"""Reanalyses and forecasts read from files: what is refused, and its messages followed literally."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tests.laws import inputs as given
from tests.laws.cures.tools import Cure, same
from xdrought import data
from xdrought.data import era5
from xdrought.data.era5.opening import _of_path

# Which members and steps of one run are in which file, so that no two can be joined.
WHEEL = [([0, 1], [0]), ([2], [0, 1]), ([1, 2], [2]), ([0], [1, 2]), ([1], [1])]
DAYS = pd.DatetimeIndex(["2020-05-01", "2020-05-08"]).as_unit("ns")

CURES = [
    Cure(
        "name it with lat=...",
        lambda: daily(given.grid_weather().rename(lat="y")),
        lambda m: same(daily(given.grid_weather().rename(lat="y"), lat="y"), daily(given.grid_weather())),
    ),
    Cure(
        "in parts of different steps, first 2003-05-02; leave them out of one of the parts",
        lambda: daily([hours("2003-05-01", 12, "3h"), hours("2003-05-02 12:00", 60)], min_hours=6),
        lambda m: whole(daily([hours("2003-05-01", 8, "3h"), hours("2003-05-02 12:00", 60)], min_hours=6), 4),
    ),
    Cure(
        "no time is in both; add what is missing",
        lambda: humid([days("d2m", 2004), days("t2m", 2003)]),
        lambda m: whole(humid([days("d2m", 2004), days("t2m", 2003), days("d2m", 2003)]), 4),
    ),
    Cure(
        "is not encrypted and could be changed on its way; give an https address",
        lambda: era5.open_era5("http://x/era5.zarr"),
        lambda m: [one for one in _of_path("https://x/era5.zarr") if one.startswith("https://")][0],
    ),
    Cure(
        "in more than one input; give each time once",
        lambda: daily([runs(2), runs(2, 1, rain=2.0)], drivers=["tp"]),
        lambda m: whole(daily([runs(2), runs(2, 2, rain=2.0)], drivers=["tp"]), 3),
    ),
    *(
        Cure("select or regrid them to the same cells", lambda: both(northern()), lambda m, cells=cells: both(cells()))
        for cells in (
            lambda: given.grid_weather().t2m.isel(lat=slice(0, 6)),
            lambda: northern().interp(lat=given.grid_weather().lat[:6]).assign_attrs(units="K"),
        )
    ),
    Cure(
        "min_hours=30; expected over 0, up to 24, or None for all",
        lambda: daily(hours("2003-05-01", 48), min_hours=30),
        lambda m: [whole(daily(hours("2003-05-01", 48), min_hours=one), 2) for one in (1, 24, None)],
    ),
    Cure(
        "utc_offset=20; expected hours from UTC, -12 to 14",
        lambda: daily(hours("2003-05-01", 48), utc_offset=20),
        lambda m: [whole(daily(hours("2003-05-01", 48), utc_offset=one), 1) for one in (-12, 14)],
    ),
    Cure(
        "add the steps that lack",
        lambda: read(issued().drop_isel(step=9)),
        lambda m: same(read([issued().drop_isel(step=9), issued().isel(step=[9])]), read(issued())),
    ),
    Cure(
        "have members and some have none; give each its number",
        lambda: read([issued().isel(step=slice(8)), issued().isel(step=slice(8, None), number=0, drop=True)]),
        lambda m: read(
            [
                issued().isel(step=slice(8), number=[0]),
                issued().isel(step=slice(8, None), number=0, drop=True).expand_dims(number=[0], axis=1),
            ]
        ),
    ),
    *(
        Cure(
            "cannot be put side by side; give whole runs, or whole steps, in each",
            lambda: read([issued().isel(number=m, step=s) for m, s in WHEEL]),
            lambda m, dim=dim: same(
                read([issued().isel({dim: slice(2)}), issued().isel({dim: slice(2, None)})]), read(issued())
            ),
        )
        for dim in ("number", "step")
    ),
    Cure(
        "3 whole lead days, 4 are asked for; add later steps",
        lambda: read(issued(), leads=4),
        lambda m: read(issued(days=5), leads=4),
    ),
    Cure(
        "the members [0, 1], 3 are asked for; add those that lack",
        lambda: read(issued().isel(number=slice(2)), members=3),
        lambda m: read([issued().isel(number=slice(2)), issued().isel(number=[2])], members=3),
    ),
    Cure("source holds ['int']; give paths, or Datasets", lambda: read([3]), lambda m: read([issued()])),
    Cure(
        "or a time that divides the day, e.g. ",
        lambda: read(totals(), accumulation="5h"),
        lambda m: [read(totals(), accumulation=one) for one in ("since_start", "step", "6h")],
    ),
    Cure(
        "steps 6 h apart; give every 3 h",
        lambda: read(totals(), accumulation="3h"),
        lambda m: read(totals(step=3), accumulation="3h"),
    ),
]


def daily(ds: Any, drivers: Any = ("t2m",), **options: Any) -> xr.Dataset:
    return era5.daily_drivers(ds, drivers=list(drivers), **options)


def whole(made: xr.Dataset, n_days: int) -> xr.Dataset:
    """Daily drivers of so many days, where each has a value."""
    assert made.to_dataarray().notnull().all(["variable", "lat", "lon"]).sum() == n_days, made.time
    return made


def humid(parts: list[xr.Dataset]) -> xr.Dataset:
    return daily(parts, ["r"])


def warmth_at(time: Any, name: str = "t2m") -> xr.Dataset:
    """The same warmth in all cells."""
    coords = {"time": time, "lat": [48.0, 47.0], "lon": [7.0, 8.0]}
    return xr.Dataset({name: (tuple(coords), np.full((len(time), 2, 2), 280.0), {"units": "K"})}, coords)


def hours(start: str, n: int, freq: str = "h") -> xr.Dataset:
    return warmth_at(pd.date_range(start, periods=n, freq=freq))


def days(name: str, year: int) -> xr.Dataset:
    return warmth_at(pd.date_range(f"{year}-05-01", periods=4), name)


def northern() -> xr.DataArray:
    """Warmth in cells that lie between those of the rain."""
    warmth = given.grid_weather().t2m.isel(lat=slice(0, 7))
    return warmth.assign_coords(lat=warmth.lat + 0.25)


def both(warmth: xr.DataArray) -> xr.Dataset:
    rain = given.grid_weather()[["tp"]].isel(lat=slice(0, 6))
    return daily([rain, warmth.to_dataset()], ["tp", "t2m"])


def runs(n: int, first: int = 0, rain: float = 1.0) -> xr.Dataset:
    """Hourly rain of short forecasts that begin at 06 and 18 UTC, on (time, step)."""
    starts = pd.date_range("2003-05-01 06:00", periods=2 * n, freq="12h") + pd.Timedelta(days=first)
    coords = {"time": starts, "step": pd.to_timedelta(np.arange(1, 13), "h"), "lat": [1.0, 0.0], "lon": [0.0, 1.0]}
    return xr.Dataset({"tp": (tuple(coords), np.full((2 * n, 12, 2, 2), rain / 1000), {"units": "m"})}, coords)


def issued(days: int = 4) -> xr.Dataset:
    """Warmth of two runs of three members, every six hours."""
    steps = pd.to_timedelta(range(0, 24 * days + 1, 6), "h")
    coords = {"time": DAYS, "number": [0, 1, 2], "step": steps, "lat": [48.0, 47.0], "lon": [7.0, 8.0]}
    values = np.random.default_rng(0).random([len(one) for one in coords.values()])
    return xr.Dataset({"t2m": (tuple(coords), 280 + values, {"units": "K"})}, coords)


def totals(step: int = 6) -> xr.Dataset:
    """Rain since the start of two runs, a millimetre in each step."""
    steps = pd.to_timedelta(range(step, 97, step), "h")
    coords = {"time": DAYS, "step": steps, "lat": [48.0, 47.0], "lon": [7.0, 8.0]}
    values = np.broadcast_to(np.arange(1.0, len(steps) + 1)[:, None, None], (2, len(steps), 2, 2))
    return xr.Dataset({"tp": (tuple(coords), values.copy(), {"units": "mm"})}, coords)


def read(source: Any, **options: Any) -> xr.Dataset:
    first = source[0] if isinstance(source, list) else source
    name = "tp" if isinstance(first, xr.Dataset) and "tp" in first else "t2m"
    found = data.open_forecast(source, [name], **options)
    assert found[name].notnull().all()
    return found
