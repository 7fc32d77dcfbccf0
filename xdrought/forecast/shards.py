"""The windows of a training, in shards of sites of which one is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xdrought import files
from xdrought.devices import copied_to
from xdrought.forecast.forcing import GivenWeather, blocks_of
from xdrought.forecast.missing_inputs import GivenFilling
from xdrought.windows.labelled import Patches
from xdrought.windows.selection import SITE

if TYPE_CHECKING:
    from torch import Tensor, device

    from xdrought.models.batches import Batch
    from xdrought.windows.tensors import LeadWeather, ResidentCube


class Shards(Sequence["SiteShard"]):
    """Shards of a training; reading one lets go of the one before.

    Parameters
    ----------
    windows : Patches
        Scaled; dask and zarr are read shard by shard.
    vectors : torch.Tensor or None
        (cells, n_causal) causality degrees.
    parts : mapping
        Positions of the windows of "train" and "val".
    device : torch.device
        Where a shard's days are kept.
    sites_in_memory : int, optional
        Sites of a shard; by default there is one shard of all.
    targets : numpy.ndarray, optional
        (N, lead) scaled targets of several leads, NaN where there is none.
    weather : GivenWeather, optional
        The weather of the lead days.
    by_lead : bool
        Whether the network answers for leads, (N, lead), and not (N,).
    filling : GivenFilling, optional
        How missing values are filled, and the share of drivers that is dropped while learning.

    Raises
    ------
    ValueError
        For shards of a grid.
    """

    def __init__(
        self,
        windows: Patches,
        vectors: Tensor | None,
        parts: Mapping[str, np.ndarray],
        device: device,
        sites_in_memory: int | None = None,
        *,
        targets: np.ndarray | None = None,
        weather: GivenWeather | None = None,
        by_lead: bool = False,
        filling: GivenFilling | None = None,
    ):
        self.windows, self.device, self.targets = windows, device, targets
        self.weather, self.by_lead, self.filling = weather, by_lead, filling
        self.vectors = None if vectors is None else vectors.to(device)
        self._resident: tuple[int, ResidentCube, LeadWeather | None] | None = None
        self._shards = [SiteShard(self, k, sites, parts) for k, sites in enumerate(self._blocks(sites_in_memory))]

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, k: int) -> SiteShard:  # type: ignore[override]
        return self._shards[k]

    def cube(self, k: int) -> ResidentCube:
        """The resident days of shard k."""
        return self._read(k)[0]

    def ahead(self, k: int) -> LeadWeather | None:
        """The weather of the lead days of shard k."""
        return self._read(k)[1]

    def _read(self, k: int) -> tuple[ResidentCube, LeadWeather | None]:
        if self._resident is None or self._resident[0] != k:
            self._resident = None  # let go first: never two in memory
            shard = self._shards[k]
            cube = self._with_targets(self.windows.to_torch(self.device, shard.sites), shard.windows)
            weather = self._weather(cube, shard.sites)
            cube = cube if self.filling is None else self.filling.of(cube, shard.sites)
            # batches are put together on the CPU, while a GPU computes
            self._resident = k, replace(cube, cell=cube.cell.cpu(), start=cube.start.cpu()), weather
        return self._resident[1:]

    def _with_targets(self, cube: ResidentCube, windows: slice) -> ResidentCube:
        """The targets on (N, lead) where the network answers for leads."""
        import torch

        if self.targets is not None:
            return replace(cube, target=torch.from_numpy(self.targets[windows].astype("float32")).to(self.device))
        if self.by_lead and cube.target is not None:
            return replace(cube, target=cube.target[:, None])
        return cube

    def _weather(self, cube: ResidentCube, sites: slice | None) -> LeadWeather | None:
        if self.weather is None:
            return None
        given = self.weather.given
        given = given if given is None or sites is None else given.isel({SITE: sites})
        blocks = blocks_of(given, self.windows)
        return self.weather.source.weather(cube, None if blocks is None else np.asarray(blocks))

    def sums(self) -> dict[str, str]:
        """Sums of all that a training sees, as text; drivers are read shard by shard."""
        n_shards = range(len(self))
        places = np.concatenate([self.windows.cell, self.windows.start])
        chosen = [getattr(self[k], part).numpy() for k in n_shards for part in ("train", "val")]
        found = {} if self.filling is None else {"missing": _sum_of_filling(self.filling)}
        return found | {
            "drivers": files.digest(self.cube(k).cube.cpu().numpy() for k in n_shards),
            "targets": files.digest(self.windows.targets if self.targets is None else self.targets),
            "split": files.digest(places, *chosen),
            "causality": files.digest("" if self.vectors is None else self.vectors.cpu().numpy()),
            "forcing": "" if self.weather is None else self._sum_of_weather(self.weather),
        }

    def _sum_of_weather(self, weather: GivenWeather) -> str:
        source, given = weather.source, weather.given
        values = np.zeros(0) if given is None else given.to_numpy()
        return files.digest([np.frombuffer(source.kind.encode(), "uint8"), values])

    def _blocks(self, sites_in_memory: int | None) -> Iterator[slice | None]:
        if sites_in_memory is None:
            yield None
            return
        if self.windows.on_grid:
            raise ValueError(
                "sites_in_memory is for sites; a grid is trained as a whole: "
                "choose a region, or stack its cells as sites with xdrought.data.collocate"
            )
        n_sites = self.windows.data.sizes["site"]
        for first in range(0, n_sites, sites_in_memory):
            yield slice(first, min(first + sites_in_memory, n_sites))


class SiteShard:
    """The windows of some sites; :class:`xdrought.models.batches.Shard`."""

    def __init__(self, owner: Shards, k: int, sites: slice | None, parts: Mapping[str, np.ndarray]):
        import torch

        windows = owner.windows
        self.owner, self.k, self.sites = owner, k, sites
        self.first_cell = 0 if sites is None else sites.start
        stop = len(windows) if sites is None else int(np.searchsorted(windows.cell, sites.stop))
        first = int(np.searchsorted(windows.cell, self.first_cell))
        self.windows = slice(first, stop)
        self.cell, self.start = (torch.from_numpy(a[first:stop]) for a in (windows.cell, windows.start))
        inside = {part: parts[part][(parts[part] >= first) & (parts[part] < stop)] - first for part in ("train", "val")}
        self.train, self.val = (torch.from_numpy(inside[part]) for part in ("train", "val"))

    def batch(self, index: Tensor, seed: int = 0, learning: bool = False) -> Batch:
        """The windows at positions `index` of this shard; `seed` draws a member of the weather of their lead days.

        When `learning`, it also draws the drivers that are dropped.
        """
        from xdrought.models.batches import Batch
        from xdrought.windows.tensors import leads_known

        cube, ahead, vectors = self.owner.cube(self.k), self.owner.ahead(self.k), self.owner.vectors
        assert cube.target is not None
        device = cube.cube.device
        causality = None if vectors is None else vectors[copied_to(cube.cell[index] + self.first_cell, device)]
        target, filling = cube.target[copied_to(index, device)], self.owner.filling
        dropped = filling.driver_dropout if filling is not None and learning else 0.0
        days = cube.days(index, dropped=dropped, seed=seed + 1)  # not the draws of the member
        if ahead is None:
            return Batch(*days, causality, target)
        cell, last = (copied_to(each[index], device) for each in (cube.cell, cube.start + cube.window - 1))
        weather = ahead.draw(cell, last, seed)
        known = leads_known(weather)[:, [lead - 1 for lead in self.owner.windows.leads]]
        target = target.masked_fill(~known, float("nan"))
        return Batch(*days, causality, target, weather.nan_to_num(0.0))


def _sum_of_filling(filling: GivenFilling) -> str:
    text = f"{filling.rule.policy}, {filling.driver_dropout!r}"
    return files.digest([np.frombuffer(text.encode(), "uint8"), filling.usual.to_numpy()])
