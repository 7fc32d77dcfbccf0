"""What a chapter of the report holds, and how a number of ours is set against the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xdrought.statistics import percentile_interval

CLASSES = ("normal_onset", "normal_condition", "flash_onset", "flash_condition", "no_drought")
MODELS = ("ResAttCauRec", "ResAttRec", "ResRec", "UNet", "Rec")  # in the order of Table 1

_TABLE_1 = {
    "ResAttCauRec": ([0.60, 0.47, 0.44, 0.76, 0.96], [0.72, 0.64, 0.39, 0.60, 0.96], [0.66, 0.54, 0.41, 0.67, 0.96]),
    "ResAttRec": ([0.28, 0.27, 0.05, 0.32, 0.82], [0.19, 0.21, 0.05, 0.18, 0.92], [0.23, 0.24, 0.05, 0.23, 0.86]),
    "ResRec": ([0.31, 0.30, 0.07, 0.29, 0.80], [0.17, 0.20, 0.08, 0.19, 0.89], [0.22, 0.24, 0.08, 0.23, 0.84]),
    "UNet": ([0.36, 0.31, 0.07, 0.27, 0.81], [0.11, 0.12, 0.08, 0.27, 0.89], [0.16, 0.17, 0.07, 0.27, 0.85]),
    "Rec": ([0.24, 0.18, 0.06, 0.31, 0.83], [0.20, 0.20, 0.07, 0.25, 0.86], [0.22, 0.19, 0.06, 0.28, 0.84]),
}
ACCURACY = {"ResAttCauRec": 0.87, "ResAttRec": 0.72, "ResRec": 0.71, "UNet": 0.71, "Rec": 0.69}  # Table 1
SHARE = dict(zip(CLASSES, (0.0646, 0.0524, 0.0185, 0.1266, 0.7380), strict=True))  # Table 1, last row
GENERALIZATION = {"ResAttCauRec": 0.83, "ResAttRec": 0.43, "ResRec": 0.38, "UNet": 0.38, "Rec": 0.90}  # section 4.1
NSE_GAIN_OF_MAPS = 0.15  # section 4.1: ResRec less Rec, test part
FLASH_EVENTS, FLASH_SITES = 892, 131  # section 3.1
OVERFITTING_EPOCHS = 15  # section 4.1: of 50, the last ones
LEAD_GAIN = (0.16, 0.17)  # section 4.2: in F1 of onset and condition, lead of 1 day instead of 7
LEAD_LOSS = 0.42  # section 4.2: up to, lead of 14 days
RATE_TREND = 0.95  # section 4.5: percentile a day over 17 years
ERROR_CORRELATION = -0.56  # Figure 7b: complexity and error
SYNCHRONY = 0.73  # Figure 7c: share of sites


def table_1() -> pd.DataFrame:
    """Table 1: precision, recall and F1 by model (rows, with the measure) and class (columns)."""
    rows = {
        (model, name): dict(zip(CLASSES, values, strict=True))
        for model, measures in _TABLE_1.items()
        for name, values in zip(("precision", "recall", "f1"), measures, strict=True)
    }
    return pd.DataFrame(rows).T.rename_axis(["model", "measure"])


SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


class LeftOut(Exception):
    """Something of the paper that these data cannot give; the report names it with this reason."""


@dataclass(frozen=True)
class ReportFinding:
    """One statement: where the paper makes it, its value, ours with an interval, and what follows."""

    where: str
    statement: str
    paper: str
    ours: str
    verdict: str


@dataclass(frozen=True)
class Table:
    """Numbers with a caption; `coloured` marks high and low cells."""

    frame: pd.DataFrame
    caption: str
    coloured: bool = False
    digits: int = 2


@dataclass(frozen=True)
class Figure:
    """A picture (a matplotlib Axes or Figure) with a caption."""

    drawn: Any
    caption: str


@dataclass
class Chapter:
    """One part of the report, in the order in which it is read."""

    title: str
    items: list[str | Table | Figure] = field(default_factory=list)
    findings: list[ReportFinding] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add a paragraph of plain text; names of files and variables in it cannot become live HTML."""
        self.items.append(escape(text, quote=False))

    def say_html(self, html: str) -> None:
        """Add a paragraph that is HTML already."""
        self.items.append(html)

    def show(self, drawn: Any, caption: str) -> None:
        self.items.append(Figure(drawn, caption))

    def tabulate(self, frame: pd.DataFrame, caption: str, *, coloured: bool = False, digits: int = 2) -> None:
        self.items.append(Table(frame, caption, coloured, digits))

    def find(self, where: str, statement: str, paper: str, ours: str, verdict: str) -> None:
        self.findings.append(ReportFinding(where, statement, paper, ours, verdict))


def above_zero(lower: float, upper: float) -> str:
    """The verdict on "greater than nothing" by an interval."""
    if not np.isfinite([lower, upper]).all():
        return UNDECIDED
    return SUPPORTED if lower > 0 else CONTRADICTED if upper < 0 else UNDECIDED


def with_interval(value: float, lower: float, upper: float, digits: int = 2, sign: bool = False) -> str:
    """A number with its interval: "0.31 [0.12, 0.44]"."""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{value:{form}} [{lower:{form}}, {upper:{form}}]"


def median_interval(
    values: Sequence[float] | np.ndarray, *, n_boot: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Median with a 95 % bootstrap interval, of values of independent places."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if known.size < 2:
        return (float(known[0]) if known.size else np.nan, np.nan, np.nan)
    drawn = np.median(known[np.random.default_rng(seed).integers(known.size, size=(n_boot, known.size))], axis=1)
    low, high = percentile_interval(drawn, 0.95)
    return float(np.median(known)), float(low), float(high)


@dataclass(frozen=True)
class Difference:
    """A paired difference of scores with its interval, read from a row of `paired_differences`."""

    value: float
    lower: float
    upper: float
    adjusted_p: float = np.nan

    @classmethod
    def of(cls, frame: pd.DataFrame, name: str) -> Difference:
        """The row of a model: its score less that of the baseline."""
        columns = ("difference", "lower", "upper", "p_value_adjusted")
        return cls(*(float(frame[column][name]) for column in columns))

    def __neg__(self) -> Difference:
        return Difference(-self.value, -self.upper, -self.lower, self.adjusted_p)

    def __str__(self) -> str:
        return with_interval(self.value, self.lower, self.upper, 3, sign=True)

    @property
    def verdict(self) -> str:
        """Of "the difference is above zero"."""
        return above_zero(self.lower, self.upper)
