"""Records of results: who made them of what, files that follow the CF conventions, and attributes that stay."""

from __future__ import annotations

import re
from pathlib import Path

import cf_xarray  # noqa: F401  registers .cf
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.support.forecasters import untrained
from tests.support.helpers import raise_if_dask_computes
from tests.support.towers import random_sites
from xdrought import units
from xdrought.provenance import digest_in_memory, recorded, without_record

TRAIN = ("2001-01", "2001-09")


@pytest.fixture(scope="module")
def soil() -> xr.DataArray:
    """Soil moisture of a small grid with a projection, as files of climate data carry it."""
    rng = np.random.default_rng(0)
    values = np.zeros((400, 2, 3))
    for day in range(1, 400):
        values[day] = 0.97 * values[day - 1] + 0.2 * rng.normal(size=(2, 3))
    coords = {
        "time": ("time", pd.date_range("2001-01-01", periods=400), {"standard_name": "time", "axis": "T"}),
        "lat": ("lat", [49.0, 48.0], {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
        "lon": ("lon", [10.0, 11.0, 12.0], {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}),
        "spatial_ref": ((), 0, {"grid_mapping_name": "latitude_longitude"}),
    }
    attrs = {"units": "m3 m-3", "long_name": "soil moisture", "grid_mapping": "spatial_ref"}
    return xr.DataArray(0.25 + 0.04 * values, coords, ("time", "lat", "lon"), "soil_moisture", attrs)


@pytest.fixture(scope="module")
def outputs(soil: xr.DataArray) -> dict[str, xr.DataArray | xr.Dataset]:
    """Every kind of output."""
    classes = xdrought.drought_classes(soil)
    rain = (0 * soil + 1.0).copy(data=np.random.default_rng(1).gamma(1, 2, soil.shape)).rename("tp")
    rain = rain.assign_attrs(units="mm", long_name="rain")
    monitor = xdrought.start_monitor(soil, reference=("2001-01", "2001-12"))
    sites = random_sites(n_time=60)
    forecaster = untrained(sites)
    forecast = xdrought.predict(sites, forecaster)
    return {
        "events": xdrought.flash_drought_events(soil),
        "classes": classes,
        "several definitions": xdrought.drought_classes(soil, definition=["tang2025", "yuan2019"]),
        "summary": xdrought.drought_summary(soil),
        "percentiles": xdrought.soil_moisture_percentile(soil),
        "objects": xdrought.drought_objects(classes, kinds=("flash_condition", "normal_condition")),
        "state": xdrought.drought_state(soil, train=TRAIN),
        "onset days": xdrought.onset_days(soil, train=TRAIN),
        "onset label": xdrought.onset_label(soil, lead=7, train=TRAIN),
        "monitor events": monitor.events(),
        "monitor today": monitor.today(),
        "ccm": xdrought.ccm(rain, soil, surrogates=0),
        "predict": forecast,
        "verify": xdrought.verify(forecast, sites.soil_moisture, n_boot=5),
        "attributions": xdrought.attributions(sites, forecaster, n_background=3, n_draws=3),
    }


KINDS = [
    *("events", "classes", "several definitions", "summary", "percentiles", "objects", "state", "onset days"),
    *("onset label", "monitor events", "monitor today", "ccm", "predict", "verify", "attributions"),
]


def faults(path: Path) -> list[str]:
    """What a checker of the CF conventions would say of a file, read without any decoding."""
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as ds:
        found = [f"no {name}" for name in ("Conventions", "title", "history") if not ds.attrs.get(name)]
        for name, variable in ds.variables.items():
            found += [f"{name}: {text}" for text in _faults_of(variable, name in ds.dims, set(ds.variables))]
        if ds.attrs.get("featureType") == "point":
            near = str(ds["severity"].attrs.get("coordinates", ds["severity"].encoding.get("coordinates"))).split()
            found += [f"point without {name}" for name in ("lat", "lon", "start_time") if name not in near]
        return found


def _faults_of(variable: xr.Variable, is_axis: bool, names: set) -> list[str]:
    attrs, found = variable.attrs, []
    if not {"long_name", "standard_name"} & set(attrs):
        found.append("neither long_name nor standard_name")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", attrs.get("standard_name", "none")):
        found.append("standard_name")
    if is_axis and "_FillValue" in attrs:
        found.append("an axis with a fill value")
    found += [f"{word} is global" for word in ("Conventions", "history", "title") if word in attrs]
    if "flag_meanings" in attrs:
        values = np.atleast_1d(attrs["flag_values"])
        if values.dtype != variable.dtype or values.size != len(attrs["flag_meanings"].split()):
            found.append("flags")
    unit = attrs.get("units")
    if unit is not None and " since " not in unit and not re.fullmatch("degrees_(north|east)", unit):
        try:
            units.convert(xr.DataArray([1.0], attrs={"units": unit}), unit)
        except ValueError:
            found.append(f"units {unit!r}")
    others = [*str(attrs.get("coordinates", "")).split(), *str(attrs.get("grid_mapping", "")).split()]
    return found + [f"names {other}" for other in others if other not in names]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_output_is_a_file_by_the_conventions(outputs, kind, tmp_path):
    xdrought.cf_dataset(outputs[kind]).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert faults(tmp_path / "a.nc") == []
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as ds:
        assert ds.attrs["Conventions"] == "CF-1.11"
        assert ds.attrs["xdrought_version"] == xdrought.__version__
    assert set(outputs) == set(KINDS)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda ds: ds.drop_attrs(deep=False), "no Conventions"),
        (lambda ds: ds.assign(a=("time", np.zeros(400))), "a: neither long_name nor standard_name"),
        (lambda ds: ds.assign(a=ds.drought_class.assign_attrs(flag_values=[1.5])), "a: flags"),
        (lambda ds: ds.assign(a=ds.drought_class.assign_attrs(units="furlongs of rain")), "a: units"),
        (lambda ds: ds.assign(a=ds.drought_class.assign_attrs(history="b")), "a: history is global"),
        (lambda ds: ds.assign(a=ds.drought_class.assign_attrs(standard_name="Soil Moisture")), "a: standard_name"),
        (lambda ds: ds.drop_vars("spatial_ref"), "drought_class: names spatial_ref"),
    ],
)
def test_the_check_of_files_finds_what_is_wrong(outputs, spoil, fault, tmp_path):
    ds = xdrought.cf_dataset(outputs["classes"])
    ds.drought_class.attrs["grid_mapping"] = ds.drought_class.encoding.pop("grid_mapping", "spatial_ref")
    spoil(ds).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert any(found.startswith(fault) for found in faults(tmp_path / "a.nc")), faults(tmp_path / "a.nc")


