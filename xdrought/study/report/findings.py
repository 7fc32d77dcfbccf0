"""What a chapter of the report holds, and how a number of ours is set against the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"


class LeftOut(Exception):
    """Something of the paper that these data cannot give; the report names it with this reason."""


@dataclass(frozen=True)
class Finding:
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
    findings: list[Finding] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.items.append(text)

    def show(self, drawn: Any, caption: str) -> None:
        self.items.append(Figure(drawn, caption))

    def tabulate(self, frame: pd.DataFrame, caption: str, *, coloured: bool = False, digits: int = 2) -> None:
        self.items.append(Table(frame, caption, coloured, digits))

    def find(self, where: str, statement: str, paper: str, ours: str, verdict: str) -> None:
        self.findings.append(Finding(where, statement, paper, ours, verdict))


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
    low, high = np.quantile(drawn, [0.025, 0.975])
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
        columns = ("difference", "lower", "upper", "adjusted_p_value")
        return cls(*(float(frame[column][name]) for column in columns))

    def __neg__(self) -> Difference:
        return Difference(-self.value, -self.upper, -self.lower, self.adjusted_p)

    def __str__(self) -> str:
        return with_interval(self.value, self.lower, self.upper, 3, sign=True)

    @property
    def verdict(self) -> str:
        """Of "the difference is above zero"."""
        return above_zero(self.lower, self.upper)
