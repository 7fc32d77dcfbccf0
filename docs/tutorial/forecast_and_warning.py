"""
3. Forecast, and warn
=====================

How wet will the soil be in a week, and how probable is a flash drought? The first half of this page trains a small
network on the record of US-AR1 and scores its forecasts. The second half turns states into probabilities and
alarms, at simulated sites, because four years of one site hold too few droughts to learn from.
"""

# %%
# Train a network
# ---------------
#
# ``fit_resattcaurec`` trains the network of Tang et al. (2025). It reads 15 days of weather and forecasts soil
# moisture seven days after the last of them. The record is split by time: 70 % to train, 15 % to choose the best
# epoch, 15 % to test. Nothing is computed from the test days.
#
# ``target_history=True`` lets the network see the soil moisture of its 15 days, and ``predict_change=True`` lets it
# forecast the change from there. This network is small, so that it trains in seconds. The published sizes are the
# defaults.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.dates import ConciseDateFormatter

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_forecast, plot_reliability

tower = open_dataset("us-ar1")
drivers = ["TA_F", "VPD_F", "P_F", "SW_IN_F"]
forecaster = tower.xdrought.fit_resattcaurec(
    "soil_moisture",
    drivers,
    target_history=True,
    predict_change=True,
    widths=(8, 16),
    epochs=8,
    batch_size=128,
    learning_rate=2e-3,
    progress=False,
)
forecaster

# %%
# Forecast
# --------
#
# The forecast has the name, the units and the sites of soil moisture. ``time`` is the day that the forecast is for,
# ``init_time`` the day on which it could be issued. The last seven days lie after the end of the record.

forecast = tower.xdrought.predict(forecaster)
forecast.soil_moisture.isel(site=0).to_series().tail(7).round(2)

# %%
# Score it
# --------
#
# Soil moisture changes slowly, and the forecast "as today" is hard to beat. ``verify`` therefore puts three
# references beside each forecast: persistence (as today), damped persistence (as today, returning to the mean) and
# climatology (as usual for the date). All are scored on the same days, and ``part="test"`` is the part that the
# network never saw.

scores = xdrought.verify(forecast, tower.soil_moisture, part="test")
xdrought.to_table(scores, names=["rmse", "nse"])

# %%
# NSE is the Nash-Sutcliffe efficiency: 1 is perfect, and 0 is as good as the mean of the observations. Read the
# intervals first. Half a year at one site cannot tell forecasts apart that are this close.

test = forecaster.splits.mask("test", forecast.time)
tested = forecast.soil_moisture.where(test).isel(site=0).dropna("time")
plot_forecast(tested, tower.soil_moisture.isel(site=0), lead=forecaster.lead)

# %%
# More of the past does not help much: what next week differs from today in is mostly the rain of the days between.
# :doc:`/guide/what_a_forecast_can_know` shows what a weather forecast adds, and how to give it to the network.
#
# Check for leaks
# ---------------
#
# A good score is worth nothing if the test days leaked into the training. The audit computes every statistic again
# from the data and says what it was computed on.

print(xdrought.audit_leakage(forecaster, tower))

# %%
# From a forecast to a warning
# ----------------------------
#
# A warning needs a probability: how likely is it that a flash drought begins within seven days? ``fit_onset`` learns
# it from past onsets. These nine sites are **simulated**, six years each.

world = open_dataset("twin", n_sites=9, n_days=2192, size=1, drivers=["tp", "t2m"]).squeeze(drop=True)
trees = xdrought.forecast.Boosting(n_trees=40, min_leaf=50)
onset = world.xdrought.fit_onset("soil_moisture", ["tp", "t2m"], lead=7, model=trees)
warning = world.xdrought.predict_onset(onset)
list(warning.data_vars)

# %%
# Two simple frequencies come with each probability: how often an onset followed in this season, and how often it
# followed a soil as dry as today's. A probability that does not beat them is not worth a model. ``brier_skill`` is
# above zero where it beats the season.

training = onset.splits.training_days(world.time)
occurred = world.xdrought.onset_label("soil_moisture", train=training)
skill = xdrought.onset_skill(warning, occurred, n_boot=200)
skill[["brier_skill", "auc"]].to_dataframe().round(2)

# %%
# Is the number meant as it says? Of all days with a probability near 30 %, an onset should have followed on 30 %. The
# reliability diagram compares both.

# sphinx_gallery_thumbnail_number = 2
plot_reliability(skill)

# %%
# Alarms
# ------
#
# Somebody has to act or not. An alarm is a probability above a threshold, and the threshold is your choice between
# missed droughts and false alarms. Here you say how many false alarms per year a site can live with. The threshold is
# chosen on the validation years and scored on the test years.

starts = world.xdrought.onset_days("soil_moisture", label="event", train=training)
alarms = xdrought.alarms(warning, starts, false_alarms=2, n_boot=200)
alarms[["threshold", "pod", "false_alarms_per_year", "n_starts"]].to_array("quantity").to_series().round(2)

# %%
# ``pod`` is the share of the ``n_starts`` onsets that an alarm announced. This is one site, in the time of the test.
# Look for onsets without an alarm and for alarms without an onset: every threshold has some of both.

last = starts.isel(time=slice(-320, None))
site = last.site[int(last.sum("time").argmax("site"))]
shown = warning.flash_onset_probability.sel(site=site, time=last.time)
began = last.sel(site=site).values
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
ax.plot(shown.time, shown, color="#0072B2", label="probability of an onset within 7 days")
ax.axhline(float(alarms.threshold), color="#D55E00", ls="--", label="alarm")
ax.plot(shown.time.values[began], np.zeros(began.sum()), "k^", label="a flash drought began")
ax.set(ylim=(-0.03, None), ylabel="probability", title=f"{site.item()} (simulated)")
ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
ax.legend(fontsize=7, frameon=False)

# %%
# Keep it
# -------
#
# A trained forecaster is one file, without pickle. It holds weights, scaling, labels and settings.

import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
forecaster.save(folder / "us_ar1.xdrought")
onset.save(folder / "onset.nc")
again = tower.xdrought.predict(xdrought.load_forecaster(folder / "us_ar1.xdrought"))
again.soil_moisture.identical(forecast.soil_moisture)

# %%
# :doc:`/gallery/desk/plot_desk` runs all of this every morning. :doc:`/guide/reading_a_probability` says what the
# numbers mean, and :doc:`/studies/onset_warnings` how good such warnings were at real sites.
#
# **Next:** :doc:`own_data` does the same with your files.
