"""Explanations of forecasts of real stations: degree and skill, trends, complexity, synchrony; do they hold.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/explanations_real.py [--epochs 6] [--runs 1]
        [--only PART] [--out DIR]

Needs the USCRN and FLUXNET2015 files of the data folder. One cell a station (there are no maps), CauRec of small width,
one run. Writes DIR/explanations_*.png and DIR/explanations_*.md with the numbers.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr

import xdrought
from xdrought.attribution import deletion_curve, drought_complexity, event_importance, weight_randomisation
from xdrought.data import open_dataset, screen_sites
from xdrought.plot import (
    plot_coincidence,
    plot_coupling,
    plot_deletion,
    plot_event_association,
    plot_onset_trend,
    plot_skill_by_degree,
    plot_synchrony,
    plot_weight_randomisation,
)
from xdrought.study import (
    coupling_strength,
    event_association,
    onset_coincidence,
    onset_error,
    onset_trend,
    site_synchrony,
    skill_by_degree,
)

TARGET, LEAD = "soil_moisture", 7
NETWORKS = {
    "uscrn": ["T_DAILY_MAX", "T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY", "RH_DAILY_AVG", "soil_temperature"],
    "fluxnet": ["TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature"],
}


@dataclass(frozen=True, eq=False)
class Explained:
    """One network of stations: events, a trained forecaster and what follows from it, each made once."""

    network: str
    epochs: int
    runs: int

    @cached_property
    def ds(self) -> xr.Dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files without soil moisture
            kept, _ = screen_sites(open_dataset(self.network), max_gap=10)
        return kept[[TARGET, *NETWORKS[self.network]]].transpose("site", "time").compute()

    @cached_property
    def events(self) -> xr.Dataset:
        return xdrought.flash_drought_events(self.ds[TARGET])

    @cached_property
    def forecaster(self) -> xdrought.Forecaster:
        return xdrought.fit_resattcaurec(
            self.ds,
            TARGET,
            NETWORKS[self.network],
            variant="CauRec",
            size=1,
            lead=LEAD,
            widths=(16, 32),
            epochs=self.epochs,
            runs=self.runs,
            batch_size=256,
            learning_rate=2e-3,
            device="cpu",
            progress=False,
        )

    @cached_property
    def forecast(self) -> xr.DataArray:
        return xdrought.predict(self.ds, self.forecaster, device="cpu")[TARGET]

    @cached_property
    def scores(self) -> xr.Dataset:
        tested = self.forecast.where(self.part("test"))
        train = self.forecaster.splits.training_days(self.ds.time).drop_vars("part", errors="ignore")
        return xdrought.verify(tested, self.ds[TARGET], lead=LEAD, train=train, n_boot=1)

    def part(self, name: str) -> xr.DataArray:
        return self.forecaster.splits.mask(name, self.forecast.time).drop_vars("part", errors="ignore")

    @cached_property
    def shares(self) -> xr.Dataset:
        onsets = xdrought.drought_classes(self.ds[TARGET]).isin([1, 3])
        return xdrought.attributions(
            self.ds, self.forecaster, where=onsets, n_background=40, n_draws=80, device="cpu", progress=False
        )

    @cached_property
    def complexity(self) -> xr.DataArray:
        return drought_complexity(self.shares, self.events)

    @property
    def rate(self) -> xr.DataArray:
        return self.events.intensification_rate.assign_attrs(long_name="intensification rate")

    @cached_property
    def not_trained(self) -> xr.DataArray:
        """Forecasts of days that the network was not trained on."""
        return self.forecast.where(self.part("val") | self.part("test"))


def save(figure: object, out: Path, name: str) -> None:
    figure.savefig(out / f"explanations_{name}.png", dpi=150)
    plt.close(figure)


def interval(found: xr.Dataset, name: str, ends: tuple[str, str], digits: int = 2) -> str:
    values = [float(found[key]) for key in (name, *ends)]
    return "{:+.{d}f} [{:+.{d}f}, {:+.{d}f}]".format(*values, d=digits)


def small(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def degree(one: Explained, out: Path) -> list[str]:
    """Figure 5 and what persistence does."""
    nse = one.scores.nse
    relation = skill_by_degree(one.forecaster.causality, nse.sel(model="forecast"))
    persistence = skill_by_degree(one.forecaster.causality, nse.sel(model="persistence"))
    coupling = coupling_strength(relation, event_importance(one.shares, one.events))
    first = coupling.sortby("importance", ascending=False)["variable"].values[:4]
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 5.6), layout="constrained")
    for ax, name in zip(axes.ravel(), [*first, "all drivers"], strict=False):
        plot_skill_by_degree(relation, str(name), ax=ax)
    plot_coupling(coupling, ax=axes[1, 2])
    save(figure, out, "degree")
    lines = [
        "| driver | ρ of degree and NSE | p | p, adjusted | ρ of degree and NSE of persistence |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in relation["variable"].values:
        row, other = relation.sel(variable=name), persistence.sel(variable=name)
        lines.append(
            f"| {name} | {interval(row, 'spearman', ('lower', 'upper'))} | {small(float(row.p_value))} | "
            f"{small(float(row.p_value_adjusted))} | {interval(other, 'spearman', ('lower', 'upper'))} |"
        )
    said = (
        f"Median NSE over {relation.sizes['site']} stations: {float(nse.sel(model='forecast').median()):.2f} "
        f"(network), {float(nse.sel(model='persistence').median()):.2f} (persistence). Importance and strength of the "
        f"relation: rank correlation {float(coupling.rank_correlation):.2f}, p = {float(coupling.rank_p_value):.2f}."
    )
    return [*lines, "", said, ""]


def trends(one: Explained, towers: Explained, out: Path) -> list[str]:
    """Figure 7a: rates of both networks, complexity of one."""
    cases = {
        f"rate, {one.network.upper()}": (one.rate, one.events),
        f"rate, {towers.network.upper()}": (towers.rate, towers.events),
        f"complexity, {one.network.upper()}": (one.complexity, one.events),
    }
    figure, axes = plt.subplots(1, 3, figsize=(12.6, 3.4), layout="constrained")
    lines = [
        "| trend a year | within sites | p | rank method | p | all events together | p |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for ax, (name, (values, events)) in zip(axes, cases.items(), strict=True):
        linear, rank = (onset_trend(values, events, method=method) for method in ("linear", "rank"))
        plot_onset_trend(linear, title=name, legend=ax is axes[1], ax=ax)
        lines.append(
            f"| {name} | {interval(linear, 'slope', ('lower', 'upper'), 3)} | {float(linear.p_value):.2f} | "
            f"{interval(rank, 'slope', ('lower', 'upper'), 3)} | {float(rank.p_value):.2f} | "
            f"{float(linear.naive_slope):+.3f} | {small(float(linear.naive_p_value))} |"
        )
    save(figure, out, "trends")
    return [*lines, ""]


def numbers_of_events(one: Explained, out: Path) -> list[str]:
    """Figures 7b and 7d, and two controls."""
    observed, events = one.ds[TARGET], one.events
    error = onset_error(one.not_trained, observed, events)
    held = observed.shift(time=LEAD).where(one.not_trained.notnull())
    usual = xr.full_like(observed, float(one.shares.base_value.mean()))
    departure = onset_error(one.forecast, usual, events)
    pairs = {
        "error against complexity (7b)": (one.complexity, error),
        "error of persistence against complexity": (one.complexity, onset_error(held, observed, events)),
        "forecast less the usual forecast, against complexity": (one.complexity, departure),
        "complexity against rate (7d)": (one.rate, one.complexity),
    }
    found = {name: event_association(x, y, events) for name, (x, y) in pairs.items()}
    figure, axes = plt.subplots(1, 4, figsize=(13.2, 3.3), layout="constrained")
    first, last = list(found.values())[0], list(found.values())[-1]
    plot_event_association(first, ax=axes[0])
    plot_event_association(first, within=False, ax=axes[1])
    plot_event_association(last, ax=axes[2])
    plot_event_association(last, within=False, ax=axes[3])
    save(figure, out, "events")
    lines = ["| pair | ρ within stations | p | ρ of all events | events |", "|---|---:|---:|---:|---:|"]
    for name, one_pair in found.items():
        within = interval(one_pair, "spearman", ("spearman_lower", "spearman_upper"))
        pooled = interval(one_pair, "pooled_spearman", ("pooled_spearman_lower", "pooled_spearman_upper"))
        lines.append(f"| {name} | {within} | {small(float(one_pair.p_value))} | {pooled} | {one_pair.sizes['event']} |")
    return [*lines, ""]


def synchrony(one: Explained, out: Path) -> list[str]:
    """Figure 7c."""
    found = site_synchrony(one.rate, one.complexity, one.events)
    save(plot_synchrony(found).figure, out, "synchrony")
    share, low, high, chance = (100 * float(found[name]) for name in ("share", "lower", "upper", "chance_share"))
    text = (
        f"Rate and complexity rise together at {share:.0f} % [{low:.0f} %, {high:.0f} %] of "
        f"{int(found.spearman.notnull().sum())} stations with five events or more; by chance {chance:.0f} %, "
        f"p = {float(found.share_p_value):.3f}."
    )
    return [text, ""]


def coincidence(one: Explained, out: Path) -> list[str]:
    """Which stations' droughts set in together."""
    found = onset_coincidence(one.events, one.ds[TARGET])
    save(plot_coincidence(found).figure, out, "coincidence")
    rate, expected = (100 * float(found[f"network_{name}"]) for name in ("rate", "expected"))
    sure = int((found.p_value_adjusted < 0.05).sum())
    text = (
        f"{rate:.0f} % of droughts set in within 15 days of one at another station, in the mean over pairs; with years "
        f"shifted {expected:.0f} %, p {small(float(found.network_p_value))}. Above that after adjustment: {sure} of "
        f"{found.sizes['site']} stations."
    )
    return [text, ""]


