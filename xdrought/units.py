"""Units at the door: one pint registry, explicit conversion, refusal instead of a guess."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import xarray as xr

# Unit strings that published files carry and pint does not parse.
_SPELLINGS = {
    "m of water equivalent": "m",
    "mm of water equivalent": "mm",
    "(0 - 1)": "dimensionless",
    "1": "dimensionless",
    "%": "percent",
    "Percent": "percent",
    "gpm": "m",
    "Kelvin": "kelvin",
    **dict.fromkeys(("celsius", "Celsius", "deg C", "deg_C", "degree C", "degree Celsius"), "degree_Celsius"),
    **dict.fromkeys(("degrees C", "degrees_C", "degrees Celsius", "degrees_Celsius"), "degree_Celsius"),
}
# CF and UDUNITS write powers without a sign: m2 s-2.
_POWER = re.compile(r"(?<=[A-Za-z])(?=-?\d)")


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _parse(units: str, name: str, wanted: str) -> Any:
    text = units.strip()
    try:
        return _registry().Unit(_POWER.sub("**", _SPELLINGS.get(text, text)))
    except Exception as error:
        raise ValueError(
            f"the units {units!r} of {name!r} are not understood; "
            f'set what they are in words that pint can read, e.g. ds[{name!r}].attrs["units"] = {wanted!r}'
        ) from error


def convert(
    da: xr.DataArray,
    units: str,
) -> xr.DataArray:
    """Convert labelled values to `units`; lazy for dask.

    Parameters
    ----------
    da : xarray.DataArray
        Any shape, with ``attrs["units"]``.
    units : str
        The wanted units.

    Returns
    -------
    xarray.DataArray
        Same dims and coords, ``attrs["units"] == units``. The input is not changed.

    Raises
    ------
    ValueError
        Without units, or with units that cannot become `units`.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.units import convert
    >>> t = xr.DataArray([0.0, 20.0], dims="time", name="t2m", attrs={"units": "degC"})
    >>> convert(t, "K").values
    array([273.15, 293.15])
    """
    name = da.name if da.name is not None else "the input"
    found = da.attrs.get("units")
    if not isinstance(found, str) or not found.strip():
        raise ValueError(
            f"{name!r} has no units; expected something that converts to {units!r}. "
            f'Set them, e.g. ds[{name!r}].attrs["units"] = {units!r}'
        )
    source, target = (_parse(one, str(name), units) for one in (found, units))
    if not source.is_compatible_with(target):
        raise ValueError(
            f"{name!r} has units {found!r}, which cannot be converted to {units!r}; "
            f"check that the right variable was given, or correct its units attribute"
        )
    if source == target:
        return da.assign_attrs(units=units)
    registry = _registry()
    values = da.data if da.dtype.kind == "f" else da.data.astype("float64")
    converted = registry.convert(values, source, target).astype(values.dtype)
    return da.copy(data=converted).assign_attrs(units=units)
