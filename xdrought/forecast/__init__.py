"""Train the paper's network on labelled data, save it, and forecast labelled data with it."""

from xdrought.forecast.fitting import fit_resattcaurec
from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.forecaster_file import load
from xdrought.forecast.prediction import predict
from xdrought.leakage import Certificate, Finding

__all__ = ["Certificate", "Finding", "Forecaster", "fit_resattcaurec", "load", "predict"]