def test_a_table_of_events_is_a_set_of_points(outputs):
    points = xdrought.cf_dataset(outputs["events"])
    assert points.attrs["featureType"] == "point"
    assert points.start_time.attrs["standard_name"] == "time"
    assert "start_time" in points.coords
    assert "start_time" in outputs["events"].data_vars


@pytest.mark.parametrize("kind", ["classes", "summary", "percentiles", "state", "onset days"])
def test_other_packages_still_find_the_axes_and_the_projection(outputs, soil, kind):
    out = outputs[kind]
    assert {name: out[name].attrs for name in ("lat", "lon")} == {name: soil[name].attrs for name in ("lat", "lon")}
    assert out.cf["latitude"].name == "lat"
    assert out.cf["X"].name == "lon"
    assert out.spatial_ref.attrs["grid_mapping_name"] == "latitude_longitude"
    one = out if isinstance(out, xr.DataArray) else next(one for one in out.data_vars.values() if "lat" in one.dims)
    assert one.cf["grid_mapping"].name == "spatial_ref"


def test_the_history_is_the_call_and_goes_on(soil):
    classes = xdrought.drought_classes(soil, upper=45)
    objects = xdrought.drought_objects(classes, kinds=("flash_condition",))
    version = xdrought.__version__
    assert classes.attrs["history"] == f"xdrought {version}: drought_classes(soil_moisture=<soil_moisture>, upper=45)"
    assert objects.attrs["history"].split("\n") == [
        classes.attrs["history"],
        f"xdrought {version}: drought_objects(classes=<drought_class>, kinds=['flash_condition'])",
    ]
    assert objects.attrs["input_digests"] == f"classes {digest_in_memory(classes)}"


