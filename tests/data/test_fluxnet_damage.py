"""FLUXNET reader: each way a table can be wrong, cut short, unsorted, of another hand or far too large."""

from __future__ import annotations

import csv
import tracemalloc
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.fluxnet_tables import NAME, PLACES, ZIP, read, table, write
from tests.support.helpers import follow
from xdrought.data import screen_sites


def test_missing_days_are_inserted_and_counted(tmp_path):
    ds = read(write(tmp_path, table().drop(index=[100, 101, 200])))
    assert ds.sizes["time"] == 365
    assert ds.inserted_days.item() == 3
    assert np.flatnonzero(np.isnan(ds.TA_F.values[0])).tolist() == [100, 101, 200]
    _, report = screen_sites(ds)
    assert report.loc[0, ["inserted_days", "longest_gap", "valid_days"]].tolist() == [3, 2, 362]


def test_duplicated_days(tmp_path):
    frame = table()
    with pytest.raises(ValueError, match="1 duplicated day.*2001-01-08"):
        read(write(tmp_path, pd.concat([frame, frame.iloc[[7]]])))


def test_unsorted_days(tmp_path):
    frame = table()
    order = [*range(10), 11, 10, *range(12, 365)]
    with pytest.raises(ValueError, match="not in order of time at 2001-01-11"):
        read(write(tmp_path, frame.iloc[order]))


def test_truncated_csv(tmp_path):
    path = write(tmp_path, table())
    text = path.read_text()
    path.write_text(text[: text.rindex(",", 0, -20)])
    with pytest.raises(ValueError, match="line 366 of 366 .* has 2 fields, the header has 7; the file is truncated"):
        read(path)


@pytest.mark.parametrize("cut", range(1, 8))
def test_csv_cut_inside_its_last_number(tmp_path, cut):
    """A line that was to end with 30,-9999 and a line's end: what is left has all fields, but not their digits."""
    path = write(tmp_path, table(RECO_SR_N=30, ZZ=-9999))
    text = path.read_text()
    path.write_text(text[:-cut])
    with pytest.raises(ValueError, match="the last line of .* does not end; the file is truncated|has 7 fields"):
        read(path)


def test_csv_with_the_line_ends_of_windows(tmp_path):
    path = write(tmp_path, table())
    expected = read(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    xr.testing.assert_identical(read(path), expected)


def test_csv_cut_at_the_end_of_a_line_is_noticed(tmp_path):
    with pytest.warns(UserWarning, match="ends on 2001-07-19 though its name says 2001"):
        read(write(tmp_path, table(days=200)))


def test_csv_with_a_header_only(tmp_path):
    with pytest.raises(ValueError, match="has a header but no rows"):
        read(write(tmp_path, table().iloc[:0]))


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "<!DOCTYPE html>\n<html></html>\n"])
def test_file_that_is_not_fluxnet(tmp_path, text):
    path = tmp_path / NAME
    path.write_text(text)
    with pytest.raises(ValueError, match="not a daily FLUXNET table: no column TIMESTAMP.*fluxnet.org"):
        read(path)


def test_a_column_twice(tmp_path):
    path = tmp_path / NAME
    path.write_text("TIMESTAMP,TA_F,TA_F\n20010101,1,2\n")
    with pytest.raises(ValueError, match=r"has the column\(s\) \['TA_F'\] more than once"):
        read(path)


def test_other_table_with_a_timestamp(tmp_path):
    path = tmp_path / NAME
    path.write_text("TIMESTAMP,foo\n20010101,1\n")
    with pytest.raises(ValueError, match="none of the FLUXNET columns"):
        read(path)


@pytest.mark.parametrize(
    ("step", "word"),
    [("HH", "half-hourly"), ("HR", "hourly"), ("WW", "weekly"), ("MM", "monthly"), ("YY", "yearly")],
)
def test_other_resolutions_are_named(tmp_path, step, word):
    path = write(tmp_path, table(), NAME.replace("_DD_", f"_{step}_"))
    with pytest.raises(ValueError, match=f" is {word}; only daily"):
        read(path)
    with pytest.raises(FileNotFoundError, match=f"no daily FLUXNET file.*{step}_2001"):
        read(tmp_path)


def test_other_product_is_named(tmp_path):
    with pytest.raises(ValueError, match="is the ERAI product"):
        read(write(tmp_path, table(), NAME.replace("SUBSET", "ERAI")))


@pytest.mark.parametrize(("stamp", "word"), [("2001", "yearly"), ("200101", "monthly"), ("x", "no date")])
def test_wrong_timestamps(tmp_path, stamp, word):
    with pytest.raises(ValueError, match=f"holds '{stamp}' \\({word}\\); daily files have YYYYMMDD"):
        read(write(tmp_path, table(TIMESTAMP=stamp)))


def test_impossible_date(tmp_path):
    with pytest.raises(ValueError, match="'20010231', which is no date"):
        read(write(tmp_path, table(TIMESTAMP="20010231")))


