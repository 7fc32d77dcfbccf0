"""FLUXNET2015 reader: published files as they are, and each way a file can be wrong."""

from __future__ import annotations

import csv
import gzip
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.helpers import follow
from xdrought.data import fluxnet_files, open_fluxnet, screen_sites

NAME = "FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
ZIP = "FLX_XX-Abc_FLUXNET2015_SUBSET_2001-2001_1-4.zip"
PLACES = pd.DataFrame({"site": ["XX-Abc", "XX-Def"], "lat": [47.0, -10.5], "lon": [11.0, 131.0]})


def table(start="2001-01-01", days=365, **columns) -> pd.DataFrame:
    """A small daily FLUXNET2015 table; soil moisture is 20 + a tenth of the day's number."""
    time = pd.date_range(start, periods=days)
    base = {
        "TIMESTAMP": time.strftime("%Y%m%d"),
        "TA_F": 10.0,
        "P_F": 1.5,
        "TS_F_MDS_1": 8.0,
        "SWC_F_MDS_1": 20 + 0.1 * np.arange(days),
        "SWC_F_MDS_1_QC": 1.0,
        "RECO_SR_N": -9999,
    }
    return pd.DataFrame({**base, **columns}, index=range(days))


def write(folder: Path, frame: pd.DataFrame, name: str = NAME) -> Path:
    path = folder / name
    frame.to_csv(path, index=False)
    return path


def write_zip(folder: Path, members: dict[str, str], name: str = ZIP) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def read(path, **options) -> xr.Dataset:
    return open_fluxnet(path, **{"site_table": PLACES, **options})


def test_values_names_units_and_places(tmp_path):
    moisture = 20 + 0.1 * np.arange(365)
    moisture[3] = -9999
    ds = read(write(tmp_path, table(SWC_F_MDS_1=moisture)))
    assert ds.soil_moisture.dims == ("site", "time")
    assert ds.site.values.tolist() == ["XX-Abc"]
    assert np.isnan(ds.soil_moisture.values[0, 3])
    assert ds.soil_moisture.values[0, 10] == pytest.approx(21.0)
    assert str(ds.time.values[10])[:10] == "2001-01-11"
    assert ds.soil_moisture.attrs["units"] == "%"
    assert ds.soil_moisture.attrs["original_name"] == "SWC_F_MDS_1"
    assert ds.soil_temperature.attrs == {
        "long_name": "soil temperature",
        "units": "degC",
        "original_name": "TS_F_MDS_1",
        "day_boundary": "00:00 local standard time",
    }
    assert ds.P_F.attrs["units"] == "mm d-1"
    assert (ds.lat.item(), ds.lon.item(), ds.version.item()) == (47.0, 11.0, "1-4")
    assert "PA_F" not in ds  # in no file and not asked for
    assert "RECO_SR_N" not in ds


def test_sites_are_outer_joined_on_one_gapless_axis(tmp_path):
    write(tmp_path, table("2001-01-01", 365))
    write(tmp_path, table("2003-01-01", 365, TA_F=-5.0), "FLX_XX-Def_FLUXNET2015_FULLSET_DD_2003-2003_2-3.csv")
    PLACES.to_csv(tmp_path / "sites.csv", index=False)
    ds = open_fluxnet(tmp_path)
    assert ds.sizes == {"site": 2, "time": 3 * 365}
    assert np.unique(np.diff(ds.time.values)) == np.timedelta64(1, "D")
    first, second = ds.TA_F.values
    assert np.isfinite(first[:365]).all()
    assert np.isnan(first[365:]).all()
    assert np.isnan(second[:730]).all()
    assert (second[730:] == -5).all()
    assert ds.lat.values.tolist() == [47.0, -10.5]
    assert pd.Timestamp(ds.record_start.values[1]) == pd.Timestamp("2003-01-01")


def test_choice_and_order_of_sites(tmp_path):
    write(tmp_path, table())
    write(tmp_path, table(), NAME.replace("Abc", "Def"))
    assert read(tmp_path, sites=["XX-Def", "XX-Abc"]).site.values.tolist() == ["XX-Def", "XX-Abc"]
    assert read(tmp_path, sites=["XX-Def"]).site.values.tolist() == ["XX-Def"]
    with pytest.raises(ValueError, match="not found: \\['XX-Ghi'\\].*'XX-Abc', 'XX-Def'"):
        read(tmp_path, sites=["XX-Ghi"])
    with pytest.raises(ValueError, match="must be a list"):
        read(tmp_path, sites="XX-Abc")


