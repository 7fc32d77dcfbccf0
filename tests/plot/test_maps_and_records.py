"""Pictures: what is drawn equals what is in the data, and nothing is fetched, shown or left changed."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.dates import ConciseDateFormatter, date2num, num2date  # noqa: E402

import xdrought.plot as xp
from tests.support.colours import VISION, contrast, distance
from tests.support.helpers import unchanged  # noqa: E402
from xdrought.plot.maps import COASTLINE, west_to_east
from xdrought.plot.style import LINE, SHADES
from xdrought.verification import verify

TIME = pd.date_range("2001-01-01", periods=200)
ONSET, START, END = TIME[60], TIME[64], TIME[100]


@pytest.fixture(autouse=True)
def _offline_and_tidy(monkeypatch):
    """No picture may open a connection, show itself or change matplotlib's settings."""

    def refuse(*args, **kwargs):
        raise AssertionError("a picture tried to use the network or to show itself")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(plt, "show", refuse)
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


def record(site: str = "AT-Neu", time=TIME) -> xr.DataArray:
    values = np.full(len(time), 35.0)
    values[64:101] = 10 + np.arange(37) / 10
    values[110:150] = 28
    coords = {"time": time, "site": site, "lat": 47.1, "lon": 11.3}
    attrs = {"long_name": "soil moisture", "units": "percent"}
    return xr.DataArray(values, dims="time", coords=coords, name="soil_moisture", attrs=attrs)


def table(rows=((ONSET, START, END, True),), site="AT-Neu") -> xr.Dataset:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    names = ("onset_time", "start_time", "end_time")
    days = {
        name: ("event", np.array(list(map(pd.Timestamp, column)), "datetime64[s]"))
        for name, column in zip(names, columns, strict=False)
    }
    count = len(rows)
    return xr.Dataset(
        {
            **days,
            "is_flash": ("event", np.array(columns[3], dtype=bool)),
            "intensification_rate": ("event", np.full(count, 18.97)),
            "is_censored": ("event", np.zeros(count, dtype=bool)),
        },
        coords={
            "site": ("event", np.array([site] * count, dtype="U6")),
            "lat": ("event", np.full(count, 47.1)),
            "lon": ("event", np.full(count, 11.3)),
            "cell": ("event", np.zeros(count, dtype=int)),
        },
    )


def spans(ax) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """Label, first and last day of everything shaded, in the order of time."""

    def day(number):
        return pd.Timestamp(num2date(number).replace(tzinfo=None)).round("s")

    found = [(p.get_label(), day(p.get_x()), day(p.get_x() + p.get_width())) for p in ax.patches]
    return sorted(found, key=lambda span: (span[1], span[2]))


