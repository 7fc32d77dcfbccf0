"""
Windows, a network, a forecast and its score
============================================

Cut a record into windows, train the paper's network on the first 70 % of it, forecast soil moisture seven days ahead
and score the last 15 %, beside persistence and climatology. One tower, one cell and some seconds: the example shows the
steps; the scores of a network this small mean little.
"""

# %%
# US-AR1, a grassland in Oklahoma, 2009 to 2012. The drivers are those of the tower, on 1 x 1 patches.

import matplotlib.pyplot as plt

import xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_forecast, plot_scores

tower = open_dataset("us-ar1")
drivers = ["TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature"]

# %%
# A window holds 15 days of drivers; its target is soil moisture seven days after the last of them. Windows that meet a
# gap do not exist. One of them, labelled:

windows = tower.xdrought.patches("soil_moisture", drivers=drivers)
print(windows)
windows[0]

# %%
# Training. Scaling and causality degree come from the training days only, days around the borders of the three parts
# are left out, and the weights of the best validation epoch are kept. The published network has layers of 64 and 128,
# patches of 10 x 10 cells and 50 epochs; this one is small enough for a page.

forecaster = tower.xdrought.fit_resattcaurec(
    "soil_moisture",
    drivers,
    widths=(8, 16),
    epochs=12,
    batch_size=128,
    learning_rate=2e-3,
    progress=False,
)
forecaster

# %%
# The course of training: the epoch with the least validation loss is the one that counts.

history = forecaster.history.isel(run=0)
figure, ax = plt.subplots(figsize=(4, 2.4), layout="constrained")
for name, style in (("train_loss", "-"), ("val_loss", "--")):
    ax.plot(history.epoch, history[name], style, color="#0072B2", label=name.replace("_", " "))
ax.plot(history.best_epoch, history.val_loss.sel(epoch=history.best_epoch), "o", color="#D55E00", label="kept")
ax.set_xlabel("epoch", fontsize=8)
ax.set_ylabel("mean squared error, scaled", fontsize=8)
ax.tick_params(labelsize=8)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(fontsize=7, frameon=False)

# %%
# The forecast has the target's name, units and places; ``time`` is the day it is valid for, ``init_time`` the day it is
# made.

forecast = tower.xdrought.predict(forecaster)
forecast

# %%
# The paper's network never sees soil moisture itself. A second one does: up to the day on which the forecast is made.

informed = tower.xdrought.fit_resattcaurec(
    "soil_moisture",
    drivers,
    target_history=True,
    widths=(8, 16),
    epochs=12,
    batch_size=128,
    learning_rate=2e-3,
    progress=False,
)
with_past = tower.xdrought.predict(informed)

# %%
# The score of the days that no network has seen. ``verify`` puts persistence (the observation seven days before) and
# climatology beside them, on exactly the same days, with intervals.

test = forecaster.splits.mask("test", forecast.time)
tested = forecast.soil_moisture.where(test)
scores = xdrought.verify(
    {"drivers": tested, "drivers and past": with_past.soil_moisture.where(test)}, tower.soil_moisture
)
xdrought.to_table(scores)

# %%
# What the first network said, and what came.

# sphinx_gallery_thumbnail_number = 2
plot_forecast(tested.isel(site=0).dropna("time"), tower.soil_moisture.isel(site=0), lead=forecaster.lead)

# %%
# The scores of one site in a row; of many sites there is a row each, or a violin per model.

plot_scores(scores)

# %%
# Read the table before the picture. From the drivers alone, a network of this size, trained for seconds on three years
# of one tower, loses against persistence. With its own past it comes level: the intervals overlap, and the test days
# are half a year. More than that one tower cannot tell.
#
# A trained forecaster is a value; it is kept in one file, without pickle.

import tempfile

path = f"{tempfile.mkdtemp()}/us_ar1.xdrought"
forecaster.save(path)
again = tower.xdrought.predict(xdrought.load_forecaster(path))
again.soil_moisture.identical(forecast.soil_moisture)
