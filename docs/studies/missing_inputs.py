"""What do missing inputs cost a forecast? Days issued and skill lost under each policy, at towers and USCRN stations.

    python docs/studies/missing_inputs.py [--networks fluxnet uscrn] [--sites N] [--rates 0.005 0.01 0.02 0.05]
        [--outages 1 5 15 45] [--epochs 15] [--runs 2] [--out docs/_include]

Sites with two years of soil moisture; the drivers of the network and the soil's own past. Networks learn from the
records as they are. Then each driver and the reported soil moisture lose days at random, each by itself, and the test
part is forecast from what is left; in a second trial the same share of days is lost in outages of so many days. Scores
are against the complete observations. Writes OUT/missing_inputs_NETWORK.md.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xdrought
from xdrought.data import open_dataset
from xdrought.statistics.bootstrap import draw, percentile_interval

TARGET = "soil_moisture"
DRIVERS = {
    "fluxnet": ["P_F", "TA_F", "VPD_F", "SW_IN_F", "LE_F_MDS", "soil_temperature", "WS_F", "PA_F"],
    "uscrn": ["P_DAILY_CALC", "T_DAILY_AVG", "T_DAILY_MAX", "SOLARAD_DAILY"],
}
LEAST = 730  # days of soil moisture
OUTAGE_SHARE = 0.05
SETTINGS: dict[str, Any] = {
    "variant": "Rec",
    "widths": (32,),
    "target_history": True,
    "learning_rate": 2e-3,
    "batch_size": 256,
    "progress": False,
    "device": "cpu",
}
POLICIES: dict[str, str | xdrought.MissingInputs] = {
    '`"none"`': "none",
    '`"last"`': "last",
    '`"climatology"`': "climatology",
    '`"interpolate"`': "interpolate",
    '`"last"`, no drop-out': xdrought.MissingInputs("last", driver_dropout=0.0),
}


def stations(network: str, n_sites: int | None) -> xr.Dataset:
    """Drivers and soil moisture of the sites with enough of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files without soil moisture
        ds = open_dataset(network)[[*DRIVERS[network], TARGET]].compute()
    ds = ds.isel(site=(ds[TARGET].notnull().sum("time") >= LEAST).values)
    n_sites = n_sites or ds.sizes["site"]
    return ds.isel(site=np.unique(np.linspace(0, ds.sizes["site"] - 1, n_sites).astype(int)))


def with_gaps(ds: xr.Dataset, rate: float, days: int = 1, seed: int = 0) -> xr.Dataset:
    """Each driver and soil moisture missing on a share of the days, in outages of so many days, each by itself."""
    rng = np.random.default_rng([seed, int(rate * 10_000), days])

    def lost(values: xr.DataArray) -> xr.DataArray:
        n_days = values.sizes["time"]
        first = rng.random((*(n for dim, n in values.sizes.items() if dim != "time"), n_days)) < 1 - (1 - rate) ** (
            1 / days
        )
        before = np.cumsum(first, axis=-1)
        before[..., days:] -= np.cumsum(first, axis=-1)[..., :-days]  # outages that began in the last so many days
        return values.transpose(..., "time").where(before == 0)

    return ds.assign({name: lost(ds[name]) for name in ds.data_vars})


def tested(ds: xr.Dataset, forecaster: xdrought.Forecaster) -> xr.DataArray:
    """The forecast of the test part, mean of the runs, NaN elsewhere."""
    found = xdrought.predict(ds, forecaster, device="cpu")
    values = found[TARGET].mean("run") if "run" in found.dims else found[TARGET]
    return values.where(found.part == 3).reset_coords(drop=True)


def nse(forecast: xr.DataArray, observed: xr.DataArray) -> np.ndarray:
    """Nash-Sutcliffe efficiency of each site, over the days that are forecast and observed."""
    both = forecast.notnull() & observed.notnull()
    error = ((forecast - observed) ** 2).where(both).sum("time")
    spread = ((observed - observed.where(both).mean("time")) ** 2).where(both).sum("time")
    return (1 - error / spread.where(both.sum("time") > 1)).values


