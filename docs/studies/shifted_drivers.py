"""How often the surrogate test of `ccm` rejects where nothing is related: drivers shifted by every number of years.

    python docs/studies/shifted_drivers.py --output docs/_include/shifted_drivers.md

The drivers of each tower are moved around in their record by 1, 2, ... whole years, and the soil moisture is not. Each
shift is one draw: all towers and drivers of a network meet the same other years, so that one shift says little.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from driver_gain import ALPHA, TOWERS, answers, by_cross_mapping, towers

YEAR = 365.25
LENGTHS = {"whole records": None, "1660 days": 1660}  # the latter as in the calibration


def rejected(network: str, years: int, length: int | None, surrogates: int) -> tuple[float, int]:
    """Share of the tests at or below the level, and their number; towers with a year more than the shift."""
    shift = round(years * YEAR)
    sites = [(np.roll(x, shift, axis=1)[:, :length], y[:length]) for x, y in towers(network) if y.size >= shift + YEAR]
    if not sites:
        return np.nan, 0
    _, p, _ = answers(partial(by_cross_mapping, surrogates=surrogates), sites, TOWERS[network])
    known = p[np.isfinite(p)]
    return float((known <= ALPHA).mean()), known.size


def rows(networks: list[str], most_years: int, surrogates: int) -> list[str]:
    """A row for each network and length of record."""
    lines = ["| network | record | shifts, years | tests a shift | mean | each shift |", "|---|---|---|---|---:|---|"]
    for network in networks:
        for what, length in LENGTHS.items():
            found = [rejected(network, years, length, surrogates) for years in range(1, most_years + 1)]
            found = [(share, number) for share, number in found if number]
            shares, numbers = zip(*found, strict=True)
            mean = np.average(shares, weights=numbers)
            each = " ".join(f"{share:.3f}" for share in shares)
            span = f"{min(numbers)} to {max(numbers)}"
            lines.append(f"| {network.upper()} | {what} | 1 to {len(found)} | {span} | {mean:.3f} | {each} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(TOWERS), choices=list(TOWERS))
    parser.add_argument("--most-years", type=int, default=12)
    parser.add_argument("--surrogates", type=int, default=99)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    table = rows(options.networks, options.most_years, options.surrogates)
    if options.output:
        options.output.write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
