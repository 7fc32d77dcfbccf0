"""The paper in one command: ``python -m xdrought.reproduction --data DIR --out DIR``."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

from xdrought.reproduction.modes import MODES
from xdrought.reproduction.results import QUICK, ReportSettings
from xdrought.reproduction.run import reproduce


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, write the report."""
    parser = argparse.ArgumentParser(
        prog="python -m xdrought.reproduction",
        description="Every table and figure of Tang et al. (2025) that the data can give, each beside the paper's "
        "value, in one HTML file. A stopped run goes on where it was.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of FLUXNET2015 files, or one netCDF file or zarr store of "
        "sites with maps; without it the simulated twin",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the report and the cache of its results")
    parser.add_argument("--quick", action="store_true", help="small networks, few epochs: minutes on two cores")
    parser.add_argument("--runs", type=int, help="networks of each kind, which differ in their seed (paper: 10)")
    parser.add_argument("--epochs", type=int, help="epochs of training (paper: 50)")
    parser.add_argument("--mode", choices=MODES, default="default", help="whose choices are made where they differ")
    parser.add_argument("--equations", nargs="+", choices=["paper", "released"], help="both by default")
    parser.add_argument("--device", help='where the networks run, e.g. "cuda"; by default where it is fastest')
    chosen = parser.parse_args(arguments)
    if chosen.data is None and not chosen.quick:
        parser.error("give --data, or --quick for the simulated twin")
    given = {name: getattr(chosen, name) for name in ("runs", "epochs", "device") if getattr(chosen, name) is not None}
    if chosen.equations:
        given["equations"] = tuple(dict.fromkeys(chosen.equations))
    settings = dataclasses.replace(QUICK if chosen.quick else ReportSettings(), **given)
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
    try:
        reproduce(chosen.data, chosen.out, mode=chosen.mode, settings=settings)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
