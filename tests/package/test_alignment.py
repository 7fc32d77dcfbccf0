"""Second arrays on the labels of a first one: by label whatever the order, or refused with a cure that works."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.support.helpers import raise_if_dask_computes, unchanged
from xdrought.alignment import align_to, in_order

DAYS = pd.date_range("2001-01-01", periods=5)


def record(**coords) -> xr.DataArray:
    """Three latitudes, five days: the value says where it is, 10 times the row and the day."""
    values = 10.0 * np.arange(3)[:, None] + np.arange(5)
    return xr.DataArray(values, {"lat": [50.0, 49.0, 48.0], "time": DAYS} | coords, ("lat", "time"), "soil")


def refusal(first, second, **options) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        align_to(first, second, what="reference", **options)
    return str(caught.value)


def follow(message: str, first: xr.DataArray, second: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Record and second array after the cure of a message, taken literally."""
    names = {"record": first, "da": second, "first": first, "second": second}
    names |= {"xarray": xr, "pandas": pd, "numpy": np}
    statements = re.findall(r"((?:da|record) = (?:da|record)\..+?)(?=; (?:da|record) = |$)", message)
    if statements:
        for statement in statements:
            exec(statement, names)  # noqa: S102
        return names["record"], names["da"]
    start = re.search(r"(da\.(?!\.)|xarray\.align)", message)
    assert start, message
    text = message[start.start() :]
    depth, end = 0, 0
    for end, letter in enumerate(text):  # noqa: B007
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            break
    result = eval(text[: end + 1], names)  # noqa: S307
    return result if isinstance(result, tuple) else (first, result)


# ---- by label ------------------------------------------------------------------------------------------------------

