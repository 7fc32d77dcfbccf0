"""Sites that the network has never seen: told their own causality, one predicted for them, or none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.causality import causality_degree
from xdrought.choices import CausalityKind, SpatialDraws, VariantName
from xdrought.public_functions import public
from xdrought.splits import PARTS, Splits, chronological, spatial_monte_carlo
from xdrought.statistics.sphere import unit_vectors
from xdrought.study.comparison import SCORES, score_members
from xdrought.study.result_cache import Member, open_cache, trained
from xdrought.verification.scores import summarise_runs
from xdrought.windows.labelled import patches

PENALTIES = 10.0 ** np.arange(-3, 4)  # of the ridge regression, times the number of sites


@public
def predicted_degree(degree: xr.Dataset, drivers: xr.Dataset, *, known: xr.DataArray) -> xr.Dataset:
    """The causality degree of sites without soil moisture, expected from their weather and position.

    A ridge regression over the known sites, on the mean and standard deviation of every driver over the record (and
    the patch) and on the position, as a point on the unit sphere. All are standardised, as is each number of the
    degree. The penalty is the one with the least squared error when each known site is left out in turn.

    Parameters
    ----------
    degree : xarray.Dataset
        `rho` and `p_value` on (site, variable, cell) with the coordinates `lat` and `lon` on site; values at unknown
        sites are not read.
    drivers : xarray.Dataset
        Weather of all sites, (site, time[, patch_lat, patch_lon]).
    known : boolean xarray.DataArray
        (site), True where the degree may be used.

    Returns
    -------
    xarray.Dataset
        `degree`, with the expected values at the other sites, kept within -1 to 1 and 0 to 1.

    Raises
    ------
    ValueError
        Without `lat` and `lon`, or with fewer than three known sites.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.study import predicted_degree
    >>> warmth = np.linspace(0, 1, 8)
    >>> coords = {"site": range(8), "time": pd.date_range("2001-01-01", periods=2), "variable": ["t2m"]}
    >>> t2m = xr.DataArray(np.stack([warmth, warmth + 1], axis=1), {"site": range(8)}, ("site", "time"))
    >>> rho = (("site", "variable", "cell"), 0.5 * warmth[:, None, None])
    >>> degree = xr.Dataset({"rho": rho, "p_value": rho}, coords).assign_coords(
    ...     lat=("site", np.full(8, 47.0)), lon=("site", np.full(8, 11.0))
    ... )
    >>> result = predicted_degree(degree, t2m.to_dataset(name="t2m"), known=degree.site != 4)
    >>> bool(abs(result.rho.sel(site=4).item() - degree.rho.sel(site=4).item()) < 0.01)
    True
    """
    if not {"lat", "lon"} <= set(degree.coords):
        raise ValueError("the sites have no lat and lon; assign them as coordinates")
    bare = degree["rho"].reset_coords(drop=True).isel(variable=0, cell=0, drop=True)
    known = alignment.align_to(bare, known, what="known")
    drivers = drivers.map(lambda da: alignment.align_to(bare, limits.check(da), what=repr(da.name), extra_dims=True))
    is_known = known.values
    if is_known.sum() < 3:
        raise ValueError(f"{int(is_known.sum())} known sites; a regression needs at least three")
    x = _site_descriptors(drivers, degree["lat"], degree["lon"])
    there = known.drop_vars(list(known.coords))
    found = {}
    for name, lowest in (("rho", -1.0), ("p_value", 0.0)):
        values = degree[name].drop_vars(list(degree[name].coords))
        expected = _ridge(x.isel(site=is_known), values.isel(site=is_known), x).clip(lowest, 1.0)
        found[name] = degree[name].copy(data=values.where(there, expected).transpose(*values.dims))
    return degree.assign(found)


def _site_descriptors(drivers: xr.Dataset, lat: xr.DataArray, lon: xr.DataArray) -> xr.DataArray:
    """(site, descriptor): what is known of a site without measuring soil moisture there."""
    columns = []
    for da in drivers.data_vars.values():
        over = [dim for dim in da.dims if dim != "site"]
        columns += [da.mean(over), da.std(over)]
    columns += [lat.copy(data=coordinate) for coordinate in unit_vectors(lat.values, lon.values).T]
    bare = [column.drop_vars(list(column.coords)).astype(float) for column in columns]
    return xr.concat(bare, "descriptor").transpose("site", "descriptor").compute()


def _ridge(x: xr.DataArray, y: xr.DataArray, new: xr.DataArray) -> xr.DataArray:
    """Regression of y (site, ...) on x (site, descriptor), both standardised, at `new`."""
    from xarray_einstats import linalg

    n = x.sizes["site"]
    mean, spread = x.mean("site"), x.std("site")
    spread = spread.where(spread >= 1e-9 * (1 + abs(mean)), np.inf)  # what does not vary says nothing
    z, level, scale = (x - mean) / spread, y.mean("site"), y.std("site")
    target = (y - level) / scale.where(scale > 0, 1.0)
    other, at = z.rename(descriptor="other"), z.rename(descriptor="other", site="at")
    gram = xr.dot(z, other, dim="site")
    identity = xr.DataArray(np.eye(x.sizes["descriptor"]), dims=gram.dims)
    errors, weights = [], []
    for penalty in PENALTIES * n:
        inverse = linalg.inv(gram + penalty * identity, dims=gram.dims)
        hat = 1 / n + xr.dot(z, inverse, at, dim=gram.dims)
        leverage = linalg.diagonal(hat, dims=("site", "at"))
        # each site left out: its residual over one less its leverage
        residual = target - xr.dot(hat, target.rename(site="at"), dim="at")
        errors.append(float(((residual / (1 - leverage.rename({leverage.dims[-1]: "site"}))) ** 2).mean()))
        weights.append(xr.dot(inverse, xr.dot(other, target, dim="site"), dim="other"))
    best = weights[int(np.argmin(errors))]
    return level + scale * xr.dot((new - mean) / spread, best, dim="descriptor")


KINDS = get_args(CausalityKind)
DRAWS = get_args(SpatialDraws)


@public
def spatial_validation(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None = None,
    *,
    causality: Sequence[CausalityKind] = KINDS,
    variant: VariantName = "ResAttCauRec",
    without: VariantName = "ResAttRec",
    folds: int = 5,
    draws: SpatialDraws = "folds",
    clusters: xr.DataArray | float | None = None,
    known: float = 0.7,
    size: int | None = None,
    window: int = 15,
    lead: int = 7,
    runs: int = 5,
    seed: int = 0,
    cache_dir: str | Path | None = None,
    progress: bool = True,
    time: Hashable = "time",
    **settings: Any,
) -> xr.Dataset:
    """Hold every site out once, and forecast it with networks that were trained on other sites.

    Parameters
    ----------
    ds, target, drivers
        Daily data of sites; see :func:`xdrought.fit_resattcaurec`.
    causality : sequence of str
        What the network is told about a held-out site:

        - "own": its own causality degree, from the first `known` share of its record; that needs soil moisture there;
        - "predicted": what :func:`predicted_degree` expects there from weather and position;
        - "mean": the mean degree of the other sites, which says nothing about the site;
        - "none": nothing; the network `without` is trained instead.
    variant, without : str
        The network with causality, and the one without.
    folds : int
        Groups of sites. Each is held out once, the next one validates, the others train.
    draws : {"folds", "random"}
        "random" draws the parts of the sites (70:15:15) anew `folds` times instead, as the paper does; a site may then
        be held out several times or never, and scores are the mean over the draws that hold it out.
    clusters : xarray.DataArray or float, optional
        Sites that stay together, as in :func:`xdrought.splits.spatial_monte_carlo`: labels, or a distance in km.
    known : float
        Share of a site's days that its own causality and the references may know. Later days, after an embargo, are
        scored.
    size, window, lead, runs, seed, cache_dir, progress, time, **settings
        As in :func:`xdrought.study.compare`.

    Returns
    -------
    xarray.Dataset
        As from :func:`xdrought.study.compare`: the models are the kinds of `causality`, and persistence, damped
        persistence and climatology of the held-out site itself. `fold` (site) is when a site was held out (last, with
        random draws; -1 for never). `ga_run` (model, run) is the generalization ability: pooled RMSE of the training
        sites over that of the held-out ones, the mean over folds. Where soil moisture was never measured, neither these
        references nor "own" can be had.

    Raises
    ------
    ValueError
        For unknown kinds or draws, fewer than three folds or more folds than sites, `known` outside 0 to 1, "predicted"
        without lat and lon, and as :func:`xdrought.fit_resattcaurec`.

    Notes
    -----
    The paper draws five random splits (``draws="random"``), where some sites are never tested and some several
    times, and tells the network a held-out site's own causality. By default each site is tested once, so that
    differences can be paired. "own", "predicted" and "mean" are forecasts of the same networks.

    References
    ----------
    Tang et al. 2025, section 3.4.

    Examples
    --------
    The command behind the documentation's table is ``python docs/studies/spatial_real.py``.
    """
    unknown = [kind for kind in causality if kind not in KINDS]
    if unknown or not causality:
        raise ValueError(f"causality={list(causality)}; choose from {list(KINDS)}")
    if not 0 < known < 1:
        raise ValueError(f"known={known!r}; it is a share of the days, above 0 and below 1")
    checks.require_choice(draws, "draws", DRAWS)
    from tqdm.auto import tqdm

    windows = patches(ds, target, drivers=drivers, size=size, window=window, lead=lead, time=time)
    windows.require_windows()
    has_target = windows.to_labels(np.ones(len(windows), dtype=bool))
    later = chronological(windows, fractions=(known, 0.0, 1 - known))
    known_kinds = [kind for kind in causality if kind != "none"]
    weather, observed = windows.data[list(windows.drivers)], windows.data[target]
    own = None
    if known_kinds:
        train = later.training_days(observed[time])
        own = causality_degree(weather, observed, train=train, time=time)[["rho", "p_value"]].compute()
    cache = open_cache(cache_dir, ds, target, drivers)
    common = {"size": size, "window": window, "lead": lead, "runs": runs, "seed": seed, "time": time, **settings}
    found: dict[str, list[xr.DataArray]] = {kind: [] for kind in causality}
    ability: dict[str, list[xr.DataArray]] = {kind: [] for kind in causality}
    fold = xr.full_like(has_target.isel({time: 0}, drop=True), -1, dtype=int)
    if draws == "folds":
        rounds = spatial_folds(has_target, folds=folds, clusters=clusters, seed=seed, time=time)
    else:
        rounds = [
            spatial_monte_carlo(has_target, clusters=clusters, seed=seed + k, time=time)
            for k in range(checks.require_integer(folds, "folds"))
        ]
    for k, splits in enumerate(
        tqdm(rounds, desc="spatial_validation", unit="fold", disable=None if progress else True)
    ):
        out = splits.ranges.start.sel(part="test", drop=True).notnull()
        fold = fold.where(~out, k)
        made: dict[str, xr.DataArray] = {}
        if own is not None:
            degrees: dict[str, xr.Dataset] = {kind: _degree_told(kind, own, weather, ~out) for kind in known_kinds}
            member = trained(
                cache,
                f"fold {k} told",
                ds,
                target,
                windows.drivers,
                variant=variant,
                split=splits,
                causality=own,
                degrees=degrees,
                **common,
            )
            made |= {kind: member.forecast.sel(degree=kind, drop=True) for kind in known_kinds}
        if "none" in causality:
            member = trained(
                cache, f"fold {k} none", ds, target, windows.drivers, variant=without, split=splits, **common
            )
            made["none"] = member.forecast
        parts = [splits.mask("train", observed[time]), out & later.mask("test", observed[time])]
        for kind, forecast in made.items():
            found[kind].append(forecast.where(out))
            training, test = (_rmse(forecast, observed, part, time) for part in parts)
            ability[kind].append(training / test)
    rounds_of = [found] if draws == "folds" else [{kind: [one[k]] for kind, one in found.items()} for k in range(folds)]
    scores = _mean_scores(
        [
            score_members(
                {kind: Member(reduce(_beside, of_folds), later, windows.lead) for kind, of_folds in members.items()},
                ds[target],
                time=time,
            )
            for members in rounds_of
        ]
    )
    mean = {kind: xr.concat(of_folds, "fold").mean("fold") for kind, of_folds in ability.items()}
    ga = xr.concat(list(mean.values()), xr.Variable("model", list(mean))).reindex(model=scores["model"])
    ga = ga.assign_attrs(long_name="generalization ability (RMSE of training over RMSE of held-out sites)", units="1")
    return scores.assign(ga_run=ga.transpose("model", "run")).assign_coords(
        fold=fold.rename("fold").reset_coords(drop=True)
    )


def _rmse(forecast: xr.DataArray, observed: xr.DataArray, where: xr.DataArray, time: Hashable) -> xr.DataArray:
    """Root mean squared error of all samples of a part together, (run,)."""
    error = (forecast - observed).where(where).drop_vars("run", errors="ignore")
    return (error**2).mean(["site", time]) ** 0.5


def _mean_scores(by_draw: list[xr.Dataset]) -> xr.Dataset:
    """Scores of several draws as one: the mean over those that have one, and days of all."""
    if len(by_draw) == 1:
        return by_draw[0]
    together = xr.concat(by_draw, "draw", coords="minimal", compat="override", join="outer")
    scores = together[list(SCORES)].mean("draw")
    by_run = {name: together[f"{name}_run"].mean("draw").assign_attrs(together[f"{name}_run"].attrs) for name in SCORES}
    out = scores.merge(summarise_runs(by_run, 0.95), combine_attrs="override")
    first = by_draw[0]
    return out.assign(is_reference=first.is_reference, n_days=together.n_days.sum("draw")).assign_attrs(first.attrs)


def _beside(one: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """Forecasts of different sites in one array."""
    return one.fillna(other)


@public
def spatial_folds(
    has_target: xr.DataArray,
    *,
    folds: int = 5,
    clusters: xr.DataArray | float | None = None,
    seed: int = 0,
    time: Hashable = "time",
) -> list[Splits]:
    """Splits by whole sites in which each site is tested once.

    Parameters
    ----------
    has_target : boolean xarray.DataArray
        (site, time), True on the days that have a target.
    folds : int
        Groups of about as many sites, drawn at random. In split k group k is tested, the next one validates.
    clusters, seed, time
        As in :func:`xdrought.splits.spatial_monte_carlo`.

    Returns
    -------
    list of Splits
        One for each fold.

    Raises
    ------
    ValueError
        For fewer than three folds, or groups without a site, and as :func:`xdrought.splits.spatial_monte_carlo`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.study import spatial_folds
    >>> days = pd.date_range("2001-01-01", periods=50)
    >>> observed = xr.DataArray(np.ones((6, 50), bool), {"site": list("ABCDEF"), "time": days}, ("site", "time"))
    >>> tested = [splits.ranges.start.sel(part="test").notnull() for splits in spatial_folds(observed, folds=3)]
    >>> [int(part.sum()) for part in tested]
    [2, 2, 2]
    """
    checks.require_integer(folds, "folds", 3)  # one tests, one validates, the others train
    days = chronological(has_target, fractions=(1.0, 0.0, 0.0), embargo=0, time=time).ranges.sel(
        part="train", drop=True
    )
    (site,) = days.start.dims
    left, groups = has_target.isel({site: days.start.notnull().values}), []
    for remaining in range(folds, 1, -1):
        shares = (1 - 1 / remaining, 0.0, 1 / remaining)
        drawn = spatial_monte_carlo(left, fractions=shares, clusters=clusters, seed=seed, time=time).ranges.start
        groups.append(left[site].values[drawn.sel(part="test").notnull().values])
        left = left.isel({site: drawn.sel(part="test").isnull().values})
        if not groups[-1].size or not left.sizes[site]:
            n = int(days.start.notnull().sum())
            raise ValueError(f"{folds} folds of {n} sites leave one empty; use fewer folds or smaller clusters")
    groups.append(left[site].values)
    result = []
    for k in range(folds):
        held = {"test": groups[k], "val": groups[(k + 1) % folds]}
        held["train"] = np.concatenate([g for j, g in enumerate(groups) if j not in (k, (k + 1) % folds)])
        parts = [days.where(days[site].isin(held[part])) for part in PARTS]
        ranges = xr.concat(parts, xr.Variable("part", list(PARTS)))
        result.append(Splits(ranges, (1 - 2 / folds, 1 / folds, 1 / folds), 0, time))
    return result


def _degree_told(kind: str, own: xr.Dataset, drivers: xr.Dataset, known_at: xr.DataArray) -> xr.Dataset:
    """The causality degree with what a held-out site is told."""
    if kind == "own":
        return own
    if kind == "predicted":
        return predicted_degree(own, drivers, known=known_at)
    return own.where(known_at, own.where(known_at).mean(known_at.dims))
