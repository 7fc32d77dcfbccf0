"""
Droughts of a CMIP ensemble
===========================

Members of climate models come on calendars of their own and differ in their weather, not only in their climate. Each is
ranked against its own past, droughts are counted on its own calendar, and a trend is said of all of them. The ensemble
is **simulated** by a few lines below; it stands in for files of CMIP, and says nothing about the climate.
"""

# %%
# Four members of forty years on three calendars, a small grid each. The soils of all dry a little each decade.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

import xdrought
from xdrought.study import frequency_trend


def member(calendar: str, seed: int) -> xr.DataArray:
    """Daily soil moisture that remembers two months, with a season and a trend."""
    time = xr.date_range("1981-01-01", "2020-12-30", calendar=calendar, use_cftime=True)
    lat, lon = np.arange(46.0, 49.0), np.arange(8.0, 12.0)
    noise = np.random.default_rng(seed).normal(size=(time.size, lat.size, lon.size))
    memory = lfilter([1.0], [1.0, -0.97], 0.5 * noise + 0.5 * noise.mean(axis=(1, 2), keepdims=True), axis=0)
    season = np.cos(2 * np.pi * np.asarray(time.dayofyear) / 365)
    trend = np.linspace(0.0, 1.0, time.size)
    values = 0.28 + 0.03 * (season - trend)[:, None, None] + 0.012 * memory
    coords = {"time": time, "lat": lat, "lon": lon}
    attrs = {"units": "m3 m-3", "long_name": "soil moisture (simulated)"}
    return xr.DataArray(values.clip(0.02, 0.6), coords, ("time", "lat", "lon"), "soil_moisture", attrs)


ensemble = {
    "A r1 (noleap)": member("noleap", 1),
    "A r2 (noleap)": member("noleap", 2),
    "B r1 (360 days)": member("360_day", 3),
    "C r1 (standard)": member("standard", 4),
}

# %%
# Each member's days are ranked against its own first twenty years: a bias of a model is no drought. Nothing is
# converted to another calendar: years of 360 days are as good as others where only shares and ranks are compared.

events, trends = {}, {}
for name, soil in ensemble.items():
    reference = soil.sel(time=slice("1981", "2000"))
    found = xdrought.flash_drought_events(soil, pool="dayofyear", window=15, reference=reference)
    events[name] = found
    trends[name] = frequency_trend(found, soil)
pd.Series({name: found.sizes["event"] for name, found in events.items()}, name="droughts")

# %%
# Events a year over all cells of each member, and the mean of the members: where all rise together it is the forcing,
# the rest is weather.

counts = {
    name: found.onset_time.dt.year.to_series().value_counts().sort_index() / ensemble[name][0].size
    for name, found in events.items()
}
yearly = pd.DataFrame(counts).reindex(range(1981, 2021)).fillna(0)
ax = yearly.plot(color="#bbbbbb", linewidth=0.7, legend=False, figsize=(7.2, 2.6))
yearly.mean(axis=1).rolling(5, center=True).mean().plot(ax=ax, color="#D55E00", linewidth=1.6)
ax.set_xlabel("")
ax.set_ylabel("droughts a cell and year (simulated)")
ax.figure.set_layout_engine("constrained")

# %%
# The trend of each member, the median of its cells, and the share of cells whose trend stands out from chance when all
# cells are one family (false discovery rate of 5 %).

table = pd.DataFrame(
    {
        "trend (% per decade)": {name: float(one.trend.median()) for name, one in trends.items()},
        "cells above chance (%)": {
            name: 100 * float((one.p_value_adjusted < 0.05).mean()) for name, one in trends.items()
        },
    }
)
table.round(0)

# %%
# Members are no sites: their mean is over weathers, and its interval is over members. With four it is wide.

each = np.log1p(table["trend (% per decade)"] / 100)
half = 3.182 * each.std() / 2  # Student's t of three degrees of freedom, four members
pd.Series(100 * np.expm1([each.mean() - half, each.mean(), each.mean() + half]), ["lower", "mean", "upper"]).round(0)
