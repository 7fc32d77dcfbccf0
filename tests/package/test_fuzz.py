"""Readers and broken files: a Dataset, or an error that says who, what and the cure; never a crash."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.data import test_uscrn
from tests.support import fluxnet_tables
from tests.support.forecasters import untrained
from tests.support.mutations import Reader, attack, mutate, outcome
from tests.support.towers import random_sites
from xdrought.data import open_fluxnet, open_uscrn
from xdrought.data.era5 import open_era5
from xdrought.forecast import load_forecaster
from xdrought.simulation import twin

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
TIMES = 60


def fluxnet_csv(folder: Path) -> Reader:
    path = fluxnet_tables.write(folder, fluxnet_tables.table(days=40))
    return Reader("FLUXNET csv", path.name, path.read_bytes(), fluxnet_tables.read, "open_fluxnet")


def fluxnet_zip(folder: Path) -> Reader:
    path = folder / fluxnet_tables.ZIP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(fluxnet_tables.NAME, fluxnet_tables.table(days=40).to_csv(index=False))
    return Reader("FLUXNET zip", path.name, path.read_bytes(), fluxnet_tables.read, "open_fluxnet")


def site_table(folder: Path) -> Reader:
    data = fluxnet_tables.write(folder, fluxnet_tables.table(days=5))
    content = fluxnet_tables.PLACES.to_csv(index=False).encode()
    return Reader("site table", "sites.csv", content, lambda path: open_fluxnet(data, site_table=path), "open_fluxnet")


def uscrn_txt(folder: Path) -> Reader:
    content = test_uscrn.text(days=40).encode()
    return Reader("USCRN", f"2010/{test_uscrn.name()}", content, open_uscrn, "open_uscrn")


def era5_netcdf(folder: Path) -> Reader:
    (path,) = twin.to_era5(twin.simulate_grid(2, 2, 6, spinup_days=1, drivers=["t2m", "tp"]), folder / "it.nc")
    content = path.read_bytes()
    return Reader(
        "ERA5 NetCDF-4", "it.nc", content, lambda path: open_era5(path, drivers=["t2m", "tp"]), "open_era5", True
    )


def saved_forecaster(folder: Path) -> Reader:
    path = folder / "it.xdrought"
    untrained(random_sites(2, 90, 2), "ResAttCauRec", widths=(2, 2)).save(path)
    return Reader("saved forecaster", path.name, path.read_bytes(), load_forecaster, "load_forecaster")


READERS: list[Callable[[Path], Reader]] = [
    fluxnet_csv,
    fluxnet_zip,
    site_table,
    uscrn_txt,
    era5_netcdf,
    saved_forecaster,
]


@pytest.mark.parametrize("make", READERS, ids=lambda one: one.__name__)
def test_broken_files_are_read_or_refused_in_words(tmp_path, make):
    reader = make(tmp_path)
    found, bad = attack(reader, tmp_path, TIMES)
    assert found.total() == TIMES
    assert found["refused"] > 0
    assert bad == [], found


def test_the_attack_sees_a_careless_reader(tmp_path):
    def careless(path: Path) -> object:
        text = path.read_text()  # UnicodeDecodeError is a ValueError that names nobody
        return pd.Series(text.split(",")).astype(float).iloc[3]

    reader = Reader("careless", "it.csv", b"1,2,3,4", careless, "careless")
    found, bad = attack(reader, tmp_path, 40)
    assert len(bad) > 5
    assert any("without a name" in text for text in found)

    def deadly(path: Path) -> object:
        return os.kill(os.getpid(), 9) if path.read_bytes() != b"1" else None

    found, bad = attack(Reader("deadly", "it", b"1", deadly, "deadly", compiled=True), tmp_path, 5)
    assert found["crash: -9"] > 0


def test_mutations_differ_and_repeat():
    content = bytes(range(256)) * 4
    first = [mutate(content, np.random.default_rng(k)) for k in range(30)]
    assert first == [mutate(content, np.random.default_rng(k)) for k in range(30)]
    assert len(set(first)) >= 28
    assert outcome(Reader("it", "it", b"", lambda path: None, "it"), Path("it")) == "read"


# --- found by the attack, and since then refused in words ------------------------------------------------------


@pytest.mark.parametrize("odd", [b"\xff", b'"'], ids=["no text", "a quote that does not end"])
def test_a_table_with_bytes_that_do_not_belong(tmp_path, odd):
    path = tmp_path / fluxnet_tables.NAME
    path.write_bytes(
        fluxnet_tables.table(days=40).to_csv(index=False).encode().replace(b",20.3,", b"," + odd + b"20.3,")
    )
    with pytest.raises(ValueError, match=".*; get the file again"):
        fluxnet_tables.read(path)


@pytest.mark.parametrize(
    ("record", "changes"),
    [(b"PK\5\6", {16: b"\0\0\0\x80"}), (b"PK\1\2", {8: b"\0\x08", 50: b"\xe3"})],
    ids=["it begins elsewhere", "a name that is no text"],
)
def test_a_zip_whose_directory_is_damaged(tmp_path, record, changes):
    reader = fluxnet_zip(tmp_path)
    broken, at = bytearray(reader.content), reader.content.rindex(record)
    for place, new in changes.items():
        broken[at + place : at + place + len(new)] = new
    (tmp_path / reader.file).write_bytes(broken)
    with pytest.raises(ValueError, match=".* is not a sound zip .*; download it again"):
        fluxnet_tables.read(tmp_path / reader.file)


def test_a_quote_in_a_station_s_year(tmp_path):
    path = test_uscrn.write(tmp_path, test_uscrn.text(changes={9: {"T_DAILY_MAX": '"10.0'}}))
    with pytest.raises(ValueError, match="column T_DAILY_MAX of .* holds text"):
        open_uscrn(path)


def test_a_netcdf_file_with_damaged_metadata(tmp_path, monkeypatch):
    xr.Dataset({"t2m": 280.0}).to_netcdf(tmp_path / "it.nc", engine="h5netcdf")

    def fail(*args, **options):
        raise RuntimeError("incorrect metadata checksum")

    monkeypatch.setattr(xr, "open_dataset", fail)
    with pytest.raises(OSError, match=r".*it.nc cannot be read \(incorrect metadata checksum\).*get it again"):
        open_era5(tmp_path / "it.nc")


@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_a_store_elsewhere_is_had_over_a_safe_connection(scheme):
    with pytest.raises(ValueError, match=f"'{scheme}://x/era5.zarr' is not encrypted.*https"):
        open_era5(f"{scheme}://x/era5.zarr")
