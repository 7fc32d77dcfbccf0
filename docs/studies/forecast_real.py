"""Forecasts of real stations, scored: the networks beside persistence, climatology and ridge regressions.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/forecast_real.py  # trains what is missing, writes the page
    XDROUGHT_DATA_DIR=<folder> python docs/studies/forecast_real.py uscrn  # trains only, one network of stations

Needs the FLUXNET2015 and USCRN files of the data folder. Every forecast is kept in ``--work`` as soon as it is made, so
that a stopped run goes on where it was. Writes ``docs/studies/forecast_real.md`` and its figure.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import xdrought
from xdrought.data import open_dataset, screen_sites
from xdrought.splits import Splits, chronological
from xdrought.windows.labelled import patches

WINDOW, LEAD, SEEDS = 15, 7, 5
DOCS = Path(__file__).parents[2] / "docs"
DRIVERS = ["temperature", "rain", "sunshine"]
OWN = ["departure_year", "departure_season"]


@dataclass(frozen=True)
class Network:
    """Stations of one kind, what their drivers are called, and how long to train."""

    title: str
    open: Callable[[], xr.Dataset]
    names: dict[str, str]
    epochs: int


def fluxnet() -> xr.Dataset:
    towers, us_ar1 = open_dataset("fluxnet"), open_dataset("us-ar1")
    names = ["soil_moisture", *NETWORKS["fluxnet"].names]
    return xr.concat(
        [ds[names].astype("float64") for ds in (towers, us_ar1)],
        "site",
        join="outer",
        coords="minimal",
        compat="override",
    )


NETWORKS = {
    "fluxnet": Network(
        "FLUXNET2015", fluxnet, {"TA_F": "temperature", "P_F": "rain", "SW_IN_F": "sunshine"}, epochs=10
    ),
    "uscrn": Network(
        "USCRN",
        lambda: open_dataset("uscrn"),
        {"T_DAILY_AVG": "temperature", "P_DAILY_CALC": "rain", "SOLARAD_DAILY": "sunshine"},
        epochs=4,
    ),
}


@dataclass(frozen=True)
class Configuration:
    """A way of forecasting: the variable that is learnt and the options of the training."""

    name: str
    variant: str
    drivers: list[str]
    target: str = "soil_moisture"
    widths: tuple[int, ...] = (32,)
    options: dict = field(default_factory=dict)


PAST = {"target_history": True, "predict_change": True}
CONFIGURATIONS = {
    "change": Configuration(
        "Rec, change of the standardised value, own departures",
        "Rec",
        [*DRIVERS, *OWN],
        "standardised",
        options={"predict_change": True},
    ),
    "rec-past": Configuration("Rec, target_history and predict_change", "Rec", DRIVERS, options=PAST),
    "caurec-past": Configuration("CauRec, target_history and predict_change", "CauRec", DRIVERS, options=PAST),
    "rec-history": Configuration("Rec, target_history", "Rec", DRIVERS, options={"target_history": True}),
    "rec": Configuration("Rec (weather only, as in the paper)", "Rec", DRIVERS),
    "caurec": Configuration("CauRec (weather and causality, as in the paper)", "CauRec", DRIVERS),
    "full": Configuration("ResAttCauRec (as in the paper)", "ResAttCauRec", DRIVERS, widths=(8, 16)),
}


def prepared(network: Network) -> tuple[xr.Dataset, Splits]:
    """Screened sites with three drivers, and what a station knows of itself, from its training part and its past."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept, _ = screen_sites(network.open())
    ds = kept[["soil_moisture", *network.names]].rename(network.names).transpose("site", "time")
    ds = ds.drop_vars([name for name in ds.coords if name not in ("site", "time")]).compute()
    ds["rain"] = np.log1p(ds.rain)  # long tail
    splits = chronological(patches(ds, "soil_moisture", drivers=DRIVERS, window=WINDOW, lead=LEAD))
    train = splits.training_days(ds.time).drop_vars("part", errors="ignore")
    mean, std = (getattr(ds.soil_moisture.where(train), f)("time") for f in ("mean", "std"))
    ds["standardised"] = (ds.soil_moisture - mean) / std
    for name, days in (("departure_year", 365), ("departure_season", 90)):
        past = ds.standardised.rolling(time=days, min_periods=days // 6).mean()  # ends on the day itself
        ds[name] = ds.standardised - past
    ds["site_mean"], ds["site_std"] = mean, std
    return ds.drop_attrs(), splits


def trained(ds: xr.Dataset, splits: Splits, one: Configuration, epochs: int) -> xr.DataArray:
    """Forecasts of five seeds, in the units of the observation."""
    forecaster = xdrought.fit_resattcaurec(
        ds,
        one.target,
        one.drivers,
        variant=one.variant,
        widths=one.widths,
        window=WINDOW,
        lead=LEAD,
        split=splits,
        epochs=epochs,
        learning_rate=2e-3,
        sampler="independent",
        runs=SEEDS,
        device="cpu",
        progress=False,
        **one.options,
    )
    forecast = xdrought.predict(ds, forecaster, device="cpu")[one.target]
    return forecast * ds.site_std + ds.site_mean if one.target == "standardised" else forecast


def ridge(
    ds: xr.Dataset, splits: Splits, target: str, drivers: list[str], *, change: bool = False, by_site: bool = False
) -> xr.DataArray:
    """Linear regression on every number of the window; its penalty is chosen on the validation part."""
    p = patches(ds, target, drivers=drivers, window=WINDOW, lead=LEAD, require_target=True)
    cube = p.to_torch()
    x = cube.gather(torch.arange(len(p))).flatten(1).double().numpy()
    last = ds[target].transpose("site", "time").values[p.cell, p.start + WINDOW - 1] * change
    y, out = p.targets - last, np.full(len(p), np.nan)
    parts = {part: np.isin(np.arange(len(p)), splits.windows(p, part)) for part in ("train", "val", "test")}
    for group in [p.cell == k for k in np.unique(p.cell)] if by_site else [np.ones(len(p), bool)]:
        train, val, test = (group & parts[part] & np.isfinite(y) for part in ("train", "val", "test"))
        fits = [_ridge(x[train], y[train], penalty) for penalty in 10.0 ** np.arange(-6, 1)]
        errors = [((fit(x[val]) - y[val]) ** 2).mean() if val.any() else 0 for fit in fits]
        out[test] = fits[int(np.argmin(errors))](x[test]) + last[test]
    forecast = p.to_labels(out)
    return forecast * ds.site_std + ds.site_mean if target == "standardised" else forecast


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    mean, std, level = x.mean(0), x.std(0) + 1e-12, y.mean()
    z = (x - mean) / std
    weights = np.linalg.solve(z.T @ z + penalty * len(z) * np.eye(z.shape[1]), z.T @ (y - level))
    return lambda new: ((new - mean) / std) @ weights + level


def forecasts(key: str, work: Path, train: bool = True) -> tuple[xr.Dataset, Splits, dict[str, xr.DataArray]]:
    """All forecasts of one network of stations that are or can be made, each kept in a file."""
    network = NETWORKS[key]
    ds, splits = prepared(network)
    found = {}
    for name, one in CONFIGURATIONS.items():
        file = work / f"{key}-{name}.nc"
        if not file.exists() and not train:
            continue
        if not file.exists():
            began = time.process_time()
            made = trained(ds, splits, one, network.epochs).astype("float32")
            made = made.drop_vars(["lead_time"], errors="ignore").assign_attrs(cpu_seconds=time.process_time() - began)
            made.rename("forecast").to_netcdf(file, engine="h5netcdf")
            print(f"{key}: {one.name}, {made.cpu_seconds:.0f} CPU s", flush=True)
        found[one.name] = xr.open_dataarray(file, engine="h5netcdf").load()
    window = [*DRIVERS, "past"]
    ds["past"] = ds.soil_moisture
    own = {"change": True}
    found["Ridge, weather only"] = ridge(ds, splits, "soil_moisture", DRIVERS)
    found["Ridge on the same window (weather and own past)"] = ridge(ds, splits, "soil_moisture", window)
    found["Ridge on the same window, one for each site"] = ridge(ds, splits, "soil_moisture", window, by_site=True)
    found["Ridge, change of the standardised value, own departures"] = ridge(
        ds, splits, "standardised", [*DRIVERS, *OWN], **own
    )
    return ds, splits, found


def scored(ds: xr.Dataset, splits: Splits, found: dict[str, xr.DataArray]) -> xr.Dataset:
    """Scores of the test part, on the days that all have."""
    single = {f"{name}, mean of {SEEDS}" if "run" in da.dims else name: da for name, da in found.items()}
    single |= {f"{name}, one network": da.isel(run=0, drop=True) for name, da in found.items() if "run" in da.dims}
    best, line = CONFIGURATIONS["change"].name, "Ridge, change of the standardised value, own departures"
    single[f"Mean of the {SEEDS} networks and the ridge above with the same inputs"] = (
        0.5 * found[best].mean("run") + 0.5 * found[line]
    )
    test = splits.mask("test", ds.time).drop_vars("part", errors="ignore")
    single = {name: da.reindex(time=ds.time).where(test) for name, da in single.items()}
    for name, da in single.items():
        single[name] = da.drop_vars([c for c in da.coords if c not in ("site", "time")])
    train = splits.training_days(ds.time).drop_vars("part", errors="ignore")
    return xdrought.verify(single, ds.soil_moisture, lead=LEAD, train=train, n_boot=2000)


def paired(scores: xr.Dataset, model: str, reference: str) -> tuple[float, float, float]:
    """Median over sites of the difference in NSE, with a 95 % bootstrap interval over sites."""
    difference = (scores.nse.sel(model=model) - scores.nse.sel(model=reference)).dropna("site").values
    rng = np.random.default_rng(0)
    drawn = np.median(difference[rng.integers(0, len(difference), (5000, len(difference)))], axis=1)
    return float(np.median(difference)), *map(float, np.quantile(drawn, [0.025, 0.975]))


def table(scores: xr.Dataset) -> str:
    """Markdown: NSE per site and pooled, and paired differences to persistence and to the ridges."""
    references = [
        "persistence",
        "damped_persistence",
        "Ridge on the same window (weather and own past)",
        "Ridge on the same window, one for each site",
    ]
    head = [
        "",
        "NSE, median of sites",
        "NSE, pooled",
        "RMSE, pooled",
        "minus persistence",
        "minus damped persistence",
        "minus ridge",
        "minus ridge of each site",
    ]
    rows = []
    for model in scores.model.values:
        one = scores.sel(model=model)
        cells = [str(model), f"{float(one.nse_summary[0]):.3f}", f"{float(one.nse_summary[1]):.3f}"]
        cells.append(f"{float(one.rmse_summary[1]):.3g}")
        for reference in references:
            middle, low, high = paired(scores, model, reference)
            cells.append("" if model == reference else f"{middle:+.3f} [{low:+.3f}, {high:+.3f}]")
        rows.append(cells)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def figure(scores: dict[str, xr.Dataset], file: Path) -> None:
    """Per-site NSE of the chosen forecast against persistence and against ridge."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    chosen = f"{CONFIGURATIONS['change'].name}, mean of {SEEDS}"
    names = ["persistence", "Ridge on the same window (weather and own past)"]
    figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
    for ax, name in zip(axes, names, strict=True):
        for key, found in scores.items():
            ax.scatter(found.nse.sel(model=name), found.nse.sel(model=chosen), s=18, label=NETWORKS[key].title)
        ax.axline((0, 0), slope=1, color="0.6", lw=1)
        ax.set(xlabel=f"NSE of {name.split(' (')[0]}", xlim=(-0.3, 1), ylim=(-0.3, 1), aspect="equal")
    axes[0].set_ylabel("NSE of the network")
    axes[0].legend(frameon=False)
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("network", nargs="?", choices=list(NETWORKS))
    parser.add_argument("--made", action="store_true", help="write the page of what has been made, train nothing")
    parser.add_argument("--work", type=Path, default=Path("forecast_real"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UserWarning)
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.network:
        forecasts(arguments.network, arguments.work)
        return
    scores, text = {}, [HEAD.format(seeds=SEEDS, window=WINDOW, lead=LEAD)]
    for key, network in NETWORKS.items():
        ds, splits, found = forecasts(key, arguments.work, train=not arguments.made)
        scores[key] = scored(ds, splits, found)
        made = [da for da in found.values() if "run" in da.dims]
        cpu = sum(float(da.attrs["cpu_seconds"]) for da in made) / 60
        days = int(scores[key].n_days.sum())
        text.append(
            f"## {network.title}: {ds.sizes['site']} sites\n\n{days:,} station-days of the test part. {network.epochs} "
            f"epochs, {cpu:.0f} CPU minutes for {SEEDS * len(made)} networks.\n\n{table(scores[key])}\n"
        )
        missing = [one.name for one in CONFIGURATIONS.values() if one.name not in found]
        if missing:
            text.append(f"Not trained for this page, for want of time: {'; '.join(missing)}.\n")
    versions = f"xdrought {xdrought.__version__}, torch {torch.__version__}, numpy {np.__version__}"
    text.append(f"Versions: {versions}, Python {platform.python_version()}.\n")
    figure(scores, DOCS / "_include" / "forecast_real.png")
    text[0] = HEAD.format(seeds=SEEDS, window=WINDOW, lead=LEAD)
    text.append(FIGURE)
    (DOCS / "studies/forecast_real.md").write_text("\n".join(text))


HEAD = """# Forecasts at real stations

Written by `python docs/studies/forecast_real.py`: FLUXNET2015 (and US-AR1) and USCRN sites of the data folder, screened
with `xdrought.data.screen_sites`, with towers instead of maps (1 x 1 patches) and the three drivers that both have:
temperature, log(1 + rain), incoming solar radiation. {window} days in, {lead} days ahead. Parts 70:15:15 in time at
each site with an embargo of 22 days; all numbers are of the test part, on the days that every forecast has. {seeds}
seeds. Small networks (32 units; ResAttCauRec 8 and 16 instead of 64 and 128) and few epochs, for one CPU core.
Intervals: 95 % bootstrap over sites of the median difference in NSE at the same site.

```{{include}} ../_include/forecast_real_verdict.md
```
"""

FIGURE = """```{figure} ../_include/forecast_real.png
:alt: NSE of the network at each site, against that of persistence and of the ridge regression
:width: 100%

Each point is a site of the test part: the mean of five networks that learn the change of the standardised value; above
the line they are better.
```
"""

if __name__ == "__main__":
    main()
