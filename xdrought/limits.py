"""Physical limits by quantity: one table, one check for arrays and blocks, one refusal with its cure.

A missing code that was left in a record, a per cent labelled as a fraction or a temperature in Kelvin labelled
degC changes every number that is made of it, and no later step can see it. Each public function therefore checks
what it is given against this table: at once for arrays in memory, inside the blocks for dask.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.quantities import bounds_in, common_spelling, recognise, same_dimension

# Nines in any number, with and without decimals, and the ends of 16-bit integers.
_CODES = np.unique(
    [-(10.0**n - 1) for n in range(2, 9)]
    + [10.0**n - 1 for n in range(4, 9)]
    + [sign * (10.0**n - 1 + tail) for sign in (1, -1) for n in (4, 5) for tail in (0.9, 0.99)]
    + [-(10.0**n - 1 + tail) for n in (2, 3) for tail in (0.9, 0.99)]
    + [-32768.0, -32767.0, -32766.0, -2147483648.0, -2147483647.0]
)
_FILL = 1e15  # no quantity of the table is as large; fill values of files are (1e20, 9.96921e36, 3.4e38)
_LOWEST_CODE, _FIRST_CODE = -99.0, 9999.0
_ROUNDING = 1e-6  # of the range: 1.0000001 in single precision is 1
_IN_CACHE = 2**16  # values
_FEW_BEYOND = 0.01  # share of forecasts beyond the limits above which a word is said
_OTHER_UNITS = 0.1  # share of values beyond the limits from which on all may be in other units
_FEW = 20  # values below which a scale cannot be told from the values
_SHARES = ("percentile", "volumetric soil moisture")  # of a hundred, or of one

_checking: ContextVar[bool] = ContextVar("check_limits", default=True)


class set_options:
    """Options of the package, for a ``with`` block or, called alone, from here on.

    Parameters
    ----------
    check_limits : bool
        Whether each public function refuses missing codes and physically impossible values (the table of
        ``xdrought.quantities.QUANTITIES``). Leave it on but for data that you know to be outside on purpose.

    Raises
    ------
    TypeError
        For anything but True or False.

    Notes
    -----
    The option belongs to the current thread and task, as Python's context variables do.

    Examples
    --------
    >>> import pandas as pd, xarray as xr, xdrought
    >>> from xdrought import set_options
    >>> sm = xr.DataArray([0.3, 1.7, 0.2], {"time": pd.date_range("2001-01-01", periods=3)}, "time",
    ...                   attrs={"units": "m3 m-3"})
    >>> with set_options(check_limits=False):
    ...     xdrought.soil_moisture_percentile(sm).values
    array([ 50., 100.,   0.])
    """

    def __init__(self, *, check_limits: bool) -> None:
        if not isinstance(check_limits, bool | np.bool_):
            raise TypeError(f"check_limits must be True or False, got {check_limits!r}")
        self._token = _checking.set(bool(check_limits))

    def __enter__(self) -> set_options:
        return self

    def __exit__(self, *_: object) -> None:
        _checking.reset(self._token)


def is_checking() -> bool:
    """Whether values are held against the table of limits, see :class:`set_options`."""
    return _checking.get()


@dataclass(frozen=True)
class Limits:
    """The limits of one variable in its own units; a plain value that travels to dask workers.

    Called with a block it returns the block, or raises.
    """

    variable: str
    quantity: str | None = None
    units: str | None = None
    lower: float = -np.inf
    upper: float = np.inf
    codes: tuple[float, ...] = ()  # fill values that the file declares and that were not decoded
    scale: bool = True  # whether all values below 1 are looked at where a hundred is the whole

    def __call__(self, block: np.ndarray) -> np.ndarray:
        return _without_infinite(block) if check_values(block, self) else block


def check(
    da: xr.DataArray,
    *,
    quantity: str | None = None,
    name: str | None = None,
    scale: bool = True,
    codes_only: bool = False,
) -> xr.DataArray:
    """Refuse missing codes and impossible values: at once in memory, inside the blocks for dask.

    Parameters
    ----------
    da : xarray.DataArray
        Numbers of any shape. Units decide what the limits are; without units only missing codes are looked for.
    quantity : str, optional
        What it is by its role in the call, a name of the table; used when name and attributes do not tell.
    name : str, optional
        What the refusal calls it, the variable's own name otherwise.
    scale : bool
        Whether percentiles that all lie between 0 and 1 are refused as quantiles, and soil moisture that never
        reaches 1 % of the volume as fractions; not for a few days alone.
    codes_only : bool
        Look for missing codes alone: a forecast may go beyond what is possible, and its score tells.

    Returns
    -------
    xarray.DataArray
        The same array; for dask one whose blocks are checked when they are computed. Infinite values are missing in
        it, and numbers of half, extended or foreign precision are float32 or float64.

    Raises
    ------
    TypeError
        For complex numbers, texts and objects.
    ValueError
        For values outside the limits of the quantity, missing codes and packed numbers that were not decoded, with
        their count and the cure; for dask chunks of which nobody knows the size.
    """
    _require_numbers(da, name)
    da = _in_usual_precision(da)
    if not _checking.get() or da.dtype.kind not in "fiu":
        return da
    limits = limits_of(da, quantity=quantity, name=name)
    if codes_only:
        limits = Limits(limits.variable, codes=limits.codes)
    if not scale:
        limits = replace(limits, scale=False)
    if da.chunks is None:
        values = da.to_numpy()
        return da.copy(data=_without_infinite(values)) if check_values(values, limits) else da
    return da.copy(data=da.data.map_blocks(limits, dtype=da.dtype, meta=da.data._meta))


def _require_numbers(da: xr.DataArray, name: str | None) -> None:
    """Refuse what only looks like numbers, and dask arrays of which nobody knows how long they are."""
    checks.require_known_sizes([da])
    checks.require_numbers(da, name=name, kinds="fiubmMV")


def _in_usual_precision(da: xr.DataArray) -> xr.DataArray:
    """Half, extended and foreign precision as what compiled code takes."""
    if da.dtype.kind == "f" and da.dtype not in (np.dtype("float32"), np.dtype("float64")):
        return da.astype("float32" if da.dtype.itemsize <= 4 else "float64")
    return da if da.dtype.isnative else da.astype(da.dtype.newbyteorder("="))


def _without_infinite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(values), values.dtype.type(np.nan), values)


def within(da: xr.DataArray) -> xr.DataArray:
    """A forecast with what cannot be set to the nearest limit of the table, so that every door takes it.

    Parameters
    ----------
    da : xarray.DataArray
        Numbers of any shape, by their name and units; soil moisture by ``m3 m-3`` alone too.

    Returns
    -------
    xarray.DataArray
        The same array where no value is beyond; lazy for dask. With the attribute ``limited_to``, the limits and
        their units, where the quantity is known. Inside ``set_options(check_limits=False)`` values stay as they are.

    Warns
    -----
    UserWarning
        Where more than one value in a hundred of an array in memory was beyond.
    """
    if not _checking.get() or da.dtype.kind != "f":
        return da
    known = limits_of(da)
    if known.quantity is None and common_spelling(str(da.attrs.get("units"))) == "m3 m-3":
        known = limits_of(da, quantity="volumetric soil moisture")
    if known.quantity is None:
        return da
    low, high = np.asarray([known.lower, known.upper], da.dtype)
    if da.chunks is None:
        _warn_of_many(da.to_numpy(), low, high, known)
    return da.clip(low, high, keep_attrs=True).assign_attrs(
        limited_to=f"{known.lower:g} to {known.upper:g}{_units(known)}"
    )


def _warn_of_many(values: np.ndarray, low: float, high: float, known: Limits) -> None:
    beyond, total = int(((values < low) | (values > high)).sum()), int(np.isfinite(values).sum())
    if beyond > _FEW_BEYOND * total:
        checks.warn(
            f"{beyond} of {total} values forecast of {known.variable!r} lay beyond what {known.quantity} can be and "
            f"were set to {known.lower:g} or {known.upper:g}{_units(known)} (they reached {np.nanmin(values):g} to "
            f"{np.nanmax(values):g}); see them as they were inside `with xdrought.set_options(check_limits=False):`"
        )


def check_variables(ds: xr.Dataset, names: Iterable[Hashable]) -> xr.Dataset:
    """A Dataset of which some variables are checked as :func:`check` does; nothing is copied."""
    return ds.assign({name: check(ds[name]) for name in names})


def limits_of(da: xr.DataArray, *, quantity: str | None = None, name: str | None = None) -> Limits:
    """The limits of an array from its name, attributes and units; no value is looked at."""
    label = str(name or da.name or quantity or "the input")
    _refuse_packed(da, label)
    codes = tuple(float(value) for key in ("_FillValue", "missing_value") for value in _numbers(da.attrs.get(key)))
    unit = da.attrs.get("units", "percent" if quantity == "percentile" else None)
    known = recognise(da, unit, quantity) if isinstance(unit, str) else None
    if known is None:
        return Limits(label, codes=codes)
    lower, upper = known[1]
    return Limits(label, known[0].name, unit, lower, upper, codes)


def _numbers(value: object) -> list[float]:
    """The finite numbers of an attribute that should hold one or several."""
    try:
        values = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        return []
    return [float(one) for one in values if np.isfinite(one)]


def _refuse_packed(da: xr.DataArray, label: str) -> None:
    """Integers of a file that were never scaled: the attributes say how, and the values are not in the units yet."""
    packed = {key: da.attrs[key] for key in ("scale_factor", "add_offset") if key in da.attrs}
    if da.dtype.kind in "iu":
        packed |= {key: da.encoding[key] for key in ("scale_factor", "add_offset") if key in da.encoding}
    if _numbers(packed.get("scale_factor", 1.0)) != [1.0] or _numbers(packed.get("add_offset", 0.0)) != [0.0]:
        told = ", ".join(f"{key}={value}" for key, value in packed.items())
        raise ValueError(
            f"{label!r} holds packed numbers ({da.dtype} with {told}), not the values in its units; "
            f"decode them, ds = xarray.decode_cf(ds), or, if that was done, remove the attributes with "
            f".drop_attrs() and .drop_encoding()"
        )


def check_values(values: np.ndarray, limits: Limits) -> bool:
    """The kernel: one look at minimum and maximum; all else only where these are odd.

    Infinite values count as missing, as everywhere in the package; returns whether there are any.
    """
    if values.size == 0:
        return False
    low, high, has_infinite = _extremes(values)
    if not low <= high:  # no finite value at all
        return has_infinite
    slack = _ROUNDING * (limits.upper - limits.lower)
    outside = low < limits.lower - slack or high > limits.upper + slack
    coded = low <= _LOWEST_CODE or high >= _FIRST_CODE
    declared = any(low <= code <= high for code in limits.codes)
    if outside or coded or declared:
        codes = _codes_in(values, limits)
        if codes:
            raise ValueError(_tell_codes(values, codes, limits))
    if outside:
        raise ValueError(_tell_outside(values, limits))
    of_hundred = limits.scale and limits.quantity in _SHARES and limits.upper >= 100
    if not (of_hundred and low >= 0 and 0 < high <= 1 and _are_below_one(values)):
        return has_infinite
    if limits.quantity != "percentile":
        raise ValueError(
            f"{limits.variable!r} in {limits.units} lies between {low:g} and {high:g}: these are fractions of the "
            f"volume, no soil is as dry in all its record; name their units, da = da.assign_attrs(units='m3 m-3')"
        )
    raise ValueError(
        f"{limits.variable!r} lies between {low:g} and {high:g}: these are quantiles (0 to 1), and percentiles go "
        f"from 0 to 100; multiply by 100, da = (100 * da).assign_attrs(units='percent')"
    )


def _extremes(values: np.ndarray) -> tuple[float, float, bool]:
    """Smallest and largest finite value, (inf, -inf) without any, and whether any is infinite.

    They are read once, in pieces that stay in the cache.
    """
    flat, low, high, has_infinite = values.ravel(order="K"), np.inf, -np.inf, False
    for first in range(0, flat.size, _IN_CACHE):
        piece = flat[first : first + _IN_CACHE]
        least, most = float(np.fmin.reduce(piece)), float(np.fmax.reduce(piece))
        if math.isinf(least) or math.isinf(most):
            has_infinite = True
            piece = piece[np.isfinite(piece)]
            least, most = float(piece.min(initial=np.inf)), float(piece.max(initial=-np.inf))
        if least < low:  # never for a piece without a number
            low = least
        if most > high:
            high = most
    return low, high, has_infinite


def _codes_in(values: np.ndarray, limits: Limits) -> list[float]:
    """Missing codes in an array: declared ones, those outside the limits, and those that stand alone."""
    finite = _finite(values)
    low, high = float(finite.min()), float(finite.max())
    result: list[float] = []
    if max(-low, high) >= _FILL:
        result += [float(one) for one in np.unique(finite[np.abs(finite) >= _FILL])]
    for code in (*limits.codes, *_CODES[(low <= _CODES) & (high >= _CODES)]):
        stored = _as_stored(float(code), values.dtype)
        if stored is None or stored in result or not (finite == stored).any():
            continue
        if code in limits.codes or not limits.lower <= stored <= limits.upper or _stands_alone(finite, stored):
            result.append(stored)
    return result


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)


def _as_stored(code: float, dtype: np.dtype) -> float | None:
    """A code as an array of this type holds it; None where it cannot."""
    if dtype.kind == "f":
        return float(np.asarray(code, dtype))
    bounds = np.iinfo(dtype)
    return float(code) if code == int(code) and bounds.min <= code <= bounds.max else None


def _stands_alone(finite: np.ndarray, code: float) -> bool:
    """Whether nothing else lies within half of a code's size: a real record comes near its own extremes."""
    reach = 0.5 * abs(code)
    return not ((np.abs(finite - code) < reach) & (finite != code)).any()


