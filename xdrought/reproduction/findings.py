"""What a chapter of the report holds, and the one rule by which a number of ours is set against the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xdrought.reproduction.pictures import picture
from xdrought.reproduction.published import SHOWN
from xdrought.statistics.bootstrap import bootstrap_medians, percentile_interval

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
NOT_COMPARABLE, NOT_EXAMINED = "not comparable", "not examined in the paper"
RULE = (
    "One rule gives all verdicts. What the paper does not examine is said to be so, whatever is found here. A "
    "statement about the real world is not comparable on simulated data. Otherwise the 95 % interval decides. "
    "Supported: it lies on the side of nothing that the paper names. Contradicted: it lies on the other side, and "
    "the data are comparable, that is, the last column is empty. Not comparable: it lies on the other side, and the "
    "column names what is other or smaller here. Undecided: it holds nothing, or there is none. A value of the paper "
    "is set against ours only on comparable data: then leaving it out contradicts, and holding it supports a "
    "statement that is a value alone; on other data such a statement is not comparable."
)


class LeftOut(Exception):
    """A chapter that these data cannot give; the report names it, and all that would be in it, with this reason."""


@dataclass(frozen=True)
class Claim:
    """What the paper says of a number: the side of nothing that it is on, and its value, or one of the two."""

    above: bool | None = True
    nothing: float = 0.0
    value: float | None = None
    of_nature: bool = False  # about soils and weather, not about networks: a simulated world cannot tell

    @classmethod
    def of_value(cls, value: float, *, of_nature: bool = False) -> Claim:
        """That a number has this value, and nothing else."""
        return cls(above=None, value=value, of_nature=of_nature)


@dataclass(frozen=True)
class Setting:
    """What is other or smaller here than in the paper, of all that a finding rests on."""

    departures: tuple[str, ...] = ()
    simulated: bool = False


def judge(interval: tuple[float, float], claim: Claim | None, setting: Setting) -> str:
    """The verdict on a claim by the interval of our number; see `RULE`."""
    if claim is None:
        return NOT_EXAMINED
    if claim.of_nature and setting.simulated:
        return NOT_COMPARABLE
    low, high = interval
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    comparable = not setting.departures
    if claim.value is not None and comparable and not low <= claim.value <= high:
        return CONTRADICTED
    if claim.above is None:
        return SUPPORTED if comparable else NOT_COMPARABLE
    above, below = low > claim.nothing, high < claim.nothing
    if above if claim.above else below:
        return SUPPORTED
    if above or below:
        return CONTRADICTED if comparable else NOT_COMPARABLE
    return UNDECIDED


@dataclass(frozen=True)
class ReportFinding:
    """One statement: where the paper makes it, its value, ours with an interval, what follows, what is other here."""

    where: str
    statement: str
    paper: str
    ours: str
    verdict: str
    departures: str


@dataclass(frozen=True)
class Table:
    """Numbers with a caption; `coloured` marks high and low cells."""

    frame: pd.DataFrame
    caption: str
    coloured: bool = False
    digits: int = 2


@dataclass(frozen=True)
class Figure:
    """A picture as PNG, with a caption."""

    png: bytes
    caption: str


@dataclass
class Chapter:
    """One part of the report, in the order in which it is read.

    What an item shows of the paper is named by `of`, keys of :data:`xdrought.reproduction.published.SHOWN`.
    """

    title: str
    items: list[str | Table | Figure] = field(default_factory=list)
    findings: list[ReportFinding] = field(default_factory=list)
    shown: dict[str, None] = field(default_factory=dict)  # in order, each once
    lacking: dict[str, str] = field(default_factory=dict)  # and why

    def say(self, text: str, *, of: Sequence[str] = ()) -> None:
        """Add a paragraph of plain text; names of files and variables in it cannot become live HTML."""
        self._add(escape(text, quote=False), of)

    def say_html(self, html: str) -> None:
        """Add a paragraph that is HTML already."""
        self._add(html, ())

    def show(self, drawn: Any, caption: str, *, of: Sequence[str] = ()) -> None:
        """Add a picture of a matplotlib Axes or Figure, which is then closed."""
        self._add(Figure(picture(drawn), caption), of)

    def tabulate(
        self, frame: pd.DataFrame, caption: str, *, coloured: bool = False, digits: int = 2, of: Sequence[str] = ()
    ) -> None:
        self._add(Table(frame, caption, coloured, digits), of)

    def find(
        self,
        where: str,
        statement: str,
        paper: str,
        ours: str,
        *,
        interval: tuple[float, float] = (np.nan, np.nan),
        claim: Claim | None,
        setting: Setting,
        of: Sequence[str] = (),
    ) -> None:
        """Add a finding; without a `claim` it is one that the paper does not examine."""
        self._name(of)
        verdict = judge(interval, claim, setting)
        self.findings.append(ReportFinding(where, statement, paper, ours, verdict, "; ".join(setting.departures)))

    def lack(self, *names: str, why: str) -> None:
        """Say why something of the paper is not here."""
        for name in _known(names):
            self.lacking[name] = why

    def _add(self, item: str | Table | Figure, of: Sequence[str]) -> None:
        self._name(of)
        self.items.append(item)

    def _name(self, of: Sequence[str]) -> None:
        self.shown |= dict.fromkeys(_known(of))


def _known(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in SHOWN:
            raise KeyError(f"the paper shows no {name!r}; the names are those of xdrought.reproduction.published.SHOWN")
    return names


def with_interval(value: float, lower: float, upper: float, digits: int = 2, sign: bool = False) -> str:
    """A number with its interval: "0.31 [0.12, 0.44]"."""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{value:{form}} [{lower:{form}}, {upper:{form}}]" if np.isfinite(lower) else f"{value:{form}}"


def median_interval(
    values: Sequence[float] | np.ndarray, *, n_boot: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Median with a 95 % bootstrap interval, of values of independent places."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if known.size < 2:
        return (float(known[0]) if known.size else np.nan, np.nan, np.nan)
    low, high = percentile_interval(bootstrap_medians(known[None, None], n_boot, seed)[0], 0.95)
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
    def interval(self) -> tuple[float, float]:
        return self.lower, self.upper
