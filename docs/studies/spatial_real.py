"""Sites that no network has seen: is their own causality worth more than one predicted for them, or none?

    python docs/studies/spatial_real.py [--network fluxnet|uscrn] [--runs 5] [--epochs 3]
        [--cache-dir FOLDER] [--out docs/_include]

Needs XDROUGHT_DATA_DIR. Five folds of whole sites, sites within 100 km together, one cell per site. Writes the tables
OUT/spatial_NETWORK.md with the command, and OUT/spatial_NETWORK.csv with every seed and site. Forecasts are kept in
FOLDER, so that a stopped run goes on where it was.
"""

from __future__ import annotations

import torch
import xarray as xr
from real_sites import NETWORKS, differences_as_markdown, made_by, options_of, read, write

from xdrought.study import paired_differences, spatial_validation

WIDTHS = (16, 32)


def verdict(scores: xr.Dataset) -> str:
    """What being told a causality is worth, in sentences."""
    over_none, over_own = (paired_differences(scores, baseline) for baseline in ("none", "own"))
    lines = []
    for kind in ("own", "predicted", "mean"):
        row = over_none.loc[kind]
        word = "no different from" if row.p_value_adjusted >= 0.05 else "ahead of" if row.difference > 0 else "behind"
        lines.append(f"{kind} causality ({row.difference:+.2f}) is {word} none")
    row = over_own.loc["predicted"]
    word = "no different from" if row.p_value_adjusted >= 0.05 else "ahead of" if row.difference > 0 else "behind"
    lines.append(f"predicted ({row.difference:+.2f}) is {word} own")
    text = f"By NSE, at adjusted p below 0.05: {'; '.join(lines)}."
    ahead = [name for name in ("persistence", "climatology") if over_own.loc[name, "lower"] > 0]
    names = " and ".join(ahead) or "neither persistence nor climatology"
    return f"{text} Ahead of the network with own causality: {names} of the site itself."


def main() -> None:
    options = options_of(__doc__, "spatial_real").parse_args()
    torch.set_num_threads(1)
    ds = read(options.network)
    scores = spatial_validation(
        ds,
        "soil_moisture",
        NETWORKS[options.network],
        variant="CauRec",
        without="Rec",
        folds=5,
        clusters=100.0,
        size=1,
        runs=options.runs,
        epochs=options.epochs,
        widths=WIDTHS,
        batch_size=256,
        learning_rate=1e-3,
        device="cpu",
        cache_dir=options.cache_dir / options.network,
    )
    stem = options.out / f"spatial_{options.network}"
    lines = [
        f"CauRec and Rec of widths {WIDTHS}, one cell, weather only, {options.runs} seeds, {options.epochs} epochs; "
        f"each of {scores.sizes['site']} {options.network.upper()} sites held out once in five folds, sites within "
        f"100 km together; last 30 % of each site's days, {int(scores.n_days.sum()):,} station-days. "
        + made_by("spatial_real", options.network, options.runs, options.epochs),
        "",
        verdict(scores),
        "",
    ]
    for baseline in ("none", "own"):
        table = paired_differences(scores, baseline)
        lines += [*differences_as_markdown(table, baseline, "causality of the held-out site"), ""]
    write(stem, scores, lines)


if __name__ == "__main__":
    main()
