"""Training, validation and test parts that share no day, for each site by itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.patches import Patches

__all__ = ["PARTS", "Splits", "chronological"]

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Splits:
    """Date ranges of the targets of each part.

    Parameters
    ----------
    ranges : xarray.Dataset
        `start` and `end` (inclusive, NaT where a part is empty) on `part` and the places, e.g. (part, site).
    fractions : tuple of float
        Shares of the days with a target.
    embargo : int
        Days left out after each border.
    time : hashable
        The time dimension.
    """

    ranges: xr.Dataset
    fractions: tuple[float, ...]
    embargo: int
    time: Hashable = "time"

    def mask(self, part: str, times: xr.DataArray) -> xr.DataArray:
        """True on the target days of a part, on the places and the days `times`."""
        chosen = self.ranges.sel(part=_known(part), drop=True)
        return ((times >= chosen.start) & (times <= chosen.end)).transpose(..., *times.dims)

    def training_days(self, times: xr.DataArray) -> xr.DataArray:
        """True up to the end of each place's training part: what scaling and causality may see."""
        return (times <= self.ranges.end.sel(part="train", drop=True)).transpose(..., *times.dims)

    def windows(self, patches: Patches, part: str) -> np.ndarray:
        """Positions of the windows of a part: ``patches[i] for i in splits.windows(patches, "train")``."""
        places = [dim for dim in self.ranges.start.dims if dim != "part"]
        labels = {dim: patches.data.indexes[dim] for dim in places if dim in patches.data.indexes}
        chosen = self.ranges.sel(part=_known(part), drop=True).reindex(labels).transpose(*places)
        start, end = (chosen[name].to_numpy().ravel()[patches.cell] for name in ("start", "end"))
        valid = patches.times.to_numpy()[patches.valid_day]
        return np.flatnonzero((valid >= start) & (valid <= end))


def chronological(
    data: Patches | xr.DataArray,
    *,
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    embargo: int | None = None,
    time: Hashable = "time",
) -> Splits:
    """Earliest days for training, then validation, then test, at each site by itself.

    Parameters
    ----------
    data : Patches or boolean xarray.DataArray
        The windows, or True on the days that have a target, e.g. (site, time). Dask is computed.
    fractions : (float, float, float)
        Shares of each site's target days, counted before the embargo.
    embargo : int, optional
        Days without targets after each border. The default, window + lead (22 for a mask, as for windows of
        15 days and a lead of 7), keeps every input and target day of a part out of the others. The paper has
        0.
    time : hashable
        The time dimension of a mask.

    Returns
    -------
    Splits
        A part that the embargo leaves no day is empty.

    Raises
    ------
    TypeError
        For data that are neither windows nor a boolean mask.
    ValueError
        For fractions that are no shares of 1, a negative embargo, or dates that are not numpy's.

    References
    ----------
    Tang et al. 2025, section 3.4 (70:15:15).

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.splits import chronological
    >>> days = pd.date_range("2001-01-01", periods=200)
    >>> observed = xr.DataArray(np.ones((1, 200), bool), {"site": ["A"], "time": days}, ("site", "time"))
    >>> ranges = chronological(observed, embargo=5).ranges.isel(site=0)
    >>> for part, start, end in zip(ranges.part.values, ranges.start.values, ranges.end.values):
    ...     print(part, np.datetime_as_string(start, "D"), np.datetime_as_string(end, "D"))
    train 2001-01-01 2001-05-20
    val 2001-05-26 2001-06-19
    test 2001-06-25 2001-07-19
    """
    caller = "chronological"
    shares = _shares(fractions, caller)
    if isinstance(data, Patches):
        embargo = data.window + data.lead if embargo is None else embargo
        data, time = data.to_labels(np.ones(len(data), dtype=bool)), data.time
    if not isinstance(data, xr.DataArray) or data.dtype != bool:
        raise TypeError(f"{caller}: expected Patches or a boolean DataArray, got {type(data).__name__}; use .notnull()")
    embargo = 22 if embargo is None else embargo
    if isinstance(embargo, bool) or not isinstance(embargo, int | np.integer) or embargo < 0:
        raise ValueError(f"{caller}: embargo={embargo!r}; it is a whole number of days, 0 or more")
    if not isinstance(data.indexes.get(time), pd.DatetimeIndex):
        raise ValueError(
            f"{caller}: {time!r} has no numpy dates; assign them, or use .convert_calendar('standard') for cftime"
        )
    return Splits(_ranges(data, shares, int(embargo), time), shares, int(embargo), time)


def _ranges(has_target: xr.DataArray, shares: tuple[float, ...], embargo: int, time: Hashable) -> xr.Dataset:
    """First and last target day of each part at each place."""
    places = [dim for dim in has_target.dims if dim != time]
    stacked = has_target.transpose(*places, time)
    days = has_target.indexes[time].to_numpy()
    masks = stacked.to_numpy().reshape(-1, days.size)
    bounds = np.full((2, len(PARTS), len(masks)), np.datetime64("NaT"), dtype=days.dtype)
    gap = np.timedelta64(embargo + 1, "D")
    for place, mask in enumerate(masks):
        own = days[mask]
        stops = np.rint(np.cumsum(shares) * own.size).astype(int)
        for part, (first, stop) in enumerate(zip([0, *stops[:-1]], stops, strict=True)):
            if stop <= first:
                continue
            start = own[first] if first == 0 else max(own[first], own[first - 1] + gap)
            if start <= own[stop - 1]:
                bounds[:, part, place] = start, own[stop - 1]
    shape = (len(PARTS), *(has_target.sizes[dim] for dim in places))
    coords = {name: c for name, c in has_target.coords.items() if time not in c.dims}
    found = {
        name: (("part", *places), values.reshape(shape), {"long_name": f"{name} of the target days"})
        for name, values in zip(("start", "end"), bounds, strict=True)
    }
    return xr.Dataset(found, {**coords, "part": list(PARTS)})


def _shares(fractions: Sequence[float], caller: str) -> tuple[float, ...]:
    shares = tuple(float(share) for share in fractions)
    if len(shares) != len(PARTS) or min(shares) < 0 or shares[0] == 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(
            f"{caller}: fractions={fractions!r}; give three shares that add up to 1, the first (training) above 0"
        )
    return shares


def _known(part: str) -> str:
    if part not in PARTS:
        raise ValueError(f"Splits: part {part!r} is unknown; choose one of {list(PARTS)}")
    return part
