"""Is the forecast better where causality is stronger? Causality degree against a score, site by site (Figure 5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.causality.significance import false_discovery_control
from xdrought.public_functions import public
from xdrought.statistics import bootstrap_weights, percentile_interval
from xdrought.statistics.correlation import correlation, ranks, site_sums
from xdrought.statistics.trends import lowess


@dataclass(frozen=True)
class Resampling:
    """How to draw intervals."""

    confidence: float
    n_boot: int
    seed: int

    def checked(self) -> Resampling:
        checks.require_share(self.confidence, "confidence")
        checks.require_integer(self.n_boot, "n_boot")
        return self

    def rng(self, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *more])

    def interval(self, samples: np.ndarray) -> np.ndarray:
        """(2, ...) central interval over the first axis; NaN where no sample is known."""
        return np.stack(percentile_interval(np.moveaxis(samples, 0, -1), self.confidence))


@dataclass(frozen=True)
class Curve:
    """Smoothed y on a grid of x, (3, points): the curve, and the band's lower and upper end."""

    x: np.ndarray
    y: np.ndarray


def curve_with_band(
    x: np.ndarray, y: np.ndarray, site: np.ndarray, points: int, fraction: float, how: Resampling
) -> Curve:
    """LOWESS of the points; `site` counts from 0, and a sample of sites brings all their points."""
    if x.size < 3 or np.ptp(x) == 0:
        return Curve(np.full(points, np.nan), np.full((3, points), np.nan))
    grid = np.linspace(x.min(), x.max(), points)
    weights = bootstrap_weights(int(site.max()) + 1, how.n_boot, how.rng(1))
    samples = np.full((how.n_boot, points), np.nan)
    for k, times in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(x.size), times[site])
        samples[k] = lowess(x[rows], y[rows], grid, fraction)
    return Curve(grid, np.concatenate([lowess(x, y, grid, fraction)[None], how.interval(samples)]))


ALL = "all drivers"


@public
def skill_by_degree(
    degree: xr.Dataset | xr.DataArray,
    score: xr.DataArray,
    *,
    fraction: float = 2 / 3,
    points: int = 60,
    permutations: int = 2000,
    confidence: float = 0.95,
    n_boot: int = 200,
    seed: int = 0,
    site: Hashable = "site",
) -> xr.Dataset:
    """Each driver's causality degree against the score of the forecast over sites (Figure 5a to 5e).

    Parameters
    ----------
    degree : xarray.Dataset or DataArray
        From :func:`xdrought.causality_degree`, or its `rho`: on (site, variable) and others, over which the mean is
        taken (cells); choose a direction first.
    score : xarray.DataArray
        On (site[, run]), e.g. ``verify(...).nse.sel(model="forecast")``; runs are averaged.
    fraction : float
        Share of the sites to which each line of LOWESS is fitted.
    points : int
        Of the curve.
    permutations : int
        Of the score among sites, the same for all drivers.
    confidence : float
        Of intervals and bands.
    n_boot : int
        Bootstrap samples of sites.
    seed : int
        Of permutations and bootstrap.
    site : hashable
        The dimension of sites.

    Returns
    -------
    xarray.Dataset
        On `variable`, the drivers and then "all drivers" (the mean of their degrees): `spearman` with `lower` and
        `upper`, the permutation's `p_value`, `p_value_adjusted` (false-discovery rate over the drivers,
        Benjamini-Hochberg; "all drivers" is one test and keeps its own), `site_count`. On (variable, point): `curve_x`
        `curve` `curve_lower` `curve_upper`. On (variable, site) `degree` and on site `score`, of the sites that both
        know.

    Raises
    ------
    ValueError
        For missing dimensions, no common sites, or settings out of range.

    Notes
    -----
    A relation over sites is not an effect of the causality input: sites with more memory or a stronger season have
    both higher degrees and better scores. Compare with :func:`xdrought.study.placebo`, and give the score of
    persistence here too: where it rises in the same way, the network is not the cause.

    References
    ----------
    Tang et al. 2025, section 4.3, Figures 5 and S9.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> sites = {"site": [f"S{k}" for k in range(9)]}
    >>> rho = xr.DataArray([np.arange(9.0), np.arange(9.0) % 3], {"variable": ["tp", "t2m"], **sites})
    >>> result = skill_by_degree(rho, xr.DataArray(np.arange(9.0) ** 2, sites))
    >>> result.spearman.round(2).values
    array([1.  , 0.32, 0.97])
    """
    how = Resampling(confidence, n_boot, seed).checked()
    rho, nse = _aligned(degree, score, site)
    x, y = rho.to_numpy(), nse.to_numpy()
    known = np.isfinite(x) & np.isfinite(y)
    rows = [_one(x[k][known[k]], y[known[k]], points, fraction, permutations, how) for k in range(len(x))]
    values = {name: np.array([row[name] for row, _ in rows]) for name in rows[0][0]}
    p_value = xr.DataArray(values["p_value"], dims="variable")
    drivers = false_discovery_control(p_value[:-1])
    adjusted = np.append(drivers.values, values["p_value"][-1])
    curves = np.stack([curve.y for _, curve in rows])
    along, share = ("variable", "point"), f"{confidence:.0%}"
    units = {"units": nse.attrs["units"]} if "units" in nse.attrs else {}
    out = alignment.dataset_of(
        {
            "spearman": ("variable", values["spearman"], {"long_name": "Spearman correlation over sites"}),
            "lower": ("variable", values["lower"], {"long_name": f"lower end of the {share} interval over sites"}),
            "upper": ("variable", values["upper"], {"long_name": f"upper end of the {share} interval over sites"}),
            "p_value": ("variable", values["p_value"], {"long_name": "p-value, scores permuted among sites"}),
            "p_value_adjusted": ("variable", adjusted, {"long_name": "p-value, adjusted over the drivers"}),
            "site_count": ("variable", known.sum(axis=1), {"long_name": "number of sites"}),
            "curve_x": (along, np.stack([curve.x for _, curve in rows])),
            "curve": (along, curves[:, 0], {"long_name": "LOWESS"} | units),
            "curve_lower": (along, curves[:, 1], {"long_name": f"lower end of the {share} band"} | units),
            "curve_upper": (along, curves[:, 2], {"long_name": f"upper end of the {share} band"} | units),
            "degree": rho.rename("degree"),
            "score": nse,
        }
    )
    settings = {"confidence": confidence, "n_boot": n_boot, "permutations": permutations, "seed": seed}
    if out.sizes[site] == degree.sizes[site]:
        out = alignment.in_order_of(out, degree, [site])
    return out.assign_attrs(settings, fraction=fraction)


