"""``ds.xdrought``: names become variables, then the function of the same name is called; nothing else happens here.

Every method has the name, the text and the signature of its function. The keywords are written out once more as typed
dictionaries, so that editors complete them and type checkers refuse a misspelt one; a test holds them to the functions.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypedDict, TypeVar, Unpack

import pandas as pd
import xarray as xr

from xdrought import attribution, causality, events, forecast, verification, windows
from xdrought.calendars import Period
from xdrought.choices import (
    Censored,
    Connectivity,
    DefinitionName,
    Direction,
    EndAt,
    Engine,
    Frozen,
    Matching,
    OnsetLabel,
    Part,
    PercentileMethod,
    Pool,
    Relapse,
    Rule,
    Step,
    SurrogateKind,
)
from xdrought.definitions import Definition
from xdrought.events.flash_droughts import Definitions
from xdrought.statistics.hypothesis_tests import Fdr
from xdrought.suggestions import did_you_mean

Name = Hashable | xr.DataArray  # a variable, by its name or itself
Names = Hashable | Iterable[Hashable] | xr.DataArray | xr.Dataset | Mapping[Hashable, xr.DataArray]
Reference = Name | slice | tuple | int | None
Dims = Hashable | Iterable[Hashable] | None
_P = ParamSpec("_P")
_R = TypeVar("_R")
_Method = TypeVar("_Method", bound=Callable)


class Thresholds(TypedDict, total=False):
    """Fields of a definition that a call may change."""

    step: Step
    pool: Pool
    window: int
    percentile_method: PercentileMethod
    upper: float
    lower: float
    wet_at_upper: bool
    dry_at_lower: bool
    recovers_at_lower: bool
    min_rate: float
    max_onset: float | None
    recovery: float
    end_at: EndAt
    min_duration: float
    count_onset: bool
    min_wet_run: float
    relapse: Relapse | None
    rule: Rule
    short_mean: int
    long_mean: int
    max_gap: float


class PercentileOptions(TypedDict, total=False):
    method: PercentileMethod
    pool: Pool
    window: int
    reference: Reference
    time: Hashable


class ClassOptions(Thresholds, total=False):
    definition: Definitions
    is_percentile: bool
    reference: Reference
    soil_temperature: Name | None
    frozen: Frozen
    time: Hashable


class DailyClassOptions(ClassOptions, total=False):
    fill_gaps: bool


class EventOptions(ClassOptions, total=False):
    censored: Censored


class DroughtOptions(Thresholds, total=False):
    definition: DefinitionName | Definition
    path: str | Path | None
    is_percentile: bool
    reference: Reference
    soil_temperature: Name | None
    frozen: Frozen
    censored: Censored
    time: Hashable
    progress: bool


class UncertaintyOptions(Thresholds, total=False):
    definition: DefinitionName | Definition
    reference: Reference
    soil_temperature: Name | None
    frozen: Frozen
    censored: Censored
    n_boot: int
    confidence: float
    seed: int
    time: Hashable


class StateOptions(Thresholds, total=False):
    train: Period | Hashable
    definition: DefinitionName | Definition
    time: Hashable


class OnsetDayOptions(StateOptions, total=False):
    label: OnsetLabel


class OnsetLabelOptions(OnsetDayOptions, total=False):
    lead: int


class MonitorOptions(Thresholds, total=False):
    definition: DefinitionName | Definition
    is_percentile: bool
    reference: Reference
    time: Hashable


class ObjectOptions(TypedDict, total=False):
    kinds: Sequence[str]
    intensity: Name | None
    connectivity: Connectivity
    min_area: float
    min_duration: float
    cell_area: Name | None
    periodic: bool | None
    lat: Hashable
    lon: Hashable
    time: Hashable


class CcmOptions(TypedDict, total=False):
    embedding_dim: int | Mapping[str, int]
    tau: int | Mapping[str, int]
    direction: Direction
    exclusion_radius: int | str
    lag: int | Iterable[int]
    where: Name | None
    library_size: int | Iterable[int] | None
    library_samples: int
    surrogates: int
    surrogate_kind: SurrogateKind
    deseasonalize: bool
    fdr: Fdr | None
    fdr_dim: Dims
    seed: int
    engine: Engine
    time: Hashable


class GccmOptions(TypedDict, total=False):
    embedding_dim: int
    tau: int
    direction: Direction
    neighbours: int | None
    exclusion_radius: int
    library_size: int | Iterable[int] | None
    library_samples: int
    surrogates: int
    fdr: Fdr | None
    fdr_dim: Dims
    detrend: bool
    periodic: bool | None
    seed: int
    lat: Hashable
    lon: Hashable


class ContributionOptions(TypedDict, total=False):
    groups: Mapping[str, Sequence[Hashable]] | None
    lags: int
    where: Name | None
    time: Hashable


class GainOptions(ContributionOptions, total=False):
    fdr: Fdr | None
    fdr_dim: Dims
    flips: int
    seed: int


class EmbeddingOptions(TypedDict, total=False):
    max_dim: int
    tau: int | Iterable[int]
    lead: int
    exclusion_radius: int | str
    time: Hashable


class VerifyOptions(TypedDict, total=False):
    references: Iterable[str]
    drivers: Mapping[str, xr.DataArray] | None
    matching: Matching | None
    lead: Any
    train: Period | None
    part: Part | None
    window: int
    n_boot: int
    confidence: float
    block_length: int | None
    seed: int
    site: Hashable
    time: Hashable
    run: Hashable


class EventDriverOptions(TypedDict, total=False):
    target: str
    drivers: Mapping[str, str] | None
    lags: int
    alpha: float
    seed: int
    time: Hashable


class CompareOptions(VerifyOptions, total=False):
    score: str | Iterable[str]
    baseline: str | None
    fdr: Fdr | None


def documented_by(function: Callable, *names: str) -> Callable[[_Method], _Method]:
    """Give a method the name, text and signature of its function; `names` may be given as names of variables."""
    text = ", ".join(f"`{name}`" for name in names)
    note = f"On ``ds.xdrought``, {text} may be given as names of variables of the Dataset."

    def dress(method: _Method) -> _Method:
        return _dress(method, function, list(inspect.signature(function).parameters.values()), note)

    return dress


def of_dataset(
    function: Callable[Concatenate[xr.Dataset, _P], _R],
) -> Callable[[Callable], Callable[Concatenate[XdroughtAccessor, _P], _R]]:
    """Give a method the name, text and signature of a function whose first argument is the Dataset."""
    first, *others = inspect.signature(function).parameters.values()
    note = f"On ``ds.xdrought``, `{first.name}` is the Dataset itself."

    def dress(method: Callable) -> Any:
        return _dress(method, function, others, note)

    return dress


def with_dataset(function: Callable, name: str) -> Callable[[_Method], _Method]:
    """Give a method the name, text and signature of a function that takes the Dataset as `name`, not first."""
    others = [one for one in inspect.signature(function).parameters.values() if one.name != name]
    note = f"On ``ds.xdrought``, `{name}` is the Dataset itself."

    def dress(method: _Method) -> _Method:
        return _dress(method, function, others, note)

    return dress


def _dress(method: _Method, function: Callable, parameters: list[inspect.Parameter], note: str) -> _Method:
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    summary, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    shown = {"self", *(parameter.name for parameter in parameters)}
    for name in inspect.signature(function).parameters:
        if name not in shown:  # the Dataset: its line and, below it, what is said of it
            rest = re.sub(rf"^{name} : .*\n((?:    .*)?\n)*?(?=\S)", "", rest, flags=re.MULTILINE)
            rest = re.sub(rf"^{name}, ", "", rest, flags=re.MULTILINE)
    method.__name__ = function.__name__
    method.__qualname__ = f"XdroughtAccessor.{function.__name__}"
    method.__doc__ = f"{summary}\n\n{note} See also :func:`xdrought.{function.__name__}`.\n\n{rest}"
    method.__signature__ = inspect.Signature([me, *parameters])  # type: ignore[attr-defined]
    return method


@xr.register_dataset_accessor("xdrought")
class XdroughtAccessor:
    """The public functions on a Dataset's variables. It stores nothing; each call returns a new object."""

    def __init__(self, ds: xr.Dataset):
        self._ds = ds

    def __getattr__(self, name: str) -> Any:
        known = [one for one in dir(type(self)) if not one.startswith("_")]
        raise AttributeError(f"ds.xdrought has no method {name!r}{did_you_mean(name, known)}")

    def _pick(self, variable: Any) -> Any:
        """The variable of a name, a Dataset of several names, or the given object as it is."""
        variable = list(variable) if isinstance(variable, tuple) else variable
        names = variable if isinstance(variable, list) else [variable]
        if not names or not all(isinstance(name, str | int) for name in names):
            return variable
        missing = [name for name in names if name not in self._ds]
        if missing:
            found = ", ".join(map(str, self._ds.data_vars))
            hint = did_you_mean(missing[0], self._ds.data_vars)
            raise KeyError(f"no variable {missing} in the Dataset; it has {found}{hint}")
        return self._ds[variable]

    def _pick_in(self, options: Mapping[str, Any], *names: str, periods: Sequence[str] = ()) -> dict[str, Any]:
        """The options with variables in the place of names; a text that names a period and no variable stays."""
        picked = dict(options)
        for name in names:
            if name in picked:
                picked[name] = self._pick(picked[name])
        for name in periods:
            if isinstance(picked.get(name), str) and picked[name] in self._ds:
                picked[name] = self._ds[picked[name]]
        return picked

    # events

    @documented_by(events.soil_moisture_percentile, "soil_moisture", "reference")
    def soil_moisture_percentile(self, soil_moisture: Name, **options: Unpack[PercentileOptions]) -> xr.DataArray:
        picked = self._pick_in(options, periods=["reference"])
        return events.soil_moisture_percentile(self._pick(soil_moisture), **picked)

    @documented_by(events.flash_drought_events, "soil_moisture", "reference", "soil_temperature")
    def flash_drought_events(self, soil_moisture: Name, **options: Unpack[EventOptions]) -> xr.Dataset:
        picked = self._pick_in(options, "soil_temperature", periods=["reference"])
        return events.flash_drought_events(self._pick(soil_moisture), **picked)

    @documented_by(events.drought_classes, "soil_moisture", "reference", "soil_temperature")
    def drought_classes(self, soil_moisture: Name, **options: Unpack[DailyClassOptions]) -> xr.DataArray:
        picked = self._pick_in(options, "soil_temperature", periods=["reference"])
        return events.drought_classes(self._pick(soil_moisture), **picked)

    @documented_by(events.drought_summary, "soil_moisture", "reference", "soil_temperature")
    def drought_summary(self, soil_moisture: Name, **options: Unpack[ClassOptions]) -> xr.Dataset:
        picked = self._pick_in(options, "soil_temperature", periods=["reference"])
        return events.drought_summary(self._pick(soil_moisture), **picked)

    @documented_by(events.detect_droughts, "soil_moisture", "reference", "soil_temperature")
    def detect_droughts(self, soil_moisture: Name, **options: Unpack[DroughtOptions]) -> events.Droughts:
        picked = self._pick_in(options, "soil_temperature", periods=["reference"])
        return events.detect_droughts(self._pick(soil_moisture), **picked)

    @documented_by(events.event_uncertainty, "soil_moisture", "reference", "soil_temperature")
    def event_uncertainty(self, soil_moisture: Name, **options: Unpack[UncertaintyOptions]) -> xr.Dataset:
        picked = self._pick_in(options, "soil_temperature", periods=["reference"])
        return events.event_uncertainty(self._pick(soil_moisture), **picked)

    @documented_by(events.drought_state, "soil_moisture", "train")
    def drought_state(self, soil_moisture: Name, **options: Unpack[StateOptions]) -> xr.Dataset:
        picked = self._pick_in(options, periods=["train"])
        return events.drought_state(self._pick(soil_moisture), **picked)

    @documented_by(events.onset_days, "soil_moisture", "train")
    def onset_days(self, soil_moisture: Name, **options: Unpack[OnsetDayOptions]) -> xr.DataArray:
        return events.onset_days(self._pick(soil_moisture), **self._pick_in(options, periods=["train"]))

    @documented_by(events.onset_label, "soil_moisture", "train")
    def onset_label(self, soil_moisture: Name, **options: Unpack[OnsetLabelOptions]) -> xr.DataArray:
        return events.onset_label(self._pick(soil_moisture), **self._pick_in(options, periods=["train"]))

    @documented_by(events.drought_objects, "classes", "intensity", "cell_area")
    def drought_objects(self, classes: Name, **options: Unpack[ObjectOptions]) -> xr.Dataset:
        return events.drought_objects(self._pick(classes), **self._pick_in(options, "intensity", "cell_area"))

    @documented_by(events.start_monitor, "soil_moisture", "reference")
    def start_monitor(self, soil_moisture: Name, **options: Unpack[MonitorOptions]) -> events.DroughtMonitor:
        return events.start_monitor(self._pick(soil_moisture), **self._pick_in(options, periods=["reference"]))

    # causes

    @documented_by(causality.ccm, "cause", "effect", "where")
    def ccm(self, cause: Names, effect: Name, **options: Unpack[CcmOptions]) -> xr.Dataset:
        return causality.ccm(self._pick(cause), self._pick(effect), **self._pick_in(options, "where"))

    @documented_by(causality.gccm, "cause", "effect")
    def gccm(self, cause: Names, effect: Name, **options: Unpack[GccmOptions]) -> xr.Dataset:
        return causality.gccm(self._pick(cause), self._pick(effect), **options)

    @documented_by(causality.driver_gain, "drivers", "soil_moisture", "where")
    def driver_gain(self, drivers: Names, soil_moisture: Name, **options: Unpack[GainOptions]) -> xr.Dataset:
        picked = self._pick_in(options, "where")
        return causality.driver_gain(self._pick(drivers), self._pick(soil_moisture), **picked)

    @documented_by(causality.driver_contributions, "drivers", "soil_moisture", "where")
    def driver_contributions(
        self, drivers: Names, soil_moisture: Name, **options: Unpack[ContributionOptions]
    ) -> xr.DataArray:
        picked = self._pick_in(options, "where")
        return causality.driver_contributions(self._pick(drivers), self._pick(soil_moisture), **picked)

    @with_dataset(attribution.event_drivers, "ds")
    def event_drivers(self, events: xr.Dataset, **options: Unpack[EventDriverOptions]) -> xr.Dataset:
        return attribution.event_drivers(events, self._ds, **options)

    @documented_by(causality.causality_degree, "drivers", "target", "train")
    def causality_degree(self, drivers: Names, target: Name, **options: Any) -> xr.Dataset:  # each method has its own
        picked = self._pick_in(options, periods=["train"])
        return causality.causality_degree(self._pick(drivers), self._pick(target), **picked)

    @documented_by(causality.choose_embedding, "da")
    def choose_embedding(self, da: Name, **options: Unpack[EmbeddingOptions]) -> xr.Dataset:
        return causality.choose_embedding(self._pick(da), **options)

    # windows, forecasts and their scores

    @of_dataset(windows.patches)
    def patches(self, *arguments: Any, **options: Any) -> windows.Patches:
        return windows.patches(self._ds, *arguments, **options)

    @of_dataset(forecast.fit_resattcaurec)
    def fit_resattcaurec(self, *arguments: Any, **options: Any) -> forecast.Forecaster:
        return forecast.fit_resattcaurec(self._ds, *arguments, **options)

    @of_dataset(forecast.predict)
    def predict(self, *arguments: Any, **options: Any) -> xr.Dataset:
        return forecast.predict(self._ds, *arguments, **options)

    @of_dataset(forecast.fit_onset)
    def fit_onset(self, *arguments: Any, **options: Any) -> forecast.OnsetModel:
        return forecast.fit_onset(self._ds, *arguments, **options)

    @of_dataset(forecast.predict_onset)
    def predict_onset(self, *arguments: Any, **options: Any) -> xr.Dataset:
        return forecast.predict_onset(self._ds, *arguments, **options)

    @of_dataset(attribution.attributions)
    def attributions(self, *arguments: Any, **options: Any) -> xr.Dataset:
        return attribution.attributions(self._ds, *arguments, **options)

    @documented_by(verification.verify, "forecast", "observed")
    def verify(self, forecast: Names, observed: Name, **options: Unpack[VerifyOptions]) -> xr.Dataset:
        return verification.verify(self._pick(forecast), self._pick(observed), **options)

    @documented_by(verification.compare_models, "forecast", "observed")
    def compare_models(self, forecast: Names, observed: Name, **options: Unpack[CompareOptions]) -> pd.DataFrame:
        return verification.compare_models(self._pick(forecast), self._pick(observed), **options)
