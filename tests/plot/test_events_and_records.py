"""Pictures of one event and of a record with its events and classes: what is drawn equals what is in the data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.dates import ConciseDateFormatter, date2num  # noqa: E402

import xdrought.plot as xp
from tests.support.colours import VISION, contrast, distance
from tests.support.drawn import (  # noqa: E402
    END,
    ONSET,
    START,
    TIME,
    legend,
    record,
    spans,
    table,
    texts,
)
from tests.support.helpers import unchanged  # noqa: E402
from xdrought.plot.style import LINE, SHADES

pytestmark = pytest.mark.usefixtures("offline_and_tidy")


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
