"""Which files to open and with what; nothing of their content is known here."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import xarray as xr

_SUFFIXES = (".nc", ".nc4", ".cdf", ".grib", ".grb", ".grib2", ".zarr")
_MAGIC = {b"CDF": "scipy", b"\x89HDF": "h5netcdf", b"GRIB": "cfgrib"}
HOME = "https://cds.climate.copernicus.eu"


def open_all(paths: str | PathLike | Iterable[str | PathLike], chunks: Any, caller: str) -> list[xr.Dataset]:
    """Open every file or store lazily; a GRIB file may give several Datasets."""
    return [ds for path in _expand(paths, caller) for ds in _open(path, chunks, caller)]


def _expand(paths: str | PathLike | Iterable[str | PathLike], caller: str) -> list[str]:
    given = [paths] if isinstance(paths, str | PathLike) else list(paths)
    found = [one for path in given for one in _of_path(fspath(path), caller)]
    if not found:
        raise FileNotFoundError(f"{caller}: no path was given; ERA5 is had from {HOME}")
    return found


def _of_path(path: str, caller: str) -> list[str]:
    if "://" in path:  # a store elsewhere; zarr and fsspec know how
        if path.partition("://")[0].lower() in ("http", "ftp"):
            raise ValueError(
                f"{caller}: {path!r} is not encrypted and could be changed on its way; give an https address"
            )
        return [path]
    here = Path(path)
    if not here.exists():
        raise FileNotFoundError(f"{caller}: {path} does not exist; ERA5 is had from {HOME}")
    if here.is_file() or _is_zarr(here):
        return [path]
    inside = sorted(str(one) for one in here.iterdir() if one.suffix.lower() in _SUFFIXES and one.name[0] != ".")
    if not inside:
        raise FileNotFoundError(
            f"{caller}: no file or store in {path} ends with {', '.join(_SUFFIXES)}; ERA5 is had from {HOME}"
        )
    return inside


def _is_zarr(path: Path) -> bool:
    return any((path / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _open(path: str, chunks: Any, caller: str) -> list[xr.Dataset]:
    engine = _engine(path, caller)
    try:
        if engine == "cfgrib":
            return _open_grib(path, chunks)
        return [xr.open_dataset(path, engine=engine, chunks=chunks, decode_timedelta=True)]  # type: ignore[arg-type]
    except ImportError as error:
        raise ImportError(f"{caller}: {path} needs the package {engine!r} to be read; pip install {engine}") from error
    except (OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError) as error:  # HDF5 raises all of them
        raise OSError(f"{caller}: {path} cannot be read ({error}); it may be cut short: get it again") from error


def _open_grib(path: str, chunks: Any) -> list[xr.Dataset]:
    from cfgrib import open_datasets

    return [ds.chunk(chunks) if chunks is not None else ds for ds in open_datasets(path)]


def _engine(path: str, caller: str) -> str:
    here = Path(path)
    if "://" in path or here.is_dir():
        return "zarr"
    with here.open("rb") as file:
        begin = file.read(8)
    if begin[:2] == b"PK":
        raise ValueError(
            f"{caller}: {path} is a zip archive, as the Climate Data Store sends when a request holds "
            f"instantaneous and accumulated variables; unpack it and give the files inside"
        )
    engine = next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), None)
    if engine is None:
        raise ValueError(
            f"{caller}: {path} is neither NetCDF, GRIB nor a zarr store (it begins with {begin!r}); "
            f"it may be empty or an error page: get it again"
        )
    return engine