def texts(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# one event


def test_event_is_shaded_from_onset_to_start_to_end():
    ax = xp.plot_event(record(), table())
    assert spans(ax) == [("flash onset", ONSET, START), ("flash condition", START, END)]
    assert to_rgb(ax.patches[0].get_facecolor()) == to_rgb(SHADES["flash onset"])


def test_percentile_lines_are_those_of_the_whole_record():
    soil = record()
    ax = xp.plot_event(soil, table(), pad=3)  # few days shown, the quantiles still of all 200
    height = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    # 37 dry days of 200 end below 14, so rank 0.2 * 199 = 39.8 falls among the forty days at 28
    assert height["20th percentile"] == 28
    assert height["40th percentile"] == np.nanquantile(soil, 0.4) == 35


def test_points_dates_rate_and_units_are_written():
    ax = xp.plot_event(record(), table())
    points = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert [x for x, _ in points] == list(date2num([ONSET, START, END]))
    assert [y for _, y in points] == pytest.approx([35, 10, 13.6])
    assert "$t_o$ 2 Mar" in texts(ax)
    assert "$t_s$ 6 Mar" in texts(ax)
    assert "$t_e$ 11 Apr" in texts(ax)
    assert "onset 4 d at 18.97 percentiles per day, condition 37 d" in texts(ax)
    assert ax.get_title(loc="left") == "AT-Neu: flash drought, 2 Mar 2001 to 11 Apr 2001"
    assert ax.get_ylabel() == "Soil moisture (%)"
    assert isinstance(ax.xaxis.get_major_formatter(), ConciseDateFormatter)


def test_normal_and_doubtful_events_say_so():
    events = table(((ONSET, START, END, False),))
    events = events.assign(is_censored=("event", [True]), frozen_fraction=("event", [0.25]))
    ax = xp.plot_event(record(), events)
    assert [name for name, *_ in spans(ax)] == ["normal onset", "normal condition"]
    assert "25 % frozen, cut short" in texts(ax)


def test_frozen_days_are_hatched_in_the_strip():
    kelvin = np.full(200, 278.15)
    kelvin[70:80] = kelvin[85] = 271.15
    soil_temperature = record().copy(data=kelvin).rename("soil_temperature").assign_attrs(units="K")
    ax = xp.plot_event(record(), table(), soil_temperature=soil_temperature)
    (strip,) = ax.child_axes
    (frozen,) = strip.collections
    days = [path.get_extents().intervalx.tolist() for path in frozen.get_paths()]
    first, last, alone = date2num([TIME[70], TIME[79], TIME[85]])
    assert days == [
        [first - 0.5, last + 0.5],
        [alone - 0.5, alone + 0.5],
    ]  # ten days, and one
    assert frozen.get_hatch()
    assert strip.lines[0].get_ydata()[75] == pytest.approx(-2)
    assert strip.get_ylabel() == "Soil (°C)"
    assert "frozen soil" in legend(ax)


def test_soil_temperature_without_units_is_refused():
    soil_temperature = record().drop_attrs().rename("soil_temperature")
    with pytest.raises(ValueError, match="'soil_temperature' has no units"):
        xp.plot_event(record(), table(), soil_temperature=soil_temperature)


def test_only_the_events_of_the_records_site_count():
    elsewhere = table(((TIME[5], TIME[9], TIME[30], False),), site="DE-Hai")
    events = xr.concat([elsewhere, table()], "event")
    assert spans(xp.plot_event(record(), events))[0][0] == "flash onset"
    assert spans(xp.plot_event(record(), events, event=-1))[0][1] == ONSET
    with pytest.raises(IndexError, match=r"no event 1 at AT-Neu; there are 1, event=0 to 0"):
        xp.plot_event(record(), events, event=1)


def test_cells_of_a_grid_are_told_apart_by_lat_and_lon():
    here = table().drop_vars("site")
    there = here.assign_coords(lat=("event", [50.0]), cell=("event", [1]))
    soil = record().drop_vars("site")
    ax = xp.plot_event(soil, xr.concat([there, here], "event"))
    assert ax.get_title(loc="left").startswith("47.10°N 11.30°E: flash drought")
    with pytest.raises(ValueError, match=r"the events are of several places.*lat and lon"):
        xp.plot_event(soil.drop_vars(["lat", "lon"]), xr.concat([there, here], "event"))


def test_a_place_without_events_says_so():
    for ax in (xp.plot_event(record(), table(())), xp.plot_record(record(), table(()))):
        assert "no drought event in this record" in texts(ax)
        assert not ax.patches
        assert ax.get_ylabel() == "Soil moisture (%)"


def test_own_axes_are_used_and_input_is_unchanged():
    own = plt.figure().add_subplot()
    soil, events = record(), table()
    with unchanged(soil, events):
        assert xp.plot_event(soil, events, ax=own, legend=False) is own
        assert xp.plot_record(soil, events, ax=own) is own


def test_dask_records_and_float32_are_drawn():
    ax = xp.plot_event(record().astype("float32").chunk({"time": 50}), table())
    assert spans(ax)[0] == ("flash onset", ONSET, START)


def test_cftime_calendars_with_real_days_are_drawn():
    noleap = xr.date_range("2001-01-01", periods=200, calendar="noleap", use_cftime=True)
    events = table()
    days = {"onset_time": noleap[[60]], "start_time": noleap[[64]], "end_time": noleap[[100]]}
    events = events.assign({name: ("event", np.asarray(day)) for name, day in days.items()})
    ax = xp.plot_event(record(time=noleap), events)
    assert spans(ax) == [("flash onset", ONSET, START), ("flash condition", START, END)]


def test_days_that_do_not_exist_are_refused_with_the_cure():
    odd = xr.date_range("2001-01-01", periods=200, calendar="360_day", use_cftime=True)  # has 30 February
    with pytest.raises(ValueError, match=r'cannot put the dates.*convert_calendar\("standard"'):
        xp.plot_record(record(time=odd))


@pytest.mark.parametrize("draw", [lambda da: xp.plot_event(da, table()), xp.plot_record])
def test_what_is_not_one_series_is_refused(draw):
    with pytest.raises(ValueError, match=r"one series is drawn at a time: choose along \['y'\]"):
        draw(record().expand_dims(y=2))
    with pytest.raises(ValueError, match="no dimension 'time'"):
        draw(record().rename(time="t"))
    with pytest.raises(ValueError, match="'soil_moisture' holds no valid value"):
        draw(record() * np.nan)


def test_what_is_no_event_table_is_refused():
    with pytest.raises(ValueError, match=r"events must come from flash_drought_events"):
        xp.plot_event(record(), record().to_dataset())


# a record


def test_record_shades_events_and_classes_alike():
    rows = ((ONSET, START, END, True), (TIME[120], TIME[160], TIME[180], False))
    classes = np.zeros(200, dtype="int8")
    classes[60:64], classes[64:101], classes[120:160], classes[160:181] = 3, 4, 1, 2
    classes[190:] = -1
    by_events = xp.plot_record(record(), table(rows))
    by_class = xp.plot_record(record(), classes=record().copy(data=classes))
    assert spans(by_class) == spans(by_events)
    assert [name for name, *_ in spans(by_events)] == [
        "flash onset",
        "flash condition",
        "normal onset",
        "normal condition",
    ]
    assert legend(by_events)[3:] == ["normal onset", "normal condition", "flash onset", "flash condition"]


def test_the_onset_of_a_relapse_begins_after_the_event_before():
    rows = ((ONSET, START, END, True), (ONSET, TIME[120], TIME[140], False))
    assert ("normal onset", END, TIME[120]) in spans(xp.plot_record(record(), table(rows)))


def test_forecast_of_several_runs_is_a_line_in_a_band():
    runs = xr.concat([record() - 2, record() + 4], "run").isel(time=slice(50, 150))
    ax = xp.plot_record(record(), forecast=runs)
    (line,) = [line for line in ax.lines if line.get_label() == "forecast (mean of 2 runs)"]
    np.testing.assert_allclose(line.get_ydata(), record().values[50:150] + 1)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (8, 39)


def test_record_refuses_what_would_be_drawn_twice():
    with pytest.raises(ValueError, match="both events and classes were given"):
        xp.plot_record(record(), table(), classes=record())
    twice = xr.concat([table(), table()], "event").assign_coords(definition=("event", ["a", "b"]))
    with pytest.raises(ValueError, match=r"of the definitions \['a', 'b'\]; choose one"):
        xp.plot_record(record(), twice)


@pytest.mark.parametrize("vision", VISION)
def test_shades_are_told_apart_with_every_kind_of_colour_vision(vision):
    colors = ["white", *SHADES.values()]
    apart = {(a, b): distance(a, b, vision) for i, a in enumerate(colors) for b in colors[:i]}
    assert min(apart.values()) > 15, apart


def test_onsets_stand_out_from_the_paper_and_the_line_from_every_shade():
    assert min(contrast(SHADES[f"{kind} onset"], "white") for kind in ("flash", "normal")) > 3
    assert min(contrast(SHADES[f"{kind} onset"], SHADES[f"{kind} condition"]) for kind in ("flash", "normal")) > 2.5
    assert min(contrast(LINE, color) for color in SHADES.values()) > 3


def test_colours_that_look_alike_are_found():
    assert contrast("black", "white") == pytest.approx(21)
    assert distance("#ff0000", "#6b5f00") > 50 > 15 > distance("#ff0000", "#6b5f00", "protanopia")
    assert distance("#000000", "#ffffff", "tritanopia") == pytest.approx(100, abs=0.1)


# maps


def values_at(lat, lon, values=None) -> xr.DataArray:
    coords = {"lat": ("site", np.asarray(lat, float)), "lon": ("site", np.asarray(lon, float))}
    attrs = {"long_name": "flash droughts", "units": "year-1"}
    values = np.arange(len(lat)) + 0.5 if values is None else values
    return xr.DataArray(values, dims="site", coords=coords, attrs=attrs)


def dots(ax):
    (found,) = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    return found


def test_map_of_sites_far_apart_is_the_world():
    ax = xp.plot_map(values_at([47, 38, -12], [11, -121, 131]), title="Sites")
    ax.figure.canvas.draw()
    assert isinstance(ax.projection, ccrs.Robinson)
    np.testing.assert_allclose(dots(ax).get_offsets(), [[11, 47], [-121, 38], [131, -12]])
    np.testing.assert_allclose(dots(ax).get_array(), [0.5, 1.5, 2.5])
    assert ax.child_axes[0].get_xlabel() == "Flash droughts (per year)"
    assert ax.get_title(loc="left") == "Sites"


def test_map_of_a_region_is_around_it_even_over_the_date_line():
    ax = xp.plot_map(values_at([-18, -14], [178, -174]))
    ax.figure.canvas.draw()
    assert ax.projection.proj4_params["lon_0"] == pytest.approx(-178)  # halfway by the shorter way round
    assert ax.projection.proj4_params["lat_0"] == pytest.approx(-16)
    west, east, _, _ = ax.get_extent(ccrs.PlateCarree(central_longitude=182))
    assert -15 < west < -4 < 4 < east < 15


def mesh_columns(ax) -> tuple[np.ndarray, np.ndarray]:
    """Longitude of the middle of each column of the field drawn, and the values of its first row."""
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    edges = mesh.get_coordinates()[0, :, 0]
    return (edges[1:] + edges[:-1]) / 2, np.asarray(mesh.get_array()).reshape(mesh.get_coordinates().shape[0] - 1, -1)[
        0
    ]


@pytest.mark.parametrize(
    ("lon", "expected"),
    [
        (np.r_[-180.0:-174, 174:180], [*range(174, 186)]),  # counted from -180, over the date line
        (np.r_[174.0:186], [*range(174, 186)]),
        (np.r_[355.0:360, 0:5], [*range(355, 365)]),  # over Greenwich, counted from 0
        (np.r_[-5.0:5], [*range(355, 365)]),
        (np.r_[10.0:0:-1], [*range(1, 11)]),  # from east to west
    ],
)
def test_a_field_is_drawn_from_west_to_east(lon, expected):
    values = np.tile(np.round(lon) % 360, (3, 1))
    ax = xp.plot_map(xr.DataArray(values, {"lat": [50.0, 49, 48], "lon": lon}, ("lat", "lon")))
    middle, first = mesh_columns(ax)
    np.testing.assert_allclose(middle, expected)
    np.testing.assert_array_equal(first, np.mod(expected, 360))


@pytest.mark.parametrize("start", [-180.0, 0.0, 0.125, -179.875])
def test_a_field_around_the_globe_keeps_every_column(start):
    lon = start + np.arange(0, 360, 22.5)
    order, east = west_to_east(lon)
    assert sorted(order) == list(range(16))
    np.testing.assert_allclose(np.diff(east), 22.5)
    np.testing.assert_allclose(east % 360, lon[order] % 360)


def test_sites_without_a_value_are_crosses():
    ax = xp.plot_map(values_at([47, 50], [11, 13], values=[1.0, np.nan]))
    assert len(dots(ax).get_offsets()) == 1
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xydata().tolist() == [[13, 50]]


def test_events_are_counted_per_site_and_year():
    flash, normal = (ONSET, START, END, True), (ONSET, START, END, False)
    here, there = table((flash, flash, normal)), table((normal,), site="DE-Hai")
    there = there.assign_coords(lat=("event", [51.0]), lon=("event", [10.0]))
    events = xr.concat([here, there], "event")
    ax = xp.plot_map(events)
    assert sorted(dots(ax).get_array()) == [0, 2]
    assert ax.get_title(loc="left") == "2 flash droughts at 2 sites"
    years = values_at([47.1, 51, 45], [11.3, 10, 9], values=[4.0, 2.0, 3.0])
    years = years.assign_coords(site=["AT-Neu", "DE-Hai", "IT-Tor"])
    rates = dots(xp.plot_map(events, years=years))
    assert sorted(rates.get_array()) == [0, 0, 0.5]  # IT-Tor had no event and is there all the same
    assert xp.plot_map(events, years=2.0).child_axes[0].get_ylabel() == "Flash droughts (per year)"
    with pytest.raises(ValueError, match="years by site need a coordinate 'site'"):
        xp.plot_map(events, years=years.drop_vars("site"))


def test_map_without_events_says_so():
    assert "no flash drought event" in texts(xp.plot_map(table(())))


def field(lon) -> xr.DataArray:
    values = np.arange(3 * len(lon), dtype=float).reshape(len(lon), 3)
    attrs = {"long_name": "share of flash droughts", "units": "percent"}
    coords = {"lon": lon, "lat": [10.0, 11, 12]}
    return xr.DataArray(values, coords, ("lon", "lat"), name="share", attrs=attrs)


def test_map_of_a_field_in_any_order_of_dims_and_longitudes():
    share = field([358.0, 359, 0, 1])
    ax = xp.plot_map(share)
    ax.figure.canvas.draw()
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "GeoQuadMesh"]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).ravel(), share.values.T.ravel())
    np.testing.assert_allclose(np.diff(mesh.get_coordinates()[0, :, 0]), 1)  # none around the world
    assert ax.child_axes[0].get_ylabel() == "Share of flash droughts (%)"


