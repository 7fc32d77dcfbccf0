"""Killed at any moment, or on a full disk: every writer leaves the old file or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.forecasters import untrained
from tests.support.interruptions import Writer, contents, fill_the_disk, kill_while_writing, limits_below
from tests.support.towers import random_sites
from xdrought import files
from xdrought.forecast.fitting import load_forecaster
from xdrought.models import checkpoint
from xdrought.simulation import twin

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def forecaster_file(folder: Path) -> Writer:
    one = untrained(random_sites(2, 90, 2), "ResAttCauRec", widths=(2, 2))
    both = (one, replace(one, lead=5))
    return Writer(folder / "it.xdrought", lambda which: both[which].save(folder / "it.xdrought"))


def checkpoint_file(folder: Path) -> Writer:
    path = folder / "it.ckpt"

    def write(which: int) -> None:
        with files.replacing(path) as part:
            part.write_bytes(checkpoint.to_bytes({"a": torch.full((4000,), float(which))}, {"k": which}))

    return Writer(path, write)


def netcdf_file(folder: Path) -> Writer:
    grids = [twin.simulate_grid(2, 2, 8, seed=seed, spinup_days=1) for seed in (0, 1)]
    path = folder / "it.nc"
    return Writer(path, lambda which: twin.to_era5(grids[which], path, overwrite=True))


def csv_files(folder: Path) -> Writer:
    towers = [twin.simulate(1, 20, size=2, seed=seed, spinup_days=1) for seed in (0, 1)]
    found = twin.to_fluxnet_csv(towers[0], folder)[0]
    return Writer(found, lambda which: twin.to_fluxnet_csv(towers[which], folder))


WRITERS: list[Callable[[Path], Writer]] = [forecaster_file, checkpoint_file, netcdf_file, csv_files]


@pytest.mark.parametrize("make", WRITERS, ids=lambda one: one.__name__)
def test_a_full_disk_leaves_the_old_file(tmp_path, make):
    writer = make(tmp_path)
    writer.write(1)
    size = writer.path.stat().st_size
    outcomes = list(fill_the_disk(writer, limits_below(size, 8)))
    assert len(outcomes) >= 6
    endings = {ended for _, ended, _ in outcomes}
    assert endings <= ({"raised", "crashed"} if make is netcdf_file else {"raised"}), outcomes  # HDF5 may crash
    assert {left for *_, left in outcomes} == {"old"}, outcomes
    if "crashed" not in endings:
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("make", WRITERS, ids=lambda one: one.__name__)
def test_killed_at_any_moment_one_of_both_is_whole(tmp_path, make):
    writer = make(tmp_path)
    found = kill_while_writing(writer, 6)
    assert found["half"] == 0, found
    assert found.total() == 6
    writer.write(1)
    assert list(tmp_path.rglob(".part-*")) == []  # the next write removes what the killed ones left


def test_after_it_all_the_file_can_be_read(tmp_path):
    writer = forecaster_file(tmp_path)
    kill_while_writing(writer, 3, seed=1)
    assert load_forecaster(writer.path).lead in (2, 5)


def test_a_writer_that_writes_in_place_is_caught(tmp_path):
    """The harness sees half a file, where there is one."""
    path = tmp_path / "it"

    def in_place(which: int) -> None:
        with path.open("wb", buffering=0) as stream:
            for _ in range(200):
                stream.write(bytes([which]) * 100)

    writer = Writer(path, in_place)
    assert kill_while_writing(writer, 12, longest=0.05)["half"] > 0
    assert {left for _, _, left in fill_the_disk(writer, [100, 10_000])} == {"half"}


def test_contents_of_folders_and_of_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"c")
    assert contents(tmp_path / "a") == b"b\0c"
    assert contents(tmp_path / "nothing") == b""
