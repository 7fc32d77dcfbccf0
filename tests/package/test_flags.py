"""CF flags: what is written is read again."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xdrought.flags import flag_attrs, flags_of


def test_names_and_values_are_read_as_they_were_written():
    attrs = flag_attrs({"none": 0, "dry": 4, "missing": -1})
    np.testing.assert_array_equal(attrs["flag_values"], np.array([0, 4, -1], np.int8), strict=True)
    assert attrs["flag_meanings"] == "none dry missing"
    assert flags_of(xr.DataArray([0], attrs=attrs, dims="time")) == {"none": 0, "dry": 4, "missing": -1}


@pytest.mark.parametrize("attrs", [{}, {"flag_values": [0, 1]}, {"flag_meanings": "wet dry"}])
def test_an_array_that_does_not_say_its_classes_has_none(attrs):
    assert flags_of(xr.DataArray([0], attrs=attrs, dims="time")) == {}


def test_one_class_may_be_a_number_as_files_give_it():
    assert flags_of(xr.DataArray([3], attrs={"flag_values": 3, "flag_meanings": "dry"}, dims="time")) == {"dry": 3}
