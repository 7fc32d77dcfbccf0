"""What `import xdrought` gives: the functions that users call at the top, and rooms that load when they are named."""

from __future__ import annotations

import subprocess
import sys

import pytest

import xdrought

ROOMS = ("data", "plot", "study", "models", "simulation", "reproduction", "statistics", "leakage")


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_each_room_can_be_named_after_importing_the_package():
    code = f"import xdrought; print([getattr(xdrought, room).__name__ for room in {ROOMS}])"
    assert printed(code) == str([f"xdrought.{room}" for room in ROOMS])


def test_rooms_of_torch_and_pictures_load_when_they_are_named():
    code = (
        "import sys, xdrought\n"
        "rooms = ('plot', 'study', 'models', 'reproduction', 'simulation')\n"
        "late = [room for room in rooms if f'xdrought.{room}' in sys.modules]\n"
        "xdrought.models\n"
        "print(late, 'torch' in sys.modules, xdrought.simulation.simulate.__name__)"
    )
    assert printed(code) == "[] True simulate"


def test_what_users_call_is_at_the_top():
    wanted = "drought_objects start_monitor load_monitor compare_models open_dataset persistence_forecast verify ccm"
    assert set(wanted.split()) <= set(xdrought.__all__)
    assert [name for name in xdrought.__all__ if not hasattr(xdrought, name)] == []
    assert set(ROOMS) <= set(dir(xdrought))


def test_an_unknown_name_is_refused_as_python_does():
    with pytest.raises(AttributeError, match="module 'xdrought' has no attribute 'droughts'"):
        xdrought.droughts  # noqa: B018
