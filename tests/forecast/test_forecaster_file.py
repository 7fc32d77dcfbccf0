"""Saved forecasters as an attacker, a full disk or a torn cable leave them: refused with words, nothing run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import sys
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from tests.forecast.test_saved_forecaster import resigned, rewrite
from tests.support.forecasters import untrained
from tests.support.towers import random_sites
from xdrought.forecast.fitting import load_forecaster, predict

CODE = {"pickle.find_class", "exec", "compile", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"}
CODE |= {"marshal.loads", "ctypes.dlopen", "code.__new__"}
_seen: list[str] | None = None


def _watch(event: str, args: tuple) -> None:
    if _seen is not None and event in CODE:
        _seen.append(event)


sys.addaudithook(_watch)


def load_watched(path):
    """:func:`load`; fails when it runs, compiles or unpickles anything."""
    global _seen
    _seen = []
    try:
        return load_forecaster(path)
    finally:
        seen, _seen = _seen, None
        assert not seen


def load_or_refuse(path):
    """The forecaster, or None when the file is refused in the right words."""
    try:
        return load_watched(path)
    except ValueError as error:
        words = str(error)
    assert words.startswith("")
    return None


@pytest.fixture(scope="module")
def sites():
    return random_sites(2, 90, 2)


@pytest.fixture(scope="module")
def forecaster(sites):
    return untrained(sites, "ResAttCauRec", runs=2, history=True, change=True, latency=1, widths=(2, 2))


@pytest.fixture
def saved(forecaster, tmp_path):
    path = tmp_path / "model.xdrought"
    forecaster.save(path)
    load_forecaster(path)  # whatever is imported late is imported now
    return path


def test_the_watch_sees_code():
    global _seen
    _seen = []
    exec("1 + 1")
    seen, _seen = _seen, None
    assert "exec" in seen


def test_all_of_it_comes_back(sites, forecaster, saved):
    again = load_watched(saved)
    assert again.target_inputs == forecaster.target_inputs
    assert again.drivers == forecaster.drivers
    assert repr(again) == repr(forecaster)
    assert again._repr_html_() == forecaster._repr_html_()
    xr.testing.assert_identical(predict(sites, again), predict(sites, forecaster))
    again.save(saved.with_name("second"))
    assert saved.with_name("second").read_bytes() == saved.read_bytes()


def test_who_may_read_it_is_as_for_any_file(saved, tmp_path):
    (tmp_path / "other").write_text("")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_what_notebooks_show(forecaster):
    text, html = repr(forecaster), forecaster._repr_html_()
    words = " ".join(text.split())
    assert "own past as a driver and as the value that a change is added to, reported after 1 days" in words
    assert "ResAttCauRec (paper), 2 runs" in text
    assert "soil_moisture (m3 m-3), 2 days ahead" in html
    assert "val_loss" in html
    foreign = replace(forecaster, units={**forecaster.units, "soil_moisture": "<script>alert(1)</script>"})
    assert "<script>" not in foreign._repr_html_()


def test_names_that_are_no_text_are_refused(forecaster, tmp_path):
    with pytest.raises(ValueError, match="the names .* are not all text; rename the variables"):
        replace(forecaster, target=3).save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


# --- damage -------------------------------------------------------------------------------------------------


def test_bits_that_flip(sites, forecaster, saved):
    """Everywhere in the zip's own bookkeeping, and here and there in the content."""
    content, rng = saved.read_bytes(), np.random.default_rng(0)
    few = sites.isel(time=slice(0, 12))
    expected = predict(few, forecaster)
    directory = content.index(b"PK\x01\x02")
    places = [*rng.integers(0, len(content), 80), *rng.integers(directory, len(content), 80), *range(0, 60, 2)]
    refused = 0
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << rng.integers(8)
        saved.write_bytes(broken)
        found = load_or_refuse(saved)
        refused += found is None
        if found is not None:
            xr.testing.assert_identical(predict(few, found), expected)  # e.g. a date of the zip
    assert refused > 100


def test_ends_that_are_missing(saved):
    content, rng = saved.read_bytes(), np.random.default_rng(1)
    for end in [0, 1, 21, 22, *rng.integers(0, len(content), 30), len(content) - 1]:
        saved.write_bytes(content[:end])
        with pytest.raises(ValueError, match=".* is not a whole saved forecaster"):
            load_watched(saved)


def nodes(tree, path=()):
    """Every place of a JSON tree."""
    yield path
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from nodes(child, (*path, key))


ODD = [None, True, False, 0, -1, 3, 10**30, 1.5, 1e308, "", "x", "O", "V8", "S999999999", "<M8[ns]", "f4", [], {}]
ODD += [[1], ["a", "a"], {"a": 1}, [[]], "../../x", "__import__('os')", [None], {"format": 1}]


