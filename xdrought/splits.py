"""Training, validation and test parts: days of each site that are not shared, or whole sites."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks
from xdrought.choices import Part, SplitKind
from xdrought.flags import flag_attrs
from xdrought.public_functions import public
from xdrought.shown import ShownAsCall
from xdrought.statistics.sphere import chord_of_km, unit_vectors
from xdrought.windows.labelled import Patches

__all__ = ["PARTS", "SplitConfig", "Splits", "chronological", "spatial_monte_carlo"]

PARTS = get_args(Part)
OUTSIDE = "outside"  # of all parts
PART_ATTRS = {
    "long_name": "part of the data that the target day belongs to",
    **flag_attrs({name: number for number, name in enumerate((OUTSIDE, *PARTS))}),
}


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

    def part_of(self, times: xr.DataArray) -> xr.DataArray:
        """The part of each target day, on the places and the days `times`: int8 with CF flags, 0 outside of all."""
        masks = [self.mask(part, times) for part in PARTS]
        number = masks[0].astype("int8")
        for k, mask in enumerate(masks[1:], start=2):
            number = number + mask.astype("int8") * np.int8(k)
        return number.astype("int8").assign_attrs(PART_ATTRS)

    def on_places(self, labels: Mapping[Hashable, Any]) -> Splits:
        """The same parts at the places with these labels by dimension, in their order; empty where they have none."""
        return replace(self, ranges=self.ranges.reindex(labels))

    def training_days(self, times: xr.DataArray) -> xr.DataArray:
        """True up to the end of each place's training part: what scaling and causality may see."""
        return (times <= self.ranges.end.sel(part="train", drop=True)).transpose(..., *times.dims)

    def windows(self, patches: Patches, part: str) -> np.ndarray:
        """Positions of the windows of a part: ``patches[i] for i in splits.windows(patches, "train")``."""
        start, end = (dates[patches.cell] for dates in self._dates(patches, part))
        valid = patches.times.to_numpy()[patches.valid_day]
        return np.flatnonzero((valid >= start) & (valid <= end))

    def starts(self, patches: Patches, part: str) -> tuple[np.ndarray, np.ndarray]:
        """First and last (exclusive) day on which a window of a part may start at each place, complete or not."""
        n_start = patches.data.sizes[patches.time] - patches.window + 1
        times = patches.times.to_numpy()[patches.window - 1 + patches.lead :][:n_start]  # valid times of the starts
        start, end = self._dates(patches, part)
        empty = np.isnat(start)
        first = np.where(empty, 0, np.searchsorted(times, np.where(empty, times[0], start)))
        stop = np.where(empty, 0, np.searchsorted(times, np.where(empty, times[0], end), side="right"))
        return first, np.maximum(stop, first)

    def _dates(self, patches: Patches, part: str) -> list[np.ndarray]:
        """First and last target day of a part at each place, NaT where there is none."""
        places = [dim for dim in self.ranges.start.dims if dim != "part"]
        labels = {dim: patches.data.indexes[dim] for dim in places if dim in patches.data.indexes}
        chosen = self.ranges.sel(part=_known(part), drop=True).reindex(labels).transpose(*places)
        return [chosen[name].to_numpy().ravel() for name in ("start", "end")]


