"""Has a forecaster seen what it is tested on? Recomputed from the data, one finding for each way in."""

from xdrought.forecast.certificate.findings import Certificate, Finding
from xdrought.forecast.certificate.issue import issue_certificate

__all__ = ["Certificate", "Finding", "issue_certificate"]