def interval(values: np.ndarray, n_boot: int = 1000) -> str:
    """Median over the sites that have a value, with its 95 % interval over these sites drawn anew."""
    known = values[np.isfinite(values)]
    rows = draw(known.size, (n_boot, known.size), np.random.default_rng(0))
    low, high = percentile_interval(np.median(known[rows], axis=1), 0.95)
    return f"{np.median(known):+.3f} [{low:+.3f}, {high:+.3f}]"


def tables(ds: xr.Dataset, rates: list[float], outages: list[int], **how: Any) -> list[str]:
    """For each policy the days issued and the skill lost, to the plain network and to itself."""
    observed, gapped = ds[TARGET], {rate: with_gaps(ds, rate) for rate in rates}
    broken = {days: with_gaps(ds, OUTAGE_SHARE, days) for days in outages}
    drivers = [name for name in ds.data_vars if name != TARGET]
    by_rate = "".join(f" {rate:.1%} missing |" for rate in rates)
    head, rule = f"| `missing=` | record as it is: NSE |{by_rate}", "|---|---:|" + "---:|" * len(rates)
    issued, lost = [head, rule], [head.replace("record as it is: NSE", "no gaps"), rule]
    by_gaps = [f"| `missing=` |{by_rate}", "|---|" + "---:|" * len(rates)]
    by_outage = [
        "| `missing=` |" + "".join(f" {days} {'day' if days == 1 else 'days'} long |" for days in outages),
        "|---|" + "---:|" * len(outages),
    ]
    whole: xr.DataArray | None = None
    for name, missing in POLICIES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster = xdrought.fit_resattcaurec(ds, TARGET, drivers, missing=missing, **SETTINGS, **how)
        complete = tested(ds, forecaster)
        whole = complete if whole is None else whole  # the first network: complete windows of the complete record
        found = {rate: tested(gapped[rate], forecaster).where(whole.notnull()) for rate in rates}
        shares = [f"{float(each.notnull().sum() / whole.notnull().sum()):.1%}" for each in found.values()]
        issued.append(row(name, f"{np.median(nse(complete, observed)):.3f}", *shares))
        against = {True: [complete.where(whole.notnull()), *found.values()], False: list(found.values())}
        lost.append(row(name, *(difference(whole, each, observed) for each in against[True])))
        by_gaps.append(row(name, *(difference(complete, each, observed) for each in against[False])))
        if name != '`"none"`':
            worse = [tested(each, forecaster).where(whole.notnull()) for each in broken.values()]
            by_outage.append(row(name, *(difference(complete, each, observed) for each in worse)))
        print(issued[-1], lost[-1], by_outage[-1], sep="\n", flush=True)
    return [
        f"{ds.sizes['site']} sites; each of {len(drivers) + 1} inputs misses this share of days, each by itself. Share "
        f"issued of the days that complete windows of the record as it is give:",
        "",
        *issued,
        "",
        'NSE lost to the network of `"none"` on the record as it is, on the days that are issued; median over sites '
        "with 95 % interval:",
        "",
        *lost,
        "",
        "NSE lost to the same network on the record as it is:",
        "",
        *by_gaps,
        "",
        f"The same where {OUTAGE_SHARE:.0%} of the days are missing in outages that last:",
        "",
        *by_outage,
    ]


def difference(before: xr.DataArray, after: xr.DataArray, observed: xr.DataArray) -> str:
    """NSE of one forecast less that of another on the days of the second."""
    return interval(nse(before.where(after.notnull()), observed) - nse(after, observed))


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=sorted(DRIVERS), default=sorted(DRIVERS))
    parser.add_argument("--sites", type=int, default=None, help="sites, spread over all; by default every one")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.005, 0.01, 0.02, 0.05])
    parser.add_argument("--outages", type=int, nargs="+", default=[1, 5, 15, 45], help="days")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/_include"))
    options = parser.parse_args()
    for network in options.networks:
        ds = stations(network, options.sites)
        lines = tables(ds, options.rates, options.outages, epochs=options.epochs, runs=options.runs)
        (options.out / f"missing_inputs_{network}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
