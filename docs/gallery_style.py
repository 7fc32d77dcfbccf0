"""The gallery: its order, and figures saved as they would be for a paper, cropped to what is drawn and sharp."""

from __future__ import annotations

from typing import Any

FIRST = ["events", "definitions", "frozen_soil", "map_of_events", "causality", "forecast", "forecast_real", "desk"]


def paper_figures(gallery_conf: dict[str, Any], fname: str | None) -> None:
    """Run before each example, after matplotlib's own reset."""
    import matplotlib

    matplotlib.rcParams.update(
        {"savefig.bbox": "tight", "savefig.pad_inches": 0.05, "savefig.dpi": 120, "font.family": "DejaVu Sans"}
    )


class ReadingOrder:
    """Examples in the order in which a user comes to them; those that are not named here follow by name."""

    def __init__(self, src_dir: str):
        pass

    def __call__(self, filename: str) -> tuple[int, str]:
        name = filename.removeprefix("plot_").removesuffix(".py")
        return FIRST.index(name) if name in FIRST else len(FIRST), name
