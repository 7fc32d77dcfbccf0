"""Trainings as safetensors with JSON notes, never executed; and the start from the weights of another training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xdrought.models.own import OwnNetwork
from xdrought.models.training import History, Training

FORMAT, VERSION = "xdrought.checkpoint", 2


def to_bytes(tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> bytes:
    """The content of a checkpoint file."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    labels = {"format": FORMAT, "version": VERSION, "sum": _sum(plain), **notes}
    return save(plain, {"xdrought": json.dumps(labels)})


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and notes of a file with the content of :func:`to_bytes`.

    Raises
    ------
    ValueError
        For a file of another kind, a newer one, or a damaged one.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            labels = json.loads(stored.metadata()["xdrought"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        kind = labels["format"], labels["version"]
        whole = labels["sum"] == _sum(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise _refused(path, f"is not a whole checkpoint ({error})") from error
    if kind != (FORMAT, VERSION):
        raise _refused(path, f"is {kind[0]!r} of version {kind[1]!r}, not {FORMAT!r} of {VERSION}")
    if not whole:
        raise _refused(path, "is damaged: its sum does not fit")
    return tensors, labels


def _refused(path: Path, what: str) -> ValueError:
    return ValueError(f"checkpoint {path} {what}; delete it to start anew, or name another path")


def _sum(tensors: Mapping[str, Tensor]) -> str:
    """Digest of the names and bytes of the tensors."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def state_of(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that :func:`restore` needs: present and best weights, Adam's moments, and the progress within the epoch."""
    tensors = {f"live.{name}": value for name, value in training.network.state_dict().items()}
    for k, moments in training.optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{k}.{name}": value for name, value in moments.items()}
    best, notes = history_state(training.history, "best")
    return tensors | best, {"history": notes, "step": training.step, "total": training.epoch_total()}


def restore(training: Training, tensors: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
    """Give a new training the state that :func:`state_of` stored."""
    training.network.load_state_dict(_of("live", tensors))
    optimiser = training.optimiser
    step_on = training.device if optimiser.defaults["capturable"] else torch.device("cpu")
    for k, parameter in enumerate(p for group in optimiser.param_groups for p in group["params"]):
        for name, value in _of(f"adam.{k}", tensors).items():
            if value.shape == parameter.shape:  # a copy on the device and in the layout of the parameter
                value = torch.empty_like(parameter).copy_(value)
            elif name == "step":
                value = value.to(step_on)
            optimiser.state[parameter][name] = value.detach()
    training.history = restored_history(tensors, notes["history"], "best")
    training.step = notes["step"]
    training.resume_total(notes["total"])


def history_state(history: History, key: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and notes of a history."""
    tensors = {f"{key}.{name}": value for name, value in history.weights.items()}
    notes = {name: getattr(history, name) for name in ("train_loss", "val_loss", "best_epoch")}
    return tensors, {**notes, "order": list(history.weights)}  # safetensors sorts them


def restored_history(tensors: Mapping[str, Tensor], notes: Mapping[str, Any], key: str) -> History:
    """A history from :func:`history_state`."""
    weights = {name: tensors[f"{key}.{name}"] for name in notes["order"]}
    return History(notes["train_loss"], notes["val_loss"], notes["best_epoch"], weights)


def _of(key: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose name starts with the key, without it."""
    return {name.removeprefix(f"{key}."): value for name, value in tensors.items() if name.startswith(f"{key}.")}


@torch.no_grad()
def take_over(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Give the parts of a network (its children) the weights of another one, and name the parts that do not fit.

    A part is taken over whole or not at all: its tensors must have the same names and shapes in both.

    Raises
    ------
    ValueError
        When no part fits.
    """
    if isinstance(network, OwnNetwork):
        network, weights = network.own, {name.removeprefix("own."): tensor for name, tensor in weights.items()}
    own = network.state_dict()
    parts = list(dict.fromkeys(name.partition(".")[0] for name in own))
    new = [part for part in parts if _shapes(own, part) != _shapes(weights, part)]
    if len(new) == len(parts):
        raise ValueError(
            f"start_from has the parts {sorted({name.partition('.')[0] for name in weights})}, none of which has the "
            f"shapes of this network's {parts}; use the same drivers, widths and variant, or begin without start_from"
        )
    for name, tensor in own.items():
        if name.partition(".")[0] not in new:
            tensor.copy_(weights[name])
    return new


def _shapes(tensors: Mapping[str, Tensor], part: str) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items() if name.partition(".")[0] == part}
