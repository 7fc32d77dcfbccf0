"""Data by name: what travels with the library, what is found in folders, and words for what is not there."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought.data import open_dataset, open_fluxnet, open_uscrn, screen_sites


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No data folder and an empty cache."""
    monkeypatch.delenv("XDROUGHT_DATA_DIR", raising=False)
    monkeypatch.setenv("XDROUGHT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def test_the_packaged_site_needs_nothing(nowhere):
    ds = open_dataset("us-ar1")
    assert ds.site.values.tolist() == ["US-AR1"]
    assert (str(ds.time.values[0])[:10], str(ds.time.values[-1])[:10]) == ("2009-01-01", "2012-12-31")
    assert (ds.lat.item(), ds.lon.item(), ds.igbp.item()) == (36.4267, -99.42, "GRA")
    assert (ds.soil_moisture.attrs["units"], ds.soil_temperature.attrs["units"]) == ("%", "degC")
    assert "CC-BY-4.0" in ds.attrs["license"]
    assert "Pastorello" in ds.attrs["references"]
    kept, _ = screen_sites(ds)
    assert kept.sizes["site"] == 1
    # the southern plains drought: the driest summer of the four
    summers = ds.soil_moisture.sel(time=ds.time.dt.month.isin([6, 7, 8])).groupby("time.year").mean(...)
    assert summers.year[int(summers.argmin("year"))] == 2011


def test_the_packaged_site_is_in_memory_and_its_file_closed():
    first, second = open_dataset("us-ar1"), open_dataset("us-ar1")
    first.soil_moisture[:] = 0
    assert float(second.soil_moisture.mean()) > 0
    assert isinstance(second.soil_moisture.data, np.ndarray)


def test_the_packaged_values_are_the_published_ones(data_dir):
    (path,) = (data_dir / "us-ar1").glob("*.xlsx")
    raw = pd.read_excel(path)
    ds = open_dataset("us-ar1")
    assert {da.attrs["day_boundary"] for da in ds.data_vars.values()} == {"00:00 local standard time"}
    for ours, theirs in (("soil_moisture", "SWC_F_MDS_1"), ("TA_F", "TA_F"), ("P_F", "P_F")):
        expected = raw[theirs].where(raw[theirs] != -9999).to_numpy("float64")
        np.testing.assert_allclose(ds[ours].values[0], expected, rtol=1e-6)


def test_the_twin_by_name(nowhere):
    from xdrought.simulation.twin import simulate

    ds = open_dataset("twin", n_sites=2, n_days=10, size=2, seed=4, spinup_days=5)
    xr.testing.assert_identical(ds, simulate(2, 10, size=2, seed=4, spinup_days=5))


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("fluxnet2015", {}, ValueError, r"no data called 'fluxnet2015'; there are \['fluxnet', 'twin', 'us-ar1'"),
        ("us-ar1", {"sites": ["US-AR1"]}, ValueError, r"'us-ar1' takes no options, got \['sites'\]"),
        (
            "fluxnet",
            {},
            FileNotFoundError,
            r"fluxnet.org.*in <folder>/fluxnet2015/, with a sites.csv.*set XDROUGHT_DATA_DIR=<folder> \(now "
            r"XDROUGHT_DATA_DIR is not set\)",
        ),
        (
            "uscrn",
            {},
            FileNotFoundError,
            r"open_uscrn\(stations=\[.*ncei.noaa.gov.*<folder>/uscrn/daily01/<year>/.*is not set\)",
        ),
    ],
)
def test_what_is_not_there_is_told_with_the_cure(nowhere, name, options, error, match):
    with pytest.raises(error, match=f".*{match}"):
        open_dataset(name, **options)


@pytest.mark.parametrize("name", ["fluxnet", "uscrn"])
def test_a_data_folder_without_the_subfolder_is_named(nowhere, monkeypatch, name):
    monkeypatch.setenv("XDROUGHT_DATA_DIR", str(nowhere))
    with pytest.raises(FileNotFoundError, match=r"now XDROUGHT_DATA_DIR='.*', without that folder"):
        open_dataset(name)


def test_fluxnet_of_the_data_folder(data_dir, monkeypatch):
    monkeypatch.setenv("XDROUGHT_DATA_DIR", str(data_dir))
    xr.testing.assert_identical(
        open_dataset("fluxnet", sites=["AT-Neu"]), open_fluxnet(data_dir / "fluxnet2015", sites=["AT-Neu"])
    )


def test_uscrn_of_the_data_folder_and_of_the_cache(data_dir, nowhere, monkeypatch):
    (path,) = (data_dir / "uscrn").rglob("CRND0103-2012-OK_Stillwater_5_WNW.txt")
    expected = open_uscrn(path)
    cached = nowhere / "cache" / "uscrn" / "daily01" / "2012"
    cached.mkdir(parents=True)
    shutil.copy(path, cached)
    xr.testing.assert_identical(open_dataset("uscrn"), expected)
    monkeypatch.setenv("XDROUGHT_DATA_DIR", str(data_dir))
    xr.testing.assert_identical(open_dataset("uscrn", stations=["OK_Stillwater_5_WNW"], years=[2012]), expected)
