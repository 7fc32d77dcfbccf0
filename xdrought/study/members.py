"""The configurations of an experiment: trained, forecast, and kept as netCDF so that a long experiment goes on."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import xarray as xr

from xdrought import files
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.splits import Splits
from xdrought.study.result_cache import ResultCache

# Keywords of a training that do not change what it gives.
WITHOUT_EFFECT = ("progress", "checkpoint", "device")
PLACES = "place_"  # before the names of the splits' dimensions in a file
T = TypeVar("T", xr.DataArray, xr.Dataset)


@dataclass(frozen=True)
class Member:
    """The forecasts of one configuration: all its networks, the splits they were trained with, and the days ahead."""

    forecast: xr.DataArray
    splits: Splits
    lead: int

    def runs(self, part: str, time: Hashable) -> list[xr.DataArray]:
        """The forecast of each network on the days of a part."""
        tested = self.forecast.where(self.splits.mask(part, self.forecast[time]))
        return [tested.isel(run=run, drop=True) for run in range(tested.sizes["run"])]

    def to_dataset(self) -> xr.Dataset:
        """The member as one Dataset; the places of the splits, which may be fewer, have dimensions of their own."""
        ranges = self.splits.ranges
        places = {dim: f"{PLACES}{dim}" for dim in ranges.start.dims if dim != "part"}
        splits = {"fractions": list(self.splits.fractions), "embargo": int(self.splits.embargo)}
        notes = {"splits": json.dumps(splits), "lead": int(self.lead), "time": str(self.splits.time)}
        return ranges.rename(places).assign(forecast=self.forecast).drop_attrs().assign_attrs(notes)

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> Member:
        """The member that :meth:`to_dataset` wrote down."""
        ranges = ds[["start", "end"]]
        places = {dim: str(dim).removeprefix(PLACES) for dim in ranges.dims if str(dim).startswith(PLACES)}
        notes = json.loads(ds.attrs["splits"])
        splits = Splits(ranges.rename(places), tuple(notes["fractions"]), notes["embargo"], ds.attrs["time"])
        return cls(ds["forecast"], splits, int(ds.attrs["lead"]))


def open_cache(
    cache_dir: str | Path | None, ds: xr.Dataset, target: Hashable, drivers: Sequence[Hashable] | None
) -> ResultCache:
    """The cache of one experiment on these data."""
    if cache_dir is None:
        return ResultCache(None)
    from xdrought import __version__

    names = list(ds.data_vars) if drivers is None else [*drivers, target]
    asked = [str(name) for name in drivers or ["default"]]
    common = {"xdrought": __version__, "target": str(target), "drivers": asked, "data": files.digest(ds[names])}
    return ResultCache(Path(cache_dir), common)


def trained(
    cache: ResultCache,
    name: str,
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None,
    *,
    runs: int,
    seed: int,
    time: Hashable,
    degrees: Mapping[str, xr.Dataset] | None = None,
    **keywords: Any,
) -> Member:
    """Train and forecast one configuration, or read it.

    With `degrees` the same networks forecast once with each of these causality degrees, on a dimension `degree`.
    """

    def make(checkpoint: Path | None) -> xr.Dataset:
        how = {"progress": False, "checkpoint": checkpoint, **keywords}
        forecaster = fit_resattcaurec(ds, target, drivers, runs=runs, seed=seed, time=time, **how)
        device = keywords.get("device", "auto")
        if degrees is None:
            forecast = predict(ds, forecaster, time=time, device=device)[target]
        else:
            by_degree = [
                predict(ds, forecaster, causality=degree, time=time, device=device)[target]
                for degree in degrees.values()
            ]
            forecast = xr.concat(by_degree, pd.Index(list(degrees), name="degree"))
        if "run" not in forecast.dims:
            forecast = forecast.expand_dims("run")
        splits = replace(forecaster.splits, ranges=_bare(forecaster.splits.ranges))
        return Member(_bare(forecast), splits, forecaster.lead).to_dataset()

    settings = {**keywords, "runs": runs, "seed": seed, "degrees": degrees}
    with_effect = {key: value for key, value in settings.items() if key not in WITHOUT_EFFECT}
    return Member.from_dataset(cache.dataset(name, with_effect, make))


def _bare(labelled: T) -> T:
    """With the labels of its dimensions only."""
    return labelled.drop_vars([name for name in labelled.coords if name not in labelled.dims])
