"""Weather forecasts of archives and models become daily values of the lead days: every number beside a slow count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.towers import forced_soil
from xdrought import fit_onset, predict_onset
from xdrought.data import open_forecast

LAT, LON = [51.0, 50.0], [7.0, 8.0, 9.0]


def cube(steps_h, *, inits=("2020-05-01", "2020-05-08"), members=None, seed=0, total=False) -> xr.DataArray:
    """Numbers on (time[, number], step, latitude, longitude), growing along the steps when they are totals."""
    axes: dict = {"time": pd.DatetimeIndex(inits).as_unit("ns")}
    if members is not None:
        axes["number"] = list(members)
    axes |= {"step": pd.to_timedelta(list(steps_h), "h"), "latitude": LAT, "longitude": LON}
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 2.0, [len(axis) for axis in axes.values()])
    da = xr.DataArray(values, axes, tuple(axes))
    return da.cumsum("step").assign_coords(step=da.step) if total else da


def celsius(da: xr.DataArray) -> xr.DataArray:
    return (da + 10).assign_attrs(units="degC")


def by_day(da: xr.DataArray, how, lead: int, *, start: float = 0.0, ends: bool = False, first: int = 1) -> np.ndarray:
    """Slow: the values whose hour lies in the lead day, one cell after the other."""
    begin = 24 * (lead - 1 + first)
    hours = start + da.step.values / np.timedelta64(1, "h")
    inside = [k for k, h in enumerate(hours) if (begin < h <= begin + 24 if ends else begin <= h < begin + 24)]
    others = da.transpose("step", ...).values
    out = np.empty(others.shape[1:])
    for cell in np.ndindex(out.shape):
        out[cell] = how([others[(k, *cell)] for k in inside])
    return out


def test_totals_since_the_start_become_sums_of_days():
    steps = [*range(3, 49, 3), *range(54, 97, 6)]  # closer at first, as ECMWF's open data
    tp = cube(steps, total=True).assign_attrs(units="kg m-2")
    found = open_forecast(tp.to_dataset(name="tp"), ["tp"])
    assert found.tp.dims == ("init_time", "lead_time", "lat", "lon")
    assert found.tp.attrs["units"] == "m"
    at = {h: tp.sel(step=pd.Timedelta(hours=h)).values for h in (24, 48, 72, 96)}
    for lead, (a, b) in enumerate(((24, 48), (48, 72), (72, 96)), start=1):
        np.testing.assert_allclose(found.tp.isel(lead_time=lead - 1), (at[b] - at[a]) / 1000)
    days = pd.DatetimeIndex(found.valid_time.isel(init_time=0).values)
    assert days.strftime("%m-%d").tolist() == ["05-02", "05-03", "05-04"]
    assert found.indexes["lead_time"].tolist() == pd.to_timedelta([1, 2, 3], "D").tolist()


def test_the_day_of_the_run_is_lead_day_one_when_only_the_day_before_is_known():
    tp = cube(range(6, 49, 6), total=True).assign_attrs(units="mm")
    t2m = celsius(cube(range(0, 49, 6), seed=1))
    found = open_forecast(xr.Dataset({"tp": tp, "2t": t2m}), ["tp", "t2m"], last_known="day_before")
    np.testing.assert_allclose(found.tp.isel(lead_time=0), tp.sel(step="24h") / 1000)
    np.testing.assert_allclose(found.t2m.isel(lead_time=1), by_day(t2m, np.mean, 2, first=0) + 273.15)
    assert found.indexes["init_time"].strftime("%m-%d").tolist() == ["04-30", "05-07"]
    assert found.valid_time.dt.strftime("%m-%d").values[0].tolist() == ["05-01", "05-02"]


def test_means_and_extremes_take_the_hours_of_their_day():
    t2m = celsius(cube(range(0, 97, 6)))
    mx2t6 = celsius(cube(range(6, 97, 6), seed=2))
    ds = xr.Dataset({"t2m": t2m, "d2m": (t2m - 3).assign_attrs(units="degC")})
    found = open_forecast([ds, mx2t6.to_dataset(name="mx2t6")], ["t2m", "mx2t", "mn2t"])
    for lead in (1, 2, 3):
        day = found.isel(lead_time=lead - 1)
        np.testing.assert_allclose(day.t2m, by_day(t2m, np.mean, lead) + 273.15)
        np.testing.assert_allclose(day.mn2t, by_day(t2m, min, lead) + 273.15)
        np.testing.assert_allclose(day.mx2t, by_day(mx2t6, max, lead, ends=True) + 273.15)
    assert found.mx2t.attrs["made_of"] == "mx2t6"


def test_a_run_of_noon_begins_with_the_next_whole_day():
    inits = ("2020-05-01 12:00", "2020-05-02 12:00")
    t2m = celsius(cube(range(0, 73, 6), inits=inits))
    tp = cube(range(0, 73, 6), inits=inits, total=True).assign_attrs(units="m") / 1000
    found = open_forecast(xr.Dataset({"t2m": t2m, "tp": tp.assign_attrs(units="m")}), ["t2m", "tp"])
    assert found.sizes["lead_time"] == 2  # noon to noon holds two whole days
    assert found.indexes["init_time"].strftime("%d %H").tolist() == ["01 00", "02 00"]
    for lead, (a, b) in enumerate((("12h", "36h"), ("36h", "60h")), start=1):
        np.testing.assert_allclose(found.t2m.isel(lead_time=lead - 1), by_day(t2m, np.mean, lead, start=12) + 273.15)
        np.testing.assert_allclose(found.tp.isel(lead_time=lead - 1), tp.sel(step=b).values - tp.sel(step=a).values)


def test_an_s2s_file_of_daily_means_and_totals_with_its_control_and_members():
    steps = range(24, 24 * 5 + 1, 24)
    mean = celsius(cube(steps, members=[1, 2])).assign_attrs(GRIB_stepType="avg")
    control = celsius(cube(steps, members=[0], seed=5)).assign_attrs(GRIB_stepType="avg")
    rain = cube(steps, members=range(3), seed=6, total=True).assign_attrs(units="kg m**-2")
    parts = [mean.to_dataset(name="2t"), rain.to_dataset(name="tp"), control.isel(number=0).to_dataset(name="2t")]
    found = open_forecast(parts, {"temperature": "t2m", "rain": "tp"}, members=3, leads=3)
    assert found.rain.dims == ("init_time", "lead_time", "member", "lat", "lon")
    assert found.member.values.tolist() == [0, 1, 2]
    for lead in (1, 2, 3):  # the day after the run lies between 24 and 48 h
        day = found.isel(lead_time=lead - 1)
        now, before = (np.timedelta64(24 * k, "h") for k in (lead + 1, lead))
        np.testing.assert_allclose(day.temperature.sel(member=[1, 2]), mean.sel(step=now) + 273.15)
        np.testing.assert_allclose(day.temperature.sel(member=0), control.sel(step=now, number=0) + 273.15)
        np.testing.assert_allclose(day.rain, (rain.sel(step=now).values - rain.sel(step=before).values) / 1000)


def test_weatherbench_names_open_as_they_are():
    steps = range(6, 97, 6)
    names = {"time": "time", "step": "prediction_timedelta"}
    raw = {
        "2m_temperature": celsius(cube(steps, seed=1)) + 273.15,
        "total_precipitation_6hr": cube(steps, seed=2) / 1000,
        "10m_u_component_of_wind": cube(steps, seed=3),
        "10m_v_component_of_wind": cube(steps, seed=4),
    }
    z = xr.concat([cube(steps, seed=s) * 100 + 50_000 for s in (5, 6)], pd.Index([500, 850], name="level"))
    ds = xr.Dataset({name: da.drop_attrs() for name, da in raw.items()} | {"geopotential": z}).rename(names)
    ds = ds.sortby("latitude").assign_coords(longitude=[357.0, 358.0, 359.0]).transpose("time", ..., "latitude")
    units = dict.fromkeys(raw, "m s-1") | {"2m_temperature": "K", "total_precipitation_6hr": "m"}
    found = open_forecast(ds, ["t2m", "tp", "ws10", "z500"], units=units | {"geopotential": "m2 s-2"})
    assert found.lon.values.tolist() == [-3.0, -2.0, -1.0]
    assert found.lat.values.tolist() == LAT
    speed = np.hypot(raw["10m_u_component_of_wind"], raw["10m_v_component_of_wind"])
    for lead in (1, 2):
        day = found.isel(lead_time=lead - 1)
        np.testing.assert_allclose(day.t2m, by_day(raw["2m_temperature"], np.mean, lead))
        np.testing.assert_allclose(day.tp, by_day(raw["total_precipitation_6hr"], sum, lead, ends=True))
        np.testing.assert_allclose(day.ws10, by_day(speed, np.mean, lead))
        np.testing.assert_allclose(day.z500, by_day(z.sel(level=500, drop=True), np.mean, lead) / 9.80665)


def test_earth2studio_names_open_as_they_are():
    steps = range(0, 73, 6)
    t2m, tp06 = cube(steps, members=range(2)) + 280, cube(steps, members=range(2), seed=1) / 1000
    ds = xr.Dataset({"t2m": t2m, "tp06": tp06}).rename(
        number="ensemble", step="lead_time", latitude="lat", longitude="lon"
    )
    found = open_forecast(ds, ["t2m", "tp"], units={"t2m": "K", "tp06": "m"}, members=2)
    day = found.isel(lead_time=0).transpose("init_time", "member", ...)
    np.testing.assert_allclose(day.t2m, by_day(t2m, np.mean, 1))
    np.testing.assert_allclose(day.tp, by_day(tp06, sum, 1, ends=True))


def test_totals_of_gefs_that_begin_anew_every_six_hours(tmp_path):
    amounts = cube(range(3, 73, 3), members=[0, 1]).assign_attrs(units="kg m-2")  # of three hours each
    totals = amounts.copy(deep=True)
    totals[dict(step=slice(1, None, 2))] += amounts.values[:, :, 0::2]  # 0-3, 0-6, 6-9, 6-12 ...
    for k in (1, 0):
        totals.isel(number=k).to_dataset(name="apcp").to_netcdf(tmp_path / f"apcp_{k}.nc")
    found = open_forecast(tmp_path, ["tp"], accumulation="6h", members=2)
    for lead in (1, 2):
        day = found.tp.isel(lead_time=lead - 1).transpose("init_time", "member", ...)
        np.testing.assert_allclose(day, by_day(amounts, sum, lead, ends=True) / 1000)
    with pytest.raises(ValueError, match="'apcp' falls from day to day .* as no total since the start"):
        open_forecast(tmp_path, ["tp"]).load()


def test_rates_are_means_over_the_day():
    rate = cube(range(6, 73, 6)).assign_attrs(units="mm d-1")
    power = (cube(range(6, 73, 6), seed=1) * 100).assign_attrs(units="W m-2")
    found = open_forecast(xr.Dataset({"tp": rate, "ssrd": power}), ["tp", "ssrd"])
    np.testing.assert_allclose(found.tp[:, 0], by_day(rate, np.mean, 1, ends=True) / 1000)
    np.testing.assert_allclose(found.ssrd[:, 0], by_day(power, np.mean, 1, ends=True) * 86400)
    assert found.ssrd.attrs["units"] == "J m-2"


def test_a_file_of_one_run_with_valid_times_as_cf_has_them():
    t2m = celsius(cube(range(0, 49, 6), inits=["2020-05-01"]).isel(time=0, drop=True))
    hours = pd.Timestamp("2020-05-01") + pd.to_timedelta(t2m.step.values)
    ds = t2m.to_dataset(name="t2m").rename(step="time").assign_coords(time=hours)
    ds = ds.assign_coords(forecast_reference_time=np.datetime64("2020-05-01", "ns"))
    found = open_forecast(ds, ["t2m"])
    np.testing.assert_allclose(found.t2m[0, 0], by_day(t2m, np.mean, 1) + 273.15)


def test_the_nearest_cell_of_each_site_and_nothing_is_computed():
    ds = celsius(cube(range(0, 73, 6), members=range(2))).to_dataset(name="t2m")
    sites = xr.Dataset(coords={"site": ["A", "B"], "lat": ("site", [50.9, 50.2]), "lon": ("site", [8.1, 7.4])})
    grid = open_forecast(ds, ["t2m"])
    with raise_if_dask_computes(), unchanged(ds):
        lazy = open_forecast(ds.chunk(time=1, step=3), ["t2m"], sites=sites)
    assert lazy.t2m.chunks is not None
    assert lazy.t2m.dims == ("site", "init_time", "lead_time", "member")
    np.testing.assert_allclose(lazy.t2m.sel(site="A"), grid.t2m.sel(lat=51, lon=8))
    np.testing.assert_allclose(lazy.t2m.sel(site="B"), grid.t2m.sel(lat=50, lon=7))


def test_wrong_input_is_told_with_its_cure(tmp_path):
    t2m = celsius(cube(range(0, 97, 6), members=range(3))).to_dataset(name="t2m")
    tp = cube(range(6, 97, 6), total=True).assign_attrs(units="mm").to_dataset(name="tp")

    def refused(text, ds, drivers=("t2m",), kind=ValueError, **options):
        with pytest.raises(kind, match=text):
            open_forecast(ds, list(drivers), **options)

    refused("the runs are not sorted or repeat; use ds.sortby", t2m.isel(time=[1, 0]))
    refused("the steps are not sorted or repeat", t2m.isel(step=[1, 0]))
    holed = t2m.assign_coords(step=t2m.step.where(t2m.step != t2m.step[16]))
    refused("some steps are missing .NaT.; drop them, ds.isel", holed)
    mended = holed.isel(step=holed["step"].notnull().values)  # the cure
    xr.testing.assert_equal(open_forecast(mended, ["t2m"]), open_forecast(t2m.isel(step=slice(16)), ["t2m"]))
    refused("no coordinate holds the lead time among", t2m.rename(step="ahead"))
    refused("no coordinate holds the start of the run", t2m.isel(time=0, drop=True))
    refused("the forecasts have the members .0, 1, 2., 5 are asked for", t2m, members=5)
    refused("the forecasts have 3 whole lead days, 9 are asked for", t2m, leads=9)
    refused("lead day 2 of 't2m' is not whole: it needs .* between step 48 and 72 h", t2m.drop_isel(step=9))
    refused("lead day 1 of 'tp' is not whole: it needs a total", tp.sel(step=slice("30h", None)), ["tp"])
    refused(
        "lack 1 fields of 't2m', first init_time 2020-05-08 00:00:00, step 6 h, member 2",
        [t2m.drop_isel(step=1), t2m.isel(step=[1], time=[0]), t2m.isel(step=[1], time=[1], number=[0, 1])],
    )
    refused("hold more than once .* give each file once", [t2m, t2m])
    with_none = [t2m.isel(step=slice(8)), t2m.isel(step=slice(8, None), number=0, drop=True)]
    refused("some parts of 't2m' have members and some have none", with_none)
    elsewhere = t2m.isel(step=slice(8, None)).assign_coords(latitude=[61.0, 60.0])
    refused("the parts of 't2m' are not on one grid", [t2m.isel(step=slice(8)), elsewhere])
    wheel = [([0, 1], [0]), ([2], [0, 1]), ([1, 2], [2]), ([0], [1, 2]), ([1], [1])]
    refused("cannot be put side by side", [t2m.isel(number=m, step=s) for m, s in wheel])
    refused("'t2m' has no units", t2m.drop_attrs())
    refused("'t2m' has units 'mm', which cannot be converted", t2m.assign(t2m=t2m.t2m.assign_attrs(units="mm")))
    refused("'tp' needs tp; the source has none of what was asked for", t2m, ["tp"], KeyError)
    refused("drivers .'rain'. are unknown; choose from", t2m, ["rain"], KeyError)
    refused("last_known", t2m, last_known="today")
    refused('accumulation=\'5h\'; choose "since_start", "step", or a time', tp, ["tp"], accumulation="5h")
    refused("'tp' has totals of 3 h each, but steps 6 h apart", tp, ["tp"], accumulation="3h")
    refused("falls from day to day", tp.assign(tp=(-tp.tp).assign_attrs(units="mm")), ["tp"])
    noon = t2m.assign_coords(time=pd.DatetimeIndex(["2020-05-01", "2020-05-08 12:00"]))
    refused("the runs of 't2m' begin at 0, 12 UTC; a day of issue has one run", noon)
    refused("the runs begin at 12 UTC, and their first day is not whole", noon.isel(time=[1]), last_known="day_before")
    refused("does not exist; give the files of the forecast", tmp_path / "none.nc", kind=FileNotFoundError)
    refused("source holds .'int'.; give paths, or Datasets", [3], kind=TypeError)
    with pytest.raises(TypeError, match="is one name; give a list"):
        open_forecast(t2m, "t2m")


def test_the_cures_that_are_told_work():
    t2m = celsius(cube(range(0, 97, 6))).to_dataset(name="t2m")
    expected = open_forecast(t2m, ["t2m"])
    ahead = t2m.rename(step="ahead")
    runs = xr.concat([t2m.isel(time=[1, 0]), t2m.isel(time=[0])], "time")
    lone = t2m.isel(time=0, drop=True)
    cured = {
        "sorted and once": runs.sortby("time").drop_duplicates("time"),
        "named": ahead.rename(ahead="step"),
        "with its run": lone.expand_dims(time=t2m.indexes["time"][:1]),
    }
    for what, ds in cured.items():
        found = open_forecast(ds, ["t2m"])
        same = expected.isel(init_time=slice(None, found.sizes["init_time"]))
        np.testing.assert_array_equal(found.t2m, same.t2m, err_msg=what)
    noon = t2m.assign_coords(time=pd.DatetimeIndex(["2020-05-01", "2020-05-08 12:00"]))
    assert open_forecast(noon.sel(time=noon.time.dt.hour == 12), ["t2m"], last_known="run_day").sizes["init_time"] == 1
    by_step = cube(range(6, 97, 6)).assign_attrs(units="mm").to_dataset(name="tp")
    found = open_forecast(by_step, {"rain": "tp"}, accumulation="step").rain
    np.testing.assert_allclose(found.isel(lead_time=0), by_day(by_step.tp, sum, 1, ends=True) / 1000)


def grib(path, name: str, values: xr.DataArray) -> None:
    """A GRIB 2 message for each run, member and step, as ECMWF's open data and S2S have them."""
    eccodes = pytest.importorskip("eccodes", reason="eccodes writes the GRIB files of this test")
    with path.open("wb") as file:
        for time in values.time.values:
            for number in values.number.values:
                for step in values.step.values:
                    h = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
                    keys = {
                        "productDefinitionTemplateNumber": 11 if name == "tp" else 1,
                        "shortName": name,
                        "dataDate": int(pd.Timestamp(time).strftime("%Y%m%d")),
                        "dataTime": 0,
                        "Ni": len(LON),
                        "Nj": len(LAT),
                        "latitudeOfFirstGridPointInDegrees": LAT[0],
                        "latitudeOfLastGridPointInDegrees": LAT[-1],
                        "longitudeOfFirstGridPointInDegrees": LON[0],
                        "longitudeOfLastGridPointInDegrees": LON[-1],
                        "iDirectionIncrementInDegrees": 1,
                        "jDirectionIncrementInDegrees": 1,
                        "perturbationNumber": int(number),
                        "bitsPerValue": 24,
                    }
                    for key, value in keys.items():
                        eccodes.codes_set(h, key, value)
                    hours = int(step / np.timedelta64(1, "h"))
                    eccodes.codes_set(h, "stepRange", f"0-{hours}" if name == "tp" else str(hours))
                    field = values.sel(time=time, number=number, step=step)
                    eccodes.codes_set_values(h, field.values.ravel())
                    eccodes.codes_write(h, file)
                    eccodes.codes_release(h)


