"""Geographical convergent cross mapping: causes read from one map in space, not from a record in time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.causality import pairs
from xdrought.causality.cross_mapping import CAUSE_DIM, LABELS
from xdrought.causality.pairs import Cause, Causes
from xdrought.causality.significance import ADJUSTED, with_adjusted
from xdrought.choices import Direction
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.statistics.hypothesis_tests import Fdr

if TYPE_CHECKING:
    from xdrought.kernels.spatial_cross_map import SpatialSettings

SOURCE = "Gao et al. 2023, doi:10.1038/s41467-023-41619-6"
_IN_SPACE = {
    "p_value": "Pearson p-value of the skill, which takes cells as independent and is far too small for smooth fields",
    "n_pairs": "number of cells compared",
    "fisher_p_value": "one-sided p-value of Fisher's z, which takes cells as independent",
    "surrogate_p_value": "one-sided p-value of the skill with the whole field against phase-randomised fields",
}


@public
@recorded
def gccm(
    cause: Cause,
    effect: xr.DataArray,
    *,
    embedding_dim: int = 3,
    tau: int = 1,
    direction: Direction = "both",
    neighbours: int | None = None,
    exclusion_radius: int = 0,
    library_size: int | Iterable[int] | None = None,
    library_samples: int = 30,
    surrogates: int = 0,
    fdr: Fdr | None = None,
    fdr_dim: Hashable | Iterable[Hashable] | None = None,
    detrend: bool = False,
    periodic: bool | None = None,
    seed: int = 0,
    lat: Hashable = "lat",
    lon: Hashable = "lon",
) -> xr.Dataset:
    """Geographical convergent cross mapping: how well a field can be read from another field's neighbourhoods.

    Parameters
    ----------
    cause : xarray.DataArray, xarray.Dataset, dict or list of xarray.DataArray
        One or several candidate causes on a regular grid, any units.
    effect : xarray.DataArray
        The candidate effect. Other dimensions, e.g. time, broadcast against those of the cause, and each of their
        fields is mapped on its own. With dask, lat and lon must be one chunk each; the result is lazy.
    embedding_dim : int
        Length E of the state vector: the cell's own value and the means of E - 1 rings of cells around it.
    tau : int
        Distance between rings, in cells.
    direction : {"both", "cause_to_effect", "effect_to_cause"}
        As in :func:`xdrought.ccm`: "cause_to_effect" estimates the **cause from the effect's** state vectors.
    neighbours : int, optional
        Nearest cells that make an estimate; E + 1 by default.
    exclusion_radius : int
        Cells (king's moves) around a cell that may not be its neighbours. 0 leaves out the cell itself only; smooth
        fields need more.
    library_size : int or sequence of int, optional
        Learn from random square windows with sides of so many cells instead of the whole field. `rho` is then the
        mean over windows; skill that grows and levels off with size is the sign of causation.
    library_samples : int
        Windows per size, those with at least half of their cells; all when there are fewer.
    surrogates : int
        Phase-randomised copies of the mapped field to test the whole field's skill against; 0 for no test.
    fdr : {"bh", "by", "holm"}, optional
        Also adjust the p-values for the number of tests, as :func:`xdrought.false_discovery_control` does.
    fdr_dim : hashable or iterable of hashable, optional
        Dimensions of the result that form one family of tests; by default all.
    detrend : bool
        Remove a plane in row and column from both fields first.
    periodic : bool, optional
        Whether the last longitude joins the first; by default when they go once around the globe.
    seed : int
        For windows and surrogates; the draws do not depend on chunks.
    lat, lon : hashable
        The grid's dimensions.

    Returns
    -------
    xarray.Dataset
        On the broadcast dimensions without lat and lon, `variable` for several causes, `direction` for both and
        `library_size` where a sequence is given: `rho`; `p_value`, raw and two-sided; `n_pairs`, the number of cells
        compared. With library sizes, surrogates and `fdr` the further variables of :func:`xdrought.ccm`, and its
        scalar coordinates `cause` and `effect`.

    Raises
    ------
    TypeError
        For anything but numbers in DataArrays.
    ValueError
        For grids that differ or are irregular, lat or lon in chunks, a field smaller than the rings, or settings out
        of range.

    Notes
    -----
    State vectors lie close when their mean absolute difference is small; the estimate is the mean of the nearest
    cells weighted by ``exp(-d / d_1)``. Cells without a value, or without any in one of their rings, are left out;
    at the edges a ring is the part of it that lies on the grid. Cells tied with the last neighbour share its slots.
    Rings are counted in cells, so a grid in degrees is stretched towards the poles.

    The paper's program calls E the number of rings, so that its E = 3 is `embedding_dim=4` with ``neighbours=4``
    here, and slides a window over all places; here a sample of them is drawn.

    A field's cells are no independent samples, and two smooth fields are alike by chance far more often than the raw
    p-value says: read `surrogate_p_value`, or set `exclusion_radius`. Of 200 pairs of unrelated
    fields of 24 x 30 cells, smooth over 1 to 4 cells, the surrogate test called 1 to 7 % related at the level of 5 %,
    the raw one 67 to 100 %.

    References
    ----------
    Gao et al. 2023, doi:10.1038/s41467-023-41619-6.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xdrought import gccm
    >>> rng = np.random.default_rng(0)
    >>> rain = xr.DataArray(rng.random((12, 15)), dims=("lat", "lon"), name="rain")
    >>> result = gccm(rain, np.sqrt(rain).rename("soil"))
    >>> result.rho.round(1).values
    array([1., 1.])
    """
    causes = pairs.collect_causes(cause)
    for da in (effect, *causes.arrays):
        _check_field(da, (lat, lon))
    causes, effect = pairs.match(causes, _north_up(effect, lat, lon))
    for name, value in (("embedding_dim", embedding_dim), ("tau", tau)):
        checks.require_integer(value, name, 1)
    shortest = min(effect.sizes[lat], effect.sizes[lon])
    if (embedding_dim - 1) * tau >= shortest:
        raise ValueError(
            f"the grid of {effect.sizes[lat]} x {effect.sizes[lon]} cells is too small for "
            f"embedding_dim={embedding_dim}, tau={tau}; the outer ring reaches {(embedding_dim - 1) * tau} cells"
        )
    neighbours = embedding_dim + 1 if neighbours is None else checks.require_integer(neighbours, "neighbours", 1)
    sizes = _window_sizes(library_size, shortest, neighbours)
    directions = pairs.DIRECTIONS[checks.require_choice(direction, "direction", pairs.DIRECTIONS)]

    from xdrought.kernels.spatial_cross_map import SpatialSettings

    settings = SpatialSettings(
        dim=int(embedding_dim),
        tau=int(tau),
        neighbours=int(neighbours),
        radius=checks.require_integer(exclusion_radius, "exclusion_radius", 0),
        from_effect=tuple(way == pairs.FORWARD for way in directions),
        window_sizes=sizes,
        samples=checks.require_integer(library_samples, "library_samples", 1),
        surrogates=checks.require_integer(surrogates, "surrogates", 0),
        detrend=bool(detrend),
        periodic=_goes_around(effect, lon) if periodic is None else bool(periodic),
        seed=int(seed),
    )
    result = _map(causes, effect, settings, directions, [lat, lon])
    pairs.warn_without_skill(result["rho"], (effect, *causes.arrays))
    if library_size is not None and pairs.is_scalar(library_size):
        result = result.isel(library_size=0)
    return with_adjusted(result, fdr, fdr_dim).assign_attrs(_describe(settings))


def _north_up(da: xr.DataArray, lat: Hashable, lon: Hashable) -> xr.DataArray:
    """Rows from north to south and columns from west to east, so that windows and surrogates are drawn of places."""
    for dim, falls in ((lat, True), (lon, False)):
        index = da.indexes.get(dim)
        if index is not None and index.is_unique and (index.is_monotonic_decreasing != falls) and index.size > 1:
            da = da.isel({dim: slice(None, None, -1)})
    return da


def _check_field(da: xr.DataArray, dims: tuple[Hashable, Hashable]) -> None:
    """Numbers on a regular grid in one chunk."""
    if da.dtype.kind not in "fiu":
        raise TypeError(f"{da.name!r} has dtype {da.dtype}; cross mapping needs numbers: use .astype(float)")
    for dim in dims:
        if dim not in da.dims:
            raise ValueError(f"no dimension {dim!r} in {da.name!r}; it has {da.dims}. Name them by lat=, lon=")
        checks.require_one_chunk(da, dim, "neighbours need the whole field")
        index = da.indexes.get(dim)
        is_number = index is not None and index.dtype.kind in "iufM"
        steps = np.diff(np.asarray(index, dtype=float)) if is_number else np.ones(1)
        if steps.size and (steps[0] == 0 or not np.allclose(steps, steps[0], rtol=0.02)):
            raise ValueError(f"the steps of {dim!r} differ; rings need a regular grid: use .interp or .reindex")


def _window_sizes(library_size: int | Iterable[int] | None, shortest: int, neighbours: int) -> tuple[int, ...]:
    if library_size is None:
        return ()
    sizes = np.atleast_1d(np.asarray(library_size))
    least = int(np.ceil(np.sqrt(2 * (neighbours + 1))))  # half of a window may be missing
    if sizes.dtype.kind not in "iu" or not sizes.size or sizes.min() < least or sizes.max() > shortest:
        raise ValueError(
            f"library_size={library_size!r}; sides of windows are whole numbers from {least} to the grid's "
            f"shorter side, {shortest} cells"
        )
    return tuple(int(size) for size in sizes)


def _goes_around(da: xr.DataArray, lon: Hashable) -> bool:
    """Whether the longitudes go once around the globe."""
    index = da.indexes.get(lon)
    if index is None or index.size < 3 or index.dtype.kind not in "iuf":
        return False
    values = np.asarray(index, dtype=float)
    return bool(np.isclose(abs(values[-1] - values[0]) * index.size / (index.size - 1), 360.0, rtol=1e-3))


def _map(
    causes: Causes,
    effect: xr.DataArray,
    settings: SpatialSettings,
    directions: tuple[str, ...],
    dims: list[Hashable],
) -> xr.Dataset:
    """The kernel on labels; lazy for dask."""
    from xdrought.kernels.spatial_cross_map import has_sizes, map_block, result_names

    called = pairs.names_of(causes, effect)
    own = {CAUSE_DIM, "direction", "library_size", *called, *LABELS, *ADJUSTED}
    own |= {"variable"} if causes.names else set()
    clash = sorted(own & {str(dim) for da in (effect, *causes.arrays) for dim in da.dims})
    if clash:
        raise ValueError(f"the input has dimensions {clash}, which the result needs; rename them")
    names = result_names(settings)
    lengths = {CAUSE_DIM: len(causes.arrays), "direction": len(directions)}
    if settings.window_sizes:
        lengths["library_size"] = len(settings.window_sizes)
    out = xr.apply_ufunc(
        map_block,
        *(da.drop_vars(own, errors="ignore") for da in (effect, *causes.arrays)),
        kwargs={"settings": settings},
        input_core_dims=[dims] * (1 + len(causes.arrays)),
        output_core_dims=[
            [CAUSE_DIM, "direction", *(["library_size"] if has_sizes(name, settings) else [])] for name in names
        ],
        dask="parallelized",
        output_dtypes=[np.int64 if name == "n_pairs" else np.float64 for name in names],
        dask_gufunc_kwargs={"output_sizes": lengths},
        keep_attrs=False,
    )
    variables = {
        name: da.rename(name).assign_attrs(long_name=_IN_SPACE.get(name, LABELS[name]), units="1")
        for name, da in zip(names, out, strict=True)
    }
    result = xr.Dataset(variables).assign_coords(direction=list(directions)).assign_coords(called)
    if settings.window_sizes:
        attrs = {"long_name": "side of the square windows that are learned from", "units": "cells"}
        result = result.assign_coords(library_size=("library_size", list(settings.window_sizes), attrs))
    if len(directions) == 1:
        result = result.isel(direction=0)
    if causes.names is None:
        return result.isel({CAUSE_DIM: 0})
    return result.rename({CAUSE_DIM: "variable"}).assign_coords(variable=list(causes.names))


def _describe(settings: SpatialSettings) -> dict[str, object]:
    """Settings as attributes that a file can hold."""
    attrs: dict[str, object] = {
        "embedding_dim": settings.dim,
        "tau": settings.tau,
        "neighbours": settings.neighbours,
        "exclusion_radius": settings.radius,
        "detrend": int(settings.detrend),
        "periodic": int(settings.periodic),
        "source": SOURCE,
    }
    if settings.window_sizes:
        attrs |= {"library_samples": settings.samples, "seed": settings.seed}
    if settings.surrogates:
        attrs |= {"surrogates": settings.surrogates, "seed": settings.seed}
    return attrs