def test_zip_equals_csv_and_takes_the_daily_member(tmp_path):
    daily = table()
    path = write(tmp_path, daily)
    archive = write_zip(
        tmp_path,
        {
            NAME.replace("_DD_", "_HH_"): "TIMESTAMP_START,TIMESTAMP_END,TA_F\n200101010000,200101010030,1\n",
            NAME: daily.to_csv(index=False),
            NAME.replace("_DD_", "_MM_"): "TIMESTAMP,TA_F\n200101,1\n",
            NAME.replace("SUBSET", "ERAI"): "TIMESTAMP,TA_ERA\n20010101,1\n",
            "readme.txt": "x",
        },
    )
    xr.testing.assert_identical(read(archive), read(path))


def test_zip_member_paths_never_reach_the_disk(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = write_zip(inner, {"../evil.csv": "boo", f"../../{NAME}": table().to_csv(index=False), "/etc/evil": "boo"})
    assert read(archive).site.item() == "XX-Abc"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ZIP]


def test_zip_with_a_damaged_member(tmp_path):
    path = tmp_path / ZIP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(NAME, table().to_csv(index=False))
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="not a sound zip .*CRC.*download it again"):
        read(path)
    path.write_bytes(bytes(raw[:3000]))
    with pytest.raises(ValueError, match="not a sound zip"):
        read(path)


def test_zip_without_or_with_two_daily_members(tmp_path):
    with pytest.raises(ValueError, match="holds 0 daily tables"):
        read(write_zip(tmp_path, {NAME.replace("_DD_", "_HH_"): "x"}))
    text = table().to_csv(index=False)
    with pytest.raises(ValueError, match="holds 2 daily tables"):
        read(write_zip(tmp_path, {NAME: text, f"copy/{NAME}": text}))


def test_zip_with_the_table_of_another_site(tmp_path):
    archive = write_zip(tmp_path, {NAME.replace("Abc", "Def"): table().to_csv(index=False)})
    with pytest.raises(ValueError, match=r"2001_1-4.zip holds the table of site XX-Def; rename the zip"):
        read(archive)


def test_zip_that_asks_for_a_password(tmp_path):
    archive = write_zip(tmp_path, {NAME: table().to_csv(index=False)})
    raw = bytearray(archive.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(mark) + flags] |= 1
    archive.write_bytes(raw)
    with pytest.raises(ValueError, match="not a sound zip .*encrypted"):
        read(archive)


def test_zip_that_unpacks_to_far_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(fluxnet_files, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="unpacks to .* bytes"):
        read(write_zip(tmp_path, {NAME: table().to_csv(index=False)}))


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


def test_impossible_soil_moisture_is_missing_and_counted(tmp_path):
    moisture = 20 + 0.1 * np.arange(365)
    moisture[[5, 6]] = [-0.01, 100.4]
    moisture[[7, 8]] = [0.0, 100.0]
    path = write(tmp_path, table(SWC_F_MDS_1=moisture))
    ds = read(path)
    assert np.flatnonzero(np.isnan(ds.soil_moisture.values[0])).tolist() == [5, 6]
    assert ds.out_of_range_days.item() == 2
    assert read(path, valid_range=(-1, 101)).out_of_range_days.item() == 0
    with pytest.raises(ValueError, match="low < high"):
        read(path, valid_range=(100, 0))


def test_quality_is_kept_by_default_and_applied_when_asked(tmp_path):
    quality = np.ones(365)
    quality[[1, 2, 3]] = [0.0, 0.49, 0.5]
    quality[4] = -9999
    path = write(tmp_path, table(SWC_F_MDS_1_QC=quality))
    assert read(path).soil_moisture.notnull().all()
    assert read(path).rejected_days.item() == 0
    strict = read(path, min_quality=0.5)
    assert np.flatnonzero(np.isnan(strict.soil_moisture.values[0])).tolist() == [1, 2, 4]
    assert strict.rejected_days.item() == 3
    with pytest.raises(ValueError, match="min_quality=50 is outside 0 to 1"):
        read(path, min_quality=50)


def test_quality_asked_for_but_not_there(tmp_path):
    path = write(tmp_path, table().drop(columns="SWC_F_MDS_1_QC"))
    assert read(path).soil_moisture_qc.isnull().all()
    with pytest.raises(ValueError, match="needs the column SWC_F_MDS_1_QC"):
        read(path, min_quality=0.5)