@public
def coupling_strength(
    relation: xr.Dataset, importance: xr.DataArray, *, permutations: int = 2000, seed: int = 0
) -> xr.Dataset:
    """Do important drivers couple degree and score more strongly? Coupling against importance (Figure 5f).

    Parameters
    ----------
    relation : xarray.Dataset
        From :func:`skill_by_degree`.
    importance : xarray.DataArray
        On `variable`, and others over which the mean is taken, e.g. of :func:`xdrought.event_importance`.
    permutations : int
        Of the scores among sites: each draws new p-values for all drivers together, for those of one site go together.
    seed : int
        Of the permutations.

    Returns
    -------
    xarray.Dataset
        On `variable` (drivers that both know): `importance`; `p_value` and `spearman` of the relation; `coupling`,
        minus the decimal logarithm of the p-value. Over them: `rank_correlation` of importance and the strength of
        the relation (absolute Spearman; the paper takes its p-value, which falls as that rises and is 1/permutations
        at least), positive when important drivers couple more strongly, and its one-sided `rank_p_value`.

    Raises
    ------
    ValueError
        For fewer than three common drivers.

    References
    ----------
    Tang et al. 2025, section 4.3, Figure 5f.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> rng, sites = np.random.default_rng(0), {"site": [f"S{k}" for k in range(30)]}
    >>> nse = xr.DataArray(rng.random(30), sites)
    >>> rho = nse * xr.DataArray([2.0, 0.5, 0.1], {"variable": ["tp", "t2m", "sp"]}) + rng.random((30, 3)) * 0.3
    >>> result = coupling_strength(skill_by_degree(rho, nse), xr.DataArray([9.0, 3, 1], {"variable": rho["variable"]}))
    >>> float(result.rank_correlation)
    1.0
    """
    needed = ("degree", "score", "spearman")
    if "variable" not in importance.dims:
        raise ValueError(f"the importance has dimensions {importance.dims}, no 'variable'; give that of each driver")
    checks.require_variables(relation, needed, "the relation lacks", "xdrought.study.skill_by_degree")
    relation = alignment.in_label_order(relation, [dim for dim in relation.degree.dims if dim != "variable"])
    inside = [dim for dim in importance.dims if dim != "variable"]
    mean = importance.mean(inside) if inside else importance
    drivers = [name for name in relation["variable"].values.tolist() if name in mean["variable"].values.tolist()]
    drivers = [name for name in drivers if np.isfinite(float(relation.spearman.sel(variable=name)))]
    if len(drivers) < 3:
        raise ValueError(
            f"relation and importance share the drivers {drivers}; a rank correlation needs three, "
            f"give both of the same network"
        )
    by_driver, weight = (
        relation.reset_coords(drop=True).sel(variable=drivers),
        mean.reset_coords(drop=True).sel(variable=drivers),
    )
    strength = abs(by_driver.spearman).to_numpy()
    observed = _rank_correlation(weight.to_numpy(), strength[None])[0]
    drawn = _rank_correlation(weight.to_numpy(), abs(_shuffled_spearman(by_driver, permutations, seed)))
    p_value = (1 + np.sum(drawn >= observed - 1e-12)) / (1 + permutations)
    return xr.Dataset(
        {
            "importance": weight.assign_attrs(importance.attrs).rename("importance"),
            "p_value": by_driver.p_value,
            "spearman": by_driver.spearman,
            "coupling": (-np.log10(by_driver.p_value)).assign_attrs(long_name="coupling, minus log10 of the p-value"),
            "rank_correlation": ((), observed, {"long_name": "rank correlation of importance and coupling"}),
            "rank_p_value": ((), p_value, {"long_name": "one-sided p-value, scores permuted among sites"}),
        }
    ).assign_attrs(permutations=permutations, seed=seed)


