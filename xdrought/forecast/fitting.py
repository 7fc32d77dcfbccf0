"""Train the paper's network on labelled data, and forecast labelled data with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought import checks, limits
from xdrought.choices import Equations, Loss, MissingPolicy, Sampler, SplitKind, VariantName
from xdrought.devices import require_torch, resolve_device, with_gradients
from xdrought.forecast import conformal, driver_inputs
from xdrought.forecast import forcing as lead_forcing
from xdrought.forecast.ensemble import join_processes, lock_of, train_members
from xdrought.forecast.forcing import Forcing
from xdrought.forecast.forecaster import Forecaster, load_forecaster
from xdrought.forecast.missing_inputs import fit_usual_year, resolve_filling
from xdrought.forecast.options import (
    LOSSES,
    LeadDays,
    MissingInputs,
    TrainingOptions,
    checked_missing,
    checked_target_inputs,
)
from xdrought.forecast.prediction import predict
from xdrought.forecast.progress import history_of
from xdrought.forecast.shards import Shards
from xdrought.forecast.starting import digest_of_start, require_same_variables, warn_of_known_test_days
from xdrought.public_functions import public
from xdrought.scaling import fit_scaling
from xdrought.splits import SplitConfig, Splits, resolve_splits
from xdrought.windows.dimension_names import dimension_names, time_name
from xdrought.windows.selection import SITE, Lead, are_several, check_leads

__all__ = ["Forecaster", "fit_resattcaurec", "load_forecaster", "predict"]


@public
@with_gradients
def fit_resattcaurec(
    ds: xr.Dataset,
    target: Hashable,
    drivers: Sequence[Hashable] | None = None,
    *,
    variant: VariantName = "ResAttCauRec",
    equations: Equations = "paper",
    causality: xr.Dataset | None = None,
    target_history: bool = False,
    predict_change: bool = False,
    latency: int = 0,
    missing: MissingPolicy | MissingInputs = "none",
    window: int = 15,
    lead: Lead = 7,
    size: int | None = None,
    future: Sequence[Hashable] = (),
    forcing: Forcing = None,
    quantiles: Sequence[float] = (),
    split: SplitKind | SplitConfig | Splits = "chronological",
    epochs: int = 50,
    batch_size: int = 512,
    learning_rate: float = 1e-4,
    loss: Loss | Callable[[Any, Any], Any] = "mse",
    start_from: Forecaster | None = None,
    network: Callable[..., Any] | None = None,
    sampler: Sampler = "independent",
    training: TrainingOptions | None = None,
    runs: int = 1,
    seed: int = 0,
    widths: Sequence[int] | None = None,
    device: Any = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    site: Hashable | None = None,
    lat: Hashable | None = None,
    lon: Hashable | None = None,
    time: Hashable = "time",
) -> Forecaster:
    """Train a network to forecast `target` from the drivers' last `window` days, one or several days ahead.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily data of sites or of a grid, as :func:`xdrought.patches` takes them. It is read into memory, or
        with `sites_in_memory` some sites at a time.
    target : hashable
        The variable to forecast.
    drivers : sequence of hashable, optional
        The drivers; see :func:`xdrought.patches` for the default.
    variant : str
        "ResAttCauRec", or an ablation of it: "ResAttRec", "ResRec", "ResCauRec", "CauRec", "Rec", "AttRec",
        "AttCauRec", "ResAtt", "Res", or "UNet".
    equations : {"paper", "released"}
        The paper's Eq. 1-6, or what the authors' code does; see :func:`xdrought.models.build`.
    causality : xarray.Dataset, optional
        Causality degree from :func:`xdrought.causality_degree`. By default, for variants with Cau, it is
        computed from each place's training days.
    target_history : bool
        Give the network the target's own past up to the day of issue as one more driver, ``<target>_history``,
        the same on a whole patch. The paper's network never sees it. Forecasts then need the observed target.
    predict_change : bool
        Learn the change from the last known observation to the forecast day instead of the value. Forecasts then
        need the observed target.
    latency : int
        Days until an observation of the target is reported, for `target_history` and `predict_change`.
    missing : str or MissingInputs
        What is done where a driver is missing on a day of a window. "none", as in the paper: there is no forecast.
        "last", "climatology" or "interpolate": up to a quarter of the window is filled, the network is told by a mask
        what was observed, and driver days are dropped in training so that it learns the mask; see
        :class:`xdrought.MissingInputs` for the policies and their numbers.
    window, lead, size
        Days of input, days ahead, cells on a side; see :func:`xdrought.patches`. With several leads the recurrence goes
        on over the lead days and answers for each of them in one pass; the embargo covers the longest.
    future : sequence of hashable
        Drivers that are known for the lead days, by their value at the centre, from `forcing`. The other drivers enter
        the lead days as their training mean, and the network is told that these days are ahead.
    forcing : xarray.Dataset, "observed" or "climatology", optional
        The weather of the lead days. A Dataset of forecasts on (init_time, lead_time[, member]) with the drivers' names
        and units: init_time is the day of issue, lead_time 1 day the day after it; of several members each window is
        taught one, drawn anew in each epoch. "climatology": days of the same season in other training years, as
        members. "observed": the record itself, a perfect forecast: an upper bound, which no forecast in use reaches.
        Train on forecasts of the quality that will be used; :func:`xdrought.degrade_forcing` makes some.
    quantiles : sequence of float
        Levels between 0 and 1, growing: the network learns these quantiles, which never cross, by the pinball loss, and
        is corrected on the validation part so that each is right as often as it says (conformal, by place, or of all
        places where a place has less than 100 validation days). By default one value.
    split : str, SplitConfig or Splits
        "chronological" parts of each site's days; "spatial_monte_carlo", whole sites held out; a
        :class:`xdrought.SplitConfig` for other shares, another embargo or clusters of sites; or what
        :func:`xdrought.splits.chronological` or :func:`xdrought.splits.spatial_monte_carlo` gave. A held-out site, of
        which nothing is known, takes the mean causality degree of the training sites.
    epochs, batch_size, learning_rate
        Of Adam. The weights of the epoch with the lowest validation loss are kept.
    loss : {"mse", "gaussian_crps"} or callable
        Of scaled values. "mse", the squared error, of quantiles the pinball loss. "gaussian_crps": the network learns
        mean and spread of a normal distribution by its CRPS, and `quantiles` are those of it. A function
        ``loss(prediction, target)`` of torch tensors gives the loss of each target: both are (M,), of quantiles
        prediction is (M, quantile), and so is what it gives, (M,). Targets that are missing never reach it.
    start_from : Forecaster, optional
        Begin with the weights of this one instead of fresh ones, run k with those of its run k: fine-tuning, or
        transfer to other places. Its scaling is used, so drivers, target and units must be the same. Parts of the
        network that do not fit, such as the head where other quantiles are asked for, begin anew with a warning. With
        ``TrainingOptions(freeze=("encoder",))`` parts stay as they are.
    network : callable, optional
        A class of your own, a :class:`torch.nn.Module`, in place of `variant`. It is made with those of the keywords
        ``n_features``, ``n_causal``, ``size``, ``window`` and ``n_leads`` that it takes, anew for each run.
        ``forward(x)`` gives (N,) for scaled windows x (N, window, n_features, size, size); where the class takes
        ``n_leads`` it gives (N, n_leads), a value for each lead; where it takes ``n_causal`` it is
        ``forward(x, causality)`` with causality (N, n_causal). It knows neither `future` nor `quantiles`.
    sampler : {"independent", "consecutive"}
        Which windows meet in a batch: shuffled one by one, as in the paper, or "consecutive" days in blocks, which
        share most of their maps. An epoch of runs costs a fraction of the time and memory where there is a residual
        encoder, and teaches less: with runs give two or three times the epochs.
    training : TrainingOptions, optional
        Options that few need: see :class:`xdrought.TrainingOptions`.
    runs : int
        Networks that differ in their seed only.
    seed : int
        For initial weights, order of the windows and dropout. Run k is the same however many runs there are.
    widths : sequence of int, optional
        Sizes of the network, by default the published ones; see :func:`xdrought.models.build`.
    device : str or torch.device
        "auto", "cpu", "cuda", ...
    checkpoint : str or pathlib.Path, optional
        A file to which the state is written after every epoch and every 100 batches. When it is there, the
        same call goes on from it, and ends, on the same machine, with the same weights; so does one for more epochs,
        where the learning rate is constant. How each run ended is kept beside it, in ``<checkpoint>.run0`` and so on.
    progress : bool
        Show a bar with both losses and the time left; where there is no terminal, a line an epoch on the logger
        ``xdrought``, which goes to stderr unless logging is set up.
    site, lat, lon : hashable, optional
        What the data call these dimensions or coordinates. By default ``site``, ``lat`` and ``lon``, or where these
        are not there, what CF attributes say (``cf_role`` "timeseries_id", ``standard_name`` or ``units``).
    time : hashable
        The time dimension; by default ``time``, or the dimension that is time by its CF attributes.

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
        For settings out of range, data that do not fit, too few windows for training or validation, a checkpoint of
        other settings or data, or a forecaster to start from of other variables or units.

    Warns
    -----
    UserWarning
        For sites without a complete window, for drivers that are constant, and when `start_from` has learnt from days
        that are now test days.

    Notes
    -----
    Scaling and causality see training days only. Under ``torchrun`` the processes train one network together, each
    on its part of every batch, and all return the same Forecaster.

    References
    ----------
    Tang et al. 2025, sections 2 and 3.4.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import fit_resattcaurec, predict
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
    require_torch()
    from xdrought.models.losses import name_of
    from xdrought.models.training import SAMPLERS, TrainingConfig
    from xdrought.models.zoo import architecture, kind_of

    training = TrainingOptions() if training is None else training
    if not isinstance(training, TrainingOptions):
        raise TypeError(f"training is a {type(training).__name__}; give xdrought.TrainingOptions")
    checks.require_integers(epochs=epochs, batch_size=batch_size, runs=runs)
    seed = checks.require_integer(seed, "seed", 0)
    if not learning_rate > 0:
        raise ValueError(f"learning_rate={learning_rate!r}; it must be above 0")
    checks.require_choice(sampler, "sampler", SAMPLERS)
    leads = check_leads(lead) if are_several(lead) else ()
    levels = checks.require_levels(quantiles) if len(quantiles) else ()
    head: dict[str, Any] = {"n_quantiles": len(levels), "normal_levels": _levels_of_normal(loss, levels)}
    head |= {"initial_hidden": training.initial_hidden, "network": network}
    answered = leads or ((1,) if future else ())
    # refuse before long work
    kind = kind_of(architecture(variant, 1, 1, 64, 64, equations, widths, training.dropout, answered, **head))
    device = resolve_device(device)
    target_inputs, missing = checked_target_inputs(target_history, predict_change, latency), checked_missing(missing)
    names_of_dims, time = dimension_names(ds, site, lat, lon), time_name(ds, time)
    if isinstance(ds, xr.Dataset):
        ds = names_of_dims.to_ours(ds)
    causality = None if causality is None else names_of_dims.to_ours(causality)
    if isinstance(split, Splits):
        split = replace(split, ranges=names_of_dims.to_ours(split.ranges))
    windows = driver_inputs.training_windows(
        ds, target, drivers, size, window, lead, time, target_inputs, missing.largest_share
    )
    splits = driver_inputs.splits_on_places(resolve_splits(split, windows, target_inputs.latency, seed), windows.data)
    parts, targets = driver_inputs.learnt_targets(windows, splits, target_inputs)
    _check_parts(parts, splits)
    future = lead_forcing.checked_future(future, driver_inputs.without_history(windows))
    lead_days = LeadDays(leads, future, lead_forcing.kind_of(forcing, future))

    names = [*windows.drivers, target]
    known_units = {name: windows.data[name].attrs.get("units") for name in names}
    if start_from is None:
        learnt = driver_inputs.learnt_data(windows, target_inputs)
        scaling = fit_scaling(learnt, names, train=_days_of_scaling(training, splits, windows.data[time]))
        scaling = scaling if training.scale_target else scaling.without(target)
    else:
        require_same_variables(start_from, windows, target, target_inputs, missing, known_units)
        warn_of_known_test_days(start_from, splits)
        scaling = start_from.scaling
    degree, vectors = None, None
    if kind.causal:
        degree = driver_inputs.training_causality(windows, splits) if causality is None else causality
        vectors = driver_inputs.causality_of_places(windows, degree)
    n_causal = 0 if vectors is None else vectors.shape[1]
    spec = architecture(
        variant,
        len(windows.drivers) * (2 if missing.is_used else 1),  # a mask for each
        n_causal,
        windows.size,
        windows.window,
        equations,
        widths,
        training.dropout,
        windows.leads if windows.several or future else (),
        tuple(windows.drivers.index(name) for name in future),
        **head,
    )

    config = TrainingConfig(
        int(epochs),
        int(batch_size),
        float(learning_rate),
        sampler,
        training.block_length,
        training.mixed_precision,
        training.compile,
        quantiles=levels,
        keep=training.keep,
        weight_decay=training.weight_decay,
        clip=training.clip,
        schedule=training.schedule,
        patience=training.patience,
        loss=loss,
        freeze=tuple(training.freeze),
    )
    settings = {
        name: getattr(config, name) for name in ("epochs", "batch_size", "learning_rate", "sampler", "block_length")
    }
    settings |= (
        names_of_dims.stored()
        | {"seed": seed, "loss": loss if isinstance(loss, str) else name_of(loss)}
        | {f"{part}_windows": len(index) for part, index in parts.items()}
        | ({} if start_from is None else {"start_from": digest_of_start(start_from)})
    )
    join_processes(device)
    scaled = windows.with_data(scaling.apply(windows.data))
    usual = fit_usual_year(scaled, splits.training_days(scaled.data[time])) if missing.is_used else None
    shards = Shards(
        scaled,
        vectors,
        parts,
        device,
        training.sites_in_memory,
        targets=None if targets is None else scaling.forward_values(targets, target),
        weather=lead_forcing.resolve(forcing, lead_days, windows, known_units, scaling, splits),
        by_lead=bool(spec.leads),
        filling=resolve_filling(missing, usual, scaled),
    )
    with _usual_torch(), lock_of(checkpoint):
        histories = train_members(
            spec,
            shards,
            config,
            int(runs),
            seed,
            progress=progress,
            checkpoint=checkpoint,
            start=() if start_from is None else start_from.weights,
            losses=training.losses,
            tensorboard=training.tensorboard,
        )
    forecaster = Forecaster(
        architecture=spec,
        weights=tuple(run.weights for run in histories),
        features=windows.drivers,
        target=target,
        units=known_units,
        target_attrs=dict(windows.data[target].attrs),
        lead=windows.lead,
        scaling=scaling,
        causality=degree,
        splits=splits,
        history=history_of(histories),
        settings=settings,
        target_inputs=target_inputs,
        steps=driver_inputs.grid_steps(windows),
        ahead=lead_days,
        quantiles=levels,
        missing=missing,
        usual_year=usual,
    )
    if not levels:
        return forecaster
    places = ds if windows.on_grid or SITE not in ds.indexes else ds.sel({SITE: windows.data.indexes[SITE]})
    with limits.set_options(check_limits=False):  # corrections are added before a forecast is limited
        raw = predict(places, forecaster, causality=degree, forcing=forcing, device=device)[target]
    observed = ds[target].transpose(..., time)
    return replace(forecaster, conformal=conformal.corrections(raw, observed, time))


