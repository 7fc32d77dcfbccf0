"""Has a forecaster seen what it is tested on? Recomputed from the data, one finding for each way in."""

from xdrought.leakage.audit import issue_certificate
from xdrought.leakage.report import Certificate, Finding

__all__ = ["Certificate", "Finding", "issue_certificate"]
