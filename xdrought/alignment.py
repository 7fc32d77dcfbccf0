"""A second array on the labels of a first one: by label, or refused by name; never by position.

Observations, masks, references, soil temperature and weather come with their own order of sites, latitudes and
days. `align_to` puts one of them on the labels of another array, whatever the order of its dimensions and labels,
and refuses what labels cannot settle, with the call that does.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.checks import some

_Labelled = TypeVar("_Labelled", xr.DataArray, xr.Dataset)
GREGORIAN = {"standard", "gregorian", "proleptic_gregorian"}


def align_to(
    first: xr.DataArray | xr.Dataset,
    second: object,
    *,
    what: str,
    exact: bool = False,
    extra_dims: bool = False,
    skip: tuple[Hashable, ...] = (),
) -> xr.DataArray:
    """`second` on the labels of `first`.

    Parameters
    ----------
    first : xarray.DataArray or xarray.Dataset
        Whose dimensions and labels count.
    second : xarray.DataArray
        Its dimensions in any order, its labels in any order. Without a dimension of `first` it serves all labels of
        that dimension; with one of length 1 it does not. Along a dimension without labels in both, lengths must
        agree.
    what : str
        What the refusals call it, the keyword that it came by.
    exact : bool
        Refuse labels of `second` that `first` lacks; by default these are left out.
    extra_dims : bool
        Accept dimensions that `first` lacks; they stay, after those of `first`.
    skip : tuple of hashable
        Dimensions that are left as they are, because their labels are meant to differ.

    Returns
    -------
    xarray.DataArray
        Dimensions in the order of `first`; lazy for dask.

    Raises
    ------
    TypeError
        When `second` is no DataArray.
    ValueError
        Labels of `first` that `second` lacks; numbers against text; calendars that differ; labels on one side only;
        dimensions that `first` lacks.

    Notes
    -----
    A label stands once along a dimension: public functions refuse others before anything is aligned.
    """
    second = checks.require_array(second, what)
    _refuse_foreign(first, second, what, extra_dims)
    aligned = second
    for dim in first.dims:
        if dim in second.dims and dim not in skip:
            aligned = _align_along(first, aligned, dim, what, exact)
    shared = [dim for dim in first.dims if dim in aligned.dims]
    return aligned.transpose(*shared, ...)


def in_order(da: xr.DataArray, dim: Hashable = "time") -> xr.DataArray:
    """An array sorted along `dim`; itself when it is in order or has no labels there."""
    index = da.indexes.get(dim)
    return da if index is None or index.is_monotonic_increasing else da.sortby(dim)


def in_label_order(labelled: _Labelled, dims: Iterable[Hashable]) -> _Labelled:
    """Sorted along those of `dims` that have labels of one kind, so that draws by position are draws by label."""
    for dim in dims:
        index = labelled.indexes.get(dim)
        if index is None or not index.is_unique or index.is_monotonic_increasing:
            continue
        try:
            labelled = labelled.sortby(dim)
        except TypeError:  # labels of several kinds have no order
            continue
    return labelled


def in_order_of(labelled: _Labelled, given: xr.DataArray | xr.Dataset, dims: Iterable[Hashable]) -> _Labelled:
    """Back in the order in which the labels of `dims` were given."""
    for dim in dims:
        index = labelled.indexes.get(dim)
        if index is not None and index.is_unique and dim in given.indexes and not index.equals(given.indexes[dim]):
            labelled = labelled.isel({dim: index.get_indexer(given.indexes[dim])})
    return labelled


def dataset_of(found: Mapping[Any, Any], coords: Mapping[Any, Any] | None = None) -> xr.Dataset:
    """A Dataset of results. The caller's coordinates that are called as one of them go on as ``series_NAME``.

    Raises
    ------
    ValueError
        For a dimension of such a name.
    """
    free = {
        name: free_names(da, found, tell=False) if isinstance(da, xr.DataArray) else da for name, da in found.items()
    }
    taken = {name for da in found.values() if isinstance(da, xr.DataArray) for name in da.coords if name in found}
    # a coordinate comes alone: with those that it carries itself it would replace a result
    bare = {name: getattr(value, "variable", value) for name, value in (coords or {}).items()}
    others = {f"series_{name}" if name in found else name: value for name, value in bare.items()}
    for name in sorted(map(str, taken | {name for name in coords or {} if name in found})):
        _tell_taken(name)
    return xr.Dataset(free, others)


def free_names(da: xr.DataArray, own: Container[Any], *, tell: bool = True) -> xr.DataArray:
    """The record without coordinates that a result would take for its own variables, which are renamed with a warning.

    Raises
    ------
    ValueError
        For a dimension of such a name.
    """
    if dims := [dim for dim in da.dims if dim in own]:
        raise ValueError(
            f"{da.name!r} has a dimension {dims[0]!r}, a name that the result uses itself; "
            f"use .rename({{{dims[0]!r}: ...}})"
        )
    taken = [name for name in da.coords if name in own]
    for name in taken if tell else ():
        _tell_taken(name)
    return da.rename({name: f"series_{name}" for name in taken})


def _tell_taken(name: Hashable) -> None:
    checks.warn(f"the coordinate {name!r} of the record is called 'series_{name}' in the result, which has its own")


def on_days_of(first: xr.DataArray, second: xr.DataArray, dim: Hashable, *, what: str) -> xr.DataArray:
    """`second` at the places of `first`, with days that can be compared with it, at least one of which both have."""
    second = with_dates_of(first, second, dim, what=what)
    second = align_to(first, second, what=what, skip=(dim,))
    require_common(first, second, dim, what=what)
    return second


def require_common(first: xr.DataArray, second: xr.DataArray, dim: Hashable, *, what: str) -> None:
    """Refuse two records that share no label along `dim`, days stamped at other hours among them."""
    ours, theirs = (one.indexes[dim] for one in (first, second))
    if len(ours) and len(theirs) and not ours.isin(theirs).any():
        raise ValueError(_tell_absent(ours, theirs, np.ones(len(ours), bool), dim, what))


def require_same_rows(table: xr.Dataset, values: xr.DataArray, dim: Hashable, *, what: str) -> None:
    """Refuse numbers of rows that are not those of a table, as far as labels and names that both have can tell."""
    shared = [name for name, one in values.coords.items() if name in table.variables and one.dims == (dim,)]
    ours = [(name, table[name].values, values[name].values) for name in shared if table[name].dims == (dim,)]
    if values.name in table.variables and table[values.name].dims == values.dims:
        ours.append((values.name, table[values.name].values, values.values))
    for name, one, other in ours:
        both_missing = pd.isna(one) & pd.isna(other)
        if not ((one == other) | both_missing).all():
            raise ValueError(
                f"{what} and the table are of other rows, or in another order: {name!r} differs; compute {what} from "
                f"the table as it is now"
            )


def with_dates_of(first: xr.DataArray, second: xr.DataArray, dim: Hashable, *, what: str) -> xr.DataArray:
    """`second` with dates of the same kind as `first`, numpy or cftime, so that days of both can be compared.

    Raises
    ------
    ValueError
        For calendars that differ in more than their name.
    """
    ours, theirs = first.indexes[dim], second.indexes[dim]
    _same_calendar(ours, theirs, dim, what)
    if isinstance(ours, xr.CFTimeIndex) == isinstance(theirs, xr.CFTimeIndex):
        return second
    if isinstance(ours, xr.CFTimeIndex):
        kind = type(ours[0])
        made = [kind(d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond) for d in theirs]
        return second.assign_coords({dim: xr.CFTimeIndex(made)})
    return second.assign_coords({dim: numpy_dates(theirs)})


def require_same_kind(first: xr.DataArray, second: xr.DataArray, dim: Hashable, *, what: str) -> None:
    """Refuse numbers against text, which are never equal."""
    ours, theirs = pd.Index(first.values), pd.Index(second.values)
    kinds = [_kind(index) for index in (ours, theirs)]
    if kinds[0] != kinds[1] and len(ours) and len(theirs):
        raise ValueError(_tell_kinds(kinds, ours, theirs, dim, what))


def require_same_calendar(ours: pd.Index, theirs: pd.Index, dim: Hashable, *, what: str) -> None:
    """Refuse dates of calendars that differ in more than their name."""
    _same_calendar(ours, theirs, dim, what)


def _refuse_foreign(first: xr.DataArray | xr.Dataset, second: xr.DataArray, what: str, extra_dims: bool) -> None:
    """Refuse dimensions that the first array lacks, with the selection or the stacking that removes them."""
    foreign = [dim for dim in second.dims if dim not in first.dims]
    for dim, index in first.indexes.items():
        levels = list(index.names) if isinstance(index, pd.MultiIndex) else []
        if dim in first.dims and levels and set(levels) <= set(foreign):
            stacked = ", ".join(repr(str(level)) for level in levels)
            raise ValueError(
                f"{what} has the dimensions {levels} that are stacked as {dim!r} in the record; stack them alike, "
                f"da.stack({dim}=({stacked}))"
            )
    if extra_dims or not foreign:
        return
    dim = foreign[0]
    if dim in first.coords and first.coords[dim].ndim == 0:
        raise ValueError(
            f"{what} has the dimension {dim!r}, of which the record is one label; choose it, "
            f"da.sel({dim}={first.coords[dim].item()!r})"
        )
    raise ValueError(
        f"{what} has the dimension(s) {foreign} that the record lacks (it has {list(first.dims)}); choose along "
        f"them, e.g. da.isel({dim}=0)"
    )


def _align_along(
    first: xr.DataArray | xr.Dataset, second: xr.DataArray, dim: Hashable, what: str, exact: bool
) -> xr.DataArray:
    """`second` with the labels of `first` along one dimension that both have."""
    ours, theirs = first.indexes.get(dim), second.indexes.get(dim)
    if ours is None or theirs is None:
        return _align_without_labels(first, second, dim, what)
    wanted, given = _comparable(first[dim], second[dim], ours, theirs, dim, what)
    if wanted.equals(given):
        return _with_labels_of(first, second, dim)
    positions = given.get_indexer(wanted)
    if (absent := positions < 0).any():
        raise ValueError(_tell_absent(ours, theirs, absent, dim, what))
    if exact and len(given) > len(wanted):
        surplus = theirs[~given.isin(wanted)]
        raise ValueError(
            f"{what} has {len(surplus)} label(s) along {dim!r} that the record lacks ({some(surplus)}); keep what "
            f"both have, xarray.align(first, second, join='inner')"
        )
    return _with_labels_of(first, _take(second, dim, positions), dim)


def _align_without_labels(
    first: xr.DataArray | xr.Dataset, second: xr.DataArray, dim: Hashable, what: str
) -> xr.DataArray:
    """Lengths are all that there is to compare; labels on one side only could mean anything."""
    labelled = [dim in one.indexes for one in (first, second)]
    if any(labelled):
        who, other = ("the record", what) if labelled[0] else (what, "the record")
        source = "record" if labelled[0] else "da"
        target = "da" if labelled[0] else "record"
        raise ValueError(
            f"{who} has labels along {dim!r} and {other} has none, so that nothing says which belong together; give "
            f"them, {target} = {target}.assign_coords({dim}={source}[{str(dim)!r}])"
        )
    if first.sizes[dim] != second.sizes[dim]:
        raise ValueError(
            f"{what} has {second.sizes[dim]} steps along {dim!r} and the record {first.sizes[dim]}, without labels to "
            f"tell which belong together; assign coordinates to both"
        )
    return second


def _with_labels_of(first: xr.DataArray | xr.Dataset, second: xr.DataArray, dim: Hashable) -> xr.DataArray:
    """The very labels of the first array, so that xarray sees them as equal: resolution, dtype and level order."""
    if first.indexes[dim] is second.indexes[dim]:
        return second
    index = first.indexes[dim]
    names = [dim, *(index.names if isinstance(index, pd.MultiIndex) else [])]
    old = second.indexes[dim]
    others = [dim, *(old.names if isinstance(old, pd.MultiIndex) else [])]
    labels = {name: first[dim].coords[name] for name in names if name in first[dim].coords}
    return second.drop_vars([name for name in others if name in second.coords]).assign_coords(
        xr.Coordinates(labels, indexes={name: first.xindexes[name] for name in labels})
    )


def _take(second: xr.DataArray, dim: Hashable, positions: np.ndarray) -> xr.DataArray:
    """The positions along one dimension; one chunk stays one chunk."""
    taken = second.isel({dim: positions})
    if second.chunks is not None and len(second.chunksizes[dim]) == 1:
        return taken.chunk({dim: -1})
    return taken


def _comparable(
    first: xr.DataArray, second: xr.DataArray, ours: pd.Index, theirs: pd.Index, dim: Hashable, what: str
) -> tuple[pd.Index, pd.Index]:
    """Both indexes in a form in which equal labels are equal; refused where they are of different kinds."""
    if isinstance(ours, pd.MultiIndex) or isinstance(theirs, pd.MultiIndex):
        return ours, _same_levels(ours, theirs, dim, what)
    kinds = [_kind(index) for index in (ours, theirs)]
    if kinds[0] != kinds[1]:
        raise ValueError(_tell_kinds(kinds, ours, theirs, dim, what))
    if kinds[0] == "dates":
        return _same_calendar(ours, theirs, dim, what)
    if kinds[0] == "numbers" and np.dtype("float32") in (first.dtype, second.dtype):
        # 0.1 in single precision is not 0.1 in double precision, and both are the same latitude.
        return pd.Index(ours.to_numpy().astype("float32")), pd.Index(theirs.to_numpy().astype("float32"))
    return ours, theirs


def _kind(index: pd.Index) -> str:
    if isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex):
        return "dates"
    if isinstance(index, pd.TimedeltaIndex):
        return "timedeltas"
    if index.dtype.kind in "iufb":
        return "numbers"
    inferred = pd.api.types.infer_dtype(index, skipna=True)
    return {"string": "text", "integer": "numbers", "floating": "numbers", "mixed-integer-float": "numbers"}.get(
        inferred, inferred
    )


def _tell_kinds(kinds: list[str], ours: pd.Index, theirs: pd.Index, dim: Hashable, what: str) -> str:
    cures = {
        ("text", "numbers"): f"da.assign_coords({dim}=da[{str(dim)!r}].astype(str))",
        ("numbers", "text"): f"da.assign_coords({dim}=da[{str(dim)!r}].astype({ours.dtype.name!r}))",
        ("dates", "text"): f"da.assign_coords({dim}=pandas.to_datetime(da[{str(dim)!r}]))",
    }
    cure = cures.get((kinds[0], kinds[1]), f"da.assign_coords({dim}=...) with labels of the record's kind")
    return (
        f"{what} has {kinds[1]} along {dim!r} ({some(theirs)}) and the record {kinds[0]} ({some(ours)}), which are "
        f"never equal; convert them, {cure}"
    )


def _same_levels(ours: pd.Index, theirs: pd.Index, dim: Hashable, what: str) -> pd.MultiIndex:
    """The levels of a stacked dimension in the order of the first array."""
    names = [list(index.names) if isinstance(index, pd.MultiIndex) else None for index in (ours, theirs)]
    if names[0] is None or names[1] is None or set(names[0]) != set(names[1]):
        stacked = what if names[1] else "the record"
        levels = names[1] or names[0]
        raise ValueError(
            f"{dim!r} is stacked of {levels} in {stacked} only; stack both alike, or bring it back to one label with "
            f"da.reset_index({str(dim)!r})"
        )
    assert isinstance(theirs, pd.MultiIndex)
    return theirs if names[0] == names[1] else theirs.reorder_levels(names[0])


def _same_calendar(ours: pd.Index, theirs: pd.Index, dim: Hashable, what: str) -> tuple[pd.Index, pd.Index]:
    """Dates of one calendar, whatever their resolution; days of different calendars are never equal."""
    calendars = [getattr(index, "calendar", "proleptic_gregorian") for index in (ours, theirs)]
    families = ["proleptic_gregorian" if name in GREGORIAN else name for name in calendars]
    if families[0] != families[1]:
        raise ValueError(
            f"{what} has dates of the calendar {calendars[1]!r} along {dim!r} and the record of {calendars[0]!r}; "
            f'convert one, da.convert_calendar({calendars[0]!r}, align_on="year", missing=numpy.nan'
            f"{', dim=' + repr(str(dim)) if dim != 'time' else ''}"
            f"{', use_cftime=True' if isinstance(ours, xr.CFTimeIndex) else ''})"
        )
    if isinstance(ours, xr.CFTimeIndex) and isinstance(theirs, xr.CFTimeIndex):
        return ours, theirs
    return tuple(numpy_dates(index) for index in (ours, theirs))  # type: ignore[return-value]


def numpy_dates(index: pd.Index) -> pd.Index:
    """Dates of the standard calendar as numpy has them."""
    if not isinstance(index, xr.CFTimeIndex):
        return index
    return pd.DatetimeIndex(np.array([date.isoformat() for date in index], "datetime64[us]"))


def _other_numbers(ours: pd.Index, theirs: pd.Index, dim: Hashable) -> str | None:
    """What makes numbers equal that mean the same place: longitudes a turn apart, and what rounding left."""
    if not len(ours) or any(index.dtype.kind not in "iuf" for index in (ours, theirs)):
        return None
    numbers, others = (index.to_numpy().astype(float) for index in (ours, theirs))

    def are_there(given: np.ndarray) -> bool:
        nearest = np.abs(np.subtract.outer(numbers, given)).min(axis=1) if given.size * numbers.size < 10**7 else np.inf
        return bool(np.all(nearest < 1e-4))

    if are_there(others):
        return (
            f"they differ by less than 0.0001, as rounding leaves it; take the record's, "
            f"da = da.reindex({dim}=record[{str(dim)!r}], method='nearest', tolerance=0.0001)"
        )
    for first in (-180.0, 0.0):
        if are_there((others - first) % 360 + first):
            turned = f"(da[{str(dim)!r}] {'+ 180) % 360 - 180' if first else ') % 360'}"
            return (
                f"these are longitudes a turn apart; bring them to those of the record, "
                f"da = da.assign_coords({dim}={turned})"
            )
    return None


def _tell_absent(ours: pd.Index, theirs: pd.Index, absent: np.ndarray, dim: Hashable, what: str) -> str:
    """Which labels are not there, and what to do: for days, sites and cells alike."""
    lacking = ours[absent]
    absence = (
        f"{what} lacks {len(lacking)} of the record's {len(ours)} labels along {dim!r} ({some(lacking)}; it has "
        f"{len(theirs)}, {some(theirs)})"
    )
    if isinstance(ours, pd.DatetimeIndex) and isinstance(theirs, pd.DatetimeIndex):
        stamps = [set(index.strftime("%H:%M:%S")) for index in (ours, theirs)]
        if len(stamps[0]) == len(stamps[1]) == 1 and stamps[0] != stamps[1]:
            late = [who for who, hours in zip(("record", "da"), stamps, strict=True) if hours != {"00:00:00"}]
            cures = [f"{who} = {who}.assign_coords({dim}={who}[{str(dim)!r}].dt.floor('D'))" for who in late]
            return f"{absence}; these are days stamped at other hours, name the day alone: {'; '.join(cures)}"
    if (cure := _other_numbers(ours, theirs, dim)) is not None:
        return f"{absence}; {cure}"
    if len(theirs) == 1 and len(ours) > 1:
        return (
            f"{absence}; if one series is to serve all, say so by taking the dimension away, "
            f"da.squeeze({str(dim)!r}, drop=True)"
        )
    return (
        f"{absence}; keep what both have, xarray.align(first, second, join='inner'), or fill with missing values, "
        f"da.reindex({dim}=record[{str(dim)!r}])"
    )
