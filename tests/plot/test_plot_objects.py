"""Pictures of space-time droughts: what is drawn is what is in the objects, and nothing is fetched or shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from xdrought.events import drought_objects
from xdrought.plot import animate_objects, plot_objects

pytestmark = pytest.mark.usefixtures("offline_and_tidy")


def moving() -> xr.DataArray:
    """A drought that goes east over three days, and a small one on the last day."""
    dry = np.zeros((3, 4, 8), bool)
    dry[0, 1, 2], dry[1, 1, 2:4], dry[2, 1, 3], dry[2, 3, 7] = True, True, True, True
    coords = {"time": pd.date_range("2001-07-01", periods=3), "lat": [50.0, 49, 48, 47], "lon": np.arange(8.0)}
    return xr.DataArray(dry, coords, ("time", "lat", "lon"))


def fields(ax) -> list[np.ndarray]:
    """Values of every field drawn, masked where nothing is."""
    return [c.get_array() for c in ax.collections if c.__class__.__name__ == "GeoQuadMesh"]


def test_the_footprint_counts_days_and_the_track_follows_the_centroid():
    objects = drought_objects(moving())
    ax = plot_objects(objects)
    (field,) = fields(ax)
    assert field[1].filled(0).tolist() == [0, 0, 2, 2, 0, 0, 0, 0]
    assert np.ma.count(field) == 2  # of the larger object alone
    line = next(one for one in ax.lines if one.get_xdata().size == 3)
    np.testing.assert_allclose(line.get_xdata(), [2, 2.5, 3])
    assert ax.get_title(loc="left") == "Flash drought 1, 1 Jul 2001 to 3 Jul 2001"
    assert {text.get_text() for text in ax.texts} >= {"1 Jul", "3 Jul"}


def test_several_objects_and_own_axes():
    ax = plt.subplots(subplot_kw={"projection": ccrs.Robinson()})[1]
    assert plot_objects(drought_objects(moving()), [1, 2], ax=ax, title="mine", colorbar=False) is ax
    (field,) = fields(ax)
    assert np.ma.count(field) == 3
    assert ax.get_title(loc="left") == "mine"


def test_only_the_days_of_the_object_are_read():
    objects = drought_objects(moving().chunk(time=1))
    read = []

    def look(block):
        read.append(block.shape)
        return block

    objects["object_id"] = objects.object_id.copy(
        data=objects.object_id.data.map_blocks(look, dtype=np.int32, meta=np.empty((0, 0, 0), np.int32))
    )
    plot_objects(objects, 2)
    assert len(read) == 1


def test_frames_show_the_objects_of_the_day(tmp_path):
    objects = drought_objects(moving())
    background = moving() * 10.0
    animation = animate_objects(objects, background=background)
    ax = animation._fig.axes[0]
    for day, (cells, title) in enumerate(
        [(1, "1 Jul 2001: 1 flash drought"), (2, "2 Jul 2001: 1 flash drought"), (2, "3 Jul 2001: 2 flash droughts")]
    ):
        animation._func(day)
        under, over = fields(ax)
        assert np.ma.masked_invalid(over).count() == cells
        np.testing.assert_array_equal(np.ma.getdata(under), background[day])
        assert ax.get_title(loc="left") == title
    hues = set(np.ma.masked_invalid(over).compressed())
    assert len(hues) == 2
    animation.save(tmp_path / "droughts.gif", writer="pillow", dpi=40)
    from PIL import Image

    with Image.open(tmp_path / "droughts.gif") as picture:
        assert picture.n_frames == 3


def test_one_object_and_every_other_day():
    animation = animate_objects(drought_objects(moving()), 1, every=2)
    animation._func(1)
    (over,) = fields(animation._fig.axes[0])
    assert np.ma.masked_invalid(over).count() == 1  # the small one has no color
    assert animation._fig.axes[0].get_title(loc="left") == "3 Jul 2001: 1 flash drought"
    animation._draw_was_started = True


def test_objects_over_the_date_line_are_drawn_in_one_piece():
    dry = moving().assign_coords(lon=(np.r_[176.0:184] + 180) % 360 - 180)
    objects, dry = drought_objects(dry).sortby("lon"), dry.sortby("lon")
    np.testing.assert_array_equal(objects["lon"], [-180, -179, -178, -177, 176, 177, 178, 179])
    footprint = plot_objects(objects)
    (field,) = fields(footprint)
    assert field[1].filled(0).tolist() == [0, 0, 2, 2, 0, 0, 0, 0]
    (mesh,) = [c for c in footprint.collections if c.__class__.__name__ == "GeoQuadMesh"]
    assert (np.diff(mesh.get_coordinates()[0, :, 0]) > 0).all()
    animation = animate_objects(objects, background=dry * 10.0)
    animation._func(1)
    under, over = fields(animation._fig.axes[0])
    np.testing.assert_array_equal(np.ma.getdata(under), moving()[1] * 10.0)
    assert np.isfinite(np.ma.getdata(over)[1]).tolist() == [False, False, True, True, False, False, False, False]
    animation._draw_was_started = True


def test_what_cannot_be_drawn_is_refused():
    objects = drought_objects(moving())
    with pytest.raises(ValueError, match="objects must come from xdrought.drought_objects"):
        plot_objects(xr.Dataset())
    with pytest.raises(ValueError, match=r"no object \[7\]; there are 1 to 2"):
        plot_objects(objects, [1, 7])
    with pytest.raises(ValueError, match="there is no object; nothing to draw"):
        plot_objects(drought_objects(moving(), min_duration=99))
    with pytest.raises(ValueError, match="every=0; expected 1 or more days"):
        animate_objects(objects, every=0)
    with pytest.raises(ValueError, match="the background is on another grid than the objects'; use .reindex_like"):
        animate_objects(objects, background=moving()[:, 1:])
