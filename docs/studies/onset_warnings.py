"""Warnings of flash droughts at every real site: skill, reliability and alarms, at sites seen and not seen.

    python docs/studies/onset_warnings.py [--out docs/_include] [--networks uscrn fluxnet] [--n-boot 1000]
        [--parts warnings models] [--seeds 1]

Needs XDROUGHT_DATA_DIR. Everything is scored on the test part. Writes the tables and pictures of the page beside this
script, OUT/onset_warnings_*.md and *.png, and their numbers as OUT/onset_warnings_*.csv. The part "models" compares
boosting, logistic regression and the hazard network.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from real_sites import NETWORKS, read

import xdrought
from xdrought.plot import plot_reliability
from xdrought.plot.probabilities import plot_alarms

TARGET, P = "soil_moisture", "flash_onset_probability"
RAIN = {"fluxnet": "P_F", "uscrn": "P_DAILY_CALC"}
LEADS = [1, 3, 7]  # of the hazard network, from one fit
MODELS = {"boosting": "boosting", "logistic regression": "logistic", "hazard network": "hazard"}
HELD_OUT = 4  # every fourth site is held out, in turn
GOALS = {"uscrn": 0.38, "fluxnet": 0.18}


def configurations(network: str) -> dict[str, dict[str, Any]]:
    """What is fitted, by name; the first is the default."""
    rain, weather = [RAIN[network]], NETWORKS[network]
    return {
        "path": {"drivers": rain},
        "event": {"drivers": rain, "label": "event"},
        "path, logistic regression": {"drivers": rain, "model": "logistic"},
        "path, not calibrated": {"drivers": rain, "calibrate": False},
        "path, day-of-year percentiles": {"drivers": rain, "pool": "dayofyear", "window": 15},
        "path, no weather": {"drivers": []},
        "path, rain of the lead days observed": {"drivers": rain, "future": rain, "forcing": "observed"},
        "path, all weather": {"drivers": weather},
    }


def label_of(ds: xr.Dataset, options: dict[str, Any], train: xr.DataArray) -> xr.DataArray:
    chosen = {name: options[name] for name in ("label", "pool", "window") if name in options}
    return xdrought.onset_label(ds[TARGET], train=train, **chosen)


def at_seen_sites(ds: xr.Dataset, options: dict[str, Any]) -> tuple[xdrought.OnsetModel, xr.Dataset]:
    """Trained on every site's training days."""
    onset = xdrought.fit_onset(ds, TARGET, **options)
    return onset, xdrought.predict_onset(ds, onset, forcing=options.get("forcing"))


def at_unseen_sites(ds: xr.Dataset, options: dict[str, Any], seen: xr.Dataset, train: xr.DataArray) -> xr.Dataset:
    """Every site predicted by a model that has not seen it; the season is still the site's own."""
    parts = []
    for k in range(HELD_OUT):
        held = np.arange(ds.sizes["site"]) % HELD_OUT == k
        onset = xdrought.fit_onset(ds.isel(site=~held), TARGET, **options)
        parts.append(xdrought.predict_onset(ds.isel(site=held), onset, train=train.isel(site=held)))
    found = xr.concat(parts, "site").sel(site=ds.site)
    return found.assign(season_frequency=seen.season_frequency, part=seen.part)


def skill_row(name: str, network: str, skill: xr.Dataset) -> dict[str, Any]:
    """One line of the table of skills."""
    one, table = skill.sel(forecast=P), skill.sel(forecast="percentile_frequency")
    many = skill.n_in_bin > 200
    gap = abs(skill.mean_probability - skill.observed_frequency).where(many)
    return {
        "network": network,
        "forecast": name,
        "sites": int(skill.n_sites),
        "days": int(skill.n_days),
        "base_rate": float(skill.base_rate),
        "auc": float(one.auc),
        "skill": float(one.brier_skill),
        "lower": float(one.brier_skill_interval[0]),
        "upper": float(one.brier_skill_interval[1]),
        "table": float(table.brier_skill),
        "ahead_of_table": float(table.skill_behind),
        "ahead_lower": float(table.skill_behind_interval[0]),
        "ahead_upper": float(table.skill_behind_interval[1]),
        "largest_gap": float(gap.max()),
        "bins": int(many.sum()),
    }


