"""Names of sites, variables and models are drawn as they are: dollars and backslashes in them start no mathtext."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("cartopy")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

import xdrought.plot as xp
from tests.plot.test_plot_objects import moving
from xdrought import alarms, class_scores, event_counts, occurrence_scores, probability_scores
from xdrought.events import drought_objects
from xdrought.plot.style import label, literal
from xdrought.study import event_association, onset_coincidence, onset_trend, site_synchrony, skill_by_degree

ODD = r"$\frac{$"  # mathtext that cannot be parsed: matplotlib raises when it is drawn as such
PLACES = {"lat": ("site", [50.0, 51.0]), "lon": ("site", [8.0, 9.0])}
DAYS = pd.date_range("2001-01-01", periods=60)


def named(values, dims, **coords) -> xr.DataArray:
    attrs = {"long_name": ODD, "units": ODD}
    return xr.DataArray(np.asarray(values, dtype=float), coords, dims, name=ODD, attrs=attrs)


def record() -> xr.DataArray:
    return named(np.sin(np.arange(60) / 9), "time", time=DAYS, site=ODD)


def one_event() -> xr.Dataset:
    days = {"onset_time": DAYS[[20]], "start_time": DAYS[[30]], "end_time": DAYS[[40]]}
    table = xr.Dataset({name: ("event", day) for name, day in days.items()}, {"site": ("event", [ODD])})
    return table.assign(is_flash=("event", [True]), intensification_rate=("event", [2.0]))


def many_events() -> xr.Dataset:
    days = pd.to_datetime([f"{year}-06-01" for year in (2001, 2002, 2003)] * 3)
    place = {"site": ("event", np.repeat(["A", ODD, "C"], 3)), "lat": ("event", np.repeat([50.0, 51, 52], 3))}
    table = xr.Dataset({"onset_time": ("event", days), "start_time": ("event", days)}, place)
    return table.assign_coords(lon=("event", np.repeat([8.0, 9, 10], 3)))


def pair() -> tuple[xr.DataArray, xr.DataArray]:
    return named([1, 2, 3, 4, 5, 7, 2, 2, 4], "event"), named([3, 2, 1, 1, 2, 3, 9, 7, 5], "event")


def classes() -> tuple[xr.DataArray, xr.DataArray]:
    flags = {"flag_values": [0, 1], "flag_meanings": f"wet {ODD}"}
    seen = xr.DataArray([0, 0, 1, 1], dims="time", attrs=flags)
    return seen.copy(data=[0, 1, 1, 1]), seen


def skill() -> xr.Dataset:
    coords = {"reference": [ODD], "model": [ODD], "site": [ODD, "b"], **PLACES}
    return named([[[0.2, -0.1]]], ("reference", "model", "site"), **coords).to_dataset(name="skill")


def by_driver(**values) -> xr.Dataset:
    return xr.Dataset({name: ("variable", value) for name, value in values.items()}, {"variable": [ODD, "sp"]})


def importance() -> xr.Dataset:
    both = {name: (("type", "variable"), [[1.0, 2.0], [2.0, 1.0]]) for name in ("importance", "lower", "upper")}
    ratios = by_driver(ratio=[2.0, 0.5], ratio_lower=[1.0, 0.2], ratio_upper=[3.0, 0.7])
    return ratios.assign(both).assign_coords(type=["normal", "flash"]).assign(event_count=("type", [3, 4]))


def degree(**coords) -> xr.Dataset:
    rho = named([[0.7, 0.2], [0.3, 0.4]], ("variable", "site"), variable=[ODD, "tp"], site=[ODD, "b"], **coords)
    return xr.Dataset({"rho": rho, "p_value": rho * 0})


def lags() -> xr.Dataset:
    rho = named([[0.1, 0.3], [0.2, 0.4]], ("lag", "variable"), lag=[-1, 0], variable=[ODD, "tp"])
    return rho.to_dataset(name="rho")


def convergence() -> xr.Dataset:
    rho = named([[0.2, 0.5]], ("variable", "library_size"), variable=[ODD], library_size=[50, 100])
    return xr.Dataset({"rho": rho, "rho_lower": rho - 0.1, "rho_upper": rho + 0.1})


def relation() -> xr.Dataset:
    sites = {"site": np.arange(9)}
    rho = named([np.arange(9.0)], ("variable", "site"), variable=[ODD], **sites)
    return skill_by_degree(rho, named(np.arange(9.0), "site", **sites), permutations=20, n_boot=10)


def coincidence() -> xr.Dataset:
    days = pd.date_range("2001-01-01", "2006-12-31")
    there = xr.DataArray(np.ones((2, days.size)), {"site": ["A", ODD], **PLACES, "time": days}, ("site", "time"))
    start = pd.to_datetime(["2001-07-01", "2003-07-01", "2001-07-09", "2005-07-01"])
    return onset_coincidence(
        xr.Dataset({"start_time": ("event", start)}, {"site": ("event", ["A", "A", ODD, ODD])}), there
    )


def deletion() -> xr.Dataset:
    coords = {"order": ["largest first", "random", "smallest first"], "deleted": [0.0, 1.0]}
    curves = xr.Dataset({"change": named([[0.0, 1.0]] * 3, ("order", "deleted"), **coords)})
    return curves.assign(advantage=0.3, lower=0.2, upper=0.4)


def randomised() -> xr.Dataset:
    values = (("layer", "randomisation"), [[0.9], [0.1]])
    return xr.Dataset({"similarity": values, "signed_similarity": values}, {"layer": ["none", ODD]})


def ranks() -> xr.Dataset:
    table = {name: (("bin", "variable"), [[1.0, 2.0], [2.0, 1.0]]) for name in ("mean_rank", "standard_error")}
    return xr.Dataset({**table, "rate": ("bin", [1.0, 2.0], {"units": ODD})}, {"variable": [ODD, "sp"]})


def sweep() -> xr.Dataset:
    coords = {"lead": [1, 7], "model": [ODD, "persistence"], "run": [0, 1], "site": list("ABC")}
    nse = xr.DataArray(np.random.default_rng(0).random((2, 2, 2, 3)), coords)
    return xr.Dataset({"nse": nse, "is_reference": ("model", [False, True])})


def synchrony() -> xr.Dataset:
    return site_synchrony(*pair(), many_events(), min_events=3)


def probabilities() -> xr.Dataset:
    said = xr.DataArray(np.tile([0.1, 0.9], 50), dims="time")
    return probability_scores(said, said > 0.5)


def warned(site: str) -> tuple[xr.Dataset, xr.Dataset]:
    """Forty days of one site with an alarm on four of them, and what alarms() makes of it."""
    p = named(np.where(np.arange(40) % 39 > 34, 0.7, 0.1)[None], ("site", "time"), site=[site], time=DAYS[:40])
    prediction = p.to_dataset(name="flash_onset_probability").assign_attrs(lead=7)
    return prediction, alarms(prediction, p > 1, threshold=0.5, part=None, chosen_on=None, n_boot=0)


PICTURES = {
    "plot_alarms": lambda: xp.plot_alarms(*warned(ODD)),
    "animate_objects": lambda: xp.animate_objects(
        drought_objects(moving()), background=(moving() * 1.0).assign_attrs(long_name=ODD)
    ),
    "plot_agreement": lambda: xp.plot_agreement(pd.DataFrame(np.eye(2), [ODD, "b"], [ODD, "b"])),
    "plot_attributions": lambda: xp.plot_attributions(
        named([[-0.1, 0.2]] * 2, ("time", "variable"), time=DAYS[:2], variable=[ODD, "sp"])
    ),
    "plot_causality": lambda: xp.plot_causality(degree()),
    "plot_class_scores": lambda: xp.plot_class_scores({ODD: class_scores(*classes())}),
    "plot_coincidence": lambda: xp.plot_coincidence(coincidence()),
    "plot_convergence": lambda: xp.plot_convergence(convergence()),
    "plot_coupling": lambda: xp.plot_coupling(
        by_driver(importance=[3.0, 1.0], p_value=[0.01, 0.5], coupling=[0.0, 0.0]).assign(
            rank_correlation=1.0, rank_p_value=0.5
        )
    ),
    "plot_deletion": lambda: xp.plot_deletion(deletion()),
    "plot_dominant_cause": lambda: xp.plot_dominant_cause(degree(**PLACES)),
    "plot_driver_importance": lambda: xp.plot_driver_importance(importance()),
    "plot_economic_value": lambda: xp.plot_economic_value({ODD: probabilities()}),
    "plot_event": lambda: xp.plot_event(record(), one_event()),
    "plot_event_association": lambda: xp.plot_event_association(event_association(*pair(), many_events(), n_boot=20)),
    "plot_event_counts": lambda: xp.plot_event_counts(event_counts(one_event())),
    "plot_forecast": lambda: xp.plot_forecast(0.9 * record()[10:], record(), lead=7),
    "plot_importance_by_rate": lambda: xp.plot_importance_by_rate(ranks()),
    "plot_lags": lambda: xp.plot_lags(lags()),
    "plot_map": lambda: xp.plot_map(named([1.0, 2.0], "site", **PLACES)),
    "plot_objects": lambda: xp.plot_objects(drought_objects(moving())),
    "plot_onset_trend": lambda: xp.plot_onset_trend(onset_trend(pair()[0], many_events(), n_boot=20)),
    "plot_performance": lambda: xp.plot_performance({ODD: occurrence_scores(*classes(), event=ODD)}),
    "plot_record": lambda: xp.plot_record(record(), forecast=record() + 1),
    "plot_reliability": lambda: xp.plot_reliability({ODD: probabilities()}),
    "plot_scores": lambda: xp.plot_scores(skill().isel(reference=0, drop=True), score="skill", kind="rows"),
    "plot_skill_by_degree": lambda: xp.plot_skill_by_degree(relation(), ODD),
    "plot_skill_map": lambda: xp.plot_skill_map(skill(), reference=ODD),
    "plot_sweep": lambda: xp.plot_sweep(sweep()),
    "plot_synchrony": lambda: xp.plot_synchrony(synchrony()),
    "plot_weight_randomisation": lambda: xp.plot_weight_randomisation(randomised()),
}


def test_every_picture_is_asked():
    assert set(PICTURES) == set(xp.__all__)


def test_the_odd_name_cannot_be_drawn_as_mathtext():
    ax = plt.subplots()[1]
    ax.set_title(ODD)
    with pytest.raises(ValueError, match="frac"):
        ax.figure.canvas.draw()
    plt.close("all")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("picture", sorted(PICTURES))
def test_odd_names_are_drawn_as_they_are(picture):
    drawn = PICTURES[picture]()
    figure = drawn._fig if picture == "animate_objects" else drawn.figure
    figure.canvas.draw()
    if picture == "animate_objects":
        drawn._draw_was_started = True
    plt.close("all")


def test_a_literal_keeps_its_text():
    assert literal(ODD) == r"\$\frac{\$"
    assert literal("a_$b$") == r"a_\$b\$"
    assert label(record()) == r"\$\frac{\$ (\$\frac{\$)"
    figure, ax = plt.subplots()
    text = ax.set_title(literal("a $b$ c"))
    figure.canvas.draw()
    assert text._preprocess_math(text.get_text()) == ("a $b$ c", False)
    plt.close("all")
