"""Causality: cross mapping of every driver, by the raw and by an honest p-value (section 3.3, Figures S4, S7)."""

from __future__ import annotations

import pandas as pd

from xdrought.causality import ccm, false_discovery_control
from xdrought.study.report.findings import CONTRADICTED, SUPPORTED, Chapter
from xdrought.study.report.material import FULL, Material

SURROGATES, ALPHA = 199, 0.05


def causes(m: Material) -> Chapter:
    """Which drivers have left their mark on soil moisture in the training part."""
    chapter = Chapter("Causality")
    found = m.workshop.dataset("cross_mapping", {"surrogates": SURROGATES, "seed": m.settings.seed}, lambda: _map(m))
    adjusted = false_discovery_control(found.surrogate_p_value)
    by_driver = pd.DataFrame(
        {
            "skill, median of sites": found.rho.median("site").to_series(),
            "raw p < 0.05": (found.p_value < ALPHA).sum("site").to_series(),
            "surrogate p < 0.05": (found.surrogate_p_value < ALPHA).sum("site").to_series(),
            "after control of false discoveries": (adjusted < ALPHA).sum("site").to_series(),
        }
    )
    chapter.tabulate(
        by_driver.sort_values("skill, median of sites", ascending=False),
        f"Cross-map skill of each driver (E = 2, tau = 1, training part, central cell), and at how many of "
        f"{found.sizes['site']} sites it counts as a cause: by the raw p-value of the correlation, as in the paper, "
        f"by {SURROGATES} surrogates with the driver's own spectrum, and after the Benjamini-Hochberg correction.",
    )
    raw, tested, n = int((found.p_value < ALPHA).sum()), int((adjusted < ALPHA).sum()), found.rho.size
    chapter.find(
        "3.3, S8", "the p-value of the correlation tells a cause", "p of autocorrelated series, uncorrected",
        f"{raw} of {n} pairs by the raw p, {tested} by surrogates and correction",
        SUPPORTED if tested >= raw else CONTRADICTED,
    )  # fmt: skip
    if m.source.is_simulated and "truth_strength" in m.source.ds.coords:
        truth = m.source.ds.truth_strength.sel(variable=found["variable"]).transpose(*found.rho.dims) > 0
        said = adjusted < ALPHA
        chapter.say(
            f"In this simulated world the truth is known: of {int(truth.sum())} planted causes "
            f"{int((said & truth).sum())} are found; of {int((~truth).sum())} drivers that cause nothing "
            f"{int((said & ~truth).sum())} are called a cause (they share the weather behind the causes)."
        )
    degree = m.forecaster(FULL).causality
    assert degree is not None
    chapter.say(
        f"The network's input is the matrix of skill and raw p-value of {degree.sizes['variable']} drivers in "
        f"{degree.sizes['cell']} cell(s), as in the paper."
    )
    return chapter


def _map(m: Material):
    drivers = m.source.ds[list(m.source.features)]
    if m.source.has_maps:
        centre = m.source.size // 2 - 1
        drivers = drivers.isel(patch_lat=centre, patch_lon=centre)
    days = m.training_days
    causes = {name: drivers[name].where(days) for name in drivers.data_vars}
    return ccm(
        causes, m.observed.where(days), direction="cause_to_effect", surrogates=SURROGATES, seed=m.settings.seed
    ).squeeze(drop=True)
