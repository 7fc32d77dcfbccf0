"""One definition bound to one time axis: blocks of series in, events and daily classes out (arrays only).

A :class:`Detector` holds plain arrays and settings, so it travels to dask workers; it is what each block runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr

from xdrought import alignment, calendars, checks, limits, units
from xdrought.choices import Frozen
from xdrought.definitions import Definition
from xdrought.percentiles import (
    REFERENCE_TIME,
    SOIL_MOISTURE,
    Ranking,
    Reference,
    as_rows,
    check_reference,
    make_ranking,
    prepare,
    rank_rows,
    rows_like,
)

FROZEN = get_args(Frozen)
# What the table of events calls its own dimensions and variables.
COLUMNS = frozenset(
    {"event", "definition", "onset_time", "start_time", "end_time", "onset_percentile", "start_percentile"}
    | {"onset_length", "duration", "intensification_rate", "severity", "is_flash", "is_censored", "is_provisional"}
    | {"gap_days", "frozen_fraction", "is_frozen"}
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What one call of an event function works on."""

    values: xr.DataArray
    temperature: xr.DataArray | None  # degC, same time axis
    reference: xr.DataArray | slice | None
    is_percentile: bool
    frozen: str
    time: Hashable

    @classmethod
    def create(
        cls,
        soil_moisture: xr.DataArray,
        reference: Reference,
        soil_temperature: xr.DataArray | None,
        is_percentile: bool,
        frozen: str,
        time: Hashable,
        own: Collection[str] = COLUMNS,
    ) -> Inputs:
        """Check labels, and values in the blocks; coordinates called as the result's `own` names get other ones."""
        checks.require_choice(frozen, "frozen", FROZEN)
        if frozen == "mask" and soil_temperature is None:
            raise ValueError('frozen="mask" needs soil_temperature=')
        if is_percentile and isinstance(soil_moisture, xr.DataArray):
            _check_percent(soil_moisture)
        values = prepare(soil_moisture, time, "percentile" if is_percentile else SOIL_MOISTURE)
        values = alignment.free_names(values, own)
        if is_percentile and reference is not None:
            raise ValueError("is_percentile=True leaves nothing to rank; drop reference=, or give soil moisture")
        temperature = None if soil_temperature is None else _match(values, soil_temperature, time)
        reference = check_reference(values, reference, time)
        if isinstance(reference, xr.DataArray):
            reference = reference.reset_coords(drop=True)
        return cls(values, temperature, reference, is_percentile, frozen, time)

    def bind(self, definition: Definition) -> tuple[Detector, list[xr.DataArray], list[list[Hashable]]]:
        """The detector of a definition, the arrays that its blocks take and their core dimensions."""
        detector, pool = make_detector(
            self.values,
            definition,
            is_percentile=self.is_percentile,
            reference=self.reference,
            mask_frozen=self.frozen == "mask",
            time=self.time,
        )
        arrays, core_dims = [self.values], [[self.time]]
        if self.temperature is not None:
            arrays, core_dims = [*arrays, self.temperature], [*core_dims, [self.time]]
        if pool is not None:
            arrays, core_dims = [*arrays, pool], [*core_dims, [REFERENCE_TIME]]
        return detector, arrays, core_dims

    def apply(self, move: str, definition: Definition, output_core_dims: list, dtypes: list) -> Any:
        """Run one move of the detector over all blocks; lazy for dask."""
        detector, arrays, core_dims = self.bind(definition)
        return xr.apply_ufunc(
            run_block,
            *arrays,
            kwargs={"move": move, "detector": detector, "has_temperature": self.temperature is not None},
            input_core_dims=core_dims,
            output_core_dims=output_core_dims,
            dask="parallelized",
            output_dtypes=dtypes,
            keep_attrs=False,
        )


def _check_percent(da: xr.DataArray) -> None:
    unit = da.attrs.get("units", "percent")
    if unit not in ("percent", "%"):
        raise ValueError(f"is_percentile=True, but {da.name!r} has units {unit!r}; expected percent (0 to 100)")


def run_block(values: np.ndarray, *others: np.ndarray, move: str, detector: Detector, has_temperature: bool) -> Any:
    """One move of a detector (``classes``, ``filled_classes`` or ``summary``) on a block (..., time)."""
    temperature, reference = split_others(values, others, has_temperature)
    results = getattr(detector, move)(as_rows(values), reference, temperature)
    if isinstance(results, tuple):
        return tuple(result.reshape(values.shape[:-1]) for result in results)
    return results.reshape(values.shape)


