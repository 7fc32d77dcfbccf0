"""The numbers of the paper that ours are set against, and a list of everything that it and its supplement show."""

from __future__ import annotations

from typing import NamedTuple

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
SHARE_IN_TEXT = 0.7911  # section 4.2, of no drought
# Section 4.1. Of two networks the text gives the pooled NSE itself; of the others only differences.
NSE = {"train": {"ResAttCauRec": 0.90, "ResAttRec": 0.95}, "test": {"ResAttCauRec": 0.84, "ResAttRec": 0.72}}
NSE_GAIN_OF_MAPS = {"train": 0.33, "test": 0.15}  # ResRec less Rec
GENERALIZATION = {"ResAttCauRec": 0.83, "ResAttRec": 0.43, "ResRec": 0.38, "UNet": 0.38, "Rec": 0.90}
SPATIAL_GENERALIZATION = 0.84  # section 4.1, Figure S5e
PARAMETERS = {"ResAttCauRec": 839_961, "UNet": 848_473}  # section 3.5
SITES, SITE_YEARS = 156, 6.5  # section 3.1: valid sites, years of each in the mean
FLASH_EVENTS, FLASH_SITES = 892, 131  # section 3.1
LONGER_THAN = 14  # days, section 3.1
EPOCHS, OVERFITTING_EPOCHS, RUNS, SIZE, N_DRIVERS = 50, 15, 10, 10, 12  # sections 3 and 4.1
LEAD_GAIN = (0.16, 0.17)  # section 4.2: in F1 of onset and condition, lead of 1 day instead of 7
LEAD_LOSS = 0.42  # section 4.2: up to, lead of 14 days
RATE_TREND, YEARS = 0.95, 17  # section 4.5: percentile a day over the years
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


class Shown(NamedTuple):
    """Something that the paper shows: what it is, and the chapter of the report that it belongs to."""

    what: str
    chapter: str


def _of(chapter: str, **items: str) -> dict[str, Shown]:
    return {name.replace("_", " "): Shown(what, chapter) for name, what in items.items()}


