"""The command line: each command gives what the function gives, in every kind of file, with the same errors."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from xdrought.cli import COMMANDS, main


@pytest.fixture
def grid() -> xr.Dataset:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=(2, 3, 900)), axis=-1)
    time = pd.date_range("2001-01-01", periods=900)
    coords = {"lat": [40.0, 41.0], "lon": [10.0, 11.0, 12.0], "time": time}
    values = 0.3 + 0.1 * np.tanh(walk / 10)
    variables = {"soil_moisture": (tuple(coords), values), "tp": (tuple(coords), walk**2)}
    ds = xr.Dataset(variables, coords)
    ds["soil_moisture"].attrs["units"] = "m3 m-3"
    return ds


@pytest.mark.parametrize("kind", ["nc", "zarr"])
@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("events", xdrought.flash_drought_events),
        ("classes", xdrought.drought_classes),
        ("summary", xdrought.drought_summary),
        ("percentiles", xdrought.soil_moisture_percentile),
    ],
)
def test_a_command_writes_what_the_function_gives(command, function, kind, grid, tmp_path, capsys):
    source, target = tmp_path / f"in.{kind}", tmp_path / "new" / f"out.{kind}"
    grid.to_netcdf(source) if kind == "nc" else grid.chunk(time=300).to_zarr(source)
    chosen = ["--set", "min_duration=10"] if command != "percentiles" else []
    settings = {"min_duration": 10} if chosen else {}
    assert main([command, str(source), str(target), "--variable", "soil_moisture", *chosen]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    result = (xr.open_dataset if kind == "nc" else xr.open_zarr)(target).load()
    expected = xdrought.cf_dataset(function(grid["soil_moisture"], **settings))
    assert result.attrs["Conventions"] == expected.attrs["Conventions"]
    xr.testing.assert_allclose(result.drop_encoding(), expected)


def test_a_station_table_gives_a_table_of_events(tmp_path):
    tower = xdrought.open_dataset("us-ar1").soil_moisture.isel(site=0)
    source, target = tmp_path / "probe.csv", tmp_path / "events.csv"
    tower.to_pandas().rename("sm").rename_axis("date").to_csv(source)
    assert main(["events", str(source), str(target), "--time", "date", "--units", "percent", "--quiet"]) == 0
    table = pd.read_csv(target, parse_dates=["start_time"])
    expected = xdrought.flash_drought_events(tower).to_dataframe()
    assert list(table.start_time) == list(expected.start_time)
    assert list(table.is_flash) == list(expected.is_flash)


def test_soil_temperature_reference_and_settings_of_text_are_handed_on(grid, tmp_path):
    source, target = tmp_path / "in.nc", tmp_path / "events.nc"
    season = np.cos(2 * np.pi * np.arange(900) / 365.25)
    grid["stl1"] = (("lat", "lon", "time"), np.broadcast_to(2.0 - 8.0 * season, (2, 3, 900)), {"units": "degC"})
    grid.to_netcdf(source)
    chosen = ["--variable", "soil_moisture", "--soil-temperature", "stl1", "--reference", "2001-01-01", "2002-12-31"]
    assert main(["events", str(source), str(target), *chosen, "--set", "frozen=mask", "--quiet"]) == 0
    settings = {"soil_temperature": grid["stl1"], "reference": slice("2001-01-01", "2002-12-31"), "frozen": "mask"}
    expected = xdrought.cf_dataset(xdrought.flash_drought_events(grid["soil_moisture"], **settings))
    plain = xdrought.flash_drought_events(grid["soil_moisture"])
    found = xr.open_dataset(target).load()
    xr.testing.assert_allclose(found.drop_encoding(), expected)
    assert found.sizes["event"] != plain.sizes["event"]


def test_ccm_and_map(grid, tmp_path):
    source = tmp_path / "in.nc"
    grid.to_netcdf(source)
    target = tmp_path / "related.nc"
    chosen = ["--variable", "soil_moisture", "--causes", "tp", "--surrogates", "19", "--set", "embedding_dim=3"]
    assert main(["ccm", str(source), str(target), *chosen]) == 0
    expected = xdrought.ccm(grid[["tp"]], grid["soil_moisture"], surrogates=19, embedding_dim=3)
    xr.testing.assert_allclose(xr.open_dataset(target).rho, expected.rho)
    summary, picture = tmp_path / "summary.nc", tmp_path / "map.png"
    assert main(["summary", str(source), str(summary), "--variable", "soil_moisture"]) == 0
    assert main(["map", str(summary), str(picture), "--variable", "event_count"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events", "none.nc", "out.nc"], "there is no none.nc; give the path of a .nc, .zarr or .csv"),
        (["events", "in.nc", "out.xlsx"], "out.xlsx ends in '.xlsx'; files are netCDF"),
        (["events", "in.nc", "out.nc", "--variable", "sm"], "no variable 'sm'; there are ['soil_moisture', 'tp']"),
        (["events", "in.nc", "out.nc", "--set", "upper"], "--set 'upper' has no '='; write NAME=VALUE"),
        (["events", "in.nc", "out.nc", "--set", "uper=3"], "unknown threshold(s) ['uper']"),
        (["events", "in.nc", "out.nc", "--time", "day"], "no dimension 'day'"),
        (["ccm", "in.nc", "out.nc", "--causes", "rain"], "there is no variable ['rain']"),
        (["events", "table.csv", "out.nc"], "not 'time'; name the column of dates with --time"),
        (["percentiles", "in.nc", "../here/in.nc"], "is the input, which would be lost; give the output another name"),
        (["events", "words.csv", "out.nc"], "'sm' holds texts such as '30.0%', not numbers; write the numbers alone"),
        (["events", "coded.csv", "out.nc"], "codes of missing values as numbers (1 of -9999, among 2 values)"),
        (["events", "page.nc", "out.nc"], "is neither NetCDF, GRIB nor a zarr store (it begins with b'<html>"),
    ],
)
def test_wrong_input_is_told_in_one_line_and_nothing_is_written(
    arguments, message, grid, tmp_path, monkeypatch, capsys
):
    tmp_path = tmp_path / "here"
    tmp_path.mkdir()
    monkeypatch.chdir(tmp_path)
    grid.to_netcdf("in.nc")
    (tmp_path / "table.csv").write_text("date,sm\n2001-01-01,0.3\n")
    (tmp_path / "words.csv").write_text("time,sm\n2001-01-01,30.0%\n")
    (tmp_path / "coded.csv").write_text("time,sm\n2001-01-01,0.3\n2001-01-02,-9999\n")
    (tmp_path / "page.nc").write_text("<html>not found")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"xdrought {arguments[0]}: ")
    assert message in told.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_codes_of_missing_values_and_one_row_of_a_summary(tmp_path):
    """--missing does what the message says; maps of one station are one row of a table; capitals end a name, too."""
    tower = xdrought.open_dataset("us-ar1").soil_moisture.isel(site=0)
    series = tower.reset_coords(drop=True).to_pandas().rename("sm").rename_axis("time")
    source, target = tmp_path / "probe.CSV", tmp_path / "summary.csv"
    series.fillna(-9999).mask(series.index.day == 3, -6999).to_csv(source)
    chosen = ["--units", "percent", "--missing", "-9999", "-6999", "--quiet"]
    assert main(["summary", str(source), str(target), *chosen]) == 0
    expected = xdrought.drought_summary(tower.where(tower.time.dt.day != 3).assign_attrs(tower.attrs))
    assert pd.read_csv(target).event_count.tolist() == [expected.event_count.item()]
    related = tmp_path / "related.nc"
    pd.DataFrame({"sm": series.fillna(-9999), "again": series.fillna(-9999)}).to_csv(source)
    chosen = ["--variable", "sm", "--causes", "again", "--surrogates", "0", "--missing", "-9999"]
    assert main(["ccm", str(source), str(related), *chosen]) == 0
    both = series.to_xarray()
    assert xr.open_dataset(related).n_pairs.values.tolist() == [xdrought.ccm(both, both).n_pairs.values.tolist()]


def test_files_of_others_are_looked_through(tmp_path, grid, capsys):
    """The command line reads no file that leads to other files, and no store that names a codec which runs code."""
    grid.to_netcdf(tmp_path / "secret.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "in.nc", "w") as file:
        file["soil_moisture"] = h5py.ExternalLink("secret.nc", "soil_moisture")
    grid.to_zarr(tmp_path / "in.zarr", zarr_format=2, consolidated=False)
    described = tmp_path / "in.zarr" / "soil_moisture" / ".zarray"
    described.write_text(json.dumps({**json.loads(described.read_text()), "filters": [{"id": "pickle"}]}))
    for name, words in {"in.nc": "show any file of this machine", "in.zarr": "pickle"}.items():
        assert main(["events", str(tmp_path / name), str(tmp_path / "out.nc"), "--variable", "soil_moisture"]) == 1
        assert words in capsys.readouterr().err


def test_help_names_every_command():
    done = subprocess.run([sys.executable, "-m", "xdrought", "--help"], capture_output=True, text=True, check=True)
    assert [name for name in COMMANDS if name not in done.stdout] == []
