"""Nothing in the package runs what it reads: no pickle, eval or shell; archives, servers and names stay in bounds."""

from __future__ import annotations

import ast
import gzip
import http.server
import re
import runpy
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

import xdrought
from xdrought.data import download, uscrn

PACKAGE = Path(xdrought.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
SHELLS = {"subprocess", "pty", "pexpect", "sh", "commands", "popen2"}
RUNNERS = {"eval", "exec", "compile", "__import__", "execfile", "breakpoint", "input"}
# what runs, unpickles or unpacks to disk, by the last name of a call
CALLS = {
    "system",
    "popen",
    "spawnl",
    "spawnv",
    "execv",
    "execve",
    "posix_spawn",
    "fork",
    "extractall",
    "extract",
    "mktemp",
    "read_pickle",
    "to_pickle",
    "unpack_archive",
    "literal_eval",
    "load_module",
    "exec_module",
}
FLAGS = {"shell": True, "allow_pickle": True, "weights_only": False, "verify": False}


def dangers(source: str) -> list[str]:
    """What a module could be made to run, with its line."""
    return [f"line {node.lineno}: {words}" for node in ast.walk(ast.parse(source)) for words in _danger(node)]


def _danger(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (f"import {name}" for name in names if name.split(".")[0] in UNPICKLERS | SHELLS)
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name) and function.id in RUNNERS:
            yield function.id
        if isinstance(function, ast.Attribute) and function.attr in CALLS:
            yield ast.unparse(function)
        if ast.unparse(function) in ("torch.load", "torch.save", "yaml.load", "np.fromfile", "torch.jit.load"):
            yield ast.unparse(function)
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg in FLAGS and value is FLAGS[keyword.arg]:
                yield f"{keyword.arg}={value}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(("http://", "ftp://")):
        yield node.value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_runs_what_it_reads(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "import pickle"),
        ("def f():\n    from dill import loads", "import dill"),
        ("import os, subprocess", "import subprocess"),
        ("eval(text)", "eval"),
        ("x = [exec(line) for line in lines]", "exec"),
        ("os.system('ls')", "os.system"),
        ("run('ls', shell=True)", "shell=True"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("torch.load(path)", "torch.load"),
        ("archive.extractall(folder)", "archive.extractall"),
        ("pd.read_pickle(path)", "pd.read_pickle"),
        ("URL = 'http://example.com'", "http://example.com"),
        ("requests.get(url, verify=False)", "verify=False"),
    ],
)
def test_the_walk_sees_it(source, found):
    assert [text.partition(": ")[2] for text in dangers(source)] == [found]


def test_the_walk_sees_the_whole_package_and_leaves_torch_alone():
    assert {"units.py", "forecaster_file.py", "download.py", "zoo.py"} <= {path.name for path in SOURCES}
    assert dangers("network.eval()\nnp.load(path)\nre.compile('x')\nnetwork.encoder.compile(dynamic=True)") == []


# --- downloads ------------------------------------------------------------------------------------------------


class Endless(http.server.BaseHTTPRequestHandler):
    """More than anyone wants: without an end, or unpacked."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/bomb":
            packed = gzip.compress(bytes(8 * 2**20))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)
            return
        self.end_headers()
        try:
            for _ in range(1024):
                self.wfile.write(bytes(2**16))
        except OSError:
            self.server.cut = True  # type: ignore[attr-defined]

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.mark.parametrize("path", ["endless", "bomb"])
def test_a_download_that_does_not_end_is_cut_off(server, tmp_path, path):
    url = f"http://127.0.0.1:{server.server_port}/{path}"
    checked = []
    with pytest.raises(ConnectionError, match=r".* in 1 tries; .*longer than 1000000 bytes.*Nothing was kept"):
        download.fetch(url, tmp_path / "it", checked.append, limit=1_000_000, retries=0)
    assert checked == []
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_just_the_size_is_kept(server, tmp_path):
    url, size = f"http://127.0.0.1:{server.server_port}/bomb", 8 * 2**20
    download.fetch(url, tmp_path / "it", lambda part: None, limit=size, retries=0)
    assert (tmp_path / "it").stat().st_size == size


def test_a_station_s_year_is_far_below_its_limit(data_dir):
    largest = max(path.stat().st_size for path in (data_dir / "uscrn").rglob("CRND0103-*.txt"))
    assert largest * 10 < uscrn.MAX_FILE_BYTES


@pytest.mark.parametrize("url", ["http://example.com/x", "ftp://example.com/x", "file:///etc/passwd", "//example.com"])
def test_only_https_is_asked(tmp_path, url):
    with pytest.raises(ValueError, match=".* is not an https address"):
        download.fetch(url, tmp_path / "it", lambda part: None, limit=1)


@pytest.mark.parametrize("station", ["../../etc/passwd", "OK_../../x", "OK_a/b", "OK_a\\b", "OK_a%2fb", ""])
def test_a_station_s_name_cannot_lead_out_of_the_cache(tmp_path, station):
    with pytest.raises((ValueError, FileNotFoundError), match=""):
        uscrn.open_uscrn(
            stations=[station],
            years=[2010],
            cache=tmp_path / "cache",
            base_url="https://127.0.0.1:9",
            retries=0,
            wait=0.0,
            progress=False,
        )
    assert list(tmp_path.iterdir()) == []


# --- dependencies ---------------------------------------------------------------------------------------------


def script(name: str) -> dict:
    return runpy.run_path(str(PACKAGE.parent / "ci" / f"{name}.py"))


def test_licences_of_all_dependencies_are_known_and_free():
    licences = script("licences")
    found = {
        name: licences["licence"](package)
        for name, package in licences["installed_with"](licences["declared"]()).items()
    }
    assert {"numpy", "torch", "xarray", "safetensors"} <= set(found)
    assert {"regionmask", "shap", "cartopy"} <= set(licences["declared"]())
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["all"] == [f"xdrought[{','.join(licences['EXTRAS'])}]"]
    assert {name: one for name, one in found.items() if one not in licences["FREE"]} == {}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: BSD-3-Clause AND 0BSD"], "BSD"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT"),
        (["Classifier: License :: OSI Approved :: GNU General Public License (GPL)"], "GPL"),
        (["License: LGPL-3.0-or-later"], "LGPL"),
        (["License: as you like"], "unknown"),
        ([], "unknown"),
    ],
)
def test_a_licence_is_read_from_metadata(tmp_path, lines, expected):
    (tmp_path / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", "Name: it", "Version: 1", *lines]) + "\n")
    licences = script("licences")
    found = licences["licence"](PathDistribution(tmp_path))
    assert found == expected
    assert (found in licences["FREE"]) == (expected in ("BSD", "MIT"))


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (None, 75, "NOTHING was checked"),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 0, "1 of 1 packages were checked, 0 have"),
        ({"dependencies": [{"name": "a", "skip_reason": "?"}]}, 75, "0 of 1 packages were checked.*NOT checked.*: a"),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}, 1, "1 have .*a 1: CVE-1"),
    ],
    ids=["no answer", "good", "unknown to the service", "vulnerable"],
)
def test_an_audit_never_says_more_than_it_knows(answer, status, words):
    found, said = script("audit")["report"](answer, 1)
    assert found == status
    assert re.search(words, " ".join(said))
