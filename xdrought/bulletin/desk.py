"""A morning at the drought desk: the soil today, how probable an onset is, and how often that came true."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.events.monitor import DroughtMonitor
from xdrought.flags import flags_of
from xdrought.forecast.onset.onset_model import OnsetModel
from xdrought.forecast.onset.onset_prediction import predict_onset, training_days_of
from xdrought.forecast.onset.predictors import OnsetTask, in_units_of
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.windows.selection import INIT

_ASKED = ("label", "definition", "lead")  # what scores must have in common with the warning that they stand beside
_OF_ALARMS = {
    "pod": "share of past droughts that were announced",
    "false_alarms_per_year": "past false alarms per site and year",
}


@public
@recorded
def desk_report(
    record: xr.Dataset,
    monitor: DroughtMonitor,
    onset: OnsetModel,
    *,
    forcing: xr.Dataset | None = None,
    alarms: xr.Dataset | None = None,
    skill: xr.Dataset | None = None,
    threshold: float | None = None,
    time: Hashable = "time",
) -> xr.Dataset:
    """The last day of a record as a desk reads it: state, P(onset), alarm, and past skill beside.

    Parameters
    ----------
    record : xarray.Dataset
        Soil moisture and drivers of sites or of a grid up to today, the training days of `onset` among them. With
        dask, time must be one chunk; the weeks that are needed are computed.
    monitor : DroughtMonitor
        Brought up to the same day, see :func:`xdrought.start_monitor`.
    onset : OnsetModel
        From :func:`xdrought.fit_onset` or :func:`xdrought.load_onset`.
    forcing : xarray.Dataset, optional
        Today's weather forecast on (init_time, lead_time[, member]), where `onset` was fitted with `future`.
    alarms : xarray.Dataset, optional
        From :func:`xdrought.alarms`: gives the threshold, and what it was worth.
    skill : xarray.Dataset, optional
        From :func:`xdrought.onset_skill`: gives how often a probability like today's came true.
    threshold : float, optional
        Probability from which on there is an alarm, instead of that of `alarms`.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On the places: what :meth:`xdrought.DroughtMonitor.today` gives; ``flash_onset_probability season_frequency
        percentile_frequency`` of :func:`xdrought.predict_onset`; with a threshold ``is_alarm``, False where there is no
        probability; with `skill` ``observed_frequency``, how often days of the test part with a probability of the
        same bin stood before an onset, and ``n_in_bin``, how many such days there were. Single numbers: ``threshold``;
        with `alarms` ``past_pod past_false_alarms_per_year``; with `skill` ``past_brier_skill`` against the season;
        each with ``_lower`` and ``_upper`` where it has an interval. Coordinates ``time``, the day of issue, and
        ``valid_until``, the last day on which an onset counts.

    Raises
    ------
    KeyError
        For a variable that is not in `record`.
    ValueError
        For a monitor of another day or of other places, an onset model of several leads, a forcing without today's
        forecast, scores of another label, definition or lead, a threshold outside 0 to 1, or what
        :func:`xdrought.predict_onset` refuses.

    Notes
    -----
    The probability is the last day's of :func:`xdrought.predict_onset` of the whole record, to the last bit: the
    inputs look back a fixed number of days, so that only these are read beside the training days.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> import xdrought
    >>> rng, days = np.random.default_rng(0), pd.date_range("2001-01-01", periods=3000)
    >>> rain = rng.exponential(4.0, (3, 3000)) * (rng.random((3, 3000)) < 0.2)
    >>> soil = np.zeros((3, 3000))
    >>> for t in range(1, 3000):
    ...     soil[:, t] = 0.95 * soil[:, t - 1] + rain[:, t]
    >>> dims = ("site", "time")
    >>> data = {"rain": (dims, rain, {"units": "mm"}), "soil_moisture": (dims, soil, {"units": "mm"})}
    >>> ds = xr.Dataset(data, {"site": list("ABC"), "time": days})
    >>> onset = xdrought.fit_onset(ds, "soil_moisture", ["rain"], model="logistic")
    >>> monitor = xdrought.start_monitor(ds.soil_moisture, reference=("2001", "2006"))
    >>> report = xdrought.bulletin.desk_report(ds, monitor, onset, threshold=0.2)
    >>> str(report.time.values)[:10], str(report.valid_until.values)[:10], report.is_alarm.dims
    ('2009-03-19', '2009-03-26', ('site',))
    """
    task = onset.task
    if task.leads:
        raise ValueError(
            f"the onset model answers for the leads {list(task.leads)}, a desk wants one; fit it with "
            f"lead={task.lead}, or score and map predict_onset(...).sel(lead_time=...)"
        )
    data = in_units_of(record, task)
    target = data[task.target]
    checks.require_regular_steps(target, time)
    today = target.indexes[time][-1]
    state = _state(monitor, target.isel({time: -1}, drop=True), today)
    if task.future:
        _require_issued(forcing, task, today)
    for what, scores in (("alarms", alarms), ("skill", skill)):
        if scores is not None:
            _require_of(scores, what, onset)
    known = target.where(training_days_of(onset, target, time)).assign_attrs(target.attrs)
    recent = data.isel({time: slice(-(task.memory + 1), None)})
    warning = predict_onset(recent, onset, train=known, forcing=forcing, time=time).isel({time: -1}, drop=True)
    places = {name: c for name, c in target.coords.items() if time not in c.dims}
    found: dict[str, Any] = {str(name): warning[name].compute() for name in warning.data_vars if name != "part"}
    probability = found["flash_onset_probability"]
    found |= {str(name): da for name, da in state.data_vars.items()}
    if skill is not None:
        found |= _came_true(probability, skill)
    found |= _past(alarms, skill)
    if threshold is None and alarms is not None:
        threshold = float(alarms["threshold"])
    if threshold is not None:
        found |= _alarm(probability, threshold)
    dates = {
        "time": ((), today, {"long_name": "day of issue"}),
        "valid_until": ((), today + pd.Timedelta(days=task.lead), {"long_name": "last day on which an onset counts"}),
    }
    bare = {name: da.reset_coords(drop=True) for name, da in found.items()}
    return alignment.dataset_of(bare, {**places, **dates}).assign_attrs(
        label=task.label, definition=task.definition.name, lead=task.lead, model=onset.model
    )


@public
def desk_table(report: xr.Dataset, *, at_most: int = 20, only_alarms: bool = False) -> pd.DataFrame:
    """The places where an onset is most probable, one row each, the most probable first.

    Parameters
    ----------
    report : xarray.Dataset
        From :func:`desk_report`.
    at_most : int
        Rows.
    only_alarms : bool
        Whether to leave out places without an alarm.

    Returns
    -------
    pandas.DataFrame
        Columns: the labels of the places and ``is_alarm flash_onset_probability observed_frequency n_in_bin
        season_frequency percentile_frequency percentile drought_class`` (in words) ``days_since_onset
        provisional_days``, as far as the report has them.

    Raises
    ------
    ValueError
        For a report without probabilities, or alarms that were not decided on.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.bulletin import desk_table
    >>> p = xr.DataArray([0.1, 0.4], {"site": ["A", "B"]}, "site")
    >>> desk_table(xr.Dataset({"flash_onset_probability": p, "is_alarm": p > 0.3}), only_alarms=True).site.tolist()
    ['B']
    """
    at_most = checks.require_integer(at_most, "at_most", of="rows")
    wanted = ["flash_onset_probability", *(["is_alarm"] if only_alarms else [])]
    lacking = [name for name in wanted if name not in report]
    if lacking:
        raise ValueError(f"no {lacking} in the report; give what desk_report returned, with alarms= or threshold=")
    probability = report["flash_onset_probability"]
    columns = [
        *("is_alarm", "flash_onset_probability", "observed_frequency", "n_in_bin", "season_frequency"),
        *("percentile_frequency", "percentile", "drought_class", "days_since_onset", "provisional_days"),
    ]
    chosen = [name for name in columns if name in report]
    labels = [dim for dim in probability.dims if dim in report.coords]
    frame = report[chosen].reset_coords(drop=True).to_dataframe().reset_index()[[*labels, *chosen]]
    if "drought_class" in frame:
        words = {value: name for name, value in flags_of(report["drought_class"]).items()}
        frame["drought_class"] = frame["drought_class"].map(words).str.replace("_", " ")
    frame = frame[frame["is_alarm"]] if only_alarms else frame
    return frame.dropna(subset="flash_onset_probability").nlargest(at_most, "flash_onset_probability", keep="first")


def _state(monitor: DroughtMonitor, like: xr.DataArray, today: pd.Timestamp) -> xr.Dataset:
    """The monitor's maps on the places of the record."""
    last = monitor.index[-1]
    if last != today:
        raise ValueError(
            f"the monitor has come to {last}, the record to {today}; bring it up to date first, "
            f"monitor = monitor.update(days that follow)"
        )
    state = monitor.today()
    aligned = {
        name: alignment.align_to(like, da.reset_coords(drop=True), what="the monitor", exact=True)
        for name, da in state.data_vars.items()
    }
    return xr.Dataset({name: da.transpose(*like.dims) for name, da in aligned.items()})


