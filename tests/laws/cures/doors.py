"""Dates, periods, thresholds, classes and places as people have them: what is refused, and its messages followed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import Cure, alarmed, cured, example, ranked, same, scored, value
from tests.support.cures import follow
from xdrought import bulletin, data, plot, study

soil, events = given.soil, given.events


def of_dates(index: pd.Index) -> xr.DataArray:
    """The record of one site on other labels for its days."""
    series = soil().isel(site=0, drop=True)
    return series.assign_coords(time=xr.DataArray(index, dims="time"))


def in_zone(zone: str) -> pd.DatetimeIndex:
    return given.DAYS.tz_localize(zone)


def station(flag: str = "G", step: str = "h", **options: Any) -> xr.Dataset:
    """Two days of a station of the ISMN."""
    stamps = pd.date_range("2001-05-01", "2001-05-02 23:00", freq=step).strftime("%Y/%m/%d %H:%M")
    with tempfile.TemporaryDirectory() as folder:
        name = "NET_NET_Abc_sm_0.050000_0.050000_Probe_20010501_20010502.stm"
        lines = ["NET NET Abc 47.0 11.0 900.0 0.05 0.05 Probe", *(f"{t} 0.2 {flag} M" for t in stamps)]
        (Path(folder) / name).write_text("\n".join(lines) + "\n")
        return data.open_ismn(folder, **options).load()


def has_days(ds: xr.Dataset) -> xr.Dataset:
    assert bool(ds.soil_moisture.notnull().all())
    return ds


def on_lons(first: float, n: int = 3) -> xr.DataArray:
    """The record of some sites as cells of a row from some longitude on."""
    row = soil()[:n].drop_vars(["lat", "lon"]).rename(site="lon")
    return row.assign_coords(lon=first + np.arange(n, dtype=float))


CURES = [
    *(
        Cure(
            words,
            lambda index=index: ranked(of_dates(index)),
            lambda m, index=index: same(ranked(cured(m, of_dates(index))), ranked(soil().isel(site=0, drop=True))),
        )
        for words, index in {
            "make them such, .assign_coords(": pd.Index(given.DAYS.date),
            "take the first moment of each, .assign_coords(": given.DAYS.to_period("D"),
            "days are those of one clock, so keep what it shows": in_zone("Europe/Berlin"),
            "zone with summer time have in UTC; name the days alone": in_zone("Europe/Berlin").tz_convert(None),
        }.items()
    ),
    Cure(
        "holds no day of the record, which goes from",
        lambda: xd.causality_degree(given.drivers(), soil(), train=(1990, 1995)),
        lambda m: same(
            xd.causality_degree(given.drivers(), soil(), train=2001),
            xd.causality_degree(given.drivers(), soil(), train=("2001-01-01", "2001-12-31")),
        ),
    ),
    Cure(
        "give a period, e.g. train=(2001, 2015), or a mask of days",
        lambda: xd.climatology_forecast(soil(), given.forecast(), train=2.5),
        lambda m: xd.climatology_forecast(soil(), given.forecast(), train=value(m, "train")),
    ),
    Cure(
        "are outside 0 to 1, e.g. 20; give probabilities",
        lambda: xd.false_discovery_control(xr.DataArray([1.0, 20.0], dims="x")),
        lambda m: xd.false_discovery_control(xr.DataArray([0.01, 0.2], dims="x")),
    ),
    Cure(
        "is no number; give e.g. lower=20",
        lambda: xd.flash_drought_events(soil(), lower="20"),
        lambda m: same(xd.flash_drought_events(soil(), lower=value(m, "lower")), events()),
    ),
    Cure(
        "are shares, and percentiles go from 0 to 100; give lower=20, upper=40",
        lambda: xd.flash_drought_events(soil(), lower=0.2, upper=0.4),
        lambda m: same(xd.flash_drought_events(soil(), lower=value(m, "lower"), upper=value(m, "upper")), events()),
    ),
    Cure(
        "are shares, and percentiles go from 0 to 100; give thresholds=[30.0, 20.0, 10.0, 5.0, 2.0]",
        lambda: bulletin.drought_categories(given.percentile(), thresholds=(0.3, 0.2, 0.1, 0.05, 0.02)),
        lambda m: same(
            bulletin.drought_categories(given.percentile(), thresholds=value(m, "thresholds")),
            bulletin.drought_categories(given.percentile()),
        ),
    ),
    Cure(
        "which the observation lacks (it has",
        lambda: xd.class_scores(bulletin.drought_categories(given.percentile()[:, :200]), given.classes()),
        lambda m: xd.class_scores(
            bulletin.drought_categories(given.percentile()[:, :200]), given.classes(), classes=value(m, "classes")
        ),
    ),
    Cure(
        "make dates of them, events = events.assign(start_time=",
        lambda: xd.match_events(with_texts(), events()),
        lambda m: same(
            xd.match_events(with_dates(m), events()).hits_pooled, xd.match_events(events(), events()).hits_pooled
        ),
    ),
    *(
        Cure(
            words,
            lambda first=first, second=second: ranked(on_lons(first), reference=on_lons(second)),
            lambda m, first=first, second=second: same(
                ranked(on_lons(first), reference=follow(m, da=on_lons(second), record=on_lons(first))["da"]),
                ranked(on_lons(first)),
            ),
        )
        for words, first, second in (
            ("these are longitudes a turn apart; bring them to those of the record", -10.0, 350.0),
            ("these are longitudes a turn apart; bring them to those of the record", 350.0, -10.0),
            ("as rounding leaves it; take the record's", 0.1, 0.1 + 1e-7),
        )
    ),
    *(
        Cure(
            words,
            lambda kind=kind: plot.plot_map(given.grid_weather().t2m.isel(time=0).astype(kind)),
            lambda m, kind=kind: plot.plot_map(cured(m, given.grid_weather().t2m.isel(time=0).astype(kind))),
        )
        for words, kind in {
            "make numbers of it, da = da / numpy.timedelta64(1, 'D')": "timedelta64[s]",
            "make numbers of it, e.g. da = da.dt.dayofyear": "datetime64[s]",
            "make numbers of it, da = da.astype(float)": "U5",
        }.items()
    ),
    *(
        Cure(
            "give the lengths of the records in years, above 0",
            lambda call=call: call(events(), years=0),
            lambda m, call=call: call(events(), years=example(m, record=soil())),
        )
        for call in (xd.flash_frequency, lambda table, **years: xd.match_events(table, table, **years))
    ),
    *(
        Cure(
            "it is a number of days, 0 or more",
            lambda call=call: call("15D"),
            lambda m, call=call: same(call(pd.Timedelta("15D")), call(15)),
        )
        for call in (
            lambda days: xd.match_events(events(), events(), tolerance=days).hits,
            lambda days: study.onset_coincidence(events(), soil(), tolerance=days, min_years=2, n_boot=2).rate,
        )
    ),
    Cure(
        "goes back to hours at which nothing was observed; give whole days, e.g. lead=7",
        lambda: scored(half_a_day(), lead=None),
        lambda m: same(
            scored(half_a_day(), lead=value(m, "lead")).rmse.reset_coords(drop=True),
            scored(given.forecast(), lead=7).rmse.reset_coords(drop=True),
        ),
    ),
    Cure(
        "it is a probability, 0 to 1, e.g. threshold=0.2",
        lambda: alarmed(threshold=20),
        lambda m: alarmed(threshold=value(m, "threshold")),
    ),
    Cure(
        "give how many a year, 0 or more, e.g. false_alarms=2",
        lambda: alarmed(false_alarms=-1),
        lambda m: alarmed(false_alarms=value(m, "false_alarms")),
    ),
    Cure(
        "if lat and lon are each other's, use .rename(",
        lambda: plot.plot_map(turned_map()),
        lambda m: plot.plot_map(cured(m, turned_map())),
    ),
    Cure(
        "is no step of the shares, which go from",
        lambda: bulletin.region_table(shares_of_regions(), "2099-01-01"),
        lambda m: bulletin.region_table(shares_of_regions(), value(m, "day")),
    ),
    Cure(
        "name those that are good, flags=['G', 'D01']",
        lambda: station("D01"),
        lambda m: has_days(station("D01", flags=value(m, "flags"))),
    ),
    Cure(
        "no day has more than 4 accepted hours, of 18; ask for less, min_hours=4",
        lambda: station(step="6h"),
        lambda m: has_days(station(step="6h", min_hours=value(m, "min_hours"))),
    ),
]


def with_texts() -> xr.Dataset:
    """Events as they come back from a csv table."""
    return events().assign(start_time=("event", events().start_time.dt.strftime("%Y-%m-%d").values))


def with_dates(message: str) -> xr.Dataset:
    call = message[message.index("events.assign(") :].split("\n")[0]
    return eval(call, {"events": with_texts(), "pandas": pd})


def half_a_day() -> xr.DataArray:
    """A forecast seven days and a half ahead of its days."""
    return given.forecast().assign_coords(lead_time=((), 7.5, {"units": "days"}))


def turned_map() -> xr.DataArray:
    """A map of which latitude and longitude have each other's names."""
    coords = {"lat": [100.0, 101.0], "lon": [10.0, 11.0]}
    return xr.DataArray([[1.0, 2.0], [3.0, 4.0]], coords, ("lat", "lon"), "rate")


def shares_of_regions() -> xr.Dataset:
    return bulletin.region_shares(given.classes(), given.regions())
