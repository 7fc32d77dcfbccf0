"""The paper's network as a discrete-time hazard model: how probable an onset is on each lead day, given none before.

The window of days is read once, and the recurrence goes on over the lead days. After each of them the head gives the
log odds of the hazard h_k. P(onset within k days) = 1 - (1 - h_1) ... (1 - h_k), which never falls with k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, cast, get_args

import numpy as np
import xarray as xr

from xdrought import checks
from xdrought.choices import HazardVariant
from xdrought.devices import copied_to, require_torch, resolve_device, with_gradients
from xdrought.forecast.blocks import gpu_lock
from xdrought.forecast.ensemble import seed_of_run
from xdrought.forecast.onset.predictors import OnsetTask, names_ahead
from xdrought.forecast.onset.training_days import TrainingDays

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from xdrought.models.batches import Batch
    from xdrought.models.zoo import Architecture
    from xdrought.windows.tensors import LeadWeather, ResidentCube

VARIANTS = get_args(HazardVariant)
LARGEST = 10.0  # standard deviations: inputs beyond are taken for this


def days_at_risk(labels: np.ndarray) -> np.ndarray:
    """What happened on each lead day that is at risk: 1 an onset, 0 none; NaN on the other lead days.

    A lead day is at risk when no onset came before it. Those after the first onset are not, and those from the first
    day on that cannot be told are censored: the days before them count all the same. A day in a drought is at risk, for
    it is certain that nothing begins on it; the state of the soil tells the network so.

    Parameters
    ----------
    labels : numpy.ndarray
        (..., lead): whether an onset falls within the first 1, 2, ... lead days; 1, 0, or NaN where it cannot be told.

    Returns
    -------
    numpy.ndarray
        float32 (..., lead).
    """
    none_before = np.concatenate([np.ones_like(labels[..., :1], bool), labels[..., :-1] == 0], axis=-1)
    return np.where(none_before, labels, np.nan).astype(np.float32)


def within_leads(hazards: np.ndarray) -> np.ndarray:
    """P(onset within the first 1, 2, ... lead days) from the log odds of the hazard of each lead day, (..., lead)."""
    return -np.expm1(-np.cumsum(np.logaddexp(0.0, hazards), axis=-1))


@dataclass(frozen=True, eq=False)
class HazardNetwork:
    """Fitted networks that give the log odds of the hazard of each lead day; plain arrays.

    Parameters
    ----------
    variant, widths, window
        See :class:`Hazard`.
    lead : int
        Lead days L.
    future : tuple of int
        Positions of the F inputs of a day that are known for the lead days, too.
    epochs : int
        Passes over the training days after which the weights were best.
    mean, std : numpy.ndarray
        (D,) of the inputs of a day; a missing input counts as its mean.
    weights : numpy.ndarray
        float32 (run, parameter), the tensors of each network one after the other.
    device : str
        Where it computes.
    """

    variant: HazardVariant
    widths: tuple[int, ...]
    window: int
    lead: int
    future: tuple[int, ...]
    epochs: int
    mean: np.ndarray
    std: np.ndarray
    weights: np.ndarray
    device: str = "auto"

    def hazards(self, days: np.ndarray, ahead: np.ndarray | None, chosen: np.ndarray) -> np.ndarray:
        """Log odds of the hazards after the days chosen, float64 (n, member, lead), the mean hazard of the runs.

        Parameters
        ----------
        days : numpy.ndarray
            (places, time, D) inputs of each day.
        ahead : numpy.ndarray or None
            (places, time, member, lead, F) those known for the lead days.
        chosen : numpy.ndarray
            bool (places, time).
        """
        require_torch()
        from xdrought.models.batches import run
        from xdrought.models.zoo import network_of

        if not chosen.any():
            return np.empty((0, 1 if ahead is None else ahead.shape[2], self.lead))
        where, result = resolve_device(self.device), []
        with gpu_lock(where):
            windows, weather = self.windows(days, chosen, where), self.weather(ahead, where)
            for weights in self.weights:
                network = network_of(self.architecture, self._tensors(weights), where)
                result.append(run(network, windows, None, ahead=weather).numpy().astype(np.float64))
        if len(result) == 1:
            return result[0]
        hazard = np.mean([1 / (1 + np.exp(-one)) for one in result], axis=0)
        return np.log(hazard) - np.log1p(-hazard)

    def margins_of(self, days: TrainingDays, chosen: np.ndarray) -> np.ndarray:
        """Log odds of the hazards of the days chosen, (n, lead)."""
        return self.hazards(*_arrays(days, self.mean.size, len(self.future), self.lead), chosen)[:, 0]

    @property
    def architecture(self) -> Architecture:
        """The network of the paper that goes on over the lead days."""
        from xdrought.models.zoo import architecture

        leads, n_inputs = tuple(range(1, self.lead + 1)), self.mean.size
        return architecture(self.variant, n_inputs, 1, 1, self.window, "paper", self.widths, None, leads, self.future)

    def windows(self, days: np.ndarray, chosen: np.ndarray, where: torch.device) -> ResidentCube:
        """The windows that end with the days chosen, scaled; days before the record count as missing."""
        import torch

        from xdrought.windows.tensors import ResidentCube

        scaled = self._scaled(days, slice(None))
        before = np.zeros((len(scaled), self.window - 1, scaled.shape[2]), np.float32)
        cube = torch.from_numpy(np.concatenate([before, scaled], axis=1)[..., None, None])
        cell, start = (torch.from_numpy(at) for at in np.nonzero(chosen))
        return ResidentCube(cube.to(where), cell.to(where), start.to(where), None, self.window, 1)

    def weather(self, ahead: np.ndarray | None, where: torch.device) -> LeadWeather | None:
        """What is known of the lead days, scaled, by the day of the window's last day in :meth:`windows`."""
        import torch

        from xdrought.windows.tensors import of_forecasts

        if ahead is None:
            return None
        scaled = self._scaled(ahead, list(self.future))
        before = np.zeros((len(scaled), self.window - 1, *scaled.shape[2:]), np.float32)
        return of_forecasts(torch.from_numpy(np.concatenate([before, scaled], axis=1)).to(where))

    def _scaled(self, values: np.ndarray, at: slice | list[int]) -> np.ndarray:
        """Departures from the mean in standard deviations, 0 where missing; the last axis is `at` of the inputs."""
        scaled = (values - self.mean[at].astype(np.float32)) / self.std[at].astype(np.float32)
        return np.nan_to_num(np.clip(scaled, -LARGEST, LARGEST)).astype(np.float32)

    def _tensors(self, weights: np.ndarray) -> dict[str, Tensor]:
        """The tensors of one network by name."""
        import torch

        from xdrought.models.zoo import unfilled

        result, first = {}, 0
        for name, like in unfilled(self.architecture).state_dict().items():
            part = weights[first : first + like.numel()]
            result[name] = torch.from_numpy(part.copy()).view(like.shape).to(like.dtype)
            first += like.numel()
        return result

    def to_dataset(self) -> xr.Dataset:
        single = {name: getattr(self, name) for name in ("variant", "window", "lead", "epochs", "device")}
        arrays = {
            "widths": ("layer", np.array(self.widths, np.int64)),
            "is_future": ("input", np.isin(np.arange(self.mean.size), self.future).astype(np.int64)),
            "mean": ("input", self.mean),
            "std": ("input", self.std),
            "weights": (("run", "parameter"), self.weights),
        }
        return xr.Dataset({**single, **arrays})

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> HazardNetwork:
        return cls(
            variant=cast(HazardVariant, str(ds["variant"].item())),
            widths=tuple(ds["widths"].to_numpy().tolist()),
            window=int(ds["window"]),
            lead=int(ds["lead"]),
            future=tuple(np.flatnonzero(ds["is_future"].to_numpy()).tolist()),
            epochs=int(ds["epochs"]),
            mean=ds["mean"].to_numpy(),
            std=ds["std"].to_numpy(),
            weights=ds["weights"].to_numpy(),
            device=str(ds["device"].item()),
        )

    def check(self, n_inputs: int) -> None:
        """Raise when the inputs are others."""
        own = self.mean.size + len(self.future) * self.lead
        if {own, self.std.size + len(self.future) * self.lead} != {n_inputs}:
            raise ValueError(f"the network reads {own} inputs, and there are {n_inputs}")


