"""Bulletins: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    alarmed,
    cured,
    example,
    of_two_leads,
    same,
    value,
    warned,
)
from xdrought import bulletin

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "is no standard deviate; use da.where",
        lambda: bulletin.index_percentile(50.0 + 0 * given.standardised()),
        lambda m: bulletin.index_percentile(cured(m, 50.0 + 0 * given.standardised())),
    ),
    *(
        Cure(
            words,
            lambda wrong=wrong: bulletin.region_shares(wrong(), given.regions()),
            lambda m: bulletin.region_shares(xd.drought_classes(soil()), given.regions()),
        )
        for words, wrong in (("give classes of xdrought.drought_classes or xdrought.bulletin", given.percentile),)
    ),
    Cure(
        "give one number a year, e.g. ",
        lambda: bulletin.return_period(soil()),
        lambda m: bulletin.return_period(cured(m, soil())),
    ),
    Cure(
        "; give five falling percentiles, e.g.",
        lambda: bulletin.drought_categories(given.percentile(), thresholds=(5, 10)),
        lambda m: bulletin.drought_categories(given.percentile(), thresholds=example(m)),
    ),
    Cure(
        "choose steps that are there, e.g. before=",
        lambda: bulletin.region_table(shares(), before=["900D"]),
        lambda m: bulletin.region_table(shares(), before=value(m, "before")),
    ),
    Cure(
        "shares have the dimension(s) ['definition']; choose along them first",
        lambda: bulletin.region_table(bulletin.region_shares(given.two_definitions(), given.regions())),
        lambda m: bulletin.region_table(
            bulletin.region_shares(given.two_definitions(), given.regions()).isel(definition=0, drop=True)
        ),
    ),
    Cure(
        "no cell lies in a region; check that mask and classes cover the same places",
        lambda: bulletin.region_shares(given.classes(), given.regions().where(False, "")),
        lambda m: bulletin.region_shares(given.classes(), given.regions()),
    ),
    Cure(
        "give a mask as DataArray, regionmask.Regions or a GeoDataFrame",
        lambda: bulletin.region_shares(given.classes(), ["north"]),
        lambda m: bulletin.region_shares(given.classes(), given.regions()),
    ),
    Cure(
        "name them with lat=, lon= or site=",
        lambda: bulletin.region_shares(given.classes().rename(site="station"), given.regions().rename(site="station")),
        lambda m: bulletin.region_shares(
            given.classes().rename(site="station"), given.regions().rename(site="station"), site="station"
        ),
    ),
    Cure(
        "expected True and False or fractions from 0 to 1",
        lambda: bulletin.region_shares(given.classes(), 100.0 * north()),
        lambda m: [
            same(bulletin.region_shares(given.classes(), one), bulletin.region_shares(given.classes(), north()))
            for one in (100.0 * north() / 100, 100.0 * north() > 50)
        ],
    ),
    *(
        Cure("a desk wants one; fit it with lead=", lambda: desk(of_leads()), right)
        for right in (
            lambda m: desk(
                xd.fit_onset(
                    weather(), "soil_moisture", ["tp"], lead=value(m, "lead"), model="logistic", calibrate=False
                )
            ),
            lambda m: xd.onset_skill(of_two_leads().sel(lead_time="7D"), given.begins(), part=None, n_boot=3),
        )
    ),
    *(
        Cure(
            "in the report; give what desk_report returned, with alarms= or threshold=",
            lambda: bulletin.desk_table(desk(), only_alarms=True),
            lambda m, options=options: bulletin.desk_table(desk(**options()), only_alarms=True).is_alarm.all() or None,
        )
        for options in (lambda: {"threshold": 0.01}, lambda: {"alarms": alarmed(threshold=0.01)})
    ),
    Cure(
        "give the forecast whose init_time is the last day of the record",
        lambda: desk(told_ahead(), forcing=ahead().isel(init_time=slice(None, -1))),
        lambda m: desk(told_ahead(), forcing=ahead()).flash_onset_probability.notnull().all() or None,
    ),
    Cure(
        "the onset model has 7; score the warnings of this model, predict_onset(ds, onset)",
        lambda: desk(skill=skill_of(given.warnings()).assign_attrs(lead=3)),
        lambda m: desk(
            skill=skill_of(
                eval(
                    re.search(r"predict_onset\(.*?\)", m)[0],
                    {**vars(xd), "ds": weather(), "onset": given.onset_model()},
                )
            )
        ),
    ),
]


def shares() -> xr.Dataset:
    return bulletin.region_shares(given.classes(), given.regions())


def north() -> xr.DataArray:
    """True where a site is in the region."""
    return (given.regions() == "north").expand_dims(region=["north"])


def desk(onset: xd.OnsetModel | None = None, **options: Any) -> xr.Dataset:
    monitor = xd.start_monitor(soil(), reference=("2001", "2001"))
    return bulletin.desk_report(weather(), monitor, onset or given.onset_model(), **options)


def of_leads() -> xd.OnsetModel:
    """A model that says it answers for two leads."""
    onset = given.onset_model()
    return replace(onset, task=replace(onset.task, leads=(3, 7)))


@cache
def told_ahead() -> xd.OnsetModel:
    """A model that knows the rain of the lead days."""
    return warned(weather(), future=["tp"], forcing="observed")


def ahead() -> xr.Dataset:
    """The rain of the lead days as it came; none is known after the record."""
    days = [weather().tp.shift(time=-k).fillna(0.0).rename(time="init_time") for k in range(1, given.LEAD + 1)]
    leads = pd.Index(pd.to_timedelta(range(1, given.LEAD + 1), unit="D"), name="lead_time")
    return xr.concat(days, leads).assign_attrs(units="mm").to_dataset(name="tp")


def skill_of(prediction: xr.Dataset) -> xr.Dataset:
    return xd.onset_skill(prediction, given.begins(), part=None, n_boot=3)
