"""All days of all places in one tensor, from which windows and the weather of their lead days are gathered by index."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from xdrought.devices import copied_to
from xdrought.windows.filling import drop_drivers, fill_windows, with_mask
from xdrought.windows.selection import corner

if TYPE_CHECKING:
    from torch import Tensor

    from xdrought.windows.filling import Filling

FRAMES = 512  # on a GPU the maps of a batch are filled up to a multiple of this: few shapes, which can be compiled


@dataclass(frozen=True, eq=False)
class ResidentCube:
    """Windows as an index into one resident tensor.

    Parameters
    ----------
    cube : torch.Tensor
        Contiguous; (site, time, variable, size, size), or (time, variable, lat, lon) of a grid.
    cell, start : torch.Tensor
        (N,) centre cell (site, or flat index of the grid) and first day of each window, sorted by cell. They may stay
        on the CPU when the cube is on a GPU: then :meth:`days` never waits for the GPU.
    target : torch.Tensor or None
        (N,) target of each window, or (N, leads) of several leads.
    window, size : int
        Days, and cells on a side.
    filling : Filling, optional
        How missing values are filled. Windows then hold twice as many variables: behind those of the cube a mask for
        each, 1 where it was observed.
    """

    cube: Tensor
    cell: Tensor
    start: Tensor
    target: Tensor | None
    window: int
    size: int
    filling: Filling | None = None

    @property
    def on_grid(self) -> bool:
        return self.cube.ndim == 4

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, i: int) -> Tensor | tuple[Tensor, Tensor]:
        """Window i, with its target where there is one: what torch's DataLoader asks of a map-style Dataset."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"window {i} of {len(self)}")
        position = self.start.new_tensor([int(i) % len(self)])
        window = self.gather(position)[0]
        return window if self.target is None else (window, self.target[position[0]])

    def gather(self, index: Tensor, out: Tensor | None = None) -> Tensor:
        """Windows (N, window, variable, size, size) of the positions `index` (N,); only these are copied.

        Of sites they are written to `out` where it is given: reused memory is much faster on a CPU. Where missing
        values are filled, variables are followed by their masks.
        """
        return self._as_recorded(index, out) if self.filling is None else self._fill(self._as_recorded(index), index)

    def has_missing(self, index: Tensor) -> Tensor:
        """(N, window) True where a value of the day is missing, of the windows at the positions `index`."""
        return ~self._as_recorded(index).isfinite().flatten(2).all(2)

    def until(self, n: int) -> ResidentCube:
        """Window n alone, cut from a record that ends with its last day."""
        end = int(self.start[n]) + self.window
        cell = self.cell[n : n + 1]
        if self.on_grid:
            cube, filling = self.cube[:end], self.filling
        else:
            place = slice(int(cell), int(cell) + 1)
            cube, cell, filling = self.cube[place, :end].contiguous(), cell * 0, self.filling
            filling = None if filling is None else replace(filling, cycle=filling.cycle[place])
        return replace(self, cube=cube, cell=cell, start=self.start[n : n + 1], target=None, filling=filling)

    def _as_recorded(self, index: Tensor, out: Tensor | None = None) -> Tensor:
        """Windows (N, window, variable, size, size) with what is missing in them."""
        import torch

        cell, start = (copied_to(each[index], self.cube.device) for each in (self.cell, self.start))
        if self.on_grid:
            row, column = corner(cell, self.cube.shape[3], self.size)
            return self._boxes()[row, column, start]
        n_time, *frame = self.cube.shape[1:]
        row = cell * n_time + start
        if out is None:
            out = self.cube.new_empty(len(row), self.window, *frame)
        torch.index_select(self._rows(), 0, row, out=out.view(len(row), -1))  # [N, window * frame]
        return out

    def _fill(self, x: Tensor, index: Tensor) -> Tensor:
        """Windows `x`, at the positions `index`, filled and with their masks."""
        import torch

        assert self.filling is not None
        device = self.cube.device
        cell, start = self.cell[index], copied_to(self.start[index], device)
        n_coefficients = self.filling.basis.shape[1]
        cycle = ResidentCube(self.filling.cycle, cell, cell * 0, None, n_coefficients, self.size)
        usual = self.filling.usual(cycle._as_recorded(torch.arange(len(cell), device=cell.device)), start, self.window)
        return with_mask(*fill_windows(x, usual, self.filling.policy))

    def days(
        self, index: Tensor, multiple: int | None = None, *, dropped: float = 0.0, seed: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The windows at the positions `index` (N,) with every day of a cell once.

        Where missing values are filled, a day with something missing is there for each window that holds it, as that
        window sees it; the share `dropped` of drivers and days, drawn by `seed`, is taken out before.

        The number of maps F is filled up to a `multiple`, by default 512 on a GPU and 1 elsewhere, with maps that no
        window holds: their counts are 0, and they change neither result nor gradients.

        Returns
        -------
        frames : torch.Tensor
            (F, variable, size, size) maps of the days that some window holds.
        position : torch.Tensor
            (N, window) which of them: ``frames[position]`` are the windows of :meth:`gather`.
        counts : torch.Tensor
            (F,) how many windows hold each.
        """
        import torch

        if self.filling is not None:
            return self._filled_days(index, multiple, dropped, seed)
        n_time = self.cube.shape[0 if self.on_grid else 1]
        day = self._days_of(index)
        used, position, counts = day.unique(return_inverse=True, return_counts=True)
        filling = -len(used) % (multiple or (FRAMES if self.cube.device.type == "cuda" else 1))
        used = torch.cat([used, used[:1].expand(filling)])
        counts = torch.cat([counts, counts.new_zeros(filling)])
        used, position, counts = (copied_to(each, self.cube.device) for each in (used, position, counts))
        each = replace(self, cell=used // n_time, start=used % n_time, target=None, window=1)
        return each.gather(torch.arange(len(used), device=used.device))[:, 0], position, counts

    def _days_of(self, index: Tensor) -> Tensor:
        """(N, window) a number for each day of a cell."""
        import torch

        n_time = self.cube.shape[0 if self.on_grid else 1]
        offsets = torch.arange(self.window, device=self.start.device)
        return (self.cell[index] * n_time + self.start[index])[:, None] + offsets

    def _filled_days(
        self, index: Tensor, multiple: int | None, dropped: float, seed: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`days` where missing values are filled; days that are whole are shared."""
        import torch

        x = self._as_recorded(index)
        x = drop_drivers(x, dropped, seed) if dropped else x
        whole = x.isfinite().flatten(2).all(2).to(self.start.device)  # [N, window]
        frames = self._fill(x, index).flatten(0, 1)
        every = torch.arange(whole.numel(), device=whole.device)
        number = self._days_of(index).where(whole, -1 - every.view(whole.shape))
        used, position, counts = number.unique(return_inverse=True, return_counts=True)
        first = torch.empty_like(used).scatter_(0, position.flatten(), every)  # one of the equal frames of each day
        filling = -len(used) % (multiple or (FRAMES if self.cube.device.type == "cuda" else 1))
        first = torch.cat([first, first[:1].expand(filling)])
        counts = torch.cat([counts, counts.new_zeros(filling)])
        first, position, counts = (copied_to(each, self.cube.device) for each in (first, position, counts))
        return frames[first], position, counts

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


@cache
def _dataset_class() -> type[ResidentCube]:
    from torch.utils.data import Dataset

    class WindowDataset(ResidentCube, Dataset):
        """Windows as a map-style :class:`torch.utils.data.Dataset`: item i is (window, target), or the window alone."""

    WindowDataset.__module__, WindowDataset.__qualname__ = __name__, "WindowDataset"
    return WindowDataset


def __getattr__(name: str) -> Any:
    """``WindowDataset``, made when it is first named, for torch is not imported before."""
    if name == "WindowDataset":
        return _dataset_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, eq=False)
