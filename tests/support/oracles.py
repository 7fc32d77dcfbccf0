"""Slow, exact and plain second implementations of the event rules, for tests to compare with.

One series at a time, integers and fractions only, no arrays: what a percentile, a drought event, a class or a
published definition *is*, written so that it can be read against its source. Nothing here shares code with
the package. A missing value is ``None`` (a float NaN is accepted and means the same).

Order of this module: percentiles, events, classes, then two published definitions with rules of their own
(Yuan et al. 2023, Osman et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Number = int | float | Fraction
HUNDRED = Fraction(100)

# percentile of rank r among n values, each with the source's usual name
PLOTTING_POSITIONS = {
    "linear": lambda r, n: HUNDRED * (r - 1) / (n - 1),
    "hazen": lambda r, n: HUNDRED * (r - Fraction(1, 2)) / n,
    "weibull": lambda r, n: HUNDRED * r / (n + 1),
    "ecdf": lambda r, n: HUNDRED * r / n,
    "gringorten": lambda r, n: HUNDRED * (r - Fraction(44, 100)) / (n + Fraction(12, 100)),
}


def exact(values: Sequence[Number | None]) -> list:
    """The values as fractions (a float is exactly the binary fraction it holds), missing ones as None."""
    return [None if v is None or v != v else Fraction(v) for v in values]


def percentiles(values: Sequence[Number | None], method: str = "linear") -> list[Fraction | None]:
    """Percentile of each value in the pool of all valid values; ties share their average rank.

    Fewer than two valid values have no percentiles: every entry is None, whatever the method.
    """
    position = PLOTTING_POSITIONS[method]
    series = exact(values)
    pool = [v for v in series if v is not None]
    n = len(pool)
    if n < 2:
        return [None] * len(series)
    return [None if v is None else position(average_rank(v, pool), n) for v in series]


def average_rank(value: Fraction, pool: Sequence[Fraction]) -> Fraction:
    """Mean of the ranks (from 1) that the members of `pool` equal to `value` occupy when sorted."""
    below = sum(1 for other in pool if other < value)
    equal = sum(1 for other in pool if other == value)
    return below + Fraction(equal + 1, 2)


def percentiles_of_reference(
    values: Sequence[Number | None], reference: Sequence[Number | None], method: str = "linear"
) -> list[Fraction | None]:
    """Percentile of each value among the order statistics of another record.

    A value found in the reference has its percentile there (average rank at ties); between two neighbouring
    distinct reference values the percentile is interpolated linearly; below the smallest it is 0 and above
    the largest 100. A reference of fewer than two valid values gives None everywhere.
    """
    pool = [v for v in exact(reference) if v is not None]
    known = {v: p for v, p in zip(pool, percentiles(pool, method), strict=True) if p is not None}
    return [None if v is None or not known else _look_up(v, known) for v in exact(values)]


def _look_up(value: Fraction, known: dict[Fraction, Fraction]) -> Fraction:
    if value in known:
        return known[value]
    smaller = [v for v in known if v < value]
    larger = [v for v in known if v > value]
    if not smaller:
        return Fraction(0)
    if not larger:
        return HUNDRED
    low, high = max(smaller), min(larger)
    return known[low] + (known[high] - known[low]) * (value - low) / (high - low)


def bridged(values: Sequence[Number | None], max_gap: int) -> list[Number | None]:
    """The series with a straight line over every run of at most `max_gap` missing steps between two values.

    Lines are drawn in double precision as ``slope * steps + first``, the way :func:`numpy.interp` does.
    """
    series = [None if v is None or v != v else float(v) for v in values]
    valid = [t for t, v in enumerate(series) if v is not None]
    for first, last in zip(valid[:-1], valid[1:], strict=True):
        if 1 < last - first <= max_gap + 1:
            slope = (series[last] - series[first]) / (last - first)
            for t in range(first + 1, last):
                series[t] = slope * (t - first) + series[first]
    return series


def events(
    p: Sequence[Number | None],
    *,
    upper: Number = 40,
    lower: Number = 20,
    min_rate: Number = 1,
    recovery: int = 5,
    end_at: str = "before_rise",
    min_duration: int = 15,
    relapse: str = "event",
    min_wet_run: int = 1,
    max_onset: int | None = None,
    days: Sequence[int] | None = None,
) -> list[dict]:
    """The drought events of one percentile series, each a dict, in the order of their start.

    1. A missing step cuts the record. Each piece between gaps is treated as if nothing lay before it.
    2. A *dry spell* starts at the first step with p < lower that is not in a spell, and ends (`te`) with the
       last step before the first `recovery` consecutive steps with p > lower, all inside the piece. Without
       such a run it ends with the piece's last step and is *censored*. Shorter excursions above `lower`, even
       above `upper`, belong to the spell.
    3. The *onset point* (`to`) of a spell is the last wet step before its start `ts`. A step is wet when
       p > upper and it lies in at least `min_wet_run` consecutive such steps of the piece. It may lie inside
       an earlier spell.
    4. A spell is a *relapse* when the same piece has an earlier spell and no wet step lies between the end of
       the one just before and `ts`. "event" treats it like any other spell; "drop" removes it, whatever
       became of the spell before; "merge" lets the spell before go on until the relapse's end, censored if
       the relapse is.
    5. With ``end_at="rise"`` the `te` of spells that are not censored is one step later; the spells before and after
       do not change.
    6. Only then are spells without an onset point and those shorter than `min_duration` steps (ts and te
       included) removed.
    7. rate = (p[to] - p[ts]) / (days[ts] - days[to]); `is_flash` when rate >= min_rate and, given
       `max_onset`, ts - to <= max_onset steps. `days` defaults to 0, 1, 2, ...

    Keys: to, ts, te, p_to, p_ts, rate, is_flash, censored.
    """
    if relapse not in ("event", "drop", "merge"):
        raise ValueError(f"relapse must be 'event', 'drop' or 'merge', got {relapse!r}")
    p = exact(p)
    day = list(range(len(p))) if days is None else list(days)
    found = []
    for first, last in pieces(p):
        wet = _wet_steps(p, first, last, upper, min_wet_run)
        spells = _resolve_relapses(dry_spells(p, first, last, lower, recovery), wet, relapse)
        for ts, te, censored in _with_rise(spells, end_at):
            before = [t for t in wet if t < ts]
            if not before or te - ts + 1 < min_duration:
                continue
            to = before[-1]
            rate = (p[to] - p[ts]) / (day[ts] - day[to])
            quick = max_onset is None or ts - to <= max_onset
            found.append(
                {
                    "to": to,
                    "ts": ts,
                    "te": te,
                    "p_to": p[to],
                    "p_ts": p[ts],
                    "rate": rate,
                    "is_flash": rate >= min_rate and quick,
                    "censored": censored,
                }
            )
    return found


def pieces(p: Sequence[Fraction | None]) -> list[tuple[int, int]]:
    """First and last step of every stretch without missing values."""
    found = []
    for t, value in enumerate(p):
        if value is None:
            continue
        if t == 0 or p[t - 1] is None:
            found.append((t, t))
        else:
            found[-1] = (found[-1][0], t)
    return found


def dry_spells(p: Sequence, first: int, last: int, lower: Number, recovery: int) -> list[tuple[int, int, bool]]:
    """(start, end, censored) of the dry spells of the piece first..last (rule 2 of `events`)."""
    found = []
    t = first
    while t <= last:
        if not p[t] < lower:
            t += 1
            continue
        te = last
        censored = True
        for r in range(t + 1, last - recovery + 2):
            if all(p[s] > lower for s in range(r, r + recovery)):
                te = r - 1
                censored = False
                break
        found.append((t, te, censored))
        t = te + 1
    return found


def _wet_steps(p: Sequence, first: int, last: int, upper: Number, min_wet_run: int) -> list[int]:
    wet = []
    for t in range(first, last + 1):
        if not p[t] > upper:
            continue
        left = right = t
        while left > first and p[left - 1] > upper:
            left -= 1
        while right < last and p[right + 1] > upper:
            right += 1
        if right - left + 1 >= min_wet_run:
            wet.append(t)
    return wet


def _resolve_relapses(spells: list[tuple[int, int, bool]], wet: list[int], relapse: str) -> list:
    resolved = []
    for k, (ts, te, censored) in enumerate(spells):
        is_relapse = k > 0 and not any(spells[k - 1][1] < t < ts for t in wet)
        if relapse == "event" or not is_relapse:
            resolved.append((ts, te, censored))
        elif relapse == "merge":
            resolved[-1] = (resolved[-1][0], te, censored)
    return resolved


def _with_rise(spells: list[tuple[int, int, bool]], end_at: str) -> list[tuple[int, int, bool]]:
    if end_at not in ("before_rise", "rise"):
        raise ValueError(f"end_at must be 'before_rise' or 'rise', got {end_at!r}")
    if end_at == "before_rise":
        return spells
    return [(ts, te, True) if censored else (ts, te + 1, False) for ts, te, censored in spells]


def cut_spells(
    p: Sequence[Number | None],
    *,
    upper: Number = 40,
    lower: Number = 20,
    recovery: int = 5,
    end_at: str = "before_rise",
    min_duration: int = 15,
    relapse: str = "event",
    min_wet_run: int = 1,
    **others,
) -> list[dict]:
    """Dry spells of `events` that are no event but might have been one, had the missing steps beside them been seen.

    1. A spell with an onset point that is too short, and that a gap cuts: it may have gone on.
    2. A spell without an onset point in a piece that follows a gap, when it is long enough, or begins with
       the piece, or is cut by a gap: the onset may lie in the gap before. The record begins with its
       first value and ends with its last: missing steps outside are no gap.

    Keys: to (None without), ts, te.
    """
    p = exact(p)
    found = []
    stretches = pieces(p)
    for first, last in stretches:
        wet = _wet_steps(p, first, last, upper, min_wet_run)
        spells = _resolve_relapses(dry_spells(p, first, last, lower, recovery), wet, relapse)
        for ts, te, censored in _with_rise(spells, end_at):
            before = [t for t in wet if t < ts]
            runs_into_gap = censored and te < stretches[-1][1]
            is_long = te - ts + 1 >= min_duration
            if before and not is_long and runs_into_gap:
                found.append({"to": before[-1], "ts": ts, "te": te})
            if not before and first > stretches[0][0] and (is_long or ts == first or runs_into_gap):
                found.append({"to": None, "ts": ts, "te": te})
    return found


def classes(p: Sequence[Number | None], events: Sequence[dict], unknown: Sequence[dict] = ()) -> list[int]:
    """Class of every step: 0 none, 1 normal onset, 2 normal condition, 3 flash onset, 4 flash condition, -1.

    The condition is ts..te. The onset is to..ts-1 as far as it lies after the end of the event before (an
    onset point may be older than that event). Missing steps are -1, and so are those of the `unknown` spells
    (see `cut_spells`) with their onset.
    """
    labels = [0] * len(p)
    previous_end = -1
    for event in sorted([*events, *unknown], key=lambda e: e["ts"]):
        if "is_flash" not in event:
            begin = event["ts"] if event["to"] is None else event["to"]
            for t in range(max(begin, previous_end + 1), event["te"] + 1):
                labels[t] = -1
            continue
        for t in range(len(p)):
            if event["to"] <= t < event["ts"] and t > previous_end:
                labels[t] = 3 if event["is_flash"] else 1
            if event["ts"] <= t <= event["te"]:
                labels[t] = 4 if event["is_flash"] else 2
        previous_end = event["te"]
    return [-1 if v is None else label for v, label in zip(exact(p), labels, strict=True)]


def yuan2023(
    p: Sequence[Number | None],
    *,
    upper: Number = 40,
    lower: Number = 20,
    min_rate: Number = 5,
    min_duration: int = 4,
) -> list[dict]:
    """Flash droughts after Yuan et al. (2023, doi:10.1126/science.abn6301), as in their published program.

    `p` are percentiles per pentad, of the same pentad of other years. The authors run their program on one
    year or season at a time; here the series is whatever it is.

    1. An event starts at pentad s when p[s] < upper and p[s-1] >= upper. The first pentad of the series, and
       one after a missing pentad, cannot start an event. The rate is *not* tested at s itself.
    2. The k-th pentad of the onset (s is the first, so j = s + k - 1) is *fast* when
       upper - p[j] >= min_rate * k. Say that the drought is *reached* at j when any of p[s..j-1] <= lower:
       p[j] itself does not count.
    3. While not reached, a fast pentad prolongs the onset, even when p rises. A pentad that is not fast
       cancels the event, even when that very pentad has p <= lower (which takes a rate above the default 5).
    4. Once reached, a pentad prolongs the onset when it is fast and p[j] < p[j-1]. The first one that is not
       (equal counts as "does not fall") ends the onset with pentad j - 1.
    5. From that pentad on the recovery lasts as long as p <= lower; it may be empty. A later fall does not
       reopen the onset. The event ends with the last pentad before the first p > lower.
    6. p >= upper ends the event in any phase; so do a missing pentad and the end of the series, and then the
       event is *censored* (the program has no missing values; an event that is open at the end it keeps).
    7. Kept are events of at least `min_duration` pentads, onset and recovery together, with a p <= lower.
    8. A new event needs a new pentad >= upper.

    Keys: start, onset_end (last pentad of the onset), end, rate = (upper - p[onset_end]) / (pentads of the
    onset) in percent per pentad, censored. In the program the severity is the sum of upper - p over
    start..end.
    """
    p = exact(p)
    found = []
    for s in range(1, len(p)):
        if p[s] is None or p[s - 1] is None or not (p[s] < upper and p[s - 1] >= upper):
            continue
        stop = s  # first step that cannot belong to this event, whatever its phase
        while stop < len(p) and p[stop] is not None and p[stop] < upper:
            stop += 1
        onset_end = _yuan2023_onset_end(p, s, stop, upper, lower, min_rate)
        if onset_end is None:
            continue
        end = onset_end
        while end + 1 < stop and p[end + 1] <= lower:
            end += 1
        if end - s + 1 >= min_duration and min(p[s : end + 1]) <= lower:
            found.append(
                {
                    "start": s,
                    "onset_end": onset_end,
                    "end": end,
                    "rate": (upper - p[onset_end]) / (onset_end - s + 1),
                    "censored": end == stop - 1 and (stop == len(p) or p[stop] is None),
                }
            )
    return found


def _yuan2023_onset_end(p: Sequence, s: int, stop: int, upper: Number, lower: Number, min_rate: Number) -> int | None:
    for j in range(s + 1, stop):
        fast = upper - p[j] >= min_rate * (j - s + 1)
        reached = min(p[s:j]) <= lower
        if not reached and not fast:
            return None
        if reached and not (fast and p[j] < p[j - 1]):
            return j - 1
    return stop - 1


def osman2021(
    sm: Sequence[Number | None],
    p: Sequence[Number | None],
    *,
    short: int = 5,
    long: int = 20,
    lower: Number = 20,
    min_duration: int = 20,
) -> list[dict]:
    """Flash droughts after the soil moisture volatility index of Osman et al. (2021).

    Source: doi:10.5194/hess-25-565-2021. `sm` is daily root-zone soil moisture and `p` the percentile of each
    day among the same days of the year of the record (of the daily value or of its 5-day mean: the caller
    decides).

    1. The running means are trailing: the mean of day t and the `short` - 1 (or `long` - 1) days before it. A
       mean exists only when all its days do.
    2. A day qualifies when both means and p exist, the short mean is below the long one, and p < lower; both
       strictly.
    3. An event is a longest run of qualifying days of at least `min_duration` days (20 days are 4 pentads).
       Both conditions hold on every day of it, not on the first day only.
    4. It is *censored* when the day after the run cannot be judged (the series ends, or a value is missing).

    Runs are not joined here; the temperature, Bowen ratio and 15-day joining rules of the later global
    inventory (doi:10.1038/s41597-024-03809-9) are not part of this definition.

    Keys: ts, te, censored. Means are exact; compare with floats on numbers whose means are exact in binary.
    """
    sm, p = exact(sm), exact(p)

    def qualifies(t: int) -> bool | None:
        """None where the day cannot be judged."""
        window = sm[t - long + 1 : t + 1] if t >= long - 1 else [None]
        recent = sm[t - short + 1 : t + 1] if t >= short - 1 else [None]
        if p[t] is None or None in window or None in recent:
            return None
        return sum(recent) / short < sum(window) / long and p[t] < lower

    judged = [qualifies(t) for t in range(len(sm))]
    found = []
    t = 0
    while t < len(judged):
        if not judged[t]:
            t += 1
            continue
        te = t
        while te + 1 < len(judged) and judged[te + 1]:
            te += 1
        if te - t + 1 >= min_duration:
            censored = te + 1 == len(judged) or judged[te + 1] is None
            found.append({"ts": t, "te": te, "censored": censored})
        t = te + 1
    return found
