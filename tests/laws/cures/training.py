"""Trainings: what is refused, and its messages followed literally, with networks of one epoch and a few weights."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.forecast import Own
from tests.laws.cures.tools import Cure, example, made_by, on_grid, value
from xdrought import plot, study
from xdrought.models import build, checkpoint
from xdrought.verification.intervals import sweep_interval

soil, weather = given.soil, given.weather
DRIVERS, HISTORY = ("tp", "t2m"), "soil_moisture_history"
TINY = {"epochs": 1, "widths": (4, 4), "device": "cpu", "progress": False}
FEW = {"n_windows": 4, "n_background": 2, "n_draws": 2}


def fit(ds: xr.Dataset | None = None, drivers: Any = DRIVERS, **options: Any) -> xd.Forecaster:
    options = {"variant": "Rec", "window": 5, "lead": 2} | TINY | options
    if "network" in options and "widths" not in options.pop("also", ()):
        del options["widths"]
    return xd.fit_resattcaurec(weather() if ds is None else ds, "soil_moisture", list(drivers), **options)


@cache
def first(**options: Any) -> xd.Forecaster:
    return fit(**options)


def again(ds: xr.Dataset | None = None, drivers: Any = DRIVERS, *, start: Any = None, **options: Any) -> Any:
    """A training that goes on from another."""
    start = first() if start is None else start
    return fit(ds, drivers, start_from=start, split=first().splits, **options)


def in_folder(call: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return call(Path(folder))


def trained(**options: Any) -> xd.Forecaster:
    return fit(training=xd.TrainingOptions(**options))


def explained(forecaster: xd.Forecaster) -> xr.Dataset:
    return xd.attributions(weather(), forecaster, where=soil().isel(time=slice(30, 32)) > -1, n_background=2, n_draws=2)


def compared(**options: Any) -> xr.Dataset:
    return study.compare(weather(), "soil_moisture", ["tp"], **({"runs": 1, "window": 5, "lead": 2} | TINY | options))


def swept(**options: Any) -> xr.Dataset:
    options = {"runs": 1, "variant": "Rec"} | TINY | options
    return study.sweep(weather(), "soil_moisture", ["tp"], **options)


@cache
def scores_of_sweep() -> xr.Dataset:
    return swept(over={"lead": [1, 2]}, window=5)


@cache
def scores_of_eight() -> xr.Dataset:
    return study.ablation(weather(), "soil_moisture", ["tp"], runs=1, window=5, lead=2, size=1, **TINY)


def file_of(forecaster: xd.Forecaster, **options: Any) -> Any:
    def through(folder: Path) -> Any:
        forecaster.save(folder / "it.xdrought")
        return xd.load_forecaster(folder / "it.xdrought", **options)

    return in_folder(through)


def after(message: str, words: str) -> Path:
    """The path that a message says after some words."""
    return Path(re.search(rf"{words} (\S+)", message)[1])  # type: ignore[index]


def resumed(folder: Path, **options: Any) -> Any:
    """A training with the checkpoint of another."""
    fit(checkpoint=folder / "c")
    return fit(checkpoint=folder / "c", **options)


def changed_checkpoint(folder: Path) -> Path:
    """A whole checkpoint whose notes say nonsense."""
    path = folder / "c"
    fit(checkpoint=path)
    tensors, notes = checkpoint.read(path)
    path.write_bytes(checkpoint.to_bytes(tensors, {**notes, "histories": [3]}))
    return path


def anew(path: Path) -> xd.Forecaster:
    path.unlink()
    return fit(checkpoint=path)


class Sized(Own):
    """A network of one's own with an argument that nobody else knows."""

    def __init__(self, n_features: int, hidden: int) -> None:
        super().__init__(n_features)
        self.hidden = hidden


class Weightless(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, -1].mean((1, 2, 3))


def in_centimetres() -> xr.Dataset:
    return weather().assign(tp=(weather().tp / 10).assign_attrs(units="cm"))


def in_numbers() -> tuple[xr.Dataset, dict[Any, str]]:
    """Drivers that are called by numbers, and what to call them."""
    return weather().rename(tp=0, t2m=1), {0: "tp", 1: "t2m"}


def renamed_and_trained() -> xd.Forecaster:
    ds, names = in_numbers()
    return file_of(fit(ds.rename(names)))


def with_history_of_its_own() -> xr.Dataset:
    return weather().assign({HISTORY: soil().shift(time=2)})


def of_cells() -> xr.Dataset:
    """The weather of four places as the cells of a grid."""
    return xr.merge([on_grid().copy(data=weather()[n].values[:4].reshape(2, 2, -1)).rename(n) for n in weather()])


def as_sites() -> xr.Dataset:
    """The cells of the grid as sites."""
    return of_cells().stack(site=["lat", "lon"]).reset_index("site").assign_coords(site=range(4))


