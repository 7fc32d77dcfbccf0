"""
ERA5-shaped files and patches around sites
==========================================

From hourly files to the twelve daily drivers of the paper, and from the grid to the patch of cells around each site.
The files are SIMULATED, written by the twin in the shape of ERA5; those of the Climate Data Store are read the same.
"""

# %%
# Two months of a simulated region of 14 x 16 cells, written as hourly files with ERA5's names and units.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from xdrought.data import era5
from xdrought.data.collocate import collocate, nearest_cells
from xdrought.plot import plot_map
from xdrought.simulation import twin

region = twin.simulate_grid(14, 16, 60, north=49.0, west=9.0, start="2003-06-01", spinup_days=90)
stores = twin.to_era5(region, f"{tempfile.mkdtemp()}/era5.zarr", format="zarr", step="hour")
xr.open_zarr(stores[0])

# %%
# One call makes days of hours: means and maxima, sums of accumulated amounts with their stamps at the end of the hour,
# wind and humidity from what they are made of. It is lazy; each driver says in its attributes how it was made.

daily = era5.open_era5(stores)
daily

# %%
# Rain, for one, with what it was made of:

pd.Series(daily.tp.attrs).to_frame("tp")

# %%
# The rain of two months, and where two sites are.

rain = (daily.tp.sum("time", skipna=False) * 1000).compute()
rain.attrs.update(long_name="precipitation, June and July 2003, simulated", units="mm")
sites = pd.DataFrame({"site": ["SIM-A", "SIM-B"], "lat": [47.27, 47.42], "lon": [10.61, 11.43]})

import cartopy.crs as ccrs

ax = plot_map(rain, cmap="YlGnBu")
ax.plot(sites.lon, sites.lat, "k^", markersize=5, transform=ccrs.PlateCarree())
for name, lat, lon in sites.itertuples(index=False):
    ax.text(lon + 0.08, lat + 0.05, name, fontsize=7, transform=ccrs.PlateCarree())

# %%
# The patch of 10 x 10 cells around each site: for an even size the site lies between the four middle cells, whatever
# the order of the grid's rows and columns is.

patches = collocate(daily, sites, size=10)
patches

# %%
# The hottest day, as the network would see it, with the site in the middle.

hottest = patches.mx2t.max(["site", "patch_lat", "patch_lon"]).argmax("time").compute()
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9), layout="constrained")
fields = patches.mx2t.isel(time=hottest).compute() - 273.15
for ax, place in zip(axes, fields, strict=True):
    drawn = ax.pcolormesh(place.cell_lon, place.cell_lat, place, cmap="inferno", vmin=fields.min(), vmax=fields.max())
    ax.plot(place.lon, place.lat, "w^", markeredgecolor="k")
    ax.set_title(f"{place.site.item()}, {np.datetime_as_string(place.time.values, 'D')}", fontsize=8, loc="left")
    ax.set_xlabel("longitude (°E)", fontsize=8)
    ax.tick_params(labelsize=8)
axes[0].set_ylabel("latitude (°N)", fontsize=8)
bar = figure.colorbar(drawn, ax=axes)
bar.set_label("maximum temperature (°C)", fontsize=8)
bar.ax.tick_params(labelsize=8)

# %%
# The four nearest cells are those of which the paper takes the causality degree.

nearest_cells(patches).cell_lat
