"""The packages that the documentation names are the ones at work: imported where it says, and each in the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.package.test_architecture import IMPORTS

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "packages.md").read_text()
# The package by its name in Python, and a room of ours that would not work without it.
AT_WORK = {
    "xarray": "xdrought.events",
    "xarray_einstats": "xdrought.study",
    "dask": "xdrought.events",
    "zarr": "xdrought.data.era5",
    "torch": "xdrought.models",
    "xbatcher": "xdrought.windows",
    "numpy": "xdrought.kernels",
    "pandas": "xdrought.events",
    "causal_ccm": "xdrought.kernels",
    "shap": "xdrought.attribution",
    "cartopy": "xdrought.plot",
    "pint": "xdrought.units",
}


@pytest.mark.parametrize(("package", "room"), AT_WORK.items(), ids=list(AT_WORK))
def test_a_named_package_works_in_its_room_and_has_a_line(package, room):
    users = [module for module, names in IMPORTS.items() if any(i.name.split(".")[0] == package for i in names)]
    assert [module for module in users if module.startswith(room)] != []
    assert f"| {package.replace('_', '-')} |" in PAGE
