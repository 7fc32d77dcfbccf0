"""The networks, their losses, and their scores in the paper's own quantity first (section 4.1, Figures 1 and 3)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from xdrought.leakage import audit_leakage
from xdrought.reproduction import published
from xdrought.reproduction.findings import Chapter, Claim, Difference, Setting, median_interval, with_interval
from xdrought.reproduction.pictures.forecasts import loss_curves, violins
from xdrought.reproduction.pictures.network import diagram, layers
from xdrought.reproduction.results import FULL, REFERENCES, Results
from xdrought.study.comparison import paired_differences
from xdrought.verification.scores import summarise_runs

SCORES = ("nse", "rmse", "kge")


def networks(m: Results) -> Chapter:
    """The network as it is built, losses, errors and generalization of the ladder, in both modes."""
    chapter = Chapter("Networks")
    _anatomy(m, chapter)
    _losses(m, chapter)
    train, test = m.member_scores("train"), m.member_scores("test")
    _headline(m, train, test, chapter)
    for score, panel in (("rmse", "c"), ("kge", "d"), ("nse", "e")):
        chapter.show(
            violins(of_runs(train, score), of_runs(test, score), score.upper()),
            f"Figure 3{panel}: {score.upper()} of all samples pooled, a dot for each of {m.settings.runs} runs; "
            "training part on the left, test part on the right. Persistence, which the paper does not have, as a line.",
            of=[f"Figure 3{panel}"],
        )
    chapter.show(
        violins(None, generalization(train, test), "Generalization ability"),
        "Figure 3f: generalization ability of each run, pooled RMSE of the training part over that of the test part "
        "(Eq. 13).",
        of=["Figure 3f"],
    )
    _ladder(test, m, chapter)
    for equations in m.settings.equations:
        chapter.tabulate(
            ladder_table(m.member_scores("test", equations)),
            f"Test part, {equations} equations, site by site: median over sites of the runs' mean, with a bootstrap "
            "interval over sites and runs, and NSE less that of persistence.",
        )
    chapter.tabulate(
        by_site(test),
        f"Table S3: scores of {FULL} at each site (mean of the runs, test part) and the NSE of persistence.",
        of=["Table S3"],
    )
    return chapter


def _anatomy(m: Results, chapter: Chapter) -> None:
    """The published network as it is built here, and the sizes of those of this report."""
    from xdrought.models import build  # torch comes when a network is asked for

    asked: dict[str, Any] = {"n_features": 12, "n_causal": 96, "size": 10, "window": 15}
    full, unet = (layers(build(name, **asked), **asked) for name in (FULL, "UNet"))
    panels = ["Figure 1a", "Figure 1b", "Figure 1c", "Figure 1d", "Figure S1"]
    chapter.show(
        diagram(full),
        "Figure 1: the network drawn from the one that is built at the published size: what each part gives for one "
        "window, and how many numbers it learns; below, the attention block of Eq. 1 to 3 and a step of Eq. 6.",
        of=panels,
    )
    chapter.lack("Figure S2", why="a textbook drawing of an LSTM cell; its equations 4 and 5 are in Figure 1c here")
    here = m.forecaster(FULL).architecture
    sizes: dict[str, Any] = {
        "n_features": here.n_features,
        "n_causal": here.n_causal,
        "size": here.size,
        "window": here.window,
    }
    own = layers(build(FULL, widths=here.widths, **sizes), **sizes)
    table = full.assign(here=own.parameters).rename(columns={"here": "parameters here", "input": "input of one window"})
    chapter.tabulate(
        table,
        f"Table S2: parts and parameters at the published size, {full.parameters.sum():,} in all, and those of the "
        f"networks of this report, {own.parameters.sum():,} in all. U-Net: {unet.parameters.sum():,}.",
        of=["Table S2"],
    )
    for name, found in ((FULL, full), ("UNet", unet)):
        n = int(found.parameters.sum())
        chapter.find(
            "3.5",
            f"parameters of {name}, built at the published size",
            f"{published.PARAMETERS[name]:,}",
            f"{n:,}",
            interval=(n, n),
            claim=Claim.of_value(published.PARAMETERS[name]),
            setting=Setting(),
            of=["Number parameters"],
        )


def _losses(m: Results, chapter: Chapter) -> None:
    history = m.forecaster(FULL).history
    mode = m.settings.equations[0]
    chapter.show(
        loss_curves(history),
        f"Figure 3a, b: training and validation loss of {FULL} ({mode} equations): mean of {m.settings.runs} runs with "
        "the 95 % interval of the mean; dots mark the epoch that each run keeps.",
        of=["Figure 3a", "Figure 3b"],
    )
    best = history.best_epoch.values.astype(float) + 1
    after = history.val_loss.isel(epoch=-1) - history.val_loss.min("epoch")
    mean, low, high = over_runs(after)
    chapter.find(
        "4.1, Fig. 3b",
        "the validation loss is past its lowest when training ends",
        f"the last {published.OVERFITTING_EPOCHS} of {published.EPOCHS} epochs",
        f"last loss {with_interval(mean, low, high, 3, sign=True)} above the lowest; best epoch "
        f"{', '.join(f'{b:.0f}' for b in best)} of {history.sizes['epoch']}",
        interval=(low, high),
        claim=Claim(),
        setting=m.setting("maps", "training"),
        of=["Number overfitting"],
    )
    chapter.say(
        f"All results of this report took {m.cache.cpu_seconds:,.0f} CPU seconds up to here; the paper's training took "
        "5.5 hours on one RTX 3060.",
        of=["Number training time"],
    )


def of_runs(scores: xr.Dataset, score: str) -> xr.DataArray:
    """A score of all samples pooled, (model, run)."""
    return scores[f"{score}_run"].transpose("model", "run")


def generalization(train: xr.Dataset, test: xr.Dataset) -> xr.DataArray:
    """Eq. 13 of every network and run, (model, run)."""
    kept = [name for name in test["model"].values.tolist() if name not in REFERENCES]
    return (of_runs(train, "rmse") / of_runs(test, "rmse")).sel(model=kept)


def over_runs(values: xr.DataArray) -> tuple[float, float, float]:
    """Mean over `run` with the 95 % interval of Student's t; NaN ends for one run."""
    found = summarise_runs({"value": values}, 0.95)
    low, high = found.value_run_interval.values
    return float(found.value_run_mean), float(low), float(high)


