"""Scores of several models on the same days: by site, their median, pooled, and with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from xdrought import alignment, checks
from xdrought.kernels import score_sums as kernel
from xdrought.kernels.score_sums import median, moments
from xdrought.public_functions import public
from xdrought.statistics import bootstrap as resampling
from xdrought.statistics import percentile_interval
from xdrought.statistics.bootstrap import bootstrap_medians

FEWEST = 4  # blocks of a single site; fewer make no interval


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made; the settings are checked here."""

    n_boot: int
    confidence: float
    block_length: int | None
    seed: int

    def __post_init__(self) -> None:
        checks.require_integer(self.n_boot, "n_boot")
        if self.block_length is not None:
            checks.require_integer(self.block_length, "block_length")
        checks.require_share(self.confidence, "confidence")

    @property
    def blocks(self) -> str:
        """The blocks in words."""
        if self.block_length is not None:
            return f"blocks of {self.block_length} steps"
        return f"blocks of 1/{resampling.N_BLOCKS} of a record, {resampling.SHORTEST} steps or more"


@dataclass(frozen=True)
class Sums:
    """Sums of models and references over the days that all of them have."""

    names: list[str]  # models, then references
    n_models: int
    blocks: list[np.ndarray]  # by site (model, block, 13)
    centre: float  # taken off all values
    n_forecast_days: np.ndarray  # by site, with all models and the observation
    has_climatology: bool

    @property
    def by_site(self) -> np.ndarray:
        """(model, site, 13)."""
        return np.stack([one.sum(axis=1) for one in self.blocks], axis=1)

    @property
    def reference_at(self) -> list[int]:
        """Where the references stand among the names."""
        return list(range(self.n_models, len(self.names)))


def collect_sums(
    models: dict[str, xr.DataArray],
    references: dict[str, xr.DataArray],
    observed: xr.DataArray,
    bootstrap: Bootstrap,
) -> Sums:
    """All arrays are (site, time) on the same labels."""
    names = [*models, *references]
    values = np.stack([da.values for da in (*models.values(), *references.values())])  # (model, site, time)
    both = np.isfinite(values[: len(models)]).all(axis=0) & np.isfinite(observed.values)
    valid = both & np.isfinite(values).all(axis=0)
    _warn_without_references(both, valid, observed[observed.dims[0]].values)
    centre = float(observed.values[valid].mean()) if valid.any() else 0.0
    has_climatology = "climatology" in references
    normal = references["climatology"].values if has_climatology else np.full(valid.shape, np.nan)
    blocks = []
    for k, there in enumerate(valid):
        daily = moments(np.where(there, values[:, k], np.nan), observed.values[k], normal[k], centre)
        blocks.append(resampling.blocks(daily, bootstrap.block_length))
    return Sums(names, len(models), blocks, centre, both.sum(axis=1), has_climatology)


def _warn_without_references(both: np.ndarray, valid: np.ndarray, sites: np.ndarray) -> None:
    lost = both.any(axis=1) & ~valid.any(axis=1)
    if lost.any():
        checks.warn(
            f"sites {sites[lost].tolist()} have forecasts but no day that all references share, so their "
            f"scores are NaN; give the observation before the forecast, or the training part with train=..."
        )


@dataclass(frozen=True)
class Resampled:
    """What the bootstrap found, by name of the statistic."""

    by_site: dict[int, dict[str, resampling.Studentised]]  # sites with a scored day, by position
    pooled: dict[str, resampling.Studentised]
    medians: dict[str, np.ndarray]  # (row, n_boot); empty for one site, of which all is said by_site


def resample(
    sites: list[np.ndarray],
    bootstrap: Bootstrap,
    plain: resampling.Statistic,
    unbounded: resampling.Statistic,
) -> Resampled | None:
    """Block bootstrap nested in sites, each (model, block, sum); None where no interval can be made.

    Medians are those of `plain` over drawn sites, whose scores already hold the noise of their days: to draw the days
    as well would count it twice. `unbounded` are the same statistics on a scale without ends.
    """
    scored = [k for k, one in enumerate(sites) if one.shape[1]]
    if not scored or (len(scored) == 1 and sites[scored[0]].shape[1] < FEWEST):
        return None
    by_site, pool = {}, []
    for k in scored:
        blocks = sites[k]
        drawn = resampling.draw(blocks.shape[1], (bootstrap.n_boot, blocks.shape[1]), _generator(bootstrap, k + 1))
        sample = partial(_blocks_drawn, blocks, drawn)
        by_site[k] = resampling.studentised(blocks, sample, bootstrap.n_boot, unbounded)
        parts = resampling.batches(bootstrap.n_boot, blocks.size)
        pool.append(np.concatenate([sample(part).sum(axis=-2) for part in parts], axis=1))
    if len(scored) == 1:
        return Resampled(by_site, by_site[scored[0]], {})
    rng, size = _generator(bootstrap, 0), (bootstrap.n_boot, len(scored))
    whose, which = resampling.draw(len(scored), size, rng), resampling.draw(bootstrap.n_boot, size, rng)
    versions = np.stack(pool, axis=1)  # (model, site, n_boot, sum): each site, its days drawn n_boot times
    sample = partial(_versions_drawn, versions, whose, which)
    units = np.stack([sites[k].sum(axis=1) for k in scored], axis=1)
    pooled = resampling.studentised(units, sample, bootstrap.n_boot, unbounded)
    medians = {name: median(value[:, whose]) for name, value in plain(units).items()}
    return Resampled(by_site, pooled, medians)


