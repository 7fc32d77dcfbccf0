"""The table of physical limits as a page of the documentation.

    python docs/studies/what_is_refused.py

Writes docs/_include/limits.md from the table that the package itself checks against.
"""

from __future__ import annotations

from pathlib import Path

from xdrought.quantities import QUANTITIES

OUT = Path(__file__).parents[1] / "_include" / "limits.md"


def table() -> str:
    """A row for each quantity: its limits, why they are there, and the source."""
    rows = ["| quantity | lowest | highest | units | why | source |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {quantity.name} | {quantity.lower:g} | {quantity.upper:g} | {quantity.units} | {quantity.reason} | "
        f"{quantity.source} |"
        for quantity in QUANTITIES
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    OUT.write_text(table(), encoding="utf-8")