def _levels_of_normal(loss: Any, levels: tuple[float, ...]) -> tuple[float, ...]:
    """The levels, where the network learns a normal distribution."""
    if not callable(loss):
        checks.require_choice(loss, "loss", LOSSES)
    if callable(loss) or loss != "gaussian_crps":
        return ()
    if len(levels) < 2:
        raise ValueError(
            f"loss='gaussian_crps' with quantiles={levels}; the forecast is a distribution, say which quantiles of it "
            f"are wanted, two or more: quantiles=(0.05, 0.5, 0.95)"
        )
    return levels


@contextmanager
def _usual_torch() -> Iterator[None]:
    """Networks of float32 that can learn, whatever default type and gradient mode the caller has set."""
    import torch

    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(default)


def _days_of_scaling(training: TrainingOptions, splits: Splits, days: xr.DataArray) -> xr.DataArray:
    """True on the days whose mean and spread scale."""
    if training.scaling_period is None:
        return splits.training_days(days)
    first, last = (np.datetime64(day) for day in training.scaling_period)
    inside = (days >= first) & (days <= last)
    if not bool(inside.any()):
        raise ValueError(f"scaling_period={training.scaling_period!r} holds no day of the data; give another")
    return inside


def _check_parts(parts: dict[str, np.ndarray], splits: Splits) -> None:
    """Training needs windows, and so does the choice of the best epoch."""
    for part in ("train", "val"):
        if not len(parts[part]):
            counts = {name: len(index) for name, index in parts.items()}
            raise ValueError(
                f"no window is left for {part!r} ({counts}, embargo {splits.embargo}); "
                f"the record is too short: give longer records, other fractions, or a smaller embargo"
            )
