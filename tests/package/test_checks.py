"""The checks of arguments that all rooms share: what they let through, what they refuse, and what they say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from xdrought import checks
from xdrought.events import drought_classes


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(255)])
def test_whole_numbers_pass_as_int(value):
    found = checks.require_integer(value, "n_boot")
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, True, np.bool_(True), "3", None, np.float64(2)])
def test_anything_else_is_no_whole_number(value):
    with pytest.raises(ValueError, match=r"n_boot=.*; it must be a whole number, 1 or more"):
        checks.require_integer(value, "n_boot")


def test_the_least_and_what_is_counted_are_said():
    assert checks.require_integer(0, "embargo", 0, of="days") == 0
    with pytest.raises(ValueError, match="embargo=-1; it must be a whole number of days, 0 or more"):
        checks.require_integer(-1, "embargo", 0, of="days")


def test_several_are_checked_by_their_names():
    checks.require_integers(epochs=1, runs=np.int32(2))
    with pytest.raises(ValueError, match="runs=0.5; it must be a whole number"):
        checks.require_integers(epochs=1, runs=0.5)


@pytest.mark.parametrize("value", [0.95, np.float32(0.5), 1e-9])
def test_a_share_passes(value):
    assert checks.require_share(value, "confidence") == value


@pytest.mark.parametrize("value", [0, 1, 95, -0.1, float("nan"), True, "0.9"])
def test_what_is_no_share_is_refused(value):
    with pytest.raises(ValueError, match=r"confidence=.*; it must be a share between 0 and 1, e\.g\. 0\.95"):
        checks.require_share(value, "confidence")


def test_a_choice_is_one_of_those_named():
    assert checks.require_choice("drop", "censored", ("keep", "drop")) == "drop"
    assert checks.require_choice("a", "kind", {"a": 1}) == "a"
    with pytest.raises(ValueError, match=r"censored='hide' is unknown; choose one of \['keep', 'drop'\]"):
        checks.require_choice("hide", "censored", ("keep", "drop"))


def test_a_choice_of_a_kind_that_cannot_be_compared_by_hash_is_refused_in_words():
    with pytest.raises(ValueError, match=r"kind=\['a'\] is unknown"):
        checks.require_choice(["a"], "kind", {"a": 1})


def test_an_error_carries_the_name_of_the_function_that_was_called():
    with pytest.raises(TypeError, match="must be a DataArray") as caught:
        drought_classes(None)
    assert caught.value.__notes__ == ["in xdrought.drought_classes"]


def test_a_warning_points_at_the_line_that_called_the_package():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        checks.warn("look here")
    assert seen[0].filename == __file__
