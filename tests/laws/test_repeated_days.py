"""A date that stands twice: refused in words wherever its value would be counted twice or cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from xdrought import scaling, study, verification
from xdrought.data import collocate


def day_twice(one: Any) -> Any:
    return one.isel(time=[0, 1, 2, 2, *range(3, one.sizes["time"])])


def percentile_table(occurred: xr.DataArray, percentile: xr.DataArray) -> xr.DataArray:
    return xd.percentile_table_forecast(occurred, percentile, given.forecast(), train=slice(None), lead=given.LEAD)


CALLS: dict[str, Callable[[], Any]] = {
    "persistence": lambda: xd.persistence_forecast(day_twice(given.soil()), given.forecast(), lead=given.LEAD),
    "days of forecasts": lambda: xd.persistence_forecast(given.soil(), day_twice(given.forecast()), lead=given.LEAD),
    "matching": lambda: verification.mean_variance_matching(
        day_twice(given.reference()), given.soil(), train=given.train()
    ),
    "table": lambda: percentile_table(given.occurred(), day_twice(given.percentile())),
    "warnings": lambda: xd.onset_skill(day_twice(given.warnings()), day_twice(given.begins()), part=None, n_boot=3),
    "error": lambda: study.onset_error(day_twice(given.forecast()), given.soil(), given.events()),
    "degree": lambda: study.predicted_degree(
        given.degree(), day_twice(given.drivers()), known=given.degree().site != "S2"
    ),
    "what drove events": lambda: xd.event_drivers(given.events(), day_twice(given.weather())),
    "towers": lambda: collocate.join_towers(given.around(), day_twice(given.towers())),
    "scaling": lambda: scaling.fit_scaling(day_twice(given.weather())),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_date_that_stands_twice_is_refused(name):
    with pytest.raises(ValueError, match=r"2001-01-03.* twice along 'time'; keep one of each|twice along 'time'"):
        CALLS[name]()


def test_an_area_without_end_is_no_area():
    areas = given.areas().where(given.areas().lat < 40, float("inf"))
    with pytest.raises(ValueError, match="cell_area is negative or missing somewhere"):
        xd.drought_objects(given.dry(), cell_area=areas)
