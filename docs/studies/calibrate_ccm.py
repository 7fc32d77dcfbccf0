"""How often the surrogate test of cross mapping errs, and what it finds: writes docs/studies/calibration.md.

Pairs that cannot be related: real soil moisture against the same site's weather of other years, soil moisture of the
simulated twin against another site's weather, and kinds of independent synthetic series. Then series that are related.

    XDROUGHT_DATA_DIR=... python docs/studies/calibrate_ccm.py --pairs 500 --surrogates 199 \
        --output docs/studies/calibration.md
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter
from scipy.stats import binomtest

import xdrought
from xdrought.data.tutorial import open_dataset
from xdrought.simulation.twin import DRIVERS, simulate

DAYS, ALPHA = 1660, 0.05
KINDS = ("phase", "seasonal", "circular")
WEATHER = ["TA_F", "SW_IN_F", "VPD_F", "PA_F", "P_F", "WS_F"]
PLANTED = ["t2m", "mx2t", "r", "ws10", "tp"]
DIRECTIONS = {"cause_to_effect": "weather from soil", "effect_to_cause": "soil from weather"}
Pair = tuple[np.ndarray, np.ndarray]  # weather (pair, time), soil (pair, time)

# synthetic series


def red_noise(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """(n, DAYS) autoregressive series of unit variance."""
    shocks = rng.standard_normal((n, DAYS + 1000)) * np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], shocks, axis=1)[:, 1000:]


def season(rng: np.random.Generator, n: int, size: float) -> np.ndarray:
    """(n, DAYS) annual cycles that peak within a month of mid-year."""
    shift = rng.uniform(-30, 30, (n, 1))
    return size * np.cos(2 * np.pi * (np.arange(DAYS) - 182 - shift) / 365.2425)


def rain(rng: np.random.Generator, n: int, days: int = DAYS) -> np.ndarray:
    """(n, days) mm: dry spells and gamma amounts, wetter in winter; about 60 % of days are dry."""
    cycle = np.cos(2 * np.pi * np.arange(days) / 365.2425)
    amounts, wet = np.zeros((n, days)), np.zeros(n, bool)
    for day in range(days):
        wet = rng.random(n) < np.where(wet, 0.6, 0.25) + 0.08 * cycle[day]
        amounts[:, day] = np.where(wet, rng.gamma(0.7, 8.0, n), 0.0)
    return amounts


def bucket(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, DAYS) water of a leaky bucket of 150 mm under rain of its own; demand follows the season."""
    before = 730
    water, out = np.full(n, 75.0), np.empty((n, DAYS))
    supply = rain(rng, n, DAYS + before)
    demand = 2.5 - 1.8 * np.cos(2 * np.pi * np.arange(DAYS + before) / 365.2425)
    for day in range(DAYS + before):
        water = np.minimum(water + supply[:, day], 150.0)
        water = water - demand[day] * water / 150.0 - 0.02 * water
        if day >= before:
            out[:, day - before] = water
    return out + 0.5 * rng.standard_normal(out.shape)


