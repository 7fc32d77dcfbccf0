"""
Frozen soil reads dry
=====================

A probe measures liquid water: when the soil freezes, it sees a fall as fast as the fastest flash drought. Given the
soil's temperature, each event tells how much of it was frozen, and you choose what becomes of it.
"""

# %%
# AT-Neu, a meadow in the Austrian Alps, shows it in December 2007. Its FLUXNET2015 file may not travel with the
# library; without it in ``XDROUGHT_DATA_DIR`` a tower of the simulated twin stands in, and is labelled as such.

import os

import numpy as np

import xdrought  # registers ds.xdrought
from xdrought.data import open_dataset
from xdrought.plot import plot_event, plot_record

try:
    towers = open_dataset("fluxnet", sites=["AT-Neu"])
    what = "AT-Neu, observed (FLUXNET2015)"
except FileNotFoundError:
    towers = open_dataset("twin", n_sites=12, n_days=4018)
    towers = towers.assign_coords(site=[f"{site} (simulated)" for site in towers.site.values])
    what = "a tower of the twin, SIMULATED"
print(what, "- XDROUGHT_DATA_DIR is", "set" if os.environ.get("XDROUGHT_DATA_DIR") else "not set")

# %%
# Events with their share of frozen days; the one that froze the most comes first.

events = towers.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
columns = ["onset_time", "start_time", "end_time", "intensification_rate", "is_flash", "frozen_fraction"]
table = xdrought.to_table(events, names=columns)
table.sort_values(["frozen_fraction", "intensification_rate"], ascending=False).head(4)

# %%
# The one of which the share of frozen days times the days is largest: at AT-Neu the event of December 2007.

frozen_days = events.frozen_fraction * events.duration
worst = events.isel(event=int(frozen_days.argmax("event")))
site = str(worst.site.values)
record, temperature = towers.soil_moisture.sel(site=site), towers.soil_temperature.sel(site=site)
here = events.isel(event=events.site.values == site)
number = int((here.start_time.values == worst.start_time.values).argmax())
ax = plot_event(record, here, event=number, soil_temperature=temperature)

# %%
# ``frozen="flag"``, the default, marks events of which at least half of the days are frozen (``is_frozen``) and keeps
# them; ``"mask"`` takes frozen days as missing before anything is ranked; ``"ignore"`` only reports the share.

for choice in ("flag", "mask"):
    found = towers.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature", frozen=choice)
    frozen = f", {int(found.is_frozen.sum())} flagged as frozen" if choice == "flag" else ""
    print(f"{choice}: {found.sizes['event']} events, {int(found.is_flash.sum())} of them flash{frozen}")

# %%
# Masked, frozen days are gaps: percentiles are those of the other days, and the winter holds no event.

thawed = towers.sel(site=site).where(temperature >= 0)
without = towers.sel(site=[site]).xdrought.flash_drought_events(
    "soil_moisture", soil_temperature="soil_temperature", frozen="mask"
)
ax = plot_record(thawed.soil_moisture, without)
year = int(worst.start_time.dt.year)
ax.set_xlim(np.datetime64(f"{year - 1}-07-01"), np.datetime64(f"{year + 1}-12-31"))
