"""What `import xdrought` gives: the functions that users call at the top, and rooms that load when they are named."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import xdrought

INTERFACE = runpy.run_path(str(Path(__file__).parents[2] / "ci" / "public_interface.py"))
ROOMS = ("data", "plot", "study", "models", "simulation", "reproduction", "statistics", "leakage", "bulletin")


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_rooms_load_when_they_are_named():
    code = (
        "import sys, xdrought\n"
        "rooms = ('plot', 'study', 'models', 'reproduction', 'simulation')\n"
        "late = [room for room in rooms if f'xdrought.{room}' in sys.modules]\n"
        "xdrought.models\n"
        "print(late, 'torch' in sys.modules, xdrought.simulation.simulate.__name__)\n"
        f"print([getattr(xdrought, room).__name__ for room in {ROOMS}])"
    )
    assert printed(code).splitlines() == ["[] True simulate", str([f"xdrought.{room}" for room in ROOMS])]


def test_what_users_call_is_at_the_top():
    wanted = "drought_objects start_monitor load_monitor compare_models open_dataset persistence_forecast verify ccm"
    assert set(wanted.split()) <= set(xdrought.__all__)
    assert [name for name in xdrought.__all__ if not hasattr(xdrought, name)] == []
    assert set(ROOMS) <= set(dir(xdrought))


def test_an_unknown_name_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="module 'xdrought' has no attribute 'droughts'"):
        xdrought.droughts  # noqa: B018


def test_names_and_signatures_are_those_that_users_rely_on():
    pytest.importorskip("torch", reason="the networks are part of the interface")
    found = INTERFACE["differences"](json.loads(INTERFACE["STORED"].read_text()), INTERFACE["interface"]())
    cure = "when this is meant, follow docs/guide/stability.md, then run python ci/public_interface.py --renew"
    assert not found, "\n".join([*found, cure])


def test_a_lost_name_a_new_one_and_another_default_are_seen():
    was = {"f": "(x, *, dim='time')", "g": "(x)"}
    now = {"f": "(x, *, dim='day')", "h": "(x)"}
    assert [line.split()[:2] for line in INTERFACE["differences"](was, now)] == [
        ["removed", "g(x)"],
        ["changed", "f"],
        ["added", "h(x)"],
    ]


def test_a_signature_tells_kinds_and_defaults_and_no_types():
    def called(x: int, /, y: int = 2, *more: float, dim: str = "time", how=len, **rest: int) -> int: ...

    assert INTERFACE["signature_text"](called) == "(/x, y=2, *more, dim='time', how=len, **rest)"
    assert INTERFACE["signature_text"](lambda *, n=None: n) == "(*, n=None)"
