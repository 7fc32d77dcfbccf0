"""Drought as bulletins name it: D0 to D4 of percentiles, and percentiles of standardised indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import xarray as xr

from xdrought import checks, limits
from xdrought.choices import Dry
from xdrought.flags import flag_attrs
from xdrought.provenance import recorded
from xdrought.public_functions import public

CATEGORIES = {"none": 0, "D0": 1, "D1": 2, "D2": 3, "D3": 4, "D4": 5, "missing": -1}
THRESHOLDS = (30.0, 20.0, 10.0, 5.0, 2.0)  # percent, of the U.S. Drought Monitor
_DRY = get_args(Dry)
_LARGEST = 20.0  # of a standardised index; more is another quantity or a missing code


@public
@recorded
def drought_categories(percentile: xr.DataArray, *, thresholds: Sequence[float] = THRESHOLDS) -> xr.DataArray:
    """Category of each percentile: none, D0 (abnormally dry) to D4 (exceptional drought).

    Parameters
    ----------
    percentile : xarray.DataArray
        0 (driest) to 100, any shape, e.g. from :func:`xdrought.soil_moisture_percentile` or :func:`index_percentile`.
        NaN is missing.
    thresholds : sequence of 5 float
        Percentiles at or below which D0, D1, D2, D3 and D4 begin, falling.

    Returns
    -------
    xarray.DataArray
        int8 on the same dims, with CF ``flag_values`` and ``flag_meanings``: ``none`` 0, ``D0`` 1 to ``D4`` 5,
        ``missing`` -1. Lazy for dask.

    Raises
    ------
    TypeError
        For something else than numbers in a DataArray.
    ValueError
        For values outside 0 to 100, or thresholds that are not five falling percentiles.

    Notes
    -----
    The U.S. Drought Monitor weighs several indices, impacts and judgement; these are its thresholds on one index.

    References
    ----------
    Svoboda et al. 2002, The Drought Monitor, Bulletin of the American Meteorological Society 83, 1181,
    doi:10.1175/1520-0477-83.8.1181, Table 2.

    Examples
    --------
    >>> import xarray as xr
    >>> percentile = xr.DataArray([50.0, 30.0, 20.0, 7.0, 2.1, 0.0], dims="site", attrs={"units": "percent"})
    >>> drought_categories(percentile).values.tolist()
    [0, 1, 2, 3, 4, 5]
    """
    checks.require_numbers(percentile)
    levels = np.asarray(thresholds, np.float64)
    if levels.shape != (5,) or not (np.diff(levels) < 0).all() or not ((levels > 0) & (levels < 100)).all():
        raise ValueError(f"thresholds={list(thresholds)}; give five falling percentiles, e.g. {THRESHOLDS}")
    if levels[0] <= 1:
        raise ValueError(
            f"thresholds={list(thresholds)} are shares, and percentiles go from 0 to 100; give "
            f"thresholds={[round(100 * float(level), 9) for level in levels]}"
        )
    checked = limits.check(percentile, quantity="percentile", scale=False)

    def sort_in(values: np.ndarray) -> np.ndarray:
        worse = sum((values <= level).astype(np.int8) for level in levels)
        return np.where(np.isnan(values), np.int8(CATEGORIES["missing"]), worse).astype(np.int8)

    result = xr.apply_ufunc(sort_in, checked.astype("float64"), dask="parallelized", output_dtypes=[np.int8])
    return result.rename("drought_category").assign_attrs(
        long_name="drought category",
        **flag_attrs(CATEGORIES),
        thresholds=levels,
    )


@public
@recorded
def index_percentile(index: xr.DataArray, *, dry: Dry = "low") -> xr.DataArray:
    """Percentile (0 driest to 100 wettest) of a standardised index, e.g. SPI, SPEI, SSI or EDDI.

    Parameters
    ----------
    index : xarray.DataArray
        Standard normal deviates of any shape, as the xclim package gives them; NaN is missing.
    dry : {"low", "high"}
        Which end is dry: low values of SPI, SPEI and SSI, high ones of EDDI.

    Returns
    -------
    xarray.DataArray
        float64 on the same dims, units ``percent``: 100 times the normal distribution's share below (dry is low) or
        above the value. Lazy for dask. :func:`xdrought.drought_classes` takes it with ``is_percentile=True``.

    Raises
    ------
    TypeError
        For something else than numbers in a DataArray.
    ValueError
        For values that are no standard deviates (beyond 20), units other than ``1``, or an unknown end.

    References
    ----------
    McKee, Doesken and Kleist 1993 (SPI). Vicente-Serrano et al. 2010, doi:10.1175/2009JCLI2909.1 (SPEI). Hobbins et
    al. 2016, doi:10.1175/JHM-D-15-0121.1 (EDDI).

    Examples
    --------
    >>> import xarray as xr
    >>> spei = xr.DataArray([-2.0, 0.0, 1.0], dims="time", attrs={"units": "1"})
    >>> index_percentile(spei).values.round(1).tolist()
    [2.3, 50.0, 84.1]
    """
    from scipy.special import ndtr

    checks.require_numbers(index)
    checks.require_choice(dry, "dry", _DRY)
    unit = str(index.attrs.get("units", "")).strip()
    if unit not in ("", "1", "dimensionless"):
        raise ValueError(f"{index.name!r} has units {unit!r}; a standardised index has none: is it another quantity?")

    def normal(values: np.ndarray) -> np.ndarray:
        if (np.abs(values) > _LARGEST).any():
            far = values[np.abs(values) > _LARGEST].flat[0]
            raise ValueError(f"{far:g} is no standard deviate; use da.where(abs(da) <= {_LARGEST:g})")
        return 100 * ndtr(values if dry == "low" else -values)

    result = xr.apply_ufunc(normal, index.astype("float64"), dask="parallelized", output_dtypes=[np.float64])
    name = index.attrs.get("long_name") or index.name or "standardised index"
    return result.rename(f"{index.name or 'index'}_percentile").assign_attrs(
        long_name=f"percentile of {name}", units="percent", dry=dry
    )
