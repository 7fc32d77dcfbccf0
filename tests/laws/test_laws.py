"""The laws of every public function: how data are given changes no labelled result, and what is wrong is refused.

Each function of the list runs on the same small world, given in another order, type, chunks, calendar, unit and under
other names. A refusal counts when this package says it in words; an error of a library below does not.
"""

from __future__ import annotations

import ast
import inspect
import re
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import xdrought
from tests.laws import inputs
from tests.laws.compare import differences, parts
from tests.laws.functions import EXEMPT, LAWS, Law
from tests.laws.transformations import (
    ALONE,
    SAME,
    WRONG,
    Transformation,
    emptied,
    of_unknown_size,
    third_label_twice,
    with_coords,
)
from tests.support.helpers import raise_if_dask_computes

PACKAGE = Path(xdrought.__file__).parent
MAY_BE_REFUSED = {"days in any order", "cftime", "percent", "infinite"}  # a probability is never infinite
OTHER_KINDS = {
    "nothing": None,
    "number": 3,
    "text": "soil",
    "list": [1.0, 2.0],
    "frame": pd.DataFrame({"a": [1.0, 2.0]}),
}
# One input alone with other labels is another question for the input whose labels the result has.
OTHER_LABELS = {"noon", "numbered sites", "one row", "twice"}


class Refused(str):
    """The words of a refusal by this package."""