def rule_of_thumb(state: xr.Dataset) -> xr.DataArray:
    """1 below the 40th percentile and falling by a percentile a day over a week, else 0."""
    yes = (state.percentile < 40) & (state.percentile_change_7 <= -7)
    return yes.astype(float).where(state.percentile.notnull())


def alarm_row(name: str, network: str, found: xr.Dataset, strict: xr.Dataset) -> dict[str, Any]:
    """One line of the table of alarms."""
    return {
        "network": network,
        "alarms": name,
        "threshold": float(found.threshold),
        "starts": int(found.n_starts),
        "site_years": float(found.site_years),
        "pod": float(found.pod),
        "pod_lower": float(found.pod_interval[0]),
        "pod_upper": float(found.pod_interval[1]),
        "false_alarms": float(found.false_alarms_per_year),
        "false_lower": float(found.false_alarms_per_year_interval[0]),
        "false_upper": float(found.false_alarms_per_year_interval[1]),
        "three_days_ahead": float(found.share_of_hits.sel(days_ahead=3)),
        "strict_false_alarms": float(strict.false_alarms_per_year),
        "value": {float(r): float(v) for r, v in zip(found.cost_loss_ratio, found.value, strict=True)},
    }


class Study:
    """The rows found so far; the tables are written again after each, so that a stopped run leaves what it found."""

    def __init__(self, n_boot: int, out: Path):
        self.n_boot, self.out = n_boot, out
        self.rows: dict[str, list[dict[str, Any]]] = {"skills": [], "alarms": [], "bins": []}

    def add(self, kind: str, *rows: dict[str, Any]) -> None:
        self.rows[kind] += rows
        print(pd.DataFrame(rows).round(3).to_string(), flush=True)
        tables = {name: pd.DataFrame(found) for name, found in self.rows.items() if found}
        for name, table in tables.items():
            table.to_csv(self.out / f"onset_warnings_{name}.csv", index=False, float_format="%.4f")
        write_tables(tables, self.out)

    def main_rows(self, network: str, ds: xr.Dataset) -> None:
        """The default, at seen and unseen sites, with its reliability and its alarms."""
        options = configurations(network)["path"]
        onset, seen = at_seen_sites(ds, options)
        train = onset.splits.training_days(ds.time)
        begins = label_of(ds, options, train)
        skill = xdrought.onset_skill(seen, begins, n_boot=self.n_boot)
        self.add("skills", skill_row("path", network, skill))
        bins = skill[["bin_start", "mean_probability", "observed_frequency", "n_in_bin"]].to_dataframe()
        self.add("bins", *bins.assign(network=network).to_dict("records"))
        self.alarm_rows(network, ds, train, seen, skill)
        unseen = at_unseen_sites(ds, options, seen, train)
        found = xdrought.onset_skill(unseen, begins, n_boot=self.n_boot)
        self.add("skills", skill_row("path, unseen sites", network, found))
        starts = xdrought.onset_days(ds[TARGET], label="event", train=train)
        self.add("alarms", self.alarms_of("path, unseen sites", network, unseen, starts))

    def alarm_rows(
        self, network: str, ds: xr.Dataset, train: xr.DataArray, seen: xr.Dataset, skill: xr.Dataset
    ) -> None:
        """Alarms of the default, of a rule of thumb, and the value of the season."""
        starts = xdrought.onset_days(ds[TARGET], label="event", train=train)
        self.add("alarms", self.alarms_of("path", network, seen, starts))
        found = xdrought.alarms(seen, starts, n_boot=0)
        draw(seen, found, skill, self.out / f"onset_warnings_{network}.png")
        thumb = seen.assign({P: rule_of_thumb(xdrought.drought_state(ds[TARGET], train=train))})
        name = "below the 40th, falling 1 a day"
        self.add("alarms", self.alarms_of(name, network, thumb, starts, threshold=0.5))
        name = "season (for its value)"
        self.add("alarms", self.alarms_of(name, network, seen, starts, threshold=0.5, variable="season_frequency"))

    def alarms_of(
        self, name: str, network: str, prediction: xr.Dataset, starts: xr.DataArray, **options: Any
    ) -> dict[str, Any]:
        """One line, with the same alarms counted by the week."""
        found = xdrought.alarms(prediction, starts, n_boot=self.n_boot, **options)
        same = {**options, "threshold": float(found.threshold), "repeat_after": 7, "n_boot": 0, "cost_loss_ratio": ()}
        return alarm_row(name, network, found, xdrought.alarms(prediction, starts, **same))

    def other_row(self, network: str, ds: xr.Dataset, name: str) -> None:
        """Another configuration, at the sites it was trained on."""
        options = configurations(network)[name]
        onset, seen = at_seen_sites(ds, options)
        begins = label_of(ds, options, onset.splits.training_days(ds.time))
        self.add("skills", skill_row(name, network, xdrought.onset_skill(seen, begins, n_boot=self.n_boot)))

    def unseen_event_row(self, network: str, ds: xr.Dataset) -> None:
        options = configurations(network)["event"]
        onset, seen = at_seen_sites(ds, options)
        train = onset.splits.training_days(ds.time)
        unseen = at_unseen_sites(ds, options, seen, train)
        skill = xdrought.onset_skill(unseen, label_of(ds, options, train), n_boot=self.n_boot)
        self.add("skills", skill_row("event, unseen sites", network, skill))


