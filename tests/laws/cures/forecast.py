"""Windows, trainings and forecasts: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    among,
    cured,
    hourly,
    made_by,
    one_dimension_more,
    same,
    value,
    warned,
    windows,
)
from xdrought import splits
from xdrought.forecast.fitting import _levels_of_normal
from xdrought.forecast.forcing import checked_future, kind_of
from xdrought.forecast.options import checked_missing, checked_target_inputs
from xdrought.forecast.starting import warn_of_known_test_days
from xdrought.models.zoo import architecture, build_architecture

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "windows need numbers: use .astype('float32')",
        lambda: windows(weather().assign(tp=weather().tp > 0), drivers=["tp"]),
        lambda m: windows(weather().assign(tp=cured(m, weather().tp > 0)), drivers=["tp"]),
    ),
    Cure(
        "windows count days: use .resample",
        lambda: xd.patches(hourly(weather()), "soil_moisture", size=1, window=5, lead=2),
        lambda m: xd.patches(cured(m, hourly(weather())), "soil_moisture", size=1, window=5, lead=2),
    ),
    Cure(
        "compute it with xdrought.causality_degree",
        lambda: xd.predict(given.drivers_of_a_month(), given.forecaster(), causality=given.degree().drop_vars("rho")),
        lambda m: xd.predict(
            given.drivers_of_a_month(),
            given.forecaster(),
            causality=made_by(m)(drivers(), soil(), train=given.train()),
            device="cpu",
        ),
    ),
    Cure(
        "average it over its patch first, e.g. .mean(",
        lambda: warned(weather().assign(tp=one_dimension_more(weather().tp))),
        lambda m: warned(weather().assign(tp=cured(m, one_dimension_more(weather().tp)))),
    ),
    Cure(
        "give names of parts of the network, e.g. freeze=",
        lambda: xd.TrainingOptions(freeze="encoder"),
        lambda m: xd.TrainingOptions(freeze=value(m, "freeze")),
    ),
    Cure(
        "say which quantiles of it are wanted, two or more: quantiles=",
        lambda: _levels_of_normal("gaussian_crps", ()),
        lambda m: _levels_of_normal("gaussian_crps", value(m, "quantiles")),
    ),
    Cure(
        "so that scores of the test part are too good; give split=start_from.splits",
        lambda: warn_of_known_test_days(given.forecaster(), splits.chronological(windows(), fractions=(0.2, 0.1, 0.7))),
        lambda m: warn_of_known_test_days(given.forecaster(), given.forecaster().splits) or True,
    ),
    Cure(
        "name the drivers that it holds, e.g. future=",
        lambda: kind_of(forcing(), ()),
        lambda m: kind_of(forcing(), value(m, "future")),
    ),
    Cure(
        "from which their percentiles and means could be computed; give train=",
        lambda: xd.predict_onset(weather().isel(time=slice(540, None)), given.onset_model()),
        lambda m: xd.predict_onset(weather(), given.onset_model(), train=value(m, "train")),
    ),
    Cure(
        "none are used; use target_history=True or predict_change=True, or leave latency out",
        lambda: checked_target_inputs(False, False, 2),
        lambda m: [checked_target_inputs(*way) for way in ((True, False, 2), (False, True, 2), (False, False, 0))],
    ),
    Cure(
        "name drivers=[...]",
        lambda: windows(weather()[["soil_moisture"]]),
        lambda m: windows(weather(), drivers=["tp"]),
    ),
    Cure(
        "rename with .rename, or give each",
        lambda: windows(weather().rename(site="tower")),
        lambda m: windows(cured(m.replace(".rename,", ".rename(tower='site'),"), weather().rename(site="tower"))),
    ),
    Cure(
        "it must give one value for each, (2,), e.g. with .squeeze(-1)",
        lambda: answered(lambda out: out),
        lambda m: answered(lambda out: eval(f"out{re.search(r'[.]squeeze[(]-1[)]', m)[0]}", {"out": out})),
    ),
    Cure(
        "have no training days, from which their percentiles and means could be computed; give train=, e.g. train=",
        lambda: warned(weather(), split="spatial_monte_carlo"),
        lambda m: warned(weather(), split="spatial_monte_carlo", train=value(m, "train")),
    ),
    *(
        Cure(
            f"{name}='tp' is one name; give a list, ['tp']",
            partial(wrong, "tp"),
            lambda m, right=wrong: right(eval(re.search(r"list, (\[.*?\])", m)[1])),
        )
        for name, wrong in (
            ("drivers", lambda names: windows(drivers=names)),
            ("drivers", lambda names: xd.fit_onset(weather(), "soil_moisture", names, lead=7, calibrate=False)),
            ("future", lambda names: checked_future(names, ("tp", "t2m"))),
        )
    ),
    Cure(
        "; name drivers of ['tp', 't2m'], each once",
        lambda: checked_future(["wind"], ("tp", "t2m")),
        lambda m: checked_future(["tp", "t2m"], ("tp", "t2m")),
    ),
    Cure(
        "give a list of ['tp']",
        lambda: xd.degrade_forcing(given.long_weather(), ["wind"], lead=3),
        lambda m: xd.degrade_forcing(given.long_weather(), ["tp"], lead=3),
    ),
    Cure(
        "give one for each driver",
        lambda: xd.degrade_forcing(given.long_weather(), ["tp"], lead=3, skill={"t2m": 0.5}),
        lambda m: xd.degrade_forcing(given.long_weather(), ["tp"], lead=3, skill={"tp": 0.5}),
    ),
    Cure(
        "give probabilities from 0 to 1, one or 3 of them",
        lambda: xd.degrade_forcing(given.long_weather(), ["tp"], lead=3, skill={"tp": [0.5, 0.4]}),
        lambda m: xd.degrade_forcing(given.long_weather(), ["tp"], lead=3, skill={"tp": [0.5, 0.4, 0.3]}),
    ),
    Cure(
        'is unknown; give Splits, "chronological" or "spatial_monte_carlo"',
        lambda: warned(weather(), split="random"),
        lambda m: warned(weather(), split="chronological"),
    ),
    Cure(
        "model='forest' is unknown; give one of",
        lambda: xd.fit_onset(weather(), "soil_moisture", ["tp"], lead=7, model="forest", calibrate=False),
        lambda m: xd.fit_onset(weather(), "soil_moisture", ["tp"], lead=7, model="logistic", calibrate=False),
    ),
    Cure(
        "has no value on any day; check the selection or the file",
        lambda: warned(weather().assign(soil_moisture=soil().where(False))),
        lambda m: warned(weather()),
    ),
    Cure(
        "missing is a int; give the name of a policy or xdrought.MissingInputs",
        lambda: checked_missing(3),
        lambda m: [checked_missing("last"), checked_missing(xd.MissingInputs(policy="last"))],
    ),
    Cure(
        "require_target=True without a target; name the target variable",
        lambda: xd.patches(weather(), drivers=["tp"], size=1, window=5, lead=2, require_target=True),
        lambda m: xd.patches(weather(), "soil_moisture", drivers=["tp"], size=1, window=5, lead=2, require_target=True),
    ),
    Cure(
        "these windows have no target; name one in patches(ds, target)",
        lambda: xd.patches(weather(), drivers=["tp"], size=1, window=5, lead=2).targets,
        lambda m: xd.patches(weather(), "soil_moisture", drivers=["tp"], size=1, window=5, lead=2).targets,
    ),
    Cure(
        "windows; give one for each",
        lambda: windows().to_labels(np.zeros(3)),
        lambda m: windows().to_labels(np.zeros(len(windows()))),
    ),
    Cure(
        "is empty; give a record with days in it",
        lambda: windows(weather().isel(time=slice(0, 0))),
        lambda m: windows(weather().sel(time="2001")),
    ),
    *(
        Cure("give a longer record or a shorter window", lambda: windows(weather().isel(time=slice(0, 4))), right)
        for right in (
            lambda m: windows(weather().isel(time=slice(0, 40))),
            lambda m: windows(weather().isel(time=slice(0, 4)), window=2, lead=1),
        )
    ),
    *(
        Cure(
            "use a larger region or a smaller size=",
            lambda: windows_of_grid(slice(0, 3), size=10),
            right,
        )
        for right in (lambda m: windows_of_grid(slice(None), size=10), lambda m: windows_of_grid(slice(0, 3), size=2))
    ),
    Cure(
        "is named twice; a driver is named once, and the target is no driver",
        lambda: windows(drivers=["tp", "tp"]),
        lambda m: windows(drivers=["tp"]),
    ),
    Cure(
        "several leads are named once each and in growing order, e.g. [1, 3, 7]",
        lambda: windows(lead=[7, 1]),
        lambda m: windows(lead=eval(re.search(r"e\.g\. (\[.*?\])", m)[1])),
    ),
    Cure(
        "is in the data beside ['tower']; drop or rename it",
        lambda: windows(weather().rename(site="tower").assign_coords(site=("tower", given.SITES)), site="tower"),
        lambda m: windows(weather().rename(site="tower"), site="tower"),
    ),
    *(
        Cure(
            f"{name}='mine' is unknown; choose one of",
            lambda name=name: sized(**{name: "mine"}),
            lambda m, name=name: [sized(**{name: one}) for one in among(m)],
        )
        for name in ("variant", "equations")
    ),
    Cure(
        "quantiles of a normal distribution of levels (0.5,); give two or more",
        lambda: asked(normal_levels=(0.5,), n_quantiles=1),
        lambda m: asked(normal_levels=(0.1, 0.9), n_quantiles=2),
    ),
    *(
        Cure(
            "give its class the keyword n_leads and let forward give (N, n_leads), or ask for one lead",
            lambda: asked(Own, leads=(1, 2)),
            right,
        )
        for right in (lambda m: asked(OwnOfLeads, leads=(1, 2)), lambda m: asked(Own))
    ),
    Cure(
        "by their CF attributes; name one with lat=",
        lambda: two_latitudes(),
        lambda m: two_latitudes(lat="y"),
    ),
    Cure(
        "crop them about their centre, ds.isel(",
        lambda: patches_of(rectangle()),
        lambda m: same(
            patches_of(eval(re.search(r"ds\.isel\(.*\)", m)[0], {"ds": rectangle()})).data.tp,
            patches_of(given.around().isel(patch_lat=[1, 2], patch_lon=[1, 2])).data.tp,
        ),
    ),
]


def forcing() -> xr.Dataset:
    """Rain of two lead days."""
    rain = weather().tp.isel(time=slice(0, 50)).rename(time="init_time").drop_vars(["lat", "lon"])
    return rain.expand_dims(lead_time=pd.to_timedelta([1, 2], unit="D")).transpose("site", ...).to_dataset()


def answered(last: Callable) -> Any:
    """What a network of one's own gives for two windows."""
    from xdrought.models.own import OwnNetwork

    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(10, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return last(self.line(x.flatten(1)))

    return OwnNetwork(Own(), causal=False)(torch.zeros(2, 5, 2, 1, 1))


def windows_of_grid(lat: slice, size: int) -> xd.Patches:
    return xd.patches(given.grid_weather().isel(lat=lat), size=size, window=2, lead=1)


def sized(**options: Any) -> Any:
    """A network of the package."""
    from xdrought.models import build

    return build(**({"variant": "Rec", "n_features": 2, "n_causal": 4, "size": 8, "window": 8} | options))


class Own(torch.nn.Module):
    """A network of one's own, for one lead."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.line = torch.nn.Linear(n_features, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x[:, -1].mean((2, 3)))[:, 0]


class OwnOfLeads(Own):
    """A network of one's own, for several leads."""

    def __init__(self, n_features: int, n_leads: int) -> None:
        super().__init__(n_features)
        self.line = torch.nn.Linear(n_features, n_leads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x[:, -1].mean((2, 3)))


def asked(network: Any = None, **options: Any) -> torch.Tensor:
    """What a network answers for two windows, as many numbers each as were asked for."""
    widths = None if network else (4, 4)
    spec = architecture("Rec", 2, 0, 1, 5, "paper", widths, None, network=network, **options)
    found = build_architecture(spec)(torch.zeros(2, 5, 2, 1, 1))
    assert found.numel() == 2 * max(len(spec.leads), spec.n_quantiles, 1), found.shape
    return found


def two_latitudes(**names: Any) -> xd.Patches:
    """A grid with two coordinates of latitude."""
    grid = given.grid_weather().rename(lat="y")
    degrees = {"units": "degrees_north"}
    grid = grid.assign_coords(y=("y", grid.y.values, degrees), y2=("y", grid.y.values, degrees))
    return xd.patches(grid, size=2, window=2, lead=1, **names)


def rectangle() -> xr.Dataset:
    """Patches of two by four cells."""
    return given.around().isel(patch_lat=[1, 2])


def patches_of(ds: xr.Dataset) -> xd.Patches:
    return xd.patches(ds, window=2, lead=1)
