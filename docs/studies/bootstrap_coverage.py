"""How often the intervals of `xdrought.verify` hold the true score, on simulated forecasts of known skill.

    python docs/studies/bootstrap_coverage.py [--repeats 400] [--out docs/_include/bootstrap_coverage.md]

Observations are a season and an autoregressive part about a site's mean, forecasts the observation plus an
autoregressive error; sites differ in the size of both. So every true score is a formula, and the share of intervals
that hold it can be counted: for a site (its own truth), for the median site and the pool (of all sites there could be).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter
from scipy.stats import norm

from xdrought.verification import compare_models, occurrence_scores, verify

LEAD, N_BOOT, YEAR = 7, 499, 365
SCORES = ("rmse", "bias", "nse", "skill", "correlation")


@dataclass(frozen=True)
class World:
    """A set of sites; the defaults are those of the towers (damped persistence seven days ahead)."""

    name: str = "like the towers"
    sites: int = 13
    years: int = 2
    error_memory: float = 0.87  # autocorrelation of the error from a day to the next
    error: float = 0.5  # of the median site, observations have standard deviation 1
    error_spread: float = 0.27  # standard deviation over sites of the logarithm of the error
    spread: float = 0.36  # and of that of the observation
    common: float = 0.0  # share of the error's variance that all sites have in common
    memory: float = 0.95  # autocorrelation of the observation's deviation from its season
    means: float = 1.0  # standard deviation over sites of the mean


WORLDS = (
    World(),
    World("6 sites", sites=6),
    World("40 sites", sites=40),
    World("one year", years=1),
    World("six years", years=6),
    World("errors that last (0.95)", error_memory=0.95),
    World("errors without memory", error_memory=0.0),
    World("sites alike", error_spread=0.03, spread=0.03, means=0.0),
    World("sites very unlike", error_spread=0.6),
    World("one site", sites=1),
    World("half of the error common to all sites", common=0.5),
)


PAIRED = ("like the towers", "6 sites", "40 sites", "sites alike", "sites very unlike", "one site")


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], memory: float) -> np.ndarray:
    """Unit variance, stationary from the first step on, along the last axis."""
    noise = rng.standard_normal(shape) * np.sqrt(1 - memory**2)
    noise[..., 0] /= np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], noise, axis=-1)


def simulate(world: World, rng: np.random.Generator, models: int = 1) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """Forecasts and observation (site, time); the models differ in their errors, not in how large these are."""
    days, sites = world.years * YEAR + LEAD, world.sites
    scale = np.exp(world.spread * rng.standard_normal((sites, 1)))
    season = np.cos(2 * np.pi * np.arange(days) / YEAR)
    part = np.sqrt(0.5) * autoregressive(rng, (sites, days), world.memory)
    means = 30 + world.means * rng.standard_normal((sites, 1))
    size = world.error * np.exp(world.error_spread * rng.standard_normal((sites, 1)))
    coords = {"site": np.arange(sites), "time": pd.date_range("2001-01-01", periods=days)}
    observed = xr.DataArray(means + scale * (season + part), coords, ("site", "time"), attrs={"units": "percent"})
    observed = observed.assign_coords(true_size=("site", size[:, 0]), true_scale=("site", scale[:, 0]))
    forecasts = {}
    for k in range(models):
        own = autoregressive(rng, (sites, days), world.error_memory)
        shared = autoregressive(rng, (1, days), world.error_memory)
        error = size * (np.sqrt(1 - world.common) * own + np.sqrt(world.common) * shared)
        forecasts[f"model {k}"] = (observed + error)[:, LEAD:]
    return forecasts, observed


def persistence_error(world: World) -> float:
    """Mean squared error of persistence for a site of scale 1, over whole years."""
    season = 1 - np.cos(2 * np.pi * LEAD / YEAR)
    return season + 2 * 0.5 * (1 - world.memory**LEAD)


def true_scores(error2: np.ndarray, scale2: np.ndarray, between: float, world: World) -> dict[str, np.ndarray]:
    """From the mean squared error and the variance (of which `between` is that of the means)."""
    variance = scale2 + between
    return {
        "rmse": np.sqrt(error2),
        "bias": 0 * error2,
        "nse": 1 - error2 / variance,
        "skill": 1 - error2 / (scale2 * persistence_error(world)),
        "correlation": np.sqrt(variance / (variance + error2)),
    }


def truths(world: World, observed: xr.DataArray) -> dict[str, dict[str, np.ndarray]]:
    """By site, of the median site, and pooled."""
    size, scale = (observed[name].values for name in ("true_size", "true_scale"))
    middle = np.array(world.error**2), np.array(1.0)
    pooled = middle[0] * np.exp(2 * world.error_spread**2), np.array(np.exp(2 * world.spread**2))
    if world.sites == 1:  # the interval is about this site
        return {name: true_scores(size**2, scale**2, 0.0, world) for name in ("site", "median", "pooled")}
    return {
        "site": true_scores(size**2, scale**2, 0.0, world),
        "median": true_scores(*middle, 0.0, world),
        "pooled": true_scores(*pooled, world.means**2, world),
    }


def holds(interval: xr.DataArray, truth: np.ndarray) -> np.ndarray:
    low, high = (interval.sel(bound=side).values for side in ("lower", "upper"))
    return (low <= truth) & (truth <= high)


def covered(world: World, repeats: int, seed: int = 0, **options: object) -> pd.DataFrame:
    """Share of intervals that hold the truth, scores in rows, site, median and pooled in columns."""
    rows = [_one_world(world, [seed, repeat], options) for repeat in range(repeats)]
    return sum(rows[1:], rows[0]) / repeats


def _one_world(world: World, seed: list[int], options: dict) -> pd.DataFrame:
    forecasts, observed = simulate(world, np.random.default_rng(seed))
    scores = verify(forecasts, observed, lead=LEAD, references="persistence", n_boot=N_BOOT, **options)
    scores = scores.isel(model=0, reference=0)
    known, found = truths(world, observed), {}
    for name in SCORES:
        found[name] = {"site": holds(scores[f"{name}_site_interval"], known["site"][name]).mean()}
        for summary in ("median", "pooled"):
            inside = holds(scores[f"{name}_interval"].sel(summary=summary), known[summary][name])
            found[name][summary] = float(inside.all())
    return pd.DataFrame(found).T


def false_alarms(world: World, repeats: int, seed: int = 1) -> dict[str, float]:
    """Share of p-values below 0.05 between two models of the same skill."""
    found = []
    for repeat in range(repeats):
        forecasts, observed = simulate(world, np.random.default_rng([seed, repeat]), models=2)
        table = compare_models(
            forecasts, observed, score="nse", baseline="model 0", lead=LEAD, references="persistence", n_boot=N_BOOT
        )
        found.append(table[table.model == "model 1"].set_index("summary").p_value < 0.05)
    return pd.DataFrame(found).mean().to_dict()


def simulate_spells(sites: int, rng: np.random.Generator) -> tuple[xr.DataArray, xr.DataArray]:
    """Forecast and observed occurrence in spells of ten days; detection differs between sites from 0.4 to 0.8.

    A single site is the mean one.
    """
    unlike = 1.0 if sites > 1 else 0.0
    seen = rng.random((sites, 73)) < 0.2
    part = rng.uniform(-1, 1, (2, sites, 1)) * unlike
    detected, alarmed = 0.6 + 0.2 * part[0], 0.06 + 0.04 * part[1]
    said = rng.random(seen.shape) < np.where(seen, detected, alarmed)
    flags = {"flag_values": [0, 1], "flag_meanings": "no_drought flash_condition"}
    days = (np.repeat(one, 10, axis=1).astype("int8") for one in (said, seen))
    forecast, observed = (xr.DataArray(one, dims=("site", "time"), attrs=flags) for one in days)
    return forecast, observed


def usual_ways(mse: np.ndarray, rng: np.random.Generator) -> dict[tuple[str, str], np.ndarray]:
    """Intervals of the RMSE, median and pooled, as they are usually made, from errors (site, block).

    Sites are drawn, and blocks within; "sites alone" draws no blocks.
    """
    sites, blocks = mse.shape
    whose = rng.integers(sites, size=(N_BOOT, sites))
    which = rng.integers(blocks, size=(N_BOOT, sites, blocks))
    nested, alone = mse[whose[..., None], which].mean(axis=-1), mse.mean(axis=1)[whose]
    found = {}
    for summary, over in (("median", np.median), ("pooled", np.mean)):
        value = np.sqrt(over(mse.mean(axis=1)))
        samples = np.sqrt(over(nested, axis=1))
        low, high = np.quantile(samples, [0.025, 0.975])
        found["percentile", summary] = np.array([low, high])
        found["basic", summary] = np.array([2 * value - high, 2 * value - low])
        found["percentile, sites alone", summary] = np.quantile(np.sqrt(over(alone, axis=1)), [0.025, 0.975])
        without = np.array([np.sqrt(over(np.delete(mse.mean(axis=1), k))) for k in range(sites)])
        found["BCa", summary] = bca(samples, value, without)
    return found


def bca(samples: np.ndarray, value: float, without: np.ndarray) -> np.ndarray:
    """Bias-corrected and accelerated interval (Efron 1987), from leaving out one site at a time."""
    bias = norm.ppf(np.clip((samples < value).mean(), 0.001, 0.999))
    distance = without.mean() - without
    acceleration = (distance**3).sum() / (6 * (distance**2).sum() ** 1.5)
    z = bias + norm.ppf([0.025, 0.975])
    return np.quantile(samples, norm.cdf(bias + z / (1 - acceleration * z)))


def usual_ways_as_markdown(repeats: int) -> Iterator[str]:
    worlds = [world for world in WORLDS if world.name in ("6 sites", "like the towers", "40 sites", "sites alike")]
    tables = {}
    for world in worlds:
        found = []
        for repeat in range(repeats):
            rng = np.random.default_rng([0, repeat])  # the data of the first table
            forecasts, observed = simulate(world, rng)
            error2 = ((forecasts["model 0"] - observed) ** 2).values
            mse = np.stack([part.mean(axis=1) for part in np.array_split(error2, 12, axis=1)], axis=1)
            truth = truths(world, observed)
            ways = usual_ways(mse, rng)
            found.append({key: low <= truth[key[1]]["rmse"] <= high for key, (low, high) in ways.items()})
        tables[world.name] = pd.DataFrame(found).mean()
    yield (
        "\nThe usual ways, for comparison: share of 95 % intervals of the RMSE that hold the true one, median / "
        "pooled, in per cent, on the data of the first table.\n"
    )
    yield f"| | {' | '.join(tables)} |\n|---|{'---|' * len(tables)}"
    for way in ("percentile", "percentile, sites alone", "basic", "BCa"):
        cells = [
            " / ".join(f"{100 * table[way, which]:.0f}" for which in ("median", "pooled")) for table in tables.values()
        ]
        yield f"| {way} | {' | '.join(cells)} |"


HITS, MISSES, FALSE_ALARMS = 0.2 * 0.6, 0.2 * 0.4, 0.8 * 0.06
TRUE_SPELLS = {
    "pod": HITS / (HITS + MISSES),
    "far": FALSE_ALARMS / (HITS + FALSE_ALARMS),
    "csi": HITS / (HITS + MISSES + FALSE_ALARMS),
    "f1": 2 * HITS / (2 * HITS + MISSES + FALSE_ALARMS),
    "frequency_bias": (HITS + FALSE_ALARMS) / (HITS + MISSES),
}


def covered_spells(sites: int, repeats: int, seed: int = 2) -> dict[str, float]:
    """Share of intervals of pooled scores of occurrences that hold the truth."""
    found = []
    for repeat in range(repeats):
        spells = simulate_spells(sites, np.random.default_rng([seed, repeat]))
        scores = occurrence_scores(*spells, event="flash_condition", n_boot=N_BOOT)
        found.append({name: bool(holds(scores[f"{name}_pooled_interval"], true)) for name, true in TRUE_SPELLS.items()})
    return pd.DataFrame(found).mean().to_dict()


def as_markdown(repeats: int) -> Iterator[str]:
    error = 100 * np.sqrt(0.95 * 0.05 / repeats)
    yield (
        f"Share of 95 % intervals that hold the true score, in per cent; {repeats} simulated data sets a row, so ±"
        f"{2 * error:.0f} is chance. Cells: site / median over sites / pooled.\n"
    )
    yield f"| | {' | '.join(SCORES)} |\n|---|{'---|' * len(SCORES)}"
    for world in WORLDS:
        table = covered(world, repeats)
        cells = [" / ".join(f"{100 * x:.0f}" for x in table.loc[name]) for name in SCORES]
        yield f"| {world.name} | {' | '.join(cells)} |"
    yield (
        "\nShare of p-values below 0.05 between two models of equal skill (NSE), in per cent; 5 is right, less is "
        "careful.\n\n| | median | pooled |\n|---|---|---|"
    )
    for world in (world for world in WORLDS if world.name in PAIRED):
        rate = false_alarms(world, repeats)
        yield f"| {world.name} | {100 * rate['median']:.1f} | {100 * rate['pooled']:.1f} |"
    yield from usual_ways_as_markdown(repeats)
    yield from spells_as_markdown(repeats)


def spells_as_markdown(repeats: int) -> Iterator[str]:
    yield (
        "\nShare of 95 % intervals of pooled scores of occurrences (`occurrence_scores(..., n_boot=...)`) that hold "
        "the true score, in per cent: two years in spells of ten days, of which one in five is dry.\n"
    )
    yield f"| | {' | '.join(TRUE_SPELLS)} |\n|---|{'---|' * len(TRUE_SPELLS)}"
    for sites in (1, 6, 13, 40):
        cells = [f"{100 * share:.0f}" for share in covered_spells(sites, repeats).values()]
        yield f"| {sites} site{'s' if sites > 1 else ''} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("docs/_include/bootstrap_coverage.md"))
    options = parser.parse_args()
    lines = []
    for line in as_markdown(options.repeats):
        print(line, flush=True)
        lines.append(line)
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
