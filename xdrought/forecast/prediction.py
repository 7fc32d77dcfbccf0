"""Forecast labelled data with a trained network."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xdrought import alignment, checks, limits
from xdrought.devices import resolve_device
from xdrought.forecast import driver_inputs
from xdrought.forecast.blocks import (
    Ensemble,
    forecast_block,
    lazy_forecast,
    lazy_missing,
    lazy_parts,
    missing_block,
)
from xdrought.forecast.conformal import corrected
from xdrought.forecast.forcing import Forcing, GivenWeather, blocks_of, resolve
from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.missing_inputs import labelled_n_filled, resolve_filling
from xdrought.forecast.options import WORDS, known_on
from xdrought.provenance import recorded
from xdrought.public_functions import public
from xdrought.splits import PART_ATTRS, Splits
from xdrought.windows.dimension_names import known_names, time_name
from xdrought.windows.labelled import Patches, make_patches
from xdrought.windows.selection import GRID, INIT, LEAD, MEMBER, QUANTILE, SITE, VALID

__all__ = ["predict"]


@public
@recorded
def predict(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    causality: xr.Dataset | None = None,
    forcing: Forcing = None,
    batch_size: int = 512,
    device: Any = "auto",
    site: Hashable | None = None,
    lat: Hashable | None = None,
    lon: Hashable | None = None,
    time: Hashable = "time",
) -> xr.Dataset:
    """Forecast the target wherever the drivers are complete, also for days after the record's end.

    Parameters
    ----------
    ds : xarray.Dataset
        The drivers, of sites or of a grid, in any order and with units that can be converted. The target is
        read only by forecasters that were trained with `target_history` or `predict_change`, and never beyond
        the day of issue. Dask is welcome, with time in one chunk: the forecast is then lazy too, chunk by chunk
        of sites or cells, and equal to the last bit on the same kind of machine.
    forecaster : Forecaster
        From :func:`xdrought.fit_resattcaurec` or :func:`xdrought.load_forecaster`.
    causality : xarray.Dataset, optional
        Causality degrees of places that the forecaster does not know.
    forcing : xarray.Dataset, "observed" or "climatology", optional
        The weather of the lead days where the forecaster was trained with `future`, as in
        :func:`xdrought.fit_resattcaurec`. "climatology" needs the days of the training in `ds`.
    batch_size : int
        Windows at a time; on a GPU eight times as many maps.
    device : str or torch.device
        "auto", "cpu", "cuda", ...; under dask, of the workers.
    site, lat, lon : hashable, optional
        What the data call these dimensions or coordinates; by default as in the training, or as CF attributes say.
    time : hashable
        The time dimension; by default ``time``, or the dimension that is time by its CF attributes.

    Returns
    -------
    xarray.Dataset
        The target's own name and units on (site, time) or (time, lat, lon), with `run` in front when there
        are several. `time` is the valid time, `init_time` the last day of the inputs, `lead_time` the days
        between. `part` says which part of the training's split a valid day belongs to: int8 with the flags "outside",
        "train", "val" and "test". NaN where there is no complete window, or no last observation to add the change to.
        A forecaster that fills missing inputs (`missing` in training) gives the coordinate `n_filled` on the places and
        days: how many of the window's values, days times drivers, were missing.

        What a quantity of the table of limits cannot be is set to the nearest limit, so that every function takes the
        forecast; the attribute ``limited_to`` names the limits. Inside ``xdrought.set_options(check_limits=False)``
        values stay as the network gives them.

        Of several leads on (site, init_time, lead_time) or (init_time, lead_time, lat, lon), with the two-dimensional
        coordinate `valid_time`; :func:`xdrought.select_lead` gives one of them by valid time. A forcing with members
        gives `member`, a forecaster of quantiles `quantile`, in growing order. NaN also where the weather of a lead day
        is not known, and on later ones.

    Raises
    ------
    KeyError
        For a driver, or a target whose past is needed, that is not there.
    ValueError
        For units or patches that do not fit, no complete window, time in chunks, places without a causality
        degree, or a forcing that is missing, not wanted, or lacks a lead. What depends on the values of dask arrays is
        raised when they are computed.

    Warns
    -----
    UserWarning
        Where more than one value in a hundred of a forecast in memory was set to a limit.

    Notes
    -----
    Each day's patch is encoded once and shared by the windows that hold it.

    On a GPU torch computes convolutions in TF32 unless told otherwise, with about three digits of each product; for
    float32 throughout set ``torch.backends.cudnn.allow_tf32 = False``. Numbers then still differ from those of a CPU
    by rounding.

    See Also
    --------
    xdrought.predict_onset : how probable it is that a flash drought begins within the lead.

    Examples
    --------
    See :func:`xdrought.fit_resattcaurec`.
    """
    checks.require_integer(batch_size, "batch_size")
    names, time = known_names(ds, forecaster.settings, site=site, lat=lat, lon=lon), time_name(ds, time)
    ds = names.to_ours(ds)
    causality = None if causality is None else names.to_ours(causality)
    known = driver_inputs.forecast_inputs(ds, forecaster, time)
    lead = forecaster.windows_lead()
    settings = (forecaster.size, forecaster.window, lead, False, time, forecaster.missing.largest_share)
    windows = make_patches(known, None, forecaster.features, *settings)
    driver_inputs.require_steps(windows, forecaster.steps)
    degrees = None
    if forecaster.causality is not None:
        degree = forecaster.causality if causality is None else causality
        degrees = driver_inputs.degrees_of_places(windows, degree, forecaster.drivers)
    weather = resolve(forcing, forecaster.ahead, windows, forecaster.units, forecaster.scaling, forecaster.splits)
    scaled = _run(windows, degrees, weather, forecaster, int(batch_size), device)
    values = forecaster.scaling.invert(scaled, forecaster.target)
    if forecaster.target_inputs.change:
        latency = forecaster.target_inputs.latency
        if windows.several:
            last = known_on(known[forecaster.target], latency, windows.data.indexes[time], time).rename({time: INIT})
        else:
            last = known_on(known[forecaster.target], forecaster.lead + latency, scaled.indexes[time], time)
        values = (values + last.astype("float32")).transpose(*scaled.dims)
    about = {}
    if forecaster.conformal is not None:
        values, about["conformal"] = corrected(values, forecaster.conformal)
    out = _described(values, forecaster, time).assign_attrs(about)
    if forecaster.missing.is_used:
        missing = forecaster.missing
        out = out.assign_coords(n_filled=_n_filled(windows))
        out = out.assign_attrs(missing=missing.policy, max_filled=missing.max_filled)
    if weather is not None:
        out = out.assign_attrs(forcing=weather.source.kind, forcing_is=WORDS[weather.source.kind])
    valid = out[VALID] if windows.several else out[forecaster.target][time]
    part = _part_of_each_day(forecaster.splits, out[forecaster.target], valid.reset_coords(drop=True))
    out = out if part is None else out.assign_coords(part=part)
    return names.to_theirs(out)


def _part_of_each_day(splits: Splits, forecast: xr.DataArray, valid: xr.DataArray) -> xr.DataArray | None:
    """The part that each valid day belongs to, lazy where the forecast is; outside of all at places of no training."""
    ranges = splits.ranges.drop_vars([name for name in splits.ranges.coords if name not in splits.ranges.dims])
    if valid.dtype == object and valid.size and valid.values.flat[0].calendar in alignment.GREGORIAN:
        days = alignment.numpy_dates(xr.CFTimeIndex(valid.values.ravel())).to_numpy()
        valid = xr.DataArray(days.reshape(valid.shape), {dim: valid[dim] for dim in valid.dims}, valid.dims)
    places = [dim for dim in ranges.start.dims if dim != "part"]
    labelled = [dim for dim in places if dim in ranges.indexes and dim in forecast.indexes]
    if valid.dtype.kind != "M" or any(
        ranges.sizes[dim] != forecast.sizes.get(dim) for dim in places if dim not in labelled
    ):
        return None  # other calendars, or places without labels that are not those of the training
    unlabelled = {dim: range(ranges.sizes[dim]) for dim in places if dim not in labelled}
    splits = replace(splits, ranges=ranges.assign_coords(unlabelled))
    labels = forecast.drop_vars(unlabelled, errors="ignore").assign_coords(unlabelled)
    if forecast.chunks is None:
        return splits.on_places({dim: labels.indexes[dim] for dim in places}).part_of(valid)
    chunks = {dim: forecast.chunksizes[dim] for dim in places}
    parts = lazy_parts(splits, {dim: labels.indexes[dim].to_numpy() for dim in places}, chunks, valid.to_numpy())
    known = {dim: forecast[dim] for dim in (*labelled, *valid.dims)}
    return xr.DataArray(parts, known, (*places, *valid.dims), attrs=PART_ATTRS)


def _run(
    windows: Patches,
    degrees: Any | None,
    weather: GivenWeather | None,
    forecaster: Forecaster,
    batch_size: int,
    device: Any,
) -> xr.DataArray:
    """Scaled forecasts with labels: at once, or lazily where the drivers are lazy."""
    source = None if weather is None else weather.source
    scaled = windows.with_data(forecaster.scaling.apply(windows.data))
    filling, usual = resolve_filling(forecaster.missing, forecaster.usual_year, scaled), None
    ensemble = Ensemble(forecaster.architecture, forecaster.weights, forecaster.lead, batch_size, device, source)
    if filling is not None:
        ensemble = replace(ensemble, filling=filling.rule, most_missing=windows.most_missing)
        usual = filling.usual.to_numpy()
    cube = scaled.inputs
    ahead = None if weather is None else blocks_of(weather.given, windows)
    label = partial(_labelled_ahead, forecaster.quantiles) if ensemble.by_issue else _labelled
    if cube.chunks is not None:
        return label(lazy_forecast(cube.data, degrees, ensemble, ahead, usual), windows, weather)
    resolve_device(device)
    windows.require_windows()
    if degrees is not None:
        degrees = np.asarray(degrees)
        driver_inputs.require_degrees(windows, degrees)
    ahead = None if ahead is None else np.asarray(ahead)
    return label(forecast_block(cube.to_numpy(), degrees, ahead, usual, ensemble=ensemble), windows, weather)


def _n_filled(windows: Patches) -> xr.DataArray:
    """How many values the window of each forecast lacks, lazy where the drivers are lazy."""
    cube = windows.inputs
    sizes = {"window": windows.window, "size": windows.size, "lead": 0 if windows.several else windows.lead}
    counts = missing_block(cube.to_numpy(), **sizes) if cube.chunks is None else lazy_missing(cube.data, **sizes)
    return labelled_n_filled(counts, windows)


def _labelled(values: Any, windows: Patches, weather: GivenWeather | None) -> xr.DataArray:
    """(run, site, time) or (run, time, lat, lon) with coordinates; a single run loses its dimension."""
    dims = ("run", windows.time, *GRID) if windows.on_grid else ("run", SITE, windows.time)
    out = xr.DataArray(values, windows.coordinates | {"run": range(values.shape[0])}, dims)
    return out if out.sizes["run"] > 1 else out.isel(run=0, drop=True)


def _labelled_ahead(
    quantiles: tuple[float, ...], values: Any, windows: Patches, weather: GivenWeather | None
) -> xr.DataArray:
    """(run, places..., time, member, lead[, quantile]) with coordinates; a single run and member lose theirs.

    One lead goes to its valid time.
    """
    places = GRID if windows.on_grid else (SITE,)
    coords = windows.coordinates_ahead | {"run": range(values.shape[0])}
    coords |= {QUANTILE: list(quantiles)} if quantiles else {}
    out = xr.DataArray(values, coords, ("run", *places, INIT, MEMBER, LEAD, *((QUANTILE,) if quantiles else ())))
    if not windows.several:
        out = out.isel({LEAD: 0}, drop=True).drop_vars(VALID).rename({INIT: windows.time})
        beyond = ((windows.lead, 0) if dim == windows.time else (0, 0) for dim in out.dims)
        padded = out.pad(dict(zip(out.dims, beyond, strict=True)), constant_values=np.nan)
        out = padded.drop_vars([windows.time]).assign_coords(windows.coordinates)
    members = None if weather is None else weather.members
    out = out.isel({MEMBER: 0}, drop=True) if members is None else out.assign_coords({MEMBER: members})
    order = (windows.time,) if not windows.several else (INIT, LEAD)
    order = (*order, *GRID) if windows.on_grid else (SITE, *order)
    out = out.transpose("run", MEMBER, *order, QUANTILE, missing_dims="ignore")
    return out if out.sizes["run"] > 1 else out.isel(run=0, drop=True)


def _described(values: xr.DataArray, forecaster: Forecaster, time: Hashable) -> xr.Dataset:
    """The forecast under the target's name, with what it is and when it was issued."""
    attrs = dict(forecaster.target_attrs)
    name = attrs.get("long_name", forecaster.target)
    attrs["long_name"] = f"{name}, forecast {', '.join(map(str, forecaster.leads))} days ahead"
    lead_time = np.timedelta64(forecaster.lead * 86400, "s")
    single = {} if LEAD in values.dims else {LEAD: ((), lead_time, {"long_name": f"from init_time to {time}"})}
    values = limits.within(values.rename(forecaster.target).assign_attrs(attrs))
    return xr.Dataset(
        {forecaster.target: values},
        single,
        {
            "variant": forecaster.variant,
            "equations": forecaster.architecture.equations,
            "window": forecaster.window,
            "lead": forecaster.lead if len(forecaster.leads) == 1 else list(forecaster.leads),
            "drivers": " ".join(map(str, forecaster.features)),
        },
    )
