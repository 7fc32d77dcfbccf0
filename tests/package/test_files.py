"""Files are whole or not there, nothing is left behind by the dead, and a digest tells data apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr

from tests.support.interruptions import Writer, fill_the_disk, kill_while_writing
from xdrought import files

posix = pytest.mark.skipif(os.name != "posix", reason="asks POSIX systems about processes")


def write(path: Path, text: str) -> None:
    with files.replacing(path) as part:
        part.write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_there_and_an_old_one_replaced(tmp_path):
    for text in ("first", "second"):
        write(tmp_path / "it.txt", text)
        assert (tmp_path / "it.txt").read_text() == text
        assert names(tmp_path) == ["it.txt"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    write(tmp_path / "it.txt", "first")

    def fail() -> None:
        with files.replacing(tmp_path / "it.txt") as part:
            part.write_text("second")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail()
    assert (tmp_path / "it.txt").read_text() == "first"
    assert names(tmp_path) == ["it.txt"]


def test_until_the_end_the_old_file_is_there_and_the_part_has_its_name(tmp_path):
    write(tmp_path / "it.nc", "first")
    with files.replacing(tmp_path / "it.nc") as part:
        assert part.name == "it.nc"
        part.write_text("second")
        assert (tmp_path / "it.nc").read_text() == "first"


def test_nothing_written_is_an_error_and_the_old_file_stays(tmp_path):
    write(tmp_path / "it", "first")
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "it"):
        pass
    assert (tmp_path / "it").read_text() == "first"


def test_a_folder_is_replaced_by_a_folder(tmp_path):
    for text in ("a", "b"):
        with files.replacing(tmp_path / "store") as part:
            (part / "inner").mkdir(parents=True)
            (part / "inner" / text).write_text(text)
        assert names(tmp_path) == ["store"]
        assert names(tmp_path / "store" / "inner") == [text]


def test_a_long_name_has_a_part_that_the_file_system_takes(tmp_path):
    write(tmp_path / ("n" * 255), "it")
    assert (tmp_path / ("n" * 255)).read_text() == "it"


@posix
def test_the_bytes_and_the_name_are_waited_for(tmp_path, monkeypatch):
    events = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: events.append(os.readlink(f"/proc/self/fd/{handle}")))
    move = os.replace

    def moved(source, target):
        events.append("moved")
        move(source, target)

    monkeypatch.setattr(files.os, "replace", moved)
    write(tmp_path / "it", "text")
    part, *rest = events
    assert Path(part).parent.name.startswith(".part-")
    assert rest == ["moved", str(tmp_path)]


@posix
def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    code = (
        "import sys, time\nfrom xdrought import files\n"
        f"with files.replacing({str(tmp_path / 'it')!r}) as part:\n"
        "    part.write_text('half'); print('written', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"written\n"
    write(tmp_path / "other", "text")
    assert len(names(tmp_path)) == 2  # the process is alive: its part stays
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert [name[:6] for name in names(tmp_path)] == [".part-", "other"]
    write(tmp_path / "other", "text")
    assert names(tmp_path) == ["other"]


@posix
def test_many_kills_leave_one_part_at_most(tmp_path):
    """A part for each of these kills stayed for ever before writers removed what others had left."""
    content = np.zeros(300_000, np.uint8)

    def put(which: int) -> None:
        with files.replacing(tmp_path / "it") as part:
            part.write_bytes((content + which).tobytes())

    found = kill_while_writing(Writer(tmp_path / "it", put), 12)
    assert found["half"] == 0
    put(0)
    assert names(tmp_path) == ["it"]


@posix
def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path):
    def put(which: int) -> None:
        with files.replacing(tmp_path / "it") as part:
            part.write_bytes(bytes([which]) * 5000)

    outcomes = set((ended, left) for _, ended, left in fill_the_disk(Writer(tmp_path / "it", put), [0, 100, 4999]))
    assert outcomes == {("raised", "old")}
    assert names(tmp_path) == ["it"]


def test_parts_of_other_machines_are_left_alone_until_they_are_a_week_old(tmp_path):
    part = tmp_path / ".part-00000000-1-0123456789ab"
    part.mkdir()
    (part / "chunk").write_text("0")
    assert files.remove_leftovers(tmp_path) == []
    old = time.time() - 8 * 24 * 3600
    os.utime(part, (old, old))
    assert files.remove_leftovers(tmp_path) == []  # something in it is young
    os.utime(part / "chunk", (old, old))
    assert files.remove_leftovers(tmp_path) == [part]
    assert names(tmp_path) == []


def test_files_of_others_that_begin_alike_are_left_alone(tmp_path):
    (tmp_path / ".part-of-the-story").write_text("mine")
    old = time.time() - 30 * 24 * 3600
    os.utime(tmp_path / ".part-of-the-story", (old, old))
    assert files.remove_leftovers(tmp_path) == []


def test_two_writers_in_one_process_do_not_take_each_others_parts(tmp_path):
    with files.replacing(tmp_path / "a") as first:
        first.write_text("a")
        write(tmp_path / "b", "b")
        assert first.exists()
    assert names(tmp_path) == ["a", "b"]


def test_digests_are_of_names_labels_dtypes_and_values():
    da = xr.DataArray([1.0, 2.0], {"x": [0, 1]}, name="a")
    same = files.digest(da)
    assert same == files.digest(da.copy())
    assert same == files.digest(da.chunk(x=1))
    assert same == files.digest(da.assign_attrs(units="K"))
    others = [da + 1e-12, da.assign_coords(x=[0, 2]), da.astype("f4"), da.rename(x="y"), da.to_dataset(name="a")]
    assert len({same, *map(files.digest, others)}) == 6


def test_digests_of_several_things_do_not_run_together():
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest(np.zeros(2), np.zeros(0)) != files.digest(np.zeros(1), np.zeros(1))
    assert files.digest(np.zeros((2, 3))) != files.digest(np.zeros((3, 2)))
    assert files.digest(np.array(["a", "bc"])) == files.digest(np.array(["a", "bc"]))
    assert files.digest(np.array([["a"], [None]], object)) != files.digest(np.array([["a"], ["None"]], object))
    assert len(files.digest(b"x", size=16)) == 32
    assert files.digest(iter(["ab", "c"])) == files.digest("ab", "c")


def test_a_lazy_array_is_read_slice_by_slice():
    read = []

    def block(values, block_info=None):
        read.append(values.nbytes)
        return values

    lazy = dask.array.zeros((6, 1000), chunks=(1, 1000)).map_blocks(block, meta=np.zeros((0, 0)))
    files.digest(xr.DataArray(lazy, dims=("site", "time")))
    assert read == [8000] * 6
