"""From paths to lazy Datasets: files, folders, globs and stores, each looked through before it is read."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought.untrusted import Refusal, check_codecs, check_hdf5, check_zarr

HOME = "https://cds.climate.copernicus.eu"
_SUFFIXES = (".nc", ".nc4", ".cdf", ".grib", ".grb", ".grib2", ".grb2", ".zarr")
_MAGIC = {b"CDF": "scipy", b"\x89HDF": "h5netcdf", b"GRIB": "cfgrib"}
_SCHEMES = ("https", "s3", "gs", "gcs", "az", "abfs", "abfss")
_MAX_LABELS = 10_000_000  # a dimension coordinate is read whole


def open_all(paths: str | PathLike | Iterable[str | PathLike], chunks: Any) -> list[xr.Dataset]:
    """Open every file or store lazily; a GRIB file may give several Datasets."""
    return [ds for path in _expand(paths) for ds in _open(path, chunks)]


def open_one(path: str, chunks: Any) -> xr.Dataset:
    """The Dataset of one file or store that holds one, lazily, after the same look."""
    return _open(path, chunks)[0]


def _expand(paths: str | PathLike | Iterable[str | PathLike]) -> list[str]:
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    found = [file for path in given for file in _of_path(fspath(path))]
    if not found:
        raise FileNotFoundError(f"no path was given; download ERA5 from {HOME}")
    return list(dict.fromkeys(found))


def _of_path(path: str) -> list[str]:
    """The files and stores that a path, a folder or a pattern stands for."""
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if "://" in path or "::" in path:  # a store elsewhere; zarr and fsspec know how
        scheme = path.partition("://")[0].lower()
        if scheme in ("http", "ftp"):
            raise ValueError(f"{path!r} is not encrypted and could be changed on its way; give an https address")
        if scheme not in _SCHEMES:
            raise ValueError(f"{path!r} is not read; a store elsewhere is had over one of {', '.join(_SCHEMES)}")
        return [path]
    here = Path(path)
    if not here.exists():
        matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []
        if not matches:
            what = "fits no file" if glob.has_magic(path) else "does not exist"
            raise FileNotFoundError(f"{path} {what}; download ERA5 from {HOME}")
        return [store for match in matches for store in _of_path(match)]
    if here.is_file() or _is_zarr(here):
        return [path]
    inside = sorted(
        str(entry) for entry in here.iterdir() if entry.suffix.lower() in _SUFFIXES and entry.name[0] != "."
    )
    if not inside:
        raise FileNotFoundError(
            f"no file or store in {path} ends with {', '.join(_SUFFIXES)}; download ERA5 from {HOME}"
        )
    return inside


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _open(path: str, chunks: Any) -> list[xr.Dataset]:
    """The Datasets of one file or store, after one look at what it could lead to."""
    engine = _engine(path)
    try:
        _look_through(path, engine)
        if engine == "cfgrib":
            opened = _open_grib(path, chunks)
        else:
            opened = [xr.open_dataset(path, engine=engine, chunks=chunks, decode_timedelta=True)]  # type: ignore[arg-type]
    except ImportError as error:
        raise ImportError(f"{path} needs the package {engine!r} to be read; pip install {engine}") from error
    except Refusal as refusal:
        raise ValueError(str(refusal)) from None
    except (OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, MemoryError, OverflowError) as error:
        _tell_packing(path, engine)
        raise OSError(_tell_unreadable(path, error)) from error  # HDF5 raises all of them
    for ds in opened:
        _check_packing(ds, path)
    return opened


def _look_through(path: str, engine: str) -> None:
    if engine == "h5netcdf":
        check_hdf5(path)
    if engine == "zarr":
        _check_store(path)


def _check_store(path: str) -> None:
    import zarr

    if "://" not in path:
        check_zarr(path)
    group = zarr.open_group(path, mode="r")
    for name, array in group.arrays():
        check_codecs(array.metadata.to_dict(), f"{name} of {path}")
        if array.ndim == 1 and array.size > _MAX_LABELS:
            raise Refusal(
                f"{name!r} of {path} promises {array.size} labels along one dimension, more than the {_MAX_LABELS} "
                f"that any grid has; get the store again"
            )


def _open_grib(path: str, chunks: Any) -> list[xr.Dataset]:
    """The cubes of a GRIB file; no index is read or written beside it, because cfgrib unpickles what it finds."""
    from cfgrib import open_datasets

    opened = open_datasets(path, backend_kwargs={"indexpath": ""})
    return [ds.chunk(chunks) if chunks is not None else ds for ds in opened]


def _engine(path: str) -> str:
    here = Path(path)
    if "://" in path or here.is_dir():
        return "zarr"
    with here.open("rb") as file:
        begin = file.read(8)
    if begin[:2] == b"PK":
        raise ValueError(
            f"{path} is a zip archive, as the Climate Data Store sends when a request holds "
            f"instantaneous and accumulated variables; unpack it and give the files inside"
        )
    engine = next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), None)
    if engine is None:
        raise ValueError(
            f"{path} is neither NetCDF, GRIB nor a zarr store (it begins with {begin!r}); "
            f"it may be empty or an error page: get it again"
        )
    return engine


def _tell_unreadable(path: str, error: Exception) -> str:
    if "decode time" in str(error):
        return (
            f"the times of {path} cannot be decoded ({str(error).partition('. ')[0]}); correct their units, "
            f"ds = xarray.open_dataset({path!r}, decode_times=False); "
            f"ds['time'].attrs['units'] = 'hours since 1900-01-01'; ds = xarray.decode_cf(ds), "
            f"and give ds to daily_drivers"
        )
    if isinstance(error, MemoryError):
        return f"{path} promises more than memory holds; get it again, or cut out what is needed, e.g. with ncks"
    return f"{path} cannot be read ({error}); it may be cut short: get it again"


def _tell_packing(path: str, engine: str) -> None:
    """Say so when the packing is what a file cannot be read for."""
    try:
        raw = xr.open_dataset(path, engine=engine, decode_cf=False)  # type: ignore[arg-type]
    except Exception:
        return
    _check_packing(raw, path)


def _check_packing(ds: xr.Dataset, path: str) -> None:
    """Refuse a scale or an offset that is no number: it would fail when the first value is computed."""
    for name, variable in ds.variables.items():
        for key in ("scale_factor", "add_offset"):
            value = variable.encoding.get(key, variable.attrs.get(key, 1.0))
            try:
                sound = np.ndim(value) <= 1 and np.size(value) == 1 and bool(np.isfinite(value).all())
            except TypeError:
                sound = False
            if not sound:
                raise ValueError(
                    f"{name!r} of {path} has {key}={value!r}, which is no number; say how it is packed, "
                    f"ds = xarray.open_dataset({path!r}, mask_and_scale=False); "
                    f"ds[{name!r}].attrs[{key!r}] = {1.0 if key == 'scale_factor' else 0.0}; "
                    f"ds = xarray.decode_cf(ds), and give ds to daily_drivers"
                )
