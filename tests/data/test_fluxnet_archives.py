"""FLUXNET reader: zip archives, products of all networks and their names, folders in folders."""

from __future__ import annotations

import gzip
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.fluxnet_tables import NAME, PLACES, ZIP, read, table, write, write_zip
from xdrought.data import fluxnet_files, open_fluxnet


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
