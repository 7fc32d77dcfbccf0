"""
The whole network on maps
=========================

The paper's network reads a map of 10 x 10 cells and twelve drivers on each of 15 days. Here it is trained at that size,
with narrow layers, on the simulated twin: what follows is **simulated**, not observed.
"""

# %%
# Six simulated sites, three years: twelve ERA5-shaped drivers on a patch around each site, and its soil moisture.

import matplotlib.pyplot as plt
import xarray as xr

import xdrought
from xdrought.plot import plot_forecast, plot_scores
from xdrought.simulation.twin import simulate

twin = simulate(n_sites=6, n_days=1100, size=10, seed=3)
twin.t2m.sizes

# %%
# Training. ``sampler="consecutive"`` puts consecutive days into one batch, so that each day's map is encoded once for
# all the windows that hold it. The published network is the default: on a GPU node leave out ``widths`` and ``epochs``
# and run the same call, or start the script with ``torchrun --nproc-per-node 4`` for several GPUs.

settings = {
    "widths": (8, 16),
    "epochs": 6,
    "batch_size": 128,
    "learning_rate": 2e-3,
    "sampler": "consecutive",
    "progress": False,
}
forecaster = twin.xdrought.fit_resattcaurec("soil_moisture", **settings)
forecaster

# %%
# The same network that also sees the site's own past and learns the change from the last report:

with_past = twin.xdrought.fit_resattcaurec("soil_moisture", target_history=True, predict_change=True, **settings)

# %%
# Forecasts at their valid time, scored on the last 15 % of each site beside what costs nothing.

forecasts = {"maps of weather": forecaster, "maps and own past": with_past}
forecasts = {name: twin.xdrought.predict(one).soil_moisture for name, one in forecasts.items()}
tested = {name: da.where(forecaster.splits.mask("test", da.time)) for name, da in forecasts.items()}
scores = xdrought.verify(tested, twin.soil_moisture)
xdrought.to_table(scores, names=["nse", "skill"])

# %%
# One line of the forecast, and all sites. Six simulated sites and a minute of training say how it is done, not how good
# the published network is.

site = twin.site.values[0]
one = xr.DataArray(tested["maps of weather"]).sel(site=site).dropna("time")
ax = plot_forecast(one, twin.soil_moisture.sel(site=site), lead=forecaster.lead)
ax.set_title(f"{site} (simulated)", fontsize=8, loc="left")

# %%
ax = plot_scores(scores)
ax.set_title("simulated sites", fontsize=8, loc="left")
plt.show()
