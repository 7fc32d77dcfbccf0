"""Cross mapping and gains: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    crossed,
    cured,
    example,
    gains,
    hourly,
    of_patches,
    one_dimension_more,
    quiet,
    relations,
    same,
    value,
)

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    *(
        Cure(
            "leave them out or use engine=",
            partial(crossed, drivers(), engine=engine, library_size=[30, 60]),
            lambda m: crossed(drivers(), engine=value(m, "engine"), library_size=[30, 60], library_samples=1),
        )
        for engine in ("torch", "knn")[:1]
    ),
    Cure(
        "the change from one day to the next is predicted: use .resample",
        lambda: gains(hourly(drivers()), hourly(soil())),
        lambda m: gains(cured(m, hourly(drivers())), cured(m, hourly(soil())).assign_attrs(soil().attrs), lags=1),
    ),
    Cure(
        "the gain is of drivers, given all the others: use direction=",
        lambda: xd.causality_degree(drivers(), soil(), train=given.train(), method="driver_gain", direction="both"),
        lambda m: xd.causality_degree(
            drivers(), soil(), train=given.train(), method="driver_gain", direction=value(m, "direction")
        ),
    ),
    Cure(
        "each needs a name of its own: use .rename(...) or a dict",
        lambda: crossed([drivers().tp, drivers().tp]),
        lambda m: [
            crossed([drivers().tp, drivers().tp.rename("rain")]),
            crossed({"a": drivers().tp, "b": drivers().tp}),
        ],
    ),
    Cure(
        "cross mapping needs numbers: use .astype(float)",
        lambda: crossed(drivers().tp > 0),
        lambda m: crossed(cured(m, drivers().tp > 0)),
    ),
    Cure(
        "already looks back in time",
        lambda: crossed(drivers(), tau=-1),
        lambda m: crossed(drivers(), tau=value(m, "tau")),
    ),
    Cure(
        "assign dates or pass deseasonalize=False",
        lambda: crossed(drivers().drop_vars("time"), soil().drop_vars("time"), surrogates=2),
        lambda m: crossed(
            drivers().drop_vars("time"), soil().drop_vars("time"), surrogates=2, deseasonalize=value(m, "deseasonalize")
        ),
    ),
    Cure(
        "look at da.notnull().sum() of both on the same days",
        lambda: crossed((drivers().tp * 0).isel(site=0), soil().isel(site=0)),
        lambda m: drivers().tp.notnull().sum() > 0,
    ),
    Cure(
        "look at da.notnull().sum() of both on the same days",
        lambda: gains(drivers().where(drivers().time < given.DAYS[280]), soil().where(soil().time >= given.DAYS[280])),
        lambda m: drivers().tp.notnull().sum() > 0,
    ),
    Cure(
        "but fdr=None adjusts nothing; give fdr=",
        lambda: relations(fdr_dim="site"),
        lambda m: relations(fdr_dim="site", fdr=value(m, "fdr")),
    ),
    Cure(
        "pass where=soil_temperature > 0 (degC)",
        lambda: gains(drivers().assign(stl1=freezing())),
        lambda m: gains(drivers().assign(stl1=freezing()), where=freezing() > 0),
    ),
    Cure(
        "one pair of series is needed",
        lambda: xd.convergence_null(drivers().tp, soil(), library_size=[50], surrogates=3, surrogate_kind="phase"),
        lambda m: xd.convergence_null(
            cured(m.replace("...", "site=0"), drivers().tp).fillna(0),
            cured(m.replace("...", "site=0"), soil()),
            library_size=[50],
            surrogates=3,
            surrogate_kind="phase",
        ),
    ),
    Cure(
        "which the result needs; rename them",
        lambda: crossed(drivers().rename(site="direction"), soil().rename(site="direction")),
        lambda m: crossed(drivers().rename(site="place"), soil().rename(site="place")),
    ),
    Cure(
        "which the result needs; rename them",
        lambda: gains(drivers().rename(site="variable"), soil().rename(site="variable")),
        lambda m: gains(drivers().rename(site="place"), soil().rename(site="place")),
    ),
    Cure(
        "steps are too few for lags=5; give years of daily values",
        lambda: gains(drivers().isel(time=slice(0, 6)), soil().isel(time=slice(0, 6))),
        lambda m: gains(),
    ),
    Cure(
        'groups is a list; give a dict, e.g. {"temperature": ["t2m", "mx2t"]}',
        lambda: gains(groups=["t2m"]),
        lambda m: gains(drivers().assign(mx2t=(drivers().t2m + soil()).assign_attrs(units="K")), groups=example(m)),
    ),
    Cure(
        "are called as drivers that are not in them; use another name",
        lambda: gains(groups={"tp": ["t2m"]}),
        lambda m: gains(groups={"warmth": ["t2m"]}),
    ),
    Cure(
        "a driver belongs to one group only",
        lambda: gains(groups={"a": ["t2m"], "b": ["t2m", "tp"]}),
        lambda m: gains(groups={"a": ["t2m"], "b": ["tp"]}),
    ),
    Cure(
        "and every method calls them its causes; leave them out of the drivers",
        lambda: gains(drivers().assign(swvl1=soil().assign_attrs(soil().attrs))),
        lambda m: gains(drivers()),
    ),
    Cure(
        "method='wish' is unknown; choose one of",
        lambda: xd.causality_degree(drivers(), soil(), train=given.train(), method="wish"),
        lambda m: [
            xd.causality_degree(drivers(), soil(), train=given.train(), method=one)
            for one in ("ccm", "driver_gain", xd.ccm)
            if not isinstance(one, str) or repr(one) in m
        ],
    ),
    Cure("no cause was given; give at least one variable", lambda: crossed([]), lambda m: crossed([drivers().tp])),
    *(
        Cure(
            "are needed. Give a longer record or a smaller embedding",
            lambda: crossed(drivers().isel(time=slice(0, 8)), soil().isel(time=slice(0, 8)), embedding_dim=5),
            right,
        )
        for right in (
            lambda m: crossed(drivers(), embedding_dim=5),
            lambda m: crossed(drivers().isel(time=slice(0, 8)), soil().isel(time=slice(0, 8)), embedding_dim=2),
        )
    ),
    Cure(
        "a mask is boolean, True on the days to use",
        lambda: crossed(drivers(), where=soil().time.dt.month),
        lambda m: crossed(drivers(), where=soil().time.dt.month == 7),
    ),
    Cure(
        "which no series has; choose along them first",
        lambda: crossed(drivers(), where=one_dimension_more(given.summer())),
        lambda m: crossed(drivers(), where=one_dimension_more(given.summer()).isel(member=0, drop=True)),
    ),
    Cure(
        'exclusion_radius=-1; give a number of steps (0 or more) or "auto"',
        lambda: crossed(drivers(), exclusion_radius=-1),
        lambda m: [crossed(drivers(), exclusion_radius=one) for one in (0, 3, "auto")],
    ),
    Cure(
        "has repeated lags; give each once",
        lambda: crossed(drivers(), lag=[0, 0, 1]),
        lambda m: crossed(drivers(), lag=[0, 1]),
    ),
    Cure(
        "the cause is a int; give a DataArray, a Dataset, a list or a dict of them",
        lambda: crossed(3),
        lambda m: [
            crossed(one) for one in (drivers().tp, drivers(), [drivers().tp, drivers().t2m], {"rain": drivers().tp})
        ],
    ),
    Cure(
        "Name them by lat=, lon=",
        lambda: rings(given.field().rename(lat="y", lon="x")),
        lambda m: rings(given.field().rename(lat="y", lon="x"), lat="y", lon="x"),
    ),
    Cure(
        "rings need a regular grid: use .interp or .reindex",
        lambda: rings(given.field().drop_isel(lat=5)),
        lambda m: rings(given.field().drop_isel(lat=5).interp(lat=given.field().lat)),
    ),
    Cure(
        "the library holds all of these, as `library_days` counts",
        lambda: crossed(drivers(), library_size=[30, 560], library_samples=1),
        lambda m: crossed(drivers(), library_size=[30, 500], library_samples=1),
    ),
    *(
        Cure(
            "name both, patch_dims=('patch_lat', ...), or choose along it, .isel(patch_lat=0)",
            lambda: crossed_patches(of_patches().rename(patch_lon="x").drop_vars("cell_lon")),
            right,
        )
        for right in (
            lambda m: same(
                crossed_patches(
                    of_patches().rename(patch_lon="x").drop_vars("cell_lon"),
                    patch_dims=eval(re.search(r"patch_dims=(\(.*?\))", m)[1].replace("...", "'x'")),
                ),
                crossed_patches(of_patches().drop_vars("cell_lon")),
            ),
            lambda m: crossed_patches(cured(m, of_patches().rename(patch_lon="x").isel(x=0)), patch_dims=("x", "y")),
        )
    ),
    *(
        Cure(
            "hide each other: leave some out, or test them together with groups=",
            lambda: gains(with_a_twin()),
            lambda m, right=right: quiet(right, "hide each other"),
        )
        for right in (
            lambda: same(gains(with_a_twin()[["tp", "t2m"]]), gains()),
            lambda: gains(with_a_twin(), groups={"rain": ["tp", "twin"], "t2m": ["t2m"]}),
        )
    ),
    *(
        Cure(
            words,
            lambda labels=labels: crossed(numbered(labels), numbered(labels)),
            lambda m, labels=labels, steps=steps: crossed_in_steps(cured(m, numbered(labels)), steps),
        )
        for words, labels, steps in (
            ("insert the missing ones as NaN, da.reindex(", np.delete(np.arange(60), 30), 60),
            ("insert the missing ones as NaN, da.reindex(", np.delete(0.1 * np.arange(60), 30), 60),
            ("keep one of each, da.drop_duplicates(", np.r_[np.arange(60), 59], 60),
            ("sort them, da.sortby(", np.r_[np.arange(30, 60), np.arange(30)], 60),
            ("interpolate, da.interp(", np.r_[np.arange(30), 30.5, np.arange(32, 60)], 60),
        )
    ),
]


def freezing() -> xr.DataArray:
    """Soil that is frozen for a third of the time."""
    return (given.frost() - 8).assign_attrs(units="degC")


def rings(field: xr.Dataset, **names: str) -> xr.Dataset:
    """Cross mapping in space."""
    return xd.gccm(field[["rain"]], field["soil"], library_size=6, library_samples=3, **names)


def crossed_patches(ds: xr.Dataset, **options: Any) -> xr.Dataset:
    return xd.causality_degree(ds[["tp"]], soil(), train=given.train(), **options)


def with_a_twin() -> xr.Dataset:
    """Drivers of which one says what another says."""
    noise = np.random.default_rng(0).standard_normal(drivers().tp.shape)
    return drivers().assign(twin=(2 * drivers().tp + 0.05 * noise).assign_attrs(units="mm"))


def numbered(labels: np.ndarray) -> xr.DataArray:
    return xr.DataArray(np.sin(0.7 * labels), {"time": labels}, "time", "wave")


def crossed_in_steps(da: xr.DataArray, steps: int) -> xr.Dataset:
    assert da.sizes["time"] == steps
    assert int(da.isnull().sum()) < 2
    return crossed(da, da)