def _require_issued(forcing: xr.Dataset | None, task: OnsetTask, today: pd.Timestamp) -> None:
    """Raise where there is no forecast of today."""
    if isinstance(forcing, xr.Dataset) and INIT in forcing.indexes and today not in forcing.indexes[INIT]:
        index = forcing.indexes[INIT]
        first, last = index[[0, -1]] if index.size else ("none", "none")
        raise ValueError(
            f"the forcing was issued from {first} to {last}, not today, {today}, when {list(task.future)} of the lead "
            f"days is needed; give the forecast whose init_time is the last day of the record"
        )


def _require_of(scores: xr.Dataset, what: str, onset: OnsetModel) -> None:
    """Raise for scores of another kind of warning."""
    own = {"label": onset.task.label, "definition": onset.task.definition.name, "lead": onset.task.lead}
    for name in _ASKED:
        found = scores.attrs.get(name, own[name])
        if found != own[name]:
            raise ValueError(
                f"{what}= is of warnings with {name} {found!r}, the onset model has {own[name]!r}; score the warnings "
                f"of this model, predict_onset(ds, onset)"
            )


def _came_true(probability: xr.DataArray, skill: xr.Dataset) -> dict[str, xr.DataArray]:
    """How often a probability of the same bin came true."""
    start = skill["bin_start"].to_numpy()
    at = np.clip(np.searchsorted(start, probability.to_numpy(), side="right") - 1, 0, start.size - 1)
    there = probability.notnull()
    texts = {
        "observed_frequency": "how often days of such a probability stood before an onset, in the past",
        "n_in_bin": "days of such a probability in the past",
    }
    return {
        name: probability.copy(data=skill[name].to_numpy()[at])
        .where(there)
        .assign_attrs(long_name=text, units="1")
        .rename(name)
        for name, text in texts.items()
    }


