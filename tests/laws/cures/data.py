"""Readers, sites, collocation and the twin: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    cured,
    hourly,
    one_layer,
    value,
)
from xdrought import data
from xdrought.data import era5
from xdrought.data.era5.days import check_accumulation, forecast_steps
from xdrought.data.fluxnet import _units_of
from xdrought.data.fluxnet_files import find_sources

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events
TWO_FILES = {"tower.csv", "FLX_DE-Hai_FLUXNET2015_SUBSET_DD_2002-2012_1-4.csv"}
DEPTHS = {"top": (0, 0.1), "below": (0.1, 0.4)}

CURES = [
    Cure(
        "where these are centimetres, give metres, layers=",
        lambda: data.root_zone(given.layers(), 30, layers={"top": (0, 10), "below": (10, 40)}),
        lambda m: data.root_zone(given.layers(), 0.3, layers=eval(re.search(r"layers=({.*})", m)[1])),
    ),
    Cure(
        "a mean of what is there is min_share=",
        lambda: data.root_zone(one_layer(), 0.3, layers=DEPTHS),
        lambda m: (
            data.root_zone(one_layer(), 0.3, layers=DEPTHS, min_share=value(m, "min_share")).notnull().any() or None
        ),
    ),
    Cure(
        "is not daily; use .resample",
        lambda: data.quality_report(hourly(weather()), n_simulations=19),
        lambda m: data.quality_report(cured(m, hourly(weather())), n_simulations=19),
    ),
    Cure(
        "give the depths in metres, e.g. layers=",
        lambda: data.soil_profile(weather()),
        lambda m: data.soil_profile(weather(), layers=value(m, "layers")),
    ),
    Cure(
        "name it with target=...; there are",
        lambda: data.screen_sites(weather().rename(soil_moisture="sm")),
        lambda m: data.screen_sites(weather().rename(soil_moisture="sm"), target="sm"),
    ),
    Cure(
        "One site is ds.expand_dims(",
        lambda: data.screen_sites(weather().isel(site=0)),
        lambda m: data.screen_sites(eval(re.search(r"ds\.expand_dims\(.*?\)", m)[0], {"ds": weather().isel(site=0)})),
    ),
    Cure(
        'use record="span"',
        lambda: data.screen_sites(weather(), record="file"),
        lambda m: data.screen_sites(weather(), record=value(m, "record")),
    ),
    Cure(
        "is one text; give a list, stations=[",
        lambda: data.open_uscrn(stations="OK_Stillwater_5_WNW", years=[2020]),
        lambda m: value(m, "stations") if value(m, "stations") == ["OK_Stillwater_5_WNW"] else None,
    ),
    Cure(
        "simulate with size=2 or more",
        lambda: xd.simulation.respond(xd.simulation.simulate(1, 30, size=1)),
        lambda m: xd.simulation.respond(xd.simulation.simulate(1, 30, size=value(m, "size"))),
    ),
    Cure(
        "open the file with decode_timedelta=True, or make them",
        lambda: forecast_steps(issued([1, 2]).tp),
        lambda m: forecast_steps(
            eval(re.search(r"ds\.assign_coords\(.*'h'\)\)", m)[0], {"ds": issued([1, 2]), "pandas": pd}).tp
        ),
    ),
    Cure(
        "as ERA5 has, not at 00:00; use accumulation=",
        lambda: check_accumulation(issued(pd.to_timedelta([1, 2], "h")).tp, "since_midnight"),
        lambda m: check_accumulation(issued(pd.to_timedelta([1, 2], "h")).tp, value(m, "accumulation")) or True,
    ),
    *(
        Cure(
            "if each is of the whole time since the stamp before",
            lambda: era5.daily_drivers(every_three_hours(), drivers=["tp"]),
            right,
        )
        for right in (
            lambda m: era5.daily_drivers(
                every_three_hours(), drivers=["tp"], accumulation=re.search(r'accumulation="(\w+)"', m)[1]
            ),
            lambda m: era5.daily_drivers(every_three_hours(), drivers=["tp"], accumulation="since_midnight"),
        )
    ),
    Cure(
        "Name another one with time=",
        lambda: era5.daily_drivers(given.grid_weather().rename(time="day"), drivers=["t2m"]),
        lambda m: era5.daily_drivers(given.grid_weather().rename(time="day"), drivers=["t2m"], time="day"),
    ),
    Cure(
        "drivers=['wind']; choose from",
        lambda: era5.daily_drivers(given.grid_weather(), drivers=["wind"]),
        lambda m: era5.daily_drivers(given.grid_weather(), drivers=["tp"]),
    ),
    Cure(
        "accumulation='daily'; choose from",
        lambda: era5.daily_drivers(every_three_hours(), drivers=["tp"], accumulation="daily"),
        lambda m: era5.daily_drivers(every_three_hours(), drivers=["tp"], accumulation="step"),
    ),
    Cure(
        "check that the right variable was given, or correct its units attribute",
        lambda: era5.daily_drivers(rain_in("s"), drivers=["tp"]),
        lambda m: era5.daily_drivers(rain_in("mm"), drivers=["tp"]),
    ),
    Cure(
        "the maximum of one value; give hourly t2m or mx2t",
        lambda: era5.daily_drivers(given.grid_weather(), drivers=["mx2t"]),
        lambda m: era5.daily_drivers(every_three_hours(), drivers=["mx2t"], accumulation="step"),
    ),
    Cure(
        "are not known; give them, units=",
        lambda: _units_of("NETRAD_X", {}),
        lambda m: _units_of("NETRAD_X", eval(re.search(r"units=({.*})", m)[1].replace("...", "'W m-2'"))),
    ),
    Cure(
        "give a mapping of file names to site ids",
        lambda: named_sites(TWO_FILES, "AT-Neu"),
        lambda m: named_sites(TWO_FILES, eval(re.search(r"site_id=({.*})", m)[1])),
    ),
    Cure(
        "names look like FLX_AT-Neu_FLUXNET2015_SUBSET_DD",
        lambda: named_sites({"tower.csv"}, None),
        lambda m: named_sites({"tower.csv"}, value(m, "site_id")),
    ),
    Cure(
        "use min_quality=None or leave out site",
        lambda: without_quality(0.5),
        lambda m: without_quality(value(m, "min_quality")),
    ),
    Cure(
        "depth=2; the layers go from 0 to 0.4 m: give a depth above 0 and within these",
        lambda: data.root_zone(given.layers(), 2, layers=DEPTHS),
        lambda m: data.root_zone(given.layers(), 0.4, layers=DEPTHS),
    ),
    Cure(
        "repeat, overlap or are upside down; name those to be used with layers=",
        lambda: data.soil_profile(given.layers(), layers={"top": (0, 0.2), "below": (0.1, 0.4)}),
        lambda m: data.soil_profile(given.layers(), layers=DEPTHS),
    ),
    Cure(
        "min_share=2; it must be above 0 and at most 1",
        lambda: data.root_zone(given.layers(), 0.3, layers=DEPTHS, min_share=2),
        lambda m: data.root_zone(given.layers(), 0.3, layers=DEPTHS, min_share=1),
    ),
    Cure(
        "name it with target=",
        lambda: data.quality_report(weather().rename(soil_moisture="theta"), n_simulations=19),
        lambda m: data.quality_report(weather().rename(soil_moisture="theta"), n_simulations=19, target="theta"),
    ),
    Cure(
        "it is a share, 0.10 is 10 %",
        lambda: data.screen_sites(weather(), max_invalid=10),
        lambda m: data.screen_sites(weather(), max_invalid=float(re.search(r"share, ([\d.]+)", m)[1])),
    ),
    Cure(
        "is there already; choose another path or overwrite=True",
        lambda: twin_written_twice(),
        lambda m: twin_written_twice(overwrite=value(m, "overwrite")),
    ),
    Cure(
        'choose "netcdf" or "zarr", and "day" or "hour"',
        lambda: twin_written_twice(format="csv"),
        lambda m: twin_written_twice(format="netcdf", step="day", overwrite=True),
    ),
    Cure(
        "give a world of twin.simulate",
        lambda: xd.simulation.respond(given.grid_weather()),
        lambda m: xd.simulation.respond(xd.simulation.simulate(1, 30, size=2)),
    ),
    Cure(
        "are not a region of the globe; choose fewer cells or another corner",
        lambda: xd.simulation.simulate_grid(900, 3, 5),
        lambda m: xd.simulation.simulate_grid(2, 3, 5),
    ),
    Cure(
        "asked for by variables=; choose from ['SWC_F_MDS_1', 'TA_F']; did you mean 'TA_F'?",
        lambda: of_a_tower(variables=["TA_FF"], units={"TA_FF": "degC"}),
        lambda m: of_a_tower(variables=[re.search(r"mean '(.*?)'", m)[1]]),
    ),
    Cure(
        "soil_moisture is missing everywhere; choose target= from",
        lambda: of_a_tower(target="SWC_F_MDS_2"),
        lambda m: of_a_tower(target=re.search(r"from \['(.*?)'", m)[1]).soil_moisture.notnull().all() or None,
    ),
    Cure(
        'utc_offset=20; give hours from -12 to 14, or "local"',
        lambda: of_ismn([0.05], utc_offset=20),
        lambda m: [of_ismn([0.05], utc_offset=one) for one in (-12, 14, "local")],
    ),
    Cure(
        "read them apart, as the sites that they are",
        lambda: of_ismn([0.05, 0.2], lon=[11.0, 12.0]),
        lambda m: xr.concat([of_ismn([0.05]), of_ismn([0.2], lon=[12.0]).assign_coords(site=["other"])], "site"),
    ),
    Cure(
        "or the *_DD_*.csv) in <folder>/fluxnet2015/, with a sites.csv",
        lambda: tutorial_of("nothing", n_sites=0),
        lambda m: tutorial_of(re.search(r"<folder>/(\w+)/", m)[1], n_sites=2),
    ),
    *(
        Cure(
            "too; simulate with them, drivers=",
            lambda call=call: call(xd.simulation.simulate(1, 30, size=2, drivers=["t2m", "tp"])),
            lambda m, call=call: call(xd.simulation.simulate(1, 30, size=2, drivers=value(m, "drivers"))),
        )
        for call in (xd.simulation.respond, lambda world: towers_of(world))
    ),
    Cure(
        "too; simulate with them, drivers=",
        lambda: hours_of(drivers=["t2m"]),
        lambda m: hours_of(drivers=value(m, "drivers")),
    ),
    Cure(
        "n_sites=0; expected 1 to",
        lambda: xd.simulation.simulate(0, 30, size=2),
        lambda m: xd.simulation.simulate(1, 30, size=2),
    ),
    Cure(
        "noise=-1; expected a factor of 0 or more",
        lambda: xd.simulation.simulate(1, 30, size=2, noise=-1),
        lambda m: [xd.simulation.simulate(1, 30, size=2, noise=one) for one in (0, 2)],
    ),
    Cure(
        "gap_fraction=1; expected 0 to below 1",
        lambda: towers_of(xd.simulation.simulate(1, 30, size=2), gap_fraction=1),
        lambda m: [towers_of(xd.simulation.simulate(1, 30, size=2), gap_fraction=one) for one in (0, 0.9)],
    ),
    Cure(
        "in words; expected decimal degrees",
        lambda: of_a_tower("47 N"),
        lambda m: of_a_tower(47.1) if of_a_tower(47.1).lat.item() == 47.1 else None,
    ),
    Cure(
        "n_days=0; expected 1 or more",
        lambda: xd.simulation.simulate(1, 0, size=2),
        lambda m: xd.simulation.simulate(1, 1, size=2),
    ),
]


def issued(steps: Any) -> xr.Dataset:
    """Rain of a forecast that begins at 06 UTC."""
    coords = {"step": steps, "time": np.datetime64("2001-01-01T06:00", "ns")}
    return xr.Dataset({"tp": ("step", [0.0, 0.001], {"units": "m"})}, coords)


def every_three_hours() -> xr.Dataset:
    """Four days of warmth and rain, a value every three hours."""
    time = pd.date_range("2001-01-01", periods=33, freq="3h")
    coords = {"time": time, "lat": [47.0, 46.75], "lon": [8.0, 8.25]}
    rain = 0.001 * time.hour.to_numpy()[:, None, None] * np.ones((1, 2, 2))
    names = {"tp": (rain, "m"), "t2m": (np.full((33, 2, 2), 280.0), "K")}
    fields = {name: (tuple(coords), values, {"units": unit}) for name, (values, unit) in names.items()}
    return xr.Dataset(fields, coords)


def rain_in(units: str) -> xr.Dataset:
    rain = given.grid_weather()[["tp"]]
    return rain.assign(tp=rain.tp.assign_attrs(units=units))


def named_sites(names: set[str], site_id: Any) -> Any:
    """The sites of some files by their names."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in sorted(names)]
        for path in paths:
            path.write_text("TIMESTAMP,SWC_F_MDS_1\n20010101,20\n")
        return find_sources(paths, site_id)[0]


