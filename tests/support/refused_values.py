"""Short records with units, the words of their refusal, and what following these words makes of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xdrought import limits

DAYS = pd.date_range("2001-01-01", periods=40)


def series(values, name="x", units=None, **attrs) -> xr.DataArray:
    values = np.asarray(values)
    told = {} if units is None else {"units": units}
    return xr.DataArray(values, {"time": DAYS[: values.size]}, "time", name, attrs | told)


def follow(message: str, da: xr.DataArray) -> xr.DataArray:
    """The value of `da` after the first statement `da = ...` of a message."""
    statement = re.search(r"da = (da\..+?\))(?=[;,]? |$|, call|; if)", message + " ")
    assert statement, message
    text = statement[1]
    while text.count("(") > text.count(")"):  # the pattern stops at the first closing bracket
        text = message[message.index(text) :][: len(text) + 1]
    return eval(text, {"da": da, "abs": abs})  # noqa: S307


def refusal(da: xr.DataArray, **options) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        limits.check(da, **options)
    return str(caught.value)
