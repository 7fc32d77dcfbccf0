"""Flash-drought events, daily classes and summary maps of soil moisture."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import alignment, checks, shown
from xdrought.choices import Censored, DefinitionName, Frozen, Relapse
from xdrought.definitions import Definition, get_definition
from xdrought.events.detection import Inputs
from xdrought.events.table import build_events
from xdrought.flags import flag_attrs
from xdrought.percentiles import Reference, soil_moisture_percentile
from xdrought.provenance import recorded
from xdrought.public_functions import public

__all__ = [
    "CLASSES",
    "definition_agreement",
    "drought_classes",
    "drought_summary",
    "flash_drought_events",
    "soil_moisture_percentile",
]

CLASSES = {
    "no_drought": 0,
    "normal_onset": 1,
    "normal_condition": 2,
    "flash_onset": 3,
    "flash_condition": 4,
    "missing": -1,
}
SUMMARY = {
    "event_count": ("number of drought events", "1"),
    "flash_count": ("number of flash droughts", "1"),
    "flash_frequency": ("flash droughts", "year-1"),
    "flash_share": ("share of flash droughts among drought events", "1"),
    "mean_duration": ("mean duration of drought events", "d"),
    "mean_intensification_rate": ("mean intensification rate of drought onsets", "percent d-1"),
    "drought_fraction": ("share of valid days in a drought condition", "1"),
}

Definitions = DefinitionName | Definition | Iterable[DefinitionName | Definition]


@public
@recorded
def flash_drought_events(
    soil_moisture: xr.DataArray,
    *,
    definition: Definitions = "tang2025",
    is_percentile: bool = False,
    reference: Reference = None,
    soil_temperature: xr.DataArray | None = None,
    frozen: Frozen = "flag",
    censored: Censored = "keep",
    time: Hashable = "time",
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> xr.Dataset:
    """Every drought event of every series, flash and normal, one row per event.

    Parameters
    ----------
    soil_moisture : xarray.DataArray
        Daily or pentad values, any other dims, any units (percentiles are unit-free; of units that are not known only
        missing codes are looked for). Gaps (NaN) of up to ``max_gap`` days are bridged by a line, longer ones cut the
        record; nothing is glued. A dask input is computed block by block (time must be one chunk); memory holds the
        blocks at work and the events.
    definition : str, Definition or a list of them
        See :mod:`xdrought.definitions`; several give the events a ``definition`` coordinate.
    is_percentile : bool
        The input holds percentiles (0 to 100), taken as they are, at the steps as they are.
    reference : DataArray, slice or (start, end), optional
        Percentiles of this series or period, see :func:`soil_moisture_percentile`.
    soil_temperature : xarray.DataArray, optional
        Same steps, with units; adds ``frozen_fraction``, the share of an event's days below 0 degC.
    frozen : {"flag", "mask", "ignore"}
        How to treat frozen soil: ``flag`` adds ``is_frozen`` (at least half of the days), ``mask`` takes frozen days as
        missing before anything else, ``ignore`` only reports the fraction.
    censored : {"keep", "drop"}
        Events that meet a gap longer than ``max_gap`` days or the record's end.
    time : hashable
        Name of the time dimension.
    relapse : {"event", "drop", "merge"}, optional
        A second fall below `lower` without a step above `upper` between.
    **thresholds
        Any other field of :class:`xdrought.definitions.Definition`: ``upper lower min_rate max_onset recovery
        min_duration min_wet_run percentile_method pool window max_gap`` ... (percentiles and days).

    Returns
    -------
    xarray.Dataset
        On ``event`` (a CF indexed ragged array): ``onset_time start_time end_time`` (first day of the step; an event
        lasts to the end of its last step), ``onset_percentile start_percentile`` (percent), ``onset_length duration``
        (days), ``intensification_rate`` (percent d-1), ``severity`` (percent d, the summed deficit below `lower`),
        ``is_flash is_censored``, ``gap_days`` (days from the onset point to the end that have no value of their own:
        bridged ones), with the coords of the series and ``cell``, the index of the series among all.
        ``.to_dataframe()`` is the table.

    Raises
    ------
    ValueError
        For a time axis that is split into chunks, irregular, repeated or not daily or in pentads; for an unknown
        definition or option; for percentiles with other units or outside 0 to 100; for a soil temperature without
        units.
    TypeError
        For something else than numbers in a DataArray, or an unknown threshold.

    Warns
    -----
    UserWarning
        When no series has a value on any day.

    Notes
    -----
    Bridged values are ranked with the record they belong to, as in the paper, which fills gaps before it ranks; a
    `reference` holds measured values alone. With ``frozen="mask"`` gaps are bridged first, and frozen days cut.
    The rules and their ambiguities, with the measured effect of each reading: :doc:`/guide/definitions`.
    Source: Tang et al. (2025), doi:10.1029/2024WR039470, section 3.3.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> p = np.repeat([60.0, 30.0, 15.0, 30.0], [5, 1, 20, 10])
    >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=36)})
    >>> from xdrought import flash_drought_events
    >>> events = flash_drought_events(da, is_percentile=True)
    >>> float(events.intensification_rate[0]), int(events.duration[0]), bool(events.is_flash[0])
    (22.5, 20, True)
    """
    checks.require_choice(censored, "censored", get_args(Censored))
    inputs = Inputs.create(soil_moisture, reference, soil_temperature, is_percentile, frozen, time)
    chosen, several = _definitions(definition, relapse=relapse, **thresholds)
    tables = [build_events(inputs, d).assign_attrs(settings_of(d)) for d in chosen]
    if several:
        tables = [
            table.assign_coords(definition=("event", np.full(table.sizes["event"], d.name)))
            for table, d in zip(tables, chosen, strict=True)
        ]
    events = xr.concat(tables, dim="event", combine_attrs="drop_conflicts") if several else tables[0]
    return events.isel(event=~events.is_censored.values) if censored == "drop" else events


@public
@recorded
def drought_classes(
    soil_moisture: xr.DataArray,
    *,
    definition: Definitions = "tang2025",
    is_percentile: bool = False,
    reference: Reference = None,
    soil_temperature: xr.DataArray | None = None,
    frozen: Frozen = "flag",
    fill_gaps: bool = False,
    time: Hashable = "time",
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> xr.DataArray:
    """The class of every day: no drought, onset or condition of a normal or a flash drought, or missing.

    Parameters
    ----------
    soil_moisture, definition, is_percentile, reference, soil_temperature, frozen, time, relapse, **thresholds
        As in :func:`flash_drought_events`. With dask the result is lazy.
    fill_gaps : bool
        Give days in gaps of up to ``max_gap`` days the class of the line that bridges them, instead of ``missing``.

    Returns
    -------
    xarray.DataArray
        int8 on the input's dims (and ``definition`` when several are asked for) with CF ``flag_values`` and
        ``flag_meanings``. An onset runs from the onset point to the day before the start, a condition from the start
        to the end. ``missing`` are the days without a value, and the days of a dry spell that a gap too long to bridge
        cuts so that nobody knows whether it was a drought.

    Raises
    ------
    ValueError, TypeError
        As :func:`flash_drought_events`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> p = np.repeat([60.0, 30.0, 15.0, 30.0], [2, 1, 15, 5])
    >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=23)})
    >>> from xdrought import drought_classes
    >>> drought_classes(da, is_percentile=True).values
    array([0, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0,
           0], dtype=int8)
    """
    own = {"definition", "drought_class"}
    inputs = Inputs.create(soil_moisture, reference, soil_temperature, is_percentile, frozen, time, own)

    def one(d: Definition) -> xr.DataArray:
        out = inputs.apply("filled_classes" if fill_gaps else "classes", d, [[time]], [np.int8])
        return out.transpose(*soil_moisture.dims)

    return labelled_classes(_per_definition(one, *_definitions(definition, relapse=relapse, **thresholds)))


@public
@recorded
def drought_summary(
    soil_moisture: xr.DataArray,
    *,
    definition: Definitions = "tang2025",
    is_percentile: bool = False,
    reference: Reference = None,
    soil_temperature: xr.DataArray | None = None,
    frozen: Frozen = "flag",
    time: Hashable = "time",
    relapse: Relapse | None = None,
    **thresholds: Any,
) -> xr.Dataset:
    """Maps of the events of each series: how many, how fast, how long.

    Parameters
    ----------
    soil_moisture, definition, is_percentile, reference, soil_temperature, frozen, time, relapse, **thresholds
        As in :func:`flash_drought_events`. With dask the result is lazy.

    Returns
    -------
    xarray.Dataset
        float64 on the input's dims without time: ``event_count flash_count flash_frequency flash_share mean_duration
        mean_intensification_rate drought_fraction``. NaN where the series has no valid day; the shares and means are
        NaN without an event. ``drought_fraction`` counts the days that :func:`drought_classes` does not call
        missing.

    Raises
    ------
    ValueError, TypeError
        As :func:`flash_drought_events`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> p = np.repeat([60.0, 30.0, 15.0, 30.0], [2, 1, 15, 7])
    >>> da = xr.DataArray(p, dims="time", coords={"time": pd.date_range("2001-01-01", periods=25)})
    >>> from xdrought import drought_summary
    >>> float(drought_summary(da, is_percentile=True).drought_fraction)
    0.6
    """
    own = {"definition", *SUMMARY}
    inputs = Inputs.create(soil_moisture, reference, soil_temperature, is_percentile, frozen, time, own)

    def one(d: Definition) -> xr.Dataset:
        return labelled_summary(inputs.apply("summary", d, [[]] * len(SUMMARY), [np.float64] * len(SUMMARY)))

    return _per_definition(one, *_definitions(definition, relapse=relapse, **thresholds))


@public
@recorded
def definition_agreement(classes: xr.DataArray) -> xr.Dataset:
    """How far definitions agree: every pair of a ``definition`` dimension, over all other dims.

    Parameters
    ----------
    classes : xarray.DataArray
        From :func:`drought_classes` with several definitions.

    Returns
    -------
    xarray.Dataset
        On (definition, other): ``agreement``, the share of days valid for both on which both or neither is in a flash
        drought (onset or condition), and ``overlap``, days in both over days in either (Jaccard index; NaN when in
        neither).

    Raises
    ------
    TypeError
        For something else than numbers in a DataArray.
    ValueError
        Without a ``definition`` dimension, or for values that are no classes.

    Examples
    --------
    >>> import xarray as xr
    >>> dims, coords = ("definition", "time"), {"definition": ["a", "b"]}
    >>> classes = xr.DataArray([[0, 4, 4, 0], [0, 0, 4, 0]], dims=dims, coords=coords)
    >>> table = definition_agreement(classes)
    >>> float(table.agreement[0, 1]), float(table.overlap[0, 1])
    (0.75, 0.5)
    """
    if "definition" not in classes.dims:
        raise ValueError(
            "the classes have no 'definition' dimension; "
            "ask drought_classes for several, e.g. definition=['tang2025', 'yuan2019']"
        )
    classes = require_classes(classes)
    flash = classes.isin([CLASSES["flash_onset"], CLASSES["flash_condition"]])
    valid = classes != CLASSES["missing"]
    other = {"definition": "other"}
    days = [d for d in classes.dims if d != "definition"]
    both_valid = valid & valid.rename(other)
    both = (flash & flash.rename(other) & both_valid).sum(days)
    either = ((flash | flash.rename(other)) & both_valid).sum(days)
    same = ((flash == flash.rename(other)) & both_valid).sum(days)
    agreement, overlap = same / both_valid.sum(days), both / either
    return alignment.dataset_of(
        {
            "agreement": agreement.assign_attrs(long_name="share of days with the same flash-drought state", units="1"),
            "overlap": overlap.assign_attrs(long_name="days in both over days in either", units="1"),
        }
    )


def _definitions(definition: Definitions, **changes: Any) -> tuple[list[Definition], bool]:
    """The definitions asked for with the changes applied, and whether they came as a list."""
    several = isinstance(definition, Iterable) and not isinstance(definition, str)
    items: list[Any] = list(definition) if several else [definition]  # type: ignore[arg-type]
    if not items:
        raise ValueError("definition: the list is empty; name at least one definition")
    chosen = [get_definition(item, **changes) for item in items]
    names = [d.name for d in chosen]
    if len(set(names)) < len(names):
        raise ValueError(f"definition: the names {names} repeat; give each definition a name of its own")
    return chosen, several


def _per_definition(one: Any, chosen: list[Definition], several: bool) -> Any:
    """One result, or one per definition along a `definition` dimension; settings in attrs."""
    if not several:
        return one(chosen[0]).assign_attrs(settings_of(chosen[0]))
    names = xr.DataArray([d.name for d in chosen], dims="definition", name="definition")
    return xr.concat([one(d) for d in chosen], dim=names.assign_coords(definition=names))


def labelled_classes(classes: xr.DataArray) -> xr.DataArray:
    """Classes with their name and CF flags."""
    return classes.rename("drought_class").assign_attrs(long_name="drought class", **flag_attrs(CLASSES))


def require_classes(classes: xr.DataArray) -> xr.DataArray:
    """Classes, or True and False; other numbers, as percentiles are, are refused, of dask inside the blocks.

    Classes that were reindexed are floating point, NaN where nothing is known.
    """
    if classes.dtype.kind not in "biuf":
        raise TypeError(f"expected classes from drought_classes or True and False, got {classes.dtype}")
    if classes.dtype == bool:
        return classes
    if "flag_values" not in classes.attrs:
        checks.refuse_zeros_and_ones(classes, "the map of classes", "or give the classes as drought_classes gave them")
    if classes.chunks is None:
        _look_at_classes(classes.to_numpy())
        return classes
    return classes.copy(data=classes.data.map_blocks(_look_at_classes, dtype=classes.dtype, meta=classes.data._meta))


def _look_at_classes(values: np.ndarray) -> np.ndarray:
    other = ~np.isin(values, list(CLASSES.values())) & ~np.isnan(values)
    if other.any():
        raise ValueError(
            f"expected classes from drought_classes ({', '.join(map(str, CLASSES.values()))}) or True and False, found "
            f"{values[other][0]:g}; if these are percentiles, make classes of them with "
            f"drought_classes(da, is_percentile=True), or compare them, e.g. da < 20"
        )
    return values


def labelled_summary(maps: Iterable[xr.DataArray]) -> xr.Dataset:
    """Maps in the order of `SUMMARY` with their names and units."""
    named = {
        name: da.rename(name).assign_attrs(long_name=text, units=unit)
        for da, (name, (text, unit)) in zip(maps, SUMMARY.items(), strict=True)
    }
    return xr.Dataset(named)


def settings_of(d: Definition) -> dict[str, str]:
    """What a result says of its definition."""
    return {"definition": d.name, "definition_settings": shown.in_one_line(d), "source": d.source}
