"""The labelled inputs of the event functions: checked once, then handed to blocks of series."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xdrought import checks, units
from xdrought.definitions import Definition
from xdrought.events.detection import Detector, make_detector
from xdrought.percentiles import REFERENCE_TIME, Reference, as_rows, prepare, rows_like

FROZEN = ("flag", "mask", "ignore")
# What a result calls its own dimensions and variables.
_OWN_NAMES = {"event", "definition", "onset_time", "start_time", "end_time", "duration", "severity"}


@dataclass(frozen=True, eq=False)
class Inputs:
    """What one call of an event function works on."""

    values: xr.DataArray
    temperature: xr.DataArray | None  # degC, same time axis
    reference: Reference
    is_percentile: bool
    frozen: str
    time: Hashable
    caller: str

    @classmethod
    def create(
        cls,
        soil_moisture: xr.DataArray,
        reference: Reference,
        soil_temperature: xr.DataArray | None,
        is_percentile: bool,
        frozen: str,
        time: Hashable,
        caller: str,
    ) -> Inputs:
        """Check what the labels tell; values are not looked at."""
        if frozen not in FROZEN:
            raise ValueError(f"{caller}: frozen={frozen!r} is unknown; choose one of {FROZEN}")
        if frozen == "mask" and soil_temperature is None:
            raise ValueError(f'{caller}: frozen="mask" needs soil_temperature=')
        values = prepare(soil_moisture, time, caller)
        taken = [d for d in values.dims if d in _OWN_NAMES]
        if taken:
            raise ValueError(
                f"{caller}: {values.name!r} has a dimension {taken[0]!r}, a name that the result uses itself; "
                f"use .rename({{{taken[0]!r}: ...}})"
            )
        unit = values.attrs.get("units", "percent")
        if is_percentile and unit not in ("percent", "%"):
            raise ValueError(
                f"{caller}: is_percentile=True, but {values.name!r} has units {unit!r}; expected percent (0 to 100)"
            )
        if is_percentile and reference is not None:
            raise ValueError(
                f"{caller}: is_percentile=True leaves nothing to rank; drop reference=, or give soil moisture"
            )
        temperature = None if soil_temperature is None else _match(values, soil_temperature, time, caller)
        return cls(values, temperature, reference, is_percentile, frozen, time, caller)

    def bind(self, definition: Definition) -> tuple[Detector, list[xr.DataArray], list[list[Hashable]]]:
        """The detector of a definition, the arrays that its blocks take and their core dimensions."""
        detector, pool = make_detector(
            self.values,
            definition,
            is_percentile=self.is_percentile,
            reference=self.reference,
            mask_frozen=self.frozen == "mask",
            time=self.time,
            caller=self.caller,
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


def run_block(values: np.ndarray, *others: np.ndarray, move: str, detector: Detector, has_temperature: bool) -> Any:
    """One move of a detector (``classes`` or ``summary``) on a block (..., time)."""
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


def _match(values: xr.DataArray, temperature: xr.DataArray, time: Hashable, caller: str) -> xr.DataArray:
    """Soil temperature in degC on exactly the steps of the record."""
    celsius = units.convert(temperature, "degC", caller=caller)
    if time not in celsius.dims or not values.indexes[time].equals(celsius.indexes[time]):
        raise ValueError(
            f"{caller}: soil_temperature has other steps than {values.name!r} along {time!r}; "
            f"use xarray.align or .reindex_like first"
        )
    checks.require_one_chunk(celsius, time, f"{caller} (soil_temperature)", "the whole record is needed")
    extra = set(celsius.dims) - set(values.dims)
    if extra:
        raise ValueError(f"{caller}: soil_temperature has dimensions {sorted(map(str, extra))} that the record lacks")
    return celsius
