"""The report of an audit: how it is read, what is refused, and the numbers that it rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from tests.support.audited import (
    TARGET,
    train_days,
    trained,
)
from xdrought.leakage import AlarmThreshold, Finding, LeakageReport, audit_leakage
from xdrought.leakage.future_checks import pairwise_correlation


def test_an_alarm_s_threshold_is_scored_by_counts(ds):
    """Of four forecasts two come true; from 0.4 on: two hits, one false alarm."""
    p = xr.DataArray([0.1, 0.4, 0.6, 0.9], {"time": ds.time[:4].values}, ("time",))
    given = AlarmThreshold(0.4, p, xr.DataArray([0, 1, 0, 1], p.coords, ("time",)))
    assert given.scores(xr.ones_like(p, dtype=bool)) == pytest.approx((2 / 3, 2 / 3))
    assert replace(given, score="f1", value=0.9).scores(xr.ones_like(p, dtype=bool)) == pytest.approx((2 / 3, 4 / 5))
    assert replace(given, score="peirce", value=0.7).scores(xr.ones_like(p, dtype=bool)) == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match="value=2; it is a probability"):
        replace(given, value=2)
    with pytest.raises(ValueError, match="score='best' is unknown"):
        replace(given, score="best")


def test_a_report_is_read_as_text_table_and_html():
    found = LeakageReport(
        "Rec, 1 run",
        (
            Finding("scaling", "LEAK", "mean <and> spread", "the whole record", {"difference": 0.25, "days": 3}),
            Finding("order", "passed", "days", "one after the other"),
            Finding("causality", "unknown", "degrees", "cannot be told"),
        ),
    )
    assert not found.clean
    assert (found.leaks, found.unknown) == (("scaling",), ("causality",))
    assert found["order"].computed_on == "one after the other"
    first, second, *_ = str(found).splitlines()
    assert first == "<xdrought.LeakageReport of Rec, 1 run: LEAK in scaling; unknown: causality>"
    assert second == "  scaling   LEAK     the whole record"
    table = found.to_dataframe()
    assert table.index.tolist() == ["scaling", "order", "causality"]
    assert table.loc["scaling", "numbers"] == "difference 0.25, days 3"
    assert "mean &lt;and&gt; spread" in found._repr_html_()
    with pytest.raises(KeyError, match="no check 'order of days'; there are"):
        found["order of days"]


def test_what_is_refused(ds):
    forecaster = trained()
    with pytest.raises(ValueError, match="near_km=0; it is a distance in km above 0"):
        audit_leakage(forecaster, ds, near_km=0)
    with pytest.raises(TypeError, match="reference must be a DataArray, got slice"):
        audit_leakage(forecaster, ds, reference=slice(None))
    with pytest.raises(
        TypeError, match=r"forcing must be a Dataset, got DataArray; make it one, forcing.to_dataset\(\)"
    ):
        audit_leakage(forecaster, ds, forcing=ds.tp)
    with pytest.raises(TypeError, match="threshold must be an AlarmThreshold, got float"):
        audit_leakage(forecaster, ds, threshold=0.5)
    with pytest.raises(TypeError, match="start_from must be a Forecaster, got str; load it, xdrought.load_forecaster"):
        audit_leakage(forecaster, ds, start_from="first.xdrought")
    # The cures are followed where what is asked for is looked at, as this is.
    assert audit_leakage(forecaster, ds, reference=ds[TARGET].where(train_days(ds)), start_from=forecaster).clean
    with pytest.raises(TypeError, match="ds must be a Dataset, got DataArray"):
        audit_leakage(forecaster, ds.tp)
    with pytest.raises(KeyError, match=r"no variable \['t2m'\]"):
        audit_leakage(forecaster, ds.drop_vars("t2m"))


def test_correlations_of_many_are_those_of_each_pair():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 90)), 1e4 + rng.standard_normal((3, 90))
    b[0] += 3 * a[1]
    b[2] = 7.0
    a[rng.random(a.shape) < 0.2], b[rng.random(b.shape) < 0.2] = np.nan, np.nan
    r, n = pairwise_correlation(a, b)
    for i in range(4):
        for j in range(3):
            both = np.isfinite(a[i]) & np.isfinite(b[j])
            assert n[i, j] == both.sum()
            expected = np.corrcoef(a[i][both], b[j][both])[0, 1] if j < 2 else np.nan
            np.testing.assert_allclose(r[i, j], expected, rtol=1e-9)
