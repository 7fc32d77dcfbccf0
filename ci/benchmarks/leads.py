"""What several leads and members cost, beside one: CPU time of training and of prediction, in one run.

    python ci/benchmarks/leads.py [--days 300] [--out docs/benchmarks/leads.md]

The paper's network without causality (ResAttRec, 12 drivers, 10 x 10 cells, published widths) on made-up records.
Training is an epoch of consecutive windows, which share their days, so that the recurrence weighs most. Each number is
the best of the repeats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from xdrought import SplitConfig, fit_resattcaurec, predict

DRIVERS = [f"v{k}" for k in range(12)]
REPEATS = 2


def records(n_days: int) -> xr.Dataset:
    rng = np.random.default_rng(0)
    dims, shape = ("site", "time", "patch_lat", "patch_lon"), (2, n_days, 10, 10)
    data = {name: (dims, rng.standard_normal(shape).astype("float32")) for name in DRIVERS}
    data["soil"] = (dims[:2], rng.standard_normal(shape[:2]))
    return xr.Dataset(data, {"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=n_days)})


def members(ds: xr.Dataset, n: int, n_leads: int) -> xr.Dataset:
    rng = np.random.default_rng(1)
    dims = ("site", "init_time", "lead_time", "member")
    shape = (2, ds.sizes["time"], n_leads, n)
    coords = {
        "site": ds.site,
        "init_time": ds.time.values,
        "lead_time": pd.to_timedelta(range(1, n_leads + 1), unit="D"),
    }
    return xr.Dataset({name: (dims, rng.standard_normal(shape)) for name in DRIVERS[:3]}, coords)


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time of the fastest of some calls, and the last result."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        result = function()
        times.append(time.process_time() - began)
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/leads.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ds = records(options.days)
    how = {"variant": "ResAttRec", "epochs": 1, "sampler": "consecutive", "device": "cpu", "progress": False}
    how |= {"split": SplitConfig(fractions=(0.8, 0.1, 0.1), embargo=0)}
    asked = {
        "one lead, 7 days (the paper)": ({"lead": 7}, None),
        "leads 1 to 14": ({"lead": range(1, 15)}, None),
        "leads 1 to 7, weather known, 1 member": ({"lead": range(1, 8)}, 1),
        "the same, 50 members": ({"lead": range(1, 8)}, 50),
    }
    rows = []
    for name, (lead, n) in asked.items():
        more = {} if n is None else {"future": DRIVERS[:3], "forcing": members(ds, n, 7)}
        trained, forecaster = seconds(
            lambda lead=lead, more=more: fit_resattcaurec(ds, "soil", DRIVERS, **how, **lead, **more)
        )
        given = more.get("forcing")
        used, _ = seconds(lambda f=forecaster, given=given: predict(ds, f, forcing=given, device="cpu"))
        rows.append((name, trained, used))
        print(*rows[-1], flush=True)
    first, single = rows[0], rows[2]
    lines = [
        "| asked | training, s of CPU | times one lead | prediction, s of CPU | times one lead |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [f"| {n} | {t:.1f} | {t / first[1]:.2f} | {p:.1f} | {p / first[2]:.2f} |" for n, t, p in rows]
    lines += ["", f"50 members cost {rows[3][2] / single[2]:.2f} times one member in prediction."]
    command = f"python ci/benchmarks/leads.py --days {options.days}"
    lines += ["", f"torch {torch.__version__}, one thread, best of {REPEATS}; `{command}`."]
    options.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
