"""
1. Find the droughts in a record
================================

This page takes one record of soil moisture from the first look to a table and a picture of its droughts. The record is
real: four years of a grassland in Oklahoma, measured at the FLUXNET2015 site US-AR1 (CC-BY-4.0). The map at the end is
made from simulated sites.
"""

# %%
# Open the record
# ---------------
#
# ``import xdrought`` adds ``.xdrought`` to every xarray Dataset. The record lies on ``(site, time)``, one value per
# day. Each variable carries its units, and missing days are NaN.

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_event, plot_map, plot_record

tower = open_dataset("us-ar1")
tower[["soil_moisture", "soil_temperature", "TA_F", "P_F"]]

# %%
# Dry compared with what?
# -----------------------
#
# Is 15 % of water by volume dry? In sand it is not, in clay it is. A drought is therefore defined by percentiles: the
# share of all days of the record that were drier than this one. The 20th percentile means that one day in five was
# drier. Percentiles need no units and no knowledge of the soil.

percentile = xdrought.soil_moisture_percentile(tower.soil_moisture)
percentile.sel(time=["2011-06-01", "2011-06-17", "2011-06-28", "2011-07-15"]).squeeze("site").to_series().round(1)

# %%
# Find the events
# ---------------
#
# A *flash* drought is a drought that sets in fast. By the definition of Tang et al. (2025), which is the default,
# soil moisture falls from above the 40th to below the 20th percentile and then stays low for at least 15 days. The
# drought is flash when it falls by one percentile per day or faster.

events = tower.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
xdrought.to_table(events)

# %%
# There is one row per drought. Read row 2 from left to right:
#
# - ``onset_time`` is the last day above the 40th percentile, and ``start_time`` the first day below the 20th;
# - the soil took ``onset_length`` days to fall from one to the other, at ``intensification_rate`` percentiles per day;
# - ``end_time`` is the last day of the drought, and ``severity`` sums how far each day lay below the 20th percentile;
# - ``is_flash`` says whether the fall was fast enough.
#
# Two columns warn you. ``is_censored`` marks a drought that met the end of the record, so that its true duration is
# unknown. ``frozen_fraction`` is the share of days on which the soil was frozen: a probe measures liquid water only,
# so that frost looks like drought (:doc:`/guide/frozen_soil`).
#
# Look at one event
# -----------------
#
# The events are a Dataset on the dimension ``event``. Select from it as from any other. This is the most severe
# drought, with its onset, its start and the thresholds.

severest = int(events.severity.argmax("event"))
record = tower.soil_moisture.isel(site=0).dropna("time")
plot_event(record, events, event=severest)

# %%
# The whole record shows all of them. Flash droughts and slower droughts have different colours.

# sphinx_gallery_thumbnail_number = 2
plot_record(record, events)

# %%
# Ask another question
# --------------------
#
# Each threshold is a keyword. A stricter speed keeps fewer flash droughts of the same events:

for rate in (0.5, 1.0, 2.0, 2.5):
    found = tower.xdrought.flash_drought_events("soil_moisture", min_rate=rate)
    print(f"at least {rate} percentiles per day: {int(found.is_flash.sum())} of {found.sizes['event']} are flash")

# %%
# Six published definitions have names, such as ``definition="yuan2019"``. Most of them compare a day with the same
# days of other years, and need some ten years of data or more. :doc:`/guide/definitions` helps you to choose.
#
# A class for every day
# ---------------------
#
# Maps and bulletins need a statement for each day rather than a table. ``drought_classes`` gives each day a class,
# and keeps the dimensions of the input.

classes = tower.xdrought.drought_classes("soil_moisture")
names = classes.flag_meanings.split()
{name: int((classes == value).sum()) for name, value in zip(names, classes.flag_values, strict=True)}

# %%
# Many sites, or a map
# --------------------
#
# The same calls take any number of sites, or a grid on ``(time, lat, lon)``, in memory or in dask chunks. These
# sixteen sites are **simulated**: a small world with known causes, made for tests and examples.

sites = open_dataset("twin", n_sites=16, n_days=2192, size=1, drivers=["tp"])
site_events = sites.xdrought.flash_drought_events("soil_moisture")
years = sites.soil_moisture.notnull().sum("time") / 365.25
plot_map(site_events, years=years, title="Flash droughts per year at simulated sites")

# %%
# ``drought_summary`` gives one number per site or cell: how many droughts, how long, how fast.

summary = sites.xdrought.drought_summary("soil_moisture")
summary[["event_count", "flash_count", "mean_duration", "drought_fraction"]].to_dataframe().iloc[:4, -4:].round(2)

# %%
# Keep the result
# ---------------
#
# A table for a spreadsheet, or a NetCDF file that follows the CF conventions. Both remember the call that made them.

import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
xdrought.to_table(events).to_csv(folder / "events.csv", index=False)
xdrought.cf_dataset(events).to_netcdf(folder / "events.nc", engine="h5netcdf")
print((folder / "events.csv").read_text().splitlines()[3])
print(events.attrs["history"])

# %%
# **Next:** :doc:`causes` asks which weather is behind these droughts.
