"""What was found, in words and numbers: a value that can be printed, read as a table, and asked one question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, get_args

from xdrought import shown
from xdrought.choices import Verdict

if TYPE_CHECKING:
    import pandas as pd

PASSED, LEAK, UNKNOWN, ABSENT = get_args(Verdict)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    check : str
        Its name, e.g. "scaling".
    verdict : {"passed", "LEAK", "unknown", "absent"}
        "unknown" when the data given do not tell, "absent" when the forecaster has nothing of the kind.
    looked_at : str
        What was recomputed or compared.
    computed_on : str
        What the statistic was computed on, or what is wrong.
    numbers : mapping
        The numbers behind it.
    """

    check: str
    verdict: Verdict
    looked_at: str
    computed_on: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class LeakageReport:
    """What :func:`xdrought.audit_leakage` gives: one finding for each way in which a test can leak.

    Attributes
    ----------
    title : str
        The forecaster in words.
    findings : tuple of Finding
        One for each check, in the order of the work.
    """

    title: str
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """True when nothing was found and everything could be checked."""
        return all(finding.verdict in (PASSED, ABSENT) for finding in self.findings)

    @property
    def leaks(self) -> tuple[str, ...]:
        """Names of the checks that found a leak."""
        return self._named(LEAK)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the checks that the data given do not decide."""
        return self._named(UNKNOWN)

    def __getitem__(self, check: str) -> Finding:
        """The finding of a check by its name."""
        result = {finding.check: finding for finding in self.findings}
        if check not in result:
            raise KeyError(f"no check {check!r}; there are {list(result)}")
        return result[check]

    def to_dataframe(self) -> pd.DataFrame:
        """The findings as a table by `check`; `numbers` is text."""
        import pandas as pd

        rows = [
            {
                "check": finding.check,
                "verdict": finding.verdict,
                "looked_at": finding.looked_at,
                "computed_on": finding.computed_on,
                "numbers": ", ".join(f"{name} {_text(value)}" for name, value in finding.numbers.items()),
            }
            for finding in self.findings
        ]
        return pd.DataFrame(rows).set_index("check")

    def __repr__(self) -> str:
        facts = {finding.check: f"{finding.verdict:<7}  {finding.computed_on}" for finding in self.findings}
        return shown.as_text(f"xdrought.LeakageReport of {self.title}: {self._verdict()}", facts, most_lines=1)

    def _repr_html_(self) -> str:
        """What notebooks show: the verdict and the table."""
        table = self.to_dataframe().to_html(border=0)
        return f"<div><b>{escape(self.title)}: {escape(self._verdict())}</b>{table}</div>"

    def _verdict(self) -> str:
        """One line, in which the word clean is only used of what is."""
        if self.clean:
            return f"clean ({sum(f.verdict == PASSED for f in self.findings)} checks)"
        parts = [f"LEAK in {', '.join(self.leaks)}"] if self.leaks else []
        parts += [f"unknown: {', '.join(self.unknown)}"] if self.unknown else []
        return "; ".join(parts)

    def _named(self, verdict: str) -> tuple[str, ...]:
        return tuple(finding.check for finding in self.findings if finding.verdict == verdict)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
