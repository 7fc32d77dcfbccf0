"""What the suites of neighbouring packages ask, in our words and on our data.

Each expected value comes from a computation that is short enough to be seen to be right: loops over days, runs, cells
and pairs. Named are the packages whose behaviour is restated. Gradient attributions of small networks (captum, shap)
are in tests/models, the table of cross maps on which pyEDM and causal-ccm agree in tests/kernels and tests/causality.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import rankdata

import xdrought

DAYS = pd.date_range("2001-01-01", periods=400)


def daily(values, name="soil_moisture", start="2001-01-01", **attrs) -> xr.DataArray:
    values = np.asarray(values, float)
    days = pd.date_range(start, periods=values.shape[-1])
    dims = ("site", "time")[-values.ndim :]
    coords = {"time": days} | ({"site": [f"S{k}" for k in range(len(values))]} if values.ndim == 2 else {})
    return xr.DataArray(values, coords, dims, name, attrs)


# ---- xclim: run lengths and percentiles of the day of the year -----------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_droughts_without_conditions_are_the_runs_below_the_threshold(seed):
    """As ``xclim.indices.run_length.rle``: lengths of runs, gaps end a run, the last run may be open."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.uniform(0, 99, 400), 1) + 0.03
    p[0] = 90.0
    found = xdrought.flash_drought_events(
        daily(p, "percentile"),
        is_percentile=True,
        upper=20.02,
        lower=20.0,
        min_duration=1,
        recovery=1,
        min_rate=0.0,
    )
    runs, at = [], 0
    for below, steps in groupby(p < 20):
        length = len(list(steps))
        runs += [(at, length)] if below else []
        at += length
    starts = (found.start_time.values - DAYS.values[0]) / np.timedelta64(1, "D")
    assert list(zip(starts.astype(int), found.duration.values.astype(int), strict=True)) == runs
    shortfall = [sum(20 - p[first : first + length]) for first, length in runs]
    np.testing.assert_allclose(found.severity, shortfall, atol=1e-9)


@pytest.mark.parametrize("window", [0, 2, 15])
def test_percentiles_of_the_day_of_the_year(window):
    """As ``xclim.core.calendar.percentile_doy`` in a calendar of 365 days: the window wraps around the year's end."""
    rng = np.random.default_rng(0)
    time = xr.date_range("2001-01-01", periods=6 * 365, calendar="noleap", use_cftime=True)
    values = np.round(rng.random(time.size), 2)  # with ties
    da = xr.DataArray(values, {"time": time}, "time")
    found = xdrought.soil_moisture_percentile(da, pool="dayofyear", window=window, method="linear")
    years = values.reshape(6, 365)
    for day in (0, 1, 58, 59, 363, 364):
        pool = years[:, np.arange(day - window, day + window + 1) % 365].ravel()
        expected = [
            100 * (rankdata(pool)[np.flatnonzero(pool == one)[0]] - 1) / (pool.size - 1) for one in years[:, day]
        ]
        np.testing.assert_allclose(found.values.reshape(6, 365)[:, day], expected, atol=1e-9)


# ---- pyEDM, rEDM, causal-ccm: cross maps and simplex with gaps, exclusion radius and lags -------------------------


def simplex(series, target, dim, tau=1, radius=0, lag=0):
    """Correlation of truth and estimate from the nearest vectors, by all pairs; days that touch a gap are left out."""
    n = len(series)
    days = [
        t
        for t in range((dim - 1) * tau, n)
        if 0 <= t + lag < n
        and np.isfinite(target[t + lag])
        and all(np.isfinite(series[t - k * tau]) for k in range(dim))
    ]
    vectors = {t: np.array([series[t - k * tau] for k in range(dim)]) for t in days}
    estimates = []
    for t in days:
        near = sorted((np.linalg.norm(vectors[t] - vectors[s]), s) for s in days if abs(s - t) > radius)[: dim + 1]
        weights = np.exp(-np.array([d for d, _ in near]) / near[0][0])
        estimates.append(np.average([target[s + lag] for _, s in near], weights=weights))
    truth = [target[t + lag] for t in days]
    return np.corrcoef(truth, estimates)[0, 1], len(days)


