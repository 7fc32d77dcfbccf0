"""Whether the scored forecasts have seen their test (section 3.4)."""

from __future__ import annotations

from xdrought.study.report.findings import CONTRADICTED, SUPPORTED, UNDECIDED, Chapter
from xdrought.study.report.material import FULL, Material


def leakage(m: Material) -> Chapter:
    """The certificate of the whole network, recomputed from the data."""
    chapter = Chapter("Leakage")
    found = m.forecaster(FULL).certificate(m.source.ds, device=m.settings.device)
    chapter.tabulate(
        found.to_dataframe()[["verdict", "computed_on", "evidence"]],
        f"What every statistic of {FULL} was computed on, found out again from the data.",
    )
    chapter.say(
        "Not of the network: the percentiles that turn soil moisture into classes are of the whole record, as in the "
        "paper, so the thresholds of Table 1 know the test part."
    )
    said = f"{len(found.leaks)} leaks, {len(found.unknown)} undecided, of {len(found.findings)} checks"
    verdict = SUPPORTED if found.clean else CONTRADICTED if found.leaks else UNDECIDED
    chapter.find("3.4", "nothing is computed on the test part", "scaling is of the training part", said, verdict)
    return chapter