SAME = {
    "as it is": lambda da: da,
    "turned rows": lambda da: da[::-1],
    "shuffled days": lambda da: da[:, [3, 0, 4, 1, 2]],
    "other order of dimensions": lambda da: da.T,
    "more days": lambda da: xr.concat([da, da.assign_coords(time=DAYS + pd.Timedelta(days=9))], "time"),
    "seconds": lambda da: da.assign_coords(time=DAYS.as_unit("s")),
    "cftime of the same calendar": lambda da: da.convert_calendar("standard", use_cftime=True),
    "single precision": lambda da: da.assign_coords(lat=da.lat.astype("float32")),
    "whole numbers": lambda da: da.assign_coords(lat=[50, 49, 48]),
    "chunks": lambda da: da[::-1].chunk(lat=1),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_labels_give_the_same_array(kind):
    first, second = record(), SAME[kind](record())
    with unchanged(first, second), raise_if_dask_computes():
        aligned = align_to(first, second, what="reference")
    xr.testing.assert_identical(aligned.compute(), first)
    assert xr.align(first, aligned, join="exact")


def test_tenths_in_single_precision_are_the_same_latitudes():
    first = record().assign_coords(lat=[0.1, 0.2, 0.3])
    second = first.assign_coords(lat=np.float32([0.1, 0.2, 0.3]))[::-1]
    xr.testing.assert_identical(align_to(first, second, what="reference"), first)
    xr.testing.assert_identical(align_to(second, first, what="reference"), second)


def test_an_array_without_a_dimension_serves_all_of_its_labels():
    aligned = align_to(record(), record().isel(lat=1, drop=True), what="reference")
    assert aligned.dims == ("time",)
    np.testing.assert_array_equal(aligned, [10, 11, 12, 13, 14])


def test_cftime_records_take_numpy_dates_and_the_other_way():
    first = record().convert_calendar("proleptic_gregorian", use_cftime=True)
    xr.testing.assert_identical(align_to(first, record()[:, ::-1], what="reference"), first)
    other = record().convert_calendar("noleap", use_cftime=True)
    xr.testing.assert_identical(align_to(other, other[:, ::-1], what="reference"), other)


def test_without_labels_on_both_sides_lengths_are_compared():
    bare = record().drop_vars("lat")
    xr.testing.assert_identical(align_to(bare, bare, what="reference"), bare)
    with pytest.raises(ValueError, match=r"reference has 2 steps along 'lat' and the record 3, without labels"):
        align_to(bare, bare[:2], what="reference")


def stacked(names=("lat", "lon")) -> xr.DataArray:
    values = np.arange(4.0).reshape(2, 2)
    grid = xr.DataArray(values, {"lat": [50.0, 49.0], "lon": [0.0, 1.0]}, ("lat", "lon"), "soil")
    return grid.stack(point=names)


def test_stacked_points_are_matched_by_their_levels():
    first = stacked()
    xr.testing.assert_identical(align_to(first, first[[2, 0, 3, 1]], what="reference"), first)
    np.testing.assert_array_equal(align_to(first, stacked(("lon", "lat")), what="reference"), first)


def test_dimensions_that_are_to_differ_are_left_alone():
    second = record().assign_coords(time=DAYS + pd.Timedelta(days=900))[::-1]
    aligned = align_to(record(), second, what="reference", skip=("time",))
    assert (aligned.indexes["time"] == DAYS + pd.Timedelta(days=900)).all()
    np.testing.assert_array_equal(aligned, record())


def test_own_dimensions_of_the_second_array_stay_when_they_may():
    second = record()[::-1].expand_dims(member=[1, 2])
    aligned = align_to(record(), second, what="reference", extra_dims=True)
    assert aligned.dims == ("lat", "time", "member")
    np.testing.assert_array_equal(aligned.isel(member=0), record())


def test_a_record_in_one_chunk_stays_in_one_chunk():
    second = record()[:, [3, 0, 4, 1, 2]].chunk(time=-1, lat=1)
    assert align_to(record(), second, what="reference").chunksizes["time"] == (5,)


def test_duplicates_on_both_sides_in_the_same_order_are_the_same():
    first = record(lat=[50.0, 50.0, 48.0])
    xr.testing.assert_identical(align_to(first, first.copy(), what="reference"), first)


# ---- refused by name, and the cures --------------------------------------------------------------------------------

sites = record().rename(lat="site").assign_coords(site=["1", "2", "3"])
REFUSED = {
    "missing rows": (record(), record()[:2], r"lacks 1 of the record's 3 labels along 'lat' \(48.0; it has 2"),
    "one row": (record(), record()[:1], r"lacks 2 of the record's 3 .* serve all, say so by taking the dimension away"),
    "missing days": (record(), record()[:, 1:], r"lacks 1 of the record's 5 labels along 'time' \(2001-01-01"),
    "days at noon": (
        record(),
        record().assign_coords(time=DAYS + pd.Timedelta(hours=12)),
        "days stamped at other hours, name the day alone: da = ",
    ),
    "the record at noon": (
        record().assign_coords(time=DAYS + pd.Timedelta(hours=12)),
        record(),
        "name the day alone: record = ",
    ),
    "text for numbers": (sites.assign_coords(site=[1, 2, 3]), sites, r"has text along 'site' \(1, 2, 3\) and the"),
    "numbers for text": (sites, sites.assign_coords(site=[1, 2, 3]), "has numbers along 'site'"),
    "dates as text": (
        record(),
        record().assign_coords(time=DAYS.strftime("%Y-%m-%d")),
        "has text along 'time'",
    ),
    "no labels": (record(), record().drop_vars("lat"), "the record has labels along 'lat' and reference has none"),
    "labels missing in the record": (record().drop_vars("lat"), record(), "reference has labels along 'lat' and the"),
    "a dimension more": (record(), record().expand_dims(member=[1, 2]), r"the dimension\(s\) \['member'\] that the"),
    "one label of it": (record().isel(lat=1), record(), "of which the record is one label"),
    "not stacked": (stacked(), stacked().unstack(), r"dimensions \['lat', 'lon'\] that are stacked as 'point'"),
    "noleap": (
        record(),
        record().convert_calendar("noleap", use_cftime=True),
        "dates of the calendar 'noleap' along 'time' and the record of 'proleptic_gregorian'",
    ),
    "a record of 360 days": (
        record().convert_calendar("360_day", align_on="year", use_cftime=True),
        record(),
        "the record of '360_day'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_labels_cannot_settle_is_refused_and_the_cure_works(kind):
    first, second, told = REFUSED[kind]
    message = refusal(first, second)
    assert re.search(told, message), message
    assert message.startswith(("reference", "the record"))
    first, second = follow(message, first, second)
    aligned = align_to(first, second, what="reference")
    assert set(aligned.dims) <= set(first.dims)


def test_surplus_labels_are_refused_when_all_must_be_the_same():
    longer = xr.concat([record(), record().assign_coords(time=DAYS + pd.Timedelta(days=9))], "time")
    message = refusal(record(), longer, exact=True)
    assert re.search(r"reference has 5 label\(s\) along 'time' that the record lacks \(2001-01-10", message)
    first, second = follow(message, record(), longer)
    xr.testing.assert_identical(align_to(first, second, what="reference", exact=True), record())


def test_a_stacked_dimension_on_one_side_only_is_refused():
    flat = stacked().reset_index("point").assign_coords(point=np.arange(4))
    with pytest.raises(ValueError, match=r"'point' is stacked of \['lat', 'lon'\] in the record only"):
        align_to(stacked(), flat, what="reference")
    with pytest.raises(ValueError, match=r"is stacked of \['lat', 'lon'\] in reference only"):
        align_to(flat, stacked(), what="reference")


def test_kinds_without_a_ready_cure_are_refused_too():
    odd = record().assign_coords(time=np.arange(5))
    with pytest.raises(ValueError, match=r"has numbers along 'time' .* with labels of the record's kind"):
        align_to(record(), odd, what="reference")
    spans = record().assign_coords(time=pd.to_timedelta(np.arange(5), "D"))
    with pytest.raises(ValueError, match="has timedeltas along 'time'"):
        align_to(record(), spans, what="reference")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (np.zeros(5), r"reference must be a DataArray, got ndarray; give it labels, xarray.DataArray"),
        (xr.Dataset({"a": record()}), r"reference must be a DataArray, got Dataset; pick a variable"),
    ],
)
def test_other_objects_are_refused(second, told):
    with pytest.raises(TypeError, match=told):
        align_to(record(), second, what="reference")


# ---- order ---------------------------------------------------------------------------------------------------------


def test_days_are_put_in_order():
    shuffled = record()[:, [3, 0, 4, 1, 2]]
    xr.testing.assert_identical(in_order(shuffled), record())
    assert in_order(record()) is not None
    first = record()
    assert in_order(first) is first
    bare = first.drop_vars("time")
    assert in_order(bare) is bare


# ---- laws ----------------------------------------------------------------------------------------------------------


@given(rows=st.permutations(range(3)), days=st.permutations(range(5)), turned=st.booleans(), chunk=st.integers(0, 3))
def test_no_order_changes_the_result(rows, days, turned, chunk):
    second = record()[list(rows), list(days)]
    second = second.T if turned else second
    second = second.chunk(lat=chunk) if chunk else second
    xr.testing.assert_identical(align_to(record(), second, what="reference").compute(), record())


@given(keep=st.sets(st.sampled_from([50.0, 49.0, 48.0]), min_size=1))
def test_every_label_counts(keep):
    """An oracle of one line: all labels of the record are there, or the call is refused."""
    second = record().sel(lat=sorted(keep))
    if keep == {50.0, 49.0, 48.0}:
        xr.testing.assert_identical(align_to(record(), second, what="reference"), record())
    else:
        with pytest.raises(ValueError, match="lacks"):
            align_to(record(), second, what="reference")
