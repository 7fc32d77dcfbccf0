"""
A morning at the drought desk
=============================

Today's soil moisture and tonight's weather forecast come in. The monitor is brought up to date, the forecast is opened,
and what the desk hands on is a map of P(onset), a table of alarms, and beside both how often such warnings came true:
as a zarr store and as a page. The region, its weather, the forecasts and the droughts are **simulated**, not observed.
"""

# %%
# Once a year: the archive
# ------------------------
#
# Five years of a simulated region, and forecasts of its rain in the quality of today's weather models: each lead day
# is the truth, or the same season of another year. In earnest they are an archive of reforecasts.

import tempfile
from pathlib import Path

import pandas as pd

import xdrought
from xdrought.bulletin import desk_report, desk_table, write_desk_page
from xdrought.cli import main
from xdrought.events import load_monitor, start_monitor
from xdrought.plot import plot_map, plot_reliability
from xdrought.simulation.twin import simulate_grid

folder = Path(tempfile.mkdtemp())
region = simulate_grid(8, 10, 1960, seed=5, drivers=["tp"])
forecasts = xdrought.degrade_forcing(region, ["tp"], lead=7)
yesterday = region.isel(time=slice(None, -1))
str(region.time.values[-1])[:10], dict(forecasts.tp.sizes)

# %%
# Trees learn from the first years how probable an onset within seven days is, given the soil, the rain so far and the
# rain that is forecast. They are scored on years that they have not seen.

trees = xdrought.forecast.Boosting(n_trees=40, min_leaf=50)
onset = yesterday.xdrought.fit_onset(
    "soil_moisture", ["tp"], future=["tp"], forcing=forecasts, model=trees, fractions=(0.5, 0.25, 0.25)
)
warning = yesterday.xdrought.predict_onset(onset, forcing=forecasts)
training = onset.splits.training_days(yesterday.time)
skill = xdrought.onset_skill(warning, yesterday.xdrought.onset_label("soil_moisture", train=training), n_boot=200)
starts = yesterday.xdrought.onset_days("soil_moisture", label="event", train=training)
found = xdrought.alarms(warning, starts, false_alarms=2, n_boot=200)
skill[["brier_skill", "brier_skill_interval", "auc"]].sel(forecast="flash_onset_probability").to_array().round(2)

# %%
# Cells of one small region share their weather, so that the intervals over cells are narrower than the truth.
#
# What the desk needs every morning goes into files, without pickle.

start_monitor(yesterday.soil_moisture, reference=("2002", "2005")).save(folder / "monitor")
onset.save(folder / "onset.nc")
skill.to_netcdf(folder / "skill.nc")
found.to_netcdf(folder / "alarms.nc")

# %%
# Every morning
# -------------
#
# Open the monitor, give it today, save it. A rerun changes nothing; late or corrected days go in with ``revise=True``.

today = region.isel(time=[-1])
monitor = load_monitor(folder / "monitor").update(today.soil_moisture)
monitor.save(folder / "monitor")
new = monitor.changes_since(yesterday.time.values[-1])
f"{new.sizes['event']} events are new or have changed since yesterday"

# %%
# Open the forecast that was issued today, and put everything beside each other: the state, the probability, the two
# frequencies that a probability must beat, the alarm, and how often such a probability came true.

tonight = forecasts.sel(init_time=today.time.values)
report = desk_report(region, monitor, onset, forcing=tonight, alarms=found, skill=skill)
report

# %%
# The map, and the reliability of the years that were not learned from.

issued, until = (f"{report[name].dt.strftime('%d %b %Y').item()}" for name in ("time", "valid_until"))
ax = plot_map(report.flash_onset_probability, cmap="YlOrRd", vmin=0, significant=report.is_alarm)
ax.set_title(f"P(onset by {until}), issued {issued} (simulated)\ndots: alarm", fontsize=9, loc="left")
map_of_today = ax.figure

# %%

ax = plot_reliability(skill)

# %%
# The table of alarms. ``observed_frequency`` says on which share of ``n_in_bin`` past days of such a probability an
# onset followed.

desk_table(report, only_alarms=True, at_most=8).round(2)

# %%
# What such alarms were worth, in the years of the test: the threshold was chosen for two false alarms a year at most on
# the years before.

found[["threshold", "pod", "false_alarms_per_year"]].to_array().round(2)

# %%
# Files for others: a zarr store for programs, and one page with the map inside for people.

report.to_zarr(folder / "today.zarr", zarr_format=3, consolidated=False)
note = "The region, its weather and its droughts are simulated, not observed."
pictures = {"P(onset) of today; dots: alarm": map_of_today, "Reliability in the years of the test": ax.figure}
write_desk_page(report, folder / "today.html", note=note, pictures=pictures)
sorted(path.name for path in folder.iterdir())

# %%
# The same for stations, as a command
# -----------------------------------
#
# Stations of the U.S. Climate Reference Network where the files are there, else the simulated twin's. The model is
# fitted on the history alone; ``xdrought desk`` does the rest of the morning, so that a line of a crontab is a desk:
#
# .. code-block:: bash
#
#    30 6 * * *  xdrought desk stations.nc today.csv --monitor monitor --onset onset.nc --alarms alarms.nc

try:
    stations = xdrought.open_dataset("uscrn").isel(site=slice(None, None, 6))
    rain, what = "P_DAILY_CALC", "stations of USCRN"
except FileNotFoundError:
    stations, rain, what = xdrought.open_dataset("twin", n_sites=9, n_days=2192), "tp", "simulated stations"
    stations["tp"] = stations.tp.mean(["patch_lat", "patch_lon"], keep_attrs=True)  # of the cells around each station
known = stations.soil_moisture.notnull().mean("site")
stations = stations[["soil_moisture", rain]].sel(time=slice(None, known.time[known > 0.8][-1]))
f"{stations.sizes['site']} {what}, {stations.sizes['time']} days"

# %%

onset = stations.xdrought.fit_onset("soil_moisture", [rain], model=trees)
warning = stations.xdrought.predict_onset(onset)
training = onset.splits.training_days(stations.time)
starts = stations.xdrought.onset_days("soil_moisture", label="event", train=training)
found = xdrought.alarms(warning, starts, false_alarms=2, n_boot=200)
desk = Path(tempfile.mkdtemp())
onset.save(desk / "onset.nc")
found.to_netcdf(desk / "alarms.nc")
stations.to_netcdf(desk / "stations.nc")

# %%
# The first morning begins the monitor, with a reference that is over; later ones need no ``--reference``.

command = f"desk {desk}/stations.nc {desk}/today.csv --monitor {desk}/monitor --onset {desk}/onset.nc"
first, last = (str(stations.time.dt.year.values[k]) for k in (0, -366))
main([*command.split(), "--alarms", f"{desk}/alarms.nc", "--page", f"{desk}/today.html", "--reference", first, last])
columns = ["site", "flash_onset_probability", "season_frequency", "percentile", "is_alarm"]
pd.read_csv(desk / "today.csv")[columns].round(2)
