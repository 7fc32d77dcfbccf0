"""The page on bulletins runs, and what it writes for other programs comes back as it was."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "bulletin.md"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the page leaves; blocks of packages that are not here are left out."""
    blocks = re.findall(r"(?:<!-- needs (\w+) -->\n)?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("bulletin"))
        for needed, block in blocks:
            if not needed or importlib.util.find_spec(needed):
                exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_the_table_adds_what_is_worse_and_the_years_are_too_few(found):
    table = found["table"]
    np.testing.assert_allclose(table["none"] + table["D0-D4"], 100)
    assert len(table) == 6
    assert (table["D0-D4"] >= table["D1-D4"]).all()
    assert table["D1-D4"].max() > 50  # August 2011 in Oklahoma
    assert found["rarity"].n_years.values.tolist() == [4, 4]
    assert found["rarity"]["return_period"].isnull().all()


def test_the_numbers_of_forty_years_are_those_of_the_page():
    lower, upper = 1 / beta.ppf([0.975, 0.025], 1, 40)
    assert (round(lower), round(upper, -2)) == (11, 1600)


def test_events_come_back_from_a_table(found):
    events, back = found["events"], found["back"]
    for name in ("duration", "intensification_rate", "severity", "is_flash"):
        np.testing.assert_array_equal(back[name].values, events[name].values)
    for name in ("onset_time", "start_time", "end_time"):
        np.testing.assert_array_equal(back[name].values, events[name].values)


def test_events_come_back_from_a_file_of_geometries(found):
    pytest.importorskip("geopandas", reason="the file is written by geopandas")
    events, again = found["events"], found["again"]
    assert len(again) == events.sizes["event"] > 0
    np.testing.assert_allclose(again.geometry.x, events.lon)
    np.testing.assert_allclose(again.duration, events.duration)
    assert again.crs.to_epsg() == 4326


def test_a_map_comes_back_from_a_geotiff(found):
    pytest.importorskip("rioxarray", reason="the file is written by rioxarray")
    today, read = found["today"], found["read"]
    np.testing.assert_array_equal(read.values, today.values)
    np.testing.assert_allclose(read.y, today.y)
    np.testing.assert_allclose(read.x, today.x)
    assert read.rio.crs.to_epsg() == 4326
    assert read.rio.nodata == -1