class Comparison:
    """Boosting, logistic regression and the hazard network on the same days, and the table found so far."""

    def __init__(self, n_boot: int, out: Path, seeds: int):
        self.n_boot, self.out, self.seeds = n_boot, out, seeds
        self.rows: list[dict[str, Any]] = []

    def rows_of(self, network: str, ds: xr.Dataset) -> None:
        """The rows of a network of sites: seen, then held out; the season is still the site's own."""
        seen: dict[str, xr.Dataset] = {}
        for name, model in MODELS.items():
            for seed in range(self.seeds if model == "hazard" else 1):
                onset, found = at_seen_sites(ds, self.options(network, model, seed))
                seen.setdefault(name, found)
                train = onset.splits.training_days(ds.time)
                self.add(network, "seen sites", name, seed, ds, found, seen["boosting"], train)
        unseen: dict[str, xr.Dataset] = {}
        for name, model in MODELS.items():
            unseen[name] = at_unseen_sites(ds, self.options(network, model, 0), seen[name], train)
            self.add(network, "unseen sites", name, 0, ds, unseen[name], unseen["boosting"], train)

    def options(self, network: str, model: str, seed: int) -> dict[str, Any]:
        asked = {"lead": LEADS} if model == "hazard" else {}
        return {"drivers": [RAIN[network]], "model": model, "seed": seed} | asked

    def add(
        self,
        network: str,
        sites: str,
        name: str,
        seed: int,
        ds: xr.Dataset,
        found: xr.Dataset,
        boosted: xr.Dataset,
        train: xr.DataArray,
    ) -> None:
        """A row for each lead; that of seven days also beside boosting."""
        for lead in LEADS if "lead_time" in found.dims else [7]:
            one = found.sel(lead_time=np.timedelta64(lead, "D")) if "lead_time" in found.dims else found
            begins = xdrought.onset_label(ds[TARGET], lead=lead, train=train)
            row = skill_row(name, network, xdrought.onset_skill(one, begins, n_boot=self.n_boot))
            row |= {"where": sites, "seed": seed, "lead": lead}
            if lead == 7 and name != "boosting":
                beside = one.assign(percentile_frequency=boosted[P])
                found_beside = xdrought.onset_skill(beside, begins, n_boot=self.n_boot).sel(
                    forecast="percentile_frequency"
                )
                row["behind"] = float(found_beside.skill_behind)
                row["behind_lower"], row["behind_upper"] = found_beside.skill_behind_interval.values.tolist()
            self.rows.append(row)
        table = pd.DataFrame(self.rows)
        table.to_csv(self.out / "onset_warnings_models.csv", index=False, float_format="%.4f")
        for one, rows in table.groupby("network"):
            (self.out / f"onset_warnings_models_{one}.md").write_text("\n".join(model_table(rows)) + "\n")
        print(table[table.forecast == name].tail(3).round(3).to_string(), flush=True)


