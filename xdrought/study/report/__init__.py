"""The paper in one report: kept results, chapters of tables and figures, findings with verdicts, one HTML file."""

from xdrought.study.report.material import Settings
from xdrought.study.report.reproduction import reproduce

__all__ = ["Settings", "reproduce"]
