"""What cross mapping is given, checked by its labels only: nothing here looks at a value or computes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.choices import Engine, SurrogateKind

FORWARD, BACKWARD = "cause_to_effect", "effect_to_cause"
DIRECTIONS = {"both": (FORWARD, BACKWARD), FORWARD: (FORWARD,), BACKWARD: (BACKWARD,)}
ENGINES = get_args(Engine)
SURROGATES = get_args(SurrogateKind)

Cause = xr.DataArray | xr.Dataset | Mapping[Hashable, xr.DataArray] | Iterable[xr.DataArray]


@dataclass(frozen=True)
class Causes:
    """The causes in order; `names` is None for a single array, whose result has no `variable` dimension."""

    arrays: tuple[xr.DataArray, ...]
    names: tuple[Hashable, ...] | None


def collect_causes(cause: Cause) -> Causes:
    """One array, or the named arrays of a Dataset, mapping or list."""
    if isinstance(cause, xr.DataArray):
        return Causes((cause,), None)
    if isinstance(cause, xr.Dataset | Mapping):
        named = dict(cause.data_vars) if isinstance(cause, xr.Dataset) else dict(cause)
        names, arrays = tuple(named), tuple(named.values())
    elif isinstance(cause, Iterable) and not isinstance(cause, str):
        arrays = tuple(cause)
        names = tuple(getattr(array, "name", None) for array in arrays)
    else:
        raise TypeError(f"the cause is a {type(cause).__name__}; give a DataArray, a Dataset, a list or a dict of them")
    if not arrays:
        raise ValueError("no cause was given; give at least one variable")
    if None in names or len(set(names)) < len(names):
        raise ValueError(
            f"the causes are called {list(names)}; each needs a name of its own: use .rename(...) or a dict"
        )
    for name, array in zip(names, arrays, strict=True):
        checks.require_array(array, f"the cause {name!r}")
    return Causes(arrays, names)


def names_of(causes: Causes, effect: xr.DataArray) -> dict[str, tuple[tuple, str, dict[str, str]]]:
    """Scalar coordinates that say what a result is of; several causes have the dimension `variable` instead.

    A dimension of the caller that is called so keeps its name, and the result goes without.
    """
    single = causes.arrays[0].name if causes.names is None else None
    named = {"cause": single, "effect": effect.name}
    taken = {dim for da in (effect, *causes.arrays) for dim in da.dims}
    return {
        role: ((), str(name), {"long_name": f"name of the {role}"})
        for role, name in named.items()
        if name is not None and role not in taken
    }


def check_series(da: xr.DataArray, time: Hashable) -> None:
    """Numbers with a time dimension in one chunk and regular steps."""
    if da.dtype.kind not in "fiu":
        raise TypeError(f"{da.name!r} has dtype {da.dtype}; cross mapping needs numbers: use .astype(float)")
    checks.require_dim(da, time)
    checks.require_one_chunk(da, time, "neighbours need the whole series")
    _check_steps(da, time)


def _made_equal(labels: np.ndarray, time: Hashable) -> str:
    """The call that makes the steps of numbers equal, or the first of several."""
    steps = np.diff(labels)
    if len(set(np.sign(steps))) > 1:
        return f"sort them, da.sortby({time!r})"
    step, (first, last) = abs(steps).min(), labels[[0, -1]].tolist()
    even = f"{time}=numpy.linspace({first}, {last}, {round(abs(last - first) / step) + 1})"
    if not np.allclose(steps / step, np.round(steps / step)):
        return f"interpolate, da.interp({even})"
    return f'insert the missing ones as NaN, da.reindex({even}, method="nearest", tolerance={step / 4:g})'


def _check_steps(da: xr.DataArray, time: Hashable) -> None:
    """Delays are counted in steps, so steps must be equal: days, pentads, months or plain numbers."""
    index = da.indexes.get(time)
    if index is None or index.size < 3:
        return
    if index.dtype.kind in "iuf":
        steps = np.diff(index.to_numpy())
        if not np.allclose(steps, steps[0]) or steps[0] == 0:
            raise ValueError(f"the steps of {time!r} differ; {_made_equal(index.to_numpy(), time)}")
        return
    dated = isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex)
    if not dated or not index.is_monotonic_increasing or xr.infer_freq(index) is None:
        checks.require_regular_steps(da, time)


def match(causes: Causes, effect: xr.DataArray) -> tuple[Causes, xr.DataArray]:
    """Causes on the labels of the effect along the dimensions that they share, in any order, and within their limits.

    Labels must be the same: nothing is cut or shifted silently. Dimensions of their own broadcast; causes that share
    one have the same labels there.
    """
    arrays: list[xr.DataArray] = []
    for da in causes.arrays:
        aligned = alignment.align_to(effect, da, what=_name(da, "the cause"), exact=True, extra_dims=True)
        for other in arrays:
            if set(aligned.dims) & set(other.dims) - set(effect.dims):
                skip = tuple(effect.dims)
                aligned = alignment.align_to(
                    other, aligned, what=_name(da, "the cause"), exact=True, extra_dims=True, skip=skip
                )
        arrays.append(aligned)
    checked = [limits.check(da) for da in (effect, *arrays)]
    return Causes(tuple(checked[1:]), causes.names), checked[0]


def warn_without_skill(rho: xr.DataArray, given: Iterable[xr.DataArray]) -> None:
    """Say why a result is all NaN although the arrays hold values; lazy results are not looked at."""
    if rho.chunks is not None or bool(rho.notnull().any()) or not rho.size:
        return
    if all(bool(da.notnull().any()) for da in given):
        checks.warn(
            "no skill could be computed: there is no day on which both have a value and a whole delay vector, or one "
            "of them is constant; look at da.notnull().sum() of both on the same days"
        )


def _name(da: xr.DataArray, otherwise: str) -> str:
    return otherwise if da.name is None else repr(da.name)


def check_embedding(embedding_dim: int, tau: int, n_steps: int) -> None:
    """Positive, and short enough for the record to hold E + 1 neighbours."""
    if isinstance(tau, int | np.integer) and tau < 0:
        raise ValueError(f"tau={tau}; it must be a whole number, 1 or more: tau={-tau} already looks back in time")
    for name, value in (("embedding_dim", embedding_dim), ("tau", tau)):
        checks.require_integer(value, name)
    needed = (embedding_dim - 1) * tau + embedding_dim + 2
    if n_steps < needed:
        raise ValueError(
            f"{n_steps} steps are too few for embedding_dim={embedding_dim}, tau={tau}; "
            f"at least {needed} are needed. Give a longer record or a smaller embedding"
        )


def per_direction(value: int | Mapping[str, int], name: str, directions: Iterable[str]) -> tuple[int, ...]:
    """One number for each direction, from one number or a mapping of directions."""
    directions = tuple(directions)
    if not isinstance(value, Mapping):
        return (value,) * len(directions)
    if missing := [way for way in directions if way not in value]:
        raise ValueError(f"{name} has no entry for {missing}; it has {list(value)}")
    if unknown := [way for way in value if way not in DIRECTIONS["both"]]:
        raise ValueError(f"{name} has entries {unknown}; directions are {list(DIRECTIONS['both'])}")
    return tuple(value[way] for way in directions)


def match_where(where: xr.DataArray, series: Iterable[xr.DataArray], time: Hashable) -> xr.DataArray:
    """A boolean mask on dimensions that the series have, time among them, on their labels."""
    if where.dtype.kind != "b":
        raise TypeError(f"where has dtype {where.dtype}; a mask is boolean, True on the days to use")
    checks.require_dim(where, time)
    checks.require_one_chunk(where, time, "neighbours need the whole series")
    series = tuple(series)
    if foreign := [dim for dim in where.dims if not any(dim in da.dims for da in series)]:
        raise ValueError(f"where has the dimensions {foreign}, which no series has; choose along them first")
    for da in series:
        where = alignment.align_to(da, where, what="where", extra_dims=True)
    return where


def check_radius(exclusion_radius: int | str) -> int | None:
    """The exclusion radius in steps, None for "auto"."""
    if exclusion_radius == "auto":
        return None
    if not isinstance(exclusion_radius, int | np.integer) or exclusion_radius < 0:
        raise ValueError(f'exclusion_radius={exclusion_radius!r}; give a number of steps (0 or more) or "auto"')
    return int(exclusion_radius)


def lags(lag: int | Iterable[int], n_steps: int) -> tuple[int, ...]:
    """Whole numbers of steps, of either sign, inside the record."""
    steps = np.atleast_1d(np.asarray(lag))
    if steps.dtype.kind not in "iu" or not steps.size or np.abs(steps).max() >= n_steps:
        raise ValueError(f"lag={lag!r}; it must be a whole number of steps, less than the record's {n_steps}")
    if np.unique(steps).size < steps.size:
        raise ValueError(f"lag={lag!r} has repeated lags; give each once")
    return tuple(int(each) for each in steps)


def is_scalar(value: object) -> bool:
    """Whether a number was given, not a sequence of numbers: then the result needs no dimension for it."""
    return np.ndim(np.asarray(value)) == 0


def library_sizes(library_size: int | Iterable[int] | None, least: int, n_steps: int) -> tuple[int, ...]:
    """The library sizes asked for, () for the whole record."""
    if library_size is None:
        return ()
    sizes = np.atleast_1d(np.asarray(library_size))
    if sizes.dtype.kind not in "iu" or not sizes.size or sizes.min() < least or sizes.max() > n_steps:
        raise ValueError(
            f"library_size={library_size!r}; sizes are whole numbers from {least} (two more than the "
            f"embedding dimension) to the {n_steps} steps of the record"
        )
    return tuple(int(size) for size in sizes)


def time_in_years(da: xr.DataArray, time: Hashable) -> np.ndarray:
    """Years since the first step, for the phase of the annual cycle."""
    if not isinstance(da.indexes.get(time), pd.DatetimeIndex | xr.CFTimeIndex):
        raise ValueError(
            f"{time!r} has no dates, so there is no annual cycle to remove for the surrogate test; "
            f"assign dates or pass deseasonalize=False"
        )
    calendar = getattr(da.indexes[time], "calendar", "standard")
    length = {"360_day": 360.0, "noleap": 365.0, "365_day": 365.0, "all_leap": 366.0, "366_day": 366.0}
    return checks.days_since_start(da, time) / length.get(calendar, 365.2425)
