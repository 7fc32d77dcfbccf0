"""A trained network with everything that its use needs: a value that can be saved, read back and checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import checks, shown
from xdrought.devices import require_torch
from xdrought.forecast import forecaster_file
from xdrought.forecast.forecaster_file import labelled_dataset, plain_attrs, plain_dataset
from xdrought.forecast.missing_inputs import COEFFICIENT, N_COEFFICIENTS
from xdrought.forecast.options import (
    NO_TARGET_INPUTS,
    NONE,
    WORDS,
    LeadDays,
    MissingInputs,
    TargetInputs,
    checked_target_inputs,
    history_name,
)
from xdrought.public_functions import public
from xdrought.scaling import Scaling
from xdrought.splits import PARTS, Splits

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from xdrought.models import Architecture

__all__ = ["Forecaster", "load_forecaster"]


@dataclass(frozen=True, eq=False, repr=False)
class Forecaster:
    """What :func:`xdrought.fit_resattcaurec` gives and :func:`xdrought.predict` takes.

    Attributes
    ----------
    architecture : xdrought.models.Architecture
        Variant, sizes, equations.
    weights : tuple of dict
        The best epoch's weights of each run, on the CPU.
    features : tuple of str
        Drivers in the order of the network's inputs.
    target : str
        The forecast variable.
    units : mapping
        Units of drivers and target in training, None where there were none.
    target_attrs : mapping
        Attributes of the target.
    lead : int
        Days from the last input day to the forecast day, of several leads the longest.
    scaling : xdrought.scaling.Scaling
        Of the training part; with ``target_inputs.change`` that of the target is of its change.
    causality : xarray.Dataset or None
        `rho` and `p_value` of the training part on the places, `variable` and `cell`.
    splits : xdrought.splits.Splits
        Date ranges of training, validation and test targets.
    history : xarray.Dataset
        `train_loss` and `val_loss` on (run, epoch), of scaled values, and the `best_epoch` of each run.
    settings : mapping
        Epochs, batch size, learning rate, seed, and how many windows each part had.
    target_inputs : xdrought.forecast.options.TargetInputs
        What the network knows of the target's own past, nothing by default.
    steps : mapping
        Degrees of `lat` and `lon` from one cell of a patch to the next, where they are known.
    ahead : xdrought.forecast.options.LeadDays
        The leads of a forecast for several, and the drivers known for the lead days.
    quantiles : tuple of float
        Levels of the quantiles that are forecast; none where it is one value.
    conformal : xarray.Dataset or None
        What is added to the quantiles, in units of the target: by place, and of all places, from the validation part.
    missing : xdrought.MissingInputs
        What is done about missing inputs.
    usual_year : xarray.DataArray or None
        What they are filled from: a mean and two harmonics of the scaled training days of each driver and place.
    """

    architecture: Architecture
    weights: tuple[Mapping[str, Tensor], ...]
    features: tuple[Hashable, ...]
    target: Hashable
    units: Mapping[Hashable, str | None]
    target_attrs: Mapping[str, Any]
    lead: int
    scaling: Scaling
    causality: xr.Dataset | None
    splits: Splits
    history: xr.Dataset
    settings: Mapping[str, Any]
    target_inputs: TargetInputs = NO_TARGET_INPUTS
    steps: Mapping[str, float] = field(default_factory=dict)
    ahead: LeadDays = LeadDays()
    quantiles: tuple[float, ...] = ()
    conformal: xr.Dataset | None = None
    missing: MissingInputs = MissingInputs()
    usual_year: xr.DataArray | None = None

    @property
    def leads(self) -> tuple[int, ...]:
        """Every lead in days; one where it is single."""
        return self.ahead.leads or (self.lead,)

    def windows_lead(self) -> int | tuple[int, ...]:
        """The lead as windows take it: several as a sequence."""
        return self.ahead.leads or self.lead

    def require_one_lead(self, what: str) -> None:
        """Raise unless this is a forecaster of the paper's kind, one lead without weather of the lead days."""
        if self.architecture.leads or self.quantiles:
            raise ValueError(
                f"{what} is made for one value at one lead without weather of the lead days, this forecaster has leads "
                f"{self.leads}, future={list(self.ahead.future)} and quantiles={self.quantiles}; train one with "
                f"lead={self.lead} and without future= and quantiles="
            )

    def require_complete_inputs(self, what: str) -> None:
        """Raise where missing inputs are filled, and masks stand beside the drivers."""
        if self.missing.is_used:
            raise ValueError(
                f"{what} explains complete windows, this forecaster fills missing inputs (missing="
                f'{self.missing.policy!r}) and reads a mask beside each driver; train one with missing="none"'
            )

    @property
    def drivers(self) -> tuple[Hashable, ...]:
        """The features without the target's own past."""
        return tuple(
            name for name in self.features if not (self.target_inputs.history and name == history_name(self.target))
        )

    @property
    def variant(self) -> str:
        return self.architecture.variant

    @property
    def window(self) -> int:
        return self.architecture.window

    @property
    def size(self) -> int:
        return self.architecture.size

    @property
    def runs(self) -> int:
        return len(self.weights)

    def network(self, run: int = 0, device: str | device = "cpu") -> nn.Module:
        """The trained network of one run, in evaluation mode."""
        from xdrought.models.zoo import network_of

        return network_of(self.architecture, self.weights[run], device)

    def save(self, path: str | Path) -> None:
        """Write to one file: labels, scaling, causality and weights, without pickle.

        Parameters
        ----------
        path : str or pathlib.Path
            The file, by custom ``*.xdrought``. It is replaced only when the new one is complete.

        See Also
        --------
        xdrought.load_forecaster
        """
        names = [*self.features, self.target]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"the names {names} are not all text; rename the variables and train again")
        forecaster_file.write_file(Path(path), _to_plain(self), self.weights)

    def describe(self) -> str:
        """Variant, equations and number of runs in words."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return f"{self.variant} ({self.architecture.equations}), {runs}"

    def __repr__(self) -> str:
        return shown.as_text(f"xdrought.Forecaster {self.describe()}", self._facts())

    def _repr_html_(self) -> str:
        """What notebooks show: the same as the text, and the losses of every run behind a triangle."""
        losses = self.history[["train_loss", "val_loss"]].to_dataframe().unstack("run").to_html(border=0)
        more = f"<details><summary>history</summary>{losses}</details>"
        return shown.as_html(f"xdrought.Forecaster {self.describe()}", self._facts(), more=more)

    def _facts(self) -> dict[str, str]:
        """What it forecasts, from what, and how well, in words."""
        spec, best = self.architecture, self.history.val_loss.min("epoch").values
        counts = ", ".join(f"{self.settings.get(f'{part}_windows', '?')} {part}" for part in PARTS)
        units = self.units.get(self.target)
        numbers = sum(tensor.numel() for tensor in self.weights[0].values())
        return {
            "target": f"{self.target}{f' ({units})' if units else ''}, {', '.join(map(str, self.leads))} days ahead",
            "inputs": f"{spec.window} days x {len(self.features)} drivers x {self.size} x {self.size} cells",
            "drivers": ", ".join(map(str, self.features)),
            "own past": self.target_inputs.describe(),
            "missing": self.missing.describe(),
            "ahead": f"{', '.join(map(str, self.ahead.future)) or 'nothing known'}; {WORDS[self.ahead.forcing]}",
            "windows": f"{counts}; embargo {self.splits.embargo} days",
            "network": f"widths {spec.widths}, {numbers:,} numbers",
            "best loss": f"{', '.join(f'{loss:.4g}' for loss in best)} in validation (target: variance 1)",
        }


@public
def load_forecaster(path: str | Path, *, network: Callable[..., nn.Module] | None = None) -> Forecaster:
    """Read a forecaster that :meth:`Forecaster.save` wrote; nothing in the file is ever run.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    network : callable, optional
        The class of the network, where it was one of your own: the file holds its name and weights, not the class.

    Returns
    -------
    Forecaster
        Equal forecasts, bit for bit on the same device.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    TypeError
        For a network of one's own that is not given, or given for a file without one.
    ValueError
        For a file of another kind or a newer version, or one that is damaged or was changed.

    Examples
    --------
    >>> from xdrought.forecast.fitting import load_forecaster
    >>> forecaster = load_forecaster("soil_moisture.xdrought")  # doctest: +SKIP
    """
    path = Path(path)
    if path.is_file():
        require_torch()
    labels, members = forecaster_file.read_file(path)
    _require_network(path, labels, network)
    try:
        forecaster = _from_plain(labels, members, network)
        check_forecaster(forecaster)
    except Exception as error:  # whatever a changed file leads to, it is the file's fault
        raise ValueError(f"{path} does not fit together ({error}); it was changed, save it again") from error
    return forecaster


def _require_network(path: Path, labels: Mapping[str, Any], network: Any) -> None:
    """Raise unless a class is given where, and only where, the file needs one."""
    spec = labels.get("architecture")
    needed = spec.get("network") if isinstance(spec, Mapping) else None
    if needed is not None and network is None:
        raise TypeError(
            f"{path} holds the weights of {needed}, which is no network of xdrought; give its class, "
            f"load_forecaster(path, network={str(needed).split('(')[0].rpartition('.')[2]})"
        )
    if needed is None and network is not None:
        raise TypeError(f"{path} holds a network of xdrought; load it without network=")


def _to_plain(forecaster: Forecaster) -> dict[str, Any]:
    """Everything but the weights as JSON can hold it."""
    scaling, splits = forecaster.scaling, forecaster.splits
    causality = forecaster.causality
    return {
        "architecture": _plain_architecture(forecaster.architecture),
        "runs": forecaster.runs,
        "features": list(forecaster.features),
        "target": forecaster.target,
        "units": [forecaster.units.get(name) for name in (*forecaster.features, forecaster.target)],
        "target_attrs": plain_attrs(forecaster.target_attrs),
        "lead": forecaster.lead,
        "scaling": plain_dataset(xr.Dataset({"mean": scaling.mean, "std": scaling.std})),
        "constant": list(scaling.constant),
        "causality": None if causality is None else plain_dataset(causality),
        "splits": plain_dataset(splits.ranges),
        "fractions": list(splits.fractions),
        "embargo": splits.embargo,
        "time": splits.time,
        "history": plain_dataset(forecaster.history),
        "settings": plain_attrs(forecaster.settings),
        "target_inputs": asdict(forecaster.target_inputs),
        "steps": dict(forecaster.steps),
        "ahead": asdict(forecaster.ahead),
        "quantiles": list(forecaster.quantiles),
        "conformal": None if forecaster.conformal is None else plain_dataset(forecaster.conformal),
        "missing": asdict(forecaster.missing),
        "usual_year": None if forecaster.usual_year is None else plain_dataset(_as_dataset(forecaster.usual_year)),
    }


def _as_dataset(usual_year: xr.DataArray) -> xr.Dataset:
    return usual_year.to_dataset(name="usual_year")


def _plain_architecture(spec: Architecture) -> dict[str, Any]:
    """The architecture with the name of the user's network in its place."""
    from xdrought.models.losses import name_of

    return asdict(replace(spec, network=None)) | {"network": None if spec.network is None else name_of(spec.network)}


