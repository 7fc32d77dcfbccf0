"""How sure are the flash droughts of real towers, when the years of the reference are drawn anew?

python docs/studies/event_uncertainty.py [--n-boot 200]        # XDROUGHT_DATA_DIR names the folder of real data
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np

import xdrought
from xdrought.data import open_fluxnet, open_uscrn, screen_sites

DEFINITIONS = {
    "tang2025": {},
    "tang2025, same day of the year": {"pool": "dayofyear", "window": 15},
    "yuan2019": {"definition": "yuan2019"},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-boot", type=int, default=200)
    options = parser.parse_args()
    folder = Path(os.environ["XDROUGHT_DATA_DIR"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        towers, _ = screen_sites(open_fluxnet(folder / "fluxnet2015"))
        stations, _ = screen_sites(open_uscrn(folder / "uscrn"), max_gap=3)
        print("| records | definition | flash droughts | 90 % sure | 50 to 90 % | below 50 % | interval of the rate |")
        print("|---" * 7 + "|")
        for name, ds in (("FLUXNET", towers), ("USCRN", stations)):
            for words, settings in DEFINITIONS.items():
                sure = xdrought.event_uncertainty(ds.soil_moisture, n_boot=options.n_boot, **settings)
                flash = sure.isel(event=sure.is_flash.values)
                p = flash.flash_probability.values
                width = np.nanmedian(
                    flash.intensification_rate_interval.diff("bound").values[:, 0] / flash.intensification_rate
                )
                shares = [np.mean(p >= 0.9), np.mean((p >= 0.5) & (p < 0.9)), np.mean(p < 0.5)]
                cells = [name, words, p.size, *(f"{share:.0%}" for share in shares), f"{width:.0%} of it"]
                print("|", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