def test_labels_of_the_wrong_kind(forecaster, saved):
    """A forger changes one label and makes the checksums fit: refused, or a forecaster that can say what it is."""
    rng, refused = np.random.default_rng(2), 0
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    labels = json.loads(members["forecaster.json"])
    top = {path[:1] for path in nodes(labels) if path}
    places = sorted(nodes(labels), key=str)
    chosen = [*top, *(places[k] for k in rng.integers(1, len(places), 100))]
    for path in chosen:
        changed = json.loads(members["forecaster.json"])
        branch = changed
        for key in path[:-1]:
            branch = branch[key]
        branch[path[-1]] = ODD[rng.integers(len(ODD))]
        write(saved, members, json.dumps(changed).encode())
        found = load_or_refuse(saved)
        refused += found is None
        if found is not None:
            assert repr(found).startswith("<xdrought.Forecaster ResAttCauRec")
            assert found._repr_html_()
            found.save(saved)
    assert refused > 50


def write(path, members, labels: bytes) -> None:
    """A saved file with other labels and checksums that fit."""
    members = {**members, "forecaster.json": labels}
    sums = {name: hashlib.sha256(c).hexdigest() for name, c in members.items() if name != "checksums.json"}
    members["checksums.json"] = json.dumps(sums).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m.update(lead=0), "lead=0"),
        (lambda m: m.update(lead=True), "lead=True"),
        (lambda m: m.update(runs=0), "there are no weights"),
        (lambda m: m.update(target=5), "are no text"),
        (lambda m: m.update(target="tp"), "are given twice"),
        (lambda m: m.update(features=["tp"]), "does not fit together"),
        (lambda m: m["target_inputs"].update(latency=-1), "latency=-1"),
        (lambda m: m["target_inputs"].update(more=1), "does not fit together"),
        (lambda m: m.update(steps={"lat": "north"}), "steps="),
        (lambda m: m.update(settings=[]), "does not fit together"),
        (lambda m: m.update(embargo="9"), "splits have no embargo"),
        (lambda m: m.update(fractions=[0.7, 0.3]), "no shares of parts"),
        (lambda m: m.update(causality=None), "ResAttCauRec and its causality"),
        (lambda m: m["architecture"].update(n_causal=2), "does not fit together"),
        (lambda m: m["scaling"]["variables"]["std"].update(values=[0.0] * 4), "scaling has a spread of 0"),
        (lambda m: m["scaling"]["variables"]["mean"].update(values=[None] * 4), "scaling has no mean"),
        (lambda m: m["scaling"]["variables"]["mean"].update(dtype="S999999999"), "are never written"),
        (lambda m: m["history"]["variables"]["val_loss"].update(dtype="i8"), "history has no val_loss"),
        (lambda m: m["splits"]["variables"]["start"].update(dtype="f8"), "splits have no start dates"),
        (lambda m: m["causality"]["variables"]["rho"].update(dtype="object"), "causality has no rho"),
        (lambda m: m["units"].__setitem__(0, 7), "units are no text"),
    ],
)
def test_labels_that_do_not_fit(saved, change, match):
    rewrite(saved, resigned(change))
    with pytest.raises(ValueError, match=match):
        load_watched(saved)


class Bomb:
    """What a pickle could do."""

    def __reduce__(self):
        return os.system, ("touch /tmp/xdrought_was_here",)


def test_foreign_files(saved, tmp_path):
    """A pickle, torch's own format, a zip of something else, overlapping members, deep nesting."""
    torch.save({"a": torch.zeros(2), "b": Bomb()}, tmp_path / "torch")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    with zipfile.ZipFile(tmp_path / "deep", "w") as archive:
        archive.writestr("forecaster.json", "[" * 100_000)
    content = saved.read_bytes()
    with zipfile.ZipFile(tmp_path / "overlap", "w") as archive:
        archive.writestr("forecaster.json", b"x" * 1000)
        archive.filelist *= 50  # the same bytes fifty times over
    (tmp_path / "text").write_text("soil moisture")
    (tmp_path / "tail").write_bytes(content + b"more")
    for name in ("torch", "zip", "deep", "overlap", "text"):
        with pytest.raises(ValueError, match=".* is not a whole saved forecaster"):
            load_watched(tmp_path / name)
    for folder_or_none in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            load_forecaster(folder_or_none)


def test_weights_of_the_wrong_kind(saved):
    from safetensors.torch import load as read
    from safetensors.torch import save

    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = read(members["run-0.safetensors"])
    name = next(iter(weights))
    wrong = [
        {**weights, name: weights[name].double()},
        {**weights, name: weights[name].flatten()[:-1].clone()},
        {k: w for k, w in weights.items() if k != name},
        {**weights, "extra": torch.zeros(1)},
    ]
    for content in [*map(save, wrong), b"", b"\xff" * 40, (10**15).to_bytes(8, "little") + b"{}"]:
        write(saved, {**members, "run-0.safetensors": content}, members["forecaster.json"])
        with pytest.raises(ValueError, match=".*does not fit together"):
            load_watched(saved)


# --- interrupted ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_while_saving(forecaster, saved):
    """Killed at any moment, the file is the old or the new one, whole."""
    other = replace(forecaster, lead=5)
    other.save(saved.with_name("other"))
    whole = {saved.read_bytes(), saved.with_name("other").read_bytes()}
    rng, found = np.random.default_rng(3), set()
    for _ in range(8):
        child = os.fork()
        if not child:
            while True:
                for one in (other, forecaster):
                    one.save(saved)
        time.sleep(rng.uniform(0.05, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found.add(saved.read_bytes())
    assert found <= whole
