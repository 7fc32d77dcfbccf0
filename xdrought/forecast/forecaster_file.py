"""Forecasters in one file without pickle: a zip of JSON (labels), safetensors (weights) and checksums."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought import files
from xdrought.checks import public
from xdrought.devices import require_torch
from xdrought.forecast.driver_inputs import TargetPast, history_name, make_past
from xdrought.forecast.forecaster import Forecaster
from xdrought.scaling import Scaling
from xdrought.splits import PARTS, Splits

__all__ = ["load_forecaster"]


def check_forecaster(forecaster: Forecaster) -> None:
    """Raise ValueError for the first part of the wrong type or size; the weights are checked where they are read."""
    _check_names(forecaster)
    past = forecaster.past
    make_past(past.history, past.change, past.latency)
    _require(_is_count(forecaster.lead), f"lead={forecaster.lead!r}")
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
    _require(
        len(forecaster.features) == forecaster.architecture.n_features, f"features {names[:-1]} are too many or few"
    )
    _require(all(isinstance(u, str | None) for u in forecaster.units.values()), "units are no text")
    has_history = history_name(forecaster.target) in forecaster.features
    _require(has_history or not forecaster.past.history, "past.history without the driver that holds it")


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
    from xdrought.models.zoo import VARIANTS

    causality, spec = forecaster.causality, forecaster.architecture
    _require((causality is not None) == VARIANTS[spec.variant].causal, f"{spec.variant} and its causality")
    if causality is not None:
        drivers = causality.sel(variable=list(forecaster.drivers))
        for name in ("rho", "p_value"):
            _require(drivers[name].dtype.kind == "f", f"causality has no {name}")
        size = 2 * drivers.sizes["variable"] * drivers.sizes["cell"]
        _require(size == spec.n_causal, f"causality has {size} numbers, the network takes {spec.n_causal}")


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(da: xr.DataArray, dims: tuple[str, ...]) -> bool:
    return da.dims == dims and da.dtype.kind == "f"


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)


FORMAT, FORMAT_VERSION = "xdrought.Forecaster", 1
LABELS, CHECKSUMS = "forecaster.json", "checksums.json"


def write(forecaster: Forecaster, path: str | Path) -> None:
    """Write the file whole or not at all."""
    from safetensors.torch import save

    path = Path(path)
    names = [*forecaster.features, forecaster.target]
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"the names {names} are not all text; rename the variables and train again")
    members = {LABELS: json.dumps(_to_plain(forecaster), indent=1, allow_nan=False).encode()}
    for run, weights in enumerate(forecaster.weights):
        members[_weights_name(run)] = save({name: tensor.contiguous() for name, tensor in weights.items()})
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    members[CHECKSUMS] = json.dumps(sums, indent=1).encode()
    with files.replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # no clock: equal forecasters, equal files


@public
def load_forecaster(path: str | Path) -> Forecaster:
    """Read a forecaster that :meth:`Forecaster.save` wrote; nothing in the file is ever run.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Forecaster
        Equal forecasts, bit for bit on the same device.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        For a file of another kind or a newer version, or one that is damaged or was changed.

    Examples
    --------
    >>> from xdrought import load_forecaster
    >>> forecaster = load_forecaster("soil_moisture.xdrought")  # doctest: +SKIP
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; give what Forecaster.save wrote")
    require_torch()
    members = _read_members(path)
    try:
        labels = json.loads(members[LABELS])
        found = labels.get("format"), labels.get("format_version")
    except (KeyError, AttributeError, ValueError, RecursionError) as error:
        raise _not_ours(path, "it has no readable labels") from error
    if found[0] != FORMAT:
        raise _not_ours(path, f"it says {found[0]!r}")
    if found[1] != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {found[1]!r}, this xdrought reads {FORMAT_VERSION}; "
            f"update xdrought, or train again"
        )
    _check_sums(members, path)
    try:
        forecaster = _from_plain(labels, members)
        check_forecaster(forecaster)
    except Exception as error:  # whatever a changed file leads to, it is the file's fault
        raise ValueError(f"{path} does not fit together ({error}); it was changed, save it again") from error
    return forecaster


