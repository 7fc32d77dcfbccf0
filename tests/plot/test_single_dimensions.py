"""A dimension of length one that a picture does not draw changes nothing: results of one run are drawn as they come."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("cartopy")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import xdrought.plot as xp  # noqa: E402
from tests.plot.test_literal_names import PICTURES  # noqa: E402

OF_EVENTS = {"plot_objects", "plot_event_association"}  # drawn from a table of objects or events alone
TABLES = {"animate_objects", "plot_agreement"}  # a film, which has no single picture, and a DataFrame


def pixels(drawn) -> np.ndarray:
    figure = drawn.figure
    figure.canvas.draw()
    seen = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close("all")
    return seen


def with_one_experiment(value):
    """The same values with a dimension more; tables of events have rows and no such dimension."""
    if isinstance(value, dict):
        return {name: with_one_experiment(one) for name, one in value.items()}
    if isinstance(value, xr.DataArray):
        return value.expand_dims("experiment")
    if isinstance(value, xr.Dataset) and "event" not in value.dims and "object" not in value.dims:
        return value.map(lambda da: da.expand_dims("experiment"), keep_attrs=True)
    return value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(PICTURES) - TABLES))
def test_one_experiment_is_drawn_as_it_is(name, monkeypatch):
    function, given = getattr(xp, name), {}
    monkeypatch.setattr(xp, name, lambda *args, **options: given.update(args=args, options=options))
    PICTURES[name]()
    monkeypatch.setitem(plt.rcParams, "figure.dpi", 50)
    wider = [with_one_experiment(value) for value in given["args"]]
    assert any(now is not value for now, value in zip(wider, given["args"], strict=True)) or name in OF_EVENTS
    np.testing.assert_array_equal(
        pixels(function(*wider, **given["options"])), pixels(function(*given["args"], **given["options"]))
    )
