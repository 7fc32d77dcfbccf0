"""Is what is tested known from another place: the same series, or the same spot, under another name?"""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdrought.forecast.certificate.correlation import pairwise_correlation
from xdrought.forecast.certificate.evidence import Evidence, shown
from xdrought.forecast.certificate.findings import ABSENT, LEAK, PASSED, UNKNOWN, Finding
from xdrought.splits import EARTH_RADIUS

NEARLY_SAME, COMMON = 0.98, 60  # correlation of changes from day to day, and days for it
ROWS = 256  # places at a time


def check_same_series(evidence: Evidence) -> Finding:
    """Do the tested days of a place lie in the training of another with nearly the same target?"""
    looked_at = f"day-to-day changes of {evidence.target!r} at every two places, of which one learns what the other is tested on"  # noqa: E501
    changes = np.diff(evidence.series(evidence.target), axis=1)
    highest, twins = -np.inf, []
    learnt, tested = (days.astype("float32") for days in (evidence.learnt, evidence.tested))
    rows = np.flatnonzero(tested.any(axis=1))
    for first in range(0, rows.size, ROWS):
        some = rows[first : first + ROWS]
        shared = tested[some] @ learnt.T > 0  # (tested place, learning place)
        shared[np.arange(some.size), some] = False
        if not shared.any():
            continue
        r, n = pairwise_correlation(changes[some], changes)
        r = np.where(shared & (n >= COMMON) & np.isfinite(r), np.abs(r), -np.inf)
        highest = max(highest, float(r.max()))
        twins += [(int(some[i]), int(j)) for i, j in np.argwhere(r >= NEARLY_SAME)]
    if highest == -np.inf:
        return Finding("same series", ABSENT, looked_at, "no place learns on the days on which another is tested")
    numbers = {"highest correlation": highest, "pairs": len(twins)}
    if twins:
        return Finding(
            "same series", LEAK, looked_at, f"places that are nearly the same: {_pairs(twins, evidence)}", numbers
        )  # noqa: E501
    return Finding("same series", PASSED, looked_at, "places that differ", numbers)


def check_same_location(evidence: Evidence, near_km: float) -> Finding:
    """Is a place that is held out at the spot of one that is learnt from?"""
    looked_at = f"distance of every place that is held out from those of training, at least {near_km:g} km"
    learns, held_out = evidence.learnt.any(axis=1), evidence.tested.any(axis=1)
    held_out &= ~learns
    if not held_out.any():
        return Finding("same location", ABSENT, looked_at, "no place is held out")
    points = _on_sphere(evidence)
    if points is None:
        return Finding("same location", UNKNOWN, looked_at, "places without the coordinates lat and lon")
    from scipy.spatial import cKDTree

    sources, others = np.flatnonzero(learns), np.flatnonzero(held_out)
    chord, nearest = cKDTree(points[sources]).query(points[others])
    km = 2 * EARTH_RADIUS * np.arcsin(np.clip(chord / 2, 0, 1))
    numbers = {"nearest (km)": float(km.min())}
    if (km < near_km).any():
        pairs = [(int(i), int(sources[j])) for i, j, d in zip(others, nearest, km, strict=True) if d < near_km]
        return Finding("same location", LEAK, looked_at, f"the same spot: {_pairs(pairs, evidence)}", numbers)
    return Finding("same location", PASSED, looked_at, "places apart", numbers)


def _on_sphere(evidence: Evidence) -> np.ndarray | None:
    """(places, 3) on the unit sphere."""
    data = evidence.central
    if not {"lat", "lon"} <= set(data.coords):
        return None
    like = data[evidence.target].isel({evidence.time: 0}, drop=True)
    lat, lon = (
        np.deg2rad(xr.broadcast(data[n], like)[0].transpose(*evidence.places).to_numpy().ravel())
        for n in ("lat", "lon")
    )  # noqa: E501
    if not (np.isfinite(lat).all() and np.isfinite(lon).all()):
        return None
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _pairs(pairs: list[tuple[int, int]], evidence: Evidence) -> str:
    names = evidence.place_names
    return shown([f"{names[i]} = {names[j]}" for i, j in pairs], 3)
