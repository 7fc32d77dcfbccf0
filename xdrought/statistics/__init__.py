"""Statistics of arrays: bootstrap, ranks and correlation, trends, multiple tests; numpy and scipy only."""
