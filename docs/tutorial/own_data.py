"""
4. Use your own data
====================

This page takes two files from the disk to events, classes and a map: the table of a logger, and a grid in NetCDF. The
logger's values are those of US-AR1, a real record, written out as a logger writes them. The grid is simulated.
:doc:`/guide/own_data` has the same for GLEAM, ESA CCI, SMAP, ERA5-Land, ISMN, AmeriFlux and ICOS.
"""

# %%
# Four things are needed:
#
# - **days**: dates along ``time``, one value per day, missing days as NaN;
# - **units** in ``attrs["units"]``, for example ``"percent"`` or ``"m3 m-3"``;
# - **missing values as NaN**, never as -9999;
# - **places**, if you want a map: ``lat`` and ``lon``.
#
# A table of a logger
# -------------------
#
# The logger writes every six hours. It writes -9999 when it was off, and leaves days out.

import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_map, plot_record

folder = Path(tempfile.mkdtemp())
daily = open_dataset("us-ar1").soil_moisture.isel(site=0).dropna("time").to_series()
written = daily.resample("6h").ffill().rename("VWC_20cm").rename_axis("TIMESTAMP").round(2)
written.iloc[2000:2004] = -9999
written.drop(written.index[3000:3012]).to_csv(folder / "probe.csv")
print("\n".join((folder / "probe.csv").read_text().splitlines()[:4]))

# %%
# ``resample`` makes days of the hours, and inserts the days that the file leaves out as NaN. The code -9999 is still
# there, and xdrought refuses it. A message says what is wrong, shows the value, and says how to repair it.

table = pd.read_csv(folder / "probe.csv", index_col="TIMESTAMP", parse_dates=True)
raw = table["VWC_20cm"].resample("1D").mean().rename_axis("time").to_xarray()
try:
    xdrought.flash_drought_events(raw)
except ValueError as error:
    print(textwrap.fill(str(error), 88))

# %%
# ``na_values`` takes the code out while reading. Give the series its name, its units and its position:

table = pd.read_csv(folder / "probe.csv", index_col="TIMESTAMP", parse_dates=True, na_values=[-9999])
days = table["VWC_20cm"].resample("1D").mean()
probe = days.rename_axis("time").to_xarray().rename("soil_moisture").assign_attrs(units="percent")
probe = probe.expand_dims(site=["my probe"]).assign_coords(lat=("site", [36.43]), lon=("site", [-99.42]))
probe

# %%
# The days are those of the file's clock. If it runs on UTC, shift it first, for instance by
# ``table.index += pd.Timedelta(hours=-6)`` in Oklahoma.
#
# Now the call of the first page works. Compare the events with those of the first page: rounding, a day of -9999 and
# three missing days have hardly changed them.

events = xdrought.flash_drought_events(probe)
xdrought.to_table(events)

# %%

# sphinx_gallery_thumbnail_number = 1
plot_record(probe.isel(site=0).dropna("time"), events)

# %%
# Short gaps are bridged by a straight line, and ``gap_days`` counts them in each event. ``max_gap`` sets how many
# days are short; the default is that of the definition, ten days in Tang et al. (2025).
#
# A grid in NetCDF
# ----------------
#
# This file is **simulated** and has the shape of a reanalysis: ``latitude`` and ``longitude``, a time called
# ``valid_time``, one file per year, soil moisture as a fraction.

from xdrought.simulation import simulate_grid

world = simulate_grid(12, 14, 1461, seed=3, drivers=["tp"])
names = {"lat": "latitude", "lon": "longitude", "time": "valid_time"}
soil = world.soil_moisture.reset_coords(drop=True).rename(names).rename("swvl1")
for year, part in soil.groupby("valid_time.year"):
    part.to_netcdf(folder / f"soil_{year}.nc", engine="h5netcdf")
sorted(path.name for path in folder.glob("soil_*.nc"))

# %%
# Open all years at once, and give the dimensions the names that maps look for. A percentile ranks a day among all
# days, and a chunk must therefore hold all of ``time``. Nothing is computed before you ask for it, so that the grid
# may be larger than memory.

grid = xr.open_mfdataset(folder.glob("soil_*.nc"), engine="h5netcdf")
grid = grid.rename(valid_time="time", latitude="lat", longitude="lon").chunk(time=-1, lat=6, lon=7)
grid.swvl1

# %%
# Classes of each day stay lazy. The map shows a day on which about half of the cells were in a flash drought.

classes = grid.xdrought.drought_classes("swvl1")
in_flash = (classes == xdrought.events.CLASSES["flash_condition"]).sum(["lat", "lon"])
half = int(abs(in_flash - grid.swvl1[0].size / 2).argmin("time"))
day = classes.isel(time=half).compute()
plot_map(day, title=f"{day.time.dt.strftime('%d %b %Y').item()} (simulated)")

# %%
# The summary has a number for each cell. This map shows the flash droughts of four years.

summary = grid.xdrought.drought_summary("swvl1").compute()
plot_map(summary.flash_count, title="Flash droughts in four years (simulated)")

# %%
# Your own weather beside it
# --------------------------
#
# Drivers are further variables of the same Dataset, on the same days, with units. Then pages two and three apply to
# your data. Here the probe gets the rain of a second file, joined by date.

rain = open_dataset("us-ar1").P_F.isel(site=0).to_series().rename("rain_mm").rename_axis("date")
rain.to_csv(folder / "rain.csv")
read = pd.read_csv(folder / "rain.csv", index_col="date", parse_dates=True)["rain_mm"]
both = probe.to_dataset()
both["rain"] = read.rename_axis("time").to_xarray().reindex(time=probe.time).assign_attrs(units="mm d-1")
related = both.isel(site=0).xdrought.ccm("rain", "soil_moisture", direction="cause_to_effect", surrogates=99)
np.round(float(related.rho), 2), float(related.surrogate_p_value)

# %%
# Save it
# -------
#
# Every result says what made it, in ``history``. ``cf_dataset`` prepares it for a NetCDF file by the CF conventions.

xdrought.cf_dataset(classes).to_netcdf(folder / "classes.nc", engine="h5netcdf")
xdrought.to_table(events).to_csv(folder / "events.csv", index=False)
with xr.open_dataset(folder / "classes.nc", engine="h5netcdf") as saved:
    print(saved.attrs["history"])

# %%
# **From here:** the :doc:`/guide` explains each step and its settings, the :doc:`/gallery/index` shows each as an
# executed example, and the :doc:`/api` lists every function. If a message is unclear, :doc:`/guide/what_is_refused`
# lists what is refused and why. The same steps work from a shell: :doc:`/guide/command_line`.
