"""USCRN reader: station files as NOAA publishes them, each way one can be wrong, and fetching them."""

from __future__ import annotations

import http.server
import os
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from xdrought.data import download, open_uscrn, screen_sites, uscrn
from xdrought.data.uscrn import BASE_URL

STATION = "OK_Stillwater_5_WNW"
OTHER = "AZ_Yuma_27_ENE"
COLUMNS = list(uscrn.COLUMNS)


def line(day: pd.Timestamp, **values: str) -> str:
    """One day of a station as it is published; soil moisture 0.3, soil at 12.5 degC, 2.5 mm of rain."""
    fields = {
        **dict.fromkeys(COLUMNS, "10.0"),
        "WBANNO": "53926",
        "LST_DATE": day.strftime("%Y%m%d"),
        "CRX_VN": "2.422",
        "LONGITUDE": "-97.09",
        "LATITUDE": "36.12",
        "P_DAILY_CALC": "2.5",
        "SUR_TEMP_DAILY_TYPE": "C",
        **{name: "0.300" for name in COLUMNS if name.startswith("SOIL_MOISTURE")},
        "SOIL_TEMP_5_DAILY": "12.5",
        **values,
    }
    return "   ".join(fields[name] for name in COLUMNS)


def text(year: int = 2010, days: int | None = None, changes: dict[int, dict[str, str]] | None = None) -> str:
    """A station-year; `changes` gives fields of single days, by their number."""
    every = pd.date_range(f"{year}-01-01", f"{year}-12-31")[:days]
    return "".join(f"{line(day, **(changes or {}).get(k, {}))}\n" for k, day in enumerate(every))


def name(year: int = 2010, station: str = STATION) -> str:
    return f"CRND0103-{year}-{station}.txt"


def write(folder: Path, content: str | None = None, year: int = 2010, station: str = STATION) -> Path:
    path = folder / str(year) / name(year, station)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(year) if content is None else content)
    return path


# --- local files --------------------------------------------------------------------------------------------


def test_values_names_units_and_places(tmp_path):
    ds = open_uscrn(write(tmp_path, text(changes={1: {"SOIL_MOISTURE_5_DAILY": "0.123", "T_DAILY_MAX": "-3.4"}})))
    assert ds.sizes == {"site": 1, "time": 365}
    assert ds.site.item() == STATION
    assert (ds.lat.item(), ds.lon.item(), ds.wban.item()) == (36.12, -97.09, "53926")
    assert str(ds.time.values[1])[:10] == "2010-01-02"
    assert ds.soil_moisture.values[0, :3].tolist() == [0.3, 0.123, 0.3]
    assert ds.T_DAILY_MAX.values[0, 1] == -3.4
    units = {v: ds[v].attrs["units"] for v in ("soil_moisture", "soil_temperature", "P_DAILY_CALC", "SOLARAD_DAILY")}
    assert units == {
        "soil_moisture": "m3 m-3",
        "soil_temperature": "degC",
        "P_DAILY_CALC": "mm d-1",
        "SOLARAD_DAILY": "MJ/m^2/day",
    }
    assert ds.soil_moisture.attrs["original_name"] == "SOIL_MOISTURE_5_DAILY"
    assert {da.attrs["day_boundary"] for da in ds.data_vars.values()} == {"00:00 local standard time"}
    assert (ds.inserted_days.item(), ds.out_of_range_days.item()) == (0, 0)


def test_units_are_ones_that_pint_reads(tmp_path):
    from xdrought.units import convert

    ds = open_uscrn(write(tmp_path))
    assert convert(ds.SOLARAD_DAILY, "W m-2").values[0, 0] == pytest.approx(10e6 / 86400)
    assert convert(ds.P_DAILY_CALC, "m/day").values[0, 0] == pytest.approx(0.0025)
    assert convert(ds.soil_moisture, "%").values[0, 0] == pytest.approx(30)


