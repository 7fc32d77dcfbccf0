"""Train the paper's network on labelled data, save it, and forecast labelled data with it."""

from xdrought.forecast.degraded_forcing import degrade_forcing
from xdrought.forecast.fitting import fit_resattcaurec
from xdrought.forecast.forecaster import Forecaster, load_forecaster
from xdrought.forecast.onset import Boosting, Hazard, Logistic, OnsetModel, fit_onset, load_onset, predict_onset
from xdrought.forecast.options import MissingInputs, TrainingOptions
from xdrought.forecast.prediction import predict

__all__ = [
    "Boosting",
    "Forecaster",
    "Hazard",
    "Logistic",
    "OnsetModel",
    "MissingInputs",
    "TrainingOptions",
    "degrade_forcing",
    "fit_onset",
    "fit_resattcaurec",
    "load_forecaster",
    "load_onset",
    "predict",
    "predict_onset",
]
