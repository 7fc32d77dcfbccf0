"""Does a driver hold what is only known later: of the target, of another driver, or of a day that ends later?"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd

from xdrought.calendars import DAY_BOUNDARY, LOCAL_DAYS, offset_of_days, utc_days
from xdrought.leakage.audited_data import Audit, shown
from xdrought.leakage.report import ABSENT, LEAK, PASSED, UNKNOWN, Finding


def pairwise_correlation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r of every row of `a` (m, time) with every row of `b` (n, time), and the number of common days.

    Both (m, n); NaN where a row is constant on the common days.
    """
    (a, there_a), (b, there_b) = _centred(a), _centred(b)
    n = there_a @ there_b.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_a, sum_b = a @ there_b.T, there_a @ b.T
        covariance = a @ b.T - sum_a * sum_b / n
        spread_a = (a**2) @ there_b.T - sum_a**2 / n
        spread_b = there_a @ (b**2).T - sum_b**2 / n
        flat = (spread_a <= 1e-9 * n) | (spread_b <= 1e-9 * n)  # of series with variance 1
        r = np.where(flat, np.nan, covariance / np.sqrt(spread_a * spread_b))
    return np.clip(r, -1, 1), n


def _centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of mean 0 and variance 1 with 0 where nothing is known, and 1 where something is."""
    there = np.isfinite(values)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    centred = np.where(there, values - np.where(there, values, 0).sum(axis=1, keepdims=True) / n, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n)
    return centred / np.where(spread > 0, spread, 1), there.astype("float64")


COPY, CHANGE = 0.999, 0.9999  # correlation of a copy or an average, and of a change
COMMON = 60  # days
CENTRED = 15  # days on either side of the widest centred average


def check_future(audit: Audit) -> Finding:
    """Is a driver made of observations of the target that are not reported yet?"""
    target, names = audit.target, list(audit.forecaster.drivers)
    looked_at = (
        f"every driver beside {target!r} of the days before and after: copies, averages, changes, at every place"
    )
    observed = audit.series(target)
    drivers = np.stack([audit.series(name) for name in names])
    leaks: dict[str, tuple[float, str]] = {}
    highest = 0.0
    for place, series in enumerate(observed):
        known, future = _candidates(series, audit)
        for name, values in zip(names, drivers[:, place], strict=True):
            best, words = _best(values, future)
            highest = max(highest, best)
            # better than anything that may be known, so that a slow series' yesterday is not taken for its tomorrow
            if words and 1 - best < 0.25 * (1 - _best(values, known)[0]):
                leaks[str(name)] = max(leaks.get(str(name), (0.0, "")), (best, words))
    numbers = {"highest correlation with the future": highest} | {name: r for name, (r, _) in leaks.items()}
    if leaks:
        words = shown([f"{name} is {made_of}" for name, (_, made_of) in leaks.items()])
        return Finding("future", LEAK, looked_at, words, numbers)
    return Finding("future", PASSED, looked_at, "nothing that is only known later", numbers)


Candidates = list[tuple[str, float, np.ndarray]]


def _candidates(series: np.ndarray, audit: Audit) -> tuple[Candidates, Candidates]:
    """What may be known of the target on each day, and what may not: words, threshold, (time,)."""
    name, last, reach = audit.target, -audit.latency, audit.windows.window + audit.windows.lead
    known = [(f"{name} {-k} days before", COPY, _moved(series, k)) for k in range(last - reach, last + 1)]
    known += [(f"the mean of {w} days", COPY, _mean(series, last - w + 1, last)) for w in range(2, 2 * CENTRED + 2)]
    future = [(f"{name} {k} days later", COPY, _moved(series, k)) for k in range(last + 1, reach + 1)]
    future += [
        (f"the mean of {name} from {-a} days before to {b} days after", COPY, _mean(series, a, b))
        for a, b in _spans_to_come(reach)
    ]
    future += [
        (f"the change of {name} over the next {k} days", CHANGE, _moved(series, k) - series)
        for k in range(1, reach + 1)
    ]
    return known, future


def _spans_to_come(reach: int) -> list[tuple[int, int]]:
    """First and last day, counted from today, of averages that need a later day."""
    centred = [(-h, h) for h in range(1, CENTRED + 1)]
    return centred + [(0, k) for k in range(1, reach + 1)] + [(1, k) for k in range(2, reach + 1)]


def _moved(series: np.ndarray, days: int) -> np.ndarray:
    """The value of `days` later on each day."""
    out = np.full(series.shape, np.nan)
    if abs(days) < series.size:
        out[max(-days, 0) : series.size - max(days, 0)] = series[max(days, 0) : series.size - max(-days, 0)]
    return out


def _mean(series: np.ndarray, first: int, last: int) -> np.ndarray:
    """Mean from `first` to `last` days later, where all of them are known."""
    width = last - first + 1
    if series.size < width:
        return np.full(series.shape, np.nan)
    means = np.lib.stride_tricks.sliding_window_view(series, width).mean(axis=1)  # of day t to t + width - 1
    return _moved(np.concatenate([means, np.full(width - 1, np.nan)]), first)


def _best(values: np.ndarray, candidates: Candidates) -> tuple[float, str]:
    """The highest correlation, of values or of ranks, that reaches its threshold, and what with; else ''."""
    words, thresholds, series = zip(*candidates, strict=True)
    matrix = np.stack(series)
    r = np.maximum(_correlation(values[None], matrix), _correlation(_ranks(values[None]), _ranks(matrix)))
    passing = r >= np.array(thresholds)
    best = int(np.argmax(np.where(passing, r, -1)))
    return (float(r[best]), words[best]) if passing[best] else (float(r.max()), "")


def _correlation(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    r, n = pairwise_correlation(values, matrix)
    return np.where((n >= COMMON) & np.isfinite(r), np.abs(r), 0.0)[0]


def _ranks(rows: np.ndarray) -> np.ndarray:
    return pd.DataFrame(rows.T).rank().to_numpy().T


EXACT, EXACT_RANKS = 1 - 1e-6, 0.9999  # correlation of values and of ranks; nature alone does not come so near
PLACES = 32  # places at which pairs of drivers are compared
CLEAR = 4.0  # standard errors of a correlation that is no chance


def check_other_drivers(audit: Audit) -> Finding:
    """Is a driver made of later days of another driver?"""
    names, reach = list(audit.forecaster.drivers), audit.windows.window + audit.windows.lead
    looked_at = f"every two drivers: copies, averages and changes of up to {reach} days to come, at {PLACES} places"
    if len(names) < 2:
        return Finding("future of drivers", ABSENT, looked_at, "one driver")
    series = {name: audit.series(name) for name in names}
    leaks: dict[str, str] = {}
    undecided: dict[str, str] = {}
    for place in _some_places(next(iter(series.values()))):
        for name, other, days, words in _pairs_made_of_later_days(series, place, reach):
            later = True if days is None else _is_ahead(series, name, other, days, audit, place)
            if later:
                leaks[str(name)] = f"{name} is {words}"
            elif later is None:
                undecided[str(name)] = f"{name} is {words}, or {other} its past"
    numbers = {"pairs": len(names) * (len(names) - 1)}
    if leaks:
        return Finding("future of drivers", LEAK, looked_at, shown(list(leaks.values())), numbers)
    if undecided:
        return Finding("future of drivers", UNKNOWN, looked_at, shown(list(undecided.values())), numbers)
    return Finding("future of drivers", PASSED, looked_at, "no driver is the future of another", numbers)


def _some_places(values: np.ndarray) -> np.ndarray:
    """Up to PLACES rows that hold enough days, spread over all of them."""
    rows = np.flatnonzero(np.isfinite(values).sum(axis=1) >= COMMON)
    return rows[np.unique(np.linspace(0, rows.size - 1, min(PLACES, rows.size)).astype(int))] if rows.size else rows


def _pairs_made_of_later_days(
    series: dict[Hashable, np.ndarray], place: int, reach: int
) -> Iterator[tuple[Hashable, Hashable, int | None, str]]:
    """Driver, other driver, days between them (None of an average or a change), and words, at one place."""
    names = list(series)
    rows = np.stack([series[name][place] for name in names])
    explained = np.zeros(len(names), dtype=bool)  # made of the same or earlier days of another driver
    found: list[tuple[int, int, int | None, str]] = []
    for k, other in enumerate(names):
        copies = _exactness(rows, np.stack([_moved(rows[k], days) for days in range(-reach, reach + 1)]))
        trailing = _exactness(rows, np.stack([_mean(rows[k], 1 - days, 0) for days in range(2, 2 * CENTRED + 2)]))
        words = [f"the mean of {other} from {first} to {last} days later" for first, last in _spans_to_come(reach)]
        made = [_mean(rows[k], first, last) for first, last in _spans_to_come(reach)]
        words += [f"the change of {other} over the next {days} days" for days in range(1, reach + 1)]
        made += [_moved(rows[k], days) - rows[k] for days in range(1, reach + 1)]
        later = _exactness(rows, np.stack(made))
        for row in (row for row in range(len(names)) if row != k):
            days, best = 1 + int(np.argmax(copies[row, reach + 1 :])), int(np.argmax(later[row]))
            if max(copies[row, : reach + 1].max(), trailing[row].max()) >= 1:
                explained[row] = True
            elif copies[row, reach + days] >= 1:
                found.append((row, k, days, f"{other} {days} days later"))
            elif later[row, best] >= 1:
                found.append((row, k, None, words[best]))
    yield from ((names[row], names[k], days, words) for row, k, days, words in found if not explained[row])


def _exactness(rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(rows, candidates): 1 and more where one is a copy of the other, up to a scale or a monotone function."""
    values = _pairwise_or_zero(rows, candidates) / EXACT
    return np.maximum(values, _pairwise_or_zero(_ranks(rows), _ranks(candidates)) / EXACT_RANKS)


