"""Make xdrought/plot/coastline.npz and borders.npz: coasts and borders as lines, for maps drawn without a download.

Source: Natural Earth 1:110m land and countries (public domain) as TopoJSON in the npm package world-atlas 2.0.2 (ISC).
Run from the repository root:

    python ci/make_coastline.py                       # fetches the package with `npm pack`
    python ci/make_coastline.py --source package      # the folder of land-110m.json and countries-110m.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "world-atlas@2.0.2"
SHA256 = {
    "land-110m.json": "ead5f68119c49a9250902e7da303bcb209341bbb8fefe7369a439b48b704658a",
    "countries-110m.json": "2516c915867c7baf18ddec727aec46c315541a07cfb3d79a6559b05d5e94eee8",
}
TARGET = Path(__file__).resolve().parent.parent / "xdrought" / "plot"


def fetch(name: str) -> bytes:
    """One file of the pinned npm package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE], cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"package/{name}")
            assert member is not None, f"{PACKAGE} holds no {name}"
            return member.read()


def read(name: str, source: Path | None) -> dict[str, Any]:
    """The topology of one file, from a folder or the package, if it is the one that is meant."""
    raw = (source / name).read_bytes() if source else fetch(name)
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"make_coastline: expected {name} of {PACKAGE} (sha256 {SHA256[name]}), found {found}")
    return json.loads(raw)


def arcs_of(topology: dict[str, Any], what: str) -> Counter[int]:
    """How many times each arc bounds something; an index ~i means arc i walked backwards."""
    count: Counter[int] = Counter()
    for geometry in topology["objects"][what]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        count.update(i if i >= 0 else ~i for polygon in polygons for ring in polygon for i in ring)
    return count


def decode(topology: dict[str, Any], arc: int) -> np.ndarray:
    """Longitude and latitude of one arc, (point, 2), from its quantised differences."""
    scale, translate = (np.asarray(topology["transform"][key]) for key in ("scale", "translate"))
    return np.cumsum(np.asarray(topology["arcs"][arc]), axis=0) * scale + translate


def split_at_date_line(line: np.ndarray) -> list[np.ndarray]:
    """Cut a line where it steps over 180 degrees, and drop steps that run along it (seams, not coast)."""
    pieces, piece = [], [line[0]]
    for a, b in zip(line[:-1], line[1:], strict=True):
        if abs(a[0]) == 180 and abs(b[0]) == 180:
            pieces.append(piece)
            piece = [b]
        elif abs(b[0] - a[0]) > 180:
            edge = np.copysign(180.0, a[0] - b[0])  # the side of the date line that is left
            across = b[0] + 2 * edge - a[0]
            weight = (edge - a[0]) / across if across else 0.0
            lat = a[1] + weight * (b[1] - a[1])
            pieces.append([*piece, np.array([edge, lat])])
            piece = [np.array([-edge, lat]), b]
        else:
            piece.append(b)
    return [cleaned for each in [*pieces, piece] if len(cleaned := _without_repeats(np.array(each))) > 1]


def _without_repeats(line: np.ndarray) -> np.ndarray:
    return line[np.r_[True, (np.diff(line, axis=0) != 0).any(axis=1)]]


def coastline(topology: dict[str, Any]) -> list[np.ndarray]:
    """All coastline segments, each (point, 2), none over the date line."""
    return [segment for arc in arcs_of(topology, "land") for segment in split_at_date_line(decode(topology, arc))]


def borders(topology: dict[str, Any]) -> list[np.ndarray]:
    """Segments that two countries share, each (point, 2)."""
    shared = [arc for arc, count in arcs_of(topology, "countries").items() if count == 2]
    return [segment for arc in shared for segment in split_at_date_line(decode(topology, arc))]


def write(segments: list[np.ndarray], target: Path) -> None:
    """Store the segments one after another; `start` is the index of each segment's first point."""
    lengths = [len(segment) for segment in segments]
    points = np.concatenate(segments).round(2).astype("float32")
    start = np.r_[0, np.cumsum(lengths)[:-1]].astype("int32")
    np.savez_compressed(target, lon=points[:, 0], lat=points[:, 1], start=start)
    print(f"{target.name}: {len(segments)} segments, {len(points)} points, {target.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="folder of the two files; without it the package is fetched")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder to write to")
    options = parser.parse_args()
    write(coastline(read("land-110m.json", options.source)), options.target / "coastline.npz")
    write(borders(read("countries-110m.json", options.source)), options.target / "borders.npz")


if __name__ == "__main__":
    main()
