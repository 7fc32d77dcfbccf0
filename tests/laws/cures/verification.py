"""Scores: what is refused, and its messages followed literally."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cures.tools import (
    Cure,
    alarmed,
    among,
    cured,
    example,
    in_per_cent,
    of_members,
    of_two_definitions,
    of_two_leads,
    on_grid,
    one_dimension_more,
    same,
    scored,
    too_sure,
    value,
)
from tests.support.cures import follow
from xdrought import verification

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events

CURES = [
    Cure(
        "give the days ahead, e.g. lead=7",
        lambda: scored(lead=None),
        lambda m: scored(lead=value(m, "lead")),
    ),
    Cure("give a lead above 0, e.g. lead=7", lambda: scored(lead=0), lambda m: scored(lead=value(m, "lead"))),
    Cure("is no time; give days, lead=7", lambda: scored(lead="soon"), lambda m: scored(lead=value(m, "lead"))),
    Cure(
        "give the days for which an alarm is in force, e.g. lead=7",
        lambda: xd.alarms(given.warnings(), given.starts(), part=None, chosen_on=None, lead=0, n_boot=3),
        lambda m: xd.alarms(
            given.warnings(), given.starts(), part=None, chosen_on=None, lead=value(m, "lead"), n_boot=3
        ),
    ),
    *(
        Cure(
            "or make them sites with",
            partial(function, of_members(given.classes()), of_members(given.other_classes()), n_boot=3),
            lambda m, function=function: function(
                cured(m, of_members(given.classes())), cured(m, of_members(given.other_classes())), n_boot=3
            ),
        )
        for function in (xd.class_scores, xd.occurrence_scores)
    ),
    Cure(
        "or make them sites with",
        lambda: scored(one_dimension_more(given.forecast(), "level")),
        lambda m: scored(
            cured(m, one_dimension_more(given.forecast(), "level")), cured(m, one_dimension_more(soil(), "level"))
        ),
    ),
    Cure(
        "give both the same, e.g. with .broadcast_like(",
        lambda: xd.class_scores(given.classes().isel(site=0, drop=True), given.other_classes()),
        lambda m: xd.class_scores(
            follow(m, da=given.classes().isel(site=0, drop=True), observed=given.other_classes())["da"],
            given.other_classes(),
        ),
    ),
    Cure(
        "bring it to the observation's mean and spread with matching=",
        lambda: scored(drivers={"other": soil().drop_attrs()}),
        lambda m: scored(drivers={"other": soil().drop_attrs()}, matching=value(m, "matching"), train=given.train()),
    ),
    Cure(
        "holds events of several definitions; choose one, e.g. events.isel",
        lambda: xd.match_events(of_two_definitions(), of_two_definitions(), lead=2),
        lambda m: xd.match_events(
            *(eval(m[m.index("events.isel") :].split("\n")[0], {"events": of_two_definitions()}) for _ in range(2)),
            lead=2,
        ),
    ),
    Cure(
        "if single ones are wrong, make them missing with da = da.where((da >= 0) & (da <= 1))",
        lambda: xd.onset_skill(too_sure(), given.begins(), part=None, n_boot=3),
        lambda m: xd.onset_skill(
            too_sure().assign(
                flash_onset_probability=cured(m[m.index("if single") :], too_sure().flash_onset_probability)
            ),
            given.begins(),
            part=None,
            n_boot=3,
        ),
    ),
    Cure(
        "give part=None to score all days",
        lambda: xd.onset_skill(given.warnings().drop_vars("part"), given.begins(), n_boot=3),
        lambda m: xd.onset_skill(given.warnings().drop_vars("part"), given.begins(), n_boot=3, part=value(m, "part")),
    ),
    Cure(
        "so their scores are NaN; give the observation before the forecast, or the training part with train=",
        lambda: scored(observed=soil().isel(time=slice(-150, None)), references="climatology"),
        lambda m: [
            scored(references="climatology").rmse.notnull().all() or None,
            scored(references="climatology", train=given.train()),
        ],
    ),
    Cure(
        "values of 'valid_time' are not",
        lambda: xd.select_lead(given.leads().assign_coords(valid_time=given.leads().init_time), 7),
        lambda m: xd.select_lead(
            cured(m.replace("forecast.", "da."), given.leads().assign_coords(valid_time=given.leads().init_time)), 7
        ),
    ),
    Cure(
        "if these are per cent, da = da / 100",
        lambda: xd.onset_skill(in_per_cent(), given.begins(), part=None, n_boot=3),
        lambda m: xd.onset_skill(
            in_per_cent().assign(flash_onset_probability=follow(m, da=in_per_cent().flash_onset_probability)["da"]),
            given.begins(),
            part=None,
            n_boot=3,
        ),
    ),
    Cure(
        "choose one, e.g. forecast.isel(member=0)",
        lambda: scored(of_members_and_quantiles()),
        lambda m: scored(eval(m[m.index("forecast.isel") :].split("\n")[0], {"forecast": of_members_and_quantiles()})),
    ),
    Cure(
        "give one way to choose the threshold",
        lambda: alarmed(false_alarms=2, threshold=0.5),
        lambda m: [alarmed(false_alarms=2), alarmed(threshold=0.5), alarmed(cost_loss=0.2)],
    ),
    Cure(
        "give booleans, from onset_days",
        lambda: xd.alarms(given.warnings(), 1.0 * given.starts(), part=None, chosen_on=None, n_boot=3),
        lambda m: alarmed(),
    ),
    Cure(
        "no day has a probability; look at what is missing in the warnings",
        lambda: xd.alarms(given.warnings().where(False), given.starts(), part=None, chosen_on=None, n_boot=3),
        lambda m: alarmed(),
    ),
    Cure(
        "score=('beauty',); choose from",
        lambda: xd.compare_models(given.forecast(), soil(), lead=given.LEAD, score="beauty", n_boot=3),
        lambda m: [
            xd.compare_models(given.forecast(), soil(), lead=given.LEAD, score=one, n_boot=3) for one in among(m)
        ],
    ),
    Cure(
        "is no table of events with",
        lambda: xd.match_events(events().drop_vars("start_time"), events(), lead=2),
        lambda m: xd.match_events(events(), events(), lead=2),
    ),
    Cure(
        "have neither site nor cell; give the result as it came",
        lambda: xd.match_events(events().drop_vars(["site", "cell"]), events(), lead=2),
        lambda m: xd.match_events(events(), events(), lead=2),
    ),
    Cure(
        "by='moon' is not on the observed events; choose 'season' or one of",
        lambda: xd.match_events(events(), events(), lead=2, by="moon"),
        lambda m: xd.match_events(events(), events(), lead=2, by="season"),
    ),
    Cure(
        "observed must be a DataArray, got Dataset; pick a variable, e.g. ds['soil_moisture']",
        lambda: scored(observed=weather()),
        lambda m: scored(observed=eval(re.search(r"ds\['\w+'\]", m)[0], {"ds": weather()})),
    ),
    Cure(
        "which has ['a', 'b']; choose one, forecast[name]",
        lambda: scored(xr.Dataset({"a": given.forecast(), "b": given.forecast()})),
        lambda m: scored(xr.Dataset({"a": given.forecast(), "b": given.forecast()})["a"]),
    ),
    Cure(
        "the models have no valid time in common; check their",
        lambda: scored({"a": given.forecast()[:, :70], "b": given.forecast()[:, 80:]}),
        lambda m: scored({"a": given.forecast()[:, :90], "b": given.forecast()[:, 80:]}),
    ),
    Cure(
        "is the name of a driver and of a model or reference; rename one",
        lambda: scored(drivers={"persistence": soil() * 0.9}),
        lambda m: scored(drivers={"other model": (soil() * 0.9).assign_attrs(soil().attrs)}),
    ),
    Cure(
        "give 0 to 100, of soil_moisture_percentile",
        lambda: tabled(given.percentile() * 2),
        lambda m: tabled(xd.soil_moisture_percentile(soil())),
    ),
    Cure(
        "holds no day with an outcome and a percentile; give a longer training part",
        lambda: tabled(given.percentile(), train="2001-01-01"),
        lambda m: tabled(given.percentile(), train=slice(None)),
    ),
    Cure(
        "n_bins=0; give 1 or more",
        lambda: xd.probability_scores(given.probability(), given.occurred(), n_bins=0),
        lambda m: xd.probability_scores(given.probability(), given.occurred(), n_bins=1),
    ),
    Cure(
        "event=['flood'] is unknown; choose from",
        lambda: xd.occurrence_scores(given.classes(), given.other_classes(), event="flood", n_boot=3),
        lambda m: [
            xd.occurrence_scores(given.classes(), given.other_classes(), event=one, n_boot=3) for one in among(m)
        ],
    ),
    Cure(
        "the occurrence holds other values than 0 and 1; compare first, e.g. moisture < 0.1",
        lambda: xd.probability_scores(given.probability(), soil().isel(time=slice(0, 200))),
        lambda m: xd.probability_scores(given.probability(), example(m, moisture=soil()[:, :200])),
    ),
    Cure(
        "window=400; give 0 to 182 days on either side",
        lambda: climate(window=400),
        lambda m: [climate(window=0), climate(window=182)],
    ),
    Cure(
        "a forecast is issued before: correct init_time, or give lead=",
        lambda: xd.persistence_forecast(soil(), given.forecast().assign_coords(init_time=given.forecast().time)),
        lambda m: [
            xd.persistence_forecast(
                soil(), given.forecast().assign_coords(init_time=given.forecast().time - np.timedelta64(7, "D"))
            ),
            xd.persistence_forecast(soil(), given.forecast(), lead=7),
        ],
    ),
    Cure(
        "the two results have different models or sites; choose the same of both with .sel",
        lambda: verification.generalization_ability(given.training_scores().isel(site=[0, 1]), given.scores()),
        lambda m: verification.generalization_ability(
            given.training_scores().isel(site=[0, 1]), given.scores().sel(site=["S0", "S1"])
        ),
    ),
    Cure(
        "in the prediction; give what predict_onset returned",
        lambda: xd.onset_skill(given.warnings()[["part"]], given.begins(), part=None, n_boot=3),
        lambda m: xd.onset_skill(xd.predict_onset(weather(), given.onset_model()), given.begins(), part=None, n_boot=3),
    ),
    Cure(
        "part='all' is unknown; choose one of",
        lambda: xd.onset_skill(given.warnings(), given.begins(), part="all", n_boot=3),
        lambda m: xd.onset_skill(given.warnings(), given.begins(), part=None, n_boot=3),
    ),
    *(
        Cure(
            f"no day of part '{part}' has a probability; choose part= and chosen_on= from",
            lambda part=part: alarmed_in(part, part="test", chosen_on="val"),
            lambda m, part=part: [alarmed_in(part, part=one, chosen_on=one) for one in among(m)],
        )
        for part in ("test", "val")
    ),
    *(
        Cure(
            "give groups of days or places",
            lambda by=by: xd.class_scores(given.classes(), given.other_classes(), by=by()),
            lambda m: xd.class_scores(given.classes(), given.other_classes(), by=given.regions()),
        )
        for by in (
            lambda: given.regions().where(False, None).astype(object),
            lambda: xr.DataArray([1, 2], dims="member", name="member"),
        )
    ),
    Cure(
        "references['normal'] must be a DataArray, got Dataset; pick a variable",
        lambda: xd.class_scores(
            given.classes(), given.other_classes(), references={"normal": given.classes().to_dataset(name="x")}
        ),
        lambda m: xd.class_scores(given.classes(), given.other_classes(), references={"normal": given.classes()}),
    ),
    Cure(
        "so that nothing says which are of one place; make events of records on the same dimensions",
        lambda: xd.match_events(events().drop_vars("cell"), of_cells(on_grid()).drop_vars("site", errors="ignore")),
        lambda m: matched(of_cells(on_grid()), of_cells(on_grid())),
    ),
    Cure(
        "give both the same coordinates, e.g. lat and lon, before the events are made",
        lambda: xd.match_events(of_cells(bare()), of_cells(bare().isel(lat=[0]))),
        lambda m: matched(of_cells(on_grid()), of_cells(on_grid().isel(lat=[0]))),
    ),
    Cure(
        "forecast and references are on other places",
        lambda: of_unnamed_sites(events().drop_vars("site")),
        lambda m: of_unnamed_sites(of_cells(soil().drop_vars("site"))),
    ),
    *(
        Cure(
            "give at least one, and none of ('persistence', ",
            lambda models=models: scored(dict.fromkeys(models, given.forecast())),
            lambda m: scored({"mine": given.forecast()}),
        )
        for models in ((), ("persistence",))
    ),
    Cure(
        "have different lead times; compare them one by one",
        lambda: scored({"a": led(7), "b": led(3)}, lead=None),
        lambda m: [scored({"a": led(7)}, lead=None), scored({"b": led(3)}, lead=None)],
    ),
    Cure(
        "no day has both a probability and an occurrence, so that all scores are NaN",
        lambda: xd.probability_scores(in_half(given.probability(), 0), in_half(given.occurred(), 1)),
        lambda m: (
            xd.probability_scores(in_half(given.probability(), 0), in_half(given.occurred(), 0)).brier.notnull().all()
            or None
        ),
    ),
    Cure(
        "choose one, e.g. prediction.sel(lead_time=",
        lambda: xd.onset_skill(of_two_leads(), given.begins(), part=None, n_boot=3),
        lambda m: same(
            xd.onset_skill(example(m, prediction=of_two_leads()), given.begins(), part=None, n_boot=3).brier,
            xd.onset_skill(given.warnings(), given.begins(), part=None, n_boot=3).brier,
        ),
    ),
    *(
        Cure(
            "give the same of each, or one with select_lead",
            lambda: of_models(given.leads(), given.leads().isel(lead_time=[0])),
            right,
        )
        for right in (
            lambda m: of_models(given.leads(), given.leads()),
            lambda m: of_models(
                *(xd.select_lead(one, 1) for one in (given.leads(), given.leads().isel(lead_time=[0])))
            ),
        )
    ),
]


def of_members_and_quantiles() -> xr.DataArray:
    """Two members of three quantiles each."""
    low = xr.DataArray([-0.01, 0.0, 0.01], {"quantile": [0.1, 0.5, 0.9]}, "quantile")
    return (one_dimension_more(given.forecast()) + low).assign_attrs(soil().attrs).rename("soil_moisture")


def tabled(percentile: xr.DataArray, train: Any = slice(None)) -> xr.DataArray:
    return xd.percentile_table_forecast(given.occurred(), percentile, given.forecast(), train=train, lead=given.LEAD)


def climate(**options: Any) -> xr.DataArray:
    return xd.climatology_forecast(soil(), given.forecast(), train=given.train(), **options)


def alarmed_in(empty: str, **parts: Any) -> xr.Dataset:
    """Alarms of days in three parts, one of which has no probability."""
    found = given.warnings()
    codes = dict(zip(found.part.flag_meanings.split(), found.part.flag_values, strict=True))
    of_day = np.repeat([codes[name] for name in ("train", "val", "test")], [200, 150, 210])
    part = xr.DataArray(of_day, {"time": given.DAYS}, "time", attrs=found.part.attrs).broadcast_like(found.part)
    found = found.assign(part=part)
    p = found.flash_onset_probability.where(part != codes[empty])
    return xd.alarms(found.assign(flash_onset_probability=p), given.starts(), n_boot=3, **parts)


def of_cells(da: xr.DataArray) -> xr.Dataset:
    return xd.flash_drought_events(da)


def bare() -> xr.DataArray:
    """A grid without labels."""
    return on_grid().drop_vars(["lat", "lon"])


def matched(forecast: xr.Dataset, observed: xr.Dataset) -> xr.Dataset:
    """Events of the same cells: each that was observed is found."""
    found = xd.match_events(forecast, observed, lead=2)
    assert int(found.hits_pooled) == observed.sizes["event"], found
    return found


def of_unnamed_sites(reference: xr.Dataset) -> xr.Dataset:
    """Events of sites without labels, beside others."""
    found = of_cells(soil().drop_vars("site"))
    return xd.match_events(found, found, references={"a": reference}, lead=2)


def led(days: int) -> xr.DataArray:
    return given.forecast().assign_coords(lead_time=np.timedelta64(days, "D"))


def in_half(da: xr.DataArray, half: int) -> xr.DataArray:
    """Known in one half of the days alone."""
    return da.where((da.time < da.time[100]) == (half == 0))


def of_models(*forecasts: xr.DataArray) -> xr.Dataset:
    """The scores of several models beside each other."""
    observed = soil().isel(site=[0, 1]).drop_vars(["lat", "lon"]).assign_coords(site=["A", "B"])
    return xd.verify(dict(zip("ab", forecasts, strict=True)), observed, n_boot=3)
