"""The counter of `raise` statements: it sees those that run, keeps their lines, and leaves compiled functions alone."""

from __future__ import annotations

import ast
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import count_raises
from tests.support.raise_statements import (
    ELSEWHERE,
    Count,
    CountingLoader,
    messages_in,
    missed,
    raises_in,
    reached_elsewhere,
    unexpected,
)
from xdrought.kernels import cross_map

ROOT = Path(__file__).parents[2]
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
    assert raises_in(SOURCE) == (4, 10, 22)


def test_what_runs_is_counted_and_keeps_its_line(monkeypatch):
    reached = set()
    monkeypatch.setattr(sys, "_xdrought_raise", lambda name, line: reached.add((name, line)), raising=False)
    tree = Count("it.py").visit(ast.parse(SOURCE.replace("@numba.njit\n", "")))
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
    found = messages_in('def f(x):\n    raise ValueError(f"{x} is no number; give one")\n')
    assert found == [(2, [" is no number; give one"])]


def test_no_message_is_without_a_test_that_holds_its_words():
    assert unexpected() == []


def test_what_is_reached_in_another_process_is_there_and_has_its_test():
    for (file, words), test in ELSEWHERE.items():
        assert words in (ROOT / file).read_text(), f"{file} says no longer {words!r}"
        assert words in (ROOT / test).read_text(), f"{test} does not expect {words!r}"
    assert reached_elsewhere("xdrought/devices.py", 'raise ModuleNotFoundError("needs torch, which is not installed')
    assert not reached_elsewhere("xdrought/devices.py", "raise ValueError(device")


def test_kernels_keep_their_lines_and_code():
    """What numba finds its compiled code by."""
    path = cross_map.__file__
    counted = CountingLoader("it", path).get_code("it")
    plain = compile(Path(path).read_bytes(), path, "exec")
    assert counted.co_filename == plain.co_filename
    functions = [{one.co_name: one for one in code.co_consts if hasattr(one, "co_code")} for code in (counted, plain)]
    assert functions[0].keys() == functions[1].keys()
    for name, one in functions[0].items():
        assert one.co_firstlineno == functions[1][name].co_firstlineno
        assert (one.co_code == functions[1][name].co_code) or "_xdrought_raise" in one.co_names


def test_all_tests_must_reach_all_and_chosen_ones_need_not(monkeypatch):
    left = [("xdrought/it.py", 7, "raise")]
    monkeypatch.setattr(count_raises.raise_statements, "missed", lambda reached: left)

    def ends(exitstatus=pytest.ExitCode.OK, source="TESTPATHS", **options) -> int:
        config = SimpleNamespace(
            args_source=pytest.Config.ArgsSource[source], getoption=lambda name, default: options.get(name, default)
        )
        session = SimpleNamespace(config=config, exitstatus=exitstatus)
        count_raises.pytest_sessionfinish(session)
        return session.exitstatus

    assert ends() == pytest.ExitCode.TESTS_FAILED
    assert ends(source="ARGS") == ends(keyword="ccm") == ends(maxfail=1) == pytest.ExitCode.OK
    assert ends(pytest.ExitCode.INTERRUPTED) == pytest.ExitCode.INTERRUPTED
    left.clear()
    assert ends() == pytest.ExitCode.OK


def test_processes_send_what_they_reached(monkeypatch):
    reached: set = set()
    monkeypatch.setattr(count_raises.raise_statements, "REACHED", reached)
    count_raises.pytest_testnodedown(SimpleNamespace(workeroutput={"raises_reached": [["xdrought/it.py", 7]]}), None)
    count_raises.pytest_testnodedown(SimpleNamespace(), "died")
    assert reached == {("xdrought/it.py", 7)}
    config = SimpleNamespace(workeroutput={})
    count_raises.pytest_sessionfinish(SimpleNamespace(config=config))
    assert config.workeroutput == {"raises_reached": [("xdrought/it.py", 7)]}


def test_what_is_not_reached_is_listed():
    every = missed(())
    assert len(every) > 500
    file, line, text = every[0]
    assert "raise" in text
    assert (file, line, text) not in missed({(file, line)})


def test_all_tests_are_run_with_the_counter():
    assert "PYTEST_PLUGINS=tests.support.count_raises" in (ROOT / "ci/test").read_text()
