"""The counter of `raise` statements: it sees those that run, keeps their lines, and leaves compiled functions alone."""

from __future__ import annotations

import ast
import runpy
import sys
import traceback
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "ci" / "raises_reached.py"))
SOURCE = """
def refuse(x):
    if x < 0:
        raise ValueError(
            "negative"
        )
    try:
        return 1 / x
    except ZeroDivisionError as error:
        raise TypeError("zero") from error


@numba.njit
def kernel(x):
    raise ValueError


def again():
    try:
        refuse(-1)
    except ValueError:
        raise
"""


def test_every_raise_outside_compiled_functions_is_listed():
    assert SCRIPT["raises_in"](SOURCE) == [4, 10, 22]


def test_what_runs_is_counted_and_keeps_its_line(monkeypatch):
    reached = set()
    monkeypatch.setattr(sys, "_xdrought_raise", lambda name, line: reached.add((name, line)), raising=False)
    tree = SCRIPT["Count"]("it.py").visit(ast.parse(SOURCE.replace("@numba.njit\n", "")))
    names: dict = {}
    exec(compile(ast.fix_missing_locations(tree), "it.py", "exec"), names)
    assert names["refuse"](2) == 0.5
    assert reached == set()
    with pytest.raises(ValueError, match="negative") as caught:
        names["refuse"](-1)
    assert reached == {("it.py", 4)}
    assert traceback.extract_tb(caught.tb)[-1].lineno == 4
    with pytest.raises(TypeError, match="zero"):
        names["refuse"](0)
    with pytest.raises(ValueError, match="negative"):
        names["again"]()
    assert {line for _, line in reached} == {4, 10, 21}


def test_messages_are_found_by_their_words():
    found = SCRIPT["messages_in"]('def f(x):\n    raise ValueError(f"{x} is no number; give one")\n')
    assert found == [(2, [" is no number; give one"])]


def test_no_message_is_without_a_test_that_holds_its_words():
    assert SCRIPT["unexpected"]() == []


def test_what_is_reached_in_another_process_is_there_and_has_its_test():
    root = Path(__file__).parents[2]
    for (file, words), test in SCRIPT["ELSEWHERE"].items():
        assert words in (root / file).read_text(), f"{file} says no longer {words!r}"
        assert words in (root / test).read_text(), f"{test} does not expect {words!r}"
    assert SCRIPT["reached_elsewhere"](
        "xdrought/devices.py", 'raise ModuleNotFoundError("needs torch, which is not installed'
    )
    assert not SCRIPT["reached_elsewhere"]("xdrought/devices.py", "raise ValueError(device")


def test_the_counter_is_a_job_of_continuous_integration():
    root = Path(__file__).parents[2]
    assert "bash ci/raises" in (root / ".github/workflows/ci.yml").read_text()
    assert "ci/raises_reached.py" in (root / "ci/raises").read_text()
