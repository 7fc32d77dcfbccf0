"""Train the paper's network on labelled data, save it, and forecast labelled data with it."""

from xdrought.forecast.certificate import Certificate, Finding
from xdrought.forecast.file import load
from xdrought.forecast.fitting import fit_resattcaurec
from xdrought.forecast.forecaster import Forecaster
from xdrought.forecast.prediction import predict

__all__ = ["Certificate", "Finding", "Forecaster", "fit_resattcaurec", "load", "predict"]
