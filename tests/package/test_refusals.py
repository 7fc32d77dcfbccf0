"""Refusals that belong to no other file; found by counting which `raise` no test reaches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from torch import nn

import xdrought
from xdrought import cli, units
from xdrought.data import collocate, download
from xdrought.data.era5.names import find_inputs
from xdrought.data.sites import insert_missing_days
from xdrought.forecast.forecaster import _read_weights
from xdrought.models import build
from xdrought.models.resattcaurec import FramewiseNetwork
from xdrought.models.zoo import architecture
from xdrought.reproduction.chapters.acceleration import acceleration
from xdrought.reproduction.chapters.controls import controls
from xdrought.reproduction.chapters.explanations import coupling, explanations
from xdrought.reproduction.chapters.records import droughts
from xdrought.reproduction.chapters.sweeps import sweeps
from xdrought.reproduction.findings import LeftOut


@pytest.mark.parametrize("score", [xdrought.class_scores, xdrought.occurrence_scores])
def test_intervals_need_sites_and_days(score):
    days = {"member": [0, 1], "site": ["A", "B"], "time": pd.date_range("2001-01-01", periods=40)}
    names = "no_drought normal_onset normal_condition flash_onset flash_condition missing"
    flags = {"flag_values": [0, 1, 2, 3, 4, -1], "flag_meanings": names}
    classes = xr.DataArray(0, days, tuple(days), attrs=flags).astype("int8", keep_attrs=True)
    with pytest.raises(
        ValueError,
        match=r"dimensions \['member'\] beside 'site' and 'time'; .*\.stack\({'site': \['member', 'each_site'\]}\)",
    ):
        score(classes, classes, n_boot=5)


def test_an_encoder_alone_is_no_network():
    with pytest.raises(NotImplementedError):
        FramewiseNetwork(nn.Identity()).recur(None)


DAYS = pd.date_range("2001-01-01", periods=400)


def record(n_site: int = 2) -> xr.DataArray:
    """Soil moisture of some sites, m3 m-3."""
    values = 0.2 + 0.1 * np.sin(np.arange(400) / 20 + np.arange(n_site)[:, None])
    coords = {"site": [f"S{k}" for k in range(n_site)], "time": DAYS}
    return xr.DataArray(values, coords, ("site", "time"), "soil_moisture", {"units": "m3 m-3"})


def grid() -> xr.Dataset:
    coords = {"lat": np.arange(50.0, 45.0, -0.5), "lon": np.arange(5.0, 10.0, 0.5)}
    return xr.Dataset({"t2m": (("lat", "lon"), np.full((10, 10), 280.0), {"units": "K"})}, coords)


def places(lat: float = 47.0) -> xr.Dataset:
    return xr.Dataset(coords={"site": ["A"], "lat": ("site", [lat]), "lon": ("site", [7.0])})


def scores(share: float) -> xr.Dataset:
    names = {"class_name": ["dry", "wet"]}
    return xr.Dataset({n: ("class_name", [share, 1 - share]) for n in ("f1", "precision", "recall", "share")}, names)


def warned(p: float) -> xr.Dataset:
    names = ("flash_onset_probability", "season_frequency", "percentile_frequency")
    return xr.Dataset({name: record() * 0 + p for name in names})


def driven() -> xr.Dataset:
    return record().to_dataset().assign(tp=record() * 10)


def site_table(folder: Path) -> None:
    (folder / "sites.csv").write_text("site,lat,lon\nXX-Abc,47,11\nXX-Abc,48,12\n")
    name = "FLX_XX-Abc_FLUXNET2015_SUBSET_DD_2001-2001_1-4.csv"
    (folder / name).write_text("TIMESTAMP,SWC_F_MDS_1,TA_F\n20011230,21.5,4.0\n20011231,20.5,5.0\n")


def revised() -> None:
    soil = record(1)
    monitor = xdrought.start_monitor(soil[:, :380], reference=soil)
    late = soil[:, 376:390].copy()
    late[:, :3] += 0.01
    monitor.update(late)


def few_droughts() -> xr.Dataset:
    return xr.Dataset(coords={"site": ("event", ["A", "B"])})


def leads(days: list[int]) -> xr.DataArray:
    """A forecast for some leads."""
    said = record().isel(time=slice(0, 50)).rename(time="init_time")
    return said.expand_dims(lead_time=pd.to_timedelta(days, unit="D")).transpose("site", "init_time", "lead_time")


REFUSALS = {
    "adjusted without a way": (
        lambda: xdrought.ccm(record(), record().shift(time=1), fdr_dim="site"),
        r"fdr_dim='site', but fdr=None adjusts nothing; give fdr=\"bh\"",
    ),
    "time in chunks": (
        lambda: xdrought.soil_moisture_percentile(record().chunk(time=100)),
        r"'time' has 4 chunks; the whole record is needed: use \.chunk\(\{'time': -1\}\)",
    ),
    "a file of another kind": (lambda: cli._kind(Path("a.xlsx")), "files are netCDF .*zarr .*or text"),
    "a setting without a value": (lambda: cli._settings(["upper"]), "--set 'upper' has no '='; write NAME=VALUE"),
    "a site beyond the grid": (
        lambda: collocate.collocate(grid(), places(49.9), size=4),
        'give a larger grid, or outside="drop" or "nan"',
    ),
    "uneven rows": (
        lambda: collocate.collocate(grid().isel(lat=[0, 1, 2, 4, 5, 6, 7]), places(), size=2),
        "lat",
    ),
    "rows without degrees": (
        lambda: collocate.collocate(grid().assign_coords(lat=[f"{k} N" for k in range(10)]), places(), size=2),
        r"coordinate 'lat' holds .*, not degrees",
    ),
    "less than no noise": (
        lambda: xdrought.simulation.simulate(1, 30, size=2, noise=-1.0),
        r"noise=-1\.0; expected a factor of 0 or more",
    ),
    "a world without its rain": (
        lambda: xdrought.simulation.respond(xdrought.simulation.simulate(1, 30, size=2).drop_vars("tp")),
        r"soils need the drivers \['tp'\] too; simulate with them, drivers=\[",
    ),
    "two of one input": (
        lambda: find_inputs(xr.Dataset({"t2m": 1.0, "2m_temperature": 1.0}), {"t2m"}),
        r"'t2m' and '2m_temperature' are both 't2m'; keep one, e\.g\. ds\.drop_vars\('2m_temperature'\)",
    ),
    "a day that stands twice": (
        lambda: insert_missing_days(pd.DataFrame({"x": [1, 2]}, DAYS[[0, 0]]), where="a.csv"),
        "a.csv has 1 duplicated day\\(s\\), first 2001-01-01; keep one row a day",
    ),
    "corrections unasked": (
        revised,
        r"the new days differ from what is known in \d+ value\(s\), .*update\(new_days, revise=True\)",
    ),
    "dropout of all": (
        lambda: build("Rec", n_features=1, size=1, dropout=1.0),
        "dropout=1.0; it is a share, 0 or more",
    ),
    "scores of other days": (
        lambda: xdrought.plot.plot_class_scores({"a": scores(0.3), "b": scores(0.4)}),
        "'a' and 'b' have other classes or days; score them on the same",
    ),
    "an embargo between sites": (
        lambda: xdrought.SplitConfig("spatial_monte_carlo", embargo=3),
        "embargo=3 with whole sites held out; leave it out",
    ),
    "numbers of other events": (
        lambda: xdrought.study.onset_trend(
            xr.DataArray([1.0], dims="event"), xr.Dataset(coords={"site": ("event", ["A", "B"])})
        ),
        "values is on {'event': 1}, the events are 2; give one number for each of the same events",
    ),
    "all days known": (
        lambda: xdrought.study.spatial_validation(record().to_dataset(), "soil_moisture", known=1.0),
        "known=1.0; it is a share of the days, above 0 and below 1",
    ),
    "a long unit": (lambda: units._spell("m " * 60), "it has 119 characters, units have at most 80"),
    "no unit": (lambda: units._spell("5 < 6"), "it is no product of powers of units"),
    "alarms for no time": (
        lambda: xdrought.alarms(warned(0.2), record() > 0.25, part=None, chosen_on=None, lead=0),
        r"lead=0; give the days for which an alarm is in force, e\.g\. lead=7",
    ),
    "a window beyond the year": (
        lambda: xdrought.climatology_forecast(record(), record(), train=slice(None), window=200),
        "window=200; give 0 to 182 days on either side",
    ),
    "per cent for probabilities": (
        lambda: xdrought.onset_skill(warned(20.0), (record() > 0.25) * 1.0, part=None),
        "'flash_onset_probability' reaches 20 to 20; probabilities go from 0 to 1",
    ),
    "a record without days": (
        lambda: xdrought.patches(driven().isel(time=[]), "soil_moisture", drivers=["tp"], size=1),
        "'time' is empty; give a record with days in it",
    ),
    "placebos of few sites": (
        lambda: controls(SimpleNamespace(source=SimpleNamespace(ds=record().to_dataset()))),
        "placebos and held-out sites need at least 6 sites",
    ),
    "a relation over few sites": (
        lambda: coupling(
            SimpleNamespace(
                forecaster=lambda _: SimpleNamespace(causality=None), source=SimpleNamespace(ds=record().to_dataset())
            )
        ),
        "a relation over sites needs at least 5",
    ),
    "trends of few droughts": (
        lambda: acceleration(SimpleNamespace(events=few_droughts())),
        r"only 2 droughts; trends need at least \d+",
    ),
    "kinds of few droughts": (
        lambda: explanations(SimpleNamespace(events=few_droughts())),
        "only 2 droughts; importance by kind needs at least ten",
    ),
    "leads that fall": (
        lambda: architecture("Rec", 1, 0, 1, 5, "paper", (4, 4), None, leads=(3, 1)),
        r"leads=\(3, 1\), future=\(\), n_quantiles=0 do not fit together",
    ),
    "models of other leads": (
        lambda: xdrought.verify({"a": leads([1, 2]), "b": leads([1, 3])}, record()),
        r"the models have the leads .*; give the same of each, or one with select_lead",
    ),
    "rates of other events": (
        lambda: xdrought.study.event_association(
            *(xr.DataArray([1.0, 2.0], {"site": ("event", one)}, "event") for one in (["A", "B"], ["B", "A"])),
            xr.Dataset(coords={"site": ("event", ["A", "B"])}),
        ),
        "and the table are of other rows, or in another order: 'site' differs; compute",
    ),
    "no drought": (
        lambda: droughts(SimpleNamespace(events=xr.Dataset(coords={"x": ("event", [])}))),
        "no drought was found in these data",
    ),
    "sweeps of nothing": (
        lambda: sweeps(
            SimpleNamespace(settings=SimpleNamespace(leads=(), windows=(), batch_sizes=(), learning_rates=()))
        ),
        "no values were asked for",
    ),
    "events of other places": (
        lambda: xdrought.event_importance(
            xr.DataArray(
                np.ones((1, 400, 1)), {"site": ["A"], "time": DAYS, "variable": ["tp"]}, ("site", "time", "variable")
            ),
            xr.Dataset({n: ("event", DAYS[:1]) for n in ("onset_time", "start_time")}, {"site": ("event", ["B"])}),
        ),
        "none of the 1 events lies at a place of the daily values",
    ),
    "the world in another step": (
        lambda: xdrought.simulation.to_era5(xr.Dataset(), "x", format="grib"),
        'format=\'grib\', step=\'day\'; choose "netcdf" or "zarr", and "day" or "hour"',
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_told(case):
    call, words = REFUSALS[case]
    with pytest.raises((ValueError, TypeError, LeftOut), match=words):
        call()


def test_a_site_stands_once_in_the_table(tmp_path):
    site_table(tmp_path)
    with pytest.raises(ValueError, match="has XX-Abc twice; keep one row"):
        xdrought.data.open_fluxnet(tmp_path)


def test_a_download_ends(monkeypatch, tmp_path):
    stream = download._Limited((tmp_path / "x").open("wb"), 3)
    with pytest.raises(ValueError, match="the answer is longer than 3 bytes, which no such file is"):
        stream.write(b"four")
    stream.stream.close()
    import requests

    class Endless:
        status_code, headers = 302, {"location": "https://example.org/"}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(requests.Session, "get", lambda *_, **__: Endless())
    with pytest.raises(ValueError, match="the address leads on more than 5 times; the last one is"):
        download._download("https://example.org/", stream, 1.0)


def test_windows_end():
    made = xdrought.patches(driven(), "soil_moisture", drivers=["tp"], size=1, window=5, lead=2)
    with pytest.raises(IndexError, match=r"no window \d+; there are \d+"):
        made[len(made)]
    tensors = made.to_torch()
    with pytest.raises(IndexError, match=r"window \d+ of \d+"):
        tensors[len(tensors)]


def test_both_kinds_of_days_are_needed():
    with pytest.raises(ValueError, match="both kinds are needed"):
        xdrought.fit_onset(
            (record() * 0 + 0.2).assign_attrs(units="m3 m-3").to_dataset(), "soil_moisture", model="logistic"
        )


def test_weights_are_readable():
    spec = architecture("Rec", 1, 0, 1, 5, "paper", (4, 4), None)
    with pytest.raises(ValueError, match="unreadable weights"):
        _read_weights(b"no tensors", spec)


def test_a_monitor_remembers_each_of_its_cells(monkeypatch, tmp_path):
    from xdrought.events import monitor_store

    xdrought.start_monitor(record(), reference=record()).save(tmp_path / "m")
    whole = monitor_store._from_columns
    monkeypatch.setattr(monitor_store, "_from_columns", lambda *given: np.concatenate([whole(*given)] * 2))
    with pytest.raises(ValueError, match="4 cells remembered, 2 named"):
        xdrought.load_monitor(tmp_path / "m")


def test_stations_have_a_size(monkeypatch, tmp_path):
    from xdrought.data import ismn

    monkeypatch.setattr(ismn, "MAX_BYTES", 3)
    (tmp_path / "a.stm").write_text("four")
    with pytest.raises(ValueError, match="a.stm has more than 3 bytes, which no station has; get it again"):
        ismn.read_stm(tmp_path / "a.stm", "header")


def test_groups_have_a_number(monkeypatch, tmp_path):
    h5py = pytest.importorskip("h5py")
    from xdrought import untrusted

    monkeypatch.setattr(untrusted, "MAX_OBJECTS", 2)
    with h5py.File(tmp_path / "deep.h5", "w") as file:
        file.create_group("a/b/c")
        with pytest.raises(untrusted.Refusal, match="deep.h5 holds more than 2 groups"):
            list(untrusted._walk_hdf5(file))


def test_a_folder_that_cannot_be_exchanged_is_put_back(monkeypatch, tmp_path):
    from xdrought import files

    new, old = tmp_path / "hidden" / "new", tmp_path / "store"
    for folder in (new, old):
        folder.mkdir(parents=True)
        (folder / folder.name).touch()
    move = files.os.replace

    def fails(source, target):
        if Path(source) == new:
            raise OSError("no room")
        move(source, target)

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(OSError, match="no room"):
        files._exchange_folders(new, old)
    assert (old / "store").exists()
