"""A fitted warning of flash droughts with everything that its use needs: a value, and the one file that keeps it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xdrought import shown
from xdrought.choices import OnsetClassifier
from xdrought.definitions import Definition
from xdrought.forecast.onset.classifiers import FITTED, Fitted, OfRows
from xdrought.forecast.onset.predictors import OnsetTask
from xdrought.public_functions import public
from xdrought.splits import Splits
from xdrought.untrusted import check_hdf5

FORMAT = "xdrought onset model"
FORMAT_VERSION = 1
GROUPS = ("classifier", "season", "percentile_table", "splits")


@dataclass(frozen=True, eq=False, repr=False)
class OnsetModel:
    """What :func:`xdrought.fit_onset` gives and :func:`xdrought.predict_onset` takes.

    Attributes
    ----------
    task : OnsetTask
        Target, drivers, lead, label, definition and units.
    inputs : tuple of str
        Names of the inputs in the order of the classifier.
    model : {"boosting", "logistic", "hazard"}
        Kind of the classifier.
    classifier : TreeEnsemble, LinearClassifier or HazardNetwork
        Plain arrays that give log odds.
    calibration : (float, float)
        Slope and intercept that turn these log odds into those of the probability, or of the hazard of each lead day,
        from days not learned from; (1, 0) without calibration.
    season : xarray.DataArray
        Frequency of the season in the training part, on the places and ``day_of_year``, with the coordinate ``pool``,
        that of all places together; of several leads on ``lead_time`` (days), too.
    percentile_table : xarray.DataArray
        Frequency by today's percentile in the training part, on ``percentile_bin`` (its centre), and ``lead_time``.
    splits : xdrought.splits.Splits
        Days of issue of training, validation and test at each place.
    settings : mapping
        Seed, settings of the classifier, and how many days and onsets each part had.
    """

    task: OnsetTask
    inputs: tuple[str, ...]
    model: OnsetClassifier
    classifier: Fitted
    calibration: tuple[float, float]
    season: xr.DataArray
    percentile_table: xr.DataArray
    splits: Splits
    settings: Mapping[str, Any]

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (n,) of rows of inputs (n, inputs), of a classifier that reads rows."""
        assert isinstance(self.classifier, OfRows)
        slope, intercept = self.calibration
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-(intercept + slope * self.classifier.margins(rows))))

    @property
    def leads(self) -> tuple[int, ...]:
        """The leads that are answered for."""
        return self.task.leads or (self.task.lead,)

    def save(self, path: str | Path) -> None:
        """Write to one NetCDF file: labels, classifier, calibration and reference frequencies, without pickle.

        Parameters
        ----------
        path : str or pathlib.Path
            The file, by custom ``*.nc``. It is replaced only when the new one is complete.

        See Also
        --------
        xdrought.load_onset
        """
        _write(self, path)

    def __repr__(self) -> str:
        return shown.as_text(f"xdrought.OnsetModel {self.model}", self._facts())

    def _repr_html_(self) -> str:
        """What notebooks show: the same as a table."""
        return shown.as_html(f"xdrought.OnsetModel {self.model}", self._facts())

    def _facts(self) -> dict[str, str]:
        """What it warns of, from what, and how much it has seen, in words."""
        task, n = self.task, self.settings
        within = ", ".join(f"1..{lead}" for lead in self.leads)
        return {
            "forecast": f"probability that a flash drought of {task.target!r} sets in within {within} days",
            "label": f"{task.label}, definition {task.definition.name}",
            "drivers": ", ".join(map(str, task.drivers)) or "none, the state of the soil alone",
            "ahead": ", ".join(map(str, task.future)) or "nothing known",
            "inputs": f"{len(self.inputs)}",
            "training": f"{n['train_days']} days, {n['train_positive']} of them before an onset",
        }


