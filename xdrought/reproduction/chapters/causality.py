"""Causality: cross mapping of every driver, and what each drives given the others (section 3.3, Figures S4 and S7)."""

from __future__ import annotations

import warnings

import pandas as pd
import xarray as xr

from xdrought.causality import ccm, driver_gain, false_discovery_control
from xdrought.plot import plot_convergence
from xdrought.reproduction.findings import Chapter
from xdrought.reproduction.pictures.onsets import by_driver
from xdrought.reproduction.results import FULL, TRUTH, Results

ALPHA = 0.05
LIBRARIES = (30, 60, 120, 240, 480, 960, 1920)  # days


def causes(m: Results) -> Chapter:
    """Which drivers are related to soil moisture in the training part, and which drive it given the others."""
    chapter = Chapter("Causality")
    found = m.cache.dataset(
        "cross_mapping", {"surrogates": m.settings.surrogates, "seed": m.settings.seed}, lambda _: _map(m)
    )
    gained = m.cache.dataset("driver_gain", {"seed": m.settings.seed}, lambda _: _gain(m))
    adjusted = false_discovery_control(found.surrogate_p_value)
    answers = {
        "related, raw p < 0.05": found.p_value < ALPHA,
        "related, surrogate p < 0.05": found.surrogate_p_value < ALPHA,
        "related, adjusted": adjusted < ALPHA,
        "drives, given the others, adjusted": gained.p_value_adjusted.transpose(*found.rho.dims) < ALPHA,
    }
    columns = {"skill, median of sites": found.rho.median("site"), **{k: v.sum("site") for k, v in answers.items()}}
    truth = _truth(m, found)
    if truth is not None:
        columns["planted"] = (truth > 0).sum("site")
    by_name = pd.DataFrame({name: column.to_series() for name, column in columns.items()})
    chapter.tabulate(
        by_name.sort_values("skill, median of sites", ascending=False),
        "Two questions. Related: cross-map skill of each driver (E = 2, tau = 1, training part, central cell), and "
        f"at how many of {found.sizes['site']} sites it is beyond chance: by the raw p-value of the correlation, as "
        f"in the paper, by {m.settings.surrogates} surrogates with the driver's own spectrum, and after the "
        "Benjamini-Hochberg correction. With shared weather nearly all drivers are related. Drives, given the "
        "others: at how many sites the driver, on top of all others, the season and the wetness of the day before, "
        "predicts the change of soil moisture better on days not used for fitting.",
        of=["Number embedding"],
    )
    raw, tested, n = (
        int(answers["related, raw p < 0.05"].sum()),
        int(answers["related, adjusted"].sum()),
        found.rho.size,
    )
    chapter.find(
        "3.3",
        "pairs of site and driver that are related, by the raw p-value and by surrogates",
        "the significance level of autocorrelated series is an input; no other test",
        f"{raw} of {n} pairs by the raw p, {tested} by surrogates and correction",
        claim=None,
        setting=m.setting("maps"),
        of=["Number significance"],
    )
    if truth is not None:
        _beside_truth(truth > 0, answers, m, chapter)
    _convergence(m, found, chapter)
    degree = m.forecaster(FULL).causality
    assert degree is not None
    degree = degree.sel(direction="cause_to_effect") if "direction" in degree.dims else degree
    over = [dim for dim in degree.rho.dims if dim not in ("site", "variable")]
    chapter.show(
        by_driver(degree.rho.mean(over), "Causality degree (cross-map skill)"),
        f"Figure S7: causality degree of {degree.sizes['variable']} drivers, the mean of {degree.sizes['cell']} "
        f"cell(s), over {degree.sizes['site']} sites: the network's input, together with the raw p-values.",
        of=["Figure S7"],
    )
    return chapter


def _beside_truth(planted: xr.DataArray, answers: dict[str, xr.DataArray], m: Results, chapter: Chapter) -> None:
    """How often each test names a planted cause, and one that is none."""
    causes, others = int(planted.sum()), int((~planted).sum())
    rows = {
        name: {
            f"of {causes} planted causes": int((found & planted).sum()),
            f"of {others} drivers that cause nothing": int((found & ~planted).sum()),
        }
        for name, found in answers.items()
    }
    chapter.tabulate(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("test"),
        "In this simulated world the truth is known: pairs of site and driver that each test names. A relation is no "
        "cause: drivers that cause nothing share the weather of those that do.",
    )
    related, drives = rows["related, adjusted"], rows["drives, given the others, adjusted"]
    for word, row in (("related to", related), ("said to drive", drives)):
        hit, wrong = row.values()
        chapter.find(
            "absent",
            f"drivers {word} soil moisture, beside the planted truth",
            "not examined",
            f"{hit} of {causes} causes and {wrong} of {others} others",
            claim=None,
            setting=m.setting("maps"),
        )


def _convergence(m: Results, found: xr.Dataset, chapter: Chapter) -> None:
    """Skill by length of the library in both directions, of the pair that is best related (Figure S4)."""
    best = found.rho.where(found.rho.notnull(), -1).stack(pair=("site", "variable"))
    site, variable = best["pair"].values[int(best.argmax("pair"))]
    soil = m.observed.where(m.training_days).sel(site=site)
    driver = central_drivers(m)[variable].sel(site=site)
    days = int((soil.notnull() & driver.notnull()).sum())
    sizes = [n for n in LIBRARIES if n < days - 2]
    if len(sizes) < 3:
        chapter.lack("Figure S4", why=f"only {days} days of training at {site}; convergence needs longer libraries")
        return
    made = m.cache.dataset(
        "convergence",
        {"site": str(site), "variable": str(variable), "sizes": sizes, "seed": m.settings.seed},
        lambda _: ccm(driver, soil, direction="both", library_size=sizes, seed=m.settings.seed).drop_vars(
            ["site"], errors="ignore"
        ),
    )
    kept = made[["rho", "rho_lower", "rho_upper"]].squeeze(drop=True)
    chapter.show(
        plot_convergence(kept),
        f"Figure S4: skill by length of the library in both directions, {variable} and soil moisture at {site}, the "
        "pair with the highest skill. Skill that grows with the library is what the method takes for causation.",
        of=["Figure S4"],
    )


def _truth(m: Results, like: xr.Dataset) -> xr.DataArray | None:
    """Planted strengths in the order of the result; None for observations."""
    if TRUTH not in m.source.ds.coords:
        return None
    return m.source.ds[TRUTH].sel(variable=like["variable"]).transpose(*like.rho.dims)


def central_drivers(m: Results) -> dict:
    """The drivers of the cell at the site, on training days."""
    drivers = m.source.ds[list(m.source.drivers)]
    if m.source.has_maps:
        centre = m.source.size // 2 - 1
        drivers = drivers.isel(patch_lat=centre, patch_lon=centre)
    days = m.training_days
    return {name: drivers[name].where(days) for name in drivers.data_vars}


def _map(m: Results) -> xr.Dataset:
    soil = m.observed.where(m.training_days)
    return ccm(
        central_drivers(m), soil, direction="cause_to_effect", surrogates=m.settings.surrogates, seed=m.settings.seed
    ).squeeze(drop=True)


def _gain(m: Results) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the drivers are the paper's, responses and all
        result = driver_gain(central_drivers(m), m.observed.where(m.training_days), seed=m.settings.seed)
    return result[["gain", "p_value", "p_value_adjusted", "redundancy", "n_days"]]
