"""The chapters of the report, in the order of the paper: each takes the material and gives a `Chapter`."""

from __future__ import annotations

from collections.abc import Callable

from xdrought.study.report.chapters.acceleration import acceleration
from xdrought.study.report.chapters.causes import causes
from xdrought.study.report.chapters.controls import controls
from xdrought.study.report.chapters.coupling import coupling
from xdrought.study.report.chapters.data import data
from xdrought.study.report.chapters.droughts import droughts
from xdrought.study.report.chapters.explanations import explanations
from xdrought.study.report.chapters.forecasts import forecasts
from xdrought.study.report.chapters.leakage import leakage
from xdrought.study.report.chapters.networks import networks
from xdrought.study.report.chapters.sweeps import sweeps
from xdrought.study.report.chapters.table_1 import table_1
from xdrought.study.report.findings import Chapter
from xdrought.study.report.material import Material

CHAPTERS: tuple[Callable[[Material], Chapter], ...] = (
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
