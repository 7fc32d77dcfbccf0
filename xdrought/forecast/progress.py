"""What a training tells on the way: a bar or a line an epoch, and its losses as a csv file and for TensorBoard."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from xdrought import files

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.models.training import History, Training


class Progress:
    """A bar over all batches of all runs, with the losses and the time left, or without a terminal a line an epoch.

    Lines go to the logger ``xdrought``, and to stderr where nobody has set up logging. On one process only.
    """

    def __init__(self, name: str, runs: int, epochs: int, wanted: bool):
        from tqdm.auto import tqdm

        from xdrought.models.norm import rank

        self.name, self.runs, self.epochs = name, runs, epochs
        wanted, drawn = wanted and rank() == 0, sys.stderr.isatty() or "ipykernel" in sys.modules
        self.bar = tqdm(desc=name, unit="batch", disable=not (wanted and drawn))
        self.logger = logging.getLogger("xdrought") if wanted and not drawn else None

    def __enter__(self) -> Progress:
        self.handler, self.level = None, None
        if self.logger is not None and not self.logger.hasHandlers():
            self.handler, self.level = logging.StreamHandler(sys.stderr), self.logger.level
            self.logger.addHandler(self.handler)
            self.logger.setLevel(logging.INFO)
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        if self.logger is not None and self.handler is not None and self.level is not None:
            self.logger.removeHandler(self.handler)
            self.logger.setLevel(self.level)

    def begin(self, run: int, training: Training) -> None:
        """Show where a run starts from, which after a checkpoint is not its first batch."""
        self.run, self.training, n_batches = run, training, training.n_batches
        if self.bar.disable:
            return
        self.bar.total = self.runs * self.epochs * n_batches
        done = (run * self.epochs + training.epoch) * n_batches + training.step
        self.bar.initial += done - self.bar.n  # not done just now: no part of the speed
        self.bar.n = done
        self.bar.refresh()

    def batch(self, loss: Tensor) -> None:
        if self.bar.update():  # the bar was drawn: only then is the loss read, for which a GPU must be waited for
            self.bar.set_postfix_str(f"epoch={self.training.epoch}, batch loss={float(loss):.4f}{self._best()}")

    def epoch(self, train_loss: float, val_loss: float) -> None:
        losses = f"train={train_loss:.4f}, val={val_loss:.4f}{self._best()}"
        self.bar.set_postfix_str(losses)
        if self.logger is not None:
            run = f" run {self.run + 1}/{self.runs}" if self.runs > 1 else ""
            self.logger.info("%s%s epoch %d/%d: %s", self.name, run, self.training.epoch, self.epochs, losses)

    def _best(self) -> str:
        losses = self.training.history.val_loss
        return f", best val={min(losses):.4f}" if losses else ""


def history_of(histories: Sequence[History]) -> xr.Dataset:
    """The losses on (run, epoch)."""
    dims, names = ("run", "epoch"), {"train_loss": "training", "val_loss": "validation"}
    n_epochs = max(len(h.train_loss) for h in histories)
    losses = {
        name: (
            dims,
            [_filled(getattr(h, name), n_epochs) for h in histories],
            {"long_name": f"{part} loss, scaled", "units": "1"},
        )
        for name, part in names.items()
    }
    best = ("run", [h.best_epoch for h in histories], {"long_name": "epoch whose weights are kept"})
    coords = {"run": range(len(histories)), "epoch": range(n_epochs)}
    return xr.Dataset({**losses, "best_epoch": best}, coords)


def _filled(losses: Sequence[float], n: int) -> list[float]:
    """Losses of a run that ended early, NaN in the epochs that it did not do."""
    return [*losses, *[float("nan")] * (n - len(losses))]


def write_losses(path: str | Path | None, histories: Sequence[History]) -> None:
    """Both losses of every run and epoch so far, as a csv file that is replaced whole."""
    from xdrought.models.norm import rank

    if path is None or rank() > 0:
        return
    table = history_of(histories)[["train_loss", "val_loss"]].to_dataframe().dropna().reset_index()
    with files.replacing(Path(path)) as part:
        table.to_csv(part, index=False)


class Board:
    """Both losses of each run as TensorBoard reads them."""

    def __init__(self, folder: str | Path):
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.open, self.writers = Path(folder), SummaryWriter, dict[int, Any]()

    def epoch(self, run: int, epoch: int, train_loss: float, val_loss: float) -> None:
        if run not in self.writers:
            self.writers[run] = self.open(str(self.folder / f"run{run}"))
        self.writers[run].add_scalar("loss/train", train_loss, epoch)
        self.writers[run].add_scalar("loss/val", val_loss, epoch)
        self.writers[run].flush()

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()


def board_in(folder: str | Path | None) -> AbstractContextManager[Board | None]:
    """A board for the first process, where one is wanted."""
    from xdrought.models.norm import rank

    return nullcontext() if folder is None or rank() > 0 else closing(Board(folder))
