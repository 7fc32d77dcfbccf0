"""
Flash droughts in space and time
================================

A flash drought begins somewhere, spreads, merges with others, splits and ends. Joined in space and time, the daily
classes of a grid become objects with a footprint, a track and a rate of spread. The region and its droughts are
**simulated**, not observed.
"""

# %%
# Four years of a simulated region of 24 x 36 cells, and the class of every day of every cell.

import matplotlib.pyplot as plt
import numpy as np

import xdrought
from xdrought.events import drought_objects
from xdrought.plot import animate_objects, plot_objects
from xdrought.simulation.twin import simulate_grid

region = simulate_grid(24, 36, 1461, seed=5, drivers=["tp"])
classes = region.xdrought.drought_classes("soil_moisture")
percentile = xdrought.soil_moisture_percentile(region.soil_moisture)

# %%
# Cells in a flash drought that share a face, an edge or a corner in (time, lat, lon) are one object. Objects that never
# reach 5,000 km2 or last less than 15 days are left out. The intensity is the deficit below the 20th percentile.

objects = drought_objects(classes, intensity=(20 - percentile).clip(min=0), min_area=5000, min_duration=15)
objects

# %%
# One row for each object. Areas are those of the cells on the sphere, in km2.

columns = ["start_time", "duration", "max_area", "footprint_area", "spread_rate", "merge_count", "split_count"]
table = objects[columns].to_dataframe()
table["spread_rate"] = table["spread_rate"].round()
table.astype({"max_area": int, "footprint_area": int}).sort_values("max_area", ascending=False).head(6)

# %%
# The largest: how long each cell was in it, and where its centroid went, from the dark dots to the bright ones; the
# larger the dot, the larger the area of the day.

largest = int(objects.object[int(objects.area_days.argmax("object"))])
ax = plot_objects(objects, largest)

# %%
# How it grew: its area and the number of its parts day by day, as a table and a picture.

days = objects.isel(object_day=(objects.day_object == largest).values)
figure, ax = plt.subplots(figsize=(5, 2.2), layout="constrained")
ax.fill_between(days.day_time, days.day_area / 1000, color="#D55E00", alpha=0.3, linewidth=0)
ax.plot(days.day_time, days.day_area / 1000, color="#D55E00")
ax.set_ylabel("area (1000 km²)", fontsize=8)
parts = ax.twinx()
parts.step(days.day_time, days.day_parts, where="mid", color="#1a1a1a", linewidth=0.8)
parts.set_ylabel("connected parts", fontsize=8)
for one in (ax, parts):
    one.tick_params(labelsize=7)
    one.spines["top"].set_visible(False)

# %%
# Where it merged: parts of a day that several parts of the day before became, with the area of each. The tables
# ``part`` and ``link`` are the family tree of the object.

parents = np.bincount(objects.child_part, minlength=objects.sizes["part"])
merged = (parents > 1) & (objects.part_object == largest).values
merges = objects[["part_time", "part_area", "part_lat", "part_lon"]].isel(part=merged).to_dataframe()
merges.assign(parents=parents[merged]).sort_values("part_area", ascending=False).head(5)

# %%
# The same as a film, over the percentiles: every eighth day. ``animation.save("droughts.gif", writer="pillow")`` writes
# it, ``animation.to_jshtml()`` shows it in a notebook.

import tempfile

animation = animate_objects(objects, largest, background=percentile, cmap="Greys_r", every=8)
animation.save(f"{tempfile.mkdtemp()}/droughts.gif", writer="pillow", dpi=60)
