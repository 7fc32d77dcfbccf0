"""The main job, end to end, on real towers; `bash ci/demo` sets up and runs it.

    python examples/demo.py [OUTPUT_FOLDER]

The tower that travels with the library (US-AR1) is always there; the FLUXNET2015 sites of $XDROUGHT_DATA_DIR join it.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import xarray as xr

import xdrought
from xdrought import plot
from xdrought.data import open_dataset, screen_sites

HOME_SITE = "US-AR1"
DEFINITIONS = ["tang2025", "yuan2019", "yuan2023", "ford_labosier2017", "osman2021", "o_park2024"]
DRIVERS = ["TA_F", "VPD_F", "PA_F", "P_F", "WS_F", "SW_IN_F", "LE_F_MDS", "soil_temperature"]
# Small enough for two cores: one cell instead of 10 x 10, narrow layers. The published sizes are the defaults.
SMALL = {"size": 1, "widths": (16, 32), "batch_size": 256, "learning_rate": 1e-3, "sampler": "consecutive"}
# The paper's network sees the weather only; where a station reports, its own past may be told as well.
NETWORKS = {"weather only": {}, "weather and own past": {"target_history": True, "predict_change": True}}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save = Outputs(folder)
    with stage("1/7 data: read, screen, report"):
        towers = read_towers(save)
    with stage("2/7 events: flash droughts, classes, definitions compared"):
        find_events(towers, save)
    with stage("3/7 causality: which drivers left their mark on soil moisture"):
        map_causes(towers, save)
    with stage("4/7 windows: 15 days of drivers, and soil moisture 7 days later"):
        windows = towers.xdrought.patches("soil_moisture", drivers=DRIVERS, size=1)
        print(f"   {len(windows)} windows at {towers.sizes['site']} site(s)")
    with stage("5/7 networks: ResAttCauRec, small, trained on the first 70 % of each site"):
        forecasters = {name: train(towers, name, save) for name in NETWORKS}
    with stage("6/7 forecast: every day for which the inputs are there, seven days ahead"):
        forecasts = {name: towers.xdrought.predict(forecaster) for name, forecaster in forecasters.items()}
    with stage("7/7 score: on the last 15 % of each site, beside persistence and climatology"):
        score(towers, forecasters, forecasts, save)
    print(f"\nPictures and tables: {folder.resolve()}")
    for path, what in save.written:
        print(f"   {path.name:32s} {what}")


@contextmanager
def stage(title: str) -> Iterator[None]:
    print(f"== {title}", flush=True)
    start = time.perf_counter()
    yield
    print(f"   {time.perf_counter() - start:.0f} s", flush=True)


class Outputs:
    """Where tables and pictures go, and a list of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.written: list[tuple[Path, str]] = []

    def table(self, table: pd.DataFrame, name: str, what: str, *, index: bool = False) -> None:
        path = self.folder / name
        table.to_csv(path, index=index, float_format="%.6g")
        self.written.append((path, what))

    def picture(self, axes: plt.Axes, name: str, what: str) -> None:
        path = self.folder / name
        axes.figure.savefig(path, dpi=150, bbox_inches="tight")
        plt.close(axes.figure)
        self.written.append((path, what))


