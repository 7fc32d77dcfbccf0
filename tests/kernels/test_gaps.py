"""Bridges over gaps: the line of numpy and of xarray, and never one that is too long or has one end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xdrought as xd
from tests.support import oracles
from xdrought.definitions import DEFINITIONS, get_definition
from xdrought.kernels.gaps import bridge_gaps, count_missing

VALUES = st.lists(st.one_of(st.none(), st.none(), st.integers(-3, 3), st.floats(-5, 5, width=32)), max_size=40)


def record(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, {"time": pd.date_range("2001-01-01", periods=values.shape[1])}, ("site", "time"))


@settings(deadline=None, max_examples=150)
@given(VALUES, st.integers(0, 12), st.sampled_from(["f4", "f8"]), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_bridge_is_the_line_of_the_slow_reference_and_of_xarray(values, longest, dtype, missing):
    series = np.array([[missing if v is None else v for v in values]], dtype)
    before = series.copy()
    got = bridge_gaps(series, longest)
    np.testing.assert_array_equal(series, before)
    expected = oracles.bridged([None if v is None else float(dtype_of(dtype)(v)) for v in values], longest)
    np.testing.assert_array_equal(got[0], np.array([np.nan if v is None else v for v in expected], dtype))
    if len(values) > 1 and longest:
        da = record(series).where(np.isfinite(series))
        other = da.interpolate_na("time", max_gap=pd.Timedelta(days=longest + 1))
        np.testing.assert_allclose(got, other, rtol=1e-6, atol=1e-6)


def dtype_of(name: str) -> type:
    return np.dtype(name).type


def test_missing_days_are_counted_where_they_are():
    series = np.array([[1, np.nan, np.inf, 2], [np.nan, 1, 2, 3]], "f4")
    rows, first, stop = (np.array(part) for part in ([0, 0, 1, 1], [0, 2, 0, 1], [4, 4, 1, 4]))
    assert count_missing(series, rows, first, stop).tolist() == [2, 1, 1, 0]


def gappy(n_time: int = 900) -> xr.DataArray:
    rng = np.random.default_rng(8)
    values = np.cumsum(rng.standard_normal((4, n_time)), axis=1)
    values[rng.random(values.shape) < 0.03] = np.nan
    values[0, 300:340] = np.nan
    return record(values)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_events_with_bridges_are_those_of_the_record_filled_before(name):
    """By any definition, on dask and off it: bridging is filling, and the days themselves stay missing."""
    da = gappy()
    filled = da.interpolate_na("time", max_gap=pd.Timedelta(days=4))
    ours = xd.flash_drought_events(da, definition=name, max_gap=3)
    theirs = xd.flash_drought_events(filled, definition=name, max_gap=0)
    assert ours.sizes["event"] > 3
    xr.testing.assert_allclose(ours.drop_vars("gap_days"), theirs.drop_vars("gap_days"), rtol=0, atol=1e-9)
    assert ours.gap_days.values.sum() > 0
    assert (theirs.gap_days == 0).all()
    for k in range(ours.sizes["event"]):
        one = ours.isel(event=k)
        last = one.end_time + np.timedelta64(4 if get_definition(name).step == "pentad" else 0, "D")
        days = da[int(one.cell)].sel(time=slice(one.onset_time, last))
        assert int(one.gap_days) == int(days.isnull().sum())
    filled_classes = xd.drought_classes(filled, definition=name, max_gap=0)
    xr.testing.assert_equal(xd.drought_classes(da, definition=name, max_gap=3, fill_gaps=True), filled_classes)
    classes = xd.drought_classes(da, definition=name, max_gap=3)
    xr.testing.assert_equal(classes, filled_classes.where(da.notnull(), -1).astype("int8"))
    lazy = da.chunk(site=1)
    xr.testing.assert_identical(xd.drought_classes(lazy, definition=name, max_gap=3).compute(), classes)
    xr.testing.assert_identical(xd.flash_drought_events(lazy, definition=name, max_gap=3), ours)
    if get_definition(name).step == "day":
        fraction = classes.isin([2, 4]).sum("time") / (classes >= 0).sum("time")
        np.testing.assert_array_equal(xd.drought_summary(da, definition=name, max_gap=3).drought_fraction, fraction)


def test_frozen_days_are_cut_after_gaps_are_bridged():
    p = record(np.repeat([[60.0, 15.0, 30.0]], [5, 21, 10], axis=1))
    p[0, 10] = np.nan
    celsius = xr.full_like(p, 5.0).assign_attrs(units="degC")
    options = {"is_percentile": True, "soil_temperature": celsius, "frozen": "mask"}
    assert xd.flash_drought_events(p, **options).gap_days.values.tolist() == [1]
    celsius[0, 18] = -1.0
    assert xd.flash_drought_events(p, **options).sizes["event"] == 0
    assert xd.drought_classes(p, **options)[0].values.tolist() == [0] * 4 + [-1] * 22 + [0] * 10


def test_who_bridges():
    assert {name: d.max_gap for name, d in DEFINITIONS.items() if d.max_gap} == {"tang2025": 10}
    with pytest.raises(ValueError, match="max_gap=-1; expected days, 0 for no gap that is bridged"):
        get_definition("tang2025", max_gap=-1)
