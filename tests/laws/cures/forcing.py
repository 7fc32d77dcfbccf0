"""The weather of the lead days: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from tests.laws import inputs as given
from tests.laws.cures.tools import Cure, same, warned, windows
from xdrought import scaling, splits
from xdrought.forecast.forcing import resolve
from xdrought.forecast.options import LeadDays

weather = given.weather
SIX_HOURS, DAY = np.timedelta64(6, "h"), np.timedelta64(1, "D")

CURES = [
    Cure(
        "forcing is a int; give a Dataset, 'observed' or 'climatology'",
        lambda: known(3),
        lambda m: [known(one) for one in (forcing(), "observed", "climatology")],
    ),
    Cure(
        "give a Dataset of forecasts on (init_time, lead_time), 'climatology' where there are none",
        lambda: known("perfect"),
        lambda m: [known(one) for one in (forcing(), "climatology", "observed")],
    ),
    Cure(
        'of forecasts on (init_time, lead_time), or "observed" to learn what a perfect forecast is worth',
        lambda: warned(weather(), future=["tp"]),
        lambda m: [warned(weather(), future=["tp"], forcing=one) for one in (forcing(days=7), "observed")],
    ),
    Cure(
        "with its coordinate: name them with .rename, e.g. forcing.rename(step=",
        lambda: known(forcing().rename(lead_time="step")),
        lambda m: same_weather(
            eval(re.search(r"forcing\.rename\(.*?\)", m)[0], {"forcing": forcing().rename(lead_time="step")})
        ),
    ),
    *(
        Cure(
            "give every lead day, or train for shorter leads",
            lambda: known(forcing().isel(lead_time=[0])),
            right,
        )
        for right in (
            lambda m: same_weather(forcing()),
            lambda m: known(forcing().isel(lead_time=[0]), lead=1),
        )
    ),
    Cure(
        "give forecasts issued on days of the record, at the same time of day as 'time'",
        lambda: known(issued_at(forcing().init_time + SIX_HOURS)),
        lambda m: same_weather(issued_at(forcing().init_time + SIX_HOURS - SIX_HOURS)),
    ),
    Cure(
        "has no members, the others have; give each its members",
        lambda: known(of_both(t2m=forcing("t2m"))),
        lambda m: known(of_both(t2m=forcing("t2m").t2m.expand_dims(member=[0, 1]))),
    ),
    *(
        Cure(
            "give records that reach back into it, or a Dataset of forecasts",
            lambda: known("climatology", ds=weather().isel(time=slice(500, None))),
            right,
        )
        for right in (
            lambda m: known("climatology"),
            lambda m: known(forcing(), ds=weather().isel(time=slice(500, None))),
        )
    ),
    Cure(
        "a forecast may know nothing after the day of issue: correct init_time",
        lambda: known(known_on(forcing(), forcing().init_time + DAY)),
        lambda m: known(known_on(issued_at(forcing().init_time + DAY), forcing().init_time + DAY)),
    ),
    *(
        Cure(
            "is missing throughout; leave it out, forcing.drop_",
            lambda bare=bare: known(one_is_empty(bare)),
            lambda m, bare=bare: same_weather(
                eval(re.search(r"forcing\.drop_\w+\(.*?\)", m)[0], {"forcing": one_is_empty(bare)})
            ),
        )
        for bare in (False, True)
    ),
]


def forcing(name: str = "tp", days: int = 2) -> xr.Dataset:
    """The weather of the lead days as it came."""
    came = [weather()[name].shift(time=-k).rename(time="init_time") for k in range(1, days + 1)]
    leads = pd.Index(pd.to_timedelta(range(1, days + 1), unit="D"), name="lead_time")
    return xr.concat(came, leads).assign_attrs(weather()[name].attrs).to_dataset(name=name)


def known(given_weather: Any, *, lead: int = 2, ds: xr.Dataset | None = None) -> Any:
    """What a forcing says of the lead days, for a network that was trained on the whole record."""
    learnt, used = windows(lead=lead), windows(ds, lead=lead)
    parts = splits.chronological(learnt)
    scaled = scaling.fit_scaling(learnt.data, ["tp", "t2m"], train=parts.training_days(learnt.data.time))
    future = tuple(map(str, given_weather.data_vars)) if isinstance(given_weather, xr.Dataset) else ("tp",)
    return resolve(given_weather, LeadDays(future=future), used, {"tp": "mm", "t2m": "K"}, scaled, parts)


def same_weather(found: xr.Dataset) -> xr.DataArray:
    return same(known(found).given.isel(member=0, drop=True), known(forcing()).given.isel(member=0))


def issued_at(init_time: xr.DataArray) -> xr.Dataset:
    return forcing().assign_coords(init_time=init_time.values)


def known_on(found: xr.Dataset, days: xr.DataArray) -> xr.Dataset:
    """Forecasts that say when they were issued."""
    return found.assign_coords(forecast_reference_time=("init_time", days.values))


def of_both(t2m: Any) -> xr.Dataset:
    """Rain of two members, and temperature."""
    return forcing().expand_dims(member=[0, 1]).merge(t2m)


def one_is_empty(bare: bool) -> xr.Dataset:
    """Two members, one of which holds nothing."""
    both = xr.concat([forcing(), forcing().where(False)], pd.Index([0, 1], name="member"))
    return both.drop_vars("member") if bare else both
