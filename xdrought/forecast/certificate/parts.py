"""Do the parts keep apart in time: order, overlap, embargo, and what reaches across a border in the data?"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from xdrought.forecast.certificate.evidence import Evidence, shown
from xdrought.forecast.certificate.findings import ABSENT, LEAK, PASSED, UNKNOWN, Finding
from xdrought.splits import PARTS

RUN, DISTINCT = 20, 10  # days, and different values among them, that do not come again by chance
ON_A_LINE = 5  # days


def check_windows(evidence: Evidence) -> Finding:
    """Are these the data and the parts of the training? Otherwise nothing can be said."""
    settings, windows = evidence.forecaster.settings, evidence.windows
    found = {part: len(evidence.splits_of(windows.data).windows(windows, part)) for part in PARTS}
    told = {part: settings.get(f"{part}_windows") for part in PARTS}
    looked_at = "number of windows in each part, as the training counted them"
    numbers = {f"{part} windows": count for part, count in found.items()}
    if found == told:
        return Finding("data", PASSED, looked_at, "the data and the parts of the training", numbers)
    words = "other data, or parts that were changed after the training"
    return Finding(
        "data", UNKNOWN, looked_at, words, numbers | {f"{p} windows in training": n for p, n in told.items()}
    )


def check_order(evidence: Evidence) -> Finding:
    """At each place training first, then validation, then test."""
    bounds = {part: evidence.bounds(part) for part in PARTS}
    looked_at = "first and last target day of each part at every place"
    wrong: dict[str, int] = {}
    for a, b in (("train", "val"), ("val", "test"), ("train", "test")):
        late = bounds[a][0] > bounds[b][0]  # not so where one of them is empty
        wrong |= {f"{b} before {a}": int(late.sum())} if late.any() else {}
    if wrong:
        return Finding("order", LEAK, looked_at, f"{', '.join(wrong)}: the past is told by the future", wrong)
    return Finding(
        "order", PASSED, looked_at, "training, then validation, then test", {"places": len(bounds["test"][0])}
    )


def check_overlap(evidence: Evidence) -> Finding:
    """No target day in two parts."""
    days = {part: evidence.target_days(part) for part in PARTS}
    shared = {f"{a} and {b}": int((days[a] & days[b]).sum()) for a, b in (PARTS[:2], PARTS[1:], PARTS[::2])}
    looked_at = "target days of every two parts at every place"
    if any(shared.values()):
        words = "the same days in " + ", ".join(name for name, n in shared.items() if n)
        return Finding("overlap", LEAK, looked_at, words, shared)
    return Finding("overlap", PASSED, looked_at, "different days", shared)


def check_embargo(evidence: Evidence) -> Finding:
    """No window of a part knows of a day between the first and the last target day of another."""
    windows, span = evidence.windows, evidence.windows.window - 1 + evidence.windows.lead
    splits, days = evidence.splits_of(windows.data), windows.times.to_numpy()
    back = np.timedelta64(span + evidence.latency, "D")
    looked_at = f"{span + 1} days of every window" + (f" and {evidence.latency} of latency" * (evidence.latency > 0))
    inside: dict[str, int] = {}
    for part, other in permutations(PARTS, 2):
        index = splits.windows(windows, part)
        valid = days[windows.valid_day[index]]
        ranges = splits.ranges.sel(part=other, drop=True).transpose(*evidence.places)
        start, end = (ranges[name].to_numpy().ravel()[windows.cell[index]] for name in ("start", "end"))
        n = int(((valid - back <= end) & (valid >= start)).sum())
        inside |= {f"{part} windows with days of {other}": n} if n else {}
    numbers = {"embargo (days)": splits.embargo, **inside}
    if inside:
        return Finding("embargo", LEAK, looked_at, f"days of two parts: {', '.join(inside)}", numbers)
    return Finding("embargo", PASSED, looked_at, "days of one part each", numbers)


def check_filled_gaps(evidence: Evidence) -> Finding:
    """Is a gap at the end of a part filled by a straight line to a later part?"""
    looked_at = f"straight lines of {ON_A_LINE} days or more across the end of a part"
    across = []
    for name in evidence.names:
        values = evidence.series(name)
        line = _on_a_line(values)
        for a, b in (("train", "val"), ("val", "test"), ("train", "test")):
            for place in _lines_across(line, evidence, a, b):
                across.append(f"{name} at {evidence.place_names[place]}")
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


def _lines_across(line: np.ndarray, evidence: Evidence, before: str, after: str) -> list[int]:
    """Places where a line holds the last day of one part and the first of another."""
    end, start = evidence.bounds(before)[1], evidence.bounds(after)[0]
    found = []
    for place in np.flatnonzero(end < start):
        a, b = np.searchsorted(evidence.days, [end[place], start[place]])
        first, last = a, b
        if not line[place, a : b + 1].all():
            continue
        while line[place, first - 1]:
            first -= 1
        while line[place, last + 1]:
            last += 1
        if last - first + 3 >= ON_A_LINE:  # with both ends
            found.append(int(place))
    return found


def check_repeated_days(evidence: Evidence) -> Finding:
    """Is a stretch of the test part copied from the training part?"""
    looked_at = f"{RUN} days in a row of {evidence.target!r}, in training and tested, with {DISTINCT} different values"
    values = evidence.series(evidence.target)
    if values.shape[1] < RUN:
        return Finding("repeated days", ABSENT, looked_at, "a record too short for it")
    where: dict[str, int] = {}
    for place, row in enumerate(values):
        runs = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(row, RUN))
        lively = (np.diff(np.sort(runs, axis=1), axis=1) > 0).sum(axis=1) + 1 >= DISTINCT  # NaN: never
        lively &= np.isfinite(runs).all(axis=1)
        learnt, tested = (_whole_runs(days[place]) & lively for days in (evidence.learnt, evidence.tested))
        if learnt.any() and tested.any():
            keys = runs.view(np.dtype((np.void, runs.itemsize * RUN))).ravel()
            n = int(np.isin(keys[tested], keys[learnt]).sum())
            where |= {evidence.place_names[place]: n} if n else {}
    if where:
        words = f"training days again in what is tested, at {shown(list(where))}"
        return Finding("repeated days", LEAK, looked_at, words, {"runs": sum(where.values())})
    return Finding("repeated days", PASSED, looked_at, "none twice", {"runs": 0})


def _whole_runs(days: np.ndarray) -> np.ndarray:
    """True where RUN days in a row are all True."""
    return np.all(np.lib.stride_tricks.sliding_window_view(days, RUN), axis=1)
