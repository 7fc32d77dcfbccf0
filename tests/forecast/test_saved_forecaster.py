"""A forecaster that was saved is the same again; a file that was changed or damaged is refused."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import torch
import xarray as xr

from tests.support.quick_training import quick
from xdrought import SplitConfig
from xdrought.forecast.fitting import load_forecaster, predict


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def saved(causal, tmp_path):
    path = tmp_path / "model.xdrought"
    causal.save(path)
    return path


def test_a_file_gives_the_same_forecaster(sites, causal, saved):
    again = load_forecaster(saved)
    xr.testing.assert_identical(predict(sites, again), predict(sites, causal))
    for name in ("architecture", "features", "target", "units", "target_attrs", "lead", "settings"):
        assert getattr(again, name) == getattr(causal, name)
    assert repr(again) == repr(causal)
    xr.testing.assert_identical(again.history, causal.history)
    xr.testing.assert_identical(again.scaling.std, causal.scaling.std)
    xr.testing.assert_equal(again.causality, causal.causality)
    xr.testing.assert_equal(again.splits.ranges, causal.splits.ranges)
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]  # nothing temporary is left


def test_a_file_without_causality(sites, tmp_path):
    forecaster = quick(sites, "ResRec", split=SplitConfig(fractions=(0.7, 0.25, 0.05)))
    assert np.isnat(forecaster.splits.ranges.start.sel(part="test")).all()  # emptied by the embargo: NaT in the file
    forecaster.save(tmp_path / "m")
    again = load_forecaster(tmp_path / "m")
    assert again.causality is None
    xr.testing.assert_equal(again.splits.ranges, forecaster.splits.ranges)
    xr.testing.assert_identical(predict(sites, again), predict(sites, forecaster))


def test_a_failed_save_leaves_the_old_file(causal, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(OSError, match="disk full"):
        causal.save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def rewrite(path, change) -> None:
    """Apply `change` to the members of a saved file; the zip itself stays whole."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def resigned(change):
    """Change the labels and make the checksums fit, as a forger would."""
    import hashlib

    def apply(members):
        labels = json.loads(members["forecaster.json"])
        change(labels)
        members["forecaster.json"] = json.dumps(labels).encode()
        sums = json.loads(members["checksums.json"])
        sums["forecaster.json"] = hashlib.sha256(members["forecaster.json"]).hexdigest()
        members["checksums.json"] = json.dumps(sums).encode()

    return apply


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.pop("forecaster.json"), "it has no readable labels"),
        (lambda m: m.update({"forecaster.json": b"{"}), "it has no readable labels"),
        (lambda m: m.update({"forecaster.json": b"[]"}), "it has no readable labels"),
        (lambda m: m.update({"forecaster.json": b'{"format": "other"}'}), "it says 'other'"),
        (lambda m: m.pop("checksums.json"), "it has no checksums"),
        (lambda m: m.update({"checksums.json": b"3"}), "it has no checksums"),
        (lambda m: m.pop("run-1.safetensors"), r"was changed after it was saved: \['run-1.safetensors'\]"),
        (lambda m: m.update({"run-0.safetensors": b"x" * 99}), r"was changed after it was saved"),
        (
            resigned(lambda labels: labels.update(format_version=2)),
            "has format version 2, this xdrought reads 1",
        ),
        (resigned(lambda labels: labels.update(runs=3)), "does not fit together"),
        (resigned(lambda labels: labels.pop("lead")), "does not fit together"),
        (
            resigned(lambda labels: labels["architecture"].update(widths=[10**6, 10**6])),
            "the weights are not those",
        ),
        (resigned(lambda labels: labels["architecture"].update(widths="ab")), "does not fit together"),
        (
            resigned(lambda labels: labels["architecture"].update(variant="__import__")),
            "does not fit together",
        ),
        (resigned(lambda labels: labels["scaling"]["variables"].pop("std")), "does not fit together"),
    ],
)
def test_a_changed_file_is_refused(saved, change, match):
    rewrite(saved, change)
    with pytest.raises(ValueError, match=match):
        load_forecaster(saved)


def test_a_foreign_or_damaged_file_is_refused(saved, tmp_path):
    content = saved.read_bytes()
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_forecaster(tmp_path / "none")
    for name, foreign in {
        "a": b"",
        "b": b"hello",
        "c": content[: len(content) // 2],
        "d": content[100:],
    }.items():
        (tmp_path / name).write_bytes(foreign)
        with pytest.raises(ValueError, match="not a whole saved forecaster"):
            load_forecaster(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "e", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("forecaster.json", "0" * 10**6)
    with pytest.raises(ValueError, match="its members are compressed"):
        load_forecaster(tmp_path / "e")


def test_flipped_bits_never_pass_unseen(sites, causal, saved):
    content, rng = saved.read_bytes(), np.random.default_rng(0)
    expected = predict(sites, causal)
    for position in rng.integers(0, len(content), 60):
        broken = bytearray(content)
        broken[position] ^= 1 << rng.integers(8)
        saved.write_bytes(broken)
        try:
            found = load_forecaster(saved)
        except ValueError:
            continue
        xr.testing.assert_identical(predict(sites, found), expected)  # a bit that no value hangs on, e.g. a date
