"""The report of a morning as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import files
from xdrought.bulletin.desk import desk_table
from xdrought.public_functions import public

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #e4e4e4; text-align: right; }
th[scope=row] { text-align: left; font-weight: normal; } figure { margin: 1.5rem 0; } img { max-width: 100%; }
figcaption { font-size: 0.85rem; color: #444; } .note { background: #fff3cd; padding: 0.6rem 1rem; }
"""
_HEADS = {
    "is_alarm": "alarm",
    "flash_onset_probability": "P(onset)",
    "observed_frequency": "came true in the past",
    "n_in_bin": "on so many days",
    "season_frequency": "the season's frequency",
    "percentile_frequency": "today's percentile's",
    "percentile": "percentile",
    "drought_class": "class",
    "days_since_onset": "days since the last wet one",
    "provisional_days": "provisional days",
}
_PAST = {
    "past_pod": "Past droughts announced",
    "past_false_alarms_per_year": "False alarms per site and year",
    "past_brier_skill": "Brier skill against the season",
}


@public
def write_desk_page(
    report: xr.Dataset,
    path: str | Path,
    *,
    title: str = "Flash drought desk",
    note: str | None = None,
    pictures: Mapping[str, Figure | SubFigure] | None = None,
    at_most: int = 20,
) -> None:
    """Write a report as a page: what is most probable where, what such warnings were worth, and pictures.

    Parameters
    ----------
    report : xarray.Dataset
        From :func:`desk_report`.
    path : str or pathlib.Path
        The HTML file. It is replaced only when the new one is complete; its folder is made.
    title : str
        The heading, to which the day is added.
    note : str, optional
        What readers must know first, e.g. that the data are simulated.
    pictures : mapping of str to matplotlib.figure.Figure, optional
        Caption and figure; they are stored inside the file.
    at_most : int
        Rows of the table.

    Raises
    ------
    ValueError
        For a report without probabilities.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, xarray as xr
    >>> from xdrought.bulletin import write_desk_page
    >>> p = xr.DataArray([0.1, 0.4], {"site": ["A", "B"], "time": np.datetime64("2012-06-01", "s")}, "site")
    >>> page = pathlib.Path(tempfile.mkdtemp()) / "today.html"
    >>> write_desk_page(p.to_dataset(name="flash_onset_probability"), page)
    >>> "<h1>Flash drought desk, 1 June 2012</h1>" in page.read_text(encoding="utf-8")
    True
    """
    table = desk_table(report, at_most=at_most)
    day = _words(report["time"]) if "time" in report.coords else ""
    heading = escape(f"{title}, {day}" if day else title)
    body = [f"<h1>{heading}</h1>"]
    body += [f'<p class="note">{escape(note)}</p>'] if note else []
    body += [f"<p>{sentence}</p>" for sentence in _sentences(report)]
    body += [_figure(caption, figure) for caption, figure in (pictures or {}).items()]
    body += ["<h2>Where an onset is most probable</h2>", _table(table)]
    if "n_in_bin" in report:
        body.append("<p>Came true: the share of past days with a probability like today's that an onset followed.</p>")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{heading}</title>'
    text = f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n'
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as part:
        part.write_text(text + "\n".join(body) + "\n</body></html>\n", encoding="utf-8")


def _words(day: xr.DataArray) -> str:
    date = pd.Timestamp(day.item())
    return f"{date.day} {date:%B %Y}"


def _sentences(report: xr.Dataset) -> list[str]:
    """What the numbers are of, how many alarms there are, and what they were worth."""
    probability = report["flash_onset_probability"]
    result = []
    if "valid_until" in report.coords:
        result.append(f"P(onset) is the probability that a flash drought begins by {_words(report['valid_until'])}.")
    if "is_alarm" in report:
        n, known = int(report["is_alarm"].sum()), int(probability.notnull().sum())
        result.append(f"Alarms, from {float(report['threshold']):.2f} on: {n} of {known} places.")
    for name, text in _PAST.items():
        if name in report:
            ends = [float(report[f"{name}_{end}"]) for end in ("lower", "upper") if f"{name}_{end}" in report]
            interval = f" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else ""
            result.append(f"{text}: {float(report[name]):.2f}{interval}.")
    return result


def _figure(caption: str, figure: Figure | SubFigure) -> str:
    held = io.BytesIO()
    figure.figure.savefig(held, format="png", dpi=120, bbox_inches="tight")
    data, text = base64.b64encode(held.getvalue()).decode("ascii"), escape(caption, quote=True)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _table(frame: pd.DataFrame) -> str:
    heads = "".join(f"<th>{escape(_HEADS.get(name, str(name)))}</th>" for name in frame.columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:g}" if float(value).is_integer() else f"{value:.2f}"
    return str(value)