@public
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
        Days without targets after each border. The default, window + longest lead (22 for a mask, as for windows of
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
    shares = _shares(fractions)
    if embargo is None:
        embargo = data.window + data.lead if isinstance(data, Patches) else 22
    embargo = checks.require_integer(embargo, "embargo", 0, of="days")
    has_target, time = _target_days(data, time)
    masks, days = _by_place(has_target, time)
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
    return Splits(_labelled(bounds, has_target, time), shares, int(embargo), time)


@public
def spatial_monte_carlo(
    data: Patches | xr.DataArray,
    *,
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    clusters: xr.DataArray | float | None = None,
    seed: int = 0,
    time: Hashable = "time",
) -> Splits:
    """Whole sites drawn for training, validation and test, as for places where nothing was measured.

    Parameters
    ----------
    data : Patches or boolean xarray.DataArray
        As for :func:`chronological`.
    fractions : (float, float, float)
        Shares of the sites that have a target; with clusters as near as whole clusters allow.
    clusters : xarray.DataArray or float, optional
        Sites that stay together: a label for each, e.g. (site), or a distance in km within which sites are
        neighbours (and neighbours of neighbours); it needs the coordinates `lat` and `lon`. Without it near
        sites, whose weather is the same, may be in different parts.
    seed : int
        Of the draw; the paper averages over five.
    time : hashable
        The time dimension of a mask.

    Returns
    -------
    Splits
        Without embargo: all days of a site are in one part.

    Raises
    ------
    TypeError
        For data that are neither windows nor a boolean mask.
    ValueError
        For fractions that are no shares of 1, clusters that do not fit the sites, or dates that are not
        numpy's.

    References
    ----------
    Tang et al. 2025, section 3.4; Xu and Liang 2001, doi:10.1016/S0169-7439(00)00122-2.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.splits import spatial_monte_carlo
    >>> days = pd.date_range("2001-01-01", periods=50)
    >>> observed = xr.DataArray(np.ones((20, 50), bool), {"site": range(20), "time": days}, ("site", "time"))
    >>> splits = spatial_monte_carlo(observed, seed=3)
    >>> [int(splits.ranges.start.sel(part=part).notnull().sum()) for part in ("train", "val", "test")]
    [14, 3, 3]
    """
    shares = _shares(fractions)
    has_target, time = _target_days(data, time)
    masks, days = _by_place(has_target, time)
    labels = _cluster_labels(clusters, has_target, time)
    drawn = _draw_parts(labels, np.flatnonzero(masks.any(axis=1)), shares, seed)
    bounds = np.full((2, len(PARTS), len(masks)), np.datetime64("NaT"), dtype=days.dtype)
    for place, part in drawn.items():
        own = days[masks[place]]
        bounds[:, part, place] = own[0], own[-1]
    return Splits(_labelled(bounds, has_target, time), shares, 0, time)


SPLITS = {"chronological": chronological, "spatial_monte_carlo": spatial_monte_carlo}


@dataclass(frozen=True, eq=False, repr=False)
class SplitConfig(ShownAsCall):
    """How to split data whose windows are not made yet: what :func:`xdrought.fit_resattcaurec` takes as `split`.

    Parameters
    ----------
    kind : {"chronological", "spatial_monte_carlo"}
        The function of this module that makes the parts.
    fractions : (float, float, float)
        Shares of training, validation and test.
    embargo : int, optional
        Target days left out after each border of a chronological split; by default window + lead + latency.
    clusters : xarray.DataArray or float, optional
        Sites that stay together in a spatial split: labels, or a distance in km.

    Raises
    ------
    ValueError
        For another kind, or an option of the other kind.

    Examples
    --------
    >>> from xdrought import SplitConfig
    >>> SplitConfig(fractions=(0.6, 0.2, 0.2), embargo=0).kind
    'chronological'
    """

    kind: SplitKind = "chronological"
    fractions: Sequence[float] = (0.70, 0.15, 0.15)
    embargo: int | None = None
    clusters: xr.DataArray | float | None = None

    def __post_init__(self) -> None:
        if self.kind not in SPLITS:
            raise ValueError(f"split={self.kind!r} is unknown; give Splits, SplitConfig, or one of {list(SPLITS)}")
        if self.kind == "chronological" and self.clusters is not None:
            raise ValueError("clusters with parts that follow each other in time; leave them out, or hold out sites")
        if self.kind != "chronological" and self.embargo is not None:
            raise ValueError(f"embargo={self.embargo!r} with whole sites held out; leave it out")


def resolve_splits(split: SplitKind | SplitConfig | Splits, windows: Patches, latency: int, seed: int) -> Splits:
    """The splits that are given, or those of a name or a configuration."""
    if isinstance(split, Splits):
        return split
    config = split if isinstance(split, SplitConfig) else SplitConfig(split)
    if config.kind == "spatial_monte_carlo":
        return spatial_monte_carlo(windows, fractions=config.fractions, clusters=config.clusters, seed=seed)
    embargo = windows.window + windows.lead + latency if config.embargo is None else config.embargo
    return chronological(windows, fractions=config.fractions, embargo=embargo)


def require_numpy_dates(da: xr.DataArray, time: Hashable) -> None:
    """Parts are told by numpy's dates."""
    if not isinstance(da.indexes.get(time), pd.DatetimeIndex):
        raise ValueError(f"{time!r} has no numpy dates; assign them, or use .convert_calendar('standard') for cftime")


def _target_days(data: Patches | xr.DataArray, time: Hashable) -> tuple[xr.DataArray, Hashable]:
    """True on the days with a target, and the name of their dimension."""
    if isinstance(data, Patches):
        data, time = data.to_labels(np.ones(len(data), dtype=bool)), data.time
    if data.dtype != bool:
        raise TypeError(f"expected Patches or a boolean DataArray, got {data.dtype}; use .notnull()")
    require_numpy_dates(data, time)
    return alignment.in_order(data, time), time


def _by_place(has_target: xr.DataArray, time: Hashable) -> tuple[np.ndarray, np.ndarray]:
    """The mask as (places, time), and the days."""
    days = has_target.indexes[time].to_numpy()
    return has_target.transpose(..., time).to_numpy().reshape(-1, days.size), days


def _labelled(bounds: np.ndarray, has_target: xr.DataArray, time: Hashable) -> xr.Dataset:
    """First and last target day, (2, part, places), on the labels of the places."""
    places = [dim for dim in has_target.dims if dim != time]
    shape = (len(PARTS), *(has_target.sizes[dim] for dim in places))
    coords = {name: c for name, c in has_target.coords.items() if time not in c.dims}
    found = {
        name: (("part", *places), values.reshape(shape), {"long_name": f"{name} of the target days"})
        for name, values in zip(("start", "end"), bounds, strict=True)
    }
    return alignment.dataset_of(found, {**coords, "part": list(PARTS)})


def _draw_parts(labels: np.ndarray, places: np.ndarray, shares: tuple[float, ...], seed: int) -> dict[int, int]:
    """The part of each place: clusters in random order, each whole in the part where its first place falls."""
    rng = np.random.default_rng(seed)
    stops = np.rint(np.cumsum(shares) * places.size)
    drawn: dict[int, int] = {}
    for label in rng.permutation(np.unique(labels[places])):
        part = int(np.searchsorted(stops, len(drawn), side="right"))
        drawn |= {int(place): part for place in places[labels[places] == label]}
    return drawn


def _cluster_labels(clusters: xr.DataArray | float | None, has_target: xr.DataArray, time: Hashable) -> np.ndarray:
    """A number for each place, the same where places stay together."""
    where = has_target.isel({time: 0}, drop=True)
    if clusters is None:
        return _places_in_order(where)
    if isinstance(clusters, xr.DataArray):
        if set(clusters.dims) != set(where.dims) or not clusters.notnull().all():
            raise ValueError(f"clusters on {tuple(clusters.dims)} must give each of {tuple(where.dims)} a label")
        here = {dim: where.indexes[dim] for dim in where.dims if dim in where.indexes and dim in clusters.indexes}
        try:
            aligned = clusters.sel(here).transpose(*where.dims)
        except KeyError as error:
            raise ValueError(f"clusters lack a label of {error}; give one for each place") from error
        return np.unique(aligned.to_numpy().ravel(), return_inverse=True)[1]
    if isinstance(clusters, bool) or not clusters > 0:
        raise ValueError(f"clusters={clusters!r}; give labels, or a distance in km above 0")
    if not {"lat", "lon"} <= set(where.coords):
        raise ValueError(f"clusters={clusters!r} km needs the coordinates 'lat' and 'lon'; assign them")
    return _near_together(where, float(clusters))


def _places_in_order(where: xr.DataArray) -> np.ndarray:
    """The number of each place in the order of labels, rows from north to south, so that draws are of labels."""
    keys = [
        where[dim].broadcast_like(where).to_numpy().ravel()
        for dim in sorted(where.dims, key=str)
        if dim in where.indexes
    ]
    if len(keys) < where.ndim or any(key.dtype.kind not in "iufMUS" and not _all_text(key) for key in keys):
        return np.arange(where.size)
    ranks = [np.unique(key, return_inverse=True)[1] for key in keys]
    ranks = [-rank if len(ranks) > 1 and number == 0 else rank for number, rank in enumerate(ranks)]
    order = np.lexsort(ranks[::-1])
    number = np.empty(where.size, np.int64)
    number[order] = np.arange(where.size)
    return number


def _all_text(key: np.ndarray) -> bool:
    return all(isinstance(one, str) for one in key)


def _first_of_each(component: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Components called by the first of their places, whatever order they were found in."""
    first = np.full(component.max() + 1, number.size)
    np.minimum.at(first, component, number)
    return first[component]


def _near_together(where: xr.DataArray, km: float) -> np.ndarray:
    """Connected components of the places that are at most `km` from another one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    lat, lon = (where[name].broadcast_like(where).to_numpy().ravel() for name in ("lat", "lon"))
    pairs = cKDTree(unit_vectors(lat, lon)).query_pairs(chord_of_km(km), output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(where.size, where.size))
    return _first_of_each(connected_components(graph, directed=False)[1], _places_in_order(where))


def _shares(fractions: Sequence[float]) -> tuple[float, ...]:
    shares = tuple(float(share) for share in fractions)
    if len(shares) != len(PARTS) or min(shares) < 0 or shares[0] == 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"fractions={fractions!r}; give three shares that add up to 1, the first (training) above 0")
    return shares


def _known(part: str) -> str:
    return checks.require_choice(part, "part", PARTS)