def _headline(m: Results, train: xr.Dataset, test: xr.Dataset, chapter: Chapter) -> None:
    """What the paper leads with: scores of all samples pooled, mean over runs with its interval."""
    ability = generalization(train, test)
    rows = {}
    for model in [*m.variants, *REFERENCES]:
        row = {}
        for part, scores in (("train", train), ("test", test)):
            for score in SCORES:
                digits = 4 if score == "rmse" else 2
                row[f"{score.upper()}, {part}"] = with_interval(*_of(scores, score, model), digits)
                if score == "nse":
                    row[f"NSE, {part}, paper"] = _two_digits(published.NSE[part].get(model))
        row["GA"] = with_interval(*over_runs(ability.sel(model=model))) if model in m.variants else ""
        row["GA, paper"] = _two_digits(published.GENERALIZATION.get(model))
        rows[model] = row
    chapter.tabulate(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("model"),
        f"The paper's own quantity: NSE, RMSE and KGE of all samples pooled (Eq. 10 to 12) for each of "
        f"{m.settings.runs} runs, their mean and its 95 % interval over runs, and generalization ability (GA, Eq. 13). "
        "The paper gives no interval. An interval over runs says how training varies; that over sites is in the tables "
        "below.",
    )
    setting = m.setting("maps", "training")
    for part in ("test", "train"):
        for model, value in published.NSE[part].items():
            mean, low, high = _of(train if part == "train" else test, "nse", model)
            chapter.find(
                "4.1, Fig. 3e",
                f"pooled NSE of {model}, {NAMES[part]} part",
                f"{value:.2f}",
                with_interval(mean, low, high),
                interval=(low, high),
                claim=Claim.of_value(value),
                setting=setting,
                of=[f"Number nse {part}"],
            )
    for part, scores in (("test", test), ("train", train)):
        nse = of_runs(scores, "nse")
        maps = over_runs(nse.sel(model="ResRec") - nse.sel(model="Rec"))
        chapter.find(
            "4.1",
            f"maps add to the pooled NSE (ResRec less Rec), {NAMES[part]} part",
            f"+{published.NSE_GAIN_OF_MAPS[part]}",
            with_interval(*maps, sign=True),
            interval=maps[1:],
            claim=Claim(value=published.NSE_GAIN_OF_MAPS[part]),
            setting=setting,
            of=["Number maps"],
        )
        causal = over_runs(nse.sel(model=FULL) - nse.sel(model="ResAttRec"))
        gain = published.NSE[part][FULL] - published.NSE[part]["ResAttRec"]
        chapter.find(
            "4.1",
            f"causality {'adds to' if gain > 0 else 'takes from'} the pooled NSE ({FULL} less ResAttRec), "
            f"{NAMES[part]} part",
            f"{gain:+.2f}",
            with_interval(*causal, sign=True),
            interval=causal[1:],
            claim=Claim(above=gain > 0, value=gain),
            setting=setting,
        )
    for model in m.variants:
        mean, low, high = over_runs(ability.sel(model=model))
        value = published.GENERALIZATION[model]
        chapter.find(
            "4.1, Fig. 3f",
            f"generalization ability of {model}",
            f"{value:.2f}",
            with_interval(mean, low, high),
            interval=(low, high),
            claim=Claim.of_value(value),
            setting=setting,
            of=["Number generalization"],
        )
    more = over_runs(ability.sel(model=FULL) - ability.sel(model="ResAttRec"))
    of_paper = published.GENERALIZATION[FULL] - published.GENERALIZATION["ResAttRec"]
    chapter.find(
        "4.1, Fig. 3f",
        f"causality adds to the generalization ability ({FULL} less ResAttRec)",
        f"{of_paper:+.2f}",
        with_interval(*more, sign=True),
        interval=more[1:],
        claim=Claim(value=of_paper),
        setting=setting,
    )


