"""Every public function that takes labelled data, with small inputs and a call; and the others, with the reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xarray as xr

import xdrought as xd
from tests.laws import inputs as given
from xdrought import bulletin, causality, data, scaling, splits, study, verification
from xdrought.data import collocate, era5


@dataclass(frozen=True)
class Law:
    """One function on its inputs; `call` takes them by name, and names of dimensions beside."""

    function: Callable
    inputs: dict[str, Callable[[], Any]]
    call: Callable[..., Any]
    rounding: float = 1e-9  # relative, between two orders of the same numbers
    single: float = 1e-4  # relative, between float32 and float64
    labels: str = ""  # the input whose labels the result has
    without: frozenset[str] = frozenset()  # transformations that ask for something else
    unread: frozenset[str] = frozenset()  # inputs of which labels alone are read, or that are passed on as they are
    lazy: bool = False  # dask in, dask out

    @property
    def holds_values(self) -> bool:
        return set(self.inputs) - self.unread != set()

    @property
    def name(self) -> str:
        return f"{self.function.__name__}({', '.join(self.inputs)})"


def law(
    function: Callable, *names: str, call: Callable | None = None, without: str = "", unread: str = "", **options: Any
) -> Law:
    """The function called with the named inputs in this order, and keywords."""
    tolerances = {key: options.pop(key) for key in ("rounding", "single", "labels", "lazy") if key in options}

    def plain(**arrays: Any) -> Any:
        chosen = [arrays.pop(name) for name in names]
        return function(*chosen, **options, **arrays)

    if call is not None:
        kinds = inspect.signature(call).parameters.values()
        names = tuple(one.name for one in kinds if one.kind is not one.VAR_KEYWORD)
    chosen = {name: getattr(given, name) for name in names}
    tolerances.setdefault("labels", next(iter(names)))
    left_out = {"without": frozenset(without.split(", ")), "unread": frozenset(unread.split())}
    return Law(function, chosen, call or plain, **left_out, **tolerances)


def _monitor(soil: xr.DataArray, reference: xr.DataArray, **names: Any) -> xr.Dataset:
    """A monitor of the first days, told of the others: its events and the state of the last day."""
    time = names.get("time", "time")
    started = xd.start_monitor(soil.isel({time: slice(0, 350)}), reference=reference, **names)
    return started.update(soil.isel({time: slice(350, None)})).events()


def _today(soil: xr.DataArray, reference: xr.DataArray, **names: Any) -> xr.Dataset:
    return xd.start_monitor(soil, reference=reference, **names).today()


def _event_drivers(events: xr.Dataset, weather: xr.Dataset, **names: Any) -> xr.Dataset:
    return xd.event_drivers(events, weather, alpha=1.0, **names).assign_coords(start_time=events["start_time"].variable)


def _embedding(soil: xr.DataArray, **names: Any) -> xr.Dataset:
    return xd.choose_embedding(soil.isel({names.get("time", "time"): slice(0, 300)}), max_dim=3, **names)


def _windows(weather_of_a_month: xr.Dataset, **names: Any) -> xr.Dataset:
    made = xd.patches(weather_of_a_month, "soil_moisture", size=1, window=5, lead=2, **names)
    found = {"inputs": made.inputs, "targets": made.to_labels(made.targets)}
    return xr.Dataset({name: da.reset_coords(drop=True) for name, da in found.items()})


def _onset(weather: xr.Dataset, **names: Any) -> xr.Dataset:
    model = xd.fit_onset(weather, "soil_moisture", ["tp"], lead=given.LEAD, model="logistic", calibrate=False, **names)
    return xd.predict_onset(weather, model, **names)


def _attributions(drivers_of_a_month: xr.Dataset, forecaster: xd.Forecaster, **names: Any) -> xr.Dataset:
    background = given.weather_of_a_month()
    return xd.attributions(
        drivers_of_a_month,
        forecaster,
        background=background.rename({"time": names.get("time", "time")}),
        n_background=4,
        n_draws=4,
        progress=False,
        device="cpu",
        **names,
    )


def _folds(summer: xr.DataArray, **names: Any) -> xr.Dataset:
    folds = study.spatial_folds(summer, folds=3, **names)
    return xr.concat([one.ranges.start.reset_coords(drop=True).to_dataset(name="begin") for one in folds], "fold")


def _parts(function: Callable) -> Callable:
    return lambda summer, **names: function(summer, **names).ranges


def _scaling(weather: xr.Dataset, train: xr.DataArray, **names: Any) -> xr.Dataset:
    found = scaling.fit_scaling(weather, train=train)
    return xr.merge([found.mean, found.std])


def _controls(degree: xr.Dataset, drivers: xr.Dataset, soil: xr.DataArray, train: xr.DataArray, **names: Any) -> dict:
    kinds = ["shuffled", "random", "surrogate", "embedding", "statics"]
    return study.causality_controls(degree, drivers, soil, train=train, controls=kinds, **names)


def _known(degree: xr.Dataset, drivers: xr.Dataset, **names: Any) -> xr.Dataset:
    return study.predicted_degree(degree, drivers, known=degree.site != "S2", **names)


def _effects(configurations: xr.Dataset) -> Any:
    four = configurations.nse.isel(configuration=0, drop=True) + xr.DataArray(
        [0.1 * ("Res" in name) + 0.2 * ("Cau" in name) for name in study.FACTORIAL],
        {"model": list(study.FACTORIAL)},
    )
    return study.factorial_effects(four.transpose("model", "run", "site").to_dataset(name="nse"), n_boot=10)


def _models(configurations: xr.Dataset) -> xr.Dataset:
    return configurations.drop_vars("model", errors="ignore").rename(configuration="model")


LAWS = [
    # events
    law(xd.soil_moisture_percentile, "soil", lazy=True),
    law(xd.soil_moisture_percentile, "soil", pool="dayofyear", window=15, method="hazen"),
    law(
        xd.soil_moisture_percentile,
        call=lambda soil, reference, **names: xd.soil_moisture_percentile(soil, reference=reference, **names),
    ),
    law(xd.flash_drought_events, "soil"),
    law(xd.flash_drought_events, "percentile", is_percentile=True),
    law(
        xd.flash_drought_events,
        call=lambda soil, reference, frost, **names: xd.flash_drought_events(
            soil, reference=reference, soil_temperature=frost, frozen="mask", **names
        ),
    ),
    law(
        xd.drought_classes,
        call=lambda soil, reference, frost, **names: xd.drought_classes(
            soil, reference=reference, soil_temperature=frost, frozen="mask", **names
        ),
        lazy=True,
    ),
    law(
        xd.drought_summary,
        call=lambda soil, reference, frost, **names: xd.drought_summary(
            soil, reference=reference, soil_temperature=frost, frozen="mask", **names
        ),
        lazy=True,
    ),
    law(
        xd.detect_droughts,
        call=lambda soil, reference, frost, **names: (
            xd.detect_droughts(soil, reference=reference, soil_temperature=frost, frozen="mask", **names).classes
        ),
    ),
    law(xd.definition_agreement, "two_definitions"),
    law(xd.event_uncertainty, "soil", n_boot=2),
    law(xd.drought_state, call=lambda soil, train, **names: xd.drought_state(soil, train=train, **names), lazy=True),
    law(xd.drought_state, call=lambda soil, reference, **names: xd.drought_state(soil, train=reference, **names)),
    law(xd.onset_days, call=lambda soil, reference, **names: xd.onset_days(soil, train=reference, **names)),
    law(xd.onset_label, call=lambda soil, train, **names: xd.onset_label(soil, train=train, label="event", **names)),
    law(xd.start_monitor, call=_today),
    law(xd.start_monitor, call=_monitor),
    law(
        xd.drought_objects,
        call=lambda dry, depth, areas, **names: xd.drought_objects(dry, intensity=depth, cell_area=areas, **names),
    ),
    # causes
    law(
        xd.ccm,
        call=lambda drivers, soil, summer, **names: xd.ccm(drivers, soil, embedding_dim=3, where=summer, **names),
        rounding=1e-6,
    ),
    law(xd.ccm, "drivers", "soil", library_size=[30, 60], library_samples=1, surrogates=2, rounding=1e-6, lazy=True),
    law(
        xd.gccm,
        call=lambda field, **names: xd.gccm(
            field[["rain", "wind"]], field["soil"], library_size=6, library_samples=3, surrogates=3, **names
        ),
        rounding=1e-6,
        single=1e-3,
    ),
    law(
        xd.driver_gain,
        call=lambda drivers, soil, summer, **names: xd.driver_gain(drivers, soil, where=summer, flips=19, **names),
        rounding=1e-6,
        lazy=True,
    ),
    law(
        xd.driver_contributions,
        call=lambda drivers, soil, summer, **names: xd.driver_contributions(drivers, soil, where=summer, **names),
        rounding=1e-6,
    ),
    law(
        xd.causality_degree,
        call=lambda drivers, soil, train, **names: xd.causality_degree(drivers, soil, train=train, **names),
        rounding=1e-6,
        lazy=True,
    ),
    law(causality.degree_vector, "degree"),
    law(xd.choose_embedding, call=_embedding, rounding=1e-6),
    law(xd.false_discovery_control, "p_values"),
    # windows and forecasts
    law(xd.patches, call=_windows, without="percent"),
    law(xd.predict, "drivers_of_a_month", "forecaster", device="cpu", rounding=1e-5, lazy=True),
    law(xd.fit_onset, call=_onset, rounding=1e-6, single=1e-2),
    law(xd.predict_onset, "weather", "onset_model", single=1e-3),
    # the draws of a window belong to its number, and dask keeps the days before the first window
    law(xd.attributions, call=_attributions, rounding=1e-2, single=1e-2, without="turned, chunked"),
    law(xd.event_importance, "shares", "events"),
    law(xd.event_drivers, call=_event_drivers, rounding=1e-6, single=1e-3, without="twice"),
    law(xd.drought_complexity, "shares", "events"),
    law(xd.driver_importance, "importance", "events", n_boot=5),
    law(xd.importance_by_rate, "importance", "events", bins=3),
    # scores
    law(xd.verify, "forecast", "soil", lead=given.LEAD, references=["persistence", "climatology"], n_boot=3),
    law(
        xd.verify,
        call=lambda forecast, soil, train, percentile, **names: xd.verify(
            forecast,
            soil,
            lead=given.LEAD,
            train=train,
            drivers={"other": percentile},
            matching="mean_variance",
            references="persistence",
            n_boot=5,
            **names,
        ),
    ),
    law(xd.compare_models, "forecast", "soil", lead=given.LEAD, references="persistence", n_boot=3),
    law(xd.persistence_forecast, "soil", "forecast", lead=given.LEAD, unread="forecast", lazy=True),
    law(
        xd.climatology_forecast,
        call=lambda soil, forecast, train, **names: xd.climatology_forecast(soil, forecast, train=train, **names),
        unread="forecast",
        labels="forecast",
        without="one row",
    ),
    law(
        xd.damped_persistence_forecast,
        call=lambda soil, forecast, train, **names: xd.damped_persistence_forecast(
            soil, forecast, train=train, lead=given.LEAD, **names
        ),
        unread="forecast",
    ),
    law(
        xd.dressed_persistence_forecast,
        call=lambda soil, forecast, train, **names: xd.dressed_persistence_forecast(
            soil, forecast, quantiles=[0.1, 0.9], train=train, lead=given.LEAD, **names
        ),
        unread="forecast",
    ),
    law(
        xd.percentile_table_forecast,
        call=lambda occurred, percentile, forecast, **names: xd.percentile_table_forecast(
            occurred, percentile, forecast, train=slice(None), lead=given.LEAD, **names
        ),
        unread="forecast",
    ),
    law(
        verification.mean_variance_matching,
        call=lambda reference, soil, train, **names: verification.mean_variance_matching(
            reference, soil, train=train, **names
        ),
    ),
    law(verification.generalization_ability, "training_scores", "scores", without="twice"),
    law(xd.to_table, "scores"),
    law(xd.class_scores, "classes", "other_classes", n_boot=3),
    law(xd.occurrence_scores, "classes", "other_classes", n_boot=3),
    law(xd.probability_scores, "probability", "occurred", cost_loss_ratio=(0.2, 0.5)),
    law(xd.onset_skill, "warnings", "begins", part=None, n_boot=10),
    law(xd.alarms, "warnings", "starts", part=None, chosen_on=None, n_boot=10),
    law(xd.match_events, "forecast_events", "events", lead=2),
    # studies
    law(study.skill_by_degree, "degree", "skill", n_boot=10, permutations=20, points=5, without="one row, twice"),
    law(
        study.coupling_strength,
        call=lambda relation, importance: study.coupling_strength(relation, importance, permutations=20),
    ),
    law(study.onset_trend, "rate", "events", n_boot=10),
    law(study.event_association, "rate", "complexity", "events", n_boot=10, points=5),
    law(study.site_synchrony, "rate", "complexity", "events", n_boot=10, permutations=20, min_events=3),
    law(study.onset_error, "forecast", "soil", "events"),
    law(study.onset_coincidence, "events", "soil", n_boot=10, min_years=2),
    law(study.predicted_degree, call=_known, rounding=1e-6),
    law(study.causality_controls, call=_controls, rounding=1e-6),
    law(study.spatial_folds, call=_folds),
    law(splits.chronological, "summer", call=_parts(splits.chronological)),
    law(splits.spatial_monte_carlo, "summer", call=_parts(splits.spatial_monte_carlo)),
    law(scaling.fit_scaling, call=_scaling, without="percent"),
    law(
        study.paired_differences,
        call=lambda configurations: study.paired_differences(_models(configurations), "zeros", n_boot=10),
    ),
    law(
        study.gain_shares,
        call=lambda configurations: study.gain_shares(
            _models(configurations).assign_coords(model=["zeros", "causality", "random"]), n_boot=10
        ),
    ),
    law(study.factorial_effects, call=_effects),
    law(study.frequency_trend, "events", "soil", min_events=1),
    # bulletins
    law(bulletin.drought_categories, "percentile", lazy=True),
    law(bulletin.index_percentile, "standardised", lazy=True),
    law(bulletin.region_shares, "classes", "regions", lazy=True),
    law(bulletin.return_period, "yearly"),
    # data
    # counts of the readers are known by their names
    law(data.screen_sites, "weather", without="with coords"),
    law(data.site_report, "weather", without="with coords"),
    law(data.quality_report, "weather", n_simulations=19, rounding=1e-6, single=1e-2),
    law(data.soil_profile, "layers", layers={"top": (0, 0.1), "below": (0.1, 0.4)}, lazy=True),
    law(
        data.root_zone,
        "layers",
        call=lambda layers: data.root_zone(layers, 0.3, layers={"top": (0, 0.1), "below": (0.1, 0.4)}),
        lazy=True,
    ),
    law(
        xd.degrade_forcing,
        "long_weather",
        call=lambda long_weather, **names: xd.degrade_forcing(long_weather, ["tp"], lead=3, **names),
    ),
    law(xd.select_lead, "leads", call=lambda leads: xd.select_lead(leads, 7), unread="leads"),
    law(
        collocate.collocate,
        "grid_weather",
        "places",
        size=4,
        labels="places",
        without="noon",
        unread="grid_weather",
        lazy=True,
    ),
    law(collocate.join_towers, "around", "towers", unread="around towers"),
    law(collocate.nearest_cells, "around", unread="around", lazy=True),
    law(era5.relative_humidity, "warmth", "dew", lazy=True),
    law(era5.daily_drivers, "grid_weather", drivers=["t2m", "tp"]),
]

# Public functions without a law, and why; a module stands for all of its functions.
EXEMPT = {
    "xdrought.plot": "pictures draw results and compute none; tests/plot looks at what is drawn",
    "xdrought.bulletin.regions.region_table": "prints what region_shares, which has a law, found",
    "xdrought.bulletin.desk": "joins today's state, warnings and alarms; tests/bulletin/test_desk.py holds it to each",
    "xdrought.bulletin.desk_page": "writes what desk_report found as a page",
    "xdrought.data.forecasts": "reads files; tests/data/test_forecasts.py holds every number to a slow count",
    "xdrought.events.counts": "counts rows of a table, which tests of its pictures count by hand",
    "xdrought.causality.null_convergence": "ccm, which has a law, of surrogates drawn with a seed",
    "xdrought.verification.intervals": "an interval over scores of trainings, which tests/plot and tests/study make",
    "xdrought.simulation": "makes data of a seed, or writes them; tests/simulation holds it to its own laws",
    "xdrought.data.fluxnet": "reads files; tests/data holds it to published tables",
    "xdrought.data.uscrn": "reads files; tests/data holds it to published tables",
    "xdrought.data.ismn": "reads files; tests/data holds it to published tables",
    "xdrought.data.tutorial": "opens data sets by name",
    "xdrought.data.era5.reader.open_era5": "reads files and hands them to daily_drivers, which has a law",
    "xdrought.forecast.fitting": "training draws batches by position; what it takes is held by patches and predict",
    "xdrought.forecast.forecaster": "reads a file of our own",
    "xdrought.forecast.onset.onset_model": "reads a file of our own",
    "xdrought.definitions": "takes numbers, no data",
    "xdrought.stores": "writes what it is given; tests/package/test_stores reads it back",
    "xdrought.events.monitor_start.load_monitor": "reads a file of our own",
    "xdrought.leakage": "asks a forecaster about its own data; tests/leakage plants leaks of each kind",
    "xdrought.attribution.sanity": "draws windows by position to judge a network as a whole",
    "xdrought.study.comparison.ablation": "trains networks; compare and verify are held by their parts",
    "xdrought.study.comparison.compare": "trains networks; its scores are those of verify",
    "xdrought.study.controls.placebo": "trains networks; causality_controls has a law",
    "xdrought.study.spatial.spatial_validation": "trains networks; spatial_folds and predicted_degree have laws",
    "xdrought.study.sweeps": "trains networks; its scores are those of verify",
}
