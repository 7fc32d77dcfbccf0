"""
Degree and skill, trends, complexity, and whether to believe them
==================================================================

The paper's Figures 5 and 7 with what they need beside them: site levels taken off, intervals over sites, chance
shares, and checks of the attributions themselves. All sites here are **simulated**; the same calls on real stations
are on the page :doc:`/studies/explanations`.
"""

# %%
# Twenty-four simulated sites, of which each reports for seven of ten years only, and a small network that sees the
# weather and the causality degree.

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import xdrought
from xdrought.attribution import deletion_curve, weight_randomisation
from xdrought.plot import (
    plot_coupling,
    plot_deletion,
    plot_event_association,
    plot_onset_trend,
    plot_skill_by_degree,
    plot_synchrony,
    plot_weight_randomisation,
)
from xdrought.simulation.twin import simulate
from xdrought.study import (
    coupling_strength,
    event_association,
    onset_error,
    onset_trend,
    site_synchrony,
    skill_by_degree,
)

ds = simulate(n_sites=24, n_days=10 * 365, size=1, seed=4)
years = ds.time.dt.year - int(ds.time.dt.year[0])
first = xr.DataArray(np.arange(24) % 4, {"site": ds.site})
ds["soil_moisture"] = ds.soil_moisture.where((years >= first) & (years < first + 7))

forecaster = ds.xdrought.fit_resattcaurec(
    "soil_moisture",
    variant="CauRec",
    widths=(16, 16),
    epochs=3,
    batch_size=256,
    learning_rate=4e-3,
    device="cpu",
    progress=False,
)
forecast = ds.xdrought.predict(forecaster, device="cpu").soil_moisture
tested = forecast.where(forecaster.splits.mask("test", forecast.time))
scores = xdrought.verify(tested, ds.soil_moisture, n_boot=1)

# %%
# Droughts, and why the network expected their onsets.

events = ds.xdrought.flash_drought_events("soil_moisture")
onsets = ds.xdrought.drought_classes("soil_moisture").isin([1, 3])
shares = ds.xdrought.attributions(forecaster, where=onsets, n_background=40, n_draws=40, device="cpu", progress=False)
importance = xdrought.event_importance(shares, events)
complexity = xdrought.drought_complexity(shares, events)
rate = events.intensification_rate.assign_attrs(long_name="intensification rate")

# %%
# Is the forecast better where causality is stronger (Figure 5)? Each dot is a site, the band comes from a bootstrap of
# sites, and p-values are adjusted for twelve drivers. The last panel is the paper's coupling strength (5f).

relation = skill_by_degree(forecaster.causality, scores.nse.sel(model="forecast"))
coupling = coupling_strength(relation, importance)
most = coupling.sortby("importance", ascending=False)["variable"].values[:4]
figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.6), layout="constrained")
for ax, name in zip(axes.ravel(), [*most, "all drivers"], strict=False):
    plot_skill_by_degree(relation, str(name), ax=ax)
ax = plot_coupling(coupling, ax=axes[1, 2])

# %%
# Do onsets get faster and more complex (7a)? Sites enter and leave here, and this world has no trend. Blue: the levels
# of the sites are taken off, and the interval allows for dependence within sites and within years. Grey: all events in
# one regression, as if no site had ever come or gone.

figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.5), layout="constrained")
for ax, values in zip(axes, (rate, complexity), strict=True):
    plot_onset_trend(onset_trend(values, events), ax=ax)

# %%
# Error of the forecast against complexity (7b), on days that the network was not trained on, and complexity against the
# rate (7d): within sites, and all events as they are.

late = forecast.where(~forecaster.splits.mask("train", forecast.time))
error = onset_error(late.drop_vars("part", errors="ignore"), ds.soil_moisture, events)
pairs = [event_association(complexity, error, events), event_association(rate, complexity, events)]
figure, axes = plt.subplots(2, 2, figsize=(8.0, 6.0), layout="constrained")
for row, pair in zip(axes, pairs, strict=True):
    plot_event_association(pair, ax=row[0])
    plot_event_association(pair, within=False, ax=row[1])

# %%
# At how many sites do rate and complexity rise together (7c)? The paper finds 73 %; half of the sites do by chance, so
# the share stands beside what shuffled events give. The twin's sites lie where its weather is, also at sea.

ax = plot_synchrony(site_synchrony(rate, complexity, events))

# %%
# Do the attributions explain this network? Deleting what they name first changes the forecast fastest; and when layers
# forget what they learnt, the attributions change. Their absolute values stay alike in part even then: the last input
# days, and drivers far from their mean, count in any network.

explained = shares.prediction.notnull()
curves = deletion_curve(ds, forecaster, where=explained, n_windows=60, device="cpu")
similarity = weight_randomisation(
    ds, forecaster, where=explained, n_windows=30, n_background=40, n_draws=80, device="cpu"
)
figure, axes = plt.subplots(1, 2, figsize=(7.8, 3.4), layout="constrained")
plot_deletion(curves, ax=axes[0])
plot_weight_randomisation(similarity, ax=axes[1])
plt.show()
