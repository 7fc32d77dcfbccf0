"""What warnings are worth: skill beside two frequencies, reliability, and the alarms that they give rise to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment
from xdrought.choices import DayPart
from xdrought.flags import flags_of
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.bootstrap import draw, percentile_bounds
from xdrought.verification.probability import ROUNDING, reliability

FORECASTS = ("flash_onset_probability", "season_frequency", "percentile_frequency")
BIN_EDGES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
COST_LOSS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
THRESHOLDS = np.round(np.arange(0.01, 1.0, 0.01), 2)
NEVER = 2.0  # a probability that is never reached: no alarm at all


@public
@recorded
def onset_skill(
    prediction: xr.Dataset,
    occurred: xr.DataArray,
    *,
    part: DayPart | None = "test",
    bins: Sequence[float] = BIN_EDGES,
    n_boot: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """Brier skill and discrimination of warnings beside the season and today's percentile, and their reliability.

    Parameters
    ----------
    prediction : xarray.Dataset
        From :func:`xdrought.predict_onset`: ``flash_onset_probability season_frequency percentile_frequency``, and
        ``part`` when one is chosen. Dask is computed.
    occurred : xarray.DataArray
        What came true, 1, 0 or NaN, from :func:`xdrought.onset_label` with the same label and definition.
    part : {"test", "val", "train", "outside"} or None
        Days of issue that are scored; None for all.
    bins : sequence of float
        Edges of the bins of the reliability, growing from 0 to 1. Rare events need narrow bins near 0.
    n_boot : int
        Bootstrap samples of the intervals, in which sites are drawn with all their days; 0 for none.
    confidence : float
        Confidence level of the intervals.
    seed : int
        Of the bootstrap.
    time : hashable
        The time dimension; all others together are the sites.

    Returns
    -------
    xarray.Dataset
        On ``forecast`` (the three of `prediction`), over all days: ``brier``; ``brier_skill`` against the season;
        ``auc``, the probability that a day before an onset has the higher value of two; ``skill_behind``, how far its
        Brier skill is behind that of the probability; with ``_interval`` on ``bound`` each. On the sites:
        ``brier_skill_by_site``, ``n_days_by_site``. On ``probability_bin`` (its centre): ``mean_probability
        observed_frequency n_in_bin bin_start bin_width``. ``n_days base_rate n_sites``.

    Raises
    ------
    KeyError
        For variables that are not there.
    ValueError
        For an unknown part, bins that do not grow from 0 to 1, other labels, or no day to score.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.verification import onset_skill
    >>> coords = {"site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=4)}
    >>> began = xr.DataArray([[0, 0, 1, 1], [0, 0, 0, 1.0]], coords, ("site", "time"))
    >>> sure, season = 0.1 + 0.8 * began, xr.full_like(began, 0.4)
    >>> names = ["flash_onset_probability", "season_frequency", "percentile_frequency"]
    >>> skill = onset_skill(xr.Dataset(dict(zip(names, [sure, season, season]))), began, part=None, n_boot=0)
    >>> skill.brier_skill.round(2).values, skill.auc.values
    (array([0.96, 0.  , 0.  ]), array([1. , 0.5, 0.5]))
    """
    edges = np.asarray(bins, dtype=float)
    if edges.size < 2 or edges[0] != 0 or edges[-1] != 1 or (np.diff(edges) <= 0).any():
        raise ValueError(f"bins must grow from 0 to 1, got {list(bins)}")
    single = prediction = of_one_lead(prediction)
    prediction = alignment.in_label_order(prediction, [dim for dim in prediction.dims if dim != time])
    given, began, places = _scored_days(prediction, occurred, part, time)
    site = np.broadcast_to(np.arange(began.shape[0])[:, None], began.shape)
    there = np.isfinite(began)
    p, y, site = given[:, there], began[there], site[there]
    losses = np.stack([np.bincount(site, (row - y) ** 2, began.shape[0]) for row in p])  # (forecast, site)
    days = np.bincount(site, minlength=began.shape[0])
    ranked = [Ranked(row, y, site) for row in p]

    def statistics(weights: np.ndarray) -> dict[str, np.ndarray]:
        total, count = losses @ weights, days @ weights
        with np.errstate(divide="ignore", invalid="ignore"):
            skill = 1 - total / total[1]
            return {
                "brier": total / count,
                "brier_skill": skill,
                "skill_behind": skill[0] - skill,
                "auc": np.array([one.auc(weights) for one in ranked]),
            }

    texts = {
        "brier": "Brier score",
        "brier_skill": "Brier skill against the frequency of the season",
        "skill_behind": "Brier skill of the probability minus that of this forecast",
        "auc": "area under the ROC curve",
    }
    once = statistics(np.ones(began.shape[0]))
    attrs = {name: {"long_name": text, "units": "1"} for name, text in texts.items()}
    found: dict[str, Any] = {name: ("forecast", once[name], attrs[name]) for name in texts}
    if n_boot:
        samples = bootstrap_sites(statistics, days > 0, n_boot, seed)
        for name in texts:
            bounds = percentile_bounds(samples[name], confidence, int((days > 0).sum()))
            found[f"{name}_interval"] = (("forecast", "bound"), bounds, attrs[name])
    bin_of_day = np.clip(np.searchsorted(edges, p[0], side="right") - 1, 0, edges.size - 2)
    found |= reliability(p[0], y, bin_of_day, edges.size - 1)
    found["bin_start"] = ("probability_bin", edges[:-1], {"long_name": "lower edge of the bin", "units": "1"})
    found["bin_width"] = ("probability_bin", np.diff(edges), {"long_name": "width of the bin", "units": "1"})
    with np.errstate(divide="ignore", invalid="ignore"):
        by_site = (1 - losses / losses[1]).reshape(-1, *(places[dim].size for dim in places))
    found["brier_skill_by_site"] = (("forecast", *places), by_site, attrs["brier_skill"])
    found["n_days_by_site"] = (tuple(places), days.reshape(by_site.shape[1:]), {"units": "1"})
    totals = {"n_days": days.sum(), "base_rate": y.mean(), "n_sites": (days > 0).sum()}
    coords = {"forecast": list(FORECASTS), "bound": ["lower", "upper"]} | places
    coords["probability_bin"] = (edges[:-1] + edges[1:]) / 2
    out = alignment.in_order_of(xr.Dataset(found | totals, coords), single, places)
    return out.assign_attrs(
        part=str(part), intervals=f"{confidence:g}, {n_boot} draws of the sites", **about_warnings(prediction)
    )


class Ranked:
    """Days in the order of one forecast, so that areas under the ROC curve of many bootstrap samples cost little."""

    def __init__(self, p: np.ndarray, y: np.ndarray, site: np.ndarray):
        order = np.argsort(p, kind="stable")
        self.y, self.site = y[order] == 1, site[order]
        self.last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1)  # last day of each run of ties

    def auc(self, weights: np.ndarray) -> float:
        """Of days that count as often as their site; ties count half."""
        w = weights[self.site]
        sums = [np.diff(np.cumsum(np.where(kind, w, 0.0))[self.last], prepend=0.0) for kind in (self.y, ~self.y)]
        positive, negative = sums
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return float((positive * (below + negative / 2)).sum() / pairs) if pairs > 0 else np.nan


def bootstrap_sites(statistics: Any, used: np.ndarray, n_boot: int, seed: int) -> dict[str, np.ndarray]:
    """Statistics (name: (..., n_boot)) of weights (site,), the number of times that each used site was drawn."""
    sites = np.flatnonzero(used)
    drawn = draw(sites.size, (n_boot, sites.size), np.random.default_rng(seed))
    samples = [statistics(np.bincount(sites[row], minlength=used.size).astype(float)) for row in drawn]
    return {name: np.stack([one[name] for one in samples], axis=-1) for name in samples[0]}


def _scored_days(
    prediction: xr.Dataset, occurred: xr.DataArray, part: str | None, time: Hashable
) -> tuple[np.ndarray, np.ndarray, dict[Hashable, Any]]:
    """Forecasts (forecast, site, time) and outcomes (site, time), NaN where not scored, and the labels of the sites."""
    lacking = [name for name in FORECASTS if name not in prediction]
    if lacking:
        raise KeyError(f"no variable {lacking} in the prediction; give what predict_onset returned")
    first = prediction[FORECASTS[0]]
    began = alignment.align_to(first, occurred, what="occurred", exact=True)
    dims = [dim for dim in began.dims if dim != time] + [time]
    chosen = in_part(prediction, part)
    values = [prediction[name].transpose(*dims).to_numpy().astype(float) for name in FORECASTS]
    for name in FORECASTS:
        require_probabilities(prediction[name], name)
    require_probabilities(began, "occurred")
    known = np.isfinite(np.stack(values)).all(axis=0)
    if chosen is not None:
        known &= chosen.broadcast_like(first).transpose(*dims).to_numpy()
    outcome = np.where(known, began.transpose(*dims).to_numpy().astype(float), np.nan)
    if not np.isfinite(outcome).any():
        which = "no day has" if part is None else f"no day of part {part!r} has"
        cure = "look at what is missing in both" if part is None else "choose another part="
        raise ValueError(f"{which} a probability and a known outcome; {cure}")
    shape = (-1, outcome.shape[-1])
    places = {dim: began[dim].variable if dim in began.coords else np.arange(began.sizes[dim]) for dim in dims[:-1]}
    return np.stack([one.reshape(shape) for one in values]), outcome.reshape(shape), places


def of_one_lead(prediction: xr.Dataset) -> xr.Dataset:
    """A prediction of one lead, which its attribute `lead` tells; ValueError where there are several."""
    if "lead_time" in prediction.dims:
        leads = prediction["lead_time"].values
        raise ValueError(
            f"the prediction has several leads, lead_time={leads.astype(str).tolist()}; choose one, e.g. "
            f"prediction.sel(lead_time={str(leads[-1].astype('timedelta64[D]').astype(int)) + 'D'!r})"
        )
    if isinstance(prediction.attrs.get("lead"), int | None | np.integer) or "lead_time" not in prediction.coords:
        return prediction
    days = prediction["lead_time"].values / np.timedelta64(1, "D")
    return prediction.assign_attrs(lead=int(days))


def require_probabilities(da: xr.DataArray, name: str) -> None:
    """Refuse values outside 0 to 1: missing codes, or per cent."""
    low, high = float(da.min()), float(da.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        per_cent = "if these are per cent, da = da / 100; " if low >= 0 and high <= 100 else ""
        raise ValueError(
            f"{name!r} reaches {low:g} to {high:g}; probabilities go from 0 to 1; {per_cent}"
            f"if single ones are wrong, make them missing with da = da.where((da >= 0) & (da <= 1))"
        )


def in_part(prediction: xr.Dataset, part: str | None) -> xr.DataArray | None:
    """True on the days of issue of a part; None for all."""
    if part is None:
        return None
    if "part" not in prediction:
        raise KeyError("no variable 'part' in the prediction; give part=None to score all days")
    flags = flags_of(prediction["part"])
    if part not in flags:
        raise ValueError(f"part={part!r} is unknown; choose one of {list(flags)} or None")
    return prediction["part"] == flags[part]


def about_warnings(prediction: xr.Dataset) -> dict[str, Any]:
    """What the attributes of a prediction say of the warnings, for those of their scores."""
    return {
        name: prediction.attrs[name] for name in ("label", "definition", "lead", "model") if name in prediction.attrs
    }