def _with_tuples(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels whose lists are tuples again, which JSON does not know."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in labels.items()}


def _from_plain(labels: Mapping[str, Any], members: Mapping[str, bytes], network: Any) -> Forecaster:
    from xdrought.models.zoo import Architecture, check_architecture

    spec = Architecture(**_with_tuples(labels["architecture"]) | {"network": network})
    check_architecture(spec)
    statistics = labelled_dataset(labels["scaling"])
    features = tuple(labels["features"])
    causality = labels["causality"]
    return Forecaster(
        architecture=spec,
        weights=tuple(_read_weights(members[forecaster_file.weights_name(run)], spec) for run in range(labels["runs"])),
        features=features,
        target=labels["target"],
        units=dict(zip((*features, labels["target"]), labels["units"], strict=True)),
        target_attrs=labels["target_attrs"],
        lead=labels["lead"],
        scaling=Scaling(statistics["mean"], statistics["std"], tuple(labels["constant"])),
        causality=None if causality is None else labelled_dataset(causality),
        splits=Splits(
            labelled_dataset(labels["splits"]), tuple(labels["fractions"]), labels["embargo"], labels["time"]
        ),
        history=labelled_dataset(labels["history"]),
        settings=labels["settings"],
        target_inputs=TargetInputs(**labels["target_inputs"]),
        steps=labels["steps"],
        ahead=LeadDays(**_with_tuples(labels["ahead"])),
        quantiles=tuple(labels["quantiles"]),
        conformal=None if labels["conformal"] is None else labelled_dataset(labels["conformal"]),
        missing=MissingInputs(**labels.get("missing", {})),  # files from before there was a choice have none
        usual_year=None if labels.get("usual_year") is None else labelled_dataset(labels["usual_year"])["usual_year"],
    )


def _read_weights(content: bytes, spec: Any) -> dict[str, Any]:
    """Weights of the names, shapes and types that the architecture has; nothing is allocated to find out."""
    from safetensors import SafetensorError
    from safetensors.torch import load as read

    from xdrought.models.zoo import unfilled

    expected = unfilled(spec).float().state_dict()
    try:
        found = read(content)
    except SafetensorError as error:
        raise ValueError(f"unreadable weights: {error}") from error
    if {k: (v.shape, v.dtype) for k, v in found.items()} != {k: (v.shape, v.dtype) for k, v in expected.items()}:
        raise ValueError(f"the weights are not those of {spec.variant}")
    return {name: found[name] for name in expected}


def check_forecaster(forecaster: Forecaster) -> None:
    """Raise ValueError for the first part of the wrong type or size; the weights are checked where they are read."""
    _check_names(forecaster)
    target_inputs = forecaster.target_inputs
    checked_target_inputs(target_inputs.history, target_inputs.change, target_inputs.latency)
    _require(_is_count(forecaster.lead), f"lead={forecaster.lead!r}")
    _check_ahead(forecaster)
    _check_missing(forecaster)
    _check_quantiles(forecaster)
    steps = forecaster.steps
    _require(isinstance(steps, Mapping) and all(isinstance(step, float) for step in steps.values()), f"steps={steps!r}")
    _require(forecaster.runs >= 1, "there are no weights")
    for name in ("target_attrs", "settings"):
        _require(isinstance(getattr(forecaster, name), Mapping), f"{name} is no mapping")
    _check_scaling(forecaster)
    _check_splits(forecaster)
    history, shape = forecaster.history, ("run", "epoch")
    for name in ("train_loss", "val_loss"):
        _require(_is_real(history[name], shape) and history.sizes["run"] == forecaster.runs, f"history has no {name}")
    _check_causality(forecaster)


def _check_names(forecaster: Forecaster) -> None:
    names = [*forecaster.features, forecaster.target]
    _require(all(isinstance(name, str) for name in names), f"names {names} are no text")
    _require(len(set(names)) == len(names), f"names {names} are given twice")
    inputs = len(forecaster.features) * (2 if forecaster.missing.is_used else 1)
    _require(inputs == forecaster.architecture.n_features, f"features {names[:-1]} are too many or few")
    _require(all(isinstance(u, str | None) for u in forecaster.units.values()), "units are no text")
    has_history = history_name(forecaster.target) in forecaster.features
    _require(
        has_history or not forecaster.target_inputs.history, "target_inputs.history without the driver that holds it"
    )


def _check_ahead(forecaster: Forecaster) -> None:
    ahead, spec = forecaster.ahead, forecaster.architecture
    several, future = bool(ahead.leads), bool(ahead.future)
    leads = ahead.leads if several else (forecaster.lead,)
    _require(spec.leads == (leads if several or future else ()), f"leads {leads} of a network for {spec.leads}")
    _require(forecaster.leads[-1] == forecaster.lead, f"lead={forecaster.lead} beside {ahead.leads}")
    positions = tuple(forecaster.features.index(name) for name in ahead.future if name in forecaster.features)
    _require(positions == spec.future and len(positions) == len(ahead.future), f"future={ahead.future}")
    _require(ahead.forcing in WORDS and (ahead.forcing == NONE) != future, f"forcing={ahead.forcing!r}")


def _check_missing(forecaster: Forecaster) -> None:
    usual = forecaster.usual_year
    _require((usual is not None) == forecaster.missing.is_used, f"missing={forecaster.missing.policy!r}")
    if usual is not None:
        _require(usual.dtype.kind == "f" and bool(np.isfinite(usual).all()), "the usual year is not finite")
        chosen = usual.sel(variable=list(forecaster.features))
        _require(chosen.sizes[COEFFICIENT] == N_COEFFICIENTS, "the usual year has other coefficients")


def _check_quantiles(forecaster: Forecaster) -> None:
    levels, conformal = forecaster.quantiles, forecaster.conformal
    _require(all(isinstance(level, float) for level in levels), f"quantiles {levels}")
    _require(not levels or checks.require_levels(levels) == levels, f"quantiles {levels}")
    _require(forecaster.architecture.n_quantiles == len(levels), f"{len(levels)} quantiles of another network")
    if conformal is not None:
        for name in ("by_place", "of_all"):
            _require(conformal[name].dtype.kind == "f", f"conformal has no {name}")
            _require(conformal.indexes["quantile"].size == len(levels), f"conformal {name} has other quantiles")


def _check_scaling(forecaster: Forecaster) -> None:
    for name in ("mean", "std"):
        numbers: xr.DataArray = getattr(forecaster.scaling, name)
        chosen = numbers.sel(variable=[*forecaster.features, forecaster.target])
        _require(_is_real(chosen, ("variable",)) and bool(np.isfinite(chosen).all()), f"scaling has no {name}")
    _require(bool((forecaster.scaling.std > 0).all()), "scaling has a spread of 0")


def _check_splits(forecaster: Forecaster) -> None:
    splits = forecaster.splits
    for name in ("start", "end"):
        ranges = splits.ranges[name].sel(part=list(PARTS))
        _require(ranges.dtype.kind == "M", f"splits have no {name} dates")
    _require(_is_count(splits.embargo, 0) and isinstance(splits.time, str), "splits have no embargo or time")
    _require(len(splits.fractions) == len(PARTS) and all(0 <= f <= 1 for f in splits.fractions), "no shares of parts")


def _check_causality(forecaster: Forecaster) -> None:
    from xdrought.models.zoo import kind_of

    causality, spec = forecaster.causality, forecaster.architecture
    _require((causality is not None) == kind_of(spec).causal, f"{spec.variant} and its causality")
    if causality is not None:
        drivers = causality.sel(variable=list(forecaster.drivers))
        for name in ("rho", "p_value"):
            _require(drivers[name].dtype.kind == "f", f"causality has no {name}")
        size = 2 * drivers.sizes["variable"] * drivers.sizes["cell"] * drivers.sizes.get("direction", 1)
        _require(size == spec.n_causal, f"causality has {size} numbers, the network takes {spec.n_causal}")


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(da: xr.DataArray, dims: tuple[str, ...]) -> bool:
    return da.dims == dims and da.dtype.kind == "f"


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)
