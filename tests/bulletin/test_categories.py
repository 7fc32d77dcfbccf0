"""Categories are those of the Drought Monitor's table, and percentiles of indices those of the normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import xdrought
from tests.support.helpers import raise_if_dask_computes
from xdrought.bulletin import CATEGORIES, drought_categories, index_percentile


def percentiles(values, **attrs) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, float), dims="time", name="percentile", attrs={"units": "percent"} | attrs)


@pytest.mark.parametrize(
    ("least", "most", "name"),
    [(30.01, 100, "none"), (20.01, 30, "D0"), (10.01, 20, "D1"), (5.01, 10, "D2"), (2.01, 5, "D3"), (0, 2, "D4")],
)
def test_the_table_of_the_drought_monitor(least, most, name):
    found = drought_categories(percentiles(np.linspace(least, most, 9)))
    assert set(found.values.tolist()) == {CATEGORIES[name]}


def test_missing_stays_missing_and_flags_name_the_classes():
    found = drought_categories(percentiles([np.nan, 1.0]))
    assert found.values.tolist() == [-1, 5]
    assert found.attrs["flag_meanings"].split()[found.attrs["flag_values"].tolist().index(5)] == "D4"
    assert found.dtype == np.int8


def test_other_thresholds():
    found = drought_categories(percentiles([21.0, 19.0]), thresholds=(20, 10, 5, 2, 1))
    assert found.values.tolist() == [0, 1]


def test_dask_stays_lazy_and_gives_the_same():
    values = percentiles(np.linspace(0, 100, 60))
    with raise_if_dask_computes():
        lazy = drought_categories(values.chunk(time=7))
        lazier = index_percentile((values / 50 - 1).drop_attrs().chunk(time=7))
    xr.testing.assert_identical(lazy.compute(), drought_categories(values))
    xr.testing.assert_identical(lazier.compute(), index_percentile((values / 50 - 1).drop_attrs()))


@pytest.mark.parametrize("thresholds", [(30, 20, 10), (2, 5, 10, 20, 30), (30, 20, 10, 5, 0)])
def test_thresholds_that_are_none_are_refused(thresholds):
    with pytest.raises(ValueError, match="give five falling percentiles"):
        drought_categories(percentiles([1.0]), thresholds=thresholds)


def test_what_is_no_percentile_or_index_is_refused():
    with pytest.raises(ValueError, match="-9999"):
        drought_categories(percentiles([-9999.0, 3.0]))
    with pytest.raises(TypeError, match="must be a DataArray, got list"):
        drought_categories([1.0])
    with pytest.raises(TypeError, match="expected numbers"):
        index_percentile(xr.DataArray(["a"], dims="time"))
    with pytest.raises(ValueError, match="'mm'; a standardised index has none"):
        index_percentile(percentiles([0.0], units="mm"))
    with pytest.raises(ValueError, match="-9999 is no standard deviate; use da.where"):
        index_percentile(percentiles([-9999.0], units="1"))
    with pytest.raises(ValueError, match="dry='wet' is unknown"):
        index_percentile(percentiles([0.0], units="1"), dry="wet")


def test_percentiles_of_an_index_are_those_of_the_normal_distribution():
    values = percentiles([-2.5, -0.3, 0.0, 1.7, np.nan], units="1")
    np.testing.assert_allclose(index_percentile(values), 100 * norm.cdf(values.values))
    np.testing.assert_allclose(index_percentile(values, dry="high"), 100 * norm.sf(values.values))


def test_an_index_makes_droughts_like_its_percentile():
    time = xr.date_range("2001-01-01", periods=400)
    wave = xr.DataArray(2 * np.sin(np.arange(400) / 25), {"time": time}, "time", attrs={"units": "1"})
    percentile = index_percentile(wave)
    events = xdrought.flash_drought_events(percentile, is_percentile=True)
    dry = percentile.where(percentile < 20, drop=True)
    assert events.sizes["event"] > 1
    assert events.start_time.isin(dry.time).all()