def _pairwise_or_zero(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r, n = pairwise_correlation(a, b)
    return np.where((n >= COMMON) & np.isfinite(r), np.abs(r), 0.0)


def _is_ahead(
    series: dict[Hashable, np.ndarray], name: Hashable, other: Hashable, days: int, audit: Audit, place: int
) -> bool | None:
    """Whether `name`, which is `other` of some days later, is ahead of its time; None when that cannot be told.

    A series moved ahead ends too early, and a series moved back begins too late. Where both cover the same days, the
    target decides: the weather of a day changes it on that day or the next.
    """
    mine, theirs = (np.flatnonzero(np.isfinite(series[each][place])) for each in (name, other))
    ends_early, begins_late = mine[-1] <= theirs[-1] - days, theirs[0] >= mine[0] + days
    if ends_early != begins_late:
        return bool(ends_early)
    change = np.diff(audit.series(audit.target)[place], prepend=np.nan)
    delays = [_delay_of_the_response(series[each][place], change, 2 * days) for each in (name, other)]
    if None in delays:
        return None
    distance = [abs(delay - 0.5) for delay in delays if delay is not None]
    return None if distance[0] == distance[1] else distance[0] > distance[1]


def _delay_of_the_response(driver: np.ndarray, change: np.ndarray, reach: int) -> int | None:
    """Days after which the target changes most with a driver; None without a clear one."""
    delays = np.arange(-reach, reach + 1)
    r, n = pairwise_correlation(driver[None], np.stack([_moved(change, int(delay)) for delay in delays]))
    strength = np.where((n >= COMMON) & np.isfinite(r), np.abs(r) * np.sqrt(n), 0.0)[0]
    best = int(np.argmax(strength))
    return int(delays[best]) if strength[best] >= CLEAR else None


CHECK = "day boundaries"


def check_day_boundaries(audit: Audit) -> Finding:
    """Hours by which each driver's day ends later than the target's, at every place.

    On the day of issue these hours are still to come.
    """
    looked_at = f"attribute {DAY_BOUNDARY!r} of drivers and target, in hours from UTC at every place"
    names = [audit.target, *(name for name in audit.forecaster.drivers if _changes(audit, name))]
    boundaries = {name: str(audit.central[name].attrs.get(DAY_BOUNDARY, "")) for name in names}
    silent = [str(name) for name in names if not boundaries[name]]
    if len(silent) == len(names):
        return Finding(CHECK, ABSENT, looked_at, "no variable says by which time its days are counted")
    if not boundaries[audit.target]:
        return Finding(CHECK, UNKNOWN, looked_at, _unsaid([str(audit.target)]))
    try:
        later = {name: _hours_later(audit, boundaries[name]) for name in names[1:] if boundaries[name]}
    except ValueError as error:
        return Finding(CHECK, UNKNOWN, looked_at, str(error))
    numbers = {f"hours later, {name}": float(np.nanmax(hours)) for name, hours in later.items() if _known(hours).any()}
    ahead = {name: hours for name, hours in later.items() if (_known(hours) & (np.nan_to_num(hours) > 0)).any()}
    if ahead:
        return Finding(CHECK, LEAK, looked_at, _words(audit, boundaries, ahead), numbers)
    if silent:
        return Finding(CHECK, UNKNOWN, looked_at, _unsaid(silent), numbers)
    if lost := [str(name) for name, hours in later.items() if not _known(hours).all()]:
        return Finding(CHECK, UNKNOWN, looked_at, f"local days at places without a longitude: {shown(lost)}", numbers)
    return Finding(CHECK, PASSED, looked_at, "no driver's day ends after that of the target", numbers)


def _changes(audit: Audit, name: Hashable) -> bool:
    """Whether a driver is one of days: not the same value all the time."""
    values = audit.series(name)
    return bool((np.nanmax(values, axis=1) > np.nanmin(values, axis=1)).any())


def _hours_later(audit: Audit, boundary: str) -> np.ndarray:
    """(places,) hours from the end of the target's day to the end of a driver's; NaN without a longitude."""
    target = audit.central[audit.target].attrs[DAY_BOUNDARY]
    if boundary == target:
        return np.zeros(len(audit.place_names))
    return _offsets(audit, target) - _offsets(audit, boundary)


def _offsets(audit: Audit, boundary: str) -> np.ndarray:
    """(places,) hours from UTC to the time by which days are counted.

    Of local standard time: a coordinate `utc_offset` of the places, else the whole hour next to the sun's time.
    """
    fixed = offset_of_days(boundary)
    if fixed is not None:
        return np.full(len(audit.place_names), fixed)
    first = audit.central[audit.target].isel({audit.time: 0}, drop=True)
    lon = first.coords.get("lon", first * np.nan)
    hours = np.round(((lon + 180.0) % 360.0 - 180.0) / 15.0)
    known = first.coords.get("utc_offset", hours * np.nan)
    both = known.where(np.isfinite(known), hours).broadcast_like(first)
    return both.transpose(*audit.places).to_numpy().ravel().astype("float64")


def _known(hours: np.ndarray) -> np.ndarray:
    return np.isfinite(hours)


def _unsaid(names: list[str]) -> str:
    return f"{shown(names)} without {DAY_BOUNDARY!r}, e.g. {utc_days()!r}, {utc_days(10)!r} or {LOCAL_DAYS!r}"


def _words(audit: Audit, boundaries: dict[Hashable, str], ahead: dict[Hashable, np.ndarray]) -> str:
    """Which driver knows how many hours of the next day, where most, and by which hour its days should be counted."""
    name = max(ahead, key=lambda driver: float(np.nanmax(ahead[driver])))
    place = int(np.nanargmax(ahead[name]))
    earliest = float(np.nanmax(_offsets(audit, boundaries[audit.target])))  # midnight comes first in the east
    hours = f"{ahead[name][place]:g} hour{'' if ahead[name][place] == 1 else 's'}"
    return (
        f"{hours} of the day after at {audit.place_names[place]} in {name} ({boundaries[name]}, target "
        f"{boundaries[audit.target]}); {len(ahead)} driver(s) in all: make their days of hourly values anew, which end "
        f"with the earliest day of the target, e.g. open_era5(path, utc_offset={earliest:g})"
    )
