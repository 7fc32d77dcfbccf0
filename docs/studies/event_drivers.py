"""Does `event_drivers` name what was planted? Droughts of three simulated worlds, and each cause taken away.

In the world "rain" only rain acts on the soil; in the world "demand" the soil gets the rain of the season alone, so
that only temperature, humidity and wind can dry it; the drivers that are shown are those of the weather in either case.
In the world "natural" everything acts, and the truth of an event is what `respond` says: the soils run again with the
rain of the onset's days at its annual cycle, then with temperature, humidity and wind at theirs (from the days before
that act with a lag), then with a soil that does not freeze. The change of the noise-free soil moisture over the onset
that goes away is what that cause did, and the rule of `event_drivers` makes a class of it; an event is one of freezing
when frost did more than both.

    python docs/studies/event_drivers.py [--seeds 11 12 13 14 15 16] [--sites 10] [--days 2192]
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
import xarray as xr

import xdrought
from xdrought.attribution.onset_drivers import DRIVER_CLASSES, classify
from xdrought.simulation import respond, simulate
from xdrought.simulation.observation import nearest_mean
from xdrought.simulation.soil import annual_cycle

TESTED = {
    "tp": "rain",
    "t2m": "temperature",
    "mx2t": "temperature",
    "r": "humidity",
    "ws10": "wind",
    "stl1": "soil_temperature",
}
CAUSES = {"rain": ("tp",), "demand": ("t2m", "mx2t", "r", "ws10"), "frost": ("stl1",)}
STRENGTHS = {
    "rain": {"t2m": 0.0, "mx2t": 0.0, "r": 0.0, "ws10": 0.0},
    "demand": {"t2m": 0.9, "mx2t": 0.0, "r": 0.6, "ws10": 0.4},
    "natural": {},
}
LAG = 5  # days before the onset from which a driver may act
PASSES = 3  # every third event of a site in one run, so that none feels the change of the one before
ERROR = 0.004  # m3 m-3, of the sensor in the world of demand


def tower(ds: xr.Dataset) -> xr.Dataset:
    """The drivers at the towers, (site, time), beside the soil moisture."""
    near = {name: nearest_mean(ds, name).transpose("site", "time").assign_attrs(ds[name].attrs) for name in TESTED}
    return ds.drop_dims(["patch_lat", "patch_lon"]).assign(near)


def calm(ds: xr.Dataset, name: str) -> xr.DataArray:
    """A driver without its departures; the soil's temperature without frost."""
    if name == "stl1":
        return ds[name].clip(min=278.15)
    day = ds.time.dt.dayofyear.values.astype(float)
    values = ds[name].transpose("time", ...)
    cycle = annual_cycle(values.values.reshape(day.size, -1).astype(float), day).reshape(values.shape)
    cycle = np.maximum(cycle, 0) if name == "tp" else cycle
    return values.copy(data=cycle.astype(values.dtype)).transpose(*ds[name].dims)


def world(kind: str, sites: int, days: int, seed: int) -> xr.Dataset:
    """A simulated world in which the causes of a kind act."""
    ds = simulate(sites, days, size=2, seed=seed, strengths=STRENGTHS[kind])
    if kind != "demand":
        return ds
    soil = respond(ds.assign(tp=calm(ds, "tp"))).soil_moisture.transpose("site", "time")
    error = ERROR * np.random.default_rng(seed).normal(size=soil.shape)
    return ds.assign(soil_moisture=(("site", "time"), soil.values + error, ds.soil_moisture.attrs))


def truth(ds: xr.Dataset, events: xr.Dataset) -> dict[str, np.ndarray]:
    """What each cause changed over the onset of each event (event,), m3 m-3."""
    base = respond(ds).soil_moisture.transpose("site", "time").values
    sites, first, last = places(ds, events)
    order = pd.Series(sites).groupby(sites).cumcount().to_numpy()
    change = base[sites, last] - base[sites, first]
    found = {}
    for cause, names in CAUSES.items():
        found[cause] = np.zeros(sites.size)
        for k in range(PASSES):
            own = np.flatnonzero(order % PASSES == k)
            within = xr.zeros_like(ds.soil_moisture.transpose("site", "time"), dtype=bool)
            for event in own:
                before = LAG if cause == "demand" else 0
                within.values[sites[event], max(first[event] + 1 - before, 0) : last[event] + 1] = True
            calmed = {name: ds[name].where(~within, calm(ds, name)).transpose(*ds[name].dims) for name in names}
            other = respond(ds.assign(calmed)).soil_moisture.transpose("site", "time").values
            found[cause][own] = (change - (other[sites, last] - other[sites, first]))[own]
    return found


def places(ds: xr.Dataset, events: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of each event's site, and of the days of its onset and its start."""
    index = ds.indexes["time"]
    first, last = (index.get_indexer(events[name].values) for name in ("onset_time", "start_time"))
    return ds.indexes["site"].get_indexer(events.site.values), first, last


def frozen_share(ds: xr.Dataset, events: xr.Dataset) -> np.ndarray:
    """Share of the onset's days with a soil of the tower below freezing."""
    cold = (ds.soil_temperature.transpose("site", "time") < 0).values
    return np.array([cold[s, a + 1 : b + 1].mean() for s, a, b in zip(*places(ds, events), strict=True)])


def planted(kind: str, ds: xr.Dataset, events: xr.Dataset) -> np.ndarray:
    """The true class of each event."""
    if kind != "natural":
        alone = DRIVER_CLASSES["rain_deficit" if kind == "rain" else "demand"]
        return np.where(frozen_share(ds, events) >= 0.5, DRIVER_CLASSES["freezing"], alone)
    did = truth(ds, events)
    dry = {cause: np.maximum(-change, 0) for cause, change in did.items()}
    by_frost = (dry["frost"] > 0) & (dry["frost"] >= dry["rain"] + dry["demand"])
    return np.where(by_frost, DRIVER_CLASSES["freezing"], classify(did["rain"], did["demand"], np.zeros(by_frost.size)))


def main() -> None:
    """Print the classes of each world, planted and named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15, 16])
    parser.add_argument("--sites", type=int, default=10)
    parser.add_argument("--days", type=int, default=2192)
    options = parser.parse_args()
    shown = [name for name in DRIVER_CLASSES if name != "unknown"]
    print("| world | planted | events | named right |", " | ".join(shown), "|")
    print("|---" * (4 + len(shown)) + "|")
    for kind in STRENGTHS:
        pairs = []
        for seed in options.seeds:
            ds = world(kind, options.sites, options.days, seed)
            events = xdrought.flash_drought_events(ds.soil_moisture, pool="dayofyear", window=15)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = xdrought.event_drivers(events, tower(ds), drivers=TESTED)
            pairs.append(np.stack([planted(kind, ds, events), found.driver_class.values]))
        wanted, named = np.concatenate(pairs, axis=1)
        for name in [one for one in shown if (wanted == DRIVER_CLASSES[one]).any()]:
            tell(kind, name, named[wanted == DRIVER_CLASSES[name]], DRIVER_CLASSES[name], shown)
        print(f"| {kind} | all | {wanted.size} | {(named == wanted).mean():.0%} |" + " |" * len(shown), flush=True)


def tell(kind: str, name: str, named: np.ndarray, value: int, shown: list[str]) -> None:
    """One row: what the events of one planted class are called."""
    counts = " | ".join(str((named == DRIVER_CLASSES[one]).sum()) for one in shown)
    print(f"| {kind} | {name} | {named.size} | {(named == value).mean():.0%} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
