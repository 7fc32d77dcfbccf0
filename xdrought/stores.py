"""Results that are larger than memory, written to zarr region by region and carried on after an interruption."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought import files
from xdrought.provenance import cf_dataset, without_packing
from xdrought.public_functions import public

__all__ = ["write_zarr"]

_DONE, _ALL = "regions_written", "regions_of_the_result"  # attributes of a store that is not complete
FORMAT: dict[str, Any] = {"zarr_format": 3, "consolidated": False}


@public
def write_zarr(
    result: xr.Dataset | xr.DataArray, path: str | Path, *, overwrite: bool = False, progress: bool = True
) -> Path:
    """Compute a lazy result and write it to a zarr store, so that an interrupted run is carried on where it was.

    The result is computed one row of chunks at a time: the chunks of its first chunked dimension follow each other,
    and those of the others are computed together. Memory holds what dask needs for one row. Call the function again
    with the same result and path after an interruption, and it writes the rows that are missing.

    Parameters
    ----------
    result : xarray.Dataset or xarray.DataArray
        What :func:`xdrought.drought_classes`, :func:`xdrought.predict`, :func:`xdrought.ccm` or any other call gives
        for dask arrays, or any other labelled result. Its chunks become the chunks of the store. What is already in
        memory is written at once.
    path : str or pathlib.Path
        Where the store goes, a folder by the name of ``.zarr``. The folder that holds it must exist.
    overwrite : bool
        Whether a store that is complete, or that holds something else, is replaced.
    progress : bool
        A bar of the rows on terminals.

    Returns
    -------
    pathlib.Path
        The path, for ``xarray.open_zarr(path, consolidated=False)``.

    Raises
    ------
    FileExistsError
        For a complete store, or one that was begun with another result, unless `overwrite`.
    BlockingIOError
        When another run is writing the same store.

    Notes
    -----
    The format is zarr 3. Until a store is complete its attributes ``regions_written`` and ``regions_of_the_result`` say
    how far it is. A result counts as the same when its names, labels, attributes, dtypes and chunks are: the values
    that were computed before the interruption are not computed again, so do not change the input between two calls.

    Examples
    --------
    >>> import tempfile
    >>> import xarray as xr
    >>> from xdrought import drought_classes, open_dataset, write_zarr
    >>> soil = open_dataset("us-ar1").soil_moisture.chunk(site=1)
    >>> path = write_zarr(drought_classes(soil), f"{tempfile.mkdtemp()}/classes.zarr")
    >>> xr.open_zarr(path, consolidated=False).drought_class.dtype
    dtype('int8')
    """
    path = Path(path)
    ds = _writable(result)
    regions = list(_regions(ds))
    with files.locked(path, "the store"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have a Zarr V3 specification", category=Warning)
        done = _rows_written(path, ds, len(regions), overwrite)
        if done is None:
            _begin(path, ds, len(regions))
            done = 0
        _write_rows(path, ds, regions, done, progress)
    return path


def _writable(result: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """The result as a Dataset with chunks that are all alike but the last, as in zarr, and without old encodings."""
    ds = cf_dataset(result.rename(result.name or "result")) if isinstance(result, xr.DataArray) else result
    ds = without_packing(ds.unify_chunks())
    alike = {
        dim: max(sizes) for dim, sizes in ds.chunksizes.items() if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]
    }
    for name in _lazy(ds):
        da = ds[name]
        ds[name] = da.chunk({dim: alike[dim] for dim in da.dims if dim in alike}) if da.dims else da.compute()
    return ds


def _regions(ds: xr.Dataset) -> Iterator[dict[Hashable, slice]]:
    """The rows of chunks: one slice along the first dimension that is chunked in the result's own order."""
    cut = [dim for dim in _dims_in_order(ds) if len(ds.chunksizes.get(dim, ())) > 1]
    if not cut:
        yield {}
        return
    yield from regions_along(cut[0], ds.chunksizes[cut[0]])


def regions_along(dim: Hashable, sizes: Iterable[int]) -> Iterator[dict[Hashable, slice]]:
    """One region for each chunk of a dimension."""
    for start, stop in itertools.pairwise([0, *np.cumsum(list(sizes)).tolist()]):
        yield {dim: slice(start, stop)}