def test_the_same_call_gives_the_same_bytes(soil, tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        xdrought.cf_dataset(xdrought.flash_drought_events(soil)).to_netcdf(folder / "events.nc", engine="h5netcdf")
        xdrought.start_monitor(soil, reference=("2001-01", "2001-12")).save(folder / "monitor")
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.nc"))
    assert len(files) == 3
    assert [(tmp_path / "a" / one).read_bytes() == (tmp_path / "b" / one).read_bytes() for one in files] == [True] * 3


def test_a_day_is_in_the_history_when_the_environment_gives_one(soil, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert xdrought.soil_moisture_percentile(soil).attrs["history"].startswith("1970-01-02 xdrought ")


def test_digests_tell_what_went_in_and_lazy_data_stay_lazy(soil):
    lazy = soil.chunk(lat=1)
    with raise_if_dask_computes():
        assert digest_in_memory(lazy) == "lazy"
        assert xdrought.drought_classes(lazy).attrs["input_digests"] == "soil_moisture lazy"
    same = digest_in_memory(soil)
    assert digest_in_memory(soil.copy(deep=True)) == same
    others = [
        soil + 1e-12,
        soil.assign_coords(lat=[49.0, 47.0]),
        soil.assign_attrs(units="percent"),
        soil.transpose("lat", "lon", "time"),
        soil.astype("float32"),
        soil.rename("sm"),
    ]
    assert same not in [digest_in_memory(other) for other in others[:-1]]
    reference = soil.isel(time=slice(0, 365))
    out = xdrought.soil_moisture_percentile(soil, reference=reference)
    assert out.attrs["input_digests"] == f"soil_moisture {same}; reference {digest_in_memory(reference)}"


def test_digests_of_large_arrays_tell_any_change():
    rng = np.random.default_rng(0)
    da = xr.DataArray(rng.random((700, 300)).astype("f8"), dims=("x", "y"), name="a")
    seen = [digest_in_memory(da), digest_in_memory(da.T), digest_in_memory(da.astype("f4"))]
    for place in ((0, 0), (350, 7), (699, 299)):
        other = da.copy(deep=True)
        other[place] = np.nextafter(other[place], 2)
        seen.append(digest_in_memory(other))
    swapped = da.copy(deep=True)
    swapped.values[[3, 400], [5, 6]] = swapped.values[[400, 3], [6, 5]]
    seen += [digest_in_memory(swapped), digest_in_memory(da[::-1])]
    assert len(set(seen)) == len(seen)
    assert digest_in_memory(da.copy(deep=True)) == seen[0]


def test_a_function_within_a_function_leaves_no_line_and_no_address():
    @recorded
    def inner(da):
        """Inner."""
        return da + 1

    @recorded
    def outer(da, *, how=None, **options):
        """Do it twice.

        More.
        """
        return inner(inner(da))

    da = xr.DataArray([1.0], dims="x", name="a")
    out = outer(da, how=object(), weights=np.zeros(3), limit=2)
    assert out.attrs["title"] == "Do it twice"
    assert "outer(da=<a>, how=<object>, weights=<ndarray>, limit=2)" in out.attrs["history"]
    assert out.attrs["history"].count("\n") == 0
    assert without_record(out).attrs == {}
    assert da.attrs == {}