def sanity(one: Explained, out: Path) -> list[str]:
    """Deletion curves and randomised weights on onset days."""
    where = one.shares.prediction.notnull()
    where = where.isel(run=0, drop=True) if "run" in where.dims else where
    first = dataclasses.replace(one.forecaster, weights=one.forecaster.weights[:1])
    curves = deletion_curve(one.ds, first, where=where, n_windows=200, device="cpu")
    similarity = weight_randomisation(
        one.ds, first, where=where, n_windows=60, n_background=40, n_draws=80, randomisations=3, device="cpu"
    )
    figure, axes = plt.subplots(1, 2, figsize=(7.8, 3.4), layout="constrained")
    plot_deletion(curves, ax=axes[0])
    plot_weight_randomisation(similarity, ax=axes[1])
    save(figure, out, "sanity")
    area = {str(name): float(curves.area.sel(order=name)) for name in curves.order.values}
    mean, gain = similarity.mean("randomisation"), interval(curves, "advantage", ("lower", "upper"))
    text = (
        f"Area under the deletion curve: largest first {area['largest first']:.2f}, random {area['random']:.2f}, "
        f"smallest first {area['smallest first']:.2f}; largest less random {gain}. "
        f"Rank correlation of attributions with themselves at other draws {float(mean.signed_similarity[0]):.2f}, with "
        f"those of a wholly untrained network {float(mean.signed_similarity[-1]):.2f}; of absolute attributions "
        f"{float(mean.similarity[0]):.2f} and {float(mean.similarity[-1]):.2f}."
    )
    return [text, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", help="one of the parts, e.g. trends")
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    stations, towers = (Explained(name, options.epochs, options.runs) for name in ("uscrn", "fluxnet"))
    parts = {
        "degree": lambda: degree(stations, options.out),
        "trends": lambda: trends(stations, towers, options.out),
        "events": lambda: numbers_of_events(stations, options.out),
        "synchrony": lambda: synchrony(stations, options.out),
        "coincidence": lambda: coincidence(stations, options.out),
        "sanity": lambda: sanity(stations, options.out),
    }
    for name, make in parts.items():
        if options.only not in (None, name):
            continue
        lines = make()
        (options.out / f"explanations_{name}.md").write_text("\n".join(lines))
        print("\n".join(lines), f"({time.process_time():.0f} s of CPU)", flush=True)
    if options.only is not None:
        return
    count, runs = int(np.isfinite(stations.complexity).sum()), f"{options.runs} run{'s' * (options.runs > 1)}"
    (options.out / "explanations_setting.md").write_text(
        f"{stations.ds.sizes['site']} USCRN stations, {stations.events.sizes['event']} droughts, {count} of them with "
        f"an explained onset; CauRec of widths (16, 32), one cell, {runs}, {options.epochs} epochs; "
        f"{towers.ds.sizes['site']} FLUXNET2015 towers with {towers.events.sizes['event']} droughts for the trend of "
        f"rates. xdrought {version('xdrought')}, torch {version('torch')}, {time.process_time():.0f} s of "
        f"CPU; command: `python {' '.join(sys.argv)}`.\n"
    )


if __name__ == "__main__":
    main()
