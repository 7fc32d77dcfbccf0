"""How a message is read and done, and the calls that the table of cures makes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.support.cures import follow


@dataclass(frozen=True)
class Cure:
    """A call that is refused or warned of in these words, and the call after the message is followed."""

    words: str
    wrong: Callable[[], Any]
    right: Callable[[str], Any]


soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events


def value(message: str, name: str) -> Any:
    """What a message says that an argument should be, ``name=...``, the last time it says so."""
    text = re.findall(rf"\b{name}=(\"[^\"]*\"|'[^']*'|\([^)]*\)|\[[^\]]*\]|\{{[^}}]*\}}|[\w.-]+)", message)[-1]
    return eval(text.rstrip("."), {})  # noqa: S307


def example(message: str, **names: Any) -> Any:
    """What a message gives as an example, after ``e.g.`` to the end of its line."""
    return eval(message.split("e.g. ")[-1].split("\n")[0].rstrip(","), names)  # noqa: S307


def among(message: str) -> list:
    """What a message says there is to choose from: the first list after its words."""
    return list(eval(re.search(r"(?:one of|from|among) ([\[(].*?[\])])", message)[1], {}))  # type: ignore[index]


def cured(message: str, da: Any, **words: str) -> Any:
    """What becomes of ``da`` when the first call of the message is made on it; `words` stand for its dots."""
    for there, instead in words.items():
        message = message.replace(f"{there}=...", f"{there}={instead}")
    return follow(message, da=da)["da"]


def made_by(message: str) -> Any:
    """What a message says the data come from, a function of this package or a value."""
    found = xd
    for name in re.findall(r"xdrought\.([a-zA-Z_.]+[a-zA-Z_])", message)[-1].split("."):
        found = getattr(found, name)
    return found


def hourly(da: Any) -> Any:
    """The first days as hours."""
    days = da.isel(time=slice(0, 200)).resample(time="12h").ffill()
    return days.assign_attrs(da.attrs)


def twice(da: Any, dim: str = "site") -> Any:
    return da.isel({dim: [0, 0, *range(1, da.sizes[dim])]})


def ranked(da: Any, **options: Any) -> Any:
    return xd.soil_moisture_percentile(da, **options)


def crossed(cause: Any, effect: Any = None, **options: Any) -> Any:
    return xd.ccm(cause, soil() if effect is None else effect, **options)


def gains(drivers: Any = None, target: Any = None, **options: Any) -> Any:
    return xd.driver_gain(
        given.drivers() if drivers is None else drivers, soil() if target is None else target, flips=19, **options
    )


def scored(forecast: Any = None, observed: Any = None, **options: Any) -> Any:
    options = {"lead": given.LEAD, "n_boot": 3} | options
    return xd.verify(
        given.forecast() if forecast is None else forecast, soil() if observed is None else observed, **options
    )


def daily_values(**changes: Any) -> xr.DataArray:
    return given.shares().assign_coords(**changes)


def windows(ds: xr.Dataset | None = None, **options: Any) -> xd.Patches:
    options = {"size": 1, "window": 5, "lead": 2} | options
    return xd.patches(weather() if ds is None else ds, "soil_moisture", **options)


def warned(ds: xr.Dataset, **options: Any) -> xd.OnsetModel:
    options = {"lead": given.LEAD, "model": "logistic"} | options
    return xd.fit_onset(ds, "soil_moisture", ["tp"], calibrate=False, **options)


def stacked() -> xr.DataArray:
    """The reference on sites that are stacked of two labels."""
    bare = given.reference().drop_vars(["lat", "lon"]).rename(site="tower")
    return bare.expand_dims(network=["A"]).stack(site=("network", "tower"))


def chained(message: str, da: Any, call: Callable) -> Any:
    """What becomes of ``da`` when a message is followed, and the next one that then comes."""
    da = cured(message, da)
    try:
        call(da)
    except ValueError as error:
        return follow(str(error), da=da, record=soil())["da"]
    return da


def one_dimension_more(da: xr.DataArray, name: str = "member") -> xr.DataArray:
    return da.expand_dims({name: [0, 1]})


def of_members(da: xr.DataArray) -> xr.DataArray:
    return one_dimension_more(da)


def of_two_definitions() -> xr.Dataset:
    return xd.flash_drought_events(soil(), definition=["tang2025", "yuan2019"])


def relations(**options: Any) -> xr.Dataset:
    return xd.ccm(drivers().isel(time=slice(0, 200)), soil().isel(time=slice(0, 200)), **options)


def too_sure() -> xr.Dataset:
    """Warnings of which one probability is above 1."""
    found = given.warnings()
    p = found.flash_onset_probability
    return found.assign(flash_onset_probability=p.where(p.time != p.time[300], 1.5))


def in_per_cent() -> xr.Dataset:
    """Warnings in per cent."""
    found = given.warnings()
    return found.assign(flash_onset_probability=100 * found.flash_onset_probability)


def one_layer() -> xr.Dataset:
    """Two layers, of which the lower one has no value."""
    return given.layers().assign(below=given.layers().below.where(False))


def beyond() -> xr.Dataset:
    """A place inside the grid and one at its edge."""
    return xr.Dataset(coords={"site": ["A", "B"], "lat": ("site", [47.1, 50.0]), "lon": ("site", [8.2, 9.1])})


def same(found: Any, expected: Any) -> Any:
    """A result, where it is the one without the fault."""
    xr.testing.assert_allclose(found, expected)
    return found


def quiet(call: Callable[[], Any], words: str = "") -> Any:
    """The result, where no warning of these words comes any more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", f".*{re.escape(words)}")
        return call()


def of_patches() -> xr.Dataset:
    """The weather on patches, with the places of cells and towers."""
    rain = weather().tp.expand_dims(patch_lat=2, patch_lon=2).transpose("site", "time", ...)
    around = xr.DataArray([-0.1, 0.1], dims="patch_lat")
    beside = xr.DataArray([-0.1, 0.1], dims="patch_lon")
    cells = {"cell_lat": weather().lat + around, "cell_lon": weather().lon + beside}
    return weather().assign(tp=rain, t2m=rain * 0 + 280).assign_coords(cells)


def alarmed(**options: Any) -> xr.Dataset:
    return xd.alarms(given.warnings(), given.starts(), part=None, chosen_on=None, n_boot=3, **options)


def of_two_leads() -> xr.Dataset:
    """Warnings for two leads, the later of which are the warnings for one."""
    found = given.warnings()
    leads = pd.Index(pd.to_timedelta([3, 7], unit="D"), name="lead_time")
    p = xr.concat([0.5 * found.flash_onset_probability, found.flash_onset_probability], leads)
    return found.assign(flash_onset_probability=p).drop_attrs(deep=False).assign_attrs(found.attrs, lead=[3, 7])


def on_grid(lat: tuple[float, float] = (48.0, 47.0)) -> xr.DataArray:
    """The first four records as the cells of a grid."""
    coords = {"lat": list(lat), "lon": [8.0, 9.0], "time": given.DAYS}
    return xr.DataArray(soil().values[:4].reshape(2, 2, -1), coords, tuple(coords), "soil_moisture", soil().attrs)
