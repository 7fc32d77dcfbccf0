"""What stands in the place of an array, a Dataset or a forecaster, and what the messages make of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import Cure, made_by, ranked, same
from xdrought import causality, data, study
from xdrought.data.collocate import collocate, join_towers

soil, weather, events = given.soil, given.weather, given.events


def done(message: str, **names: Any) -> Any:
    """What the call gives that a message names after ``make it one``, ``give it labels`` or the like."""
    call = re.search(r"(?:; |, )((?:\w+\[|[a-z]+\.[a-z_]+\(|xarray\.\w+\().*)$", message)[1]  # type: ignore[index]
    call = call.replace("coords=...", "coords=coords")
    return eval(call, {"xarray": xr, "xdrought": xd, **names})  # noqa: S307


def of_file(message: str) -> Any:
    """The report of a file that is written first, so that the call of the message can open it."""
    with tempfile.TemporaryDirectory() as folder:
        weather().to_netcdf(Path(folder) / "weather.nc")
        with done(message.replace("weather.nc", f"{folder}/weather.nc")) as ds:
            return data.site_report(ds.load())


def from_file(message: str) -> Any:
    """Forecasts of a forecaster that is saved first, so that the call of the message can load it."""
    with tempfile.TemporaryDirectory() as folder:
        given.forecaster().save(Path(folder) / "net.zip")
        return predicted(done(message.replace("net.zip", f"{folder}/net.zip")))


def predicted(forecaster: Any) -> xr.DataArray:
    return xd.predict(given.drivers_of_a_month(), forecaster, device="cpu")


def in_order(message: str, function: Callable, **arguments: Any) -> Any:
    """The call in the order that the message gives."""
    order = re.search(rf"the order is {function.__name__}\((.*)\)", message)[1].split(", ")  # type: ignore[index]
    return function(*(arguments[name] for name in order))


CURES = [
    Cure(
        "ds must be a Dataset, got Forecaster; the order is predict(ds, forecaster)",
        lambda: xd.predict(given.forecaster(), given.drivers_of_a_month()),
        lambda m: in_order(m, xd.predict, ds=given.drivers_of_a_month(), forecaster=given.forecaster()),
    ),
    Cure(
        "load it, xdrought.load_forecaster('net.zip')",
        lambda: predicted("net.zip"),
        lambda m: same(from_file(m), predicted(given.forecaster())),
    ),
    Cure(
        "ds must be a Dataset, got DataArray; make it one, ds.to_dataset(",
        lambda: data.site_report(soil()),
        lambda m: data.site_report(done(m, ds=soil())),
    ),
    Cure(
        "ds must be a Dataset, got DataFrame; make it one, ds.to_xarray(",
        lambda: data.site_report(weather().to_dataframe()),
        lambda m: data.site_report(done(m, ds=weather().to_dataframe())),
    ),
    Cure(
        "ds must be a Dataset, got list; make it one, xarray.merge(ds",
        lambda: data.site_report([*weather().data_vars.values()]),
        lambda m: data.site_report(done(m, ds=[*weather().data_vars.values()])),
    ),
    Cure(
        "ds must be a Dataset, got ndarray; give it labels, xarray.Dataset(",
        lambda: data.site_report(soil().values),
        lambda m: data.site_report(done(m, values=soil().values, dims=soil().dims, coords=soil().coords)),
    ),
    Cure(
        "ds must be a Dataset, got str; open the file first, xarray.open_dataset('weather.nc')",
        lambda: data.site_report("weather.nc"),
        of_file,
    ),
    Cure(
        "soil_moisture must be a DataArray, got str; pick the variable of this name, ds['soil_moisture']",
        lambda: ranked("soil_moisture"),
        lambda m: same(ranked(done(m, ds=weather())), ranked(weather().soil_moisture)),
    ),
    Cure(
        "the forecast must be a DataArray, a Dataset or a dict of DataArrays by name of model, got ndarray; give",
        lambda: xd.verify(given.forecast().values, soil(), lead=given.LEAD),
        lambda m: xd.verify(given.forecast(), soil(), lead=given.LEAD),
    ),
    Cure(
        "the causality degree lacks ['rho', 'p_value'], among",
        lambda: causality.degree_vector(given.degree().drop_vars(["rho", "p_value"])),
        lambda m: causality.degree_vector(made_by(m)(given.drivers(), soil(), train=given.train())),
    ),
    Cure(
        "the relation lacks",
        lambda: study.coupling_strength(xr.Dataset(), given.importance()),
        lambda m: made_by(m)(given.degree(), given.skill(), n_boot=2, permutations=20),
    ),
    Cure(
        "no 'variable'; give that of each driver",
        lambda: study.coupling_strength(given.relation(), given.importance().isel(variable=0)),
        lambda m: study.coupling_strength(given.relation(), given.importance()),
    ),
    Cure(
        "no 'site'; give the soil moisture of the events",
        lambda: study.onset_coincidence(events(), soil().isel(site=0)),
        lambda m: study.onset_coincidence(events(), soil(), n_boot=5, min_years=2),
    ),
    Cure(
        "the drivers lack ['site'], among",
        lambda: join_towers(given.around().isel(site=0, drop=True), given.towers()),
        lambda m: join_towers(collocate(given.grid_weather(), given.places(), size=4), given.towers()),
    ),
]
