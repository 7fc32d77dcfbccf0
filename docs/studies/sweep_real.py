"""How far ahead? Leads of 1 to 14 days on real sites, with weather only and with the station's own past.

    python docs/studies/sweep_real.py [--network fluxnet|uscrn] [--leads 1 7 14] [--runs 5] [--epochs 3]
        [--cache-dir FOLDER]

Needs XDROUGHT_DATA_DIR. One cell per site, a small plain recurrence. Writes the table OUT/sweep_lead_NETWORK.md with
the command, OUT/sweep_lead_NETWORK.csv with every seed and site, and the figure OUT/sweep_lead_NETWORK.png. Forecasts
are kept in FOLDER, so that a stopped run goes on where it was.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xarray as xr
from real_sites import NETWORKS, made_by, options_of, read, write

from xdrought.study import paired_differences, sweep

WIDTHS = (32,)
CONFIGURATIONS = {
    "weather only": {},
    "weather and own past": {"target_history": True, "predict_change": True},
}


def score_table(scores: xr.Dataset) -> list[str]:
    """NSE (median of sites) and F1 of flash onset and condition, of each model at each lead."""
    models = scores.model.values.tolist()
    lines = [
        f"| days ahead | {' | '.join(name.replace('_', ' ') for name in models)} |",
        "|---:|" + "---:|" * len(models),
    ]
    nse = scores.nse.mean("run").median("site")
    flash = scores.f1.sel(class_name=["flash_onset", "flash_condition"]).mean("run", skipna=False)
    for lead in scores.lead.values:
        cells = []
        for name in models:
            both = flash.sel(lead=lead, model=name).values
            words = " / ".join("-" if np.isnan(one) else f"{one:.2f}" for one in both)
            cells.append(f"{nse.sel(lead=lead, model=name).item():.2f} ({words})")
        lines.append(f"| {lead} | {' | '.join(cells)} |")
    return lines


def difference_table(scores: xr.Dataset) -> tuple[list[str], str]:
    """Each network less persistence and damped persistence at each lead, and in words where it is ahead."""
    columns = [(name, beside) for name in CONFIGURATIONS for beside in ("persistence", "damped_persistence")]
    heads = [f"{name}, minus {beside.replace('_', ' ')}" for name, beside in columns]
    lines = [f"| days ahead | {' | '.join(heads)} |", "|---:|" + "---:|" * len(heads)]
    ahead: dict[str, list[int]] = {head: [] for head in heads}
    behind: dict[str, list[int]] = {head: [] for head in heads}
    for lead in scores.lead.values:
        at = scores.sel(lead=lead)
        beside = {name: paired_differences(at, name) for name in ("persistence", "damped_persistence")}
        cells = []
        for head, (name, reference) in zip(heads, columns, strict=True):
            row = beside[reference].loc[name]
            cells.append(f"{row.difference:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})")
            if row.lower > 0 or row.upper < 0:
                (ahead if row.lower > 0 else behind)[head].append(int(lead))
        lines.append(f"| {lead} | {' | '.join(cells)} |")
    words = [f"{head}: above 0 at {_days(ahead[head])}, below 0 at {_days(behind[head])}" for head in heads]
    return lines, f"Whole 95 % interval of the difference in NSE (not adjusted for the leads): {'; '.join(words)}."


def _days(leads: list[int]) -> str:
    if not leads:
        return "no lead"
    return f"{'leads' if len(leads) > 1 else 'lead'} {', '.join(map(str, leads))}"


def main() -> None:
    parser = options_of(__doc__, "sweep_real")
    parser.add_argument("--leads", type=int, nargs="+", default=list(range(1, 15)))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ds = read(options.network)
    scores = sweep(
        ds,
        "soil_moisture",
        NETWORKS[options.network],
        over={"lead": options.leads},
        configurations=CONFIGURATIONS,
        variant="Rec",
        size=1,
        runs=options.runs,
        epochs=options.epochs,
        widths=WIDTHS,
        batch_size=256,
        learning_rate=2e-3,
        device="cpu",
        cache_dir=options.cache_dir / options.network,
    )
    stem = options.out / f"sweep_lead_{options.network}"
    differences, words = difference_table(scores)
    leads = f" --leads {' '.join(map(str, options.leads))}" if len(options.leads) < 14 else ""
    lines = [
        f"Rec of width {WIDTHS[0]}, one cell, {options.runs} seeds, {options.epochs} epochs, test part of "
        f"{scores.sizes['site']} {options.network.upper()} sites, the same {int(scores.n_days.sum()):,} station-days "
        f"at every lead. Median over sites of the NSE, mean of the "
        f"seeds; in brackets F1 of the days of flash onset / flash condition. "
        + made_by("sweep_real", options.network, options.runs, options.epochs, leads),
        "",
        words,
        "",
        *score_table(scores),
        "",
        *differences,
        "",
    ]
    write(stem, scores, lines)
    figure(scores, stem.with_suffix(".png"))


def figure(scores: xr.Dataset, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from xdrought.plot import plot_sweep

    drawn, axes = plt.subplots(1, 2, figsize=(7.1, 3.2), layout="constrained")
    plot_sweep(scores, score="nse", legend=False, ax=axes[0])
    plot_sweep(scores, score="f1", class_name="flash_onset", legend=False, ax=axes[1])
    axes[0].set_ylim(bottom=max(-2.0, axes[0].get_ylim()[0]))
    axes[1].set_ylim(bottom=0)
    handles = axes[0].get_lines()
    drawn.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=7)
    drawn.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
