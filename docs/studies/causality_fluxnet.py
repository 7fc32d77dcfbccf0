"""Causality degrees of the FLUXNET towers with the raw and the surrogate p-value: docs/studies/causality_fluxnet.md.

XDROUGHT_DATA_DIR=... python docs/studies/causality_fluxnet.py --surrogates 999 --output docs
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import xarray as xr

import xdrought
from xdrought.causality import false_discovery_control
from xdrought.data.tutorial import open_dataset
from xdrought.plot import plot_causality, plot_dominant_cause

DRIVERS = {
    "TA_F": "air temperature",
    "VPD_F": "vapour pressure deficit",
    "SW_IN_F": "shortwave radiation",
    "P_F": "precipitation",
    "PA_F": "air pressure",
    "WS_F": "wind speed",
}
ALPHA, TRAIN = 0.05, 0.7
WAYS = {
    "cause_to_effect": "weather to soil moisture (weather estimated from the soil)",
    "effect_to_cause": "soil moisture to weather (soil estimated from the weather)",
}


def training_days(soil: xr.DataArray) -> xr.DataArray:
    """True on the first 70 % of a tower's days with soil moisture, and on the days between them."""
    count = soil.notnull().cumsum("time")
    return (count <= TRAIN * count.isel(time=-1)) & (count > 0)


def degrees(surrogates: int, seed: int) -> xr.Dataset:
    """Degrees of all towers with soil moisture, with p-values adjusted per direction."""
    towers = open_dataset("fluxnet")
    soil = towers["soil_moisture"]
    towers = towers.sel(site=soil.notnull().sum("time") > 0)
    drivers = towers[list(DRIVERS)].rename(DRIVERS)
    degree = xdrought.causality_degree(
        drivers,
        towers["soil_moisture"],
        train=training_days(towers["soil_moisture"]),
        direction="both",
        surrogates=surrogates,
        seed=seed,
    ).isel(cell=0, drop=True)
    for name in ("p_value", "surrogate_p_value"):
        degree[f"{name}_adjusted"] = false_discovery_control(degree[name], dim=("site", "variable"))
    return degree


def survivors(degree: xr.Dataset) -> dict[str, xr.DataArray]:
    """What each test calls a cause."""
    tested = degree["surrogate_p_value"].notnull()
    positive = (degree["rho"] > 0) & tested
    return {
        "pairs tested": tested,
        "raw p < 0.05": positive & (degree["p_value"] < ALPHA),
        "raw p, adjusted": positive & (degree["p_value_adjusted"] < ALPHA),
        "surrogate p < 0.05": degree["surrogate_p_value"] < ALPHA,
        "surrogate p, adjusted": degree["surrogate_p_value_adjusted"] < ALPHA,
    }


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def totals(degree: xr.Dataset) -> str:
    found = survivors(degree)
    rows = [[words, *(str(int(one.sel(direction=way).sum())) for one in found.values())] for way, words in WAYS.items()]
    return table(["direction", *found], rows)


def by_driver(degree: xr.Dataset) -> str:
    """Survivors by driver, weather to soil moisture."""
    found = {name: one.sel(direction="cause_to_effect") for name, one in survivors(degree).items()}
    rows = [[name, *(str(int(one.sel(variable=name).sum())) for one in found.values())] for name in DRIVERS.values()]
    return table(["driver", *found], rows)


def by_site(degree: xr.Dataset, way: str) -> str:
    """rho, then raw and surrogate p-value, of each site and driver; bold where the adjusted test finds it."""
    rows = []
    for site in degree["site"].values:
        cells = []
        for name in DRIVERS.values():
            one = degree.sel(site=site, variable=name, direction=way)
            text = f"{float(one.rho):.2f} ({short(float(one.p_value))}; {short(float(one.surrogate_p_value))})"
            cells.append(f"**{text}**" if float(one.surrogate_p_value_adjusted) < ALPHA else text)
        days = int(degree["n_pairs"].sel(site=site, direction=way).max())
        rows.append([f"{site} ({days})", *cells])
    return table(["site (days)", *DRIVERS.values()], rows)


def short(p: float) -> str:
    if p != p:
        return "none"
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


PAGE = """# Causes at FLUXNET towers

The causality degree of Tang et al. (2025) is the cross-map skill of each driver with its raw p-value. This page
computes it for all {sites} FLUXNET2015 towers of the data folder that have soil moisture, from the first 70 % of each
tower's days, with E = 2 and tau = 1, and puts the surrogate p-value ({surrogates} phase-randomised surrogates, annual
cycle removed) beside it. It is written by
`python docs/studies/causality_fluxnet.py --surrogates {surrogates} --output docs`.
How often each test errs is on {{doc}}`/studies/calibration`.

{totals}

"Adjusted" controls the share of false discoveries at 5 % over all sites and drivers of one direction (Benjamini and
Hochberg). Of the {raw} raw causes from weather to soil moisture, {left} pass the surrogate test, {adjusted} of them
after adjustment; of the {raw_back} in the other direction {left_back} and {adjusted_back}. By driver, weather to soil
moisture:

{by_driver}

```{{figure}} ../_static/causality_fluxnet.png
:alt: Heat map of cross-map skill by driver and site for both directions
:width: 100%

Skill of each driver at each tower. Dots: significant against surrogates after adjustment.
```

```{{figure}} ../_static/causality_fluxnet_map.png
:alt: World map of the towers, coloured by the driver of the largest significant skill
:width: 100%

The driver of the largest significant skill at each tower, weather to soil moisture.
```

A relation that passes says that the two anomalies are related, not which drives which: where both directions pass,
compare the skills and look at the convergence ({{doc}}`/guide/cross_mapping`).

## Weather to soil moisture, by site

Skill (raw p; surrogate p); bold where the adjusted surrogate test finds it. "none": less than a year of days, so that
no annual cycle can be removed.

{forward}

## Soil moisture to weather, by site

{backward}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--surrogates", type=int, default=999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="the docs folder")
    options = parser.parse_args()
    degree = degrees(options.surrogates, options.seed)
    found = survivors(degree)
    counts = {}
    for end, way in (("", "cause_to_effect"), ("_back", "effect_to_cause")):
        raw = found["raw p < 0.05"].sel(direction=way)
        counts[f"raw{end}"] = int(raw.sum())
        counts[f"left{end}"] = int((raw & found["surrogate p < 0.05"].sel(direction=way)).sum())
        counts[f"adjusted{end}"] = int((raw & found["surrogate p, adjusted"].sel(direction=way)).sum())
    text = PAGE.format(
        sites=degree.sizes["site"],
        surrogates=options.surrogates,
        totals=totals(degree),
        by_driver=by_driver(degree),
        forward=by_site(degree, "cause_to_effect"),
        backward=by_site(degree, "effect_to_cause"),
        **counts,
    )
    (options.output / "studies/causality_fluxnet.md").write_text(text)
    pictures = options.output / "_static"
    plot_causality(degree).figure.savefig(pictures / "causality_fluxnet.png", dpi=160)
    one_way = degree.sel(direction="cause_to_effect")
    plot_dominant_cause(one_way).figure.savefig(pictures / "causality_fluxnet_map.png", dpi=160)
    print(totals(degree), by_driver(degree), sep="\n\n")


if __name__ == "__main__":
    main()