def model_table(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| model | sites | within | AUC | Brier skill (95 %) | minus boosting (95 %) | gap |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    several = rows.seed.max() > 0
    for row in rows.to_dict("records"):
        name = row["forecast"] + (f", seed {row['seed']}" if several and row["forecast"] == "hazard network" else "")
        beside = ""
        if np.isfinite(row.get("behind", np.nan)):
            beside = f"{row['behind']:+.3f} ({row['behind_lower']:+.3f} to {row['behind_upper']:+.3f})"
        lines.append(
            f"| {name} | {row['where'].removesuffix(' sites')} | {row['lead']} d | {row['auc']:.3f} | "
            f"{row['skill']:+.3f} ({row['lower']:+.3f} to {row['upper']:+.3f}) | {beside} | {row['largest_gap']:.3f} |"
        )
    return lines


def draw(prediction: xr.Dataset, found: xr.Dataset, skill: xr.Dataset, path: Path) -> None:
    """Reliability, and the alarms of the site with the most starts."""
    sites, counts = np.unique(found.start_site, return_counts=True)
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), width_ratios=(1, 1.9), layout="constrained")
    plot_reliability({"onset within 7 days": skill}, ax=axes[0])
    plot_alarms(prediction, found, site=sites[counts.argmax()], ax=axes[1])
    figure.savefig(path, dpi=130)
    plt.close(figure)


def skill_table(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| forecast | sites, days | base rate | AUC | Brier skill (95 %) | by percentile | ahead of it (95 %) | gap |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.forecast} | {row.sites}, {row.days:,} | {row.base_rate:.3f} | {row.auc:.3f} | {row.skill:+.3f} "
            f"({row.lower:+.3f} to {row.upper:+.3f}) | {row.table:+.3f} | {row.ahead_of_table:+.3f} "
            f"({row.ahead_lower:+.3f} to {row.ahead_upper:+.3f}) | {row.largest_gap:.3f} |"
        )
    return lines