def _tell_codes(values: np.ndarray, codes: list[float], limits: Limits) -> str:
    shown = codes[:3]
    counts = ", ".join(f"{int((values == code).sum())} of {_number(code)}" for code in shown)
    more = f" and {len(codes) - len(shown)} more codes" if len(codes) > len(shown) else ""
    tests = [f"(da != {_number(code)})" for code in codes if abs(code) < _FILL]
    tests += [f"(abs(da) < {_FILL:g})"] if any(abs(code) >= _FILL for code in codes) else []
    return (
        f"{limits.variable!r} holds codes of missing values as numbers ({counts}{more}, among {values.size} values"
        f"{_units(limits)}); make them missing with da = da.where({' & '.join(tests)})"
    )


def _tell_outside(values: np.ndarray, limits: Limits) -> str:
    finite = _finite(values)
    bad = finite[(finite < limits.lower) | (finite > limits.upper)]
    worst = bad[np.argmax(np.abs(bad - np.clip(bad, limits.lower, limits.upper)))]
    return (
        f"{limits.variable!r} has {bad.size} of {finite.size} values outside what {limits.quantity} can be, "
        f"{limits.lower:g} to {limits.upper:g}{_units(limits)}, e.g. {float(worst):g}; {_cure(finite, limits)}"
    )


