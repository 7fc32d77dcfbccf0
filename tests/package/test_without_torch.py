"""What a user has who leaves torch out: everything but networks, and for those an error with its cure.

All pieces run one after the other in one interpreter where torch cannot be imported. The first of them says what no
torch means, so that the others cannot pass by it being there.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

START = """
import sys


class WithoutTorch:  # a finder as it would be if torch were not installed
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *where):
        return None if name.partition(".")[0] == "torch" else self.finder.find_spec(name, *where)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [WithoutTorch(finder) for finder in sys.meta_path]
import matplotlib

matplotlib.use("Agg")
import numpy as np
import xdrought
from xdrought.simulation.twin import simulate

ds = simulate(n_sites=2, n_days=800, size=2, seed=1)
soil = ds.soil_moisture
"""
WORKS = {
    "events": """
events = xdrought.flash_drought_events(soil)
assert events.sizes["event"] > 0
assert xdrought.drought_classes(soil).shape == soil.shape
assert xdrought.drought_summary(soil).sizes["site"] == 2
""",
    "ccm": """
found = xdrought.ccm(ds.tp.isel(patch_lat=0, patch_lon=0), soil, surrogates=19)
assert np.isfinite(found.rho).all()
assert "torch" not in str(found.attrs.get("engine", ""))
""",
    "causality_degree": """
assert np.isfinite(xdrought.causality_degree(ds[["tp", "t2m"]], soil, train=slice(None, "2002-06")).rho).all()
""",
    "windows": """
windows = xdrought.patches(ds, "soil_moisture", drivers=["tp", "t2m"])
assert windows[0].sizes["time"] == 15
""",
    "verification": """
forecast = soil.shift(time=7).dropna("time").rename("soil_moisture")
scores = xdrought.verify(forecast, soil, lead=7)
assert np.isfinite(scores.nse).all()
""",
    "plots": """
from xdrought.plot import plot_record

plot_record(soil.isel(site=0), xdrought.flash_drought_events(soil))
""",
    "reading": """
from xdrought.data import tutorial

assert tutorial.open_dataset("us-ar1").sizes["time"] > 1000
""",
}
REFUSED = {
    "fit_resattcaurec": 'xdrought.fit_resattcaurec(ds, "soil_moisture", ["tp", "t2m"], variant="Rec")',
    "to_torch": 'xdrought.patches(ds, "soil_moisture", drivers=["tp"]).to_torch()',
    "ccm": 'xdrought.ccm(ds.tp.isel(patch_lat=0, patch_lon=0), soil, engine="torch")',
    "load_forecaster": 'xdrought.load_forecaster("{file}")',
}


EACH = """
import json, traceback

found = {}
for name, piece in json.loads(sys.argv[1]).items():
    try:
        exec(piece, dict(globals()))
        found[name] = ""
    except BaseException:
        found[name] = traceback.format_exc()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def errors(tmp_path_factory) -> dict[str, str]:
    """What each piece ends with: nothing, or the traceback of its error."""
    path = tmp_path_factory.mktemp("without") / "forecaster.xdrought"
    path.write_bytes(b"any")
    refused = {f"{name} refused": piece.format(file=path) for name, piece in REFUSED.items()}
    pieces = json.dumps({"torch": "import torch"} | WORKS | refused)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START + EACH, pieces], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_torch_is_out_of_reach(errors):
    assert errors["torch"].splitlines()[-1].startswith("ModuleNotFoundError")


@pytest.mark.parametrize("name", WORKS)
def test_without_torch_all_but_networks_works(errors, name):
    assert errors[name] == ""


@pytest.mark.parametrize("function", REFUSED)
def test_without_torch_networks_say_what_to_install(errors, function):
    refusal, note = errors[f"{function} refused"].splitlines()[-2:]
    assert refusal == "ModuleNotFoundError: needs torch, which is not installed here; pip install 'xdrought[forecast]'"
    assert note.startswith("in xdrought.")
    assert note.endswith(function)
