"""Hand-worked drought cases: short percentile series whose events can be read off with a pencil.

Notation of a series: blank-separated percentiles, `15*20` for twenty steps at 15, `nan` for a missing step.
Steps count from 0. `CASES` holds the rules of `tests.support.oracles.events`, `YUAN2023_CASES` those of
`tests.support.oracles.yuan2023`; the options are keyword arguments of both the oracle and the package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


def expand(text: str) -> list[Fraction | None]:
    """The series that a text in the notation above stands for."""
    series: list[Fraction | None] = []
    for word in text.split():
        value, _, times = word.partition("*")
        series += [None if value == "nan" else Fraction(value)] * int(times or 1)
    return series


@dataclass(frozen=True)
class Event:
    """One expected event: onset point, start and end as steps, rate in percent per day."""

    to: int
    ts: int
    te: int
    rate: Fraction
    is_flash: bool = True
    censored: bool = False


@dataclass(frozen=True)
class Case:
    """A series, the options, and everything that must come out.

    `counts`: steps of normal onset, normal condition, flash onset, flash condition, no drought, missing.
    `days`: day number of each step where it is not 0, 1, 2, ...; `max_gap`: longest gap that is bridged, in steps.
    """

    name: str
    p: str
    events: tuple[Event, ...]
    counts: tuple[int, int, int, int, int, int]
    options: dict = field(default_factory=dict)
    days: tuple[int, ...] | None = None
    max_gap: int = 0  # steps

    @property
    def series(self) -> list[Fraction | None]:
        return expand(self.p)


def flash(to: int, ts: int, te: int, rate: str | int, *, censored: bool = False) -> Event:
    return Event(to, ts, te, Fraction(rate), is_flash=True, censored=censored)


def normal(to: int, ts: int, te: int, rate: str | int, *, censored: bool = False) -> Event:
    return Event(to, ts, te, Fraction(rate), is_flash=False, censored=censored)


def every_five_days(n: int) -> tuple[int, ...]:
    return tuple(range(0, 5 * n, 5))


PENTADS = {"recovery": 1, "min_duration": 3}
ONE_RELAPSE = "60 15*15 30*6 15*15 30*5"
SHORT_DIP_FIRST = "60 18*3 25*5 15*20 30*5"
EXCURSION_FIRST = "60 15*10 70*2 15*10 30*5 15*15 30*5"
TWO_RELAPSES = "60 15*15 30*5 15*15 30*5 15*15 30*5"
SHORT_MIDDLE = "60 15*15 30*5 18*3 30*5 15*15 30*5"
WET_AFTER_RELAPSE = "60 15*15 30*5 15*15 30*4 60 15*15 30*5"
TWO_SHORT_SPELLS = "60 15*8 30*5 15*8 30*5"
ISOLATED_WET_DAY = "60*3 30*2 60 15*15 30*5"
LONE_WET_DAY_BETWEEN = "60*2 15*15 30*5 50 15*15 30*5"
STARTS_DRY_WITH_EXCURSION = "15*5 60 15*10 30*5 15*15 30*5"
FOUR_STEP_ONSET = "60 30*3 15*15 30*5"
RISE = {"end_at": "rise"}
OTHER_THRESHOLDS = {"upper": 50, "lower": 10, "recovery": 2, "min_duration": 3}

# fmt: off
BASICS = [
    # day 4 is the last above 40, day 6 the first below 20, day 25 the last before five days above 20
    Case("textbook", "60*5 30 15*20 30*10", (flash(4, 6, 25, "45/2"),), (0, 0, 2, 20, 14, 0)),
    Case("two droughts", "60 15*15 30*5 60 15*15 30*5", (flash(0, 1, 15, 45), flash(21, 22, 36, 45)),
         (0, 0, 2, 30, 10, 0)),
    # (45 - 15) / 30: "no less than one percentile per day"
    Case("rate exactly one", "45 25*29 15*15 30*5", (flash(0, 30, 44, 1),), (0, 0, 30, 15, 5, 0)),
    Case("rate just below one", "45 25*30 15*15 30*5", (normal(0, 31, 45, "30/31"),), (31, 15, 0, 0, 5, 0)),
    # the onset lasts 3 days; without the rise to 41 it would last 14
    Case("spike above forty", "60 35*10 41 35*2 15*15 30*5", (flash(11, 14, 28, "26/3"),),
         (0, 0, 3, 15, 16, 0)),
    Case("four-day recovery", "60 15*10 30*4 15*10 30*5", (flash(0, 1, 24, 45),), (0, 0, 1, 24, 5, 0)),
    Case("five-day recovery, two short spells", "60 15*10 30*5 15*10 30*5", (), (0, 0, 0, 0, 31, 0)),
    Case("fourteen days", "60 15*14 30*5", (), (0, 0, 0, 0, 20, 0)),
    Case("fourteen days accepted when asked", "60 15*14 30*5", (flash(0, 1, 14, 45),), (0, 0, 1, 14, 5, 0),
         {"min_duration": 14}),
    Case("record starts dry", "15*20 30*5 60 15*15 30*5", (flash(25, 26, 40, 45),), (0, 0, 1, 15, 30, 0)),
    Case("other thresholds", "45 55 20*2 5*3 11*2", (flash(1, 4, 6, "50/3"),), (0, 0, 3, 3, 3, 0),
         OTHER_THRESHOLDS | {"min_rate": 16}),
    Case("other rate", "45 55 20*2 5*3 11*2", (normal(1, 4, 6, "50/3"),), (3, 3, 0, 0, 3, 0),
         OTHER_THRESHOLDS | {"min_rate": 17}),
    Case("onset as long as allowed", FOUR_STEP_ONSET, (flash(0, 4, 18, "45/4"),), (0, 0, 4, 15, 5, 0),
         {"max_onset": 4}),
    Case("onset one step too long", FOUR_STEP_ONSET, (normal(0, 4, 18, "45/4"),), (4, 15, 0, 0, 5, 0),
         {"max_onset": 3}),
    Case("one-step onset and a bound of one", "60 15*15 30*5", (flash(0, 1, 15, 45),), (0, 0, 1, 15, 5, 0),
         {"max_onset": 1}),
]

STRICTNESS = [
    Case("exactly forty is not wet", "60 40*3 15*15 30*5", (flash(0, 4, 18, "45/4"),), (0, 0, 4, 15, 5, 0)),
    Case("never above forty", "40*5 15*15 30*5", (), (0, 0, 0, 0, 25, 0)),
    Case("exactly twenty is not dry", "60 20*3 15*15 30*5", (flash(0, 4, 18, "45/4"),), (0, 0, 4, 15, 5, 0)),
    Case("only twenty", "60 20*30", (), (0, 0, 0, 0, 31, 0)),
    # four days above 20, one at 20, then five above: the day at 20 is the last of the drought
    Case("twenty stops a recovery", "60 15*15 30*4 20 30*5", (flash(0, 1, 20, 45),), (0, 0, 1, 20, 5, 0)),
    Case("twenty inside and at the end", "60 15*10 20*5 30*5", (flash(0, 1, 15, 45),), (0, 0, 1, 15, 5, 0)),
    Case("half a percentile on each side", "40.5 19.5*15 20.5*5", (flash(0, 1, 15, 21),),
         (0, 0, 1, 15, 5, 0)),
]

RELAPSES = [
    # not said in the paper: by default an event of its own, onset point still day 0, onset days 16 to 21
    Case("relapse as its own event", ONE_RELAPSE, (flash(0, 1, 15, 45), flash(0, 22, 36, "45/22")),
         (0, 0, 7, 30, 5, 0)),
    Case("relapse dropped", ONE_RELAPSE, (flash(0, 1, 15, 45),), (0, 0, 1, 15, 26, 0), {"relapse": "drop"}),
    Case("relapse merged", ONE_RELAPSE, (flash(0, 1, 36, 45),), (0, 0, 1, 36, 5, 0), {"relapse": "merge"}),
    Case("late relapse is normal", "60 15*15 30*40 15*15 30*5",
         (flash(0, 1, 15, 45), normal(0, 56, 70, "45/56")), (40, 15, 1, 15, 5, 0)),
    # a dip too short to be an event must not hide the flash drought that follows it
    Case("short dip first", SHORT_DIP_FIRST, (flash(0, 9, 28, 5),), (0, 0, 9, 20, 5, 0)),
    Case("short dip first, relapse dropped", SHORT_DIP_FIRST, (), (0, 0, 0, 0, 34, 0), {"relapse": "drop"}),
    Case("short dip first, relapse merged", SHORT_DIP_FIRST, (flash(0, 1, 28, 42),), (0, 0, 1, 28, 5, 0),
         {"relapse": "merge"}),
    # day 12, inside event 1, is the last above 40 before event 2
    Case("relapse after an excursion", EXCURSION_FIRST, (flash(0, 1, 22, 45), flash(12, 28, 42, "55/16")),
         (0, 0, 6, 37, 5, 0)),
    Case("relapse after an excursion, dropped", EXCURSION_FIRST, (flash(0, 1, 22, 45),),
         (0, 0, 1, 22, 25, 0), {"relapse": "drop"}),
    Case("relapse after an excursion, merged", EXCURSION_FIRST, (flash(0, 1, 42, 45),),
         (0, 0, 1, 42, 5, 0), {"relapse": "merge"}),
    Case("two relapses", TWO_RELAPSES, (flash(0, 1, 15, 45), flash(0, 21, 35, "45/21"),
         flash(0, 41, 55, "45/41")), (0, 0, 11, 45, 5, 0)),
    Case("two relapses, dropped", TWO_RELAPSES, (flash(0, 1, 15, 45),), (0, 0, 1, 15, 45, 0),
         {"relapse": "drop"}),
    Case("two relapses, merged", TWO_RELAPSES, (flash(0, 1, 55, 45),), (0, 0, 1, 55, 5, 0),
         {"relapse": "merge"}),
    # the short middle spell is no event, so its days and those around it are onset of the third spell
    Case("short middle spell", SHORT_MIDDLE, (flash(0, 1, 15, 45), flash(0, 29, 43, "45/29")),
         (0, 0, 14, 30, 5, 0)),
    Case("short middle spell, dropped", SHORT_MIDDLE, (flash(0, 1, 15, 45),), (0, 0, 1, 15, 33, 0),
         {"relapse": "drop"}),
    Case("short middle spell, merged", SHORT_MIDDLE, (flash(0, 1, 43, 45),), (0, 0, 1, 43, 5, 0),
         {"relapse": "merge"}),
    # day 40 is wet and after the end (day 35) of the dropped spell: the third spell is no relapse
    Case("wet day after a relapse", WET_AFTER_RELAPSE,
         (flash(0, 1, 15, 45), flash(0, 21, 35, "15/7"), flash(40, 41, 55, 45)), (0, 0, 7, 45, 9, 0)),
    Case("wet day after a dropped relapse", WET_AFTER_RELAPSE, (flash(0, 1, 15, 45), flash(40, 41, 55, 45)),
         (0, 0, 2, 30, 29, 0), {"relapse": "drop"}),
    Case("wet day after a merged relapse", WET_AFTER_RELAPSE, (flash(0, 1, 35, 45), flash(40, 41, 55, 45)),
         (0, 0, 2, 50, 9, 0), {"relapse": "merge"}),
    Case("two short spells", TWO_SHORT_SPELLS, (), (0, 0, 0, 0, 27, 0)),
    Case("two short spells are long enough when merged", TWO_SHORT_SPELLS, (flash(0, 1, 21, 45),),
         (0, 0, 1, 21, 5, 0), {"relapse": "merge"}),
    # the record starts dry, so spell 1 has no onset point; day 5, inside it, is that of spell 2
    Case("excursion in a spell without onset", STARTS_DRY_WITH_EXCURSION, (flash(5, 21, 35, "45/16"),),
         (0, 0, 16, 15, 10, 0)),
    Case("excursion in a spell without onset, dropped", STARTS_DRY_WITH_EXCURSION, (), (0, 0, 0, 0, 41, 0),
         {"relapse": "drop"}),
    Case("excursion in a spell without onset, merged", STARTS_DRY_WITH_EXCURSION, (), (0, 0, 0, 0, 41, 0),
         {"relapse": "merge"}),
    Case("no wet day at all, merged", "15*15 30*5 15*15 30*5", (), (0, 0, 0, 0, 40, 0), {"relapse": "merge"}),
    Case("merged with an open relapse", "60 15*15 30*5 15*3", (flash(0, 1, 23, 45, censored=True),),
         (0, 0, 1, 23, 0, 0), {"relapse": "merge"}),
    Case("open relapse too short for an event", "60 15*15 30*5 15*3", (flash(0, 1, 15, 45),),
         (0, 0, 1, 15, 8, 0)),
    Case("merged with a relapse cut by a gap", "60 15*15 30*5 15*3 nan 15*15 30*5",
         (flash(0, 1, 23, 45, censored=True),), (0, 0, 1, 23, 5, 16), {"relapse": "merge"}),
]

WET_RUNS = [
    Case("isolated wet day counts", ISOLATED_WET_DAY, (flash(5, 6, 20, 45),), (0, 0, 1, 15, 10, 0)),
    Case("isolated wet day does not qualify", ISOLATED_WET_DAY, (flash(2, 6, 20, "45/4"),),
         (0, 0, 4, 15, 7, 0), {"min_wet_run": 3}),
    Case("no wet run long enough", ISOLATED_WET_DAY, (), (0, 0, 0, 0, 26, 0), {"min_wet_run": 4}),
    Case("wet run cut by a gap", "60*2 nan 60 15*15 30*5", (), (0, 0, 0, 0, 8, 16), {"min_wet_run": 2}),
    Case("wet run below and at forty", "60 40 60 15*15 30*5", (), (0, 0, 0, 0, 23, 0), {"min_wet_run": 2}),
    # day 22 alone is wet between the spells: no return to wet conditions when two days are asked for
    Case("lone wet day between spells", LONE_WET_DAY_BETWEEN, (flash(1, 2, 16, 45), flash(22, 23, 37, 35)),
         (0, 0, 2, 30, 11, 0), {"relapse": "drop"}),
    Case("lone wet day between spells does not qualify", LONE_WET_DAY_BETWEEN, (flash(1, 2, 16, 45),),
         (0, 0, 1, 15, 27, 0), {"relapse": "drop", "min_wet_run": 2}),
    Case("lone wet day between merged spells", LONE_WET_DAY_BETWEEN, (flash(1, 2, 37, 45),),
         (0, 0, 1, 36, 6, 0), {"relapse": "merge", "min_wet_run": 2}),
]

ENDS_AND_GAPS = [
    # between days 1 and 3 the crossing was not seen: nobody knows whether the twenty dry days are a flash drought
    Case("gap in the onset", "60 30 nan 15*20 30*5", (), (0, 0, 0, 0, 7, 21)),
    Case("gap in the condition", "60 15*15 nan 15*15 30*5", (flash(0, 1, 15, 45, censored=True),),
         (0, 0, 1, 15, 5, 16)),
    Case("gap in the recovery", "60 15*15 30*4 nan 30*5", (flash(0, 1, 19, 45, censored=True),),
         (0, 0, 1, 19, 5, 1)),
    Case("gap right after the recovery", "60 15*15 30*5 nan 15*15 30*5", (flash(0, 1, 15, 45),),
         (0, 0, 1, 15, 10, 16)),
    Case("gap between wet day and start", "60 nan 15*15 30*5", (), (0, 0, 0, 0, 6, 16)),
    Case("gap before the wet day", "nan 60 15*15 30*5", (flash(1, 2, 16, 45),), (0, 0, 1, 15, 5, 1)),
    # what lies before a gap is no earlier spell either: the second spell is no relapse
    Case("a gap forgets the spell before", "60 15*15 30*5 nan 60 15*15", (flash(0, 1, 15, 45),
         flash(22, 23, 37, 45, censored=True)), (0, 0, 2, 30, 5, 1), {"relapse": "drop"}),
    Case("two pieces", "60 15*15 nan*2 60 15*15",
         (flash(0, 1, 15, 45, censored=True), flash(18, 19, 33, 45, censored=True)), (0, 0, 2, 30, 0, 2)),
    Case("record ends dry", "60 15*15", (flash(0, 1, 15, 45, censored=True),), (0, 0, 1, 15, 0, 0)),
    Case("record ends dry, one day short", "60 15*14", (), (0, 0, 0, 0, 15, 0)),
    Case("record ends with the recovery", "60 15*15 30*5", (flash(0, 1, 15, 45),), (0, 0, 1, 15, 5, 0)),
    Case("record ends one day before the recovery does", "60 15*15 30*4",
         (flash(0, 1, 19, 45, censored=True),), (0, 0, 1, 19, 0, 0)),
    Case("record ends wet, one day before the recovery does", "60 15*15 60*4",
         (flash(0, 1, 19, 45, censored=True),), (0, 0, 1, 19, 0, 0)),
    # 11 dry days and 4 of an unfinished recovery: 15 days of an open spell
    Case("unfinished recovery counts towards the duration", "60 15*11 30*4",
         (flash(0, 1, 15, 45, censored=True),), (0, 0, 1, 15, 0, 0)),
    Case("single dry day", "10", (), (0, 0, 0, 0, 1, 0)),
    Case("single missing day", "nan", (), (0, 0, 0, 0, 0, 1)),
    Case("all missing", "nan*10", (), (0, 0, 0, 0, 0, 10)),
    Case("dry throughout", "15*30", (), (0, 0, 0, 0, 30, 0)),
    Case("wet throughout", "60*30", (), (0, 0, 0, 0, 30, 0)),
]

BRIDGED_GAPS = [
    Case("a day missing in the condition", "60 15*10 nan 15*10 30*5", (flash(0, 1, 21, 45),), (0, 0, 1, 20, 5, 1),
         max_gap=1),
    # the line from 60 to 15 is 37.5 on the missing day: the start is seen a day later
    Case("a day missing in the onset", "60 nan 15*15 30*5", (flash(0, 2, 16, "45/2"),), (0, 0, 1, 15, 5, 1),
         max_gap=1),
    # 45 on the missing day: it is the onset point itself, and its own class stays missing
    Case("the onset point is bridged", "75 nan 15*15 30*5", (flash(1, 2, 16, 30),), (0, 0, 0, 15, 6, 1), max_gap=1),
    # the line over day 16 rises above 20: it is the end, and one of the days without a value
    Case("the rise is bridged", "60 15*15 nan 30*5", (flash(0, 1, 16, 45),), (0, 0, 1, 15, 5, 1), RISE, max_gap=1),
    # ten dry days before and after a gap that is too long: it may have been one drought of 23 days
    Case("a gap too long to bridge", "60 15*10 nan*3 15*10 30*5", (), (0, 0, 0, 0, 5, 24), max_gap=2),
    Case("the same gap bridged", "60 15*10 nan*3 15*10 30*5", (flash(0, 1, 23, 45),), (0, 0, 1, 20, 5, 3), max_gap=3),
    # ten dry days that are over before the gap were no drought, whatever it holds
    Case("a gap after a short dry spell", "60 15*10 30*5 nan*3 60*5", (), (0, 0, 0, 0, 21, 3)),
    Case("missing ends are no gaps", "nan*2 60 15*15 nan*2", (flash(2, 3, 17, 45, censored=True),),
         (0, 0, 1, 15, 0, 4), max_gap=9),
    Case("dry days before the record ends", "60 15*10 nan*2", (), (0, 0, 0, 0, 11, 2)),
    Case("dry days when the record begins", "nan*2 15*20 30*5", (), (0, 0, 0, 0, 25, 2)),
]

PENTAD_CASES = [
    Case("pentads: rate per day", "60 30 15*3 30*2", (flash(0, 2, 4, "9/2"),), (0, 0, 2, 3, 2, 0), PENTADS,
         every_five_days(7)),
    Case("pentads: rate exactly one", "45 30*5 15*3 30", (flash(0, 6, 8, 1),), (0, 0, 6, 3, 1, 0), PENTADS,
         every_five_days(10)),
    Case("pentads: rate below one", "45 30*6 15*3 30", (normal(0, 7, 9, "6/7"),), (7, 3, 0, 0, 1, 0),
         PENTADS, every_five_days(11)),
    Case("pentads: one above twenty is a recovery", "60 15*3 30 15*3 30",
         (flash(0, 1, 3, 9), flash(0, 5, 7, "9/5")), (0, 0, 2, 6, 1, 0), PENTADS, every_five_days(9)),
    Case("pentads: two above twenty asked for", "60 15*3 30 15*3 30*2", (flash(0, 1, 7, 9),),
         (0, 0, 1, 7, 2, 0), PENTADS | {"recovery": 2}, every_five_days(10)),
    Case("pentads: onset bound in steps", "60 30 15*3 30", (flash(0, 2, 4, "9/2"),), (0, 0, 2, 3, 1, 0),
         PENTADS | {"max_onset": 2}, every_five_days(6)),
    Case("pentads: onset beyond the bound", "60 30 15*3 30", (normal(0, 2, 4, "9/2"),), (2, 3, 0, 0, 1, 0),
         PENTADS | {"max_onset": 1}, every_five_days(6)),
    # the pentad of 29 February has six days
    Case("pentads: leap year", "60 30 15*3 30", (flash(0, 2, 4, "45/11"),), (0, 0, 2, 3, 1, 0), PENTADS,
         (0, 5, 11, 16, 21, 26)),
    Case("pentads: two are too few", "60 15*2 30*3", (), (0, 0, 0, 0, 6, 0), PENTADS, every_five_days(6)),
]

ENDS_AT_THE_RISE = [
    # day 26 is the first of the days above 20 that last
    Case("textbook, to the rise", "60*5 30 15*20 30*10", (flash(4, 6, 26, "45/2"),), (0, 0, 2, 21, 13, 0), RISE),
    Case("fourteen dry days and the rise", "60 15*14 30*5", (flash(0, 1, 15, 45),), (0, 0, 1, 15, 4, 0), RISE),
    Case("thirteen dry days and the rise", "60 15*13 30*5", (), (0, 0, 0, 0, 19, 0), RISE),
    # a rise that does not last is inside; of four days above 20 at the end nobody knows whether they last
    Case("a short rise, then another", "60 15*10 30*4 15*10 30*4", (flash(0, 1, 28, 45, censored=True),),
         (0, 0, 1, 28, 0, 0), RISE),
    # twenty is no rise: it lasts from day 17 on
    Case("twenty before the rise", "60 15*15 20 30*5", (flash(0, 1, 17, 45),), (0, 0, 1, 17, 4, 0), RISE),
    # the drought ends on a wet day, which is the onset point of the next: the day stays with the first
    Case("the rise is the next onset point", "60 15*15 60 30*4 15*15 30*5", (flash(0, 1, 16, 45), flash(16, 21, 36, 9)),
         (0, 0, 5, 32, 4, 0), RISE),
    # that wet day is after the last dry one, so that the second is no relapse
    Case("no relapse after a wet rise", "60 15*15 60 30*4 15*15 30*5", (flash(0, 1, 16, 45), flash(16, 21, 36, 9)),
         (0, 0, 5, 32, 4, 0), RISE | {"relapse": "drop"}),
    Case("relapse merged to its rise", ONE_RELAPSE, (flash(0, 1, 37, 45),), (0, 0, 1, 37, 4, 0),
         RISE | {"relapse": "merge"}),
    Case("pentads: to the rise", "60 30 15*3 30*2", (flash(0, 2, 5, "9/2"),), (0, 0, 2, 4, 1, 0), PENTADS | RISE,
         every_five_days(7)),
]

# fmt: on
CASES = BASICS + STRICTNESS + RELAPSES + WET_RUNS + ENDS_AND_GAPS + ENDS_AT_THE_RISE + BRIDGED_GAPS + PENTAD_CASES


@dataclass(frozen=True)
class YuanCase:
    """A pentad series and its events (start, last pentad of the onset, end, rate per pentad, censored)."""

    name: str
    p: str
    events: tuple[tuple[int, int, int, Fraction, bool], ...]
    options: dict = field(default_factory=dict)

    @property
    def series(self) -> list[Fraction | None]:
        return expand(self.p)


def yuan(start: int, onset_end: int, end: int, rate: str | int, *, censored: bool = False) -> tuple:
    return (start, onset_end, end, Fraction(rate), censored)


# fmt: off
YUAN2023_CASES = [
    # 30, 20, 10: falls of 10, 20, 30 below 40 where 5, 10, 15 are needed; 12 does not fall: recovery
    YuanCase("textbook", "50 30 20 10 12 18 30 50", (yuan(1, 3, 5, 10),)),
    # pentad 1 is only 1 below 40, less than the 5 that the later rule would ask of it
    YuanCase("first pentad is not tested", "50 39 28 18 18 18 30", (yuan(1, 3, 5, "22/3"),)),
    # 5 k below 40 exactly: 35, 30, 25, 20
    YuanCase("rate exactly five", "50 35 30 25 20 25", (yuan(1, 4, 4, 5),)),
    YuanCase("second pentad too slow", "50 35 31 20 15 10 10 30", ()),
    # k = 4 needs 20: 40 - 21 = 19
    YuanCase("fourth pentad too slow", "50 35 30 25 21 16 10 10 30", ()),
    # k = 3 needs 21: 40 - 20 = 20, and this 20 itself does not count as having reached 20
    YuanCase("too slow on the pentad that arrives", "50 30 25.5 20 10 5 30", (), {"min_rate": 7}),
    YuanCase("fast enough on the pentad that arrives", "50 30 25.5 19 10 5 30", (yuan(1, 5, 5, 7),),
             {"min_rate": 7}),
    YuanCase("rise before twenty is reached", "50 20.5 25 10 5 5 30", (yuan(1, 4, 5, "35/4"),)),
    YuanCase("rise after twenty is reached ends the onset", "50 15 18 10 5 30", (yuan(1, 1, 4, 25),)),
    YuanCase("no change ends the onset", "50 25 15 15 10 30", (yuan(1, 2, 4, "25/2"),)),
    # k = 2: 20 = 20 reached; k = 3: 8; k = 4: 7; ... k = 8 needs 40, 40 - 1 = 39 fails: recovery from there
    YuanCase("rate fails while falling", "50 25 15 10 8 6 4 2 1 30", (yuan(1, 7, 8, "38/7"),)),
    YuanCase("up above twenty in one step", "50 30 20 15 10 21 15 10 30", (yuan(1, 4, 4, "15/2"),)),
    YuanCase("exactly twenty is drought and recovery", "50 30 20 20 20 20.5", (yuan(1, 2, 4, 10),)),
    YuanCase("never at twenty", "50 30 25 22 20.5 21 22 50", ()),
    YuanCase("three pentads", "50 30 20 10 30", ()),
    YuanCase("three pentads when asked", "50 30 20 10 30", (yuan(1, 3, 3, 10),), {"min_duration": 3}),
    YuanCase("four pentads of onset alone", "50 30 20 10 5 50", (yuan(1, 4, 4, "35/4"),)),
    YuanCase("exactly forty before", "40 30 20 10 5 50", (yuan(1, 4, 4, "35/4"),)),
    YuanCase("exactly forty ends", "50 30 20 10 5 40 30 20 10 5 40",
             (yuan(1, 4, 4, "35/4"), yuan(6, 9, 9, "35/4"))),
    YuanCase("exactly forty is no start", "50 40 30 20 10 5 50", (yuan(2, 5, 5, "35/4"),)),
    YuanCase("series starts below forty", "30 20 10 5 5 50", ()),
    YuanCase("no second event without forty between", "50 30 20 10 5 30 20 10 5 5 50",
             (yuan(1, 4, 4, "35/4"),)),
    YuanCase("a cancelled onset needs forty again", "50 39 38 10 5 5 5 50", ()),
    YuanCase("open at the end", "50 30 20 10 5", (yuan(1, 4, 4, "35/4", censored=True),)),
    YuanCase("open at the end in recovery", "50 30 20 10 10", (yuan(1, 3, 4, 10, censored=True),)),
    YuanCase("open at the end, too short", "50 30 20 10", ()),
    YuanCase("open at the end above twenty", "50 30 29 24 20.5", ()),
    YuanCase("missing pentad ends", "50 30 20 10 5 nan 5 5 30", (yuan(1, 4, 4, "35/4", censored=True),)),
    YuanCase("missing predecessor", "50 nan 30 20 10 5 50", ()),
    YuanCase("below forty throughout", "10*10", ()),
    YuanCase("all missing", "nan*5", ()),
]
# fmt: on
