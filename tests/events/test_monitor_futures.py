"""Days whose class may still change: what a monitor says, held to every future that may come."""

from __future__ import annotations

import itertools
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.events.test_monitor import record, records
from xdrought import drought_classes
from xdrought.events import load_monitor, start_monitor

MAY_COME = (np.nan, 0.0, 30.0, 60.0)  # missing, dry, between and wet


def as_percentiles(da):
    values = np.clip(np.nan_to_num(da.values, posinf=np.nan) * 10 + 50, 0, 100)
    return da.copy(data=values).assign_attrs(units="percent")


@settings(deadline=None, max_examples=30)
@given(records(), st.data())
def test_days_that_are_not_provisional_keep_their_class(drawn, data):
    da, _, _, options = drawn
    percentiles = as_percentiles(da)
    options |= {"is_percentile": True}
    cut = data.draw(st.integers(1, da.sizes["time"] - 1))
    past = percentiles.isel(time=slice(0, cut))
    days = start_monitor(past, **options).today().provisional_days.values.astype(int)
    then, now = drought_classes(past, **options).values, drought_classes(percentiles, **options).values
    for row, provisional in enumerate(days):
        assert then[row, : cut - provisional].tolist() == now[row, : cut - provisional].tolist()


# All that may come in the next days, the short before the long.
FUTURES = [np.array(list(itertools.product(MAY_COME, repeat=n))) for n in range(1, 6)]


def classes_of(values: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    return drought_classes(record(values, units="percent"), **options).values


def open_days(past: np.ndarray, options: dict[str, Any]) -> int:
    """The slow way: how many of the last days get another class by one of the futures; days without a value never."""
    then, n_days = classes_of(past, options), past.size
    first = n_days
    for futures in FUTURES:
        whole = np.concatenate([np.tile(past, (len(futures), 1)), futures], axis=1)
        changed = (classes_of(whole, options)[:, :n_days] != then).any(axis=0)
        first = min(first, *np.flatnonzero(changed), n_days)
    return n_days - first


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([*MAY_COME, np.nan, 0.0, 15.0]), min_size=2, max_size=12),
    st.fixed_dictionaries(
        {
            "max_gap": st.sampled_from([0, 0, 2]),
            "min_duration": st.sampled_from([3, 4]),
            "recovery": st.sampled_from([1, 2]),
            "count_onset": st.booleans(),
            "relapse": st.sampled_from(["event", "drop", "merge"]),
            "min_wet_run": st.sampled_from([1, 2]),
        }
    ),
)
def test_the_provisional_days_are_those_that_some_future_changes(past, options):
    past, options = np.array(past), options | {"is_percentile": True}
    told = int(start_monitor(record(past, units="percent"), **options).today().provisional_days[0])
    while told and np.isnan(past[past.size - told]):
        told -= 1  # a day without a value stays missing, whatever follows
    assert told == open_days(past, options)


@pytest.mark.parametrize("n_missing", [1, 60])
def test_the_next_value_may_take_back_the_days_before_a_gap(n_missing):
    """Five dry days ran into a gap: while it is the record's end it is none, and then nobody knows of a drought."""
    options = {"is_percentile": True, "max_gap": 0}
    past = np.array([60.0] * 3 + [10.0] * 5 + [np.nan] * n_missing)
    monitor = start_monitor(record(past, units="percent"), **options)
    assert int(monitor.today().provisional_days[0]) == 6 + n_missing  # from the onset point on
    then, now = classes_of(past, options)[0], classes_of(np.append(past, 30.0), options)[0]
    assert (then[2:8] == 0).all()
    assert (now[2:8] == -1).all()
    next_day = record(np.append(past, 30.0), units="percent")[:, past.size :]
    assert int(monitor.update(next_day).today().provisional_days[0]) == 0


def test_a_state_of_the_second_format_goes_on(tmp_path):
    """It does not know of spells that ran into a gap, and learns of the next one."""
    past = np.array([60.0] * 3 + [10.0] * 5 + [np.nan])
    monitor = start_monitor(record(past[:6], units="percent"), is_percentile=True, max_gap=0)
    monitor.save(tmp_path)
    with h5py.File(tmp_path / "state.nc", "a") as file:
        file.attrs["format_version"] = 2
        del file["episodes/cut_from"]
    read = load_monitor(tmp_path).update(record(past, units="percent")[:, 6:])
    assert int(read.today().provisional_days[0]) == 7
