"""The choices that the paper, the released code and this package make differently, and each as a mode."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, get_args

import pandas as pd

from xdrought import checks
from xdrought.choices import Mode
from xdrought.forecast import TrainingOptions
from xdrought.reproduction.results import ReportSettings

MODES = get_args(Mode)
YEAR = ("1991-01-01", "1991-12-31")  # whose statistics scale in the released code


class Choice(NamedTuple):
    """One thing that can be done in several ways, and how it is chosen."""

    what: str
    here: str
    paper: str
    released: str
    how: str


CHOICES = (
    Choice("network", "Eq. 1 to 6", "Eq. 1 to 6", "attention, skip and dropout of the code", "`equations=`"),
    Choice(
        "directions of cross mapping that the network is told",
        "weather to soil moisture",
        "both (section 3.3)",
        "weather to soil moisture",
        '`causality=causality_degree(..., direction="both")`',
    ),
    Choice(
        "map from the causality degree to c₀",
        "affine, which alone fits the published number of parameters",
        "MLP (Eq. 6), fully connected layers (2.3); sizes are not given, here one hidden layer as wide as the first "
        "cell",
        "affine",
        "`TrainingOptions(initial_hidden=)`",
    ),
    Choice(
        "target", "scaled", "not scaled: all input features are (3.4)", "not scaled", "`TrainingOptions(scale_target=)`"
    ),
    Choice(
        "statistics that scale",
        "training part",
        "training part (3.4)",
        "the year 1991, or the first year of data that lack it",
        "`TrainingOptions(scaling_period=)`",
    ),
    Choice(
        "epoch that is kept", "lowest validation loss", "lowest validation loss", "the last", "`TrainingOptions(keep=)`"
    ),
    Choice("days left out between the parts", "window + lead", "none", "none", "`SplitConfig(embargo=)`"),
    Choice(
        "sites never seen",
        "folds, each site once; told its own, predicted, mean or no causality",
        "five random draws of 70:15:15, told their own causality (3.4)",
        "not in the code",
        '`spatial_validation(draws="random", causality=["own", "none"])`',
    ),
    Choice(
        "percentiles of soil moisture",
        "whole record, as in the paper",
        "whole record (3.1)",
        "not in the code",
        "`reference=` of the event functions; the report's setting `percentiles`",
    ),
    Choice(
        "values that key drivers are counted among",
        "all that are explained",
        "not said (3.6)",
        "not in the code",
        '`drought_complexity(threshold=)`: "pooled", "variable", "place", "event", "day"',
    ),
    Choice(
        "end of a drought",
        "last day before five days above the 20th percentile",
        "that day (Figure 2), or the day it rises above (3.1)",
        "not in the code",
        '`end_at=` of the event functions: "before_rise", "rise"',
    ),
    Choice(
        "humidity",
        "at 2 m, from temperature and dewpoint",
        "not said (3.2)",
        "at 1000 hPa, by the name of its file",
        "files given to `era5.open_era5`: `r` on pressure levels is taken at 1000 hPa and comes before the made one",
    ),
)


def choices() -> pd.DataFrame:
    """The table of all choices, one row each."""
    frame = pd.DataFrame([choice._asdict() for choice in CHOICES])
    return frame.rename(columns={"what": "choice", "how": "chosen by"}).set_index("choice")


def settings_of(mode: Mode, base: ReportSettings | None = None) -> ReportSettings:
    """The settings of a report that makes all choices as this package does, as the paper, or as the released code.

    Parameters
    ----------
    mode : {"default", "paper", "released"}
        Whose choices.
    base : ReportSettings, optional
        Where all else is taken from, e.g. the number of epochs.

    Returns
    -------
    ReportSettings

    Raises
    ------
    ValueError
        For an unknown mode.

    Examples
    --------
    >>> from xdrought.reproduction.modes import settings_of
    >>> made = settings_of("released")
    >>> made.equations, made.training.keep, made.embargo
    (('released',), 'last', 0)
    """
    checks.require_choice(mode, "mode", MODES)
    base = ReportSettings() if base is None else base
    if mode == "default":
        return dataclasses.replace(base, mode=mode)
    shared: dict[str, Any] = {"mode": mode, "equations": (mode,), "embargo": 0, "spatial_draws": "random"}
    if mode == "released":
        training = TrainingOptions(scale_target=False, keep="last", scaling_period=YEAR)
        return dataclasses.replace(base, **shared, training=training)
    first = 64 if base.widths is None else base.widths[0]
    training = TrainingOptions(scale_target=False, initial_hidden=first)
    return dataclasses.replace(base, **shared, training=training, directions="both")
