"""FLUXNET reader: values, names, units, places and quality as published, of small tables and the real files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.fluxnet_tables import NAME, PLACES, read, table, write
from xdrought.data import open_fluxnet, screen_sites


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
