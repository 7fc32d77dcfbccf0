"""Is what is tested known from another place: the same series, or the same spot, under another name?"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import xarray as xr

from xdrought.forecast.driver_inputs import learnt_targets
from xdrought.leakage.audited_data import Audit, shown
from xdrought.leakage.future_checks import pairwise_correlation
from xdrought.leakage.report import ABSENT, LEAK, PASSED, UNKNOWN, Finding
from xdrought.splits import PARTS
from xdrought.statistics.sphere import km_of_chord, unit_vectors

RUN, DISTINCT = 20, 10  # days, and different values among them, that do not come again by chance
ON_A_LINE = 5  # days


def check_windows(audit: Audit) -> Finding:
    """Are these the data and the parts of the training? Otherwise nothing can be said."""
    settings, windows = audit.forecaster.settings, audit.windows
    parts, _ = learnt_targets(windows, audit.splits_of(windows.data), audit.forecaster.target_inputs)
    found = {part: len(index) for part, index in parts.items()}
    stored = {part: settings.get(f"{part}_windows") for part in PARTS}
    looked_at = "number of windows in each part, as the training counted them"
    numbers = {f"{part} windows": count for part, count in found.items()}
    if found == stored:
        return Finding("data", PASSED, looked_at, "the data and the parts of the training", numbers)
    words = "other data, or parts that were changed after the training"
    return Finding(
        "data", UNKNOWN, looked_at, words, numbers | {f"{p} windows in training": n for p, n in stored.items()}
    )


def check_order(audit: Audit) -> Finding:
    """At each place training first, then validation, then test."""
    bounds = {part: audit.bounds(part) for part in PARTS}
    looked_at = "first and last target day of each part at every place"
    wrong: dict[str, int] = {}
    for a, b in (("train", "val"), ("val", "test"), ("train", "test")):
        late = bounds[a][0] > bounds[b][0]  # not so where one of them is empty
        wrong |= {f"{b} before {a}": int(late.sum())} if late.any() else {}
    if wrong:
        return Finding("order", LEAK, looked_at, f"{', '.join(wrong)}: the past is learnt from the future", wrong)
    return Finding(
        "order", PASSED, looked_at, "training, then validation, then test", {"places": len(bounds["test"][0])}
    )


def check_overlap(audit: Audit) -> Finding:
    """No target day in two parts."""
    days = {part: audit.target_days(part) for part in PARTS}
    shared = {f"{a} and {b}": int((days[a] & days[b]).sum()) for a, b in (PARTS[:2], PARTS[1:], PARTS[::2])}
    looked_at = "target days of every two parts at every place"
    if any(shared.values()):
        words = "the same days in " + ", ".join(name for name, n in shared.items() if n)
        return Finding("overlap", LEAK, looked_at, words, shared)
    return Finding("overlap", PASSED, looked_at, "different days", shared)


def check_embargo(audit: Audit) -> Finding:
    """No window of a part knows of a day between the first and the last target day of another."""
    windows, span = audit.windows, audit.windows.window - 1 + audit.windows.lead
    splits, days = audit.splits_of(windows.data), windows.times.to_numpy()
    back = np.timedelta64(span + audit.latency, "D")
    looked_at = f"{span + 1} days of every window" + (f" and {audit.latency} of latency" * (audit.latency > 0))
    inside: dict[str, int] = {}
    for part, other in permutations(PARTS, 2):
        index = splits.windows(windows, part)
        valid = days[windows.valid_day[index]]
        ranges = splits.ranges.sel(part=other, drop=True).transpose(*audit.places)
        start, end = (ranges[name].to_numpy().ravel()[windows.cell[index]] for name in ("start", "end"))
        n = int(((valid - back <= end) & (valid >= start)).sum())
        inside |= {f"{part} windows with days of {other}": n} if n else {}
    numbers = {"embargo (days)": splits.embargo, **inside}
    if inside:
        return Finding("embargo", LEAK, looked_at, f"days of two parts: {', '.join(inside)}", numbers)
    return Finding("embargo", PASSED, looked_at, "days of one part each", numbers)


def check_filled_gaps(audit: Audit) -> Finding:
    """Is a gap at the end of a part filled by a straight line to a later part?"""
    looked_at = f"straight lines of {ON_A_LINE} days or more across the end of a part"
    across = []
    for name in audit.names:
        values = audit.series(name)
        line = _on_a_line(values)
        for a, b in (("train", "val"), ("val", "test"), ("train", "test")):
            for place in _lines_across(line, audit, a, b):
                across.append(f"{name} at {audit.place_names[place]}")
    across = sorted(set(across))
    if across:
        return Finding(
            "filled gaps", LEAK, looked_at, f"values of both sides in {shown(across)}", {"lines": len(across)}
        )
    return Finding("filled gaps", PASSED, looked_at, "none", {"lines": 0})


def _on_a_line(values: np.ndarray) -> np.ndarray:
    """(places, time): inner days of a sloping straight line; nowhere in a series that is mostly made of them."""
    slope = np.diff(values, axis=1)
    scale = np.nanmax(np.abs(values), axis=1, keepdims=True, initial=0)
    bent = np.abs(np.diff(slope, axis=1))
    inner = (bent <= 1e-6 * scale) & (np.abs(slope[:, 1:]) > 1e-6 * scale)
    inner &= bent <= 1e-3 * np.abs(slope[:, 1:])
    line = np.pad(inner, ((0, 0), (1, 1)))
    counter = line.sum(axis=1) > 0.5 * np.isfinite(values).sum(axis=1)  # e.g. the number of the day
    return line & ~counter[:, None]


def _lines_across(line: np.ndarray, audit: Audit, before: str, after: str) -> list[int]:
    """Places where a line holds the last day of one part and the first of another."""
    end, start = audit.bounds(before)[1], audit.bounds(after)[0]
    result = []
    for place in np.flatnonzero(end < start):
        a, b = np.searchsorted(audit.days, [end[place], start[place]])
        first, last = a, b
        if not line[place, a : b + 1].all():
            continue
        while line[place, first - 1]:
            first -= 1
        while line[place, last + 1]:
            last += 1
        if last - first + 3 >= ON_A_LINE:  # with both ends
            result.append(int(place))
    return result


def check_repeated_days(audit: Audit) -> Finding:
    """Is a stretch of the test part copied from the training part?"""
    looked_at = f"{RUN} days in a row of {audit.target!r}, in training and tested, with {DISTINCT} different values"
    values = audit.series(audit.target)
    if values.shape[1] < RUN:
        return Finding("repeated days", ABSENT, looked_at, "a record too short for it")
    where: dict[str, int] = {}
    for place, row in enumerate(values):
        runs = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(row, RUN))
        lively = (np.diff(np.sort(runs, axis=1), axis=1) > 0).sum(axis=1) + 1 >= DISTINCT  # NaN: never
        lively &= np.isfinite(runs).all(axis=1)
        learnt, tested = (_whole_runs(days[place]) & lively for days in (audit.learnt, audit.tested))
        if learnt.any() and tested.any():
            keys = runs.view(np.dtype((np.void, runs.itemsize * RUN))).ravel()
            n = int(np.isin(keys[tested], keys[learnt]).sum())
            where |= {audit.place_names[place]: n} if n else {}
    if where:
        words = f"training days again in what is tested, at {shown(list(where))}"
        return Finding("repeated days", LEAK, looked_at, words, {"runs": sum(where.values())})
    return Finding("repeated days", PASSED, looked_at, "none twice", {"runs": 0})


def _whole_runs(days: np.ndarray) -> np.ndarray:
    """True where RUN days in a row are all True."""
    return np.all(np.lib.stride_tricks.sliding_window_view(days, RUN), axis=1)


NEARLY_SAME, COMMON = 0.98, 60  # correlation of changes from day to day, and days for it
ROWS = 256  # places at a time


def check_same_series(audit: Audit) -> Finding:
    """Do the tested days of a place lie in the training of another with nearly the same target?"""
    looked_at = (
        f"day-to-day changes of {audit.target!r} at every two places, of which one learns what the other is tested on"
    )
    changes = np.diff(audit.series(audit.target), axis=1)
    highest, twins = -np.inf, []
    learnt, tested = (days.astype("float32") for days in (audit.learnt, audit.tested))
    rows = np.flatnonzero(tested.any(axis=1))
    for first in range(0, rows.size, ROWS):
        some = rows[first : first + ROWS]
        shared = tested[some] @ learnt.T > 0  # (tested place, learning place)
        shared[np.arange(some.size), some] = False
        if not shared.any():
            continue
        r, n = pairwise_correlation(changes[some], changes)
        r = np.where(shared & (n >= COMMON) & np.isfinite(r), np.abs(r), -np.inf)
        highest = max(highest, float(r.max()))
        twins += [(int(some[i]), int(j)) for i, j in np.argwhere(r >= NEARLY_SAME)]
    if highest == -np.inf:
        return Finding("same series", ABSENT, looked_at, "no place learns on the days on which another is tested")
    numbers = {"highest correlation": highest, "pairs": len(twins)}
    if twins:
        words = f"places that are nearly the same: {_pairs(twins, audit)}"
        return Finding("same series", LEAK, looked_at, words, numbers)
    return Finding("same series", PASSED, looked_at, "places that differ", numbers)


def check_same_location(audit: Audit, near_km: float) -> Finding:
    """Is a place that is held out at the spot of one that is learnt from?"""
    looked_at = f"distance of every place that is held out from those of training, at least {near_km:g} km"
    learns, held_out = audit.learnt.any(axis=1), audit.tested.any(axis=1)
    held_out &= ~learns
    if not held_out.any():
        return Finding("same location", ABSENT, looked_at, "no place is held out")
    points = _on_sphere(audit)
    if points is None:
        return Finding("same location", UNKNOWN, looked_at, "places without the coordinates lat and lon")
    from scipy.spatial import cKDTree

    sources, others = np.flatnonzero(learns), np.flatnonzero(held_out)
    chord, nearest = cKDTree(points[sources]).query(points[others])
    km = km_of_chord(chord)
    numbers = {"nearest (km)": float(km.min())}
    if (km < near_km).any():
        pairs = [(int(i), int(sources[j])) for i, j, d in zip(others, nearest, km, strict=True) if d < near_km]
        return Finding("same location", LEAK, looked_at, f"the same spot: {_pairs(pairs, audit)}", numbers)
    return Finding("same location", PASSED, looked_at, "places apart", numbers)


def _on_sphere(audit: Audit) -> np.ndarray | None:
    """(places, 3) on the unit sphere."""
    data = audit.central
    if not {"lat", "lon"} <= set(data.coords):
        return None
    like = data[audit.target].isel({audit.time: 0}, drop=True)
    lat, lon = (xr.broadcast(data[n], like)[0].transpose(*audit.places).to_numpy().ravel() for n in ("lat", "lon"))
    if not (np.isfinite(lat).all() and np.isfinite(lon).all()):
        return None
    return unit_vectors(lat, lon)


def _pairs(pairs: list[tuple[int, int]], audit: Audit) -> str:
    names = audit.place_names
    return shown([f"{names[i]} = {names[j]}" for i, j in pairs], 3)