def test_site_without_soil_moisture_is_kept_for_the_report(tmp_path):
    with pytest.warns(UserWarning, match="no file has the column 'SWC_F_MDS_1': .*these towers measure none"):
        ds = read(write(tmp_path, table().drop(columns=["SWC_F_MDS_1", "SWC_F_MDS_1_QC"])))
    assert ds.soil_moisture.isnull().all()
    assert ds.attrs["sites_without_target_column"] == "XX-Abc"
    with pytest.warns(UserWarning, match="no site is kept"):
        kept, report = screen_sites(ds)
    assert kept.sizes["site"] == 0
    assert report.reason.tolist() == ["no valid value"]


def test_other_columns_layers_and_units(tmp_path):
    path = write(tmp_path, table(SWC_F_MDS_2=30.0, NEE_VUT_REF=-2.0, ODD=7.0))
    ds = read(path, variables=["NEE_VUT_REF", "SWC_F_MDS_1"], target="SWC_F_MDS_2")
    assert (ds.soil_moisture == 30).all()
    assert ds.SWC_F_MDS_1.values[0, 1] == pytest.approx(20.1)
    assert ds.NEE_VUT_REF.attrs["units"] == "g/m^2/day"
    assert read(path, variables=["ODD"], units={"ODD": "m"}).ODD.attrs["units"] == "m"
    with pytest.raises(ValueError, match="units of 'ODD' are not known; give them"):
        read(path, variables=["ODD"])
    with pytest.raises(ValueError, match=r"no file has the column\(s\) \['NETRAD'\]"):
        read(path, variables=["NETRAD"])


def test_units_are_ones_that_pint_reads(tmp_path):
    from xdrought.units import convert

    ds = read(write(tmp_path, table(PA_F=100.0)))
    assert convert(ds.PA_F, "Pa").values[0, 0] == pytest.approx(100000)
    assert convert(ds.soil_temperature, "K").values[0, 0] == pytest.approx(281.15)


def test_site_id_for_other_names(tmp_path):
    path = write(tmp_path, table(), "tower.csv")
    with pytest.raises(ValueError, match="site cannot be told from the file name 'tower.csv'"):
        read(path)
    assert read(path, site_id="XX-Abc").lat.item() == 47.0
    assert read([path], site_id={"tower.csv": "XX-Def"}).lat.item() == -10.5
    assert read(tmp_path, site_id={"tower.csv": "XX-Def"}).site.item() == "XX-Def"
    with pytest.raises(ValueError, match="names one site but 2"):
        read([path, path], site_id="XX-Abc")


def test_same_site_twice(tmp_path):
    write(tmp_path, table())
    write(tmp_path, table(), NAME.replace("1-4", "1-3"))
    with pytest.raises(ValueError, match="XX-Abc is in 2 files.*give one of them"):
        read(tmp_path)


def test_paths_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no path was given; download the data from"):
        read([])
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(FileNotFoundError, match="it has no csv or zip.*fluxnet.org"):
        read(tmp_path)


def test_files_left_aside_are_told(tmp_path):
    write(tmp_path, table())
    write(tmp_path, table(), "notes.csv")
    with pytest.warns(UserWarning, match=r"left aside.*\['notes.csv'\]"):
        read(tmp_path)