def read_towers(save: Outputs) -> xr.Dataset:
    """The embedded tower and, where there is a data folder, the others that pass the paper's screening."""
    towers = open_dataset("us-ar1")
    if os.environ.get("XDROUGHT_DATA_DIR"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # files without soil moisture are in the report
            others = open_dataset("fluxnet")
        towers = xr.concat([towers, others], dim="site", join="outer", combine_attrs="drop_conflicts")
    else:
        print("   XDROUGHT_DATA_DIR is not set: the embedded tower alone (the README says how to get more)")
    kept, report = screen_sites(towers)
    save.table(report, "sites.csv", "which sites are used, which not, and why")
    dropped = report.loc[~report["kept"], "site"].tolist()
    print(f"   {kept.sizes['site']} of {len(report)} sites kept{'; dropped: ' + ', '.join(dropped) if dropped else ''}")
    return kept


def find_events(towers: xr.Dataset, save: Outputs) -> None:
    """Events by the paper's rules with their share of frozen days, five more definitions, and three pictures."""
    events = towers.xdrought.flash_drought_events("soil_moisture", soil_temperature="soil_temperature")
    save.table(events.to_dataframe().reset_index(), "events.csv", "one row per drought event")
    flash, frozen = int(events.is_flash.sum()), int(events.is_frozen.sum())
    print("\n" + xdrought.to_table(events.isel(event=events.site.values == HOME_SITE)).to_string() + "\n")
    print(
        f"   {events.sizes['event']} events, {flash} of them flash droughts; {frozen} mostly on frozen soil (flagged)"
    )
    agreement = compare_definitions(towers, save)

    home = towers.soil_moisture.sel(site=HOME_SITE).dropna("time")
    here = events.isel(event=events.site.values == HOME_SITE)
    driest = int(here.severity.values.argmax())
    temperature = towers.soil_temperature.sel(site=HOME_SITE).reindex(time=home.time)
    anatomy = plot.plot_event(home, events, event=driest, soil_temperature=temperature)
    save.picture(anatomy, "event_anatomy.png", f"anatomy of the severest event at {HOME_SITE}")
    save.picture(plot.plot_record(home, events), "record.png", f"the record of {HOME_SITE} with its events")
    save.picture(plot.plot_agreement(agreement), "definitions.png", "how far the definitions agree")
    if towers.sizes["site"] > 1:
        years = towers.soil_moisture.notnull().sum("time") / 365.25
        save.picture(plot.plot_map(events, years=years), "map.png", "flash droughts per year and site")


def compare_definitions(towers: xr.Dataset, save: Outputs) -> xr.DataArray:
    several = towers.xdrought.flash_drought_events("soil_moisture", definition=DEFINITIONS)
    by_name = several.is_flash.groupby(several.definition)
    table = pd.DataFrame({"events": by_name.count().to_series(), "flash droughts": by_name.sum().to_series()})
    save.table(table.reindex(DEFINITIONS).fillna(0).astype(int), "definitions.csv", "events by definition", index=True)
    print("   " + "; ".join(f"{name} {int(n)}" for name, n in table["flash droughts"].items()))
    classes = towers.xdrought.drought_classes("soil_moisture", definition=DEFINITIONS)
    return xdrought.definition_agreement(classes).overlap


def map_causes(towers: xr.Dataset, save: Outputs) -> None:
    """Cross-map skill of every driver in both directions, with the raw p-value beside one from surrogates."""
    found = towers.xdrought.ccm(DRIVERS, "soil_moisture", surrogates=199)
    table = found.to_dataframe().reset_index()
    save.table(table, "causality.csv", "cross-map skill, raw p-value and surrogate p-value")
    forward = found.sel(direction="cause_to_effect")
    raw, tested = (int((forward[name] < 0.05).sum()) for name in ("p_value", "surrogate_p_value"))
    print(f"   of {forward.rho.size} driver-site pairs, {raw} are 'causes' by the raw p-value, {tested} by surrogates")
    axes = plot.plot_causality(found if towers.sizes["site"] > 1 else found.isel(site=0))
    save.picture(axes, "causality.png", "cross-map skill of every driver")


def train(towers: xr.Dataset, name: str, save: Outputs) -> xdrought.Forecaster:
    print(f"   {name}", flush=True)
    epochs = max(6, 20 // towers.sizes["site"])  # about as many steps for one site as for many
    forecaster = towers.xdrought.fit_resattcaurec("soil_moisture", DRIVERS, epochs=epochs, **SMALL, **NETWORKS[name])
    path = save.folder / f"{name.replace(' ', '_')}.xdrought"
    forecaster.save(path)
    save.written.append((path, f"the trained network, {name}; xdrought.load_forecaster reads it"))
    return xdrought.load_forecaster(path)


def score(
    towers: xr.Dataset, forecasters: dict[str, xdrought.Forecaster], forecasts: dict[str, xr.Dataset], save: Outputs
) -> None:
    observed = towers.soil_moisture
    tested = {
        name: forecast.soil_moisture.where(forecasters[name].splits.mask("test", forecast.time))
        for name, forecast in forecasts.items()
    }
    scores = xdrought.verify(tested, observed)
    table = xdrought.to_table(scores)
    save.table(table, "scores.csv", "scores with intervals, median over sites", index=True)
    by_site = scores.nse.transpose("site", "model").to_pandas()
    save.table(by_site, "scores_by_site.csv", "Nash-Sutcliffe efficiency per site", index=True)
    print("\n" + table.to_string() + "\n")
    print(honest_words(by_site))
    for name, forecast in tested.items():
        one = forecast.sel(site=HOME_SITE).dropna("time")
        picture = plot.plot_forecast(one, observed.sel(site=HOME_SITE), lead=forecasters[name].lead)
        save.picture(picture, f"forecast_{name.replace(' ', '_')}.png", f"the test part of {HOME_SITE}, {name}")
    save.picture(plot.plot_scores(scores), "scores.png", "the score of every site beside its references")


def honest_words(by_site: pd.DataFrame) -> str:
    lines = []
    for name in NETWORKS:
        better = int((by_site[name] > by_site["persistence"]).sum())
        lines.append(f"   {name}: ahead of 7-day persistence at {better} of {len(by_site)} site(s) (NSE).")
    lines += [
        "   Both networks are small and were trained for seconds on one cell. Like the paper's, the first never sees",
        "   the site's own soil moisture, which persistence is made of.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo_output"))