class LeadWeather:
    """Scaled weather of the lead days after every day of issue, in one or several members.

    Parameters
    ----------
    values : torch.Tensor
        (cell, row, lead, variable); a view where the lead days of several rows are the same days.
    rows : torch.Tensor
        (cell or 1, day of issue, member) int64: the row of a member, -1 where it does not exist.
    """

    values: Tensor
    rows: Tensor

    @property
    def n_members(self) -> int:
        return self.rows.shape[2]

    def of_member(self, cell: Tensor, day: Tensor, member: int) -> Tensor:
        """(N, lead, variable) of a member after the days `day` (N,) of `cell` (N,); NaN where nothing is known."""
        return self._at(cell, self._rows_of(cell, day)[:, member])

    def draw(self, cell: Tensor, day: Tensor, seed: int) -> Tensor:
        """(N, lead, variable) of one member for each window, drawn from those that know the most lead days."""
        import torch

        rows = self._rows_of(cell, day)  # [N, member]
        if self.n_members == 1:
            return self._at(cell, rows[:, 0])
        each = self._at(cell.repeat_interleave(self.n_members), rows.flatten())  # [N * member, lead, variable]
        n_known = leads_known(each).sum(1).view(rows.shape)
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same draws on every device
        chance = torch.rand(rows.shape, generator=generator).to(n_known.device)
        chosen = (n_known + chance).argmax(1)
        return each.view(*rows.shape, *each.shape[1:])[torch.arange(len(rows), device=chosen.device), chosen]

    def _rows_of(self, cell: Tensor, day: Tensor) -> Tensor:
        return self.rows[cell if len(self.rows) > 1 else cell * 0, day]

    def _at(self, cell: Tensor, row: Tensor) -> Tensor:
        result = self.values[cell, row.clamp(min=0)]
        return result.masked_fill((row < 0)[:, None, None], float("nan"))


