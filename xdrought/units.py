"""Units at the door: one pint registry, explicit conversion, refusal instead of a guess."""

from __future__ import annotations

from functools import cache
from typing import Any

import xarray as xr

# Unit strings that published files carry and pint does not parse.
_SPELLINGS = {
    "m of water equivalent": "m",
    "mm of water equivalent": "mm",
    "(0 - 1)": "dimensionless",
    "degC": "degree_Celsius",
    "deg C": "degree_Celsius",
    "°C": "degree_Celsius",
    "celsius": "degree_Celsius",
    "Celsius": "degree_Celsius",
    "K": "kelvin",
    "%": "percent",
    "1": "dimensionless",
    "m3/m3": "dimensionless",
    "m3 m-3": "dimensionless",
    "m**3 m**-3": "dimensionless",
    "cm3 cm-3": "dimensionless",
    "gpm": "m",
    "J kg**-1": "J/kg",
    "J kg-1": "J/kg",
    "m**2 s**-2": "m**2/s**2",
    "m2 s-2": "m**2/s**2",
    "m s**-1": "m/s",
    "m s-1": "m/s",
    "W m-2": "W/m**2",
    "W m**-2": "W/m**2",
    "mm d-1": "mm/day",
    "mm day-1": "mm/day",
}


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _parse(units: str, caller: str, name: str) -> Any:
    try:
        return _registry().Unit(_SPELLINGS.get(units.strip(), units.strip()))
    except Exception as error:
        raise ValueError(
            f"{caller}: the units {units!r} of {name!r} are not understood; "
            f'set a unit that pint can read, e.g. da.attrs["units"] = "K"'
        ) from error


def convert(da: xr.DataArray, units: str, *, caller: str) -> xr.DataArray:
    """Convert labelled values to `units`; lazy for dask.

    Parameters
    ----------
    da : xarray.DataArray
        Any shape, with ``attrs["units"]``.
    units : str
        The wanted units.
    caller : str
        Name of the calling function, for the error text.

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
    >>> convert(t, "K", caller="demo").values
    array([273.15, 293.15])
    """
    name = da.name if da.name is not None else "the input"
    found = da.attrs.get("units")
    if not isinstance(found, str) or not found.strip():
        raise ValueError(
            f"{caller}: {name!r} has no units; expected something that converts to {units!r}. "
            f'Set them, e.g. ds[{name!r}].attrs["units"] = {units!r}'
        )
    source, target = _parse(found, caller, str(name)), _parse(units, caller, str(name))
    if not source.is_compatible_with(target):
        raise ValueError(
            f"{caller}: {name!r} has units {found!r}, which cannot be converted to {units!r}; "
            f"check that the right variable was given, or correct its units attribute"
        )
    if source == target:
        return da.assign_attrs(units=units)
    registry = _registry()
    values = da.data if da.dtype.kind == "f" else da.data.astype("float64")
    converted = registry.convert(values, source, target).astype(values.dtype)
    return da.copy(data=converted).assign_attrs(units=units)
