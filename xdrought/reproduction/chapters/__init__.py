"""The chapters of the report, in the order of the paper: each takes the results and gives a `Chapter`."""

from __future__ import annotations

from collections.abc import Callable

from xdrought.reproduction.chapters.data_and_events import causes, data, droughts
from xdrought.reproduction.chapters.experiments import controls, sweeps
from xdrought.reproduction.chapters.explanations import acceleration, coupling, explanations
from xdrought.reproduction.chapters.forecasts import forecasts, leakage, networks, table_1
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
