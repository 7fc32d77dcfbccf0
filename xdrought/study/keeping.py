"""Trained forecasts, kept in a folder as netCDF files so that a long comparison goes on where it was stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.forecast.fitting import fit_resattcaurec, predict
from xdrought.splits import Splits

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


@dataclass(frozen=True)
class Folder:
    """Where forecasts are kept; without a path they are made anew each time.

    Parameters
    ----------
    path : pathlib.Path or None
        The folder; made when it is not there.
    data : mapping
        What is the same for all members, e.g. sums of the data.
    """

    path: Path | None
    data: Mapping[str, Any]

    def member(self, name: str, settings: Mapping[str, Any], make: Callable[[Path | None], Member]) -> Member:
        """The kept member of that name, or the one that `make(checkpoint)` gives, which is then kept."""
        if self.path is None:
            return make(None)
        self.path.mkdir(parents=True, exist_ok=True)
        said = {"name": name, **self.data, **{key: plain(value) for key, value in sorted(settings.items())}}
        stem = re.sub(r"[^\w.+-]+", "_", name)
        file, under_way = self.path / f"{stem}.nc", self.path / f"{stem}.training"
        if file.exists():
            return _read(file, said)
        member = make(under_way)
        _write(file, member, said)
        under_way.unlink(missing_ok=True)
        return member


def open_folder(
    keep: str | Path | None,
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None,
    **common: Any,
) -> Folder:
    """The folder of one comparison; `common` are settings of all its members."""
    if keep is None:
        return Folder(None, {})
    from xdrought import __version__

    names = list(ds.data_vars) if drivers is None else [*drivers, target]
    data = {"xdrought": __version__, "target": str(target), "drivers": [str(name) for name in drivers or ["default"]]}
    data |= {"data": digest(ds[names]), **{key: plain(value) for key, value in common.items()}}
    return Folder(Path(keep), data)


def trained(
    folder: Folder,
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
    settings = {**keywords, "runs": runs, "seed": seed, "degrees": degrees}

    def make(checkpoint: Path | None) -> Member:
        own = {"checkpoint": checkpoint, **keywords}
        forecaster = fit_resattcaurec(
            ds, target, drivers, runs=runs, seed=seed, time=time, **{"progress": False, **own}
        )  # fmt: skip
        device = keywords.get("device", "auto")
        if degrees is None:
            forecast = predict(ds, forecaster, time=time, device=device)[target]
        else:
            told = [
                predict(ds, forecaster, causality=one, time=time, device=device)[target] for one in degrees.values()
            ]
            forecast = xr.concat(told, pd.Index(list(degrees), name="degree"))
        if "run" not in forecast.dims:
            forecast = forecast.expand_dims("run")
        splits = replace(forecaster.splits, ranges=_bare(forecaster.splits.ranges))
        return Member(_bare(forecast), splits, forecaster.lead)

    return folder.member(name, {k: v for k, v in settings.items() if k not in WITHOUT_EFFECT}, make)


def plain(value: Any) -> Any:
    """A setting as JSON holds it; labelled arrays and splits by a digest of what they hold."""
    if isinstance(value, xr.DataArray | xr.Dataset):
        return digest(value)
    if isinstance(value, Splits):
        return digest(value.ranges)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def digest(labelled: xr.DataArray | xr.Dataset) -> str:
    """A short sum of names, labels and values; arrays are read one slice of the first dimension at a time."""
    found = blake2b(digest_size=8)
    ds = labelled.to_dataset(name="_values") if isinstance(labelled, xr.DataArray) else labelled
    for name in sorted(ds.variables, key=str):
        variable = ds[name].variable
        found.update(f"{name} {variable.dims} {variable.shape}".encode())
        for k in range(variable.shape[0] if variable.ndim else 1):
            values = np.asarray(variable[k] if variable.ndim else variable)
            found.update(str(values.tolist()).encode() if values.dtype.kind in "OU" else values.tobytes())
    return found.hexdigest()


def _write(file: Path, member: Member, said: Mapping[str, Any]) -> None:
    """One file, complete or not there; the places of the splits, which may be fewer, have dimensions of their own."""
    ranges = member.splits.ranges
    places = {dim: f"{PLACES}{dim}" for dim in ranges.start.dims if dim != "part"}
    ds = ranges.rename(places).assign(forecast=member.forecast)
    splits = {"fractions": list(member.splits.fractions), "embargo": int(member.splits.embargo)}
    notes = {"settings": json.dumps(said), "splits": json.dumps(splits), "lead": int(member.lead)}
    new = file.with_suffix(".part")
    ds.drop_attrs().assign_attrs(notes, time=str(member.splits.time)).to_netcdf(new, engine="h5netcdf")
    new.replace(file)


def _read(file: Path, said: Mapping[str, Any]) -> Member:
    with xr.open_dataset(file, engine="h5netcdf") as stored:
        ds = stored.load()
    found = json.loads(ds.attrs.get("settings", "{}"))
    said = json.loads(json.dumps(said))
    other = [name for name in {**found, **said} if found.get(name) != said.get(name)]
    if other:
        words = ", ".join(f"{name}={found.get(name)!r}, now {said.get(name)!r}" for name in other)
        raise ValueError(
            f"{file} was made with {words}; call with the same settings and data to go on, or keep the new "
            f"ones in another folder"
        )
    notes = json.loads(ds.attrs["splits"])
    ranges = ds[["start", "end"]]
    ranges = ranges.rename({dim: str(dim).removeprefix(PLACES) for dim in ranges.dims if str(dim).startswith(PLACES)})
    splits = Splits(ranges, tuple(notes["fractions"]), notes["embargo"], ds.attrs["time"])
    return Member(ds["forecast"], splits, int(ds.attrs["lead"]))


def _bare(labelled: T) -> T:
    """With the labels of its dimensions only."""
    return labelled.drop_vars([name for name in labelled.coords if name not in labelled.dims])
