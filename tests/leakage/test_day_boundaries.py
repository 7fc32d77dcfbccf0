"""Days of drivers and target that begin at other hours: hours of a later day are a leak, counted at each place."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from tests.support.audited import (
    LOCAL,
    UTC,
    counted_by,
    fit,
    trained,
)
from xdrought.calendars import utc_days
from xdrought.leakage import audit_leakage
from xdrought.leakage.audited_data import gather
from xdrought.leakage.future_checks import check_day_boundaries


def days_of(ds: xr.Dataset, **days: str):
    """What this check alone says, of a forecaster of the eight towers."""
    return check_day_boundaries(gather(counted_by(ds, **days), trained()))


def test_hours_of_a_later_day_are_counted_at_each_place(ds):
    """Eight towers from 100 degrees west to 120 degrees east: at the last one ten minus two hours are to come."""
    found = days_of(ds, tp=UTC, t2m=LOCAL, soil_moisture=LOCAL)
    assert found.verdict == "LEAK"
    assert found.numbers == {"hours later, tp": 8.0, "hours later, t2m": 0.0}
    leaky = counted_by(ds, tp=UTC, t2m=LOCAL, soil_moisture=LOCAL)
    assert audit_leakage(fit(leaky), leaky, device="cpu").leaks == ("day boundaries",)
    assert "8 hours of the day after at S7 in tp (00:00 UTC, target 00:00 local standard time)" in found.computed_on
    eastern = ds.assign_coords(lon=("site", np.full(8, 150.0)))
    assert days_of(eastern, tp=UTC, t2m=UTC, soil_moisture=LOCAL).numbers["hours later, t2m"] == 10.0
    assert days_of(eastern, tp="00:00 UTC+10", t2m="00:00 UTC+10", soil_moisture=LOCAL).verdict == "passed"
    western = ds.assign_coords(lon=("site", np.full(8, 240.0)))
    found = days_of(western, tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, found.numbers["hours later, tp"]) == ("passed", -8.0)
    assert days_of(western, tp=LOCAL, t2m=LOCAL, soil_moisture=UTC).numbers["hours later, tp"] == 8.0


def test_the_cure_of_days_that_end_late_is_followed(ds):
    """Towers of central Europe beside UTC days of ERA5: one hour of tomorrow; days from the hours anew have none."""
    europe = ds.assign_coords(lon=("site", np.linspace(-8.0, 30.0, 8)))
    found = days_of(europe, tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, found.numbers["hours later, tp"]) == ("LEAK", 2.0)
    central = ds.assign_coords(lon=("site", np.full(8, 11.0)))
    assert "1 hour of the day after at S0" in days_of(central, tp=UTC, t2m=UTC, soil_moisture=LOCAL).computed_on
    anew = utc_days(float(re.search(r"utc_offset=(\d+)", found.computed_on)[1]))
    assert days_of(europe, tp=anew, t2m=anew, soil_moisture=LOCAL).verdict == "passed"


def test_a_standard_time_that_is_given_goes_before_the_sun_s(ds):
    """Spain lies west of Greenwich and counts its days an hour before it."""
    spain = ds.assign_coords(lon=("site", np.full(8, -4.0)))
    said = {"tp": UTC, "t2m": UTC, "soil_moisture": LOCAL}
    assert days_of(spain, **said).verdict == "passed"
    told = spain.assign_coords(utc_offset=("site", np.r_[np.nan, np.ones(7)]))
    assert days_of(told, **said).numbers["hours later, tp"] == 1.0
    assert "at S1 in tp" in days_of(told, **said).computed_on


def test_days_that_cannot_be_compared_are_unknown(ds):
    assert days_of(ds).verdict == "absent"
    assert "t2m without 'day_boundary'" in days_of(ds, tp=UTC, soil_moisture=UTC).computed_on
    assert "soil_moisture without 'day_boundary'" in days_of(ds, tp=UTC, t2m=UTC).computed_on
    assert "'06:00 UTC' is none of" in days_of(ds, tp="06:00 UTC", t2m=UTC, soil_moisture=UTC).computed_on
    found = days_of(ds.drop_vars("lon"), tp=UTC, t2m=UTC, soil_moisture=LOCAL)
    assert (found.verdict, "without a longitude" in found.computed_on) == ("unknown", True)
    assert days_of(ds.drop_vars("lon"), tp=LOCAL, t2m=LOCAL, soil_moisture=LOCAL).verdict == "passed"
    constant = ds.assign(t2m=ds.t2m * 0 + 280.0)
    assert days_of(constant, tp=UTC, soil_moisture=UTC).verdict == "passed"