def _write(onset: OnsetModel, path: str | Path) -> None:
    """Write beside, then move into place."""
    path = Path(path)
    groups = {
        "classifier": onset.classifier.to_dataset(),
        "season": onset.season.rename("season").to_dataset(),
        "percentile_table": onset.percentile_table.rename("percentile_table").to_dataset(),
        "splits": onset.splits.ranges,
    }
    task = asdict(onset.task)
    labels = {
        "task": task | {"units": [[name, unit] for name, unit in onset.task.units.items()]},
        "inputs": onset.inputs,
        "model": onset.model,
        "calibration": onset.calibration,
        "fractions": onset.splits.fractions,
        "embargo": onset.splits.embargo,
        "split_time": onset.splits.time,
        "settings": dict(onset.settings),
    }
    text = json.dumps(labels, sort_keys=True)
    root = xr.Dataset(
        attrs={
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "labels": text,
            "digest": _digest(text, groups),
        }
    )
    part = path.with_name(f".{path.name}.part")
    try:
        root.to_netcdf(part, engine="h5netcdf")
        for name, group in groups.items():
            group.to_netcdf(part, mode="a", group=name, engine="h5netcdf")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@public
def load_onset(path: str | Path) -> OnsetModel:
    """Read what :meth:`OnsetModel.save` wrote.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    OnsetModel
        It predicts to the last bit what the saved one predicts.

    Raises
    ------
    FileNotFoundError
        When there is no file.
    ValueError
        For a file that is none of ours, incomplete, changed, or of another format version.

    Examples
    --------
    >>> from xdrought import load_onset
    >>> onset = load_onset("onset.nc")  # doctest: +SKIP
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; give what OnsetModel.save wrote")
    try:
        check_hdf5(str(path))
        attrs = xr.load_dataset(path, engine="h5netcdf").attrs
        ours = attrs.get("format") == FORMAT
        groups = {name: xr.load_dataset(path, group=name, engine="h5netcdf") for name in GROUPS} if ours else {}
    except Exception as error:  # HDF5 raises many types for a broken file
        raise ValueError(f"{path} is no whole NetCDF file ({error}); take a fresh copy") from error
    if not ours:
        raise ValueError(f"{path} is not a saved onset model; write one with OnsetModel.save")
    if int(attrs["format_version"]) != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {attrs['format_version']}, this xdrought reads {FORMAT_VERSION}; update "
            f"xdrought, or fit again"
        )
    if attrs.get("digest") != _digest(attrs["labels"], groups):
        raise ValueError(f"{path} was changed after it was saved; take a fresh copy, or save it again")
    return _from_parts(json.loads(attrs["labels"]), groups)


def _from_parts(labels: dict[str, Any], groups: dict[str, xr.Dataset]) -> OnsetModel:
    task = labels["task"]
    classifier = FITTED[labels["model"]].from_dataset(groups["classifier"])
    classifier.check(len(labels["inputs"]))
    return OnsetModel(
        task=OnsetTask(
            **{
                **task,
                "definition": Definition(**task["definition"]),
                "drivers": tuple(task["drivers"]),
                "future": tuple(task["future"]),
                "units": dict(task["units"]),
                "leads": tuple(task.get("leads", ())),
            }
        ),
        inputs=tuple(labels["inputs"]),
        model=labels["model"],
        classifier=classifier,
        calibration=tuple(labels["calibration"]),
        season=groups["season"]["season"].rename(None),
        percentile_table=groups["percentile_table"]["percentile_table"].rename(None),
        splits=Splits(groups["splits"], tuple(labels["fractions"]), labels["embargo"], labels["split_time"]),
        settings=labels["settings"],
    )


def _digest(labels: str, groups: dict[str, xr.Dataset]) -> str:
    """SHA-256 of the labels and of every variable's name, dimensions and values."""
    result = hashlib.sha256(labels.encode())
    for group in sorted(groups):
        for name in sorted(map(str, groups[group].variables)):
            variable = groups[group].variables[name]
            values = variable.to_numpy()
            if values.dtype.kind == "M":  # a file may bring back dates in other units
                values = values.astype("datetime64[us]")
            values = values.astype("int64") if values.dtype.kind in "Mmb" else values
            is_text = values.dtype.kind in "OUST"
            result.update(repr((group, name, variable.dims, values.shape)).encode())
            result.update(repr(values.tolist()).encode() if is_text else np.ascontiguousarray(values).tobytes())
    return result.hexdigest()
