"""Studies: what is refused, and its messages followed literally."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    among,
    cured,
    made_by,
    of_two_definitions,
    on_grid,
    relations,
)
from tests.support.cures import follow
from xdrought import study

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "choose one, .sel(direction=",
        lambda: study.skill_by_degree(relations(direction="both").rho, given.skill(), n_boot=3),
        lambda m: study.skill_by_degree(
            cured(m, relations(direction="both").rho), given.skill(), n_boot=3, permutations=5
        ),
    ),
    Cure(
        "the events have no",
        lambda: study.onset_trend(given.rate(), events().drop_vars("start_time"), time="start_time", n_boot=3),
        lambda m: study.onset_trend(given.rate(), made_by(m)(soil()), time="start_time", n_boot=3),
    ),
    Cure(
        "the events are of several definitions; choose one with .sel",
        lambda: study.frequency_trend(of_two_definitions(), soil(), min_events=1),
        lambda m: study.frequency_trend(
            follow(m.replace("...", "'tang2025'"), da=of_two_definitions(), events=of_two_definitions())["da"],
            soil(),
            min_events=1,
        ),
    ),
    Cure(
        "are true or false at its places; give them",
        lambda: study.frequency_trend(events(), soil(), min_events=1, flagged="is_flagged"),
        lambda m: study.frequency_trend(
            events(),
            follow(m, record=soil(), report=xr.Dataset({"is_flagged": soil().isel(time=0, drop=True) > 9}))["record"],
            min_events=1,
            flagged="is_flagged",
        ),
    ),
    Cure(
        "give the soil moisture that the events are of",
        lambda: study.onset_coincidence(events(), soil().isel(site=[0, 1]), n_boot=3, min_years=2),
        lambda m: study.onset_coincidence(events(), soil(), n_boot=3, min_years=2),
    ),
    Cure(
        "lie outside the record; give the one that they are of",
        lambda: study.frequency_trend(events(), soil().isel(time=slice(0, 100)), min_events=1),
        lambda m: study.frequency_trend(events(), soil(), min_events=1),
    ),
    Cure(
        "choose a model and score",
        lambda: related(given.scores()["rmse"]),
        lambda m: related(given.scores()["rmse"].sel(model="forecast", drop=True)),
    ),
    Cure(
        "take it from causality_degree",
        lambda: study.skill_by_degree(given.degree().rho.rename(variable="driver"), given.skill(), n_boot=3),
        lambda m: related(given.skill()),
    ),
    Cure(
        "degree and score share no site; their names must be the same",
        lambda: related(given.skill().assign_coords(site=list("abcde"))),
        lambda m: related(given.skill()),
    ),
    Cure(
        "and a correlation over sites needs three; give both of the same sites",
        lambda: related(given.skill().isel(site=[0, 1])),
        lambda m: related(given.skill()),
    ),
    Cure(
        "a rank correlation needs three, give both of the same network",
        lambda: study.coupling_strength(given.relation(), given.importance().isel(variable=[0, 1]), permutations=5),
        lambda m: study.coupling_strength(given.relation(), given.importance(), permutations=5),
    ),
    Cure(
        "the events have neither site nor cell; give the result of flash_drought_events",
        lambda: study.event_association(given.rate(), given.complexity(), nowhere(), n_boot=3),
        lambda m: study.event_association(given.rate(), given.complexity(), events(), n_boot=3, points=5),
    ),
    Cure(
        "controls ['magic'] are unknown; choose from",
        lambda: controlled("magic"),
        lambda m: controlled("shuffled"),
    ),
    Cure(
        '"statics" needs the coordinates lat and lon on site; assign them, or leave it out',
        lambda: controlled("statics", nowhere_known()),
        lambda m: [
            controlled("statics", nowhere_known().assign_coords(lat=soil().lat, lon=soil().lon)),
            controlled("shuffled", nowhere_known()),
        ],
    ),
    Cure(
        "the sites have no lat and lon; assign them as coordinates",
        lambda: known(nowhere_known()),
        lambda m: known(nowhere_known().assign_coords(lat=soil().lat, lon=soil().lon)),
    ),
    Cure(
        "leave one empty; use fewer folds or smaller clusters",
        lambda: study.spatial_folds(given.summer(), folds=6),
        lambda m: study.spatial_folds(given.summer(), folds=5),
    ),
    Cure(
        "the events do not say their 'site'; give the record that they are of, on its dimensions",
        lambda: study.frequency_trend(xd.flash_drought_events(on_grid()), soil()),
        lambda m: study.frequency_trend(xd.flash_drought_events(on_grid()), on_grid()),
    ),
    Cure(
        "is of drought classes; give class_name, one of",
        lambda: study.sweep_interval(swept(), score="f1", n_boot=3),
        lambda m: [study.sweep_interval(swept(), score="f1", class_name=one, n_boot=3) for one in among(m)],
    ),
]


def related(score: xr.DataArray) -> xr.Dataset:
    return study.skill_by_degree(given.degree().rho, score, n_boot=3, permutations=5, points=5)


def controlled(kind: str, degree: xr.Dataset | None = None) -> Any:
    of_sites = given.degree() if degree is None else degree
    return study.causality_controls(of_sites, drivers(), soil(), train=given.train(), controls=[kind])


def known(degree: xr.Dataset) -> xr.Dataset:
    return study.predicted_degree(degree, bare(), known=degree.site != "S2")


def nowhere_known() -> xr.Dataset:
    return given.degree().drop_vars(["lat", "lon"])


def nowhere() -> xr.Dataset:
    return events().drop_vars(["site", "cell"])


def bare() -> xr.Dataset:
    """The drivers without the places of their sites."""
    return drivers().drop_vars(["lat", "lon"])


def swept() -> xr.Dataset:
    """F1 of two classes for two leads."""
    coords = {"lead": [1, 7], "model": ["network"], "run": [0, 1], "site": given.SITES, "class_name": ["wet", "dry"]}
    values = np.random.default_rng(0).random([len(one) for one in coords.values()])
    return xr.Dataset({"f1": (tuple(coords), values)}, coords)
