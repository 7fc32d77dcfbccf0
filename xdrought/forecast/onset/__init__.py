"""Warnings of flash droughts: the probability that one begins within the lead, from the state of the soil."""

from xdrought.forecast.onset.classifiers import Boosting, Logistic
from xdrought.forecast.onset.hazard import Hazard
from xdrought.forecast.onset.onset_fitting import fit_onset
from xdrought.forecast.onset.onset_model import OnsetModel, load_onset
from xdrought.forecast.onset.onset_prediction import predict_onset

__all__ = ["Boosting", "Hazard", "Logistic", "OnsetModel", "fit_onset", "load_onset", "predict_onset"]
