"""Files of others: nothing in them runs, leads to other files, or takes more memory than it should."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import follow
from xdrought import simulation, untrusted
from xdrought.data import download
from xdrought.data.era5 import daily_drivers, open_era5

SECRET = 291.0


def fields(value=280.0) -> xr.Dataset:
    values = np.full((4, 2, 2), value)
    return xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values, {"units": "K"})},
        {"time": pd.date_range("2003-05-01", periods=4), "latitude": [1.0, 0.0], "longitude": [0.0, 1.0]},
    )


@pytest.fixture
def netcdf(tmp_path) -> Path:
    fields().to_netcdf(tmp_path / "it.nc", engine="h5netcdf")
    fields(SECRET).to_netcdf(tmp_path / "secret.nc", engine="h5netcdf")
    return tmp_path / "it.nc"


# --- HDF5 -------------------------------------------------------------------------------------------------


def external_link(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["t2m"]
        file["t2m"] = h5py.ExternalLink("secret.nc", "/t2m")


def external_link_in_a_group(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.create_group("deep/er")["x"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(path: Path) -> None:
    (path.parent / "raw").write_bytes(np.full(16, SECRET).tobytes())
    with h5py.File(path, "a") as file:
        attrs = dict(file["t2m"].attrs)
        del file["t2m"]
        made = file.create_dataset("t2m", (4, 2, 2), "f8", external=[(str(path.parent / "raw"), 0, 128)])
        made.attrs["units"] = attrs["units"]


def virtual_dataset(path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4, 2, 2), dtype="f8")
    layout[:] = h5py.VirtualSource(path.parent / "secret.nc", "t2m", shape=(4, 2, 2))
    with h5py.File(path, "a") as file:
        del file["t2m"]
        file.create_virtual_dataset("t2m", layout)


@pytest.mark.parametrize(
    ("poison", "text"),
    [
        (external_link, "it is a link to another file"),
        (external_link_in_a_group, "it is a link to another file"),
        (external_storage, "its values lie in another file"),
        (virtual_dataset, "it is a virtual dataset"),
    ],
)
def test_files_that_lead_to_other_files_are_refused(netcdf, poison, text):
    poison(netcdf)
    with pytest.raises(ValueError, match=rf"of .*it.nc is refused: {text}, so that reading it could show any file"):
        open_era5(netcdf, drivers=["t2m"])


def test_a_sound_file_with_groups_links_and_a_circle_is_read(netcdf):
    with h5py.File(netcdf, "a") as file:
        file.create_group("inner")["again"] = file["/"]
        file["soft"] = h5py.SoftLink("/t2m")
    untrusted.check_hdf5(str(netcdf))


def test_a_small_file_that_promises_far_too_much(tmp_path):
    path = tmp_path / "bomb.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("latitude", (400_000_000,), "f8", chunks=(1_000_000,), compression="gzip")
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match=r"has \d+ bytes and promises arrays of 3052 MB, more than 2000 times as much"):
        open_era5(path)
    untrusted.check_size("it", 200 * 2**20, 1)
    untrusted.check_size("it", 10**12, 10**9)


def test_a_walk_has_an_end(netcdf, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_OBJECTS", 2)
    with h5py.File(netcdf, "a") as file:
        for k in range(4):
            file.create_group(f"g{k}")
    with pytest.raises(ValueError, match="holds more than 2 (objects|groups)"):
        open_era5(netcdf)


@pytest.mark.parametrize("key", ["scale_factor", "add_offset"])
@pytest.mark.parametrize("value", ["abc", np.array([1.0, 2.0]), np.nan, np.array(["1", "2"], "S1")])
def test_packing_that_is_no_number_is_told_with_a_cure_that_works(netcdf, key, value):
    with h5py.File(netcdf, "a") as file:
        file["t2m"].attrs[key] = value
    with pytest.raises(ValueError, match=rf"'t2m' of .*it.nc has {key}=.*, which is no number; say how") as e:
        open_era5(netcdf, drivers=["t2m"])
    cure = str(e.value)[str(e.value).index("ds = xarray.open") :].partition(", and give")[0]
    assert float(daily_drivers(follow(cure)["ds"], drivers=["t2m"]).t2m.mean()) == 280.0


# --- zarr -------------------------------------------------------------------------------------------------


@pytest.fixture(params=[2, 3])
def store(request, tmp_path) -> Path:
    path = tmp_path / "it.zarr"
    fields().to_zarr(path, zarr_format=request.param, consolidated=request.param == 2)
    return path


def test_a_sound_store_is_read(store):
    assert open_era5(store, drivers=["t2m"]).t2m.mean().compute() == 280.0


def test_links_in_a_store_are_refused(store, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    (store / "t2m" / "9.9.9").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="is a symbolic link inside a zarr store"):
        open_era5(store)
    (store / "t2m" / "9.9.9").unlink()
    (store / "more").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is a symbolic link inside a zarr store"):
        open_era5(store)


def test_codecs_that_could_run_code_are_refused(store):
    for path in [*store.rglob(".zarray"), *store.rglob(".zmetadata"), *store.rglob("zarr.json")]:
        kept = path.read_text()
        metadata = json.loads(kept)
        nodes = [metadata, *(one for one in metadata.get("metadata", {}).values() if isinstance(one, dict))]
        for node in nodes:
            for key in ("filters", "codecs"):
                if key in node:
                    name = "id" if key == "filters" else "name"
                    node[key] = [*(node[key] or []), {name: "pickle"}]
        if json.dumps(metadata) == json.dumps(json.loads(kept)):
            continue
        path.write_text(json.dumps(metadata))
        with pytest.raises(ValueError, match=r"asks for the codec\(s\) \['pickle'\], which could run code"):
            open_era5(store)
        path.write_text(kept)
    assert open_era5(store, drivers=["t2m"]).sizes["time"] == 4


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_metadata_that_are_no_json(store, content):
    next(iter([*store.rglob(".zarray"), *store.rglob("zarr.json")])).write_bytes(content)
    with pytest.raises(ValueError, match="is no JSON .*; the store is damaged, get it again"):
        open_era5(store)


def test_metadata_of_far_too_many_bytes(store, monkeypatch):
    monkeypatch.setattr(untrusted, "MAX_METADATA", 10)
    with pytest.raises(ValueError, match="bytes, more than metadata of a store have"):
        open_era5(store)


def test_labels_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("xdrought.data.era5.opening._MAX_LABELS", 3)
    fields().to_zarr(tmp_path / "it.zarr", zarr_format=2)
    with pytest.raises(ValueError, match="'time' of .* promises 4 labels along one dimension"):
        open_era5(tmp_path / "it.zarr")


@pytest.mark.parametrize("path", ["memory://x", "reference://x", "zip::https://x/y.zip", "ssh://host/x", "sftp://x"])
def test_other_ways_to_a_store_are_refused(path):
    with pytest.raises(ValueError, match="is not read; a store elsewhere is had over one of https, s3"):
        open_era5(path)


# --- GRIB -------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_no_index_beside_a_grib_file_is_read_or_written(tmp_path):
    """cfgrib unpickles the index that it finds beside a file: whoever writes one runs code."""
    pytest.importorskip("cfgrib")
    eccodes = pytest.importorskip("eccodes")
    import pickle

    path = tmp_path / "it.grib"
    with path.open("wb") as file:
        for day in range(4):
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
            for key, value in {"indicatorOfParameter": 167, "dataDate": 20030501 + day, "dataTime": 0}.items():
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, np.full(eccodes.codes_get_size(handle, "values"), 280.0))
            eccodes.codes_write(handle, file)
            eccodes.codes_release(handle)
    xr.open_dataset(path, engine="cfgrib").close()  # writes its index
    (index,) = tmp_path.glob("*.idx")
    index.write_bytes(pickle.dumps(Evil(tmp_path / "run")))
    touched: list[str] = []
    watching = [True]

    def watch(event: str, args: tuple) -> None:
        if watching[0] and event == "open" and str(args[0]).startswith(str(tmp_path)):
            touched.append(Path(str(args[0])).name)

    sys.addaudithook(watch)
    made = open_era5(path, drivers=["t2m"]).load()
    watching[0] = False
    assert made.sizes["time"] == 4
    assert set(touched) == {"it.grib"}
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["it.grib", index.name])


# --- downloads --------------------------------------------------------------------------------------------


class Redirects(http.server.BaseHTTPRequestHandler):
    seen: list[str | None] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        if self.path.startswith("/to"):
            self.send_response(302)
            self.send_header("Location", self.path[3:] or "/to")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server():
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirects)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    Redirects.seen = []
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_no_password_of_netrc_is_sent(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    download.fetch(f"{server}/to/file", tmp_path / "it", lambda part: None, limit=10, retries=0)
    assert (tmp_path / "it").read_bytes() == b"ok"
    assert Redirects.seen == [None, None]


def test_redirects_are_followed_on_https_only_and_have_an_end(server, tmp_path):
    with pytest.raises(ConnectionError, match="leads on more than 5 times"):
        download.fetch(f"{server}/to", tmp_path / "it", lambda part: None, limit=10, retries=0)
    with pytest.raises(ConnectionError, match=r"'http://example.com/x' is not an https address"):
        download.fetch(f"{server}/tohttp://example.com/x", tmp_path / "it", lambda part: None, limit=10, retries=0)
    for target in ("http://127.0.0.1/x", "http://localhost/x", "ftp://example.com/x", "file:///etc/passwd"):
        with pytest.raises(ValueError, match="leads on to .*, which is not an https address"):
            download._next_address("https://example.com/y", target)
    assert download._next_address("https://example.com/y", "/z") == "https://example.com/z"


# --- names ------------------------------------------------------------------------------------------------


def test_names_of_simulated_sites_cannot_lead_out_of_the_folder(tmp_path):
    world = simulation.simulate(3, 40, size=2, spinup_days=5)
    odd = world.assign_coords(site=["../../out", "a/b\\c", "/etc/x y"])
    folder = tmp_path / "deep" / "er"
    era5 = simulation.to_era5(odd, folder)
    csv = simulation.to_fluxnet_csv(odd, folder)
    assert all(path.parent == folder and path.is_file() for path in (*era5, *csv))
    assert [path.name for path in era5] == ["era5_out.nc", "era5_a-b-c.nc", "era5_etc-x-y.nc"]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*era5, *csv}
    assert pd.read_csv(csv[-1]).site.tolist() == ["out", "a-b-c", "etc-x-y"]
    with pytest.raises(ValueError, match="files without a name or of the same name; name them apart, ") as e:
        simulation.to_era5(world.assign_coords(site=["a/b", "a-b", ".."]), folder / "more")
    cured = follow("ds = " + str(e.value).rpartition("apart, ")[2], ds=world)["ds"]
    assert len(simulation.to_era5(cured, folder / "more")) == 3
