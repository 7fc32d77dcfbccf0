"""Alarms: a threshold chosen on the validation part, the days of warning that it gives, and its false alarms."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment, calendars
from xdrought.choices import DayPart
from xdrought.flags import flags_of
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.bootstrap import percentile_bounds
from xdrought.verification.warning_scores import (
    COST_LOSS,
    NEVER,
    THRESHOLDS,
    about_warnings,
    bootstrap_sites,
    in_part,
    of_one_lead,
    require_probabilities,
)


@public
@recorded
def alarms(
    prediction: xr.Dataset,
    starts: xr.DataArray,
    *,
    false_alarms: float | None = None,
    cost_loss: float | None = None,
    threshold: float | None = None,
    variable: str = "flash_onset_probability",
    part: DayPart | None = "test",
    chosen_on: DayPart | None = "val",
    lead: int | None = None,
    repeat_after: int = 30,
    cost_loss_ratio: Sequence[float] = COST_LOSS,
    n_boot: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """Turn probabilities into alarms, and tell how many droughts they announced, how early, and at what price.

    Parameters
    ----------
    prediction : xarray.Dataset
        From :func:`xdrought.predict_onset`. Dask is computed.
    starts : boolean xarray.DataArray
        True on the days on which a drought begins, from :func:`xdrought.onset_days`, best with ``label="event"``.
    false_alarms : float, optional
        Choose the lowest threshold with at most so many false alarms per site and year on `chosen_on`; 2 when nothing
        else is given.
    cost_loss : float, optional
        Choose the threshold that serves users best whose protection costs this share of the loss that it avoids.
    threshold : float, optional
        Take this one.
    variable : str
        Variable of `prediction` that is the probability.
    part : {"test", "val", "train", "outside"} or None
        Days of issue that are scored; None for all.
    chosen_on : {"val", "train", "test", "outside"} or None
        Days of issue on which thresholds are chosen; None for all days, which is hindsight.
    lead : int, optional
        Days for which an alarm is in force; by default those of `prediction`.
    repeat_after : int
        Days after which an alarm that is prolonged again and again counts as a further one.
    cost_loss_ratio : sequence of float
        Ratios between 0 and 1 for which the value is told.
    n_boot : int
        Bootstrap samples of the intervals, in which sites are drawn with all their days; 0 for none.
    confidence, seed
        Confidence level of the intervals, and seed of their draws.
    time : hashable
        The time dimension; all others together are the sites.

    Returns
    -------
    xarray.Dataset
        On ``start``, one for each drought that could have been announced: ``start_time``, the labels of its site,
        ``days_of_warning`` from the first alarm in the `lead` days before it (0: not announced). On ``alarm``:
        ``alarm_time alarm_end`` (first and last day that raised it), the labels of its site, and ``false_alarms`` until
        it ended. On ``days_ahead``: ``share_of_hits``, the share of the announced droughts with at least so many days
        of warning. On ``cost_loss_ratio``: ``value``, against the better of always and never acting, each ratio with
        the threshold that served best on `chosen_on`; never below 0, since not acting is a choice, and 1 for perfect
        warnings. ``pod false_alarms_per_year threshold site_years n_starts n_false_alarms``, ``alarm_fraction`` (share
        of the days under alarm), and ``pod_interval false_alarms_per_year_interval`` on ``bound``.

    Raises
    ------
    KeyError
        For variables that are not there.
    TypeError
        For starts that are not boolean.
    ValueError
        For more than one way to choose the threshold, values out of range, other labels, or no day to score.

    Notes
    -----
    An alarm says that a drought begins within the `lead` days and is in force for them; days meanwhile on which the
    threshold is reached prolong it, and a start ends it. An alarm that ends without a start is a false one. One that
    stands for long counts again every `repeat_after` days, since a standing alarm would never be wrong; with
    ``repeat_after=lead`` every `lead` days under alarm in which nothing begins are a false alarm.

    References
    ----------
    Value: Richardson 2000, https://doi.org/10.1002/qj.49712656313.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.verification import alarms
    >>> days = pd.date_range("2001-01-01", periods=30)
    >>> p = xr.DataArray(np.zeros((1, 30)), {"site": ["A"], "time": days}, ("site", "time"))
    >>> p[0, [5, 20, 22]] = 0.6
    >>> starts = p.copy(data=np.arange(30)[None] == 24)
    >>> ds, all_days = p.to_dataset(name="flash_onset_probability"), {"part": None, "chosen_on": None}
    >>> result = alarms(ds, starts, threshold=0.5, lead=7, n_boot=0, **all_days)
    >>> result.days_of_warning.values, result.false_alarms.values
    (array([4]), array([1, 0]))
    """
    prediction = of_one_lead(prediction)
    if sum(way is not None for way in (false_alarms, cost_loss, threshold)) > 1:
        raise ValueError(
            f"false_alarms={false_alarms}, cost_loss={cost_loss} and threshold={threshold}: give one way to choose the "
            f"threshold"
        )
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold!r}; it is a probability, 0 to 1, e.g. threshold=0.2")
    if false_alarms is not None and not false_alarms >= 0:
        raise ValueError(f"false_alarms={false_alarms!r}; give how many a year, 0 or more, e.g. false_alarms=2")
    ratios = _ratios(cost_loss_ratio if cost_loss is None else [*cost_loss_ratio, cost_loss])[: len(cost_loss_ratio)]
    if isinstance(repeat_after, bool) or not isinstance(repeat_after, int | np.integer) or repeat_after < 1:
        raise ValueError(f"repeat_after={repeat_after!r}; it is a whole number of days, at least 1")
    options: dict[str, Any] = {"lead": lead, "repeat_after": int(repeat_after), "time": time}
    scored = _series(prediction, starts, variable, part, **options)
    learned = scored
    if chosen_on != part and (threshold is None or len(ratios)):
        learned = _series(prediction, starts, variable, chosen_on, **options)
    if threshold is None and cost_loss is not None:
        threshold = learned.best_threshold(cost_loss)
    elif threshold is None:
        threshold = learned.quiet_threshold(2.0 if false_alarms is None else false_alarms)
    warning, false, last = scored.scan(threshold)
    found = _events(scored, warning) | _episodes(scored, false, last) | _shares(warning, scored.lead)
    found |= _totals(scored, warning, false, n_boot, confidence, seed)
    text = "share of the days under alarm"
    found["alarm_fraction"] = ((), scored.under_alarm(false, last), {"long_name": text, "units": "1"})
    value = [scored.value(ratio, learned.best_threshold(ratio)) for ratio in ratios]
    found["value"] = ("cost_loss_ratio", np.array(value), {"long_name": "relative economic value", "units": "1"})
    coords = {
        "cost_loss_ratio": ratios,
        "bound": ["lower", "upper"],
        "days_ahead": np.arange(1, scored.lead + 1),
    }
    out = xr.Dataset(found | {"threshold": float(threshold)}, coords)
    return out.assign_attrs(
        part=str(part), chosen_on=str(chosen_on), variable=variable, lead_days=scored.lead, **about_warnings(prediction)
    )


@dataclass(frozen=True, eq=False)
class Series:
    """Probabilities of a part, NaN elsewhere, and all starts, both (site, time)."""

    probability: np.ndarray
    starts: np.ndarray
    lead: int
    repeat_after: int
    times: np.ndarray
    places: dict[Hashable, np.ndarray]  # labels of each site

    def scan(self, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from xdrought.kernels.alarms import scan_alarms

        return scan_alarms(self.probability, self.starts, threshold, self.lead, self.repeat_after)

    @property
    def years(self) -> np.ndarray:
        """Years with a probability, of each site."""
        return np.isfinite(self.probability).sum(axis=1) / calendars.DAYS_IN_YEAR

    def quiet_threshold(self, most: float) -> float:
        """The lowest threshold from which on false alarms per site and year are at most `most`."""
        rates = np.array([np.maximum(self.scan(t)[1], 0).sum() for t in THRESHOLDS]) / self.years.sum()
        loud = np.flatnonzero(rates > most)
        return float(THRESHOLDS[min(loud[-1] + 1, THRESHOLDS.size - 1)]) if loud.size else float(THRESHOLDS[0])

    def under_alarm(self, false: np.ndarray, last: np.ndarray) -> float:
        """Share of the days with a probability that lie between the first and the last day of an alarm."""
        site, day = np.nonzero(false >= 0)
        return float((last[site, day] - day + 1).sum() / np.isfinite(self.probability).sum())

    @cached_property
    def begins(self) -> tuple[np.ndarray, np.ndarray]:
        """Probability and outcome of each day of issue with a probability: whether a drought begins within the lead."""
        from xdrought.kernels.onset_state import within_lead

        starts = np.pad(self.starts, ((0, 0), (0, self.lead)))  # nothing is known to begin after the record
        outcome = within_lead(starts, np.ones_like(starts), self.lead, 0)[:, : self.starts.shape[1]]
        known = np.isfinite(self.probability)
        return self.probability[known], outcome[known] == 1

    def expense(self, ratio: float, threshold: float) -> float:
        """Mean cost of a day, in units of the loss: protection on days of alarm, the loss of days missed."""
        p, begins = self.begins
        act = p >= threshold
        return float((ratio * act + (begins & ~act)).mean())

    def best_threshold(self, ratio: float) -> float:
        """The threshold of the smallest expense, acting always (0) and never among them."""
        choices = [0.0, *THRESHOLDS, NEVER]
        return float(choices[int(np.argmin([self.expense(ratio, one) for one in choices]))])

    def value(self, ratio: float, threshold: float) -> float:
        """How far the expense comes from the better of always and never acting (0) to that of perfect warnings (1)."""
        rate = float(self.begins[1].mean())
        blind, perfect = min(ratio, rate), ratio * rate
        return max(0.0, (blind - self.expense(ratio, threshold)) / (blind - perfect)) if 0 < rate < 1 else np.nan


def _ratios(values: Sequence[float]) -> np.ndarray:
    ratios = np.asarray(values, dtype=float)
    if not ((ratios > 0) & (ratios < 1)).all():
        raise ValueError(f"cost/loss ratios must lie between 0 and 1, got {ratios.tolist()}")
    return ratios


def _series(
    prediction: xr.Dataset,
    starts: xr.DataArray,
    variable: str,
    part: DayPart | None,
    *,
    lead: int | None,
    repeat_after: int,
    time: Hashable,
) -> Series:
    """The days of a part as arrays."""
    if variable not in prediction:
        raise KeyError(f"no variable {variable!r} in the prediction; it has {list(prediction.data_vars)}")
    if starts.dtype != bool:
        raise TypeError(f"starts has dtype {starts.dtype}; give booleans, from onset_days")
    days = prediction.attrs.get("lead") if lead is None else lead
    if isinstance(days, bool) or not isinstance(days, int | np.integer) or days < 1:
        raise ValueError(f"lead={days!r}; give the days for which an alarm is in force, e.g. lead=7")
    prediction = alignment.in_label_order(prediction, [*(dim for dim in prediction.dims if dim != time)])
    prediction = alignment.in_order_of(prediction, alignment.in_order(prediction[variable], time), [time])
    p = prediction[variable]
    require_probabilities(p, variable)
    begun = alignment.align_to(p, starts, what="starts", exact=True)
    dims = [dim for dim in p.dims if dim != time] + [time]
    chosen = in_part(prediction, part)
    p = p if chosen is None else p.where(chosen)
    shape = (-1, p.sizes[time])
    values = np.ascontiguousarray(p.transpose(*dims).to_numpy().reshape(shape), dtype=float)
    if not np.isfinite(values).any():
        if part is None:
            raise ValueError("no day has a probability; look at what is missing in the warnings")
        parts = flags_of(prediction["part"])
        known = [one for one in parts if bool(prediction[variable].where(in_part(prediction, one)).notnull().any())]
        raise ValueError(
            f"no day of part {part!r} has a probability; choose part= and chosen_on= from {[*known, None]}"
        )
    grid = np.indices(tuple(p.sizes[dim] for dim in dims[:-1])).reshape(len(dims) - 1, -1)
    places = {
        dim: (p[dim].to_numpy() if dim in p.coords else np.arange(p.sizes[dim]))[at]
        for dim, at in zip(dims[:-1], grid, strict=True)
    }
    days_of_start = np.ascontiguousarray(begun.transpose(*dims).to_numpy().reshape(shape))
    return Series(values, days_of_start, int(days), repeat_after, p[time].to_numpy(), places)


def _events(scored: Series, warning: np.ndarray) -> dict[str, Any]:
    """The droughts that could have been announced."""
    site, day = np.nonzero(warning >= 0)
    labels = {f"start_{dim}": ("start", values[site]) for dim, values in scored.places.items()}
    return labels | {
        "start_time": ("start", scored.times[day]),
        "days_of_warning": ("start", warning[site, day], {"long_name": "days from the first alarm", "units": "d"}),
    }


def _episodes(scored: Series, false: np.ndarray, last: np.ndarray) -> dict[str, Any]:
    """The alarms that were raised."""
    site, day = np.nonzero(false >= 0)
    labels = {f"alarm_{dim}": ("alarm", values[site]) for dim, values in scored.places.items()}
    return labels | {
        "alarm_time": ("alarm", scored.times[day]),
        "alarm_end": ("alarm", scored.times[last[site, day]]),
        "false_alarms": ("alarm", false[site, day], {"long_name": "false alarms until it ended", "units": "1"}),
    }


def _shares(warning: np.ndarray, lead: int) -> dict[str, Any]:
    """Share of the announced droughts by their days of warning."""
    hits = warning[warning > 0]
    shares = [(hits >= k).mean() if hits.size else np.nan for k in range(1, lead + 1)]
    text = "share of the announced droughts with at least so many days of warning"
    return {"share_of_hits": ("days_ahead", np.array(shares), {"long_name": text, "units": "1"})}


def _totals(
    scored: Series, warning: np.ndarray, false: np.ndarray, n_boot: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Detection and false alarms over all sites, with intervals over sites."""
    years, hits = scored.years, (warning > 0).sum(axis=1)
    starts, wrong = (warning >= 0).sum(axis=1), np.maximum(false, 0).sum(axis=1)

    def statistics(weights: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "pod": hits @ weights / (starts @ weights),
                "false_alarms_per_year": wrong @ weights / (years @ weights),
            }

    texts = {
        "pod": ("share of the droughts that were announced", "1"),
        "false_alarms_per_year": ("false alarms per site and year", "year-1"),
    }
    once = statistics(np.ones(years.size))
    found: dict[str, Any] = {
        name: ((), float(once[name]), {"long_name": text, "units": unit}) for name, (text, unit) in texts.items()
    }
    used = years > 0
    if n_boot and used.sum() > 1:
        samples = bootstrap_sites(statistics, used, n_boot, seed)
        for name in texts:
            bounds = percentile_bounds(samples[name][None], confidence, int(used.sum()))[0]
            found[f"{name}_interval"] = ("bound", bounds, found[name][2])
    return found | {
        "n_starts": int(starts.sum()),
        "n_false_alarms": int(wrong.sum()),
        "site_years": ((), float(years.sum()), {"long_name": "years with a probability, all sites", "units": "year"}),
    }
