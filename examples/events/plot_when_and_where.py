"""
When and where droughts set in
==============================

The classes of a day on a map, the frequency of flash droughts and its trend, and the years and seasons of their onsets.
"""

# %%
# A simulated grid, ten years: red noise with a season. The places on the map are real, the weather is not.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_convergence, plot_event_counts, plot_lags, plot_map
from xdrought.study import frequency_trend

rng = np.random.default_rng(1)
time = pd.date_range("2001-01-01", "2010-12-31")
lat, lon = np.arange(52, 41, -0.5), np.arange(-3, 15, 0.5)
weather = gaussian_filter(rng.normal(size=(time.size, lat.size, lon.size)), (0, 3, 3))
weather = lfilter([0.24], [1, -0.97], weather / weather.std(), axis=0)
season = np.cos(2 * np.pi * (time.day_of_year.values[:, None, None] - 40) / 365.25)
soil = xr.DataArray(
    (25 + 4 * season + 4 * weather).astype("float32"),
    {"time": time, "lat": lat, "lon": lon},
    ("time", "lat", "lon"),
    name="soil_moisture",
    attrs={"long_name": "soil moisture", "units": "percent"},
)
soil = soil.where(soil.lat + 0.2 * soil.lon < 52)  # where nothing was measured

# %%
# One day: what each cell is in. Cells without a class are grey.

classes = xdrought.drought_classes(soil)
busiest = int((classes >= 3).sum(["lat", "lon"]).argmax("time"))
day = classes.isel(time=busiest)
ax = plot_map(day, title=f"{day.time.dt.strftime('%d %b %Y').item()} (simulated)")

# %%
# Flash droughts per year, straight from the table of events. A grid of years names the cells that had none.

events = xdrought.flash_drought_events(soil)
years = soil.notnull().sum("time") / 365.25
years = years.where(years > 0)
ax = plot_map(events, years=years)

# %%
# The trend of the yearly number in each cell. Dots mark p < 0.05 of each cell alone; `p_value_adjusted` allows for the
# number of cells, and in a world without a trend it should leave none.

flash = events.isel(event=events.is_flash.values)
trend = frequency_trend(flash, soil)
colors = {"cmap": "PuOr_r", "vmin": -300, "vmax": 300}
ax = plot_map(trend.trend, significant=trend.p_value < 0.05, **colors)
alone, adjusted = (int((trend[name] < 0.05).sum()) for name in ("p_value", "p_value_adjusted"))
print(f"{alone} of {int(trend.trend.notnull().sum())} cells have p < 0.05; adjusted for their number, {adjusted}")

# %%
# By year and through the seasons.

figure, axes = plt.subplots(1, 2, figsize=(7.1, 2.8), layout="constrained")
plot_event_counts(xdrought.event_counts(events), ax=axes[0])
plot_event_counts(xdrought.event_counts(events, by="month"), ax=axes[1])

# %%
# A real tower: at which lag rain and temperature are estimated best from soil moisture, and whether the skill of rain
# grows with the library beyond what its season and memory alone would give.

tower = open_dataset("us-ar1").isel(site=0)
lags = tower.xdrought.ccm(["P_F", "TA_F"], "soil_moisture", lag=range(-20, 21), direction="cause_to_effect")
ax = plot_lags(lags)

# %%
sizes = [50, 100, 200, 400, 800]
found = tower.xdrought.ccm("P_F", "soil_moisture", library_size=sizes, direction="cause_to_effect")
null = xdrought.convergence_null(tower.P_F, tower.soil_moisture, library_size=sizes, surrogates=49)
ax = plot_convergence(found, null=null)
