"""Whether the scored forecasts have seen their test (section 3.4)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.leakage import audit_leakage
from xdrought.plot import plot_forecast
from xdrought.reproduction import findings
from xdrought.reproduction.findings import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Chapter,
    Difference,
    above_zero,
    median_interval,
    with_interval,
)
from xdrought.reproduction.pictures import by_percentile, loss_curves, violins
from xdrought.reproduction.results import FULL, REFERENCES, Results
from xdrought.study.comparison import paired_differences


def networks(m: Results) -> Chapter:
    """Losses, errors and generalization of the ladder, in both modes."""
    chapter = Chapter("Networks")
    mode = m.settings.equations[0]
    histories = {variant: m.forecaster(variant).history for variant in m.variants}
    chapter.show(
        loss_curves(histories[FULL]), f"Figure 3a, b: losses of {FULL} in {m.settings.runs} runs ({mode} equations)."
    )
    _overfitting(histories[FULL], chapter)
    train, test = m.member_scores("train"), m.member_scores("test")
    for score, panel in (("rmse", "c"), ("kge", "d"), ("nse", "e")):
        chapter.show(
            violins(train, test, score),
            f"Figure 3{panel}: {score.upper()} of every site and run in the training part (left) and the test part "
            "(right); the references, which the paper does not have, beside.",
        )
    ability = generalization(train, test)
    chapter.tabulate(
        pd.DataFrame({"paper": findings.GENERALIZATION, "here": ability}).reindex(list(m.variants)),
        "Figure 3f: generalization ability, pooled training RMSE over test RMSE, mean of the runs (Eq. 13).",
    )
    _ladder(test, m, chapter)
    for equations in m.settings.equations:
        table = ladder_table(m.member_scores("test", equations))
        chapter.tabulate(
            table, f"Test part, {equations} equations: score of every model, NSE less that of persistence."
        )
    return chapter


def generalization(train: xr.Dataset, test: xr.Dataset) -> dict[str, float]:
    """Eq. 13 of every network, mean of the runs."""
    pooled = [_pooled_rmse(scores) for scores in (train, test)]
    return {str(name): float(pooled[0][name] / pooled[1][name]) for name in pooled[0] if name not in REFERENCES}


def _pooled_rmse(scores: xr.Dataset) -> dict[str, float]:
    weight = scores.n_days / scores.n_days.sum()
    pooled = np.sqrt((scores.rmse**2 * weight).sum("site")).mean("run")
    return dict(zip(pooled["model"].values.tolist(), pooled.values.tolist(), strict=True))


def _overfitting(history: xr.Dataset, chapter: Chapter) -> None:
    epochs = history.sizes["epoch"]
    best = history.best_epoch.values.astype(float)
    after = history.val_loss.isel(epoch=-1) - history.val_loss.min("epoch")
    chapter.find(
        "4.1, Fig. 3b",
        "validation loss stalls before training ends",
        f"the last {findings.OVERFITTING_EPOCHS} of 50 epochs",
        f"best epoch {', '.join(f'{b:.0f}' for b in best)} of {epochs}; last loss {float(after.mean()):.3f} above it",
        SUPPORTED if float(after.min()) > 0 else UNDECIDED,
    )


def _ladder(test: xr.Dataset, m: Results, chapter: Chapter) -> None:
    """What each module adds, and where the references stand."""
    if "ResRec" in m.variants:
        maps = Difference.of(paired_differences(test, "Rec"), "ResRec")
        chapter.find(
            "4.1",
            "maps add to the NSE (ResRec less Rec)",
            f"+{findings.NSE_GAIN_OF_MAPS}",
            str(maps),
            maps.verdict,
        )
    against = paired_differences(test, FULL)
    for name in [variant for variant in m.variants if variant != FULL]:
        ahead = -Difference.of(against, name)
        chapter.find("4.1, Fig. 3e", f"{FULL} is better than {name} (NSE, test)", "yes", str(ahead), ahead.verdict)
    ahead = -Difference.of(against, "persistence")
    chapter.find(
        "absent",
        f"{FULL} is better than {m.settings.lead}-day persistence (NSE)",
        "not shown",
        str(ahead),
        ahead.verdict,
    )


def ladder_table(scores: xr.Dataset) -> pd.DataFrame:
    """NSE, KGE and RMSE by model, median over sites of the runs' mean, and paired differences to persistence."""
    rows = {}
    pairs = paired_differences(scores, "persistence")
    for model in scores["model"].values.tolist():
        one = scores.sel(model=model).mean("run")
        rows[model] = {
            "NSE": with_interval(*median_interval(one.nse.values)),
            "KGE": f"{float(one.kge.median()):.2f}",
            "RMSE": f"{float(one.rmse.median()):.3g}",
            "NSE less persistence": str(Difference.of(pairs, model)) if model in pairs.index else "",
            "adjusted p": f"{Difference.of(pairs, model).adjusted_p:.3f}" if model in pairs.index else "",
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def forecasts(m: Results) -> Chapter:
    """The test part of the sites where the whole network is nearest to its median and where it is worst."""
    chapter = Chapter("Forecasts")
    nse = m.member_scores("test").nse.sel(model=FULL).mean("run").dropna("site")
    ordered = nse["site"].values[nse.values.argsort()]
    for site, which in ((ordered[-1], "best"), (ordered[len(ordered) // 2], "median"), (ordered[0], "worst")):
        lines = {
            name: m.forecast(name).where(m.part("test")).sel(site=site).mean("run").dropna("time")
            for name in (FULL, "Rec")
        }
        ax = plot_forecast(lines[FULL], m.observed.sel(site=site), lead=m.settings.lead)
        ax.plot(lines["Rec"]["time"], lines["Rec"], color="#CC79A7", lw=0.9, ls=":", label="Rec")
        chapter.show(
            ax,
            f"Figure 4: {site}, {which} NSE of {FULL} in the test part ({float(nse.sel(site=site)):.2f}); dotted: Rec.",
        )
    chapter.show(
        by_percentile(m.forecasts(part="test"), m.observed, m.persistence),
        "Figure S6: forecast less observation by fifths of the observed percentile at each site, test part. "
        "Above zero is forecast too wet.",
    )
    return chapter


ENDS = (0.025, 0.975)


def table_1(m: Results) -> Chapter:
    """Precision, recall and F1 of five classes, for every network and persistence."""
    chapter = Chapter("Classes of days (Table 1)")
    tables = m.class_tables()
    chapter.tabulate(findings.table_1(), "Table 1 as published.", coloured=True)
    chapter.tabulate(
        _as_published(tables),
        f"Table 1 here ({m.settings.equations[0]} equations, first run of each network, {int(tables[FULL].n_days):,} "
        "test days that all have). Percentiles are those of the whole observed record, as in the paper, which lets the "
        "test part into its own thresholds.",
        coloured=True,
    )
    frame = pd.DataFrame({name: {"accuracy": float(t.accuracy)} for name, t in tables.items()}).T
    frame["accuracy, paper"] = pd.Series(findings.ACCURACY)
    frame["always the commonest class"] = float(tables[FULL].majority_accuracy)
    chapter.tabulate(frame.rename_axis("model"), "Accuracy beside that of always saying the commonest class.")
    _find(m, tables, chapter)
    return chapter


def _as_published(tables: dict[str, xr.Dataset]) -> pd.DataFrame:
    rows = {
        (model, name): {c: float(t[name].sel(class_name=c)) for c in findings.CLASSES}
        for model, t in tables.items()
        for name in ("precision", "recall", "f1")
    }
    shares = tables[FULL].share
    frame = pd.DataFrame(rows).T
    frame.loc[("share of days", ""), :] = [float(shares.sel(class_name=c)) for c in findings.CLASSES]
    return frame.rename_axis(["model", "measure"])


def _find(m: Results, tables: dict[str, xr.Dataset], chapter: Chapter) -> None:
    counts = m.class_tables_by_site()
    order = tables[FULL]["class_name"].values.tolist()
    flash = order.index("flash_onset")
    drawn = np.random.default_rng(m.settings.seed).multinomial(
        len(counts[FULL]), np.full(len(counts[FULL]), 1 / len(counts[FULL])), size=m.settings.n_boot
    )
    f1 = {name: _f1(np.tensordot(drawn, table, 1), flash) for name, table in counts.items()}
    point = {name: _f1(table.sum(0)[None], flash)[0] for name, table in counts.items()}
    sampled = np.tensordot(drawn, counts[FULL], 1)
    ahead = _accuracy(sampled) - _majority(sampled)
    low, high = np.quantile(ahead, ENDS)
    accuracy, majority = float(tables[FULL].accuracy), float(tables[FULL].majority_accuracy)
    chapter.find(
        "Table 1",
        f"accuracy of {FULL} is above that of the commonest class",
        f"{findings.ACCURACY[FULL]} against {findings.SHARE['no_drought']:.2f}",
        f"{accuracy:.2f} against {majority:.2f}, difference {with_interval(accuracy - majority, low, high, sign=True)}",
        above_zero(low, high),
    )
    others = {name: value for name, value in point.items() if name not in (FULL, "persistence")}
    best = max(others, key=lambda name: others[name])
    for name, where, said in ((best, "Table 1", "0.41 against at most 0.08"), ("persistence", "absent", "not shown")):
        low, high = np.quantile(f1[FULL] - f1[name], ENDS)
        text = f"F1 of flash onsets is higher for {FULL} than for {name}"
        chapter.find(
            where,
            text + (", the best of the others" if name == best else ""),
            said,
            f"{point[FULL]:.2f} against {point[name]:.2f}, difference "
            f"{with_interval(point[FULL] - point[name], low, high, sign=True)}",
            above_zero(low, high),
        )


def _f1(confusion: np.ndarray, k: int) -> np.ndarray:
    """F1 of one class, (sample,); 0 where it is neither seen nor said."""
    hits, seen, said = confusion[:, k, k], confusion[:, k].sum(-1), confusion[:, :, k].sum(-1)
    return 2 * hits / np.maximum(seen + said, 1)


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=1, axis2=2) / np.maximum(confusion.sum((1, 2)), 1)


def _majority(confusion: np.ndarray) -> np.ndarray:
    return confusion.sum(2).max(1) / np.maximum(confusion.sum((1, 2)), 1)


def leakage(m: Results) -> Chapter:
    """The leakage report of the whole network, recomputed from the data."""
    chapter = Chapter("Leakage")
    found = audit_leakage(m.forecaster(FULL), m.source.ds, device=m.settings.device)
    chapter.tabulate(
        found.to_dataframe()[["verdict", "computed_on", "numbers"]],
        f"What every statistic of {FULL} was computed on, found out again from the data.",
    )
    chapter.say(
        "Not of the network: the percentiles that turn soil moisture into classes are of the whole record, as in the "
        "paper, so the thresholds of Table 1 know the test part."
    )
    said = f"{len(found.leaks)} leaks, {len(found.unknown)} undecided, of {len(found.findings)} checks"
    verdict = SUPPORTED if found.clean else CONTRADICTED if found.leaks else UNDECIDED
    chapter.find("3.4", "nothing is computed on the test part", "scaling is of the training part", said, verdict)
    return chapter
