"""How often is a trend found where there is none, while sites of other levels come and go? And a relation?

    python docs/studies/trend_calibration.py [--draws 2000] [--only trend|association] [--out docs/_include]

Simulated networks: every site has a level of its own and reports for some of the years; those that start later are
faster. No site changes, so each trend found is a false one; two numbers have nothing to do with one another, so each
relation is. Writes OUT/trend_calibration.md and OUT/association_calibration.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import linregress

from xdrought.statistics import correlation as kernel
from xdrought.statistics.bootstrap import bootstrap_weights
from xdrought.statistics.trends import linear_trend, rank_trend, year_tables

YEARS = 18  # as in the paper, 1997 to 2014


@dataclass(frozen=True)
class World:
    """A network of sites; spreads are in standard deviations of an event's own scatter, roughly."""

    sites: int = 60
    shared_years: float = 0.0  # what a year does to all sites
    own_trends: float = 0.0  # each site's own trend per year, zero on average
    normal: bool = False  # scatter of events; lognormal otherwise, as rates are


WORLDS = {
    "roster": World(),
    "roster, normal scatter": World(normal=True),
    "roster and shared years": World(shared_years=0.5),
    "roster and strongly shared years": World(shared_years=1.0),
    "roster and sites' own trends": World(own_trends=0.15),
    "all of these": World(shared_years=0.5, own_trends=0.15),
    "roster, 12 sites": World(sites=12),
    "roster and shared years, 12 sites": World(sites=12, shared_years=0.5),
    "roster and shared years, 150 sites": World(sites=150, shared_years=0.5),
}
Events = tuple[np.ndarray, np.ndarray, np.ndarray]


def events_of(world: World, rng: np.random.Generator, trend: float = 0.0) -> Events:
    """Site, year and number of each event; about 0.9 events a site and year, 3 to 18 years a site."""
    first = rng.integers(0, YEARS - 2, world.sites)
    last = np.minimum(YEARS, first + rng.integers(3, YEARS, world.sites))
    level = 3.0 * first / YEARS + rng.normal(0, 1, world.sites)  # who comes later is faster
    own, year_effect = rng.normal(0, world.own_trends, world.sites), rng.normal(0, world.shared_years, YEARS)
    years = np.arange(YEARS)
    reports = (years >= first[:, None]) & (years < last[:, None])
    number = np.where(reports, rng.poisson(0.9, reports.shape), 0)
    site, year = (np.repeat(index.ravel(), number.ravel()) for index in np.indices(number.shape))
    scatter = rng.normal(size=site.size) if world.normal else rng.lognormal(0, 0.7, site.size) - np.exp(0.245)
    return site, year, level[site] + (own[site] + trend) * (year - YEARS / 2) + year_effect[year] + scatter


