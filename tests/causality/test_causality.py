"""Cross mapping on labels: published values, direction, laziness, refusals, and the causality degree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support import oracles_ccm as slow
from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.causality import causality_degree, ccm, choose_embedding, degree_vector
from xdrought.kernels import cross_map, cross_map_blocks

FORWARD, BACKWARD = "cause_to_effect", "effect_to_cause"


def logistic(n: int = 1000) -> tuple[xr.DataArray, xr.DataArray]:
    """Two coupled species (Sugihara et al. 2012); y feels x (0.1) more than x feels y (0.02)."""
    x, y = np.full((2, n), np.nan)
    x[0], y[0] = 0.4, 0.2
    for t in range(n - 1):
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t] - 0.02 * y[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
    return xr.DataArray(x, dims="time", name="x"), xr.DataArray(y, dims="time", name="y")


def weather(n_time=300, n_site=3, seed=0, start="2001-01-01") -> xr.Dataset:
    """Random (site, time) series with a name each; nothing causes anything."""
    rng = np.random.default_rng(seed)
    values = {name: (("site", "time"), rng.standard_normal((n_site, n_time))) for name in ("t2m", "tp", "sm")}
    coords = {"site": [f"S{i}" for i in range(n_site)], "time": pd.date_range(start, periods=n_time)}
    return xr.Dataset(values, coords).assign_coords(lat=("site", np.arange(n_site) + 40.0))


@pytest.fixture(scope="module")
def de_hai(data_dir) -> xr.Dataset:
    """1,660 days of FLUXNET2015 DE-Hai from 2000-01-01."""
    path = data_dir / "fluxnet2015" / "FLX_DE-Hai_FLUXNET2015_SUBSET_DD_2000-2012_1-4.csv"
    names = ["TA_F", "SW_IN_F", "VPD_F", "PA_F", "P_F", "WS_F", "SWC_F_MDS_1"]
    table = pd.read_csv(path, usecols=["TIMESTAMP", *names], nrows=1660)
    table.index = pd.DatetimeIndex(pd.to_datetime(table.pop("TIMESTAMP").astype(str)), name="time")
    return table.to_xarray()


# numbers on which plain numpy, pyEDM 2.5.7 and causal-ccm 0.4.0 agree to 6e-16 (coupled logistic maps, n = 1000)
@pytest.mark.parametrize(
    ("options", "y_from_x", "x_from_y"),
    [
        ({}, 0.628462893225, 0.977378834819),
        ({"embedding_dim": 3}, 0.680979158141, 0.968697509465),
        ({"embedding_dim": 4}, 0.682013933621, 0.962101957013),
        ({"exclusion_radius": 10}, None, 0.976528225989),
        ({"tau": 2}, None, 0.882823552309),
        ({"lag": -1}, None, 0.991535111792),
        ({"lag": 1}, 0.594321576551, None),
    ],
)
def test_coupled_logistic_maps(options, y_from_x, x_from_y):
    x, y = logistic()
    found = ccm(x, y, **options)
    if x_from_y is not None:
        assert found.rho.sel(direction=FORWARD).item() == pytest.approx(x_from_y, abs=1e-10)
    if y_from_x is not None:
        assert found.rho.sel(direction=BACKWARD).item() == pytest.approx(y_from_x, abs=1e-10)
    lost = (options.get("embedding_dim", 2) - 1) * options.get("tau", 1)
    expected = 1000 - max(lost, -options.get("lag", 0)) - max(options.get("lag", 0), 0)
    assert (found.n_pairs == expected).all()
    assert (found.tied_fraction == 0).all()


# tie-average reference values: E, radius, cause -> (estimated from soil moisture, estimating it)
TIED = {
    (2, 0): {
        "TA_F": (0.526664946483, 0.228810569242),
        "VPD_F": (0.568966914719, 0.264141719337),
        "SW_IN_F": (0.415656926734, 0.0722161203616),
        "P_F": (0.405091185646, 0.16989432097),
        "PA_F": (0.231057185145, 0.00769777667367),
        "WS_F": (0.224126118945, 0.191339916723),
    },
    (2, 7): {
        "TA_F": (0.44801602911, 0.200837992673),
        "VPD_F": (0.443630838938, 0.23633777772),
        "SW_IN_F": (0.323373627644, 0.0291970764315),
        "P_F": (0.409922742836, 0.157964940528),
        "PA_F": (0.0708636906124, -0.0100939297632),
        "WS_F": (0.107863525708, 0.164373399557),
    },
    (5, 0): {
        "TA_F": (0.640128143331, 0.325236364997),
        "VPD_F": (0.667601510146, 0.333778348029),
        "SW_IN_F": (0.528233605045, 0.11094487668),
        "P_F": (0.338446874565, 0.18550812385),
        "PA_F": (0.367521580918, 0.145725842145),
        "WS_F": (0.393525013406, 0.352147600727),
    },
}
TIED_DAYS = {(2, 0): (11, 1071), (2, 7): (5, 1073), (5, 0): (0, 420)}  # of the manifolds of soil moisture and of rain


@pytest.mark.parametrize(("dim", "radius"), TIED)
def test_real_daily_series_with_ties(de_hai, dim, radius):
    expected = TIED[dim, radius]
    causes, soil = de_hai[list(expected)], de_hai["SWC_F_MDS_1"]
    found = ccm(causes, soil, embedding_dim=dim, exclusion_radius=radius)
    np.testing.assert_allclose(found.rho.transpose("variable", "direction").values, list(expected.values()), atol=1e-10)
    assert (found.n_pairs == 1661 - dim).all()
    tied = (found.tied_fraction * found.n_pairs).sel(variable="P_F")
    np.testing.assert_allclose(tied.values, TIED_DAYS[dim, radius], atol=1e-9)


def test_raw_skill_does_not_depend_on_units(de_hai):
    one = ccm(de_hai["PA_F"], de_hai["SWC_F_MDS_1"])
    other = ccm(de_hai["PA_F"] * 1000 + 1e6, de_hai["SWC_F_MDS_1"] / 100)
    np.testing.assert_allclose(one.rho, other.rho, atol=1e-9)


def test_real_series_with_gaps_equal_the_slow_reference(de_hai):
    part = de_hai.isel(time=slice(0, 150))
    part = part.where(np.random.default_rng(0).random(150) > 0.05)
    found = ccm(part["P_F"], part["SWC_F_MDS_1"], embedding_dim=3)
    rain, soil = part["P_F"].values, part["SWC_F_MDS_1"].values
    for direction, (series, target) in {FORWARD: (soil, rain), BACKWARD: (rain, soil)}.items():
        rho, n = slow.skill(series, target, 3, 1)
        assert found.rho.sel(direction=direction).item() == pytest.approx(rho, abs=1e-10)
        assert found.n_pairs.sel(direction=direction).item() == n


def test_engine_of_the_paper_agrees_without_ties():
    pytest.importorskip("causal_ccm")
    x, y = logistic(300)
    theirs, ours = ccm(x, y, engine="causal-ccm"), ccm(x, y)
    np.testing.assert_allclose(theirs.rho, ours.rho, atol=1e-12)
    np.testing.assert_allclose(theirs.p_value, ours.p_value, rtol=1e-6)
    assert (theirs.n_pairs == ours.n_pairs).all()
    assert np.isnan(theirs.tied_fraction).all()


def test_engine_of_the_paper_uses_the_common_span_and_knows_no_gaps():
    pytest.importorskip("causal_ccm")
    x, y = logistic(200)
    late = x.where(np.arange(200) >= 20)
    found = ccm(late, y, engine="causal-ccm", direction=FORWARD)
    common = slice(20, None)
    expected = ccm(x.isel(time=common), y.isel(time=common), direction=FORWARD).rho.item()
    assert found.rho.item() == pytest.approx(expected, abs=1e-12)
    assert found.n_pairs == 179
    gap = ccm(x.where(np.arange(200) != 50), y, engine="causal-ccm", direction=FORWARD)
    assert np.isnan(gap.rho)
    assert gap.n_pairs == 0
    assert np.isnan(ccm(x * 0, y, engine="causal-ccm", direction=FORWARD).rho)


# labels


def test_result_has_the_dimensions_without_time():
    ds = weather()
    found = ccm(ds[["t2m", "tp"]], ds["sm"])
    assert dict(found.sizes) == {"site": 3, "variable": 2, "direction": 2}
    assert found["variable"].values.tolist() == ["t2m", "tp"]
    assert found["direction"].values.tolist() == [FORWARD, BACKWARD]
    np.testing.assert_array_equal(found["lat"], ds["lat"])
    assert set(found) == {"rho", "p_value", "n_pairs", "tied_fraction"}
    assert found.attrs["embedding_dim"] == 2
    assert found.attrs["source"].startswith("Sugihara")
    assert all(found[name].attrs["units"] == "1" and found[name].attrs["long_name"] for name in found)


def test_a_single_cause_and_direction_have_no_dimension_of_their_own():
    ds = weather()
    found = ccm(ds["t2m"], ds["sm"], direction=BACKWARD)
    assert found.rho.dims == ("site",)
    assert found["direction"].item() == BACKWARD
    both = ccm(ds["t2m"], ds["sm"])
    xr.testing.assert_allclose(found.rho, both.rho.sel(direction=BACKWARD))


def test_each_result_is_that_of_its_own_pair():
    ds = weather()
    found = ccm([ds["t2m"], ds["tp"]], ds["sm"])
    for site in range(3):
        for name in ("t2m", "tp"):
            pair = ccm(ds[name].isel(site=site), ds["sm"].isel(site=site))
            one = found.isel(site=site).sel(variable=name, drop=True)
            xr.testing.assert_allclose(one[["rho", "n_pairs"]], pair[["rho", "n_pairs"]].drop_vars("cause"))
    xr.testing.assert_identical(found, ccm({"t2m": ds["t2m"], "tp": ds["tp"]}, ds["sm"]))


def test_other_dimensions_broadcast_both_ways_and_in_any_order():
    ds = weather()
    patch = ds["t2m"] * xr.DataArray([1.0, 2, 3], dims="cell") + ds["tp"] * xr.DataArray([0.0, 1, -1], dims="cell")
    found = ccm(patch.transpose("cell", "time", "site"), ds["sm"])
    assert set(found.rho.dims) == {"site", "cell", "direction"}
    reverse = ccm(ds["sm"], patch, direction=FORWARD)  # the effect has the extra dimension here
    for cell in range(3):
        one = ccm(patch.isel(cell=cell), ds["sm"])
        xr.testing.assert_allclose(found.isel(cell=cell).transpose("site", "direction").rho, one.rho)
        back = one.rho.sel(direction=BACKWARD, drop=True).drop_vars("effect")  # of sm, the cause of the reverse
        xr.testing.assert_allclose(reverse.rho.isel(cell=cell).drop_vars(["direction", "cause"]), back)


def test_a_result_names_what_it_is_of():
    ds = weather()
    found = ccm(ds["t2m"], ds["sm"], direction=FORWARD)
    assert (found.cause.item(), found.effect.item()) == ("t2m", "sm")
    together = xr.concat([found, ccm(ds["tp"], ds["sm"], direction=FORWARD)], "pair")
    assert together.cause.values.tolist() == ["t2m", "tp"]
    assert together.rho.to_series().size == 6
    several = ccm(ds[["t2m", "tp"]], ds["sm"])
    assert "cause" not in several.coords
    assert several.effect.item() == "sm"
    assert not {"cause", "effect"} & set(ccm(ds["t2m"].rename(None), ds["sm"].rename(None)).coords)


def test_dimensions_called_cause_or_effect_stay_those_of_the_caller():
    ds = weather().rename(site="effect")
    found = ccm(ds["t2m"], ds["sm"], direction=FORWARD)
    assert found["effect"].values.tolist() == ["S0", "S1", "S2"]
    assert found.cause.item() == "t2m"


def test_causes_and_cells_of_one_manifold_share_its_search(monkeypatch):
    manifolds = []
    map_from = cross_map_blocks.map_from

    def counted(series, targets, *rest):
        manifolds.append(len(targets))
        return map_from(series, targets, *rest)

    monkeypatch.setattr(cross_map_blocks, "map_from", counted)
    monkeypatch.setattr(cross_map, "worth_compiling", lambda *job, **how: False)
    ds = weather()
    patch = ds[["t2m", "tp"]].expand_dims(cell=4)
    ccm(patch, ds["sm"], direction=FORWARD)
    assert manifolds == [8, 8, 8]  # one manifold a site, for 2 causes x 4 cells


def test_other_names_of_time():
    ds = weather()
    xr.testing.assert_allclose(
        ccm(ds["t2m"], ds["sm"]), ccm(ds["t2m"].rename(time="day"), ds["sm"].rename(time="day"), time="day")
    )


def test_dask_is_lazy_and_chunks_do_not_matter():
    ds = weather()
    eager = ccm(
        ds[["t2m", "tp"]], ds["sm"], surrogates=19, deseasonalize=False, library_size=[30, 100], library_samples=3
    )
    for chunks in ({"site": 1}, {"site": 2}, {"site": -1}):
        lazy_input = ds.chunk(chunks)
        with raise_if_dask_computes():
            lazy = ccm(
                lazy_input[["t2m", "tp"]],
                lazy_input["sm"],
                surrogates=19,
                deseasonalize=False,
                library_size=[30, 100],
                library_samples=3,
            )
        assert all(lazy[name].chunks is not None for name in lazy)
        xr.testing.assert_allclose(lazy.compute(), eager)


def test_the_input_is_not_changed():
    ds = weather()
    with unchanged(ds):
        ccm(ds[["t2m", "tp"]], ds["sm"], exclusion_radius="auto")
        choose_embedding(ds["sm"], max_dim=2)
        causality_degree(ds[["t2m"]], ds["sm"], train=slice("2001-02-01", None))


def test_float32_input_is_mapped_in_double_precision():
    x, y = logistic(300)
    single = ccm(x.astype("float32"), y.astype("float32"))
    double = ccm(x.astype("float32").astype("float64"), y.astype("float32").astype("float64"))
    xr.testing.assert_identical(single, double)
    assert single.rho.dtype == np.float64


def test_constant_and_empty_series_are_nan_with_a_count():
    ds = weather(n_site=2)
    found = ccm(ds["t2m"].where(ds["site"] == "S0", 5.0), ds["sm"])
    assert np.isnan(found.rho.sel(site="S1")).all()
    assert np.isfinite(found.rho.sel(site="S0")).all()
    assert found.n_pairs.sel(site="S1").values.tolist() == [299, 0]  # compared with a constant; no manifold
    empty = ccm(ds["t2m"].where(ds["site"] == "S0"), ds["sm"])
    assert (empty.n_pairs.sel(site="S1") == 0).all()
    assert np.isnan(empty.rho.sel(site="S1")).all()


def test_monthly_and_numbered_steps_are_regular():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 60))
    plain = ccm(*(xr.DataArray(v, dims="time") for v in values))
    for index in (pd.date_range("2001-01-01", periods=60, freq="MS"), np.arange(1950, 2010)):
        labelled = ccm(*(xr.DataArray(v, {"time": index}, name=n) for v, n in zip(values, "ab", strict=True)))
        np.testing.assert_array_equal(labelled.rho, plain.rho)


# convergence, exclusion, significance


def test_skill_converges_towards_the_driver_only():
    x, y = logistic(400)
    found = ccm(x, y, library_size=[20, 80, 300], library_samples=20)
    assert found.rho.dims == ("direction", "library_size")
    assert found["library_size"].values.tolist() == [20, 80, 300]
    assert (found.rho.sel(direction=FORWARD).diff("library_size") > 0.03).all()
    assert (found.rho_lower <= found.rho).all()
    assert (found.rho <= found.rho_upper).all()
    one = ccm(x, y, library_size=80, library_samples=20)
    assert one.rho.dims == ("direction",)
    np.testing.assert_allclose(one.rho, found.rho.sel(library_size=80), atol=1e-12)


def test_libraries_follow_the_seed():
    x, y = logistic(200)
    draw = [ccm(x, y, library_size=30, library_samples=2, seed=seed).rho for seed in (1, 1, 2)]
    xr.testing.assert_identical(draw[0], draw[1])
    assert not np.allclose(draw[0], draw[2])


def test_auto_exclusion_radius_is_that_of_the_searched_series():
    rng, n = np.random.default_rng(0), 2000
    slow_series = np.zeros(n)
    for t in range(1, n):
        slow_series[t] = 0.9 * slow_series[t - 1] + rng.standard_normal()
    fast = xr.DataArray(rng.standard_normal(n), dims="time", name="fast")
    soil = xr.DataArray(slow_series, dims="time", name="soil")
    found = ccm(fast, soil, exclusion_radius="auto")
    assert found.exclusion_radius.sel(direction=BACKWARD) == 1
    radius = found.exclusion_radius.sel(direction=FORWARD).item()
    assert radius == pytest.approx(9.5, abs=3)
    fixed = ccm(fast, soil, exclusion_radius=radius, direction=FORWARD)
    assert fixed.rho.item() == found.rho.sel(direction=FORWARD).item()


def autoregressive(rng, n_series, n_time, memory) -> np.ndarray:
    x = rng.standard_normal((n_series, n_time))
    for t in range(1, n_time):
        x[:, t] += memory * x[:, t - 1]
    return x


def test_a_shared_season_fools_the_raw_p_value_and_not_the_surrogates():
    rng, n = np.random.default_rng(1), 1100
    time = pd.date_range("2001-01-01", periods=n)
    season = 3 * np.cos(2 * np.pi * np.arange(n) / 365.25)
    pair = [
        xr.DataArray(autoregressive(rng, 40, n, memory) + season, {"time": time}, ("site", "time"), name=name)
        for memory, name in ((0.7, "air"), (0.9, "soil"))
    ]
    found = ccm(*pair, surrogates=59)
    assert ((found.p_value < 0.05) & (found.rho > 0)).mean() > 0.9
    assert ((found.surrogate_p_value <= 0.05).mean("site") <= 0.15).all()  # 6 of 40: 2 % chance at 5 %
    assert (np.abs(found.tested_rho) < np.abs(found.rho)).mean() > 0.9


def test_surrogates_find_a_real_driver():
    x, y = logistic(400)
    found = ccm(x, y, surrogates=99, deseasonalize=False, direction=FORWARD)
    assert found.surrogate_p_value.item() == 0.01
    assert found.tested_rho.item() == pytest.approx(found.rho.item())
    assert found.attrs["surrogates"] == 99


# choice of the embedding


def test_embedding_table_equals_the_slow_reference():
    x, _ = logistic(80)
    found = choose_embedding(x, max_dim=3, tau=[1, 2])
    assert found.rho.dims == ("tau", "embedding_dim")
    ahead = np.append(x.values[1:], np.nan)
    for tau in (1, 2):
        for dim in (1, 2, 3):
            rho, n = slow.skill(x.values, ahead, dim, tau)
            cell = found.sel(tau=tau, embedding_dim=dim)
            assert cell.rho.item() == pytest.approx(rho, abs=1e-10)
            assert cell.n_pairs.item() == n == 79 - (dim - 1) * tau
            assert cell.standard_error.item() == pytest.approx((1 - rho**2) / np.sqrt(n - 1), rel=1e-6)


def test_the_smallest_embedding_within_one_standard_error_is_chosen():
    from xdrought.causality.embedding import _smallest_as_good

    rho = np.array([[[0.70, 0.885, 0.90, 0.89]], [[0.70, 0.85, 0.90, 0.89]], [[np.nan] * 4]])
    dim, tau = _smallest_as_good(rho, np.full(rho.shape, 0.02), [3])
    np.testing.assert_array_equal(dim, [2, 3, np.nan])
    np.testing.assert_array_equal(tau, [3, 3, np.nan])


def test_embedding_of_real_series(de_hai):
    assert choose_embedding(de_hai["SWC_F_MDS_1"]).best_embedding_dim == 3


def test_embedding_is_lazy_on_dask():
    ds = weather(n_time=60)
    with raise_if_dask_computes():
        lazy = choose_embedding(ds["sm"].chunk(site=1), max_dim=3, exclusion_radius="auto")
    xr.testing.assert_allclose(lazy.compute(), choose_embedding(ds["sm"], max_dim=3, exclusion_radius="auto"))


# the paper's causality degree


def patches(size=10, n_time=120) -> tuple[xr.Dataset, xr.DataArray]:
    rng = np.random.default_rng(0)
    coords = {"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=n_time)}
    dims = ("site", "time", "patch_lat", "patch_lon")
    drivers = xr.Dataset({n: (dims, rng.standard_normal((2, n_time, size, size))) for n in ("t2m", "tp")}, coords)
    return drivers, xr.DataArray(rng.standard_normal((2, n_time)), coords, ("site", "time"), name="soil_moisture")


def test_degree_takes_the_four_central_cells_row_by_row():
    drivers, soil = patches()
    degree = causality_degree(drivers, soil, train=slice(None))
    assert degree.rho.dims == ("site", "variable", "cell")
    assert degree.sizes["cell"] == 4
    for cell, (row, column) in enumerate([(4, 4), (4, 5), (5, 4), (5, 5)]):
        one = drivers["tp"].isel(patch_lat=row, patch_lon=column)
        for site in ("A", "B"):
            rho, _ = slow.skill(soil.sel(site=site).values, one.sel(site=site).values, 2, 1)  # weather from soil
            assert degree.rho.sel(site=site, variable="tp", cell=cell).item() == pytest.approx(rho, abs=1e-10)
    assert degree["direction"].item() == FORWARD


@pytest.mark.parametrize(("size", "cells"), [(1, 1), (2, 4), (3, 1), (4, 4)])
def test_degree_of_other_patches(size, cells):
    drivers, soil = patches(size)
    degree = causality_degree(drivers, soil, train=slice(None))
    assert degree.sizes["cell"] == cells
    if cells == 1:
        centre = drivers.isel(patch_lat=size // 2, patch_lon=size // 2)
        expected = ccm(centre, soil, direction=FORWARD).rho
        np.testing.assert_allclose(degree.rho.isel(cell=0), expected.transpose("site", "variable"))


def test_degree_of_tower_data_has_one_cell():
    ds = weather()
    degree = causality_degree(ds[["t2m", "tp"]], ds["sm"], train=slice(None))
    assert dict(degree.rho.sizes) == {"site": 3, "variable": 2, "cell": 1}
    assert degree_vector(degree).sizes["causal"] == 4
    single = causality_degree(ds["t2m"], ds["sm"], train=slice(None))
    xr.testing.assert_allclose(single.rho, degree.rho.sel(variable=["t2m"]))


def test_degree_sees_the_training_part_only():
    drivers, soil = patches()
    last = pd.Timestamp("2001-03-25")
    later = soil["time"] > last
    spoiled = soil.where(~later, 99.0), drivers.where(~later, -5.0)
    mask = ~later
    per_site = mask & (soil["site"] != "none")
    dates = causality_degree(drivers, soil, train=(None, last))
    assert (dates.n_pairs == 83).all()
    for train in (slice(None, last), mask, per_site):
        xr.testing.assert_allclose(causality_degree(drivers, soil, train=train), dates)
        xr.testing.assert_allclose(causality_degree(spoiled[1], spoiled[0], train=train), dates)
    assert not np.allclose(causality_degree(drivers, soil, train=slice(None)).rho, dates.rho)


def test_degree_with_both_directions_and_surrogates():
    drivers, soil = patches(1)
    degree = causality_degree(
        drivers, soil, train=slice(None), direction="both", surrogates=9, deseasonalize=False, exclusion_radius=2
    )
    assert degree.surrogate_p_value.dims == ("site", "direction", "variable", "cell")
    vector, n = degree_vector(degree), degree.sizes["variable"] * degree.sizes["cell"]
    assert vector.sizes["causal"] == 4 * n
    each = [degree_vector(degree.sel(direction=name, drop=True)) for name in degree["direction"].values]
    halves = [one.isel(causal=slice(k * n, (k + 1) * n)) for k in range(2) for one in each]  # rho, rho, then p, p
    np.testing.assert_array_equal(vector, np.concatenate([half.values for half in halves], axis=-1))


def test_degree_is_lazy_on_dask():
    drivers, soil = patches()
    with raise_if_dask_computes():
        lazy = degree_vector(
            causality_degree(drivers.chunk(site=1), soil.chunk(site=1), train=slice("2001-01-10", None))
        )
    eager = degree_vector(causality_degree(drivers, soil, train=slice("2001-01-10", None)))
    xr.testing.assert_allclose(lazy.compute(), eager)


def test_degree_vector_is_all_correlations_then_all_p_values():
    drivers, soil = patches()
    degree = causality_degree(drivers, soil, train=slice(None))
    vector = degree_vector(degree)
    assert vector.dims == ("site", "causal")
    assert vector.sizes["causal"] == 2 * 2 * 4
    for at, (quantity, name, cell) in enumerate(
        [(q, v, c) for q in ("rho", "p_value") for v in ("t2m", "tp") for c in range(4)]
    ):
        place = vector.isel(causal=at)
        assert (place["quantity"], place["variable"], place["cell"]) == (quantity, name, cell)
        np.testing.assert_array_equal(place, degree[quantity].sel(variable=name, cell=cell))


def test_degree_vector_fills_what_has_no_skill():
    ds = weather(n_site=1)
    degree = causality_degree(ds[["t2m"]] * 0, ds["sm"], train=slice(None))
    assert degree_vector(degree).values.tolist() == [[0, 1]]
    assert np.isnan(degree_vector(degree, fill_missing=False)).all()


# refusals


def broken(**change) -> dict:
    ds = weather()
    return {"cause": ds["t2m"], "effect": ds["sm"]} | change


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"cause": 5}, TypeError, "the cause is a int; give a DataArray, a Dataset"),
        ({"cause": "t2m"}, TypeError, "the cause is a str; give a DataArray"),
        ({"cause": [np.zeros(3)]}, ValueError, r"the causes are called \[None\]; each needs a name of its own"),
        ({"cause": {"a": np.zeros(3)}}, TypeError, "expected a DataArray, got ndarray; give it labels"),
        ({"cause": []}, ValueError, "no cause was given"),
        ({"cause": [weather()["tp"]] * 2}, ValueError, r"the causes are called \['tp', 'tp'\]"),
        ({"cause": weather()["t2m"].astype(str)}, TypeError, "'t2m' has dtype <U32; cross mapping needs numbers"),
        ({"cause": weather()["t2m"].isel(time=0)}, ValueError, "no dimension 'time' in 't2m'"),
        (
            {"cause": weather()["t2m"].chunk(time=100)},
            ValueError,
            r"'time' has 3 chunks; neighbours need the whole series: use .chunk\(\{'time': -1\}\)",
        ),
        (
            {"cause": weather(start="2001-01-02")["t2m"]},
            ValueError,
            r"'t2m' lacks 1 of the record's 300 labels along 'time' .* keep what both have, xarray.align\(",
        ),
        ({"cause": weather(n_time=299)["t2m"]}, ValueError, "'t2m' lacks 1 of the record's 300 labels along 'time'"),
        ({"cause": weather(n_site=2)["t2m"]}, ValueError, "'t2m' lacks 1 of the record's 3 labels along 'site' .S2;"),
        ({"cause": weather(n_site=4)["t2m"]}, ValueError, r"'t2m' has 1 label\(s\) along 'site' that the record lacks"),
        ({"effect": weather()["sm"].drop_isel(time=5)}, ValueError, "'time' has missing steps"),
        ({"effect": weather()["sm"].isel(time=slice(None, None, -1))}, ValueError, "'time' goes backwards"),
        ({"embedding_dim": 0}, ValueError, "embedding_dim=0; it must be a whole number, 1 or more"),
        ({"tau": -1}, ValueError, "tau=-1; it must be a whole number, 1 or more: tau=1 already looks back in time"),
        ({"tau": 1.5}, ValueError, "tau=1.5; it must be a whole number, 1 or more"),
        ({"tau": 300}, ValueError, "300 steps are too few for embedding_dim=2, tau=300; at least 304 are needed"),
        ({"direction": "x->y"}, ValueError, "direction='x->y' is unknown; choose one of"),
        ({"exclusion_radius": -1}, ValueError, 'exclusion_radius=-1; give a number of steps .* or "auto"'),
        ({"lag": 300}, ValueError, "lag=300; it must be a whole number of steps, less than the record's 300"),
        ({"library_size": [3, 50]}, ValueError, r"library_size=\[3, 50\]; sizes are whole numbers from 4"),
        ({"library_samples": 0}, ValueError, "library_samples=0; it must be a whole number, 1 or more"),
        ({"surrogates": -1}, ValueError, "surrogates=-1; it must be a whole number, 0 or more"),
        ({"engine": "magic"}, ValueError, "engine='magic' is unknown; choose one of"),
        (
            {"engine": "causal-ccm", "surrogates": 9},
            ValueError,
            "engine 'causal-ccm' has no exclusion_radius, library_size, where or surrogates",
        ),
        (
            {"cause": weather()["t2m"].rename(site="direction"), "effect": weather()["sm"].rename(site="direction")},
            ValueError,
            r"the input has dimensions \['direction'\], which the result needs; rename them",
        ),
    ],
)
def test_wrong_input_is_refused(change, error, text):
    with pytest.raises(error, match=text):
        ccm(**broken(**change))


def test_unequal_numbered_steps_are_refused():
    x = xr.DataArray(np.arange(9.0), {"time": [0, 1, 2, 3, 4, 5, 6, 7, 9]}, name="x")
    with pytest.raises(ValueError, match="the steps of 'time' differ; insert the missing ones as NaN"):
        ccm(x, x)


def test_the_annual_cycle_needs_dates():
    x, y = logistic(50)
    with pytest.raises(ValueError, match="'time' has no dates, so there is no annual cycle .* pass deseasonalize"):
        ccm(x, y, surrogates=9)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    x, y = logistic(50)
    with pytest.raises(ModuleNotFoundError, match=r"engine 'causal-ccm' needs the package causal-ccm; pip install"):
        ccm(x, y, engine="causal-ccm")


def test_degree_refuses_half_a_patch_and_a_mask_of_numbers():
    drivers, soil = patches(2)
    with pytest.raises(ValueError, match=r"'t2m' has 'patch_lat' but not both of"):
        causality_degree(drivers.isel(patch_lon=0), soil, train=slice(None))
    with pytest.raises(TypeError, match="train has dtype float64; a training mask is boolean"):
        causality_degree(drivers, soil, train=soil)
    with pytest.raises(ValueError, match="0 steps are too few"):
        causality_degree(drivers, soil, train=("1999-01-01", "1999-12-31"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_dim": 0}, "max_dim=0; it must be a whole number, 1 or more"),
        ({"tau": [1, 0]}, "tau=0; it must be"),
        ({"lead": 0}, "lead=0; it must be"),
        ({"max_dim": 30, "tau": 20}, "299 steps are too few"),
    ],
)
def test_wrong_embeddings_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        choose_embedding(weather()["sm"], **options)
