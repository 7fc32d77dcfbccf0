"""What readers type into the search, by the page that should come first; `ci/pages.py` tries each of them.

A word becomes a main entry of the index on its page, which the search puts first.
"""

from __future__ import annotations

import re
from typing import Any

WORDS = {
    "install": ["install", "conda", "pip", "requirements"],
    "learn/own_data": ["own data", "my data", "csv"],
    "gallery/maps/plot_map_of_events": ["map", "frequency of flash droughts"],
    "gallery/events/plot_when_and_where": ["trend", "seasonal cycle"],
    "guide/own_data": [
        *("missing values", "units", "netcdf", "zarr", "hourly", "gleam", "smap", "esa cci", "era5-land", "ismn"),
        *("ameriflux", "icos", "root zone", "dimension names", "time zone"),
    ],
    "guide/data_sources": ["download", "fluxnet2015", "uscrn"],
    "guide/definitions": ["percentile", "threshold", "definition"],
    "guide/frozen_soil": ["frost", "winter"],
    "guide/space_time": ["area", "tracking"],
    "guide/near_real_time": ["near real time", "daily update"],
    "guide/bulletin": ["drought monitor", "return period", "basin", "shapefile", "region"],
    "guide/cross_mapping": ["causality", "surrogate", "p-value"],
    "guide/reading_a_probability": ["warning", "early warning", "alarm", "probability"],
    "guide/training": ["checkpoint", "early stopping", "loss"],
    "guide/verification": ["skill", "score", "persistence", "climatology"],
    "guide/leakage": ["leak", "leakage"],
    "guide/attribution": ["shap", "explain"],
    "guide/laptop_to_globe": ["cluster", "dask", "slurm", "memory"],
    "guide/gpu": ["gpu", "cuda"],
    "guide/glossary": ["severity", "glossary", "intensification rate"],
    "guide/coming_from": ["xclim", "pyedm", "neuralhydrology", "spei", "spi"],
    "guide/references": ["cite", "citation", "bibtex"],
    "guide/what_is_refused": ["error", "valueerror", "warnings"],
}


def add_words(app: Any, docname: str, source: list[str]) -> None:
    """Put the words of a page into the index, below its title; for Sphinx's event `source-read`."""
    words = [f"! {word}" for word in WORDS.get(docname, [])]
    if not words:
        return
    if app.env.doc2path(docname).suffix == ".md":
        entries = "```{index} " + ", ".join(words) + "\n```"
        source[0] = re.sub(r"^(# .*)$", rf"\1\n\n{entries}", source[0], count=1, flags=re.MULTILINE)
    else:
        source[0] = ".. index:: " + ", ".join(words) + "\n\n" + source[0]
