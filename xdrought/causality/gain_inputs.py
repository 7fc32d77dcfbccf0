"""What a test of gain is given, checked by its labels, and warnings of answers that would mislead."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xdrought import checks, units
from xdrought.causality import pairs
from xdrought.causality.cross_mapping import without_repeated_coordinates
from xdrought.causality.pairs import Cause

Groups = Mapping[str, Sequence[Hashable]]

SHORT_RECORD = 3 * 365  # days; with two to three years of them the test finds a third of the planted causes
FREEZING = (0.0, -2.0)  # degC: where the water of a soil begins to freeze, and where most of what can has frozen
# Names, in small letters, and standard names of variables that follow from soil moisture instead of driving it.
RESPONSES = {
    *("e", "evaporation", "et", "le", "le_f_mds", "le_corr", "latent_heat", "slhf", "mslhf"),
    *("h", "h_f_mds", "h_corr", "sensible_heat", "sshf", "msshf", "gpp", "nee"),
    *("swvl1", "swvl2", "swvl3", "swvl4", "soil_moisture", "sm", "swc"),
}
RESPONSE_STANDARD_NAMES = {
    *("water_evaporation_flux", "water_evapotranspiration_flux", "water_evaporation_amount"),
    *("lwe_water_evaporation_rate", "lwe_thickness_of_water_evaporation_amount"),
    *("surface_upward_latent_heat_flux", "surface_upward_sensible_heat_flux"),
    *("volume_fraction_of_condensed_water_in_soil", "volume_fraction_of_water_in_soil"),
    *("mass_content_of_water_in_soil", "mass_content_of_water_in_soil_layer"),
}
SOIL_TEMPERATURES = ("stl", "ts_f_mds", "soil_temp", "tsoil")


@dataclass(frozen=True)
class GainPlan:
    """What is tested: the soil, the mask if there is one, and the drivers, as arrays; names of drivers and of tests.

    `freezing` holds the number of each soil temperature with units, and the values of `FREEZING` in these.
    """

    arrays: tuple[xr.DataArray, ...]
    masked: bool
    drivers: tuple[Hashable, ...]
    names: tuple[Hashable, ...]
    groups: tuple[tuple[int, ...], ...]
    lags: int
    years: np.ndarray
    days: np.ndarray
    freezing: tuple[tuple[int, float, float], ...]

    @property
    def driver_arrays(self) -> tuple[xr.DataArray, ...]:
        """The drivers in their order."""
        return self.arrays[2 if self.masked else 1 :]


def make_plan(
    drivers: Cause,
    soil_moisture: xr.DataArray,
    groups: Groups | None,
    lags: int,
    where: xr.DataArray | None,
    time: Hashable,
) -> GainPlan:
    """The arguments, checked by their labels."""
    causes = pairs.collect_causes(drivers)
    names = causes.names or (causes.arrays[0].name or "driver",)
    for da in (soil_moisture, *causes.arrays):
        pairs.check_series(da, time)
    causes, soil_moisture = pairs.match(causes, soil_moisture)
    if where is not None:
        where = pairs.match_where(where, (soil_moisture, *causes.arrays), time)
    days = checks.days_since_start(soil_moisture, time)
    if days.size > 1 and np.median(np.diff(days)) < 1:
        raise ValueError(
            f"the steps of {time!r} are {checks.step_text(float(np.median(np.diff(days))))}; the change from "
            f'one day to the next is predicted: use .resample({time}="1D").mean() (rain: .sum())'
        )
    lags = checks.require_integer(lags, "lags", 0)
    if days.size < lags + 3:
        raise ValueError(f"{days.size} steps are too few for lags={lags}; give years of daily values")
    given = (soil_moisture, *(() if where is None else (where,)), *causes.arrays)
    own = {"variable", "driver", "gain", "p_value", "p_value_adjusted", "redundancy", "conditioned_on", "n_days"}
    if clash := sorted(own & {str(dim) for da in given for dim in da.dims}):
        raise ValueError(f"the input has dimensions {clash}, which the result needs; rename them")
    tests, members = _tests(tuple(names), groups)
    arrays = tuple(without_repeated_coordinates(given, own))
    years = pairs.time_in_years(soil_moisture, time)
    soils = [i for i, da in enumerate(causes.arrays) if _is_soil_temperature(names[i], da)]
    known = [(i, limits) for i in soils if (limits := _freezing_limits(causes.arrays[i]))]
    freezing = tuple((i, *limits) for i, limits in known)
    return GainPlan(arrays, where is not None, tuple(names), tests, members, lags, years, days, freezing)


def _tests(
    names: tuple[Hashable, ...], groups: Groups | None
) -> tuple[tuple[Hashable, ...], tuple[tuple[int, ...], ...]]:
    """Names of the tests and the drivers of each, by number: a group stands where its first member does."""
    if groups is not None and not isinstance(groups, Mapping):
        raise TypeError(f'groups is a {type(groups).__name__}; give a dict, e.g. {{"temperature": ["t2m", "mx2t"]}}')
    given = {
        name: [names_of] if isinstance(names_of, str) else list(names_of) for name, names_of in (groups or {}).items()
    }
    listed = [member for members in given.values() for member in members]
    if unknown := [member for member in listed if member not in names]:
        raise ValueError(f"groups name {unknown}, which are no drivers; those are {list(names)}")
    if len(set(listed)) < len(listed) or not all(given.values()):
        raise ValueError(f"groups={given}; each needs members, and a driver belongs to one group only")
    if clash := [name for name in given if name in names and name not in given[name]]:
        raise ValueError(f"the groups {clash} are called as drivers that are not in them; use another name")
    group_of = {member: name for name, members in given.items() for member in members}
    tests = list(dict.fromkeys(group_of.get(name, name) for name in names))
    numbers = {test: tuple(i for i, name in enumerate(names) if group_of.get(name, name) == test) for test in tests}
    return tuple(tests), tuple(numbers.values())


def warn_of_drivers(plan: GainPlan, where: xr.DataArray | None) -> None:
    """Say what labels tell of answers that would mislead."""
    named = dict(zip(plan.drivers, plan.driver_arrays, strict=True))
    if responses := [name for name, da in named.items() if _is_response(name, da)]:
        checks.warn(
            f"{responses} follow from soil moisture (they share its water balance), and every method calls "
            f"them its causes; leave them out of the drivers"
        )
    span = plan.days[-1] - plan.days[0] + 1
    if span < SHORT_RECORD:
        checks.warn(
            f"the record has {span:.0f} days; with less than {SHORT_RECORD} days few causes but rain are "
            f"found: a driver without a small p-value may well act"
        )
    cold = [name for name, da in named.items() if _is_soil_temperature(name, da) and _may_freeze(da)]
    if cold and where is None:
        checks.warn(
            f"the soil of {cold} freezes, and frozen soil reads dry; pass where=soil_temperature > 0 (degC) "
            f"to predict on unfrozen days only"
        )


def _is_response(name: Hashable, da: xr.DataArray) -> bool:
    return str(name).lower() in RESPONSES or da.attrs.get("standard_name") in RESPONSE_STANDARD_NAMES


def _is_soil_temperature(name: Hashable, da: xr.DataArray) -> bool:
    return str(name).lower().startswith(SOIL_TEMPERATURES) or da.attrs.get("standard_name") == "soil_temperature"


def _freezing_limits(da: xr.DataArray) -> tuple[float, float] | None:
    """The values of `FREEZING` in the units of a soil temperature; None where it has none."""
    if "units" not in da.attrs:
        return None
    start, end = units.convert(xr.DataArray(list(FREEZING), attrs={"units": "degC"}), da.attrs["units"]).values.tolist()
    return start, end


def _may_freeze(da: xr.DataArray) -> bool:
    """Whether a soil temperature reaches freezing; True where that is not known without computing or without units."""
    limits = _freezing_limits(da)
    return da.chunks is not None or limits is None or bool((da <= limits[0]).any())