@dataclass(frozen=True)
class Hazard:
    """Settings of the hazard network, which gives P(onset) for every lead from one fit.

    Parameters
    ----------
    variant : {"Rec", "ResRec", "ResAttRec", "AttRec"}
        The paper's recurrence alone ("Rec"), or with an encoder of each day's inputs before it; see
        :func:`xdrought.models.build`.
    widths : tuple of int
        Units of the recurrent layers, and channels of the encoder's stages.
    window : int
        Days up to the day of issue that are read, each with its state, season and weather.
    epochs, batch_size, learning_rate, dropout
        Of Adam, whose rate falls as a cosine. The weights of the epoch with the lowest loss on the validation part are
        kept.
    runs : int
        Networks that differ in their seed only; their hazards are averaged.
    device : str
        "auto", "cpu", "cuda", ...
    """

    variant: HazardVariant = "Rec"
    widths: tuple[int, ...] = (32,)
    window: int = 1
    epochs: int = 8
    batch_size: int = 512
    learning_rate: float = 2e-3
    dropout: float = 0.0
    runs: int = 1
    device: str = "auto"

    by_lead_day: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.require_integers(window=self.window, epochs=self.epochs, batch_size=self.batch_size, runs=self.runs)
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate={self.learning_rate!r}; it must be above 0")
        checks.require_choice(self.variant, "variant", VARIANTS)

    def like(self, fitted: HazardNetwork) -> Hazard:
        """The settings of one network trained for as many epochs as served a fitted one best."""
        return replace(self, epochs=fitted.epochs, runs=1)

    def learnable(self, days: TrainingDays, part: str) -> np.ndarray:
        """bool (places, time): days of a part of which at least the first lead day is told."""
        return days.days[part] & np.isfinite(days.labels[..., 0])

    def outcomes(self, days: TrainingDays, chosen: np.ndarray) -> np.ndarray:
        """What happened on the lead days at risk, (n, lead); see ``days_at_risk``."""
        return days_at_risk(days.labels[chosen])

    @with_gradients
    def fit_days(
        self, days: TrainingDays, learned: np.ndarray, validated: np.ndarray, task: OnsetTask, seed: int
    ) -> HazardNetwork:
        """Networks trained on the days `learned`; of the best epoch on those `validated`, of the last without any."""
        import torch

        from xdrought.models.training import Training, TrainingConfig
        from xdrought.models.zoo import build_architecture

        network = self._unfitted(days, learned, task)
        windows = DayWindows(network, days, learned, validated, resolve_device(self.device))
        config = TrainingConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
            clip=1.0,
            loss="survival",
            keep="best" if validated.any() else "last",
        )
        spec = replace(network.architecture, dropout=self.dropout)
        weights, best = [], []
        for k in range(self.runs):
            own_seed = seed_of_run(seed, k)
            untrained = build_architecture(spec, torch.Generator().manual_seed(own_seed))
            start_at_base_rate(untrained, windows.base_rate)
            history = Training(untrained.to(windows.device), [windows], config, own_seed).run()
            weights.append(np.concatenate([one.numpy().ravel().astype(np.float32) for one in history.weights.values()]))
            best.append(1 + (history.best_epoch if validated.any() else self.epochs - 1))
        return replace(network, weights=np.stack(weights), epochs=int(np.median(best)))

    def _unfitted(self, days: TrainingDays, learned: np.ndarray, task: OnsetTask) -> HazardNetwork:
        """The networks without weights, with the scaling of the days learned from."""
        names = [name for name in days.inputs if name not in set(names_ahead(task))]
        mean, std = np.zeros(len(names)), np.ones(len(names))
        for k, name in enumerate(names):
            values = days.inputs[name][learned].astype(np.float64)
            values = values[np.isfinite(values)]
            if values.size:
                mean[k], std[k] = values.mean(), values.std() or 1.0
        future = tuple(names.index(str(name)) for name in task.future)
        none = np.empty((0, 0), np.float32)
        sizes = (self.variant, tuple(self.widths), self.window, task.lead, future, self.epochs)
        return HazardNetwork(*sizes, mean, std, none, self.device)