def split_others(
    values: np.ndarray, others: tuple[np.ndarray, ...], has_temperature: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Soil temperature and reference of a block as rows, None where not given."""
    rows = [rows_like(values, other) for other in others]
    temperature = rows.pop(0) if has_temperature else None
    return temperature, rows[0] if rows else None


def _match(values: xr.DataArray, temperature: xr.DataArray, time: Hashable) -> xr.DataArray:
    """Soil temperature in degC on the labels of the record."""
    aligned = alignment.align_to(values, temperature, what="soil_temperature")
    checks.require_one_chunk(aligned, time, "the whole record of soil_temperature is needed")
    if time not in aligned.dims:
        raise ValueError(f"soil_temperature has no dimension {time!r}; it needs the steps of the record")
    aligned = limits.check(aligned, quantity="soil or surface temperature", name="soil_temperature")
    return units.convert(aligned.reset_coords(drop=True), "degC")


FREEZING = 0.0  # degC
CONDITIONS, MISSING_CLASS = (2, 4), -1  # among the classes, see CLASSES of flash_droughts.py


class Scan(NamedTuple):
    """What one pass over a block of series gives."""

    events: np.ndarray  # structured, in order of row and time
    n_valid: np.ndarray  # (rows,) steps with a value
    has_gaps: np.ndarray  # (rows,) whether any day has none
    classes: np.ndarray  # (rows, days) int8, or without rows when not asked for


_ROWS_AT_ONCE = 512  # series whose classes are looked at while they are in the cache


def _pieces(n_rows: int) -> list[slice]:
    """Slices of some rows at a time, one at least."""
    return [slice(first, first + _ROWS_AT_ONCE) for first in range(0, max(n_rows, 1), _ROWS_AT_ONCE)]


@dataclass(frozen=True, eq=False)
class Detector:
    """Everything a block of series needs to become events or classes."""

    definition: Definition
    days: np.ndarray  # (steps,) day number of each step
    step_days: float
    blocks: calendars.Blocks | None  # the days that make each step, when daily values are averaged
    ranking: Ranking | None  # None: the values are percentiles already
    mask_frozen: bool

    def __dask_tokenize__(self) -> tuple:
        blocks = None if self.blocks is None else tuple(self.blocks)
        return ("xdrought.Detector", self.definition, self.days, self.step_days, blocks, self.ranking, self.mask_frozen)

    @property
    def first_days(self) -> np.ndarray:
        """Index on the input's time axis at which each step begins."""
        return np.arange(self.days.size) if self.blocks is None else self.blocks.first

    @property
    def days_in_step(self) -> np.ndarray:
        """Number of input steps that each step holds."""
        return np.ones(self.days.size, np.int64) if self.blocks is None else self.blocks.length

    @property
    def step_lengths(self) -> np.ndarray:
        """Length of each step in days."""
        if self.blocks is not None:
            return self.blocks.length
        return np.append(np.diff(self.days), self.step_days)

    @property
    def longest_gap(self) -> int:
        """Steps of the input in the longest gap that is bridged."""
        return int(self.definition.max_gap // (self.step_days if self.blocks is None else 1.0))

    def events(self, rows: np.ndarray, reference: np.ndarray | None, temperature: np.ndarray | None) -> np.ndarray:
        """Events (structured, indices in steps) of a block (rows, days)."""
        return self._scan(rows, reference, temperature).events

    def classes(self, rows: np.ndarray, reference: np.ndarray | None, temperature: np.ndarray | None) -> np.ndarray:
        """Daily classes (rows, days) int8 of a block; bridged days are missing."""
        return self._scan(rows, reference, temperature, with_classes=True).classes

    def filled_classes(
        self, rows: np.ndarray, reference: np.ndarray | None, temperature: np.ndarray | None
    ) -> np.ndarray:
        """The same; bridged days have the class of their line."""
        return self._scan(rows, reference, temperature, with_classes=True, fill_gaps=True).classes

    def summary(
        self, rows: np.ndarray, reference: np.ndarray | None, temperature: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """Per row: events, flash events, their share, mean duration, mean rate, share of days in drought."""
        parts = [
            self._maps(
                self._scan(
                    rows[some],
                    None if reference is None else reference[some],
                    None if temperature is None else temperature[some],
                    with_classes=True,
                )
            )
            for some in _pieces(rows.shape[0])
        ]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def everything(
        self, rows: np.ndarray, reference: np.ndarray | None, temperature: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Events, daily classes and summary of a block from one scan."""
        scan = self._scan(rows, reference, temperature, with_classes=True)
        return scan.events, scan.classes, self._maps(scan)

    def _as_daily(self, labels: np.ndarray, rows: np.ndarray, has_gaps: np.ndarray, fill_gaps: bool) -> np.ndarray:
        """Classes of days from those of steps; bridged days are missing unless they are to be filled."""
        if not labels.shape[0]:
            return labels
        classes = labels if self.blocks is None else np.repeat(labels, self.blocks.length, axis=1)
        if self.longest_gap and not fill_gaps:
            for row in np.flatnonzero(has_gaps):
                np.putmask(classes[row], ~np.isfinite(rows[row]), MISSING_CLASS)
        return classes

    def _with_gap_days(self, events: np.ndarray, rows: np.ndarray, has_gaps: np.ndarray) -> np.ndarray:
        """Events with the number of their days, from the onset point to the end, that have no value of their own."""
        from xdrought.kernels.gaps import count_missing

        if not (self.longest_gap and has_gaps.any()):
            return events
        where = np.flatnonzero(has_gaps[events["row"]])
        chosen = events[where]
        stop = self.first_days[chosen["end"]] + self.days_in_step[chosen["end"]]
        missing = count_missing(rows, chosen["row"], self.first_days[chosen["onset"]], stop)
        events["gap_days"][where] = missing * (self.step_days if self.blocks is None else 1)
        return events

    def _maps(self, scan: Scan) -> tuple[np.ndarray, ...]:
        """The summary of a scan; rows without all their days take the share of days in drought from their classes."""
        events, n_rows = scan.events, scan.n_valid.size
        count = np.bincount(events["row"], minlength=n_rows)
        flash = np.bincount(events["row"], weights=events["is_flash"], minlength=n_rows)
        steps = np.bincount(events["row"], weights=events["end"] - events["start"] + 1.0, minlength=n_rows)
        days = np.bincount(events["row"], weights=self.durations(events), minlength=n_rows)
        rate = np.bincount(events["row"], weights=events["rate"], minlength=n_rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            fraction = steps / scan.n_valid
            if scan.has_gaps.any():
                fraction[scan.has_gaps] = self._drought_fraction(scan.classes[scan.has_gaps])
            years = scan.n_valid * float(np.mean(self.step_lengths)) / calendars.DAYS_IN_YEAR
            maps = (count, flash, flash / years, flash / count, days / count, rate / count, fraction)
        return tuple(np.where(scan.n_valid > 0, values, np.nan) for values in maps)

    def _drought_fraction(self, classes: np.ndarray) -> np.ndarray:
        """Share of the steps with a class that lie in a drought condition, of each row."""
        if self.blocks is not None:  # a step counts when one of its days was seen
            classes = np.maximum.reduceat(classes, self.blocks.first, axis=1)
        in_drought = np.logical_or.reduce([classes == condition for condition in CONDITIONS])
        return np.count_nonzero(in_drought, axis=1) / np.count_nonzero(classes != MISSING_CLASS, axis=1)

    def durations(self, events: np.ndarray) -> np.ndarray:
        """Days from the first day of the start step to the last day of the end step."""
        return self.days[events["end"]] + self.step_lengths[events["end"]] - self.days[events["start"]]

    def _scan(
        self,
        rows: np.ndarray,
        reference: np.ndarray | None,
        temperature: np.ndarray | None,
        *,
        with_classes: bool = False,
        fill_gaps: bool = False,
    ) -> Scan:
        """Scan a block for the events of the definition, with the class of every day if asked."""
        from xdrought.kernels import events, osman2021, yuan2023
        from xdrought.kernels.gaps import bridge_gaps

        labels = np.empty((rows.shape[0], self.days.size) if with_classes else (0, 0), np.int8)
        rules = self._rules()
        rule = self.definition.rule
        is_masked = self.mask_frozen and temperature is not None
        direct = rule == "threshold" and (self.ranking is None or self.ranking.pools is None)
        if direct and self.blocks is None and not is_masked:  # the scan bridges on its way
            rules = rules._replace(max_gap=self.longest_gap)
            found, n_valid = events.detect_events(
                rows, self.days, rules, self.ranking is not None, labels, fill_gaps=fill_gaps
            )
            found["gap_days"] *= int(self.step_days)
            return Scan(found, n_valid, n_valid < rows.shape[1], labels)
        seen, has_gaps = rows, ~np.isfinite(rows).all(axis=1)
        if self.longest_gap and has_gaps.any():
            rows = bridge_gaps(rows, self.longest_gap)
        if is_masked and temperature is not None:
            frozen = temperature < FREEZING
            has_gaps |= frozen.any(axis=1)
            rows = np.where(frozen, rows.dtype.type(np.nan), rows)
        if self.blocks is not None:
            rows = block_means(rows, self.blocks)
        percentiles = rows if direct or self.ranking is None else rank_rows(rows, reference, self.ranking)
        d = self.definition
        if rule == "threshold":
            ranked = direct and self.ranking is not None
            found, n_valid = events.detect_events(percentiles, self.days, rules, ranked, labels)
        elif rule == "steady_fall":
            found, n_valid = yuan2023.detect_yuan2023(percentiles.astype(np.float64), self.step_days, rules, labels)
        else:
            found, n_valid = osman2021.detect_osman2021(rows, percentiles, d.short_mean, d.long_mean, rules, labels)
        classes = self._as_daily(labels, seen, has_gaps, fill_gaps)
        return Scan(self._with_gap_days(found, seen, has_gaps), n_valid, has_gaps, classes)

    def _rules(self):
        from xdrought.kernels.events import Rules
        from xdrought.kernels.ranks import PLOTTING_POSITIONS
        from xdrought.kernels.spells import END_AT, RELAPSE

        d = self.definition
        a, b = PLOTTING_POSITIONS[d.percentile_method]

        def steps(days: float) -> int:
            return max(1, math.ceil(days / self.step_days))

        return Rules(
            upper=float(d.upper),
            lower=float(d.lower),
            wet_at_upper=d.wet_at_upper,
            dry_at_lower=d.dry_at_lower,
            recovers_at_lower=d.recovers_at_lower,
            min_rate=float(d.min_rate),
            recovery=steps(d.recovery),
            min_duration=steps(d.min_duration),
            count_onset=d.count_onset,
            min_wet_run=steps(d.min_wet_run),
            max_onset=2**31 - 1 if d.max_onset is None else steps(d.max_onset),
            relapse=RELAPSE[d.relapse],
            a=a,
            b=b,
            end_at=END_AT[d.end_at],
        )


def make_detector(
    values: xr.DataArray,
    definition: Definition,
    *,
    is_percentile: bool,
    reference: xr.DataArray | slice | None,
    mask_frozen: bool,
    time: Hashable,
) -> tuple[Detector, xr.DataArray | None]:
    """Bind a definition to the time axis of `values`, with the series it ranks against if that is another one."""
    step_days = checks.require_regular_steps(values, time)
    if step_days > 5 or 1 < step_days < 5:
        raise ValueError(
            f"{time!r} has steps of {checks.step_text(step_days)}; expected daily or 5-day (pentad) values, because an "
            f"onset may take no longer: give daily values, or draw lines between yours, which adds days but no "
            f'information, da.resample({time}="1D").interpolate("linear")'
        )
    if step_days not in (1.0, 5.0):
        raise ValueError(
            f"{time!r} has steps of {checks.step_text(step_days)}; expected daily or 5-day (pentad) values: "
            f'average them first, e.g. .resample({time}="1D").mean()'
        )
    if definition.rule == "volatility" and (step_days != 1.0 or is_percentile):
        raise ValueError(f"definition {definition.name!r} needs daily soil moisture, not percentiles or pentads")
    stepped, blocks = values, None
    if definition.step == "pentad" and step_days == 1.0 and not is_percentile:
        blocks = calendars.pentad_blocks(values.indexes[time])
        stepped, step_days = pentad_means(values, blocks, time), 5.0
        reference = _as_pentads(reference, time)
    ranking, pool = None, None
    if not is_percentile:
        ranking, pool = make_ranking(
            stepped, definition.percentile_method, definition.pool, definition.window, reference, time
        )
        if pool is not None and reference is None:  # ranked against itself: the block brings its own pool
            pool = None
    days = checks.days_since_start(stepped, time)
    return Detector(definition, days, step_days, blocks, ranking, mask_frozen), pool


def block_means(rows: np.ndarray, blocks: calendars.Blocks) -> np.ndarray:
    """Mean over the days of each step; missing when a day is missing or the record's end cuts the step."""
    total = np.add.reduceat(rows, blocks.first, axis=-1, dtype=np.float64)
    return np.where(blocks.complete, total / blocks.length, np.nan)


def pentad_means(da: xr.DataArray, blocks: calendars.Blocks, time: Hashable) -> xr.DataArray:
    """Daily values averaged to calendar pentads, labelled by their first day; lazy for dask."""
    means = xr.apply_ufunc(
        block_means,
        da,
        kwargs={"blocks": blocks},
        input_core_dims=[[time]],
        output_core_dims=[["_pentad"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"_pentad": blocks.first.size}},
    )
    starts = da.indexes[time][blocks.first]
    return means.rename({"_pentad": time}).assign_coords({time: starts}).assign_attrs(da.attrs)


def _as_pentads(reference: xr.DataArray | slice | None, time: Hashable) -> xr.DataArray | slice | None:
    """A daily reference series averaged to pentads as the record is, without those cut by its ends."""
    if not isinstance(reference, xr.DataArray) or reference.sizes[time] < 2:
        return reference
    if checks.require_regular_steps(reference, time) != 1.0:
        return reference
    checks.require_one_chunk(reference, time, "the whole reference is needed")
    blocks = calendars.pentad_blocks(reference.indexes[time])
    return pentad_means(reference, blocks, time).isel({time: np.flatnonzero(blocks.complete)})
