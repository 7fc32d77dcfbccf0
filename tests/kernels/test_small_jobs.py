"""Small jobs run without a compiler: is what Python computes the same, to the last bit, and when does it stop?"""

from __future__ import annotations

import numpy as np
import pytest

from xdrought.kernels import compilation, events, gaps, ranks, spells


@pytest.fixture
def by_python(monkeypatch):
    """Run whatever is not compiled yet by Python, however long it takes."""
    monkeypatch.setattr(compilation, "WORTH_LOADING", 10**9)
    monkeypatch.setattr(compilation, "run", lambda kernel, n, *args, what="": compilation.interpreted(kernel)(*args))


def _series(dtype, seed, decimals=None):
    """Red noise with gaps, infinite values, ties and an outlier that puts nearly all days in one bin."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(19, 700)).cumsum(axis=1)
    values = values if decimals is None else values.round(decimals)
    values[2, 3] = 1e9
    values[3] = 7.0
    values[4] = np.nan
    values[5, 50:90] = np.nan
    values[6, ::9] = np.nan
    values[7, 10] = np.inf
    return values.astype(dtype)


def _compiled(move):
    limit = compilation.WORTH_COMPILING
    compilation.WORTH_LOADING, loading = -1, compilation.WORTH_LOADING
    compilation.WORTH_COMPILING = -1
    try:
        return move()
    finally:
        compilation.WORTH_LOADING, compilation.WORTH_COMPILING = loading, limit


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("decimals", [None, 0])
@pytest.mark.parametrize("relapse", spells.RELAPSE.values())
def test_events_and_classes_do_not_depend_on_the_compiler(dtype, decimals, relapse, request):
    series = _series(dtype, seed=relapse, decimals=decimals)
    rules = events.Rules(relapse=relapse, max_gap=5, min_rate=0.5, a=44, b=12)

    def detect():
        labels = np.zeros(series.shape, np.int8)
        with np.errstate(all="ignore"):
            found, n_valid = events.detect_events(series, np.arange(700.0), rules, True, labels)
        return found.tobytes(), n_valid.tobytes(), labels.tobytes(), len(found)

    expected = _compiled(detect)
    request.getfixturevalue("by_python")
    assert detect() == expected
    assert expected[-1] > 5


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_percentiles_as_they_are_in_either_layout(dtype, request):
    series = _series(dtype, 5) % 100
    args = np.arange(700.0), events.Rules(), False

    def detect(rows):
        return events.detect_events(rows, *args, np.empty((0, 0), np.int8))[0].tobytes()

    expected = _compiled(lambda: detect(series))
    request.getfixturevalue("by_python")
    assert detect(np.asfortranarray(series)) == expected


def test_ranks_and_gaps_do_not_depend_on_the_compiler(request):
    series = _series("f4", 1, decimals=1)
    pools = (np.arange(700), np.array([0, 300, 700]), np.arange(0, 700, 2), np.array([0, 150, 350]))
    first, stop = np.array([0, 40]), np.array([30, 100])

    def everything():
        with np.errstate(all="ignore"):
            return [
                ranks.record_percentiles(series, 50, 0).tobytes(),
                ranks.pooled_percentiles(series, series, *pools, 0, 100).tobytes(),
                gaps.bridge_gaps(series, 3).tobytes(),
                gaps.count_missing(series, np.array([6, 5]), first, stop).tolist(),
            ]

    expected = _compiled(everything)
    request.getfixturevalue("by_python")
    assert everything() == expected


def test_the_series_that_are_taken_together_change_nothing(monkeypatch):
    series = _series("f4", 2)

    def detect():
        labels = np.zeros(series.shape, np.int8)
        found, n_valid = events.detect_events(series, np.arange(700.0), events.Rules(), True, labels)
        return found.tobytes(), n_valid.tobytes(), labels.tobytes()

    expected = detect()
    monkeypatch.setattr(events, "_AT_ONCE", 3)
    assert detect() == expected


class _Kernel:
    """What `run` needs of a numba function, with a note of who was called."""

    def __init__(self):
        self.overloads = {}
        self.calls = []

    def typeof_pyval(self, value):
        return type(value)

    def __call__(self, *args):
        self.calls.append("compiled")

    def py_func(self):
        """Stands for the text."""


def test_many_small_jobs_are_compiled_like_a_large_one(monkeypatch):
    kernel = _Kernel()
    monkeypatch.setattr(compilation, "interpreted", lambda k: lambda *args: kernel.calls.append("python"))
    monkeypatch.setattr(compilation, "is_stored", lambda *args: False)
    monkeypatch.setattr(compilation, "_steps_by_python", {})
    for _ in range(3):
        compilation.run(kernel, compilation.WORTH_COMPILING // 2, 1.0)
    assert kernel.calls == ["python", "python", "compiled"]


def test_code_that_is_there_is_used_for_all_but_the_smallest_jobs(monkeypatch):
    kernel = _Kernel()
    monkeypatch.setattr(compilation, "interpreted", lambda k: lambda *args: kernel.calls.append("python"))
    monkeypatch.setattr(compilation, "is_stored", lambda *args: True)
    monkeypatch.setattr(compilation, "_steps_by_python", {})
    compilation.run(kernel, 1000, 1.0)
    compilation.run(kernel, compilation.WORTH_LOADING, 1.0)
    kernel.overloads[(float,)] = True
    compilation.run(kernel, 1, 1.0)
    assert kernel.calls == ["python", "compiled", "compiled"]
