"""
Causality: direction, and what a p-value is worth
=================================================

Cross mapping asks whether a cause has left its mark in the history of its effect. Three steps: a pair whose answer is
known, pairs that have nothing to do with each other, and a tower.
"""

# %%
# Two species, x and y, in the coupled logistic maps of Sugihara et al. (2012): y feels x (0.1) more than x
# feels y (0.02).

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

import xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_causality, plot_convergence

x, y = np.full((2, 1000), np.nan)
x[0], y[0] = 0.4, 0.2
for t in range(999):
    x[t + 1] = x[t] * (3.8 - 3.8 * x[t] - 0.02 * y[t])
    y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.1 * x[t])
x, y = xr.DataArray(x, dims="time", name="x"), xr.DataArray(y, dims="time", name="y")

# %%
# "Cause to effect" estimates the cause x from the manifold of its effect y. Skill in this direction is higher and
# levels off early, as the coupling is stronger. Bands hold 95 % of the random libraries.

sizes = [10, 20, 40, 80, 160, 320, 640, 900]
converged = xdrought.ccm(x, y, library_size=sizes, library_samples=20)
plot_convergence(converged)

# %%
# The same as numbers: growth from the smallest to the largest library with its interval, Kendall's rank correlation of
# size and skill, and Fisher's z of the largest against the smallest.

converged[["convergence", "convergence_lower", "convergence_upper", "kendall_tau", "fisher_z"]].to_dataframe()

# %%
# Now sixty pairs of independent series, each with some memory and a season, as soil moisture and weather have. The raw
# p-value takes days as independent and calls nearly all pairs causes. Against surrogates, after the season is removed,
# one in twenty remains, as it should.

rng = np.random.default_rng(0)
days = pd.date_range("2001-01-01", periods=1100)
season = 3 * np.cos(2 * np.pi * np.arange(1100) / 365.25)


def independent(memory):
    values = rng.standard_normal((60, 1100))
    for t in range(1, 1100):
        values[:, t] += memory * values[:, t - 1]
    return xr.DataArray(values + season, {"time": days}, ("pair", "time"))


unrelated = xdrought.ccm(independent(0.7), independent(0.9), surrogates=99)
shares = {"raw": (unrelated.p_value < 0.05) & (unrelated.rho > 0), "surrogates": unrelated.surrogate_p_value <= 0.05}
pd.DataFrame({name: found.mean("pair").to_series() for name, found in shares.items()})

# %%
# Both p-values of all pairs and directions: the raw ones lie at zero, those of the surrogates are spread evenly, as
# p-values of nothing are.

figure, ax = plt.subplots(figsize=(4.0, 2.4), layout="constrained")
kinds = {"raw": unrelated.p_value, "surrogates": unrelated.surrogate_p_value}
ax.hist(
    [p.values.ravel() for p in kinds.values()], np.linspace(0, 1, 11), label=list(kinds), color=["#c9c9c9", "#0072B2"]
)
ax.set(xlabel="p-value of unrelated pairs", ylabel="pairs")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)

# %%
# A real site: the grassland US-AR1 in Oklahoma. The neighbours of a day may not be the days around it
# (`exclusion_radius="auto"`), and the p-values are adjusted for the number of tests.

tower = open_dataset("us-ar1").isel(site=0)
drivers = ["TA_F", "VPD_F", "SW_IN_F", "P_F", "PA_F", "WS_F"]
causes = tower.xdrought.ccm(drivers, "soil_moisture", exclusion_radius="auto", surrogates=499, fdr="bh")
plot_causality(causes)

# %%
# Every raw p-value and what is left of it. A relation that passes is one between anomalies; which of the two drives the
# other is read from both skills, and from their convergence, not from the p-value.

columns = ["rho", "p_value", "surrogate_p_value", "surrogate_p_value_adjusted"]
causes[columns].sel(direction="cause_to_effect", drop=True).to_dataframe()[columns].round(3)

# %%
# How many dimensions has each manifold? The table holds the skill of a series at predicting itself; the smallest
# dimension within one standard error of the best is chosen, for each direction that of the series searched.

table = tower.xdrought.choose_embedding("soil_moisture", max_dim=6, exclusion_radius="auto")
print("chosen:", int(table.best_embedding_dim))
table.rho.isel(tau=0, drop=True).to_series().round(3)

# %%
# In summer alone: days outside are neither learned from nor estimated, while delays and surrogates are those of the
# whole record.

summer = tower.time.dt.month.isin([6, 7, 8])
in_summer = tower.xdrought.ccm(drivers, "soil_moisture", where=summer, surrogates=199, direction="cause_to_effect")
in_summer[["rho", "surrogate_p_value", "n_pairs"]].to_dataframe()[["rho", "surrogate_p_value", "n_pairs"]].round(3)
