"""
What a station's own past is worth
==================================

The paper's network sees the weather and never the soil moisture of the place. A station that reports in real time knows
more: what it has measured up to the day of the forecast. This page trains three small networks on towers, scores them
on days that none of them has seen, and shows a forecast.

With the FLUXNET2015 files in ``$XDROUGHT_DATA_DIR/fluxnet2015`` it uses their towers; without, the one that comes with
the library.
"""

# %%
# Towers, and three drivers. Rain has a long tail, which its logarithm tames.

import warnings

import matplotlib.pyplot as plt
import numpy as np

import xdrought
from xdrought.data import open_dataset, screen_sites
from xdrought.plot import plot_scores

drivers = ["TA_F", "P_F", "SW_IN_F"]
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # which towers have no soil moisture
        towers = open_dataset("fluxnet", sites=["DE-Geb", "DE-Gri", "DE-Hai", "IT-Tor", "US-ARM", "US-Var"])
        towers, report = screen_sites(towers)
except FileNotFoundError:
    towers = open_dataset("us-ar1")
towers = towers.assign(P_F=np.log1p(towers.P_F).drop_attrs())
towers.sizes

# %%
# Three trainings. ``target_history`` gives the network the observations as one more driver, ``predict_change`` lets it
# learn what will be added to the last of them. ``latency=1`` says that a day's observation arrives the day after.

small = {"variant": "Rec", "widths": (16,), "epochs": 6, "learning_rate": 3e-3, "sampler": "independent"}
small |= {"runs": 3, "device": "cpu", "progress": False}
ways = {
    "weather": {},
    "weather and past": {"target_history": True, "predict_change": True},
    "reported a day late": {"target_history": True, "predict_change": True, "latency": 1},
}
forecasters = {
    name: towers.xdrought.fit_resattcaurec("soil_moisture", drivers, **small, **past) for name, past in ways.items()
}
forecasters["reported a day late"]

# %%
# ``time`` is the day a forecast is valid for, ``init_time`` the day it is issued; three runs give a dimension ``run``.

forecast = towers.xdrought.predict(forecasters["weather and past"])
forecast

# %%
# Scores of the test part, each tower by itself and on the same days, beside persistence and climatology.

test = forecasters["weather"].splits.mask("test", forecast.time)
tested = {name: towers.xdrought.predict(one).soil_moisture.where(test) for name, one in forecasters.items()}
scores = xdrought.verify(tested, towers.soil_moisture, n_boot=200)
xdrought.to_table(scores)

# %%
# Soil remembers: without its own past a network starts far behind the plain statement that nothing will change.

plot_scores(scores)

# %%
# The driest day of the test part and the weeks around it: what was observed, and what each network of the ensemble said
# seven days before. How probable a flash drought is within the week is another question, with another answer:
# :func:`xdrought.fit_onset`.

# sphinx_gallery_thumbnail_number = 2
observed = towers.soil_moisture.sel(time=forecast.time[:-7])
driest = observed.where(test.sel(time=observed.time))
site, middle = np.unravel_index(driest.fillna(np.inf).values.argmin(), driest.shape)
days = slice(max(int(middle) - 60, 0), int(middle) + 40)
one = forecast.isel(site=int(site), time=days)
observed = towers.soil_moisture.isel(site=int(site)).sel(time=slice(*one.time.values[[0, -1]]))

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(one.time, one.soil_moisture.transpose("time", "run"), color="#0072B2", lw=0.8)
ax.plot(observed.time, observed, color="black", lw=1.2)
ax.set(title=f"{one.site.item()}: observed (black), forecast seven days before (blue)", ylabel="soil moisture, %")
ax.spines[["top", "right"]].set_visible(False)

# %%
# The full comparison, with five seeds, USCRN stations, ridge regressions and intervals, is in
# :doc:`/studies/forecast_real`.