def test_map_leaves_its_input_unchanged():
    share = field([10.0, 11])
    with unchanged(share):
        xp.plot_map(share)


def test_maps_refuse_what_has_no_place():
    with pytest.raises(ValueError, match=r"lat and lon not among the coordinates.*assign_coords"):
        xp.plot_map(xr.DataArray([1.0], dims="site", coords={"site": ["AT-Neu"]}))
    with pytest.raises(ValueError, match=r"a map shows \(lat, lon\).*\.isel\(time=0\)"):
        xp.plot_map(field([10.0, 11]).expand_dims(time=2))
    with pytest.raises(ValueError, match=r"a Dataset with \['share'\] was given"):
        xp.plot_map(field([10.0, 11]).to_dataset())
    with pytest.raises(ValueError, match="ax is Axes, which has no map projection"):
        xp.plot_map(values_at([47], [11]), ax=plt.figure().add_subplot())


def test_a_coastline_that_is_not_here_is_an_error_and_no_download(monkeypatch, tmp_path):
    import cartopy

    for key in ("pre_existing_data_dir", "data_dir", "repo_data_dir"):
        monkeypatch.setitem(cartopy.config, key, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no Natural Earth coastline '50m'.*110m"):
        xp.plot_map(values_at([47], [11]), resolution="50m")
    xp.plot_map(values_at([47], [11])).figure.canvas.draw()  # the packaged one needs no folder


@pytest.mark.parametrize("inner", ["", "shapefiles"])
def test_a_finer_coastline_on_this_computer_is_used(data_dir, monkeypatch, inner):
    import cartopy

    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", data_dir / "naturalearth" / inner)
    xp.plot_map(values_at([47, 52], [11, 4]), resolution="50m").figure.canvas.draw()


# the packaged coastline and the script that makes it


def test_coastline_has_no_segment_over_the_date_line():
    with np.load(COASTLINE) as stored:
        lon, lat, start = stored["lon"], stored["lat"], stored["start"]
    segments = np.split(lon, start[1:])
    assert COASTLINE.stat().st_size < 40_000
    assert len(segments) == 128
    assert min(map(len, segments)) >= 2
    assert max(np.abs(np.diff(segment)).max() for segment in segments) < 20
    assert np.abs(lon).max() == 180
    assert -86 < lat.min() < -84
    assert 83 < lat.max() < 84
    # a known place: the coast passes within half a degree of Land's End, 50.07 N 5.71 W
    assert np.hypot(lat - 50.07, lon + 5.71).min() < 0.5


@pytest.fixture(scope="module")
def maker():
    path = Path(__file__).resolve().parents[2] / "ci" / "make_coastline.py"
    spec = importlib.util.spec_from_file_location("make_coastline", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_line_is_cut_at_the_date_line_and_its_seam_dropped(maker):
    line = np.array([[170.0, 0], [178, 10], [-176, 40], [-180, 50], [-180, 60], [-170, 70]])
    first, second, third = maker.split_at_date_line(line)
    # from 178 to 184 the date line is a third of the way: 10 + 30 / 3 = 20
    assert first.tolist() == [[170, 0], [178, 10], [180, 20]]
    assert second.tolist() == [[-180, 20], [-176, 40], [-180, 50]]
    assert third.tolist() == [[-180, 60], [-170, 70]]
    (west,) = maker.split_at_date_line(np.array([[-180.0, 5], [175, 6]]))
    assert west.tolist() == [[180, 5], [175, 6]]


def test_arcs_are_decoded_and_each_is_used_once(maker, tmp_path):
    topology = {
        "transform": {"scale": [0.5, 2.0], "translate": [-10, 20]},
        "arcs": [[[0, 0], [2, 1], [2, 0]], [[9, 9], [1, 1]], [[4, 1], [-4, -1]]],
        "objects": {"land": {"geometries": [{"type": "MultiPolygon", "arcs": [[[0, ~2]], [[2]]]}]}},
    }
    segments = maker.coastline(topology)
    assert [segment.tolist() for segment in segments] == [
        [[-10, 20], [-9, 22], [-8, 22]],
        [[-8, 22], [-10, 20]],
    ]  # arc 1 bounds no land; arc 2 occurs twice
    maker.write(segments, tmp_path / "coast.npz")
    with np.load(tmp_path / "coast.npz") as stored:
        assert stored["start"].tolist() == [0, 3]
        assert stored["lon"].tolist() == [-10, -9, -8, -8, -10]


def test_another_source_is_refused(maker, tmp_path, monkeypatch):
    (tmp_path / "land-110m.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["make_coastline", "--source", str(tmp_path)])
    with pytest.raises(SystemExit, match="expected land-110m.json of world-atlas"):
        maker.main()


# forecasts and scores


def test_forecast_beside_persistence_with_both_scores():
    seen = record().isel(time=slice(0, 10)).copy(data=np.arange(10.0))
    predicted = (seen + 1).isel(time=slice(4, 10)).assign_coords(lead_time=np.timedelta64(2, "D"))
    ax = xp.plot_forecast(predicted.to_dataset(name="soil_moisture"), seen)
    observed, model, held = ax.lines
    assert observed.get_ydata().tolist() == [4, 5, 6, 7, 8, 9]
    assert held.get_ydata().tolist() == [2, 3, 4, 5, 6, 7]  # two days before
    # mean 6.5, spread 17.5; errors 6 * 1 and 6 * 4: 1 - 6 / 17.5 and 1 - 24 / 17.5
    assert legend(ax) == ["observed", "2-day forecast, NSE 0.66", "2-day persistence, NSE -0.37"]
    assert model.get_ydata().tolist() == [5, 6, 7, 8, 9, 10]
    assert ax.get_ylabel() == "Soil moisture (%)"


@pytest.mark.parametrize("kind", ["other units", "runs with gaps", "a row of a Dataset"])
def test_the_efficiency_in_a_picture_is_that_of_verify(kind):
    rng, days = np.random.default_rng(0), pd.date_range("2000-01-01", periods=1095)
    values = 0.3 + 0.05 * np.cos(np.arange(1095) / 58) + 0.002 * rng.standard_normal(1095).cumsum()
    seen = xr.DataArray(values, {"time": days}, ["time"], name="sm", attrs={"units": "m3 m-3"})
    forecast = seen[300:] + 0.02 * rng.standard_normal(795)
    if kind == "other units":
        forecast = (100 * forecast).assign_attrs(units="percent")
    elif kind == "runs with gaps":
        forecast = xr.concat([forecast, forecast + 0.1], pd.Index([0, 1], name="run"))
        forecast[1, :200] = np.nan
    else:
        seen, forecast = seen.expand_dims(site=["A"]), forecast.expand_dims(site=["A"]).to_dataset(name="sm")
    scores = verify(forecast, seen, lead=7, n_boot=1).nse_summary.sel(summary="pooled")
    ax = xp.plot_forecast(forecast, seen, lead=pd.Timedelta(days=7))
    _, model, held = legend(ax)
    assert model.startswith(f"7-day forecast, NSE {scores.sel(model='forecast').item():.2f}")
    assert held == f"7-day persistence, NSE {scores.sel(model='persistence').item():.2f}"
    assert 0.25 < np.nanmean(ax.lines[1].get_ydata()) < 0.45  # in the units of the observation
    given = scores.copy(data=np.full(4, 0.25)).expand_dims(summary=["pooled"])
    _, model, held = legend(xp.plot_forecast(forecast, seen, lead=7, scores=given.to_dataset(name="nse_summary")))
    assert (model[:24], held) == ("7-day forecast, NSE 0.25", "7-day persistence, NSE 0.25")


def test_forecast_without_the_days_before_says_so():
    seen = record().isel(time=slice(0, 5))
    ax = xp.plot_forecast(seen, seen, lead=7)
    assert "persistence is not known" in texts(ax)
    assert len(ax.lines) == 2
    assert legend(ax) == ["observed", "7-day forecast"]  # no day with a reference, so no score


def test_forecast_of_the_first_weeks_is_scored_beside_persistence_alone():
    seen = record().isel(time=slice(0, 100)).copy(data=np.sin(np.arange(100.0)))
    late = seen.isel(time=slice(60, 100))  # the climatology of the first 54 days ends before
    ax = xp.plot_forecast(late, seen, lead=7)
    assert legend(ax)[1] == "7-day forecast, NSE 1.00"


def test_forecast_needs_a_lead_and_one_variable():
    with pytest.raises(ValueError, match=r"the forecast has neither init_time\(time\) nor a single lead_time.*lead=7"):
        xp.plot_forecast(record(), record())
    issued = record().indexes["time"] - pd.to_timedelta(np.arange(200) % 2 + 1, "D")
    with pytest.raises(ValueError, match="the forecast has several lead times; forecast them one by one"):
        xp.plot_forecast(record().assign_coords(init_time=("time", issued)), record())
    with pytest.raises(ValueError, match=r"\['a', 'b'\] were given; choose one"):
        xp.plot_forecast(xr.Dataset({"a": record(), "b": record()}), record(), lead=7)


def scores(nse, sites) -> xr.Dataset:
    models = ["climatology", "net", "persistence"]
    return xr.DataArray(nse, {"model": models, "site": sites}, ("model", "site"), name="nse").to_dataset()


def test_scores_stand_beside_their_references_in_the_order_of_the_model():
    ax = xp.plot_scores(scores([[-3.0, 0.1, 0.2], [0.5, 0.9, 0.7], [0.6, 0.8, 0.4]], ["a", "b", "c"]))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "c", "b"]
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["net, median 0.70"] == [0.5, 0.7, 0.9]
    assert drawn["persistence, median 0.60"] == [0.6, 0.4, 0.8]
    assert drawn["climatology, median 0.10"] == [0.2, 0.1]
    arrows = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "<"]
    assert arrows == [[[-1, 0]]]  # climatology at site a: -3, drawn at the floor
    assert ax.get_xlabel() == "NSE  (◁ below -1)"


def test_many_sites_become_violins():
    rng = np.random.default_rng(1)
    values = rng.random((3, 60))
    values[1, 0] = -5
    ax = xp.plot_scores(scores(values, np.arange(60)))
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels[0].split("\n") == ["net", f"median {np.median(values[1]):.2f}", "1 below -1"]
    assert [label.split("\n")[0] for label in labels[1:]] == ["climatology", "persistence"]
    assert ax.get_ylabel() == "NSE"


def test_scores_without_a_floor_have_units():
    rmse = scores([[1.0, 2], [3, 4], [5, 6]], ["a", "b"]).rename(nse="rmse")
    rmse["rmse"].attrs["units"] = "percent"
    ax = xp.plot_scores(rmse, score="rmse", floor=None)
    assert ax.get_xlabel() == "RMSE (percent)"
    assert ax.get_xlim()[1] > 6


def test_unknown_scores_are_refused():
    table = scores(np.zeros((3, 2)), ["a", "b"])
    with pytest.raises(ValueError, match=r"no score 'kge'; choose one of \['nse'\]"):
        xp.plot_scores(table, score="kge")
    with pytest.raises(ValueError, match=r"'nse' must be on \(model, site\), found \('site',\)"):
        xp.plot_scores(table.isel(model=0))


# causality and agreement


def degree(**sizes) -> xr.Dataset:
    full = {"variable": ["t2m", "tp"], **sizes}
    shape = tuple(len(value) for value in full.values())
    rho = xr.DataArray(np.arange(np.prod(shape)).reshape(shape) / 10, full)
    return xr.Dataset({"rho": rho, "p_value": rho.copy(data=np.where(rho > 0.15, 0.01, 0.5))})


def test_causality_bars_by_direction_with_stars():
    ax = xp.plot_causality(degree(direction=["cause_to_effect", "effect_to_cause"]))
    assert [round(bar.get_width(), 3) for bar in ax.patches] == [0, 0.2, 0.1, 0.3]
    stars = np.concatenate([line.get_xydata() for line in ax.lines if line.get_marker() == "*"])
    assert stars[:, 0] == pytest.approx([0.22, 0.32])  # both of tp, just beyond its bars
    assert stars[:, 1] == pytest.approx([0.8, 1.2])
    assert legend(ax) == ["cause_to_effect", "effect_to_cause", "p < 0.05 (raw, ignores autocorrelation)"]


def test_surrogate_significance_comes_first():
    table = degree()
    table = table.assign(surrogate_p_value=table["p_value"] * 0 + 1)
    ax = xp.plot_causality(table)
    assert not any(line.get_xdata().size for line in ax.lines if line.get_marker() == "*")
    assert legend(ax) == ["p < 0.05 (surrogates)"]


def test_causality_by_site_is_a_heat_map_with_a_block_per_direction():
    ax = xp.plot_causality(degree(site=["a", "b", "c"], direction=["cause_to_effect", "effect_to_cause"]))
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    expected = [[0, 0.2, 0.4, np.nan, 0.1, 0.3, 0.5], [0.6, 0.8, 1.0, np.nan, 0.7, 0.9, 1.1]]
    np.testing.assert_allclose(drawn, expected)
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"] * 2
    assert ax.child_axes[0].get_ylabel() == "Cross-map skill ρ (relation)"
    marked = sorted(tuple(xy) for line in ax.lines for xy in line.get_xydata().tolist())
    assert marked == [(0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (4, 1), (5, 0), (5, 1), (6, 0), (6, 1)]


def test_causality_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"rho and p_value are needed, found \['rho'\]"):
        xp.plot_causality(degree()[["rho"]])
    with pytest.raises(ValueError, match=r"rho must be on .* found \('variable', 'lat'\)"):
        xp.plot_causality(degree(lat=[1, 2]))


def test_agreement_numbers_stand_in_their_cells():
    shares = xr.DataArray([[1, 0.25], [np.nan, 0.9]], {"a": ["x", "y"], "b": ["x", "y"]}, name="share")
    ax = xp.plot_agreement(shares)
    assert [(text.get_text(), *text.get_position()) for text in ax.texts] == [
        ("1.00", 0, 0),
        ("0.25", 1, 0),
        ("0.90", 1, 1),
    ]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "y"]
    with pytest.raises(ValueError, match=r"the table must be square, found \(1, 2\)"):
        xp.plot_agreement(shares[:1])
    with pytest.raises(ValueError, match=r"shares lie between 0 and 1, found 25 to 100"):
        xp.plot_agreement(shares * 100)


