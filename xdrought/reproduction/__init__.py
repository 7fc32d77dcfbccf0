"""The paper in one report: kept results, chapters of tables and figures, findings with verdicts, one HTML file."""

from xdrought.reproduction.results import Settings
from xdrought.reproduction.run import reproduce

__all__ = ["Settings", "reproduce"]
