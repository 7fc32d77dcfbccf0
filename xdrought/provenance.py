"""What made a result: every public function writes the same few attributes, and coordinates keep what files said.

A result says by which conventions to read it, which call of which version made it and what went in. The same call on
the same data gives the same bytes: there is no clock and nothing random in it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import xarray as xr

from xdrought import files, shown
from xdrought.shown import ShownAsCall
from xdrought.version import __version__

CONVENTIONS = "CF-1.11"
ATTRIBUTES = ("Conventions", "title", "history", "xdrought_version", "input_digests")
# What coordinates of these names are, where nothing says it.
_KNOWN: dict[Hashable, dict[str, str]] = {
    "time": {"standard_name": "time"},
    **dict.fromkeys(("lat", "latitude"), {"standard_name": "latitude", "units": "degrees_north"}),
    **dict.fromkeys(("lon", "longitude"), {"standard_name": "longitude", "units": "degrees_east"}),
    "spatial_ref": {"long_name": "coordinate reference system"},
}
_LARGE = 2**20  # bytes, above which a digest would be felt
_LONGEST = 200  # characters of one setting in the history
_recording: ContextVar[bool] = ContextVar("recording", default=False)
_P = ParamSpec("_P")
_T = TypeVar("_T")
Labelled = xr.DataArray | xr.Dataset


def recorded(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function of labelled arrays: its result says what made it.

    The result gets `Conventions`, `title`, `history`, `xdrought_version` and `input_digests`. Its coordinates get back
    the attributes that those of the same name had in the data, and its maps the data's grid mapping, so that other
    packages still know which axis is which and on which projection. A function of ours that calls another one makes
    one line of history, not two. Nothing is computed: data that are not in memory are called "lazy".
    """
    signature = inspect.signature(function)
    title = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")

    @functools.wraps(function)
    def made(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        if _recording.get():
            return function(*args, **kwargs)
        token = _recording.set(True)
        try:
            result = function(*args, **kwargs)
        finally:
            _recording.reset(token)
        if not isinstance(result, xr.DataArray | xr.Dataset):
            return result
        given = _flattened(signature.bind(*args, **kwargs))
        return Record.create(function.__qualname__, given).on(result, title)

    return made


def _flattened(bound: inspect.BoundArguments) -> dict[str, Any]:
    """The arguments by name, those of ``**options`` among them."""
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if name != "self":
            given.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    return given


@dataclasses.dataclass(frozen=True)
class Record:
    """What the results of one call say of it."""

    sources: list[Labelled]  # the data, of which the first has the first word on coordinates
    attributes: dict[str, str]

    @classmethod
    def create(cls, call: str, given: Mapping[str, Any]) -> Record:
        """The record of `call` with the arguments `given`, data and settings alike."""
        data = {name: value for name, value in given.items() if isinstance(value, xr.DataArray | xr.Dataset)}
        said = ", ".join(f"{name}={_in_words(value)}" for name, value in given.items())
        line = f"{_day_given()}xdrought {__version__}: {call}({said})"
        before = [str(source.attrs["history"]) for source in data.values() if source.attrs.get("history")]
        digests = "; ".join(f"{name} {digest_in_memory(value)}" for name, value in data.items())
        attributes = {"history": "\n".join([*before[:1], line]), "xdrought_version": __version__}
        return cls(list(data.values()), attributes | ({"input_digests": digests} if digests else {}))

    def on(self, result: _T, title: str) -> _T:
        """A result with this record."""
        out = cast(Any, result).copy(deep=False)
        for source in self.sources:
            _give_back_attributes(out, source)
        _describe_coordinates(out)
        return out.assign_attrs({"Conventions": CONVENTIONS, "title": title, **self.attributes})


def cf_dataset(result: Labelled) -> xr.Dataset:
    """A result as a Dataset whose file follows the CF conventions.

    Parameters
    ----------
    result : xarray.DataArray or xarray.Dataset
        What a function of this package gave.

    Returns
    -------
    xarray.Dataset
        The record of an array becomes global, where the conventions want it. A table of events with latitudes and
        longitudes becomes a ``featureType`` "point" in place and time: its starts are a coordinate.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import cf_dataset, soil_moisture_percentile
    >>> days = pd.date_range("2001-01-01", periods=30)
    >>> sm = xr.DataArray(np.linspace(0.3, 0.1, 30), {"time": days}, name="swvl1", attrs={"units": "m3 m-3"})
    >>> cf_dataset(soil_moisture_percentile(sm)).attrs["Conventions"]
    'CF-1.11'
    """
    if isinstance(result, xr.DataArray):
        bare = without_record(result)
        bare = bare.rename("values") if bare.name is None else bare
        return bare.to_dataset().assign_attrs({k: v for k, v in result.attrs.items() if k in ATTRIBUTES})
    if "event" not in result.dims or not {"lat", "lon"} <= set(result.coords) or "start_time" not in result:
        return result
    out = result.set_coords("start_time").assign_attrs(featureType="point")
    out["start_time"].attrs["standard_name"] = "time"
    return out


def without_packing(ds: xr.Dataset) -> xr.Dataset:
    """A Dataset without the encodings of the file that it came from, but with the grid mapping that they name."""
    bare = ds.drop_encoding()
    for name, variable in ds.variables.items():
        mapping = variable.encoding.get("grid_mapping")
        if isinstance(mapping, str) and mapping in ds.variables:
            bare.variables[name].encoding["grid_mapping"] = mapping
    return bare


def without_record(result: _T) -> _T:
    """A result without the attributes that :func:`recorded` gives it, to compare what was computed in two ways."""
    out = cast(Any, result).copy(deep=False)
    for labelled in (out, *(_variables(out) if isinstance(out, xr.Dataset) else ())):
        labelled.attrs = {name: value for name, value in labelled.attrs.items() if name not in ATTRIBUTES}
    return out


def digest_in_memory(data: Labelled) -> str:
    """A digest of names, units, labels and values, or "lazy" where any of them is not in memory."""
    ds = data.to_dataset(name="_values") if isinstance(data, xr.DataArray) else data
    if not all(_in_memory(variable) for variable in ds.variables.values()):
        return "lazy"
    return files.digest(_pieces(ds))


def _in_memory(variable: xr.Variable) -> bool:
    """Whether the values are there already; those of a file that was opened and not loaded are not."""
    return isinstance(variable._data, np.ndarray) or isinstance(variable, xr.IndexVariable)


def _pieces(ds: xr.Dataset) -> Iterator[str | np.ndarray]:
    for name in sorted(ds.variables, key=str):
        variable = ds.variables[name]
        yield f"{name} {variable.dims} {variable.attrs.get('units')}"
        yield _condensed(variable.values)


def _condensed(values: np.ndarray) -> np.ndarray:
    """Large arrays as the sums of their bits by row and by column of a square, some times faster than a digest.

    Any one changed value changes both, and an exchange of two changes one of them.
    """
    if values.nbytes < _LARGE or values.dtype.kind not in "fiumMb":
        return values
    bits = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    side = int((bits.size // 8) ** 0.5)
    square = bits[: side * side * 8].view(np.uint64).reshape(side, side)
    parts = [square.sum(axis=0), square.sum(axis=1), bits[side * side * 8 :]]
    shape = np.array([*values.shape, values.dtype.num], np.uint64)
    return np.concatenate([part.view(np.uint8) for part in (*parts, shape)])


def _day_given() -> str:
    """The day that the environment names for reproducible results (``SOURCE_DATE_EPOCH``), else nothing."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d ", time.gmtime(int(seconds))) if seconds.isdecimal() else ""


def _in_words(value: Any) -> str:
    """An argument as the history says it; never with an address in memory, which is another one each time."""
    if isinstance(value, xr.DataArray):
        return f"<{value.name}>" if value.name is not None else "<array>"
    if value is None or isinstance(value, str | int | float | bool | slice | np.generic):
        text = repr(value)
    elif isinstance(value, ShownAsCall):
        text = shown.in_one_line(value)
    elif dataclasses.is_dataclass(value):
        text = repr(value)
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key!r}: {_in_words(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(map(_in_words, value)) + "]"
    else:
        text = f"<{type(value).__name__}>"
    is_a_line = len(text) <= _LONGEST and " at 0x" not in text and "\n" not in text
    return text if is_a_line else f"<{type(value).__name__}>"


def _give_back_attributes(out: Labelled, source: Labelled) -> None:
    """Attributes of coordinates by their names, and the grid mapping of every variable on the source's map."""
    for name, coord in source.coords.items():
        if name in out.coords and coord.attrs and not out.coords[name].attrs:
            out.coords[name].attrs = dict(coord.attrs)
    mapping = _grid_mapping(source)
    if mapping is None or mapping not in out.coords or out.coords[mapping].dims:
        return
    mapped = {dim for one in _variables(source) if _mapping_of(one) == mapping for dim in one.dims}
    for variable in _variables(out):
        if len(mapped & set(variable.dims)) > 1 and _mapping_of(variable) is None:
            variable.encoding["grid_mapping"] = mapping


def _describe_coordinates(out: Labelled) -> None:
    """Say what coordinates are where nothing says it, by their names, and that none has missing values to be filled."""
    for name, coord in out.coords.items():
        if not {"standard_name", "long_name"} & set(coord.attrs):
            coord.attrs = _KNOWN.get(name, {"long_name": str(name).replace("_", " ")}) | coord.attrs
        if coord.dtype.kind == "f":
            coord.encoding.setdefault("_FillValue", None)


def _grid_mapping(source: Labelled) -> str | None:
    return next((found for variable in _variables(source) if (found := _mapping_of(variable)) is not None), None)


def _mapping_of(variable: xr.DataArray) -> str | None:
    found = variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping"))
    return found if isinstance(found, str) else None


def _variables(data: Labelled) -> Iterable[xr.DataArray]:
    return [data] if isinstance(data, xr.DataArray) else data.data_vars.values()
