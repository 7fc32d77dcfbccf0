"""Table 1: the class of every test day, and what the accuracy is worth beside the commonest class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from xdrought.study.report import published
from xdrought.study.report.findings import Chapter, above_zero, with_interval
from xdrought.study.report.material import FULL, Material

ENDS = (0.025, 0.975)


def table_1(m: Material) -> Chapter:
    """Precision, recall and F1 of five classes, for every network and persistence."""
    chapter = Chapter("Classes of days (Table 1)")
    tables = m.class_tables()
    chapter.tabulate(published.table_1(), "Table 1 as published.", coloured=True)
    chapter.tabulate(
        _as_published(tables),
        f"Table 1 here ({m.settings.equations[0]} equations, first run of each network, {int(tables[FULL].n_days):,} "
        "test days that all have). Percentiles are those of the whole observed record, as in the paper, which lets the "
        "test part into its own thresholds.",
        coloured=True,
    )
    frame = pd.DataFrame({name: {"accuracy": float(t.accuracy)} for name, t in tables.items()}).T
    frame["accuracy, paper"] = pd.Series(published.ACCURACY)
    frame["always the commonest class"] = float(tables[FULL].majority_accuracy)
    chapter.tabulate(frame.rename_axis("model"), "Accuracy beside that of always saying the commonest class.")
    _find(m, tables, chapter)
    return chapter


def _as_published(tables: dict[str, xr.Dataset]) -> pd.DataFrame:
    rows = {
        (model, name): {c: float(t[name].sel(class_name=c)) for c in published.CLASSES}
        for model, t in tables.items()
        for name in ("precision", "recall", "f1")
    }
    shares = tables[FULL].share
    frame = pd.DataFrame(rows).T
    frame.loc[("share of days", ""), :] = [float(shares.sel(class_name=c)) for c in published.CLASSES]
    return frame.rename_axis(["model", "measure"])


def _find(m: Material, tables: dict[str, xr.Dataset], chapter: Chapter) -> None:
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
        "Table 1", f"accuracy of {FULL} is above that of the commonest class",
        f"{published.ACCURACY[FULL]} against {published.SHARE['no_drought']:.2f}",
        f"{accuracy:.2f} against {majority:.2f}, difference "
        f"{with_interval(accuracy - majority, low, high, sign=True)}", above_zero(low, high),
    )  # fmt: skip
    others = {name: value for name, value in point.items() if name not in (FULL, "persistence")}
    best = max(others, key=lambda name: others[name])
    for name, where, said in ((best, "Table 1", "0.41 against at most 0.08"), ("persistence", "absent", "not shown")):
        low, high = np.quantile(f1[FULL] - f1[name], ENDS)
        text = f"F1 of flash onsets is higher for {FULL} than for {name}"
        chapter.find(
            where, text + (", the best of the others" if name == best else ""), said,
            f"{point[FULL]:.2f} against {point[name]:.2f}, difference "
            f"{with_interval(point[FULL] - point[name], low, high, sign=True)}", above_zero(low, high),
        )  # fmt: skip


def _f1(confusion: np.ndarray, k: int) -> np.ndarray:
    """F1 of one class, (sample,); 0 where it is neither seen nor said."""
    hits, seen, said = confusion[:, k, k], confusion[:, k].sum(-1), confusion[:, :, k].sum(-1)
    return 2 * hits / np.maximum(seen + said, 1)


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=1, axis2=2) / np.maximum(confusion.sum((1, 2)), 1)


def _majority(confusion: np.ndarray) -> np.ndarray:
    return confusion.sum(2).max(1) / np.maximum(confusion.sum((1, 2)), 1)
