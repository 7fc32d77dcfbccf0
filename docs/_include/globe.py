"""From a zarr store of drivers and soil moisture to classes, maps and a forecast; started again, it goes on.

python globe.py in.zarr out/ [network.xdrought]
"""

import sys
from collections.abc import Callable
from pathlib import Path

import xarray as xr
from dask.distributed import Client, LocalCluster

import xdrought


def band_by_band(
    call: Callable[[xr.Dataset], xr.Dataset], ds: xr.Dataset, store: Path, rows: int, halo: int = 0
) -> None:
    """Write `call(ds)` to a zarr store, `rows` latitudes at a time; bands that are there are not computed again.

    `rows` is a multiple of the chunks of `ds` along `lat`; `halo` rows on either side are what a call looks at beyond
    its own cells: half a patch of a network, 0 for all else.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    done = store.with_suffix(".done")
    finished = done.read_text().split() if done.exists() else []
    n_lat, block = ds.sizes["lat"], ds.chunksizes["lat"][0]
    if not done.exists():  # the empty store: shapes, coordinates and attributes
        call(ds).to_zarr(store, mode="w", compute=False, consolidated=False)
        done.touch()
    for first in range(0, n_lat, rows):
        if str(first) in finished:
            continue
        last, top = min(first + rows, n_lat), max(first - halo, 0)
        band = call(ds.isel(lat=slice(top, last + halo))).isel(lat=slice(first - top, last - top))
        band = band.drop_vars([name for name in band.coords if "lat" not in band[name].dims]).chunk(lat=block)
        band.to_zarr(store, region={"lat": slice(first, last)}, consolidated=False)
        with done.open("a") as file:
            file.write(f"{first}\n")


def main(source: str, out: str, network: str | None = None) -> None:
    out = Path(out)
    ds = xr.open_zarr(source, consolidated=False)
    ds = ds.drop_encoding()
    rows = 5 * ds.chunksizes["lat"][0]
    band_by_band(
        lambda part: part.xdrought.drought_classes("soil_moisture").to_dataset(), ds, out / "classes.zarr", rows
    )
    band_by_band(lambda part: part.xdrought.drought_summary("soil_moisture"), ds, out / "summary.zarr", rows)
    for first in range(0, ds.sizes["lat"], rows):  # tables of events, one a band
        table = out / f"events-{first}.nc"
        if not table.exists():
            events = ds.isel(lat=slice(first, first + rows)).xdrought.flash_drought_events("soil_moisture")
            events.to_netcdf(table.with_suffix(".part"), engine="h5netcdf")
            table.with_suffix(".part").replace(table)  # whole or not there
    if network is not None:
        forecaster = xdrought.load_forecaster(network)
        halo = forecaster.size // 2
        band_by_band(lambda part: part.xdrought.predict(forecaster), ds, out / "forecast.zarr", rows, halo)


if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GB") as cluster, Client(cluster):
        main(*sys.argv[1:])
