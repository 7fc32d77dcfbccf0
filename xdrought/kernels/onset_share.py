"""Of several forecast paths, the share in which a flash drought begins; numpy only, the last axis is time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OnsetRule:
    """A fall from above `upper` to below `lower`, percentiles, at `min_rate` percentile a day or faster."""

    upper: float
    lower: float
    min_rate: float
    max_onset: float
    wet_at_upper: bool = False
    dry_at_lower: bool = False


class _Fall:
    """Where a series is in its fall: days since it was last wet, its percentile then, whether dry since then."""

    def __init__(self, shape: tuple[int, ...]):
        self.days, self.top = np.full(shape, np.inf), np.full(shape, np.nan)
        self.dried = np.zeros(shape, bool)

    def step(self, p: np.ndarray, rule: OnsetRule) -> np.ndarray:
        """Go on by a day; True where a flash drought begins on it. A missing day forgets what was before."""
        wet = p >= rule.upper if rule.wet_at_upper else p > rule.upper
        dry = p <= rule.lower if rule.dry_at_lower else p < rule.lower
        days = self.days + 1
        begins = dry & ~self.dried & (days <= rule.max_onset) & np.isfinite(days)
        begins &= self.top - p >= rule.min_rate * np.where(begins, days, 0)
        known = ~np.isnan(p)
        self.days = np.where(wet, 0.0, np.where(known, days, np.inf))
        self.top = np.where(wet, p, np.where(known, self.top, np.nan))
        self.dried = (self.dried | dry) & ~wet & known
        return begins


def flash_onset_share(
    observed: np.ndarray, members: np.ndarray, lead: int, latency: int, rule: OnsetRule
) -> np.ndarray:
    """Share of the members that begin a flash drought in the `lead` days after issue, by the last of these days.

    Parameters
    ----------
    observed : numpy.ndarray
        (..., T) percentiles; known on the day of issue up to `latency` days before.
    members : numpy.ndarray
        (run, ..., T + lead) percentiles by valid day, each issued `lead` days before.
    lead, latency : int
        Days.
    rule : OnsetRule
        What begins a flash drought.

    Returns
    -------
    numpy.ndarray
        float64 (..., T + lead). NaN where the last observation or a day of some path is missing.
    """
    n_days = observed.shape[-1]
    out = np.full(members.shape[1:], np.nan)
    first = max(latency, 0)
    if n_days <= first:
        return out
    past = _Fall(observed.shape[:-1])
    states = []
    for day in range(n_days):
        past.step(observed[..., day], rule)
        states.append((past.days, past.top, past.dried))
    issue = np.arange(first, n_days)
    known = issue - latency
    path = _Fall(())
    path.days, path.top, path.dried = (np.stack(each, axis=-1)[..., known] for each in zip(*states, strict=True))
    begun = np.zeros((len(members), *observed.shape[:-1], len(issue)), bool)
    whole = np.broadcast_to(np.isfinite(observed[..., known]), begun.shape).copy()
    for ahead in range(1 - latency, lead + 1):
        p = members[..., issue + ahead]
        whole &= np.isfinite(p)
        begins = path.step(p, rule)
        if ahead > 0:
            begun |= begins
    out[..., issue + lead] = np.where(whole.all(axis=0), begun.mean(axis=0), np.nan)
    return out
