"""What is given beside the data: the record that percentiles refer to, weather forecasts, and an alarm's threshold."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.forecast.options import FORECASTS, WORDS
from xdrought.leakage.audited_data import Audit, shown
from xdrought.leakage.future_checks import COMMON, COPY, pairwise_correlation
from xdrought.leakage.report import ABSENT, LEAK, PASSED, UNKNOWN, Finding
from xdrought.splits import PARTS
from xdrought.verification.probability import binary_scores
from xdrought.windows.selection import INIT, LEAD

ISSUED = (INIT, "forecast_reference_time", "issue_time")  # names of coordinates that hold the time of issue
STANDARD_NAME = "forecast_reference_time"  # CF


def check_reference(audit: Audit, reference: xr.DataArray | None) -> Finding:
    """Is the record that percentiles are ranked against free of days that are tested, and of later ones?"""
    observed = audit.central[audit.target]
    looked_at = "the record that percentiles of the target are ranked against"
    if reference is None:
        days = audit.forecaster.splits.training_days(observed[audit.time])
        reference, words = observed.where(days.drop_vars("part", errors="ignore")), "the training days (the default)"
    else:
        words = "days before the first tested one"
    if audit.time not in reference.dims or audit.time not in reference.indexes:
        words = f"a record without {audit.time!r}, whose days are not known"
        return Finding("reference", UNKNOWN, looked_at, words)
    used = reference.notnull()
    tested = audit.days_of("the tested days", audit.central)
    first = tested[audit.time].where(tested).min([audit.time], skipna=True)  # NaT where nothing is tested
    n_tested = int((used & tested).sum())  # on their common labels
    n_later = int((used & (used[audit.time] >= first)).sum()) - n_tested
    numbers = {"values": int(used.sum()), "tested values among them": n_tested, "later values among them": n_later}
    if n_tested or n_later:
        return Finding("reference", LEAK, looked_at, "days of validation or test, or later ones", numbers)
    return Finding("reference", PASSED, looked_at, words, numbers)


def check_issue_times(audit: Audit, ds: xr.Dataset, forcing: xr.Dataset | None) -> Finding:
    """Were weather forecasts issued on the day of issue or before, and are they no observations?"""
    looked_at = "times of issue that drivers and forcing carry, and forcing beside what was observed"
    given = list(_driver_issue_times(audit, ds))
    late = [f"{name} on {n} days" for name, n in given if n]
    if forcing is not None:
        problem = _forcing_problem(forcing)
        if problem:
            return Finding("issue times", UNKNOWN, looked_at, problem)
        late += [f"forcing on {n} days" for n in [_late_forcing(forcing)] if n]
    if late:
        words = f"forecasts that were issued after the day of issue: {shown(late)}"
        return Finding("issue times", LEAK, looked_at, words)
    copies = [] if forcing is None else _observed_forcing(audit, forcing)
    if copies:
        return Finding("issue times", LEAK, looked_at, f"observations, no forecasts: {shown(copies)}")
    if not given and forcing is None:
        return Finding("issue times", ABSENT, looked_at, "no driver or forcing with a time of issue")
    return Finding("issue times", PASSED, looked_at, "issued on the day of issue or before")


def check_lead_weather(audit: Audit, forcing: xr.Dataset | None) -> Finding:
    """Where does the forecaster have the weather of the lead days from?"""
    ahead = audit.forecaster.ahead
    looked_at = "where the training had the weather of the lead days from"
    if not ahead.future:
        return Finding("weather ahead", ABSENT, looked_at, "nowhere: it is not used")
    words = f"{', '.join(map(str, ahead.future))}: {WORDS[ahead.forcing]}"
    if ahead.forcing == FORECASTS and forcing is None:
        return Finding("weather ahead", UNKNOWN, looked_at, f"{words}, which are not given: give forcing=")
    return Finding("weather ahead", PASSED, looked_at, words)


def _driver_issue_times(audit: Audit, ds: xr.Dataset) -> Iterator[tuple[Hashable, int]]:
    """Drivers that carry a time of issue, and the number of days before which it lies in the future."""
    for name in audit.forecaster.drivers:
        for issued in _issue_coordinates(ds[name]):
            if audit.time in issued.dims and issued.name != audit.time:
                yield name, int((issued > ds[audit.time]).sum())


def _issue_coordinates(da: xr.DataArray | xr.Dataset) -> list[xr.DataArray]:
    """Coordinates that say when a forecast was issued, by their CF standard name or their usual names."""
    return [
        coord
        for name, coord in da.coords.items()
        if (name in ISSUED or coord.attrs.get("standard_name") == STANDARD_NAME) and coord.dtype.kind in "MO"
    ]


def _forcing_problem(forcing: xr.Dataset) -> str:
    """Why nothing can be said of forcing, or ''."""
    if not {INIT, LEAD} <= set(forcing.dims) or not {INIT, LEAD} <= set(forcing.coords):
        return f"forcing on {tuple(forcing.dims)}; give dimensions {INIT!r} and {LEAD!r} with their coordinates"
    if forcing[LEAD].dtype.kind != "m":
        return f"{LEAD!r} holds {forcing[LEAD].dtype}; give timedeltas"
    return ""


def _late_forcing(forcing: xr.Dataset) -> int:
    """Days of issue for which forcing was issued later, or reaches back before its own time of issue."""
    labels = forcing[INIT]
    late = xr.zeros_like(labels, dtype=bool)
    for issued in _issue_coordinates(forcing):
        if INIT in issued.dims and issued.name != INIT:
            late |= issued > labels
    if (forcing[LEAD] < np.timedelta64(0, "s")).any():
        late |= True
    for name in ("valid_time", "time"):
        if name in forcing.coords and set(forcing[name].dims) == {INIT, LEAD}:
            late |= (forcing[name] - forcing[LEAD] > labels).any(LEAD)
    return int(late.sum())


def _observed_forcing(audit: Audit, forcing: xr.Dataset) -> list[str]:
    """Variables of the forcing that are what was observed later, at some lead of a day or more."""
    copies = []
    for name in (name for name in audit.forecaster.drivers if name in forcing.data_vars):
        values = forcing[name].isel(member=0) if "member" in forcing[name].dims else forcing[name]
        for lead in forcing[LEAD].values[forcing[LEAD].values >= np.timedelta64(1, "D")]:
            ahead = (
                values.sel({LEAD: lead}).assign_coords({INIT: forcing[INIT].values + lead}).rename({INIT: audit.time})
            )
            ahead, observed = xr.align(ahead, audit.central[name], join="inner")
            if set(ahead.dims) != set(observed.dims) or ahead.sizes[audit.time] < COMMON:
                continue
            r, n = pairwise_correlation(audit.rows(ahead), audit.rows(observed))
            if ((np.diag(r) >= COPY) & (np.diag(n) >= COMMON)).any():
                copies.append(f"{name} {pd.Timedelta(lead).days} days ahead")
                break
    return copies


Score = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


SCORES = ("csi", "f1", "peirce")


@dataclass(frozen=True, eq=False)
class AlarmThreshold:
    """A probability from which on an alarm is given, and the forecasts that it was chosen for.

    Parameters
    ----------
    value : float
        An alarm is given where the probability is at least this.
    probability, occurred : xarray.DataArray
        The forecasts, and whether what they announce came true, on the places and the valid time. NaN forecasts are
        left out.
    score : str or callable
        What the choice made as large as possible: "csi", "f1", "peirce", or a function of the numbers of hits, false
        alarms, misses and correct negatives.

    Raises
    ------
    ValueError
        For an unknown score, or a value that is no probability.
    """

    value: float
    probability: xr.DataArray
    occurred: xr.DataArray
    score: str | Score = "csi"

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise ValueError(f"value={self.value!r}; it is a probability, from 0 to 1")
        if not callable(self.score) and self.score not in SCORES:
            raise ValueError(
                f"score={self.score!r} is unknown; give one of {list(SCORES)}, or a function of four counts"
            )

    def scores(self, days: xr.DataArray) -> tuple[float, float]:
        """The score of this threshold on some days, and that of the best one there; NaN where neither can be had."""
        probability, occurred, days = xr.align(self.probability, self.occurred.astype(bool), days, join="inner")
        chosen = (probability.notnull() & days).broadcast_like(probability).transpose(*probability.dims)
        p = probability.to_numpy()[chosen.to_numpy()]
        yes = occurred.transpose(*probability.dims).to_numpy()[chosen.to_numpy()]
        if not yes.any() or yes.all():
            return np.nan, np.nan
        thresholds = np.unique(p)  # the alarms of any threshold are those of one of these
        order = np.argsort(p)
        first = np.searchsorted(p[order], [*thresholds, self.value])  # alarms are given from here on
        hits = np.r_[np.cumsum(yes[order][::-1])[::-1], 0][first]
        alarms, misses = p.size - first, yes.sum() - hits
        counts = (hits, alarms - hits, misses, p.size - alarms - misses)
        with np.errstate(divide="ignore", invalid="ignore"):
            if callable(self.score):
                each = self.score(*counts)
            else:
                each = binary_scores(np.stack(counts, axis=-1))[self.score][0]
        return float(each[-1]), float(np.nanmax(each))


def check_threshold(audit: Audit, threshold: AlarmThreshold | None) -> Finding:
    """Is the alarm's threshold the best one of training or validation, or that of the test part?"""
    looked_at = "the score of the threshold in every part, beside the best one that any threshold has there"
    if threshold is None:
        return Finding("threshold", ABSENT, looked_at, "no threshold is given")
    times = threshold.occurred[audit.time]
    masks = {part: audit.forecaster.splits.mask(part, times) for part in PARTS}
    masks = {part: mask.drop_vars("part", errors="ignore") for part, mask in masks.items()}
    masks["all days"] = xr.ones_like(masks["test"])
    loss = {part: np.subtract(*threshold.scores(mask)[::-1]) for part, mask in masks.items()}
    numbers = {f"below the best in {part}": float(value) for part, value in loss.items()}
    best_in = [part for part, value in loss.items() if value <= 1e-12]
    for part in ("val", "train"):
        if part in best_in:
            return Finding("threshold", PASSED, looked_at, f"the best one in {part}", numbers)
    if best_in:
        return Finding("threshold", LEAK, looked_at, f"the best one in {best_in[0]}", numbers)
    return Finding("threshold", UNKNOWN, looked_at, "the best one in no part", numbers)