def test_site_table(tmp_path):
    path = write(tmp_path, table())
    with pytest.warns(UserWarning, match=r"no position for \['XX-Abc'\]"):
        assert np.isnan(open_fluxnet(path).lat.item())
    badm = pd.DataFrame(
        {
            "SITE_ID": ["XX-Abc"],
            "LOCATION_LAT": [1.0],
            "LOCATION_LONG": [2.0],
            "LOCATION_ELEV": [3.0],
            "IGBP": ["GRA"],
        }
    )
    badm.to_csv(tmp_path / "badm.txt", index=False)
    ds = read(path, site_table=tmp_path / "badm.txt")
    assert (ds.lat.item(), ds.lon.item(), ds.elevation.item(), ds.igbp.item()) == (1.0, 2.0, 3.0, "GRA")
    with pytest.raises(FileNotFoundError, match="no site table"):
        read(path, site_table=tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"lacks the column\(s\) \['lon'\]"):
        read(path, site_table=PLACES.drop(columns="lon"))
    with pytest.raises(ValueError, match="has XX-Abc twice"):
        read(path, site_table=pd.concat([PLACES, PLACES]))
    with pytest.raises(ValueError, match="off the globe"):
        read(path, site_table=PLACES.assign(lat=[131.0, 0.0]))
    with pytest.raises(ValueError, match=r"gives lat of \['XX-Abc'\] in words; expected decimal degrees"):
        read(path, site_table=PLACES.assign(lat=["47 N", "0"]))
    for content in (b"", bytes(range(128, 256))):
        (tmp_path / "sites.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"sites.csv is not a csv table of sites \(.*\); write site,lat,lon"):
            open_fluxnet(path)


def test_one_day(tmp_path):
    path = write(tmp_path, table("2001-12-31", 1))
    ds = read(path)
    assert ds.sizes == {"site": 1, "time": 1}
    with pytest.warns(UserWarning, match="no site is kept"):
        _, report = screen_sites(ds)
    assert report.reason.item() == "1 days, under 365; constant"


# --- products of today ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("archive", "member"),
    [
        ("AMF_XX-Abc_FLUXNET_FULLSET_2001-2001_3-5", "AMF_XX-Abc_FLUXNET_FULLSET_DD_2001-2001_3-5"),
        ("AMF_XX-Abc_FLUXNET_SUBSET_2001-2001_3-5", "AMF_XX-Abc_FLUXNET_SUBSET_DD_2001-2001_3-5"),
        ("AMF_XX-Abc_FLUXNET_2001-2001_v1.3_r1", "AMF_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.3_r1"),
        ("TERN_XX-Abc_FLUXNET_2001-2001_v1.3_r1", "TERN_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.3_r1"),
        ("EUF_XX-Abc_FLUXNET_2001-2001_v1.2_r2", "EUF_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.2_r2"),
        ("SAEON_XX-Abc_FLUXNET_2001-2001_v1.3_r1", "SAEON_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.3_r1"),
        ("ICOSETC_XX-Abc_FLUXNET_L2", "ICOSETC_XX-Abc_FLUXNET_DD_L2"),
        ("ICOSETC_XX-Abc_FLUXNET_INTERIM_L2", "ICOSETC_XX-Abc_FLUXNET_DD_INTERIM_L2"),
        ("ICOSETC_XX-Abc_ARCHIVE_L2", "ICOSETC_XX-Abc_FLUXNET_DD_L2"),
        ("FLX_XX-Abc_FLUXNET2015_FULLSET_2001-2001_beta-3", "FLX_XX-Abc_FLUXNET2015_FULLSET_DD_2001-2001_beta-3"),
        ("download", "AMF_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.3_r1"),
    ],
)
def test_products_of_all_networks(tmp_path, archive, member):
    text = table().to_csv(index=False)
    others = {
        member.replace("_DD", "_HH"): "TIMESTAMP_START,TA_F\n200101010000,1\n",
        member.replace("_DD", "_YY"): "TIMESTAMP,TA_F\n2001,1\n",
        "AMF_XX-Abc_FLUXNET_ERA5_DD_2001-2001_v1.3_r1": "TIMESTAMP,TA_ERA\n20010101,1\n",
        "AMF_XX-Abc_FLUXNET_BIFVARINFO_DD_2001-2001_v1.3_r1": "SITE_ID,VARIABLE,DATAVALUE\nXX-Abc,VAR_INFO,SWC\n",
    }
    path = write_zip(
        tmp_path, {f"{name}.csv": content for name, content in {**others, member: text}.items()}, archive + ".zip"
    )
    expected = read(write(tmp_path, table(), f"{member}.csv"))
    assert expected.site.item() == "XX-Abc"
    for more in ({}, {"site_id": "XX-Abc"}):
        made = read(path, **more)
        np.testing.assert_array_equal(made.soil_moisture, expected.soil_moisture)
        assert (made.site.item(), made.lat.item()) == ("XX-Abc", 47.0)
    assert read(path, site_id="XX-Def").site.item() == "XX-Def"


