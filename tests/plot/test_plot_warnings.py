"""The picture of alarms shows what alarms() found, and nothing that it computed itself."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from xdrought.plot import plot_alarms, plot_reliability
from xdrought.plot.probabilities import FALSE, HIT
from xdrought.verification import alarms, onset_skill

P = "flash_onset_probability"


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def warned() -> tuple[xr.Dataset, xr.Dataset]:
    """Site A: an alarm before a start, a false one, a start without alarm. Site B: nothing."""
    days = pd.date_range("2001-01-01", periods=400)
    p = xr.DataArray(np.full((2, 400), 0.1), {"site": ["A", "B"], "time": days}, ("site", "time"))
    p[0, 50:53], p[0, 90:92] = 0.6, 0.8
    starts = p.copy(data=np.zeros(p.shape, bool))
    starts[0, [55, 150]] = True
    ds = p.to_dataset(name=P).assign_attrs(lead=7)
    return ds, alarms(ds, starts, threshold=0.5, part=None, chosen_on=None, n_boot=0)


def test_bands_and_triangles_are_those_of_the_alarms():
    prediction, found = warned()
    ax = plot_alarms(prediction, found, site="A")
    colors = [to_hex(patch.get_facecolor()).upper() for patch in ax.patches]
    assert colors == [HIT, FALSE]
    starts = [line.get_fillstyle() for line in ax.lines if line.get_marker() == "v"]
    assert starts == ["full", "none"]
    assert "threshold 0.50" in [text.get_text() for text in ax.get_legend().get_texts()]
    x, y = ax.lines[0].get_data()
    assert y.max() == 0.8
    assert len(x) == 211  # from the record's start to 60 days after the last onset
    quiet = plot_alarms(prediction, found, site="B", legend=False)
    assert len(quiet.patches) == 0


def test_what_is_not_there():
    prediction, found = warned()
    with pytest.raises(KeyError, match="site=None is not among"):
        plot_alarms(prediction, found)
    with pytest.raises(KeyError, match="give what alarms"):
        plot_alarms(prediction, prediction, site="A")
    assert plot_alarms(prediction.isel(site=[0]), found).get_title() == "A"


def test_reliability_of_unequal_bins():
    prediction, _ = warned()
    frequencies = dict.fromkeys(("season_frequency", "percentile_frequency"), prediction[P] * 0 + 0.1)
    began = (prediction[P] > 0.5).astype(float)
    ax = plot_reliability(onset_skill(prediction.assign(frequencies), began, part=None, n_boot=0))
    assert ax.get_xlabel() == "Forecast probability"
    widths = [bar.get_width() for bar in ax.child_axes[0].patches]
    np.testing.assert_allclose(widths, 0.8 * np.diff([0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1]))
