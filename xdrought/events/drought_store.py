"""The droughts of a record, written to a zarr store band by band and carried on after an interruption."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import dask.array
import xarray as xr

from xdrought import files, shown
from xdrought.events.droughts import Labelling
from xdrought.events.flash_droughts import SUMMARY
from xdrought.events.table import Bound, events_of, scan_blocks
from xdrought.provenance import cf_dataset, without_packing
from xdrought.stores import FORMAT, regions_along

_DONE, _ALL, _EVENTS = "bands_written", "bands_of_the_record", "events_written"  # of a store that is not complete
_RESULT = "result_digest"
_EVENTS_AT_ONCE = 100_000  # of a chunk of the table


def write_bands(path: Path, labelling: Labelling, progress: bool) -> None:
    """Scan and write the bands that the store does not hold yet.

    Raises
    ------
    FileExistsError
        When the store is complete, or was begun with another record or definition.
    """
    import zarr
    from tqdm import tqdm

    bands = list(_bands(labelling.bound))
    with files.locked(path, "the store"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have a Zarr V3 specification", category=Warning)
        if not path.exists():
            _begin(path, labelling, len(bands))
        done, n_events = _written(path, labelling)
        attrs = zarr.open_group(path, mode="r+", zarr_format=3).attrs
        off = None if progress else True
        for k, band in enumerate(
            tqdm(bands[done:], path.name, len(bands), initial=done, unit="band", disable=off), done
        ):
            blocks = scan_blocks(labelling.bound, "everything", band)
            events, classes, summary = labelling.droughts(blocks, band)
            _append(path, events)
            _write_band(path, "classes", classes.to_dataset(), band)
            _write_band(path, "summary", summary, band)
            n_events += events.sizes["event"]
            attrs.update({_DONE: k + 1, _EVENTS: n_events})
        for name in (_DONE, _ALL, _EVENTS):
            del attrs[name]


def _bands(bound: Bound) -> Iterator[dict[Hashable, slice]]:
    """The chunks of the first dimension that has several, or everything."""
    for dim, sizes in zip(bound.space, bound.chunks, strict=True):
        if len(sizes) > 1:
            yield from regions_along(dim, sizes)
            return
    yield {}


def _begin(path: Path, labelling: Labelling, n_bands: int) -> None:
    """Write labels and attributes of everything, and that no band is there yet."""
    import zarr

    values, shape = labelling.bound.inputs.values, labelling.bound.shape
    n_days = values.sizes[labelling.bound.inputs.time]
    chunks = tuple(max(sizes, default=1) for sizes in labelling.bound.chunks)
    labels = dask.array.empty((*shape, n_days), dtype="int8", chunks=(*chunks, n_days))
    maps = [dask.array.empty(shape, dtype="float64", chunks=chunks)] * len(SUMMARY)
    results = labelling.labelled(events_of(labelling.bound, []), labels, maps, values)
    with files.replacing(path) as part:
        zarr.open_group(part, mode="w", zarr_format=3).attrs.update(
            {_RESULT: _digest(labelling), _DONE: 0, _ALL: n_bands, _EVENTS: 0}
        )
        for group, one in results._asdict().items():
            ds = without_packing(cf_dataset(one))
            encoding = {name: {"chunks": (_EVENTS_AT_ONCE,)} for name in ds.variables} if group == "events" else {}
            ds.to_zarr(part, group=group, mode="a", compute=False, encoding=encoding, **FORMAT)


def _digest(labelling: Labelling) -> str:
    """What a record and its treatment are known by: labels, chunks and settings, not the values."""
    values = labelling.bound.inputs.values
    settings = shown.in_one_line(labelling.definition) + labelling.record.attributes["history"]
    return files.digest(values.coords.to_dataset(), str(values.dims), str(labelling.bound.chunks), settings)


def _written(path: Path, labelling: Labelling) -> tuple[int, int]:
    """Bands and events that the store holds; events of a band that was not finished are cut off."""
    import zarr

    try:
        group = zarr.open_group(path, mode="r+", zarr_format=3)
        attrs: dict[str, Any] = dict(group.attrs)
    except Exception as error:  # whatever a folder of another kind makes zarr raise
        raise FileExistsError(f"{path} is there and cannot be read as a zarr store; name another path") from error
    if _DONE not in attrs or attrs.get(_RESULT) != _digest(labelling):
        what = "was begun with another record or definition" if _DONE in attrs else "is complete"
        raise FileExistsError(f"{path} is there and {what}; name another path, or remove it")
    n_events = int(attrs[_EVENTS])
    for _, array in zarr.open_group(path, path="events", mode="r+", zarr_format=3).arrays():
        array.resize((n_events, *array.shape[1:]))
    return int(attrs[_DONE]), n_events


def _append(path: Path, events: xr.Dataset) -> None:
    if events.sizes["event"]:
        cf_dataset(events).drop_encoding().to_zarr(path, group="events", append_dim="event", **FORMAT)


def _write_band(path: Path, group: str, ds: xr.Dataset, band: dict[Hashable, slice]) -> None:
    bare = ds.drop_vars(ds.coords).drop_encoding()
    where: Any = band or dict.fromkeys(bare.dims, slice(None))
    bare.to_zarr(path, group=group, region=where, **FORMAT)
