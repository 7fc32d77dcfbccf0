"""The paper's rules for keeping sites, on hand-worked series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import unchanged
from xdrought.data import screen_sites, site_report


def series(days=400, missing=()) -> np.ndarray:
    values = 20 + 5 * np.sin(np.arange(days) / 20)
    values[list(missing)] = np.nan
    return values


def dataset(**sites) -> xr.Dataset:
    """A SITE Dataset of equally long series."""
    values = np.stack(list(sites.values()))
    time = pd.date_range("2001-01-01", periods=values.shape[1])
    return xr.Dataset(
        {
            "soil_moisture": (("site", "time"), values, {"units": "%"}),
            "TA_F": (("site", "time"), np.arange(values.size, dtype=float).reshape(values.shape)),
        },
        coords={"site": list(sites), "time": time},
    )


def reason(ds: xr.Dataset, **options) -> str:
    return site_report(ds, **options).reason.item()


def test_every_site_is_in_the_report_and_only_good_ones_in_the_dataset():
    ds = dataset(
        good=series(),
        gappy=series(missing=range(100, 150)),
        short=np.where(np.arange(400) < 300, series(), np.nan),
        empty=np.full(400, np.nan),
        flat=np.full(400, 30.0),
    )
    kept, report = screen_sites(ds)
    assert kept.site.values.tolist() == ["good"]
    assert report.site.tolist() == ["good", "gappy", "short", "empty", "flat"]
    assert report.kept.tolist() == [True, False, False, False, False]
    assert report.reason.tolist() == [
        "",
        "12.5 % invalid, over 10 %",
        "300 days, under 365",
        "no valid value",
        "constant",
    ]
    xr.testing.assert_equal(kept.TA_F, ds.TA_F.sel(site=["good"]))
    assert kept.soil_moisture.attrs["units"] == "%"
    assert kept.soil_moisture.attrs["screening"] == "at most 10 % invalid in the span, at least 365 days"


def test_exactly_ten_per_cent_and_exactly_a_year_are_kept():
    assert reason(dataset(a=series(400, range(100, 140)))) == ""
    assert reason(dataset(a=series(400, range(100, 141)))) == "10.25 % invalid, over 10 %"
    assert reason(dataset(a=series(365))) == ""
    assert reason(dataset(a=series(364))) == "364 days, under 365"
    assert reason(dataset(a=series(364)), min_days=364) == ""


def test_the_span_is_trimmed_at_both_ends():
    values = series(600, [*range(0, 100), *range(250, 260), *range(500, 600)])
    row = site_report(dataset(a=values)).iloc[0]
    assert row.first_day == pd.Timestamp("2001-04-11")  # day 100, counted from 0
    assert row.last_day == pd.Timestamp("2002-05-15")  # day 499
    assert (row.days, row.valid_days, row.invalid_percent, row.longest_gap) == (400, 390, 2.5, 10)


def test_the_whole_file_counts_when_asked():
    ds = dataset(a=series(600, range(450, 600)))
    assert reason(ds) == ""
    told = ds.assign_coords(
        record_start=("site", [np.datetime64("2001-01-01")]),
        record_end=("site", [np.datetime64("2002-08-23")]),
    )
    assert reason(told, record="file") == "25 % invalid, over 10 %"
    assert site_report(told, record="file").days.item() == 600
    # A file that ends with the values has nothing invalid, though the axis goes on for the other sites.
    ends = told.assign_coords(record_end=("site", [np.datetime64("2002-03-26")]))
    assert site_report(ends, record="file").days.item() == 450
    assert reason(ends, record="file") == ""
    later = told.sel(time=slice("2002-08-24", None))
    assert later.sizes["time"] == 0 or reason(later, record="file") == "no valid value"


def test_quality_columns():
    quality = np.ones((1, 400))
    quality[0, :100] = 0.4
    quality[0, 100:200] = 0.5
    ds = dataset(a=series()).assign(soil_moisture_qc=(("site", "time"), quality))
    row = site_report(ds).iloc[0]
    assert row.low_quality_days == 100
    assert row.filled_percent == pytest.approx(100 * (0.6 * 100 + 0.5 * 100) / 400)
    assert np.isnan(site_report(dataset(a=series())).filled_percent.item())


def test_gaps_are_filled_up_to_the_stated_length_only():
    values = series(400, [0, 10, 20, 21, 30, 31, 32, 399])
    ds = dataset(a=values)
    with unchanged(ds):
        kept, report = screen_sites(ds, max_gap=2)
    filled = kept.soil_moisture.values[0]
    assert np.flatnonzero(np.isnan(filled)).tolist() == [0, 30, 31, 32, 399]
    assert report.interpolated_days.item() == 3
    assert filled[10] == pytest.approx((values[9] + values[11]) / 2)
    assert filled[21] == pytest.approx(values[19] + (values[22] - values[19]) * 2 / 3)
    untouched = np.isfinite(values)
    np.testing.assert_array_equal(filled[untouched], values[untouched])
    assert kept.soil_moisture.attrs["interpolation"] == "linear, gaps of up to 2 days"


def test_nothing_is_filled_by_default():
    ds = dataset(a=series(400, [10]))
    kept, report = screen_sites(ds)
    xr.testing.assert_equal(kept, ds)
    assert report.interpolated_days.item() == 0
    assert kept.soil_moisture.attrs["interpolation"] == "none"


def test_invalid_days_are_judged_before_filling():
    every_fifth = series(400, range(4, 399, 5))
    assert reason(dataset(a=every_fifth), max_gap=1).endswith("invalid, over 10 %")


def test_the_same_whatever_the_order_of_dimensions_their_names_and_dask():
    ds = dataset(a=series(400, [10]), b=series(400, range(50, 100)))
    kept, report = screen_sites(ds, max_gap=3)
    other = ds.transpose("time", "site").rename(site="tower", time="day").chunk(day=50)
    kept_other, report_other = screen_sites(other, max_gap=3, time="day", site="tower")
    pd.testing.assert_frame_equal(report_other, report)
    back = kept_other.compute().rename(tower="site", day="time").transpose("site", "time")
    xr.testing.assert_identical(back, kept)


def test_counts_of_the_reader_are_passed_on():
    ds = dataset(a=series()).assign_coords(rejected_days=("site", [7]))
    row = site_report(ds).iloc[0]
    assert (row.rejected_days, row.inserted_days) == (7, 0)


def test_no_site_kept_is_said_aloud():
    with pytest.warns(UserWarning, match=r"no site is kept \(a: constant\)"):
        kept, _ = screen_sites(dataset(a=np.ones(400)), max_gap=5)
    assert kept.sizes["site"] == 0
    with pytest.warns(UserWarning, match="there was none"):
        screen_sites(dataset(a=series()).isel(site=[]))


def test_one_day():
    assert reason(dataset(a=series(1))) == "1 days, under 365; constant"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "swvl1"}, "no variable 'swvl1'"),
        ({"time": "day"}, "no dimension 'day'"),
        ({"site": "tower"}, "no dimension 'tower'.*expand_dims"),
        ({"max_invalid": 10}, "max_invalid=10 is outside 0 to 1"),
        ({"min_days": 0}, "min_days=0 must be at least 1"),
        ({"max_gap": -1}, "max_gap=-1 at least 0"),
        ({"record": "year"}, 'must be "span" or "file"'),
        ({"record": "file"}, "needs record_start and record_end"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(ValueError, match=message):
        screen_sites(dataset(a=series()), **options)


def test_wrong_dimensions_and_steps():
    ds = dataset(a=series())
    with pytest.raises(ValueError, match=r"has dimensions \['member'\] beside 'site' and 'time'"):
        screen_sites(ds.expand_dims(member=2))
    with pytest.raises(ValueError, match="twice along 'time'"):
        screen_sites(ds.isel(time=[0, 1, 1, 2]))
    with pytest.raises(ValueError, match="missing steps"):
        screen_sites(ds.isel(time=[0, 1, 3, 4]))
    with pytest.raises(ValueError, match="not daily"):
        screen_sites(ds.isel(time=slice(None, None, 5)))
