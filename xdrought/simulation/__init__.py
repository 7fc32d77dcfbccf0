"""A simulated land surface with known causes, lags and flash droughts; never an observation."""
