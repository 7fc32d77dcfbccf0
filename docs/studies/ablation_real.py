"""Residual encoder, attention, causality: what each of them gives on real sites, in all eight combinations.

    python docs/studies/ablation_real.py [--network fluxnet|uscrn] [--runs 5] [--epochs 3]
        [--cache-dir FOLDER] [--out docs/_include]

Needs XDROUGHT_DATA_DIR. One cell per site (tower data have no maps), small widths. Writes the tables
OUT/ablation_NETWORK.md with the command, and OUT/ablation_NETWORK.csv with every seed and site. Forecasts are kept in
FOLDER, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import pandas as pd
import torch
from real_sites import NETWORKS, differences_as_markdown, made_by, options_of, read, write

from xdrought.study import ablation, factorial_effects, paired_differences

WIDTHS = (8, 16)


def effects_as_markdown(table: pd.DataFrame) -> list[str]:
    lines = ["| piece | effect on NSE (95 % interval) | sites above 0 | p, adjusted |", "|---|---:|---:|---:|"]
    for name, row in table.iterrows():
        lines.append(
            f"| {name} | {row.effect:+.3f} ({row.lower:+.3f} to {row.upper:+.3f}) | {int(row.better_sites)} of "
            f"{int(row.sites)} | {row.p_value_adjusted:.3f} |"
        )
    return lines


def verdict(table: pd.DataFrame) -> str:
    """What holds, in a sentence: effects whose adjusted p is below 0.05, and the others."""
    holds = table.p_value_adjusted < 0.05
    better = [f"{name} ({row.effect:+.2f})" for name, row in table[holds & (table.effect > 0)].iterrows()]
    worse = [f"{name} ({row.effect:+.2f})" for name, row in table[holds & (table.effect <= 0)].iterrows()]
    rest = [str(name) for name in table.index[~holds]]
    return (
        f"Raises the NSE: {', '.join(better) or 'nothing'}. Lowers it: {', '.join(worse) or 'nothing'}. Not "
        f"distinguishable from 0 (adjusted p of at least 0.05): {', '.join(rest) or 'nothing'}."
    )


def main() -> None:
    options = options_of(__doc__, "ablation_real").parse_args()
    torch.set_num_threads(1)
    ds = read(options.network)
    scores = ablation(
        ds,
        "soil_moisture",
        NETWORKS[options.network],
        size=1,
        runs=options.runs,
        epochs=options.epochs,
        widths=WIDTHS,
        batch_size=256,
        learning_rate=2e-3,
        sampler="consecutive",
        device="cpu",
        cache_dir=options.cache_dir / options.network,
    )
    stem = options.out / f"ablation_{options.network}"
    effects = factorial_effects(scores)
    lines = [
        f"Eight networks of widths {WIDTHS}, one cell, weather only, {options.runs} seeds, {options.epochs} epochs of "
        f"runs of 16 days, test part of {scores.sizes['site']} {options.network.upper()} sites, "
        f"{int(scores.n_days.sum()):,} station-days. "
        + made_by("ablation_real", options.network, options.runs, options.epochs),
        "",
        verdict(effects),
        "",
        *effects_as_markdown(effects),
        "",
        *differences_as_markdown(paired_differences(scores, "Rec"), "Rec", "network"),
        "",
    ]
    write(stem, scores, lines)


if __name__ == "__main__":
    main()
