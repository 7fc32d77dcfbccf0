"""The file of a forecaster, without pickle: a zip of JSON (labels), safetensors (weights) and checksums.

Nothing here knows what a forecaster is: labels are plain mappings, weights are bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdrought import files

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, FORMAT_VERSION = "xdrought.Forecaster", 1
LABELS, CHECKSUMS = "forecaster.json", "checksums.json"


def write_file(path: Path, labels: Mapping[str, Any], weights: Sequence[Mapping[str, Tensor]]) -> None:
    """Write the file whole or not at all."""
    from safetensors.torch import save

    stamped = {"format": FORMAT, "format_version": FORMAT_VERSION, **labels}
    members = {LABELS: json.dumps(stamped, indent=1, allow_nan=False).encode()}
    for run, tensors in enumerate(weights):
        members[weights_name(run)] = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    members[CHECKSUMS] = json.dumps(sums, indent=1).encode()
    with files.replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # no clock: equal forecasters, equal files


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Labels and all members of a file, whose format and checksums are right.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        For a file of another kind or a newer version, or one that is damaged or was changed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; give what Forecaster.save wrote")
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
    return labels, members


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


def weights_name(run: int) -> str:
    return f"run-{run}.safetensors"


def plain_dataset(ds: xr.Dataset) -> dict[str, Any]:
    """Dims, type, values and attributes of every variable; dates as text, NaN as null."""
    variables = {str(name): _plain_variable(ds[name]) for name in ds.variables}
    return {
        "coords": [str(name) for name in ds.coords],
        "variables": variables,
        "attrs": plain_attrs(ds.attrs),
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
    attrs = plain_attrs(da.attrs)
    return {
        "dims": list(da.dims),
        "shape": list(values.shape),
        "dtype": dtype,
        "values": flat,
        "attrs": attrs,
    }


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes that JSON holds; numpy numbers become Python's, anything else its text."""

    def plain(value: Any) -> Any:
        value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, float) and not np.isfinite(value):
            return str(value)
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    return {str(name): plain(value) for name, value in attrs.items()}


def labelled_dataset(plain: Mapping[str, Any]) -> xr.Dataset:
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
