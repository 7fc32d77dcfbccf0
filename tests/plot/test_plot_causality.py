"""Pictures of causality: what is drawn equals what is in the result, and the most honest p-value counts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
ccrs = pytest.importorskip("cartopy.crs")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402

import xdrought.plot as xp
from tests.support.causal_series import logistic  # noqa: E402
from tests.support.helpers import unchanged  # noqa: E402
from xdrought.causality import ccm
from xdrought.plot.causality import CAUSES, NO_CAUSE


@pytest.fixture(autouse=True)
def _tidy():
    yield
    plt.close("all")


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# convergence


@pytest.fixture(scope="module")
def converged() -> xr.Dataset:
    x, y = logistic(200)
    return ccm({"x": x, "z": x + 0.1 * y}, y, library_size=[150, 20, 60], library_samples=8)


def test_curves_are_the_skill_by_size_in_order(converged):
    part = converged.sel(variable="x")
    with unchanged(converged):
        ax = xp.plot_convergence(part)
    for line, direction in zip(ax.lines, ("cause_to_effect", "effect_to_cause"), strict=False):
        np.testing.assert_array_equal(line.get_xdata(), [20, 60, 150])
        expected = part.rho.sel(direction=direction, library_size=[20, 60, 150])
        np.testing.assert_allclose(line.get_ydata(), expected)
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(part.rho_lower.sel(direction="cause_to_effect").min().item())
    gain = part.sel(direction="effect_to_cause")
    text = (
        f"effect_to_cause: gain {gain.convergence:.2f} ({gain.convergence_lower:.2f} to {gain.convergence_upper:.2f})"
    )
    assert legend(ax)[1] == text


def test_one_curve_needs_no_name_but_its_gain(converged):
    ax = xp.plot_convergence(converged.isel(variable=0, direction=0))
    assert legend(ax)[0].startswith("gain 0.")
    bare = converged[["rho", "rho_lower", "rho_upper"]].isel(variable=0, direction=0)
    assert xp.plot_convergence(bare).get_legend() is None
    assert xp.plot_convergence(converged, legend=False).get_legend() is None


def test_variables_are_named_before_directions(converged):
    ax = xp.plot_convergence(converged)
    assert [text.split(":")[0] for text in legend(ax)] == [
        "x, cause_to_effect",
        "x, effect_to_cause",
        "z, cause_to_effect",
        "z, effect_to_cause",
    ]
    assert len({line.get_color() for line in ax.lines[:4]}) == 4


def test_a_single_cause_is_named_too(converged):
    one = converged.isel(variable=0, drop=True).assign_coords(cause="t2m", effect="sm")
    texts = [text.get_text() for text in xp.plot_convergence(one).get_legend().get_texts()]
    assert [text.split(":")[0] for text in texts] == ["t2m, cause_to_effect", "t2m, effect_to_cause"]


def test_windows_of_fields_are_in_cells(converged):
    fields = converged.assign_coords(library_size=converged["library_size"].assign_attrs(units="cells"))
    assert xp.plot_convergence(fields).get_xlabel() == "Side of the library (cells)"


def test_convergence_of_another_shape_is_refused(converged):
    with pytest.raises(ValueError, match=r".* on library_size are needed, found .*library_size=\[...\]"):
        xp.plot_convergence(converged.isel(library_size=0))
    with pytest.raises(ValueError, match=r"rho must be on \(library_size.*choose along the others"):
        xp.plot_convergence(converged.expand_dims(site=2))
    many = xr.concat([converged, converged], "variable").assign_coords(variable=list("abcd"))
    with pytest.raises(ValueError, match="8 curves cannot be told apart; choose [36] or fewer"):
        xp.plot_convergence(many)


# dominant cause


def degree(**extra) -> xr.Dataset:
    """Four sites: t2m, tp, nothing significant, nothing at all."""
    rho = xr.DataArray(
        [[0.7, 0.2, 0.3, np.nan], [0.3, 0.4, 0.9, np.nan]],
        {
            "variable": ["t2m", "tp"],
            "site": list("abcd"),
            "lat": ("site", [47.0, 50, 52, 48]),
            "lon": ("site", [11.0, 13, 9, 8]),
        },
        ("variable", "site"),
    )
    p = xr.zeros_like(rho).where(rho.site != "c", 0.5)
    return xr.Dataset({"rho": rho, "p_value": p, **{name: p * 0 + value for name, value in extra.items()}})


def colors(ax) -> list[str]:
    return [to_hex(color) for color in ax.collections[-1].to_rgba(ax.collections[-1].get_array())]


def test_each_place_has_the_color_of_its_strongest_significant_cause():
    table = degree()
    with unchanged(table):
        ax = xp.plot_dominant_cause(table)
    assert sorted(colors(ax)) == sorted(c.lower() for c in (CAUSES[0], CAUSES[1], NO_CAUSE))
    assert legend(ax) == ["t2m (1)", "tp (1)", "none significant (1)"]
    assert ax.get_title(loc="left") == "Strongest relation, p < 0.05 (raw, ignores autocorrelation)"
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert crosses[0].get_xydata().tolist() == [[8, 48]]  # the site without any skill


def test_negative_skill_is_no_cause_and_alpha_counts():
    table = degree()
    negative = table.assign(rho=-table.rho)
    assert legend(xp.plot_dominant_cause(negative)) == ["none significant (3)"]
    assert legend(xp.plot_dominant_cause(table, alpha=0.6)) == ["t2m (1)", "tp (2)"]


def test_the_most_honest_p_value_counts():
    names = ["surrogate_p_value", "surrogate_p_value_adjusted"]
    assert legend(xp.plot_dominant_cause(degree(**{names[0]: 0.001})))[1] == "tp (2)"
    found = xp.plot_dominant_cause(degree(**{names[0]: 0.001, names[1]: 0.3}))
    assert legend(found) == ["none significant (3)"]
    assert "(surrogates, adjusted for many tests)" in found.get_title(loc="left")
    bars = xp.plot_causality(degree(**{names[0]: 0.001, names[1]: 0.3}).isel(site=0))
    assert legend(bars) == ["p < 0.05 (surrogates, adjusted for many tests)"]
    assert not any(line.get_xdata().size for line in bars.lines if line.get_marker() == "*")


def test_gains_are_drawn_as_what_drives_given_the_others():
    table = degree().rename(rho="gain")
    ax = xp.plot_dominant_cause(table.assign(p_value_adjusted=table.p_value))
    mark = "p < 0.05 (given the others, adjusted for many tests)"
    assert ax.get_title(loc="left") == f"Driver of the largest gain, {mark}"
    assert legend(ax) == legend(xp.plot_dominant_cause(degree()))
    bars = xp.plot_causality(table.isel(site=0))
    assert bars.get_xlabel() == "Gain of prediction, given the others"
    assert legend(bars) == ["p < 0.05 (given the others)"]
    heat = xp.plot_causality(table)
    assert heat.child_axes[0].get_ylabel() == "Gain of prediction, given the others"


def test_fields_and_single_cells_are_drawn_too():
    rho = xr.DataArray(
        np.random.default_rng(0).random((2, 3, 4)),
        {"variable": ["a", "b"], "lat": [50.0, 49.5, 49], "lon": [8.0, 8.5, 9, 9.5]},
    )
    ax = xp.plot_dominant_cause(xr.Dataset({"rho": rho, "p_value": rho * 0}))
    mesh = next(part for part in ax.collections if np.size(part.get_array()) == 12)
    drawn = np.ma.filled(mesh.get_array(), np.nan).reshape(3, 4)
    np.testing.assert_array_equal(drawn, rho.argmax("variable"))
    tower = degree().expand_dims(cell=1)
    assert legend(xp.plot_dominant_cause(tower)) == legend(xp.plot_dominant_cause(degree()))
    assert xp.plot_causality(tower.isel(site=[0, 1])).images[0].get_array().shape == (2, 2)


@pytest.mark.parametrize("lon", [[11, 13, 9, 8], [11, -113, 150, 8]])
def test_a_map_of_its_own_holds_title_and_legend(lon):
    table = degree().assign_coords(lon=("site", np.array(lon, float)))
    figure = xp.plot_dominant_cause(table).figure
    figure.canvas.draw()
    drawn = figure.get_tightbbox()
    assert drawn.y0 >= 0
    assert drawn.y1 <= figure.get_figheight()


def test_maps_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="rho and p_value are needed, found"):
        xp.plot_dominant_cause(degree()[["rho"]])
    with pytest.raises(ValueError, match="rho must be on variable and places, found .*several"):
        xp.plot_dominant_cause(degree().isel(variable=0))
    many = xr.concat([degree()] * 7, "variable").assign_coords(variable=[f"v{k}" for k in range(14)])
    with pytest.raises(ValueError, match="14 causes have no colors of their own; choose 12"):
        xp.plot_dominant_cause(many)
    with pytest.raises(ValueError, match="a map shows"):
        xp.plot_dominant_cause(degree().expand_dims(direction=2))


@pytest.mark.parametrize("width", [3.54, 7.1])
def test_it_fits_the_page_in_print_that_can_be_read(converged, width):
    for draw, projection in (
        (lambda ax: xp.plot_convergence(converged.sel(variable="x"), ax=ax), None),
        (lambda ax: xp.plot_dominant_cause(degree(), ax=ax), ccrs.Robinson()),
    ):
        figure, ax = plt.subplots(figsize=(width, 3.4), layout="constrained", subplot_kw={"projection": projection})
        draw(ax)
        figure.canvas.draw()
        drawn = figure.get_tightbbox()
        assert drawn.x0 >= -0.02
        assert drawn.x1 <= width + 0.02
        assert drawn.y0 >= -0.02
        assert drawn.y1 <= figure.get_figheight() + 0.02
        assert min(text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()) >= 7


def test_a_missing_package_is_named_with_its_cure(monkeypatch, converged):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    for draw in (lambda: xp.plot_convergence(converged), lambda: xp.plot_dominant_cause(degree())):
        with pytest.raises(ModuleNotFoundError, match=r'needs matplotlib.*pip install "xdrought\[plot\]"'):
            draw()
