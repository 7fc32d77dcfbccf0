"""Calls that are refused, and what their messages tell to do, done literally; and messages that others follow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cartopy.crs
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import pyplot as plt

import xdrought as xd
from tests.laws import inputs as given
from tests.laws.cure_tools import (
    beyond,
    chained,
    crossed,
    cured,
    gains,
    hourly,
    in_per_cent,
    made_by,
    of_members,
    of_two_definitions,
    one_dimension_more,
    one_layer,
    ranked,
    relations,
    scored,
    stacked,
    too_sure,
    twice,
    value,
    warned,
    windows,
)
from tests.support.cures import follow
from xdrought import bulletin, data, plot, splits, study
from xdrought.data import collocate
from xdrought.forecast.fitting import _levels_of_normal
from xdrought.forecast.forcing import kind_of
from xdrought.forecast.starting import warn_of_known_test_days
from xdrought.forecast.target_inputs import checked_target_inputs

soil, weather, drivers, events = given.soil, given.weather, given.drivers, given.events


@dataclass(frozen=True)
class Cure:
    """A call that is refused or warned of in these words, and the call after the message is followed."""

    words: str
    wrong: Callable[[], Any]
    right: Callable[[str], Any]


DEPTHS = {"top": (0, 0.1), "below": (0.1, 0.4)}
CURES = [
    # ---- labels
    Cure(
        "a name that the result uses itself; use .rename",
        lambda: xd.flash_drought_events(soil().drop_vars(["lat", "lon"]).rename(site="duration")),
        lambda m: xd.flash_drought_events(
            cured(m.replace("...", "'tower'"), soil().drop_vars(["lat", "lon"]).rename(site="duration"))
        ),
    ),
    Cure(
        "keep one of each, record = record.drop_duplicates",
        lambda: ranked(twice(soil()), reference=given.reference()),
        lambda m: ranked(follow(m, record=twice(soil()))["record"], reference=given.reference()),
    ),
    Cure(
        "keep one of each, da.drop_duplicates",
        lambda: ranked(soil(), reference=twice(given.reference())),
        lambda m: ranked(soil(), reference=cured(m, twice(given.reference()))),
    ),
    Cure(
        "bring it back to one label with da.reset_index",
        lambda: ranked(soil(), reference=stacked()),
        lambda m: ranked(soil(), reference=chained(m, stacked(), lambda da: ranked(soil(), reference=da))),
    ),
    # ---- arguments
    Cure(
        "give days as a whole number, e.g. 7, or pandas.Timedelta",
        lambda: windows(lead="7D"),
        lambda m: [windows(lead=lead) for lead in (7, eval(re.search(r"pandas\.\w+\(.*?\)", m)[0], {"pandas": pd}))],
    ),
    Cure(
        "it must be whole days",
        lambda: windows(lead=pd.Timedelta(hours=36)),
        lambda m: windows(lead=eval(m[m.index("pandas.") :].split("\n")[0], {"pandas": pd})),
    ),
    Cure(
        "Name the time dimension with time=",
        lambda: ranked(soil().rename(time="day")),
        lambda m: ranked(soil().rename(time="day"), time="day"),
    ),
    Cure(
        "use .chunk(",
        lambda: ranked(soil().chunk(time=100)),
        lambda m: ranked(cured(m, soil().chunk(time=100))).compute(),
    ),
    Cure(
        "assign the dates, e.g. .assign_coords",
        lambda: ranked(soil().drop_vars("time")),
        lambda m: ranked(cured(m.replace("...", "'2001-01-01', periods=560"), soil().drop_vars("time"))),
    ),
    Cure(
        "use .sortby(",
        lambda: ranked(soil().isel(time=slice(None, None, -1))),
        lambda m: ranked(cured(m, soil().isel(time=slice(None, None, -1)))),
    ),
    Cure(
        "has a repeated date",
        lambda: gains(twice(drivers(), "time"), twice(soil(), "time")),
        lambda m: gains(cured(m, twice(drivers(), "time")), cured(m, twice(soil(), "time"))),
    ),
    Cure(
        "insert them as NaN, e.g. .resample",
        lambda: xd.flash_drought_events(soil().drop_isel(time=100)),
        lambda m: xd.flash_drought_events(cured(m, soil().drop_isel(time=100))),
    ),
    Cure(
        "choose one by valid time, e.g. xdrought.select_lead(forecast, 7)",
        lambda: xd.drought_classes(given.leads()),
        lambda m: xd.drought_classes(xd.select_lead(given.leads(), 7)),
    ),
    # ---- events
    Cure(
        "average them first, e.g. .resample",
        lambda: xd.flash_drought_events(hourly(soil())),
        lambda m: xd.flash_drought_events(cured(m, hourly(soil())).assign_attrs(soil().attrs)),
    ),
    Cure(
        "the state of the soil is told by the day: use .resample",
        lambda: xd.drought_state(hourly(soil()), train=slice(None, "2001-06")),
        lambda m: xd.drought_state(cured(m, hourly(soil())).assign_attrs(soil().attrs), train=slice(None, "2001-06")),
    ),
    Cure(
        "the training record has units",
        lambda: xd.drought_state(soil(), train=(100 * given.reference()).assign_attrs(units="percent")),
        lambda m: xd.drought_state(
            soil(), train=made_by(m)((100 * given.reference()).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        "the reference has units",
        lambda: ranked(soil(), reference=(100 * given.reference()).assign_attrs(units="percent")),
        lambda m: ranked(
            soil(), reference=made_by(m)((100 * given.reference()).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        "give a period, reference=(1991, 2020)",
        lambda: ranked(soil(), reference=[2001]),
        lambda m: ranked(
            soil().assign_coords(time=soil().time + pd.Timedelta(days=7305 // 2)), reference=value(m, "reference")
        ),
    ),
    Cure(
        "is no period of dates; give e.g. reference=",
        lambda: ranked(soil(), reference=("spring", "fall")),
        lambda m: ranked(soil(), reference=value(m, "reference")),
    ),
    Cure(
        "a window is 0 or more days or pentads and needs pool=",
        lambda: ranked(soil(), window=5),
        lambda m: [ranked(soil(), window=5, pool=pool) for pool in re.findall(r'pool="(\w+)"', m)[:1]],
    ),
    Cure(
        'use label="event"',
        lambda: xd.onset_label(soil(), train=given.train(), definition="yuan2023", label="path"),
        lambda m: xd.onset_label(soil(), train=given.train(), definition="yuan2023", label=value(m, "label")),
    ),
    Cure(
        "ask drought_classes for several, e.g. definition=",
        lambda: xd.definition_agreement(xd.drought_classes(soil())),
        lambda m: xd.definition_agreement(xd.drought_classes(soil(), definition=value(m, "definition"))),
    ),
    Cure(
        'give a period, e.g. reference=("1991", "2020"), or a series',
        lambda: xd.start_monitor(soil()),
        lambda m: xd.start_monitor(soil(), reference=soil()),
    ),
    Cure(
        "the new days have units",
        lambda: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            (100 * soil()[:, 400:]).assign_attrs(units="percent")
        ),
        lambda m: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            made_by(m)((100 * soil()[:, 400:]).assign_attrs(units="percent"), "m3 m-3")
        ),
    ),
    Cure(
        "take late and corrected days with update(new_days, revise=True)",
        lambda: xd.start_monitor(soil()[:, :400], reference=soil()).update(0.9 * soil()[:, 390:410].assign_attrs()),
        lambda m: xd.start_monitor(soil()[:, :400], reference=soil()).update(
            (0.9 * soil()[:, 390:410]).assign_attrs(soil().attrs), revise=value(m, "revise")
        ),
    ),
    Cure(
        "give their series, update(new_days, reference=...)",
        lambda: xd.start_monitor(soil()[:3, :400], reference=soil()[:3]).update(soil()[:, 400:]),
        lambda m: xd.start_monitor(soil()[:3, :400], reference=soil()[:3]).update(soil()[:, 400:], reference=soil()),
    ),
    Cure(
        "objects live on",
        lambda: xd.drought_objects(
            one_dimension_more(given.dry(), "definition").assign_coords(definition=["tang2025", "x"])
        ),
        lambda m: xd.drought_objects(
            cured(m, one_dimension_more(given.dry(), "definition").assign_coords(definition=["tang2025", "x"]))
        ),
    ),
    Cure(
        "use da.broadcast_like(classes)",
        lambda: xd.drought_objects(given.dry(), intensity=given.depth().isel(lon=0, drop=True)),
        lambda m: xd.drought_objects(
            given.dry(), intensity=follow(m, da=given.depth().isel(lon=0, drop=True), classes=given.dry())["da"]
        ),
    ),
    # ---- causes
    *(
        Cure(
            "leave them out or use engine=",
            partial(crossed, drivers(), engine=engine, library_size=[30, 60]),
            lambda m: crossed(drivers(), engine=value(m, "engine"), library_size=[30, 60], library_samples=1),
        )
        for engine in ("torch", "knn")[:1]
    ),
    Cure(
        "the change from one day to the next is predicted: use .resample",
        lambda: gains(hourly(drivers()), hourly(soil())),
        lambda m: gains(cured(m, hourly(drivers())), cured(m, hourly(soil())).assign_attrs(soil().attrs), lags=1),
    ),
    Cure(
        "the gain is of drivers, given all the others: use direction=",
        lambda: xd.causality_degree(drivers(), soil(), train=given.train(), method="driver_gain", direction="both"),
        lambda m: xd.causality_degree(
            drivers(), soil(), train=given.train(), method="driver_gain", direction=value(m, "direction")
        ),
    ),
    Cure(
        "each needs a name of its own: use .rename(...) or a dict",
        lambda: crossed([drivers().tp, drivers().tp]),
        lambda m: [
            crossed([drivers().tp, drivers().tp.rename("rain")]),
            crossed({"a": drivers().tp, "b": drivers().tp}),
        ],
    ),
    Cure(
        "cross mapping needs numbers: use .astype(float)",
        lambda: crossed(drivers().tp > 0),
        lambda m: crossed(cured(m, drivers().tp > 0)),
    ),
    Cure(
        "already looks back in time",
        lambda: crossed(drivers(), tau=-1),
        lambda m: crossed(drivers(), tau=value(m, "tau")),
    ),
    Cure(
        "assign dates or pass deseasonalize=False",
        lambda: crossed(drivers().drop_vars("time"), soil().drop_vars("time"), surrogates=2),
        lambda m: crossed(
            drivers().drop_vars("time"), soil().drop_vars("time"), surrogates=2, deseasonalize=value(m, "deseasonalize")
        ),
    ),
    Cure(
        "look at da.notnull().sum() of both on the same days",
        lambda: crossed((drivers().tp * 0).isel(site=0), soil().isel(site=0)),
        lambda m: drivers().tp.notnull().sum() > 0,
    ),
    Cure(
        "look at da.notnull().sum() of both on the same days",
        lambda: gains(drivers().where(drivers().time < given.DAYS[280]), soil().where(soil().time >= given.DAYS[280])),
        lambda m: drivers().tp.notnull().sum() > 0,
    ),
    Cure(
        "but fdr=None adjusts nothing; give fdr=",
        lambda: relations(fdr_dim="site"),
        lambda m: relations(fdr_dim="site", fdr=value(m, "fdr")),
    ),
    # ---- attributions and what drove events
    Cure(
        "the events lack",
        lambda: xd.event_importance(given.shares(), events().drop_vars("onset_time")),
        lambda m: xd.event_importance(given.shares(), made_by(m)(soil())),
    ),
    Cure(
        "of the same data",
        lambda: xd.event_drivers(events().drop_vars("start_time"), weather()),
        lambda m: xd.event_drivers(made_by(m)(soil()), weather()),
    ),
    Cure(
        "convert the latter, da = da.convert_calendar",
        lambda: xd.event_importance(given.shares().convert_calendar("standard", use_cftime=True), events()),
        lambda m: xd.event_importance(cured(m, given.shares().convert_calendar("standard", use_cftime=True)), events()),
    ),
    Cure(
        "compute it from the same events with xdrought.event_importance",
        lambda: xd.driver_importance(given.importance().isel(event=slice(0, 2)), events(), n_boot=3),
        lambda m: xd.driver_importance(made_by(m)(given.shares(), events()), events(), n_boot=3),
    ),
    Cure(
        "there is no rain among the drivers",
        lambda: xd.event_drivers(events(), weather(), drivers={"t2m": "temperature"}),
        lambda m: xd.event_drivers(events(), weather(), drivers={"tp": "rain", "t2m": "temperature"}),
    ),
    # ---- windows and forecasts
    Cure(
        "use .to_dataset()",
        lambda: xd.patches(weather().tp, size=1, window=5, lead=2),
        lambda m: xd.patches(cured(m, weather().tp), size=1, window=5, lead=2),
    ),
    Cure(
        "windows need numbers: use .astype('float32')",
        lambda: windows(weather().assign(tp=weather().tp > 0), drivers=["tp"]),
        lambda m: windows(weather().assign(tp=cured(m, weather().tp > 0)), drivers=["tp"]),
    ),
    Cure(
        "windows count days: use .resample",
        lambda: xd.patches(hourly(weather()), "soil_moisture", size=1, window=5, lead=2),
        lambda m: xd.patches(cured(m, hourly(weather())), "soil_moisture", size=1, window=5, lead=2),
    ),
    Cure(
        "compute it with xdrought.causality_degree",
        lambda: xd.predict(given.drivers_of_a_month(), given.forecaster(), causality=given.degree().drop_vars("rho")),
        lambda m: xd.predict(
            given.drivers_of_a_month(),
            given.forecaster(),
            causality=made_by(m)(drivers(), soil(), train=given.train()),
            device="cpu",
        ),
    ),
    Cure(
        "average it over its patch first, e.g. .mean(",
        lambda: warned(weather().assign(tp=one_dimension_more(weather().tp))),
        lambda m: warned(weather().assign(tp=cured(m, one_dimension_more(weather().tp)))),
    ),
    Cure(
        "give names of parts of the network, e.g. freeze=",
        lambda: xd.TrainingOptions(freeze="encoder"),
        lambda m: xd.TrainingOptions(freeze=value(m, "freeze")),
    ),
    Cure(
        "say which quantiles of it are wanted, two or more: quantiles=",
        lambda: _levels_of_normal("gaussian_crps", ()),
        lambda m: _levels_of_normal("gaussian_crps", value(m, "quantiles")),
    ),
    Cure(
        "so that scores of the test part are too good; give split=start_from.splits",
        lambda: warn_of_known_test_days(given.forecaster(), splits.chronological(windows(), fractions=(0.2, 0.1, 0.7))),
        lambda m: warn_of_known_test_days(given.forecaster(), given.forecaster().splits) or True,
    ),
    # ---- scores
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
    # ---- studies
    Cure(
        "keep one of each, record.drop_duplicates('site')",
        lambda: study.onset_coincidence(events(), twice(soil()), n_boot=3),
        lambda m: study.onset_coincidence(
            events(), eval("record.drop_duplicates('site')", {"record": twice(soil())}), n_boot=3, min_years=2
        ),
    ),
    Cure(
        "choose one, .sel(direction=",
        lambda: study.skill_by_degree(relations(direction="both").rho, given.skill(), n_boot=3),
        lambda m: study.skill_by_degree(
            cured(m, relations(direction="both").rho), given.skill(), n_boot=3, permutations=5
        ),
    ),
    Cure(
        "the events have no",
        lambda: study.onset_trend(given.rate(), events().drop_vars("start_time"), time="start_time", n_boot=3),
        lambda m: study.onset_trend(given.rate(), made_by(m)(soil()), time="start_time", n_boot=3),
    ),
    Cure(
        "the events are of several definitions; choose one with .sel",
        lambda: study.frequency_trend(of_two_definitions(), soil(), min_events=1),
        lambda m: study.frequency_trend(
            follow(m.replace("...", "'tang2025'"), da=of_two_definitions(), events=of_two_definitions())["da"],
            soil(),
            min_events=1,
        ),
    ),
    Cure(
        "are true or false at its places; give them",
        lambda: study.frequency_trend(events(), soil(), min_events=1, flagged="is_flagged"),
        lambda m: study.frequency_trend(
            events(),
            follow(m, record=soil(), report=xr.Dataset({"is_flagged": soil().isel(time=0, drop=True) > 9}))["record"],
            min_events=1,
            flagged="is_flagged",
        ),
    ),
    Cure(
        "values of 'valid_time' are not",
        lambda: xd.select_lead(given.leads().assign_coords(valid_time=given.leads().init_time), 7),
        lambda m: xd.select_lead(
            cured(m.replace("forecast.", "da."), given.leads().assign_coords(valid_time=given.leads().init_time)), 7
        ),
    ),
    Cure(
        "that stand twice; use da.drop_duplicates",
        lambda: study.frequency_trend(events(), twice(soil()), min_events=1),
        lambda m: study.frequency_trend(events(), cured(m, twice(soil())), min_events=1),
    ),
    # ---- bulletins
    Cure(
        "is no standard deviate; use da.where",
        lambda: bulletin.index_percentile(50.0 + 0 * given.standardised()),
        lambda m: bulletin.index_percentile(cured(m, 50.0 + 0 * given.standardised())),
    ),
    *(
        Cure(
            words,
            lambda wrong=wrong: bulletin.region_shares(wrong(), given.regions()),
            lambda m: bulletin.region_shares(xd.drought_classes(soil()), given.regions()),
        )
        for words, wrong in (
            ("give those of xdrought.drought_classes", weather),
            ("give classes of xdrought.drought_classes or xdrought.bulletin", given.percentile),
        )
    ),
    Cure(
        "give one number a year, e.g. ",
        lambda: bulletin.return_period(soil()),
        lambda m: bulletin.return_period(cured(m, soil())),
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
    # ---- data
    Cure(
        "where these are centimetres, give metres, layers=",
        lambda: data.root_zone(given.layers(), 30, layers={"top": (0, 10), "below": (10, 40)}),
        lambda m: data.root_zone(given.layers(), 0.3, layers=eval(re.search(r"layers=({.*})", m)[1])),
    ),
    Cure(
        "a mean of what is there is min_share=",
        lambda: data.root_zone(one_layer(), 0.3, layers=DEPTHS),
        lambda m: (
            data.root_zone(one_layer(), 0.3, layers=DEPTHS, min_share=value(m, "min_share")).notnull().any() or None
        ),
    ),
    Cure(
        "is not daily; use .resample",
        lambda: data.quality_report(hourly(weather()), n_simulations=19),
        lambda m: data.quality_report(cured(m, hourly(weather())), n_simulations=19),
    ),
    Cure(
        "give the depths in metres, e.g. layers=",
        lambda: data.soil_profile(weather()),
        lambda m: data.soil_profile(weather(), layers=value(m, "layers")),
    ),
    Cure(
        "name it with target=...; there are",
        lambda: data.screen_sites(weather().rename(soil_moisture="sm")),
        lambda m: data.screen_sites(weather().rename(soil_moisture="sm"), target="sm"),
    ),
    Cure(
        "One site is ds.expand_dims(",
        lambda: data.screen_sites(weather().isel(site=0)),
        lambda m: data.screen_sites(eval(re.search(r"ds\.expand_dims\(.*?\)", m)[0], {"ds": weather().isel(site=0)})),
    ),
    Cure(
        'use record="span"',
        lambda: data.screen_sites(weather(), record="file"),
        lambda m: data.screen_sites(weather(), record=value(m, "record")),
    ),
    Cure(
        "select those both have, e.g. patches.sel",
        lambda: collocate.join_towers(given.around(), given.towers().isel(site=[0])),
        lambda m: collocate.join_towers(
            eval(
                m[m.index("patches.sel") :].split("\n")[0],
                {"patches": given.around(), "towers": given.towers().isel(site=[0]), "np": np},
            ),
            given.towers().isel(site=[0]),
        ),
    ),
    Cure(
        "use da.to_dataset(name=...)",
        lambda: collocate.collocate(given.grid_weather().t2m, given.places(), size=4),
        lambda m: collocate.collocate(cured(m, given.grid_weather().t2m, name="'t2m'"), given.places(), size=4),
    ),
    Cure(
        'give a larger grid, or outside="drop" or "nan"',
        lambda: collocate.collocate(given.grid_weather(), beyond(), size=4),
        lambda m: [collocate.collocate(given.grid_weather(), beyond(), size=4, outside=way) for way in ("drop", "nan")],
    ),
    Cure(
        "use wrap='auto'",
        lambda: collocate.collocate(given.grid_weather(), given.places(), size=4, wrap=True),
        lambda m: collocate.collocate(given.grid_weather(), given.places(), size=4, wrap=value(m, "wrap")),
    ),
    # ---- pictures
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
        "the events are of the definitions",
        lambda: plot.plot_record(soil().isel(site=0), events=of_two_definitions()),
        lambda m: plot.plot_record(
            soil().isel(site=0),
            events=eval(m[m.index("events.isel") :].split("\n")[0], {"events": of_two_definitions()}),
        ),
    ),
    Cure(
        "a map shows (lat, lon) or one dimension of places",
        lambda: plot.plot_map(given.grid_weather().t2m),
        lambda m: plot.plot_map(cured(m, given.grid_weather().t2m)),
    ),
    Cure(
        "rename or assign, e.g. .assign_coords(lat=",
        lambda: plot.plot_map(soil().isel(time=0).drop_vars(["lat", "lon"])),
        lambda m: plot.plot_map(
            cured(
                m.replace("('site', ...)", "('site', [1.0, 2, 3, 4, 5])"), soil().isel(time=0).drop_vars(["lat", "lon"])
            )
        ),
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
    # ---- where files, names and pictures are told apart
    Cure(
        "of patches take the mean of the nearest cells, ds = ",
        lambda: xd.event_drivers(events(), of_patches()),
        lambda m: xd.event_drivers(events(), follow(m, ds=of_patches())["ds"]),
    ),
    Cure(
        "which are no time; set what they are",
        lambda: scored(lead_in("bananas"), lead=None),
        lambda m: scored(lead_in(re.search(r'"units"\] = "(\w+)"', m)[1]), lead=None),
    ),
    Cure(
        "pass where=soil_temperature > 0 (degC)",
        lambda: gains(drivers().assign(stl1=freezing())),
        lambda m: gains(drivers().assign(stl1=freezing()), where=freezing() > 0),
    ),
    Cure(
        "keep one, e.g. with .isel(",
        lambda: collocate.collocate(round_the_world(), given.places(), size=2),
        lambda m: collocate.collocate(cured(m, round_the_world()), given.places(), size=2),
    ),
    Cure(
        "is one text; give a list, stations=[",
        lambda: data.open_uscrn(stations="OK_Stillwater_5_WNW", years=[2020]),
        lambda m: value(m, "stations") if value(m, "stations") == ["OK_Stillwater_5_WNW"] else None,
    ),
    Cure(
        'use device="cpu"',
        lambda: xd.predict(given.drivers_of_a_month(), given.forecaster(), device="cuda:7"),
        lambda m: [
            xd.predict(given.drivers_of_a_month(), given.forecaster(), device=device)
            for device in (value(m, "device"), "auto")
        ],
    ),
    Cure(
        "name the drivers that it holds, e.g. future=",
        lambda: kind_of(forcing(), ()),
        lambda m: kind_of(forcing(), value(m, "future")),
    ),
    Cure(
        "from which their percentiles and means could be computed; give train=",
        lambda: xd.predict_onset(weather().isel(time=slice(540, None)), given.onset_model()),
        lambda m: xd.predict_onset(weather(), given.onset_model(), train=value(m, "train")),
    ),
    Cure(
        "none are used; use target_history=True or predict_change=True, or leave latency out",
        lambda: checked_target_inputs(False, False, 2),
        lambda m: [checked_target_inputs(*way) for way in ((True, False, 2), (False, True, 2), (False, False, 0))],
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
        "simulate with size=2 or more",
        lambda: xd.simulation.respond(xd.simulation.simulate(1, 30, size=1)),
        lambda m: xd.simulation.respond(xd.simulation.simulate(1, 30, size=value(m, "size"))),
    ),
    Cure(
        "assign them, or use .convert_calendar('standard') for cftime",
        lambda: splits.chronological(given.summer().convert_calendar("standard", use_cftime=True)),
        lambda m: splits.chronological(cured(m, given.summer().convert_calendar("standard", use_cftime=True))),
    ),
    Cure(
        "expected Patches or a boolean DataArray",
        lambda: splits.chronological(soil()),
        lambda m: splits.chronological(cured(m, soil())),
    ),
    *(
        Cure(
            "use overwrite=True to replace it, or another path",
            lambda content=content: stored_beside(content),
            partial(lambda content, m: stored_beside(content, overwrite=value(m, "overwrite")) or True, content),
        )
        for content in ("something", "zarr.json")
    ),
    Cure(
        "choose one, e.g. forecast.isel(member=0)",
        lambda: scored(of_members_and_quantiles()),
        lambda m: scored(eval(m[m.index("forecast.isel") :].split("\n")[0], {"forecast": of_members_and_quantiles()})),
    ),
    Cure(
        "name drivers=[...]",
        lambda: windows(weather()[["soil_moisture"]]),
        lambda m: windows(weather(), drivers=["tp"]),
    ),
    Cure(
        "rename with .rename, or give each",
        lambda: windows(weather().rename(site="tower")),
        lambda m: windows(cured(m.replace(".rename,", ".rename(tower='site'),"), weather().rename(site="tower"))),
    ),
]


def of_patches() -> xr.Dataset:
    """The weather on patches, with the places of cells and towers."""
    rain = weather().tp.expand_dims(patch_lat=2, patch_lon=2).transpose("site", "time", ...)
    around = xr.DataArray([-0.1, 0.1], dims="patch_lat")
    beside = xr.DataArray([-0.1, 0.1], dims="patch_lon")
    cells = {"cell_lat": weather().lat + around, "cell_lon": weather().lon + beside}
    return weather().assign(tp=rain, t2m=rain * 0 + 280).assign_coords(cells)


def lead_in(units: str) -> xr.DataArray:
    """The forecast with a lead time of 7 in some unit."""
    return given.forecast().assign_coords(lead_time=((), given.LEAD, {"units": units}))


def freezing() -> xr.DataArray:
    """Soil that is frozen for a third of the time."""
    return (given.frost() - 8).assign_attrs(units="degC")


def round_the_world() -> xr.Dataset:
    """A grid whose first and last column are one meridian."""
    lon = np.linspace(-180.0, 180.0, 73)
    coords = {"lat": np.arange(60.0, 30.0, -5.0), "lon": lon}
    return xr.Dataset({"t2m": (tuple(coords), np.full((6, 73), 280.0), {"units": "K"})}, coords)


def forcing() -> xr.Dataset:
    """Rain of two lead days."""
    rain = weather().tp.isel(time=slice(0, 50)).rename(time="init_time").drop_vars(["lat", "lon"])
    return rain.expand_dims(lead_time=pd.to_timedelta([1, 2], unit="D")).transpose("site", ...).to_dataset()


def stored_beside(content: str, **options: Any) -> None:
    """A result written where there is something else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it.zarr"
        path.mkdir()
        (path / content).write_text("{")
        xd.write_zarr(given.percentile().to_dataset().isel(site=[0]), path, **options)


def converging() -> xr.Dataset:
    return relations(library_size=[30, 60], library_samples=2)


def association(function: Callable) -> xr.Dataset:
    return function(given.rate(), given.complexity(), events(), n_boot=3, points=5)


def mapped(ax: Any) -> Any:
    return plot.plot_map(given.grid_weather().t2m.isel(time=0), ax=ax)


def of_360_days() -> xr.DataArray:
    return soil().isel(site=0).convert_calendar("360_day", align_on="year")


def of_members_and_quantiles() -> xr.DataArray:
    """Two members of three quantiles each."""
    low = xr.DataArray([-0.01, 0.0, 0.01], {"quantile": [0.1, 0.5, 0.9]}, "quantile")
    return (one_dimension_more(given.forecast()) + low).assign_attrs(soil().attrs).rename("soil_moisture")
