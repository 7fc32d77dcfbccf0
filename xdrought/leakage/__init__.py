"""Does a forecaster know anything of what it is tested on? Every statistic is computed again from the data."""

from xdrought.leakage.audit import audit_leakage
from xdrought.leakage.given_checks import AlarmThreshold
from xdrought.leakage.report import Finding, LeakageReport

__all__ = ["AlarmThreshold", "Finding", "LeakageReport", "audit_leakage"]
