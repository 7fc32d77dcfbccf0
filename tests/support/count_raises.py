"""A plugin of pytest: which `raise` of the package does no test reach?

    PYTEST_PLUGINS=tests.support.count_raises python -m pytest -n 2

The variable, not `-p`, because each process that runs tests must count before `tests/conftest.py` imports the package.
Those of xdist send what they reached to the one that reports. When all tests were run, a `raise` that none reached
makes the run fail; when arguments select tests, the number is only told.
"""

from __future__ import annotations

import pytest

from tests.support import raise_statements

_LONGEST = 110


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    raise_statements.install()


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["raises_reached"] = sorted(raise_statements.REACHED)
    elif (
        session.exitstatus == pytest.ExitCode.OK
        and is_whole(config)
        and raise_statements.missed(raise_statements.REACHED)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    output = getattr(node, "workeroutput", {})  # nothing from a process that died
    raise_statements.REACHED.update(tuple(one) for one in output.get("raises_reached", ()))


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    left, total = raise_statements.missed(raise_statements.REACHED), raise_statements.total()
    terminalreporter.section("raise statements of the package")
    if not is_whole(config):
        terminalreporter.line(f"{total - len(left)} of {total} reached by the tests that were selected")
        return
    terminalreporter.line(f"{total - len(left)} of {total} reached" + ("; not reached:" if left else ""))
    for name, line, text in left:
        terminalreporter.line(f"  {name}:{line}: {text[:_LONGEST]}")


def is_whole(config: pytest.Config) -> bool:
    """Whether no argument selects tests."""
    chosen = ("keyword", "markexpr", "deselect", "lf", "stepwise", "collectonly", "maxfail")
    from_settings = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return from_settings and not any(config.getoption(name, None) for name in chosen)