def test_parts_of_names():
    name = fluxnet_files.read_name("AMF_US-Ha1_FLUXNET_FLUXMET_DD_1991-2025_v1.3_r1.csv")
    assert name == fluxnet_files.Name("US-Ha1", "FLUXMET", "DD", 2025, "v1.3_r1", "csv")
    assert fluxnet_files.read_name("ICOSETC_BE-Bra_FLUXNET_DD_INTERIM_L2.csv.gz").is_daily
    for other in (
        "notes.csv",
        "sites.csv",
        "FLX.csv",
        "amf_US-Ha1_FLUXNET_DD.csv",
        "AMF_US-Ha1_other_DD_1.csv",
        "x.txt",
    ):
        assert fluxnet_files.read_name(other) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AMF_XX-Abc_BASE_HH_10-5.csv", "is the BASE product"),
        ("AMF_XX-Abc_FLUXNET_ERA5_DD_2001-2001_v1.3_r1.csv", "is the ERA5 product"),
        ("AMF_XX-Abc_FLUXNET_BIFVARINFO_DD_2001-2001_v1.3_r1.csv", "is the BIFVARINFO product"),
        ("ICOSETC_XX-Abc_FLUXNET_HH_L2.csv", "is half-hourly"),
    ],
)
def test_other_tables_of_the_networks_are_named(tmp_path, name, text):
    with pytest.raises(ValueError, match=f"{text}; only daily files .*: give the DD file"):
        read(write(tmp_path, table(), name))


def test_an_archive_of_another_hand_is_read_when_its_site_is_told(tmp_path):
    text = table().to_csv(index=False)
    one = write_zip(tmp_path, {"tower/soil.csv": text, "readme.txt": "x"}, "mine.zip")
    with pytest.raises(ValueError, match="the site cannot be told from the file name 'mine.zip'.*give it, site_id="):
        read(one)
    assert read(one, site_id="XX-Abc").sizes["time"] == 365
    by_step = write_zip(tmp_path, {"A_HH_x.csv": "a", "A_DD_x.csv": text}, "two.zip")
    assert read(by_step, site_id="XX-Abc").sizes["time"] == 365
    unclear = write_zip(tmp_path, {"a.csv": text, "b.csv": text}, "three.zip")
    with pytest.raises(ValueError, match=r"holds 2 daily tables .*unpack the one and give its path, with site_id="):
        read(unclear, site_id="XX-Abc")


def test_a_folder_in_a_folder_and_packed_files(tmp_path):
    inner = tmp_path / "AMF_XX-Abc_FLUXNET_2001-2001_v1.3_r1"
    inner.mkdir()
    for step in ("DD", "HH", "MM"):
        write(inner, table(), f"AMF_XX-Abc_FLUXNET_FLUXMET_{step}_2001-2001_v1.3_r1.csv")
    write(inner, table(), "AMF_XX-Abc_FLUXNET_BIF_2001-2001_v1.3_r1.csv")
    packed = tmp_path / NAME.replace("Abc", "Def")
    with gzip.open(f"{packed}.gz", "wt") as file:
        file.write(table(TA_F=3.0).to_csv(index=False))
    write(tmp_path, table(TA_F=4.0), NAME.replace("Abc", "Ghi").replace(".csv", ".CSV"))
    (tmp_path / "__MACOSX").mkdir()
    write(tmp_path / "__MACOSX", table(), f"._{NAME}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_fluxnet(
            tmp_path, site_table=pd.concat([PLACES, pd.DataFrame({"site": ["XX-Ghi"], "lat": [1], "lon": [2]})])
        )
    assert ds.site.values.tolist() == ["XX-Abc", "XX-Def", "XX-Ghi"]
    assert ds.TA_F.values[:, 0].tolist() == [10.0, 3.0, 4.0]
    (tmp_path / "more.7z").write_text("x")
    (tmp_path / "table.xlsx").write_text("x")
    with pytest.warns(UserWarning, match=r"left aside, not daily FLUXNET files by name: \['more.7z', 'table.xlsx'\]"):
        open_fluxnet(tmp_path, sites=["XX-Abc"], site_table=PLACES)


def test_packed_file_that_is_damaged_or_far_too_large(tmp_path, monkeypatch):
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(gzip.compress(table().to_csv(index=False).encode())[:-200])
    with pytest.raises(ValueError, match="is not a sound gz .*; download it again"):
        read(path)
    path.write_bytes(gzip.compress(bytes(5_000_000)))
    monkeypatch.setattr(fluxnet_files, "MAX_BYTES", 1_000_000)
    with pytest.raises(ValueError, match="unpacks to more than 1000000 bytes"):
        read(path)