class DayWindows:
    """The windows of the days of a training, in memory; :class:`xdrought.models.batches.Shard`."""

    def __init__(
        self,
        network: HazardNetwork,
        days: TrainingDays,
        learned: np.ndarray,
        validated: np.ndarray,
        where: torch.device,
    ):
        import torch

        used, self.device = learned | validated, where
        inputs, ahead = _arrays(days, network.mean.size, len(network.future), network.lead)
        at_risk = days_at_risk(days.labels[used])
        windows = network.windows(inputs, used, where)
        # batches are put together on the CPU, while a GPU computes
        self.windows = replace(windows, cell=windows.cell.cpu(), start=windows.start.cpu())
        self.target = torch.from_numpy(at_risk).to(where)
        self.ahead = network.weather(ahead, where)
        self.cell, self.start = self.windows.cell, self.windows.start
        self.train, val = (torch.from_numpy(np.flatnonzero(part[used])) for part in (learned, validated))
        self.val = val if len(val) else self.train[:512]  # not looked at where the last epoch is kept
        self.base_rate = float(np.nanmean(at_risk[learned[used]]))

    def batch(self, index: Tensor, seed: int = 0, learning: bool = False) -> Batch:
        """The windows at positions `index`; `seed` draws the member of the weather of their lead days."""
        from xdrought.models.batches import Batch

        days, target = self.windows.days(index), self.target[copied_to(index, self.device)]
        if self.ahead is None:
            return Batch(*days, None, target)
        cell, start = (copied_to(each[index], self.device) for each in (self.cell, self.start))
        return Batch(*days, None, target, self.ahead.draw(cell, start + self.windows.window - 1, seed))


def _arrays(days: TrainingDays, n_inputs: int, n_future: int, lead: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(places, time, D) the inputs of each day, and (places, time, 1, lead, F) those known ahead."""
    values = np.stack(list(days.inputs.values()), axis=-1)
    return values[..., :n_inputs], by_lead_day(values[..., None, n_inputs:], n_future, lead)


def by_lead_day(ahead: np.ndarray, n_future: int, lead: int) -> np.ndarray | None:
    """Inputs known ahead in the order of :func:`names_ahead`, (..., F * lead), as (..., lead, F); None without any."""
    if not n_future:
        return None
    return np.ascontiguousarray(np.swapaxes(ahead.reshape(*ahead.shape[:-1], n_future, lead), -1, -2))


def start_at_base_rate(network: torch.nn.Module, base_rate: float) -> None:
    """Let a network with fresh weights begin with about the hazard of all days."""
    import torch

    with torch.no_grad():
        network.get_parameter("head.1.bias").fill_(np.log(base_rate / (1 - base_rate)))