# Every figure, table and number of the paper and of its supplement, as far as the main text describes the latter. A
# chapter names what it has or lacks by these keys, and a report that is silent about one of them is not written.
SHOWN: dict[str, Shown] = {
    **_of(
        "data",
        Number_sites="156 valid sites of 212, with 6.5 years in the mean (section 3.1)",
        Number_gaps="7.8 % invalid days at CA-Gro and 6.8 % at CA-Oas, the longest gaps 8 and 10 days (3.1)",
        Number_drivers="12 drivers of ERA5 at 0.25 degrees, maps of 10 x 10 cells (3.2)",
        Number_window="15 days of input, 7 days ahead (2 and 3.2)",
        Number_split="70:15:15 by time at each site, about 260,000 training samples (3.4)",
        Number_test_days="55,700 test days (4.2)",
    ),
    **_of(
        "droughts",
        Figure_2="the definition at one event of AT-Neu, which falls within 2 days",
        Figure_S3="short excursions that cut one drought into several",
        Table_S1="sites and their events",
        Number_flash_events="892 flash droughts at 131 sites (3.1)",
        Number_duration="all droughts last longer than 14 days (3.1)",
        Number_shares="days of each class: 6.46, 5.24, 1.85, 12.66 and 73.80 % (Table 1), 79.11 % in the text (4.2)",
    ),
    **_of(
        "causes",
        Figure_S4="a cause in one direction only, by convergence",
        Figure_S7="distribution of the causality degree",
        Number_embedding="E = 2 and tau = 1 (3.3)",
        Number_significance="correlations and their significance levels make the causality matrix (3.3)",
    ),
    **_of(
        "networks",
        Figure_1a="diagram of the network",
        Figure_1b="the attention block",
        Figure_1c="the causal recurrence",
        Figure_1d="layers and the flow of data",
        Figure_S1="attention block in detail",
        Figure_S2="a cell of the LSTM",
        Table_S2="sizes of the parameters",
        Number_parameters="839,961 parameters, and 848,473 of the U-Net (3.5)",
        Figure_3a="training loss",
        Figure_3b="validation loss",
        Number_overfitting="the validation loss stalls in the last 15 of 50 epochs (4.1)",
        Figure_3c="RMSE of five networks in ten runs",
        Figure_3d="KGE of five networks in ten runs",
        Figure_3e="NSE of five networks in ten runs",
        Figure_3f="generalization ability of five networks in ten runs",
        Number_nse_test="NSE 0.84 of ResAttCauRec and 0.72 of ResAttRec in the test part (4.1)",
        Number_nse_train="NSE 0.90 of ResAttCauRec and 0.95 of ResAttRec in the training part (4.1)",
        Number_maps="maps add 0.15 of NSE in the test part, 0.33 in the training part (4.1)",
        Number_generalization="generalization ability 0.83, 0.43, 0.38, 0.38 and 0.90 (4.1)",
        Table_S3="scores at each site",
        Number_training_time="5.5 hours on one RTX 3060 (3.4)",
    ),
    **_of("leakage", Number_normalization="scaling by the training part alone (3.4)"),
    **_of(
        "table 1",
        Table_1="precision, recall, F1 and accuracy of five classes and five networks",
        Number_accuracy="accuracy 0.87 (4.2)",
        Number_f1="F1 of flash onsets 0.41 against 0.06 of Rec and 0.07 of U-Net (abstract, 4.2, 5)",
        Number_detection="39 % of flash onset days found, 44 % of those forecast right (4.2)",
        Number_baseline="Rec: 93 % of flash onset days missed, 96 % of those forecast wrong, F1 0.84 of no drought",
    ),
    **_of(
        "forecasts",
        Figure_4a="forecasts with droughts at BE-Vie, an annual cycle",
        Figure_4b="forecasts with droughts at US-Me2, an annual cycle",
        Figure_4c="forecasts with droughts at MY-PSO, no cycle",
        Figure_4d="forecasts with droughts at CH-Cha, no cycle",
        Figure_S6="forecasts by group of observed percentile, with outliers",
    ),
    **_of(
        "sweeps",
        Table_S4="classes with other thresholds of start and end",
        Number_ranking="the gap to the other networks stays with other thresholds (4.2)",
        Table_S5="classes at leads of 1 day to 2 weeks",
        Number_leads="F1 0.16 to 0.17 higher at 1 day, up to 0.42 lower at 2 weeks (4.2)",
        Table_S6="classes with half and twice the input days",
        Number_input_days="twice the days help a little, half of them cost more (4.2)",
        Number_training="batch sizes of 32 to 512, learning rates of 1e-4 to 1e-1 (3.4)",
    ),
    **_of(
        "coupling",
        Figure_5a="causality degree and NSE, first important driver",
        Figure_5b="causality degree and NSE, second important driver",
        Figure_5c="causality degree and NSE, third important driver",
        Figure_5d="causality degree and NSE, fourth important driver",
        Figure_5e="causality degree and NSE, fifth important driver",
        Figure_5f="strength of that relation and importance",
        Figure_S9="mean causality degree and NSE, not significant",
        Figure_S10="causality degree and NSE, less important drivers",
        Number_important="significant for the three most important drivers, not for the others (4.3)",
        Number_amplified="the relation is the stronger the more important the driver (4.3)",
    ),
    **_of(
        "explanations",
        Figure_6a="importance for normal and for flash onsets",
        Figure_6b="rank of importance by intensification rate, order 4",
        Figure_S8="distribution of the importance of each driver",
        Figure_S11="rank of importance by year, stable",
        Figure_S12="rank of importance by intensification rate, the other drivers",
        Text_S1="expected gradients",
        Number_ratio="evaporation and pressure 20 % higher for flash onsets, wind 30 % (4.4)",
        Number_order="soil state, pressure second, evaporation fifth, wind sixth, rain minimal (4.4)",
        Number_crossing="with the rate pressure rises in rank and maximum temperature falls (4.4)",
        Number_overlap="importance and causality degree do not overlap (4.3)",
    ),
    **_of(
        "acceleration",
        Figure_7a="intensification rate and complexity by year",
        Figure_7b="error by complexity, linear regression",
        Figure_7c="where rate and complexity go together",
        Figure_7d="rate and complexity of each event",
        Figure_S13="error by group of complexity",
        Number_rate="+0.95 percentile a day over 17 years (4.5)",
        Number_complexity="complexity has risen (4.5)",
        Number_errors="r = -0.56, p < 0.001, of complexity and error (4.5)",
        Number_synchrony="together at 73 % of the sites (Figure 7c)",
    ),
    **_of(
        "controls",
        Figure_S5a="validation loss of the spatial splits",
        Figure_S5b="RMSE of the spatial splits",
        Figure_S5c="KGE of the spatial splits",
        Figure_S5d="NSE of the spatial splits",
        Figure_S5e="generalization ability of the spatial splits",
        Number_spatial="generalization ability 0.84 at sites never seen (4.1)",
        Number_causality="the causality module improves the test and lowers the training score (4.1)",
    ),
}