def gusty(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, DAYS) noise whose variance follows the season: skewed, and not stationary."""
    spread = 1 + 0.5 * np.cos(2 * np.pi * np.arange(DAYS) / 365.2425)
    return np.exp(0.5 * spread * red_noise(rng, n, 0.6))


SYNTHETIC: dict[str, Callable[[np.random.Generator, int], Pair]] = {
    "autoregressive (0.6, 0.95) + season": lambda rng, n: (
        red_noise(rng, n, 0.6) + season(rng, n, 2.0),
        red_noise(rng, n, 0.95) + season(rng, n, 2.0),
    ),
    "strong season, leaky bucket": lambda rng, n: (red_noise(rng, n, 0.8) + season(rng, n, 4.0), bucket(rng, n)),
    "rain, leaky bucket": lambda rng, n: (rain(rng, n), bucket(rng, n)),
    "two leaky buckets": lambda rng, n: (bucket(rng, n), bucket(rng, n)),
    "two slow autoregressive (0.97, 0.99) + season": lambda rng, n: (
        red_noise(rng, n, 0.97) + season(rng, n, 1.0),
        red_noise(rng, n, 0.99) + season(rng, n, 1.0),
    ),
    "seasonal variance, leaky bucket": lambda rng, n: (gusty(rng, n), bucket(rng, n)),
}

# pairs of real and of simulated soil moisture with weather that is not theirs


def other_years(rng: np.random.Generator, n: int) -> Pair:
    """Soil moisture of a tower and its weather of three or more other years later or earlier, same day of the year."""
    towers = open_dataset("fluxnet")
    found = [pair for site in towers["site"].values for pair in _shifted(towers.sel(site=site))]
    chosen = rng.permutation(len(found))[:n]
    print(f"  {len(found)} pairs of other years at {len({found[i][0] for i in chosen})} sites, {chosen.size} used")
    return np.stack([found[i][1] for i in chosen]), np.stack([found[i][2] for i in chosen])


def _shifted(tower: xr.Dataset) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    soil = tower["soil_moisture"].values
    for start in range(0, soil.size - DAYS + 1, 365):
        if np.isfinite(soil[start : start + DAYS]).mean() < 0.9:
            continue
        for years in range(-12, 13):
            first = start + round(365.25 * years)
            if abs(years) < 3 or first < 0 or first + DAYS > soil.size:
                continue
            for name in WEATHER:
                weather = tower[name].values[first : first + DAYS]
                if np.isfinite(weather).mean() > 0.98:
                    yield str(tower["site"].item()), weather, soil[start : start + DAYS]


def other_sites(rng: np.random.Generator, n: int) -> Pair:
    """Soil moisture of a simulated tower, and weather of another one north of the tropics."""
    towers = simulate(40, DAYS, size=2, seed=1)
    towers = towers.isel(site=np.flatnonzero(towers["lat"] > 0))
    weather = towers[list(DRIVERS)].isel(patch_lat=0, patch_lon=0).to_array().transpose("site", "variable", "time")
    sites = towers.sizes["site"]
    a, b, v = (rng.integers(0, top, 20 * n) for top in (sites, sites, len(DRIVERS)))
    keep = np.flatnonzero(a != b)[:n]
    return weather.values[a[keep], v[keep]].astype(float), towers["soil_moisture"].values[b[keep]].astype(float)


# rates


def as_arrays(pair: Pair) -> tuple[xr.DataArray, xr.DataArray]:
    days = pd.date_range("2001-01-01", periods=pair[0].shape[1])
    weather, soil = (xr.DataArray(values, {"time": days}, ("pair", "time")) for values in pair)
    return weather.rename("weather"), soil.rename("soil")


def false_positives(pair: Pair, kinds: list[str], **options: object) -> dict[str, dict[str, tuple[int, int]]]:
    """Tests below ALPHA and tests made, by method and direction."""
    weather, soil = as_arrays(pair)
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for kind in kinds:
        result = xdrought.ccm(weather, soil, surrogate_kind=kind, **options)  # type: ignore[arg-type]
        if "raw" not in found:
            found["raw"] = _count((result.p_value < ALPHA) & (result.rho > 0), result.p_value)
        found[kind] = _count(result.surrogate_p_value <= ALPHA, result.surrogate_p_value)
    return found


def _count(positive: xr.DataArray, tested: xr.DataArray) -> dict[str, tuple[int, int]]:
    return {
        direction: (
            int(positive.sel(direction=direction).sum()),
            int(tested.sel(direction=direction).notnull().sum()),
        )
        for direction in DIRECTIONS
    }


def logistic_maps(rng: np.random.Generator, n: int, length: int, noise: float) -> tuple[xr.DataArray, xr.DataArray]:
    """One-way coupled logistic maps (x drives y), with white noise of `noise` standard deviations on both."""
    x, y = rng.uniform(0.2, 0.6, (2, n))
    record = np.empty((2, n, length))
    for step in range(length + 200):
        x, y = x * (3.8 - 3.8 * x), y * (3.5 - 3.5 * y - 0.1 * x)
        if step >= 200:
            record[:, :, step - 200] = x, y
    record += noise * record.std(axis=-1, keepdims=True) * rng.standard_normal(record.shape)
    return tuple(xr.DataArray(values, dims=("pair", "time")) for values in record)  # type: ignore[return-value]


def share(count: tuple[int, int]) -> str:
    """Share with its 95 % interval (Wilson)."""
    if not count[1]:
        return "no test"
    interval = binomtest(*count).proportion_ci(method="wilson")
    return f"{count[0] / count[1]:.3f} ({interval.low:.2f} to {interval.high:.2f})"


# tables


def error_table(pairs: int, surrogates: int, kinds: list[str], seed: int) -> list[str]:
    rows = ["| pairs that cannot be related | direction | raw | " + " | ".join(kinds) + " |"]
    rows.append("|---" * (3 + len(kinds)) + "|")
    sources = {
        "FLUXNET soil moisture, weather of other years": other_years,
        "twin soil moisture, weather of another site": other_sites,
        **SYNTHETIC,
    }
    for number, (name, make) in enumerate(sources.items()):
        begin = time.process_time()
        pair = make(np.random.default_rng([seed, number]), pairs)
        found = false_positives(pair, kinds, surrogates=surrogates, seed=seed)
        for direction, words in DIRECTIONS.items():
            cells = " | ".join(share(found[method][direction]) for method in ("raw", *kinds))
            rows.append(f"| {name} ({len(pair[0])}) | {words} | {cells} |")
            print(rows[-1], f"{time.process_time() - begin:.0f} s", flush=True)
    return rows


def power_table(pairs: int, surrogates: int, seed: int) -> list[str]:
    rows = ["| one-way coupled logistic maps | steps | noise | E | driver found | driven one found |", "|---" * 6 + "|"]
    for length, noise in ((400, 0.0), (400, 0.1), (1000, 0.1)):
        x, y = logistic_maps(np.random.default_rng([seed, length]), pairs, length, noise)
        for dim in (2, 3):
            found = xdrought.ccm(x, y, embedding_dim=dim, surrogates=surrogates, deseasonalize=False, seed=seed)
            counts = _count(found.surrogate_p_value <= ALPHA, found.surrogate_p_value)
            cells = " | ".join(share(counts[direction]) for direction in DIRECTIONS)
            rows.append(f"| x drives y ({pairs} pairs) | {length} | {noise:.0%} | {dim} | {cells} |")
            print(rows[-1], flush=True)
    return rows


def twin_table(surrogates: int, seed: int) -> tuple[list[str], float]:
    """Planted causes of the twin by driver, and how weak wind is beside rain."""
    towers = simulate(40, DAYS, size=2, seed=2)
    weather = towers[PLANTED].mean(["patch_lat", "patch_lon"])
    found = xdrought.ccm(weather, towers["soil_moisture"], surrogates=surrogates, seed=seed)
    strength = towers["truth_strength"].sel(variable=PLANTED)
    rows = ["| planted cause | planted sites | cause found | soil moisture found from the cause |", "|---" * 4 + "|"]
    for name in [*PLANTED, "all"]:
        names = PLANTED if name == "all" else [name]
        planted = strength.sel(variable=names) > 0
        p = found.surrogate_p_value.sel(variable=names).where(planted)
        counts = _count(p <= ALPHA, p)
        cells = " | ".join(share(counts[direction]) for direction in DIRECTIONS)
        rows.append(f"| {name} | {int(planted.sum())} | {cells} |")
        print(rows[-1], flush=True)
    median = strength.where(strength > 0).median("site")
    return rows, float(median.sel(variable="ws10") / median.sel(variable="tp"))


PAGE = """# Calibration of the surrogate test