def outcome(law: Law, arrays: dict[str, Any], names: dict[str, str] | None = None) -> Any:
    """The result in memory, under the usual names; the words of a refusal; any other error is one."""
    names = names or {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = {name: one.compute() for name, one in parts(law.call(**arrays, **names)).items()}
        except (ValueError, TypeError, KeyError) as error:
            if not raised_in(error).startswith(str(PACKAGE)):
                raise
            return Refused(error)
    back = {theirs: ours for ours, theirs in names.items()}
    return {name: one.rename({k: v for k, v in back.items() if k in one.variables}) for name, one in found.items()}


def labelled(arrays: dict[str, Any]) -> dict[str, xr.DataArray | xr.Dataset]:
    return {name: one for name, one in arrays.items() if isinstance(one, xr.DataArray | xr.Dataset)}


def given_otherwise(law: Law, arrays: dict[str, Any], way: Transformation, only: str | None = None) -> dict | None:
    """The inputs with all of them, or one, given in another way; None where that concerns none of them."""
    made = {name: way.apply(one) for name, one in labelled(arrays).items() if only in (None, name)}
    changed = {name: one for name, one in made.items() if one is not None}
    return arrays | changed if changed else None


def problem(law: Law, expected: Any, arrays: dict[str, Any], way: Transformation, may_be_refused: bool) -> list[str]:
    """What is wrong with the result of inputs that are given in another way."""
    ignored = tuple(name for one in labelled(arrays).values() for name in one.coords)  # those that were added come out
    names = way.names if "time" in inspect.signature(law.function).parameters else {}
    try:
        found = outcome(law, arrays, names)
    except Exception as error:
        return [f"{type(error).__name__} of a library below: {str(error)[:200]}"]
    if isinstance(found, Refused):
        return [] if may_be_refused else [f"refused: {found[:200]}"]
    told = differences(expected, found, law.single if way.single else law.rounding, ignored)
    packed = {name for one in found.values() for name, v in one.variables.items() if "scale_factor" in v.encoding}
    return told + [f"{name} keeps the packing of its file" for name in sorted(map(str, packed))]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_how_data_are_given_changes_nothing(law):
    arrays = {name: make() for name, make in law.inputs.items()}
    before = {name: one.copy(deep=True) for name, one in labelled(arrays).items()}
    expected = outcome(law, arrays)
    assert not isinstance(expected, Refused), expected
    assert all(one.sizes.get("event", 1) for one in expected.values()), "a law about nothing"
    for name, one in before.items():
        xr.testing.assert_identical(one, arrays[name])
    wrong = []
    own = sorted({str(name) for one in expected.values() for name in one.data_vars if name != "it"})
    for name, way in (SAME | {"with coords": Transformation(with_coords(own))}).items():
        given = given_otherwise(law, arrays, way)
        if (
            given is None
            or name in law.without
            or (way.names and "time" not in inspect.signature(law.function).parameters)
        ):
            continue
        told = problem(law, expected, given, way, name in MAY_BE_REFUSED)
        wrong += [f"{name}: {one}" for one in told]
    for name, way in ALONE.items() if len(labelled(arrays)) > 1 else ():
        for one in labelled(arrays):
            given = given_otherwise(law, arrays, way, one)
            if given is None or name in law.without or (name in OTHER_LABELS and one == law.labels):
                continue
            wrong += [f"{name} {one}: {told}" for told in problem(law, expected, given, way, True)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("law", [law for law in LAWS if law.lazy], ids=lambda law: law.name)
def test_dask_stays_dask(law):
    arrays = {name: make() for name, make in law.inputs.items()}
    given = given_otherwise(law, arrays, SAME["chunked"])
    with raise_if_dask_computes(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        law.call(**given)


@pytest.mark.parametrize("law", [law for law in LAWS if law.holds_values], ids=lambda law: law.name)
def test_codes_of_missing_values_are_refused(law):
    arrays = {name: make() for name, make in law.inputs.items()}
    taken = []
    for name, way in WRONG.items():
        for one in labelled(arrays):
            given = None if one in law.unread else given_otherwise(law, arrays, way, one)
            if given is not None and not isinstance(outcome(law, given), Refused):
                taken.append(f"{name} in {one}")
    assert not taken, f"taken without a word: {taken}"


@pytest.mark.parametrize("law", [law for law in LAWS if law.holds_values], ids=lambda law: law.name)
def test_a_record_without_values_is_told_of(law):
    """Nothing but NaN goes in: it is refused, or one warning says why nothing comes out."""
    arrays = {name: make() for name, make in law.inputs.items()}
    silent = []
    for name in set(labelled(arrays)) - law.unread:
        empty = emptied(arrays[name])
        if empty is None:
            continue
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                law.call(**arrays | {name: empty})
            except (ValueError, TypeError) as error:
                if not traceback.extract_tb(error.__traceback__)[-1].filename.startswith(str(PACKAGE)):
                    silent.append(f"{name}: {error} of a library below")
                continue
        told = [one for one in heard if "has no value at all" in str(one.message)]
        if len(told) != 1:
            silent.append(f"{name}: {len(told)} warnings")
    assert not silent


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_what_cannot_be_told_is_refused_at_the_door(law):
    """A label that stands twice would count twice, and nobody knows how long an array of unknown chunks is."""
    arrays = {name: make() for name, make in law.inputs.items()}
    for name, one in labelled(arrays).items():
        if (unknown := of_unknown_size(one)) is not None:
            with pytest.raises(ValueError, match="has chunks of unknown size"):
                law.call(**arrays | {name: unknown})
        for dim in set(one.dims) - {"configuration"}:  # which the calls of the list rename
            if (twice := third_label_twice(one, dim)) is not None:
                with pytest.raises(ValueError, match=rf"twice along '{dim}'; keep one of each"):
                    law.call(**arrays | {name: twice})


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_what_is_no_labelled_data_is_refused_in_our_words(law):
    given = {name: build() for name, build in law.inputs.items()}
    for name, good in given.items():
        others = {**OTHER_KINDS, "array": xr.DataArray([1.0, 2.0], dims="x"), "Dataset": xr.Dataset()}
        if isinstance(good, xr.DataArray):
            others |= {"numpy": good.values, "Dataset": good.to_dataset(name="soil_moisture")}
        for kind, other in others.items():
            error = error_of(law, {**given, name: other})
            if error is not None:
                assert isinstance(error, TypeError | ValueError | KeyError), (name, kind, error)
                assert raised_in(error).startswith(str(PACKAGE)), (name, kind, error)
                assert not re.search(r"object (has no|is not)|not iterable", str(error)), (name, kind, error)


def error_of(law: Law, arrays: dict[str, Any]) -> Exception | None:
    """What a call raises in the package or beneath it; None where it gives a result, or the law itself stumbled."""
    try:
        law.call(**arrays)  # some inputs may be nothing, or an array and a Dataset alike
    except Exception as error:
        if any(frame.filename.startswith(str(PACKAGE)) for frame in traceback.extract_tb(error.__traceback__)):
            return error
    return None


def raised_in(error: Exception) -> str:
    return traceback.extract_tb(error.__traceback__)[-1].filename


def test_an_area_without_end_is_no_area():
    areas = inputs.areas().where(inputs.areas().lat < 40, float("inf"))
    with pytest.raises(ValueError, match="cell_area is negative or missing somewhere"):
        xdrought.drought_objects(inputs.dry(), cell_area=areas)


def public_functions() -> set[str]:
    """Module and name of every function of the package that is decorated as public."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(one) == "public" for one in node.decorator_list):
                found.add(f"{module}.{node.name}")
    return found


def test_every_public_function_has_its_laws():
    held = {f"{law.function.__module__}.{law.function.__qualname__}" for law in LAWS}
    exempt = {name for name in public_functions() if any(name == one or name.startswith(f"{one}.") for one in EXEMPT)}
    assert public_functions() - held - exempt == set(), "add a law, or say in EXEMPT why there is none"
    assert held & exempt == set()
    assert [one for one in EXEMPT if not any(n == one or n.startswith(f"{one}.") for n in exempt)] == []
    assert all(len(reason) > 15 for reason in EXEMPT.values())


def test_the_laws_can_be_broken():
    """Functions that look at positions, chunks, types or their own input are seen."""
    from tests.laws import inputs as world

    def by_position(soil):
        return soil.isel(site=0, drop=True).mean("time")

    def pairs_by_position(forecast, soil):
        return forecast.copy(data=forecast.values - soil.values[:, -150:])

    def raw(forecast, soil):
        return xr.align(forecast, soil, join="exact")[0]

    broken = [
        (by_position, ("soil",), "turned"),
        (pairs_by_position, ("forecast", "soil"), "turned"),
        (raw, ("forecast", "soil"), "of a library below"),
    ]
    for function, names, words in broken:
        law = Law(function, {name: getattr(world, name) for name in names}, function, labels=names[0])
        with pytest.raises((AssertionError, ValueError), match=words if function is not raw else "cannot align|below"):
            test_how_data_are_given_changes_nothing(law)

    def greedy(soil):
        soil[:] = np.nan
        return soil.mean("time")

    made = world.soil().copy(deep=True)
    with pytest.raises(AssertionError):
        test_how_data_are_given_changes_nothing(Law(greedy, {"soil": lambda: made}, greedy, labels="soil"))
