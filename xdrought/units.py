"""Units at the door: one pint registry, explicit conversion, refusal instead of a guess."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import xarray as xr

# Unit strings that published files carry and pint does not parse.
_SPELLINGS = {
    "(0 - 1)": "dimensionless",
    "1": "dimensionless",
    "%": "percent",
    "Percent": "percent",
    "gpm": "m",
    **dict.fromkeys(("v/v", "V/V", "vol/vol"), "m**3/m**3"),
    "mb": "millibar",
    **dict.fromkeys(("Pascal", "Pascals"), "pascal"),
    "Kelvin": "kelvin",
    **dict.fromkeys(("celsius", "Celsius", "deg C", "deg_C", "degree C", "degree Celsius"), "degree_Celsius"),
    **dict.fromkeys(("degrees C", "degrees_C", "degrees Celsius", "degrees_Celsius"), "degree_Celsius"),
}
_WATER = re.compile(r"\s*\b(?:of\s+)?water(?:[ _]equivalent)?\b|\s*\bw\.?e\.?(?=\s|$)", re.IGNORECASE)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-", "{}")
# CF and UDUNITS write products with a point and powers without a sign: kg.m-2.s-1.
_PRODUCT = re.compile(r"(?<=[\w)])\s*[.·⋅]\s*(?=[^\W\d])")
_POWER = re.compile(r"(?<=[A-Za-z])(?=[+-]?\d)")
# All that a unit text may be made of. Numbers stand as exponents only: 9**9**9**9 would never end.
_UNIT_TEXT = re.compile(
    r"(?:\s|[°Δ]?[^\W\d]+|[%‰]|1(?=\s*/)|[/()]|(?<!\*)\*(?!\*)"
    r"|\*\*\s*(?:\([+-]?\d{1,2}\)|[+-]?\d{1,2})(?!\s*(?:\*\*|[\d.])))+"
)
_LONGEST = 80  # characters; the parser takes quadratic time
_WORD = re.compile(r"[°Δ]?[^\W\d]+|[%‰]")
_ANGLES = frozenset({"radian", "degree", "arcminute", "arcsecond", "grade", "turn", "steradian"})


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _spell(units: str) -> str:
    """A unit text as pint writes it; ValueError when it is none, before the parser sees it."""
    text = units.strip()
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text)} characters, units have at most {_LONGEST}")
    if text in _SPELLINGS:
        return _SPELLINGS[text]
    text = _WATER.sub("", text).strip().translate(_SUPERSCRIPTS)
    text = _SPELLINGS.get(text, text).replace("^", "**")
    text = _POWER.sub("**", _PRODUCT.sub("*", text))
    if not _UNIT_TEXT.fullmatch(text):
        raise ValueError("it is no product of powers of units")
    return text


@lru_cache(maxsize=512)
def _unit(units: str) -> Any:
    """The pint unit of a text."""
    text = _spell(units)
    unit = _registry().Unit(text)
    for word in _WORD.findall(text) if unit.dimensionless else ():  # x/x is a number to the parser, whatever x is
        if word != "per":
            _registry().Unit(word)
    return unit


def _parse(units: str, name: str, owner: str, wanted: str) -> Any:
    try:
        return _unit(units)
    except Exception as error:
        shown = units if len(units) <= _LONGEST else f"{units[:_LONGEST]}..."
        raise ValueError(
            f"the units {shown!r} of {name!r} are not understood; "
            f'set what they are in words that pint can read, e.g. {owner}.attrs["units"] = {wanted!r}'
        ) from error


@lru_cache(maxsize=512)
def _ratio_of(units: str) -> str:
    """What a number without dimension is a ratio of; a ratio of masses is none of volumes, and an angle neither."""
    words = [_registry().Unit(word) for word in _WORD.findall(_spell(units)) if word != "per"]
    if any(str(base) in _ANGLES for word in words for base in word._units):
        return "angles"
    kinds = {str(word.dimensionality) for word in words} - {"dimensionless"}
    if not kinds:
        counted = any(str(base) in ("bit", "byte", "count") for word in words for base in word._units)
        return "counts" if counted else "numbers"
    return {"[mass]": "masses", "[length]": "volumes", "[length] ** 3": "volumes"}.get(kinds.pop(), "others")


# Ratios that may become each other. Per cent of soil moisture are of the volume, those of humidity of the pressure.
_SAME_RATIOS = [{"numbers", "volumes"}, {"numbers", "others"}]


def _refuse_ratio(name: str, found: str, wanted: str) -> str | None:
    """Why one number without dimension does not become another; None when it does."""
    source, target = _ratio_of(found), _ratio_of(wanted)
    share = source == "masses" and target == "numbers" and _unit(wanted) == _unit("1")  # as CF writes kg kg-1
    if source == target or share or any({source, target} == pair for pair in _SAME_RATIOS):
        return None
    if source == "masses" and target in ("volumes", "numbers"):
        return (
            f"{name!r} has units {found!r}, a ratio of masses, which is not {wanted!r}; of soil moisture the bulk "
            f"density (kg m-3) leads from one to the other: "
            f"da = (da * bulk_density / 1000).assign_attrs(units='m3 m-3')"
        )
    return (
        f"{name!r} has units {found!r}, a ratio of {source}, which cannot be converted to {wanted!r}; "
        f"check that the right variable was given, or correct its units attribute"
    )


def _is_difference(unit: Any) -> bool:
    return any(str(base).startswith("delta_") for base in unit._units)


def _refusal(da: xr.DataArray, units: str) -> str | None:
    """Why `da` cannot be converted to `units`; None when it can. ValueError for units that say nothing."""
    name = str(da.name) if da.name is not None else "the input"
    owner = f"ds[{da.name!r}]" if da.name is not None else "da"
    found = da.attrs.get("units")
    if not isinstance(found, str) or not found.strip():
        raise ValueError(
            f"{name!r} has no units; expected something that converts to {units!r}. "
            f'Set them, e.g. {owner}.attrs["units"] = {units!r}'
        )
    source, target = (_parse(text, name, owner, units) for text in (found, units))
    if not source.is_compatible_with(target):
        return (
            f"{name!r} has units {found!r}, which cannot be converted to {units!r}; "
            f"check that the right variable was given, or correct its units attribute"
        )
    if _is_difference(source) != _is_difference(target) and target.dimensionality == {"[temperature]": 1}:
        return (
            f"{name!r} has units {found!r}, and a difference of temperatures is no temperature, {units!r}; add what "
            f"it is a difference to, e.g. da = (da + reference).assign_attrs(units={units!r})"
        )
    return _refuse_ratio(name, found, units) if target.dimensionless else None


def converts(da: xr.DataArray, units: str) -> bool:
    """Whether `da` can be converted to `units`; ValueError when it has none that are understood."""
    return _refusal(da, units) is None


def require_convertible(da: xr.DataArray, units: str) -> None:
    """Raise as :func:`convert` does, without converting a value."""
    convert(da.isel(dict.fromkeys(da.dims, slice(0, 0))), units)


def convert(da: xr.DataArray, units: str) -> xr.DataArray:
    """Convert labelled values to `units`; lazy for dask.

    Parameters
    ----------
    da : xarray.DataArray
        Any shape, with ``attrs["units"]``, spelled as CF, UDUNITS, ECMWF or pint do.
    units : str
        The wanted units.

    Returns
    -------
    xarray.DataArray
        Same dims and coords, ``attrs["units"] == units``, without the packing of the file that it came from. The
        input is not changed.

    Raises
    ------
    ValueError
        Without units; with units that cannot become `units`, a ratio of masses for one of volumes and a difference
        of temperatures among them; with a text that is no units or longer than 80 characters.

    Examples
    --------
    >>> import xarray as xr
    >>> from xdrought.units import convert
    >>> t = xr.DataArray([0.0, 20.0], dims="time", name="t2m", attrs={"units": "degC"})
    >>> convert(t, "K").values
    array([273.15, 293.15])
    """
    refusal = _refusal(da, units)
    if refusal:
        raise ValueError(refusal)
    source, target = _unit(da.attrs["units"]), _unit(units)
    # Packing (scale_factor, add_offset, dtype) belongs to the old numbers: kept, it would ruin the next file.
    bare = da.drop_encoding().assign_attrs(units=units)
    if source == target:
        return bare
    values = da.data if da.dtype.kind == "f" else da.data.astype("float64")
    converted = _registry().convert(values, source, target).astype(values.dtype)
    return bare.copy(data=converted)
