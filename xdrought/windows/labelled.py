"""Windows of days and cells, labelled: which exist, what they hold, and the way back to coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xdrought import limits, shown
from xdrought.devices import require_torch
from xdrought.public_functions import public
from xdrought.windows.dimension_names import DimensionNames, dimension_names, time_name
from xdrought.windows.selection import (
    GRID,
    INIT,
    LEAD,
    PATCH,
    SITE,
    VALID,
    Arranged,
    Lead,
    are_several,
    arrange,
    check_lengths,
    corner,
    daily_index,
    whole_patches,
    window_starts,
)

if TYPE_CHECKING:
    from xdrought.windows.tensors import ResidentCube

__all__ = ["Patches", "patches"]


@public
def patches(
    ds: xr.Dataset,
    target: Hashable | None = None,
    *,
    drivers: Sequence[Hashable] | None = None,
    size: int | None = None,
    window: int = 15,
    lead: Lead = 7,
    require_target: bool | None = None,
    site: Hashable | None = None,
    lat: Hashable | None = None,
    lon: Hashable | None = None,
    time: Hashable = "time",
) -> Patches:
    """Windows of `window` days and `size` x `size` cells, with the target `lead` days after the last day.

    Parameters
    ----------
    ds : xarray.Dataset
        Daily data. Sites: drivers on (site, time[, patch_lat, patch_lon]), target on (site, time); drivers
        without a patch are 1 x 1. A grid: everything on (time, lat, lon), and each cell whose patch is
        complete is a centre. Dask is welcome, with time in one chunk.
    target : hashable, optional
        The variable to forecast; None for windows without a target.
    drivers : sequence of hashable, optional
        The drivers, in the order of the `variable` dimension. By default all numeric variables over time
        except the target, quality flags (``*_qc``) and simulated truths (``truth_*``); only those with a
        patch if any has.
    size : int, optional
        Cells on a side. By default the patch of the site data as it is, or 10 on a grid. The centre of an
        even size lies between cells ``size / 2 - 1`` and ``size / 2``; on a grid the former is the centre
        cell.
    window : int
        Days of input.
    lead : int, timedelta or sequence of them
        Days from the last day of input to the target, as a number or a timedelta of Python, numpy or pandas. Several,
        e.g. ``range(1, 15)``, give every window a target for each, on ``lead_time``.
    require_target : bool, optional
        Whether a window counts only where its target is known, of several leads at one of them; the default is True
        when there is a `target`. Otherwise windows reach to the last day of the record, and valid times `lead` days
        beyond.
    site, lat, lon : hashable, optional
        What the data call these dimensions or coordinates. By default ``site``, ``lat`` and ``lon``, or where these
        are not there, what CF attributes say (``cf_role`` "timeseries_id", ``standard_name`` or ``units``).
    time : hashable
        The time dimension; by default ``time``, or the dimension that is time by its CF attributes.
        Missing days are inserted as NaN.

    Returns
    -------
    Patches
        Complete windows only: a window that holds a NaN or crosses a gap does not exist. Which are complete
        is looked up, and with dask computed, when first asked for.

    Raises
    ------
    KeyError
        For a variable that is not there.
    TypeError
        For anything but numbers in a Dataset.
    ValueError
        For time in chunks, not daily or unsorted, dimensions that do not fit, lengths out of range, missing codes and
        physically impossible values.

    Examples
    --------
    >>> import numpy as np, pandas as pd, xarray as xr
    >>> from xdrought import patches
    >>> values = np.arange(30.0).reshape(1, 30)
    >>> ds = xr.Dataset({name: (("site", "time"), values) for name in ("tp", "t2m", "soil_moisture")})
    >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=30))
    >>> windows = patches(ds, "soil_moisture")
    >>> len(windows), dict(windows[0].inputs.sizes), windows[0].target.item()
    (9, {'time': 15, 'variable': 2, 'patch_lat': 1, 'patch_lon': 1}, 21.0)
    """
    names, time = dimension_names(ds, site, lat, lon), time_name(ds, time)
    ours = names.to_ours(ds) if isinstance(ds, xr.Dataset) else ds
    made = make_patches(ours, target, drivers, size, window, lead, require_target, time)
    made = made.with_data(limits.check_variables(made.data, made.data.data_vars))
    made.names = names
    return made


def make_patches(
    ds: xr.Dataset,
    target: Hashable | None,
    drivers: Sequence[Hashable] | None,
    size: int | None,
    window: int,
    lead: Lead,
    require_target: bool | None,
    time: Hashable,
    max_filled: float = 0.0,
) -> Patches:
    """Windows of data whose dimensions have our names; up to the share `max_filled` of one may be missing."""
    require_target = target is not None if require_target is None else require_target
    if require_target and target is None:
        raise ValueError("require_target=True without a target; name the target variable")
    arranged = arrange(ds, target, drivers, size, time)
    window, leads = check_lengths(window, lead, arranged.data.sizes[time], require_target)
    return Patches(arranged, target, window, leads if are_several(lead) else leads[0], require_target, time, max_filled)


class Patches:
    """Labelled windows; made by :func:`patches`.

    ``len(p)`` windows, ordered by cell and day; ``p[i]`` is a Dataset with `inputs` (time, variable,
    patch_lat, patch_lon) and `target`, where it is, when it was issued and for when it is valid.

    Attributes
    ----------
    data : xarray.Dataset
        Drivers and target on the dimensions and the daily axis that the windows are cut from.
    drivers, target, size, window, time
        As given to :func:`patches`.
    lead : int
        Days to the target, of several leads the longest.
    leads : tuple of int
        All of them.
    several : bool
        Whether targets have the dimension `lead_time`.
    """

    def __init__(
        self,
        arranged: Arranged,
        target: Hashable | None,
        window: int,
        lead: int | tuple[int, ...],
        require_target: bool,
        time: Hashable,
        max_filled: float = 0.0,
    ):
        self.data, self.drivers, self.size = arranged.data, arranged.drivers, arranged.size
        self.several = isinstance(lead, tuple)
        self.leads = lead if isinstance(lead, tuple) else (lead,)
        self.on_grid, self.target, self.window, self.lead = arranged.on_grid, target, window, self.leads[-1]
        self.require_target, self.time = require_target, time
        self.most_missing = int(max_filled * window * len(self.drivers) + 1e-9)  # drivers' days
        self.names = DimensionNames()

    def __len__(self) -> int:
        return len(self._index[0])

    def __repr__(self) -> str:
        return shown.as_text(*self._facts())

    def _repr_html_(self) -> str:
        """What notebooks show: the same as a table."""
        return shown.as_html(*self._facts())

    def _facts(self) -> tuple[str, dict[str, str]]:
        """Where the windows are, what they hold and how many there are."""
        where = " x ".join(map(str, self._shape)) + (" cells" if self.on_grid else " sites")
        return f"xdrought.Patches of {where}, {self.data.sizes[self.time]} days", {
            "inputs": f"{self.window} days x {len(self.drivers)} drivers x {self.size} x {self.size} cells",
            "target": f"{self.target!r}, {', '.join(map(str, self.leads))} days after the last input day",
            "drivers": ", ".join(map(str, self.drivers)),
        }

    def __iter__(self) -> Iterator[xr.Dataset]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> xr.Dataset:
        """One window as a Dataset, cut by xbatcher; negative `i` count from the end."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"no window {i}; there are {len(self)}")
        inputs = self.generator[int(self._positions([i])[0])]
        inputs = (
            inputs.rename(dict(zip(GRID, PATCH, strict=True))) if self.on_grid else inputs.isel({SITE: 0}, drop=True)
        )
        out = xr.Dataset({"inputs": inputs.transpose(self.time, "variable", *PATCH)})
        ahead = (LEAD,) if self.several else ()
        if self.target is not None:
            out["target"] = (ahead, self.targets[i], self.data[self.target].attrs)
        place = {d: self.data[d].data.ravel()[k] for d, k in self._place(i).items() if d in self.data.coords}
        last = self._last_day(i)
        stamps = {name: self.times[day] for name, day in {INIT: last, VALID: last + self.lead}.items()}
        if self.several:
            stamps |= {
                VALID: (ahead, self.times[[last + lead for lead in self.leads]]),
                LEAD: pd.to_timedelta(self.leads, unit="D"),
            }
        return self.names.to_theirs(out.assign_coords(place | stamps))

    @property
    def cell(self) -> np.ndarray:
        """Index of each window's site, or of its centre cell in the flattened (lat, lon), (N,)."""
        return self._index[0]

    @property
    def start(self) -> np.ndarray:
        """Index of each window's first day on the daily axis, (N,)."""
        return self._index[1]

    @property
    def valid_day(self) -> np.ndarray:
        """Index of each window's valid time in `times`, of several leads the longest, (N,)."""
        return self.start + self.window - 1 + self.lead

    @cached_property
    def times(self) -> pd.Index:
        """Days of the record, and the `lead` days after it where windows need no target."""
        index = self.data.indexes[self.time]
        beyond = 0 if self.require_target else self.lead
        return daily_index(index[0], index, index.size + beyond).rename(self.time)

    @property
    def coordinates(self) -> dict[Hashable, Any]:
        """Of anything on the places and the valid `times`; `init_time` is the last input day."""
        index, places = self.times, set(self._places)
        issued = daily_index(index[0] - pd.Timedelta(days=self.lead), index, len(index))
        coords = {name: da.variable for name, da in self.data.coords.items() if set(da.dims) <= places}
        return coords | {self.time: index, INIT: (self.time, issued, {"long_name": "last day of the inputs"})}

    @property
    def coordinates_ahead(self) -> dict[Hashable, Any]:
        """Of anything on the places, the days of issue and the leads, with the two-dimensional `valid_time`."""
        index, places = self.data.indexes[self.time], set(self._places)
        ahead = [index + pd.Timedelta(days=lead) for lead in self.leads]
        leads = pd.to_timedelta(self.leads, unit="D").as_unit("s")
        coords = {name: da.variable for name, da in self.data.coords.items() if set(da.dims) <= places}
        return coords | {
            INIT: (INIT, index, {"long_name": "last day of the inputs"}),
            LEAD: (LEAD, leads, {"long_name": "from init_time to valid_time"}),
            VALID: ((INIT, LEAD), np.stack(ahead, axis=1), {"long_name": "day that is forecast"}),
        }

    @cached_property
    def targets(self) -> np.ndarray:
        """Target of each window, NaN where it is not known, (N,), or (N, lead_time) of several leads."""
        if self.target is None:
            raise ValueError("these windows have no target; name one in patches(ds, target)")
        observed = self._by_cell(self.data[self.target])
        values = [_on_days(observed, self.cell, self.valid_day - self.lead + lead) for lead in self.leads]
        return np.stack(values, axis=-1) if self.several else values[0]

    @cached_property
    def inputs(self) -> xr.DataArray:
        """All drivers in one float32 array on (site, time, variable, patch_lat, patch_lon) or
        (time, variable, lat, lon); lazy for dask."""
        cube = self.data[list(self.drivers)].drop_attrs(deep=False).astype("float32").to_dataarray("variable")
        cube = cube.assign_coords(variable=pd.Index(self.drivers, name="variable"))
        order = (self.time, "variable", *GRID) if self.on_grid else (SITE, self.time, "variable", *PATCH)
        return cube.transpose(*order).rename("inputs")

    @cached_property
    def generator(self) -> Any:
        """The :class:`xbatcher.BatchGenerator` of all windows, complete or not, of :attr:`inputs`."""
        from xbatcher import BatchGenerator

        width: dict[Hashable, int] = dict.fromkeys(GRID if self.on_grid else PATCH, self.size)
        sizes: dict[Hashable, int] = {self.time: self.window, "variable": len(self.drivers), **width}
        sliding = (self.time, *GRID) if self.on_grid else (self.time,)
        overlap = {dim: sizes[dim] - 1 for dim in sliding}
        sites = {} if self.on_grid else {SITE: 1}
        return BatchGenerator(self.inputs, input_dims=sizes, input_overlap=overlap, batch_dims=sites)

    @public
    def to_torch(self, device: Any = "cpu", sites: slice | None = None) -> ResidentCube:
        """The fast engine: one float32 tensor of all days on `device`, and windows as an index into it.

        Parameters
        ----------
        device : str or torch.device
            Where the days are kept.
        sites : slice, optional
            Keep the days and windows of these sites only, counted from the first of them.

        Returns
        -------
        ResidentCube
            A map-style :class:`torch.utils.data.Dataset`: item i is (window, target), or the window alone where there
            is no target. And ``.gather(index)`` gives many windows at once, (N, window, variable, size, size), equal to
            those of ``p[i]``.

        Examples
        --------
        A training loop of your own:

        >>> import numpy as np, pandas as pd, torch, xarray as xr
        >>> from torch.utils.data import DataLoader
        >>> from xdrought import patches
        >>> values = np.linspace(0, 1, 60).reshape(1, 60)
        >>> ds = xr.Dataset({name: (("site", "time"), values) for name in ("tp", "t2m", "soil_moisture")})
        >>> ds = ds.assign_coords(site=["A"], time=pd.date_range("2001-01-01", periods=60))
        >>> windows = patches(ds, "soil_moisture").to_torch()
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15 * 2, 1))
        >>> optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        >>> for inputs, target in DataLoader(windows, batch_size=16, shuffle=True):
        ...     loss = (network(inputs)[:, 0] - target).square().mean()
        ...     optimiser.zero_grad()
        ...     loss.backward()
        ...     optimiser.step()
        >>> inputs.shape[1:], len(windows)  # 15 days x 2 drivers x 1 x 1 cells
        (torch.Size([15, 2, 1, 1]), 39)
        """
        require_torch()
        import torch

        from xdrought.windows.tensors import WindowDataset

        first, stop = (0, int(np.prod(self._shape))) if sites is None else (sites.start, sites.stop)
        kept = slice(*np.searchsorted(self.cell, [first, stop]))
        inputs = self.inputs if sites is None else self.inputs.isel({SITE: sites})
        values = np.ascontiguousarray(inputs.to_numpy())
        cube = torch.from_numpy(values if values.flags.writeable else values.copy()).to(device)
        index = (self.cell[kept] - first, self.start[kept])
        cell, start = (torch.from_numpy(each.astype("int64")).to(device) for each in index)
        target = None
        if self.target is not None:
            target = torch.from_numpy(self.targets[kept].astype("float32")).to(device)
        return WindowDataset(cube, cell, start, target, self.window, self.size)

    def to_labels(self, values: np.ndarray) -> xr.DataArray:
        """One number per window, (N,), on (site, time) or (time, lat, lon): `time` is the valid time.

        The axis is that of the record (and `lead` days more where windows need no target). Where there is no
        window: NaN, or False for booleans. Coordinate `init_time` is the last input day. Numbers of several leads,
        (N, lead_time), come on (site, init_time, lead_time) or (init_time, lead_time, lat, lon), with `valid_time`.
        """
        values = np.asarray(values)
        if self.several and values.shape == (len(self), len(self.leads)):
            return self.names.to_theirs(self._by_issue(values))
        if values.shape != (len(self),):
            raise ValueError(f"{values.shape} values for {len(self)} windows; give one for each")
        if values.dtype.kind not in "bf":
            values = values.astype("float64")
        places, shape = self._places, self._shape
        out = np.full((int(np.prod(shape)), len(self.times)), False if values.dtype == bool else np.nan, values.dtype)
        out[self.cell, self.valid_day] = values
        labelled = xr.DataArray(out.reshape(*shape, -1), self.coordinates, (*places, self.time))
        return self.names.to_theirs(labelled.transpose(self.time, *places) if self.on_grid else labelled)

    def _by_issue(self, values: np.ndarray) -> xr.DataArray:
        """(N, lead_time) on the places, the days of issue and the leads."""
        places, shape = self._places, self._shape
        values = values if values.dtype.kind in "bf" else values.astype("float64")
        nothing = False if values.dtype.kind == "b" else np.nan
        out = np.full((int(np.prod(shape)), self.data.sizes[self.time], len(self.leads)), nothing, values.dtype)
        out[self.cell, self.start + self.window - 1] = values
        dims = (*places, INIT, LEAD)
        labelled = xr.DataArray(out.reshape(*shape, *out.shape[1:]), self.coordinates_ahead, dims)
        return labelled.transpose(INIT, LEAD, *places) if self.on_grid else labelled

    def with_data(self, data: xr.Dataset) -> Patches:
        """The same windows of other values on the same labels, e.g. scaled ones."""
        of_values = ("inputs", "targets", "generator")
        new = object.__new__(Patches)
        new.__dict__ = {name: kept for name, kept in self.__dict__.items() if name not in of_values}
        new.data = data
        return new

    def require_windows(self) -> None:
        """Raise, with the reason, when there is no complete window."""
        if len(self):
            return
        empty = [n for n in (*self.drivers, self.target) if n is not None and not self._finite(n).any()]
        reason = (
            f"{empty} has no finite value: leave it out or fill it"
            if empty
            else (
                f"no {self.window} days in a row hold "
                f"{f'all but {self.most_missing} values of drivers' if self.most_missing else 'every driver'}"
                f"{' and a target' if self.require_target else ''}: fill "
                f"short gaps, leave out drivers with many, or use a shorter window"
            )
        )
        raise ValueError(f"there is no complete window; {reason}")

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """(cell, start) of every complete window, by cell and day."""
        lacking = np.zeros((*self._shape, self.data.sizes[self.time]), np.int16)
        for name in self.drivers:
            lacking += ~self._finite(name)
        target_ok = self._finite(self.target) if self.require_target and self.target is not None else None
        return window_starts(lacking, target_ok, self.window, self.leads, self.most_missing)

    @property
    def _places(self) -> tuple[str, ...]:
        return GRID if self.on_grid else (SITE,)

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.data.sizes[dim] for dim in self._places)

    def _finite(self, name: Hashable) -> np.ndarray:
        """(places..., time): whether the whole patch (of the target: the cell) is there on a day."""
        finite: xr.DataArray = xr.apply_ufunc(np.isfinite, self.data[name], dask="allowed")
        finite = finite.all([dim for dim in PATCH if dim in finite.dims])
        values = finite.transpose(*self._places, self.time).to_numpy()
        return whole_patches(values, self.size) if self.on_grid and name != self.target else values

    def _by_cell(self, da: xr.DataArray) -> np.ndarray:
        """A target as (cell, time)."""
        return da.transpose(*self._places, self.time).to_numpy().reshape(-1, da.sizes[self.time])

    def _last_day(self, i: int) -> int:
        return int(self.start[i]) + self.window - 1

    def _place(self, i: int) -> dict[Hashable, int]:
        """Index of the window's place on each dimension; a site also has lat and lon."""
        cell = int(self.cell[i])
        if not self.on_grid:
            return dict.fromkeys([SITE, *(d for d in GRID if d in self.data and self.data[d].dims == (SITE,))], cell)
        return dict(zip(GRID, divmod(cell, self.data.sizes["lon"]), strict=True))

    def _positions(self, index: Sequence[int]) -> np.ndarray:
        """Positions in the generator, which counts incomplete windows too."""
        cell, start = self.cell[list(index)], self.start[list(index)]
        n_start = self.data.sizes[self.time] - self.window + 1
        if not self.on_grid:
            return cell * n_start + start
        n_lat, n_lon = self._shape
        row, column = corner(cell, n_lon, self.size)
        return (start * (n_lat - self.size + 1) + row) * (n_lon - self.size + 1) + column


def _on_days(values: np.ndarray, cell: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The values (cell, time) of some cells on some days, NaN after the record."""
    inside = day < values.shape[1]
    return np.where(inside, values[cell, np.where(inside, day, 0)], np.nan)