def _cure(finite: np.ndarray, limits: Limits) -> str:
    """What the values may be instead, the likeliest first, and how to say so."""
    low, high = float(finite.min()), float(finite.max())
    drawn = finite[finite != 0]  # days without rain fit any unit
    share = float(((drawn < limits.lower) | (drawn > limits.upper)).mean()) if drawn.size else 1.0
    unit = _unit_that_fits(low, high, limits) if share >= _OTHER_UNITS else None
    bounds = f"{limits.lower:.9g}", f"{limits.upper:.9g}"
    ways = []
    if unit is not None:
        ways.append(
            f"all values fit {unit!r}: if that is what they are, say so with da = da.assign_attrs(units={unit!r})"
        )
    if low < 0 < high and limits.quantity != "percentile":
        ways.append(
            f"if these are differences, which keep the units and have no limits, say so with "
            f"da = da.assign_attrs(long_name='anomaly of {limits.variable}')"
        )
    if unit is None and share >= _OTHER_UNITS and limits.quantity != "percentile":
        ways.append("if the units are wrong, correct them")
    if limits.quantity == "percentile":
        ways.append("if these are no percentiles, leave is_percentile=True out")
    ways.append(
        f"if single values are wrong, make them missing with da = da.where((da >= {bounds[0]}) & (da <= {bounds[1]}))"
    )
    ways.append(f"if this is a forecast of your own, keep it possible with da = da.clip({', '.join(bounds)})")
    ways.append("if they are meant, call inside `with xdrought.set_options(check_limits=False):`")
    return "; ".join(ways)


def _unit_that_fits(low: float, high: float, limits: Limits) -> str | None:
    """The first common unit in which all values are possible."""
    for unit in same_dimension(str(limits.units), str(limits.quantity)):
        bounds = bounds_in(str(limits.quantity), unit)
        if bounds is not None and bounds[0] <= low and high <= bounds[1]:
            return unit
    return None


def _units(limits: Limits) -> str:
    return f" {limits.units}" if limits.units not in (None, "1") else ""


def _number(value: float) -> str:
    return f"{int(value)}" if value == int(value) and abs(value) < _FILL else repr(value)


def _are_below_one(values: np.ndarray) -> bool:
    finite = _finite(values)
    return finite.size >= _FEW and bool(((finite > 0) & (finite < 1)).any())
