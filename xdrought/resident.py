"""All days of all places in one tensor, from which windows are gathered by index and never stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdrought.patch_index import corner

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class ResidentCube:
    """Windows as an index into one resident tensor.

    Parameters
    ----------
    cube : torch.Tensor
        Contiguous; (site, time, variable, size, size), or (time, variable, lat, lon) of a grid.
    cell, start : torch.Tensor
        (N,) centre cell (site, or flat index of the grid) and first day of each window, sorted by cell.
    target : torch.Tensor or None
        (N,) target of each window.
    window, size : int
        Days, and cells on a side.
    """

    cube: Tensor
    cell: Tensor
    start: Tensor
    target: Tensor | None
    window: int
    size: int

    @property
    def on_grid(self) -> bool:
        return self.cube.ndim == 4

    def __len__(self) -> int:
        return len(self.start)

    def gather(self, index: Tensor) -> Tensor:
        """Windows (N, window, variable, size, size) of the positions `index` (N,); only these are copied."""
        cell, start = self.cell[index], self.start[index]
        if self.on_grid:
            row, column = corner(cell, self.cube.shape[3], self.size)
            return self._boxes()[row, column, start]
        n_time, *frame = self.cube.shape[1:]
        rows = self._rows().index_select(0, cell * n_time + start)  # [N, window * frame]
        return rows.view(-1, self.window, *frame)

    def frames(self, cell: int) -> Tensor:
        """Every day's patch around one cell, (time, variable, size, size), without a copy."""
        if not self.on_grid:
            return self.cube[cell]
        row, column = corner(cell, self.cube.shape[3], self.size)
        return self.cube[:, :, row : row + self.size, column : column + self.size]

    def _rows(self) -> Tensor:
        """Sites: the cube as overlapping rows of `window` days, strides only; a row that starts in a
        site's last days runs into the next site, so no window starts there."""
        n_site, n_time, *_ = self.cube.shape
        day = self.cube.stride(1)
        shape = (n_site * n_time - self.window + 1, self.window * day)
        return self.cube.view(-1).as_strided(shape, (day, 1))

    def _boxes(self) -> Tensor:
        """Grid: the cube seen as all windows of all corners, strides only."""
        n_time, n_variable, n_lat, n_lon = self.cube.shape
        by_day, by_variable, by_lat, by_lon = self.cube.stride()
        corners = (n_lat - self.size + 1, n_lon - self.size + 1, n_time - self.window + 1)
        shape = (*corners, self.window, n_variable, self.size, self.size)
        return self.cube.as_strided(shape, (by_lat, by_lon, by_day, by_day, by_variable, by_lat, by_lon))
