"""
Events: the anatomy of a flash drought
======================================

Find every drought of one tower and look at one of them closely. The tower is US-AR1, a grassland in Oklahoma, whose
record travels with the library and holds the drought of 2011.
"""

# %%
# The record: soil moisture on (site, time), with its units, and the weather beside it.

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_event, plot_record

tower = open_dataset("us-ar1")
tower[["soil_moisture", "soil_temperature", "TA_F", "P_F"]]

# %%
# One call finds the events, by the rules of Tang et al. (2025): a fall from above the 40th to below the 20th
# percentile of the record, then at least 15 days that end before five days in a row above the 20th. A flash drought
# falls by one percentile a day or faster. Given the soil's temperature, each event tells how much of it was frozen.

events = tower.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
xdrought.to_table(events)

# %%
# Rows that meet the record's end are censored: how long the last drought lasted is not known. The table can be cut
# like any Dataset; here, the event with the largest summed deficit.

severest = int(events.severity.argmax("event"))
events.isel(event=severest)[["start_time", "duration", "severity"]].drop_vars(list(events.coords))

# %%
# Its anatomy: the last day above the 40th percentile is the onset, the first day below the 20th the start. Soil
# temperature lies beneath, where frozen days would be hatched.

record = tower.soil_moisture.isel(site=0).dropna("time")
temperature = tower.soil_temperature.isel(site=0).sel(time=record.time)
plot_event(record, events, event=severest, soil_temperature=temperature)

# %%
# The whole record with all of its events: two normal droughts, whose onset was slow, and four flash droughts.

plot_record(record, events)

# %%
# Every day has a class, and the classes of all days sum to the record.

classes = tower.xdrought.drought_classes("soil_moisture")
names = classes.flag_meanings.split()
{name: int((classes == value).sum()) for name, value in zip(names, classes.flag_values, strict=True)}

# %%
# The same calls take any number of sites, or a grid, in memory or in dask chunks. The summary has a number per series.

summary = tower.xdrought.drought_summary("soil_moisture")
summary.to_dataframe()[list(summary.data_vars)].T
