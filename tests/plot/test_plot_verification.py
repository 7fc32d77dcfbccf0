"""Pictures of verification: do they show the numbers that they were given, and what stands beside them?"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("cartopy")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import xdrought.plot as xp
from tests.support.helpers import unchanged  # noqa: E402
from tests.support.scored import FIVE, labelled, world  # noqa: E402
from xdrought.verification import class_scores, match_events, occurrence_scores, probability_scores, verify


@pytest.fixture(autouse=True)
def _tidy():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# classes


def table(said) -> xr.Dataset:
    return class_scores(labelled(said), labelled([0, 0, 0, 0, 3, 3, 4, 4]))


def test_the_table_of_classes_holds_every_number():
    models = {"net": table([0, 0, 0, 4, 3, 0, 4, 4]), "always_dry": table([0] * 8)}
    with unchanged(*models.values()):
        ax = xp.plot_class_scores(models)
    drawn = texts(ax)
    assert drawn[:5] == ["0.75", "–", "–", "1.00", "0.67"]  # precision of the five classes
    assert drawn[5:10] == ["0.75", "–", "–", "0.50", "1.00"]  # recall
    assert drawn[10:15] == ["0.75", "–", "–", "0.67", "0.80"]  # F1
    assert drawn[15:20] == ["0.50", "–", "–", "–", "–"]  # never forecast: no precision
    assert drawn[20:25] == ["1.00", "–", "–", "0.00", "0.00"]
    accuracies, shares = drawn[30:32], drawn[32:38]
    assert accuracies == ["0.75", "0.50"]
    assert shares == ["50.0 %", "0.0 %", "0.0 %", "25.0 %", "25.0 %", "0.50 by the\ncommonest"]
    assert drawn[38:] == ["net", "always_dry"]
    heads = [tick.get_text() for tick in ax.get_xticklabels()]
    assert heads == [
        "No\ndrought",
        "Normal\nonset",
        "Normal\ncondition",
        "Flash\nonset",
        "Flash\ncondition",
        "Accuracy",
    ]


def test_a_good_cell_is_darker_and_its_number_can_be_read():
    ax = xp.plot_class_scores(table([0, 0, 0, 4, 3, 0, 4, 4]))
    (image,) = ax.images
    assert image.get_clim() == (0, 1)
    cells = np.asarray(image.get_array())
    np.testing.assert_allclose(cells[2], [0.75, np.nan, np.nan, 2 / 3, 0.8])
    for text in ax.texts[:15]:
        column, row = (int(x) for x in text.get_position())
        color = image.cmap(image.norm(cells[row, column])) if np.isfinite(cells[row, column]) else (1, 1, 1)
        grey = np.dot(color[:3], [0.299, 0.587, 0.114])
        assert abs(matplotlib.colors.to_rgb(text.get_color())[0] - grey) > 0.4


def test_models_of_other_days_are_not_put_in_one_table():
    other = class_scores(labelled([0, 0]), labelled([0, 4]))
    with pytest.raises(ValueError, match="'a' and 'b' have other classes or days; score them on"):
        xp.plot_class_scores({"a": table([0] * 8), "b": other})


# scores per site


def test_the_kind_of_picture_is_a_choice():
    forecast, seen = world(6)
    scores = verify(forecast, seen, n_boot=50)
    assert len(xp.plot_scores(scores).get_yticklabels()) == 6
    ax = xp.plot_scores(scores, kind="violins")
    labels = [text.get_text() for text in ax.get_xticklabels()]
    nse = scores.nse_summary.sel(summary="median")
    assert labels[0] == f"forecast\nmedian {nse.sel(model='forecast').item():.2f}"
    assert labels[2] == f"damped_\npersistence\nmedian {nse.sel(model='damped_persistence').item():.2f}"
    many = xr.DataArray(np.random.default_rng(0).random((2, 60)), {"model": ["a", "b"]}, ("model", "site"), "nse")
    assert len(xp.plot_scores(many.to_dataset(), kind="rows").get_yticklabels()) == 60
    with pytest.raises(ValueError, match="kind='boxes' is unknown; choose one of"):
        xp.plot_scores(scores, kind="boxes")


def test_violins_show_the_interval_of_the_median():
    forecast, seen = world(6)
    scores = verify(forecast, seen, n_boot=50)
    ax = xp.plot_scores(scores, kind="violins")
    upright = [line for one in ax.collections if hasattr(one, "get_segments") for line in one.get_segments()]
    spans = {line[0][0]: line[:, 1] for line in upright if line[0][0] == line[1][0]}
    expected = scores.nse_interval.sel(model="forecast", summary="median")
    np.testing.assert_allclose(spans[0], expected)


def test_drivers_stand_with_the_references():
    forecast, seen = world(6)
    scores = verify({"net": forecast}, seen, drivers={"ERA5": seen + 1}, n_boot=5)
    shuffled = scores.isel(model=[4, 1, 0, 2, 3])
    assert [text.split(",")[0] for text in legend(xp.plot_scores(shuffled))] == [
        "net",
        "ERA5",
        "persistence",
        "damped_persistence",
        "climatology",
    ]


# probabilities


def probabilities() -> xr.Dataset:
    said = xr.DataArray([0.05, 0.05, 0.05, 0.55, 0.55, 0.95], dims="time")
    return probability_scores(said, xr.DataArray([0.0, 0, 1, 1, 0, 1], dims="time"))


def test_reliability_by_hand():
    ax = xp.plot_reliability({"net": probabilities()})
    drawn = next(line for line in ax.lines if str(line.get_label()).startswith("net"))
    np.testing.assert_allclose(drawn.get_xydata(), [[0.05, 1 / 3], [0.55, 1 / 2], [0.95, 1]])
    diagonal, no_skill, no_resolution = ax.lines[:3]
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert list(no_resolution.get_ydata()) == [0.5, 0.5]  # three of six days
    np.testing.assert_allclose(no_skill.get_xydata(), [[0, 0.25], [0.5, 0.5], [1, 0.75]])
    assert "no resolution (base rate 0.5)" in texts(ax)
    heights = [bar.get_height() for bar in ax.child_axes[0].patches]
    assert [h for h in heights if h] == [3, 2, 1]
    assert legend(ax) == [f"net, Brier skill {probabilities().brier_skill_pooled.item():.2f}"]


def test_economic_value_is_drawn_as_it_is():
    found = probabilities()
    ax = xp.plot_economic_value({"a": found, "b": found})
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found.economic_value)
    np.testing.assert_allclose(ax.lines[0].get_xdata(), found.cost_loss_ratio)
    assert legend(ax) == ["a", "b"]
    assert texts(ax) == ["base rate 0.5"]


def test_probabilities_without_a_day_are_refused():
    nothing = xr.DataArray([np.nan], dims="time")
    for draw in (xp.plot_reliability, xp.plot_economic_value):
        with pytest.raises(ValueError, match="no bin has a day; score probabilities and occurrences of the same days"):
            draw(probability_scores(nothing, nothing))


# detection


def test_performance_of_sites_and_pool():
    seen = xr.concat([labelled([0, 4, 4, 0]), labelled([4, 4, 4, 0])], "site")
    said = xr.concat([labelled([0, 4, 0, 0]), labelled([4, 4, 4, 4])], "site")
    ax = xp.plot_performance({"net": occurrence_scores(said, seen)})
    dots, pooled = ax.lines[-2:]
    np.testing.assert_allclose(dots.get_xydata(), [[1, 1 / 2], [3 / 4, 1]])
    np.testing.assert_allclose(pooled.get_xydata(), [[4 / 5, 4 / 5]])  # 4 hits, a miss, a false alarm
    assert legend(ax) == [f"net, CSI {4 / 6:.2f}"]
    assert len(xp.plot_performance(occurrence_scores(said, seen), sites=False).lines) == len(ax.lines) - 1


def test_performance_shows_the_intervals_of_the_pool():
    rng = np.random.default_rng(0)
    seen = xr.concat([labelled(4 * (rng.random(200) < 0.3)) for _ in range(4)], "site")
    said = seen.where(xr.DataArray(rng.random(seen.shape) < 0.8, dims=seen.dims), 4 - seen).astype(int)
    scores = occurrence_scores(said.assign_attrs(seen.attrs), seen, n_boot=20)
    across, upright, dot = xp.plot_performance(scores, sites=False).lines[-3:]
    (x, y), (far, pod) = dot.get_xydata()[0], (scores.far_pooled_interval, scores.pod_pooled_interval)
    np.testing.assert_allclose(across.get_xydata(), np.stack([1 - far, [y, y]], axis=1))
    np.testing.assert_allclose(upright.get_xydata(), np.stack([[x, x], pod], axis=1))
    assert 1 - far[1] < x < 1 - far[0]
    assert pod[0] < y < pod[1]


def test_the_lines_of_equal_csi_and_bias_are_where_they_say():
    seen = labelled([0, 4, 4, 0])
    ax = xp.plot_performance(occurrence_scores(seen, seen))
    (curves,) = [one for one in ax.collections if isinstance(one, matplotlib.contour.ContourSet)]
    for level, path in zip(curves.levels, curves.get_paths(), strict=True):
        x, y = path.vertices[len(path.vertices) // 2]
        assert 1 / (1 / x + 1 / y - 1) == pytest.approx(level, abs=0.01)
    rays = [line.get_xydata()[1] for line in ax.lines if line.get_linestyle() == "--"]
    assert sorted(y / x for x, y in rays) == [0.25, 0.5, 1, 2, 4]


def test_matched_events_can_be_drawn_too():
    days = np.array(["2001-05-01", "2001-09-01"], "datetime64[s]")
    columns = {"onset_time": ("event", days), "start_time": ("event", days), "duration": ("event", [20, 20])}
    events = xr.Dataset(columns, {"site": ("event", ["A", "A"])})
    ax = xp.plot_performance(match_events(events.isel(event=[0]), events))
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), [[1, 0.5]])


# maps


def skilled() -> xr.Dataset:
    forecast, seen = world(6)
    places = {"lat": ("site", np.linspace(40, 50, 6)), "lon": ("site", np.linspace(0, 10, 6))}
    return verify(forecast, seen.assign_coords(places), n_boot=100)


def test_a_map_of_skill_is_centred_on_zero_and_counts_its_sites():
    scores = skilled()
    with unchanged(scores):
        ax = xp.plot_skill_map(scores, reference="climatology")
    points = next(one for one in ax.collections if hasattr(one, "get_offsets") and one.get_array() is not None)
    skill = scores.skill.sel(model="forecast", reference="climatology")
    largest = np.abs(skill).max().item()
    np.testing.assert_allclose(points.get_clim(), [-largest, largest])
    bounded = xp.plot_skill_map(scores, reference="climatology", limit=largest / 2).get_title(loc="left")
    assert f"beyond ±{largest / 2:g}" in bounded
    np.testing.assert_allclose(np.sort(points.get_array()), np.sort(skill))
    low, high = scores.skill_site_interval.sel(model="forecast", reference="climatology").values.T
    title = ax.get_title(loc="left").split("\n")
    assert title[0] == f"forecast against climatology: better at {(skill > 0).sum().item()} of 6 sites"
    assert title[1] == f"clearly better at {(low > 0).sum()}, clearly worse at {(high < 0).sum()} (dot: in doubt)"


def test_sites_in_doubt_have_a_dot():
    scores = skilled()
    scores["skill_site_interval"][..., 0] = -1.0
    scores["skill_site_interval"][..., 1] = 1.0
    ax = xp.plot_skill_map(scores, reference="climatology")
    (dots,) = [line for line in ax.lines if line.get_marker() == "."]
    assert len(dots.get_xdata()) == 6


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (lambda s: xp.plot_skill_map(s, reference="luck"), "no reference 'luck'; choose one of"),
        (lambda s: xp.plot_skill_map(s, reference="climatology", model="x"), "no model 'x'; choose"),
        (lambda s: xp.plot_skill_map(s[["nse"]], reference="x"), "no 'skill' among"),
        (xp.plot_class_scores, r"no 'f1' in the scores of \['forecast'\]; give the result of"),
        (xp.plot_performance, "no 'pod_pooled' in the scores"),
        (xp.plot_reliability, "no 'observed_frequency' in the scores"),
        (lambda s: xp.plot_economic_value({}), "no 'economic_value' in the scores of"),
    ],
)
def test_other_scores_are_refused(draw, text):
    with pytest.raises(ValueError, match=text):
        draw(skilled())


# every picture


def five_classes(seed) -> xr.DataArray:
    return labelled(np.random.default_rng(seed).choice(list(FIVE.values())[:5], 400))


PICTURES = {
    "classes": lambda: xp.plot_class_scores(
        {name: class_scores(five_classes(1), five_classes(0)) for name in ("ResAttCauRec", "persistence")}
    ),
    "reliability": lambda: xp.plot_reliability({"a": probabilities(), "b": probabilities()}),
    "value": lambda: xp.plot_economic_value({"a": probabilities(), "b": probabilities()}),
    "performance": lambda: xp.plot_performance(
        {name: occurrence_scores(five_classes(k), five_classes(0)) for k, name in enumerate(("net", "persistence"), 1)}
    ),
    "violins": lambda: xp.plot_scores(verify(*world(6), n_boot=20), kind="violins"),
    "map": lambda: xp.plot_skill_map(skilled(), reference="persistence"),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_everything_fits_the_page_in_print_that_can_be_read(picture):
    figure = PICTURES[picture]().figure
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= -0.03
    assert drawn.x1 <= width + 0.03
    assert drawn.y1 <= height + 0.03
    assert min(text.get_fontsize() for text in figure.findobj(matplotlib.text.Text) if text.get_text()) >= 7