def _blocks_drawn(blocks: np.ndarray, drawn: np.ndarray, part: slice) -> np.ndarray:
    return blocks[:, drawn[part]]


def _versions_drawn(versions: np.ndarray, whose: np.ndarray, which: np.ndarray, part: slice) -> np.ndarray:
    return versions[:, whose[part], which[part]]


def _generator(bootstrap: Bootstrap, stream: int) -> np.random.Generator:
    """A stream of its own for each site, and one for the draws of sites."""
    return np.random.default_rng([bootstrap.seed, stream])


def in_words(sites: list[np.ndarray], bootstrap: Bootstrap) -> str:
    """What is resampled, or why nothing is."""
    counts = [one.shape[1] for one in sites if one.shape[1]]
    share = f"{bootstrap.confidence * 100:g} %"
    if not counts:
        return "no interval: no day could be scored"
    if len(counts) > 1:
        text = f"{share} block bootstrap nested in {len(counts)} sites, {bootstrap.blocks}"
        most = 1 - 2.0 ** (1 - len(counts))  # that the true median lies between the outermost sites
        too_few = f"; medians of so few sites: {100 * most:.0f} % at most" if most < bootstrap.confidence else ""
        return text + too_few
    if counts[0] < FEWEST:
        return (
            f"no interval: one site, {counts[0]} of the {FEWEST} blocks that it takes ({bootstrap.blocks}); give more "
            f"days or a smaller block_length"
        )
    return f"{share} block bootstrap of one site, {bootstrap.blocks}"


LABELS = {
    "rmse": "root mean squared error",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "bias": "mean error",
    "nse": "Nash-Sutcliffe efficiency",
    "kge": "Kling-Gupta efficiency",
    "correlation": "correlation",
    "anomaly_correlation": "correlation of anomalies from climatology",
    "skill": "skill, 1 - MSE / MSE of the reference",
}
SUMMARIES = ("median", "pooled")


def score_tables(sums: Sums, observed: xr.DataArray, bootstrap: Bootstrap) -> xr.Dataset:
    """The tidy Dataset of :func:`xdrought.verify`."""
    site, _ = observed.dims
    plain = partial(_scores, centre=sums.centre, reference_at=sums.reference_at)
    drawn = resample(sums.blocks, bootstrap, plain, partial(_unbounded, plain))
    by_site = plain(sums.by_site)
    pooled = plain(sums.by_site.sum(axis=1))
    if not sums.has_climatology:
        del by_site["anomaly_correlation"]
    variables: dict[str, tuple] = {}
    for name, of_site in by_site.items():
        dims: tuple[str, ...] = ("model",)
        shape: tuple[int, ...] = (len(sums.names),)
        if name == "skill":
            dims, shape = ("reference", *dims), (len(sums.reference_at), *shape)
        attrs = {"long_name": LABELS[name], "units": _units(name, observed)}
        summary = np.stack([kernel.median(of_site), pooled[name]], axis=-1)
        about = {"": of_site, "_summary": summary}
        about["_interval"] = _summary_intervals(name, drawn, summary, bootstrap)
        about["_site_interval"] = _site_intervals(name, drawn, of_site, bootstrap)
        ends = {"": (site,), "_summary": ("summary",), "_interval": ("summary", "bound")}
        ends["_site_interval"] = (site, "bound")
        for suffix, values in about.items():
            variables[name + suffix] = ((*dims, *ends[suffix]), values.reshape(*shape, *values.shape[1:]), attrs)
    counts = {
        "n_days": (sums.by_site[0, :, 0].astype(int), "days scored"),
        "n_forecast_days": (sums.n_forecast_days, "days with forecast and observation"),
    }
    variables |= {name: (site, count, {"long_name": text, "units": "1"}) for name, (count, text) in counts.items()}
    references = sums.names[sums.n_models :]
    coords = {"model": sums.names, "reference": references, "summary": list(SUMMARIES), "bound": ["lower", "upper"]}
    places = {name: coord for name, coord in observed.coords.items() if set(coord.dims) <= {site}}
    result = alignment.dataset_of(variables, {**places, **coords})
    return result.assign_attrs(interval=in_words(sums.blocks, bootstrap))