def test_half_hourly_content_under_a_daily_name(tmp_path):
    frame = table().rename(columns={"TIMESTAMP": "TIMESTAMP_START"})
    with pytest.raises(ValueError, match="TIMESTAMP_START: half-hourly"):
        read(write(tmp_path, frame))


def test_text_among_the_numbers(tmp_path):
    with pytest.raises(ValueError, match="column TA_F of .* holds 'warm', not numbers"):
        read(write(tmp_path, table(TA_F=["warm"] + ["1.0"] * 364)))


def test_header_with_quotes_spaces_or_row_names(tmp_path):
    expected = read(write(tmp_path, table()))
    frame = table()
    for text in (
        frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC),
        frame.to_csv(index=True, quoting=csv.QUOTE_NONNUMERIC),  # R's write.csv
        frame.to_csv(index=False).replace(",", ", "),
        frame.to_csv(index=False).replace("TIMESTAMP", "\ufeffTIMESTAMP"),
        frame.to_csv(index=False).replace("\n", "\r"),
        frame.to_csv(index=False).replace("20010102", '"20010102"') + "\n\n",
        frame.to_csv(index=False).replace("-9999", "NA"),
    ):
        (tmp_path / NAME).write_text(text, newline="", encoding="utf-8")
        xr.testing.assert_identical(read(tmp_path / NAME), expected)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_fields_parted_by_something_else_are_named(tmp_path, mark):
    path = write(tmp_path, table())
    path.write_text(path.read_text().replace(",", mark))
    with pytest.raises(ValueError, match="no column TIMESTAMP .its fields are parted by .*write it with commas"):
        read(path)


@pytest.mark.parametrize("code", ["-999", "-9999", "-99999", "-999999.0", "-9999.9", "-9999.99", "-9999999"])
def test_codes_of_any_number_of_nines_are_missing(tmp_path, code):
    values = ["20.0"] * 365
    values[5] = code
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = read(write(tmp_path, table(SWC_F_MDS_1=values, TA_F=values, TS_F_MDS_1=values)))
    for name in ("soil_moisture", "TA_F", "soil_temperature"):
        assert np.flatnonzero(np.isnan(ds[name].values[0])).tolist() == [5]
    assert ds.out_of_range_days.item() == 0


def test_values_that_cannot_be_are_missing_with_a_warning(tmp_path):
    warm = np.full(365, 10.0)
    warm[[7, 9]] = [285.0, -300.0]
    path = write(tmp_path, table(TA_F=warm))
    with pytest.warns(
        UserWarning, match=r"2 of TA_F outside -100 to 65 degC \(first 285 at XX-Abc on 2001-01-08\)"
    ) as seen:
        ds = read(path)
    assert np.flatnonzero(np.isnan(ds.TA_F.values[0])).tolist() == [7, 9]
    option = str(seen[0].message).rpartition("inside `with ")[2].removesuffix(":`")
    with follow(f"option = {option}", xdrought=xdrought)["option"]:  # the cure of the warning
        assert read(path).TA_F.values[0, 7] == 285.0


@pytest.mark.parametrize("code", [-9999, -99999.0, "-9999.00"])
def test_codes_in_the_table_of_sites_are_missing(tmp_path, code):
    path = write(tmp_path, table())
    ds = read(path, site_table=PLACES.assign(elevation_m=[code, "300"]))
    assert np.isnan(ds.elevation.item())
    with pytest.warns(UserWarning, match=r"no position for \['XX-Abc'\]"):
        assert np.isnan(read(path, site_table=PLACES.assign(lat=[code, 1.0])).lat.item())
    with pytest.raises(ValueError, match=r"gives elevation of \['XX-Abc'\] in words; expected metres"):
        read(path, site_table=PLACES.assign(elevation_m=["300 m", "1"]))


@pytest.mark.parametrize("stamp", ["00000101", "00010101", "99990101", "17991231"])
def test_years_that_no_record_has(tmp_path, stamp):
    with pytest.raises(ValueError, match=f"TIMESTAMP of .* holds '{stamp}', which is no date"):
        read(write(tmp_path, table(TIMESTAMP=stamp)))


@pytest.mark.parametrize("text", ["inf", "-inf", "Infinity", "1e999"])
def test_infinite_numbers(tmp_path, text):
    with pytest.raises(ValueError, match="column TA_F of .* holds (inf|'.*'), not numbers; get the file again"):
        read(write(tmp_path, table(TA_F=[text] + ["1.0"] * 364)))


def test_tables_of_far_too_many_lines_or_columns_take_little_memory(tmp_path):
    lines = b"TIMESTAMP,TA_F\n" + b"0,1\n" * 20_000_000
    path = tmp_path / ZIP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, lines)
    assert path.stat().st_size < 1_000_000
    del lines
    tracemalloc.start()
    with pytest.raises(ValueError, match="has 20000001 lines of 2 columns, more than any daily record"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 400 * 2**20
    tracemalloc.stop()
    (tmp_path / NAME).write_text("TIMESTAMP" + ",a" * 6000 + "\n")
    with pytest.raises(ValueError, match="more than once|more than any daily record"):
        read(tmp_path / NAME)