def leads_known(ahead: Tensor) -> Tensor:
    """(N, lead) True up to the first lead day of which something is missing, of weather (N, lead, variable)."""
    return ahead.isfinite().all(2).cumprod(1).bool()


def of_observations(windows: ResidentCube, future: tuple[int, ...], n_leads: int, rows: Tensor | None) -> LeadWeather:
    """The observed central values of some drivers on the days after each day, or after the days that `rows` name."""
    import torch

    days = central_values(windows, future)  # [cell, time, variable]
    beyond = days.new_full((len(days), n_leads, days.shape[2]), float("nan"))
    after = torch.cat([days[:, 1:], beyond], 1).unfold(1, n_leads, 1).transpose(2, 3)  # [cell, time, lead, variable]
    rows = torch.arange(days.shape[1], device=days.device)[None, :, None] if rows is None else rows
    return LeadWeather(after, rows)


def of_forecasts(values: Tensor) -> LeadWeather:
    """Forecasts (cell, day of issue, member, lead, variable)."""
    import torch

    _, n_days, n_members = values.shape[:3]
    rows = torch.arange(n_days * n_members, device=values.device).view(1, n_days, n_members)
    return LeadWeather(values.flatten(1, 2), rows)


def central_values(windows: ResidentCube, future: tuple[int, ...]) -> Tensor:
    """(cell, time, variable): the mean of the central cells, four of an even size and one of an odd size."""
    chosen = list(future)
    if not windows.on_grid:
        first, last = (windows.size - 1) // 2, windows.size // 2 + 1
        return windows.cube[:, :, chosen, first:last, first:last].mean((3, 4))
    days = windows.cube[:, chosen].permute(2, 3, 0, 1)  # [lat, lon, time, variable]
    if windows.size % 2 == 0:
        padded = days.new_full((days.shape[0] + 1, days.shape[1] + 1, *days.shape[2:]), float("nan"))
        padded[:-1, :-1] = days
        days = (padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]) / 4
    return days.flatten(0, 1)
