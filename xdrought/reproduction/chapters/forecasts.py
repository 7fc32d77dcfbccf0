"""Forecasts with their droughts, and the classes of days (section 4.2, Figures 4 and S6, Table 1)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.reproduction import published
from xdrought.reproduction.findings import Chapter, Claim, with_interval
from xdrought.reproduction.pictures.forecasts import by_percentile, with_droughts
from xdrought.reproduction.results import FULL, Results
from xdrought.statistics.bootstrap import bootstrap_weights, percentile_interval

OTHERS = ("persistence",)


def forecasts(m: Results) -> Chapter:
    """Two sites with an annual cycle and two without, as in Figure 4, with the droughts that were seen and forecast."""
    chapter = Chapter("Forecasts")
    run = m.median_run
    cycle = annual_share(m.observed.where(m.part("train"))).dropna("site").sortby("site")
    scores = m.member_scores("test").nse.isel(run=run)
    usable = [site for site in cycle["site"].values if bool(scores.sel(site=site).notnull().all())]
    ordered = sorted(usable, key=lambda site: -float(cycle.sel(site=site)))
    chosen = list(dict.fromkeys([*ordered[:2], *ordered[-2:]]))
    observed = m.classes.where(m.part("test"), -1)
    names = (FULL, "Rec")
    fcst = {name: m.forecast(name).isel(run=run, drop=True) for name in names}
    classes = {name: m.classes_of(da) for name, da in fcst.items()}
    for site, panel in zip(chosen, "abcd", strict=False):
        nse = {name: float(scores.sel(model=name, site=site)) for name in names}
        here = {name: da.where(m.part("test")).sel(site=site) for name, da in fcst.items()}
        days = {"observed": observed.sel(site=site), **{name: da.sel(site=site) for name, da in classes.items()}}
        chapter.show(
            with_droughts(m.observed.sel(site=site), here, days, nse),
            f"Figure 4{panel}: {site}, of whose variance {float(cycle.sel(site=site)):.0%} is an annual cycle, in the "
            f"test part. Shades and the upper strip: droughts seen; lower strips: droughts of the forecasts, one run "
            f"each (the one whose pooled NSE is the median). NSE of {FULL}: {nse[FULL]:.2f}.",
            of=[f"Figure 4{panel}"],
        )
    panels = [f"Figure 4{panel}" for panel in "abcd"]
    chapter.lack(*panels[len(chosen) :], why=f"only {len(chosen)} sites have a test part")
    chapter.show(
        by_percentile(m.forecasts(part="test"), m.observed, m.persistence),
        "Figure S6: forecast less observation by fifths of the observed percentile at each site, test part, mean of "
        "the runs; dots are outliers. Above zero is forecast too wet.",
        of=["Figure S6"],
    )
    return chapter


def annual_share(observed: xr.DataArray) -> xr.DataArray:
    """Share of the variance that the mean of each day of the year, smoothed over a month, explains; (site,)."""
    by_day = observed.groupby("time.dayofyear").mean("time")
    padded = xr.concat(
        [by_day.isel(dayofyear=slice(-15, None)), by_day, by_day.isel(dayofyear=slice(0, 15))], "dayofyear"
    )
    smooth = padded.rolling(dayofyear=31, center=True, min_periods=1).mean().isel(dayofyear=slice(15, -15))
    season = smooth.sel(dayofyear=observed["time"].dt.dayofyear)
    return (1 - (observed - season).var("time") / observed.var("time")).reset_coords(drop=True)


def table_1(m: Results) -> Chapter:
    """Precision, recall and F1 of five classes, for every run of every network, and for persistence."""
    chapter = Chapter("Classes of days (Table 1)")
    counts = m.confusions
    scores = class_scores(counts.sum("site")).mean("run")
    days = int(counts.sel(model=FULL).isel(run=0).sum())
    chapter.tabulate(published.table_1(), "Table 1 as published.", coloured=True)
    chapter.tabulate(
        _as_published(scores),
        f"Table 1 here ({m.settings.equations[0]} equations, mean of {counts.sizes['run']} runs, {days:,} test days "
        "that all have). Percentiles are those of the whole observed record, as in the paper, which lets the test part "
        "into its own thresholds.",
        coloured=True,
        of=["Table 1"],
    )
    frame = pd.DataFrame({"paper": pd.Series(published.ACCURACY), "here": scores.accuracy.to_series()})
    frame["always the commonest class, paper"] = published.SHARE["no_drought"]
    frame["always the commonest class, here"] = float(scores.majority.sel(model=FULL))
    order = [*counts["model"].values.tolist()]
    chapter.tabulate(
        frame.reindex(order).rename_axis("model"), "Accuracy beside that of always saying the commonest class."
    )
    _find(m, chapter)
    return chapter


def class_scores(counts: xr.DataArray) -> xr.Dataset:
    """Precision, recall, F1 and share of each class, accuracy, and that of the commonest class, of counts of days.

    `counts` is on (..., observed_class, forecast_class); a class that is never forecast or never seen is NaN in
    precision or recall, and has an F1 of 0 where it is only one of the two.
    """
    hits = xr.concat(
        [counts.sel(observed_class=c, forecast_class=c, drop=True) for c in published.CLASSES], "class_name"
    ).assign_coords(class_name=list(published.CLASSES))
    obs = counts.sum("forecast_class").rename(observed_class="class_name")
    fcst = counts.sum("observed_class").rename(forecast_class="class_name")
    total = obs.sum("class_name")
    return xr.Dataset(
        {
            "precision": hits / fcst.where(fcst > 0),
            "recall": hits / obs.where(obs > 0),
            "f1": 2 * hits / (obs + fcst).where(obs + fcst > 0),
            "share": obs / total.where(total > 0),
            "accuracy": hits.sum("class_name") / total.where(total > 0),
            "majority": obs.max("class_name") / total.where(total > 0),
        }
    )


def _as_published(scores: xr.Dataset) -> pd.DataFrame:
    rows = {
        (model, name): scores[name].sel(model=model).to_series()
        for model in scores["model"].values.tolist()
        for name in ("precision", "recall", "f1")
    }
    frame = pd.DataFrame(rows).T[list(published.CLASSES)]
    frame.loc[("share of days", ""), :] = scores.share.sel(model=FULL).to_series()
    return frame.rename_axis(["model", "measure"])


def resampled(counts: xr.DataArray, n_boot: int, seed: int) -> xr.DataArray:
    """Counts of drawn sites (model, sample, run, ...), each sample with as many sites as there are."""
    drawn = bootstrap_weights(counts.sizes["site"], n_boot, np.random.default_rng(seed))
    return xr.dot(counts, xr.DataArray(drawn, dims=("sample", "site")), dim="site")


def _find(m: Results, chapter: Chapter) -> None:
    counts, s = m.confusions, m.settings
    point = class_scores(counts.sum("site")).mean("run")
    drawn = class_scores(resampled(counts, s.n_boot, s.seed))
    rng = np.random.default_rng([s.seed, 1])
    runs = xr.DataArray(bootstrap_weights(s.runs, s.n_boot, rng) / s.runs, dims=("sample", "run"))
    drawn = xr.Dataset({name: xr.dot(da.fillna(0), runs, dim="run") for name, da in drawn.items()})
    setting = m.setting("maps", "training")
    ahead = (drawn.accuracy - drawn.majority).sel(model=FULL)
    low, high = map(float, percentile_interval(ahead.values, 0.95))
    accuracy, majority = float(point.accuracy.sel(model=FULL)), float(point.majority.sel(model=FULL))
    chapter.find(
        "Table 1",
        f"accuracy of {FULL} less that of the commonest class",
        f"{published.ACCURACY[FULL] - published.SHARE['no_drought']:+.2f} "
        f"({published.ACCURACY[FULL]} less {published.SHARE['no_drought']:.2f})",
        f"{with_interval(accuracy - majority, low, high, sign=True)} ({accuracy:.2f} less {majority:.2f})",
        interval=(low, high),
        claim=Claim(value=published.ACCURACY[FULL] - published.SHARE["no_drought"]),
        setting=setting,
        of=["Number accuracy"],
    )
    f1, f1_drawn = point.f1.sel(class_name="flash_onset"), drawn.f1.sel(class_name="flash_onset")
    table_1 = published.table_1()["flash_onset"].xs("f1", level="measure")
    for model in m.variants:
        low, high = map(float, percentile_interval(f1_drawn.sel(model=model).values, 0.95))
        chapter.find(
            "4.2, Table 1",
            f"F1 of flash onset days of {model}",
            f"{table_1[model]:.2f}",
            with_interval(float(f1.sel(model=model)), low, high),
            interval=(low, high),
            claim=Claim.of_value(float(table_1[model])),
            setting=setting,
            of=["Number f1"],
        )
    for name in [*(model for model in m.variants if model != FULL), *OTHERS]:
        low, high = map(float, percentile_interval((f1_drawn.sel(model=FULL) - f1_drawn.sel(model=name)).values, 0.95))
        paper = "not shown" if name in OTHERS else f"{table_1[FULL]:.2f} against {table_1[name]:.2f}"
        chapter.find(
            "absent" if name in OTHERS else "4.2, Table 1",
            f"F1 of flash onset days, {FULL} less {name}",
            paper,
            with_interval(float(f1.sel(model=FULL) - f1.sel(model=name)), low, high, sign=True),
            interval=(low, high),
            claim=None if name in OTHERS else Claim(),
            setting=setting,
        )
    onset = point[["recall", "precision"]].sel(class_name="flash_onset")
    full, rec = onset.sel(model=FULL), onset.sel(model="Rec")
    dry = float(point.f1.sel(model="Rec", class_name="no_drought"))
    chapter.say(
        f"{FULL} finds {_percent(full.recall)} of the flash onset days (paper: 39 %), and {_percent(full.precision)} "
        f"of those it forecasts are so (44 %). Rec misses {_percent(1 - rec.recall)} (93 %), "
        f"{_percent(1 - rec.precision)} of those it forecasts are wrong (96 % in the text, 94 % by Table 1), and its "
        f"F1 of days without drought is {dry:.2f} (0.84). A share of nothing is given as a dash.",
        of=["Number detection", "Number baseline"],
    )


def _percent(share: xr.DataArray) -> str:
    return f"{float(share):.0%}" if np.isfinite(share) else "–"
