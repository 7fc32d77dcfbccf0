"""Published flash-drought definitions as values, each with its source.

A definition is data, not code: thresholds in percentiles, durations in days, and the name of the rule that reads
them. Change one with :func:`dataclasses.replace`, or pass the field as a keyword to the event functions.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from xdrought import checks, shown
from xdrought.choices import EndAt, PercentileMethod, Pool, Relapse, Rule, Step
from xdrought.public_functions import public
from xdrought.shown import ShownAsCall
from xdrought.suggestions import did_you_mean

RELAPSES = get_args(Relapse)
END_AT = get_args(EndAt)
RULES = get_args(Rule)


@dataclass(frozen=True, repr=False)
class Definition(ShownAsCall):
    """What makes a flash drought.

    Parameters
    ----------
    name, source : str
        Short name and citation with DOI.
    step : {"day", "pentad"}
        Step on which it is defined; daily soil moisture is averaged to calendar pentads for a pentad definition.
    pool : {"record", "dayofyear", "pentad"}
        What a step is ranked against: the whole record, or the same day or pentad of all years.
    window : int
        Half width of a day-of-year or pentad pool, in its own unit.
    percentile_method : str
        Plotting position, see :func:`xdrought.soil_moisture_percentile`.
    upper, lower : float
        Percentiles that an onset falls from and to.
    wet_at_upper, dry_at_lower, recovers_at_lower : bool
        Whether a percentile equal to the threshold counts as wet, dry, recovered.
    min_rate : float
        Slowest decline of a flash drought, percentile per day.
    max_onset : float or None
        Longest onset of a flash drought, days; slower ones are normal.
    recovery : float
        Days above `lower` in a row that end a drought.
    end_at : {"before_rise", "rise"}
        Last step of a drought that recovers: the one before those above `lower` that end it, or the first of them. For
        the rule ``threshold`` only; a drought that meets a gap or the record's end has its last step in either case.
    min_duration : float
        Shortest duration, days.
    count_onset : bool
        Whether the duration counts from the onset (True) or from the start below `lower` (False).
    min_wet_run : float
        Days above `upper` in a row that make an onset point.
    relapse : {"event", "drop", "merge"}
        A second fall below `lower` without a step above `upper` between: an event of its own (its onset point is still
        the last wet step), no event, or part of the event before.
    rule : {"threshold", "steady_fall", "volatility"}
        ``threshold``: last step above `upper`, first below `lower`, recovery. ``steady_fall``: every step of the
        onset keeps the rate (Yuan et al. 2023). ``volatility``: a short running mean below a long one (Osman et al.
        2021).
    short_mean, long_mean : int
        Running means of the volatility rule, days.
    max_gap : float
        Longest gap, in days, that a straight line between the values on both sides bridges before anything else is
        done; 0 bridges none. A longer gap cuts the record.
    note : str
        What the source leaves open, and how it is read here.

    Examples
    --------
    >>> from xdrought.definitions import get_definition
    >>> get_definition("tang2025").min_duration
    15.0
    """

    name: str
    source: str
    step: Step = "day"
    pool: Pool = "record"
    window: int = 0
    percentile_method: PercentileMethod = "linear"
    upper: float = 40.0
    lower: float = 20.0
    wet_at_upper: bool = False
    dry_at_lower: bool = False
    recovers_at_lower: bool = False
    min_rate: float = 1.0
    max_onset: float | None = None
    recovery: float = 5.0
    end_at: EndAt = "before_rise"
    min_duration: float = 15.0
    count_onset: bool = False
    min_wet_run: float = 1.0
    relapse: Relapse = "event"
    rule: Rule = "threshold"
    short_mean: int = 5
    long_mean: int = 20
    max_gap: float = 0.0
    note: str = ""

    def __repr__(self) -> str:
        facts = self._facts()
        settings = {name: text for name, text in facts.items() if name not in ("source", "note")}
        packed = ", ".join(f"{name}={text}" for name, text in settings.items())
        shown_facts = {"source": facts["source"], "settings": packed}
        return shown.as_text(f"xdrought.Definition {self.name}", shown_facts, most_lines=8)

    def _repr_html_(self) -> str:
        """What notebooks show: a table of every field."""
        return shown.as_html(f"xdrought.Definition {self.name}", self._facts())

    def _facts(self) -> dict[str, str]:
        """Every field but the name, as text."""
        return {one.name: str(getattr(self, one.name)) for one in dataclasses.fields(self) if one.name != "name"}

    def __post_init__(self) -> None:
        self._check_thresholds()
        self._check_choices()

    def _check_thresholds(self) -> None:
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            numeric = isinstance(one.default, float) or one.name == "max_onset"
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if numeric and not is_number and not (one.name == "max_onset" and value is None):
                raise TypeError(f"definition {self.name!r}: {one.name}={value!r} is no number; give e.g. {one.name}=20")
        if 0 <= self.lower < self.upper <= 1:
            raise ValueError(
                f"definition {self.name!r}: lower={self.lower} and upper={self.upper} are shares, and percentiles go "
                f"from 0 to 100; give lower={100 * self.lower:g}, upper={100 * self.upper:g}"
            )
        if not 0 <= self.lower < self.upper <= 100:
            raise ValueError(
                f"definition {self.name!r}: lower={self.lower} and upper={self.upper}; "
                f"expected 0 <= lower < upper <= 100 percent"
            )
        for field in ("recovery", "min_duration", "min_wet_run"):
            if not getattr(self, field) > 0:
                raise ValueError(f"definition {self.name!r}: {field}={getattr(self, field)}; expected more than 0 days")
        if self.max_onset is not None and not self.max_onset > 0:
            raise ValueError(
                f"definition {self.name!r}: max_onset={self.max_onset}; expected days, or None for no limit"
            )
        if not self.max_gap >= 0:
            raise ValueError(
                f"definition {self.name!r}: max_gap={self.max_gap}; expected days, 0 for no gap that is bridged"
            )
        if not self.min_rate >= 0:
            raise ValueError(f"definition {self.name!r}: min_rate={self.min_rate}; expected 0 or more percent per day")

    def _check_choices(self) -> None:
        known = {"relapse": RELAPSES, "rule": RULES, "step": get_args(Step), "end_at": END_AT}
        for field, choices in known.items():
            checks.require_choice(getattr(self, field), f"definition {self.name!r}: {field}", choices)
        if self.end_at != "before_rise" and self.rule != "threshold":
            raise ValueError(
                f"definition {self.name!r}: end_at={self.end_at!r} is for rule='threshold', where days above `lower` "
                f"end a drought; rule={self.rule!r} has ends of its own: leave end_at out"
            )


DEFINITIONS: dict[str, Definition] = {
    d.name: d
    for d in (
        Definition(
            name="tang2025",
            source="Tang et al. (2025), Water Resour. Res. 61, e2024WR039470, doi:10.1029/2024WR039470, section 3.3",
            max_gap=10.0,
            note="The article fills gaps linearly at two sites, whose longest have 8 and 10 days (section 3.1): gaps "
            "of at most 10 days are bridged. Definitions whose articles say nothing of gaps bridge none.",
        ),
        Definition(
            name="yuan2019",
            source="Yuan et al. (2019), Nat. Commun. 10, 4661, doi:10.1038/s41467-019-12692-7",
            step="pentad",
            pool="pentad",
            recovers_at_lower=True,
            count_onset=True,
            note="The three pentads are counted from the onset point to the end; a rise to the 20th percentile "
            "ends it.",
        ),
        Definition(
            name="yuan2023",
            source="Yuan et al. (2023), Science 380, 187-191, doi:10.1126/science.abn6301, and the authors' code",
            step="pentad",
            pool="pentad",
            min_duration=20.0,
            count_onset=True,
            dry_at_lower=True,
            rule="steady_fall",
            note="Rule as in the authors' program, which tests the rate from the second pentad of the onset on; "
            "only its flash droughts are reported, its slow droughts are not.",
        ),
        Definition(
            name="ford_labosier2017",
            source="Ford and Labosier (2017), Agric. For. Meteorol. 247, 414-423, doi:10.1016/j.agrformet.2017.08.031",
            step="pentad",
            pool="pentad",
            wet_at_upper=True,
            min_rate=0.0,
            max_onset=20.0,
            min_duration=5.0,
            note="Defines the onset only: at least the 40th to below the 20th percentile in four pentads. "
            "The end (one pentad above the 20th) and no minimum duration are choices made here.",
        ),
        Definition(
            name="osman2021",
            source="Osman et al. (2021), Hydrol. Earth Syst. Sci. 25, 565-581, doi:10.5194/hess-25-565-2021",
            pool="dayofyear",
            min_rate=0.0,
            min_duration=20.0,
            rule="volatility",
            note="Percentiles are those of the daily value on the same day of all years. The temperature, Bowen "
            "ratio and joining rules of the later inventory are not part of it.",
        ),
        Definition(
            name="o_park2024",
            source="O and Park (2024), Commun. Earth Environ., doi:10.1038/s43247-024-01247-4, and their scripts",
            step="pentad",
            pool="pentad",
            percentile_method="gringorten",
            min_rate=0.0,
            max_onset=20.0,
            recovery=10.0,
            min_duration=5.0,
            note="The scripts leave open how many pentads make it flash: four are taken here. No minimum duration "
            "is given.",
        ),
    )
}


# keywords of the functions that pass on everything else as thresholds
_BESIDE = ("definition", "is_percentile", "reference", "soil_temperature", "frozen", "censored", "time")


@public
def get_definition(definition: str | Definition, **changes: Any) -> Definition:
    """A definition by name or as it is, with some of its fields changed.

    Parameters
    ----------
    definition : str or Definition
        A name in ``xdrought.definitions.DEFINITIONS``, or a definition of your own.
    **changes
        Fields of :class:`Definition`; None leaves a field as it is.

    Returns
    -------
    Definition

    Raises
    ------
    ValueError
        For an unknown name or a value that makes no sense.
    TypeError
        For an unknown field.

    Examples
    --------
    >>> get_definition("tang2025", min_duration=14).min_duration
    14
    """
    if isinstance(definition, str):
        if definition not in DEFINITIONS:
            raise ValueError(
                f"definition={definition!r} is unknown; choose one of {sorted(DEFINITIONS)} or pass a Definition"
                f"{did_you_mean(definition, DEFINITIONS)}"
            )
        definition = DEFINITIONS[definition]
    if not isinstance(definition, Definition):
        raise TypeError(
            f"definition: expected a name or a Definition, got {type(definition).__name__}; the names are "
            f"{sorted(DEFINITIONS)}"
        )
    fields = {field.name for field in dataclasses.fields(Definition)}
    unknown = sorted(set(changes) - fields)
    if unknown:
        known = sorted(fields - {"name", "source", "note"})
        hint = did_you_mean(unknown[0], [*known, *_BESIDE], keyword=True)
        raise TypeError(f"definition: unknown threshold(s) {unknown}{hint or f'; a definition has {known}'}")
    return dataclasses.replace(definition, **{key: value for key, value in changes.items() if value is not None})
