"""Where torch computes: a device by name; and what to say where there is no torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import device


def require_torch() -> None:
    """Raise ModuleNotFoundError unless torch is installed; everything without networks works without it."""
    if find_spec("torch") is None:
        raise ModuleNotFoundError(
            "needs torch, which is not installed here; pip install 'xdrought[forecast]'", name="torch"
        )


def resolve_device(name: str | device) -> device:
    """The torch device of a name; "auto" is a GPU when there is one.

    Raises
    ------
    ValueError
        When there is no such device here.
    ModuleNotFoundError
        Without torch.
    """
    require_torch()
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device={name!r} is not usable here ({reason}); use device="cpu", or "auto" for a GPU where there is one'
        ) from error
    return found
