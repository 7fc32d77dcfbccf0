"""The labelled events, classes and summary of a record, put together from the blocks of one pass."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import xarray as xr

from xdrought.definitions import Definition
from xdrought.events.flash_droughts import labelled_classes, labelled_summary, settings_of
from xdrought.events.table import Block, Bound, events_of
from xdrought.provenance import Record

_TITLES = ("Every drought event of every series", "The class of every day", "Maps of the events of each series")


class Droughts(NamedTuple):
    """The droughts of a record; see :func:`xdrought.detect_droughts`."""

    events: xr.Dataset
    classes: xr.DataArray
    summary: xr.Dataset


@dataclass(frozen=True)
class Labelling:
    """A record, a definition and how the results are labelled."""

    bound: Bound
    definition: Definition
    dims: tuple[Hashable, ...]
    censored: str
    record: Record

    def droughts(self, blocks: list[Block], band: dict[Hashable, slice]) -> Droughts:
        """The labelled results of the blocks of a band; an empty band is everything."""
        events = events_of(self.bound, blocks)
        if self.censored == "drop":
            events = events.isel(event=~events.is_censored.values)
        values = self.bound.inputs.values.isel(band)
        space, time = self.bound.space, self.bound.inputs.time
        shape = tuple(values.sizes[dim] for dim in space)
        corner = tuple(band[dim].start if dim in band else 0 for dim in space)
        labels = _joined(blocks, [block.classes for block in blocks], (*shape, values.sizes[time]), corner)
        maps = [_joined(blocks, list(parts), shape, corner) for parts in zip(*(b.maps for b in blocks), strict=True)]
        return self.labelled(events, labels, maps, values)

    def labelled(self, events: xr.Dataset, labels: Any, maps: Iterable[Any], values: xr.DataArray) -> Droughts:
        """Results on the labels of the values, with settings and provenance."""
        space, time = self.bound.space, self.bound.inputs.time
        classes = labelled_classes(xr.DataArray(labels, values.coords, [*space, time]).transpose(*self.dims))
        coords = {name: coord for name, coord in values.coords.items() if time not in coord.dims}
        summary = labelled_summary([xr.DataArray(one, coords, space) for one in maps])
        settings = settings_of(self.definition)
        results = zip((events, classes, summary), _TITLES, strict=True)
        return Droughts(*(self.record.on(cast(Any, one), title).assign_attrs(settings) for one, title in results))


def _joined(blocks: list[Block], parts: list[Any], shape: tuple[int, ...], corner: tuple[int, ...]) -> np.ndarray:
    """An array put together from those of the blocks, which begin at `corner` of the record."""
    if len(blocks) == 1:
        return parts[0].reshape(shape)
    whole = np.empty(shape, parts[0].dtype)
    for block, part in zip(blocks, parts, strict=True):
        whole[tuple(slice(w.start - c, w.stop - c) for w, c in zip(block.where, corner, strict=True))] = part
    return whole
