"""What the functions of events refuse: time axes, numbers and arguments that are wrong, each with its cure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from tests.support.soil_series import series
from xdrought.definitions import get_definition


def irregular(kind: str) -> xr.DataArray:
    da = series(np.random.default_rng(0).random(100))
    if kind == "gap":
        return da.isel(time=[*range(50), *range(52, 100)])
    if kind == "repeat":
        return da.isel(time=[*range(50), *range(49, 100)])
    if kind == "unsorted":
        return da.isel(time=list(range(100))[::-1])
    if kind == "monthly":
        return da.resample(time="MS").mean()
    if kind == "hourly":
        return da.assign_coords(time=pd.date_range("2001", periods=100, freq="h"))
    if kind == "no dates":
        return da.assign_coords(time=np.arange(100))
    if kind == "no coordinate":
        return da.drop_vars("time")
    if kind == "nat":
        return da.assign_coords(time=da.time.values.astype("datetime64[ns]")).assign_coords(
            time=pd.DatetimeIndex([pd.NaT, *da.get_index("time")[1:]])
        )
    return da.rename(time="t")


@pytest.mark.parametrize("function", [xd.flash_drought_events, xd.drought_classes, xd.drought_summary])
@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("gap", r"missing steps.*2001-02-22.*resample"),
        ("repeat", r"twice along 'time'.*drop_duplicates"),
        ("unsorted", r"backwards.*sortby"),
        ("monthly", r"uneven steps of 28 to 31 days; expected one value a day or a pentad"),
        ("hourly", r"steps of 1 h; expected daily.*resample"),
        ("no dates", r"not dates"),
        ("no coordinate", r"has no coordinate"),
        ("nat", r"NaT"),
        ("renamed", r"no dimension 'time'"),
    ],
)
def test_bad_time_axes_raise_with_the_cure(function, kind, match):
    with pytest.raises(ValueError, match=match):
        function(irregular(kind))


DAY = series(np.arange(100.0))


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, r"'time' has 4 chunks.*chunk\(\{'time': -1\}\)", lambda: xd.drought_classes(DAY.chunk(time=25))),
        (ValueError, "definition='tang' is unknown", lambda: xd.drought_classes(DAY, definition="tang")),
        (TypeError, r"unknown threshold\(s\) \['uper'\]", lambda: xd.drought_classes(DAY, uper=30)),
        (TypeError, "expected a name or a Definition", lambda: get_definition(3)),
        (ValueError, "lower=50 and upper=40", lambda: xd.drought_classes(DAY, lower=50)),
        (ValueError, "relapse='glue' is unknown", lambda: xd.drought_classes(DAY, relapse="glue")),
        (ValueError, "recovery=0", lambda: xd.drought_classes(DAY, recovery=0)),
        (ValueError, "max_onset=-1", lambda: xd.drought_classes(DAY, max_onset=-1)),
        (ValueError, "min_rate=-1", lambda: xd.drought_classes(DAY, min_rate=-1)),
        (ValueError, "percentile method='x'", lambda: xd.soil_moisture_percentile(DAY, method="x")),
        (ValueError, "pool='x'", lambda: xd.soil_moisture_percentile(DAY, pool="x")),
        (ValueError, "window=3", lambda: xd.soil_moisture_percentile(DAY, window=3)),
        (ValueError, "holds no day", lambda: xd.soil_moisture_percentile(DAY, reference=("1990", "1991"))),
        (
            ValueError,
            "reference has units 'mm'",
            lambda: xd.soil_moisture_percentile(DAY.assign_attrs(units="%"), reference=DAY.assign_attrs(units="mm")),
        ),
        (ValueError, "frozen='thaw'", lambda: xd.drought_classes(DAY, frozen="thaw")),
        (
            ValueError,
            r"'sm' has a dimension 'event', a name that the result uses.*rename\(\{'event': ...\}\)",
            lambda: xd.flash_drought_events(DAY.expand_dims(event=2)),
        ),
        (ValueError, "has a dimension 'definition'", lambda: xd.drought_classes(DAY.expand_dims(definition=2))),
        (ValueError, 'frozen="mask" needs', lambda: xd.drought_classes(DAY, frozen="mask")),
        (ValueError, "has no units", lambda: xd.drought_classes(DAY, soil_temperature=DAY)),
        (
            ValueError,
            "cannot be converted",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY.assign_attrs(units="Pa")),
        ),
        (
            ValueError,
            "soil_temperature lacks 50 of the record's 100 labels along 'time'",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY[:50].assign_attrs(units="degC")),
        ),
        (
            ValueError,
            r"of soil_temperature is needed: use .chunk\(\{'time': -1\}\)",
            lambda: xd.drought_classes(DAY.chunk(), soil_temperature=DAY.assign_attrs(units="degC").chunk(time=50)),
        ),
        (
            ValueError,
            "'time' has 2 chunks; the whole reference is needed",
            lambda: xd.drought_classes(DAY.chunk(), reference=DAY.chunk(time=50)),
        ),
        (
            ValueError,
            r"soil_temperature has the dimension\(s\) \['x'\] that",
            lambda: xd.drought_classes(DAY, soil_temperature=DAY.expand_dims(x=2).assign_attrs(units="degC")),
        ),
        (
            ValueError,
            "has units 'm3 m-3'; expected percent",
            lambda: xd.drought_classes(DAY.assign_attrs(units="m3 m-3"), is_percentile=True),
        ),
        (ValueError, "leaves nothing to rank", lambda: xd.drought_classes(DAY, is_percentile=True, reference=DAY)),
        (
            ValueError,
            "needs daily soil moisture",
            lambda: xd.drought_classes(DAY, definition="osman2021", is_percentile=True),
        ),
        (ValueError, "list is empty", lambda: xd.drought_classes(DAY, definition=[])),
        (ValueError, "repeat", lambda: xd.drought_classes(DAY, definition=["tang2025", "tang2025"])),
        (ValueError, "censored='x'", lambda: xd.flash_drought_events(DAY, censored="x")),
        (TypeError, "dtype <U1", lambda: xd.drought_classes(DAY.astype(str).astype("<U1"))),
        (TypeError, "must be a DataArray, got Dataset", lambda: xd.drought_classes(DAY.to_dataset(name="x"))),
        (ValueError, "no 'definition' dimension", lambda: xd.definition_agreement(xd.drought_classes(DAY))),
    ],
)
def test_wrong_input_raises_with_words(error, match, call):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(("low", "high"), [(-9999.0, 60.0), (10.0, 120.0)])
def test_percentiles_outside_0_to_100_are_refused_when_they_are_met(low, high):
    values = np.tile([50.0, low, high], (3, 40))
    da = xr.DataArray(values, {"time": pd.date_range("2001-01-01", periods=120)}, ("site", "time"))
    text = "holds codes of missing values" if low < 0 else "outside what percentile can be, 0 to 100 percent, e.g. 120"
    for function in (xd.flash_drought_events, xd.drought_classes, xd.drought_summary):
        with pytest.raises(ValueError, match=text):
            function(da, is_percentile=True)
    lazy = xd.drought_classes(da.chunk(site=1), is_percentile=True)  # not looked at on the way
    with pytest.raises(ValueError, match=text):
        lazy.compute()
    missing = da.where((da >= 0) & (da <= 100), np.inf)
    assert (xd.drought_classes(missing, is_percentile=True) == -1).any()