def test_grib_files_as_ecmwf_ships_them(tmp_path):
    pytest.importorskip("cfgrib", reason="cfgrib reads GRIB files")
    t2m = cube(range(0, 73, 6), members=[1, 2]) + 280
    tp = cube(range(6, 73, 6), members=[1, 2], seed=1, total=True) / 1000  # m, as ECMWF counts rain
    grib(tmp_path / "t2m.grib2", "2t", t2m)
    for k in (1, 0):  # a file for each run
        grib(tmp_path / f"tp_{k}.grib2", "tp", tp.isel(time=[k]))
    found = open_forecast(tmp_path, ["t2m", "tp"], members=2)
    assert found.sizes["lead_time"] == 2
    for lead, (a, b) in enumerate((("24h", "48h"), ("48h", "72h")), start=1):
        day = found.isel(lead_time=lead - 1).transpose("init_time", "member", ...)
        np.testing.assert_allclose(day.t2m, by_day(t2m, np.mean, lead), atol=1e-4)
        np.testing.assert_allclose(day.tp, tp.sel(step=b).values - tp.sel(step=a).values, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t2m.grib2", "tp_0.grib2", "tp_1.grib2"]


def test_a_model_is_fitted_with_what_was_opened():
    ds = forced_soil(3, 1500)
    rain = ds.tp.transpose("time", "site").values
    steps = pd.to_timedelta(np.arange(24, 24 * 5, 24), "h")
    axes = {"time": ds.time.values[:-5], "step": steps, "site": ds.site.values}
    perfect = np.stack([np.cumsum(rain[t : t + 5], axis=0)[:4] for t in range(rain.shape[0] - 5)])
    total = xr.DataArray(perfect, axes, tuple(axes), attrs=ds.tp.attrs)
    forcing = open_forecast(total.to_dataset(name="tp"), {"tp": "tp"}, last_known="run_day")
    np.testing.assert_allclose(forcing.tp.isel(lead_time=1), rain[2 : 2 + perfect.shape[0]] * factor(ds.tp), atol=1e-9)
    onset = fit_onset(ds, "soil_moisture", ["tp"], future=["tp"], forcing=forcing, lead=3, model="logistic")
    found = predict_onset(ds, onset, forcing=forcing).flash_onset_probability
    assert float(found.notnull().mean()) > 0.9


def factor(da: xr.DataArray) -> float:
    """Metres in one of the units of rain."""
    return {"mm": 1e-3, "m": 1.0, "mm d-1": 1e-3}[da.attrs["units"]]