def test_each_sentinel_is_missing_where_it_is_one(tmp_path):
    """-9999 is missing everywhere; -99 is in soil moisture only, where a temperature of -99 would be a value."""
    changes = {
        0: {"SOIL_MOISTURE_5_DAILY": "-99.000", "SOIL_TEMP_5_DAILY": "-9999.0", "T_DAILY_MIN": "-99.0"},
        1: {"SOIL_MOISTURE_5_DAILY": "-9999.000", "P_DAILY_CALC": "-9999.0"},
    }
    ds = open_uscrn(write(tmp_path, text(changes=changes)))
    assert np.isnan(ds.soil_moisture.values[0, :3]).tolist() == [True, True, False]
    assert np.isnan(ds.soil_temperature.values[0, :2]).tolist() == [True, False]
    assert ds.T_DAILY_MIN.values[0, 0] == -99
    assert np.isnan(ds.P_DAILY_CALC.values[0, 1])
    assert ds.out_of_range_days.item() == 0  # missing is not impossible


@pytest.mark.parametrize("code", ["-999", "-9999.0", "-99999", "-99999.0", "-999999", "-9999.99", "-99999999"])
def test_missing_codes_of_any_number_of_nines(tmp_path, code):
    names = [
        "SOLARAD_DAILY",
        "T_DAILY_AVG",
        "SOIL_TEMP_5_DAILY",
        "SOIL_MOISTURE_5_DAILY",
        "P_DAILY_CALC",
        "RH_DAILY_AVG",
    ]
    path = write(tmp_path, text(changes={3: dict.fromkeys(names, code)}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_uscrn(path)
    for name in ("SOLARAD_DAILY", "T_DAILY_AVG", "soil_temperature", "soil_moisture", "P_DAILY_CALC", "RH_DAILY_AVG"):
        assert np.flatnonzero(np.isnan(ds[name].values[0])).tolist() == [3]


@pytest.mark.parametrize("value", ["9999.0", "99999", "288.0", "-101.0"])
def test_values_that_cannot_be_are_missing_with_a_warning(tmp_path, value):
    path = write(tmp_path, text(changes={3: {"T_DAILY_AVG": value}}))
    with pytest.warns(UserWarning, match=r"1 of T_DAILY_AVG outside -100 to 65 degC \(first .* on 2010-01-04\)"):
        ds = open_uscrn(path)
    assert np.flatnonzero(np.isnan(ds.T_DAILY_AVG.values[0])).tolist() == [3]
    with xdrought.set_options(check_limits=False):
        assert open_uscrn(path).T_DAILY_AVG.values[0, 3] == float(value)


def test_positions_and_numbers_that_cannot_be(tmp_path):
    last = {364: {"LATITUDE": "361.2"}}
    with pytest.raises(ValueError, match=r"station OK_\w+ gives latitude 361.2, longitude .* cannot be; get the file"):
        open_uscrn(write(tmp_path, text(changes=last)))
    with pytest.raises(ValueError, match="WBAN 1e"):
        open_uscrn(write(tmp_path, text(changes={364: {"WBANNO": "1e12"}})))
    ds = open_uscrn(write(tmp_path, text(changes={364: {"LATITUDE": "-9999", "WBANNO": "-99999"}})))
    assert np.isnan(ds.lat.item())
    assert ds.wban.item() == ""


def test_impossible_soil_moisture_is_missing_and_counted(tmp_path):
    changes = {3: {"SOIL_MOISTURE_5_DAILY": "-0.010"}, 4: {"SOIL_MOISTURE_5_DAILY": "1.010"}}
    path = write(tmp_path, text(changes=changes))
    ds = open_uscrn(path)
    assert np.flatnonzero(np.isnan(ds.soil_moisture.values[0])).tolist() == [3, 4]
    assert ds.out_of_range_days.item() == 2
    assert open_uscrn(path, valid_range=(-1, 2)).out_of_range_days.item() == 0
    with pytest.raises(ValueError, match=r"valid_range=\(1, 0\) must be \(low, high\)"):
        open_uscrn(path, valid_range=(1, 0))


def test_years_are_joined_and_missing_days_inserted(tmp_path):
    write(tmp_path, text(2010, days=360), 2010)
    write(tmp_path, None, 2011)
    write(tmp_path, None, 2011, OTHER)
    ds = open_uscrn(tmp_path)
    assert ds.site.values.tolist() == [OTHER, STATION]
    assert ds.sizes["time"] == 730
    assert ds.inserted_days.values.tolist() == [0, 5]
    assert np.isnan(ds.soil_moisture.sel(site=STATION).values[360:365]).all()
    assert np.isnan(ds.soil_moisture.sel(site=OTHER).values[:365]).all()
    assert ds.record_start.dt.year.values.tolist() == [2011, 2010]


def test_choice_and_order_of_stations_and_years(tmp_path):
    for station in (STATION, OTHER):
        for year in (2010, 2011):
            write(tmp_path, None, year, station)
    ds = open_uscrn(tmp_path, stations=[STATION, OTHER], years=[2011])
    assert ds.site.values.tolist() == [STATION, OTHER]
    assert set(ds.time.dt.year.values) == {2011}
    with pytest.raises(FileNotFoundError, match=r"no file of station\(s\) \['ID_Murphy_10_W'\].*there are \['AZ_Yuma"):
        open_uscrn(tmp_path, stations=["ID_Murphy_10_W"])
    with pytest.raises(FileNotFoundError, match=r"for years \[2020\]"):
        open_uscrn(tmp_path, stations=[STATION], years=[2020])
    with pytest.raises(FileNotFoundError, match=r"for years \[2020\]"):
        open_uscrn(tmp_path, years=[2020])
    with pytest.raises(ValueError, match=r"stations='OK_Stillwater_5_WNW' is one text; give a list"):
        open_uscrn(tmp_path, stations=STATION)


def test_other_depths_and_columns(tmp_path):
    changes = {0: {"SOIL_MOISTURE_20_DAILY": "0.200", "SOIL_TEMP_20_DAILY": "7.0", "RH_DAILY_MAX": "99.0"}}
    path = write(tmp_path, text(changes=changes))
    ds = open_uscrn(
        path, target="SOIL_MOISTURE_20_DAILY", soil_temperature="SOIL_TEMP_20_DAILY", variables=["RH_DAILY_MAX"]
    )
    assert [float(ds[v][0, 0]) for v in ("soil_moisture", "soil_temperature", "RH_DAILY_MAX")] == [0.2, 7.0, 99.0]
    with pytest.raises(ValueError, match="no column 'SOIL_MOISTURE_7_DAILY' in daily01; there are.*SOIL_MOISTURE_5"):
        open_uscrn(path, target="SOIL_MOISTURE_7_DAILY")
    with pytest.raises(ValueError, match="no column 'LST_DATE'"):
        open_uscrn(path, variables=["LST_DATE"])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", r"has 0 bytes, less than one day needs"),
        ("<!DOCTYPE html>\n" + "<p>Not found</p>\n" * 30, r"line 1 of .* has 2 fields, daily01 has 28.*get it again"),
        (text()[:-60] + "\n", r"line 365 of .* fields, daily01 has 28; the file is truncated"),
        (text()[:-1], r"the last line of .* is not complete"),
        (text(2011), r"the dates of .* are not days of its year"),
        (text().replace("20100203", "20100231"), r"the dates of .* are not days of its year"),
        (text(changes={9: {"T_DAILY_MAX": "warm"}}), r"column T_DAILY_MAX of .* holds text, not numbers"),
        (text(changes={9: {"P_DAILY_CALC": "nan"}}), r"column P_DAILY_CALC of .* holds text, not numbers"),
        (text(changes={9: {"WBANNO": "inf"}}), r"column WBANNO of .* holds text, not numbers"),
        (text(changes={9: {"T_DAILY_MAX": "-inf"}}), r"column T_DAILY_MAX of .* holds text, not numbers"),
        (text().replace("2010", "0000"), r"the dates of .* are not days of its year"),
        (text() * 150, r"has \d+ bytes, more than the 10485760 that any year has"),
        (text() + line(pd.Timestamp("2010-12-31")) + "\n", r"station OK_Still\w+ has 1 duplicated day.*2010-12-31"),
        (text(days=5) + text(days=3), r"3 duplicated day"),
        (line(pd.Timestamp("2010-01-02")) + "\n" + line(pd.Timestamp("2010-01-01")) + "\n", "not in order of time"),
    ],
    ids=[
        "empty",
        "web page",
        "cut in a line",
        "cut at the end",
        "another year",
        "no date",
        "text",
        "nan",
        "inf",
        "minus inf",
        "year 0",
        "far too large",
        "day twice",
        "days twice",
        "unsorted",
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf".*{match}"):
        open_uscrn(write(tmp_path, content))


def test_the_same_file_in_two_folders(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b")
    with pytest.raises(ValueError, match=r"CRND0103-2010-OK_Stillwater_5_WNW.txt is given twice.*a.2010.*b.2010"):
        open_uscrn(tmp_path)


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        open_uscrn(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"no file CRND0103-<year>-<station>.txt in .*ncei.noaa.gov"):
        open_uscrn(tmp_path)
    other = tmp_path / "stations.txt"
    other.write_text("x")
    with pytest.raises(ValueError, match="'stations.txt' is not named as published"):
        open_uscrn(other)
    with pytest.raises(FileNotFoundError, match="no file of station"):
        open_uscrn([])


def test_what_an_interrupted_download_left_is_no_data(tmp_path):
    write(tmp_path)
    left = tmp_path / "2011" / ".part-abc"
    left.mkdir(parents=True)
    (left / name(2011)).write_text(text(2011)[:5000])
    assert set(open_uscrn(tmp_path).time.dt.year.values) == {2010}


def test_one_day_and_no_valid_value_are_reported_drops(tmp_path):
    write(tmp_path, text(days=1))
    frozen = {k: {"SOIL_MOISTURE_5_DAILY": "-99.000"} for k in range(365)}
    write(tmp_path, text(changes=frozen), station=OTHER)
    with pytest.warns(UserWarning, match="no site is kept"):
        kept, report = screen_sites(open_uscrn(tmp_path))
    assert kept.sizes["site"] == 0
    assert report.reason.tolist() == ["no valid value", "1 days, under 365; constant"]


# --- fetching -----------------------------------------------------------------------------------------------


class Server:
    """A small web server of station files on this machine; `wrong` answers come first, one a request."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.wrong: list[str] = []
        self.asked: list[str] = []
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(self.path)
                content = served.files.get(self.path)
                wrong = served.wrong.pop(0) if served.wrong else ""
                if wrong == "busy" or (content is None and not wrong):
                    self.send_error(503 if wrong else 404)
                    return
                if wrong == "insecure":
                    self.send_response(302)
                    self.send_header("Location", "http://example.com/file.txt")
                    self.end_headers()
                    return
                body = ("<html>sorry</html>" * 20 if wrong == "page" else str(content)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if wrong == "cut" else body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, year: int = 2010, station: str = STATION, content: str | None = None) -> None:
        self.files[f"/{year}/{name(year, station)}"] = text(year) if content is None else content

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.close()


def fetch(server: Server, folder: Path, **options) -> xr.Dataset:
    settings = {"stations": [STATION], "years": [2010], "wait": 0.0, "retries": 2, "progress": False}
    return open_uscrn(base_url=server.url, cache=folder, **(settings | options))


def kept_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_fetched_once_and_read_from_the_cache_after(server, tmp_path):
    server.add()
    first = fetch(server, tmp_path)
    assert kept_files(tmp_path) == [f"2010/{name()}"]
    server.files.clear()
    xr.testing.assert_identical(fetch(server, tmp_path), first)
    assert server.asked == [f"/2010/{name()}"]
    xr.testing.assert_identical(open_uscrn(tmp_path), first)


@pytest.mark.parametrize("wrong", ["busy", "cut", "page"])
def test_a_failed_try_is_repeated(server, tmp_path, wrong):
    server.add()
    server.wrong = [wrong]
    assert fetch(server, tmp_path).sizes["time"] == 365
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("wrong", "reason"), [("busy", "503"), ("cut", "."), ("page", "fields, daily01 has 28"), ("insecure", "https")]
)
def test_nothing_is_kept_of_what_never_comes_whole(server, tmp_path, wrong, reason):
    server.add()
    server.wrong = [wrong] * 5
    expected = r"could not be had in 3 tries; the last one: .*" + reason + r".*Nothing was kept: try again later"
    with pytest.raises(ConnectionError, match=f"(?s){expected}"):
        fetch(server, tmp_path)
    assert kept_files(tmp_path) == []
    assert not list(tmp_path.rglob(".part-*"))
    assert len(server.asked) == 3


def test_years_that_the_server_lacks_are_told_and_not_asked_again(server, tmp_path):
    server.add(2010)
    with pytest.warns(UserWarning, match=r"has no file of \['OK_Stillwater_5_WNW 2009'\]"):
        ds = fetch(server, tmp_path, years=[2009, 2010])
    assert set(ds.time.dt.year.values) == {2010}
    assert len(server.asked) == 2
    with (
        pytest.raises(FileNotFoundError, match=r"no file of station\(s\)"),
        pytest.warns(UserWarning, match="has no file"),
    ):
        fetch(server, tmp_path, years=[2008])


def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path):
    server.add()
    write(tmp_path, text()[:5000])
    assert fetch(server, tmp_path).sizes["time"] == 365
    assert len(server.asked) == 1


def test_a_file_of_the_running_year_is_fetched_again_after_a_day(server, tmp_path):
    path = write(tmp_path, text(days=100))
    early = time.mktime((2010, 4, 11, 12, 0, 0, 0, 0, -1))
    os.utime(path, (early, early))  # written while the year was not over
    server.add()
    assert fetch(server, tmp_path).sizes["time"] == 365
    path.write_text(text(days=100))  # a moment ago, so the year is long over
    assert fetch(server, tmp_path).sizes["time"] == 100
    assert len(server.asked) == 1


def test_the_older_copy_is_used_when_the_server_does_not_answer(server, tmp_path):
    path = write(tmp_path, text(days=100))
    early = time.mktime((2010, 4, 11, 12, 0, 0, 0, 0, -1))
    os.utime(path, (early, early))
    server.add()
    server.wrong = ["busy"] * 5
    with pytest.warns(UserWarning, match="could not be had.*the older copy in the cache is used"):
        assert fetch(server, tmp_path).sizes["time"] == 100


def test_the_cache_folder_is_the_one_of_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("XDROUGHT_CACHE_DIR", str(tmp_path / "mine"))
    server.add()
    fetch(server, None)
    assert kept_files(tmp_path) == [f"mine/uscrn/daily01/2010/{name()}"]
    monkeypatch.delenv("XDROUGHT_CACHE_DIR")
    assert download.cache_folder().name == "xdrought"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"stations": None}, r"fetching needs stations=\[...\] and years=\[...\]; got stations=None"),
        ({"years": None}, "fetching needs"),
        ({"stations": ["../../etc/passwd"]}, r"\['../../etc/passwd'\] are no station names"),
        ({"base_url": "http://www.ncei.noaa.gov"}, "is not an https address"),
        ({"base_url": "ftp://127.0.0.1"}, "is not an https address"),
        ({"base_url": "http://localhost.example.com"}, "is not an https address"),
    ],
)
def test_nothing_is_fetched_on_a_wrong_request(tmp_path, options, match):
    settings = {"stations": [STATION], "years": [2010], "cache": tmp_path, "progress": False}
    with pytest.raises(ValueError, match=f".*{match}"):
        open_uscrn(**(settings | options))
    assert not list(tmp_path.iterdir())


def test_the_public_home_is_https():
    assert BASE_URL.startswith("https://www.ncei.noaa.gov/")


# --- the real files -----------------------------------------------------------------------------------------


def test_published_stations(data_dir):
    ds = open_uscrn(data_dir / "uscrn")
    assert ds.sizes["site"] == 36
    assert (str(ds.time.values[0])[:10], str(ds.time.values[-1])[:10]) == ("2009-01-01", "2024-04-07")
    places = pd.read_csv(data_dir / "uscrn" / "stations_all.csv", dtype={"WBANNO": str}).set_index("WBANNO")
    known = places.loc[ds.wban.values]
    assert known.station.tolist() == ds.site.values.tolist()
    np.testing.assert_allclose(ds.lat, known.lat, atol=0.011)
    np.testing.assert_allclose(ds.lon, known.lon, atol=0.011)
    assert 0 < float(ds.soil_moisture.min()) < float(ds.soil_moisture.max()) < 1
    assert float(ds.T_DAILY_MIN.min()) > -60  # no sentinel is left
    assert int(ds.inserted_days.sum()) == 0
    kept, report = screen_sites(ds)
    assert kept.sizes["site"] == 36
    assert report.invalid_percent.max() == 9.81
    assert report.loc[report.site == "OK_Stillwater_5_WNW", "valid_days"].item() == 5333


def test_published_values_are_kept_as_they_are(data_dir):
    (path,) = (data_dir / "uscrn").rglob(name(2012))
    ds = open_uscrn(path)
    raw = [row.split() for row in path.read_text().splitlines()]
    where = COLUMNS.index("SOIL_MOISTURE_5_DAILY")
    expected = np.array([float(row[where]) for row in raw])
    np.testing.assert_array_equal(ds.soil_moisture.values[0], np.where(expected < -90, np.nan, expected))
