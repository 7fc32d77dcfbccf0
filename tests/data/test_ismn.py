"""ISMN files in both formats, as the network publishes them, to days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xdrought import soil_moisture_percentile
from xdrought.data import open_ismn, root_zone

HOURS = pd.date_range("2001-05-01", periods=72, freq="h")


def write(
    folder: Path,
    values: np.ndarray,
    *,
    kind: str = "sm",
    top: float = 0.05,
    bottom: float | None = None,
    flags: list[str] | None = None,
    station: str = "Abc",
    lon: float = 11.0,
    sensor: str = "Probe",
    ceop: bool = False,
) -> Path:
    """One file as published."""
    bottom = top if bottom is None else bottom
    flags = flags or ["G"] * len(values)
    name = f"NET_NET_{station}_{kind}_{top:.6f}_{bottom:.6f}_{sensor}_20010501_20010503.stm"
    place = f"NET      NET      {station}   47.00000   {lon:.5f}   900.00   {top:.2f}   {bottom:.2f}"
    stamps = HOURS[: len(values)].strftime("%Y/%m/%d %H:%M")
    if ceop:
        lines = [f"{t} {t} {place} {v:.4f} {f} M" for t, v, f in zip(stamps, values, flags, strict=True)]
    else:
        rows = [f"{t}    {v:.4f} {f}   M" for t, v, f in zip(stamps, values, flags, strict=True)]
        lines = [f"{place}   {sensor}", *rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.4, 72).round(4)


@pytest.mark.parametrize("ceop", [False, True])
def test_days_are_means_of_accepted_hours(tmp_path, values, ceop):
    flags = ["G"] * 72
    flags[3], flags[30] = "D01,D03", "C02"
    flags[50:60] = ["M"] * 10
    ds = open_ismn(write(tmp_path, values, flags=flags, ceop=ceop))
    good = np.array([flag == "G" for flag in flags])
    expected = [values[24 * k : 24 * k + 24][good[24 * k : 24 * k + 24]].mean() for k in range(2)]
    np.testing.assert_allclose(ds.soil_moisture.values[0], [*expected, np.nan])  # 14 hours are too few for the third
    assert ds.soil_moisture.attrs["units"] == "m3 m-3"
    assert (ds.site.item(), ds.lat.item(), ds.lon.item(), ds.depth.item()) == ("NET:Abc", 47.0, 11.0, 0.05)
    assert ds.sensor.item() == "Probe"
    more = open_ismn(tmp_path, flags=("G", "D01", "D03"), min_hours=14)
    np.testing.assert_allclose(more.soil_moisture[0, 0], values[:24].mean())
    assert np.isfinite(more.soil_moisture[0, 2])


@pytest.mark.parametrize(("offset", "lon", "hours"), [(2, 11.0, 2), ("local", -91.0, -6), ("local", 11.0, 1)])
def test_days_may_be_those_of_another_zone(tmp_path, values, offset, lon, hours):
    ds = open_ismn(write(tmp_path, values, lon=lon), utc_offset=offset, min_hours=1)
    shifted = pd.Series(values, HOURS + pd.Timedelta(hours=hours)).groupby(lambda t: t.floor("D")).mean()
    assert ds.indexes["time"].equals(pd.DatetimeIndex(shifted.index))
    np.testing.assert_allclose(ds.soil_moisture.values[0], shifted.values)
    assert ds.utc_offset.item() == hours
    boundary = "00:00 local standard time" if offset == "local" else "00:00 UTC+2"
    assert ds.soil_moisture.attrs["day_boundary"] == boundary


def test_depths_are_layers_and_the_better_sensor_of_a_depth_is_taken(tmp_path, values):
    write(tmp_path, values, top=0.05, flags=["D01"] * 40 + ["G"] * 32, sensor="Bad")
    write(tmp_path, values / 2, top=0.05, sensor="Good")
    write(tmp_path, values / 4, top=0.2)
    write(tmp_path, 100 * values - 5, top=0.1, kind="ts")
    write(tmp_path, np.ones(72), top=-2.0, kind="p")
    write(tmp_path, np.ones(72), top=-2.0, kind="ws")  # not read
    ds = open_ismn(tmp_path, layers=True)
    days = values.reshape(3, 24).mean(axis=1)
    np.testing.assert_allclose(ds.soil_moisture.values[0], days / 2, atol=5e-5)
    assert ds.sensor.item() == "Good"
    np.testing.assert_allclose(ds["soil_moisture_0.20"].values[0], days / 4, atol=5e-5)
    np.testing.assert_allclose(ds.soil_temperature.values[0], 100 * days - 5)
    np.testing.assert_allclose(ds.P.values[0], 24)
    assert set(ds.data_vars) == {
        *("soil_moisture", "soil_moisture_0.05", "soil_moisture_0.20", "soil_temperature", "P"),
    }
    deep = root_zone(ds, 0.25)
    np.testing.assert_allclose(deep.values[0], (days / 2 + days / 4) / 2, atol=5e-5)
    assert {da.attrs["day_boundary"] for da in (deep, soil_moisture_percentile(deep))} == {"00:00 UTC"}
    ds["soil_moisture_0.20"].attrs["day_boundary"] = "00:00 UTC+1"
    assert "day_boundary" not in root_zone(ds, 0.25).attrs
    np.testing.assert_allclose(open_ismn(tmp_path, depth=0.2).soil_moisture.values[0], days / 4, atol=5e-5)


def test_stations_without_the_depth_are_left_out_with_a_warning(tmp_path, values):
    write(tmp_path, values, top=0.05)
    write(tmp_path, values, top=0.2, station="Def")
    with pytest.warns(UserWarning, match=r"NET:Def has no sensor at 0.05 m, but at \[0.2\] m; it is left out"):
        assert open_ismn(tmp_path, depth=0.05).site.values.tolist() == ["NET:Abc"]
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="has a file of soil moisture"):
        open_ismn(tmp_path, depth=0.5)
    ds = open_ismn(tmp_path, sites=["NET:Def", "NET:Abc"])
    assert ds.site.values.tolist() == ["NET:Def", "NET:Abc"]
    assert ds.depth.values.tolist() == [0.2, 0.05]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-3], "the last line of .* is not complete"),
        (lambda text: "nothing\n", "does not begin as .stm files do"),
        (lambda text: text.split("\n")[0] + "\n", "has no line of date, time, value and flag"),
        (lambda text: text.replace("2001/05/02 03:00", "2001/05/99 03:00"), "whose dates or values are none"),
        (lambda text: text + "2001/05/04 00:00 0.2\n", "has line 74 of date"),
        (lambda text: text.replace("47.00000", "147.0000"), "latitude 147 and longitude 11, which cannot be"),
        (lambda text: text.replace("900.00", "high"), "does not say where the sensor is"),
    ],
)
def test_damaged_files_are_refused(tmp_path, values, damage, message):
    path = write(tmp_path, values)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=message):
        open_ismn(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_hours": 25}, "a day has 24"),
        ({"utc_offset": "here"}, "utc_offset='here'; give hours from -12 to 14, or \"local\""),
        ({"sites": ["NET:Xyz"]}, r"there are \['NET:Abc'\]"),
        ({"sites": "NET:Abc"}, "must be a list"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, values, options, message):
    write(tmp_path, values)
    with pytest.raises(ValueError, match=message):
        open_ismn(tmp_path, **options)


def test_what_is_not_there_or_not_soil_moisture_is_told(tmp_path, values):
    with pytest.raises(FileNotFoundError, match=r"no .stm file in .* archives have to be unpacked"):
        open_ismn(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        open_ismn(tmp_path / "nowhere.stm")
    path = write(tmp_path, values, kind="ta")
    with pytest.raises(ValueError, match="has a file of soil moisture"):
        open_ismn(path)
    other = path.rename(tmp_path / "abc.stm")
    with pytest.raises(ValueError, match="is not named as published"):
        open_ismn(other)
    write(tmp_path, values)
    write(tmp_path, values, top=0.2, lon=12.0)
    other.unlink()
    with pytest.raises(ValueError, match="give several places"):
        open_ismn(tmp_path)


def test_no_elevation_and_no_value_are_missing(tmp_path, values):
    """-9999 for the elevation, and NaN among the readings, are what they say."""
    path = write(tmp_path, values)
    lines = path.read_text().replace("900.00", "-9999.00").split("\n")
    lines[5] = "2001/05/01 04:00    NaN G   M"
    path.write_text("\n".join(lines))
    ds = open_ismn(tmp_path)
    assert np.isnan(ds.elevation.item())
    kept = pd.Series(values, HOURS[: len(values)]).drop(HOURS[4])
    expected = kept.groupby(kept.index.floor("D")).mean()
    np.testing.assert_allclose(ds.soil_moisture.sel(site="NET:Abc")[0], expected.iloc[0], atol=1e-4)


@pytest.mark.parametrize(
    ("flags", "step", "words"),
    [("D01", 1, "its readings have the flags ['D01']"), ("G", 6, "no day has more than 4 accepted hours, of 18")],
)
def test_a_station_without_a_day_says_why(tmp_path, values, flags, step, words):
    path = write(tmp_path, values, flags=[flags] * len(values))
    lines = path.read_text().strip().split("\n")
    path.write_text("\n".join([lines[0], *lines[1::step]]) + "\n")
    with pytest.warns(UserWarning, match="missing on every day") as heard:
        ds = open_ismn(tmp_path)
    assert ds.soil_moisture.isnull().all()
    assert any(f"soil moisture of NET:Abc is missing on every day: {words}" in str(one.message) for one in heard)