def _linear(site: np.ndarray, year: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> bool:
    return linear_trend(*year_tables(site, year, value, (site.max() + 1, YEARS)), 0.95).p_value < 0.05


def _rank(site: np.ndarray, year: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> bool:
    return rank_trend(site, year, value, 0.95).p_value < 0.05


def _pooled(site: np.ndarray, year: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> bool:
    return linregress(year, value).pvalue < 0.05


def _yearly(site: np.ndarray, year: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> bool:
    """A regression of the mean of each year, as drawn in the paper's figure."""
    number = np.bincount(year, minlength=YEARS)
    mean = np.bincount(year, value, YEARS)[number > 0] / number[number > 0]
    return linregress(np.arange(YEARS)[number > 0], mean).pvalue < 0.05


def _site_bootstrap(site: np.ndarray, year: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> bool:
    """Site levels, and a 95 % interval from samples of sites."""
    number = np.maximum(np.bincount(site), 1)
    x, y = (v - (np.bincount(site, v) / number)[site] for v in (year.astype(float), value))
    up, down = np.bincount(site, x * y), np.bincount(site, x * x)
    drawn = rng.multinomial(up.size, np.full(up.size, 1 / up.size), 500)
    low, high = np.quantile((drawn @ up) / (drawn @ down), [0.025, 0.975])
    return not low <= 0 <= high


METHODS: dict[str, Callable[..., bool]] = {
    "linear": _linear,
    "rank": _rank,
    "bootstrap of sites": _site_bootstrap,
    "yearly means, one regression": _yearly,
    "all events, one regression": _pooled,
}


def false_rates(world: str, draws: int, seed: int, trend: float = 0.0) -> dict[str, float]:
    """Share of simulated networks in which each method finds a trend at the 5 % level."""
    rng = np.random.default_rng([seed, list(WORLDS).index(world)])
    found = dict.fromkeys(METHODS, 0)
    for _ in range(draws):
        events = events_of(WORLDS[world], rng, trend)
        for name, method in METHODS.items():
            found[name] += method(*events, rng)
    return {name: count / draws for name, count in found.items()}


def false_relations(world: str, draws: int, seed: int) -> dict[str, float]:
    """Share of simulated networks in which two unrelated numbers of events are called related within sites."""
    rng = np.random.default_rng([seed, list(WORLDS).index(world)])
    found = dict.fromkeys(("event_association", "bootstrap of sites", "events shuffled within sites"), 0)
    for _ in range(draws):
        site, year, first = events_of(WORLDS[world], rng)
        effects = rng.normal(0, 1, site.max() + 1)[site] + rng.normal(0, WORLDS[world].shared_years, YEARS)[year]
        second = effects + rng.lognormal(0, 0.7, site.size)
        site = np.unique(site, return_inverse=True)[1]
        a, b = kernel.ranks(first), kernel.ranks(second)
        found["event_association"] += kernel.association_within(a, b, site, year, 0.95).p_value < 0.05
        sums = kernel.demeaned_sums(kernel.site_sums(a, b, site))
        low, high = np.quantile(kernel.correlation(sums, bootstrap_weights(len(sums), 500, rng)), [0.025, 0.975])
        found["bootstrap of sites"] += not low <= 0 <= high
        a, b = kernel.demean_by_site(a, site), kernel.demean_by_site(b, site)
        drawn = np.abs([(a * b[kernel.permuted_within(site, rng)]).sum() for _ in range(59)])
        found["events shuffled within sites"] += (drawn >= abs((a * b).sum())).sum() < 3  # 3 of 60
    return {name: count / draws for name, count in found.items()}


def association_markdown(draws: int, command: str) -> str:
    names = list(false_relations("roster", 1, 0))
    lines = ["| simulated network, no relation | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for world in WORLDS:
        rates = false_relations(world, draws, seed=1)
        lines.append(f"| {world} | " + " | ".join(f"{100 * rate:.1f} %" for rate in rates.values()) + " |")
        print(lines[-1], flush=True)
    return "\n".join([*lines, "", f"{draws:,} networks a row, tests at the 5 % level. Command: `{command}`.", ""])


def as_markdown(draws: int, command: str) -> str:
    head = ["simulated network, no trend", "`linear` (default)", "`rank`", *list(METHODS)[2:]]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * len(METHODS)]
    for world in WORLDS:
        rates = false_rates(world, draws, seed=1)
        lines.append(f"| {world} | " + " | ".join(f"{100 * rate:.1f} %" for rate in rates.values()) + " |")
        print(lines[-1], flush=True)
    power = {
        world: false_rates(world, draws // 4, seed=2, trend=0.1) for world in ("roster", "roster and shared years")
    }
    lines += [
        "",
        "With a true trend of 0.1 a year the same tests find it in "
        + "; ".join(
            f"{100 * rates['linear']:.0f} % (`linear`) and {100 * rates['rank']:.0f} % (`rank`) of networks in "
            f'"{world}"'
            for world, rates in power.items()
        )
        + ".",
    ]
    error = 100 * np.sqrt(0.05 * 0.95 / draws)
    lines += [
        "",
        f"{draws:,} networks of {YEARS} years a row, tests at the 5 % level; by chance a rate of 5 % varies "
        f"by {error:.1f} % (one standard deviation). Command: `{command}`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--only", choices=["trend", "association"])
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    for name, make in {"trend": as_markdown, "association": association_markdown}.items():
        if options.only in (None, name):
            text = make(options.draws, f"python {' '.join(sys.argv)}")
            (options.out / f"{name}_calibration.md").write_text(text)


if __name__ == "__main__":
    main()
