"""Scores of quantiles and members: by hand, by `scores`, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from xdrought import dressed_persistence_forecast, verify
from xdrought.verification.distributions import crps_of_quantiles

DAYS = pd.date_range("2001-01-01", periods=3000)
LEVELS = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]


def records(n_site=4, seed=0) -> xr.DataArray:
    """Red noise: tomorrow is 0.9 of today and a step of standard deviation 0.436, so that the variance is 1."""
    rng = np.random.default_rng(seed)
    values = np.zeros((n_site, DAYS.size))
    for t in range(1, DAYS.size):
        values[:, t] = 0.9 * values[:, t - 1] + np.sqrt(1 - 0.81) * rng.standard_normal(n_site)
    coords = {"site": [f"S{k}" for k in range(n_site)][::-1], "time": DAYS}
    return xr.DataArray(values, coords, ("site", "time"), "sm", {"units": "mm"})


def perfect(seen: xr.DataArray, lead: int, levels=LEVELS) -> xr.DataArray:
    """The true distribution, given the value `lead` days before."""
    past = seen.shift(time=lead)
    spread = xr.DataArray(norm.ppf(levels) * np.sqrt(1 - 0.81**lead), {"quantile": levels}, "quantile")
    return (0.9**lead * past + spread).isel(time=slice(2000, None)).assign_attrs(units="mm")


def test_the_truth_is_calibrated_and_as_good_as_dressed_persistence():
    seen = records()
    scores = verify(perfect(seen, 3), seen, lead=3, n_boot=200)
    assert scores.distribution.values.tolist() == ["forecast"]
    assert scores.site.values.tolist() == seen.site.values.tolist()
    one = scores.isel(distribution=0)
    np.testing.assert_allclose(one.coverage_pooled, one.interval_level, atol=0.02)
    assert one.interval_level.values.tolist() == [0.9, 0.8, 0.5]
    np.testing.assert_allclose(one.pit, 1, atol=0.2)
    assert abs(one.crps_skill_summary[0]) < 0.03  # of red noise dressed persistence is the truth, too
    assert one.crps_skill_interval[0] < one.crps_skill_summary[0] < one.crps_skill_interval[1]
    expected = np.sqrt(1 - 0.81**3) / np.sqrt(np.pi)  # CRPS of a normal distribution about its own mean, on average
    assert one.crps_summary[1] == pytest.approx(expected, rel=0.05)
    # the point scores are those of the median
    median = verify(perfect(seen, 3).sel(quantile=0.5, drop=True), seen, lead=3, n_boot=200)
    xr.testing.assert_allclose(scores.nse.sel(model="forecast"), median.nse.sel(model="forecast"))
    without = perfect(seen, 3).drop_sel(quantile=0.5)
    assert verify(without, seen, lead=3, n_boot=2).nse.sel(model="forecast").values == pytest.approx(
        median.nse.sel(model="forecast").values, abs=0.01
    )


def test_a_wrong_spread_is_seen():
    seen = records()
    right = perfect(seen, 3)
    narrow = right.sel(quantile=0.5, drop=True) + (right - right.sel(quantile=0.5, drop=True)) / 2
    scores = verify({"right": right, "narrow": narrow}, seen, lead=3, n_boot=200)
    assert (scores.crps.sel(distribution="narrow") > scores.crps.sel(distribution="right")).all()
    assert float(scores.coverage_pooled.sel(distribution="narrow", interval_level=0.9)) < 0.65
    pit = scores.pit.sel(distribution="narrow")
    assert min(pit[0], pit[-1]) > 3 > pit[3]


def test_crps_of_quantiles_by_hand():
    levels = [0.25, 0.75]
    da = xr.DataArray([[1.0, 3.0]], dims=("time", "quantile"))
    # pinball at 2: 0.25 * 1 and 0.25 * 1; each stands for half of the levels; twice that
    assert crps_of_quantiles(da, xr.DataArray([2.0], dims="time"), levels).item() == pytest.approx(0.5)
    many = np.linspace(0.005, 0.995, 100)
    normal = xr.DataArray(norm.ppf(many)[None], dims=("time", "quantile"))
    found = crps_of_quantiles(normal, xr.DataArray([0.7], dims="time"), many.tolist()).item()
    assert found == pytest.approx(0.7 * (2 * norm.cdf(0.7) - 1) + 2 * norm.pdf(0.7) - 1 / np.sqrt(np.pi), rel=0.01)


def test_members_are_scored_as_those_of_scores():
    from scores.probability import crps_for_ensemble

    seen = records()
    rng = np.random.default_rng(1)
    mean = perfect(seen, 3).sel(quantile=0.5, drop=True)
    shift = xr.DataArray(rng.standard_normal(20) * 0.6, {"member": range(20)}, "member")
    members = (mean + shift).transpose("site", "time", "member")
    found = verify(members, seen, lead=3, n_boot=2).crps.isel(distribution=0, drop=True)
    truth = seen.sel(time=members.time)
    expected = crps_for_ensemble(members, truth, "member", preserve_dims=["site"])
    xr.testing.assert_allclose(found, expected.sel(site=found.site), rtol=1e-6)
    some = members.where((members.site != "S0") | (members.member > 4))  # a place of fewer members
    assert verify(some, seen, lead=3, n_boot=2).crps.notnull().all()


def test_dressed_persistence_holds_its_training_errors():
    seen = records(1)
    late = seen.isel(time=slice(2000, None))
    found = dressed_persistence_forecast(seen, late, quantiles=[0.1, 0.9], train=slice(None, DAYS[1990]), lead=5)
    inside = ((late >= found.isel(quantile=0)) & (late <= found.isel(quantile=1))).mean().item()
    assert inside == pytest.approx(0.8, abs=0.06)
    changed = seen.where(seen.time < DAYS[2000], seen + 50)
    again = dressed_persistence_forecast(changed, late, quantiles=[0.1, 0.9], train=slice(None, DAYS[1990]), lead=5)
    xr.testing.assert_allclose(found.diff("quantile"), again.diff("quantile"))  # later days do not widen it


def test_leads_are_scored_one_by_one():
    seen = records()
    leads = pd.to_timedelta([1, 3], unit="D")
    days = [perfect(seen, k).assign_coords(time=DAYS[2000:] - pd.Timedelta(days=k)) for k in (1, 3)]
    forecast = xr.concat([d.isel(time=slice(5, 900)) for d in days], pd.Index(leads, name="lead_time"), join="inner")
    scores = verify(forecast.rename(time="init_time"), seen, n_boot=2)
    assert scores.crps.dims == ("lead_time", "distribution", "site")
    assert (scores.crps.isel(lead_time=0) < scores.crps.isel(lead_time=1)).all()


def test_what_cannot_be_scored_is_told():
    seen = records(1)
    both = perfect(seen, 3).expand_dims(member=2)
    with pytest.raises(ValueError, match="quantiles of several members"):
        verify(both, seen, lead=3)
    assert "crps" in verify(both.isel(member=0), seen, lead=3, n_boot=2)
    with pytest.raises(ValueError, match="no median to score"):
        verify(perfect(seen, 3, [0.8, 0.9]), seen, lead=3)
    with pytest.raises(ValueError, match="growing order"):
        dressed_persistence_forecast(seen, seen[:, 50:], quantiles=[0.9, 0.1], train=slice(None, DAYS[900]), lead=3)
