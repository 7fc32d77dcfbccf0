"""How sure events are: references drawn by hand, sure and doubtful events, calendars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.helpers import unchanged
from xdrought.events.uncertainty import _YearsOfReference


def record(years: int = 6, cells: int = 2, seed: int = 0) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    days = pd.date_range("2001-01-01", f"{2000 + years}-12-31")
    values = np.zeros((days.size, cells))
    for k in range(1, days.size):
        values[k] = 0.95 * values[k - 1] + 0.3 * rng.normal(size=cells)
    coords = {"time": days, "site": [f"s{k}" for k in range(cells)]}
    return xr.DataArray(0.25 + 0.03 * values, coords, ("time", "site"), "soil_moisture", {"units": "m3 m-3"})


def test_what_is_added_follows_from_the_events_under_each_drawn_reference():
    da = record()
    options = {"pool": "dayofyear", "window": 20}
    with unchanged(da):
        sure = xdrought.event_uncertainty(da, n_boot=8, seed=3, **options)
    events = xdrought.flash_drought_events(da, **options)
    xr.testing.assert_identical(
        sure[list(events.data_vars)].drop_attrs(), events.drop_vars("bound", errors="ignore").drop_attrs()
    )
    rng, years = np.random.default_rng(3), _YearsOfReference.create(da, None, "time")
    tables = [xdrought.flash_drought_events(da, reference=years.drawn(rng), **options) for _ in range(8)]
    assert sure.event_count.values.tolist() == [table.sizes["event"] for table in tables]
    assert sure.flash_count.values.tolist() == [int(table.is_flash.sum()) for table in tables]
    for k in range(events.sizes["event"]):
        event = events.isel(event=k)
        again = []
        for table in tables:
            own = table.isel(event=np.flatnonzero((table.site == event.site).values)).to_dataframe()
            shared = np.minimum(own.end_time, event.end_time.values) - np.maximum(
                own.start_time, event.start_time.values
            )
            if (shared >= pd.Timedelta(0)).any():
                again.append(own.iloc[int(np.argmax(shared.values))])
        assert sure.probability[k] == pytest.approx(len(again) / 8)
        assert sure.flash_probability[k] == pytest.approx(sum(one.is_flash for one in again) / 8)
        if again:
            rates = np.quantile([one.intensification_rate for one in again], [0.05, 0.95], method="inverted_cdf")
            np.testing.assert_allclose(sure.intensification_rate_interval[k], rates)
            starts = sorted(one.start_time for one in again)
            lower, upper = pd.DatetimeIndex(sure.start_time_interval.values[k])
            assert starts[0] <= lower <= upper <= starts[-1]


def test_a_year_takes_the_days_of_the_year_drawn_for_it():
    da = record(years=4, cells=1).isel(site=0)
    drawn = _YearsOfReference.create(da, None, "time").drawn(np.random.default_rng(0))
    years = {y: set() for y in range(2001, 2005)}
    for stamp, value in zip(da.indexes["time"], drawn.values, strict=True):
        if (stamp.month, stamp.day) == (2, 29):
            continue
        same = [y for y in years if da.sel(time=f"{y}-{stamp:%m-%d}").item() == value]
        years[stamp.year].update(same)
    assert all(len(found) == 1 for found in years.values())
    chosen = np.random.default_rng(0).choice(range(2001, 2005), 4)
    assert [found.pop() for found in years.values()] == chosen.tolist()
    leap = drawn.sel(time="2004-02-29")
    assert np.isnan(leap) == (chosen[3] != 2004)


def test_an_unmistakable_event_is_sure_and_one_at_the_threshold_is_not():
    da = record(years=8, cells=1, seed=1)
    when = slice("2004-06-01", "2004-07-15")
    da.loc[{"time": slice("2004-05-20", "2004-05-31")}] = 0.6
    da.loc[{"time": when}] = 0.01
    sure = xdrought.event_uncertainty(da, n_boot=40)
    deep = sure.isel(event=int(np.argmax((sure.start_time == np.datetime64("2004-06-01")).values)))
    assert deep.probability == 1
    assert deep.flash_probability == 1
    assert (deep.start_time_interval == np.datetime64("2004-06-01")).all()
    assert float(sure.probability.min()) < 0.9


def test_a_period_as_reference_dask_and_other_calendars():
    da = record(years=6)
    period = xdrought.event_uncertainty(da, reference=("2001", "2004"), n_boot=4)
    lazy = xdrought.event_uncertainty(da.chunk(site=1), reference=("2001", "2004"), n_boot=4)
    xr.testing.assert_identical(lazy, period)
    other = xdrought.event_uncertainty(da.convert_calendar("noleap", use_cftime=True), n_boot=4)
    assert other.start_time_interval.values[0, 0].calendar == "noleap"
    assert (other.probability > 0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "2001"}, r"the reference has 1 year\(s\)"),
        ({"is_percentile": True}, "percentiles leave nothing to rank"),
        ({"n_boot": 0}, "n_boot=0"),
        ({"confidence": 95}, "confidence=95"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        xdrought.event_uncertainty(record(), **{"n_boot": 2, **options})
