"""Arrays only: numpy and numba, no labels, no dask, no torch. The last axis is time."""
