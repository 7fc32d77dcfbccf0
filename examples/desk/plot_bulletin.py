"""
A daily drought bulletin
========================

Soil moisture arrives a day at a time. A monitor takes each day as it comes and says what the whole record would say,
without reading it again; a forecast adds how probable it is that a flash drought begins within a week. The region, its
weather and its droughts are **simulated**, not observed.
"""

# %%
# Three and a half years of a simulated region. The last ten days are not known yet.

import tempfile

import cartopy.crs as ccrs
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import xdrought
from xdrought.events import CLASSES, load_monitor, start_monitor
from xdrought.plot import plot_map
from xdrought.simulation.twin import simulate_grid

region = simulate_grid(12, 16, 1289, seed=5, drivers=["tp", "t2m", "r"])
known = region.soil_moisture.isel(time=slice(None, -10))
known.sizes, str(known.time.values[-1])[:10]

# %%
# The monitor ranks every day against a period that is over: three years here, thirty in earnest. The record so far is
# read once; what is kept are some numbers a cell, the reference and the events. It goes into a folder, without pickle.

folder = tempfile.mkdtemp()
start_monitor(known, reference=("2002", "2004")).save(folder)

# %%
# Every morning: open, give the new day, save. A day that is missing between, known already or from another grid is
# refused, and the old state stays.

for day in region.time.values[-10:]:
    monitor = load_monitor(folder).update(region.soil_moisture.sel(time=[day]))
    monitor.save(folder)

events = monitor.events()
batch = region.xdrought.flash_drought_events("soil_moisture", reference=("2002", "2004"))
events.drop_vars("is_provisional").identical(batch)

# %%
# Droughts that go on are provisional: their end is not known, and those that have just begun may not last.

on = events.isel(event=events.is_provisional.values)
table = xdrought.to_table(on, names=["start_time", "duration", "intensification_rate", "severity", "is_flash"])
table.sort_values("start_time").head(8)

# %%
# The state of the region today: how much of it is in which class, and how much may be in a drought that does not
# show yet, because it has not lasted fifteen days.

today = monitor.today()
names = {value: name.replace("_", " ") for name, value in CLASSES.items()}
weights = np.cos(np.deg2rad(today.lat)).broadcast_like(today.drought_class)
share = weights.groupby(today.drought_class).sum() / weights.sum()
share = share.to_series().rename(index=names).mul(100).round(1)
young = (today.days_since_start < 14) & (today.drought_class == CLASSES["no_drought"])
share["below the 20th percentile, too short yet"] = round(float((young * weights).sum() / weights.sum()) * 100, 1)
share.rename_axis("class").rename("share of the area (%)").to_frame()

# %%
# The warning: boosted trees that learn from every other cell and the days before 2005 what the soil looked like when a
# flash drought began within the next seven days. Percentiles are ranked against these years too.

past = region.sel(time=slice(None, "2004"))
cells = past.isel(lat=slice(None, None, 2), lon=slice(None, None, 2))
trees = xdrought.forecast.Boosting(n_trees=60, min_leaf=50)
warning = cells.xdrought.fit_onset("soil_moisture", ["tp"], model=trees, fractions=(0.7, 0.3, 0.0))
recent = region.isel(time=slice(-120, None))
forecast = recent.xdrought.predict_onset(warning, train=past.soil_moisture)
onset = forecast.flash_onset_probability.isel(time=-1)
warning

# %%
# The bulletin's maps. Dots: cells in a flash drought today; small crosses: below the 20th percentile for less than
# fifteen days. Where it is dry already, the onset is over, and a second one within a week next to impossible.

figure, axes = plt.subplots(
    1, 2, figsize=(7.4, 3.3), layout="constrained", subplot_kw={"projection": ccrs.LambertAzimuthalEqualArea(10, 50.5)}
)
issued = pd.Timestamp(today.time.values)
valid = issued + pd.Timedelta(days=7)
onset = onset.assign_attrs(long_name="probability")
plot_map(today.percentile, cmap="BrBG", vmin=0, vmax=100, ax=axes[0], title=f"{issued:%d %b %Y} (simulated)")
plot_map(onset, cmap="YlOrRd", vmin=0, vmax=1, ax=axes[1], title=f"flash drought begins by {valid:%d %b}")
for cells, marker in ((today.drought_class == CLASSES["flash_condition"], "o"), (young, "x")):
    lat, lon = np.nonzero(cells.values)
    for ax in axes:
        ax.plot(
            today.lon[lon],
            today.lat[lat],
            marker,
            color="black",
            markersize=3,
            markeredgewidth=0.7,
            linestyle="",
            transform=ccrs.PlateCarree(),
            zorder=4,
        )

# %%
# And its table: where a flash drought is most probable, and how the soil stands there.

likely = today.assign(probability=onset.drop_vars(["time", "lead_time"])).to_dataframe().reset_index()
columns = ["lat", "lon", "probability", "percentile", "days_since_onset", "provisional_days"]
likely[columns].nlargest(6, "probability").round(2)
