"""Options of cross mapping: lags, seasons, an embedding for each direction, convergence and its tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support import oracles_ccm as slow
from tests.support.causal_series import BACKWARD, FORWARD, logistic, weather
from tests.support.helpers import raise_if_dask_computes
from xdrought.causality import ccm
from xdrought.kernels import cross_map_blocks
from xdrought.kernels.cross_map import Settings, library_skill

# lags


def test_each_lag_is_that_of_its_own_call():
    ds = weather()
    found = ccm(ds[["t2m", "tp"]], ds["sm"], lag=[-2, 0, 3])
    assert found.rho.sizes == {"site": 3, "variable": 2, "direction": 2, "lag": 3}
    assert found["lag"].values.tolist() == [-2, 0, 3]
    for lag in (-2, 0, 3):
        one = ccm(ds[["t2m", "tp"]], ds["sm"], lag=lag)
        assert "lag" not in one.dims
        assert one.attrs["lag"] == lag
        xr.testing.assert_identical(found.sel(lag=lag, drop=True).drop_attrs(), one.drop_attrs())


def test_a_lag_estimates_the_other_series_that_many_steps_later():
    x, y = logistic(60)
    found = ccm(x, y, lag=[-3, 2], embedding_dim=3)
    for lag in (-3, 2):
        moved = pd.Series(x.values).shift(-lag).to_numpy()  # the value of day t + lag on day t
        rho, n = slow.skill(y.values, moved, 3, 1)
        cell = found.sel(direction=FORWARD, lag=lag)
        assert cell.rho.item() == pytest.approx(rho, abs=1e-10)
        assert cell.n_pairs.item() == n


def test_a_delayed_cause_is_found_at_its_lag():
    rng = np.random.default_rng(0)
    x = np.empty(603)
    x[:3] = 0.4, 0.3, 0.2
    for t in range(602):
        x[t + 1] = 3.8 * x[t] * (1 - x[t])
    y = np.full(603, 0.3)
    for t in range(3, 602):
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.4 * x[t - 3])
    x, y = (xr.DataArray(v[3:] + 1e-3 * rng.standard_normal(600), dims="time") for v in (x, y))
    skill = ccm(x, y, lag=np.arange(-7, 3), direction=FORWARD, embedding_dim=3).rho
    assert skill.idxmax("lag") in (-5, -4, -3)  # x three steps earlier has made the step before


def test_lags_and_library_sizes_have_a_dimension_each():
    x, y = logistic(120)
    found = ccm(x, y, lag=[0, 1], library_size=[20, 60], library_samples=4, surrogates=19, deseasonalize=False)
    assert found.rho.dims == ("direction", "lag", "library_size")
    assert found.convergence.dims == found.surrogate_p_value.dims == ("direction", "lag")
    one = ccm(x, y, lag=1, library_size=[20, 60], library_samples=4, surrogates=19, deseasonalize=False)
    xr.testing.assert_identical(found.sel(lag=1, drop=True).drop_attrs(), one.drop_attrs())


# seasons


def season(ds: xr.Dataset) -> xr.DataArray:
    return ds["time"].dt.month.isin([5, 6, 7])


def test_a_season_is_library_and_prediction_with_delays_from_the_full_record():
    ds = weather(n_time=200, n_site=1).isel(site=0)
    days = season(ds)
    found = ccm(ds["t2m"], ds["sm"], where=days, embedding_dim=3, tau=2)
    for direction, (manifold, target) in {FORWARD: ("sm", "t2m"), BACKWARD: ("t2m", "sm")}.items():
        only = np.where(days, ds[target], np.nan)
        rho, n = slow.skill(ds[manifold].values, only, 3, 2)
        assert found.rho.sel(direction=direction).item() == pytest.approx(rho, abs=1e-10)
        assert found.n_pairs.sel(direction=direction).item() == n == int(days.sum())
    lone = ccm(ds["t2m"].where(days), ds["sm"].where(days), embedding_dim=3, tau=2)
    assert (lone.n_pairs < found.n_pairs).all()  # the first days of May have no delays there


def test_a_season_counts_by_the_day_of_the_manifold_at_every_lag():
    ds = weather(n_time=200, n_site=1).isel(site=0)
    days = season(ds)
    found = ccm(ds["t2m"], ds["sm"], where=days, lag=-4, direction=FORWARD)
    moved = pd.Series(ds["t2m"].values).shift(4).where(days.values).to_numpy()
    rho, n = slow.skill(ds["sm"].values, moved, 2, 1)
    assert found.rho.item() == pytest.approx(rho, abs=1e-10)
    assert found.n_pairs.item() == n == int(days.sum())


def test_a_mask_may_differ_by_site_and_by_a_dimension_of_the_cause_only():
    ds = weather(n_time=120)
    cause = ds["t2m"].expand_dims(cell=2) * xr.DataArray([1.0, -2.0], dims="cell") + ds["tp"]
    rng = np.random.default_rng(0)
    where = xr.DataArray(rng.random((3, 120, 2)) > 0.4, dims=("site", "time", "cell")).assign_coords(
        time=ds["time"], site=ds["site"]
    )
    found = ccm(cause, ds["sm"], where=where, exclusion_radius=2)
    for site, cell in itertools.product(range(3), range(2)):
        one = ccm(
            cause.isel(site=site, cell=cell),
            ds["sm"].isel(site=site),
            where=where.isel(site=site, cell=cell),
            exclusion_radius=2,
        )
        xr.testing.assert_allclose(found.isel(site=site, cell=cell).rho, one.rho)
        assert (one.n_pairs <= int(where.isel(site=site, cell=cell).sum())).all()


def test_a_mask_of_all_days_changes_nothing():
    ds = weather(n_time=100)
    where = xr.ones_like(ds["time"], dtype=bool)
    options = {"library_size": [20, 60], "library_samples": 3, "surrogates": 19, "deseasonalize": False}
    xr.testing.assert_identical(ccm(ds["t2m"], ds["sm"], where=where, **options), ccm(ds["t2m"], ds["sm"], **options))


def test_a_mask_is_lazy_too():
    ds = weather(n_time=100)
    where = season(ds) & (ds["site"] != "S1")
    eager = ccm(ds[["t2m", "tp"]], ds["sm"], where=where, lag=[0, 1])
    for mask in (where, where.chunk(site=1)):
        with raise_if_dask_computes():
            lazy = ccm(ds[["t2m", "tp"]].chunk(site=1), ds["sm"].chunk(site=1), where=mask, lag=[0, 1])
        xr.testing.assert_allclose(lazy.compute(), eager)
    assert (eager.n_pairs.sel(site="S1") == 0).all()


def test_lazy_coordinates_of_other_sources_are_not_compared():
    ds = weather(n_time=60)
    effect, cause = ds["sm"].chunk(site=1), ds["t2m"].chunk(site=3)  # `lat` is lazy in both, and not the same graph
    with raise_if_dask_computes():
        found = ccm(cause, effect)
    np.testing.assert_array_equal(found["lat"], ds["lat"])


# an embedding for each direction


def test_each_direction_has_its_own_embedding():
    ds = weather(n_time=120)
    dims, taus = {FORWARD: 3, BACKWARD: 4}, {FORWARD: 1, BACKWARD: 2}
    found = ccm(ds["t2m"], ds["sm"], embedding_dim=dims, tau=taus)
    for direction in (FORWARD, BACKWARD):
        one = ccm(ds["t2m"], ds["sm"], embedding_dim=dims[direction], tau=taus[direction], direction=direction)
        xr.testing.assert_identical(found.sel(direction=direction).drop_attrs(), one.drop_attrs())
    assert found.attrs["embedding_dim"] == [3, 4]
    assert found.attrs["tau"] == [1, 2]
    only = ccm(ds["t2m"], ds["sm"], embedding_dim=dims, direction=BACKWARD)
    assert only.attrs["embedding_dim"] == 4


# convergence


def test_convergence_is_the_gain_of_each_nested_library():
    x, y = logistic(200)
    sizes = (20, 60, 150)
    found = ccm(x, y, library_size=sizes, library_samples=25, seed=3, direction=FORWARD)
    samples = library_skill(y.values, x.values[None], Settings(library_sizes=sizes, samples=25, seed=3), 0).rho[0]
    gain = samples[2] - samples[0]
    assert found.convergence.item() == pytest.approx(gain.mean())
    assert found.convergence.item() == pytest.approx((found.rho[2] - found.rho[0]).item())
    assert found.convergence_lower.item() == pytest.approx(np.quantile(gain, 0.025))
    assert found.convergence_upper.item() == pytest.approx(np.quantile(gain, 0.975))
    assert found.convergence_lower > 0
    low, high = (math.atanh(r) for r in found.rho.values[[0, 2]])
    z = (high - low) / math.sqrt(2 / (199 - 3))
    assert found.fisher_z.item() == pytest.approx(z)
    assert found.fisher_p_value.item() == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)))


def grown(curve, n=100, samples=4) -> dict[str, float]:
    rho = np.repeat(np.array(curve, float)[None, :, None], samples, axis=-1)
    pairs = np.full((1, len(curve)), n)
    values = cross_map_blocks.growth_of(rho, pairs, np.arange(10, 10 * len(curve) + 1, 10)[None])
    return dict(zip(cross_map_blocks.GROWTH, (float(v[0]) for v in values), strict=True))


def test_kendalls_tau_by_hand():
    rising = grown([0.1, 0.2, 0.3, 0.4])
    assert rising["kendall_tau"] == 1
    assert rising["kendall_p_value"] == pytest.approx(1 / 24)  # one of the 4! orders
    assert grown([0.4, 0.3, 0.2, 0.1])["kendall_tau"] == -1
    assert grown([0.1, 0.3, 0.2, 0.4])["kendall_tau"] == pytest.approx((5 - 1) / 6)
    assert grown([0.1, 0.3, 0.2, 0.4])["kendall_p_value"] == pytest.approx(4 / 24)


def test_growth_of_what_is_missing_or_perfect():
    gap = grown([0.1, 0.2, np.nan, np.nan])  # the larger sizes are beyond the record
    assert gap["convergence"] == pytest.approx(0.1)
    assert all(math.isnan(value) for value in grown([0.1, np.nan, np.nan]).values())
    assert grown([0.1, 1.0])["fisher_z"] == math.inf
    assert grown([0.1, 1.0])["fisher_p_value"] == 0
    assert math.isnan(grown([0.1, 0.2], n=3)["fisher_z"])


def test_sizes_in_any_order_and_repeated_ones():
    x, y = logistic(150)
    up = ccm(x, y, library_size=[20, 60, 100], library_samples=5)
    down = ccm(x, y, library_size=[100, 20, 60], library_samples=5)
    xr.testing.assert_allclose(down.sel(library_size=[20, 60, 100]).drop_attrs(), up.drop_attrs())
    assert np.isnan(ccm(x, y, library_size=[50, 50], library_samples=5).convergence).all()
    assert "convergence" not in ccm(x, y, library_size=50, library_samples=5)


def test_nothing_in_common_is_said():
    x, y = logistic(100)
    with pytest.warns(UserWarning, match="no skill could be computed: .* no day on which"):
        ccm(x.where(x.time < 50), y.where(y.time >= 50))


def gapped() -> tuple[xr.DataArray, xr.DataArray]:
    """200 days, of which 187 have a delay vector of the second and the first series five days later."""
    t = np.arange(200)
    x, y = np.cos(t / 7.0), np.sin(t / 7.0) + 0.1 * np.sin(t)
    y[[5, 6, 12]], x[[10, 11, 17]] = np.nan, np.nan
    return xr.DataArray(x, dims="time"), xr.DataArray(y, dims="time")


@pytest.mark.parametrize("samples", [3, 2000])  # the plain tree and the compiled one
def test_a_library_beyond_the_valid_days_holds_them_all_and_says_so(samples):
    x, y = gapped()
    options = {"lag": 5, "direction": FORWARD, "library_samples": samples}
    # 200 days less the first and the last five; less 5, 6, 7, 12, 13 (vectors) and 12 (lagged, there already)
    days = 200 - 1 - 5 - 5
    with pytest.warns(
        UserWarning, match=f"library_size=195 is more than the {days} days that have a whole delay vector"
    ) as caught:
        found = ccm(x, y, library_size=[10, 100, 195], **options)
    assert caught[0].filename == __file__
    assert found.library_days.values.tolist() == [10, 100, days]
    assert found["library_size"].values.tolist() == [10, 100, 195]
    assert np.isfinite(found.rho).all()
    assert found.rho[2].item() == pytest.approx(ccm(x, y, lag=5, direction=FORWARD).rho.item(), abs=1e-12)
    exact = ccm(x, y, library_size=[10, 100, days], **options)
    for name in ("convergence", "kendall_tau", "fisher_z"):
        assert found[name].item() == pytest.approx(exact[name].item(), abs=1e-12)
    with pytest.warns(UserWarning, match="library_size=195 is more than"):
        capped = ccm(x, y, library_size=[190, 195], **options)
    assert np.isnan(capped.convergence)  # one library twice is no growth


def test_a_lazy_library_beyond_the_valid_days_says_so_when_it_is_computed(recwarn):
    ds = weather(n_time=100).chunk(site=1)
    lazy = ccm(ds["t2m"].where(ds["site"] != "S1", 1.0), ds["sm"], library_size=100, library_samples=2)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="library_size=100 is more than the 99 days"):
        found = lazy.compute(scheduler="synchronous")
    assert (found.library_days.sel(direction=FORWARD) == 99).all()


def test_unrelated_noise_does_not_converge():
    rng = np.random.default_rng(0)
    pair = [xr.DataArray(rng.standard_normal((20, 300)), dims=("site", "time"), name=name) for name in "ab"]
    found = ccm(*pair, library_size=[20, 80, 200], library_samples=10)
    assert ((found.fisher_p_value < 0.05).mean() < 0.2).item()
    assert abs(found.convergence.mean().item()) < 0.05


# refusals


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"lag": [0, 300]}, ValueError, r"lag=\[0, 300\]; it must be a whole number of steps, less than"),
        ({"lag": [1, 1]}, ValueError, r"lag=\[1, 1\] has repeated lags; give each once"),
        ({"lag": 0.5}, ValueError, "lag=0.5; it must be a whole number"),
        ({"lag": []}, ValueError, r"lag=\[\]; it must be a whole number"),
        ({"where": np.ones(300, bool)}, TypeError, "where must be a DataArray, got ndarray; give it labels"),
        ({"where": weather()["sm"]}, TypeError, "where has dtype float64; a mask is boolean"),
        ({"where": weather()["site"] == "S0"}, ValueError, "no dimension 'time' in"),
        (
            {"where": season(weather()).chunk(time=100)},
            ValueError,
            "'time' has 3 chunks; neighbours need the whole series",
        ),
        (
            {"where": season(weather()).expand_dims(run=2)},
            ValueError,
            r"where has the dimensions \['run'\], which no series has; choose along them first",
        ),
        ({"where": season(weather(299))}, ValueError, "where lacks 1 of the record's 300 labels along 'time'"),
        ({"embedding_dim": {FORWARD: 3}}, ValueError, r"embedding_dim has no entry for \['effect_to_cause'\]"),
        (
            {"embedding_dim": {FORWARD: 3, BACKWARD: 2, "x": 1}},
            ValueError,
            r"embedding_dim has entries \['x'\]; directions are",
        ),
        ({"embedding_dim": {FORWARD: 3, BACKWARD: 0}}, ValueError, "embedding_dim=0; it must be a whole"),
        ({"engine": "causal-ccm", "where": season(weather())}, ValueError, "has no exclusion_radius, .*, where"),
        ({"surrogate_kind": "magic"}, ValueError, "surrogate_kind='magic' is unknown; choose one of"),
    ],
)
def test_wrong_options_are_refused(change, error, text):
    ds = weather()
    with pytest.raises(error, match=text):
        ccm(**({"cause": ds["t2m"], "effect": ds["sm"]} | change))


def test_a_dimension_called_lag_is_refused_only_where_it_would_clash():
    ds = weather(n_time=60).rename(site="lag")
    with pytest.raises(ValueError, match=r"the input has dimensions \['lag'\], which the result needs"):
        ccm(ds["t2m"], ds["sm"], lag=[0, 1])
    assert ccm(ds["t2m"], ds["sm"]).rho.sizes["lag"] == 3
