"""The days on which a flash drought begins, and whether one does within the lead: what a warning is about."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.choices import DefinitionName, OnsetLabel
from xdrought.definitions import Definition, get_definition
from xdrought.events.detection import Detector, block_means, make_detector
from xdrought.events.state import Train, training_record
from xdrought.percentiles import REFERENCE_TIME, as_rows, prepare, rank_rows, rows_like
from xdrought.provenance import recorded
from xdrought.public_functions import public

LABELS = get_args(OnsetLabel)


@public
@recorded
def onset_days(
    soil_moisture: xr.DataArray,
    *,
    label: OnsetLabel = "path",
    train: Train,
    definition: DefinitionName | Definition = "tang2025",
    time: Hashable = "time",
    **thresholds: Any,
) -> xr.DataArray:
    """True on the days on which a flash drought begins.

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        Daily values (..., time), any units. With dask, time must be one chunk; the result is lazy.
    label : {"path", "event"}
        ``path``: the first day below `lower` since the last one above `upper`, when the fall between them was at
        least `min_rate` a day; nothing is asked of the days after. ``event``: the start of a flash drought that
        :func:`xdrought.flash_drought_events` lists, which must last.
    train : slice, (start, end), boolean DataArray, or a record
        What percentiles are ranked against, as for :func:`drought_state`.
    definition : str or Definition
        Any definition of the library for ``event``, any that falls from a threshold to another for ``path``. With
        pentads, the first day of the pentad is the day.
    time : hashable
        The time dimension.
    **thresholds
        Fields of :class:`xdrought.definitions.Definition` to change.

    Returns
    -------
    xarray.DataArray
        Booleans on the dimensions of `soil_moisture`.

    Raises
    ------
    ValueError
        For an unknown label, a path of a definition that has none, or a time axis that is not daily.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import onset_days
    >>> days = pd.date_range("2001-01-01", periods=100)
    >>> soil = xr.DataArray(np.r_[np.full(60, 0.5), np.linspace(0.4, 0.1, 40)], {"time": days}, dims="time")
    >>> soil.time[onset_days(soil, train=slice(None))].dt.strftime("%m-%d").values.tolist()
    ['03-22']
    """
    out = _apply(soil_moisture, label, train, get_definition(definition, **thresholds), time, _onset_block, bool)
    return out.assign_attrs(long_name="whether a flash drought begins on the day")


@public
@recorded
def onset_label(
    soil_moisture: xr.DataArray,
    *,
    lead: int = 7,
    label: OnsetLabel = "path",
    train: Train,
    definition: DefinitionName | Definition = "tang2025",
    time: Hashable = "time",
    **thresholds: Any,
) -> xr.DataArray:
    """Whether a flash drought begins within the next `lead` days, on each day of issue.

    Parameters
    ----------
    soil_moisture, label, train, definition, time, **thresholds
        As for :func:`onset_days`.
    lead : int
        Days after the day of issue that count.

    Returns
    -------
    xarray.DataArray
        float32 on the dimensions of `soil_moisture`: 1, 0, or NaN where it cannot be told, because today or one of
        the next `lead` days is missing; for ``event`` also one of the days for which the drought must last.

    Raises
    ------
    ValueError
        As for :func:`onset_days`, or for a lead that is no whole number of days.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import onset_label
    >>> days = pd.date_range("2001-01-01", periods=100)
    >>> soil = xr.DataArray(np.r_[np.full(60, 0.5), np.linspace(0.4, 0.1, 40)], {"time": days}, dims="time")
    >>> begins = onset_label(soil, lead=3, train=slice(None))
    >>> begins.time[begins == 1].dt.strftime("%m-%d").values.tolist()
    ['03-19', '03-20', '03-21']
    """
    lead = checks.require_integer(lead, "lead", of="days")
    d = get_definition(definition, **thresholds)
    options = {"lead": lead, "confirm": confirming_days(d, label)}
    out = _apply(soil_moisture, label, train, d, time, _label_block, np.float32, options)
    what = "a flash drought begins" if label == "path" else "a flash drought that lasts begins"
    return out.rename("onset").assign_attrs(
        long_name=f"{what} within {lead} days", units="1", label=label, lead=lead, definition=d.name
    )


def confirming_days(definition: Definition, label: str) -> int:
    """Days after the first that must be observed before it is clear whether an onset was one."""
    return 0 if label == "path" else max(0, math.ceil(definition.min_duration) - 1)


def _apply(
    soil_moisture: xr.DataArray,
    label: OnsetLabel,
    train: Train,
    d: Definition,
    time: Hashable,
    block: Any,
    dtype: Any,
    options: dict[str, int] | None = None,
) -> xr.DataArray:
    """Bind the definition to the labels and run a block function over all series."""
    checks.require_choice(label, "label", LABELS)
    if label == "path" and d.rule != "threshold":
        raise ValueError(
            f'definition {d.name!r} has the rule {d.rule!r}; the label "path" needs one that falls from a threshold '
            f'to another, e.g. "tang2025": use label="event"'
        )
    values = prepare(soil_moisture, time)
    checks.require_daily(values, time)
    record, _ = training_record(values, train, time)
    detector, pool = make_detector(values, d, is_percentile=False, reference=record, mask_frozen=False, time=time)
    arrays, core_dims = [values], [[time]]
    if pool is not None:
        arrays, core_dims = [*arrays, pool], [*core_dims, [REFERENCE_TIME]]
    out = xr.apply_ufunc(
        block,
        *arrays,
        kwargs={"label": label, "detector": detector, **(options or {})},
        input_core_dims=core_dims,
        output_core_dims=[[time]],
        dask="parallelized",
        output_dtypes=[dtype],
        keep_attrs=False,
    )
    return out.transpose(*soil_moisture.dims)


def _onset_block(values: np.ndarray, *record: np.ndarray, label: str, detector: Detector) -> np.ndarray:
    return _onsets(values, record, label, detector)[0].reshape(values.shape)


def _label_block(
    values: np.ndarray, *record: np.ndarray, label: str, detector: Detector, lead: int, confirm: int
) -> np.ndarray:
    from xdrought.kernels.onset_state import within_lead

    onsets, known = _onsets(values, record, label, detector)
    return within_lead(onsets, known, lead, confirm).reshape(values.shape)


def _onsets(
    values: np.ndarray, record: tuple[np.ndarray, ...], label: str, detector: Detector
) -> tuple[np.ndarray, np.ndarray]:
    """Onsets and known days of a block, both bool (rows, time)."""
    from xdrought.kernels.onset_state import path_onsets

    rows = as_rows(values)
    reference = rows_like(values, record[0]) if record else None
    onsets = np.zeros(rows.shape, bool)
    steps = rows if detector.blocks is None else block_means(rows, detector.blocks)
    known = np.repeat(np.isfinite(steps), detector.days_in_step, axis=1)
    if label == "event":
        events = detector.events(rows, reference, None)
        events = events[events["is_flash"]]
        row, step = events["row"], events["start"]
    else:
        d = detector.definition
        assert detector.ranking is not None
        percentiles = rank_rows(steps, reference, detector.ranking)
        found = path_onsets(
            percentiles,
            detector.days.astype(np.float64),
            d.lower,
            d.upper,
            d.dry_at_lower,
            d.wet_at_upper,
            d.min_rate,
            np.inf if d.max_onset is None else float(d.max_onset),
        )
        row, step = np.nonzero(found)
        known &= np.repeat(np.isfinite(percentiles), detector.days_in_step, axis=1)
    onsets[row, detector.first_days[step]] = True
    return onsets, known
