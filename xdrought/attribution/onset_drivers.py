"""What drove each drought: departures of rain, demand and frost over its onset, and a class."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from xdrought import alignment, checks, quantities, units
from xdrought.causality import driver_contributions, driver_gain
from xdrought.flags import flag_attrs
from xdrought.kernels.surrogates import remove_annual_cycle
from xdrought.provenance import recorded
from xdrought.public_functions import public

DRIVER_CLASSES = {"unknown": -1, "neither": 0, "rain_deficit": 1, "demand": 2, "compound": 3, "freezing": 4}
ROLES = ("rain", "temperature", "vpd", "humidity", "radiation", "wind", "soil_temperature", "evaporation")
_DEMAND = ("temperature", "vpd", "humidity", "radiation", "wind")
_OF_QUANTITY = {
    "precipitation, amount": "rain",
    "precipitation, rate": "rain",
    "air temperature": "temperature",
    "vapour pressure deficit": "vpd",
    "relative humidity": "humidity",
    "specific humidity": "humidity",
    "radiation": "radiation",
    "radiation, sum of a day": "radiation",
    "wind": "wind",
    "soil or surface temperature": "soil_temperature",
    "evaporation, amount": "evaporation",
    "evaporation, rate": "evaporation",
    "turbulent or ground heat flux": "evaporation",
}
_MOSTLY = 0.5  # share of the onset's days that must be known, or that make it a frozen one
_ALONE = 2 / 3  # share of the drying from which on one cause is named alone


@public
@recorded
def event_drivers(
    events: xr.Dataset,
    ds: xr.Dataset,
    *,
    target: str = "soil_moisture",
    drivers: Mapping[str, str] | None = None,
    lags: int = 5,
    alpha: float = 0.05,
    seed: int = 0,
    time: Hashable = "time",
) -> xr.Dataset:
    """What drove each drought: how far each driver was from its normal course over the onset, and what that did.

    Parameters
    ----------
    events : xarray.Dataset
        From :func:`xdrought.flash_drought_events` of the `target`.
    ds : xarray.Dataset
        Daily `target` and drivers on the same places, (site, time) or (time, lat, lon). Of patches take the mean
        of the nearest cells, ``nearest_cells(ds).mean("cell", keep_attrs=True)`` of `xdrought.data.collocate`. Read
        into memory.
    target : str
        The soil moisture that the events are of.
    drivers : mapping, optional
        Variables and what they are: ``rain temperature vpd humidity radiation wind soil_temperature evaporation``.
        None: those of `ds` that are known by their names and units; ``radiation`` are incoming shortwave ones.
    lags : int
        Days on which a driver may act after its own, see :func:`xdrought.driver_gain`.
    alpha : float
        A driver counts at a place when :func:`xdrought.driver_gain` lists it there at this level, adjusted for the
        number of tests; drivers of one role are tested together. 1 lets every driver count.
    seed : int
        Of that test.
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        On event, with the events' coordinates, and ``driver`` (coordinate ``role``):

        - ``anomaly`` (event, driver): mean departure from the annual cycle over the onset, in standard deviations of
          days;
        - ``contribution`` (event, driver): the part of the predicted change of soil moisture over the onset that the
          driver's departure accounts for, given the others, in the units of `target`: negative where it dries, 0 where
          the driver is not found to act. NaN for evaporation, which follows from the soil, and where fewer than half
          of the days are known;
        - ``share`` (event, driver): of the drying that drivers account for together;
        - ``frozen_share`` (event): days of the onset with a soil below 0 degC, when a soil temperature with units is
          there;
        - ``driver_class`` (event), int8 flags: ``rain_deficit`` and ``demand`` when rain, or everything that evaporates
          (temperature, humidity, radiation, wind), makes two thirds or more of their drying; ``compound`` between;
          ``freezing`` when half of the onset's days are frozen, since frozen soil reads dry; ``neither`` when none of
          them dries more than usual; ``unknown`` without contributions.

    Raises
    ------
    KeyError
        A variable that is not there.
    ValueError
        An unknown role, no rain among the drivers, other dimensions than the target's, or events of other places.

    Notes
    -----
    The onset's days are those after `onset_time` up to `start_time`, on which the soil falls. Contributions are those
    of :func:`xdrought.driver_contributions` added up: statements of a model about the drivers given, not proofs. A
    season that dries every year is no departure, so that a drought of the usual dry season may well be ``neither``. How
    often the class is the planted one is measured on the simulated world, :doc:`/studies/event_drivers`.

    Examples
    --------
    >>> import xdrought
    >>> from xdrought.data import open_dataset
    >>> tower = open_dataset("us-ar1")
    >>> events = xdrought.flash_drought_events(tower.soil_moisture)
    >>> result = xdrought.event_drivers(events, tower)
    >>> result.contribution.dims, "rain" in result.role.values
    (('event', 'driver'), True)
    """
    if target not in ds:
        raise KeyError(f"no variable {target!r} among {sorted(map(str, ds.data_vars))}; name it with target=")
    soil = ds[target]
    roles = recognised(ds, target) if drivers is None else _given(ds, drivers)
    if "rain" not in roles.values():
        raise ValueError(f"there is no rain among the drivers {roles}; name it, e.g. drivers={{'P': 'rain', ...}}")
    for name in roles:
        if set(ds[name].dims) != set(soil.dims):
            raise ValueError(
                f"{name!r} has dimensions {tuple(ds[name].dims)}, {target!r} {tuple(soil.dims)}; of patches take the "
                f"mean of the nearest cells, "
                f"ds = xdrought.data.collocate.nearest_cells(ds).mean('cell', keep_attrs=True)"
            )
    places = [dim for dim in soil.dims if dim != time]
    where, days = _days_of(events, soil, places, time)
    causes = {name: role for name, role in roles.items() if role != "evaporation"}
    daily = _acting_contributions(ds, soil, causes, places, lags, alpha, seed, time)
    years = checks.days_since_start(soil, time) / 365.2425
    anomaly, contribution = (np.full((events.sizes["event"], len(roles)), np.nan) for _ in range(2))
    for k, (name, role) in enumerate(roles.items()):
        departure = remove_annual_cycle(ds[name].transpose(*places, time).values.astype(np.float64), years)
        spread = np.nanstd(departure, axis=-1, keepdims=True) if np.isfinite(departure).any() else np.nan
        anomaly[:, k] = _over_onsets(departure / spread, where, days, np.mean)
        if role != "evaporation":
            own = daily[..., list(causes).index(name), :]
            contribution[:, k] = _over_onsets(own, where, days, lambda known, n: n * known.mean())
    frozen = _frozen(ds, roles, places, where, days, time)
    drying = np.where(np.isfinite(contribution), np.maximum(-contribution, 0), 0)
    total = drying.sum(axis=1, keepdims=True)
    share = np.where(np.isfinite(contribution) & (total > 0), drying / np.where(total > 0, total, 1), np.nan)
    rain, demand = ([k for k, role in enumerate(roles.values()) if role in of] for of in (("rain",), _DEMAND))
    classes = classify(_net(contribution, rain), _net(contribution, demand), frozen)
    return _labelled(events, roles, soil, anomaly, contribution, share, frozen, classes)


def classify(rain: np.ndarray, demand: np.ndarray, frozen: np.ndarray) -> np.ndarray:
    """Class of events (event,) by what rain and demand changed (negative: dried) and by the share of frozen days."""
    dry_by_rain, dry_by_demand = (np.maximum(-np.nan_to_num(cause), 0) for cause in (rain, demand))
    both = dry_by_rain + dry_by_demand
    of_rain = np.divide(dry_by_rain, both, out=np.zeros_like(both), where=both > 0)
    named = np.select(
        [np.isnan(rain), frozen >= _MOSTLY, both == 0, of_rain >= _ALONE, of_rain <= 1 - _ALONE],
        [DRIVER_CLASSES[name] for name in ("unknown", "freezing", "neither", "rain_deficit", "demand")],
        DRIVER_CLASSES["compound"],
    )
    return named.astype(np.int8)


def _acting_contributions(
    ds: xr.Dataset,
    soil: xr.DataArray,
    causes: Mapping[str, str],
    places: list,
    lags: int,
    alpha: float,
    seed: int,
    time: Hashable,
) -> np.ndarray:
    """What each driver adds to the change of each day (*places, driver, time); 0 where it is not found to act."""
    given: dict[Hashable, xr.DataArray] = {name: ds[name] for name in causes}
    same = {role: [n for n in causes if causes[n] == role] for role in causes.values()}
    groups = {role: names for role, names in same.items() if len(names) > 1}
    with warnings.catch_warnings():  # frost has a class of its own here
        warnings.filterwarnings("ignore", message="the soil of .* freezes")
        change = driver_contributions(given, soil, lags=lags, time=time)
        daily = change.transpose(*places, "variable", time).sel(variable=list(causes)).values
        if alpha >= 1:
            return daily
        gain = driver_gain(given, soil, groups=groups, lags=lags, seed=seed, time=time)
    p_value = gain.p_value_adjusted.transpose(*places, "variable")
    tests = [causes[name] if causes[name] in groups else name for name in causes]
    acts = p_value.sel(variable=tests).values <= alpha
    return np.where(acts[..., None] | np.isnan(daily), daily, 0.0)


def recognised(ds: xr.Dataset, target: str) -> dict[str, str]:
    """The drivers of a Dataset by their names and units, and what each is."""
    result = {}
    for name, da in ds.data_vars.items():
        if name == target or da.dtype.kind not in "fiu":
            continue
        known = quantities.recognise(da, str(da.attrs.get("units", "")), None)
        role = _OF_QUANTITY.get(known[0].name) if known is not None else None
        if role is not None and _is_meant(str(name), role):
            result[str(name)] = role
    return result


def _is_meant(name: str, role: str) -> bool:
    """Incoming shortwave among radiations, and the latent one among heat fluxes."""
    low = name.lower()
    if role == "radiation":
        return low.startswith(("sw_in", "ssrd", "rsds", "solarad", "msdwswrf", "avg_sdswrf", "surface_solar"))
    if role == "evaporation":
        return not low.startswith(("h", "g", "pev", "potential", "msshf"))
    return True


def _given(ds: xr.Dataset, drivers: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in drivers if name not in ds]
    if missing:
        raise KeyError(f"no variable {missing} among {sorted(map(str, ds.data_vars))}")
    for name, role in drivers.items():
        checks.require_choice(role, f"the role of {name!r}", ROLES)
    return dict(drivers)


def _days_of(events: xr.Dataset, soil: xr.DataArray, places: list, time: Hashable) -> tuple[list, list[slice]]:
    """The place of each event among those of the data, None where it is not, and the days on which its soil falls."""
    needed = ("onset_time", "start_time", *places)
    checks.require_variables(events, needed, "the events lack", "xdrought.flash_drought_events")
    at = [
        soil.indexes[dim].get_indexer(events[dim].values) if dim in soil.indexes else events[dim].values
        for dim in places
    ]
    index = soil.indexes[time]
    first, last = (index.get_indexer(events[name].values) for name in ("onset_time", "start_time"))
    if any((one < 0).any() for one in (*at, first, last)):
        raise ValueError("some events are of places or days that the data lack; take the events of the same data")
    where = [tuple(int(one[k]) for one in at) for k in range(events.sizes["event"])]
    return where, [slice(int(a) + 1, int(b) + 1) for a, b in zip(first, last, strict=True)]


def _over_onsets(daily: np.ndarray, where: list, days: list[slice], measure) -> np.ndarray:  # type: ignore[no-untyped-def]
    """A number of the known days of each onset (event,), NaN where fewer than half are known."""
    out = np.full(len(where), np.nan)
    for k, (place, span) in enumerate(zip(where, days, strict=True)):
        onset = daily[place][span]
        known = onset[np.isfinite(onset)]
        if onset.size and known.size >= _MOSTLY * onset.size:
            out[k] = measure(known) if measure is np.mean else measure(known, onset.size)
    return out


def _net(contribution: np.ndarray, columns: list[int]) -> np.ndarray:
    """Sum of the known contributions of some drivers (event,); NaN where none is known."""
    own = contribution[:, columns]
    return np.where(np.isfinite(own).any(axis=1), np.nansum(own, axis=1), np.nan)


def _frozen(
    ds: xr.Dataset, roles: Mapping[str, str], places: list, where: list, days: list[slice], time: Hashable
) -> np.ndarray:
    """Share of the onset's days with a soil below freezing (event,); NaN without a soil temperature."""
    name = next((n for n, role in roles.items() if role == "soil_temperature" and "units" in ds[n].attrs), None)
    if name is None:
        return np.full(len(where), np.nan)
    celsius = units.convert(ds[name], "degC").transpose(*places, time).values
    cold = np.where(np.isfinite(celsius), celsius < 0, np.nan)
    return _over_onsets(cold, where, days, np.mean)