def test_position_from_the_metadata_in_the_archive(tmp_path):
    bif = "SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE\n" + "".join(
        f"XX-Abc,1,G,{name},{value}\n"
        for name, value in (("LOCATION_LAT", 42.5), ("LOCATION_LONG", -72.2), ("LOCATION_ELEV", -9999), ("IGBP", "DBF"))
    )
    member = "AMF_XX-Abc_FLUXNET_FLUXMET_DD_2001-2001_v1.3_r1.csv"
    members = {member: table().to_csv(index=False), "AMF_XX-Abc_FLUXNET_BIF_2001-2001_v1.3_r1.csv": bif}
    path = write_zip(tmp_path, members, "AMF_XX-Abc_FLUXNET_2001-2001_v1.3_r1.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_fluxnet(path)
    assert (ds.lat.item(), ds.lon.item(), ds.igbp.item()) == (42.5, -72.2, "DBF")
    assert np.isnan(ds.elevation.item())
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for name, text in members.items():
        (folder / name).write_text(text)
    assert open_fluxnet(folder).lat.item() == 42.5
    assert open_fluxnet(path, site_table=PLACES).lat.item() == 47.0
    (folder / "AMF_XX-Abc_FLUXNET_BIF_2001-2001_v1.3_r1.csv").write_bytes(b"\xff\x00,")
    with pytest.warns(UserWarning, match="no position for"):
        open_fluxnet(folder)


# --- details ----------------------------------------------------------------------------------------------


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


# --- the real files ------------------------------------------------------------------------------------

NO_TARGET = {"DE-Spw", "FR-Pue", "GL-ZaF", "NL-Hor", "US-Atq", "US-Cop", "US-Los"}


def test_published_sites_kept_and_dropped(data_dir):
    ds = open_fluxnet(data_dir / "fluxnet2015")
    kept, report = screen_sites(ds)
    reasons = report.set_index("site").reason
    assert ds.sizes["site"] == 20
    assert set(reasons.index[reasons == "no valid value"]) == NO_TARGET
    assert reasons["AU-Lox"] == "323 days, under 365"
    assert kept.sizes["site"] == 12
    assert set(kept.site.values) == set(reasons.index) - NO_TARGET - {"AU-Lox"}
    # US-Cop has the columns, filled with the sentinel; the six others lack them.
    assert set(ds.attrs["sites_without_target_column"].split()) == NO_TARGET - {"US-Cop"}

    rows = report.set_index("site")
    assert (rows.loc[kept.site.values, "longest_gap"].drop("AU-Fog") == 0).all()
    assert rows.low_quality_days[["AT-Neu", "DE-Geb", "US-ARM"]].tolist() == [348, 168, 632]
    assert rows.out_of_range_days["AU-Fog"] == int((_raw(data_dir, "AU-Fog").SWC_F_MDS_1 > 100).sum()) > 0
    assert (rows.inserted_days == 0).all()


def test_published_sites_over_the_whole_file(data_dir):
    report = screen_sites(open_fluxnet(data_dir / "fluxnet2015"), record="file")[1].set_index("site")
    over = report.index[report.reason.str.contains("invalid, over 10 %")]
    assert set(over) == {"AU-Lox", "CN-Cng", "DE-Gri", "DE-Seh", "IT-Col"}
    assert report.invalid_percent["IT-Col"] == pytest.approx(73.47)


def test_published_values_are_kept_as_they_are(data_dir):
    ds = open_fluxnet(data_dir / "fluxnet2015", sites=["AT-Neu"])
    raw = _raw(data_dir, "AT-Neu")
    expected = raw.SWC_F_MDS_1.where(raw.SWC_F_MDS_1 != -9999)
    np.testing.assert_array_equal(ds.soil_moisture.values[0], expected.to_numpy())
    assert np.isfinite(ds.soil_moisture).sum() == 3851
    assert (ds.lat.item(), ds.lon.item(), ds.igbp.item()) == (47.1167, 11.3175, "GRA")


def test_published_csv_in_a_zip(data_dir, tmp_path):
    csv = next((data_dir / "fluxnet2015").glob("FLX_US-CRT_*_DD_*.csv"))
    path = tmp_path / csv.name.replace("_DD_", "_").replace(".csv", ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(csv, csv.name)
    places = data_dir / "fluxnet2015" / "sites.csv"
    xr.testing.assert_identical(open_fluxnet(path, site_table=places), open_fluxnet(csv))


def _raw(data_dir: Path, site: str) -> pd.DataFrame:
    return pd.read_csv(next((data_dir / "fluxnet2015").glob(f"FLX_{site}_*.csv")))
