"""Is the simulated world like the real one? A table and a figure that put both side by side.

    python docs/studies/twin_realism.py [--data DIR] [--out DIR] [--sites 24] [--years 10] [--seed 0]

Real sites are the FLUXNET2015 files of DIR/fluxnet2015 (default: $XDROUGHT_DATA_DIR). Writes twin_realism.md,
twin_realism.csv and twin_realism.png to --out, and ends with an error when the median of the simulated sites is outside
the range of the real ones, or more than a third of the simulated sites are. (Of n real sites drawn alike, a further
one is outside their range with chance 2 / (n + 1): one in six for eleven.)
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import flash_drought_events
from xdrought.data.fluxnet import open_fluxnet
from xdrought.simulation.twin import respond, simulate

LONG_ENOUGH = 2 * 365  # days with soil moisture
DRY = 1.0  # mm
STATISTICS = {
    "ac1": "autocorrelation of soil moisture, 1 day",
    "ac7": "autocorrelation of soil moisture, 7 days",
    "ac30": "autocorrelation of soil moisture, 30 days",
    "seasonal": "seasonal cycle's share of variance",
    "sd": "standard deviation of soil moisture (m3 m-3)",
    "dry_days": "share of days with less than 1 mm",
    "rain": "precipitation (mm a-1)",
    "events": "tang2025 events per site-year",
    "flash": "share of flash droughts among them",
    "duration": "mean duration of an event (days)",
}


def seasonal_share(values: pd.Series) -> float:
    """Share of the variance that two harmonics of the year explain."""
    valid = values.dropna()
    turn = 2 * np.pi * valid.index.day_of_year.to_numpy() / 365.25
    design = np.stack([np.ones_like(turn), *(f(k * turn) for k in (1, 2) for f in (np.cos, np.sin))], axis=1)
    fit = design @ np.linalg.lstsq(design, valid.to_numpy(), rcond=None)[0]
    return 1.0 - float((valid - fit).var() / valid.var())


def describe(moisture: xr.DataArray, rain: xr.DataArray) -> dict[str, float]:
    """The statistics of one site; soil moisture in m3 m-3, rain in mm d-1, both on (time)."""
    series = moisture.to_series()
    series = series.loc[series.first_valid_index() : series.last_valid_index()]
    wet = rain.to_series().reindex(series.index)
    events = flash_drought_events(moisture.sel(time=slice(series.index[0], series.index[-1])))
    return {
        **{f"ac{lag}": series.autocorr(lag) for lag in (1, 7, 30)},
        "seasonal": seasonal_share(series),
        "sd": series.std(),
        "dry_days": float((wet.dropna() < DRY).mean()),
        "rain": 365.25 * wet.mean(),
        "events": events.sizes["event"] / (series.notna().sum() / 365.25),
        "flash": float(events["is_flash"].mean()),
        "duration": float(events["duration"].mean()),
    }


def real_sites(folder: Path) -> pd.DataFrame:
    ds = open_fluxnet(folder)
    rows = {}
    for site in ds["site"].values:
        one = ds.sel(site=site)
        if one["igbp"].item() != "WET" and int(one["soil_moisture"].notnull().sum()) >= LONG_ENOUGH:
            rows[str(site)] = describe((one["soil_moisture"] / 100.0).assign_attrs(units="m3 m-3"), one["P_F"])
    return pd.DataFrame(rows).T


def simulated_sites(n_sites: int, n_days: int, seed: int) -> pd.DataFrame:
    ds = simulate(n_sites, n_days, size=2, seed=seed)
    rain = respond(ds)["rain"]
    rows = {}
    for k, site in enumerate(ds["site"].values):
        rows[str(site)] = describe(ds["soil_moisture"].isel(site=k, drop=True), rain.isel(site=k, drop=True))
    return pd.DataFrame(rows).T


def compare(real: pd.DataFrame, twin: pd.DataFrame) -> pd.DataFrame:
    """One row a statistic: median and range of both, and the share of twin sites inside the real range."""
    inside = (twin >= real.min()) & (twin <= real.max())
    return pd.DataFrame(
        {
            "real median": real.median(),
            "real min": real.min(),
            "real max": real.max(),
            "twin median": twin.median(),
            "twin min": twin.min(),
            "twin max": twin.max(),
            "twin inside": inside.mean(),
            "median inside": (twin.median() >= real.min()) & (twin.median() <= real.max()),
        }
    )


def as_markdown(table: pd.DataFrame, n_real: int, n_twin: int) -> str:
    lines = [
        f"| statistic | {n_real} real sites: median (range) | {n_twin} simulated: median (range) | inside |",
        "|---|---|---|---|",
    ]
    for name, text in STATISTICS.items():
        row = table.loc[name]
        digits = 0 if name in ("rain", "duration") else (3 if name == "sd" else 2)
        real, twin = (
            f"{row[f'{who} median']:.{digits}f} ({row[f'{who} min']:.{digits}f} to {row[f'{who} max']:.{digits}f})"
            for who in ("real", "twin")
        )
        lines.append(f"| {text} | {real} | {twin} | {100 * row['twin inside']:.0f} % |")
    return "\n".join(lines) + "\n"


def draw(real: pd.DataFrame, twin: pd.DataFrame, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 5, figsize=(13, 5.5), layout="constrained")
    for ax, (name, text) in zip(axes.flat, STATISTICS.items(), strict=True):
        for x, (frame, colour) in enumerate(((real, "#1b6ca8"), (twin, "#c8553d"))):
            jitter = x + 0.12 * np.linspace(-1, 1, len(frame))
            ax.plot(jitter, frame[name], "o", color=colour, alpha=0.6, markersize=5, markeredgewidth=0)
            ax.hlines(frame[name].median(), x - 0.25, x + 0.25, color=colour, linewidth=2)
        words = text.split()
        middle = (len(words) + 1) // 2
        ax.set_title(" ".join(words[:middle]) + "\n" + " ".join(words[middle:]), fontsize=9)
        ax.set_xticks([0, 1], ["real", "simulated"])
        ax.set_xlim(-0.5, 1.5)
        ax.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Real towers (FLUXNET2015) and simulated ones; a line is the median", fontsize=11)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("XDROUGHT_DATA_DIR"))
    parser.add_argument("--out", type=Path, default=Path("twin_realism"))
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.data is None:
        parser.error("no real sites: give --data, or set XDROUGHT_DATA_DIR")
    real = real_sites(Path(options.data) / "fluxnet2015")
    twin = simulated_sites(options.sites, round(365.25 * options.years), options.seed)
    table = compare(real, twin)
    options.out.mkdir(parents=True, exist_ok=True)
    pd.concat({"real": real, "twin": twin}, names=["world", "site"]).to_csv(options.out / "twin_realism.csv")
    text = as_markdown(table, len(real), len(twin))
    (options.out / "twin_realism.md").write_text(text)
    draw(real, twin, options.out / "twin_realism.png")
    print(text)
    unlike = table.index[~table["median inside"].astype(bool) | (table["twin inside"] < 2 / 3)].tolist()
    if unlike:
        sys.exit(f"twin_realism: unlike the real sites in {unlike}")


if __name__ == "__main__":
    main()
