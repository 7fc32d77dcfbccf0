"""Results of long computations in a folder, configurations of an experiment among them: made once, and read again."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import files
from xdrought.forecast import Forecaster, load_forecaster
from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.splits import Splits

logger = logging.getLogger("xdrought")
T = TypeVar("T")
Make = Callable[[Path | None], T]  # gets the path of a checkpoint


@dataclass
class ResultCache:
    """A folder of results, each under its name and the digest of the settings that it was made with.

    Beside every result lies a note of its settings, which is written last: a result without its note, or with a note
    of other settings, is made again. Nothing is overwritten by a result of other settings.

    Parameters
    ----------
    path : pathlib.Path or None
        The folder, which is made when it is needed. Without one, every result is made anew.
    common : mapping
        Settings of all results, e.g. digests of the data.
    """

    path: Path | None
    common: Mapping[str, Any] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict, repr=False)

    def dataset(self, name: str, settings: Mapping[str, Any], make: Make[xr.Dataset]) -> xr.Dataset:
        """The Dataset of these settings; `make` gets the path of a checkpoint, from which long work can go on."""

        def write(ds: xr.Dataset, path: Path) -> None:
            ds.to_netcdf(path, engine="h5netcdf")

        return self._result(name, ".nc", settings, make, write, _read_dataset)

    def forecaster(self, name: str, settings: Mapping[str, Any], make: Make[Forecaster]) -> Forecaster:
        """The trained network of these settings; `make` gets the path of a checkpoint for the training."""
        return self._result(name, ".xdrought", settings, make, Forecaster.save, load_forecaster)

    def folder(self, name: str) -> Path | None:
        """A folder inside this one, for results that have a cache of their own."""
        return None if self.path is None else self.path / name

    @property
    def cpu_seconds(self) -> float:
        """What the results that were asked for have cost when they were made."""
        return sum(self._seconds.values())

    def _result(
        self,
        name: str,
        suffix: str,
        settings: Mapping[str, Any],
        make: Make[T],
        write: Callable[[T, Path], None],
        read: Callable[[Path], T],
    ) -> T:
        if self.path is None:
            return make(None)
        wanted = json.loads(json.dumps({"name": name, **plain(self.common), **plain(settings)}, sort_keys=True))
        plain_name = re.sub(r"[^\w.+=-]+", "_", name)
        stem = f"{plain_name}-{files.digest(json.dumps(wanted))}"
        file, note = self.path / f"{stem}{suffix}", self.path / f"{stem}.json"
        found = _read_note(note)
        if not file.exists() or found.get("settings") != wanted:
            self.path.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)
            checkpoint = self.path / f"{stem}.checkpoint"
            began = time.process_time()
            result = make(checkpoint)
            with files.replacing(file) as part:
                write(result, part)
            found = {"settings": wanted, "cpu_seconds": round(time.process_time() - began, 1)}
            with files.replacing(note) as part:
                part.write_text(json.dumps(found, indent=1), encoding="utf-8")
            for part in self.path.glob(f"{checkpoint.name}*"):  # how each run ended is beside it
                part.unlink(missing_ok=True)
            logger.info("%s: %.0f CPU s", name, found["cpu_seconds"])
        self._seconds[stem] = float(found.get("cpu_seconds", 0))
        return read(file)


def plain(value: Any) -> Any:
    """A setting as JSON holds it; labelled arrays and splits by a digest of what they hold."""
    if isinstance(value, xr.DataArray | xr.Dataset):
        return files.digest(value)
    if isinstance(value, Splits):
        return files.digest(value.ranges)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _read_dataset(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        return ds.load()


def _read_note(note: Path) -> dict[str, Any]:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


# Keywords of a training that do not change what it gives.
WITHOUT_EFFECT = ("progress", "checkpoint", "device")
PLACES = "place_"  # before the names of the splits' dimensions in a file
Labelled = TypeVar("Labelled", xr.DataArray, xr.Dataset)


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


def _bare(labelled: Labelled) -> Labelled:
    """With the labels of its dimensions only."""
    return labelled.drop_vars([name for name in labelled.coords if name not in labelled.dims])
