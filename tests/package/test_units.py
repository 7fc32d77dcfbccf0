"""Units at the door: converted exactly, refused with the cure, never guessed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.units import convert


def one(value: float, units: str | None, dtype: str = "float64") -> xr.DataArray:
    attrs = {"long_name": "a thing"} | ({} if units is None else {"units": units})
    return xr.DataArray(np.array([value], dtype), dims="time", name="v", attrs=attrs)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (20.0, "degC", "K", 293.15),
        (293.15, "K", "degC", 20.0),
        (50.0, "degF", "degC", 10.0),
        (20.0, "Celsius", "K", 293.15),
        (20.0, "degrees_C", "K", 293.15),
        (20.0, "°C", "K", 293.15),
        (300.0, "Kelvin", "K", 300.0),
        (35.0, "%", "1", 0.35),
        (0.35, "m3 m-3", "%", 35.0),
        (0.35, "m**3 m**-3", "m3 m-3", 0.35),
        (0.35, "cm3/cm3", "m^3/m^3", 0.35),
        (0.35, "(0 - 1)", "%", 35.0),
        (0.012, "m of water equivalent", "mm", 12.0),
        (12.0, "mm d-1", "m day-1", 0.012),
        (1.0, "mm s-1", "mm/day", 86400.0),
        (950.0, "hPa", "Pa", 95000.0),
        (95.0, "kPa", "mbar", 950.0),
        (8.64, "MJ m-2 d-1", "W m-2", 100.0),
        (98.0665, "m**2 s**-2", "m2 s-2", 98.0665),
        (5.0, "gpm", "m", 5.0),
        (36.0, "km h-1", "m s**-1", 10.0),
    ],
)
def test_converted_as_by_hand(value, source, target, expected):
    made = convert(one(value, source), target)
    assert made.item() == pytest.approx(expected, rel=1e-12)
    assert made.attrs == {"long_name": "a thing", "units": target}


@pytest.mark.parametrize("units", [None, "", "  ", 1])
def test_no_units_are_refused_with_the_cure(units):
    da = one(1.0, None).assign_attrs({} if units is None else {"units": units})
    with pytest.raises(ValueError, match=r"'v' has no units; .*converts to 'K'.*ds\['v'\].attrs\[\"units\"\] = 'K'"):
        convert(da, "K")
    with pytest.raises(ValueError, match="'the input' has no units"):
        convert(da.rename(None), "K")


@pytest.mark.parametrize(
    ("source", "target"),
    [("Pa", "K"), ("mm", "K"), ("mm", "mm d-1"), ("kg m-2", "mm"), ("C", "K"), ("m", "m3 m-3"), ("degC", "%")],
)
def test_other_quantities_are_refused(source, target):
    """A coulomb is no degree, a depth is no rate, and a mass of something is not a depth of water."""
    with pytest.raises(ValueError, match=f"'v' has units '{source}', which cannot be converted to '{target}'"):
        convert(one(1.0, source), target)


@pytest.mark.parametrize("units", ["fraction", "vol. %", "unitless", "~", "K K K ("])
def test_unknown_words_are_refused_with_the_cure(units):
    with pytest.raises(ValueError, match=r"not understood; .*ds\['v'\].attrs\[\"units\"\] = '%'"):
        convert(one(1.0, units), "%")


def test_the_same_units_keep_the_values_as_they_are():
    da = one(20.1, "degC", "float32")
    assert convert(da, "degC").data is da.data
    assert convert(one(20.1, "Celsius"), "degC").attrs["units"] == "degC"


@pytest.mark.parametrize(("dtype", "expected"), [("float32", "float32"), ("float64", "float64"), ("int16", "float64")])
def test_precision_is_kept_and_whole_numbers_become_real(dtype, expected):
    made = convert(one(20, "degC", dtype), "K")
    assert made.dtype == expected
    assert made.item() == pytest.approx(293.15)


def test_lazy_stays_lazy_and_the_input_is_unchanged():
    da = xr.DataArray(np.arange(6.0), dims="time", name="t", attrs={"units": "degC"})
    with unchanged(da), raise_if_dask_computes():
        lazy = convert(da.chunk(time=2), "K")
    assert lazy.chunks == ((2, 2, 2),)
    xr.testing.assert_identical(lazy.compute(), convert(da, "K"))