def coupled(n=160):
    x, y = np.empty((2, n))
    x[0], y[0] = 0.4, 0.2
    for t in range(n - 1):
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t] - 0.02 * y[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    return x, y


@pytest.mark.parametrize(
    ("dim", "tau", "radius", "lag"), [(2, 1, 0, 0), (3, 2, 0, 0), (2, 1, 5, 0), (2, 1, 0, -2), (3, 1, 2, 1)]
)
def test_cross_maps_with_gaps_lags_and_an_exclusion_radius(dim, tau, radius, lag):
    """As pyEDM drops rows with missing values: nothing is glued across a gap, of either series."""
    x, y = coupled()
    x[40:44], y[90], y[120:122] = np.nan, np.nan, np.nan
    found = xdrought.ccm(
        daily(x, "x"), daily(y, "y"), embedding_dim=dim, tau=tau, exclusion_radius=radius, lag=lag
    ).squeeze()
    for way, (manifold, mapped) in {"cause_to_effect": (y, x), "effect_to_cause": (x, y)}.items():
        rho, n = simplex(manifold, mapped, dim, tau, radius, lag)
        assert found.rho.sel(direction=way).item() == pytest.approx(rho, abs=1e-9)
        assert found.n_pairs.sel(direction=way).item() == n


def test_the_embedding_is_chosen_by_simplex_self_prediction():
    """As ``EmbedDimension`` of pyEDM: each dimension's skill of the next day."""
    x, _ = coupled()
    found = xdrought.choose_embedding(daily(x, "x"), max_dim=4)
    for dim in range(1, 5):
        rho, n = simplex(x, x, dim, lag=1)
        assert found.rho.sel(embedding_dim=dim).item() == pytest.approx(rho, abs=1e-9)
        assert found.n_pairs.sel(embedding_dim=dim).item() == n


# ---- hydroeval, NeuralHydrology: efficiencies ---------------------------------------------------------------------


def test_efficiencies():
    """NSE of Nash and Sutcliffe (1970), KGE of Gupta et al. (2009): population moments, simulated over observed."""
    rng = np.random.default_rng(0)
    seen = 0.3 + 0.05 * np.sin(np.arange(900) / 20) + 0.01 * rng.standard_normal(900)
    said = 0.05 + 0.8 * seen + 0.01 * rng.standard_normal(900)
    found = xdrought.verify(daily(said)[800:], daily(seen), lead=3, n_boot=1)
    o, s = seen[800:], said[800:]
    nse = 1 - ((s - o) ** 2).sum() / ((o - o.mean()) ** 2).sum()
    kge = 1 - np.sqrt(
        (np.corrcoef(s, o)[0, 1] - 1) ** 2 + (s.std() / o.std() - 1) ** 2 + (s.mean() / o.mean() - 1) ** 2
    )
    of_forecast = found.sel(model="forecast").squeeze("site")
    assert of_forecast.nse.item() == pytest.approx(nse, abs=1e-9)
    assert of_forecast.kge.item() == pytest.approx(kge, abs=1e-9)
    held = seen[797:897]
    assert found.nse.sel(model="persistence").item() == pytest.approx(
        1 - ((held - o) ** 2).sum() / ((o - o.mean()) ** 2).sum(), abs=1e-9
    )


# ---- scores, xskillscore: contingency, reliability, discrimination -------------------------------------------------


def test_contingency_of_two_by_two():
    """Finley's tornadoes (1884), on which the books agree: 28 hits, 72 false alarms, 23 misses, 2680 correct nos."""
    counts = {(1, 1): 28, (1, 0): 72, (0, 1): 23, (0, 0): 2680}
    said, seen = (np.repeat([pair[k] for pair in counts], list(counts.values())) for k in (0, 1))
    flags = {"flag_values": [0, 1], "flag_meanings": "calm tornado"}
    classes = [xr.DataArray(one.astype("int8"), dims="day", attrs=flags) for one in (said, seen)]
    found = xdrought.occurrence_scores(*classes, event="tornado", time="day")
    assert found.pod.item() == pytest.approx(0.549, abs=5e-4)
    assert found.far.item() == pytest.approx(0.720, abs=5e-4)
    assert found.csi.item() == pytest.approx(0.228, abs=5e-4)
    assert found.frequency_bias.item() == pytest.approx(1.961, abs=5e-4)


def test_reliability_and_the_area_under_the_curve_by_counting():
    """Bins as xskillscore's ``reliability``, closed at the upper end of the last; the area as the share of pairs."""
    rng = np.random.default_rng(0)
    p = np.round(rng.random((3, 120)), 2)
    began = (rng.random((3, 120)) < p).astype(float)
    found = xdrought.probability_scores(daily(p, "p"), daily(began, "began"), n_bins=5)
    for k, (low, high) in enumerate(zip(np.arange(0, 1, 0.2), np.arange(0.2, 1.1, 0.2), strict=True)):
        inside = (p >= low - 1e-12) & ((p < high - 1e-12) | (k == 4))
        assert found.n_in_bin[k].item() == inside.sum()
        assert found.observed_frequency[k].item() == pytest.approx(began[inside].mean())
        assert found.mean_probability[k].item() == pytest.approx(p[inside].mean())
    given = xr.Dataset(
        {
            name: daily(one, name)
            for name, one in (
                ("flash_onset_probability", p),
                ("season_frequency", 0 * p + 0.3),
                ("percentile_frequency", 1 - p),
            )
        }
    )
    auc = xdrought.onset_skill(given, daily(began, "began"), part=None, n_boot=0).auc
    yes, no = p[began == 1], p[began == 0]
    pairs = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
    np.testing.assert_allclose(auc, [pairs, 0.5, 1 - pairs], atol=1e-9)


# ---- scikit-image, tobac: connected objects over the date line ----------------------------------------------------


@pytest.mark.parametrize(("connectivity", "seed"), [("full", 0), ("full", 1), ("face", 0), ("face", 2)])
def test_objects_are_flood_filled_over_the_date_line(connectivity, seed):
    rng = np.random.default_rng(seed)
    dry = rng.random((6, 4, 12)) < 0.15
    coords = {"time": DAYS[:6], "lat": [45.0, 15.0, -15.0, -45.0], "lon": np.arange(-180.0, 180.0, 30.0)}
    found = xdrought.drought_objects(xr.DataArray(dry, coords, tuple(coords)), connectivity=connectivity)
    steps = [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if (a, b, c) != (0, 0, 0)]
    steps = [one for one in steps if connectivity == "full" or sum(map(abs, one)) == 1]
    left, objects = set(zip(*np.nonzero(dry), strict=True)), []
    while left:
        fill, queue = set(), [left.pop()]
        while queue:
            t, i, j = queue.pop()
            fill.add((t, i, j))
            near = {(t + a, i + b, (j + c) % 12) for a, b, c in steps} & left
            left -= near
            queue += near
        objects.append(frozenset((int(t), int(i), int(j)) for t, i, j in fill))
    number = found.object_id.values
    ours = {
        frozenset(zip(*(axis.tolist() for axis in np.nonzero(number == k)), strict=True))
        for k in range(1, number.max() + 1)
    }
    assert ours == set(objects)