def alarm_table(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| alarms | threshold | announced (95 %) | false alarms a site and year (95 %) | by the week | 3 days ahead |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows.itertuples():
        lines.append(
            f"| {row.alarms} | {row.threshold:.2f} | {row.pod:.2f} ({row.pod_lower:.2f} to {row.pod_upper:.2f}) of "
            f"{row.starts} | {row.false_alarms:.2f} ({row.false_lower:.2f} to {row.false_upper:.2f}) | "
            f"{row.strict_false_alarms:.2f} | {row.three_days_ahead:.0%} |"
        )
    return lines


def value_table(rows: pd.DataFrame) -> list[str]:
    ratios = list(rows.iloc[0]["value"])
    lines = ["| warnings | " + " | ".join(f"{ratio:g}" for ratio in ratios) + " |", "|---|" + "---:|" * len(ratios)]
    for row in rows.to_dict("records"):
        if row["alarms"] in ("path", "path, unseen sites", "season (for its value)"):
            name = row["alarms"].removesuffix(" (for its value)")
            lines.append(f"| {name} | " + " | ".join(f"{row['value'][ratio]:.2f}" for ratio in ratios) + " |")
    return lines


def verdicts(skills: pd.DataFrame, warned: pd.DataFrame) -> list[str]:
    """What was aimed at, and whether it was reached."""
    lines = ["| aim | found | |", "|---|---|---|"]

    def say(aim: str, found: str, reached: bool) -> None:
        lines.append(f"| {aim} | {found} | {'reached' if reached else '**missed**'} |")

    for network, goal in GOALS.items():
        rows = skills[skills.network == network].set_index("forecast")
        for name in ("path", "path, unseen sites"):
            if name in rows.index:
                row, where = rows.loc[name], f"{network.upper()}, {name}"
                say(f"{where}: Brier skill at least {goal:+.2f}", f"{row.skill:+.3f}", row.skill >= goal)
                say(f"{where}: ahead of today's percentile", f"{row.ahead_lower:+.3f} or more", row.ahead_lower > 0)
        if "path" in rows.index:
            gap = rows.loc["path", "largest_gap"]
            say(f"{network.upper()}: within 0.05 in every bin of more than 200 days", f"{gap:.3f}", gap <= 0.05)
    rows = warned[(warned.network == "uscrn") & (warned.alarms == "path")]
    for row in rows.itertuples():
        say("USCRN: announces 0.75 of the droughts", f"{row.pod:.2f}", row.pod >= 0.75)
        say("USCRN: at most 2 false alarms a year", f"{row.false_alarms:.2f}", row.false_alarms <= 2)
        say("USCRN: two thirds of them three days ahead", f"{row.three_days_ahead:.2f}", row.three_days_ahead >= 2 / 3)
    return lines


def bin_table(rows: pd.DataFrame) -> list[str]:
    lines = ["| probability from | mean | came true | days |", "|---:|---:|---:|---:|"]
    for row in rows.itertuples():
        lines.append(
            f"| {row.bin_start:.2f} | {row.mean_probability:.3f} | {row.observed_frequency:.3f} | {row.n_in_bin:,} |"
        )
    return lines


def write_tables(tables: dict[str, pd.DataFrame], out: Path) -> None:
    """The tables that the page includes."""
    if len(tables) < 3:
        return
    skills, warned, bins = tables["skills"], tables["alarms"], tables["bins"]
    pieces = {"verdict": verdicts(skills, warned)}
    for network in skills.network.unique():
        skill, alarm, row = (one[one.network == network] for one in (skills, warned, bins))
        pieces[f"skill_{network}"] = skill_table(skill)
        pieces[f"reliability_{network}"] = bin_table(row)
        if len(alarm):
            pieces[f"alarms_{network}"] = alarm_table(alarm[~alarm.alarms.str.startswith("season")])
            pieces[f"value_{network}"] = value_table(alarm)
    for name, lines in pieces.items():
        (out / f"onset_warnings_{name}.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    parser.add_argument("--networks", nargs="+", choices=sorted(NETWORKS), default=["uscrn", "fluxnet"])
    parser.add_argument("--n-boot", type=int, default=1000)
    parser.add_argument("--parts", nargs="+", choices=["warnings", "models"], default=["warnings", "models"])
    parser.add_argument("--seeds", type=int, default=1, help="of the hazard network at the sites it was trained on")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = {network: read(network) for network in options.networks}
    if "warnings" in options.parts:
        warnings(Study(options.n_boot, options.out), data)
    if "models" in options.parts:
        comparison = Comparison(options.n_boot, options.out, options.seeds)
        for network, ds in data.items():
            comparison.rows_of(network, ds)


def warnings(study: Study, data: dict[str, xr.Dataset]) -> None:
    """Everything about the default, and other configurations beside it."""
    for network, ds in data.items():
        study.main_rows(network, ds)
    names = list(configurations("uscrn"))[1:]
    for name in names:
        for network, ds in data.items():
            study.other_row(network, ds, name)
    for network, ds in data.items():
        study.unseen_event_row(network, ds)


if __name__ == "__main__":
    main()
