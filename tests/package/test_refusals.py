"""Refusals that belong to no other file; found by ci/raises_reached.py."""

from __future__ import annotations

import pandas as pd
import pytest
import xarray as xr
from torch import nn

import xdrought
from xdrought.models.resattcaurec import FramewiseNetwork


@pytest.mark.parametrize("score", [xdrought.class_scores, xdrought.occurrence_scores])
def test_intervals_need_sites_and_days(score):
    days = {"member": [0, 1], "site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=40)}
    names = "no_drought normal_onset normal_condition flash_onset flash_condition missing"
    flags = {"flag_values": [0, 1, 2, 3, 4, -1], "flag_meanings": names}
    classes = xr.DataArray(0, days, tuple(days), attrs=flags).astype("int8", keep_attrs=True)
    with pytest.raises(ValueError, match=r"dimensions \['member'\] beside 'site' and 'time'; .*\.stack\(site=\.\.\.\)"):
        score(classes, classes, n_boot=5)


def test_an_encoder_alone_is_no_network():
    with pytest.raises(NotImplementedError):
        FramewiseNetwork(nn.Identity()).recur(None)
