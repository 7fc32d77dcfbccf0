"""Licences of all that an installation brings, from the packages' own metadata. Writes docs/_include/licences.md.

    python ci/licences.py

Exits with 1 when a licence is not known to be permissive (or, like MPL-2.0, to reach no further than its own files).
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "_include" / "licences.md"
EXTRAS = ("forecast", "plot", "distributed", "regions", "reference")
# words in metadata, by what they mean; the first that fits
MEANING = {
    "GPL": "GPL",
    "AGPL": "AGPL",
    "LGPL": "LGPL",
    "MPL-2.0": "MPL-2.0",
    "Mozilla Public License 2.0": "MPL-2.0",
    "Apache": "Apache-2.0",
    "BSD": "BSD",
    "MIT-CMU": "HPND",
    "MIT": "MIT",
    "PSF": "PSF-2.0",
    "Python Software Foundation": "PSF-2.0",
    "ISC": "ISC",
    "0BSD": "0BSD",
    "Zlib": "Zlib",
}
FREE = {"MPL-2.0", "Apache-2.0", "BSD", "HPND", "MIT", "PSF-2.0", "ISC", "0BSD", "Zlib"}


def plain(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[str]:
    """What pyproject.toml asks for, with the extras; the metadata of an editable installation may be older."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    return names_in(lines)


def names_in(lines: list[str]) -> list[str]:
    """Names of the requirements that hold here, without extras."""
    from packaging.requirements import Requirement

    found = [Requirement(line) for line in lines]
    return [plain(one.name) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def installed_with(names: list[str]) -> dict[str, Distribution]:
    """Packages and what they require, as far as they are installed."""
    seen: dict[str, Distribution] = {}
    todo = list(names)
    while todo:
        new = todo.pop()
        if new in seen:
            continue
        try:
            seen[new] = distribution(new)
        except PackageNotFoundError:
            continue
        todo += names_in(seen[new].requires or [])
    return dict(sorted(seen.items()))


def licence(package: Distribution) -> str:
    """In one word, or 'unknown'."""
    about = package.metadata
    classified = [line.rpartition("::")[2] for line in about.get_all("Classifier") or [] if line.startswith("License")]
    for text in (about.get("License-Expression"), *classified, about.get("License")):
        first = (text or "").strip()[:300]
        for word, meaning in MEANING.items():
            if re.search(rf"(?<![A-Za-z]){re.escape(word)}", first):
                return meaning
    return "unknown"


def main() -> int:
    asked = declared()
    found = {name: licence(package) for name, package in installed_with(asked).items()}
    if absent := [name for name in asked if name not in found]:
        print(f'not installed, so not read: {absent}; python -m pip install -e ".[all]"', file=sys.stderr)
        return 1
    kinds = {kind: [name for name, one in found.items() if one == kind] for kind in sorted(set(found.values()))}
    lines = ["| licence | packages |", "|---|---|", *(f"| {kind} | {', '.join(n)} |" for kind, n in kinds.items())]
    PAGE.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    unclear = {name: one for name, one in found.items() if one not in FREE}
    for name, one in unclear.items():
        print(f"{name}: {one}; read its licence and decide", file=sys.stderr)
    return int(bool(unclear))


if __name__ == "__main__":
    sys.exit(main())