def _aligned(
    degree: xr.Dataset | xr.DataArray, score: xr.DataArray, site: Hashable
) -> tuple[xr.DataArray, xr.DataArray]:
    """(variable, site) with the mean of the drivers last, and (site,), on common sites in the order of their names."""
    if isinstance(degree, xr.Dataset):
        checks.require_variables(degree, ("rho",), "the causality degree lacks", "xdrought.causality_degree")
    rho = degree["rho"] if isinstance(degree, xr.Dataset) else degree
    rho, score = (alignment.in_label_order(limits.check(da, codes_only=True), [site]) for da in (rho, score))
    if missing := [dim for dim in ("variable", site) if dim not in rho.dims]:
        raise ValueError(f"the degree has dimensions {rho.dims}, not {missing}; take it from causality_degree")
    if "direction" in rho.dims:
        raise ValueError('the degree has two directions; choose one, .sel(direction="cause_to_effect")')
    others = [dim for dim in score.dims if dim not in (site, "run")]
    if site not in score.dims or others:
        raise ValueError(f"the score has dimensions {score.dims}; it is on {site!r}: choose a model and score")
    score = score.mean("run") if "run" in score.dims else score
    rho = rho.mean([dim for dim in rho.dims if dim not in ("variable", site)]).transpose("variable", site)
    alignment.require_same_kind(rho[site], score[site], site, what="the score")
    rho, score = xr.align(rho.drop_attrs(), score, join="inner")
    if not score.sizes[site]:
        raise ValueError("degree and score share no site; their names must be the same")
    if score.sizes[site] < 3:
        checks.warn(
            f"degree and score share {score.sizes[site]} of their sites, and a correlation over sites needs three; "
            f"give both of the same sites"
        )
    known = np.isfinite(rho.to_numpy())
    mean = np.where(known.all(axis=0), rho.to_numpy().mean(axis=0), np.nan)
    names = [*map(str, rho["variable"].values), ALL]
    coords = {name: coord for name, coord in rho.coords.items() if coord.dims == (site,)}
    attrs = {"long_name": "causality degree"}
    both = xr.DataArray(
        np.concatenate([rho.to_numpy(), mean[None]]), {**coords, "variable": names}, ("variable", site), attrs=attrs
    )
    foreign = [name for name, coord in score.coords.items() if coord.dims != (site,)]
    return both, score.drop_vars(foreign).rename("score")


def _one(
    x: np.ndarray, y: np.ndarray, points: int, fraction: float, permutations: int, how: Resampling
) -> tuple[dict[str, float], Curve]:
    """Numbers and curve of one driver."""
    place = np.arange(x.size)
    curve = curve_with_band(x, y, place, points, fraction, how)
    if x.size < 3:
        return dict.fromkeys(("spearman", "lower", "upper", "p_value"), float("nan")), curve
    sums = site_sums(ranks(x), ranks(y), place)
    rho = float(correlation(sums, np.ones(x.size)))
    low, high = how.interval(correlation(sums, bootstrap_weights(x.size, how.n_boot, how.rng(2))))
    drawn = _permuted(ranks(x)[None], ranks(y), permutations, how.rng(3))[:, 0]
    p_value = (1 + np.sum(abs(drawn) >= abs(rho) - 1e-12)) / (1 + permutations) if np.isfinite(rho) else np.nan
    return {"spearman": rho, "lower": float(low), "upper": float(high), "p_value": float(p_value)}, curve


def _permuted(x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Correlations of each row of centred ranks with shuffled centred ranks, (permutations, row)."""
    shuffled = rng.permuted(np.tile(y, (permutations, 1)), axis=1)
    scale = np.sqrt((x**2).sum(axis=1) * (y**2).sum())
    return np.divide(shuffled @ x.T, scale, out=np.full((permutations, len(x)), np.nan), where=scale > 0)


def _shuffled_spearman(relation: xr.Dataset, permutations: int, seed: int) -> np.ndarray:
    """(permutations, variable) with the same shuffled scores for all drivers, on the sites that all know."""
    degree = relation.degree.transpose("variable", ...).to_numpy()
    known = np.isfinite(degree).all(axis=0) & np.isfinite(relation.score.to_numpy())
    rng = np.random.default_rng([seed, 4])
    return _permuted(ranks(degree[:, known]), ranks(relation.score.to_numpy()[known]), permutations, rng)


def _rank_correlation(fixed: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Spearman correlation of one vector with each row."""
    a, b = ranks(fixed), ranks(rows)
    return (b @ a) / np.sqrt((a**2).sum() * (b**2).sum(axis=1))
