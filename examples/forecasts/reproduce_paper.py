"""
The paper in one call
=====================

Every table and figure of Tang et al. (2025) that a data set can give, each beside the paper's value, in one HTML file.
This takes minutes and is not run when the documentation is built; what it gives is on :doc:`/studies/reproduction`.
"""

# %%
# Without data, the simulated twin; with a folder of FLUXNET2015 files, real towers without maps; with a netCDF file or
# zarr store of sites with maps (:func:`xdrought.data.collocate.collocate` makes one of ERA5 and towers), everything.
# The command ``python -m xdrought.reproduction --quick --out twin_report`` does the same.

from xdrought.reproduction import reproduce

reproduce(None, "twin_report", quick=True)

# %%
# ``quick=True`` trains small networks for a few epochs. Without it sizes and settings are the paper's (10 x 10 cells,
# 50 epochs, ten runs of every network in two modes), for which a GPU is needed. Everything that took long is kept; a
# call that was stopped goes on where it was.

# %%
# Own settings, in between:

from xdrought.reproduction import ReportSettings

settings = ReportSettings(epochs=20, runs=5, sampler="consecutive", equations=("paper",))
# reproduce("sites_with_maps.zarr", "my_report", settings=settings)
