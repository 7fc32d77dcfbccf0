"""Chronological parts: no day of one part is seen by another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.towers import random_grid, random_sites
from xdrought.splits import PARTS, chronological, spatial_monte_carlo
from xdrought.windows.labelled import patches


def mask(n_time: int, holes=()) -> xr.DataArray:
    observed = np.ones((1, n_time), bool)
    observed[0, list(holes)] = False
    days = pd.date_range("2001-01-01", periods=n_time)
    return xr.DataArray(observed, {"site": ["A"], "time": days}, ("site", "time"))


def bounds(splits, part: str, site: int = 0) -> tuple[int, int] | None:
    """First and last day of a part, counted from 2001-01-01."""
    ranges = splits.ranges.sel(part=part).isel(site=site)
    if np.isnat(ranges.start):
        return None
    days = [(ranges[name].values - np.datetime64("2001-01-01")) // np.timedelta64(1, "D") for name in ("start", "end")]
    return int(days[0]), int(days[1])


def test_borders_by_hand():
    # 100 target days: 70, 15, 15; five days are left out after each border
    splits = chronological(mask(100), embargo=5)
    assert [bounds(splits, part) for part in PARTS] == [(0, 69), (75, 84), (90, 99)]
    # without an embargo they touch, as in the paper
    assert [bounds(chronological(mask(100), embargo=0), part) for part in PARTS] == [
        (0, 69),
        (70, 84),
        (85, 99),
    ]


def test_shares_are_of_target_days():
    # days 0-49 are missing: the 50 others are 50-99; 35, then 8 (85 % of 50 is 42.5, to even: 42), then 8
    splits = chronological(mask(100, range(50)), embargo=0)
    assert [bounds(splits, part) for part in PARTS] == [(50, 84), (85, 91), (92, 99)]


def test_a_long_embargo_empties_a_part():
    splits = chronological(mask(100), embargo=20)
    assert bounds(splits, "val") is None
    assert not splits.mask("val", mask(100).time).any()


def test_masks_and_training_days():
    observed = mask(100)
    splits = chronological(observed, embargo=5)
    assert splits.mask("val", observed.time).sum() == 10
    assert splits.training_days(observed.time).sum() == 70
    assert splits.training_days(observed.time).dims == ("site", "time")


@st.composite
def records(draw):
    """Two sites with holes, and a window and lead that fit."""
    n_time = draw(st.integers(30, 160))
    observed = draw(st.lists(st.lists(st.integers(0, n_time - 1), max_size=12), min_size=2, max_size=2))
    return n_time, observed, draw(st.integers(1, 8)), draw(st.integers(1, 5))


@settings(max_examples=60)
@given(records(), st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.3, 0.2), (0.34, 0.33, 0.33)]))
def test_no_day_is_seen_by_two_parts(record, fractions):
    n_time, holes, window, lead = record
    ds = random_sites(2, n_time)
    observed = ds.soil_moisture.values.copy()
    for site, missing in enumerate(holes):
        observed[site, missing] = np.nan
    p = patches(ds.assign(soil_moisture=(("site", "time"), observed)), "soil_moisture", window=window, lead=lead)
    splits = chronological(p, fractions=fractions)
    days = {part: set() for part in PARTS}
    for part in PARTS:
        for i in splits.windows(p, part):
            seen = [*range(p.start[i], p.start[i] + window), p.valid_day[i]]
            days[part] |= {(p.cell[i], day) for day in seen}
    assert not days["train"] & days["val"]
    assert not days["val"] & days["test"]
    assert not days["train"] & days["test"]
    training = splits.training_days(p.data.time).values
    assert all(training[cell, day] for cell, day in days["train"])
    assert not any(training[cell, day] for cell, day in days["val"] | days["test"])


def test_without_embargo_parts_do_share_days():
    p = patches(random_sites(1, 100), "soil_moisture")
    splits = chronological(p, embargo=0)
    last = max(p.valid_day[splits.windows(p, "train")])
    assert min(p.start[splits.windows(p, "val")]) < last
    assert sum(len(splits.windows(p, part)) for part in PARTS) == len(p)


def test_windows_are_found_by_label():
    p = patches(random_sites(3, 100), "soil_moisture")
    splits = chronological(p)
    turned = patches(random_sites(3, 100).isel(site=[2, 0, 1]), "soil_moisture")
    named = {p.data.site.values[p.cell[i]] + str(p.start[i]) for i in splits.windows(p, "test")}
    assert {
        turned.data.site.values[turned.cell[i]] + str(turned.start[i]) for i in splits.windows(turned, "test")
    } == named
    fewer = patches(random_sites(3, 100).isel(site=[1]), "soil_moisture")
    assert 3 * len(splits.windows(fewer, "test")) == len(named)


def test_grids_are_split_by_cell():
    p = patches(random_grid(4, 4, 60), "swvl1", size=2, window=3, lead=2)
    splits = chronological(p)
    assert splits.ranges.start.dims == ("part", "lat", "lon")
    assert splits.ranges.start.sel(part="train").notnull().sum() == 9  # cells whose patch is complete
    # 60 - 4 = 56 targets: 39, then 48 of 56, with 5 days left out twice
    assert [len(splits.windows(p, part)) // 9 for part in PARTS] == [39, 9 - 5, 8 - 5]


@pytest.mark.parametrize(
    ("data", "options", "error", "match"),
    [
        (mask(50), {"fractions": (0.7, 0.3)}, ValueError, "three shares that add up to 1"),
        (mask(50), {"fractions": (0.7, 0.2, 0.2)}, ValueError, "three shares that add up to 1"),
        (mask(50), {"fractions": (0, 0.5, 0.5)}, ValueError, "three shares"),
        (mask(50), {"embargo": -1}, ValueError, "embargo=-1; it must be a whole number of days"),
        (mask(50).astype(float), {}, TypeError, r"boolean DataArray.*\.notnull\(\)"),
        (mask(50).drop_vars("time"), {}, ValueError, "'time' has no numpy dates"),
    ],
)
def test_refusals(data, options, error, match):
    with pytest.raises(error, match=match):
        chronological(data, **options)


def test_unknown_part():
    with pytest.raises(ValueError, match="part='dev' is unknown"):
        chronological(mask(50)).mask("dev", mask(50).time)


# --- whole sites held out ---------------------------------------------------------------------------------


def many_sites(n_site: int, lat=None, lon=None) -> xr.DataArray:
    observed = random_sites(n_site, 30).soil_moisture.notnull()
    if lat is not None:
        observed = observed.assign_coords(lat=("site", lat), lon=("site", lon))
    return observed


def parts_of(splits) -> np.ndarray:
    """The part of each site, -1 for none."""
    known = splits.ranges.start.notnull().transpose("part", "site").values
    assert known.sum(axis=0).max() <= 1
    return np.where(known.any(axis=0), known.argmax(axis=0), -1)


def test_every_site_is_in_one_part_with_all_its_days():
    observed = many_sites(20)
    splits = spatial_monte_carlo(observed, seed=1)
    assert np.bincount(parts_of(splits)).tolist() == [14, 3, 3]
    masks = sum(splits.mask(part, observed.time).astype(int) for part in PARTS)
    assert (masks == 1).all()
    assert splits.embargo == 0
    train = splits.training_days(observed.time)
    np.testing.assert_array_equal(train.any("time").values, parts_of(splits) == 0)
    assert train.all("time").sum() == 14


def test_draws_depend_on_the_seed():
    observed = many_sites(20)
    first, again, other = (parts_of(spatial_monte_carlo(observed, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_sites_without_a_target_are_in_no_part():
    observed = many_sites(5)
    observed[3] = False
    splits = spatial_monte_carlo(observed, fractions=(0.5, 0.25, 0.25))
    assert parts_of(splits)[3] == -1
    assert np.bincount(np.delete(parts_of(splits), 3)).tolist() == [2, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_labelled_clusters_stay_together(seed):
    observed = many_sites(20)
    labels = xr.DataArray([f"c{k % 6}" for k in range(20)], {"site": observed.site}, dims="site")
    found = parts_of(spatial_monte_carlo(observed, clusters=labels.isel(site=slice(None, None, -1)), seed=seed))
    for label in np.unique(labels):
        assert len(set(found[labels.values == label])) == 1
    assert set(found) >= {0, 1}


def test_near_sites_stay_together():
    # a chain 80 km apart along the equator across the date line, and two sites far away
    lon = [179.0, 179.72, -179.56, -178.84, 10.0, 100.0]
    observed = many_sites(6, np.zeros(6), lon)
    for seed in range(10):
        found = parts_of(spatial_monte_carlo(observed, clusters=81.0, seed=seed))
        assert len(set(found[:4])) == 1
    alone = [parts_of(spatial_monte_carlo(observed, clusters=79.0, seed=seed)) for seed in range(10)]
    assert any(len(set(found[:4])) > 1 for found in alone)


def test_windows_and_grids():
    p = patches(random_sites(7, 60), "soil_moisture")
    splits = spatial_monte_carlo(p)
    assert sum(len(splits.windows(p, part)) for part in PARTS) == len(p)
    assert not set(p.cell[splits.windows(p, "train")]) & set(p.cell[splits.windows(p, "test")])
    grid = patches(random_grid(4, 4, 30), "swvl1", size=2, window=3, lead=2)
    by_cell = spatial_monte_carlo(grid, clusters=1000.0).ranges.start
    assert by_cell.dims == ("part", "lat", "lon")
    assert by_cell.notnull().any(["lat", "lon"]).sum() == 1  # all near: one cluster


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"clusters": True}, ValueError, "clusters=True; give labels, or a distance in km above 0"),
        ({"clusters": 0}, ValueError, "clusters=0; give labels, or a distance in km above 0"),
        ({"clusters": "near"}, TypeError, "clusters must be a DataArray or number, got str"),
        ({"clusters": xr.DataArray([0, 1], dims="time")}, ValueError, r"clusters on \('time',\) must give each of"),
        ({"clusters": xr.DataArray([0], {"site": ["S0"]}, dims="site")}, ValueError, "clusters lack a label of"),
        ({"fractions": (1, 1, 1)}, ValueError, "fractions="),
    ],
)
def test_refusals_of_whole_sites(options, error, match):
    with pytest.raises(error, match=match):
        spatial_monte_carlo(many_sites(3), **options)


def test_distances_need_coordinates():
    with pytest.raises(ValueError, match="clusters=50 km needs the coordinates 'lat' and 'lon'"):
        spatial_monte_carlo(many_sites(3).drop_vars(["lat", "lon"]), clusters=50)
    with pytest.raises(TypeError, match=r"expected Patches or a boolean.*notnull"):
        spatial_monte_carlo(many_sites(3).astype(float))
