"""Train the paper's network on labelled data, and forecast labelled data with it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xdrought import forecast_inputs as inputs
from xdrought.forecast_training import history_of, train_members
from xdrought.forecaster import Forecaster, resolve_device
from xdrought.forecaster_file import load
from xdrought.patches import make_patches
from xdrought.scaling import fit_scaling
from xdrought.splits import PARTS, Splits, chronological

__all__ = ["Forecaster", "fit_resattcaurec", "load", "predict"]


def fit_resattcaurec(
    ds: xr.Dataset,
    target: Hashable,
    features: Sequence[Hashable] | None = None,
    *,
    variant: str = "ResAttCauRec",
    equations: str = "paper",
    causality: xr.Dataset | None = None,
    window: int = 15,
    lead: int = 7,
    size: int | None = None,
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    embargo: int | None = None,
    epochs: int = 50,
    batch_size: int = 512,
    learning_rate: float = 1e-4,
    runs: int = 1,
    seed: int = 0,
    widths: Sequence[int] | None = None,
    dropout: float | None = None,
    device: Any = "auto",
    progress: bool = True,
    time: Hashable = "time",
) -> Forecaster:
    """Train a network to forecast `target` from the drivers' last `window` days, `lead` days ahead.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily data of sites or of a grid, as :func:`xdrought.patches` takes them. It is read into memory.
    target : hashable
        The variable to forecast.
    features : sequence of hashable, optional
        The drivers; see :func:`xdrought.patches` for the default.
    variant : str
        "ResAttCauRec", or an ablation of it: "ResAttRec", "ResRec", "ResCauRec", "CauRec", "Rec", "UNet".
    equations : {"paper", "released"}
        The paper's Eq. 1-6, or what the authors' code does; see :func:`xdrought.models.build`.
    causality : xarray.Dataset, optional
        Causality degree from :func:`xdrought.causality_degree`. By default, for variants with Cau, it is
        computed from each place's training days.
    window, lead, size
        Days of input, days ahead, cells on a side; see :func:`xdrought.patches`.
    fractions, embargo
        Chronological parts at each site; see :func:`xdrought.splits.chronological`.
    epochs, batch_size, learning_rate
        Of Adam on the mean squared error of scaled values. The weights of the epoch with the lowest
        validation loss are kept.
    runs : int
        Networks that differ in their seed only.
    seed : int
        For initial weights, order of the windows and dropout. Run k is the same however many runs there are.
    widths, dropout
        Sizes of the network, the published ones by default; see :func:`xdrought.models.build`.
    device : str or torch.device
        "auto", "cpu", "cuda", ...
    progress : bool
        Show a bar with both losses and the time left.
    time : hashable
        The time dimension.

    Returns
    -------
    Forecaster
        A value: the data and torch's global random state are as before.

    Raises
    ------
    FloatingPointError
        When the loss is not finite, with the likely cause.
    KeyError
        For a variable that is not there.
    ValueError
        For settings out of range, data that do not fit, or too few windows for the three parts.

    Warns
    -----
    UserWarning
        For sites without a complete window, and for drivers that are constant.

    Notes
    -----
    Scaling and causality see training days only. Batches are shuffled windows.

    References
    ----------
    Tang et al. 2025, sections 2 and 3.4.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought.forecast import fit_resattcaurec, predict
    >>> rng = np.random.default_rng(0)
    >>> rain = rng.random((1, 400))
    >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
    >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
    >>> forecaster = fit_resattcaurec(
    ...     ds, "soil_moisture", variant="Rec", widths=(4, 4), epochs=2, device="cpu", progress=False
    ... )
    >>> forecast = predict(ds, forecaster)
    >>> forecast.soil_moisture.dims, str(forecast.time.values[-1])[:10]  # the record ends on 2002-02-04
    (('site', 'time'), '2002-02-11')
    """
    caller = "fit_resattcaurec"
    from xdrought.models.training import Plan
    from xdrought.models.zoo import VARIANTS, architecture

    _check_counts(epochs=epochs, batch_size=batch_size, runs=runs)
    if not learning_rate > 0:
        raise ValueError(f"{caller}: learning_rate={learning_rate!r}; it must be above 0")
    architecture(variant, 1, 1, 64, 64, equations, widths, dropout)  # refuse before long work
    device = resolve_device(device, caller)
    windows = inputs.training_windows(ds, target, features, size, window, lead, time, caller)
    splits = chronological(windows, fractions=fractions, embargo=embargo)
    parts = {part: splits.windows(windows, part) for part in PARTS}
    _check_parts(parts, splits)

    names = [*windows.features, target]
    scaling = fit_scaling(windows.data, names, train=splits.training_days(windows.data[time]))
    degree, vectors = None, None
    if VARIANTS[variant].causal:
        degree = inputs.training_causality(windows, splits) if causality is None else causality
        vectors = inputs.causality_of_places(windows, degree, caller)
    n_causal = 0 if vectors is None else vectors.shape[1]
    spec = architecture(
        variant, len(windows.features), n_causal, windows.size, windows.window, equations, widths, dropout
    )

    scaled = windows.with_data(scaling.apply(windows.data))
    plan = Plan(int(epochs), int(batch_size), float(learning_rate))
    courses = train_members(spec, scaled, vectors, parts, plan, int(runs), seed, device, progress)
    settings = {"epochs": plan.epochs, "batch_size": plan.batch_size, "learning_rate": plan.learning_rate}
    settings |= {"seed": int(seed)} | {f"{part}_windows": len(index) for part, index in parts.items()}
    return Forecaster(
        architecture=spec,
        weights=tuple(course.weights for course in courses),
        features=windows.features,
        target=target,
        units={name: windows.data[name].attrs.get("units") for name in names},
        target_attrs=dict(windows.data[target].attrs),
        lead=windows.lead,
        scaling=scaling,
        causality=degree,
        splits=splits,
        history=history_of(courses),
        settings=settings,
    )


def predict(
    ds: xr.Dataset,
    forecaster: Forecaster,
    *,
    causality: xr.Dataset | None = None,
    batch_size: int = 512,
    device: Any = "auto",
    time: Hashable = "time",
) -> xr.Dataset:
    """Forecast the target wherever the drivers are complete, also for days after the record's end.

    Parameters
    ----------
    ds : xarray.Dataset
        The drivers, of sites or of a grid, in any order and with units that can be converted. The target is
        not needed and not read. The drivers are read into memory.
    forecaster : Forecaster
        From :func:`fit_resattcaurec` or :func:`load`.
    causality : xarray.Dataset, optional
        Causality degrees of places that the forecaster does not know.
    batch_size : int
        Maps, and windows, at a time; the result does not depend on it.
    device : str or torch.device
        "auto", "cpu", "cuda", ...
    time : hashable
        The time dimension.

    Returns
    -------
    xarray.Dataset
        The target's own name and units on (site, time) or (time, lat, lon), with `run` in front when there
        are several. `time` is the valid time, `init_time` the last day of the inputs, `lead_time` the days
        between. NaN where there is no complete window.

    Raises
    ------
    KeyError
        For a driver that is not there.
    ValueError
        For units or patches that do not fit, no complete window, or places without a causality degree.

    Examples
    --------
    See :func:`fit_resattcaurec`.
    """
    caller = "predict"
    _check_counts(caller, batch_size=batch_size)
    device = resolve_device(device, caller)
    known = inputs.in_known_units(ds, forecaster.features, forecaster.units, caller)
    windows = make_patches(
        known,
        None,
        forecaster.features,
        forecaster.size,
        forecaster.window,
        forecaster.lead,
        False,
        time,
        caller,
    )
    windows.require_windows(caller)
    vectors = None
    if forecaster.causality is not None:
        degree = forecaster.causality if causality is None else causality
        vectors = inputs.causality_of_places(windows, degree, caller).to(device)

    from xdrought.models.prediction import run

    cube = windows.with_data(forecaster.scaling.apply(windows.data)).to_torch(device)
    members = []
    for k in range(forecaster.runs):
        scaled = run(forecaster.network(k, device), cube, vectors, int(batch_size)).numpy()
        members.append(windows.to_labels(forecaster.scaling.invert(xr.DataArray(scaled), forecaster.target).values))
    out = members[0] if len(members) == 1 else xr.concat(members, xr.DataArray(range(len(members)), dims="run"))
    return _label(out, forecaster, time)


def _label(values: xr.DataArray, forecaster: Forecaster, time: Hashable) -> xr.Dataset:
    """The forecast under the target's name, with what it is and when it was issued."""
    attrs = dict(forecaster.target_attrs)
    name = attrs.get("long_name", forecaster.target)
    attrs["long_name"] = f"{name}, forecast {forecaster.lead} days ahead"
    lead_time = np.timedelta64(forecaster.lead * 86400, "s")
    return xr.Dataset(
        {forecaster.target: values.assign_attrs(attrs)},
        {"lead_time": ((), lead_time, {"long_name": f"from init_time to {time}"})},
        {
            "variant": forecaster.variant,
            "equations": forecaster.architecture.equations,
            "window": forecaster.window,
            "lead": forecaster.lead,
            "drivers": " ".join(map(str, forecaster.features)),
        },
    )


def _check_counts(caller: str = "fit_resattcaurec", **counts: int) -> None:
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"{caller}: {name}={count!r}; it is a whole number of at least 1")


def _check_parts(parts: dict[str, np.ndarray], splits: Splits) -> None:
    """Training needs windows, and so does the choice of the best epoch."""
    for part in ("train", "val"):
        if not len(parts[part]):
            counts = {name: len(index) for name, index in parts.items()}
            raise ValueError(
                f"fit_resattcaurec: no window is left for {part!r} ({counts}, embargo {splits.embargo}); "
                f"the record is too short: give longer records, other fractions, or a smaller embargo"
            )