# every picture


PICTURES = {
    "event": lambda ax: xp.plot_event(record(), table(), soil_temperature=record().assign_attrs(units="degC"), ax=ax),
    "record": lambda ax: xp.plot_record(record(), table(), forecast=record() + 1, ax=ax),
    "forecast": lambda ax: xp.plot_forecast(record(), record(), lead=7, ax=ax),
    "scores": lambda ax: xp.plot_scores(scores(np.ones((3, 9)) / 2, list("abcdefghi")), ax=ax),
    "causality": lambda ax: xp.plot_causality(degree(), ax=ax),
    "agreement": lambda ax: xp.plot_agreement(pd.DataFrame(np.eye(3), list("abc"), list("abc")), ax=ax),
}


@pytest.mark.parametrize("width", [3.54, 7.1])
@pytest.mark.parametrize("picture", PICTURES)
def test_everything_fits_the_page_in_print_that_can_be_read(picture, width):
    figure, ax = plt.subplots(figsize=(width, 3.2), layout="constrained")
    PICTURES[picture](ax)
    figure.canvas.draw()
    page, drawn = figure.bbox, figure.get_tightbbox()
    assert drawn.x0 >= -0.02
    assert drawn.y0 >= -0.02
    assert drawn.x1 <= width + 0.02
    assert drawn.y1 <= page.height / figure.dpi + 0.02
    sizes = {text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()}
    assert min(sizes) >= 7


@pytest.mark.parametrize(
    ("package", "draw"),
    [
        ("matplotlib", lambda: xp.plot_record(record())),
        ("cartopy", lambda: xp.plot_map(values_at([47], [11]))),
    ],
)
def test_a_missing_package_is_named_with_its_cure(monkeypatch, package, draw):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=rf'needs {package}.*pip install "xdrought\[plot\]"'):
        draw()


def test_a_single_cell_has_a_map():
    ax = xp.plot_map(xr.DataArray([[1.0]], {"lat": [50.0], "lon": [3.0]}, ["lat", "lon"]))
    west, east, south, north = ax.get_extent()
    assert north - south > 100e3  # metres of the equal-area map: a degree around the cell
    ax.figure.canvas.draw()


def test_places_without_coordinates_are_refused():
    nowhere = ("site", [np.nan])
    with pytest.raises(ValueError, match="no place has a latitude and a longitude"):
        xp.plot_map(xr.DataArray([1.0], dims="site", coords={"lat": nowhere, "lon": nowhere}))