def _labelled(
    events: xr.Dataset,
    roles: Mapping[str, str],
    soil: xr.DataArray,
    anomaly: np.ndarray,
    contribution: np.ndarray,
    share: np.ndarray,
    frozen: np.ndarray,
    classes: np.ndarray,
) -> xr.Dataset:
    both, unit = ("event", "driver"), str(soil.attrs.get("units", "1"))
    texts = {
        "anomaly": "mean departure over the onset, in standard deviations of days",
        "contribution": "change of soil moisture over the onset that the driver accounts for, given the others",
        "share": "share of the drying that the drivers account for",
        "frozen_share": "share of the onset's days with a soil below 0 degC",
    }
    variables = {
        "anomaly": (both, anomaly, {"long_name": texts["anomaly"], "units": "1"}),
        "contribution": (both, contribution, {"long_name": texts["contribution"], "units": unit}),
        "share": (both, share, {"long_name": texts["share"], "units": "1"}),
        "frozen_share": ("event", frozen, {"long_name": texts["frozen_share"], "units": "1"}),
        "driver_class": ("event", classes, {"long_name": "what drove the drought", **flag_attrs(DRIVER_CLASSES)}),
    }
    coords = {"driver": list(roles), "role": ("driver", list(roles.values()), {"long_name": "what the driver is"})}
    return alignment.dataset_of(variables, {**events.coords, **coords})
