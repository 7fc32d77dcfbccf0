"""Grids and sites brought together: what is refused, and its messages followed literally."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    among,
    beyond,
    cured,
    same,
    twice,
    value,
)
from tests.support.cures import follow
from xdrought.data import collocate

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events
TWO_FILES = {"tower.csv", "FLX_DE-Hai_FLUXNET2015_SUBSET_DD_2002-2012_1-4.csv"}
DEPTHS = {"top": (0, 0.1), "below": (0.1, 0.4)}

CURES = [
    Cure(
        "select those both have, e.g. patches.sel",
        lambda: collocate.join_towers(given.around(), given.towers().isel(site=[0])),
        lambda m: collocate.join_towers(
            eval(
                m[m.index("patches.sel") :].split("\n")[0],
                {"patches": given.around(), "towers": given.towers().isel(site=[0]), "np": np},
            ),
            given.towers().isel(site=[0]),
        ),
    ),
    Cure(
        'give a larger grid, or outside="drop" or "nan"',
        lambda: collocate.collocate(given.grid_weather(), beyond(), size=4),
        lambda m: [collocate.collocate(given.grid_weather(), beyond(), size=4, outside=way) for way in ("drop", "nan")],
    ),
    Cure(
        "use wrap='auto'",
        lambda: collocate.collocate(given.grid_weather(), given.places(), size=4, wrap=True),
        lambda m: collocate.collocate(given.grid_weather(), given.places(), size=4, wrap=value(m, "wrap")),
    ),
    Cure(
        "keep one, e.g. with .isel(",
        lambda: collocate.collocate(round_the_world(), given.places(), size=2),
        lambda m: collocate.collocate(cured(m, round_the_world()), given.places(), size=2),
    ),
    Cure(
        "are named alone by da = da.assign_coords(",
        lambda: collocate.join_towers(given.around(), at_noon()),
        lambda m: collocate.join_towers(given.around(), follow(m, da=at_noon())["da"]),
    ),
    Cure(
        "are variables of both; drop or rename them in one",
        lambda: collocate.join_towers(given.around(), towers_with_rain()),
        lambda m: [
            collocate.join_towers(given.around().drop_vars("tp"), towers_with_rain()),
            collocate.join_towers(given.around(), towers_with_rain().rename(tp="rain")),
        ],
    ),
    Cure(
        "outside='no'; choose from",
        lambda: collocate.collocate(given.grid_weather(), given.places(), size=4, outside="no"),
        lambda m: [collocate.collocate(given.grid_weather(), given.places(), size=4, outside=one) for one in among(m)],
    ),
    Cure(
        "rename its dimensions, or regrid",
        lambda: collocate.collocate(given.grid_weather().drop_vars("lat"), given.places(), size=4),
        lambda m: collocate.collocate(given.grid_weather(), given.places(), size=4),
    ),
    Cure(
        "regrid it, or give the whole of it",
        lambda: collocate.collocate(given.grid_weather().drop_isel(lat=5), given.places(), size=4),
        lambda m: [
            collocate.collocate(given.grid_weather(), given.places(), size=4),
            collocate.collocate(
                given.grid_weather().drop_isel(lat=5).interp(lat=given.grid_weather().lat), given.places(), size=4
            ),
        ],
    ),
    Cure(
        "make them with collocate",
        lambda: collocate.nearest_cells(given.around().isel(patch_lat=[0, 1, 2])),
        lambda m: collocate.nearest_cells(collocate.collocate(given.grid_weather(), given.places(), size=4)),
    ),
    Cure(
        "the table of sites has no column 'site'",
        lambda: collocate.collocate(given.grid_weather(), table_of_sites().rename(columns={"site": "id"}), size=4),
        lambda m: collocate.collocate(given.grid_weather(), table_of_sites(), size=4),
    ),
    Cure(
        "twice along 'site'; keep one of each, ds.drop_duplicates(",
        lambda: collocate.collocate(given.grid_weather(), twice(given.places()), size=4),
        lambda m: collocate.collocate(given.grid_weather(), twice(given.places()).drop_duplicates("site"), size=4),
    ),
    Cure(
        'expected True, False or "auto"',
        lambda: collocate.collocate(given.grid_weather(), given.places(), size=4, wrap="no"),
        lambda m: [
            same(collocate.collocate(given.grid_weather(), given.places(), size=4, wrap=one), given.around())
            for one in (False, "auto")
        ],
    ),
    Cure(
        "coordinate 'lat' runs from 4450 to 5000; expected degrees within",
        lambda: collocate.collocate(in_hundredths(), given.places(), size=4),
        lambda m: same(
            collocate.collocate(in_hundredths().assign_coords(lat=in_hundredths().lat / 100), given.places(), size=4),
            given.around(),
        ),
    ),
    Cure(
        "which are not coordinates; make the patches with collocate",
        lambda: collocate.nearest_cells(of_nine_cells().drop_vars("cell_lat")),
        lambda m: collocate.nearest_cells(of_nine_cells()),
    ),
]


def round_the_world() -> xr.Dataset:
    """A grid whose first and last column are one meridian."""
    lon = np.linspace(-180.0, 180.0, 73)
    coords = {"lat": np.arange(60.0, 30.0, -5.0), "lon": lon}
    return xr.Dataset({"t2m": (tuple(coords), np.full((6, 73), 280.0), {"units": "K"})}, coords)


def at_noon() -> xr.Dataset:
    """The towers with days stamped at noon."""
    return given.towers().assign_coords(time=given.towers().time + np.timedelta64(12, "h"))


def table_of_sites() -> pd.DataFrame:
    return given.places().reset_coords().to_dataframe().reset_index()


def towers_with_rain() -> xr.Dataset:
    return given.towers().assign(tp=given.towers().soil_moisture)


def in_hundredths() -> xr.Dataset:
    return given.grid_weather().assign_coords(lat=100 * given.grid_weather().lat)


def of_nine_cells() -> xr.Dataset:
    return collocate.collocate(given.grid_weather(), given.places(), size=3)