A test at the level 0.05 should call 5 % of unrelated pairs related. This page counts what `xdrought.ccm` does, on
records of {days} days with E = 2 and no exclusion window. It is written by

```
{command}
```

`raw` is the paper's test, Pearson's p-value below 0.05 and a positive skill. The others are `surrogate_p_value` at
or below 0.05 for the three kinds of surrogates: `phase` and `circular` with the annual cycle removed from both series
(`deseasonalize=True`), `seasonal` with the cycle kept in series and surrogates. Brackets hold 95 % intervals.

## Pairs that cannot be related

{errors}

{reading} Pairs of the towers overlap in time and share sites, so that their interval is too narrow.

Two steps are needed to get there. The annual cycle is removed from the *surrogates* too: a copy of anomalies with
random phases holds a little of an annual cycle that the anomalies themselves, fitted free of it, cannot have, and the
test of a slow series from a manifold that tells the seasons apart becomes far too timid (rain, leaky bucket: 0.8 %
false positives without this step). And the anomalies are divided by their seasonal spread: where both series vary more
in one season, fewer days count than surrogates of even spread suggest (seasonal variance: 10 % without this step).

## Drivers of other years, one draw at a time

Drivers that are moved by whole years within their record are unrelated to the soil moisture as well. The table moves
them by every number of years that the records allow (`python docs/studies/shifted_drivers.py --output
docs/_include/shifted_drivers.md`, 99 phase surrogates, weather from soil) and gives the share of tests with
`surrogate_p_value` at or below 0.05.

