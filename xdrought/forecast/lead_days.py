"""What a network is asked about the lead days, and where it has their weather from, in words."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

OBSERVED, CLIMATOLOGY, FORECASTS, NONE = "observed", "climatology", "forecasts", "none"
WORDS = {
    NONE: "none: the weather of the lead days is not used",
    OBSERVED: "observed weather of the lead days (perfect prognosis): an upper bound of what a forecast can give",
    CLIMATOLOGY: "weather of the same season in the training years, one member for each year",
    FORECASTS: "weather forecasts",
}


@dataclass(frozen=True)
class LeadDays:
    """What a network is asked about the lead days, and what it is told of them.

    Parameters
    ----------
    leads : tuple of int
        The leads of a forecast for several; none where there is one.
    future : tuple of hashable
        Drivers that are known for the lead days.
    forcing : {"none", "observed", "climatology", "forecasts"}
        Where their values came from in training.
    """

    leads: tuple[int, ...] = ()
    future: tuple[Hashable, ...] = ()
    forcing: str = NONE
