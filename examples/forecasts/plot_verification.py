"""
What a forecast is worth
========================

Two plain regressions forecast the soil moisture of the simulated twin seven days ahead: one knows the weather alone,
the other also the soil moisture of the day. What they are worth shows beside what costs nothing, with intervals, on
days that neither has seen.
"""

# %%
# Sixteen simulated towers, eight years. The last two are for the test; an embargo of three weeks lies before them.

import numpy as np
import xarray as xr
from scipy.stats import norm

import xdrought
from xdrought import plot
from xdrought.data import open_dataset
from xdrought.verification import compare_models

lead = 7
world = open_dataset("twin", n_sites=16, n_days=2922, size=1, drivers=["t2m", "tp", "swvl1"]).squeeze(drop=True)
moisture = world.soil_moisture.astype("float64")
train, test = slice(None, "2007-12-10"), slice("2008-01-01", None)


def regression(*inputs):
    """Least squares by site, inputs of the day of issue, as a forecast for its valid time."""
    season = 2 * np.pi * moisture.time.dt.dayofyear / 365.25
    columns = np.stack(xr.broadcast(moisture, xr.ones_like(moisture), np.cos(season), np.sin(season), *inputs), axis=-1)
    known = np.isfinite(columns).all(axis=-1)
    past = (moisture.time <= np.datetime64(train.stop) - np.timedelta64(lead, "D")).values
    forecast = moisture.copy(data=np.full(moisture.shape, np.nan))
    for k, x in enumerate(columns[..., 1:]):
        to, days = moisture.values[k, lead:], (known[k] & past)[:-lead]
        days &= np.isfinite(to)
        slopes = np.linalg.lstsq(x[:-lead][days], to[days], rcond=None)[0]
        forecast[k, lead:] = x[:-lead] @ slopes
    return forecast.clip(0.0, float(moisture.max()))  # a straight line knows nothing of pores that are full


rain, warmth = (world[name].rolling(time=15).mean() for name in ("tp", "t2m"))
forecasts = {"weather and soil": regression(rain, warmth, moisture), "weather": regression(rain, warmth)}

# %%
# Scores per site, their median and pooled, each with an interval, beside persistence, damped persistence, climatology
# and a driver: the soil water of the reanalysis, brought to the tower's mean and spread in the training part.

tested = {name: one.sel(time=test) for name, one in forecasts.items()}
scores = xdrought.verify(
    tested, moisture, lead=lead, train=train, drivers={"ERA5 soil water": world.swvl1}, matching="mean_variance"
)
xdrought.to_table(scores, names=["nse", "skill"]).T

# %%
# The distribution over sites; the bar is the median, the line its interval.

plot.plot_scores(scores, kind="violins")

# %%
# Which differences are real? Both of a pair are scored on the same drawn sites and days, and the p-values are adjusted
# for their number.

differences = compare_models(
    tested,
    moisture,
    baseline="damped_persistence",
    lead=lead,
    train=train,
    drivers={"ERA5 soil water": world.swvl1},
    matching="mean_variance",
)
differences.round(3)

# %%
# Where the better of the two beats damped persistence.

# sphinx_gallery_thumbnail_number = 2
plot.plot_skill_map(scores, reference="damped_persistence")

# %%
# The daily classes of the paper's Table 1. Saying "no drought" every day is right on most days, so an accuracy means
# little without the one in the last row.

observed = xdrought.drought_classes(moisture).sel(time=test)
classes = {name: xdrought.drought_classes(one).sel(time=test) for name, one in forecasts.items()}
classes["persistence"] = xdrought.drought_classes(moisture.shift(time=lead)).sel(time=test)
plot.plot_class_scores({name: xdrought.class_scores(one, observed) for name, one in classes.items()})

# %%
# Days of flash drought, onset and condition: detection against false alarms, each site a dot, all days pooled with
# their intervals.

flash = {name: xdrought.occurrence_scores(one, observed, n_boot=500) for name, one in classes.items()}
plot.plot_performance(flash)

# %%
# A probability of dry soil, below its 20th percentile of the training part, from the spread of the regression's errors
# there; the same, twice as sure as it should be; and what each is worth.

dry = moisture.sel(time=train).quantile(0.2, "time", skipna=True).drop_vars("quantile")
best = forecasts["weather and soil"]
spread = (best - moisture).sel(time=train).std("time")
occurred = (moisture < dry).sel(time=test)
probabilities = {
    name: xr.apply_ufunc(norm.cdf, (dry - best) / (spread * width)).sel(time=test)
    for name, width in (("regression", 1), ("too sure", 0.5))
}
found = {name: xdrought.probability_scores(one, occurred, climatology=0.2) for name, one in probabilities.items()}
plot.plot_reliability(found)

# %%
# A forecast is worth most to users whose protection costs as much of the loss as the base rate. Both are worth the
# same: every user takes the threshold that suits, so to be too sure harms those only who take the number at its word.

plot.plot_economic_value(found)

# %%
# What the intervals mean is in :doc:`/guide/verification`, and how often they hold the truth in
# :doc:`/studies/interval_coverage`.
