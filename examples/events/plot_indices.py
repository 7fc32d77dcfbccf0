"""
Droughts of any standardised index
==================================

SPEI of rain and evaporative demand, SSI of the soil and EDDI of the demand alone, by the package xclim, become
percentiles, then the categories D0 to D4 and their shares of a region. The region is **simulated**, not observed.
"""

# %%
# Twenty years of a simulated region: rain, temperature and soil moisture, and the potential evapotranspiration of the
# temperature (Hargreaves; the day's range is set to 10 K, for the sake of the example).

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from xclim import indices
from xclim.indices.stats import standardized_index

from xdrought import bulletin
from xdrought.simulation import simulate_grid

region = simulate_grid(4, 5, 7305, seed=5, drivers=["tp", "t2m"])
warm, cold = ((region.t2m + k).assign_attrs(units="K") for k in (5, -5))
where = region.lat.assign_attrs(units="degrees_north", standard_name="latitude")
demand = indices.potential_evapotranspiration(
    tasmin=cold, tasmax=warm, tas=region.t2m, lat=where, method="hargreaves85"
)
rain = (region.tp * 1000 / 86400).assign_attrs(units="kg m-2 s-1")

# %%
# Three indices of three months, ranked against the first ten years. xclim fits a distribution to each month of the
# year; flash droughts need daily values, so an index of months is for the categories, not for onsets.

years = {"cal_start": "2002-01-01", "cal_end": "2011-12-31"}
balance = (rain - demand).assign_attrs(units="kg m-2 s-1")
fit = {"freq": "MS", "window": 3, "method": "ML", "zero_inflated": False, "fitkwargs": {}, **years}
found = {
    "SPEI": indices.standardized_precipitation_evapotranspiration_index(
        balance, freq="MS", window=3, dist="fisk", method="ML", **years
    ),
    "SSI": standardized_index(region.soil_moisture, dist="gamma", **fit),
    "EDDI": standardized_index(demand, dist="gamma", **fit),
}
{name: float(index.std().round(2)) for name, index in found.items()}

# %%
# Their percentiles, 0 the driest: for the EDDI the high end is dry. From here on an index is like any other percentile.

dry = {"SPEI": "low", "SSI": "low", "EDDI": "high"}
percentile = xr.concat(
    [bulletin.index_percentile(index.assign_attrs(units="1"), dry=dry[name]) for name, index in found.items()],
    pd.Index(list(found), name="index"),
    coords="minimal",
    compat="override",
    combine_attrs="drop_conflicts",
)
categories = bulletin.drought_categories(percentile)

# %%
# How much of the region is in D1 or worse, by index. The whole region is one: a mask of ones.

mask = xr.full_like(region.tp.isel(time=0, drop=True), "region", dtype=object)
shares = bulletin.region_shares(categories, mask)
severe = shares.share.sel(region="region", drought_class=["D1", "D2", "D3", "D4"]).sum("drought_class")

figure, axes = plt.subplots(len(found), 1, figsize=(7.2, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, name in zip(axes, found, strict=True):
    ax.fill_between(severe.time, severe.sel(index=name), step="mid", color="#8f5fbd", linewidth=0)
    ax.set_title(name, loc="left", fontsize=8)
    ax.set_ylim(0, 100)
axes[1].set_ylabel("share of the region in D1 or worse (%, simulated)")

# %%
# How alike are they? The correlation of the shares over the months: an index of the demand alone sees other droughts.

months = severe.dropna("time").to_pandas().T
months.corr().round(2)

# %%
# And the bulletin's table of the SSI: the last month, three months and a year before, in each category or worse.

ssi = shares.sel(index="SSI", drop=True)
bulletin.region_table(ssi, before=[np.timedelta64(91, "D"), np.timedelta64(365, "D")], cumulative=True).round(1)
