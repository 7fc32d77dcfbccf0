"""The chapters of the report, in the order of the paper: each takes the results and gives a `Chapter`."""

from __future__ import annotations

from collections.abc import Callable

from xdrought.reproduction.chapters.acceleration import acceleration
from xdrought.reproduction.chapters.causality import causes
from xdrought.reproduction.chapters.controls import controls
from xdrought.reproduction.chapters.explanations import coupling, explanations
from xdrought.reproduction.chapters.forecasts import forecasts, table_1
from xdrought.reproduction.chapters.networks import leakage, networks
from xdrought.reproduction.chapters.records import data, droughts
from xdrought.reproduction.chapters.sweeps import sweeps
from xdrought.reproduction.findings import Chapter
from xdrought.reproduction.results import Results

CHAPTERS: tuple[Callable[[Results], Chapter], ...] = (
    data,
    droughts,
    causes,
    networks,
    leakage,
    table_1,
    forecasts,
    sweeps,
    coupling,
    explanations,
    acceleration,
    controls,
)

__all__ = ["CHAPTERS"]
