"""Which sites have enough soil moisture to be used, which have not, and why."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks, limits
from xdrought.checks import require_dim
from xdrought.choices import Record
from xdrought.public_functions import public

_COUNTS = ("inserted_days", "out_of_range_days", "rejected_days")


@public
def site_report(
    ds: xr.Dataset,
    *,
    target: str = "soil_moisture",
    max_invalid: float = 0.10,
    min_days: int = 365,
    max_gap: int = 0,
    record: Record = "span",
    time: str = "time",
    site: str = "site",
) -> pd.DataFrame:
    """The table of :func:`xdrought.data.screen_sites` alone: one row a site, nothing selected or filled.

    Parameters and errors are those of :func:`xdrought.data.screen_sites`.

    Returns
    -------
    pandas.DataFrame
        One row a site, in the order of the Dataset:

        ============================ ==================================================================
        ``site first_day last_day``  the record by which the site is judged (see `record`); NaT: none
        ``days valid_days``          its days, and those with a value
        ``invalid_percent``          days without a value, % of the record
        ``filled_percent``           100 (1 - mean quality flag) over the valid days: the share of the
                                     record that was filled before publication; NaN without flags
        ``low_quality_days``         valid days with a quality flag below 0.5
        ``interpolated_days``        days that `max_gap` allows to fill
        ``longest_gap``              longest run of days without a value inside the record
        ``inserted_days``            days absent from the file                       (0 when not told by
        ``out_of_range_days``        impossible values set to missing by the reader   the reader)
        ``rejected_days``            values below `min_quality` set to missing by the reader
        ``kept reason``              the decision; why not (empty when kept)
        ============================ ==================================================================

    Examples
    --------
    >>> from xdrought.data import open_dataset, site_report
    >>> report = site_report(open_dataset("us-ar1"))
    >>> report[["site", "invalid_percent", "kept"]]
         site  invalid_percent  kept
    0  US-AR1              0.0  True
    """
    _check(ds, target, max_invalid, min_days, max_gap, record, time, site)
    values = np.asarray(ds[target].transpose(site, time).values, dtype="float64")
    quality = ds.get(f"{target}_qc")
    flags = np.full(values.shape, np.nan) if quality is None else quality.transpose(site, time).values
    days = ds.indexes[time]
    counted = [count for count in _COUNTS if count in ds.variables and ds[count].dims == (site,)]
    rows = []
    for i, name in enumerate(ds[site].values):
        first, last = _record(ds.isel({site: i}), values[i], time, record)
        row = _measure(values[i, first:last], flags[i, first:last], max_gap)
        row |= {count: int(ds[count].values[i]) if count in counted else 0 for count in _COUNTS}
        reason = _reason(row, values[i], max_invalid, min_days)
        begin, end = (days[first], days[last - 1]) if last > first else (pd.NaT, pd.NaT)
        span = {"site": name, "first_day": begin, "last_day": end}
        rows.append({**span, **row, "kept": not reason, "reason": reason})
    return pd.DataFrame(rows)


@public
def screen_sites(
    ds: xr.Dataset,
    *,
    target: str = "soil_moisture",
    max_invalid: float = 0.10,
    min_days: int = 365,
    max_gap: int = 0,
    record: Record = "span",
    time: str = "time",
    site: str = "site",
) -> tuple[xr.Dataset, pd.DataFrame]:
    """Keep the sites with a usable target and say what became of every site.

    The rules are the paper's (section 3.1): dropped is a site with over 10 % invalid days or under one year;
    and, because nothing can be learnt from it, one without any value or with a constant one.

    Parameters
    ----------
    ds : xarray.Dataset
        A SITE Dataset, (site, time), daily without a missing step; not changed. The target is computed when
        it is a dask array.
    target : str
        The variable the rules look at; ``<target>_qc``, where there is one, fills the quality columns.
    max_invalid : float
        Largest share of days without a value, 0 to 1; exactly this much is kept. It is judged before
        any filling.
    min_days : int
        Least length of the record in days.
    max_gap : int
        Fill gaps of the target of up to this many days by linear interpolation in time; longer gaps stay
        whole, and nothing is filled before the first or after the last value. 0, the default, fills
        nothing: a drought should not be invented silently. The paper filled two sites, whose longest gaps
        were 8 and 10 days: ``max_gap=10``.
    record : {"span", "file"}
        Which days count: from the first to the last valid value (the paper's numbers of sites
        suggest this one), or from the first to the last day of the site's file (``record_start`` and
        ``record_end``, which the readers give).
    time, site : str
        Names of the dimensions.

    Returns
    -------
    kept : xarray.Dataset
        The kept sites, all variables, the time axis as it was, the settings in the target's attributes.
        Without any kept site it is empty along `site`, and a warning says so.
    report : pandas.DataFrame
        One row for every site of the input, kept or not: see :func:`site_report`.

    Raises
    ------
    ValueError
        A missing variable or dimension, a time axis that is not daily, a setting out of range.

    References
    ----------
    Tang et al. (2025), section 3.1.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.data import screen_sites
    >>> moisture = np.tile(np.sin(np.arange(400.0)), (2, 1))
    >>> moisture[1, 100:150] = np.nan
    >>> ds = xr.Dataset(
    ...     {"soil_moisture": (("site", "time"), moisture)},
    ...     coords={"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=400)},
    ... )
    >>> kept, report = screen_sites(ds)
    >>> report[["site", "days", "invalid_percent", "longest_gap", "kept", "reason"]]
      site  days  invalid_percent  longest_gap   kept                    reason
    0    A   400              0.0            0   True
    1    B   400             12.5           50  False  12.5 % invalid, over 10 %
    """
    report = site_report(
        ds,
        target=target,
        max_invalid=max_invalid,
        min_days=min_days,
        max_gap=max_gap,
        record=record,
        time=time,
        site=site,
    )
    keep = np.flatnonzero(report["kept"].to_numpy(dtype=bool)) if len(report) else np.array([], dtype=int)
    if not keep.size:
        reasons = "; ".join(f"{row.site}: {row.reason}" for row in report.itertuples())
        checks.warn(f"no site is kept ({reasons or 'there was none'})")
    kept = ds.isel({site: keep})
    settings = {
        "screening": f"at most {100 * max_invalid:g} % invalid in the {record}, at least {min_days} days",
        "interpolation": f"linear, gaps of up to {max_gap} days" if max_gap else "none",
    }
    moisture = limits.check(kept[target])
    if max_gap:
        moisture = moisture.transpose(site, time)
        moisture = moisture.copy(data=_fill(moisture.values, max_gap))
    return kept.assign({target: moisture.assign_attrs(settings)}), report


def _check(
    ds: xr.Dataset,
    target: str,
    max_invalid: float,
    min_days: int,
    max_gap: int,
    record: Record,
    time: Hashable,
    site: Hashable,
) -> None:
    if target not in ds:
        raise ValueError(f"no variable {target!r}; name it with target=...; there are {list(ds)}")
    require_dim(ds[target], time)
    checks.require_site(ds[target], site)
    checks.require_sites_and_days(ds[target], site, time)
    limits.check(ds[target])
    checks.require_daily(ds[target], time)
    if not 0 <= max_invalid <= 1:
        raise ValueError(f"max_invalid={max_invalid} is outside 0 to 1; it is a share, 0.10 is 10 %")
    if min_days < 1 or max_gap < 0:
        raise ValueError(f"min_days={min_days} must be at least 1 and max_gap={max_gap} at least 0")
    if record not in ("span", "file"):
        raise ValueError(f'record={record!r} must be "span" or "file"')
    if record == "file" and not {"record_start", "record_end"} <= set(ds.variables):
        raise ValueError(
            f'record="file" needs record_start and record_end on {site!r}, which the readers give; use record="span"'
        )


def _record(place: xr.Dataset, values: np.ndarray, time: str, record: str) -> tuple[int, int]:
    """First and last-plus-one position of the days that count."""
    if record == "file":
        inside = (place[time] >= place["record_start"]) & (place[time] <= place["record_end"])
        counted = np.flatnonzero(inside)
    else:
        counted = np.flatnonzero(np.isfinite(values))
    return (int(counted[0]), int(counted[-1]) + 1) if counted.size else (0, 0)


def _measure(values: np.ndarray, flags: np.ndarray, max_gap: int) -> dict[str, float]:
    valid = np.isfinite(values)
    flagged = flags[valid & np.isfinite(flags)]
    gaps = _gap_lengths(valid)
    return {
        "days": valid.size,
        "valid_days": int(valid.sum()),
        "invalid_percent": round(100 * (1 - valid.mean()), 2) if valid.size else np.nan,
        "filled_percent": round(100 * (1 - flagged.mean()), 2) if flagged.size else np.nan,
        "low_quality_days": int((flagged < 0.5).sum()),
        "interpolated_days": int(_fillable(valid, max_gap).sum()),
        "longest_gap": int(gaps.max(initial=0)),
    }


def _reason(row: dict[str, float], values: np.ndarray, max_invalid: float, min_days: int) -> str:
    """Why a site is dropped; every rule it breaks, empty when it is kept."""
    if not row["valid_days"]:
        return "no valid value"
    broken = []
    # Counted, not taken from the rounded per cent: exactly the limit is kept.
    if row["days"] - row["valid_days"] > max_invalid * row["days"] * (1 + 1e-12):
        broken.append(f"{row['invalid_percent']:g} % invalid, over {100 * max_invalid:g} %")
    if row["days"] < min_days:
        broken.append(f"{row['days']} days, under {min_days}")
    if np.nanmin(values) == np.nanmax(values):
        broken.append("constant")
    return "; ".join(broken)


def _gap_lengths(valid: np.ndarray) -> np.ndarray:
    """For each day, the length of the run of missing days it lies in; 0 on valid days. (time,)"""
    edges = np.flatnonzero(np.diff(valid.astype("int8"), prepend=valid[:1], append=valid[-1:]))
    bounds = np.concatenate([[0], edges, [valid.size]])
    lengths = np.repeat(np.diff(bounds), np.diff(bounds))
    return np.where(valid, 0, lengths)


def _fillable(valid: np.ndarray, max_gap: int) -> np.ndarray:
    """Days in gaps of up to `max_gap` days that have a value on both sides."""
    known = np.flatnonzero(valid)
    if not known.size:
        return np.zeros(valid.shape, dtype=bool)
    position = np.arange(valid.size)
    inside = (position > known[0]) & (position < known[-1])
    return ~valid & inside & (_gap_lengths(valid) <= max_gap)


def _fill(values: np.ndarray, max_gap: int) -> np.ndarray:
    filled = np.array(values, dtype=values.dtype)
    position = np.arange(values.shape[-1])
    for row in filled:
        valid = np.isfinite(row)
        gap = _fillable(valid, max_gap)
        row[gap] = np.interp(position[gap], position[valid], row[valid])
    return filled
