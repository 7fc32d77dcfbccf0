"""P(a flash drought begins within the lead): paths worked with a pencil, a literal oracle, and labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import random_grid, random_sites
from xdrought.definitions import DEFINITIONS
from xdrought.forecast.fitting import predict
from xdrought.kernels.onset_share import OnsetRule, flash_onset_share
from xdrought.percentiles import soil_moisture_percentile

TARGET, NAN = "soil_moisture", np.nan
RULE = OnsetRule(upper=40.0, lower=20.0, min_rate=1.0, max_onset=np.inf)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


def begins(path: list[float], rule: OnsetRule) -> set[int]:
    """Days on which a flash drought begins, read off one path by its definition."""
    found = set()
    for day, p in enumerate(path):
        if not (p <= rule.lower if rule.dry_at_lower else p < rule.lower):
            continue
        top = day - 1
        while top >= 0 and not (path[top] >= rule.upper if rule.wet_at_upper else path[top] > rule.upper):
            is_dry = path[top] <= rule.lower if rule.dry_at_lower else path[top] < rule.lower
            if np.isnan(path[top]) or is_dry:
                top = -1
            top -= 1
        if top >= 0 and (path[top] - p) / (day - top) >= rule.min_rate and day - top <= rule.max_onset:
            found.add(day)
    return found


def oracle(observed, members, lead: int, latency: int, rule: OnsetRule) -> np.ndarray:
    """Each day of issue by itself, each path written out."""
    out = np.full(len(observed) + lead, NAN)
    for issue in range(latency, len(observed)):
        last = issue - latency
        ahead = range(last + 1, issue + lead + 1)
        paths = [[*observed[: last + 1], *(one[d] for d in ahead)] for one in members]
        if np.isfinite(observed[last]) and all(np.isfinite(path[last + 1 :]).all() for path in paths):
            out[issue + lead] = np.mean([any(d > issue for d in begins(path, rule)) for path in paths])
    return out


@pytest.mark.parametrize(
    ("observed", "after", "expected"),
    [
        ([50, 30], [25, 15], 1.0),  # from 50 to 15 in three days
        ([50, 30], [25, 20], 0.0),  # 20 is not below 20
        ([41, *[30] * 30], [25, 15], 0.0),  # 26 in 32 days is too slow
        ([41, *[30] * 23], [16, 16], 1.0),  # 25 in 24 days is fast enough, the second day is not needed
        ([50, 15, 30], [25, 15], 0.0),  # it was dry before without being wet since
        ([50, 15, 41], [25, 15], 1.0),
        ([30, 30], [25, 15], 0.0),  # never wet
        ([30, 30], [45, 15], 1.0),  # wet in the forecast
        ([50, 15], [10, 5], 0.0),  # it has begun already
        ([50, NAN, 30], [25, 15], 0.0),  # what was before the gap is not known
        ([50, 30, NAN], [25, 15], NAN),  # neither is the last day
        ([50, 30], [NAN, 15], NAN),
    ],
)
def test_paths_by_pencil(observed, after, expected):
    members = np.full((1, len(observed) + 2), 99.0)
    members[0, -2:] = after
    share = flash_onset_share(np.array(observed, float), members, 2, 0, RULE)
    np.testing.assert_equal(share[-1], expected)
    assert begins([1.0, 50.0, 19.0], RULE) == {2}  # the oracle can say yes


def test_shares_of_several():
    members = np.array([[0, 0, 25, 15], [0, 0, 25, 25], [0, 0, 15, 50], [0, 0, 50, 45.0]])
    assert flash_onset_share(np.array([50.0, 30.0]), members, 2, 0, RULE)[-1] == 0.5


values = st.sampled_from([NAN, 5.0, 19.0, 20.0, 25.0, 40.0, 41.0, 60.0])


@given(
    st.data(),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(1, 9),
    st.builds(
        OnsetRule,
        st.just(40.0),
        st.just(20.0),
        st.sampled_from([0.0, 1.0, 7.0]),
        st.sampled_from([np.inf, 2.0]),
        st.booleans(),
        st.booleans(),
    ),
)
def test_the_oracle_agrees(data, lead, latency, n_days, rule):
    observed = np.array(data.draw(st.lists(values, min_size=n_days, max_size=n_days)))
    rows = st.lists(values, min_size=n_days + lead, max_size=n_days + lead)
    members = np.array(data.draw(st.lists(rows, min_size=1, max_size=3)))
    found = flash_onset_share(observed, members, lead, latency, rule)
    np.testing.assert_array_equal(found, oracle(observed, members, lead, latency, rule))
    twice = flash_onset_share(
        np.stack([observed, observed[::-1]]), np.stack([members] * 2, axis=1), lead, latency, rule
    )
    np.testing.assert_array_equal(twice[0], found)


# --- on labels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("history", "latency"), [(False, 0), (True, 2)])
def test_it_is_the_share_of_the_runs(history, latency):
    ds = random_sites(2, 80)
    forecaster = untrained(ds, runs=3, history=history, change=history, latency=latency)
    forecast = predict(ds, forecaster, probability="tang2025")
    found = forecast.flash_onset_probability
    assert found.dims == ("site", "time")
    assert found.attrs["definition"] == "tang2025"
    train = ds[TARGET].where(forecaster.splits.training_days(ds.time).drop_vars("part", errors="ignore"))
    for site in ds.site.values:
        reference = train.sel(site=site)
        observed = soil_moisture_percentile(ds[TARGET].sel(site=site), reference=reference).values
        members = soil_moisture_percentile(
            forecast[TARGET].sel(site=site).drop_vars("init_time"), reference=reference
        ).values
        np.testing.assert_array_equal(found.sel(site=site), oracle(observed, members, 2, latency, RULE))
    assert found.notnull().any()
    assert bool((found > 0).any()) is history  # without weights and without the last report they stay in the middle
    xr.testing.assert_identical(forecast.drop_vars("flash_onset_probability"), predict(ds, forecaster))


def test_nothing_after_issue_is_seen():
    ds = random_sites(2, 80)
    forecaster = untrained(ds, runs=3, change=True, latency=1)
    reference = ds[TARGET].isel(time=slice(50))
    options = {"probability": "tang2025", "reference": reference}
    before = predict(ds, forecaster, **options).flash_onset_probability
    other = ds.assign({TARGET: ds[TARGET].where(ds.time < ds.time[60], 0.0)})
    after = predict(other, forecaster, **options).flash_onset_probability
    issued = before.init_time <= ds.time[60]  # day 60 is reported a day later
    xr.testing.assert_identical(after.where(issued), before.where(issued))
    assert not after.where(~issued).equals(before.where(~issued))


def test_lazy_and_on_grids():
    ds = random_grid(4, 5, 50)
    forecaster = untrained(ds, target="swvl1", size=2, runs=2)
    expected = predict(ds, forecaster, probability="tang2025")
    assert expected.flash_onset_probability.dims == ("time", "lat", "lon")
    with raise_if_dask_computes():
        lazy = predict(ds.chunk(lat=2, lon=2), forecaster, probability="tang2025")
    xr.testing.assert_identical(lazy.compute(), expected)


def test_refusals():
    ds = random_sites(2, 80)
    two = untrained(ds, runs=2)
    with pytest.raises(ValueError, match="this forecaster has one; train with runs=10"):
        predict(ds, untrained(ds), probability="tang2025")
    with pytest.raises(KeyError, match="no variable 'soil_moisture'.*is asked for a probability"):
        predict(ds.drop_vars(TARGET), two, probability="tang2025")
    with pytest.raises(ValueError, match="'yuan2019'.*cannot be read off daily paths"):
        predict(ds, two, probability="yuan2019")
    with pytest.raises(TypeError, match="probability=True is no definition"):
        predict(ds, two, probability=True)
    later = ds.assign_coords(time=ds.time + np.timedelta64(3650, "D"))
    with pytest.raises(ValueError, match="no day of the training.*give reference="):
        predict(later, two, probability="tang2025")
    assert predict(later, two, probability="tang2025", reference=ds[TARGET]).flash_onset_probability.notnull().any()
    own = replace(DEFINITIONS["tang2025"], name="own", lower=30.0)
    assert predict(ds, two, probability=own).flash_onset_probability.attrs["lower"] == 30
