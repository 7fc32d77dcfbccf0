"""The reports of the documentation: the simulated twin and the FLUXNET2015 towers of the data folder.

    XDROUGHT_DATA_DIR=<folder> python docs/studies/reproduce_docs.py [twin|fluxnet|choices]

Writes ``docs/_static/report_*.html`` and the tables of ``docs/studies/reproduction.md``. What took long is
kept in ``--work``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import warnings
from pathlib import Path

import matplotlib
import pandas as pd

from xdrought.reproduction import ReportSettings, reproduce
from xdrought.reproduction.modes import choices
from xdrought.reproduction.page import HEADS
from xdrought.reproduction.results import QUICK

matplotlib.use("Agg")
DOCS = Path(__file__).parents[2] / "docs"
TOWERS = dataclasses.replace(QUICK, runs=3)  # one cell instead of maps: cheap enough for one more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", default=["twin", "fluxnet"], choices=["twin", "fluxnet", "choices"])
    parser.add_argument("--work", type=Path, default=Path("reproduction"))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in chosen.which:
        if name == "choices":
            (DOCS / "_include" / "choices.md").write_text(choices_as_markdown(), encoding="utf-8")
            continue
        data = None if name == "twin" else Path(os.environ["XDROUGHT_DATA_DIR"]) / "fluxnet2015"
        settings: ReportSettings = QUICK if name == "twin" else TOWERS
        report = reproduce(data, chosen.work / name, settings=settings)
        shutil.copy(report, DOCS / "_static" / f"report_{name}.html")
        found = pd.read_csv(report.with_name("findings.csv"), keep_default_na=False)
        (DOCS / "_include" / f"findings_{name}.md").write_text(as_markdown(found), encoding="utf-8")


def choices_as_markdown() -> str:
    """The choices of this package, the paper and the released code."""
    frame = choices().reset_index()
    return table([frame.columns.tolist(), ["---"] * frame.shape[1], *frame.to_numpy().tolist()])


def as_markdown(found: pd.DataFrame) -> str:
    rows = [list(HEADS), ["---"] * len(HEADS), *found.astype(str).to_numpy().tolist()]
    return table(rows)


def table(rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"


if __name__ == "__main__":
    main()
