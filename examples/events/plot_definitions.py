"""
Definitions compared
====================

What is a flash drought depends on who defines it: six published definitions on the same record. A definition is a
value, so a threshold can be changed and a new one written down.
"""

# %%
# The record of US-AR1, and the definitions that come with the library.

import numpy as np
import pandas as pd

import xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_agreement, plot_record

tower = open_dataset("us-ar1").sel(time=slice("2009-04-13", None))  # the first day with soil moisture
names = list(xdrought.DEFINITIONS)
settings = pd.DataFrame({name: vars(xdrought.DEFINITIONS[name]) for name in names}).T
settings[["step", "pool", "rule", "min_rate", "max_onset", "recovery", "min_duration", "count_onset"]]

# %%
# All of them in one call: events get a coordinate, and can be counted by it.

events = tower.xdrought.flash_drought_events("soil_moisture", definition=names)
flash = events.is_flash.groupby(events.definition)
pd.DataFrame({"events": flash.count(), "flash": flash.sum()}, index=flash.count().definition).reindex(
    names, fill_value=0
)

# %%
# All but tang2025 rank a pentad or a day against the same one of other years. Four years give each pentad four values,
# the driest at the 0th percentile and the next at the 33rd, so that one pentad in four is "below the 20th": such
# definitions need decades, and the counts above show what they do without.
#
# Daily classes get a dimension, which makes them easy to lay under each other. The dashed lines are the percentiles of
# the whole record, by which only tang2025 goes.

import matplotlib.pyplot as plt

classes = tower.xdrought.drought_classes("soil_moisture", definition=names)
record = tower.soil_moisture.isel(site=0)
figure, axes = plt.subplots(len(names), figsize=(7.1, 8.5), sharex=True, layout="constrained")
for ax, name in zip(axes, names, strict=True):
    plot_record(record, classes=classes.isel(site=0).sel(definition=name), legend=name == names[-1], ax=ax)
    ax.set_title(name, fontsize=8, loc="left")
    ax.set_ylabel("")
figure.supylabel("Volumetric soil water content (%)", fontsize=8)

# %%
# How far do they agree? Of the days that either of two calls a flash drought, the share that both do.

agreement = xdrought.definition_agreement(classes)
plot_agreement(agreement.overlap)

# %%
# A threshold of your own is a keyword, and the settings stay with the result.

for rate in (0.5, 1.0, 2.0):
    found = tower.xdrought.flash_drought_events("soil_moisture", min_rate=rate)
    print(f"min_rate={rate}: {int(found.is_flash.sum())} flash droughts of {found.sizes['event']} events")

# %%
# Or a definition with a name of its own, here one that asks for three days above the 40th percentile before an onset.

import dataclasses

steady = dataclasses.replace(xdrought.DEFINITIONS["tang2025"], name="steady", min_wet_run=3)
pair = tower.xdrought.drought_classes("soil_moisture", definition=["tang2025", steady])
np.round(float(xdrought.definition_agreement(pair).overlap.sel(definition="tang2025", other="steady")), 2)
