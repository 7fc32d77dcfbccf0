"""A trained network with everything that its use needs: a value, kept in files by `forecaster_file`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought.forecast.driver_inputs import NO_PAST, TargetPast, history_name
from xdrought.scaling import Scaling
from xdrought.splits import PARTS, Splits

if TYPE_CHECKING:
    from torch import Tensor, device, nn

    from xdrought.leakage import Certificate
    from xdrought.models import Architecture

__all__ = ["Forecaster"]


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
        Days from the last input day to the forecast day.
    scaling : xdrought.scaling.Scaling
        Of the training part; with ``past.change`` that of the target is of its change.
    causality : xarray.Dataset or None
        `rho` and `p_value` of the training part on the places, `variable` and `cell`.
    splits : xdrought.splits.Splits
        Date ranges of training, validation and test targets.
    history : xarray.Dataset
        `train_loss` and `val_loss` on (run, epoch), of scaled values, and the `best_epoch` of each run.
    settings : mapping
        Epochs, batch size, learning rate, seed, and how many windows each part had.
    past : xdrought.target_past.TargetPast
        What the network knows of the target's own past, nothing by default.
    steps : mapping
        Degrees of `lat` and `lon` from one cell of a patch to the next, where they are known.
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
    past: TargetPast = NO_PAST
    steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def drivers(self) -> tuple[Hashable, ...]:
        """The features without the target's own past."""
        return tuple(name for name in self.features if not (self.past.history and name == history_name(self.target)))

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
        from xdrought.forecast.blocks import network_of

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
        from xdrought.forecast.forecaster_file import write

        write(self, path)

    def certificate(
        self,
        ds: xr.Dataset,
        *,
        reference: xr.DataArray | None = None,
        near_km: float = 1.0,
        batch_size: int = 512,
        device: str | device = "auto",
    ) -> Certificate:
        """State, from the data, what every statistic was computed on, and whether any of them looks at a tested day.

        Everything is computed again from the data of the training: nothing is taken on trust from the forecaster.

        Parameters
        ----------
        ds : xarray.Dataset
            The data of the training. What is used of them is read into memory.
        reference : xarray.DataArray, optional
            Record that onset probabilities refer to, where one is given to :func:`xdrought.predict`.
        near_km : float
            Distance below which a place that is held out and one of training are the same spot.
        batch_size : int
            Windows at a time where the losses are computed again.
        device : str or torch.device
            "auto", "cpu", "cuda", ...

        Returns
        -------
        Certificate
            ``.clean`` is True only when nothing was found and everything could be checked.

        Raises
        ------
        KeyError
            For a variable that is not there.
        TypeError
            For data or a reference of another kind.
        ValueError
            For a distance that is not above 0, units or dimensions that do not fit, or no complete window.

        Notes
        -----
        What is looked for, and what cannot be seen, is on the page on leakage.

        Examples
        --------
        >>> import numpy as np, pandas as pd, xarray as xr
        >>> from xdrought import fit_resattcaurec
        >>> rain = np.random.default_rng(0).random((1, 400))
        >>> soil = np.apply_along_axis(np.convolve, 1, rain, 0.95 ** np.arange(60))[:, :400]
        >>> ds = xr.Dataset({"tp": (("site", "time"), rain), "soil_moisture": (("site", "time"), soil)})
        >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=400))
        >>> options = dict(variant="Rec", widths=(4, 4), epochs=1, device="cpu", progress=False)
        >>> fit_resattcaurec(ds, "soil_moisture", **options).certificate(ds, device="cpu").clean
        True
        >>> fit_resattcaurec(ds, "soil_moisture", embargo=0, **options).certificate(ds, device="cpu").leaks
        ('embargo',)
        """
        from xdrought.leakage import issue_certificate

        return issue_certificate(self, ds, reference=reference, near_km=near_km, batch_size=batch_size, device=device)

    def describe(self) -> str:
        """Variant, equations and number of runs in words."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return f"{self.variant} ({self.architecture.equations}), {runs}"

    def __repr__(self) -> str:
        lines = [f"  {name:<9} {text}" for name, text in self._facts().items()]
        return "\n".join([f"<xdrought.Forecaster {self.describe()}>", *lines])

    def _repr_html_(self) -> str:
        """What notebooks show: the same as the text, and the losses of every run behind a triangle."""
        rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in self._facts().items())
        losses = self.history[["train_loss", "val_loss"]].to_dataframe().unstack("run").to_html(border=0)
        return (
            f"<div><b>xdrought.Forecaster</b> {escape(self.describe())}<table>{rows}</table>"
            f"<details><summary>history</summary>{losses}</details></div>"
        )

    def _facts(self) -> dict[str, str]:
        """What it forecasts, from what, and how well, in words."""
        spec, best = self.architecture, self.history.val_loss.min("epoch").values
        counts = ", ".join(f"{self.settings.get(f'{part}_windows', '?')} {part}" for part in PARTS)
        units = self.units.get(self.target)
        numbers = sum(tensor.numel() for tensor in self.weights[0].values())
        return {
            "target": f"{self.target}{f' ({units})' if units else ''}, {self.lead} days ahead",
            "inputs": f"{spec.window} days x {len(self.features)} drivers x {self.size} x {self.size} cells",
            "drivers": ", ".join(map(str, self.features)),
            "own past": self.past.describe(),
            "windows": f"{counts}; embargo {self.splits.embargo} days",
            "network": f"widths {spec.widths}, {numbers:,} numbers",
            "best loss": f"{', '.join(f'{loss:.4g}' for loss in best)} in validation (target: variance 1)",
        }
