"""Draw the pictures of the README and of the pages: US-AR1 with its events, and AT-Neu's frozen winter.

    python docs/studies/make_picture.py [--out docs/_static]

AT-Neu is drawn when its FLUXNET2015 file is in $XDROUGHT_DATA_DIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

from xdrought import flash_drought_events
from xdrought.data import open_dataset
from xdrought.plot import plot_event, plot_record


def save(axes: matplotlib.axes.Axes, path: Path) -> None:
    axes.figure.savefig(path, dpi=140, bbox_inches="tight", pad_inches=0.05)
    print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/_static"))
    folder = parser.parse_args().out
    record = open_dataset("us-ar1").soil_moisture.isel(site=0).dropna("time")
    save(plot_record(record, flash_drought_events(record)), folder / "us_ar1.png")
    try:
        meadow = open_dataset("fluxnet", sites=["AT-Neu"]).isel(site=0)
    except FileNotFoundError as error:
        print(f"AT-Neu is not drawn: {error}")
        return
    events = flash_drought_events(meadow.soil_moisture, soil_temperature=meadow.soil_temperature)
    number = int(np.flatnonzero(events.start_time.values == np.datetime64("2007-12-18"))[0])
    axes = plot_event(meadow.soil_moisture, events, event=number, soil_temperature=meadow.soil_temperature)
    save(axes, folder / "at_neu_2007.png")


if __name__ == "__main__":
    main()
