"""What a beginner gets wrong in the first hour, the message each mistake gets, and that its cure works.

Each case is a call of someone who comes from the paper, from xclim, pyEDM or NeuralHydrology, or whose file is not
quite what is expected. The third column is what the message must say; the last one does what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought as xd
from xdrought.data import open_dataset
from xdrought.public_functions import public
from xdrought.suggestions import ELSEWHERE, close_to, did_you_mean

TIME = pd.date_range("2001-01-01", periods=800)
events_of = xd.flash_drought_events


class Case(NamedTuple):
    """One mistake: the call, the kind of error, what it must say, and the call that the message leads to."""

    call: Callable[[], Any]
    error: type[Exception]
    says: str
    cure: Callable[[], Any] | None = None


def grid() -> xr.DataArray:
    walk = np.random.default_rng(0).normal(size=(800, 2, 2)).cumsum(axis=0)
    values = 20 + 8 * np.tanh(walk / 10)
    coords = {"time": TIME, "lat": [50.0, 51.0], "lon": [8.0, 9.0]}
    return xr.DataArray(values, coords, ("time", "lat", "lon"), name="soil_moisture", attrs={"units": "%"})


def tower() -> xr.Dataset:
    return open_dataset("us-ar1").isel(site=0)


def door() -> Any:
    return tower().xdrought


def fit(**options: Any) -> Any:
    return open_dataset("us-ar1").xdrought.fit_resattcaurec("soil_moisture", ["TA_F"], **options)


def plot(name: str) -> Any:
    pytest.importorskip("matplotlib")
    pytest.importorskip("cartopy")
    import xdrought.plot

    return getattr(xdrought.plot, name)


def hourly() -> xr.DataArray:
    return grid().assign_coords(time=pd.date_range("2001-01-01", periods=800, freq="h"))


def with_codes() -> xr.DataArray:
    return grid().where(grid() > 14, -9999)


CASES = {
    # what is given
    "numpy": Case(lambda: events_of(grid().values), TypeError, "must be a DataArray, got ndarray; give it labels"),
    "pandas": Case(
        lambda: events_of(grid()[:, 0, 0].to_series()),
        TypeError,
        "must be a DataArray, got Series; use da.to_xarray()",
        lambda: events_of(grid()[:, 0, 0].to_series().to_xarray()),
    ),
    "whole Dataset": Case(
        lambda: events_of(tower()),
        TypeError,
        r"got Dataset; pick a variable, e.g. ds\['soil_moisture'\]",
        lambda: events_of(tower()["soil_moisture"]),
    ),
    "events for soil moisture": Case(
        lambda: xd.drought_summary(events_of(grid())), TypeError, "must be a DataArray, got Dataset"
    ),
    "text for numbers": Case(
        lambda: xd.drought_classes(grid().astype(str)), TypeError, "has dtype <U32; expected numbers"
    ),
    "misspelt variable": Case(
        lambda: door().flash_drought_events("soil_mositure"), KeyError, "did you mean 'soil_moisture'?"
    ),
    # the time axis
    "other name of time": Case(
        lambda: events_of(grid().rename(time="valid_time")),
        ValueError,
        r"no dimension 'time' in 'soil_moisture'.*Name the time dimension with time=",
        lambda: events_of(grid().rename(time="valid_time"), time="valid_time"),
    ),
    "hourly": Case(
        lambda: events_of(hourly()),
        ValueError,
        r'steps of 1 h; .*average them first, e.g. .resample\(time="1D"\).mean\(\)',
        lambda: events_of(hourly().resample(time="1D").mean()),
    ),
    "monthly": Case(
        lambda: events_of(grid().assign_coords(time=pd.date_range("1901-01-01", periods=800, freq="MS"))),
        ValueError,
        "uneven steps of 28 to 31 days; expected one value a day or a pentad",
    ),
    "backwards": Case(
        lambda: events_of(grid()[::-1]),
        ValueError,
        r"'time' goes backwards 799 time\(s\).*use .sortby\('time'\)",
        lambda: events_of(grid()[::-1].sortby("time")),
    ),
    "days that are not there": Case(
        lambda: events_of(grid().isel(time=np.r_[0:100, 110:300])),
        ValueError,
        r"missing steps.*first at 2001-04-21.*\.resample\(time=\"1D\"\).asfreq\(\)",
        lambda: events_of(grid().isel(time=np.r_[0:100, 110:300]).resample(time="1D").asfreq()),
    ),
    "dates as text": Case(
        lambda: events_of(grid().assign_coords(time=TIME.strftime("%Y-%m-%d"))),
        ValueError,
        r"holds str, not dates; make them such, \.assign_coords\(time=pandas\.to_datetime\(",
        lambda: events_of(grid().assign_coords(time=TIME)),
    ),
    "no dates": Case(
        lambda: events_of(grid().drop_vars("time")),
        ValueError,
        r"has no coordinate; assign the dates, e.g. .assign_coords\(time=pandas.date_range",
        lambda: events_of(grid().drop_vars("time").assign_coords(time=TIME)),
    ),
    "chunked in time": Case(
        lambda: events_of(grid().chunk(time=100)),
        ValueError,
        r"'time' has 8 chunks; the whole record is needed: use .chunk\(\{'time': -1\}\)",
        lambda: events_of(grid().chunk(time=100).chunk({"time": -1})),
    ),
    # values and units
    "missing code": Case(
        lambda: events_of(with_codes()),
        ValueError,
        r"holds codes of missing values as numbers \(.*-9999.*make them missing with",
        lambda: events_of(with_codes().where(with_codes() != -9999)),
    ),
    "quantiles for percentiles": Case(
        lambda: events_of(grid() / 100, is_percentile=True),
        ValueError,
        "these are quantiles .*multiply by 100",
        lambda: events_of(100 * (grid() / 100), is_percentile=True),
    ),
    "soil moisture for percentiles": Case(
        lambda: events_of(10 * grid(), is_percentile=True),
        ValueError,
        "outside what percentile can be.*leave is_percentile=True out",
        lambda: events_of(10 * grid().assign_attrs(units="mm")),
    ),
    "temperature without units": Case(
        lambda: events_of(tower().soil_moisture, soil_temperature=tower().soil_temperature.drop_attrs()),
        ValueError,
        "'soil_temperature' has no units.*= 'degC'",
        lambda: events_of(tower().soil_moisture, soil_temperature=tower().soil_temperature.assign_attrs(units="degC")),
    ),
    # keywords and choices of events
    "misspelt keyword": Case(
        lambda: events_of(grid(), definiton="yuan2019"), TypeError, r"\['definiton'\]; did you mean definition="
    ),
    "misspelt threshold": Case(lambda: events_of(grid(), uper=40), TypeError, r"\['uper'\]; did you mean upper="),
    "threshold of xclim": Case(
        lambda: events_of(grid(), thresh=25), TypeError, "did you mean lower=, called thresh in xclim"
    ),
    "misspelt definition": Case(
        lambda: events_of(grid(), definition="tang2024"), ValueError, "did you mean 'tang2025'?"
    ),
    "thresholds the wrong way round": Case(
        lambda: events_of(grid(), upper=10, lower=20), ValueError, "expected 0 <= lower < upper <= 100"
    ),
    "negative duration": Case(
        lambda: events_of(grid(), min_duration=-3), ValueError, "min_duration=-3; expected more than 0 days"
    ),
    "choice that is none": Case(
        lambda: events_of(grid(), frozen="drop"), ValueError, r"choose one of \['flag', 'mask', 'ignore'\]"
    ),
    "period before the record": Case(
        lambda: events_of(grid(), reference=("1981", "1990")),
        ValueError,
        "holds no day of the record, which goes from 2001-01-01",
    ),
    "misspelt keyword of the monitor": Case(
        lambda: door().start_monitor("soil_moisture", windoow=3), TypeError, "did you mean window="
    ),
    # causes
    "one variable": Case(lambda: door().ccm("TA_F"), TypeError, "missing 1 required positional argument: 'effect'"),
    "E of pyEDM": Case(
        lambda: door().ccm("TA_F", "soil_moisture", E=3),
        TypeError,
        "did you mean embedding_dim=, called E in pyEDM",
        lambda: door().ccm("TA_F", "soil_moisture", embedding_dim=3),
    ),
    "libSizes of pyEDM": Case(
        lambda: door().ccm("TA_F", "soil_moisture", libSizes="10 100 10"),
        TypeError,
        "did you mean library_size=, called libSizes in pyEDM",
    ),
    "library beyond the record": Case(
        lambda: door().ccm("TA_F", "soil_moisture", library_size=[100, 10_000]),
        ValueError,
        "sizes are whole numbers from 4 .* to the 1461 steps",
    ),
    "number as text": Case(
        lambda: door().ccm("TA_F", "soil_moisture", embedding_dim="3"), ValueError, "must be a whole number, 1 or more"
    ),
    "other word for a direction": Case(
        lambda: door().ccm("TA_F", "soil_moisture", direction="cause to effect"),
        ValueError,
        "did you mean 'cause_to_effect'?",
    ),
    "lag for lags": Case(lambda: door().driver_gain("TA_F", "soil_moisture", lag=5), TypeError, "did you mean lags="),
    "lag beyond the record": Case(
        lambda: door().ccm("TA_F", "soil_moisture", lag=5000), ValueError, "less than the record's 1461"
    ),
    # forecasts
    "seq_length of NeuralHydrology": Case(
        lambda: fit(seq_length=30), TypeError, "did you mean window=, called seq_length in NeuralHydrology"
    ),
    "lr": Case(lambda: fit(lr=0.1), TypeError, "did you mean learning_rate="),
    "unknown network": Case(lambda: fit(variant="LSTM"), ValueError, "variant='LSTM' is unknown; choose one of"),
    "unknown split": Case(
        lambda: fit(split="random"), ValueError, r"one of \['chronological', 'spatial_monte_carlo'\]"
    ),
    "no forecaster": Case(
        lambda: xd.predict(tower()), TypeError, "missing 1 required positional argument: 'forecaster'"
    ),
    "no file": Case(lambda: xd.load_forecaster("nothing.xd"), FileNotFoundError, "give what Forecaster.save wrote"),
    # data, pictures and names
    "misspelt data": Case(lambda: open_dataset("usar1"), ValueError, "did you mean 'us-ar1'?"),
    "whole Dataset drawn": Case(
        lambda: plot("plot_record")(tower()), TypeError, "must be a DataArray, got Dataset; pick a variable"
    ),
    "map of all days": Case(
        lambda: plot("plot_map")(grid()),
        ValueError,
        r"choose along the others, e.g. .isel\(time=0\)",
        lambda: plot("plot_map")(grid().isel(time=0)),
    ),
    "colormap": Case(lambda: plot("plot_map")(grid()[0], colormap="viridis"), TypeError, "did you mean cmap="),
    "misspelt function": Case(lambda: xd.flash_drought_event, AttributeError, "did you mean 'flash_drought_events'?"),
    "misspelt method": Case(
        lambda: door().drought_class("soil_moisture"), AttributeError, "did you mean 'drought_classes'?"
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_the_message_says_what_to_do(name):
    case = CASES[name]
    with pytest.raises(case.error, match=case.says):
        case.call()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.cure])
def test_what_the_message_says_works(name):
    assert CASES[name].cure() is not None
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")


def test_there_are_as_many_mistakes_as_were_seen():
    assert len(CASES) >= 44


def test_names_that_mean_nothing_get_no_suggestion():
    assert close_to("banana", ["upper", "lower"]) is None
    assert did_you_mean("banana", ["upper"], keyword=True) == ""
    assert did_you_mean("E", ["time"], keyword=True) == ""  # only what the function takes
    with pytest.raises(TypeError, match=r"keyword argument 'banana'; it takes cause, effect, embedding_dim, tau"):
        door().ccm("TA_F", "soil_moisture", banana=1)


def test_every_name_from_elsewhere_leads_to_a_keyword_that_is_there():
    import inspect

    pytest.importorskip("cartopy")
    functions = [xd.ccm, xd.gccm, xd.driver_gain, xd.fit_resattcaurec, events_of, plot("plot_map")]
    known = {name for function in functions for name in inspect.signature(function).parameters}
    known |= {"lower", "recovery", "min_duration"}  # of a definition
    assert {ours[0] for ours, _ in ELSEWHERE.values()} <= known


def test_an_error_inside_a_function_keeps_its_text():
    def inner(upper):
        return upper

    @public
    def outer():
        return inner(uper=1)

    outer.__wrapped__.__module__ = "xdrought.events"
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'uper'") as caught:
        outer()
    assert "; it takes" not in str(caught.value)
