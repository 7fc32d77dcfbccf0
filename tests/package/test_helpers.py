"""The helpers of the tests can fail: an assertion that never does holds nothing."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from tests.support.helpers import follow, raise_if_dask_computes, unchanged


def lazy() -> xr.DataArray:
    return xr.DataArray(np.arange(4.0), dims="x", name="a").chunk(x=2)


@pytest.mark.parametrize(
    "compute",
    [lambda da: da.compute(), lambda da: da.values, lambda da: da.load(), lambda da: float(da.sum()), dask.compute],
    ids=["compute", "values", "load", "float", "dask.compute"],
)
def test_a_computed_graph_is_noticed(compute):
    da = lazy()
    with pytest.raises(AssertionError, match="graph was computed"), raise_if_dask_computes():
        compute(da)


def test_building_a_graph_is_no_computation():
    with raise_if_dask_computes():
        total = (lazy() + 1).sum()
    assert float(total) == 10  # and outside everything computes again


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.a.__setitem__(0, 9.0),
        lambda ds: ds.attrs.update(note="new"),
        lambda ds: ds.a.attrs.update(units="K"),
        lambda ds: ds.__setitem__("b", ds.a + 1),
        lambda ds: ds.coords.__setitem__("x", [1, 2, 3, 4]),
        lambda ds: ds.a.attrs.pop("long_name"),
    ],
    ids=["value", "attribute", "units", "variable", "coordinate", "attribute lost"],
)
def test_a_changed_input_is_noticed(change):
    ds = xr.Dataset({"a": ("x", np.arange(4.0), {"long_name": "a"})}, {"x": [0, 1, 2, 3]})
    with pytest.raises(AssertionError), unchanged(ds):
        change(ds)


def test_an_input_of_several_that_changes_is_noticed():
    first, second = xr.DataArray([1.0], dims="x"), xr.DataArray([2.0], dims="x")
    with pytest.raises(AssertionError), unchanged(first, second):
        second[0] = 3.0


def test_an_input_that_stays_is_fine_and_missing_values_are_the_same():
    da = xr.DataArray([1.0, np.nan], dims="x", attrs={"units": "K"})
    with unchanged(da, lazy()):
        da + 1


def test_follow_runs_the_cure_and_fails_where_it_does_not_work():
    da = xr.DataArray([1.0], dims="x")
    assert follow("da = da * factor;", da=da, factor=2.0)["da"].item() == 2.0
    with pytest.raises(NameError, match="nothing"):
        follow("da = nothing(da)", da=da)
