"""What Tang et al. (2025) report: the numbers of their tables and figures, each with its place in the paper."""

from __future__ import annotations

import pandas as pd

CLASSES = ("normal_onset", "normal_condition", "flash_onset", "flash_condition", "no_drought")
MODELS = ("ResAttCauRec", "ResAttRec", "ResRec", "UNet", "Rec")  # in the order of Table 1

_TABLE_1 = {
    "ResAttCauRec": ([0.60, 0.47, 0.44, 0.76, 0.96], [0.72, 0.64, 0.39, 0.60, 0.96], [0.66, 0.54, 0.41, 0.67, 0.96]),
    "ResAttRec": ([0.28, 0.27, 0.05, 0.32, 0.82], [0.19, 0.21, 0.05, 0.18, 0.92], [0.23, 0.24, 0.05, 0.23, 0.86]),
    "ResRec": ([0.31, 0.30, 0.07, 0.29, 0.80], [0.17, 0.20, 0.08, 0.19, 0.89], [0.22, 0.24, 0.08, 0.23, 0.84]),
    "UNet": ([0.36, 0.31, 0.07, 0.27, 0.81], [0.11, 0.12, 0.08, 0.27, 0.89], [0.16, 0.17, 0.07, 0.27, 0.85]),
    "Rec": ([0.24, 0.18, 0.06, 0.31, 0.83], [0.20, 0.20, 0.07, 0.25, 0.86], [0.22, 0.19, 0.06, 0.28, 0.84]),
}
ACCURACY = {"ResAttCauRec": 0.87, "ResAttRec": 0.72, "ResRec": 0.71, "UNet": 0.71, "Rec": 0.69}  # Table 1
SHARE = dict(zip(CLASSES, (0.0646, 0.0524, 0.0185, 0.1266, 0.7380), strict=True))  # Table 1, last row
GENERALIZATION = {"ResAttCauRec": 0.83, "ResAttRec": 0.43, "ResRec": 0.38, "UNet": 0.38, "Rec": 0.90}  # section 4.1
NSE_GAIN_OF_MAPS = 0.15  # section 4.1: ResRec less Rec, test part
FLASH_EVENTS, FLASH_SITES = 892, 131  # section 3.1
OVERFITTING_EPOCHS = 15  # section 4.1: of 50, the last ones
LEAD_GAIN = (0.16, 0.17)  # section 4.2: in F1 of onset and condition, lead of 1 day instead of 7
LEAD_LOSS = 0.42  # section 4.2: up to, lead of 14 days
RATE_TREND = 0.95  # section 4.5: percentile a day over 17 years
ERROR_CORRELATION = -0.56  # Figure 7b: complexity and error
SYNCHRONY = 0.73  # Figure 7c: share of sites


def table_1() -> pd.DataFrame:
    """Table 1: precision, recall and F1 by model (rows, with the measure) and class (columns)."""
    rows = {
        (model, name): dict(zip(CLASSES, values, strict=True))
        for model, measures in _TABLE_1.items()
        for name, values in zip(("precision", "recall", "f1"), measures, strict=True)
    }
    return pd.DataFrame(rows).T.rename_axis(["model", "measure"])
