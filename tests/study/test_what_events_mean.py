"""Composites of the page on what events mean: means by hand, placebos in other years, and a planted departure found."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "studies" / "what_events_mean.py"))


def test_means_of_windows_are_those_of_slices():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 3, 400))
    values[:, :, ::7] = np.nan
    onset, start, site = np.array([60, 200, 5]), np.array([70, 200, 20]), np.array([0, 2, 1])
    bounds = SCRIPT["bounds_of"](onset, start)
    found = SCRIPT["window_means"](*SCRIPT["cumulated"](values), site, bounds)
    for event in range(2):
        a, b = onset[event], start[event]
        for w, (low, high) in enumerate([(a - 30, a), (a, max(b, a + 1)), (b, b + 30)]):
            if not np.isfinite(values[:, site[event], low:high]).any():
                continue
            np.testing.assert_allclose(found[:, event, w], np.nanmean(values[:, site[event], low:high], axis=-1))
    assert np.isnan(found[:, 2, 0]).all()  # five of thirty days are too few


def test_a_placebo_is_the_same_season_of_another_year_inside_the_record():
    rng = np.random.default_rng(1)
    onset = np.array([400, 900, 1500, 60])
    bounds = SCRIPT["bounds_of"](onset, onset + 10)
    site, first, last = np.array([0, 0, 0, 1]), np.array([0, 20]), np.array([1826, 300])
    shifts = np.array([SCRIPT["other_years"](site, bounds, first, last, rng) for _ in range(300)])
    assert (shifts[:, 3] == 0).all()  # a record of one year has no other
    assert (shifts[:, :3] != 0).all()
    years = np.round(shifts[:, :3] / 365.2425).astype(int)
    np.testing.assert_array_equal(np.round(years * 365.2425), shifts[:, :3])
    assert sorted(set(years[:, 0])) == [-1, 1, 2, 3]
    moved = bounds[:3] + shifts[:, :3, None, None]
    assert moved.min() >= -1
    assert moved.max() <= 1827


def test_a_planted_departure_is_in_the_mean_and_its_interval_spans_the_towers():
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(8), 5)
    values = 0.5 + 0.3 * rng.normal(size=8)[None, site, None] + rng.normal(size=(1, 40, 3))
    mean, low, high = SCRIPT["composite"](values, site, 8, 500, rng)
    np.testing.assert_allclose(mean, values.mean(axis=1))
    assert (low < mean).all()
    assert (mean < high).all()


def test_the_page_says_what_the_table_says():
    docs = Path(__file__).parents[2] / "docs"
    table = (docs / "_include" / "what_events_mean.md").read_text()
    assert len(table.splitlines()) == 2 + 18
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    onset = [row[3:] for row in rows if row[2] == "onset"]
    rain, warm, vpd = ([row[k] for row in onset] for k in range(3))
    assert all(cell.startswith("**-") for cell in rain)
    assert not any("**" in cell for cell in warm)
    assert all(cell.startswith("**+") for cell in vpd)
    assert "**+0.39" in onset[0][5]


def test_rows_mark_what_lies_outside_the_placebos():
    found = np.zeros((3, 6, 3))
    found[0, 0, 1] = -0.4
    placebo = np.stack([np.full((6, 3), -0.1), np.full((6, 3), 0.1)])
    rows = SCRIPT["lines"]("tang2025", 7, 3, found, placebo)
    assert rows[1].count("**-0.40") == 1
    assert "**" not in rows[0] + rows[2]
    assert rows[0].startswith("| `tang2025`, 7 at 3 | 30 days before |")


def test_events_of_a_definition_have_numbers_for_every_variable(data_dir):
    folder = data_dir / "fluxnet2015"
    if not folder.is_dir():
        pytest.skip("no FLUXNET2015 files")
    ds = SCRIPT["open_fluxnet"](folder, sites=["DE-Hai"], variables=["GPP_NT_VUT_REF"])
    events, towers, found, placebo = SCRIPT["of_definition"](ds, SCRIPT["anomalies"](ds), "tang2025", 19, 19)
    assert events > 0
    assert towers == 1
    assert np.isfinite(found[0]).all()
    assert (placebo[0] <= placebo[1]).all()
