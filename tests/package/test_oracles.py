"""The slow oracles against cases worked by hand, other programs, and the rules read as plain statements."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tests.support import oracles
from tests.support.cases import CASES, YUAN2023_CASES, expand

# few levels, so that ties, exact hits of 20 and 40 and runs across them are common
LEVELS = st.sampled_from([5, 10, 15, 19, 20, 21, 30, 39, 40, 41, 60, None])
RUNS = st.lists(st.tuples(LEVELS, st.integers(1, 6)), min_size=0, max_size=30)
SERIES = RUNS.map(lambda runs: [value for value, times in runs for _ in range(times)])
OPTIONS = st.fixed_dictionaries(
    {
        "recovery": st.integers(1, 5),
        "min_duration": st.integers(1, 15),
        "relapse": st.sampled_from(["event", "drop", "merge"]),
        "min_wet_run": st.integers(1, 3),
        "max_onset": st.sampled_from([None, 1, 5, 20]),
    }
)


def as_tuples(found):
    return [(e["to"], e["ts"], e["te"], e["rate"], e["is_flash"], e["censored"]) for e in found]


def expected_tuples(case):
    return [(e.to, e.ts, e.te, e.rate, e.is_flash, e.censored) for e in case.events]


def test_expand_reads_the_notation():
    assert expand("60*2 nan 19.5 45/2") == [60, 60, None, Fraction(39, 2), Fraction(45, 2)]


def test_case_names_are_unique():
    for cases in (CASES, YUAN2023_CASES):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_events_of_hand_worked_case(case):
    p = oracles.bridged(case.series, case.max_gap)
    found = oracles.events(p, days=case.days, **case.options)
    assert as_tuples(found) == expected_tuples(case)
    assert [e["p_to"] for e in found] == [p[e.to] for e in case.events]
    assert [e["p_ts"] for e in found] == [p[e.ts] for e in case.events]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_class_counts_of_hand_worked_case(case):
    p = oracles.bridged(case.series, case.max_gap)
    found = oracles.events(p, days=case.days, **case.options)
    labels = oracles.classes(p, found, oracles.cut_spells(p, **case.options))
    labels = [-1 if seen is None else label for seen, label in zip(case.series, labels, strict=True)]
    assert tuple(labels.count(k) for k in (1, 2, 3, 4, 0, -1)) == case.counts


def test_class_of_each_day():
    p = expand("60*2 30 15*2 30 15*2 30*2 nan")
    found = oracles.events(p, recovery=1, min_duration=2, min_rate=10)
    assert as_tuples(found) == [(1, 3, 4, Fraction(45, 2), True, False), (1, 6, 7, 9, False, False)]
    assert oracles.classes(p, found) == [0, 3, 3, 4, 4, 1, 2, 2, 0, 0, -1]


def test_unknown_relapse_rule_is_refused():
    with pytest.raises(ValueError, match="'event', 'drop' or 'merge', got 'ignore'"):
        oracles.events([60, 10], relapse="ignore")


@given(p=SERIES, recovery=st.integers(1, 6))
def test_spells_are_the_days_since_a_dry_day_without_a_recovery(p, recovery):
    """Second reading of rule 2: a day is in a spell unless a whole recovery began since the last dry day."""
    p = oracles.exact(p)
    spells = []
    for first, last in oracles.pieces(p):
        spells += oracles.dry_spells(p, first, last, 20, recovery)

    def in_spell(t, first, last):
        dry = [s for s in range(first, t + 1) if p[s] < 20]
        starts = range(dry[-1] + 1, t + 1) if dry else []
        return bool(dry) and not any(
            r + recovery - 1 <= last and all(p[s] > 20 for s in range(r, r + recovery)) for r in starts
        )

    pieces = oracles.pieces(p)
    expected = {t for first, last in pieces for t in range(first, last + 1) if in_spell(t, first, last)}
    assert {t for ts, te, _ in spells for t in range(ts, te + 1)} == expected
    assert all(p[ts] < 20 for ts, _, _ in spells)
    for _, te, censored in spells:
        assert censored == any(te == last for _, last in pieces)
    for (_, te, _), (ts, _, _) in zip(spells, spells[1:], strict=False):
        assert ts > te


@given(p=SERIES, options=OPTIONS)
def test_events_keep_their_promises(p, options):
    found = oracles.events(p, **options)
    for e in found:
        to, ts, te = e["to"], e["ts"], e["te"]
        assert to < ts <= te
        assert None not in p[to : te + 1]
        assert p[to] > 40
        assert p[ts] < 20
        assert te - ts + 1 >= options["min_duration"]
        assert e["rate"] == Fraction(p[to] - p[ts], ts - to) > 0
        # every drop is between 20 and 100 percentiles
        if options["max_onset"] is None:
            assert e["is_flash"] or ts - to > 20
            assert not e["is_flash"] or ts - to < 100
        ends = te + 1 == len(p) or p[te + 1] is None
        assert e["censored"] == ends
        if not ends:
            assert all(v > 20 for v in p[te + 1 : te + 1 + options["recovery"]])
    if options["relapse"] != "event":
        for e, following in zip(found, found[1:], strict=False):
            assert following["to"] > e["te"]


@given(p=SERIES, options=OPTIONS)
def test_each_day_has_one_class_and_none_is_lost(p, options):
    found = oracles.events(p, **options)
    labels = oracles.classes(p, found)
    assert [label == -1 for label in labels] == [v is None for v in p]
    conditions = sum(e["te"] - e["ts"] + 1 for e in found)
    assert labels.count(2) + labels.count(4) == conditions
    for e in found:
        assert set(labels[e["ts"] : e["te"] + 1]) == {4 if e["is_flash"] else 2}
        assert labels[e["ts"] - 1] in ((3,) if e["is_flash"] else (1,))


@given(p=SERIES, options=OPTIONS)
def test_dropping_only_removes_events_of_the_default(p, options):
    both = [as_tuples(oracles.events(p, **options | {"relapse": r})) for r in ("event", "drop")]
    assert set(both[1]) <= set(both[0])


@given(p=SERIES, cut=st.integers(0, 60))
def test_a_gap_equals_two_records(p, cut):
    left, right = p[:cut], p[cut:]
    shifted = [
        e | {"to": e["to"] + len(left) + 1, "ts": e["ts"] + len(left) + 1, "te": e["te"] + len(left) + 1}
        for e in oracles.events(right)
    ]
    assert oracles.events(left + [None] + right) == oracles.events(left) + shifted


# percentiles ------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("linear", ["100", "0", "50", "50", None]),
        ("hazen", ["175/2", "25/2", "50", "50", None]),
        ("weibull", ["80", "20", "50", "50", None]),
        ("ecdf", ["100", "25", "125/2", "125/2", None]),
        ("gringorten", ["8900/103", "1400/103", "50", "50", None]),
    ],
)
def test_percentiles_by_hand(method, expected):
    # ranks 4, 1, 2.5, 2.5 of n = 4
    found = oracles.percentiles([3, 1, 2, 2, float("nan")], method)
    assert found == [None if v is None else Fraction(v) for v in expected]


@pytest.mark.parametrize("method", sorted(oracles.PLOTTING_POSITIONS))
@pytest.mark.parametrize("values", [[], [None, None], [3, None]])
def test_fewer_than_two_values_have_no_percentiles(values, method):
    assert oracles.percentiles(values, method) == [None] * len(values)


def test_constant_series_is_never_dry_or_wet():
    assert oracles.percentiles([7] * 9) == [50] * 9


def test_sensor_floor_shares_one_percentile():
    # 31 of 101 days at the floor: average rank 16, so 15, below 20 although the 20 % quantile is the floor
    assert oracles.percentiles([0] * 31 + list(range(1, 71)))[:31] == [15] * 31


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=30))
def test_ranks_agree_with_scipy(values):
    n = len(values)
    expected = [Fraction(r) - 1 for r in scipy.stats.rankdata(values)]
    assert oracles.percentiles(values) == [100 * r / (n - 1) for r in expected]


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30, unique=True))
def test_linear_percentile_inverts_numpy_quantile(values):
    back = np.quantile(values, [float(p) / 100 for p in oracles.percentiles(values)])
    np.testing.assert_allclose(back, values, rtol=0, atol=1e-9)


def test_percentiles_of_reference_by_hand():
    # reference percentiles: 10 -> 0, 20 -> 50 (average rank 2.5), 40 -> 100
    found = oracles.percentiles_of_reference([5, 10, 15, 20, 30, 40, 41, None], [40, 20, None, 10, 20])
    assert found == [0, 0, 25, 50, 75, 100, 100, None]


def test_ties_at_the_ends_of_the_reference():
    # ranks 1.5 and 3.5 of 4: percentiles 50/3 and 250/3, then 0 and 100 outside
    found = oracles.percentiles_of_reference([0.5, 1, 1.5, 2, 2.5], [1, 1, 2, 2])
    assert found == [0, Fraction(50, 3), 50, Fraction(250, 3), 100]


def test_reference_of_one_value_gives_nothing():
    assert oracles.percentiles_of_reference([1, 2], [1, None]) == [None, None]


@pytest.mark.parametrize("method", sorted(oracles.PLOTTING_POSITIONS))
@given(values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=20))
def test_own_record_as_reference_changes_nothing(method, values):
    assert oracles.percentiles_of_reference(values, values, method) == oracles.percentiles(values, method)


# published definitions ------------------------------------------------------------


@pytest.mark.parametrize("case", YUAN2023_CASES, ids=lambda case: case.name)
def test_yuan2023_of_hand_worked_case(case):
    found = oracles.yuan2023(case.series, **case.options)
    keys = ("start", "onset_end", "end", "rate", "censored")
    assert [tuple(e[k] for k in keys) for e in found] == list(case.events)


@given(p=SERIES)
def test_yuan2023_events_keep_their_promises(p):
    for e in oracles.yuan2023(p):
        s, o, end = e["start"], e["onset_end"], e["end"]
        assert s <= o <= end
        assert p[s - 1] >= 40
        assert all(v < 40 for v in p[s : end + 1])
        assert min(p[s : end + 1]) <= 20
        assert all(v <= 20 for v in p[o + 1 : end + 1])
        assert end - s + 1 >= 4
        assert all(40 - p[j] >= 5 * (j - s + 1) for j in range(s + 1, o + 1))
        assert e["rate"] == Fraction(40 - p[o], o - s + 1)


def falling(days):
    """Twenty level days, `days` days of steady fall, twenty level days; percentiles below 20 throughout."""
    return [100] * 20 + [100 - 4 * k for k in range(1, days + 1)] + [100 - 4 * days] * 20


def test_osman2021_by_hand():
    # The fall starts on day 20: its first day lowers the 5-day mean by 4/5, the 20-day mean by 4/20.
    # The last fall is on day 29 (10 days). The 5-day mean is level from day 33 on, the 20-day mean lies above
    # it until it holds level days only, from day 48 on: days 20 to 47.
    found = oracles.osman2021(falling(10), [10] * 50)
    assert found == [{"ts": 20, "te": 47, "censored": False}]


def test_osman2021_needs_every_day_below_the_percentile():
    p = [10] * 50
    p[40] = 20
    assert oracles.osman2021(falling(10), p) == [{"ts": 20, "te": 39, "censored": False}]
    p[39] = 20
    assert oracles.osman2021(falling(10), p) == []
    assert oracles.osman2021(falling(10), p, min_duration=19) == [{"ts": 20, "te": 38, "censored": False}]


def test_osman2021_missing_value_cuts():
    p = [10] * 50
    p[42] = None
    assert oracles.osman2021(falling(10), p) == [{"ts": 20, "te": 41, "censored": True}]
    sm = falling(10)
    sm[42] = None
    assert oracles.osman2021(sm, [10] * 50) == [{"ts": 20, "te": 41, "censored": True}]


def test_osman2021_record_end_censors():
    assert oracles.osman2021(falling(10)[:45], [10] * 45) == [{"ts": 20, "te": 44, "censored": True}]


def test_osman2021_needs_whole_windows():
    # a fall from day 0 on: no 20-day mean before day 19
    sm = [200 - 4 * k for k in range(45)]
    assert oracles.osman2021(sm, [10] * 45) == [{"ts": 19, "te": 44, "censored": True}]
    assert oracles.osman2021(sm[:38], [10] * 38) == []


def test_osman2021_steady_record_never_qualifies():
    assert oracles.osman2021([100] * 60, [10] * 60) == []
