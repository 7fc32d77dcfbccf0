"""Chronological parts: no day of one part is seen by another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xdrought.patches import patches
from xdrought.splits import PARTS, chronological

from .towers import random_grid, random_sites


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
        (mask(50), {"embargo": -1}, ValueError, "embargo=-1; it is a whole number of days"),
        (mask(50).astype(float), {}, TypeError, r"boolean DataArray.*\.notnull\(\)"),
        (mask(50).drop_vars("time"), {}, ValueError, "'time' has no numpy dates"),
    ],
)
def test_refusals(data, options, error, match):
    with pytest.raises(error, match=match):
        chronological(data, **options)


def test_unknown_part():
    with pytest.raises(ValueError, match="part 'dev' is unknown"):
        chronological(mask(50)).mask("dev", mask(50).time)
