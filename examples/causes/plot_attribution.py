"""
Why a forecast fell: drivers of drought onsets
==============================================

Expected gradients share each forecast's distance from the mean forecast of the training part among the drivers. Here
for the onsets of droughts in a simulated world, so that what truly acts is known. The network is small and trained for
some seconds: the way matters here, not the skill.
"""

# %%
# Eight simulated towers, six years, 2 x 2 cells of weather around each. ``swvl1`` and ``e`` come from the weather
# model's own soil: they foretell soil moisture without causing it, and a network will lean on them.

import matplotlib.pyplot as plt

from xdrought.attribution.importance import (
    driver_importance,
    drought_complexity,
    event_importance,
    importance_by_rate,
)
from xdrought.plot.attribution import plot_attributions, plot_driver_importance, plot_importance_by_rate
from xdrought.simulation.twin import simulate

ds = simulate(n_sites=8, n_days=6 * 365, size=2, seed=4)
forecaster = ds.xdrought.fit_resattcaurec(
    "soil_moisture",
    variant="CauRec",
    widths=(16, 16),
    epochs=4,
    batch_size=128,
    learning_rate=3e-3,
    device="cpu",
    progress=False,
)

# %%
# Droughts, and the days of their onsets. Attributions are computed only where ``where`` is true, in bounded memory; the
# background is drawn from the training part. ``completeness_error`` says how well the shares add up.

events = ds.xdrought.flash_drought_events("soil_moisture")
classes = ds.xdrought.drought_classes("soil_moisture")
onsets = classes.isin([1, 3])
shares = ds.xdrought.attributions(forecaster, where=onsets, n_draws=100, device="cpu", progress=False)
error = float(abs(shares.completeness_error).mean() / abs(shares.prediction - shares.base_value).mean())
print(f"{int(onsets.sum())} onset days, the shares miss the forecasts by {error:.2%}")
shares

# %%
# One event day by day: brown drivers made the forecast drier, green ones wetter.

importance = event_importance(shares, events)
flash = events.isel(event=(events.is_flash & importance.notnull().all("variable")).values)
event = flash.isel(event=int(flash.onset_length.argmax("event")))
place, days = str(event.site.item()), slice(event.onset_time.values, event.start_time.values)
ax = plot_attributions(shares.sel(site=place, time=days), event)
ax.set_title(f"{place}, simulated", fontsize=9, loc="left", pad=14)

# %%
# Importance of the drivers for normal and flash onsets, with intervals over towers, and the ratio of the two.

table = driver_importance(importance, events)
plot_driver_importance(table)

# %%
# Rank of importance against how fast the onset was, and the number of drivers that act at the same time.

plot_importance_by_rate(importance_by_rate(importance, events))
complexity = drought_complexity(shares, events)
for kind, mask in (("flash", events.is_flash), ("normal", ~events.is_flash)):
    print(f"{kind}: {float(complexity.where(mask).mean()):.2f} key drivers a day")

# %%
# What is planted in this world, beside what the network uses. The two differ: attributions explain a network, and a
# network uses whatever foretells, also what only follows the same weather.

truth = ds.truth_strength.mean("site").sortby(ds.truth_strength.mean("site"), ascending=False)
print("planted:", ", ".join(str(name) for name in truth["variable"].values[:4]))
found = importance.mean("event").sortby(importance.mean("event"), ascending=False)
print("used:   ", ", ".join(str(name) for name in found["variable"].values[:4]))
plt.show()
