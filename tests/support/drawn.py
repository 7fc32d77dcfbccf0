"""What tests of pictures draw, a record with droughts, places, fields and scores; and what they read off the axes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.dates import num2date

TIME = pd.date_range("2001-01-01", periods=200)
ONSET, START, END = TIME[60], TIME[64], TIME[100]


def record(site: str = "AT-Neu", time=TIME) -> xr.DataArray:
    values = np.full(len(time), 35.0)
    values[64:101] = 10 + np.arange(37) / 10
    values[110:150] = 28
    coords = {"time": time, "site": site, "lat": 47.1, "lon": 11.3}
    attrs = {"long_name": "soil moisture", "units": "percent"}
    return xr.DataArray(values, dims="time", coords=coords, name="soil_moisture", attrs=attrs)


def table(rows=((ONSET, START, END, True),), site="AT-Neu") -> xr.Dataset:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    names = ("onset_time", "start_time", "end_time")
    days = {
        name: ("event", np.array(list(map(pd.Timestamp, column)), "datetime64[s]"))
        for name, column in zip(names, columns, strict=False)
    }
    count = len(rows)
    return xr.Dataset(
        {
            **days,
            "is_flash": ("event", np.array(columns[3], dtype=bool)),
            "intensification_rate": ("event", np.full(count, 18.97)),
            "is_censored": ("event", np.zeros(count, dtype=bool)),
        },
        coords={
            "site": ("event", np.array([site] * count, dtype="U6")),
            "lat": ("event", np.full(count, 47.1)),
            "lon": ("event", np.full(count, 11.3)),
            "cell": ("event", np.zeros(count, dtype=int)),
        },
    )


def spans(ax) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """Label, first and last day of everything shaded, in the order of time."""

    def day(number):
        return pd.Timestamp(num2date(number).replace(tzinfo=None)).round("s")

    found = [(p.get_label(), day(p.get_x()), day(p.get_x() + p.get_width())) for p in ax.patches]
    return sorted(found, key=lambda span: (span[1], span[2]))


def texts(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def values_at(lat, lon, values=None) -> xr.DataArray:
    coords = {"lat": ("site", np.asarray(lat, float)), "lon": ("site", np.asarray(lon, float))}
    attrs = {"long_name": "flash droughts", "units": "year-1"}
    values = np.arange(len(lat)) + 0.5 if values is None else values
    return xr.DataArray(values, dims="site", coords=coords, attrs=attrs)


def field(lon) -> xr.DataArray:
    values = np.arange(3 * len(lon), dtype=float).reshape(len(lon), 3)
    attrs = {"long_name": "share of flash droughts", "units": "percent"}
    coords = {"lon": lon, "lat": [10.0, 11, 12]}
    return xr.DataArray(values, coords, ("lon", "lat"), name="share", attrs=attrs)


def scores(nse, sites) -> xr.Dataset:
    models = ["climatology", "net", "persistence"]
    return xr.DataArray(nse, {"model": models, "site": sites}, ("model", "site"), name="nse").to_dataset()


def degree(**sizes) -> xr.Dataset:
    full = {"variable": ["t2m", "tp"], **sizes}
    shape = tuple(len(value) for value in full.values())
    rho = xr.DataArray(np.arange(np.prod(shape)).reshape(shape) / 10, full)
    return xr.Dataset({"rho": rho, "p_value": rho.copy(data=np.where(rho > 0.15, 0.01, 0.5))})
