"""Random records for the events, and every way in which the package and the slow reference differ on them.

`tests/events/test_events.py` runs a few hundred of them, `tests/campaigns/check_events.py` a hundred thousand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

import xdrought as xd
from tests.support import oracles
from xdrought import calendars

LEVELS = np.array([5, 10, 15, 19, 20, 21, 30, 39, 40, 41, 60])  # percentiles on and around the thresholds
IN_STEPS = ("recovery", "min_duration", "min_wet_run", "max_onset", "max_gap")
LONGEST = 120  # steps: the reference needs time with the square of it


@dataclass(frozen=True)
class Records:
    """Records of one length with the options to read them by; durations in steps."""

    values: np.ndarray  # (rows, time)
    time: pd.DatetimeIndex
    days: list[int]
    step: int  # days
    is_percentile: bool
    method: str
    options: dict


def draw_records(rng: np.random.Generator, n_rows: int) -> Records:
    """Walks, ties, sensor floors, permutations, outliers or runs of percentiles, with and without gaps."""
    n_time = int(rng.integers(1, LONGEST))
    if rng.random() < 0.5:  # one day sits exactly on each threshold when there is no gap
        n_time += (1 - n_time) % 5
    kind = rng.choice(["walk", "ties", "floor", "permutation", "pulses", "outlier", "percentiles"])
    values = draw_values(rng, kind, n_rows, n_time).astype(rng.choice(["float32", "float64"]))
    missing = rng.random(values.shape) < rng.choice([0, 0, 0, 0.01, 0.05, 0.4])
    values[missing] = rng.choice([np.nan, np.inf, -np.inf])
    step = int(rng.choice([1, 1, 5]))
    time = pd.date_range("2003-11-02", periods=n_time, freq="D")
    if step == 5:
        daily = pd.date_range("2003-11-02", periods=6 * n_time, freq="D")  # the first pentad begins here
        time = daily[calendars.pentad_blocks(daily).first[:n_time]]
    days = [int(day) for day in (time - time[0]).days]
    method = str(rng.choice(sorted(oracles.PLOTTING_POSITIONS) + ["linear"] * 5))
    options = draw_options(rng) | {"max_gap": int(rng.choice([0, 1, 2, 10]))}
    return Records(values, time, days, step, bool(kind == "percentiles"), method, options)


def draw_values(rng: np.random.Generator, kind: str, n_rows: int, n_time: int) -> np.ndarray:
    shape = (n_rows, n_time)
    walk = np.cumsum(rng.standard_normal(shape), axis=1)
    if kind == "ties":
        return np.round(walk * rng.choice([0.3, 1, 3]))
    if kind == "floor":
        return np.maximum(walk, np.quantile(walk, 0.3, axis=1, keepdims=True))
    if kind == "permutation":
        return np.argsort(np.argsort(walk, axis=1), axis=1).astype("float64")
    if kind == "pulses":  # rain and recession
        rain = rng.exponential(1.0, shape) * (rng.random(shape) < 0.08)
        return np.stack([np.convolve(row, 0.93 ** np.arange(n_time))[:n_time] for row in rain])
    if kind == "outlier":
        walk[np.arange(n_rows), rng.integers(0, n_time, n_rows)] = 1e6
        return walk
    if kind == "percentiles":
        runs = rng.choice(LEVELS, (n_rows, n_time))
        keep = np.maximum.accumulate(np.where(rng.random(shape) < 0.3, np.arange(n_time), 0), axis=1)
        return np.take_along_axis(runs, keep, axis=1).astype("float64")
    return walk


def draw_options(rng: np.random.Generator) -> dict:
    """The published reading in a third of the draws, anything else in the others."""
    relapse = str(rng.choice(["event", "drop", "merge"]))
    end_at = str(rng.choice(["before_rise", "rise"]))
    if rng.random() < 1 / 3:
        return {"relapse": relapse, "end_at": end_at}
    max_onset = rng.choice([0, 1, 5, 20])
    return {
        "relapse": relapse,
        "end_at": end_at,
        "recovery": int(rng.integers(1, 7)),
        "min_duration": int(rng.integers(1, 16)),
        "min_wet_run": int(rng.integers(1, 4)),
        "max_onset": int(max_onset) if max_onset else None,
        "upper": int(rng.choice([40, 40, 50])),
        "lower": int(rng.choice([20, 20, 10])),
        "min_rate": float(rng.choice([0, 0.5, 1, 2])),
    }


def differences(records: Records, tally: Counter | None = None) -> list[str]:
    """One line for every record on which the package and the reference differ; nothing is rounded or left out."""
    options = {k: v * records.step if k in IN_STEPS and v else v for k, v in records.options.items()}
    options = {"max_gap": 0} | options
    da = xr.DataArray(records.values, dims=("site", "time"), coords={"time": records.time})
    keywords = {"is_percentile": records.is_percentile, "percentile_method": records.method, **options}
    table = xd.flash_drought_events(da, **keywords)
    labels = xd.drought_classes(da, **keywords).values
    filled = xd.drought_classes(da, fill_gaps=True, **keywords).values
    fractions = xd.drought_summary(da, **keywords).drought_fraction.values
    bounds = np.searchsorted(table["cell"].values, np.arange(len(records.values) + 1))
    found = list(zip(*_columns(table, da.get_index("time")), strict=True))
    wrong = []
    for row, values in enumerate(records.values):
        expected, classes = expect(records, values, tally)
        got = found[bounds[row] : bounds[row + 1]]
        if got != expected:
            wrong.append(f"events of {values.tolist()} with {keywords}: {got}, expected {expected}")
        hidden = np.where(np.isfinite(values), classes, -1)
        for what, got_classes, wanted in (("classes", labels, hidden), ("filled classes", filled, classes)):
            if got_classes[row].tolist() != list(wanted):
                wrong.append(f"{what} of {values.tolist()} with {keywords}: {got_classes[row]}, expected {wanted}")
        days, valid = np.isin(hidden, (2, 4)).sum(), (hidden >= 0).sum()
        if valid and fractions[row] != days / valid:
            wrong.append(f"fraction of {values.tolist()} with {keywords}: {fractions[row]}, expected {days} of {valid}")
    return wrong


def _columns(table: xr.Dataset, index: pd.Index) -> list[list]:
    when = [index.get_indexer(table[f"{name}_time"].values).tolist() for name in ("onset", "start", "end")]
    names = ("onset_percentile", "start_percentile", "intensification_rate", "is_flash", "is_censored", "gap_days")
    return when + [table[name].values.tolist() for name in names]


def expect(records: Records, values: np.ndarray, tally: Counter | None) -> tuple[list[tuple], list[int]]:
    """What the reference says; the rate is the quotient of the two percentiles as floats and of whole days."""
    options = dict(records.options)
    max_gap = options.pop("max_gap", 0)
    seen = [float(v) if np.isfinite(v) else None for v in values]
    line = oracles.bridged(seen, max_gap)
    series = [None if v is None else float(values.dtype.type(v)) for v in line]  # as exact as the record itself
    few = sum(v is not None for v in series) < 2
    p = series if records.is_percentile else oracles.percentiles(series, records.method)
    if records.step == 5:  # the defaults are in days
        options = {"recovery": 1, "min_duration": 3} | options
    events = [] if few else oracles.events(p, days=records.days, **options)
    classes = [-1 if v is None else 0 for v in series]
    if not few:
        classes = oracles.classes(p, events, oracles.cut_spells(p, **options))
    for event in events:
        event["gap_days"] = sum(v is None for v in seen[event["to"] : event["te"] + 1]) * records.step
    if tally is not None:
        limits = (records.options.get("lower", 20), records.options.get("upper", 40))
        valid = [v for v in series if v is not None]
        tally["series"] += 1
        tally["events"] += len(events)
        tally["flash droughts"] += sum(e["is_flash"] for e in events)
        tally["censored events"] += sum(e["censored"] for e in events)
        tally["series with ties"] += len(set(valid)) < len(valid)
        tally["series with gaps"] += None in seen
        tally["events over a bridged gap"] += sum(e["gap_days"] > 0 for e in events)
        tally["days of which nobody knows"] += classes.count(-1) - series.count(None)
        tally["series with a day exactly on a threshold"] += any(v in limits for v in p)
        tally["pentad series"] += records.step == 5
        tally[f"relapse={records.options['relapse']}"] += 1
        tally["events that end at the rise"] += sum(
            records.options.get("end_at") == "rise" and not e["censored"] for e in events
        )
    return [_as_floats(e, records.days) for e in events], classes


def _as_floats(event: dict, days: list[int]) -> tuple:
    onset, start = float(event["p_to"]), float(event["p_ts"])
    rate = (onset - start) / (days[event["ts"]] - days[event["to"]])
    steps = (event["to"], event["ts"], event["te"])
    return *steps, onset, start, rate, event["is_flash"], event["censored"], event["gap_days"]