def _read_members(path: Path) -> dict[str, bytes]:
    """All members, checked by the zip's own sums; only stored ones, together no larger than the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise _not_ours(path, "its members are compressed")
            if sum(e.file_size for e in entries) > path.stat().st_size:
                raise _not_ours(path, "its members overlap")
            return {entry.filename: archive.read(entry) for entry in entries}
    except ValueError:
        raise
    except Exception as error:  # zipfile raises many types for a broken file
        raise _not_ours(path, str(error)) from error


def _check_sums(members: Mapping[str, bytes], path: Path) -> None:
    try:
        sums = dict(json.loads(members[CHECKSUMS]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _not_ours(path, "it has no checksums") from error
    found = {name: hashlib.sha256(content).hexdigest() for name, content in members.items() if name != CHECKSUMS}
    if found != sums:
        wrong = sorted(name for name in found.keys() | sums.keys() if found.get(name) != sums.get(name))
        raise ValueError(f"{path} was changed after it was saved: {wrong}; take a fresh copy or save it again")


def _not_ours(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is not a whole saved forecaster ({reason}); take a fresh copy, or write one with Forecaster.save"
    )


def _weights_name(run: int) -> str:
    return f"run-{run}.safetensors"


def _to_plain(forecaster: Forecaster) -> dict[str, Any]:
    """Everything but the weights as JSON can hold it."""
    scaling, splits = forecaster.scaling, forecaster.splits
    causality = forecaster.causality
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "architecture": asdict(forecaster.architecture),
        "runs": forecaster.runs,
        "features": list(forecaster.features),
        "target": forecaster.target,
        "units": [forecaster.units.get(name) for name in (*forecaster.features, forecaster.target)],
        "target_attrs": _plain_attrs(forecaster.target_attrs),
        "lead": forecaster.lead,
        "scaling": _plain_dataset(xr.Dataset({"mean": scaling.mean, "std": scaling.std})),
        "constant": list(scaling.constant),
        "causality": None if causality is None else _plain_dataset(causality),
        "splits": _plain_dataset(splits.ranges),
        "fractions": list(splits.fractions),
        "embargo": splits.embargo,
        "time": splits.time,
        "history": _plain_dataset(forecaster.history),
        "settings": _plain_attrs(forecaster.settings),
        "past": asdict(forecaster.past),
        "steps": dict(forecaster.steps),
    }


def _from_plain(labels: Mapping[str, Any], members: Mapping[str, bytes]) -> Forecaster:
    from xdrought.models.zoo import Architecture, check_architecture

    spec = Architecture(**{**labels["architecture"], "widths": tuple(labels["architecture"]["widths"])})
    check_architecture(spec)
    statistics = _labelled_dataset(labels["scaling"])
    features = tuple(labels["features"])
    causality = labels["causality"]
    return Forecaster(
        architecture=spec,
        weights=tuple(_read_weights(members[_weights_name(run)], spec) for run in range(labels["runs"])),
        features=features,
        target=labels["target"],
        units=dict(zip((*features, labels["target"]), labels["units"], strict=True)),
        target_attrs=labels["target_attrs"],
        lead=labels["lead"],
        scaling=Scaling(statistics["mean"], statistics["std"], tuple(labels["constant"])),
        causality=None if causality is None else _labelled_dataset(causality),
        splits=Splits(
            _labelled_dataset(labels["splits"]), tuple(labels["fractions"]), labels["embargo"], labels["time"]
        ),
        history=_labelled_dataset(labels["history"]),
        settings=labels["settings"],
        past=TargetPast(**labels["past"]),
        steps=labels["steps"],
    )


def _read_weights(content: bytes, spec: Any) -> dict[str, Any]:
    """Weights of the names, shapes and types that the architecture has; nothing is allocated to find out."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as read

    from xdrought.models.zoo import build_architecture

    with torch.device("meta"):
        expected = build_architecture(spec).state_dict()
    try:
        found = read(content)
    except SafetensorError as error:
        raise ValueError(f"unreadable weights: {error}") from error
    if {k: (v.shape, v.dtype) for k, v in found.items()} != {k: (v.shape, v.dtype) for k, v in expected.items()}:
        raise ValueError(f"the weights are not those of {spec.variant}")
    return {name: found[name] for name in expected}


def _plain_dataset(ds: xr.Dataset) -> dict[str, Any]:
    """Dims, type, values and attributes of every variable; dates as text, NaN as null."""
    variables = {str(name): _plain_variable(ds[name]) for name in ds.variables}
    return {
        "coords": [str(name) for name in ds.coords],
        "variables": variables,
        "attrs": _plain_attrs(ds.attrs),
    }


def _plain_variable(da: xr.DataArray) -> dict[str, Any]:
    values = da.to_numpy()
    kind = values.dtype.kind
    flat: list[float | str | None]
    if kind in "Mm":
        flat = [None if np.isnat(v) else int(v.astype("int64")) for v in values.ravel()]
    elif kind == "f":
        flat = [float(v) if np.isfinite(v) else None if np.isnan(v) else str(v) for v in values.ravel()]
    elif kind in "biu":
        flat = values.ravel().tolist()
    else:
        flat = [str(v) for v in values.ravel()]
    dtype = values.dtype.str if kind in "Mmfbiu" else "object"
    attrs = _plain_attrs(da.attrs)
    return {
        "dims": list(da.dims),
        "shape": list(values.shape),
        "dtype": dtype,
        "values": flat,
        "attrs": attrs,
    }


def _plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that JSON holds; numpy numbers become Python's, anything else its text."""

    def plain(value: Any) -> Any:
        value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, float) and not np.isfinite(value):
            return str(value)
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    return {str(name): plain(value) for name, value in attrs.items()}


def _labelled_dataset(plain: Mapping[str, Any]) -> xr.Dataset:
    variables = {name: _labelled_variable(found) for name, found in plain["variables"].items()}
    coords = set(plain["coords"])
    data = {name: found for name, found in variables.items() if name not in coords}
    return xr.Dataset(data, {name: variables[name] for name in plain["coords"]}, plain["attrs"])


def _labelled_variable(plain: Mapping[str, Any]) -> xr.Variable:
    dtype, values = np.dtype(plain["dtype"]), plain["values"]
    if dtype.kind not in "OMmbiuf" or dtype.itemsize > 16:
        raise ValueError(f"values of type {dtype} are never written")
    if dtype.kind in "Mm":
        missing = np.iinfo("int64").min  # numpy's NaT
        values = np.array([missing if v is None else v for v in values], "int64").view(dtype)
    else:
        values = np.array([np.nan if v is None else v for v in values], dtype)
    return xr.Variable(plain["dims"], values.reshape(plain["shape"]), plain["attrs"])
