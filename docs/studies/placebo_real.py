"""Is the causality input causality? The same network with its matrix, with placebos of it and without, on real sites.

    python docs/studies/placebo_real.py [--network fluxnet|uscrn] [--runs 10] [--epochs 80] [--patience 6]
        [--controls zeros shuffled ...] [--cache-dir FOLDER] [--out docs/_include]

Needs XDROUGHT_DATA_DIR. One cell per site (tower data have no maps), CauRec of small width. Writes the tables
OUT/placebo_NETWORK.md with the command, and OUT/placebo_NETWORK.csv with every seed and site. Trainings end when the
validation loss has not fallen for `patience` epochs. Forecasts are kept in FOLDER, so that a stopped run goes on where
it was.
"""

from __future__ import annotations

import pandas as pd
import torch
from real_sites import NETWORKS, differences_as_markdown, made_by, options_of, read, write

from xdrought import TrainingOptions
from xdrought.study import gain_shares, paired_differences, placebo
from xdrought.study.controls import CONTROLS

WIDTHS = (16, 32)


def shares_as_markdown(table: pd.DataFrame) -> list[str]:
    lines = [
        "| causality input | gain in NSE over zeros (95 % interval) | share of causality's gain | |",
        "|---|---:|---:|---|",
    ]
    for name, row in table.iterrows():
        share = f"{row.share:.0%} ({row.share_lower:.0%} to {row.share_upper:.0%})" if row.share == row.share else "-"
        gain = f"{row.gain:+.3f} ({row.lower:+.3f} to {row.upper:+.3f})"
        lines.append(f"| {name} | {gain} | {'100%' if name == 'causality' else share} | {row.verdict} |")
    return lines


def main() -> None:
    parser = options_of(__doc__, "placebo_real", epochs=80, epochs_help="at most")
    parser.add_argument("--controls", nargs="+", choices=CONTROLS, default=list(CONTROLS))
    parser.set_defaults(runs=10, patience=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ds = read(options.network)
    scores = placebo(
        ds,
        "soil_moisture",
        NETWORKS[options.network],
        controls=options.controls,
        variant="CauRec",
        size=1,
        runs=options.runs,
        epochs=options.epochs,
        sampler="consecutive",
        training=TrainingOptions(patience=options.patience),
        widths=WIDTHS,
        batch_size=256,
        learning_rate=1e-3,
        device="cpu",
        cache_dir=options.cache_dir / options.network,
    )
    stem = options.out / f"placebo_{options.network}"
    more = f" --patience {options.patience}"
    if options.controls != list(CONTROLS):
        more += f" --controls {' '.join(options.controls)}"
    lines = [
        f"CauRec of widths {WIDTHS}, one cell, {options.runs} seeds, at most {options.epochs} epochs of "
        f"runs of 16 days, ended after {options.patience} without a lower validation loss, test part of "
        f"{scores.sizes['site']} {options.network.upper()} sites, {int(scores.n_days.sum()):,} station-days. "
        + made_by("placebo_real", options.network, options.runs, options.epochs, more),
        "",
        *shares_as_markdown(gain_shares(scores)),
        "",
    ]
    for baseline in ("zeros", "causality"):
        lines += [*differences_as_markdown(paired_differences(scores, baseline), baseline, "causality input"), ""]
    write(stem, scores, lines)


if __name__ == "__main__":
    main()
