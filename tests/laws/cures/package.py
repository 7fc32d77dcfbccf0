"""Labels, dates and arguments, which every room checks: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import dask.array
import pandas as pd
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    among,
    crossed,
    cured,
    example,
    made_by,
    quiet,
    ranked,
    same,
    scored,
    value,
    windows,
)
from xdrought import checks, files, scaling, splits
from xdrought.data import era5

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "give days as a whole number, e.g. 7, or pandas.Timedelta",
        lambda: windows(lead="7D"),
        lambda m: [windows(lead=lead) for lead in (7, eval(re.search(r"pandas\.\w+\(.*?\)", m)[0], {"pandas": pd}))],
    ),
    Cure(
        "it must be whole days",
        lambda: windows(lead=pd.Timedelta(hours=36)),
        lambda m: windows(lead=eval(m[m.index("pandas.") :].split("\n")[0], {"pandas": pd})),
    ),
    Cure(
        "Name the time dimension with time=",
        lambda: ranked(soil().rename(time="day")),
        lambda m: ranked(soil().rename(time="day"), time="day"),
    ),
    Cure(
        "choose one by valid time, e.g. xdrought.select_lead(forecast, 7)",
        lambda: xd.drought_classes(given.leads()),
        lambda m: xd.drought_classes(xd.select_lead(given.leads(), 7)),
    ),
    Cure(
        "the reference has units",
        lambda: ranked(soil(), reference=(100 * given.reference()).assign_attrs(units="percent")),
        lambda m: ranked(
            soil(), reference=made_by(m)((100 * given.reference()).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        "give a period, reference=(1991, 2020)",
        lambda: ranked(soil(), reference=[2001]),
        lambda m: ranked(
            soil().assign_coords(time=soil().time + pd.Timedelta(days=7305 // 2)), reference=value(m, "reference")
        ),
    ),
    Cure(
        "is no period of dates; give e.g. (",
        lambda: ranked(soil(), reference=("2001-02-30", "2001-03-02")),
        lambda m: ranked(soil(), reference=example(m)),
    ),
    Cure(
        "a window is 0 or more days or pentads and needs pool=",
        lambda: ranked(soil(), window=5),
        lambda m: [ranked(soil(), window=5, pool=pool) for pool in re.findall(r'pool="(\w+)"', m)[:1]],
    ),
    Cure(
        "which are no time; set what they are",
        lambda: scored(lead_in("bananas"), lead=None),
        lambda m: scored(lead_in(re.search(r'"units"\] = "(\w+)"', m)[1]), lead=None),
    ),
    Cure(
        'use device="cpu"',
        lambda: xd.predict(given.drivers_of_a_month(), given.forecaster(), device="cuda:7"),
        lambda m: [
            xd.predict(given.drivers_of_a_month(), given.forecaster(), device=device)
            for device in (value(m, "device"), "auto")
        ],
    ),
    *(
        Cure(
            "use overwrite=True to replace it, or another path",
            lambda content=content: stored_beside(content),
            partial(lambda content, m: stored_beside(content, overwrite=value(m, "overwrite")) or True, content),
        )
        for content in ("something", "zarr.json")
    ),
    Cure(
        "quantiles=[0.9, 0.1]; give levels between 0 and 1 in growing order, each once, e.g.",
        lambda: checks.require_levels([0.9, 0.1]),
        lambda m: checks.require_levels(example(m)),
    ),
    Cure(
        "it must be a whole number, 1 or more",
        lambda: crossed(drivers(), embedding_dim=0),
        lambda m: crossed(drivers(), embedding_dim=int(re.search(r"(\d) or more", m)[1])),
    ),
    Cure(
        "it must be a share between 0 and 1, e.g. 0.8",
        lambda: xd.drought_complexity(given.shares(), events(), quantile=80),
        lambda m: xd.drought_complexity(given.shares(), events(), quantile=example(m)),
    ),
    Cure(
        "is unknown; choose one of",
        lambda: ranked(soil(), method="best"),
        lambda m: [ranked(soil(), method=one) for one in among(m)],
    ),
    Cure(
        "has no step; check the selection or the file",
        lambda: ranked(soil().isel(time=slice(0, 0))),
        lambda m: ranked(soil().sel(time="2001")),
    ),
    Cure(
        "expected one value a day or a pentad",
        lambda: ranked(soil().isel(time=[0, 10, 31, 50])),
        lambda m: ranked(soil().isel(time=slice(0, 50)).resample(time="5D").mean().assign_attrs(soil().attrs)),
    ),
    Cure(
        "a training mask is boolean, True where it trains",
        lambda: xd.causality_degree(drivers(), soil(), train=1.0 * given.train()),
        lambda m: xd.causality_degree(drivers(), soil(), train=(1.0 * given.train()).astype(bool)),
    ),
    Cure(
        "percentiles are of these days only: give a longer record, or name the period that is there",
        lambda: ranked(soil(), reference=(1991, 2002)),
        lambda m: ranked(soil(), reference=(2001, 2001)),
    ),
    Cure(
        "is always the 50th percentile; give a longer reference, or a wider window=, e.g. window=",
        lambda: ranked(soil(), pool="dayofyear"),
        lambda m: quiet(lambda: ranked(soil(), pool="dayofyear", window=value(m, "window"))),
    ),
    Cure(
        "soil_moisture must be a DataArray, got Dataset; pick a variable, e.g. ds['soil_moisture']",
        lambda: ranked(weather()),
        lambda m: ranked(example(m, ds=weather())),
    ),
    Cure(
        "has no value at all (all is NaN)",
        lambda: ranked(soil().where(False)),
        lambda m: quiet(lambda: ranked(soil())),
    ),
    Cure(
        "fractions=(2, 1, 1); give three shares that add up to 1, the first (training) above 0",
        lambda: splits.chronological(given.summer(), fractions=(2, 1, 1)),
        lambda m: splits.chronological(given.summer(), fractions=(0.5, 0.25, 0.25)),
    ),
    Cure(
        "clusters=-1; give labels, or a distance in km above 0",
        lambda: splits.spatial_monte_carlo(summer_of_places(), clusters=-1),
        lambda m: splits.spatial_monte_carlo(summer_of_places(), clusters=1.0),
    ),
    Cure(
        "km needs the coordinates 'lat' and 'lon'; assign them",
        lambda: splits.spatial_monte_carlo(given.summer(), clusters=10.0),
        lambda m: splits.spatial_monte_carlo(summer_of_places(), clusters=10.0),
    ),
    Cure(
        "clusters lack a label of",
        lambda: splits.spatial_monte_carlo(given.summer(), clusters=labels_of_sites().isel(site=[0, 1])),
        lambda m: splits.spatial_monte_carlo(given.summer(), clusters=labels_of_sites()),
    ),
    Cure(
        "has no finite value in the training part; leave it out or fill it",
        lambda: scaling.fit_scaling(weather().assign(tp=weather().tp.where(False)), train=given.train()),
        lambda m: scaling.fit_scaling(weather().drop_vars("tp"), train=given.train()),
    ),
    Cure(
        "is in use by another run; wait until it has ended, or name another path",
        lambda: stored_at_once("it.zarr"),
        lambda m: stored_at_once("other.zarr") or True,
    ),
    Cure(
        "has chunks of unknown size, as a dask array has that was selected by its values; give it its sizes",
        lambda: era5.relative_humidity(of_unknown_size(given.warmth()), given.dew()),
        lambda m: era5.relative_humidity(with_sizes(m, of_unknown_size(given.warmth())), of_no_labels(given.dew())),
    ),
    Cure(
        "in growing order, each once, e.g. (0.1,",
        lambda: checks.require_levels([0.9, 0.1]),
        lambda m: checks.require_levels(example(m)),
    ),
    Cure(
        "soil_moisture must be a DataArray, got Series; use da.to_xarray()",
        lambda: ranked(soil().isel(site=0).to_series()),
        lambda m: same(
            cured(m, soil().isel(site=0).to_series()), soil().isel(site=0).drop_vars(["site", "lat", "lon"])
        ),
    ),
    Cure(
        "got ndarray; give it labels, xarray.DataArray(",
        lambda: ranked(soil().values),
        lambda m: ranked(
            eval(
                re.search(r"xarray\..*\)", m)[0].replace("coords=...", "coords").replace("dims=...", "dims"),
                {"xarray": xr, "values": soil().values, "coords": soil().coords, "dims": soil().dims},
            )
        ),
    ),
    Cure(
        "is unknown; give Splits, SplitConfig, or one of",
        lambda: xd.SplitConfig("random"),
        lambda m: [xd.SplitConfig(one) for one in among(m)],
    ),
    Cure(
        "clusters with parts that follow each other in time; leave them out, or hold out sites",
        lambda: xd.SplitConfig("chronological", clusters=500.0),
        lambda m: [xd.SplitConfig("chronological"), xd.SplitConfig("spatial_monte_carlo", clusters=500.0)],
    ),
]


def lead_in(units: str) -> xr.DataArray:
    """The forecast with a lead time of 7 in some unit."""
    return given.forecast().assign_coords(lead_time=((), given.LEAD, {"units": units}))


def stored_beside(content: str, **options: Any) -> None:
    """A result written where there is something else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it.zarr"
        path.mkdir()
        (path / content).write_text("{")
        xd.write_zarr(given.percentile().to_dataset().isel(site=[0]), path, **options)


def summer_of_places() -> xr.DataArray:
    """The mask with the places of its sites."""
    return given.summer().assign_coords({name: soil()[name] for name in ("lat", "lon")})


def labels_of_sites() -> xr.DataArray:
    return xr.DataArray(list("abcde"), {"site": given.SITES}, "site")


def stored_at_once(second: str) -> None:
    """A result written while another run writes beside it."""
    with tempfile.TemporaryDirectory() as folder, files.locked(Path(folder) / "it.zarr", "the store"):
        xd.detect_droughts(soil(), path=Path(folder) / second, progress=False)


def of_no_labels(da: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(da.transpose("time", ...).values, dims=("time", "lat", "lon"), name=da.name, attrs=da.attrs)


def of_unknown_size(da: xr.DataArray) -> xr.DataArray:
    """Days that dask selected by their values."""
    bare = of_no_labels(da).chunk()
    chosen = bare.data[dask.array.ones(bare.sizes["time"], dtype=bool)]
    return xr.DataArray(chosen, dims=bare.dims, name=da.name, attrs=da.attrs)


def with_sizes(message: str, da: xr.DataArray) -> xr.DataArray:
    eval(re.search(r"da\.data\.\w+\(\)", message)[0], {"da": da})
    return da
