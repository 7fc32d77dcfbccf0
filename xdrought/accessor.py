"""``ds.xdrought``: names become variables, then one call of the function of the same name; no arithmetic here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import xarray as xr

from xdrought import attribution, causality, events, forecast
from xdrought.windows import patches

_PERIODS = ("reference", "train")  # a tuple is the start and end of one, not names of variables


def _on_variables(function: Callable, *arguments: str) -> Callable:
    """A method that calls `function` with names of variables allowed in some of its arguments."""
    signature = inspect.signature(function)

    def method(self: XdroughtAccessor, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function.__name__}: {error}") from None
        for name in arguments:
            if name in bound.arguments:
                value = bound.arguments[name]
                value = list(value) if isinstance(value, tuple) and name not in _PERIODS else value
                bound.arguments[name] = self._pick(value)
        return function(*bound.args, **bound.kwargs)

    note = f"Variables of this Dataset may be given by name in {', '.join(f'`{a}`' for a in arguments)}."
    return _dress(method, function, list(signature.parameters.values()), note)


def _on_dataset(function: Callable) -> Callable:
    """A method that calls `function` with this Dataset as its first argument."""
    parameters = list(inspect.signature(function).parameters.values())

    def method(self: XdroughtAccessor, *args: Any, **kwargs: Any) -> Any:
        return function(self._ds, *args, **kwargs)

    return _dress(method, function, parameters[1:], f"`{parameters[0].name}` is this Dataset.")


def _dress(method: Callable, function: Callable, parameters: list[inspect.Parameter], note: str) -> Callable:
    """Name, signature and help text of the function on the method."""
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__name__ = function.__name__
    method.__qualname__ = f"XdroughtAccessor.{function.__name__}"
    method.__signature__ = inspect.Signature([me, *parameters])  # type: ignore[attr-defined]
    summary = (inspect.getdoc(function) or "").split("\n\n")[0]
    method.__doc__ = f"{summary}\n\nCalls :func:`xdrought.{function.__name__}`: see there. {note}"
    return method


@xr.register_dataset_accessor("xdrought")
class XdroughtAccessor:
    """The public functions on a Dataset's variables; nothing is kept here, every result is a new object."""

    def __init__(self, ds: xr.Dataset):
        self._ds = ds

    def _pick(self, variable: Any) -> Any:
        """The variable of a name, a Dataset of several names, or the given object as it is."""
        names = variable if isinstance(variable, list) else [variable]
        if not names or not all(isinstance(name, str | int) for name in names):
            return variable
        missing = [name for name in names if name not in self._ds]
        if missing:
            found = ", ".join(map(str, self._ds.data_vars))
            raise KeyError(f"no variable {missing} in the Dataset; it has {found}")
        return self._ds[variable]

    soil_moisture_percentile = _on_variables(events.soil_moisture_percentile, "soil_moisture", "reference")
    flash_drought_events = _on_variables(events.flash_drought_events, "soil_moisture", "reference", "soil_temperature")
    drought_classes = _on_variables(events.drought_classes, "soil_moisture", "reference", "soil_temperature")
    drought_summary = _on_variables(events.drought_summary, "soil_moisture", "reference", "soil_temperature")
    ccm = _on_variables(causality.ccm, "cause", "effect", "where")
    driver_gain = _on_variables(causality.driver_gain, "drivers", "soil_moisture", "where")
    driver_contributions = _on_variables(causality.driver_contributions, "drivers", "soil_moisture", "where")
    causality_degree = _on_variables(causality.causality_degree, "drivers", "target", "train")
    choose_embedding = _on_variables(causality.choose_embedding, "da")
    gccm = _on_variables(causality.gccm, "cause", "effect")
    patches = _on_dataset(patches)
    fit_resattcaurec = _on_dataset(forecast.fit_resattcaurec)
    predict = _on_dataset(forecast.predict)
    attributions = _on_dataset(attribution.attributions)
