"""Which days and which stations are doubtful: stuck sensors, spikes, and steps and drifts against a reference."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.flags import flag_attrs
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.homogeneity import Break, Jumps, exceedance, find_break
from xdrought.statistics.sphere import km_of_chord, unit_vectors

_DAYS_OF_A_MONTH = 15  # that its mean needs
_LEAST_MONTHS = 6  # on each side of a step
_BACK = 0.2  # of a spike's height: how far the days before and after may differ
_BRIDGED = 2  # days without a value that a jump may lie in
_TAIL = (0.05, 15, 100)  # of the rises, or falls, of a record, which are its jumps: a share, the fewest, the most
_WORDS = ("itself", "neighbours", "reference")
_P_VALUES = ("step_p_value", "drift_p_value", "p_value")


@public
@recorded
def quality_report(
    ds: xr.Dataset,
    *,
    target: str = "soil_moisture",
    reference: xr.DataArray | str | None = None,
    neighbours: int = 5,
    max_distance: float = 500.0,
    constant_days: int = 10,
    spike: float = 1.0,
    min_step: float = 0.25,
    alpha: float = 0.05,
    n_simulations: int = 499,
    seed: int = 0,
    time: str = "time",
    site: str = "site",
) -> xr.Dataset:
    """Doubtful days and doubtful stations: values that stand still, spikes, steps and drifts.

    Parameters
    ----------
    ds : xarray.Dataset
        SITE data with daily `target` on (site, time), and ``lat lon`` on site for neighbours. Read into memory.
    target : str
        The soil moisture that is looked at.
    reference : str or xarray.DataArray, optional
        Another soil moisture of the same places on (site, time) or (time,), e.g. of a reanalysis: any units. Without
        it a station is compared with its neighbours, and a station without any with its own past.
    neighbours : int
        Nearest stations whose median is the reference.
    max_distance : float
        How far these may be, km.
    constant_days : int
        Days in a row with one and the same value from which on they are doubtful.
    spike : float
        A day is a spike when it lies above, or below, both neighbouring days by more than so many standard deviations
        of the station, and these two differ by less than a fifth of that.
    min_step : float
        Standard deviations of the station's days that a step, or a drift from end to end, must have at least. Smaller
        ones can be sure and of no account, or be the echo of a neighbour's.
    alpha : float
        Share of sound stations that may be called stepped or drifting.
    n_simulations : int
        Series without steps that each station is held against.
    seed : int
        Of these series.
    time, site : str
        Names of the dimensions.

    Returns
    -------
    xarray.Dataset
        ``is_suspect`` (site, time), true on days that stand still or are spikes; on site ``constant_days spike_days``,
        ``has_step step_time step_size step_p_value`` (in the units of `target`; the day of the jump, or where there is
        none the first day of the month after the step), ``has_drift drift drift_p_value`` (per year), ``p_value`` of
        neither a step nor a drift, ``is_flagged``, true for one of both, and ``compared_with`` (flags ``itself
        neighbours reference``).

    Raises
    ------
    KeyError
        No variable of that name.
    ValueError
        Other dimensions, a time axis that is not daily, or a reference with other labels.

    Notes
    -----
    Steps are looked for in monthly anomalies less the part that goes with the reference's, by the standard normal
    homogeneity test, and on days when the record jumps: the rarer such a jump is among the record's own rises, or
    falls, the more it adds to the statistic of a step there. Soil moisture remembers, so that the test's own tables
    would see steps everywhere: p-values are of simulated series with the same memory and gaps
    (``xdrought.statistics.homogeneity.find_break``). Rain makes a record jump, too, so that a lone station needs a step
    of its level as well; its antecedent rain as the `reference` explains both. A step also bends a line, and a drift
    also has two halves: the one that is less likely by chance is named. What is found at stations with
    planted steps is measured in the documentation. A station is judged by itself alone: with many of them control the
    rate, ``false_discovery_control(report.p_value)``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.data import quality_report
    >>> rng = np.random.default_rng(0)
    >>> weather = np.cumsum(rng.normal(size=2000)) * 0.002
    >>> values = 0.3 + weather + 0.01 * rng.normal(size=(6, 2000))
    >>> values[2, 1000:] += 0.1
    >>> days = pd.date_range("2001-01-01", periods=2000)
    >>> places = {"lat": ("site", np.linspace(47, 48, 6)), "lon": ("site", [8.0] * 6)}
    >>> coords = {"time": days, "site": list("abcdef"), **places}
    >>> sm = xr.DataArray(values, dims=("site", "time"), attrs={"units": "m3 m-3"})
    >>> report = quality_report(xr.Dataset({"soil_moisture": sm}, coords))
    >>> report.site[report.has_step].values, report.step_time[2].dt.strftime("%Y-%m-%d").item()
    (array(['c'], dtype='<U1'), '2003-09-28')
    >>> sound = sm.assign_coords(coords).where(~report.is_suspect).sel(site=~report.is_flagged)
    """
    checks.require_integers(neighbours=neighbours, constant_days=constant_days, n_simulations=n_simulations)
    checks.require_share(alpha, "alpha", 0.05)
    da = _daily(ds, target, site, time)
    values = da.values.astype(np.float64)
    stuck = standing_still(values, constant_days)
    spikes = lonely_days(values, spike)
    month, names = _months(da.indexes[time])
    clean = np.where(stuck | spikes, np.nan, values)
    anomalies, changes = _anomalies(clean, month, names), _changes(clean)
    others = None
    if reference is not None:
        other = _of_reference(ds, reference, da)
        others = _anomalies(other, month, names), _changes(other)
    near = _neighbours(ds, site, neighbours, max_distance)
    least = min_step * _spread(values)
    breaks, days, compared = [], [], []
    for k in range(len(values)):
        beside, beside_changes = (
            (_median(anomalies, near[k]), _median(changes, near[k])) if others is None else (one[k] for one in others)
        )
        rest, is_compared = _residual(anomalies[k], beside)
        jumps, when = _jumps(_residual(changes[k], beside_changes)[0], month)
        found = find_break(rest, _LEAST_MONTHS, n_simulations, np.random.default_rng([seed, k]), jumps, 12)
        breaks.append(found)
        days.append(when[found.jump] if found.jump >= 0 else names[max(found.position, 0), 2])
        compared.append((1 if others is None else 2) if is_compared else 0)
    where = np.array(days), np.array(compared, np.int8)
    return _labelled(da, stuck, spikes, breaks, *where, len(names), alpha, least, site, time)


def standing_still(values: np.ndarray, least: int) -> np.ndarray:
    """Days of runs of at least `least` equal values, bool like `values` (site, time)."""
    out = np.zeros(values.shape, bool)
    for row, found in zip(values, out, strict=True):
        edges = np.flatnonzero(~(row[1:] == row[:-1])) + 1
        starts, ends = np.r_[0, edges], np.r_[edges, row.size]
        for start, end in zip(starts, ends, strict=True):
            found[start:end] = end - start >= least and np.isfinite(row[start])
    return out


def lonely_days(values: np.ndarray, height: float) -> np.ndarray:
    """Days above or below both neighbours by `height` standard deviations, when these agree; (site, time)."""
    with np.errstate(invalid="ignore"):
        before, day, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
        up = np.minimum(day - before, day - after)
        down = np.minimum(before - day, after - day)
        jump = np.fmax(up, down)
        inside = (jump > height * _spread(values)[:, None]) & (np.abs(after - before) < _BACK * jump)
    return np.pad(inside, ((0, 0), (1, 1)))


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation of the values that are there (site,); NaN without any."""
    valid = np.isfinite(values).any(axis=1)
    spread = np.full(len(values), np.nan)
    spread[valid] = np.nanstd(values[valid], axis=1)
    return spread


