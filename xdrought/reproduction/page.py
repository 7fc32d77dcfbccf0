"""One HTML file of chapters: findings first, then tables and pictures, and where each part of the paper is shown."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xdrought.reproduction.findings import CONTRADICTED, SUPPORTED, Chapter, Figure, Table
from xdrought.reproduction.published import SHOWN, Shown

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #e4e4e4; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure, .table { margin: 1.5rem 0; overflow-x: auto; } img { max-width: 100%; height: auto; }
figcaption, caption { font-size: 0.85rem; color: #444; text-align: left; caption-side: top; padding-bottom: 0.3rem; }
.simulated { background: #fff3cd; padding: 0.6rem 1rem; } .left-out { color: #8a4b00; }
.supported { color: #006b4f; font-weight: 600; } .contradicted { color: #b03a00; font-weight: 600; }
nav a { margin-right: 1rem; white-space: nowrap; }
"""


def write_page(
    title: str,
    summary: str,
    chapters: Sequence[Chapter],
    left_out: Mapping[str, str],
    of_paper: pd.DataFrame,
    facts: Mapping[str, Any],
) -> str:
    """The report as text of one HTML file.

    Parameters
    ----------
    title, summary : str
        Plain text and HTML.
    chapters : sequence of Chapter
        In the order of the page.
    left_out : mapping of str to str
        Chapters that could not be had, and why.
    of_paper : pandas.DataFrame
        From :func:`xdrought.reproduction.page.contents`.
    facts : mapping
        Settings and versions, at the end.

    Returns
    -------
    str
    """
    body = [f"<h1>{escape(title)}</h1>", summary, _contents(chapters), _findings(chapters), _left_out(left_out)]
    for chapter in chapters:
        body.append(f'<h2 id="{_anchor(chapter.title)}">{escape(chapter.title)}</h2>')
        body += [_item(item) for item in chapter.items]
    body.append('<h2 id="contents">What the paper shows, and where it is here</h2>')
    body.append(
        _table(Table(of_paper.set_index("in the paper"), "Every figure, table and number of paper and supplement."))
    )
    rows = "".join(f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
    body.append(f'<h2 id="settings">Settings and versions</h2><table>{rows}</table>')
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    document = f'<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n{_joined(body)}</body></html>'
    return f"<!doctype html>\n{document}\n"


def findings_table(chapters: Sequence[Chapter]) -> pd.DataFrame:
    """All findings, one row each."""
    rows = [vars(finding) for chapter in chapters for finding in chapter.findings]
    return pd.DataFrame(rows, columns=["where", "statement", "paper", "ours", "verdict", "departures"])


HEADS = ("Where", "Statement", "Paper", "Here", "Verdict", "Other or smaller here")


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part for part in parts if part) + "\n"


def _contents(chapters: Sequence[Chapter]) -> str:
    links = [f'<a href="#{_anchor(c.title)}">{escape(c.title)}</a>' for c in chapters]
    links.append('<a href="#contents">What the paper shows</a>')
    return f"<nav>{' '.join(links)}</nav>"


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")


def _findings(chapters: Sequence[Chapter]) -> str:
    rows = [
        "<tr>"
        + "".join(f"<td>{escape(text)}</td>" for text in (f.where, f.statement, f.paper, f.ours))
        + f'<td class="{f.verdict if f.verdict in (SUPPORTED, CONTRADICTED) else ""}">{escape(f.verdict)}</td>'
        + f"<td>{escape(f.departures)}</td></tr>"
        for chapter in chapters
        for f in chapter.findings
    ]
    head = "".join(f"<th>{name}</th>" for name in HEADS)
    caption = "Every statement that these data can speak to. Brackets are 95 % intervals."
    table = f"<table><caption>{caption}</caption><tr>{head}</tr>{''.join(rows)}</table>"
    return f'<h2 id="findings">Findings</h2><div class="table">{table}</div>'


def _left_out(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    rows = "".join(f"<li><strong>{escape(name)}</strong>: {escape(why)}</li>" for name, why in left_out.items())
    return f'<p>Left out:</p><ul class="left-out">{rows}</ul>'


def _item(item: str | Table | Figure) -> str:
    if isinstance(item, str):
        return f"<p>{item}</p>"
    return _table(item) if isinstance(item, Table) else _figure(item)


def _table(table: Table) -> str:
    frame = table.frame.reset_index()
    head = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    rows = ["<tr>" + "".join(_cell(value, table) for value in row) + "</tr>" for row in frame.itertuples(index=False)]
    caption = f"<caption>{escape(table.caption)}</caption>"
    return f'<div class="table"><table>{caption}<tr>{head}</tr>{"".join(rows)}</table></div>'


def _cell(value: Any, table: Table) -> str:
    if isinstance(value, bool | np.bool_):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, float | np.floating):
        text = f"{value:.{table.digits}f}" if np.isfinite(value) else "–"
        return f'<td class="number"{_colour(float(value)) if table.coloured else ""}>{text}</td>'
    if isinstance(value, int | np.integer):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape('' if value is None else str(value))}</td>"


def _colour(value: float) -> str:
    """Red over yellow to green for 0 to 1, as in the paper's table."""
    if not np.isfinite(value):
        return ""
    hue = 120 * min(max(value, 0.0), 1.0)
    return f' style="background: hsl({hue:.0f} 70% 82%)"'


def _figure(figure: Figure) -> str:
    data = base64.b64encode(figure.png).decode()
    caption = escape(figure.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def contents(
    chapters: Sequence[Chapter], left_out: Mapping[str, str], *, shown: Mapping[str, Shown] = SHOWN
) -> pd.DataFrame:
    """One row for each thing that the paper or its supplement shows.

    Parameters
    ----------
    chapters : sequence of Chapter
        What was written.
    left_out : mapping of str to str
        Chapters that were not, and why.
    shown : mapping of str to Shown
        What the paper shows.

    Returns
    -------
    pandas.DataFrame
        `in the paper`, `what`, `here`: a chapter's title, or "not here: " and the reason.

    Raises
    ------
    RuntimeError
        When something is neither there nor named with a reason.
    """
    there = {name: chapter.title for chapter in reversed(chapters) for name in chapter.shown}
    why = {name: reason for chapter in chapters for name, reason in chapter.lacking.items()}
    rows, silent = [], []
    for name, item in shown.items():
        if name in there:
            here = there[name]
        elif name in why or item.chapter in left_out:
            here = f"not here: {why.get(name) or left_out[item.chapter]}"
        else:
            silent.append(name)
            continue
        rows.append({"in the paper": name.replace("Number ", "number: "), "what": item.what, "here": here})
    if silent:
        raise RuntimeError(
            f"the report is silent about {silent}; a chapter names what it shows by `of`, or why it does not by `lack`"
        )
    return pd.DataFrame(rows)
