"""A trained network with everything that its use needs: a value, kept in files by `forecaster_file`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought.scaling import Scaling
from xdrought.splits import PARTS, Splits

if TYPE_CHECKING:
    from torch import Tensor, device, nn

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
        Of the training part.
    causality : xarray.Dataset or None
        `rho` and `p_value` of the training part on the places, `variable` and `cell`.
    splits : xdrought.splits.Splits
        Date ranges of training, validation and test targets.
    history : xarray.Dataset
        `train_loss` and `val_loss` on (run, epoch), of scaled values, and the `best_epoch` of each run.
    settings : mapping
        Epochs, batch size, learning rate, seed, and how many windows each part had.
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
        import torch

        from xdrought.models.zoo import build_architecture

        with torch.device("meta"):  # no initial weights are drawn: the global random state stays as it is
            network = build_architecture(self.architecture)
        network.load_state_dict({name: w.clone() for name, w in self.weights[run].items()}, assign=True)
        return network.to(device).eval()

    def save(self, path: str | Path) -> None:
        """Write to one file: labels, scaling, causality and weights, without pickle.

        Parameters
        ----------
        path : str or pathlib.Path
            The file, by custom ``*.xdrought``. It is replaced only when the new one is complete.

        See Also
        --------
        xdrought.forecast.load
        """
        from xdrought.forecaster_file import write

        write(self, path)

    def __repr__(self) -> str:
        spec, best = self.architecture, self.history.val_loss.min("epoch").values
        counts = ", ".join(f"{self.settings.get(f'{part}_windows', '?')} {part}" for part in PARTS)
        units = self.units.get(self.target)
        width = f"{self.size} x {self.size} cells"
        numbers = sum(tensor.numel() for tensor in self.weights[0].values())
        return "\n".join(
            [
                f"<xdrought.Forecaster {spec.variant} ({spec.equations}), {self.runs} run(s)>",
                f"  target    {self.target}{f' ({units})' if units else ''}, {self.lead} days ahead",
                f"  inputs    {spec.window} days x {len(self.features)} drivers x {width}",
                f"  drivers   {', '.join(map(str, self.features))}",
                f"  windows   {counts}; embargo {self.splits.embargo} days",
                f"  network   widths {spec.widths}, {numbers:,} numbers",
                f"  best loss {', '.join(f'{loss:.4g}' for loss in best)} in validation (target: variance 1)",
            ]
        )


def resolve_device(name: str | device, caller: str) -> device:
    """The torch device of a name; "auto" is a GPU when there is one.

    Raises
    ------
    ValueError
        When there is no such device here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{caller}: device={name!r} is not usable here ({reason}); "
            f'use device="cpu", or "auto" for a GPU where there is one'
        ) from error
    return found
