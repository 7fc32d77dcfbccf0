"""Licences of all that an installation brings, from the packages' own metadata. Writes docs/_include/licences.md.

    python ci/licences.py

Exits with 1 when a licence is not known to be permissive (or, like MPL-2.0, to reach no further than its own files).
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "_include" / "licences.md"
EXTRAS = ("forecast", "plot", "distributed", "reference")
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


def needs(package: Distribution, extras: tuple[str, ...] = ()) -> list[str]:
    """Names of what a package requires here, with some of its extras."""
    from packaging.requirements import Requirement

    found = [Requirement(line) for line in package.requires or []]
    return [
        plain(one.name)
        for one in found
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def installed_with(name: str, extras: tuple[str, ...]) -> dict[str, Distribution]:
    """A package's requirements and theirs, as far as they are installed."""
    seen: dict[str, Distribution] = {}
    todo = needs(distribution(name), extras)
    while todo:
        new = todo.pop()
        if new in seen or new == name:
            continue
        try:
            seen[new] = distribution(new)
        except PackageNotFoundError:
            continue
        todo += needs(seen[new])
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
    found = {name: licence(package) for name, package in installed_with("xdrought", EXTRAS).items()}
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