def without_quality(min_quality: float | None) -> xr.Dataset:
    """A tower whose file says nothing of the quality of its soil moisture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "FLX_AT-Neu_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
        path.write_text("TIMESTAMP,SWC_F_MDS_1,TA_F\n20010101,20,3\n20010102,21,4\n")
        (Path(folder) / "sites.csv").write_text("site,lat,lon\nAT-Neu,47.1,11.3\n")
        return data.open_fluxnet(path, min_quality=min_quality, site_table=Path(folder) / "sites.csv").load()


def twin_written_twice(**options: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        world = xd.simulation.simulate_grid(2, 3, 5)
        xd.simulation.to_era5(world, Path(folder) / "region.nc")
        return xd.simulation.to_era5(world, Path(folder) / "region.nc", **options)


def of_a_tower(lat: Any = 47.1, **options: Any) -> xr.Dataset:
    """A tower with soil moisture and warmth."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "FLX_AT-Neu_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
        path.write_text("TIMESTAMP,SWC_F_MDS_1,TA_F\n20010101,20,3\n20010102,21,4\n")
        place = pd.DataFrame({"site": ["AT-Neu"], "lat": [lat], "lon": [11.3]})
        return data.open_fluxnet(path, site_table=place, **options).load()


def of_ismn(depths: list[float], lon: list[float] | None = None, **options: Any) -> xr.Dataset:
    """Two days of a station of the ISMN, a file for each depth and place."""
    stamps = pd.date_range("2001-05-01", periods=72, freq="h").strftime("%Y/%m/%d %H:%M")
    with tempfile.TemporaryDirectory() as folder:
        for depth, east in zip(depths, lon or [11.0] * len(depths), strict=True):
            name = f"NET_NET_Abc_sm_{depth:.6f}_{depth:.6f}_Probe_20010501_20010503.stm"
            lines = [f"NET NET Abc 47.0 {east} 900.0 {depth} {depth} Probe", *(f"{t} 0.2 G M" for t in stamps)]
            (Path(folder) / name).write_text("\n".join(lines) + "\n")
        return data.open_ismn(folder, **options).load()


def tutorial_of(name: str, n_sites: int) -> xr.Dataset:
    """The tutorial of FLUXNET files with simulated ones in a folder of some name."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDROUGHT_DATA_DIR", folder)
        if n_sites:
            xd.simulation.to_fluxnet_csv(xd.simulation.simulate(n_sites, 365, size=2), Path(folder) / name)
        found = xd.open_dataset("fluxnet").load()
    assert found.sizes["site"] == n_sites
    return found


def towers_of(world: xr.Dataset, **options: Any) -> list[Path]:
    with tempfile.TemporaryDirectory() as folder:
        return xd.simulation.to_fluxnet_csv(world, folder, **options)


def hours_of(**options: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        world = xd.simulation.simulate_grid(2, 3, 5, **options)
        return xd.simulation.to_era5(world, Path(folder) / "hours.nc", step="hour")
