"""Do days as bits say what a list of booleans says, compiled and in Python?"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from xdrought.kernels import bits, compilation

N_DAYS = 320


def _python(function):
    return compilation.interpreted(function)


def _words(marked):
    return np.packbits(marked, bitorder="little").view(np.uint64)


def _days(share, seed):
    return np.random.default_rng(seed).random(N_DAYS) < share


@njit
def _compiled_look(days, t, first, stop):
    return bits.next_day(days, t), bits.last_day(days, t), bits.count_days(days, first, stop)


@njit
def _compiled_change(days, length, first, stop):
    bits.keep_runs(days, length)
    bits.mark_days(days, first, stop)


@njit
def _compiled_marks(keys, limit, days):
    for k in range(days.size):
        days[k] = bits.marks_below(keys, bits.WORD * k, limit)


@njit
def _compiled_write(numbers, first, marks, number):
    bits.write_marked(numbers, first, marks, number)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("first", [0, 1, 64, 70])
def test_a_number_is_written_where_it_is_marked(share, first):
    marked = np.random.default_rng(first).random(64) < share
    expected = np.arange(140, dtype=np.uint8)
    expected[first : first + 64][marked] = 200
    for write in (_compiled_write, _python(bits.write_marked)):
        numbers = np.arange(140, dtype=np.uint8)
        write(numbers, first, _words(marked)[0], np.uint8(200))
        np.testing.assert_array_equal(numbers, expected)


@njit
def _compiled_take(word):
    return bits.take_mark(word)


@pytest.mark.parametrize("word", [1, 12, 2**63, 2**63 + 2**40, 2**64 - 1])
def test_marks_are_taken_one_by_one(word):
    for take in (_compiled_take, _python(bits.take_mark)):
        left, taken = np.uint64(word), []
        while left:
            place, left = take(np.uint64(left))
            taken.append(int(place))
        assert taken == [place for place in range(64) if word >> place & 1]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99, 1.0])
def test_days_are_found_and_counted(share):
    marked = _days(share, 1)
    days, there = _words(marked), np.flatnonzero(marked)
    for t in (0, 1, 63, 64, 65, 200, N_DAYS - 1, N_DAYS):
        following, past = there[there >= t], there[there < t]
        expected = following[0] if following.size else N_DAYS, past[-1] if past.size else -1, marked[t // 2 : t].sum()
        assert _compiled_look(days, t, t // 2, t) == expected
        found = [_python(look)(days, t) for look in (bits.next_day, bits.last_day)]
        assert (*found, _python(bits.count_days)(days, t // 2, t)) == expected


@pytest.mark.parametrize("length", [1, 2, 5, 63, 64, 65, 130])
def test_runs_that_are_long_enough(length):
    marked = _days(0.99, 4)
    marked[100:240] = True
    runs = [t + length <= N_DAYS and marked[t : t + length].all() for t in range(N_DAYS)]
    runs[60:130] = [True] * 70
    for python in (False, True):
        days = _words(marked)
        if python:
            _python(bits.keep_runs)(days, length)
            _python(bits.mark_days)(days, 60, 130)
        else:
            _compiled_change(days, length, 60, 130)
        assert days.tolist() == _words(np.array(runs)).tolist()
    assert any(runs)


@pytest.mark.parametrize("dtype", ["i4", "i8"])
def test_marks_are_a_comparison(dtype):
    keys = np.random.default_rng(0).integers(-5, 5, N_DAYS).astype(dtype)
    days = np.empty(N_DAYS // bits.WORD, np.uint64)
    _compiled_marks(keys, 1, days)
    expected = _words(keys < 1).tolist()
    assert days.tolist() == expected
    assert [_python(bits.marks_below)(keys, first, 1) for first in range(0, N_DAYS, bits.WORD)] == expected
