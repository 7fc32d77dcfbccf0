"""What every public function does for its caller before and after its own work."""

from __future__ import annotations

import functools
import inspect
import numbers
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, NoReturn, ParamSpec, TypeVar

import numpy as np
import xarray as xr

from xdrought import checks, suggestions

# A caller's np.seterr(all="raise") would stop at each 0/0 that is meant to be NaN.
_NUMPY_DEFAULTS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_PACKED = {"scale_factor", "add_offset"}
_PACKING = _PACKED | {"dtype", "_FillValue", "missing_value"}
# What labelled data and what is made of them are called in signatures, beside what may stand for it.
_DATA = {"xr.DataArray", "xr.Dataset", "Forecaster", "OnsetModel", "DroughtMonitor", "AlarmThreshold"}
_OR = {"None", "float", "str", "pd.DataFrame", "Patches"}
_SEVERAL = re.compile(r"(?:Mapping\[str, |Sequence\[)(.*)\]")
_LOADED = {"Forecaster": "load_forecaster", "OnsetModel": "load_onset", "DroughtMonitor": "load_monitor"}
_P = ParamSpec("_P")
_T = TypeVar("_T")


def public(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a public function: its errors carry its name as a note, and settings of numpy change nothing.

    A `seed` is checked here for all of them, what is no array or Dataset where one belongs, dask arrays of unknown
    length and labels that stand twice are refused, and a warning is given of data in memory that hold no value at all.
    """

    @functools.wraps(function)
    def named(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        is_first = checks.told_of_no_values.get() is None
        token = checks.told_of_no_values.set(False) if is_first else None
        try:
            if is_first:
                _require_kinds(function, args, kwargs)
                given = list(_one_by_one([*args, *kwargs.values()]))
                checks.require_known_sizes(given)
                checks.require_unique_labels(given)
                _require_one_clock(given)
                _require_dates_of_events(given)
                _look_for_values(given)
            if "seed" in kwargs:
                checks.require_integer(kwargs["seed"], "seed", 0)
            with np.errstate(**_NUMPY_DEFAULTS):
                return _without_packing(function(*args, **kwargs))
        except Exception as error:
            if (text := _about_keywords(function, error)) is not None:
                error.args = (text,)
            note = f"in {_public_name(function)}"
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
            raise
        finally:
            if token is not None:
                checks.told_of_no_values.reset(token)

    return named


def _require_kinds(function: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse what is no DataArray, no Dataset or no forecaster where the signature asks for one."""
    kinds = _kinds_of(function)
    given = dict(zip(kinds, args, strict=False)) | kwargs
    for name, value in given.items():
        wanted = kinds.get(name, ())
        if wanted and not _is_one_of(value, wanted):
            _refuse_kind(name, value, wanted, _order(function, name, given))
        if wanted and _holds_several(value):
            inside = tuple(found[1] for kind in wanted if (found := _SEVERAL.fullmatch(kind)) is not None)
            for label, each in value.items() if isinstance(value, Mapping) else enumerate(value):
                if not _is_one_of(each, inside):
                    _refuse_kind(f"{name}[{label!r}]", each, inside)


def _holds_several(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple) and not isinstance(value, xr.Dataset)


def _refuse_kind(name: str, value: object, wanted: tuple[str, ...], order: str = "") -> NoReturn:
    cure = order or _made_into(value, wanted, name)
    shown = [_SEVERAL.sub(r"several of \1", kind).replace("xr.", "").replace("pd.", "") for kind in wanted]
    names = " or ".join("number" if kind == "float" else kind for kind in shown if kind != "None")
    article = "an" if names.startswith(("A", "O")) else "a"
    raise TypeError(f"{name} must be {article} {names}, got {type(value).__name__}{'; ' if cure else ''}{cure}")


@functools.cache
def _kinds_of(function: Callable) -> dict[str, tuple[str, ...]]:
    """The parameters in their order, and for those that take labelled data what they may be."""
    result, names = {}, inspect.unwrap(function).__globals__
    for name, parameter in inspect.signature(function).parameters.items():
        variable = names.get(str(parameter.annotation))
        kinds = tuple(str(parameter.annotation).split(" | "))
        if isinstance(variable, TypeVar):
            kinds = tuple(f"xr.{kind.__name__}" for kind in variable.__constraints__)
        single = {_SEVERAL.sub(r"\1", kind) for kind in kinds}
        result[name] = kinds if _DATA & single and single <= _DATA | _OR else ()
    return result


def _is_one_of(value: object, kinds: tuple[str, ...]) -> bool:
    if value is None or isinstance(value, numbers.Real):
        return ("None" if value is None else "float") in kinds
    if _holds_several(value):
        return any(kind.startswith("Mapping" if isinstance(value, Mapping) else "Sequence") for kind in kinds)
    if isinstance(value, xr.DataArray | xr.Dataset):
        return f"xr.{'Dataset' if isinstance(value, xr.Dataset) else 'DataArray'}" in kinds
    names = {kind.__name__ for kind in type(value).__mro__}  # rooms of networks are not imported to be compared with
    return any(kind.rpartition(".")[2] in names for kind in kinds if not kind.startswith("xr."))


def _order(function: Callable, name: str, given: dict[str, Any]) -> str:
    """The order of the arguments, where two of them stand in each other's place."""
    kinds = _kinds_of(function)
    order = [other for other in kinds if other in given]
    for other in order:
        if kinds[other] and _is_one_of(given[name], kinds[other]) and _is_one_of(given[other], kinds[name]):
            return f"the order is {function.__name__}({', '.join(order)})"
    return ""


def _made_into(value: object, wanted: tuple[str, ...], name: str) -> str:
    """The call that makes of a value what is wanted, where there is one."""
    if isinstance(value, str | PathLike):
        loads = [f"load it, xdrought.{_LOADED[kind]}({str(value)!r})" for kind in wanted if kind in _LOADED]
        if loads:
            return loads[0]
        if not {"xr.DataArray", "xr.Dataset"} & set(wanted):
            return ""
        if "xr.Dataset" in wanted or isinstance(value, PathLike):
            return f"open the file first, xarray.open_dataset({str(value)!r})"
        return f"pick the variable of this name, ds[{value!r}]"
    if "xr.DataArray" in wanted:
        return checks.an_array_of(value)
    if "xr.Dataset" not in wanted:
        return ""
    if isinstance(value, xr.DataArray):
        return f"make it one, {name}.to_dataset({'' if value.name else 'name=' + repr('soil_moisture')})"
    if hasattr(value, "to_xarray"):
        return f"make it one, {name}.to_xarray()"
    if isinstance(value, list | tuple) and all(isinstance(each, xr.DataArray | xr.Dataset) for each in value):
        return f"make it one, xarray.merge({name})"
    if isinstance(value, list | tuple) or hasattr(value, "__array__"):
        return "give it labels, xarray.Dataset({'soil_moisture': (dims, values)}, coords=...)"
    return ""


def _require_one_clock(given: Iterable[xr.DataArray | xr.Dataset]) -> None:
    """Dates with a zone are refused: with summer time their days have 23 to 25 hours, and others have none."""
    for item in given:
        for dim in item.dims:
            zone = getattr(item.indexes.get(dim), "tz", None)
            if zone is not None:
                what = "ds" if isinstance(item, xr.Dataset) else "da"
                raise ValueError(
                    f"the dates along {str(dim)!r} have the zone {zone}; days are those of one clock, so keep what it "
                    f"shows, {what} = {what}.assign_coords({dim}={what}.indexes[{str(dim)!r}].tz_localize(None))"
                )


def _require_dates_of_events(given: Iterable[xr.DataArray | xr.Dataset]) -> None:
    """A table of events whose dates are texts, as a csv file leaves them, is refused."""
    for item in given:
        if not isinstance(item, xr.Dataset) or "event" not in item.dims:
            continue
        for name in ("onset_time", "start_time", "end_time"):
            column = item.variables.get(name)
            if column is None or column.dtype.kind not in "OUT" or column.chunks is not None or not column.size:
                continue
            first = column.values.flat[0]
            if isinstance(first, str):
                raise ValueError(
                    f"{name!r} of the events holds texts ({first!r}); make dates of them, "
                    f"events = events.assign({name}=('event', pandas.to_datetime(events[{name!r}].values)))"
                )


def _look_for_values(given: Iterable[xr.DataArray | xr.Dataset]) -> None:
    """Warn of an array, or a Dataset, among the arguments of a call that is all NaN; lazy ones are not looked at."""
    for item in given:
        arrays = checks.arrays_of(item)
        floats = [da for da in arrays if da.dtype.kind == "f" and da.size]
        # what a file or dask holds stays there
        if floats and all(
            isinstance(da.variable._data, np.ndarray) and not checks.has_value(da.to_numpy()) for da in floats
        ):
            checks.warn_without_values(", ".join(repr(str(da.name)) for da in floats[:3] if da.name is not None))


def _one_by_one(given: Iterable[Any]) -> Iterator[xr.DataArray | xr.Dataset]:
    """The arrays and Datasets among arguments, and in their lists and dicts."""
    for item in given:
        if isinstance(item, xr.DataArray | xr.Dataset):
            yield item
        elif isinstance(item, list | tuple | dict):
            inside = item.values() if isinstance(item, Mapping) else item
            yield from (each for each in inside if isinstance(each, xr.DataArray | xr.Dataset))


def _about_keywords(function: Callable, error: Exception) -> str | None:
    """What to say instead when Python refused a keyword of the call itself; None of any other error."""
    found = re.fullmatch(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'.*", str(error))
    if not isinstance(error, TypeError) or found is None or found[1] != function.__name__:
        return None
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in kinds]
    return suggestions.unexpected_keyword(function, found[2], known)


def _without_packing(result: Any) -> Any:
    """Results without the packing of the files that their numbers came from, which would ruin the next file."""
    if isinstance(result, xr.DataArray | xr.Dataset):
        if not any(_PACKED & set(variable.encoding) for variable in _variables_of(result)):
            return result
        result = result.copy(deep=False)
        for variable in _variables_of(result):
            if _PACKED & set(variable.encoding):
                variable.encoding = {name: value for name, value in variable.encoding.items() if name not in _PACKING}
    if type(result) is tuple:
        return tuple(map(_without_packing, result))
    if isinstance(result, tuple) and hasattr(result, "_fields"):  # a named tuple
        return type(result)(*map(_without_packing, result))
    if type(result) is dict:
        return {name: _without_packing(value) for name, value in result.items()}
    return result


def _variables_of(result: xr.DataArray | xr.Dataset) -> list[xr.Variable]:
    coords = [coord.variable for coord in result.coords.values()]
    if isinstance(result, xr.DataArray):
        return [result.variable, *coords]
    return [*(da.variable for da in result.data_vars.values()), *coords]


def _public_name(function: Callable) -> str:
    """The shortest path under which users find a function, e.g. ``xdrought.ccm`` or ``xdrought.study.compare``."""
    name = function.__qualname__
    room = function.__module__.split(".")[1]
    top_level = hasattr(sys.modules.get("xdrought"), name.split(".")[0])
    return f"xdrought.{name}" if top_level else f"xdrought.{room}.{name}"
