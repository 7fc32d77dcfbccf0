"""
2. Look for causes
==================

Which weather is behind the changes of soil moisture? This page asks two questions of the record of the first page, the
grassland US-AR1: which series are *related* to soil moisture, and which *drive* it. A simulated site, whose causes are
known, shows how far you can trust the answers.
"""

# %%
# Related: convergent cross mapping
# ---------------------------------
#
# Convergent cross mapping (CCM) looks for the trace of a cause in the history of its effect. If rain acts on the
# soil, then similar histories of the soil come with similar rain, and the rain of a day can be estimated from the
# soil alone. The skill of that estimate, ``rho``, is a correlation.
#
# Weather and soil share the season and change slowly, and such series look related even when they are not. The
# keyword ``surrogates`` makes artificial copies that keep season and memory and lose any relation. The surrogate
# p-value says how often such a copy does as well as the real series. ``fdr="bh"`` adjusts for the number of tests.

import pandas as pd

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_causality, plot_convergence

tower = open_dataset("us-ar1").isel(site=0)
drivers = ["TA_F", "VPD_F", "SW_IN_F", "P_F", "PA_F", "WS_F"]
pd.Series({name: f"{tower[name].long_name} ({tower[name].units})" for name in drivers})

# %%

related = tower.xdrought.ccm(drivers, "soil_moisture", exclusion_radius="auto", surrogates=199, fdr="bh")
columns = ["rho", "p_value", "surrogate_p_value", "surrogate_p_value_adjusted"]
related[columns].sel(direction="cause_to_effect", drop=True).to_dataframe()[columns].round(3)

# %%
# Compare the columns. The raw ``p_value`` treats days as independent and finds almost everything significant. Use the
# surrogate p-value, the adjusted one when you test several drivers. The raw value is there because the network of
# Tang et al. (2025) reads it as an input.
#
# The picture shows the skill of each driver in both directions.

plot_causality(related)

# %%
# Does the skill grow with the data?
# ----------------------------------
#
# The word *convergent* is a test of its own: with a longer record to learn from, the estimate of a true cause
# improves and then levels off. The band is what season and memory alone would give.

# sphinx_gallery_thumbnail_number = 2
sizes = [50, 100, 200, 400, 800]
growth = tower.xdrought.ccm("P_F", "soil_moisture", library_size=sizes, direction="cause_to_effect")
null = xdrought.convergence_null(tower.P_F, tower.soil_moisture, library_size=sizes, surrogates=19)
plot_convergence(growth, null=null)

# %%
# Drives: what a driver adds to all others
# ----------------------------------------
#
# A relation is not yet a cause. Warm days are sunny and dry, so that three series may all be related to the soil
# while one of them acts. ``driver_gain`` asks what each driver adds to a prediction of the change of soil moisture
# *when all the others are known*. ``redundancy`` says how much of a driver the others already contain.

gain = tower.xdrought.driver_gain(drivers, "soil_moisture")
columns = ["gain", "p_value_adjusted", "redundancy"]
gain[columns].to_dataframe()[columns].round(3)

# %%
# Do not put evaporation among the drivers: it follows from soil moisture, and every method would call it a cause. The
# function warns you when it recognises such a series by its name.
#
# Can you trust it? A world whose causes are known
# ------------------------------------------------
#
# The next sites are **simulated**. In their world we know which drivers reach the soil: ``truth_strength`` is zero
# for a variable without any effect. Six drivers at five sites make thirty questions with known answers. The last row
# asks again when rain, the most important driver, was not measured.

names = ["t2m", "tp", "r", "ws10", "cape", "sp"]
world = open_dataset("twin", n_sites=5, n_days=1461, size=1, drivers=names).squeeze(drop=True)
acts = world.truth_strength.sel(variable=names) > 0
one_way = world.xdrought.ccm(
    names, "soil_moisture", direction="cause_to_effect", exclusion_radius="auto", surrogates=99
)
without_rain = [name for name in names if name != "tp"]
answers = {
    "ccm, raw p-value": one_way.p_value < 0.05,
    "ccm, surrogates": one_way.surrogate_p_value < 0.05,
    "driver_gain": world.xdrought.driver_gain(names, "soil_moisture").p_value < 0.05,
    "driver_gain without rain": world.xdrought.driver_gain(without_rain, "soil_moisture").p_value < 0.05,
}
truth = {name: acts.sel(variable=yes["variable"]) for name, yes in answers.items()}
pd.DataFrame(
    {
        "found, of those that act": {
            n: f"{int((yes & truth[n]).sum())} of {int(truth[n].sum())}" for n, yes in answers.items()
        },
        "found, of the others": {
            n: f"{int((yes & ~truth[n]).sum())} of {int((~truth[n]).sum())}" for n, yes in answers.items()
        },
    }
)

# %%
# The drivers without an effect share their weather with those that act. They are related to the soil, and cross
# mapping is right to find them. They do not drive it, and ``driver_gain`` leaves most of them out. The last row is
# the warning: when an important driver is missing, others stand in for it, and the answer is wrong.
#
# What you may write
# ------------------
#
# - "X and soil moisture are related beyond season and memory", from ``ccm`` with surrogates.
# - "X adds to the prediction of soil moisture, given these other drivers", from ``driver_gain``. Name them.
# - "X causes Y" needs more than either, because a driver that nobody measured may stand behind both.
#
# :doc:`/guide/cross_mapping` explains the settings, and :doc:`/studies/calibration` measures how often each test is
# wrong.
#
# **Next:** :doc:`forecast_and_warning` looks a week ahead.
