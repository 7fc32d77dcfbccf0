"""Statistics of arrays: bootstrap, ranks and correlation, trends, multiple tests; numpy and scipy only."""

from xdrought.statistics.bootstrap import bootstrap_weights, percentile_interval

__all__ = ["bootstrap_weights", "percentile_interval"]
