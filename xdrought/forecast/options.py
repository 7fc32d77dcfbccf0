"""Options that few need, passed whole: of a training, of missing inputs, and of what lead days and target may tell."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import checks
from xdrought.choices import Keep, Loss, MissingPolicy, Schedule
from xdrought.shown import ShownAsCall

__all__ = ["MissingInputs", "TrainingOptions"]

SCHEDULES = get_args(Schedule)
LOSSES = get_args(Loss)


@dataclass(frozen=True, repr=False)
class TrainingOptions(ShownAsCall):
    """What :func:`xdrought.fit_resattcaurec` takes as `training`, beside its everyday keywords.

    Parameters
    ----------
    block_length : int
        Windows of a block of the "consecutive" sampler.
    dropout : float, optional
        Share of h and c that is dropped at each step of the recurrence; by default 0 for ``equations="paper"`` and 0.2
        for "released".
    mixed_precision, compile : bool
        Compute in bfloat16 where torch's autocast does, and compile the encoder; used on a GPU only.
    keep : {"best", "last"}
        Which weights are kept: those of the epoch with the lowest validation loss, or of the last epoch, as in the
        released code.
    scale_target : bool
        Whether the target is scaled like the drivers. The paper scales the inputs and says nothing of the target.
    scaling_period : (str, str), optional
        First and last day of the statistics that scale; the training part by default. The released code takes those of
        the year 1991.
    initial_hidden : int, optional
        Units of a hidden layer between the causality degree and c_0 ("MLP" in Eq. 6). By default there is none, as in
        the released code and in the published number of parameters.
    weight_decay : float
        Of Adam: this share of each weight is added to its gradient.
    clip : float, optional
        Longest gradient of a step; a longer one is shortened to it.
    schedule : {"constant", "cosine"}
        Whether the learning rate stays, or falls along half a cosine to 0 at the last step.
    patience : int, optional
        End a training after so many epochs without a lower validation loss; by default all epochs are done.
    losses : str or pathlib.Path, optional
        A csv file of both losses of each run and epoch, written anew after every epoch.
    tensorboard : str or pathlib.Path, optional
        A folder for TensorBoard, which gets both losses of each run as they come; needs the package tensorboard.
    freeze : sequence of str
        Parts of the network whose weights stay as they are, by the names of torch's modules: "encoder", "recurrence"
        and "head", or a part of them, "encoder.stem". Their batch normalisation keeps its statistics.
    sites_in_memory : int, optional
        Number of sites whose days are held at a time, for data that are larger than memory (dask or zarr behind).
        Batches are made of the sites that are there; they take turns in an order that is drawn anew in each epoch.

    Raises
    ------
    FileNotFoundError
        When there is no folder for `losses`.
    ModuleNotFoundError
        For `tensorboard` without the package.
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> from xdrought import TrainingOptions
    >>> TrainingOptions(sites_in_memory=20).block_length
    16
    """

    block_length: int = 16
    dropout: float | None = None
    mixed_precision: bool = False
    compile: bool = False
    keep: Keep = "best"
    scale_target: bool = True
    scaling_period: tuple[str, str] | None = None
    initial_hidden: int | None = None
    sites_in_memory: int | None = None
    weight_decay: float = 0.0
    clip: float | None = None
    schedule: Schedule = "constant"
    patience: int | None = None
    losses: str | Path | None = None
    tensorboard: str | Path | None = None
    freeze: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.freeze, str) or not all(isinstance(name, str) for name in self.freeze):
            raise TypeError(f"freeze={self.freeze!r}; give names of parts of the network, e.g. freeze=('encoder',)")
        if self.tensorboard is not None and find_spec("tensorboard") is None:
            raise ModuleNotFoundError(
                f"tensorboard={str(self.tensorboard)!r} needs the package of that name: pip install tensorboard, "
                f"or give losses='losses.csv'"
            )
        checks.require_integer(self.block_length, "block_length")
        checks.require_choice(self.keep, "keep", get_args(Keep))
        if self.initial_hidden is not None:
            checks.require_integer(self.initial_hidden, "initial_hidden")
        if self.sites_in_memory is not None:
            checks.require_integer(self.sites_in_memory, "sites_in_memory")
        if self.patience is not None:
            checks.require_integer(self.patience, "patience", of="epochs")
        checks.require_choice(self.schedule, "schedule", SCHEDULES)
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay={self.weight_decay!r}; it is a number, 0 or more")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip={self.clip!r}; it is a length above 0")
        if self.losses is not None and not Path(self.losses).absolute().parent.is_dir():
            raise FileNotFoundError(f"losses {self.losses} is in no folder; make {Path(self.losses).parent} first")


# what is done about missing inputs

NONE: Literal["none"] = "none"


@dataclass(frozen=True, repr=False)
class MissingInputs(ShownAsCall):
    """What :func:`xdrought.fit_resattcaurec` takes as `missing`, where the name of a policy is not enough.

    Parameters
    ----------
    policy : {"none", "last", "climatology", "interpolate"}
        "none": a window that lacks a value gives no forecast, as in the paper. Otherwise missing values of drivers, the
        target's own past among them, are filled from nothing but the window and the usual year, and a mask of what was
        observed is one more input for each driver. "last": the value of the day before, or of the last day before
        it that the window has. "interpolate": on a straight line between the days before and after it in the window;
        at the window's ends, so on the day of issue too, the nearest value. "climatology": the usual value of the day
        of the year at the place, a mean and two harmonics of its training days, which the others take where the window
        has nothing else. The target that is learnt is never filled.
    max_filled : float
        Largest share of a window's values (days times drivers) that may be filled; a window that lacks more gives no
        forecast.
    driver_dropout : float
        Share of days and drivers that is taken out of the windows of a training, drawn anew in each epoch, so that
        the network learns what the mask means. Without it a network trained on complete records has never seen a
        filled value.

    Raises
    ------
    ValueError
        For an unknown policy, or shares out of range.

    References
    ----------
    Gauch et al. 2025, doi:10.5194/hess-29-6221-2025, compare ways to deal with missing inputs of such networks.

    Examples
    --------
    >>> from xdrought import MissingInputs
    >>> MissingInputs("interpolate", max_filled=0.5).driver_dropout
    0.05
    """

    policy: MissingPolicy = NONE
    max_filled: float = 0.25
    driver_dropout: float = 0.05

    def __post_init__(self) -> None:
        checks.require_choice(self.policy, "missing", get_args(MissingPolicy))
        for name in ("max_filled", "driver_dropout"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
                raise ValueError(f"{name}={share!r}; it is a share, 0 or more and below 1")

    @property
    def is_used(self) -> bool:
        """Whether windows with missing values are filled."""
        return self.policy != NONE

    @property
    def largest_share(self) -> float:
        """Largest share of a window that may be missing."""
        return self.max_filled if self.is_used else 0.0

    def describe(self) -> str:
        """What is done, in words."""
        if not self.is_used:
            return "no forecast where one is missing"
        return f"{self.policy}, up to {self.max_filled:.0%} of a window; drop-out {self.driver_dropout:g} in training"


def checked_missing(missing: MissingPolicy | MissingInputs) -> MissingInputs:
    """A policy by its name, or options as they are.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For an unknown policy.
    """
    if isinstance(missing, MissingInputs):
        return missing
    if not isinstance(missing, str):
        raise TypeError(f"missing is a {type(missing).__name__}; give the name of a policy or xdrought.MissingInputs")
    return MissingInputs(missing)


# what a network is asked about the lead days, and where it has their weather from

OBSERVED, CLIMATOLOGY, FORECASTS = "observed", "climatology", "forecasts"
WORDS = {
    NONE: "none: the weather of the lead days is not used",
    OBSERVED: "observed weather of the lead days (perfect prognosis): an upper bound of what a forecast can give",
    CLIMATOLOGY: "weather of the same season in the training years, one member for each year",
    FORECASTS: "weather forecasts",
}


@dataclass(frozen=True)
class LeadDays:
    """What a network is asked about the lead days, and what it is told of them.

    Parameters
    ----------
    leads : tuple of int
        The leads of a forecast for several; none where there is one.
    future : tuple of hashable
        Drivers that are known for the lead days.
    forcing : {"none", "observed", "climatology", "forecasts"}
        Where their values came from in training.
    """

    leads: tuple[int, ...] = ()
    future: tuple[Hashable, ...] = ()
    forcing: str = NONE


@dataclass(frozen=True)
class TargetInputs:
    """Which observations of the target a network uses; by default none, as in the paper.

    Parameters
    ----------
    history : bool
        The target's own past is one more driver.
    change : bool
        The network learns the change from the last known observation to the forecast day.
    latency : int
        Days until an observation is reported: on the day of issue the observation of `latency` days before is the last
        one that is known.
    """

    history: bool = False
    change: bool = False
    latency: int = 0

    @property
    def is_used(self) -> bool:
        """Whether the network uses any observation of the target."""
        return self.history or self.change

    def describe(self) -> str:
        """What is used, in words."""
        uses = ["as a driver"] * self.history + ["as the value that a change is added to"] * self.change
        return f"{' and '.join(uses)}, reported after {self.latency} days" if uses else "not used"


NO_TARGET_INPUTS = TargetInputs()


def checked_target_inputs(history: bool, change: bool, latency: int) -> TargetInputs:
    """The keywords of a training as a checked value.

    Raises
    ------
    ValueError
        For values of another kind, or a latency of observations that are not used.
    """
    for name, value in (("target_history", history), ("predict_change", change)):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name}={value!r}; it is True or False")
    target_inputs = TargetInputs(bool(history), bool(change), checks.require_integer(latency, "latency", 0, of="days"))
    if target_inputs.latency and not target_inputs.is_used:
        raise ValueError(
            f"latency={latency} says how late observations arrive, but none are used; "
            f"use target_history=True or predict_change=True, or leave latency out"
        )
    return target_inputs


def history_name(target: Hashable) -> str:
    """Name of the driver that holds the target's past."""
    return f"{target}_history"


