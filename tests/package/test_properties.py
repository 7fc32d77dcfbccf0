"""Laws of every public function of the labelled core: the input stays as it is, and how it is given changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from tests.support.helpers import raise_if_dask_computes, unchanged
from tests.support.variations import CASES, Case, Dress, dressed, dresses, world

EXAMPLES = 8


def outcome(case: Case, ds: xr.Dataset) -> xr.Dataset | xr.DataArray | str:
    """What a function gives, in memory; or the words of its refusal."""
    try:
        return case.call(ds).compute()
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def same(one, other, tolerance: float) -> None:
    """Equal results, in any order of dimensions, or refusals with the same first words."""
    if isinstance(one, str) or isinstance(other, str):
        assert str(one).split(";")[0][:60] == str(other).split(";")[0][:60]
        return
    one = one if isinstance(one, xr.Dataset) else one.to_dataset(name="it")
    other = other if isinstance(other, xr.Dataset) else other.to_dataset(name="it")
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        a, b = one[name], other[name]
        assert set(a.dims) == set(b.dims), name
        b = b.transpose(*a.dims)
        if a.dtype.kind == "f" and tolerance:
            np.testing.assert_allclose(a.values, b.values, rtol=tolerance, atol=tolerance, err_msg=str(name))
        else:
            np.testing.assert_array_equal(a.values, b.values, err_msg=str(name))


def check(case: Case, dress: Dress) -> None:
    """The laws for one function and one dress."""
    dress = replace(dress, calendar="numpy" if case.dates else dress.calendar, grid=dress.grid and case.grid)
    plain = world(dress)
    with unchanged(plain):
        expected = outcome(case, plain)
    turned = plain.transpose(*dress.dims)
    with unchanged(turned):
        same(expected, outcome(case, turned), 0.0)
    clothed = dressed(plain, dress)
    before = clothed.copy(deep=True)
    if case.lazy and not isinstance(expected, str):
        with raise_if_dask_computes():
            case.call(clothed)
    found = outcome(case, clothed)
    xr.testing.assert_identical(before.compute(), clothed.compute())
    same(expected, found, case.tolerance if dress.single else 0.0)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=EXAMPLES)
@given(dress=dresses)
def test_how_data_are_given_changes_nothing(name, dress):
    check(CASES[name], dress)


@pytest.mark.parametrize("name", CASES)
def test_refusals_are_the_exception(name):
    """A law about two refusals would say little."""
    for gaps in ("none", "scattered", "block"):
        dress = Dress(("time", "lat", "lon"), 2, True, "noleap", gaps, 1)
        for grid in (False, CASES[name].grid):
            one = replace(dress, grid=grid, calendar="numpy" if CASES[name].dates else "noleap")
            found = outcome(CASES[name], world(one))
            assert not isinstance(found, str), found
            if "event" in found.sizes:
                assert found.sizes["event"]


def test_the_laws_can_be_broken():
    """Functions that change their input, look at the order, or at the chunks, are seen."""

    def greedy(ds):
        ds.tp[:] = 0
        return ds.tp

    def positional(ds):
        return xr.DataArray(ds.t2m.values[0, :3], dims="x")

    def by_chunks(ds):
        return xr.DataArray(float(len(ds.tp.chunks or ())))

    dress = Dress(("time", "lat", "lon"), 1, False, "numpy", "none", 0)
    for wrong in (greedy, positional, by_chunks):
        with pytest.raises(AssertionError):
            check(Case(wrong, lazy=False), dress)
