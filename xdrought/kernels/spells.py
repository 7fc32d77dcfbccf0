"""Dry spells of a series, found among marked days (see :mod:`xdrought.kernels.bits`), whatever their length."""

from __future__ import annotations

import numpy as np

from xdrought.kernels.bits import count_days, last_day, next_day
from xdrought.kernels.compilation import inner

RELAPSE = {"event": 0, "drop": 1, "merge": 2}
END_AT = {"before_rise": 0, "rise": 1}  # steps from the last one of a dry spell to the end of its drought
DROP, MERGE = RELAPSE["drop"], RELAPSE["merge"]
ONSET, START, END, CUT, PIECE, FIRST_DRY, STOP_DRY = range(7)  # columns of a spell


@inner
def find_spells(gaps, dry, recovers, wet, n_time, rules, spells):
    """Dry spells as rows of `spells`; returns their number.

    Days are marked that are without a value (or behind the record), dry, the first of a recovery, and the first of a
    wet run that is long enough. A spell has its onset point (or -1), its start, its end, whether a gap or the record's
    end cuts it, the step after the gap before, and its part of the dry days. ``rules.end_at`` moves the ends that are
    written, and nothing else: a relapse is told by the last step of the spell itself.
    """
    n = n_dry = piece = stop = np.int64(0)
    previous_end = np.int64(-1)
    start = next_day(dry, 0)
    while start < n_time:
        if start >= stop:  # days between two gaps: nothing is remembered across one
            piece, stop = last_day(gaps, start) + 1, next_day(gaps, start)
            stop = stop if stop < n_time else n_time
            previous_end = np.int64(-1)
        run = last_day(wet, start - rules.min_wet_run + 1)
        last_wet = run + rules.min_wet_run - 1 if run >= piece else np.int64(-1)
        rise = next_day(recovers, start)
        is_cut = rise >= stop
        end = (stop if is_cut else rise) - 1
        stop_dry = n_dry + count_days(dry, start, end + 1)
        relapsed = previous_end >= 0 and last_wet <= previous_end
        if not (relapsed and rules.relapse == DROP):
            if not (relapsed and rules.relapse == MERGE):
                spell = spells[n]
                spell[ONSET], spell[START], spell[PIECE], spell[FIRST_DRY] = last_wet, start, piece, n_dry
                n += 1
            spell = spells[n - 1]
            spell[END], spell[CUT] = end + (0 if is_cut else rules.end_at), is_cut
            spell[STOP_DRY] = stop_dry
        previous_end, n_dry = end, stop_dry
        start = next_day(dry, end + 1)
    return n
