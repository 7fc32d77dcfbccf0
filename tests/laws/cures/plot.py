"""Pictures: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from typing import Any

import cartopy.crs
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.attribution import explained
from tests.laws.cures.tools import (
    Cure,
    alarmed,
    among,
    cured,
    example,
    gains,
    made_by,
    one_dimension_more,
    relations,
)
from tests.support.cures import follow
from xdrought import plot

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events
LAST_DAYS = slice(given.DAYS[230], None)
FIRST = weather().time < given.DAYS[230]

CURES = [
    Cure(
        "call ccm with library_size=[...]",
        lambda: plot.plot_convergence(relations()),
        lambda m: plot.plot_convergence(relations(library_size=[30, 60], library_samples=2).isel(site=0)),
    ),
    Cure(
        "one series is drawn at a time: choose along",
        lambda: plot.plot_record(soil()),
        lambda m: plot.plot_record(cured(m, soil())),
    ),
    Cure(
        "a map shows (lat, lon) or one dimension of places",
        lambda: plot.plot_map(given.grid_weather().t2m),
        lambda m: plot.plot_map(cured(m, given.grid_weather().t2m)),
    ),
    Cure(
        "no place has a latitude and a longitude",
        lambda: plot.plot_map(soil().isel(time=0).assign_coords(lat=("site", [np.nan] * 5))),
        lambda m: plot.plot_map(
            follow(
                m.replace("('site', ...)", "('site', [1.0, 2, 3, 4, 5])"),
                da=soil().isel(time=0).assign_coords(lat=("site", [np.nan] * 5)),
            )["da"]
        ),
    ),
    Cure(
        "choose one, e.g. .sel(",
        lambda: plot.plot_attributions(one_dimension_more(given.shares().isel(site=0), "layer")),
        lambda m: plot.plot_attributions(
            cured(m.replace("...", "0"), one_dimension_more(given.shares().isel(site=0), "layer"))
        ),
    ),
    Cure(
        "events were given; choose one, events.isel(event=0)",
        lambda: plot.plot_attributions(given.shares().isel(site=0), events()),
        lambda m: plot.plot_attributions(given.shares().isel(site=0), events().isel(event=0)),
    ),
    Cure(
        "choose along the others with .isel(...)",
        lambda: plot.plot_convergence(relations(library_size=[30, 60], library_samples=2)),
        lambda m: plot.plot_convergence(
            cured(m.replace("...", "site=0"), relations(library_size=[30, 60], library_samples=2))
        ),
    ),
    Cure(
        "take them from xdrought.study.skill_by_degree",
        lambda: plot.plot_skill_by_degree(given.scores()),
        lambda m: plot.plot_skill_by_degree(
            made_by(m)(given.degree().rho, given.skill(), n_boot=3, permutations=5, points=5), "tp"
        ),
    ),
    Cure(
        "take them from xdrought.study.coupling_strength",
        lambda: plot.plot_coupling(given.scores()),
        lambda m: plot.plot_coupling(made_by(m)(given.relation(), given.importance(), permutations=5)),
    ),
    Cure(
        "take them from xdrought.study.onset_trend",
        lambda: plot.plot_onset_trend(given.scores()),
        lambda m: plot.plot_onset_trend(made_by(m)(given.rate(), events(), n_boot=3)),
    ),
    Cure(
        "take them from xdrought.study.event_association",
        lambda: plot.plot_event_association(given.scores()),
        lambda m: plot.plot_event_association(
            made_by(m)(given.rate(), given.complexity(), events(), n_boot=3, points=5)
        ),
    ),
    Cure(
        "make it with plt.subplots(subplot_kw=",
        lambda: mapped(plt.subplots()[1]),
        lambda m: mapped(eval(m[m.index("plt.sub") :].split("\n")[0], {"plt": plt, "cartopy": cartopy})[1]),
    ),
    Cure(
        "e.g. by .sel(...) without drop=True",
        lambda: plot.plot_record(soil().sel(site="S0", drop=True), events()),
        lambda m: plot.plot_record(soil().sel(site="S0"), events()),
    ),
    Cure(
        "before the events are found",
        lambda: plot.plot_record(of_360_days()),
        lambda m: plot.plot_record(cured(m, of_360_days())),
    ),
    Cure(
        "call ccm with several lags, e.g. lag=range(-20, 21)",
        lambda: plot.plot_lags(relations()),
        lambda m: plot.plot_lags(relations(lag=eval(re.search(r"lag=(range\(.*?\))", m)[1])).isel(site=0)),
    ),
    Cure(
        "on another grid than the objects'; use .reindex_like(objects)",
        lambda: plot.animate_objects(objects_of(), background=given.depth().isel(lat=slice(0, 3))),
        lambda m: plot.animate_objects(
            objects_of(),
            background=follow(m, da=given.depth().isel(lat=slice(0, 3)), objects=objects_of().object_id)["da"],
        ),
    ),
    Cure(
        "must be on (variable[, direction][, site])",
        lambda: plot.plot_causality(relations(library_size=[30, 60], library_samples=2)),
        lambda m: plot.plot_causality(
            cured(m.replace("...", "library_size=0"), relations(library_size=[30, 60], library_samples=2))
        ),
    ),
    Cure(
        "must be on (model, site), found",
        lambda: plot.plot_scores(given.scores().expand_dims(run=[0, 1])),
        lambda m: plot.plot_scores(cured(m.replace("...", "run=0"), given.scores().expand_dims(run=[0, 1]))),
    ),
    Cure(
        "take them from xdrought.study.onset_coincidence",
        lambda: plot.plot_coincidence(given.scores()),
        lambda m: plot.plot_coincidence(made_by(m)(events(), soil(), n_boot=3, min_years=2)),
    ),
    Cure(
        "take them from xdrought.study.site_synchrony",
        lambda: plot.plot_synchrony(given.scores()),
        lambda m: plot.plot_synchrony(
            made_by(m)(given.rate(), given.complexity(), events(), n_boot=3, permutations=5, min_events=3)
        ),
    ),
    Cure(
        "take them from driver_importance",
        lambda: plot.plot_driver_importance(given.scores()),
        lambda m: plot.plot_driver_importance(xd.driver_importance(given.importance(), events(), n_boot=3)),
    ),
    Cure(
        "take it from importance_by_rate",
        lambda: plot.plot_importance_by_rate(given.scores()),
        lambda m: plot.plot_importance_by_rate(xd.importance_by_rate(given.importance(), events(), bins=3)),
    ),
    Cure(
        "give the result of ccm, or gain and p_value of driver_gain",
        lambda: plot.plot_causality(given.scores()),
        lambda m: [plot.plot_causality(relations()), plot.plot_causality(gains())],
    ),
    Cure(
        "no driver 'wind'; choose one of",
        lambda: plot.plot_skill_by_degree(given.relation(), "wind"),
        lambda m: [plot.plot_skill_by_degree(given.relation(), one) for one in among(m)],
    ),
    Cure(
        "give True and False, e.g. p_value < 0.05",
        lambda: plot.plot_map(places_of_today(), significant=places_of_today()),
        lambda m: plot.plot_map(places_of_today(), significant=example(m, p_value=places_of_today())),
    ),
    Cure(
        "was given; choose one, ds[name]",
        lambda: plot.plot_map(weather().isel(time=0)),
        lambda m: plot.plot_map(weather().isel(time=0)["tp"]),
    ),
    Cure(
        "both events and classes were given; give one, they shade the same days",
        lambda: plot.plot_record(soil().isel(site=0), events(), classes=given.classes().isel(site=0)),
        lambda m: plot.plot_record(soil().isel(site=0), events()),
    ),
    Cure(
        "shares lie between 0 and 1, found",
        lambda: plot.plot_agreement(100 * agreement()),
        lambda m: plot.plot_agreement(100 * agreement() / 100),
    ),
    Cure(
        "choose along others",
        lambda: plot.plot_agreement(agreement().isel(other=[0])),
        lambda m: plot.plot_agreement(agreement()),
    ),
    Cure(
        "no score 'beauty'; choose one of",
        lambda: plot.plot_scores(given.scores(), score="beauty"),
        lambda m: [plot.plot_scores(given.scores(), score=one) for one in ("rmse", "nse")],
    ),
    Cure(
        "on year or month are needed, found",
        lambda: plot.plot_event_counts(given.scores()),
        lambda m: plot.plot_event_counts(xd.event_counts(events(), by="month")),
    ),
    Cure(
        "holds no valid value; there is nothing to draw",
        lambda: plot.plot_record(soil().isel(site=0).where(False)),
        lambda m: plot.plot_record(soil().isel(site=0)),
    ),
    Cure(
        "there are 1 to",
        lambda: plot.plot_objects(objects_of(), ids=[9999]),
        lambda m: plot.plot_objects(objects_of(), ids=[int(re.search(r"there are (\d+) to", m)[1])]),
    ),
    Cure(
        "no attribution is finite; explain these days with where=",
        lambda: plot.plot_attributions(
            explained(where=FIRST).attribution.isel(site=0).reindex(time=given.DAYS).sel(time=LAST_DAYS)
        ),
        lambda m: plot.plot_attributions(
            explained(where=~FIRST).attribution.isel(site=0).reindex(time=given.DAYS).sel(time=LAST_DAYS)
        ),
    ),
    Cure(
        "take it from convergence_null",
        lambda: plot.plot_convergence(of_one_place(), null=of_one_place()),
        lambda m: plot.plot_convergence(
            of_one_place(),
            null=xd.convergence_null(
                *(da.isel(site=0).fillna(0) for da in (drivers().tp, soil())),
                library_size=[30, 60],
                surrogates=3,
                surrogate_kind="phase",
            ),
        ),
    ),
    Cure(
        "14 curves cannot be told apart; choose 3 or fewer variables, or 6 or fewer of one direction",
        lambda: plot.plot_convergence(repeated(of_one_place(), 7)),
        lambda m: [
            plot.plot_convergence(repeated(of_one_place(), 3)),
            plot.plot_convergence(repeated(of_one_place(), 6).isel(direction=0)),
        ],
    ),
    Cure(
        "7 curves cannot be told apart; choose 6 or fewer variables",
        lambda: plot.plot_convergence(repeated(of_one_place(), 7).isel(direction=0)),
        lambda m: plot.plot_convergence(repeated(of_one_place(), 6).isel(direction=0)),
    ),
    Cure(
        "must be on variable and places, found ('site',); give several causes",
        lambda: plot.plot_dominant_cause(relations().isel(variable=0, direction=0), resolution=None),
        lambda m: plot.plot_dominant_cause(relations().isel(direction=0), resolution=None),
    ),
    Cure(
        "causes have no colors of their own; choose 12 or fewer",
        lambda: plot.plot_dominant_cause(repeated(relations().isel(direction=0), 13), resolution=None),
        lambda m: plot.plot_dominant_cause(repeated(relations().isel(direction=0), 12), resolution=None),
    ),
    Cure(
        "compare p-values of the same map",
        lambda: plot.plot_map(places_of_today(), significant=given.dry()[0], resolution=None),
        lambda m: plot.plot_map(places_of_today(), significant=places_of_today() < 0.05, resolution=None),
    ),
    Cure(
        "every=0; expected 1 or more days",
        lambda: plot.animate_objects(objects_of(), every=0, resolution=None),
        lambda m: drawn(plot.animate_objects(objects_of(), every=1, resolution=None)),
    ),
    Cure(
        "no 'skill' among ['rmse']; give the result of verify",
        lambda: plot.plot_skill_map(given.scores()[["rmse"]], reference="persistence", resolution=None),
        lambda m: plot.plot_skill_map(given.scores(), reference="persistence", resolution=None),
    ),
    Cure(
        "have other classes or days; score them on the same",
        lambda: plot.plot_class_scores({"a": classed(200), "b": classed(100)}),
        lambda m: plot.plot_class_scores({"a": classed(100), "b": classed(100)}),
    ),
    Cure(
        "give the prediction that the alarms are of, from predict_onset",
        lambda: plot.plot_alarms(given.warnings()[["part"]], alarmed(), site="S0"),
        lambda m: plot.plot_alarms(given.warnings(), alarmed(), site="S0"),
    ),
    Cure(
        "give what alarms() returned",
        lambda: plot.plot_alarms(given.warnings(), given.scores(), site="S0"),
        lambda m: plot.plot_alarms(given.warnings(), alarmed(), site="S0"),
    ),
    Cure(
        "site=None is not among ['S0', 'S1', 'S2', 'S3', 'S4']; name one of them",
        lambda: plot.plot_alarms(given.warnings(), alarmed()),
        lambda m: plot.plot_alarms(given.warnings(), alarmed(), site="S4"),
    ),
    Cure(
        "no bin has a day; score probabilities and occurrences of the same days",
        lambda: plot.plot_reliability(xd.probability_scores(given.probability().where(False), given.occurred())),
        lambda m: plot.plot_reliability(xd.probability_scores(given.probability(), given.occurred())),
    ),
]


def mapped(ax: Any) -> Any:
    return plot.plot_map(given.grid_weather().t2m.isel(time=0), ax=ax)


def of_360_days() -> xr.DataArray:
    return soil().isel(site=0).convert_calendar("360_day", align_on="year")


def objects_of() -> xr.Dataset:
    return xd.drought_objects(given.dry())


def places_of_today() -> xr.DataArray:
    return soil().isel(time=50)


def agreement() -> xr.DataArray:
    return xd.definition_agreement(given.two_definitions()).agreement


def of_one_place() -> xr.Dataset:
    """How skill grows with the library at one site, of one cause."""
    return relations(library_size=[30, 60], library_samples=2).isel(site=0, variable=[0])


def repeated(result: xr.Dataset, n: int) -> xr.Dataset:
    """The first cause under several names."""
    return result.isel(variable=[0] * n).assign_coords(variable=[f"cause {k}" for k in range(n)])


def classed(n_days: int) -> xr.Dataset:
    return xd.class_scores(given.classes()[:, :n_days], given.other_classes()[:, :n_days])


def drawn(animation: Any) -> Any:
    """An animation of which one day was drawn."""
    animation._draw_frame(0)
    animation._draw_was_started = True
    return animation