def _past(alarms: xr.Dataset | None, skill: xr.Dataset | None) -> dict[str, xr.DataArray]:
    """Single numbers of the past, with their intervals."""
    result: dict[str, xr.DataArray] = {}
    for name, text in _OF_ALARMS.items() if alarms is not None else ():
        result |= _with_ends(alarms, name, text)  # type: ignore[arg-type]
    if skill is not None:
        own = skill.sel(forecast="flash_onset_probability", drop=True)
        result |= _with_ends(own, "brier_skill", "past Brier skill against the season")
    return result


def _with_ends(scores: xr.Dataset, name: str, text: str) -> dict[str, xr.DataArray]:
    """A score and the ends of its interval, each a number of its own, so that tables have one row a place."""
    result = {f"past_{name}": scores[name].assign_attrs(long_name=text)}
    if f"{name}_interval" in scores:
        for end in ("lower", "upper"):
            value = scores[f"{name}_interval"].sel(bound=end, drop=True)
            result[f"past_{name}_{end}"] = value.assign_attrs(long_name=f"{text}, {end} end of the interval")
    return result


def _alarm(probability: xr.DataArray, threshold: float) -> dict[str, Any]:
    """Where the threshold is reached."""
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold:g}; it is a probability, from 0 to 1")
    text = f"the probability of an onset is {threshold:g} or more"
    return {
        "is_alarm": (probability >= threshold).assign_attrs(long_name=text),
        "threshold": xr.DataArray(threshold, attrs={"long_name": "probability of an alarm", "units": "1"}),
    }
