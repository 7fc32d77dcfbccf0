"""Definitions are values: complete, sourced, checked when they are made, and changed by copy."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from xdrought.definitions import DEFINITIONS, Definition, get_definition

TANG = DEFINITIONS["tang2025"]


def test_the_published_definitions_are_there():
    names = {"tang2025", "yuan2019", "yuan2023", "ford_labosier2017", "osman2021", "o_park2024"}
    assert set(DEFINITIONS) == names
    assert all(name == d.name for name, d in DEFINITIONS.items())


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=lambda d: d.name)
def test_every_definition_says_where_it_comes_from(definition):
    assert "doi:10." in definition.source
    assert definition.name[-4:] in definition.source
    assert definition is TANG or definition.note  # what the source leaves open


def test_the_default_is_the_papers():
    """Section 3.3: below the 20th from above the 40th, 1 percentile a day, 5 days to recover, over 14 days."""
    fields = ("upper", "lower", "min_rate", "recovery", "min_duration", "pool", "step", "relapse")
    assert tuple(getattr(TANG, f) for f in fields) == (40, 20, 1, 5, 15, "record", "day", "event")


def test_a_definition_is_changed_by_copy():
    shorter = get_definition("tang2025", min_duration=14, max_onset=None, upper=None)
    assert (shorter.min_duration, shorter.upper) == (14, 40)
    assert TANG.min_duration == 15
    assert get_definition(shorter) == shorter
    with pytest.raises(dataclasses.FrozenInstanceError):
        TANG.upper = 50  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(shorter)) == shorter
    assert hash(shorter) != hash(TANG)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"lower": 40}, "definition 'tang2025': lower=40 and upper=40.0; expected 0 <= lower < upper <= 100"),
        ({"lower": -1}, "expected 0 <= lower"),
        ({"upper": 101}, "expected 0 <= lower"),
        ({"upper": float("nan")}, "expected 0 <= lower"),
        ({"recovery": 0}, "recovery=0; expected more than 0 days"),
        ({"min_duration": -5}, "min_duration=-5; expected more than 0 days"),
        ({"min_wet_run": float("nan")}, "min_wet_run=nan; expected more than 0 days"),
        ({"max_onset": 0}, "max_onset=0; expected days, or None"),
        ({"min_rate": -1}, "min_rate=-1; expected 0 or more percent per day"),
        ({"relapse": "glue"}, r"relapse='glue' is unknown; choose one of \['event', 'drop', 'merge'\]"),
        ({"end_at": "dusk"}, r"end_at='dusk' is unknown; choose one of \['before_rise', 'rise'\]"),
        ({"end_at": "rise", "rule": "steady_fall"}, "end_at='rise' is for rule='threshold'.*leave end_at out"),
        ({"rule": "magic"}, "rule='magic' is unknown"),
        ({"step": "week"}, r"step='week' is unknown; choose one of \['day', 'pentad'\]"),
    ],
)
def test_values_that_make_no_sense_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        get_definition("tang2025", **changes)
    with pytest.raises(ValueError, match=match.replace("tang2025", "mine").replace("40.0", "40")):
        Definition(**{"name": "mine", "source": "me", "upper": 40, "lower": 20} | changes)


def test_the_cure_of_an_end_that_a_rule_has_no_use_for():
    assert get_definition("tang2025", rule="steady_fall").rule == "steady_fall"


def test_unknown_names_and_fields_are_refused():
    with pytest.raises(ValueError, match=r"definition='tang' is unknown; choose one of \['ford_labosier2017', "):
        get_definition("tang")
    with pytest.raises(TypeError, match=r"unknown threshold\(s\) \['uper'\]; did you mean upper="):
        get_definition("tang2025", uper=30)
    with pytest.raises(TypeError, match="expected a name or a Definition, got int"):
        get_definition(3)  # type: ignore[arg-type]
