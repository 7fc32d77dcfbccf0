"""Where torch computes: a device by name; and what to say where there is no torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, device


_P = ParamSpec("_P")
_T = TypeVar("_T")


def with_gradients(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function that needs gradients also within a caller's ``torch.no_grad`` or ``torch.inference_mode``."""

    @functools.wraps(function)
    def able(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        require_torch()
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            return function(*args, **kwargs)

    return able


def require_torch() -> None:
    """Raise ModuleNotFoundError unless torch is installed; everything without networks works without it."""
    if find_spec("torch") is None:
        raise ModuleNotFoundError(
            "needs torch, which is not installed here; pip install 'xdrought[forecast]'", name="torch"
        )


def copied_to(tensor: Tensor, device: device) -> Tensor:
    """A tensor on a device; a GPU gets it from pinned memory, while the caller goes on."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


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
        result = torch.device(name)
        torch.empty(0, device=result)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device={name!r} is not usable here ({reason}); use device="cpu", or "auto" for a GPU where there is one'
        ) from error
    return result