```{{include}} ../_include/shifted_drivers.md
```

One shift is one draw: all stations of a network meet the same other years, and the drivers of a station share their
weather. At USCRN the share lies between 0.03 and 0.14, and the shifts by two and three years (0.095, 0.143) are among
the high ones. The length of the record is not the reason: the first 1660 days give the same mean. Over all shifts the
test rejects 7 to 9 % at these stations, a little more than for the pairs above, whose weather is at least three years
away and whose days are nearly complete. Read a share from a single shift with a spread of that size in mind.

## Power

What is truly related should be found. The series below are related in one direction only: x drives y, and y does not
drive x. The test asks whether there is *any* relation, so that x's imprint is also found the wrong way round, more
often than in 5 % of the cases; the direction is read from the comparison of both skills and from their convergence.

{power}

The twin's planted causes (40 simulated towers, see `xdrought.simulation.twin`), tested at lag 0 on {days} days:

{twin}

A cause counts as planted wherever its coefficient is not zero, however weak: at the median site `ws10` moves the soil
moisture by {weak:.2g} of what `tp` does. Drivers of one site share their weather, so that one without a path to the
soil can be found as well: a relation is not yet a cause.
"""


def reading(table: list[str], kind: str, column: int) -> str:
    """The range of the shares in one column, in words."""
    shares = [float(row.split("|")[column].split()[0]) for row in table[2:]]
    return f"Over all rows the {kind} test is between {min(shares):.3f} and {max(shares):.3f}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--surrogates", type=int, default=199)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    errors = error_table(options.pairs, options.surrogates, options.kinds, options.seed)
    power = power_table(options.pairs, options.surrogates, options.seed)
    twin, weak = twin_table(options.surrogates, options.seed)
    ranges = [reading(errors, kind, 4 + at) for at, kind in enumerate(options.kinds)]
    command = f"python docs/studies/calibrate_ccm.py --pairs {options.pairs} --surrogates {options.surrogates}"
    text = PAGE.format(
        days=DAYS,
        command=f"{command} --output docs/studies/calibration.md",
        errors="\n".join(errors),
        reading=" ".join(ranges),
        power="\n".join(power),
        twin="\n".join(twin),
        weak=weak,
    )
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
