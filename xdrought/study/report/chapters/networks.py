"""The networks: losses, scores of training and test part, generalization (section 4.1, Figure 3)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.study.comparison import paired_differences
from xdrought.study.report import published
from xdrought.study.report.findings import SUPPORTED, UNDECIDED, Chapter, Difference, median_interval, with_interval
from xdrought.study.report.material import FULL, REFERENCES, Material
from xdrought.study.report.pictures import loss_curves, violins


def networks(m: Material) -> Chapter:
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
        pd.DataFrame({"paper": published.GENERALIZATION, "here": ability}).reindex(list(m.variants)),
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
        "4.1, Fig. 3b", "validation loss stalls before training ends",
        f"the last {published.OVERFITTING_EPOCHS} of 50 epochs",
        f"best epoch {', '.join(f'{b:.0f}' for b in best)} of {epochs}; last loss {float(after.mean()):.3f} above it",
        SUPPORTED if float(after.min()) > 0 else UNDECIDED,
    )  # fmt: skip


def _ladder(test: xr.Dataset, m: Material, chapter: Chapter) -> None:
    """What each module adds, and where the references stand."""
    if "ResRec" in m.variants:
        maps = Difference.of(paired_differences(test, "Rec"), "ResRec")
        chapter.find(
            "4.1", "maps add to the NSE (ResRec less Rec)", f"+{published.NSE_GAIN_OF_MAPS}", str(maps),
            maps.verdict,
        )  # fmt: skip
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