def _scores(sums: np.ndarray, centre: float, reference_at: list[int]) -> dict[str, np.ndarray]:
    """Scores (model, ...) of sums (model, ..., 13); skill is (reference * model, ...), references slowest."""
    result = kernel.scores(sums, centre)
    result["skill"] = np.concatenate([kernel.skill(result["mse"], result["mse"][at]) for at in reference_at])
    return result


def _unbounded(plain: resampling.Statistic, sums: np.ndarray) -> dict[str, np.ndarray]:
    return {name: kernel.unbounded(name, score) for name, score in plain(sums).items()}


def _bounds(name: str, found: resampling.Studentised, confidence: float) -> np.ndarray:
    """Interval (row, 2) of a score, lower bound first."""
    return np.sort(kernel.bounded(name, resampling.studentised_bounds(found, confidence)), axis=-1)


def _summary_intervals(name: str, drawn: Resampled | None, summary: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Intervals (row, summary, 2) of the median over sites and of all days pooled."""
    if drawn is None:
        return np.full((*summary.shape, 2), np.nan)
    pooled = _bounds(name, drawn.pooled[name], bootstrap.confidence)
    if not drawn.medians:
        return np.stack([pooled, pooled], axis=1)
    medians = resampling.percentile_bounds(drawn.medians[name], bootstrap.confidence, len(drawn.by_site))
    return np.stack([medians, pooled], axis=1)


def _site_intervals(name: str, drawn: Resampled | None, of_site: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Intervals (row, site, 2) of each site."""
    result = np.full((*of_site.shape, 2), np.nan)
    for k, statistics in (drawn.by_site if drawn else {}).items():
        result[:, k] = _bounds(name, statistics[name], bootstrap.confidence)
    return result


def _units(name: str, observed: xr.DataArray) -> str:
    """Units of a score; unknown ("") where the observation has none."""
    found = str(observed.attrs.get("units", ""))
    if name == "mse":
        return f"({found})^2" if found else ""
    return found if name in ("rmse", "mae", "bias") else "1"


@public
def sweep_interval(
    scores: xr.Dataset,
    *,
    score: str = "nse",
    class_name: str | None = None,
    confidence: float = 0.95,
    n_boot: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """The middle of a swept score with an interval, for every model and value of the setting.

    Parameters
    ----------
    scores : xarray.Dataset
        From :func:`xdrought.study.sweep`.
    score : str
        Which one. Of a score of each site the middle is the median over sites of the runs' mean, its interval a
        bootstrap over sites and runs; of a score of classes it is the mean over runs, from the lowest to the highest.
    class_name : str, optional
        Which drought class, for the scores of classes.
    confidence : float
        Of the bootstrap.
    n_boot, seed : int
        Samples of the bootstrap, and its seed.

    Returns
    -------
    xarray.Dataset
        `middle`, `lower` and `upper` on the swept dimension and model; NaN where no site has all runs.

    Raises
    ------
    ValueError
        When the score or the class is not there, or nothing was swept.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought.study import sweep_interval
    >>> coords = {"lead": [1, 7], "model": ["network"], "run": [0, 1], "site": list("ABC")}
    >>> nse = xr.DataArray(np.random.default_rng(0).random((2, 1, 2, 3)), coords)
    >>> result = sweep_interval(xr.Dataset({"nse": nse}))
    >>> bool((result.lower <= result.middle).all())
    True
    """
    if score not in scores:
        raise ValueError(f"no score {score!r}; choose one of {sorted(map(str, scores.data_vars))}")
    chosen = scores[score]
    if "class_name" in chosen.dims:
        known = chosen["class_name"].values.tolist()
        if class_name not in known:
            raise ValueError(f"{score!r} is of drought classes; give class_name, one of {known}")
        chosen = chosen.sel(class_name=class_name)
    swept = [dim for dim in chosen.dims if dim not in ("model", "run", "site")]
    if len(swept) != 1:
        raise ValueError(f"{score!r} is on {chosen.dims}; scores come from xdrought.study.sweep")
    bands = [_band(chosen.isel(model=k), swept[0], confidence, n_boot, seed) for k in range(chosen.sizes["model"])]
    names = ("middle", "lower", "upper")
    found = {
        name: (("model", swept[0]), np.array(lines))
        for name, lines in zip(names, zip(*bands, strict=True), strict=True)
    }
    return xr.Dataset(found, {"model": chosen["model"].values, swept[0]: scores[swept[0]]})


def _band(
    values: xr.DataArray, swept: Hashable, confidence: float, n_boot: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, lower and upper line of one model."""
    if "site" not in values.dims:
        by_run = values.transpose(swept, "run").values
        return by_run.mean(axis=1), by_run.min(axis=1), by_run.max(axis=1)
    table = values.transpose(swept, "run", "site").values
    table = table[..., np.isfinite(table).all(axis=(0, 1))]
    if not table.size:
        return (np.full(len(table), np.nan),) * 3
    low, high = percentile_interval(bootstrap_medians(table, n_boot, seed), confidence)
    return np.median(table.mean(axis=1), axis=-1), low, high
