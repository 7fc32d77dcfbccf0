"""Does the leakage audit find what was leaked on purpose, and pass what is clean? Writes docs/_include/leakage.md.

    XDROUGHT_DATA_DIR=<folder> python tests/campaigns/leakage.py

Real stations (FLUXNET2015, USCRN) and the simulated twin, trained for one epoch in several clean set-ups; then every
leak of ``tests/support/leaks.py``. A few minutes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import xarray as xr

import xdrought
from xdrought.data import open_dataset
from xdrought.simulation import twin
from xdrought.splits import chronological, spatial_monte_carlo
from xdrought.windows.labelled import patches

ROOT = Path(__file__).parents[2]
QUICK = {"epochs": 1, "widths": (4, 4), "device": "cpu", "progress": False}
PAST = {"target_history": True, "predict_change": True, "latency": 1}
STATIONS = {
    "FLUXNET2015": ("fluxnet", ["TA_F", "P_F", "SW_IN_F"]),
    "USCRN": ("uscrn", ["T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY"]),
}


def worlds() -> Iterator[tuple[str, xr.Dataset, list[str]]]:
    """Data, what they are called, and their drivers."""
    for name, (source, drivers) in STATIONS.items():
        yield name, open_dataset(source)[["soil_moisture", *drivers]].compute(), drivers
    yield "twin, towers", twin.simulate(24, 365 * 6, size=2, seed=1), list(twin.DRIVERS)
    yield "twin, grid", twin.simulate_grid(8, 8, 365 * 3, seed=1), list(twin.DRIVERS)


def set_ups(windows: xdrought.Patches) -> Iterator[tuple[str, dict]]:
    """Clean ways to train."""
    yield "in time, causality", {"variant": "CauRec", "split": chronological(windows)}
    yield "in time, own past", {"variant": "Rec", **PAST}
    if not windows.on_grid:
        yield "whole sites, causality", {"variant": "CauRec", "split": spatial_monte_carlo(windows, seed=0)}
        yield "sites within 50 km together", {"variant": "Rec", "split": spatial_monte_carlo(windows, clusters=50.0)}


def clean_rows() -> Iterator[str]:
    for name, ds, drivers in worlds():
        size = 2 if "lat" in ds.dims else None
        windows = patches(ds, "soil_moisture", drivers=drivers, size=size)
        for title, options in set_ups(windows):
            forecaster = xdrought.fit_resattcaurec(ds, "soil_moisture", drivers, size=size, **QUICK, **options)
            found = xdrought.audit_leakage(forecaster, ds, device="cpu")
            asked = {
                "future": "highest correlation with the future",
                "same series": "highest correlation",
                "same location": "nearest (km)",
            }
            numbers = [found[check].numbers.get(number) for check, number in asked.items()]
            cells = " | ".join("" if n is None else f"{n:.3g}" for n in numbers)
            print(name, title, found, sep="\n", flush=True)
            verdict = "clean" if found.clean else ", ".join((*found.leaks, *found.unknown))
            yield f"| {name} | {title} | {verdict} | {cells} |"


def seeded() -> list[tuple[str, str, bool]]:
    """Each leak of the tests: what it is, the check that should see it, and whether it did."""
    sys.path.insert(0, str(ROOT))
    from tests.support.audited import eight_towers
    from tests.support.leaks import LEAKS

    ds = eight_towers()
    out = []
    for leak, check in LEAKS:
        with pytest.MonkeyPatch.context() as patch:
            forecaster, data, *given = leak(ds, patch)
        found = xdrought.audit_leakage(forecaster, data, device="cpu", **dict(*given))
        out.append((leak.__name__.replace("_", " "), check, check in found.leaks))
    return out


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = list(clean_rows())
    leaks = seeded()
    kinds = {check for _, check, _ in leaks}
    text = [
        "| data | set-up | verdict | highest correlation of a driver with the future | of two places | nearest (km) |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"{sum(hit for *_, hit in leaks)} of {len(leaks)} leaks of {len(kinds)} kinds, made on purpose, were found.",
    ]
    (ROOT / "docs" / "_include" / "leakage.md").write_text("\n".join(text) + "\n")
    print(*text, *(f"missed: {name}" for name, _, hit in leaks if not hit), sep="\n")


if __name__ == "__main__":
    main()