def known_before(observed: xr.DataArray, days: int, time: Hashable) -> xr.DataArray:
    """On each day of the record the observation of `days` days before, NaN where there is none."""
    checks.require_dim(observed, time)
    later = observed.assign_coords({time: _days_later(observed, days, time)})
    return later.reindex({time: observed[time]})


def known_on(observed: xr.DataArray, days: int, times: pd.Index, time: Hashable) -> xr.DataArray:
    """The observation of `days` days before each of the days `times`."""
    later = observed.assign_coords({time: _days_later(observed, days, time)})
    return later.reindex({time: times})


def with_history(ds: xr.Dataset, target: Hashable, target_inputs: TargetInputs, time: Hashable) -> xr.Dataset:
    """`ds` with the driver that holds on each day the observation that is then the last reported one."""
    name = history_name(target)
    if name in ds.variables:
        raise ValueError(f"{name!r} is what target_history=True adds; rename the variable of that name")
    attrs = {**ds[target].attrs, "long_name": f"{ds[target].attrs.get('long_name', target)}, as reported on the day"}
    return ds.assign({name: known_before(ds[target], target_inputs.latency, time).assign_attrs(attrs)})


def _days_later(da: xr.DataArray, days: int, time: Hashable) -> pd.Index:
    checks.days_since_start(da, time)  # refuse what is not dates
    return da.indexes[time] + pd.Timedelta(days=days)
