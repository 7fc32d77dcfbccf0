"""The paper in one report: kept results, chapters of tables and figures, findings with verdicts, one HTML file."""

from xdrought.reproduction.results import ReportSettings
from xdrought.reproduction.run import reproduce

__all__ = ["ReportSettings", "reproduce"]
