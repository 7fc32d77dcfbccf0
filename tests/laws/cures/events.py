"""Events, percentiles of them, monitors and objects: what is refused, and its messages followed literally."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    among,
    cured,
    hourly,
    made_by,
    of_two_definitions,
    one_dimension_more,
    ranked,
    value,
)
from tests.support.cures import follow
from xdrought import plot

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "average them first, e.g. .resample",
        lambda: xd.flash_drought_events(hourly(soil())),
        lambda m: xd.flash_drought_events(cured(m, hourly(soil())).assign_attrs(soil().attrs)),
    ),
    Cure(
        "the training record has units",
        lambda: xd.drought_state(soil(), train=(100 * given.reference()).assign_attrs(units="percent")),
        lambda m: xd.drought_state(
            soil(), train=made_by(m)((100 * given.reference()).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        'use label="event"',
        lambda: xd.onset_label(soil(), train=given.train(), definition="yuan2023", label="path"),
        lambda m: xd.onset_label(soil(), train=given.train(), definition="yuan2023", label=value(m, "label")),
    ),
    Cure(
        "ask drought_classes for several, e.g. definition=",
        lambda: xd.definition_agreement(xd.drought_classes(soil())),
        lambda m: xd.definition_agreement(xd.drought_classes(soil(), definition=value(m, "definition"))),
    ),
    Cure(
        "objects live on",
        lambda: xd.drought_objects(
            one_dimension_more(given.dry(), "definition").assign_coords(definition=["tang2025", "x"])
        ),
        lambda m: xd.drought_objects(
            cured(m, one_dimension_more(given.dry(), "definition").assign_coords(definition=["tang2025", "x"]))
        ),
    ),
    Cure(
        "use da.broadcast_like(classes)",
        lambda: xd.drought_objects(given.dry(), intensity=given.depth().isel(lon=0, drop=True)),
        lambda m: xd.drought_objects(
            given.dry(), intensity=follow(m, da=given.depth().isel(lon=0, drop=True), classes=given.dry())["da"]
        ),
    ),
    Cure(
        "the events are of the definitions",
        lambda: plot.plot_record(soil().isel(site=0), events=of_two_definitions()),
        lambda m: plot.plot_record(
            soil().isel(site=0),
            events=eval(m[m.index("events.isel") :].split("\n")[0], {"events": of_two_definitions()}),
        ),
    ),
    Cure(
        "are called otherwise here; rename them, .rename(",
        lambda: plot.plot_map(soil().isel(time=0).rename(lat="latitude", lon="longitude")),
        lambda m: plot.plot_map(cured(m, soil().isel(time=0).rename(lat="latitude", lon="longitude"))),
    ),
    Cure(
        "those of a daily record are record.notnull().sum('time')",
        lambda: xd.flash_frequency(events(), soil()),
        lambda m: xd.flash_frequency(events(), eval(m[m.index("record.notnull") :].split("\n")[0], {"record": soil()})),
    ),
    Cure(
        "rename or assign, e.g. .assign_coords(lat=",
        lambda: plot.plot_map(soil().isel(time=0).drop_vars(["lat", "lon"])),
        lambda m: plot.plot_map(
            cured(
                m.replace("('site', ...)", "('site', [1.0, 2, 3, 4, 5])"), soil().isel(time=0).drop_vars(["lat", "lon"])
            )
        ),
    ),
    Cure(
        "is_percentile=True, but 'soil_moisture' has units 'm3 m-3'; expected percent (0 to 100)",
        lambda: xd.flash_drought_events(soil(), is_percentile=True),
        lambda m: xd.flash_drought_events(ranked(soil()), is_percentile=True),
    ),
    Cure(
        'frozen="mask" needs soil_temperature=',
        lambda: xd.drought_classes(soil(), frozen="mask"),
        lambda m: xd.drought_classes(soil(), frozen="mask", soil_temperature=given.frost()),
    ),
    *(
        Cure(
            "is_percentile=True leaves nothing to rank; drop reference=, or give soil moisture",
            lambda: xd.drought_classes(given.percentile(), is_percentile=True, reference=given.reference()),
            right,
        )
        for right in (
            lambda m: xd.drought_classes(given.percentile(), is_percentile=True),
            lambda m: xd.drought_classes(soil(), reference=given.reference()),
        )
    ),
    Cure(
        "definition='tang' is unknown; choose one of",
        lambda: xd.drought_summary(soil(), definition="tang"),
        lambda m: [xd.drought_summary(soil(), definition=one) for one in (*among(m), mine())],
    ),
    Cure(
        "definition: the list is empty; name at least one definition",
        lambda: xd.drought_classes(soil(), definition=[]),
        lambda m: xd.drought_classes(soil(), definition=["tang2025"]),
    ),
    Cure(
        "repeat; give each definition a name of its own",
        lambda: xd.drought_classes(soil(), definition=["tang2025", "tang2025"]),
        lambda m: xd.drought_classes(soil(), definition=["tang2025", mine()]),
    ),
    Cure(
        " names no or unknown classes; choose among",
        lambda: xd.drought_objects(classes_of_a_grid(), kinds=["wet"]),
        lambda m: [xd.drought_objects(classes_of_a_grid(), kinds=[one]) for one in among(m)],
    ),
    Cure(
        "go around the world more than once; drop the repeated ones",
        lambda: xd.drought_objects(around_and_on()),
        lambda m: xd.drought_objects(around_and_on().isel(lon=slice(0, 12))),
    ),
    Cure(
        "latitudes are not in order between -90 and 90 degrees",
        lambda: xd.drought_objects(given.dry().isel(lat=[1, 0, 2, 3])),
        lambda m: xd.drought_objects(given.dry().isel(lat=[1, 0, 2, 3]).sortby("lat")),
    ),
    Cure(
        "cell_area is negative or missing somewhere; fill it, 0 where nothing counts",
        lambda: xd.drought_objects(given.dry(), cell_area=given.areas().where(given.areas().lat < 40)),
        lambda m: xd.drought_objects(given.dry(), cell_area=given.areas().where(given.areas().lat < 40).fillna(0)),
    ),
    Cure(
        "dimension 'lat' has no coordinate; assign its values",
        lambda: xd.drought_objects(given.dry().drop_vars("lat")),
        lambda m: xd.drought_objects(given.dry().drop_vars("lat").assign_coords(lat=given.dry().lat)),
    ),
    Cure(
        "holds 0 and 1 alone, as a mask does; make it one",
        lambda: xd.drought_objects(given.dry().astype(int)),
        lambda m: xd.drought_objects(cured(m, given.dry().astype(int))),
    ),
    Cure(
        "holds 0 and 1 alone, as a mask does; make it one",
        lambda: xd.drought_state(soil(), train=given.train().where(given.train())),
        lambda m: xd.drought_state(soil(), train=cured(m, given.train().where(given.train()))),
    ),
    Cure(
        "holds 0 and 1 alone, as a mask does; make it one",
        lambda: ranked(soil(), reference=given.train().astype(float)),
        lambda m: ranked(
            soil(),
            reference=eval(
                re.search(r"record\.where\(da\)", m)[0], {"record": soil(), "da": cured(m, given.train().astype(float))}
            ),
        ),
    ),
    Cure(
        "if these are percentiles, make classes of them with",
        lambda: xd.definition_agreement(100 * one_dimension_more(given.percentile(), "definition") / 100),
        lambda m: xd.definition_agreement(
            one_dimension_more(
                eval(re.search(r"drought_classes\(da, .*?\)", m)[0], {**vars(xd), **percent()}), "definition"
            )
        ),
    ),
    *(
        Cure(
            "train=3; give dates as slice or (start, end), a mask of days, or a record",
            lambda: xd.drought_state(soil(), train=3),
            lambda m, train=train: xd.drought_state(soil(), train=train),
        )
        for train in (slice("2001", "2001"), ("2001-01", "2001-12"), given.train(), given.reference())
    ),
    Cure(
        "holds no day of the record, which goes from",
        lambda: xd.drought_state(soil(), train=("1990", "1999")),
        lambda m: xd.drought_state(soil(), train=("2001", "2001")),
    ),
    Cure(
        "so that is_percentile= is no option; give soil moisture",
        lambda: xd.event_uncertainty(given.percentile(), is_percentile=True, n_boot=2),
        lambda m: xd.event_uncertainty(soil(), n_boot=2),
    ),
    Cure(
        "is there and is complete; name another path, or remove it",
        lambda: written_twice("it.zarr"),
        lambda m: written_twice("other.zarr"),
    ),
    Cure(
        "definition: expected a name or a Definition, got int",
        lambda: xd.drought_summary(soil(), definition=20),
        lambda m: [xd.drought_summary(soil(), definition=one) for one in ("tang2025", mine())],
    ),
    *(
        Cure(
            f"{field}=0; expected more than 0 days",
            lambda field=field: xd.drought_summary(soil(), **{field: 0}),
            lambda m, field=field: xd.drought_summary(soil(), **{field: 1}),
        )
        for field in ("recovery", "min_duration")
    ),
    *(
        Cure(
            "expected even steps in one direction: use da.",
            lambda columns=columns: xd.drought_objects(given.dry().isel(lon=columns)),
            lambda m, columns=columns: same_objects(cured(m, given.dry().isel(lon=columns)), columns),
        )
        for columns in ([*range(6, 12), *range(6)][::2] + [7, 9, 11, 1, 3, 5], [0, 1, 10, 11])
    ),
    Cure(
        "the area of cells depends on 'lat': give it along",
        lambda: xd.drought_objects(given.dry(), cell_area=given.areas().isel(lat=0, drop=True)),
        lambda m: xd.drought_objects(given.dry(), cell_area=given.areas()),
    ),
    *(
        Cure(
            "drawing years needs 2 or more: give a longer record or reference",
            lambda: xd.event_uncertainty(soil().sel(time="2001"), n_boot=2),
            right,
        )
        for right in (
            lambda m: xd.event_uncertainty(soil(), n_boot=2),
            lambda m: xd.event_uncertainty(soil().sel(time="2001"), reference=soil(), n_boot=2),
        )
    ),
]


def classes_of_a_grid() -> xr.DataArray:
    return xr.where(given.dry(), 4, 0).astype("int8").assign_attrs(given.classes().attrs)


def around_and_on() -> xr.DataArray:
    """A grid of which two columns come again."""
    further = given.dry().isel(lon=slice(0, 2))
    return xr.concat([given.dry(), further.assign_coords(lon=further.lon + 360)], "lon")


def written_twice(second: str) -> Any:
    """The droughts of a record in one store after another."""
    with tempfile.TemporaryDirectory() as folder:
        xd.detect_droughts(soil(), path=Path(folder) / "it.zarr", progress=False)
        return xd.detect_droughts(soil(), path=Path(folder) / second, progress=False).summary.load()


def mine() -> xd.Definition:
    return dataclasses.replace(xd.DEFINITIONS["tang2025"], name="mine", upper=45)


def percent() -> dict[str, Any]:
    return {**vars(xd), "da": given.percentile()}


def same_objects(mask: xr.DataArray, columns: list[int]) -> xr.Dataset:
    """The droughts of a grid whose columns are in a row, which are those of these columns."""
    found = xd.drought_objects(mask)
    assert (np.diff(np.unwrap(mask.lon, period=360)) == 30).all()
    assert int((found.object_id > 0).sum()) == int(given.dry().isel(lon=columns).sum())
    return found
