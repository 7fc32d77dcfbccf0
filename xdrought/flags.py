"""CF flags: classes are small integers, and the attributes of an array say which number is which class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr


def flag_attrs(classes: Mapping[str, int]) -> dict[str, object]:
    """The attributes ``flag_values`` and ``flag_meanings`` of an int8 array of classes, by their names and values.

    Examples
    --------
    >>> flag_attrs({"wet": 0, "dry": 1})["flag_meanings"]
    'wet dry'
    """
    return {"flag_values": np.array(list(classes.values()), np.int8), "flag_meanings": " ".join(classes)}


def flags_of(da: xr.DataArray) -> dict[str, int]:
    """Names and values of the classes of an array; empty where its attributes do not say them.

    Examples
    --------
    >>> flags_of(xr.DataArray([0, 1], dims="time", attrs=flag_attrs({"wet": 0, "dry": 1})))
    {'wet': 0, 'dry': 1}
    """
    values, meanings = da.attrs.get("flag_values"), da.attrs.get("flag_meanings")
    if values is None or meanings is None:
        return {}
    return dict(zip(str(meanings).split(), np.atleast_1d(values).tolist(), strict=True))
