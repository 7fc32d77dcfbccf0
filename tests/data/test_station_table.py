"""Tables of one station as spreadsheets and loggers write them: read as they are meant, or refused in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought.data.station_table import read_station_table

DAYS = pd.date_range("2001-01-25", periods=40, name="day")
SERIES = pd.Series(np.linspace(0.1, 0.4, 40).round(3), DAYS, name="sm")
SERIES.iloc[[3, 7]] = np.nan
PLAIN = SERIES.to_csv()


def read(tmp_path, content: str | bytes) -> xr.Dataset:
    path = tmp_path / "probe.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_station_table(path, "day")


def at_hours(text: str, zone: str) -> str:
    return "\n".join(
        line.replace(",", f" 00:00:00{zone},", 1) if line[:2] == "20" else line for line in text.split("\n")
    )


WRITTEN = {
    "plain": PLAIN,
    "with a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "semicolons": PLAIN.replace(",", ";"),
    "semicolons and decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "tabs": PLAIN.replace(",", "\t"),
    "carriage returns": PLAIN.replace("\n", "\r\n"),
    "carriage returns alone": PLAIN.replace("\n", "\r"),
    "comments before": "# station A\n# m3 m-3, measured\n" + PLAIN,
    "spaces in the header": PLAIN.replace("day,sm", "day, sm"),
    "quotes": PLAIN.replace("day,sm", '"day","sm"'),
    "a column of names": "\n".join(line + (",flag" if line[0] == "d" else ",ok") for line in PLAIN.split()),
    "other words for no value": SERIES.to_csv(na_rep="NA"),
    "rows in another order": SERIES.sample(frac=1, random_state=0).to_csv(),
    "rows without a value left out": SERIES.dropna().to_csv(),
    "in UTC": at_hours(PLAIN, "Z"),
    "in a zone with summer time": SERIES.tz_localize("America/Chicago").to_csv(),
    **{form: SERIES.to_csv(date_format=form) for form in ("%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%y")},
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_a_table_is_read_as_it_is_meant(content, tmp_path):
    found = read(tmp_path, content).sm
    assert found.indexes["day"].equals(DAYS)
    np.testing.assert_array_equal(found, SERIES)


def test_days_that_are_dates_in_two_ways_are_told_by_their_steps(tmp_path):
    """1/2/2001 to 6/2/2001 are six days one after the other only where the day comes first."""
    days = pd.date_range("2001-02-01", periods=6, name="day")
    for form in ("%d/%m/%Y", "%m/%d/%Y"):
        table = pd.Series(0.3, days, name="sm").to_csv(date_format=form)
        assert read(tmp_path, table).indexes["day"].equals(days)
    with pytest.raises(ValueError, match="not told, they can be read in two ways; write all of them as YYYY-MM-DD"):
        read(tmp_path, "day,sm\n1/2/2001,0.3\n3/3/2001,0.3\n9/4/2001,0.3\n")


REFUSED = {
    "day of the year": (SERIES.to_csv(date_format="%Y%j"), "'2001025' in row 1 is none; write all of them as YYYY-MM"),
    "days of a spreadsheet": ("day,sm\n36892,0.3\n36893,0.3\n", "'36892' in row 1 is none"),
    "units below the header": (PLAIN.replace("sm\n", "sm\n,m3 m-3\n"), "not told, row 1 has none"),
    "a sum below": (PLAIN + "Sum,12\n", "'Sum' in row 41 is none"),
    "words among numbers": (SERIES.to_csv(na_rep="---"), r"holds '---' in row 4 \(2 such in all\), which is no number"),
    "two stations": (
        PLAIN + PLAIN.partition("\n")[2],
        "has 40 date.s. in more than one row, first 2001-01-25; a",
    ),
    "no rows": ("day,sm\n", "has no row below its header"),
    "no columns": ("", r"has the columns \[\], not 'day'"),
    "a line that is too long": (
        PLAIN + "2001-03-06,1,2\n",
        "is no table .*each line needs as many fields as",
    ),
    "lines that are too long": ("day,sm\n2001-03-06,1,2\n", "more fields than its header; each line needs as many"),
    "another encoding": (PLAIN.encode("utf-16"), "is no text in UTF-8 .*; save it as CSV UTF-8"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_told_is_refused_in_words(content, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        read(tmp_path, content)


def test_hours_stay_hours_and_size_is_bounded(tmp_path, monkeypatch):
    hours = pd.Series(0.3, pd.date_range("2001-01-01", periods=30, freq="h", name="day"), name="sm").drop(
        pd.Timestamp("2001-01-01 05:00")
    )
    assert read(tmp_path, hours.to_csv()).sizes["day"] == 29
    monkeypatch.setattr("xdrought.data.station_table.MAX_BYTES", 10)
    with pytest.raises(ValueError, match="has more than 10 bytes"):
        read(tmp_path, PLAIN)
