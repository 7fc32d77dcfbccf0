"""Data by name, for documentation, tests and first steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import xarray as xr

from xdrought.choices import Tutorial
from xdrought.data.download import cache_folder
from xdrought.data.fluxnet import open_fluxnet
from xdrought.data.fluxnet_files import HOME as FLUXNET_HOME
from xdrought.data.uscrn import BASE_URL, open_uscrn
from xdrought.public_functions import public
from xdrought.suggestions import did_you_mean

_VARIABLE = "XDROUGHT_DATA_DIR"


@public
def open_dataset(name: Tutorial, **options: Any) -> xr.Dataset:
    """A SITE Dataset by name.

    Parameters
    ----------
    name : {"us-ar1", "fluxnet", "uscrn", "twin"}
        - ``"us-ar1"``: FLUXNET2015 US-AR1, grassland in Oklahoma, daily 2009-2012, with the drought of
          2011. It travels with the library (CC-BY-4.0).
        - ``"fluxnet"``: the FLUXNET2015 files in ``$XDROUGHT_DATA_DIR/fluxnet2015``.
        - ``"uscrn"``: the USCRN files in ``$XDROUGHT_DATA_DIR/uscrn``, or those fetched before.
        - ``"twin"``: a simulated world with known causes (:func:`xdrought.simulation.simulate`); not
          observations.
    **options
        For the function that reads or simulates: ``sites=`` for "fluxnet", ``stations=`` and ``years=`` for
        "uscrn", ``n_sites=``, ``n_days=`` and ``seed=`` for "twin"; none for "us-ar1".

    Returns
    -------
    xarray.Dataset
        ``soil_moisture`` and drivers on (site, time), in memory.

    Raises
    ------
    ValueError
        An unknown name, or options for "us-ar1".
    FileNotFoundError
        The files are not there; the text says where to download them and where to put them.

    References
    ----------
    Pastorello et al. (2020), https://doi.org/10.1038/s41597-020-0534-3; Bell et al. (2013),
    https://doi.org/10.1175/JHM-D-12-0146.1.

    Examples
    --------
    >>> from xdrought import open_dataset
    >>> ds = open_dataset("us-ar1")
    >>> dict(ds.sizes), ds.soil_moisture.attrs["units"]
    ({'site': 1, 'time': 1461}, '%')
    """
    openers: dict[str, Callable[..., xr.Dataset]] = {
        "us-ar1": _open_us_ar1,
        "fluxnet": _open_fluxnet,
        "uscrn": _open_uscrn,
        "twin": _open_twin,
    }
    if name not in openers:
        raise ValueError(f"no data called {name!r}; there are {sorted(openers)}{did_you_mean(name, openers)}")
    return openers[name](**options)


def _open_us_ar1(**options: Any) -> xr.Dataset:
    if options:
        raise ValueError(f"'us-ar1' takes no options, got {sorted(options)}")
    packaged = files("xdrought.data") / "us_ar1.nc"
    with as_file(packaged) as path, xr.open_dataset(path, engine="scipy") as ds:
        return ds.load().drop_encoding()


def _open_fluxnet(**options: Any) -> xr.Dataset:
    folder = _data_folder("fluxnet2015")
    if folder is None:
        raise FileNotFoundError(
            f"'fluxnet' needs FLUXNET2015 files, which may not be downloaded for you. Get the "
            f"SUBSET or FULLSET zips of the sites you want from {FLUXNET_HOME}; put them (or the *_DD_*.csv) "
            f"in <folder>/fluxnet2015/, with a sites.csv (site,lat,lon,elevation_m,igbp) beside them; "
            f"and set {_VARIABLE}=<folder> ({_found()})"
        )
    return open_fluxnet(folder, **options)


def _open_uscrn(**options: Any) -> xr.Dataset:
    folder = _data_folder("uscrn")
    if folder is None:
        fetched = cache_folder() / "uscrn" / "daily01"
        folder = fetched if any(fetched.glob("*/CRND0103-*.txt")) else None
    if folder is None:
        raise FileNotFoundError(
            f"'uscrn' needs USCRN daily01 files. Fetch some with "
            f'xdrought.data.open_uscrn(stations=["OK_Stillwater_5_WNW"], years=range(2010, 2020)), '
            f"after which this name finds them; or put files of {BASE_URL} in <folder>/uscrn/daily01/<year>/ "
            f"and set {_VARIABLE}=<folder> ({_found()})"
        )
    return open_uscrn(folder, **options)


def _open_twin(**options: Any) -> xr.Dataset:
    from xdrought.simulation.twin import simulate

    return simulate(**options)


def _data_folder(name: str) -> Path | None:
    root = os.environ.get(_VARIABLE)
    folder = Path(root) / name if root else None
    return folder if folder is not None and folder.is_dir() else None


def _found() -> str:
    root = os.environ.get(_VARIABLE)
    return f"now {_VARIABLE}={root!r}, without that folder" if root else f"now {_VARIABLE} is not set"
