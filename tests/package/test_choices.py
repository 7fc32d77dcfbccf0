"""A parameter that is one of a few words says so in its type, in its text and in its check, with the same words."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import xdrought
import xdrought.bulletin
import xdrought.data
import xdrought.leakage
import xdrought.simulation
import xdrought.study
from xdrought import choices
from xdrought.causality import methods, pairs
from xdrought.data import forecasts
from xdrought.definitions import DEFINITIONS
from xdrought.splits import SPLITS

plot = pytest.importorskip("xdrought.plot")
models = pytest.importorskip("xdrought.models")
reproduction = pytest.importorskip("xdrought.reproduction")

ROOMS = [xdrought, xdrought.bulletin, xdrought.data, xdrought.leakage, xdrought.simulation, xdrought.study]
ROOMS += [plot, models, reproduction]
# What takes a few words or any text beside them.
OPEN = {"accumulation"}


def functions() -> Iterator[tuple[str, Callable]]:
    """Every public function, and every class with fields."""
    seen = set()
    for room in ROOMS:
        for name in getattr(room, "__all__", dir(room)):
            value = None if name.startswith("_") else getattr(room, name, None)
            if (
                callable(value)
                and id(value) not in seen
                and str(getattr(value, "__module__", "")).startswith("xdrought")
            ):
                seen.add(id(value))
                yield f"{room.__name__}.{name}", value


def in_text(function: Callable) -> dict[str, set[str]]:
    """Parameters whose text begins with a set of words, and the words."""
    rows = re.findall(r'^(\w+(?:, \w+)*) : \{((?:"[\w-]+"(?:, )?)+)\}', inspect.getdoc(function) or "", re.MULTILINE)
    return {one: set(re.findall(r'"([\w-]+)"', words)) for names, words in rows for one in names.split(", ")}


def in_type(annotation: Any) -> set[str]:
    """Words of a type, those inside unions and sequences as well."""
    if typing.get_origin(annotation) is typing.Literal:
        return {one for one in typing.get_args(annotation) if isinstance(one, str)}
    return set().union(*(in_type(one) for one in typing.get_args(annotation)), set())


ALL = dict(functions())
TEXTS = [(name, one, words) for name, f in ALL.items() for one, words in in_text(f).items() if one not in OPEN]


def types_of(function: Callable) -> dict[str, Any]:
    target = function.__init__ if inspect.isclass(function) else inspect.unwrap(function)
    owner = inspect.getmodule(inspect.unwrap(function))
    names = {**vars(typing), **vars(owner)}
    return {
        name: eval(p.annotation, names) if isinstance(p.annotation, str) else p.annotation
        for name, p in inspect.signature(target).parameters.items()
        if name in in_text(function)
    }


@pytest.mark.parametrize(("name", "parameter", "words"), TEXTS, ids=[f"{n}-{p}" for n, p, _ in TEXTS])
def test_the_words_of_the_text_are_those_of_the_type(name, parameter, words):
    assert parameter in types_of(ALL[name]), f"{name} has no parameter {parameter!r}"
    assert in_type(types_of(ALL[name])[parameter]) == words


def test_there_is_something_to_hold():
    assert len(TEXTS) > 40


@pytest.mark.parametrize(
    ("words", "table"),
    [
        (choices.CausalityMethod, methods.METHODS),
        (choices.Direction, pairs.DIRECTIONS),
        (choices.DefinitionName, DEFINITIONS),
        (choices.OnsetClassifier, importlib.import_module("xdrought.forecast.onset.classifiers").MODELS),
        (choices.LastKnown, forecasts._KNOWN_UP_TO),
        (choices.SplitKind, SPLITS),
        (choices.VariantName, models.VARIANTS),
        (choices.Equations, importlib.import_module("xdrought.models.resattcaurec").STEPS),
        (choices.Sampler, importlib.import_module("xdrought.models.training").SAMPLERS),
        (choices.Relapse, importlib.import_module("xdrought.kernels.spells").RELAPSE),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_the_words_are_the_rows_of_the_table(words, table):
    assert set(typing.get_args(words)) == set(table)


@pytest.mark.parametrize("name", ["sampler", "mode", "directions", "percentiles", "spatial_draws", "complexity_pool"])
def test_a_report_refuses_a_misspelt_choice(name):
    with pytest.raises(ValueError, match=f"{name}='recrod'"):
        reproduction.ReportSettings(**{name: "recrod"})