NAMES = {"train": "training", "test": "test"}


def _of(scores: xr.Dataset, score: str, model: str) -> tuple[float, float, float]:
    of_model = scores.sel(model=model)
    low, high = of_model[f"{score}_run_interval"].values
    return float(of_model[f"{score}_run_mean"]), float(low), float(high)


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _ladder(test: xr.Dataset, m: Results, chapter: Chapter) -> None:
    """Who is ahead site by site, and where the references stand."""
    against = paired_differences(test, FULL)
    setting = m.setting("maps", "training")
    for name in [variant for variant in m.variants if variant != FULL]:
        ahead = -Difference.of(against, name)
        chapter.find(
            "4.1, Fig. 3e",
            f"{FULL} is better than {name} (NSE of a site, test)",
            "yes",
            str(ahead),
            interval=ahead.interval,
            claim=Claim(),
            setting=setting,
        )
    ahead = -Difference.of(against, "persistence")
    chapter.find(
        "absent",
        f"{FULL} less {m.settings.lead}-day persistence (NSE of a site, test)",
        "not shown",
        str(ahead),
        claim=None,
        setting=setting,
    )


def ladder_table(scores: xr.Dataset) -> pd.DataFrame:
    """NSE, KGE and RMSE by model, median over sites of the runs' mean, and paired differences to persistence."""
    rows = {}
    pairs = paired_differences(scores, "persistence")
    for model in scores["model"].values.tolist():
        of_model = scores.sel(model=model).mean("run")
        rows[model] = {
            "NSE": with_interval(*median_interval(of_model.nse.values)),
            "KGE": f"{float(of_model.kge.median()):.2f}",
            "RMSE": f"{float(of_model.rmse.median()):.3g}",
            "NSE less persistence": str(Difference.of(pairs, model)) if model in pairs.index else "",
            "adjusted p": f"{Difference.of(pairs, model).adjusted_p:.3f}" if model in pairs.index else "",
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def by_site(test: xr.Dataset) -> pd.DataFrame:
    """Scores of the whole network at each site."""
    table = test[list(SCORES)].sel(model=FULL, drop=True).mean("run").reset_coords(drop=True).to_dataframe()
    table = table.rename(columns=str.upper)
    table["NSE of persistence"] = test.nse.sel(model="persistence", drop=True).mean("run").to_series()
    table["test days"] = test.n_days.to_series().astype(int)
    return table.sort_values("NSE", ascending=False, na_position="last")


def leakage(m: Results) -> Chapter:
    """The leakage report of the whole network, recomputed from the data."""
    chapter = Chapter("Leakage")
    found = audit_leakage(m.forecaster(FULL), m.source.ds, device=m.settings.device)
    chapter.tabulate(
        found.to_dataframe()[["verdict", "computed_on", "numbers"]],
        f"What every statistic of {FULL} was computed on, found out again from the data.",
        of=["Number normalization"],
    )
    chapter.say(
        "Not of the network: the percentiles that turn soil moisture into classes are of the whole record, as in the "
        "paper, so the thresholds of Table 1 know the test part."
    )
    summary = f"{len(found.leaks)} leaks, {len(found.unknown)} undecided, of {len(found.findings)} checks"
    chapter.find(
        "3.4",
        "statistics of the network that are computed on the test part",
        "scaling is of the training part; the rest is not examined",
        summary,
        claim=None,
        setting=m.setting(),
    )
    return chapter
