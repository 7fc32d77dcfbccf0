"""The weather of the lead days of windows in tensors: an index into days that are held once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdrought.windows.tensors import ResidentCube

if TYPE_CHECKING:
    from torch import Tensor


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
        found = self.values[cell, row.clamp(min=0)]
        return found.masked_fill((row < 0)[:, None, None], float("nan"))


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