def of_quantiles(*levels: float) -> xr.Dataset:
    return xd.predict(weather(), fit(quantiles=levels), device="cpu")


CURES = [
    Cure(
        "and reads a mask beside each driver; train one with",
        lambda: explained(first(missing="last")),
        lambda m: explained(fit(missing=value(m, "missing"))),
    ),
    Cure(
        "train one with lead=",
        lambda: explained(fit(lead=[1, 2])),
        lambda m: explained(fit(lead=value(m, "lead"))),
    ),
    Cure(
        "scores come from xdrought.study.sweep",
        lambda: sweep_interval(scores_of_sweep().isel(lead=0, drop=True)),
        lambda m: sweep_interval(made_by(m) is study.sweep and scores_of_sweep(), n_boot=5),
    ),
    Cure(
        "they come from xdrought.study.ablation",
        lambda: study.factorial_effects(scores_of_eight().isel(model=slice(1, None))),
        lambda m: study.factorial_effects(made_by(m) is study.ablation and scores_of_eight(), n_boot=5),
    ),
    Cure(
        "give e.g. configurations=xdrought.study.LADDER",
        lambda: compared(configurations={}),
        lambda m: compared(configurations={"Rec": made_by(m)["Rec"]}),
    ),
    Cure(
        "give one setting and its values, e.g. over=",
        lambda: swept(over={"lead": [1], "window": [5]}),
        lambda m: swept(over={name: days[:2] for name, days in value(m, "over").items()}),
    ),
    *(
        Cure(
            "is swept and cannot be set to 3 as well; leave one out",
            lambda: swept(over={"lead": [1, 2]}, lead=3),
            right,
        )
        for right in (lambda m: swept(over={"lead": [1, 2]}), lambda m: swept(over={"window": [4, 5]}, lead=3))
    ),
    Cure(
        "take it from xdrought.attribution.deletion_curve",
        lambda: plot.plot_deletion(given.scores()),
        lambda m: plot.plot_deletion(made_by(m)(weather(), first(), steps=2, device="cpu", **FEW)),
    ),
    Cure(
        "take them from xdrought.attribution.weight_randomisation",
        lambda: plot.plot_weight_randomisation(given.scores()),
        lambda m: plot.plot_weight_randomisation(made_by(m)(weather(), first(), device="cpu", **FEW)),
    ),
    *(
        Cure(
            "call with the same settings and data to go on, name another path, or delete it to start anew",
            lambda: in_folder(again_with_seed),
            right,
        )
        for right in (
            lambda m: in_folder(resumed),
            lambda m: in_folder(lambda folder: fit(checkpoint=folder / "another", seed=1)),
            lambda m: in_folder(lambda folder: (resumed(folder), anew(folder / "c"))),
        )
    ),
    *(
        Cure(
            "delete it to start anew, or name another path",
            lambda: in_folder(lambda folder: fit(checkpoint=changed_checkpoint(folder))),
            right,
        )
        for right in (
            lambda m: in_folder(lambda folder: anew(changed_checkpoint(folder))),
            lambda m: in_folder(lambda folder: fit(checkpoint=changed_checkpoint(folder).with_name("another"))),
        )
    ),
    Cure(
        "checkpoint none/c is in no folder; make none first",
        lambda: fit(checkpoint="none/c"),
        lambda m: in_folder(lambda folder: fit(checkpoint=made(folder / after(m, "make")) / "c")),
    ),
    Cure(
        "losses none/losses.csv is in no folder; make none first",
        lambda: trained(losses="none/losses.csv"),
        lambda m: in_folder(lambda folder: trained(losses=made(folder / after(m, "make")) / "losses.csv")),
    ),
    Cure(
        "give xdrought.TrainingOptions",
        lambda: fit(training={"patience": 1}),
        lambda m: fit(training=eval(m.split("give ")[1].split("\n")[0], {"xdrought": xd})(patience=1)),
    ),
    Cure(
        "holds no day of the data; give another",
        lambda: trained(scaling_period=("1991-01-01", "1991-12-31")),
        lambda m: trained(scaling_period=("2001-01-01", "2001-12-31")),
    ),
    *(
        Cure(
            "the record is too short: give longer records, other fractions, or a smaller embargo",
            lambda: short(40),
            right,
        )
        for right in (
            lambda m: short(400),
            lambda m: short(60, fractions=(0.4, 0.35, 0.25)),
            lambda m: short(40, embargo=1),
        )
    ),
    Cure(
        "give the same in this order, renaming if needed",
        lambda: again(drivers=("t2m", "tp")),
        lambda m: again(drivers=value_of_drivers(m)),
    ),
    Cure(
        "give the same target_history, predict_change and latency",
        lambda: again(predict_change=True),
        lambda m: again(),
    ),
    Cure(
        "start_from was trained with missing='last', this call has 'none'; give the same",
        lambda: again(start=first(missing="last")),
        lambda m: again(start=first(missing="last"), missing=value(m, "missing")),
    ),
    Cure(
        "convert the data first, its scaling is used",
        lambda: again(in_centimetres()),
        lambda m: again(in_centimetres().assign(tp=(10 * in_centimetres().tp).assign_attrs(units="mm"))),
    ),
    Cure(
        "are not all text; rename the variables and train again",
        lambda: file_of(fit(in_numbers()[0], (0, 1))),
        lambda m: renamed_and_trained(),
    ),
    Cure(
        "holds a network of xdrought; load it without network=",
        lambda: file_of(first(), network=Own),
        lambda m: file_of(first()),
    ),
    Cure(
        "which is no network of xdrought; give its class",
        lambda: file_of(fit(network=Own)),
        lambda m: file_of(fit(network=Own), **{"network": eval(re.search(r"network=(\w+)", m)[1])}),  # type: ignore[index]
    ),
    *(
        Cure(
            "use the same drivers, widths and variant, or begin without start_from",
            lambda: again(widths=(6,)),
            right,
        )
        for right in (lambda m: again(), lambda m: fit(widths=(6,)))
    ),
    Cure(
        "leaves nothing to train; leave a part out, e.g.",
        lambda: trained(freeze=("recurrence", "head")),
        lambda m: trained(freeze=[name for name in ("recurrence", "head") if name != example(m).split(".")[0]]),
    ),
    *(
        Cure("which is no part of the network; choose from", lambda: trained(freeze=("lstm",)), right)
        for right in (
            lambda m: trained(freeze=eval(re.search(r"from (\[.*?\])", m)[1])[:1]),  # type: ignore[index]
            lambda m: trained(freeze=[example(m)]),
        )
    ),
    Cure(
        "is what target_history=True adds; rename the variable of that name",
        lambda: fit(with_history_of_its_own(), (*DRIVERS, HISTORY), target_history=True),
        lambda m: fit(
            with_history_of_its_own().rename({m.split("'")[1]: "mine"}), (*DRIVERS, "mine"), target_history=True
        ),
    ),
    Cure(
        "build it for that window",
        lambda: released(15)(torch.zeros(1, 14, 2, 8, 8)),
        lambda m: released(int(re.search(r"found (\d+)", m)[1]))(torch.zeros(1, 14, 2, 8, 8)),  # type: ignore[index]
    ),
    *(
        Cure("use a recurrent variant, or fewer widths", lambda: fit(variant="UNet", widths=(4,) * 4, size=1), right)
        for right in (lambda m: fit(variant="Rec", size=1), lambda m: fit(variant="UNet", widths=(4,), size=1))
    ),
    Cure(
        "beside a network of your own; fill them in with functools.partial",
        lambda: fit(network=Sized, widths=(4,), also=("widths",)),
        lambda m: fit(network=filled(m)),
    ),
    Cure(
        "fill in anything else with functools.partial",
        lambda: fit(network=Sized),
        lambda m: fit(network=filled(m)),
    ),
    Cure(
        "without weights; give a torch.nn.Module",
        lambda: fit(network=Weightless),
        lambda m: fit(network=Own),
    ),
    Cure(
        "have no median to score; train with 0.5 among them",
        lambda: xd.verify(of_quantiles(0.6, 0.9), soil(), lead=2, n_boot=3),
        lambda m: xd.verify(of_quantiles(float(re.search(r"train with ([\d.]+)", m)[1]), 0.6, 0.9), soil(), n_boot=3),  # type: ignore[index]
    ),
    Cure(
        "choose a region, or stack its cells as sites",
        lambda: fit(of_cells(), size=2, training=xd.TrainingOptions(sites_in_memory=2)),
        lambda m: fit(as_sites(), training=xd.TrainingOptions(sites_in_memory=2)),
    ),
]


def again_with_seed(folder: Path) -> Any:
    return resumed(folder, seed=1)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def short(days: int, **options: Any) -> xd.Forecaster:
    """A training on a part of the record."""
    return fit(weather().isel(time=slice(200, 200 + days)), split=xd.SplitConfig(**options))


def value_of_drivers(message: str) -> list[str]:
    """The drivers that a message says the other training had."""
    return list(eval(re.search(r"on the drivers (\[.*?\])", message)[1]))  # type: ignore[index]


def released(window: int) -> torch.nn.Module:
    """The network of the released code that reads all days at once."""
    return build("Res", n_features=2, size=8, window=window, equations="released", widths=(4, 4))


def filled(message: str) -> Any:
    """A class whose further argument is filled in as a message says."""
    return eval(re.search(r"functools\.partial", message)[0], {"functools": functools})(Sized, hidden=4)  # type: ignore[index]
