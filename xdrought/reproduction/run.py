"""The paper's tables and figures from a folder of data, in one report."""

from __future__ import annotations

import dataclasses
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought import files
from xdrought.choices import Mode
from xdrought.reproduction.chapters import CHAPTERS
from xdrought.reproduction.findings import RULE, Chapter, LeftOut
from xdrought.reproduction.modes import settings_of
from xdrought.reproduction.page import contents, findings_table, write_page
from xdrought.reproduction.results import QUICK, ReportSettings, Results, SiteData, open_source
from xdrought.study.result_cache import ResultCache, logger

SIMULATED = '<p class="simulated"><strong>Simulated data.</strong> Nothing here was observed.</p>'


def reproduce(
    data: str | Path | None,
    out: str | Path,
    *,
    quick: bool = False,
    mode: Mode = "default",
    settings: ReportSettings | None = None,
) -> Path:
    """Every table and figure of the paper that the data can give, each beside the paper's value, in one HTML file.

    Parameters
    ----------
    data : str, pathlib.Path or None
        A folder of FLUXNET2015 files (or one that holds ``fluxnet2015/``), one netCDF file or zarr store of sites with
        maps (see :func:`xdrought.data.collocate.collocate`), or None for the simulated twin.
    out : str or pathlib.Path
        Folder for ``report.html``, ``findings.csv``, ``contents.csv`` (where each figure, table and number of the paper
        is in the report, or why it is not) and, under ``cache``, everything that took long. A stopped run goes on from
        there; other settings or data make their results anew.
    quick : bool
        Small networks and few epochs: minutes on two cores instead of days.
    mode : {"default", "paper", "released"}
        Whose choices are made where this package, the paper and the released code differ; the report lists them.
        "default" trains both equations.
    settings : ReportSettings, optional
        How to train and explain; by default the paper's, or with `quick` small ones.

    Returns
    -------
    pathlib.Path
        The report.

    Notes
    -----
    Progress goes to the logger ``xdrought``: ``logging.basicConfig(level="INFO")`` shows it.

    Raises
    ------
    FileNotFoundError
        When there are no such data.
    ValueError
        For an unknown mode, for data that lack soil moisture on (site, time), or that keep fewer than two sites.

    Examples
    --------
    >>> from xdrought.reproduction import reproduce
    >>> reproduce(None, "twin_report", quick=True)  # doctest: +SKIP
    """
    began, folder = time.perf_counter(), Path(out)
    settings = settings or (QUICK if quick else ReportSettings())
    settings = settings_of(mode, settings) if mode != settings.mode else settings
    source = open_source(data)
    settings = _with_a_period_that_is_there(settings, source)
    if source.ds.sizes["site"] < 2:
        raise ValueError(f"{source.name} keeps {source.ds.sizes['site']} site(s); differences need several")
    logger.info("%s: %d sites", source.name, source.ds.sizes["site"])
    cache = ResultCache(folder / "cache", _fingerprint(source))
    chapters, left_out = _written(Results(source, settings, cache))
    of_paper = contents(chapters, left_out)
    facts = {
        **_versions(),
        **dataclasses.asdict(settings),
        "CPU seconds of the results": round(cache.cpu_seconds),
    }
    title = f"Tang et al. (2025), from {source.name}"
    page = write_page(title, _summary(source, chapters), chapters, left_out, of_paper, facts)
    folder.mkdir(parents=True, exist_ok=True)
    findings_table(chapters).to_csv(folder / "findings.csv", index=False)
    of_paper.to_csv(folder / "contents.csv", index=False)
    report = folder / "report.html"
    with files.replacing(report) as part:
        part.write_text(page, encoding="utf-8")
    logger.info("%s (%.0f s)", report, time.perf_counter() - began)
    return report


def _with_a_period_that_is_there(settings: ReportSettings, source: SiteData) -> ReportSettings:
    """The settings with the first year of the data in place of a period of scaling that they lack."""
    period, days = settings.training.scaling_period, source.ds["time"].values
    if period is None or ((days >= np.datetime64(period[0])) & (days <= np.datetime64(period[1]))).any():
        return settings
    first = str(days[0])[:10], str(days[min(364, days.size - 1)])[:10]
    return dataclasses.replace(settings, training=dataclasses.replace(settings.training, scaling_period=first))


def _written(results: Results) -> tuple[list[Chapter], dict[str, str]]:
    chapters, left_out = [], {}
    for write in CHAPTERS:
        began = time.perf_counter()
        name = write.__name__.replace("_", " ")
        try:
            chapters.append(write(results))
        except LeftOut as reason:
            left_out[name] = str(reason)
            logger.info("%s: left out, %s", name, reason)
        logger.info("%s: %.0f s", name, time.perf_counter() - began)
    return chapters, left_out


def _summary(source: SiteData, chapters: list[Chapter]) -> str:
    found = findings_table(chapters).verdict.value_counts()
    counts = ", ".join(f"{n} {verdict}" for verdict, n in found.items())
    text = (
        "Each statement of the paper that these data can speak to, beside what was found here, with its interval. Of "
        f"{int(found.sum())} findings: {counts}. {RULE} A verdict is of these data, with networks trained as said at "
        "the end; it is not one on the paper's own data, which were not available."
    )
    return (SIMULATED if source.is_simulated else "") + f"<p>{text}</p>"


def _fingerprint(source: SiteData) -> dict[str, Any]:
    """What makes kept results those of these data."""
    return {"source": source.name, "data": files.digest(source.ds[[*source.drivers, "soil_moisture"]])}


def _versions() -> dict[str, str]:
    import torch

    from xdrought import __version__

    return {
        "xdrought": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "xarray": xr.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