def _dims_in_order(ds: xr.Dataset) -> list[Hashable]:
    return list(dict.fromkeys(dim for da in ds.data_vars.values() for dim in da.dims))


def _lazy(ds: xr.Dataset) -> list[Hashable]:
    return [name for name, variable in ds.variables.items() if variable.chunks is not None]


def _rows_written(path: Path, ds: xr.Dataset, n_regions: int, overwrite: bool) -> int | None:
    """How many rows of this very result the store holds; None when there is no store to carry on."""
    if not path.exists():
        return None
    begun = None if overwrite else _opened(path)
    done = None if begun is None else begun.attrs.pop(_DONE, None)
    if begun is not None and done is not None and begun.attrs.pop(_ALL) == n_regions and _same_labels(begun, ds):
        return int(done)
    if not overwrite:
        what = "is complete" if done is None else "was begun with another result"
        raise FileExistsError(f"{path} is there and {what}; use overwrite=True to replace it, or another path")
    if not path.is_dir():  # a folder is exchanged when the new one is there
        path.unlink()
    return None


def _opened(path: Path) -> xr.Dataset:
    try:
        return xr.open_zarr(path, consolidated=False)
    except Exception as error:  # whatever a folder of another kind makes zarr raise
        raise FileExistsError(
            f"{path} is there and cannot be read as a zarr store; use overwrite=True to replace it, or another path"
        ) from error


def _same_labels(begun: xr.Dataset, ds: xr.Dataset) -> bool:
    """Whether a store was begun with a result of these names, dtypes, chunks, attributes and labels."""
    if set(begun.variables) != set(ds.variables) or not _same_attributes(begun, ds):
        return False
    for name, variable in ds.variables.items():
        stored = begun.variables[name]
        if stored.dims != variable.dims or stored.shape != variable.shape or not _same_attributes(stored, variable):
            return False
        if name in _lazy(ds):
            # dates and spans may be stored in another resolution
            same = stored.dtype == variable.dtype or stored.dtype.kind == variable.dtype.kind in "mM"
            if not same or dict(stored.chunksizes) != dict(variable.chunksizes):
                return False
        elif not stored.equals(variable):
            return False
    return True


def _same_attributes(stored: xr.Dataset | xr.Variable, new: xr.Dataset | xr.Variable) -> bool:
    """Whether the attributes are those that were written, with numbers and lists as a store gives them back."""
    mapping = {name: value for name, value in new.encoding.items() if name == "grid_mapping"}  # an attribute in files
    return xr.Variable((), 0, stored.attrs).identical(xr.Variable((), 0, new.attrs | mapping))


def _begin(path: Path, ds: xr.Dataset, n_regions: int) -> None:
    """Write everything but the values of lazy variables, and that they are not written."""
    with files.replacing(path) as part:
        unfinished = ds.assign_attrs({_DONE: 0, _ALL: n_regions})
        unfinished.to_zarr(part, compute=False, mode="w", **FORMAT)


def _write_rows(path: Path, ds: xr.Dataset, regions: list[dict[Hashable, slice]], done: int, progress: bool) -> None:
    import zarr
    from tqdm import tqdm

    attrs = zarr.open_group(path, mode="r+", zarr_format=3).attrs
    rows = tqdm(
        regions[done:], path.name, total=len(regions), initial=done, unit="row", disable=None if progress else True
    )
    for k, region in enumerate(rows, start=done):
        _write_row(path, ds[_lazy(ds)], region, first=k == 0)
        attrs[_DONE] = k + 1
    del attrs[_DONE], attrs[_ALL]


def _write_row(path: Path, ds: xr.Dataset, region: dict[Hashable, slice], first: bool) -> None:
    """Compute and write one row; lazy variables that the rows do not cut are written whole with the first."""
    lazy = ds.reset_coords()[_lazy(ds)]
    lazy = lazy.drop_vars(set(lazy.variables) - set(_lazy(ds)))
    cut = [name for name, variable in lazy.data_vars.items() if set(region) & set(variable.dims)]
    whole = lazy.drop_vars(cut) if first else lazy[[]]
    everywhere: dict[Hashable, slice] = dict.fromkeys(whole.dims, slice(None))
    where: Any
    for part, where in ((whole, everywhere), (lazy[cut].isel(region), region)):
        if part.data_vars:
            part.to_zarr(path, region=where, **FORMAT)
