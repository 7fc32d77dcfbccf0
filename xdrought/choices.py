"""The words that a parameter may be: one type each, whose values the checks read with `typing.get_args`."""

from __future__ import annotations

from typing import Literal

# definitions, percentiles, events
DefinitionName = Literal["tang2025", "yuan2019", "yuan2023", "ford_labosier2017", "osman2021", "o_park2024"]
Step = Literal["day", "pentad"]
Pool = Literal["record", "dayofyear", "pentad"]
PercentileMethod = Literal["linear", "hazen", "weibull", "gringorten", "ecdf"]
Relapse = Literal["event", "drop", "merge"]
EndAt = Literal["before_rise", "rise"]
Rule = Literal["threshold", "steady_fall", "volatility"]
Frozen = Literal["flag", "mask", "ignore"]
Censored = Literal["keep", "drop"]
Connectivity = Literal["full", "face"]
OnsetLabel = Literal["path", "event"]
OnsetClassifier = Literal["boosting", "logistic", "hazard"]
CountBy = Literal["year", "month"]

# causality
Direction = Literal["both", "cause_to_effect", "effect_to_cause"]
CausalityMethod = Literal["ccm", "gccm", "driver_gain", "lagged_correlation", "mutual_information"]
Engine = Literal["kdtree", "torch", "causal-ccm"]
SurrogateKind = Literal["phase", "seasonal", "circular"]

# networks and their training
VariantName = Literal[
    "ResAttCauRec", "ResAttRec", "ResCauRec", "ResRec", "AttCauRec", "AttRec", "CauRec", "Rec", "ResAtt", "Res", "UNet"
]
HazardVariant = Literal["Rec", "ResRec", "ResAttRec", "AttRec"]
Equations = Literal["paper", "released"]
Sampler = Literal["independent", "consecutive"]
Loss = Literal["mse", "gaussian_crps"]
Schedule = Literal["constant", "cosine"]
Keep = Literal["best", "last"]
MissingPolicy = Literal["none", "last", "climatology", "interpolate"]
SplitKind = Literal["chronological", "spatial_monte_carlo"]
Part = Literal["train", "val", "test"]
DayPart = Literal["train", "val", "test", "outside"]

# scores, explanations, studies
Matching = Literal["mean_variance"]
ScoreSummary = Literal["median", "pooled"]
Verdict = Literal["passed", "LEAK", "unknown", "absent"]
AttributionMethod = Literal["balanced", "shap"]
ComplexityThreshold = Literal["pooled", "variable", "place", "day", "event"]
TrendMethod = Literal["linear", "rank"]
Moment = Literal["onset_time", "start_time"]
CausalityKind = Literal["own", "predicted", "mean", "none"]
SpatialDraws = Literal["folds", "random"]
Control = Literal["zeros", "shuffled", "random", "surrogate", "identity", "embedding", "statics"]
Mode = Literal["default", "paper", "released"]
ReportPercentiles = Literal["record", "training"]

# data, bulletins, pictures
Record = Literal["span", "file"]
Era5Accumulation = Literal["hourly", "since_midnight", "step"]
LastKnown = Literal["run_day", "day_before"]
StoreFormat = Literal["netcdf", "zarr"]
Tutorial = Literal["us-ar1", "fluxnet", "uscrn", "twin"]
WriterStep = Literal["day", "hour"]
Cells = Literal["fraction", "centre"]
Dry = Literal["low", "high"]
Worst = Literal["high", "low"]
ScorePlot = Literal["auto", "rows", "violins"]
Resolution = Literal["110m", "50m", "10m"]