def _daily(ds: xr.Dataset, target: str, site: str, time: str) -> xr.DataArray:
    if target not in ds:
        raise KeyError(f"no variable {target!r}; there are {sorted(map(str, ds.data_vars))}: name it with target=")
    da = ds[target]
    checks.require_dim(da, time)
    checks.require_site(da, site)
    checks.require_sites_and_days(da, site, time)
    checks.require_daily(da, time)
    return limits.check(da.transpose(site, time), codes_only=True)


def _months(index: object) -> tuple[np.ndarray, np.ndarray]:
    """Number of each day's month from 0, and (month, 3) the year, the month, and the place of its first day."""
    key = np.asarray(index.year) * 12 + np.asarray(index.month) - 1  # type: ignore[attr-defined]
    number = key - key[0]
    every = np.arange(number[-1] + 1)
    first = np.searchsorted(number, every)
    return number, np.stack([(key[0] + every) // 12, (key[0] + every) % 12, first], axis=1)


def _anomalies(values: np.ndarray, month: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Monthly means (site, month) less the mean of the calendar month; NaN with too few days, or one such month."""
    there = np.isfinite(values)
    n = np.stack([np.bincount(month, row, len(names)) for row in there])
    total = np.stack([np.bincount(month, row, len(names)) for row in np.where(there, values, 0.0)])
    means = np.where(n >= _DAYS_OF_A_MONTH, total / np.maximum(n, 1), np.nan)
    out = np.full(means.shape, np.nan)
    for calendar_month in range(12):
        own = means[:, names[:, 1] == calendar_month]
        count = np.isfinite(own).sum(axis=1, keepdims=True)
        mean = np.where(count > 1, np.nansum(own, axis=1, keepdims=True) / np.maximum(count, 1), np.nan)
        out[:, names[:, 1] == calendar_month] = own - mean
    return out


def _changes(values: np.ndarray) -> np.ndarray:
    """From each day to the next (site, time), across short gaps as well; NaN on the first day and after longer gaps."""
    return pd.DataFrame(values.T).ffill(limit=_BRIDGED).diff().to_numpy().T


def _jumps(changes: np.ndarray, month: np.ndarray) -> tuple[Jumps, np.ndarray]:
    """The largest rises and falls (time,), no two of them on days in a row, and their days."""
    places, directions, shares, most = [], [], [], []
    for direction in (1, -1):
        size = np.where(np.isfinite(changes), direction * changes, 0.0)
        beside = np.maximum(np.r_[0.0, size[:-1]], np.r_[size[1:], 0.0])
        tops = np.flatnonzero((size > 0) & (size >= beside))
        kept, share = exceedance(size[tops], *_TAIL)
        places.append(tops[kept])
        directions.append(np.full(kept.size, direction))
        shares.append(share)
        most.append(np.full(kept.size, kept.size / max(tops.size, 1)))
    days = np.concatenate(places)
    return Jumps(month[days], np.concatenate(directions), np.concatenate(shares), np.concatenate(most)), days


def _of_reference(ds: xr.Dataset, reference: xr.DataArray | str, da: xr.DataArray) -> np.ndarray:
    given = ds[reference] if isinstance(reference, str) else reference
    aligned = alignment.align_to(da, given, what="reference").broadcast_like(da).transpose(*da.dims)
    return aligned.values.astype(np.float64)


def _neighbours(ds: xr.Dataset, site: str, most: int, max_distance: float) -> list[np.ndarray]:
    """The nearest stations of each one; none where places are not known."""
    n = ds.sizes[site]
    if not {"lat", "lon"} <= set(ds.coords):
        return [np.zeros(0, int)] * n
    points = unit_vectors(ds.lat.values.astype(float), ds.lon.values.astype(float))
    km = km_of_chord(np.linalg.norm(points[:, None] - points[None], axis=-1))
    np.fill_diagonal(km, np.inf)
    order = np.argsort(km, axis=1)[:, :most]
    return [row[km[k, row] <= max_distance] for k, row in enumerate(order)]


def _median(values: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Median of the neighbours' values, each in its own standard deviations, so that a bad one does not count."""
    out = np.full(values.shape[1], np.nan)
    known = [k for k in near if np.isfinite(values[k]).sum() > 2 * _LEAST_MONTHS and np.nanstd(values[k]) > 0]
    if known:
        scaled = values[known] / np.nanstd(values[known], axis=1, keepdims=True)
        some = np.isfinite(scaled).any(axis=0)
        out[some] = np.nanmedian(scaled[:, some], axis=0)
    return out


def _residual(own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, bool]:
    """What does not go with others, and whether there were enough of them; else all of it."""
    both = np.isfinite(own) & np.isfinite(other)
    if both.sum() < max(0.5 * np.isfinite(own).sum(), 4 * _LEAST_MONTHS):
        return own, False
    x, y = np.diff(other[both]), np.diff(own[both])  # a step is in one of the differences only
    slope = (x * y).sum() / max((x**2).sum(), 1e-300)
    return np.where(both, own - slope * other, np.nan), True


def _labelled(
    da: xr.DataArray,
    stuck: np.ndarray,
    spikes: np.ndarray,
    breaks: list[Break],
    days: np.ndarray,
    compared: np.ndarray,
    n_months: int,
    alpha: float,
    least: np.ndarray,
    site: Hashable,
    time: Hashable,
) -> xr.Dataset:
    unit = str(da.attrs.get("units", "1"))
    step_p, drift_p, p = (np.array([getattr(b, name) for b in breaks]) for name in _P_VALUES)
    is_step = np.array([(b.step_p_value, -b.step_share) <= (b.drift_p_value, -b.drift_share) for b in breaks])
    size, slope = (np.array([getattr(b, name) for b in breaks]) for name in ("size", "slope"))
    has_step = (p <= alpha) & is_step & (np.abs(size) >= least)
    has_drift = (p <= alpha) & ~is_step & (np.abs(slope) * n_months >= least)
    found = [b.position >= 0 for b in breaks]
    when = da.indexes[time].values[days]
    nothing: Any = np.datetime64("NaT") if when.dtype.kind == "M" else None  # cftime has no NaT
    when = np.where(found, when, nothing)

    def on_site(values: np.ndarray, text: str, units: str | None = None, **attrs: object) -> tuple:
        return site, values, {"long_name": text, **({"units": units} if units else {}), **attrs}

    flags = flag_attrs({name: number for number, name in enumerate(_WORDS)})
    variables = {
        "is_suspect": ((site, time), stuck | spikes, {"long_name": "whether a value stands still or is a spike"}),
        "constant_days": on_site(stuck.sum(axis=1), "days of runs of equal values", "1"),
        "spike_days": on_site(spikes.sum(axis=1), "days that are spikes", "1"),
        "has_step": on_site(has_step, "whether the mean has a step"),
        "step_time": on_site(when, "day of the likeliest step, or the first day of the month after it"),
        "step_size": on_site(size, "mean after less mean before the likeliest step", unit),
        "step_p_value": on_site(step_p, "p-value of no step", "1"),
        "has_drift": on_site(has_drift, "whether the mean drifts"),
        "drift": on_site(12 * slope, "slope of the line through the months", f"{unit} year-1"),
        "drift_p_value": on_site(drift_p, "p-value of no drift", "1"),
        "p_value": on_site(p, "p-value of neither a step nor a drift", "1"),
        "is_flagged": on_site(has_step | has_drift, "whether the record has a step or a drift"),
        "compared_with": on_site(compared, "what the record was compared with", None, **flags),
    }
    return alignment.dataset_of(variables, da.coords)
