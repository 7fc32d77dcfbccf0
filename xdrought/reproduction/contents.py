"""Where the report has each figure, table and number of the paper, or why it has not; silence is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from xdrought.reproduction.findings import Chapter
from xdrought.reproduction.published import SHOWN, Shown


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
